//! Operators that turn one chunk into at most one chunk and keep no state between chunks.

use crate::column::Chunk;
use crate::error::Result;
use crate::exec::{Operator, OperatorTask, Step, TaskContext};
use std::sync::Arc;

/// What such an operator does to a chunk; none when no row is left.
type Change = dyn Fn(Chunk) -> Result<Option<Chunk>> + Send + Sync;

/// An operator that applies one function to every chunk. The order of chunks is kept.
pub(super) struct RowWise(Arc<Change>);

impl RowWise {
    /// An operator of `change`.
    pub(super) fn new(change: impl Fn(Chunk) -> Result<Option<Chunk>> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self(Arc::new(change)))
    }
}

impl Operator for RowWise {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn OperatorTask>> {
        Ok(Box::new(RowWiseTask { change: self.0.clone(), ready: None }))
    }
}

struct RowWiseTask {
    change: Arc<Change>,
    ready: Option<Chunk>,
}

impl OperatorTask for RowWiseTask {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<()> {
        self.ready = (self.change)(chunk)?.filter(|chunk| chunk.rows() > 0);
        Ok(())
    }

    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        Ok(self.ready.take().map_or(Step::NeedInput, Step::Chunk))
    }

    fn end_of_input(&mut self, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}
