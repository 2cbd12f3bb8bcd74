//! Sort keys as byte strings whose order is the order of the rows.
//!
//! ```text
//!   key bytes:  | null marker | value, big-endian, inverted if descending | next key ... |
//!   prefix:     the first 16 bytes as one u128, zeros after a shorter key
//! ```
//!
//! No key is the beginning of another (lengths are coded in), so padding cannot make two different
//! keys of at most 16 bytes equal.

use super::SortKey;
use crate::column::{Chunk, storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, LargeBinaryArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::row::{RowConverter, Rows, SortField};
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of a key that its prefix holds.
const PREFIX_BYTES: usize = 16;

/// Computes the keys of chunks: one a task.
pub(super) struct KeyEncoder {
    keys: Vec<SortKey>,
    converter: RowConverter,
    rows: Option<Rows>,
    exact: bool,
}

impl KeyEncoder {
    /// An encoder of `keys`, the first being the major one.
    pub(super) fn new(keys: &[SortKey]) -> Result<Self> {
        let mut fields = Vec::with_capacity(keys.len());
        let mut width = Some(0);
        for SortKey { expr, descending, nulls_first } in keys {
            let options = SortOptions { descending: *descending, nulls_first: *nulls_first };
            let stored = storage_type(expr.data_type());
            let bytes = if stored == DataType::Boolean { Some(1) } else { stored.primitive_width() };
            width = width.zip(bytes).map(|(sum, bytes)| sum + 1 + bytes);
            let field = SortField::new_with_options(stored, options);
            if !RowConverter::supports_fields(std::slice::from_ref(&field)) {
                return Err(Error::unsupported(format!("ordering by {} of type {}", expr.describe(), expr.data_type())));
            }
            fields.push(field);
        }
        let exact = width.is_some_and(|width| width <= PREFIX_BYTES);
        Ok(Self { keys: keys.to_vec(), converter: RowConverter::new(fields)?, rows: None, exact })
    }

    /// Whether all keys fit their prefix.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// The keys of the rows of `chunk`.
    pub(super) fn encode(&mut self, chunk: &Chunk) -> Result<Keys> {
        let mut values = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            values.push(canonical(key.expr.evaluate(chunk)?.stored(key.expr.data_type())?));
        }
        let rows = match self.rows.take() {
            Some(mut rows) => {
                rows.clear();
                rows
            }
            None => self.converter.empty_rows(chunk.rows(), chunk.rows() * PREFIX_BYTES),
        };
        let rows = self.rows.insert(rows);
        self.converter.append(rows, &values)?;
        let mut keys = Keys::with_capacity(chunk.rows(), self.exact);
        rows.iter().for_each(|row| keys.push(row.as_ref()));
        Ok(keys)
    }
}

/// One representation for values that are equal in SQL: one NaN, one zero.
pub(in crate::operator) fn canonical(values: ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Float64 => {
            let one = |x: f64| if x.is_nan() { f64::NAN } else { x + 0.0 };
            Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(one))
        }
        DataType::Float32 => {
            let one = |x: f32| if x.is_nan() { f32::NAN } else { x + 0.0 };
            Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(one))
        }
        _ => values,
    }
}

/// The keys of some rows.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefixes: Vec<u128>,
    /// The whole keys, unless all of them fit their prefix.
    whole: Option<Whole>,
}

#[derive(Debug, Clone)]
struct Whole {
    bytes: Vec<u8>,
    /// Where each key ends.
    ends: Vec<usize>,
}

impl Whole {
    fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }
}

impl Keys {
    /// No keys yet; `exact` says that all will fit their prefix.
    pub(super) fn with_capacity(rows: usize, exact: bool) -> Self {
        let whole = (!exact).then(|| Whole { bytes: Vec::new(), ends: Vec::with_capacity(rows) });
        Self { prefixes: Vec::with_capacity(rows), whole }
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Bytes they take.
    pub(super) fn memory_size(&self) -> usize {
        self.prefixes.len() * PREFIX_BYTES + self.whole.as_ref().map_or(0, |whole| whole.bytes.len() + whole.ends.len() * 8)
    }

    /// Whether the prefixes are the whole keys.
    pub(super) fn is_exact(&self) -> bool {
        self.whole.is_none()
    }

    /// The first bytes of each key.
    pub(super) fn prefixes(&self) -> &[u128] {
        &self.prefixes
    }

    /// Adds a key.
    fn push(&mut self, key: &[u8]) {
        let mut prefix = [0; PREFIX_BYTES];
        let length = key.len().min(PREFIX_BYTES);
        prefix[..length].copy_from_slice(&key[..length]);
        self.prefixes.push(u128::from_be_bytes(prefix));
        if let Some(whole) = &mut self.whole {
            whole.bytes.extend_from_slice(key);
            whole.ends.push(whole.bytes.len());
        }
    }

    /// Adds the key of row `row` of `other`, which is of the same sort.
    pub(super) fn push_from(&mut self, other: &Keys, row: usize) {
        self.prefixes.push(other.prefixes[row]);
        if let (Some(whole), Some(from)) = (&mut self.whole, &other.whole) {
            whole.bytes.extend_from_slice(from.get(row));
            whole.ends.push(whole.bytes.len());
        }
    }

    /// The keys of the given rows.
    pub(super) fn pick(&self, rows: &[u32]) -> Self {
        let mut picked = Self::with_capacity(rows.len(), self.is_exact());
        rows.iter().for_each(|&row| picked.push_from(self, row as usize));
        picked
    }

    /// How row `row` stands to row `other_row` of `other`.
    pub(super) fn compare(&self, row: usize, other: &Keys, other_row: usize) -> Ordering {
        let by_prefix = self.prefixes[row].cmp(&other.prefixes[other_row]);
        match (&self.whole, &other.whole) {
            (Some(own), Some(others)) if by_prefix.is_eq() => own.get(row).cmp(others.get(other_row)),
            _ => by_prefix,
        }
    }

    /// `len` keys from `offset` as a column of a spill file.
    pub(super) fn to_array(&self, offset: usize, len: usize) -> ArrayRef {
        Arc::new(match &self.whole {
            Some(whole) => LargeBinaryArray::from_iter_values((offset..offset + len).map(|row| whole.get(row))),
            None => LargeBinaryArray::from_iter_values(self.prefixes[offset..offset + len].iter().map(|key| key.to_be_bytes())),
        })
    }

    /// Keys read back from a spill file.
    pub(super) fn from_array(array: &ArrayRef, exact: bool) -> Result<Self> {
        let bytes = array.as_binary_opt::<i64>().ok_or_else(|| Error::internal("sort keys in a spill file are not binary"))?;
        let mut keys = Self::with_capacity(bytes.len(), exact);
        bytes.iter().for_each(|key| keys.push(key.unwrap_or_default()));
        Ok(keys)
    }
}
