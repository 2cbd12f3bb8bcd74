//! A predicate of a scan with what the scan learned of it.

use crate::layout::ScanPredicate;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Dictionaries are looked at this often before it is judged whether that pays. Guessed.
const DICTIONARIES_TRIED_MIN: u64 = 8;
/// After many looks in vain, one dictionary in this many is looked at. Guessed: a look costs at most
/// an eighth of what it may save (see [`super::prune`]), so the rest is below 1%.
const DICTIONARIES_ONE_IN: u64 = 16;

/// A predicate, shared by all cursors of a scan.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) predicate: Arc<dyn ScanPredicate>,
    /// May be ignored: a join above makes sure of it.
    pub(super) runtime: bool,
    /// Row groups that bounds ruled out.
    pub(super) by_bounds: AtomicU64,
    /// Row groups that Bloom filters ruled out.
    pub(super) by_bloom: AtomicU64,
    /// Row groups that dictionaries ruled out.
    pub(super) by_dictionary: AtomicU64,
    /// Pages that bounds ruled out.
    pub(super) pages: AtomicU64,
    dictionaries_tried: AtomicU64,
    dictionaries_met: AtomicU64,
    seen: AtomicU64,
    passed: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Condition {
    pub(super) fn new(predicate: Arc<dyn ScanPredicate>, runtime: bool) -> Arc<Self> {
        Arc::new(Self {
            predicate,
            runtime,
            by_bounds: AtomicU64::default(),
            by_bloom: AtomicU64::default(),
            by_dictionary: AtomicU64::default(),
            pages: AtomicU64::default(),
            dictionaries_tried: AtomicU64::default(),
            dictionaries_met: AtomicU64::default(),
            seen: AtomicU64::default(),
            passed: AtomicU64::default(),
            nanoseconds: AtomicU64::default(),
        })
    }

    /// Notes an evaluation.
    pub(super) fn learn(&self, seen: u64, passed: u64, nanoseconds: u64) {
        self.seen.fetch_add(seen, Ordering::Relaxed);
        self.passed.fetch_add(passed, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Rows seen and passed, and the time that took, by all cursors.
    pub(super) fn learned(&self) -> (u64, u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.seen), of(&self.passed), of(&self.nanoseconds))
    }

    /// Whether to look at one more dictionary.
    pub(super) fn tries_dictionary(&self) -> bool {
        let tried = self.dictionaries_tried.fetch_add(1, Ordering::Relaxed);
        let met = self.dictionaries_met.load(Ordering::Relaxed);
        tried < DICTIONARIES_TRIED_MIN || met * DICTIONARIES_ONE_IN >= tried || tried.is_multiple_of(DICTIONARIES_ONE_IN)
    }

    /// Notes that a dictionary decided.
    pub(super) fn dictionary_decided(&self) {
        self.dictionaries_met.fetch_add(1, Ordering::Relaxed);
    }

    /// The line of EXPLAIN, with what the condition did so far.
    pub(super) fn describe(&self) -> String {
        let kind = if self.runtime { "runtime filter" } else { "filter" };
        let mut line = format!("{kind}: {}", self.predicate.describe());
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut skipped = Vec::new();
        for (count, by) in [(&self.by_bounds, "bounds"), (&self.by_bloom, "Bloom filters"), (&self.by_dictionary, "dictionaries")]
        {
            if of(count) > 0 {
                skipped.push(format!("{} by {by}", counted(of(count), "row group")));
            }
        }
        if of(&self.pages) > 0 {
            skipped.push(format!("{} by bounds", counted(of(&self.pages), "page")));
        }
        if !skipped.is_empty() {
            let _ = write!(line, "; skips {}", skipped.join(", "));
        }
        let (seen, passed, _) = self.learned();
        if seen > 0 {
            let _ = write!(line, "; {passed} of {seen} rows pass");
        }
        line
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
