//! IN and NOT IN over subqueries, with NULLs as SQL means them.
//!
//! The problem: `x IN (SELECT y ..)` is TRUE when some y equals x, FALSE when none does and no NULL
//! is involved, NULL otherwise. DataFusion's `decorrelate_predicate_subquery` (55.2) turns it into
//!
//! | where it stands                       | join                             | right?                    |
//! | ------------------------------------- | -------------------------------- | ------------------------- |
//! | IN, a conjunct of WHERE or HAVING     | `LeftSemi`                       | yes: NULL drops the row   |
//! | NOT IN, a conjunct, uncorrelated      | `LeftAnti`, `null_aware` if a    | yes, unless x reads no    |
//! |                                       | column in x or y is nullable     | column or is NULL itself  |
//! | NOT IN, a conjunct, correlated        | the same, with the correlation   | no: NULLs count for the   |
//! |                                       | among the keys                   | correlated rows only      |
//! | IN under OR and AND alone             | `LeftMark`, TRUE or FALSE        | yes: NULL counts as FALSE |
//! | any IN under NOT, CASE, IS NULL, `=`; | `LeftMark`, TRUE or FALSE        | no                        |
//! | NOT IN under OR                       |                                  |                           |
//!
//! The idea: before that rule runs, rewrite the wrong ones into what it gets right. Correlated NOT
//! IN becomes `NOT EXISTS (.. AND (y = x OR y IS NULL OR x IS NULL))`, whose correlation keys stay
//! keys. An embedded IN becomes
//!
//! ```text
//!   CASE WHEN x IN (..)                                     -> mark join
//!          THEN TRUE
//!        WHEN (SELECT count(*) FROM (..) WHERE y IS NULL) > 0
//!          OR x IS NULL AND (SELECT count(*) FROM (..)) > 0  -> scalar subqueries, run once
//!          THEN NULL
//!        ELSE FALSE END
//! ```
//!
//! with EXISTS instead of IN and counts when it is correlated, and without the CASE where a filter
//! reaches it through AND, OR and NOT alone, for there NULL counts as FALSE (below NOT as TRUE). Cost: the subquery runs up to three
//! times, and only where NULLs are possible at all.

mod names;
mod projected;

use crate::error::Result;
use datafusion_common::alias::AliasGenerator;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion_expr::expr::{AggregateFunction, BinaryExpr, Exists, InSubquery};
use datafusion_expr::logical_plan::{Filter, Subquery};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, lit, utils};
use datafusion_functions_aggregate::count::count_udaf;
use std::sync::Arc;

type DataFusionResult<T> = datafusion_common::Result<T>;

/// Rewrites every IN and NOT IN that the borrowed decorrelation would get wrong or leave.
pub fn null_aware_in(plan: LogicalPlan) -> Result<LogicalPlan> {
    let names = AliasGenerator::new();
    let plan = plan.transform_up_with_subqueries(always_there)?.data;
    let plan = plan.transform_up_with_subqueries(names::unique)?.data;
    // What stands in ON becomes a filter first.
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => projected::on_clause(join),
        node => Ok(Transformed::no(node)),
    })?;
    let plan = plan.data;
    let rewritten = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(filter) if has_in(&filter.predicate) => {
            let schema = filter.input.schema().clone();
            let conjuncts = utils::split_conjunction_owned(filter.predicate);
            let conjuncts = conjuncts.into_iter().map(|conjunct| top(conjunct, &schema)).collect::<DataFusionResult<Vec<_>>>()?;
            let predicate = utils::conjunction(conjuncts).unwrap_or_else(|| lit(true));
            Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?)))
        }
        LogicalPlan::Projection(node) => projected::projection(node, &names),
        node => Ok(Transformed::no(node)),
    })?;
    Ok(rewritten.data)
}

/// EXISTS of a subquery that has a row whatever it reads: the borrowed rule would ask for rows that its
/// aggregate reads.
fn always_there(node: LogicalPlan) -> DataFusionResult<Transformed<LogicalPlan>> {
    node.map_expressions(|expr| {
        expr.transform_up(|expr| match expr {
            Expr::Exists(Exists { ref subquery, negated }) if has_one_row(&subquery.subquery) => {
                Ok(Transformed::yes(lit(!negated)))
            }
            expr => Ok(Transformed::no(expr)),
        })
    })
}

fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// Why `expr` cannot run, if it is a subquery that no rule turned into a join.
pub(super) fn refusal(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::InSubquery(_) => {
            Some("IN (SELECT ...) at this place (outside WHERE and HAVING, or correlated in a way that cannot be joined)")
        }
        Expr::Exists(_) => Some("EXISTS at this place (outside WHERE and HAVING, or correlated in a way that cannot be joined)"),
        Expr::SetComparison(_) => Some("a comparison with ANY or ALL of a subquery at this place"),
        Expr::ScalarSubquery(subquery) if !subquery.outer_ref_columns.is_empty() => {
            Some("a correlated scalar subquery that cannot be joined")
        }
        Expr::OuterReferenceColumn(..) => Some("a correlated subquery of this kind"),
        _ => None,
    }
}

fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|expr| Ok(matches!(expr, Expr::InSubquery(_) | Expr::Exists(_)))).unwrap_or(false)
}

fn has_in(expr: &Expr) -> bool {
    expr.exists(|expr| Ok(matches!(expr, Expr::InSubquery(_)))).unwrap_or(false)
}

/// What counts as the same: an expression's NULL and the value given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NullIs {
    /// As in a filter, and below AND and OR in one.
    False,
    /// Below an odd number of NOTs in a filter.
    True,
    /// Everywhere else.
    Itself,
}

/// A conjunct of a filter.
fn top(expr: Expr, schema: &DFSchema) -> DataFusionResult<Expr> {
    match expr {
        Expr::Not(inner) if matches!(*inner, Expr::InSubquery(_)) => match *inner {
            Expr::InSubquery(part) => top(Expr::InSubquery(InSubquery { negated: !part.negated, ..part }), schema),
            other => Ok(Expr::Not(Box::new(other))),
        },
        Expr::InSubquery(part) if !part.negated => Ok(Expr::InSubquery(part)),
        Expr::InSubquery(part) => {
            let parts = Parts::of(&part, schema)?;
            if !parts.x_nullable && !parts.y_nullable {
                Ok(Expr::InSubquery(part))
            } else if parts.correlated {
                let null_or_equal = [Some(parts.y.clone().eq(parts.outer_x.clone())), parts.is_null()];
                let any = utils::disjunction(null_or_equal.into_iter().flatten()).unwrap_or_else(|| lit(true));
                exists(&part.subquery, any, &parts.outer_x, true)
            } else if part.expr.any_column_refs() && parts.columns_show_null {
                Ok(Expr::InSubquery(part))
            } else {
                spelled_out(part, schema, NullIs::Itself)
            }
        }
        other => embedded(other, schema, NullIs::False),
    }
}

/// `expr` with its INs made right.
fn embedded(expr: Expr, schema: &DFSchema, null_is: NullIs) -> DataFusionResult<Expr> {
    if !has_in(&expr) {
        return Ok(expr);
    }
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let (left, right) = (embedded(*left, schema, null_is)?, embedded(*right, schema, null_is)?);
            Ok(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) }))
        }
        Expr::Not(inner) => {
            let flipped = match null_is {
                NullIs::False => NullIs::True,
                NullIs::True => NullIs::False,
                NullIs::Itself => NullIs::Itself,
            };
            Ok(Expr::Not(Box::new(embedded(*inner, schema, flipped)?)))
        }
        Expr::InSubquery(part) => spelled_out(part, schema, null_is),
        other => {
            let rewritten = other.transform_up(|expr| match expr {
                Expr::InSubquery(part) => Ok(Transformed::yes(spelled_out(part, schema, NullIs::Itself)?)),
                expr => Ok(Transformed::no(expr)),
            })?;
            Ok(rewritten.data)
        }
    }
}

/// What an IN is made of.
struct Parts {
    /// The subquery's column.
    y: Expr,
    /// The left operand, as seen from inside the subquery.
    outer_x: Expr,
    x_nullable: bool,
    y_nullable: bool,
    correlated: bool,
    /// Whether some column of x or the output column y is nullable, so that the borrowed rule,
    /// which looks at columns only, sees the need for null-awareness.
    columns_show_null: bool,
}

impl Parts {
    fn of(part: &InSubquery, schema: &DFSchema) -> DataFusionResult<Self> {
        let plan = &part.subquery.subquery;
        let column = plan.schema().columns().into_iter().next();
        let y = column.map_or_else(|| lit(ScalarValue::Null), Expr::Column);
        let y_nullable = y.nullable(plan.schema())?;
        let column_nullable = |column: &Column| schema.field_from_column(column).is_ok_and(|field| field.is_nullable());
        Ok(Self {
            x_nullable: part.expr.nullable(schema)?,
            y_nullable,
            correlated: !super::unnest::free_columns(plan)?.is_empty(),
            columns_show_null: y_nullable || part.expr.column_refs().into_iter().any(column_nullable),
            outer_x: outer(&part.expr, schema)?,
            y,
        })
    }

    /// That x or y is NULL, said inside the subquery.
    fn is_null(&self) -> Option<Expr> {
        let y = self.y_nullable.then(|| self.y.clone().is_null());
        let x = self.x_nullable.then(|| self.outer_x.clone().is_null());
        utils::disjunction([y, x].into_iter().flatten())
    }
}

