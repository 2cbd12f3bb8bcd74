//! Zones of the rows an input delivers: bounds of one column in each unit of reading, and where the
//! column's domain can be cut so that few units lie on both sides of a cut.
//!
//! ```text
//!   left   [0 ..... 9][10 .... 19][20 .. 29]          each unit's least and greatest key
//!   right  [0 ............ 19][20 ....... 29]
//!   cuts                     20                        no unit straddles it: parts 0..20, 20..
//! ```
//!
//! Keys are compared as [`KeyPoint`]s: whole numbers (integers, dates, timestamps, decimals of one
//! scale) or bytes of strings. Floats are not cut, because NaN lies outside of their bounds.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// Rows a part should have at least, from the design of regions: below it their overhead shows.
const PART_ROWS_MAX: u64 = 600_000;
/// Parts a worker should find, so that the last ones to finish do not matter. From the design.
const PARTS_A_WORKER: u64 = 8;
/// A cut may leave this share of the rows gathered so far on both sides. From the design: read
/// amplification of at most 1.2.
const STRADDLE_MAX: f64 = 0.2;
/// A part may grow to this many times its aim while a place is looked for that fewer units straddle.
/// Guessed: a few row groups more to choose from.
const PART_GROWTH_MAX: f64 = 1.5;

/// A value that ranges are cut at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPoint {
    /// A number, a date in days, a timestamp in microseconds, a decimal's digits.
    Int(i64),
    /// The bytes of a string.
    Text(Box<[u8]>),
}

impl KeyPoint {
    /// The point of a value; none for NULL and for types that are not cut.
    pub fn of(value: &ScalarValue) -> Option<Self> {
        match value {
            ScalarValue::Int8(value) => value.map(|value| Self::Int(value.into())),
            ScalarValue::Int16(value) => value.map(|value| Self::Int(value.into())),
            ScalarValue::Int32(value) | ScalarValue::Date32(value) => value.map(|value| Self::Int(value.into())),
            ScalarValue::Int64(value) => value.map(Self::Int),
            ScalarValue::TimestampMicrosecond(value, _) => value.map(Self::Int),
            ScalarValue::Decimal64(value, ..) => value.map(Self::Int),
            ScalarValue::Decimal128(value, ..) => value.and_then(|value| i64::try_from(value).ok()).map(Self::Int),
            ScalarValue::Utf8View(value) | ScalarValue::Utf8(value) => {
                value.as_ref().map(|value| Self::Text(value.as_bytes().into()))
            }
            _ => None,
        }
    }
}

impl KeyPoint {
    /// The value of this SQL type that the point is; none where the type has no such.
    pub fn value(&self, data_type: &DataType) -> Option<ScalarValue> {
        Some(match (self, data_type) {
            (Self::Int(value), DataType::Int8) => ScalarValue::Int8(i8::try_from(*value).ok()),
            (Self::Int(value), DataType::Int16) => ScalarValue::Int16(i16::try_from(*value).ok()),
            (Self::Int(value), DataType::Int32) => ScalarValue::Int32(i32::try_from(*value).ok()),
            (Self::Int(value), DataType::Int64) => ScalarValue::Int64(Some(*value)),
            (Self::Int(value), DataType::Date32) => ScalarValue::Date32(i32::try_from(*value).ok()),
            (Self::Int(value), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
                ScalarValue::TimestampMicrosecond(Some(*value), zone.clone())
            }
            (Self::Int(value), DataType::Decimal128(precision, scale)) => {
                ScalarValue::Decimal128(Some((*value).into()), *precision, *scale)
            }
            (Self::Text(text), DataType::Utf8View) => ScalarValue::Utf8View(Some(std::str::from_utf8(text).ok()?.to_owned())),
            _ => return None,
        })
        .filter(|value| !value.is_null())
    }
}

impl fmt::Display for KeyPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "'{}'", String::from_utf8_lossy(value)),
        }
    }
}

