//! What a format is to those above: columns of a file, pieces of it, and rows of a piece.
//!
//! ```text
//!   Format (the table of formats) ──options──> FormatReader ──file──> FileColumns, [Split]
//!                                                   └──────split──> SplitReader ──> columns of rows
//! ```
//!
//! Splits of a file can be read at the same time, in any order; together they give every row once.

use super::options::FormatOptions;
use super::parquet::FileId;
use super::retry::with_retries;
use super::style::OutputStyle;
use crate::column::Column;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use std::any::Any;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One of the formats that files may have.
pub trait Format: Debug + Send + Sync {
    /// Names in SQL, in lower case; the first is what EXPLAIN and SHOW CREATE TABLE say.
    fn names(&self) -> &'static [&'static str];

    /// Ends of the names of its files, without the dot, in lower case, before that of a codec.
    fn extensions(&self) -> &'static [&'static str];

    /// The bytes that every file of the format begins with; empty for text.
    fn magic(&self) -> &'static [u8] {
        b""
    }

    /// A reader of files under `options`, each of which it takes out.
    ///
    /// # Errors
    /// A value that means nothing. Options that nobody takes out are refused by the caller.
    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>>;

    /// How rows are written under `options`, which are those of a reader.
    ///
    /// # Errors
    /// A format that is only read, and options under which nothing is written.
    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        let _ = options;
        let name = self.names().first().copied().unwrap_or_default().to_uppercase();
        Err(Error::unsupported(format!("writing the format {name}")))
    }
}

/// A format with its options.
pub trait FormatReader: Debug + Send + Sync {
    /// The format's name.
    fn name(&self) -> &'static str;

    /// The columns of a file. For formats whose files do not say what is in them these are the
    /// `declared` ones, or without any what a sample of the file looks like.
    fn columns(&self, file: &DataFile, declared: Option<&[FileColumn]>) -> Result<FileColumns>;

    /// Whether the columns of a file are the declared ones by their place: their names say nothing.
    fn by_place(&self, columns: &FileColumns) -> bool {
        let _ = columns;
        false
    }

    /// Pieces of the file of about `bytes_wanted` bytes; none when it has no rows.
    fn splits(&self, file: &DataFile, columns: &FileColumns, bytes_wanted: u64) -> Result<Vec<Split>>;

    /// Reads one piece.
    fn open(&self, request: ReadRequest) -> Result<Box<dyn SplitReader>>;
}

/// Rows of a split, in the order of the file.
pub trait SplitReader: Send {
    /// The next rows: at least one and at most `rows_max`, or none when there are no more. What is
    /// skipped by way of its mode may leave a step without rows: then the count is 0.
    fn next(&mut self, rows_max: usize) -> Result<Option<Rows>>;

    /// Bytes of memory that it holds between two calls, about.
    fn memory_bytes(&self) -> usize;
}

/// Rows of the columns that were asked for, in that order.
#[derive(Debug)]
pub struct Rows {
    /// In forms that chunks may have, of the types asked for.
    pub columns: Vec<Column>,
    /// How many.
    pub rows: usize,
}

/// A file that is read.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Where it is.
    pub path: Arc<Path>,
    /// What it was when it was found.
    pub id: FileId,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileColumn {
    /// As the file, or whoever declared it, spells it.
    pub name: String,
    /// Its SQL type.
    pub data_type: DataType,
}

/// The columns of a file.
#[derive(Debug, Clone, Default)]
pub struct FileColumns {
    /// In the order of the file.
    pub columns: Vec<FileColumn>,
    /// Rows, exact or from a sample.
    pub rows: Option<f64>,
    /// Guessed from a sample: a value that does not fit is an error that asks for the types.
    pub inferred: bool,
    /// What else the format found out about the file, for itself.
    pub detail: Option<Arc<dyn Any + Send + Sync>>,
}

/// A piece of a file: bytes for text, numbers of blocks for formats that have such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The first.
    pub start: u64,
    /// The one behind the last.
    pub end: u64,
}

/// What to read.
#[derive(Debug)]
pub struct ReadRequest {
    /// The file.
    pub file: DataFile,
    /// Its columns, as [`FormatReader::columns`] gave them.
    pub columns: Arc<FileColumns>,
    /// The piece.
    pub split: Split,
    /// The columns that are wanted.
    pub wanted: Vec<WantedColumn>,
}

/// A column that is wanted.
#[derive(Debug, Clone)]
pub struct WantedColumn {
    /// Its place in [`FileColumns::columns`].
    pub at: usize,
    /// The SQL type of the table's column, to which values are brought.
    pub data_type: DataType,
}

impl DataFile {
    /// The file at `path` as it is now.
    pub fn open(path: PathBuf) -> Result<Self> {
        let id = FileId::of(&path)?;
        Ok(Self { path: path.into(), id })
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.id.bytes()
    }

    /// An error when the file is no longer the one that was found.
    pub fn check_unchanged(&self) -> Result<()> {
        if FileId::of(&self.path)? == self.id {
            return Ok(());
        }
        let error = Error::data("the file was changed while the query ran").in_file(&*self.path);
        Err(error.with_hint("run the query again"))
    }

    /// Opens it, as the file it was found to be.
    pub(super) fn file(&self) -> Result<std::fs::File> {
        with_retries(|| std::fs::File::open(&self.path)).map_err(|error| Error::io("open", &self.path, error))
    }
}