/// `expr` over the outer query's rows, for use inside a subquery.
pub(super) fn outer(expr: &Expr, schema: &DFSchema) -> DataFusionResult<Expr> {
    let outer = expr.clone().transform(|expr| match &expr {
        Expr::Column(column) => {
            let (_, field) = schema.qualified_field_from_column(column)?;
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field.clone(), column.clone())))
        }
        _ => Ok(Transformed::no(expr)),
    })?;
    Ok(outer.data)
}

/// `EXISTS (SELECT .. FROM subquery WHERE predicate)`.
pub(super) fn exists(subquery: &Subquery, predicate: Expr, outer_x: &Expr, negated: bool) -> DataFusionResult<Expr> {
    let plan = LogicalPlan::Filter(Filter::try_new(predicate, subquery.subquery.clone())?);
    let mut outer_ref_columns = subquery.outer_ref_columns.clone();
    for reference in utils::find_out_reference_exprs(outer_x) {
        if !outer_ref_columns.contains(&reference) {
            outer_ref_columns.push(reference);
        }
    }
    let subquery = Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: subquery.spans.clone() };
    Ok(Expr::Exists(Exists { subquery, negated }))
}

/// `x IN (subquery)` with all three truth values, or two where that is enough.
fn spelled_out(part: InSubquery, schema: &DFSchema, null_is: NullIs) -> DataFusionResult<Expr> {
    let parts = Parts::of(&part, schema)?;
    let negated = part.negated;
    // EXISTS, where a NOT IN of a correlated subquery could come out of simplification.
    let found = if parts.correlated {
        exists(&part.subquery, parts.y.clone().eq(parts.outer_x.clone()), &parts.outer_x, false)?
    } else {
        Expr::InSubquery(InSubquery { negated: false, ..part.clone() })
    };
    let constant = !part.expr.any_column_refs();
    let unknown = unknown(&part, &parts)?;
    let Some(unknown) = unknown else {
        return Ok(if negated { Expr::Not(Box::new(found)) } else { found });
    };
    let not = |expr: Expr| Expr::Not(Box::new(expr));
    Ok(match (null_is, negated) {
        _ if constant => three_valued(found, unknown, negated)?,
        (NullIs::False, false) => found,
        (NullIs::False, true) => not(found).and(not(unknown)),
        (NullIs::True, false) => found.or(unknown),
        (NullIs::True, true) => not(found),
        (NullIs::Itself, _) => three_valued(found, unknown, negated)?,
    })
}

/// A correlated `x IN (subquery)` as EXISTS, with all three truth values.
pub(super) fn as_exists(part: InSubquery, schema: &DFSchema) -> DataFusionResult<Expr> {
    spelled_out(part, schema, NullIs::Itself)
}

/// `found`, which says whether an equal y exists, completed to the value of the whole IN.
pub(super) fn or_unknown(part: &InSubquery, found: Expr, schema: &DFSchema) -> DataFusionResult<Expr> {
    let parts = Parts::of(part, schema)?;
    match unknown(part, &parts)? {
        Some(unknown) => three_valued(found, unknown, part.negated),
        None if part.negated => Ok(Expr::Not(Box::new(found))),
        None => Ok(found),
    }
}

/// That a value not found might still have been there: a NULL is involved. None: it cannot be.
fn unknown(part: &InSubquery, parts: &Parts) -> DataFusionResult<Option<Expr>> {
    Ok(if parts.correlated {
        parts.is_null().map(|is_null| exists(&part.subquery, is_null, &parts.outer_x, false)).transpose()?
    } else {
        let y_null = match parts.y_nullable {
            true => Some(any_row(&part.subquery, Some(parts.y.clone().is_null()))?),
            false => None,
        };
        let x_null = match parts.x_nullable {
            true => Some(part.expr.clone().is_null().and(any_row(&part.subquery, None)?)),
            false => None,
        };
        utils::disjunction([y_null, x_null].into_iter().flatten())
    })
}

fn three_valued(found: Expr, unknown: Expr, negated: bool) -> DataFusionResult<Expr> {
    let (found_is, lost_is) = (lit(!negated), lit(negated));
    datafusion_expr::when(found, found_is).when(unknown, lit(ScalarValue::Boolean(None))).otherwise(lost_is)
}

/// `(SELECT count(*) FROM subquery WHERE predicate) > 0`, for an uncorrelated subquery.
pub(super) fn any_row(subquery: &Subquery, predicate: Option<Expr>) -> DataFusionResult<Expr> {
    let mut rows = LogicalPlanBuilder::from(subquery.subquery.clone());
    if let Some(predicate) = predicate {
        rows = rows.filter(predicate)?;
    }
    let count = Expr::AggregateFunction(AggregateFunction::new_udf(count_udaf(), vec![lit(1i64)], false, None, vec![], None));
    let plan = rows.aggregate(Vec::<Expr>::new(), vec![count.alias("rows")])?.build()?;
    let count = Subquery { subquery: Arc::new(plan), outer_ref_columns: vec![], spans: subquery.spans.clone() };
    Ok(Expr::ScalarSubquery(count).gt(lit(0i64)))
}
