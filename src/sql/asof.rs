//! ASOF joins as DuckDB writes them: tokens that the borrowed parser reads as a join with a mark.
//!
//! ```text
//!   l ASOF [LEFT] JOIN r ON l.k = r.k AND l.t >= r.t
//!   l [LEFT] JOIN r ON skep_asof AND l.k = r.k AND l.t >= r.t
//! ```
//!
//! Snowflake's `ASOF JOIN r MATCH_CONDITION (l.t >= r.t) ON ..`, a left join, the parser knows. Both
//! become a join whose inequality is a call of [`crate::optimizer::ASOF_MATCH`].

use super::source::At;
use crate::error::{Error, Result};
use crate::optimizer::ASOF_MATCH;
use sqlparser::ast::*;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Stands at the head of a join's condition.
const MARK: &str = "skep_asof";

/// Marks the joins of DuckDB's spelling among `tokens`.
pub(super) fn mark(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut marked: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 4);
    // How deep in parentheses the conditions to come are.
    let mut pending: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if is_word(token, "asof") && is_duckdb(&tokens[at + 1..]) {
            pending.push(depth);
            continue;
        }
        marked.push(token.clone());
        if is_word(token, "on") && pending.last() == Some(&depth) {
            pending.pop();
            let word = |value: &str, keyword| {
                let word = Word { value: value.to_owned(), quote_style: None, keyword };
                TokenWithSpan { token: Token::Word(word), span: token.span }
            };
            let blank = TokenWithSpan { token: Token::Whitespace(sqlparser::tokenizer::Whitespace::Space), span: token.span };
            marked.extend([blank.clone(), word(MARK, Keyword::NoKeyword), blank.clone(), word("and", Keyword::AND), blank]);
        }
    }
    marked
}

fn is_word(token: &TokenWithSpan, wanted: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value == wanted)
}

/// Whether `ASOF` before these tokens begins a join with ON and without MATCH_CONDITION.
fn is_duckdb(rest: &[TokenWithSpan]) -> bool {
    let mut words = rest.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let is_join = words.by_ref().take_while(|token| {
        is_word(token, "left") || is_word(token, "inner") || is_word(token, "outer") || is_word(token, "join")
    });
    if !is_join.into_iter().any(|token| is_word(token, "join")) {
        return false;
    }
    let mut depth = 0_usize;
    for token in words {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return false,
            Token::RParen => depth -= 1,
            _ if depth == 0 && is_word(token, "on") => return true,
            _ if depth == 0 && (is_word(token, "match_condition") || is_word(token, "join")) => return false,
            _ => {}
        }
    }
    false
}

/// Puts the call in place of what marks an ASOF join.
pub(super) fn resolve(join: &mut Join) -> Result<()> {
    let span = join.relation.span();
    if let JoinOperator::AsOf { match_condition, constraint } = &mut join.join_operator {
        let matched = called(std::mem::replace(match_condition, Expr::value(Value::Null)));
        let condition = match std::mem::replace(constraint, JoinConstraint::None) {
            JoinConstraint::On(condition) => and(nested(condition), matched),
            JoinConstraint::None => matched,
            JoinConstraint::Using(_) | JoinConstraint::Natural => {
                return Err(Error::unsupported("ASOF JOIN with USING or NATURAL").at_span(span).with_hint("write ON"));
            }
        };
        join.join_operator = JoinOperator::LeftOuter(JoinConstraint::On(condition));
        return Ok(());
    }
    let (JoinOperator::Join(JoinConstraint::On(condition))
    | JoinOperator::Inner(JoinConstraint::On(condition))
    | JoinOperator::Left(JoinConstraint::On(condition))
    | JoinOperator::LeftOuter(JoinConstraint::On(condition))) = &mut join.join_operator
    else {
        return Ok(());
    };
    let mut conjuncts = Vec::new();
    split(condition, &mut conjuncts);
    if !matches!(conjuncts.first(), Some(Expr::Identifier(ident)) if ident.value == MARK) {
        return Ok(());
    }
    let mut inequalities = 0;
    let conditions = conjuncts.into_iter().skip(1).map(|conjunct| match conjunct {
        Expr::BinaryOp { op: BinaryOperator::GtEq | BinaryOperator::Gt | BinaryOperator::LtEq | BinaryOperator::Lt, .. } => {
            inequalities += 1;
            called(conjunct.clone())
        }
        other => other.clone(),
    });
    let whole = conditions.reduce(and);
    match whole {
        Some(whole) if inequalities == 1 => {
            *condition = whole;
            Ok(())
        }
        _ => Err(Error::sql("ASOF JOIN takes equalities and one of >=, >, <=, < joined by AND").at_span(span)),
    }
}

fn split<'a>(expr: &'a Expr, conjuncts: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(left, conjuncts);
            split(right, conjuncts);
        }
        other => conjuncts.push(other),
    }
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn called(condition: Expr) -> Expr {
    Expr::Function(super::desugar::call(ASOF_MATCH, vec![condition]))
}
