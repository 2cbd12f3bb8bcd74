//! What the build side of a join tells scans below the probe side: rows that cannot match.
//!
//! ```text
//!   build keys ──> span < 2^26:  one bit a value between min and max: exact
//!              └─> otherwise:    min, max and a Bloom filter, one 64-bit word a key
//!   scan: zone outside [min, max] -> skipped;  row not in the filter -> dropped
//! ```
//!
//! A filter is published when the whole build side was seen, and only for joins that put out nothing
//! for an unmatched probe row. NULL never passes: it equals nothing. Over a dictionary the filter is
//! looked up once a distinct value. The distinct keys, if they are few, are kept for Bloom filters of
//! files and for zones. A filter that lets most rows pass retires itself. Cost: a bit a
//! value of the span, or 16 bits a key, with under 1% false positives, computed (Putze, Sanders, Singler:
//! Cache-, Hash- and Space-Efficient Bloom Filters, WEA 2007, section 3).

use super::hash_table::{CHECK_ROWS, Check};
use crate::column::{CodeSet, Column, Dictionary, storage_type};
use crate::error::{Error, Result};
use crate::expr::keys::{hash_bytes, hash64};
use crate::layout::{Bounds, LISTED_VALUES_MAX, ScanPredicate, Truth};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion_common::ScalarValue;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Exact bitmaps have at most this many bits: 8 MiB. From the design.
const EXACT_SPAN_MAX: u64 = 1 << 26;
/// Rows after which a filter is judged. Guessed: a few chunks of every worker.
const JUDGED_ROWS: u64 = 1 << 17;
/// Bits of a bitmap that a zone is compared with; beyond that a zone is taken as met.
const ZONE_SPAN_MAX: u64 = 1 << 16;

/// Distinct keys that are kept in order, to be compared with zones. Guessed: 32 KiB of numbers.
const SORTED_KEYS_MAX: usize = 4096;
/// A filter that a join fills while it runs and a scan evaluates.
#[derive(Debug)]
pub struct RuntimeFilter {
    columns: [usize; 1],
    description: String,
    /// Key of what is remembered in dictionaries.
    memo: u64,
    contents: OnceLock<Contents>,
    /// All keys in the build side's SQL type, if they are few.
    listed: OnceLock<Vec<ScalarValue>>,
    tested: AtomicU64,
    passed: AtomicU64,
}

#[derive(Debug)]
enum Contents {
    /// The build side has no key.
    Nothing,
    /// One bit a value.
    Exact { min: i64, max: i64, scale: Option<i8>, bits: Vec<u64> },
    /// Integers too far apart.
    Integers { min: i64, max: i64, scale: Option<i8>, bloom: Bloom, sorted: Option<Vec<i64>> },
    /// Strings.
    Texts { min: Vec<u8>, max: Vec<u8>, bloom: Bloom, sorted: Option<Vec<Box<str>>> },
}

#[derive(Debug)]
struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    fn new(keys: usize) -> Self {
        Self { words: vec![0; (keys / 4).max(1).next_power_of_two()] }
    }

    /// Four bits of one word.
    fn place(&self, hash: u64) -> (usize, u64) {
        let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63) | 1 << (hash >> 18 & 63);
        ((hash >> 32) as usize & (self.words.len() - 1), bits)
    }

    fn add(&mut self, hash: u64) {
        let (word, bits) = self.place(hash);
        self.words[word] |= bits;
    }

    fn has(&self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        self.words[word] & bits == bits
    }
}

impl RuntimeFilter {
    /// A filter on one column of a table (its position in the table's schema), not known yet.
    pub fn new(table_column: usize, description: String) -> Arc<Self> {
        Arc::new(Self {
            columns: [table_column],
            description,
            memo: Dictionary::key(),
            contents: OnceLock::new(),
            listed: OnceLock::new(),
            tested: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        })
    }

    /// An empty filter of the same column: for the part of a join that runs part by part.
    pub(super) fn another(&self) -> Arc<Self> {
        Self::new(self.columns[0], self.description.clone())
    }
}

