//! The topology: sub-topologies, global tables, and the description Kafka Streams would print.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use stagedoor_state::{StoreKind, StoreSet};

use crate::processor::Processor;
use crate::record::Sink;

/// A named input of a sub-topology. A task reads exactly one partition of one topic, because two
/// inputs would interleave differently on replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Node name.
    pub name: &'static str,
    /// Topic without the prefix.
    pub topic: &'static str,
}

/// One processor with its source, stores and sinks; one task per partition of the source.
#[derive(Clone)]
pub struct SubTopology {
    /// Name, which is also part of the changelogs' names.
    pub name: &'static str,
    /// The one input.
    pub source: Source,
    /// Name of the processor node.
    pub processor_name: &'static str,
    /// Makes the processor of a task.
    pub processor: fn() -> Box<dyn Processor>,
    /// The stores of a task.
    pub stores: Arc<StoreSet>,
    /// Id of the entry index whose keys start with a deadline, if the processor has timers.
    pub timers: Option<u8>,
    /// Where the processor may forward to.
    pub sinks: Vec<Sink>,
}

/// A topic that every instance reads whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalTable {
    /// Name of the table, and of its store in the description.
    pub name: &'static str,
    /// Topic without the prefix.
    pub topic: &'static str,
}

/// A checked topology. Its names are stable, because stores and topics are found by them.
#[derive(Clone)]
pub struct Topology {
    sub_topologies: Vec<SubTopology>,
    global_tables: Vec<GlobalTable>,
}

/// Why a topology is not one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TopologyError {
    /// Two nodes share a name.
    #[error("the node name {name:?} is used twice; give every source, processor and sink its own")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// Two sub-topologies read one topic: a record has exactly one deciding task.
    #[error("the topic {topic:?} is the source of two sub-topologies; a topic has one reader")]
    DuplicateSource {
        /// The topic.
        topic: String,
    },
    /// A name that cannot be part of a topic name.
    #[error("the name {name:?} is not lower case letters, digits and dashes")]
    BadName {
        /// The name.
        name: String,
    },
}

/// Collects the parts of a [`Topology`].
#[derive(Clone, Default)]
pub struct TopologyBuilder {
    sub_topologies: Vec<SubTopology>,
    global_tables: Vec<GlobalTable>,
}

impl TopologyBuilder {
    /// An empty topology.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sub-topology.
    #[must_use]
    pub fn sub_topology(mut self, sub_topology: SubTopology) -> Self {
        self.sub_topologies.push(sub_topology);
        self
    }

    /// Adds a global table.
    #[must_use]
    pub fn global_table(mut self, table: GlobalTable) -> Self {
        self.global_tables.push(table);
        self
    }

    /// Checks names and sources.
    ///
    /// # Errors
    /// [`TopologyError`] names the first clash.
    pub fn build(self) -> Result<Topology, TopologyError> {
        let mut names = BTreeSet::new();
        let mut sources = BTreeSet::new();
        for sub_topology in &self.sub_topologies {
            check_name(sub_topology.name)?;
            for name in node_names(sub_topology) {
                if !names.insert(name) {
                    return Err(TopologyError::DuplicateName {
                        name: name.to_owned(),
                    });
                }
            }
            if !sources.insert(sub_topology.source.topic) {
                let topic = sub_topology.source.topic.to_owned();
                return Err(TopologyError::DuplicateSource { topic });
            }
        }
        for table in &self.global_tables {
            check_name(table.name)?;
        }
        Ok(Topology {
            sub_topologies: self.sub_topologies,
            global_tables: self.global_tables,
        })
    }
}

fn node_names(sub_topology: &SubTopology) -> impl Iterator<Item = &'static str> {
    [sub_topology.source.name, sub_topology.processor_name]
        .into_iter()
        .chain(sub_topology.sinks.iter().map(|sink| sink.name))
}

fn check_name(name: &str) -> Result<(), TopologyError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.bytes().all(fits) {
        return Ok(());
    }
    Err(TopologyError::BadName {
        name: name.to_owned(),
    })
}

impl Topology {
    /// The sub-topologies in order; a task id is (index here, partition).
    #[must_use]
    pub fn sub_topologies(&self) -> &[SubTopology] {
        &self.sub_topologies
    }

    /// The global tables.
    #[must_use]
    pub fn global_tables(&self) -> &[GlobalTable] {
        &self.global_tables
    }

    /// A description in the format of Kafka Streams' `Topology#describe()`, topics with `prefix`.
    #[must_use]
    pub fn describe(&self, prefix: &str) -> Description<'_> {
        Description {
            topology: self,
            prefix: prefix.to_owned(),
        }
    }
}

impl SubTopology {
    /// Fingerprint of what the stored state depends on: the source and every store with its id,
    /// name and kind. A task refuses to open a store that was written under another one.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.name);
        hash.update([0]);
        hash.update(self.source.topic);
        for (id, name, kind) in self.stores.list() {
            hash.update([0, id]);
            hash.update(name);
            hash.update([0]);
            hash.update(kind.word());
        }
        hash.finalize()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Displays a topology as Kafka Streams does.
pub struct Description<'a> {
    topology: &'a Topology,
    prefix: String,
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topologies:\n ")?;
        for (index, sub_topology) in self.topology.sub_topologies.iter().enumerate() {
            writeln!(f, "  Sub-topology: {index}")?;
            self.sub_topology(f, sub_topology)?;
        }
        let first_global = self.topology.sub_topologies.len();
        for (index, table) in self.topology.global_tables.iter().enumerate() {
            let id = first_global + index;
            writeln!(
                f,
                "  Sub-topology: {id} for global store (will not generate tasks)"
            )?;
            self.global_table(f, table)?;
        }
        Ok(())
    }
}

