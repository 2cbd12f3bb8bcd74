//! Group keys as values that compare and hash fast.
//!
//! Keys of at most 64 bits together (a NULL bit each) become a `u64`, at most 128 a `u128`, others
//! bytes. A single 64-bit key leaves no bit for NULL: its NULL rows are marked beside the keys and
//! have one group of their own. Equal keys give equal encodings: NULLs are equal, -0.0 is 0.0 and
//! every NaN is the same. The form depends on the types alone, so it is the same in every chunk.

use crate::column::Column;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::*;
use arrow::row::{RowConverter, SortField};
use std::hash::{BuildHasher, Hasher};

/// Which form the keys take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One key of 64 bits, NULLs aside.
    Single,
    Fixed64,
    Fixed128,
    Bytes,
}

/// Keys of some rows.
#[derive(Debug)]
pub(super) enum EncodedKeys {
    /// One number a row, and which rows are not NULL.
    Fixed64(Vec<u64>, Option<NullBuffer>),
    /// One number a row.
    Fixed128(Vec<u128>),
    /// The bytes of row `i` are those from `offsets[i]` to `offsets[i + 1]`.
    Bytes { offsets: Vec<usize>, data: Vec<u8> },
}

/// Encodes the keys of one grouping.
#[derive(Debug, Clone)]
pub(super) struct KeyColumns {
    types: Vec<DataType>,
    form: Form,
}

impl KeyColumns {
    /// Keys of these SQL types.
    pub(super) fn new(types: Vec<DataType>) -> Self {
        let widths: Option<Vec<usize>> = types.iter().map(bits).collect();
        let form = match widths {
            Some(widths) if widths.len() == 1 && widths[0] == 64 => Form::Single,
            Some(widths) => match widths.iter().map(|bits| bits + 1).sum() {
                0..=64 => Form::Fixed64,
                65..=128 => Form::Fixed128,
                _ => Form::Bytes,
            },
            None => Form::Bytes,
        };
        Self { types, form }
    }

    /// No rows, in the form that [`KeyColumns::encode`] gives.
    pub(super) fn empty(&self) -> EncodedKeys {
        match self.form {
            Form::Single | Form::Fixed64 => EncodedKeys::Fixed64(Vec::new(), None),
            Form::Fixed128 => EncodedKeys::Fixed128(Vec::new()),
            Form::Bytes => EncodedKeys::Bytes { offsets: vec![0], data: Vec::new() },
        }
    }

    /// The keys of `rows` rows.
    pub(super) fn encode(&self, columns: &[Column], rows: usize) -> Result<EncodedKeys> {
        match self.form {
            Form::Single => {
                let array = columns[0].flat()?;
                let mut keys = vec![0; rows];
                pack(&array, |row, value, _| keys[row] = value as u64)?;
                let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
                Ok(EncodedKeys::Fixed64(keys, nulls))
            }
            Form::Fixed64 => {
                let mut keys = vec![0_u64; rows];
                for (column, data_type) in columns.iter().zip(&self.types) {
                    let width = bits(data_type).unwrap_or(63) as u32;
                    pack(&column.flat()?, |row, value, valid| {
                        let field = if valid { (value as u64) << 1 | 1 } else { 0 };
                        keys[row] = keys[row] << (width + 1) | field;
                    })?;
                }
                Ok(EncodedKeys::Fixed64(keys, None))
            }
            Form::Fixed128 => {
                let mut keys = vec![0_u128; rows];
                for (column, data_type) in columns.iter().zip(&self.types) {
                    let width = bits(data_type).unwrap_or(64) as u32;
                    pack(&column.flat()?, |row, value, valid| {
                        let field = if valid { value << 1 | 1 } else { 0 };
                        keys[row] = keys[row] << (width + 1) | field;
                    })?;
                }
                Ok(EncodedKeys::Fixed128(keys))
            }
            Form::Bytes => self.encode_bytes(columns, rows),
        }
    }

