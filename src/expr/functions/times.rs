//! Functions of TIME, a time of day in microseconds.

use super::row::{Call, Gives, Row, partial, total};
use super::value::Value;
use super::{intervals, patterns, zones};
use crate::error::{Error, Result};
use arrow::datatypes::{DataType, TimeUnit};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The type of times of day.
pub(in super::super) const TIME: DataType = DataType::Time64(TimeUnit::Microsecond);

const GIVES: Gives = Gives::By(|_| Ok(TIME));

pub(super) static ROWS: &[Row] = &[
    partial("make_time", "@maketime", GIVES, |_, a| {
        let (hour, minute, seconds) = (a[0].int(), a[1].int(), intervals::micros(a.get(2)));
        let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60 * SECOND).contains(&seconds);
        match fits {
            true => Ok(Value::Int((hour * 60 + minute) * 60 * SECOND + seconds)),
            false => Err(Error::value(format!("there is no time {hour}:{minute}:{}", seconds as f64 / SECOND as f64))),
        }
    }),
    partial("to_time", "SS?", GIVES, to_time),
    partial("try_to_time", "SS?", GIVES, to_time).attempt(),
    partial("time_from_seconds", "N", GIVES, |_, a| {
        let micros = match &a[0] {
            Value::Double(seconds) => (seconds * SECOND as f64) as i64,
            other => intervals::micros(Some(other)),
        };
        of_day(micros)
    }),
    partial("time_from_millis", "L", GIVES, |_, a| of_day(a[0].int().saturating_mul(1000))),
    partial("time_from_micros", "L", GIVES, |_, a| of_day(a[0].int())),
    total("time_to_seconds", "H", Gives::By(|_| Ok(DataType::Decimal128(14, 6))), |_, a| {
        Ok(Value::Decimal(a[0].int().into(), 6))
    }),
    total("time_to_millis", "H", Gives::Long, |_, a| Ok(Value::Int(a[0].int() / 1000))),
    total("time_to_micros", "H", Gives::Long, |_, a| Ok(a[0].clone())),
    partial("time_diff", "SHH", Gives::Long, |_, a| Ok(Value::Int((a[2].int() - a[1].int()) / unit(a[0].text())?))),
    partial("time_trunc", "SH", GIVES, |_, a| Ok(Value::Int(a[1].int() - a[1].int() % unit(a[0].text())?))),
    total("time_of", "T", GIVES, |call, a| Ok(Value::Int(zones::local(a[0].int(), &call.zone).rem_euclid(DAY)))),
];

fn of_day<'a>(micros: i64) -> Result<Value<'a>> {
    match (0..DAY).contains(&micros) {
        true => Ok(Value::Int(micros)),
        false => Err(Error::value("a time outside of a day")),
    }
}

fn unit(name: &str) -> Result<i64> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "MICROSECOND" => 1,
        "MILLISECOND" => 1000,
        "SECOND" => SECOND,
        "MINUTE" => 60 * SECOND,
        "HOUR" => 3600 * SECOND,
        other => return Err(Error::value(format!("'{other}' is no unit of a time of day"))),
    })
}

fn to_time<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let text = a[0].text();
    match a.get(1) {
        Some(pattern) => Ok(Value::Int(patterns::read(text, pattern.text())?.0.rem_euclid(DAY))),
        None => parsed(text).map(Value::Int).ok_or_else(|| Error::value(format!("'{text}' is no time of day"))),
    }
}

/// `h:m[:s[.fraction]]`: microseconds.
pub(in super::super) fn parsed(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, ':');
    let mut number = |most: i64| {
        let part = parts.next()?;
        let plain = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|value| plain && *value <= most)
    };
    let (hour, minute) = (number(23)?, number(59)?);
    let seconds = match parts.next() {
        None => 0,
        Some(part) => {
            let (whole, fraction) = part.split_once('.').unwrap_or((part, ""));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !(1..=2).contains(&whole.len()) || !digits(whole) || !digits(fraction) {
                return None;
            }
            let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
            whole.parse::<i64>().ok().filter(|whole| *whole < 60)? * SECOND + micros
        }
    };
    Some((hour * 60 + minute) * 60 * SECOND + seconds)
}

/// `HH:mm:ss[.ffffff]`, zeros at the end of the fraction cut.
pub fn text(micros: i64) -> String {
    let text = super::super::parse::timestamp_text(micros);
    text.split_once(' ').map_or(text.clone(), |(_, time)| time.to_owned())
}
