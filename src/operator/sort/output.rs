//! Gives a sort's rows out in order, from one task.

use super::merge::Merge;
use super::run::Run;
use super::sink::SortSink;
use crate::column::Chunk;
use crate::error::Result;
use crate::exec::{Cursor, Reservation, Source, Step, TaskContext};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Chunks of one key range, filled by the worker that merges it.
pub(super) type Part = Arc<Mutex<VecDeque<Chunk>>>;

/// What is left to give out, and how.
pub(super) struct Output {
    rows_left: usize,
    rows: Rows,
    /// Room that the rows take.
    held: Vec<Reservation>,
}

enum Rows {
    /// Nothing, or runs that wait for merges of files to end.
    Waiting(Vec<Arc<Run>>),
    /// Merged key ranges, the smallest keys first.
    Parts(VecDeque<Part>),
    /// A merge that goes on as rows are asked for.
    Stream(Merge),
}

impl Output {
    /// No rows yet; at most `fetch` will be given out.
    pub(super) fn new(fetch: Option<usize>) -> Self {
        Self { rows_left: fetch.unwrap_or(usize::MAX), rows: Rows::Waiting(Vec::new()), held: Vec::new() }
    }

    /// Keeps runs until [`Output::kept`] takes them.
    pub(super) fn keep(&mut self, runs: Vec<Arc<Run>>, held: Vec<Reservation>) {
        if let Rows::Waiting(waiting) = &mut self.rows {
            waiting.extend(runs);
            self.held.extend(held);
        }
    }

    /// The runs kept.
    pub(super) fn kept(&mut self) -> (Vec<Arc<Run>>, Vec<Reservation>) {
        let runs = match &mut self.rows {
            Rows::Waiting(runs) => std::mem::take(runs),
            _ => Vec::new(),
        };
        (runs, std::mem::take(&mut self.held))
    }

    /// An output of `merge`'s rows.
    pub(super) fn stream(&self, merge: Merge, held: Vec<Reservation>) -> Self {
        Self { rows_left: self.rows_left, rows: Rows::Stream(merge), held }
    }

    /// An output of what `parts` will hold, the room for which is reserved.
    pub(super) fn parts(&self, parts: Vec<Part>, held: Reservation) -> Self {
        Self { rows_left: self.rows_left, rows: Rows::Parts(parts.into()), held: vec![held] }
    }

    fn next(&mut self, task: &TaskContext) -> Result<Option<Chunk>> {
        if self.rows_left == 0 {
            return Ok(None);
        }
        let chunk = match &mut self.rows {
            Rows::Waiting(_) => None,
            Rows::Stream(merge) => {
                let run = merge.next(task.query.chunk_rows.max(1).min(self.rows_left), task)?;
                run.map(|run| Chunk::from_arrays(run.columns, run.keys.len()))
            }
            Rows::Parts(parts) => loop {
                let Some(part) = parts.front() else { break None };
                if let Some(chunk) = part.lock().pop_front() {
                    break Some(chunk);
                }
                parts.pop_front();
            },
        };
        let Some(mut chunk) = chunk else { return Ok(None) };
        if let (Rows::Parts(_), Some(held)) = (&self.rows, self.held.first_mut()) {
            held.shrink(chunk.memory_size());
        }
        if chunk.rows() > self.rows_left {
            chunk = chunk.slice(0, self.rows_left)?;
        }
        self.rows_left -= chunk.rows();
        Ok(Some(chunk))
    }
}

/// The source of a sort's output.
pub(super) struct SortSource {
    output: Mutex<Option<Arc<Mutex<Output>>>>,
}

impl SortSource {
    /// The output of `sink`.
    pub(super) fn new(sink: &SortSink) -> Self {
        Self { output: Mutex::new(Some(sink.output.clone())) }
    }
}

impl Source for SortSource {
    fn tasks_max(&self) -> usize {
        1
    }

    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let output = self.output.lock().take();
        Ok(output.map(|output| Box::new(SortCursor(output)) as Box<dyn Cursor>))
    }
}

struct SortCursor(Arc<Mutex<Output>>);

impl Cursor for SortCursor {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        Ok(self.0.lock().next(task)?.map_or(Step::Done, Step::Chunk))
    }
}
