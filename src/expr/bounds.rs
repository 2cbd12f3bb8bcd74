//! What bounds alone tell of a condition.
//!
//! A condition is reduced to tests of one column against constants. Over a zone each test may be
//! able to come out true, false or NULL for some row; those possibilities are combined through AND,
//! OR and NOT. Possibilities are only ever overstated, so `Never` and `Always` are certain.
//!
//! ```text
//!   a in [3, 7], no NULL:    a < 2   {false}        -> Never
//!                            a <= 7  {true}         -> Always
//!                            a = 5   {true, false}  -> Unknown
//! ```
//!
//! Bounds of floats say nothing of NaN, which is larger than all values.

use super::compare::Cmp;
use super::compile::{Slots, literal_string};
use super::like::Matcher;
use super::slot::ScalarSlot;
use crate::layout::{Bounds, ColumnBounds, Truth};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::{Expr, Operator};
use std::cmp::Ordering;
use std::sync::Arc;

/// A condition as far as bounds can decide it.
#[derive(Debug)]
pub(super) enum Test {
    Compare { column: usize, op: Cmp, value: Value },
    Prefix { column: usize, prefix: String, exact: bool },
    IsNull { column: usize },
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Unknown,
}

/// A constant, known now or when a subquery has run.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Known(ScalarValue),
    Slot(Arc<ScalarSlot>),
}

impl Value {
    fn get(&self) -> Option<&ScalarValue> {
        match self {
            Self::Known(value) => Some(value),
            Self::Slot(slot) => slot.peek(),
        }
    }
}

/// What can come out for some row of a zone.
#[derive(Debug, Clone, Copy)]
struct Outcomes {
    yes: bool,
    no: bool,
    null: bool,
}

const ANYTHING: Outcomes = Outcomes { yes: true, no: true, null: true };

impl Test {
    /// Reduces a condition over the columns of `schema`.
    pub fn new(expr: &Expr, schema: &DFSchema, slots: &Slots) -> Self {
        let column = |expr: &Expr| match expr {
            Expr::Column(column) => schema.maybe_index_of_column(column),
            _ => None,
        };
        let value = |expr: &Expr| match expr {
            Expr::Literal(value, _) => Some(Value::Known(value.clone())),
            Expr::ScalarSubquery(subquery) => slots.get(subquery).cloned().map(Value::Slot),
            _ => None,
        };
        let compare = |left: &Expr, op: Cmp, right: &Expr| match (column(left), value(right), column(right), value(left)) {
            (Some(column), Some(value), ..) => Self::Compare { column, op, value },
            (_, _, Some(column), Some(value)) => Self::Compare { column, op: op.flipped(), value },
            _ => Self::Unknown,
        };
        let negate = |test: Self, negated: bool| if negated { Self::Not(Box::new(test)) } else { test };
        match expr {
            Expr::Alias(alias) => Self::new(&alias.expr, schema, slots),
            Expr::Column(_) => match column(expr) {
                Some(column) => Self::Compare { column, op: Cmp::Eq, value: Value::Known(ScalarValue::Boolean(Some(true))) },
                None => Self::Unknown,
            },
            Expr::Not(inner) => Self::Not(Box::new(Self::new(inner, schema, slots))),
            Expr::IsNull(inner) => column(inner).map_or(Self::Unknown, |column| Self::IsNull { column }),
            Expr::IsNotNull(inner) => column(inner).map_or(Self::Unknown, |column| Self::Not(Box::new(Self::IsNull { column }))),
            Expr::Between(between) => {
                let low = compare(&between.expr, Cmp::Ge, &between.low);
                negate(Self::And(vec![low, compare(&between.expr, Cmp::Le, &between.high)]), between.negated)
            }
            Expr::InList(in_list) => {
                let any = in_list.list.iter().map(|item| compare(&in_list.expr, Cmp::Eq, item)).collect();
                negate(Self::Or(any), in_list.negated)
            }
            Expr::Like(like) if !like.case_insensitive => {
                let matcher = literal_string(&like.pattern).and_then(|pattern| Matcher::new(pattern, like.escape_char).ok());
                let test = match (column(&like.expr), matcher) {
                    (Some(column), Some(matcher)) => {
                        Self::Prefix { column, prefix: matcher.prefix(), exact: matcher.is_prefix() }
                    }
                    _ => Self::Unknown,
                };
                negate(test, like.negated)
            }
            Expr::BinaryExpr(binary) => {
                let op = match binary.op {
                    Operator::And | Operator::Or => {
                        let both = vec![Self::new(&binary.left, schema, slots), Self::new(&binary.right, schema, slots)];
                        return if binary.op == Operator::And { Self::And(both) } else { Self::Or(both) };
                    }
                    Operator::Eq => Cmp::Eq,
                    Operator::NotEq => Cmp::Ne,
                    Operator::Lt => Cmp::Lt,
                    Operator::LtEq => Cmp::Le,
                    Operator::Gt => Cmp::Gt,
                    Operator::GtEq => Cmp::Ge,
                    _ => return Self::Unknown,
                };
                compare(&binary.left, op, &binary.right)
            }
            _ => Self::Unknown,
        }
    }

