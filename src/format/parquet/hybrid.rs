//! Parquet's hybrid of run lengths and bit packing: dictionary codes, levels, booleans.
//!
//! Problem: turn a stream of runs into 32-bit codes at memory speed. A run either repeats one value
//! or packs groups of 8 values of `width` bits each, which [`unpack`] cuts out.
//!
//! ```text
//!   varint (n << 1)     | value in ceil(width / 8) bytes         n times the value
//!   varint (g << 1 | 1) | g * width bytes                        g groups of 8 values
//! ```
//!
//! Cost: that of unpacking, or a store a value. NULLs are not here: only present values have codes.
//! Format: Apache Parquet, Encodings, "Run Length Encoding / Bit-Packing Hybrid".

use super::unpack::{unpack, unpack_one};
use super::values::Take;
use crate::error::{Error, Result};
use ::bytes::Bytes;

/// Packed values are cut out one by one when at most one in this many is wanted. Computed: unpacking
/// takes a cycle a value, cutting one out about five.
const SPARSE_ONE_IN: usize = 4;

/// Runs of so many values are filled without counting. Guessed: a cache line or two.
const SHORT_RUN: usize = 32;

/// A reader of codes.
#[derive(Debug)]
pub(super) struct Hybrid {
    data: Bytes,
    at: usize,
    width: usize,
    run: Run,
}

#[derive(Debug, Clone, Copy)]
enum Run {
    Repeat {
        value: u32,
        left: usize,
    },
    /// Packed values from byte `start`; `next` of them are consumed.
    Packed {
        start: usize,
        next: usize,
        left: usize,
    },
}

impl Hybrid {
    /// A reader of `data`, whose values have `width` bits.
    pub(super) fn new(data: Bytes, width: u8) -> Result<Self> {
        if width > 32 {
            return Err(Error::data(format!("a code of {width} bits is too wide")));
        }
        Ok(Self { data, at: 0, width: width as usize, run: Run::Repeat { value: 0, left: 0 } })
    }

    /// A reader of a dictionary-coded page: the width comes first.
    pub(super) fn with_width_byte(data: Bytes) -> Result<Self> {
        match data.first() {
            Some(&width) => Self::new(data.slice(1..), width),
            // A page of NULLs only may be empty.
            None => Self::new(data, 0),
        }
    }

    /// Fills `out` with the next values; returns the largest.
    pub(super) fn read(&mut self, mut out: &mut [u32]) -> Result<u32> {
        let mut largest = 0;
        while !out.is_empty() {
            match &mut self.run {
                Run::Repeat { left: 0, .. } | Run::Packed { left: 0, .. } => self.next_run()?,
                Run::Repeat { value, left } => {
                    let count = out.len().min(*left);
                    // Values behind a short run are overwritten by the next ones.
                    match out.first_chunk_mut::<SHORT_RUN>() {
                        Some(short) if count <= SHORT_RUN => *short = [*value; SHORT_RUN],
                        _ => out[..count].fill(*value),
                    }
                    let tail = &mut out[count..];
                    largest = largest.max(*value);
                    *left -= count;
                    out = tail;
                }
                Run::Packed { start, next, left } => {
                    let count = out.len().min(*left);
                    let (head, tail) = out.split_at_mut(count);
                    largest = largest.max(unpack(&self.data[*start..], self.width, *next, head));
                    *next += count;
                    *left -= count;
                    out = tail;
                }
            }
        }
        Ok(largest)
    }

    /// Appends the wanted ones of the next values, all of which are then consumed, to `out`; returns the
    /// largest of them. `scratch` is for values that are not wanted.
    pub(super) fn take(&mut self, take: Take<'_>, out: &mut Vec<u32>, scratch: &mut Vec<u32>) -> Result<u32> {
        let start = out.len();
        let (count, at) = match take {
            Take::Next(count) => {
                out.resize(start + count, 0);
                return self.read(&mut out[start..]);
            }
            Take::Some { of, at } => (of, at),
        };
        if matches!(self.run, Run::Repeat { left: 0, .. } | Run::Packed { left: 0, .. }) && count > 0 {
            self.next_run()?;
        }
        match &mut self.run {
            Run::Packed { start, next, left } if *left >= count && at.len() * SPARSE_ONE_IN <= count => {
                let (bytes, first, width) = (&self.data[*start..], *next, self.width);
                out.extend(at.iter().map(|place| unpack_one(bytes, width, first + *place as usize)));
                *next += count;
                *left -= count;
            }
            _ => {
                scratch.resize(count, 0);
                self.read(scratch)?;
                out.extend(at.iter().map(|place| scratch[*place as usize]));
            }
        }
        Ok(out[start..].iter().fold(0, |largest, code| largest.max(*code)))
    }

