//! Conditions that scans test early.

use super::bounds::Test;
use super::compile::Slots;
use super::predicate::Predicate;
use crate::column::{Chunk, Column};
use crate::error::Result;
use crate::layout::{Bounds, ScanPredicate, Truth};
use arrow::buffer::BooleanBuffer;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;
use std::sync::Arc;

/// A compiled condition on a table's columns.
#[derive(Debug)]
struct ScanCondition {
    /// Positions in the table's schema, ascending.
    columns: Vec<usize>,
    /// Over exactly those columns.
    predicate: Predicate,
    test: Test,
}

/// Compiles a condition over the columns of a table for its scan.
pub fn scan_predicate(conjunct: &Expr, table_schema: &DFSchema, slots: &Slots) -> Result<Arc<dyn ScanPredicate>> {
    let conjuncts = std::slice::from_ref(conjunct);
    let columns = Predicate::compile(conjuncts, table_schema, slots)?.columns();
    let fields = columns.iter().map(|&column| {
        let (qualifier, field) = table_schema.qualified_field(column);
        (qualifier.cloned(), field.clone())
    });
    let narrowed = DFSchema::new_with_metadata(fields.collect(), Default::default())?;
    let predicate = Predicate::compile(conjuncts, &narrowed, slots)?;
    Ok(Arc::new(ScanCondition { columns, predicate, test: Test::new(conjunct, table_schema, slots) }))
}

impl ScanPredicate for ScanCondition {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn describe(&self) -> String {
        self.predicate.describe()
    }

    fn is_fallible(&self) -> bool {
        self.predicate.is_fallible()
    }

    fn check_bounds(&self, zone: &dyn Bounds) -> Truth {
        if zone.rows() == 0 { Truth::Unknown } else { self.test.check(zone) }
    }

    fn equal_to_any(&self) -> Option<Vec<ScalarValue>> {
        if self.columns.len() == 1 { self.test.equal_to_any() } else { None }
    }

    fn evaluate(&self, columns: &[Column], rows: usize) -> Result<BooleanBuffer> {
        self.predicate.mask(&Chunk::new(columns.to_vec(), rows))
    }
}
