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
//! Bounds of floats say nothing of NaN, which is larger than all values: the rows that are not NaN
//! and those that may be are looked at apart where a condition has one such column.
//!
//! Casts that keep the order of values are applied to bounds. Cost: a test a zone; of an IN list two
//! comparisons found by binary search.

mod order;
mod reduce;

pub(crate) use order::order;

use super::compare::Cmp;
use super::compile::Slots;
use super::slot::ScalarSlot;
use crate::layout::{Bounds, ColumnBounds, LISTED_VALUES_MAX, Truth};
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;
use order::is_float;
use std::cmp::Ordering;
use std::sync::Arc;

/// A condition as far as bounds can decide it.
#[derive(Debug)]
pub(super) enum Test {
    Compare {
        operand: Operand,
        op: Cmp,
        value: Value,
    },
    /// `values` are sorted, none is NULL; `null`: one of the list was.
    In {
        operand: Operand,
        values: Vec<ScalarValue>,
        null: bool,
    },
    Prefix {
        column: usize,
        prefix: String,
        exact: bool,
    },
    IsNull {
        column: usize,
    },
    IsTrue(Box<Test>),
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Unknown,
}

/// A column under casts that keep its order.
#[derive(Debug)]
pub(super) struct Operand {
    column: usize,
    casts: Vec<DataType>,
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
        reduce::reduce(expr, schema, slots)
    }

    /// What `zone` tells.
    pub fn check(&self, zone: &dyn Bounds) -> Truth {
        let mut columns = Vec::new();
        self.collect_columns(&mut columns);
        columns.retain(|column| {
            let bounds = zone.column(*column);
            bounds.min.as_ref().or(bounds.max.as_ref()).is_some_and(is_float)
        });
        let outcomes = match columns.as_slice() {
            [] => self.outcomes(zone, false),
            [column] => {
                let numbers = self.outcomes(zone, false);
                let others = self.outcomes(&OnlyNan { zone, column: *column }, false);
                Outcomes { yes: numbers.yes || others.yes, no: numbers.no || others.no, null: numbers.null || others.null }
            }
            _ => self.outcomes(zone, true),
        };
        match outcomes {
            Outcomes { yes: false, .. } => Truth::Never,
            Outcomes { yes: true, no: false, null: false } => Truth::Always,
            _ => Truth::Unknown,
        }
    }

    /// Values of which the column must have one, if the condition says so and they are few.
    pub fn equal_to_any(&self) -> Option<Vec<ScalarValue>> {
        match self {
            Self::Compare { operand, op: Cmp::Eq, value } if operand.casts.is_empty() => {
                // NULL equals nothing.
                value.get().map(|value| if value.is_null() { Vec::new() } else { vec![value.clone()] })
            }
            Self::In { operand, values, .. } if operand.casts.is_empty() && values.len() <= LISTED_VALUES_MAX => {
                Some(values.clone())
            }
            Self::IsTrue(test) => test.equal_to_any(),
            Self::Or(tests) => {
                let parts: Option<Vec<_>> = tests.iter().map(Self::equal_to_any).collect();
                parts.map(|parts| parts.concat()).filter(|values| values.len() <= LISTED_VALUES_MAX)
            }
            Self::And(tests) => tests.iter().filter_map(Self::equal_to_any).min_by_key(Vec::len),
            _ => None,
        }
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        match self {
            Self::Compare { operand: Operand { column, .. }, .. }
            | Self::In { operand: Operand { column, .. }, .. }
            | Self::Prefix { column, .. }
            | Self::IsNull { column } => {
                if !columns.contains(column) {
                    columns.push(*column);
                }
            }
            Self::IsTrue(test) | Self::Not(test) => test.collect_columns(columns),
            Self::And(tests) | Self::Or(tests) => tests.iter().for_each(|test| test.collect_columns(columns)),
            Self::Unknown => {}
        }
    }

    /// `nan`: any row of a floating-point column may be NaN.
    fn outcomes(&self, zone: &dyn Bounds, nan: bool) -> Outcomes {
        match self {
            Self::Unknown => ANYTHING,
            Self::Compare { operand, op, value } => match value.get() {
                Some(value) if value.is_null() => Outcomes { yes: false, no: false, null: true },
                Some(value) => of_column(zone, operand.column, |bounds| {
                    compare_bounds(&operand.bounds(bounds), *op, value, nan && is_float(value))
                }),
                None => ANYTHING,
            },
            Self::In { operand, values, null } => {
                let nan = nan && values.first().is_some_and(is_float);
                let mut found = of_column(zone, operand.column, |bounds| in_bounds(&operand.bounds(bounds), values, nan));
                if *null {
                    // What is in the list is found; of anything else it is not known.
                    found.null |= found.no;
                    found.no = false;
                }
                found
            }
            Self::Prefix { column, prefix, exact } => of_column(zone, *column, |bounds| prefix_bounds(bounds, prefix, *exact)),
            Self::IsNull { column } => {
                let nulls = zone.column(*column).null_count;
                Outcomes { yes: nulls != Some(0), no: nulls.is_none_or(|nulls| nulls < zone.rows()), null: false }
            }
            Self::IsTrue(test) => {
                let Outcomes { yes, no, null } = test.outcomes(zone, nan);
                Outcomes { yes, no: no || null, null: false }
            }
            Self::And(tests) => combined(tests, zone, nan, |a, b| Outcomes {
                yes: a.yes && b.yes,
                no: a.no || b.no,
                null: (a.null && (b.yes || b.null)) || (b.null && (a.yes || a.null)),
            }),
            Self::Or(tests) => combined(tests, zone, nan, |a, b| Outcomes {
                yes: a.yes || b.yes,
                no: a.no && b.no,
                null: (a.null && (b.no || b.null)) || (b.null && (a.no || a.null)),
            }),
            Self::Not(test) => {
                let Outcomes { yes, no, null } = test.outcomes(zone, nan);
                Outcomes { yes: no, no: yes, null }
            }
        }
    }
}

