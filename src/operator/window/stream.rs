//! The operator: sorted rows in, the same rows with the functions' columns out.

use super::batch::{Batch, Output};
use super::spec::Spec;
use crate::column::Chunk;
use crate::error::Result;
use crate::exec::{Operator, OperatorTask, Step, TaskContext};
use std::sync::Arc;

/// Chunks that are evaluated together, at least: small partitions are not worth a pass each.
/// Guessed.
const BATCH_CHUNKS: usize = 4;

/// Evaluates window functions over rows that come in the order of PARTITION BY and ORDER BY.
pub(super) struct WindowOperator(pub(super) Arc<Spec>);

impl Operator for WindowOperator {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn OperatorTask>> {
        Ok(Box::new(WindowTask { batch: Batch::new(&self.0, task), output: None, ended: false }))
    }
}

struct WindowTask {
    batch: Batch,
    output: Option<Output>,
    ended: bool,
}

impl OperatorTask for WindowTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<()> {
        if chunk.rows() == 0 {
            return Ok(());
        }
        let room = self.batch.add(chunk)? && !task.query.always_spill;
        if room && self.batch.waiting() < BATCH_CHUNKS * task.query.chunk_rows.max(1) {
            return Ok(());
        }
        match self.batch.border() {
            Some((border, complete)) => self.output = Some(self.batch.evaluate(border, complete, task)?),
            None if !room => self.batch.spool(task)?,
            None => {}
        }
        Ok(())
    }

    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        if let Some(output) = &mut self.output {
            if let Some(chunk) = output.next()? {
                return Ok(Step::Chunk(chunk));
            }
            self.output = None;
        }
        Ok(if self.ended { Step::Done } else { Step::NeedInput })
    }

    fn end_of_input(&mut self, task: &TaskContext) -> Result<()> {
        self.ended = true;
        if self.batch.waiting() > 0 {
            self.output = Some(self.batch.finish(task)?);
        }
        Ok(())
    }
}
