//! Scans files of any format behind the face that formats have.
//!
//! ```text
//!   files ──partition bounds──> splits ─ columns that are wanted ─> predicates ─> rows that pass
//! ```
//!
//! Splits are handed out like morsels, those of large files first. What a reader holds is taken from
//! the memory budget: blocks of the usual size in any case, more only as far as it goes. Predicates are evaluated on the rows
//! of a chunk, those on partition columns on whole files before. NULL: a row passes only where every
//! predicate is true.

use super::condition::Condition;
use super::filter::{Filters, Left, Survivors, WindowColumns};
use super::project;
use crate::catalog::{ColumnOrigin, FormatTable, PartitionBounds, Table};
use crate::column::{Chunk, Column, Order, storage_type};
use crate::error::{Error, Result};
use crate::exec::{
    Counter, Cursor, NodeInfo, OperatorMetrics, PipelineBuilder, PlanNode, PlanRef, Reservation, Source, Step, Stream,
    TaskContext, Unit as Of,
};
use crate::format::reader::{ReadRequest, Split, SplitReader, WantedColumn};
use crate::layout::{Layout, ScanPredicate, Truth};
use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Splits for every worker, about. From the design of morsels.
const SPLITS_A_WORKER: u64 = 8;
/// Bytes of a split, at most. Guessed: a second of work.
const SPLIT_BYTES_MAX: u64 = 64 << 20;
/// What a reader may hold beyond the memory limit: blocks of the usual size, lest nothing be read.
/// Measured: a reader of CSV holds 3 to 4 MiB, one of JSON 6.
const HELD_BYTES_MIN: usize = 8 << 20;
/// Steps without rows before others get a turn.
const EMPTY_STEPS_MAX: usize = 16;

/// Reads a table of files.
#[derive(Debug)]
pub struct FormatScanNode {
    info: NodeInfo,
    data: Arc<Data>,
    skipped: usize,
}

#[derive(Debug)]
struct Data {
    table: Arc<FormatTable>,
    projection: Vec<usize>,
    conditions: Vec<Arc<Condition>>,
    /// The columns that are read, of the table: those of the projection and of conditions.
    read: Vec<usize>,
    /// Numbers of the files that may have rows that pass.
    files: Vec<usize>,
}

impl FormatScanNode {
    /// A scan; projection, predicates and runtime filters as in [`super::ScanNode::new`].
    pub fn new(
        table: Arc<FormatTable>,
        projection: Vec<usize>,
        predicates: Vec<Arc<dyn ScanPredicate>>,
        runtime: Vec<Arc<dyn ScanPredicate>>,
        estimated_rows: f64,
    ) -> FormatScanNode {
        let statistics = table.statistics();
        let columns = projection.iter().map(|column| statistics.columns.get(*column).cloned().unwrap_or_default()).collect();
        let is_partition = |position: &usize| projection[*position] >= table.file_columns();
        let partition_columns = (0..projection.len()).filter(is_partition).collect();
        let layout = Layout { columns, partition_columns, ..Layout::default() };
        let info = NodeInfo::new(project(table.schema(), &projection), estimated_rows).with_layout(layout);
        let predicates = predicates.into_iter().map(|predicate| Condition::new(predicate, false));
        let conditions: Vec<_> = predicates.chain(runtime.into_iter().map(|filter| Condition::new(filter, true))).collect();
        let mut read: Vec<usize> = projection.clone();
        read.extend(conditions.iter().flat_map(|condition| condition.predicate.columns().iter().copied()));
        read.sort_unstable();
        read.dedup();
        let mut files: Vec<usize> = (0..table.files().len()).filter(|file| may_pass(&table, &conditions, *file)).collect();
        let skipped = table.files().len() - files.len();
        files.sort_by_key(|file| Reverse(table.files()[*file].file.bytes()));
        FormatScanNode { info, data: Arc::new(Data { table, projection, conditions, read, files }), skipped }
    }
}

