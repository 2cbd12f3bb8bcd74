//! Functions of dates and timestamps, the rarer ones. Clocks are those of the session's time zone.

use super::super::parse::{self, civil_from_days, days_from_civil, days_in_month};
use super::super::temporal::Part;
use super::row::{Call, Gives, Row, Shape, partial, total};
use super::value::Value;
use super::{intervals, patterns, zones};
use crate::error::{Error, Result};
use arrow::datatypes::{DataType, TimeUnit};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// What `unix_timestamp` and `from_unixtime` read and write unless told otherwise.
const PATTERN: &str = "yyyy-MM-dd HH:mm:ss";

pub(super) static ROWS: &[Row] = &[
    partial("date_part", "@part", PART, date_part).or(&["datepart"]),
    partial("date_format", "MS", Gives::Text, patterns::format),
    total("dayname", "Y", Gives::Text, |_, a| Ok(Value::string(patterns::day_name(a[0].int())))),
    total("monthname", "Y", Gives::Text, |_, a| Ok(Value::string(patterns::month_name(civil_from_days(a[0].int()).1)))),
    total("date_from_unix_date", "I", Gives::Date, |_, a| Ok(a[0].clone())),
    total("unix_date", "Y", Gives::Int, |_, a| Ok(a[0].clone())),
    total("unix_micros", "T", Gives::Long, |_, a| Ok(a[0].clone())),
    total("unix_millis", "T", Gives::Long, |_, a| Ok(Value::Int(a[0].int().div_euclid(1000)))),
    total("unix_seconds", "T", Gives::Long, |_, a| Ok(Value::Int(a[0].int().div_euclid(SECOND)))),
    partial("timestamp_micros", "L", Gives::Timestamp, |_, a| Ok(a[0].clone())),
    partial("timestamp_millis", "L", Gives::Timestamp, |_, a| scaled(a[0].int(), 1000)),
    partial("timestamp_seconds", "N", Gives::Timestamp, timestamp_seconds),
    partial("from_unixtime", "LS?", Gives::Text, |call, a| {
        let micros = a[0].int().checked_mul(SECOND).ok_or_else(overflow)?;
        let pattern = a.get(1).map_or(PATTERN, |pattern| pattern.text());
        patterns::written(zones::local(micros, &call.zone), &call.zone, pattern).map(Value::string)
    }),
    partial("unix_timestamp", "@unix", Gives::Long, unix_timestamp),
    partial("to_unix_timestamp", "@unix", Gives::Long, unix_timestamp),
    partial("to_timestamp", "@parse", Gives::Timestamp, |call, a| parsed(call, a, true)).or(&["to_timestamp_ltz"]),
    partial("try_to_timestamp", "@parse", Gives::Timestamp, |call, a| parsed(call, a, true)).attempt(),
    partial("to_timestamp_ntz", "@parse", Gives::Local, |call, a| parsed(call, a, false)),
    partial("to_date", "@parse", Gives::Date, to_date).or(&["date"]),
    partial("try_to_date", "@parse", Gives::Date, to_date).attempt(),
    partial("from_utc_timestamp", "TS", Gives::Timestamp, |_, a| {
        Ok(Value::Int(zones::to_local(a[0].int(), &zones::zone(a[1].text())?)))
    }),
    partial("to_utc_timestamp", "TS", Gives::Timestamp, |_, a| {
        Ok(Value::Int(zones::to_utc(a[0].int(), &zones::zone(a[1].text())?)))
    }),
    partial("convert_timezone", "@convert", Gives::Local, |call, a| {
        let (from, to, local) = match a {
            [to, local] => (zones::zone(&call.zone)?, zones::zone(to.text())?, local),
            _ => (zones::zone(a[0].text())?, zones::zone(a[1].text())?, &a[2]),
        };
        Ok(Value::Int(zones::to_local(zones::to_utc(local.int(), &from), &to)))
    }),
    partial("make_date", "III", Gives::Date, |_, a| date(a[0].int(), a[1].int(), a[2].int()).map(Value::Int)),
    partial("make_timestamp", "@make", Gives::Timestamp, |call, a| make_timestamp(call, a, true)).or(&["make_timestamp_ltz"]),
    partial("try_make_timestamp", "@make", Gives::Timestamp, |call, a| make_timestamp(call, a, true))
        .or(&["try_make_timestamp_ltz"])
        .attempt(),
    partial("make_timestamp_ntz", "@make", Gives::Local, |call, a| make_timestamp(call, a, false)),
    partial("try_make_timestamp_ntz", "@make", Gives::Local, |call, a| make_timestamp(call, a, false)).attempt(),
    total("months_between", "TTB?", Gives::Double, months_between),
    partial("next_day", "YS", Gives::Date, next_day),
    partial("timestampadd", "SLM", ADDED, add_unit),
    partial("timestampdiff", "STT", Gives::Long, difference),
    partial("time_bucket", "@timebucket", Gives::Like(1), time_bucket),
    partial("trunc", "YS", Gives::Date, |_, a| {
        Ok(match cut_date(a[0].int(), a[1].text()) {
            Some(days) => Value::Int(days),
            None => Value::Null,
        })
    }),
    total("date_trunc", "ST", Gives::Timestamp, |call, a| {
        let Ok(zone) = zones::zone(&call.zone) else { return Ok(Value::Null) };
        let local = zones::to_local(a[1].int(), &zone);
        Ok(Value::or_null(cut_time(local, a[0].text()), |local| Value::Int(zones::to_utc(local, &zone))))
    }),
];

