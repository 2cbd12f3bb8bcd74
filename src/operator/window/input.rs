//! What the functions of a window want to see of each row, computed once per chunk.

use crate::column::{Chunk, Selection, storage_type};
use crate::error::Result;
use crate::expr::ExprRef;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_empty_array};
use arrow::compute;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// A value kept of every row of a partition.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// An expression's.
    Value(ExprRef),
    /// An expression's where a condition holds, which alone makes it safe to compute; else NULL.
    Guarded(ExprRef, ExprRef),
    /// Whether a condition holds.
    Mask(ExprRef),
}

impl Input {
    /// Whether both are known to be the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same = |a: &ExprRef, b: &ExprRef| Arc::ptr_eq(a, b) || (a.as_column().is_some() && a.as_column() == b.as_column());
        match (self, other) {
            (Self::Value(a), Self::Value(b)) | (Self::Mask(a), Self::Mask(b)) => same(a, b),
            (Self::Guarded(a, x), Self::Guarded(b, y)) => same(a, b) && same(x, y),
            _ => false,
        }
    }

    /// The type it is kept in.
    pub(super) fn stored_type(&self) -> DataType {
        match self {
            Self::Value(expr) | Self::Guarded(expr, _) => storage_type(expr.data_type()),
            Self::Mask(_) => DataType::Boolean,
        }
    }

    /// Its values for the rows of a chunk.
    pub(super) fn evaluate(&self, chunk: &Chunk) -> Result<ArrayRef> {
        match self {
            Self::Value(expr) => expr.evaluate(chunk)?.stored(expr.data_type()),
            Self::Mask(condition) => Ok(Arc::new(holds(condition, chunk)?)),
            Self::Guarded(expr, condition) => {
                let holds = holds(condition, chunk)?;
                let selection = Arc::new(Selection::from_mask(holds.values().clone()));
                if selection.len() == chunk.rows() {
                    return expr.evaluate(chunk)?.stored(expr.data_type());
                }
                let values = match selection.is_empty() {
                    true => new_empty_array(&storage_type(expr.data_type())),
                    false => expr.evaluate(&chunk.select(&selection)?)?.stored(expr.data_type())?,
                };
                let mut next = 0;
                let place = |holds: bool| {
                    next += u32::from(holds);
                    holds.then(|| next - 1)
                };
                let places: UInt32Array = holds.values().iter().map(place).collect();
                Ok(compute::take(&values, &places, None)?)
            }
        }
    }
}

/// True where `condition` is, never NULL.
fn holds(condition: &ExprRef, chunk: &Chunk) -> Result<BooleanArray> {
    let flat = condition.evaluate(chunk)?.flat()?;
    let values = flat.as_boolean();
    Ok(match values.nulls() {
        Some(nulls) => BooleanArray::new(values.values() & nulls.inner(), None),
        None => values.clone(),
    })
}
