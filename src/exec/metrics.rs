//! What EXPLAIN ANALYZE shows of each operator.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that workers add to.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if n > 0 {
            self.0.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Raises the value to at least `n`.
    pub fn raise_to(&self, n: u64) {
        self.0.fetch_max(n, Ordering::Relaxed);
    }

    /// The value so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a named counter counts, for printing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things: printed with thousands separators.
    Count,
    /// Bytes: printed in binary multiples.
    Bytes,
    /// Nanoseconds: printed in ms or s.
    Nanoseconds,
}

impl Unit {
    /// A value as people read it.
    pub fn show(self, value: u64) -> String {
        match self {
            Self::Count => thousands(value),
            Self::Bytes => binary(value),
            Self::Nanoseconds => match value {
                0..1_000_000 => format!("{} µs", value / 1_000),
                1_000_000..10_000_000_000 => format!("{:.1} ms", value as f64 / 1e6),
                _ => format!("{:.2} s", value as f64 / 1e9),
            },
        }
    }
}

/// Groups of three digits: `1 234 567`.
fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Binary multiples: `1.5 MiB`.
fn binary(value: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{value} B") } else { format!("{scaled:.1} {}", units[unit]) }
}

/// The actual figures of one plan node over one execution.
#[derive(Debug, Default)]
pub struct OperatorMetrics {
    /// Rows that left the operator.
    pub rows_out: Counter,
    /// Chunks that left the operator.
    pub chunks_out: Counter,
    /// Time spent in the operator itself, summed over workers, nanoseconds.
    pub busy_ns: Counter,
    /// The most memory reserved at one time, bytes (summed over the operator's reservations).
    pub memory_peak: Counter,
    memory_now: Counter,
    /// Bytes written to spill files.
    pub spilled_bytes: Counter,
    named: Mutex<Vec<(&'static str, Unit, Counter)>>,
    notes: Mutex<Vec<String>>,
}

impl OperatorMetrics {
    /// The counter of this name, made when first asked for. Take it once, not per chunk.
    pub fn counter(&self, name: &'static str, unit: Unit) -> Counter {
        let mut named = self.named.lock();
        if let Some((_, _, counter)) = named.iter().find(|(known, ..)| *known == name) {
            return counter.clone();
        }
        let counter = Counter::default();
        named.push((name, unit, counter.clone()));
        counter
    }

    /// All named counters, in the order they were made.
    pub fn named(&self) -> Vec<(&'static str, Unit, u64)> {
        self.named.lock().iter().map(|(name, unit, counter)| (*name, *unit, counter.get())).collect()
    }

    /// Adds a line that EXPLAIN ANALYZE prints below the operator (a switch, a warning). Repeats
    /// are dropped.
    pub fn note(&self, line: String) {
        let mut notes = self.notes.lock();
        if !notes.contains(&line) {
            notes.push(line);
        }
    }

    /// The lines added by [`OperatorMetrics::note`].
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().clone()
    }

    pub(super) fn memory_changed(&self, from: usize, to: usize) {
        if to >= from {
            let now = self.memory_now.0.fetch_add((to - from) as u64, Ordering::Relaxed) + (to - from) as u64;
            self.memory_peak.raise_to(now);
        } else {
            self.memory_now.0.fetch_sub((from - to) as u64, Ordering::Relaxed);
        }
    }
}
