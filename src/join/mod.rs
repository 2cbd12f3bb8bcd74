//! Joins: strategies, the choice between them, and how each runs.
//!
//! `choose` asks every strategy of the table [`Strategy::ALL`] for a [`Verdict`] on a
//! [`JoinRequest`]; the lowest estimated time wins, ties go by the table's order. [`plan`] turns the
//! choice into a plan node.
//!
//! ```text
//!   broadcast_hash   \                        one side collected, the other streamed past it;
//!   partitioned_hash  > build_probe machinery   spills partition by partition, recurses,
//!   nested_loop      /                        goes block by block where a partition cannot shrink
//!   sort_merge         both sides sorted into runs, merged
//!   parts              either of partitioned_hash and sort_merge in each part of co-partitioned inputs
//!   skew_aware         partitioned_hash, with hot keys apart
//! ```
//!
//! Output columns are the left ones followed by the right ones; semi and anti joins put out one
//! side's only, mark joins one side's and a boolean `mark`.

mod assemble;
mod broadcast_hash;
mod build_probe;
mod choose;
mod cost;
mod hash_table;
mod hint;
mod hot_keys;
mod keys;
mod nested_loop;
mod partitioned_hash;
mod parts;
pub mod reference;
mod runtime_filter;
mod shape;
mod skew_aware;
mod sort_merge;

pub use choose::{Choice, Fact, Strategy, Verdict, choose, may_spill};
pub use hint::{Asked, Hint, SkewedColumns};
pub use hot_keys::HotKey;
pub use runtime_filter::RuntimeFilter;
pub use shape::JoinKind;

use crate::error::Result;
use crate::exec::PlanRef;
use crate::expr::ExprRef;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// One equality of a join condition. Both sides have the same SQL type.
#[derive(Debug, Clone)]
pub struct JoinKey {
    /// Over the left input's columns.
    pub left: ExprRef,
    /// Over the right input's columns.
    pub right: ExprRef,
    /// `<=>`: NULL equals NULL. Otherwise `=`: NULL equals nothing.
    pub null_equals: bool,
}

/// What the planner wants joined.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// What comes out.
    pub kind: JoinKind,
    /// The left input.
    pub left: PlanRef,
    /// The right input.
    pub right: PlanRef,
    /// Equalities, all of which must hold.
    pub keys: Vec<JoinKey>,
    /// A further condition over the left columns followed by the right columns.
    pub residual: Option<ExprRef>,
    /// `NOT IN` (anti and mark joins): a NULL key makes the outcome unknown. The first key is the
    /// comparison of `IN`; others are correlations, which a NULL makes false.
    pub null_aware: bool,
    /// SQL types of the output.
    pub schema: SchemaRef,
    /// Rows expected to come out.
    pub estimated_rows: f64,
    /// Filters in scans below the left input, each with the key it concerns.
    pub left_filters: Vec<(usize, Arc<RuntimeFilter>)>,
    /// Filters in scans below the right input.
    pub right_filters: Vec<(usize, Arc<RuntimeFilter>)>,
    /// Keys known to be hot.
    pub hot_keys: Vec<HotKey>,
    /// The strategy that a hint asks for; one that cannot be followed is a warning.
    pub asked: Option<Asked>,
    /// The strategy that settings ask for; one that cannot be followed is an error.
    pub forced: Option<Strategy>,
    /// Bytes the query may hold.
    pub memory_limit: usize,
    /// Workers.
    pub threads: usize,
}

/// The plan node of the strategy that `choose` picks.
///
/// # Errors
/// When a forced strategy cannot do the join, or the key types cannot be compared.
pub fn plan(request: JoinRequest) -> Result<PlanRef> {
    let choice = choose(&request)?;
    plan_as(request, choice)
}

/// The plan node of a choice that `choose` made for `request`.
///
/// # Errors
/// When the key types cannot be compared.
pub fn plan_as(request: JoinRequest, choice: Choice) -> Result<PlanRef> {
    if let Some(parts) = parts::plan_for(choice.strategy, &request) {
        return Ok(Arc::new(parts::PartJoinNode::new(request, &choice, parts)?));
    }
    match choice.strategy {
        Strategy::SortMerge => Ok(Arc::new(sort_merge::SortMergeNode::new(request, &choice)?)),
        Strategy::BroadcastHash => Ok(Arc::new(broadcast_hash::node(request, &choice)?)),
        Strategy::PartitionedHash => Ok(Arc::new(partitioned_hash::node(request, &choice)?)),
        Strategy::SkewAware => Ok(Arc::new(skew_aware::node(request, &choice)?)),
        Strategy::NestedLoop => Ok(Arc::new(nested_loop::node(request, &choice)?)),
    }
}
