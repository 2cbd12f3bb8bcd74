//! `+ - * / % DIV` on numbers become functions of ours, which check for overflow and give Spark's
//! result types. Dates and intervals stay with the borrowed planner.

use super::literal;
use crate::expr::functions::decimal_literal;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue, not_impl_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Operator, ScalarUDF, cast};
use sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// The functions that stand for the operators. Each coerces its arguments itself.
#[derive(Debug, Clone)]
pub struct ArithmeticFunctions {
    /// `a + b`
    pub plus: Arc<ScalarUDF>,
    /// `a - b`
    pub minus: Arc<ScalarUDF>,
    /// `a * b`
    pub multiply: Arc<ScalarUDF>,
    /// `a / b`
    pub divide: Arc<ScalarUDF>,
    /// `a % b`
    pub remainder: Arc<ScalarUDF>,
    /// `a DIV b`
    pub int_divide: Arc<ScalarUDF>,
    /// `-a`
    pub negate: Arc<ScalarUDF>,
    /// Two dates or timestamps: the day-time interval from the second to the first.
    pub between: Arc<ScalarUDF>,
    /// A day-time interval so many times.
    pub times: Arc<ScalarUDF>,
    /// A part of a day-time interval.
    pub divided: Arc<ScalarUDF>,
}

/// Plans arithmetic by [`ArithmeticFunctions`]. Must be the first planner of a registry.
#[derive(Debug)]
pub struct SparkArithmetic {
    functions: ArithmeticFunctions,
}

impl SparkArithmetic {
    /// A planner that uses `functions`.
    pub fn new(functions: ArithmeticFunctions) -> Self {
        Self { functions }
    }

    /// Whether `operand` is arithmetic of ours, which is always a number.
    fn is_number(&self, operand: &Expr) -> bool {
        let Expr::ScalarFunction(ScalarFunction { func, .. }) = operand else { return false };
        let ArithmeticFunctions { plus, minus, multiply, divide, remainder, int_divide, negate, .. } = &self.functions;
        [plus, minus, multiply, divide, remainder, int_divide, negate].into_iter().any(|function| Arc::ptr_eq(function, func))
    }

    /// An integer literal beside a decimal becomes a decimal of its digits.
    fn with_narrow_literal(&self, mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<RawBinaryExpr> {
        let literal = |operand: &Expr| match operand {
            Expr::Literal(value, _) => decimal_literal(value),
            _ => None,
        };
        match (literal(&expr.left), literal(&expr.right)) {
            (Some(value), None) if self.family(&expr.right, schema)? == Family::Decimal => {
                expr.left = Expr::Literal(value, None);
            }
            (None, Some(value)) if self.family(&expr.left, schema)? == Family::Decimal => {
                expr.right = Expr::Literal(value, None);
            }
            _ => {}
        }
        Ok(expr)
    }

    /// The family of an operand's type. Much cheaper than its type for a long chain of operators.
    fn family(&self, operand: &Expr, schema: &DFSchema) -> Result<Family> {
        if let Expr::ScalarFunction(ScalarFunction { func, args }) = operand
            && self.is_number(operand)
        {
            let is = |function: &Arc<ScalarUDF>| Arc::ptr_eq(function, func);
            return Ok(match args.as_slice() {
                _ if is(&self.functions.int_divide) => Family::Integer,
                [one] => self.family(one, schema)?,
                [left, right] => match self.family(left, schema)?.with(self.family(right, schema)?) {
                    Family::Integer if is(&self.functions.divide) => Family::Float,
                    family => family,
                },
                _ => Family::Other,
            });
        }
        Ok(match operand.get_type(schema)? {
            DataType::Null => Family::Null,
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => Family::Decimal,
            data_type if data_type.is_integer() => Family::Integer,
            data_type if data_type.is_floating() => Family::Float,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
            _ => Family::Other,
        })
    }

    fn function(&self, op: &BinaryOperator) -> Option<&Arc<ScalarUDF>> {
        let functions = &self.functions;
        Some(match op {
            BinaryOperator::Plus => &functions.plus,
            BinaryOperator::Minus => &functions.minus,
            BinaryOperator::Multiply => &functions.multiply,
            BinaryOperator::Divide => &functions.divide,
            BinaryOperator::Modulo => &functions.remainder,
            BinaryOperator::MyIntegerDivide | BinaryOperator::DuckIntegerDivide => &functions.int_divide,
            _ => return None,
        })
    }
}

/// What decides the family of an arithmetic result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Null,
    Integer,
    Decimal,
    Float,
    Text,
    Other,
}

