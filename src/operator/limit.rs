//! LIMIT and OFFSET.

use crate::column::Chunk;
use crate::error::Result;
use crate::exec::{NodeInfo, Operator, OperatorTask, PipelineBuilder, PlanNode, PlanRef, Step, Stream, TaskContext};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes `fetch` rows after the first `skip`. Exact for any number of tasks: they draw on two
/// shared counts. Which rows those are is free unless the input is ordered; then its source is a
/// single task and the rows are the first in that order. Tasks end as soon as nothing is left to
/// pass, which stops their sources.
#[derive(Debug)]
pub struct LimitNode {
    info: NodeInfo,
    input: PlanRef,
    skip: usize,
    fetch: Option<usize>,
}

impl LimitNode {
    /// At most `fetch` rows (all, if none) of `input` after its first `skip`.
    pub fn new(input: PlanRef, skip: usize, fetch: Option<usize>) -> Self {
        let mut rows = (input.info().estimated_rows - skip as f64).max(0.0);
        if let Some(fetch) = fetch {
            rows = rows.min(fetch as f64);
        }
        let info = NodeInfo::new(input.schema().clone(), rows).with_layout(input.info().layout.whole());
        Self { info, input, skip, fetch }
    }
}

impl PlanNode for LimitNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Limit"
    }

    fn summary(&self) -> String {
        let fetch = self.fetch.map(|fetch| format!("{fetch} rows"));
        let skip = (self.skip > 0).then(|| format!("skip {}", self.skip));
        [fetch, skip].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let left = Left { skip: self.skip.into(), fetch: self.fetch.unwrap_or(usize::MAX).into() };
        let operator = Arc::new(Limit { left: Arc::new(left) });
        Ok(self.input.build(builder)?.then(operator, &self.info.metrics))
    }
}

/// What all tasks together have still to skip and to pass.
struct Left {
    skip: AtomicUsize,
    fetch: AtomicUsize,
}

struct Limit {
    left: Arc<Left>,
}

struct LimitTask {
    left: Arc<Left>,
    ready: Option<Chunk>,
}

/// Takes up to `wanted` from `count`; returns how many.
fn draw(count: &AtomicUsize, wanted: usize) -> usize {
    let before = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left - left.min(wanted)));
    before.unwrap_or(0).min(wanted)
}

impl Operator for Limit {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn OperatorTask>> {
        Ok(Box::new(LimitTask { left: self.left.clone(), ready: None }))
    }
}

impl OperatorTask for LimitTask {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<()> {
        let skipped = draw(&self.left.skip, chunk.rows());
        let passed = draw(&self.left.fetch, chunk.rows() - skipped);
        self.ready = match passed {
            0 => None,
            all if all == chunk.rows() => Some(chunk),
            some => Some(chunk.slice(skipped, some)?),
        };
        Ok(())
    }

    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        Ok(match self.ready.take() {
            Some(chunk) => Step::Chunk(chunk),
            None if self.left.fetch.load(Ordering::Relaxed) == 0 => Step::Done,
            None => Step::NeedInput,
        })
    }

    fn end_of_input(&mut self, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}
