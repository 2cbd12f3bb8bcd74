//! Regular expressions. Patterns are Java's, as far as a matcher without backtracking goes.

use super::super::like::regex;
use super::row::{Call, Gives, Row, partial};
use super::value::Value;
use crate::error::{Error, Result};
use regex::Regex;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

pub(super) static ROWS: &[Row] = &[
    partial("regexp_count", "SS", Gives::Int, |_, a| {
        Ok(Value::Int(compiled(a[1].text())?.find_iter(a[0].text()).count() as i64))
    }),
    partial("regexp_instr", "SSI?", Gives::Int, |_, a| {
        let found = compiled(a[1].text())?.find(a[0].text()).map(|found| a[0].text()[..found.start()].chars().count());
        Ok(Value::Int(found.map_or(0, |at| at as i64 + 1)))
    }),
    partial("regexp_substr", "SS", Gives::Text, |_, a| {
        let found = compiled(a[1].text())?;
        Ok(Value::or_null(found.find(a[0].text()), |found| Value::string(found.as_str())))
    }),
    partial("regexp_extract", "SSI?", Gives::Text, |_, a| {
        let regex = compiled(a[1].text())?;
        let group = group(&regex, a.get(2))?;
        let captures = regex.captures(a[0].text());
        let text = captures.and_then(|found| found.get(group).map(|found| found.as_str().to_owned()));
        Ok(Value::string(text.unwrap_or_default()))
    }),
    partial("regexp_extract_all", "SSI?", Gives::Texts, |_, a| {
        let regex = compiled(a[1].text())?;
        let group = group(&regex, a.get(2))?;
        let all = regex.captures_iter(a[0].text());
        Ok(Value::List(all.map(|found| Value::string(found.get(group).map_or("", |found| found.as_str()))).collect()))
    }),
    partial("regexp_replace", "SSSI?", Gives::Text, replace),
    partial("split", "SSI?", Gives::Texts, |_, a| split(a[0].text(), a[1].text(), a.get(2).map_or(-1, Value::int))),
];

/// Patterns that a thread keeps compiled. Guessed: a query has a handful.
const KEPT: usize = 64;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Rc<Regex>>> = RefCell::default();
}

/// The compiled pattern, remembered by this thread.
pub(super) fn compiled(pattern: &str) -> Result<Rc<Regex>> {
    COMPILED.with_borrow_mut(|known| {
        if let Some(regex) = known.get(pattern) {
            return Ok(regex.clone());
        }
        if known.len() >= KEPT {
            known.clear();
        }
        let regex = Rc::new(regex(pattern, false)?);
        known.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    })
}

/// The group asked for, 1 unless said.
fn group(regex: &Regex, asked: Option<&Value>) -> Result<usize> {
    let asked = asked.map_or(1, Value::int);
    match usize::try_from(asked) {
        Ok(group) if group < regex.captures_len() => Ok(group),
        _ => Err(Error::value(format!("the pattern has no group {asked}, but groups 0 to {}", regex.captures_len() - 1))),
    }
}

/// Replaces all matches from a position on; `$1` and `\$` as in Java.
fn replace<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let regex = compiled(a[1].text())?;
    let from = a.get(3).map_or(1, Value::int);
    if from < 1 {
        return Err(Error::value(format!("the position {from} is before the text; positions count from 1")));
    }
    let text = a[0].text();
    let start = text.char_indices().nth(from as usize - 1).map_or(text.len(), |(at, _)| at);
    if start == text.len() && from > 1 {
        return Ok(a[0].clone());
    }
    let with = java_replacement(a[2].text(), regex.captures_len())?;
    Ok(Value::string(format!("{}{}", &text[..start], regex.replace_all(&text[start..], with.as_str()))))
}

/// Java writes groups as `$1`; the regex crate would read `$1a` as a group named `1a`.
fn java_replacement(text: &str, groups: usize) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => return Err(Error::value("the replacement ends with a backslash")),
            },
            '$' => {
                let named = chars.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| if named { *c != '}' } else { c.is_ascii_digit() }) {
                    // More digits than there are groups are text behind the group.
                    if !named && !name.is_empty() && format!("{name}{c}").parse().is_ok_and(|group: usize| group >= groups) {
                        out.push_str(&format!("${{{name}}}{c}"));
                        name.clear();
                        break;
                    }
                    name.push(c);
                }
                if named {
                    chars.next();
                }
                match name.parse::<usize>() {
                    Ok(group) if group >= groups => return Err(Error::value(format!("the pattern has no group {group}"))),
                    _ if name.is_empty() && !out.ends_with(|c: char| c.is_ascii_digit()) => {
                        return Err(Error::value("a group's number is missing behind $ in the replacement"));
                    }
                    _ if name.is_empty() => {}
                    _ => out.push_str(&format!("${{{name}}}")),
                }
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

/// At most `limit` pieces if that is positive. An empty pattern gives the characters.
fn split<'a>(text: &str, pattern: &str, limit: i64) -> Result<Value<'a>> {
    if pattern.is_empty() && !text.is_empty() {
        // The last piece has what is left.
        let most = if limit > 0 { limit as usize } else { usize::MAX };
        let cut = text.char_indices().nth(most - 1).map_or(text.len(), |(at, _)| at);
        let mut pieces: Vec<Value> = text[..cut].chars().map(|c| Value::string(c.to_string())).collect();
        if cut < text.len() {
            pieces.push(Value::string(&text[cut..]));
        }
        return Ok(Value::List(pieces));
    }
    let regex = compiled(pattern)?;
    let mut pieces = Vec::new();
    let mut start = 0;
    for found in regex.find_iter(text) {
        if limit > 0 && pieces.len() as i64 == limit - 1 {
            break;
        }
        // A match of nothing at the start cuts nothing off.
        if found.end() == 0 {
            continue;
        }
        pieces.push(Value::string(&text[start..found.start()]));
        start = found.end();
    }
    pieces.push(Value::string(&text[start..]));
    Ok(Value::List(pieces))
}
