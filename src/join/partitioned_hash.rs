//! Both sides cut by the hash of their keys; partitions that do not fit go to disk.
//!
//! The build side starts in memory. When its memory is used up, a quarter of the partitions moves to
//! disk, then another; probe rows of partitions in memory are joined as they stream by, the others
//! follow theirs to disk. When the probe side is drained, each pair of files is a join of its own,
//! cut further by the next bits of the hash while it is too large.
//!
//! ```text
//!   build  [0][1][2][3]      0, 1 -> files      probe row of 2: joined now
//!           d  d  m  m       2, 3 -> table      probe row of 0: -> file 0, joined later
//! ```
//!
//! Cost: as a broadcast join for the share in memory; the rest is written and read once a level. NULL
//! keys under `=` match nothing and never follow a partition on the probe side. The probe side of
//! partitions in memory is not cut at all: on one machine it costs more than the cache misses it saves
//! (Bandle, Giceva, Neumann: To Partition, or Not to Partition, SIGMOD 2021).

use super::build_probe::{BuildProbeNode, Method};
use super::cost::Size;
use super::{Choice, JoinRequest};
use crate::error::Result;

/// The plan node.
pub(super) fn node(request: JoinRequest, choice: &Choice) -> Result<BuildProbeNode> {
    let partitions = partitions(&request, choice);
    BuildProbeNode::new("PartitionedHashJoin", Method::Hash, request, choice, partitions)
}

/// More partitions the more the build side is expected to exceed the memory, so that each fits.
pub(super) fn partitions(request: &JoinRequest, choice: &Choice) -> usize {
    let build = if choice.build_left { &request.left } else { &request.right };
    let share = Size::of(build).table_bytes() / (request.memory_limit.max(1) as f64);
    (share * 8.0).clamp(16.0, 32.0) as usize
}
