//! Aggregates over a many-to-many join, without its pairs.
//!
//! The problem: a key with a thousand rows on either side has a million pairs, and COUNT or SUM over
//! the join looks at each. The idea: group the sides by join key first, with the number of rows of
//! each group; a pair of groups then stands for the product of their numbers of pairs, and what an
//! aggregate of one side's values needs of the other side is only that number. Which side is grouped
//! is a matter of cost; the other one's rows stand for themselves.
//!
//! ```text
//!   sum(l.x), count(*)                      sum(l.x * n), sum(n)
//!     join on l.k = r.k          ->           join on l.k = r.k
//!       l                                       l
//!       r                                       group r by k: count(*) n
//! ```
//!
//! With v a term's value (of a group: its sum), c how many rows have one, n how many rows there are:
//!
//! | aggregate | term of the left side | of the right side |
//! | --- | --- | --- |
//! | COUNT(*) | sum(nl * nr) | |
//! | COUNT(e) | sum(c * nr) | sum(c * nl) |
//! | SUM(e) | sum(v * nr) | sum(v * nl) |
//! | AVG(e) | SUM(e) / COUNT(e) | |
//! | MIN, MAX | of the group's own | of the group's own |
//! | SUM(a + b) | sum(va * cb + vb * ca) | |
//!
//! Cost: a grouping of the sides, a join of at most the sides' rows. NULL: a sum over no value is NULL
//! and drops out; a NULL key groups with its like and matches as before; in a left join, where the
//! right side is missing, n is 1 for the left side's terms. Sums are of 38 digits until the end, where
//! the result is cast to its type: what overflows there would have overflowed before.
//!
//! Literature: Yan & Larson, Eager Aggregation and Lazy Aggregation, VLDB 1995, section 4.

mod hot;
mod side;

