//! A condition as something to count: true, or NULL where it does not hold.

use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, Column};
use crate::error::Result;
use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// `condition`, with NULL for false.
pub fn true_or_null(condition: ExprRef) -> ExprRef {
    Arc::new(TrueOrNull(condition))
}

#[derive(Debug)]
struct TrueOrNull(ExprRef);

impl VectorExpr for TrueOrNull {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let flat = self.0.evaluate(chunk)?.flat()?;
        let values = flat.as_boolean();
        let holds = match values.nulls() {
            Some(nulls) => values.values() & nulls.inner(),
            None => values.values().clone(),
        };
        Ok(Column::Flat(Arc::new(BooleanArray::new(holds.clone(), Some(NullBuffer::new(holds))))))
    }

    fn data_type(&self) -> &DataType {
        &DataType::Boolean
    }

    fn is_fallible(&self) -> bool {
        self.0.is_fallible()
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.0.collect_columns(columns);
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}
