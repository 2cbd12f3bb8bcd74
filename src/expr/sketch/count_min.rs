//! How often values come: a count-min sketch, in Spark's own form.
//!
//! Every row of a table of counters has a hash function of its own, by which a value raises one
//! counter a row. The least of a value's counters is how often it came, or more.
//!
//! ```text
//!   value ─ h1 ─> [ 0 3 0 1 ]      width  = ceil(2 / error)
//!         ─ h2 ─> [ 3 0 1 0 ]      depth  = ceil(log2(1 / (1 - confidence)))
//! ```
//!
//! Cost: 8 x width x depth bytes, and depth steps a value. The bytes are those of Spark's
//! `CountMinSketch` (version 1, big-endian), so that they can be read there.
//!
//! G. Cormode, S. Muthukrishnan, An improved data stream summary (2005).

use super::damaged;
use crate::error::{Error, Result};
use crate::expr::functions::value::Value;
use crate::layout::bucket::spark_bytes;

/// Counters of one sketch, at most: 256 MiB. Guessed.
const COUNTERS_MAX: usize = 1 << 25;
const WHAT: &str = "count-min";
/// The modulus of the hash functions over whole numbers.
const PRIME: i64 = (1 << 31) - 1;

/// One sketch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CountMin {
    width: usize,
    factors: Vec<i64>,
    total: i64,
    counters: Vec<i64>,
}

/// The numbers that the generator of Java's library gives for a seed, below [`PRIME`].
fn factors(seed: i32, count: usize) -> Vec<i64> {
    const FACTOR: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (i64::from(seed) as u64 ^ FACTOR) & MASK;
    let mut next = || loop {
        state = state.wrapping_mul(FACTOR).wrapping_add(0xb) & MASK;
        let bits = (state >> 17) as i64;
        // The one number that would make some remainders more likely is passed over.
        if bits < PRIME {
            return bits;
        }
    };
    (0..count).map(|_| next()).collect()
}

impl CountMin {
    /// Of nothing: `depth` rows of `width` counters.
    ///
    /// # Errors
    /// If these are too many.
    pub(crate) fn new(depth: usize, width: usize, seed: i32) -> Result<Self> {
        if depth == 0 || width == 0 || depth.checked_mul(width).is_none_or(|counters| counters > COUNTERS_MAX) {
            return Err(Error::unsupported(format!("a count-min sketch of {depth} x {width} counters")));
        }
        Ok(Self { width, factors: factors(seed, depth), total: 0, counters: vec![0; depth * width] })
    }

    /// Adds a value, a whole number or bytes.
    pub(crate) fn add(&mut self, value: &Value) {
        self.total += 1;
        let width = self.width;
        let (first, second) = match value {
            Value::Int(_) => (0, 0),
            other => {
                let first = spark_bytes(other.bytes(), 0);
                (first as i32, spark_bytes(other.bytes(), first) as i32)
            }
        };
        for (row, factor) in self.factors.iter().enumerate() {
            let column = match value {
                Value::Int(number) => {
                    let hash = factor.wrapping_mul(*number);
                    ((hash.wrapping_add(hash >> 32) & PRIME) as usize) % width
                }
                _ => {
                    let hash = first.wrapping_add((row as i32).wrapping_mul(second));
                    (i64::from(hash) % width as i64).unsigned_abs() as usize
                }
            };
            self.counters[row * width + column] += 1;
        }
    }

    /// Adds all that the other one has seen; it has the same shape.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        if self.factors != other.factors || self.width != other.width {
            return Err(damaged(WHAT));
        }
        self.total += other.total;
        self.counters.iter_mut().zip(&other.counters).for_each(|(own, other)| *own += other);
        Ok(())
    }

    /// The sketch as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = 1_i32.to_be_bytes().to_vec();
        bytes.extend(self.total.to_be_bytes());
        bytes.extend((self.factors.len() as i32).to_be_bytes());
        bytes.extend((self.width as i32).to_be_bytes());
        bytes.extend(self.factors.iter().chain(&self.counters).flat_map(|word| word.to_be_bytes()));
        bytes
    }

    /// The sketch of bytes.
    ///
    /// # Errors
    /// If they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = || damaged(WHAT);
        let (head, words) = bytes.split_at_checked(20).ok_or_else(wrong)?;
        let int = |at: usize| i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (depth, width) = (usize::try_from(int(12)).map_err(|_| wrong())?, usize::try_from(int(16)).map_err(|_| wrong())?);
        let (words, rest) = words.as_chunks::<8>();
        let words: Vec<i64> = words.iter().map(|word| i64::from_be_bytes(*word)).collect();
        let expected = width.checked_add(1).and_then(|width| width.checked_mul(depth));
        if int(0) != 1 || !rest.is_empty() || depth == 0 || width == 0 || expected != Some(words.len()) {
            return Err(wrong());
        }
        let total = (i64::from(int(4)) << 32) | i64::from(int(8) as u32);
        let (factors, counters) = words.split_at(depth);
        Ok(Self { width, factors: factors.to_vec(), total, counters: counters.to_vec() })
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + (self.factors.len() + self.counters.len()) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketches_are_read_back_and_merged() {
        let (mut left, mut right) = (CountMin::new(3, 8, 7).unwrap(), CountMin::new(3, 8, 7).unwrap());
        let mut all = CountMin::new(3, 8, 7).unwrap();
        for number in 0..20 {
            let value = if number % 2 == 0 { Value::Int(number) } else { Value::string(format!("v{number}")) };
            if number < 7 {
                left.add(&value)
            } else {
                right.add(&value)
            }
            all.add(&value);
        }
        left.merge(&CountMin::from_bytes(&right.to_bytes()).unwrap()).unwrap();
        assert_eq!(left, all);
        assert_eq!(all.counters[..8].iter().sum::<i64>(), 20);
        assert!(left.merge(&CountMin::new(3, 8, 8).unwrap()).is_err());
        assert!(CountMin::from_bytes(&[0; 30]).is_err() && CountMin::new(0, 1, 1).is_err());
    }

    #[test]
    fn factors_are_those_of_the_generator() {
        // new java.util.Random(0).nextInt(Integer.MAX_VALUE).
        assert_eq!(factors(0, 1), [1_569_741_360]);
    }
}
