//! Intervals: year-month (months), day-time (microseconds), calendar (months, days, microseconds).

use super::row::{Call, Gives, Row, partial};
use super::value::Value;
use crate::error::{Error, Result};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The type of day-time intervals.
pub(in super::super) const DAY_TIME: DataType = DataType::Duration(TimeUnit::Microsecond);
/// The type of year-month intervals.
pub(in super::super) const YEAR_MONTH: DataType = DataType::Interval(IntervalUnit::YearMonth);
const CALENDAR: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What `-`, `*` and `/` stand for beside dates, timestamps and day-time intervals.
static OPERATORS: [Row; 3] = [
    partial("interval_between", "..", Gives::By(|_| Ok(DAY_TIME)), |call, a| {
        let micros = |at: usize| i128::from(a[at].int()) * if call.types[at] == DataType::Date32 { DAY.into() } else { 1 };
        i64::try_from(micros(0) - micros(1)).map(Value::Int).map_err(|_| Error::value("interval overflow"))
    }),
    partial("interval_times", ".D", Gives::Like(0), |_, a| scaled(a[0].int(), a[1].double())),
    partial("interval_divided", ".D", Gives::Like(0), |_, a| match a[1].double() {
        0.0 => Err(Error::value("division by zero")),
        by => scaled(a[0].int(), 1.0 / by),
    }),
];

/// The operators of day-time intervals: the one between two dates or timestamps, so many times one, and
/// a part of one.
pub fn interval_operators() -> [Arc<ScalarUDF>; 3] {
    OPERATORS.each_ref().map(|row| row.udf("UTC".into()))
}

pub(super) static ROWS: &[Row] = &[
    partial("make_interval", "@interval", Gives::By(|_| Ok(CALENDAR)), make_interval),
    partial("try_make_interval", "@interval", Gives::By(|_| Ok(CALENDAR)), make_interval).attempt(),
    partial("make_dt_interval", "@daytime", Gives::By(|_| Ok(DAY_TIME)), |_, a| {
        let at = |at: usize| i128::from(a.get(at).map_or(0, Value::int));
        let total = at(0) * i128::from(DAY) + at(1) * 3_600_000_000 + at(2) * 60_000_000 + i128::from(micros(a.get(3)));
        i64::try_from(total).map(Value::Int).map_err(|_| Error::value("interval overflow"))
    }),
    partial("make_ym_interval", "I?I?", Gives::By(|_| Ok(YEAR_MONTH)), |_, a| {
        let at = |at: usize| a.get(at).map_or(0, Value::int);
        i32::try_from(at(0) * 12 + at(1)).map(|months| Value::Int(months.into())).map_err(|_| Error::value("interval overflow"))
    }),
];

/// So many times a number of microseconds or months, rounded half away from zero.
fn scaled<'a>(number: i64, by: f64) -> Result<Value<'a>> {
    let overflow = || Error::value("interval overflow");
    if by.fract() == 0.0 && by.abs() < 9e15 {
        return number.checked_mul(by as i64).map(Value::Int).ok_or_else(overflow);
    }
    let product = (number as f64 * by).round();
    if product.abs() < 9.2e18 { Ok(Value::Int(product as i64)) } else { Err(overflow()) }
}

/// Microseconds of a number of seconds given as decimal.
pub(super) fn micros(seconds: Option<&Value>) -> i64 {
    match seconds {
        Some(Value::Decimal(value, scale)) => {
            super::super::decimal::rescale(*value, i32::from(*scale), 6).map_or(0, |value| value as i64)
        }
        Some(other) => other.int().saturating_mul(SECOND),
        None => 0,
    }
}

fn make_interval<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let at = |at: usize| a.get(at).map_or(0, Value::int);
    let overflow = |_| Error::value("interval overflow");
    let months = i32::try_from(at(0) * 12 + at(1)).map_err(overflow)?;
    let days = i32::try_from(at(2) * 7 + at(3)).map_err(overflow)?;
    let time = i128::from(at(4)) * 3_600_000_000 + i128::from(at(5)) * 60_000_000 + i128::from(micros(a.get(6)));
    Ok(Value::Interval(months, days, i64::try_from(time).map_err(overflow)?))
}

