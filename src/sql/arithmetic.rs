//! `+ - * / % DIV` on numbers become functions of ours, which check for overflow and give Spark's
//! result types. Dates and intervals stay with the borrowed planner.

use super::literal;
use crate::expr::functions::decimal_literal;
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue, not_impl_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Operator, ScalarUDF};
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
        let ArithmeticFunctions { plus, minus, multiply, divide, remainder, int_divide, negate } = &self.functions;
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
        let Some(function) = self.function(&expr.op) else { return Ok(PlannerResult::Original(expr)) };
        let expr = self.with_narrow_literal(expr, schema)?;
        // Asking a long chain for its type at each of its operators would be quadratic at least.
        if self.is_number(&expr.left) && self.is_number(&expr.right) {
            return Ok(call(function, vec![expr.left, expr.right]));
        }
        let of = |operand: &Expr| if self.is_number(operand) { Ok(DataType::Float64) } else { operand.get_type(schema) };
        let (left, right) = (of(&expr.left)?, of(&expr.right)?);
        if left.is_temporal() || right.is_temporal() || is_interval(&left) || is_interval(&right) {
            return temporal(expr, &left, &right);
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
        (l, r) if is_instant(l) && is_interval(r) => (expr.left, expr.right),
        (l, r) if is_interval(l) && is_instant(r) && plus => (expr.right, expr.left),
        (l, r) if is_interval(l) && is_interval(r) => (expr.left, expr.right),
        (DataType::Date32, DataType::Date32) if !plus => {
            return not_impl_err!("the difference of two dates is not supported; use datediff(end, start)");
        }
        (DataType::Date32, r) if r.is_integer() => {
            let function = if plus { "date_add" } else { "date_sub" };
            return not_impl_err!("DATE {op} {r} is not supported; use {function}(date, days)");
        }
        _ => return not_impl_err!("{left} {op} {right} is not supported"),
    };
    Ok(PlannerResult::Planned(Expr::BinaryExpr(BinaryExpr::new(Box::new(left_expr), op, Box::new(right_expr)))))
}
