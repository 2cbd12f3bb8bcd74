//! The bytes of column chunks in memory.

use crate::error::{Error, Result};
use ::bytes::Bytes;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Ranges closer than this are read in one go, with the gap. Guessed: a call costs about what
/// copying this much from the page cache does.
const GAP_BYTES_MAX: u64 = 64 << 10;

/// Parts of a file, at their offsets in it.
#[derive(Debug, Clone, Default)]
pub(super) struct FileParts {
    parts: Vec<(u64, Bytes)>,
}

impl FileParts {
    /// Reads `ranges` of the file, near ones together. Also returns the bytes read.
    pub(super) fn read(file: &mut File, path: &Path, file_bytes: u64, mut ranges: Vec<Range<u64>>) -> Result<(Self, u64)> {
        ranges.retain(|range| !range.is_empty());
        ranges.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end.saturating_add(GAP_BYTES_MAX) => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        let mut parts = Vec::with_capacity(merged.len());
        let mut total = 0;
        for range in merged {
            if range.end > file_bytes {
                return Err(Error::data("the file is shorter than its footer says").in_file(path));
            }
            let wanted = range.end - range.start;
            let mut buffer = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
            let failed = |error| Error::io("read", path, error);
            file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
            // `read_to_end` fills spare capacity without zeroing it first.
            file.take(wanted).read_to_end(&mut buffer).map_err(failed)?;
            if buffer.len() as u64 != wanted {
                return Err(Error::data("the file was cut off while it was read").in_file(path));
            }
            total += wanted;
            parts.push((range.start, Bytes::from(buffer)));
        }
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
