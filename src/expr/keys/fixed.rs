//! Keys packed into one integer: one pass a column that ors its bits in.

use super::KeyColumn;
use crate::column::{Column, DictColumn};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::*;
use std::ops::{BitOrAssign, Shl};

/// The integer that a key is packed into.
pub(super) trait Word: Copy + Default + Send + Sync + 'static + BitOrAssign + Shl<u32, Output = Self> {
    const BITS: u32;
    fn low(bits: u64) -> Self;
    fn wide(bits: u128) -> Self;
    /// Shifts that leave nothing give zero.
    fn place(self, shift: u32) -> Self {
        if shift >= Self::BITS { Self::default() } else { self << shift }
    }
}

impl Word for u64 {
    const BITS: u32 = 64;
    fn low(bits: u64) -> Self {
        bits
    }
    fn wide(bits: u128) -> Self {
        bits as u64
    }
}

impl Word for u128 {
    const BITS: u32 = 128;
    fn low(bits: u64) -> Self {
        Self::from(bits)
    }
    fn wide(bits: u128) -> Self {
        bits
    }
}

/// Packs `columns` into one word a row.
pub(super) fn encode<W: Word>(keys: &[KeyColumn], columns: &[Column], rows: usize) -> Result<Vec<W>> {
    if let ([key], [column]) = (keys, columns)
        && let Some(words) = only(key, column, rows)?
    {
        return Ok(words);
    }
    let mut words = vec![W::default(); rows];
    for (key, column) in keys.iter().zip(columns) {
        match column {
            Column::Const(value, _) => {
                let mut one = [W::default()];
                add(key, value, &mut one)?;
                words.iter_mut().for_each(|word| *word |= one[0]);
            }
            Column::Dict(dict) if dict.dictionary().values().len() <= rows.saturating_mul(4) => {
                add_codes(key, dict, &mut words)?;
            }
            other => add(key, &other.flat()?, &mut words)?,
        }
    }
    Ok(words)
}

/// The commonest keys, one integer column, in one pass that only writes; none: pack as any other.
fn only<W: Word>(key: &KeyColumn, column: &Column, rows: usize) -> Result<Option<Vec<W>>> {
    if key.null_equals {
        return Ok(None);
    }
    Ok(match column {
        Column::Dict(dict) if dict.codes().null_count() == 0 && dict.dictionary().values().len() <= rows.saturating_mul(4) => {
            let table = table::<W>(key, dict)?;
            Some(dict.codes().values().iter().map(|&code| table[code as usize]).collect())
        }
        Column::Flat(array) => {
            let word = |value: i64| W::low(value as u64);
            match array.data_type() {
                DataType::Int32 => Some(array.as_primitive::<Int32Type>().values().iter().map(|&v| word(v.into())).collect()),
                DataType::Int64 => Some(array.as_primitive::<Int64Type>().values().iter().map(|&v| word(v)).collect()),
                DataType::Date32 => Some(array.as_primitive::<Date32Type>().values().iter().map(|&v| word(v.into())).collect()),
                DataType::Decimal64(..) if key.bits == Some(64) => {
                    Some(array.as_primitive::<Decimal64Type>().values().iter().map(|&v| word(v)).collect())
                }
                _ => None,
            }
        }
        _ => None,
    })
}

/// The packed values of a dictionary, made once per dictionary; the last entry is NULL's.
fn table<W: Word>(key: &KeyColumn, dict: &DictColumn) -> Result<std::sync::Arc<Vec<W>>> {
    dict.dictionary().remember(key.memo, |values| {
        let mut table = vec![W::default(); values.len() + 1];
        add(key, values, &mut table[..values.len()])?;
        if key.null_equals {
            table[values.len()] = W::low(1).place(key.shift + key.bits.unwrap_or(0));
        }
        Ok(table)
    })
}

fn add_codes<W: Word>(key: &KeyColumn, dict: &DictColumn, words: &mut [W]) -> Result<()> {
    let table = table::<W>(key, dict)?;
    let codes = dict.codes();
    if codes.null_count() == 0 {
        for (word, &code) in words.iter_mut().zip(codes.values()) {
            *word |= table[code as usize];
        }
    } else {
        let null = table.len() - 1;
        for (row, word) in words.iter_mut().enumerate() {
            *word |= table[dict.code(row).map_or(null, |code| code as usize)];
        }
    }
    Ok(())
}