impl Family {
    /// Of an operator on both.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Other, _) | (_, Self::Other) => Self::Other,
            (Self::Null, family) | (family, Self::Null) => family,
            (Self::Float, _) | (_, Self::Float) => Self::Float,
            // A string is taken as BIGINT beside an integer, otherwise as DOUBLE.
            (Self::Text, Self::Integer) | (Self::Integer, Self::Text) => Self::Integer,
            (Self::Text, _) | (_, Self::Text) => Self::Float,
            (Self::Decimal, _) | (_, Self::Decimal) => Self::Decimal,
            (Self::Integer, Self::Integer) => Self::Integer,
        }
    }
}

impl ExprPlanner for SparkArithmetic {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if literal::is_negation(&expr.op) {
            let operand = expr.left.get_type(schema)?;
            if is_interval(&operand) {
                return Ok(PlannerResult::Original(expr));
            }
            return Ok(call(&self.functions.negate, vec![expr.left]));
        }
        let Some(function) = self.function(&expr.op) else { return self.comparison(expr, schema) };
        let expr = self.with_narrow_literal(expr, schema)?;
        // Asking a long chain for its type at each of its operators would be quadratic at least.
        if self.is_number(&expr.left) && self.is_number(&expr.right) {
            return Ok(call(function, vec![expr.left, expr.right]));
        }
        let of = |operand: &Expr| if self.is_number(operand) { Ok(DataType::Float64) } else { operand.get_type(schema) };
        let (left, right) = (of(&expr.left)?, of(&expr.right)?);
        if left.is_temporal() || right.is_temporal() || is_interval(&left) || is_interval(&right) {
            return self.temporal(expr, left, right, schema);
        }
        Ok(call(function, vec![expr.left, expr.right]))
    }
}

fn call(function: &Arc<ScalarUDF>, arguments: Vec<Expr>) -> PlannerResult<RawBinaryExpr> {
    PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(function.clone(), arguments)))
}

fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

/// A day-time interval for a constant one of days and less.
fn day_time(value: &Expr) -> Option<Expr> {
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) = value else { return None };
    let days = i64::from(interval.days).checked_mul(86_400_000_000)?;
    let micros = days.checked_add(interval.nanoseconds / 1000).filter(|_| interval.months == 0)?;
    Some(Expr::Literal(ScalarValue::DurationMicrosecond(Some(micros)), None))
}

impl SparkArithmetic {
    /// A constant interval beside a day-time one is one as well.
    fn comparison(&self, mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_day_time = |operand: &Expr| Ok::<_, DataFusionError>(matches!(operand.get_type(schema)?, DataType::Duration(_)));
        if let Some(interval) = day_time(&expr.right)
            && is_day_time(&expr.left)?
        {
            expr.right = interval;
        } else if let Some(interval) = day_time(&expr.left)
            && is_day_time(&expr.right)?
        {
            expr.left = interval;
        }
        Ok(PlannerResult::Original(expr))
    }

    /// What gives a day-time interval or takes one; dates and timestamps take others, too.
    fn temporal(
        &self,
        mut expr: RawBinaryExpr,
        left: DataType,
        right: DataType,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use DataType as T;
        let is_instant = |data_type: &T| matches!(data_type, T::Date32 | T::Timestamp(..));
        let is_day_time = |data_type: &T| matches!(data_type, T::Duration(_));
        let is_number = |data_type: &T| data_type.is_numeric() || data_type.is_null();
        let (minus, plus) = (expr.op == BinaryOperator::Minus, expr.op == BinaryOperator::Plus);
        match (&left, &right) {
            (T::Null, r) if minus && is_instant(r) => return Ok(call(&self.functions.between, vec![expr.left, expr.right])),
            (l, T::Null) if minus && is_instant(l) => return Ok(call(&self.functions.between, vec![expr.left, expr.right])),
            (T::Date32, T::Date32) if minus => return Ok(call(&self.functions.between, vec![expr.left, expr.right])),
            (T::Timestamp(_, a), T::Timestamp(_, b)) if minus && a.is_some() == b.is_some() => {
                return Ok(call(&self.functions.between, vec![expr.left, expr.right]));
            }
            (T::Date32, T::Timestamp(..)) if minus => {
                return Ok(call(&self.functions.between, vec![cast(expr.left, right), expr.right]));
            }
            (T::Timestamp(..), T::Date32) if minus => {
                return Ok(call(&self.functions.between, vec![expr.left, cast(expr.right, left)]));
            }
            (l, r) if is_day_time(l) && is_number(r) && expr.op == BinaryOperator::Multiply => {
                return Ok(call(&self.functions.times, vec![expr.left, expr.right]));
            }
            (l, r) if is_number(l) && is_day_time(r) && expr.op == BinaryOperator::Multiply => {
                return Ok(call(&self.functions.times, vec![expr.right, expr.left]));
            }
            (l, r) if is_day_time(l) && is_number(r) && expr.op == BinaryOperator::Divide => {
                return Ok(call(&self.functions.divided, vec![expr.left, expr.right]));
            }
            (T::Date32, r) if is_day_time(r) && (plus || minus) => {
                // The difference of two dates is whole days, which leave a date a date.
                let whole = self.is_of_dates(&expr.right, schema);
                let instant = cast(expr.left, T::Timestamp(TimeUnit::Microsecond, None));
                let op = if plus { Operator::Plus } else { Operator::Minus };
                let moved = Expr::BinaryExpr(BinaryExpr::new(Box::new(instant), op, Box::new(expr.right)));
                return Ok(PlannerResult::Planned(if whole { cast(moved, T::Date32) } else { moved }));
            }
            (l, r) if is_day_time(l) && matches!(r, T::Interval(_)) => {
                if let Some(interval) = day_time(&expr.right) {
                    expr.right = interval;
                    return temporal(expr, &left, &left);
                }
            }
            (l, r) if matches!(l, T::Interval(_)) && is_day_time(r) => {
                if let Some(interval) = day_time(&expr.left) {
                    expr.left = interval;
                    return temporal(expr, &right, &right);
                }
            }
            _ => {}
        }
        temporal(expr, &left, &right)
    }