use super::estimate;
use crate::aggregate;
use crate::error::Result;
use crate::expr::functions::{mean_of, multiply, plus, times_count};
use arrow::datatypes::DataType;
use datafusion_common::tree_node::Transformed;
use datafusion_common::{Column, DataFusionError, JoinType};
use datafusion_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion_expr::logical_plan::{Aggregate, Join};
use datafusion_expr::{Case, Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
pub use hot::frequent_keys;
use side::{Inlined, Side};
use std::sync::Arc;

/// A join is many-to-many if it yields this many times the rows of its larger input. Guessed: the
/// groupings then cost less than the pairs.
const PAIRS_PER_ROW: f64 = 2.0;
/// Grouping a row where the groups fit the cache, and where they do not; putting one into the join's
/// table; looking one up; one pair and what is made of it: ns. Guessed, their ratios from the cost model
/// of joins.
const GROUP_NS: (f64, f64) = (8.0, 25.0);
const BUILD_NS: f64 = 20.0;
const PROBE_NS: f64 = 10.0;
const PAIR_NS: f64 = 5.0;
/// Groups that fit the cache.
const GROUPS_CACHED: f64 = 32_768.0;
/// Scale of decimals up to which Spark's addition keeps all digits of a 38-digit sum.
const ADDED_SCALE_MAX: i8 = 6;

/// Rewrites where estimates say that it pays.
pub fn where_it_pays(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite_all(plan, false)
}

/// Rewrites wherever it is right to, both sides grouped.
pub fn wherever_possible(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite_all(plan, true)
}

fn rewrite_all(plan: LogicalPlan, always: bool) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = &node else { return Ok(Transformed::no(node)) };
        match rewrite(aggregate, always).map_err(|error| DataFusionError::External(Box::new(error)))? {
            Some(better) => Ok(Transformed::yes(better)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok(rewritten.data)
}

fn rewrite(aggregate: &Aggregate, always: bool) -> Result<Option<LogicalPlan>> {
    if aggregate.aggr_expr.is_empty() {
        return Ok(None);
    }
    let Some(Inlined { join, groups, calls }) = side::inlined(aggregate) else { return Ok(None) };
    let suits = matches!(join.join_type, JoinType::Inner | JoinType::Left) && join.filter.is_none() && !join.on.is_empty();
    if !suits || join.null_aware {
        return Ok(None);
    }
    let (Some(mut left), Some(mut right)) = (Side::new(&join, true, &groups), Side::new(&join, false, &groups)) else {
        return Ok(None);
    };
    let Some(calls) = calls.iter().map(|call| Call::of(call, &join)).collect::<Option<Vec<_>>>() else { return Ok(None) };
    for call in &calls {
        let wanted: &[&'static str] = match call.kind {
            Kind::CountRows => &[],
            Kind::Count => &["count"],
            Kind::Sum if call.terms.len() == 1 => &["sum"],
            Kind::Sum | Kind::Avg => &["sum", "count"],
            Kind::Min => &["min"],
            Kind::Max => &["max"],
        };
        for term in &call.terms {
            let side = if term.left { &mut left } else { &mut right };
            side.needs(&term.value, wanted);
        }
    }
    // Where the right side is missing, its values are NULL: so must be what is made of them below.
    let outer = join.join_type == JoinType::Left;
    let (may_left, may_right) = (left.may_group()?, (!outer || right.is_strict()) && right.may_group()?);
    let (group_left, group_right) =
        if always { (may_left, may_right) } else { choose(&join, &left, &right, may_left, may_right)? };
    if !group_left && !group_right {
        return Ok(None);
    }
    left.build(group_left)?;
    right.build(group_right)?;
    let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) = join.on.iter().map(|(l, r)| (left.output(l), right.output(r))).unzip();
    let joined = Join::try_new(
        Arc::new(left.plan.clone()),
        Arc::new(right.plan.clone()),
        left_keys.into_iter().zip(right_keys).collect(),
        None,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    let weights = Weights { left: left.rows(), right: right.rows(), outer };
    let mut parts = Vec::new();
    let results = calls.iter().map(|call| call.result(&left, &right, &weights, &mut parts)).collect::<Result<Vec<_>>>()?;
    let upper_groups: Vec<Expr> = groups
        .iter()
        .map(|group| if side::reads(group, &join, true) { left.output(group) } else { right.output(group) })
        .collect();
    let upper = LogicalPlanBuilder::from(LogicalPlan::Join(joined)).aggregate(upper_groups.clone(), parts)?;
    // The names and types that the nodes above know.
    let outputs = upper_groups.into_iter().map(as_column).chain(results);
    let fields = aggregate.schema.iter().zip(outputs).map(|((qualifier, field), output)| {
        let value = cast_to(output, field.data_type(), upper.schema());
        value.alias_qualified(qualifier.cloned(), field.name())
    });
    let fields: Vec<Expr> = fields.collect();
    Ok(Some(upper.project(fields)?.build()?))
}

/// Which sides are to be grouped: none if the join is not expected to multiply rows, else whatever is
/// cheapest.
fn choose(join: &Join, left: &Side, right: &Side, may_left: bool, may_right: bool) -> Result<(bool, bool)> {
    let (left_rows, right_rows) = (estimate::rows(&join.left), estimate::rows(&join.right));
    // The average counts the pairs of frequent keys as well.
    let pairs = estimate::rows(&LogicalPlan::Join(join.clone())).max(hot::pairs(join));
    if pairs < PAIRS_PER_ROW * left_rows.max(right_rows) {
        return Ok((false, false));
    }
    let grouped = |side: &Side, rows: f64| -> Result<f64> { Ok(estimate::rows(&side.grouped()?).min(rows)) };
    let (left_groups, right_groups) = (grouped(left, left_rows)?, grouped(right, right_rows)?);
    let keys = join.on.len();
    let cost = |group_left: bool, group_right: bool| {
        let grouping = |group: bool, rows: f64, groups: f64| match group {
            true => (rows * if groups <= GROUPS_CACHED { GROUP_NS.0 } else { GROUP_NS.1 }, groups),
            false => (0.0, rows),
        };
        let (of_left, l) = grouping(group_left, left_rows, left_groups);
        let (of_right, r) = grouping(group_right, right_rows, right_groups);
        // Of a side that is grouped by the join's keys alone, a row of the other side meets one row.
        let mut out = pairs;
        for (group, side, rows, groups, other) in
            [(group_left, left, left_rows, left_groups, r), (group_right, right, right_rows, right_groups, l)]
        {
            if group {
                out = if side.is_grouped_by(keys) { out.min(other) } else { out * groups / rows.max(1.0) };
            }
        }
        of_left + of_right + l.min(r) * BUILD_NS + l.max(r) * PROBE_NS + out * PAIR_NS
    };
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    let allowed = ways.into_iter().filter(|(group_left, group_right)| (may_left || !group_left) && (may_right || !group_right));
    let best = allowed.min_by(|a, b| cost(a.0, a.1).total_cmp(&cost(b.0, b.1)));
    Ok(best.unwrap_or((false, false)))
}

fn as_column(group: Expr) -> Expr {
    match group {
        Expr::Column(_) => group,
        other => Expr::Column(Column::from_name(other.schema_name().to_string())),
    }
}

fn cast_to(value: Expr, wanted: &DataType, schema: &datafusion_common::DFSchema) -> Expr {
    use datafusion_expr::ExprSchemable;
    if value.get_type(schema).is_ok_and(|data_type| data_type == *wanted) { value } else { cast(value, wanted.clone()) }
}

/// A summand of an aggregate's argument that reads one side.
struct Term {
    left: bool,
    value: Expr,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    CountRows,
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// One aggregate function of the query.
struct Call {
    kind: Kind,
    terms: Vec<Term>,
}

impl Call {
    /// None: the aggregate is not one that multiplicities serve.
    fn of(call: &Expr, join: &Join) -> Option<Self> {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = call else { return None };
        let is_plain = params.filter.is_none() && params.order_by.is_empty() && params.null_treatment.is_none();
        if !is_plain || params.distinct && !matches!(func.name(), "min" | "max") {
            return None;
        }
        let kind = match func.name() {
            "count" => Kind::Count,
            "sum" => Kind::Sum,
            "avg" => Kind::Avg,
            "min" => Kind::Min,
            "max" => Kind::Max,
            _ => return None,
        };
        let [argument] = params.args.as_slice() else { return None };
        if kind == Kind::Count && matches!(argument, Expr::Literal(value, _) if !value.is_null()) {
            return Some(Self { kind: Kind::CountRows, terms: Vec::new() });
        }
        if let Some(left) = side::side_of(argument, join) {
            let numeric = matches!(kind, Kind::Sum | Kind::Avg);
            if numeric && !side::is_summed(argument, join, left) {
                return None;
            }
            return Some(Self { kind, terms: vec![Term { left, value: argument.clone() }] });
        }
        // SUM(a + b) of decimals or doubles; the sum of two integers could overflow pair by pair.
        let Expr::ScalarFunction(ScalarFunction { func, args }) = argument else { return None };
        let [one, other] = args.as_slice() else { return None };
        let data_type = side::type_of(argument, &join.schema)?;
        let added = match &data_type {
            DataType::Decimal128(_, scale) => *scale <= ADDED_SCALE_MAX,
            DataType::Float64 => true,
            _ => false,
        };
        if kind != Kind::Sum || func.name() != "+" || !added {
            return None;
        }
        let term = |part: &Expr| {
            let left = side::side_of(part, join)?;
            let own = side::type_of(part, &join.schema)?;
            let value = if own == data_type { part.clone() } else { cast(part.clone(), data_type.clone()) };
            side::is_summed(&value, join, left).then_some(Term { left, value })
        };
        let terms = vec![term(one)?, term(other)?];
        (terms[0].left != terms[1].left).then_some(Self { kind, terms })
    }

    /// The result over the upper aggregation, to which what it needs is added.
    fn result(&self, left: &Side, right: &Side, weights: &Weights, parts: &mut Vec<Expr>) -> Result<Expr> {
        let side = |term: &Term| if term.left { left } else { right };
        let mut part = |name: &str, argument: Expr| -> Result<Expr> {
            let alias = format!("multiplied {}", parts.len());
            parts.push(call(name, argument)?.alias(&alias));
            Ok(Expr::Column(Column::from_name(alias)))
        };
        let counted = |value: Expr| {
            Expr::ScalarFunction(ScalarFunction::new_udf(datafusion_functions::core::coalesce(), vec![value, lit(0_i64)]))
        };
        let Some(first) = self.terms.first() else {
            return Ok(counted(part("sum", weights.pairs())?));
        };
        let own = side(first);
        match self.kind {
            Kind::CountRows => Ok(counted(part("sum", weights.pairs())?)),
            Kind::Count => Ok(counted(part("sum", weights.times(own.count(&first.value), first.left))?)),
            Kind::Min => part("min", own.min(&first.value)),
            Kind::Max => part("max", own.max(&first.value)),
            Kind::Sum => match self.terms.get(1) {
                None => part("sum", weighted(own.sum(&first.value), weights.of_other(first.left))),
                Some(second) => {
                    let other = side(second);
                    let one = weighted(own.sum(&first.value), other.count(&second.value));
                    let two = weighted(other.sum(&second.value), own.count(&first.value));
                    part("sum", Expr::ScalarFunction(ScalarFunction::new_udf(plus(), vec![one, two])))
                }
            },
            Kind::Avg => {
                let sum = part("sum", weighted(own.sum(&first.value), weights.of_other(first.left)))?;
                let count = part("sum", weights.times(own.count(&first.value), first.left))?;
                Ok(Expr::ScalarFunction(ScalarFunction::new_udf(mean_of(), vec![sum, count])))
            }
        }
    }
}

fn weighted(value: Expr, count: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(times_count(), vec![value, count]))
}

/// An aggregate function of this name.
fn call(name: &str, argument: Expr) -> Result<Expr> {
    let function = aggregate::functions().into_iter().find(|function| function.name() == name);
    let function = function.ok_or_else(|| crate::error::Error::internal(format!("no aggregate function {name}")))?;
    Ok(Expr::AggregateFunction(AggregateFunction::new_udf(function, vec![argument], false, None, vec![], None)))
}

/// How many rows of its side a joined row stands for; none: one.
struct Weights {
    left: Option<Expr>,
    right: Option<Expr>,
    /// The right side may be missing.
    outer: bool,
}

impl Weights {
    /// The rows of the other side that a term of one side meets.
    fn of_other(&self, left: bool) -> Expr {
        let other = if left { &self.right } else { &self.left };
        match other {
            None => lit(1_i64),
            // A left row without a match comes out once.
            Some(rows) if left && self.outer => Expr::Case(Case {
                expr: None,
                when_then_expr: vec![(Box::new(rows.clone().is_null()), Box::new(lit(1_i64)))],
                else_expr: Some(Box::new(rows.clone())),
            }),
            Some(rows) => rows.clone(),
        }
    }

    fn times(&self, count: Expr, left: bool) -> Expr {
        let other = if left { &self.right } else { &self.left };
        match other {
            None => count,
            Some(_) => product(count, self.of_other(left)),
        }
    }

    fn pairs(&self) -> Expr {
        match &self.left {
            None => self.of_other(true),
            Some(rows) => self.times(rows.clone(), true),
        }
    }
}

fn product(one: Expr, other: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(multiply(), vec![one, other]))
}
