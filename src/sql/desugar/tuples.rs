//! `(a, b) IN (SELECT c, d ..)` as EXISTS.
//!
//! And `(a, b) = (c, d)` as a comparison of structs.
//!
//! The binder knows subqueries of one column only. Where just rows count for which a condition is
//! true, being NULL is as good as being false, or as true below an odd number of NOTs; elsewhere both
//! are asked for.
//!
//! ```text
//!   WHERE (a, b) IN (q)        EXISTS (SELECT 1 FROM (q) AS s(c1, c2) WHERE s.c1 = a AND s.c2 = b)
//!   WHERE (a, b) NOT IN (q)    NOT EXISTS (.. WHERE s.c1 = a AND s.c2 = b)            most rows end here
//!                              AND NOT EXISTS (.. WHERE (s.c1 IS NULL OR ..) AND (s.c1 = a AND ..) IS NOT FALSE)
//!                              AND NOT EXISTS (.. WHERE (a IS NULL OR ..) AND (s.c1 = a AND ..) IS NOT FALSE)
//!   SELECT (a, b) IN (q)       CASE WHEN EXISTS (.. = ..) THEN true WHEN EXISTS (.. IS NULL) .. THEN NULL ELSE false END
//! ```
//!
//! Cost: the first form is a hashed semi join. A comparison of tuples is open only where one of them holds a NULL,
//! so the others compare pairs of which one does, and find all else in a hash table.
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
                let mut found = vec![self.found(subquery, &parts, |equal, _| equal)];
                if open_is_found {
                    found.extend(self.open(subquery, &parts, |equal| Expr::IsNotFalse(Box::new(equal))));
                }
                *condition = match *not_in {
                    true => combined(BinaryOperator::And, found.into_iter().map(not)),
                    false => combined(BinaryOperator::Or, found.into_iter()),
                };
            }
            _ => {}
        }
    }

    /// The value of a tuple's membership; None for other expressions.
    pub(super) fn tuple_in_subquery(&mut self, expr: &Expr) -> Option<Expr> {
        let Expr::InSubquery { expr: operand, subquery, negated } = expr else { return None };
        let parts = parts_of(operand)?;
        let boolean = |value: bool| Expr::value(Value::Boolean(value));
        let open = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(Expr::value(Value::Null)),
            data_type: DataType::Boolean,
            array: false,
            format: None,
        };
        let found = self.found(subquery, &parts, |equal, _| equal);
        let unknown =
            combined(BinaryOperator::Or, self.open(subquery, &parts, |equal| Expr::IsNull(Box::new(equal))).into_iter());
        let value = build::nested(case(vec![(found, boolean(true)), (unknown, open)], Some(boolean(false))));
        Some(if *negated { not(value) } else { value })
    }

    /// Whether there is a pair with a NULL on one side for which `condition` of the parts' equality holds.
    fn open(&mut self, subquery: &Query, parts: &[Expr], condition: impl Fn(Expr) -> Expr) -> [Expr; 2] {
        let is_null = |expr: &Expr| Expr::IsNull(Box::new(build::nested(expr.clone())));
        let one = || build::number(1);
        let inside = self.found(subquery, parts, |equal, columns| {
            let any = combined(BinaryOperator::Or, columns.iter().map(is_null));
            build::binary(any, BinaryOperator::And, condition(equal))
        });
        let outside = self.found(subquery, parts, |equal, columns| {
            // An equality, so that rows without a NULL find nothing in a hash table: both sides are 1, or NULL.
            let any = combined(BinaryOperator::Or, parts.iter().map(is_null));
            let here = case(vec![(any, one())], None);
            let there = case(columns.first().map(|column| (is_null(column), one())).into_iter().collect(), Some(one()));
            build::binary(build::binary(there, BinaryOperator::Eq, here), BinaryOperator::And, condition(equal))
        });
        [inside, outside]
    }

    /// Whether the subquery has a row for which `condition` of the parts' equality and of its columns holds.
    fn found(&mut self, subquery: &Query, parts: &[Expr], condition: impl Fn(Expr, &[Expr]) -> Expr) -> Expr {
        self.views += 1;
        let table = format!("skep_in{}", self.views);
        let mut columns: Vec<String> = (1..=parts.len()).map(|at| format!("{table}_{at}")).collect();
        let mut rows = subquery.clone();
        // Columns that depend on what is around the subquery are found by names given inside only.
        let named_inside = name_inside(&mut rows, &mut columns);
        let inner: Vec<Expr> = columns.iter().map(|column| build::column(Some(&table), column)).collect();
        let pairs = inner.iter().zip(parts);
        let equal = pairs.map(|(column, part)| build::binary(column.clone(), BinaryOperator::Eq, part.clone()));
        let equal = build::nested(build::all(equal).unwrap_or_else(|| Expr::value(Value::Boolean(true))));
        let rows = build::derived(rows, Some(build::alias(&table, if named_inside { &[] } else { &columns })));
        let mut select = build::select(vec![build::item(build::number(1), "skep_one")], vec![rows]);
        select.selection = Some(condition(equal, &inner));
        Expr::Exists { subquery: Box::new(build::subquery(select)), negated: false }
    }
}

/// Comparisons of tuples are those of structs.
pub(super) fn compared(expr: &mut Expr) {
    use BinaryOperator as Op;
    let Expr::BinaryOp { left, op: Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq | Op::Spaceship, right } = expr
    else {
        return;
    };
    let (Some(first), Some(second)) = (parts_of(left), parts_of(right)) else { return };
    **left = Expr::Function(build::call("struct", first));
    **right = Expr::Function(build::call("struct", second));
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

/// Conditions with AND or OR between them.
fn combined(op: BinaryOperator, conditions: impl Iterator<Item = Expr>) -> Expr {
    let all = conditions.reduce(|all, next| build::binary(all, op.clone(), next));
    build::nested(all.unwrap_or_else(|| Expr::value(Value::Boolean(op == BinaryOperator::And))))
}

fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    let token = helpers::attached_token::AttachedToken::empty;
    let conditions = branches.into_iter().map(|(condition, result)| CaseWhen { condition, result }).collect();
    Expr::Case { case_token: token(), end_token: token(), operand: None, conditions, else_result: otherwise.map(Box::new) }
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}
