//! Keys of joins and groups as flat integers or bytes.
//!
//! Hash tables want one comparable value a row, whatever the key's columns are. A key whose columns
//! fit 64 or 128 bits together is packed into one integer; every other key becomes bytes. Which of
//! the three it is depends on the types and on `null_equals` alone, so that all chunks and both
//! sides of a join agree.
//!
//! ```text
//!   (Int32)                    u64:   the value as a signed 64-bit integer
//!   (Int32, Date32)            u64:   |  date  |  int  |
//!   (Int64) for grouping       u128:  | 0 ... | null? |      int64      |
//!   (Utf8, Int64)              bytes: len(4) utf8 | int64(8)
//!   (Utf8) for grouping        bytes: null?(1) utf8
//! ```
//!
//! [`KeyColumns::ordered`] is for those who sort: always bytes, in Arrow's row format, which compare
//! as the values do.
//!
//! Cost: one pass a column; dictionary columns are encoded once per dictionary. NULL: under plain
//! `=` a row with a NULL key is marked in [`EncodedKeys::valid`]; where NULLs are equal a bit or
//! byte says so. -0.0 is 0.0 and all NaNs are one.

mod bytes;
mod encoded;
mod fixed;
mod hash;

pub use bytes::KeyBytes;

use crate::column::{Column, Dictionary, is_narrow_decimal, storage_type};
use crate::error::{Error, Result};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use std::sync::Arc;

/// How keys of some types are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLayout {
    /// All columns in a `u64`.
    Fixed64,
    /// All columns in a `u128`.
    Fixed128,
    /// Bytes of any length.
    Bytes,
}

/// The columns of a key: how to encode them.
#[derive(Debug, Clone)]
pub struct KeyColumns {
    columns: Vec<KeyColumn>,
    layout: KeyLayout,
    /// For keys whose bytes must compare as the values do.
    ordered: Option<Arc<Ordered>>,
}

#[derive(Debug, Clone)]
struct KeyColumn {
    data_type: DataType,
    null_equals: bool,
    /// Bits of the value; none where it has no fixed width.
    bits: Option<u32>,
    /// Where the value starts in the packed integer; its null bit, if it has one, follows it.
    shift: u32,
    /// The bits of a signed value that are packed: all 64 of an only column, so that the packed
    /// integer is the value whatever the width.
    mask: u64,
    /// Under which what was encoded of a dictionary is remembered.
    memo: u64,
}

/// How keys that compare as their values are encoded.
#[derive(Debug)]
enum Ordered {
    /// One signed integer, by these keys for NULLs that are not equal.
    Word(KeyColumns),
    /// Anything else.
    Bytes(RowConverter),
}

/// Encoded keys: equal encodings mean equal keys.
#[derive(Debug, Clone)]
pub struct EncodedKeys {
    /// One key a row.
    pub data: KeyData,
    /// False for rows whose key has a NULL under plain `=`: such a row equals nothing, and what
    /// `data` holds for it means nothing. None: all rows are valid.
    pub valid: Option<BooleanBuffer>,
}

/// One key a row.
#[derive(Debug, Clone)]
pub enum KeyData {
    /// Packed into 64 bits.
    Fixed64(Vec<u64>),
    /// Packed into 128 bits.
    Fixed128(Vec<u128>),
    /// Bytes.
    Bytes(KeyBytes),
}

impl KeyColumns {
    /// Keys of columns with these SQL types; `null_equals` says for each whether NULL equals NULL
    /// (grouping, `<=>`). Missing entries of `null_equals` count as false.
    pub fn new(types: Vec<DataType>, null_equals: Vec<bool>) -> Self {
        let mut shift = 0;
        let mut fixed = true;
        let mut columns = Vec::with_capacity(types.len());
        for (at, data_type) in types.into_iter().enumerate() {
            let null_equals = null_equals.get(at).copied().unwrap_or(false);
            let bits = fixed_bits(&data_type);
            let mask = match bits {
                Some(bits @ 0..64) => (1 << bits) - 1,
                _ => u64::MAX,
            };
            columns.push(KeyColumn { data_type, null_equals, bits, shift, mask, memo: Dictionary::key() });
            match bits {
                Some(bits) => shift += bits + u32::from(null_equals),
                None => fixed = false,
            }
        }
        let layout = match shift {
            0..=64 if fixed => KeyLayout::Fixed64,
            65..=128 if fixed => KeyLayout::Fixed128,
            _ => KeyLayout::Bytes,
        };
        if let [only] = columns.as_mut_slice()
            && !only.null_equals
        {
            only.mask = u64::MAX;
        }
        Self { columns, layout, ordered: None }
    }

    /// The same keys encoded so that they compare as the values do, column by column, NULL first: one
    /// column of integers as words of 128 bits, others as bytes.
    ///
    /// # Errors
    /// For types that have no order.
    pub fn ordered(types: Vec<DataType>, null_equals: Vec<bool>) -> Result<Self> {
        let fields: Vec<SortField> = types.iter().map(|data_type| SortField::new(storage_type(data_type))).collect();
        let plain = Self::new(types.clone(), vec![false]);
        let mut keys = Self::new(types, null_equals);
        keys.comparable()?;
        let (layout, ordered) = match keys.len() == 1 && plain.is_integer() {
            true => (KeyLayout::Fixed128, Ordered::Word(plain)),
            false => (KeyLayout::Bytes, Ordered::Bytes(RowConverter::new(fields)?)),
        };
        (keys.layout, keys.ordered) = (layout, Some(Arc::new(ordered)));
        Ok(keys)
    }

