//! How many different values there are: HyperLogLog, exact for few.
//!
//! Up to [`EXACT_MAX`] hashes are kept as they are. More go into 2^k registers: a hash's first bits
//! choose one, which keeps the longest run of zeros seen in the rest. The estimate weighs how many
//! registers hold which run, corrected at both ends, so that no range of counts is off by more.
//!
//! ```text
//!   hash  0101 0001011..      register 5 = max(its value, 4)        two sketches: maximum of each register
//!         └k─┘ └ zeros + 1
//! ```
//!
//! Cost: 2^k bytes, 4 KiB by default; an error of 1.04 / sqrt(2^k), 1.6% by default.
//! A finer sketch can be folded into a coarser one without loss.
//!
//! P. Flajolet et al., HyperLogLog (2007); O. Ertl, New cardinality estimation algorithms for
//! HyperLogLog sketches (2017), for the estimate.

use super::{Reader, damaged};
use crate::error::Result;

/// Hashes that are kept one by one; guessed: 512 bytes.
const EXACT_MAX: usize = 64;
/// Bits of register numbers that are allowed: Spark's limits.
pub(crate) const BITS: std::ops::RangeInclusive<u8> = 4..=21;
/// Spark's default.
pub(crate) const DEFAULT_BITS: u8 = 12;
const WHAT: &str = "hll";

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// Different hashes, sorted.
    Few(Vec<u64>),
    Registers(Vec<u8>),
}

/// One sketch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hll {
    bits: u8,
    state: State,
}

impl Hll {
    /// Of nothing, with 2^`bits` registers.
    pub(crate) fn new(bits: u8) -> Self {
        Self { bits: bits.clamp(*BITS.start(), *BITS.end()), state: State::Few(Vec::new()) }
    }

    /// The number of bits of register numbers.
    pub(crate) fn bits(&self) -> u8 {
        self.bits
    }

    /// Adds a value's hash.
    pub(crate) fn add(&mut self, hash: u64) {
        match &mut self.state {
            State::Few(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else { return };
                hashes.insert(place, hash);
                if hashes.len() > EXACT_MAX {
                    self.spread();
                }
            }
            State::Registers(registers) => note(registers, self.bits, hash),
        }
    }

    fn spread(&mut self) {
        if let State::Few(hashes) = &self.state {
            let mut registers = vec![0; 1 << self.bits];
            hashes.iter().for_each(|hash| note(&mut registers, self.bits, *hash));
            self.state = State::Registers(registers);
        }
    }

    /// Makes it as coarse as `bits` says, if it is finer.
    fn fold_to(&mut self, bits: u8) {
        if bits >= self.bits {
            return;
        }
        let dropped = self.bits - bits;
        if let State::Registers(registers) = &self.state {
            let mut folded = vec![0_u8; 1 << bits];
            for (register, run) in registers.iter().enumerate().filter(|(_, run)| **run > 0) {
                // The dropped bits of the register's number come first in what runs are counted in.
                let low = register & ((1 << dropped) - 1);
                let run = if low == 0 { run + dropped } else { dropped - low.ilog2() as u8 };
                let place = &mut folded[register >> dropped];
                *place = run.max(*place);
            }
            self.state = State::Registers(folded);
        }
        self.bits = bits;
    }

