//! Which keys have far more rows than their share.
//!
//! A sample of the rows' key hashes goes through a sketch of a fixed number of counters: a hash that
//! has one is counted, a free counter is taken, and when none is free all are lowered by one. What is
//! left of a counter is at most the lowering short of the truth, so that no key with more than one
//! row in [`COUNTERS`] is missed.
//!
//! ```text
//!   7 7 3 7 9 7 ..  every 64th row ──>  7: 4   3: 1   9: 1   ... ──> 7 has 2/3 of the rows: hot
//! ```
//!
//! Cost: one look-up in a small table for every 64th row, 1 KiB. A NULL key matches nothing and
//! is not counted. After Misra and Gries: Finding repeated elements, 1982.

use crate::layout::Evidence;
use datafusion_common::ScalarValue;
use std::collections::HashMap;

/// Hot keys that are treated apart, at most: each has a partition of its own. Guessed.
pub(super) const HOT_MAX: usize = 16;
/// Counters of a sketch: four for every key that may be hot. Guessed.
const COUNTERS: usize = 64;
/// One row in this many is looked at: a sketch of all keys different then costs a twentieth of
/// putting them into a table, measured on a million keys; every 16th row cost a fifth.
const SAMPLED: usize = 64;
/// Sampled rows below which nothing is concluded. Guessed.
const SAMPLE_MIN: u64 = 64;

/// A key that is known to be hot before anything runs.
#[derive(Debug, Clone)]
pub struct HotKey {
    /// One value for each key of the join, in their SQL types.
    pub values: Vec<ScalarValue>,
    /// Who says so.
    pub evidence: Evidence,
}

impl HotKey {
    /// The values in words: `(1, 'a')`, or one alone.
    pub fn describe(&self) -> String {
        let texts: Vec<String> = self.values.iter().map(ToString::to_string).collect();
        if texts.len() == 1 { texts.concat() } else { format!("({})", texts.join(", ")) }
    }
}

/// How often the most frequent hashes were met.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    counters: HashMap<u64, u64>,
    seen: u64,
    /// Looks at every row and concludes from few: a test setting.
    eager: bool,
}

impl Sketch {
    /// A sketch of a run. `eager`: of every row, and trusted early.
    pub(super) fn new(eager: bool) -> Self {
        Self { eager, ..Self::default() }
    }

    /// Looks at a sample of `rows` rows: `hash` gives the hashes of some of them, `valid` says which
    /// keys are not NULL.
    pub(super) fn add(&mut self, rows: usize, hash: impl Fn(usize) -> u64, valid: impl Fn(usize) -> bool) {
        let step = if self.eager { 1 } else { SAMPLED };
        for row in (0..rows).step_by(step).filter(|row| valid(*row)) {
            self.count(hash(row));
        }
    }

    fn count(&mut self, hash: u64) {
        self.seen += 1;
        if let Some(count) = self.counters.get_mut(&hash) {
            *count += 1;
        } else if self.counters.len() < COUNTERS {
            self.counters.insert(hash, 1);
        } else {
            self.counters.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// Hashes with more than one row in `parts`, the most frequent first.
    pub(super) fn hot(&self, parts: usize) -> Vec<u64> {
        if self.seen < if self.eager { 4 } else { SAMPLE_MIN } {
            return Vec::new();
        }
        let mut hot: Vec<(u64, u64)> = self.counters.iter().map(|(hash, count)| (*count, *hash)).collect();
        hot.retain(|(count, _)| count * parts as u64 > self.seen);
        hot.sort_unstable_by(|a, b| b.cmp(a));
        hot.truncate(HOT_MAX);
        hot.into_iter().map(|(_, hash)| hash).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_key_is_found_among_many() {
        let mut sketch = Sketch::default();
        // One row in three is 7; a row in seven is 11, but its key is NULL; the rest is spread.
        let hash = |row: usize| match row {
            row if row % 3 == 0 => 7,
            row if row % 7 == 0 => 11,
            row => row as u64 + 1000,
        };
        for chunk in 0..20 {
            sketch.add(8192, |row| hash(row + chunk * 8192), |row| hash(row + chunk * 8192) != 11);
        }
        assert_eq!(sketch.hot(16), [7]);
    }

    #[test]
    fn nothing_is_hot_where_all_are_alike_or_few_were_seen() {
        let mut sketch = Sketch::default();
        sketch.add(100, |_| 5, |_| true);
        assert!(sketch.hot(16).is_empty());
        sketch.add(1 << 17, |row| (row / 16 % 1000) as u64, |_| true);
        assert!(sketch.hot(16).is_empty());
        let mut eager = Sketch::new(true);
        eager.add(8, |row| (row % 2) as u64, |_| true);
        assert_eq!(eager.hot(16).len(), 2);
    }
}
