//! Rows into as many partitions as there are values, with few files open and little memory.
//!
//! A task writes the first partitions that it meets directly. Rows of others are spread by hash
//! over buckets of spill files, which are drained when all input is read, each by the same
//! procedure with other bits of the hash, until no partition is left over.
//!
//! ```text
//!   task ─ the first DIRECT_MAX partitions ───────────────> files
//!        └ others ─> 64 buckets (spilled) ─ drain: the first DIRECT_MAX ─> files
//!                                                └ others ─> 16 buckets ─ drain: ...
//! ```
//!
//! Memory: the row groups of DIRECT_MAX writers a task, of which the largest are ended when the
//! budget is used up, and [`BUFFER_BYTES`] a bucket. Rows are spilled once for every factor of
//! DIRECT_MAX * 16 in the number of partitions. Every level takes in at least one new partition, so
//! it ends whatever the hashes are. NULL and the empty string share a directory.

use super::file::PartWriter;
use super::grouping::{Known, UNKNOWN, groups};
use super::sink::{Shared, hold, settle};
use crate::column::{Chunk, Selection, storage_schema};
use crate::error::{Error, Result};
use crate::exec::spill::{SpillRun, SpillWriter};
use crate::exec::{Flow, QueryContext, Reservation, SinkTask, TaskContext};
use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use std::sync::Arc;

/// Partitions that a task has files open for. Guessed: two threads hold 128 files and some tens of
/// megabytes.
const DIRECT_MAX: usize = 64;

/// Buckets of a task's left-over rows, and of those of a bucket. Guessed.
const BUCKETS: [usize; 2] = [64, 16];

/// Bytes a bucket gathers before it writes a block. Guessed.
const BUFFER_BYTES: usize = 256 << 10;

/// Rows a bucket gathers at most.
const BUFFER_ROWS: usize = 8192;

/// The partitions that one task, or one drain of a bucket, writes directly.
struct Direct {
    shared: Arc<Shared>,
    known: Known,
    writers: Vec<PartWriter>,
    part: usize,
    most: usize,
    memory: Reservation,
}

/// Rows left over at one level.
struct Buckets {
    level: usize,
    buckets: Vec<Mutex<Bucket>>,
}

/// Rows left over by all tasks, until they are drained.
#[derive(Debug, Default)]
pub(super) struct Overflow(Mutex<Option<Arc<Buckets>>>);

/// Spilled rows and the level to drain them at.
type Run = (SpillRun, usize);

#[derive(Default)]
struct Bucket {
    batches: Vec<Vec<ArrayRef>>,
    rows: usize,
    bytes: usize,
    run: Option<SpillWriter>,
}

impl Overflow {
    fn buckets(&self) -> Arc<Buckets> {
        self.0.lock().get_or_insert_with(|| Buckets::new(0)).clone()
    }

    /// What all tasks left over.
    pub(super) fn take(&self, query: &Arc<QueryContext>, schema: &SchemaRef) -> Result<Vec<Run>> {
        let buckets = self.0.lock().take();
        buckets.map_or(Ok(Vec::new()), |buckets| buckets.take(query, schema))
    }
}

/// One task's rows.
pub(super) struct DynamicTask {
    direct: Direct,
    shared: Arc<Shared>,
}

impl DynamicTask {
    pub(super) fn new(shared: &Arc<Shared>, task: &TaskContext, memory: Reservation) -> Self {
        let most = if task.query.always_spill { 1 } else { DIRECT_MAX };
        Self { direct: Direct::new(shared, most, memory), shared: shared.clone() }
    }
}

impl SinkTask for DynamicTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        self.direct.push(&chunk, &mut || self.shared.overflow.buckets(), &task.query)?;
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        self.direct.close()
    }
}

/// Writes the rows of one bucket, and of the buckets that it takes to do so.
pub(super) fn drain(shared: &Arc<Shared>, run: Run, task: &TaskContext) -> Result<()> {
    let mut runs = vec![run];
    while let Some((run, level)) = runs.pop() {
        let mut direct = Direct::new(shared, DIRECT_MAX, task.query.memory.reserve(None));
        let mut buckets = None;
        let mut reader = run.read()?;
        while let Some(batch) = reader.next()? {
            task.check_cancelled()?;
            let chunk = Chunk::from_arrays(batch.columns().to_vec(), batch.num_rows());
            direct.push(&chunk, &mut || buckets.get_or_insert_with(|| Buckets::new(level)).clone(), &task.query)?;
        }
        direct.close()?;
        if let Some(buckets) = buckets {
            runs.extend(buckets.take(&task.query, &shared.schema)?);
        }
    }
    Ok(())
}

impl Direct {
    fn new(shared: &Arc<Shared>, most: usize, memory: Reservation) -> Self {
        let part = shared.files.part();
        Self { shared: shared.clone(), known: Known::default(), writers: Vec::new(), part, most, memory }
    }

