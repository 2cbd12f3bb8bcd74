//! Names that meet in a join that shows one side only.
//!
//! A schema cannot have a column `c` without a table's name beside a column `t.c`, not even that of a semi or
//! anti join while it is made. The borrowed rules make such joins of IN and of INTERSECT and EXCEPT, and take
//! tables' names off columns that turn out to be constants or keys with names of their own:
//!
//! ```text
//!   SELECT k AS c .. GROUP BY ALL HAVING min(v) NOT IN (SELECT c ..)    c  and  __correlated_sq_1.c
//!   SELECT 1 AS c EXCEPT SELECT 2 AS d EXCEPT SELECT 3 AS c             c  and  right.c
//! ```
//!
//! What nobody sees is therefore given a name that nothing else has. It is the same name everywhere, so that
//! equal parts of a plan stay equal.

use super::DataFusionResult;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, NullEquality};
use datafusion_expr::logical_plan::{Filter, Join, Projection};
use datafusion_expr::{Expr, JoinType, LogicalPlan};
use std::sync::Arc;

/// A node in which no hidden name can meet another.
pub(super) fn unique(node: LogicalPlan) -> DataFusionResult<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Join(join) => set_operation(join),
        LogicalPlan::Filter(filter) if super::has_in(&filter.predicate) => in_subqueries(filter),
        node => Ok(Transformed::no(node)),
    }
}

/// The right side of INTERSECT or EXCEPT under names of its own, where it shares some with the left.
fn set_operation(mut join: Join) -> DataFusionResult<Transformed<LogicalPlan>> {
    let is_set_operation = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none();
    let shared = |column: &Column| join.left.schema().fields().iter().any(|field| *field.name() == column.name);
    let columns = join.right.schema().columns();
    if !is_set_operation || !columns.iter().any(shared) || !join.on.iter().all(|(_, right)| matches!(right, Expr::Column(_))) {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let hidden: Vec<Column> = (0..columns.len()).map(|at| Column::from_name(format!("__set_{at}"))).collect();
    for (_, right) in &mut join.on {
        if let Expr::Column(column) = right
            && let Some(at) = columns.iter().position(|known| known == column)
        {
            *column = hidden[at].clone();
        }
    }
    let exprs = columns.into_iter().zip(&hidden).map(|(column, hidden)| Expr::Column(column).alias(hidden.name.clone()));
    let right = LogicalPlan::Projection(Projection::try_new(exprs.collect(), join.right)?);
    let Join { left, on, join_type, join_constraint, null_equality, null_aware, .. } = join;
    let join = Join::try_new(left, Arc::new(right), on, None, join_type, join_constraint, null_equality, null_aware)?;
    Ok(Transformed::yes(LogicalPlan::Join(join)))
}

/// A filter whose IN subqueries have columns of other names than those of its rows that have no table's name.
fn in_subqueries(filter: Filter) -> DataFusionResult<Transformed<LogicalPlan>> {
    let schema = filter.input.schema().clone();
    let meets = |column: &Column| schema.iter().any(|(table, field)| table.is_none() && *field.name() == column.name);
    let predicate = filter.predicate.transform_up(|expr| match expr {
        Expr::InSubquery(mut part) => {
            let column = part.subquery.subquery.schema().columns().into_iter().next();
            let Some(column) = column.filter(meets) else { return Ok(Transformed::no(Expr::InSubquery(part))) };
            let hidden = Expr::Column(column).alias("__in");
            let renamed = Projection::try_new(vec![hidden], part.subquery.subquery)?;
            part.subquery.subquery = Arc::new(LogicalPlan::Projection(renamed));
            Ok(Transformed::yes(Expr::InSubquery(part)))
        }
        expr => Ok(Transformed::no(expr)),
    })?;
    let transformed = predicate.transformed;
    let filter = LogicalPlan::Filter(Filter::try_new(predicate.data, filter.input)?);
    Ok(if transformed { Transformed::yes(filter) } else { Transformed::no(filter) })
}
