//! What decodes the values of one column chunk: flat numbers, booleans, strings.

use super::hybrid::{BitRun, Hybrid};
use super::page_data::PageData;
use super::spread::spread;
use crate::column::Column;
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use arrow::array::{BooleanArray, BooleanBufferBuilder};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use std::sync::Arc;

/// Which of a page's next values are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Take<'a> {
    /// The next so many.
    Next(usize),
    /// Of the next `of` values, all of which are consumed, those at these places: ascending, below `of`.
    Some { of: usize, at: &'a [u32] },
}

impl Take<'_> {
    /// Values that are consumed.
    pub(super) fn consumed(self) -> usize {
        match self {
            Self::Next(count) => count,
            Self::Some { of, .. } => of,
        }
    }

    /// Values that are wanted.
    pub(super) fn wanted(self) -> usize {
        match self {
            Self::Next(count) => count,
            Self::Some { at, .. } => at.len(),
        }
    }

    /// Calls `visit` with the place of each wanted value among the consumed ones.
    #[inline(always)]
    pub(super) fn each(self, visit: impl FnMut(usize)) {
        match self {
            Self::Next(count) => (0..count).for_each(visit),
            Self::Some { at, .. } => at.iter().map(|at| *at as usize).for_each(visit),
        }
    }
}

/// Tells of each value in turn whether it is wanted.
pub(super) struct Wanted<'a> {
    take: Take<'a>,
    place: u32,
    next: usize,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(take: Take<'a>) -> Self {
        Self { take, place: 0, next: 0 }
    }

    /// Whether the next value is.
    #[inline(always)]
    pub(super) fn next(&mut self) -> bool {
        match self.take {
            Take::Next(_) => true,
            Take::Some { at, .. } => {
                let wanted = at.get(self.next) == Some(&self.place);
                self.place += 1;
                self.next += usize::from(wanted);
                wanted
            }
        }
    }
}

/// Decodes the values of a column chunk page by page and gathers them into windows of rows.
pub(super) trait Values: Send {
    /// Takes the dictionary page: `count` values in plain encoding.
    fn dictionary(&mut self, data: PageData, count: usize) -> Result<()>;

    /// Starts a data page with these values, NULLs left out.
    fn begin(&mut self, encoding: Encoding, data: PageData) -> Result<()>;

    /// Consumes values and appends `rows` rows to the window: those whose bit in `valid` is set get the
    /// wanted ones in order, of which there are as many.
    fn read(&mut self, rows: usize, take: Take<'_>, valid: Option<&BooleanBuffer>) -> Result<()>;

    /// Allows windows of codes from dictionaries of at most so many values, for readers who test values
    /// rather than use them. Types that always or never give codes ignore it.
    fn keep_codes(&mut self, dictionary_max: usize) {
        let _ = dictionary_max;
    }

    /// Leaves out the page's next `count` values.
    fn skip(&mut self, count: usize) -> Result<()>;

    /// The window's rows; starts a new window.
    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<Column>;
}

/// The page has fewer values than rows.
pub(super) fn too_short() -> Error {
    Error::data("the values of a page are cut off")
}

/// Booleans: bits, plain or as runs.
pub(super) struct BooleanValues {
    page: BooleanPage,
    out: BooleanBufferBuilder,
    /// Values before they are moved apart for NULLs.
    present: Vec<bool>,
}

enum BooleanPage {
    Plain { data: Bytes, next: usize },
    Runs(Hybrid),
}

impl BooleanValues {
    pub(super) fn new() -> Self {
        let page = BooleanPage::Plain { data: Bytes::new(), next: 0 };
        Self { page, out: BooleanBufferBuilder::new(0), present: Vec::new() }
    }
}

impl Values for BooleanValues {
    fn dictionary(&mut self, _data: PageData, _count: usize) -> Result<()> {
        Err(Error::data("a dictionary of booleans"))
    }

    fn begin(&mut self, encoding: Encoding, data: PageData) -> Result<()> {
        let data = data.all()?;
        self.page = match encoding {
            Encoding::PLAIN => BooleanPage::Plain { data, next: 0 },
            Encoding::RLE => {
                // The length in bytes comes first; a page of NULLs only may have no bytes at all.
                let length = data.first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length) as usize);
                let start = data.len().min(4);
                let end = start.checked_add(length).filter(|end| *end <= data.len()).ok_or_else(too_short)?;
                BooleanPage::Runs(Hybrid::new(data.slice(start..end), 1)?)
            }
            other => return Err(Error::unsupported(format!("booleans in {other} encoding"))),
        };
        Ok(())
    }

    fn read(&mut self, rows: usize, take: Take<'_>, valid: Option<&BooleanBuffer>) -> Result<()> {
        let count = take.consumed();
        let some = matches!(take, Take::Some { .. });
        let mut bits = BooleanBufferBuilder::new(0);
        let out = if valid.is_some() || some { &mut bits } else { &mut self.out };
        match &mut self.page {
            BooleanPage::Plain { data, next } => {
                let end = next.checked_add(count).filter(|end| *end <= data.len() * 8).ok_or_else(too_short)?;
                out.append_packed_range(*next..end, data);
                *next = end;
            }
            BooleanPage::Runs(runs) => {
                runs.bits(count, &mut |run| match run {
                    BitRun::Repeat { bit, count } => out.append_n(count, bit),
                    BitRun::Packed { bytes, first, count } => out.append_packed_range(first..first + count, bytes),
                })?;
            }
        }
        if valid.is_some() || some {
            let bits = bits.finish();
            self.present.clear();
            take.each(|at| self.present.push(bits.value(at)));
            if let Some(valid) = valid {
                spread(&mut self.present, 0, rows, valid);
            }
            self.out.append_slice(&self.present);
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        match &mut self.page {
            BooleanPage::Plain { next, .. } => *next = next.saturating_add(count),
            BooleanPage::Runs(runs) => runs.skip(count)?,
        }
        Ok(())
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<Column> {
        Ok(Column::Flat(Arc::new(BooleanArray::new(self.out.finish(), nulls))))
    }
}
