//! Bounds of columns in row groups and pages, and what they tell of a column as a whole.
//!
//! Bounds are believed only where their order is ours and their writer is not known to be wrong
//! ([`super::writer`]), where the smaller one is not the larger one, and where they are no NaN.
//! Strings may be cut off: they stay bounds. Bounds of floats say nothing of NaN, and a zero among
//! them stands for both zeros.

use super::file_schema::FileColumn;
use super::footer::Footer;
use super::kind::Kind;
use super::page_header::dictionary_values;
use super::writer::bounds_ordered;
use crate::layout::ColumnBounds;
use ::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use ::parquet::basic::Encoding;
use ::parquet::file::metadata::ColumnChunkMetaData;
use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute;
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::ScalarValue;
use std::cmp::Ordering;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Row groups whose dictionaries are looked at per column. Guessed: first, middle and last tell
/// sorted columns from mixed ones.
const SAMPLE_GROUPS: usize = 3;

/// Bounds of a column in some zones, in its SQL type.
#[derive(Debug, Default)]
pub struct Zones {
    mins: Option<ArrayRef>,
    maxs: Option<ArrayRef>,
    nulls: Vec<Option<u64>>,
}

/// What a footer tells of a column.
#[derive(Debug, Clone, Default)]
pub struct ColumnSummary {
    /// A lower bound of all values.
    pub min: Option<ScalarValue>,
    /// An upper bound of all values.
    pub max: Option<ScalarValue>,
    /// NULLs.
    pub nulls: Option<u64>,
    /// Bytes a value takes in memory, on average.
    pub width: f64,
}

impl Zones {
    /// Zones from bounds in the crate's Arrow type.
    pub(super) fn new(mins: ArrayRef, maxs: ArrayRef, nulls: Vec<Option<u64>>, column: &FileColumn) -> Option<Self> {
        let count = nulls.len();
        if mins.len() != count || maxs.len() != count {
            return None;
        }
        Some(Self { mins: typed(&mins, column), maxs: typed(&maxs, column), nulls })
    }

    pub(super) fn of_row_groups(footer: &Footer, column: &FileColumn) -> Self {
        let Some(leaf) = column.leaf else { return Self::default() };
        let chunks = || footer.metadata.row_groups().iter().map(move |group| group.column(leaf));
        // A count that cannot be is none.
        let nulls = |chunk: &ColumnChunkMetaData| {
            let values = u64::try_from(chunk.num_values()).unwrap_or(0);
            chunk.statistics()?.null_count_opt().filter(|nulls| *nulls <= values)
        };
        let nulls = chunks().map(nulls).collect();
        let file = footer.metadata.file_metadata();
        let deprecated = chunks().any(|chunk| chunk.statistics().is_some_and(|statistics| statistics.is_min_max_deprecated()));
        if !bounds_ordered(file, leaf, deprecated) {
            return Self { nulls, ..Self::default() };
        }
        let descriptor = file.schema_descr();
        let bounds = StatisticsConverter::from_column_index(leaf, &column.field, descriptor).and_then(|converter| {
            let groups = || footer.metadata.row_groups().iter();
            Ok((converter.row_group_mins(groups())?, converter.row_group_maxes(groups())?))
        });
        match bounds {
            Ok((mins, maxs)) => Self::new(mins, maxs, nulls, column).unwrap_or_default(),
            Err(_) => Self { nulls, ..Self::default() },
        }
    }

    /// Number of zones; none where nothing is known.
    pub fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.nulls.is_empty()
    }

    /// The bounds of one zone.
    pub fn bounds(&self, zone: usize) -> ColumnBounds {
        let scalar = |array: &Option<ArrayRef>| {
            let array = array.as_ref().filter(|array| zone < array.len() && array.is_valid(zone))?;
            ScalarValue::try_from_array(array, zone).ok()
        };
        let min = scalar(&self.mins).filter(|value| !is_nan(value)).map(|value| zero(value, -0.0));
        let max = scalar(&self.maxs).filter(|value| !is_nan(value)).map(|value| zero(value, 0.0));
        if min.as_ref().zip(max.as_ref()).is_some_and(|(min, max)| min > max) {
            return ColumnBounds { null_count: self.nulls.get(zone).copied().flatten(), ..ColumnBounds::default() };
        }
        ColumnBounds { min, max, null_count: self.nulls.get(zone).copied().flatten() }
    }
}

