//! One memory budget a session, and how operators give memory back.
//!
//! A task reserves what it is about to keep: per partition or buffer, never per row. When a
//! reservation fails the task
//!
//! 1. spills what it holds itself and asks again;
//! 2. calls [`MemoryBudget::reclaim`], which spills the largest other holders whose state is not in
//!    use at the moment (it lies behind a mutex, so parked tasks' state can be spilled by others)
//!    and raises the revoke flag of those that are (they spill at their next chunk);
//! 3. yields, and after a few rounds goes on with [`Reservation::grow_anyway`] for the minimum it
//!    needs to make progress, or fails with an error that names the limit.

use super::metrics::OperatorMetrics;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// State that can go to disk on demand.
pub trait Spillable: Send + Sync {
    /// Bytes that [`Spillable::reclaim`] would free, or 0.
    fn reclaimable(&self) -> usize;

    /// Spills if the state is not in use right now; returns the bytes freed. Never waits: a
    /// holder in use only notes the wish and spills at its next chunk.
    fn reclaim(&self) -> Result<usize>;
}

/// Bytes that operators of all queries of a session may hold together.
pub struct MemoryBudget {
    limit: AtomicUsize,
    used: AtomicUsize,
    peak: AtomicUsize,
    holders: Mutex<Vec<Weak<dyn Spillable>>>,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            holders: Mutex::default(),
        })
    }

    /// The limit, bytes.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes the limit for reservations from now on.
    pub fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Bytes reserved now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that can still be reserved.
    pub fn available(&self) -> usize {
        self.limit().saturating_sub(self.used())
    }

    /// The most bytes reserved at one time.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// An empty reservation whose size is counted in `metrics`.
    pub fn reserve(self: &Arc<Self>, metrics: Option<Arc<OperatorMetrics>>) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0, metrics }
    }

    /// Makes `holder` a candidate for [`MemoryBudget::reclaim`] as long as it lives.
    pub fn register(&self, holder: &Arc<impl Spillable + 'static>) {
        let holder: Arc<dyn Spillable> = holder.clone();
        let mut holders = self.holders.lock();
        holders.retain(|known| known.strong_count() > 0);
        holders.push(Arc::downgrade(&holder));
    }

    /// Frees about `wanted` bytes by spilling others, the largest first. Returns the bytes freed;
    /// holders that are in use free theirs at their next chunk.
    pub fn reclaim(&self, wanted: usize) -> Result<usize> {
        let mut holders: Vec<Arc<dyn Spillable>> = self.holders.lock().iter().filter_map(Weak::upgrade).collect();
        holders.sort_by_cached_key(|holder| std::cmp::Reverse(holder.reclaimable()));
        let mut freed = 0;
        for holder in holders {
            if freed >= wanted || holder.reclaimable() == 0 {
                break;
            }
            freed += holder.reclaim()?;
        }
        Ok(freed)
    }
}

impl std::fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryBudget {{ used: {}, limit: {} }}", self.used(), self.limit())
    }
}

/// Bytes taken from a [`MemoryBudget`]; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
    metrics: Option<Arc<OperatorMetrics>>,
}

impl Reservation {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The budget it takes from.
    pub fn budget(&self) -> &Arc<MemoryBudget> {
        &self.budget
    }

    /// Takes `bytes` more if the limit allows.
    #[must_use]
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let limit = self.budget.limit();
        let taken = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| used.checked_add(bytes).filter(|&after| after <= limit));
        if taken.is_ok() {
            self.note(self.bytes + bytes);
        }
        taken.is_ok()
    }

    /// Takes `bytes` more whatever the limit says: for the minimum that progress needs.
    pub fn grow_anyway(&mut self, bytes: usize) {
        self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.note(self.bytes + bytes);
    }

    /// Takes `bytes` more, reclaiming from others if need be.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Memory`] when nothing is left to reclaim.
    pub fn grow(&mut self, bytes: usize, what: &str) -> Result<()> {
        for _ in 0..3 {
            if self.try_grow(bytes) {
                return Ok(());
            }
            if self.budget.reclaim(bytes)? == 0 {
                break;
            }
        }
        if self.try_grow(bytes) {
            return Ok(());
        }
        Err(Error::memory(format!(
            "{what} needs {} MiB more, but {} of {} MiB are in use",
            bytes.div_ceil(1 << 20),
            self.budget.used() >> 20,
            self.budget.limit() >> 20
        ))
        .with_hint("raise the limit with --memory-limit or SET skep.memory.limit"))
    }

    /// Gives `bytes` back.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
        self.note(self.bytes - bytes);
    }

    /// Gives everything back.
    pub fn release(&mut self) {
        self.shrink(self.bytes);
    }

    fn note(&mut self, to: usize) {
        if to > self.bytes {
            self.budget.peak.fetch_max(self.budget.used(), Ordering::Relaxed);
        }
        if let Some(metrics) = &self.metrics {
            metrics.memory_changed(self.bytes, to);
        }
        self.bytes = to;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds memory until it is asked for it.
    struct Hoard(Mutex<Reservation>);

    impl Spillable for Hoard {
        fn reclaimable(&self) -> usize {
            self.0.lock().bytes()
        }

        fn reclaim(&self) -> Result<usize> {
            let mut held = self.0.lock();
            let bytes = held.bytes();
            held.release();
            Ok(bytes)
        }
    }

    fn hoard(budget: &Arc<MemoryBudget>, bytes: usize) -> Arc<Hoard> {
        let mut held = budget.reserve(None);
        held.grow_anyway(bytes);
        let hoard = Arc::new(Hoard(Mutex::new(held)));
        budget.register(&hoard);
        hoard
    }

    #[test]
    fn a_reservation_counts_and_gives_back() {
        let budget = MemoryBudget::new(100);
        let metrics = Arc::new(OperatorMetrics::default());
        let mut one = budget.reserve(Some(metrics.clone()));
        let mut other = budget.reserve(Some(metrics.clone()));
        assert!(one.try_grow(60) && !other.try_grow(50) && other.try_grow(40));
        assert_eq!((budget.used(), budget.available()), (100, 0));
        other.grow_anyway(20);
        one.shrink(1000);
        assert_eq!((one.bytes(), budget.used(), budget.peak()), (0, 60, 120));
        assert!(!one.try_grow(usize::MAX));
        drop(other);
        assert_eq!((budget.used(), metrics.memory_peak.get()), (0, 120));
    }

    #[test]
    fn growing_takes_from_the_largest_holder_first() {
        let budget = MemoryBudget::new(100);
        let (small, large) = (hoard(&budget, 30), hoard(&budget, 60));
        let mut wanting = budget.reserve(None);
        wanting.grow(50, "a test").unwrap();
        assert_eq!((small.reclaimable(), large.reclaimable()), (30, 0));
        wanting.grow(50, "a test").unwrap();
        assert_eq!(small.reclaimable(), 0);
        let error = wanting.grow(1, "a test").unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Memory);
    }

    #[test]
    fn a_dropped_holder_is_forgotten() {
        let budget = MemoryBudget::new(100);
        drop(hoard(&budget, 50));
        assert_eq!((budget.used(), budget.reclaim(10).unwrap()), (0, 0));
    }
}
