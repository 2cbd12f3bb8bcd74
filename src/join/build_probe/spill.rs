//! Rows of one side by partition, in files: one file a partition, shared by all workers.
//!
//! Workers collect rows of a partition until they are worth a block, then append the block under the
//! file's lock; nobody waits longer than for one block to be compressed and written.

use super::block::{concat, own_views};
use crate::error::Result;
use crate::exec::spill::{SpillRun, SpillWriter};
use crate::exec::{OperatorMetrics, QueryContext};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;

/// Rows of a block, about: enough for compression to work, few enough to keep one of each partition
/// in memory. Guessed.
const BLOCK_ROWS: usize = 4096;

/// One side's files.
pub(super) struct PartitionFiles {
    schema: SchemaRef,
    writers: Vec<Mutex<Option<SpillWriter>>>,
}

impl PartitionFiles {
    /// No file yet, for `partitions` partitions of rows of `schema` (storage types).
    pub(super) fn new(schema: SchemaRef, partitions: usize) -> Self {
        Self { schema, writers: (0..partitions).map(|_| Mutex::default()).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.writers.len()
    }

    fn append(&self, partition: usize, columns: Vec<ArrayRef>, rows: usize, on: Surroundings) -> Result<()> {
        let mut slot = self.writers[partition].lock();
        let mut writer = match slot.take() {
            Some(writer) => writer,
            None => on.query.spill.create(&self.schema)?,
        };
        on.metrics.spilled_bytes.add(writer.write(columns, rows)? as u64);
        *slot = Some(writer);
        Ok(())
    }

    /// Ends a partition's file: none when no row went there.
    pub(super) fn take(&self, partition: usize) -> Result<Option<SpillRun>> {
        self.writers[partition].lock().take().map(SpillWriter::finish).transpose()
    }
}

/// Where files are made and bytes are counted.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) query: &'a QueryContext,
    pub(super) metrics: &'a OperatorMetrics,
}

/// Where a row goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Route {
    /// Nowhere.
    Stay,
    /// With its partition.
    To(usize),
    /// Nobody needs it.
    Drop,
}

/// One worker's rows on their way to the files.
#[derive(Default)]
pub(super) struct PartitionBuffer {
    pending: Vec<(Vec<Vec<ArrayRef>>, usize)>,
}

impl PartitionBuffer {
    /// Takes the rows whose partition is in `mask` and those to be dropped; the rest is returned by
    /// number. `route_of` is called once a row.
    pub(super) fn route(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        mask: u64,
        route_of: impl Fn(usize) -> Route,
        files: &PartitionFiles,
        on: Surroundings,
    ) -> Result<Vec<u32>> {
        self.pending.resize_with(files.len(), Default::default);
        let mut stay = Vec::new();
        let mut go: Vec<Vec<u32>> = vec![Vec::new(); files.len()];
        for row in 0..rows {
            match route_of(row) {
                Route::To(partition) if mask >> partition & 1 == 1 => go[partition].push(row as u32),
                Route::To(_) | Route::Stay => stay.push(row as u32),
                Route::Drop => {}
            }
        }
        for (partition, picked) in go.into_iter().enumerate() {
            if picked.is_empty() {
                continue;
            }
            let count = picked.len();
            let picked = UInt32Array::from(picked);
            let taken = columns.iter().map(|column| compute::take(column, &picked, None).map(|rows| own_views(&rows)));
            let taken = taken.collect::<Result<Vec<_>, _>>()?;
            let (chunks, pending) = &mut self.pending[partition];
            chunks.push(taken);
            *pending += count;
            if *pending >= BLOCK_ROWS.min(on.query.chunk_rows.max(64)) {
                self.flush_one(partition, files, on)?;
            }
        }
        Ok(stay)
    }

    /// Writes everything out.
    pub(super) fn flush(&mut self, files: &PartitionFiles, on: Surroundings) -> Result<()> {
        (0..self.pending.len()).try_for_each(|partition| self.flush_one(partition, files, on))
    }

    fn flush_one(&mut self, partition: usize, files: &PartitionFiles, on: Surroundings) -> Result<()> {
        let (chunks, rows) = std::mem::take(&mut self.pending[partition]);
        if rows == 0 {
            return Ok(());
        }
        let mut columns = Vec::with_capacity(files.schema.fields().len());
        for (at, field) in files.schema.fields().iter().enumerate() {
            let parts: Vec<ArrayRef> = chunks.iter().map(|chunk| chunk[at].clone()).collect();
            columns.push(concat(&parts, field.data_type())?);
        }
        files.append(partition, columns, rows, on)
    }
}
