//! IN and EXISTS where rows are made rather than filtered: SELECT lists and ON.
//!
//! The borrowed decorrelation looks at filters only. An uncorrelated IN in a SELECT list becomes a
//! mark join below the projection, an uncorrelated EXISTS a count that runs once; a subquery in the
//! ON of an inner join moves into a filter above the join, where it means the same. Correlated ones
//! in a SELECT list are left, and refused later.

use super::{DataFusionResult, any_row, has_subquery, or_unknown};
use crate::optimizer::unnest::free_columns;
use datafusion_common::alias::AliasGenerator;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, JoinConstraint, JoinType, NullEquality};
use datafusion_expr::expr::{Exists, InSubquery};
use datafusion_expr::logical_plan::{Filter, Join, Projection, Subquery, SubqueryAlias};
use datafusion_expr::{Expr, LogicalPlan, utils};
use std::sync::Arc;

/// A projection without the subqueries that can be joined below it.
pub(super) fn projection(node: Projection, names: &AliasGenerator) -> DataFusionResult<Transformed<LogicalPlan>> {
    if !node.expr.iter().any(has_subquery) {
        return Ok(Transformed::no(LogicalPlan::Projection(node)));
    }
    let mut input = node.input;
    let mut exprs = Vec::with_capacity(node.expr.len());
    for (expr, wanted) in node.expr.into_iter().zip(node.schema.columns()) {
        if !has_subquery(&expr) {
            exprs.push(expr);
            continue;
        }
        let rewritten = expr.transform_up(|expr| match expr {
            Expr::Exists(Exists { subquery, negated }) if is_closed(&subquery)? => {
                let any = any_row(&subquery, None)?;
                Ok(Transformed::yes(if negated { Expr::Not(Box::new(any)) } else { any }))
            }
            Expr::InSubquery(part) if is_closed(&part.subquery)? => {
                let schema = input.schema().clone();
                let (joined, mark) = marked(input.clone(), &part, names)?;
                input = Arc::new(joined);
                Ok(Transformed::yes(or_unknown(&part, mark, &schema)?))
            }
            expr => Ok(Transformed::no(expr)),
        })?;
        exprs.push(rewritten.data.unalias().alias_qualified(wanted.relation, wanted.name));
    }
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(exprs, input)?)))
}

/// Whether a subquery refers to nothing outside. Its list of references has none of those inside its subqueries.
fn is_closed(subquery: &Subquery) -> DataFusionResult<bool> {
    Ok(free_columns(&subquery.subquery)?.is_empty())
}

/// `input` with one more column that says whether `part`'s left operand was found, and that column.
fn marked(input: Arc<LogicalPlan>, part: &InSubquery, names: &AliasGenerator) -> DataFusionResult<(LogicalPlan, Expr)> {
    let alias = names.next("__in_sq");
    let right = LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(part.subquery.subquery.clone(), alias.clone())?);
    let y = right.schema().columns().into_iter().next().map(Expr::Column);
    let y = y.ok_or_else(|| datafusion_common::DataFusionError::Plan("IN needs a subquery of one column".into()))?;
    let (on, filter) = if part.expr.any_column_refs() {
        (vec![((*part.expr).clone(), y)], None)
    } else {
        (vec![], Some((*part.expr).clone().eq(y)))
    };
    let equality = NullEquality::NullEqualsNothing;
    let join = Join::try_new(input, Arc::new(right), on, filter, JoinType::LeftMark, JoinConstraint::On, equality, false)?;
    Ok((LogicalPlan::Join(join), Expr::Column(Column::new(Some(alias), "mark"))))
}

/// An inner join with the subqueries of its ON in a filter above it.
pub(super) fn on_clause(mut join: Join) -> DataFusionResult<Transformed<LogicalPlan>> {
    let subqueries = join.join_type == JoinType::Inner && join.filter.as_ref().is_some_and(has_subquery);
    let Some(filter) = join.filter.take_if(|_| subqueries) else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    let (above, inside): (Vec<Expr>, Vec<Expr>) = utils::split_conjunction_owned(filter).into_iter().partition(has_subquery);
    join.filter = utils::conjunction(inside);
    let join = Arc::new(LogicalPlan::Join(join));
    Ok(match utils::conjunction(above) {
        Some(above) => Transformed::yes(LogicalPlan::Filter(Filter::try_new(above, join)?)),
        None => Transformed::no(Arc::unwrap_or_clone(join)),
    })
}