/// Whether rows of a file may pass, as its directories tell.
fn may_pass(table: &FormatTable, conditions: &[Arc<Condition>], file: usize) -> bool {
    let bounds = PartitionBounds { table, file: &table.files()[file] };
    let never = conditions.iter().find(|condition| {
        let predicate = &condition.predicate;
        predicate.is_ready() && predicate.check_bounds(&bounds) == Truth::Never
    });
    never.is_none()
}

impl PlanNode for FormatScanNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Scan"
    }

    fn summary(&self) -> String {
        self.data.table.path().to_string()
    }

    fn details(&self) -> Vec<String> {
        let table = &self.data.table;
        let formats = table.formats().join(", ");
        let mut lines = vec![format!("format: {formats}, files: {}, of which skipped: {}", table.files().len(), self.skipped)];
        lines.extend(self.data.conditions.iter().map(|condition| condition.describe()));
        lines
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        let metrics = &self.info.metrics;
        let source = FormatSource {
            data: self.data.clone(),
            splits: OnceLock::new(),
            next: AtomicUsize::new(0),
            opened: self.data.table.files().iter().map(|_| AtomicBool::new(false)).collect(),
            metrics: metrics.clone(),
            files: metrics.counter("files", Of::Count),
            split_count: metrics.counter("splits", Of::Count),
        };
        Ok(Stream::new(Arc::new(source), metrics))
    }
}

struct FormatSource {
    data: Arc<Data>,
    /// Numbers of files with a piece of each.
    splits: OnceLock<Result<Vec<(usize, Split)>>>,
    next: AtomicUsize,
    opened: Vec<AtomicBool>,
    metrics: Arc<OperatorMetrics>,
    files: Counter,
    split_count: Counter,
}

impl FormatSource {
    fn splits(&self, threads: usize) -> Result<&[(usize, Split)]> {
        let find = || {
            let files = self.data.table.files();
            let bytes: u64 = self.data.files.iter().map(|file| files[*file].file.bytes()).sum();
            let wanted = (bytes / (threads.max(1) as u64 * SPLITS_A_WORKER)).clamp(1, SPLIT_BYTES_MAX);
            let mut splits = Vec::new();
            for &number in &self.data.files {
                let file = &files[number];
                let pieces = file.reader.splits(&file.file, &file.found, wanted)?;
                splits.extend(pieces.into_iter().map(|split| (number, split)));
            }
            Ok(splits)
        };
        match self.splits.get_or_init(find) {
            Ok(splits) => Ok(splits),
            Err(error) => Err(error.clone()),
        }
    }
}

impl Source for FormatSource {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let splits = self.splits(task.query.threads)?;
        loop {
            task.check_cancelled()?;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&(file, split)) = splits.get(number) else { return Ok(None) };
            // Runtime filters may have come to tell something of partitions.
            if !may_pass(&self.data.table, &self.data.conditions, file) {
                continue;
            }
            self.split_count.add(1);
            if !self.opened[file].swap(true, Ordering::Relaxed) {
                self.files.add(1);
            }
            let memory = task.query.memory.reserve(Some(self.metrics.clone()));
            return Ok(Some(Box::new(FormatCursor::open(&self.data, file, split, number as u64, memory)?)));
        }
    }
}

/// A place in a split.
struct FormatCursor {
    data: Arc<Data>,
    file: usize,
    reader: Box<dyn SplitReader>,
    memory: Reservation,
    /// For every column of the table its place among those that the reader gives.
    places: Vec<Option<usize>>,
    filters: Filters,
    order: Order,
    done: bool,
}

