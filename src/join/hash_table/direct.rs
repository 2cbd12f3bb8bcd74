//! Tables addressed by the key's value: one integer key whose values lie close together.
//!
//! [`Dense`] has one entry for every value between the smallest and the largest key. [`Ranked`] has
//! one bit, and the number of bits set before it (its rank) names the key: 1.5 bits of memory a
//! value, so that a key column like TPC-H's `o_orderkey` stays in cache. Neither computes a hash
//! nor compares a key.
//!
//! ```text
//!   Dense    key - min ──> starts[k], starts[k + 1]
//!   Ranked   key - min ──> bit set? ──> rank ──> starts[rank], starts[rank + 1]
//! ```
//!
//! Cost: one random access a probe row (Ranked: two, three with duplicates). NULL keys are left out.

use super::super::keys::KeyBatch;
use super::{CHECK_ROWS, Check, NO_MATCH};
use crate::error::Result;

/// One entry a value.
pub(in crate::join) struct Dense {
    min: i64,
    /// One more than values.
    starts: Vec<u32>,
    pub(super) order: Vec<u32>,
    /// No key has two rows.
    pub(super) unique: bool,
}

impl Dense {
    pub(super) fn build(words: &[u64], keys: &KeyBatch, min: i64, span: usize, check: Check) -> Result<Self> {
        let slot = |word: u64| (word as i64).wrapping_sub(min) as usize;
        let Sorted { starts, order, unique } = counting_sort(words, keys, span, slot, check)?;
        Ok(Self { min, starts, order, unique })
    }

    pub(super) fn lookup(&self, words: &[u64], keys: &KeyBatch) -> Vec<(u32, u32)> {
        let span = (self.starts.len() - 1) as u64;
        let find = |word: u64| {
            let slot = (word as i64).wrapping_sub(self.min) as u64;
            if slot < span {
                let (from, to) = (self.starts[slot as usize], self.starts[slot as usize + 1]);
                (from, to - from)
            } else {
                NO_MATCH
            }
        };
        ranges(words, keys, find)
    }

    /// Where each value's rows start, and where the last one's end.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    pub(super) fn bytes(&self) -> usize {
        self.starts.len() * 4
    }
}

/// One bit a value, one entry a key.
pub(in crate::join) struct Ranked {
    min: i64,
    span: u64,
    /// 64 values each.
    bits: Vec<u64>,
    /// Bits set before each word.
    ranks: Vec<u32>,
    /// One more than keys; empty when every key has one row.
    starts: Vec<u32>,
    pub(super) order: Vec<u32>,
}

impl Ranked {
    pub(super) fn build(words: &[u64], keys: &KeyBatch, min: i64, span: usize, check: Check) -> Result<Self> {
        let mut bits = vec![0u64; span.div_ceil(64)];
        let offset = |word: u64| (word as i64).wrapping_sub(min) as usize;
        for (row, word) in words.iter().enumerate() {
            if row % CHECK_ROWS == 0 {
                check()?;
            }
            if keys.is_valid(row) {
                bits[offset(*word) / 64] |= 1 << (offset(*word) % 64);
            }
        }
        let mut ranks = Vec::with_capacity(bits.len());
        let mut distinct = 0;
        for word in &bits {
            ranks.push(distinct);
            distinct += word.count_ones();
        }
        let rank = |word: u64| {
            let at = offset(word);
            (ranks[at / 64] + (bits[at / 64] & ((1 << (at % 64)) - 1)).count_ones()) as usize
        };
        let Sorted { mut starts, order, unique } = counting_sort(words, keys, distinct as usize, rank, check)?;
        if unique {
            starts = Vec::new();
        }
        Ok(Self { min, span: span as u64, bits, ranks, starts, order })
    }

    pub(super) fn lookup(&self, words: &[u64], keys: &KeyBatch) -> Vec<(u32, u32)> {
        let find = |word: u64| {
            let at = (word as i64).wrapping_sub(self.min) as u64;
            if at >= self.span {
                return NO_MATCH;
            }
            let (word, bit) = ((at / 64) as usize, at % 64);
            let bits = self.bits[word];
            if bits >> bit & 1 == 0 {
                return NO_MATCH;
            }
            let rank = self.ranks[word] + (bits & ((1 << bit) - 1)).count_ones();
            if self.starts.is_empty() {
                return (rank, 1);
            }
            let from = self.starts[rank as usize];
            (from, self.starts[rank as usize + 1] - from)
        };
        ranges(words, keys, find)
    }

    /// Whether no key has two rows.
    pub(super) fn unique(&self) -> bool {
        self.starts.is_empty()
    }

    /// Where each key's rows start; empty when every key has one row.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.len() * 8 + self.ranks.len() * 4 + self.starts.len() * 4
    }
}

fn ranges(words: &[u64], keys: &KeyBatch, find: impl Fn(u64) -> (u32, u32)) -> Vec<(u32, u32)> {
    match &keys.valid {
        None => words.iter().map(|word| find(*word)).collect(),
        Some(valid) => words.iter().zip(valid.iter()).map(|(word, valid)| if valid { find(*word) } else { NO_MATCH }).collect(),
    }
}

/// Rows by slot, and where each slot starts.
struct Sorted {
    starts: Vec<u32>,
    order: Vec<u32>,
    /// No slot has two rows.
    unique: bool,
}

fn counting_sort(words: &[u64], keys: &KeyBatch, slots: usize, slot: impl Fn(u64) -> usize, check: Check) -> Result<Sorted> {
    let mut starts = vec![0u32; slots + 1];
    let mut total = 0;
    for (row, word) in words.iter().enumerate() {
        if row % CHECK_ROWS == 0 {
            check()?;
        }
        if keys.is_valid(row) {
            starts[slot(*word)] += 1;
            total += 1;
        }
    }
    // Each count becomes the end of its slot; filling from the last row on brings it to the start.
    let (mut end, mut most) = (0, 0);
    for start in &mut starts {
        most = most.max(*start);
        end += *start;
        *start = end;
    }
    let mut order = vec![0u32; total];
    for (row, word) in words.iter().enumerate().rev() {
        if row % CHECK_ROWS == 0 {
            check()?;
        }
        if keys.is_valid(row) {
            let at = &mut starts[slot(*word)];
            *at -= 1;
            order[*at as usize] = row as u32;
        }
    }
    Ok(Sorted { starts, order, unique: most <= 1 })
}
