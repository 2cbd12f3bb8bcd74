//! What bounds rule out before anything is read.

use crate::catalog::{ColumnOrigin, FileTable, PageBounds, RowGroupBounds};
use crate::error::Result;
use crate::layout::{ScanPredicate, Truth};
use std::ops::Range;
use std::sync::Arc;

/// A row group to be read, or a range of its rows.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) file: usize,
    pub(super) row_group: usize,
    pub(super) rows: Range<usize>,
    /// Per predicate: every row passes, as bounds prove.
    pub(super) always: Vec<bool>,
}

/// The row groups that may have rows for which all predicates are true, and the number of others.
pub(super) fn units(table: &FileTable, predicates: &[Arc<dyn ScanPredicate>]) -> (Vec<Unit>, usize) {
    let (mut units, mut skipped) = (Vec::new(), 0);
    for (number, file) in table.files().iter().enumerate() {
        for row_group in 0..file.footer.row_groups() {
            let rows = file.footer.rows(row_group);
            let bounds = RowGroupBounds { table, file, row_group };
            let truths: Vec<Truth> = predicates.iter().map(|predicate| check(&**predicate, &bounds)).collect();
            if rows == 0 || truths.contains(&Truth::Never) {
                skipped += 1;
                continue;
            }
            let always = truths.iter().map(|truth| *truth == Truth::Always).collect();
            units.push(Unit { file: number, row_group, rows: 0..rows, always });
        }
    }
    (units, skipped)
}

/// What bounds tell of a predicate, if it can be asked yet.
pub(super) fn check(predicate: &dyn ScanPredicate, bounds: &dyn crate::layout::Bounds) -> Truth {
    if predicate.is_ready() { predicate.check_bounds(bounds) } else { Truth::Unknown }
}

/// Ranges of the unit's rows that lie in pages which a predicate rules out, in order, without
/// overlaps.
pub(super) fn page_skips<'a>(
    table: &FileTable,
    unit: &Unit,
    predicates: impl Iterator<Item = &'a Arc<dyn ScanPredicate>>,
) -> Result<Vec<Range<usize>>> {
    let file = &table.files()[unit.file];
    let mut skips: Vec<Range<usize>> = Vec::new();
    for predicate in predicates.filter(|predicate| predicate.is_ready()) {
        let &[column] = predicate.columns() else { continue };
        let ColumnOrigin::File(at) = table.origin(file, column) else { continue };
        let Some(pages) = file.footer.page_zones(&file.path, unit.row_group, at)? else { continue };
        for (page, ends) in pages.starts.windows(2).enumerate() {
            let rows = ends[0].max(unit.rows.start)..ends[1].min(unit.rows.end);
            if rows.is_empty() {
                continue;
            }
            let row_group = RowGroupBounds { table, file, row_group: unit.row_group };
            let bounds = PageBounds { row_group, column, pages: &pages, page };
            if predicate.check_bounds(&bounds) == Truth::Never {
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
