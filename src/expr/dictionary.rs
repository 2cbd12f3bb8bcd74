//! Expressions of one column, worked out once per dictionary.
//!
//! A dictionary has far fewer values than a row group has rows. A pure and infallible expression
//! of a single column is therefore evaluated on the dictionary's values, remembered there, and
//! mapped to rows through their codes. Fallible ones are not: a value that no selected row refers to
//! must not raise.
//!
//! ```text
//!   codes 2 0 2 1 -      values [a b c]  --upper-->  [A B C]   (remembered)
//!   result: the same codes into [A B C]; a boolean result: byte table -> mask
//! ```
//!
//! NULL: what the expression gives for a NULL (`coalesce`, `IS NULL`) is worked out apart.

use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, Column, DictColumn, Dictionary};
use crate::error::Result;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// A dictionary of more values than this many times the chunk's rows is not worth working out.
/// Guessed: a row group of 115 k rows has 14 chunks, after a filter fewer rows each.
const WORTH_VALUES_PER_ROW: usize = 8;

/// An expression of one column that remembers its results per dictionary.
#[derive(Debug)]
pub(super) struct PerDictionary {
    inner: ExprRef,
    column: usize,
    memo: u64,
}

/// The result for each dictionary value and, last, for NULL.
enum Mapped {
    /// 0: false, 1: true, 2: NULL.
    Truth(Vec<u8>),
    Values {
        dictionary: Arc<Dictionary>,
        null_code: Option<u32>,
    },
}

/// Wraps an expression where working per dictionary can pay.
pub(super) fn per_dictionary(inner: ExprRef) -> ExprRef {
    let mut columns = Vec::new();
    inner.collect_columns(&mut columns);
    columns.dedup();
    match columns.as_slice() {
        [column] if !inner.is_fallible() && inner.as_column().is_none() => {
            Arc::new(PerDictionary { column: *column, inner, memo: Dictionary::key() })
        }
        _ => inner,
    }
}

impl PerDictionary {
    fn map(&self, dict: &DictColumn, width: usize) -> Result<Arc<Mapped>> {
        dict.dictionary().remember(self.memo, |values| {
            let result = self.evaluate_on(values, width)?;
            let on_null = self.evaluate_on(&new_null_array(values.data_type(), 1), width)?;
            if *result.data_type() == DataType::Boolean {
                let mut table = truths(result.as_boolean());
                table.extend(truths(on_null.as_boolean()));
                return Ok(Mapped::Truth(table));
            }
            if on_null.logical_null_count() > 0 {
                return Ok(Mapped::Values { dictionary: Arc::new(Dictionary::new(result)), null_code: None });
            }
            let both = compute::concat(&[&result, &on_null])?;
            Ok(Mapped::Values { dictionary: Arc::new(Dictionary::new(both)), null_code: Some(values.len() as u32) })
        })
    }

    fn evaluate_on(&self, values: &ArrayRef, width: usize) -> Result<ArrayRef> {
        let other = || Column::nulls(&DataType::Null, values.len());
        let column = |at| if at == self.column { Column::Flat(values.clone()) } else { other() };
        self.inner.evaluate(&Chunk::new((0..width).map(column).collect(), values.len()))?.flat()
    }
}

impl VectorExpr for PerDictionary {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let Some(Column::Dict(dict)) = chunk.columns().get(self.column) else {
            return self.inner.evaluate(chunk);
        };
        if dict.dictionary().values().len() > WORTH_VALUES_PER_ROW.saturating_mul(chunk.rows()) {
            return self.inner.evaluate(chunk);
        }
        let codes = dict.codes();
        let nulls = codes.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(match self.map(dict, chunk.columns().len())?.as_ref() {
            Mapped::Truth(table) => {
                let null = table.len() - 1;
                let of = |row: usize| match nulls {
                    Some(nulls) if nulls.is_null(row) => table[null],
                    _ => table[codes.value(row) as usize],
                };
                let values = BooleanBuffer::collect_bool(codes.len(), |row| of(row) == 1);
                let has_null = table[..null].contains(&2) || (nulls.is_some() && table[null] == 2);
                let valid = has_null.then(|| NullBuffer::new(BooleanBuffer::collect_bool(codes.len(), |row| of(row) != 2)));
                Column::Flat(Arc::new(BooleanArray::new(values, valid)))
            }
            Mapped::Values { dictionary, null_code: Some(null_code) } if nulls.is_some() => {
                let filled = codes.iter().map(|code| code.unwrap_or(*null_code));
                Column::Dict(DictColumn::new(UInt32Array::from_iter_values(filled), dictionary.clone()))
            }
            Mapped::Values { dictionary, .. } => Column::Dict(DictColumn::new(codes.clone(), dictionary.clone())),
        })
    }

    fn data_type(&self) -> &DataType {
        self.inner.data_type()
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.inner.collect_columns(columns);
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

fn truths(array: &BooleanArray) -> Vec<u8> {
    array.iter().map(|value| value.map_or(2, u8::from)).collect()
}