const PART: Gives = Gives::By(|shape: &Shape| {
    let Some(name) = shape.text(0) else { return Err(Error::unsupported("date_part with a part that is not a constant")) };
    Ok(if is_seconds(name) { DataType::Decimal128(8, 6) } else { DataType::Int32 })
});

fn is_seconds(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "second" | "s" | "sec" | "seconds" | "secs")
}

/// `date_part('year', moment)`, which `extract(year FROM moment)` becomes; also of intervals.
fn date_part<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let name = a[0].text().to_ascii_lowercase();
    let unknown = || Error::value(format!("'{name}' is no part of this"));
    let part = Part::from_name(&name);
    let (months, days, micros) = match (&a[1], &call.types[1]) {
        (Value::Interval(months, days, micros), _) => (i64::from(*months), i64::from(*days), *micros),
        (Value::Int(months), DataType::Interval(_)) => (*months, 0, 0),
        (Value::Int(micros), DataType::Duration(_)) => (0, micros / DAY, micros % DAY),
        (moment, data_type) => {
            let local = match data_type {
                DataType::Date32 => moment.int() * DAY,
                DataType::Timestamp(_, zone) => zones::local(moment.int(), zone.as_deref().unwrap_or("UTC")),
                _ => return Err(unknown()),
            };
            let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
            return Ok(match part {
                _ if is_seconds(&name) => Value::Decimal((of_day % (60 * SECOND)).into(), 6),
                Some(Part::Hour) => Value::Int(of_day / (3600 * SECOND)),
                Some(Part::Minute) => Value::Int(of_day / (60 * SECOND) % 60),
                Some(part) => Value::Int(part.of_days(days).into()),
                // The year in which this week's Thursday lies.
                None if name == "yearofweek" => Value::Int(civil_from_days(days - (days + 3).rem_euclid(7) + 3).0),
                None => return Err(unknown()),
            });
        }
    };
    Ok(match part {
        _ if is_seconds(&name) => Value::Decimal((micros % (60 * SECOND)).into(), 6),
        Some(Part::Year) => Value::Int(months / 12),
        Some(Part::Month) => Value::Int(months % 12),
        Some(Part::Day) => Value::Int(days),
        Some(Part::Hour) => Value::Int(micros / (3600 * SECOND)),
        Some(Part::Minute) => Value::Int(micros / (60 * SECOND) % 60),
        _ => return Err(unknown()),
    })
}

fn overflow() -> Error {
    Error::value("timestamp overflow")
}

fn scaled<'a>(value: i64, by: i64) -> Result<Value<'a>> {
    value.checked_mul(by).map(Value::Int).ok_or_else(overflow)
}

fn timestamp_seconds<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    match &a[0] {
        Value::Int(seconds) => scaled(*seconds, SECOND),
        Value::Decimal(value, scale) => {
            let digits = i32::from(*scale);
            let micros = match digits {
                ..=6 => value.checked_mul(10_i128.pow((6 - digits) as u32)),
                _ if value % 10_i128.pow((digits - 6) as u32) != 0 => {
                    return Err(Error::value("more digits than microseconds have"));
                }
                _ => Some(value / 10_i128.pow((digits - 6) as u32)),
            };
            micros.and_then(|micros| i64::try_from(micros).ok()).map(Value::Int).ok_or_else(overflow)
        }
        Value::Double(seconds) if !seconds.is_finite() => Ok(Value::Null),
        other => {
            let micros = other.double() * SECOND as f64;
            if micros.abs() < 9.2e18 { Ok(Value::Int(micros as i64)) } else { Err(overflow()) }
        }
    }
}

