//! Summaries of many values in few bytes: what `hll_*`, `theta_*`, `kll_*`, `approx_top_k*` and their
//! kin share between the aggregates that make them and the functions that read them.
//!
//! ```text
//!   values ─ add ─> sketch ─ bytes ─> BINARY column ─ from_bytes ─> sketch ─> estimate
//!                     └─ merge with others, in any order
//! ```
//!
//! The bytes are this engine's own form; Spark's sketches cannot be read and the other way round.
//! Cost: see each file. NULLs are never added.

mod count_min;
pub(crate) mod frequent;
mod histogram;
pub(crate) mod hll;
pub(crate) mod kll;
pub(crate) mod theta;

pub(crate) use count_min::CountMin;
pub(crate) use frequent::{Frequent, decode};
pub(crate) use histogram::Histogram;
pub(crate) use hll::Hll;
pub(crate) use kll::{Kll, KllKind};
pub(crate) use theta::Theta;

use super::functions::value::Value;
use crate::error::{Error, Result};
use twox_hash::XxHash64;

/// Seed of the hashes of values. Any number will do, as long as it stays the same.
const SEED: u64 = 0x736b_6574_6368;

/// A hash of a value: whole numbers of any width and doubles by their 8 bytes, texts and bytes by these.
pub(crate) fn hash_of(value: &Value) -> u64 {
    match value {
        Value::Int(number) => XxHash64::oneshot(SEED, &number.to_le_bytes()),
        Value::Double(number) => {
            let number = if number.is_nan() { f64::NAN } else { number + 0.0 };
            XxHash64::oneshot(SEED, &number.to_bits().to_le_bytes())
        }
        Value::List(items) => items.iter().fold(SEED, |seed, item| XxHash64::oneshot(seed, &hash_of(item).to_le_bytes())),
        other => XxHash64::oneshot(SEED, other.bytes()),
    }
}

fn damaged(what: &str) -> Error {
    Error::value(format!("these bytes are no {what} sketch"))
}

/// Reads little-endian words from the front of bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, what }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| damaged(self.what))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u64> {
        let mut word = [0; 8];
        word.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(word))
    }

    fn words(&mut self) -> Result<Vec<u64>> {
        let (words, rest) = self.bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(damaged(self.what));
        }
        self.bytes = rest;
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }
}