impl FormatCursor {
    fn open(data: &Arc<Data>, number: usize, split: Split, morsel: u64, memory: Reservation) -> Result<Self> {
        let table = &data.table;
        let file = &table.files()[number];
        let mut places = vec![None; table.schema().fields().len()];
        let mut wanted = Vec::new();
        for &column in &data.read {
            if let ColumnOrigin::File(at) = table.origin(file, column) {
                places[column] = Some(wanted.len());
                wanted.push(WantedColumn { at, data_type: table.schema().field(column).data_type().clone() });
            }
        }
        let request = ReadRequest { file: file.file.clone(), columns: file.found.clone(), split, wanted };
        let reader = file.reader.open(request)?;
        let filters = Filters::new(data.conditions.iter().cloned(), |_| 1);
        let order = Order { morsel, sequence: 0 };
        let mut cursor = Self { data: data.clone(), file: number, reader, memory, places, filters, order, done: false };
        cursor.hold()?;
        Ok(cursor)
    }

    /// Brings the reservation to what the reader holds, or is about to.
    fn hold(&mut self) -> Result<()> {
        let wanted = self.reader.memory_bytes();
        let Some(more) = wanted.checked_sub(self.memory.bytes()) else {
            self.memory.shrink(self.memory.bytes() - wanted);
            return Ok(());
        };
        if self.memory.try_grow(more) {
            return Ok(());
        }
        if wanted <= HELD_BYTES_MIN {
            self.memory.budget().clone().reclaim(more)?;
            self.memory.grow_anyway(more);
            return Ok(());
        }
        let file = self.data.table.files()[self.file].file.path.clone();
        self.memory.grow(more, "the records of a file").map_err(|error| error.in_file(&*file))
    }

    /// A column of the table in `rows` rows that were read.
    fn column(&self, read: &[Column], column: usize, rows: usize) -> Result<Column> {
        let table = &self.data.table;
        if let Some(place) = self.places[column] {
            return read.get(place).cloned().ok_or_else(|| Error::internal("a column that the reader does not give"));
        }
        let data_type = table.schema().field(column).data_type();
        match table.origin(&table.files()[self.file], column) {
            ColumnOrigin::Partition(value) if !value.is_null() => Column::constant(value, rows),
            _ => Ok(Column::nulls(&storage_type(data_type), rows)),
        }
    }
}

/// Rows that were read, for the predicates: every column is there already.
struct Parsed<'a> {
    cursor: &'a FormatCursor,
    columns: &'a [Column],
    rows: usize,
}

impl WindowColumns for Parsed<'_> {
    fn all(&mut self, column: usize) -> Result<Column> {
        self.cursor.column(self.columns, column, self.rows)
    }

    fn left(&mut self, column: usize, left: &Arc<Left>) -> Result<Column> {
        self.all(column)?.select(left.selection())
    }
}

impl Cursor for FormatCursor {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        for _ in 0..EMPTY_STEPS_MAX {
            if self.done {
                return Ok(Step::Done);
            }
            task.check_cancelled()?;
            let read = self.reader.next(task.query.chunk_rows.max(1))?;
            self.hold()?;
            let Some(read) = read else {
                self.done = true;
                self.memory.release();
                self.data.table.files()[self.file].file.check_unchanged()?;
                return Ok(Step::Done);
            };
            if read.rows == 0 {
                continue;
            }
            let (columns, rows) = (read.columns, read.rows);
            let mut filters = std::mem::replace(&mut self.filters, Filters::new(std::iter::empty(), |_| 1));
            let survivors = filters.apply(rows, &mut Parsed { cursor: self, columns: &columns, rows });
            self.filters = filters;
            let survivors = survivors?;
            if matches!(survivors, Survivors::None) {
                continue;
            }
            let projected = self.data.projection.iter().map(|column| self.column(&columns, *column, rows));
            let mut chunk = Chunk::new(projected.collect::<Result<_>>()?, rows);
            chunk.order = self.order;
            self.order.sequence += 1;
            return Ok(Step::Chunk(match survivors {
                Survivors::Some(left) => chunk.select(left.selection())?,
                _ => chunk,
            }));
        }
        Ok(Step::Yield)
    }
}
