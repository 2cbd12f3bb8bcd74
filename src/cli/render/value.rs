//! One value as text: the forms that Spark and DuckDB users know, in SQL text and in JSON.
//!
//! | type | text | JSON |
//! | --- | --- | --- |
//! | decimal | all digits of its scale | the same, a number |
//! | double | shortest that reads back: `1.0`, `1.0E16`, `NaN`, `Infinity` | a number; NaN and infinities as strings |
//! | timestamp | `2024-02-29 12:34:56.5`, no trailing zeros | the same, a string |
//! | binary | upper-case hexadecimal digits | the same, a string |
//! | array, struct, map | as JSON | array, object, object with the keys as text |

use crate::expr::{day_time_text, double_text, float32_text, time_text, year_month_text};
use arrow::array::{AnyDictionaryArray, Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array};
use arrow::array::{ListLikeArray, MapArray, StructArray, timezone::Tz};
use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use arrow::datatypes::{Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow::datatypes::{Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type};
use arrow::datatypes::{DurationMicrosecondType, IntervalYearMonthType, Time64MicrosecondType};
use arrow::datatypes::{TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use std::fmt::{Display, Write};

/// Writes the values of one array.
pub struct Values<'a> {
    array: &'a dyn Array,
    leaf: Leaf<'a>,
}

/// How a value is to be read by whoever gets it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Text,
    Json,
}

