//! The join of one partition that went to disk.
//!
//! It is a join of its own: its build file becomes a block and its probe file is streamed past. When
//! the build file does not fit either, both files are cut by the next six bits of the hash and each
//! part queued again. When cutting does not help, because the partition is one key, the build file is
//! taken block by block and the probe file is read once for each. Whenever a block is there, workers
//! with nothing to do join in: each takes the next piece of the probe file, or half of a probe
//! chunk's pairs, and who finds nothing more to take as the last goes on with the next block.
//!
//! ```text
//!            block 0     block 1     block 2          after the last block
//!   probe    pairs       pairs       pairs            probe rows by themselves, from the bits
//!   bits     |= matched  |= matched  |= matched       that were kept across blocks
//!   build    unmatched rows of a block come out when all probe rows have met it
//! ```
//!
//! Cost: every spilled row is written and read once a level, the probe file once a block. NULL keys
//! of a preserved build side are a partition that has no probe file. After Nakayama, Kitsuregawa,
//! Takagi: Hash-partitioned join method using dynamic destaging strategy, VLDB 1988.

use super::super::assemble::{Kept, kept};
use super::super::shape::Keep;
use super::cut::Cutter;
use super::leftovers::Unmatched;
use super::{Block, Joint, Matching, Method};
use crate::column::{Chunk, array_bytes};
use crate::error::{Error, Result};
use crate::exec::spill::{SpillReader, SpillRun};
use crate::exec::{Cursor, Step, TaskContext};
use arrow::array::{ArrayRef, RecordBatch};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Deepest level: with six bits each the levels use the lower 36 bits of the hash.
const LEVEL_MAX: u32 = 5;
/// Bytes a row takes in a table besides its columns. Computed as in the build sink, key included.
const TABLE_BYTES_ROW: usize = 36;
/// How many times more rows the build file must have for the sides to change places. Guessed.
const REVERSED_SHARE: u64 = 2;

/// Rows of one partition of both sides.
pub(super) struct Partition {
    pub(super) build: Option<SpillRun>,
    pub(super) probe: Option<SpillRun>,
    pub(super) level: u32,
    /// Cutting it does not make it smaller.
    pub(super) stuck: bool,
    /// Build and probe have changed places.
    pub(super) reversed: bool,
}

impl Partition {
    /// The same with its smaller file as the build side.
    pub(super) fn smaller_built(mut self, joint: &Joint) -> Self {
        let rows = |run: &Option<SpillRun>| run.as_ref().map_or(0, SpillRun::rows);
        let (build, probe) = (rows(&self.build), rows(&self.probe));
        if joint.method == Method::Hash && probe > 0 && build > probe * REVERSED_SHARE {
            std::mem::swap(&mut self.build, &mut self.probe);
            self.reversed = !self.reversed;
            joint.metrics.note("switch: the probe rows of a partition were fewer and were built instead".to_owned());
        }
        self
    }
}

/// What one worker at a time does for the whole partition.
struct Lead {
    /// Whose list of partitions the parts of a cut go to.
    owner: Arc<Joint>,
    partition: Partition,
    build: Option<SpillReader>,
    /// Read from the build file, to go into the next block.
    carried: Option<RecordBatch>,
    /// There are several blocks.
    many: bool,
    /// What is known of the probe file's rows (matched, unknown), when there are.
    found: (Vec<bool>, Vec<bool>),
}

/// One block and the probe file that streams past it, shared by the workers that do so.
struct Pass {
    block: Arc<Block>,
    probe: Mutex<Probing>,
    many: bool,
    found: Mutex<(Vec<bool>, Vec<bool>)>,
    workers: AtomicUsize,
    /// What the last worker goes on with.
    lead: Mutex<Option<Box<Lead>>>,
}

struct Probing {
    reader: Option<SpillReader>,
    base: usize,
}

/// See the module.
pub(super) struct PartitionJoin {
    joint: Arc<Joint>,
    phase: Phase,
    chunk_rows: usize,
}

#[expect(clippy::large_enum_variant, reason = "a task has one of them")]
enum Phase {
    /// Fill a block from the build file.
    Load(Box<Lead>),
    /// Cut both files.
    Cut(Box<Lead>, Box<Cutter>),
    /// Stream the probe file past the block; the row of the file that the chunk at hand starts with.
    Probe {
        pass: Arc<Pass>,
        matching: Option<Box<Matching>>,
        base: usize,
    },
    /// Build rows by themselves.
    KeepBuild(Box<Lead>, Box<Unmatched>),
    /// Probe rows by themselves, after several blocks.
    KeepProbe {
        lead: Box<Lead>,
        reader: Option<SpillReader>,
        base: usize,
        now: Option<(Chunk, Kept, usize)>,
    },
    Done,
}