fn scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => Some(*scale),
        _ => None,
    }
}

/// Whether values of this SQL type are signed integers of at most 64 bits inside.
fn is_integer_like(data_type: &DataType) -> bool {
    matches!(
        storage_type(data_type),
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Decimal64(..)
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}

/// The values of an integer-like array as 64-bit integers; anything at NULL rows.
fn integers(array: &ArrayRef) -> Result<Vec<i64>> {
    Ok(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Int16 => array.as_primitive::<Int16Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Int32 => array.as_primitive::<Int32Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().values().to_vec(),
        DataType::Date32 => array.as_primitive::<Date32Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Decimal64(..) => array.as_primitive::<Decimal64Type>().values().to_vec(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().values().to_vec(),
        other => return Err(Error::internal(format!("{other} is not held as an integer"))),
    })
}

/// Fills `filter` with the build side's keys, whose SQL type is `data_type`. Types that no filter is
/// made of leave it unknown, which lets every row pass.
pub(super) fn publish(filter: &RuntimeFilter, data_type: &DataType, values: &[ArrayRef], check: Check) -> Result<()> {
    let keys: usize = values.iter().map(|array| array.len() - array.null_count()).sum();
    let contents = if keys == 0 {
        Some(Contents::Nothing)
    } else if is_integer_like(data_type) {
        let (contents, sorted) = integer_contents(scale(&storage_type(data_type)), keys, values, check)?;
        list(filter, &sorted, |key| integer_scalar(*key, data_type));
        Some(contents)
    } else if storage_type(data_type) == DataType::Utf8View {
        let mut bloom = Bloom::new(keys);
        let (mut min, mut max): (Option<&str>, Option<&str>) = (None, None);
        for (done, text) in values.iter().flat_map(|array| array.as_string_view().iter().flatten()).enumerate() {
            if done % CHECK_ROWS == 0 {
                check()?;
            }
            bloom.add(hash_bytes(text.as_bytes()));
            min = Some(min.map_or(text, |min| min.min(text)));
            max = Some(max.map_or(text, |max| max.max(text)));
        }
        let sorted = sorted_distinct(values.iter().flat_map(|array| array.as_string_view().iter().flatten()));
        let sorted: Option<Vec<Box<str>>> = sorted.map(|keys| keys.into_iter().map(Box::from).collect());
        list(filter, &sorted, |key| Some(ScalarValue::Utf8View(Some(key.to_string()))));
        let bytes = |text: Option<&str>| text.unwrap_or_default().as_bytes().to_vec();
        Some(Contents::Texts { min: bytes(min), max: bytes(max), bloom, sorted })
    } else {
        None
    };
    if let Some(contents) = contents {
        // A second publication would say the same.
        let _ = filter.contents.set(contents);
    }
    Ok(())
}

/// The distinct keys in order, unless they are many.
fn sorted_distinct<T: Ord + std::hash::Hash>(keys: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let mut distinct = HashSet::new();
    for key in keys {
        distinct.insert(key);
        if distinct.len() > SORTED_KEYS_MAX {
            return None;
        }
    }
    let mut sorted: Vec<T> = distinct.into_iter().collect();
    sorted.sort_unstable();
    Some(sorted)
}

/// Keeps the keys as constants, if they are few.
fn list<T>(filter: &RuntimeFilter, sorted: &Option<Vec<T>>, scalar: impl Fn(&T) -> Option<ScalarValue>) {
    if let Some(sorted) = sorted.as_ref().filter(|sorted| sorted.len() <= LISTED_VALUES_MAX)
        && let Some(keys) = sorted.iter().map(scalar).collect()
    {
        let _ = filter.listed.set(keys);
    }
}

fn integer_scalar(key: i64, data_type: &DataType) -> Option<ScalarValue> {
    Some(match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => ScalarValue::Int64(Some(key)),
        DataType::Date32 => ScalarValue::Date32(Some(i32::try_from(key).ok()?)),
        DataType::Decimal128(precision, scale) => ScalarValue::Decimal128(Some(key.into()), *precision, *scale),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => ScalarValue::TimestampMicrosecond(Some(key), zone.clone()),
        _ => return None,
    })
}

