//! JSON: texts taken apart by a path or a type, and values written as JSON.

use super::super::parse;
use super::json_text::{Json, by_path, quoted};
use super::row::{Gives, Row, Shape, partial, total};
use super::signature::{is_binary, is_text, pair_of};
use super::value::Value;
use super::{encodings, patterns, show, zones};
use crate::error::{Error, Result};
use arrow::datatypes::{DataType, TimeUnit};

pub(super) static ROWS: &[Row] = &[
    total("get_json_object", "SS", Gives::Text, |_, a| Ok(Value::or_null(by_path(a[0].text(), a[1].text()), Value::string))),
    total("json_array_length", "S", Gives::Int, |_, a| {
        Ok(match Json::parse(a[0].text()) {
            Some(Json::Array(items)) => Value::Int(items.len() as i64),
            _ => Value::Null,
        })
    }),
    total("json_object_keys", "S", Gives::Texts, |_, a| {
        Ok(match Json::parse(a[0].text()) {
            Some(Json::Object(members)) => Value::List(members.into_iter().map(|(name, _)| Value::string(name)).collect()),
            _ => Value::Null,
        })
    }),
    partial("to_json", ".K?", Gives::Text, |call, a| {
        let mut out = String::new();
        write(&a[0], &call.types[0], &Options::of(a.get(1)), &mut out)?;
        Ok(Value::string(out))
    }),
    partial("from_json", "SSK?", FROM, |call, a| {
        let options = Options::of(a.get(2));
        let read = Json::parse(a[0].text()).and_then(|json| match (&call.result, json) {
            (DataType::List(_), json @ Json::Object(_)) => typed(&Json::Array(vec![json]), &call.result, &options),
            (DataType::Struct(_), Json::Array(items)) => items.first().and_then(|first| typed(first, &call.result, &options)),
            (_, json) => typed(&json, &call.result, &options),
        });
        match read {
            Some(value) => Ok(value),
            None if options.fails => Err(Error::value(format!("'{}' is not JSON of the type asked for", a[0].text()))),
            None => Ok(match &call.result {
                DataType::Struct(fields) if !a[0].text().trim().is_empty() => Value::Struct(vec![Value::Null; fields.len()]),
                _ => Value::Null,
            }),
        }
    }),
    partial("schema_of_json", "SK?", Gives::Text, |_, a| {
        let wrong = || Error::value(format!("'{}' is not JSON", a[0].text()));
        Ok(Value::string(ddl(&Json::parse(a[0].text()).ok_or_else(wrong)?.schema())))
    }),
];

const FROM: Gives = Gives::By(|shape: &Shape| {
    let Some(text) = shape.text(1) else { return Err(Error::unsupported("from_json with a schema that is not a constant")) };
    super::schema_text::parse(text, shape.zone)
});

/// A type as Spark's DDL writes it.
fn ddl(data_type: &DataType) -> String {
    match data_type {
        DataType::List(item) => format!("ARRAY<{}>", ddl(item.data_type())),
        DataType::Struct(fields) => {
            let plain = |name: &str| {
                !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    && !name.starts_with(|c: char| c.is_ascii_digit())
            };
            let name = |name: &str| if plain(name) { name.to_owned() } else { format!("`{name}`") };
            let fields: Vec<String> = fields.iter().map(|f| format!("{}: {}", name(f.name()), ddl(f.data_type()))).collect();
            format!("STRUCT<{}>", fields.join(", "))
        }
        DataType::Decimal128(p, s) => format!("DECIMAL({p},{s})"),
        other => super::super::cast::sql_type(other),
    }
}

/// What the options of the functions here say.
struct Options {
    dates: Option<String>,
    times: Option<String>,
    keeps_null: bool,
    fails: bool,
}

impl Options {
    fn of(given: Option<&Value>) -> Self {
        let mut options = Self { dates: None, times: None, keeps_null: false, fails: false };
        for (name, value) in given.into_iter().flat_map(|map| map.entries()) {
            match name.text().to_lowercase().as_str() {
                "dateformat" => options.dates = Some(value.text().to_owned()),
                "timestampformat" | "timestampntzformat" => options.times = Some(value.text().to_owned()),
                "ignorenullfields" => options.keeps_null = value.text().eq_ignore_ascii_case("false"),
                "mode" => options.fails = value.text().eq_ignore_ascii_case("failfast"),
                _ => {}
            }
        }
        options
    }
}

