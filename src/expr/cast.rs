//! Casts with Spark's ANSI rules: a value that does not fit raises an error that names it;
//! `try_cast` gives NULL.
//!
//! Numbers, strings, booleans, dates and timestamps are converted by own loops; other pairs of
//! types by Arrow's cast. A decimal widened at the same scale is only relabelled.

use super::decimal::{Shape, decimal_array, pow10, rescale, shape_of};
use super::kernel::{Arg, Kernel};
use super::parse;
use crate::column::{storage_type, to_plan_type, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, StringViewBuilder, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{self, CastOptions};
use arrow::datatypes::*;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::sync::Arc;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The kernel of CAST and TRY_CAST between SQL types.
#[derive(Debug)]
pub(super) struct Cast {
    pub from: DataType,
    pub to: DataType,
    pub ansi: bool,
}

impl Kernel for Cast {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        if args[0].is_null() {
            return Ok(new_null_array(&storage_type(&self.to), rows));
        }
        to_storage_type(&cast_array(&args[0].array, &self.from, &self.to, self.ansi)?)
    }
}

/// Whether a cast can fail on a value (or, as try_cast, make NULLs).
pub(super) fn is_fallible(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    if from == to || *from == T::Null || is_text(to) {
        return false;
    }
    if let (Some((p1, s1)), Some((p2, s2))) = (shape_of(from), shape_of(to)) {
        return i32::from(p2) - i32::from(s2) < i32::from(p1) - i32::from(s1) + i32::from(s2 < s1);
    }
    if let (Some((p1, _)), Some((p2, s2))) = (super::decimal::integer_shape(from), shape_of(to)) {
        return i32::from(p2) - i32::from(s2) < i32::from(p1);
    }
    let rank = |t: &T| match t {
        T::Boolean => Some(0),
        T::Int8 => Some(1),
        T::Int16 => Some(2),
        T::Int32 => Some(3),
        T::Int64 => Some(4),
        T::Float32 => Some(5),
        T::Float64 => Some(6),
        _ => None,
    };
    match (rank(from), rank(to)) {
        (Some(a), Some(b)) => a > b,
        (None, Some(b)) if shape_of(from).is_some() => b < 5,
        _ => !matches!((from, to), (T::Date32, T::Timestamp(..)) | (T::Timestamp(..), T::Date32 | T::Timestamp(..))),
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Casts an array in the storage form of SQL type `from` to the storage form of `to`.
pub(super) fn cast_array(array: &ArrayRef, from: &DataType, to: &DataType, ansi: bool) -> Result<ArrayRef> {
    use DataType as T;
    let stored = storage_type(to);
    if super::cast_nested::is_here(from, to) && from != to {
        return super::cast_nested::cast(array, from, to, ansi);
    }
    let convert = Conversion { array, to, ansi };
    if let (Some(mut own), Some(shape)) = (shape_of(array.data_type()), shape_of(to)) {
        // A narrow form may hold 19 digits whatever its label says.
        if shape_of(from).is_some_and(|from| from.0 > 18) {
            own.0 = own.0.max(19);
        }
        return decimal_to_decimal(array, own, shape, &convert);
    }
    if *array.data_type() == stored && !matches!(to, T::Timestamp(..)) {
        return Ok(array.clone());
    }
    match (array.data_type(), to) {
        (T::Utf8View, _) if is_text(to) => Ok(array.clone()),
        (T::Int8, _) => from_integer::<Int8Type>(array, &convert, from, to),
        (T::Int16, _) => from_integer::<Int16Type>(array, &convert, from, to),
        (T::Int32, _) => from_integer::<Int32Type>(array, &convert, from, to),
        (T::Int64, _) => from_integer::<Int64Type>(array, &convert, from, to),
        (T::Float32, _) => from_float(&compute::cast(array, &T::Float64)?, &convert, to, true),
        (T::Float64, _) => from_float(array, &convert, to, false),
        (T::Decimal64(_, s) | T::Decimal128(_, s), _) => from_decimal(array, *s, &convert, to),
        (T::Utf8View, _) => from_text(array, &convert, to),
        (T::Boolean, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Float32 | T::Float64) => by_arrow(array, &stored, ansi),
        (T::Boolean, _) if shape_of(to).is_some() => cast_array(&compute::cast(array, &T::Int32)?, &T::Int32, to, ansi),
        (T::Boolean, _) if is_text(to) => convert.texts(|row| array.as_boolean().value(row).to_string()),
        (T::Date32, _) if is_text(to) => convert.texts(|row| parse::date_text(array.as_primitive::<Date32Type>().value(row))),
        (T::Date32, T::Timestamp(_, None)) => {
            let micros: PrimitiveArray<TimestampMicrosecondType> =
                array.as_primitive::<Date32Type>().unary(|days| i64::from(days) * MICROS_PER_DAY);
            Ok(Arc::new(micros))
        }
        (T::Timestamp(TimeUnit::Microsecond, zone), _) if is_utc(zone.as_deref()) => from_timestamp(array, &convert, to),
        _ => by_arrow(array, &stored, ansi),
    }
}

fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "+00:00" | "Z" | "Etc/UTC"))
}