/// The filter, and the distinct keys if they are few.
fn integer_contents(scale: Option<i8>, keys: usize, values: &[ArrayRef], check: Check) -> Result<(Contents, Option<Vec<i64>>)> {
    let mut known = Vec::with_capacity(keys);
    for array in values {
        check()?;
        let integers = integers(array)?;
        match array.nulls() {
            Some(nulls) => known.extend(nulls.valid_indices().map(|row| integers[row])),
            None => known.extend(integers),
        }
    }
    let sorted = sorted_distinct(known.iter().copied());
    let (min, max) = known.iter().fold((i64::MAX, i64::MIN), |(min, max), v| (min.min(*v), max.max(*v)));
    if max.abs_diff(min) < EXACT_SPAN_MAX {
        let mut bits = vec![0u64; (max.abs_diff(min) / 64 + 1) as usize];
        for (done, value) in known.into_iter().enumerate() {
            if done % CHECK_ROWS == 0 {
                check()?;
            }
            let at = value.abs_diff(min);
            bits[(at / 64) as usize] |= 1 << (at % 64);
        }
        return Ok((Contents::Exact { min, max, scale, bits }, sorted));
    }
    let mut bloom = Bloom::new(known.len());
    for known in known.chunks(CHECK_ROWS) {
        check()?;
        known.iter().for_each(|value| bloom.add(hash64(*value as u64)));
    }
    Ok((Contents::Integers { min, max, scale, bloom, sorted: sorted.clone() }, sorted))
}

impl Contents {
    /// Per row whether it may match; NULL never does.
    fn test(&self, array: &ArrayRef) -> Result<BooleanBuffer> {
        let rows = array.len();
        let fits = |wanted: &Option<i8>| is_integer_like(array.data_type()) && scale(array.data_type()) == *wanted;
        let passed = match self {
            Self::Nothing => return Ok(BooleanBuffer::new_unset(rows)),
            Self::Exact { min, max, scale, bits } if fits(scale) => {
                let values = integers(array)?;
                BooleanBuffer::collect_bool(rows, |row| {
                    let value = values[row];
                    value >= *min && value <= *max && {
                        let at = value.abs_diff(*min);
                        bits[(at / 64) as usize] >> (at % 64) & 1 == 1
                    }
                })
            }
            Self::Integers { min, max, scale, bloom, .. } if fits(scale) => {
                let values = integers(array)?;
                BooleanBuffer::collect_bool(rows, |row| {
                    let value = values[row];
                    value >= *min && value <= *max && bloom.has(hash64(value as u64))
                })
            }
            Self::Texts { bloom, .. } if *array.data_type() == DataType::Utf8View => {
                let texts = array.as_string_view();
                BooleanBuffer::collect_bool(rows, |row| texts.is_valid(row) && bloom.has(hash_bytes(texts.value(row).as_bytes())))
            }
            // Values in another form than the keys': everything may match.
            _ => BooleanBuffer::new_set(rows),
        };
        Ok(match array.nulls().map(NullBuffer::inner) {
            Some(valid) => &passed & valid,
            None => passed,
        })
    }
}

fn integer(value: &ScalarValue, wanted: Option<i8>) -> Option<i64> {
    let (value, scale) = match value {
        ScalarValue::Int8(v) => ((*v)?.into(), None),
        ScalarValue::Int16(v) => ((*v)?.into(), None),
        ScalarValue::Int32(v) | ScalarValue::Date32(v) => ((*v)?.into(), None),
        ScalarValue::Int64(v) | ScalarValue::TimestampMicrosecond(v, _) => ((*v)?, None),
        ScalarValue::Decimal64(v, _, scale) => ((*v)?, Some(*scale)),
        ScalarValue::Decimal128(v, _, scale) => (i64::try_from((*v)?).ok()?, Some(*scale)),
        _ => return None,
    };
    (scale == wanted).then_some(value)
}