enum Leaf<'a> {
    Null,
    Boolean(&'a BooleanArray),
    /// Whole numbers and decimals: what they look like is JSON's form, too.
    Number(Box<dyn Fn(usize, &mut String) + 'a>),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// Anything that is a string in JSON and needs no escapes there.
    Plain(Box<dyn Fn(usize, &mut String) + 'a>),
    Dictionary(Box<dyn Fn(usize) -> usize + 'a>, Box<Values<'a>>),
    List(Box<dyn Fn(usize) -> (usize, usize) + 'a>, Box<Values<'a>>),
    Struct(Vec<(String, Values<'a>)>),
    Map(&'a MapArray, Box<Values<'a>>, Box<Values<'a>>),
    Other(Option<ArrayFormatter<'a>>),
}

impl<'a> Values<'a> {
    /// A writer for `array`; the type is looked at once, here.
    pub fn new(array: &'a ArrayRef) -> Self {
        Self { array: array.as_ref(), leaf: leaf(array) }
    }

    /// Whether the value is NULL; the other methods do not look.
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.leaf, Leaf::Null) || self.array.is_null(row)
    }

    /// Appends the value as text.
    pub fn text(&self, row: usize, out: &mut String) {
        self.write(row, Style::Text, out);
    }

    /// Appends the value as JSON; NULL is `null`.
    pub fn json(&self, row: usize, out: &mut String) {
        if self.is_null(row) {
            out.push_str("null");
        } else {
            self.write(row, Style::Json, out);
        }
    }

    fn write(&self, row: usize, style: Style, out: &mut String) {
        let quote = |out: &mut String| {
            if style == Style::Json {
                out.push('"');
            }
        };
        match &self.leaf {
            Leaf::Null => {}
            Leaf::Boolean(array) => out.push_str(if array.value(row) { "true" } else { "false" }),
            Leaf::Number(write) => write(row, out),
            Leaf::Float32(array) => float(&float32_text(array.value(row)), array.value(row).is_finite(), style, out),
            Leaf::Float64(array) => float(&double_text(array.value(row)), array.value(row).is_finite(), style, out),
            Leaf::Text(value) if style == Style::Json => json_string(value(row), out),
            Leaf::Text(value) => out.push_str(value(row)),
            Leaf::Plain(write) => {
                quote(out);
                write(row, out);
                quote(out);
            }
            Leaf::Dictionary(key, values) => {
                let key = key(row);
                // A key can be valid and point at a NULL of the dictionary.
                match (values.is_null(key), style) {
                    (true, Style::Json) => out.push_str("null"),
                    (true, Style::Text) => out.push_str("NULL"),
                    (false, _) => values.write(key, style, out),
                }
            }
            Leaf::List(range, values) => {
                let (start, end) = range(row);
                separated('[', ']', start..end, out, |item, out| values.json(item, out));
            }
            Leaf::Struct(fields) => separated('{', '}', 0..fields.len(), out, |field, out| {
                let (name, values) = &fields[field];
                json_string(name, out);
                out.push(':');
                values.json(row, out);
            }),
            Leaf::Map(array, keys, values) => {
                let offsets = array.value_offsets();
                separated('{', '}', offsets[row] as usize..offsets[row + 1] as usize, out, |item, out| {
                    let mut key = String::new();
                    keys.text(item, &mut key);
                    json_string(&key, out);
                    out.push(':');
                    values.json(item, out);
                });
            }
            Leaf::Other(formatter) => {
                let text = formatter.as_ref().and_then(|f| f.value(row).try_to_string().ok());
                let text = text.unwrap_or_else(|| format!("<{}>", self.array.data_type()));
                if style == Style::Json { json_string(&text, out) } else { out.push_str(&text) }
            }
        }
    }
}

/// Whether values of this type stand to the right in a table.
pub fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_number(values),
        other => other.is_numeric(),
    }
}

/// Appends `text` as a JSON string.
pub fn json_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => put(out, format_args!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn leaf<'a>(array: &'a ArrayRef) -> Leaf<'a> {
    macro_rules! number {
        ($type:ty) => {{
            let array = array.as_primitive::<$type>();
            Leaf::Number(Box::new(move |row, out| put(out, array.value(row))))
        }};
    }
    macro_rules! decimal {
        ($type:ty) => {{
            let array = array.as_primitive::<$type>();
            Leaf::Number(Box::new(move |row, out| out.push_str(&array.value_as_string(row))))
        }};
    }
    macro_rules! text {
        ($array:expr) => {{
            let array = $array;
            Leaf::Text(Box::new(move |row| array.value(row)))
        }};
    }
    macro_rules! binary {
        ($array:expr) => {{
            let array = $array;
            Leaf::Plain(Box::new(move |row, out| array.value(row).iter().for_each(|byte| put(out, format_args!("{byte:02X}")))))
        }};
    }
    macro_rules! timestamp {
        ($type:ty, $per_second:expr, $zone:expr) => {{
            let array = array.as_primitive::<$type>();
            let zone: Option<Tz> = $zone.as_ref().and_then(|zone| zone.parse().ok());
            Leaf::Plain(Box::new(move |row, out| timestamp(array.value(row), $per_second, zone, out)))
        }};
    }
    macro_rules! list {
        ($array:expr) => {{
            let array = $array;
            let range = move |row| {
                let range = array.element_range(row);
                (range.start, range.end)
            };
            Leaf::List(Box::new(range), Box::new(Values::new(array.values())))
        }};
    }
    match array.data_type() {
        DataType::Null => Leaf::Null,
        DataType::Boolean => Leaf::Boolean(array.as_boolean()),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => Leaf::Float32(array.as_primitive::<Float32Type>()),
        DataType::Float64 => Leaf::Float64(array.as_primitive::<Float64Type>()),
        DataType::Decimal32(..) => decimal!(Decimal32Type),
        DataType::Decimal64(..) => decimal!(Decimal64Type),
        DataType::Decimal128(..) => decimal!(Decimal128Type),
        DataType::Decimal256(..) => decimal!(Decimal256Type),
        DataType::Utf8 => text!(array.as_string::<i32>()),
        DataType::LargeUtf8 => text!(array.as_string::<i64>()),
        DataType::Utf8View => text!(array.as_string_view()),
        DataType::Binary => binary!(array.as_binary::<i32>()),
        DataType::LargeBinary => binary!(array.as_binary::<i64>()),
        DataType::BinaryView => binary!(array.as_binary_view()),
        DataType::FixedSizeBinary(_) => binary!(array.as_fixed_size_binary()),
        DataType::Date32 => {
            let array = array.as_primitive::<Date32Type>();
            Leaf::Plain(Box::new(move |row, out| date(array.value(row), out)))
        }
        DataType::Timestamp(TimeUnit::Second, zone) => timestamp!(TimestampSecondType, 1, zone),
        DataType::Timestamp(TimeUnit::Millisecond, zone) => timestamp!(TimestampMillisecondType, 1_000, zone),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => timestamp!(TimestampMicrosecondType, 1_000_000, zone),
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => timestamp!(TimestampNanosecondType, 1_000_000_000, zone),
        DataType::Time64(TimeUnit::Microsecond) => {
            let array = array.as_primitive::<Time64MicrosecondType>();
            Leaf::Plain(Box::new(move |row, out| out.push_str(&time_text(array.value(row)))))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            let array = array.as_primitive::<DurationMicrosecondType>();
            Leaf::Plain(Box::new(move |row, out| out.push_str(&day_time_text(array.value(row)))))
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            let array = array.as_primitive::<IntervalYearMonthType>();
            Leaf::Plain(Box::new(move |row, out| out.push_str(&year_month_text(array.value(row).into()))))
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let keys = dictionary_keys(dictionary);
            Leaf::Dictionary(Box::new(move |row| keys[row]), Box::new(Values::new(dictionary.values())))
        }
        DataType::List(_) => list!(array.as_list::<i32>()),
        DataType::LargeList(_) => list!(array.as_list::<i64>()),
        DataType::ListView(_) => list!(array.as_list_view::<i32>()),
        DataType::LargeListView(_) => list!(array.as_list_view::<i64>()),
        DataType::FixedSizeList(..) => list!(array.as_fixed_size_list()),
        DataType::Struct(fields) => {
            let array: &StructArray = array.as_struct();
            let names = fields.iter().map(|field: &std::sync::Arc<Field>| field.name().clone());
            Leaf::Struct(names.zip(array.columns().iter().map(Values::new)).collect())
        }
        DataType::Map(..) => {
            let array = array.as_map();
            Leaf::Map(array, Box::new(Values::new(array.keys())), Box::new(Values::new(array.values())))
        }
        _ => Leaf::Other(ArrayFormatter::try_new(array.as_ref(), &OTHER).ok()),
    }
}

const OTHER: FormatOptions<'static> = FormatOptions::new();

/// Keys as positions; `normalized_keys` panics on a dictionary without values, whose rows are all NULL.
fn dictionary_keys(array: &dyn AnyDictionaryArray) -> Vec<usize> {
    if array.values().is_empty() { vec![0; array.len()] } else { array.normalized_keys() }
}

fn put(out: &mut String, value: impl Display) {
    // Writing to a String does not fail.
    let _ = write!(out, "{value}");
}

fn separated(open: char, close: char, items: std::ops::Range<usize>, out: &mut String, mut one: impl FnMut(usize, &mut String)) {
    out.push(open);
    let first = items.start;
    for item in items {
        if item > first {
            out.push(',');
        }
        one(item, out);
    }
    out.push(close);
}

fn float(text: &str, finite: bool, style: Style, out: &mut String) {
    // JSON has no NaN and no infinities.
    if !finite && style == Style::Json { json_string(text, out) } else { out.push_str(text) }
}

fn date(days: i32, out: &mut String) {
    match NaiveDate::from_ymd_opt(1970, 1, 1).and_then(|d| d.checked_add_signed(TimeDelta::days(i64::from(days)))) {
        Some(date) => year_month_day(date, out),
        None => put(out, format_args!("<day {days}>")),
    }
}

fn timestamp(value: i64, per_second: i64, zone: Option<Tz>, out: &mut String) {
    let nanoseconds = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let utc = DateTime::<Utc>::from_timestamp(value.div_euclid(per_second), u32::try_from(nanoseconds).unwrap_or(0));
    let local: Option<NaiveDateTime> = utc.map(|utc| match zone {
        Some(zone) => utc.with_timezone(&zone).naive_local(),
        None => utc.naive_utc(),
    });
    let Some(local) = local else { return put(out, format_args!("<timestamp {value}>")) };
    year_month_day(local.date(), out);
    put(out, format_args!(" {:02}:{:02}:{:02}", local.hour(), local.minute(), local.second()));
    if local.nanosecond() > 0 {
        let fraction = format!("{:09}", local.nanosecond());
        put(out, format_args!(".{}", fraction.trim_end_matches('0')));
    }
}

fn year_month_day(date: NaiveDate, out: &mut String) {
    put(out, format_args!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::*;
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    #[track_caller]
    fn check(array: impl Array + 'static, text: &[&str], json: &[&str]) {
        let array: ArrayRef = Arc::new(array);
        let values = Values::new(&array);
        for row in 0..array.len() {
            let (mut t, mut j) = (String::new(), String::new());
            if values.is_null(row) {
                t.push_str("NULL")
            } else {
                values.text(row, &mut t)
            }
            values.json(row, &mut j);
            assert_eq!((t.as_str(), j.as_str()), (text[row], json[row]), "row {row}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let decimals = Decimal128Array::from(vec![Some(120), Some(-5), None]).with_precision_and_scale(10, 2).unwrap();
        check(decimals, &["1.20", "-0.05", "NULL"], &["1.20", "-0.05", "null"]);
        let narrow = Decimal64Array::from(vec![Some(120)]).with_precision_and_scale(10, 1).unwrap();
        check(narrow, &["12.0"], &["12.0"]);
        let doubles = Float64Array::from(vec![1.0, 0.1, 1e16, f64::NAN, f64::NEG_INFINITY, -0.0]);
        check(
            doubles,
            &["1.0", "0.1", "1.0E16", "NaN", "-Infinity", "-0.0"],
            &["1.0", "0.1", "1.0E16", "\"NaN\"", "\"-Infinity\"", "-0.0"],
        );
        check(Float32Array::from(vec![0.1f32]), &["0.1"], &["0.1"]);
    }

    #[test]
    fn dates_and_timestamps() {
        check(Date32Array::from(vec![0, -1]), &["1970-01-01", "1969-12-31"], &["\"1970-01-01\"", "\"1969-12-31\""]);
        check(Date32Array::from(vec![i32::MAX]), &["<day 2147483647>"], &["\"<day 2147483647>\""]);
        let moments = TimestampMicrosecondArray::from(vec![-1_000_000, 500_000, 0]);
        check(
            moments,
            &["1969-12-31 23:59:59", "1970-01-01 00:00:00.5", "1970-01-01 00:00:00"],
            &["\"1969-12-31 23:59:59\"", "\"1970-01-01 00:00:00.5\"", "\"1970-01-01 00:00:00\""],
        );
        let zoned = TimestampMicrosecondArray::from(vec![0]).with_timezone("+02:00");
        check(zoned, &["1970-01-01 02:00:00"], &["\"1970-01-01 02:00:00\""]);
    }

    #[test]
    fn strings_bytes_and_codes() {
        check(StringViewArray::from(vec!["a\"b\n\u{1}"]), &["a\"b\n\u{1}"], &["\"a\\\"b\\n\\u0001\""]);
        check(BinaryArray::from(vec![&[0u8, 255][..]]), &["00FF"], &["\"00FF\""]);
        let codes: DictionaryArray<Int32Type> = vec![Some("x"), None, Some("x")].into_iter().collect();
        check(codes, &["x", "NULL", "x"], &["\"x\"", "null", "\"x\""]);
        let none: DictionaryArray<Int32Type> = vec![None::<&str>].into_iter().collect();
        check(none, &["NULL"], &["null"]);
    }

    #[test]
    fn nested_values_are_json() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), Some(vec![]), None]);
        check(lists, &["[1,null]", "[]", "NULL"], &["[1,null]", "[]", "null"]);
        let x: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let y: ArrayRef = Arc::new(StringArray::from(vec!["q"]));
        let field = |name: &str, t| Arc::new(arrow::datatypes::Field::new(name, t, true));
        let structs = StructArray::from(vec![(field("x", DataType::Int32), x), (field("y", DataType::Utf8), y)]);
        check(structs, &["{\"x\":1,\"y\":\"q\"}"], &["{\"x\":1,\"y\":\"q\"}"]);
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        maps.keys().append_value("k");
        maps.values().append_value(7);
        maps.append(true).unwrap();
        check(maps.finish(), &["{\"k\":7}"], &["{\"k\":7}"]);
    }
}
