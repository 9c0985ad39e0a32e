//! Where the service's time goes: samples of a profile, sorted by the step of a command's life.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A step, and parts of the names of the functions that belong to it. The innermost function of a
/// sample that is named here decides, so what a step calls may be a step of its own.
const STEPS: [(&str, &[&str]); 9] = [
    ("decode the command", &["command::Request::read"]),
    (
        "read rows: overlay, cache, RocksDB",
        &["::visit_bytes", "::scan_bytes", "stagedoor_state::read::"],
    ),
    (
        "encode answer, event and rows",
        &["stagedoor_avro::", "processor::framed"],
    ),
    (
        "write rows into the overlay, derived rows with them",
        &["stores::apply", "task_state::write", "evolve::"],
    ),
    (
        "decide",
        &[
            "ConcertProcessor",
            "concert::decide::",
            "concert::answers::",
        ],
    ),
    (
        "produce: answer, event, changelog",
        &["Session>::send", "rd_kafka_producev"],
    ),
    (
        "store batch: write-ahead log, write buffer, filter",
        &[
            "Storing::store",
            "commit::follow",
            "rocksdb::DBImpl::WriteImpl",
        ],
    ),
    (
        "commit: offsets, end of the transaction",
        &["Transaction::end", "rd_kafka_commit_transaction"],
    ),
    (
        "take the record, savepoint, stamps",
        &["Member>::poll", "task::Task::"],
    ),
];

/// Threads by the start of their names, for samples of no step.
const THREADS: [(&str, &str); 7] = [
    ("stream-", "stream thread, the rest"),
    ("commit-", "committer, the rest"),
    ("rdk:", "librdkafka: requests and responses"),
    ("producer_pol", "librdkafka: delivery reports"),
    ("rocksdb:", "RocksDB: flush and compaction"),
    ("results-", "reader of answers"),
    ("tokio", "HTTP"),
];

/// A table of the steps from folded stacks, one per line with its weight at the end.
pub(super) fn table(folded: &str, cpu_us_per_answer: f64) -> String {
    let mut weights: BTreeMap<&str, u64> = BTreeMap::new();
    for line in folded.lines() {
        let Some((stack, weight)) = line.rsplit_once(' ') else {
            continue;
        };
        *weights.entry(step_of(stack)).or_default() += weight.parse().unwrap_or(0);
    }
    let all = weights.values().sum::<u64>().max(1);
    let mut steps: Vec<_> = weights.into_iter().collect();
    steps.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let mut text = "| step | share | CPU µs per answer |\n|---|---|---|\n".to_owned();
    for (step, weight) in steps {
        #[expect(clippy::cast_precision_loss, reason = "a share needs no 52 bits")]
        let share = weight as f64 / all as f64;
        let us = share * cpu_us_per_answer;
        let _ = writeln!(text, "| {step} | {:.1} % | {us:.2} |", 100.0 * share);
    }
    let _ = writeln!(text, "| all | 100 % | {cpu_us_per_answer:.2} |");
    text
}

fn step_of(stack: &str) -> &'static str {
    let named = stack.rsplit(';').find_map(|frame| {
        let belongs = |(_, parts): &&(&str, &[&str])| parts.iter().any(|part| frame.contains(part));
        STEPS.iter().find(belongs)
    });
    let by_thread = || THREADS.iter().find(|(name, _)| stack.starts_with(name));
    match named {
        Some((step, _)) => step,
        None => by_thread().map_or("other threads", |(_, step)| step),
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn the_innermost_known_function_of_a_sample_decides_and_its_thread_where_none_is_known() {
        let folded = "stream-0;Member>::poll;task::Task::turn;ConcertProcessor;stores::apply;malloc 30\n\
                      stream-0;Member>::poll;memcpy 10\n\
                      stream-0;[unknown] 5\n\
                      rdk:broker1;poll 5\n";
        let table = table(folded, 10.0);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| write rows into the overlay, derived rows with them | 60.0 % | 6.00 |",
                "| take the record, savepoint, stamps | 20.0 % | 2.00 |",
                "| librdkafka: requests and responses | 10.0 % | 1.00 |",
                "| stream thread, the rest | 10.0 % | 1.00 |",
                "| all | 100 % | 10.00 |",
            ]
        );
    }
}
