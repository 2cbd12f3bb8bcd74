//! Functions of strings, the rarer ones. Positions and lengths count characters, from 1.

use super::row::{Call, Gives, Row, Shape, partial, total};
use super::signature::is_binary;
use super::value::Value;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use std::borrow::Cow;

pub(super) static ROWS: &[Row] = &[
    total("ascii", "S", Gives::Int, |_, a| Ok(Value::Int(a[0].text().chars().next().map_or(0, |c| i64::from(u32::from(c)))))),
    total("trim", "SS?", Gives::Text, |_, a| Ok(trimmed(a, true, true, true))),
    total("ltrim", "SS?", Gives::Text, |_, a| Ok(trimmed(a, true, false, true))),
    total("rtrim", "SS?", Gives::Text, |_, a| Ok(trimmed(a, false, true, true))),
    total("btrim", "SS?", Gives::Text, |_, a| Ok(trimmed(a, true, true, false))),
    total("char", "L", Gives::Text, |_, a| {
        Ok(Value::string(match a[0].int() {
            ..0 => String::new(),
            code => char::from((code & 0xff) as u8).to_string(),
        }))
    })
    .or(&["chr"]),
    total("char_length", "E", Gives::Int, |_, a| Ok(length(&a[0]))).or(&["character_length", "len", "length"]),
    total("octet_length", "E", Gives::Int, |_, a| Ok(Value::Int(a[0].bytes().len() as i64))),
    total("bit_length", "E", Gives::Int, |_, a| Ok(Value::Int(a[0].bytes().len() as i64 * 8))),
    total("concat_ws", "S.*", Gives::Text, concat_ws).sees_null(),
    total("contains", "EE", Gives::Bool, |_, a| Ok(Value::Bool(memchr::memmem::find(a[0].bytes(), a[1].bytes()).is_some()))),
    total("startswith", "EE", Gives::Bool, |_, a| Ok(Value::Bool(a[0].bytes().starts_with(a[1].bytes())))).or(&["starts_with"]),
    total("endswith", "EE", Gives::Bool, |_, a| Ok(Value::Bool(a[0].bytes().ends_with(a[1].bytes())))).or(&["ends_with"]),
    partial("elt", "IE*", Gives::Text, elt).sees_null(),
    total("find_in_set", "SS", Gives::Int, |_, a| {
        let found = if a[0].text().contains(',') { None } else { a[1].text().split(',').position(|item| item == a[0].text()) };
        Ok(Value::Int(found.map_or(0, |at| at as i64 + 1)))
    }),
    total("initcap", "S", Gives::Text, |_, a| Ok(Value::string(initcap(a[0].text())))),
    total("lower", "S", Gives::Text, |_, a| Ok(Value::string(a[0].text().to_lowercase()))).or(&["lcase"]),
    total("upper", "S", Gives::Text, |_, a| Ok(Value::string(a[0].text().to_uppercase()))).or(&["ucase"]),
    total("levenshtein", "SSI?", Gives::Int, levenshtein),
    total("jaro_winkler_similarity", "SS", Gives::Double, |_, a| Ok(Value::Double(jaro_winkler(a[0].text(), a[1].text())))),
    total("lpad", "EIE?", PADDED, |call, a| Ok(padded(call, a, true))),
    total("rpad", "EIE?", PADDED, |call, a| Ok(padded(call, a, false))),
    total("luhn_check", "S", Gives::Bool, |_, a| Ok(Value::Bool(luhn(a[0].text())))),
    total("mask", "SS?S?S?S?", Gives::Text, mask).sees_null(),
    total("overlay", "EEII?", Gives::Like(0), overlay),
    total("quote", "S", Gives::Text, |_, a| Ok(Value::string(format!("'{}'", a[0].text().replace('\'', "\\'"))))),
    total("repeat", "SI", Gives::Text, |_, a| Ok(Value::string(a[0].text().repeat(a[1].int().max(0) as usize)))),
    total("sentences", "SS?S?", SENTENCES, |_, a| Ok(sentences(a[0].text()))),
    total("soundex", "S", Gives::Text, |_, a| Ok(Value::string(soundex(a[0].text())))),
    total("space", "I", Gives::Text, |_, a| Ok(Value::string(" ".repeat(a[0].int().max(0) as usize)))),
    partial("split_part", "SSI", Gives::Text, split_part),
    total("substring_index", "SSI", Gives::Text, |_, a| Ok(substring_index(a))),
    total("translate", "SSS", Gives::Text, |_, a| Ok(translate(a))),
    total("is_valid_utf8", "E", Gives::Bool, |_, a| Ok(Value::Bool(std::str::from_utf8(a[0].bytes()).is_ok()))),
    total("make_valid_utf8", "E", Gives::Text, |_, a| Ok(Value::string(String::from_utf8_lossy(a[0].bytes())))),
    partial("validate_utf8", "E", Gives::Text, |_, a| valid_utf8(&a[0])),
    total("try_validate_utf8", "E", Gives::Text, |_, a| valid_utf8(&a[0])).attempt(),
];