fn text(value: &ScalarValue) -> Option<&[u8]> {
    match value {
        ScalarValue::Utf8(v) | ScalarValue::Utf8View(v) | ScalarValue::LargeUtf8(v) => v.as_deref().map(str::as_bytes),
        _ => None,
    }
}

impl ScanPredicate for RuntimeFilter {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn describe(&self) -> String {
        self.description.clone()
    }

    fn is_ready(&self) -> bool {
        let tested = self.tested.load(Ordering::Relaxed);
        let useless = tested > JUDGED_ROWS && self.passed.load(Ordering::Relaxed) * 2 > tested;
        self.contents.get().is_some() && !useless
    }

    fn check_bounds(&self, zone: &dyn Bounds) -> Truth {
        let Some(contents) = self.contents.get() else { return Truth::Unknown };
        if matches!(contents, Contents::Nothing) {
            return Truth::Never;
        }
        let bounds = zone.column(self.columns[0]);
        if bounds.null_count.is_some_and(|nulls| nulls == zone.rows()) {
            return Truth::Never;
        }
        let (Some(low), Some(high)) = (&bounds.min, &bounds.max) else { return Truth::Unknown };
        let apart = match contents {
            Contents::Nothing => true,
            Contents::Exact { min, max, scale, bits } => match (integer(low, *scale), integer(high, *scale)) {
                (Some(low), Some(high)) => {
                    let inside = low >= *min && high <= *max && bounds.null_count == Some(0);
                    if inside && all_set(bits, *min, low, high) {
                        return Truth::Always;
                    }
                    !any_set(bits, *min, low.max(*min), high.min(*max))
                }
                _ => false,
            },
            Contents::Integers { min, max, scale, sorted, .. } => match (integer(low, *scale), integer(high, *scale)) {
                (Some(low), Some(high)) => match sorted {
                    Some(keys) => keys.get(keys.partition_point(|key| *key < low)).is_none_or(|key| *key > high),
                    None => high < *min || low > *max,
                },
                _ => false,
            },
            Contents::Texts { min, max, sorted, .. } => match (text(low), text(high)) {
                (Some(low), Some(high)) => match sorted {
                    Some(keys) => {
                        let next = keys.get(keys.partition_point(|key| key.as_bytes() < low));
                        next.is_none_or(|key| key.as_bytes() > high)
                    }
                    None => high < min.as_slice() || low > max.as_slice(),
                },
                _ => false,
            },
        };
        if apart { Truth::Never } else { Truth::Unknown }
    }

    fn version(&self) -> u64 {
        u64::from(self.contents.get().is_some())
    }

    fn equal_to_any(&self) -> Option<Vec<ScalarValue>> {
        self.listed.get().cloned()
    }

    fn evaluate(&self, columns: &[Column], rows: usize) -> Result<BooleanBuffer> {
        let (Some(contents), Some(column)) = (self.contents.get(), columns.first()) else {
            return Ok(BooleanBuffer::new_set(rows));
        };
        let mask = match column {
            Column::Dict(dict) => {
                let passed = dict.dictionary().remember(self.memo, |values| Ok(CodeSet::new(&contents.test(values)?)))?;
                let mask = passed.mask(dict.codes());
                match dict.codes().nulls() {
                    Some(nulls) => &mask & nulls.inner(),
                    None => mask,
                }
            }
            Column::Const(value, _) => match contents.test(value)?.value(0) {
                true => BooleanBuffer::new_set(rows),
                false => BooleanBuffer::new_unset(rows),
            },
            other => contents.test(&other.flat()?)?,
        };
        self.tested.fetch_add(rows as u64, Ordering::Relaxed);
        self.passed.fetch_add(mask.count_set_bits() as u64, Ordering::Relaxed);
        Ok(mask)
    }
}

