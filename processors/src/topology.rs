//! The whole topology: one line for every processor.

use stagedoor_state::StateError;
use stagedoor_topology::{
    GlobalTable, SinkPartitions, TopicNaming, Topology, TopologyBuilder, TopologyError,
};

use crate::concert;

/// The global table of everything that concerts publish about themselves.
pub const CATALOGUE: GlobalTable = GlobalTable {
    name: "catalogue",
    topic: concert::CATALOGUE.topic,
};

/// Partitions of the facts about reservations, where there are as many of commands. Facts go by user,
/// so that every commit of every instance writes to all of these, while those of commands are
/// divided among instances.
const EVENT_PARTITIONS: i32 = 4;

/// Names and partition counts of the topics. `event_partitions` are those of the facts about
/// reservations: 4 where none is given, and no more than `partitions` then.
#[must_use]
pub fn naming(
    application_id: impl Into<String>,
    prefix: impl Into<String>,
    partitions: i32,
    event_partitions: Option<i32>,
) -> TopicNaming {
    let events = SinkPartitions {
        count: event_partitions.unwrap_or(EVENT_PARTITIONS.min(partitions)),
        setting: "event_partitions",
    };
    TopicNaming {
        sink_partitions: [(concert::EVENTS.topic, events)].into(),
        ..TopicNaming::new(application_id, prefix, partitions)
    }
}

/// Why the topology cannot be built; only a programming error can cause one.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The stores of a processor contradict each other.
    #[error(transparent)]
    Stores(#[from] StateError),
    /// The names of the topology contradict each other.
    #[error(transparent)]
    Names(#[from] TopologyError),
}

/// Every processor of the application.
///
/// # Errors
/// [`BuildError`] names the first clash of ids or names.
pub fn topology() -> Result<Topology, BuildError> {
    let builder = TopologyBuilder::new()
        .sub_topology(concert::sub_topology()?)
        .global_table(CATALOGUE);
    Ok(builder.build()?)
}
