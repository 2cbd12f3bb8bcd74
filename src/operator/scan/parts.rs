//! A scan's rows by parts: ranges of a key, buckets, Hive partitions.
//!
//! ```text
//!   cuts                 20            40
//!   row groups   [0..19][20..29][30.......45][50..60]
//!   part 0        ^      |               |             the third row group straddles a cut: it is
//!   part 1               ^       ^       |             read for both parts, each keeping its rows
//!   part 2                       ^            ^
//! ```
//!
//! Bounds are relied on: a decoded value outside of its row group's bounds is an error that names the
//! place. Of a row group that straddles a cut only the rows from its first to its last page that may hold
//! keys of the part are read. Buckets are a claim: before the first part is opened, the bucket columns of every file that
//! was not checked before are read and hashed ([`super::check`]). Rows whose key is NULL are given to
//! one part each. Within a part, row groups come in the order of their least keys.

use super::check::BucketCheck;
use super::condition::Condition;
use super::cursor::ScanCursor;
use super::inline::{Inline, Sorting};
use super::prune::{Unit, by_bounds};
use super::source::{Counters, Scan};
use crate::catalog::{ColumnOrigin, PageBounds, RowGroupBounds, Table, TableZones};
use crate::column::{Chunk, Selection};
use crate::error::{Error, Result};
use crate::exec::{Cursor, PartSource, Share, Step, TaskContext};
use crate::layout::points::{ends, within};
use crate::layout::{Bounds, ColumnZones, KeyPoint, NullRows, Parting, ScanPredicate, Zone, ZoneSource};
use datafusion_common::ScalarValue;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A part's reading is shared while this many row groups of it were not begun. Guessed: the fewest that
/// leave one for each.
const SPLIT_PIECES_MIN: usize = 2;

/// The rows of a scan by parts.
pub(super) struct ScanParts {
    scan: Arc<Scan>,
    metrics: Arc<crate::exec::OperatorMetrics>,
    units: Arc<Vec<Unit>>,
    parts: Vec<Vec<Piece>>,
    ranges: Option<Ranges>,
    check: Option<Arc<BucketCheck>>,
    inline: Option<Arc<Inline>>,
    /// Files of which something was read: each counts once.
    opened: Arc<[AtomicBool]>,
}

/// What a part has of a row group.
#[derive(Debug, Clone, Copy)]
struct Piece {
    unit: usize,
    /// Only some of its rows are the part's.
    some: bool,
    /// Rows whose key is NULL are the part's.
    nulls: bool,
}

/// For parts that are ranges.
struct Ranges {
    /// The key, among the projected columns.
    column: usize,
    cuts: Arc<[KeyPoint]>,
    zones: Arc<ColumnZones>,
}

