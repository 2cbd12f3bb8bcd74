//! What a sort keeps: rows not sorted yet, runs in memory, runs in files. Each task has one store
//! and hands it to the sort's own when it is over; both can be spilled by others while not in use.

use super::SortPlan;
use super::buckets::buckets;
use super::run::{Buffer, Run};
use crate::error::Result;
use crate::exec::spill::SpillRun;
use crate::exec::{QueryContext, Reservation, Spillable, TaskContext};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A task spills its own rows only when they are at least this many bytes: below, files would be
/// many and small, and what is missing is held by others. Guessed.
const SPILL_BYTES_MIN: usize = 1 << 20;

/// Rows of one sort, or of one of its tasks.
pub(super) struct Store {
    plan: Arc<SortPlan>,
    task: TaskContext,
    pub(super) buffer: Buffer,
    pub(super) runs: Vec<Arc<Run>>,
    /// Files with their buckets.
    pub(super) spilled: Vec<(usize, SpillRun)>,
    reservations: Vec<Reservation>,
    own: Reservation,
}

impl Store {
    fn new(plan: &Arc<SortPlan>, task: &TaskContext) -> Self {
        let own = task.query.memory.reserve(Some(plan.metrics.clone()));
        let (plan, task) = (plan.clone(), task.clone());
        Self { plan, task, buffer: Buffer::default(), runs: Vec::new(), spilled: Vec::new(), reservations: Vec::new(), own }
    }

    /// Makes room for `bytes` more: by spilling what it holds, then what others hold; goes on
    /// without room when there is nothing left to do.
    pub(super) fn make_room(&mut self, bytes: usize) -> Result<()> {
        if self.own.try_grow(bytes) {
            return Ok(());
        }
        if self.held() >= SPILL_BYTES_MIN {
            self.spill()?;
            if self.own.try_grow(bytes) {
                return Ok(());
            }
        }
        let budget = self.own.budget().clone();
        budget.reclaim(bytes)?;
        if !self.own.try_grow(bytes) {
            self.own.grow_anyway(bytes);
        }
        Ok(())
    }

    /// Adjusts the reservation of a task's store to what it holds.
    pub(super) fn settle(&mut self) {
        let held = self.buffer.bytes() + self.runs.iter().map(|run| run.bytes()).sum::<usize>();
        if held < self.own.bytes() {
            self.own.shrink(self.own.bytes() - held);
        }
    }

    /// Makes a run of the buffer; of its first `keep` rows, if given.
    pub(super) fn sort_buffer(&mut self, keep: Option<usize>) -> Result<()> {
        if self.buffer.rows() > 0 {
            // Sorting holds the rows twice for a moment.
            let twice = self.buffer.bytes();
            self.own.grow_anyway(twice);
            let run = self.buffer.take_run(keep);
            self.own.shrink(twice);
            self.runs.push(Arc::new(run?));
            self.plan.metrics.counter("runs", crate::exec::Unit::Count).add(1);
        }
        Ok(())
    }

    /// Writes everything to files, a file a run. Returns the bytes freed.
    pub(super) fn spill(&mut self) -> Result<usize> {
        self.sort_buffer(self.plan.top_k())?;
        for run in std::mem::take(&mut self.runs) {
            for (bucket, rows) in buckets(&self.plan, &run) {
                let mut out = self.task.query.spill.create(&self.plan.spill_schema)?;
                run.write(rows, &mut out, &self.plan, &self.task)?;
                self.add_spilled(bucket, out.finish()?);
            }
        }
        let freed = self.held();
        self.own.release();
        self.reservations.clear();
        Ok(freed)
    }

    /// Adds a run in a file.
    pub(super) fn add_spilled(&mut self, bucket: usize, run: SpillRun) {
        self.plan.metrics.counter("spilled runs", crate::exec::Unit::Count).add(1);
        self.spilled.push((bucket, run));
    }

    /// Takes over what a task's store holds.
    fn absorb(&mut self, other: Store) {
        let Store { runs, spilled, own, .. } = other;
        self.runs.extend(runs);
        self.spilled.extend(spilled);
        self.reservations.push(own);
    }

    /// Takes runs and reservations out: for the output.
    pub(super) fn take(&mut self) -> (Vec<Arc<Run>>, Vec<(usize, SpillRun)>, Vec<Reservation>) {
        (std::mem::take(&mut self.runs), std::mem::take(&mut self.spilled), std::mem::take(&mut self.reservations))
    }

    fn held(&self) -> usize {
        self.own.bytes() + self.reservations.iter().map(Reservation::bytes).sum::<usize>()
    }
}

/// A store that others may spill.
pub(super) struct Holder {
    /// None after its rows have gone elsewhere.
    store: Mutex<Option<Store>>,
    reclaimable: AtomicUsize,
    wanted: AtomicBool,
}

impl Holder {
    /// An empty store, known to the budget.
    pub(super) fn new(plan: &Arc<SortPlan>, task: &TaskContext) -> Arc<Self> {
        let store = Mutex::new(Some(Store::new(plan, task)));
        let holder = Arc::new(Self { store, reclaimable: AtomicUsize::new(0), wanted: AtomicBool::new(false) });
        task.query.memory.register(&holder);
        holder
    }

    /// The same for the sort as a whole.
    pub(super) fn shared(plan: &Arc<SortPlan>, query: &Arc<QueryContext>) -> Arc<Self> {
        Self::new(plan, &TaskContext { query: query.clone(), worker: 0 })
    }

    /// Works on the store; before that, spills it if others have asked for it meanwhile.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Store) -> Result<T>) -> Result<Option<T>> {
        let mut guard = self.store.lock();
        let Some(store) = guard.as_mut() else { return Ok(None) };
        if self.wanted.swap(false, Ordering::Relaxed) && store.held() >= SPILL_BYTES_MIN {
            store.spill()?;
        }
        let result = work(store)?;
        self.reclaimable.store(store.held(), Ordering::Relaxed);
        Ok(Some(result))
    }

    /// Hands the rows over to `to`.
    pub(super) fn hand_to(&self, to: &Holder) -> Result<()> {
        self.reclaimable.store(0, Ordering::Relaxed);
        if let Some(store) = self.store.lock().take() {
            to.with(|shared| {
                shared.absorb(store);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes the store out for good.
    pub(super) fn take(&self) -> Option<Store> {
        self.reclaimable.store(0, Ordering::Relaxed);
        self.store.lock().take()
    }
}

impl Spillable for Holder {
    fn reclaimable(&self) -> usize {
        self.reclaimable.load(Ordering::Relaxed)
    }

    fn reclaim(&self) -> Result<usize> {
        let Some(mut guard) = self.store.try_lock() else {
            self.wanted.store(true, Ordering::Relaxed);
            return Ok(0);
        };
        let Some(store) = guard.as_mut() else { return Ok(0) };
        if store.held() < SPILL_BYTES_MIN {
            return Ok(0);
        }
        let freed = store.spill()?;
        self.reclaimable.store(0, Ordering::Relaxed);
        Ok(freed)
    }
}