const PADDED: Gives =
    Gives::By(|shape: &Shape| Ok(if is_binary(&shape.of(0)) { DataType::BinaryView } else { DataType::Utf8View }));
const SENTENCES: Gives = Gives::By(|_| Ok(super::signature::list_of(super::signature::list_of(DataType::Utf8View))));

fn length<'a>(value: &Value) -> Value<'a> {
    Value::Int(match value {
        Value::Bytes(bytes) => bytes.len() as i64,
        other => other.text().chars().count() as i64,
    })
}

/// The call `trim(characters, text)` names the characters first, `btrim` last.
fn trimmed<'a>(a: &[Value<'a>], left: bool, right: bool, set_first: bool) -> Value<'a> {
    let (text, set) = match a {
        [text] => (text, " "),
        [set, text] if set_first => (text, set.text()),
        [text, set, ..] => (text, set.text()),
        [] => return Value::Null,
    };
    let within = |c: char| set.contains(c);
    let cut = |text: &'_ str| -> (usize, usize) {
        let kept = if left { text.trim_start_matches(within) } else { text };
        let start = text.len() - kept.len();
        let kept = if right { kept.trim_end_matches(within) } else { kept };
        (start, start + kept.len())
    };
    match text {
        Value::Text(Cow::Borrowed(text)) => {
            let (start, end) = cut(text);
            Value::Text(Cow::Borrowed(&text[start..end]))
        }
        other => {
            let (start, end) = cut(other.text());
            Value::string(&other.text()[start..end])
        }
    }
}

/// Texts and arrays of them, NULLs left out.
fn concat_ws<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    if a[0].is_null() {
        return Ok(Value::Null);
    }
    let mut parts: Vec<String> = Vec::new();
    for (value, data_type) in a.iter().zip(&call.types).skip(1) {
        match value {
            Value::Null => {}
            Value::List(items) => parts.extend(items.iter().filter(|item| !item.is_null()).map(|item| item.text().to_owned())),
            other => parts.push(super::show::text(other, data_type)),
        }
    }
    Ok(Value::string(parts.join(a[0].text())))
}

fn elt<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    if a[0].is_null() {
        return Ok(Value::Null);
    }
    let at = a[0].int();
    match usize::try_from(at).ok().filter(|at| *at > 0).and_then(|at| a.get(at)) {
        Some(Value::Bytes(bytes)) => Ok(Value::string(String::from_utf8_lossy(bytes))),
        Some(value) => Ok(value.clone()),
        None => Err(Error::value(format!("the index {at} is outside of 1 to {}", call.types.len() - 1))),
    }
}

fn initcap(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase())
        } else {
            out.extend(c.to_lowercase())
        }
        start = c == ' ';
    }
    out
}

fn levenshtein<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let (left, right): (Vec<char>, Vec<char>) = (a[0].text().chars().collect(), a[1].text().chars().collect());
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    let distance = row[right.len()] as i64;
    Ok(Value::Int(match a.get(2) {
        Some(most) if distance > most.int() => -1,
        _ => distance,
    }))
}

