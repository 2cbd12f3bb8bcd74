//! What footers, directories and page indexes bound: row groups, pages, the table.

use super::{ColumnOrigin, FileTable, TableFile};
use crate::catalog::{Table, TableStatistics};
use crate::format::parquet::{PageZones, merge_bound, random_draws};
use crate::layout::{Bounds, ColumnBounds, ColumnStatistics};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::cmp::Ordering;
use std::collections::HashSet;

/// Files whose dictionaries are looked at for distinct values. Guessed.
const DISTINCT_FILES_MAX: usize = 4;

/// Bounds of the table's columns in one row group of a file.
pub struct RowGroupBounds<'a> {
    /// The table.
    pub table: &'a FileTable,
    /// The file.
    pub file: &'a TableFile,
    /// The row group.
    pub row_group: usize,
}

/// Bounds in one page of one column; other columns are as in the row group.
pub struct PageBounds<'a> {
    /// The row group.
    pub row_group: RowGroupBounds<'a>,
    /// The column the page is of, as a position in the table.
    pub column: usize,
    /// The pages of that column.
    pub pages: &'a PageZones,
    /// Which of them.
    pub page: usize,
}

impl Bounds for RowGroupBounds<'_> {
    fn rows(&self) -> u64 {
        self.file.footer.rows(self.row_group) as u64
    }

    fn column(&self, column: usize) -> ColumnBounds {
        match self.table.origin(self.file, column) {
            ColumnOrigin::Missing => ColumnBounds { null_count: Some(self.rows()), ..ColumnBounds::default() },
            ColumnOrigin::Partition(value) => constant(value, self.rows()),
            ColumnOrigin::File(at) => typed(self.file.footer.zones(at).bounds(self.row_group), self.table, column),
        }
    }
}

impl Bounds for PageBounds<'_> {
    fn rows(&self) -> u64 {
        let starts = &self.pages.starts;
        let ends = starts.get(self.page).zip(starts.get(self.page + 1));
        ends.map_or(0, |(start, end)| end.saturating_sub(*start) as u64)
    }

    fn column(&self, column: usize) -> ColumnBounds {
        if column == self.column {
            return typed(self.pages.zones.bounds(self.page), self.row_group.table, column);
        }
        // The count of NULLs is that of the row group: only none, or all of them, carry over.
        let bounds = self.row_group.column(column);
        let null_count = match bounds.null_count {
            Some(0) => Some(0),
            Some(nulls) if nulls == self.row_group.rows() => Some(self.rows()),
            _ => None,
        };
        ColumnBounds { null_count, ..bounds }
    }
}

fn constant(value: &ScalarValue, rows: u64) -> ColumnBounds {
    if value.is_null() {
        return ColumnBounds { null_count: Some(rows), ..ColumnBounds::default() };
    }
    ColumnBounds { min: Some(value.clone()), max: Some(value.clone()), null_count: Some(0) }
}

/// Bounds in the table's type, where the file's is narrower.
fn typed(bounds: ColumnBounds, table: &FileTable, column: usize) -> ColumnBounds {
    let data_type = table.schema().field(column).data_type();
    let min = bounds.min.and_then(|value| cast(value, data_type));
    let max = bounds.max.and_then(|value| cast(value, data_type));
    ColumnBounds { min, max, ..bounds }
}

fn cast(value: ScalarValue, data_type: &DataType) -> Option<ScalarValue> {
    if value.data_type() == *data_type { Some(value) } else { value.cast_to(data_type).ok() }
}

/// Statistics of all columns.
pub(super) fn statistics(table: &FileTable) -> TableStatistics {
    let rows: f64 = table.files().iter().map(|file| file.footer.total_rows() as f64).sum();
    let columns = 0..table.schema().fields().len();
    let columns = columns.map(|column| match column.checked_sub(table.file_columns()) {
        Some(partition) => partition_statistics(table, partition),
        None => column_statistics(table, column, rows),
    });
    TableStatistics { rows, columns: columns.collect() }
}

