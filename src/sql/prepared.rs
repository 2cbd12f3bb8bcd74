//! `EXECUTE IMMEDIATE`, `PREPARE`, `EXECUTE`, `DEALLOCATE`.
//!
//! ```text
//!   EXECUTE IMMEDIATE 'SELECT ? + :x' USING ..       PREPARE p AS SELECT ? + 1
//!                                                    EXECUTE p(41)   or   EXECUTE p USING 41
//! ```
//!
//! The arguments are read as the list of a SELECT: `1`, `x AS name`.

use super::cursor::Cursor;
use super::source::Source;
use crate::error::{Error, Result};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

/// A statement about statements.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// Runs a text with arguments.
    Immediate {
        /// The statement.
        text: String,
        /// The SELECT list of its arguments, as text.
        arguments: Option<String>,
    },
    /// Keeps a text under a name.
    Prepare {
        /// The name, in lower case.
        name: String,
        /// The statement.
        text: String,
    },
    /// Runs a text that was kept.
    Execute {
        /// Its name.
        name: String,
        /// The SELECT list of its arguments, as text.
        arguments: Option<String>,
    },
    /// Forgets one text, or all.
    Deallocate {
        /// Its name; None is all.
        name: Option<String>,
    },
}

/// Reads such a statement; `tokens` begin with its first word.
pub(super) fn parse(tokens: &[TokenWithSpan], source: &Source) -> Result<Prepared> {
    let mut cursor = Cursor::new(tokens);
    if cursor.word("deallocate") {
        cursor.word("prepare");
        let name = cursor.name("the name of a prepared statement")?;
        cursor.end()?;
        return Ok(Prepared::Deallocate { name: Some(name).filter(|name| name != "all") });
    }
    if cursor.word("prepare") {
        let name = cursor.name("a name for the statement")?;
        if cursor.peek() == Some(&Token::LParen) {
            // Types of parameters, which their values have anyway.
            return Err(Error::unsupported("types of parameters in PREPARE").with_hint("leave them out"));
        }
        if !cursor.word("as") {
            return Err(cursor.expected("AS"));
        }
        let text = text_of(cursor.rest(), source);
        if text.is_empty() {
            return Err(cursor.expected("a statement"));
        }
        return Ok(Prepared::Prepare { name, text });
    }
    if !cursor.word("execute") {
        return Err(cursor.expected("EXECUTE"));
    }
    if cursor.word("immediate") {
        let text = match cursor.peek() {
            Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)) => cursor.string()?,
            _ => return Err(cursor.expected("a statement in quotes")),
        };
        if cursor.peek_word("into") {
            return Err(Error::unsupported("INTO in EXECUTE IMMEDIATE"));
        }
        let arguments = using(&mut cursor, source)?;
        return Ok(Prepared::Immediate { text, arguments });
    }
    let name = cursor.name("the name of a prepared statement")?;
    if cursor.peek() == Some(&Token::LParen) {
        let (start, end) = cursor.parentheses()?;
        cursor.end()?;
        let arguments = Some(text_of(&tokens[start..end], source)).filter(|text| !text.is_empty());
        return Ok(Prepared::Execute { name, arguments });
    }
    let arguments = using(&mut cursor, source)?;
    Ok(Prepared::Execute { name, arguments })
}

/// What stands behind USING, with or without parentheses around all of it.
fn using(cursor: &mut Cursor, source: &Source) -> Result<Option<String>> {
    if !cursor.word("using") {
        cursor.end()?;
        return Ok(None);
    }
    let tokens = cursor.rest();
    if tokens.is_empty() {
        return Err(cursor.expected("arguments"));
    }
    if tokens[0].token == Token::LParen {
        let mut inside = Cursor::new(tokens);
        let (start, end) = inside.parentheses()?;
        if inside.peek().is_none() {
            return Ok(Some(text_of(&tokens[start..end], source)));
        }
    }
    Ok(Some(text_of(tokens, source)))
}

/// The text that tokens were read from.
fn text_of(tokens: &[TokenWithSpan], source: &Source) -> String {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => {
            source.slice(Span::new(first.span.start, last.span.end)).unwrap_or_default().trim().to_owned()
        }
        _ => String::new(),
    }
}
