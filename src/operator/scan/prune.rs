//! What is ruled out before it is decoded.
//!
//! Problem: leave out row groups and pages in which no row can pass, with the least looked at. The
//! cheapest witness is asked first: bounds in footers cost nothing, a Bloom filter 32 bytes a value,
//! bounds of pages a page index that is read once a row group, a dictionary one page.
//!
//! ```text
//!   row groups ──bounds──> ──Bloom filters──> pages ──bounds──> rows ──dictionaries──> rows
//!      (planning, and again when runtime filters are there)
//! ```
//!
//! Bounds and dictionaries may also prove that all rows pass: the row group is then not filtered by
//! that condition again. NULL: passes only conditions that accept NULL, which dictionaries do not
//! hold; they are asked about it apart. A fallible condition is asked about bounds only.

use super::condition::Condition;
use super::source::Scan;
use crate::catalog::{ColumnOrigin, FileTable, PageBounds, RowGroupBounds, Table};
use crate::column::{Column, storage_type};
use crate::error::Result;
use crate::format::parquet::RowGroup;
use crate::layout::{Bounds, ScanPredicate, Truth};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A dictionary is looked at when all columns to be read of the row group take at least this many
/// times its bytes. Guessed.
const DICTIONARY_WORTH: u64 = 8;

/// A row group to be read, or a range of its rows.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) file: usize,
    pub(super) row_group: usize,
    pub(super) rows: Range<usize>,
    /// Per condition: every row passes, as was proved.
    pub(super) always: Vec<bool>,
}

impl Unit {
    /// Whether it holds the first row of its row group: row groups count once.
    pub(super) fn is_first(&self) -> bool {
        self.rows.start == 0
    }
}

/// The row groups that may have rows for which all conditions are true, and the number of others.
pub(super) fn units(table: &FileTable, conditions: &[Arc<Condition>]) -> (Vec<Unit>, usize) {
    let (mut units, mut skipped) = (Vec::new(), 0);
    for (number, file) in table.files().iter().enumerate() {
        for row_group in 0..file.footer.row_groups() {
            let rows = file.footer.rows(row_group);
            let mut unit = Unit { file: number, row_group, rows: 0..rows, always: vec![false; conditions.len()] };
            if rows == 0 || by_bounds(table, conditions, &mut unit) {
                skipped += 1;
            } else {
                units.push(unit);
            }
        }
    }
    (units, skipped)
}

/// Asks the conditions that can be asked about the bounds of the row group. True: no row passes.
pub(super) fn by_bounds(table: &FileTable, conditions: &[Arc<Condition>], unit: &mut Unit) -> bool {
    let bounds = RowGroupBounds { table, file: &table.files()[unit.file], row_group: unit.row_group };
    for (condition, always) in conditions.iter().zip(&mut unit.always) {
        if *always || !condition.predicate.is_ready() {
            continue;
        }
        match condition.predicate.check_bounds(&bounds) {
            Truth::Never => {
                condition.by_bounds.fetch_add(u64::from(unit.rows.start == 0), Ordering::Relaxed);
                return true;
            }
            truth => *always = truth == Truth::Always,
        }
    }
    false
}

/// Conditions that may be asked about the values of one column of the file: their numbers, columns of
/// the table and of the file.
fn asked(scan: &Scan, unit: &Unit) -> Vec<(usize, Arc<Condition>, usize, usize)> {
    let table = &scan.table;
    let file = &table.files()[unit.file];
    let asked = |(number, condition): (usize, &Arc<Condition>)| {
        let &[column] = condition.predicate.columns() else { return None };
        let ColumnOrigin::File(at) = table.origin(file, column) else { return None };
        let ready = condition.predicate.is_ready() && !condition.predicate.is_fallible();
        ready.then(|| (number, condition.clone(), column, at))
    };
    scan.conditions.iter().enumerate().filter_map(asked).filter(|(number, ..)| !unit.always[*number]).collect()
}

