//! The bytes of column chunks in memory.

use crate::error::{Error, Result};
use crate::format::source::{ByteSource, GAP_BYTES_MAX, coalesce};
use ::bytes::Bytes;
use std::ops::Range;

/// Parts of a file, at their offsets in it.
#[derive(Debug, Clone, Default)]
pub(super) struct FileParts {
    parts: Vec<(u64, Bytes)>,
}

impl FileParts {
    /// Reads `ranges` of the file, near ones together. Also returns the bytes read.
    pub(super) fn read(source: &dyn ByteSource, ranges: Vec<Range<u64>>) -> Result<(Self, u64)> {
        let merged = coalesce(ranges, GAP_BYTES_MAX);
        let parts = source.read_ranges(&merged)?;
        let parts: Vec<(u64, Bytes)> = merged.into_iter().map(|range| range.start).zip(parts).collect();
        let total = parts.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        Ok((Self { parts }, total))
    }

    /// From `start` to the end of the part that holds it.
    pub(super) fn from(&self, start: u64) -> Result<Bytes> {
        let after = self.parts.partition_point(|(offset, _)| *offset <= start);
        if let Some((offset, bytes)) = after.checked_sub(1).and_then(|at| self.parts.get(at)) {
            let skip = (start - offset) as usize;
            if skip <= bytes.len() {
                return Ok(bytes.slice(skip..));
            }
        }
        Err(Error::data(format!("offset {start} lies outside of the column chunk")))
    }
}
