//! Columns and chunks: the form in which rows travel between operators.
//!
//! A plan's schema gives every column its SQL type. In a [`Chunk`] a column appears in a *form*
//! that may change from chunk to chunk ([`Column`]): flat values, codes into a shared dictionary,
//! one constant, or rows selected from a larger array and not yet copied. Operators work on the
//! form they meet as long as it saves work and ask for [`Column::flat`] where it does not.
//!
//! ```text
//!   SQL type (plan)          storage type (breakers)      in flight (chunks)
//!   Decimal128(15, 2)   ->   Decimal64(15, 2)             Decimal64
//!   Decimal128(32, 4)   ->   Decimal128(32, 4)            Decimal128, or Decimal64 where every
//!                                                         value of the chunk fits 64 bits
//!   Utf8, LargeUtf8     ->   Utf8View                     Utf8View, or codes
//!   Binary, LargeBinary ->   BinaryView                   BinaryView
//!   Timestamp(*, zone)  ->   Timestamp(us, zone)          the same
//! ```

mod bits;
mod chunk;
mod code_set;
mod dictionary;
mod selection;
mod set_bits;
mod storage;

pub use bits::{compress, expand};
pub use chunk::{Chunk, Order};
pub use code_set::CodeSet;
pub use dictionary::{DictColumn, Dictionary};
pub use selection::Selection;
pub use storage::{is_narrow_decimal, storage_field, storage_schema, storage_type, to_plan_type, to_storage_type};

use crate::error::Result;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, UInt32Array, new_null_array};
use arrow::compute;
use arrow::datatypes::DataType;
use arrow::downcast_primitive_array;
use datafusion_common::ScalarValue;
use std::sync::{Arc, OnceLock};

/// The rows of a chunk are fewer than this; scans aim at it. Guessed from L2 size (2 MiB: eight
/// columns of 16 bytes) and to be measured per operator.
pub const CHUNK_ROWS: usize = 8192;

/// One column of a [`Chunk`], in one of its forms. Cloning shares the data.
#[derive(Debug, Clone)]
pub enum Column {
    /// One value a row.
    Flat(ArrayRef),
    /// One code a row into a shared dictionary.
    Dict(DictColumn),
    /// The same value in every row: an array of one row, and the number of rows.
    Const(ArrayRef, usize),
    /// Rows picked from a flat array, copied when first asked for.
    Selected(SelectedColumn),
}

/// Rows of `base` picked by a [`Selection`] that the chunk's other columns share.
#[derive(Debug, Clone)]
pub struct SelectedColumn {
    base: ArrayRef,
    selection: Arc<Selection>,
    flat: Arc<OnceLock<ArrayRef>>,
}

impl Column {
    /// A column with `rows` times the same value, in the storage type of `value`'s type.
    pub fn constant(value: &ScalarValue, rows: usize) -> Result<Self> {
        let array = value.to_array_of_size(1).map_err(crate::error::Error::from)?;
        Ok(Self::Const(to_storage_type(&array)?, rows))
    }

    /// A column of `rows` NULLs of `data_type`.
    pub fn nulls(data_type: &DataType, rows: usize) -> Self {
        Self::Const(new_null_array(data_type, 1), rows)
    }