/// Winkler (1990): Jaro's share of common characters, raised for a common start of at most four.
fn jaro_winkler(left: &str, right: &str) -> f64 {
    let (l, r): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if l.is_empty() && r.is_empty() {
        return 1.0;
    }
    if l.is_empty() || r.is_empty() {
        return 0.0;
    }
    let reach = (l.len().max(r.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; r.len()];
    let mut matched = Vec::new();
    for (i, c) in l.iter().enumerate() {
        let range = i.saturating_sub(reach)..(i + reach + 1).min(r.len());
        if let Some(j) = range.into_iter().find(|j| !taken[*j] && r[*j] == *c) {
            taken[j] = true;
            matched.push(*c);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let others = r.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(c, _)| *c);
    let moved = matched.iter().zip(others).filter(|(a, b)| **a != *b).count() / 2;
    let m = matched.len() as f64;
    let jaro = (m / l.len() as f64 + m / r.len() as f64 + (m - moved as f64) / m) / 3.0;
    let prefix = l.iter().zip(&r).take(4).take_while(|(a, b)| a == b).count() as f64;
    jaro + prefix * 0.1 * (1.0 - jaro)
}

fn padded<'a>(call: &Call, a: &[Value<'a>], left: bool) -> Value<'a> {
    let len = a[1].int().max(0) as usize;
    if call.result == DataType::BinaryView {
        let pad = a.get(2).map_or(&b"\0"[..], |pad| pad.bytes());
        let mut bytes = a[0].bytes().to_vec();
        bytes.truncate(len);
        let fill: Vec<u8> = pad.iter().copied().cycle().take(if pad.is_empty() { 0 } else { len - bytes.len() }).collect();
        return Value::Bytes(Cow::Owned(if left { [fill, bytes].concat() } else { [bytes, fill].concat() }));
    }
    let (text, pad) = (a[0].text(), a.get(2).map_or(" ", |pad| pad.text()));
    let kept: String = text.chars().take(len).collect();
    let missing = len - kept.chars().count();
    let fill: String = if pad.is_empty() { String::new() } else { pad.chars().cycle().take(missing).collect() };
    Value::string(if left { fill + &kept } else { kept + &fill })
}

fn luhn(text: &str) -> bool {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let digits = text.bytes().rev().map(|byte| u32::from(byte - b'0')).enumerate();
    let sum: u32 = digits.map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }).sum();
    sum.is_multiple_of(10)
}

fn mask<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    if a[0].is_null() {
        return Ok(Value::Null);
    }
    let with = |at: usize, default: Option<char>| -> Result<Option<char>> {
        match a.get(at) {
            None => Ok(default),
            Some(Value::Null) => Ok(None),
            Some(value) => {
                let mut chars = value.text().chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => Ok(Some(one)),
                    _ => Err(Error::value("a character to mask with must be one character")),
                }
            }
        }
    };
    let _ = call;
    let (upper, lower, digit, other) = (with(1, Some('X'))?, with(2, Some('x'))?, with(3, Some('n'))?, with(4, None)?);
    let masked = a[0].text().chars().map(|c| {
        let by = match c {
            c if c.is_uppercase() => upper,
            c if c.is_lowercase() => lower,
            c if c.is_ascii_digit() => digit,
            _ => other,
        };
        by.unwrap_or(c)
    });
    Ok(Value::string(masked.collect::<String>()))
}

/// `overlay(text, with, position[, length])`; without a length that of `with`.
fn overlay<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let at = a[2].int();
    if let Value::Bytes(bytes) = &a[0] {
        let with = a[1].bytes();
        let len = a.get(3).map(Value::int).filter(|len| *len >= 0).unwrap_or(with.len() as i64);
        let piece = |start: i64, end: i64| -> &[u8] {
            let clamp = |at: i64| at.clamp(0, bytes.len() as i64) as usize;
            &bytes[clamp(start)..clamp(end).max(clamp(start))]
        };
        let start = if at > 0 { at - 1 } else { 0 };
        let rest = at.saturating_add(len).saturating_sub(1);
        return Ok(Value::Bytes(Cow::Owned([piece(0, start), with, piece(rest, i64::MAX)].concat())));
    }
    let chars: Vec<char> = a[0].text().chars().collect();
    let with = a[1].text();
    let len = a.get(3).map(Value::int).filter(|len| *len >= 0).unwrap_or(with.chars().count() as i64);
    let clamp = |at: i64| at.clamp(0, chars.len() as i64) as usize;
    let mut out: String = chars[..clamp(at - 1)].iter().collect();
    out.push_str(with);
    out.extend(&chars[clamp(at.saturating_add(len).saturating_sub(1))..]);
    Ok(Value::string(out))
}

