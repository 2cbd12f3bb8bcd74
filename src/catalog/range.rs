//! `range(start, end, step)` as a table of one column.

use super::{Table, TableStatistics};
use crate::error::{Error, Result};
use crate::layout::ColumnStatistics;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use std::any::Any;
use std::sync::Arc;

/// The numbers from a start up to, and without, an end.
#[derive(Debug)]
pub struct RangeTable {
    schema: SchemaRef,
    names: Vec<String>,
    statistics: TableStatistics,
    start: i64,
    step: i64,
    count: u64,
}

impl RangeTable {
    /// A column `id` with `start`, `start + step` and so on, as long as they are before `end`.
    ///
    /// # Errors
    /// Where `step` is 0.
    pub fn new(start: i64, end: i64, step: i64) -> Result<Self> {
        if step == 0 {
            return Err(Error::sql("the step of range cannot be 0"));
        }
        let distance = i128::from(end) - i128::from(start);
        let step_by = i128::from(step);
        // Rounded up, and none where the end lies in the other direction.
        let count = if (distance > 0) == (step > 0) { (distance.abs() + step_by.abs() - 1) / step_by.abs() } else { 0 };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let last = i128::from(start) + step_by * (i128::from(count) - 1).max(0);
        let bound = |value: i128| i64::try_from(value).ok().map(|value| ScalarValue::Int64(Some(value)));
        let (first, last) = (bound(i128::from(start).min(last)), bound(i128::from(start).max(last)));
        let column =
            ColumnStatistics { min: first, max: last, null_count: Some(0.0), distinct: Some(count as f64), width: Some(8.0) };
        Ok(Self {
            schema: Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)])),
            names: vec!["id".into()],
            statistics: TableStatistics { rows: count as f64, columns: vec![column] },
            start,
            step,
            count,
        })
    }

    /// The first number, the distance between two, and how many there are.
    pub fn numbers(&self) -> (i64, i64, u64) {
        (self.start, self.step, self.count)
    }
}

impl Table for RangeTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn display_names(&self) -> &[String] {
        &self.names
    }

    fn statistics(&self) -> &TableStatistics {
        &self.statistics
    }

    fn describe(&self) -> String {
        format!("range from {} by {}", self.start, self.step)
    }
}
