//! LogicalPlan in, better LogicalPlan out: the borrowed rules first, then ours.
//!
//! ```text
//!   bound plan
//!     asof                ours: ASOF joins as windows
//!     scalars             ours: a scalar subquery may be NULL, whatever its column says
//!     grouping            ours: grouping() and grouping_id()
//!     laterals            ours: tables in FROM that refer to tables before them
//!     unnest              ours: all correlated subqueries, if what follows cannot do one of them or does it wrongly
//!     date_distances      ours: a number of days in a frame over dates
//!     floats_win          ours: a DECIMAL beside a DOUBLE becomes DOUBLE
//!     analyzer            DataFusion: type coercion
//!     windows_once_each   ours: window functions that coercion has made the same
//!     null_aware_in       ours: IN and NOT IN that the next step would get wrong
//!     borrowed rules      DataFusion, in rounds until nothing changes: simplify, decorrelate, push down, prune; before
//!                         each simplification ours folds the constants
//!     RULES               ours, once each, in order
//!     last rules          DataFusion, once: filters and projections go where the new tree wants them
//!     refuse              what no operator could run, by name
//! ```
//!
//! What the planner finds in a [`datafusion_expr::logical_plan::Join`] afterwards:
//!
//! * `join_type` `Inner`: the right input is the side to build.
//! * `join_type` `LeftAnti` with `null_aware` set is a top-level `x NOT IN (SELECT y ..)`: it has
//!   exactly one pair in `on` (x, y) and no `filter`. Without the flag it is NOT EXISTS, or NOT IN
//!   over columns that the schemas say are never NULL, and a plain anti join.
//! * `LeftMark` is two-valued: true where a match exists, otherwise false, never NULL. What IN means
//!   with NULLs is spelled out around it by [`subquery`].
//! * `null_equality` holds for all pairs in `on`. `<=>` between columns otherwise stays in `filter`
//!   as `IS NOT DISTINCT FROM`.
//! * Uncorrelated scalar subqueries stay in expressions as `Expr::ScalarSubquery`. A conjunct with
//!   one stays in a `Filter` above its scan; all others that a scan can take are in
//!   `TableScan.filters`.

mod anti;
mod asof;
mod borrowed;
mod coercion;
mod constants;
pub mod estimate;
mod generate;
mod grouping;
mod join_order;
mod multiplicity;
mod push_filters;
mod scalars;
pub mod subquery;
mod unnest;
mod windows;

pub use asof::{ASOF_MATCH, asof_match};
pub use generate::{Generate, GeneratorKind};
pub use join_order::{EXACT_RELATIONS_MAX, join_order};
pub use multiplicity::frequent_keys;

use crate::config::Multiplicity;
use crate::error::{Error, ErrorKind, Result};
use chrono::{DateTime, Utc};
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::LogicalPlan;
use datafusion_optimizer::{Analyzer, OptimizerContext};
use std::fmt;
use std::sync::Arc;

/// Called with a step's name and the plan after it.
pub type Trace = Arc<dyn Fn(&str, &LogicalPlan) + Send + Sync>;

/// What [`optimize`] may do and what it needs to know.
#[derive(Clone)]
pub struct OptimizeOptions {
    /// Whether clusters of joins are reordered by cost; otherwise they stay as written.
    pub join_order: bool,
    /// Whether aggregates over joins count pairs instead of making them.
    pub multiplicity: Multiplicity,
    /// The time `now()` and its kin stand for during the whole query.
    pub now: DateTime<Utc>,
    /// Listens to every step, for EXPLAIN and for tests.
    pub trace: Option<Trace>,
}

impl Default for OptimizeOptions {
    fn default() -> Self {
        Self { join_order: true, multiplicity: Multiplicity::Auto, now: Utc::now(), trace: None }
    }
}

impl fmt::Debug for OptimizeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptimizeOptions").field("join_order", &self.join_order).field("now", &self.now).finish_non_exhaustive()
    }
}

/// A rule of ours.
pub struct Rule {
    /// Its name in traces and settings.
    pub name: &'static str,
    /// Why it is there and why it stands where it stands.
    pub why: &'static str,
    /// Whether the options ask for it.
    enabled: fn(&OptimizeOptions) -> bool,
    /// The rule; keeps the plan's schema.
    apply: fn(LogicalPlan) -> Result<LogicalPlan>,
}

