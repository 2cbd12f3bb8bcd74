//! A place in one column of a row group.

use super::arrow_cursor::ArrowCursor;
use super::calendar;
use super::levels::LevelReader;
use super::pages::{Levels, Next, Pages};
use super::values::Values;
use crate::column::Column;
use crate::error::{Error, Result};
use arrow::array::BooleanBufferBuilder;
use arrow::buffer::NullBuffer;
use std::path::Path;
use std::sync::Arc;
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
    /// Time spent reading page headers and decompressing, nanoseconds.
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
        let figures = PageFigures::default();
        let cursor = FlatCursor { place, pages, values, rows, row: 0, page: None, figures };
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

    /// Reads the rows of `slices`, which are counted from here, in order and without overlaps, and
    /// passes over the others up to `rows`. None: reading all of them is no more work; then nothing
    /// was done.
    pub fn read_slices(&mut self, slices: &[(usize, usize)], rows: usize) -> Result<Option<Column>> {
        let Inner::Flat(cursor) = &mut self.inner else { return Ok(None) };
        let values = cursor.read_slices(slices, rows)?;
        if let Some(place) = &self.checked {
            calendar::check_values(&values, place)?;
        }
        Ok(Some(values))
    }

    /// What was done so far; nothing is known of columns that the crate decodes.
    pub fn figures(&self) -> PageFigures {
        match &self.inner {
            Inner::Flat(cursor) => PageFigures { skipped: cursor.pages.skipped as u64, ..cursor.figures },
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
    figures: PageFigures,
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
        self.read_slices(&[(0, rows)], rows)
    }

    fn read_slices(&mut self, slices: &[(usize, usize)], rows: usize) -> Result<Column> {
        self.try_read(slices, rows).map_err(|error| {
            let page = self.pages.page.saturating_sub(1);
            self.place.locate(error.in_page(page))
        })
    }

    fn try_read(&mut self, slices: &[(usize, usize)], rows: usize) -> Result<Column> {
        if rows > self.rows.saturating_sub(self.row) {
            return Err(Error::internal("a read past the end of a row group"));
        }
        let first = self.row;
        let mut gathered = Gathered { rows: 0, valid: None };
        for (start, end) in slices {
            self.row = first + start;
            self.gather(end.saturating_sub(*start), &mut gathered)?;
        }
        self.row = first + rows;
        self.figures.rows += gathered.rows as u64;
        self.values.finish(gathered.valid.map(|mut valid| NullBuffer::new(valid.finish())))
    }

    /// Appends the next `rows` rows to the window.
    fn gather(&mut self, rows: usize, gathered: &mut Gathered) -> Result<()> {
        let mut done = 0;
        while done < rows {
            let page = seek(&mut self.page, &mut self.pages, &mut *self.values, self.row, &mut self.figures)?;
            let count = (rows - done).min(page.rows - page.at);
            match page.levels.read(count)? {
                None => {
                    self.values.read(count, None)?;
                    if let Some(valid) = &mut gathered.valid {
                        valid.append_n(count, true);
                    }
                }
                Some(slice) => {
                    self.values.read(count, Some(&slice))?;
                    let before = gathered.rows;
                    let valid = gathered.valid.get_or_insert_with(|| {
                        let mut valid = BooleanBufferBuilder::new(before + rows);
                        valid.append_n(before, true);
                        valid
                    });
                    valid.append_buffer(&slice);
                }
            }
            page.at += count;
            self.row += count;
            gathered.rows += count;
            done += count;
        }
        Ok(())
    }
}

/// The rows of a window so far.
struct Gathered {
    rows: usize,
    /// None: none of them is NULL.
    valid: Option<BooleanBufferBuilder>,
}

/// Brings the open page to `row`, opening other pages as needed.
fn seek<'a>(
    open: &'a mut Option<OpenPage>,
    pages: &mut Pages,
    values: &mut dyn Values,
    row: usize,
    figures: &mut PageFigures,
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
            Next::Dictionary(data, count) => {
                figures.bytes += data.len() as u64;
                values.dictionary(data, count)?;
            }
            Next::Data(page) => {
                let levels = match &page.levels {
                    Some(Levels::Hybrid(bytes) | Levels::Bits(bytes)) => bytes.len(),
                    None => 0,
                };
                figures.read += 1;
                figures.bytes += (page.values.len() + levels) as u64;
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
