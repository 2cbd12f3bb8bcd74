//! Bloom filters of column chunks: is a value surely not there?
//!
//! Problem: `key = 4711` meets the bounds of most row groups when keys are spread. A split-block
//! filter is an array of blocks of eight 32-bit words; a value chooses one block by the upper half
//! of its hash and one bit in each of the block's words by the lower half. So a look-up reads the
//! header and 32 bytes for each value, never the whole filter.
//!
//! ```text
//!   file: .. | header: bytes, kinds | block 0 | block 1 | .. | block n-1 | ..
//!                        xxh64(value) >> 32, times n >> 32 ──^   8 bits of it all set? maybe
//! ```
//!
//! Cost: a read of 64 bytes a chunk and of 32 bytes a value. NULL: not in filters, equals nothing.
//! Putze, Sanders, Singler: "Cache-, Hash- and Space-Efficient Bloom Filters", WEA 2007.

use super::file_schema::FileColumn;
use super::footer::Footer;
use super::kind::Kind;
use super::page_header::{Compact, I32, STRUCT};
use crate::error::Result;
use crate::format::source::ByteSource;
use crate::layout::LISTED_VALUES_MAX;
use ::parquet::file::metadata::ColumnChunkMetaData;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue as S;
use std::ops::Range;
use twox_hash::XxHash64;

