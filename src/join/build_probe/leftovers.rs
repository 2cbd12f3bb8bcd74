//! What a join puts out when its probe input is drained: unmatched build rows, then the partitions
//! that went to disk.
//!
//! A spilled partition is a join of its own: its build file becomes a block and its probe file is
//! streamed past. When the build file does not fit either, both files are cut by the next six bits
//! of the hash and each part queued again. When cutting does not help, because the partition is one
//! key, the build file is taken block by block and the probe file is read once for each:
//!
//! ```text
//!            block 0     block 1     block 2          after the last block
//!   probe    pairs       pairs       pairs            probe rows by themselves, from the bits
//!   bits     |= matched  |= matched  |= matched       that were kept across blocks
//!   build    unmatched rows of a block come out when all probe rows have met it
//! ```
//!
//! Cost: every spilled row is written and read once a level, the probe file once a block. After
//! Nakayama, Kitsuregawa, Takagi: Hash-partitioned join method using dynamic destaging strategy,
//! VLDB 1988.

use super::super::assemble::{Kept, kept};
use super::super::shape::Keep;
use super::spill::{PartitionBuffer, PartitionFiles, Surroundings};
use super::{Block, Joint, Matching, Method};
use crate::column::{Chunk, array_bytes, storage_schema};
use crate::error::{Error, Result};
use crate::exec::spill::{SpillReader, SpillRun};
use crate::exec::{Cursor, Source, Step, TaskContext};
use arrow::array::{ArrayRef, RecordBatch};
use std::collections::VecDeque;
use std::sync::Arc;

/// Build rows that one cursor looks through.
const MORSEL_ROWS: usize = 1 << 16;
/// Parts that a spilled partition is cut into.
const FAN_OUT: usize = 16;
/// Deepest level: with six bits each the levels use the lower 36 bits of the hash.
const LEVEL_MAX: u32 = 5;
/// Bytes a row takes in a table besides its columns. Computed as in the build sink, key included.
const TABLE_BYTES_ROW: usize = 36;

/// What is left to do, shared by the tasks.
pub(super) struct Todo {
    /// The first build row nobody has looked at.
    next_row: usize,
    block: Option<Arc<Block>>,
    partitions: VecDeque<Partition>,
}

/// Rows of one partition of both sides.
struct Partition {
    build: Option<SpillRun>,
    probe: Option<SpillRun>,
    level: u32,
    /// Cutting it did not make it smaller.
    stuck: bool,
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
    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let joint = &self.joint;
        let mut slot = joint.leftovers.lock();
        if slot.is_none() {
            let block = joint.block.lock().take().filter(|_| joint.tracks_build());
            let mut partitions = VecDeque::new();
            for partition in 0..joint.partitions {
                let (build, probe) = (joint.build_files.take(partition)?, joint.probe_files.take(partition)?);
                if build.is_some() || probe.is_some() {
                    partitions.push_back(Partition { build, probe, level: 0, stuck: false });
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
        Ok(Some(Box::new(PartitionJoin {
            joint: joint.clone(),
            partition,
            phase: Phase::Load,
            build: None,
            carried: None,
            found: Default::default(),
            many: false,
        })))
    }
}

/// Build rows that come out by themselves.
pub(in crate::join) struct Unmatched {
    joint: Arc<Joint>,
    block: Arc<Block>,
    from: usize,
    to: usize,
    kept: Kept,
    at: usize,
    looked: bool,
}

impl Unmatched {
    /// The rows of `block` from `from` to `to`.
    pub(in crate::join) fn new(joint: Arc<Joint>, block: Arc<Block>, from: usize, to: usize) -> Self {
        Self { joint, block, from, to, kept: Kept::default(), at: 0, looked: false }
    }
}

impl Cursor for Unmatched {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        if !self.looked {
            self.kept = self.joint.kept_build(&self.block, self.from, self.to);
            self.looked = true;
        }
        if self.at >= self.kept.rows.len() {
            return Ok(Step::Done);
        }
        let (rows, marks) = self.kept.piece(self.at, task.query.chunk_rows.max(1));
        self.at += rows.len();
        Ok(Step::Chunk(self.joint.assembler.build_rows(&self.block.columns, rows, marks)?))
    }
}

/// The join of one spilled partition.
struct PartitionJoin {
    joint: Arc<Joint>,
    partition: Partition,
    phase: Phase,
    build: Option<SpillReader>,
    /// Read from the build file, to go into the next block.
    carried: Option<RecordBatch>,
    /// What is known of the probe file's rows (matched, unknown), when there are several blocks.
    found: (Vec<bool>, Vec<bool>),
    many: bool,
}

enum Phase {
    /// Fill a block from the build file.
    Load,
    /// Cut both files.
    Cut(Box<Cutter>),
    /// Stream the probe file past the block.
    Probe {
        block: Arc<Block>,
        reader: Option<SpillReader>,
        matching: Option<Box<Matching>>,
        base: usize,
        rows: usize,
    },
    /// Build rows by themselves.
    KeepBuild {
        rows: Box<Unmatched>,
    },
    /// Probe rows by themselves, after several blocks.
    KeepProbe {
        reader: Option<SpillReader>,
        base: usize,
        now: Option<(Chunk, Kept, usize)>,
    },
    Done,
}

impl Cursor for PartitionJoin {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        match &mut self.phase {
            Phase::Load => {
                self.load(task)?;
                Ok(Step::Yield)
            }
            Phase::Cut(cutter) => {
                if cutter.step(&self.joint, task)? {
                    return Ok(Step::Yield);
                }
                let parts = cutter.finish()?;
                if let Some(todo) = self.joint.leftovers.lock().as_mut() {
                    todo.partitions.extend(parts);
                }
                self.phase = Phase::Done;
                Ok(Step::Done)
            }
            Phase::Probe { .. } => self.probe(task),
            Phase::KeepBuild { rows } => {
                let step = rows.next(task)?;
                if !matches!(step, Step::Done) {
                    return Ok(step);
                }
                self.phase = if self.carried.is_some() {
                    Phase::Load
                } else if self.many && self.joint.assembler.shape.probe != Keep::None {
                    Phase::KeepProbe { reader: self.read_probe()?, base: 0, now: None }
                } else {
                    Phase::Done
                };
                Ok(Step::Yield)
            }
            Phase::KeepProbe { .. } => self.keep_probe(task),
            Phase::Done => Ok(Step::Done),
        }
    }
}

