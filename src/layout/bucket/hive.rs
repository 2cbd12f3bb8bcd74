//! Hive's bucket hashes: version 1 from Java's hash codes, version 2 from Murmur3.
//!
//! Columns combine as `31 * h + f` in both; NULL counts as 0. DECIMAL, TIMESTAMP and BINARY keys are
//! not hashed here: a table bucketed by them is treated as unbucketed.

use super::murmur::hive_bytes;
use super::spark::{double_bits, float_bits};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};

/// The seed of version 2.
const SEED: u32 = 104_729;

/// Whether columns of this type (as chunks store them) can be hashed.
pub(super) fn supports(data_type: &DataType) -> bool {
    use DataType::{Boolean, Date32, Float32, Float64, Int8, Int16, Int32, Int64, Utf8View};
    matches!(data_type, Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Date32 | Utf8View)
}

/// Folds a column into the hashes of its rows.
pub(super) fn update(array: &ArrayRef, second: bool, hashes: &mut [u32]) -> Result<()> {
    let nulls = array.logical_nulls();
    let mut each = |field: &dyn Fn(usize) -> u32| {
        for (row, hash) in hashes.iter_mut().enumerate() {
            let value = if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) { field(row) } else { 0 };
            *hash = hash.wrapping_mul(31).wrapping_add(value);
        }
    };
    macro_rules! values {
        ($type:ty) => {
            array.as_primitive::<$type>().values()
        };
    }
    let int = |value: i32| if second { hive_bytes(&value.to_be_bytes(), SEED) } else { value as u32 };
    let long = |value: i64| if second { hive_bytes(&value.to_be_bytes(), SEED) } else { folded(value) };
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean().values();
            each(&|row| u32::from(values.value(row)));
        }
        DataType::Int8 => each(&|row| i32::from(values!(Int8Type)[row]) as u32),
        DataType::Int16 => each(&|row| {
            let value = values!(Int16Type)[row];
            if second { hive_bytes(&value.to_be_bytes(), SEED) } else { i32::from(value) as u32 }
        }),
        DataType::Int32 => each(&|row| int(values!(Int32Type)[row])),
        DataType::Date32 => each(&|row| int(values!(Date32Type)[row])),
        DataType::Int64 => each(&|row| long(values!(Int64Type)[row])),
        // Version 2 turns the bits, as a number, into a float again before it hashes.
        DataType::Float32 => each(&|row| {
            let bits = float_bits(values!(Float32Type)[row]);
            if second { hive_bytes(&(bits as f32).to_be_bytes(), SEED) } else { bits as u32 }
        }),
        DataType::Float64 => each(&|row| {
            let bits = double_bits(values!(Float64Type)[row]);
            if second { hive_bytes(&(bits as f64).to_be_bytes(), SEED) } else { folded(bits) }
        }),
        DataType::Utf8View => {
            let values = array.as_string_view();
            each(&|row| {
                let bytes = values.value(row).as_bytes();
                if second { hive_bytes(bytes, SEED) } else { polynomial(bytes) }
            });
        }
        other => return Err(Error::internal(format!("no bucket hash of {other}"))),
    }
    Ok(())
}

/// Both halves of a long, one over the other.
fn folded(value: i64) -> u32 {
    (value as u64 >> 32) as u32 ^ value as u32
}

/// Java's string hash, over signed UTF-8 bytes.
fn polynomial(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(31).wrapping_add(i32::from(*byte as i8) as u32))
}
