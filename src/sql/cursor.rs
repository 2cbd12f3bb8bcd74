//! Reads statements that the borrowed parser does not know, token by token.

use super::source::At;
use crate::error::{Error, Result};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// Buckets of a table, at most: Spark's limit.
const BUCKETS_MAX: u32 = 100_000;

/// A place in the tokens of a statement; blanks are passed over.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) tokens: &'a [TokenWithSpan],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start.
    pub(super) fn new(tokens: &'a [TokenWithSpan]) -> Self {
        Self { tokens, at: 0 }
    }

    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.tokens.get(self.at).map(|token| &token.token), Some(Token::Whitespace(_))) {
            self.at += 1;
        }
    }

    pub(super) fn peek(&mut self) -> Option<&Token> {
        self.skip_blanks();
        self.tokens.get(self.at).map(|token| &token.token)
    }

    /// Where the next token stands.
    pub(super) fn span(&mut self) -> Span {
        self.skip_blanks();
        self.tokens.get(self.at).or(self.tokens.last()).map_or_else(Span::empty, |token| token.span)
    }

    pub(super) fn peek_word(&mut self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(Word { value, quote_style: None, .. })) if value == wanted)
    }

    pub(super) fn word(&mut self, wanted: &str) -> bool {
        let found = self.peek_word(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn any_word(&mut self) -> Option<String> {
        let word = match self.peek() {
            Some(Token::Word(word)) => word.value.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(word)
    }

    pub(super) fn punctuation(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn string(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) => {
                let text = text.clone();
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.expected("a path in quotes")),
        }
    }

    /// A word, string or number, with or without `=` before it; words may be dotted.
    pub(super) fn value(&mut self) -> Option<String> {
        self.punctuation(&Token::Eq);
        let mut value = match self.peek() {
            Some(Token::Word(word)) => word.value.clone(),
            Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) => text.clone(),
            Some(Token::Number(number, _)) => number.clone(),
            _ => return None,
        };
        self.at += 1;
        // The unit of a number, as in 100k.
        if let (Some(Token::Word(unit)), true) =
            (self.tokens.get(self.at).map(|token| &token.token), value.ends_with(|c: char| c.is_ascii_digit()))
            && matches!(self.tokens[self.at - 1].token, Token::Number(..))
        {
            value.push_str(&unit.value);
            self.at += 1;
        }
        while self.punctuation(&Token::Period) {
            let Some(word) = self.any_word() else { break };
            value = format!("{value}.{word}");
        }
        Some(value)
    }

    /// The places of the first token in parentheses and of the closing one; goes behind it.
    pub(super) fn parentheses(&mut self) -> Result<(usize, usize)> {
        self.skip_blanks();
        let start = self.at + 1;
        let mut depth = 0usize;
        for at in self.at..self.tokens.len() {
            match self.tokens[at].token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 1 => {
                    self.at = at + 1;
                    return Ok((start, at));
                }
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
        Err(Error::sql("syntax error: expected )").at_span(self.tokens.last().map_or_else(Span::empty, |token| token.span)))
    }

    pub(super) fn expected(&mut self, what: &str) -> Error {
        let found = self.peek().map_or_else(|| "the end".to_owned(), ToString::to_string);
        Error::sql(format!("syntax error: expected {what}, found {found}")).at_span(self.span())
    }
    /// All of the words, one after the other, or none of them.
    pub(super) fn words(&mut self, wanted: &[&str]) -> bool {
        let start = self.at;
        let found = wanted.iter().all(|word| self.word(word));
        if !found {
            self.at = start;
        }
        found
    }

    /// The next word, or an error that says what should stand there.
    pub(super) fn name(&mut self, what: &str) -> Result<String> {
        self.any_word().ok_or_else(|| self.expected(what))
    }

    /// The wanted punctuation, or an error.
    pub(super) fn expect(&mut self, wanted: &Token) -> Result<()> {
        if self.punctuation(wanted) { Ok(()) } else { Err(self.expected(&wanted.to_string())) }
    }

    /// An error unless all is read.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("the end")) }
    }

    /// `(item, item, ...)`.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect(&Token::LParen)?;
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if !self.punctuation(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::RParen)?;
        Ok(items)
    }

    /// `(a, b DESC, ...)`: names, and whether descending.
    pub(super) fn sorted_columns(&mut self) -> Result<Vec<(String, bool)>> {
        self.list(|cursor| {
            let name = cursor.name("a column")?;
            let descending = cursor.word("desc");
            if !descending {
                cursor.word("asc");
            }
            if cursor.peek_word("nulls") {
                return Err(Error::unsupported("NULLS FIRST or LAST of files").at_span(cursor.span()));
            }
            Ok((name, descending))
        })
    }

    /// `INTO n BUCKETS`.
    pub(super) fn bucket_count(&mut self) -> Result<u32> {
        if !self.word("into") {
            return Err(self.expected("INTO n BUCKETS"));
        }
        let span = self.span();
        let count = self.value().and_then(|text| text.parse().ok()).filter(|count| (1..=BUCKETS_MAX).contains(count));
        let wrong = || Error::sql(format!("INTO takes a whole number of buckets from 1 to {BUCKETS_MAX}")).at_span(span);
        let count = count.ok_or_else(wrong)?;
        if self.word("buckets") { Ok(count) } else { Err(self.expected("BUCKETS")) }
    }

    /// The tokens that are left.
    pub(super) fn rest(&mut self) -> &'a [TokenWithSpan] {
        self.skip_blanks();
        &self.tokens[self.at..]
    }
}
