//! The world of a run: brokers, instances, a clock; and what each step of a script does to it.
//!
//! Everything runs on one thread. Where a process stands still inside of a call, the others go on
//! inside of that call, and it goes on after them.

mod instance;
mod rest;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use stagedoor_state::MemoryDatabase;
use stagedoor_topology::log::simulated::{Armed, ClusterConfig, SimulatedCluster};
use stagedoor_topology::log::{LogError, Outgoing};
use stagedoor_topology::{Clock as _, Header, VirtualClock, partition_for};

use crate::judge::{Judge, Violation};
use crate::script::{Arm, Command, Size, Step};
use crate::site::Site;
use crate::workload::START_MS;
use instance::Instance;

/// Cycles of every other thread while a process stands still for a second.
const MEANWHILE_CYCLES: u32 = 12;

/// Everything there is.
pub(crate) struct World {
    pub(crate) cluster: SimulatedCluster,
    clock: Arc<VirtualClock>,
    pub(crate) site: Arc<Site>,
    instances: Vec<Mutex<Instance>>,
    pub(crate) judge: Arc<Mutex<Judge>>,
    counters: Mutex<BTreeMap<String, u64>>,
    /// For what goes on while a process stands still inside of a call.
    me: Weak<World>,
}

impl World {
    /// A world in which nothing runs yet.
    ///
    /// # Errors
    /// A topology that cannot be built.
    pub(crate) fn new(size: Size, trace: bool) -> Result<Arc<Self>, Violation> {
        let clock = Arc::new(VirtualClock::new(START_MS));
        let cluster = SimulatedCluster::new(Arc::clone(&clock), ClusterConfig::default());
        let site = Site::new(size, Arc::clone(&clock) as Arc<_>);
        let site = site.map_err(|error| Violation::new("L1", error.to_string()))?;
        let site = Arc::new(site);
        let judge = Judge::new(cluster.clone(), &site, trace);
        let instances = (0..size.instances).map(|index| Mutex::new(Instance::new(index)));
        Ok(Arc::new_cyclic(|me| Self {
            cluster,
            clock,
            instances: instances.collect(),
            judge: Arc::new(Mutex::new(judge)),
            site,
            counters: Mutex::default(),
            me: Weak::clone(me),
        }))
    }

    /// Does one step. What makes no sense at the moment does nothing, so that steps can be left
    /// out of a script.
    pub(crate) fn play(&self, step: &Step) {
        self.judge
            .lock()
            .note(|| format!("{} {step}", self.clock.now().as_millis()));
        match step {
            Step::Send(command) => self.send(command),
            Step::Wait(ms) => self.wait(u64::try_from(*ms).unwrap_or(0)),
            Step::Turn {
                instance,
                thread,
                most,
            } => self.turn(*instance, *thread, *most),
            Step::Crash(instance) => self.with(*instance, |world, instance| instance.crash(world)),
            Step::Sync(instance) => self.with(*instance, |_, instance| instance.sync()),
            Step::PowerCut(instance) => {
                self.with(*instance, |world, instance| instance.cut_power(world));
            }
            Step::Wipe(instance) => self.with(*instance, |world, instance| instance.wipe(world)),
            Step::Start(instance) => self.with(*instance, |world, instance| instance.start(world)),
            Step::Close(instance) => self.with(*instance, |world, instance| instance.close(world)),
            Step::Freeze(instance) => self.with(*instance, |_, instance| instance.freeze(true)),
            Step::Thaw(instance) => self.with(*instance, |_, instance| instance.freeze(false)),
            Step::Cut(instance) => self.with(*instance, |_, instance| instance.cut(true)),
            Step::Heal(instance) => self.with(*instance, |_, instance| instance.cut(false)),
            Step::DeliverLate => {
                self.cluster.deliver_late();
            }
            Step::Compact => self.compact(),
            Step::ForgetOffsets => self.forget_offsets(),
            Step::Arm(arm) => self.arm(arm),
        }
    }

    fn with(&self, index: usize, act: impl FnOnce(&Self, &mut Instance)) {
        if let Some(mut instance) = self.instances.get(index).and_then(|one| one.try_lock()) {
            act(self, &mut instance);
        }
    }

    /// Counts something that a campaign wants to have seen.
    fn count(&self, what: impl Into<String>) {
        *self.counters.lock().entry(what.into()).or_default() += 1;
    }

