//! The pages of one column chunk, in order, with their row numbers; pages may be passed over.
//!
//! With an offset index the place of every page is known, and one that is not wanted is not even
//! looked at. Without it page headers are read one after the other; the page's bytes are not.

use super::bytes::FileParts;
use super::damaged;
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use ::parquet::column::page::{Page, PageReader};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::page_index::offset_index::PageLocation;
use ::parquet::file::serialized_reader::SerializedPageReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A data page, cut into levels and values.
pub(super) struct DataPage {
    /// Rows, which for a flat column are values including NULLs.
    pub(super) rows: usize,
    /// How the values are encoded.
    pub(super) encoding: Encoding,
    /// Definition levels as a hybrid stream; none in a column without NULLs.
    pub(super) levels: Option<Bytes>,
    /// The values that are not NULL.
    pub(super) values: Bytes,
}

/// What comes next in a column chunk.
pub(super) enum Next {
    /// The dictionary: its values in plain encoding, and how many.
    Dictionary(Bytes, usize),
    /// A data page.
    Data(DataPage),
    /// Nothing.
    End,
}

/// Reads the pages of a column chunk.
pub(super) struct Pages {
    reader: SerializedPageReader<FileParts>,
    /// First row of every data page, and the number of rows at the end; empty when not known.
    starts: Vec<usize>,
    rows: usize,
    optional: bool,
    /// Data pages so far, read or passed over.
    pub(super) page: usize,
    /// Row at which the next data page starts.
    pub(super) row: usize,
    /// Data pages passed over.
    pub(super) skipped: usize,
    dictionary_checked: bool,
}

impl Pages {
    /// Over the bytes of a chunk of `rows` rows. `locations` must have been checked.
    pub(super) fn new(
        parts: Arc<FileParts>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
        locations: Option<&[PageLocation]>,
    ) -> Result<Self> {
        let mut starts = Vec::new();
        if let Some(locations) = locations {
            starts.extend(locations.iter().map(|location| location.first_row_index as usize));
            starts.push(rows);
        }
        // With places, the dictionary is what lies before the first page; without, headers tell.
        let start = chunk_range(chunk).start;
        let dictionary_checked = locations.and_then(<[_]>::first).is_none_or(|first| first.offset as u64 == start);
        let reader = SerializedPageReader::new(parts, chunk, rows, locations.map(<[PageLocation]>::to_vec)).map_err(damaged)?;
        let optional = chunk.column_descr().max_def_level() > 0;
        Ok(Self { reader, starts, rows, optional, page: 0, row: 0, skipped: 0, dictionary_checked })
    }

    /// Passes over data pages that end at or before `row`. A dictionary before them is left to
    /// [`Pages::next`]: call again after it.
    pub(super) fn pass_to(&mut self, row: usize) -> Result<()> {
        if !self.dictionary_checked {
            return Ok(());
        }
        while self.row < self.rows {
            let Some(rows) = self.peek_rows()? else { return Ok(()) };
            let end = self.row.saturating_add(rows);
            if end > row {
                return Ok(());
            }
            self.reader.skip_next_page().map_err(damaged)?;
            self.page += 1;
            self.skipped += 1;
            self.row = end;
        }
        Ok(())
    }

    fn peek_rows(&mut self) -> Result<Option<usize>> {
        if !self.starts.is_empty() {
            let known = self.starts.get(self.page).zip(self.starts.get(self.page + 1));
            return Ok(known.map(|(start, end)| end - start));
        }
        // The crate unwraps parts of the header that a damaged file may lack.
        let peeked = catch_unwind(AssertUnwindSafe(|| self.reader.peek_next_page()));
        let peeked = peeked.map_err(|_| Error::data("a page header is damaged"))?.map_err(damaged)?;
        Ok(peeked.filter(|page| !page.is_dict).and_then(|page| page.num_rows.or(page.num_levels)))
    }

    /// The next page, decompressed.
    pub(super) fn next(&mut self) -> Result<Next> {
        self.dictionary_checked = true;
        match self.reader.get_next_page().map_err(damaged)? {
            None => Ok(Next::End),
            Some(Page::DictionaryPage { buf, num_values, encoding, .. }) => match encoding {
                Encoding::PLAIN | Encoding::PLAIN_DICTIONARY => Ok(Next::Dictionary(buf, num_values as usize)),
                other => Err(Error::unsupported(format!("a dictionary page in {other} encoding"))),
            },
            Some(page) => {
                let page = self.cut(page)?;
                let expected = match self.starts.get(self.page + 1) {
                    Some(end) => end - self.row == page.rows,
                    None => page.rows <= self.rows.saturating_sub(self.row),
                };
                if !expected {
                    return Err(Error::data(format!("a page of {} rows does not fit its row group", page.rows)));
                }
                self.page += 1;
                self.row += page.rows;
                Ok(Next::Data(page))
            }
        }
    }

    fn cut(&self, page: Page) -> Result<DataPage> {
        let cut_off = || Error::data("the levels of a page are cut off");
        match page {
            Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } => {
                let mut at = 0;
                let mut levels = None;
                if self.optional {
                    if def_level_encoding != Encoding::RLE {
                        return Err(Error::unsupported(format!("definition levels in {def_level_encoding} encoding")));
                    }
                    let length = u32::from_le_bytes(*buf.first_chunk::<4>().ok_or_else(cut_off)?) as usize;
                    at = length.checked_add(4).filter(|end| *end <= buf.len()).ok_or_else(cut_off)?;
                    levels = Some(buf.slice(4..at));
                }
                Ok(DataPage { rows: num_values as usize, encoding, levels, values: buf.slice(at..) })
            }
            Page::DataPageV2 { buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let start = rep_levels_byte_len as usize;
                let end = start.saturating_add(def_levels_byte_len as usize);
                if end > buf.len() {
                    return Err(cut_off());
                }
                let levels = self.optional.then(|| buf.slice(start..end));
                Ok(DataPage { rows: num_values as usize, encoding, levels, values: buf.slice(end..) })
            }
            Page::DictionaryPage { .. } => Err(Error::data("a dictionary page among the data pages")),
        }
    }
}

/// Where a chunk lies in its file. The footer was checked to hold no negative numbers.
pub(super) fn chunk_range(chunk: &ColumnChunkMetaData) -> std::ops::Range<u64> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let start = u64::try_from(start).unwrap_or(0);
    start..start.saturating_add(u64::try_from(chunk.compressed_size()).unwrap_or(0))
}

/// Whether the crate may rely on these page places: in order, inside of the chunk, covering it.
pub(super) fn locations_hold(locations: &[PageLocation], start: u64, end: u64, rows: usize) -> bool {
    let mut row = -1i64;
    let mut offset = start;
    let inside = locations.iter().all(|location| {
        let first = location.first_row_index;
        let Ok(at) = u64::try_from(location.offset) else { return false };
        let Ok(size) = u64::try_from(location.compressed_page_size) else { return false };
        let good = first > row && at >= offset && size > 0 && at.checked_add(size).is_some_and(|page_end| page_end <= end);
        row = first;
        offset = at.saturating_add(size);
        good
    });
    // The dictionary page's length is told by what lies before the first data page.
    let dictionary = locations.first().is_some_and(|first| (first.offset as u64).saturating_sub(start) <= i32::MAX as u64);
    inside && dictionary && locations.first().is_some_and(|first| first.first_row_index == 0) && (row as usize) < rows.max(1)
}
