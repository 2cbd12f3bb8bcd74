//! Collects the rows of a sort and merges them.

use super::SortPlan;
use super::bound::Bound;
use super::keys::KeyEncoder;
use super::merge::{Input, Merge, ranges};
use super::output::Output;
use super::run::{SpilledRows, rows_bytes};
use super::store::Holder;
use crate::column::{Chunk, Selection};
use crate::error::{Error, Result};
use crate::exec::spill::{SpillRun, compact_views};
use crate::exec::{Flow, Job, QueryContext, Reservation, Sink, SinkTask, TaskContext};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

/// Rows of a run, at most: sorting them takes a few ten milliseconds, in which nothing looks at the
/// cancel flag. Guessed.
const RUN_ROWS_MAX: usize = 256 << 10;

/// Bytes of a run, at most: while it is sorted its rows exist twice. Guessed.
const RUN_BYTES_MAX: usize = 64 << 20;

/// Rows that a worker merges at least, lest ranges cost more than they save. Guessed.
const PART_ROWS_MIN: usize = 32 << 10;

/// Files merged at one time: a block and a read buffer of each are in memory. Guessed.
pub(super) const FILES_MAX: usize = 64;

/// The sink of a sort.
pub(super) struct SortSink {
    plan: Arc<SortPlan>,
    bound: Bound,
    /// Runs of the tasks that are over. Made by whoever comes first with a context.
    collected: OnceLock<Arc<Holder>>,
    /// Files that merges of files have given.
    merged: Arc<Mutex<Vec<SpillRun>>>,
    pub(super) output: Arc<Mutex<Output>>,
}

impl SortSink {
    /// A sink for rows of `plan`'s schema.
    pub(super) fn new(plan: Arc<SortPlan>) -> Self {
        let (merged, output) = (Arc::default(), Arc::new(Mutex::new(Output::new(plan.fetch))));
        Self { plan, bound: Bound::new(), collected: OnceLock::new(), merged, output }
    }

    pub(super) fn collected(&self, query: &Arc<QueryContext>) -> Arc<Holder> {
        self.collected.get_or_init(|| Holder::shared(&self.plan, query)).clone()
    }

    /// Jobs that merge one key range each.
    fn merge_ranges(&self, runs: Vec<Arc<super::run::Run>>, held: Vec<Reservation>, query: &QueryContext) -> Result<Vec<Job>> {
        let rows: usize = runs.iter().map(|run| run.rows()).sum();
        let bytes: usize = runs.iter().map(|run| run.bytes()).sum();
        let mut reservation = query.memory.reserve(Some(self.plan.metrics.clone()));
        let mut output = self.output.lock();
        if !reservation.try_grow(bytes) {
            // No room for the rows twice: they are merged as they are read.
            let inputs = runs.into_iter().map(|run| {
                let all = 0..run.rows();
                Input::Memory(run, all)
            });
            *output = output.stream(Merge::new(inputs.collect(), reservation)?, held);
            return Ok(Vec::new());
        }
        let parts = (rows / PART_ROWS_MIN).clamp(1, query.threads.max(1) * 4);
        let slots: Vec<_> = (0..parts).map(|_| Arc::new(Mutex::new(VecDeque::new()))).collect();
        *output = output.parts(slots.clone(), reservation);
        drop(output);
        let held = Arc::new(held);
        let fetch = self.plan.fetch.unwrap_or(usize::MAX);
        let jobs = ranges(&runs, parts).into_iter().zip(slots).map(|(part, slot)| {
            let inputs = runs.iter().cloned().zip(part).map(|(run, range)| Input::Memory(run, range)).collect();
            let held = held.clone();
            let job = move |task: &TaskContext| {
                let mut merge = Merge::new(inputs, task.query.memory.reserve(None))?;
                let mut chunks = VecDeque::new();
                let mut rows = 0;
                while rows < fetch {
                    let wanted = task.query.chunk_rows.max(1).min(fetch - rows);
                    let Some(run) = merge.next(wanted, task)? else { break };
                    rows += run.rows();
                    chunks.push_back(Chunk::from_arrays(run.columns, run.keys.len()));
                }
                *slot.lock() = chunks;
                // The last job frees what the runs had reserved.
                drop((merge, held));
                Ok(())
            };
            Box::new(job) as Job
        });
        Ok(jobs.collect())
    }

    /// Jobs that merge groups of files into one file each.
    fn merge_files(&self, mut files: Vec<SpillRun>, exact: bool) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        while !files.is_empty() {
            let group = files.split_off(files.len().saturating_sub(FILES_MAX));
            let (plan, merged) = (self.plan.clone(), self.merged.clone());
            jobs.push(Box::new(move |task: &TaskContext| {
                let file = merge_files(group, exact, &plan, task)?;
                merged.lock().push(file);
                Ok(())
            }));
        }
        jobs
    }
}

