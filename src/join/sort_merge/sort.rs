//! One side's rows as sorted runs: in memory, or in files when memory runs out.

use super::super::build_probe::{Joint, Side, concat, own_views};
use super::super::keys::{KeyBatch, KeyData};
use super::Order;
use crate::column::{Chunk, array_bytes, storage_schema};
use crate::error::{Error, Result};
use crate::exec::spill::SpillRun;
use crate::exec::{Counter, Flow, QueryContext, Reservation, Sink, SinkTask, TaskContext, Unit};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering as Memory;
use std::time::Instant;

/// Rows of a block in a run's file. Guessed: a merge holds one block of every run.
const BLOCK_ROWS: usize = 4096;

/// A key as it is compared; keys of one join are all of one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'a> {
    /// One integer.
    Word(u128),
    /// Anything else.
    Bytes(&'a [u8]),
}

/// Rows in key order. Cutting and cloning them copies nothing.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) columns: Vec<ArrayRef>,
    /// The rows' keys lie in here from `first` on.
    keys: Arc<KeyBatch>,
    first: usize,
    pub(super) rows: usize,
}

impl Rows {
    pub(super) fn new(columns: Vec<ArrayRef>, keys: KeyBatch, rows: usize) -> Self {
        Self { columns, keys: Arc::new(keys), first: 0, rows }
    }

    /// The key of a row.
    pub(super) fn key(&self, row: usize) -> Key<'_> {
        match &self.keys.data {
            KeyData::Fixed128(keys) => Key::Word(keys[self.first + row]),
            KeyData::Bytes(keys) => Key::Bytes(keys.row(self.first + row)),
            // Ordered keys are never of this form.
            KeyData::Fixed64(_) => Key::Word(0),
        }
    }

    /// The keys, where they are integers: loops over them need not ask row by row what they are.
    pub(super) fn words(&self) -> Option<&[u128]> {
        match &self.keys.data {
            KeyData::Fixed128(keys) => Some(&keys[self.first..][..self.rows]),
            KeyData::Fixed64(_) | KeyData::Bytes(_) => None,
        }
    }

    /// Whether the key of a row can equal another.
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.keys.is_valid(self.first + row)
    }

    /// Rows whose key can equal another; none: all.
    pub(super) fn valid(&self) -> Option<BooleanBuffer> {
        self.keys.valid.as_ref().map(|valid| valid.slice(self.first, self.rows))
    }

    /// A copy of the keys.
    pub(super) fn keys(&self) -> KeyBatch {
        self.keys.slice(self.first, self.rows)
    }

    /// The first row from `from` on whose key is not `below` any more.
    pub(super) fn end_of(&self, from: usize, below: impl Fn(Key) -> bool) -> usize {
        let (mut low, mut high) = (from, self.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            if below(self.key(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// `len` of the rows from `from`.
    pub(super) fn slice(&self, from: usize, len: usize) -> Self {
        let columns = self.columns.iter().map(|column| column.slice(from, len)).collect();
        Self { columns, keys: self.keys.clone(), first: self.first + from, rows: len }
    }

    /// The first row whose key is below that of the row before it.
    fn descent(&self) -> Option<usize> {
        match self.words() {
            Some(words) => words.windows(2).position(|pair| pair[0] > pair[1]).map(|at| at + 1),
            None => (1..self.rows).find(|row| self.key(*row - 1) > self.key(*row)),
        }
    }

    /// The rows' numbers in key order.
    fn order(&self) -> Vec<u32> {
        let rows = 0..self.rows as u32;
        match self.words() {
            Some(words) => {
                // Key and number in one integer: a key has 65 bits.
                let mut packed: Vec<u128> = words.iter().zip(rows).map(|(word, row)| word << 32 | u128::from(row)).collect();
                packed.sort_unstable();
                packed.into_iter().map(|packed| packed as u32).collect()
            }
            None => {
                let mut order: Vec<u32> = rows.collect();
                order.sort_by(|a, b| self.key(*a as usize).cmp(&self.key(*b as usize)));
                order
            }
        }
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
    order: Option<Order>,
    runs: Mutex<Vec<Run>>,
    in_order: Counter,
    checking: Counter,
}

impl Sorted {
    pub(super) fn new(joint: Arc<Joint>, left: bool, order: Option<Order>) -> Arc<Self> {
        let in_order = joint.metrics.counter("runs in order", Unit::Count);
        let checking = joint.metrics.counter("checking order", Unit::Nanoseconds);
        Arc::new(Self { joint, left, order, runs: Mutex::default(), in_order, checking })
    }

    /// The rows were said to be in order, and from row `at` of a chunk with this morsel number on are not.
    fn contradicted(&self, morsel: u64) {
        let Some(order) = self.order.as_ref().filter(|order| order.claimed) else { return };
        let place = (order.place)(morsel).unwrap_or_else(|| "an input".to_owned());
        self.joint.metrics.note(format!("switch: {place} is not in key order as claimed; its part is sorted"));
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
        Ok(Rows::new(columns, keys, rows))
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
        Ok(Box::new(SortTask { sorted: self.sorted.clone(), chunks: Vec::new(), ends: Vec::new(), rows: 0, memory }))
    }
}

struct SortTask {
    sorted: Arc<Sorted>,
    chunks: Vec<Vec<ArrayRef>>,
    /// Per chunk its last row, and where it came from.
    ends: Vec<(usize, u64)>,
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
        let ends = std::mem::take(&mut self.ends);
        let start = Instant::now();
        let descent = unsorted.descent();
        self.sorted.checking.add(start.elapsed().as_nanos() as u64);
        match descent {
            None => {
                self.sorted.in_order.add(1);
                return Ok(Some(unsorted));
            }
            Some(row) => {
                let chunk = ends.iter().find(|(end, _)| row < *end);
                self.sorted.contradicted(chunk.map_or(u64::MAX, |(_, morsel)| *morsel));
            }
        }
        let order = unsorted.order();
        let keys = unsorted.keys.pick(&order);
        let order = UInt32Array::from(order);
        let columns = unsorted.columns.iter().map(|column| compute::take(column, &order, None)).collect::<Result<_, _>>()?;
        Ok(Some(Rows::new(columns, keys, rows)))
    }

    /// Whether a row group begins below the end of the one before it: both may be in order, and are
    /// merged rather than sorted together.
    fn begins_run(&self, columns: &[ArrayRef], morsel: u64) -> Result<bool> {
        let (Some((_, before)), Some(last), Some(_)) = (self.ends.last(), self.chunks.last(), &self.sorted.order) else {
            return Ok(false);
        };
        if *before == morsel {
            return Ok(false);
        }
        let one =
            |columns: &[ArrayRef], at: usize| self.sorted.rows(columns.iter().map(|column| column.slice(at, 1)).collect(), 1);
        let end = last.first().map_or(0, |column| column.len().saturating_sub(1));
        Ok(one(last.as_slice(), end)?.key(0) > one(columns, 0)?.key(0))
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
        let (rows, morsel) = (chunk.rows(), chunk.order.morsel);
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
        seen.store(true, Memory::Relaxed);
        if joint.assembler.shape.null_aware && side.keys.keys(&chunk)?.has_null() {
            null.store(true, Memory::Relaxed);
        }
        let columns = chunk.stored(&side.schema)?;
        if self.begins_run(&columns, morsel)?
            && let Some(run) = self.sort()?
        {
            let memory = std::mem::replace(&mut self.memory, task.query.memory.reserve(Some(joint.metrics.clone())));
            self.sorted.runs.lock().push(Run::Memory { rows: run, _memory: memory });
        }
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
        self.ends.push((self.rows, morsel));
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
