//! Both sides sorted by their keys, then merged.
//!
//! ```text
//!   left  ──> runs (memory, files) ──> k-way merge ──> chunk of probe rows  1 3 3 5
//!   right ──> runs (memory, files) ──> k-way merge ──> window of build rows 0 3 3 4 5 5
//!                                                       └ grows up to the chunk's last key,
//!                                                         loses rows below its first
//! ```
//!
//! Keys are encoded so that their bytes compare as the values do ([`super::keys`]); a sort compares
//! bytes only. A probe row's matches are a range of the window, found by walking both once, and are
//! put out by the same [`Matching`](super::build_probe::Matching) as a hash join's, so every kind and
//! condition works alike; window rows that are dropped come out as unmatched if nothing matched them.
//! The right side is always the window. Cost: n log n comparisons a side, each row written and read
//! once when the sort does not fit; the window holds the rows of one chunk's keys. A NULL key sorts
//! first, matches nothing under `=`, and is in no range.
//!
//! Rows that come in key order are not sorted: every run is looked through first, which verifies what
//! files claim of their order. A run that is not in order is sorted like any other, with a warning that
//! names the place if it was said to be. Nothing is put out before its run was looked through.

mod merge;
mod sort;

use super::build_probe::{Joint, Method, summary};
use super::{Choice, JoinRequest};
use crate::error::Result;
use crate::exec::{NodeInfo, OperatorMetrics, PipelineBuilder, PlanNode, PlanRef, Stream};
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(super) struct SortMergeNode {
    info: NodeInfo,
    request: JoinRequest,
    lines: Vec<String>,
    /// Of the left and the right input, when it is a part.
    orders: Option<(Order, Order)>,
}

/// What is said of an input's order, and how to name the place of a chunk that contradicts it.
#[derive(Clone)]
pub(super) struct Order {
    /// Each row group is said to be in key order.
    pub(super) claimed: bool,
    /// File and row group of a chunk with this morsel number.
    pub(super) place: Arc<dyn Fn(u64) -> Option<String> + Send + Sync>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("claimed", &self.claimed).finish_non_exhaustive()
    }
}

impl SortMergeNode {
    pub(super) fn new(request: JoinRequest, choice: &Choice) -> Result<Self> {
        super::keys::sorted_key_sides(&request.keys)?;
        let info = NodeInfo::new(request.schema.clone(), request.estimated_rows);
        Ok(Self { info, request, lines: choice.lines(), orders: None })
    }

    /// The same as one part of a join, which counts for the join's own node.
    pub(super) fn of_part(mut self, metrics: &Arc<OperatorMetrics>, left: Order, right: Order) -> Self {
        self.info.metrics = metrics.clone();
        self.orders = Some((left, right));
        self
    }
}

impl PlanNode for SortMergeNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "SortMergeJoin"
    }

    fn summary(&self) -> String {
        summary(&self.request)
    }

    fn details(&self) -> Vec<String> {
        self.lines.clone()
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.request.left, &self.request.right]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let metrics = &self.info.metrics;
        let joint = Arc::new(Joint::new(&self.request, Method::Hash, false, 1, true, metrics.clone())?);
        let (left, right) = self.orders.clone().unzip();
        let (left, right) = (sort::Sorted::new(joint.clone(), true, left), sort::Sorted::new(joint.clone(), false, right));
        let stream = self.request.right.build(builder)?;
        let right_done = builder.end(stream, Arc::new(sort::SortSink::new(right.clone())), metrics);
        let stream = self.request.left.build(builder)?;
        let left_done = builder.end(stream, Arc::new(sort::SortSink::new(left.clone())), metrics);
        let source = Arc::new(merge::MergeSource::new(joint, left, right));
        Ok(Stream::new(source, metrics).after(right_done).after(left_done))
    }
}