impl ScanParts {
    /// The parts of `parting`, whose columns are positions in the scan's projection; none where the
    /// table cannot be taken apart so.
    pub(super) fn new(
        scan: Arc<Scan>,
        metrics: &Arc<crate::exec::OperatorMetrics>,
        units: &Arc<Vec<Unit>>,
        parting: &Parting,
        check: Option<Arc<BucketCheck>>,
        inline: Option<Arc<Inline>>,
    ) -> Option<Self> {
        let mut ranges = None;
        let parts = match parting {
            Parting::Ranges { column, cuts, nulls } => {
                let places = units.iter().map(|unit| (unit.file, unit.row_group)).collect();
                let zones = TableZones::new(scan.table.clone(), places).zones(*scan.projection.get(*column)?)?;
                let parts = by_range(&zones, cuts, *nulls);
                ranges = Some(Ranges { column: *column, cuts: cuts.clone(), zones });
                parts
            }
            Parting::Buckets { columns, count, hash, .. } => {
                let buckets = scan.table.buckets()?;
                let same = buckets.columns.iter().copied().eq(columns.iter().filter_map(|at| scan.projection.get(*at).copied()));
                if !same || buckets.hash != *hash || buckets.count % count != 0 {
                    return None;
                }
                let mut parts = vec![Vec::new(); *count as usize];
                for (number, unit) in units.iter().enumerate() {
                    parts[(buckets.files[unit.file] % count) as usize].push(Piece { unit: number, some: false, nulls: true });
                }
                parts
            }
            Parting::Values { columns, tuples } => {
                let first = scan.table.file_columns();
                let at = columns.iter().map(|at| scan.projection.get(*at)?.checked_sub(first)).collect::<Option<Vec<_>>>()?;
                let known: HashMap<&[ScalarValue], usize> =
                    tuples.iter().enumerate().map(|(part, tuple)| (tuple.as_slice(), part)).collect();
                let mut parts = vec![Vec::new(); tuples.len()];
                for (number, unit) in units.iter().enumerate() {
                    let values = &scan.table.files()[unit.file].partition;
                    let tuple = at.iter().map(|at| values.get(*at).cloned()).collect::<Option<Vec<_>>>()?;
                    parts[*known.get(tuple.as_slice())?].push(Piece { unit: number, some: false, nulls: true });
                }
                parts
            }
        };
        let opened = scan.table.files().iter().map(|_| AtomicBool::new(false)).collect();
        Some(Self { scan, metrics: metrics.clone(), units: units.clone(), parts, ranges, check, inline, opened })
    }
}

/// The pieces of every part when the domain is cut.
fn by_range(zones: &ColumnZones, cuts: &[KeyPoint], nulls: NullRows) -> Vec<Vec<Piece>> {
    let mut parts: Vec<Vec<Piece>> = vec![Vec::new(); cuts.len() + 1];
    let mut order: Vec<usize> = (0..zones.zones.len()).collect();
    order.sort_by(|a, b| zones.zones[*a].min.cmp(&zones.zones[*b].min));
    for unit in order {
        let zone = &zones.zones[unit];
        let part_of = |point: &KeyPoint| cuts.partition_point(|cut| cut <= point);
        let (low, high) = match zone.ends() {
            Some((min, max)) => (part_of(min), part_of(max)),
            None if zone.is_null() => (0, 0),
            // Not bounded: it may have rows of any part.
            None => (0, cuts.len()),
        };
        let owner = match nulls {
            NullRows::First => 0,
            NullRows::Anywhere => low,
        };
        let has_nulls = zone.nulls != Some(0);
        for (part, pieces) in parts.iter_mut().enumerate().take(high + 1).skip(low) {
            let here = part == owner;
            let some = low != high || (has_nulls && !here);
            pieces.push(Piece { unit, some, nulls: here });
        }
        if has_nulls && owner < low {
            parts[owner].push(Piece { unit, some: true, nulls: true });
        }
    }
    parts
}

