//! Footers kept in memory by file identity, up to a number of bytes.
//!
//! What the cache holds grows after an insertion (zones, page indexes), so sizes are asked again
//! before footers are dropped: those first that were not used for the longest time.

use super::footer::{FileId, Footer};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// What the cached footers may take. Guessed: the footers of some hundred thousand row groups of ten
/// columns.
const BYTES_MAX: usize = 512 << 20;
/// Insertions after which sizes are asked again. Guessed: asking takes a microsecond a footer.
const ASK_AGAIN: u64 = 1024;

static CACHE: LazyLock<FooterCache> = LazyLock::new(|| FooterCache::new(BYTES_MAX));

/// The process's footers.
pub(super) fn cache() -> &'static FooterCache {
    &CACHE
}

/// Footers by the identity of their files.
pub(super) struct FooterCache {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// A footer and the time of its last use.
    footers: HashMap<FileId, (Arc<Footer>, u64)>,
    /// As far as known.
    bytes: usize,
    time: u64,
}

impl FooterCache {
    fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// The footer of the file, if it is still the same.
    pub(super) fn get(&self, id: &FileId) -> Option<Arc<Footer>> {
        let mut kept = self.kept.lock();
        kept.time += 1;
        let time = kept.time;
        let (footer, used) = kept.footers.get_mut(id)?;
        *used = time;
        Some(footer.clone())
    }

    /// Keeps a footer, and drops others where there is no room.
    pub(super) fn insert(&self, id: FileId, footer: Arc<Footer>) {
        let mut kept = self.kept.lock();
        kept.time += 1;
        let time = kept.time;
        kept.bytes += footer.memory_size();
        kept.footers.insert(id, (footer, time));
        if kept.bytes > self.bytes_max || time.is_multiple_of(ASK_AGAIN) {
            kept.shrink(self.bytes_max);
        }
    }
}

impl Kept {
    /// Drops the footers that were not used for the longest time until a quarter is free.
    fn shrink(&mut self, bytes_max: usize) {
        let mut sizes: Vec<(u64, FileId, usize)> =
            self.footers.iter().map(|(id, (footer, used))| (*used, *id, footer.memory_size())).collect();
        self.bytes = sizes.iter().map(|(.., bytes)| bytes).sum();
        if self.bytes <= bytes_max {
            return;
        }
        sizes.sort_unstable_by_key(|(used, ..)| *used);
        for (_, id, bytes) in sizes {
            if self.bytes <= bytes_max / 4 * 3 {
                break;
            }
            self.footers.remove(&id);
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::parquet::testing;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};

    #[test]
    fn what_was_not_used_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter(vec![("n", column)]).unwrap();
        let footers: Vec<_> = (0..8)
            .map(|number| {
                let path = directory.path().join(format!("{number}.parquet"));
                testing::write(&path, std::slice::from_ref(&batch), 100);
                Footer::open(&path).unwrap()
            })
            .collect();
        let size = footers[0].1.memory_size();
        assert!(size > 100, "{size}");
        let cache = FooterCache::new(size * 5);
        for (id, footer) in &footers {
            cache.insert(*id, footer.clone());
            // The first one is used all the time.
            assert!(cache.get(&footers[0].0).is_some());
        }
        assert!(cache.get(&footers[7].0).is_some());
        assert!(cache.get(&footers[1].0).is_none());
        let kept = cache.kept.lock();
        assert!(kept.bytes <= size * 5 && kept.footers.len() >= 3, "{} footers", kept.footers.len());
    }
}
