//! The simulated log under the contract of logs.

#[expect(
    unreachable_pub,
    reason = "several test programs share these functions"
)]
mod log_contract;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log_contract::LogUnderTest;
use stagedoor_topology::VirtualClock;
use stagedoor_topology::log::Log;
use stagedoor_topology::log::simulated::{ClusterConfig, SimulatedCluster, SimulatedLog};

/// Brokers and the processes that talk to them.
struct Simulated {
    cluster: SimulatedCluster,
    processes: Mutex<BTreeMap<usize, Arc<SimulatedLog>>>,
}

impl Simulated {
    fn new() -> Self {
        let clock = Arc::new(VirtualClock::new(1_000));
        Self {
            cluster: SimulatedCluster::new(clock, ClusterConfig::default()),
            processes: Mutex::default(),
        }
    }
}

impl LogUnderTest for Simulated {
    fn log(&self, process: usize) -> Arc<dyn Log> {
        let mut processes = self.processes.lock().expect("nobody panicked");
        let connect = || self.cluster.client(&process.to_string());
        Arc::<SimulatedLog>::clone(processes.entry(process).or_insert_with(connect))
    }

    fn restart(&mut self) {
        let processes = self.processes.get_mut().expect("nobody panicked");
        for process in std::mem::take(processes).into_values() {
            process.crash();
        }
        self.cluster.expel_crashed();
    }

    fn pass(&self) {
        self.cluster.clock().advance(5);
        self.cluster.tick();
        self.cluster.clean();
        // Some wait on threads of their own.
        std::thread::sleep(Duration::from_micros(50));
    }
}

log_contract!(Simulated::new());