fn partition_statistics(table: &FileTable, partition: usize) -> ColumnStatistics {
    let mut statistics = ColumnStatistics { null_count: Some(0.0), width: Some(8.0), ..ColumnStatistics::default() };
    let mut values = HashSet::new();
    for file in table.files() {
        let value = &file.partition[partition];
        if value.is_null() {
            let nulls = file.footer.total_rows() as f64;
            statistics.null_count = statistics.null_count.map(|count| count + nulls);
        } else {
            values.insert(value.clone());
            merge_bound(&mut statistics.min, Some(value.clone()), Ordering::Less);
            merge_bound(&mut statistics.max, Some(value.clone()), Ordering::Greater);
        }
    }
    statistics.distinct = Some(values.len() as f64);
    statistics
}

fn column_statistics(table: &FileTable, column: usize, rows: f64) -> ColumnStatistics {
    let data_type = table.schema().field(column).data_type();
    let (mut min, mut max, mut nulls, mut bytes) = (None, None, Some(0.0), 0.0);
    let (mut known_min, mut known_max) = (true, true);
    for file in table.files() {
        let own = file.footer.total_rows() as f64;
        let Some(at) = file.columns[column] else {
            nulls = nulls.map(|nulls| nulls + own);
            continue;
        };
        let summary = file.footer.summary(at);
        nulls = nulls.zip(summary.nulls).map(|(sum, nulls)| sum + nulls as f64);
        bytes += summary.width * own;
        if own > 0.0 && summary.nulls.is_none_or(|nulls| (nulls as f64) < own) {
            let bound = |value: &Option<ScalarValue>| value.clone().and_then(|value| cast(value, data_type));
            known_min &= merge_bound(&mut min, bound(&summary.min), Ordering::Less);
            known_max &= merge_bound(&mut max, bound(&summary.max), Ordering::Greater);
        }
    }
    let (min, max) = (min.filter(|_| known_min), max.filter(|_| known_max));
    let present = rows - nulls.unwrap_or(0.0);
    let span = min.as_ref().zip(max.as_ref()).and_then(|(min, max)| span(min, max)).unwrap_or(f64::INFINITY);
    let sampled = distinct(table, column, present).unwrap_or(present);
    let boolean = if *data_type == DataType::Boolean { 2.0 } else { f64::INFINITY };
    let distinct = sampled.min(span).min(present).min(boolean);
    let width = (rows > 0.0).then(|| bytes / rows);
    ColumnStatistics { min, max, null_count: nulls, distinct: Some(distinct.max(0.0)), width }
}

/// Number of whole values from `min` to `max`.
fn span(min: &ScalarValue, max: &ScalarValue) -> Option<f64> {
    let number = |value: &ScalarValue| match value {
        ScalarValue::Int8(value) => value.map(f64::from),
        ScalarValue::Int16(value) => value.map(f64::from),
        ScalarValue::Int32(value) | ScalarValue::Date32(value) => value.map(f64::from),
        ScalarValue::Int64(value) => value.map(|value| value as f64),
        ScalarValue::Decimal128(value, ..) => value.map(|value| value as f64),
        ScalarValue::TimestampMicrosecond(value, _) => value.map(|value| value as f64),
        _ => None,
    };
    Some(number(max)? - number(min)? + 1.0)
}

/// Distinct values, from those of some files.
fn distinct(table: &FileTable, column: usize, present: f64) -> Option<f64> {
    let files: Vec<_> = table.files().iter().filter(|file| file.footer.total_rows() > 0).collect();
    let step = files.len().div_ceil(DISTINCT_FILES_MAX).max(1);
    let (mut found, mut rows, mut sampled) = (0.0, 0.0, 0.0);
    for file in files.iter().step_by(step) {
        let at = file.columns[column]?;
        found += file.footer.distinct(&file.path, at)?;
        rows += file.footer.total_rows() as f64;
        sampled += 1.0;
    }
    if sampled == 0.0 {
        return None;
    }
    if files.len() == 1 {
        return Some(found);
    }
    let disjoint = files.windows(2).all(|pair| {
        let bounds = pair[0].columns[column].zip(pair[1].columns[column]);
        bounds.is_some_and(|(before, after)| {
            let (before, after) = (pair[0].footer.summary(before), pair[1].footer.summary(after));
            before.max.as_ref().zip(after.min.as_ref()).is_some_and(|(max, min)| max <= min)
        })
    });
    if disjoint {
        return Some(found * present / rows.max(1.0));
    }
    Some(random_draws(found / sampled, rows / sampled))
}
