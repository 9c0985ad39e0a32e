//! Plays a campaign from the command line, without the rest of the product: `campaign FIRST COUNT`.

use std::process::ExitCode;

#[expect(clippy::print_stdout, reason = "the report is what it is for")]
fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let report = match numbers[..] {
        [seed] => stagedoor_simulation::tell_seed(seed),
        [first_seed, seeds] => stagedoor_simulation::Campaign {
            first_seed,
            seeds,
            at_most: None,
        }
        .play(),
        _ => return ExitCode::from(64),
    };
    println!("{report}");
    if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
