//! The pages of one column chunk, in order, with their row numbers; pages may be passed over.
//!
//! With an offset index the place of every page is known, and one that is not wanted is not even
//! looked at. Without it page headers are read one after the other; the page's bytes are not.

use super::bytes::FileParts;
use super::codec::Codec;
use super::dictionary::DictionaryPage;
use super::page_data::PageData;
use super::page_header::{PageHeader, PageKind};
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::page_index::offset_index::PageLocation;
use std::ops::Range;
use std::sync::Arc;

/// A data page, cut into levels and values.
pub(super) struct DataPage {
    /// Rows, which for a flat column are values including NULLs.
    pub(super) rows: usize,
    /// How the values are encoded.
    pub(super) encoding: Encoding,
    /// Definition levels; none in a column without NULLs.
    pub(super) levels: Option<Levels>,
    /// The values that are not NULL.
    pub(super) values: PageData,
}

/// Definition levels of a flat column, a bit a row.
pub(super) enum Levels {
    /// A hybrid stream.
    Hybrid(Bytes),
    /// Bits, most significant first, as the first writers wrote them.
    Bits(Bytes),
}

/// What comes next in a column chunk.
pub(super) enum Next {
    /// The dictionary: its values in plain encoding, and how many.
    Dictionary(PageData, usize),
    /// A data page.
    Data(DataPage),
    /// Nothing.
    End,
}

/// Reads the pages of a column chunk.
pub(super) struct Pages {
    parts: Arc<FileParts>,
    codec: Codec,
    /// What is not read yet, in the file; with known places, the dictionary only.
    rest: Range<u64>,
    /// First row and place of every data page; empty when not known.
    places: Vec<(usize, Range<u64>)>,
    rows: usize,
    optional: bool,
    /// Data pages so far, read or passed over.
    pub(super) page: usize,
    /// Row at which the next data page starts.
    pub(super) row: usize,
    /// Data pages passed over.
    pub(super) skipped: usize,
    dictionary_checked: bool,
    /// The dictionary, where it was read before.
    given: Option<DictionaryPage>,
}

impl Pages {
    /// Over the bytes of a chunk of `rows` rows. `locations` must have been checked.
    pub(super) fn new(
        parts: Arc<FileParts>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
        locations: Option<&[PageLocation]>,
    ) -> Result<Self> {
        let mut rest = chunk_range(chunk);
        let mut places = Vec::new();
        if let Some(locations) = locations {
            places.extend(locations.iter().map(|location| {
                let start = location.offset as u64;
                (location.first_row_index as usize, start..start + location.compressed_page_size as u64)
            }));
        }
        // With places, the dictionary is what lies before the first page; without, headers tell.
        if let Some((_, first)) = places.first() {
            rest.end = first.start;
        }
        let dictionary_checked = !places.is_empty() && rest.is_empty();
        let optional = chunk.column_descr().max_def_level() > 0;
        let codec = Codec::new(chunk.compression())?;
        Ok(Self { parts, codec, rest, places, rows, optional, page: 0, row: 0, skipped: 0, dictionary_checked, given: None })
    }

    /// Where in the file the page after the one read last begins, as far as is known.
    pub(super) fn place(&self) -> u64 {
        self.rest.start
    }

    /// Takes the dictionary from `page` instead of reading it: the bytes begin behind it.
    pub(super) fn begin_after(&mut self, page: DictionaryPage) {
        self.rest.start = page.end.min(self.rest.end);
        self.given = Some(page);
    }

    /// Passes over data pages that end at or before `row`. A dictionary before them is left to
    /// [`Pages::next`]: call again after it.
    pub(super) fn pass_to(&mut self, row: usize) -> Result<()> {
        if !self.dictionary_checked {
            return Ok(());
        }
        if !self.places.is_empty() {
            let wanted = self.places.partition_point(|(first, _)| *first <= row).saturating_sub(1);
            if wanted > self.page {
                self.skipped += wanted - self.page;
                self.page = wanted;
                self.row = self.places[wanted].0;
            }
            return Ok(());
        }
        while self.row < self.rows && !self.rest.is_empty() {
            let (header, bytes) = self.header()?;
            let rows = match header.kind {
                PageKind::Data { values, .. } => values,
                PageKind::DataV2 { rows, .. } => rows,
                PageKind::Dictionary { .. } | PageKind::Other => return Ok(()),
            };
            let end = self.row.saturating_add(rows);
            if end > row {
                return Ok(());
            }
            self.rest.start += bytes as u64 + header.stored as u64;
            self.page += 1;
            self.skipped += 1;
            self.row = end;
        }
        Ok(())
    }

