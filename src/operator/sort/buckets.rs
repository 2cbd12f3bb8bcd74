//! Rows in buckets by a hash, each bucket sorted: for what is computed group by group in order.
//!
//! ```text
//!   key of a row:  | bucket | group keys | order keys |
//!
//!   run 0:  0 0 0 | 1 1 | 2 2 2 2        bucket 1 is merged from its part of every run and from its
//!   run 1:  0 | 1 1 1 | 2                files, by whichever task asks for it next
//! ```
//!
//! It is the sort of [`super::sink`] with the bucket as major key, whose runs are not merged into one
//! order afterwards but bucket by bucket, by as many tasks as there are. Files hold one bucket each.

use super::keys::KeyEncoder;
use super::merge::{Input, Merge};
use super::run::{Run, SpilledRows};
use super::sink::{FILES_MAX, SortSink, merge_files};
use super::{SortKey, SortPlan};
use crate::column::{Chunk, Column};
use crate::error::Result;
use crate::exec::spill::SpillRun;
use crate::exec::{Cursor, Job, OperatorMetrics, QueryContext, Reservation, Sink, SinkTask, Source, Step, TaskContext};
use crate::expr::keys::KeyColumns;
use crate::expr::{ExprRef, VectorExpr};
use arrow::array::UInt8Array;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::ScalarValue;
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// Buckets are this many. Guessed: several times as many as cores, so that uneven ones even out, and
/// few enough that each has whole blocks in a spill.
const BUCKETS: usize = 64;

/// Collects rows, sorted by order within groups within buckets.
pub(in crate::operator) struct SortedBuckets {
    sort: SortSink,
    plan: Arc<SortPlan>,
    merged: Arc<Mutex<Vec<(usize, SpillRun)>>>,
    kept: Mutex<Option<(Vec<Arc<Run>>, Vec<Reservation>)>>,
    ready: Arc<Mutex<Vec<Bucket>>>,
}

/// Where one bucket's rows are.
struct Bucket {
    runs: Vec<(Arc<Run>, Range<usize>)>,
    files: Vec<SpillRun>,
    exact: bool,
    metrics: Arc<OperatorMetrics>,
    /// Room of all runs in memory, until the last bucket is done.
    held: Arc<Vec<Reservation>>,
}

impl SortedBuckets {
    /// A sink for rows of `schema`: groups by `groups`, in them the order of `order`.
    pub(in crate::operator) fn new(
        groups: &[ExprRef],
        order: &[SortKey],
        schema: SchemaRef,
        metrics: &Arc<OperatorMetrics>,
    ) -> Result<Self> {
        let ascending = |expr: ExprRef| SortKey { expr, descending: false, nulls_first: true };
        let mut keys = vec![ascending(Arc::new(BucketOf::new(groups)))];
        keys.extend(groups.iter().cloned().map(ascending));
        keys.extend(order.iter().cloned());
        KeyEncoder::new(&keys)?;
        let plan = Arc::new(SortPlan { bucketed: true, ..SortPlan::new(keys, None, schema, metrics) });
        let sort = SortSink::new(plan.clone());
        Ok(Self { sort, plan, merged: Arc::default(), kept: Mutex::default(), ready: Arc::default() })
    }
}

impl Sink for SortedBuckets {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        self.sort.start(task)
    }

    fn finalize(&self, _stage: usize, query: &Arc<QueryContext>) -> Result<Vec<Job>> {
        let exact = KeyEncoder::new(&self.plan.keys)?.is_exact();
        let mut files: Vec<Vec<SpillRun>> = Vec::new();
        files.resize_with(BUCKETS, Vec::new);
        if let Some(mut store) = self.sort.collected(query).take() {
            let (runs, spilled, held) = store.take();
            spilled.into_iter().for_each(|(bucket, file)| files[bucket % BUCKETS].push(file));
            *self.kept.lock() = Some((runs, held));
        }
        for (bucket, file) in std::mem::take(&mut *self.merged.lock()) {
            files[bucket].push(file);
        }
        if files.iter().any(|files| files.len() > FILES_MAX) {
            let mut jobs: Vec<Job> = Vec::new();
            for (bucket, mut files) in files.into_iter().enumerate() {
                while !files.is_empty() {
                    let group = files.split_off(files.len().saturating_sub(FILES_MAX));
                    let (plan, merged) = (self.plan.clone(), self.merged.clone());
                    jobs.push(Box::new(move |task: &TaskContext| {
                        let file = merge_files(group, exact, &plan, task)?;
                        merged.lock().push((bucket, file));
                        Ok(())
                    }));
                }
            }
            return Ok(jobs);
        }
        let Some((runs, held)) = self.kept.lock().take() else { return Ok(Vec::new()) };
        let held = Arc::new(held);
        let metrics = &self.plan.metrics;
        let empty = |files| Bucket { runs: Vec::new(), files, exact, metrics: metrics.clone(), held: held.clone() };
        let mut ready: Vec<Bucket> = files.into_iter().map(empty).collect();
        for run in runs {
            for (bucket, rows) in buckets(&self.plan, &run) {
                ready[bucket % BUCKETS].runs.push((run.clone(), rows));
            }
        }
        ready.retain(|bucket| !bucket.runs.is_empty() || !bucket.files.is_empty());
        *self.ready.lock() = ready;
        Ok(Vec::new())
    }
}