    /// Adds all that the other one has seen; the coarser of both decides.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.fold_to(other.bits);
        match &other.state {
            State::Few(hashes) => hashes.iter().for_each(|hash| self.add(*hash)),
            State::Registers(_) => {
                let mut other = other.clone();
                other.fold_to(self.bits);
                self.spread();
                if let (State::Registers(own), State::Registers(others)) = (&mut self.state, &other.state) {
                    own.iter_mut().zip(others).for_each(|(own, other)| *own = (*own).max(*other));
                }
            }
        }
    }

    /// How many different values there were, about.
    pub(crate) fn estimate(&self) -> f64 {
        match &self.state {
            State::Few(hashes) => hashes.len() as f64,
            State::Registers(registers) => estimate(registers, self.bits),
        }
    }

    /// The sketch as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match &self.state {
            State::Few(hashes) => [0, self.bits].into_iter().chain(hashes.iter().flat_map(|hash| hash.to_le_bytes())).collect(),
            State::Registers(registers) => [1, self.bits].into_iter().chain(registers.iter().copied()).collect(),
        }
    }

    /// The sketch of bytes.
    ///
    /// # Errors
    /// If they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, WHAT);
        let (kind, bits) = (reader.byte()?, reader.byte()?);
        if !BITS.contains(&bits) {
            return Err(damaged(WHAT));
        }
        let state = match kind {
            0 => {
                let mut hashes = reader.words()?;
                hashes.sort_unstable();
                hashes.dedup();
                State::Few(hashes)
            }
            1 => {
                let registers = reader.take(1 << bits)?.to_vec();
                if registers.iter().any(|run| *run > 65 - bits) {
                    return Err(damaged(WHAT));
                }
                State::Registers(registers)
            }
            _ => return Err(damaged(WHAT)),
        };
        if reader.bytes.is_empty() { Ok(Self { bits, state }) } else { Err(damaged(WHAT)) }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.state {
                State::Few(hashes) => hashes.capacity() * 8,
                State::Registers(registers) => registers.capacity(),
            }
    }
}

fn note(registers: &mut [u8], bits: u8, hash: u64) {
    let run = (hash << bits | 1 << (bits - 1)).leading_zeros() as u8 + 1;
    let register = &mut registers[(hash >> (64 - bits)) as usize];
    *register = run.max(*register);
}

fn estimate(registers: &[u8], bits: u8) -> f64 {
    let size = registers.len() as f64;
    let longest = 64 - usize::from(bits);
    let mut counts = vec![0_u32; longest + 2];
    registers.iter().for_each(|run| counts[usize::from(*run).min(longest + 1)] += 1);
    let mut weight = size * tau(1.0 - f64::from(counts[longest + 1]) / size);
    for count in counts[1..=longest].iter().rev() {
        weight = 0.5 * (weight + f64::from(*count));
    }
    weight += size * sigma(f64::from(counts[0]) / size);
    size * size / (2.0 * std::f64::consts::LN_2 * weight)
}

/// The weight of empty registers.
fn sigma(mut share: f64) -> f64 {
    if share == 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, share);
    loop {
        share *= share;
        let before = sum;
        sum += share * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

/// The weight of registers with the longest runs.
fn tau(mut share: f64) -> f64 {
    if share == 0.0 || share == 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - share);
    loop {
        share = share.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - share).powi(2) * factor;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash_of;
    use super::*;
    use crate::expr::functions::value::Value;

    fn of(numbers: std::ops::Range<i64>, bits: u8) -> Hll {
        let mut sketch = Hll::new(bits);
        numbers.for_each(|number| sketch.add(hash_of(&Value::Int(number))));
        sketch
    }

    #[test]
    fn estimates_stay_near() {
        for bits in [4, 8, 12, 16] {
            for count in [0, 1, 64, 65, 500, 2_500, 10_000, 20_000, 100_000] {
                let found = of(0..count, bits).estimate();
                let allowed = 4.0 * 1.04 / f64::from(1_u32 << bits).sqrt() * count as f64;
                assert!((found - count as f64).abs() <= allowed, "{found} for {count} with {bits} bits");
            }
        }
    }

    #[test]
    fn merging_is_seeing_all_values() {
        for (left, right) in [(12, 12), (14, 10), (10, 14), (4, 21)] {
            for count in [10, 60, 5_000] {
                let mut merged = of(0..count, left);
                merged.merge(&of(count / 2..count * 2, right));
                let mut whole = of(0..count * 2, left.min(right));
                whole.merge(&Hll::new(21));
                assert_eq!(merged, whole, "{left} {right} {count}");
                assert_eq!(Hll::from_bytes(&merged.to_bytes()).unwrap(), merged);
            }
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for bytes in [
            &[][..],
            &[0],
            &[0, 3],
            &[0, 12, 1],
            &[1, 12, 0],
            &[2, 12],
            &[1, 4, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(Hll::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }
}
