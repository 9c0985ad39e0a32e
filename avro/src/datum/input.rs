//! The bytes of a datum from the front: every length is checked before anything is made of it.

use super::problem::Problem;
use crate::MAX_LENGTH;

/// What is left of a datum.
pub(super) struct Input<'de> {
    rest: &'de [u8],
}

impl<'de> Input<'de> {
    pub(super) fn new(rest: &'de [u8]) -> Self {
        Self { rest }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'de [u8], Problem> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(ended());
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(ended());
        };
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, Problem> {
        let number = match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                u64::from(*first)
            }
            _ => self.varint()?,
        };
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    // Ten bytes hold 70 bits: those above 64 are dropped, as apache's crate does.
    fn varint(&mut self) -> Result<u64, Problem> {
        let mut number = 0;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (index * 7);
            if *byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        match self.rest.len() {
            0..10 => Err(ended()),
            _ => Err(Problem::new("a number has more than ten bytes")),
        }
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i32, Problem> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| Problem::new(format!("{long} is no int")))
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool, Problem> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Problem::new(format!("{other} is no boolean"))),
        }
    }

    /// Bytes after their length.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'de [u8], Problem> {
        // A length below 64 is one byte: most strings come here.
        if let [first, rest @ ..] = self.rest
            && first & 0x81 == 0
            && let Some((taken, rest)) = rest.split_at_checked(usize::from(first >> 1))
        {
            self.rest = rest;
            return Ok(taken);
        }
        self.long_bytes()
    }

    fn long_bytes(&mut self) -> Result<&'de [u8], Problem> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) if length <= MAX_LENGTH => self.take(length),
            _ => Err(Problem::new(format!(
                "a length of {length} is not in 0..={MAX_LENGTH}"
            ))),
        }
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'de str, Problem> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| Problem::new(error.to_string()))
    }

    /// The branch of a nullable: whether it is null.
    #[inline]
    pub(super) fn is_null(&mut self, null_first: bool) -> Result<bool, Problem> {
        match self.long()? {
            0 => Ok(null_first),
            1 => Ok(!null_first),
            other => Err(Problem::new(format!("{other} is no branch of the union"))),
        }
    }

    #[inline]
    pub(super) fn symbol<'p>(&mut self, symbols: &'p [String]) -> Result<&'p str, Problem> {
        let index = self.long()?;
        let found = usize::try_from(index).ok().and_then(|at| symbols.get(at));
        let unknown = || Problem::new(format!("{index} is no symbol of the enum"));
        found.map(String::as_str).ok_or_else(unknown)
    }

    /// The number of items of the next block of an array or a map; 0 at its end.
    #[inline]
    pub(super) fn block(&mut self) -> Result<u64, Problem> {
        let count = self.long()?;
        if count < 0 {
            // The size in bytes is for those who skip the block unseen.
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }
}

#[cold]
fn ended() -> Problem {
    Problem::new("the input ends inside the value")
}
