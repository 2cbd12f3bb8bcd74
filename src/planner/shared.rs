//! Parts of a plan that stand in it more than once.
//!
//! A view, a common table expression or a subquery that is named twice is planned twice. Where the
//! copies are still equal after optimization (and are work: a join, a grouping), the first place to
//! be planned makes the operators and all places read their rows. Only the largest equal parts are
//! shared, not the parts inside them.
//!
//! ```text
//!   join                              join
//!    ├── scan supplier                 ├── scan supplier
//!    └── filter total = slot           └── filter total = slot
//!         └── group lineitem  ┐             └── Shared 1, computed elsewhere
//!   slot: max(total)          │ equal  slot: max(total)
//!    └── group lineitem       ┘             └── Shared 1, computed once
//!                                                └── group lineitem
//! ```
//!
//! Cost: one hash over each join and grouping whose tables are all scanned more than once. A part that calls a volatile function is not shared.
//! Runtime filters of the places above do not reach into a shared part: each would drop rows that
//! another place wants.

use crate::error::Result;
use crate::exec::PlanRef;
use crate::operator::{SharedNode, SharedPlan};
use datafusion_common::TableReference;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, LogicalPlan};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The parts of one query that stand in it more than once, its scalar subqueries included.
pub(super) struct SharedPlans {
    /// Planned when first asked for.
    plans: RefCell<HashMap<LogicalPlan, Option<Arc<SharedPlan>>>>,
    planned: Cell<usize>,
}

impl SharedPlans {
    /// Looks for equal parts.
    pub(super) fn find(logical: &LogicalPlan) -> Result<Self> {
        let mut places = HashMap::new();
        let repeated = repeated_tables(logical)?;
        count(logical, &repeated, &mut places, &mut HashSet::new())?;
        let mut plans = HashMap::new();
        for (plan, places) in places {
            if places > 1 && !is_volatile(&plan)? {
                plans.insert(plan, None);
            }
        }
        Ok(Self { plans: RefCell::new(plans), planned: Cell::new(0) })
    }

    /// The operators of a node: what `make` gives (told whether they will be shared), or for a
    /// shared part made before a reader of its rows.
    pub(super) fn once(&self, logical: &LogicalPlan, make: impl FnOnce(bool) -> Result<PlanRef>) -> Result<PlanRef> {
        if !is_work(logical) {
            return make(false);
        }
        let Some(known) = self.plans.borrow().get(logical).cloned() else { return make(false) };
        if let Some(shared) = known {
            return Ok(Arc::new(SharedNode::new(&shared, false)));
        }
        let plan = make(true)?;
        self.planned.set(self.planned.get() + 1);
        let shared = SharedPlan::new(plan, self.planned.get());
        self.plans.borrow_mut().insert(logical.clone(), Some(shared.clone()));
        Ok(Arc::new(SharedNode::new(&shared, true)))
    }
}

/// Whether running the node once and keeping its rows can pay. Scans, filters and projections
/// alone are as cheap to run again.
fn is_work(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Join(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::RecursiveQuery(_)
    )
}

/// The tables that are scanned more than once: parts without a table that is not among them are worth
/// hashing and comparing.
fn repeated_tables(plan: &LogicalPlan) -> Result<HashSet<TableReference>> {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && !seen.insert(scan.table_name.clone())
        {
            repeated.insert(scan.table_name.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(repeated)
}

/// Whether every table below is one that is scanned more than once.
fn may_repeat(plan: &LogicalPlan, repeated: &HashSet<TableReference>) -> datafusion_common::Result<bool> {
    let found = plan.apply(|node| {
        let once = matches!(node, LogicalPlan::TableScan(scan) if !repeated.contains(&scan.table_name));
        Ok(if once { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found != TreeNodeRecursion::Stop)
}

/// Counts the places of every part; parts within a part seen before are not counted again.
fn count(
    plan: &LogicalPlan,
    repeated: &HashSet<TableReference>,
    places: &mut HashMap<LogicalPlan, usize>,
    subqueries: &mut HashSet<*const LogicalPlan>,
) -> datafusion_common::Result<()> {
    if is_work(plan) && may_repeat(plan, repeated)? {
        if let Some(known) = places.get_mut(plan) {
            *known += 1;
            return Ok(());
        }
        places.insert(plan.clone(), 1);
    }
    for input in plan.inputs() {
        count(input, repeated, places, subqueries)?;
    }
    plan.apply_expressions(|expr| {
        expr.apply(|part| {
            // One subquery may stand in several expressions; it runs once as it is.
            if let Expr::ScalarSubquery(subquery) = part
                && subqueries.insert(Arc::as_ptr(&subquery.subquery))
            {
                count(&subquery.subquery, repeated, places, subqueries)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

fn is_volatile(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.is_volatile();
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}
