//! The keys of a join's two sides: expressions, brought to one type and encoded alike.
//!
//! ```text
//!   left.a = right.b and left.c <=> right.d
//!     left side:   [a, c] ──┐
//!                           ├──> KeyColumns of the common types ──> words or bytes
//!     right side:  [b, d] ──┘
//! ```
//!
//! The encoding is that of [`crate::expr::keys`], which groups use as well: columns of codes are
//! encoded once a dictionary. A row whose key is NULL under `=` is marked invalid: it matches
//! nothing, whatever its encoding says. Coercion to one SQL type happened before; only the digits of
//! a decimal may still differ between the sides.

pub(super) use crate::expr::keys::{EncodedKeys as KeyBatch, KeyBytes as ByteKeys, KeyData};

use crate::column::{Chunk, Column, storage_type};
use crate::error::{Error, Result};
use crate::expr::ExprRef;
use crate::expr::keys::KeyColumns;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::sync::Arc;

/// One side's key expressions with the encoding that both sides share.
#[derive(Debug, Clone)]
pub(super) struct KeySide {
    exprs: Vec<ExprRef>,
    columns: Arc<KeyColumns>,
    types: Arc<Vec<DataType>>,
}

/// The type both sides' values are brought to.
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

/// The same, always as bytes that compare as the values do.
pub(super) fn sorted_key_sides(keys: &[super::JoinKey]) -> Result<(KeySide, KeySide)> {
    sides(keys, true)
}

fn sides(keys: &[super::JoinKey], ordered: bool) -> Result<(KeySide, KeySide)> {
    let mut types = Vec::with_capacity(keys.len());
    for key in keys {
        types.push(common_type(key.left.data_type(), key.right.data_type())?);
    }
    let null_equals: Vec<bool> = keys.iter().map(|key| key.null_equals).collect();
    let columns = if ordered {
        KeyColumns::ordered(types.clone(), null_equals)
    } else {
        let columns = KeyColumns::new(types.clone(), null_equals);
        columns.comparable().map(|()| columns)
    };
    let columns = columns.map_err(|error| Error::unsupported(format!("a join on {}", error.message())))?;
    let (columns, types) = (Arc::new(columns), Arc::new(types));
    let side = |exprs: Vec<ExprRef>| KeySide { exprs, columns: columns.clone(), types: types.clone() };
    Ok((side(keys.iter().map(|key| key.left.clone()).collect()), side(keys.iter().map(|key| key.right.clone()).collect())))
}

impl KeySide {
    /// Whether the encoding of a key is the value of a 64-bit integer.
    pub(super) fn is_integer(&self) -> bool {
        self.columns.is_integer()
    }

    /// Whether NULL equals NULL in some key.
    pub(super) fn has_null_equals(&self) -> bool {
        self.columns.has_null_equals()
    }

    /// The type of one key.
    pub(super) fn key_type(&self, key: usize) -> &DataType {
        &self.types[key]
    }

    /// The keys' values, in whatever form they come.
    pub(super) fn columns(&self, chunk: &Chunk) -> Result<Vec<Column>> {
        let keys = self.exprs.iter().zip(self.types.iter());
        keys.map(|(expr, data_type)| {
            let column = expr.evaluate(chunk)?;
            // Decimals are encoded alike however they are held; other types have one form.
            let decimal = matches!(column.data_type(), DataType::Decimal64(..) | DataType::Decimal128(..));
            let as_stored = decimal || *column.data_type() == storage_type(data_type);
            if as_stored { Ok(column) } else { Ok(Column::Flat(column.stored(data_type)?)) }
        })
        .collect()
    }

    /// Encodes what [`KeySide::columns`] gave for `rows` rows.
    pub(super) fn encode(&self, columns: &[Column], rows: usize) -> Result<KeyBatch> {
        self.columns.encode(columns, rows)
    }

    /// Encodes values of the only key, such as those of a dictionary.
    pub(super) fn encode_values(&self, values: &ArrayRef) -> Result<KeyBatch> {
        self.columns.encode(&[Column::Flat(values.clone())], values.len())
    }

    /// The hash of the key with these values; none when one is NULL under `=`.
    pub(super) fn hash_of(&self, values: &[ScalarValue]) -> Result<Option<u64>> {
        let constant = |(value, data_type): (&ScalarValue, &DataType)| Column::constant(&value.cast_to(data_type)?, 1);
        let columns = values.iter().zip(self.types.iter()).map(constant).collect::<Result<Vec<_>>>()?;
        let key = self.columns.encode(&columns, 1)?;
        Ok(key.is_valid(0).then(|| key.data.hash_row(0, false)))
    }

    /// Evaluates and encodes the keys of a chunk.
    pub(super) fn keys(&self, chunk: &Chunk) -> Result<KeyBatch> {
        self.encode(&self.columns(chunk)?, chunk.rows())
    }
}
