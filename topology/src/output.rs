//! A forwarded message on its way into the transaction: topic, partition and stamp are settled.

use std::sync::Arc;

use crate::error::{Failure, TaskError};
use crate::log::{LogError, Outgoing};
use crate::murmur2::partition_for;
use crate::processor::Forwarded;
use crate::record::{Header, Message, Record};
use crate::stamp::{STAMP_HEADER, Stamp};
use crate::wiring::Wiring;

/// Most bytes of a poison value that its dead letter keeps.
const DEAD_LETTER_BYTES: usize = 512 * 1024;

/// Most characters of a reason: a panic may quote what it did not like.
const REASON_CHARS: usize = 4_096;

/// One record of a unit's output.
#[derive(Debug, Clone)]
pub struct Output {
    /// Full topic name.
    pub topic: Arc<str>,
    /// Topic without the prefix, as the sink names it.
    pub sink: &'static str,
    /// Partition.
    pub partition: i32,
    /// Key, value and headers.
    pub message: Message,
    /// Which input made it.
    pub stamp: Stamp,
}

impl Output {
    /// Hands the record with all its headers to `send`.
    pub(crate) fn send(
        &self,
        send: &mut dyn FnMut(Outgoing<'_>) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let stamp = self.stamp.encode();
        let mut headers = Vec::with_capacity(self.message.headers.len() + 1);
        headers.push(Header {
            name: STAMP_HEADER,
            value: &stamp,
        });
        let own = self.message.headers.iter();
        headers.extend(own.map(|(name, value)| Header { name, value }));
        send(Outgoing {
            topic: &self.topic,
            partition: self.partition,
            key: Some(&self.message.key),
            value: self.message.value.as_deref(),
            headers: &headers,
        })
    }
}

/// Settles topic and partition of what a unit forwarded; the stamps follow when all are known.
pub(crate) fn settle(
    wiring: &Wiring,
    forwarded: &mut Vec<Forwarded>,
    outputs: &mut Vec<Output>,
) -> Result<(), TaskError> {
    for forward in forwarded.drain(..) {
        let Some(topic) = wiring.sinks.get(forward.sink.topic) else {
            let name = forward.sink.name;
            let reason = format!("the processor forwards to {name:?}, which is no sink of it");
            return Err(TaskError::Fatal { reason });
        };
        let by_key = || partition_for(&forward.message.key, topic.partitions);
        let valid = |partition: &i32| (0..topic.partitions).contains(partition);
        outputs.push(Output {
            topic: Arc::clone(&topic.name),
            sink: forward.sink.topic,
            partition: forward
                .message
                .partition
                .filter(valid)
                .unwrap_or_else(by_key),
            message: forward.message,
            stamp: Stamp::default(),
        });
    }
    Ok(())
}

/// The dead letter of a record, with the header names of Kafka Streams (KIP-1034).
pub(crate) fn dead_letter(wiring: &Wiring, record: &Record<'_>, failure: &Failure) -> Output {
    let text = |value: String| value.into_bytes();
    let mut headers = vec![
        ("__streams.errors.exception", text(failure.code.to_owned())),
        (
            "__streams.errors.message",
            text(failure.reason.chars().take(REASON_CHARS).collect()),
        ),
        ("__streams.errors.topic", text(record.topic.to_owned())),
        (
            "__streams.errors.partition",
            text(record.partition.to_string()),
        ),
        ("__streams.errors.offset", text(record.offset.to_string())),
    ];
    // Half of what may be sent, so that the letter itself is never poison.
    let limit = DEAD_LETTER_BYTES.min(wiring.max_record_bytes / 2);
    let value = record.value.map(|value| {
        if value.len() > limit {
            headers.push(("__streams.errors.truncated", text(value.len().to_string())));
        }
        value[..value.len().min(limit)].to_vec()
    });
    let key = record.key.unwrap_or_default();
    if key.len() > limit / 2 {
        headers.push((
            "__streams.errors.key.truncated",
            text(key.len().to_string()),
        ));
    }
    let key = key[..key.len().min(limit / 2)].to_vec();
    Output {
        topic: Arc::clone(&wiring.dead_letters.name),
        sink: "dlq",
        partition: record
            .partition
            .rem_euclid(wiring.dead_letters.partitions.max(1)),
        message: Message {
            key,
            value,
            partition: None,
            headers,
        },
        stamp: Stamp::default(),
    }
}
