//! One instance: its disk, and its process while it runs.

use std::sync::Arc;

use stagedoor_state::MemoryDatabase;
use stagedoor_topology::TaskPhase;
use stagedoor_topology::driver::{Stepped, SteppedInstance};
use stagedoor_topology::log::simulated::{Armed, SimulatedLog};

use super::World;
use crate::judge::{Listener, Violation};

/// An instance.
pub(super) struct Instance {
    index: usize,
    pub(super) disk: MemoryDatabase,
    /// What a power cut leaves of the disk.
    safe: MemoryDatabase,
    process: Option<Process>,
    frozen: bool,
}

struct Process {
    stepped: SteppedInstance,
    log: Arc<SimulatedLog>,
}

impl Instance {
    pub(super) fn new(index: usize) -> Self {
        Self {
            index,
            disk: MemoryDatabase::new(),
            safe: MemoryDatabase::new(),
            process: None,
            frozen: false,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Its connection to the brokers, while it runs.
    pub(super) fn connection(&self) -> Option<Arc<SimulatedLog>> {
        self.process
            .as_ref()
            .map(|process| Arc::clone(&process.log))
    }

    pub(super) fn start(&mut self, world: &World) {
        if self.process.is_some() {
            return;
        }
        let log = world.cluster.client(&format!("i{}", self.index));
        let listener = Listener {
            judge: Arc::clone(&world.judge),
            instance: self.index,
            disk: self.disk.clone(),
        };
        self.sync();
        self.frozen = false;
        let stepped = SteppedInstance::start(
            &world.site.topology,
            Arc::clone(&log) as Arc<_>,
            log.stores(self.disk.clone()),
            world.site.config_of(self.index),
            Arc::new(listener),
        );
        world.count("instances started");
        match stepped {
            Ok(stepped) => self.process = Some(Process { stepped, log }),
            Err(reason) => world.judge.lock().find(Violation::new("L1", reason)),
        }
    }

    /// One cycle of a stream thread. Returns whether another one may have something to do.
    pub(super) fn step(&mut self, world: &World, thread: usize) -> bool {
        let Some(process) = self.process.as_mut().filter(|_| !self.frozen) else {
            return false;
        };
        let before = world.cluster.version();
        let stepped = process.stepped.step(thread);
        self.count_faults(world);
        match stepped {
            Stepped::Crashed => {
                self.gone(world);
                false
            }
            Stepped::Failed(reason) => {
                self.stopped(world, &reason);
                false
            }
            Stepped::Went => world.cluster.version() != before || self.served().is_none(),
        }
    }

    /// How many tasks it serves; `None`: it is still on the way to some.
    pub(super) fn served(&self) -> Option<usize> {
        let tasks = self.process.as_ref().map(|process| process.stepped.tasks());
        let tasks = tasks.unwrap_or_default();
        let served = tasks.iter().all(|task| task.phase == TaskPhase::Running);
        served.then_some(tasks.len())
    }

    fn count_faults(&self, world: &World) {
        let Some(process) = &self.process else { return };
        for (call, fault) in process.log.take_fired() {
            world.count(format!("{fault} at {call:?}"));
            world
                .judge
                .lock()
                .note(|| format!("  i{} {fault} at {call:?}", self.index));
        }
    }

    /// The application has stopped by itself. A disk that does not take a write is a reason to;
    /// nothing else is.
    fn stopped(&mut self, world: &World, reason: &str) {
        world
            .judge
            .lock()
            .note(|| format!("  i{} stops: {reason}", self.index));
        if reason.contains("a write") {
            world.count("stopped by its disk");
        } else {
            let text = format!("i{} stopped: {reason}", self.index);
            world.judge.lock().find(Violation::new("L1", text));
        }
        self.crash(world);
    }

    pub(super) fn crash(&mut self, world: &World) {
        if let Some(process) = &self.process {
            process.log.crash();
            self.gone(world);
        }
    }

    /// The process is gone, and leaves a disk.
    fn gone(&mut self, world: &World) {
        self.process = None;
        self.frozen = false;
        world.count("instances crashed");
        world.judge.lock().crashed(self.index, &self.disk);
    }

    pub(super) fn sync(&mut self) {
        self.safe = self.disk.copy();
    }

    pub(super) fn cut_power(&mut self, world: &World) {
        if self.process.is_some() {
            self.crash(world);
            self.disk = self.safe.copy();
            world.count("power cuts");
        }
    }

    pub(super) fn wipe(&mut self, world: &World) {
        if self.process.is_none() {
            self.disk = MemoryDatabase::new();
            self.safe = MemoryDatabase::new();
            world.count("disks lost");
        }
    }

    pub(super) fn close(&mut self, world: &World) {
        if self.frozen {
            return;
        }
        if let Some(process) = self.process.take() {
            let log = process.log;
            let closed = process.stepped.close();
            if !closed || log.is_crashed() {
                self.gone(world);
            }
            world.count("instances closed");
        }
    }

    /// A frozen process has no heartbeats, and is not stepped.
    pub(super) fn freeze(&mut self, frozen: bool) {
        if self.process.is_some() {
            self.frozen = frozen;
            self.cut(frozen);
        }
    }

    pub(super) fn cut(&mut self, cut: bool) {
        if let Some(process) = &self.process {
            process.log.cut(cut);
        }
    }

    pub(super) fn arm(&self, armed: Armed) {
        if let Some(process) = &self.process {
            process.log.arm(armed);
        }
    }

    /// Nothing goes wrong any more.
    pub(super) fn mend(&mut self) {
        self.freeze(false);
        if let Some(process) = &self.process {
            process.log.disarm();
        }
    }
}
