//! CASE, and what is written as one: COALESCE, NVL, IF, NULLIF.
//!
//! A branch is evaluated only on the rows that reach it, so that an error in a branch not taken
//! does not raise. Rows still to be decided are kept as row numbers; every branch that some rows
//! take gives a piece, and the pieces are put together at the end.
//!
//! ```text
//!   rows 0..n --when 1--> true: piece 1 = then 1 on these
//!        rest --when 2--> true: piece 2 = then 2 on these
//!        rest ----------------> piece 3 = else
//! ```
//!
//! With one WHEN and branches that cannot fail both are evaluated on all rows and merged by mask.

use super::logic::{true_rows, truth};
use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, Column, Selection, storage_type};
use crate::error::Result;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Datum, PrimitiveArray, Scalar, downcast_primitive,
    new_empty_array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// `CASE WHEN .. THEN .. ELSE .. END`.
#[derive(Debug)]
pub(super) struct Case {
    pub branches: Vec<(ExprRef, ExprRef)>,
    pub otherwise: Option<ExprRef>,
    pub data_type: DataType,
    pub nullable: bool,
    pub text: String,
}

impl Case {
    /// Both branches on all rows.
    fn evaluate_both(&self, chunk: &Chunk) -> Result<Option<Column>> {
        let [(when, then)] = self.branches.as_slice() else { return Ok(None) };
        if then.is_fallible() || self.otherwise.as_ref().is_some_and(|other| other.is_fallible()) {
            return Ok(None);
        }
        let mask = true_rows(&truth(&when.evaluate(chunk)?)?);
        let otherwise = |chunk: &Chunk| match &self.otherwise {
            Some(otherwise) => otherwise.evaluate(chunk),
            None => Ok(Column::nulls(&storage_type(&self.data_type), chunk.rows())),
        };
        if !mask.has_true() {
            return Ok(Some(otherwise(chunk)?));
        }
        let then = then.evaluate(chunk)?;
        if !mask.has_false() {
            return Ok(Some(then));
        }
        let mut sides = [then, otherwise(chunk)?];
        self.unify(&mut sides)?;
        Ok(Some(Column::Flat(merge(mask, &sides)?)))
    }

    /// Brings pieces to one type: decimals may be narrow in one and wide in another.
    fn unify(&self, pieces: &mut [Column]) -> Result<()> {
        if pieces.iter().all(|piece| piece.data_type() == pieces[0].data_type()) {
            return Ok(());
        }
        for piece in pieces {
            *piece = match &*piece {
                Column::Const(value, rows) if *value.data_type() == DataType::Null => {
                    Column::nulls(&storage_type(&self.data_type), *rows)
                }
                Column::Const(value, rows) => Column::Const(Column::Flat(value.clone()).stored(&self.data_type)?, *rows),
                other => Column::Flat(other.stored(&self.data_type)?),
            };
        }
        Ok(())
    }
}

/// The first side where `mask` is true, the other elsewhere. Both are of one type.
fn merge(mask: BooleanBuffer, sides: &[Column; 2]) -> Result<ArrayRef> {
    let [then, otherwise] = sides;
    // Arrow's `zip` of scalar views gives wrong bytes for strings that lie in the view itself.
    let is_view = matches!(then.data_type(), DataType::Utf8View | DataType::BinaryView);
    if is_view && sides.iter().any(|side| matches!(side, Column::Const(..))) {
        let at = |side: &Column, row: usize| if matches!(side, Column::Const(..)) { 0 } else { row };
        let (left, right) = (array(then)?, array(otherwise)?);
        let places = mask.iter().enumerate().map(|(row, hit)| if hit { (0, at(then, row)) } else { (1, at(otherwise, row)) });
        let places: Vec<(usize, usize)> = places.collect();
        return Ok(compute::interleave(&[left.as_ref(), right.as_ref()], &places)?);
    }
    if let Some(merged) = merge_values(&mask, then, otherwise)? {
        return Ok(merged);
    }
    let datum = |column: &Column| -> Result<Box<dyn Datum>> {
        Ok(match column {
            Column::Const(value, _) => Box::new(Scalar::new(value.clone())),
            other => Box::new(other.flat()?),
        })
    };
    Ok(zip(&BooleanArray::new(mask, None), &*datum(then)?, &*datum(otherwise)?)?)
}

