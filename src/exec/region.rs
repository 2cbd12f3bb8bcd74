//! A region: the pipelines of one part's join or aggregation, run to their end by one task.
//!
//! ```text
//!   pipelines of the part:   left ──> build sink        each step of the cursor moves one chunk of the
//!                            right ──> probe ──> out     first pipeline that may run; finished sinks
//!                                                        are finalized on the spot
//! ```
//!
//! Any operator that builds itself into pipelines can so be run once a part, with state of its own:
//! spilling, recursion and all kinds of joins included. Parallelism comes from other parts. Where one part is
//! much larger than the others, as a range with a hot key is, its last pipeline (the probe side of a join) is
//! shared: an idle worker takes half of the rows still to be read, or of the pairs still to be made.
//!
//! ```text
//!   region   build ──> probe ─────────────┐          whoever ends last goes on with what waits for
//!                        └─ half ─────────┴──> leftovers      the whole probe side
//! ```
//!
//! Cost: what building the operator's state costs, some ten microseconds a part.

use super::context::TaskContext;
use super::metrics::OperatorMetrics;
use super::pipeline::{Branch, Chain, Cursor, Flow, Pipeline, PipelineBuilder, Sink, SinkTask, Step, Stream, timed};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// See the module. Its rows are those of the stream.
#[derive(Default)]
pub struct Region {
    pipelines: Vec<Option<Running>>,
    last: Vec<Reading>,
    happened: Vec<bool>,
    shared: Arc<Mutex<Shared>>,
}

/// What a region and the halves that it gave away have in common.
#[derive(Default)]
struct Shared {
    /// Halves that have not ended.
    halves: usize,
    /// The region itself, once only halves keep it from going on.
    rest: Option<Region>,
}

/// Rows of a region that another task took.
struct Half {
    chain: Option<Chain>,
    shared: Arc<Mutex<Shared>>,
    /// The rest of the region, where this half was the last to end.
    rest: Option<Region>,
}

/// A pipeline that is not complete.
struct Running {
    branches: Vec<Reading>,
    sink: Arc<dyn Sink>,
    metrics: Arc<OperatorMetrics>,
    task: Option<Box<dyn SinkTask>>,
    complete: usize,
}

/// A branch being read.
struct Reading {
    branch: Branch,
    chain: Option<Chain>,
    over: bool,
}

impl Region {
    /// A region of everything in `builder`, whose rows are those of `stream`.
    pub fn new(builder: PipelineBuilder, stream: Stream) -> Self {
        let running = |pipeline: Pipeline| Running {
            branches: pipeline.branches.into_iter().map(Reading::new).collect(),
            sink: pipeline.sink,
            metrics: pipeline.sink_metrics,
            task: None,
            complete: pipeline.complete.0,
        };
        Self {
            happened: vec![false; builder.events],
            pipelines: builder.pipelines.into_iter().map(|pipeline| Some(running(pipeline))).collect(),
            last: stream.branches.into_iter().map(Reading::new).collect(),
            shared: Arc::default(),
        }
    }
}

impl Cursor for Region {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let Self { pipelines, last, happened, shared } = self;
        for slot in pipelines.iter_mut() {
            let Some(running) = slot else { continue };
            if running.branches.iter().all(|branch| branch.over) {
                running.finish(task)?;
                happened[running.complete] = true;
                *slot = None;
                return Ok(Step::Yield);
            }
            if running.step(happened, task)? {
                return Ok(Step::Yield);
            }
        }
        if let Some(reading) = last.iter_mut().find(|reading| reading.is_ready(happened)) {
            match reading.step(task)? {
                Step::Chunk(chunk) => return Ok(Step::Chunk(chunk)),
                Step::Done => {
                    reading.end(happened);
                    let shared = shared.clone();
                    let mut shared = shared.lock();
                    if shared.halves > 0 {
                        // What comes next needs all rows of the branch.
                        let rest = std::mem::take(self);
                        // It shares nothing with anybody then, and must not hold what holds it.
                        shared.rest = Some(Region { shared: Arc::default(), ..rest });
                        return Ok(Step::Done);
                    }
                }
                Step::Yield | Step::NeedInput => {}
            }
            return Ok(Step::Yield);
        }
        if last.iter().all(|reading| reading.over) {
            return Ok(Step::Done);
        }
        Err(Error::internal("pipelines of a region wait for one another"))
    }

    fn split(&mut self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let Self { pipelines, last, happened, shared } = self;
        if pipelines.iter().any(Option::is_some) {
            return Ok(None);
        }
        let Some(reading) = last.iter_mut().find(|reading| reading.is_ready(happened)) else { return Ok(None) };
        let Some(chain) = reading.chain.as_mut().filter(|_| reading.branch.source.tasks_max() > 1) else { return Ok(None) };
        Ok(Half::of(chain, shared, task)?.map(|half| Box::new(half) as Box<dyn Cursor>))
    }
}

