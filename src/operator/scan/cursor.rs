//! Reads one morsel of a scan, window by window.

use super::filter::{Filters, Left, Survivors, WindowColumns};
use super::prune::{Unit, by_bloom_filters, by_bounds, by_dictionaries, page_skips};
use super::source::Scan;
use crate::catalog::{ColumnOrigin, Table};
use crate::column::{Chunk, Column, Order, Selection, compress, storage_type};
use crate::error::{Error, Result};
use crate::exec::{Cursor, Step, TaskContext};
use crate::format::parquet::{ColumnCursor, PageFigures, RowGroup};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Windows without a survivor before others get a turn.
const EMPTY_WINDOWS_MAX: usize = 32;

/// Windows before what is left is looked at again because a condition came to tell more. Guessed:
/// asking bounds again costs about a tenth of decoding a window.
const RECHECK_WINDOWS: u32 = 4;

/// Rows are decoded one by one when at most one in this many is left. Guessed.
const SPARSE_ONE_IN: usize = 2;
/// Values that are tested stay codes where the dictionary has at most one value for so many rows.
/// Guessed: testing a value costs about what looking up some codes does.
const CODES_ROWS_A_VALUE: usize = 4;

/// A place in a morsel.
pub(super) struct ScanCursor {
    unit: Unit,
    /// Sum of the conditions' versions when bounds were asked last, and windows since then.
    version: u64,
    windows: u32,
    filters: Filters,
    window: Window,
    at: usize,
    end: usize,
    /// Rows that page bounds rule out, in order, from the next one on.
    skips: std::vec::IntoIter<Range<usize>>,
    skip: Option<Range<usize>>,
    order: Order,
}

/// The columns of the rows under consideration.
struct Window {
    scan: Arc<Scan>,
    file: usize,
    row_group: RowGroup,
    /// Per column of the table.
    cursors: Vec<Option<ColumnCursor>>,
    columns: Vec<Held>,
    /// Columns that are tested alone, so that codes will do, and the most values their dictionaries
    /// may have.
    tested: Vec<usize>,
    dictionary_max: usize,
    rows: Range<usize>,
    decode_ns: u64,
}

/// What is decoded of a column's rows in the window.
#[derive(Clone)]
enum Held {
    Nothing,
    All(Column),
    /// Those that were left when it was asked for.
    Some(Column, Arc<Left>),
}

impl ScanCursor {
    /// None: no row of the unit passes, as bounds, Bloom filters or dictionaries prove.
    pub(super) fn open(scan: &Arc<Scan>, mut unit: Unit, morsel: u64) -> Result<Option<Self>> {
        let version = version(scan);
        // A part of a scan may have conditions of its own.
        unit.always.resize(scan.conditions.len(), false);
        if by_bounds(&scan.table, &scan.conditions, &mut unit) {
            return Ok(None);
        }
        let file = &scan.table.files()[unit.file];
        let part = unit.rows.len() < file.footer.rows(unit.row_group);
        let use_index = part || unit.always.contains(&false);
        let mut row_group = RowGroup::open(&file.path, &file.footer, unit.row_group, unit.rows.clone(), use_index)?;
        if by_bloom_filters(scan, &unit, &row_group)? {
            file.check_unchanged()?;
            return Ok(None);
        }
        let mut rows = unit.rows.clone();
        let skips = page_skips(scan, &unit, true)?;
        let skips = trim(&mut rows, skips);
        if rows.is_empty() || by_dictionaries(scan, &mut unit, &rows, &row_group)? {
            file.check_unchanged()?;
            return Ok(None);
        }
        unit.rows = rows;
        row_group.narrow(unit.rows.clone());
        let cost = |column: usize| match scan.table.origin(file, column) {
            ColumnOrigin::File(at) => file.footer.column_bytes(unit.row_group, at).1,
            _ => 0,
        };
        let conditions = scan.conditions.iter().zip(&unit.always).filter(|(_, always)| !**always);
        let conditions = conditions.map(|(condition, _)| condition);
        let alone = conditions.clone().filter(|condition| !condition.predicate.is_fallible() && condition.predicate.is_ready());
        let tested = alone.filter_map(|condition| <[usize; 1]>::try_from(condition.predicate.columns()).ok());
        let tested = tested.flatten().collect();
        let filters = Filters::new(conditions.cloned(), cost);
        let columns = scan.table.schema().fields().len();
        let mut window = Window {
            scan: scan.clone(),
            file: unit.file,
            row_group,
            cursors: (0..columns).map(|_| None).collect(),
            columns: vec![Held::Nothing; columns],
            tested,
            dictionary_max: unit.rows.len() / CODES_ROWS_A_VALUE,
            rows: 0..0,
            decode_ns: 0,
        };
        if filters.is_empty() {
            window.open(&scan.projection)?;
        } else {
            window.open(&filters.columns())?;
        }
        let mut skips = skips.into_iter();
        let skip = skips.next();
        let order = Order { morsel, sequence: 0 };
        let (at, end) = (unit.rows.start, unit.rows.end);
        Ok(Some(Self { unit, version, windows: 0, filters, window, at, end, skips, skip, order }))
    }

