//! Operators over rows that are neither joins nor aggregates: one file (or folder) each.

mod expand;
mod filter;
mod generate;
mod limit;
mod project;
mod range;
mod recursive;
mod row_wise;
pub mod scan;
mod shared;
mod sort;
mod subquery;
mod union;
mod values;
mod window;

pub use expand::{ExpandNode, GroupingSet};
pub use filter::FilterNode;
pub use generate::{GenerateNode, Generator};
pub use limit::LimitNode;
pub use project::ProjectNode;
pub use range::RangeNode;
pub use recursive::{Recursion, RecursiveNode, WorkNode, WorkRows};
pub use shared::{SharedNode, SharedPlan};
pub use sort::{DistributeNode, SortKey, SortNode, TopKFilter, in_order};
pub use subquery::SubqueryNode;
pub use union::UnionNode;
pub use values::ValuesNode;
pub use window::{Bound, Distance, Frame, Place, Units, WindowCall, WindowFunction, WindowNode, functions as window_functions};

#[cfg(test)]
mod tests;
