//! Window functions: each row keeps its place and gets values computed from the rows around it.
//!
//! Rows are put into buckets by the hash of PARTITION BY and sorted within ([`super::sort`]); the
//! sorted rows of a bucket are taken as a stream and evaluated in batches of whole partitions.
//! Without PARTITION BY there is one stream, behind an ordinary parallel sort.
//!
//! ```text
//!   task 0 ─┐  by bucket,      bucket 3: | a a a | b b | c c c c |
//!   task 1 ─┴─ group, order ─> bucket 7: | d | e e e e e ...        ─ batches ─> rows + columns
//!                                        └───┘ a partition (here d)
//! ```
//!
//! - [`batch`]: rows of whole partitions, with their borders; a partition that memory does not hold
//!   is kept in a file, or, when all functions look back only, given out as it goes.
//! - [`frame`]: which rows each row's frame has. [`rank`], [`navigate`]: functions of places.
//! - [`folds`]: aggregates over frames. Windows of the same order share one sort and one node.
//!
//! Cost: a sort; a pass for ranks and shifts; for aggregates see [`folds`]. NULLs in PARTITION BY
//! are one partition, in ORDER BY they are peers; where they stand is the key's to say.
//!
//! V. Leis, K. Kundhikanjana, A. Kemper, T. Neumann, Efficient Processing of Window Functions in
//! Analytical SQL Queries, PVLDB 8 (2015).

mod batch;
mod folds;
mod frame;
mod functions;
mod input;
mod navigate;
mod rank;
mod spec;
mod stream;

#[cfg(test)]
mod tests;

pub use frame::{Bound, Distance, Frame, Units};
pub use functions::functions;

use super::sort::{BucketSource, SortKey, SortNode, SortedBuckets};
use crate::error::Result;
use crate::exec::{NodeInfo, PipelineBuilder, PlanNode, PlanRef, Stream};
use crate::expr::ExprRef;
use crate::expr::fold::FoldFunction;
use arrow::datatypes::{FieldRef, Schema};
use spec::Spec;
use std::sync::Arc;

/// One window function over its frame.
#[derive(Debug, Clone)]
pub struct WindowCall {
    /// What is computed.
    pub function: WindowFunction,
    /// Rows for which this is not true are no rows to an aggregate.
    pub filter: Option<ExprRef>,
    /// How many of the window's order keys are this function's ORDER BY.
    pub order_keys: usize,
    /// The rows it sees; ranks and shifts have no use for it.
    pub frame: Frame,
    /// Name, SQL type and nullability of the result.
    pub field: FieldRef,
}

/// What a window function computes.
#[derive(Debug, Clone)]
pub enum WindowFunction {
    /// 1, 2, 3 ...
    RowNumber,
    /// One more than the rows before the row's peers.
    Rank,
    /// One more than the groups of peers before the row's.
    DenseRank,
    /// (rank - 1) / (rows - 1).
    PercentRank,
    /// The share of rows up to and with the row's peers.
    CumeDist,
    /// The number of the tile, of so many tiles of nearly equal size.
    Ntile(i64),
    /// The value so many rows further on (back, where negative).
    Shift {
        /// What is taken there.
        value: ExprRef,
        /// How far.
        rows: i64,
        /// What the row itself gives instead where there is no such row.
        default: Option<ExprRef>,
        /// Rows whose value is NULL do not count.
        ignore_nulls: bool,
    },
    /// The value of one row of the frame.
    Pick {
        /// What is taken.
        value: ExprRef,
        /// Where.
        row: Place,
        /// Rows whose value is NULL do not count.
        ignore_nulls: bool,
    },
    /// An aggregate.
    Fold(Arc<dyn FoldFunction>),
}

/// A row of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first.
    First,
    /// The last.
    Last,
    /// The n-th, from 1.
    Nth(u64),
}

/// Window functions over partitions of their input.
#[derive(Debug)]
pub struct WindowNode {
    info: NodeInfo,
    /// The rows; already in order when there is no PARTITION BY.
    input: PlanRef,
    spec: Arc<Spec>,
    text: String,
}

impl WindowNode {
    /// The rows of `input` with one more column a call: partitions by `groups`, each in the order of
    /// `order`, of which every call may use less. The order of rows is lost.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for keys without an order and for calls that cannot run.
    pub fn new(input: PlanRef, groups: Vec<ExprRef>, order: Vec<SortKey>, calls: Vec<WindowCall>) -> Result<Self> {
        let mut fields: Vec<FieldRef> = input.schema().fields().iter().cloned().collect();
        fields.extend(calls.iter().map(|call| call.field.clone()));
        let info = NodeInfo::new(Arc::new(Schema::new(fields)), input.info().estimated_rows);
        let text = text(&groups, &order, &calls);
        let schema = input.schema().clone();
        let input = match groups.is_empty() && !order.is_empty() {
            true => Arc::new(SortNode::new(input, order.clone(), None)?),
            false => input,
        };
        let spec = Spec::new(schema, groups, order, calls, &info.metrics)?;
        // Refuses now what could not be sorted.
        SortedBuckets::new(&spec.groups, &spec.order, spec.schema.clone(), &info.metrics)?;
        Ok(Self { info, input, spec: Arc::new(spec), text })
    }
}

impl PlanNode for WindowNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Window"
    }

    fn summary(&self) -> String {
        self.text.clone()
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let metrics = &self.info.metrics;
        let input = self.input.build(builder)?;
        let operator = Arc::new(stream::WindowOperator(self.spec.clone()));
        if self.spec.groups.is_empty() && !self.spec.order.is_empty() {
            return Ok(input.then(operator, metrics));
        }
        let Spec { groups, order, schema, .. } = &*self.spec;
        let sink = SortedBuckets::new(groups, order, schema.clone(), metrics)?;
        let source = Arc::new(BucketSource::new(&sink));
        let sorted = builder.end(input, Arc::new(sink), metrics);
        // The node's rows are counted once: where they leave it.
        Ok(Stream::new(source, &Arc::default()).after(sorted).then(operator, metrics))
    }
}

fn text(groups: &[ExprRef], order: &[SortKey], calls: &[WindowCall]) -> String {
    let list = |items: Vec<String>| items.join(", ");
    let mut text = list(calls.iter().map(|call| call.field.name().clone()).collect());
    if !groups.is_empty() {
        text += &format!("; partition by {}", list(groups.iter().map(|group| group.describe()).collect()));
    }
    if !order.is_empty() {
        let key = |key: &SortKey| format!("{}{}", key.expr.describe(), if key.descending { " desc" } else { "" });
        text += &format!("; order by {}", list(order.iter().map(key).collect()));
    }
    text
}
