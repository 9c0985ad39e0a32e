//! The stamp on every forwarded record: which input made it, and which part of the set it is.

/// Header name of the stamp.
pub const STAMP_HEADER: &str = "stamp";

/// Length of an encoded stamp in bytes.
pub const STAMP_LENGTH: usize = 32;

/// Where a forwarded record comes from. A reader can drop repeats, see gaps and see torn sets
/// with it, without trusting anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    /// The input log: the first 8 bytes of the source topic's id.
    pub log_id: u64,
    /// Source partition.
    pub partition: i32,
    /// Offset of the input record whose turn it was.
    pub offset: i64,
    /// Unit within that turn: steps of due timers first, the record itself last.
    pub unit: u32,
    /// Place of this record among those that the unit forwarded, from 0.
    pub index: u32,
    /// How many records the unit forwarded.
    pub count: u32,
}

impl Stamp {
    /// Big-endian fields in order, so that encoded stamps of a partition sort by input.
    #[must_use]
    pub fn encode(&self) -> [u8; STAMP_LENGTH] {
        let mut bytes = [0; STAMP_LENGTH];
        bytes[0..8].copy_from_slice(&self.log_id.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.partition.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.offset.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.unit.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.index.to_be_bytes());
        bytes[28..32].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    /// Reads an encoded stamp; `None` where the length is wrong.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; STAMP_LENGTH] = bytes.try_into().ok()?;
        let word =
            |at: usize| -> [u8; 4] { [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] };
        let long = |at: usize| -> u64 {
            u64::from(u32::from_be_bytes(word(at))) << 32
                | u64::from(u32::from_be_bytes(word(at + 4)))
        };
        Some(Self {
            log_id: long(0),
            partition: i32::from_be_bytes(word(8)),
            offset: long(12).cast_signed(),
            unit: u32::from_be_bytes(word(20)),
            index: u32::from_be_bytes(word(24)),
            count: u32::from_be_bytes(word(28)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_its_encoding() {
        let stamp = Stamp {
            log_id: u64::MAX - 3,
            partition: 7,
            offset: 1 << 40,
            unit: 2,
            index: 1,
            count: 3,
        };
        assert_eq!(Stamp::decode(&stamp.encode()), Some(stamp));
        assert_eq!(Stamp::decode(&[0; 31]), None);
    }
}
