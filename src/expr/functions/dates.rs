//! Functions of dates and timestamps. Timestamps are microseconds; a day starts at midnight UTC.

use super::super::arithmetic::{Arithmetic, Op};
use super::super::kernel::{Arg, Kernel, union_nulls};
use super::super::parse::{civil_from_days, days_from_civil, days_in_month};
use super::super::temporal::{DatePart, Part};
use super::builtin::{Builtin, mismatch};
use super::strings::kernel;
use crate::error::{Error, Result};
use arrow::array::{AsArray, Date32Array, Int32Array, new_null_array};
use arrow::datatypes::{DataType, Date32Type, Int32Type, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

type Constants<'a> = &'a [Option<ScalarValue>];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    macro_rules! part {
        ($name:literal, $part:expr $(, $alias:literal)*) => {
            Builtin::new($name, one_moment, |_, _| Ok(DataType::Int32), |_, _, _, _| Ok(Box::new(DatePart($part))), |_| false)
                .with_aliases(&[$($alias),*])
                .into_udf()
        };
    }
    vec![
        part!("year", Part::Year),
        part!("quarter", Part::Quarter),
        part!("month", Part::Month),
        part!("weekofyear", Part::Week),
        part!("day", Part::Day, "dayofmonth"),
        part!("dayofyear", Part::DayOfYear),
        part!("dayofweek", Part::DayOfWeek),
        part!("weekday", Part::Weekday),
        part!("hour", Part::Hour),
        part!("minute", Part::Minute),
        part!("second", Part::Second),
        shifted("date_add", Op::Add, &["dateadd"]),
        shifted("date_sub", Op::Subtract, &[]),
        datediff(),
        add_months(),
        last_day(),
    ]
}

fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Dates and timestamps stay; strings are read as timestamps.
fn moment(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Date32 | DataType::Timestamp(..) => Some(data_type.clone()),
        DataType::Null => Some(DataType::Date32),
        text if is_string(text) => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        _ => None,
    }
}

fn day(data_type: &DataType) -> Option<DataType> {
    moment(data_type).map(|_| DataType::Date32)
}

fn one_moment(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [one] => Ok(vec![moment(one).ok_or_else(|| mismatch(name, types))?]),
        _ => Err(mismatch(name, types)),
    }
}

fn date_and_days(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [date, days] if days.is_integer() || is_string(days) || *days == DataType::Null => {
            Ok(vec![day(date).ok_or_else(|| mismatch(name, types))?, DataType::Int32])
        }
        _ => Err(mismatch(name, types)),
    }
}

/// `date_add(date, days)` and `date_sub`.
fn shifted(name: &'static str, op: Op, aliases: &[&str]) -> Arc<ScalarUDF> {
    fn make(op: Op, text: &str) -> Result<Box<dyn Kernel>> {
        Ok(Box::new(Arithmetic { op, result: DataType::Date32, text: text.to_owned() }))
    }
    let returns = |_: &[DataType], _: Constants| Ok(DataType::Date32);
    let function = match op {
        Op::Add => Builtin::new(name, date_and_days, returns, |_, _, _, text| make(Op::Add, text), |_| true),
        _ => Builtin::new(name, date_and_days, returns, |_, _, _, text| make(Op::Subtract, text), |_| true),
    };
    function.with_aliases(aliases).into_udf()
}

/// Rows of two arguments, NULL if one is.
fn pairs<T>(args: &[Arg], rows: usize, null: T, f: impl Fn(usize, usize) -> T) -> (Vec<T>, Option<arrow::buffer::NullBuffer>)
where
    T: Copy,
{
    let nulls = union_nulls(args);
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let second = |row: usize| args.get(1).map_or(0, |arg| arg.at(row));
    let values = (0..rows).map(|row| if is_null(row) { null } else { f(args[0].at(row), second(row)) }).collect();
    (values, nulls)
}

/// `datediff(end, start)` in days.
fn datediff() -> Arc<ScalarUDF> {
    let coerce = |name: &str, types: &[DataType]| match types {
        [end, start] => match (day(end), day(start)) {
            (Some(end), Some(start)) => Ok(vec![end, start]),
            _ => Err(mismatch(name, types)),
        },
        _ => Err(mismatch(name, types)),
    };
    let make = |_: &[DataType], _: Constants, _: &DataType, _: &str| -> Result<Box<dyn Kernel>> {
        Ok(kernel(|args, rows| {
            if args.iter().any(Arg::is_null) {
                return Ok(new_null_array(&DataType::Int32, rows));
            }
            let (end, start) = (args[0].array.as_primitive::<Date32Type>(), args[1].array.as_primitive::<Date32Type>());
            let (values, nulls) = pairs(args, rows, 0, |l, r| end.value(l).wrapping_sub(start.value(r)));
            Ok(Arc::new(Int32Array::new(values.into(), nulls)))
        }))
    };
    Builtin::new("datediff", coerce, |_, _| Ok(DataType::Int32), make, |_| false).with_aliases(&["date_diff"]).into_udf()
}

/// `add_months(date, months)`: the last day of the month where the day does not exist.
fn add_months() -> Arc<ScalarUDF> {
    let make = |_: &[DataType], _: Constants, _: &DataType, text: &str| -> Result<Box<dyn Kernel>> {
        let text = text.to_owned();
        Ok(kernel(move |args, rows| {
            if args.iter().any(Arg::is_null) {
                return Ok(new_null_array(&DataType::Date32, rows));
            }
            let (dates, months) = (args[0].array.as_primitive::<Date32Type>(), args[1].array.as_primitive::<Int32Type>());
            let (values, nulls) = pairs(args, rows, Some(0), |l, r| {
                let (year, month, day) = civil_from_days(i64::from(dates.value(l)));
                let months = year * 12 + month - 1 + i64::from(months.value(r));
                let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
                i32::try_from(days_from_civil(year, month, day.min(days_in_month(year, month)))).ok()
            });
            let values: Option<Vec<i32>> = values.into_iter().collect();
            let values = values.ok_or_else(|| Error::value(format!("date overflow in {text}")))?;
            Ok(Arc::new(Date32Array::new(values.into(), nulls)))
        }))
    };
    Builtin::new("add_months", date_and_days, |_, _| Ok(DataType::Date32), make, |_| true).into_udf()
}

fn one_day(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [one] => Ok(vec![day(one).ok_or_else(|| mismatch(name, types))?]),
        _ => Err(mismatch(name, types)),
    }
}

/// `last_day(date)` of the month.
fn last_day() -> Arc<ScalarUDF> {
    let make = |_: &[DataType], _: Constants, _: &DataType, _: &str| -> Result<Box<dyn Kernel>> {
        Ok(kernel(|args, rows| {
            if args[0].is_null() {
                return Ok(new_null_array(&DataType::Date32, rows));
            }
            Ok(Arc::new(args[0].array.as_primitive::<Date32Type>().unary::<_, Date32Type>(|days| {
                let (year, month, day) = civil_from_days(i64::from(days));
                days + (days_in_month(year, month) - day) as i32
            })))
        }))
    };
    Builtin::new("last_day", one_day, |_, _| Ok(DataType::Date32), make, |_| false).into_udf()
}
