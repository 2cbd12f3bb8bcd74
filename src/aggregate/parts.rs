//! Aggregation part by part: no group lies in two parts, so nothing is merged between them.
//!
//! ```text
//!   part 0 ──> table or stream ──> groups of part 0       each part a region of its own, on whichever
//!   part 1 ──> table or stream ──> groups of part 1       worker is free
//! ```

use super::node::AggregateNode;
use crate::error::Result;
use crate::exec::{
    Counter, Cursor, PartLeaf, PartSource, PartStream, PipelineBuilder, PlanNode, PlanRef, Region, Share, TaskContext,
};
use crate::layout::ScanPredicate;
use std::sync::Arc;

/// The aggregation of any one part.
pub(super) struct AggregateParts {
    pub(super) input: PartStream,
    pub(super) like: PlanRef,
    /// The node to be run on each part; its input is replaced.
    pub(super) node: AggregateNode,
    pub(super) parts: Counter,
}

impl PartSource for AggregateParts {
    fn open(&self, share: Share, _wanted: &[Arc<dyn ScanPredicate>], _task: &TaskContext) -> Result<Box<dyn Cursor>> {
        if share == Share::Whole
            && let Some(reason) = self.refuted()
        {
            self.node.info().metrics.note(format!("switch: the parts are not used: {reason}"));
        }
        self.parts.add(1);
        let node = self.node.on(PartLeaf::node(&self.like, &self.input, share, Vec::new()));
        let mut builder = PipelineBuilder::new();
        let stream = node.build(&mut builder)?;
        Ok(Box::new(Region::new(builder, stream)))
    }

    fn refuted(&self) -> Option<String> {
        self.input.refuted()
    }
}
