//! Tables that are Parquet files: one, a directory of them as Hive or Spark left it, or a glob.

mod bounds;
mod escape;
mod layout;
pub(super) mod listing;
pub(super) mod partition;
pub(super) mod schema;

#[cfg(test)]
mod tests;

pub use bounds::{PageBounds, RowGroupBounds};
pub use escape::{NULL_PARTITION, escape_partition, unescape_partition};
pub use layout::{BucketState, TableBuckets, TableZones};
pub(super) use listing::partition_directories;

use super::{Table, TableStatistics};
use crate::disk::{DirectoryLock, parent};
use crate::error::{Error, Result};
use crate::format::parquet::{FileId, Footer, FooterStore, open_footers};
use crate::layout::{Declaration, KeyPoint};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::ScalarValue;
use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Values of a column that many rows have, with the number of these; none where nobody looked.
pub type Frequent = Option<Vec<(KeyPoint, f64)>>;

/// A table of Parquet files. Holds footers, not open files.
#[derive(Debug)]
pub struct FileTable {
    path: String,
    schema: SchemaRef,
    display_names: Vec<String>,
    files: Vec<TableFile>,
    file_columns: usize,
    statistics: OnceLock<TableStatistics>,
    /// Different values of columns, where ANALYZE TABLE has counted them.
    counted: OnceLock<Vec<Option<f64>>>,
    /// Their frequent values, likewise.
    frequent: OnceLock<Vec<Frequent>>,
    declaration: Declaration,
    found: layout::Found,
}

/// A file of a [`FileTable`].
#[derive(Debug)]
pub struct TableFile {
    /// Where it is.
    pub path: Arc<Path>,
    /// Its footer.
    pub footer: Arc<Footer>,
    /// Values of the partition columns.
    pub partition: Vec<ScalarValue>,
    /// For every column of the table that comes from files: its position in this file, if it has it.
    pub columns: Vec<Option<usize>>,
    id: FileId,
}

/// Where the values of a table's column come from in one file.
#[derive(Debug, Clone)]
pub enum ColumnOrigin<'a> {
    /// The file's column of this number.
    File(usize),
    /// The file lacks the column: NULL.
    Missing,
    /// A partition column: one value for the whole file.
    Partition(&'a ScalarValue),
}

impl FileTable {
    /// Opens a directory as a table whose columns are declared: columns are found in files by name,
    /// those that a file lacks are NULL, others of the file are not seen. There may be no file.
    ///
    /// # Errors
    /// A file's column does not fit its declared type, or directories are not those of the declared
    /// partition columns.
    pub fn open_with_schema(
        path: &Path,
        columns: &[(String, DataType)],
        partitions: &[(String, DataType)],
        declaration: Declaration,
        footers: Option<&FooterStore>,
    ) -> Result<Arc<FileTable>> {
        let _lock = DirectoryLock::shared(parent(path)).ok();
        Self::open_own(path, columns, partitions, declaration, footers)
    }

    /// The same of a directory that the caller itself is writing, and whose lock it may hold.
    ///
    /// # Errors
    /// As [`FileTable::open_with_schema`].
    pub fn open_own(
        path: &Path,
        columns: &[(String, DataType)],
        partitions: &[(String, DataType)],
        declaration: Declaration,
        footers: Option<&FooterStore>,
    ) -> Result<Arc<FileTable>> {
        let listing = listing::list_directory(path)?;
        let paths: Vec<PathBuf> = listing.iter().map(|file| file.path.clone()).collect();
        let footers = open_footers(&absolute(path), &paths, footers)?;
        let values = partition::declared(&listing, partitions)?;
        let merged = schema::declared(&paths, &fields(&footers), columns, partitions)?;
        let path = path.display().to_string();
        Self::assemble(path, paths, footers, values, merged, partitions.len(), declaration)
    }

    /// Opens the file, the directory (with all directories below it) or the files that match the
    /// glob. Reads the footers that are not known yet.
    pub fn open(path_or_glob: &str) -> Result<Arc<FileTable>> {
        Self::open_declared(path_or_glob, Declaration::default(), None)
    }