fn by_arrow(array: &ArrayRef, to: &DataType, ansi: bool) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    let options = CastOptions { safe: !ansi, format_options: FormatOptions::default() };
    Ok(compute::cast_with_options(array, to, &options)?)
}

/// One cast of one array: converts rows and says what went wrong.
struct Conversion<'a> {
    array: &'a ArrayRef,
    to: &'a DataType,
    ansi: bool,
}

impl Conversion<'_> {
    fn error(&self, row: usize) -> Error {
        let value = text_of(self.array, row).unwrap_or_else(|_| "a value".to_owned());
        // A number or a time is understood always, so what fails is its size.
        let (value, why) =
            if is_text(self.array.data_type()) { (format!("'{value}'"), "") } else { (value, ": it is out of range") };
        let hint = "try_cast gives NULL instead of an error";
        Error::value(format!("cannot cast {value} to {}{why}", sql_type(self.to))).with_hint(hint)
    }

    /// Values of every row that is not NULL, and the NULLs of the result.
    fn values<U: Default>(&self, f: impl Fn(usize) -> Option<U>) -> Result<(Vec<U>, Option<NullBuffer>)> {
        let nulls = self.array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let mut failed = Vec::new();
        let mut values = Vec::with_capacity(self.array.len());
        for row in 0..self.array.len() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                values.push(U::default());
                continue;
            }
            values.push(match f(row) {
                Some(value) => value,
                None if self.ansi => return Err(self.error(row)),
                None => {
                    failed.push(row);
                    U::default()
                }
            });
        }
        if failed.is_empty() {
            return Ok((values, nulls));
        }
        let mut valid: Vec<bool> = (0..values.len()).map(|row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))).collect();
        failed.into_iter().for_each(|row| valid[row] = false);
        Ok((values, Some(NullBuffer::from(valid))))
    }

    fn primitive<T: ArrowPrimitiveType>(&self, f: impl Fn(usize) -> Option<T::Native>) -> Result<ArrayRef> {
        let (values, nulls) = self.values(f)?;
        Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(storage_type(self.to))))
    }

    fn decimals(&self, shape: Shape, f: impl Fn(usize) -> Option<i128>) -> Result<ArrayRef> {
        let limit = 10_u128.pow(u32::from(shape.0.min(38)));
        let (values, nulls) = self.values(|row| f(row).filter(|value| value.unsigned_abs() < limit))?;
        Ok(decimal_array(values, shape, nulls))
    }

    fn booleans(&self, f: impl Fn(usize) -> Option<bool>) -> Result<ArrayRef> {
        let (values, nulls) = self.values(f)?;
        Ok(Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)))
    }

    fn texts(&self, f: impl Fn(usize) -> String) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::with_capacity(self.array.len());
        for row in 0..self.array.len() {
            if self.array.is_null(row) { builder.append_null() } else { builder.append_value(f(row)) }
        }
        Ok(Arc::new(builder.finish()))
    }
}

