//! Something that goes wrong inside a call, as one line of text.

use std::fmt;

use stagedoor_topology::log::simulated::{Call, Fault};

/// A fault that waits for its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) instance: usize,
    pub(crate) call: Call,
    /// So many such calls pass first.
    pub(crate) skip: u32,
    pub(crate) harm: Harm,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    CrashBefore,
    CrashAfter,
    Unavailable,
    AnswerLost,
    RequestLost,
    Held,
    Doubled,
    SlowMarkers,
    AppendDoubt,
    /// The process stands still for so many milliseconds, and the others go on.
    Stand(u32),
}

/// All calls, by the words that scripts use.
pub(crate) const CALLS: [(Call, &str); 13] = [
    (Call::Topics, "topics"),
    (Call::Join, "join"),
    (Call::Poll, "poll"),
    (Call::Committed, "committed"),
    (Call::Session, "session"),
    (Call::Send, "send"),
    (Call::AddOffsets, "add-offsets"),
    (Call::Commit, "commit"),
    (Call::Reader, "reader"),
    (Call::Read, "read"),
    (Call::Watermarks, "watermarks"),
    (Call::Append, "append"),
    (Call::Store, "store"),
];

/// All that can go wrong without a number, by the words that scripts use.
const HARMS: [(Harm, &str); 9] = [
    (Harm::CrashBefore, "crash-before"),
    (Harm::CrashAfter, "crash-after"),
    (Harm::Unavailable, "unavailable"),
    (Harm::AnswerLost, "answer-lost"),
    (Harm::RequestLost, "request-lost"),
    (Harm::Held, "held"),
    (Harm::Doubled, "doubled"),
    (Harm::SlowMarkers, "slow-markers"),
    (Harm::AppendDoubt, "append-doubt"),
];

impl Arm {
    /// Reads `arm INSTANCE CALL SKIP HARM [MS]` without its first word.
    pub(super) fn parse(words: &[&str]) -> Result<Self, String> {
        let [instance, call, skip, harm, rest @ ..] = words else {
            return Err("an arm has an instance, a call, a number and a harm".to_owned());
        };
        let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is no number"));
        let found = CALLS.iter().find(|(_, word)| word == call);
        let call = found.ok_or_else(|| format!("{call:?} is no call"))?.0;
        let known = HARMS.iter().find(|(_, word)| word == harm);
        let harm = match (known, *harm, rest) {
            (Some((harm, _)), _, []) => *harm,
            (None, "stand", [ms]) => Harm::Stand(number(ms)?),
            _ => return Err(format!("{harm:?} is no harm")),
        };
        Ok(Self {
            instance: instance
                .parse()
                .map_err(|_| format!("{instance:?} is no number"))?,
            call,
            skip: number(skip)?,
            harm,
        })
    }
}

impl Harm {
    /// The fault of the log; `stand` runs while the process stands still.
    pub(crate) fn fault(self, stand: impl FnOnce(u32) + Send + 'static) -> Fault {
        match self {
            Self::CrashBefore => Fault::CrashBefore,
            Self::CrashAfter => Fault::CrashAfter,
            Self::Unavailable => Fault::Unavailable,
            Self::AnswerLost => Fault::AnswerLost,
            Self::RequestLost => Fault::RequestLost,
            Self::Held => Fault::Held,
            Self::Doubled => Fault::Doubled,
            Self::SlowMarkers => Fault::SlowMarkers,
            Self::AppendDoubt => Fault::AppendDoubt,
            Self::Stand(ms) => Fault::Meanwhile(Box::new(move || stand(ms))),
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = CALLS.iter().find(|(call, _)| *call == self.call);
        let call = call.map_or("?", |(_, word)| *word);
        write!(f, "arm {} {call} {} ", self.instance, self.skip)?;
        match self.harm {
            Harm::Stand(ms) => write!(f, "stand {ms}"),
            harm => {
                let word = HARMS.iter().find(|(known, _)| *known == harm);
                f.write_str(word.map_or("?", |(_, word)| *word))
            }
        }
    }
}
