//! A place in one column of a row group.

use super::arrow_cursor::ArrowCursor;
use super::calendar;
use super::levels::LevelReader;
use super::page_data::Meter;
use super::pages::{Levels, Next, Pages};
use super::values::{Take, Values};
use crate::column::Column;
use crate::error::{Error, Result};
use arrow::array::{BooleanBufferBuilder, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Reads a column of a row group in windows of rows, in order, and may leave rows out. Leaving out
/// costs nothing until the next read, which passes over whole pages where it can.
pub struct ColumnCursor {
    inner: Inner,
    /// Set for columns whose values the calendar of their writer may refuse.
    checked: Option<Place>,
}

enum Inner {
    Flat(Box<FlatCursor>),
    Arrow(Box<ArrowCursor>),
}

/// What a cursor did so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageFigures {
    /// Data pages decompressed.
    pub read: u64,
    /// Data pages passed over.
    pub skipped: u64,
    /// Bytes of pages after decompression, dictionaries included.
    pub bytes: u64,
    /// Time spent reading page headers and decompressing, nanoseconds; during reads, too.
    pub decompress_ns: u64,
    /// Rows whose values were decoded.
    pub rows: u64,
}

/// For error messages.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    pub(super) row_group: usize,
    pub(super) column: Arc<str>,
}

impl Place {
    pub(super) fn locate(&self, error: Error) -> Error {
        error.in_file(&*self.file).in_row_group(self.row_group).in_column(&*self.column)
    }
}

impl ColumnCursor {
    pub(super) fn flat(place: Place, pages: Pages, values: Box<dyn Values>, rows: usize) -> Self {
        let (figures, meter) = (PageFigures::default(), Arc::default());
        let cursor = FlatCursor { place, pages, values, rows, row: 0, page: None, places: Vec::new(), figures, meter };
        Self { inner: Inner::Flat(Box::new(cursor)), checked: None }
    }

    pub(super) fn arrow(cursor: ArrowCursor) -> Self {
        Self { inner: Inner::Arrow(Box::new(cursor)), checked: None }
    }

    /// Lets [`calendar::check_values`] see every value, unless none.
    pub(super) fn with_calendar(mut self, checked: Option<Place>) -> Self {
        self.checked = checked;
        self
    }

    /// The next `rows` rows, in the storage type of the column's SQL type.
    pub fn read(&mut self, rows: usize) -> Result<Column> {
        let values = match &mut self.inner {
            Inner::Flat(cursor) => cursor.read(rows),
            Inner::Arrow(cursor) => cursor.read(rows),
        }?;
        if let Some(place) = &self.checked {
            calendar::check_values(&values, place)?;
        }
        Ok(values)
    }

    /// Leaves out the next `rows` rows.
    pub fn skip(&mut self, rows: usize) {
        let row = match &mut self.inner {
            Inner::Flat(cursor) => &mut cursor.row,
            Inner::Arrow(cursor) => &mut cursor.row,
        };
        *row = row.saturating_add(rows);
    }

    /// The row the next read starts with, from the start of the row group.
    pub fn row(&self) -> usize {
        match &self.inner {
            Inner::Flat(cursor) => cursor.row,
            Inner::Arrow(cursor) => cursor.row,
        }
    }

    /// Reads those of the next `rows` rows whose numbers, counted from here and ascending, are in
    /// `wanted`, and passes over the others: over whole pages where it can.
    pub fn read_some(&mut self, wanted: &[u32], rows: usize) -> Result<Column> {
        let values = match &mut self.inner {
            Inner::Flat(cursor) => cursor.read_some(wanted, rows)?,
            Inner::Arrow(cursor) => {
                let all = cursor.read(rows)?.flat()?;
                Column::Flat(compute::take(&all, &UInt32Array::from(wanted.to_vec()), None)?)
            }
        };
        if let Some(place) = &self.checked {
            calendar::check_values(&values, place)?;
        }
        Ok(values)
    }