/// Whether a bit of `bits`, whose first stands for `base`, is set between `low` and `high`.
fn any_set(bits: &[u64], base: i64, low: i64, high: i64) -> bool {
    if low > high {
        return false;
    }
    if high.abs_diff(low) > ZONE_SPAN_MAX {
        return true;
    }
    (low.abs_diff(base)..=high.abs_diff(base)).any(|at| bits[(at / 64) as usize] >> (at % 64) & 1 == 1)
}

/// Whether all bits between `low` and `high`, both inside, are set.
fn all_set(bits: &[u64], base: i64, low: i64, high: i64) -> bool {
    high.abs_diff(low) <= ZONE_SPAN_MAX
        && (low.abs_diff(base)..=high.abs_diff(base)).all(|at| bits[(at / 64) as usize] >> (at % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ColumnBounds;
    use arrow::array::{Int64Array, StringViewArray};

    struct Zone(ScalarValue, ScalarValue);

    impl Bounds for Zone {
        fn rows(&self) -> u64 {
            10
        }
        fn column(&self, _: usize) -> ColumnBounds {
            ColumnBounds { min: Some(self.0.clone()), max: Some(self.1.clone()), null_count: Some(0) }
        }
    }

    fn mask(filter: &RuntimeFilter, array: ArrayRef) -> Vec<bool> {
        let rows = array.len();
        filter.evaluate(&[Column::Flat(array)], rows).unwrap().iter().collect()
    }

    #[test]
    fn integers_pass_by_value() {
        for far in [0, i64::MAX / 2] {
            let filter = RuntimeFilter::new(0, String::new());
            assert!(!filter.is_ready());
            let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(10), None, Some(70), Some(70 + far)]));
            publish(&filter, &DataType::Int64, &[keys], &|| Ok(())).unwrap();
            assert!(filter.is_ready());
            let probe: ArrayRef = Arc::new(Int64Array::from(vec![Some(10), None, Some(9), Some(70)]));
            assert_eq!(mask(&filter, probe), [true, false, false, true]);
            let zone = |low: i64, high: i64| filter.check_bounds(&Zone(low.into(), high.into()));
            assert_eq!(zone(-5, 9), Truth::Never);
            assert_eq!(zone(-5, 10), Truth::Unknown);
            assert_eq!(zone(11, 69), Truth::Never);
            assert_eq!(zone(10, 10), if far == 0 { Truth::Always } else { Truth::Unknown });
            let listed: Vec<ScalarValue> =
                if far == 0 { vec![10i64.into(), 70i64.into()] } else { vec![10i64.into(), 70i64.into(), (70 + far).into()] };
            assert_eq!(filter.equal_to_any(), Some(listed));
        }
    }

    #[test]
    fn an_empty_build_side_lets_nothing_pass() {
        let filter = RuntimeFilter::new(0, String::new());
        publish(&filter, &DataType::Int64, &[], &|| Ok(())).unwrap();
        assert_eq!(filter.check_bounds(&Zone(0i64.into(), 9i64.into())), Truth::Never);
        assert_eq!(mask(&filter, Arc::new(Int64Array::from(vec![1]))), [false]);
    }

    #[test]
    fn dictionaries_are_tested_once_a_value() {
        let filter = RuntimeFilter::new(0, String::new());
        let keys: ArrayRef = Arc::new(StringViewArray::from(vec!["b", "d"]));
        publish(&filter, &DataType::Utf8View, &[keys], &|| Ok(())).unwrap();
        let values: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b", "c"]));
        let codes = arrow::array::UInt32Array::from(vec![Some(1), None, Some(0), Some(1)]);
        let column = Column::Dict(crate::column::DictColumn::new(codes, Arc::new(Dictionary::new(values))));
        let passed: Vec<bool> = filter.evaluate(&[column], 4).unwrap().iter().collect();
        assert_eq!(passed, [true, false, false, true]);
        assert_eq!(filter.check_bounds(&Zone(ScalarValue::from("e"), ScalarValue::from("f"))), Truth::Never);
    }
}
