//! Dates and times as text by a pattern, and back (`date_format`, `to_timestamp` with a format).
//!
//! The letters are those of Java's `DateTimeFormatter`, as far as Spark takes them:
//!
//! ```text
//!   G era   y year   M L month   d day   D day of the year   Q q quarter   E day of the week
//!   F week of the month   a AM/PM   h k K H hours   m minutes   s seconds   S fraction
//!   V z O X x Z zone     'text'   [optional]
//! ```
//!
//! A pattern is cut into items once and remembered by the thread. Reading takes a fixed number of
//! digits for two and more letters; a year of four letters takes more digits where no other number
//! follows at once.

use super::super::parse::{civil_from_days, days_from_civil, days_in_month};
use super::row::Call;
use super::value::Value;
use super::zones;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Letter(char, usize),
    Text(String),
    Open,
    Close,
}

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Rc<Vec<Item>>>> = RefCell::default();
}

fn items(pattern: &str) -> Result<Rc<Vec<Item>>> {
    PATTERNS.with_borrow_mut(|known| {
        if let Some(items) = known.get(pattern) {
            return Ok(items.clone());
        }
        if known.len() > 64 {
            known.clear();
        }
        let items = Rc::new(cut(pattern)?);
        known.insert(pattern.to_owned(), items.clone());
        Ok(items)
    })
}

fn cut(pattern: &str) -> Result<Vec<Item>> {
    let wrong = |why: String| Error::value(format!("'{pattern}' is no pattern of dates and times: {why}"));
    let mut items = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            'a'..='z' | 'A'..='Z' => {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                let most = match c {
                    'G' | 'M' | 'L' | 'E' | 'Q' | 'q' => 4,
                    'y' => 6,
                    'd' | 'h' | 'H' | 'k' | 'K' | 'm' | 's' => 2,
                    'D' => 3,
                    'S' => 9,
                    'F' | 'a' => 1,
                    'V' => 2,
                    'z' | 'O' => 4,
                    'X' | 'x' | 'Z' => 5,
                    _ => return Err(wrong(format!("the letter {c} is not supported"))),
                };
                if count > most || (c == 'V' && count != 2) || (c == 'O' && !matches!(count, 1 | 4)) {
                    return Err(wrong(format!("too many or too few letters {c}")));
                }
                items.push(Item::Letter(c, count));
            }
            '\'' => {
                let mut text = String::new();
                if chars.next_if_eq(&'\'').is_some() {
                    text.push('\'');
                } else {
                    loop {
                        match chars.next() {
                            Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
                            Some('\'') => break,
                            Some(c) => text.push(c),
                            None => return Err(wrong("a quote is not closed".to_owned())),
                        }
                    }
                }
                items.push(Item::Text(text));
            }
            '[' => items.push(Item::Open),
            ']' => items.push(Item::Close),
            '{' | '}' | '#' => return Err(wrong(format!("the character {c} is reserved"))),
            other => items.push(Item::Text(other.to_string())),
        }
    }
    Ok(items)
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The short English name of a month from 1 on.
pub(super) fn month_name(month: i64) -> &'static str {
    &MONTHS[(month - 1).rem_euclid(12) as usize][..3]
}

/// The short English name of the day of the week of a date.
pub(super) fn day_name(days: i64) -> &'static str {
    &DAYS[(days + 3).rem_euclid(7) as usize][..3]
}

/// `date_format(moment, pattern)`.
pub(super) fn format<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let (micros, zone) = match &call.types[0] {
        DataType::Date32 => (a[0].int() * DAY, &*call.zone),
        DataType::Timestamp(_, Some(zone)) => (a[0].int(), zone.as_ref()),
        _ => (a[0].int(), "UTC"),
    };
    let dated = matches!(call.types[0], DataType::Date32);
    let local = if dated { micros } else { zones::local(micros, zone) };
    written(local, zone, a[1].text()).map(Value::string)
}

