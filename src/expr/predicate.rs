//! Filters: conjuncts tested one after the other.
//!
//! Conjuncts that cannot fail are tested first, in the order of what they cost for each row they
//! reject, measured while the query runs; those that can fail come after, in written order, on rows
//! that all before them accept. While many rows survive, masks of the whole chunk are combined; once
//! few do, the rest is tested on the survivors only.

use super::compile::{Slots, compile};
use super::logic::{true_rows, truth};
use super::vector::ExprRef;
use crate::column::{Chunk, Selection, expand};
use crate::error::Result;
use arrow::buffer::BooleanBuffer;
use datafusion_common::DFSchema;
use datafusion_expr::Expr;
use datafusion_expr::utils::split_conjunction;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Below this share of survivors the next conjunct is tested on survivors only. Guessed.
const SURVIVOR_SHARE: f64 = 0.3;

/// Conditions that all must be true.
#[derive(Debug)]
pub struct Predicate {
    conjuncts: Vec<Conjunct>,
}

#[derive(Debug)]
struct Conjunct {
    expr: ExprRef,
    /// Rows tested, rows accepted, and the time it took, so far.
    rows: AtomicU64,
    accepted: AtomicU64,
    nanos: AtomicU64,
}

impl Conjunct {
    fn new(expr: ExprRef) -> Self {
        Self { expr, rows: AtomicU64::new(0), accepted: AtomicU64::new(0), nanos: AtomicU64::new(0) }
    }

    fn test(&self, chunk: &Chunk) -> Result<BooleanBuffer> {
        let start = Instant::now();
        let mask = true_rows(&truth(&self.expr.evaluate(chunk)?)?);
        self.nanos.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.rows.fetch_add(chunk.rows() as u64, Ordering::Relaxed);
        self.accepted.fetch_add(mask.count_set_bits() as u64, Ordering::Relaxed);
        Ok(mask)
    }

    /// Cost of rejecting a row; untested ones come first so that they are measured.
    fn rank(&self) -> f64 {
        let rows = self.rows.load(Ordering::Relaxed);
        if rows == 0 {
            return 0.0;
        }
        let rejected = 1.0 - self.accepted.load(Ordering::Relaxed) as f64 / rows as f64;
        let cost = self.nanos.load(Ordering::Relaxed) as f64 / rows as f64;
        cost / rejected.max(1e-6)
    }
}

impl Predicate {
    /// Compiles conjuncts, given in written order, over chunks with the columns of `input`.
    pub fn compile(conjuncts: &[Expr], input: &DFSchema, slots: &Slots) -> Result<Self> {
        let parts = conjuncts.iter().flat_map(split_conjunction);
        let exprs = parts.map(|part| compile(part, input, slots)).collect::<Result<Vec<_>>>()?;
        Ok(Self { conjuncts: exprs.into_iter().map(Conjunct::new).collect() })
    }

    /// A single condition.
    pub fn from_expr(expr: ExprRef) -> Self {
        Self { conjuncts: vec![Conjunct::new(expr)] }
    }

    /// The rows for which all conjuncts are true. None: there is no such row.
    pub fn select(&self, chunk: &Chunk) -> Result<Option<Chunk>> {
        if chunk.rows() == 0 {
            return Ok(None);
        }
        let mask = self.mask(chunk)?;
        Ok(match mask.count_set_bits() {
            0 => None,
            all if all == chunk.rows() => Some(chunk.clone()),
            _ => Some(chunk.select(&Arc::new(Selection::from_mask(mask)))?),
        })
    }

    /// The rows for which all conjuncts are true, as a mask.
    pub fn mask(&self, chunk: &Chunk) -> Result<BooleanBuffer> {
        let rows = chunk.rows();
        let mut mask = BooleanBuffer::new_set(rows);
        let mut left = rows;
        for conjunct in self.ordered() {
            if left == 0 {
                break;
            }
            let only_survivors = left < rows && ((left as f64) < SURVIVOR_SHARE * rows as f64 || conjunct.expr.is_fallible());
            mask = if only_survivors {
                let survivors = chunk.select(&Arc::new(Selection::from_mask(mask.clone())))?;
                expand(&mask, &conjunct.test(&survivors)?)
            } else if left == rows {
                conjunct.test(chunk)?
            } else {
                &mask & &conjunct.test(chunk)?
            };
            left = mask.count_set_bits();
        }
        Ok(mask)
    }

    /// SQL-like text for EXPLAIN.
    pub fn describe(&self) -> String {
        self.conjuncts.iter().map(|conjunct| conjunct.expr.describe()).collect::<Vec<_>>().join(" AND ")
    }

    /// Positions of the columns read, without repeats, ascending.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        self.conjuncts.iter().for_each(|conjunct| conjunct.expr.collect_columns(&mut columns));
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Whether some conjunct can fail on a value.
    pub fn is_fallible(&self) -> bool {
        self.conjuncts.iter().any(|conjunct| conjunct.expr.is_fallible())
    }

    fn ordered(&self) -> Vec<&Conjunct> {
        let (fallible, mut safe): (Vec<_>, Vec<_>) = self.conjuncts.iter().partition(|conjunct| conjunct.expr.is_fallible());
        if safe.len() > 1 {
            safe.sort_by_cached_key(|conjunct| (conjunct.rank() * 1e3) as u64);
        }
        safe.extend(fallible);
        safe
    }
}
