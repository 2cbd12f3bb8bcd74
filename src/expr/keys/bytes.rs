//! Keys as bytes: the columns' encodings one after the other, those of variable length behind their
//! length, a byte for NULL where NULLs are equal.
//!
//! Decimals of more than 18 digits take 16 bytes whether the chunk holds them narrow or not. The
//! last column of variable length needs no length if it is the only one, so a single string key is
//! its own bytes.

use super::KeyColumn;
use super::fixed::{float32_bits, float64_bits};
use crate::column::{Column, Dictionary};
use crate::error::Result;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::*;
use arrow::row::{RowConverter, SortField};
use std::sync::Arc;

/// Keys of any length, one behind the other: key `i` lies between offsets `i` and `i + 1`.
#[derive(Debug, Clone)]
pub struct KeyBytes {
    offsets: Vec<usize>,
    data: Vec<u8>,
}

impl Default for KeyBytes {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new() }
    }
}

impl KeyBytes {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of a row.
    #[inline]
    pub fn row(&self, row: usize) -> &[u8] {
        &self.data[self.offsets[row]..self.offsets[row + 1]]
    }

    /// Adds a key at the end.
    #[inline]
    pub fn push(&mut self, key: &[u8]) {
        self.data.extend_from_slice(key);
        self.offsets.push(self.data.len());
    }

    /// Adds all keys of `other` at the end.
    pub fn append(&mut self, other: &Self) {
        let base = self.data.len();
        self.data.extend_from_slice(&other.data);
        self.offsets.extend(other.offsets[1..].iter().map(|offset| base + offset));
    }

    /// The keys of the rows that `rows` names.
    #[must_use]
    pub fn pick(&self, rows: &[u32]) -> Self {
        let mut picked = Self::default();
        picked.offsets.reserve(rows.len());
        rows.iter().for_each(|row| picked.push(self.row(*row as usize)));
        picked
    }

    /// The keys from row `from` to before row `to`.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        let (start, end) = (self.offsets[from], self.offsets[to]);
        let offsets = self.offsets[from..=to].iter().map(|offset| offset - start).collect();
        Self { offsets, data: self.data[start..end].to_vec() }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.data.len() + self.offsets.len() * 8
    }
}

/// Encodes `columns` in Arrow's row format.
pub(super) fn ordered(keys: &[KeyColumn], columns: &[Column], converter: &RowConverter) -> Result<KeyBytes> {
    let columns = columns.iter().zip(keys).map(|(column, key)| Ok(normal_floats(column.stored(&key.data_type)?)));
    let rows = converter.convert_columns(&columns.collect::<Result<Vec<_>>>()?)?;
    let mut encoded = KeyBytes::default();
    rows.iter().for_each(|row| encoded.push(row.as_ref()));
    Ok(encoded)
}

/// Floats with one zero and one NaN; other types as they are.
fn normal_floats(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float32 => {
            let normal = |value: f32| f32::from_bits(float32_bits(value));
            Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(normal))
        }
        DataType::Float64 => {
            let normal = |value: f64| f64::from_bits(float64_bits(value));
            Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(normal))
        }
        _ => array,
    }
}

/// How one column's rows are appended.
enum Part {
    /// Values of a fixed number of bytes, one behind the other.
    Fixed { width: usize, data: Vec<u8> },
    /// Strings and binaries.
    Views(ArrayRef),
    /// Rows encoded already.
    Rows(arrow::row::Rows),
}

struct Source {
    part: Arc<Part>,
    /// The row of `part` for each row of the chunk; none: the same row.
    rows: Rows,
    nulls: Option<arrow::buffer::NullBuffer>,
    null_equals: bool,
    prefixed: bool,
}

enum Rows {
    Same,
    First,
    Codes(arrow::buffer::ScalarBuffer<u32>),
}

/// Encodes `columns`, row after row.
pub(super) fn encode(keys: &[KeyColumn], columns: &[Column], rows: usize) -> Result<KeyBytes> {
    let prefixed = keys.len() > 1;
    let sources = keys.iter().zip(columns).map(|(key, column)| source(key, column, prefixed)).collect::<Result<Vec<_>>>()?;
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut data = Vec::with_capacity(rows * 16);
    offsets.push(0);
    for row in 0..rows {
        for source in &sources {
            source.append(row, &mut data);
        }
        offsets.push(data.len());
    }
    Ok(KeyBytes { offsets, data })
}