/// [`merge`] of numbers, dates and the like, without Arrow's copying of runs: a chosen value a row. None for
/// other types.
fn merge_values(mask: &BooleanBuffer, then: &Column, otherwise: &Column) -> Result<Option<ArrayRef>> {
    let (left, right) = (array(then)?, array(otherwise)?);
    let constants = [then, otherwise].map(|side| matches!(side, Column::Const(..)));
    macro_rules! merged {
        ($t:ty) => {
            Some(Arc::new(merge_primitive::<$t>(mask, left.as_primitive(), right.as_primitive(), constants)) as ArrayRef)
        };
    }
    Ok(downcast_primitive! {
        left.data_type() => (merged),
        _ => None
    })
}

/// A side's values: one a row, or the only one.
fn array(side: &Column) -> Result<ArrayRef> {
    match side {
        Column::Const(value, _) => Ok(value.clone()),
        other => other.flat(),
    }
}

fn merge_primitive<T: ArrowPrimitiveType>(
    mask: &BooleanBuffer,
    left: &PrimitiveArray<T>,
    right: &PrimitiveArray<T>,
    constants: [bool; 2],
) -> PrimitiveArray<T> {
    let rows = mask.len();
    let single = |array: &PrimitiveArray<T>| array.values().first().copied().unwrap_or_default();
    let values: Vec<T::Native> = match constants {
        [false, false] => choose(mask, |row| left.values()[row], |row| right.values()[row]),
        [false, true] => {
            let right = single(right);
            choose(mask, |row| left.values()[row], |_| right)
        }
        [true, false] => {
            let left = single(left);
            choose(mask, |_| left, |row| right.values()[row])
        }
        [true, true] => {
            let (left, right) = (single(left), single(right));
            choose(mask, |_| left, |_| right)
        }
    };
    let valid = |array: &PrimitiveArray<T>, constant: bool| match (array.nulls(), constant) {
        (None, _) => None,
        (Some(nulls), false) => Some(nulls.inner().clone()),
        (Some(nulls), true) => Some(match nulls.is_null(0) {
            true => BooleanBuffer::new_unset(rows),
            false => BooleanBuffer::new_set(rows),
        }),
    };
    let nulls = match (valid(left, constants[0]), valid(right, constants[1])) {
        (None, None) => None,
        (Some(left), None) => Some(&left | &!mask),
        (None, Some(right)) => Some(mask | &right),
        (Some(left), Some(right)) => Some(&(mask & &left) | &(&!mask & &right)),
    };
    let merged = PrimitiveArray::<T>::new(values.into(), nulls.map(NullBuffer::new));
    merged.with_data_type(left.data_type().clone())
}

/// `left` of the rows in `mask`, `right` of the others; 64 rows of the mask at a time.
fn choose<V: Copy>(mask: &BooleanBuffer, left: impl Fn(usize) -> V, right: impl Fn(usize) -> V) -> Vec<V> {
    let rows = mask.len();
    let mut values = Vec::with_capacity(rows);
    for (word_at, word) in mask.bit_chunks().iter_padded().enumerate() {
        let first = word_at * 64;
        let end = rows.min(first + 64);
        values.extend((first..end).map(|row| if word >> (row - first) & 1 == 1 { left(row) } else { right(row) }));
    }
    values
}