    /// Asks bounds about the rest of the rows when a condition has come to tell more: a runtime filter
    /// was published, a bound went down. True: none of them passes.
    fn recheck(&mut self) -> Result<bool> {
        self.windows += 1;
        if self.windows < RECHECK_WINDOWS || self.filters.is_empty() {
            return Ok(false);
        }
        let scan = &self.window.scan;
        let version = version(scan);
        if version == self.version {
            return Ok(false);
        }
        (self.version, self.windows) = (version, 0);
        let mut rest = Unit { rows: self.at..self.end, ..self.unit.clone() };
        if by_bounds(&scan.table, &scan.conditions, &mut rest) {
            return Ok(true);
        }
        self.skips = page_skips(scan, &rest, false)?.into_iter();
        self.skip = self.skips.next();
        Ok(false)
    }

    /// Passes over ruled out rows; then the end of the next window.
    fn window_end(&mut self, chunk_rows: usize) -> usize {
        while let Some(skip) = &self.skip {
            if skip.start > self.at {
                return skip.start.min(self.at + chunk_rows).min(self.end);
            }
            self.at = self.at.max(skip.end);
            self.skip = self.skips.next();
        }
        (self.at + chunk_rows).min(self.end)
    }

    fn emit(&mut self, mut chunk: Chunk) -> Step {
        chunk.order = self.order;
        self.order.sequence += 1;
        Step::Chunk(chunk)
    }

    fn finish(&mut self) -> Result<Step> {
        let window = &mut self.window;
        window.close();
        window.scan.table.files()[window.file].check_unchanged()?;
        Ok(Step::Done)
    }
}

impl Cursor for ScanCursor {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        for _ in 0..EMPTY_WINDOWS_MAX {
            if self.recheck()? {
                return self.finish();
            }
            let end = self.window_end(task.query.chunk_rows.max(1));
            if self.at >= self.end {
                return self.finish();
            }
            let rows = end - self.at;
            self.window.start(self.at..end);
            self.at = end;
            let survivors = if self.filters.is_empty() {
                Survivors::All
            } else {
                let (start, decoded) = (Instant::now(), self.window.decode_ns);
                let survivors = self.filters.apply(rows, &mut self.window)?;
                let decoding = self.window.decode_ns - decoded;
                let spent = (start.elapsed().as_nanos() as u64).saturating_sub(decoding);
                self.window.scan.counters.filter_ns.add(spent);
                survivors
            };
            let chunk = match survivors {
                Survivors::None => continue,
                Survivors::All => self.window.chunk()?,
                Survivors::Some(left) => self.window.selected(&left)?,
            };
            return Ok(self.emit(chunk));
        }
        Ok(Step::Yield)
    }
}

impl Window {
    fn start(&mut self, rows: Range<usize>) {
        self.columns.fill(Held::Nothing);
        self.rows = rows;
    }

