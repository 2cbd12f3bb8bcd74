//! The rows that a recursive query reads of itself, as a table without rows of its own.

use arrow::datatypes::SchemaRef;
use datafusion_expr::TableSource;

/// Stands in the recursive term; the planner puts the work rows there.
#[derive(Debug)]
pub struct WorkTable {
    /// The name of the common table expression.
    pub name: String,
    /// Its columns.
    pub schema: SchemaRef,
}

impl TableSource for WorkTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
