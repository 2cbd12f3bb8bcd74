//! Ranks and quantiles of many values: a KLL sketch.
//!
//! Values come into the lowest of several levels, where each counts 2^level times. A level that is
//! full is sorted, and every other value of it, starting at the first or the second, moves up; the
//! rest goes. Higher levels have more room, so most of what is kept counts the most.
//!
//! ```text
//!   level 2   ■ ■ ■ ■ ■ ■     each stands for 4 values
//!   level 1   ■ ■ ■ ■         2
//!   level 0   ■ ■             1  <─ new values
//! ```
//!
//! Cost: about 3k values of 8 bytes; the error of a rank is about 2.3 / k, 1.3% for k = 200. Exact as
//! long as nothing has moved up. Which half goes alternates, so results can be repeated.
//! Values are kept as words that compare as they do.
//!
//! Z. Karnin, K. Lang, E. Liberty, Optimal quantile approximation in streams (2016).

use super::{Reader, damaged};
use crate::error::Result;

/// Spark's limits for k.
pub(crate) const SIZES: std::ops::RangeInclusive<u16> = 8..=65535;
/// Spark's default.
pub(crate) const DEFAULT_SIZE: u16 = 200;
/// A level has at least this much room: from the paper's follow-up implementations.
const ROOM_MIN: usize = 8;
const WHAT: &str = "kll";

/// Of which type the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KllKind {
    /// BIGINT.
    Bigint,
    /// FLOAT.
    Float,
    /// DOUBLE.
    Double,
}

/// One sketch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kll {
    kind: KllKind,
    size: u16,
    count: u64,
    lowest: u64,
    highest: u64,
    levels: Vec<Vec<u64>>,
    /// Whether the next compaction keeps the odd places.
    odd: bool,
}

/// A whole number as a word that compares as it does.
pub(crate) fn word_of_int(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}

/// And back.
pub(crate) fn int_of_word(word: u64) -> i64 {
    (word ^ 1 << 63) as i64
}

