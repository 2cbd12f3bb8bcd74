//! The select list: computed columns, picked columns, in a new order.

use super::row_wise::RowWise;
use crate::column::Column;
use crate::error::Result;
use crate::exec::{NodeInfo, PartStream, PipelineBuilder, PlanNode, PlanRef, Stream};
use crate::expr::ExprRef;
use crate::layout::Parting;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// One column out per expression. A plain column passes in the form it has, uncopied; rows keep
/// their order. Of the input's layout the order is kept as far as its columns are.
#[derive(Debug)]
pub struct ProjectNode {
    info: NodeInfo,
    input: PlanRef,
    expressions: Arc<[ExprRef]>,
}

impl ProjectNode {
    /// `expressions` over the columns of `input`; `schema` names and types what they give.
    pub fn new(input: PlanRef, expressions: Vec<ExprRef>, schema: SchemaRef) -> Self {
        let columns: Vec<Option<usize>> = expressions.iter().map(|expression| expression.as_column()).collect();
        let info = NodeInfo::new(schema, input.info().estimated_rows).with_layout(input.info().layout.projected(&columns));
        Self { info, input, expressions: expressions.into() }
    }
}

impl PlanNode for ProjectNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Project"
    }

    fn summary(&self) -> String {
        self.expressions.iter().map(|expression| expression.describe()).collect::<Vec<_>>().join(", ")
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        Ok(self.input.build(builder)?.then(self.operator(), &self.info.metrics))
    }

    fn build_parts(&self, builder: &mut PipelineBuilder, parting: &Parting) -> Result<Option<PartStream>> {
        let below = parting.renamed(|column| self.expressions.get(column)?.as_column());
        let Some(below) = below else { return Ok(None) };
        let input = self.input.build_parts(builder, &below)?;
        Ok(input.map(|input| input.then(self.operator(), &self.info.metrics)))
    }
}

impl ProjectNode {
    fn operator(&self) -> Arc<RowWise> {
        let expressions = self.expressions.clone();
        RowWise::new(move |chunk| {
            let evaluate = |expression: &ExprRef| match expression.as_column() {
                Some(column) => Ok(chunk.column(column).clone()),
                None => expression.evaluate(&chunk),
            };
            let columns = expressions.iter().map(evaluate).collect::<Result<Vec<Column>>>()?;
            Ok(Some(chunk.with_columns(columns)))
        })
    }
}
