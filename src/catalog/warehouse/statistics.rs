//! What ANALYZE TABLE found of a table's rows, and whether it is still so.
//!
//! Footers tell rows, bounds and NULLs; how many values a column has they do not. ANALYZE counts
//! them and writes them down with a fingerprint of the files: names, lengths, times. While that is
//! the same the optimizer believes the counts; when files have changed it does not, and DESCRIBE
//! EXTENDED says so. Values with far more rows than their share are written down, too: what a sample
//! of the files would only guess.

use crate::catalog::{FileTable, Table};
use crate::column::to_storage_type;
use crate::layout::{KeyPoint, points};
use arrow::datatypes::{DataType, Field};
use datafusion_common::ScalarValue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Statistics of a table at some moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatisticsMeta {
    /// The files that were counted; see [`fingerprint`].
    pub files: String,
    /// Bytes of the files.
    pub bytes: u64,
    /// Rows; none after NOSCAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Of columns, by their names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnStatisticsMeta>,
    /// Bytes and rows of partitions that were analysed by themselves, by their directories.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partitions: BTreeMap<String, PartitionStatisticsMeta>,
}

/// Statistics of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStatisticsMeta {
    /// Different values but NULL, about.
    pub distinct: u64,
    /// NULLs.
    pub nulls: u64,
    /// The smallest value as text; none for types that have no order and when all are NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Bytes of a value on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u64>,
    /// Bytes of the longest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width_max: Option<u64>,
    /// Values that many rows have, the most frequent first; none where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequent: Option<Vec<FrequentValueMeta>>,
}

/// A value that many rows have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrequentValueMeta {
    /// As CAST to STRING writes it.
    pub value: String,
    /// Rows that have it.
    pub rows: u64,
}

/// Statistics of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionStatisticsMeta {
    /// Bytes of its files.
    pub bytes: u64,
    /// Its rows; none after NOSCAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// The files of a table in a few characters: changes whenever a file comes, goes or is written.
pub fn fingerprint(table: &FileTable) -> String {
    fingerprint_of(Path::new(table.path()), table.files().iter().map(|file| &*file.path))
}

/// The same of files by path, in the order of their paths.
pub fn fingerprint_of<P: AsRef<Path>>(root: &Path, files: impl Iterator<Item = P>) -> String {
    let mut crc = crc32fast::Hasher::new();
    let (mut count, mut bytes) = (0, 0);
    for file in files {
        let file = file.as_ref();
        let name = file.strip_prefix(root).unwrap_or(file);
        let (length, time) = file.metadata().map_or((0, 0), |metadata| {
            (metadata.len(), i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()))
        });
        count += 1;
        bytes += length;
        crc.update(format!("{}\0{length}\0{time}\n", name.display()).as_bytes());
    }
    format!("{count} files, {bytes} bytes, {:08x}", crc.finalize())
}

impl TableStatisticsMeta {
    /// Whether the files are those that were counted.
    pub fn is_of(&self, table: &FileTable) -> bool {
        !self.columns.is_empty() && self.files == fingerprint(table)
    }

    /// Frequent values of each column of `table` that was looked at.
    pub fn frequent(&self, table: &FileTable) -> Vec<Option<Vec<(KeyPoint, f64)>>> {
        let point = |value: &FrequentValueMeta, data_type: &DataType| {
            let array = ScalarValue::try_from_string(value.value.clone(), data_type).and_then(|value| value.to_array()).ok()?;
            let (point, _) = points::frequent(&to_storage_type(&array).ok()?, 1).pop()?;
            Some((point, value.rows as f64))
        };
        let of_column = |field: &Arc<Field>| {
            let values = self.columns.get(field.name())?.frequent.as_ref()?;
            values.iter().map(|value| point(value, field.data_type())).collect()
        };
        table.schema().fields().iter().map(of_column).collect()
    }

    /// Different values of each column of `table` that were counted.
    pub fn distinct(&self, table: &FileTable) -> Vec<Option<f64>> {
        let count = |name: &String| self.columns.get(name).map(|column| column.distinct as f64);
        table.schema().fields().iter().map(|field| count(field.name())).collect()
    }
}