impl PartitionJoin {
    /// The join of `partition`, one of `owner`'s.
    pub(super) fn new(owner: &Arc<Joint>, partition: Partition, chunk_rows: usize) -> Self {
        let joint = if partition.reversed { owner.reversed() } else { owner.clone() };
        let found = Default::default();
        let lead = Lead { owner: owner.clone(), partition, build: None, carried: None, many: false, found };
        Self { joint, phase: Phase::Load(Box::new(lead)), chunk_rows }
    }
}

impl Cursor for PartitionJoin {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        task.check_cancelled()?;
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Load(lead) => {
                self.phase = self.load(lead, task)?;
                Ok(Step::Yield)
            }
            Phase::Cut(lead, mut cutter) => {
                if cutter.step(&self.joint, task)? {
                    self.phase = Phase::Cut(lead, cutter);
                    return Ok(Step::Yield);
                }
                let reversed = lead.partition.reversed;
                let parts = cutter.finish()?.into_iter().map(|part| Partition { reversed, ..part }.smaller_built(&self.joint));
                let parts: Vec<Partition> = parts.collect();
                if let Some(todo) = lead.owner.leftovers.lock().as_mut() {
                    todo.partitions.extend(parts);
                }
                Ok(Step::Done)
            }
            Phase::Probe { pass, matching, base } => self.probe(pass, matching, base, task),
            Phase::KeepBuild(lead, mut rows) => {
                let step = rows.next(task)?;
                if !matches!(step, Step::Done) {
                    self.phase = Phase::KeepBuild(lead, rows);
                    return Ok(step);
                }
                self.phase = if lead.carried.is_some() {
                    Phase::Load(lead)
                } else if lead.many && self.joint.assembler.shape.probe != Keep::None {
                    let reader = lead.read_probe()?;
                    Phase::KeepProbe { lead, reader, base: 0, now: None }
                } else {
                    Phase::Done
                };
                Ok(Step::Yield)
            }
            Phase::KeepProbe { lead, reader, base, now } => self.keep_probe(lead, reader, base, now, task),
            Phase::Done => Ok(Step::Done),
        }
    }

    fn split(&mut self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let Phase::Probe { pass, matching, base } = &mut self.phase else { return Ok(None) };
        let half = matching.as_mut().and_then(|matching| matching.split(self.chunk_rows));
        if half.is_none() && pass.probe.lock().reader.is_none() {
            return Ok(None);
        }
        pass.workers.fetch_add(1, Ordering::AcqRel);
        self.joint.counters.handed_over.add(1);
        let phase = Phase::Probe { pass: pass.clone(), matching: half.map(Box::new), base: *base };
        Ok(Some(Box::new(Self { joint: self.joint.clone(), phase, chunk_rows: self.chunk_rows })))
    }
}

