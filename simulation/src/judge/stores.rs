//! Stores: at a commit, after a crash, and at rest.

use stagedoor_state::{
    MemoryDatabase, ReadState, StateError, Storage, StorageProvider, StoreReader, TypedRead as _,
};
use stagedoor_topology::Checkpoint;
use stagedoor_topology::log::simulated::SimulatedCluster;

use super::Violation;
use super::lane::Lane;

/// The checkpoint of a store; `None`: it was never served.
fn checkpoint(state: &dyn ReadState) -> Result<Option<Checkpoint>, StateError> {
    let bytes = state.meta(b"checkpoint")?;
    Ok(bytes.and_then(|bytes| stagedoor_avro::decode(&bytes).ok()))
}

/// How many units of the next record's turn are in a store.
pub(super) fn unit(store: &StoreReader) -> Option<u32> {
    let found = store.read(checkpoint).ok().flatten();
    found.map(|checkpoint| checkpoint.position.input().unit)
}

/// The store of a task has just taken a commit.
pub(super) fn at_commit(lane: &mut Lane, store: &StoreReader, position: i64) -> Option<Violation> {
    read(store, |state| {
        let stored = checkpoint(state)?.unwrap_or_default().position;
        if stored.next_offset != position {
            let text = format!(
                "a commit up to {position} left a store at {}",
                stored.next_offset
            );
            return Ok(Some(Violation::new("C5", text)));
        }
        if stored.unit != 0 {
            return Ok(None);
        }
        let difference = match lane.model.next_offset() == position {
            true => lane.model.differs(state)?,
            // An owner that was frozen between its commit and its store is behind the others.
            false => lane.model_at(position).differs_anywhere(state)?,
        };
        Ok(violation("S2", lane, position, difference))
    })
}

/// A process is gone, and this is a store that it left.
pub(super) fn after_crash(
    lane: &mut Lane,
    cluster: &SimulatedCluster,
    store: &StoreReader,
) -> Option<Violation> {
    read(store, |state| {
        let Some(found) = checkpoint(state)?.filter(|checkpoint| !checkpoint.restoring) else {
            return Ok(None);
        };
        let position = found.position.next_offset;
        if found.position.unit != 0 {
            return Ok(None);
        }
        if lane.model.next_offset() < position {
            lane.catch_up(cluster, position);
        }
        let difference = match lane.model.next_offset() == position {
            true => lane.model.differs_anywhere(state)?,
            false => lane.model_at(position).differs_anywhere(state)?,
        };
        Ok(violation("D3", lane, position, difference))
    })
}

/// Everything is decided and closed, and this is the store of the last owner.
pub(super) fn at_rest(lane: &mut Lane, store: &StoreReader) -> Option<Violation> {
    read(store, |state| {
        let position = checkpoint(state)?.unwrap_or_default().position.next_offset;
        if position != lane.model.next_offset() {
            let text = format!(
                "the last store of {} is at {position} and the log at {}",
                lane.input(),
                lane.model.next_offset()
            );
            return Ok(Some(Violation::new("C5", text)));
        }
        let difference = lane.model.differs_anywhere(state)?;
        Ok(violation("S2", lane, position, difference))
    })
}

fn violation(
    checker: &'static str,
    lane: &Lane,
    position: i64,
    difference: Option<String>,
) -> Option<Violation> {
    let input = lane.input();
    difference.map(|difference| {
        Violation::new(
            checker,
            format!("the store of {input} at {position}: {difference}"),
        )
    })
}

/// A store that cannot be read is a broken promise of its own.
fn read(
    store: &StoreReader,
    look: impl FnOnce(&dyn ReadState) -> Result<Option<Violation>, StateError>,
) -> Option<Violation> {
    match store.read(look) {
        Ok(found) => found,
        Err(error) => Some(Violation::new("D3", error.to_string())),
    }
}

/// The stores of the last owners, as if one process had them all.
pub(crate) struct LastOwners {
    /// The disk of each partition's last owner.
    pub(crate) disks: Vec<MemoryDatabase>,
}

impl LastOwners {
    fn of(&self, task: &str) -> Option<&MemoryDatabase> {
        let partition = task.strip_prefix("0_")?.parse::<usize>().ok()?;
        self.disks.get(partition)
    }
}

impl StorageProvider for LastOwners {
    fn storage(&self, task: &str) -> Result<Box<dyn Storage>, StateError> {
        match self.of(task) {
            Some(disk) => disk.storage(task),
            None => MemoryDatabase::new().storage(task),
        }
    }

    fn tasks(&self) -> Vec<String> {
        (0..self.disks.len())
            .map(|partition| format!("0_{partition}"))
            .collect()
    }

    fn remove(&self, task: &str) -> Result<(), StateError> {
        self.of(task).map_or(Ok(()), |disk| disk.remove(task))
    }
}