impl PartitionJoin {
    fn read_probe(&self) -> Result<Option<SpillReader>> {
        self.partition.probe.as_ref().map(SpillRun::read).transpose()
    }

    fn load(&mut self, task: &TaskContext) -> Result<()> {
        let query = &task.query;
        if self.build.is_none() {
            self.build = self.partition.build.as_ref().map(SpillRun::read).transpose()?;
        }
        let mut memory = query.memory.reserve(Some(self.joint.metrics.clone()));
        let mut chunks: Vec<Vec<ArrayRef>> = Vec::new();
        let mut rows = 0;
        // The test setting makes partitions too large when they have a few rows, so that cutting
        // and blocks are met.
        let rows_max = if query.always_spill { query.chunk_rows.clamp(16, 100) } else { usize::MAX };
        let mut over = false;
        while let Some(batch) = self.next_build()? {
            task.check_cancelled()?;
            let bytes = batch.columns().iter().map(array_bytes).sum::<usize>() + batch.num_rows() * TABLE_BYTES_ROW;
            let fits = rows + batch.num_rows() <= rows_max && memory.try_grow(bytes);
            if !fits && rows > 0 {
                self.carried = Some(batch);
                over = true;
                break;
            }
            if !fits {
                query.memory.reclaim(bytes)?;
                memory.grow_anyway(bytes);
            }
            rows += batch.num_rows();
            chunks.push(batch.columns().to_vec());
        }
        let Partition { level, stuck, .. } = self.partition;
        if over && !self.many && !stuck && level < LEVEL_MAX && self.joint.method == Method::Hash {
            self.carried = None;
            self.build = None;
            self.phase = Phase::Cut(Box::new(Cutter::new(&self.joint, &self.partition)?));
            return Ok(());
        }
        if over && !self.many {
            self.many = true;
            self.joint.metrics.note("switch: a partition that cannot shrink is joined block by block".to_owned());
        }
        let block = Arc::new(self.joint.block(&chunks, rows, query.constant_hash, Some(memory))?);
        self.phase = Phase::Probe { block, reader: self.read_probe()?, matching: None, base: 0, rows: 0 };
        Ok(())
    }

