//! Pairs of keys that have many rows on both sides, which averages do not show.
//!
//! ```text
//!   by average     left rows x right rows / distinct keys             what statistics tell
//!   frequent keys  sum of (left rows of a key) x (right rows of it)   the larger of the two counts
//! ```
//!
//! Which keys are frequent, and how many rows they have on the other side, is looked up in a sample of
//! the files ([`FileTable::frequent`]), once a column. Filters are taken to leave the same share of all keys.

use crate::catalog::{FileTable, TableHandle};
use crate::layout::KeyPoint;
use crate::optimizer::estimate;
use datafusion_expr::logical_plan::Join;
use datafusion_expr::{Expr, LogicalPlan};
use std::sync::Arc;

/// Inputs with fewer rows are not sampled: the sample would cost as much as the pairs it may save.
/// Guessed.
const SAMPLED_ROWS_MIN: f64 = 500_000.0;

/// A column of files that a join key is.
struct Source {
    table: Arc<FileTable>,
    column: usize,
    /// Share of the table's rows that reach the join.
    share: f64,
}

impl Source {
    fn frequent(&self) -> Vec<(KeyPoint, f64)> {
        let scaled = |(value, rows): (KeyPoint, f64)| (value, rows * self.share);
        self.table.frequent(self.column).into_iter().map(scaled).collect()
    }

    fn rows_with(&self, value: &KeyPoint) -> f64 {
        self.table.rows_with(self.column, value).unwrap_or(1.0) * self.share
    }
}

/// Pairs of frequent keys of the join; 0 where its key is not a column of files, or they are small.
pub(super) fn pairs(join: &Join) -> f64 {
    let [(left_key, right_key)] = join.on.as_slice() else { return 0.0 };
    let (left_rows, right_rows) = (estimate::rows(&join.left), estimate::rows(&join.right));
    if left_rows.max(right_rows) < SAMPLED_ROWS_MIN {
        return 0.0;
    }
    let (Some(left), Some(right)) = (source(&join.left, left_key, left_rows), source(&join.right, right_key, right_rows)) else {
        return 0.0;
    };
    let of_left = left.frequent();
    let of_right = right.frequent();
    let known = |value: &KeyPoint| of_right.iter().find(|(other, _)| other == value).map(|(_, rows)| *rows);
    let on_left = of_left.iter().map(|(value, rows)| rows * known(value).unwrap_or_else(|| right.rows_with(value)));
    let only_right = of_right.iter().filter(|(value, _)| of_left.iter().all(|(other, _)| other != value));
    on_left.chain(only_right.map(|(value, rows)| rows * left.rows_with(value))).sum()
}

/// The values of a key that a sample of the files shows to be frequent. Nothing for a key that is no
/// column of files.
pub fn frequent_keys(input: &LogicalPlan, key: &Expr) -> Vec<KeyPoint> {
    let Some(source) = source(input, key, estimate::rows(input)) else { return Vec::new() };
    source.frequent().into_iter().map(|(value, _)| value).collect()
}

/// Looks for the column of files that a key of `input` is.
fn source(input: &LogicalPlan, key: &Expr, rows: f64) -> Option<Source> {
    let Expr::Column(column) = key else { return None };
    let mut at = input.schema().maybe_index_of_column(column)?;
    let mut node = input;
    loop {
        node = match node {
            LogicalPlan::TableScan(scan) => {
                let TableHandle(table) = scan.source.downcast_ref::<TableHandle>()?;
                let column = scan.projection.as_ref().map_or(Some(at), |projection| projection.get(at).copied())?;
                let all = table.statistics().rows;
                let any: Arc<dyn std::any::Any + Send + Sync> = table.clone();
                let table = any.downcast::<FileTable>().ok()?;
                return Some(Source { table, column, share: (rows / all.max(1.0)).min(1.0) });
            }
            LogicalPlan::Projection(projection) => {
                let Expr::Column(column) = projection.expr.get(at)?.clone().unalias() else { return None };
                at = projection.input.schema().maybe_index_of_column(&column)?;
                &projection.input
            }
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Filter(filter) => &filter.input,
            _ => return None,
        };
    }
}
