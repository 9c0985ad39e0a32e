//! The C calls that the Rust wrapper lacks or makes unusable; the one file with `unsafe`.
//!
//! `commit_transaction` of the wrapper flushes in steps of 100 ms first, so that no commit with an
//! outstanding message is faster than that. Its `send` looks the topic up by name and copies names
//! once more, for every record. Topic ids have no wrapper at all.
#![expect(
    unsafe_code,
    reason = "C calls of librdkafka that its Rust wrapper does not offer"
)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::error::{IsError as _, KafkaError};
use rdkafka::types::RDKafka;

use crate::log::{LogError, Outgoing};
use crate::record::Header;

/// An error of a transactional call, copied out of librdkafka.
#[derive(Debug, Clone)]
pub(super) struct NativeError {
    /// librdkafka's name of the code, such as `_FENCED`.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
}

/// Commits the open transaction of a producer.
///
/// `producer` must be the native pointer of a live producer; the callers borrow the producer for
/// the length of the call.
pub(super) fn commit_transaction(
    producer: *mut RDKafka,
    timeout: Duration,
) -> Result<(), NativeError> {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the pointer is that of a live producer (above); the call is thread-safe.
    let error = unsafe { c::rd_kafka_commit_transaction(producer, timeout_ms) };
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a non-null error is valid until it is destroyed, which happens once, below; its
    // strings live as long as it does and are copied before.
    unsafe {
        let copied = NativeError {
            name: text(c::rd_kafka_error_name(error)),
            text: text(c::rd_kafka_error_string(error)),
        };
        c::rd_kafka_error_destroy(error);
        Err(copied)
    }
}

/// Sends what is queued at once, whatever the producer lingers for, and waits until all of it is
/// acknowledged or the time is out.
///
/// `producer` must be the native pointer of a live producer whose delivery reports are served by
/// another thread; the callers borrow the producer for the length of the call.
pub(super) fn flush(producer: *mut RDKafka, timeout: Duration) {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the pointer is that of a live producer (above); the call is thread-safe. Its error
    // says only that the time was too short, which whoever counts the acknowledgements knows.
    let _ = unsafe { c::rd_kafka_flush(producer, timeout_ms) };
}

/// Handles of the topics that a producer writes to, so that no record looks for its topic.
///
/// They must be dropped before their producer is: it waits for them.
#[derive(Default)]
pub(super) struct Topics {
    handles: Vec<(Box<str>, *mut c::rd_kafka_topic_t)>,
}

// SAFETY: librdkafka's topic handles are counted references to locked objects of its own; every
// call on them may come from any thread.
unsafe impl Send for Topics {}

impl Topics {
    /// Whether records to this topic need no look-up.
    pub(super) fn know(&self, topic: &str) -> bool {
        self.handle(topic).is_some()
    }

    /// Remembers a topic that a record was just sent to by its name.
    ///
    /// `producer` must be the native pointer of the live producer that this belongs to.
    pub(super) fn learn(&mut self, producer: *mut RDKafka, topic: &str) {
        let Ok(name) = CString::new(topic) else {
            return;
        };
        // SAFETY: the producer is alive (above); the name ends with a zero byte, outlives the call
        // and is copied by it. Without a configuration none is given away.
        let handle =
            unsafe { c::rd_kafka_topic_new(producer, name.as_ptr(), std::ptr::null_mut()) };
        if !handle.is_null() {
            self.handles.push((topic.into(), handle));
        }
    }

