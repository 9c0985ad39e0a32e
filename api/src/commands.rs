//! Commands: encoded, produced to the log with a reply-to, and waited for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stagedoor_avro::AvroRecord;
use stagedoor_processors::concert::records::{CommandResult, ReleaseHold};
use stagedoor_processors::id::{Id, IdKind, scoped_hash};
use stagedoor_topology::Header;
use stagedoor_topology::log::{AppendDone, Haste, LogError};
use tokio::time::timeout_at;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::app::App;
use crate::bodies::time::{now_ms, timestamp};
use crate::http::position::Position;
use crate::http::trace::{self, TraceContext};
use crate::overload;
use crate::problem::{Code, Problem};
use crate::results::{Answer, CommandKey, Heard, Hub, ParkError, Ticket, Until};

/// From so many requests on that wait for their answers, theirs come sooner if their commands go to
/// the log together: each request to the log costs it and us what ten commands do.
const CROWD: usize = 256;

/// Who sends which command to which concert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// The concert that decides.
    pub(crate) concert: &'a str,
    /// The sender.
    pub(crate) user: &'a str,
    /// The command's id, scoped to sender and concert.
    pub(crate) command_id: &'a str,
    /// Whether the sender does not want to wait.
    pub(crate) respond_async: bool,
}

/// What became of a command within the time the sender waits.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is decided, and the decision is readable at this position.
    Decided(Box<CommandResult>, Option<Position>),
    /// It is in the log.
    Accepted(CommandTicket),
}

/// Where to ask about a command later: its id, and until when it could still take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandTicket {
    /// Id of the command.
    pub(crate) id: Id,
    /// Appended after this log time it is refused.
    pub(crate) valid_until_ms: i64,
}

impl fmt::Display for CommandTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.valid_until_ms)
    }
}

impl CommandTicket {
    /// Reads a ticket; none: there is no such command.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, valid_until_ms) = text.rsplit_once('.')?;
        let id = Id::parse(id).filter(|id| id.kind == IdKind::Command)?;
        let valid_until_ms = valid_until_ms.parse().ok().filter(|time| *time >= 0)?;
        Some(Self { id, valid_until_ms })
    }
}

/// Sends a command and waits for its answer, at most as long as the command timeout.
pub(crate) async fn submit<R: AvroRecord>(
    app: &App,
    envelope: Envelope<'_>,
    record: &R,
) -> Result<Outcome, Problem> {
    let deadline = tokio::time::Instant::now() + app.settings().command_timeout();
    let timeout_ms = i64::try_from(app.settings().command_timeout_ms).unwrap_or(i64::MAX / 2);
    let valid_until_ms = now_ms().saturating_add(timeout_ms);
    let mut ticket = send(app, envelope, record, valid_until_ms)?;
    match timeout_at(deadline, &mut ticket.heard).await {
        Ok(Ok(Heard::Answered(answer))) => return Ok(decided(app, *answer)),
        Ok(Ok(Heard::Failed(error))) => return Err(not_appended(&error)),
        Ok(Ok(Heard::Appended)) => {}
        Ok(Err(_)) | Err(_) if ticket.is_appended() => {}
        Ok(Err(_)) | Err(_) => return Err(unacknowledged("no acknowledgement in time")),
    }
    let hash = scoped_hash(envelope.user, envelope.command_id);
    let id = Id::command(envelope.concert, hash);
    Ok(Outcome::Accepted(CommandTicket { id, valid_until_ms }))
}

/// Everything up to the append: refusals here leave no trace in the log.
fn send<R: AvroRecord>(
    app: &App,
    envelope: Envelope<'_>,
    record: &R,
    valid_until_ms: i64,
) -> Result<Ticket, Problem> {
    let runtime = app.runtime()?;
    if runtime.failure().is_some() {
        return Err(Problem::unavailable(
            "the service is ending; nothing was taken",
        ));
    }
    let starting = || Problem::unavailable("the log has not answered yet; nothing was taken");
    let partition = runtime.partition(envelope.concert).ok_or_else(starting)?;
    let reply_to = runtime.reply_to().ok_or_else(starting)?;
    app.overload().check(partition)?;
    let mut value = Vec::with_capacity(256);
    stagedoor_avro::encode(record, &mut value)
        .map_err(|error| Problem::internal(format!("a command cannot be encoded: {error}")))?;
    let hash = scoped_hash(envelope.user, envelope.command_id);
    let key = CommandKey {
        concert: envelope.concert.into(),
        hash,
    };
    let until = match envelope.respond_async {
        true => Until::Appended,
        false => Until::Answered,
    };
    let parked = app.hub().park(key.clone(), partition, until);
    let ticket = parked.map_err(not_parked)?;
    let headers = Headers::new(R::NAME, reply_to, valid_until_ms);
    let done = acknowledge(Arc::clone(app.hub()), key);
    let haste = match app.hub().parked() {
        0..CROWD => Haste::Prompt,
        CROWD.. => Haste::Patient,
    };
    let headers = headers.list();
    runtime.append(envelope.concert, partition, &value, &headers, haste, done);
    Ok(ticket)
}

fn acknowledge(hub: Arc<Hub>, key: CommandKey) -> AppendDone {
    Box::new(move |outcome| hub.appended(&key, outcome.map(|appended| appended.offset)))
}

fn decided(app: &App, answer: Answer) -> Outcome {
    let position = answer.offset.map(|offset| Position {
        partition: answer.partition,
        offset: offset + 1,
    });
    if let Some(position) = position {
        app.positions().promise(position.partition, position.offset);
    }
    Outcome::Decided(Box::new(answer.result), position)
}