/// A local time by a pattern.
pub(super) fn written(local: i64, zone: &str, pattern: &str) -> Result<String> {
    let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second, fraction) =
        (of_day / 3_600_000_000, of_day / 60_000_000 % 60, of_day / SECOND % 60, of_day % SECOND);
    let weekday = (days + 3).rem_euclid(7) as usize;
    let quarter = (month + 2) / 3;
    let mut out = String::new();
    for item in items(pattern)?.iter() {
        match item {
            Item::Text(text) => out.push_str(text),
            Item::Open | Item::Close => {}
            Item::Letter(letter, count) => {
                let count = *count;
                let number = |value: i64| format!("{value:0count$}");
                out += &match letter {
                    'G' => (if count < 4 { ["BC", "AD"] } else { ["Before Christ", "Anno Domini"] })[usize::from(year > 0)]
                        .to_owned(),
                    'y' => {
                        let year = if year > 0 { year } else { 1 - year };
                        match count {
                            2 => format!("{:02}", year % 100),
                            _ if year >= 10_i64.pow(count as u32) && count >= 4 => format!("+{year}"),
                            _ => number(year),
                        }
                    }
                    'M' | 'L' if count == 3 => month_name(month).to_owned(),
                    'M' | 'L' if count == 4 => MONTHS[month as usize - 1].to_owned(),
                    'M' | 'L' => number(month),
                    'd' => number(day),
                    'D' => number(days - days_from_civil(year, 1, 1) + 1),
                    'Q' | 'q' if count == 3 => format!("Q{quarter}"),
                    'Q' | 'q' if count == 4 => format!("{quarter}{} quarter", ["st", "nd", "rd", "th"][quarter as usize - 1]),
                    'Q' | 'q' => number(quarter),
                    'E' if count < 4 => DAYS[weekday][..3].to_owned(),
                    'E' => DAYS[weekday].to_owned(),
                    'F' => ((day - 1) % 7 + 1).to_string(),
                    'a' => (if hour < 12 { "AM" } else { "PM" }).to_owned(),
                    'h' => number((hour + 11) % 12 + 1),
                    'H' => number(hour),
                    'k' => number((hour + 23) % 24 + 1),
                    'K' => number(hour % 12),
                    'm' => number(minute),
                    's' => number(second),
                    'S' => format!("{fraction:06}000")[..count].to_owned(),
                    _ => zone_text(*letter, count, local, zone)?,
                };
            }
        }
    }
    Ok(out)
}

fn zone_text(letter: char, count: usize, local: i64, name: &str) -> Result<String> {
    let zone = zones::zone(name)?;
    let seconds = zones::offset_at(zones::to_utc(local, &zone), &zone) / SECOND;
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    Ok(match (letter, count) {
        ('V', _) => name.to_owned(),
        ('z', 4) if name == "UTC" => "Coordinated Universal Time".to_owned(),
        ('z', _) if name == "UTC" => name.to_owned(),
        ('z', _) => {
            let utc = chrono::DateTime::from_timestamp_micros(zones::to_utc(local, &zone)).unwrap_or_default();
            utc.with_timezone(&zone).format("%Z").to_string()
        }
        ('O', _) | ('Z', 4) if seconds == 0 => "GMT".to_owned(),
        ('O', 1) if minutes == 0 => format!("GMT{sign}{hours}"),
        ('O', 1) => format!("GMT{sign}{hours}:{minutes:02}"),
        ('O', _) | ('Z', 4) => format!("GMT{sign}{hours:02}:{minutes:02}"),
        ('X', _) | ('Z', 5) if seconds == 0 => "Z".to_owned(),
        ('X' | 'x', 1) if minutes == 0 => format!("{sign}{hours:02}"),
        ('X' | 'x', 1 | 2 | 4) | ('Z', 1..=3) => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    })
}

/// What was read of a text.
#[derive(Debug, Default, Clone)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    of_year: Option<i64>,
    hour: Option<i64>,
    half: Option<(i64, bool)>,
    pm: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    micros: Option<i64>,
    zone: Option<String>,
    bc: bool,
}

