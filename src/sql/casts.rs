//! Names of aggregates over casts.
//!
//! The borrowed names leave casts out: `max(CAST(x AS INT))` and `max(CAST(x AS DOUBLE))` are both called
//! `max(x)`, and two columns of one name are refused. So an argument with a cast in it is given a name that
//! spells the cast; what the user sees as the column's name is made elsewhere and does not change.

use datafusion_common::Result;
use datafusion_common::tree_node::TreeNode;
use datafusion_expr::Expr;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};

/// Names the arguments of aggregates that have casts.
#[derive(Debug)]
pub(super) struct CastNames;

impl ExprPlanner for CastNames {
    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        // grouping() finds its column among those of GROUP BY, which have no such names.
        if !matches!(expr.func.name(), "grouping" | "grouping_id") {
            expr.args = expr.args.into_iter().map(named).collect();
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn named(argument: Expr) -> Expr {
    let has_cast = argument.exists(|part| Ok(matches!(part, Expr::Cast(_) | Expr::TryCast(_)))).unwrap_or(false);
    match has_cast {
        true => {
            let name = argument.to_string();
            argument.alias(name)
        }
        false => argument,
    }
}
