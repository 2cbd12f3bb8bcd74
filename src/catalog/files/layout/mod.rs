//! What a table's files tell of how its rows lie: found once, when somebody asks.
//!
//! - `buckets`: from names and the declaration, or inferred from names and a sample.
//! - `order`: from footers and the declaration, or inferred from zones and a sample.
//! - `zones`: the table's row groups as units that ranges of a column are cut from.
//! - `frequency`: values with many rows, from a sample.
//! - `facts`: all of it as `SHOW LAYOUT` prints it.

mod buckets;
mod facts;
mod frequency;
mod order;
#[cfg(test)]
mod tests;
mod zones;

pub use buckets::{BucketState, TableBuckets};
pub use zones::TableZones;

use super::{ColumnOrigin, FileTable, TableFile};
use crate::catalog::Table;
use crate::error::{Error, Result};
use crate::format::parquet::RowGroup;
use crate::layout::Declaration;
use arrow::array::ArrayRef;
use std::sync::OnceLock;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    buckets: OnceLock<BucketState>,
    /// Per column of the table: whether a sample was in ascending order.
    ascending: Vec<OnceLock<bool>>,
    /// Per column of the table: a sample of its values; none where it cannot be had.
    samples: Vec<OnceLock<Option<frequency::Sample>>>,
}

impl Found {
    pub(super) fn new(columns: usize) -> Self {
        let ascending = (0..columns).map(|_| OnceLock::new()).collect();
        Self { buckets: OnceLock::new(), ascending, samples: (0..columns).map(|_| OnceLock::new()).collect() }
    }
}

impl FileTable {
    /// An error when the declaration names columns that the table has not.
    pub(super) fn check_declaration(&self) -> Result<()> {
        let Declaration { buckets, sorted_by, .. } = &self.declaration;
        let hashed = buckets.iter().flat_map(|buckets| buckets.columns.iter());
        let sorted = buckets.iter().flat_map(|buckets| &buckets.sorted_by).chain(sorted_by).map(|(name, _)| name);
        for name in hashed.chain(sorted) {
            if self.schema().index_of(name).is_err() {
                return Err(Error::sql(format!("the table has no column '{name}'")).with_hint(format!("it has {}", self.names())));
            }
        }
        Ok(())
    }

    /// What CREATE TABLE said of the files.
    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    fn names(&self) -> String {
        self.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The first rows, at most `rows_max`, of a column in a row group; none where the file lacks it.
    fn sample(&self, file: &TableFile, row_group: usize, column: usize, rows_max: usize) -> Result<Option<ArrayRef>> {
        let ColumnOrigin::File(at) = self.origin(file, column) else { return Ok(None) };
        let rows = file.footer.rows(row_group).min(rows_max);
        let mut group = RowGroup::open(&file.path, &file.footer, row_group, 0..rows, rows < file.footer.rows(row_group))?;
        let (mut cursors, _) = group.open_columns(&[at])?;
        let Some(cursor) = cursors.first_mut() else { return Ok(None) };
        Ok(Some(cursor.read(rows)?.stored(self.schema().field(column).data_type())?))
    }
}

/// The name of a file.
fn name_of(file: &TableFile) -> &str {
    file.path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}