/// The local time that `text` shows by a pattern, and the zone if it names one.
pub(super) fn read(text: &str, pattern: &str) -> Result<(i64, Option<String>)> {
    let wrong = || {
        Error::value(format!("'{text}' does not match the pattern '{pattern}'"))
            .with_hint("the function of the same name with try_ in front gives NULL instead of an error")
    };
    let items = items(pattern)?;
    if let Some(Item::Letter(letter, _)) = items.iter().find(|item| matches!(item, Item::Letter('E' | 'F' | 'Q' | 'q', _))) {
        return Err(Error::value(format!("the letter {letter} of the pattern '{pattern}' is for writing only")));
    }
    let mut fields = Fields::default();
    let rest = take(&items, text, &mut fields).ok_or_else(wrong)?;
    if !rest.is_empty() {
        return Err(wrong());
    }
    local(&fields).map(|local| (local, fields.zone.clone())).ok_or_else(wrong)
}

fn local(fields: &Fields) -> Option<i64> {
    let year = fields.year.unwrap_or(1970);
    let year = if fields.bc { 1 - year } else { year };
    let (month, day) = (fields.month.unwrap_or(1), fields.day.unwrap_or(1));
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let mut days = days_from_civil(year, month, day);
    if let (Some(of_year), None, None) = (fields.of_year, fields.month, fields.day) {
        if !(1..=days_from_civil(year + 1, 1, 1) - days_from_civil(year, 1, 1)).contains(&of_year) {
            return None;
        }
        days += of_year - 1;
    }
    let hour = match (fields.hour, fields.half) {
        (Some(hour), _) => hour,
        (None, Some((hour, from_one))) => {
            let range = if from_one { 1..=12 } else { 0..=11 };
            range.contains(&hour).then_some(hour % 12 + if fields.pm == Some(true) { 12 } else { 0 })?
        }
        (None, None) if fields.pm == Some(true) => 12,
        (None, None) => 0,
    };
    let (minute, second) = (fields.minute.unwrap_or(0), fields.second.unwrap_or(0));
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return None;
    }
    let of_day = (hour * 3600 + minute * 60 + second) * SECOND + fields.micros.unwrap_or(0);
    days.checked_mul(DAY)?.checked_add(of_day)
}

/// Reads the items off the front of a text; what is left.
fn take<'t>(items: &[Item], mut text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    let mut at = 0;
    while at < items.len() {
        match &items[at] {
            Item::Text(wanted) => text = text.strip_prefix(wanted.as_str())?,
            Item::Close => {}
            Item::Open => {
                let mut depth = 0;
                let end = (at..items.len()).find(|at| {
                    depth += match items[*at] {
                        Item::Open => 1,
                        Item::Close => -1,
                        _ => 0,
                    };
                    depth == 0
                });
                let end = end.unwrap_or(items.len());
                let mut tried = fields.clone();
                if let Some(rest) = take(&items[at + 1..end], text, &mut tried) {
                    (text, *fields) = (rest, tried);
                }
                at = end;
            }
            Item::Letter(letter, count) => {
                // Digits that the numbers right behind this one need.
                let behind = items[at + 1..].iter().map_while(|item| match item {
                    Item::Letter('y' | 'M' | 'L' | 'd' | 'D' | 'h' | 'H' | 'k' | 'K' | 'm' | 's', count @ 1..=2)
                    | Item::Letter('y' | 'D' | 'S', count) => Some(*count),
                    _ => None,
                });
                text = letter_of(*letter, *count, behind.sum(), text, fields)?;
            }
        }
        at += 1;
    }
    Some(text)
}

