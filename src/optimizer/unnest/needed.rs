//! Which statements the borrowed rules would answer wrongly, so that ours must unnest them.
//!
//! The borrowed rules pull the filters of a subquery that refer outside up to the subquery's top, and make
//! join keys of them. That goes wrong in two ways, without an error:
//!
//! ```text
//!   EXISTS (.. b WHERE EXISTS (.. c WHERE c.x = a.x))   a.x is two levels up: it is taken for a column of b
//!   EXISTS (.. b EXCEPT .. c WHERE c.x = a.x)           a filter below the right side of an anti join is
//!                                                       not the same above it
//! ```
//!
//! So a subquery needs ours when one inside it reaches further out than to its own rows, or when something
//! stands between its top and a correlated filter that does not let filters through: a window, a LIMIT, a name,
//! the side of a join that is not kept whole, grouping sets, an aggregate of all rows below anything that counts on
//! its row.
//! Cost: the plan is walked once a level of subqueries.

use super::{free_columns, outer_columns};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result};
use datafusion_expr::logical_plan::{Distinct, FetchType, SkipType};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Expr, JoinType, LogicalPlan};

/// Whether a plan has subqueries that the borrowed rules would get wrong.
pub(in crate::optimizer) fn needed(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        for_each_subquery(node, &mut |subquery| {
            found = found || holds_back(top(&subquery), false)? || reaches_further_out(subquery.plan)?;
            Ok(())
        })?;
        if let LogicalPlan::Join(join) = node
            && !outer_columns(&join.right)?.is_empty()
        {
            // LATERAL is a subquery, too.
            found = found || reaches_further_out(&join.right)?;
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// A subquery in an expression.
struct Found<'a> {
    plan: &'a LogicalPlan,
    /// What its rows are compared with.
    operand: Option<&'a Expr>,
    exists: bool,
}

/// Calls `visit` with every subquery in a node's own expressions, but not with those inside them.
fn for_each_subquery(node: &LogicalPlan, visit: &mut dyn FnMut(Found<'_>) -> Result<()>) -> Result<()> {
    node.apply_expressions(|expr| {
        expr.apply(|part| {
            let (plan, operand, exists) = match part {
                Expr::ScalarSubquery(subquery) => (&subquery.subquery, None, false),
                Expr::Exists(exists) => (&exists.subquery.subquery, None, true),
                Expr::InSubquery(part) => (&part.subquery.subquery, Some(part.expr.as_ref()), false),
                Expr::SetComparison(comparison) => (&comparison.subquery.subquery, Some(comparison.expr.as_ref()), false),
                _ => return Ok(TreeNodeRecursion::Continue),
            };
            visit(Found { plan, operand, exists })?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

/// Whether a subquery inside `outermost`, itself one, reads a column that is not of the rows next to it.
fn reaches_further_out(outermost: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    outermost.apply_with_subqueries(|node| {
        for_each_subquery(node, &mut |inner| {
            let near = |column: &Column| node.inputs().iter().any(|input| input.schema().has_column(column));
            found = found || inner.operand.is_some_and(Expr::contains_outer) || !free_columns(inner.plan)?.iter().all(near);
            Ok(())
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// A subquery without a LIMIT that says nothing: EXISTS asks for one row at most.
fn top<'a>(subquery: &Found<'a>) -> &'a LogicalPlan {
    match subquery.plan {
        LogicalPlan::Limit(limit)
            if subquery.exists
                && matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)))
                && matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(1..)))) =>
        {
            &limit.input
        }
        plan => plan,
    }
}

/// Whether a correlated filter stands below something that filters do not pass. `counted_on`: something above
/// reads the rows of this plan, so that an aggregate of all rows has to give its row.
fn holds_back(plan: &LogicalPlan, counted_on: bool) -> Result<bool> {
    if free_columns(plan)?.is_empty() {
        return Ok(false);
    }
    Ok(match plan {
        LogicalPlan::Window(_) | LogicalPlan::Limit(_) => true,
        // The filter's columns have other names above a table that is named, or none.
        LogicalPlan::SubqueryAlias(_) => true,
        LogicalPlan::Sort(sort) if sort.fetch.is_some() => true,
        LogicalPlan::Distinct(Distinct::On(_)) => true,
        LogicalPlan::Distinct(Distinct::All(input)) => holds_back(input, true)?,
        LogicalPlan::Aggregate(aggregate) => {
            // Rows of sets without the filter's columns have NULL for them.
            aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)))
                || counted_on && aggregate.group_expr.is_empty()
                || asks_only_outside(&aggregate.input)?
                || holds_back(&aggregate.input, true)?
        }
        LogicalPlan::Join(join) => {
            let (left_kept, right_kept) = match join.join_type {
                JoinType::Inner => (true, true),
                JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
                JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (false, true),
                JoinType::Full => (false, false),
            };
            let side = |plan: &LogicalPlan, kept: bool| match kept {
                true => holds_back(plan, true),
                false => Ok(!free_columns(plan)?.is_empty()),
            };
            side(&join.left, left_kept)? || side(&join.right, right_kept)?
        }
        other => {
            other.inputs().into_iter().map(|input| holds_back(input, counted_on)).collect::<Result<Vec<_>>>()?.contains(&true)
        }
    })
}

/// Whether a condition below is on columns from outside alone: it holds for all rows or for none, and above an
/// aggregate it would be a condition on its one row.
fn asks_only_outside(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        if let LogicalPlan::Filter(filter) = node {
            let outside = |part: &&Expr| part.contains_outer() && part.column_refs().is_empty();
            found = found || split_conjunction(&filter.predicate).iter().any(outside);
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
