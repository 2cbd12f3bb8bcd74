//! `x LIKE ANY (a, b)`: one of the patterns fits; `NOT LIKE ANY`: one of them does not. And
//! `(x, y) IN ((1, 2), (3, 4))`: one of the tuples is equal, part by part.

use super::build;
use sqlparser::ast::*;

/// Whether a pattern is a list of patterns.
pub(in crate::sql) fn is_list(pattern: &Expr) -> bool {
    matches!(pattern, Expr::Tuple(_) | Expr::Nested(_))
}

/// The disjunction that LIKE ANY stands for; None for other expressions.
pub(super) fn any_of(expr: &Expr) -> Option<Expr> {
    let (case_matters, negated, operand, pattern, escape_char) = match expr {
        Expr::Like { any: true, negated, expr, pattern, escape_char } => (true, *negated, expr, pattern, escape_char),
        Expr::ILike { any: true, negated, expr, pattern, escape_char } => (false, *negated, expr, pattern, escape_char),
        _ => return None,
    };
    let patterns = match pattern.as_ref() {
        Expr::Tuple(patterns) => patterns.clone(),
        Expr::Nested(single) => vec![single.as_ref().clone()],
        _ => return None,
    };
    let one = |pattern: Expr| {
        let (expr, pattern, escape_char) = (operand.clone(), Box::new(pattern), escape_char.clone());
        match case_matters {
            true => Expr::Like { negated, any: false, expr, pattern, escape_char },
            false => Expr::ILike { negated, any: false, expr, pattern, escape_char },
        }
    };
    let any = patterns.into_iter().map(one).reduce(|left, right| build::binary(left, BinaryOperator::Or, right));
    any.map(build::nested)
}

/// The comparisons that IN over tuples stands for; None for other expressions.
pub(super) fn tuple_in(expr: &Expr) -> Option<Expr> {
    let Expr::InList { expr: operand, list, negated } = expr else { return None };
    let Expr::Tuple(parts) = operand.as_ref() else { return None };
    let mut any: Option<Expr> = None;
    for tuple in list {
        let Expr::Tuple(values) = tuple else { return None };
        if values.len() != parts.len() {
            return None;
        }
        let equal = parts.iter().zip(values).map(|(part, value)| build::binary(part.clone(), BinaryOperator::Eq, value.clone()));
        let equal = build::nested(build::all(equal)?);
        any = Some(match any {
            Some(any) => build::binary(any, BinaryOperator::Or, equal),
            None => equal,
        });
    }
    let any = build::nested(any?);
    Some(if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(any) } } else { any })
}
