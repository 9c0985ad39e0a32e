//! librdkafka's messages as records, without copying them.

use rdkafka::message::Message;

use crate::record::{Headers, NoHeaders, Record};

struct KafkaHeaders<'a, H>(&'a H);

impl<H: rdkafka::message::Headers> Headers for KafkaHeaders<'_, H> {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for header in self.0.iter() {
            visit(header.key, header.value.unwrap_or_default());
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        let found = (0..self.0.count()).rev().map(|index| self.0.get(index));
        found
            .into_iter()
            .find(|header| header.key == name)
            .and_then(|header| header.value)
    }
}

/// Calls `visit` with the message as a record.
pub(super) fn with_record<M, R>(message: &M, visit: &mut dyn FnMut(&Record<'_>) -> R) -> R
where
    M: Message,
{
    let make = |headers: &dyn Headers, visit: &mut dyn FnMut(&Record<'_>) -> R| {
        visit(&Record {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            key: message.key(),
            value: message.payload(),
            headers,
        })
    };
    match message.headers() {
        Some(headers) => make(&KafkaHeaders(headers), visit),
        None => make(&NoHeaders, visit),
    }
}
