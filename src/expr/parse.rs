//! Text to values and back, as Spark's casts read and write them.

use arrow::datatypes::i256;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar (Hinnant, "chrono-compatible
/// low-level date algorithms", days_from_civil).
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01 (the same source, civil_from_days).
pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Number of days in a month.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `y[y..]`, `y-m`, `y-m-d`, the last optionally followed by a space or `T` and anything.
pub(super) fn date(text: &str) -> Option<i32> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = digits.splitn(3, '-');
    let year = parts.next()?;
    if !(4..=7).contains(&year.len()) {
        return None;
    }
    let year = sign * number(year)?;
    let month = parts.next().map_or(Some(1), |part| number(part).filter(|_| part.len() <= 2))?;
    let day = match parts.next() {
        None => 1,
        Some(part) => {
            let part = part.split([' ', 'T']).next()?;
            number(part).filter(|_| part.len() <= 2)?
        }
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// A timestamp whose text may end in the name of a zone, as one in a time zone or, not `zoned`, as
/// the local time that it shows.
pub(super) fn timestamp_in(text: &str, zone: &str, zoned: bool) -> Option<i64> {
    use super::functions::zones;
    let text = text.trim();
    // Behind the time stands a zone's name, or an offset, which begins with a sign.
    let time = text.find([' ', 'T']).map(|at| at + 1);
    let named = time.and_then(|time| {
        let at = text[time..].find(|c: char| c.is_ascii_alphabetic() || matches!(c, '+' | '-'))?;
        let zone = text[time + at..].trim();
        Some((text[..time + at].trim_end(), zones::zone(zone).ok()?))
    });
    let own = || zones::zone(zone).ok();
    Some(match named {
        Some((text, named)) if zoned => zones::to_utc(timestamp(text)?, &named),
        Some((text, _)) => timestamp(text)?,
        None if zoned => zones::to_utc(timestamp(text)?, &own()?),
        None => timestamp(text)?,
    })
}

/// A date as [`date`] reads it, optionally followed by `h:m[:s[.fraction]]` and a zone (`Z`, `UTC`,
/// `±h[:mm]`): microseconds since 1970. Without a zone the time is taken as UTC.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let days = i64::from(date(text)?);
    let Some(at) = text.find([' ', 'T']) else { return days.checked_mul(86_400_000_000) };
    let mut time = text[at + 1..].trim();
    let mut offset_seconds = 0;
    if let Some(rest) = time.strip_suffix('Z').or_else(|| time.strip_suffix("UTC")) {
        time = rest.trim_end();
    } else if let Some(at) = time.rfind(['+', '-']) {
        let (sign, zone) = (if time.as_bytes()[at] == b'-' { -1 } else { 1 }, &time[at + 1..]);
        let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "0"));
        offset_seconds = sign * (number(hours).filter(|h| *h <= 18)? * 3600 + number(minutes).filter(|m| *m < 60)? * 60);
        time = time[..at].trim_end();
    }
    let mut parts = time.splitn(3, ':');
    let hour = number(parts.next()?).filter(|v| *v < 24)?;
    let minute = number(parts.next()?).filter(|v| *v < 60)?;
    let (second, fraction) = match parts.next() {
        None => ("0", ""),
        Some(part) => part.split_once('.').unwrap_or((part, "")),
    };
    let second = number(second).filter(|v| *v < 60)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = format!("{:0<6}", fraction.get(..6).unwrap_or(fraction)).parse::<i64>().ok()?;
    let seconds = days.checked_mul(86_400)?.checked_add(hour * 3600 + minute * 60 + second - offset_seconds)?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// An integer: digits with an optional sign, white space around them.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A floating-point number; `inf`, `infinity` and `nan` in any case.
pub(super) fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.strip_suffix(['d', 'D', 'f', 'F']).filter(|rest| rest.ends_with(|c: char| c.is_ascii_digit() || c == '.'));
    plain.unwrap_or(text).parse().ok()
}

/// A truth value, as Spark's `StringUtils.isTrueString` and its opposite.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A decimal number with optional exponent at `scale`, rounded HALF_UP. None: not a number, or it
/// does not fit 38 digits.
pub(super) fn decimal(text: &str, scale: i32) -> Option<i128> {
    let text = text.trim();
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').skip_while(|digit| *digit == 0).collect();
    // The value is 0.digits * 10^point; `kept` of its digits stand before the cut at `scale`.
    let kept = digits.len() as i64 - fraction.len() as i64 + i64::from(exponent) + i64::from(scale);
    if digits.is_empty() || kept < 0 {
        return Some(0);
    }
    if kept > 39 {
        return None;
    }
    let kept = kept as usize;
    let mut value = i256::ZERO;
    for at in 0..kept {
        let digit = i256::from_i128(i128::from(digits.get(at).copied().unwrap_or(0)));
        value = value.checked_mul(i256::from_i128(10))?.checked_add(digit)?;
    }
    if digits.get(kept).is_some_and(|digit| *digit >= 5) {
        value = value.checked_add(i256::ONE)?;
    }
    let value = value.to_i128()?;
    Some(if negative { -value } else { value })
}

/// A double as Java prints it: the shortest digits that read back, plain between 10^-3 and 10^7,
/// else with an exponent.
pub fn double_text(value: f64) -> String {
    float_text(value, format!("{value:e}"))
}

/// [`double_text`] of a FLOAT.
pub fn float32_text(value: f32) -> String {
    float_text(f64::from(value), format!("{value:e}"))
}

fn float_text(value: f64, scientific: String) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    if value == 0.0 {
        return format!("{sign}0.0");
    }
    if (-3..7).contains(&exponent) {
        if exponent < 0 {
            return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
        }
        let point = exponent as usize + 1;
        let padded = format!("{digits:0<point$}");
        let (whole, fraction) = padded.split_at(point);
        return format!("{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction });
    }
    let (first, rest) = digits.split_at(1);
    format!("{sign}{first}.{}E{exponent}", if rest.is_empty() { "0" } else { rest })
}

/// `yyyy-MM-dd`.
pub(super) fn date_text(days: i32) -> String {
    let (year, month, day) = civil_from_days(i64::from(days));
    if (0..=9999).contains(&year) { format!("{year:04}-{month:02}-{day:02}") } else { format!("{year:+}-{month:02}-{day:02}") }
}

/// `yyyy-MM-dd HH:mm:ss[.ffffff]` in UTC, zeros at the end of the fraction cut.
pub(super) fn timestamp_text(micros: i64) -> String {
    let days = micros.div_euclid(86_400_000_000);
    let of_day = micros.rem_euclid(86_400_000_000);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let mut text = date_text(i32::try_from(days).unwrap_or(i32::MAX));
    text += &format!(" {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        text += format!(".{fraction:06}").trim_end_matches('0');
    }
    text
}

/// A decimal in plain notation with all digits of its scale.
pub(super) fn decimal_text(value: i128, scale: i8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    if scale <= 0 {
        return format!("{sign}{digits}{}", "0".repeat(usize::from(scale.unsigned_abs())));
    }
    let scale = scale as usize;
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}