fn date(year: i64, month: i64, day: i64) -> Result<i64> {
    if (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day) {
        Ok(days_from_civil(year, month, day))
    } else {
        let hint = "the function of the same name with try_ in front gives NULL instead of an error";
        Err(Error::value(format!("there is no date {year}-{month}-{day}")).with_hint(hint))
    }
}

/// A text by a pattern or, without one, as CAST reads it; a moment as it is.
fn parsed<'a>(call: &Call, a: &[Value<'a>], zoned: bool) -> Result<Value<'a>> {
    let own = |local: i64| if zoned { zones::instant(local, &call.zone) } else { local };
    match (&a[0], &call.types[0]) {
        (Value::Int(days), DataType::Date32) => Ok(Value::Int(own(days * DAY))),
        (Value::Int(micros), DataType::Timestamp(_, Some(zone))) if !zoned => Ok(Value::Int(zones::local(*micros, zone))),
        (Value::Int(micros), DataType::Timestamp(_, Some(_))) => Ok(Value::Int(*micros)),
        (Value::Int(micros), _) => Ok(Value::Int(own(*micros))),
        (text, _) => match a.get(1) {
            Some(pattern) => {
                let (local, zone) = patterns::read(text.text(), pattern.text())?;
                Ok(Value::Int(match zone.filter(|_| zoned) {
                    Some(zone) => zones::to_utc(local, &zones::zone(&zone)?),
                    None => own(local),
                }))
            }
            None => {
                let read = parse::timestamp_in(text.text(), if zoned { &call.zone } else { "UTC" }, zoned);
                read.map(Value::Int).ok_or_else(|| Error::value(format!("'{}' is no timestamp", text.text())))
            }
        },
    }
}

fn to_date<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    match (&a[0], &call.types[0]) {
        (Value::Int(days), DataType::Date32) => Ok(Value::Int(*days)),
        (Value::Int(micros), DataType::Timestamp(_, zone)) => {
            Ok(Value::Int(zones::local(*micros, zone.as_deref().unwrap_or("UTC")).div_euclid(DAY)))
        }
        (text, _) => {
            match a.get(1) {
                Some(pattern) => Ok(Value::Int(patterns::read(text.text(), pattern.text())?.0.div_euclid(DAY))),
                None => match parse::date(text.text()) {
                    Some(days) => Ok(Value::Int(days.into())),
                    None => Err(Error::value(format!("'{}' is no date", text.text()))
                        .with_hint("try_to_date gives NULL instead of an error")),
                },
            }
        }
    }
}

fn unix_timestamp<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let micros = match (&a[0], &call.types[0]) {
        (Value::Int(days), DataType::Date32) => zones::instant(days * DAY, &call.zone),
        (Value::Int(micros), DataType::Timestamp(_, None)) => zones::instant(*micros, &call.zone),
        (Value::Int(micros), _) => *micros,
        (text, _) => {
            let (local, zone) = patterns::read(text.text(), a.get(1).map_or(PATTERN, |pattern| pattern.text()))?;
            match zone {
                Some(zone) => zones::to_utc(local, &zones::zone(&zone)?),
                None => zones::instant(local, &call.zone),
            }
        }
    };
    Ok(Value::Int(micros.div_euclid(SECOND)))
}

/// Year, month, day, hour, minute, seconds and a zone; or a date and a time.
fn make_timestamp<'a>(call: &Call, a: &[Value<'a>], zoned: bool) -> Result<Value<'a>> {
    let int = |at: usize| a[at].int();
    let micros = intervals::micros(a.get(5));
    let days = date(int(0), int(1), int(2))?;
    let whole_minute = micros == 60 * SECOND;
    if !(0..24).contains(&int(3)) || !(0..60).contains(&int(4)) || !(0..=60 * SECOND).contains(&micros) {
        return Err(Error::value(format!("there is no time {}:{}:{}", int(3), int(4), micros as f64 / SECOND as f64)));
    }
    let _ = whole_minute;
    let local = days * DAY + (int(3) * 3600 + int(4) * 60) * SECOND + micros;
    Ok(Value::Int(match a.get(6) {
        Some(zone) if zoned => zones::to_utc(local, &zones::zone(zone.text())?),
        _ if zoned => zones::instant(local, &call.zone),
        _ => local,
    }))
}

