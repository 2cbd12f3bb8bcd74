//! The arithmetic operators as functions, with Spark's result types and checked kernels.
//!
//! | operands | `+ - *`, `%` | `/` | `DIV` |
//! | --- | --- | --- | --- |
//! | integers | the wider type | DOUBLE | BIGINT |
//! | decimals, or decimal and integer | decimal, see [`result_shape`] | decimal | BIGINT |
//! | with a float | DOUBLE (FLOAT of two FLOATs) | DOUBLE | |
//! | with a string | as if it were BIGINT (beside an integer) or DOUBLE | DOUBLE | BIGINT |

use super::super::arithmetic::{Arithmetic, Negate, Op, PositiveRemainder};
use super::super::compile::arithmetic_fallible;
use super::super::decimal::{integer_shape, result_shape, shape_of};
use super::attempt::Attempt;
use super::builtin::{Builtin, mismatch};
use crate::error::Result;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

macro_rules! operator {
    ($(#[$doc:meta])* $function:ident, $name:literal, $op:expr, $coerce:expr $(, $alias:literal)*) => {
        $(#[$doc])*
        pub fn $function() -> Arc<ScalarUDF> {
            Builtin::new(
                $name,
                $coerce,
                |types, _| result_type($op, types),
                |_, _, result, text| {
                    Ok(Box::new(Arithmetic { op: $op, result: result.clone(), text: text.to_owned() }))
                },
                |types| arithmetic_fallible($op, types),
            )
            .with_aliases(&[$($alias),*])
            .into_udf()
        }
    };
}

operator!(
    /// `a + b`.
    plus, "+", Op::Add, coerce_same
);
operator!(
    /// `a - b`.
    minus, "-", Op::Subtract, coerce_same
);
operator!(
    /// `a * b`.
    multiply, "*", Op::Multiply, coerce_same
);
operator!(
    /// `a / b`: never integer division.
    divide, "/", Op::Divide, coerce_divide
);
operator!(
    /// `a % b`, with the sign of `a`.
    remainder, "%", Op::Remainder, coerce_same, "mod"
);
operator!(
    /// `a DIV b`: the integral part of the quotient, as BIGINT.
    int_divide, "div", Op::IntDivide, coerce_int_divide
);

macro_rules! attempt {
    ($name:literal, $op:expr, $coerce:expr) => {
        Builtin::new(
            $name,
            $coerce,
            |types, _| result_type($op, types),
            |_, _, result, text| {
                let checked = Arithmetic { op: $op, result: result.clone(), text: text.to_owned() };
                Ok(Box::new(Attempt { checked: Box::new(checked), result: result.clone() }))
            },
            |_| false,
        )
        .into_udf()
    };
}

/// The operators that give NULL where the plain ones raise, and `pmod`.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        attempt!("try_add", Op::Add, coerce_same),
        attempt!("try_subtract", Op::Subtract, coerce_same),
        attempt!("try_multiply", Op::Multiply, coerce_same),
        attempt!("try_divide", Op::Divide, coerce_divide),
        attempt!("try_mod", Op::Remainder, coerce_same),
        positive_remainder(),
    ]
}

/// `pmod(a, b)`: the remainder, made positive when `b` is.
fn positive_remainder() -> Arc<ScalarUDF> {
    Builtin::new(
        "pmod",
        coerce_same,
        |types, _| result_type(Op::Remainder, types),
        |_, _, result, text| {
            let remainder = Arithmetic { op: Op::Remainder, result: result.clone(), text: text.to_owned() };
            Ok(Box::new(PositiveRemainder { remainder }))
        },
        |_| true,
    )
    .into_udf()
}

/// `-a`.
pub fn negate() -> Arc<ScalarUDF> {
    let coerce = |name: &str, types: &[DataType]| match types {
        [one] => Ok(vec![number(one).ok_or_else(|| mismatch(name, types))?]),
        _ => Err(mismatch(name, types)),
    };
    Builtin::new(
        "negative",
        coerce,
        |types, _| Ok(types.first().cloned().unwrap_or(DataType::Null)),
        |_, _, _, text| Ok(Box::new(Negate { text: text.to_owned() })),
        |types| types.iter().any(|data_type| data_type.is_integer()),
    )
    .into_udf()
}

