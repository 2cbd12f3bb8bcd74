//! Predicates over one window of rows: which first, on which rows, and when to give one up.

use super::condition::Condition;
use crate::column::{Column, Selection};
use crate::error::Result;
use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use std::sync::Arc;
use std::time::Instant;

/// A predicate sees picked rows only when fewer than one in this many are left. Guessed.
const SPARSE_ONE_IN: usize = 4;
/// A runtime filter is judged after this many windows. From the design: "a few chunks".
const TRIAL_WINDOWS: u64 = 4;
/// A runtime filter that passes a larger share than this is dropped. Guessed; between the half that
/// costs and the share that a probe of the join would pay for.
const USELESS_SHARE: f64 = 0.75;
/// Predicates are put in order again after this many windows. Guessed.
const REORDER_WINDOWS: u64 = 16;

/// The predicates of one cursor with what it has seen of them.
pub(super) struct Filters {
    /// May run in any order.
    free: Vec<Filter>,
    /// Run after the others, in written order, on rows that passed.
    fallible: Vec<Filter>,
    windows: u64,
}

struct Filter {
    condition: Arc<Condition>,
    windows: u64,
    seen: u64,
    passed: u64,
    nanoseconds: u64,
    dropped: bool,
}

/// What a window's predicates leave.
pub(super) enum Survivors {
    /// Every row.
    All,
    /// No row.
    None,
    /// The rows whose bit is set, and how many.
    Some(BooleanBuffer, usize),
}

impl Filters {
    /// `conditions` in written order. Those that cannot fail start in the order that other cursors of
    /// the scan found best, unknown ones by what their columns cost.
    pub(super) fn new(conditions: impl Iterator<Item = Arc<Condition>>, cost: impl Fn(usize) -> u64) -> Self {
        let filter = |condition| Filter { condition, windows: 0, seen: 0, passed: 0, nanoseconds: 0, dropped: false };
        let (fallible, mut free): (Vec<Filter>, Vec<Filter>) =
            conditions.map(filter).partition(|filter| filter.condition.predicate.is_fallible());
        free.sort_by_key(|filter| filter.condition.predicate.columns().iter().map(|column| cost(*column)).sum::<u64>());
        if free.iter().all(|filter| filter.condition.learned().0 > 0 || !filter.applies()) {
            free.sort_by(|a, b| a.learned_rank().total_cmp(&b.learned_rank()));
        }
        Self { free, fallible, windows: 0 }
    }

    /// Whether there is nothing to evaluate.
    pub(super) fn is_empty(&self) -> bool {
        self.free.is_empty() && self.fallible.is_empty()
    }

    /// Columns of the predicates that can be evaluated now.
    pub(super) fn columns(&self) -> Vec<usize> {
        let filters = self.free.iter().chain(&self.fallible).filter(|filter| filter.applies());
        let mut columns: Vec<usize> = filters.flat_map(|filter| filter.condition.predicate.columns().iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Evaluates the predicates over a window of `rows` rows. `column` gives a column of the window.
    pub(super) fn apply(&mut self, rows: usize, column: &mut dyn FnMut(usize) -> Result<Column>) -> Result<Survivors> {
        self.windows += 1;
        if self.windows.is_multiple_of(REORDER_WINDOWS) {
            self.free.sort_by(|a, b| a.rank().total_cmp(&b.rank()));
        }
        let mut mask: Option<BooleanBuffer> = None;
        let mut left = rows;
        for filter in self.free.iter_mut().chain(&mut self.fallible).filter(|filter| filter.applies()) {
            let start = Instant::now();
            let predicate = &filter.condition.predicate;
            let columns = predicate.columns().iter().map(|at| column(*at)).collect::<Result<Vec<_>>>()?;
            let picked = mask.as_ref().filter(|_| predicate.is_fallible() || left * SPARSE_ONE_IN < rows);
            let seen = left;
            let next = match picked {
                Some(known) => {
                    let selection = Arc::new(Selection::from_mask(known.clone()));
                    let columns = columns.iter().map(|column| column.select(&selection)).collect::<Result<Vec<_>>>()?;
                    spread(known, &predicate.evaluate(&columns, left)?)
                }
                None => {
                    let passed = predicate.evaluate(&columns, rows)?;
                    mask.as_ref().map_or_else(|| passed.clone(), |known| known & &passed)
                }
            };
            left = next.count_set_bits();
            mask = Some(next);
            filter.learn(seen, left, start);
            if left == 0 {
                return Ok(Survivors::None);
            }
        }
        Ok(match mask {
            Some(mask) if left < rows => Survivors::Some(mask, left),
            _ => Survivors::All,
        })
    }
}

impl Filter {
    fn applies(&self) -> bool {
        !self.dropped && self.condition.predicate.is_ready()
    }

    fn learn(&mut self, seen: usize, passed: usize, start: Instant) {
        let spent = start.elapsed().as_nanos() as u64;
        self.windows += 1;
        self.seen += seen as u64;
        self.passed += passed as u64;
        self.nanoseconds += spent;
        self.condition.learn(seen as u64, passed as u64, spent);
        let share = self.passed as f64 / self.seen.max(1) as f64;
        self.dropped = self.condition.runtime && self.windows >= TRIAL_WINDOWS && share > USELESS_SHARE;
    }

    fn rank(&self) -> f64 {
        rank(self.seen, self.passed, self.nanoseconds)
    }

    fn learned_rank(&self) -> f64 {
        let (seen, passed, nanoseconds) = self.condition.learned();
        rank(seen, passed, nanoseconds)
    }
}

/// Time spent for each row rejected: the smaller the earlier.
fn rank(seen: u64, passed: u64, nanoseconds: u64) -> f64 {
    if seen == 0 {
        return 0.0;
    }
    nanoseconds as f64 / (seen.saturating_sub(passed) as f64 + 0.01 * seen as f64)
}

/// The rows of `mask` whose bit in `picked` (one a row of the mask) is set.
fn spread(mask: &BooleanBuffer, picked: &BooleanBuffer) -> BooleanBuffer {
    let mut out = BooleanBufferBuilder::new(mask.len());
    out.append_n(mask.len(), false);
    for (index, row) in mask.set_indices().enumerate() {
        if picked.value(index) {
            out.set_bit(row, true);
        }
    }
    out.finish()
}
