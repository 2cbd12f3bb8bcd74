//! What a compiled expression is to operators.

use crate::column::{Chunk, Column};
use crate::error::Result;
use arrow::datatypes::DataType;
use std::fmt::Debug;
use std::sync::Arc;

/// A compiled expression, shared by all workers.
pub type ExprRef = Arc<dyn VectorExpr>;

/// A compiled expression.
pub trait VectorExpr: Debug + Send + Sync {
    /// The value for every row of `chunk`, in whatever form is cheapest. The chunk's columns are
    /// those of the schema the expression was compiled for. Every row of a chunk is wanted (filters
    /// pick rows before), so a fallible expression may fail on any of them.
    fn evaluate(&self, chunk: &Chunk) -> Result<Column>;

    /// The SQL type of the value.
    fn data_type(&self) -> &DataType;

    /// Whether the value can be NULL.
    fn is_nullable(&self) -> bool {
        true
    }

    /// Whether evaluation can fail on a value.
    fn is_fallible(&self) -> bool;

    /// Appends the positions of the columns read; may repeat.
    fn collect_columns(&self, columns: &mut Vec<usize>);

    /// The position, when the expression is nothing but an input column.
    fn as_column(&self) -> Option<usize> {
        None
    }

    /// SQL-like text for EXPLAIN.
    fn describe(&self) -> String;
}