fn source(key: &KeyColumn, column: &Column, prefixed: bool) -> Result<Source> {
    let (part, rows, nulls) = match column {
        Column::Const(value, len) => {
            let nulls = (value.logical_null_count() > 0).then(|| arrow::buffer::NullBuffer::new_null(*len));
            (Arc::new(part(key, value)?), Rows::First, nulls)
        }
        Column::Dict(dict) if dict.dictionary().values().logical_null_count() == 0 && !dict.dictionary().values().is_empty() => {
            let dictionary: &Arc<Dictionary> = dict.dictionary();
            let part = dictionary.remember(key.memo, |values| part(key, values))?;
            (part, Rows::Codes(dict.codes().values().clone()), dict.codes().nulls().cloned())
        }
        other => {
            let flat = other.flat()?;
            (Arc::new(part(key, &flat)?), Rows::Same, flat.logical_nulls())
        }
    };
    Ok(Source { part, rows, nulls, null_equals: key.null_equals, prefixed })
}

impl Source {
    #[inline]
    fn append(&self, row: usize, data: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            // Under plain `=` what stands here means nothing, but two NULLs must not run into
            // their neighbours' bytes either way.
            data.push(0);
            return;
        }
        if self.null_equals {
            data.push(1);
        }
        let at = match &self.rows {
            Rows::Same => row,
            Rows::First => 0,
            Rows::Codes(codes) => codes[row] as usize,
        };
        match self.part.as_ref() {
            Part::Fixed { width, data: values } => data.extend_from_slice(&values[at * width..(at + 1) * width]),
            Part::Views(array) => match array.data_type() {
                DataType::Utf8View => self.append_bytes(array.as_string_view().value(at).as_bytes(), data),
                _ => self.append_bytes(array.as_binary_view().value(at), data),
            },
            Part::Rows(rows) => self.append_bytes(rows.row(at).data(), data),
        }
    }

    #[inline]
    fn append_bytes(&self, value: &[u8], data: &mut Vec<u8>) {
        if self.prefixed {
            data.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        data.extend_from_slice(value);
    }
}

fn part(key: &KeyColumn, array: &ArrayRef) -> Result<Part> {
    macro_rules! fixed {
        ($t:ty, $map:expr) => {{
            let values = array.as_primitive::<$t>().values();
            let mut width = 0;
            let mut data = Vec::new();
            for &value in values {
                let bytes = $map(value).to_le_bytes();
                width = bytes.len();
                data.extend_from_slice(&bytes);
            }
            Part::Fixed { width, data }
        }};
    }
    Ok(match array.data_type() {
        DataType::Utf8View | DataType::BinaryView => Part::Views(array.clone()),
        DataType::Boolean => Part::Fixed { width: 1, data: array.as_boolean().values().iter().map(u8::from).collect() },
        DataType::Int8 => fixed!(Int8Type, |v| v),
        DataType::Int16 => fixed!(Int16Type, |v| v),
        DataType::Int32 => fixed!(Int32Type, |v| v),
        DataType::Int64 => fixed!(Int64Type, |v| v),
        DataType::UInt8 => fixed!(UInt8Type, |v| v),
        DataType::UInt16 => fixed!(UInt16Type, |v| v),
        DataType::UInt32 => fixed!(UInt32Type, |v| v),
        DataType::UInt64 => fixed!(UInt64Type, |v| v),
        DataType::Date32 => fixed!(Date32Type, |v| v),
        DataType::Date64 => fixed!(Date64Type, |v| v),
        DataType::Timestamp(TimeUnit::Microsecond, _) => fixed!(TimestampMicrosecondType, |v| v),
        DataType::Float32 => fixed!(Float32Type, float32_bits),
        DataType::Float64 => fixed!(Float64Type, float64_bits),
        DataType::Decimal64(..) if key.bits == Some(64) => fixed!(Decimal64Type, |v| v),
        DataType::Decimal64(..) => fixed!(Decimal64Type, i128::from),
        DataType::Decimal128(..) if key.bits == Some(64) => fixed!(Decimal128Type, |v| v as i64),
        DataType::Decimal128(..) => fixed!(Decimal128Type, |v| v),
        other => {
            let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
            Part::Rows(converter.convert_columns(std::slice::from_ref(array))?)
        }
    })
}