impl Description<'_> {
    fn sub_topology(&self, f: &mut fmt::Formatter<'_>, part: &SubTopology) -> fmt::Result {
        let (source, processor) = (part.source, part.processor_name);
        let mut sinks: Vec<Sink> = part.sinks.clone();
        sinks.sort_by_key(|sink| sink.name);
        let is_store = |kind: StoreKind| matches!(kind, StoreKind::Store(_));
        let stores = part.stores.list().filter(|(_, _, kind)| is_store(*kind));
        let stores: BTreeSet<&str> = stores.map(|(_, name, _)| name).collect();
        writeln!(
            f,
            "    Source: {} (topics: [{}{}])",
            source.name, self.prefix, source.topic
        )?;
        writeln!(f, "      --> {processor}")?;
        writeln!(f, "    Processor: {processor} (stores: [{}])", join(stores))?;
        writeln!(f, "      --> {}", join(sinks.iter().map(|sink| sink.name)))?;
        writeln!(f, "      <-- {}", source.name)?;
        for sink in &sinks {
            writeln!(
                f,
                "    Sink: {} (topic: {}{})",
                sink.name, self.prefix, sink.topic
            )?;
            writeln!(f, "      <-- {processor}")?;
        }
        writeln!(f)
    }

    fn global_table(&self, f: &mut fmt::Formatter<'_>, table: &GlobalTable) -> fmt::Result {
        let name = table.name;
        writeln!(
            f,
            "    Source: {name}-source (topics: [{}{}])",
            self.prefix, table.topic
        )?;
        writeln!(f, "      --> {name}-table")?;
        writeln!(f, "    Processor: {name}-table (stores: [{name}])")?;
        writeln!(f, "      --> none")?;
        writeln!(f, "      <-- {name}-source")
    }
}

/// Names joined as Kafka Streams joins them; nothing is `none`.
fn join<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let joined = names.into_iter().collect::<Vec<_>>().join(", ");
    if joined.is_empty() {
        "none".to_owned()
    } else {
        joined
    }
}

#[cfg(test)]
mod tests {
    use stagedoor_state::{Store, StoreSet};

    use super::*;
    use crate::error::{Failure, TaskError};
    use crate::instances::Instance;
    use crate::processor::Context;
    use crate::record::Record;

    struct Nothing;

    impl Processor for Nothing {
        fn process(&mut self, _: &Record<'_>, _: &mut Context<'_>) -> Result<(), TaskError> {
            Ok(())
        }

        fn fire(&mut self, _: &[u8], _: &mut Context<'_>) -> Result<(), TaskError> {
            Ok(())
        }

        fn answer_failure(
            &mut self,
            _: &Record<'_>,
            _: &Failure,
            _: &mut Context<'_>,
        ) -> Result<(), TaskError> {
            Ok(())
        }
    }

    fn part(name: &'static str, topic: &'static str) -> SubTopology {
        let seats: Store<String, Instance> = Store::new(1, "seats");
        let concerts: Store<String, Instance> = Store::new(2, "concerts");
        let stores = StoreSet::builder().store(&seats).store(&concerts).build();
        let sink = |name, topic| Sink { name, topic };
        SubTopology {
            name,
            source: Source {
                name: "concert-commands",
                topic,
            },
            processor_name: name,
            processor: || Box::new(Nothing),
            stores: Arc::new(stores.expect("a store set")),
            timers: None,
            sinks: vec![
                sink("results", "results"),
                sink("reservation-events", "reservation.events"),
                sink("catalogue-entries", "catalogue"),
            ],
        }
    }

    /// Printed by `Topology#describe()` of Kafka Streams 4.1.0 for the same nodes.
    const KAFKA_STREAMS: &str = "Topologies:
   Sub-topology: 0
    Source: concert-commands (topics: [stagedoor.concert.commands])
      --> concert
    Processor: concert (stores: [concerts, seats])
      --> catalogue-entries, reservation-events, results
      <-- concert-commands
    Sink: catalogue-entries (topic: stagedoor.catalogue)
      <-- concert
    Sink: reservation-events (topic: stagedoor.reservation.events)
      <-- concert
    Sink: results (topic: stagedoor.results)
      <-- concert

  Sub-topology: 1 for global store (will not generate tasks)
    Source: catalogue-source (topics: [stagedoor.catalogue])
      --> catalogue-table
    Processor: catalogue-table (stores: [catalogue])
      --> none
      <-- catalogue-source
";

    #[test]
    fn a_description_is_what_kafka_streams_prints() {
        let topology = TopologyBuilder::new()
            .sub_topology(part("concert", "concert.commands"))
            .global_table(GlobalTable {
                name: "catalogue",
                topic: "catalogue",
            })
            .build()
            .expect("a topology");
        assert_eq!(topology.describe("stagedoor.").to_string(), KAFKA_STREAMS);
    }

    #[test]
    fn names_and_sources_that_clash_are_refused() {
        let twice = |one, other| {
            TopologyBuilder::new()
                .sub_topology(one)
                .sub_topology(other)
                .build()
                .err()
        };
        let name = "concert-commands".to_owned();
        let same_names = twice(part("concert", "one"), part("other", "two"));
        assert_eq!(same_names, Some(TopologyError::DuplicateName { name }));
        let bad = TopologyBuilder::new()
            .sub_topology(part("Not_Good", "one"))
            .build()
            .err();
        assert_eq!(
            bad,
            Some(TopologyError::BadName {
                name: "Not_Good".to_owned()
            })
        );
    }

    #[test]
    fn a_fingerprint_changes_with_the_stores_and_the_source() {
        let one = part("concert", "one").fingerprint();
        assert_eq!(one, part("concert", "one").fingerprint());
        assert_ne!(one, part("concert", "two").fingerprint());
    }
}
