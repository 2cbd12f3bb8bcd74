//! Join keys as plain words or bytes that compare equal exactly when the keys are equal.
//!
//! ```text
//!   one integer-like key          Fixed64   the value, sign-extended
//!   two integer-like keys         Fixed128  one in each half
//!   one DECIMAL of > 18 digits    Fixed128  the value
//!   one string or binary          Bytes     its bytes
//!   anything else, any <=> key    Bytes     Arrow's row format (order-preserving, NULL distinct)
//! ```
//!
//! Before encoding -0.0 becomes 0.0 and every NaN the same NaN. A row whose key is NULL under `=`
//! is marked invalid: it matches nothing, whatever its encoding says. Cost: one pass over the key
//! columns, 8 or 16 bytes a row, or the bytes of the values.

use crate::column::{Chunk, storage_type};
use crate::error::{Error, Result};
use crate::expr::ExprRef;
use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::row::{RowConverter, SortField};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Encoded keys of some rows.
#[derive(Debug, Clone)]
pub(super) struct KeyBatch {
    pub(super) data: KeyData,
    /// False for rows that match nothing; none when all are valid.
    pub(super) valid: Option<BooleanBuffer>,
}

/// One encoding a row.
#[derive(Debug, Clone)]
pub(super) enum KeyData {
    Fixed64(Vec<u64>),
    Fixed128(Vec<u128>),
    Bytes(ByteKeys),
}

/// Byte strings back to back; row `i` lies between offsets `i` and `i + 1`.
#[derive(Debug, Clone)]
pub(super) struct ByteKeys {
    offsets: Vec<usize>,
    data: Vec<u8>,
}

impl Default for ByteKeys {
    fn default() -> Self {
        Self { offsets: vec![0], data: Vec::new() }
    }
}

impl ByteKeys {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.offsets.push(self.data.len());
    }

    pub(super) fn get(&self, row: usize) -> &[u8] {
        &self.data[self.offsets[row]..self.offsets[row + 1]]
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.offsets.len() * 8
    }
}

/// Spreads a word over all 64 bits (the finalizer of MurmurHash3, Appleby).
pub(super) fn mix(word: u64) -> u64 {
    let mut hash = word;
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The hash of a byte string.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    mix(foldhash::fast::FixedState::default().hash_one(bytes))
}

impl KeyData {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Fixed64(keys) => keys.len(),
            Self::Fixed128(keys) => keys.len(),
            Self::Bytes(keys) => keys.len(),
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Fixed64(keys) => keys.len() * 8,
            Self::Fixed128(keys) => keys.len() * 16,
            Self::Bytes(keys) => keys.bytes(),
        }
    }

    /// Hashes of the rows from `from` to `to`; all 0 when `constant`.
    pub(super) fn hash(&self, from: usize, to: usize, constant: bool) -> Vec<u64> {
        if constant {
            return vec![0; to - from];
        }
        match self {
            Self::Fixed64(keys) => keys[from..to].iter().map(|key| mix(*key)).collect(),
            Self::Fixed128(keys) => {
                keys[from..to].iter().map(|key| mix(mix(*key as u64).wrapping_add((*key >> 64) as u64))).collect()
            }
            Self::Bytes(keys) => (from..to).map(|row| hash_bytes(keys.get(row))).collect(),
        }
    }

    /// Whether the key of `row` equals that of `other_row` in a batch of the same form.
    pub(super) fn equal(&self, row: usize, other: &KeyData, other_row: usize) -> bool {
        match (self, other) {
            (Self::Fixed64(a), Self::Fixed64(b)) => a[row] == b[other_row],
            (Self::Fixed128(a), Self::Fixed128(b)) => a[row] == b[other_row],
            (Self::Bytes(a), Self::Bytes(b)) => a.get(row) == b.get(other_row),
            _ => false,
        }
    }

    /// The rows that `rows` names.
    pub(super) fn pick(&self, rows: &[u32]) -> Self {
        match self {
            Self::Fixed64(keys) => Self::Fixed64(rows.iter().map(|row| keys[*row as usize]).collect()),
            Self::Fixed128(keys) => Self::Fixed128(rows.iter().map(|row| keys[*row as usize]).collect()),
            Self::Bytes(keys) => {
                let mut picked = ByteKeys::default();
                rows.iter().for_each(|row| picked.push(keys.get(*row as usize)));
                Self::Bytes(picked)
            }
        }
    }
}