/// Whole months where days are alike or both last; else by days of 31, to eight places unless told not.
fn months_between<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let split = |value: &Value| {
        let local = zones::local(value.int(), &call.zone);
        (civil_from_days(local.div_euclid(DAY)), local.rem_euclid(DAY))
    };
    let (((y1, m1, d1), t1), ((y2, m2, d2), t2)) = (split(&a[0]), split(&a[1]));
    let months = ((y1 - y2) * 12 + m1 - m2) as f64;
    if d1 == d2 || (d1 == days_in_month(y1, m1) && d2 == days_in_month(y2, m2)) {
        return Ok(Value::Double(months));
    }
    let seconds = (d1 - d2) * 86_400 + t1.div_euclid(SECOND) - t2.div_euclid(SECOND);
    let between = months + seconds as f64 / (31 * 86_400) as f64;
    let rounds = a.get(2).is_none_or(Value::is_true);
    Ok(Value::Double(if rounds { (between * 1e8).round() / 1e8 } else { between }))
}

fn next_day<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let name = a[1].text().trim().to_ascii_uppercase();
    let wanted = match name.as_str() {
        "MO" | "MON" | "MONDAY" => 0,
        "TU" | "TUE" | "TUESDAY" => 1,
        "WE" | "WED" | "WEDNESDAY" => 2,
        "TH" | "THU" | "THURSDAY" => 3,
        "FR" | "FRI" | "FRIDAY" => 4,
        "SA" | "SAT" | "SATURDAY" => 5,
        "SU" | "SUN" | "SUNDAY" => 6,
        _ => return Err(Error::value(format!("'{}' is no day of the week", a[1].text()))),
    };
    let days = a[0].int();
    Ok(Value::Int(days + (wanted - (days + 3).rem_euclid(7) + 6).rem_euclid(7) + 1))
}

/// A date becomes a timestamp unless whole days are added.
const ADDED: Gives = Gives::By(|shape: &Shape| {
    let whole = shape.text(0).is_some_and(|unit| {
        matches!(unit.to_ascii_uppercase().as_str(), "DAY" | "DAYOFYEAR" | "WEEK" | "MONTH" | "QUARTER" | "YEAR")
    });
    Ok(match shape.of(2) {
        DataType::Date32 if !whole => shape.timestamp(),
        DataType::Date32 => shape.timestamp(),
        other => other,
    })
});

fn add_unit<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let zone = match &call.types[2] {
        DataType::Timestamp(_, None) => zones::zone("UTC")?,
        _ => zones::zone(&call.zone)?,
    };
    let micros = match &call.types[2] {
        DataType::Date32 => zones::to_utc(a[2].int() * DAY, &zone),
        _ => a[2].int(),
    };
    let count = a[1].int();
    let unit = a[0].text().to_ascii_uppercase();
    let exact = match unit.as_str() {
        "MICROSECOND" => Some(1),
        "MILLISECOND" => Some(1000),
        "SECOND" => Some(SECOND),
        "MINUTE" => Some(60 * SECOND),
        "HOUR" => Some(3600 * SECOND),
        _ => None,
    };
    if let Some(exact) = exact {
        return count.checked_mul(exact).and_then(|add| micros.checked_add(add)).map(Value::Int).ok_or_else(overflow);
    }
    let local = zones::to_local(micros, &zone);
    let moved = match unit.as_str() {
        "DAY" | "DAYOFYEAR" => count.checked_mul(DAY).and_then(|add| local.checked_add(add)),
        "WEEK" => count.checked_mul(7 * DAY).and_then(|add| local.checked_add(add)),
        "MONTH" => add_months(local, count),
        "QUARTER" => count.checked_mul(3).and_then(|months| add_months(local, months)),
        "YEAR" => count.checked_mul(12).and_then(|months| add_months(local, months)),
        other => return Err(Error::value(format!("'{other}' is no unit of time"))),
    };
    moved.map(|local| Value::Int(zones::to_utc(local, &zone))).ok_or_else(overflow)
}

