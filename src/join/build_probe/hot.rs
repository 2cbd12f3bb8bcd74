//! Hot keys of a running join: which they are, and their build rows side by side.
//!
//! ```text
//!   partitions    0 1 2 .. 15 | 16 17 .. 31 | 32        spilled: by hash first, hot keys last
//!                   by hash   |  hot keys   | NULL      (NULL keys before all)
//!
//!   order         .. [7 7 7 7] .. [9 9] ..              rows of a key by number
//!   hot columns      [7 7 7 7]                          the rows themselves, if they are many
//! ```
//!
//! Which keys have a partition of their own is settled before the first partition goes to disk and
//! does not change after that: a key's rows must all go the same way.

use super::super::hot_keys::{HOT_MAX, HotKey, Sketch};
use super::super::keys::{KeyBatch, KeySide};
use super::{Block, Joint, Method};
use crate::error::Result;
use crate::exec::QueryContext;
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use parking_lot::Mutex;
use std::sync::OnceLock;

/// Partitions beside those by hash: of hot keys, and of NULL.
pub(super) const APART: usize = HOT_MAX + 1;
/// Rows of one key from which on they are copied side by side: chunks of pairs are then no smaller
/// than this, for which their fixed cost of some microseconds is little. Guessed.
const RUN_ROWS: usize = 1024;

/// What is known of hot keys, by hash.
#[derive(Default)]
pub(super) struct Hot {
    declared: Vec<u64>,
    /// Whether the plan expects hot keys, so that they are looked for from the start.
    expected: bool,
    sketch: Mutex<Option<Sketch>>,
    settled: OnceLock<Vec<u64>>,
}

impl Hot {
    /// The hot keys known before; at most [`HOT_MAX`] of them count.
    pub(super) fn new(known: &[HotKey], keys: &KeySide) -> Result<Self> {
        let mut declared = Vec::new();
        for key in known.iter().take(HOT_MAX) {
            declared.extend(keys.hash_of(&key.values)?);
        }
        Ok(Self { declared, ..Self::default() })
    }

    pub(super) fn expect(&mut self, expected: bool) {
        self.expected = expected;
    }
}

impl Joint {
    /// The partition of a key that is not NULL.
    pub(super) fn place(&self, hash: u64) -> usize {
        match self.hot.settled.get().and_then(|hot| hot.iter().position(|known| *known == hash)) {
            Some(at) => self.partitions + at,
            None => Self::partition(hash, 0, self.partitions),
        }
    }

    /// The partition of NULL keys that come out by themselves.
    pub(super) fn null_place(&self) -> usize {
        self.partitions + HOT_MAX
    }

    /// One bit for every partition that probe rows may belong to.
    pub(super) fn every_partition(&self) -> u64 {
        let count = self.partitions + self.hot.settled.get().map_or(0, Vec::len);
        u64::MAX >> (64 - count as u32)
    }

    /// Looks at the keys of a build chunk, if hot keys are expected.
    pub(super) fn sketch_build(&self, keys: &KeyBatch, query: &QueryContext) {
        if self.hot.expected && self.hot.settled.get().is_none() {
            let mut sketch = self.hot.sketch.lock();
            let sketch = sketch.get_or_insert_with(|| Sketch::new(query.always_spill));
            sketch.add(keys.len(), |row| keys.data.hash_row(row, query.constant_hash), |row| keys.is_valid(row));
        }
    }

    /// Settles which keys are hot, if it is not yet. `sample` shows a sketch what is at hand.
    pub(super) fn settle_hot(&self, sample: impl FnOnce(&mut Sketch, bool), query: Option<&QueryContext>) {
        if self.method != Method::Hash {
            return;
        }
        self.hot.settled.get_or_init(|| {
            let mut sketch = self.hot.sketch.lock().take().unwrap_or_else(|| {
                let mut sketch = Sketch::new(query.is_some_and(|query| query.always_spill));
                sample(&mut sketch, query.is_some_and(|query| query.constant_hash));
                sketch
            });
            let constant = query.is_some_and(|query| query.constant_hash);
            let mut hot = if constant { Vec::new() } else { self.hot.declared.clone() };
            for hash in std::mem::take(&mut sketch).hot(self.partitions) {
                if !hot.contains(&hash) && hot.len() < HOT_MAX {
                    hot.push(hash);
                }
            }
            self.counters.hot_keys.raise_to(hot.len() as u64);
            if !hot.is_empty() && !self.hot.expected {
                self.metrics.note("switch: hot keys were found; each gets a partition of its own".to_owned());
            }
            hot
        });
    }

    /// Copies the rows of the block's hot keys side by side, if pairs of them are wanted and memory
    /// allows.
    pub(super) fn find_hot_runs(&self, block: &mut Block, query: &QueryContext) -> Result<()> {
        let wanted = self.method == Method::Hash && (self.assembler.shape.pairs || self.assembler.residual.is_some());
        if !wanted || self.assembler.is_narrow() || query.chunk_rows < 2 {
            return Ok(());
        }
        let runs = block.table.longest(RUN_ROWS.min(query.chunk_rows), HOT_MAX);
        let rows: usize = runs.iter().map(|(_, len)| *len as usize).sum();
        if rows == 0 {
            return Ok(());
        }
        self.counters.hot_keys.raise_to(runs.len() as u64);
        let bytes: usize = block.columns.iter().map(crate::column::array_bytes).sum();
        let bytes = bytes / block.rows.max(1) * rows;
        if !block._memory.as_mut().is_none_or(|memory| memory.try_grow(bytes)) {
            return Ok(());
        }
        let mut order = Vec::with_capacity(rows);
        let mut placed = Vec::with_capacity(runs.len());
        for (start, len) in runs {
            placed.push((start, order.len()));
            order.extend_from_slice(&block.table.order()[start as usize..][..len as usize]);
        }
        let order = UInt32Array::from(order);
        let columns = block.columns.iter().map(|column| compute::take(column, &order, None));
        block.hot = HotRuns { placed, columns: columns.collect::<Result<_, _>>()? };
        self.counters.hot_rows.add(rows as u64);
        if !self.hot.expected {
            self.metrics.note("switch: hot keys were found; their rows are joined by slices".to_owned());
        }
        Ok(())
    }
}

/// Rows of hot keys, side by side.
#[derive(Default)]
pub(in crate::join) struct HotRuns {
    /// Where a key's rows start in the table's order, and here; by the former.
    placed: Vec<(u32, usize)>,
    /// The build side's columns, for these rows.
    pub(super) columns: Vec<ArrayRef>,
}

impl HotRuns {
    /// Where the rows lie that start at `start` in the table's order, if they are here.
    pub(super) fn find(&self, start: u32) -> Option<usize> {
        let at = self.placed.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        Some(self.placed[at].1)
    }
}