/// Sentences end at `.`, `!` or `?` before white space; words are runs of letters and digits.
fn sentences<'a>(text: &str) -> Value<'a> {
    let mut found = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for at in 0..=bytes.len() {
        let ends = at == bytes.len()
            || (matches!(bytes[at], b'.' | b'!' | b'?') && bytes.get(at + 1).is_none_or(|next| next.is_ascii_whitespace()));
        if ends && at >= start {
            let words = text[start..at].split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '_'));
            let words: Vec<Value> = words.filter(|word| !word.is_empty()).map(Value::string).collect();
            if !words.is_empty() {
                found.push(Value::List(words));
            }
            start = at + 1;
        }
    }
    Value::List(found)
}

fn soundex(text: &str) -> String {
    let code = |c: char| match c.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => Some('1'),
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
        'D' | 'T' => Some('3'),
        'L' => Some('4'),
        'M' | 'N' => Some('5'),
        'R' => Some('6'),
        'H' | 'W' => None,
        _ => Some('0'),
    };
    let mut chars = text.chars();
    let Some(first) = chars.next().filter(char::is_ascii_alphabetic) else { return text.to_owned() };
    let mut out = String::from(first.to_ascii_uppercase());
    let mut last = code(first).unwrap_or('7');
    for c in chars {
        if !c.is_ascii_alphabetic() {
            last = '0';
            continue;
        }
        // H and W do not part letters of one code.
        let Some(digit) = code(c) else { continue };
        if digit != '0' && digit != last {
            out.push(digit);
            if out.len() == 4 {
                break;
            }
        }
        last = digit;
    }
    format!("{out:0<4}")
}

fn split_part<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let at = a[2].int();
    if at == 0 {
        return Err(Error::value("the index of a part is 0; parts count from 1, or from -1 at the end"));
    }
    let parts: Vec<&str> = if a[1].text().is_empty() { vec![a[0].text()] } else { a[0].text().split(a[1].text()).collect() };
    let index = if at > 0 { usize::try_from(at - 1).ok() } else { parts.len().checked_sub(at.unsigned_abs() as usize) };
    Ok(Value::string(index.and_then(|index| parts.get(index)).copied().unwrap_or_default()))
}

fn substring_index<'a>(a: &[Value<'a>]) -> Value<'a> {
    let (text, part, count) = (a[0].text(), a[1].text(), a[2].int());
    if part.is_empty() || count == 0 {
        return Value::string("");
    }
    let nth = count.unsigned_abs() as usize - 1;
    let cut = match count {
        1.. => text.match_indices(part).nth(nth).map(|(at, _)| &text[..at]),
        _ => text.rmatch_indices(part).nth(nth).map(|(at, _)| &text[at + part.len()..]),
    };
    Value::string(cut.unwrap_or(text))
}

fn translate<'a>(a: &[Value<'a>]) -> Value<'a> {
    let to: Vec<char> = a[2].text().chars().collect();
    let mut map = std::collections::HashMap::new();
    a[1].text().chars().enumerate().for_each(|(at, from)| {
        map.entry(from).or_insert_with(|| to.get(at).copied());
    });
    Value::string(a[0].text().chars().filter_map(|c| map.get(&c).copied().unwrap_or(Some(c))).collect::<String>())
}

fn valid_utf8<'a>(value: &Value<'a>) -> Result<Value<'a>> {
    match std::str::from_utf8(value.bytes()) {
        Ok(text) => Ok(Value::string(text)),
        Err(_) => Err(Error::value("the bytes are not UTF-8")),
    }
}
