//! Aggregation: GROUP BY, DISTINCT, and aggregates over the whole input.
//!
//! ```text
//!   chunks ─> local ─┐                            task: keys ─> table ─> accumulators
//!   chunks ─> local ─┴─ scatter ─> partition p ─> merge ─> output      (first stage, then second)
//! ```
//!
//! - [`functions()`]: what SQL may call, for the binder.
//! - [`AggregateCall`], [`AggregateNode`]: the plan; [`choose()`]: which strategy and why.
//! - `spec`: calls broken down into accumulators. `local`: one task's table. `node`: sink and source.
//! - `parts`: the same once a part, where the input's layout keeps groups together.
//! - `keys`, `codes`, `table`: from key columns to group numbers. `accumulators`: the states.

mod accumulators;
mod choose;
mod codes;
mod fold;
mod functions;
mod keys;
mod local;
mod node;
mod parts;
mod single_value;
mod sketch_functions;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod value_functions;

pub use choose::{AggregateRequest, Choice, Strategy, Verdict, choose};
pub use fold::fold;
pub use functions::{Ordering, functions, ordering};
pub use node::AggregateNode;
pub use single_value::single_value;

use crate::expr::ExprRef;
use arrow::datatypes::FieldRef;
use datafusion_expr::AggregateUDF;
use std::sync::Arc;

/// One aggregate function applied to arguments.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// The function, one of [`functions()`]; it runs by its name.
    pub function: Arc<AggregateUDF>,
    /// Its arguments over the input's columns, in the types the function coerces to.
    pub arguments: Vec<ExprRef>,
    /// Whether it sees every distinct tuple of arguments once.
    pub distinct: bool,
    /// Rows for which this is not true are left out.
    pub filter: Option<ExprRef>,
    /// The keys of WITHIN GROUP, which is one of the arguments as well.
    pub order: Vec<CallOrder>,
    /// Values that are NULL are passed over.
    pub ignore_nulls: bool,
    /// Name, SQL type and nullability of the result.
    pub field: FieldRef,
}

/// What the values of an aggregate are ordered by.
#[derive(Debug, Clone)]
pub struct CallOrder {
    /// The key.
    pub expr: ExprRef,
    /// The largest first.
    pub descending: bool,
    /// NULLs before everything else.
    pub nulls_first: bool,
}

impl AggregateCall {
    /// SQL-like text: `sum(DISTINCT x) FILTER (WHERE y)`.
    pub fn describe(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(|argument| argument.describe()).collect();
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let filter = self.filter.as_ref().map_or(String::new(), |filter| format!(" FILTER (WHERE {})", filter.describe()));
        format!("{}({distinct}{}){filter}", self.function.name(), arguments.join(", "))
    }
}
