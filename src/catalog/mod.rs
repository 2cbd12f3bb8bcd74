//! Tables: named ones, those of a warehouse, directories of files, batches in memory.

#[expect(clippy::module_inception, reason = "the file is named after the one struct in it")]
mod catalog;
mod files;
mod formatted;
mod information;
mod memory;
mod range;
mod warehouse;
mod work_table;

pub use catalog::{Catalog, Found, OpenFile, Settle, View, footer_store, partitions, types};
pub use files::{
    BucketState, ColumnOrigin, FileTable, NULL_PARTITION, PageBounds, RowGroupBounds, TableBuckets, TableFile, TableZones,
    escape_partition, unescape_partition,
};
pub use formatted::{DeclaredColumns, FileSpec, FormatFile, FormatTable, PartitionBounds, open_files};
pub use memory::MemoryTable;
pub use range::RangeTable;
pub use warehouse::{
    BUCKETING_VERSION, BucketMeta, ColumnMeta, ColumnStatisticsMeta, DEFAULT_DATABASE, DatabaseMeta, FrequentValueMeta, META,
    MadeFrom, PartitionStatisticsMeta, SORTED_BY, SortedMeta, TableMeta, TableStatisticsMeta, ViewMeta, Warehouse, fingerprint,
    fingerprint_of, parse_sorted_by, parse_type, type_name,
};
pub(crate) use warehouse::{READ_PROPERTIES, same_type};
pub use work_table::WorkTable;

use crate::layout::ColumnStatistics;
use arrow::datatypes::SchemaRef;
use datafusion_expr::TableSource;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// Something rows can be read from.
pub trait Table: Any + Debug + Send + Sync {
    /// For the planner to find out which kind it is.
    fn as_any(&self) -> &dyn Any;

    /// SQL types of the columns, names in lower case; Hive partition columns come last.
    fn schema(&self) -> &SchemaRef;

    /// Column names as the files or the user spell them, for output headers.
    fn display_names(&self) -> &[String];

    /// What is known of the rows without reading them.
    fn statistics(&self) -> &TableStatistics;

    /// What it is, for EXPLAIN and errors: a path or a name.
    fn describe(&self) -> String;

    /// Number of its columns, the last ones, that directories' names hold.
    fn partition_columns(&self) -> usize {
        0
    }
}

/// What is known of a table's rows from its footers.
#[derive(Debug, Clone, Default)]
pub struct TableStatistics {
    /// Rows; exact for Parquet and for batches in memory.
    pub rows: f64,
    /// Per column, in the order of the schema.
    pub columns: Vec<ColumnStatistics>,
}

/// A table as the borrowed front end sees it.
#[derive(Debug, Clone)]
pub struct TableHandle(pub Arc<dyn Table>);

impl TableSource for TableHandle {
    fn schema(&self) -> SchemaRef {
        self.0.schema().clone()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&datafusion_expr::Expr],
    ) -> datafusion_common::Result<Vec<datafusion_expr::TableProviderFilterPushDown>> {
        // The planner puts filters back above the scan where it must; the scan honours all others.
        Ok(vec![datafusion_expr::TableProviderFilterPushDown::Exact; filters.len()])
    }
}