    /// The value of the next `count > 0` values, which are then consumed, if they are all in one run of
    /// it. Damage is left for [`Hybrid::read`] to find.
    pub(super) fn repeated(&mut self, count: usize) -> Option<u32> {
        if matches!(self.run, Run::Repeat { left: 0, .. } | Run::Packed { left: 0, .. }) {
            let at = self.at;
            if self.next_run().is_err() {
                self.at = at;
                return None;
            }
        }
        match &mut self.run {
            Run::Repeat { value, left } if *left >= count => {
                *left -= count;
                Some(*value)
            }
            _ => None,
        }
    }

    /// Leaves out the next `count` values.
    pub(super) fn skip(&mut self, mut count: usize) -> Result<()> {
        while count > 0 {
            match &mut self.run {
                Run::Repeat { left: 0, .. } | Run::Packed { left: 0, .. } => self.next_run()?,
                Run::Repeat { left, .. } => {
                    let skipped = count.min(*left);
                    *left -= skipped;
                    count -= skipped;
                }
                Run::Packed { next, left, .. } => {
                    let skipped = count.min(*left);
                    *next += skipped;
                    *left -= skipped;
                    count -= skipped;
                }
            }
        }
        Ok(())
    }

    /// Visits the next `count` values of a stream of single bits as `(bit, how often)` or packed
    /// bytes `(bytes, first bit, bits)`.
    pub(super) fn bits(&mut self, mut count: usize, repeat: &mut dyn FnMut(BitRun<'_>)) -> Result<()> {
        if self.width != 1 {
            return Err(Error::internal("bits are read from a stream of wider values"));
        }
        while count > 0 {
            match &mut self.run {
                Run::Repeat { left: 0, .. } | Run::Packed { left: 0, .. } => self.next_run()?,
                Run::Repeat { value, left } => {
                    let run = count.min(*left);
                    repeat(BitRun::Repeat { bit: *value != 0, count: run });
                    *left -= run;
                    count -= run;
                }
                Run::Packed { start, next, left } => {
                    let run = count.min(*left);
                    repeat(BitRun::Packed { bytes: &self.data[*start..], first: *next, count: run });
                    *next += run;
                    *left -= run;
                    count -= run;
                }
            }
        }
        Ok(())
    }

    fn next_run(&mut self) -> Result<()> {
        let header = self.varint()?;
        let count = usize::try_from(header >> 1).unwrap_or(usize::MAX);
        let rest = self.data.len() - self.at;
        if header & 1 == 0 {
            let bytes = self.width.div_ceil(8);
            if bytes > rest || count == 0 {
                return Err(Error::data("a run of codes is cut off"));
            }
            let mut value = 0u32;
            for (index, byte) in self.data[self.at..self.at + bytes].iter().enumerate() {
                value |= u32::from(*byte) << (8 * index);
            }
            self.at += bytes;
            self.run = Run::Repeat { value, left: count };
            return Ok(());
        }
        // Writers may leave out the bytes of the last group that no value needs.
        let bytes = count.saturating_mul(self.width).min(rest);
        let promised = count.saturating_mul(8);
        let held = (bytes * 8).checked_div(self.width).map_or(promised, |held| held.min(promised));
        if held == 0 {
            return Err(Error::data("packed codes are cut off"));
        }
        self.run = Run::Packed { start: self.at, next: 0, left: held };
        self.at += bytes;
        Ok(())
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64> {
        if let Some(&byte) = self.data.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let Some(&byte) = self.data.get(self.at) else {
                return Err(Error::data("the codes of the page end early"));
            };
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::data("the header of a run of codes is too long"))
    }
}

/// A stretch of single bits.
pub(super) enum BitRun<'a> {
    /// One bit, repeated.
    Repeat { bit: bool, count: usize },
    /// `count` bits from bit `first` of `bytes`.
    Packed { bytes: &'a [u8], first: usize, count: usize },
}

#[cfg(test)]
mod tests {
    use super::super::testing::pack;
    use super::*;

