//! Every row once for each grouping set, with the keys that the set leaves out as NULL.
//!
//! ```text
//!   a  b  x                    a  b  x   a'   b'   id
//!   1  2  9   sets (a,b),(a)   1  2  9   1    2    0
//!             ------------->   1  2  9   1    NULL 1
//! ```
//!
//! The input's columns stay (they are shared, not copied), so that what is computed from them can
//! be computed behind. Cost: a hash of the keys per row and set, for whoever groups; nothing here.

use crate::column::{Chunk, Column, storage_type};
use crate::error::Result;
use crate::exec::{NodeInfo, Operator, OperatorTask, PipelineBuilder, PlanNode, PlanRef, Step, Stream, TaskContext};
use crate::expr::ExprRef;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion_common::ScalarValue;
use std::sync::Arc;

/// One grouping set.
#[derive(Debug, Clone)]
pub struct GroupingSet {
    /// Which keys it groups by.
    pub kept: Vec<bool>,
    /// What tells it from the others.
    pub id: u64,
}

/// Rows once a set: the input's columns, the keys, the set's number.
#[derive(Debug)]
pub struct ExpandNode {
    info: NodeInfo,
    input: PlanRef,
    shared: Arc<Sets>,
}

#[derive(Debug)]
struct Sets {
    keys: Vec<ExprRef>,
    sets: Vec<GroupingSet>,
    id_type: DataType,
}

impl ExpandNode {
    /// The rows of `input` for each of `sets`, with `keys` and the set's number, of the integer type
    /// `id_type`, as further columns.
    pub fn new(input: PlanRef, keys: Vec<ExprRef>, sets: Vec<GroupingSet>, id_type: DataType) -> Self {
        let mut fields: Vec<FieldRef> = input.schema().fields().iter().cloned().collect();
        fields.extend(keys.iter().map(|key| Arc::new(Field::new(key.describe(), key.data_type().clone(), true))));
        fields.push(Arc::new(Field::new("grouping set", id_type.clone(), false)));
        let info = NodeInfo::new(Arc::new(Schema::new(fields)), input.info().estimated_rows * sets.len() as f64);
        Self { info, input, shared: Arc::new(Sets { keys, sets, id_type }) }
    }
}

impl PlanNode for ExpandNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Expand"
    }

    fn summary(&self) -> String {
        let Sets { keys, sets, .. } = &*self.shared;
        let set = |set: &GroupingSet| {
            let kept = keys.iter().zip(&set.kept).filter(|(_, kept)| **kept).map(|(key, _)| key.describe());
            format!("({})", kept.collect::<Vec<_>>().join(", "))
        };
        sets.iter().map(set).collect::<Vec<_>>().join(", ")
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        Ok(self.input.build(builder)?.then(Arc::new(Expand(self.shared.clone())), &self.info.metrics))
    }
}

struct Expand(Arc<Sets>);

impl Operator for Expand {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn OperatorTask>> {
        Ok(Box::new(ExpandTask { sets: self.0.clone(), input: None }))
    }
}

struct ExpandTask {
    sets: Arc<Sets>,
    /// The chunk at hand, its keys, and the sets it has been given out for.
    input: Option<(Chunk, Vec<Column>, usize)>,
}

impl OperatorTask for ExpandTask {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<()> {
        let keys = self.sets.keys.iter().map(|key| key.evaluate(&chunk)).collect::<Result<Vec<_>>>()?;
        self.input = Some((chunk, keys, 0));
        Ok(())
    }

    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        let Some((chunk, keys, given)) = &mut self.input else { return Ok(Step::NeedInput) };
        let Some(set) = self.sets.sets.get(*given) else {
            self.input = None;
            return Ok(Step::NeedInput);
        };
        *given += 1;
        let rows = chunk.rows();
        let mut columns = chunk.columns().to_vec();
        for ((key, column), kept) in self.sets.keys.iter().zip(keys.iter()).zip(&set.kept) {
            columns.push(if *kept { column.clone() } else { Column::nulls(&storage_type(key.data_type()), rows) });
        }
        let id = ScalarValue::UInt64(Some(set.id)).cast_to(&self.sets.id_type)?;
        columns.push(Column::constant(&id, rows)?);
        Ok(Step::Chunk(chunk.with_columns(columns)))
    }

    fn end_of_input(&mut self, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}