fn decimal_to_decimal(array: &ArrayRef, own: Shape, shape: Shape, convert: &Conversion) -> Result<ArrayRef> {
    let ((p1, s1), (p2, s2)) = (own, shape);
    let widens = s1 == s2 && p2 >= p1;
    if widens && p2 <= 18 {
        return to_plan_type(array, &DataType::Decimal64(p2, s2));
    }
    if s1 == s2 && p2 > 18 {
        // Held narrow or not, the values stay; a narrow form of any precision fits 19 digits.
        let narrow = matches!(array.data_type(), DataType::Decimal64(..));
        if narrow && p2 >= 19 {
            return to_plan_type(array, &DataType::Decimal64(18, s2));
        }
        if widens {
            return to_plan_type(array, &DataType::Decimal128(p2, s2));
        }
    }
    // Scaled up within 18 digits: no value can leave 64 bits.
    if let (DataType::Decimal64(..), true) =
        (array.data_type(), p2 <= 18 && s2 >= s1 && i32::from(p2) - i32::from(p1) >= i32::from(s2 - s1))
    {
        let factor = 10_i64.pow((s2 - s1) as u32);
        let scaled: PrimitiveArray<Decimal64Type> =
            array.as_primitive::<Decimal64Type>().unary(|value| value.wrapping_mul(factor));
        return Ok(Arc::new(scaled.with_data_type(DataType::Decimal64(p2, s2))));
    }
    let get = decimal_getter(array)?;
    convert.decimals(shape, |row| rescale(get(row), i32::from(s1), i32::from(s2)))
}

fn decimal_getter(array: &ArrayRef) -> Result<Box<dyn Fn(usize) -> i128 + '_>> {
    match array.data_type() {
        DataType::Decimal64(..) => {
            let values = array.as_primitive::<Decimal64Type>().values();
            Ok(Box::new(move |row| i128::from(values[row])))
        }
        DataType::Decimal128(..) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            Ok(Box::new(move |row| values[row]))
        }
        other => Err(Error::internal(format!("{other} where a decimal is expected"))),
    }
}

fn from_integer<T: ArrowPrimitiveType>(array: &ArrayRef, convert: &Conversion, from: &DataType, to: &DataType) -> Result<ArrayRef>
where
    T::Native: Into<i64>,
{
    let values = array.as_primitive::<T>().values();
    let get = |row: usize| -> i64 { values[row].into() };
    match to {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 if !is_fallible(from, to) => {
            by_arrow(array, to, true)
        }
        DataType::Float32 | DataType::Float64 => by_arrow(array, to, true),
        DataType::Int8 => convert.primitive::<Int8Type>(|row| get(row).try_into().ok()),
        DataType::Int16 => convert.primitive::<Int16Type>(|row| get(row).try_into().ok()),
        DataType::Int32 => convert.primitive::<Int32Type>(|row| get(row).try_into().ok()),
        DataType::Int64 => convert.primitive::<Int64Type>(|row| Some(get(row))),
        DataType::UInt64 => convert.primitive::<UInt64Type>(|row| get(row).try_into().ok()),
        DataType::Boolean => convert.booleans(|row| Some(get(row) != 0)),
        DataType::Timestamp(..) => convert.primitive::<TimestampMicrosecondType>(|row| get(row).checked_mul(MICROS_PER_SECOND)),
        _ if is_text(to) => convert.texts(|row| get(row).to_string()),
        _ => match shape_of(to) {
            Some(shape) => match pow10(shape.1.max(0) as u32).filter(|_| shape.1 >= 0) {
                Some(factor) => convert.decimals(shape, |row| i128::from(get(row)).checked_mul(factor)),
                None => convert.decimals(shape, |row| rescale(i128::from(get(row)), 0, i32::from(shape.1))),
            },
            None => by_arrow(array, &storage_type(to), convert.ansi),
        },
    }
}

