//! The whole topology: one line for every processor.

use stagedoor_state::StateError;
use stagedoor_topology::{GlobalTable, Topology, TopologyBuilder, TopologyError};

use crate::concert;

/// The global table of everything that concerts publish about themselves.
pub const CATALOGUE: GlobalTable = GlobalTable {
    name: "catalogue",
    topic: concert::CATALOGUE.topic,
};

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
