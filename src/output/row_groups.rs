//! Rows as row groups of Parquet.

use super::arrangement::Arrangement;
use super::encode::{Block, Bytes, Encoder, Encoding, FormatFile};
use super::options::OutputOptions;
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::format::parquet::{Encoding as ParquetEncoding, FileWriter, RowGroupEncoder, WriteOptions};
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// How rows of one schema become row groups.
#[derive(Debug)]
pub(super) struct RowGroups {
    encoding: Arc<ParquetEncoding>,
    schema: SchemaRef,
}

impl RowGroups {
    pub(super) fn new(schema: &Schema, arrangement: &Arrangement, options: &OutputOptions) -> Result<Self> {
        let sorted_by = arrangement.sorted_by.iter().map(|order| (order.column, order.descending, !order.descending));
        let own = WriteOptions { compression: options.compression, sorted_by: sorted_by.collect(), ..options.parquet.clone() };
        Ok(Self { encoding: ParquetEncoding::new(schema, own)?, schema: Arc::new(schema.clone()) })
    }
}

impl Encoding for RowGroups {
    fn encoder(&self) -> Result<Box<dyn Encoder>> {
        Ok(Box::new(Rows { encoder: RowGroupEncoder::new(&self.encoding)?, schema: self.schema.clone() }))
    }

    fn begin(&self, file: Bytes) -> Result<Box<dyn FormatFile>> {
        Ok(Box::new(FileWriter::new(&self.encoding, file)?))
    }
}

struct Rows {
    encoder: RowGroupEncoder,
    schema: SchemaRef,
}

impl Encoder for Rows {
    fn push(&mut self, chunk: &Chunk, done: &mut dyn FnMut(Block) -> Result<()>) -> Result<()> {
        let columns = chunk.stored(&self.schema)?;
        let mut at = 0;
        while at < chunk.rows() {
            if self.encoder.room() == 0 {
                done(Block::RowGroup(self.encoder.finish()?))?;
                continue;
            }
            let rows = self.encoder.room().min(chunk.rows() - at);
            if rows == chunk.rows() {
                self.encoder.push(&columns, rows)?;
            } else {
                let slices: Vec<_> = columns.iter().map(|column| column.slice(at, rows)).collect();
                self.encoder.push(&slices, rows)?;
            }
            at += rows;
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.encoder.memory_bytes()
    }

    fn finish(&mut self) -> Result<Option<Block>> {
        if self.encoder.rows() == 0 {
            return Ok(None);
        }
        self.encoder.finish().map(|group| Some(Block::RowGroup(group)))
    }
}

impl FormatFile for FileWriter<Bytes> {
    fn append(&mut self, block: Block) -> Result<()> {
        match block {
            Block::RowGroup(group) => FileWriter::append(self, group),
            _ => Err(Error::internal("a block of another format than its file")),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        FileWriter::finish(*self)
    }
}
