//! What a plan has that a rule could need, found in one walk.

use crate::error::Result;
use datafusion_common::JoinType;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::logical_plan::Join;
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Expr, LogicalPlan, Operator};
use std::ops::BitOr;

/// A set of things that a plan has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Traits(u16);

impl Traits {
    pub(super) const NONE: Self = Self(0);
    pub(super) const AGGREGATE: Self = Self(1);
    pub(super) const DISTINCT: Self = Self(1 << 1);
    pub(super) const EMPTY: Self = Self(1 << 2);
    pub(super) const FILTER: Self = Self(1 << 3);
    pub(super) const JOIN: Self = Self(1 << 4);
    pub(super) const LATERAL: Self = Self(1 << 5);
    pub(super) const LIMIT: Self = Self(1 << 6);
    pub(super) const OUTER_JOIN: Self = Self(1 << 7);
    pub(super) const SET_COMPARISON: Self = Self(1 << 8);
    pub(super) const SUBQUERY: Self = Self(1 << 9);
    pub(super) const UNION: Self = Self(1 << 10);
    /// An inner join without keys so far.
    pub(super) const CROSS_JOIN: Self = Self(1 << 11);
    /// An expression of constants only, or a constant among conditions.
    pub(super) const CONSTANTS: Self = Self(1 << 12);
    /// What leaves new expressions behind when it is gone.
    pub(super) const UNSETTLED: Self =
        Self(Self::DISTINCT.0 | Self::EMPTY.0 | Self::LATERAL.0 | Self::OUTER_JOIN.0 | Self::UNION.0);
    /// An equality among the conditions of a join beside its keys.
    pub(super) const UNKEYED: Self = Self(1 << 13);
    /// What a round turns into something else, of which it has not seen the whole.
    pub(super) const LEAVING: Self = Self(Self::DISTINCT.0 | Self::EMPTY.0 | Self::LATERAL.0 | Self::UNION.0);
    /// What another round may have an answer to.
    pub(super) const OPEN: Self = Self(
        Self::CONSTANTS.0
            | Self::CROSS_JOIN.0
            | Self::EMPTY.0
            | Self::LIMIT.0
            | Self::NESTED.0
            | Self::OUTER_JOIN.0
            | Self::UNKEYED.0,
    );
    /// Plans inside expressions, or that refer to tables beside them.
    pub(super) const NESTED: Self = Self(Self::LATERAL.0 | Self::SET_COMPARISON.0 | Self::SUBQUERY.0);

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Everything in a plan and in the plans of its subqueries, and what rules make of it in one round.
    pub(super) fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut found = Self::NONE;
        plan.apply_with_subqueries(|node| {
            found = found | Self::of_node(node);
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    found = found | Self::of_expr(expr);
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        if found.meets(Self::SET_COMPARISON) {
            found = found | Self::SUBQUERY;
        }
        if found.meets(Self::DISTINCT) {
            found = found | Self::AGGREGATE;
        }
        Ok(found)
    }

    fn of_node(node: &LogicalPlan) -> Self {
        match node {
            LogicalPlan::Aggregate(_) => Self::AGGREGATE,
            LogicalPlan::Distinct(_) => Self::DISTINCT,
            LogicalPlan::EmptyRelation(_) => Self::EMPTY,
            LogicalPlan::Filter(_) => Self::FILTER,
            LogicalPlan::Join(join) => Self::of_join(join),
            LogicalPlan::Limit(_) => Self::LIMIT,
            LogicalPlan::Sort(sort) if sort.fetch.is_some() => Self::LIMIT,
            LogicalPlan::Subquery(_) => Self::LATERAL,
            LogicalPlan::Union(_) => Self::UNION,
            _ => Self::NONE,
        }
    }

    fn of_join(join: &Join) -> Self {
        let kind = match join.join_type {
            JoinType::Inner if join.on.is_empty() => Self::JOIN | Self::CROSS_JOIN,
            JoinType::Left | JoinType::Right | JoinType::Full => Self::JOIN | Self::OUTER_JOIN,
            _ => Self::JOIN,
        };
        let equality = |expr: &&Expr| matches!(expr, Expr::BinaryExpr(binary) if binary.op == Operator::Eq);
        let unkeyed = join.filter.iter().flat_map(|filter| split_conjunction(filter)).any(|expr| equality(&expr));
        if unkeyed { kind | Self::UNKEYED } else { kind }
    }

    fn of_expr(expr: &Expr) -> Self {
        match expr {
            Expr::SetComparison(_) => Self::SET_COMPARISON,
            Expr::Exists(_) | Expr::InSubquery(_) => Self::SUBQUERY,
            // The others stay where they are.
            Expr::ScalarSubquery(subquery) if !subquery.outer_ref_columns.is_empty() => Self::SUBQUERY,
            Expr::Column(_) | Expr::Literal(..) | Expr::Alias(_) => Self::NONE,
            Expr::BinaryExpr(binary) => {
                let constant = |expr: &Expr| matches!(expr, Expr::Literal(..));
                let (left, right) = (constant(&binary.left), constant(&binary.right));
                let some = matches!(binary.op, Operator::And | Operator::Or) && (left || right);
                if some || (left && right) { Self::CONSTANTS } else { Self::NONE }
            }
            other => {
                let (mut some, mut all) = (false, true);
                let looked = other.apply_children(|child| {
                    some = true;
                    all &= matches!(child, Expr::Literal(..));
                    Ok(TreeNodeRecursion::Continue)
                });
                if looked.is_ok() && some && all { Self::CONSTANTS } else { Self::NONE }
            }
        }
    }
}

impl BitOr for Traits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
