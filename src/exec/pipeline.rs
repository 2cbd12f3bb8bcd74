//! Sources, operators and sinks, and how a plan is cut into pipelines of them.
//!
//! Everything that runs is a value with explicit state, so that a task can stop after any chunk and
//! go on later, on another thread: no call stack is ever parked. A chain of a cursor and operators
//! is a cursor again ([`Chain`]), which is what regions and merge joins are built from.

use super::context::{QueryContext, TaskContext};
use super::metrics::OperatorMetrics;
use crate::column::Chunk;
use crate::error::Result;
use std::sync::Arc;
use std::time::Instant;

/// Chunks that an operator may swallow in a row before its chain yields, so that a filter that
/// drops everything neither outlives its quota nor hides the end of a LIMIT. Guessed.
const SWALLOWED_MAX: usize = 4;

/// What one step of a cursor or operator gives.
pub enum Step {
    /// Rows.
    Chunk(Chunk),
    /// Nothing this time, but call again: lets long work be interrupted.
    Yield,
    /// An operator wants another [`OperatorTask::push`]. Never from a cursor.
    NeedInput,
    /// Nothing more, ever. From an operator also: no more input wanted.
    Done,
}

/// What a sink says to having taken a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Come back when [`Sink::park`] resumes the task.
    Park,
    /// No more rows are wanted.
    Stop,
}

/// Work that a sink's finalization wants done, in parallel with others of its stage.
pub type Job = Box<dyn FnOnce(&TaskContext) -> Result<()> + Send>;

/// Where a branch's rows come from, shared by its tasks.
pub trait Source: Send + Sync {
    /// How many tasks may read at the same time. A source whose order matters says 1.
    fn tasks_max(&self) -> usize {
        usize::MAX
    }

    /// The next unit of work that nobody has taken, or none. Called by many tasks at once.
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>>;
}

/// A place in one unit of work.
pub trait Cursor: Send {
    /// The next rows: [`Step::Chunk`], [`Step::Yield`] or [`Step::Done`].
    fn next(&mut self, task: &TaskContext) -> Result<Step>;

    /// Gives about half of what is still to come to another task. None when there is little left,
    /// or it cannot be shared.
    fn split(&mut self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let _ = task;
        Ok(None)
    }
}

/// A streaming operator, shared by the tasks of its branch.
pub trait Operator: Send + Sync {
    /// The state of one task.
    fn start(&self, task: &TaskContext) -> Result<Box<dyn OperatorTask>>;
}

/// One task's state of an operator. Protocol: `next` until [`Step::NeedInput`], then one `push` (or
/// one `end_of_input`), and so on, until [`Step::Done`].
pub trait OperatorTask: Send {
    /// Takes a chunk. Called only after `next` gave [`Step::NeedInput`] (or at the start).
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<()>;

    /// The next output. With no input left over: [`Step::NeedInput`]; after the end of the input
    /// and with nothing left: [`Step::Done`].
    fn next(&mut self, task: &TaskContext) -> Result<Step>;

    /// No more input for this task will come.
    fn end_of_input(&mut self, task: &TaskContext) -> Result<()>;

    /// Gives about half of the output still to be produced from what was pushed to another task,
    /// as a state of its own whose input has ended. None when there is little left.
    fn split(&mut self) -> Option<Box<dyn OperatorTask>> {
        None
    }
}

/// Where the rows of a pipeline end up, shared by all its tasks.
pub trait Sink: Send + Sync {
    /// The state of one task.
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>>;

    /// After all tasks have finished: the jobs of `stage` (from 0), which run in parallel; the next
    /// stage is asked for when they are done; no jobs means the sink is complete.
    fn finalize(&self, stage: usize, query: &Arc<QueryContext>) -> Result<Vec<Job>> {
        let _ = (stage, query);
        Ok(Vec::new())
    }

    /// Keeps `resume` and calls it when more rows are wanted after [`Flow::Park`].
    fn park(&self, resume: Box<dyn FnOnce() + Send>) {
        resume();
    }
}

/// One task's state of a sink.
pub trait SinkTask: Send {
    /// Takes a chunk.
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow>;

    /// The task is over: hands its state to the shared sink.
    fn finish(self: Box<Self>, task: &TaskContext) -> Result<()>;
}

/// Something that happens once during a run: a pipeline completes or a branch is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Event(pub(super) usize);

/// A source with operators on it.
#[derive(Clone)]
pub struct Branch {
    pub(super) source: Arc<dyn Source>,
    pub(super) source_metrics: Arc<OperatorMetrics>,
    pub(super) operators: Vec<(Arc<dyn Operator>, Arc<OperatorMetrics>)>,
    /// The branch starts when all of these have happened.
    pub(super) requires: Vec<Event>,
    /// These happen when all tasks of the branch are over.
    pub(super) announces: Vec<Event>,
}

