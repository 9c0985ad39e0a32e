//! What a processor reads (`Record`) and what it forwards (`Message` to a `Sink`).

/// Read access to a record's headers without copying them.
pub trait Headers {
    /// Calls `visit` for each header in order.
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8]));

    /// The last header of that name, as Kafka's own `lastHeader`.
    fn get(&self, name: &str) -> Option<&[u8]>;
}

/// One header of an outgoing or stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Header name.
    pub name: &'a str,
    /// Header bytes.
    pub value: &'a [u8],
}

impl Headers for [Header<'_>] {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for header in self {
            visit(header.name, header.value);
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .rev()
            .find(|header| header.name == name)
            .map(|header| header.value)
    }
}

impl Headers for [(String, Vec<u8>)] {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self {
            visit(name, value);
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .rev()
            .find(|header| header.0 == name)
            .map(|header| header.1.as_slice())
    }
}

impl Headers for Vec<(String, Vec<u8>)> {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.as_slice().each(visit);
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        Headers::get(self.as_slice(), name)
    }
}

/// No headers at all.
#[derive(Debug, Clone, Copy)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn each(&self, _visit: &mut dyn FnMut(&str, &[u8])) {}

    fn get(&self, _name: &str) -> Option<&[u8]> {
        None
    }
}

/// One record of a partition, borrowed from the client's buffers.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Full topic name, prefix included.
    pub topic: &'a str,
    /// Partition it was read from.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Log-append time in milliseconds. Inside a processor it never goes back within a task.
    pub timestamp_ms: i64,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a dyn Headers,
}

impl Record<'_> {
    /// The last header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name)
    }

    /// A header as UTF-8 text; absent and malformed look the same to a reader that ignores both.
    #[must_use]
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A named way out of a sub-topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sink {
    /// Node name, as shown by `describe()`.
    pub name: &'static str,
    /// Topic without the prefix.
    pub topic: &'static str,
}

/// A record that a processor forwards to a sink.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Key bytes.
    pub key: Vec<u8>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The partition, or `None` for Kafka's own murmur2 of the key.
    pub partition: Option<i32>,
    /// Headers besides the stamp, which the runtime adds.
    pub headers: Vec<(&'static str, Vec<u8>)>,
}
