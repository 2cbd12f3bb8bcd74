//! Where the bytes of a file come from: one blocking seam below all formats.
//!
//! Problem: read scattered ranges of a file with few calls, without zeroing buffers that are about
//! to be overwritten and without asking the system for fresh memory a chunk. Ranges that lie near
//! each other are read in one go; large buffers go back to a pool when the last view of them is
//! dropped; what will be wanted next is announced, and the system reads it in the background.
//!
//! ```text
//!   ranges  [a][b]   [c]........[d]      a..c: one read with the gaps    d: another
//! ```
//!
//! Cost: one positioned read a merged range; a fresh buffer is zeroed once, a reused one never.
//! No mapping of files: a file cut off while it is mapped would end the process.

use super::retry::with_retries;
use crate::error::{Error, Result};
use ::bytes::Bytes;
use parking_lot::Mutex;
use std::fmt::Debug;
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Ranges closer than this are read in one go, with the gap. Guessed: a call costs about what
/// copying this much from the page cache does.
pub const GAP_BYTES_MAX: u64 = 64 << 10;
/// Smaller buffers are left to the allocator. Guessed: it keeps those at hand itself.
const POOLED_BYTES_MIN: usize = 128 << 10;
/// Unused buffers that are kept, in all. Guessed: the chunks of some row groups.
const POOL_BYTES_MAX: usize = 64 << 20;

/// The bytes of one file, however they are reached. Reads block.
pub trait ByteSource: Debug + Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of each range, in order; ranges may overlap. An error when one ends beyond the
    /// file or cannot be read.
    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>>;

    /// Says that the ranges will be read soon. Does not wait; may do nothing.
    fn will_need(&self, ranges: &[Range<u64>]) {
        let _ = ranges;
    }
}

/// A file of the local file system.
#[derive(Debug)]
pub struct LocalFile {
    path: Arc<Path>,
    file: File,
    bytes: u64,
}

impl LocalFile {
    /// Opens `path`, which is taken to be `bytes` long: a file that has become shorter gives errors
    /// when it is read.
    pub fn open(path: &Arc<Path>, bytes: u64) -> Result<Self> {
        let file = with_retries(|| File::open(path)).map_err(|error| match error.kind() {
            // Its footer was read: whoever replaced the table has removed it since.
            std::io::ErrorKind::NotFound => {
                Error::data("the file was removed while the query ran").in_file(&**path).with_hint("run the query again")
            }
            _ => Error::io("open", path, error),
        })?;
        Ok(Self { path: path.clone(), file, bytes })
    }

    /// Takes over an open file.
    pub fn new(path: &Path, file: File, bytes: u64) -> Self {
        Self { path: path.into(), file, bytes }
    }

    fn read(&self, range: &Range<u64>) -> Result<Bytes> {
        if range.end > self.bytes || range.start > range.end {
            return Err(Error::data("the file is shorter than its footer says").in_file(&*self.path));
        }
        let wanted = usize::try_from(range.end - range.start).map_err(|_| Error::data("a range larger than memory"))?;
        let mut buffer = Pooled::take(wanted);
        let read = with_retries(|| self.file.read_exact_at(buffer.wanted(), range.start));
        read.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::data("the file was cut off while it was read").in_file(&*self.path),
            _ => Error::io("read", &self.path, error),
        })?;
        Ok(Bytes::from_owner(buffer))
    }
}

impl ByteSource for LocalFile {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        ranges.iter().map(|range| self.read(range)).collect()
    }

    fn will_need(&self, ranges: &[Range<u64>]) {
        for range in ranges {
            let start = libc::off_t::try_from(range.start);
            let length = libc::off_t::try_from(range.end.saturating_sub(range.start));
            if let (Ok(start), Ok(length)) = (start, length) {
                // SAFETY: the descriptor is open for as long as `self.file` lives; the call neither
                // reads nor writes memory of this process. Its failure is of no consequence.
                #[cfg(target_os = "linux")]
                unsafe {
                    libc::posix_fadvise(self.file.as_raw_fd(), start, length, libc::POSIX_FADV_WILLNEED);
                }
                #[cfg(not(target_os = "linux"))]
                let _ = (start, length, self.file.as_raw_fd());
            }
        }
    }
}

/// Sorts ranges and joins those that overlap or lie at most `gap_max` apart; empty ones are dropped.
pub fn coalesce(mut ranges: Vec<Range<u64>>, gap_max: u64) -> Vec<Range<u64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap_max) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Buffers that nobody views any more.
static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer that goes back to the pool.
struct Pooled {
    data: Vec<u8>,
    wanted: usize,
}

impl Pooled {
    /// A buffer of at least `wanted` bytes with any contents.
    fn take(wanted: usize) -> Self {
        if wanted >= POOLED_BYTES_MIN {
            let mut pool = POOL.lock();
            // One more than twice as large would hold memory for nothing.
            let fits = |buffer: &Vec<u8>| buffer.len() >= wanted && buffer.len() / 2 <= wanted;
            if let Some(at) = pool.iter().position(fits) {
                return Self { data: pool.swap_remove(at), wanted };
            }
        }
        // Room for the next chunk, which is seldom of exactly the same size.
        let size = if wanted >= POOLED_BYTES_MIN { wanted.saturating_add(wanted / 8) } else { wanted };
        Self { data: vec![0; size], wanted }
    }

    fn wanted(&mut self) -> &mut [u8] {
        &mut self.data[..self.wanted]
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.data[..self.wanted]
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if self.data.len() < POOLED_BYTES_MIN {
            return;
        }
        let mut pool = POOL.lock();
        let held: usize = pool.iter().map(Vec::len).sum();
        if held + self.data.len() <= POOL_BYTES_MAX {
            pool.push(std::mem::take(&mut self.data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_are_read_together() {
        let ranges = vec![50..60, 0..10, 12..20, 5..7, 30..30, 100..101];
        assert_eq!(coalesce(ranges.clone(), 2), [0..20, 50..60, 100..101]);
        assert_eq!(coalesce(ranges, 30), [0..60, 100..101]);
    }

    #[test]
    fn ranges_come_in_order_and_short_files_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let path: Arc<Path> = directory.path().join("x").into();
        let bytes: Vec<u8> = (0..POOLED_BYTES_MIN * 3).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let source = LocalFile::open(&path, bytes.len() as u64).unwrap();
        for length in [POOLED_BYTES_MIN, POOLED_BYTES_MIN + 9, 10] {
            let (from, to) = (7, 7 + length);
            let place = from as u64..to as u64;
            source.will_need(std::slice::from_ref(&place));
            let read = source.read_ranges(&[place, 0..3, 9..9]).unwrap();
            assert_eq!((&read[0][..], &read[1][..], read[2].len()), (&bytes[from..to], &bytes[..3], 0));
        }
        let (beyond, near_the_end) = (0..bytes.len() as u64 + 1, 90..110);
        assert!(source.read_ranges(&[beyond]).is_err());
        std::fs::write(&path, &bytes[..100]).unwrap();
        let error = source.read_ranges(&[near_the_end]).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Data);
    }
}
