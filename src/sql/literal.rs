//! Numbers as Spark types them: INT if it fits, else BIGINT, else DECIMAL; `1.5` is a decimal of
//! its digits, `1e3` a DOUBLE, and a suffix says otherwise (`1L`, `1S`, `1Y`, `1D`, `1F`, `1.5BD`).
//!
//! `datafusion-sql` would make BIGINT of all integers. It asks [`ExprPlanner`]s about operators
//! but not about literals, so that [`super::rewrite`] puts `n <literal> NULL` for each number,
//! where n is a position in a table of values, and [`LiteralPlanner`] answers with the value. The
//! same way serves parameters, and `x <negate> NULL` serves the unary minus.

use datafusion_common::{DFSchema, Result as PlanResult, ScalarValue, plan_err};
use datafusion_expr::Expr;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use sqlparser::ast::{self, BinaryOperator, Value};

const LITERAL: &str = "literal";
const NEGATE: &str = "negate";

/// A number or parameter of a statement.
#[derive(Debug, Clone)]
pub(super) struct Literal {
    /// As written, with its suffix; empty for parameters.
    pub(super) text: String,
    /// What it means.
    pub(super) value: ScalarValue,
}

/// The value of a number with its sign and suffix. The error is a message.
pub(super) fn number(text: &str) -> Result<ScalarValue, String> {
    let wrong = |what: &str| format!("'{text}' is not {what}");
    let upper = text.to_ascii_uppercase();
    if let Some(digits) = upper.strip_suffix("BD") {
        return decimal(digits).ok_or_else(|| wrong("a DECIMAL of at most 38 digits"));
    }
    match upper.as_bytes().last() {
        Some(b'L') => {
            return upper[..upper.len() - 1].parse().map(|v| ScalarValue::Int64(Some(v))).map_err(|_| wrong("a BIGINT"));
        }
        Some(b'Y') => {
            return upper[..upper.len() - 1].parse().map(|v| ScalarValue::Int8(Some(v))).map_err(|_| wrong("a TINYINT"));
        }
        Some(b'S') => {
            return upper[..upper.len() - 1].parse().map(|v| ScalarValue::Int16(Some(v))).map_err(|_| wrong("a SMALLINT"));
        }
        Some(b'F') => {
            return upper[..upper.len() - 1].parse().map(|v| ScalarValue::Float32(Some(v))).map_err(|_| wrong("a FLOAT"));
        }
        Some(b'D') => return double(&upper[..upper.len() - 1]).ok_or_else(|| wrong("a DOUBLE")),
        _ => {}
    }
    if upper.contains('E') {
        return double(&upper).ok_or_else(|| wrong("a DOUBLE"));
    }
    if let Ok(value) = upper.parse::<i32>() {
        return Ok(ScalarValue::Int32(Some(value)));
    }
    if let Ok(value) = upper.parse::<i64>() {
        return Ok(ScalarValue::Int64(Some(value)));
    }
    decimal(&upper).ok_or_else(|| wrong("a DECIMAL of at most 38 digits"))
}

fn double(text: &str) -> Option<ScalarValue> {
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| ScalarValue::Float64(Some(value)))
}

/// A decimal with as many digits and decimals as are written; an exponent moves the point.
fn decimal(text: &str) -> Option<ScalarValue> {
    let (text, exponent) = match text.split_once('E') {
        Some((text, exponent)) => (text, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if scale < 0 {
        // No more zeros than can still fit.
        digits.extend(std::iter::repeat_n('0', scale.unsigned_abs().min(40) as usize));
        scale = 0;
    }
    let digits = digits.trim_start_matches('0');
    let precision = u8::try_from(digits.len().max(usize::try_from(scale).ok()?).max(1)).ok()?;
    if precision > 38 {
        return None;
    }
    let value: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some(ScalarValue::Decimal128(Some(if negative { -value } else { value }), precision, i8::try_from(scale).ok()?))
}

/// The tree that stands for literal number `index`.
pub(super) fn reference(index: usize) -> ast::Expr {
    operator(ast::Expr::value(Value::Number(index.to_string(), false)), LITERAL)
}

/// The tree that stands for `-operand`.
pub(super) fn negation(operand: ast::Expr) -> ast::Expr {
    operator(operand, NEGATE)
}

fn operator(left: ast::Expr, name: &str) -> ast::Expr {
    ast::Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::Custom(name.into()),
        right: Box::new(ast::Expr::value(Value::Null)),
    }
}

/// Which literal a tree stands for.
pub(super) fn referenced(expr: &ast::Expr) -> Option<usize> {
    let ast::Expr::BinaryOp { left, op: BinaryOperator::Custom(name), .. } = expr else { return None };
    match left.as_ref() {
        ast::Expr::Value(value) if name == LITERAL => match &value.value {
            Value::Number(index, false) => index.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an operator is the unary minus in disguise.
pub(super) fn is_negation(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Custom(name) if name == NEGATE)
}

/// Answers for the two made-up operators; comes after the planners of the session.
#[derive(Debug)]
pub(super) struct LiteralPlanner(pub(super) Vec<Literal>);

impl ExprPlanner for LiteralPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> PlanResult<PlannerResult<RawBinaryExpr>> {
        match &expr.op {
            BinaryOperator::Custom(name) if name == LITERAL => {
                let index = match &expr.left {
                    Expr::Literal(ScalarValue::Int64(Some(index)), _) => usize::try_from(*index).ok(),
                    _ => None,
                };
                match index.and_then(|index| self.0.get(index)) {
                    Some(literal) => Ok(PlannerResult::Planned(Expr::Literal(literal.value.clone(), None))),
                    None => plan_err!("a literal went missing"),
                }
            }
            op if is_negation(op) => Ok(PlannerResult::Planned(Expr::Negative(Box::new(expr.left)))),
            _ => Ok(PlannerResult::Original(expr)),
        }
    }
}
