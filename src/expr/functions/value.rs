//! One value at a time: what functions work on that are not worth a loop of their own.
//!
//! Most of the library's functions are rare, and their work on one value (parsing JSON, matching a
//! pattern, walking a nested value) is far more than finding out what the value is. Those are
//! written over [`Value`]s: an argument's row is read into one, the function gives one, and the
//! results of a chunk are built into an array. Texts and bytes are borrowed from the arrays.
//!
//! ```text
//!   array ─ read(row) ─> Value ─ function ─> Value ─ build ─> array
//! ```
//!
//! Cost: some ten nanoseconds a value beside the function's own work; a nested value is copied
//! once. NULL is [`Value::Null`] everywhere, in rows and inside of nested values.

use super::super::decimal::decimal_array;
use crate::column::{storage_type, to_plan_type};
use crate::error::{Error, Result};
use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::*;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

/// One value of any SQL type; the type itself is known from elsewhere.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    /// NULL of any type.
    Null,
    /// BOOLEAN.
    Bool(bool),
    /// Whole numbers; days of a DATE; microseconds of a TIMESTAMP and of a day-time interval; months
    /// of a year-month interval.
    Int(i64),
    /// FLOAT and DOUBLE.
    Double(f64),
    /// Digits and scale.
    Decimal(i128, i8),
    /// STRING.
    Text(Cow<'a, str>),
    /// BINARY.
    Bytes(Cow<'a, [u8]>),
    /// A calendar interval: months, days, microseconds.
    Interval(i32, i32, i64),
    /// ARRAY.
    List(Vec<Value<'a>>),
    /// MAP, in the order of its entries.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// STRUCT, in the order of its fields.
    Struct(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// A text of its own.
    pub fn string(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    /// NULL for None.
    pub fn or_null<T>(value: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, make)
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, of bytes as far as they are one; empty for what is no text.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            _ => "",
        }
    }

    /// The bytes, of a text its UTF-8.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// The whole number, a decimal without its fraction; 0 for what is no number.
    pub fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Double(value) => *value as i64,
            Self::Bool(value) => i64::from(*value),
            Self::Decimal(value, scale) => (value / 10_i128.pow(scale.max(&0).unsigned_abs().into())) as i64,
            _ => 0,
        }
    }

    /// The number as DOUBLE.
    pub fn double(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::Double(value) => *value,
            Self::Decimal(value, scale) => format!("{value}e{}", -i32::from(*scale)).parse().unwrap_or(f64::NAN),
            _ => 0.0,
        }
    }

    /// Whether it is true.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// The items of an array or the fields of a struct.
    pub fn items(&self) -> &[Value<'a>] {
        match self {
            Self::List(items) | Self::Struct(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map.
    pub fn entries(&self) -> &[(Value<'a>, Value<'a>)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Spark's order: NULL first, NaN last, -0.0 equal to 0.0; longer after shorter arrays.
    pub fn order(&self, other: &Self) -> Ordering {
        use Value as V;
        match (self, other) {
            (V::Null, V::Null) => Ordering::Equal,
            (V::Null, _) => Ordering::Less,
            (_, V::Null) => Ordering::Greater,
            (V::Bool(a), V::Bool(b)) => a.cmp(b),
            (V::Int(a), V::Int(b)) => a.cmp(b),
            (V::Double(a), V::Double(b)) => match (a.is_nan(), b.is_nan()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            },
            (V::Decimal(a, s), V::Decimal(b, t)) if s == t => a.cmp(b),
            (V::Decimal(..) | V::Int(_) | V::Double(_), V::Decimal(..) | V::Int(_) | V::Double(_)) => {
                self.double().partial_cmp(&other.double()).unwrap_or(Ordering::Equal)
            }
            (V::Text(_) | V::Bytes(_), V::Text(_) | V::Bytes(_)) => self.bytes().cmp(other.bytes()),
            (V::Interval(a, b, c), V::Interval(d, e, f)) => (a, b, c).cmp(&(d, e, f)),
            (V::List(a) | V::Struct(a), V::List(b) | V::Struct(b)) => {
                let differ = a.iter().zip(b).map(|(a, b)| a.order(b)).find(|order| order.is_ne());
                differ.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (V::Map(a), V::Map(b)) => {
                let differ = a.iter().zip(b).map(|(a, b)| a.0.order(&b.0).then_with(|| a.1.order(&b.1)));
                differ.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            _ => Ordering::Equal,
        }
    }

    /// Whether both are the same value; NULL is the same as NULL.
    pub fn same(&self, other: &Self) -> bool {
        self.order(other).is_eq()
    }
}

/// The value of a row.
pub(crate) fn read<'a>(array: &'a dyn Array, row: usize) -> Value<'a> {
    use DataType as T;
    if array.is_null(row) {
        return Value::Null;
    }
    macro_rules! int {
        ($t:ty) => {
            Value::Int(array.as_primitive::<$t>().value(row).into())
        };
    }
    match array.data_type() {
        T::Boolean => Value::Bool(array.as_boolean().value(row)),
        T::Int8 => int!(Int8Type),
        T::Int16 => int!(Int16Type),
        T::Int32 => int!(Int32Type),
        T::Int64 => int!(Int64Type),
        T::UInt8 => int!(UInt8Type),
        T::UInt16 => int!(UInt16Type),
        T::UInt32 => int!(UInt32Type),
        T::UInt64 => Value::Int(i64::try_from(array.as_primitive::<UInt64Type>().value(row)).unwrap_or(i64::MAX)),
        T::Float32 => Value::Double(array.as_primitive::<Float32Type>().value(row).into()),
        T::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        T::Decimal64(_, scale) => Value::Decimal(array.as_primitive::<Decimal64Type>().value(row).into(), *scale),
        T::Decimal128(_, scale) => Value::Decimal(array.as_primitive::<Decimal128Type>().value(row), *scale),
        T::Date32 => int!(Date32Type),
        T::Timestamp(TimeUnit::Microsecond, _) => int!(TimestampMicrosecondType),
        T::Timestamp(TimeUnit::Nanosecond, _) => Value::Int(array.as_primitive::<TimestampNanosecondType>().value(row) / 1000),
        T::Time64(TimeUnit::Microsecond) => int!(Time64MicrosecondType),
        T::Duration(TimeUnit::Microsecond) => int!(DurationMicrosecondType),
        T::Interval(IntervalUnit::YearMonth) => int!(IntervalYearMonthType),
        T::Interval(IntervalUnit::DayTime) => {
            let value = array.as_primitive::<IntervalDayTimeType>().value(row);
            Value::Interval(0, value.days, i64::from(value.milliseconds) * 1000)
        }
        T::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            Value::Interval(value.months, value.days, value.nanoseconds / 1000)
        }
        T::Utf8View => Value::Text(Cow::Borrowed(array.as_string_view().value(row))),
        T::Utf8 => Value::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
        T::LargeUtf8 => Value::Text(Cow::Borrowed(array.as_string::<i64>().value(row))),
        T::BinaryView => Value::Bytes(Cow::Borrowed(array.as_binary_view().value(row))),
        T::Binary => Value::Bytes(Cow::Borrowed(array.as_binary::<i32>().value(row))),
        T::LargeBinary => Value::Bytes(Cow::Borrowed(array.as_binary::<i64>().value(row))),
        T::List(_) => {
            let list = array.as_list::<i32>();
            let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
            Value::List((start..end).map(|at| read(list.values().as_ref(), at)).collect())
        }
        T::LargeList(_) => {
            let list = array.as_list::<i64>();
            let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
            Value::List((start..end).map(|at| read(list.values().as_ref(), at)).collect())
        }
        T::Struct(_) => Value::Struct(array.as_struct().columns().iter().map(|column| read(column.as_ref(), row)).collect()),
        T::Map(..) => {
            let map = array.as_map();
            let (start, end) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
            let (keys, values) = (map.keys().as_ref(), map.values().as_ref());
            Value::Map((start..end).map(|at| (read(keys, at), read(values, at))).collect())
        }
        _ => Value::Null,
    }
}

/// An array of the values in the storage type of SQL type `data_type`.
pub(crate) fn build(values: Vec<Value<'_>>, data_type: &DataType) -> Result<ArrayRef> {
    use DataType as T;
    macro_rules! ints {
        ($t:ty) => {{
            let fits = |value: Value| match value {
                Value::Null => Ok(None),
                other => <$t as ArrowPrimitiveType>::Native::try_from(other.int())
                    .map(Some)
                    .map_err(|_| Error::value(format!("{} is out of range", other.int()))),
            };
            let array: PrimitiveArray<$t> = values.into_iter().map(fits).collect::<Result<Vec<_>>>()?.into_iter().collect();
            Ok(Arc::new(array.with_data_type(data_type.clone())))
        }};
    }
    macro_rules! each {
        ($array:ty, $f:expr) => {{
            let array: $array = values.iter().map(|value| if value.is_null() { None } else { Some($f(value)) }).collect();
            Ok(Arc::new(array))
        }};
    }
    match data_type {
        T::Null => Ok(new_null_array(&T::Null, values.len())),
        T::Boolean => each!(BooleanArray, Value::is_true),
        T::Int8 => ints!(Int8Type),
        T::Int16 => ints!(Int16Type),
        T::Int32 => ints!(Int32Type),
        T::Int64 => ints!(Int64Type),
        T::Date32 => ints!(Date32Type),
        T::Timestamp(TimeUnit::Microsecond, _) => ints!(TimestampMicrosecondType),
        T::Time64(TimeUnit::Microsecond) => ints!(Time64MicrosecondType),
        T::Duration(TimeUnit::Microsecond) => ints!(DurationMicrosecondType),
        T::Interval(IntervalUnit::YearMonth) => ints!(IntervalYearMonthType),
        T::Interval(IntervalUnit::MonthDayNano) => each!(IntervalMonthDayNanoArray, |value: &Value| match value {
            Value::Interval(months, days, micros) => IntervalMonthDayNano::new(*months, *days, micros.saturating_mul(1000)),
            _ => IntervalMonthDayNano::ZERO,
        }),
        T::Float32 => each!(Float32Array, |value: &Value| value.double() as f32),
        T::Float64 => each!(Float64Array, Value::double),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) => {
            let nulls = NullBuffer::from_iter(values.iter().map(|value| !value.is_null()));
            let limit = 10_u128.pow(u32::from(*p));
            let digits = values.iter().map(|value| {
                let value = match value {
                    Value::Decimal(value, scale) => super::super::decimal::rescale(*value, i32::from(*scale), i32::from(*s)),
                    Value::Int(value) => super::super::decimal::rescale(i128::from(*value), 0, i32::from(*s)),
                    _ => Some(0),
                };
                value
                    .filter(|value| value.unsigned_abs() < limit)
                    .ok_or_else(|| Error::value(format!("a number that does not fit DECIMAL({p}, {s})")))
            });
            Ok(decimal_array(digits.collect::<Result<_>>()?, (*p, *s), Some(nulls).filter(|nulls| nulls.null_count() > 0)))
        }
        T::Utf8 | T::LargeUtf8 | T::Utf8View => {
            let mut builder = StringViewBuilder::with_capacity(values.len());
            values
                .iter()
                .for_each(|value| if value.is_null() { builder.append_null() } else { builder.append_value(value.text()) });
            Ok(Arc::new(builder.finish()))
        }
        T::Binary | T::LargeBinary | T::BinaryView => {
            let mut builder = BinaryViewBuilder::with_capacity(values.len());
            values
                .iter()
                .for_each(|value| if value.is_null() { builder.append_null() } else { builder.append_value(value.bytes()) });
            Ok(Arc::new(builder.finish()))
        }
        T::List(item) => {
            let (mut flat, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
            for value in values {
                valid.push(!value.is_null());
                lengths.push(value.items().len());
                if let Value::List(items) | Value::Struct(items) = value {
                    flat.extend(items);
                }
            }
            let items = inner(flat, item.data_type())?;
            Ok(Arc::new(ListArray::try_new(item.clone(), OffsetBuffer::from_lengths(lengths), items, nulls(&valid))?))
        }
        T::Struct(fields) => {
            let valid: Vec<bool> = values.iter().map(|value| !value.is_null()).collect();
            let rows = values.len();
            let mut columns: Vec<Vec<Value>> = fields.iter().map(|_| Vec::with_capacity(rows)).collect();
            for value in values {
                let mut items =
                    if let Value::Struct(items) | Value::List(items) = value { items } else { Vec::new() }.into_iter();
                columns.iter_mut().for_each(|column| column.push(items.next().unwrap_or(Value::Null)));
            }
            let columns = columns.into_iter().zip(fields).map(|(column, field)| inner(column, field.data_type()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls(&valid), rows)?))
        }
        T::Map(entries, sorted) => {
            let T::Struct(pair) = entries.data_type() else { return Err(Error::internal("a map without entries")) };
            let (mut keys, mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for value in values {
                valid.push(!value.is_null());
                lengths.push(value.entries().len());
                if let Value::Map(entries) = value {
                    for (key, item) in entries {
                        keys.push(key);
                        items.push(item);
                    }
                }
            }
            let columns = vec![inner(keys, pair[0].data_type())?, inner(items, pair[1].data_type())?];
            let pairs = StructArray::try_new(pair.clone(), columns, None)?;
            let map = MapArray::try_new(entries.clone(), OffsetBuffer::from_lengths(lengths), pairs, nulls(&valid), *sorted)?;
            Ok(Arc::new(map))
        }
        other => Err(Error::unsupported(format!("values of the type {other}"))),
    }
}

/// What stands inside of a nested value keeps its SQL type.
fn inner(values: Vec<Value<'_>>, data_type: &DataType) -> Result<ArrayRef> {
    let array = build(values, data_type)?;
    if storage_type(data_type) == *data_type { Ok(array) } else { to_plan_type(&array, data_type) }
}

fn nulls(valid: &[bool]) -> Option<NullBuffer> {
    valid.contains(&false).then(|| NullBuffer::from(valid))
}