impl PartSource for ScanParts {
    fn open(&self, share: Share, wanted: &[Arc<dyn ScanPredicate>], _task: &TaskContext) -> Result<Box<dyn Cursor>> {
        let pieces = match share {
            Share::Part(part) => self.parts.get(part).cloned().unwrap_or_default(),
            Share::Strays => {
                return match &self.inline {
                    Some(inline) => Ok(Box::new(inline.strays()?)),
                    None => Err(Error::internal("rows of a scan that were not put aside")),
                };
            }
            Share::Whole | Share::Straight => {
                (0..self.units.len()).map(|unit| Piece { unit, some: false, nulls: true }).collect()
            }
        };
        let sorting = self.inline.clone().zip(match share {
            Share::Part(_) => Some(Sorting::Aside),
            Share::Straight => Some(Sorting::Out),
            Share::Whole | Share::Strays => None,
        });
        let mut scan = self.scan.clone();
        // The part's own filters know nothing of the keys of stray rows.
        let aside = sorting.as_ref().is_some_and(|(_, sorting)| *sorting == Sorting::Aside);
        if !wanted.is_empty() && !aside {
            let ready = wanted.iter().filter(|predicate| predicate.is_ready());
            let ready = ready.map(|predicate| Condition::new(predicate.clone(), true));
            scan = Arc::new(Scan {
                table: scan.table.clone(),
                projection: scan.projection.clone(),
                conditions: scan.conditions.iter().cloned().chain(ready).collect(),
                counters: Counters::new(&self.metrics),
            });
        }
        let (low, high) = match (&self.ranges, share) {
            (Some(ranges), Share::Part(part)) => {
                (part.checked_sub(1).and_then(|before| ranges.cuts.get(before)).cloned(), ranges.cuts.get(part).cloned())
            }
            _ => (None, None),
        };
        let mut kept = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let mut unit = self.units[piece.unit].clone();
            // Conditions of this share alone come last.
            unit.always.resize(scan.conditions.len(), false);
            if !by_bounds(&scan.table, &scan.conditions, &mut unit) {
                kept.push((unit, piece, self.ranges.as_ref().map(|ranges| ranges.zones.zones[piece.unit].clone())));
            } else {
                scan.counters.row_groups_skipped.add(1);
            }
        }
        kept.reverse();
        let column = self.ranges.as_ref().map(|ranges| ranges.column);
        let opened = self.opened.clone();
        Ok(Box::new(PartCursor { scan, opened, pieces: kept, now: None, column, low, high, sorting }))
    }

    fn refuted(&self) -> Option<String> {
        self.check.as_ref().and_then(|check| check.refuted())
    }

    fn has_strays(&self) -> bool {
        self.inline.as_ref().is_some_and(|inline| inline.has_strays())
    }

    fn place(&self, morsel: u64) -> Option<String> {
        let unit = self.units.get(usize::try_from(morsel).ok()?)?;
        let file = self.scan.table.files().get(unit.file)?;
        Some(format!("{} row group {}", file.path.display(), unit.row_group))
    }
}

/// Reads the row groups of one part, one after another.
struct PartCursor {
    scan: Arc<Scan>,
    opened: Arc<[AtomicBool]>,
    /// Last first.
    pieces: Vec<(Unit, Piece, Option<Zone>)>,
    now: Option<(ScanCursor, Unit, Piece, Option<Zone>)>,
    column: Option<usize>,
    low: Option<KeyPoint>,
    high: Option<KeyPoint>,
    sorting: Option<(Arc<Inline>, Sorting)>,
}

impl Cursor for PartCursor {
    /// Gives every other one of the row groups that were not begun to another task: both then have some of
    /// those that straddle cuts.
    fn split(&mut self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        if self.pieces.len() < SPLIT_PIECES_MIN {
            return Ok(None);
        }
        let (mut kept, mut given) = (Vec::new(), Vec::new());
        for (at, piece) in std::mem::take(&mut self.pieces).into_iter().enumerate() {
            if at % 2 == 0 { given.push(piece) } else { kept.push(piece) }
        }
        self.pieces = kept;
        self.scan.counters.row_groups_handed_over.add(given.len() as u64);
        let Self { scan, opened, column, low, high, sorting, .. } = self;
        let (scan, opened, low, high) = (scan.clone(), opened.clone(), low.clone(), high.clone());
        let sorting = sorting.clone();
        Ok(Some(Box::new(PartCursor { scan, opened, pieces: given, now: None, column: *column, low, high, sorting })))
    }

    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let Some((cursor, unit, piece, zone)) = &mut self.now else {
            let Some((mut unit, piece, zone)) = self.pieces.pop() else { return Ok(Step::Done) };
            if piece.some {
                unit.rows = self.pages(&unit, piece)?;
                if unit.rows.is_empty() {
                    return Ok(Step::Yield);
                }
            }
            match ScanCursor::open(&self.scan, unit.clone(), piece.unit as u64)? {
                Some(cursor) => {
                    self.scan.counters.row_groups.add(1);
                    if !self.opened[unit.file].swap(true, Ordering::Relaxed) {
                        self.scan.counters.files.add(1);
                    }
                    self.now = Some((cursor, unit, piece, zone));
                }
                None => self.scan.counters.row_groups_skipped.add(1),
            }
            return Ok(Step::Yield);
        };
        let step = cursor.next(task)?;
        let chunk = match step {
            Step::Chunk(chunk) => chunk,
            Step::Done => {
                self.now = None;
                return Ok(Step::Yield);
            }
            other => return Ok(other),
        };
        let chunk = match &self.sorting {
            Some((inline, sorting)) => match inline.sort(chunk, unit, *sorting, task)? {
                Some(chunk) => chunk,
                None => return Ok(Step::Yield),
            },
            None => chunk,
        };
        let (Some(column), Some(zone)) = (self.column, zone) else { return Ok(Step::Chunk(chunk)) };
        let piece = *piece;
        let file = unit.file;
        let row_group = unit.row_group;
        let zone = zone.clone();
        self.restrict(chunk, column, &zone, piece).map_err(|error| {
            let name = self.scan.table.schema().field(self.scan.projection[column]).name().clone();
            error.in_file(&*self.scan.table.files()[file].path).in_row_group(row_group).in_column(&name)
        })
    }
}

