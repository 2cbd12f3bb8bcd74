//! The rules of DataFusion, in rounds, each rule only where the plan has something for it.
//!
//! Planning is short work over a small tree, and most of it used to be rules that walked the tree to
//! find nothing: no union, no DISTINCT, no outer join. One walk a round notes what is there, and the
//! rules that need what is not there stay out of the round.
//!
//! ```text
//!   plan ──► traits {Join, Filter, Limit}
//!              │        RULES_NEED: eliminate_join Join · optimize_unions Union · ..
//!              ▼
//!            rules with a need among them, and those without one ──► plan' ──► same hash? done
//!              ▲                                                       │
//!              └────────────────── another round ──────────────────────┘
//! ```
//!
//! What a rule makes for another within a round (a join for a subquery) is counted as being there;
//! anything else waits for the next round, and the last round finds nothing left to change. A rule that
//! this table does not name always runs.
//!
//! Later rounds are there for what predicates and joins do to each other when they move. Unless the
//! round before took apart subqueries or the like, the rules of [`ONCE`] find something in them only
//! where moving has brought constants together, which the walk sees; and columns are pruned again
//! only if some rule has changed something.

use super::constants;
use super::push_filters::PushFilters;
use crate::error::Result;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{JoinType, NullEquality, Result as PlanResult};
use datafusion_expr::{Expr, LogicalPlan, Operator};
use datafusion_optimizer::optimizer::ApplyOrder;
use datafusion_optimizer::{Optimizer, OptimizerConfig, OptimizerContext, OptimizerRule};
use std::hash::BuildHasher;
use std::ops::BitOr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock};

/// Rounds end here even if a rule still changes something.
const ROUNDS_MAX: usize = 4;

/// Rules that are left out, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("single_distinct_aggregation_to_group_by", "the aggregate operator groups distinct values itself"),
    ("extract_leaf_expressions", "its projections stand between the joins of a cluster"),
    ("push_down_leaf_projections", "belongs to the one above"),
    ("common_sub_expression_eliminate", "its projections stand between the joins of a cluster; runs at the end instead"),
    ("filter_null_join_keys", "a join drops NULL keys anyway, without a pass over the key column first"),
    ("unions_to_filter", "off by its own setting"),
];

/// What a rule needs to find in a plan; it has nothing to do where none of it is.
const RULES_NEED: &[(&str, Traits)] = &[
    ("rewrite_set_comparison", Traits::SET_COMPARISON),
    ("optimize_unions", Traits::UNION),
    ("replace_distinct_aggregate", Traits::DISTINCT),
    ("eliminate_join", Traits::JOIN),
    ("decorrelate_predicate_subquery", Traits::SUBQUERY),
    ("scalar_subquery_to_join", Traits::SUBQUERY),
    ("decorrelate_lateral_join", Traits::LATERAL),
    ("extract_equijoin_predicate", Traits::JOIN),
    ("eliminate_filter", Traits::FILTER),
    ("eliminate_cross_join", Traits::CROSS_JOIN),
    ("eliminate_limit", Traits::LIMIT),
    ("propagate_empty_relation", Traits::EMPTY),
    ("eliminate_outer_join", Traits::OUTER_JOIN),
    ("push_down_limit", Traits::LIMIT),
    ("eliminate_group_by_constant", Traits::AGGREGATE),
];

/// Rules for expressions, which are run again only where there is something new to find.
const ONCE: &[&str] = &["simplify_expressions", "eliminate_duplicated_expr", "eliminate_group_by_constant"];

/// The last rule of a round, which undoes nothing: it has nothing to do unless another has changed something.
const PRUNE: &str = "optimize_projections";

/// A set of things that a plan has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Traits(u16);

impl Traits {
    const NONE: Self = Self(0);
    const AGGREGATE: Self = Self(1);
    const DISTINCT: Self = Self(1 << 1);
    const EMPTY: Self = Self(1 << 2);
    const FILTER: Self = Self(1 << 3);
    const JOIN: Self = Self(1 << 4);
    const LATERAL: Self = Self(1 << 5);
    const LIMIT: Self = Self(1 << 6);
    const OUTER_JOIN: Self = Self(1 << 7);
    const SET_COMPARISON: Self = Self(1 << 8);
    const SUBQUERY: Self = Self(1 << 9);
    const UNION: Self = Self(1 << 10);
    /// An inner join without keys so far.
    const CROSS_JOIN: Self = Self(1 << 11);
    /// An expression of constants only, or a constant among conditions.
    const CONSTANTS: Self = Self(1 << 12);
    /// What leaves new expressions behind when it is gone.
    const UNSETTLED: Self = Self(
        Self::DISTINCT.0
            | Self::EMPTY.0
            | Self::LATERAL.0
            | Self::OUTER_JOIN.0
            | Self::SET_COMPARISON.0
            | Self::SUBQUERY.0
            | Self::UNION.0,
    );

    fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Everything in a plan and in the plans of its subqueries, and what rules make of it in one round.
    fn of(plan: &LogicalPlan) -> Result<Self> {
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
        if found.meets(Self::SUBQUERY | Self::LATERAL) {
            found = found | Self::JOIN | Self::CROSS_JOIN | Self::OUTER_JOIN | Self::FILTER | Self::AGGREGATE;
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
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner && join.on.is_empty() => Self::JOIN | Self::CROSS_JOIN,
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => Self::JOIN,
            LogicalPlan::Join(_) => Self::JOIN | Self::OUTER_JOIN,
            LogicalPlan::Limit(_) => Self::LIMIT,
            LogicalPlan::Sort(sort) if sort.fetch.is_some() => Self::LIMIT,
            LogicalPlan::Subquery(_) => Self::LATERAL,
            LogicalPlan::Union(_) => Self::UNION,
            _ => Self::NONE,
        }
    }

    fn of_expr(expr: &Expr) -> Self {
        match expr {
            Expr::SetComparison(_) => Self::SET_COMPARISON,
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) => Self::SUBQUERY,
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

type AnyRule = Arc<dyn OptimizerRule + Send + Sync>;

/// The rules in their order, each with what it needs; none is stateful, so one list serves every query.
static RULES: LazyLock<Vec<(AnyRule, Option<Traits>)>> = LazyLock::new(|| {
    let mut rules = Vec::new();
    for rule in Optimizer::new().rules {
        if LEFT_OUT.iter().any(|(name, _)| *name == rule.name()) {
            continue;
        }
        if rule.name() == "simplify_expressions" {
            rules.push((Arc::new(constants::FoldConstants) as AnyRule, None));
        }
        let rule = match rule.name() {
            "push_down_filter" => Arc::new(PushFilters::default()) as AnyRule,
            _ => rule,
        };
        let need = RULES_NEED.iter().find(|(name, _)| *name == rule.name()).map(|(_, need)| *need);
        rules.push((rule, need));
    }
    rules
});

/// Whether a join takes NULLs as equal.
fn matches_nulls(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull && !join.on.is_empty())
}

/// Nodes that a rule gets wrong: each of these makes keys of equalities beside keys for which NULLs are equal,
/// and a join has one way with NULLs for all its keys.
fn spared(rule: &str) -> fn(&LogicalPlan) -> bool {
    match rule {
        "extract_equijoin_predicate" => matches_nulls,
        "eliminate_cross_join" => |plan| {
            let found =
                plan.apply(|node| Ok(if matches_nulls(node) { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue }));
            !matches!(found, Ok(TreeNodeRecursion::Continue))
        },
        _ => |_| false,
    }
}

/// A rule that notes whether it has changed something; `only_after` others have, for one of them.
#[derive(Debug)]
struct Noted {
    rule: AnyRule,
    spared: fn(&LogicalPlan) -> bool,
    changed: Arc<AtomicBool>,
    only_after: bool,
}

impl OptimizerRule for Noted {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> PlanResult<Transformed<LogicalPlan>> {
        if (self.only_after && !self.changed.load(Relaxed)) || (self.spared)(&plan) {
            return Ok(Transformed::no(plan));
        }
        let result = self.rule.rewrite(plan, config)?;
        if result.transformed {
            self.changed.store(true, Relaxed);
        }
        Ok(result)
    }
}

/// Runs the borrowed rules until nothing changes. `trace` hears of every rule that ran.
///
/// # Errors
/// Those of the rules: a plan that they find wrong, arithmetic of constants that fails.
pub(super) fn rounds(
    mut plan: LogicalPlan,
    context: &OptimizerContext,
    trace: &dyn Fn(&str, &LogicalPlan),
) -> Result<LogicalPlan> {
    debug_assert_eq!(context.options().optimizer.max_passes, 1, "a round is a pass");
    let hasher = foldhash::fast::FixedState::default();
    let mut last: Option<(Traits, u64)> = None;
    for _ in 0..ROUNDS_MAX {
        let traits = Traits::of(&plan)?;
        let settled = last.is_some_and(|(before, _)| !before.meets(Traits::UNSETTLED)) && !traits.meets(Traits::CONSTANTS);
        let changed = Arc::new(AtomicBool::new(false));
        let rules = RULES
            .iter()
            .filter(|(rule, need)| need.is_none_or(|need| need.meets(traits)) && !(settled && ONCE.contains(&rule.name())));
        let noted = |(rule, _): &(AnyRule, Option<Traits>)| -> AnyRule {
            let only_after = last.is_some() && rule.name() == PRUNE;
            Arc::new(Noted { rule: rule.clone(), spared: spared(rule.name()), changed: changed.clone(), only_after })
        };
        let round = Optimizer::with_rules(rules.map(noted).collect());
        plan = round.optimize(plan, context, |plan, rule| trace(rule.name(), plan))?;
        if !changed.load(Relaxed) {
            break;
        }
        // Some rules say that they changed what they made again as it was.
        let hash = hasher.hash_one(&plan);
        if last.is_some_and(|(_, before)| before == hash) {
            break;
        }
        last = Some((traits, hash));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_rules_that_exist() {
        let all: Vec<String> = Optimizer::new().rules.iter().map(|rule| rule.name().to_string()).collect();
        for name in
            LEFT_OUT.iter().map(|(name, _)| name).chain(RULES_NEED.iter().map(|(name, _)| name)).chain(ONCE).chain([&PRUNE])
        {
            assert!(all.iter().any(|rule| rule == name), "{name} is none of {all:?}");
        }
    }
}
