//! What can go wrong, and at which call.

/// A call of a process to its log or its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Topics are created and looked at.
    Topics,
    /// A member joins the group.
    Join,
    /// A member polls.
    Poll,
    /// A member asks for a committed position.
    Committed,
    /// A transactional producer is initialised.
    Session,
    /// A record is sent in a transaction.
    Send,
    /// Input positions are added to a transaction.
    AddOffsets,
    /// A transaction is committed.
    Commit,
    /// A reader is opened or pointed somewhere.
    Reader,
    /// A reader polls.
    Read,
    /// A reader asks for watermarks.
    Watermarks,
    /// A record is appended outside of transactions.
    Append,
    /// A batch is written to a store.
    Store,
}

/// What goes wrong.
pub enum Fault {
    /// The process is killed before the call has any effect.
    CrashBefore,
    /// The process is killed after the effect, before it hears of it.
    CrashAfter,
    /// The call has no effect and fails for now.
    Unavailable,
    /// At [`Call::Commit`]: the transaction ends as it should, and the answer is lost.
    AnswerLost,
    /// At [`Call::Commit`]: the request is lost; the transaction stays open.
    RequestLost,
    /// At [`Call::Commit`]: the request is held in the network until
    /// [`super::SimulatedCluster::deliver_late`]; the caller gives up on it.
    Held,
    /// At [`Call::Commit`]: the connection is cut, the client sends the request again and succeeds,
    /// and the first copy is still held in the network.
    Doubled,
    /// At [`Call::Commit`]: acknowledged, but the markers are written only at the next
    /// [`super::SimulatedCluster::tick`].
    SlowMarkers,
    /// At [`Call::Append`]: written, but the producer is told that it was not.
    AppendDoubt,
    /// The process stands still before the call, as under SIGSTOP, while this runs.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::CrashBefore => "CrashBefore",
            Self::CrashAfter => "CrashAfter",
            Self::Unavailable => "Unavailable",
            Self::AnswerLost => "AnswerLost",
            Self::RequestLost => "RequestLost",
            Self::Held => "Held",
            Self::Doubled => "Doubled",
            Self::SlowMarkers => "SlowMarkers",
            Self::AppendDoubt => "AppendDoubt",
            Self::Meanwhile(_) => "Meanwhile",
        })
    }
}

/// A fault that waits for its call.
#[derive(Debug)]
pub struct Armed {
    /// At which kind of call; any, if none is named.
    pub call: Option<Call>,
    /// How many such calls pass first.
    pub skip: u32,
    /// What then goes wrong.
    pub fault: Fault,
}

impl Armed {
    /// Whether this is the call; one that is passed over is counted.
    pub(super) fn meets(&mut self, call: Call) -> bool {
        if self.call.is_some_and(|wanted| wanted != call) {
            return false;
        }
        let now = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        now
    }
}

/// What a thread of a killed process unwinds with: its driver catches it and drops the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crashed;
