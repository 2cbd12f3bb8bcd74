//! Plans made of closures, for tests of the executor and of operators.

use super::spill::SpillDirectory;
use super::{
    CancelFlag, Cursor, MemoryBudget, NodeInfo, Operator, OperatorMetrics, OperatorTask, PipelineBuilder, PlanNode, PlanRef,
    QueryContext, Source, Step, Stream, TaskContext,
};
use crate::column::{Chunk, Column};
use crate::error::Result;
use crate::expr::{ExprRef, VectorExpr};
use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What tests vary of a query's surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) threads: usize,
    pub(crate) chunk_rows: usize,
    pub(crate) always_spill: bool,
    pub(crate) memory: usize,
}

impl Default for Setting {
    fn default() -> Self {
        Self { threads: 2, chunk_rows: 8192, always_spill: false, memory: 1 << 30 }
    }
}

impl Setting {
    pub(crate) fn context(self) -> Arc<QueryContext> {
        Arc::new(QueryContext {
            threads: self.threads,
            chunk_rows: self.chunk_rows,
            memory: MemoryBudget::new(self.memory),
            cancel: CancelFlag::default(),
            spill: SpillDirectory::new(std::env::temp_dir(), u64::MAX),
            constant_hash: false,
            always_spill: self.always_spill,
        })
    }
}

type Build = dyn Fn(&mut PipelineBuilder, &Arc<OperatorMetrics>) -> Result<Stream> + Send + Sync;

/// A node that a closure builds.
pub(crate) struct Node {
    info: NodeInfo,
    build: Box<Build>,
}

impl Node {
    pub(crate) fn plan(
        schema: SchemaRef,
        build: impl Fn(&mut PipelineBuilder, &Arc<OperatorMetrics>) -> Result<Stream> + Send + Sync + 'static,
    ) -> PlanRef {
        Arc::new(Self { info: NodeInfo::new(schema, 0.0), build: Box::new(build) })
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node")
    }
}

impl PlanNode for Node {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Node"
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        (self.build)(builder, &self.info.metrics)
    }
}

/// The schema of [`numbers`].
pub(crate) fn number_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

/// Chunks of consecutive numbers from 0; counts the chunks it made.
pub(crate) struct Numbers {
    pub(crate) rows: u64,
    pub(crate) chunk_rows: u64,
    pub(crate) tasks_max: usize,
    pub(crate) next: Arc<AtomicU64>,
}

/// The numbers below `rows`, read by up to `tasks_max` tasks; in order when that is 1.
pub(crate) fn numbers(rows: u64, chunk_rows: u64, tasks_max: usize) -> (PlanRef, Arc<AtomicU64>) {
    let next = Arc::new(AtomicU64::new(0));
    let counter = next.clone();
    let plan = Node::plan(number_schema(), move |_, metrics| {
        let source = Numbers { rows, chunk_rows, tasks_max, next: next.clone() };
        Ok(Stream::new(Arc::new(source), metrics))
    });
    (plan, counter)
}

impl Source for Numbers {
    fn tasks_max(&self) -> usize {
        self.tasks_max
    }

    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed) * self.chunk_rows;
        let end = self.rows.min(start + self.chunk_rows);
        Ok((start < end).then(|| Box::new(Range { start, end }) as Box<dyn Cursor>))
    }
}

struct Range {
    start: u64,
    end: u64,
}

impl Cursor for Range {
    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        if self.start == self.end {
            return Ok(Step::Done);
        }
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(self.start as i64..self.end as i64));
        self.start = self.end;
        Ok(Step::Chunk(Chunk::from_arrays(vec![values.clone()], values.len())))
    }
}

/// An operator of a function from chunk to chunk or nothing.
pub(crate) struct Apply<F>(pub(crate) Arc<F>);

/// `input` with a function on every chunk.
pub(crate) fn apply<F>(input: PlanRef, change: F) -> PlanRef
where
    F: Fn(Chunk, &TaskContext) -> Result<Option<Chunk>> + Send + Sync + 'static,
{
    let change = Arc::new(change);
    Node::plan(input.schema().clone(), move |builder, metrics| {
        Ok(input.build(builder)?.then(Arc::new(Apply(change.clone())), metrics))
    })
}

struct ApplyTask<F>(Arc<F>, Option<Chunk>);

impl<F: Fn(Chunk, &TaskContext) -> Result<Option<Chunk>> + Send + Sync + 'static> Operator for Apply<F> {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn OperatorTask>> {
        Ok(Box::new(ApplyTask(self.0.clone(), None)))
    }
}

impl<F: Fn(Chunk, &TaskContext) -> Result<Option<Chunk>> + Send + Sync> OperatorTask for ApplyTask<F> {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<()> {
        self.1 = (self.0)(chunk, task)?;
        Ok(())
    }

    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        Ok(self.1.take().map_or(Step::NeedInput, Step::Chunk))
    }

    fn end_of_input(&mut self, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}

/// The numbers of a column of chunks, in the order they came.
pub(crate) fn values(chunks: &[Chunk]) -> Vec<i64> {
    let column = |chunk: &Chunk| chunk.column(0).flat().map(|array| array.as_primitive::<Int64Type>().values().to_vec());
    chunks.iter().flat_map(|chunk| column(chunk).unwrap_or_default()).collect()
}

/// An input column as an expression.
#[derive(Debug)]
struct Picked(usize, DataType);

/// Column `index` of SQL type `data_type`.
pub(crate) fn column(index: usize, data_type: DataType) -> ExprRef {
    Arc::new(Picked(index, data_type))
}

impl VectorExpr for Picked {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        Ok(chunk.column(self.0).clone())
    }

    fn data_type(&self) -> &DataType {
        &self.1
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        columns.push(self.0);
    }

    fn as_column(&self) -> Option<usize> {
        Some(self.0)
    }

    fn describe(&self) -> String {
        format!("#{}", self.0)
    }
}
