//! Time zones: local time from UTC and back, in microseconds.
//!
//! A local time that a clock skipped is taken with the offset before the jump; one that it showed
//! twice is the earlier one, as in Java.

use crate::error::{Error, Result};
use arrow::array::timezone::Tz;
use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};

/// Names of three letters that Java takes for places.
const SHORT: &[(&str, &str)] = &[
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("EST", "-05:00"),
    ("HST", "-10:00"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("MST", "-07:00"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// The zone of a name, an offset (`+8`, `+08:00`, `GMT+8`) or three letters.
pub(in super::super) fn zone(name: &str) -> Result<Tz> {
    let unknown = || Error::value(format!("unknown time zone '{name}'"));
    let given = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, place)| place);
    if matches!(given, "Z" | "UTC" | "GMT" | "UT") {
        return "+00:00".parse().map_err(|_| unknown());
    }
    let offset = ["UTC", "GMT", "UT"]
        .into_iter()
        .find_map(|prefix| given.strip_prefix(prefix).filter(|rest| rest.starts_with(['+', '-'])));
    let given = offset.unwrap_or(given);
    let Some(sign) = given.chars().next().filter(|c| matches!(c, '+' | '-')) else {
        return given.parse().map_err(|_| unknown());
    };
    let digits = &given[1..];
    let number = |text: &str| text.parse::<u32>().map_err(|_| unknown());
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (number(hours)?, number(minutes.split(':').next().unwrap_or_default())?),
        None if digits.len() > 2 && digits.is_ascii() => (number(&digits[..2])?, number(&digits[2..4.min(digits.len())])?),
        None => (number(digits)?, 0),
    };
    if hours > 18 || minutes > 59 || (hours == 18 && minutes > 0) {
        return Err(unknown());
    }
    format!("{sign}{hours:02}:{minutes:02}").parse().map_err(|_| unknown())
}

fn naive(micros: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(micros).map_or(NaiveDateTime::MIN, |time| time.naive_utc())
}

/// Microseconds that a zone is ahead of UTC at an instant.
pub(in super::super) fn offset_at(micros: i64, zone: &Tz) -> i64 {
    i64::from(zone.offset_from_utc_datetime(&naive(micros)).fix().local_minus_utc()) * 1_000_000
}

/// What clocks of `zone` show at an instant.
pub(in super::super) fn to_local(micros: i64, zone: &Tz) -> i64 {
    micros.saturating_add(offset_at(micros, zone))
}

/// The instant at which clocks of `zone` show a time.
pub(in super::super) fn to_utc(local: i64, zone: &Tz) -> i64 {
    const DAY: i64 = 86_400_000_000;
    let micros = |offset: chrono::FixedOffset| i64::from(offset.local_minus_utc()) * 1_000_000;
    let ahead = match zone.offset_from_local_datetime(&naive(local)) {
        LocalResult::Single(offset) => micros(offset.fix()),
        LocalResult::Ambiguous(earlier, later) => micros(earlier.fix()).max(micros(later.fix())),
        LocalResult::None => offset_at(local.saturating_sub(DAY), zone),
    };
    local.saturating_sub(ahead)
}

/// [`to_local`] by the zone's name; UTC where that is unknown.
pub(in super::super) fn local(micros: i64, name: &str) -> i64 {
    if name == "UTC" || name == "+00:00" { micros } else { zone(name).map_or(micros, |zone| to_local(micros, &zone)) }
}

/// [`to_utc`] by the zone's name; UTC where that is unknown.
pub(in super::super) fn instant(local: i64, name: &str) -> i64 {
    if name == "UTC" || name == "+00:00" { local } else { zone(name).map_or(local, |zone| to_utc(local, &zone)) }
}
