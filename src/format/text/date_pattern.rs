//! Patterns of dates and timestamps as Spark's options `dateFormat` and `timestampFormat` have them
//! (those of Java's `DateTimeFormatter`, in English): `dd/MM/yyyy HH:mm`.

use super::time::{Zone, day_number, micros, offset};
use crate::error::{Error, Result};
use chrono::{NaiveDate, NaiveTime};

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A pattern.
#[derive(Debug, Clone)]
pub(in crate::format) struct DatePattern(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    /// A field and how often its letter stands there.
    Field(char, usize),
    Literal(String),
    /// May be missing, in this order or not at all.
    Optional(Vec<Part>),
}

#[derive(Debug, Default, Clone)]
struct Fields {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: Option<u32>,
    half_hour: Option<u32>,
    afternoon: Option<bool>,
    minute: Option<u32>,
    second: Option<u32>,
    nanos: Option<u32>,
    offset: Option<i32>,
}

impl DatePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Letters that are not supported, by name.
    pub(in crate::format) fn new(pattern: &str) -> Result<Self> {
        let mut chars = pattern.chars().peekable();
        let parts = parts(&mut chars, pattern, 0)?;
        Ok(Self(parts))
    }

    /// Days since 1970.
    pub(in crate::format) fn date(&self, text: &[u8]) -> Option<i32> {
        day_number(self.fields(text)?.day()?)
    }

    /// Microseconds since 1970; readings without an offset are in `zone`. Without `zone` an offset is
    /// not looked at.
    pub(in crate::format) fn timestamp(&self, text: &[u8], zone: Option<Zone>) -> Option<i64> {
        let fields = self.fields(text)?;
        let local = micros(fields.day()?.and_time(fields.time()?));
        match (zone, fields.offset) {
            (None, _) => Some(local),
            (Some(_), Some(seconds)) => Some(local - i64::from(seconds) * 1_000_000),
            (Some(zone), None) => zone.to_utc(local),
        }
    }

    fn fields(&self, text: &[u8]) -> Option<Fields> {
        let text = std::str::from_utf8(text).ok()?;
        let mut fields = Fields::default();
        let rest = read(&self.0, text, &mut fields)?;
        rest.is_empty().then_some(fields)
    }
}

impl Fields {
    fn day(&self) -> Option<NaiveDate> {
        let year = self.year.unwrap_or(1970);
        match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(year, day),
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1)),
        }
    }

    fn time(&self) -> Option<NaiveTime> {
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) if (1..=12).contains(&hour) => hour % 12 + if self.afternoon? { 12 } else { 0 },
            (None, Some(_)) => return None,
            (None, None) => 0,
        };
        NaiveTime::from_hms_nano_opt(hour, self.minute.unwrap_or(0), self.second.unwrap_or(0), self.nanos.unwrap_or(0))
    }
}

fn parts(chars: &mut std::iter::Peekable<std::str::Chars>, pattern: &str, depth: usize) -> Result<Vec<Part>> {
    let wrong = || Error::sql(format!("the pattern '{}' is not one of dates", pattern.escape_default()));
    let mut parts = Vec::new();
    while let Some(letter) = chars.next() {
        match letter {
            '\'' => {
                let mut literal = String::new();
                loop {
                    match chars.next().ok_or_else(wrong)? {
                        '\'' if chars.next_if_eq(&'\'').is_some() => literal.push('\''),
                        '\'' => break,
                        other => literal.push(other),
                    }
                }
                parts.push(Part::Literal(if literal.is_empty() { "'".to_owned() } else { literal }));
            }
            '[' if depth < 4 => parts.push(Part::Optional(self::parts(chars, pattern, depth + 1)?)),
            ']' if depth > 0 => return Ok(parts),
            'a'..='z' | 'A'..='Z' => {
                let mut count = 1;
                while chars.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                if !"yuMLdDHhkmsSaEXxZzV".contains(letter) {
                    return Err(Error::unsupported(format!("the letter {letter} in the pattern '{pattern}'")));
                }
                parts.push(Part::Field(letter, count));
            }
            '[' | ']' | '{' | '}' | '#' => return Err(wrong()),
            other => parts.push(Part::Literal(other.to_string())),
        }
    }
    if depth > 0 { Err(wrong()) } else { Ok(parts) }
}

fn read<'t>(parts: &[Part], mut text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    for (at, part) in parts.iter().enumerate() {
        // Numbers that stand side by side have as many digits as letters.
        let adjacent = matches!(parts.get(at + 1), Some(Part::Field(letter, _)) if !"aEXxZzV".contains(*letter));
        match part {
            Part::Literal(literal) => text = text.strip_prefix(literal.as_str())?,
            Part::Optional(inner) => {
                let mut tried = fields.clone();
                if let Some(rest) = read(inner, text, &mut tried) {
                    *fields = tried;
                    text = rest;
                }
            }
            Part::Field(letter, count) => text = field(*letter, *count, adjacent, text, fields)?,
        }
    }
    Some(text)
}