/// The same time of day so many months later, on the last day where the month is shorter.
pub(in super::super) fn add_months(local: i64, months: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(local.div_euclid(DAY));
    let months = (year * 12 + month - 1).checked_add(months)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    if year.abs() > 300_000 {
        return None;
    }
    days_from_civil(year, month, day.min(days_in_month(year, month))).checked_mul(DAY)?.checked_add(local.rem_euclid(DAY))
}

/// Whole units between two instants.
fn difference<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let zone = zones::zone(&call.zone)?;
    let (start, end) = (zones::to_local(a[1].int(), &zone), zones::to_local(a[2].int(), &zone));
    let months = || {
        let ((y1, m1, _), (y2, m2, _)) = (civil_from_days(start.div_euclid(DAY)), civil_from_days(end.div_euclid(DAY)));
        let between = (y2 - y1) * 12 + m2 - m1;
        let rest = |local: i64| (civil_from_days(local.div_euclid(DAY)).2, local.rem_euclid(DAY));
        match between.signum() {
            1 if rest(end) < rest(start) => between - 1,
            -1 if rest(end) > rest(start) => between + 1,
            _ => between,
        }
    };
    let exact = a[2].int() - a[1].int();
    Ok(Value::Int(match a[0].text().to_ascii_uppercase().as_str() {
        "MICROSECOND" => exact,
        "MILLISECOND" => exact / 1000,
        "SECOND" => exact / SECOND,
        "MINUTE" => exact / (60 * SECOND),
        "HOUR" => exact / (3600 * SECOND),
        "DAY" | "DAYOFYEAR" => (end - start) / DAY,
        "WEEK" => (end - start) / (7 * DAY),
        "MONTH" => months(),
        "QUARTER" => months() / 3,
        "YEAR" => months() / 12,
        other => return Err(Error::value(format!("'{other}' is no unit of time"))),
    }))
}

/// The start of the bucket that a moment falls into; buckets are counted from an origin.
fn time_bucket<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let origin = a.get(2).map_or(0, Value::int);
    let (months, step) = match (&a[0], &call.types[0]) {
        (Value::Interval(months, 0, 0), _) => (i64::from(*months), 0),
        (Value::Interval(0, days, micros), _) => (0, i64::from(*days) * DAY + micros),
        (Value::Interval(..), _) => return Err(Error::value("a bucket of months and days")),
        (months, DataType::Interval(_)) => (months.int(), 0),
        (micros, _) => (0, micros.int()),
    };
    let size = months.max(step);
    let dated = call.types[1] == DataType::Date32;
    let zone = match &call.types[1] {
        DataType::Timestamp(_, Some(_)) => zones::zone(&call.zone)?,
        _ => zones::zone("UTC")?,
    };
    if size <= 0 {
        return Err(Error::value("the size of a bucket must be positive"));
    }
    let scale = if dated { DAY } else { 1 };
    let (at, from) = (zones::to_local(a[1].int() * scale, &zone), zones::to_local(origin * scale, &zone));
    let start = match months {
        1.. => {
            let month = |local: i64| {
                let (year, month, _) = civil_from_days(local.div_euclid(DAY));
                year * 12 + month - 1
            };
            let mut buckets = (month(at) - month(from)).div_euclid(size);
            let mut start = add_months(from, buckets * size).ok_or_else(overflow)?;
            if start > at {
                buckets -= 1;
                start = add_months(from, buckets * size).ok_or_else(overflow)?;
            }
            start
        }
        _ => from + (at - from).div_euclid(size) * size,
    };
    Ok(Value::Int(if dated { start.div_euclid(DAY) } else { zones::to_utc(start, &zone) }))
}

fn cut_date(days: i64, unit: &str) -> Option<i64> {
    let (year, month, _) = civil_from_days(days);
    Some(match unit.to_ascii_uppercase().as_str() {
        "YEAR" | "YYYY" | "YY" => days_from_civil(year, 1, 1),
        "QUARTER" => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        "MONTH" | "MON" | "MM" => days_from_civil(year, month, 1),
        "WEEK" => days - (days + 3).rem_euclid(7),
        _ => return None,
    })
}

