//! `a LEFT JOIN b ON a.k = b.k WHERE b.k IS NULL` is an anti join.
//!
//! ```text
//!   Projection a.x                      Projection a.x
//!     Filter b.k IS NULL, p(a)   ->       Filter p(a)
//!       Join left a.k = b.k                 Join left anti a.k = b.k
//! ```
//!
//! A row with a match has a key of b that is not NULL, for `=` matched it; so those that are left are those
//! without a match, and nothing of b but NULLs. An anti join stops at the first match, keeps nothing of b,
//! and can be moved among the joins around it, which an outer join cannot.

use crate::error::Result;
use datafusion_common::tree_node::Transformed;
use datafusion_common::{Column, NullEquality, Result as PlanResult};
use datafusion_expr::logical_plan::{Filter, Join, Projection};
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{Expr, JoinType, LogicalPlan};
use std::sync::Arc;

/// Makes anti joins of outer joins of which only the rows without a match are wanted.
pub(super) fn outer_to_anti(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(node)?.data)
}

fn node(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    match &plan {
        LogicalPlan::Projection(projection) => match as_anti(projection)? {
            Some(anti) => Ok(Transformed::yes(anti)),
            None => Ok(Transformed::no(plan)),
        },
        _ => Ok(Transformed::no(plan)),
    }
}

fn as_anti(projection: &Projection) -> PlanResult<Option<LogicalPlan>> {
    let LogicalPlan::Filter(filter) = projection.input.as_ref() else { return Ok(None) };
    let Some(join) = join_below(&filter.input) else { return Ok(None) };
    let wanted = |expr: &Expr| expr.column_refs().into_iter().all(|column| join.left.schema().has_column(column));
    let (missing, kept): (Vec<&Expr>, Vec<&Expr>) =
        split_conjunction(&filter.predicate).into_iter().partition(|conjunct| is_missing(conjunct, join));
    if missing.is_empty() || !kept.iter().all(|conjunct| wanted(conjunct)) || !projection.expr.iter().all(wanted) {
        return Ok(None);
    }
    let anti = Join::try_new(
        join.left.clone(),
        join.right.clone(),
        join.on.clone(),
        join.filter.clone(),
        JoinType::LeftAnti,
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    let mut input = LogicalPlan::Join(anti);
    if let Some(predicate) = conjunction(kept.into_iter().cloned()) {
        input = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?);
    }
    Ok(Some(LogicalPlan::Projection(Projection::try_new(projection.expr.clone(), Arc::new(input))?)))
}

/// The outer join that a filter stands on, perhaps with a choice of columns between them.
fn join_below(input: &LogicalPlan) -> Option<&Join> {
    let below = match input {
        LogicalPlan::Projection(columns) if columns.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) => &columns.input,
        other => other,
    };
    match below {
        LogicalPlan::Join(join) if join.join_type == JoinType::Left => Some(join),
        _ => None,
    }
}

/// Whether `conjunct` says that a key of the right side is NULL, which no match has.
fn is_missing(conjunct: &Expr, join: &Join) -> bool {
    let is_key = |column: &Column| join.on.iter().any(|(_, right)| matches!(right, Expr::Column(key) if key == column));
    match conjunct {
        Expr::IsNull(inner) => {
            join.null_equality == NullEquality::NullEqualsNothing
                && matches!(inner.as_ref(), Expr::Column(column) if is_key(column))
        }
        _ => false,
    }
}
