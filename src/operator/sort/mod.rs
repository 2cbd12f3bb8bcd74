//! ORDER BY, with and without LIMIT: a parallel external merge sort.
//!
//! Every task collects rows and makes sorted runs of them; a run that memory has no room for goes
//! to a file. When the input ends, sample keys split the runs into disjoint key ranges, workers
//! merge one range each, and one source gives the ranges out in order. With files among the runs
//! one k-way merge streams from all of them instead.
//!
//! ```text
//!   task 0:  chunks ─sort─> run  run  run        range 0   range 1   range 2
//!   task 1:  chunks ─sort─> run  run   │         ┌──────┐  ┌──────┐  ┌──────┐
//!                                      └─split──>│merge │  │merge │  │merge │ ──in order──> chunks
//!                 no room: ─> file ─────────┐    └──────┘  └──────┘  └──────┘
//!                                           └──(all runs)──> streaming merge ──────────────> chunks
//! ```
//!
//! A key is a byte string that compares as the row does (`arrow::row`); its first 16 bytes are kept
//! as one number, so that most comparisons are one instruction and keys of up to 16 bytes need no
//! other. Columns that are no key are moved once into their run and once by the merge.
//!
//! - Cost: n rows in k runs take n log n comparisons; 16 bytes a row beside the rows, and the full
//!   key where it is longer; a merge reads runs front to back.
//! - NULLs stand where each key says. NaN is the largest float, -0.0 equals 0.0, strings compare by
//!   bytes. Rows with equal keys come out in any order.
//! - With a small LIMIT a task keeps only its best rows, and rows that cannot be among the best of
//!   any task fall out before they are copied ([`bound`]), or are not read at all ([`pushed`]).
//!
//! G. Graefe, Implementing Sorting in Database Systems, ACM Computing Surveys 38 (2006), 3 and 5.

mod bound;
mod buckets;
mod distribute;
mod keys;
mod loser_tree;
mod merge;
mod output;
mod pushed;
mod run;
mod sink;
mod store;

#[cfg(test)]
mod tests;

use crate::column::storage_field;
use crate::error::Result;
use crate::exec::{NodeInfo, OperatorMetrics, PipelineBuilder, PlanNode, PlanRef, Stream};
use crate::expr::ExprRef;
use crate::layout::{Evidence, Layout, SortColumn};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
pub(in crate::operator) use buckets::{BucketSource, SortedBuckets};
pub use distribute::{DistributeNode, in_order};
use keys::KeyEncoder;
pub(in crate::operator) use keys::canonical;
pub use pushed::TopKFilter;
use sink::SortSink;
use std::sync::Arc;

/// Up to this many rows of LIMIT each task keeps its best rows only; beyond, everything is sorted
/// and the output cut. Guessed: 32 Ki rows of 100 bytes are 3 MiB a task.
const TOP_K_ROWS_MAX: usize = 32 << 10;

/// One ORDER BY item.
#[derive(Debug, Clone)]
pub struct SortKey {
    /// The value to order by.
    pub expr: ExprRef,
    /// Largest first.
    pub descending: bool,
    /// NULLs before everything else, whatever the direction.
    pub nulls_first: bool,
}

/// Rows in the order of keys; with `fetch`, the first that many of them.
#[derive(Debug)]
pub struct SortNode {
    info: NodeInfo,
    input: PlanRef,
    plan: Arc<SortPlan>,
}

/// What all parts of one sort know.
#[derive(Debug)]
struct SortPlan {
    keys: Vec<SortKey>,
    fetch: Option<usize>,
    /// What is told the scan of the first key's column, and that column's position in the rows.
    pushed: Option<(Arc<TopKFilter>, usize)>,
    /// SQL types of the rows.
    schema: SchemaRef,
    /// Types in spill files: the key, then the columns as they are stored.
    spill_schema: Schema,
    metrics: Arc<OperatorMetrics>,
    /// The first key is a bucket, and files hold one bucket each.
    bucketed: bool,
}

impl SortPlan {
    /// A sort of rows of `schema`.
    fn new(keys: Vec<SortKey>, fetch: Option<usize>, schema: SchemaRef, metrics: &Arc<OperatorMetrics>) -> Self {
        let mut fields: Vec<FieldRef> = vec![Arc::new(Field::new("key", DataType::LargeBinary, false))];
        fields.extend(schema.fields().iter().map(|field| {
            let stored = storage_field(field).as_ref().clone();
            Arc::new(stored.with_nullable(true))
        }));
        Self { keys, fetch, pushed: None, schema, spill_schema: Schema::new(fields), metrics: metrics.clone(), bucketed: false }
    }

    /// The number of rows each task keeps, when only the best are kept.
    fn top_k(&self) -> Option<usize> {
        self.fetch.filter(|&fetch| fetch <= TOP_K_ROWS_MAX)
    }
}

impl SortNode {
    /// The rows of `input` by `keys`, the first being the major one; at most `fetch`, if given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for a key whose type has no order.
    pub fn new(input: PlanRef, keys: Vec<SortKey>, fetch: Option<usize>) -> Result<Self> {
        KeyEncoder::new(&keys)?;
        let schema = input.schema().clone();
        let mut rows = input.info().estimated_rows;
        if let Some(fetch) = fetch {
            rows = rows.min(fetch as f64);
        }
        let ordered = keys.iter().map_while(|key| {
            let SortKey { descending, nulls_first, .. } = *key;
            Some(SortColumn { column: key.expr.as_column()?, descending, nulls_first, evidence: Evidence::Verified })
        });
        let layout = Layout { order: ordered.collect(), ..input.info().layout.whole() };
        let info = NodeInfo::new(schema.clone(), rows).with_layout(layout);
        let plan = SortPlan::new(keys, fetch, schema, &info.metrics);
        Ok(Self { info, input, plan: Arc::new(plan) })
    }
}

impl SortNode {
    /// The same, telling `filter`, which tests the first key where it is scanned, what is not needed
    /// any more. Without effect unless the first key is a column and few rows are fetched.
    #[must_use]
    pub fn with_filter(mut self, filter: Arc<TopKFilter>) -> Self {
        let column = self.plan.keys.first().and_then(|key| key.expr.as_column());
        if let (Some(column), Some(_), Some(plan)) = (column, self.plan.top_k(), Arc::get_mut(&mut self.plan)) {
            plan.pushed = Some((filter, column));
        }
        self
    }
}

impl PlanNode for SortNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        if self.plan.top_k().is_some() { "TopK" } else { "Sort" }
    }

    fn summary(&self) -> String {
        let key = |key: &SortKey| {
            let direction = if key.descending { " desc" } else { "" };
            // Spark's defaults are not worth a word.
            let nulls = match (key.descending, key.nulls_first) {
                (true, true) => " nulls first",
                (false, false) => " nulls last",
                _ => "",
            };
            format!("{}{direction}{nulls}", key.expr.describe())
        };
        let keys = self.plan.keys.iter().map(key).collect::<Vec<_>>().join(", ");
        match self.plan.fetch {
            Some(fetch) => format!("by {keys}: {fetch} rows"),
            None => format!("by {keys}"),
        }
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let input = self.input.build(builder)?;
        let sink = Arc::new(SortSink::new(self.plan.clone()));
        let source = Arc::new(output::SortSource::new(&sink));
        let sorted = builder.end(input, sink, &self.info.metrics);
        Ok(Stream::new(source, &self.info.metrics).after(sorted))
    }
}
