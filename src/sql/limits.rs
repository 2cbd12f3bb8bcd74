//! Sizes of statements, checked on tokens before anything recurses over them.
//!
//! A parser, a planner and the destructors of their trees recurse as deep as brackets nest, and as
//! operators follow one another (`a + b + c` is a tree as deep as it is long). Both are counted in
//! one pass over the tokens: a stack of counters, one per open bracket, reset by commas. Chains of
//! AND and OR may be longer than others, since they are rebuilt as balanced trees.

use super::source::At;
use crate::error::{Error, Result};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

/// Bytes of text in one call. A session's memory is the real limit; this one is for typing errors
/// such as a data file given as a script.
pub(super) const TEXT_BYTES: usize = 64 << 20;
/// Brackets, CASE and subqueries in one another. Guessed: the deepest generated queries seen have
/// some thirty levels.
pub(super) const NESTING: usize = 128;
/// Operators in a row other than AND and OR. Planning computes types anew at each operator, which
/// makes the time quadratic: 2,000 take about a second.
pub(super) const CHAIN: usize = 2_000;
/// AND and OR in a row.
pub(super) const LOGICAL_CHAIN: usize = 20_000;
/// Signs and NOTs in a row.
const PREFIXES: usize = 64;

#[derive(Default)]
struct Level {
    operators: usize,
    logical: usize,
}

/// Refuses statements that nest too deep or chain too many operators.
pub(super) fn check_tokens(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![Level::default()];
    let mut prefixes = 0;
    for TokenWithSpan { token, span } in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        let operator = is_operator(token);
        prefixes = if operator { prefixes + 1 } else { 0 };
        if prefixes > PREFIXES {
            return Err(too_much(format!("more than {PREFIXES} operators without an operand"), *span));
        }
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => push(&mut levels, *span)?,
            Token::Word(word) if word.keyword == Keyword::CASE => push(&mut levels, *span)?,
            Token::RParen | Token::RBracket | Token::RBrace => pop(&mut levels),
            Token::Word(word) if word.keyword == Keyword::END => pop(&mut levels),
            Token::SemiColon => levels = vec![Level::default()],
            _ => {}
        }
        let Some(level) = levels.last_mut() else { continue };
        match token {
            Token::Comma => *level = Level::default(),
            Token::Word(word) if matches!(word.keyword, Keyword::AND | Keyword::OR) => {
                level.operators = 0;
                level.logical += 1;
                if level.logical > LOGICAL_CHAIN {
                    return Err(too_much(format!("a chain of more than {LOGICAL_CHAIN} AND or OR"), *span));
                }
            }
            Token::Word(word) if matches!(word.keyword, Keyword::WHEN | Keyword::THEN | Keyword::ELSE) => {
                *level = Level::default()
            }
            _ if operator => {
                level.operators += 1;
                if level.operators > CHAIN {
                    return Err(too_much(format!("a chain of more than {CHAIN} operators"), *span));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn push(levels: &mut Vec<Level>, span: Span) -> Result<()> {
    levels.push(Level::default());
    if levels.len() > NESTING { Err(too_much(format!("nesting deeper than {NESTING} levels"), span)) } else { Ok(()) }
}

fn pop(levels: &mut Vec<Level>) {
    if levels.len() > 1 {
        levels.pop();
    }
}

fn too_much(what: String, span: Span) -> Error {
    Error::unsupported(what).at_span(span)
}

/// Whether a token makes the tree one level deeper: operators, and the words that stand for them.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) if word.quote_style.is_some() => false,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::NOT
                | Keyword::XOR
                | Keyword::DIV
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::BETWEEN
                | Keyword::SIMILAR
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::MINUS
                | Keyword::JOIN
                | Keyword::EXPLAIN
                | Keyword::DESCRIBE
        ),
        Token::DoubleColon
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Eq
        | Token::DoubleEq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Spaceship
        | Token::Ampersand
        | Token::Pipe
        | Token::Caret
        | Token::Tilde
        | Token::ExclamationMark
        | Token::ShiftLeft
        | Token::ShiftRight
        | Token::Arrow
        | Token::LongArrow => true,
        _ => false,
    }
}
