//! Nodes whose expressions hold subqueries: the subqueries are joined below, columns stand in.

use super::Unnester;
use crate::optimizer::subquery;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result, not_impl_err};
use datafusion_expr::expr::InSubquery;
use datafusion_expr::logical_plan::{Filter, Join, Projection};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, JoinType, LogicalPlan, lit};
use std::sync::Arc;

impl Unnester {
    /// A node without subqueries in its expressions, apart from scalar ones that refer to nothing
    /// outside, and INs that a filter is made of.
    pub(super) fn node(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        if !plan.expressions().iter().any(to_do) {
            return Ok(Transformed::no(plan));
        }
        let wanted = plan.schema().columns();
        let plan = with_hidden_columns(plan)?;
        let plan = match plan {
            LogicalPlan::Filter(filter) => self.filter(filter)?,
            LogicalPlan::Join(join) => self.join(join)?,
            other => {
                let inputs = other.inputs();
                let [input] = inputs.as_slice() else {
                    return not_impl_err!("a subquery in {}", other.display());
                };
                let mut input = (*input).clone();
                let preserver = datafusion_expr::expr_rewriter::NamePreserver::new(&other);
                let mut exprs = Vec::new();
                for expr in other.expressions() {
                    let name = preserver.save(&expr);
                    let (below, expr) = self.value(input, expr)?;
                    input = below;
                    exprs.push(name.restore(expr));
                }
                other.with_new_exprs(exprs, vec![input])?
            }
        };
        if plan.schema().columns() == wanted {
            return Ok(Transformed::yes(plan));
        }
        // What stands in for subqueries is nobody else's business.
        let wanted: Vec<Expr> = wanted.into_iter().map(Expr::Column).collect();
        Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(wanted, Arc::new(plan))?)))
    }

    fn filter(&self, filter: Filter) -> Result<LogicalPlan> {
        let mut input = Arc::unwrap_or_clone(filter.input);
        let mut kept = Vec::new();
        for conjunct in split_conjunction_owned(filter.predicate) {
            let (negated, inner) = match conjunct {
                Expr::Not(inner) => (true, *inner),
                other => (false, other),
            };
            match inner {
                Expr::Exists(exists) => input = self.semi(input, &exists.subquery, exists.negated != negated)?,
                // The borrowed rules make a semi or anti join of it.
                Expr::InSubquery(part) if is_closed(&part) => {
                    let part = Expr::InSubquery(InSubquery { negated: part.negated != negated, ..part });
                    kept.push(part);
                }
                inner => {
                    let expr = if negated { Expr::Not(Box::new(inner)) } else { inner };
                    let (below, expr) = self.value(input, expr)?;
                    input = below;
                    kept.push(expr);
                }
            }
        }
        Ok(match conjunction(kept) {
            Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?),
            None => input,
        })
    }

    /// Subqueries in the condition of an outer or semi join belong to the side they refer to; those of an
    /// inner one were moved into a filter before.
    fn join(&self, join: Join) -> Result<LogicalPlan> {
        let Join { left, right, on, filter, join_type, join_constraint, null_equality, null_aware, .. } = join;
        let (mut sides, mut conjuncts) = ([left, right], Vec::new());
        let written = on.into_iter().map(|(left, right)| left.eq(right));
        for conjunct in written.chain(filter.into_iter().flat_map(split_conjunction_owned)) {
            if !to_do(&conjunct) {
                conjuncts.push(conjunct);
                continue;
            }
            let mut of = [false, false];
            for column in references(&conjunct)? {
                for (side, of) in sides.iter().zip(&mut of) {
                    *of |= side.schema().has_column(&column);
                }
            }
            if of == [true, true] && join_type != JoinType::Inner {
                return not_impl_err!("a subquery in ON that refers to both sides of a {join_type} JOIN");
            }
            let side = usize::from(of == [false, true]);
            let below = Arc::unwrap_or_clone(sides[side].clone());
            let (below, expr) = self.value(below, conjunct)?;
            sides[side] = Arc::new(below);
            conjuncts.push(expr);
        }
        let [left, right] = sides;
        let filter = conjunction(conjuncts).or_else(|| Some(lit(true)));
        Ok(LogicalPlan::Join(Join::try_new(left, right, vec![], filter, join_type, join_constraint, null_equality, null_aware)?))
    }

    /// `input` with columns that stand for the subqueries in `expr`, and `expr` with them.
    fn value(&self, input: LogicalPlan, expr: Expr) -> Result<(LogicalPlan, Expr)> {
        if !to_do(&expr) {
            return Ok((input, expr));
        }
        // INs and comparisons become EXISTS where the borrowed forms do not do.
        let schema = input.schema().clone();
        let mut below = Some(input);
        let expr = expr.transform_up(|part| match part {
            Expr::SetComparison(comparison) => Ok(Transformed::yes(super::comparison::as_exists(comparison, &schema)?)),
            Expr::InSubquery(part) if is_closed(&part) => {
                let Some(input) = below.take() else { return not_impl_err!("a subquery of this kind") };
                let (joined, found) = self.among(input, &part.expr, &part.subquery)?;
                below = Some(joined);
                Ok(Transformed::yes(subquery::or_unknown(&part, found, &schema)?))
            }
            Expr::InSubquery(part) => Ok(Transformed::yes(subquery::as_exists(part, &schema)?)),
            part => Ok(Transformed::no(part)),
        })?;
        let expr = expr.data.transform_up(|part| match part {
            Expr::Exists(exists) => {
                let Some(input) = below.take() else { return not_impl_err!("a subquery of this kind") };
                let (joined, found) = self.exists(input, &exists.subquery)?;
                below = Some(joined);
                Ok(Transformed::yes(if exists.negated { Expr::Not(Box::new(found)) } else { found }))
            }
            Expr::ScalarSubquery(subquery) if !super::outer_columns(&subquery.subquery)?.is_empty() => {
                let Some(input) = below.take() else { return not_impl_err!("a subquery of this kind") };
                let (joined, value) = self.scalar(input, &subquery.subquery)?;
                below = Some(joined);
                Ok(Transformed::yes(value))
            }
            part => Ok(Transformed::no(part)),
        })?;
        match below {
            Some(input) => Ok((input, expr.data)),
            None => not_impl_err!("a subquery of this kind"),
        }
    }
}

