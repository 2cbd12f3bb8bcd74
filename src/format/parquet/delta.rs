//! Integers as differences: `DELTA_BINARY_PACKED`.
//!
//! Problem: values are sums over everything before them, so none can be had without the others. The
//! differences of a miniblock are packed like dictionary codes, less the smallest one of the block;
//! 32 of them are unpacked at once and summed up. Leaving values out still sums, but stores nothing,
//! and a miniblock of width 0 (a constant step) is one multiplication.
//!
//! ```text
//!   block values | miniblocks | values | first          all varints, signed ones in zigzag
//!   least difference | width, width, .. | miniblock | miniblock | ..        a block, repeated
//! ```
//!
//! Cost: two additions and the unpacking a value. NULLs are not here. Format: Apache Parquet,
//! Encodings, "Delta Encoding"; Lemire and Boytsov, Decoding billions of integers per second, 2015.

use super::unpack::unpack_groups;
use super::values::too_short;
use crate::error::{Error, Result};
use ::bytes::Bytes;

/// Differences that are unpacked at once; miniblocks are multiples of it.
const GROUP: usize = 32;
/// More values a block than any writer makes; the format names 128, some writers take thousands.
const BLOCK_VALUES_MAX: u64 = 1 << 20;

/// A reader of such integers, of 64 bits or of 32 bits with their sign extended.
#[derive(Debug)]
pub(super) struct DeltaReader {
    data: Bytes,
    at: usize,
    miniblocks: usize,
    miniblock_values: usize,
    /// Values not handed out yet.
    left: usize,
    /// Values that are not in a group yet: all but the first and those of groups so far.
    packed: usize,
    /// The next value if it is the first, otherwise the one before it.
    last: i64,
    first: bool,
    least: i64,
    /// Where the current block's widths are, and which of them is next.
    widths: usize,
    miniblock: usize,
    /// Groups left in the current miniblock.
    groups: usize,
    width: usize,
    /// Differences unpacked and not used yet: `group[used..filled]`.
    group: Box<[u64; GROUP]>,
    used: usize,
    filled: usize,
}

impl DeltaReader {
    /// A reader of what `data` starts with.
    pub(super) fn new(data: Bytes) -> Result<Self> {
        let mut at = 0;
        // A page of NULLs only may be empty.
        let empty = data.is_empty();
        let mut number = || if empty { Ok(0) } else { varint(&data, &mut at) };
        let (block, miniblocks, count, first) = (number()?, number()?, number()?, number()?);
        let miniblock_values = block.checked_div(miniblocks).unwrap_or(0);
        let sound = block <= BLOCK_VALUES_MAX && miniblock_values * miniblocks == block && miniblock_values % GROUP as u64 == 0;
        if !empty && (!sound || block == 0) {
            return Err(Error::data(format!("a block of {block} differences in {miniblocks} miniblocks")));
        }
        let left = usize::try_from(count).map_err(|_| too_short())?;
        Ok(Self {
            at,
            miniblocks: miniblocks as usize,
            miniblock_values: miniblock_values as usize,
            left,
            packed: left.saturating_sub(1),
            last: zigzag(first),
            first: true,
            least: 0,
            widths: 0,
            miniblock: miniblocks as usize,
            groups: 0,
            width: 0,
            group: Box::new([0; GROUP]),
            used: 0,
            filled: 0,
            data,
        })
    }

    /// Values not read yet.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Fills `out` with the next values.
    pub(super) fn read(&mut self, mut out: &mut [i64]) -> Result<()> {
        if out.len() > self.left {
            return Err(too_short());
        }
        self.left -= out.len();
        if self.first && !out.is_empty() {
            out[0] = self.last;
            self.first = false;
            out = &mut out[1..];
        }
        while !out.is_empty() {
            if self.used == self.filled {
                self.next_group()?;
            }
            let count = out.len().min(self.filled - self.used);
            let (head, tail) = out.split_at_mut(count);
            for (value, difference) in head.iter_mut().zip(&self.group[self.used..]) {
                self.last = self.last.wrapping_add(self.least).wrapping_add(*difference as i64);
                *value = self.last;
            }
            self.used += count;
            out = tail;
        }
        Ok(())
    }

    /// Leaves out the next `count` values.
    pub(super) fn skip(&mut self, mut count: usize) -> Result<()> {
        if count > self.left {
            return Err(too_short());
        }
        self.left -= count;
        if self.first && count > 0 {
            self.first = false;
            count -= 1;
        }
        while count > 0 {
            if self.used == self.filled {
                self.next_group()?;
            }
            let skipped = count.min(self.filled - self.used);
            let sum = self.group[self.used..self.used + skipped].iter().fold(0, |sum: u64, value| sum.wrapping_add(*value));
            self.last = self.last.wrapping_add(sum as i64).wrapping_add(self.least.wrapping_mul(skipped as i64));
            self.used += skipped;
            count -= skipped;
        }
        Ok(())
    }

