//! Strings that share their beginning with the one before: `DELTA_BYTE_ARRAY`.
//!
//! ```text
//!   prefix lengths (delta) | suffix lengths (delta) | suffixes
//!   0 5 5                  | 6 2 1                  | applesps.        apples, applesps -> "apple" + ..
//! ```
//!
//! A value needs the one before it, so leaving values out builds them all the same.

use super::delta::DeltaReader;
use super::values::too_short;
use crate::error::{Error, Result};
use ::bytes::Bytes;

/// Values whose lengths are unpacked at once. Guessed: their lengths fit the first cache.
const BATCH: usize = 512;

/// A reader of such strings.
#[derive(Debug)]
pub(super) struct PrefixReader {
    prefixes: DeltaReader,
    suffixes: DeltaReader,
    data: Bytes,
    at: usize,
    last: Vec<u8>,
}

impl PrefixReader {
    pub(super) fn new(data: Bytes) -> Result<Self> {
        let prefixes = DeltaReader::new(data)?;
        let suffixes = DeltaReader::new(prefixes.rest()?)?;
        let data = suffixes.rest()?;
        Ok(Self { prefixes, suffixes, data, at: 0, last: Vec::new() })
    }

    /// Shows the next `count` values to `visit`.
    pub(super) fn read(&mut self, mut count: usize, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (mut prefixes, mut suffixes) = ([0; BATCH], [0; BATCH]);
        while count > 0 {
            let batch = count.min(BATCH);
            self.prefixes.read(&mut prefixes[..batch])?;
            self.suffixes.read(&mut suffixes[..batch])?;
            for (prefix, suffix) in prefixes[..batch].iter().zip(&suffixes[..batch]) {
                let prefix = usize::try_from(*prefix).ok().filter(|prefix| *prefix <= self.last.len());
                let prefix = prefix.ok_or_else(|| Error::data("a string shares more bytes with the one before than that has"))?;
                let end = usize::try_from(*suffix).ok().and_then(|suffix| self.at.checked_add(suffix)).ok_or_else(too_short)?;
                let suffix = self.data.get(self.at..end).ok_or_else(too_short)?;
                self.last.truncate(prefix);
                self.last.extend_from_slice(suffix);
                self.at = end;
                visit(&self.last)?;
            }
            count -= batch;
        }
        Ok(())
    }

    /// Leaves out the next `count` values.
    pub(super) fn skip(&mut self, count: usize) -> Result<()> {
        self.read(count, |_| Ok(()))
    }
}
