//! Bounds of columns in row groups and pages, and what they tell of a column as a whole.
//!
//! Bounds are believed only where their order is ours: not INT96, not the deprecated byte-wise
//! bounds of strings and unsigned numbers; floats have a lower bound only, since NaN, which is the
//! largest value in SQL, may hide from the upper one.

use super::footer::{FileColumn, Footer};
use super::kind::Kind;
use super::page_header::dictionary_values;
use crate::layout::ColumnBounds;
use ::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use ::parquet::basic::{Encoding, Type as Physical};
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
        let nulls = chunks().map(|chunk| chunk.statistics()?.null_count_opt()).collect();
        if !chunks().all(|chunk| trusted(chunk, column)) {
            return Self { nulls, ..Self::default() };
        }
        let descriptor = footer.metadata.file_metadata().schema_descr();
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
        let min = scalar(&self.mins).map(|value| match value {
            // Writers may give 0.0 as the smallest value where -0.0 occurs.
            ScalarValue::Float32(Some(0.0)) => ScalarValue::Float32(Some(-0.0)),
            ScalarValue::Float64(Some(0.0)) => ScalarValue::Float64(Some(-0.0)),
            other => other,
        });
        let min = min.filter(|value| !is_nan(value));
        let max = scalar(&self.maxs).filter(|value| !matches!(value, ScalarValue::Float32(_) | ScalarValue::Float64(_)));
        ColumnBounds { min, max, null_count: self.nulls.get(zone).copied().flatten() }
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

/// Whether the bounds of a chunk are in our order.
fn trusted(chunk: &ColumnChunkMetaData, column: &FileColumn) -> bool {
    let Some(statistics) = chunk.statistics() else { return true };
    let unsigned = column.field.data_type().is_unsigned_integer();
    match statistics.physical_type() {
        Physical::INT96 => false,
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => !statistics.is_min_max_deprecated(),
        _ => !(unsigned && statistics.is_min_max_deprecated()),
    }
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
