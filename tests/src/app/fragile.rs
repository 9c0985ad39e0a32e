//! A topology of its own whose processor fails on demand: it counts keys, panics on one, dies on another.

use std::sync::Arc;

use stagedoor_state::{Store, StoreSet, TypedRead as _};
use stagedoor_topology::{
    Context, Failure, Message, Processor, Record, Sink, Source, SubTopology, TaskError, Tick,
    Topology, TopologyBuilder,
};

/// A record of this key makes the processor panic after it has written.
pub const PANICS: &str = "panics";
/// A record of this key kills the process.
pub const DIES: &str = "dies";
/// Where answers go.
pub const ANSWERS: Sink = Sink {
    name: "answers",
    topic: "results",
};

/// How many records each key has had; the rows borrow the schema of a record that holds a number.
const COUNTS: Store<String, Tick> = Store::new(1, "counts");

/// The topology.
///
/// # Panics
/// Never: it is one.
#[must_use]
pub fn topology() -> Topology {
    let stores = StoreSet::builder()
        .store(&COUNTS)
        .build()
        .expect("one store");
    let part = SubTopology {
        name: "fragile",
        source: Source {
            name: "fragile-commands",
            topic: "fragile.commands",
        },
        processor_name: "fragile",
        processor: || Box::new(Fragile),
        stores: Arc::new(stores),
        timers: None,
        sinks: vec![ANSWERS],
    };
    TopologyBuilder::new()
        .sub_topology(part)
        .build()
        .expect("a topology")
}

struct Fragile;

impl Processor for Fragile {
    fn process(&mut self, record: &Record<'_>, context: &mut Context<'_>) -> Result<(), TaskError> {
        let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
        let mut row = context.state.get(&COUNTS, &key)?.unwrap_or_default();
        row.observed_lag += 1;
        context.state.put(&COUNTS, &key, &row)?;
        answer(&key, &format!("{key} {}", row.observed_lag), context);
        if key == DIES {
            std::process::abort();
        }
        assert_ne!(key, PANICS, "this key is fragile");
        Ok(())
    }

    fn fire(&mut self, _timer: &[u8], _context: &mut Context<'_>) -> Result<(), TaskError> {
        Ok(())
    }

    fn answer_failure(
        &mut self,
        record: &Record<'_>,
        failure: &Failure,
        context: &mut Context<'_>,
    ) -> Result<(), TaskError> {
        let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
        answer(&key, &format!("{key} failed: {}", failure.code), context);
        Ok(())
    }
}

fn answer(key: &str, text: &str, context: &mut Context<'_>) {
    let value = Some(text.as_bytes().to_vec());
    context.forward(
        ANSWERS,
        Message {
            key: key.into(),
            value,
            ..Message::default()
        },
    );
}
