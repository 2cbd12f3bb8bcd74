//! What zones tell of a column's values without reading them.

use datafusion_common::ScalarValue;

/// Bounds of one column over some rows. They are trusted as bounds, not as values: the smallest
/// value may be larger than `min`.
#[derive(Debug, Clone, Default)]
pub struct ColumnBounds {
    /// No value is smaller. None: not known, or all rows are NULL.
    pub min: Option<ScalarValue>,
    /// No value is larger, except NaN, of which bounds never tell.
    pub max: Option<ScalarValue>,
    /// Rows that are NULL, exactly.
    pub null_count: Option<u64>,
}

/// Bounds of the columns of a zone: a file, a row group or a page.
pub trait Bounds {
    /// Rows in the zone.
    fn rows(&self) -> u64;

    /// Bounds of a column, by its position in the table's schema, in the column's SQL type.
    fn column(&self, column: usize) -> ColumnBounds;
}

/// What a predicate is over all rows of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// False or NULL for every row: the zone can be skipped.
    Never,
    /// True for every row: the zone need not be filtered.
    Always,
    /// Not known.
    Unknown,
}
