//! Checks that files hold the buckets that their names claim, once a file.
//!
//! ```text
//!   files not checked before ─ bucket columns only ─> hash ─> the number in the name?
//!                                   all: remembered for these files    some not: the claim is refuted
//! ```
//!
//! What was checked is remembered by the files' identity (device, inode, size, time of change) for the
//! whole process, so that it costs once: the bucket columns are read and hashed, nothing else.

use super::cursor::ScanCursor;
use super::prune::Unit;
use super::source::{Counters, Scan};
use crate::catalog::{FileTable, Table, TableBuckets};
use crate::column::Chunk;
use crate::error::Result;
use crate::exec::{Counter, Cursor, Flow, OperatorMetrics, Sink, SinkTask, Source, TaskContext, Unit as Of};
use crate::format::parquet::FileId;
use crate::layout::bucket::BucketHash;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// What was checked: a file by these columns in this many buckets of this hash.
type Checked = (FileId, Vec<String>, u32, BucketHash);

/// The counter of rows whose bucket was compared with what their file claims.
pub(super) const ROWS_CHECKED: &str = "rows whose bucket was checked";

/// Files remembered before the memory starts anew.
const REMEMBERED_MAX: usize = 1 << 18;

/// What was found: whether the rows lie in the bucket with this number.
static REMEMBERED: OnceLock<Mutex<HashMap<(Checked, u32), bool>>> = OnceLock::new();

/// The check of one scan's buckets.
pub(super) struct BucketCheck {
    table: Arc<FileTable>,
    buckets: TableBuckets,
    /// Row groups to be read.
    units: Vec<Unit>,
    next: AtomicUsize,
    scan: Arc<Scan>,
    /// Files with rows of other buckets, and the words for it.
    wrong: Mutex<HashMap<usize, String>>,
    rows: Counter,
    metrics: Arc<OperatorMetrics>,
}

impl BucketCheck {
    /// A check of the buckets that the rows of `units` lie in. Nothing is read for files that were
    /// checked before.
    pub(super) fn new(table: &Arc<FileTable>, units: &[Unit], metrics: &Arc<OperatorMetrics>) -> Option<Self> {
        let buckets = table.buckets()?.clone();
        let mut wrong = HashMap::new();
        let mut files: Vec<usize> = units.iter().map(|unit| unit.file).collect();
        files.sort_unstable();
        files.dedup();
        let mut unknown = Vec::new();
        {
            let remembered = REMEMBERED.get_or_init(Mutex::default).lock();
            for file in files {
                match remembered.get(&key(table, &buckets, file)) {
                    None => unknown.push(file),
                    Some(true) => {}
                    Some(false) => {
                        wrong.insert(file, words(table, &buckets, file, None));
                    }
                }
            }
        }
        let groups = |file: usize| (0..table.files()[file].footer.row_groups()).map(move |group| (file, group));
        let units = unknown.into_iter().flat_map(groups).map(|(file, row_group)| {
            let rows = 0..table.files()[file].footer.rows(row_group);
            Unit { file, row_group, rows, always: Vec::new() }
        });
        let units: Vec<Unit> = units.filter(|unit| !unit.rows.is_empty()).collect();
        let own = Arc::new(OperatorMetrics::default());
        let scan = Arc::new(Scan {
            table: table.clone(),
            projection: buckets.columns.clone(),
            conditions: Vec::new(),
            counters: Counters::new(&own),
        });
        let rows = metrics.counter(ROWS_CHECKED, Of::Count);
        Some(Self {
            table: table.clone(),
            buckets,
            units,
            next: AtomicUsize::new(0),
            scan,
            wrong: Mutex::new(wrong),
            rows,
            metrics: metrics.clone(),
        })
    }

    /// Files of which nothing is known yet.
    pub(super) fn unknown(&self) -> HashSet<usize> {
        self.units.iter().map(|unit| unit.file).collect()
    }

