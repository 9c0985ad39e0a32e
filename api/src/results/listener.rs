//! The commit listener: wakes parked requests after the store batch, on the stream thread.

use std::sync::{Arc, OnceLock};

use stagedoor_processors::concert::records::CommandResult;
use stagedoor_topology::{CommitListener, Committed};

use super::{Answer, Hub};
use crate::positions::Positions;
use crate::runtime::{CONCERT, RESULTS};

/// Tells the hub about answers and everybody about positions.
pub(crate) struct Wakeups {
    hub: Arc<Hub>,
    positions: Arc<Positions>,
    /// Results partition of this instance; answers elsewhere are for others.
    own: OnceLock<i32>,
}

impl Wakeups {
    /// Wakes requests of this hub.
    pub(crate) fn new(hub: Arc<Hub>, positions: Arc<Positions>) -> Self {
        Self {
            hub,
            positions,
            own: OnceLock::new(),
        }
    }

    /// Says which results partition requests of this instance name as their reply-to.
    pub(crate) fn set_own_partition(&self, partition: i32) {
        // Set once at start; a second value would be the same one.
        let _ = self.own.set(partition);
    }
}

impl CommitListener for Wakeups {
    fn committed(&self, committed: &Committed<'_>) {
        if committed.sub_topology != CONCERT {
            return;
        }
        self.positions
            .committed(committed.partition, committed.position);
        if self.hub.parked() == 0 {
            return;
        }
        for output in committed.outputs {
            if output.sink != RESULTS || Some(&output.partition) != self.own.get() {
                continue;
            }
            let value = output.message.value.as_deref().unwrap_or_default();
            // Our own encoding of a moment ago; if it were broken, the tail would say so as well.
            let Ok(result) = stagedoor_avro::decode::<CommandResult>(value) else {
                continue;
            };
            let (partition, offset) = (committed.partition, Some(output.stamp.offset));
            self.hub.answered(Answer {
                result,
                partition,
                offset,
            });
        }
    }
}
