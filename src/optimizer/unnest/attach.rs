//! Joins that a subquery becomes, and the columns that stand for it then.

use super::Unnester;
use super::domain::{Domain, Keyed, columns};
use crate::aggregate::single_value;
use crate::optimizer::generate::Generate;
use crate::optimizer::subquery::any_row;
use datafusion_common::tree_node::Transformed;
use datafusion_common::{Column, JoinConstraint, NullEquality, Result, ScalarValue, not_impl_err};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::logical_plan::{Aggregate, Filter, Join, Projection, Subquery, SubqueryAlias};
use datafusion_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit};
use std::sync::Arc;

impl Unnester {
    /// A join whose right input may refer to the left one, without such references.
    pub(super) fn lateral(&self, join: Join) -> Result<Transformed<LogicalPlan>> {
        let outer = taken_from(&join.left, &join.right)?;
        if outer.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let columns_wanted: Vec<Expr> = columns(&join.schema.columns()).collect();
        if let Some(plan) = self.generator_on_top(&join)? {
            return Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns_wanted, Arc::new(plan))?)));
        }
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti) {
            return not_impl_err!("LATERAL on the right of a {} JOIN", join.join_type);
        }
        let domain = Domain::new(&join.left, outer, self)?;
        let right = self.push(&join.right, &domain)?;
        let equal = domain.equal(&domain.outer, &right.keys);
        let written = join.on.into_iter().map(|(left, right)| left.eq(right)).chain(join.filter);
        let written = written.map(|expr| domain.resolve(expr, &domain.outer)).collect::<Result<Vec<_>>>()?;
        let on = datafusion_expr::utils::conjunction(equal.into_iter().chain(written));
        let left = Arc::unwrap_or_clone(join.left);
        let joined = LogicalPlanBuilder::from(left).join_on(right.plan, join.join_type, on)?.build()?;
        Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns_wanted, Arc::new(joined))?)))
    }

    /// A join with nothing but a generator on the right is the generator on top of the left.
    fn generator_on_top(&self, join: &Join) -> Result<Option<LogicalPlan>> {
        let plain = join.on.is_empty() && join.filter.as_ref().is_none_or(|filter| *filter == lit(true));
        let outer = match join.join_type {
            JoinType::Inner => false,
            JoinType::Left => true,
            _ => return Ok(None),
        };
        let mut right = join.right.as_ref();
        loop {
            right = match right {
                LogicalPlan::SubqueryAlias(alias) => &alias.input,
                LogicalPlan::Subquery(subquery) => &subquery.subquery,
                LogicalPlan::Projection(projection) => {
                    // New names for all columns, in their order.
                    let mut named = projection.expr.iter().zip(projection.input.schema().columns());
                    if !named.all(|(expr, column)| expr.clone().unalias() == Expr::Column(column)) {
                        return Ok(None);
                    }
                    &projection.input
                }
                _ => break,
            };
        }
        let Some(generate) = Generate::of(right).filter(|generate| plain && generate.width() == 0) else { return Ok(None) };
        if !matches!(generate.input.as_ref(), LogicalPlan::EmptyRelation(_)) {
            return Ok(None);
        }
        let names: Vec<_> = join.right.schema().columns().into_iter().map(|column| (column.relation, column.name)).collect();
        if names.len() != generate.generated().len() {
            return Ok(None);
        }
        let mine = Domain::new(&join.left, taken_from(&join.left, right)?, self)?;
        let arguments = generate.arguments.iter().map(|argument| mine.resolve(argument.clone(), &mine.outer));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let mut generate = generate.over(arguments, join.left.clone(), names)?;
        generate.outer |= outer;
        Ok(Some(generate.into_plan()))
    }

    /// `input` with the value of a scalar subquery as a further column.
    pub(super) fn scalar(&self, input: LogicalPlan, subquery: &LogicalPlan) -> Result<(LogicalPlan, Expr)> {
        let input = Arc::new(input);
        let Some(value) = subquery.schema().columns().into_iter().next() else {
            return not_impl_err!("a scalar subquery without a column");
        };
        let outer = taken_from(&input, subquery)?;
        let name = Column::from_name(self.name("scalar"));
        let domain = Domain::new(&input, outer, self)?;
        // What refers further out only is joined as it is; an outer step finds its references.
        let Keyed { plan, keys } = match domain.outer.is_empty() {
            true => Keyed { plan: subquery.clone(), keys: Vec::new() },
            false => self.push(subquery, &domain)?,
        };
        let single = gives_one_row(subquery);
        let mut exprs: Vec<Expr> = columns(&keys).collect();
        let plan = if single {
            exprs.push(Expr::Column(value).alias(name.name.clone()));
            plan
        } else {
            let call = AggregateFunction::new_udf(single_value(), vec![Expr::Column(value)], false, None, vec![], None);
            let grouped = Aggregate::try_new(Arc::new(plan), exprs.clone(), vec![Expr::AggregateFunction(call)])?;
            let Some(value) = grouped.schema.columns().pop() else { return not_impl_err!("a scalar subquery") };
            exprs.push(Expr::Column(value).alias(name.name.clone()));
            LogicalPlan::Aggregate(grouped)
        };
        let right = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?);
        let left = Arc::unwrap_or_clone(input);
        let on = domain.equal(&domain.outer, &keys).unwrap_or_else(|| lit(true));
        let joined = LogicalPlanBuilder::from(left).join_on(right, JoinType::Left, [on])?.build()?;
        Ok((joined, Expr::Column(name)))
    }

    /// `input` with a column that says whether a subquery has rows; None where it refers to nothing
    /// of the input, and an expression alone says it.
    pub(super) fn exists(&self, input: LogicalPlan, subquery: &Subquery) -> Result<(LogicalPlan, Expr)> {
        let input = Arc::new(input);
        let outer = taken_from(&input, &subquery.subquery)?;
        if outer.is_empty() {
            let any = any_row(subquery, None)?;
            return match super::outer_columns(&subquery.subquery)?.is_empty() {
                true => Ok((Arc::unwrap_or_clone(input), any)),
                false => self.nested(Arc::unwrap_or_clone(input), any),
            };
        }
        let (right, on) = self.keys_with_rows(&input, outer, &subquery.subquery)?;
        let alias = self.name("exists");
        let right = SubqueryAlias::try_new(Arc::new(right), alias.clone())?;
        let on = on(&columns_of(&right));
        let joined = join(input, LogicalPlan::SubqueryAlias(right), on, JoinType::LeftMark)?;
        Ok((joined, Expr::Column(Column::new(Some(alias), "mark"))))
    }

    /// The rows of `input` for which a subquery has rows, or has none.
    pub(super) fn semi(&self, input: LogicalPlan, subquery: &Subquery, negated: bool) -> Result<LogicalPlan> {
        let input = Arc::new(input);
        let outer = taken_from(&input, &subquery.subquery)?;
        if outer.is_empty() {
            let (input, any) = self.exists(Arc::unwrap_or_clone(input), subquery)?;
            let any = if negated { Expr::Not(Box::new(any)) } else { any };
            return Ok(LogicalPlan::Filter(Filter::try_new(any, Arc::new(input))?));
        }
        let (right, on) = self.keys_with_rows(&input, outer, &subquery.subquery)?;
        let on = on(&right.schema().columns());
        join(input, right, on, if negated { JoinType::LeftAnti } else { JoinType::LeftSemi })
    }

    /// The domain values for which a subquery has rows, and how the input's rows match them.
    fn keys_with_rows(
        &self,
        input: &Arc<LogicalPlan>,
        outer: Vec<Column>,
        subquery: &LogicalPlan,
    ) -> Result<(LogicalPlan, impl FnOnce(&[Column]) -> Option<Expr>)> {
        let domain = Domain::new(input, outer, self)?;
        let Keyed { plan, keys } = self.push(subquery, &domain)?;
        let right = LogicalPlan::Projection(Projection::try_new(columns(&keys).collect::<Vec<_>>(), Arc::new(plan))?);
        Ok((right, move |keys: &[Column]| domain.equal(&domain.outer, keys)))
    }

    /// `expr` holds a scalar subquery that refers further out: joined, so that an outer step sees it.
    fn nested(&self, input: LogicalPlan, expr: Expr) -> Result<(LogicalPlan, Expr)> {
        let mut input = Some(input);
        let replaced = datafusion_common::tree_node::TreeNode::transform(expr, |part| match part {
            Expr::ScalarSubquery(subquery) => {
                let Some(below) = input.take() else { return not_impl_err!("a subquery of this kind") };
                let (joined, value) = self.scalar(below, &subquery.subquery)?;
                input = Some(joined);
                Ok(Transformed::yes(value))
            }
            part => Ok(Transformed::no(part)),
        })?;
        match input {
            Some(input) => Ok((input, replaced.data)),
            None => not_impl_err!("a subquery of this kind"),
        }
    }

    /// `input` with a column that says whether `x` is among the rows of a subquery that refers to
    /// nothing outside; two-valued.
    pub(super) fn among(&self, input: LogicalPlan, x: &Expr, subquery: &Subquery) -> Result<(LogicalPlan, Expr)> {
        let alias = self.name("among");
        let right = SubqueryAlias::try_new(subquery.subquery.clone(), alias.clone())?;
        let Some(y) = columns_of(&right).into_iter().next() else { return not_impl_err!("IN over no column") };
        let on = x.clone().eq(Expr::Column(y));
        let joined = join(Arc::new(input), LogicalPlan::SubqueryAlias(right), Some(on), JoinType::LeftMark)?;
        Ok((joined, Expr::Column(Column::new(Some(alias), "mark"))))
    }
}