/// Writers may give either zero as the bound where both occur.
fn zero(value: ScalarValue, zero: f64) -> ScalarValue {
    match value {
        ScalarValue::Float32(Some(0.0)) => ScalarValue::Float32(Some(zero as f32)),
        ScalarValue::Float64(Some(0.0)) => ScalarValue::Float64(Some(zero)),
        other => other,
    }
}

fn is_nan(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float32(Some(value)) => value.is_nan(),
        ScalarValue::Float64(Some(value)) => value.is_nan(),
        _ => false,
    }
}

/// Bounds in the column's SQL type. Nanoseconds are rounded down, as values are.
fn typed(array: &ArrayRef, column: &FileColumn) -> Option<ArrayRef> {
    if column.kind == Some(Kind::NanosToMicros) {
        let nanos = compute::cast(array, &DataType::Int64).ok()?;
        let micros = nanos.as_primitive::<Int64Type>().unary(|value: i64| value.div_euclid(1000));
        let micros: TimestampMicrosecondArray = micros;
        return compute::cast(&(Arc::new(micros) as ArrayRef), &column.data_type).ok();
    }
    compute::cast(array, &column.data_type).ok()
}

impl ColumnSummary {
    pub(super) fn new(footer: &Footer, column: usize) -> Self {
        let zones = footer.zones(column);
        let mut summary = Self { nulls: Some(0), ..Self::default() };
        let (mut known_min, mut known_max) = (true, true);
        for group in 0..footer.row_groups() {
            let bounds = zones.bounds(group);
            let all_null = bounds.null_count == Some(footer.rows(group) as u64);
            summary.nulls = summary.nulls.zip(bounds.null_count).map(|(sum, nulls)| sum + nulls);
            known_min &= all_null || merge(&mut summary.min, bounds.min, Ordering::Less);
            known_max &= all_null || merge(&mut summary.max, bounds.max, Ordering::Greater);
        }
        if !known_min {
            summary.min = None;
        }
        if !known_max {
            summary.max = None;
        }
        summary.width = width(footer, column);
        summary
    }
}

/// Keeps the one of both that lies on the `side`; false when `value` is not known.
pub(crate) fn merge(best: &mut Option<ScalarValue>, value: Option<ScalarValue>, side: Ordering) -> bool {
    let Some(value) = value else { return false };
    match best {
        Some(known) if value.partial_cmp(known) != Some(side) => {}
        _ => *best = Some(value),
    }
    true
}

fn width(footer: &Footer, column: usize) -> f64 {
    let data_type = &footer.columns()[column].data_type;
    let stored = crate::column::storage_type(data_type);
    if let Some(width) = stored.primitive_width() {
        return width as f64;
    }
    if stored == DataType::Boolean {
        return 0.125;
    }
    let rows = footer.total_rows().max(1) as f64;
    let bytes: f64 = (0..footer.row_groups())
        .map(|group| {
            let exact = footer.columns()[column]
                .leaf
                .and_then(|leaf| footer.row_group(group).column(leaf).unencoded_byte_array_data_bytes());
            // Without it, the encoded size is a guess: too small for dictionaries.
            exact.map_or_else(|| footer.column_bytes(group, column).1 as f64, |bytes| bytes as f64)
        })
        .sum();
    16.0 + bytes / rows
}

/// Distinct values of a column in a file, from the sizes of some dictionaries.
///
/// `d` distinct values among `n` rows of a row group: if the groups' ranges are disjoint the groups
/// add up; otherwise rows are taken for random draws out of `D` values, of which `n` draws are
/// expected to hit `d = D (1 - exp(-n / D))`, solved for `D`.
pub(super) fn distinct(footer: &Footer, path: &Path, column: usize) -> Option<f64> {
    let leaf = footer.columns()[column].leaf?;
    let groups: Vec<usize> = (0..footer.row_groups()).filter(|group| footer.rows(*group) > 0).collect();
    let (first, last) = (*groups.first()?, *groups.last()?);
    let mut sample = vec![first, groups[groups.len() / 2], last];
    sample.dedup();
    debug_assert!(sample.len() <= SAMPLE_GROUPS);
    let file = File::open(path).ok()?;
    let (mut found, mut rows) = (0.0, 0.0);
    for &group in &sample {
        let chunk = footer.row_group(group).column(leaf);
        found += dictionary_count(&file, chunk)?;
        rows += footer.rows(group) as f64;
    }
    let total = footer.total_rows() as f64;
    if disjoint(footer, column, &groups) {
        return Some((found * total / rows).min(total));
    }
    let sampled = sample.len() as f64;
    Some(draws(found / sampled, rows / sampled).min(total))
}

