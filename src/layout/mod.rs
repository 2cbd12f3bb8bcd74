//! What is known of how rows lie in files, and how surely.
//!
//! [`Layout`] is a delivered property: every plan node says what its output keeps of it. The facts
//! come from footers, file names, directories and declarations, each with its [`Evidence`].

mod bounds;
mod predicate;

pub use bounds::{Bounds, ColumnBounds, Truth};
pub use predicate::{LISTED_VALUES_MAX, ScanPredicate};

/// How surely a fact is known, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// The DDL or a footer says so.
    Declared,
    /// Concluded from file names or a sample.
    Inferred,
    /// All footers agree.
    FooterChecked,
    /// Every row was checked, in this query or an earlier one on the same file identity.
    Verified,
}

/// What is known of the rows of an input or of an operator's output. Columns are positions in the
/// schema of the node that delivers it.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Per column, what bounds say, in the order of the schema; shorter when nothing is known.
    pub columns: Vec<ColumnStatistics>,
    /// Hive partition columns.
    pub partition_columns: Vec<usize>,
    /// Columns the whole output is sorted by, major first.
    pub order: Vec<SortColumn>,
}

/// A column of a sort order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortColumn {
    /// Position in the schema.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
    /// NULLs before everything else.
    pub nulls_first: bool,
    /// How surely the order is known.
    pub evidence: Evidence,
}

/// Statistics of one column of a table or of an operator's output, as estimates need them.
#[derive(Debug, Clone, Default)]
pub struct ColumnStatistics {
    /// The smallest value or a lower bound.
    pub min: Option<datafusion_common::ScalarValue>,
    /// The largest value or an upper bound.
    pub max: Option<datafusion_common::ScalarValue>,
    /// Rows that are NULL.
    pub null_count: Option<f64>,
    /// Distinct values, estimated.
    pub distinct: Option<f64>,
    /// Bytes a value takes on average, in memory.
    pub width: Option<f64>,
}
