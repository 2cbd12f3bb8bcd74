//! Hands row groups, or parts of them, to the tasks of a scan.

use super::condition::Condition;
use super::cursor::ScanCursor;
use super::prune::Unit;
use crate::catalog::{ColumnOrigin, FileTable, RowGroupBounds};
use crate::error::Result;
use crate::exec::{Counter, Cursor, OperatorMetrics, Source, TaskContext, Unit as Of};
use crate::format::parquet::RowGroup;
use crate::layout::{Bounds, Truth};
use std::cmp::{Ordering as Order, Reverse};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Row groups are split when there are fewer morsels than this for every worker. From the design.
const MORSELS_A_WORKER: usize = 4;
/// A part of a row group has at least this many rows. From the design.
const PART_ROWS_MIN: usize = 32 << 10;
/// Columns beside those of conditions are not read ahead when fewer rows than one in this many pass
/// some condition: most of their pages may be passed over. Guessed.
const RARE_ONE_IN: u64 = 64;
/// Reading as fast as this, in GB/s, has not waited for a disk. Guessed: between a fast disk and
/// copying from the page cache.
const WARM_BYTES_PER_NS: u64 = 3;
/// Bytes after which that is judged. Guessed: some column chunks.
const WARM_BYTES_MIN: u64 = 4 << 20;
/// Parts of a row group without page places, at most: each of them reads all bytes.
const BLIND_PARTS_MAX: usize = 4;

/// What cursors need of the scan.
pub(super) struct Scan {
    pub(super) table: Arc<FileTable>,
    pub(super) projection: Vec<usize>,
    /// Predicates in written order, then runtime filters.
    pub(super) conditions: Vec<Arc<Condition>>,
    pub(super) counters: Counters,
}

/// The figures of a scan.
pub(super) struct Counters {
    pub(super) files: Counter,
    pub(super) row_groups: Counter,
    pub(super) row_groups_skipped: Counter,
    /// Of parts, to idle workers.
    pub(super) row_groups_handed_over: Counter,
    pub(super) pages_read: Counter,
    pub(super) pages_skipped: Counter,
    pub(super) bytes_read: Counter,
    pub(super) bytes_decompressed: Counter,
    pub(super) values_decoded: Counter,
    pub(super) as_codes: Counter,
    pub(super) io_ns: Counter,
    pub(super) decompress_ns: Counter,
    pub(super) decode_ns: Counter,
    pub(super) filter_ns: Counter,
}

/// The source of a scan's pipeline.
pub(super) struct ScanSource {
    scan: Arc<Scan>,
    pub(super) counters: Counters,
    units: Arc<Vec<Unit>>,
    morsels: OnceLock<Vec<Unit>>,
    next: AtomicUsize,
    opened: Vec<AtomicBool>,
}

impl Counters {
    pub(super) fn new(metrics: &OperatorMetrics) -> Self {
        Self {
            files: metrics.counter("files", Of::Count),
            row_groups: metrics.counter("row groups", Of::Count),
            row_groups_skipped: metrics.counter("row groups skipped", Of::Count),
            row_groups_handed_over: metrics.counter("row groups handed over", Of::Count),
            pages_read: metrics.counter("pages read", Of::Count),
            pages_skipped: metrics.counter("pages skipped", Of::Count),
            bytes_read: metrics.counter("bytes read", Of::Bytes),
            bytes_decompressed: metrics.counter("bytes decompressed", Of::Bytes),
            values_decoded: metrics.counter("values decoded", Of::Count),
            as_codes: metrics.counter("values as codes", Of::Count),
            io_ns: metrics.counter("io", Of::Nanoseconds),
            decompress_ns: metrics.counter("decompress", Of::Nanoseconds),
            decode_ns: metrics.counter("decode", Of::Nanoseconds),
            filter_ns: metrics.counter("filter", Of::Nanoseconds),
        }
    }
}

impl ScanSource {
    pub(super) fn new(
        table: Arc<FileTable>,
        projection: Vec<usize>,
        conditions: Vec<Arc<Condition>>,
        units: Arc<Vec<Unit>>,
        metrics: &OperatorMetrics,
    ) -> Self {
        let opened = table.files().iter().map(|_| AtomicBool::new(false)).collect();
        let scan = Scan { table, projection, conditions, counters: Counters::new(metrics) };
        let counters = Counters::new(metrics);
        Self { scan: Arc::new(scan), counters, units, morsels: OnceLock::new(), next: AtomicUsize::new(0), opened }
    }

    /// The row groups, split where there are few for the workers.
    fn morsels(&self, threads: usize) -> &[Unit] {
        self.morsels.get_or_init(|| {
            let wanted = threads * MORSELS_A_WORKER;
            let columns = self.file_columns();
            let units = self.arranged();
            if units.len() >= wanted || threads < 2 || columns == 0 {
                return units;
            }
            let total: usize = units.iter().map(|unit| unit.rows.len()).sum();
            let part_rows = (total / wanted).max(PART_ROWS_MIN);
            units.iter().flat_map(|unit| self.split(unit, part_rows)).collect()
        })
    }

