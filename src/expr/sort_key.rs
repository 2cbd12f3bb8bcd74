//! Sort keys as bytes whose order is the rows' order.
//!
//! Comparing rows column by column costs a branch a column; comparing bytes is one `memcmp`. Rows
//! are encoded by Arrow's row format after floats were brought to one zero and one NaN, and the
//! first key's order is also put into a `u64` a row, so that most comparisons touch nothing else.
//!
//! ```text
//!   prefix:  | null? 1 bit |  63 bits of the value, order-preserving, inverted when descending |
//! ```
//!
//! NULLs stand first or last as asked; NaN is the largest value; -0.0 equals 0.0.

use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::compute::SortOptions;
use arrow::datatypes::*;
use arrow::row::{RowConverter, Rows, SortField};
use std::sync::Arc;

/// Encodes rows of sort keys.
#[derive(Debug)]
pub struct SortKeyEncoder {
    keys: Vec<(DataType, bool, bool)>,
    converter: RowConverter,
}

impl SortKeyEncoder {
    /// Keys, major first: SQL type, whether descending, whether NULLs come first.
    pub fn new(keys: Vec<(DataType, bool, bool)>) -> Result<Self> {
        let fields = keys.iter().map(|(data_type, descending, nulls_first)| {
            let options = SortOptions { descending: *descending, nulls_first: *nulls_first };
            SortField::new_with_options(storage_type(data_type), options)
        });
        let converter = RowConverter::new(fields.collect())?;
        Ok(Self { keys, converter })
    }

    /// The keys of every row as bytes that compare as the rows do. Rows of several calls compare
    /// with each other.
    pub fn rows(&self, columns: &[Column]) -> Result<Rows> {
        let keys = columns.iter().zip(&self.keys);
        let arrays =
            keys.map(|(column, (data_type, ..))| Ok(normalised(&column.stored(data_type)?))).collect::<Result<Vec<_>>>()?;
        if arrays.len() != self.keys.len() {
            return Err(Error::internal("sort columns do not match the sort keys"));
        }
        Ok(self.converter.convert_columns(&arrays)?)
    }

    /// Whether rows with equal prefixes have equal first keys, whatever the values.
    pub fn is_prefix_exact(&self) -> bool {
        use DataType as T;
        match self.keys.first() {
            Some((data_type, ..)) => {
                matches!(data_type, T::Boolean | T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32)
                    || matches!(data_type, T::Date32 | T::Float32)
                    // At most 18 digits fit 61 bits; 63 are kept.
                    || crate::column::is_narrow_decimal(data_type)
            }
            None => true,
        }
    }

    /// A number a row that orders rows by the first key, its NULL placement included: a smaller
    /// prefix comes first; equal ones decide nothing unless [`SortKeyEncoder::is_prefix_exact`].
    pub fn prefixes(&self, first: &Column) -> Result<Vec<u64>> {
        let Some((data_type, descending, nulls_first)) = self.keys.first() else {
            return Ok(vec![0; first.len()]);
        };
        let array = first.stored(data_type)?;
        let mut prefixes = ordered(&array);
        // The value in the lower 63 bits, the null bit above.
        let flip = if *descending { u64::MAX >> 1 } else { 0 };
        let (null, valid) = if *nulls_first { (0, 1 << 63) } else { (1 << 63, 0) };
        prefixes.iter_mut().for_each(|prefix| *prefix = ((*prefix >> 1) ^ flip) | valid);
        if let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            for (row, prefix) in prefixes.iter_mut().enumerate() {
                if nulls.is_null(row) {
                    *prefix = null;
                }
            }
        }
        Ok(prefixes)
    }
}

/// Order-preserving 64 bits of every value, most significant bits first; zeros where a type has none.
fn ordered(array: &ArrayRef) -> Vec<u64> {
    const SIGN: u64 = 1 << 63;
    macro_rules! ints {
        ($t:ty, $shift:expr) => {
            array.as_primitive::<$t>().values().iter().map(|&v| ((i64::from(v) as u64) << $shift) ^ SIGN).collect()
        };
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().values().iter().map(|v| u64::from(v) << 63).collect(),
        DataType::Int8 => ints!(Int8Type, 56),
        DataType::Int16 => ints!(Int16Type, 48),
        DataType::Int32 => ints!(Int32Type, 32),
        DataType::Date32 => ints!(Date32Type, 32),
        DataType::Int64 => ints!(Int64Type, 0),
        DataType::Timestamp(TimeUnit::Microsecond, _) => ints!(TimestampMicrosecondType, 0),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().values().iter().map(|&v| u64::from(v) << 56).collect(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().values().iter().map(|&v| u64::from(v) << 48).collect(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().values().iter().map(|&v| u64::from(v) << 32).collect(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().values().to_vec(),
        // 18 digits fit 61 bits: shifted by one they still keep their order and lose nothing.
        DataType::Decimal64(..) => array
            .as_primitive::<Decimal64Type>()
            .values()
            .iter()
            .map(|&v| (v.clamp(i64::MIN / 2, i64::MAX / 2) as u64) << 1 ^ SIGN)
            .collect(),
        // Most values fit 64 bits; larger ones saturate, which keeps the order.
        DataType::Decimal128(..) => {
            let narrow = |v: i128| (v.clamp(i64::MIN.into(), i64::MAX.into()) as u64) ^ SIGN;
            array.as_primitive::<Decimal128Type>().values().iter().map(|&v| narrow(v)).collect()
        }
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().values().iter().map(|&v| u64::from(ordered32(v)) << 32).collect()
        }
        DataType::Float64 => array.as_primitive::<Float64Type>().values().iter().map(|&v| ordered64(v)).collect(),
        DataType::Utf8View => {
            let array = array.as_string_view();
            (0..array.len()).map(|row| first_bytes(if array.is_null(row) { &[] } else { array.value(row).as_bytes() })).collect()
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            (0..array.len()).map(|row| first_bytes(if array.is_null(row) { &[] } else { array.value(row) })).collect()
        }
        _ => vec![0; array.len()],
    }
}

/// The first eight bytes, shorter values filled with zeros.
fn first_bytes(value: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = value.len().min(8);
    bytes[..len].copy_from_slice(&value[..len]);
    u64::from_be_bytes(bytes)
}

fn ordered64(value: f64) -> u64 {
    let value = normal64(value);
    let bits = value.to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | (1 << 63))
}

fn ordered32(value: f32) -> u32 {
    let bits = normal32(value).to_bits();
    bits ^ (((bits as i32 >> 31) as u32) | (1 << 31))
}

/// One zero and one (positive, hence largest) NaN.
fn normal64(value: f64) -> f64 {
    if value.is_nan() { f64::NAN.abs() } else { value + 0.0 }
}

fn normal32(value: f32) -> f32 {
    if value.is_nan() { f32::NAN.abs() } else { value + 0.0 }
}

fn normalised(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            let normal: Float64Array = array.as_primitive::<Float64Type>().unary(normal64);
            Arc::new(normal)
        }
        DataType::Float32 => {
            let normal: Float32Array = array.as_primitive::<Float32Type>().unary(normal32);
            Arc::new(normal)
        }
        _ => array.clone(),
    }
}

#[cfg(test)]
#[path = "sort_key_tests.rs"]
mod tests;
