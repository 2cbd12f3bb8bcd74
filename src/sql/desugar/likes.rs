//! `x LIKE ANY (a, b)`: one of the patterns fits; `NOT LIKE ANY`: one of them does not; ALL: each does,
//! or does not. And `(x, y) IN ((1, 2), (3, 4))`: one of the tuples is equal, part by part.

use super::build;
use crate::error::{Error, Result};
use crate::sql::source::At;
use sqlparser::ast::*;

/// Whether a pattern is a list of patterns.
pub(in crate::sql) fn is_list(pattern: &Expr) -> bool {
    matches!(pattern, Expr::Tuple(_) | Expr::Nested(_))
}

/// The conditions that LIKE with several patterns stands for; None for other expressions.
pub(super) fn several(expr: &Expr) -> Result<Option<Expr>> {
    let (case_matters, any, negated, operand, pattern, escape_char) = match expr {
        Expr::Like { any, negated, expr, pattern, escape_char } => (true, *any, *negated, expr, pattern, escape_char),
        Expr::ILike { any, negated, expr, pattern, escape_char } => (false, *any, *negated, expr, pattern, escape_char),
        _ => return Ok(None),
    };
    // The parser takes ALL and SOME for functions.
    let (patterns, every) = match pattern.as_ref() {
        Expr::Tuple(patterns) if any => (patterns.clone(), false),
        Expr::Nested(single) if any => (vec![single.as_ref().clone()], false),
        Expr::Function(function) => match listed(function) {
            Some(listed) => listed,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if patterns.is_empty() {
        return Err(Error::sql("LIKE needs a pattern between the brackets").at_span(pattern.span()));
    }
    let one = |pattern: Expr| {
        let (expr, pattern, escape_char) = (operand.clone(), Box::new(pattern), escape_char.clone());
        match case_matters {
            true => Expr::Like { negated, any: false, expr, pattern, escape_char },
            false => Expr::ILike { negated, any: false, expr, pattern, escape_char },
        }
    };
    let op = if every { BinaryOperator::And } else { BinaryOperator::Or };
    Ok(build::balanced(patterns.into_iter().map(one).collect(), &op).map(build::nested))
}

/// The patterns of `ALL (..)` or `SOME (..)`, and whether it is ALL.
fn listed(function: &Function) -> Option<(Vec<Expr>, bool)> {
    let [ObjectNamePart::Identifier(Ident { value, quote_style: None, .. })] = function.name.0.as_slice() else { return None };
    let every = match value.as_str() {
        "all" => true,
        "some" | "any" => false,
        _ => return None,
    };
    let FunctionArguments::List(FunctionArgumentList { args, duplicate_treatment: None, clauses }) = &function.args else {
        return None;
    };
    let pattern = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern)) => Some(pattern.clone()),
        _ => None,
    };
    let patterns: Option<Vec<Expr>> = args.iter().map(pattern).collect();
    patterns.filter(|_| clauses.is_empty()).map(|patterns| (patterns, every))
}

/// The comparisons that IN over tuples stands for; None for other expressions.
pub(super) fn tuple_in(expr: &Expr) -> Option<Expr> {
    let Expr::InList { expr: operand, list, negated } = expr else { return None };
    let Expr::Tuple(parts) = operand.as_ref() else { return None };
    let mut any: Vec<Expr> = Vec::with_capacity(list.len());
    for tuple in list {
        let Expr::Tuple(values) = tuple else { return None };
        if values.len() != parts.len() {
            return None;
        }
        let equal = parts.iter().zip(values).map(|(part, value)| build::binary(part.clone(), BinaryOperator::Eq, value.clone()));
        any.push(build::nested(build::all(equal)?));
    }
    let any = build::nested(build::balanced(any, &BinaryOperator::Or)?);
    Some(if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(any) } } else { any })
}
