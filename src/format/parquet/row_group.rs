//! One row group of a file: which bytes of it are needed, and cursors over them.

use super::arrow_cursor::ArrowCursor;
use super::bytes::FileParts;
use super::calendar;
use super::column::{ColumnCursor, Place};
use super::decimals::DecimalValues;
use super::fixed::fixed_values;
use super::footer::{FileColumn, Footer};
use super::kind::Kind;
use super::page_index::PageIndex;
use super::pages::{Pages, chunk_range};
use super::strings::StringValues;
use super::values::{BooleanValues, Values};
use crate::column::storage_type;
use crate::error::{Error, Result};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::page_index::offset_index::PageLocation;
use arrow::datatypes::DataType;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A row group, or a range of its rows, about to be read.
pub struct RowGroup {
    path: Arc<Path>,
    file: File,
    footer: Arc<Footer>,
    row_group: usize,
    rows: Range<usize>,
    index: Option<Arc<PageIndex>>,
}

impl RowGroup {
    /// Opens the file for `rows` of a row group. `use_index`: page places are worth reading.
    pub fn open(path: &Arc<Path>, footer: &Arc<Footer>, row_group: usize, rows: Range<usize>, use_index: bool) -> Result<Self> {
        let file = File::open(path).map_err(|error| match error.kind() {
            // Its footer was read: whoever replaced the table has removed it since.
            std::io::ErrorKind::NotFound => {
                Error::data("the file was removed while the query ran").in_file(&**path).with_hint("run the query again")
            }
            _ => Error::io("open", path, error),
        })?;
        let index = if use_index { footer.page_index(path, row_group)? } else { None };
        Ok(Self { path: path.clone(), file, footer: footer.clone(), row_group, rows, index })
    }

    /// Cursors over the given columns of the file, at the first of the rows. Also returns the bytes
    /// read.
    pub fn open_columns(&mut self, columns: &[usize]) -> Result<(Vec<ColumnCursor>, u64)> {
        let mut ranges = Vec::with_capacity(columns.len());
        for &column in columns {
            let column = self.column(column)?;
            if let Some((_, leaf)) = self.flat(column) {
                let chunk = self.footer.row_group(self.row_group).column(leaf);
                ranges.extend(needed(chunk, self.locations(leaf), &self.rows));
            }
        }
        let (parts, bytes) = FileParts::read(&mut self.file, &self.path, self.footer.file_bytes, ranges)?;
        let parts = Arc::new(parts);
        let cursors = columns.iter().map(|&column| self.cursor(column, &parts)).collect::<Result<_>>()?;
        Ok((cursors, bytes))
    }

    fn cursor(&self, column: usize, parts: &Arc<FileParts>) -> Result<ColumnCursor> {
        let column = self.column(column)?;
        let name: Arc<str> = column.name.as_str().into();
        let place = Place { file: self.path.clone(), row_group: self.row_group, column: name };
        let checked = (self.footer.hybrid && calendar::is_dated(column)).then(|| place.clone());
        let mut cursor = match self.flat(column) {
            None => ColumnCursor::arrow(ArrowCursor::new(place, &self.footer, column)),
            Some((kind, leaf)) => {
                let row_group = self.footer.row_group(self.row_group);
                let rows = usize::try_from(row_group.num_rows()).unwrap_or(0);
                let pages = Pages::new(parts.clone(), row_group.column(leaf), rows, self.locations(leaf));
                let pages = pages.map_err(|error| place.locate(error))?;
                ColumnCursor::flat(place, pages, values(kind, &column.data_type)?, rows)
            }
        };
        cursor.skip(self.rows.start);
        Ok(cursor.with_calendar(checked))
    }

    fn column(&self, column: usize) -> Result<&FileColumn> {
        self.footer.columns().get(column).ok_or_else(|| Error::internal(format!("a file has no column {column}")))
    }

    /// How and from which leaf we decode the column ourselves, if we do.
    fn flat(&self, column: &FileColumn) -> Option<(Kind, usize)> {
        column.kind.zip(column.leaf)
    }

    fn locations(&self, leaf: usize) -> Option<&[PageLocation]> {
        self.index.as_ref()?.locations(leaf)
    }
}

fn values(kind: Kind, data_type: &DataType) -> Result<Box<dyn Values>> {
    Ok(match kind {
        Kind::Boolean => Box::new(BooleanValues::new()),
        Kind::Bytes(length) => Box::new(StringValues::new(*data_type == DataType::Utf8View, length)),
        Kind::DecimalBytes(length) => Box::new(DecimalValues::new(length, storage_type(data_type))),
        other => fixed_values(other, storage_type(data_type)).ok_or_else(|| Error::internal("a kind without a decoder"))?,
    })
}

/// The bytes of a chunk that `rows` need: the dictionary and the pages they lie in.
fn needed(chunk: &ColumnChunkMetaData, locations: Option<&[PageLocation]>, rows: &Range<usize>) -> Vec<Range<u64>> {
    let whole = chunk_range(chunk);
    let Some(locations) = locations else { return vec![whole] };
    let first = locations.partition_point(|page| page.first_row_index as usize <= rows.start).saturating_sub(1);
    let last = locations.partition_point(|page| (page.first_row_index as usize) < rows.end);
    let (Some(head), Some(first), Some(last)) = (locations.first(), locations.get(first), locations[..last].last()) else {
        return vec![whole];
    };
    let end = last.offset as u64 + last.compressed_page_size as u64;
    vec![whole.start..head.offset as u64, first.offset as u64..end]
}
