//! Checks that rows are of the bucket that their file's name claims while they are read, and puts those
//! aside that are not.
//!
//! ```text
//!   file of bucket 3   [3 3 3 3]  [3 5 3 3]        a chunk's bucket columns are hashed as it passes by
//!                         │          │ └─ 5: aside, until all parts were read
//!                         v          v
//!                       part 3    part 3
//! ```
//!
//! For joins that put out nothing for want of a match: a stray row only brings its pairs later. Cost: one
//! hash a row; strays are written to a spill file. A file of which every row was seen is remembered as
//! checked ([`super::check`]), and is not looked at again.

use super::check::{ROWS_CHECKED, remember, words};
use super::prune::Unit;
use crate::catalog::{FileTable, TableBuckets};
use crate::column::{Chunk, Selection, storage_schema};
use crate::error::Result;
use crate::exec::spill::{SpillReader, SpillRun, SpillWriter};
use crate::exec::{Counter, Cursor, OperatorMetrics, Step, TaskContext, Unit as Of};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The counter of rows that were put aside.
pub(super) const STRAYS: &str = "stray rows put aside";

/// See the module.
pub(super) struct Inline {
    table: Arc<FileTable>,
    buckets: TableBuckets,
    /// The bucket columns among the scan's.
    columns: Vec<usize>,
    /// SQL types of the scan's columns.
    schema: SchemaRef,
    /// Per file the rows that were not seen yet; none: it was checked before.
    unseen: Vec<Option<AtomicU64>>,
    /// Files with rows of other buckets.
    wrong: Mutex<HashSet<usize>>,
    strays: Mutex<Strays>,
    rows: Counter,
    stray_rows: Counter,
    checking: Counter,
    metrics: Arc<OperatorMetrics>,
}

#[derive(Default)]
enum Strays {
    #[default]
    None,
    Coming(SpillWriter),
    Done(Arc<SpillRun>),
}

/// What becomes of rows of other buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorting {
    /// They are put aside.
    Aside,
    /// They were put aside before.
    Out,
}

impl Inline {
    /// A check of the rows of `files`, the others being known. `columns` are the bucket columns among
    /// those of `schema`, which are the scan's.
    pub(super) fn new(
        table: &Arc<FileTable>,
        buckets: &TableBuckets,
        columns: &[usize],
        schema: &SchemaRef,
        files: &HashSet<usize>,
        metrics: &Arc<OperatorMetrics>,
    ) -> Arc<Self> {
        let unseen = table
            .files()
            .iter()
            .enumerate()
            .map(|(number, file)| files.contains(&number).then(|| AtomicU64::new(file.footer.total_rows() as u64)));
        Arc::new(Self {
            table: table.clone(),
            buckets: buckets.clone(),
            columns: columns.to_vec(),
            schema: schema.clone(),
            unseen: unseen.collect(),
            wrong: Mutex::default(),
            strays: Mutex::default(),
            rows: metrics.counter(ROWS_CHECKED, Of::Count),
            stray_rows: metrics.counter(STRAYS, Of::Count),
            checking: metrics.counter("checking buckets", Of::Nanoseconds),
            metrics: metrics.clone(),
        })
    }

    /// The rows of a chunk of `unit` that are of its file's bucket; none where none is.
    pub(super) fn sort(&self, chunk: Chunk, unit: &Unit, sorting: Sorting, task: &TaskContext) -> Result<Option<Chunk>> {
        let Some(unseen) = &self.unseen[unit.file] else { return Ok(Some(chunk)) };
        let columns = self.columns.iter().map(|at| chunk.column(*at).stored(self.schema.field(*at).data_type()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let start = Instant::now();
        let TableBuckets { count, hash, files, .. } = &self.buckets;
        let hashes = hash.hashes(&columns, chunk.rows())?;
        let own = files[unit.file];
        let straight = BooleanBuffer::collect_bool(chunk.rows(), |row| hash.bucket(hashes[row], *count) == own);
        let all = straight.count_set_bits() == chunk.rows();
        self.checking.add(start.elapsed().as_nanos() as u64);
        if sorting == Sorting::Aside {
            self.rows.add(chunk.rows() as u64);
            if !all {
                self.put_aside(chunk.select(&Arc::new(Selection::from_mask(!&straight)))?, unit, task)?;
            }
            if unseen.fetch_sub(chunk.rows() as u64, Ordering::Relaxed) == chunk.rows() as u64 {
                let holds = !self.wrong.lock().contains(&unit.file);
                remember(&self.table, &self.buckets, [(unit.file, holds)]);
            }
        }
        match straight.count_set_bits() {
            0 => Ok(None),
            _ if all => Ok(Some(chunk)),
            _ => chunk.select(&Arc::new(Selection::from_mask(straight))).map(Some),
        }
    }

    fn put_aside(&self, strays: Chunk, unit: &Unit, task: &TaskContext) -> Result<()> {
        if self.wrong.lock().insert(unit.file) {
            let words = words(&self.table, &self.buckets, unit.file, Some(unit.row_group));
            self.metrics.note(format!("warning: {words}"));
            remember(&self.table, &self.buckets, [(unit.file, false)]);
        }
        self.stray_rows.add(strays.rows() as u64);
        let columns = strays.stored(&self.schema)?;
        let mut store = self.strays.lock();
        if matches!(*store, Strays::None) {
            *store = Strays::Coming(task.query.spill.create(&storage_schema(&self.schema))?);
        }
        if let Strays::Coming(writer) = &mut *store {
            self.metrics.spilled_bytes.add(writer.write(columns, strays.rows())? as u64);
        }
        Ok(())
    }

    /// Whether rows were put aside.
    pub(super) fn has_strays(&self) -> bool {
        !matches!(*self.strays.lock(), Strays::None)
    }

    /// The rows that were put aside; no more come.
    pub(super) fn strays(&self) -> Result<StrayCursor> {
        let mut store = self.strays.lock();
        let run = match std::mem::take(&mut *store) {
            Strays::Coming(writer) => Some(Arc::new(writer.finish()?)),
            Strays::Done(run) => Some(run),
            Strays::None => None,
        };
        if let Some(run) = &run {
            *store = Strays::Done(run.clone());
        }
        drop(store);
        Ok(StrayCursor { reader: run.as_ref().map(|run| run.read()).transpose()?, _run: run })
    }
}

/// Reads what was put aside.
pub(super) struct StrayCursor {
    reader: Option<SpillReader>,
    /// Is removed with its last reader.
    _run: Option<Arc<SpillRun>>,
}

impl Cursor for StrayCursor {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        task.check_cancelled()?;
        let batch = match &mut self.reader {
            Some(reader) => reader.next()?,
            None => None,
        };
        Ok(match batch {
            Some(batch) => Step::Chunk(Chunk::from_arrays(batch.columns().to_vec(), batch.num_rows())),
            None => Step::Done,
        })
    }
}