impl Operand {
    /// Bounds of the column after the casts.
    fn bounds(&self, bounds: &ColumnBounds) -> ColumnBounds {
        let cast = |value: &Option<ScalarValue>| {
            self.casts.iter().try_fold(value.clone()?, |value, to| value.cast_to(to).ok()).filter(|value| !value.is_null())
        };
        ColumnBounds { min: cast(&bounds.min), max: cast(&bounds.max), ..bounds.clone() }
    }
}

/// A zone of whose rows one column is NaN or NULL.
struct OnlyNan<'a> {
    zone: &'a dyn Bounds,
    column: usize,
}

impl Bounds for OnlyNan<'_> {
    fn rows(&self) -> u64 {
        self.zone.rows()
    }

    fn column(&self, column: usize) -> ColumnBounds {
        let bounds = self.zone.column(column);
        if column != self.column {
            return bounds;
        }
        let nan = match bounds.min.as_ref().or(bounds.max.as_ref()) {
            Some(ScalarValue::Float32(_)) => ScalarValue::Float32(Some(f32::NAN)),
            _ => ScalarValue::Float64(Some(f64::NAN)),
        };
        ColumnBounds { min: Some(nan.clone()), max: Some(nan), null_count: bounds.null_count }
    }
}

fn combined(tests: &[Test], zone: &dyn Bounds, nan: bool, f: impl Fn(Outcomes, Outcomes) -> Outcomes) -> Outcomes {
    tests.iter().map(|test| test.outcomes(zone, nan)).reduce(f).unwrap_or(ANYTHING)
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

/// (Can be true, can be false) of `value op constant` for values in `bounds`.
fn compare_bounds(bounds: &ColumnBounds, op: Cmp, value: &ScalarValue, nan: bool) -> (bool, bool) {
    let order = |bound: &Option<ScalarValue>| bound.as_ref().and_then(|bound| order(bound, value));
    let (min, max) = (order(&bounds.min), order(&bounds.max));
    // Each says whether some value may stand so to the constant; what is not known may.
    let below = min.is_none_or(Ordering::is_lt);
    let above = max.is_none_or(Ordering::is_gt) || nan;
    let equal = min.is_none_or(Ordering::is_le) && (max.is_none_or(Ordering::is_ge) || nan);
    match op {
        Cmp::Eq => (equal, below || above),
        Cmp::Ne => (below || above, equal),
        Cmp::Lt => (below, equal || above),
        Cmp::Le => (below || equal, above),
        Cmp::Gt => (above, below || equal),
        Cmp::Ge => (above || equal, below),
    }
}

/// (Can be true, can be false) of `value IN list` for values in `bounds`. `values` are sorted.
fn in_bounds(bounds: &ColumnBounds, values: &[ScalarValue], nan: bool) -> (bool, bool) {
    let (Some(min), Some(max)) = (&bounds.min, &bounds.max) else { return (!values.is_empty(), true) };
    if nan || values.first().is_some_and(|first| order(first, min).is_none() || order(first, max).is_none()) {
        return (!values.is_empty(), true);
    }
    let from = values.partition_point(|value| order(value, min).is_some_and(Ordering::is_lt));
    let inside = values.get(from).is_some_and(|value| order(value, max).is_some_and(Ordering::is_le));
    let single = order(min, max).is_some_and(Ordering::is_eq);
    (inside, !(inside && single))
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
