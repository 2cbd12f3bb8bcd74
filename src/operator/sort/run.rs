//! Rows being collected, and sorted runs of them in memory and in files.

use super::SortPlan;
use super::keys::Keys;
use crate::column::array_bytes;
use crate::error::Result;
use crate::exec::TaskContext;
use crate::exec::spill::{SpillReader, SpillRun};
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a spilled block, at most. Guessed: enough for LZ4 and small beside a budget, with up to
/// 64 blocks in a merge.
const BLOCK_ROWS_MAX: usize = 8192;

/// Chunks as they came, not sorted yet.
#[derive(Default)]
pub(super) struct Buffer {
    chunks: Vec<Vec<ArrayRef>>,
    keys: Vec<Keys>,
    rows: usize,
    bytes: usize,
}

impl Buffer {
    /// Adds a chunk's stored columns with its rows' keys.
    pub(super) fn push(&mut self, columns: Vec<ArrayRef>, keys: Keys) {
        self.rows += keys.len();
        self.bytes += rows_bytes(&columns, &keys);
        self.chunks.push(columns);
        self.keys.push(keys);
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of rows and keys.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the rows out, sorted; the first `keep` of them, if given.
    pub(super) fn take_run(&mut self, keep: Option<usize>) -> Result<Run> {
        let Self { chunks, keys, rows, .. } = std::mem::take(self);
        let exact = keys.first().is_none_or(Keys::is_exact);
        // (first 16 bytes of the key, chunk, row)
        let mut order: Vec<(u128, u32, u32)> = Vec::with_capacity(rows);
        for (chunk, keys) in keys.iter().enumerate() {
            order.extend(keys.prefixes().iter().enumerate().map(|(row, prefix)| (*prefix, chunk as u32, row as u32)));
        }
        if exact {
            order.sort_unstable();
        } else {
            order.sort_unstable_by(|a, b| {
                let whole = || keys[a.1 as usize].compare(a.2 as usize, &keys[b.1 as usize], b.2 as usize);
                a.0.cmp(&b.0).then_with(whole)
            });
        }
        order.truncate(keep.unwrap_or(usize::MAX));
        let mut sorted_keys = Keys::with_capacity(order.len(), exact);
        order.iter().for_each(|&(_, chunk, row)| sorted_keys.push_from(&keys[chunk as usize], row as usize));
        drop(keys);
        let places: Vec<(usize, usize)> = order.iter().map(|&(_, chunk, row)| (chunk as usize, row as usize)).collect();
        drop(order);
        let columns = gather(&chunks.iter().map(Vec::as_slice).collect::<Vec<_>>(), &places)?;
        Ok(Run { keys: sorted_keys, columns })
    }

    /// Puts the rows of a run back, to be sorted with others to come.
    pub(super) fn put_back(&mut self, run: Run) {
        self.push(run.columns, run.keys);
    }
}

/// Sorted rows in memory: a whole run, or a block of a spilled one.
pub(super) struct Run {
    /// One a row, ascending.
    pub(super) keys: Keys,
    /// Columns as they are stored.
    pub(super) columns: Vec<ArrayRef>,
}

impl Run {
    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.keys.len()
    }

    /// Bytes of rows and keys.
    pub(super) fn bytes(&self) -> usize {
        rows_bytes(&self.columns, &self.keys)
    }

    /// Appends rows of the run to a spill file, in blocks.
    pub(super) fn write(
        &self,
        rows: Range<usize>,
        out: &mut crate::exec::spill::SpillWriter,
        plan: &SortPlan,
        task: &TaskContext,
    ) -> Result<()> {
        let block = task.query.chunk_rows.clamp(1, BLOCK_ROWS_MAX);
        for start in rows.clone().step_by(block) {
            task.check_cancelled()?;
            let rows = block.min(rows.end - start);
            let mut columns = vec![self.keys.to_array(start, rows)];
            columns.extend(self.columns.iter().map(|column| column.slice(start, rows)));
            plan.metrics.spilled_bytes.add(out.write(columns, rows)? as u64);
        }
        Ok(())
    }
}

/// A spilled run being read.
pub(super) struct SpilledRows {
    reader: SpillReader,
    /// Keeps the file.
    _run: SpillRun,
    exact: bool,
}

impl SpilledRows {
    /// Reads `run`, whose keys are exact as those of its sort are, and then removes it.
    pub(super) fn new(run: SpillRun, exact: bool) -> Result<Self> {
        Ok(Self { reader: run.read()?, _run: run, exact })
    }

    /// The next block that has rows.
    pub(super) fn next(&mut self) -> Result<Option<Arc<Run>>> {
        while let Some(batch) = self.reader.next()? {
            if batch.num_rows() > 0 {
                return Ok(Some(Arc::new(self.block(&batch)?)));
            }
        }
        Ok(None)
    }

    fn block(&self, batch: &RecordBatch) -> Result<Run> {
        let keys = Keys::from_array(batch.column(0), self.exact)?;
        Ok(Run { keys, columns: batch.columns()[1..].to_vec() })
    }
}

/// Rows picked from several sources of the same columns: `(source, row)` each.
pub(super) fn gather(sources: &[&[ArrayRef]], places: &[(usize, usize)]) -> Result<Vec<ArrayRef>> {
    let columns = sources.first().map_or(0, |source| source.len());
    let mut gathered = Vec::with_capacity(columns);
    for column in 0..columns {
        let arrays: Vec<&dyn Array> = sources.iter().map(|source| source[column].as_ref()).collect();
        gathered.push(interleave(&arrays, places)?);
    }
    Ok(gathered)
}

/// Bytes to reserve for rows with their keys and, while they are sorted, their places.
pub(super) fn rows_bytes(columns: &[ArrayRef], keys: &Keys) -> usize {
    columns.iter().map(array_bytes).sum::<usize>() + keys.memory_size() + keys.len() * 8
}