/// JSON read as a type. None: it does not fit.
fn typed<'a>(json: &Json, data_type: &DataType, options: &Options) -> Option<Value<'a>> {
    use DataType as T;
    // A member that does not fit its type is NULL; the others stay.
    let member = |json: &Json, data_type: &T| typed(json, data_type, options).unwrap_or(Value::Null);
    Some(match (json, data_type) {
        (Json::Null, _) => Value::Null,
        (Json::Text(text), to) if is_text(to) => Value::string(text.clone()),
        (json, to) if is_text(to) => Value::string(json.text()),
        (Json::Bool(value), T::Boolean) => Value::Bool(*value),
        (Json::Number(text), T::Int8 | T::Int16 | T::Int32 | T::Int64) => {
            let value: i64 = text.parse().ok()?;
            let bits = match data_type {
                T::Int8 => 8,
                T::Int16 => 16,
                T::Int32 => 32,
                _ => 64,
            };
            Value::Int(Some(value).filter(|value| bits == 64 || (-(1_i64 << (bits - 1))..1_i64 << (bits - 1)).contains(value))?)
        }
        (Json::Number(text), T::Float32 | T::Float64) => Value::Double(real(text)?),
        (Json::Text(text), T::Float32 | T::Float64) => Value::Double(match text.as_str() {
            "NaN" | "Infinity" | "INF" | "+INF" | "+Infinity" | "-Infinity" | "-INF" => real(text)?,
            _ => return None,
        }),
        (Json::Number(text) | Json::Text(text), T::Decimal128(p, s)) => {
            let value = parse::decimal(text, i32::from(*s))?;
            Value::Decimal(Some(value).filter(|value| value.unsigned_abs() < 10_u128.pow((*p).into()))?, *s)
        }
        (Json::Text(text), T::Date32) => Value::Int(match &options.dates {
            Some(pattern) => patterns::read(text, pattern).ok()?.0.div_euclid(86_400_000_000),
            None => parse::date(text)?.into(),
        }),
        (Json::Number(text), T::Date32) => Value::Int(text.parse().ok()?),
        (Json::Text(text), T::Timestamp(TimeUnit::Microsecond, zone)) => {
            let own = zone.as_deref().unwrap_or("UTC");
            Value::Int(match &options.times {
                Some(pattern) => {
                    let (local, named) = patterns::read(text, pattern).ok()?;
                    zones::instant(local, named.as_deref().unwrap_or(own))
                }
                None => parse::timestamp_in(text, own, zone.is_some())?,
            })
        }
        (Json::Number(text), T::Timestamp(..)) => Value::Int(text.parse::<i64>().ok()?.checked_mul(1_000_000)?),
        (Json::Text(text), to) if is_binary(to) => Value::Bytes(encodings::from_base64(text)?.into()),
        (Json::Array(items), T::List(item)) => Value::List(items.iter().map(|json| member(json, item.data_type())).collect()),
        (Json::Object(members), T::Struct(fields)) => Value::Struct(
            fields
                .iter()
                .map(|field| {
                    let found = members.iter().rev().find(|(name, _)| name == field.name());
                    found.map_or(Value::Null, |(_, json)| member(json, field.data_type()))
                })
                .collect(),
        ),
        (Json::Object(members), T::Map(..)) => {
            let (_, value) = pair_of(data_type).filter(|pair| is_text(&pair.0))?;
            Value::Map(members.iter().map(|(name, json)| (Value::string(name.clone()), member(json, &value))).collect())
        }
        _ => return None,
    })
}

fn real(text: &str) -> Option<f64> {
    Some(match text {
        "NaN" => f64::NAN,
        "Infinity" | "+Infinity" | "INF" | "+INF" => f64::INFINITY,
        "-Infinity" | "-INF" => f64::NEG_INFINITY,
        other => other.parse().ok()?,
    })
}

/// Appends a value as JSON; members that are NULL are left out unless told otherwise.
fn write(value: &Value, data_type: &DataType, options: &Options, out: &mut String) -> Result<()> {
    use DataType as T;
    match (value, data_type) {
        (Value::Null, _) => out.push_str("null"),
        (Value::Bool(_) | Value::Decimal(..), _) => out.push_str(&show::text(value, data_type)),
        (Value::Int(days), T::Date32) => out.push_str(&quoted(&match &options.dates {
            Some(pattern) => patterns::written(days * 86_400_000_000, "UTC", pattern)?,
            None => parse::date_text(*days as i32),
        })),
        (Value::Int(micros), T::Timestamp(_, zone)) => {
            let (name, pattern) = match zone {
                Some(zone) => (zone.as_ref(), "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"),
                None => ("UTC", "yyyy-MM-dd'T'HH:mm:ss.SSS"),
            };
            let pattern = options.times.as_deref().unwrap_or(pattern);
            let local = zone.as_deref().map_or(*micros, |zone| zones::local(*micros, zone));
            out.push_str(&quoted(&patterns::written(local, name, pattern)?));
        }
        (Value::Int(value), T::Int8 | T::Int16 | T::Int32 | T::Int64) => out.push_str(&value.to_string()),
        (Value::Double(number), _) if number.is_finite() => out.push_str(&show::text(value, data_type)),
        (Value::Bytes(bytes), _) => out.push_str(&quoted(&encodings::to_base64(bytes))),
        (Value::List(items), T::List(item)) => {
            out.push('[');
            for (at, value) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, item.data_type(), options, out)?;
            }
            out.push(']');
        }
        (Value::Map(entries), data_type) => {
            let (key, item) = pair_of(data_type).unwrap_or((T::Null, T::Null));
            out.push('{');
            for (at, (name, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&quoted(&show::text(name, &key)));
                out.push(':');
                write(value, &item, options, out)?;
            }
            out.push('}');
        }
        (Value::Struct(items), T::Struct(fields)) => {
            out.push('{');
            let mut first = true;
            for (value, field) in items.iter().zip(fields).filter(|(value, _)| options.keeps_null || !value.is_null()) {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                out.push_str(&quoted(field.name()));
                out.push(':');
                write(value, field.data_type(), options, out)?;
            }
            out.push('}');
        }
        (value, data_type) => out.push_str(&quoted(&show::text(value, data_type))),
    }
    Ok(())
}
