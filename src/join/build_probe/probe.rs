//! The operator on the probe side: looks chunks up and lets [`Matching`] put the output together.
//!
//! Rows of spilled partitions go to that partition's file instead and are joined when the probe
//! input is drained. A row whose key is NULL matches nothing and need not wait: it stays.

use super::super::hash_table::NO_MATCH;
use super::matching::Input;
use super::spill::{PartitionBuffer, Route};
use super::{Block, CrossKeys, Joint, Matching, Method};
use crate::column::{Chunk, Column, DictColumn, Selection};
use crate::error::{Error, Result};
use crate::exec::{Operator, OperatorTask, QueryContext, Step, TaskContext};
use arrow::array::{Array, ArrayRef};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A dictionary may have this many times the rows of a chunk for its values to be looked up: it
/// serves all chunks of a row group, a dozen of them. Guessed, as in the key encoder.
const CODED_SHARE: usize = 4;

/// See the module.
pub(super) struct Probe {
    joint: Arc<Joint>,
}

impl Probe {
    pub(super) fn new(joint: Arc<Joint>) -> Self {
        Self { joint }
    }
}

impl Operator for Probe {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn OperatorTask>> {
        Ok(Box::new(ProbeTask {
            joint: self.joint.clone(),
            matching: None,
            buffer: PartitionBuffer::default(),
            ended: false,
            chunk_rows: task.query.chunk_rows,
        }))
    }
}

struct ProbeTask {
    joint: Arc<Joint>,
    matching: Option<Matching>,
    buffer: PartitionBuffer,
    ended: bool,
    chunk_rows: usize,
}

impl Joint {
    /// A probe chunk against a block.
    pub(super) fn matching(
        self: &Arc<Self>,
        block: &Arc<Block>,
        probe: Chunk,
        earlier: Option<(Vec<bool>, Vec<bool>)>,
    ) -> Result<Matching> {
        let rows = probe.rows();
        let columns = self.probe.keys.columns(&probe)?;
        let mut ranges = match (self.method, columns.as_slice()) {
            (Method::Hash, [Column::Dict(dict)]) => self.coded_ranges(block, dict)?,
            _ => None,
        };
        let mut keys = None;
        if ranges.is_none() || self.assembler.shape.null_aware {
            let encoded = self.probe.keys.encode(&columns, rows)?;
            if self.method == Method::Hash && ranges.is_none() {
                ranges = Some(block.table.lookup(&encoded));
            }
            keys = Some(encoded);
        }
        let cross = CrossKeys::of(&self.probe, &probe)?;
        let input = Input { probe, ranges, direct: false, keys, cross, earlier };
        Ok(Matching::new(self.clone(), block.clone(), input))
    }

    /// The matches of an only key that comes as codes: every value of the dictionary is looked up
    /// once, not every row. None where the dictionary is so large that this would be more work.
    fn coded_ranges(&self, block: &Block, dict: &DictColumn) -> Result<Option<Vec<(u32, u32)>>> {
        let values = dict.dictionary().values().len();
        if values > dict.codes().len().saturating_mul(CODED_SHARE) || self.probe.keys.has_null_equals() {
            return Ok(None);
        }
        let look_up = |values: &ArrayRef| Ok(block.table.lookup(&self.probe.keys.encode_values(values)?));
        let found: Arc<Vec<(u32, u32)>> = dict.dictionary().remember(block.memo, look_up)?;
        let codes = dict.codes();
        Ok(Some(match codes.null_count() {
            0 => codes.values().iter().map(|code| found[*code as usize]).collect(),
            _ => (0..codes.len()).map(|row| dict.code(row).map_or(NO_MATCH, |code| found[code as usize])).collect(),
        }))
    }

    /// Sends the rows of spilled partitions to their files; the rest is returned.
    fn divert(&self, chunk: Chunk, buffer: &mut PartitionBuffer, query: &QueryContext) -> Result<Chunk> {
        let mask = self.spilled_mask();
        if mask == 0 {
            return Ok(chunk);
        }
        let rows = chunk.rows();
        let keys = self.probe.keys.keys(&chunk)?;
        let hashes = keys.data.hash(0, rows, query.constant_hash);
        let route = |row: usize| if keys.is_valid(row) { Route::To(self.place(hashes[row])) } else { Route::Stay };
        let columns = chunk.stored(&self.probe.schema)?;
        let on = super::spill::Surroundings { query, metrics: &self.metrics };
        let stay = buffer.route(&columns, rows, mask, route, &self.probe_files, on)?;
        if stay.len() == rows {
            return Ok(chunk);
        }
        chunk.select(&Arc::new(Selection::from_indices(stay)))
    }
}

impl OperatorTask for ProbeTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<()> {
        let joint = &self.joint;
        joint.counters.probe_rows.add(chunk.rows() as u64);
        if joint.assembler.shape.null_aware && chunk.rows() > 0 {
            joint.seen.probe_rows.store(true, Ordering::Relaxed);
            if joint.method == Method::Hash && joint.probe.keys.keys(&chunk)?.has_null() {
                joint.seen.probe_null.store(true, Ordering::Relaxed);
            }
        }
        let chunk = joint.divert(chunk, &mut self.buffer, &task.query)?;
        if chunk.rows() > 0 {
            let block = joint.block.lock().clone();
            let block = block.ok_or_else(|| Error::internal("a join is probed before it is built"))?;
            self.matching = Some(joint.matching(&block, chunk, None)?);
        }
        Ok(())
    }

    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        if let Some(matching) = &mut self.matching {
            match matching.next(task)? {
                Step::Done => self.matching = None,
                step => return Ok(step),
            }
        }
        Ok(if self.ended { Step::Done } else { Step::NeedInput })
    }

    fn end_of_input(&mut self, task: &TaskContext) -> Result<()> {
        self.ended = true;
        let on = super::spill::Surroundings { query: &task.query, metrics: &self.joint.metrics };
        self.buffer.flush(&self.joint.probe_files, on)
    }

    fn split(&mut self) -> Option<Box<dyn OperatorTask>> {
        let half = self.matching.as_mut()?.split(self.chunk_rows)?;
        self.joint.counters.handed_over.add(1);
        Some(Box::new(ProbeTask {
            joint: self.joint.clone(),
            matching: Some(half),
            buffer: PartitionBuffer::default(),
            ended: true,
            chunk_rows: self.chunk_rows,
        }))
    }
}
