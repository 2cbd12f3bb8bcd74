//! Joins: keys, residual, runtime filters; the strategy is [`crate::join::choose`]'s to pick.

use super::filters::{Led, lead};
use super::{Planner, schema_of};
use crate::error::Result;
use crate::exec::PlanRef;
use crate::expr;
use crate::join::{self, HotKey, JoinKey, JoinKind, JoinRequest};
use crate::layout::Evidence;
use crate::optimizer;
use datafusion_common::{JoinType, NullEquality};
use datafusion_expr::logical_plan::Join;
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};

impl<'a> Planner<'a> {
    pub(super) fn join(&self, join: &'a Join, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let null_equals = join.null_equality == NullEquality::NullEqualsNull;
        let mut keys = Vec::with_capacity(join.on.len());
        let (mut left_filters, mut right_filters) = (Vec::new(), Vec::new());
        let (mut left_led, mut right_led) = (lead(logical, &led, 0), lead(logical, &led, 1));
        for (index, (left, right)) in join.on.iter().enumerate() {
            keys.push(JoinKey {
                left: expr::compile(left, left_schema, &self.slots)?,
                right: expr::compile(right, right_schema, &self.slots)?,
                null_equals,
            });
            if null_equals || join.null_aware {
                continue;
            }
            // Both directions are prepared; the join publishes into the side it probes with, if
            // that side's unmatched rows are not wanted.
            if let Some((led, filter)) = self.runtime_filter(&join.left, left) {
                left_filters.push((index, filter));
                left_led.push(led);
            }
            if let Some((led, filter)) = self.runtime_filter(&join.right, right) {
                right_filters.push((index, filter));
                right_led.push(led);
            }
        }
        let both = left_schema.join(right_schema)?;
        let (equal, rest): (Vec<_>, Vec<_>) = match join.null_aware {
            true => (Vec::new(), join.filter.iter().cloned().collect()),
            false => split(join, join.filter.iter().cloned().flat_map(split_conjunction_owned))?,
        };
        for (left, right) in equal {
            let left = expr::compile(&left, left_schema, &self.slots)?;
            keys.push(JoinKey { left, right: expr::compile(&right, right_schema, &self.slots)?, null_equals: true });
        }
        let residual = conjunction(rest).map(|filter| expr::compile(&filter, &both, &self.slots)).transpose()?;
        let (asked, hot_keys) = self.options.hints.of(join);
        let mut request = JoinRequest {
            kind: kind_of(join.join_type),
            left: self.node(&join.left, left_led)?,
            right: self.node(&join.right, right_led)?,
            keys,
            residual,
            null_aware: join.null_aware,
            schema: schema_of(logical),
            estimated_rows: self.rows_of(logical),
            left_filters,
            right_filters,
            hot_keys,
            asked,
            forced: self.options.strategy,
            memory_limit: self.options.memory_limit,
            threads: self.options.threads,
        };
        if request.hot_keys.is_empty() && join::may_spill(&request) {
            request.hot_keys = frequent(join, &request.keys);
        }
        let choice = join::choose(&request)?;
        if let Some(warning) = &choice.warning {
            self.options.hints.warn(warning.clone());
        }
        join::plan_as(request, choice)
    }
}

/// Hot keys that a sample of either side's files shows. With several keys only their combination would
/// count, of which a sample of columns tells nothing.
fn frequent(join: &Join, keys: &[JoinKey]) -> Vec<HotKey> {
    let ([(left, right)], [key]) = (join.on.as_slice(), keys) else { return Vec::new() };
    let mut points = optimizer::frequent_keys(&join.left, left);
    for point in optimizer::frequent_keys(&join.right, right) {
        if !points.contains(&point) {
            points.push(point);
        }
    }
    let hot = |value| HotKey { values: vec![value], evidence: Evidence::Inferred };
    points.into_iter().filter_map(|point| point.value(key.left.data_type())).map(hot).collect()
}

/// A left and a right expression that have to be equal.
type Pair = (Expr, Expr);

/// The `<=>` among conditions that compare an expression of one side with one of the other, which are
/// keys, and all other conditions.
fn split(join: &Join, conditions: impl Iterator<Item = Expr>) -> Result<(Vec<Pair>, Vec<Expr>)> {
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    let of = |expr: &Expr, side: &LogicalPlan| {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.iter().all(|column| side.schema().has_column(column))
    };
    for condition in conditions {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::IsNotDistinctFrom, right }) = &condition {
            let pair = if of(left, &join.left) && of(right, &join.right) {
                Some((left, right))
            } else if of(right, &join.left) && of(left, &join.right) {
                Some((right, left))
            } else {
                None
            };
            if let Some((l, r)) = pair
                && l.get_type(join.left.schema())? == r.get_type(join.right.schema())?
                && !l.is_volatile()
                && !r.is_volatile()
            {
                keys.push((l.as_ref().clone(), r.as_ref().clone()));
                continue;
            }
        }
        rest.push(condition);
    }
    Ok((keys, rest))
}

fn kind_of(join_type: JoinType) -> JoinKind {
    match join_type {
        JoinType::Inner => JoinKind::Inner,
        JoinType::Left => JoinKind::Left,
        JoinType::Right => JoinKind::Right,
        JoinType::Full => JoinKind::Full,
        JoinType::LeftSemi => JoinKind::LeftSemi,
        JoinType::RightSemi => JoinKind::RightSemi,
        JoinType::LeftAnti => JoinKind::LeftAnti,
        JoinType::RightAnti => JoinKind::RightAnti,
        JoinType::LeftMark => JoinKind::LeftMark,
        JoinType::RightMark => JoinKind::RightMark,
    }
}