    /// Writes the rows of partitions that are known or can still be taken in, puts others into
    /// buckets.
    fn push(&mut self, chunk: &Chunk, buckets: &mut dyn FnMut() -> Arc<Buckets>, query: &Arc<QueryContext>) -> Result<()> {
        let shared = self.shared.clone();
        let Some(grouping) = &shared.grouping else { return Err(Error::internal("partitions of an output without any")) };
        let keys = grouping.encode(chunk)?;
        let partitions = grouping.assign(chunk, &keys, &mut self.known, self.most)?;
        let mut left_over = None;
        for (partition, rows) in groups(partitions.into_iter()) {
            if partition == UNKNOWN {
                left_over = Some(rows);
                continue;
            }
            while self.writers.len() <= partition as usize {
                let next = u32::try_from(self.writers.len()).unwrap_or(UNKNOWN);
                self.writers.push(PartWriter::new(&self.shared.files, self.known.place(next).clone(), self.part)?);
            }
            let whole = rows.len() == chunk.rows();
            let data = chunk.project(&self.shared.data);
            let own = if whole { data } else { data.select(&Arc::new(Selection::from_indices(rows)))? };
            self.writers[partition as usize].push(&own)?;
        }
        if let Some(rows) = left_over {
            let hashes = keys.hash(query.constant_hash);
            buckets().push(chunk, rows, &hashes, &self.shared.schema, query)?;
        }
        self.shed(query)
    }

    /// Ends row groups, the largest first, until the budget holds the rest.
    fn shed(&mut self, query: &Arc<QueryContext>) -> Result<()> {
        let mut sizes: Vec<(usize, usize)> =
            self.writers.iter().map(PartWriter::memory_bytes).enumerate().map(|(at, size)| (size, at)).collect();
        let mut total: usize = sizes.iter().map(|(size, _)| size).sum();
        if !query.always_spill && hold(&mut self.memory, total)? {
            return Ok(());
        }
        sizes.sort_unstable();
        // Half of it, lest every chunk ended a row group.
        let enough = total / 2;
        while total > enough
            && let Some((size, at)) = sizes.pop()
        {
            self.writers[at].flush()?;
            total = total - size + self.writers[at].memory_bytes().min(size);
        }
        settle(&mut self.memory, total);
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.writers.into_iter().try_for_each(PartWriter::close)
    }
}

impl Buckets {
    fn new(level: usize) -> Arc<Self> {
        let count = BUCKETS[level.min(1)];
        Arc::new(Self { level, buckets: (0..count).map(|_| Mutex::default()).collect() })
    }

    /// Spreads rows of `chunk` by other bits of the hash at every level.
    fn push(&self, chunk: &Chunk, rows: Vec<u32>, hashes: &[u64], schema: &SchemaRef, query: &Arc<QueryContext>) -> Result<()> {
        // 6 bits at the first level, 4 at each of the others.
        let shift = if self.level == 0 { 0 } else { (2 + 4 * self.level) % 60 };
        let bucket = |row: &u32| (hashes[*row as usize] >> shift) as u32 % self.buckets.len() as u32;
        for (bucket, places) in groups(rows.iter().map(bucket)) {
            let rows = places.into_iter().map(|place| rows[place as usize]).collect();
            let own = chunk.select(&Arc::new(Selection::from_indices(rows)))?;
            let columns = own.stored(schema)?;
            self.buckets[bucket as usize].lock().push(columns, own.rows(), own.memory_size(), schema, query)?;
        }
        Ok(())
    }

    /// The spilled rows, a run a bucket that has any, with the level to drain them at.
    fn take(&self, query: &Arc<QueryContext>, schema: &SchemaRef) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for bucket in &self.buckets {
            let mut bucket = bucket.lock();
            bucket.write(schema, query)?;
            if let Some(run) = bucket.run.take() {
                runs.push((run.finish()?, self.level + 1));
            }
        }
        Ok(runs)
    }
}

impl Bucket {
    fn push(
        &mut self,
        columns: Vec<ArrayRef>,
        rows: usize,
        bytes: usize,
        schema: &SchemaRef,
        query: &Arc<QueryContext>,
    ) -> Result<()> {
        self.batches.push(columns);
        self.rows += rows;
        self.bytes += bytes;
        if self.rows >= BUFFER_ROWS || self.bytes >= BUFFER_BYTES { self.write(schema, query) } else { Ok(()) }
    }

    fn write(&mut self, schema: &SchemaRef, query: &Arc<QueryContext>) -> Result<()> {
        let batches = std::mem::take(&mut self.batches);
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let Some(first) = batches.first() else { return Ok(()) };
        let column = |at: usize| {
            let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch[at].as_ref()).collect();
            concat(&arrays)
        };
        let columns = (0..first.len()).map(column).collect::<Result<Vec<_>, _>>()?;
        let run = match &mut self.run {
            Some(run) => run,
            None => self.run.insert(query.spill.create(&storage_schema(schema))?),
        };
        run.write(columns, rows).map(drop)
    }
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buckets {{ level: {}, buckets: {} }}", self.level, self.buckets.len())
    }
}
