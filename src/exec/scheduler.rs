//! Runs pipelines as tasks on one rayon pool. No other file names rayon.
//!
//! All queries of an engine share one first-in-first-out queue of work. A task runs for a quota of
//! time and goes back to the end of the queue, so a query that takes long does not starve one that
//! comes later. A task that parks (its sink is full) leaves the queue until it is resumed. When
//! workers idle, a task whose operator has much output left hands half of it over.
//!
//! ```text
//!   submit ──> queue ──pop──> worker: task.run(quota) ──┬─ done ──> last of its branch? announce
//!                ^                                      ├─ yielded ──┐      events, finalize, start
//!                └──────────────────────────────────────┼────────────┘      what they allow
//!                ^                                      └─ parked ──> sink, until resumed ──┐
//!                └──────────────────────────────────────────────────────────────────────────┘
//! ```

use super::context::{QueryContext, TaskContext};
use super::metrics::OperatorMetrics;
use super::pipeline::{Branch, Chain, Flow, Job, PipelineBuilder, Sink, SinkTask, Step, timed};
use super::result::{ResultQueue, ResultSink};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::borrow::Borrow;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a task runs before it lets others run. Guessed: far above the cost of a switch (about
/// a microsecond), far below what a person notices.
const QUOTA: Duration = Duration::from_millis(10);

type Work = Box<dyn FnOnce() + Send>;

/// The worker threads of an engine and their queue.
pub struct Scheduler {
    pool: rayon::ThreadPool,
    queue: Mutex<VecDeque<Work>>,
    threads: usize,
    busy: AtomicUsize,
}

impl Scheduler {
    /// A scheduler with `threads` workers.
    pub fn new(threads: usize) -> Result<Arc<Self>> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("skep-worker-{index}"))
            .stack_size(8 << 20)
            .build()
            .map_err(|error| Error::internal(format!("cannot start {threads} worker threads: {error}")))?;
        Ok(Arc::new(Self { pool, queue: Mutex::default(), threads, busy: AtomicUsize::new(0) }))
    }

    /// Number of workers.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Starts the pipelines in `builder`. `result` is the sink that the last of them ends in, and
    /// is told when the query is over.
    pub fn start(self: &Arc<Self>, builder: PipelineBuilder, query: Arc<QueryContext>, result: impl Borrow<ResultQueue>) {
        let mut pipelines = Vec::with_capacity(builder.pipelines.len());
        for pipeline in builder.pipelines {
            let branches = pipeline.branches.into_iter();
            pipelines.push(PipelineState {
                branches: branches.map(BranchState::new).collect(),
                sink: Some(pipeline.sink),
                sink_metrics: pipeline.sink_metrics,
                complete: pipeline.complete.0,
                finalizing: false,
                jobs_left: 0,
            });
        }
        let state = RunState {
            happened: vec![false; builder.events],
            open: pipelines.len(),
            pipelines,
            outstanding: 0,
            error: None,
            over: false,
        };
        let result = result.borrow().sink();
        result.attach(&query.cancel);
        let run = Arc::new(Run { scheduler: self.clone(), query, result, state: Mutex::new(state) });
        run.advance();
    }

    /// Puts work at the end of the queue.
    fn submit(self: &Arc<Self>, work: Work) {
        self.queue.lock().push_back(work);
        let this = self.clone();
        // One pool job per queued piece of work, but each takes the oldest piece: rayon prefers a
        // worker's own jobs, which would let one query's tasks go round without end.
        self.pool.spawn_fifo(move || {
            let work = this.queue.lock().pop_front();
            if let Some(work) = work {
                this.busy.fetch_add(1, Ordering::Relaxed);
                // Whatever a query's code does is guarded where the error can be told; this is for
                // the rest (a panic in a destructor): the worker and its count must survive.
                let _ = catch_unwind(AssertUnwindSafe(work));
                this.busy.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }

    fn has_idle_worker(&self) -> bool {
        self.busy.load(Ordering::Relaxed) + self.queue.lock().len() < self.threads
    }
}

/// One execution of a plan.
struct Run {
    scheduler: Arc<Scheduler>,
    query: Arc<QueryContext>,
    result: ResultSink,
    state: Mutex<RunState>,
}

struct RunState {
    happened: Vec<bool>,
    pipelines: Vec<PipelineState>,
    /// Pipelines not complete yet.
    open: usize,
    /// Tasks and jobs that exist.
    outstanding: usize,
    error: Option<Error>,
    over: bool,
}

struct PipelineState {
    branches: Vec<BranchState>,
    sink: Option<Arc<dyn Sink>>,
    sink_metrics: Arc<OperatorMetrics>,
    complete: usize,
    /// Whether finalization has begun: it begins once.
    finalizing: bool,
    jobs_left: usize,
}

struct BranchState {
    /// Dropped when the branch is drained, and with it what its operators hold.
    branch: Option<Arc<Branch>>,
    /// Tasks not over yet; none before the branch starts.
    tasks: Option<usize>,
    /// Numbers of tasks that are over, for tasks that come later: no two that live share one.
    free: Vec<usize>,
    /// The number after the highest one given out.
    next: usize,
}

impl BranchState {
    fn new(branch: Branch) -> Self {
        Self { branch: Some(Arc::new(branch)), tasks: None, free: Vec::new(), next: 0 }
    }
}

impl Run {
    /// Starts every branch whose requirements are met; ends the run when nothing is left.
    fn advance(self: &Arc<Self>) {
        let mut tasks = Vec::new();
        let mut empty = Vec::new();
        let mut state = self.state.lock();
        if state.error.is_none() {
            let RunState { happened, pipelines, outstanding, .. } = &mut *state;
            for (pipeline_index, pipeline) in pipelines.iter_mut().enumerate() {
                let Some(sink) = &pipeline.sink else { continue };
                if pipeline.branches.is_empty() && !pipeline.finalizing {
                    pipeline.finalizing = true;
                    *outstanding += 1;
                    empty.push(pipeline_index);
                }
                for (branch_index, slot) in pipeline.branches.iter_mut().enumerate() {
                    let Some(branch) = &slot.branch else { continue };
                    if slot.tasks.is_some() || !branch.requires.iter().all(|event| happened[event.0]) {
                        continue;
                    }
                    let count = branch.source.tasks_max().min(self.query.threads).max(1);
                    slot.tasks = Some(count);
                    slot.next = count;
                    *outstanding += count;
                    for worker in 0..count {
                        tasks.push(Task {
                            run: self.clone(),
                            pipeline: pipeline_index,
                            branch_index,
                            branch: branch.clone(),
                            sink: sink.clone(),
                            sink_metrics: pipeline.sink_metrics.clone(),
                            chain: None,
                            sink_task: None,
                            context: TaskContext { query: self.query.clone(), worker },
                            stopped: Arc::default(),
                        });
                    }
                }
            }
        }
        if state.outstanding == 0 && !state.over {
            state.over = true;
            let stuck = state.error.is_none() && state.open > 0;
            let error = state.error.clone();
            let pipelines = std::mem::take(&mut state.pipelines);
            drop(state);
            discard(pipelines);
            self.result.end(error.or_else(|| stuck.then(|| Error::internal("pipelines wait for one another"))));
            return;
        }
        drop(state);
        for task in tasks {
            let scheduler = self.scheduler.clone();
            scheduler.submit(Box::new(move || task.run()));
        }
        for pipeline in empty {
            self.finalize(pipeline, 0);
        }
    }

    fn fail(&self, error: Error) {
        self.state.lock().error.get_or_insert(error);
        self.query.cancel.raise();
        self.result.wake();
    }

    /// A task of the branch is over. The last one announces and may finalize the pipeline.
    fn task_over(self: &Arc<Self>, pipeline_index: usize, branch_index: usize, worker: usize) {
        let mut state = self.state.lock();
        let failed = state.error.is_some();
        let RunState { happened, pipelines, outstanding, .. } = &mut *state;
        let pipeline = &mut pipelines[pipeline_index];
        let slot = &mut pipeline.branches[branch_index];
        let left = slot.tasks.unwrap_or(1) - 1;
        slot.tasks = Some(left);
        slot.free.push(worker);
        let mut finalize = false;
        let mut drained = None;
        if left == 0 {
            drained = slot.branch.take();
            if let Some(branch) = &drained {
                branch.announces.iter().for_each(|event| happened[event.0] = true);
            }
            finalize = !failed && pipeline.branches.iter().all(|slot| slot.branch.is_none());
        }
        if finalize {
            pipeline.finalizing = true;
        } else {
            *outstanding -= 1;
        }
        drop(state);
        discard(drained);
        if finalize {
            self.finalize(pipeline_index, 0);
        } else {
            self.advance();
        }
    }

    /// Runs the sink's stages from `stage` on. The caller's share of `outstanding` passes to it.
    fn finalize(self: &Arc<Self>, pipeline_index: usize, stage: usize) {
        let (sink, metrics) = {
            let state = self.state.lock();
            let pipeline = &state.pipelines[pipeline_index];
            (pipeline.sink.clone(), pipeline.sink_metrics.clone())
        };
        let jobs = match sink {
            Some(sink) => guarded(|| {
                self.query.cancel.check()?;
                timed(&metrics, || sink.finalize(stage, &self.query))
            }),
            None => Ok(Vec::new()),
        };
        let jobs = jobs.unwrap_or_else(|error| {
            self.fail(error);
            Vec::new()
        });
        let mut state = self.state.lock();
        if jobs.is_empty() {
            let RunState { happened, pipelines, outstanding, open, .. } = &mut *state;
            let pipeline = &mut pipelines[pipeline_index];
            let sink = pipeline.sink.take();
            happened[pipeline.complete] = true;
            *open -= 1;
            *outstanding -= 1;
            drop(state);
            discard(sink);
            self.advance();
            return;
        }
        state.pipelines[pipeline_index].jobs_left = jobs.len();
        state.outstanding += jobs.len() - 1;
        drop(state);
        for (worker, job) in jobs.into_iter().enumerate() {
            let run = self.clone();
            let metrics = metrics.clone();
            self.scheduler.submit(Box::new(move || run.run_job(job, worker, pipeline_index, stage, &metrics)));
        }
    }

    fn run_job(self: Arc<Self>, job: Job, worker: usize, pipeline_index: usize, stage: usize, metrics: &OperatorMetrics) {
        let context = TaskContext { query: self.query.clone(), worker };
        let outcome = guarded(|| {
            context.check_cancelled()?;
            timed(metrics, || job(&context))
        });
        if let Err(error) = outcome {
            self.fail(error);
        }
        let mut state = self.state.lock();
        let failed = state.error.is_some();
        let pipeline = &mut state.pipelines[pipeline_index];
        pipeline.jobs_left -= 1;
        let last = pipeline.jobs_left == 0;
        if last && !failed {
            drop(state);
            self.finalize(pipeline_index, stage + 1);
            return;
        }
        state.outstanding -= 1;
        drop(state);
        self.advance();
    }
}

/// A pipeline's chain with the state it has reached.
struct Task {
    run: Arc<Run>,
    pipeline: usize,
    branch_index: usize,
    branch: Arc<Branch>,
    sink: Arc<dyn Sink>,
    sink_metrics: Arc<OperatorMetrics>,
    chain: Option<Chain>,
    sink_task: Option<Box<dyn SinkTask>>,
    context: TaskContext,
    /// Set when the sink wants no more rows from this task.
    stopped: Arc<AtomicBool>,
}

enum Outcome {
    Done,
    Yielded,
    Parked,
}

impl Task {
    fn run(mut self) {
        match guarded(|| self.run_quota()) {
            Ok(Outcome::Yielded) => {
                let scheduler = self.run.scheduler.clone();
                scheduler.submit(Box::new(move || self.run()));
            }
            Ok(Outcome::Parked) => {
                let sink = self.sink.clone();
                let run = self.run.clone();
                // The sink keeps the task: it must keep every task it is given until it resumes it.
                let parked = guarded(|| {
                    sink.park(Box::new(move || {
                        let scheduler = self.run.scheduler.clone();
                        scheduler.submit(Box::new(move || self.run()));
                    }));
                    Ok(())
                });
                if let Err(error) = parked {
                    run.fail(error);
                }
            }
            Ok(Outcome::Done) => self.over(None),
            Err(error) => self.over(Some(error)),
        }
    }

    fn over(self, error: Option<Error>) {
        let Self { run, pipeline, branch_index, branch, sink, chain, sink_task, context, .. } = self;
        if let Some(error) = error {
            run.fail(error);
        }
        // What the task holds goes before the branch is announced as drained.
        let worker = context.worker;
        let dropped = guarded(|| {
            drop((chain, sink_task, branch, sink, context));
            Ok(())
        });
        if let Err(error) = dropped {
            run.fail(error);
        }
        run.task_over(pipeline, branch_index, worker);
    }

    fn run_quota(&mut self) -> Result<Outcome> {
        let start = Instant::now();
        // Also what resumes a parked task of a failed query: it must not fill the queue again.
        self.context.check_cancelled()?;
        let Self { branch, context, stopped, .. } = self;
        let source = branch.source.clone();
        let opener = context.clone();
        let halted = stopped.clone();
        let mut more = move || if halted.load(Ordering::Relaxed) { Ok(None) } else { source.open(&opener) };
        if self.chain.is_none() {
            let Some(cursor) = more()? else { return Ok(Outcome::Done) };
            self.chain = Some(Chain::new(Some(cursor), &branch.source_metrics, &branch.operators, context)?);
        }
        loop {
            let chain = self.chain.as_mut().ok_or_else(|| Error::internal("a task without a chain"))?;
            let step = chain.pull(&mut more, &self.context)?;
            match step {
                Step::Chunk(chunk) => {
                    if self.sink_task.is_none() {
                        self.sink_task = Some(self.sink.start(&self.context)?);
                    }
                    let sink = self.sink_task.as_mut().ok_or_else(|| Error::internal("a task without a sink"))?;
                    match timed(&self.sink_metrics, || sink.push(chunk, &self.context))? {
                        Flow::Continue => {}
                        Flow::Park => return Ok(Outcome::Parked),
                        Flow::Stop => {
                            self.stopped.store(true, Ordering::Relaxed);
                            return self.finish();
                        }
                    }
                }
                Step::Yield | Step::NeedInput => {}
                Step::Done => return self.finish(),
            }
            if start.elapsed() >= QUOTA {
                self.context.check_cancelled()?;
                self.hand_over()?;
                return Ok(Outcome::Yielded);
            }
        }
    }

    fn finish(&mut self) -> Result<Outcome> {
        self.chain = None;
        if let Some(sink) = self.sink_task.take() {
            timed(&self.sink_metrics, || sink.finish(&self.context))?;
        }
        Ok(Outcome::Done)
    }

    /// Gives half of the output still to come to a worker that has nothing to do.
    fn hand_over(&mut self) -> Result<()> {
        if !self.run.scheduler.has_idle_worker() || self.branch.source.tasks_max() == 1 {
            return Ok(());
        }
        let Some(chain) = &mut self.chain else { return Ok(()) };
        let Some(half) = chain.halve(&self.context)? else { return Ok(()) };
        let worker = {
            let mut state = self.run.state.lock();
            state.outstanding += 1;
            let slot = &mut state.pipelines[self.pipeline].branches[self.branch_index];
            let tasks = slot.tasks.get_or_insert(0);
            *tasks += 1;
            slot.free.pop().unwrap_or_else(|| {
                slot.next += 1;
                slot.next - 1
            })
        };
        let task = Task {
            run: self.run.clone(),
            pipeline: self.pipeline,
            branch_index: self.branch_index,
            branch: self.branch.clone(),
            sink: self.sink.clone(),
            sink_metrics: self.sink_metrics.clone(),
            chain: Some(half),
            sink_task: None,
            context: TaskContext { query: self.context.query.clone(), worker },
            // The handed-over half has no source of its own to open.
            stopped: Arc::new(AtomicBool::new(true)),
        };
        let scheduler = self.run.scheduler.clone();
        scheduler.submit(Box::new(move || task.run()));
        Ok(())
    }
}

/// Drops what holds operators' state; a destructor that panics must not keep the run from ending.
fn discard<T>(state: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(state)));
}

/// Turns a panic into the query's error: the session goes on.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::internal(format!("an operator panicked: {text}")).with_hint("this is a defect of skep; please report it"))
    })
}