/// The open end of a pipeline: rows of one schema, out of one or more branches.
pub struct Stream {
    pub(super) branches: Vec<Branch>,
}

/// A stream that ends in a sink.
pub struct Pipeline {
    pub(super) branches: Vec<Branch>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) sink_metrics: Arc<OperatorMetrics>,
    pub(super) complete: Event,
}

impl Stream {
    /// A stream of what `source` yields. `metrics` are those of the plan node it belongs to.
    pub fn new(source: Arc<dyn Source>, metrics: &Arc<OperatorMetrics>) -> Self {
        let branch = Branch {
            source,
            source_metrics: metrics.clone(),
            operators: Vec::new(),
            requires: Vec::new(),
            announces: Vec::new(),
        };
        Self { branches: vec![branch] }
    }

    /// All rows of several streams, in no order.
    pub fn union(streams: impl IntoIterator<Item = Stream>) -> Self {
        Self { branches: streams.into_iter().flat_map(|stream| stream.branches).collect() }
    }

    /// Puts `operator` on every branch.
    #[must_use]
    pub fn then(mut self, operator: Arc<dyn Operator>, metrics: &Arc<OperatorMetrics>) -> Self {
        for branch in &mut self.branches {
            branch.operators.push((operator.clone(), metrics.clone()));
        }
        self
    }

    /// Lets no branch start before `event`.
    #[must_use]
    pub fn after(mut self, event: Event) -> Self {
        for branch in &mut self.branches {
            branch.requires.push(event);
        }
        self
    }

    /// Adds a branch that starts when all branches so far are drained: for rows that come out
    /// last, as the unmatched build rows of an outer join.
    #[must_use]
    pub fn followed_by(mut self, builder: &mut PipelineBuilder, mut last: Stream) -> Self {
        for branch in &mut self.branches {
            let drained = builder.event();
            branch.announces.push(drained);
            last = last.after(drained);
        }
        self.branches.append(&mut last.branches);
        self
    }
}

/// Collects the pipelines of a plan while its nodes build themselves.
#[derive(Default)]
pub struct PipelineBuilder {
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) events: usize,
    built: Vec<(usize, Event)>,
    /// Events that every branch built now has to wait for; see [`PipelineBuilder::with_gate`].
    gates: Vec<Event>,
}

impl PipelineBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new event.
    pub fn event(&mut self) -> Event {
        self.events += 1;
        Event(self.events - 1)
    }

    /// Ends `stream` in `sink`. The event happens when the sink is complete.
    pub fn end(&mut self, mut stream: Stream, sink: Arc<dyn Sink>, metrics: &Arc<OperatorMetrics>) -> Event {
        let complete = self.event();
        for branch in &mut stream.branches {
            branch.requires.extend(&self.gates);
        }
        let pipeline = Pipeline { branches: stream.branches, sink, sink_metrics: metrics.clone(), complete };
        self.pipelines.push(pipeline);
        complete
    }

    /// Runs `build` and lets everything built in it wait for `events`: the branches of the stream
    /// that it returns, and those of every pipeline that it ends on the way (the builds of joins,
    /// for one). Gates nest: inner branches wait for the events of all gates around them.
    pub fn with_gate(&mut self, events: &[Event], build: impl FnOnce(&mut Self) -> Result<Stream>) -> Result<Stream> {
        let outer = self.gates.len();
        self.gates.extend(events);
        let stream = build(self);
        self.gates.truncate(outer);
        Ok(events.iter().fold(stream?, |stream, event| stream.after(*event)))
    }

    /// Builds something shared (a scalar subquery, a common subplan) once: the first call for
    /// `key` runs `build`, later ones return the same event. Use the address of the shared value.
    pub fn once(&mut self, key: usize, build: impl FnOnce(&mut Self) -> Result<Event>) -> Result<Event> {
        if let Some((_, event)) = self.built.iter().find(|(known, _)| *known == key) {
            return Ok(*event);
        }
        let event = build(self)?;
        self.built.push((key, event));
        Ok(event)
    }
}

/// A cursor with operators on it, as a cursor: what a task runs.
pub struct Chain {
    source: Option<(Box<dyn Cursor>, Arc<OperatorMetrics>)>,
    links: Vec<Link>,
}

struct Link {
    /// What `state` is a state of.
    operator: Arc<dyn Operator>,
    state: Box<dyn OperatorTask>,
    metrics: Arc<OperatorMetrics>,
    input_ended: bool,
}

impl Link {
    fn new(operator: &Arc<dyn Operator>, metrics: &Arc<OperatorMetrics>, task: &TaskContext) -> Result<Self> {
        Ok(Self { operator: operator.clone(), state: operator.start(task)?, metrics: metrics.clone(), input_ended: false })
    }
}

