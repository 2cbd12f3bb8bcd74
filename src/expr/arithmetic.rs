//! Arithmetic: checked on integers and decimals, IEEE on floats, Arrow's on dates and intervals.
//!
//! Integer loops compute wrapped values and or together whether any overflowed; only then are the
//! rows looked at one by one, and NULL rows do not count.

use super::compare::{Side, side};
use super::decimal::{decimal_arithmetic, decimal_array, decimal_values, pow10, shape_of, zip};
use super::kernel::{Arg, Kernel, union_nulls};
use crate::column::{storage_type, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringViewBuilder, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::compute::kernels::{bitwise, numeric};
use arrow::datatypes::*;
use std::sync::Arc;

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `DIV`
    IntDivide,
}

/// Why a row has no result.
#[derive(Debug)]
pub(super) enum Problem {
    Overflow,
    DivisionByZero,
    Defect(String),
}

impl Problem {
    fn into_error(self, result: &DataType, text: &str) -> Error {
        match self {
            Self::Overflow => match shape_of(result) {
                Some((p, s)) => Error::value(format!("decimal overflow in {text}: the result does not fit DECIMAL({p}, {s})")),
                None => Error::value(format!("integer overflow in {text}")),
            },
            Self::DivisionByZero => Error::value(format!("division by zero in {text}")),
            Self::Defect(message) => Error::internal(message),
        }
    }
}

/// The kernel of a binary arithmetic operator with a result of SQL type `result`.
#[derive(Debug)]
pub(super) struct Arithmetic {
    pub op: Op,
    pub result: DataType,
    pub text: String,
}

impl Kernel for Arithmetic {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let [left, right] = args else { return Err(Error::internal("arithmetic takes two arguments")) };
        if left.is_null() || right.is_null() {
            return Ok(new_null_array(&storage_type(&self.result), rows));
        }
        let nulls = union_nulls(args);
        let done = match (left.data_type(), right.data_type()) {
            (DataType::Int8, DataType::Int8) => int8(self.op, left, right, rows, nulls),
            (DataType::Int16, DataType::Int16) => int16(self.op, left, right, rows, nulls),
            (DataType::Int32, DataType::Int32) => int32(self.op, left, right, rows, nulls),
            (DataType::Int64, DataType::Int64) => int64(self.op, left, right, rows, nulls),
            (DataType::Float64, DataType::Float64) => float64(self.op, left, right, rows, nulls),
            (DataType::Float32, DataType::Float32) => float32(self.op, left, right, rows, nulls),
            (l, r) if shape_of(l).is_some() && shape_of(r).is_some() => {
                let shape = shape_of(&self.result).unwrap_or((38, 0));
                decimal_arithmetic(self.op, left, right, rows, shape, nulls)
            }
            (DataType::Date32, DataType::Int32 | DataType::Int64) => return self.shift_days(left, right, rows, nulls),
            _ => return self.by_arrow(left, right),
        };
        done.map_err(|problem| problem.into_error(&self.result, &self.text))
    }
}

impl Arithmetic {
    fn by_arrow(&self, left: &Arg, right: &Arg) -> Result<ArrayRef> {
        let (l, r) = (left.datum(), right.datum());
        let result = match self.op {
            Op::Add => numeric::add(&*l, &*r),
            Op::Subtract => numeric::sub(&*l, &*r),
            Op::Multiply => numeric::mul(&*l, &*r),
            Op::Divide | Op::IntDivide => numeric::div(&*l, &*r),
            Op::Remainder => numeric::rem(&*l, &*r),
        };
        let result = result.map_err(|error| Error::value(format!("{error} in {}", self.text)))?;
        let wanted = storage_type(&self.result);
        if *result.data_type() == wanted { Ok(result) } else { Ok(compute::cast(&result, &wanted)?) }
    }

    /// A date and a number of days.
    fn shift_days(&self, left: &Arg, right: &Arg, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let left = left.with(compute::cast(&left.array, &DataType::Int32)?);
        let right = right.with(compute::cast(&right.array, &DataType::Int32)?);
        let days = int32(self.op, &left, &right, rows, nulls).map_err(|problem| problem.into_error(&self.result, &self.text))?;
        Ok(compute::cast(&days, &DataType::Date32)?)
    }
}

/// Computes all rows; if some row is bad, says what is wrong with the first one that counts.
fn checked<T: ArrowPrimitiveType>(
    left: Side<T::Native>,
    right: Side<T::Native>,
    rows: usize,
    nulls: Option<NullBuffer>,
    f: impl Fn(T::Native, T::Native) -> (T::Native, bool),
    zero: Option<T::Native>,
) -> Result<ArrayRef, Problem> {
    let mut bad = false;
    let values = match (left, right) {
        (Side::Many(l), Side::Many(r)) => collect(l.iter().copied().zip(r.iter().copied()), l.len(), &mut bad, &f),
        (Side::Many(l), Side::One(r)) => collect(l.iter().map(|&l| (l, r)), l.len(), &mut bad, &f),
        (Side::One(l), Side::Many(r)) => collect(r.iter().map(|&r| (l, r)), r.len(), &mut bad, &f),
        (Side::One(l), Side::One(r)) => collect((0..rows).map(|_| (l, r)), rows, &mut bad, &f),
    };
    if bad {
        let get = |side: Side<T::Native>, row: usize| match side {
            Side::Many(values) => values[row],
            Side::One(value) => value,
        };
        for row in 0..rows {
            let (l, r) = (get(left, row), get(right, row));
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) && f(l, r).1 {
                return Err(if zero == Some(r) { Problem::DivisionByZero } else { Problem::Overflow });
            }
        }
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), nulls)))
}

