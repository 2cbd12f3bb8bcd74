//! Dictionaries of numbers, dates, decimals: decompressed as far as codes go.

use super::fixed::{Fixed, Stored, check_code};
use super::page_data::PageData;
use super::values::too_short;
use crate::error::Result;

/// The values of a dictionary of a fixed width.
pub(super) enum FixedDictionary<F: Fixed> {
    /// As they are in the page, and their number: numbers are converted as they are gathered, and the
    /// page is decompressed up to the largest code.
    Stored(PageData, usize),
    Converted(Vec<F::Native>),
}

impl<F: Fixed> FixedDictionary<F> {
    /// `count` values of a dictionary page.
    pub(super) fn new(fixed: F, data: PageData, count: usize) -> Result<Self> {
        let width = fixed.width();
        let bytes = count.checked_mul(width).filter(|bytes| *bytes <= data.len()).ok_or_else(too_short)?;
        Ok(match F::STORED {
            Stored::Integer | Stored::Float => Self::Stored(data, count),
            Stored::Bytes => Self::Converted(data.all()?[..bytes].chunks_exact(width).map(|value| fixed.read(value)).collect()),
        })
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Stored(_, count) => *count,
            Self::Converted(values) => values.len(),
        }
    }

    /// Appends the values of `codes`, the largest of which is `largest`.
    pub(super) fn gather(&mut self, fixed: F, codes: &[u32], largest: u32, out: &mut Vec<F::Native>) -> Result<()> {
        check_code(codes, largest, self.len())?;
        match self {
            Self::Stored(data, _) => {
                if codes.is_empty() {
                    return Ok(());
                }
                let width = fixed.width();
                let bytes = (largest as usize + 1) * width;
                let data = data.reach(bytes)?.get(..bytes).ok_or_else(too_short)?;
                // SAFETY: every code is at most the largest, whose `width` bytes are there.
                let value = |code: &u32| unsafe { data.get_unchecked(*code as usize * width..(*code as usize + 1) * width) };
                out.extend(codes.iter().map(|code| fixed.read(value(code))));
            }
            // SAFETY: every code is below the number of values.
            Self::Converted(values) => out.extend(codes.iter().map(|code| unsafe { *values.get_unchecked(*code as usize) })),
        }
        Ok(())
    }
}
