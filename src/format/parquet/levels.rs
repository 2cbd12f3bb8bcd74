//! Definition levels of flat columns: which rows are NULL.
//!
//! Levels are decoded as far as rows are asked for. Packed levels are what Arrow's masks are: bits,
//! the first row in the lowest one; a page without NULLs gives no mask at all.

use super::hybrid::{BitRun, Hybrid};
use super::pages::Levels;
use super::values::too_short;
use crate::error::Result;
use arrow::array::BooleanBufferBuilder;
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::util::bit_chunk_iterator::UnalignedBitChunk;

/// Reads the levels of a page, in order.
pub(super) enum LevelReader {
    /// The column has no NULLs.
    Required,
    Hybrid(Hybrid),
    /// A mask, and how many of its rows are consumed.
    Bits(BooleanBuffer, usize),
}

impl LevelReader {
    /// Over the levels of one page.
    pub(super) fn new(levels: Option<Levels>) -> Result<Self> {
        Ok(match levels {
            None => Self::Required,
            Some(Levels::Hybrid(levels)) => Self::Hybrid(Hybrid::new(levels, 1)?),
            Some(Levels::Bits(bits)) => {
                let bits: Vec<u8> = bits.iter().map(|byte| byte.reverse_bits()).collect();
                let rows = bits.len() * 8;
                Self::Bits(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows), 0)
            }
        })
    }

    /// The mask of the next `rows` rows; none when no row is NULL.
    pub(super) fn read(&mut self, rows: usize) -> Result<Option<BooleanBuffer>> {
        let mask = match self {
            Self::Required => return Ok(None),
            Self::Bits(bits, next) => {
                let end = next.checked_add(rows).filter(|end| *end <= bits.len()).ok_or_else(too_short)?;
                let mask = bits.slice(*next, rows);
                *next = end;
                Some(mask)
            }
            Self::Hybrid(levels) => {
                let mut mask: Option<BooleanBufferBuilder> = None;
                let mut present = 0;
                let start = |present| {
                    let mut mask = BooleanBufferBuilder::new(rows);
                    mask.append_n(present, true);
                    mask
                };
                levels.bits(rows, &mut |run| match run {
                    BitRun::Repeat { bit: true, count } if mask.is_none() => present += count,
                    BitRun::Repeat { bit, count } => mask.get_or_insert_with(|| start(present)).append_n(count, bit),
                    BitRun::Packed { bytes, first, count } => {
                        mask.get_or_insert_with(|| start(present)).append_packed_range(first..first + count, bytes);
                    }
                })?;
                mask.map(|mut mask| mask.finish())
            }
        };
        Ok(mask.filter(|mask| mask.count_set_bits() < rows))
    }

    /// Leaves out the next `rows` rows; returns how many of them are not NULL.
    pub(super) fn skip(&mut self, rows: usize) -> Result<usize> {
        match self {
            Self::Required => Ok(rows),
            Self::Bits(..) => Ok(self.read(rows)?.map_or(rows, |mask| mask.count_set_bits())),
            Self::Hybrid(levels) => {
                let mut present = 0;
                levels.bits(rows, &mut |run| match run {
                    BitRun::Repeat { bit, count } => present += if bit { count } else { 0 },
                    BitRun::Packed { bytes, first, count } => {
                        present += UnalignedBitChunk::new(bytes, first, count).count_ones();
                    }
                })?;
                Ok(present)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::bytes::Bytes;

    #[test]
    fn masks_and_counts_agree() {
        // 20 present, 16 packed, 30 NULL
        let hybrid = [40, 1, 5, 0b1010_0101, 0b0000_1111, 60, 0];
        let expected: Vec<bool> = (0..66)
            .map(|row| match row {
                0..20 => true,
                20..36 => (0b0000_1111_1010_0101 >> (row - 20)) & 1 == 1,
                _ => false,
            })
            .collect();
        let packed: Vec<u8> = expected
            .chunks(8)
            .map(|rows| rows.iter().enumerate().fold(0, |byte, (bit, present)| byte | u8::from(*present) << (7 - bit)))
            .collect();
        let both = || [Levels::Hybrid(Bytes::copy_from_slice(&hybrid)), Levels::Bits(packed.clone().into())];
        for start in 0..66 {
            for levels in both() {
                let mut levels = LevelReader::new(Some(levels)).unwrap();
                let skipped = levels.skip(start).unwrap();
                assert_eq!(skipped, expected[..start].iter().filter(|present| **present).count());
                let count = (66 - start).min(25);
                let mask = levels.read(count).unwrap();
                let mask: Vec<bool> = mask.map_or(vec![true; count], |mask| mask.iter().collect());
                assert_eq!(mask, expected[start..start + count]);
                assert!(levels.read(100).is_err());
            }
        }
    }
}
