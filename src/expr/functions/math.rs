//! Mathematical functions. Rounding is HALF_UP; logarithms of what is not positive are NULL.

use super::super::cast::{cast_array, sql_type};
use super::super::decimal::{decimal_array, decimal_values, divide_half_up, pow10, rescale, shape_of};
use super::super::kernel::{Arg, Kernel};
use super::super::parse;
use super::builtin::{Builtin, mismatch};
use super::strings::kernel;
use crate::column::storage_type;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, new_null_array};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

type Unary = fn(f64) -> Option<f64>;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![
        double1::<0>("sqrt", &[]),
        double1::<1>("exp", &[]),
        double1::<2>("ln", &[]),
        double1::<3>("log10", &[]),
        double1::<4>("log2", &[]),
        double1::<5>("sin", &[]),
        double1::<6>("cos", &[]),
        double1::<7>("tan", &[]),
        double1::<8>("asin", &[]),
        double1::<9>("acos", &[]),
        double1::<10>("atan", &[]),
        double1::<11>("cbrt", &[]),
        double1::<12>("degrees", &[]),
        double1::<13>("radians", &[]),
        double1::<14>("signum", &["sign"]),
    ];
    functions.push(power());
    functions.push(abs());
    functions.push(whole("ceil", &["ceiling"]));
    functions.push(whole("floor", &[]));
    functions.push(round());
    functions
}

const UNARY: [Unary; 15] = [
    |x| Some(x.sqrt()),
    |x| Some(x.exp()),
    |x| (x > 0.0 || x.is_nan()).then(|| x.ln()),
    |x| (x > 0.0 || x.is_nan()).then(|| x.log10()),
    |x| (x > 0.0 || x.is_nan()).then(|| x.log2()),
    |x| Some(x.sin()),
    |x| Some(x.cos()),
    |x| Some(x.tan()),
    |x| Some(x.asin()),
    |x| Some(x.acos()),
    |x| Some(x.atan()),
    |x| Some(x.cbrt()),
    |x| Some(x.to_degrees()),
    |x| Some(x.to_radians()),
    |x| Some(if x == 0.0 || x.is_nan() { x } else { x.signum() }),
];

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating() || shape_of(data_type).is_some()
}

fn is_string_or_null(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

fn doubles<const N: usize>(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() == N && types.iter().all(|data_type| is_number(data_type) || is_string_or_null(data_type)) {
        Ok(vec![DataType::Float64; N])
    } else {
        Err(mismatch(name, types))
    }
}

/// A function of one double, by its place in [`UNARY`].
fn double1<const AT: usize>(name: &'static str, aliases: &[&str]) -> Arc<ScalarUDF> {
    let make = |_: &[DataType], _: &[Option<ScalarValue>], _: &DataType, _: &str| -> Result<Box<dyn Kernel>> {
        Ok(kernel(|args, rows| {
            if args[0].is_null() {
                return Ok(new_null_array(&DataType::Float64, rows));
            }
            let result: Float64Array =
                args[0].array.as_primitive::<Float64Type>().iter().map(|x| x.and_then(UNARY[AT])).collect();
            Ok(Arc::new(result))
        }))
    };
    Builtin::new(name, doubles::<1>, |_, _| Ok(DataType::Float64), make, |_| false).with_aliases(aliases).into_udf()
}

fn power() -> Arc<ScalarUDF> {
    let make = |_: &[DataType], _: &[Option<ScalarValue>], _: &DataType, _: &str| -> Result<Box<dyn Kernel>> {
        Ok(kernel(|args, rows| {
            if args.iter().any(Arg::is_null) {
                return Ok(new_null_array(&DataType::Float64, rows));
            }
            let (l, r) = (args[0].array.as_primitive::<Float64Type>(), args[1].array.as_primitive::<Float64Type>());
            let get = |arg: &Arg, array: &Float64Array, row| {
                let at = arg.at(row);
                array.is_valid(at).then(|| array.value(at))
            };
            let result: Float64Array = (0..rows).map(|row| Some(get(&args[0], l, row)?.powf(get(&args[1], r, row)?))).collect();
            Ok(Arc::new(result))
        }))
    };
    Builtin::new("power", doubles::<2>, |_, _| Ok(DataType::Float64), make, |_| false).with_aliases(&["pow"]).into_udf()
}

fn one_number(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [one] if is_number(one) => Ok(vec![one.clone()]),
        [one] if is_string_or_null(one) => Ok(vec![DataType::Float64]),
        _ => Err(mismatch(name, types)),
    }
}

