//! The stream runtime: topology, tasks, commit, takeover, and the log they run on.
//!
//! Reading order: `topology` (what is run), `processor` (what a processor sees), `task` (one
//! record's turn), `commit` (how effects become real), `committer` (who waits for that), `takeover`
//! (how a task changes hands), `stream_thread` (the loop), `streams` (the application), `log` (what
//! it all stands on). To try a topology without brokers: `driver`.

mod board;
mod clock;
mod commit;
mod committer;
mod config;
mod crash_loop;
pub mod driver;
mod error;
mod faults;
mod global_table;
mod instances;
pub mod log;
mod murmur2;
mod output;
mod part;
mod position;
mod processor;
mod rebuild;
mod record;
mod secret;
mod shared;
mod stamp;
mod stream_thread;
mod streams;
mod supervisor;
mod takeover;
mod task;
#[cfg(test)]
mod task_tests;
mod tick;
mod ticker;
mod topics;
mod topology;
mod wiring;

pub use board::{ReadError, TaskPhase, TaskStatus};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use config::StreamsConfig;
pub use error::{Failure, TaskError};
pub use global_table::GlobalTableReader;
pub use instances::Instance;
pub use murmur2::partition_for;
pub use output::Output;
pub use position::{CHECKPOINT_KEY, Checkpoint, POSITION_KEY, Position, snapshot_position};
pub use processor::{Context, Forwarded, Processor};
pub use record::{Header, Headers, Message, NoHeaders, Record, Sink};
pub use secret::{MAC_LENGTH, Secret};
pub use shared::{CommitListener, Committed, NoListener};
pub use stamp::{STAMP_HEADER, STAMP_LENGTH, Stamp};
pub use streams::{INSTANCES_TABLE, RebuildError, StartError, Streams, StreamsState};
pub use tick::Tick;
pub use topics::{SinkPartitions, TopicNaming, check as check_topics, required as required_topics};
pub use topology::{
    Description, GlobalTable, Source, SubTopology, Topology, TopologyBuilder, TopologyError,
};
pub use wiring::TaskId;