fn collect<N: Copy>(pairs: impl Iterator<Item = (N, N)>, rows: usize, bad: &mut bool, f: impl Fn(N, N) -> (N, bool)) -> Vec<N> {
    let mut values = Vec::with_capacity(rows);
    let mut any = false;
    values.extend(pairs.map(|(l, r)| {
        let (value, wrong) = f(l, r);
        any |= wrong;
        value
    }));
    *bad = any;
    values
}

macro_rules! integers {
    ($name:ident, $t:ty, $n:ty) => {
        fn $name(op: Op, left: &Arg, right: &Arg, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, Problem> {
            let (l, r) = (side::<$t>(left), side::<$t>(right));
            match op {
                Op::Add => checked::<$t>(l, r, rows, nulls, <$n>::overflowing_add, None),
                Op::Subtract => checked::<$t>(l, r, rows, nulls, <$n>::overflowing_sub, None),
                Op::Multiply => checked::<$t>(l, r, rows, nulls, <$n>::overflowing_mul, None),
                Op::Divide | Op::IntDivide => {
                    let divide = |a: $n, b: $n| if b == 0 { (0, true) } else { a.overflowing_div(b) };
                    checked::<$t>(l, r, rows, nulls, divide, Some(0))
                }
                Op::Remainder => {
                    let remainder = |a: $n, b: $n| if b == 0 { (0, true) } else { (a.wrapping_rem(b), false) };
                    checked::<$t>(l, r, rows, nulls, remainder, Some(0))
                }
            }
        }
    };
}

integers!(int8, Int8Type, i8);
integers!(int16, Int16Type, i16);
integers!(int32, Int32Type, i32);
integers!(int64, Int64Type, i64);

macro_rules! floats {
    ($name:ident, $t:ty, $n:ty) => {
        fn $name(op: Op, left: &Arg, right: &Arg, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, Problem> {
            let (l, r) = (side::<$t>(left), side::<$t>(right));
            let plain = |values: Vec<$n>, nulls| -> ArrayRef { Arc::new(PrimitiveArray::<$t>::new(values.into(), nulls)) };
            Ok(match op {
                Op::Add => plain(zip(l, r, rows, |a, b| a + b), nulls),
                Op::Subtract => plain(zip(l, r, rows, |a, b| a - b), nulls),
                Op::Multiply => plain(zip(l, r, rows, |a, b| a * b), nulls),
                Op::Divide => checked::<$t>(l, r, rows, nulls, |a, b| (a / b, b == 0.0), Some(0.0))?,
                Op::Remainder => checked::<$t>(l, r, rows, nulls, |a, b| (a % b, b == 0.0), Some(0.0))?,
                Op::IntDivide => return Err(Problem::Defect("DIV of floats".to_owned())),
            })
        }
    };
}

floats!(float32, Float32Type, f32);
floats!(float64, Float64Type, f64);

/// `pmod`: a negative remainder of a positive divisor has the divisor added.
#[derive(Debug)]
pub(super) struct PositiveRemainder {
    pub remainder: Arithmetic,
}

impl Kernel for PositiveRemainder {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let remainder = self.remainder.call(args, rows)?;
        let [_, divisor] = args else { return Err(Error::internal("pmod takes two arguments")) };
        if divisor.is_null() || remainder.null_count() == rows {
            return Ok(remainder);
        }
        macro_rules! each {
            ($t:ty, $zero:expr, $shift:expr) => {{
                let (values, divisors) = (remainder.as_primitive::<$t>(), divisor.array.as_primitive::<$t>());
                let shifted = values.values().iter().enumerate().map(|(row, &value)| {
                    let divisor = divisors.value(divisor.at(row));
                    if value < $zero && divisor > $zero { $shift(value, divisor) } else { value }
                });
                let shifted: Vec<_> = shifted.collect();
                Ok(Arc::new(PrimitiveArray::<$t>::new(shifted.into(), values.nulls().cloned())))
            }};
        }
        match remainder.data_type() {
            DataType::Int8 => each!(Int8Type, 0, |value, divisor| value + divisor),
            DataType::Int16 => each!(Int16Type, 0, |value, divisor| value + divisor),
            DataType::Int32 => each!(Int32Type, 0, |value, divisor| value + divisor),
            DataType::Int64 => each!(Int64Type, 0, |value, divisor| value + divisor),
            DataType::Float32 => each!(Float32Type, 0.0, |value: f32, divisor: f32| (value + divisor) % divisor),
            DataType::Float64 => each!(Float64Type, 0.0, |value: f64, divisor: f64| (value + divisor) % divisor),
            _ => self.decimals(&remainder, divisor),
        }
    }
}

impl PositiveRemainder {
    fn decimals(&self, remainder: &ArrayRef, divisor: &Arg) -> Result<ArrayRef> {
        let Some((precision, scale)) = shape_of(&self.remainder.result) else {
            return Err(Error::internal(format!("pmod gives {}", self.remainder.result)));
        };
        let mut values = decimal_values(&Arg { array: remainder.clone(), is_const: false }, scale)?;
        let divisors = decimal_values(divisor, scale)?;
        let limit = pow10(u32::from(precision)).unwrap_or(i128::MAX);
        for (row, value) in values.iter_mut().enumerate() {
            let divisor = divisors[divisor.at(row)];
            if *value < 0 && divisor > 0 && remainder.is_valid(row) {
                *value += divisor;
                if *value >= limit {
                    return Err(Problem::Overflow.into_error(&self.remainder.result, &self.remainder.text));
                }
            }
        }
        Ok(decimal_array(values, (precision, scale), remainder.nulls().cloned()))
    }
}

/// Unary minus.
#[derive(Debug)]
pub(super) struct Negate {
    pub text: String,
}

impl Kernel for Negate {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let arg = &args[0];
        if arg.is_null() {
            return Ok(new_null_array(arg.data_type(), rows));
        }
        macro_rules! each {
            ($t:ty) => {{
                let array = arg.array.as_primitive::<$t>();
                let zero = <$t as ArrowPrimitiveType>::default_value();
                let negate = |_, value: <$t as ArrowPrimitiveType>::Native| value.overflowing_neg();
                let side = if arg.is_const { Side::One(array.value(0)) } else { Side::Many(array.values()) };
                let result = checked::<$t>(Side::One(zero), side, rows, arg.array.nulls().cloned(), negate, None);
                let result = result.map_err(|problem| problem.into_error(arg.data_type(), &self.text))?;
                Ok(Arc::new(result.as_primitive::<$t>().clone().with_data_type(arg.data_type().clone())))
            }};
        }
        match arg.data_type() {
            DataType::Int8 => each!(Int8Type),
            DataType::Int16 => each!(Int16Type),
            DataType::Int32 => each!(Int32Type),
            DataType::Int64 => each!(Int64Type),
            DataType::Decimal64(..) => each!(Decimal64Type),
            DataType::Decimal128(..) => each!(Decimal128Type),
            _ => Ok(numeric::neg(&arg.array)?),
        }
    }
}