fn not_parked(error: ParkError) -> Problem {
    match error {
        ParkError::InFlight => {
            let detail = "this request with this Idempotency-Key is being decided right now";
            Problem::new(Code::InFlight, detail).retry_after(Duration::from_secs(1))
        }
        ParkError::Full => overload::too_busy(Duration::from_secs(1)),
    }
}

fn not_appended(error: &LogError) -> Problem {
    match error {
        LogError::Full => overload::too_busy(Duration::from_secs(1)),
        LogError::TooLarge { limit, .. } => Problem::new(
            Code::BodyTooLarge,
            format!("a command has at most {limit} bytes"),
        ),
        LogError::Fenced(_)
        | LogError::Unavailable(_)
        | LogError::InDoubt(_)
        | LogError::OutOfRange(_)
        | LogError::Refused(_) => unacknowledged(&error.to_string()),
    }
}

/// Not known whether it is in the log. Sending it again is safe, because a key has one effect.
fn unacknowledged(cause: &str) -> Problem {
    Problem::unavailable(
        "the log did not confirm the command; send it again with the same Idempotency-Key",
    )
    .because(cause)
}

/// Header values of a command record.
struct Headers {
    reply_to: String,
    valid_until: String,
    event_id: [u8; Hyphenated::LENGTH],
    event_type: &'static str,
    time: String,
    context: TraceContext,
}

impl Headers {
    fn new(event_type: &'static str, reply_to: i32, valid_until_ms: i64) -> Self {
        let mut event_id = [0; Hyphenated::LENGTH];
        Uuid::now_v7().hyphenated().encode_lower(&mut event_id);
        Self {
            reply_to: reply_to.to_string(),
            valid_until: valid_until_ms.to_string(),
            event_id,
            event_type,
            time: timestamp(now_ms()).to_string(),
            context: trace::current(),
        }
    }

    fn list(&self) -> [Header<'_>; 8] {
        let header = |name, value: &'static str| Header {
            name,
            value: value.as_bytes(),
        };
        [
            Header {
                name: "reply-to",
                value: self.reply_to.as_bytes(),
            },
            Header {
                name: "valid-until",
                value: self.valid_until.as_bytes(),
            },
            header("ce_specversion", "1.0"),
            Header {
                name: "ce_id",
                value: &self.event_id,
            },
            Header {
                name: "ce_type",
                value: self.event_type.as_bytes(),
            },
            header("ce_source", "/stagedoor/http"),
            Header {
                name: "ce_time",
                value: self.time.as_bytes(),
            },
            Header {
                name: "traceparent",
                value: self.context.traceparent().as_bytes(),
            },
        ]
    }
}

/// Least time between two nudges of a partition.
const BETWEEN_NUDGES: Duration = Duration::from_millis(500);

/// Keeps log time moving where somebody waits for it.
///
/// Whether a command will never take effect is known once log time has passed its `valid-until`.
/// In a partition where nothing else happens it would never pass: so a command is appended that
/// is too late already, is refused for that, and has no effect but to be later.
#[derive(Default)]
pub(crate) struct Nudges {
    last: Mutex<BTreeMap<i32, Instant>>,
}

impl Nudges {
    /// Appends such a command, unless one was a moment ago.
    pub(crate) fn nudge(&self, app: &App, concert: &str, user: &str) -> Result<(), Problem> {
        let runtime = app.runtime()?;
        let Some(partition) = runtime.partition(concert) else {
            return Ok(());
        };
        if !self.is_due(partition) {
            return Ok(());
        }
        let record = ReleaseHold {
            user: user.to_owned(),
            command_id: format!("nudge-{}", Uuid::now_v7()),
            reservation: String::new(),
        };
        let mut value = Vec::new();
        stagedoor_avro::encode(&record, &mut value)
            .map_err(|error| Problem::internal(error.to_string()))?;
        let headers = [Header {
            name: "valid-until",
            value: b"0",
        }];
        let done: AppendDone = Box::new(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a nudge was not appended");
            }
        });
        let haste = Haste::Prompt;
        runtime.append(concert, partition, &value, &headers, haste, done);
        Ok(())
    }

    fn is_due(&self, partition: i32) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = last
            .get(&partition)
            .is_none_or(|at| now.duration_since(*at) >= BETWEEN_NUDGES);
        if due {
            last.insert(partition, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_its_text_and_nothing_else_is_one() {
        let ticket = CommandTicket {
            id: Id::command("c.1", [7; 16]),
            valid_until_ms: 1_234,
        };
        assert_eq!(
            CommandTicket::parse(&ticket.to_string()),
            Some(ticket.clone())
        );
        let reservation = Id::reservation("c.1", [7; 16]);
        let bad = [
            String::new(),
            ticket.id.to_string(),
            format!("{}.", ticket.id),
            format!("{}.-1", ticket.id),
            format!("{reservation}.1234"),
            "cAAA.1234".to_owned(),
        ];
        for text in bad {
            assert_eq!(CommandTicket::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn an_unknown_outcome_tells_the_caller_to_repeat_with_the_same_key() {
        let problem = not_appended(&LogError::InDoubt("timed out".into()));
        assert_eq!(problem.code(), Code::Unavailable);
        assert!(format!("{problem:?}").contains("same Idempotency-Key"));
        assert_eq!(not_appended(&LogError::Full).code(), Code::TooBusy);
    }

    #[test]
    fn one_partition_is_nudged_at_most_twice_a_second() {
        let nudges = Nudges::default();
        assert!(nudges.is_due(3));
        assert!(!nudges.is_due(3));
        assert!(nudges.is_due(4));
    }
}
