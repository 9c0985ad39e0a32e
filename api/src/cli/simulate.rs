//! `stagedoor simulate`: a whole cluster on a virtual clock with faults, judged by a naive model.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use stagedoor_simulation::{Campaign, CampaignReport, tell_script, tell_seed};

use crate::exit::Failure;

/// How many seeds are played where nothing else is said.
const SEEDS: u64 = 2_000;

/// Options of `simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Play this seed alone and tell what happens; with --seeds or --minutes, begin with it.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Play so many seeds, one after the other.
    #[arg(long, value_name = "COUNT")]
    seeds: Option<u64>,
    /// Stop after so many minutes.
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
    /// Play a script, as a failing campaign prints one, and tell what happens.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "minutes"])]
    script: Option<PathBuf>,
}

/// Plays and prints the report.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let report = play(args)?;
    print!("{report}");
    match report.passed() {
        true => Ok(()),
        false => Err(Failure::Problem("the simulation did not pass".to_owned())),
    }
}

fn play(args: &SimulateArgs) -> Result<CampaignReport, Failure> {
    if let Some(file) = &args.script {
        let wrong = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        return tell_script(&text).map_err(wrong);
    }
    if let (Some(seed), None, None) = (args.seed, args.seeds, args.minutes) {
        return Ok(tell_seed(seed));
    }
    let campaign = Campaign {
        first_seed: args.seed.unwrap_or_else(any_seed),
        seeds: args.seeds.unwrap_or(match args.minutes {
            Some(_) => u64::from(u32::MAX),
            None => SEEDS,
        }),
        at_most: args
            .minutes
            .map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
        shrinks: true,
    };
    Ok(campaign.play())
}

/// Another first seed for every campaign; the report names it.
fn any_seed() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs().saturating_mul(1_000_000)
}