/// Bitwise operators on integers of one type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bits {
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

impl Kernel for Bits {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let (left, right) = (args[0].flat(rows)?, args[1].flat(rows)?);
        macro_rules! each {
            ($t:ty) => {{
                let (l, r) = (left.as_primitive::<$t>(), right.as_primitive::<$t>());
                let result = match self {
                    Self::And => bitwise::bitwise_and(l, r),
                    Self::Or => bitwise::bitwise_or(l, r),
                    Self::Xor => bitwise::bitwise_xor(l, r),
                    Self::ShiftLeft => bitwise::bitwise_shift_left(l, r),
                    Self::ShiftRight => bitwise::bitwise_shift_right(l, r),
                };
                Ok(Arc::new(result?))
            }};
        }
        match (left.data_type(), right.data_type()) {
            (DataType::Int8, DataType::Int8) => each!(Int8Type),
            (DataType::Int16, DataType::Int16) => each!(Int16Type),
            (DataType::Int32, DataType::Int32) => each!(Int32Type),
            (DataType::Int64, DataType::Int64) => each!(Int64Type),
            (DataType::UInt64, DataType::UInt64) => each!(UInt64Type),
            (l, r) => Err(Error::unsupported(format!("a bitwise operator on {l} and {r}"))),
        }
    }
}

/// `a || b`, NULL if either is.
#[derive(Debug)]
pub(super) struct Concat;

impl Kernel for Concat {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        if args.iter().any(Arg::is_null) {
            return Ok(new_null_array(&DataType::Utf8View, rows));
        }
        let texts = args
            .iter()
            .map(|arg| match arg.data_type() {
                DataType::Utf8View => Ok(arg.array.clone()),
                other => to_storage_type(&super::cast::cast_array(&arg.array, other, &DataType::Utf8, true)?),
            })
            .collect::<Result<Vec<_>>>()?;
        let nulls = union_nulls(args);
        let mut builder = StringViewBuilder::with_capacity(rows);
        let mut text = String::new();
        for row in 0..rows {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                builder.append_null();
                continue;
            }
            text.clear();
            for (arg, values) in args.iter().zip(&texts) {
                text.push_str(values.as_string_view().value(arg.at(row)));
            }
            builder.append_value(&text);
        }
        Ok(Arc::new(builder.finish()))
    }
}
