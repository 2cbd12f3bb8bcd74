//! The join as a definition: every pair looked at, nothing clever. What every strategy must agree
//! with; slow by design.
//!
//! ```text
//!   for each left row, for each right row: keys equal and residual true?  -> a pair
//!   then, by kind: pairs, rows without a pair, rows with one, marks
//! ```
//!
//! Values are compared as [`ScalarValue`]s, one row at a time, with none of the encodings that the
//! strategies share. Cost: rows times rows, and an evaluation of the residual a pair.

use super::shape::Keep;
use super::{JoinKey, JoinKind};
use crate::column::Chunk;
use crate::error::Result;
use crate::expr::ExprRef;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;

/// One row of the result.
pub type Row = Vec<ScalarValue>;

/// What the definition says of a comparison.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    False,
    Unknown,
    True,
}

/// The rows of a join of two batches (of the SQL types in their schemas), in no particular order.
/// Arguments as in [`super::JoinRequest`].
pub fn join(
    kind: JoinKind,
    left: &RecordBatch,
    right: &RecordBatch,
    keys: &[JoinKey],
    residual: Option<&ExprRef>,
    null_aware: bool,
) -> Result<Vec<Row>> {
    let left_rows = rows(left)?;
    let right_rows = rows(right)?;
    let left_keys = key_rows(left, keys.iter().map(|key| &key.left))?;
    let right_keys = key_rows(right, keys.iter().map(|key| &key.right))?;
    let mut out = Vec::new();
    let mut left_best = vec![Answer::False; left_rows.len()];
    let mut right_best = vec![Answer::False; right_rows.len()];
    let (pairs, keep_left, keep_right) = kind.parts();
    for l in 0..left_rows.len() {
        for r in 0..right_rows.len() {
            let mut answer = keys_answer(keys, &left_keys[l], &right_keys[r], null_aware);
            if answer != Answer::False && !residual_holds(residual, left, l, right, r)? {
                answer = Answer::False;
            }
            left_best[l] = better(left_best[l], answer);
            right_best[r] = better(right_best[r], answer);
            if answer == Answer::True && pairs {
                out.push([left_rows[l].clone(), right_rows[r].clone()].concat());
            }
        }
    }
    let left_nulls = nulls(&left.schema())?;
    let right_nulls = nulls(&right.schema())?;
    for (row, answer) in left_rows.iter().zip(left_best) {
        out.extend(alone(keep_left, row, answer, |row| [row.clone(), right_nulls.clone()].concat()));
    }
    for (row, answer) in right_rows.iter().zip(right_best) {
        out.extend(alone(keep_right, row, answer, |row| [left_nulls.clone(), row.clone()].concat()));
    }
    Ok(out)
}

fn better(one: Answer, other: Answer) -> Answer {
    match (one, other) {
        (Answer::True, _) | (_, Answer::True) => Answer::True,
        (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
        _ => Answer::False,
    }
}

/// All keys must be equal. A NULL is no match, unless `<=>` meets two of them; in the first key of
/// NOT IN it is an unknown.
fn keys_answer(keys: &[JoinKey], left: &Row, right: &Row, null_aware: bool) -> Answer {
    let mut answer = Answer::True;
    for (at, key) in keys.iter().enumerate() {
        let (l, r) = (&left[at], &right[at]);
        match (l.is_null(), r.is_null()) {
            (true, true) if key.null_equals => {}
            (false, false) if same(l, r) => {}
            (false, false) => return Answer::False,
            _ if null_aware && at == 0 => answer = Answer::Unknown,
            _ => return Answer::False,
        }
    }
    answer
}

fn same(left: &ScalarValue, right: &ScalarValue) -> bool {
    match (left, right) {
        (ScalarValue::Float64(Some(l)), ScalarValue::Float64(Some(r))) => l == r || (l.is_nan() && r.is_nan()),
        (ScalarValue::Float32(Some(l)), ScalarValue::Float32(Some(r))) => l == r || (l.is_nan() && r.is_nan()),
        _ => left == right,
    }
}

fn residual_holds(residual: Option<&ExprRef>, left: &RecordBatch, l: usize, right: &RecordBatch, r: usize) -> Result<bool> {
    let Some(residual) = residual else { return Ok(true) };
    let mut columns = Chunk::from_batch(&left.slice(l, 1))?.into_columns();
    columns.extend(Chunk::from_batch(&right.slice(r, 1))?.into_columns());
    let value = residual.evaluate(&Chunk::new(columns, 1))?.flat()?;
    let value = value.as_boolean();
    Ok(value.is_valid(0) && value.value(0))
}

fn alone(keep: Keep, row: &Row, answer: Answer, padded: impl Fn(&Row) -> Row) -> Option<Row> {
    match (keep, answer) {
        (Keep::Outer, Answer::False | Answer::Unknown) => Some(padded(row)),
        (Keep::Semi, Answer::True) | (Keep::Anti, Answer::False) => Some(row.clone()),
        (Keep::Mark, answer) => {
            let mark = match answer {
                Answer::True => Some(true),
                Answer::False => Some(false),
                Answer::Unknown => None,
            };
            Some([row.clone(), vec![ScalarValue::Boolean(mark)]].concat())
        }
        _ => None,
    }
}

/// The rows of a batch as values.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Row>> {
    let row = |at: usize| batch.columns().iter().map(|column| Ok(ScalarValue::try_from_array(column, at)?)).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn key_rows<'a>(batch: &RecordBatch, exprs: impl Iterator<Item = &'a ExprRef>) -> Result<Vec<Row>> {
    let chunk = Chunk::from_batch(batch)?;
    let mut rows: Vec<Row> = vec![Vec::new(); batch.num_rows()];
    for expr in exprs {
        let values = expr.evaluate(&chunk)?.stored(expr.data_type())?;
        for (at, row) in rows.iter_mut().enumerate() {
            row.push(ScalarValue::try_from_array(&values, at)?);
        }
    }
    Ok(rows)
}

fn nulls(schema: &SchemaRef) -> Result<Row> {
    schema.fields().iter().map(|field| Ok(ScalarValue::try_from(field.data_type())?)).collect()
}