    /// The same, of files that a declaration says more about, and with footers that are kept on disk.
    ///
    /// # Errors
    /// Also when the declaration names columns that the files have not.
    pub fn open_declared(path_or_glob: &str, declaration: Declaration, footers: Option<&FooterStore>) -> Result<Arc<FileTable>> {
        // Whoever writes to the directory publishes under the exclusive lock. Without the right to
        // look into the directory above there is no lock, and nobody to write.
        let path = Path::new(path_or_glob);
        let _lock = if path.is_dir() { DirectoryLock::shared(parent(path)).ok() } else { None };
        let listing = listing::list(path_or_glob)?;
        let paths: Vec<PathBuf> = listing.iter().map(|file| file.path.clone()).collect();
        let footers = open_footers(&absolute(path), &paths, footers)?;
        let partitions = partition::infer(&listing)?;
        let merged = schema::merge(&paths, &fields(&footers), &partitions.columns)?;
        let path = path_or_glob.to_string();
        Self::assemble(path, paths, footers, partitions.values, merged, partitions.columns.len(), declaration)
    }

    fn assemble(
        path: String,
        paths: Vec<PathBuf>,
        footers: Vec<(FileId, Arc<Footer>)>,
        values: Vec<Vec<ScalarValue>>,
        merged: schema::Merged,
        partitions: usize,
        declaration: Declaration,
    ) -> Result<Arc<FileTable>> {
        let mut files = Vec::with_capacity(paths.len());
        let parts = paths.into_iter().zip(footers).zip(values).zip(merged.file_columns);
        for (((path, (id, footer)), partition), columns) in parts {
            files.push(TableFile { path: path.into(), footer, partition, columns, id });
        }
        let table = FileTable {
            path,
            declaration,
            found: layout::Found::new(merged.schema.fields().len()),
            file_columns: merged.schema.fields().len() - partitions,
            schema: merged.schema,
            display_names: merged.display_names,
            files,
            statistics: OnceLock::new(),
            counted: OnceLock::new(),
            frequent: OnceLock::new(),
        };
        table.check_declaration()?;
        Ok(Arc::new(table))
    }

    /// Tells the table how many different values its columns have, and which of them many rows have, in
    /// the order of the schema. To be told before the first [`Table::statistics`]; a second time is
    /// without effect.
    pub fn set_counted(&self, distinct: Vec<Option<f64>>, frequent: Vec<Frequent>) {
        let _ = self.counted.set(distinct);
        let _ = self.frequent.set(frequent);
    }

    /// The files, by path.
    pub fn files(&self) -> &[TableFile] {
        &self.files
    }

    /// The path or glob it was opened with.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Number of columns that come from files; partition columns come after them.
    pub fn file_columns(&self) -> usize {
        self.file_columns
    }

    /// Where the values of `column` come from in `file`.
    pub fn origin<'a>(&self, file: &'a TableFile, column: usize) -> ColumnOrigin<'a> {
        match column.checked_sub(self.file_columns) {
            Some(partition) => match file.partition.get(partition) {
                Some(value) => ColumnOrigin::Partition(value),
                None => ColumnOrigin::Missing,
            },
            None => file.columns.get(column).copied().flatten().map_or(ColumnOrigin::Missing, ColumnOrigin::File),
        }
    }
}

impl TableFile {
    /// Tells whether the file at the path is still this one.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// An error when the file is no longer the one that was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        // One that is gone was replaced with its table.
        let unchanged = FileId::of(&self.path).is_ok_and(|id| id == self.id);
        let error = || Error::data("the file was changed while the query ran").in_file(&*self.path);
        if unchanged { Ok(()) } else { Err(error().with_hint("run the query again")) }
    }
}

impl Table for FileTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn display_names(&self) -> &[String] {
        &self.display_names
    }

    fn statistics(&self) -> &TableStatistics {
        self.statistics.get_or_init(|| {
            let mut statistics = bounds::statistics(self);
            for (column, counted) in statistics.columns.iter_mut().zip(self.counted.get().into_iter().flatten()) {
                column.distinct = counted.or(column.distinct);
            }
            statistics
        })
    }

    fn describe(&self) -> String {
        self.path.clone()
    }

    fn partition_columns(&self) -> usize {
        self.schema.fields().len() - self.file_columns
    }
}

/// Names and types of the files' columns.
fn fields(footers: &[(FileId, Arc<Footer>)]) -> Vec<schema::FileFields<'_>> {
    let fields = footers.iter().map(|(_, footer)| footer.columns().iter());
    fields.map(|columns| columns.map(|column| (column.name.as_str(), &column.data_type)).collect()).collect()
}

/// The path as it is called from everywhere.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}
