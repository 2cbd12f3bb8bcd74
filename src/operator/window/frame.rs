//! Which rows of its partition each row's frame has.
//!
//! ```text
//!   ROWS BETWEEN 1 PRECEDING AND CURRENT ROW      RANGE BETWEEN 10 PRECEDING AND CURRENT ROW
//!   key:    5  5  8  20                           key:    5  5  8  20
//!   frame:  0  01 12 23                           frame:  01 01 012 3
//! ```
//!
//! ROWS count rows, GROUPS count groups of peers, RANGE measures the order key: a row is in the
//! frame when its key is not further away than the distance. Ends of a frame found by distance cost
//! a binary search a row, others none. The frame of a row whose key is NULL begins and ends, where
//! a distance says so, with its peers; NaN is the largest key and its own only neighbour.

use super::batch::View;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate};
use std::cmp::Ordering;

const MICROS_A_DAY: i128 = 86_400_000_000;

/// What a bound counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Rows.
    Rows,
    /// Differences of the order key.
    Range,
    /// Groups of rows with equal order keys.
    Groups,
}

/// Where a frame begins or ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// With the partition's first row.
    UnboundedPreceding,
    /// So many rows, or groups, after the current one; before it, where negative.
    Rows(i64),
    /// With the rows whose key is so far before the current row's.
    Before(Distance),
    /// With the rows whose key is so far behind the current row's.
    Behind(Distance),
    /// With the current row, or its peers where not rows are counted.
    CurrentRow,
    /// With the partition's last row.
    UnboundedFollowing,
}

/// How far keys may be apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Distance {
    /// Of integers; of decimals in units of their last digit.
    Integer(i128),
    /// Of floats.
    Float(f64),
    /// Of dates and timestamps: calendar months, then days, then microseconds.
    Interval {
        /// Calendar months.
        months: i32,
        /// Days.
        days: i32,
        /// Microseconds.
        micros: i64,
    },
}

/// The rows a function sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// What the bounds count.
    pub units: Units,
    /// The first.
    pub start: Bound,
    /// The last.
    pub end: Bound,
}

impl Frame {
    /// All rows of the partition.
    pub fn whole() -> Self {
        Self { units: Units::Rows, start: Bound::UnboundedPreceding, end: Bound::UnboundedFollowing }
    }

    /// Whether a bound needs the values of the order key.
    pub(super) fn has_distance(&self) -> bool {
        [&self.start, &self.end].into_iter().any(|bound| matches!(bound, Bound::Before(_) | Bound::Behind(_)))
    }
}

/// Frames of rows `view.first..view.rows`: row numbers from and to, the latter not included.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) from: Vec<u32>,
    pub(super) to: Vec<u32>,
}

/// Computes the frames. `key` is the order key of RANGE frames with distances.
pub(super) fn frames(frame: &Frame, view: &View, level: usize, key: Option<(&ArrayRef, bool)>) -> Result<Frames> {
    let key = key.map(|(values, descending)| RangeKey::new(values, descending)).transpose()?;
    let rows = view.rows - view.first;
    let mut found = Frames { from: Vec::with_capacity(rows), to: Vec::with_capacity(rows) };
    let peers = &view.peers[level];
    let mut group = 0;
    for (index, partition) in view.partitions().enumerate() {
        let (start, end) = (partition.start, partition.end);
        // What lies before the batch is in the state that is carried over.
        let unbounded = if index == 0 && view.continued { view.first } else { start };
        let first_group = peers.partition_point(|&at| (at as usize) < start);
        let groups_end = first_group + peers[first_group..].partition_point(|&at| (at as usize) < end);
        let group_start = |group: usize| if group >= groups_end { end } else { peers[group] as usize };
        group = group.max(first_group);
        for row in start.max(view.first)..end {
            while group + 1 < groups_end && peers[group + 1] as usize <= row {
                group += 1;
            }
            let (peers_from, peers_to) = (group_start(group), group_start(group + 1));
            let shifted = |at: usize, by: i64, low: usize, high: usize| {
                (at as i64).saturating_add(by).clamp(low as i64, high as i64) as usize
            };
            let by_key = |bound: &Bound, or_equal: bool| -> Result<usize> {
                let key = key.as_ref().ok_or_else(|| Error::internal("a RANGE frame without its key"))?;
                let (distance, forward) = match bound {
                    Bound::Before(distance) => (distance, false),
                    Bound::Behind(distance) => (distance, true),
                    _ => return Err(Error::internal("a bound that is no distance")),
                };
                match key.search(row, start..end, distance, forward, or_equal)? {
                    Some(at) => Ok(at),
                    None => Ok(if or_equal { peers_to } else { peers_from }),
                }
            };
            let from = match (&frame.start, frame.units) {
                (Bound::UnboundedPreceding, _) => unbounded,
                (Bound::UnboundedFollowing, _) => end,
                (Bound::CurrentRow, Units::Rows) => row,
                (Bound::CurrentRow, _) => peers_from,
                (Bound::Rows(by), Units::Groups) => group_start(shifted(group, *by, first_group, groups_end)),
                (Bound::Rows(by), _) => shifted(row, *by, start, end),
                (bound, _) => by_key(bound, false)?,
            };
            let to = match (&frame.end, frame.units) {
                (Bound::UnboundedPreceding, _) => start,
                (Bound::UnboundedFollowing, _) => end,
                (Bound::CurrentRow, Units::Rows) => row + 1,
                (Bound::CurrentRow, _) => peers_to,
                (Bound::Rows(by), Units::Groups) => group_start(shifted(group + 1, *by, first_group, groups_end)),
                (Bound::Rows(by), _) => shifted(row + 1, *by, start, end),
                (bound, _) => by_key(bound, true)?,
            };
            found.from.push(from as u32);
            found.to.push(to.max(from) as u32);
        }
        group = groups_end;
    }
    Ok(found)
}

