//! MurmurHash3 for 32 bits, in the two variants that tables on disk depend on.
//!
//! Both mix whole words of four bytes alike (Appleby 2011, public domain); they differ in what they
//! do with the one to three bytes left over, and both differ from the published function there.

/// One word mixed into a running hash.
fn mix(hash: u32, word: u32) -> u32 {
    let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

/// The last step: `length` in bytes.
fn finish(hash: u32, length: u32) -> u32 {
    let mut hash = hash ^ length;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Spark's hash of a 32-bit value.
pub fn spark_int(value: i32, seed: u32) -> u32 {
    finish(mix(seed, value as u32), 4)
}

/// Spark's hash of a 64-bit value: the low word first.
pub fn spark_long(value: i64, seed: u32) -> u32 {
    finish(mix(mix(seed, value as u32), (value >> 32) as u32), 8)
}

/// Spark's hash of bytes: each byte left over is mixed on its own, as a signed number.
pub fn spark_bytes(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
    let hash = words.chunks_exact(4).fold(seed, |hash, bytes| mix(hash, word(bytes)));
    let hash = rest.iter().fold(hash, |hash, byte| mix(hash, i32::from(*byte as i8) as u32));
    finish(hash, bytes.len() as u32)
}

/// Hive's hash of bytes: the bytes left over are signed, too, but put together as the original does.
pub(super) fn hive_bytes(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
    let mut hash = words.chunks_exact(4).fold(seed, |hash, bytes| mix(hash, word(bytes)));
    if !rest.is_empty() {
        let signed = |at: usize| i32::from(rest[at] as i8) as u32;
        let left = (0..rest.len()).fold(0, |left, at| left ^ signed(at) << (8 * at));
        hash ^= left.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    }
    finish(hash, bytes.len() as u32)
}
