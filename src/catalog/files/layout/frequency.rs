//! Which values of a column have far more rows than their share, and how many rows a value has.
//!
//! Problem: one key with many rows on both sides of a join has as many pairs as the product of the
//! two, and averages show nothing of it. The idea: look at a sample of row groups, evenly spaced; a value that
//! has many rows in several of them is frequent. Where bounds leave few row groups for a value, those
//! are looked at instead of the sample.
//!
//! ```text
//!   row groups   [ ][x][ ][ ][ ][x][ ][ ][ ][x] ..      x: its first rows are looked at
//!   value 7       0  9            8           7         frequent: 24 of 3 x 100 rows
//! ```
//!
//! Cost: [`GROUPS_SAMPLED`] times the decoding of [`ROWS_SAMPLED`] values, once a column. NULL is no
//! value. The answers are estimates.

use crate::catalog::FileTable;
use crate::layout::{KeyPoint, points};
use arrow::array::{Array, ArrayRef};
use std::collections::HashMap;
use std::sync::Arc;

/// Row groups that are looked at. Guessed: what is frequent in the whole is so in some of them.
const GROUPS_SAMPLED: usize = 8;
/// First rows of each that are. From the usual size of pages: two or three of them.
const ROWS_SAMPLED: usize = 8 << 10;
/// A value is frequent with this share of the sample. Guessed: below it, a value of a million rows has
/// two thousand, and its pairs with as many are no more than those of all others together.
const FREQUENT_SHARE: f64 = 1.0 / 512.0;
/// In row groups that are in key order any value has its rows side by side: only what is met in two
/// of them is taken as frequent, unless there is only one.
const GROUPS_MET_MIN: usize = 2;
/// Frequent values, at most.
const FREQUENT_MAX: usize = 16;
/// Fewer rows with a value in the sample than this say nothing of how many it has. Guessed.
const ROWS_MET_MIN: u64 = 4;
/// Row groups that may hold a value are looked at as a whole if there are at most this many.
const GROUPS_LOOKED_AT: usize = 2;

/// The sample of one column.
#[derive(Debug, Default)]
pub(super) struct Sample {
    arrays: Vec<ArrayRef>,
    rows: u64,
    frequent: Vec<(KeyPoint, f64)>,
}

impl FileTable {
    /// Values of a column that are frequent, with the rows they are expected to have, the most frequent
    /// first: as ANALYZE TABLE has counted them, or as a sample shows. Nothing where the sample cannot be
    /// read: reading the rows will tell.
    pub fn frequent(self: &Arc<Self>, column: usize) -> Vec<(KeyPoint, f64)> {
        if let Some(counted) = self.frequent.get().and_then(|columns| columns.get(column)?.clone()) {
            return counted;
        }
        self.sampled(column).map(|sample| sample.frequent.clone()).unwrap_or_default()
    }

    /// The rows that a value of a column is expected to have; none where they are too few for the
    /// sample to show any.
    pub fn rows_with(self: &Arc<Self>, column: usize, value: &KeyPoint) -> Option<f64> {
        let zones = super::TableZones::all(self);
        let units = self.groups_with_rows();
        let zones = crate::layout::ZoneSource::zones(&zones, column)?;
        let may_hold = |at: &usize| match zones.zones[*at].ends() {
            Some((min, max)) => min <= value && value <= max,
            None => !zones.zones[*at].is_null(),
        };
        let candidates: Vec<usize> = (0..zones.zones.len()).filter(may_hold).collect();
        let possible: u64 = candidates.iter().map(|at| zones.zones[*at].rows).sum();
        let (arrays, looked_at) = if candidates.len() <= GROUPS_LOOKED_AT {
            let read = |at: &usize| {
                let (file, group) = units[*at];
                self.sample(&self.files()[file], group, column, usize::MAX).ok().flatten()
            };
            let arrays: Vec<ArrayRef> = candidates.iter().filter_map(read).collect();
            let rows: u64 = arrays.iter().map(|array| array.len() as u64).sum();
            (arrays, rows)
        } else {
            let sample = self.sampled(column)?;
            (sample.arrays.clone(), sample.rows * possible / zones.rows().max(1))
        };
        let met: u64 = arrays.iter().map(|array| points::count(array, value)).sum();
        let exact = looked_at == possible;
        (exact || met >= ROWS_MET_MIN).then(|| met as f64 * possible as f64 / looked_at.max(1) as f64)
    }

    fn sampled(&self, column: usize) -> Option<&Sample> {
        self.found.samples.get(column)?.get_or_init(|| self.look_at(column)).as_ref()
    }

    /// Files and row groups that have rows, in their order.
    fn groups_with_rows(&self) -> Vec<(usize, usize)> {
        let groups = self.files().iter().enumerate().flat_map(|(number, file)| {
            (0..file.footer.row_groups()).filter(|group| file.footer.rows(*group) > 0).map(move |group| (number, group))
        });
        groups.collect()
    }

    fn look_at(&self, column: usize) -> Option<Sample> {
        let units = self.groups_with_rows();
        let count = units.len().min(GROUPS_SAMPLED);
        let mut sample = Sample::default();
        let mut met: HashMap<KeyPoint, (u64, usize)> = HashMap::new();
        for at in 0..count {
            let (file, group) = units[at * units.len() / count];
            let Ok(Some(values)) = self.sample(&self.files()[file], group, column, ROWS_SAMPLED) else { return None };
            sample.rows += values.len() as u64;
            // What is frequent in all is so in one of the sampled row groups at least.
            let least = (values.len() as f64 * FREQUENT_SHARE).ceil() as u64;
            for (value, rows) in points::frequent(&values, least.max(2)) {
                let (all, groups) = met.entry(value).or_default();
                *all += rows;
                *groups += 1;
            }
            sample.arrays.push(values);
        }
        let least = sample.rows as f64 * FREQUENT_SHARE;
        let rows: u64 = units.iter().map(|(file, group)| self.files()[*file].footer.rows(*group) as u64).sum();
        let mut frequent: Vec<(KeyPoint, u64)> = met
            .into_iter()
            .filter(|(_, (all, groups))| *all as f64 >= least && *groups >= GROUPS_MET_MIN.min(count))
            .map(|(value, (all, _))| (value, all))
            .collect();
        frequent.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        frequent.truncate(FREQUENT_MAX);
        let share = rows as f64 / sample.rows.max(1) as f64;
        sample.frequent = frequent.into_iter().map(|(value, all)| (value, all as f64 * share)).collect();
        Some(sample)
    }
}
