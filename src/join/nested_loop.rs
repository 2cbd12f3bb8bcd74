//! Every row of one side against every row of the other: for conditions without an equality.
//!
//! ```text
//!   probe chunk  x  all build rows  ──> batches of chunk_rows pairs ──> condition ──> pairs
//! ```
//!
//! The smaller side is collected; pairs are made in batches no larger than a chunk, as row numbers
//! only, and the condition's columns are copied for the batch alone, so memory does not grow with
//! the number of pairs. A task can stop after any batch and give half of its rows away. Equalities
//! are compared on encoded keys before the rest of the condition is evaluated. When the collected side
//! outgrows its memory both sides go to disk and it is taken block by block.
//!
//! Cost: rows times rows. NULL in the condition is not true. This is also the home of NOT IN with a
//! further condition, where a NULL on either side must be met with exactly the rows that meet the
//! condition.

use super::build_probe::{BuildProbeNode, Method};
use super::{Choice, JoinRequest};
use crate::error::Result;

/// The plan node.
pub(super) fn node(request: JoinRequest, choice: &Choice) -> Result<BuildProbeNode> {
    let name = if request.keys.is_empty() && request.residual.is_none() { "CrossJoin" } else { "NestedLoopJoin" };
    BuildProbeNode::new(name, Method::Cross, request, choice, 1)
}
