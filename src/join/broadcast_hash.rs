//! One side in a table that all workers share, the other streams past it.
//!
//! ```text
//!   small side ──> table <── lookup ── large side, one chunk after another, on every worker
//! ```
//!
//! The collected side is read once and stays in memory; the streamed side is never materialised and
//! keeps its own order within a chunk. Should the collected side outgrow its memory after all, some
//! of its partitions go to disk and the join is a partitioned one for those
//! ([`super::partitioned_hash`]). Cost: one insertion a build row and one lookup a probe row. NULL
//! under `=` is never in the table and never looked up. For tables and matching see
//! [`super::hash_table`] and [`super::build_probe`].

use super::build_probe::{BuildProbeNode, Method};
use super::{Choice, JoinRequest};
use crate::error::Result;

/// Partitions that the collected side is cut into if it must be: few, as it was expected to fit.
const PARTITIONS: usize = 16;

/// The plan node.
pub(super) fn node(request: JoinRequest, choice: &Choice) -> Result<BuildProbeNode> {
    BuildProbeNode::new("HashJoin", Method::Hash, request, choice, PARTITIONS)
}