/// One column in one unit of reading (a row group).
#[derive(Debug, Clone)]
pub struct Zone {
    /// No value is smaller. None: not known, or all rows are NULL.
    pub min: Option<KeyPoint>,
    /// No value is larger.
    pub max: Option<KeyPoint>,
    /// Rows that are NULL; none: not known.
    pub nulls: Option<u64>,
    /// Rows.
    pub rows: u64,
}

impl Zone {
    /// Whether every row is NULL.
    pub fn is_null(&self) -> bool {
        self.nulls == Some(self.rows)
    }

    /// Both bounds.
    pub fn ends(&self) -> Option<(&KeyPoint, &KeyPoint)> {
        self.min.as_ref().zip(self.max.as_ref())
    }
}

/// One column in all units that an input reads, in their order.
#[derive(Debug, Clone, Default)]
pub struct ColumnZones {
    /// The zones.
    pub zones: Vec<Zone>,
}

impl ColumnZones {
    /// Rows of all units.
    pub fn rows(&self) -> u64 {
        self.zones.iter().map(|zone| zone.rows).sum()
    }

    /// Whether every unit with values is bounded.
    pub fn is_bounded(&self) -> bool {
        self.zones.iter().all(|zone| zone.ends().is_some() || zone.is_null())
    }

    /// Whether units, in the order of reading, have ascending keys that overlap in one value at most.
    pub fn is_ascending(&self) -> bool {
        let mut last: Option<&KeyPoint> = None;
        for zone in self.zones.iter().filter(|zone| !zone.is_null()) {
            let Some((min, max)) = zone.ends() else { return false };
            if last.is_some_and(|last| last > min) {
                return false;
            }
            last = Some(max);
        }
        true
    }

    /// Whether units, sorted by their least key, overlap in one value at most.
    pub fn is_disjoint(&self) -> bool {
        let mut sorted: Vec<Zone> = self.zones.iter().filter(|zone| !zone.is_null()).cloned().collect();
        sorted.sort_by(|a, b| (&a.min, &a.max).cmp(&(&b.min, &b.max)));
        ColumnZones { zones: sorted }.is_ascending()
    }
}

/// Where the zones of an input's columns come from.
pub trait ZoneSource: Debug + Send + Sync {
    /// Zones of a column of the source; none where its type is not cut.
    fn zones(&self, column: usize) -> Option<Arc<ColumnZones>>;

    /// How EXPLAIN calls the source.
    fn describe(&self) -> String;

    /// Whether the rows of each unit are claimed or seen to be in ascending order of the column, and
    /// who says so.
    fn sorted(&self, column: usize) -> Option<(super::Evidence, String)>;
}

/// Zones of a node's columns: the node can deliver its rows cut by ranges of any of them.
#[derive(Debug, Clone)]
pub struct ZoneMap {
    source: Arc<dyn ZoneSource>,
    /// Per column of the node, the column of the source it is.
    columns: Vec<Option<usize>>,
    /// The node keeps the order of the source's rows.
    keeps_order: bool,
}

impl ZoneMap {
    /// Node column `i` is source column `columns[i]`.
    pub fn new(source: Arc<dyn ZoneSource>, columns: Vec<Option<usize>>) -> Self {
        Self { source, columns, keeps_order: true }
    }

    /// Zones of a column of the node.
    pub fn zones(&self, column: usize) -> Option<Arc<ColumnZones>> {
        self.source.zones(self.columns.get(column).copied().flatten()?)
    }

    /// The same for a node that does not keep the order of rows.
    #[must_use]
    pub fn unordered(self) -> Self {
        Self { keeps_order: false, ..self }
    }

    /// Whether each unit is in ascending order of a column of the node, and who says so.
    pub fn sorted(&self, column: usize) -> Option<(super::Evidence, String)> {
        if !self.keeps_order {
            return None;
        }
        self.source.sorted(self.columns.get(column).copied().flatten()?)
    }

    /// How EXPLAIN calls the source.
    pub fn describe(&self) -> String {
        self.source.describe()
    }

