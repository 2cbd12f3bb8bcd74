//! Expressions without operands: columns, constants, values of subqueries.

use super::slot::ScalarSlot;
use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, Column, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::sync::{Arc, OnceLock};

/// A column of the input.
#[derive(Debug)]
pub(super) struct ColumnExpr {
    pub index: usize,
    pub data_type: DataType,
    pub nullable: bool,
    pub name: String,
}

impl VectorExpr for ColumnExpr {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        match chunk.columns().get(self.index) {
            Some(column) => Ok(column.clone()),
            None => Err(Error::internal(format!("column {} of a chunk of {}", self.index, chunk.columns().len()))),
        }
    }

    fn data_type(&self) -> &DataType {
        &self.data_type
    }

    fn is_nullable(&self) -> bool {
        self.nullable
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        columns.push(self.index);
    }

    fn as_column(&self) -> Option<usize> {
        Some(self.index)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

/// Column `index` of the input, which has this SQL type.
pub fn column(index: usize, data_type: DataType, nullable: bool, name: String) -> ExprRef {
    Arc::new(ColumnExpr { index, data_type, nullable, name })
}

/// A constant.
#[derive(Debug)]
pub(super) struct ConstExpr {
    value: ArrayRef,
    data_type: DataType,
    text: String,
}

impl ConstExpr {
    pub fn new(value: &ScalarValue) -> Result<Self> {
        Ok(Self { value: storage_value(value)?, data_type: value.data_type(), text: literal_text(value) })
    }
}

impl VectorExpr for ConstExpr {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        Ok(Column::Const(self.value.clone(), chunk.rows()))
    }

    fn data_type(&self) -> &DataType {
        &self.data_type
    }

    fn is_nullable(&self) -> bool {
        self.value.logical_null_count() > 0
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, _: &mut Vec<usize>) {}

    fn describe(&self) -> String {
        self.text.clone()
    }
}

/// The value of an uncorrelated scalar subquery.
#[derive(Debug)]
pub(super) struct SlotExpr {
    slot: Arc<ScalarSlot>,
    value: OnceLock<ArrayRef>,
}

impl SlotExpr {
    pub fn new(slot: Arc<ScalarSlot>) -> Self {
        Self { slot, value: OnceLock::new() }
    }
}

impl VectorExpr for SlotExpr {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let value = match self.value.get() {
            Some(value) => value,
            None => {
                let value = storage_value(self.slot.get()?)?;
                self.value.get_or_init(|| value)
            }
        };
        Ok(Column::Const(value.clone(), chunk.rows()))
    }

    fn data_type(&self) -> &DataType {
        self.slot.data_type()
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, _: &mut Vec<usize>) {}

    fn describe(&self) -> String {
        "(scalar subquery)".to_owned()
    }
}

/// One row in the storage type.
pub(super) fn storage_value(value: &ScalarValue) -> Result<ArrayRef> {
    to_storage_type(&value.to_array_of_size(1).map_err(Error::from)?)
}

/// A constant as SQL would write it.
pub(super) fn literal_text(value: &ScalarValue) -> String {
    if value.is_null() {
        return "NULL".to_owned();
    }
    match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        _ => match storage_value(value).and_then(|array| super::cast::text_of(&array, 0)) {
            Ok(text) => match value.data_type() {
                DataType::Date32 => format!("DATE '{text}'"),
                DataType::Timestamp(..) => format!("TIMESTAMP '{text}'"),
                _ => text,
            },
            Err(_) => value.to_string(),
        },
    }
}
