//! The replay of one command partition, turn by turn; on a thread of its own where there are
//! several, some turns ahead of the checkers.
//!
//! A replay costs about as much as everything else that is done with a turn, and needs nothing of
//! it. What is shown is the same either way.

use std::collections::BTreeSet;
use std::mem;

use crate::error::AuditError;
use crate::inputs::{Input, kind_of};
use crate::parallel::ahead;
use crate::read::Ends;
use crate::replay::{Given, Replay};
use crate::sources::Sources;
use crate::turn::Lane;

/// One input as it was replayed.
pub(crate) struct Replayed {
    pub(crate) input: Input,
    /// Every unit of it is committed. Only the last turn of a partition may not be over.
    pub(crate) over: bool,
    /// What the replay gives for it, in order.
    pub(crate) given: Vec<Given>,
}

/// Is shown each turn.
type Visit<'v> = dyn FnMut(Replayed) -> Result<(), AuditError> + 'v;

/// Replays a command partition to its last committed position and shows every turn. Returns the
/// replay at its end, and how many records there were.
pub(crate) fn replay<'a>(
    sources: &'a Sources<'a>,
    lane: &Lane,
    skips: BTreeSet<(i64, u32)>,
    visit: &mut Visit<'_>,
) -> Result<(Replay<'a>, u64), AuditError> {
    let ends = sources.input_ends(&lane.topic, lane.partition, lane.until)?;
    let replay = Replay::new(sources.rules()?, lane.partition, skips)?;
    match sources.threads {
        0 | 1 => turns(sources, lane, &ends, replay, visit),
        _ => ahead(|show| turns(sources, lane, &ends, replay, show), visit),
    }
}

fn turns<'a>(
    sources: &'a Sources<'a>,
    lane: &Lane,
    ends: &Ends,
    mut replay: Replay<'a>,
    visit: &mut Visit<'_>,
) -> Result<(Replay<'a>, u64), AuditError> {
    let (until, mut records) = (lane.until, 0);
    sources.source().read(&lane.topic, ends, &mut |record| {
        records += 1;
        let over = record.offset < until.next_offset;
        if !over && (record.offset > until.next_offset || until.unit == 0) {
            return Ok(());
        }
        replay.take(record, until)?;
        let input = Input {
            offset: record.offset,
            time_ms: replay.time_ms,
            kind: kind_of(record, sources.secret),
        };
        let given = mem::take(&mut replay.given);
        visit(Replayed { input, over, given })
    })?;
    replay.settle()?;
    Ok((replay, records))
}