fn abs() -> Arc<ScalarUDF> {
    let make = |_: &[DataType], _: &[Option<ScalarValue>], _: &DataType, text: &str| -> Result<Box<dyn Kernel>> {
        let text = text.to_owned();
        Ok(kernel(move |args, rows| {
            use arrow::datatypes::*;
            let arg = &args[0];
            if arg.is_null() {
                return Ok(new_null_array(arg.data_type(), rows));
            }
            macro_rules! each {
                ($t:ty) => {{
                    let overflow = || Error::value(format!("integer overflow in {text}"));
                    let array = arg.array.as_primitive::<$t>();
                    let result = array.try_unary::<_, $t, Error>(|value| value.checked_abs().ok_or_else(overflow))?;
                    Ok(Arc::new(result.with_data_type(arg.data_type().clone())))
                }};
            }
            match arg.data_type() {
                DataType::Int8 => each!(Int8Type),
                DataType::Int16 => each!(Int16Type),
                DataType::Int32 => each!(Int32Type),
                DataType::Int64 => each!(Int64Type),
                DataType::Decimal64(..) => each!(Decimal64Type),
                DataType::Decimal128(..) => each!(Decimal128Type),
                DataType::Float32 => Ok(Arc::new(arg.array.as_primitive::<Float32Type>().unary::<_, Float32Type>(f32::abs))),
                DataType::Float64 => Ok(Arc::new(arg.array.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::abs))),
                other => Err(Error::unsupported(format!("abs of {other}"))),
            }
        }))
    };
    let fallible = |types: &[DataType]| types.iter().any(|data_type| data_type.is_integer());
    Builtin::new("abs", one_number, |types, _| Ok(types.first().cloned().unwrap_or(DataType::Null)), make, fallible).into_udf()
}

/// `ceil` and `floor`: BIGINT, of a decimal a decimal without fraction.
fn whole(name: &'static str, aliases: &[&str]) -> Arc<ScalarUDF> {
    let returns = |types: &[DataType], _: &[Option<ScalarValue>]| {
        Ok(match types.first().and_then(shape_of) {
            Some((p, s)) => DataType::Decimal128((i32::from(p) - i32::from(s) + 1).clamp(1, 38) as u8, 0),
            None => DataType::Int64,
        })
    };
    let make = |types: &[DataType], _: &[Option<ScalarValue>], result: &DataType, text: &str| -> Result<Box<dyn Kernel>> {
        let (up, result, text) = (text.starts_with("ceil"), result.clone(), text.to_owned());
        let from = types.first().cloned().unwrap_or(DataType::Null);
        Ok(kernel(move |args, rows| {
            let arg = &args[0];
            if arg.is_null() {
                return Ok(new_null_array(&storage_type(&result), rows));
            }
            if let (Some((_, scale)), Some(shape)) = (shape_of(arg.data_type()), shape_of(&result)) {
                let divisor = pow10(scale.max(0) as u32).unwrap_or(i128::MAX);
                let values = decimal_values(arg, scale)?;
                let down = |value: i128| value.div_euclid(divisor);
                let values = values.into_iter().map(|v| if up { -down(-v) } else { down(v) }).collect();
                return Ok(decimal_array(values, shape, arg.array.nulls().cloned()));
            }
            if arg.data_type().is_integer() {
                return cast_array(&arg.array, &from, &DataType::Int64, true);
            }
            let doubles = cast_array(&arg.array, &from, &DataType::Float64, true)?;
            let doubles = doubles.as_primitive::<Float64Type>().unary::<_, Float64Type>(if up { f64::ceil } else { f64::floor });
            let doubles: ArrayRef = Arc::new(doubles);
            cast_array(&doubles, &DataType::Float64, &DataType::Int64, true)
                .map_err(|error| Error::value(format!("{} in {text}", error.message())))
        }))
    };
    Builtin::new(name, one_number, returns, make, |types| !types.iter().all(|t| t.is_integer() || shape_of(t).is_some()))
        .with_aliases(aliases)
        .into_udf()
}

fn places(constants: &[Option<ScalarValue>]) -> Result<i32> {
    match constants.get(1) {
        None => Ok(0),
        Some(Some(value)) => match value.cast_to(&DataType::Int32)? {
            ScalarValue::Int32(Some(places)) => Ok(places),
            _ => Err(Error::unsupported("round to a NULL number of places")),
        },
        Some(None) => Err(Error::unsupported("round to a number of places that is not a constant")),
    }
}