/// The columns of `left` that `right` refers to from outside of itself.
pub(super) fn taken_from(left: &LogicalPlan, right: &LogicalPlan) -> Result<Vec<Column>> {
    let mut outer = super::outer_columns(right)?;
    outer.retain(|column| left.schema().has_column(column));
    Ok(outer)
}

fn columns_of(alias: &SubqueryAlias) -> Vec<Column> {
    alias.schema.columns()
}

fn join(left: Arc<LogicalPlan>, right: LogicalPlan, on: Option<Expr>, kind: JoinType) -> Result<LogicalPlan> {
    let (constraint, nulls) = (JoinConstraint::On, NullEquality::NullEqualsNothing);
    let on = on.or(Some(lit(ScalarValue::Boolean(Some(true)))));
    Ok(LogicalPlan::Join(Join::try_new(left, Arc::new(right), vec![], on, kind, constraint, nulls, false)?))
}

/// Whether a subquery has one row at most by its form.
fn gives_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => gives_one_row(&projection.input),
        LogicalPlan::Filter(filter) => gives_one_row(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => gives_one_row(&alias.input),
        LogicalPlan::Subquery(subquery) => gives_one_row(&subquery.subquery),
        LogicalPlan::Sort(sort) => sort.fetch.is_some_and(|fetch| fetch <= 1) || gives_one_row(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Limit(limit) => {
            matches!(limit.get_fetch_type(), Ok(datafusion_expr::logical_plan::FetchType::Literal(Some(0 | 1))))
                || gives_one_row(&limit.input)
        }
        _ => false,
    }
}
