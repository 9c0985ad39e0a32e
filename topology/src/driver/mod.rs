//! Drives the runtime by hand on a virtual clock: the test driver, and instances for simulations.
//!
//! The same stream thread, tasks, commit and takeover as in production run over the simulated log;
//! only the threads and their waiting are missing. A [`TopologyTestDriver`] is one instance for
//! behaviour tests; a simulation steps several [`SteppedInstance`]s against each other.

mod instance;
mod test_driver;
#[cfg(test)]
mod tests;

pub use instance::{Stepped, SteppedInstance};
pub use test_driver::{DriverError, TopologyTestDriver};
