//! A place in one column of a row group.

use super::arrow_cursor::ArrowCursor;
use super::calendar;
use super::levels::LevelReader;
use super::pages::{Next, Pages};
use super::values::Values;
use crate::column::Column;
use crate::error::{Error, Result};
use arrow::array::BooleanBufferBuilder;
use arrow::buffer::NullBuffer;
use std::path::Path;
use std::sync::Arc;

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
        let cursor = FlatCursor { place, pages, values, rows, row: 0, page: None };
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

    /// Pages passed over without decompressing them, so far.
    pub fn pages_skipped(&self) -> usize {
        match &self.inner {
            Inner::Flat(cursor) => cursor.pages.skipped,
            Inner::Arrow(_) => 0,
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
        self.try_read(rows).map_err(|error| {
            let page = self.pages.page.saturating_sub(1);
            self.place.locate(error.in_page(page))
        })
    }

    fn try_read(&mut self, rows: usize) -> Result<Column> {
        if rows > self.rows.saturating_sub(self.row) {
            return Err(Error::internal("a read past the end of a row group"));
        }
        let mut valid: Option<BooleanBufferBuilder> = None;
        let mut done = 0;
        while done < rows {
            let page = seek(&mut self.page, &mut self.pages, &mut *self.values, self.row)?;
            let count = (rows - done).min(page.rows - page.at);
            match page.levels.read(count)? {
                None => {
                    self.values.read(count, None)?;
                    if let Some(valid) = &mut valid {
                        valid.append_n(count, true);
                    }
                }
                Some(slice) => {
                    self.values.read(count, Some(&slice))?;
                    let valid = valid.get_or_insert_with(|| {
                        let mut before = BooleanBufferBuilder::new(rows);
                        before.append_n(done, true);
                        before
                    });
                    valid.append_buffer(&slice);
                }
            }
            page.at += count;
            self.row += count;
            done += count;
        }
        self.values.finish(valid.map(|mut valid| NullBuffer::new(valid.finish())))
    }
}

/// Brings the open page to `row`, opening other pages as needed.
fn seek<'a>(open: &'a mut Option<OpenPage>, pages: &mut Pages, values: &mut dyn Values, row: usize) -> Result<&'a mut OpenPage> {
    while open.as_ref().is_none_or(|page| row >= page.start + page.rows) {
        *open = None;
        pages.pass_to(row)?;
        let start = pages.row;
        match pages.next()? {
            Next::End => return Err(Error::data("the column has fewer values than its row group has rows")),
            Next::Dictionary(data, count) => values.dictionary(data, count)?,
            Next::Data(page) => {
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
