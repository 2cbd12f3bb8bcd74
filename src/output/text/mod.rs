//! Rows as lines of text: CSV, Hive's text, JSON.
//!
//! ```text
//!   chunk ─ values: casts to STRING, nested ones taken apart ─> texts a column ─ lines ─> block ─ codec
//! ```
//!
//! - [`values`]: columns as texts; what a cast to STRING gives, bytes in base 64.
//! - [`delimited`], [`json`]: lines of a format.
//!
//! What a reader under the same options would not read back as it was is an error, never another value.

mod delimited;
mod json;
mod values;

use super::encode::{Block, Bytes, Encoder, Encoding, FormatFile};
use super::options::OutputOptions;
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::format::parquet::Compression;
use crate::format::style::OutputStyle;
use arrow::datatypes::{DataType, Schema};
use delimited::Delimited;
use std::fmt::Debug;
use std::io::Write;
use std::sync::Arc;
use values::TextColumn;

/// Bytes of text gathered before they go to the file. Guessed: blocks this large compress as well
/// as whole files do.
const BLOCK_BYTES: usize = 1 << 20;

/// How to write rows of one schema.
#[derive(Debug)]
pub(super) struct TextEncoding(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    columns: Vec<TextColumn>,
    lines: Lines,
    compression: Compression,
}

#[derive(Debug)]
enum Lines {
    Delimited(Delimited),
    Json,
}

impl TextEncoding {
    pub(super) fn new(schema: &Schema, options: &OutputOptions) -> Result<Self> {
        let (lines, corrupt, name) = match &options.style {
            OutputStyle::Delimited(style) => {
                (Lines::Delimited(Delimited::new(style.clone(), schema)?), &style.corrupt_column, style.name)
            }
            OutputStyle::Json(style) => (Lines::Json, &style.corrupt_column, "json"),
            _ => return Err(Error::internal("a format of text that is none")),
        };
        let is_for_corrupt =
            |name: &str, data_type: &DataType| name.eq_ignore_ascii_case(corrupt) && *data_type == DataType::Utf8View;
        if let Some(field) = schema.fields().iter().find(|field| is_for_corrupt(field.name(), field.data_type())) {
            let error = Error::unsupported(format!("writing {name} with a column for records that do not fit"));
            return Err(error.in_column(field.name()));
        }
        let columns = schema.fields().iter().map(|field| TextColumn::new(field)).collect::<Result<_>>()?;
        Ok(Self(Arc::new(Shared { columns, lines, compression: options.compression })))
    }
}

impl Encoding for TextEncoding {
    fn encoder(&self) -> Result<Box<dyn Encoder>> {
        Ok(Box::new(Rows { shared: self.0.clone(), block: Vec::new(), rows: 0 }))
    }

    fn begin(&self, mut file: Bytes) -> Result<Box<dyn FormatFile>> {
        let mut head = Vec::new();
        if let Lines::Delimited(lines) = &self.0.lines {
            lines.head(&self.0.columns, &mut head)?;
        }
        if !head.is_empty() {
            file.write_all(&self.0.compress(head)?).map_err(failed)?;
        }
        Ok(Box::new(TextFile(file)))
    }
}

impl Shared {
    /// Appends the rows of `chunk`, whose columns are those of the schema.
    fn write(&self, chunk: &Chunk, out: &mut Vec<u8>) -> Result<()> {
        let texts = self.columns.iter().enumerate().map(|(at, column)| column.texts(chunk.column(at), chunk.rows()));
        let texts = texts.collect::<Result<Vec<_>>>()?;
        match &self.lines {
            Lines::Delimited(lines) => lines.rows(&self.columns, &texts, chunk.rows(), out),
            Lines::Json => json::rows(&self.columns, &texts, chunk.rows(), out),
        }
    }

    /// A block of rows as the codec has it; blocks behind each other are a file.
    fn compress(&self, block: Vec<u8>) -> Result<Vec<u8>> {
        match self.compression {
            Compression::Gzip(level) => {
                let level = flate2::Compression::new(u32::from(level.unwrap_or(6)));
                let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(block.len() / 3), level);
                encoder.write_all(&block).and_then(|()| encoder.finish()).map_err(failed)
            }
            Compression::Zstd(level) => zstd::bulk::compress(&block, i32::from(level.unwrap_or(3))).map_err(failed),
            Compression::None | Compression::Snappy | Compression::Lz4 => Ok(block),
        }
    }
}

/// The error of a write whose file the caller names.
fn failed(source: std::io::Error) -> Error {
    Error::new(crate::ErrorKind::Io, format!("cannot write the file: {source}")).with_source(source)
}

/// Lines of one task.
struct Rows {
    shared: Arc<Shared>,
    block: Vec<u8>,
    rows: usize,
}

impl Encoder for Rows {
    fn push(&mut self, chunk: &Chunk, done: &mut dyn FnMut(Block) -> Result<()>) -> Result<()> {
        self.shared.write(chunk, &mut self.block)?;
        self.rows += chunk.rows();
        if self.block.len() < BLOCK_BYTES {
            return Ok(());
        }
        self.finish()?.map_or(Ok(()), done)
    }

    fn memory_bytes(&self) -> usize {
        self.block.capacity()
    }

    fn finish(&mut self) -> Result<Option<Block>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let bytes = self.shared.compress(std::mem::take(&mut self.block))?;
        Ok(Some(Block::Text(bytes, std::mem::take(&mut self.rows))))
    }
}

struct TextFile(Bytes);

impl FormatFile for TextFile {
    fn append(&mut self, block: Block) -> Result<()> {
        match block {
            Block::Text(bytes, _) => self.0.write_all(&bytes).map_err(failed),
            _ => Err(Error::internal("a block of another format than its file")),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
