//! A running query as its caller sees it: an iterator of Arrow batches.

use crate::column::Chunk;
use crate::error::Result;
use crate::exec::result::ResultQueue;
use crate::exec::scheduler::Scheduler;
use crate::exec::{CancelFlag, MemoryBudget, PlanRef, QueryContext, run, spill::SpillDirectory};
use crate::operator::ValuesNode;
use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of a running query. Dropping it ends the query.
///
/// Rows are produced ahead of the reader only as far as a bounded queue goes: read slowly and the
/// query waits without holding threads or growing memory.
pub struct ResultStream {
    schema: SchemaRef,
    queue: ResultQueue,
    query: Arc<QueryContext>,
    plan: PlanRef,
    started: Instant,
    rows: u64,
    elapsed: Option<Duration>,
    warnings: Vec<String>,
}

/// Ends a query from another thread.
#[derive(Clone)]
pub struct CancelHandle {
    flag: CancelFlag,
    queue: ResultQueue,
}

/// Figures of a query so far.
#[derive(Debug, Clone, Copy)]
pub struct QueryMetrics {
    /// Rows given to the caller.
    pub rows: u64,
    /// Time since the start, or until the end.
    pub elapsed: Duration,
    /// The most memory that operators of the session had reserved at one time, bytes.
    pub peak_memory: u64,
    /// Bytes written to spill files.
    pub spilled: u64,
}

impl ResultStream {
    pub(crate) fn start(plan: &PlanRef, schema: SchemaRef, scheduler: &Arc<Scheduler>, query: Arc<QueryContext>) -> Result<Self> {
        let started = Instant::now();
        let queue = run::start(plan, scheduler, query.clone())?;
        Ok(Self { schema, queue, query, plan: plan.clone(), started, rows: 0, elapsed: None, warnings: Vec::new() })
    }

    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// What the user should know of the query though it runs: hints that cannot be followed.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Names and types of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// A handle that ends the query from elsewhere.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle { flag: self.query.cancel.clone(), queue: self.queue.clone() }
    }

    /// Figures so far.
    pub fn metrics(&self) -> QueryMetrics {
        QueryMetrics {
            rows: self.rows,
            elapsed: self.elapsed.unwrap_or_else(|| self.started.elapsed()),
            peak_memory: self.query.memory.peak() as u64,
            spilled: self.query.spill.written(),
        }
    }

    /// The plan with the figures so far, as EXPLAIN ANALYZE prints it.
    pub fn explain(&self) -> String {
        crate::explain::tree(&self.plan, true)
    }

    /// All rows that are left.
    pub fn collect_batches(self) -> Result<Vec<RecordBatch>> {
        self.collect()
    }
}

impl Iterator for ResultStream {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.elapsed.is_some() {
            return None;
        }
        let chunk = match self.queue.next() {
            Ok(Some(chunk)) => chunk,
            Ok(None) => {
                self.elapsed = Some(self.started.elapsed());
                return None;
            }
            Err(error) => {
                self.elapsed = Some(self.started.elapsed());
                return Some(Err(error));
            }
        };
        self.rows += chunk.rows() as u64;
        let batch = chunk.to_batch(&self.schema);
        if batch.is_err() {
            self.query.cancel.raise();
            self.elapsed = Some(self.started.elapsed());
        }
        Some(batch)
    }
}

impl Drop for ResultStream {
    fn drop(&mut self) {
        self.query.cancel.raise();
        self.queue.close();
    }
}

impl std::fmt::Debug for ResultStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ResultStream {{ columns: {}, rows read: {} }}", self.schema.fields().len(), self.rows)
    }
}

impl CancelHandle {
    /// Ends the query: its stream gives an error at the next read.
    pub fn cancel(&self) {
        self.flag.raise();
        self.queue.close();
    }
}

/// Lines of text as a result of one column.
pub(crate) fn text_stream(title: &str, lines: Vec<String>, scheduler: &Arc<Scheduler>) -> Result<ResultStream> {
    table_stream(&[title], lines.into_iter().map(|line| vec![line]).collect(), scheduler)
}

/// Rows of text, one for each of `titles`.
pub(crate) fn table_stream(titles: &[&str], lines: Vec<Vec<String>>, scheduler: &Arc<Scheduler>) -> Result<ResultStream> {
    let fields: Vec<Field> = titles.iter().map(|title| Field::new(*title, DataType::Utf8View, false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let rows = lines.len();
    let column = |at: usize| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(lines.iter().map(|line| line.get(at).map_or("", String::as_str))))
    };
    let arrays = (0..titles.len()).map(column).collect();
    let plan: PlanRef = Arc::new(ValuesNode::new(schema.clone(), vec![Chunk::from_arrays(arrays, rows)]));
    let query = Arc::new(QueryContext {
        threads: 1,
        chunk_rows: crate::column::CHUNK_ROWS,
        memory: MemoryBudget::new(usize::MAX),
        cancel: CancelFlag::default(),
        spill: SpillDirectory::new(std::env::temp_dir(), 0),
        constant_hash: false,
        always_spill: false,
    });
    ResultStream::start(&plan, schema, scheduler, query)
}