/// The rows of each bucket that a run has.
pub(super) fn buckets(plan: &SortPlan, run: &Run) -> Vec<(usize, Range<usize>)> {
    if !plan.bucketed {
        return vec![(0, 0..run.rows())];
    }
    // The first key byte says that there is a value, the second is the bucket.
    let prefixes = run.keys.prefixes();
    let of = |prefix: u128| (prefix >> 112) as u8;
    let mut found = Vec::new();
    let mut start = 0;
    while start < prefixes.len() {
        let bucket = of(prefixes[start]);
        let end = start + prefixes[start..].partition_point(|prefix| of(*prefix) == bucket);
        found.push((usize::from(bucket), start..end));
        start = end;
    }
    found
}

/// Gives the buckets out, each from one cursor, its rows in order.
pub(in crate::operator) struct BucketSource {
    ready: Arc<Mutex<Vec<Bucket>>>,
}

impl BucketSource {
    /// The buckets of `sink`.
    pub(in crate::operator) fn new(sink: &SortedBuckets) -> Self {
        Self { ready: sink.ready.clone() }
    }
}

impl Source for BucketSource {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let Some(Bucket { runs, files, exact, metrics, held }) = self.ready.lock().pop() else { return Ok(None) };
        let files = files.into_iter().map(|file| SpilledRows::new(file, exact).map(Input::File));
        let mut inputs = files.collect::<Result<Vec<_>>>()?;
        inputs.extend(runs.into_iter().map(|(run, rows)| Input::Memory(run, rows)));
        let merge = Merge::new(inputs, task.query.memory.reserve(Some(metrics)))?;
        Ok(Some(Box::new(BucketCursor { merge, _held: held })))
    }
}

struct BucketCursor {
    merge: Merge,
    _held: Arc<Vec<Reservation>>,
}

impl Cursor for BucketCursor {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let run = self.merge.next(task.query.chunk_rows.max(1), task)?;
        Ok(run.map_or(Step::Done, |run| Step::Chunk(Chunk::from_arrays(run.columns, run.keys.len()))))
    }
}

/// The bucket of a row, by the hash of its group.
#[derive(Debug)]
struct BucketOf {
    groups: Vec<ExprRef>,
    keys: KeyColumns,
}

impl BucketOf {
    fn new(groups: &[ExprRef]) -> Self {
        let types: Vec<DataType> = groups.iter().map(|group| group.data_type().clone()).collect();
        let nulls_equal = vec![true; types.len()];
        Self { groups: groups.to_vec(), keys: KeyColumns::new(types, nulls_equal) }
    }
}

impl VectorExpr for BucketOf {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        if self.groups.is_empty() {
            return Column::constant(&ScalarValue::UInt8(Some(0)), chunk.rows());
        }
        let columns = self.groups.iter().map(|group| group.evaluate(chunk)).collect::<Result<Vec<_>>>()?;
        let hashes = self.keys.encode(&columns, chunk.rows())?.hash(false);
        let buckets: UInt8Array = hashes.iter().map(|hash| (hash >> 40) as u8 % BUCKETS as u8).collect::<Vec<_>>().into();
        Ok(Column::Flat(Arc::new(buckets)))
    }

    fn data_type(&self) -> &DataType {
        &DataType::UInt8
    }

    fn is_fallible(&self) -> bool {
        self.groups.iter().any(|group| group.is_fallible())
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.groups.iter().for_each(|group| group.collect_columns(columns));
    }

    fn describe(&self) -> String {
        "bucket".into()
    }
}
