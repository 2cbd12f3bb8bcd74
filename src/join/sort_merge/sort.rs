//! One side's rows as sorted runs: in memory, or in files when memory runs out.

use super::super::build_probe::{Joint, Side, concat, own_views};
use super::super::keys::{KeyBatch, KeyData};
use crate::column::{Chunk, array_bytes, storage_schema};
use crate::error::{Error, Result};
use crate::exec::spill::SpillRun;
use crate::exec::{Flow, QueryContext, Reservation, Sink, SinkTask, TaskContext};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Rows of a block in a run's file. Guessed: a merge holds one block of every run.
const BLOCK_ROWS: usize = 4096;

/// Rows in key order.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) keys: KeyBatch,
    pub(super) rows: usize,
}

impl Rows {
    /// The key of a row.
    pub(super) fn key(&self, row: usize) -> &[u8] {
        match &self.keys.data {
            KeyData::Bytes(keys) => keys.row(row),
            // Keys of a sort are encoded as bytes throughout.
            _ => &[],
        }
    }

    /// `len` of the rows from `from`.
    pub(super) fn slice(&self, from: usize, len: usize) -> Self {
        let rows: Vec<u32> = (from as u32..(from + len) as u32).collect();
        let columns = self.columns.iter().map(|column| column.slice(from, len)).collect();
        Self { columns, keys: self.keys.pick(&rows), rows: len }
    }
}

/// A sorted run.
pub(super) enum Run {
    Memory { rows: Rows, _memory: Reservation },
    File(SpillRun),
}

/// One side of the join, sorted.
pub(super) struct Sorted {
    joint: Arc<Joint>,
    left: bool,
    runs: Mutex<Vec<Run>>,
}

impl Sorted {
    pub(super) fn new(joint: Arc<Joint>, left: bool) -> Arc<Self> {
        Arc::new(Self { joint, left, runs: Mutex::default() })
    }

    /// The runs, once all are there.
    pub(super) fn take(&self) -> Vec<Run> {
        std::mem::take(&mut *self.runs.lock())
    }

    /// The input this sorts.
    pub(super) fn side(&self) -> &Side {
        if self.left { &self.joint.probe } else { &self.joint.build }
    }

    /// No rows.
    pub(super) fn nothing(&self) -> Result<Rows> {
        self.rows(Chunk::empty(&self.side().schema).stored(&self.side().schema)?, 0)
    }

    /// Rows that were read or put together, with their keys.
    pub(super) fn rows(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<Rows> {
        let keys = self.side().keys.keys(&Chunk::from_arrays(columns.clone(), rows))?;
        Ok(Rows { columns, keys, rows })
    }
}

/// See the module.
pub(super) struct SortSink {
    sorted: Arc<Sorted>,
}

impl SortSink {
    pub(super) fn new(sorted: Arc<Sorted>) -> Self {
        Self { sorted }
    }
}

impl Sink for SortSink {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        let memory = task.query.memory.reserve(Some(self.sorted.joint.metrics.clone()));
        Ok(Box::new(SortTask { sorted: self.sorted.clone(), chunks: Vec::new(), rows: 0, memory }))
    }
}

struct SortTask {
    sorted: Arc<Sorted>,
    chunks: Vec<Vec<ArrayRef>>,
    rows: usize,
    memory: Reservation,
}

impl SortTask {
    /// What was collected as one sorted run.
    fn sort(&mut self) -> Result<Option<Rows>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let schema = storage_schema(&self.sorted.side().schema);
        let chunks = std::mem::take(&mut self.chunks);
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (at, field) in schema.fields().iter().enumerate() {
            let parts: Vec<ArrayRef> = chunks.iter().map(|chunk| chunk[at].clone()).collect();
            columns.push(concat(&parts, field.data_type())?);
        }
        let rows = std::mem::take(&mut self.rows);
        if rows >= u32::MAX as usize {
            return Err(Error::unsupported("a sorted run of over 4 billion rows"));
        }
        let unsorted = self.sorted.rows(columns, rows)?;
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.sort_by(|a, b| unsorted.key(*a as usize).cmp(unsorted.key(*b as usize)));
        let keys = unsorted.keys.pick(&order);
        let order = UInt32Array::from(order);
        let columns = unsorted.columns.iter().map(|column| compute::take(column, &order, None)).collect::<Result<_, _>>()?;
        Ok(Some(Rows { columns, keys, rows }))
    }

    fn spill(&mut self, query: &QueryContext) -> Result<()> {
        let Some(run) = self.sort()? else { return Ok(()) };
        let joint = &self.sorted.joint;
        let mut file = query.spill.create(&storage_schema(&self.sorted.side().schema))?;
        let step = BLOCK_ROWS.min(query.chunk_rows.max(64));
        for from in (0..run.rows).step_by(step) {
            let len = step.min(run.rows - from);
            let columns = run.columns.iter().map(|column| own_views(&column.slice(from, len))).collect();
            joint.metrics.spilled_bytes.add(file.write(columns, len)? as u64);
        }
        self.sorted.runs.lock().push(Run::File(file.finish()?));
        self.memory.release();
        joint.metrics.note("switch: a sort outgrew its memory; runs went to disk".to_owned());
        Ok(())
    }
}

impl SinkTask for SortTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        let joint = self.sorted.joint.clone();
        let rows = chunk.rows();
        if rows == 0 {
            return Ok(Flow::Continue);
        }
        let side = self.sorted.side();
        let (counter, seen, null) = if self.sorted.left {
            (&joint.counters.probe_rows, &joint.seen.probe_rows, &joint.seen.probe_null)
        } else {
            (&joint.counters.build_rows, &joint.seen.build_rows, &joint.seen.build_null)
        };
        counter.add(rows as u64);
        seen.store(true, Ordering::Relaxed);
        if joint.assembler.shape.null_aware && side.keys.keys(&chunk)?.has_null() {
            null.store(true, Ordering::Relaxed);
        }
        let columns = chunk.stored(&side.schema)?;
        // Columns, their sorted copy, and about 32 bytes of key and order a row.
        let bytes = columns.iter().map(array_bytes).sum::<usize>() * 2 + rows * 32;
        let spill_now = task.query.always_spill && self.rows >= 64;
        if spill_now || !self.memory.try_grow(bytes) {
            self.spill(&task.query)?;
            if !self.memory.try_grow(bytes) {
                task.query.memory.reclaim(bytes)?;
                self.memory.grow_anyway(bytes);
            }
        }
        self.chunks.push(columns);
        self.rows += rows;
        Ok(Flow::Continue)
    }

    fn finish(mut self: Box<Self>, task: &TaskContext) -> Result<()> {
        if task.query.always_spill {
            return self.spill(&task.query);
        }
        if let Some(run) = self.sort()? {
            let Self { sorted, memory, .. } = *self;
            sorted.runs.lock().push(Run::Memory { rows: run, _memory: memory });
        }
        Ok(())
    }
}