/// The numeric type that a value of some type is taken as; strings and NULL count as DOUBLE.
fn number(data_type: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match data_type {
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Float32 | T::Float64 => data_type.clone(),
        T::UInt8 => T::Int16,
        T::UInt16 => T::Int32,
        T::UInt32 | T::UInt64 => T::Int64,
        T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Null => T::Float64,
        other => {
            let (precision, scale) = shape_of(other)?;
            T::Decimal128(precision, scale)
        }
    })
}

fn is_loose(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

/// Both operands as numbers; a string beside an integer is BIGINT, NULL takes the other's type.
fn numbers(name: &str, types: &[DataType]) -> Result<(DataType, DataType)> {
    let [left, right] = types else { return Err(mismatch(name, types)) };
    let (Some(mut l), Some(mut r)) = (number(left), number(right)) else { return Err(mismatch(name, types)) };
    let beside = |loose: &DataType, other: &DataType| match loose {
        DataType::Null => other.clone(),
        _ if other.is_integer() => DataType::Int64,
        _ => DataType::Float64,
    };
    match (is_loose(left), is_loose(right)) {
        (true, false) => l = beside(left, &r),
        (false, true) => r = beside(right, &l),
        _ => {}
    }
    Ok((l, r))
}

fn widest(left: &DataType, right: &DataType) -> DataType {
    use DataType as T;
    match (left, right) {
        _ if left == right => left.clone(),
        // FLOAT with any other number is DOUBLE, so that no digits of an integer are lost.
        _ if left.is_floating() || right.is_floating() => T::Float64,
        (T::Int64, _) | (_, T::Int64) => T::Int64,
        (T::Int32, _) | (_, T::Int32) => T::Int32,
        _ => T::Int16,
    }
}

/// The decimal type of an integer or decimal type.
fn as_decimal(data_type: &DataType) -> DataType {
    match integer_shape(data_type).or_else(|| shape_of(data_type)) {
        Some((precision, scale)) => DataType::Decimal128(precision, scale),
        None => data_type.clone(),
    }
}

/// An integer literal beside a decimal counts with the digits it has, not with those of its type:
/// `1 - decimal(15, 2)` is a decimal(16, 2). None: not an integer.
pub fn decimal_literal(value: &ScalarValue) -> Option<ScalarValue> {
    let integer = match value {
        // TINYINT is left to its type, as in Spark.
        ScalarValue::Int16(Some(value)) => i64::from(*value),
        ScalarValue::Int32(Some(value)) => i64::from(*value),
        ScalarValue::Int64(Some(value)) => *value,
        _ => return None,
    };
    let digits = integer.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    Some(ScalarValue::Decimal128(Some(i128::from(integer)), digits as u8, 0))
}

fn coerce_same(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let (left, right) = numbers(name, types)?;
    let decimal = shape_of(&left).is_some() || shape_of(&right).is_some();
    if decimal && !left.is_floating() && !right.is_floating() {
        return Ok(vec![as_decimal(&left), as_decimal(&right)]);
    }
    let both = widest(&left, &right);
    Ok(vec![both.clone(), both])
}

fn coerce_divide(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let both = coerce_same(name, types)?;
    if both.iter().all(|data_type| shape_of(data_type).is_some()) {
        return Ok(both);
    }
    Ok(vec![DataType::Float64, DataType::Float64])
}

fn coerce_int_divide(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let both = coerce_same(name, types)?;
    if both.iter().all(|data_type| shape_of(data_type).is_some()) {
        return Ok(both);
    }
    if both.iter().any(|data_type| data_type.is_floating()) && !types.iter().all(is_loose) {
        return Err(mismatch(name, types));
    }
    Ok(vec![DataType::Int64, DataType::Int64])
}

fn result_type(op: Op, types: &[DataType]) -> Result<DataType> {
    let [left, right] = types else { return Err(mismatch("an operator", types)) };
    if op == Op::IntDivide {
        return Ok(DataType::Int64);
    }
    if let (Some(l), Some(r)) = (shape_of(left), shape_of(right)) {
        let (precision, scale) = result_shape(op, l, r);
        return Ok(DataType::Decimal128(precision, scale));
    }
    Ok(if op == Op::Divide { DataType::Float64 } else { widest(left, right) })
}
