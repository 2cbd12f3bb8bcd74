//! Scalar subqueries that do not depend on the row: run once, before their user.
//!
//! The subquery's pipeline ends in a sink that fills a slot; expressions read the slot. Everything
//! built for the input (its branches, the builds of its joins) waits for that through a gate.
//!
//! ```text
//!   subquery ──> SlotSink ──fills──> slot ┄┄read by┄┄┐
//!                    └─────complete─────┐            ┊
//!   input's pipelines, all branches <──gate──────────┘
//! ```
//!
//! No row gives NULL; a second row is an error.

use crate::column::{Chunk, to_plan_type};
use crate::error::{Error, Result};
use crate::exec::{Flow, Job, NodeInfo, PipelineBuilder, PlanNode, PlanRef, QueryContext, Sink, SinkTask, Stream, TaskContext};
use crate::expr::ScalarSlot;
use datafusion_common::ScalarValue;
use parking_lot::Mutex;
use std::sync::Arc;

/// Passes its input on unchanged, after the values of scalar subqueries are known.
#[derive(Debug)]
pub struct SubqueryNode {
    info: NodeInfo,
    input: PlanRef,
    subqueries: Vec<(PlanRef, Arc<ScalarSlot>)>,
    /// Children in EXPLAIN's order.
    children: Vec<PlanRef>,
}

impl SubqueryNode {
    /// `input`, whose expressions read the slots that the first columns of the subqueries fill.
    pub fn new(input: PlanRef, subqueries: Vec<(PlanRef, Arc<ScalarSlot>)>) -> Self {
        let info = NodeInfo::new(input.schema().clone(), input.info().estimated_rows).with_layout(input.info().layout.whole());
        let mut children = vec![input.clone()];
        children.extend(subqueries.iter().map(|(plan, _)| plan.clone()));
        Self { info, input, subqueries, children }
    }
}

impl PlanNode for SubqueryNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "ScalarSubqueries"
    }

    fn summary(&self) -> String {
        format!("{} subqueries, run first", self.subqueries.len())
    }

    fn children(&self) -> Vec<&PlanRef> {
        self.children.iter().collect()
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let mut filled = Vec::with_capacity(self.subqueries.len());
        for (plan, slot) in &self.subqueries {
            // One slot may serve several users; its subquery runs once.
            let key = Arc::as_ptr(slot) as usize;
            filled.push(builder.once(key, |builder| {
                let stream = plan.build(builder)?;
                let sink = SlotSink(Arc::new(Filling { slot: slot.clone(), first: Mutex::default() }));
                Ok(builder.end(stream, Arc::new(sink), &self.info.metrics))
            })?);
        }
        builder.with_gate(&filled, |builder| self.input.build(builder))
    }
}

#[derive(Clone)]
struct SlotSink(Arc<Filling>);

struct Filling {
    slot: Arc<ScalarSlot>,
    first: Mutex<Option<ScalarValue>>,
}

impl Sink for SlotSink {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        Ok(Box::new(self.clone()))
    }

    fn finalize(&self, stage: usize, _query: &Arc<QueryContext>) -> Result<Vec<Job>> {
        if stage == 0 {
            let first = self.0.first.lock().take();
            let value = first.map_or_else(|| ScalarValue::try_from(self.0.slot.data_type()), Ok)?;
            self.0.slot.set(value)?;
        }
        Ok(Vec::new())
    }
}

impl SinkTask for SlotSink {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<Flow> {
        if chunk.rows() == 0 {
            return Ok(Flow::Continue);
        }
        let mut first = self.0.first.lock();
        if chunk.rows() > 1 || first.is_some() {
            return Err(Error::value("a scalar subquery returned more than one row")
                .with_hint("aggregate its column, or add LIMIT 1 with an ORDER BY"));
        }
        let column = chunk.columns().first().ok_or_else(|| Error::internal("a scalar subquery without a column"))?;
        let array = to_plan_type(&column.flat()?, self.0.slot.data_type())?;
        *first = Some(ScalarValue::try_from_array(&array, 0)?);
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}
