//! The table of a measurement: targets, figures, ratios, and whether they are met.

use comfy_table::{Table, presets};
use stagedoor_bench::measure::results::Results;
use stagedoor_bench::measure::rounds::Rounds;

use super::targets::{TARGETS, Target, Unit, Verdict, Wanted};

/// The targets about what was measured, as a table in Markdown, under a line that says how good the
/// evidence is.
pub(super) fn table(results: &Results, interrupted: bool) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "scenario",
        "target",
        "figure",
        "spread",
        "beside it",
        "ratio",
        "",
    ]);
    for target in TARGETS {
        if let Some(rounds) = target.rounds(results) {
            table.add_row(row(target, rounds, results));
        }
    }
    format!(
        "{}\n\n{table}\n\n{}",
        heading(results, interrupted),
        sides(results)
    )
}

fn heading(results: &Results, interrupted: bool) -> String {
    let machine = &results.machine;
    let revision = &results.revision;
    let evidence = match (interrupted, results.complete, results.quick) {
        (true, ..) => "INTERRUPTED: no evidence. ",
        (false, false, _) => "INCOMPLETE: no evidence. ",
        (false, true, true) => "QUICK: a look, no evidence. ",
        (false, true, false) => "",
    };
    let changed = if revision.changed {
        " with changes"
    } else {
        ""
    };
    format!(
        "{evidence}Revision {}{changed}; {} cores, {}, {:.0} GB, Linux {}; medians of rounds.",
        revision.commit,
        machine.cores,
        machine.model,
        machine.memory_bytes as f64 / 1e9,
        machine.kernel
    )
}

fn row(target: &Target, rounds: &Rounds, results: &Results) -> [String; 7] {
    let show = |figure| target.unit.show(figure);
    let beside = target.beside(results);
    let compared = match target.wanted {
        Wanted::Times(_, side) => beside.map(|beside| format!("{side} {}", show(beside.median()))),
        Wanted::AtLeast(_) | Wanted::AtMost(_) => None,
    };
    let ratio = beside.map(|beside| format!("{:.2}", rounds.ratio(beside)));
    [
        target.scenario.to_owned(),
        wanted(target),
        format!("{} {}", show(rounds.median()), target.figure),
        format!("{:.0} % of {}", rounds.spread() * 100.0, rounds.len()),
        compared.unwrap_or_default(),
        ratio.unwrap_or_default(),
        verdict(target.verdict(results)),
    ]
}

fn wanted(target: &Target) -> String {
    match target.wanted {
        Wanted::AtLeast(least) => format!(">= {}", target.unit.show(least)),
        Wanted::AtMost(most) => format!("<= {}", target.unit.show(most)),
        Wanted::Times(times, side) => format!(">= {times} x {side}"),
    }
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Met => "met".to_owned(),
        Verdict::Missed(share) => format!("MISSED: {:.2} of it", share),
        Verdict::Unknown => "not compared".to_owned(),
    }
}

/// What each side did and used: what the ratios are made of.
fn sides(results: &Results) -> String {
    const COLUMNS: [(&str, &str, Unit); 10] = [
        ("answers/s", "answers_per_second", Unit::Number),
        ("per CPU s", "answers_per_cpu_second", Unit::Number),
        ("CPU s", "cpu_seconds", Unit::Seconds),
        ("peak", "peak_bytes", Unit::Megabytes),
        ("broker CPU s", "broker_cpu_seconds", Unit::Seconds),
        ("load CPU s", "load_cpu_seconds", Unit::Seconds),
        ("others' CPU s", "other_cpu_seconds", Unit::Seconds),
        ("p50", "p50_ms", Unit::Milliseconds),
        ("p99", "p99_ms", Unit::Milliseconds),
        ("bytes/answer", "bytes_per_answer", Unit::Number),
    ];
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    let names = COLUMNS.map(|(name, ..)| name.to_owned());
    table.set_header([["scenario", "side"].map(str::to_owned).as_slice(), &names].concat());
    for (name, scenario) in &results.scenarios {
        for (side, figures) in &scenario.sides {
            let cell = |(_, figure, unit): (&str, &str, Unit)| {
                let rounds = figures.get(figure);
                rounds.map_or_else(String::new, |rounds| unit.show(rounds.median()))
            };
            let cells = COLUMNS.map(cell);
            table.add_row([[name.clone(), side.clone()].as_slice(), &cells].concat());
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn results() -> Results {
        let mut results = Results::new(Path::new("/"));
        for (side, figure) in [("stagedoor", 90_000.0), ("ceiling", 100_000.0)] {
            results.push("hot", side, "answers_per_second", figure);
        }
        results.complete = true;
        results
    }

    #[test]
    fn a_row_says_target_figure_ratio_and_verdict() {
        let text = table(&results(), false);
        let row = |wanted: &str| {
            let found = text.lines().find(|line| line.contains(wanted));
            found
                .unwrap_or_else(|| panic!("no {wanted} in {text}"))
                .to_owned()
        };
        assert!(row(">= 80,000").contains("90,000"), "{text}");
        assert!(row(">= 80,000").contains("met"), "{text}");
        assert!(row(">= 0.5 x ceiling").contains("0.90"), "{text}");
        assert!(
            row(">= 2 x kafka-streams-100ms").contains("not compared"),
            "{text}"
        );
        assert!(
            !text.contains("open-loop"),
            "not measured, not shown: {text}"
        );
    }

    #[test]
    fn what_is_no_evidence_says_so_first() {
        let mut results = results();
        assert!(table(&results, false).starts_with("Revision"));
        assert!(table(&results, true).starts_with("INTERRUPTED"));
        results.quick = true;
        assert!(table(&results, false).starts_with("QUICK"));
        results.complete = false;
        assert!(table(&results, false).starts_with("INCOMPLETE"));
    }
}
