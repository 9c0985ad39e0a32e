//! Curves as SVG, to be looked at in a README.

use std::io;
use std::ops::Range;
use std::path::Path;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

const SIZE: (u32, u32) = (760, 420);
const COLOURS: [RGBColor; 5] = [
    RGBColor(0x1f, 0x5f, 0xbf),
    RGBColor(0xc8, 0x50, 0x1e),
    RGBColor(0x2d, 0x8a, 0x4e),
    RGBColor(0x7a, 0x4a, 0xa8),
    RGBColor(0x55, 0x55, 0x55),
];

/// How an axis divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from 0.
    Linear,
    /// By factors: for what spans several orders of magnitude. Nothing at or below 0 is shown.
    Logarithmic,
}

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by x.
    pub points: Vec<(f64, f64)>,
}

/// A diagram of curves.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Name and unit of x.
    pub x: (String, Scale),
    /// Name and unit of y.
    pub y: (String, Scale),
    /// The curves, at most five.
    pub curves: Vec<Curve>,
}

impl Plot {
    /// Writes the diagram.
    ///
    /// # Errors
    /// No point to show, or those of the file system.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let mut text = String::new();
        self.draw(&mut text)?;
        std::fs::write(file, text)
    }

    fn draw(&self, text: &mut String) -> io::Result<()> {
        let (x, y) = (
            self.range(self.x.1, |at| at.0)?,
            self.range(self.y.1, |at| at.1)?,
        );
        let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        let mut builder = ChartBuilder::on(&area);
        builder
            .caption(&self.title, ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(72);
        // The four kinds of diagram have four types.
        match (self.x.1, self.y.1) {
            (Scale::Linear, Scale::Linear) => {
                self.curves(builder.build_cartesian_2d(x, y).map_err(failed)?)
            }
            (Scale::Linear, Scale::Logarithmic) => self.curves(
                builder
                    .build_cartesian_2d(x, y.log_scale())
                    .map_err(failed)?,
            ),
            (Scale::Logarithmic, Scale::Linear) => self.curves(
                builder
                    .build_cartesian_2d(x.log_scale(), y)
                    .map_err(failed)?,
            ),
            (Scale::Logarithmic, Scale::Logarithmic) => {
                let chart = builder.build_cartesian_2d(x.log_scale(), y.log_scale());
                self.curves(chart.map_err(failed)?)
            }
        }?;
        area.present().map_err(failed)
    }

    fn curves<'a, X, Y>(
        &self,
        mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    ) -> io::Result<()>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64> + 'a,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64> + 'a,
    {
        chart
            .configure_mesh()
            .x_desc(&self.x.0)
            .y_desc(&self.y.0)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .bold_line_style(RGBColor(0xdd, 0xdd, 0xdd))
            .max_light_lines(0)
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(failed)?;
        for (curve, colour) in self.curves.iter().zip(COLOURS) {
            let style = colour.stroke_width(2);
            let points = curve.points.iter().copied();
            let shown: Vec<_> = points.filter(|at| self.shows(*at)).collect();
            chart
                .draw_series(LineSeries::new(shown, style).point_size(3))
                .map_err(failed)?
                .label(&curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(0xcc, 0xcc, 0xcc))
            .label_font(("sans-serif", 13))
            .draw()
            .map_err(failed)
    }

    fn shows(&self, (x, y): (f64, f64)) -> bool {
        let fits = |scale, value: f64| value.is_finite() && (scale == Scale::Linear || value > 0.0);
        fits(self.x.1, x) && fits(self.y.1, y)
    }

    fn range(&self, scale: Scale, of: impl Fn((f64, f64)) -> f64) -> io::Result<Range<f64>> {
        let points = self.curves.iter().flat_map(|curve| &curve.points).copied();
        let values: Vec<f64> = points.filter(|at| self.shows(*at)).map(of).collect();
        let most = values.iter().copied().fold(f64::MIN, f64::max);
        let least = values.iter().copied().fold(f64::MAX, f64::min);
        if values.is_empty() {
            return Err(io::Error::other(format!(
                "{}: there is no point to show",
                self.title
            )));
        }
        Ok(match scale {
            Scale::Linear => least.min(0.0)..if most > 0.0 { most * 1.08 } else { 1.0 },
            Scale::Logarithmic => least / 1.3..most * 1.3,
        })
    }
}

/// Numbers of an axis: 1500 is 1.5k.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is plotters'"
)]
fn short(value: &f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (*value, ""),
    };
    let digits = if scaled.fract().abs() < 1e-9 { 0 } else { 1 };
    // A tenth that rounds to nothing would label several lines alike.
    let digits = if scaled != 0.0 && scaled.abs() < 0.1 {
        3
    } else {
        digits
    };
    format!("{scaled:.digits$}{unit}")
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> io::Error {
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(x: Scale, y: Scale) -> Plot {
        let curve = |name: &str, factor: f64| Curve {
            name: name.to_owned(),
            points: [1.0, 10.0, 100.0].map(|at| (at, at * factor)).to_vec(),
        };
        Plot {
            title: "Latency against load".to_owned(),
            x: ("requests a second".to_owned(), x),
            y: ("p99 in ms".to_owned(), y),
            curves: vec![curve("stagedoor", 3.0), curve("others", 50.0)],
        }
    }

    #[test]
    fn every_pair_of_scales_shows_every_curve_and_name() {
        let scales = [Scale::Linear, Scale::Logarithmic];
        for (x, y) in scales.into_iter().flat_map(|x| scales.map(|y| (x, y))) {
            let mut text = String::new();
            plot(x, y).draw(&mut text).unwrap();
            for wanted in [
                "Latency against load",
                "p99 in ms",
                "stagedoor",
                "others",
                "#1F5FBF",
            ] {
                assert!(text.contains(wanted), "{x:?} {y:?} lacks {wanted}");
            }
            assert_eq!(text.matches("<circle").count(), 6, "{x:?} {y:?}");
        }
    }

    #[test]
    fn a_plot_without_points_is_an_error_and_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("none.svg");
        let mut empty = plot(Scale::Linear, Scale::Logarithmic);
        empty
            .curves
            .iter_mut()
            .for_each(|curve| curve.points = vec![(1.0, 0.0)]);
        assert!(empty.write(&file).is_err());
        assert!(!file.exists());
    }

    #[test]
    fn axes_are_labelled_shortly() {
        assert_eq!(
            [0.0, 5.0, 1_500.0, 2e6, 0.05].map(|it| short(&it)),
            ["0", "5", "1.5k", "2M", "0.050"]
        );
    }
}
