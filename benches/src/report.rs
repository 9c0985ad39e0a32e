//! Rounds as a table: median and spread.

use comfy_table::{Table, presets};

/// One measured side of a scenario.
pub(crate) struct Side {
    /// What was measured.
    pub(crate) name: &'static str,
    /// Figures by round, in operations a second.
    pub(crate) rounds: Vec<f64>,
    /// Further columns.
    pub(crate) notes: String,
}

impl Side {
    /// The middle round.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Prints the sides below each other; ratios are against the last one.
#[expect(clippy::print_stdout, reason = "the report is the program's output")]
pub(crate) fn print(title: &str, sides: &[Side]) {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["", "median/s", "min/s", "max/s", "of the last row", "notes"]);
    let base = sides.last().map_or(1.0, Side::median);
    for side in sides {
        let (low, high) = side
            .rounds
            .iter()
            .fold((f64::MAX, 0.0_f64), |(low, high), figure| {
                (low.min(*figure), high.max(*figure))
            });
        table.add_row([
            side.name.to_owned(),
            format!("{:.0}", side.median()),
            format!("{low:.0}"),
            format!("{high:.0}"),
            format!("{:.0} %", 100.0 * side.median() / base),
            side.notes.clone(),
        ]);
    }
    println!("{title}\n{table}");
}
