//! Every function against a straightforward computation, over threads, chunk sizes, memory, and
//! forms of the columns.

mod each_function;
mod matrix;

use super::{AggregateCall, AggregateNode, functions};
use crate::column::{Chunk, Column};
use crate::error::Result;
use crate::exec::result::ResultQueue;
use crate::exec::scheduler::Scheduler;
use crate::exec::spill::SpillDirectory;
use crate::exec::*;
use crate::expr::{ExprRef, VectorExpr};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use parking_lot::Mutex;
use std::sync::Arc;

/// How a query runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub threads: usize,
    pub chunk_rows: usize,
    pub memory: usize,
    pub always_spill: bool,
    pub constant_hash: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self { threads: 2, chunk_rows: 8192, memory: 1 << 30, always_spill: false, constant_hash: false }
    }
}

#[derive(Debug)]
struct MemoryNode {
    info: NodeInfo,
    chunks: Vec<Chunk>,
}

impl PlanNode for MemoryNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }
    fn name(&self) -> &'static str {
        "Memory"
    }
    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }
    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        Ok(Stream::new(Arc::new(MemorySource(Mutex::new(self.chunks.clone()))), &self.info.metrics))
    }
}

struct MemorySource(Mutex<Vec<Chunk>>);

impl Source for MemorySource {
    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        Ok(self.0.lock().pop().map(|chunk| Box::new(Once(Some(chunk))) as Box<dyn Cursor>))
    }
}

struct Once(Option<Chunk>);

impl Cursor for Once {
    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        Ok(self.0.take().map_or(Step::Done, Step::Chunk))
    }
}

#[derive(Debug)]
struct ColumnAt(usize, DataType);

impl VectorExpr for ColumnAt {
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

/// A call in brief: function, arguments, DISTINCT, FILTER column.
pub(super) type Brief = (&'static str, Vec<usize>, bool, Option<usize>);

/// `sum(#1)`.
pub(super) fn plain(function: &'static str, argument: usize) -> Brief {
    (function, vec![argument], false, None)
}

pub(super) fn column(schema: &SchemaRef, index: usize) -> ExprRef {
    Arc::new(ColumnAt(index, schema.field(index).data_type().clone()))
}

pub(super) fn node(schema: &SchemaRef, chunks: Vec<Chunk>, groups: &[usize], calls: &[Brief]) -> Result<AggregateNode> {
    let input: PlanRef = Arc::new(MemoryNode { info: NodeInfo::new(schema.clone(), 1.0), chunks });
    let mut fields: Vec<FieldRef> = groups.iter().map(|&group| schema.fields()[group].clone()).collect();
    let mut built = Vec::new();
    for (name, arguments, distinct, filter) in calls {
        let known = functions();
        let function = known.iter().find(|f| f.name() == *name || f.aliases().iter().any(|alias| alias == name));
        let function = function.unwrap_or_else(|| panic!("no function {name}")).clone();
        let inputs: Vec<FieldRef> = arguments.iter().map(|&index| schema.fields()[index].clone()).collect();
        let field = function.return_field(&inputs)?;
        fields.push(field.clone());
        built.push(AggregateCall {
            function,
            arguments: arguments.iter().map(|&index| column(schema, index)).collect(),
            distinct: *distinct,
            filter: filter.map(|index| column(schema, index)),
            order: Vec::new(),
            ignore_nulls: false,
            field,
        });
    }
    let groups = groups.iter().map(|&group| column(schema, group)).collect();
    AggregateNode::new(input, groups, built, Arc::new(Schema::new(fields)), 1.0)
}

/// Runs the node; rows as text, sorted.
pub(super) fn run(node: &AggregateNode, setting: Setting) -> Result<Vec<String>> {
    let mut builder = PipelineBuilder::new();
    let stream = node.build(&mut builder)?;
    let queue = ResultQueue::default();
    builder.end(stream, Arc::new(queue.clone()), &Arc::default());
    let memory = MemoryBudget::new(setting.memory);
    let query = Arc::new(QueryContext {
        threads: setting.threads,
        chunk_rows: setting.chunk_rows,
        memory: memory.clone(),
        cancel: CancelFlag::default(),
        spill: SpillDirectory::new(std::env::temp_dir(), 1 << 32),
        constant_hash: setting.constant_hash,
        always_spill: setting.always_spill,
    });
    Scheduler::new(setting.threads)?.start(builder, query, queue.clone());
    let mut rows = Vec::new();
    while let Some(chunk) = queue.next()? {
        assert!(chunk.rows() <= setting.chunk_rows);
        let batch = chunk.to_batch(node.schema())?;
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| match column.is_null(row) {
                true => "NULL".to_owned(),
                false => array_value_to_string(column, row).unwrap_or_else(|error| error.to_string()),
            });
            rows.push(cells.collect::<Vec<_>>().join(","));
        }
    }
    queue.wait_ended();
    assert_eq!(memory.used(), 0, "memory is given back");
    rows.sort();
    Ok(rows)
}

/// A schema of nullable columns.
pub(super) fn schema(types: &[DataType]) -> SchemaRef {
    let field = |(index, data_type): (usize, &DataType)| Field::new(format!("c{index}"), data_type.clone(), true);
    Arc::new(Schema::new(types.iter().enumerate().map(field).collect::<Vec<_>>()))
}

/// Cuts arrays (in their storage types) into chunks.
pub(super) fn chunks(arrays: &[arrow::array::ArrayRef], rows_max: usize) -> Vec<Chunk> {
    let rows = arrays[0].len();
    let cut = |from: usize| {
        let len = rows_max.min(rows - from);
        Chunk::from_arrays(arrays.iter().map(|array| array.slice(from, len)).collect(), len)
    };
    (0..rows).step_by(rows_max).map(cut).collect()
}
