//! Rows brought together group by group, each group in an order: what writers of sorted files read.
//!
//! ```text
//!   rows ─> 64 buckets by the hash of the group ─ sort ─> task 0:  a a a | c c      a group comes
//!                                                         task 1:  b b b b b | d    whole, from one task
//! ```
//!
//! It is the sort of window functions ([`super::buckets`]) without the functions. Cost: a sort, which
//! spills when memory is used up. NULL is a group of its own.

use super::buckets::{BucketSource, SortedBuckets};
use super::{SortKey, SortNode};
use crate::error::Result;
use crate::exec::{NodeInfo, PipelineBuilder, PlanNode, PlanRef, Stream};
use crate::expr::ExprRef;
use std::sync::Arc;

/// The rows of its input, equal groups side by side out of one task and in order.
#[derive(Debug)]
pub struct DistributeNode {
    info: NodeInfo,
    input: PlanRef,
    groups: Vec<ExprRef>,
    order: Vec<SortKey>,
}

impl DistributeNode {
    /// Brings the rows of `input` together by `groups`, which is not empty, each group in the order of
    /// `order`. Groups come in no order.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for keys without an order.
    pub fn new(input: PlanRef, groups: Vec<ExprRef>, order: Vec<SortKey>) -> Result<Self> {
        let info = NodeInfo::new(input.schema().clone(), input.info().estimated_rows);
        SortedBuckets::new(&groups, &order, input.schema().clone(), &info.metrics)?;
        Ok(Self { info, input, groups, order })
    }
}

impl PlanNode for DistributeNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Distribute"
    }

    fn summary(&self) -> String {
        let groups: Vec<String> = self.groups.iter().map(|group| group.describe()).collect();
        let mut text = format!("by {}", groups.join(", "));
        if !self.order.is_empty() {
            let key = |key: &SortKey| format!("{}{}", key.expr.describe(), if key.descending { " desc" } else { "" });
            text += &format!("; sort by {}", self.order.iter().map(key).collect::<Vec<_>>().join(", "));
        }
        text
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let metrics = &self.info.metrics;
        let input = self.input.build(builder)?;
        let sink = SortedBuckets::new(&self.groups, &self.order, self.schema().clone(), metrics)?;
        let source = Arc::new(BucketSource::new(&sink));
        let sorted = builder.end(input, Arc::new(sink), metrics);
        Ok(Stream::new(source, metrics).after(sorted))
    }
}

/// Rows in order for a writer: group by group, or, without groups, all of them.
///
/// # Errors
/// As [`DistributeNode::new`].
pub fn in_order(input: PlanRef, groups: Vec<ExprRef>, order: Vec<SortKey>) -> Result<PlanRef> {
    Ok(match groups.is_empty() {
        true => Arc::new(SortNode::new(input, order, None)?),
        false => Arc::new(DistributeNode::new(input, groups, order)?),
    })
}