    /// The row groups in the order in which they are best read: the most promising first where a
    /// condition comes to reject the others; otherwise those of large files first, so that no worker
    /// is left alone with one at the end.
    fn arranged(&self) -> Vec<Unit> {
        let mut units = self.units.to_vec();
        let table = &self.scan.table;
        let promising = self.scan.conditions.iter().find_map(|condition| {
            let &[column] = condition.predicate.columns() else { return None };
            Some((column, condition.predicate.best_first()?))
        });
        if let Some((column, descending)) = promising {
            let mut keyed: Vec<_> = units
                .into_iter()
                .map(|unit| {
                    let bounds = RowGroupBounds { table, file: &table.files()[unit.file], row_group: unit.row_group };
                    let bounds = bounds.column(column);
                    (if descending { bounds.max } else { bounds.min }, unit)
                })
                .collect();
            keyed.sort_by(|(a, _), (b, _)| match (a, b) {
                (Some(a), Some(b)) => {
                    let ascending = a.partial_cmp(b).unwrap_or(Order::Equal);
                    if descending { ascending.reverse() } else { ascending }
                }
                // What is not known may be anything.
                (known, other) => other.is_some().cmp(&known.is_some()),
            });
            units = keyed.into_iter().map(|(_, unit)| unit).collect();
        } else if table.files().len() > 1 {
            units.sort_by_key(|unit| Reverse(table.files()[unit.file].footer.file_bytes()));
        }
        units
    }

    /// Lets the system read in the background what the worker is going to want next.
    fn announce(&self, unit: &Unit) {
        let (bytes, time) = (self.counters.bytes_read.get(), self.counters.io_ns.get());
        if bytes > WARM_BYTES_MIN && time * WARM_BYTES_PER_NS < bytes {
            // The files are in memory already.
            return;
        }
        let table = &self.scan.table;
        let file = &table.files()[unit.file];
        let bounds = RowGroupBounds { table, file, row_group: unit.row_group };
        let ready = || self.scan.conditions.iter().zip(&unit.always).filter(|(of, always)| !**always && of.predicate.is_ready());
        if ready().any(|(condition, _)| condition.predicate.check_bounds(&bounds) == Truth::Never) {
            return;
        }
        let mut columns: Vec<usize> = ready().flat_map(|(condition, _)| condition.predicate.columns().iter().copied()).collect();
        let rare = ready().any(|(condition, _)| {
            let (seen, passed, _) = condition.learned();
            seen > 0 && passed * RARE_ONE_IN < seen
        });
        if !rare {
            columns.extend(&self.scan.projection);
        }
        columns.sort_unstable();
        columns.dedup();
        let columns = columns.into_iter().filter_map(|column| match table.origin(file, column) {
            ColumnOrigin::File(at) => Some(at),
            _ => None,
        });
        // A file that cannot be opened is an error of those who read it.
        let _ = RowGroup::announce(&file.path, &file.footer, unit.row_group, columns);
    }

    /// Number of columns that some file is read for.
    fn file_columns(&self) -> usize {
        let scan = &self.scan;
        let predicates = scan.conditions.iter().flat_map(|condition| condition.predicate.columns());
        scan.projection.iter().chain(predicates).filter(|column| **column < scan.table.file_columns()).count()
    }

    fn split(&self, unit: &Unit, part_rows: usize) -> Vec<Unit> {
        let rows = unit.rows.len();
        if rows < part_rows + part_rows / 2 {
            return vec![unit.clone()];
        }
        let table = &self.scan.table;
        let file = &table.files()[unit.file];
        let columns = self.scan.projection.iter().filter_map(|column| match table.origin(file, *column) {
            ColumnOrigin::File(at) => Some(at),
            _ => None,
        });
        let columns: Vec<usize> = columns.collect();
        // A page index that cannot be read is not an error here: reading the pages will tell.
        let starts = file.footer.page_starts(&file.path, unit.row_group, &columns).unwrap_or_default();
        let mut parts = rows.div_ceil(part_rows);
        if starts.is_empty() {
            parts = parts.min(BLIND_PARTS_MAX);
        }
        let mut cuts = vec![unit.rows.start];
        for part in 1..parts {
            let wanted = unit.rows.start + rows * part / parts;
            let page = starts.partition_point(|start| *start < wanted);
            let cut = if starts.is_empty() { wanted } else { starts.get(page).copied().unwrap_or(unit.rows.end) };
            if cuts.last().is_some_and(|last| *last < cut) && cut < unit.rows.end {
                cuts.push(cut);
            }
        }
        cuts.push(unit.rows.end);
        cuts.windows(2).map(|ends| Unit { rows: ends[0]..ends[1], ..unit.clone() }).collect()
    }
}

impl Source for ScanSource {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let morsels = self.morsels(task.query.threads);
        loop {
            task.check_cancelled()?;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(morsel) = morsels.get(number) else { return Ok(None) };
            if let Some(next) = morsels.get(number + task.query.threads.max(1))
                && next.is_first()
            {
                self.announce(next);
            }
            let file = morsel.file;
            // Parts of a row group count once, with their first one.
            let first = u64::from(morsel.is_first());
            let Some(cursor) = ScanCursor::open(&self.scan, morsel.clone(), number as u64)? else {
                self.counters.row_groups_skipped.add(first);
                continue;
            };
            self.counters.row_groups.add(first);
            if !self.opened[file].swap(true, Ordering::Relaxed) {
                self.counters.files.add(1);
            }
            return Ok(Some(Box::new(cursor)));
        }
    }
}
