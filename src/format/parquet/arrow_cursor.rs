//! Nested columns and very rare types, through the crate's Arrow reader.

use super::column::Place;
use super::damaged;
use super::file_schema::FileColumn;
use super::footer::Footer;
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use arrow::array::{Array, ArrayRef, new_empty_array};
use arrow::compute;
use arrow::datatypes::DataType;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows the crate decodes at a time.
const BATCH_ROWS: usize = 8192;

/// A place in a column that the crate decodes.
pub(super) struct ArrowCursor {
    place: Place,
    footer: Arc<Footer>,
    root: usize,
    data_type: DataType,
    /// The row wanted next.
    pub(super) row: usize,
    reader: Option<ParquetRecordBatchReader>,
    /// The row after the last one taken out of the reader.
    decoded: usize,
    rest: Option<ArrayRef>,
}

impl ArrowCursor {
    pub(super) fn new(place: Place, footer: &Arc<Footer>, column: &FileColumn) -> Self {
        let data_type = column.data_type.clone();
        let footer = footer.clone();
        Self { place, footer, root: column.root, data_type, row: 0, reader: None, decoded: 0, rest: None }
    }

    pub(super) fn read(&mut self, rows: usize) -> Result<Column> {
        self.try_read(rows).map_err(|error| self.place.locate(error))
    }

    fn try_read(&mut self, rows: usize) -> Result<Column> {
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut wanted = rows;
        while wanted > 0 {
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => self.next_batch()?,
            };
            let start = self.decoded - batch.len();
            let offset = self.row - start;
            if offset >= batch.len() {
                continue;
            }
            let count = wanted.min(batch.len() - offset);
            parts.push(batch.slice(offset, count));
            self.row += count;
            wanted -= count;
            if offset + count < batch.len() {
                self.rest = Some(batch.slice(offset + count, batch.len() - offset - count));
            }
        }
        let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
        let stored = storage_type(&self.data_type);
        let array = match parts.as_slice() {
            [] => new_empty_array(&stored),
            parts => compute::concat(parts)?,
        };
        // Through the SQL type, so that a lossy step fails here as it would in SQL.
        let array = if *array.data_type() == self.data_type { array } else { compute::cast(&array, &self.data_type)? };
        Ok(Column::Flat(crate::column::to_storage_type(&array)?))
    }

    fn next_batch(&mut self) -> Result<ArrayRef> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                self.decoded = self.row;
                let reader = self.open()?;
                self.reader.insert(reader)
            }
        };
        // The crate takes some things of a damaged file for granted.
        let next = catch_unwind(AssertUnwindSafe(|| reader.next()));
        match next.map_err(|_| Error::data("the file is damaged: its pages contradict each other"))? {
            None => Err(Error::data("the column has fewer values than its row group has rows")),
            Some(Err(error)) => Err(Error::data(format!("the file is damaged: {error}"))),
            Some(Ok(batch)) if batch.num_rows() > 0 => {
                self.decoded += batch.num_rows();
                Ok(batch.column(0).clone())
            }
            Some(Ok(_)) => Err(Error::data("the column is empty")),
        }
    }

    /// The reader starts at the row wanted now.
    fn open(&self) -> Result<ParquetRecordBatchReader> {
        let file = File::open(&self.place.file).map_err(|error| Error::io("open", &self.place.file, error))?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(self.footer.schema.reader.clone());
        let metadata = ArrowReaderMetadata::try_new(self.footer.metadata.clone(), options).map_err(damaged)?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), [self.root]);
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_row_groups(vec![self.place.row_group])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .with_offset(self.row)
            .build()
            .map_err(damaged)
    }
}