impl Sink for SortSink {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        let RunSize { rows, bytes } = RunSize::of(&task.query);
        Ok(Box::new(SortTask {
            plan: self.plan.clone(),
            encoder: KeyEncoder::new(&self.plan.keys)?,
            bound: self.plan.top_k().is_some().then(|| self.bound.clone()),
            holder: Holder::new(&self.plan, task),
            collected: self.collected(&task.query),
            run_rows_max: rows,
            run_bytes_max: bytes,
        }))
    }

    fn finalize(&self, _stage: usize, query: &Arc<QueryContext>) -> Result<Vec<Job>> {
        let exact = KeyEncoder::new(&self.plan.keys)?.is_exact();
        let merged = std::mem::take(&mut *self.merged.lock());
        let (runs, files, mut held) = match self.collected(query).take() {
            Some(mut store) => store.take(),
            None => Default::default(),
        };
        let mut files: Vec<SpillRun> = files.into_iter().map(|(_, file)| file).collect();
        files.extend(merged);
        if files.is_empty() {
            if runs.is_empty() {
                return Ok(Vec::new());
            }
            return self.merge_ranges(runs, held, query);
        }
        if files.len() > FILES_MAX {
            // What is in memory waits for the last merge.
            self.output.lock().keep(runs, held);
            return Ok(self.merge_files(files, exact));
        }
        let mut output = self.output.lock();
        let (kept_runs, kept) = output.kept();
        held.extend(kept);
        let files = files.into_iter().map(|run| SpilledRows::new(run, exact).map(Input::File));
        let mut inputs = files.collect::<Result<Vec<_>>>()?;
        inputs.extend(runs.into_iter().chain(kept_runs).map(|run| {
            let all = 0..run.rows();
            Input::Memory(run, all)
        }));
        let reservation = query.memory.reserve(Some(self.plan.metrics.clone()));
        *output = output.stream(Merge::new(inputs, reservation)?, held);
        Ok(Vec::new())
    }
}

/// One file of the rows of several.
pub(super) fn merge_files(group: Vec<SpillRun>, exact: bool, plan: &Arc<SortPlan>, task: &TaskContext) -> Result<SpillRun> {
    let group = match <[SpillRun; 1]>::try_from(group) {
        Ok([single]) => return Ok(single),
        Err(group) => group,
    };
    let inputs = group.into_iter().map(|run| SpilledRows::new(run, exact).map(Input::File));
    let reservation = task.query.memory.reserve(Some(plan.metrics.clone()));
    let mut merge = Merge::new(inputs.collect::<Result<_>>()?, reservation)?;
    let mut out = task.query.spill.create(&plan.spill_schema)?;
    while let Some(run) = merge.next(task.query.chunk_rows.max(1), task)? {
        run.write(0..run.rows(), &mut out, plan, task)?;
    }
    out.finish()
}

/// The most of a run.
struct RunSize {
    rows: usize,
    bytes: usize,
}

impl RunSize {
    fn of(query: &QueryContext) -> Self {
        let share = query.memory.limit() / (8 * query.threads.max(1));
        Self { rows: RUN_ROWS_MAX, bytes: share.clamp(1 << 20, RUN_BYTES_MAX) }
    }
}

struct SortTask {
    plan: Arc<SortPlan>,
    encoder: KeyEncoder,
    /// When only the best rows are kept.
    bound: Option<Bound>,
    holder: Arc<Holder>,
    collected: Arc<Holder>,
    run_rows_max: usize,
    run_bytes_max: usize,
}

impl SinkTask for SortTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        let Self { plan, encoder, bound, holder, .. } = self;
        if plan.fetch == Some(0) {
            return Ok(Flow::Stop);
        }
        let mut keys = encoder.encode(&chunk)?;
        let mut chunk = chunk;
        if let Some(bound) = bound {
            let passing = bound.passing(&keys);
            if passing.is_empty() {
                return Ok(Flow::Continue);
            }
            if passing.len() < chunk.rows() {
                keys = keys.pick(&passing);
                chunk = chunk.select(&Arc::new(Selection::from_indices(passing)))?;
            }
        }
        // Rows that are few of many must not keep the others' strings.
        let columns: Vec<_> = chunk.stored(&plan.schema)?.into_iter().map(compact_views).collect();
        let bytes = rows_bytes(&columns, &keys);
        let (rows_max, bytes_max) = (self.run_rows_max, self.run_bytes_max);
        let top_k = plan.top_k();
        let stored = holder.with(|store| {
            store.make_room(bytes)?;
            store.buffer.push(columns, keys);
            if task.query.always_spill {
                store.spill()?;
            } else if let (Some(keep), Some(bound)) = (top_k, bound.as_mut()) {
                // Sorted when it is twice what is kept, so a row is sorted twice on average.
                if store.buffer.rows() >= 2 * keep + 1024 {
                    let run = store.buffer.take_run(Some(keep))?;
                    if let Some(last) = run.keys.prefixes().last() {
                        bound.lower(*last);
                    }
                    if let (Some((filter, column)), true) = (&plan.pushed, keep > 0 && run.rows() >= keep) {
                        filter.publish(&run.columns[*column], keep - 1)?;
                    }
                    store.buffer.put_back(run);
                    store.settle();
                }
            } else if store.buffer.rows() >= rows_max || store.buffer.bytes() >= bytes_max {
                store.sort_buffer(None)?;
            }
            Ok(())
        })?;
        stored.ok_or_else(|| Error::internal("a sort task goes on after its end"))?;
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        let keep = self.plan.top_k();
        self.holder.with(|store| store.sort_buffer(keep))?;
        self.holder.hand_to(&self.collected)
    }
}
