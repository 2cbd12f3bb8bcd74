//! Predicates that a scan may evaluate early, as the layers below expressions see them.

use super::bounds::{Bounds, Truth};
use crate::column::Column;
use crate::error::Result;
use arrow::buffer::BooleanBuffer;
use std::fmt::Debug;

/// Values that [`ScanPredicate::equal_to_any`] lists, at most: each is looked up in every Bloom filter.
/// Computed: with the usual 1% of false positives, 64 values that are not there are found missing
/// with a chance of one half.
pub const LISTED_VALUES_MAX: usize = 64;

/// A condition on some columns of a table. Implemented by compiled expressions and by the runtime
/// filters that joins publish while they run.
pub trait ScanPredicate: Debug + Send + Sync {
    /// The columns it reads: positions in the table's schema, without repeats.
    fn columns(&self) -> &[usize];

    /// How EXPLAIN prints it.
    fn describe(&self) -> String;

    /// Whether it can be evaluated yet. A runtime filter is ready when its join has built; once
    /// ready it stays so. A filter that turned out useless may say no again.
    fn is_ready(&self) -> bool {
        true
    }

    /// Rises when [`ScanPredicate::check_bounds`] may have come to tell more: a runtime filter that
    /// was published, a bound that went down.
    fn version(&self) -> u64 {
        u64::from(self.is_ready())
    }

    /// Whether evaluation can fail on a value (casts, arithmetic). A fallible predicate must not be
    /// evaluated on rows that a predicate before it in the list rejects.
    fn is_fallible(&self) -> bool {
        false
    }

    /// Whether the scan had better visit zones with small (`Some(false)`) or large (`Some(true)`)
    /// values of `columns()[0]` first, because the predicate then comes to reject more.
    fn best_first(&self) -> Option<bool> {
        None
    }

    /// What bounds alone tell. `Truth::Always` and `Truth::Never` must be certain.
    fn check_bounds(&self, zone: &dyn Bounds) -> Truth {
        let _ = zone;
        Truth::Unknown
    }

    /// The values one of which the column at `columns()[0]` must have, if the predicate is such a
    /// list (`=`, `IN`, a runtime filter of few keys): for Bloom filters. None: not of this kind,
    /// or more than [`LISTED_VALUES_MAX`].
    fn equal_to_any(&self) -> Option<Vec<datafusion_common::ScalarValue>> {
        None
    }

    /// The rows for which the condition is true (not NULL). `columns` holds the columns of
    /// [`ScanPredicate::columns`], in that order, each of `rows` rows.
    fn evaluate(&self, columns: &[Column], rows: usize) -> Result<BooleanBuffer>;
}
