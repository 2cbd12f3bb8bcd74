//! What a join puts out when its probe input is drained: unmatched build rows, then the partitions
//! that went to disk.
//!
//! ```text
//!   block in memory ──> unmatched build rows, a morsel a worker
//!   spilled: [build file, probe file] [..] [..] ──> a join each (`partition`)
//! ```

use super::super::assemble::Kept;
use super::partition::{Partition, PartitionJoin};
use super::{Block, Joint};
use crate::error::Result;
use crate::exec::{Cursor, Source, Step, TaskContext};
use std::collections::VecDeque;
use std::sync::Arc;

/// Build rows that one cursor looks through.
const MORSEL_ROWS: usize = 1 << 16;

/// What is left to do, shared by the tasks.
pub(super) struct Todo {
    /// The first build row nobody has looked at.
    next_row: usize,
    block: Option<Arc<Block>>,
    pub(super) partitions: VecDeque<Partition>,
}

/// See the module.
pub(super) struct Leftovers {
    joint: Arc<Joint>,
}

impl Leftovers {
    pub(super) fn new(joint: Arc<Joint>) -> Self {
        Self { joint }
    }
}

impl Source for Leftovers {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let joint = &self.joint;
        let mut slot = joint.leftovers.lock();
        if slot.is_none() {
            let block = joint.block.lock().take().filter(|_| joint.tracks_build());
            let mut partitions = VecDeque::new();
            for at in 0..joint.build_files.len() {
                let (build, probe) = (joint.build_files.take(at)?, joint.probe_files.take(at)?);
                // Rows that no probe row meets matter only if they come out by themselves.
                if probe.is_some() || build.is_some() && joint.tracks_build() {
                    // One key has a partition of its own: it cannot be cut.
                    let stuck = at >= joint.partitions;
                    let partition = Partition { build, probe, level: 0, stuck, reversed: false };
                    partitions.push_back(partition.smaller_built(joint));
                }
            }
            *slot = Some(Todo { next_row: 0, block, partitions });
        }
        let Some(todo) = slot.as_mut() else { return Ok(None) };
        if let Some(block) = todo.block.clone() {
            let from = todo.next_row;
            let to = (from + MORSEL_ROWS).min(block.rows);
            todo.next_row = to;
            if to == block.rows {
                todo.block = None;
            }
            return Ok(Some(Box::new(Unmatched::new(joint.clone(), block, from, to))));
        }
        let Some(partition) = todo.partitions.pop_front() else { return Ok(None) };
        Ok(Some(Box::new(PartitionJoin::new(joint, partition, task.query.chunk_rows.max(1)))))
    }
}

/// Build rows that come out by themselves.
pub(in crate::join) struct Unmatched {
    joint: Arc<Joint>,
    block: Arc<Block>,
    /// The first row not looked at.
    from: usize,
    to: usize,
    kept: Kept,
    at: usize,
}

impl Unmatched {
    /// The rows of `block` from `from` to `to`.
    pub(in crate::join) fn new(joint: Arc<Joint>, block: Arc<Block>, from: usize, to: usize) -> Self {
        Self { joint, block, from, to, kept: Kept::default(), at: 0 }
    }
}

impl Cursor for Unmatched {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        if self.at >= self.kept.rows.len() {
            if self.from >= self.to {
                return Ok(Step::Done);
            }
            let to = (self.from + MORSEL_ROWS).min(self.to);
            self.kept = self.joint.kept_build(&self.block, self.from, to);
            (self.from, self.at) = (to, 0);
            return Ok(Step::Yield);
        }
        let (rows, marks) = self.kept.piece(self.at, task.query.chunk_rows.max(1));
        self.at += rows.len();
        Ok(Step::Chunk(self.joint.assembler.build_rows(&self.block.columns, rows, marks)?))
    }
}