fn from_float(array: &ArrayRef, convert: &Conversion, to: &DataType, single: bool) -> Result<ArrayRef> {
    let values = array.as_primitive::<Float64Type>().values();
    // The largest double below 2^63 is 2^63 - 1024: comparing with 2^63 itself is exact.
    let integer = |row: usize, bits: i32| {
        let value = values[row].trunc();
        let limit = 2_f64.powi(bits - 1);
        (value >= -limit && value < limit).then_some(value as i64)
    };
    match to {
        DataType::Int8 => convert.primitive::<Int8Type>(|row| integer(row, 8).map(|v| v as i8)),
        DataType::Int16 => convert.primitive::<Int16Type>(|row| integer(row, 16).map(|v| v as i16)),
        DataType::Int32 => convert.primitive::<Int32Type>(|row| integer(row, 32).map(|v| v as i32)),
        DataType::Int64 => convert.primitive::<Int64Type>(|row| integer(row, 64)),
        DataType::Float64 => Ok(array.clone()),
        DataType::Float32 => by_arrow(array, to, true),
        DataType::Boolean => convert.booleans(|row| Some(values[row] != 0.0)),
        DataType::Timestamp(..) => {
            let micros = |row: usize| (values[row] * MICROS_PER_SECOND as f64).trunc();
            let fits = |value: f64| value >= -(2_f64.powi(63)) && value < 2_f64.powi(63);
            convert.primitive::<TimestampMicrosecondType>(|row| Some(micros(row)).filter(|v| fits(*v)).map(|v| v as i64))
        }
        _ if is_text(to) && single => convert.texts(|row| parse::float32_text(values[row] as f32)),
        _ if is_text(to) => convert.texts(|row| parse::double_text(values[row])),
        _ => match shape_of(to) {
            // As Spark does: the shortest decimal that reads back as the double, then rounded.
            Some(shape) => convert.decimals(shape, |row| parse::decimal(&format!("{:e}", values[row]), i32::from(shape.1))),
            None => by_arrow(array, &storage_type(to), convert.ansi),
        },
    }
}

fn from_decimal(array: &ArrayRef, scale: i8, convert: &Conversion, to: &DataType) -> Result<ArrayRef> {
    let get = decimal_getter(array)?;
    let divisor = pow10(scale.max(0) as u32).unwrap_or(i128::MAX);
    let whole = |row: usize| get(row) / divisor;
    let factor = 10_f64.powi(i32::from(scale));
    match to {
        DataType::Int8 => convert.primitive::<Int8Type>(|row| whole(row).try_into().ok()),
        DataType::Int16 => convert.primitive::<Int16Type>(|row| whole(row).try_into().ok()),
        DataType::Int32 => convert.primitive::<Int32Type>(|row| whole(row).try_into().ok()),
        DataType::Int64 => convert.primitive::<Int64Type>(|row| whole(row).try_into().ok()),
        DataType::Float32 => convert.primitive::<Float32Type>(|row| Some((get(row) as f64 / factor) as f32)),
        DataType::Float64 => convert.primitive::<Float64Type>(|row| Some(get(row) as f64 / factor)),
        DataType::Boolean => convert.booleans(|row| Some(get(row) != 0)),
        DataType::Timestamp(..) => convert.primitive::<TimestampMicrosecondType>(|row| {
            let micros = get(row).checked_mul(i128::from(MICROS_PER_SECOND))? / divisor;
            micros.try_into().ok()
        }),
        _ if is_text(to) => convert.texts(|row| parse::decimal_text(get(row), scale)),
        _ => by_arrow(array, &storage_type(to), convert.ansi),
    }
}

