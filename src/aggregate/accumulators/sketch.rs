//! `approx_count_distinct`: HyperLogLog, exact for few values.
//!
//! Up to [`EXACT_MAX`] different hashes of a group are kept as they are. More go into registers: the
//! hash's first bits choose one, which keeps the longest run of zeros that was seen in the rest. The
//! harmonic mean of the registers tells how many hashes there were; while registers are empty, their
//! number tells it better.
//!
//! Cost: 2^bits bytes a group; an error of 1.04 / sqrt(2^bits), 512 bytes and 4.6% by default, as in
//! Spark. NULLs do not count.
//!
//! P. Flajolet, E. Fusy, O. Gandouet, F. Meunier, HyperLogLog: the analysis of a near-optimal
//! cardinality estimation algorithm (2007).

use super::count::all_valid;
use super::{Accumulate, Groups, only_state};
use crate::column::Column;
use crate::error::{Error, Result};
use crate::expr::keys::KeyColumns;
use arrow::array::{ArrayRef, AsArray, BinaryViewArray, Int64Array};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// Hashes that are kept one by one: no more bytes than the registers of the default error.
const EXACT_MAX: usize = 64;

/// Bits of the register number for an error of `rsd` (relative standard deviation), as Spark has it.
pub(crate) fn bits_for(rsd: f64) -> Option<u8> {
    (4..=16).find(|bits| 1.106 / f64::from(1_u32 << bits).sqrt() <= rsd)
}

enum Sketch {
    Few(Vec<u64>),
    Registers(Box<[u8]>),
}

pub(super) struct ApproxDistinct {
    bits: u8,
    keys: KeyColumns,
    sketches: Vec<Sketch>,
    bytes: usize,
}

impl ApproxDistinct {
    pub(super) fn new(bits: u8, types: &[DataType]) -> Self {
        let keys = KeyColumns::new(types.to_vec(), vec![true; types.len()]);
        Self { bits, keys, sketches: Vec::new(), bytes: 0 }
    }

    fn resize(&mut self, groups: &Groups) {
        if self.sketches.len() < groups.count() {
            self.sketches.resize_with(groups.count(), || Sketch::Few(Vec::new()));
        }
    }

    fn add(&mut self, group: usize, hash: u64) {
        let bits = self.bits;
        match &mut self.sketches[group] {
            Sketch::Few(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else { return };
                hashes.insert(place, hash);
                self.bytes += 8;
                if hashes.len() > EXACT_MAX {
                    let mut registers = vec![0; 1 << bits].into_boxed_slice();
                    hashes.iter().for_each(|hash| note(&mut registers, bits, *hash));
                    self.bytes += registers.len();
                    self.sketches[group] = Sketch::Registers(registers);
                }
            }
            Sketch::Registers(registers) => note(registers, bits, hash),
        }
    }
}

fn note(registers: &mut [u8], bits: u8, hash: u64) {
    let register = (hash >> (64 - bits)) as usize;
    let zeros = (hash << bits | 1 << (bits - 1)).leading_zeros() as u8 + 1;
    registers[register] = registers[register].max(zeros);
}

/// Spreads a hash over all bits.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

fn estimate(registers: &[u8]) -> i64 {
    let size = registers.len() as f64;
    let empty = registers.iter().filter(|register| **register == 0).count();
    let alpha = match registers.len() {
        16 => 0.673,
        32 => 0.697,
        64 => 0.709,
        _ => 0.7213 / (1.0 + 1.079 / size),
    };
    let sum: f64 = registers.iter().map(|register| (-f64::from(*register)).exp2()).sum();
    let raw = alpha * size * size / sum;
    let counted = if raw <= 2.5 * size && empty > 0 { size * (size / empty as f64).ln() } else { raw };
    counted.round() as i64
}

impl Accumulate for ApproxDistinct {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.resize(groups);
        let valid = all_valid(columns)?;
        let hashes = self.keys.encode(columns, groups.rows())?.hash(false);
        groups.for_each(valid.as_ref(), |group, row| self.add(group, mix(hashes[row])));
        Ok(())
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.resize(groups);
        let states = only_state(state)?.as_binary_view();
        let mut damaged = false;
        groups.for_each(None, |group, row| match states.value(row).split_first() {
            Some((0, hashes)) => {
                let (hashes, rest) = hashes.as_chunks::<8>();
                damaged |= !rest.is_empty();
                hashes.iter().for_each(|hash| self.add(group, u64::from_le_bytes(*hash)));
            }
            Some((1, others)) if others.len() == 1 << self.bits => {
                if let Sketch::Few(hashes) = &self.sketches[group] {
                    let mut registers = vec![0; 1 << self.bits].into_boxed_slice();
                    hashes.iter().for_each(|hash| note(&mut registers, self.bits, *hash));
                    self.bytes += registers.len();
                    self.sketches[group] = Sketch::Registers(registers);
                }
                if let Sketch::Registers(registers) = &mut self.sketches[group] {
                    registers.iter_mut().zip(others).for_each(|(own, other)| *own = (*own).max(*other));
                }
            }
            _ => damaged = true,
        });
        if damaged { Err(Error::internal("a sketch that is none")) } else { Ok(()) }
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        let mut sketches = std::mem::take(&mut self.sketches);
        sketches.resize_with(count, || Sketch::Few(Vec::new()));
        self.bytes = 0;
        let state = |sketch: &Sketch| -> Vec<u8> {
            match sketch {
                Sketch::Few(hashes) => std::iter::once(0).chain(hashes.iter().flat_map(|hash| hash.to_le_bytes())).collect(),
                Sketch::Registers(registers) => std::iter::once(1).chain(registers.iter().copied()).collect(),
            }
        };
        Ok(vec![Arc::new(BinaryViewArray::from_iter_values(sketches.iter().map(state)))])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let mut sketches = std::mem::take(&mut self.sketches);
        sketches.resize_with(count, || Sketch::Few(Vec::new()));
        self.bytes = 0;
        let result = |sketch: &Sketch| match sketch {
            Sketch::Few(hashes) => hashes.len() as i64,
            Sketch::Registers(registers) => estimate(registers),
        };
        Ok(Arc::new(Int64Array::from_iter_values(sketches.iter().map(result))))
    }

    fn bytes(&self) -> usize {
        self.bytes + self.sketches.capacity() * size_of::<Sketch>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_stays_within_a_few_times_what_is_promised() {
        for count in [10_i64, 64, 65, 300, 1000, 5000, 100_000] {
            let mut sketch = ApproxDistinct::new(bits_for(0.05).unwrap(), &[DataType::Int64]);
            // Each value twice, in two batches.
            for _ in 0..2 {
                let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
                sketch.update(&Groups::one(count as usize), &[Column::Flat(values)]).unwrap();
            }
            let state = sketch.drain(1).unwrap();
            sketch.merge(&Groups::one(1), &state).unwrap();
            let found = sketch.finish(1).unwrap();
            let found = found.as_primitive::<arrow::datatypes::Int64Type>().value(0);
            let error = (found - count).abs() as f64 / count as f64;
            assert!(error < 0.15 && (count > 64 || error == 0.0), "{found} for {count}");
        }
    }
}
