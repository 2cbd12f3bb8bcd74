//! A scalar subquery is NULL when it has no rows.
//!
//! The borrowed expressions say that a scalar subquery is never NULL if its column never is, and simplify
//! `(SELECT 1 FROM t WHERE ..) IS NULL` to FALSE. Here such a subquery gets an aggregate on top that gives its
//! only value, and NULL for none: `SELECT single_value(1) FROM (..)`, whose column may be NULL. One that
//! aggregates all of its rows has its row whatever it reads and stays as it is.

use crate::aggregate::single_value;
use crate::error::Result;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result as PlanResult, not_impl_err};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::logical_plan::{Aggregate, Projection, Subquery};
use datafusion_expr::{Expr, LogicalPlan};
use std::cell::Cell;
use std::sync::Arc;

/// Makes the columns of scalar subqueries nullable where there may be no row.
pub(super) fn nullable(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = Cell::new(false);
    let plan = plan.transform_up_with_subqueries(|node| {
        let node = node.map_expressions(|expr| {
            expr.transform_up(|part| match part {
                Expr::ScalarSubquery(subquery) if is_wrong(&subquery.subquery) => {
                    changed.set(true);
                    Ok(Transformed::yes(Expr::ScalarSubquery(with_single_value(subquery)?)))
                }
                part => Ok(Transformed::no(part)),
            })
        })?;
        // What stands above has columns that may be NULL now.
        match changed.get() {
            true => Ok(Transformed::yes(node.data.recompute_schema()?)),
            false => Ok(node),
        }
    })?;
    Ok(plan.data)
}

/// Whether a subquery may have no row though its column says that it is never NULL.
fn is_wrong(plan: &LogicalPlan) -> bool {
    plan.schema().fields().first().is_some_and(|field| !field.is_nullable()) && !has_one_row(plan)
}

fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        LogicalPlan::Sort(sort) if sort.fetch != Some(0) => has_one_row(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

fn with_single_value(subquery: Subquery) -> PlanResult<Subquery> {
    let Some(value) = subquery.subquery.schema().columns().into_iter().next() else {
        return not_impl_err!("a scalar subquery without a column");
    };
    let name = value.name.clone();
    let call = AggregateFunction::new_udf(single_value(), vec![Expr::Column(value)], false, None, vec![], None);
    let grouped = Aggregate::try_new(subquery.subquery, vec![], vec![Expr::AggregateFunction(call)])?;
    let Some(value) = grouped.schema.columns().pop() else {
        return not_impl_err!("a scalar subquery without a column");
    };
    let exprs = vec![Expr::Column(value).alias(name)];
    let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(LogicalPlan::Aggregate(grouped)))?);
    Ok(Subquery { subquery: Arc::new(plan), ..subquery })
}
