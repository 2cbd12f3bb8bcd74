//! The sink that a query's caller reads from: a bounded queue of chunks.
//!
//! A full queue parks the tasks that fill it (plain values, no thread waits); the reader resumes
//! them when half of it is read. Only the reader's own thread ever waits. The last clone of the
//! reader's end that is dropped ends the query.
//!
//! ```text
//!   tasks ──push──> ResultSink ─┬─> chunks (at most QUEUE_CHUNKS + one a task) ──next──> reader
//!                               └─> parked tasks <──resume when half empty, closed or failed──
//! ```

use super::cancel::CancelFlag;
use super::context::TaskContext;
use super::pipeline::{Flow, Sink, SinkTask};
use crate::column::{Chunk, Column};
use crate::error::{Error, Result};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Chunks the queue holds before it parks its writers: with the tasks' own chunks the most a slow
/// reader keeps in memory. Guessed.
const QUEUE_CHUNKS: usize = 32;

/// How often a waiting reader looks whether the query was cancelled from outside: a raised flag
/// wakes nobody. Guessed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The reader's end of the queue between a query's tasks and its caller. Cloning shares it.
#[derive(Clone, Default)]
pub struct ResultQueue(Arc<Reader>);

/// Closes the queue when the last reader's end is dropped. Tasks hold [`ResultSink`] only.
#[derive(Default)]
struct Reader(ResultSink);

/// The writers' end of the queue.
#[derive(Clone, Default)]
pub struct ResultSink(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    parked: Vec<Box<dyn FnOnce() + Send>>,
    /// The query's flag, once it is started.
    cancel: Option<CancelFlag>,
    error: Option<Error>,
    ended: bool,
    closed: bool,
}

impl ResultQueue {
    /// The end to give to a pipeline as its sink.
    pub fn sink(&self) -> ResultSink {
        self.0.0.clone()
    }

    /// The next chunk; waits for it. None at the end.
    ///
    /// # Errors
    /// That of the query, as soon as it is over; what was still queued is dropped.
    pub fn next(&self) -> Result<Option<Chunk>> {
        let shared = &*self.0.0.0;
        let mut state = shared.state.lock();
        loop {
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            if state.is_cancelled() {
                // The error that raised the flag, if it was one, is told with the end.
                if state.ended {
                    return Err(Error::cancelled());
                }
                state.chunks.clear();
                let parked = std::mem::take(&mut state.parked);
                drop(state);
                parked.into_iter().for_each(|resume| resume());
                state = shared.state.lock();
                if state.ended {
                    continue;
                }
            } else if let Some(chunk) = state.chunks.pop_front() {
                if state.chunks.len() <= QUEUE_CHUNKS / 2 {
                    let parked = std::mem::take(&mut state.parked);
                    drop(state);
                    parked.into_iter().for_each(|resume| resume());
                }
                return Ok(Some(chunk));
            } else if state.ended {
                return Ok(None);
            }
            shared.changed.wait_for(&mut state, LOOK_EVERY);
        }
    }

    /// The reader wants no more: the query is cancelled, what is queued is dropped. A query that
    /// is over already stays as it ended.
    pub fn close(&self) {
        self.0.0.close();
    }

    /// Waits until the query is over. Close or cancel it before, or read to its end: tasks that
    /// wait for room in the queue are not over.
    pub fn wait_ended(&self) {
        let shared = &*self.0.0.0;
        let mut state = shared.state.lock();
        while !state.ended {
            if state.is_cancelled() && !state.parked.is_empty() {
                let parked = std::mem::take(&mut state.parked);
                drop(state);
                parked.into_iter().for_each(|resume| resume());
                state = shared.state.lock();
                continue;
            }
            shared.changed.wait_for(&mut state, LOOK_EVERY);
        }
    }

    /// Chunks waiting to be read.
    pub fn len(&self) -> usize {
        self.0.0.0.state.lock().chunks.len()
    }

    /// Whether no chunk waits to be read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl State {
    fn is_cancelled(&self) -> bool {
        self.closed || self.cancel.as_ref().is_some_and(CancelFlag::is_raised)
    }
}

impl ResultSink {
    /// Ties the queue to the query that fills it.
    pub(super) fn attach(&self, cancel: &CancelFlag) {
        let mut state = self.0.state.lock();
        state.cancel = Some(cancel.clone());
        if state.closed {
            cancel.raise();
        }
    }

    /// Lets parked tasks run, to see that the query has failed.
    pub(super) fn wake(&self) {
        let parked = std::mem::take(&mut self.0.state.lock().parked);
        parked.into_iter().for_each(|resume| resume());
    }

    /// The query is over, well or with an error.
    pub(super) fn end(&self, error: Option<Error>) {
        let mut state = self.0.state.lock();
        state.ended = true;
        if state.error.is_none() {
            state.error = error;
        }
        self.0.changed.notify_all();
    }

    fn close(&self) {
        let mut state = self.0.state.lock();
        if let Some(cancel) = state.cancel.as_ref().filter(|_| !state.closed && !state.ended) {
            cancel.raise();
        }
        state.closed = true;
        let chunks = std::mem::take(&mut state.chunks);
        let parked = std::mem::take(&mut state.parked);
        self.0.changed.notify_all();
        drop(state);
        drop(chunks);
        parked.into_iter().for_each(|resume| resume());
    }
}

impl Sink for ResultSink {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        Ok(Box::new(self.clone()))
    }

    fn park(&self, resume: Box<dyn FnOnce() + Send>) {
        let mut state = self.0.state.lock();
        // Looked at under the lock: whoever empties the queue or raises the flag and then wakes
        // comes either before this, and is seen, or after it, and finds the task parked.
        if state.chunks.len() > QUEUE_CHUNKS / 2 && !state.ended && !state.is_cancelled() {
            state.parked.push(resume);
        } else {
            drop(state);
            resume();
        }
    }
}

/// Gives a pipeline the reader's end itself: works, but then dropping the caller's clones does not
/// end the query; prefer [`ResultQueue::sink`].
impl Sink for ResultQueue {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        self.0.0.start(task)
    }

    fn park(&self, resume: Box<dyn FnOnce() + Send>) {
        self.0.0.park(resume);
    }
}

impl SinkTask for ResultSink {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<Flow> {
        if self.0.state.lock().closed {
            return Ok(Flow::Stop);
        }
        // Copying is the tasks' work: the reader has one thread.
        let columns = chunk.columns().iter().map(|column| column.flat().map(Column::Flat)).collect::<Result<_>>()?;
        let chunk = chunk.with_columns(columns);
        let mut state = self.0.state.lock();
        if state.closed {
            return Ok(Flow::Stop);
        }
        if chunk.rows() > 0 {
            state.chunks.push_back(chunk);
            self.0.changed.notify_all();
        }
        Ok(if state.chunks.len() >= QUEUE_CHUNKS { Flow::Park } else { Flow::Continue })
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}
