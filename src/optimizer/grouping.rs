//! `grouping(x)` and `grouping_id(..)` become arithmetic on the number of the grouping set.
//!
//! ```text
//!   Aggregate rollup(a, b): grouping(b), sum(c)
//!     =>  Projection a, b, (__grouping_id >> 0) & 1, sum(c)
//!           Aggregate rollup(a, b): sum(c)        gives the column __grouping_id as well
//! ```
//!
//! In `__grouping_id` the last grouping column has the lowest bit, which is 1 where the column is
//! not grouped by; bits above those of the columns tell equal sets apart. The types are Spark's:
//! TINYINT and BIGINT. It stands before the borrowed rule of the same purpose, which knows the
//! first function only and gives INT.

use crate::error::Result;
use arrow::datatypes::DataType;
use datafusion_common::tree_node::Transformed;
use datafusion_common::{Column, Result as PlanResult, plan_err};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::logical_plan::{Aggregate, Projection};
use datafusion_expr::utils::grouping_set_to_exprlist;
use datafusion_expr::{Expr, LogicalPlan, bitwise_and, bitwise_shift_right, cast, lit};
use std::sync::Arc;

/// Resolves the grouping functions of every aggregation.
pub(super) fn resolve(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(node)?.data)
}

fn node(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = plan else { return Ok(Transformed::no(plan)) };
    if !aggregate.aggr_expr.iter().any(|expr| call(expr).is_some()) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    if !matches!(group_expr.as_slice(), [Expr::GroupingSet(_)]) {
        return plan_err!("grouping() and grouping_id() need GROUPING SETS, ROLLUP or CUBE");
    }
    let groups: Vec<Expr> = grouping_set_to_exprlist(&group_expr)?.into_iter().cloned().collect();
    let columns = schema.columns();
    let mut projected: Vec<Expr> = columns.iter().take(groups.len()).cloned().map(Expr::Column).collect();
    let mut kept = Vec::with_capacity(aggr_expr.len());
    for (expr, column) in aggr_expr.into_iter().zip(columns.into_iter().skip(groups.len() + 1)) {
        match call(&expr) {
            Some(function) => {
                projected.push(value(function, &groups)?.alias_qualified(column.relation, column.name));
            }
            None => {
                projected.push(Expr::Column(column));
                kept.push(expr);
            }
        }
    }
    let aggregate = LogicalPlan::Aggregate(Aggregate::try_new(input, group_expr, kept)?);
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(projected, Arc::new(aggregate))?)))
}

fn call(expr: &Expr) -> Option<&AggregateFunction> {
    match expr {
        Expr::Alias(alias) => call(&alias.expr),
        Expr::AggregateFunction(function) if matches!(function.func.name(), "grouping" | "grouping_id") => Some(function),
        _ => None,
    }
}

fn value(function: &AggregateFunction, groups: &[Expr]) -> PlanResult<Expr> {
    let id = cast(Expr::Column(Column::from_name(Aggregate::INTERNAL_GROUPING_ID)), DataType::Int64);
    let arguments = &function.params.args;
    if function.func.name() == "grouping_id" {
        if !arguments.is_empty() && arguments != groups {
            return plan_err!("the columns of grouping_id are not those of GROUP BY, in their order");
        }
        let bits = (1_i64 << groups.len().min(62)) - 1;
        return Ok(bitwise_and(id, lit(bits)));
    }
    let place = match arguments.as_slice() {
        [argument] => groups.iter().position(|group| group == argument),
        _ => return plan_err!("grouping takes one column"),
    };
    let Some(place) = place else {
        return plan_err!("the column of grouping is not one of GROUP BY");
    };
    let bit = (groups.len() - 1 - place) as i64;
    Ok(cast(bitwise_and(bitwise_shift_right(id, lit(bit)), lit(1_i64)), DataType::Int8))
}