fn from_text(array: &ArrayRef, convert: &Conversion, to: &DataType) -> Result<ArrayRef> {
    let texts = array.as_string_view();
    let integer = |row: usize| parse::integer(texts.value(row));
    match to {
        DataType::Int8 => convert.primitive::<Int8Type>(|row| integer(row)?.try_into().ok()),
        DataType::Int16 => convert.primitive::<Int16Type>(|row| integer(row)?.try_into().ok()),
        DataType::Int32 => convert.primitive::<Int32Type>(|row| integer(row)?.try_into().ok()),
        DataType::Int64 => convert.primitive::<Int64Type>(integer),
        DataType::Float32 => convert.primitive::<Float32Type>(|row| parse::float(texts.value(row)).map(|v| v as f32)),
        DataType::Float64 => convert.primitive::<Float64Type>(|row| parse::float(texts.value(row))),
        DataType::Boolean => convert.booleans(|row| parse::boolean(texts.value(row))),
        DataType::Date32 => convert.primitive::<Date32Type>(|row| parse::date(texts.value(row))),
        DataType::Timestamp(_, zone) if is_utc(zone.as_deref()) => {
            convert.primitive::<TimestampMicrosecondType>(|row| parse::timestamp(texts.value(row)))
        }
        _ => match shape_of(to) {
            Some(shape) => convert.decimals(shape, |row| parse::decimal(texts.value(row), i32::from(shape.1))),
            None => by_arrow(array, &storage_type(to), convert.ansi),
        },
    }
}

fn from_timestamp(array: &ArrayRef, convert: &Conversion, to: &DataType) -> Result<ArrayRef> {
    let values = array.as_primitive::<TimestampMicrosecondType>().values();
    let whole = |row: usize| values[row].div_euclid(MICROS_PER_SECOND);
    let seconds = |row: usize| values[row] as f64 / MICROS_PER_SECOND as f64;
    match to {
        DataType::Date32 => convert.primitive::<Date32Type>(|row| i32::try_from(values[row].div_euclid(MICROS_PER_DAY)).ok()),
        DataType::Int8 => convert.primitive::<Int8Type>(|row| whole(row).try_into().ok()),
        DataType::Int16 => convert.primitive::<Int16Type>(|row| whole(row).try_into().ok()),
        DataType::Int32 => convert.primitive::<Int32Type>(|row| whole(row).try_into().ok()),
        DataType::Int64 => convert.primitive::<Int64Type>(|row| Some(whole(row))),
        DataType::Float32 => convert.primitive::<Float32Type>(|row| Some(seconds(row) as f32)),
        DataType::Float64 => convert.primitive::<Float64Type>(|row| Some(seconds(row))),
        _ if is_text(to) => convert.texts(|row| parse::timestamp_text(values[row])),
        _ => match shape_of(to) {
            Some(shape) => convert.decimals(shape, |row| parse::decimal(&format!("{:e}", seconds(row)), i32::from(shape.1))),
            None => by_arrow(array, &storage_type(to), convert.ansi),
        },
    }
}

/// The value of a row as text.
pub(super) fn text_of(array: &ArrayRef, row: usize) -> Result<String> {
    let value = array.slice(row, 1);
    if value.is_null(0) {
        return Ok("NULL".to_owned());
    }
    Ok(match value.data_type() {
        DataType::Utf8View => value.as_string_view().value(0).to_owned(),
        DataType::Decimal64(_, scale) => parse::decimal_text(value.as_primitive::<Decimal64Type>().value(0).into(), *scale),
        DataType::Decimal128(_, scale) => parse::decimal_text(value.as_primitive::<Decimal128Type>().value(0), *scale),
        DataType::Float64 => parse::double_text(value.as_primitive::<Float64Type>().value(0)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            parse::timestamp_text(value.as_primitive::<TimestampMicrosecondType>().value(0))
        }
        _ => ArrayFormatter::try_new(&value, &FormatOptions::default())?.value(0).to_string(),
    })
}

/// A type as SQL names it.
pub(crate) fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => "BINARY".to_owned(),
        text if is_text(text) => "STRING".to_owned(),
        other => match shape_of(other) {
            Some((p, s)) => format!("DECIMAL({p}, {s})"),
            None => other.to_string(),
        },
    }
}