    /// Queues a record to a topic that is known; librdkafka copies all of it.
    ///
    /// `producer` must be the native pointer of the live producer that this belongs to.
    pub(super) fn produce(
        &self,
        producer: *mut RDKafka,
        record: &Outgoing<'_>,
        opaque: usize,
    ) -> Result<(), KafkaError> {
        let Some(topic) = self.handle(record.topic) else {
            let unknown = c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
            return Err(KafkaError::MessageProduction(unknown.into()));
        };
        let (key, key_length) = parts(record.key);
        let (value, value_length) = parts(record.value);
        let headers = headers(record.headers);
        // SAFETY: producer and topic are alive; the list is of pairs as librdkafka's header wants
        // them, with integers of the same width and pointers with their lengths, and ends with END.
        // Key and value live until the call returns, which copies them because of `F_COPY`.
        let error = unsafe {
            c::rd_kafka_producev(
                producer,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                record.partition,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                c::RD_KAFKA_MSG_F_COPY,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                opaque as *mut c_void,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers,
                c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        if !error.is_error() {
            return Ok(());
        }
        if !headers.is_null() {
            // SAFETY: only a record that was taken owns its headers; these are still ours.
            unsafe { c::rd_kafka_headers_destroy(headers) };
        }
        Err(KafkaError::MessageProduction(error.into()))
    }

    fn handle(&self, topic: &str) -> Option<*mut c::rd_kafka_topic_t> {
        let known = self.handles.iter().find(|(name, _)| **name == *topic);
        known.map(|(_, handle)| *handle)
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        for (_, handle) in self.handles.drain(..) {
            // SAFETY: each handle was made once, by `learn`, and is given back once, here.
            unsafe { c::rd_kafka_topic_destroy(handle) };
        }
    }
}

/// Pointer and length of bytes; null where there are none.
fn parts(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((std::ptr::null(), 0), |bytes| {
        (bytes.as_ptr().cast(), bytes.len())
    })
}

/// Headers in librdkafka's form, which copies them; null where there are none.
fn headers(headers: &[Header<'_>]) -> *mut c::rd_kafka_headers_t {
    if headers.is_empty() {
        return std::ptr::null_mut();
    }
    // SAFETY: names and values come with their lengths, live during the call and are copied. No
    // slice is longer than `isize::MAX`, so the lengths keep their sign; a list that was just made
    // is not read-only, which is the only error there is.
    unsafe {
        let list = c::rd_kafka_headers_new(headers.len());
        for Header { name, value } in headers {
            c::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len().cast_signed(),
                value.as_ptr().cast(),
                value.len().cast_signed(),
            );
        }
        list
    }
}

/// The ids of existing topics, by name; topics that do not exist are left out.
///
/// `client` must be the native pointer of a live client.
pub(super) fn topic_ids(
    client: *mut RDKafka,
    names: &[String],
    timeout: Duration,
) -> Result<BTreeMap<String, String>, LogError> {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let owned = names
        .iter()
        .map(|name| CString::new(name.as_str()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| LogError::Refused(format!("a topic name holds a zero byte: {error}")))?;
    let mut pointers: Vec<*const c_char> = owned.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: every object made here is destroyed once, after its last use; `pointers` and the
    // strings behind it outlive the call that copies them; a null event means the time ran out.
    unsafe {
        let topics =
            c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let queue = c::rd_kafka_queue_new(client);
        c::rd_kafka_DescribeTopics(client, topics, std::ptr::null(), queue);
        let event = c::rd_kafka_queue_poll(queue, timeout_ms);
        let ids = described(event);
        if !event.is_null() {
            c::rd_kafka_event_destroy(event);
        }
        c::rd_kafka_queue_destroy(queue);
        c::rd_kafka_TopicCollection_destroy(topics);
        ids
    }
}

/// Reads the ids out of the answer to `DescribeTopics`.
///
/// # Safety
/// `event` is null or an event of that kind which is destroyed only after this returns.
unsafe fn described(event: *mut c::rd_kafka_event_t) -> Result<BTreeMap<String, String>, LogError> {
    if event.is_null() {
        return Err(LogError::Unavailable(
            "describing topics timed out".to_owned(),
        ));
    }
    let mut ids = BTreeMap::new();
    // SAFETY: the result, the descriptions and their strings belong to the event, which is alive.
    unsafe {
        if c::rd_kafka_event_error(event) != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(LogError::Unavailable(text(c::rd_kafka_event_error_string(
                event,
            ))));
        }
        let result = c::rd_kafka_event_DescribeTopics_result(event);
        let mut count = 0;
        let list = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        for index in 0..count {
            let topic = *list.add(index);
            let missing = c::rd_kafka_TopicDescription_error(topic);
            if c::rd_kafka_error_code(missing) != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                continue;
            }
            let id = c::rd_kafka_TopicDescription_topic_id(topic);
            ids.insert(
                text(c::rd_kafka_TopicDescription_name(topic)),
                text(c::rd_kafka_Uuid_base64str(id)),
            );
        }
    }
    Ok(ids)
}

/// Copies a C string; null gives an empty one.
///
/// # Safety
/// `pointer` is null or points to a string that ends with a zero byte and lives during the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by the contract above.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}
