//! Generators: every row once for each element of an array, a map, or a list of expressions.
//!
//! ```text
//!   k  a                     k  a       pos  col
//!   1  [7, 8]   posexplode   1  [7, 8]  0    7
//!   2  []      ----------->  1  [7, 8]  1    8
//!   3  NULL       outer      2  []      NULL NULL
//!                            3  NULL    NULL NULL
//! ```
//!
//! A chunk's arrays are looked at where they are; the input's columns are selected by row numbers,
//! which copies nothing until somebody reads them. Output chunks are cut at the query's chunk size,
//! also in the middle of a long array. Cost: one number a row, one copy of every element. An array
//! that is NULL or empty gives no row, or one row of NULLs where the generator is an outer one.

mod elements;

use crate::column::{Chunk, Column, Selection};
use crate::error::Result;
use crate::exec::{NodeInfo, Operator, OperatorTask, PipelineBuilder, PlanNode, PlanRef, Step, Stream, TaskContext};
use crate::expr::ExprRef;
use arrow::datatypes::SchemaRef;
use elements::Elements;
use std::sync::Arc;

/// Rows that one row gives where nothing is known. Guessed.
const ROWS_EACH: f64 = 4.0;

/// What is made of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generator {
    /// The elements of an array, or the keys and values of a map, behind their place if wanted.
    Explode {
        /// What the first element's place is counted from; None: places are not wanted.
        position: Option<i32>,
    },
    /// The fields of an array's structs.
    Inline,
    /// The arguments in so many rows.
    Stack {
        /// At least 1.
        rows: usize,
    },
}

/// Rows times what a generator makes of them: the input's columns, then the generated ones.
#[derive(Debug)]
pub struct GenerateNode {
    info: NodeInfo,
    input: PlanRef,
    call: Arc<Call>,
}

#[derive(Debug)]
struct Call {
    generator: Generator,
    arguments: Vec<ExprRef>,
    outer: bool,
    schema: SchemaRef,
    /// Columns of the input.
    width: usize,
}

impl GenerateNode {
    /// `generator` of `arguments` for every row of `input`; `schema` is the input's columns and then
    /// the generated ones. `outer` keeps rows that nothing is generated for.
    pub fn new(input: PlanRef, generator: Generator, arguments: Vec<ExprRef>, outer: bool, schema: SchemaRef) -> Self {
        let each = match generator {
            Generator::Stack { rows } => rows as f64,
            _ => ROWS_EACH,
        };
        let info = NodeInfo::new(schema.clone(), input.info().estimated_rows * each);
        let width = input.schema().fields().len();
        Self { info, input, call: Arc::new(Call { generator, arguments, outer, schema, width }) }
    }
}

impl PlanNode for GenerateNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Generate"
    }

    fn summary(&self) -> String {
        let Call { generator, arguments, outer, .. } = &*self.call;
        let name = match generator {
            Generator::Explode { position: None } => "explode".to_owned(),
            Generator::Explode { position: Some(_) } => "posexplode".to_owned(),
            Generator::Inline => "inline".to_owned(),
            Generator::Stack { rows } => format!("stack {rows} rows of "),
        };
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.describe()).collect();
        format!("{name}({}){}", arguments.join(", "), if *outer { ", outer" } else { "" })
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        Ok(self.input.build(builder)?.then(Arc::new(Generating(self.call.clone())), &self.info.metrics))
    }
}

struct Generating(Arc<Call>);

impl Operator for Generating {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn OperatorTask>> {
        Ok(Box::new(GenerateTask { call: self.0.clone(), input: None }))
    }
}

struct GenerateTask {
    call: Arc<Call>,
    input: Option<Pending>,
}

/// A chunk and how far its rows have been given out.
struct Pending {
    chunk: Chunk,
    elements: Elements,
    row: usize,
    /// The next element of `row`.
    element: usize,
}

impl OperatorTask for GenerateTask {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<()> {
        let Call { generator, arguments, .. } = &*self.call;
        let elements = Elements::new(*generator, arguments, &chunk)?;
        self.input = Some(Pending { chunk, elements, row: 0, element: 0 });
        Ok(())
    }

    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let Some(pending) = &mut self.input else { return Ok(Step::NeedInput) };
        let limit = task.query.chunk_rows.max(1);
        let (rows, elements) = pending.take(limit, self.call.outer);
        if rows.is_empty() {
            self.input = None;
            return Ok(Step::NeedInput);
        }
        let count = rows.len();
        let generated = pending.elements.gather(&rows, &elements)?;
        let mut columns = pending.chunk.select(&Arc::new(Selection::from_indices(rows)))?.into_columns();
        let fields = self.call.schema.fields().iter().skip(self.call.width);
        for (array, field) in generated.into_iter().zip(fields) {
            let stored = Column::Flat(array).stored(field.data_type())?;
            columns.push(Column::Flat(stored));
        }
        let mut chunk = Chunk::new(columns, count);
        chunk.order = pending.chunk.order;
        Ok(Step::Chunk(chunk))
    }

    fn end_of_input(&mut self, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}

impl Pending {
    /// The next output rows, `limit` at most: the input row of each and the element, if there is one.
    fn take(&mut self, limit: usize, outer: bool) -> (Vec<u32>, Vec<Option<u32>>) {
        let (mut rows, mut elements) = (Vec::new(), Vec::new());
        while self.row < self.chunk.rows() && rows.len() < limit {
            let row = self.row as u32;
            let count = self.elements.count(self.row);
            if count == 0 && outer {
                rows.push(row);
                elements.push(None);
            }
            let end = count.min(self.element + (limit - rows.len()));
            rows.extend((self.element..end).map(|_| row));
            elements.extend((self.element..end).map(|element| Some(element as u32)));
            self.element = end;
            if self.element >= count {
                (self.row, self.element) = (self.row + 1, 0);
            }
        }
        (rows, elements)
    }
}
