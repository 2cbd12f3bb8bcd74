//! Filters towards the scans, but not below an aggregate of all rows.
//!
//! `SELECT .. FROM (SELECT count(*) FROM t) WHERE (SELECT max(x) FROM u) > 1` has a condition without columns.
//! The borrowed rule lets it pass every aggregate, since all of its columns are keys; but an aggregate
//! without keys gives its row for no rows as well, and the condition would be lost.

use datafusion_common::Result;
use datafusion_common::tree_node::Transformed;
use datafusion_expr::LogicalPlan;
use datafusion_expr::utils::grouping_set_to_exprlist;
use datafusion_optimizer::optimizer::ApplyOrder;
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::{OptimizerConfig, OptimizerRule};

/// The borrowed rule, held back where it would be wrong.
#[derive(Debug, Default)]
pub(super) struct PushFilters(PushDownFilter);

impl OptimizerRule for PushFilters {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Filter(_) = &plan
            && is_total(below_filters(&plan))?
        {
            return Ok(Transformed::no(plan));
        }
        self.0.rewrite(plan, config)
    }
}

fn below_filters(mut plan: &LogicalPlan) -> &LogicalPlan {
    while let LogicalPlan::Filter(filter) = plan {
        plan = &filter.input;
    }
    plan
}

/// Whether a plan aggregates all of its rows to one, those of no rows included.
fn is_total(plan: &LogicalPlan) -> Result<bool> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Ok(grouping_set_to_exprlist(&aggregate.group_expr)?.is_empty()),
        _ => Ok(false),
    }
}
