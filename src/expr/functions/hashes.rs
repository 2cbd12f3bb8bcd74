//! Hashes of values: Spark's own two over rows, and digests of bytes.
//!
//! NULL leaves a row's hash as it is; a nested value is hashed item by item, each seeding the next.
//! SHA-1 and SHA-2 are those of FIPS 180-4.

use super::encodings::hex;
use super::row::{Call, Gives, Row, Shape, partial, total};
use super::signature::{item_of, pair_of};
use super::value::Value;
use crate::error::{Error, Result};
use crate::layout::bucket::{spark_bytes, spark_int, spark_long};
use arrow::datatypes::DataType;
use twox_hash::XxHash64;

pub(super) static ROWS: &[Row] = &[
    total("hash", ".*", Gives::By(|shape| hashed(shape, DataType::Int32)), |call, a| {
        let hash = a.iter().zip(&call.types).fold(42, |seed, (value, data_type)| murmur(value, data_type, seed));
        Ok(Value::Int(i64::from(hash as i32)))
    })
    .sees_null(),
    total("xxhash64", ".*", Gives::By(|shape| hashed(shape, DataType::Int64)), |call, a| {
        Ok(Value::Int(a.iter().zip(&call.types).fold(42, |seed, (value, data_type)| xx(value, data_type, seed)) as i64))
    })
    .sees_null(),
    total("crc32", "X", Gives::Long, |_, a| Ok(Value::Int(crc32fast::hash(a[0].bytes()).into()))),
    total("sha1", "X", Gives::Text, |_, a| Ok(Value::string(hex(&sha1(a[0].bytes())).to_lowercase()))).or(&["sha"]),
    partial("sha2", "XI", Gives::Text, sha2),
];

/// The type of a hash; maps have none, since equal ones may be in another order.
fn hashed(shape: &Shape, result: DataType) -> Result<DataType> {
    fn has_map(data_type: &DataType) -> bool {
        match data_type {
            DataType::Map(..) => true,
            DataType::Struct(fields) => fields.iter().any(|field| has_map(field.data_type())),
            other => item_of(other).is_some_and(|item| has_map(&item)),
        }
    }
    match shape.types.iter().any(has_map) {
        true => Err(Error::sql("a hash of a MAP is not defined").with_hint("hash map_entries, sorted")),
        false => Ok(result),
    }
}

/// What both hashes do with one value: how it is laid out as words or bytes.
enum Laid<'v> {
    Word(i32),
    Long(i64),
    Bytes(std::borrow::Cow<'v, [u8]>),
    Parts(Vec<(&'v Value<'v>, DataType)>),
    Nothing,
}

fn laid<'v>(value: &'v Value<'v>, data_type: &DataType) -> Laid<'v> {
    use DataType as T;
    match (value, data_type) {
        (Value::Null, _) => Laid::Nothing,
        (Value::Bool(value), _) => Laid::Word((*value).into()),
        (Value::Int(value), T::Int64 | T::Timestamp(..) | T::Duration(_) | T::Time64(_)) => Laid::Long(*value),
        (Value::Int(value), _) => Laid::Word(*value as i32),
        (Value::Double(value), T::Float32) => {
            let value = *value as f32;
            Laid::Word(if value.is_nan() { f32::NAN } else { value + 0.0 }.to_bits() as i32)
        }
        (Value::Double(value), _) => Laid::Long(if value.is_nan() { f64::NAN } else { value + 0.0 }.to_bits() as i64),
        (Value::Decimal(value, _), T::Decimal128(precision, _) | T::Decimal64(precision, _)) if *precision <= 18 => {
            Laid::Long(*value as i64)
        }
        (Value::Decimal(value, _), _) => {
            // The fewest bytes of two's complement, most significant first.
            let bytes = value.to_be_bytes();
            let same = |at: &usize| bytes[*at] == if *value < 0 { 0xff } else { 0 } && (bytes[at + 1] ^ bytes[*at]) < 0x80;
            let skip = (0..15).take_while(same).count();
            Laid::Bytes(bytes[skip..].to_vec().into())
        }
        (Value::Text(_) | Value::Bytes(_), _) => Laid::Bytes(value.bytes().into()),
        (Value::Interval(..), _) => Laid::Nothing,
        (Value::List(items), data_type) => {
            let item = item_of(data_type).unwrap_or(T::Null);
            Laid::Parts(items.iter().map(|value| (value, item.clone())).collect())
        }
        (Value::Map(entries), data_type) => {
            let (key, item) = pair_of(data_type).unwrap_or((T::Null, T::Null));
            Laid::Parts(entries.iter().flat_map(|(k, v)| [(k, key.clone()), (v, item.clone())]).collect())
        }
        (Value::Struct(items), T::Struct(fields)) => {
            Laid::Parts(items.iter().zip(fields).map(|(value, field)| (value, field.data_type().clone())).collect())
        }
        (Value::Struct(_), _) => Laid::Nothing,
    }
}

fn murmur(value: &Value, data_type: &DataType, seed: u32) -> u32 {
    match laid(value, data_type) {
        Laid::Nothing => seed,
        Laid::Word(word) => spark_int(word, seed),
        Laid::Long(long) => spark_long(long, seed),
        Laid::Bytes(bytes) => spark_bytes(&bytes, seed),
        Laid::Parts(parts) => parts.iter().fold(seed, |seed, (value, data_type)| murmur(value, data_type, seed)),
    }
}

