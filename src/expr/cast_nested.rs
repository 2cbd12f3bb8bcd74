//! Casts of arrays, maps and structs, of intervals, and of timestamps in time zones.
//!
//! A nested value is cast part by part, each array of parts at once; as text it is written as Spark
//! writes it, `[1, null]`, `{a -> 1}`, `{1, x}`. A timestamp's text, date and local time are those
//! that clocks of its zone show.

use super::cast::cast_array;
use super::functions::value::{Value, build, read};
use super::functions::{intervals, show, times, zones};
use super::parse;
use crate::column::{storage_type, to_plan_type, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::datatypes::DataType;
use std::sync::Arc;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Whether a cast between these types is one of this file.
pub(super) fn is_here(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let zoned = |t: &T| matches!(t, T::Timestamp(_, Some(zone)) if !matches!(zone.as_ref(), "UTC" | "+00:00" | "Z" | "Etc/UTC"));
    let interval = |t: &T| matches!(t, T::Interval(_) | T::Duration(_) | T::Time64(_));
    let nested = |t: &T| matches!(t, T::List(_) | T::Map(..) | T::Struct(_));
    nested(from) || zoned(from) || zoned(to) || interval(from) || interval(to) || (is_binary(from) && is_text(to))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// Casts an array in the storage form of `from` to the storage form of `to`.
pub(super) fn cast(array: &ArrayRef, from: &DataType, to: &DataType, ansi: bool) -> Result<ArrayRef> {
    use DataType as T;
    let part = |array: &ArrayRef, from: &T, to: &T| -> Result<ArrayRef> {
        if from == to {
            return Ok(array.clone());
        }
        to_plan_type(&cast_array(&to_storage_type(array)?, from, to, ansi)?, to)
    };
    match (from, to) {
        (T::List(own), T::List(item)) => {
            let list = array.as_list::<i32>();
            let items = part(list.values(), own.data_type(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), items, list.nulls().cloned())?))
        }
        (T::Map(own, _), T::Map(entries, sorted)) => {
            let (T::Struct(own), T::Struct(pair)) = (own.data_type(), entries.data_type()) else {
                return Err(Error::internal("a map without entries"));
            };
            let map = array.as_map();
            let keys = part(map.keys(), own[0].data_type(), pair[0].data_type())?;
            let values = part(map.values(), own[1].data_type(), pair[1].data_type())?;
            let pairs = StructArray::try_new(pair.clone(), vec![keys, values], None)?;
            Ok(Arc::new(MapArray::try_new(entries.clone(), map.offsets().clone(), pairs, map.nulls().cloned(), *sorted)?))
        }
        (T::Struct(own), T::Struct(fields)) if own.len() == fields.len() => {
            let value = array.as_struct();
            let columns = value
                .columns()
                .iter()
                .zip(own.iter().zip(fields))
                .map(|(column, (own, field))| part(column, own.data_type(), field.data_type()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, value.nulls().cloned(), value.len())?))
        }
        _ => {
            let cast = |row: usize| -> Result<Value<'_>> {
                let value = read(array.as_ref(), row);
                if value.is_null() {
                    return Ok(Value::Null);
                }
                match one(&value, from, to) {
                    Some(value) => Ok(value),
                    None if !ansi => Ok(Value::Null),
                    None => {
                        let shown = show::text(&value, from);
                        let shown = if is_text(from) { format!("'{shown}'") } else { shown };
                        Err(Error::value(format!("cannot cast {shown} to {}", super::cast::sql_type(to)))
                            .with_hint("try_cast gives NULL instead of an error"))
                    }
                }
            };
            supported(from, to)?;
            build((0..array.len()).map(cast).collect::<Result<_>>()?, &storage_type(to))
        }
    }
}

fn supported(from: &DataType, to: &DataType) -> Result<()> {
    use DataType as T;
    let fits = match (from, to) {
        (_, to) if is_text(to) => true,
        (T::Timestamp(..), T::Timestamp(..) | T::Date32 | T::Int64 | T::Float64) => true,
        (T::Date32, T::Timestamp(..)) => true,
        (from, T::Timestamp(..) | T::Interval(_) | T::Duration(_) | T::Time64(_)) if is_text(from) => true,
        (T::Int64 | T::Int32 | T::Int16 | T::Int8, T::Timestamp(..)) => true,
        (T::Interval(_), T::Interval(_)) | (T::Duration(_), T::Duration(_)) => from == to,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let name = super::cast::sql_type;
    Err(Error::sql(format!("a cast from {} to {}", name(from), name(to))))
}

fn one<'a>(value: &Value, from: &DataType, to: &DataType) -> Option<Value<'a>> {
    use DataType as T;
    let zone_of = |t: &T| match t {
        T::Timestamp(_, Some(zone)) => Some(zone.clone()),
        _ => None,
    };
    // What clocks show.
    let local = |micros: i64| zone_of(from).map_or(micros, |zone| zones::local(micros, &zone));
    let instant = |local: i64| zone_of(to).map_or(local, |zone| zones::instant(local, &zone));
    Some(match (from, to) {
        (from, to) if is_text(to) => Value::string(show::text(value, from)),
        (T::Timestamp(_, Some(_)), T::Timestamp(_, Some(_))) => Value::Int(value.int()),
        (T::Timestamp(..), T::Timestamp(..)) => Value::Int(instant(local(value.int()))),
        (T::Timestamp(..), T::Date32) => Value::Int(local(value.int()).div_euclid(MICROS_PER_DAY)),
        (T::Timestamp(..), T::Int64) => Value::Int(value.int().div_euclid(1_000_000)),
        (T::Timestamp(..), T::Float64) => Value::Double(value.int() as f64 / 1e6),
        (T::Date32, T::Timestamp(..)) => Value::Int(instant(value.int().checked_mul(MICROS_PER_DAY)?)),
        (from, T::Timestamp(_, zone)) if is_text(from) => {
            Value::Int(parse::timestamp_in(value.text(), zone.as_deref().unwrap_or("UTC"), zone.is_some())?)
        }
        (from, T::Timestamp(..)) if from.is_integer() => Value::Int(value.int().checked_mul(1_000_000)?),
        (from, T::Time64(_)) if is_text(from) => Value::Int(times::parsed(value.text())?),
        (from, T::Duration(_)) if is_text(from) => Value::Int(intervals::day_time(value.text())?),
        (from, T::Interval(arrow::datatypes::IntervalUnit::YearMonth)) if is_text(from) => {
            Value::Int(intervals::year_month(value.text())?)
        }
        (T::Interval(_) | T::Duration(_), _) => match value {
            Value::Int(count) => Value::Int(*count),
            Value::Interval(months, days, micros) => Value::Interval(*months, *days, *micros),
            _ => return None,
        },
        _ => return None,
    })
}
