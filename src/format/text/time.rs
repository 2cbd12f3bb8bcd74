//! Dates and timestamps in text, as Spark casts them: `2024-2-9`, `2024-02-09T01:02:03.5+01:00`.

use crate::error::{Error, Result};
use arrow::array::timezone::Tz;
use chrono::{NaiveDate, NaiveDateTime, Offset, TimeZone};

const DAY_MICROS: i64 = 86_400_000_000;

/// The zone that timestamps without one are in.
#[derive(Debug, Clone, Copy)]
pub(in crate::format) enum Zone {
    Utc,
    Other(Tz),
}

impl Zone {
    /// The zone of a name or offset.
    pub(in crate::format) fn new(name: &str) -> Result<Self> {
        match name {
            "UTC" | "Z" | "GMT" | "Etc/UTC" | "+00:00" => Ok(Self::Utc),
            _ => name.parse().map(Self::Other).map_err(|_| Error::sql(format!("unknown time zone '{}'", name.escape_default()))),
        }
    }

    /// Microseconds since 1970 in UTC of a reading of clocks in this zone. A reading that clocks
    /// passed over is taken with the offset before; of two the earlier one is meant.
    pub(in crate::format) fn to_utc(self, local: i64) -> Option<i64> {
        let Self::Other(zone) = self else { return Some(local) };
        let at = |micros: i64| Some(chrono::DateTime::from_timestamp_micros(micros)?.naive_utc());
        let found = zone.from_local_datetime(&at(local)?).earliest();
        let offset = match found {
            Some(found) => found.offset().fix(),
            None => zone.from_local_datetime(&at(local - DAY_MICROS / 8)?).earliest()?.offset().fix(),
        };
        local.checked_sub(i64::from(offset.local_minus_utc()) * 1_000_000)
    }
}

/// Days since 1970 of `yyyy-[m]m-[d]d`, `yyyy-[m]m` or `yyyy`; what follows a day after a blank or
/// `T` is not looked at.
#[inline]
pub(in crate::format) fn date(text: &[u8]) -> Option<i32> {
    if let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text {
        let digit = |byte: u8| byte.wrapping_sub(b'0');
        let all = [y1, y2, y3, y4, m1, m2, d1, d2].map(digit);
        if all.iter().all(|digit| *digit <= 9) {
            let [y1, y2, y3, y4, m1, m2, d1, d2] = all.map(i32::from);
            return days(y1 * 1000 + y2 * 100 + y3 * 10 + y4, m1 * 10 + m2, d1 * 10 + d2);
        }
    }
    let (days, rest) = lenient_date(super::scalar::trim(text))?;
    (rest.is_empty() || matches!(rest.first(), Some(b' ' | b'T'))).then_some(days)
}

/// Days since 1970 of a day in the Gregorian calendar (after Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
#[inline]
pub(in crate::format) fn days(year: i32, month: i32, day: i32) -> Option<i32> {
    const LENGTHS: [i32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *LENGTHS.get(usize::try_from(month - 1).ok()?)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if day < 1 || day > length + i32::from(month == 2 && leap) {
        return None;
    }
    // Years begin in March, so that the odd day is the last.
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    i32::try_from(days).ok()
}

/// A date at the start of `text`, and what follows.
fn lenient_date(text: &[u8]) -> Option<(i32, &[u8])> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (year, rest) = number(rest, 4, 7)?;
    let year = if negative { -year } else { year };
    let Some(rest) = rest.strip_prefix(b"-") else { return Some((days(year, 1, 1)?, rest)) };
    let (month, rest) = number(rest, 1, 2)?;
    let Some(rest) = rest.strip_prefix(b"-") else { return Some((days(year, month, 1)?, rest)) };
    let (day, rest) = number(rest, 1, 2)?;
    Some((days(year, month, day)?, rest))
}

