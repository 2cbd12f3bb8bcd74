//! The sink of the build side: collects, spills partitions when memory runs out, builds the table.
//!
//! ```text
//!   push      chunk ──> keys ──> kept, or routed: rows of spilled partitions ──> files
//!                                no memory: a quarter of the partitions more goes to disk
//!   finalize  0  chunks kept before a partition was spilled: routed now          (job a chunk)
//!             1  columns concatenated, keys hashed and scattered, filters made   (job each)
//!             2  parts of the table                                              (job a part)
//!             -  the block and the runtime filters are published
//! ```
//!
//! Which partitions are on disk is one word that only gains bits, so that workers need not wait for
//! one another: who sees a new bit moves its own rows. Filters are published only when nothing was
//! spilled and so every key was seen.

use super::super::hash_table::{Piece, Plan, Scattered, Table};
use super::super::keys::{KeyBatch, KeyData};
use super::super::runtime_filter;
use super::block::concat;
use super::spill::{PartitionBuffer, Route, Surroundings};
use super::{CrossKeys, Joint, Method};
use crate::column::{Chunk, array_bytes};
use crate::error::{Error, Result};
use crate::exec::{Flow, Job, QueryContext, Reservation, Sink, SinkTask, Spillable, TaskContext};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes the table takes for a row besides its key: row number, start, directory. Computed.
const TABLE_BYTES_ROW: usize = 20;

/// Build rows of one input chunk.
struct Kept {
    columns: Vec<ArrayRef>,
    keys: KeyBatch,
    /// Values of the keys that runtime filters are made of.
    filtered: Vec<ArrayRef>,
    rows: usize,
    /// Partitions whose rows are no longer among these.
    mask: u64,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.columns.iter().map(array_bytes).sum::<usize>() + self.keys.bytes() + self.rows * TABLE_BYTES_ROW
    }
}

/// What the tasks of the sink have handed over.
#[derive(Default)]
pub(super) struct Collected {
    chunks: Vec<Kept>,
    memory: Vec<Reservation>,
    /// Which partitions are on disk is settled.
    closed: bool,
}

/// See the module.
pub(super) struct BuildSink {
    joint: Arc<Joint>,
    stage: Mutex<Stage>,
}

/// Where finalization is, with what the stage before left.
#[derive(Default)]
enum Stage {
    #[default]
    Collected,
    Routed,
    Columns(Arc<Columns>),
    Parts(Arc<Columns>, Arc<Parts>),
}

struct Columns {
    rows: usize,
    plan: Plan,
    keys: Arc<KeyBatch>,
    columns: Vec<Mutex<Option<ArrayRef>>>,
    scattered: Vec<Mutex<Scattered>>,
    cross: Mutex<CrossKeys>,
    memory: Mutex<Option<Reservation>>,
}

struct Parts(Vec<Mutex<Option<Piece>>>);

impl BuildSink {
    pub(super) fn new(joint: Arc<Joint>) -> Self {
        Self { joint, stage: Mutex::default() }
    }
}

impl Joint {
    fn surroundings<'a>(&'a self, query: &'a QueryContext) -> Surroundings<'a> {
        Surroundings { query, metrics: &self.metrics }
    }

    /// Moves the rows of partitions that were spilled since from `kept` to the files.
    fn unload(&self, kept: &mut Kept, buffer: &mut PartitionBuffer, query: &QueryContext) -> Result<()> {
        let mask = self.spilled_mask();
        let fresh = mask & !kept.mask;
        if fresh == 0 {
            return Ok(());
        }
        let hashes = kept.keys.data.hash(0, kept.rows, query.constant_hash);
        let route = |row: usize| match kept.keys.is_valid(row) {
            true => Route::To(self.place(hashes[row])),
            false if self.tracks_build() => Route::To(self.null_place()),
            false => Route::Drop,
        };
        let on = self.surroundings(query);
        let stay = buffer.route(&kept.columns, kept.rows, fresh, route, &self.build_files, on)?;
        kept.mask = mask;
        if stay.len() == kept.rows {
            return Ok(());
        }
        kept.keys = kept.keys.pick(&stay);
        kept.rows = stay.len();
        let stay = UInt32Array::from(stay);
        for column in &mut kept.columns {
            *column = super::block::own_views(&compute::take(column, &stay, None)?);
        }
        kept.filtered.clear();
        Ok(())
    }

