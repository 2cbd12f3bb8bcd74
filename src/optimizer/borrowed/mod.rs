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
//! What a rule makes for another waits for the next round, and the last round finds nothing left to
//! change. A rule that this table does not name always runs.
//!
//! Subqueries become joins ahead of the first round ([`UNNESTING`]): all that a round does would have to
//! be done again with the joins.
//!
//! A second round is run only where the first has left something that a rule ahead of those that moved
//! it would take up ([`Traits::OPEN`]): filters that became keys, outer joins that lost their NULLs,
//! limits. Most queries have none of that, and the last rules move filters and columns once more anyway.
//!
//! Later rounds are there for what predicates and joins do to each other when they move. Unless the
//! round before took apart outer joins or the like, the rules of [`ONCE`] find something in them only
//! where moving has brought constants together, which the walk sees; and columns are pruned again
//! only if some rule has changed something.

mod pass;
mod traits;

use super::constants::FoldConstants;
use super::push_filters::PushFilters;
use crate::error::Result;
use datafusion_common::NullEquality;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::InvariantLevel;
use datafusion_optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::{Optimizer, OptimizerContext, OptimizerRule};
use pass::Passes;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};
use traits::Traits;

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
const ONCE: &[&str] = &[SIMPLIFY, "eliminate_duplicated_expr", "eliminate_group_by_constant", "eliminate_join"];

const SIMPLIFY: &str = "simplify_expressions";

/// Rules that turn subqueries into joins, and what brings these into the forms that they know.
const UNNESTING: &[&str] = &[
    "rewrite_set_comparison",
    FoldConstants::NAME,
    SIMPLIFY,
    "replace_distinct_aggregate",
    "decorrelate_predicate_subquery",
    "scalar_subquery_to_join",
    "decorrelate_lateral_join",
];

/// The last rule of a round, which undoes nothing: it has nothing to do unless another has changed something.
const PRUNE: &str = "optimize_projections";

type AnyRule = Arc<dyn OptimizerRule + Send + Sync>;

/// The rules in their order, each with what it needs; none is stateful, so one list serves every query.
static RULES: LazyLock<Vec<(AnyRule, Option<Traits>)>> = LazyLock::new(|| {
    let mut rules = Vec::new();
    for rule in Optimizer::new().rules {
        if LEFT_OUT.iter().any(|(name, _)| *name == rule.name()) {
            continue;
        }
        if rule.name() == "simplify_expressions" {
            rules.push((Arc::new(FoldConstants) as AnyRule, None));
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

/// Runs the borrowed rules until nothing changes. `trace` hears of every rule that ran.
///
/// # Errors
/// Those of the rules: a plan that they find wrong, arithmetic of constants that fails.
pub(super) fn rounds(plan: LogicalPlan, context: &OptimizerContext, trace: &dyn Fn(&str, &LogicalPlan)) -> Result<LogicalPlan> {
    let hasher = foldhash::fast::FixedState::default();
    let mut passes = Passes::new(plan, context, trace);
    let mut traits = Traits::of(passes.plan())?;
    let nested = traits.meets(Traits::NESTED);
    if nested {
        for (rule, need) in RULES.iter().filter(|(rule, _)| UNNESTING.contains(&rule.name())) {
            if need.is_none_or(|need| need.meets(traits)) {
                passes.run(rule.as_ref(), spared(rule.name()))?;
            }
        }
        traits = Traits::of(passes.plan())?;
    }
    let mut last: Option<(Traits, u64)> = None;
    // How often the plan has changed, and where that was when a rule last found nothing to do.
    let mut changes = 0u32;
    let mut idle_at = vec![None; RULES.len()];
    for _ in 0..ROUNDS_MAX {
        let constants = traits.meets(Traits::CONSTANTS);
        let simplified = nested && last.is_none() && !constants;
        let settled = last.is_some_and(|(before, _)| !before.meets(Traits::UNSETTLED)) && !constants;
        let begun = changes;
        for ((rule, need), idle) in RULES.iter().zip(&mut idle_at) {
            let name = rule.name();
            let known = *idle == Some(changes)
                || (simplified && name == SIMPLIFY)
                || (settled && ONCE.contains(&name))
                || (last.is_some() && changes == begun && name == PRUNE);
            if known || need.is_some_and(|need| !need.meets(traits)) {
                continue;
            }
            if passes.run(rule.as_ref(), spared(name))? {
                changes += 1;
            } else {
                *idle = Some(changes);
            }
        }
        // Some rules say that they changed what they made again as it was.
        let hash = if changes > begun { hasher.hash_one(passes.plan()) } else { 0 };
        if changes == begun || last.is_some_and(|(_, before)| before == hash) {
            break;
        }
        let found = Traits::of(passes.plan())?;
        if !traits.meets(Traits::LEAVING) && !found.meets(Traits::OPEN) {
            break;
        }
        last = Some((traits, hash));
        traits = found;
    }
    Ok(passes.into_plan())
}

/// What runs last, once: filters and projections go where a tree of another shape wants them.
static LAST: LazyLock<[AnyRule; 3]> = LazyLock::new(|| {
    [Arc::new(PushFilters::default()), Arc::new(CommonSubexprEliminate::new()), Arc::new(OptimizeProjections::new())]
});

/// Runs the last rules, and checks what all rules have made.
///
/// # Errors
/// Those of the rules, and one if the plan is not one that could run.
pub(super) fn last(plan: LogicalPlan, context: &OptimizerContext, trace: &dyn Fn(&str, &LogicalPlan)) -> Result<LogicalPlan> {
    let mut passes = Passes::new(plan, context, trace);
    for rule in LAST.iter() {
        passes.run(rule.as_ref(), |_| false)?;
    }
    passes.plan().check_invariants(InvariantLevel::Executable)?;
    Ok(passes.into_plan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_rules_that_exist() {
        let all: Vec<String> = Optimizer::new().rules.iter().map(|rule| rule.name().to_string()).collect();
        for name in LEFT_OUT
            .iter()
            .map(|(name, _)| name)
            .chain(RULES_NEED.iter().map(|(name, _)| name))
            .chain(ONCE)
            .chain(UNNESTING)
            .chain([&PRUNE])
        {
            let known = *name == FoldConstants::NAME || all.iter().any(|rule| rule == name);
            assert!(known, "{name} is none of {all:?}");
        }
    }
}
