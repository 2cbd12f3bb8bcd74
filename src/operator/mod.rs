//! Operators over rows that are neither joins nor aggregates: one file (or folder) each.

mod expand;
mod filter;
mod limit;
mod project;
mod row_wise;
pub mod scan;
mod shared;
mod sort;
mod subquery;
mod union;
mod values;

pub use expand::{ExpandNode, GroupingSet};
pub use filter::FilterNode;
pub use limit::LimitNode;
pub use project::ProjectNode;
pub use shared::{SharedNode, SharedPlan};
pub use sort::{SortKey, SortNode};
pub use subquery::SubqueryNode;
pub use union::UnionNode;
pub use values::ValuesNode;

#[cfg(test)]
mod tests;
