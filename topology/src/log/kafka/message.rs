//! librdkafka's messages as records, without copying them.

use super::native::Message;
use crate::record::{Headers, Record};

impl Headers for Message {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        let headers = (0..).map_while(|index| self.header(index));
        headers.for_each(|(name, value)| visit(name, value));
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        let headers = (0..).map_while(|index| self.header(index));
        let named = headers.filter(|header| header.0 == name);
        named.last().map(|(_, value)| value)
    }
}

impl Message {
    /// The message as a record.
    pub(super) fn record(&self) -> Record<'_> {
        Record {
            topic: self.topic(),
            partition: self.partition(),
            offset: self.offset(),
            timestamp_ms: self.timestamp_ms().unwrap_or(0),
            key: self.key(),
            value: self.value(),
            headers: self,
        }
    }
}