    /// The bytes behind these integers. Call it before reading any.
    pub(super) fn rest(&self) -> Result<Bytes> {
        let mut at = self.at;
        let mut left = self.packed;
        while left > 0 {
            varint(&self.data, &mut at)?;
            let widths = self.data.get(at..at + self.miniblocks).ok_or_else(too_short)?;
            at += self.miniblocks;
            for width in widths {
                if left == 0 {
                    break;
                }
                // At most 64 times a block's values: no overflow.
                at += usize::from(*width) * self.miniblock_values / 8;
                left = left.saturating_sub(self.miniblock_values);
            }
        }
        if at > self.data.len() {
            return Err(too_short());
        }
        Ok(self.data.slice(at..))
    }

    fn next_group(&mut self) -> Result<()> {
        if self.groups == 0 {
            if self.miniblock == self.miniblocks {
                self.least = zigzag(varint(&self.data, &mut self.at)?);
                self.widths = self.at;
                self.at += self.miniblocks;
                self.miniblock = 0;
            }
            self.width = usize::from(*self.data.get(self.widths + self.miniblock).ok_or_else(too_short)?);
            if self.width > 64 {
                return Err(Error::data(format!("a difference of {} bits is too wide", self.width)));
            }
            self.miniblock += 1;
            self.groups = self.miniblock_values / GROUP;
        }
        self.groups -= 1;
        let bytes = self.width * GROUP / 8;
        let rest = self.data.get(self.at..).unwrap_or_default();
        self.filled = self.packed.min(GROUP);
        self.packed -= self.filled;
        self.used = 0;
        // Writers may leave out the end of the last miniblock.
        if rest.len() * 8 < self.filled * self.width {
            return Err(too_short());
        }
        unpack(rest, self.width, &mut self.group);
        self.at += bytes;
        Ok(())
    }
}

/// The next number of `data` from `at` on; moves `at` behind it.
fn varint(data: &[u8], at: &mut usize) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *data.get(*at).ok_or_else(too_short)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Error::data("a number in the header of differences is too long"))
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Unpacks 32 values of `width` bits. Missing bytes count as zero.
fn unpack(data: &[u8], width: usize, out: &mut [u64; GROUP]) {
    if width <= 32 {
        let mut narrow = [0; GROUP];
        unpack_groups(data, width, 0, &mut narrow);
        for (out, value) in out.iter_mut().zip(narrow) {
            *out = u64::from(value);
        }
        return;
    }
    let mut block = [0; 8 * GROUP + 16];
    let bytes = data.len().min(width * GROUP / 8);
    block[..bytes].copy_from_slice(&data[..bytes]);
    for (index, out) in out.iter_mut().enumerate() {
        let bit = index * width;
        let mut word = [0; 16];
        word.copy_from_slice(&block[bit / 8..bit / 8 + 16]);
        *out = (u128::from_le_bytes(word) >> (bit % 8)) as u64 & (u64::MAX >> (64 - width));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The format's own example: 7, 5, 3, 1, 2, 3, 4, 5 in one block of 128 and 4 miniblocks.
    #[test]
    fn the_example_of_the_format() {
        // Differences -2 -2 -2 1 1 1 1, the least -2: 0 0 0 3 3 3 3 in 2 bits.
        let data = [128, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 9, 9];
        let mut reader = DeltaReader::new(Bytes::copy_from_slice(&data)).unwrap();
        assert_eq!(reader.left(), 8);
        assert_eq!(&reader.rest().unwrap()[..], [9, 9]);
        let mut out = [0; 8];
        reader.read(&mut out).unwrap();
        assert_eq!(out, [7, 5, 3, 1, 2, 3, 4, 5]);
        assert!(reader.read(&mut out[..1]).is_err());
        for skipped in 0..8 {
            let mut reader = DeltaReader::new(Bytes::copy_from_slice(&data)).unwrap();
            reader.skip(skipped).unwrap();
            let mut out = [0; 1];
            reader.read(&mut out).unwrap();
            assert_eq!(out[0], [7, 5, 3, 1, 2, 3, 4, 5][skipped]);
            assert!(reader.skip(8 - skipped).is_err());
        }
    }

    #[test]
    fn damaged_headers_are_errors() {
        for data in [&[128u8, 1, 0, 8, 14][..], &[128, 1, 3, 8, 14], &[8, 1, 8, 14], &[0, 4, 8, 14], &[128], &[0xff; 12]] {
            assert!(DeltaReader::new(Bytes::copy_from_slice(data)).is_err(), "{data:?}");
        }
        let mut wide = DeltaReader::new(Bytes::from_static(&[128, 1, 4, 8, 14, 3, 65, 0, 0, 0, 1, 1, 1, 1])).unwrap();
        assert!(wide.read(&mut [0; 3]).is_err());
        let mut cut = DeltaReader::new(Bytes::from_static(&[128, 1, 4, 8, 14, 3, 20, 0, 0, 0, 1, 1, 1, 1])).unwrap();
        assert!(cut.rest().is_err());
        assert!(cut.read(&mut [0; 8]).is_err());
    }
}
