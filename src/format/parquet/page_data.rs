//! The values of a page, or of a dictionary, that are decompressed as far as readers ask for.

use super::codec::snappy_block;
use super::growing::Growing;
use crate::error::Result;
use ::bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// At least so many bytes more are decompressed at a time. Measured: as fast as
/// a whole page at once, and the values are still in the first-level cache when they are read.
const STEP_BYTES_MIN: usize = 32 << 10;

/// What was decompressed after pages were opened.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) bytes: AtomicU64,
    pub(super) nanoseconds: AtomicU64,
}

/// Bytes of a page of which more may come.
pub(super) struct PageData {
    ready: Bytes,
    more: Option<Box<More>>,
}

struct More {
    page: Growing,
    /// Bytes of the page before the first of `ready`.
    cut: usize,
    meter: Option<Arc<Meter>>,
}

impl From<Bytes> for PageData {
    fn from(ready: Bytes) -> Self {
        Self { ready, more: None }
    }
}

impl From<Vec<u8>> for PageData {
    fn from(ready: Vec<u8>) -> Self {
        Bytes::from(ready).into()
    }
}

impl PageData {
    /// Of a page that is not decompressed yet.
    pub(super) fn growing(page: Growing) -> Self {
        Self { ready: Bytes::new(), more: Some(Box::new(More { page, cut: 0, meter: None })) }
    }

    /// Counts in `meter` what is decompressed from now on.
    pub(super) fn measure(&mut self, meter: &Arc<Meter>) {
        if let Some(more) = &mut self.more {
            more.meter = Some(meter.clone());
        }
    }

    /// Bytes there are in all.
    pub(super) fn len(&self) -> usize {
        self.more.as_ref().map_or(self.ready.len(), |more| more.page.len() - more.cut)
    }

    /// Those that are there already.
    pub(super) fn ready(&self) -> &Bytes {
        &self.ready
    }

    /// At least the first `bytes` bytes, or all where there are fewer. What was returned before stays
    /// at its address, but where the page is damaged.
    pub(super) fn reach(&mut self, bytes: usize) -> Result<&Bytes> {
        if bytes > self.ready.len() && self.more.is_some() {
            self.grow(bytes)?;
        }
        Ok(&self.ready)
    }

    /// All bytes.
    pub(super) fn all(mut self) -> Result<Bytes> {
        self.reach(usize::MAX)?;
        Ok(self.ready)
    }

    /// Leaves out the first `bytes` bytes, which must be there.
    pub(super) fn cut(&mut self, bytes: usize) {
        self.ready = self.ready.slice(bytes..);
        if let Some(more) = &mut self.more {
            more.cut += bytes;
        }
    }

    #[cold]
    fn grow(&mut self, bytes: usize) -> Result<()> {
        let Some(more) = &mut self.more else { return Ok(()) };
        let (began, before) = (Instant::now(), self.ready.len());
        let (page, cut) = (&mut more.page, more.cut);
        let wanted = bytes.max(before.saturating_add(STEP_BYTES_MIN)).saturating_add(cut);
        // A rest of less than a step is not left.
        let wanted = if wanted.saturating_add(STEP_BYTES_MIN) > page.len() { page.len() } else { wanted };
        let (length, meter) = (page.len(), more.meter.take());
        match page.grow(wanted) {
            Ok(()) => self.ready = page.prefix().slice(cut..),
            Err(_) => {
                // Whatever is wrong, the one who decompresses it whole says so, or has the last word.
                self.ready = Bytes::from(snappy_block(page.block(), length)?).slice(cut..);
            }
        }
        if let Some(meter) = &meter {
            meter.bytes.fetch_add((self.ready.len() - before) as u64, Ordering::Relaxed);
            meter.nanoseconds.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
        more.meter = meter;
        if self.ready.len() + cut >= length {
            self.more = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_decompressed() {
        let bytes: Vec<u8> = (0..200_000u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
        let block = Bytes::from(snap::raw::Encoder::new().compress_vec(&bytes).unwrap());
        let mut page = PageData::growing(Growing::new(block, bytes.len()).unwrap());
        let meter = Arc::new(Meter::default());
        page.measure(&meter);
        assert_eq!((page.len(), page.ready().len()), (bytes.len(), 0));
        assert!(page.reach(5).unwrap()[..5] == bytes[..5]);
        page.cut(5);
        let first = page.ready().clone();
        assert!(first.len() < 2 * STEP_BYTES_MIN && first == bytes[5..5 + first.len()]);
        let reached = page.reach(100_000).unwrap().clone();
        assert!((100_000..100_000 + STEP_BYTES_MIN).contains(&reached.len()) && reached == bytes[5..5 + reached.len()]);
        assert_eq!(first.as_ptr(), reached.as_ptr(), "views into the first part are views into the longer one");
        assert_eq!(meter.bytes.load(Ordering::Relaxed), reached.len() as u64 + 5);
        assert_eq!(page.len(), bytes.len() - 5);
        assert!(page.all().unwrap() == bytes[5..]);
        assert_eq!(meter.bytes.load(Ordering::Relaxed), bytes.len() as u64);
    }
}