    /// What `zone` tells.
    pub fn check(&self, zone: &dyn Bounds) -> Truth {
        let outcomes = self.outcomes(zone);
        match outcomes {
            Outcomes { yes: false, .. } => Truth::Never,
            Outcomes { yes: true, no: false, null: false } => Truth::Always,
            _ => Truth::Unknown,
        }
    }

    /// The values of which the column must have one, if the condition says nothing else.
    pub fn equal_to_any(&self) -> Option<Vec<ScalarValue>> {
        match self {
            Self::Compare { op: Cmp::Eq, value, .. } => {
                value.get().filter(|value| !value.is_null()).map(|value| vec![value.clone()])
            }
            Self::Or(tests) => {
                let mut values = Vec::new();
                for test in tests {
                    match test {
                        // NULL in a list matches nothing.
                        Self::Compare { op: Cmp::Eq, value, .. } if value.get().is_some_and(ScalarValue::is_null) => {}
                        other => values.extend(other.equal_to_any()?),
                    }
                }
                Some(values)
            }
            _ => None,
        }
    }

    fn outcomes(&self, zone: &dyn Bounds) -> Outcomes {
        match self {
            Self::Unknown => ANYTHING,
            Self::Compare { column, op, value } => match value.get() {
                Some(value) if value.is_null() => Outcomes { yes: false, no: false, null: true },
                Some(value) => of_column(zone, *column, |bounds| compare_bounds(bounds, *op, value)),
                None => ANYTHING,
            },
            Self::Prefix { column, prefix, exact } => of_column(zone, *column, |bounds| prefix_bounds(bounds, prefix, *exact)),
            Self::IsNull { column } => {
                let nulls = zone.column(*column).null_count;
                Outcomes { yes: nulls != Some(0), no: nulls.is_none_or(|nulls| nulls < zone.rows()), null: false }
            }
            Self::And(tests) => combined(tests, zone, |a, b| Outcomes {
                yes: a.yes && b.yes,
                no: a.no || b.no,
                null: (a.null && (b.yes || b.null)) || (b.null && (a.yes || a.null)),
            }),
            Self::Or(tests) => combined(tests, zone, |a, b| Outcomes {
                yes: a.yes || b.yes,
                no: a.no && b.no,
                null: (a.null && (b.no || b.null)) || (b.null && (a.no || a.null)),
            }),
            Self::Not(test) => {
                let Outcomes { yes, no, null } = test.outcomes(zone);
                Outcomes { yes: no, no: yes, null }
            }
        }
    }
}

fn combined(tests: &[Test], zone: &dyn Bounds, f: impl Fn(Outcomes, Outcomes) -> Outcomes) -> Outcomes {
    tests.iter().map(|test| test.outcomes(zone)).reduce(f).unwrap_or(ANYTHING)
}

/// Outcomes of a strict test of a column, from (can be true, can be false) of its values.
fn of_column(zone: &dyn Bounds, column: usize, of_values: impl Fn(&ColumnBounds) -> (bool, bool)) -> Outcomes {
    let bounds = zone.column(column);
    if bounds.null_count.is_some_and(|nulls| nulls >= zone.rows()) {
        return Outcomes { yes: false, no: false, null: true };
    }
    let (yes, no) = of_values(&bounds);
    Outcomes { yes, no, null: bounds.null_count != Some(0) }
}

