//! The second half of every run: faults end, everything converges within a bound, and is closed.

use stagedoor_topology::log::{Isolation, Outgoing};

use super::World;
use crate::judge::Violation;

/// How long a run may take to converge, in rounds of [`ROUND_MS`].
const ROUNDS: u32 = 400;
const ROUND_MS: u64 = 250;

/// Cycles of each thread in a round.
const CYCLES: u32 = 16;

impl World {
    /// Faults end: everybody runs, is connected, and nothing is armed any more.
    pub(crate) fn heal(&self) {
        self.cluster.deliver_late();
        for instance in &self.instances {
            let mut instance = instance.lock();
            instance.mend();
            instance.start(self);
        }
        self.judge.lock().note(|| "everything is mended".to_owned());
    }

    /// One record more in every partition: only who owns it now can decide it.
    pub(crate) fn probe(&self) {
        for partition in 0..self.site.config.naming.partitions {
            let probe = Outgoing {
                topic: &self.site.commands,
                partition,
                key: None,
                value: Some(b"probe"),
                headers: &[],
            };
            if let Err(error) = self.cluster.append(probe) {
                let violation = Violation::new("L1", error.to_string());
                self.judge.lock().find(violation);
            }
        }
    }

    /// Lets everybody work until every command is decided and no transaction is open.
    pub(crate) fn converge(&self) {
        for _ in 0..ROUNDS {
            self.wait(ROUND_MS);
            for index in 0..self.instances.len() {
                for thread in 0..self.site.config.stream_threads {
                    self.turn(index, thread, CYCLES);
                }
            }
            if self.judge.lock().violation.is_some() {
                return;
            }
            let decided = self.judge.lock().is_all_decided();
            if decided && self.open_transaction().is_none() {
                return;
            }
        }
        let open = self.open_transaction();
        let mut judge = self.judge.lock();
        let standing = judge.standing();
        let violation = match open {
            Some(topic) => Violation::new(
                "L2",
                format!("a transaction is open in {topic}; {standing}"),
            ),
            None => Violation::new("L1", format!("not everything was decided: {standing}")),
        };
        judge.find(violation);
    }

    /// A partition of an output in which a transaction is open.
    fn open_transaction(&self) -> Option<String> {
        let naming = &self.site.config.naming;
        let outputs = self.site.outputs.iter().map(|(_, topic)| topic.clone());
        let changelogs = [
            naming.changelog("concert"),
            naming.window_changelog("concert"),
        ];
        let open = |topic: &String| {
            let marks = |partition| self.cluster.watermarks(topic, partition);
            (0..naming.partitions)
                .filter_map(marks)
                .any(|(_, stable, high)| stable < high)
        };
        outputs.chain(changelogs).find(open)
    }

    /// Ends every instance in good order.
    pub(crate) fn close(&self) {
        for instance in &self.instances {
            instance.lock().close(self);
        }
        self.wait(1);
    }

    /// The disks of all instances.
    pub(crate) fn disks(&self) -> Vec<stagedoor_state::MemoryDatabase> {
        self.instances
            .iter()
            .map(|one| one.lock().disk.clone())
            .collect()
    }

    /// Shows every record of every topic, committed or not, as bytes in a fixed order.
    pub(crate) fn each_byte(&self, show: &mut dyn FnMut(&[u8])) {
        let naming = &self.site.config.naming;
        let mut topics = vec![
            self.site.commands.clone(),
            naming.changelog("concert"),
            naming.window_changelog("concert"),
        ];
        topics.extend(self.site.outputs.iter().map(|(_, topic)| topic.clone()));
        for topic in &topics {
            for partition in 0..naming.partitions {
                let records = self
                    .cluster
                    .read(topic, partition, Isolation::ReadUncommitted, 0);
                for record in records {
                    show(topic.as_bytes());
                    show(&record.offset.to_be_bytes());
                    show(&record.timestamp_ms.to_be_bytes());
                    show(record.key.as_deref().unwrap_or_default());
                    show(record.value.as_deref().unwrap_or_default());
                }
            }
        }
    }
}