    /// Sends more partitions to disk: a quarter of them, or all. Those of hot keys are the last to
    /// go, as most probe rows will want them; that of NULL keys, which nobody probes, is the first.
    /// `sample`: rows at hand, by which hot keys are found if nothing was spilled before.
    fn spill_more(&self, all: bool, sample: &[&Kept], query: Option<&QueryContext>) {
        self.settle_hot(
            |sketch, constant| {
                for kept in sample {
                    sketch.add(kept.rows, |row| kept.keys.data.hash_row(row, constant), |row| kept.keys.is_valid(row));
                }
            },
            query,
        );
        let before = self.spilled_mask();
        let every = self.every_partition();
        let mut after = before;
        let more = if all { every.count_ones() as usize } else { (self.partitions / 4).max(1) };
        for _ in 0..more {
            after |= after.wrapping_add(1) & every;
        }
        let was = self.spilled.fetch_or(after & every | 1 << self.null_place(), Ordering::AcqRel);
        self.counters.partitions_spilled.add(u64::from((after & every & !was).count_ones()));
        if was == 0 && after != 0 {
            let (expected, actual) = (self.expected.rows, self.counters.build_rows.get());
            self.metrics.note(format!(
                "switch: the build side outgrew its memory ({expected:.0} rows expected, {actual} so far); \
                 partitions went to disk"
            ));
        }
    }
}

/// Others may ask a join that still collects to spill; its tasks do so at their next chunk.
impl Spillable for Joint {
    fn reclaimable(&self) -> usize {
        let every = self.every_partition();
        if self.spilled_mask() & every == every { 0 } else { self.collecting.load(Ordering::Relaxed) }
    }

    fn reclaim(&self) -> Result<usize> {
        let collected = self.collected.lock();
        if !collected.closed {
            self.spill_more(false, &[], None);
        }
        Ok(0)
    }
}

impl Sink for BuildSink {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        task.query.memory.register(&self.joint);
        let memory = task.query.memory.reserve(Some(self.joint.metrics.clone()));
        Ok(Box::new(BuildTask { joint: self.joint.clone(), kept: Vec::new(), memory, buffer: PartitionBuffer::default() }))
    }

    fn finalize(&self, _stage: usize, query: &Arc<QueryContext>) -> Result<Vec<Job>> {
        let mut stage = self.stage.lock();
        loop {
            let (jobs, next) = match std::mem::take(&mut *stage) {
                Stage::Collected => (self.route_jobs(), Stage::Routed),
                Stage::Routed => {
                    let (jobs, columns) = self.column_jobs(query)?;
                    (jobs, Stage::Columns(columns))
                }
                Stage::Columns(columns) => {
                    let (jobs, parts) = self.part_jobs(&columns);
                    (jobs, Stage::Parts(columns, parts))
                }
                Stage::Parts(columns, parts) => {
                    self.publish(&columns, &parts, query)?;
                    return Ok(Vec::new());
                }
            };
            *stage = next;
            if !jobs.is_empty() {
                return Ok(jobs);
            }
        }
    }
}

impl BuildSink {
    fn route_jobs(&self) -> Vec<Job> {
        let mut collected = self.joint.collected.lock();
        collected.closed = true;
        self.joint.collecting.store(0, Ordering::Relaxed);
        let mask = self.joint.spilled_mask();
        let (fresh, stale): (Vec<Kept>, Vec<Kept>) =
            std::mem::take(&mut collected.chunks).into_iter().partition(|kept| kept.mask == mask);
        collected.chunks = fresh;
        let mut jobs: Vec<Job> = Vec::new();
        let mut stale = stale.into_iter().peekable();
        while stale.peek().is_some() {
            // Several chunks a job, so that blocks in the files are not tiny.
            let some: Vec<Kept> = stale.by_ref().take(32).collect();
            let joint = self.joint.clone();
            jobs.push(Box::new(move |task: &TaskContext| {
                let mut buffer = PartitionBuffer::default();
                for mut kept in some {
                    joint.unload(&mut kept, &mut buffer, &task.query)?;
                    joint.collected.lock().chunks.push(kept);
                }
                buffer.flush(&joint.build_files, joint.surroundings(&task.query))
            }));
        }
        jobs
    }

