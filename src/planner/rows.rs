//! Nodes that work row by row, sorts, unions and constant rows.

use super::filters::{Led, lead};
use super::{Planner, schema_of};
use crate::column::{Chunk, Column};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{self, Predicate};
use crate::operator::{FilterNode, ProjectNode, SortKey, SortNode, UnionNode, ValuesNode};
use arrow::compute::concat;
use datafusion_common::DFSchema;
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::{EmptyRelation, Filter, Projection, Sort, Union, Values};
use datafusion_expr::utils::split_conjunction;
use std::sync::Arc;

impl<'a> Planner<'a> {
    pub(super) fn projection(&self, projection: &'a Projection, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let input = self.node(&projection.input, lead(logical, &led, 0))?;
        let exprs = projection.expr.iter().map(|expr| expr::compile(expr, projection.input.schema(), &self.slots));
        Ok(Arc::new(ProjectNode::new(input, exprs.collect::<Result<_>>()?, schema_of(logical))))
    }

    pub(super) fn filter(&self, filter: &'a Filter, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let input = self.node(&filter.input, lead(logical, &led, 0))?;
        let conjuncts: Vec<_> = split_conjunction(&filter.predicate).into_iter().cloned().collect();
        let predicate = Predicate::compile(&conjuncts, filter.input.schema(), &self.slots)?;
        Ok(Arc::new(FilterNode::new(input, predicate, self.rows_of(logical))))
    }

    pub(super) fn sort(&self, sort: &'a Sort, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let input = self.node(&sort.input, lead(logical, &led, 0))?;
        let mut keys = Vec::with_capacity(sort.expr.len());
        for key in &sort.expr {
            let expr = expr::compile(&key.expr, sort.input.schema(), &self.slots)?;
            keys.push(SortKey { expr, descending: !key.asc, nulls_first: key.nulls_first });
        }
        Ok(Arc::new(SortNode::new(input, keys, sort.fetch)?))
    }

    pub(super) fn union(&self, union: &'a Union, logical: &'a LogicalPlan) -> Result<PlanRef> {
        let inputs = union.inputs.iter().map(|input| self.node(input, Vec::new())).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(UnionNode::new(inputs, schema_of(logical))?))
    }

    pub(super) fn empty(&self, empty: &'a EmptyRelation, logical: &'a LogicalPlan) -> Result<PlanRef> {
        let schema = schema_of(logical);
        let chunks = if empty.produce_one_row {
            let nulls = |field: &Arc<arrow::datatypes::Field>| Column::nulls(&crate::column::storage_type(field.data_type()), 1);
            vec![Chunk::new(schema.fields().iter().map(nulls).collect(), 1)]
        } else {
            Vec::new()
        };
        Ok(Arc::new(ValuesNode::new(schema, chunks)))
    }

    pub(super) fn values(&self, values: &'a Values, logical: &'a LogicalPlan) -> Result<PlanRef> {
        let schema = schema_of(logical);
        let nothing = DFSchema::empty();
        let one_row = Chunk::new(Vec::new(), 1);
        let mut columns: Vec<Vec<arrow::array::ArrayRef>> = vec![Vec::new(); schema.fields().len()];
        for row in &values.values {
            for ((expr, column), field) in row.iter().zip(&mut columns).zip(schema.fields()) {
                let value = expr::compile(expr, &nothing, &self.slots)?.evaluate(&one_row)?;
                column.push(value.stored(field.data_type())?);
            }
        }
        let mut arrays = Vec::with_capacity(columns.len());
        for column in &columns {
            let parts: Vec<&dyn arrow::array::Array> = column.iter().map(AsRef::as_ref).collect();
            arrays.push(concat(&parts)?);
        }
        let rows = values.values.len();
        if arrays.iter().any(|array| array.len() != rows) {
            return Err(Error::internal("VALUES rows of different lengths"));
        }
        Ok(Arc::new(ValuesNode::new(schema, vec![Chunk::from_arrays(arrays, rows)])))
    }
}
