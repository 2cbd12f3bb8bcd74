//! Starts a plan and hands its rows to the caller.

use super::context::QueryContext;
use super::pipeline::PipelineBuilder;
use super::plan::PlanRef;
use super::result::ResultQueue;
use super::scheduler::Scheduler;
use crate::column::Chunk;
use crate::error::Result;
use std::sync::Arc;

/// Builds the pipelines of `plan`, starts them and returns the queue that their rows come out of.
/// Chunks are in order where the plan's root delivers an order. Closing the queue, or
/// dropping it, ends the query.
///
/// # Errors
/// What building the plan fails with; errors of the run itself come out of the queue.
pub fn start(plan: &PlanRef, scheduler: &Arc<Scheduler>, query: Arc<QueryContext>) -> Result<ResultQueue> {
    let mut builder = PipelineBuilder::new();
    let stream = plan.build(&mut builder)?;
    let queue = ResultQueue::default();
    builder.end(stream, Arc::new(queue.sink()), &plan.info().metrics);
    scheduler.start(builder, query, &queue);
    Ok(queue)
}

/// Runs `plan` to its end and returns all its chunks. Waits; not for workers of the scheduler.
///
/// # Errors
/// The first error of the run.
pub fn collect(plan: &PlanRef, scheduler: &Arc<Scheduler>, query: Arc<QueryContext>) -> Result<Vec<Chunk>> {
    let queue = start(plan, scheduler, query)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = queue.next()? {
        chunks.push(chunk);
    }
    Ok(chunks)
}