    fn column_jobs(&self, query: &Arc<QueryContext>) -> Result<(Vec<Job>, Arc<Columns>)> {
        let joint = &self.joint;
        let Collected { chunks, memory, .. } = std::mem::take(&mut *joint.collected.lock());
        let rows = chunks.iter().map(|kept| kept.rows).sum();
        let whole = joint.spilled_mask() == 0;
        // What was reserved chunk by chunk becomes one reservation of what is left.
        let bytes = chunks.iter().map(Kept::bytes).sum();
        drop(memory);
        let mut memory = query.memory.reserve(Some(joint.metrics.clone()));
        memory.grow_anyway(bytes);
        let schema = crate::column::storage_schema(&joint.build.schema);
        let wanted =
            if joint.assembler.needs_build_columns() || joint.method == Method::Cross { schema.fields().len() } else { 0 };
        let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::with_capacity(chunks.len()); wanted];
        let mut filtered: Vec<Vec<ArrayRef>> = vec![Vec::new(); joint.filters.len()];
        let mut keys = Vec::with_capacity(chunks.len());
        for kept in chunks {
            columns.iter_mut().zip(kept.columns).for_each(|(all, column)| all.push(column));
            filtered.iter_mut().zip(kept.filtered).for_each(|(all, values)| all.push(values));
            keys.push(kept.keys);
        }
        if keys.is_empty() {
            let empty = Chunk::empty(&joint.build.schema);
            keys.push(joint.build.keys.keys(&empty)?);
        }
        let keys = Arc::new(KeyBatch::concat(&keys));
        let hashed = joint.method == Method::Hash;
        let none = KeyBatch { data: KeyData::Fixed64(Vec::new()), valid: None };
        let planned = if hashed { &*keys } else { &none };
        let plan =
            Plan::new(planned, joint.build.keys.is_integer(), query.constant_hash, query.threads, &|| query.cancel.check())?;
        let slices = if hashed { plan.slices(query.threads) } else { Vec::new() };
        let shared = Arc::new(Columns {
            rows,
            plan,
            keys,
            columns: (0..wanted).map(|_| Mutex::default()).collect(),
            scattered: slices.iter().map(|_| Mutex::default()).collect(),
            cross: Mutex::default(),
            memory: Mutex::new(Some(memory)),
        });
        let mut jobs: Vec<Job> = Vec::new();
        for (at, (from, to)) in slices.into_iter().enumerate() {
            let shared = shared.clone();
            jobs.push(Box::new(move |task: &TaskContext| {
                *shared.scattered[at].lock() = shared.plan.scatter(&shared.keys, from, to, &|| task.check_cancelled())?;
                Ok(())
            }));
        }
        for (at, parts) in columns.into_iter().enumerate() {
            let (shared, data_type) = (shared.clone(), schema.field(at).data_type().clone());
            jobs.push(Box::new(move |_: &TaskContext| {
                *shared.columns[at].lock() = Some(concat(&parts, &data_type)?);
                Ok(())
            }));
        }
        for ((key, filter), values) in joint.filters.iter().zip(filtered) {
            if whole {
                let (filter, data_type) = (filter.clone(), joint.build.keys.key_type(*key).clone());
                jobs.push(Box::new(move |task: &TaskContext| {
                    runtime_filter::publish(&filter, &data_type, &values, &|| task.check_cancelled())
                }));
            }
        }
        Ok((jobs, shared))
    }

    fn part_jobs(&self, columns: &Arc<Columns>) -> (Vec<Job>, Arc<Parts>) {
        let joint = self.joint.clone();
        let mut jobs: Vec<Job> = Vec::new();
        if joint.method == Method::Cross {
            let columns = columns.clone();
            jobs.push(Box::new(move |_: &TaskContext| {
                let arrays: Option<Vec<ArrayRef>> = columns.columns.iter().map(|column| column.lock().clone()).collect();
                let arrays = arrays.ok_or_else(|| Error::internal("a build column is missing"))?;
                *columns.cross.lock() = CrossKeys::of(&joint.build, &Chunk::from_arrays(arrays, columns.rows))?;
                Ok(())
            }));
            return (jobs, Arc::new(Parts(Vec::new())));
        }
        let count = columns.plan.pieces();
        let mut tuples: Vec<Vec<Vec<(u64, u32)>>> = vec![Vec::new(); count];
        for scattered in &columns.scattered {
            let parts = std::mem::take(&mut *scattered.lock());
            parts.into_iter().zip(&mut tuples).for_each(|(part, all)| all.push(part));
        }
        let parts = Arc::new(Parts((0..count).map(|_| Mutex::default()).collect()));
        for (at, tuples) in tuples.into_iter().enumerate() {
            let (columns, parts) = (columns.clone(), parts.clone());
            jobs.push(Box::new(move |task: &TaskContext| {
                *parts.0[at].lock() = Some(columns.plan.piece(&columns.keys, tuples, &|| task.check_cancelled())?);
                Ok(())
            }));
        }
        (jobs, parts)
    }

    fn publish(&self, columns: &Columns, parts: &Parts, query: &QueryContext) -> Result<()> {
        let joint = &self.joint;
        let table = match joint.method {
            Method::Cross => Table::empty(),
            Method::Hash => {
                let pieces: Option<Vec<Piece>> = parts.0.iter().map(|piece| piece.lock().take()).collect();
                columns.plan.finish(pieces.ok_or_else(|| Error::internal("a part of a join's table is missing"))?)
            }
        };
        let arrays: Option<Vec<ArrayRef>> = columns.columns.iter().map(|column| column.lock().take()).collect();
        let arrays = arrays.ok_or_else(|| Error::internal("a build column is missing"))?;
        let cross = std::mem::take(&mut *columns.cross.lock());
        let memory = columns.memory.lock().take();
        let mut block = joint.finish_block(arrays, columns.rows, table, columns.keys.valid.clone(), cross, memory);
        joint.find_hot_runs(&mut block, query)?;
        if joint.expected_to_spill && joint.method == Method::Hash && joint.spilled_mask() == 0 {
            let expected = joint.expected.rows;
            joint.metrics.note(format!(
                "switch: the build side fits its memory ({expected:.0} rows expected, {} came); no partition was needed",
                block.rows
            ));
        }
        *joint.block.lock() = Some(Arc::new(block));
        Ok(())
    }
}

