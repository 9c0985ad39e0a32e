//! Java's default partitioner: murmur2 of the key, made positive, modulo the partition count.

/// The partition that Java's `DefaultPartitioner` and librdkafka's `murmur2_random` choose.
#[must_use]
pub fn partition_for(key: &[u8], partitions: i32) -> i32 {
    let positive = i32::from_ne_bytes(murmur2(key).to_ne_bytes()) & i32::MAX;
    positive % partitions.max(1)
}

/// 32-bit murmur2 with Kafka's seed (`org.apache.kafka.common.utils.Utils#murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        word = word.wrapping_mul(M);
        word ^= word >> R;
        word = word.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ word;
    }
    let tail = chunks.remainder();
    for (index, byte) in tail.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_gives_the_values_of_kafkas_own_test() {
        // org.apache.kafka.common.utils.UtilsTest#testMurmur2
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (text, expected) in cases {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), expected, "{text}");
        }
    }

    #[test]
    fn every_key_has_a_partition_in_range() {
        for key in 0u32..1000 {
            let partition = partition_for(&key.to_be_bytes(), 7);
            assert!((0..7).contains(&partition));
        }
    }
}
