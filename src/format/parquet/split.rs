//! Values cut into their bytes: `BYTE_STREAM_SPLIT`.
//!
//! ```text
//!   values  a0a1a2a3 b0b1b2b3 c0c1c2c3   as   a0b0c0 a1b1c1 a2b2c2 a3b3c3
//! ```
//!
//! Bytes of one place resemble each other and compress well. Any value can be put together alone.

use super::values::too_short;
use crate::error::Result;
use ::bytes::Bytes;

/// A reader of values of `width` bytes.
#[derive(Debug)]
pub(super) struct SplitReader {
    data: Bytes,
    width: usize,
    next: usize,
}

impl SplitReader {
    pub(super) fn new(data: Bytes, width: usize) -> Self {
        Self { data, width, next: 0 }
    }

    /// Appends the bytes of the next `count` values to `out`, which holds nothing else.
    pub(super) fn read(&mut self, count: usize, out: &mut Vec<u8>) -> Result<()> {
        let values = self.data.len() / self.width;
        let end = self.next.checked_add(count).filter(|end| *end <= values).ok_or_else(too_short)?;
        match self.width {
            2 => gather::<2>(&self.data, values, self.next..end, out),
            4 => gather::<4>(&self.data, values, self.next..end, out),
            8 => gather::<8>(&self.data, values, self.next..end, out),
            width => {
                for value in self.next..end {
                    out.extend((0..width).map(|byte| self.data[byte * values + value]));
                }
            }
        }
        self.next = end;
        Ok(())
    }

    /// Leaves out the next `count` values.
    pub(super) fn skip(&mut self, count: usize) {
        self.next = self.next.saturating_add(count);
    }
}

fn gather<const WIDTH: usize>(data: &[u8], values: usize, range: std::ops::Range<usize>, out: &mut Vec<u8>) {
    let streams: [&[u8]; WIDTH] = std::array::from_fn(|byte| &data[byte * values..][range.clone()]);
    out.extend((0..range.len()).flat_map(|value| std::array::from_fn::<u8, WIDTH, _>(|byte| streams[byte][value])));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_together_again() {
        for width in [1, 2, 3, 4, 8, 16] {
            let values: Vec<u8> = (0..20 * width).map(|byte| byte as u8).collect();
            let split: Vec<u8> = (0..width).flat_map(|byte| values.iter().skip(byte).step_by(width).copied()).collect();
            let mut reader = SplitReader::new(split.into(), width);
            reader.skip(3);
            let mut out = Vec::new();
            reader.read(17, &mut out).unwrap();
            assert_eq!(out, values[3 * width..]);
            assert!(reader.read(1, &mut out).is_err());
        }
    }
}