    /// The map of a node whose column `i` is this one's column `columns[i]`.
    #[must_use]
    pub fn projected(&self, columns: &[Option<usize>]) -> Self {
        let columns = columns.iter().map(|column| column.and_then(|column| self.columns.get(column).copied().flatten()));
        Self { source: self.source.clone(), columns: columns.collect(), keeps_order: self.keeps_order }
    }
}

/// Cuts of a domain and what they cost.
#[derive(Debug, Clone)]
pub struct Cutting {
    /// Part `i` has the keys from `cuts[i - 1]` to below `cuts[i]`.
    pub cuts: Vec<KeyPoint>,
    /// Rows read over rows there are: units on both sides of a cut are read for each.
    pub amplification: f64,
    /// The largest part's share of the rows.
    pub largest: f64,
    /// Units that straddle a cut.
    pub straddling: usize,
}

/// A place to cut at.
struct Place<'a> {
    cut: &'a KeyPoint,
    /// Rows since the cut before.
    gathered: u64,
    /// Rows of units on both sides.
    across: u64,
    straddling: usize,
    /// Rows of units that lie below it as a whole.
    ended: u64,
}

/// Cuts the common domain of `inputs` into parts for `threads` workers.
///
/// # Errors
/// Says in words why there is no place to cut.
pub fn cut(inputs: &[&ColumnZones], threads: usize) -> Result<Cutting, String> {
    let mut bounded: Vec<(&KeyPoint, &KeyPoint, u64)> = Vec::new();
    for zone in inputs.iter().flat_map(|input| &input.zones).filter(|zone| !zone.is_null()) {
        match zone.ends() {
            Some((min, max)) => bounded.push((min, max, zone.rows)),
            None => return Err("a row group has no bounds of the key".to_owned()),
        }
    }
    let total: u64 = bounded.iter().map(|(.., rows)| rows).sum();
    let (mut by_min, mut by_max) = (bounded.clone(), bounded);
    by_min.sort_by(|a, b| a.0.cmp(b.0));
    by_max.sort_by(|a, b| a.1.cmp(b.1));
    let target = (total / (threads.max(1) as u64 * PARTS_A_WORKER)).clamp(1, PART_ROWS_MAX);
    let mut places: Vec<Place> = Vec::new();
    // The best place since the part was large enough.
    let mut best: Option<Place> = None;
    let (mut begun, mut ended, mut at_max, mut last_ended) = (0, 0, 0, 0);
    let mut previous: Option<&KeyPoint> = None;
    for (at, &(min, _, rows)) in by_min.iter().enumerate() {
        if previous.is_some_and(|previous| previous < min) {
            while at_max < by_max.len() && by_max[at_max].1 < min {
                ended += by_max[at_max].2;
                at_max += 1;
            }
            let (gathered, across) = (begun - last_ended, begun - ended);
            let suits = gathered >= target && across as f64 <= gathered as f64 * STRADDLE_MAX;
            if suits && best.as_ref().is_none_or(|best| across < best.across) {
                best = Some(Place { cut: min, gathered, across, straddling: at - at_max, ended });
            }
            let large = gathered as f64 >= target as f64 * PART_GROWTH_MAX;
            if let Some(place) = best.take_if(|best| large || best.across == 0) {
                last_ended = place.ended;
                places.push(place);
            }
        }
        previous = Some(min);
        begun += rows;
    }
    if let Some(place) = best {
        last_ended = place.ended;
        places.push(place);
    }
    if places.is_empty() {
        return Err(match by_min.len() {
            0 | 1 => "there is only one row group to cut".to_owned(),
            _ => "the row groups overlap in the key, so that any cut would have most of them read twice".to_owned(),
        });
    }
    let largest = places.iter().map(|place| place.gathered).chain([begun - last_ended]).max().unwrap_or(0);
    let again: u64 = places.iter().map(|place| place.across).sum();
    let share = |rows: u64| rows as f64 / total.max(1) as f64;
    Ok(Cutting {
        amplification: share(total + again),
        largest: share(largest),
        straddling: places.iter().map(|place| place.straddling).sum(),
        cuts: places.into_iter().map(|place| place.cut.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(ends: &[(i64, i64)]) -> ColumnZones {
        let zone = |&(min, max): &(i64, i64)| Zone {
            min: Some(KeyPoint::Int(min)),
            max: Some(KeyPoint::Int(max)),
            nulls: Some(0),
            rows: 100,
        };
        ColumnZones { zones: ends.iter().map(zone).collect() }
    }

    #[test]
    fn aligned_row_groups_are_cut_where_both_sides_begin_anew() {
        let left = zones(&[(0, 9), (10, 19), (20, 29)]);
        let right = zones(&[(0, 19), (20, 29)]);
        let cutting = cut(&[&left, &right], 2).unwrap();
        assert_eq!(cutting.cuts, [KeyPoint::Int(20)]);
        assert_eq!((cutting.amplification, cutting.straddling), (1.0, 0));
        assert!(left.is_ascending() && left.is_disjoint());
    }

    #[test]
    fn points_go_to_values_and_back() {
        let values = [
            ScalarValue::Int16(Some(-3)),
            ScalarValue::Date32(Some(20_000)),
            ScalarValue::Decimal128(Some(125), 9, 2),
            ScalarValue::Utf8View(Some("ć".to_owned())),
        ];
        for value in values {
            let point = KeyPoint::of(&value).unwrap();
            assert_eq!(point.value(&value.data_type()), Some(value));
        }
        assert_eq!(KeyPoint::Int(300).value(&DataType::Int8), None);
        assert_eq!(KeyPoint::Int(3).value(&DataType::Utf8View), None);
    }

    #[test]
    fn order_and_overlap_are_told_apart() {
        let shuffled = zones(&[(20, 29), (0, 9), (10, 19)]);
        assert!(!shuffled.is_ascending() && shuffled.is_disjoint());
        assert_eq!(cut(&[&shuffled], 1).unwrap().cuts, [KeyPoint::Int(10), KeyPoint::Int(20)]);
        let overlapping = zones(&[(0, 29), (1, 30), (2, 28)]);
        assert!(!overlapping.is_disjoint());
        assert!(cut(&[&overlapping], 1).unwrap_err().contains("overlap"));
        assert!(cut(&[&zones(&[(0, 1)])], 1).is_err());
    }

    #[test]
    fn a_few_straddlers_are_accepted_and_counted() {
        let ends: Vec<(i64, i64)> = (0..100).map(|at| (at * 10, at * 10 + 10)).collect();
        let cutting = cut(&[&zones(&ends)], 1).unwrap();
        assert!(cutting.cuts.len() >= 6 && cutting.amplification < 1.2, "{cutting:?}");
        assert_eq!(cutting.straddling, cutting.cuts.len());
    }

    #[test]
    fn a_part_grows_a_little_to_where_nothing_straddles() {
        // The right side's units begin anew at every 40, the left side's at every 7.
        let left: Vec<(i64, i64)> = (0..400).map(|at| (at * 7, at * 7 + 6)).collect();
        let right: Vec<(i64, i64)> = (0..70).map(|at| (at * 40, at * 40 + 39)).collect();
        let cutting = cut(&[&zones(&left), &zones(&right)], 1).unwrap();
        assert!(cutting.straddling < cutting.cuts.len() && cutting.amplification < 1.02, "{cutting:?}");
        let on_both = cutting.cuts.iter().filter(|cut| matches!(cut, KeyPoint::Int(at) if at % 280 == 0)).count();
        assert!(on_both * 2 >= cutting.cuts.len(), "{cutting:?}");
    }

    #[test]
    fn unbounded_zones_are_not_cut_and_null_zones_do_not_matter() {
        let mut some = zones(&[(0, 9), (10, 19)]);
        some.zones.push(Zone { min: None, max: None, nulls: Some(5), rows: 5 });
        assert!(some.is_bounded() && cut(&[&some], 1).is_ok());
        some.zones.push(Zone { min: None, max: None, nulls: None, rows: 5 });
        assert!(!some.is_bounded());
        assert!(cut(&[&some], 1).unwrap_err().contains("no bounds"));
    }
}