impl KeyBatch {
    /// Whether the key of `row` can match at all.
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid.value(row))
    }

    /// Whether some row is invalid.
    pub(super) fn has_null(&self) -> bool {
        self.valid.as_ref().is_some_and(|valid| valid.count_set_bits() < valid.len())
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.data.bytes() + self.valid.as_ref().map_or(0, |valid| valid.len() / 8)
    }

    /// The rows that `rows` names.
    pub(super) fn pick(&self, rows: &[u32]) -> Self {
        let valid = self.valid.as_ref().map(|valid| rows.iter().map(|row| valid.value(*row as usize)).collect());
        Self { data: self.data.pick(rows), valid }
    }

    /// All batches after one another.
    pub(super) fn concat(batches: &[KeyBatch]) -> Self {
        let rows = batches.iter().map(|batch| batch.data.len()).sum();
        let valid = batches.iter().any(|batch| batch.valid.is_some()).then(|| {
            let mut all = arrow::array::BooleanBufferBuilder::new(rows);
            for batch in batches {
                match &batch.valid {
                    Some(valid) => all.append_buffer(valid),
                    None => all.append_n(batch.data.len(), true),
                }
            }
            all.finish()
        });
        let data = match batches.first().map(|batch| &batch.data) {
            None | Some(KeyData::Fixed64(_)) => {
                let mut all = Vec::with_capacity(rows);
                for batch in batches {
                    if let KeyData::Fixed64(keys) = &batch.data {
                        all.extend_from_slice(keys);
                    }
                }
                KeyData::Fixed64(all)
            }
            Some(KeyData::Fixed128(_)) => {
                let mut all = Vec::with_capacity(rows);
                for batch in batches {
                    if let KeyData::Fixed128(keys) = &batch.data {
                        all.extend_from_slice(keys);
                    }
                }
                KeyData::Fixed128(all)
            }
            Some(KeyData::Bytes(_)) => {
                let mut all = ByteKeys::default();
                for batch in batches {
                    if let KeyData::Bytes(keys) = &batch.data {
                        let base = all.data.len();
                        all.data.extend_from_slice(&keys.data);
                        all.offsets.extend(keys.offsets[1..].iter().map(|offset| base + offset));
                    }
                }
                KeyData::Bytes(all)
            }
        };
        Self { data, valid }
    }
}

/// How the keys of both sides are encoded.
#[derive(Debug)]
enum Form {
    /// No key: every row has the key 0.
    Nothing,
    Integer,
    TwoIntegers,
    Wide,
    Text,
    Rows(RowConverter),
}

/// One side's key expressions with the encoding that both sides share.
#[derive(Debug, Clone)]
pub(super) struct KeySide {
    exprs: Vec<ExprRef>,
    types: Arc<Vec<DataType>>,
    null_equals: Arc<Vec<bool>>,
    form: Arc<Form>,
}

/// Whether values of this SQL type are signed integers of at most 64 bits inside.
pub(super) fn is_integer_like(data_type: &DataType) -> bool {
    matches!(
        storage_type(data_type),
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Decimal64(..)
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}

/// The values of an integer-like array as 64-bit integers; anything at NULL rows.
pub(super) fn integers(array: &ArrayRef) -> Result<Vec<i64>> {
    Ok(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Int16 => array.as_primitive::<Int16Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Int32 => array.as_primitive::<Int32Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().values().to_vec(),
        DataType::Date32 => array.as_primitive::<Date32Type>().values().iter().map(|v| i64::from(*v)).collect(),
        DataType::Decimal64(..) => array.as_primitive::<Decimal64Type>().values().to_vec(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().values().to_vec(),
        other => return Err(Error::internal(format!("{other} is not held as an integer"))),
    })
}

/// Floats with one zero and one NaN; other types as they are.
pub(super) fn normal_floats(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float32 => {
            let normal: Float32Array = array.as_primitive::<Float32Type>().unary(|v| if v.is_nan() { f32::NAN } else { v + 0.0 });
            Arc::new(normal)
        }
        DataType::Float64 => {
            let normal: Float64Array = array.as_primitive::<Float64Type>().unary(|v| if v.is_nan() { f64::NAN } else { v + 0.0 });
            Arc::new(normal)
        }
        _ => array.clone(),
    }
}

/// The type both sides' values are brought to. Coercion happened before; only the digits of a
/// decimal may still differ.
fn common_type(left: &DataType, right: &DataType) -> Result<DataType> {
    match (storage_type(left), storage_type(right)) {
        (l, r) if l == r => Ok(left.clone()),
        (DataType::Decimal64(p, s) | DataType::Decimal128(p, s), DataType::Decimal64(q, t) | DataType::Decimal128(q, t))
            if s == t =>
        {
            Ok(DataType::Decimal128(p.max(q), s))
        }
        _ => Err(Error::internal(format!("join keys of types {left} and {right} were not brought to one type"))),
    }
}

/// The encoders of the left and the right side's keys.
pub(super) fn key_sides(keys: &[super::JoinKey]) -> Result<(KeySide, KeySide)> {
    sides(keys, false)
}