    /// Whether an interval is the difference of two dates.
    fn is_of_dates(&self, interval: &Expr, schema: &DFSchema) -> bool {
        let Expr::ScalarFunction(ScalarFunction { func, args }) = interval else { return false };
        let is_date = |operand: &Expr| operand.get_type(schema).is_ok_and(|data_type| data_type == DataType::Date32);
        Arc::ptr_eq(func, &self.functions.between) && args.iter().all(is_date)
    }
}

/// Dates and timestamps take intervals, and dates whole days. Whatever else one may write has
/// other types here than in Spark and is refused.
fn temporal(expr: RawBinaryExpr, left: &DataType, right: &DataType) -> Result<PlannerResult<RawBinaryExpr>> {
    let days = |value: &Expr| match value {
        Expr::Literal(ScalarValue::Int8(Some(days)), _) => Some(i32::from(*days)),
        Expr::Literal(ScalarValue::Int16(Some(days)), _) => Some(i32::from(*days)),
        Expr::Literal(ScalarValue::Int32(Some(days)), _) => Some(*days),
        _ => None,
    };
    let interval = |days: i32| Expr::Literal(ScalarValue::new_interval_mdn(0, days, 0), None);
    let op = match expr.op {
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        _ => return not_impl_err!("{} {} {} is not supported", left, expr.op, right),
    };
    let plus = op == Operator::Plus;
    let is_instant = |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
    let (left_expr, right_expr) = match (left, right) {
        (DataType::Date32, _) if days(&expr.right).is_some() => {
            let days = days(&expr.right).unwrap_or_default();
            (expr.left, interval(days))
        }
        (_, DataType::Date32) if plus && days(&expr.left).is_some() => {
            let days = days(&expr.left).unwrap_or_default();
            (expr.right, interval(days))
        }
        (l, r) if is_instant(l) && is_interval(r) => (moved_by(expr.left, l, &expr.right), expr.right),
        (l, r) if is_interval(l) && is_instant(r) && plus => (moved_by(expr.right, r, &expr.left), expr.left),
        (l, r) if is_interval(l) && is_interval(r) => (expr.left, expr.right),
        (DataType::Date32, r) if r.is_integer() => {
            let function = if plus { "date_add" } else { "date_sub" };
            return not_impl_err!("DATE {op} {r} is not supported; use {function}(date, days)");
        }
        _ => return not_impl_err!("{left} {op} {right} is not supported"),
    };
    Ok(PlannerResult::Planned(Expr::BinaryExpr(BinaryExpr::new(Box::new(left_expr), op, Box::new(right_expr)))))
}

/// What an interval is added to: hours make a point in time of a date.
fn moved_by(instant: Expr, data_type: &DataType, interval: &Expr) -> Expr {
    match interval {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _)
            if *data_type == DataType::Date32 && interval.nanoseconds != 0 =>
        {
            cast(instant, DataType::Timestamp(TimeUnit::Microsecond, None))
        }
        _ => instant,
    }
}