struct BuildTask {
    joint: Arc<Joint>,
    kept: Vec<Kept>,
    memory: Reservation,
    buffer: PartitionBuffer,
}

impl BuildTask {
    /// Moves rows of newly spilled partitions out and gives their memory back.
    fn unload(&mut self, query: &QueryContext) -> Result<()> {
        for kept in &mut self.kept {
            self.joint.unload(kept, &mut self.buffer, query)?;
        }
        self.kept.retain(|kept| kept.rows > 0);
        let left: usize = self.kept.iter().map(Kept::bytes).sum();
        self.memory.shrink(self.memory.bytes().saturating_sub(left));
        Ok(())
    }
}

impl SinkTask for BuildTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        let joint = self.joint.clone();
        let query = &task.query;
        let rows = chunk.rows();
        if rows == 0 {
            return Ok(Flow::Continue);
        }
        joint.counters.build_rows.add(rows as u64);
        joint.seen.build_rows.store(true, Ordering::Relaxed);
        let key_columns = joint.build.keys.columns(&chunk)?;
        let keys = joint.build.keys.encode(&key_columns, rows)?;
        if joint.assembler.shape.null_aware && keys.has_null() {
            joint.seen.build_null.store(true, Ordering::Relaxed);
        }
        let columns = chunk.stored(&joint.build.schema)?;
        let stored = |(key, _): &(usize, _)| key_columns[*key].stored(joint.build.keys.key_type(*key));
        let filtered = joint.filters.iter().map(stored).collect::<Result<_>>()?;
        let mut kept = Kept { columns, keys, filtered, rows, mask: 0 };
        joint.sketch_build(&kept.keys, query);
        if query.always_spill {
            joint.spill_more(true, &[&kept], Some(query));
        }
        joint.unload(&mut kept, &mut self.buffer, query)?;
        let before = self.kept.first().map_or(joint.spilled_mask(), |kept| kept.mask);
        if before != joint.spilled_mask() {
            self.unload(query)?;
        }
        while kept.rows > 0 && !self.memory.try_grow(kept.bytes()) {
            let sample: Vec<&Kept> = self.kept.iter().chain([&kept]).collect();
            joint.spill_more(false, &sample, Some(query));
            joint.unload(&mut kept, &mut self.buffer, query)?;
            self.unload(query)?;
        }
        if kept.rows > 0 {
            joint.collecting.fetch_add(kept.bytes(), Ordering::Relaxed);
            self.kept.push(kept);
        }
        Ok(Flow::Continue)
    }

    fn finish(mut self: Box<Self>, task: &TaskContext) -> Result<()> {
        self.unload(&task.query)?;
        self.buffer.flush(&self.joint.build_files, self.joint.surroundings(&task.query))?;
        let mut collected = self.joint.collected.lock();
        collected.chunks.append(&mut self.kept);
        collected.memory.push(self.memory);
        Ok(())
    }
}
