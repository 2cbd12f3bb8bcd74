//! Reads one morsel of a scan, window by window.

use super::filter::{Filters, Survivors};
use super::prune::{Unit, by_bounds, by_content, page_skips};
use super::source::Scan;
use crate::catalog::{ColumnOrigin, Table};
use crate::column::{Chunk, Column, Order, Selection, storage_type};
use crate::error::{Error, Result};
use crate::exec::{Cursor, Step, TaskContext};
use crate::format::parquet::{ColumnCursor, PageFigures, RowGroup};
use arrow::buffer::BooleanBuffer;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Windows without a survivor before others get a turn.
const EMPTY_WINDOWS_MAX: usize = 32;

/// Windows before what is left is looked at again because a condition came to tell more. Guessed:
/// asking bounds again costs about a tenth of decoding a window.
const RECHECK_WINDOWS: u32 = 4;

/// Rows are decoded by slices only when at most one in this many is wanted. Guessed.
const SPARSE_ONE_IN: usize = 8;
/// A slice costs about what decoding this many rows does. Guessed.
const SLICE_ROWS: usize = 64;

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
    columns: Vec<Option<Column>>,
    rows: Range<usize>,
    decode_ns: u64,
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
        let row_group = RowGroup::open(&file.path, &file.footer, unit.row_group, unit.rows.clone(), use_index)?;
        if by_content(scan, &mut unit, &row_group)? {
            file.check_unchanged()?;
            return Ok(None);
        }
        let cost = |column: usize| match scan.table.origin(file, column) {
            ColumnOrigin::File(at) => file.footer.column_bytes(unit.row_group, at).1,
            _ => 0,
        };
        let skips = page_skips(scan, &unit, true)?;
        let conditions = scan.conditions.iter().zip(&unit.always).filter(|(_, always)| !**always);
        let filters = Filters::new(conditions.map(|(condition, _)| condition.clone()), cost);
        let columns = scan.table.schema().fields().len();
        let mut window = Window {
            scan: scan.clone(),
            file: unit.file,
            row_group,
            cursors: (0..columns).map(|_| None).collect(),
            columns: vec![None; columns],
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
                let survivors = self.filters.apply(rows, &mut |column| self.window.column(column))?;
                let decoding = self.window.decode_ns - decoded;
                let spent = (start.elapsed().as_nanos() as u64).saturating_sub(decoding);
                self.window.scan.counters.filter_ns.add(spent);
                survivors
            };
            let chunk = match survivors {
                Survivors::None => continue,
                Survivors::All => self.window.chunk()?,
                Survivors::Some(mask, count) => self.window.selected(mask, count)?,
            };
            return Ok(self.emit(chunk));
        }
        Ok(Step::Yield)
    }
}

impl Window {
    fn start(&mut self, rows: Range<usize>) {
        self.columns.fill(None);
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
        for ((column, _), cursor) in wanted.into_iter().zip(cursors) {
            self.cursors[column] = Some(cursor);
        }
        Ok(())
    }

    /// All rows of the projected columns.
    fn chunk(&mut self) -> Result<Chunk> {
        let scan = self.scan.clone();
        self.open(&scan.projection)?;
        let columns = scan.projection.iter().map(|column| self.column(*column)).collect::<Result<_>>()?;
        Ok(Chunk::new(columns, self.rows.len()))
    }

    /// The `count` rows of the projected columns whose bit is set.
    fn selected(&mut self, mask: BooleanBuffer, count: usize) -> Result<Chunk> {
        let scan = self.scan.clone();
        if scan.projection.is_empty() {
            return Ok(Chunk::new(Vec::new(), count));
        }
        self.open(&scan.projection)?;
        if let Some(chunk) = self.picked(&mask, count)? {
            return Ok(chunk);
        }
        let mask = self.narrow(mask)?;
        let columns = scan.projection.iter().map(|column| self.column(*column)).collect::<Result<_>>()?;
        Chunk::new(columns, self.rows.len()).select(&Arc::new(Selection::from_mask(mask)))
    }

