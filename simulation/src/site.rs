//! What every instance of a run has in common: topology, configuration, names of topics.

use std::path::PathBuf;
use std::sync::Arc;

use stagedoor_processors::BuildError;
use stagedoor_processors::concert::{CATALOGUE, COMMANDS, EVENTS, RESULTS};
use stagedoor_topology::{Clock, Secret, StreamsConfig, Topology};

use crate::script::Size;

/// Largest record that may be forwarded: small, so that some are too large.
pub(crate) const MAX_RECORD_BYTES: usize = 12_000;

/// The application of a run.
pub(crate) struct Site {
    pub(crate) topology: Topology,
    pub(crate) config: StreamsConfig,
    /// The command topic.
    pub(crate) commands: String,
    /// The topics that tasks write to, by their names without prefix.
    pub(crate) outputs: Vec<(&'static str, String)>,
}

impl Site {
    /// An application of a size, on a clock.
    pub(crate) fn new(size: Size, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        // Others than those of commands, where that is possible.
        let events = (size.partitions + 1) / 2;
        let naming = stagedoor_processors::naming("sim", "", size.partitions, Some(events));
        let secret = Secret::new(*b"of the simulation");
        let mut config = StreamsConfig::new(naming, PathBuf::new(), String::new(), secret);
        config.clock = clock;
        config.stream_threads = size.threads;
        config.max_batch_records = size.batch;
        config.max_record_bytes = MAX_RECORD_BYTES;
        let naming = &config.naming;
        let sinks = [RESULTS, EVENTS, CATALOGUE];
        let mut outputs: Vec<(&'static str, String)> = sinks
            .iter()
            .map(|sink| (sink.topic, naming.topic(sink.topic)))
            .collect();
        outputs.push(("dlq", naming.dead_letters()));
        Ok(Self {
            topology: stagedoor_processors::topology()?,
            commands: naming.topic(COMMANDS.topic),
            outputs,
            config,
        })
    }

    /// The configuration of one instance.
    pub(crate) fn config_of(&self, instance: usize) -> StreamsConfig {
        StreamsConfig {
            instance_id: format!("i{instance}"),
            ..self.config.clone()
        }
    }
}