impl VectorExpr for Case {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let rows = chunk.rows();
        if rows == 0 {
            return Ok(Column::Flat(new_empty_array(&storage_type(&self.data_type))));
        }
        if let Some(column) = self.evaluate_both(chunk)? {
            return Ok(column);
        }
        // Row numbers of the chunk still undecided, and the chunk of those rows.
        let mut open: Vec<u32> = (0..rows as u32).collect();
        let mut rest = chunk.clone();
        let mut pieces: Vec<Column> = Vec::new();
        let mut places: Vec<(usize, usize)> = vec![(0, 0); rows];
        let mut take = |piece: Column, taken: &mut dyn Iterator<Item = u32>| {
            let constant = matches!(piece, Column::Const(..));
            for (at, row) in taken.enumerate() {
                places[row as usize] = (pieces.len(), if constant { 0 } else { at });
            }
            pieces.push(piece);
        };
        for (when, then) in &self.branches {
            if open.is_empty() {
                break;
            }
            let mask = true_rows(&truth(&when.evaluate(&rest)?)?);
            let hits = mask.count_set_bits();
            if hits == 0 {
                continue;
            }
            if hits == open.len() {
                take(then.evaluate(&rest)?, &mut open.drain(..));
                break;
            }
            let hit = Arc::new(Selection::from_mask(mask.clone()));
            take(then.evaluate(&rest.select(&hit)?)?, &mut mask.set_indices().map(|at| open[at]));
            let miss: BooleanBuffer = !&mask;
            open = miss.set_indices().map(|at| open[at]).collect();
            rest = rest.select(&Arc::new(Selection::from_mask(miss)))?;
        }
        if !open.is_empty() {
            let otherwise = match &self.otherwise {
                Some(otherwise) => otherwise.evaluate(&rest)?,
                None => Column::nulls(&storage_type(&self.data_type), open.len()),
            };
            take(otherwise, &mut open.drain(..));
        }
        self.unify(&mut pieces)?;
        if let [only] = pieces.as_slice() {
            // All rows took one branch, in order.
            return Ok(only.clone());
        }
        let arrays = pieces.iter().map(|piece| match piece {
            Column::Const(value, _) => Ok(value.clone()),
            other => other.flat(),
        });
        let arrays: Vec<ArrayRef> = arrays.collect::<Result<_>>()?;
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        if *arrays[0].data_type() == DataType::Null {
            return Ok(Column::Flat(new_null_array(&DataType::Null, rows)));
        }
        Ok(Column::Flat(compute::interleave(&arrays, &places)?))
    }

    fn data_type(&self) -> &DataType {
        &self.data_type
    }

    fn is_nullable(&self) -> bool {
        self.nullable
    }

    fn is_fallible(&self) -> bool {
        let branches = self.branches.iter().any(|(when, then)| when.is_fallible() || then.is_fallible());
        branches || self.otherwise.as_ref().is_some_and(|otherwise| otherwise.is_fallible())
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        for (when, then) in &self.branches {
            when.collect_columns(columns);
            then.collect_columns(columns);
        }
        if let Some(otherwise) = &self.otherwise {
            otherwise.collect_columns(columns);
        }
    }

    fn describe(&self) -> String {
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringViewArray};

    #[test]
    fn numbers_are_merged_as_by_arrow() {
        let rows = 200;
        let mask = BooleanBuffer::collect_bool(rows, |row| row % 3 == 1 || row % 64 == 63);
        let full: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
        let holes: ArrayRef = Arc::new((0..rows as i64).map(|value| (value % 5 != 0).then_some(-value)).collect::<Int64Array>());
        let one: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let none: ArrayRef = Arc::new(Int64Array::from(vec![None]));
        let constants = |value: &ArrayRef| Column::Const(value.clone(), rows);
        let sides = [Column::Flat(full.clone()), Column::Flat(holes), constants(&one), constants(&none)];
        for left in &sides {
            for right in &sides {
                let datum = |side: &Column| -> Box<dyn Datum> {
                    match side {
                        Column::Const(value, _) => Box::new(Scalar::new(value.clone())),
                        other => Box::new(other.flat().unwrap()),
                    }
                };
                // A slice, so that bits do not begin at a word.
                for from in [0, 3] {
                    let mask = mask.slice(from, rows - from);
                    let cut = |side: &Column| match side {
                        Column::Const(value, _) => Column::Const(value.clone(), rows - from),
                        other => Column::Flat(other.flat().unwrap().slice(from, rows - from)),
                    };
                    let (left, right) = (cut(left), cut(right));
                    let expected = zip(&BooleanArray::new(mask.clone(), None), &*datum(&left), &*datum(&right)).unwrap();
                    assert_eq!(&merge(mask, &[left, right]).unwrap(), &expected);
                }
            }
        }
    }

    #[test]
    fn short_and_long_strings_are_merged() {
        let mask = BooleanBuffer::from(vec![true, false, false, true]);
        let constant = |text: &str| Column::Const(Arc::new(StringViewArray::from(vec![text])), 4);
        let many =
            Column::Flat(Arc::new(StringViewArray::from(vec![Some("a"), None, Some("longer than twelve bytes"), Some("d")])));
        let cases = [
            ([constant("one"), constant("other")], ["one", "other", "other", "one"]),
            (
                [constant("a text of more than twelve"), constant("")],
                ["a text of more than twelve", "", "", "a text of more than twelve"],
            ),
            ([constant("one"), many.clone()], ["one", "NULL", "longer than twelve bytes", "one"]),
            ([many, constant("other")], ["a", "other", "other", "d"]),
        ];
        for (sides, expected) in cases {
            let merged = merge(mask.clone(), &sides).unwrap();
            let found: Vec<&str> = merged.as_string_view().iter().map(|text| text.unwrap_or("NULL")).collect();
            assert_eq!(found, expected);
        }
    }
}
