//! Values as text, as `CAST(value AS STRING)` writes them.

use super::super::parse;
use super::intervals;
use super::signature::{item_of, pair_of};
use super::times;
use super::value::Value;
use super::zones;
use arrow::datatypes::{DataType, IntervalUnit};

/// The text of a value of type `data_type`; `NULL` is `null` inside of nested values.
pub(in super::super) fn text(value: &Value, data_type: &DataType) -> String {
    use DataType as T;
    match (value, data_type) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Bool(value), _) => value.to_string(),
        (Value::Int(days), T::Date32) => parse::date_text(*days as i32),
        (Value::Int(micros), T::Timestamp(_, Some(own))) => parse::timestamp_text(zones::local(*micros, own)),
        (Value::Int(micros), T::Timestamp(_, None)) => parse::timestamp_text(*micros),
        (Value::Int(micros), T::Time64(_)) => times::text(*micros),
        (Value::Int(micros), T::Duration(_)) => intervals::day_time_text(*micros),
        (Value::Int(months), T::Interval(IntervalUnit::YearMonth)) => intervals::year_month_text(*months),
        (Value::Interval(months, days, micros), _) => intervals::calendar_text(*months, *days, *micros),
        (Value::Int(value), _) => value.to_string(),
        (Value::Double(value), T::Float32) => parse::float32_text(*value as f32),
        (Value::Double(value), _) => parse::double_text(*value),
        (Value::Decimal(value, scale), _) => parse::decimal_text(*value, *scale),
        (Value::Text(text), _) => text.to_string(),
        (Value::Bytes(bytes), _) => String::from_utf8_lossy(bytes).into_owned(),
        (Value::List(items), data_type) => {
            let item = item_of(data_type).unwrap_or(T::Null);
            format!("[{}]", items.iter().map(|value| text(value, &item)).collect::<Vec<_>>().join(", "))
        }
        (Value::Map(entries), data_type) => {
            let (key, item) = pair_of(data_type).unwrap_or((T::Null, T::Null));
            let entry = |(k, v): &(Value, Value)| format!("{} -> {}", text(k, &key), text(v, &item));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        (Value::Struct(items), T::Struct(fields)) => {
            let each = items.iter().zip(fields).map(|(value, field)| text(value, field.data_type()));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        (Value::Struct(_), _) => String::new(),
    }
}