/// The number of values of a chunk's dictionary, if all of its pages use it.
fn dictionary_count(file: &File, chunk: &ColumnChunkMetaData) -> Option<f64> {
    let offset = u64::try_from(chunk.dictionary_page_offset()?).ok()?;
    let plain = match chunk.page_encoding_stats_mask() {
        Some(mask) => mask.is_set(Encoding::PLAIN),
        // Without page statistics: the old name of the dictionary encoding leaves PLAIN for data pages.
        None => {
            let has = |wanted| chunk.encodings().any(|encoding| encoding == wanted);
            has(Encoding::PLAIN) && has(Encoding::PLAIN_DICTIONARY)
        }
    };
    if plain {
        return None;
    }
    let mut header = [0; 64];
    let read = file.read_at(&mut header, offset).ok()?;
    dictionary_values(&header[..read]).map(|count| count as f64)
}

fn disjoint(footer: &Footer, column: usize, groups: &[usize]) -> bool {
    let zones = footer.zones(column);
    groups.len() > 1
        && groups.windows(2).all(|pair| {
            let (before, after) = (zones.bounds(pair[0]), zones.bounds(pair[1]));
            before.max.zip(after.min).is_some_and(|(max, min)| max <= min)
        })
}

/// Solves `d = D (1 - exp(-n / D))` for `D`.
pub(crate) fn draws(found: f64, rows: f64) -> f64 {
    if found >= rows * 0.999 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (found.max(1.0), found.max(1.0) * 1e4);
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if middle * (1.0 - (-rows / middle).exp()) < found { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::parquet::testing;
    use arrow::array::{Float64Array, RecordBatch, StringArray};

    #[test]
    fn bounds_of_floats_leave_nan_out_and_stand_for_both_zeros() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("floats.parquet");
        let batch = |values: [f64; 3]| {
            let words: StringArray = values.iter().map(|value| Some(format!("{value}"))).collect();
            let columns: Vec<(&str, ArrayRef)> =
                vec![("f", Arc::new(Float64Array::from(values.to_vec()))), ("s", Arc::new(words))];
            RecordBatch::try_from_iter(columns).unwrap()
        };
        testing::write(&path, &[batch([1.5, f64::NAN, 2.5]), batch([f64::NAN; 3]), batch([0.0, -0.0, 0.0])], 100);
        let (_, footer) = Footer::open(&path).unwrap();
        let zones = footer.zones(0);
        let bounds = |zone| (zones.bounds(zone).min, zones.bounds(zone).max);
        let float = |value: f64| Some(ScalarValue::Float64(Some(value)));
        assert_eq!(bounds(0), (float(1.5), float(2.5)));
        assert_eq!(bounds(1), (None, None));
        let text = |value: Option<ScalarValue>| value.map(|value| value.to_string());
        assert_eq!((text(bounds(2).0), text(bounds(2).1)), (Some("-0".into()), Some("0".into())));
        assert_eq!(footer.zones(1).bounds(0).min, Some(ScalarValue::Utf8View(Some("1.5".into()))));
        let pages = footer.page_zones(&path, 0, 0).unwrap();
        assert!(pages.is_none_or(|pages| pages.zones.bounds(0).max == float(2.5)));
    }

    #[test]
    fn bounds_that_cannot_be_are_dropped() {
        let array = |value: i64| Some(Arc::new(arrow::array::Int64Array::from(vec![value])) as ArrayRef);
        let zones = Zones { mins: array(5), maxs: array(3), nulls: vec![Some(1)] };
        assert_eq!((zones.bounds(0).min, zones.bounds(0).max, zones.bounds(0).null_count), (None, None, Some(1)));
    }
}
