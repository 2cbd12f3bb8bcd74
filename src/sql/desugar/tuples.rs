//! `(a, b) IN (SELECT c, d ..)` as EXISTS.
//!
//! The binder knows subqueries of one column only. Where just rows count for which a condition is
//! true, being NULL is as good as being false, or as true below an odd number of NOTs; elsewhere both
//! are asked for.
//!
//! ```text
//!   WHERE (a, b) IN (q)        EXISTS (SELECT 1 FROM (q) AS s(c1, c2) WHERE s.c1 = a AND s.c2 = b)
//!   WHERE (a, b) NOT IN (q)    NOT EXISTS (.. WHERE (s.c1 = a AND s.c2 = b) IS NOT FALSE)
//!   SELECT (a, b) IN (q)       CASE WHEN EXISTS (.. = ..) THEN true WHEN EXISTS (.. IS NULL) THEN NULL ELSE false END
//! ```
//!
//! Cost: the first form is a hashed semi join, the others compare every pair of rows.
//! NULL: a part that is NULL leaves the comparison open unless another part differs.

use super::{Desugar, build};
use sqlparser::ast::*;

impl Desugar<'_> {
    /// Rewrites the tuples in a condition, below `negated` an odd number of NOTs.
    pub(super) fn tuples_of_condition(&mut self, condition: &mut Expr, negated: bool) {
        match condition {
            Expr::Nested(inner) => self.tuples_of_condition(inner, negated),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.tuples_of_condition(expr, !negated),
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                self.tuples_of_condition(left, negated);
                self.tuples_of_condition(right, negated);
            }
            Expr::InSubquery { expr, subquery, negated: not_in } => {
                let Some(parts) = parts_of(expr) else { return };
                // NOT IN turns what NULL counts as round once more.
                let open_is_found = negated != *not_in;
                let found =
                    self.found(subquery, &parts, |equal| if open_is_found { Expr::IsNotFalse(Box::new(equal)) } else { equal });
                *condition = if *not_in { not(found) } else { found };
            }
            _ => {}
        }
    }

    /// The value of a tuple's membership; None for other expressions.
    pub(super) fn tuple_in_subquery(&mut self, expr: &Expr) -> Option<Expr> {
        let Expr::InSubquery { expr: operand, subquery, negated } = expr else { return None };
        let parts = parts_of(operand)?;
        let boolean = |value: bool| Expr::value(Value::Boolean(value));
        let case = |condition, result| CaseWhen { condition, result };
        let open = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(Expr::value(Value::Null)),
            data_type: DataType::Boolean,
            array: false,
            format: None,
        };
        let found = self.found(subquery, &parts, |equal| equal);
        let unknown = self.found(subquery, &parts, |equal| Expr::IsNull(Box::new(equal)));
        let token = || helpers::attached_token::AttachedToken::empty();
        let value = build::nested(Expr::Case {
            case_token: token(),
            end_token: token(),
            operand: None,
            conditions: vec![case(found, boolean(true)), case(unknown, open)],
            else_result: Some(Box::new(boolean(false))),
        });
        Some(if *negated { not(value) } else { value })
    }

    /// Whether the subquery has a row for which `condition` of the parts' equality holds.
    fn found(&mut self, subquery: &Query, parts: &[Expr], condition: impl Fn(Expr) -> Expr) -> Expr {
        self.views += 1;
        let table = format!("skep_in{}", self.views);
        let mut columns: Vec<String> = (1..=parts.len()).map(|at| format!("{table}_{at}")).collect();
        let mut rows = subquery.clone();
        // Columns that depend on what is around the subquery are found by names given inside only.
        let named_inside = name_inside(&mut rows, &mut columns);
        let pairs = columns.iter().zip(parts);
        let equal =
            pairs.map(|(column, part)| build::binary(build::column(Some(&table), column), BinaryOperator::Eq, part.clone()));
        let equal = build::nested(build::all(equal).unwrap_or_else(|| Expr::value(Value::Boolean(true))));
        let rows = build::derived(rows, Some(build::alias(&table, if named_inside { &[] } else { &columns })));
        let mut select = build::select(vec![build::item(build::number(1), "skep_one")], vec![rows]);
        select.selection = Some(condition(equal));
        Expr::Exists { subquery: Box::new(build::subquery(select)), negated: false }
    }
}

/// Gives the items of a plain SELECT names, those they have or the given ones. False: it is another query.
fn name_inside(query: &mut Query, columns: &mut [String]) -> bool {
    let SetExpr::Select(select) = query.body.as_mut() else { return false };
    let plain = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    if select.distinct.is_some() || select.projection.len() != columns.len() || !select.projection.iter().all(plain) {
        return false;
    }
    for (item, column) in select.projection.iter_mut().zip(columns) {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => column.clone_from(&alias.value),
            SelectItem::UnnamedExpr(expr) => {
                let expr = std::mem::replace(expr, Expr::value(Value::Null));
                *item = build::item(expr, column);
            }
            _ => {}
        }
    }
    true
}

fn parts_of(operand: &Expr) -> Option<Vec<Expr>> {
    match operand {
        Expr::Tuple(parts) if parts.len() > 1 => Some(parts.clone()),
        Expr::Nested(inner) => parts_of(inner),
        _ => None,
    }
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}
