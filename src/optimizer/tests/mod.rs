//! Plans asserted over TPC-H's tables as [`fixture`] describes them.

mod estimates;
mod fixture;
mod orders;
mod subqueries;

use super::{OptimizeOptions, optimize};
use datafusion_expr::LogicalPlan;

/// `sql` optimised with the default options.
fn optimized(sql: &str) -> LogicalPlan {
    optimize(fixture::Provider::new().bind(sql), &OptimizeOptions::default()).unwrap()
}

/// The plan as indented text.
fn text(plan: &LogicalPlan) -> String {
    plan.display_indent().to_string()
}
