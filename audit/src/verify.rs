//! Replay verify: the state that the command log gives against the one that the changelog holds.

use std::sync::Arc;

use stagedoor_state::{Digest, TaskState};
use stagedoor_topology::Checkpoint;
use stagedoor_topology::log::InputPosition;

use crate::after_crash::{replay_until, skipped_units};
use crate::checkers::replayed::different_rows;
use crate::contents::Contents;
use crate::error::AuditError;
use crate::replay::Replay;
use crate::sources::Sources;

/// The first row that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where it was found: `changelog` or `store`.
    pub side: &'static str,
    /// Name of the store.
    pub store: &'static str,
    /// The row's key, as text as far as it is some.
    pub key: String,
}

/// What the replay of one task gives, and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The task, such as `0_3`.
    pub task: String,
    /// Up to which input the changelog goes, and so the replay.
    pub position: InputPosition,
    /// Inputs that were replayed.
    pub records: usize,
    /// Digest of the replayed state.
    pub replayed: Digest,
    /// Digest of what the changelog restores.
    pub changelog: Digest,
    /// Digest of the store, if stores were given and this one is at the same position.
    pub store: Option<Digest>,
    /// Position of a store that is elsewhere and could not be compared.
    pub store_elsewhere: Option<InputPosition>,
    /// The first rows that differ, one a side.
    pub differences: Vec<Difference>,
}

impl Verified {
    /// Whether everything that was compared is the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.replayed == self.changelog && self.store.is_none_or(|store| store == self.replayed)
    }
}

/// Replays each partition from offset 0 to the position of its changelog and compares. `each` is
/// told the outcome of one task after the other. A running service is not asked for anything.
///
/// # Errors
/// Where something cannot be read. What differs is in the outcome.
pub fn verify(sources: &Sources<'_>, each: &mut dyn FnMut(&Verified)) -> Result<(), AuditError> {
    let mut skips = skipped_units(sources)?;
    for partition in sources.lanes()? {
        let (index, part) = sources.part()?;
        let (contents, restored) =
            Contents::read(&sources.source(), sources.naming, part, partition)?;
        let skips = skips.remove(&partition).unwrap_or_default();
        let replay = replay_until(sources, partition, contents.input(), skips)?;
        each(&compare(
            sources,
            format!("{index}_{partition}"),
            (&contents, restored),
            &replay,
        )?);
    }
    Ok(())
}

fn compare(
    sources: &Sources<'_>,
    task: String,
    (contents, restored): (&Contents, TaskState),
    replay: &Replay<'_>,
) -> Result<Verified, AuditError> {
    let (_, part) = sources.part()?;
    let replayed = contents.digest_of(&replay.state)?;
    let mut verified = Verified {
        task,
        position: contents.input(),
        records: replay.records,
        replayed,
        changelog: contents.digest_of(&restored)?,
        store: None,
        store_elsewhere: None,
        differences: Vec::new(),
    };
    if verified.changelog != replayed {
        let first = first_difference(&replay.state, &restored)?;
        verified.differ("changelog", first);
    }
    drop(restored);
    let Some(stores) = sources
        .stores
        .filter(|stores| stores.tasks().contains(&verified.task))
    else {
        return Ok(verified);
    };
    let live = TaskState::new(stores.storage(&verified.task)?, Arc::clone(&part.stores))?;
    match Checkpoint::of(&live)? {
        Some(at) if !at.restoring && at.position.input() == verified.position => {
            let digest = contents.digest_of(&live)?;
            if digest != replayed {
                verified.differ("store", first_difference(&replay.state, &live)?);
            }
            verified.store = Some(digest);
        }
        Some(at) => verified.store_elsewhere = Some(at.position.input()),
        None => verified.store_elsewhere = Some(InputPosition::default()),
    }
    Ok(verified)
}

impl Verified {
    fn differ(&mut self, side: &'static str, first: Option<(&'static str, String)>) {
        let (store, key) = first.unwrap_or(("a windowed store", String::new()));
        self.differences.push(Difference { side, store, key });
    }
}

/// The first row, in the order of stores and keys, that two states do not share.
fn first_difference(
    replayed: &TaskState,
    other: &TaskState,
) -> Result<Option<(&'static str, String)>, AuditError> {
    let different = different_rows(replayed, other)?;
    Ok(different.into_iter().next())
}
