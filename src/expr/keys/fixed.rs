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

/// Dictionary values are packed once per dictionary; the last entry of the table is NULL's.
fn add_codes<W: Word>(key: &KeyColumn, dict: &DictColumn, words: &mut [W]) -> Result<()> {
    let table = dict.dictionary().remember(key.memo, |values| {
        let mut table = vec![W::default(); values.len() + 1];
        add(key, values, &mut table[..values.len()])?;
        if key.null_equals {
            table[values.len()] = W::low(1).place(key.shift + key.bits.unwrap_or(0));
        }
        Ok(table)
    })?;
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
        ($t:ty, $u:ty) => {{
            let values = array.as_primitive::<$t>().values();
            words.iter_mut().zip(values.iter()).for_each(|(word, &value)| put(word, W::low(u64::from(value as $u))));
        }};
    }
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean().values();
            words.iter_mut().zip(values.iter()).for_each(|(word, value)| put(word, W::low(u64::from(value))));
        }
        DataType::Int8 => ints!(Int8Type, u8),
        DataType::UInt8 => ints!(UInt8Type, u8),
        DataType::Int16 => ints!(Int16Type, u16),
        DataType::UInt16 => ints!(UInt16Type, u16),
        DataType::Int32 => ints!(Int32Type, u32),
        DataType::UInt32 => ints!(UInt32Type, u32),
        DataType::Date32 => ints!(Date32Type, u32),
        DataType::Time32(TimeUnit::Second) => ints!(Time32SecondType, u32),
        DataType::Time32(_) => ints!(Time32MillisecondType, u32),
        DataType::Int64 => ints!(Int64Type, u64),
        DataType::UInt64 => ints!(UInt64Type, u64),
        DataType::Date64 => ints!(Date64Type, u64),
        DataType::Time64(TimeUnit::Microsecond) => ints!(Time64MicrosecondType, u64),
        DataType::Time64(_) => ints!(Time64NanosecondType, u64),
        DataType::Timestamp(TimeUnit::Microsecond, _) => ints!(TimestampMicrosecondType, u64),
        DataType::Duration(TimeUnit::Microsecond) => ints!(DurationMicrosecondType, u64),
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            words.iter_mut().zip(values).for_each(|(word, &value)| put(word, W::low(u64::from(float32_bits(value)))));
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            words.iter_mut().zip(values).for_each(|(word, &value)| put(word, W::low(float64_bits(value))));
        }
        DataType::Decimal64(..) if key.bits == Some(64) => ints!(Decimal64Type, u64),
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