fn cut_time(local: i64, unit: &str) -> Option<i64> {
    let to = |unit: i64| Some(local - local.rem_euclid(unit));
    match unit.to_ascii_uppercase().as_str() {
        "MICROSECOND" => to(1),
        "MILLISECOND" => to(1000),
        "SECOND" => to(SECOND),
        "MINUTE" => to(60 * SECOND),
        "HOUR" => to(3600 * SECOND),
        "DAY" | "DD" => to(DAY),
        _ => cut_date(local.div_euclid(DAY), unit).map(|days| days * DAY),
    }
}

/// The argument types of the functions here that take several kinds.
pub(super) fn types(special: &str, types: &[DataType], zone: &std::sync::Arc<str>) -> Option<Vec<DataType>> {
    use super::signature::{is_moment, is_number, is_text};
    use DataType as T;
    let timestamp = || T::Timestamp(TimeUnit::Microsecond, Some(zone.clone()));
    // A text stays what it is: a cast around a constant would hide it.
    let atom = |given: &T, wanted: T| match (is_text(given), is_text(&wanted)) {
        (true, true) => Some(given.clone()),
        _ => (*given == T::Null || is_text(given) || is_number(given)).then_some(wanted),
    };
    let ints = |types: &[T]| types.iter().map(|given| atom(given, T::Int32)).collect::<Option<Vec<_>>>();
    match (special, types) {
        ("unix" | "parse", [moment]) if is_moment(moment) => Some(vec![moment.clone()]),
        ("unix" | "parse", [moment, pattern]) if is_moment(moment) => Some(vec![moment.clone(), atom(pattern, T::Utf8View)?]),
        ("parse", [number]) if is_number(number) => Some(vec![timestamp()]),
        ("unix" | "parse", [text]) => Some(vec![atom(text, T::Utf8View)?]),
        ("unix" | "parse", [text, pattern]) => Some(vec![atom(text, T::Utf8View)?, atom(pattern, T::Utf8View)?]),
        ("part", [name, moment]) => {
            let moment = match moment {
                T::Interval(_) | T::Duration(_) => moment.clone(),
                other if is_moment(other) => other.clone(),
                other if is_text(other) || *other == T::Null => timestamp(),
                _ => return None,
            };
            Some(vec![atom(name, T::Utf8View)?, moment])
        }
        ("convert", [zones @ .., local]) if (1..=2).contains(&zones.len()) => {
            let mut wanted = zones.iter().map(|zone| atom(zone, T::Utf8View)).collect::<Option<Vec<_>>>()?;
            let fits = *local == T::Null || is_text(local) || is_moment(local);
            wanted.push(fits.then_some(T::Timestamp(TimeUnit::Microsecond, None))?);
            Some(wanted)
        }
        ("make", types) if types.len() == 6 || types.len() == 7 => {
            let mut wanted = ints(&types[..5])?;
            wanted.push(atom(&types[5], T::Decimal128(16, 6))?);
            if let Some(zone) = types.get(6) {
                wanted.push(atom(zone, T::Utf8View)?);
            }
            Some(wanted)
        }
        ("maketime", [hour, minute, seconds]) => {
            let mut wanted = ints(&[hour.clone(), minute.clone()])?;
            wanted.push(atom(seconds, T::Decimal128(16, 6))?);
            Some(wanted)
        }
        ("interval", types) if types.len() <= 7 => {
            let mut wanted = ints(&types[..types.len().min(6)])?;
            if let Some(seconds) = types.get(6) {
                wanted.push(atom(seconds, T::Decimal128(18, 6))?);
            }
            Some(wanted)
        }
        ("daytime", types) if types.len() <= 4 => {
            let mut wanted = ints(&types[..types.len().min(3)])?;
            if let Some(seconds) = types.get(3) {
                wanted.push(atom(seconds, T::Decimal128(18, 6))?);
            }
            Some(wanted)
        }
        ("timebucket", [size @ (T::Interval(_) | T::Duration(_)), moments @ ..]) if matches!(moments.len(), 1 | 2) => {
            let first = if is_text(&moments[0]) { timestamp() } else { moments[0].clone() };
            let fits = moments.iter().all(|moment| is_moment(moment) || is_text(moment) || *moment == T::Null);
            let size = if matches!(size, T::Duration(_)) { intervals::DAY_TIME } else { size.clone() };
            fits.then(|| std::iter::once(size).chain(std::iter::repeat_n(first, moments.len())).collect())
        }
        _ => None,
    }
}
