//! AND, OR, NOT and the IS family in three-valued logic.
//!
//! AND and OR work on masks of bits. An operand that can fail, or one that few rows still need, is
//! evaluated only on the rows that the operands before it have not decided, as SQL users expect of
//! `b <> 0 AND a / b > 1`.

use super::kernel::{Arg, Kernel};
use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, Column, Selection};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// Below this share of undecided rows they are selected first. Guessed.
const SPARSE_SHARE: f64 = 0.25;

/// A column of truth values, flat.
pub(super) fn truth(column: &Column) -> Result<BooleanArray> {
    let flat = column.flat()?;
    match flat.data_type() {
        DataType::Boolean => Ok(flat.as_boolean().clone()),
        DataType::Null => Ok(new_null_array(&DataType::Boolean, flat.len()).as_boolean().clone()),
        other => Err(Error::internal(format!("a condition gave {other}"))),
    }
}

/// The rows that are true.
pub(super) fn true_rows(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        Some(nulls) if nulls.null_count() > 0 => array.values() & nulls.inner(),
        _ => array.values().clone(),
    }
}

/// `a AND b AND c`, or the same with OR.
#[derive(Debug)]
pub(super) struct Logic {
    pub is_and: bool,
    pub args: Vec<ExprRef>,
    pub nullable: bool,
    pub text: String,
}

impl Logic {
    /// The rows on which the next operand still has a say.
    fn undecided(&self, so_far: &BooleanArray) -> BooleanBuffer {
        let open = if self.is_and { so_far.values().clone() } else { !so_far.values() };
        match so_far.nulls() {
            Some(nulls) => &open | &!nulls.inner(),
            None => open,
        }
    }

    /// `arg` on the rows of `open`; elsewhere the value that changes nothing.
    fn evaluate_open(&self, arg: &ExprRef, chunk: &Chunk, open: BooleanBuffer) -> Result<BooleanArray> {
        let selection = Arc::new(Selection::from_mask(open.clone()));
        let picked = truth(&arg.evaluate(&chunk.select(&selection)?)?)?;
        let mut values = BooleanBufferBuilder::new(open.len());
        values.append_n(open.len(), self.is_and);
        let mut valid = picked.nulls().map(|_| {
            let mut valid = BooleanBufferBuilder::new(open.len());
            valid.append_n(open.len(), true);
            valid
        });
        for (at, row) in open.set_indices().enumerate() {
            values.set_bit(row, picked.value(at));
            if let Some(valid) = &mut valid {
                valid.set_bit(row, picked.is_valid(at));
            }
        }
        Ok(BooleanArray::new(values.finish(), valid.map(|mut valid| NullBuffer::new(valid.finish()))))
    }
}

impl VectorExpr for Logic {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let rows = chunk.rows();
        let mut so_far: Option<BooleanArray> = None;
        for arg in &self.args {
            let Some(left) = so_far.take() else {
                let first = arg.evaluate(chunk)?;
                so_far = Some(truth(&first)?);
                continue;
            };
            let open = self.undecided(&left);
            let open_rows = open.count_set_bits();
            if open_rows == 0 {
                so_far = Some(left);
                break;
            }
            let sparse = (open_rows as f64) < SPARSE_SHARE * rows as f64;
            let right = if open_rows < rows && (sparse || arg.is_fallible()) {
                self.evaluate_open(arg, chunk, open)?
            } else {
                truth(&arg.evaluate(chunk)?)?
            };
            so_far = Some(if self.is_and { compute::and_kleene(&left, &right)? } else { compute::or_kleene(&left, &right)? });
        }
        let result = so_far.unwrap_or_else(|| BooleanArray::from(vec![self.is_and; rows]));
        Ok(Column::Flat(Arc::new(result)))
    }

    fn data_type(&self) -> &DataType {
        &DataType::Boolean
    }

    fn is_nullable(&self) -> bool {
        self.nullable
    }

    fn is_fallible(&self) -> bool {
        self.args.iter().any(|arg| arg.is_fallible())
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.args.iter().for_each(|arg| arg.collect_columns(columns));
    }

    fn describe(&self) -> String {
        self.text.clone()
    }
}

/// `NOT a`.
#[derive(Debug)]
pub(super) struct Not;

impl Kernel for Not {
    fn call(&self, args: &[Arg], _: usize) -> Result<ArrayRef> {
        let value = truth(&Column::Flat(args[0].array.clone()))?;
        Ok(Arc::new(compute::not(&value)?))
    }
}

/// `a IS [NOT] NULL | TRUE | FALSE | UNKNOWN`: never NULL itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Is {
    pub what: Truth,
    pub negated: bool,
}

/// What [`Is`] asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Truth {
    Null,
    True,
    False,
}

impl Kernel for Is {
    fn call(&self, args: &[Arg], _: usize) -> Result<ArrayRef> {
        let array = &args[0].array;
        let yes = match self.what {
            Truth::Null => compute::is_null(array)?.values().clone(),
            Truth::True => true_rows(&truth(&Column::Flat(array.clone()))?),
            Truth::False => true_rows(&compute::not(&truth(&Column::Flat(array.clone()))?)?),
        };
        Ok(Arc::new(BooleanArray::new(if self.negated { !&yes } else { yes }, None)))
    }
}