    /// Whether a claim is known to be false, before anything was read.
    pub(super) fn is_refuted(&self) -> bool {
        !self.wrong.lock().is_empty()
    }

    /// Whether everything is known already.
    pub(super) fn is_done(&self) -> bool {
        self.units.is_empty()
    }

    /// What is wrong with the claim, if anything is.
    pub(super) fn refuted(&self) -> Option<String> {
        let wrong = self.wrong.lock();
        let first = wrong.iter().min_by_key(|(file, _)| **file)?.1.clone();
        self.metrics.note(format!("warning: {first}"));
        Some(first)
    }
}

fn key(table: &FileTable, buckets: &TableBuckets, file: usize) -> (Checked, u32) {
    let names = buckets.columns.iter().map(|column| table.schema().field(*column).name().clone()).collect();
    ((table.files()[file].id(), names, buckets.count, buckets.hash), buckets.files[file])
}

/// Remembers of files whether they hold what they claim.
pub(super) fn remember(table: &FileTable, buckets: &TableBuckets, files: impl IntoIterator<Item = (usize, bool)>) {
    let mut remembered = REMEMBERED.get_or_init(Mutex::default).lock();
    if remembered.len() > REMEMBERED_MAX {
        remembered.clear();
    }
    remembered.extend(files.into_iter().map(|(file, holds)| (key(table, buckets, file), holds)));
}

pub(super) fn words(table: &FileTable, buckets: &TableBuckets, file: usize, row_group: Option<usize>) -> String {
    let place = row_group.map_or(String::new(), |group| format!(" row group {group}"));
    let path = table.files()[file].path.display().to_string();
    let (id, count, hash) = (buckets.files[file], buckets.count, buckets.hash.name());
    format!("{path}{place} has rows that are not of bucket {id} of {count} by {hash}")
}

/// The source of the check's pipeline: row groups of files that are not known.
pub(super) struct CheckSource(pub(super) Arc<BucketCheck>);

impl Source for CheckSource {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        task.check_cancelled()?;
        loop {
            let at = self.0.next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = self.0.units.get(at) else { return Ok(None) };
            if let Some(cursor) = ScanCursor::open(&self.0.scan, unit.clone(), at as u64)? {
                return Ok(Some(Box::new(cursor)));
            }
        }
    }
}

/// Its sink.
pub(super) struct CheckSink(pub(super) Arc<BucketCheck>);

struct CheckTask(Arc<BucketCheck>);

impl Sink for CheckSink {
    fn start(&self, _task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        Ok(Box::new(CheckTask(self.0.clone())))
    }

    fn finalize(&self, _stage: usize, _query: &Arc<crate::exec::QueryContext>) -> Result<Vec<crate::exec::Job>> {
        let check = &self.0;
        let wrong = check.wrong.lock();
        let files = check.units.iter().map(|unit| (unit.file, !wrong.contains_key(&unit.file)));
        remember(&check.table, &check.buckets, files);
        Ok(Vec::new())
    }
}

impl SinkTask for CheckTask {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> Result<Flow> {
        let check = &self.0;
        let Some(unit) = usize::try_from(chunk.order.morsel).ok().and_then(|at| check.units.get(at)) else {
            return Ok(Flow::Continue);
        };
        check.rows.add(chunk.rows() as u64);
        if check.wrong.lock().contains_key(&unit.file) {
            return Ok(Flow::Continue);
        }
        let types = check.buckets.columns.iter().map(|column| check.table.schema().field(*column).data_type());
        let columns = chunk.columns().iter().zip(types).map(|(column, data_type)| column.stored(data_type));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let TableBuckets { count, hash, files, .. } = &check.buckets;
        let hashes = hash.hashes(&columns, chunk.rows())?;
        if hashes.iter().any(|value| hash.bucket(*value, *count) != files[unit.file]) {
            let words = words(&check.table, &check.buckets, unit.file, Some(unit.row_group));
            check.wrong.lock().insert(unit.file, words);
        }
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        Ok(())
    }
}