/// `round(x[, places])`.
fn round() -> Arc<ScalarUDF> {
    let coerce = |name: &str, types: &[DataType]| match types {
        [one] => one_number(name, std::slice::from_ref(one)),
        [one, places] if places.is_integer() => Ok(vec![one_number(name, std::slice::from_ref(one))?.remove(0), places.clone()]),
        _ => Err(mismatch(name, types)),
    };
    let returns = |types: &[DataType], constants: &[Option<ScalarValue>]| {
        let Some(from) = types.first() else { return Err(mismatch("round", types)) };
        let Some((p, s)) = shape_of(from) else { return Ok(from.clone()) };
        let places = places(constants)?;
        let (p, s) = (i32::from(p), i32::from(s));
        // Spark's RoundBase: one more integral digit for the carry.
        let integral = p - s + 1;
        Ok(if places < 0 {
            DataType::Decimal128(integral.max(1 - places).min(38) as u8, 0)
        } else {
            let scale = s.min(places);
            DataType::Decimal128((integral + scale).min(38) as u8, scale as i8)
        })
    };
    let make =
        |types: &[DataType], constants: &[Option<ScalarValue>], result: &DataType, text: &str| -> Result<Box<dyn Kernel>> {
            let (places, result, text) = (places(constants)?, result.clone(), text.to_owned());
            let from = types.first().cloned().unwrap_or(DataType::Null);
            Ok(kernel(move |args, rows| {
                let arg = &args[0];
                if arg.is_null() {
                    return Ok(new_null_array(&storage_type(&result), rows));
                }
                let overflow = || Error::value(format!("overflow in {text}: the result does not fit {}", sql_type(&result)));
                let nulls = arg.array.nulls().cloned();
                let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                // Rounds an integer at a power of ten and keeps the zeros.
                let at = |value: i128, unit: i128| divide_half_up(value, unit).checked_mul(unit);
                if let (Some((_, own)), Some(shape)) = (shape_of(arg.data_type()), shape_of(&result)) {
                    let limit = 10_u128.pow(u32::from(shape.0));
                    let values = decimal_values(arg, own)?.into_iter().enumerate().map(|(row, value)| {
                        let rounded = match places {
                            _ if is_null(row) => Some(0),
                            0.. => rescale(value, i32::from(own), i32::from(shape.1)),
                            _ => match pow10(places.unsigned_abs()) {
                                Some(unit) => rescale(value, i32::from(own), places).and_then(|v| v.checked_mul(unit)),
                                None => Some(0),
                            },
                        };
                        rounded.filter(|value| value.unsigned_abs() < limit).ok_or_else(overflow)
                    });
                    return Ok(decimal_array(values.collect::<Result<_>>()?, shape, nulls.clone()));
                }
                if from.is_integer() {
                    if places >= 0 {
                        return Ok(arg.array.clone());
                    }
                    let wide = cast_array(&arg.array, &from, &DataType::Int64, true)?;
                    let unit = pow10(places.unsigned_abs());
                    let rounded = wide.as_primitive::<Int64Type>().try_unary::<_, Int64Type, Error>(|value| match unit {
                        Some(unit) => at(value.into(), unit).and_then(|v| v.try_into().ok()).ok_or_else(overflow),
                        None => Ok(0),
                    })?;
                    let rounded: ArrayRef = Arc::new(rounded);
                    return cast_array(&rounded, &DataType::Int64, &result, true);
                }
                let doubles = cast_array(&arg.array, &from, &DataType::Float64, true)?;
                let rounded: ArrayRef =
                    Arc::new(doubles.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| round_double(value, places)));
                cast_array(&rounded, &DataType::Float64, &result, true)
            }))
        };
    Builtin::new("round", coerce, returns, make, |types| !types.first().is_some_and(DataType::is_floating)).into_udf()
}

/// Rounds the shortest decimal that reads back as `value`, as Java's `BigDecimal.valueOf` gives it.
pub(super) fn round_double(value: f64, places: i32) -> f64 {
    if !value.is_finite() || places >= 308 {
        return value;
    }
    match parse::decimal(&format!("{value:e}"), places) {
        Some(scaled) => format!("{scaled}e{}", -places).parse().unwrap_or(value),
        // More digits than a decimal has: no fraction is left to round.
        None => value,
    }
}