/// Our rules, in the order they run in.
pub const RULES: &[Rule] = &[
    Rule {
        name: "outer_to_anti",
        why: "an outer join of which only the rows without a match are wanted is an anti join; before the join order, \
              which moves anti joins but not outer ones",
        enabled: |_| true,
        apply: anti::outer_to_anti,
    },
    Rule {
        name: "join_order",
        why: "joins as written can be a hundred times too slow; after the borrowed rules, because those bring \
          predicates to the joins and turn subqueries into joins to be ordered with the others",
        enabled: |options| options.join_order,
        apply: join_order,
    },
    Rule {
        name: "multiplicity",
        why: "pairs that are only counted or summed need not be made; after the join order, which settles what the \
              join below an aggregation joins",
        enabled: |options| options.multiplicity == Multiplicity::Auto,
        apply: multiplicity::where_it_pays,
    },
    Rule {
        name: "multiplicity_always",
        why: "the same where a setting asks for it, or a hint says that a key is hot: statistics do not show that",
        enabled: |options| options.multiplicity == Multiplicity::Always,
        apply: multiplicity::wherever_possible,
    },
];

/// Stack that recursive walks of deep plans may use beyond the caller's.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Makes a bound plan ready for the planner. The output schema keeps names and types.
pub fn optimize(plan: LogicalPlan, options: &OptimizeOptions) -> Result<LogicalPlan> {
    stacker::maybe_grow(2 * 1024 * 1024, STACK_BYTES, || steps(plan, options))
}

fn steps(plan: LogicalPlan, options: &OptimizeOptions) -> Result<LogicalPlan> {
    let trace = |name: &str, plan: &LogicalPlan| {
        if let Some(trace) = &options.trace {
            trace(name, plan);
        }
    };
    let plan = asof::resolve(plan)?;
    let plan = scalars::nullable(plan)?;
    // Before subqueries get other groupings, whose sets have other numbers.
    let plan = grouping::resolve(plan)?;
    trace("grouping", &plan);
    if unnest::needed(&plan)? {
        let plan = unnest::all(subquery::null_aware_in(plan)?)?;
        trace("unnest", &plan);
        return further_steps(plan, options);
    }
    let plan = unnest::laterals(plan)?;
    trace("laterals", &plan);
    let unnested = match unnest::has_subqueries(&plan) {
        true => Some(plan.clone()),
        false => None,
    };
    // The borrowed rules find cheap forms for plain subqueries; what they leave, ours unnest.
    let refused = match (further_steps(plan, options), unnested) {
        (Err(error), Some(plan)) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Sql | ErrorKind::Internal) => {
            (error, plan)
        }
        (result, _) => return result,
    };
    let (error, plan) = refused;
    let again = || {
        let plan = unnest::all(subquery::null_aware_in(plan)?)?;
        trace("unnest", &plan);
        further_steps(plan, options)
    };
    again().map_err(|second| if second.kind() == ErrorKind::Unsupported { second } else { error })
}

fn further_steps(plan: LogicalPlan, options: &OptimizeOptions) -> Result<LogicalPlan> {
    let trace = |name: &str, plan: &LogicalPlan| {
        if let Some(trace) = &options.trace {
            trace(name, plan);
        }
    };
    let config = configuration();
    let context =
        OptimizerContext::new_with_config_options(Arc::new(config.clone())).with_query_execution_start_time(options.now);
    let plan = windows::date_distances(plan)?;
    trace("date_distances", &plan);
    let plan = coercion::floats_win(plan)?;
    trace("floats_win", &plan);
    let mut plan = Analyzer::new().execute_and_check(plan, &config, |plan, rule| trace(rule.name(), plan))?;
    plan = windows::once_each(plan)?;
    trace("windows_once_each", &plan);
    plan = subquery::null_aware_in(plan)?;
    trace("null_aware_in", &plan);
    plan = borrowed::rounds(plan, &context, &trace)?;
    for rule in RULES.iter().filter(|rule| (rule.enabled)(options)) {
        plan = (rule.apply)(plan)?;
        trace(rule.name, &plan);
    }
    plan = borrowed::last(plan, &context, &trace)?;
    refuse(&plan)?;
    Ok(plan)
}

fn configuration() -> ConfigOptions {
    let mut config = ConfigOptions::default();
    config.execution.enable_ansi_mode = true;
    config.optimizer.enable_physical_uncorrelated_scalar_subquery = true;
    config.optimizer.enable_leaf_expression_pushdown = false;
    config
}

/// Refuses by name what is left of subqueries that no rule could turn into joins.
fn refuse(plan: &LogicalPlan) -> Result<()> {
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                refused = refused.take().or_else(|| subquery::refusal(expr));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    match refused {
        Some(what) => Err(Error::unsupported(what)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
