//! Writing: rows are encoded into row groups apart from the file that they end up in.
//!
//! Encoding and compressing take the time, appending takes none, so every task encodes row groups
//! of its own ([`RowGroupEncoder`]) and whoever is done appends to a file ([`FileWriter`]), which
//! may be its own or one that all share.
//!
//! ```text
//!   task 0: rows ──> RowGroupEncoder ──finish──> EncodedRowGroup ─┐
//!   task 1: rows ──> RowGroupEncoder ──finish──> EncodedRowGroup ─┴─append─> FileWriter ──> footer
//! ```
//!
//! Cost: one pass over the values; a row group is held encoded and compressed, at most
//! [`WriteOptions::row_group_bytes`] of it. NULLs are definition levels; every column is optional,
//! as in files of Spark. Types follow Spark's non-legacy files: decimals by width (INT32 to 9
//! digits, INT64 to 18, else bytes of a fixed length), timestamps as INT64 microseconds, adjusted to
//! UTC where the type has a zone, three-level lists.

use super::damaged;
use crate::column::storage_schema;
use crate::error::{Error, Result};
use ::parquet::arrow::ArrowSchemaConverter;
use ::parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use ::parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::TypePtr;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use std::io::Write;
use std::sync::Arc;

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// Snappy: Spark's default.
    #[default]
    Snappy,
    /// Gzip; 1 to 9.
    Gzip(Option<u8>),
    /// Zstandard; 1 to 22.
    Zstd(Option<u8>),
    /// LZ4, raw blocks.
    Lz4,
}

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// The codec of all pages.
    pub compression: Compression,
    /// Rows of a row group, at most.
    pub row_group_rows: usize,
    /// Bytes of a row group once encoded, about.
    pub row_group_bytes: usize,
    /// Whether columns of few values get a dictionary.
    pub dictionary: bool,
    /// Whether columns get minima, maxima and counts of NULLs.
    pub statistics: bool,
    /// Columns by which every row group is sorted: position, descending, NULLs first.
    pub sorted_by: Vec<(usize, bool, bool)>,
}

/// Rows of a row group unless said otherwise: a scan's task takes a row group at a time, so they are
/// smaller than Spark's 128 MiB of usually several million rows. Guessed.
pub const ROW_GROUP_ROWS: usize = 1 << 20;

/// Bytes of a row group unless said otherwise: Spark's `parquet.block.size`.
pub const ROW_GROUP_BYTES: usize = 128 << 20;

/// Rows of a page at most: the crate's default.
const PAGE_ROWS: usize = 20_000;

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            row_group_rows: ROW_GROUP_ROWS,
            row_group_bytes: ROW_GROUP_BYTES,
            dictionary: true,
            statistics: true,
            sorted_by: Vec::new(),
        }
    }
}

impl Compression {
    /// The codec of a name in any case, with an optional level.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] for an unknown codec or a level it does not have.
    pub fn from_name(name: &str, level: Option<i64>) -> Result<Self> {
        let within = |least: i64, most: i64| match level {
            None => Ok(None),
            Some(level) if (least..=most).contains(&level) => Ok(u8::try_from(level).ok()),
            Some(level) => Err(Error::config(format!("{name} has no level {level}: {least} to {most}"))),
        };
        let compression = match name.to_ascii_lowercase().as_str() {
            "none" | "uncompressed" => Self::None,
            "snappy" => Self::Snappy,
            "gzip" | "gz" => return within(1, 9).map(Self::Gzip),
            "zstd" | "zstandard" => return within(1, 22).map(Self::Zstd),
            "lz4" | "lz4_raw" => Self::Lz4,
            _ => {
                return Err(
                    Error::config(format!("unknown compression '{name}'")).with_hint("it takes none, snappy, gzip, zstd or lz4")
                );
            }
        };
        match level {
            Some(_) => Err(Error::config(format!("{name} has no levels"))),
            None => Ok(compression),
        }
    }

