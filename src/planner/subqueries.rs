//! Uncorrelated scalar subqueries: each becomes a plan of its own that fills a slot before anything
//! that reads it starts.

use super::shared::SharedPlans;
use super::{PlanOptions, plan_part};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{ScalarSlot, Slots};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, LogicalPlan, Subquery};
use std::sync::Arc;

/// Plans every scalar subquery in the expressions of `logical` (not those inside the subqueries:
/// they belong to the subquery's own plan).
pub(super) fn plan_all(
    logical: &LogicalPlan,
    options: &PlanOptions,
    shared: &SharedPlans,
) -> Result<(Vec<(PlanRef, Arc<ScalarSlot>)>, Slots)> {
    let mut found: Vec<Subquery> = Vec::new();
    logical.apply(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::ScalarSubquery(subquery) = part
                    && !found.iter().any(|known| Arc::ptr_eq(&known.subquery, &subquery.subquery))
                {
                    found.push(subquery.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let mut plans = Vec::with_capacity(found.len());
    let mut slots = Slots::default();
    for subquery in found {
        if !subquery.outer_ref_columns.is_empty() {
            return Err(
                Error::unsupported("a correlated subquery of this form").with_hint("write it as a join with a grouped subquery")
            );
        }
        let data_type = subquery.subquery.schema().field(0).data_type().clone();
        let slot = Arc::new(ScalarSlot::new(data_type));
        plans.push((plan_part(&subquery.subquery, options, shared)?, slot.clone()));
        slots.insert(&subquery, slot);
    }
    Ok((plans, slots))
}
