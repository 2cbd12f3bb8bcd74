//! Scans batches that lie in memory.

use super::condition::Condition;
use super::filter::{Filters, Left, Survivors, WindowColumns};
use super::project;
use crate::column::{Chunk, Column, Order};
use crate::error::{Error, Result};
use crate::exec::{Cursor, NodeInfo, PipelineBuilder, PlanNode, PlanRef, Source, Step, Stream, TaskContext};
use crate::layout::ScanPredicate;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows of a batch that one task takes at a time, at most. Guessed.
const MORSEL_ROWS: usize = 64 << 10;

/// Reads batches in memory.
#[derive(Debug)]
pub struct MemoryScanNode {
    info: NodeInfo,
    data: Arc<Data>,
}

#[derive(Debug)]
struct Data {
    chunks: Vec<Chunk>,
    projection: Vec<usize>,
    conditions: Vec<Arc<Condition>>,
    /// Chunk, first row, rows.
    morsels: Vec<(usize, usize, usize)>,
}

impl MemoryScanNode {
    /// A scan of `chunks` (of any size) of a table of `schema`; projection and predicates as in
    /// [`super::ScanNode::new`].
    pub fn new(
        schema: SchemaRef,
        chunks: Vec<Chunk>,
        projection: Vec<usize>,
        predicates: Vec<Arc<dyn ScanPredicate>>,
        estimated_rows: f64,
    ) -> MemoryScanNode {
        let info = NodeInfo::new(project(&schema, &projection), estimated_rows);
        let mut morsels = Vec::new();
        for (number, chunk) in chunks.iter().enumerate() {
            for start in (0..chunk.rows()).step_by(MORSEL_ROWS) {
                morsels.push((number, start, MORSEL_ROWS.min(chunk.rows() - start)));
            }
        }
        let conditions = predicates.into_iter().map(|predicate| Condition::new(predicate, false)).collect();
        MemoryScanNode { info, data: Arc::new(Data { chunks, projection, conditions, morsels }) }
    }
}

impl PlanNode for MemoryScanNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "MemoryScan"
    }

    fn details(&self) -> Vec<String> {
        let mut lines = vec![format!("chunks: {}", self.data.chunks.len())];
        lines.extend(self.data.conditions.iter().map(|condition| condition.describe()));
        lines
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        let source = MemorySource { data: self.data.clone(), next: AtomicUsize::new(0) };
        Ok(Stream::new(Arc::new(source), &self.info.metrics))
    }
}

struct MemorySource {
    data: Arc<Data>,
    next: AtomicUsize,
}

impl Source for MemorySource {
    fn tasks_max(&self) -> usize {
        self.data.morsels.len().max(1)
    }

    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(&(chunk, start, rows)) = self.data.morsels.get(number) else { return Ok(None) };
        let data = &self.data;
        let filters = Filters::new(data.conditions.iter().cloned(), |_| 1);
        let mut columns = vec![None; data.chunks[chunk].columns().len()];
        let predicates = data.conditions.iter().flat_map(|condition| condition.predicate.columns());
        for &column in data.projection.iter().chain(predicates) {
            if columns[column].is_none() {
                columns[column] = Some(data.chunks[chunk].column(column).slice(start, rows)?);
            }
        }
        let order = Order { morsel: number as u64, sequence: 0 };
        Ok(Some(Box::new(MemoryCursor { data: data.clone(), filters, columns, at: 0, rows, order })))
    }
}

struct MemoryCursor {
    data: Arc<Data>,
    filters: Filters,
    /// Per column of the table, those that are needed.
    columns: Vec<Option<Column>>,
    at: usize,
    rows: usize,
    order: Order,
}

impl Cursor for MemoryCursor {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        if self.at >= self.rows {
            return Ok(Step::Done);
        }
        let start = self.at;
        let rows = task.query.chunk_rows.max(1).min(self.rows - start);
        self.at += rows;
        let mut columns = Rows { columns: &self.columns, start, rows };
        let survivors = self.filters.apply(rows, &mut columns)?;
        if matches!(survivors, Survivors::None) {
            return Ok(Step::Yield);
        }
        let projected = self.data.projection.iter().map(|at| columns.all(*at)).collect::<Result<_>>()?;
        let mut chunk = Chunk::new(projected, rows);
        chunk.order = self.order;
        self.order.sequence += 1;
        Ok(Step::Chunk(match survivors {
            Survivors::Some(left) => chunk.select(left.selection())?,
            _ => chunk,
        }))
    }
}

/// Some rows of columns in memory.
struct Rows<'a> {
    columns: &'a [Option<Column>],
    start: usize,
    rows: usize,
}

impl WindowColumns for Rows<'_> {
    fn all(&mut self, column: usize) -> Result<Column> {
        match &self.columns[column] {
            Some(column) => column.slice(self.start, self.rows),
            None => Err(Error::internal("a column in memory is not there")),
        }
    }

    fn left(&mut self, column: usize, left: &Arc<Left>) -> Result<Column> {
        self.all(column)?.select(left.selection())
    }
}
