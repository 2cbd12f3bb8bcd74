//! Rows that are there before the query runs: VALUES, a SELECT without FROM, tables in memory.

use crate::column::Chunk;
use crate::error::Result;
use crate::exec::{Cursor, NodeInfo, PipelineBuilder, PlanNode, PlanRef, Source, Step, Stream, TaskContext};
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Up to this many rows come out in the order given, from one task: what a VALUES list's writer
/// expects to see. More are read in parallel. Guessed.
const ORDERED_ROWS_MAX: usize = 64 << 10;

/// Gives out chunks. Those larger than the query's chunk size are cut.
#[derive(Debug)]
pub struct ValuesNode {
    info: NodeInfo,
    chunks: Vec<Chunk>,
}

impl ValuesNode {
    /// The rows of `chunks`, whose columns are held as [`crate::column`] says for `schema`.
    pub fn new(schema: SchemaRef, chunks: Vec<Chunk>) -> Self {
        let rows: usize = chunks.iter().map(Chunk::rows).sum();
        Self { info: NodeInfo::new(schema, rows as f64), chunks }
    }

    /// No rows of `schema`.
    pub fn empty(schema: SchemaRef) -> Self {
        Self::new(schema, Vec::new())
    }

    /// One row without columns: what a SELECT without FROM reads.
    pub fn one_row(schema: SchemaRef) -> Self {
        Self::new(schema, vec![Chunk::new(Vec::new(), 1)])
    }

    fn rows(&self) -> usize {
        self.chunks.iter().map(Chunk::rows).sum()
    }
}

impl PlanNode for ValuesNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Values"
    }

    fn summary(&self) -> String {
        match self.rows() {
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        }
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        let tasks_max = if self.rows() <= ORDERED_ROWS_MAX { 1 } else { usize::MAX };
        let source = ChunkSource { left: Mutex::new(self.chunks.iter().cloned().collect()), tasks_max };
        Ok(Stream::new(Arc::new(source), &self.info.metrics))
    }
}

/// A unit of work is a chunk.
struct ChunkSource {
    left: Mutex<VecDeque<Chunk>>,
    tasks_max: usize,
}

impl Source for ChunkSource {
    fn tasks_max(&self) -> usize {
        self.tasks_max
    }

    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let chunk = self.left.lock().pop_front();
        Ok(chunk.map(|chunk| Box::new(Slices { chunk, at: 0 }) as Box<dyn Cursor>))
    }
}

/// Slices of one chunk.
struct Slices {
    chunk: Chunk,
    at: usize,
}

impl Cursor for Slices {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let rows = (self.chunk.rows() - self.at).min(task.query.chunk_rows.max(1));
        if rows == 0 {
            return Ok(Step::Done);
        }
        let whole = rows == self.chunk.rows();
        let slice = if whole { self.chunk.clone() } else { self.chunk.slice(self.at, rows)? };
        self.at += rows;
        Ok(Step::Chunk(slice))
    }
}
