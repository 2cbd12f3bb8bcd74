//! Rows that several places of a plan read: computed once, kept until the last has read them.
//!
//! A view or a common table expression that is named twice is planned twice by SQL's rules. Where
//! the copies are still the same after optimization, one of them is run, its rows end in segments,
//! and every place reads all segments.
//!
//! ```text
//!   plan ──> KeepSink ──> [segment][segment][segment]     a segment: chunks, or a spill file
//!                             ╰───────┬────────╯
//!              reader 1 <─────────────┤      a segment is dropped when all have read it
//!              reader 2 <─────────────╯
//! ```
//!
//! Cost: one copy of the rows' references; under memory pressure segments go to files, the largest
//! first, and are read back once a reader. NULLs are kept as they are.

use crate::column::{Chunk, Column, storage_schema};
use crate::error::{Error, Result};
use crate::exec::pipeline::Event;
use crate::exec::spill::{SpillDirectory, SpillReader, SpillRun};
use crate::exec::{
    Cursor, Flow, NodeInfo, OperatorMetrics, PipelineBuilder, PlanNode, PlanRef, Reservation, Sink, SinkTask, Source, Spillable,
    Step, Stream, TaskContext,
};
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a segment, about: large enough to be worth a spill file, small enough that a handful of
/// them keep all readers' tasks busy. Guessed.
const SEGMENT_BYTES: usize = 4 << 20;

/// One of the places that read a shared plan.
#[derive(Debug)]
pub struct SharedNode {
    info: NodeInfo,
    shared: Arc<SharedPlan>,
    /// Prints the plan below it.
    first: bool,
}

/// A plan that is run once for all its readers.
#[derive(Debug)]
pub struct SharedPlan {
    plan: PlanRef,
    number: usize,
    kept: Arc<Kept>,
}

impl SharedPlan {
    /// `plan` for several readers; `number` is what EXPLAIN calls it.
    pub fn new(plan: PlanRef, number: usize) -> Arc<Self> {
        let kept = Kept {
            schema: plan.schema().clone(),
            readers: AtomicUsize::new(0),
            segments: Mutex::default(),
            metrics: Arc::default(),
        };
        Arc::new(Self { plan, number, kept: Arc::new(kept) })
    }
}

impl SharedNode {
    /// A reader of `shared`; `first` for the one under which EXPLAIN prints the plan.
    pub fn new(shared: &Arc<SharedPlan>, first: bool) -> Self {
        let plan = shared.plan.info();
        let mut info = NodeInfo::new(plan.schema.clone(), plan.estimated_rows);
        if first {
            info.metrics = shared.kept.metrics.clone();
        }
        Self { info, shared: shared.clone(), first }
    }
}

impl PlanNode for SharedNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Shared"
    }

    fn summary(&self) -> String {
        let number = self.shared.number;
        if self.first { format!("{number}, computed once") } else { format!("{number}, computed elsewhere in this plan") }
    }

    fn children(&self) -> Vec<&PlanRef> {
        if self.first { vec![&self.shared.plan] } else { Vec::new() }
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let kept = &self.shared.kept;
        kept.readers.fetch_add(1, Ordering::Relaxed);
        let complete: Event = builder.once(Arc::as_ptr(kept) as usize, |builder| {
            let stream = self.shared.plan.build(builder)?;
            Ok(builder.end(stream, Arc::new(KeepSink(kept.clone())), &kept.metrics))
        })?;
        let source = KeptSource { kept: kept.clone(), next: AtomicUsize::new(0) };
        Ok(Stream::new(Arc::new(source), &self.info.metrics).after(complete))
    }
}

/// The rows of a shared plan.
#[derive(Debug)]
pub(super) struct Kept {
    schema: SchemaRef,
    readers: AtomicUsize,
    segments: Mutex<Vec<Arc<Segment>>>,
    metrics: Arc<OperatorMetrics>,
}

impl Kept {
    /// No rows of `schema` yet, for so many readers.
    pub(super) fn new(schema: SchemaRef, readers: usize, metrics: &Arc<OperatorMetrics>) -> Arc<Self> {
        let metrics = metrics.clone();
        Arc::new(Self { schema, readers: AtomicUsize::new(readers), segments: Mutex::default(), metrics })
    }

    /// Rows in all segments that nobody has taken out.
    pub(super) fn rows(&self) -> u64 {
        self.segments.lock().iter().map(|segment| segment.count).sum()
    }

    /// A sink that keeps what it is given.
    pub(super) fn sink(self: &Arc<Self>) -> Arc<dyn Sink> {
        Arc::new(KeepSink(self.clone()))
    }

    /// One of the readers.
    pub(super) fn source(self: &Arc<Self>) -> Arc<dyn Source> {
        Arc::new(KeptSource { kept: self.clone(), next: AtomicUsize::new(0) })
    }
}

struct Segment {
    /// Rows.
    count: u64,
    rows: Mutex<Rows>,
    schema: SchemaRef,
    spill: Arc<SpillDirectory>,
    metrics: Arc<OperatorMetrics>,
    read: AtomicUsize,
}

