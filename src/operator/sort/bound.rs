//! The bound of a top-k: keys that cannot be among the k best of the whole input.
//!
//! When a task has k rows, no row after the last of them is wanted, from any task. The tasks share
//! the upper half of the best such key in one atomic (losing the lower half only lets more rows
//! pass) and keep their own exactly.

use super::keys::Keys;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One task's view of the bound.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    shared: Arc<AtomicU64>,
    own: Option<u128>,
}

impl Bound {
    /// A bound that rejects nothing yet. Clones share what they learn.
    pub(super) fn new() -> Self {
        Self { shared: Arc::new(AtomicU64::new(u64::MAX)), own: None }
    }

    /// k rows are known whose last has this key prefix.
    pub(super) fn lower(&mut self, last: u128) {
        self.own = Some(self.own.map_or(last, |own| own.min(last)));
        self.shared.fetch_min((last >> 64) as u64, Ordering::Relaxed);
    }

    /// The rows that may still be among the best.
    pub(super) fn passing(&self, keys: &Keys) -> Vec<u32> {
        // All keys up to the end of the shared half pass, and of the task's own those that are not
        // surely later: with exact keys an equal one is one too many.
        let shared = (u128::from(self.shared.load(Ordering::Relaxed)) << 64) | u128::from(u64::MAX);
        let last = match self.own {
            Some(own) if keys.is_exact() => match own.checked_sub(1) {
                Some(before) => before.min(shared),
                None => return Vec::new(),
            },
            Some(own) => own.min(shared),
            None => shared,
        };
        let rows = keys.prefixes().iter().enumerate();
        rows.filter_map(|(row, prefix)| (*prefix <= last).then_some(row as u32)).collect()
    }
}