fn field<'t>(letter: char, count: usize, adjacent: bool, text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    let number = |digits_max: usize| -> Option<(u32, &'t str)> {
        let (least, most) =
            if count > 1 || adjacent { (count, if adjacent { count } else { digits_max.max(count) }) } else { (1, digits_max) };
        let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        (digits >= least).then(|| Some((text[..digits].parse().ok()?, &text[digits..])))?
    };
    let rest = match letter {
        'y' | 'u' if count == 2 => {
            let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
            fields.year = Some(2000 + text[..digits].parse::<i32>().ok().filter(|_| digits == 2)?);
            &text[2..]
        }
        'y' | 'u' => {
            let (year, rest) = number(if count == 1 { 9 } else { 4 })?;
            fields.year = Some(i32::try_from(year).ok()?);
            rest
        }
        'M' | 'L' if count >= 3 => {
            let (month, rest) = name(&MONTHS, count, text)?;
            fields.month = Some(month);
            rest
        }
        'E' => name(&WEEKDAYS, count, text)?.1,
        'a' => {
            let half = text.get(..2)?;
            fields.afternoon = Some(if half.eq_ignore_ascii_case("pm") {
                true
            } else if half.eq_ignore_ascii_case("am") {
                false
            } else {
                return None;
            });
            &text[2..]
        }
        'S' => {
            let digits = text.bytes().take(9).take_while(u8::is_ascii_digit).count();
            if digits == 0 || (adjacent && digits < count) {
                return None;
            }
            let digits = if adjacent { count.min(digits) } else { digits };
            let value: u32 = text[..digits].parse().ok()?;
            fields.nanos = Some(value * 10u32.pow(9 - digits as u32));
            &text[digits..]
        }
        'X' | 'x' | 'Z' | 'z' | 'V' => {
            let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-:".contains(c))).unwrap_or(text.len());
            fields.offset = Some(offset(&text.as_bytes()[..end])?);
            &text[end..]
        }
        _ => {
            let (value, rest) = number(if letter == 'D' { 3 } else { 2 })?;
            let slot = match letter {
                'M' | 'L' => &mut fields.month,
                'd' => &mut fields.day,
                'D' => &mut fields.day_of_year,
                'H' => &mut fields.hour,
                'h' => &mut fields.half_hour,
                'k' => {
                    fields.hour = Some(value % 24);
                    return (1..=24).contains(&value).then_some(rest);
                }
                'm' => &mut fields.minute,
                _ => &mut fields.second,
            };
            *slot = Some(value);
            rest
        }
    };
    Some(rest)
}

/// The number, from 1, of a name, which from four letters of the pattern on is written out.
fn name<'t>(names: &[&str], count: usize, text: &'t str) -> Option<(u32, &'t str)> {
    names.iter().zip(1..).find_map(|(name, number)| {
        let name = if count >= 4 { name } else { name.get(..3)? };
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (number, &text[name.len()..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::text::time::{date, timestamp};

    #[test]
    fn patterns_read_what_java_reads() {
        for (pattern, text, day) in [
            ("dd/MM/yyyy", "29/02/2024", "2024-02-29"),
            ("dd-MMM-yy", "29-Feb-24", "2024-02-29"),
            ("yyyyMMdd", "20240229", "2024-02-29"),
            ("d.M.yyyy", "9.2.2024", "2024-02-09"),
            ("EEEE, MMMM d, yyyy", "Thursday, February 29, 2024", "2024-02-29"),
            ("yyyy-DDD", "2024-060", "2024-02-29"),
            ("yyyy", "2024", "2024-01-01"),
            ("'day' d 'of' M[ yyyy]", "day 2 of 1", "1970-01-02"),
        ] {
            assert_eq!(DatePattern::new(pattern).unwrap().date(text.as_bytes()), date(day.as_bytes()), "{pattern}");
        }
        for (pattern, text, moment) in [
            ("dd.MM.yyyy HH:mm", "29.02.2024 05:06", "2024-02-29 05:06:00"),
            ("h:mm:ss a MMM d yyyy", "3:04:05 PM Mar 1 2024", "2024-03-01 15:04:05"),
            ("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2024-02-29T01:02:03.5+01:00", "2024-02-29 00:02:03.5"),
            ("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2024-02-29T01:02:03", "2024-02-29 01:02:03"),
            ("yyyyMMddHHmmss", "20240229010203", "2024-02-29 01:02:03"),
        ] {
            let read = DatePattern::new(pattern).unwrap().timestamp(text.as_bytes(), Some(Zone::Utc));
            assert_eq!(read, timestamp(moment.as_bytes(), Some(Zone::Utc)), "{pattern}");
        }
    }

    #[test]
    fn what_does_not_fit_is_nothing() {
        for (pattern, text) in [
            ("dd/MM/yyyy", "2024-02-29"),
            ("dd/MM/yyyy", "30/02/2024"),
            ("yyyyMMdd", "2024022"),
            ("d.M.yyyy", "9.2.2024 "),
            ("h a", "13 PM"),
            ("h", "3"),
        ] {
            let pattern = DatePattern::new(pattern).unwrap();
            assert_eq!(pattern.timestamp(text.as_bytes(), Some(Zone::Utc)), None, "{text}");
        }
        for pattern in ["QQ", "yyyy[", "yyyy]", "'x", "{"] {
            assert!(DatePattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