    /// What happened so far, by name.
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        let mut all = self.counters.lock().clone();
        let cluster = self.cluster.counters();
        all.extend(
            cluster
                .into_iter()
                .map(|(name, count)| (name.to_owned(), count)),
        );
        let judge = self.judge.lock();
        all.extend(judge.answers());
        let looked_at = judge.looked_at.iter();
        all.extend(looked_at.map(|(name, count)| (format!("looked at {name}"), *count)));
        all
    }

    fn send(&self, command: &Command) {
        let text = |number: i64| number.to_string().into_bytes();
        let until = command
            .patience_ms
            .map(|ms| text(self.clock.wall_ms() + ms));
        let reply_to = command.reply_to.map(|partition| text(i64::from(partition)));
        let headers: Vec<Header<'_>> = [("valid-until", &until), ("reply-to", &reply_to)]
            .into_iter()
            .filter_map(|(name, value)| {
                Some(Header {
                    name,
                    value: value.as_ref()?,
                })
            })
            .collect();
        let (key, value) = command.bytes();
        let partitions = self.site.config.naming.partitions;
        let appended = self.cluster.append(Outgoing {
            topic: &self.site.commands,
            partition: partition_for(key.as_deref().unwrap_or(b"no key"), partitions),
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &headers,
        });
        match appended {
            Ok(_) => self.count("records sent"),
            // Before the first instance has made the topics nobody can send anything.
            Err(LogError::Refused(_)) => self.count("records sent too early"),
            Err(error) => self
                .judge
                .lock()
                .find(Violation::new("L1", error.to_string())),
        }
    }

    /// Time passes for everybody.
    fn wait(&self, ms: u64) {
        self.clock.advance(ms);
        self.cluster.tick();
        self.judge.lock().nothing_taken_back();
    }

    fn turn(&self, index: usize, thread: usize, most: u32) {
        for _ in 0..most {
            let Some(mut instance) = self.instances.get(index).and_then(|one| one.try_lock())
            else {
                return;
            };
            if !instance.step(self, thread) {
                return;
            }
        }
    }

    /// A process stands still inside of a call, and the others go on.
    fn meanwhile(&self, standing: usize, ms: u32) {
        self.count("processes that stood still inside of a call");
        let pieces = (ms / 1_000).max(1);
        for _ in 0..pieces {
            self.clock.advance(u64::from(ms / pieces));
            self.cluster.tick();
            for index in (0..self.instances.len()).filter(|index| *index != standing) {
                for thread in 0..self.site.config.stream_threads {
                    self.turn(index, thread, MEANWHILE_CYCLES);
                }
            }
        }
        self.cluster.deliver_late();
    }

    fn arm(&self, arm: &Arm) {
        let world = Weak::clone(&self.me);
        let standing = arm.instance;
        self.with(arm.instance, |_, instance| {
            let connection = instance.connection();
            let fault = arm.harm.fault(move |ms| {
                let (Some(world), Some(connection)) = (world.upgrade(), connection) else {
                    return;
                };
                connection.cut(true);
                world.meanwhile(standing, ms);
                connection.cut(false);
            });
            instance.arm(Armed {
                call: Some(arm.call),
                skip: arm.skip,
                fault,
            });
        });
    }

    fn compact(&self) {
        let naming = &self.site.config.naming;
        let changelogs = [
            naming.changelog("concert"),
            naming.window_changelog("concert"),
        ];
        let before_ms = self.clock.wall_ms() - 24 * 3_600 * 1_000;
        for topic in &changelogs {
            for partition in 0..naming.partitions {
                self.cluster.compact(topic, partition, before_ms);
            }
        }
        self.count("compactions");
    }

    /// Offsets expire only while nobody is in the group.
    fn forget_offsets(&self) {
        let nobody = |one: &Mutex<Instance>| one.try_lock().is_some_and(|one| !one.is_running());
        if self.instances.iter().all(nobody) {
            self.cluster.tick();
            self.judge.lock().nothing_taken_back();
            self.cluster.forget_offsets();
            self.count("committed offsets forgotten");
        }
    }

    /// The disk of the last owner of each partition.
    pub(crate) fn disks_of_owners(&self) -> Vec<MemoryDatabase> {
        let owners = self.judge.lock().last_owners();
        let disk = |owner: usize| self.instances.get(owner).map(|one| one.lock().disk.clone());
        owners
            .into_iter()
            .map(|owner| disk(owner).unwrap_or_default())
            .collect()
    }
}
