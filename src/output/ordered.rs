//! Rows that come group by group and in order: a task has one file open at a time.
//!
//! ```text
//!   a a a | c c | ...  ─>  file of a, closed;  file of c, ...
//! ```
//!
//! Memory: the row group of one writer a task, however many groups there are. Rows of a group come
//! from one task, one behind the other, so that a group is one file (or several of the wanted size).

use super::file::PartWriter;
use super::grouping::{Known, Place, groups};
use super::sink::{Shared, hold, settle};
use crate::column::{Chunk, Selection};
use crate::error::{Error, Result};
use crate::exec::{Flow, Reservation, SinkTask, TaskContext};
use std::sync::Arc;

/// One task's rows.
pub(super) struct OrderedTask {
    shared: Arc<Shared>,
    open: Option<(Place, PartWriter)>,
    part: usize,
    memory: Reservation,
}

impl OrderedTask {
    pub(super) fn new(shared: &Arc<Shared>, memory: Reservation) -> Self {
        Self { shared: shared.clone(), open: None, part: shared.files.part(), memory }
    }

    /// The writer of a place: the open one, or a new one instead of it.
    fn writer(&mut self, place: &Place) -> Result<&mut PartWriter> {
        if self.open.as_ref().is_none_or(|(open, _)| open != place) {
            if let Some((_, done)) = self.open.take() {
                done.close()?;
            }
            self.open = Some((place.clone(), PartWriter::new(&self.shared.files, place.clone(), self.part)?));
        }
        match &mut self.open {
            Some((_, writer)) => Ok(writer),
            None => Err(Error::internal("no file is open")),
        }
    }
}

impl SinkTask for OrderedTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        let shared = self.shared.clone();
        let Some(grouping) = &shared.grouping else { return Err(Error::internal("groups of an output without any")) };
        let keys = grouping.encode(&chunk)?;
        let mut known = Known::default();
        let places = grouping.assign(&chunk, &keys, &mut known, usize::MAX)?;
        // In the order of their first rows, which is the order they come in.
        for (place, rows) in groups(places.into_iter()) {
            let whole = rows.len() == chunk.rows();
            let data = chunk.project(&shared.data);
            let own = if whole { data } else { data.select(&Arc::new(Selection::from_indices(rows)))? };
            let writer = self.writer(known.place(place))?;
            writer.push(&own)?;
            let bytes = writer.memory_bytes();
            if task.query.always_spill || !hold(&mut self.memory, bytes)? {
                let writer = self.writer(known.place(place))?;
                writer.flush()?;
                let left = writer.memory_bytes();
                settle(&mut self.memory, left);
            }
        }
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        self.open.map_or(Ok(()), |(_, writer)| writer.close())
    }
}
