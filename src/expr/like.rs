//! LIKE and regular expressions.
//!
//! A pattern is cut at its `%` into pieces. Patterns without `_` need no more than comparing the
//! ends and finding the pieces in between from left to right with `memmem`; the leftmost place of
//! each piece is always good enough. Others are matched byte by byte, going back to the last `%`.
//! NULL gives NULL.

use super::kernel::{Arg, Kernel, union_nulls};
use super::like_block::rows_with;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use memchr::memmem::Finder;
use regex::Regex;
use std::sync::Arc;

/// A compiled LIKE pattern.
#[derive(Debug)]
pub(super) enum Matcher {
    /// No wildcard.
    Exact(String),
    /// `prefix%a%b%suffix`, any of which may be empty.
    Pieces { prefix: String, middle: Vec<Finder<'static>>, suffix: String },
    /// With `_`.
    General(Vec<Token>),
}

/// A step of a general pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token {
    Char(char),
    AnyChar,
    AnyString,
}

impl Matcher {
    /// Compiles `pattern`; `escape` makes the character after it stand for itself.
    pub fn new(pattern: &str, escape: Option<char>) -> Result<Self> {
        let escape = escape.unwrap_or('\\');
        let mut tokens = Vec::new();
        let mut chars = pattern.chars();
        while let Some(next) = chars.next() {
            tokens.push(match next {
                _ if next == escape => match chars.next() {
                    Some(escaped) => Token::Char(escaped),
                    None => return Err(Error::value(format!("the pattern '{pattern}' of LIKE ends with its escape character"))),
                },
                '%' => Token::AnyString,
                '_' => Token::AnyChar,
                other => Token::Char(other),
            });
        }
        if tokens.contains(&Token::AnyChar) {
            tokens.dedup_by(|a, b| *a == Token::AnyString && *b == Token::AnyString);
            return Ok(Self::General(tokens));
        }
        let text = |tokens: &[Token]| -> String {
            tokens.iter().filter_map(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
        };
        let mut pieces: Vec<String> = tokens.split(|token| *token == Token::AnyString).map(text).collect();
        if pieces.len() == 1 {
            return Ok(Self::Exact(pieces.remove(0)));
        }
        let prefix = pieces.remove(0);
        let suffix = pieces.pop().unwrap_or_default();
        let middle = pieces.into_iter().filter(|piece| !piece.is_empty());
        let middle = middle.map(|piece| Finder::new(piece.as_bytes()).into_owned()).collect();
        Ok(Self::Pieces { prefix, middle, suffix })
    }

    /// What every matching string starts with.
    pub fn prefix(&self) -> String {
        match self {
            Self::Exact(text) => text.clone(),
            Self::Pieces { prefix, .. } => prefix.clone(),
            Self::General(tokens) => {
                tokens.iter().map_while(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
            }
        }
    }

    /// Whether the pattern is only a prefix followed by `%`.
    pub fn is_prefix(&self) -> bool {
        matches!(self, Self::Pieces { middle, suffix, .. } if middle.is_empty() && suffix.is_empty())
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => text == wanted,
            Self::Pieces { prefix, middle, suffix } => {
                let bytes = text.as_bytes();
                if bytes.len() < prefix.len() + suffix.len() || !text.starts_with(prefix) || !text.ends_with(suffix) {
                    return false;
                }
                find_pieces(middle, &bytes[prefix.len()..bytes.len() - suffix.len()])
            }
            Self::General(tokens) => matches_tokens(tokens, text),
        }
    }
}

/// Whether all pieces stand in `text`, one behind the other.
fn find_pieces(pieces: &[Finder], mut text: &[u8]) -> bool {
    for piece in pieces {
        match piece.find(text) {
            Some(at) => text = &text[at + piece.needle().len()..],
            None => return false,
        }
    }
    true
}

/// Goes back to the last `%` when stuck: quadratic at worst, linear for usual patterns.
fn matches_tokens(tokens: &[Token], text: &str) -> bool {
    let (mut at, mut rest) = (0, text);
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let mut chars = rest.chars();
        match (tokens.get(at), chars.next()) {
            (Some(Token::AnyString), _) => {
                at += 1;
                retry = Some((at, rest));
                continue;
            }
            (Some(Token::AnyChar), Some(_)) => {
                (at, rest) = (at + 1, chars.as_str());
                continue;
            }
            (Some(Token::Char(wanted)), Some(found)) if *wanted == found => {
                (at, rest) = (at + 1, chars.as_str());
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((token, from)) = retry else { return false };
        let mut chars = from.chars();
        if chars.next().is_none() {
            return false;
        }
        (at, rest) = (token, chars.as_str());
        retry = Some((token, rest));
    }
}

/// The kernel of LIKE and ILIKE: the value, then the pattern unless `matcher` knows it.
#[derive(Debug)]
pub(super) struct Like {
    pub matcher: Option<Matcher>,
    pub escape: Option<char>,
    pub negated: bool,
    pub ignore_case: bool,
}

impl Kernel for Like {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        if args.iter().any(Arg::is_null) {
            return Ok(new_null_array(&DataType::Boolean, rows));
        }
        let nulls = union_nulls(args);
        let texts = args[0].array.as_string_view();
        let fold = |text: &str| text.to_lowercase();
        let test = |matcher: &Matcher, row: usize| {
            let text = texts.value(args[0].at(row));
            let found = if self.ignore_case { matcher.matches(&fold(text)) } else { matcher.matches(text) };
            found != self.negated
        };
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let values = match &self.matcher {
            Some(Matcher::Pieces { prefix, middle, suffix })
                if prefix.is_empty() && !middle.is_empty() && !self.ignore_case && !args[0].is_const =>
            {
                let found = rows_with(texts, &middle[0], |rest| {
                    rest.ends_with(suffix.as_bytes()) && find_pieces(&middle[1..], &rest[..rest.len() - suffix.len()])
                });
                let found = if self.negated { !&found } else { found };
                match &nulls {
                    Some(nulls) => &found & nulls.inner(),
                    None => found,
                }
            }
            Some(matcher) => BooleanBuffer::collect_bool(rows, |row| !is_null(row) && test(matcher, row)),
            None => {
                let patterns = args[1].array.as_string_view();
                let mut last: Option<(&str, Matcher)> = None;
                let mut values = Vec::with_capacity(rows);
                for row in 0..rows {
                    if is_null(row) {
                        values.push(false);
                        continue;
                    }
                    let pattern = patterns.value(args[1].at(row));
                    let matcher = match &last {
                        Some((known, _)) if *known == pattern => last.as_ref(),
                        _ => {
                            let folded = if self.ignore_case { fold(pattern) } else { pattern.to_owned() };
                            last = Some((pattern, Matcher::new(&folded, self.escape)?));
                            last.as_ref()
                        }
                    };
                    values.push(matcher.is_some_and(|(_, matcher)| test(matcher, row)));
                }
                BooleanBuffer::from(values)
            }
        };
        Ok(Arc::new(BooleanArray::new(values, nulls)))
    }
}

/// The kernel of regular expression matches anywhere in the value (`RLIKE`, `~`).
#[derive(Debug)]
pub(super) struct RegexMatch {
    pub negated: bool,
    pub ignore_case: bool,
    /// The compiled pattern, where it is constant.
    pub regex: Option<Regex>,
}

/// Compiles a regular expression.
pub(super) fn regex(pattern: &str, ignore_case: bool) -> Result<Regex> {
    let translated = super::java_regex::translated(pattern)?;
    let translated = if ignore_case { format!("(?i){translated}") } else { translated };
    Regex::new(&translated).map_err(|error| Error::value(format!("bad regular expression '{pattern}': {error}")))
}

impl Kernel for RegexMatch {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        if args.iter().any(Arg::is_null) {
            return Ok(new_null_array(&DataType::Boolean, rows));
        }
        let nulls = union_nulls(args);
        let texts = args[0].array.as_string_view();
        let mut last: Option<(String, Regex)> = None;
        let mut values = Vec::with_capacity(rows);
        for row in 0..rows {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                values.push(false);
                continue;
            }
            let text = texts.value(args[0].at(row));
            if let Some(regex) = &self.regex {
                values.push(regex.is_match(text) != self.negated);
                continue;
            }
            let pattern = args[1].array.as_string_view().value(args[1].at(row));
            if last.as_ref().is_none_or(|(known, _)| known != pattern) {
                last = Some((pattern.to_owned(), regex(pattern, self.ignore_case)?));
            }
            values.push(last.as_ref().is_some_and(|(_, regex)| regex.is_match(text) != self.negated));
        }
        Ok(Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)))
    }
}