/// A double as a word that compares as it does.
pub(crate) fn word_of_double(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// And back.
pub(crate) fn double_of_word(word: u64) -> f64 {
    f64::from_bits(if word >> 63 == 1 { word & !(1 << 63) } else { !word })
}

impl Kll {
    /// Of nothing; `size` is k.
    pub(crate) fn new(kind: KllKind, size: u16) -> Self {
        let size = size.max(*SIZES.start());
        Self { kind, size, count: 0, lowest: u64::MAX, highest: 0, levels: vec![Vec::new()], odd: false }
    }

    /// Of which type the values are.
    pub(crate) fn kind(&self) -> KllKind {
        self.kind
    }

    /// How many values there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What k is.
    pub(crate) fn size(&self) -> u16 {
        self.size
    }

    /// How many values are kept.
    pub(crate) fn kept(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// The smallest and the largest value; None before there is one.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        (self.count > 0).then_some((self.lowest, self.highest))
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, word: u64) {
        self.count += 1;
        self.lowest = self.lowest.min(word);
        self.highest = self.highest.max(word);
        self.levels[0].push(word);
        if self.levels[0].len() >= self.room(0) && self.kept() > self.all_room() {
            self.compact();
        }
    }

    /// Room of a level: two thirds of that of the one above.
    fn room(&self, level: usize) -> usize {
        let depth = (self.levels.len() - 1 - level) as i32;
        ((f64::from(self.size) * (2.0_f64 / 3.0).powi(depth)).ceil() as usize).max(ROOM_MIN)
    }

    fn all_room(&self) -> usize {
        (0..self.levels.len()).map(|level| self.room(level)).sum()
    }

    /// Moves half of every full level up, lowest first, until there is room again.
    fn compact(&mut self) {
        while self.kept() > self.all_room() {
            let Some(level) = (0..self.levels.len()).find(|level| self.levels[*level].len() >= self.room(*level)) else { return };
            if level + 1 == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let mut values = std::mem::take(&mut self.levels[level]);
            values.sort_unstable();
            // One value of an odd number stays where it is.
            if values.len() % 2 == 1
                && let Some(last) = values.pop()
            {
                self.levels[level].push(last);
            }
            let moved = values.iter().skip(usize::from(self.odd)).step_by(2).copied();
            self.levels[level + 1].extend(moved);
            self.odd = !self.odd;
        }
    }

    /// Adds all that the other one has seen; the smaller k decides.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.size = self.size.min(other.size);
        self.count += other.count;
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
        if self.levels.len() < other.levels.len() {
            self.levels.resize(other.levels.len(), Vec::new());
        }
        self.levels.iter_mut().zip(&other.levels).for_each(|(own, others)| own.extend(others));
        self.compact();
    }

    /// The values kept, in order, each with how many there are up to and with it.
    fn sorted(&self) -> Vec<(u64, u64)> {
        let weighed = self.levels.iter().enumerate().flat_map(|(level, words)| words.iter().map(move |word| (*word, 1 << level)));
        let mut sorted: Vec<(u64, u64)> = weighed.collect();
        sorted.sort_unstable();
        let mut total = 0;
        for (_, weight) in &mut sorted {
            total += *weight;
            *weight = total;
        }
        sorted
    }

    /// The value up to which a share of all lies, from 0 to 1; None before there is one.
    pub(crate) fn quantiles(&self, shares: &[f64]) -> Option<Vec<u64>> {
        let sorted = self.sorted();
        let total = sorted.last()?.1;
        let at = |share: &f64| {
            if *share <= 0.0 {
                return self.lowest;
            }
            if *share >= 1.0 {
                return self.highest;
            }
            let place = ((share * total as f64).ceil() as u64).clamp(1, total);
            sorted[sorted.partition_point(|(_, up_to)| *up_to < place).min(sorted.len() - 1)].0
        };
        Some(shares.iter().map(at).collect())
    }

    /// The share of values up to and with this one; None before there is one.
    pub(crate) fn rank(&self, word: u64) -> Option<f64> {
        let sorted = self.sorted();
        let total = sorted.last()?.1;
        let below = sorted.partition_point(|(known, _)| *known <= word);
        Some(if below == 0 { 0.0 } else { sorted[below - 1].1 as f64 / total as f64 })
    }

    /// The sketch as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            KllKind::Bigint => 0,
            KllKind::Float => 1,
            KllKind::Double => 2,
        };
        let mut bytes = vec![kind, u8::from(self.odd), self.levels.len() as u8];
        for word in [u64::from(self.size), self.count, self.lowest, self.highest] {
            bytes.extend(word.to_le_bytes());
        }
        for level in &self.levels {
            bytes.extend((level.len() as u64).to_le_bytes());
            bytes.extend(level.iter().flat_map(|word| word.to_le_bytes()));
        }
        bytes
    }

    /// The sketch of bytes.
    ///
    /// # Errors
    /// If they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, WHAT);
        let kind = match reader.byte()? {
            0 => KllKind::Bigint,
            1 => KllKind::Float,
            2 => KllKind::Double,
            _ => return Err(damaged(WHAT)),
        };
        let (odd, depth) = (reader.byte()? == 1, reader.byte()?);
        let size = u16::try_from(reader.word()?).ok().filter(|size| SIZES.contains(size)).ok_or_else(|| damaged(WHAT))?;
        let (count, lowest, highest) = (reader.word()?, reader.word()?, reader.word()?);
        let mut levels = Vec::new();
        for _ in 0..depth {
            let length = usize::try_from(reader.word()?).ok().and_then(|length| length.checked_mul(8));
            let words = reader.take(length.ok_or_else(|| damaged(WHAT))?)?;
            levels.push(Reader::new(words, WHAT).words()?);
        }
        let weights = levels.iter().enumerate().map(|(level, words)| (words.len() as u64).checked_shl(level as u32));
        let total = weights.into_iter().try_fold(0_u64, |total, weight| total.checked_add(weight?));
        if levels.is_empty() || depth > 60 || !reader.bytes.is_empty() || total != Some(count) {
            return Err(damaged(WHAT));
        }
        Ok(Self { kind, size, count, lowest, highest, levels, odd })
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.levels.iter().map(|level| level.capacity() * 8 + 24).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: impl Iterator<Item = i64>, size: u16) -> Kll {
        let mut sketch = Kll::new(KllKind::Bigint, size);
        numbers.for_each(|number| sketch.add(word_of_int(number)));
        sketch
    }

    #[test]
    fn ranks_and_quantiles_stay_near() {
        // Scattered by a step that shares no factor with the count.
        for (count, step) in [(10_i64, 7), (1_000, 617), (100_000, 61_803)] {
            let sketch = of((0..count).map(|number| number * step % count), 200);
            assert_eq!(sketch.count(), count as u64);
            for share in [0.0, 0.01, 0.25, 0.5, 0.9, 1.0] {
                let value = int_of_word(sketch.quantiles(&[share]).unwrap()[0]);
                assert!((value as f64 / count as f64 - share).abs() < 0.1_f64.max(0.03), "{value} at {share} of {count}");
                let rank = sketch.rank(word_of_int((share * count as f64) as i64)).unwrap();
                assert!((rank - share).abs() < if count == 10 { 0.11 } else { 0.03 }, "{rank} instead of {share} of {count}");
            }
            assert!(sketch.kept() < 1_000);
            assert_eq!(Kll::from_bytes(&sketch.to_bytes()).unwrap(), sketch);
        }
    }

    #[test]
    fn merged_sketches_count_everything() {
        let mut merged = of(0..5_000, 200);
        merged.merge(&of(5_000..20_000, 100));
        assert_eq!(merged.count(), 20_000);
        let median = int_of_word(merged.quantiles(&[0.5]).unwrap()[0]);
        assert!((9_000..11_000).contains(&median), "{median}");
        assert_eq!(merged.range(), Some((word_of_int(0), word_of_int(19_999))));
        assert_eq!(Kll::new(KllKind::Double, 200).quantiles(&[0.5]), None);
    }

    #[test]
    fn words_compare_as_their_values() {
        let doubles = [f64::NEG_INFINITY, -1.5, -0.0, 1e-300, 2.0, f64::INFINITY];
        assert!(doubles.map(word_of_double).is_sorted());
        assert!(doubles.iter().all(|value| double_of_word(word_of_double(*value)) == *value));
        assert!([i64::MIN, -1, 0, i64::MAX].map(word_of_int).is_sorted());
        assert!(Kll::from_bytes(&[0, 0, 1]).is_err());
    }
}