    /// The header at the start of `rest`, and its length.
    fn header(&self) -> Result<(PageHeader, usize)> {
        let bytes = self.parts.from(self.rest.start)?;
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX).min(bytes.len());
        let header = PageHeader::read(&bytes[..left]);
        header.filter(|(header, bytes)| header.stored <= left - bytes).ok_or_else(|| Error::data("a page header is damaged"))
    }

    /// The next page, decompressed as far as its levels go.
    pub(super) fn next(&mut self) -> Result<Next> {
        let page = self.page;
        self.try_next().map_err(|error| error.in_page(page))
    }

    fn try_next(&mut self) -> Result<Next> {
        if let Some(page) = self.given.take() {
            self.dictionary_checked = true;
            return Ok(Next::Dictionary(page.data.into(), page.count));
        }
        if self.dictionary_checked && !self.places.is_empty() {
            let Some((_, place)) = self.places.get(self.page) else { return Ok(Next::End) };
            self.rest = place.clone();
        }
        while !self.rest.is_empty() && self.row < self.rows {
            let (header, bytes) = self.header()?;
            let start = self.rest.start + bytes as u64;
            self.rest.start = start + header.stored as u64;
            let from = self.parts.from(start)?;
            let first = !self.dictionary_checked;
            match header.kind {
                // More than one step: a dictionary may follow what is not known.
                PageKind::Other => continue,
                PageKind::Dictionary { values, encoding } => {
                    if !first {
                        return Err(Error::data("a dictionary page among the data pages"));
                    }
                    self.dictionary_checked = true;
                    if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                        return Err(Error::unsupported(format!("a dictionary page in {encoding} encoding")));
                    }
                    let stored = checked(from.slice(..header.stored), header.crc)?;
                    return Ok(Next::Dictionary(self.codec.open(stored, header.plain)?, values));
                }
                PageKind::Data { .. } | PageKind::DataV2 { .. } => {
                    if first && !self.places.is_empty() {
                        return Err(Error::data("a data page where the dictionary should be"));
                    }
                    self.dictionary_checked = true;
                    let stored = checked(from.slice(..header.stored), header.crc)?;
                    let page = self.cut(&header, stored)?;
                    let end = match self.places.get(self.page + 1) {
                        Some((end, _)) => *end,
                        None if self.places.is_empty() => self.row.saturating_add(page.rows).min(self.rows),
                        None => self.rows,
                    };
                    if self.row.saturating_add(page.rows) != end {
                        return Err(Error::data(format!("a page of {} rows does not fit its row group", page.rows)));
                    }
                    self.page += 1;
                    self.row = end;
                    return Ok(Next::Data(page));
                }
            }
        }
        if !self.dictionary_checked && !self.places.is_empty() {
            // Nothing known lay before the first page.
            self.dictionary_checked = true;
            return self.try_next();
        }
        Ok(Next::End)
    }

    fn cut(&mut self, header: &PageHeader, stored: Bytes) -> Result<DataPage> {
        let cut_off = || Error::data("the levels of a page are cut off");
        match header.kind {
            PageKind::Data { values: rows, encoding, levels: kind } => {
                let mut page = self.codec.open(stored, header.plain)?;
                let mut levels = None;
                if self.optional {
                    #[allow(deprecated)]
                    if kind == Encoding::BIT_PACKED {
                        let end = rows.div_ceil(8);
                        let ready = page.reach(end)?;
                        levels = Some(Levels::Bits(ready.get(..end).map(|bits| ready.slice_ref(bits)).ok_or_else(cut_off)?));
                        page.cut(end);
                    } else if kind == Encoding::RLE {
                        let length = u32::from_le_bytes(*page.reach(4)?.first_chunk::<4>().ok_or_else(cut_off)?) as usize;
                        let end = length.checked_add(4).filter(|end| *end <= page.len()).ok_or_else(cut_off)?;
                        let ready = page.reach(end)?;
                        levels = Some(Levels::Hybrid(ready.get(4..end).map(|bytes| ready.slice_ref(bytes)).ok_or_else(cut_off)?));
                        page.cut(end);
                    } else {
                        return Err(Error::unsupported(format!("definition levels in {kind} encoding")));
                    }
                }
                Ok(DataPage { rows, encoding, levels, values: page })
            }
            PageKind::DataV2 { values, rows, encoding, definition_bytes, repetition_bytes, compressed } => {
                if values != rows {
                    return Err(Error::data("a page of a flat column has not as many values as rows"));
                }
                let end = repetition_bytes + definition_bytes;
                if end > stored.len() || end > header.plain {
                    return Err(cut_off());
                }
                let levels = self.optional.then(|| Levels::Hybrid(stored.slice(repetition_bytes..end)));
                let values = stored.slice(end..);
                let values = if compressed { self.codec.open(values, header.plain - end)? } else { values.into() };
                Ok(DataPage { rows, encoding, levels, values })
            }
            PageKind::Dictionary { .. } | PageKind::Other => Err(Error::internal("not a data page")),
        }
    }
}

/// The page, unless it differs from what was written.
fn checked(stored: Bytes, crc: Option<u32>) -> Result<Bytes> {
    if crc.is_some_and(|crc| crc32fast::hash(&stored) != crc) {
        return Err(Error::data("the checksum of a page does not match"));
    }
    Ok(stored)
}

/// Where a chunk lies in its file. The footer was checked to hold no negative numbers.
pub(super) fn chunk_range(chunk: &ColumnChunkMetaData) -> std::ops::Range<u64> {
    // Some writers say 0 where there is no dictionary.
    let start = chunk.dictionary_page_offset().filter(|offset| *offset > 0).unwrap_or_else(|| chunk.data_page_offset());
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