    /// Whether values of every key column can be compared at all.
    ///
    /// # Errors
    /// Names the types otherwise.
    pub fn comparable(&self) -> Result<()> {
        let fields: Vec<SortField> = self.types().map(|data_type| SortField::new(storage_type(data_type))).collect();
        if RowConverter::supports_fields(&fields) {
            return Ok(());
        }
        let names: Vec<String> = self.types().map(ToString::to_string).collect();
        Err(Error::unsupported(format!("keys of type {}", names.join(", "))))
    }

    /// Whether the encoding of a key is the value of one signed integer of at most 64 bits.
    pub fn is_integer(&self) -> bool {
        let [only] = self.columns.as_slice() else { return false };
        let signed = match &only.data_type {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => true,
            DataType::Date32 | DataType::Timestamp(..) => true,
            other => is_narrow_decimal(other),
        };
        signed && !only.null_equals && self.layout == KeyLayout::Fixed64
    }

    /// Whether NULL equals NULL in some key column.
    pub fn has_null_equals(&self) -> bool {
        self.columns.iter().any(|column| column.null_equals)
    }

    /// Into which variant of [`KeyData`] these keys are encoded.
    pub fn layout(&self) -> KeyLayout {
        self.layout
    }

    /// Number of key columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no key column: all rows have the same key.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The SQL types of the key columns.
    pub fn types(&self) -> impl Iterator<Item = &DataType> {
        self.columns.iter().map(|column| &column.data_type)
    }

    /// Encodes `rows` rows of `columns`, one column for each type given to [`KeyColumns::new`].
    pub fn encode(&self, columns: &[Column], rows: usize) -> Result<EncodedKeys> {
        if columns.len() != self.columns.len() || columns.iter().any(|column| column.len() != rows) {
            return Err(Error::internal("key columns do not match the key's types"));
        }
        let data = match (self.ordered.as_deref(), self.layout) {
            (Some(Ordered::Bytes(converter)), _) => KeyData::Bytes(bytes::ordered(&self.columns, columns, converter)?),
            (Some(Ordered::Word(plain)), _) => ordered_words(&plain.encode(columns, rows)?)?,
            (None, KeyLayout::Fixed64) => KeyData::Fixed64(fixed::encode::<u64>(&self.columns, columns, rows)?),
            (None, KeyLayout::Fixed128) => KeyData::Fixed128(fixed::encode::<u128>(&self.columns, columns, rows)?),
            (None, KeyLayout::Bytes) => KeyData::Bytes(bytes::encode(&self.columns, columns, rows)?),
        };
        let mut valid: Option<BooleanBuffer> = None;
        for (_, column) in self.columns.iter().zip(columns).filter(|(key, _)| !key.null_equals) {
            if let Some(own) = validity(column)? {
                valid = Some(valid.map_or_else(|| own.clone(), |all| &all & &own));
            }
        }
        Ok(EncodedKeys { data, valid })
    }
}

/// Words that compare as the signed integers do; NULL is the least.
fn ordered_words(keys: &EncodedKeys) -> Result<KeyData> {
    let KeyData::Fixed64(values) = &keys.data else { return Err(Error::internal("an integer key of more than a word")) };
    let word = |value: u64| (1_u128 << 64) | u128::from(value ^ (1_u64 << 63));
    Ok(KeyData::Fixed128(match &keys.valid {
        None => values.iter().map(|value| word(*value)).collect(),
        Some(valid) => values.iter().zip(valid).map(|(value, valid)| if valid { word(*value) } else { 0 }).collect(),
    }))
}

pub use hash::{hash_bytes, hash64, hash128};

/// Bits that tell all values of a type apart, or none where no fixed number does.
fn fixed_bits(data_type: &DataType) -> Option<u32> {
    Some(match data_type {
        DataType::Boolean => 1,
        DataType::Int8 | DataType::UInt8 => 8,
        DataType::Int16 | DataType::UInt16 => 16,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 | DataType::Time32(_) => 32,
        DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Date64 => 64,
        DataType::Time64(_) | DataType::Timestamp(..) | DataType::Duration(_) => 64,
        decimal if is_narrow_decimal(decimal) => 64,
        DataType::Decimal128(..) | DataType::Decimal64(..) => 128,
        _ => return None,
    })
}

/// The rows of a column that are not NULL, or none if all are.
fn validity(column: &Column) -> Result<Option<BooleanBuffer>> {
    use arrow::array::Array;
    let nulls = match column {
        Column::Const(value, rows) => {
            return Ok((value.logical_null_count() > 0).then(|| BooleanBuffer::new_unset(*rows)));
        }
        Column::Dict(dict) => {
            let values = dict.dictionary().values();
            if values.logical_null_count() == 0 { dict.codes().nulls().cloned() } else { dict.flat()?.logical_nulls() }
        }
        other => other.flat()?.logical_nulls(),
    };
    Ok(nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.into_inner()))
}

#[cfg(test)]
mod tests;
