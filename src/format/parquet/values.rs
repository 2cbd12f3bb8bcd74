//! What decodes the values of one column chunk: flat numbers, booleans, strings.

use super::hybrid::{BitRun, Hybrid};
use super::spread::spread;
use crate::column::Column;
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use arrow::array::{BooleanArray, BooleanBufferBuilder};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use std::sync::Arc;

/// Decodes the values of a column chunk page by page and gathers them into windows of rows.
pub(super) trait Values: Send {
    /// Takes the dictionary page: `count` values in plain encoding.
    fn dictionary(&mut self, data: Bytes, count: usize) -> Result<()>;

    /// Starts a data page with these values, NULLs left out.
    fn begin(&mut self, encoding: Encoding, data: Bytes) -> Result<()>;

    /// Appends `rows` rows to the window, those whose bit in `valid` is set with the next values.
    fn read(&mut self, rows: usize, valid: Option<&BooleanBuffer>) -> Result<()>;

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
    fn dictionary(&mut self, _data: Bytes, _count: usize) -> Result<()> {
        Err(Error::data("a dictionary of booleans"))
    }

    fn begin(&mut self, encoding: Encoding, data: Bytes) -> Result<()> {
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

    fn read(&mut self, rows: usize, valid: Option<&BooleanBuffer>) -> Result<()> {
        let count = valid.map_or(rows, BooleanBuffer::count_set_bits);
        let mut bits = BooleanBufferBuilder::new(0);
        let out = if valid.is_some() { &mut bits } else { &mut self.out };
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
        if let Some(valid) = valid {
            self.present.clear();
            self.present.extend(bits.finish().iter());
            spread(&mut self.present, 0, rows, valid);
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
