//! The bytes of column chunks in memory, as the crate's page reader wants to see them.

use crate::error::Result;
use crate::format::source::{ByteSource, GAP_BYTES_MAX, coalesce};
use ::bytes::Bytes;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, Length};
use std::io::Cursor;
use std::ops::Range;

/// Parts of a file, at their offsets in it.
#[derive(Debug, Clone, Default)]
pub(super) struct FileParts {
    file_bytes: u64,
    parts: Vec<(u64, Bytes)>,
}

impl FileParts {
    /// Reads `ranges` of the file, near ones together. Also returns the bytes read.
    pub(super) fn read(source: &dyn ByteSource, ranges: Vec<Range<u64>>) -> Result<(Self, u64)> {
        let merged = coalesce(ranges, GAP_BYTES_MAX);
        let parts = source.read_ranges(&merged)?;
        let parts: Vec<(u64, Bytes)> = merged.into_iter().map(|range| range.start).zip(parts).collect();
        let total = parts.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        Ok((Self { file_bytes: source.len(), parts }, total))
    }

    /// From `start` to the end of the part that holds it.
    fn from(&self, start: u64) -> ::parquet::errors::Result<Bytes> {
        let after = self.parts.partition_point(|(offset, _)| *offset <= start);
        if let Some((offset, bytes)) = after.checked_sub(1).and_then(|at| self.parts.get(at)) {
            let skip = (start - offset) as usize;
            if skip <= bytes.len() {
                return Ok(bytes.slice(skip..));
            }
        }
        Err(ParquetError::General(format!("offset {start} lies outside of the column chunk")))
    }
}

impl Length for FileParts {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for FileParts {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> ::parquet::errors::Result<Self::T> {
        self.from(start).map(Cursor::new)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ::parquet::errors::Result<Bytes> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::General(format!("{length} bytes at offset {start} leave the column chunk")));
        }
        Ok(bytes.slice(..length))
    }
}
