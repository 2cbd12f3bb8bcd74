//! Rows into bytes of files: what every format that is written does, behind one face.
//!
//! ```text
//!   Encoding ─ encoder() ─> Encoder ─ push(rows) ─> Block ─┐      a task each
//!           └─ begin(file) ─> FormatFile <── append ───────┘      one writer at a time
//! ```
//!
//! Encoding is apart from files: blocks that are complete go to whichever file takes them, so that one
//! file can be written by all tasks and a file a task by the same code.

use super::arrangement::Arrangement;
use super::batches::BatchEncoding;
use super::options::OutputOptions;
use super::row_groups::RowGroups;
use super::text::TextEncoding;
use crate::column::Chunk;
use crate::error::Result;
use crate::format::parquet::EncodedRowGroup;
use crate::format::style::OutputStyle;
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use std::fmt::Debug;
use std::io::Write;
use std::sync::Arc;

/// How rows of one schema become files of a format: what all files of an output share.
pub(super) trait Encoding: Debug + Send + Sync {
    /// For the rows of one task.
    fn encoder(&self) -> Result<Box<dyn Encoder>>;

    /// Begins a file.
    fn begin(&self, file: Bytes) -> Result<Box<dyn FormatFile>>;
}

/// Rows that become blocks.
pub(super) trait Encoder: Send {
    /// Takes rows, and gives the blocks that they complete to `done`.
    fn push(&mut self, chunk: &Chunk, done: &mut dyn FnMut(Block) -> Result<()>) -> Result<()>;

    /// Bytes of memory held, about.
    fn memory_bytes(&self) -> usize;

    /// The block of the rows that are held; none where there are none.
    fn finish(&mut self) -> Result<Option<Block>>;
}

/// A file that blocks are appended to.
pub(super) trait FormatFile: Send {
    /// Appends a block.
    fn append(&mut self, block: Block) -> Result<()>;

    /// Writes what ends a file; all is with the file's bytes then.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Where the bytes of a file go.
pub(super) type Bytes = Box<dyn Write + Send>;

/// Encoded rows.
pub(super) enum Block {
    /// Of Parquet.
    RowGroup(EncodedRowGroup),
    /// Of formats whose writers take batches.
    Batch(RecordBatch),
    /// Whole lines, compressed as the file is, and how many.
    Text(Vec<u8>, usize),
}

impl Block {
    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::RowGroup(group) => group.rows(),
            Self::Batch(batch) => batch.num_rows(),
            Self::Text(_, rows) => *rows,
        }
    }
}

/// The encoding of rows of `schema` as `options` say; the order that `arrangement` asks for, its columns
/// being those of `schema`, is said in files that can say it.
pub(super) fn encoding(schema: &Schema, arrangement: &Arrangement, options: &OutputOptions) -> Result<Arc<dyn Encoding>> {
    Ok(match &options.style {
        OutputStyle::Parquet => Arc::new(RowGroups::new(schema, arrangement, options)?),
        OutputStyle::Delimited(_) | OutputStyle::Json(_) => Arc::new(TextEncoding::new(schema, options)?),
        OutputStyle::Avro | OutputStyle::Arrow => Arc::new(BatchEncoding::new(schema, options)?),
    })
}
