//! Functions that take the value of another row: `lag`, `lead`, `first_value`, `last_value`,
//! `nth_value`.
//!
//! Each row's source is a row number, or none; the values are taken once for all. With IGNORE NULLS
//! places are counted among the rows that have a value: `before[row]` of them stand before a row,
//! and the list of them leads back to rows.

use super::Place;
use super::batch::View;
use super::frame::Frames;
use crate::error::Result;
use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute;

/// The values `by` rows further on; `default` where the partition has no such row.
pub(super) fn shift(value: &ArrayRef, default: Option<&ArrayRef>, by: i64, ignore_nulls: bool, view: &View) -> Result<ArrayRef> {
    let dense = (ignore_nulls && by != 0).then(|| Dense::of(value, view.rows));
    let mut sources: Vec<Option<u32>> = Vec::with_capacity(view.rows - view.first);
    for partition in view.partitions() {
        let rows = partition.start.max(view.first)..partition.end;
        match &dense {
            None => sources.extend(rows.map(|row| {
                let source = (row as i64).saturating_add(by);
                (source >= partition.start as i64 && source < partition.end as i64).then_some(source as u32)
            })),
            Some(dense) => {
                let (low, high) = (dense.before[partition.start] as i64, dense.before[partition.end] as i64);
                sources.extend(rows.map(|row| {
                    // Going on from a row with a value, that row is number 0; from one without, the
                    // next one with a value is number 1.
                    let own = i64::from(dense.before[row + 1] > dense.before[row]);
                    let at = dense.before[row] as i64;
                    let place = if by < 0 { at.saturating_add(by) } else { (at + own - 1).saturating_add(by) };
                    (place >= low && place < high).then(|| dense.rows[place as usize])
                }));
            }
        }
    }
    let taken = take(value, &sources)?;
    let Some(default) = default else { return Ok(taken) };
    let missing: BooleanArray = sources.iter().map(|source| Some(source.is_none())).collect();
    let default = default.slice(view.first, view.rows - view.first);
    Ok(compute::kernels::zip::zip(&missing, &default, &taken)?)
}

/// The value of one row of each frame.
pub(super) fn pick(value: &ArrayRef, place: Place, ignore_nulls: bool, frames: &Frames, view: &View) -> Result<ArrayRef> {
    let dense = (ignore_nulls && value.logical_null_count() > 0).then(|| Dense::of(value, view.rows));
    let sources: Vec<Option<u32>> = frames
        .from
        .iter()
        .zip(&frames.to)
        .map(|(&from, &to)| {
            let (from, to) = match &dense {
                Some(dense) => (dense.before[from as usize], dense.before[to as usize]),
                None => (from, to),
            };
            let at = match place {
                Place::First => Some(from),
                Place::Last => to.checked_sub(1),
                Place::Nth(nth) => u32::try_from(nth).ok().and_then(|nth| from.checked_add(nth.checked_sub(1)?)),
            };
            let at = at.filter(|&at| at >= from && at < to)?;
            Some(dense.as_ref().map_or(at, |dense| dense.rows[at as usize]))
        })
        .collect();
    take(value, &sources)
}

/// Rows that have a value.
struct Dense {
    rows: Vec<u32>,
    /// How many of them stand before each row, and in all.
    before: Vec<u32>,
}

impl Dense {
    fn of(value: &ArrayRef, rows: usize) -> Self {
        let nulls = value.logical_nulls();
        let mut dense = Self { rows: Vec::new(), before: Vec::with_capacity(rows + 1) };
        for row in 0..rows {
            dense.before.push(dense.rows.len() as u32);
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                dense.rows.push(row as u32);
            }
        }
        dense.before.push(dense.rows.len() as u32);
        dense
    }
}

fn take(value: &ArrayRef, sources: &[Option<u32>]) -> Result<ArrayRef> {
    let sources: UInt32Array = sources.iter().copied().collect();
    Ok(compute::take(value, &sources, None)?)
}