/// Ors the bits of a flat column in.
fn add<W: Word>(key: &KeyColumn, array: &ArrayRef, words: &mut [W]) -> Result<()> {
    let shift = key.shift;
    if !key.null_equals || array.null_count() == 0 {
        return each(key, array, words, |word, value| *word |= value.place(shift));
    }
    // NULL rows hold anything: only valid rows bring a value, the others their null bit.
    let mut values = vec![W::default(); words.len()];
    each(key, array, &mut values, |word, value| *word = value)?;
    let null = W::low(1).place(shift + key.bits.unwrap_or(0));
    if let Some(nulls) = array.nulls() {
        for (row, (word, value)) in words.iter_mut().zip(values).enumerate() {
            *word |= if nulls.is_valid(row) { value.place(shift) } else { null };
        }
    }
    Ok(())
}

fn each<W: Word>(key: &KeyColumn, array: &ArrayRef, words: &mut [W], put: impl Fn(&mut W, W)) -> Result<()> {
    macro_rules! ints {
        ($t:ty, $wide:ty) => {{
            let values = array.as_primitive::<$t>().values();
            let mask = key.mask;
            words.iter_mut().zip(values.iter()).for_each(|(word, &value)| put(word, W::low(<$wide>::from(value) as u64 & mask)));
        }};
    }
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean().values();
            words.iter_mut().zip(values.iter()).for_each(|(word, value)| put(word, W::low(u64::from(value))));
        }
        DataType::Int8 => ints!(Int8Type, i64),
        DataType::UInt8 => ints!(UInt8Type, u64),
        DataType::Int16 => ints!(Int16Type, i64),
        DataType::UInt16 => ints!(UInt16Type, u64),
        DataType::Int32 => ints!(Int32Type, i64),
        DataType::UInt32 => ints!(UInt32Type, u64),
        DataType::Date32 => ints!(Date32Type, i64),
        DataType::Time32(TimeUnit::Second) => ints!(Time32SecondType, i64),
        DataType::Time32(_) => ints!(Time32MillisecondType, i64),
        DataType::Int64 => ints!(Int64Type, i64),
        DataType::UInt64 => ints!(UInt64Type, u64),
        DataType::Date64 => ints!(Date64Type, i64),
        DataType::Time64(TimeUnit::Microsecond) => ints!(Time64MicrosecondType, i64),
        DataType::Time64(_) => ints!(Time64NanosecondType, i64),
        DataType::Timestamp(TimeUnit::Microsecond, _) => ints!(TimestampMicrosecondType, i64),
        DataType::Duration(TimeUnit::Microsecond) => ints!(DurationMicrosecondType, i64),
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            words.iter_mut().zip(values).for_each(|(word, &value)| put(word, W::low(u64::from(float32_bits(value)))));
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            words.iter_mut().zip(values).for_each(|(word, &value)| put(word, W::low(float64_bits(value))));
        }
        DataType::Decimal64(..) if key.bits == Some(64) => ints!(Decimal64Type, i64),
        DataType::Decimal64(..) => {
            let values = array.as_primitive::<Decimal64Type>().values();
            words.iter_mut().zip(values).for_each(|(word, &value)| put(word, W::wide(i128::from(value) as u128)));
        }
        DataType::Decimal128(..) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            words.iter_mut().zip(values).for_each(|(word, &value)| put(word, W::wide(value as u128)));
        }
        DataType::Null => {}
        other => return Err(Error::internal(format!("a key column of {} came as {other}", key.data_type))),
    }
    Ok(())
}

/// Equal bits for equal floats: -0.0 is 0.0, all NaNs are one.
pub(super) fn float64_bits(value: f64) -> u64 {
    if value == 0.0 {
        0
    } else if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

/// Equal bits for equal floats: -0.0 is 0.0, all NaNs are one.
pub(super) fn float32_bits(value: f32) -> u32 {
    if value == 0.0 {
        0
    } else if value.is_nan() {
        f32::NAN.to_bits()
    } else {
        value.to_bits()
    }
}