    /// Allows codes for numbers too, from dictionaries of at most so many values: for readers who test
    /// values rather than use them. Strings give codes in any case.
    pub fn keep_codes(&mut self, dictionary_max: usize) {
        if let Inner::Flat(cursor) = &mut self.inner {
            cursor.values.keep_codes(dictionary_max);
        }
    }

    /// What was done so far; nothing is known of columns that the crate decodes.
    pub fn figures(&self) -> PageFigures {
        match &self.inner {
            Inner::Flat(cursor) => PageFigures {
                skipped: cursor.pages.skipped as u64,
                bytes: cursor.figures.bytes + cursor.meter.bytes.load(Ordering::Relaxed),
                decompress_ns: cursor.figures.decompress_ns + cursor.meter.nanoseconds.load(Ordering::Relaxed),
                ..cursor.figures
            },
            Inner::Arrow(_) => PageFigures::default(),
        }
    }
}

struct FlatCursor {
    place: Place,
    pages: Pages,
    values: Box<dyn Values>,
    rows: usize,
    /// The row wanted next; the open page may still stand before it.
    row: usize,
    page: Option<OpenPage>,
    /// Places of wanted values.
    places: Vec<u32>,
    figures: PageFigures,
    /// What was decompressed of pages that were open already.
    meter: Arc<Meter>,
}

struct OpenPage {
    start: usize,
    rows: usize,
    /// Rows of the page consumed so far.
    at: usize,
    levels: LevelReader,
}

impl FlatCursor {
    fn read(&mut self, rows: usize) -> Result<Column> {
        self.try_read(rows).map_err(|error| self.located(error))
    }

    fn read_some(&mut self, wanted: &[u32], rows: usize) -> Result<Column> {
        self.try_read_some(wanted, rows).map_err(|error| self.located(error))
    }

    fn located(&self, error: Error) -> Error {
        self.place.locate(error.in_page(self.pages.page.saturating_sub(1)))
    }

    fn check_end(&self, rows: usize) -> Result<()> {
        if rows > self.rows.saturating_sub(self.row) {
            return Err(Error::internal("a read past the end of a row group"));
        }
        Ok(())
    }

    fn try_read(&mut self, rows: usize) -> Result<Column> {
        self.check_end(rows)?;
        let mut gathered = Gathered { rows: 0, valid: None };
        while gathered.rows < rows {
            let page = seek(&mut self.page, &mut self.pages, &mut *self.values, self.row, (&mut self.figures, &self.meter))?;
            let count = (rows - gathered.rows).min(page.rows - page.at);
            let valid = page.levels.read(count)?;
            let values = valid.as_ref().map_or(count, BooleanBuffer::count_set_bits);
            self.values.read(count, Take::Next(values), valid.as_ref())?;
            gathered.append(count, valid, rows);
            page.at += count;
            self.row += count;
        }
        self.finish(gathered)
    }

    fn try_read_some(&mut self, mut wanted: &[u32], rows: usize) -> Result<Column> {
        self.check_end(rows)?;
        let (first, end) = (self.row, self.row + rows);
        let rows = wanted.len();
        let mut gathered = Gathered { rows: 0, valid: None };
        while let Some(next) = wanted.first() {
            // Rows before it that lie in other pages are never seen.
            self.row = first + *next as usize;
            let page = seek(&mut self.page, &mut self.pages, &mut *self.values, self.row, (&mut self.figures, &self.meter))?;
            let base = self.row - first;
            let here = wanted.partition_point(|at| (*at as usize) < base + page.rows - page.at);
            let (inside, rest) = wanted.split_at(here);
            // Only so many values as it takes: what is behind the last one may never be wanted.
            let count = inside.last().map_or(0, |last| *last as usize + 1 - base);
            self.places.clear();
            self.places.extend(inside.iter().map(|at| at - base as u32));
            match page.levels.read(count)? {
                None => {
                    self.values.read(here, Take::Some { of: count, at: &self.places }, None)?;
                    gathered.append(here, None, rows);
                }
                Some(valid) => {
                    let some = present(&valid, &mut self.places);
                    let take = Take::Some { of: valid.count_set_bits(), at: &self.places };
                    self.values.read(here, take, Some(&some))?;
                    gathered.append(here, Some(some), rows);
                }
            }
            page.at += count;
            wanted = rest;
        }
        self.row = end;
        self.finish(gathered)
    }

