//! A run as data: a header and a list of steps, each one line of text.
//!
//! A seed makes a script and nothing else makes decisions, so that a script can be cut down to the
//! few lines that matter, printed, kept, and played again.
//!
//! ```text
//! seed 7
//! size partitions 2 instances 2 threads 1 batch 100
//! start 0
//! org k1 c1 puts opens 0 closes 900000 limit 4 hold 10 A:3x5:100 GA:6:30
//! turn 0.0 20
//! arm 0 commit 0 answer-lost
//! u1 k1 c1 holds A-1-1 A-1-2
//! wait 10000
//! crash 0
//! ```

mod arm;
mod command;
mod parse;
mod plan;

use std::fmt;

pub(crate) use arm::{Arm, Harm};
pub(crate) use command::{Ask, Command, Poison, encoded};
pub(crate) use parse::parse;
pub(crate) use plan::{Plan, Seating};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// The seed that it was made from.
    pub(crate) seed: u64,
    pub(crate) size: Size,
    pub(crate) steps: Vec<Step>,
}

/// How large the cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) partitions: i32,
    pub(crate) instances: usize,
    /// Stream threads of each instance.
    pub(crate) threads: usize,
    /// Most records of a batch.
    pub(crate) batch: usize,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A visitor sends a command.
    Send(Command),
    /// Milliseconds pass.
    Wait(i64),
    /// A stream thread moves, at most so many times, until it is idle.
    Turn {
        instance: usize,
        thread: usize,
        most: u32,
    },
    /// `kill -9`.
    Crash(usize),
    /// What its store has written is safe from a power cut from now on.
    Sync(usize),
    /// The machine of an instance loses power: its store falls back to what was safe.
    PowerCut(usize),
    /// Its disk is gone.
    Wipe(usize),
    /// An instance that is down starts.
    Start(usize),
    /// An instance ends in good order.
    Close(usize),
    /// It stands still, and the world goes on.
    Freeze(usize),
    /// It goes on as if nothing had been.
    Thaw(usize),
    /// The network between it and the brokers is cut.
    Cut(usize),
    /// The network is whole again.
    Heal(usize),
    /// Messages that were kept back in the network arrive.
    DeliverLate,
    /// The brokers clean their compacted topics.
    Compact,
    /// The brokers forget what the group has committed, if nobody has been in it for a while.
    ForgetOffsets,
    /// Something will go wrong inside of a call.
    Arm(Arm),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(command) => command.fmt(f),
            Self::Wait(ms) => write!(f, "wait {ms}"),
            Self::Turn {
                instance,
                thread,
                most,
            } => write!(f, "turn {instance}.{thread} {most}"),
            Self::Crash(instance) => write!(f, "crash {instance}"),
            Self::Sync(instance) => write!(f, "sync {instance}"),
            Self::PowerCut(instance) => write!(f, "power-cut {instance}"),
            Self::Wipe(instance) => write!(f, "wipe {instance}"),
            Self::Start(instance) => write!(f, "start {instance}"),
            Self::Close(instance) => write!(f, "close {instance}"),
            Self::Freeze(instance) => write!(f, "freeze {instance}"),
            Self::Thaw(instance) => write!(f, "thaw {instance}"),
            Self::Cut(instance) => write!(f, "cut {instance}"),
            Self::Heal(instance) => write!(f, "heal {instance}"),
            Self::DeliverLate => f.write_str("deliver-late"),
            Self::Compact => f.write_str("compact"),
            Self::ForgetOffsets => f.write_str("forget-offsets"),
            Self::Arm(arm) => arm.fmt(f),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size {
            partitions,
            instances,
            threads,
            batch,
        } = self.size;
        writeln!(f, "seed {}", self.seed)?;
        writeln!(
            f,
            "size partitions {partitions} instances {instances} threads {threads} batch {batch}"
        )?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_reads_back() {
        for seed in 0..200 {
            let script = crate::schedule::script(seed);
            let text = script.to_string();
            assert_eq!(parse(&text).as_ref(), Ok(&script), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_script_is_said_with_its_line() {
        let head = "seed 1\nsize partitions 1 instances 1 threads 1 batch 9\n";
        for (line, complaint) in [
            ("turn 0 1", "line 3: \"turn 0 1\": no thread"),
            ("jump 3", "line 3: \"jump 3\": no step"),
            ("wait long", "line 3: \"wait long\": \"long\" is no number"),
            ("u1 k1 c1 steals A-1-1", "no command"),
            ("turn 1.0 5", "there is no instance 1"),
            ("arm 0 commit 0 explode", "\"explode\" is no harm"),
        ] {
            let error = parse(&format!("{head}{line}\n")).expect_err(line);
            assert!(error.contains(complaint), "{error}");
        }
    }
}