    fn encode_bytes(&self, columns: &[Column], rows: usize) -> Result<EncodedKeys> {
        let mut parts = Vec::with_capacity(columns.len());
        for (column, data_type) in columns.iter().zip(&self.types) {
            parts.push(part(column, data_type)?);
        }
        // Lengths first, then every column writes at its rows' places.
        let fixed: usize = parts.iter().map(Part::fixed_len).sum();
        let mut ends = vec![fixed; rows];
        for part in &parts {
            if let Part::Variable(array) = part {
                let offsets = array.value_offsets();
                for (row, end) in ends.iter_mut().enumerate() {
                    *end += (offsets[row + 1] - offsets[row]) as usize;
                }
            }
        }
        let mut offsets = Vec::with_capacity(rows + 1);
        let mut total = 0;
        offsets.push(0);
        for len in &ends {
            total += len;
            offsets.push(total);
        }
        let mut data = vec![0; total];
        let mut at: Vec<usize> = offsets[..rows].to_vec();
        for part in &parts {
            match part {
                Part::Narrow(values) => put::<8>(&mut data, &mut at, values.iter().map(|v| v.map(u64::to_le_bytes))),
                Part::Wide(values) => put::<16>(&mut data, &mut at, values.iter().map(|v| v.map(u128::to_le_bytes))),
                Part::Variable(array) => {
                    for (row, at) in at.iter_mut().enumerate() {
                        if array.is_null(row) {
                            *at += 5;
                            continue;
                        }
                        let bytes = array.value(row);
                        data[*at] = 1;
                        data[*at + 1..*at + 5].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
                        data[*at + 5..*at + 5 + bytes.len()].copy_from_slice(bytes);
                        *at += 5 + bytes.len();
                    }
                }
            }
        }
        Ok(EncodedKeys::Bytes { offsets, data })
    }
}

fn put<const N: usize>(data: &mut [u8], at: &mut [usize], values: impl Iterator<Item = Option<[u8; N]>>) {
    for (at, value) in at.iter_mut().zip(values) {
        if let Some(value) = value {
            data[*at] = 1;
            data[*at + 1..*at + 1 + N].copy_from_slice(&value);
        }
        *at += 1 + N;
    }
}

/// One key column on its way into bytes.
enum Part {
    Narrow(Vec<Option<u64>>),
    Wide(Vec<Option<u128>>),
    Variable(BinaryArray),
}

impl Part {
    fn fixed_len(&self) -> usize {
        match self {
            Self::Narrow(_) => 9,
            Self::Wide(_) => 17,
            Self::Variable(_) => 5,
        }
    }
}

fn part(column: &Column, data_type: &DataType) -> Result<Part> {
    if bits(data_type).is_some() {
        let array = column.flat()?;
        let mut values = vec![None; array.len()];
        pack(&array, |row, value, valid| values[row] = valid.then_some(value as u64))?;
        return Ok(Part::Narrow(values));
    }
    let array = column.stored(data_type)?;
    Ok(match array.data_type() {
        DataType::Decimal128(..) => {
            Part::Wide(array.as_primitive::<Decimal128Type>().iter().map(|value| value.map(|value| value as u128)).collect())
        }
        DataType::Utf8View => Part::Variable(binary(array.as_string_view().iter().map(|value| value.map(str::as_bytes)))),
        DataType::BinaryView => Part::Variable(binary(array.as_binary_view().iter())),
        other => {
            let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
            let rows = converter.convert_columns(std::slice::from_ref(&array))?;
            Part::Variable(binary(
                rows.iter().map(|row| Some(row.data().to_vec())).collect::<Vec<_>>().iter().map(|row| row.as_deref()),
            ))
        }
    })
}

fn binary<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> BinaryArray {
    values.collect()
}

/// Bits of a value of this SQL type, if there are at most 64.
fn bits(data_type: &DataType) -> Option<usize> {
    use DataType as T;
    Some(match data_type {
        T::Boolean => 1,
        T::Int8 | T::UInt8 => 8,
        T::Int16 | T::UInt16 => 16,
        T::Int32 | T::UInt32 | T::Date32 | T::Float32 | T::Time32(_) => 32,
        T::Int64 | T::UInt64 | T::Float64 | T::Date64 | T::Time64(_) | T::Timestamp(..) | T::Duration(_) => 64,
        T::Decimal128(precision, _) | T::Decimal64(precision, _) if *precision <= 18 => 64,
        _ => return None,
    })
}

