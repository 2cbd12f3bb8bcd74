//! What is known of how rows lie in files, and how surely.
//!
//! [`Layout`] is a delivered property: every plan node says what its output keeps of it. The facts
//! come from footers, file names, directories and declarations, each with its [`Evidence`].

mod bounds;
pub mod bucket;
mod fact;
mod parting;
pub mod points;
mod predicate;
pub mod zones;

pub use bounds::{Bounds, ColumnBounds, Truth};
pub use fact::{LayoutFact, Trust};
pub use parting::{Buckets, NullRows, Parting, Partitions, Parts};
pub use predicate::{LISTED_VALUES_MAX, ScanPredicate};
pub use zones::{ColumnZones, KeyPoint, Zone, ZoneMap, ZoneSource};

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
    /// The parts that the rows can be delivered in.
    pub parts: Parts,
}

impl Layout {
    /// What is left for a node whose column `i` is this one's column `columns[i]`, row by row.
    #[must_use]
    pub fn projected(&self, columns: &[Option<usize>]) -> Self {
        let position = |input: usize| columns.iter().position(|column| *column == Some(input));
        let statistics = |column: &Option<usize>| column.and_then(|input| self.columns.get(input)).cloned().unwrap_or_default();
        // Rows sorted by (a, b) are sorted by (a) still, but not by (b).
        let order = self.order.iter().map_while(|sorted| Some(SortColumn { column: position(sorted.column)?, ..*sorted }));
        Self {
            columns: if self.columns.is_empty() { Vec::new() } else { columns.iter().map(statistics).collect() },
            partition_columns: self.partition_columns.iter().filter_map(|column| position(*column)).collect(),
            order: order.collect(),
            parts: self.parts.projected(columns),
        }
    }

    /// The same for a node that delivers its rows as one stream only.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { parts: Parts::default(), ..self.clone() }
    }
}

/// What a table's declaration says of how its rows lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declaration {
    /// `CLUSTERED BY ... SORTED BY ... INTO n BUCKETS`.
    pub buckets: Option<bucket::BucketDeclaration>,
    /// The table property `bucketing_version`.
    pub bucketing_version: Option<u32>,
    /// The table property `skep.sorted_by`: columns that each file is sorted by, and whether descending.
    pub sorted_by: Vec<(String, bool)>,
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
