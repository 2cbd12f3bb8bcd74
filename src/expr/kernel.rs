//! Functions of flat arrays, and the expression that feeds them.

use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, Column, storage_type};
use crate::error::Result;
use arrow::array::{Array, ArrayRef, Datum, Scalar, UInt32Array, new_empty_array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::DataType;
use std::fmt::Debug;

/// An argument of a kernel: one value a row, or one row that stands for all.
#[derive(Debug, Clone)]
pub(super) struct Arg {
    pub array: ArrayRef,
    pub is_const: bool,
}

impl Arg {
    pub fn data_type(&self) -> &DataType {
        self.array.data_type()
    }

    /// Whether it is a constant NULL (or of the type of NULL).
    pub fn is_null(&self) -> bool {
        *self.data_type() == DataType::Null || (self.is_const && self.array.is_null(0))
    }

    /// One value a row.
    pub fn flat(&self, rows: usize) -> Result<ArrayRef> {
        if !self.is_const || rows == 1 {
            return Ok(self.array.clone());
        }
        if self.array.is_null(0) {
            return Ok(new_null_array(self.data_type(), rows));
        }
        Ok(compute::take(&self.array, &UInt32Array::from_value(0, rows), None)?)
    }

    /// As Arrow's kernels take it.
    pub fn datum(&self) -> Box<dyn Datum> {
        if self.is_const { Box::new(Scalar::new(self.array.clone())) } else { Box::new(self.array.clone()) }
    }

    /// The same kind of argument with other values.
    pub fn with(&self, array: ArrayRef) -> Self {
        Self { array, is_const: self.is_const }
    }

    /// Its NULLs, if it has one value a row and some are NULL.
    pub fn nulls(&self) -> Option<NullBuffer> {
        if self.is_const { None } else { self.array.logical_nulls().filter(|nulls| nulls.null_count() > 0) }
    }

    /// The row of the array that holds the value of `row`.
    pub fn at(&self, row: usize) -> usize {
        if self.is_const { 0 } else { row }
    }
}

/// NULL where an argument is NULL. Constant NULLs are not looked at.
pub(super) fn union_nulls(args: &[Arg]) -> Option<NullBuffer> {
    args.iter().fold(None, |all, arg| NullBuffer::union(all.as_ref(), arg.nulls().as_ref()))
}

/// A pure function of arrays in storage types.
pub(super) trait Kernel: Debug + Send + Sync {
    /// The result for `rows` rows. If there are arguments and all are constant, `rows` is 1.
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef>;
}

/// An expression that evaluates its arguments and calls a kernel.
#[derive(Debug)]
pub(super) struct Apply {
    pub kernel: Box<dyn Kernel>,
    pub args: Vec<ExprRef>,
    pub data_type: DataType,
    pub nullable: bool,
    /// Whether the kernel itself can fail on a value.
    pub fallible: bool,
    /// Whether it may give another result for the same arguments.
    pub volatile: bool,
    pub text: String,
}

impl VectorExpr for Apply {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let rows = chunk.rows();
        if rows == 0 {
            return Ok(Column::Flat(new_empty_array(&storage_type(&self.data_type))));
        }
        let mut args = Vec::with_capacity(self.args.len());
        let mut constant = !self.args.is_empty() && !self.volatile;
        for arg in &self.args {
            args.push(match arg.evaluate(chunk)? {
                Column::Const(array, _) => Arg { array, is_const: true },
                other => {
                    constant = false;
                    Arg { array: other.flat()?, is_const: false }
                }
            });
        }
        if constant {
            return Ok(Column::Const(self.kernel.call(&args, 1)?, rows));
        }
        Ok(Column::Flat(self.kernel.call(&args, rows)?))
    }

    fn data_type(&self) -> &DataType {
        &self.data_type
    }

    fn is_nullable(&self) -> bool {
        self.nullable
    }

    fn is_fallible(&self) -> bool {
        // A volatile call must be neither repeated nor shared between rows, as a failing one must not.
        self.fallible || self.volatile || self.args.iter().any(|arg| arg.is_fallible())
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.args.iter().for_each(|arg| arg.collect_columns(columns));
    }

    fn describe(&self) -> String {
        self.text.clone()
    }
}
