//! What should stand in the topics, and whether it does.

use stagedoor_processors::concert::records::{CommandResult, FieldError, Rejection};
use stagedoor_topology::{Record, partition_for};

use super::{Facts, Sender};

/// Most bytes of a record that its dead letter keeps.
const LETTER_BYTES: usize = 512 * 1024;

/// A topic that tasks write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    Results,
    Events,
    Catalogue,
    DeadLetters,
}

/// One record that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) channel: Channel,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Vec<u8>,
    pub(crate) said: Said,
}

/// What it should say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// These bytes.
    Exactly(Vec<u8>),
    /// A refusal; what it says to people is left to the product.
    Refused(Box<CommandResult>),
    /// The record that failed, with the cause in a header.
    Letter(&'static str, Vec<u8>),
}

/// Why something does not happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    /// Fields that are wrong.
    pub(crate) fields: Vec<String>,
    /// Wanted seats that are taken.
    pub(crate) taken: Vec<String>,
    /// Free seats near them.
    pub(crate) alternatives: Vec<String>,
}

impl Refusal {
    pub(super) fn code(code: &'static str) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    pub(super) fn field(name: &str) -> Self {
        Self::fields(vec![name.to_owned()])
    }

    pub(super) fn fields(fields: Vec<String>) -> Self {
        Self {
            fields,
            ..Self::code("invalid_request")
        }
    }

    /// The answer that says so.
    pub(super) fn to(self, concert: &str, sender: &Sender) -> Box<CommandResult> {
        let error = |field: String| FieldError {
            field,
            detail: String::new(),
        };
        let rejection = Rejection {
            code: self.code.to_owned(),
            taken: self.taken,
            alternatives: self.alternatives,
            errors: self.fields.into_iter().map(error).collect(),
            ..Rejection::default()
        };
        Box::new(CommandResult {
            rejection: Some(rejection),
            ..sender.result(concert)
        })
    }
}

impl Expected {
    pub(super) fn answer(sender: &Sender, said: Said) -> Self {
        Self {
            channel: Channel::Results,
            partition: None,
            key: sender.command_id.clone().into_bytes(),
            said,
        }
    }

    pub(super) fn fact(channel: Channel, key: &str, value: Vec<u8>) -> Self {
        Self {
            channel,
            partition: None,
            key: key.as_bytes().to_vec(),
            said: Said::Exactly(value),
        }
    }

    /// The record itself, of which at most half of what may be written is kept.
    pub(super) fn dead_letter(
        code: &'static str,
        record: &Record<'_>,
        max_record_bytes: usize,
    ) -> Self {
        let kept = |bytes: Option<&[u8]>, most: usize| {
            let bytes = bytes.unwrap_or_default();
            bytes[..bytes.len().min(most)].to_vec()
        };
        let most = (max_record_bytes / 2).min(LETTER_BYTES);
        Self {
            channel: Channel::DeadLetters,
            partition: Some(record.partition),
            key: kept(record.key, most / 2),
            said: Said::Letter(code, kept(record.value, most)),
        }
    }

    /// The partition that its sender listens to, if there is such a one.
    pub(super) fn reply_to(&mut self, partition: Option<i32>, partitions: i32) {
        if let Some(partition) = partition.filter(|partition| (0..partitions).contains(partition)) {
            self.partition = Some(partition);
        }
    }

    /// Without anything that says otherwise, the key decides where it goes.
    pub(super) fn settle(&mut self, facts: &Facts) {
        let partitions = match self.channel {
            Channel::Events => facts.event_partitions,
            Channel::Results | Channel::Catalogue | Channel::DeadLetters => facts.partitions,
        };
        let by_key = || partition_for(&self.key, partitions);
        self.partition = Some(self.partition.unwrap_or_else(by_key));
    }

    /// Bytes of its key and value.
    pub(super) fn size(&self) -> usize {
        match &self.said {
            Said::Exactly(value) => self.key.len() + value.len(),
            Said::Refused(_) | Said::Letter(..) => 0,
        }
    }

    /// Its outcome in a word, for counting.
    pub(super) fn word(&self) -> &str {
        match &self.said {
            Said::Refused(answer) => answer.rejection.as_ref().map_or("?", |found| &found.code),
            Said::Exactly(_) => "ok",
            Said::Letter(code, _) => code,
        }
    }

    /// What is wrong with the record that stands there; `None`: nothing.
    pub(crate) fn objection(
        &self,
        channel: Channel,
        partition: i32,
        record: &Record<'_>,
    ) -> Option<String> {
        let (key, value) = (
            record.key.unwrap_or_default(),
            record.value.unwrap_or_default(),
        );
        if (channel, partition) != (self.channel, self.partition.unwrap_or(0)) {
            return Some(format!(
                "it stands in {channel:?}-{partition} and belongs in {:?}-{:?}",
                self.channel, self.partition
            ));
        }
        if key != self.key {
            return Some(format!("its key is {key:?} and should be {:?}", self.key));
        }
        match &self.said {
            Said::Exactly(expected) if expected == value => None,
            Said::Exactly(expected) => Some(differ(expected, value)),
            Said::Refused(expected) => refusal_differs(expected, value),
            Said::Letter(code, expected) => {
                let found = record.header_text("__streams.errors.exception");
                (found != Some(code) || expected != value).then(|| {
                    format!("the dead letter says {found:?} and should say {code} of the record")
                })
            }
        }
    }
}

fn differ(expected: &[u8], found: &[u8]) -> String {
    let read = |bytes: &[u8]| match stagedoor_avro::decode::<CommandResult>(bytes) {
        Ok(result) => format!("{result:?}"),
        Err(_) => format!("{:?}", String::from_utf8_lossy(bytes)),
    };
    format!("it says {} and should say {}", read(found), read(expected))
}

fn refusal_differs(expected: &CommandResult, value: &[u8]) -> Option<String> {
    let found = match stagedoor_avro::decode::<CommandResult>(value) {
        Ok(found) => found,
        Err(error) => return Some(format!("it is no answer: {error}")),
    };
    let mut silent = found.clone();
    if let Some(rejection) = &mut silent.rejection {
        if rejection.detail.is_empty() {
            return Some("the refusal does not say why".to_owned());
        }
        rejection.detail.clear();
        for error in &mut rejection.errors {
            error.detail.clear();
        }
    }
    (silent != *expected).then(|| format!("it says {found:?} and should say {expected:?}"))
}
