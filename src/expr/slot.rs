//! A value that a subquery gives while the plan runs.

use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::sync::OnceLock;

/// The place of an uncorrelated scalar subquery's value: filled by the subquery's pipeline before
/// any pipeline that reads it starts.
#[derive(Debug)]
pub struct ScalarSlot {
    data_type: DataType,
    value: OnceLock<ScalarValue>,
}

impl ScalarSlot {
    /// An empty place for a value of SQL type `data_type`.
    pub fn new(data_type: DataType) -> Self {
        Self { data_type, value: OnceLock::new() }
    }

    /// The SQL type.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Fills it, once.
    pub fn set(&self, value: ScalarValue) -> Result<()> {
        self.value.set(value).map_err(|_| Error::internal("a scalar subquery gave its value twice"))
    }

    /// The value.
    pub fn get(&self) -> Result<&ScalarValue> {
        self.value.get().ok_or_else(|| Error::internal("a scalar subquery's value is read before it is known"))
    }

    /// The value, if known by now.
    pub fn peek(&self) -> Option<&ScalarValue> {
        self.value.get()
    }
}
