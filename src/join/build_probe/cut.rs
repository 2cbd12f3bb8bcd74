//! Cuts a spilled partition that is still too large by the next bits of the hash.
//!
//! ```text
//!   build file ──┐ hash bits 6..12 (level 1), 12..18 (level 2), ..  ──> 16 build files
//!   probe file ──┘                                                  ──> 16 probe files
//! ```
//!
//! Cost: both files are read and written once. A part with all of the build rows cannot be cut
//! further and says so. NULL keys are not here: they have a partition of their own.

use super::Joint;
use super::partition::Partition;
use super::spill::{PartitionBuffer, PartitionFiles, Route, Surroundings};
use crate::column::{Chunk, storage_schema};
use crate::error::Result;
use crate::exec::TaskContext;
use crate::exec::spill::{SpillReader, SpillRun};

/// Parts that a spilled partition is cut into.
const FAN_OUT: usize = 16;

/// Cuts both files of a partition by the next bits of the hash, a block at a step.
pub(super) struct Cutter {
    level: u32,
    build_rows: u64,
    build: Option<SpillReader>,
    probe: Option<SpillReader>,
    build_files: PartitionFiles,
    probe_files: PartitionFiles,
    buffer: PartitionBuffer,
}

impl Cutter {
    pub(super) fn new(joint: &Joint, partition: &Partition) -> Result<Self> {
        let read = |run: &Option<SpillRun>| run.as_ref().map(SpillRun::read).transpose();
        Ok(Self {
            level: partition.level + 1,
            build_rows: partition.build.as_ref().map_or(0, SpillRun::rows),
            build: read(&partition.build)?,
            probe: read(&partition.probe)?,
            build_files: PartitionFiles::new(storage_schema(&joint.build.schema), FAN_OUT),
            probe_files: PartitionFiles::new(storage_schema(&joint.probe.schema), FAN_OUT),
            buffer: PartitionBuffer::default(),
        })
    }

    /// One block of either file; false when both are done.
    pub(super) fn step(&mut self, joint: &Joint, task: &TaskContext) -> Result<bool> {
        let on = Surroundings { query: &task.query, metrics: &joint.metrics };
        let Self { level, build, probe, build_files, probe_files, buffer, .. } = self;
        let (reader, files, keys) = match (&mut *build, &mut *probe) {
            (Some(reader), _) => (reader, &*build_files, &joint.build.keys),
            (None, Some(reader)) => (reader, &*probe_files, &joint.probe.keys),
            (None, None) => return Ok(false),
        };
        let Some(batch) = reader.next()? else {
            buffer.flush(files, on)?;
            if build.take().is_none() {
                *probe = None;
            }
            return Ok(true);
        };
        let rows = batch.num_rows();
        let chunk = Chunk::from_arrays(batch.columns().to_vec(), rows);
        let hashes = keys.keys(&chunk)?.data.hash(0, rows, task.query.constant_hash);
        let route = |row: usize| Route::To(Joint::partition(hashes[row], *level, FAN_OUT));
        buffer.route(batch.columns(), rows, u64::MAX, route, files, on)?;
        Ok(true)
    }

    pub(super) fn finish(&mut self) -> Result<Vec<Partition>> {
        let mut parts = Vec::new();
        for part in 0..FAN_OUT {
            let (build, probe) = (self.build_files.take(part)?, self.probe_files.take(part)?);
            if build.is_some() || probe.is_some() {
                let stuck = build.as_ref().is_some_and(|build| build.rows() == self.build_rows);
                parts.push(Partition { build, probe, level: self.level, stuck, reversed: false });
            }
        }
        Ok(parts)
    }
}