/// Bytes of a block.
const BLOCK_BYTES: u64 = 32;
/// Bytes read for a header, which takes about 20.
const HEADER_BYTES: u64 = 64;
/// Odd numbers that spread the lower half of a hash over the words of a block, from the format.
const SALT: [u32; 8] = [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// Whether the chunk may hold one of `values`, which are in the table's type. Without a filter that
/// can be read, it may.
pub(super) fn may_hold(
    source: &dyn ByteSource,
    footer: &Footer,
    row_group: usize,
    column: &FileColumn,
    values: &[S],
) -> Result<bool> {
    let Some((kind, leaf)) = column.kind.zip(column.leaf) else { return Ok(true) };
    let chunk = footer.row_group(row_group).column(leaf);
    if values.len() > LISTED_VALUES_MAX || chunk.bloom_filter_offset().is_none() {
        return Ok(true);
    }
    let mut hashes = Vec::with_capacity(values.len());
    for value in values {
        match stored_forms(value, kind, &column.data_type) {
            Some(forms) => hashes.extend(forms.iter().map(|bytes| XxHash64::oneshot(0, bytes))),
            None => return Ok(true),
        }
    }
    if hashes.is_empty() {
        // None of the values exists in the file's type.
        return Ok(false);
    }
    let Some((start, blocks)) = bitset(source, chunk)? else { return Ok(true) };
    let block = |hash: u64| -> Range<u64> {
        let at = start + (((hash >> 32) * blocks) >> 32) * BLOCK_BYTES;
        at..at + BLOCK_BYTES
    };
    let ranges: Vec<_> = hashes.iter().map(|hash| block(*hash)).collect();
    let blocks = source.read_ranges(&ranges)?;
    Ok(hashes.iter().zip(&blocks).any(|(hash, block)| all_set(block, *hash as u32)))
}

/// Where the blocks start and how many there are; none when the filter is of another kind or
/// damaged.
fn bitset(source: &dyn ByteSource, chunk: &ColumnChunkMetaData) -> Result<Option<(u64, u64)>> {
    let Some(offset) = chunk.bloom_filter_offset().and_then(|offset| u64::try_from(offset).ok()) else { return Ok(None) };
    let place = offset..offset.saturating_add(HEADER_BYTES).min(source.len());
    if place.is_empty() {
        return Ok(None);
    }
    let header = source.read_ranges(&[place])?;
    let Some((bytes, length)) = header.first().and_then(|bytes| parse_header(bytes)) else { return Ok(None) };
    let start = offset + length;
    let fits = bytes > 0 && bytes.is_multiple_of(BLOCK_BYTES) && start.checked_add(bytes).is_some_and(|end| end <= source.len());
    Ok(fits.then_some((start, bytes / BLOCK_BYTES)))
}

/// Bytes of the bitset and of the header itself.
fn parse_header(bytes: &[u8]) -> Option<(u64, u64)> {
    // BloomFilterHeader { 1: bytes, 2: algorithm, 3: hash, 4: compression }; the last three are
    // unions of which the first member is the only one there is.
    let mut reader = Compact::new(bytes);
    let (mut field, mut size) = (0, None);
    for wanted in 1..=4 {
        let kind = reader.field(&mut field)??;
        match (field, kind) {
            (1, I32) if wanted == 1 => size = u64::try_from(reader.zigzag()?).ok(),
            (_, STRUCT) if field == wanted => {
                let mut member = 0;
                if reader.field(&mut member)?? != STRUCT || member != 1 {
                    return None;
                }
                // Both the member and the union end.
                if reader.byte()? != 0 || reader.byte()? != 0 {
                    return None;
                }
            }
            _ => return None,
        }
    }
    if reader.byte()? != 0 {
        return None;
    }
    Some((size?, (bytes.len() - reader.rest().len()) as u64))
}

fn all_set(block: &[u8], hash: u32) -> bool {
    block.chunks_exact(4).zip(SALT).all(|(word, salt)| {
        let word = word.iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        word >> (hash.wrapping_mul(salt) >> 27) & 1 == 1
    })
}

/// The bytes that values equal to `value` have in the file, none when it cannot occur there. None:
/// not known.
fn stored_forms(value: &S, kind: Kind, column: &DataType) -> Option<Vec<Vec<u8>>> {
    let one = |bytes: &[u8]| Some(vec![bytes.to_vec()]);
    let absent = || Some(Vec::new());
    macro_rules! whole {
        ($native:ty) => {
            match digits(value, column)? {
                None => absent(),
                Some(value) => <$native>::try_from(value).map_or_else(|_| absent(), |value| one(&value.to_le_bytes())),
            }
        };
    }
    match kind {
        Kind::Int32 | Kind::Int32To8 | Kind::Int32To16 | Kind::Int32To64 | Kind::Int32To128 => whole!(i32),
        Kind::Unsigned8To16 | Kind::Unsigned16To32 | Kind::Unsigned32To64 => whole!(u32),
        Kind::Int64 | Kind::Int64To128 => whole!(i64),
        Kind::Unsigned64To128 => whole!(u64),
        Kind::MillisToMicros => match digits(value, column)?? {
            micros if micros % 1000 == 0 => {
                i64::try_from(micros / 1000).map_or_else(|_| absent(), |value| one(&value.to_le_bytes()))
            }
            _ => absent(),
        },
        Kind::Float32 | Kind::Float64 => {
            let number = match value {
                S::Float32(value) => f64::from((*value)?),
                S::Float64(value) => (*value)?,
                _ => return None,
            };
            let wide = kind == Kind::Float64;
            let bytes = |number: f64| if wide { number.to_le_bytes().to_vec() } else { (number as f32).to_le_bytes().to_vec() };
            match number {
                // NaN has many forms.
                _ if number.is_nan() => None,
                0.0 => Some(vec![bytes(0.0), bytes(-0.0)]),
                _ if !wide && f64::from(number as f32) != number => absent(),
                _ => Some(vec![bytes(number)]),
            }
        }
        Kind::FixedTo64(width) | Kind::FixedTo128(width) => {
            let Some(value) = digits(value, column)? else { return absent() };
            let bytes = value.to_be_bytes();
            let (sign, kept) = bytes.split_at(bytes.len().checked_sub(width)?);
            let fill = if value < 0 { 0xff } else { 0 };
            let fits =
                sign.iter().all(|byte| *byte == fill) && kept.first().is_some_and(|first| (first & 0x80 != 0) == (value < 0));
            if fits { one(kept) } else { absent() }
        }
        Kind::Bytes(length) => {
            let bytes = match value {
                S::Utf8(value) | S::Utf8View(value) | S::LargeUtf8(value) => value.as_deref()?.as_bytes(),
                S::Binary(value) | S::BinaryView(value) | S::LargeBinary(value) => value.as_deref()?,
                _ => return None,
            };
            if length.is_none_or(|length| length == bytes.len()) { one(bytes) } else { absent() }
        }
        // Several stored values round to one, or hardly any writer makes filters of them.
        Kind::NanosToMicros | Kind::Int96ToMicros | Kind::Float16To32 | Kind::Boolean | Kind::DecimalBytes(_) => None,
    }
}

/// The whole number by which a column of type `column` stores `value`; inner none when it cannot.
fn digits(value: &S, column: &DataType) -> Option<Option<i128>> {
    let (number, scale) = match value {
        S::Int8(value) => (i128::from((*value)?), 0),
        S::Int16(value) => (i128::from((*value)?), 0),
        S::Int32(value) | S::Date32(value) => (i128::from((*value)?), 0),
        S::Int64(value) => (i128::from((*value)?), 0),
        S::TimestampMicrosecond(value, _) => (i128::from((*value)?), 0),
        S::Decimal32(value, _, scale) => (i128::from((*value)?), *scale),
        S::Decimal64(value, _, scale) => (i128::from((*value)?), *scale),
        S::Decimal128(value, _, scale) => ((*value)?, *scale),
        _ => return None,
    };
    // A date means another number in a column of timestamps, and so on.
    let same_sort = match column {
        DataType::Decimal128(..) | DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            !matches!(value, S::Date32(_) | S::TimestampMicrosecond(..))
        }
        DataType::Date32 => matches!(value, S::Date32(_)),
        DataType::Timestamp(..) => matches!(value, S::TimestampMicrosecond(..)),
        _ => false,
    };
    if !same_sort {
        return None;
    }
    let wanted = if let DataType::Decimal128(_, scale) = column { *scale } else { 0 };
    let power = 10i128.checked_pow(u32::from(wanted.abs_diff(scale)))?;
    Some(if wanted >= scale { number.checked_mul(power) } else { (number % power == 0).then_some(number / power) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::to_plan_type;
    use crate::format::parquet::{RowGroup, testing};
    use arrow::array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
    use arrow::compute;
    use arrow::datatypes::TimeUnit;
    use std::path::Path;
    use std::sync::Arc;

    /// Every value of every type is found in the filter that the crate writes; most others are not.
    #[test]
    fn no_value_is_missed() {
        let ints: ArrayRef = Arc::new((0..100).map(|row| (row % 9 != 0).then_some(row * 7 - 200)).collect::<Int64Array>());
        let positive: ArrayRef = Arc::new((0..100).map(|row| Some(row * 7)).collect::<Int64Array>());
        let cast = |of: &ArrayRef, to: DataType| compute::cast(of, &to).unwrap();
        let hundred: ArrayRef = Arc::new((0..100).map(Some).collect::<Int64Array>());
        let small = |to: DataType| cast(&hundred, to);
        let fixed = FixedSizeBinaryArray::try_from_iter((0..100u8).map(|row| [row; 5])).unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("i8", small(DataType::Int8)),
            ("i16", cast(&ints, DataType::Int16)),
            ("i32", cast(&ints, DataType::Int32)),
            ("i64", ints.clone()),
            ("u8", small(DataType::UInt8)),
            ("u32", cast(&positive, DataType::UInt32)),
            ("u64", cast(&positive, DataType::UInt64)),
            ("f32", cast(&ints, DataType::Float32)),
            ("f64", cast(&ints, DataType::Float64)),
            ("date", cast(&cast(&ints, DataType::Int32), DataType::Date32)),
            ("ms", cast(&ints, DataType::Timestamp(TimeUnit::Millisecond, None))),
            ("us", cast(&ints, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))),
            ("d9", cast(&ints, DataType::Decimal128(9, 2))),
            ("d15", cast(&ints, DataType::Decimal128(15, 2))),
            ("d30", cast(&ints, DataType::Decimal128(30, 2))),
            ("text", Arc::new((0..100).map(|row| Some(format!("é{row}"))).collect::<StringArray>())),
            ("fixed", Arc::new(fixed)),
        ];
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
        let directory = tempfile::tempdir().unwrap();
        let path: Arc<Path> = directory.path().join("bloom.parquet").into();
        testing::write_with(&path, &[batch.unwrap()], 50, &names, &[]);
        let (_, footer) = Footer::open(&path).unwrap();
        let mut group = RowGroup::open(&path, &footer, 0, 0..100, false).unwrap();
        for (at, name) in names.iter().enumerate() {
            let data_type = &footer.columns()[at].data_type;
            let mut cursor = group.open_columns(&[at]).unwrap().0.remove(0);
            let values = to_plan_type(&cursor.read(100).unwrap().flat().unwrap(), data_type).unwrap();
            for row in 0..100 {
                let value = S::try_from_array(&values, row).unwrap();
                if !value.is_null() {
                    assert!(group.may_hold(at, std::slice::from_ref(&value)).unwrap(), "{name}: {value}");
                }
            }
            if values.data_type().is_numeric() {
                let found = (0..50).filter(|extra| {
                    let absent: ArrayRef = Arc::new(Int64Array::from(vec![101 + extra % 20]));
                    let absent = S::try_from_array(&cast(&absent, data_type.clone()), 0).unwrap();
                    let there = (0..100).any(|row| S::try_from_array(&values, row).unwrap() == absent);
                    !there && group.may_hold(at, &[absent]).unwrap()
                });
                assert!(found.count() < 10, "{name}: the filter rules nothing out");
            }
        }
        assert!(group.may_hold(0, &vec![S::Int64(Some(120)); LISTED_VALUES_MAX + 1]).unwrap(), "too many to look up");
    }

    #[test]
    fn headers_are_understood_or_refused() {
        let header = [0x15, 0x80, 0x10, 0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0, 7, 7];
        assert_eq!(parse_header(&header), Some((1024, 16)));
        assert_eq!(parse_header(&header[..15]), None);
        let mut other = header;
        other[4] = 0x2c;
        assert_eq!(parse_header(&other), None, "another algorithm");
    }

    #[test]
    fn values_are_looked_up_as_they_are_stored() {
        let decimal = |value, scale| S::Decimal128(Some(value), 18, scale);
        let column = DataType::Decimal128(9, 2);
        assert_eq!(stored_forms(&decimal(-15, 1), Kind::FixedTo64(3), &column), Some(vec![vec![0xff, 0xff, 0x6a]]));
        assert_eq!(stored_forms(&decimal(-15, 1), Kind::Int32To64, &column), Some(vec![(-150i32).to_le_bytes().to_vec()]));
        assert_eq!(stored_forms(&decimal(1, 3), Kind::Int64, &column), Some(vec![]), "no third digit there");
        assert_eq!(stored_forms(&decimal(40_000, 2), Kind::FixedTo64(2), &column), Some(vec![]), "too large");
        assert_eq!(stored_forms(&S::Int64(Some(1 << 40)), Kind::Int32, &DataType::Int32), Some(vec![]));
        assert_eq!(stored_forms(&S::Float64(Some(0.0)), Kind::Float64, &DataType::Float64).map(|forms| forms.len()), Some(2));
        assert_eq!(stored_forms(&S::Float64(Some(f64::NAN)), Kind::Float64, &DataType::Float64), None);
        assert_eq!(stored_forms(&S::Date32(Some(1)), Kind::Int64, &DataType::Timestamp(TimeUnit::Microsecond, None)), None);
    }
}
