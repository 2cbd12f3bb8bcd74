//! From conditions to tests of single columns.

use super::{Operand, Test, Value, order};
use crate::expr::compare::Cmp;
use crate::expr::compile::{Slots, literal_string};
use crate::expr::like::Matcher;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{InList, ScalarFunction};
use datafusion_expr::{BinaryExpr, Expr, Operator};

/// Reduces a condition over the columns of `schema`.
pub(super) fn reduce(expr: &Expr, schema: &DFSchema, slots: &Slots) -> Test {
    Reduce { schema, slots }.test(expr)
}

struct Reduce<'a> {
    schema: &'a DFSchema,
    slots: &'a Slots,
}

impl Reduce<'_> {
    fn test(&self, expr: &Expr) -> Test {
        let inner = |inner: &Expr| Box::new(self.test(inner));
        match expr {
            Expr::Alias(alias) => self.test(&alias.expr),
            Expr::Column(_) => match self.operand(expr) {
                Some(operand) => Test::Compare { operand, op: Cmp::Eq, value: Value::Known(ScalarValue::Boolean(Some(true))) },
                None => Test::Unknown,
            },
            Expr::Not(of) => Test::Not(inner(of)),
            Expr::IsNull(of) => self.is_null(of),
            Expr::IsNotNull(of) => negated(self.is_null(of), true),
            Expr::IsTrue(of) => Test::IsTrue(inner(of)),
            Expr::IsNotTrue(of) => negated(Test::IsTrue(inner(of)), true),
            Expr::IsFalse(of) => Test::IsTrue(Box::new(Test::Not(inner(of)))),
            Expr::IsNotFalse(of) => negated(Test::IsTrue(Box::new(Test::Not(inner(of)))), true),
            Expr::Between(between) => {
                let low = self.compare(&between.expr, Cmp::Ge, &between.low);
                let high = self.compare(&between.expr, Cmp::Le, &between.high);
                negated(Test::And(vec![low, high]), between.negated)
            }
            Expr::InList(list) => negated(self.in_list(list), list.negated),
            Expr::Like(like) if !like.case_insensitive => {
                let matcher = literal_string(&like.pattern).and_then(|pattern| Matcher::new(pattern, like.escape_char).ok());
                let test = match (self.column(&like.expr), matcher) {
                    (Some(column), Some(Matcher::Exact(text))) => {
                        let value = Value::Known(ScalarValue::Utf8View(Some(text)));
                        Test::Compare { operand: Operand { column, casts: Vec::new() }, op: Cmp::Eq, value }
                    }
                    (Some(column), Some(matcher)) => {
                        Test::Prefix { column, prefix: matcher.prefix(), exact: matcher.is_prefix() }
                    }
                    _ => Test::Unknown,
                };
                negated(test, like.negated)
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if matches!(func.name(), "starts_with" | "startswith") => {
                match args.as_slice() {
                    [text, prefix] => match (self.column(text), literal_string(prefix)) {
                        (Some(column), Some(prefix)) => Test::Prefix { column, prefix: prefix.to_owned(), exact: true },
                        _ => Test::Unknown,
                    },
                    _ => Test::Unknown,
                }
            }
            Expr::BinaryExpr(binary) => self.binary(binary),
            _ => Test::Unknown,
        }
    }

    fn binary(&self, BinaryExpr { left, op, right }: &BinaryExpr) -> Test {
        let op = match op {
            Operator::And | Operator::Or => {
                let terms = self.chain(left, *op, right);
                return if *op == Operator::And { Test::And(terms) } else { Test::Or(terms) };
            }
            Operator::IsNotDistinctFrom => return self.null_safe(left, right),
            Operator::IsDistinctFrom => return negated(self.null_safe(left, right), true),
            Operator::Eq => Cmp::Eq,
            Operator::NotEq => Cmp::Ne,
            Operator::Lt => Cmp::Lt,
            Operator::LtEq => Cmp::Le,
            Operator::Gt => Cmp::Gt,
            Operator::GtEq => Cmp::Ge,
            _ => return Test::Unknown,
        };
        self.compare(left, op, right)
    }

    /// The terms of `a AND b AND c`, which is nested to the left, without recursion into it.
    fn chain(&self, left: &Expr, op: Operator, right: &Expr) -> Vec<Test> {
        let mut terms = vec![self.test(right)];
        let mut next = left;
        while let Expr::BinaryExpr(inner) = next
            && inner.op == op
        {
            terms.push(self.test(&inner.right));
            next = &inner.left;
        }
        terms.push(self.test(next));
        terms.reverse();
        terms
    }

    /// `<=>`: equality that takes NULL for a value.
    fn null_safe(&self, left: &Expr, right: &Expr) -> Test {
        match (left, right) {
            (Expr::Literal(value, _), other) | (other, Expr::Literal(value, _)) if value.is_null() => self.is_null(other),
            (Expr::Literal(..), _) | (_, Expr::Literal(..)) => Test::IsTrue(Box::new(self.compare(left, Cmp::Eq, right))),
            _ => Test::Unknown,
        }
    }

    fn compare(&self, left: &Expr, op: Cmp, right: &Expr) -> Test {
        match (self.operand(left), self.value(right), self.operand(right), self.value(left)) {
            (Some(operand), Some(value), ..) => Test::Compare { operand, op, value },
            (_, _, Some(operand), Some(value)) => Test::Compare { operand, op: op.flipped(), value },
            _ => Test::Unknown,
        }
    }

    /// Constants become one sorted list, so that a zone is compared with two of them and not with
    /// all; a list with anything else in it stays a chain of comparisons.
    fn in_list(&self, InList { expr, list, .. }: &InList) -> Test {
        let constants = list.iter().map(|item| match item {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        });
        let constants: Option<Vec<ScalarValue>> = constants.collect();
        if let (Some(operand), Some(mut values)) = (self.operand(expr), constants) {
            let length = values.len();
            values.retain(|value| !value.is_null());
            let null = values.len() < length;
            let comparable = values.first().is_none_or(|first| values.iter().all(|value| order(first, value).is_some()));
            if comparable {
                values.sort_by(|a, b| order(a, b).unwrap_or(std::cmp::Ordering::Equal));
                return Test::In { operand, values, null };
            }
        }
        Test::Or(list.iter().map(|item| self.compare(expr, Cmp::Eq, item)).collect())
    }

    fn is_null(&self, expr: &Expr) -> Test {
        self.operand(expr).map_or(Test::Unknown, |operand| Test::IsNull { column: operand.column })
    }

    fn column(&self, expr: &Expr) -> Option<usize> {
        match expr {
            Expr::Column(column) => self.schema.maybe_index_of_column(column),
            _ => None,
        }
    }

    fn value(&self, expr: &Expr) -> Option<Value> {
        match expr {
            Expr::Literal(value, _) => Some(Value::Known(value.clone())),
            Expr::ScalarSubquery(subquery) => self.slots.get(subquery).cloned().map(Value::Slot),
            _ => None,
        }
    }

    /// A column, perhaps under casts that keep its order.
    fn operand(&self, expr: &Expr) -> Option<Operand> {
        let (inner, to) = match expr {
            Expr::Column(column) => {
                return Some(Operand { column: self.schema.maybe_index_of_column(column)?, casts: Vec::new() });
            }
            Expr::Cast(cast) => (&cast.expr, cast.field.data_type()),
            Expr::TryCast(cast) => (&cast.expr, cast.field.data_type()),
            _ => return None,
        };
        let mut operand = self.operand(inner)?;
        let from = operand.casts.last().unwrap_or_else(|| self.schema.field(operand.column).data_type());
        if !keeps_order(from, to) {
            return None;
        }
        operand.casts.push(to.clone());
        Some(operand)
    }
}

fn negated(test: Test, negated: bool) -> Test {
    if negated { Test::Not(Box::new(test)) } else { test }
}

/// Whether every value can be cast and a larger one never becomes a smaller one.
fn keeps_order(from: &DataType, to: &DataType) -> bool {
    use DataType::{Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Timestamp, Utf8, Utf8View};
    let rank = |data_type: &DataType| [Int8, Int16, Int32, Int64].iter().position(|known| known == data_type);
    match (from, to) {
        _ if from == to => true,
        (Int8 | Int16 | Int32 | Int64, Int8 | Int16 | Int32 | Int64) => rank(from) <= rank(to),
        (Int8 | Int16 | Int32 | Int64, Float64) | (Float32, Float64) => true,
        (Int8 | Int16 | Int32 | Int64, Decimal128(precision, scale)) => i16::from(*precision) - i16::from(*scale) >= 19,
        (Decimal128(p, s), Decimal128(q, t)) => t >= s && i16::from(*q) - i16::from(*t) >= i16::from(*p) - i16::from(*s),
        (Date32, Timestamp(TimeUnit::Microsecond, None)) => true,
        (Utf8 | Utf8View, Utf8 | Utf8View) => true,
        _ => false,
    }
}