    #[test]
    fn reads_and_skips_mixed_runs() {
        let values: Vec<u32> = (0..16).collect();
        let mut data = vec![200, 1, 5]; // varint 200 = 100 times
        data.push(2 << 1 | 1);
        data.extend(pack(&values, 4));
        let mut hybrid = Hybrid::new(data.into(), 4).unwrap();
        let mut out = [0; 10];
        hybrid.skip(95).unwrap();
        hybrid.read(&mut out).unwrap();
        assert_eq!(out, [5, 5, 5, 5, 5, 0, 1, 2, 3, 4]);
        hybrid.skip(3).unwrap();
        hybrid.read(&mut out[..8]).unwrap();
        assert_eq!(out[..8], [8, 9, 10, 11, 12, 13, 14, 15]);
        assert!(hybrid.read(&mut out).is_err());
    }

    #[test]
    fn long_runs_are_seen() {
        let mut data = vec![200, 1, 5, 16 << 1, 6];
        data.push(1 << 1 | 1);
        data.extend(pack(&[1, 2, 3, 4, 5, 6, 7, 0], 4));
        let mut hybrid = Hybrid::new(data.into(), 4).unwrap();
        assert_eq!(hybrid.repeated(60), Some(5));
        assert_eq!(hybrid.repeated(41), None);
        assert_eq!(hybrid.repeated(40), Some(5));
        assert_eq!(hybrid.repeated(10), Some(6));
        let mut out = [0; 9];
        assert_eq!(hybrid.read(&mut out).unwrap(), 6);
        assert_eq!(out, [6, 6, 6, 6, 6, 6, 1, 2, 3]);
        assert_eq!(hybrid.repeated(1), None);
        hybrid.skip(5).unwrap();
        assert_eq!(hybrid.repeated(1), None, "the end");
        assert!(hybrid.read(&mut out).is_err());
    }

    #[test]
    fn wanted_values_are_taken_and_the_others_consumed() {
        let values: Vec<u32> = (0..160).map(|n| n * 7 % 32).collect();
        let mut data = vec![200, 1, 5];
        data.extend([20 << 1 | 1]);
        data.extend(pack(&values, 5));
        let all: Vec<u32> = std::iter::repeat_n(5, 100).chain(values).collect();
        for (skip, of) in [(0, 260), (100, 160), (103, 90), (90, 20), (0, 0)] {
            for one_in in [1, 3, 20] {
                let mut hybrid = Hybrid::new(data.clone().into(), 5).unwrap();
                hybrid.skip(skip).unwrap();
                let at: Vec<u32> = (0..of as u32).filter(|n| n % one_in == one_in / 2).collect();
                let mut out = vec![77];
                let largest = hybrid.take(Take::Some { of, at: &at }, &mut out, &mut Vec::new()).unwrap();
                let expected: Vec<u32> = at.iter().map(|at| all[skip + *at as usize]).collect();
                assert_eq!(out[1..], expected, "{of} from {skip}, one in {one_in}");
                assert_eq!(largest, expected.iter().copied().max().unwrap_or(0));
                assert!(hybrid.take(Take::Next(260 - skip - of), &mut out, &mut Vec::new()).is_ok());
                assert_eq!(out[1 + at.len()..], all[skip + of..]);
                assert!(hybrid.take(Take::Some { of: 1, at: &[0] }, &mut out, &mut Vec::new()).is_err());
            }
        }
    }

    #[test]
    fn damaged_streams_are_errors() {
        assert!(Hybrid::new(Bytes::new(), 33).is_err());
        let read = |data: &[u8], width| Hybrid::new(Bytes::copy_from_slice(data), width).unwrap().read(&mut [0; 9]);
        assert!(read(&[], 3).is_err());
        assert!(read(&[0], 3).is_err(), "a run of nothing must not loop");
        assert!(read(&[1], 3).is_err());
        assert!(read(&[0xff; 12], 3).is_err());
        assert!(read(&[4], 8).is_err());
        assert!(read(&[3, 0xff], 3).is_err());
    }
}