/// `INTERVAL '1 02:03:04.5' DAY TO SECOND`.
pub fn day_time_text(micros: i64) -> String {
    format!("INTERVAL '{}' DAY TO SECOND", day_time_digits(micros))
}

fn day_time_digits(micros: i64) -> String {
    let (sign, all) = if micros < 0 { ("-", micros.unsigned_abs()) } else { ("", micros.unsigned_abs()) };
    let (seconds, fraction) = (all / 1_000_000, all % 1_000_000);
    let mut text = format!("{sign}{} {:02}:{:02}:{:02}", seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        text += format!(".{fraction:06}").trim_end_matches('0');
    }
    text
}

/// `INTERVAL '1-2' YEAR TO MONTH`.
pub fn year_month_text(months: i64) -> String {
    let sign = if months < 0 { "-" } else { "" };
    let months = months.unsigned_abs();
    format!("INTERVAL '{sign}{}-{}' YEAR TO MONTH", months / 12, months % 12)
}

/// `1 years 2 months 3 days 4 hours 5 minutes 6.5 seconds`, without what is zero.
pub(in super::super) fn calendar_text(months: i32, days: i32, micros: i64) -> String {
    let mut parts = Vec::new();
    let mut part = |value: i64, unit: &str| {
        if value != 0 {
            parts.push(format!("{value} {unit}"));
        }
    };
    part((months / 12).into(), "years");
    part((months % 12).into(), "months");
    part(days.into(), "days");
    part(micros / 3_600_000_000, "hours");
    part(micros / 60_000_000 % 60, "minutes");
    let rest = micros % 60_000_000;
    if rest != 0 {
        let sign = if rest < 0 { "-" } else { "" };
        let (seconds, fraction) = (rest.unsigned_abs() / 1_000_000, rest.unsigned_abs() % 1_000_000);
        let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}").trim_end_matches('0').to_owned() };
        parts.push(format!("{sign}{seconds}{fraction} seconds"));
    }
    if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(" ") }
}

/// `[+|-]d[ h[:m[:s[.f]]]]`, also `h:m:s`, and either within `INTERVAL '..' DAY TO SECOND`:
/// microseconds.
pub(in super::super) fn day_time(text: &str) -> Option<i64> {
    let (text, outer) = inside(text)?;
    let (sign, text) = signed(text);
    let (days, time) = match text.split_once(' ') {
        Some((days, time)) => (days, time.trim()),
        None if text.contains(':') => ("0", text),
        None => (text, ""),
    };
    let number = |text: &str| (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i64>().ok())?;
    let mut parts = time.split(':');
    let mut next = |most: i64| match parts.next() {
        None | Some("") => Some(0),
        Some(part) => number(part).filter(|part| *part <= most),
    };
    let (hours, minutes) = (next(23)?, next(59)?);
    let seconds = match parts.next() {
        None => 0,
        Some(part) => {
            let (whole, fraction) = part.split_once('.').unwrap_or((part, ""));
            let micros = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<6}")[..6])? };
            number(whole).filter(|whole| *whole < 60)? * SECOND + micros
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let total = number(days)?.checked_mul(DAY)?.checked_add((hours * 60 + minutes) * 60 * SECOND + seconds)?;
    Some(sign * outer * total)
}

/// `[+|-]y-m`, also within `INTERVAL '..' YEAR TO MONTH`: months.
pub(in super::super) fn year_month(text: &str) -> Option<i64> {
    let (text, outer) = inside(text)?;
    let (sign, text) = signed(text);
    let (years, months) = text.split_once('-').unwrap_or((text, "0"));
    let months: i64 = months.parse().ok().filter(|months| (0..12).contains(months))?;
    let years: i64 = years.parse().ok().filter(|years| (0..=178_956_970).contains(years))?;
    Some(sign * outer * (years * 12 + months))
}

/// The text between the quotes of `INTERVAL [-]'..' unit`, and the sign in front of them.
fn inside(text: &str) -> Option<(&str, i64)> {
    let text = text.trim();
    if !text.get(..8).is_some_and(|word| word.eq_ignore_ascii_case("interval")) {
        return Some((text, 1));
    }
    let (sign, rest) = signed(text[8..].trim());
    let rest = rest.strip_prefix('\'')?;
    Some((rest[..rest.find('\'')?].trim(), sign))
}

fn signed(text: &str) -> (i64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}
