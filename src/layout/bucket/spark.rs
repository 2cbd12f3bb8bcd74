//! Spark's bucket hash: Murmur3 with seed 42, each column seeding the next one's hash.

use super::murmur::{spark_bytes, spark_int, spark_long};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};

/// The seed of the first column.
pub(super) const SEED: u32 = 42;

/// Whether columns of this type (as chunks store them) can be hashed.
pub(super) fn supports(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => supports(item.data_type()),
        other => matches!(
            other,
            DataType::Boolean
                | DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Float32
                | DataType::Float64
                | DataType::Date32
                | DataType::Timestamp(TimeUnit::Microsecond, _)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Utf8View
                | DataType::BinaryView
        ),
    }
}

/// Mixes a column into the hashes of its rows. NULL leaves a hash as it is.
pub(super) fn update(array: &ArrayRef, hashes: &mut [u32]) -> Result<()> {
    let nulls = array.logical_nulls();
    let mut each = |step: &dyn Fn(usize, u32) -> u32| {
        for (row, hash) in hashes.iter_mut().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                *hash = step(row, *hash);
            }
        }
    };
    macro_rules! values {
        ($type:ty) => {
            array.as_primitive::<$type>().values()
        };
    }
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean().values();
            each(&|row, hash| spark_int(i32::from(values.value(row)), hash));
        }
        DataType::Int8 => each(&|row, hash| spark_int(values!(Int8Type)[row].into(), hash)),
        DataType::Int16 => each(&|row, hash| spark_int(values!(Int16Type)[row].into(), hash)),
        DataType::Int32 => each(&|row, hash| spark_int(values!(Int32Type)[row], hash)),
        DataType::Date32 => each(&|row, hash| spark_int(values!(Date32Type)[row], hash)),
        DataType::Int64 => each(&|row, hash| spark_long(values!(Int64Type)[row], hash)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            each(&|row, hash| spark_long(values!(TimestampMicrosecondType)[row], hash));
        }
        DataType::Float32 => each(&|row, hash| spark_int(float_bits(values!(Float32Type)[row]), hash)),
        DataType::Float64 => each(&|row, hash| spark_long(double_bits(values!(Float64Type)[row]), hash)),
        DataType::Decimal64(..) => each(&|row, hash| spark_long(values!(Decimal64Type)[row], hash)),
        DataType::Decimal128(precision, _) => {
            let long = *precision <= 18;
            each(&|row, hash| {
                let value = values!(Decimal128Type)[row];
                if long { spark_long(value as i64, hash) } else { spark_bytes(shortest(&value.to_be_bytes()), hash) }
            });
        }
        DataType::Utf8View => {
            let values = array.as_string_view();
            each(&|row, hash| spark_bytes(values.value(row).as_bytes(), hash));
        }
        DataType::BinaryView => {
            let values = array.as_binary_view();
            each(&|row, hash| spark_bytes(values.value(row), hash));
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            for (row, hash) in hashes.iter_mut().enumerate().filter(|(row, _)| lists.is_valid(*row)) {
                let items = lists.value(row);
                for item in 0..items.len() {
                    update(&items.slice(item, 1), std::slice::from_mut(hash))?;
                }
            }
        }
        other => return Err(Error::internal(format!("no bucket hash of {other}"))),
    }
    Ok(())
}

/// The bits of a float with one zero and one NaN.
pub(super) fn float_bits(value: f32) -> i32 {
    let value = if value.is_nan() { f32::NAN } else { value + 0.0 };
    value.to_bits() as i32
}

/// The bits of a double with one zero and one NaN.
pub(super) fn double_bits(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
    value.to_bits() as i64
}

/// A big-endian two's complement number without the bytes that only repeat its sign.
fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut start = 0;
    while start < 15 && bytes[start] == sign && (bytes[start + 1] ^ sign) & 0x80 == 0 {
        start += 1;
    }
    &bytes[start..]
}
