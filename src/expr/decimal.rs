//! Decimal arithmetic with Spark's result types.
//!
//! The result's precision and scale follow Spark's `DecimalPrecision` with
//! `spark.sql.decimalOperations.allowPrecisionLoss=true`. Values are computed as 64-bit integers
//! when bounds prove that nothing overflows, else as 128-bit integers, else as 256-bit ones.
//!
//! ```text
//!   bound of each operand: its type, else one max-abs pass over the batch
//!   bound of the result <= i64::MAX   ->  wrapping i64 loop, Decimal64 (narrow if the type is wide)
//!   otherwise                         ->  checked i128 row by row, i256 where that overflows
//! ```
//!
//! Rounding is HALF_UP. Overflow and division by zero raise, unless the row is NULL.

use super::arithmetic::{Op, Problem};
use super::compare::{Side, side};
use super::kernel::Arg;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, AsArray, Decimal64Array, Decimal128Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, i256};
use std::sync::Arc;

/// Spark's limit, and the scale it keeps at least when it must cut digits.
const MAX_PRECISION: i32 = 38;
const MIN_ADJUSTED_SCALE: i32 = 6;

/// Precision and scale.
pub(super) type Shape = (u8, i8);

/// The shape of `left op right`.
pub(super) fn result_shape(op: Op, left: Shape, right: Shape) -> Shape {
    let (p1, s1, p2, s2) = (i32::from(left.0), i32::from(left.1), i32::from(right.0), i32::from(right.1));
    match op {
        Op::Add | Op::Subtract => {
            let scale = s1.max(s2);
            adjusted((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
        Op::Multiply => adjusted(p1 + p2 + 1, s1 + s2),
        Op::Divide => {
            let scale = MIN_ADJUSTED_SCALE.max(s1 + p2 + 1);
            adjusted(p1 - s1 + s2 + scale, scale)
        }
        Op::Remainder => {
            let scale = s1.max(s2);
            adjusted((p1 - s1).min(p2 - s2) + scale, scale)
        }
        Op::IntDivide => (MAX_PRECISION.min((p1 - s1 + s2).max(1)) as u8, 0),
    }
}

/// Whether `left op right` can fall outside its type although both operands lie within theirs.
pub(super) fn can_overflow(op: Op, left: Shape, right: Shape) -> bool {
    !matches!(op, Op::Add | Op::Subtract | Op::Multiply) || result_shape(op, left, right).0 as i32 == MAX_PRECISION
}

/// Cuts scale, not integral digits, when more than 38 digits are needed.
fn adjusted(precision: i32, scale: i32) -> Shape {
    if precision <= MAX_PRECISION {
        return (precision.max(1) as u8, scale as i8);
    }
    let integral = precision - scale;
    let kept = (MAX_PRECISION - integral).max(scale.min(MIN_ADJUSTED_SCALE));
    (MAX_PRECISION as u8, kept as i8)
}

/// The decimal form of an integer type.
pub(super) fn integer_shape(data_type: &DataType) -> Option<Shape> {
    Some(match data_type {
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 | DataType::UInt64 => (20, 0),
        _ => return None,
    })
}

/// The shape of a decimal type.
pub(super) fn shape_of(data_type: &DataType) -> Option<Shape> {
    match data_type {
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => Some((*p, *s)),
        _ => None,
    }
}

/// Ten to the power `n`, or none beyond 38.
pub(super) fn pow10(n: u32) -> Option<i128> {
    10_i128.checked_pow(n)
}

/// All values as `i128` at `scale`, which is not below their own; too large ones saturate.
pub(super) fn decimal_values(arg: &Arg, scale: i8) -> Result<Vec<i128>> {
    let own = shape_of(arg.data_type()).map_or(0, |shape| shape.1);
    let factor = pow10(u32::try_from(scale - own).unwrap_or(0)).unwrap_or(i128::MAX);
    Ok(match arg.data_type() {
        DataType::Decimal64(..) => {
            let values = arg.array.as_primitive::<Decimal64Type>().values();
            values.iter().map(|&value| i128::from(value).saturating_mul(factor)).collect()
        }
        DataType::Decimal128(..) => {
            let values = arg.array.as_primitive::<Decimal128Type>().values();
            values.iter().map(|&value| value.saturating_mul(factor)).collect()
        }
        other => return Err(Error::internal(format!("{other} where a decimal is expected"))),
    })
}

/// Brings `value` from scale `from` to scale `to`, rounding HALF_UP; none when it overflows.
pub(super) fn rescale(value: i128, from: i32, to: i32) -> Option<i128> {
    if to >= from {
        value.checked_mul(pow10((to - from) as u32)?)
    } else {
        Some(divide_half_up(value, pow10((from - to) as u32)?))
    }
}

/// `value / divisor` rounded half away from zero.
pub(super) fn divide_half_up(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value / divisor, value % divisor);
    // |rest| * 2 >= |divisor| without overflow.
    if rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs() {
        quotient + if (value < 0) == (divisor < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

/// `left op right` of decimal arrays as a decimal of `shape` (for `DIV`: BIGINT).
pub(super) fn decimal_arithmetic(
    op: Op,
    left: &Arg,
    right: &Arg,
    rows: usize,
    shape: Shape,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, Problem> {
    let (Some((_, s1)), Some((_, s2))) = (shape_of(left.data_type()), shape_of(right.data_type())) else {
        return Err(Problem::Defect(format!("decimal arithmetic on {} and {}", left.data_type(), right.data_type())));
    };
    if let Some(values) = narrow(op, left, right, rows, shape, (s1, s2), nulls.as_ref())? {
        let precision = shape.0.min(18);
        let array = Decimal64Array::new(values.into(), nulls);
        return Ok(Arc::new(array.with_data_type(DataType::Decimal64(precision, shape.1))));
    }
    let scale = s1.max(s2);
    let problem = |error: Error| Problem::Defect(error.to_string());
    let (l, r) = (decimal_values(left, s1).map_err(problem)?, decimal_values(right, s2).map_err(problem)?);
    let exact = Exact { op, s1: i32::from(s1), s2: i32::from(s2), common: i32::from(scale), shape };
    let mut values = Vec::with_capacity(rows);
    for row in 0..rows {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            values.push(0);
        } else {
            values.push(exact.compute(l[left.at(row)], r[right.at(row)])?);
        }
    }
    if op == Op::IntDivide {
        let values = values.into_iter().map(|value| i64::try_from(value).map_err(|_| Problem::Overflow));
        return Ok(Arc::new(Int64Array::new(values.collect::<Result<Vec<_>, _>>()?.into(), nulls)));
    }
    Ok(decimal_array(values, shape, nulls))
}

/// Values within their precision as the array that chunks hold.
pub(super) fn decimal_array(values: Vec<i128>, (precision, scale): Shape, nulls: Option<NullBuffer>) -> ArrayRef {
    if precision <= 18 {
        let narrow: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
        let array = Decimal64Array::new(narrow.into(), nulls);
        return Arc::new(array.with_data_type(DataType::Decimal64(precision, scale)));
    }
    let array = Decimal128Array::new(values.into(), nulls);
    Arc::new(array.with_data_type(DataType::Decimal128(precision, scale)))
}

/// The largest magnitude an operand may have.
fn type_bound(arg: &Arg) -> Option<u128> {
    match arg.data_type() {
        // Precision 18 may be a narrow form of a larger one and says nothing.
        DataType::Decimal64(precision, _) if *precision < 18 && !arg.is_const => Some(10_u128.pow(u32::from(*precision)) - 1),
        _ => None,
    }
}

/// The largest magnitude an operand has; what NULL rows hold counts, too.
fn data_bound(values: Side<i64>) -> u128 {
    let largest = match values {
        Side::One(value) => value.unsigned_abs(),
        Side::Many(values) => values.iter().fold(0_u64, |largest, value| largest.max(value.unsigned_abs())),
    };
    u128::from(largest)
}

/// The 64-bit loop, or none where bounds do not prove it safe.
fn narrow(
    op: Op,
    left: &Arg,
    right: &Arg,
    rows: usize,
    shape: Shape,
    (s1, s2): (i8, i8),
    nulls: Option<&NullBuffer>,
) -> Result<Option<Vec<i64>>, Problem> {
    let narrow_types = matches!((left.data_type(), right.data_type()), (DataType::Decimal64(..), DataType::Decimal64(..)));
    let exact_scale = match op {
        Op::Add | Op::Subtract => s1.max(s2),
        Op::Multiply => s1 + s2,
        _ => return Ok(None),
    };
    if !narrow_types || exact_scale != shape.1 {
        return Ok(None);
    }
    let factor = |scale: i8| match op {
        Op::Multiply => Some(1),
        _ => 10_i64.checked_pow((exact_scale - scale) as u32),
    };
    let (Some(f1), Some(f2)) = (factor(s1), factor(s2)) else { return Ok(None) };
    let (l, r) = (side::<Decimal64Type>(left), side::<Decimal64Type>(right));
    let bound = |a: u128, b: u128| match op {
        Op::Multiply => a.saturating_mul(b),
        _ => a.saturating_mul(f1 as u128).saturating_add(b.saturating_mul(f2 as u128)),
    };
    let limit = i64::MAX as u128;
    let by_type = type_bound(left).zip(type_bound(right)).map(|(a, b)| bound(a, b)).filter(|&bound| bound <= limit);
    let largest = by_type.unwrap_or_else(|| bound(data_bound(l), data_bound(r)));
    if largest > limit {
        return Ok(None);
    }
    let values = match op {
        Op::Multiply => zip(l, r, rows, i64::wrapping_mul),
        Op::Add if f1 == 1 && f2 == 1 => zip(l, r, rows, i64::wrapping_add),
        Op::Subtract if f1 == 1 && f2 == 1 => zip(l, r, rows, i64::wrapping_sub),
        Op::Add => zip(l, r, rows, |a, b| a.wrapping_mul(f1).wrapping_add(b.wrapping_mul(f2))),
        _ => zip(l, r, rows, |a, b| a.wrapping_mul(f1).wrapping_sub(b.wrapping_mul(f2))),
    };
    let precision_limit = 10_u128.pow(u32::from(shape.0));
    if largest >= precision_limit {
        let valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        let outside = |(row, value): (usize, &i64)| u128::from(value.unsigned_abs()) >= precision_limit && valid(row);
        if values.iter().enumerate().any(outside) {
            return Err(Problem::Overflow);
        }
    }
    Ok(Some(values))
}

/// One result a row.
pub(super) fn zip<T: Copy, U>(left: Side<T>, right: Side<T>, rows: usize, f: impl Fn(T, T) -> U) -> Vec<U> {
    match (left, right) {
        (Side::Many(left), Side::Many(right)) => left.iter().zip(right).map(|(&l, &r)| f(l, r)).collect(),
        (Side::Many(left), Side::One(right)) => left.iter().map(|&l| f(l, right)).collect(),
        (Side::One(left), Side::Many(right)) => right.iter().map(|&r| f(left, r)).collect(),
        (Side::One(left), Side::One(right)) => (0..rows).map(|_| f(left, right)).collect(),
    }
}

/// One row in 128 bits, in 256 where that overflows.
struct Exact {
    op: Op,
    s1: i32,
    s2: i32,
    common: i32,
    shape: Shape,
}

impl Exact {
    fn compute(&self, a: i128, b: i128) -> Result<i128, Problem> {
        if b == 0 && matches!(self.op, Op::Divide | Op::Remainder | Op::IntDivide) {
            return Err(Problem::DivisionByZero);
        }
        let value = self.in_128(a, b).or_else(|| self.in_256(a, b)).ok_or(Problem::Overflow)?;
        let limit = 10_u128.pow(u32::from(self.shape.0));
        if self.op != Op::IntDivide && value.unsigned_abs() >= limit { Err(Problem::Overflow) } else { Ok(value) }
    }

    fn in_128(&self, a: i128, b: i128) -> Option<i128> {
        let scale = i32::from(self.shape.1);
        let common = |value, own| rescale(value, own, self.common);
        match self.op {
            Op::Add => rescale(common(a, self.s1)?.checked_add(common(b, self.s2)?)?, self.common, scale),
            Op::Subtract => rescale(common(a, self.s1)?.checked_sub(common(b, self.s2)?)?, self.common, scale),
            Op::Multiply => rescale(a.checked_mul(b)?, self.s1 + self.s2, scale),
            Op::Divide => {
                let shift = scale - self.s1 + self.s2;
                let power = pow10(shift.unsigned_abs())?;
                let (a, b) = if shift >= 0 { (a.checked_mul(power)?, b) } else { (a, b.checked_mul(power)?) };
                Some(divide_half_up(a, b))
            }
            Op::Remainder => rescale(common(a, self.s1)?.checked_rem(common(b, self.s2)?)?, self.common, scale),
            Op::IntDivide => common(a, self.s1)?.checked_div(common(b, self.s2)?),
        }
    }

    fn in_256(&self, a: i128, b: i128) -> Option<i128> {
        let scale = i32::from(self.shape.1);
        let power = |n: i32| i256::from_i128(10).checked_pow(n.unsigned_abs());
        let (a, b) = (i256::from_i128(a), i256::from_i128(b));
        let (x, y) = (a.checked_mul(power(self.common - self.s1)?), b.checked_mul(power(self.common - self.s2)?));
        let down = |value: i256, from: i32| {
            if scale >= from { value.checked_mul(power(scale - from)?) } else { half_up_256(value, power(from - scale)?) }
        };
        let value = match self.op {
            Op::Add => down(x?.checked_add(y?)?, self.common)?,
            Op::Subtract => down(x?.checked_sub(y?)?, self.common)?,
            Op::Multiply => down(a.checked_mul(b)?, self.s1 + self.s2)?,
            Op::Divide => {
                let shift = scale - self.s1 + self.s2;
                let power = power(shift)?;
                if shift >= 0 { half_up_256(a.checked_mul(power)?, b)? } else { half_up_256(a, b.checked_mul(power)?)? }
            }
            Op::Remainder => down(x?.checked_rem(y?)?, self.common)?,
            Op::IntDivide => x?.checked_div(y?)?,
        };
        value.to_i128()
    }
}

fn half_up_256(value: i256, divisor: i256) -> Option<i256> {
    let (quotient, rest) = (value.checked_div(divisor)?, value.checked_rem(divisor)?);
    let (rest, whole) = (rest.checked_abs()?, divisor.checked_abs()?);
    if rest >= whole.checked_sub(rest)? {
        let away = if value.is_negative() == divisor.is_negative() { i256::ONE } else { i256::MINUS_ONE };
        return quotient.checked_add(away);
    }
    Some(quotient)
}