impl Half {
    /// Half of what a chain of a region has still to give.
    fn of(chain: &mut Chain, shared: &Arc<Mutex<Shared>>, task: &TaskContext) -> Result<Option<Self>> {
        let Some(half) = chain.halve(task)? else { return Ok(None) };
        shared.lock().halves += 1;
        Ok(Some(Self { chain: Some(half), shared: shared.clone(), rest: None }))
    }
}

impl Cursor for Half {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        if let Some(rest) = &mut self.rest {
            return rest.next(task);
        }
        let step = match &mut self.chain {
            Some(chain) => chain.next(task)?,
            None => return Ok(Step::Done),
        };
        if !matches!(step, Step::Done) {
            return Ok(step);
        }
        self.chain = None;
        let mut shared = self.shared.lock();
        shared.halves -= 1;
        if shared.halves == 0 {
            self.rest = shared.rest.take();
        }
        Ok(if self.rest.is_some() { Step::Yield } else { Step::Done })
    }

    fn split(&mut self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        if let Some(rest) = &mut self.rest {
            return rest.split(task);
        }
        let Some(chain) = &mut self.chain else { return Ok(None) };
        Ok(Half::of(chain, &self.shared, task)?.map(|half| Box::new(half) as Box<dyn Cursor>))
    }
}

impl Running {
    /// Moves one chunk, if some branch may run.
    fn step(&mut self, happened: &mut [bool], task: &TaskContext) -> Result<bool> {
        let Self { branches, sink, metrics, task: sink_task, .. } = self;
        let Some(reading) = branches.iter_mut().find(|branch| branch.is_ready(happened)) else { return Ok(false) };
        match reading.step(task)? {
            Step::Chunk(chunk) => {
                if sink_task.is_none() {
                    *sink_task = Some(sink.start(task)?);
                }
                let flow = match sink_task {
                    Some(sink_task) => timed(metrics, || sink_task.push(chunk, task))?,
                    None => Flow::Stop,
                };
                match flow {
                    Flow::Continue => {}
                    Flow::Stop => reading.end(happened),
                    Flow::Park => return Err(Error::internal("a sink inside of a region parks its task")),
                }
            }
            Step::Done => reading.end(happened),
            Step::Yield | Step::NeedInput => {}
        }
        Ok(true)
    }

    fn finish(&mut self, task: &TaskContext) -> Result<()> {
        let Self { sink, metrics, task: sink_task, .. } = self;
        timed(metrics, || {
            if let Some(sink_task) = sink_task.take() {
                sink_task.finish(task)?;
            }
            for stage in 0.. {
                let jobs = sink.finalize(stage, &task.query)?;
                if jobs.is_empty() {
                    break;
                }
                for job in jobs {
                    task.check_cancelled()?;
                    job(task)?;
                }
            }
            Ok(())
        })
    }
}

impl Reading {
    fn new(branch: Branch) -> Self {
        Self { branch, chain: None, over: false }
    }

    fn is_ready(&self, happened: &[bool]) -> bool {
        !self.over && self.branch.requires.iter().all(|event| happened[event.0])
    }

    fn step(&mut self, task: &TaskContext) -> Result<Step> {
        let Self { branch, chain, .. } = self;
        let mut more = || branch.source.open(task);
        if chain.is_none() {
            let Some(cursor) = more()? else { return Ok(Step::Done) };
            *chain = Some(Chain::new(Some(cursor), &branch.source_metrics, &branch.operators, task)?);
        }
        match chain {
            Some(chain) => chain.pull(&mut more, task),
            None => Ok(Step::Done),
        }
    }

    fn end(&mut self, happened: &mut [bool]) {
        self.over = true;
        self.chain = None;
        self.branch.announces.iter().for_each(|event| happened[event.0] = true);
    }
}
