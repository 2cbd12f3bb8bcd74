//! The sink that a query's caller reads from: a bounded queue of chunks.
//!
//! A full queue parks the tasks that fill it (plain values, no thread waits); the reader resumes
//! them when half of it is read. Only the reader's own thread ever waits.

use super::context::TaskContext;
use super::pipeline::{Flow, Sink, SinkTask};
use crate::column::Chunk;
use crate::error::{Error, Result};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;

/// Chunks the queue holds before it parks its writers: with the tasks' own chunks the most a slow
/// reader keeps in memory. Guessed.
const QUEUE_CHUNKS: usize = 32;

/// The queue between a query's tasks and its reader. Cloning shares it.
#[derive(Clone, Default)]
pub struct ResultQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    parked: Vec<Box<dyn FnOnce() + Send>>,
    error: Option<Error>,
    ended: bool,
    closed: bool,
}

impl ResultQueue {
    /// The next chunk; waits for it. None at the end.
    pub fn next(&self) -> Result<Option<Chunk>> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            if let Some(chunk) = state.chunks.pop_front() {
                if state.chunks.len() <= QUEUE_CHUNKS / 2 {
                    let parked = std::mem::take(&mut state.parked);
                    drop(state);
                    parked.into_iter().for_each(|resume| resume());
                }
                return Ok(Some(chunk));
            }
            if state.ended {
                return Ok(None);
            }
            self.0.changed.wait(&mut state);
        }
    }

    /// The reader wants no more: writers stop at their next chunk.
    pub fn close(&self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        state.chunks.clear();
        let parked = std::mem::take(&mut state.parked);
        drop(state);
        parked.into_iter().for_each(|resume| resume());
    }

    /// The query is over, well or with an error.
    pub(super) fn end(&self, error: Option<Error>) {
        let mut state = self.0.state.lock();
        state.ended = true;
        if state.error.is_none() {
            state.error = error;
        }
        // Parked tasks of a failed query must run once more to be dropped in order.
        let parked = std::mem::take(&mut state.parked);
        self.0.changed.notify_all();
        drop(state);
        parked.into_iter().for_each(|resume| resume());
    }

    /// Waits until the query is over, whatever is still in the queue.
    pub fn wait_ended(&self) {
        let mut state = self.0.state.lock();
        while !state.ended {
            self.0.changed.wait(&mut state);
        }
    }
}

impl Sink for ResultQueue {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        Ok(Box::new(self.clone()))
    }

    fn park(&self, resume: Box<dyn FnOnce() + Send>) {
        let mut state = self.0.state.lock();
        if state.chunks.len() >= QUEUE_CHUNKS && !state.closed && !state.ended {
            state.parked.push(resume);
        } else {
            drop(state);
            resume();
        }
    }
}

impl SinkTask for ResultQueue {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<Flow> {
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
