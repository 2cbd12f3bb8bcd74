//! One flag a query: looked at once a chunk, and inside loops that can run long.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Shared by everything that works for one query. Cloning shares the flag.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag {
    raised: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl CancelFlag {
    /// A flag that also counts as raised after `deadline`.
    pub fn with_deadline(deadline: Option<Instant>) -> Self {
        Self { raised: Arc::default(), deadline }
    }

    /// Ends the query: every task stops at its next look.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }

    /// Whether the query was ended. Cheap enough for inner loops of a few thousand steps.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// An error when the query was ended or is out of time.
    pub fn check(&self) -> Result<()> {
        if self.is_raised() {
            return Err(Error::cancelled());
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::new(crate::error::ErrorKind::Cancelled, "the query ran into its time limit")
                .with_hint("raise it with SET skep.query.timeout"));
        }
        Ok(())
    }
}