    /// The same where the rows lie in so few slices that columns not decoded yet are decoded for them
    /// alone. None: they do not.
    fn picked(&mut self, mask: &BooleanBuffer, count: usize) -> Result<Option<Chunk>> {
        let scan = self.scan.clone();
        let pending = scan.projection.iter().any(|column| self.columns[*column].is_none());
        if !pending || count * SPARSE_ONE_IN > mask.len() {
            return Ok(None);
        }
        let slices: Vec<(usize, usize)> = mask.set_slices().take(mask.len() / SLICE_ROWS + 1).collect();
        if slices.len() * SLICE_ROWS > mask.len() {
            return Ok(None);
        }
        let selection = Arc::new(Selection::from_mask(mask.clone()));
        let rows = mask.len();
        let mut columns: Vec<Column> = Vec::with_capacity(scan.projection.len());
        for (position, &column) in scan.projection.iter().enumerate() {
            // The same column twice is decoded once.
            if let Some(known) = scan.projection[..position].iter().position(|other| *other == column) {
                columns.push(columns[known].clone());
                continue;
            }
            let some = match &self.columns[column] {
                Some(_) => None,
                None => self.decode(column, |cursor| cursor.read_slices(&slices, rows))?,
            };
            columns.push(match some {
                Some(column) => column,
                None => self.column(column)?.select(&selection)?,
            });
        }
        Ok(Some(Chunk::new(columns, count)))
    }

    /// Shrinks the window to the first and last row wanted when that leaves out half of it and
    /// columns are still to be decoded.
    fn narrow(&mut self, mask: BooleanBuffer) -> Result<BooleanBuffer> {
        let pending = self.scan.projection.iter().any(|column| self.columns[*column].is_none());
        let (Some(first), Some(last)) = (mask.set_indices().next(), last_set(&mask)) else { return Ok(mask) };
        let rows = last + 1 - first;
        if !pending || rows * 2 > mask.len() {
            return Ok(mask);
        }
        for column in self.columns.iter_mut().flatten() {
            *column = column.slice(first, rows)?;
        }
        self.rows = self.rows.start + first..self.rows.start + last + 1;
        Ok(mask.slice(first, rows))
    }

    /// One column of the window, decoded when first asked for.
    fn column(&mut self, column: usize) -> Result<Column> {
        if let Some(known) = &self.columns[column] {
            return Ok(known.clone());
        }
        let scan = self.scan.clone();
        let rows = self.rows.len();
        let data_type = scan.table.schema().field(column).data_type();
        let value = match scan.table.origin(&scan.table.files()[self.file], column) {
            ColumnOrigin::Partition(value) => Column::constant(value, rows)?,
            ColumnOrigin::Missing => Column::nulls(&storage_type(data_type), rows),
            ColumnOrigin::File(_) => {
                let value = self.decode(column, |cursor| cursor.read(rows).map(Some))?;
                value.ok_or_else(|| Error::internal("a column that was not read"))?
            }
        };
        self.columns[column] = Some(value.clone());
        Ok(value)
    }

    /// What `read` makes of the window's rows of a column that files may have; none where it is not
    /// in this file, or `read` gives none.
    fn decode(
        &mut self,
        column: usize,
        read: impl FnOnce(&mut ColumnCursor) -> Result<Option<Column>>,
    ) -> Result<Option<Column>> {
        let scan = self.scan.clone();
        let ColumnOrigin::File(_) = scan.table.origin(&scan.table.files()[self.file], column) else { return Ok(None) };
        if self.cursors[column].is_none() {
            self.open(&[column])?;
        }
        let start = Instant::now();
        let cursor = self.cursors[column].as_mut().ok_or_else(|| Error::internal("a column without a cursor"))?;
        let before = cursor.figures().decompress_ns;
        cursor.skip(self.rows.start.saturating_sub(cursor.row()));
        let Some(mut value) = read(cursor)? else { return Ok(None) };
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
        Ok(Some(value))
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

fn last_set(mask: &BooleanBuffer) -> Option<usize> {
    mask.set_slices().last().map(|(_, end)| end - 1)
}

fn version(scan: &Scan) -> u64 {
    scan.conditions.iter().map(|condition| condition.predicate.version()).fold(0, u64::wrapping_add)
}
