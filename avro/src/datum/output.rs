//! Numbers and bytes as Avro writes them.

/// Writes an int or a long.
#[inline]
pub(super) fn write_long(value: i64, out: &mut Vec<u8>) {
    write_varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
}

/// Writes a length, a count or an index: a long that is not negative.
#[inline]
pub(super) fn write_len(len: usize, out: &mut Vec<u8>) {
    write_varint((len as u64) << 1, out);
}

/// Writes a string or bytes: the length in front.
#[inline]
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

#[inline]
fn write_varint(value: u64, out: &mut Vec<u8>) {
    if value < 0x80 {
        out.push(value.to_le_bytes()[0]);
    } else {
        write_long_varint(value, out);
    }
}

#[inline]
fn write_long_varint(mut value: u64, out: &mut Vec<u8>) {
    let mut buffer = [0; 10];
    let mut length = 0;
    while value >= 0x80 {
        buffer[length] = value.to_le_bytes()[0] | 0x80;
        value >>= 7;
        length += 1;
    }
    buffer[length] = value.to_le_bytes()[0];
    // A copy of a fixed length is two moves, and one of another length is a call.
    let start = out.len();
    out.extend_from_slice(&buffer);
    out.truncate(start + length + 1);
}