fn letter_of<'t>(letter: char, count: usize, behind: usize, text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = |least: usize, most: usize| -> Option<(i64, &'t str)> {
        let len = digits.saturating_sub(behind).max(least.min(digits)).min(most);
        if len < least || len == 0 {
            return None;
        }
        Some((text[..len].parse().ok()?, &text[len..]))
    };
    let plain = |most: usize| if count == 1 { number(1, most) } else { number(count, count) };
    let name = |names: &[&str], short: bool| {
        names.iter().enumerate().find_map(|(at, name)| {
            let wanted = if short { &name[..3] } else { *name };
            let found = text.get(..wanted.len()).filter(|found| found.eq_ignore_ascii_case(wanted))?;
            Some((at as i64 + 1, &text[found.len()..]))
        })
    };
    let (value, rest) = match letter {
        'y' if count == 2 => number(2, 2).map(|(value, rest)| (2000 + value, rest))?,
        'y' if count >= 4 => match text.strip_prefix('+') {
            Some(after) => {
                let len = after.bytes().take_while(u8::is_ascii_digit).count();
                (after[..len].parse().ok().filter(|_| len > count)?, &after[len..])
            }
            None => number(count, if behind > 0 || count > 4 { 18 } else { count })?,
        },
        'y' => number(count, 18)?,
        'M' | 'L' if count == 3 => name(&MONTHS, true)?,
        'M' | 'L' if count == 4 => name(&MONTHS, false)?,
        'D' if count < 3 => number(count, 3)?,
        'D' => number(3, 3)?,
        'd' | 'M' | 'L' | 'h' | 'H' | 'k' | 'K' | 'm' | 's' => plain(18)?,
        'S' => {
            let len = digits.min(count);
            let text_digits = text.get(..len).filter(|digits| !digits.is_empty())?;
            (format!("{text_digits:0<6}")[..6].parse().ok()?, &text[len..])
        }
        'a' => match text.get(..2)?.to_ascii_uppercase().as_str() {
            "AM" => (0, &text[2..]),
            "PM" => (1, &text[2..]),
            _ => return None,
        },
        'G' => match text.get(..2)?.to_ascii_uppercase().as_str() {
            "AD" => (0, &text[2..]),
            "BC" => (1, &text[2..]),
            _ => return None,
        },
        _ => {
            let (zone, rest) = zone_of(letter, count, text)?;
            fields.zone = Some(zone);
            return Some(rest);
        }
    };
    match letter {
        'y' => fields.year = Some(value),
        'M' | 'L' => fields.month = Some(value),
        'd' => fields.day = Some(value),
        'D' => fields.of_year = Some(value),
        'H' => fields.hour = Some(value),
        'k' => fields.hour = Some(if (1..=24).contains(&value) { value % 24 } else { return None }),
        'h' => fields.half = Some((value, true)),
        'K' => fields.half = Some((value, false)),
        'm' => fields.minute = Some(value),
        's' => fields.second = Some(value),
        'S' => fields.micros = Some(value),
        'a' => fields.pm = Some(value == 1),
        _ => fields.bc = value == 1,
    }
    Some(rest)
}

fn zone_of(letter: char, count: usize, text: &str) -> Option<(String, &str)> {
    match letter {
        'X' | 'Z' if text.starts_with('Z') && (letter == 'X' || count == 5) => Some(("UTC".to_owned(), &text[1..])),
        'X' | 'x' | 'Z' => {
            let (text, prefix) = if letter == 'Z' && count == 4 { (text.strip_prefix("GMT")?, 3) } else { (text, 0) };
            let _ = prefix;
            let sign = text.chars().next().filter(|c| matches!(c, '+' | '-'))?;
            let colon = matches!((letter, count), (_, 3 | 5) | ('Z', 4)) && !(letter == 'Z' && count == 3);
            let len = match () {
                () if colon => 6,
                () if count == 1
                    && letter != 'Z'
                    && !text.get(3..5).is_some_and(|two| two.bytes().all(|b| b.is_ascii_digit())) =>
                {
                    3
                }
                () => 5,
            };
            let offset = text.get(..len)?;
            let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
            if !matches!(digits.len(), 2 | 4) || (colon && offset.as_bytes()[3] != b':') {
                return None;
            }
            let minutes = digits.get(2..).filter(|minutes| !minutes.is_empty()).unwrap_or("00");
            Some((format!("{sign}{}:{minutes}", &digits[..2]), &text[len..]))
        }
        _ => {
            let len = text.find(|c: char| !(c.is_alphanumeric() || "/_+-:".contains(c))).unwrap_or(text.len());
            let name = &text[..len];
            zones::zone(name).ok().map(|_| (name.to_owned(), &text[len..]))
        }
    }
}
