//! The command line.

mod audit;
mod crowd;
mod demo;
mod dev;
mod history;
mod options;
mod progress;
mod replay;
mod serve;
mod simulate;
mod token;
mod topology;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Failure;

/// Sells concert seats: every seat once, every answer for good.
#[derive(Debug, Parser)]
#[command(
    name = "stagedoor",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: a log of its own, a demo concert on sale, and the next command to type.
    Dev(dev::DevArgs),
    /// Run one instance on a Kafka; several instances form one application.
    Serve(Box<serve::ServeArgs>),
    /// Prove from the topics alone that every promise held.
    Audit(Box<audit::AuditArgs>),
    /// Compute the state of tasks anew from the command log: to compare it, or to replace it.
    Replay(replay::ReplayArgs),
    /// Simulate a cluster with faults, seed by seed, and judge every answer and every row.
    Simulate(simulate::SimulateArgs),
    /// Print a token, and nothing else.
    Token(token::TokenArgs),
    /// Print the topology as Kafka Streams describes one.
    Topology(topology::TopologyArgs),
}

/// Runs the command line and returns the exit code: 0 fine, 1 found problems, 64 usage, 75 try
/// again, 78 configuration.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let outcome = match cli.command {
        Command::Dev(args) => dev::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Topology(args) => topology::run(&args),
    };
    outcome.map_or_else(|failure| report(&failure), |()| ExitCode::SUCCESS)
}

/// Help that was asked for is no error; everything else is wrong usage.
fn explain(error: &clap::Error) -> ExitCode {
    // Nothing can be done where not even the terminal takes it.
    let _ = error.print();
    if error.use_stderr() {
        Failure::Usage(String::new()).code()
    } else {
        ExitCode::SUCCESS
    }
}

#[expect(
    clippy::print_stderr,
    reason = "people read this, with or without a log"
)]
fn report(failure: &Failure) -> ExitCode {
    eprintln!("stagedoor: {failure}");
    failure.code()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