    fn finish(&mut self, gathered: Gathered) -> Result<Column> {
        self.figures.rows += gathered.rows as u64;
        self.values.finish(gathered.valid.map(|mut valid| NullBuffer::new(valid.finish())))
    }
}

/// Turns numbers of rows into places among the values that are not NULL, and drops those of NULL rows;
/// returns for each of the rows whether it is not NULL.
fn present(valid: &BooleanBuffer, places: &mut Vec<u32>) -> BooleanBuffer {
    let words: Vec<u64> = valid.bit_chunks().iter_padded().collect();
    let (mut word, mut before) = (0, 0);
    let mut some = BooleanBufferBuilder::new(places.len());
    places.retain_mut(|place| {
        let row = *place as usize;
        while word < row / 64 {
            before += words[word].count_ones();
            word += 1;
        }
        *place = before + (words[word] & ((1 << (row % 64)) - 1)).count_ones();
        let is_valid = words[word] >> (row % 64) & 1 == 1;
        some.append(is_valid);
        is_valid
    });
    some.finish()
}

/// The rows of a window so far.
struct Gathered {
    rows: usize,
    /// None: none of them is NULL.
    valid: Option<BooleanBufferBuilder>,
}

impl Gathered {
    /// Adds `rows` rows to a window that is going to have `capacity`; no mask: none of them is NULL.
    fn append(&mut self, rows: usize, valid: Option<BooleanBuffer>, capacity: usize) {
        let before = self.rows;
        self.rows += rows;
        if let Some(slice) = valid {
            let known = self.valid.get_or_insert_with(|| {
                let mut known = BooleanBufferBuilder::new(capacity);
                known.append_n(before, true);
                known
            });
            known.append_buffer(&slice);
        } else if let Some(known) = &mut self.valid {
            known.append_n(rows, true);
        }
    }
}

/// Brings the open page to `row`, opening other pages as needed.
fn seek<'a>(
    open: &'a mut Option<OpenPage>,
    pages: &mut Pages,
    values: &mut dyn Values,
    row: usize,
    (figures, meter): (&mut PageFigures, &Arc<Meter>),
) -> Result<&'a mut OpenPage> {
    while open.as_ref().is_none_or(|page| row >= page.start + page.rows) {
        *open = None;
        let began = Instant::now();
        pages.pass_to(row)?;
        let start = pages.row;
        let next = pages.next()?;
        figures.decompress_ns += began.elapsed().as_nanos() as u64;
        match next {
            Next::End => return Err(Error::data("the column has fewer values than its row group has rows")),
            Next::Dictionary(mut data, count) => {
                figures.bytes += data.ready().len() as u64;
                data.measure(meter);
                values.dictionary(data, count)?;
            }
            Next::Data(mut page) => {
                let levels = match &page.levels {
                    Some(Levels::Hybrid(bytes) | Levels::Bits(bytes)) => bytes.len(),
                    None => 0,
                };
                figures.read += 1;
                figures.bytes += (page.values.ready().len() + levels) as u64;
                page.values.measure(meter);
                values.begin(page.encoding, page.values)?;
                *open = Some(OpenPage { start, rows: page.rows, at: 0, levels: LevelReader::new(page.levels)? });
            }
        }
    }
    let page = open.as_mut().ok_or_else(|| Error::internal("no page is open after a seek"))?;
    let behind = row.saturating_sub(page.start + page.at);
    if behind > 0 {
        values.skip(page.levels.skip(behind)?)?;
        page.at += behind;
    }
    Ok(page)
}
