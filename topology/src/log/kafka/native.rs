//! The C calls that the Rust wrapper lacks or makes unusable; the one file with `unsafe`.
//!
//! `commit_transaction` of the wrapper flushes in steps of 100 ms first, so that no commit with an
//! outstanding message is faster than that. Topic ids have no wrapper at all.
#![expect(
    unsafe_code,
    reason = "C calls of librdkafka that its Rust wrapper does not offer"
)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::types::RDKafka;

use crate::log::LogError;

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
