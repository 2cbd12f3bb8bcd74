//! Hot keys apart from the rest: no key's rows are one worker's burden, in memory or on disk.
//!
//! Whether a row matches depends on its key alone, so rows of a hot key can be joined by themselves
//! whatever the kind of join. Hot keys come from a hint, or from a sketch of the build side's keys
//! ([`super::hot_keys`]), or from the finished table. Each gets a partition of its own, which goes to
//! disk last; the rest is a [`super::partitioned_hash`] join.
//!
//! ```text
//!   build   7 7 7 7 3 9 ..      7: [ rows side by side ]      3, 9, ..: table, files
//!   probe   7 3 7 ..            7: every row x slices of the build rows, on every worker
//!   on disk 7: build [block 0][block 1] ..   each block: the probe file cut among the workers,
//!                                            match bits kept from block to block
//! ```
//!
//! - In memory: a hot key's build rows are copied side by side once, and a pair's columns are then a
//!   slice of them beside one repeated probe value: nothing is copied a pair. A probe chunk's pairs
//!   are cut in half for any worker that is idle, between two pairs if need be.
//! - Hot on both sides and larger than memory: the build rows come block by block, and each block
//!   meets the probe rows as a cross product, sliced over the workers.
//! - NULL, the commonest hot key, matches nothing under `=`: rows with it stay out of the table; on a
//!   preserved build side they have a file of their own, which nobody probes.
//!
//! Cost: that of a hash join, the sample (a 64th of the build rows), one copy of the hot build
//! rows. After DeWitt, Naughton, Schneider, Seshadri: Practical Skew Handling in Parallel Joins, VLDB
//! 1992, section 3; on one machine nothing is sent, so that slicing is a matter of who takes what.

use super::build_probe::{BuildProbeNode, Method};
use super::{Choice, JoinRequest, partitioned_hash};
use crate::error::Result;

/// The plan node.
pub(super) fn node(request: JoinRequest, choice: &Choice) -> Result<BuildProbeNode> {
    let partitions = partitioned_hash::partitions(&request, choice);
    BuildProbeNode::new("SkewAwareJoin", Method::Hash, request, choice, partitions)
}