/// The order key's values as numbers.
struct RangeKey {
    values: Values,
    nulls: Option<NullBuffer>,
    descending: bool,
    temporal: Temporal,
}

enum Values {
    Integers(Vec<i128>),
    Floats(Vec<f64>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Temporal {
    No,
    Days,
    Micros,
}

impl RangeKey {
    fn new(values: &ArrayRef, descending: bool) -> Result<Self> {
        macro_rules! integers {
            ($t:ty) => {
                Values::Integers(values.as_primitive::<$t>().values().iter().map(|&value| i128::from(value)).collect())
            };
        }
        let mut temporal = Temporal::No;
        let numbers = match values.data_type() {
            DataType::Int8 => integers!(Int8Type),
            DataType::Int16 => integers!(Int16Type),
            DataType::Int32 => integers!(Int32Type),
            DataType::Int64 => integers!(Int64Type),
            DataType::Decimal64(..) => integers!(Decimal64Type),
            DataType::Decimal128(..) => integers!(Decimal128Type),
            DataType::Date32 => {
                temporal = Temporal::Days;
                integers!(Date32Type)
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                if zone.as_ref().is_some_and(|zone| !matches!(zone.as_ref(), "UTC" | "+00:00" | "Z")) {
                    return Err(Error::unsupported(format!("a RANGE frame over timestamps in a zone other than UTC ({zone:?})")));
                }
                temporal = Temporal::Micros;
                integers!(TimestampMicrosecondType)
            }
            DataType::Float32 => {
                Values::Floats(values.as_primitive::<Float32Type>().values().iter().map(|&value| f64::from(value)).collect())
            }
            DataType::Float64 => Values::Floats(values.as_primitive::<Float64Type>().values().to_vec()),
            other => return Err(Error::unsupported(format!("a RANGE frame with a distance over {other}"))),
        };
        Ok(Self { values: numbers, nulls: values.logical_nulls(), descending, temporal })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// The first row of `partition` whose key is not before (with `or_equal`: is behind) the key that
    /// lies `distance` from that of `row`; none where `row` has no key.
    fn search(
        &self,
        row: usize,
        partition: std::ops::Range<usize>,
        distance: &Distance,
        forward: bool,
        or_equal: bool,
    ) -> Result<Option<usize>> {
        if self.is_null(row) {
            return Ok(None);
        }
        // Rows without a key stand together at one end.
        let (mut low, mut high) = (partition.start, partition.end);
        if self.nulls.is_some() {
            low += (low..row).take_while(|&at| self.is_null(at)).count();
            high -= (row..high).rev().take_while(|&at| self.is_null(at)).count();
        }
        let up = forward != self.descending;
        let before = |ordering: Ordering| {
            let ordering = if self.descending { ordering.reverse() } else { ordering };
            ordering.is_lt() || (or_equal && ordering.is_eq())
        };
        let at = match &self.values {
            Values::Integers(values) => {
                let target = self.target(values[row], distance, up)?;
                values[low..high].partition_point(|value| before(value.cmp(&target)))
            }
            Values::Floats(values) => {
                let distance = match distance {
                    Distance::Float(distance) => *distance,
                    Distance::Integer(distance) => *distance as f64,
                    Distance::Interval { .. } => return Err(Error::sql("an interval is no distance between numbers")),
                };
                let target = if up { values[row] + distance } else { values[row] - distance };
                values[low..high].partition_point(|value| before(compare(*value, target)))
            }
        };
        Ok(Some(low + at))
    }

    fn target(&self, key: i128, distance: &Distance, up: bool) -> Result<i128> {
        let sign = if up { 1 } else { -1 };
        match (distance, self.temporal) {
            (Distance::Integer(distance), _) => Ok(key.saturating_add(sign * distance)),
            (Distance::Interval { months, days, micros }, Temporal::Days) if i128::from(*micros) % MICROS_A_DAY == 0 => {
                let days = i128::from(*days) + i128::from(*micros) / MICROS_A_DAY;
                Ok(add_months(key, sign as i32 * months)? + sign * days)
            }
            (Distance::Interval { months, days, micros }, Temporal::Micros) => {
                let (day, rest) = (key.div_euclid(MICROS_A_DAY), key.rem_euclid(MICROS_A_DAY));
                let day = add_months(day, sign as i32 * months)? + sign * i128::from(*days);
                Ok(day * MICROS_A_DAY + rest + sign * i128::from(*micros))
            }
            _ => Err(Error::unsupported("this distance in a RANGE frame over this order key")),
        }
    }
}

/// NaN is the largest and equals itself.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// A day, counted from 1970-01-01, so many months later: the month's last day where it is shorter.
fn add_months(day: i128, months: i32) -> Result<i128> {
    if months == 0 {
        return Ok(day);
    }
    let out_of_range = || Error::value("a date of a RANGE frame is out of range");
    let epoch = DateTime::UNIX_EPOCH.date_naive();
    let distance = Days::new(u64::try_from(day.unsigned_abs()).map_err(|_| out_of_range())?);
    let date: Option<NaiveDate> = if day < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) };
    let count = Months::new(months.unsigned_abs());
    let shifted = date.and_then(|date| if months < 0 { date.checked_sub_months(count) } else { date.checked_add_months(count) });
    let shifted = shifted.ok_or_else(out_of_range)?;
    Ok(i128::from(shifted.num_days_from_ce() - epoch.num_days_from_ce()))
}
