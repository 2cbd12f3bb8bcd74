//! One borrowed rule over a whole plan.
//!
//! DataFusion's own driver signs the plan before and after every round, by a hash of its text, and walks
//! it for invariants as often: a sixth of planning a short query. Here a pass changes the tree in its
//! place, and the caller decides what to check and when.
//!
//! ```text
//!   top down:  rule(node) ──► subqueries, inputs ──► schema again if an input's has changed
//!   bottom up:                subqueries, inputs ──► schema again ..                      ──► rule(node)
//! ```
//!
//! Cost: one visit a node; an input is copied only if another plan shares it.

use crate::error::Result;
use datafusion_common::Result as PlanResult;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::logical_plan::{Distinct, assert_expected_schema};
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_optimizer::optimizer::ApplyOrder;
use datafusion_optimizer::{OptimizerContext, OptimizerRule};
use std::sync::Arc;

/// A plan and what the passes over it need to know.
pub(super) struct Passes<'a> {
    plan: LogicalPlan,
    context: &'a OptimizerContext,
    trace: &'a dyn Fn(&str, &LogicalPlan),
    /// Whether expressions hold plans; no rule makes new ones.
    subqueries: bool,
}

impl<'a> Passes<'a> {
    /// Passes over `plan`; `trace` hears of every one.
    pub(super) fn new(plan: LogicalPlan, context: &'a OptimizerContext, trace: &'a dyn Fn(&str, &LogicalPlan)) -> Self {
        let subqueries = has_subqueries(&plan);
        Self { plan, context, trace, subqueries }
    }

    /// The plan as it is now.
    pub(super) fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// The plan after all passes.
    pub(super) fn into_plan(self) -> LogicalPlan {
        self.plan
    }

    /// Applies `rule` to every node but those that are `spared`; says whether it has changed something.
    ///
    /// # Errors
    /// Those of the rule, and one if it has changed the names or types of the plan's columns.
    pub(super) fn run(&mut self, rule: &dyn OptimizerRule, spared: fn(&LogicalPlan) -> bool) -> Result<bool> {
        let schema = Arc::clone(self.plan.schema());
        let pass = Pass { rule, spared, context: self.context, subqueries: self.subqueries };
        let changed = match rule.apply_order() {
            Some(order) => pass.visit(&mut self.plan, order)?,
            None => pass.apply(&mut self.plan)?.0,
        };
        assert_expected_schema(&schema, &self.plan)?;
        #[cfg(debug_assertions)]
        self.plan.check_invariants(datafusion_expr::logical_plan::InvariantLevel::Executable)?;
        if changed && self.subqueries {
            self.subqueries = has_subqueries(&self.plan);
        }
        (self.trace)(rule.name(), &self.plan);
        Ok(changed)
    }
}

struct Pass<'a> {
    rule: &'a dyn OptimizerRule,
    spared: fn(&LogicalPlan) -> bool,
    context: &'a OptimizerContext,
    subqueries: bool,
}

impl Pass<'_> {
    /// The rule at one node: whether it changed it, and whether to go on below.
    fn apply(&self, plan: &mut LogicalPlan) -> PlanResult<(bool, bool)> {
        if (self.spared)(plan) {
            return Ok((false, true));
        }
        let result = self.rule.rewrite(std::mem::take(plan), self.context)?;
        *plan = result.data;
        Ok((result.transformed, result.tnr == TreeNodeRecursion::Continue))
    }

    /// The rule at a node and at all below it. After an error the plan is of no use.
    fn visit(&self, plan: &mut LogicalPlan, order: ApplyOrder) -> PlanResult<bool> {
        let mut changed = false;
        if order == ApplyOrder::TopDown {
            let (here, below) = self.apply(plan)?;
            changed = here;
            if !below {
                return Ok(changed);
            }
        }
        if self.subqueries {
            let mapped = std::mem::take(plan).map_subqueries(|mut subquery| {
                let changed = self.visit(&mut subquery, order)?;
                Ok(Transformed::new_transformed(subquery, changed))
            })?;
            *plan = mapped.data;
            changed |= mapped.transformed;
        }
        let mut other_schema = false;
        changed |= each_input(plan, &mut |input| {
            let schema = Arc::clone(input.schema());
            let changed = self.visit(input, order)?;
            other_schema |= changed && !Arc::ptr_eq(&schema, input.schema()) && schema != *input.schema();
            Ok(changed)
        })?;
        if other_schema {
            // Rules take columns by their places, so a node's schema follows those of its inputs at once.
            *plan = std::mem::take(plan).recompute_schema()?;
        }
        if order == ApplyOrder::BottomUp {
            changed |= self.apply(plan)?.0;
        }
        Ok(changed)
    }
}

/// Calls `visit` with every input of a node; whether one of the calls has changed one.
fn each_input(plan: &mut LogicalPlan, visit: &mut dyn FnMut(&mut LogicalPlan) -> PlanResult<bool>) -> PlanResult<bool> {
    let only = match plan {
        LogicalPlan::TableScan(_) | LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => return Ok(false),
        LogicalPlan::Join(join) => {
            let left = visit(Arc::make_mut(&mut join.left))?;
            return Ok(visit(Arc::make_mut(&mut join.right))? || left);
        }
        LogicalPlan::Union(union) => {
            let mut changed = false;
            for input in &mut union.inputs {
                changed |= visit(Arc::make_mut(input))?;
            }
            return Ok(changed);
        }
        LogicalPlan::Aggregate(node) => &mut node.input,
        LogicalPlan::Distinct(Distinct::All(input)) => input,
        LogicalPlan::Filter(node) => &mut node.input,
        LogicalPlan::Limit(node) => &mut node.input,
        LogicalPlan::Projection(node) => &mut node.input,
        LogicalPlan::Sort(node) => &mut node.input,
        LogicalPlan::Subquery(node) => &mut node.subquery,
        LogicalPlan::SubqueryAlias(node) => &mut node.input,
        LogicalPlan::Window(node) => &mut node.input,
        // The rare ones do not show their inputs, or have no need to be fast.
        other => {
            let mapped = std::mem::take(other).map_children(|mut input| {
                let changed = visit(&mut input)?;
                Ok(Transformed::new_transformed(input, changed))
            })?;
            *other = mapped.data;
            return Ok(mapped.transformed);
        }
    };
    visit(Arc::make_mut(only))
}

/// Whether some expression of a plan holds a plan.
fn has_subqueries(plan: &LogicalPlan) -> bool {
    let is_subquery =
        |expr: &Expr| matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_));
    let found = plan.exists(|node| {
        let mut found = false;
        node.apply_expressions(|expr| {
            found = found || expr.exists(|expr| Ok(is_subquery(expr)))?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(found)
    });
    found.unwrap_or(true)
}