enum Rows {
    Memory(Vec<Chunk>, Reservation),
    File(Arc<SpillRun>),
    Dropped,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segment {{ bytes: {} }}", self.reclaimable())
    }
}

impl Segment {
    /// A cursor over the rows; the last of `readers` takes them out.
    fn open(&self, readers: usize) -> Result<Box<dyn Cursor>> {
        // Counted under the lock: the last to be counted must be the last to come in.
        let mut rows = self.rows.lock();
        let last = self.read.fetch_add(1, Ordering::Relaxed) + 1 >= readers;
        let cursor: Box<dyn Cursor> = match &*rows {
            Rows::Memory(chunks, _) => Box::new(Chunks(chunks.clone().into_iter())),
            Rows::File(run) => Box::new(FromFile { reader: run.read()?, _run: run.clone() }),
            Rows::Dropped => return Err(Error::internal("a shared segment was read more often than it has readers")),
        };
        if last {
            *rows = Rows::Dropped;
        }
        Ok(cursor)
    }

    fn spill(&self, rows: &mut Rows) -> Result<usize> {
        let Rows::Memory(chunks, reservation) = rows else { return Ok(0) };
        let mut out = self.spill.create(&self.schema)?;
        for chunk in chunks.iter() {
            let columns = chunk.columns().iter().map(Column::flat).collect::<Result<_>>()?;
            self.metrics.spilled_bytes.add(out.write(columns, chunk.rows())? as u64);
        }
        let freed = reservation.bytes();
        *rows = Rows::File(Arc::new(out.finish()?));
        Ok(freed)
    }
}

impl Spillable for Segment {
    fn reclaimable(&self) -> usize {
        match self.rows.try_lock().as_deref() {
            Some(Rows::Memory(_, reservation)) => reservation.bytes(),
            _ => 0,
        }
    }

    fn reclaim(&self) -> Result<usize> {
        match self.rows.try_lock() {
            Some(mut rows) => self.spill(&mut rows),
            None => Ok(0),
        }
    }
}

struct KeepSink(Arc<Kept>);

impl Sink for KeepSink {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        let held = task.query.memory.reserve(Some(self.0.metrics.clone()));
        Ok(Box::new(Keeping { kept: self.0.clone(), chunks: Vec::new(), held }))
    }
}

/// The segment that a task is filling.
struct Keeping {
    kept: Arc<Kept>,
    chunks: Vec<Chunk>,
    held: Reservation,
}

impl Keeping {
    fn seal(&mut self, task: &TaskContext) -> Result<()> {
        if self.chunks.is_empty() {
            return Ok(());
        }
        let fresh = task.query.memory.reserve(Some(self.kept.metrics.clone()));
        let count = self.chunks.iter().map(|chunk| chunk.rows() as u64).sum();
        let rows = Rows::Memory(std::mem::take(&mut self.chunks), std::mem::replace(&mut self.held, fresh));
        let segment = Arc::new(Segment {
            count,
            rows: Mutex::new(rows),
            schema: storage_schema(&self.kept.schema),
            spill: task.query.spill.clone(),
            metrics: self.kept.metrics.clone(),
            read: AtomicUsize::new(0),
        });
        if task.query.always_spill {
            segment.spill(&mut segment.rows.lock())?;
        }
        task.query.memory.register(&segment);
        self.kept.segments.lock().push(segment);
        Ok(())
    }
}

impl SinkTask for Keeping {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        let chunk = Chunk::from_arrays(chunk.stored(&self.kept.schema)?, chunk.rows());
        let bytes = chunk.memory_size();
        if !self.held.try_grow(bytes) {
            self.seal(task)?;
            task.query.memory.reclaim(bytes.max(SEGMENT_BYTES))?;
            if !self.held.try_grow(bytes) {
                self.held.grow_anyway(bytes);
            }
        }
        self.chunks.push(chunk);
        if self.held.bytes() >= SEGMENT_BYTES {
            self.seal(task)?;
        }
        Ok(Flow::Continue)
    }

    fn finish(mut self: Box<Self>, task: &TaskContext) -> Result<()> {
        self.seal(task)
    }
}

/// A unit of work is a segment.
struct KeptSource {
    kept: Arc<Kept>,
    next: AtomicUsize,
}

impl Source for KeptSource {
    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let segment = self.kept.segments.lock().get(at).cloned();
        segment.map(|segment| segment.open(self.kept.readers.load(Ordering::Relaxed))).transpose()
    }
}

struct Chunks(std::vec::IntoIter<Chunk>);

impl Cursor for Chunks {
    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        Ok(self.0.next().map_or(Step::Done, Step::Chunk))
    }
}

struct FromFile {
    reader: SpillReader,
    /// Keeps the file until it is read.
    _run: Arc<SpillRun>,
}

impl Cursor for FromFile {
    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        Ok(match self.reader.next()? {
            Some(batch) => Step::Chunk(Chunk::from_arrays(batch.columns().to_vec(), batch.num_rows())),
            None => Step::Done,
        })
    }
}
