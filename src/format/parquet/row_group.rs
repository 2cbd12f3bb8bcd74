//! One row group of a file: which bytes of it are needed, and cursors over them.

use super::arrow_cursor::ArrowCursor;
use super::bloom;
use super::bytes::FileParts;
use super::calendar;
use super::column::{ColumnCursor, Place};
use super::decimals::DecimalValues;
use super::dictionary::{self, DictionaryPage};
use super::file_schema::FileColumn;
use super::fixed::fixed_values;
use super::footer::Footer;
use super::kind::Kind;
use super::page_index::PageIndex;
use super::pages::{Pages, chunk_range};
use super::strings::StringValues;
use super::values::{BooleanValues, Values};
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use crate::format::source::{ByteSource, GAP_BYTES_MAX, LocalFile, coalesce};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::page_index::offset_index::PageLocation;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use parking_lot::Mutex;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A row group, or a range of its rows, about to be read.
pub struct RowGroup {
    path: Arc<Path>,
    source: Arc<dyn ByteSource>,
    footer: Arc<Footer>,
    row_group: usize,
    rows: Range<usize>,
    index: Option<Arc<PageIndex>>,
    /// Dictionary pages that were read to judge the row group, by leaf, for the cursors of their columns.
    dictionaries: Mutex<Vec<(usize, DictionaryPage)>>,
}

impl RowGroup {
    /// Opens the file for `rows` of a row group. `use_index`: page places are worth reading.
    pub fn open(path: &Arc<Path>, footer: &Arc<Footer>, row_group: usize, rows: Range<usize>, use_index: bool) -> Result<Self> {
        let source = Arc::new(LocalFile::open(path, footer.file_bytes)?);
        let index = if use_index { footer.page_index(path, row_group)? } else { None };
        Ok(Self { path: path.clone(), source, footer: footer.clone(), row_group, rows, index, dictionaries: Mutex::default() })
    }

    /// Says that the columns of a row group will be read soon, without waiting for their bytes.
    pub fn announce(path: &Arc<Path>, footer: &Footer, row_group: usize, columns: impl Iterator<Item = usize>) -> Result<()> {
        let leaves = columns.filter_map(|column| footer.columns().get(column)?.leaf);
        let ranges: Vec<_> = leaves.map(|leaf| chunk_range(footer.row_group(row_group).column(leaf))).collect();
        if !ranges.is_empty() {
            LocalFile::open(path, footer.file_bytes)?.will_need(&coalesce(ranges, GAP_BYTES_MAX));
        }
        Ok(())
    }

    /// Whether a flat column may have one of `values` in some row, as its Bloom filter tells. Reads a
    /// few bytes for each value.
    pub fn may_hold(&self, column: usize, values: &[ScalarValue]) -> Result<bool> {
        bloom::may_hold(&*self.source, &self.footer, self.row_group, self.column(column)?, values)
    }

    /// Reads these rows only, which lie among those it was opened for.
    pub fn narrow(&mut self, rows: Range<usize>) {
        self.rows = rows;
    }

    /// Bytes of the column's dictionary page and of its whole chunk, if all values that occur are
    /// surely in the dictionary.
    pub fn dictionary_bytes(&self, column: usize) -> Option<(u64, u64)> {
        let (_, leaf) = self.flat(self.column(column).ok()?)?;
        let chunk = self.footer.row_group(self.row_group).column(leaf);
        let (page, whole) = (dictionary::whole_dictionary(chunk)?, chunk_range(chunk));
        Some((page.end - page.start, whole.end - whole.start))
    }

    /// All values of a flat column that are not NULL, if its dictionary tells, and the bytes read.
    /// Damage is left to be found by those who read the column, who get the page as it was read here.
    pub fn dictionary(&self, column: usize) -> Option<(Column, u64)> {
        let column = self.column(column).ok()?;
        let (kind, leaf) = self.flat(column)?;
        let chunk = self.footer.row_group(self.row_group).column(leaf);
        let range = dictionary::whole_dictionary(chunk)?;
        let values = values(kind, &column.data_type, self.footer.rows(self.row_group)).ok()?;
        let (page, bytes) = dictionary::read_page(&*self.source, chunk, range).ok().flatten()?;
        let decoded = dictionary::decode(&page, values).ok()?;
        self.dictionaries.lock().push((leaf, page));
        Some((decoded, bytes))
    }

    /// Cursors over the given columns of the file, at the first of the rows. Also returns the bytes
    /// read.
    pub fn open_columns(&mut self, columns: &[usize]) -> Result<(Vec<ColumnCursor>, u64)> {
        let mut ranges = Vec::with_capacity(columns.len());
        for &column in columns {
            let column = self.column(column)?;
            if let Some((_, leaf)) = self.flat(column) {
                let chunk = self.footer.row_group(self.row_group).column(leaf);
                let read = self.dictionaries.lock().iter().find(|(known, _)| *known == leaf).map(|(_, page)| page.end);
                let needed = needed(chunk, self.locations(leaf), &self.rows).into_iter();
                let needed = needed.map(|range| range.start.max(read.unwrap_or(0))..range.end);
                ranges.extend(needed.filter(|range| !range.is_empty()));
            }
        }
        let (parts, bytes) = FileParts::read(&*self.source, ranges)?;
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
                let mut pages = pages.map_err(|error| place.locate(error))?;
                if let Some((_, page)) = self.dictionaries.lock().iter().find(|(known, _)| *known == leaf) {
                    pages.begin_after(page.clone());
                }
                ColumnCursor::flat(place, pages, values(kind, &column.data_type, rows)?, rows)
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

/// A decoder of a chunk of `rows` rows.
fn values(kind: Kind, data_type: &DataType, rows: usize) -> Result<Box<dyn Values>> {
    Ok(match kind {
        Kind::Boolean => Box::new(BooleanValues::new()),
        Kind::Bytes(length) => Box::new(StringValues::new(*data_type == DataType::Utf8View, length, rows)),
        Kind::DecimalBytes(length) => Box::new(DecimalValues::new(length, rows, storage_type(data_type))),
        other => fixed_values(other, storage_type(data_type), rows).ok_or_else(|| Error::internal("a kind without a decoder"))?,
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