fn compare_bounds(bounds: &ColumnBounds, op: Cmp, value: &ScalarValue) -> (bool, bool) {
    let is_float = |value: &ScalarValue| value.data_type().is_floating();
    let order = |bound: &Option<ScalarValue>| bound.as_ref().and_then(|bound| order(bound, value));
    let (min, max) = (order(&bounds.min), order(&bounds.max));
    // Each says whether some value may stand so to the constant; what is not known may.
    let below = min.is_none_or(Ordering::is_lt);
    let above = max.is_none_or(Ordering::is_gt);
    let equal = min.is_none_or(Ordering::is_le) && max.is_none_or(Ordering::is_ge);
    let (mut yes, mut no) = match op {
        Cmp::Eq => (equal, below || above),
        Cmp::Ne => (below || above, equal),
        Cmp::Lt => (below, equal || above),
        Cmp::Le => (below || equal, above),
        Cmp::Gt => (above, below || equal),
        Cmp::Ge => (above || equal, below),
    };
    if is_float(value) {
        match op {
            Cmp::Lt | Cmp::Le | Cmp::Eq => no = true,
            Cmp::Gt | Cmp::Ge | Cmp::Ne => yes = true,
        }
    }
    (yes, no)
}

fn prefix_bounds(bounds: &ColumnBounds, prefix: &str, exact: bool) -> (bool, bool) {
    let text = |bound: &Option<ScalarValue>| bound.as_ref().and_then(|b| b.try_as_str().flatten().map(str::to_owned));
    let (min, max) = (text(&bounds.min), text(&bounds.max));
    let starts = |text: &Option<String>| text.as_ref().is_some_and(|text| text.starts_with(prefix));
    // A smallest value beyond the prefix, or a largest before it, leaves no match.
    let beyond = min.as_ref().is_some_and(|min| min.as_str() > prefix) && !starts(&min);
    let before = max.as_ref().is_some_and(|max| max.as_str() < prefix);
    (!beyond && !before, !(exact && starts(&min) && starts(&max)))
}

/// How two constants compare, where their types allow it. NaN: not at all.
pub(super) fn order(left: &ScalarValue, right: &ScalarValue) -> Option<Ordering> {
    use ScalarValue as S;
    if left.is_null() || right.is_null() {
        return None;
    }
    if let (Some(l), Some(r)) = (left.try_as_str().flatten(), right.try_as_str().flatten()) {
        return Some(l.cmp(r));
    }
    let decimal = |value: &S| match value {
        S::Decimal32(Some(v), _, s) => Some((i128::from(*v), *s)),
        S::Decimal64(Some(v), _, s) => Some((i128::from(*v), *s)),
        S::Decimal128(Some(v), _, s) => Some((*v, *s)),
        _ => None,
    };
    let float = |value: &S| match value {
        S::Float32(Some(v)) => Some(f64::from(*v)),
        S::Float64(Some(v)) => Some(*v),
        _ => None,
    };
    let integer = |value: &S| match value {
        S::Int8(Some(v)) => Some(i64::from(*v)),
        S::Int16(Some(v)) => Some(i64::from(*v)),
        S::Int32(Some(v)) => Some(i64::from(*v)),
        S::Int64(Some(v)) => Some(*v),
        _ => None,
    };
    if let (Some((l, left_scale)), Some((r, right_scale))) = (decimal(left), decimal(right)) {
        let scale = i32::from(left_scale.max(right_scale));
        let at = |value, own: i8| super::decimal::rescale(value, i32::from(own), scale);
        return Some(at(l, left_scale)?.cmp(&at(r, right_scale)?));
    }
    if let (Some(l), Some(r)) = (float(left), float(right)) {
        return l.partial_cmp(&r);
    }
    if let (Some(l), Some(r)) = (integer(left), integer(right)) {
        return Some(l.cmp(&r));
    }
    match (left, right) {
        (S::TimestampMicrosecond(Some(l), _), S::TimestampMicrosecond(Some(r), _)) => Some(l.cmp(r)),
        (S::Date32(Some(l)), S::Date32(Some(r))) => Some(l.cmp(r)),
        (S::Boolean(Some(l)), S::Boolean(Some(r))) => Some(l.cmp(r)),
        _ => None,
    }
}