fn xx(value: &Value, data_type: &DataType, seed: u64) -> u64 {
    match laid(value, data_type) {
        Laid::Nothing => seed,
        Laid::Word(word) => XxHash64::oneshot(seed, &word.to_le_bytes()),
        Laid::Long(long) => XxHash64::oneshot(seed, &long.to_le_bytes()),
        Laid::Bytes(bytes) => XxHash64::oneshot(seed, &bytes),
        Laid::Parts(parts) => parts.iter().fold(seed, |seed, (value, data_type)| xx(value, data_type, seed)),
    }
}

fn sha2<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let bytes = a[0].bytes();
    let digest = match a[1].int() {
        0 | 256 => sha256(bytes, SHA256, 32),
        224 => sha256(bytes, SHA224, 28),
        384 => sha512(bytes, SHA384, 48),
        512 => sha512(bytes, SHA512, 64),
        _ => return Ok(Value::Null),
    };
    Ok(Value::string(hex(&digest).to_lowercase()))
}

/// The message with a one bit, zeros, and its length in bits at the end of a block.
fn padded(bytes: &[u8], block: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    // The length takes an eighth of a block; it has 128 bits in the large ones, of which 64 are enough.
    while padded.len() % block != block - block / 8 {
        padded.push(0);
    }
    padded.resize(padded.len() + block / 8 - 8, 0);
    padded.extend((bytes.len() as u64 * 8).to_be_bytes());
    padded
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded(bytes, 64).chunks_exact(64) {
        let mut w = [0_u32; 80];
        for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for t in 16..80 {
            w[t] = (w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (t, word) in w.iter().enumerate() {
            let (f, k) = match t {
                0..20 => (b & c | !b & d, 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (state, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *state = state.wrapping_add(add);
        }
    }
    state.iter().flat_map(|word| word.to_be_bytes()).collect()
}

const SHA256: [u32; 8] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const SHA224: [u32; 8] = [0xc105_9ed8, 0x367c_d507, 0x3070_dd17, 0xf70e_5939, 0xffc0_0b31, 0x6858_1511, 0x64f9_8fa7, 0xbefa_4fa4];
const SHA512: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];
const SHA384: [u64; 8] = [
    0xcbbb_9d5d_c105_9ed8,
    0x629a_292a_367c_d507,
    0x9159_015a_3070_dd17,
    0x152f_ecd8_f70e_5939,
    0x6733_2667_ffc0_0b31,
    0x8eb4_4a87_6858_1511,
    0xdb0c_2e0d_64f9_8fa7,
    0x47b5_481d_befa_4fa4,
];

/// The first 64 bits behind the point of the cube roots of the first primes: SHA-512's constants;
/// the upper halves of the first 64 are SHA-256's.
fn roots() -> &'static [u64; 80] {
    static ROOTS: std::sync::OnceLock<[u64; 80]> = std::sync::OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = [0; 80];
        let mut prime: u128 = 1;
        for root in &mut roots {
            prime = (prime + 1..).find(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).unwrap_or(2);
            *root = fractional_cube_root(prime);
        }
        roots
    })
}

/// floor(cbrt(n) * 2^64) modulo 2^64, bit by bit.
fn fractional_cube_root(n: u128) -> u64 {
    use arrow::datatypes::i256;
    // cbrt(n) * 2^64 = cbrt(n * 2^192); candidates are below 2^68, cubes below 2^204.
    let wide = |value: u128| i256::from_parts(value, 0);
    let target = wide(n).wrapping_mul(wide(1 << 96)).wrapping_mul(wide(1 << 96));
    let mut root: u128 = 0;
    for bit in (0..68).rev() {
        let next = root | 1 << bit;
        if wide(next).wrapping_mul(wide(next)).wrapping_mul(wide(next)) <= target {
            root = next;
        }
    }
    root as u64
}

fn sha256(bytes: &[u8], mut state: [u32; 8], len: usize) -> Vec<u8> {
    let k = roots();
    for block in padded(bytes, 64).chunks_exact(64) {
        let mut w = [0_u32; 64];
        for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for t in 16..64 {
            let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ w[t - 15] >> 3;
            let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ w[t - 2] >> 10;
            w[t] = w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for t in 0..64 {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let t1 = h.wrapping_add(s1).wrapping_add(e & f ^ !e & g).wrapping_add((k[t] >> 32) as u32).wrapping_add(w[t]);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let t2 = s0.wrapping_add(a & b ^ a & c ^ b & c);
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
        }
        for (state, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *state = state.wrapping_add(add);
        }
    }
    state.iter().flat_map(|word| word.to_be_bytes()).take(len).collect()
}

fn sha512(bytes: &[u8], mut state: [u64; 8], len: usize) -> Vec<u8> {
    let k = roots();
    for block in padded(bytes, 128).chunks_exact(128) {
        let mut w = [0_u64; 80];
        for (word, bytes) in w.iter_mut().zip(block.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        for t in 16..80 {
            let s0 = w[t - 15].rotate_right(1) ^ w[t - 15].rotate_right(8) ^ w[t - 15] >> 7;
            let s1 = w[t - 2].rotate_right(19) ^ w[t - 2].rotate_right(61) ^ w[t - 2] >> 6;
            w[t] = w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for t in 0..80 {
            let s1 = e.rotate_right(14) ^ e.rotate_right(18) ^ e.rotate_right(41);
            let t1 = h.wrapping_add(s1).wrapping_add(e & f ^ !e & g).wrapping_add(k[t]).wrapping_add(w[t]);
            let s0 = a.rotate_right(28) ^ a.rotate_right(34) ^ a.rotate_right(39);
            let t2 = s0.wrapping_add(a & b ^ a & c ^ b & c);
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
        }
        for (state, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *state = state.wrapping_add(add);
        }
    }
    state.iter().flat_map(|word| word.to_be_bytes()).take(len).collect()
}
