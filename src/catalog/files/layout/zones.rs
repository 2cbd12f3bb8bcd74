//! A table's row groups, or those of them that a scan reads, as units with zones.

use crate::catalog::{FileTable, RowGroupBounds, Table};
use crate::layout::{Bounds, ColumnZones, Evidence, KeyPoint, Zone, ZoneSource};
use arrow::datatypes::{DataType, TimeUnit};
use std::sync::{Arc, OnceLock};

/// See the module. Zones of a column are put together when first asked for.
#[derive(Debug)]
pub struct TableZones {
    table: Arc<FileTable>,
    units: Vec<(usize, usize)>,
    columns: Vec<OnceLock<Option<Arc<ColumnZones>>>>,
}

impl TableZones {
    /// Zones of the given units: files and row groups.
    pub fn new(table: Arc<FileTable>, units: Vec<(usize, usize)>) -> Self {
        let columns = (0..table.schema().fields().len()).map(|_| OnceLock::new()).collect();
        Self { table, units, columns }
    }

    /// Zones of all row groups that have rows.
    pub fn all(table: &Arc<FileTable>) -> Self {
        let groups = table.files().iter().enumerate().flat_map(|(number, file)| {
            (0..file.footer.row_groups()).filter(|group| file.footer.rows(*group) > 0).map(move |group| (number, group))
        });
        Self::new(table.clone(), groups.collect())
    }
}

impl ZoneSource for TableZones {
    fn zones(&self, column: usize) -> Option<Arc<ColumnZones>> {
        let find = || {
            is_cut(self.table.schema().field(column).data_type()).then(|| {
                let zone = |&(file, row_group): &(usize, usize)| zone(&self.table, file, row_group, column);
                Arc::new(ColumnZones { zones: self.units.iter().map(zone).collect() })
            })
        };
        self.columns.get(column)?.get_or_init(find).clone()
    }

    fn describe(&self) -> String {
        self.table.path().to_owned()
    }

    fn sorted(&self, column: usize) -> Option<(Evidence, String)> {
        self.table.likely_order(column)
    }
}

/// The bounds of a column in one row group, as points.
pub(super) fn zone(table: &FileTable, file: usize, row_group: usize, column: usize) -> Zone {
    let bounds = RowGroupBounds { table, file: &table.files()[file], row_group };
    let found = bounds.column(column);
    let point = |value: Option<datafusion_common::ScalarValue>| value.as_ref().and_then(KeyPoint::of);
    Zone { min: point(found.min), max: point(found.max), nulls: found.null_count, rows: bounds.rows() }
}

/// Whether ranges of this SQL type are cut: types whose values are points.
fn is_cut(data_type: &DataType) -> bool {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Utf8View => true,
        DataType::Timestamp(TimeUnit::Microsecond, _) => true,
        DataType::Decimal128(precision, _) => *precision <= 18,
        _ => false,
    }
}
