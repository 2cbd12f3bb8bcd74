//! Outputs: files that appear whole or not at all.
//!
//! ```text
//!   chunks ─> Writer (sink) ─> part files ─┐   <root>/.skep-staging/<id>/data      ... not yet visible
//!                                           └─ Job::commit ─ journal ─ moves ─> the target
//!                                                             ^ from here on it is done
//! ```
//!
//! - [`Job`]: staging, the journal that is the commit, the moves that carry it out, recovery.
//! - [`Writer`] and [`WriteNode`]: the sink that writes files, in parallel, into `key=value` directories,
//!   files of buckets and sorted files where asked to ([`Arrangement`]). A format is one file and one
//!   line in `encode`.
//!
//! The promise: after a kill at any point and, where the disk honours fsync, after a power loss,
//! the next access finds the old state or the new one. One writer a target; local file systems.

mod arrangement;
mod batches;
mod dynamic;
mod encode;
mod file;
mod grouping;
mod job;
mod journal;
mod options;
mod ordered;
mod row_groups;
mod sink;
mod staging;
mod text;

pub use arrangement::{Arrangement, OutputBuckets, OutputOrder, check_bucket_column};
pub use job::{Job, Publication, recover, settle};
pub use options::OutputOptions;
pub use sink::{WriteNode, Writer, WrittenFile};
