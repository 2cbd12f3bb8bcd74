//! Positions in the text of statements.

use crate::error::Error;
use sqlparser::tokenizer::{Location, Span};

/// SQL text with the starts of its lines, to go from positions to bytes.
#[derive(Debug)]
pub(super) struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self { text, lines: std::iter::once(0).chain(starts).collect() }
    }

    /// The byte a position stands for.
    pub(super) fn offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(0).saturating_sub(1);
        let Some(start) = self.lines.get(line).copied() else { return self.text.len() };
        let column = usize::try_from(location.column).unwrap_or(0).saturating_sub(1);
        match self.text[start..].char_indices().nth(column) {
            Some((at, _)) => start + at,
            None => self.text.len(),
        }
    }

    /// The text between two positions.
    pub(super) fn slice(&self, span: Span) -> Option<&'a str> {
        if span.start.line == 0 {
            return None;
        }
        self.text.get(self.offset(span.start)..self.offset(span.end))
    }
}

/// Puts a position on an error, unless the syntax tree knows none.
pub(super) trait At {
    /// At the start of `span`.
    fn at_span(self, span: Span) -> Self;
}

impl At for Error {
    fn at_span(self, span: Span) -> Self {
        self.at(span.start.line, span.start.column)
    }
}

/// The name of `candidates` most like `wanted`, when one is alike enough to be a slip.
pub(super) fn nearest<'n>(wanted: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Guessed: two edits in a name of six letters.
    let most = wanted.chars().count().div_ceil(3).max(1);
    let distances = candidates.into_iter().map(|name| (strsim::damerau_levenshtein(wanted, name), name));
    distances.filter(|(distance, _)| *distance > 0 && *distance <= most).min().map(|(_, name)| name)
}