    fn next_build(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.carried.take() {
            return Ok(Some(batch));
        }
        match &mut self.build {
            Some(reader) => reader.next(),
            None => Ok(None),
        }
    }

    fn probe(&mut self, task: &TaskContext) -> Result<Step> {
        let Phase::Probe { block, reader, matching, base, rows } = &mut self.phase else {
            return Err(Error::internal("a partition is probed out of turn"));
        };
        if let Some(running) = matching {
            match running.next(task)? {
                Step::Done => {}
                step => return Ok(step),
            }
            if let (true, Some(done)) = (self.many, matching.take()) {
                let (matched, unknown) = done.into_found();
                put(&mut self.found.0, *base, matched);
                put(&mut self.found.1, *base, unknown);
            }
            *matching = None;
            *base += *rows;
        }
        let batch = match reader {
            Some(reader) => reader.next()?,
            None => None,
        };
        let Some(batch) = batch else {
            let block = block.clone();
            let to = block.rows;
            let rows = Unmatched::new(self.joint.clone(), block, 0, to);
            self.phase = Phase::KeepBuild { rows: Box::new(rows) };
            return Ok(Step::Yield);
        };
        *rows = batch.num_rows();
        let earlier = self.many.then(|| {
            let known = |found: &Vec<bool>| found.get(*base..*base + *rows).map(<[bool]>::to_vec).unwrap_or_default();
            (known(&self.found.0), known(&self.found.1))
        });
        let chunk = Chunk::from_arrays(batch.columns().to_vec(), *rows);
        *matching = Some(Box::new(self.joint.matching(block, chunk, earlier)?));
        Ok(Step::Yield)
    }

    fn keep_probe(&mut self, task: &TaskContext) -> Result<Step> {
        let Phase::KeepProbe { reader, base, now } = &mut self.phase else {
            return Err(Error::internal("a partition's rows come out of turn"));
        };
        if let Some((chunk, kept, at)) = now {
            if *at < kept.rows.len() {
                let (rows, marks) = kept.piece(*at, task.query.chunk_rows.max(1));
                *at += rows.len();
                return Ok(Step::Chunk(self.joint.assembler.probe_rows(chunk, rows, marks)?));
            }
            *base += chunk.rows();
            *now = None;
        }
        let batch = match reader {
            Some(reader) => reader.next()?,
            None => None,
        };
        let Some(batch) = batch else {
            self.phase = Phase::Done;
            return Ok(Step::Done);
        };
        let (matched, unknown) = &self.found;
        let known = |found: &Vec<bool>, row: usize| found.get(*base + row).copied().unwrap_or(false);
        let keep = self.joint.assembler.shape.probe;
        let kept = kept(keep, batch.num_rows(), |row| known(matched, row), |row| known(unknown, row));
        *now = Some((Chunk::from_arrays(batch.columns().to_vec(), batch.num_rows()), kept, 0));
        Ok(Step::Yield)
    }
}

/// Writes what one block found about the probe rows from `base` on.
fn put(all: &mut Vec<bool>, base: usize, found: Vec<bool>) {
    if all.len() < base + found.len() {
        all.resize(base + found.len(), false);
    }
    all[base..base + found.len()].copy_from_slice(&found);
}

/// Cuts both files of a partition by the next bits of the hash, a block at a step.
struct Cutter {
    level: u32,
    build_rows: u64,
    build: Option<SpillReader>,
    probe: Option<SpillReader>,
    build_files: PartitionFiles,
    probe_files: PartitionFiles,
    buffer: PartitionBuffer,
}

impl Cutter {
    fn new(joint: &Joint, partition: &Partition) -> Result<Self> {
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
    fn step(&mut self, joint: &Joint, task: &TaskContext) -> Result<bool> {
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
        let partition = |row: usize| Some(Joint::partition(hashes[row], *level, FAN_OUT));
        buffer.route(batch.columns(), rows, u64::MAX, partition, files, on)?;
        Ok(true)
    }

    fn finish(&mut self) -> Result<Vec<Partition>> {
        let mut parts = Vec::new();
        for part in 0..FAN_OUT {
            let (build, probe) = (self.build_files.take(part)?, self.probe_files.take(part)?);
            if build.is_some() || probe.is_some() {
                let stuck = build.as_ref().is_some_and(|build| build.rows() == self.build_rows);
                parts.push(Partition { build, probe, level: self.level, stuck });
            }
        }
        Ok(parts)
    }
}