    /// What Spark puts before `.parquet` in names of files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Snappy => ".snappy",
            Self::Gzip(_) => ".gz",
            Self::Zstd(_) => ".zstd",
            Self::Lz4 => ".lz4raw",
        }
    }

    /// Bytes that compressing takes beside pages, about: what `ZSTD_estimateCCtxSize` gives for a level
    /// and pages of 1 MiB, rounded up; tables of 32 KiB for the others.
    fn context_bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::Snappy | Self::Lz4 => 64 << 10,
            Self::Gzip(_) => 256 << 10,
            Self::Zstd(level) => match level.unwrap_or(3) {
                ..=4 => 3 << 19,
                5..=12 => 12 << 20,
                _ => 24 << 20,
            },
        }
    }

    fn codec(self) -> Result<Codec> {
        Ok(match self {
            Self::None => Codec::UNCOMPRESSED,
            Self::Snappy => Codec::SNAPPY,
            Self::Gzip(level) => {
                let level = level.map(|level| GzipLevel::try_new(u32::from(level))).transpose().map_err(refused)?;
                Codec::GZIP(level.unwrap_or_default())
            }
            // Level 3 is the zstd library's own default and Spark's.
            Self::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(i32::from(level.unwrap_or(3))).map_err(refused)?),
            Self::Lz4 => Codec::LZ4_RAW,
        })
    }
}

/// What all row groups and files of one output share: schema and properties.
pub struct Encoding {
    schema: SchemaRef,
    options: WriteOptions,
    root: TypePtr,
    properties: WriterPropertiesPtr,
    factory: ArrowRowGroupWriterFactory,
}

impl Encoding {
    /// For rows of these SQL types. Names are written as they are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for types that Parquet has no form of.
    pub fn new(schema: &Schema, options: WriteOptions) -> Result<Arc<Self>> {
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = storage_schema(&Schema::new(fields.collect::<Vec<_>>()));
        let statistics = if options.statistics { EnabledStatistics::Page } else { EnabledStatistics::None };
        let leaf = |column: usize| schema.fields().iter().take(column).map(|field| leaves(field.data_type())).sum::<usize>();
        let sorting = options.sorted_by.iter().map(|&(column, descending, nulls_first)| SortingColumn {
            column_idx: i32::try_from(leaf(column)).unwrap_or(i32::MAX),
            descending,
            nulls_first,
        });
        let properties = WriterProperties::builder()
            .set_created_by(concat!("skep version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(options.compression.codec()?)
            .set_dictionary_enabled(options.dictionary)
            .set_statistics_enabled(statistics)
            .set_sorting_columns((!options.sorted_by.is_empty()).then(|| sorting.collect()))
            .set_coerce_types(true)
            .build();
        let properties = Arc::new(properties);
        let converter = ArrowSchemaConverter::new().with_coerce_types(true).schema_root("spark_schema");
        let root = converter.convert(&schema).map_err(refused)?.root_schema_ptr();
        // A file that is never ended: what row groups are made of does not depend on the file.
        let model = SerializedFileWriter::new(std::io::sink(), root.clone(), properties.clone()).map_err(refused)?;
        let factory = ArrowRowGroupWriterFactory::new(&model, schema.clone());
        Ok(Arc::new(Self { schema, options, root, properties, factory }))
    }

    /// The options it was made with.
    pub fn options(&self) -> &WriteOptions {
        &self.options
    }

    /// The types in which columns must be given: storage types.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl std::fmt::Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoding {{ columns: {}, options: {:?} }}", self.schema.fields().len(), self.options)
    }
}

/// Rows being encoded into one row group.
pub struct RowGroupEncoder {
    encoding: Arc<Encoding>,
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

/// A row group ready to be appended to a file.
pub struct EncodedRowGroup {
    chunks: Vec<ArrowColumnChunk>,
    rows: usize,
}

impl RowGroupEncoder {
    /// An empty row group.
    pub fn new(encoding: &Arc<Encoding>) -> Result<Self> {
        Ok(Self { encoding: encoding.clone(), columns: Vec::new(), rows: 0 })
    }

