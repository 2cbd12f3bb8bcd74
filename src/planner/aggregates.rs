//! Aggregations and DISTINCT.

use super::filters::{Led, lead};
use super::{Planner, schema_of};
use crate::aggregate::{AggregateCall, AggregateNode};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr;
use datafusion_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion_expr::logical_plan::Aggregate;
use datafusion_expr::{Expr, LogicalPlan};
use std::sync::Arc;

impl<'a> Planner<'a> {
    pub(super) fn aggregate(&self, aggregate: &'a Aggregate, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let input = self.node(&aggregate.input, lead(logical, &led, 0))?;
        let below = aggregate.input.schema();
        let schema = schema_of(logical);
        let mut groups = Vec::with_capacity(aggregate.group_expr.len());
        for group in &aggregate.group_expr {
            if let Expr::GroupingSet(_) = group {
                return Err(Error::unsupported("GROUPING SETS, ROLLUP or CUBE"));
            }
            groups.push(expr::compile(group, below, &self.slots)?);
        }
        let mut calls = Vec::with_capacity(aggregate.aggr_expr.len());
        for (index, call) in aggregate.aggr_expr.iter().enumerate() {
            let call = match call {
                Expr::Alias(alias) => &*alias.expr,
                other => other,
            };
            let Expr::AggregateFunction(AggregateFunction { func, params }) = call else {
                return Err(Error::unsupported(format!("the aggregate expression {call}")));
            };
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
            if !order_by.is_empty() {
                return Err(Error::unsupported(format!("ORDER BY inside {}", func.name())));
            }
            if null_treatment.is_some() {
                return Err(Error::unsupported(format!("IGNORE or RESPECT NULLS in {}", func.name())));
            }
            let arguments = args.iter().map(|argument| expr::compile(argument, below, &self.slots)).collect::<Result<_>>()?;
            let filter = filter.as_ref().map(|filter| expr::compile(filter, below, &self.slots)).transpose()?;
            let field = schema.fields()[groups.len() + index].clone();
            calls.push(AggregateCall { function: func.clone(), arguments, distinct: *distinct, filter, field });
        }
        Ok(Arc::new(AggregateNode::new(input, groups, calls, schema, self.rows_of(logical))?))
    }

    /// DISTINCT is a GROUP BY of all columns.
    pub(super) fn distinct(&self, input: &'a Arc<LogicalPlan>, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let below = self.node(input, lead(logical, &led, 0))?;
        let groups =
            input.schema().columns().into_iter().map(|column| expr::compile(&Expr::Column(column), input.schema(), &self.slots));
        let groups = groups.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(AggregateNode::new(below, groups, Vec::new(), schema_of(logical), self.rows_of(logical))?))
    }
}