/// Asks Bloom filters. True: no row passes.
pub(super) fn by_bloom_filters(scan: &Scan, unit: &Unit, row_group: &RowGroup) -> Result<bool> {
    for (_, condition, _, at) in asked(scan, unit) {
        let Some(values) = condition.predicate.equal_to_any() else { continue };
        if !row_group.may_hold(at, &values)? {
            condition.by_bloom.fetch_add(u64::from(unit.is_first()), Ordering::Relaxed);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks dictionaries about the row group of which `rows` are left. True: no row passes.
pub(super) fn by_dictionaries(scan: &Scan, unit: &mut Unit, rows: &Range<usize>, row_group: &RowGroup) -> Result<bool> {
    let table = &scan.table;
    let file = &table.files()[unit.file];
    let first = u64::from(unit.is_first());
    let mut whole = None;
    for (number, condition, column, at) in asked(scan, unit) {
        if condition.predicate.best_first().is_some() {
            // It comes to reject more: what a dictionary tells of it now is soon old, and bounds tell
            // the same.
            continue;
        }
        let Some((dictionary, _)) = row_group.dictionary_bytes(at) else { continue };
        let whole = *whole.get_or_insert_with(|| bytes_to_read(scan, unit, rows.len()));
        if dictionary.saturating_mul(DICTIONARY_WORTH) > whole || !condition.tries_dictionary() {
            continue;
        }
        let Some((values, bytes)) = row_group.dictionary(at) else { continue };
        scan.counters.bytes_read.add(bytes);
        let bounds = RowGroupBounds { table, file, row_group: unit.row_group };
        match of_values(scan, &*condition.predicate, column, values, &bounds)? {
            Truth::Never => {
                condition.dictionary_decided();
                condition.by_dictionary.fetch_add(first, Ordering::Relaxed);
                return Ok(true);
            }
            Truth::Always => {
                condition.dictionary_decided();
                unit.always[number] = true;
            }
            Truth::Unknown => {}
        }
    }
    Ok(false)
}

/// What a predicate of one column is over a row group that has just these values, and NULLs.
fn of_values(scan: &Scan, predicate: &dyn ScanPredicate, column: usize, values: Column, bounds: &dyn Bounds) -> Result<Truth> {
    let data_type = scan.table.schema().field(column).data_type();
    let stored = storage_type(data_type);
    let values = if *values.data_type() == stored { values } else { Column::Flat(values.stored(data_type)?) };
    let count = values.len();
    let passed = if count == 0 { 0 } else { predicate.evaluate(&[values], count)?.count_set_bits() };
    let nulls = bounds.column(column).null_count;
    let null_passes = nulls != Some(0) && predicate.evaluate(&[Column::nulls(&stored, 1)], 1)?.value(0);
    Ok(match passed {
        0 if !null_passes => Truth::Never,
        // Dictionaries may hold values that no row has, so only "all" is proved, never "some".
        _ if passed == count && (nulls == Some(0) || null_passes) => Truth::Always,
        _ => Truth::Unknown,
    })
}

/// Bytes of `rows` rows of all columns of the row group that the scan is going to read, at the average
/// of its rows.
fn bytes_to_read(scan: &Scan, unit: &Unit, rows: usize) -> u64 {
    let file = &scan.table.files()[unit.file];
    let of = |column: usize| match scan.table.origin(file, column) {
        ColumnOrigin::File(at) => file.footer.column_bytes(unit.row_group, at).0,
        _ => 0,
    };
    let open = scan.conditions.iter().zip(&unit.always).filter(|(_, always)| !**always);
    let filtered = open.flat_map(|(condition, _)| condition.predicate.columns());
    let mut columns: Vec<usize> = scan.projection.iter().chain(filtered).copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let whole: u64 = columns.into_iter().map(of).sum();
    (whole as f64 * rows as f64 / file.footer.rows(unit.row_group).max(1) as f64) as u64
}

/// Ranges of the unit's rows that lie in pages which a condition rules out, in order, without
/// overlaps. `count`: pages are to be counted as skipped by their condition.
pub(super) fn page_skips(scan: &Scan, unit: &Unit, count: bool) -> Result<Vec<Range<usize>>> {
    let table = &scan.table;
    let file = &table.files()[unit.file];
    let mut skips: Vec<Range<usize>> = Vec::new();
    for (condition, always) in scan.conditions.iter().zip(&unit.always) {
        if *always || !condition.predicate.is_ready() {
            continue;
        }
        let &[column] = condition.predicate.columns() else { continue };
        let ColumnOrigin::File(at) = table.origin(file, column) else { continue };
        let Some(pages) = file.footer.page_zones(&file.path, unit.row_group, at)? else { continue };
        for (page, ends) in pages.starts.windows(2).enumerate() {
            let rows = ends[0].max(unit.rows.start)..ends[1].min(unit.rows.end);
            if rows.is_empty() {
                continue;
            }
            let row_group = RowGroupBounds { table, file, row_group: unit.row_group };
            let bounds = PageBounds { row_group, column, pages: &pages, page };
            if condition.predicate.check_bounds(&bounds) == Truth::Never {
                // A page that lies in two parts counts with the one it starts in.
                condition.pages.fetch_add(u64::from(count && rows.start == ends[0]), Ordering::Relaxed);
                skips.push(rows);
            }
        }
    }
    skips.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(skips.len());
    for range in skips {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    Ok(merged)
}