impl PartCursor {
    /// The rows of a row group among which the part's are: from the first to the last page that bounds
    /// do not rule out.
    fn pages(&self, unit: &Unit, piece: Piece) -> Result<Range<usize>> {
        let table = &self.scan.table;
        let file = &table.files()[unit.file];
        let Some(column) = self.column.and_then(|column| self.scan.projection.get(column).copied()) else {
            return Ok(unit.rows.clone());
        };
        let ColumnOrigin::File(at) = table.origin(file, column) else { return Ok(unit.rows.clone()) };
        let Some(pages) = file.footer.page_zones(&file.path, unit.row_group, at)? else { return Ok(unit.rows.clone()) };
        let mut wanted: Option<Range<usize>> = None;
        for (page, ends) in pages.starts.windows(2).enumerate() {
            let row_group = RowGroupBounds { table, file, row_group: unit.row_group };
            let bounds = PageBounds { row_group, column, pages: &pages, page }.column(column);
            let point = |value: &Option<ScalarValue>| value.as_ref().and_then(KeyPoint::of);
            let below = self.low.as_ref().zip(point(&bounds.max)).is_some_and(|(low, max)| max < *low);
            let above = self.high.as_ref().zip(point(&bounds.min)).is_some_and(|(high, min)| min >= *high);
            let nulls = piece.nulls && bounds.null_count != Some(0);
            if !below && !above || nulls {
                wanted = Some(wanted.map_or(ends[0], |range| range.start)..ends[1]);
            }
        }
        let wanted = wanted.unwrap_or(unit.rows.start..unit.rows.start);
        Ok(wanted.start.max(unit.rows.start)..wanted.end.min(unit.rows.end))
    }

    /// Checks the keys against their bounds and leaves the part's rows.
    fn restrict(&self, chunk: Chunk, column: usize, zone: &Zone, piece: Piece) -> Result<Step> {
        let keys = chunk.column(column).flat()?;
        if let (Some((min, max)), Some((low, high))) = (ends(&keys), zone.ends())
            && (min < *low || max > *high)
        {
            return Err(Error::data(format!(
                "the bounds in its footer are wrong: keys from {min} to {max}, not {low} to {high}"
            ))
            .with_hint("the file must be written again: reading would skip rows that its bounds rule out"));
        }
        if !piece.some {
            return Ok(Step::Chunk(chunk));
        }
        let mask = within(&keys, self.low.as_ref(), self.high.as_ref(), piece.nulls);
        let mask = mask.ok_or_else(|| Error::internal("a key whose ranges cannot be told"))?;
        match mask.count_set_bits() {
            0 => Ok(Step::Yield),
            all if all == chunk.rows() => Ok(Step::Chunk(chunk)),
            _ => chunk.select(&Arc::new(Selection::from_mask(mask))).map(Step::Chunk),
        }
    }
}