/// A sort whose subqueries refer to columns that the projection below it does not give: it gives them, too.
fn with_hidden_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Sort(mut sort) = plan else { return Ok(plan) };
    if let LogicalPlan::Projection(projection) = sort.input.as_ref() {
        let mut exprs = projection.expr.clone();
        for key in &sort.expr {
            for column in references(&key.expr)? {
                let hidden = Expr::Column(column.clone());
                let below = projection.input.schema().has_column(&column);
                if below && !sort.input.schema().has_column(&column) && !exprs.contains(&hidden) {
                    exprs.push(hidden);
                }
            }
        }
        if exprs.len() > projection.expr.len() {
            let input = projection.input.clone();
            sort.input = Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, input)?));
        }
    }
    Ok(LogicalPlan::Sort(sort))
}

/// Whether an expression holds a subquery that has to become a join.
fn to_do(expr: &Expr) -> bool {
    let is_to_do = |part: &Expr| match part {
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => Ok(true),
        Expr::ScalarSubquery(subquery) => Ok(!super::outer_columns(&subquery.subquery)?.is_empty()),
        _ => Ok(false),
    };
    expr.exists(is_to_do).unwrap_or(true)
}

/// Whether an IN's subquery refers to nothing outside.
fn is_closed(part: &InSubquery) -> bool {
    super::outer_columns(&part.subquery.subquery).is_ok_and(|columns| columns.is_empty())
}

/// The columns that an expression reads, those that its subqueries take from outside among them.
fn references(expr: &Expr) -> Result<Vec<datafusion_common::Column>> {
    let mut columns: Vec<_> = expr.column_refs().into_iter().cloned().collect();
    expr.apply(|part| {
        let subquery = match part {
            Expr::Exists(exists) => &exists.subquery,
            Expr::InSubquery(part) => &part.subquery,
            Expr::SetComparison(comparison) => &comparison.subquery,
            Expr::ScalarSubquery(subquery) => subquery,
            _ => return Ok(datafusion_common::tree_node::TreeNodeRecursion::Continue),
        };
        columns.extend(super::outer_columns(&subquery.subquery)?);
        Ok(datafusion_common::tree_node::TreeNodeRecursion::Continue)
    })?;
    Ok(columns)
}