    /// Opens cursors of the given columns of the table, reading their bytes together.
    fn open(&mut self, columns: &[usize]) -> Result<()> {
        let scan = self.scan.clone();
        let file = &scan.table.files()[self.file];
        let mut wanted: Vec<(usize, usize)> = Vec::with_capacity(columns.len());
        for &column in columns {
            if let ColumnOrigin::File(at) = scan.table.origin(file, column)
                && self.cursors[column].is_none()
                && !wanted.iter().any(|(known, _)| *known == column)
            {
                wanted.push((column, at));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        let places: Vec<usize> = wanted.iter().map(|(_, at)| *at).collect();
        let (cursors, bytes) = self.row_group.open_columns(&places)?;
        scan.counters.bytes_read.add(bytes);
        scan.counters.io_ns.add(start.elapsed().as_nanos() as u64);
        for ((column, _), mut cursor) in wanted.into_iter().zip(cursors) {
            if self.tested.contains(&column) {
                cursor.keep_codes(self.dictionary_max);
            }
            self.cursors[column] = Some(cursor);
        }
        Ok(())
    }

    /// All rows of the projected columns.
    fn chunk(&mut self) -> Result<Chunk> {
        let scan = self.scan.clone();
        self.open(&scan.projection)?;
        let columns = scan.projection.iter().map(|column| values(self.all(*column)?)).collect::<Result<_>>()?;
        Ok(Chunk::new(columns, self.rows.len()))
    }

    /// The rows of the projected columns that are left.
    fn selected(&mut self, left: &Arc<Left>) -> Result<Chunk> {
        let scan = self.scan.clone();
        self.open(&scan.projection)?;
        let columns = scan.projection.iter().map(|column| values(self.left(*column, left)?)).collect::<Result<_>>()?;
        Ok(Chunk::new(columns, left.count))
    }

    /// All rows of a column, whose type is the file's.
    fn decode_all(&mut self, column: usize) -> Result<Column> {
        let rows = self.rows.len();
        self.decode(column, |cursor| cursor.read(rows))
    }

    /// What `read` makes of the window's rows of a column of the file.
    fn decode(&mut self, column: usize, read: impl FnOnce(&mut ColumnCursor) -> Result<Column>) -> Result<Column> {
        let scan = self.scan.clone();
        if self.cursors[column].is_none() {
            self.open(&[column])?;
        }
        let start = Instant::now();
        let cursor = self.cursors[column].as_mut().ok_or_else(|| Error::internal("a column without a cursor"))?;
        let before = cursor.figures().decompress_ns;
        cursor.skip(self.rows.start.saturating_sub(cursor.row()));
        let mut value = read(cursor)?;
        let decompressing = cursor.figures().decompress_ns - before;
        let data_type = scan.table.schema().field(column).data_type();
        if *value.data_type() != storage_type(data_type) {
            // The file's type is narrower than the table's.
            value = Column::Flat(value.stored(data_type)?);
        }
        let spent = start.elapsed().as_nanos() as u64;
        self.decode_ns += spent;
        scan.counters.decode_ns.add(spent.saturating_sub(decompressing));
        scan.counters.decompress_ns.add(decompressing);
        scan.counters.values_decoded.add(value.len() as u64);
        if matches!(value, Column::Dict(_)) {
            scan.counters.as_codes.add(value.len() as u64);
        }
        Ok(value)
    }

    /// Lets go of the cursors and counts what they did.
    fn close(&mut self) {
        for cursor in self.cursors.drain(..).flatten() {
            let PageFigures { read, skipped, bytes, .. } = cursor.figures();
            self.scan.counters.pages_read.add(read);
            self.scan.counters.pages_skipped.add(skipped);
            self.scan.counters.bytes_decompressed.add(bytes);
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // A cursor that a LIMIT ends is dropped where it stands.
        self.close();
    }
}

impl WindowColumns for Window {
    fn all(&mut self, column: usize) -> Result<Column> {
        match &self.columns[column] {
            Held::All(known) => return Ok(known.clone()),
            Held::Some(..) => return Err(Error::internal("rows that were left out are asked for")),
            Held::Nothing => {}
        }
        let scan = self.scan.clone();
        let rows = self.rows.len();
        let data_type = scan.table.schema().field(column).data_type();
        let value = match scan.table.origin(&scan.table.files()[self.file], column) {
            ColumnOrigin::Partition(value) => Column::constant(value, rows)?,
            ColumnOrigin::Missing => Column::nulls(&storage_type(data_type), rows),
            ColumnOrigin::File(_) => self.decode_all(column)?,
        };
        self.columns[column] = Held::All(value.clone());
        Ok(value)
    }

    fn left(&mut self, column: usize, left: &Arc<Left>) -> Result<Column> {
        match &self.columns[column] {
            Held::Some(known, earlier) if Arc::ptr_eq(earlier, left) => return Ok(known.clone()),
            Held::Some(known, earlier) => {
                return known.select(&Arc::new(Selection::from_mask(compress(&left.mask, &earlier.mask))));
            }
            Held::Nothing if left.count * SPARSE_ONE_IN <= self.rows.len() => {}
            _ => return self.all(column)?.select(left.selection()),
        }
        let scan = self.scan.clone();
        let ColumnOrigin::File(_) = scan.table.origin(&scan.table.files()[self.file], column) else {
            return self.all(column)?.select(left.selection());
        };
        let rows = self.rows.len();
        let wanted = left.selection().indices();
        let value = self.decode(column, |cursor| cursor.read_some(wanted.values(), rows))?;
        self.columns[column] = Held::Some(value.clone(), left.clone());
        Ok(value)
    }
}

/// Takes those of `skips` that lie at an end of `rows` off it, so that their bytes are not read; returns
/// the others.
fn trim(rows: &mut Range<usize>, mut skips: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if let Some(last) = skips.pop_if(|last| last.end >= rows.end) {
        rows.end = last.start.max(rows.start);
    }
    if skips.first().is_some_and(|first| first.start <= rows.start) {
        rows.start = skips.remove(0).end.min(rows.end);
    }
    skips
}

/// Codes of numbers were for tests alone: operators want the numbers, and those that use a column
/// several times would look them up each time.
fn values(column: Column) -> Result<Column> {
    Ok(match &column {
        Column::Dict(dict) if dict.dictionary().values().data_type().is_primitive() => Column::Flat(dict.flat()?),
        _ => column,
    })
}

fn version(scan: &Scan) -> u64 {
    scan.conditions.iter().map(|condition| condition.predicate.version()).fold(0, u64::wrapping_add)
}
