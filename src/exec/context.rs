//! What every operator of a query may use while it runs.

use super::cancel::CancelFlag;
use super::memory::MemoryBudget;
use super::spill::SpillDirectory;
use crate::error::Result;
use std::sync::Arc;

/// One query's surroundings. Operators take everything else from their plan node.
#[derive(Debug)]
pub struct QueryContext {
    /// Number of workers that may run tasks of this query at the same time.
    pub threads: usize,
    /// Rows that sources and breakers put into a chunk, at most.
    pub chunk_rows: usize,
    /// The session's memory budget.
    pub memory: Arc<MemoryBudget>,
    /// Raised when the query is to end early.
    pub cancel: CancelFlag,
    /// Where spill files go; made on first use.
    pub spill: Arc<SpillDirectory>,
    /// Test settings: give every key the same hash.
    pub constant_hash: bool,
    /// Test settings: every operator that can spill does so as soon as it holds a chunk.
    pub always_spill: bool,
}

/// What one task carries.
#[derive(Debug, Clone)]
pub struct TaskContext {
    /// The query it works for.
    pub query: Arc<QueryContext>,
    /// The number of the task among those of its branch, from 0: for worker-local state.
    pub worker: usize,
}

impl TaskContext {
    /// An error when the query was ended.
    pub fn check_cancelled(&self) -> Result<()> {
        self.query.cancel.check()
    }
}
