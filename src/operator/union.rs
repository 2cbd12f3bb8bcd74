//! UNION ALL.

use super::row_wise::RowWise;
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use crate::exec::{NodeInfo, PipelineBuilder, PlanNode, PlanRef, Stream};
use arrow::datatypes::SchemaRef;

/// All rows of several inputs, in no order. The branches of all inputs run side by side.
#[derive(Debug)]
pub struct UnionNode {
    info: NodeInfo,
    inputs: Vec<PlanRef>,
}

impl UnionNode {
    /// The rows of `inputs`, whose columns agree with those of `schema` in number and SQL type.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] when they do not agree in number.
    pub fn new(inputs: Vec<PlanRef>, schema: SchemaRef) -> Result<Self> {
        let columns = schema.fields().len();
        if let Some(other) = inputs.iter().find(|input| input.schema().fields().len() != columns) {
            let found = other.schema().fields().len();
            return Err(Error::internal(format!("a union of {columns} columns has an input of {found}")));
        }
        let rows = inputs.iter().map(|input| input.info().estimated_rows).sum();
        Ok(Self { info: NodeInfo::new(schema, rows), inputs })
    }

    /// The columns of `input` that are held in another type than this node's schema asks for: the
    /// analyzer has made SQL types equal, but not, say, the digits of decimals that a file brings.
    fn differing(&self, input: &PlanRef) -> Vec<usize> {
        let fields = input.schema().fields().iter().zip(self.info.schema.fields());
        let differs = fields.map(|(from, to)| storage_type(from.data_type()) != storage_type(to.data_type()));
        differs.enumerate().filter_map(|(column, differs)| differs.then_some(column)).collect()
    }
}

impl PlanNode for UnionNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Union"
    }

    fn summary(&self) -> String {
        format!("{} inputs", self.inputs.len())
    }

    fn children(&self) -> Vec<&PlanRef> {
        self.inputs.iter().collect()
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let mut streams = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let differing = self.differing(input);
            let schema = self.info.schema.clone();
            let operator = RowWise::new(move |chunk| {
                if differing.is_empty() {
                    return Ok(Some(chunk));
                }
                let mut columns = chunk.columns().to_vec();
                for &column in &differing {
                    columns[column] = Column::Flat(columns[column].stored(schema.field(column).data_type())?);
                }
                Ok(Some(chunk.with_columns(columns)))
            });
            streams.push(input.build(builder)?.then(operator, &self.info.metrics));
        }
        Ok(Stream::union(streams))
    }
}
