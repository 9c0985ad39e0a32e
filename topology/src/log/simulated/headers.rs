//! The headers of a stored record in one piece of memory.

use crate::record::{Header, Headers};

/// Names and values, each behind its length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PackedHeaders(Box<[u8]>);

impl PackedHeaders {
    pub(super) fn new(headers: &[Header<'_>]) -> Self {
        let size = headers
            .iter()
            .map(|header| header.name.len() + header.value.len() + 8)
            .sum();
        let mut bytes = Vec::with_capacity(size);
        for header in headers {
            for part in [header.name.as_bytes(), header.value] {
                let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        Self(bytes.into_boxed_slice())
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (name, after) = part(rest)?;
            let (value, after) = part(after)?;
            rest = after;
            Some((std::str::from_utf8(name).ok()?, value))
        })
    }
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

impl Headers for PackedHeaders {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.iter() {
            visit(name, value);
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        let named = self.iter().filter(|header| header.0 == name);
        named.last().map(|header| header.1)
    }
}