fn number(text: &[u8], digits_min: usize, digits_max: usize) -> Option<(i32, &[u8])> {
    let digits = text.iter().take(digits_max).take_while(|byte| byte.is_ascii_digit()).count();
    if digits < digits_min || text.get(digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let value = text[..digits].iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    Some((value, &text[digits..]))
}

/// Microseconds since 1970 of a date with an optional time and an optional zone. Without `zone` it is
/// a reading of a clock: then a zone in the text is wrong.
#[inline]
pub(in crate::format) fn timestamp(text: &[u8], zone: Option<Zone>) -> Option<i64> {
    let text = super::scalar::trim(text);
    let (days, rest) = lenient_date(text)?;
    let midnight = i64::from(days) * DAY_MICROS;
    let local = |micros: i64| match zone {
        Some(zone) => zone.to_utc(midnight + micros),
        None => Some(midnight + micros),
    };
    let Some(rest) = rest.strip_prefix(b" ").or(rest.strip_prefix(b"T")) else {
        return if rest.is_empty() { local(0) } else { None };
    };
    let (micros, rest) = time_of_day(rest)?;
    let rest = super::scalar::trim(rest);
    if rest.is_empty() {
        return local(micros);
    }
    zone?;
    let named = std::str::from_utf8(rest).ok()?;
    match offset(rest) {
        Some(seconds) => Some(midnight + micros - i64::from(seconds) * 1_000_000),
        None => Zone::new(named).ok()?.to_utc(midnight + micros),
    }
}

/// `h[h]:m[m][:s[s][.fraction]]`; digits beyond microseconds are dropped.
pub(in crate::format) fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = number(text, 1, 2)?;
    let mut micros = i64::from(hour) * 3_600_000_000;
    let mut left = rest;
    let (mut minute, mut second) = (0, 0);
    if let Some(rest) = rest.strip_prefix(b":") {
        (minute, left) = number(rest, 1, 2)?;
        if let Some(rest) = left.strip_prefix(b":") {
            (second, left) = number(rest, 1, 2)?;
            if let Some(rest) = left.strip_prefix(b".") {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let kept = rest[..digits.min(6)].iter().fold(0i64, |value, digit| value * 10 + i64::from(digit - b'0'));
                micros += kept * 10i64.pow(6 - digits.min(6) as u32);
                left = &rest[digits..];
            }
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((micros + i64::from(minute) * 60_000_000 + i64::from(second) * 1_000_000, left))
}

/// Seconds east of `Z`, `+hh:mm`, `+hhmm`, `+h`, `UTC+h`.
pub(in crate::format) fn offset(text: &[u8]) -> Option<i32> {
    let text = text.strip_prefix(b"UTC").or(text.strip_prefix(b"GMT")).unwrap_or(text);
    let (sign, rest) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest {
        [a, b, c, d] if rest.iter().all(u8::is_ascii_digit) => {
            (i32::from((a - b'0') * 10 + b - b'0'), i32::from((c - b'0') * 10 + d - b'0'))
        }
        _ => {
            let (hours, rest) = number(rest, 1, 2)?;
            match rest.strip_prefix(b":") {
                Some(rest) => (hours, number(rest, 1, 2).filter(|(_, rest)| rest.is_empty())?.0),
                None if rest.is_empty() => (hours, 0),
                None => return None,
            }
        }
    };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Microseconds since 1970 of a reading of clocks.
pub(in crate::format) fn micros(at: NaiveDateTime) -> i64 {
    at.and_utc().timestamp_micros()
}

/// Days since 1970.
pub(in crate::format) fn day_number(date: NaiveDate) -> Option<i32> {
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_library() {
        for day in (-800_000..800_000).step_by(13) {
            let text = (NaiveDate::default() + chrono::Duration::days(day)).format("%Y-%m-%d").to_string();
            if text.len() == 10 {
                assert_eq!(date(text.as_bytes()), Some(day as i32), "{text}");
            }
        }
    }

    #[test]
    fn dates_are_read_leniently() {
        for (text, wanted) in [
            ("2024-2-9", "2024-02-09"),
            ("2024", "2024-01-01"),
            ("2024-03", "2024-03-01"),
            ("2024-02-29 10:00:00", "2024-02-29"),
            ("+2024-02-29", "2024-02-29"),
        ] {
            assert_eq!(date(text.as_bytes()), date(wanted.as_bytes()), "{text}");
        }
        for text in ["", "2024-02-30", "20240229", "2024-13-01", "24-01-01", "2024-02-29x", "x", "2024-1-"] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn timestamps_with_and_without_zones() {
        let utc = |text: &str| timestamp(text.as_bytes(), Some(Zone::Utc));
        let day = i64::from(date(b"2024-02-29").unwrap()) * DAY_MICROS;
        let at = |hour: i64, minute: i64, second: i64, micros: i64| {
            Some(day + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
        };
        for (text, wanted) in [
            ("2024-02-29", at(0, 0, 0, 0)),
            ("2024-02-29 01:02:03", at(1, 2, 3, 0)),
            ("2024-02-29T01:02:03.123456", at(1, 2, 3, 123_456)),
            ("2024-02-29 01:02:03.1234567", at(1, 2, 3, 123_456)),
            ("2024-02-29 01:02", at(1, 2, 0, 0)),
            ("2024-02-29 1:2:3", at(1, 2, 3, 0)),
            ("2024-02-29T01:02:03Z", at(1, 2, 3, 0)),
            ("2024-02-29T01:02:03+02:00", at(-1, 2, 3, 0)),
            ("2024-02-29T01:02:03 +0200", at(-1, 2, 3, 0)),
            ("2024-02-29 25:00:00", None),
            ("2024-02-29 01:02:03x", None),
            ("12:00", None),
        ] {
            assert_eq!(utc(text), wanted, "{text}");
        }
        assert_eq!(timestamp(b"2024-02-29T01:02:03Z", None), None);
        assert_eq!(timestamp(b"2024-02-29 01:02:03", None), at(1, 2, 3, 0));
        let east = Zone::new("+05:30").unwrap();
        assert_eq!(timestamp(b"2024-02-29 05:30:00", Some(east)), at(0, 0, 0, 0));
        assert!(Zone::new("Mars/Olympus").is_err());
    }
}