    /// The rows of `base` that `selection` picks, to be copied only when asked for.
    pub fn selected(base: ArrayRef, selection: Arc<Selection>) -> Self {
        Self::Selected(SelectedColumn { base, selection, flat: Arc::default() })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Flat(array) => array.len(),
            Self::Dict(dict) => dict.codes().len(),
            Self::Const(_, rows) => *rows,
            Self::Selected(selected) => selected.selection.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The Arrow type of the values as they are held (see the table above), not the SQL type.
    pub fn data_type(&self) -> &DataType {
        match self {
            Self::Flat(array) | Self::Const(array, _) => array.data_type(),
            Self::Dict(dict) => dict.dictionary().values().data_type(),
            Self::Selected(selected) => selected.base.data_type(),
        }
    }

    /// One value a row. Copies the other forms; a selected column remembers the copy.
    pub fn flat(&self) -> Result<ArrayRef> {
        match self {
            Self::Flat(array) => Ok(array.clone()),
            Self::Dict(dict) => dict.flat(),
            Self::Const(value, rows) => repeat(value, *rows),
            Self::Selected(selected) => selected.flat(),
        }
    }

    /// One value a row, in the storage type of the SQL type `plan_type`: what breakers keep.
    pub fn stored(&self, plan_type: &DataType) -> Result<ArrayRef> {
        let flat = self.flat()?;
        let wanted = storage_type(plan_type);
        if *flat.data_type() == wanted { Ok(flat) } else { storage::widen(&flat, &wanted) }
    }

    /// The rows that `selection` picks, in its order. Flat columns become [`Column::Selected`].
    pub fn select(&self, selection: &Arc<Selection>) -> Result<Self> {
        match self {
            Self::Flat(array) => Ok(Self::selected(array.clone(), selection.clone())),
            Self::Dict(dict) => Ok(Self::Dict(dict.select(selection)?)),
            Self::Const(value, _) if !selection.has_nulls() => Ok(Self::Const(value.clone(), selection.len())),
            Self::Const(..) => Ok(Self::selected(self.flat()?, selection.clone())),
            Self::Selected(selected) => match selected.flat.get() {
                Some(flat) => Ok(Self::selected(flat.clone(), selection.clone())),
                None => {
                    let composed = Arc::new(selected.selection.compose(selection));
                    Ok(Self::selected(selected.base.clone(), composed))
                }
            },
        }
    }

    /// `len` rows from `offset`, without copying values.
    pub fn slice(&self, offset: usize, len: usize) -> Result<Self> {
        Ok(match self {
            Self::Flat(array) => Self::Flat(array.slice(offset, len)),
            Self::Dict(dict) => Self::Dict(dict.slice(offset, len)),
            Self::Const(value, _) => Self::Const(value.clone(), len),
            Self::Selected(selected) => match selected.flat.get() {
                Some(flat) => Self::Flat(flat.slice(offset, len)),
                None => Self::selected(selected.base.clone(), Arc::new(selected.selection.slice(offset, len))),
            },
        })
    }

    /// The value of one row, as a scalar of the held type.
    pub fn value(&self, row: usize) -> Result<ScalarValue> {
        let scalar = match self {
            Self::Flat(array) => ScalarValue::try_from_array(array, row),
            Self::Const(value, _) => ScalarValue::try_from_array(value, 0),
            Self::Dict(dict) => match dict.code(row) {
                Some(code) => ScalarValue::try_from_array(dict.dictionary().values(), code as usize),
                None => ScalarValue::try_from(self.data_type()),
            },
            Self::Selected(_) => ScalarValue::try_from_array(&self.flat()?, row),
        };
        Ok(scalar?)
    }

    /// The value of one row, as an array of that row alone; nothing is copied.
    pub fn row(&self, row: usize) -> Result<ArrayRef> {
        Ok(match self {
            Self::Flat(array) => array.slice(row, 1),
            Self::Const(value, _) => value.clone(),
            Self::Dict(dict) => match dict.code(row) {
                Some(code) => dict.dictionary().values().slice(code as usize, 1),
                None => new_null_array(self.data_type(), 1),
            },
            Self::Selected(selected) => match selected.flat.get() {
                Some(flat) => flat.slice(row, 1),
                None => {
                    let indices = selected.selection.indices();
                    match indices.is_valid(row) {
                        true => selected.base.slice(indices.value(row) as usize, 1),
                        false => new_null_array(self.data_type(), 1),
                    }
                }
            },
        })
    }

    /// Bytes this column alone keeps alive, roughly: shared dictionaries are not counted.
    pub fn memory_size(&self) -> usize {
        match self {
            Self::Flat(array) => array_bytes(array),
            Self::Dict(dict) => dict.codes().len() * 4,
            Self::Const(..) => 64,
            Self::Selected(selected) => selected.flat.get().map_or(selected.selection.len() * 4, array_bytes),
        }
    }
}

impl SelectedColumn {
    /// The array that rows are picked from.
    pub fn base(&self) -> &ArrayRef {
        &self.base
    }

    /// Which rows are picked.
    pub fn selection(&self) -> &Arc<Selection> {
        &self.selection
    }

    fn flat(&self) -> Result<ArrayRef> {
        if let Some(flat) = self.flat.get() {
            return Ok(flat.clone());
        }
        let flat = self.selection.pick(&self.base)?;
        Ok(self.flat.get_or_init(|| flat).clone())
    }
}

/// Bytes of an array's rows: a slice counts for its own rows only, string views for their views
/// and for their long strings' bytes, whoever owns the buffers.
pub fn array_bytes(array: &ArrayRef) -> usize {
    use arrow::array::AsArray;
    let validity = if array.nulls().is_some() { array.len() / 8 + 1 } else { 0 };
    validity
        + match array.data_type() {
            DataType::Utf8View => array.len() * 16 + array.as_string_view().total_bytes_len(),
            DataType::BinaryView => array.len() * 16 + array.as_binary_view().total_bytes_len(),
            DataType::Boolean => array.len() / 8 + 1,
            other => match other.primitive_width() {
                Some(width) => array.len() * width,
                None => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()),
            },
        }
}

fn repeat(value: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    if value.is_null(0) {
        return Ok(new_null_array(value.data_type(), rows));
    }
    if rows == 1 {
        return Ok(value.clone());
    }
    downcast_primitive_array!(
        value => Ok(filled(value, rows)),
        _ => Ok(compute::take(value, &UInt32Array::from_value(0, rows), None)?)
    )
}

/// The first value of `array`, which is not NULL, `rows` times.
fn filled<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, rows: usize) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_value(array.value(0), rows).with_data_type(array.data_type().clone()))
}
