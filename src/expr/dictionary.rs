//! Expressions of one column, worked out once per dictionary.
//!
//! A dictionary has far fewer values than a row group has rows. A pure and infallible expression
//! of a single column is therefore evaluated on the dictionary's values, remembered there, and
//! mapped to rows through their codes. Fallible ones are not: a value that no selected row refers to
//! must not raise.
//!
//! ```text
//!   codes 2 0 2 1 -      values [a b c]  --upper-->  [A B C]   (remembered)
//!   result: the same codes into [A B C]; a boolean result: a set of codes -> mask
//! ```
//!
//! NULL: what the expression gives for a NULL (`coalesce`, `IS NULL`) is worked out apart.

use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, CodeSet, Column, DictColumn, Dictionary};
use crate::error::Result;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
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
    Truth {
        /// Where it is true, and where it is not NULL unless it never is.
        yes: CodeSet,
        known: Option<CodeSet>,
        of_null: Option<bool>,
    },
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
                let (result, on_null) = (result.as_boolean(), on_null.as_boolean());
                let yes = match result.nulls() {
                    Some(nulls) => result.values() & nulls.inner(),
                    None => result.values().clone(),
                };
                let known = result.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| CodeSet::new(nulls.inner()));
                let of_null = on_null.is_valid(0).then(|| on_null.value(0));
                return Ok(Mapped::Truth { yes: CodeSet::new(&yes), known, of_null });
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
        let worth = dict.dictionary().values().len() <= WORTH_VALUES_PER_ROW.saturating_mul(chunk.rows());
        if !worth && !dict.dictionary().remembers(self.memo) {
            return self.inner.evaluate(chunk);
        }
        let codes = dict.codes();
        let nulls = codes.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(match self.map(dict, chunk.columns().len())?.as_ref() {
            Mapped::Truth { yes, known, of_null } => {
                let mut values = yes.mask(codes);
                let mut valid = known.as_ref().map(|known| known.mask(codes));
                if let Some(nulls) = nulls.map(NullBuffer::inner) {
                    values = if *of_null == Some(true) { &values | &!nulls } else { &values & nulls };
                    valid = match (valid, of_null) {
                        (Some(valid), Some(_)) => Some(&valid | &!nulls),
                        (Some(valid), None) => Some(&valid & nulls),
                        (None, Some(_)) => None,
                        (None, None) => Some(nulls.clone()),
                    };
                }
                Column::Flat(Arc::new(BooleanArray::new(values, valid.map(NullBuffer::new))))
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
