//! Hashes of encoded keys: multiply and fold the 128-bit product, as wyhash and foldhash do.

/// Odd constants with about half their bits set (digits of pi, as in foldhash and wyhash).
const K0: u64 = 0x243f_6a88_85a3_08d3;
const K1: u64 = 0x1319_8a2e_0370_7344;
const K2: u64 = 0xa409_3822_299f_31d1;

/// The hash of a 64-bit key.
#[inline]
pub fn hash64(key: u64) -> u64 {
    fold(fold(key ^ K0, K2) ^ key, K1 | 1)
}

/// The hash of a 128-bit key.
#[inline]
pub fn hash128(key: u128) -> u64 {
    let (low, high) = (key as u64, (key >> 64) as u64);
    fold(fold(low ^ K0, K2) ^ low ^ high, fold(high ^ K1, K0 | 1) | 1)
}

/// The hash of a key of any length.
#[inline]
pub fn hash_bytes(key: &[u8]) -> u64 {
    let mut state = K0 ^ (key.len() as u64).wrapping_mul(K2);
    let (chunks, rest) = key.as_chunks::<16>();
    for chunk in chunks {
        let word = u128::from_le_bytes(*chunk);
        state = fold((word as u64) ^ state, (word >> 64) as u64 ^ K1) ^ state.rotate_left(23);
    }
    if !rest.is_empty() {
        let (low, high) = ends(rest);
        state = fold(low ^ state, high ^ K2) ^ state.rotate_left(23);
    }
    hash64(state)
}

/// All bytes of 1 to 15 in two words, by reads of fixed width that may overlap: the length is in the
/// state, so no two keys of one length give the same words. A copy of variable length would be a
/// call and five times as slow.
#[inline]
fn ends(rest: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else {
        let byte = |at: usize| rest.get(at).map_or(0, |byte| u64::from(*byte));
        (byte(0) | byte(1) << 8 | byte(2) << 16, 0)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}
