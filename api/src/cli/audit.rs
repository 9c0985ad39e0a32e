//! `stagedoor audit`: every checker over the topics, as a table or as JSON.

use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};
use stagedoor_audit::{Checker, Report};

use super::history::{HistoryArgs, failed};
use super::progress::Bar;
use crate::bodies::time;
use crate::exit::Failure;
use crate::telemetry::logs;

/// Options of `audit`. It reads committed records only, joins no group and writes nothing, so it
/// may run beside the service.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 clean, 1 violations, 64 usage, 75 the log does not answer, \
    78 configuration. A checker that saw nothing is void: it proves nothing, and is no violation."
)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    history: HistoryArgs,
    /// How the outcome is written to standard output.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// A form of the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Audits, prints the outcome, and fails where a promise was broken.
#[expect(
    clippy::print_stdout,
    reason = "the outcome is what the command is for"
)]
pub(crate) fn run(args: &AuditArgs) -> Result<(), Failure> {
    logs::start(false);
    let history = args.history.open()?;
    let bar = Bar::new();
    let progress = |step| bar.advance(step);
    let report = stagedoor_audit::run(&history.sources(&progress));
    bar.clear();
    let report = report.map_err(|error| failed(&error))?;
    match args.output {
        Output::Table => println!("{}", table(&report)),
        Output::Json => println!("{:#}", json(&report)),
    }
    let broken = Checker::AT_REST
        .iter()
        .filter(|checker| report.found(**checker) > 0);
    match broken.count() {
        0 => Ok(()),
        1 => Err(Failure::Problem("a promise was broken".into())),
        broken => Err(Failure::Problem(format!("{broken} promises were broken"))),
    }
}

fn verdict(report: &Report, checker: Checker) -> &'static str {
    if report.found(checker) > 0 {
        "broken"
    } else if report.looked(checker).all(|(_, count)| count == 0) {
        "void"
    } else {
        "holds"
    }
}

fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["checker", "promise", "verdict", "violations", "looked at"]);
    for checker in Checker::AT_REST {
        let looked = report
            .looked(checker)
            .map(|(what, count)| format!("{count} {what}"));
        let looked: Vec<String> = looked.collect();
        table.add_row([
            format!("{checker:?}"),
            checker.promise().to_owned(),
            verdict(report, checker).to_owned(),
            report.found(checker).to_string(),
            looked.join(", "),
        ]);
    }
    let mut text = table.to_string();
    for violation in Checker::AT_REST
        .iter()
        .filter_map(|checker| report.first(*checker))
    {
        text.push_str(&format!("\nfirst violation of {violation}"));
    }
    text.push_str(&format!(
        "\n{} records of {} command partitions; {}",
        report.records,
        report.partitions,
        start(report)
    ));
    text
}

/// From where completeness was checked.
fn start(report: &Report) -> String {
    match report.complete_after_ms {
        None => "complete from the first command on".to_owned(),
        Some(after_ms) => format!(
            "results, events or dead letters from before {} have left their topics: completeness \
             is checked from there on, and what is older is replayed",
            time::timestamp(after_ms)
        ),
    }
}

fn json(report: &Report) -> Value {
    let checkers = Checker::AT_REST.iter().map(|checker| {
        let looked: serde_json::Map<String, Value> = report
            .looked(*checker)
            .map(|(what, count)| (what.replace(' ', "_"), json!(count)))
            .collect();
        let first = report.first(*checker).map(|violation| {
            json!({
                "topic": &*violation.place.topic,
                "partition": violation.place.partition,
                "offset": violation.place.offset,
                "text": violation.text,
            })
        });
        json!({
            "checker": format!("{checker:?}"),
            "promise": checker.promise(),
            "verdict": verdict(report, *checker),
            "violations": report.found(*checker),
            "looked_at": looked,
            "first": first,
        })
    });
    let complete_after = report.complete_after_ms;
    let complete_after = complete_after.map(|ms| time::timestamp(ms).to_string());
    json!({
        "checkers": checkers.collect::<Vec<Value>>(),
        "records": report.records,
        "partitions": report.partitions,
        "complete_after": complete_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_nothing_is_void_and_not_broken() {
        let report = Report::default();
        assert!(
            Checker::AT_REST
                .iter()
                .all(|checker| verdict(&report, *checker) == "void")
        );
        let json = json(&report);
        assert_eq!(
            json["checkers"].as_array().unwrap().len(),
            Checker::AT_REST.len()
        );
        assert_eq!(json["checkers"][0]["verdict"], "void");
        assert!(table(&report).contains("complete from the first command on"));
    }
}