impl Lead {
    fn read_probe(&self) -> Result<Option<SpillReader>> {
        self.partition.probe.as_ref().map(SpillRun::read).transpose()
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
}

impl PartitionJoin {
    fn load(&mut self, mut lead: Box<Lead>, task: &TaskContext) -> Result<Phase> {
        let query = &task.query;
        if lead.build.is_none() {
            lead.build = lead.partition.build.as_ref().map(SpillRun::read).transpose()?;
        }
        let mut memory = query.memory.reserve(Some(self.joint.metrics.clone()));
        let mut chunks: Vec<Vec<ArrayRef>> = Vec::new();
        let mut rows = 0;
        // The test setting makes partitions too large when they have a few rows, so that cutting
        // and blocks are met.
        let rows_max = if query.always_spill { query.chunk_rows.clamp(16, 100) } else { usize::MAX };
        let mut over = false;
        while let Some(batch) = lead.next_build()? {
            task.check_cancelled()?;
            let bytes = batch.columns().iter().map(array_bytes).sum::<usize>() + batch.num_rows() * TABLE_BYTES_ROW;
            let fits = rows + batch.num_rows() <= rows_max && memory.try_grow(bytes);
            if !fits && rows > 0 {
                lead.carried = Some(batch);
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
        let Partition { level, stuck, .. } = lead.partition;
        if over && !lead.many && !stuck && level < LEVEL_MAX && self.joint.method == Method::Hash {
            lead.carried = None;
            lead.build = None;
            self.joint.counters.cut_again.add(1);
            let cutter = Cutter::new(&self.joint, &lead.partition)?;
            return Ok(Phase::Cut(lead, Box::new(cutter)));
        }
        if over && !lead.many {
            lead.many = true;
            self.joint.metrics.note("switch: a partition that cannot shrink is joined block by block".to_owned());
        }
        let block = Arc::new(self.joint.block(&chunks, rows, query, Some(memory))?);
        let probing = Probing { reader: lead.read_probe()?, base: 0 };
        let pass = Pass {
            block,
            probe: Mutex::new(probing),
            many: lead.many,
            found: Mutex::new(std::mem::take(&mut lead.found)),
            workers: AtomicUsize::new(1),
            lead: Mutex::new(Some(lead)),
        };
        Ok(Phase::Probe { pass: Arc::new(pass), matching: None, base: 0 })
    }

    fn probe(&mut self, pass: Arc<Pass>, mut matching: Option<Box<Matching>>, base: usize, task: &TaskContext) -> Result<Step> {
        if let Some(running) = &mut matching {
            match running.next(task)? {
                Step::Done => {}
                step => {
                    self.phase = Phase::Probe { pass, matching, base };
                    return Ok(step);
                }
            }
            if let (true, Some(done)) = (pass.many, matching.take()) {
                let (first, matched, unknown) = done.into_found();
                let mut found = pass.found.lock();
                put(&mut found.0, base + first, matched);
                put(&mut found.1, base + first, unknown);
            }
        }
        let next = {
            let mut probing = pass.probe.lock();
            let batch = match &mut probing.reader {
                Some(reader) => reader.next()?,
                None => None,
            };
            match batch {
                Some(batch) => {
                    let base = probing.base;
                    probing.base += batch.num_rows();
                    Some((batch, base))
                }
                None => {
                    probing.reader = None;
                    None
                }
            }
        };
        let Some((batch, base)) = next else {
            if pass.workers.fetch_sub(1, Ordering::AcqRel) > 1 {
                return Ok(Step::Done);
            }
            let lead = pass.lead.lock().take();
            let mut lead = lead.ok_or_else(|| Error::internal("a pass over a partition has no end"))?;
            lead.found = std::mem::take(&mut *pass.found.lock());
            let block = pass.block.clone();
            let to = block.rows;
            let rows = Unmatched::new(self.joint.clone(), block, 0, to);
            self.phase = Phase::KeepBuild(lead, Box::new(rows));
            return Ok(Step::Yield);
        };
        let rows = batch.num_rows();
        let earlier = pass.many.then(|| {
            let found = pass.found.lock();
            let known = |found: &Vec<bool>| found.get(base..base + rows).map(<[bool]>::to_vec).unwrap_or_default();
            (known(&found.0), known(&found.1))
        });
        let chunk = Chunk::from_arrays(batch.columns().to_vec(), rows);
        let matching = self.joint.matching(&pass.block, chunk, earlier)?;
        self.phase = Phase::Probe { pass, matching: Some(Box::new(matching)), base };
        Ok(Step::Yield)
    }

    fn keep_probe(
        &mut self,
        lead: Box<Lead>,
        mut reader: Option<SpillReader>,
        mut base: usize,
        now: Option<(Chunk, Kept, usize)>,
        task: &TaskContext,
    ) -> Result<Step> {
        if let Some((chunk, kept, mut at)) = now {
            if at < kept.rows.len() {
                let (rows, marks) = kept.piece(at, task.query.chunk_rows.max(1));
                at += rows.len();
                let out = self.joint.assembler.probe_rows(&chunk, rows, marks)?;
                self.phase = Phase::KeepProbe { lead, reader, base, now: Some((chunk, kept, at)) };
                return Ok(Step::Chunk(out));
            }
            base += chunk.rows();
        }
        let batch = match &mut reader {
            Some(reader) => reader.next()?,
            None => None,
        };
        let Some(batch) = batch else { return Ok(Step::Done) };
        let (matched, unknown) = &lead.found;
        let known = |found: &Vec<bool>, row: usize| found.get(base + row).copied().unwrap_or(false);
        let keep = self.joint.assembler.shape.probe;
        let kept = kept(keep, batch.num_rows(), |row| known(matched, row), |row| known(unknown, row));
        let now = Some((Chunk::from_arrays(batch.columns().to_vec(), batch.num_rows()), kept, 0));
        self.phase = Phase::KeepProbe { lead, reader, base, now };
        Ok(Step::Yield)
    }
}

/// Adds what one block found about the probe rows from `base` on.
fn put(all: &mut Vec<bool>, base: usize, found: Vec<bool>) {
    if all.len() < base + found.len() {
        all.resize(base + found.len(), false);
    }
    all[base..].iter_mut().zip(found).for_each(|(all, found)| *all |= found);
}