/// The same, always in Arrow's row format, whose bytes compare as the values do.
pub(super) fn sorted_key_sides(keys: &[super::JoinKey]) -> Result<(KeySide, KeySide)> {
    sides(keys, true)
}

fn sides(keys: &[super::JoinKey], ordered: bool) -> Result<(KeySide, KeySide)> {
    let mut types = Vec::with_capacity(keys.len());
    for key in keys {
        types.push(common_type(key.left.data_type(), key.right.data_type())?);
    }
    let null_equals: Vec<bool> = keys.iter().map(|key| key.null_equals).collect();
    let form = form(&types, null_equals.contains(&true) || ordered)?;
    let (types, null_equals, form) = (Arc::new(types), Arc::new(null_equals), Arc::new(form));
    let side =
        |exprs: Vec<ExprRef>| KeySide { exprs, types: types.clone(), null_equals: null_equals.clone(), form: form.clone() };
    Ok((side(keys.iter().map(|key| key.left.clone()).collect()), side(keys.iter().map(|key| key.right.clone()).collect())))
}

fn form(types: &[DataType], rows: bool) -> Result<Form> {
    Ok(match types {
        [] => Form::Nothing,
        [one] if !rows && is_integer_like(one) => Form::Integer,
        [one, two] if !rows && is_integer_like(one) && is_integer_like(two) => Form::TwoIntegers,
        [DataType::Decimal128(..)] if !rows => Form::Wide,
        [one] if !rows && matches!(storage_type(one), DataType::Utf8View | DataType::BinaryView) => Form::Text,
        _ => {
            let fields: Vec<SortField> = types.iter().map(|data_type| SortField::new(storage_type(data_type))).collect();
            if !RowConverter::supports_fields(&fields) {
                let names: Vec<String> = types.iter().map(ToString::to_string).collect();
                return Err(Error::unsupported(format!("a join on keys of type {}", names.join(", "))));
            }
            Form::Rows(RowConverter::new(fields)?)
        }
    })
}

impl KeySide {
    /// Whether the encoding of a key is the value of a 64-bit integer.
    pub(super) fn is_integer(&self) -> bool {
        matches!(*self.form, Form::Integer)
    }

    /// The type of one key.
    pub(super) fn key_type(&self, key: usize) -> &DataType {
        &self.types[key]
    }

    /// The keys' values, flat, in their storage types, floats normalised.
    pub(super) fn values(&self, chunk: &Chunk) -> Result<Vec<ArrayRef>> {
        let keys = self.exprs.iter().zip(self.types.iter());
        keys.map(|(expr, data_type)| Ok(normal_floats(&expr.evaluate(chunk)?.stored(data_type)?))).collect()
    }

    /// Encodes what [`KeySide::values`] gave for `rows` rows.
    pub(super) fn encode(&self, values: &[ArrayRef], rows: usize) -> Result<KeyBatch> {
        let mut nulls: Option<NullBuffer> = None;
        for (value, null_equals) in values.iter().zip(self.null_equals.iter()) {
            if !null_equals {
                nulls = NullBuffer::union(nulls.as_ref(), value.logical_nulls().as_ref());
            }
        }
        let valid = nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.inner().clone());
        let data = match (&*self.form, values) {
            (Form::Integer, [one]) => KeyData::Fixed64(integers(one)?.into_iter().map(|v| v as u64).collect()),
            (Form::TwoIntegers, [one, two]) => {
                let both = integers(one)?.into_iter().zip(integers(two)?);
                KeyData::Fixed128(both.map(|(a, b)| (u128::from(a as u64) << 64) | u128::from(b as u64)).collect())
            }
            (Form::Wide, [one]) => {
                KeyData::Fixed128(one.as_primitive::<Decimal128Type>().values().iter().map(|v| *v as u128).collect())
            }
            (Form::Text, [one]) => KeyData::Bytes(texts(one)?),
            (Form::Rows(converter), values) => {
                let encoded = converter.convert_columns(values)?;
                let mut keys = ByteKeys::default();
                encoded.iter().for_each(|row| keys.push(row.as_ref()));
                KeyData::Bytes(keys)
            }
            _ => KeyData::Fixed64(vec![0; rows]),
        };
        Ok(KeyBatch { data, valid })
    }

    /// Evaluates and encodes the keys of a chunk.
    pub(super) fn keys(&self, chunk: &Chunk) -> Result<KeyBatch> {
        self.encode(&self.values(chunk)?, chunk.rows())
    }
}

fn texts(array: &ArrayRef) -> Result<ByteKeys> {
    let mut keys = ByteKeys::default();
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().iter().for_each(|v| keys.push(v.unwrap_or_default().as_bytes())),
        DataType::BinaryView => array.as_binary_view().iter().for_each(|v| keys.push(v.unwrap_or_default())),
        other => return Err(Error::internal(format!("{other} is not held as text"))),
    }
    Ok(keys)
}
