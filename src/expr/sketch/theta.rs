//! How many different values sets, their unions, intersections and differences have: theta sketches.
//!
//! Hashes are kept as long as they are below a limit, at first any. When there are more than twice
//! as many as wanted, the limit sinks to where only the wanted number is below it. The hashes are a
//! sample of the set of which the chance of each member is known, so that sets can be combined
//! through their samples below the lower limit.
//!
//! ```text
//!   0 ──x─x──x─── limit ────────────── 2^64      estimate = hashes below / (limit / 2^64)
//! ```
//!
//! Cost: 8 bytes a hash, 32 to 64 KiB by default; an error of 1 / sqrt(2^k), 1.6% by default, of the
//! union's size for intersections and differences. Exact up to 2^k values.
//!
//! A. Dasgupta, K. Lang, L. Rhodes, J. Thaler, A framework for estimating stream expression
//! cardinalities (2016).

use super::{Reader, damaged};
use crate::error::Result;
use std::collections::HashSet;

/// Spark's limits for the logarithm of how many hashes are wanted.
pub(crate) const BITS: std::ops::RangeInclusive<u8> = 4..=26;
/// Spark's default.
pub(crate) const DEFAULT_BITS: u8 = 12;
const WHAT: &str = "theta";

/// One sketch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Theta {
    bits: u8,
    limit: u64,
    hashes: HashSet<u64>,
}

impl Theta {
    /// Of nothing, for 2^`bits` hashes.
    pub(crate) fn new(bits: u8) -> Self {
        Self { bits: bits.clamp(*BITS.start(), *BITS.end()), limit: u64::MAX, hashes: HashSet::new() }
    }

    /// Adds a value's hash.
    pub(crate) fn add(&mut self, hash: u64) {
        if hash < self.limit && self.hashes.insert(hash) && self.hashes.len() > 2 << self.bits {
            self.trim();
        }
    }

    /// Keeps the wanted number of hashes.
    fn trim(&mut self) {
        let wanted = 1_usize << self.bits;
        if self.hashes.len() > wanted {
            let mut sorted: Vec<u64> = self.hashes.iter().copied().collect();
            let (_, limit, _) = sorted.select_nth_unstable(wanted);
            self.limit = *limit;
            self.hashes.retain(|hash| *hash < self.limit);
        }
    }

    /// Takes the lower limit of both.
    fn lower(&mut self, other: &Self) {
        if other.limit < self.limit {
            self.limit = other.limit;
            self.hashes.retain(|hash| *hash < self.limit);
        }
    }

    /// Values of either.
    pub(crate) fn union(&mut self, other: &Self) {
        self.bits = self.bits.min(other.bits);
        self.lower(other);
        other.hashes.iter().for_each(|hash| self.add(*hash));
        self.trim();
    }

    /// Values of both.
    pub(crate) fn intersect(&mut self, other: &Self) {
        self.lower(other);
        self.hashes.retain(|hash| other.hashes.contains(hash));
    }

    /// Values that the other one has not.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.lower(other);
        self.hashes.retain(|hash| !other.hashes.contains(hash));
    }

    /// How many different values there were, about.
    pub(crate) fn estimate(&self) -> f64 {
        let count = self.hashes.len() as f64;
        if self.limit == u64::MAX { count } else { count / (self.limit as f64 / 2_f64.powi(64)) }
    }

    /// The sketch as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut hashes: Vec<u64> = self.hashes.iter().copied().collect();
        hashes.sort_unstable();
        let words = std::iter::once(self.limit).chain(hashes);
        std::iter::once(self.bits).chain(words.flat_map(u64::to_le_bytes)).collect()
    }

    /// The sketch of bytes.
    ///
    /// # Errors
    /// If they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, WHAT);
        let (bits, limit) = (reader.byte()?, reader.word()?);
        let hashes: HashSet<u64> = reader.words()?.into_iter().collect();
        if !BITS.contains(&bits) || hashes.iter().any(|hash| *hash >= limit) {
            return Err(damaged(WHAT));
        }
        Ok(Self { bits, limit, hashes })
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.hashes.capacity() * 9
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash_of;
    use super::*;
    use crate::expr::functions::value::Value;

    fn of(numbers: std::ops::Range<i64>, bits: u8) -> Theta {
        let mut sketch = Theta::new(bits);
        numbers.for_each(|number| sketch.add(hash_of(&Value::Int(number))));
        sketch
    }

    fn near(found: f64, wanted: f64, of: f64, bits: u8) {
        let allowed = 4.0 * of / f64::from(1_u32 << bits).sqrt();
        assert!((found - wanted).abs() <= allowed, "{found} instead of {wanted} with {bits} bits");
    }

    #[test]
    fn sets_are_estimated_and_combined() {
        for bits in [6, 12] {
            for count in [0, 3, 40, 1_000, 50_000] {
                let (left, right) = (of(0..count, bits), of(count / 2..count * 2, bits));
                let all = count as f64 * 2.0;
                near(left.estimate(), count as f64, count as f64, bits);
                let mut union = left.clone();
                union.union(&right);
                near(union.estimate(), all, all, bits);
                let mut both = left.clone();
                both.intersect(&right);
                near(both.estimate(), (count - count / 2) as f64, all, bits);
                let mut only = left.clone();
                only.subtract(&right);
                near(only.estimate(), (count / 2) as f64, all, bits);
                assert_eq!(Theta::from_bytes(&union.to_bytes()).unwrap(), union);
            }
        }
    }

    #[test]
    fn few_values_are_counted_exactly() {
        let mut both = of(0..100, 12);
        both.intersect(&of(50..150, 12));
        assert_eq!(both.estimate(), 50.0);
        assert!(Theta::from_bytes(&[12, 1]).is_err() && Theta::from_bytes(&[99; 17]).is_err());
    }
}
