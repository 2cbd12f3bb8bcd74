//! Predicates over one window of rows: which first, on which rows, and when to give one up.

use super::condition::Condition;
use crate::column::{Column, Selection, expand};
use crate::error::Result;
use arrow::buffer::BooleanBuffer;
use std::sync::{Arc, OnceLock};
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
    /// Some rows.
    Some(Arc<Left>),
}

/// Rows of a window that are left.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) mask: BooleanBuffer,
    pub(super) count: usize,
    selection: OnceLock<Arc<Selection>>,
}

/// The columns of a window of rows.
pub(super) trait WindowColumns {
    /// Every row of a column of the table.
    fn all(&mut self, column: usize) -> Result<Column>;

    /// The rows of it that are left.
    fn left(&mut self, column: usize, left: &Arc<Left>) -> Result<Column>;
}

impl Left {
    fn new(mask: BooleanBuffer, count: usize) -> Arc<Self> {
        Arc::new(Self { mask, count, selection: OnceLock::new() })
    }

    /// The rows' numbers, which all columns share.
    pub(super) fn selection(&self) -> &Arc<Selection> {
        self.selection.get_or_init(|| Arc::new(Selection::from_mask(self.mask.clone())))
    }
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

    /// Evaluates the predicates over a window of `rows` rows.
    pub(super) fn apply(&mut self, rows: usize, columns: &mut dyn WindowColumns) -> Result<Survivors> {
        self.windows += 1;
        if self.windows.is_multiple_of(REORDER_WINDOWS) {
            self.free.sort_by(|a, b| a.rank().total_cmp(&b.rank()));
        }
        let mut left: Option<Arc<Left>> = None;
        let mut seen = rows;
        for filter in self.free.iter_mut().chain(&mut self.fallible).filter(|filter| filter.applies()) {
            let start = Instant::now();
            let predicate = &filter.condition.predicate;
            let read = predicate.columns().iter();
            let picked = left.as_ref().filter(|_| predicate.is_fallible() || seen * SPARSE_ONE_IN < rows);
            let mask = match picked {
                Some(known) => {
                    let read = read.map(|at| columns.left(*at, known)).collect::<Result<Vec<_>>>()?;
                    expand(&known.mask, &predicate.evaluate(&read, seen)?)
                }
                None => {
                    let read = read.map(|at| columns.all(*at)).collect::<Result<Vec<_>>>()?;
                    let passed = predicate.evaluate(&read, rows)?;
                    left.as_ref().map_or_else(|| passed.clone(), |known| &known.mask & &passed)
                }
            };
            let passed = mask.count_set_bits();
            filter.learn(seen, passed, start);
            if passed == 0 {
                return Ok(Survivors::None);
            }
            if passed < seen {
                (left, seen) = (Some(Left::new(mask, passed)), passed);
            }
        }
        Ok(left.map_or(Survivors::All, Survivors::Some))
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