    /// Adds rows; `columns` have the types of [`Encoding::schema`] and one length. Check
    /// [`RowGroupEncoder::room`] before.
    pub fn push(&mut self, columns: &[ArrayRef], rows: usize) -> Result<()> {
        if self.columns.is_empty() {
            self.columns = self.encoding.factory.create_column_writers(0).map_err(refused)?;
        }
        let mut writers = self.columns.iter_mut();
        for (field, column) in self.encoding.schema.fields().iter().zip(columns) {
            for leaf in compute_leaves(field, column).map_err(refused)? {
                let Some(writer) = writers.next() else { return Err(Error::internal("more leaves than columns in a file")) };
                writer.write(&leaf).map_err(|error| refused(error).in_column(field.name()))?;
            }
        }
        self.rows += rows;
        Ok(())
    }

    /// Rows that still fit.
    pub fn room(&self) -> usize {
        let options = &self.encoding.options;
        let full = self.rows > 0 && self.encoded_bytes() >= options.row_group_bytes;
        if full { 0 } else { options.row_group_rows.max(1).saturating_sub(self.rows) }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory held, about.
    pub fn memory_bytes(&self) -> usize {
        let held: usize = self.columns.iter().map(ArrowColumnWriter::memory_size).sum();
        // Every column has a context of its own, from its first page on.
        let contexts = if self.rows >= PAGE_ROWS { self.columns.len() } else { 0 };
        held + contexts * self.encoding.options.compression.context_bytes()
    }

    /// Bytes the row group would have in a file, about.
    pub fn encoded_bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    /// Ends the row group and starts the next one.
    pub fn finish(&mut self) -> Result<EncodedRowGroup> {
        let columns = std::mem::take(&mut self.columns);
        let chunks = columns.into_iter().map(|column| column.close().map_err(refused)).collect::<Result<_>>()?;
        Ok(EncodedRowGroup { chunks, rows: std::mem::take(&mut self.rows) })
    }
}

impl EncodedRowGroup {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// A Parquet file being written to `W`.
pub struct FileWriter<W: Write + Send>(SerializedFileWriter<W>);

impl<W: Write + Send> std::fmt::Debug for FileWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileWriter {{ bytes: {} }}", self.bytes())
    }
}

impl<W: Write + Send> FileWriter<W> {
    /// A file without rows.
    pub fn new(encoding: &Encoding, out: W) -> Result<Self> {
        SerializedFileWriter::new(out, encoding.root.clone(), encoding.properties.clone()).map(Self).map_err(refused)
    }

    /// Adds a row group; one without rows adds nothing.
    pub fn append(&mut self, group: EncodedRowGroup) -> Result<()> {
        if group.rows == 0 {
            return Ok(());
        }
        let mut writer = self.0.next_row_group().map_err(refused)?;
        for chunk in group.chunks {
            chunk.append_to_row_group(&mut writer).map_err(refused)?;
        }
        writer.close().map(drop).map_err(refused)
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> usize {
        self.0.bytes_written()
    }

    /// Writes the footer; all is with `W` then.
    pub fn finish(mut self) -> Result<()> {
        self.0.finish().map(drop).map_err(refused)
    }
}

/// Columns of a file that a column of this type becomes.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => leaves(item.data_type()),
        _ => 1,
    }
}

/// What the crate says when it cannot write.
fn refused(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::new(crate::ErrorKind::Io, format!("cannot write a Parquet file: {source}")).with_source(*source),
            Err(source) => Error::internal(format!("cannot write a Parquet file: {source}")),
        },
        ParquetError::ArrowError(message) => Error::unsupported(format!("writing to Parquet: {message}")),
        other @ ParquetError::NYI(_) => damaged(other),
        other => Error::internal(format!("cannot write a Parquet file: {other}")),
    }
}