impl Chain {
    /// A chain of fresh operator states on `cursor`.
    pub fn new(
        cursor: Option<Box<dyn Cursor>>,
        source_metrics: &Arc<OperatorMetrics>,
        operators: &[(Arc<dyn Operator>, Arc<OperatorMetrics>)],
        task: &TaskContext,
    ) -> Result<Self> {
        let links = operators.iter().map(|(operator, metrics)| Link::new(operator, metrics, task)).collect::<Result<_>>()?;
        Ok(Self { source: cursor.map(|cursor| (cursor, source_metrics.clone())), links })
    }

    /// The cursor, or the first operator with much output left, gives half of it away, as a chain of its own that
    /// runs through fresh states of the later operators.
    pub(super) fn halve(&mut self, task: &TaskContext) -> Result<Option<Chain>> {
        let fresh = |links: &[Link]| -> Result<Vec<Link>> {
            links.iter().map(|link| Link::new(&link.operator, &link.metrics, task)).collect()
        };
        if let Some((cursor, metrics)) = &mut self.source
            && let Some(half) = cursor.split(task)?
        {
            return Ok(Some(Chain { source: Some((half, metrics.clone())), links: fresh(&self.links)? }));
        }
        for at in 0..self.links.len() {
            let Some(state) = self.links[at].state.split() else { continue };
            let Link { operator, metrics, .. } = &self.links[at];
            let mut links = vec![Link { operator: operator.clone(), state, metrics: metrics.clone(), input_ended: true }];
            links.extend(fresh(&self.links[at + 1..])?);
            return Ok(Some(Chain { source: None, links }));
        }
        Ok(None)
    }

    /// The next chunk out of the last operator. `more` is called when the source is exhausted: it
    /// gives the next unit of work, or none, which ends the input of the operators.
    pub(super) fn pull(&mut self, more: &mut dyn FnMut() -> Result<Option<Box<dyn Cursor>>>, task: &TaskContext) -> Result<Step> {
        self.pull_from(self.links.len(), more, task)
    }

    fn pull_from(
        &mut self,
        stage: usize,
        more: &mut dyn FnMut() -> Result<Option<Box<dyn Cursor>>>,
        task: &TaskContext,
    ) -> Result<Step> {
        if stage == 0 {
            return self.pull_source(more, task);
        }
        for swallowed in 0.. {
            let link = &mut self.links[stage - 1];
            let step = timed(&link.metrics, || link.state.next(task))?;
            match step {
                Step::Chunk(chunk) => {
                    count(&link.metrics, &chunk);
                    return Ok(Step::Chunk(chunk));
                }
                Step::Yield => return Ok(Step::Yield),
                Step::Done => return Ok(Step::Done),
                Step::NeedInput if link.input_ended => return Ok(Step::Done),
                Step::NeedInput if swallowed >= SWALLOWED_MAX => return Ok(Step::Yield),
                Step::NeedInput => {}
            }
            match self.pull_from(stage - 1, more, task)? {
                Step::Chunk(chunk) => {
                    if chunk.rows() > 0 {
                        let link = &mut self.links[stage - 1];
                        timed(&link.metrics, || link.state.push(chunk, task))?;
                    }
                }
                Step::Yield | Step::NeedInput => return Ok(Step::Yield),
                Step::Done => {
                    let link = &mut self.links[stage - 1];
                    link.input_ended = true;
                    timed(&link.metrics, || link.state.end_of_input(task))?;
                }
            }
        }
        Ok(Step::Yield)
    }

    fn pull_source(&mut self, more: &mut dyn FnMut() -> Result<Option<Box<dyn Cursor>>>, task: &TaskContext) -> Result<Step> {
        let Some((cursor, metrics)) = &mut self.source else {
            return Ok(Step::Done);
        };
        task.check_cancelled()?;
        match timed(metrics, || cursor.next(task))? {
            Step::Chunk(chunk) => {
                count(metrics, &chunk);
                Ok(Step::Chunk(chunk))
            }
            Step::Yield | Step::NeedInput => Ok(Step::Yield),
            Step::Done => match timed(metrics, &mut *more)? {
                Some(next) => {
                    // Units of work without rows (pruned row groups) must not go on past the quota.
                    *cursor = next;
                    Ok(Step::Yield)
                }
                None => {
                    self.source = None;
                    Ok(Step::Done)
                }
            },
        }
    }
}

/// A chain over one unit of work is a cursor.
impl Cursor for Chain {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        self.pull(&mut || Ok(None), task)
    }

    fn split(&mut self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        Ok(self.halve(task)?.map(|half| Box::new(half) as Box<dyn Cursor>))
    }
}

/// Runs `work` and adds its time to the operator's.
pub(super) fn timed<T>(metrics: &OperatorMetrics, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    metrics.busy_ns.add(start.elapsed().as_nanos() as u64);
    result
}

fn count(metrics: &OperatorMetrics, chunk: &Chunk) {
    metrics.rows_out.add(chunk.rows() as u64);
    metrics.chunks_out.add(1);
}