/// Calls `take(row, bits, valid)` for every row of an array of a type that has [`bits`].
fn pack(array: &ArrayRef, take: impl FnMut(usize, u128, bool)) -> Result<()> {
    fn each<T: ArrowPrimitiveType>(
        array: &ArrayRef,
        to_bits: impl Fn(T::Native) -> u128,
        mut take: impl FnMut(usize, u128, bool),
    ) {
        let array: &PrimitiveArray<T> = array.as_primitive();
        match array.nulls() {
            None => array.values().iter().enumerate().for_each(|(row, &value)| take(row, to_bits(value), true)),
            Some(nulls) => array.values().iter().enumerate().for_each(|(row, &value)| match nulls.is_valid(row) {
                true => take(row, to_bits(value), true),
                false => take(row, 0, false),
            }),
        }
    }
    use DataType as T;
    match array.data_type() {
        T::Boolean => {
            let mut take = take;
            array
                .as_boolean()
                .iter()
                .enumerate()
                .for_each(|(row, value)| take(row, value.unwrap_or(false).into(), value.is_some()));
        }
        T::Int8 => each::<Int8Type>(array, |v| (v as u8).into(), take),
        T::UInt8 => each::<UInt8Type>(array, u128::from, take),
        T::Int16 => each::<Int16Type>(array, |v| (v as u16).into(), take),
        T::UInt16 => each::<UInt16Type>(array, u128::from, take),
        T::Int32 => each::<Int32Type>(array, |v| (v as u32).into(), take),
        T::UInt32 => each::<UInt32Type>(array, u128::from, take),
        T::Date32 => each::<Date32Type>(array, |v| (v as u32).into(), take),
        T::Float32 => each::<Float32Type>(array, |v| float32(v).into(), take),
        T::Float64 => each::<Float64Type>(array, |v| float64(v).into(), take),
        T::Int64 => each::<Int64Type>(array, |v| (v as u64).into(), take),
        T::UInt64 => each::<UInt64Type>(array, u128::from, take),
        T::Decimal64(..) => each::<Decimal64Type>(array, |v| (v as u64).into(), take),
        T::Decimal128(..) => each::<Decimal128Type>(array, |v| (v as u64).into(), take),
        T::Timestamp(TimeUnit::Microsecond, _) => each::<TimestampMicrosecondType>(array, |v| (v as u64).into(), take),
        T::Time32(_) => each::<Int32Type>(&compute::cast(array, &T::Int32)?, |v| (v as u32).into(), take),
        T::Date64 | T::Time64(_) | T::Timestamp(..) | T::Duration(_) => {
            each::<Int64Type>(&compute::cast(array, &T::Int64)?, |v| (v as u64).into(), take);
        }
        other => return Err(Error::internal(format!("{other} is no fixed-width key"))),
    }
    Ok(())
}

fn float32(value: f32) -> u32 {
    if value == 0.0 {
        0
    } else if value.is_nan() {
        f32::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

fn float64(value: f64) -> u64 {
    if value == 0.0 {
        0
    } else if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

impl EncodedKeys {
    /// One hash a row, the same for equal keys; all 0 if `constant`.
    pub(super) fn hash(&self, constant: bool) -> Vec<u64> {
        let rows = match self {
            Self::Fixed64(keys, _) => keys.len(),
            Self::Fixed128(keys) => keys.len(),
            Self::Bytes { offsets, .. } => offsets.len() - 1,
        };
        if constant {
            return vec![0; rows];
        }
        match self {
            Self::Fixed64(keys, _) => keys.iter().map(|&key| mix(key)).collect(),
            Self::Fixed128(keys) => keys.iter().map(|&key| mix(mix(key as u64) ^ (key >> 64) as u64)).collect(),
            Self::Bytes { offsets, data } => {
                let state = foldhash::fast::FixedState::with_seed(0x5eed);
                let hash = |bounds: &[usize]| {
                    let mut hasher = state.build_hasher();
                    hasher.write(&data[bounds[0]..bounds[1]]);
                    mix(hasher.finish())
                };
                offsets.windows(2).map(hash).collect()
            }
        }
    }
}

/// Spreads a key over 64 bits: both halves of a 128-bit product with a constant without pattern
/// (the digits of pi), as wyhash and foldhash do.
fn mix(key: u64) -> u64 {
    let product = u128::from(key ^ 0x243f_6a88_85a3_08d3) * 0x1319_8a2e_0370_7345_u128;
    let folded = (product as u64) ^ (product >> 64) as u64;
    let again = u128::from(folded) * 0xa409_3822_299f_31d1_u128;
    (again as u64) ^ (again >> 64) as u64
}
