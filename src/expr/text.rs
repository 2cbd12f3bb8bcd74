//! Expressions as SQL-like text, with as few parentheses as their meaning allows.

use super::cast::sql_type;
use super::leaf::literal_text;
use datafusion_expr::{Expr, Operator};

/// How tightly an expression binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Compare,
    Add,
    Multiply,
    Unary,
    Primary,
}

/// The text of an expression.
pub(super) fn text(expr: &Expr) -> String {
    render(expr).0
}

fn within(expr: &Expr, least: Binding) -> String {
    let (text, binding) = render(expr);
    if binding < least { format!("({text})") } else { text }
}

fn infix(left: &Expr, op: &str, right: &Expr, binding: Binding) -> (String, Binding) {
    // The right operand of `a - (b - c)` needs its parentheses; AND and OR associate.
    let right_least = match binding {
        Binding::Or | Binding::And => binding,
        Binding::Compare => Binding::Add,
        Binding::Add => Binding::Multiply,
        _ => Binding::Unary,
    };
    let left_least = if binding == Binding::Compare { Binding::Add } else { binding };
    (format!("{} {op} {}", within(left, left_least), within(right, right_least)), binding)
}

fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn render(expr: &Expr) -> (String, Binding) {
    let compare = |text: String| (text, Binding::Compare);
    let not = |negated: bool| if negated { "NOT " } else { "" };
    match expr {
        Expr::Alias(alias) => render(&alias.expr),
        Expr::Column(column) => (column.name.clone(), Binding::Primary),
        Expr::Literal(value, _) => (literal_text(value), Binding::Primary),
        Expr::BinaryExpr(binary) => {
            let (op, binding) = operator(&binary.op);
            infix(&binary.left, &op, &binary.right, binding)
        }
        Expr::Not(inner) => (format!("NOT {}", within(inner, Binding::Not)), Binding::Not),
        Expr::IsNull(e) => compare(format!("{} IS NULL", within(e, Binding::Add))),
        Expr::IsNotNull(e) => compare(format!("{} IS NOT NULL", within(e, Binding::Add))),
        Expr::IsTrue(e) => compare(format!("{} IS TRUE", within(e, Binding::Add))),
        Expr::IsFalse(e) => compare(format!("{} IS FALSE", within(e, Binding::Add))),
        Expr::IsUnknown(e) => compare(format!("{} IS UNKNOWN", within(e, Binding::Add))),
        Expr::IsNotTrue(e) => compare(format!("{} IS NOT TRUE", within(e, Binding::Add))),
        Expr::IsNotFalse(e) => compare(format!("{} IS NOT FALSE", within(e, Binding::Add))),
        Expr::IsNotUnknown(e) => compare(format!("{} IS NOT UNKNOWN", within(e, Binding::Add))),
        Expr::Negative(e) => (format!("-{}", within(e, Binding::Unary)), Binding::Unary),
        Expr::Between(between) => compare(format!(
            "{} {}BETWEEN {} AND {}",
            within(&between.expr, Binding::Add),
            not(between.negated),
            within(&between.low, Binding::Add),
            within(&between.high, Binding::Add)
        )),
        Expr::Like(like) => {
            let name = if like.case_insensitive { "ILIKE" } else { "LIKE" };
            let (value, pattern) = (within(&like.expr, Binding::Add), within(&like.pattern, Binding::Add));
            compare(format!("{value} {}{name} {pattern}", not(like.negated)))
        }
        Expr::InList(in_list) => {
            let items = if in_list.list.len() > 20 {
                format!("{}, ... {} more", list(&in_list.list[..20]), in_list.list.len() - 20)
            } else {
                list(&in_list.list)
            };
            compare(format!("{} {}IN ({items})", within(&in_list.expr, Binding::Add), not(in_list.negated)))
        }
        Expr::Cast(cast) => (format!("CAST({} AS {})", text(&cast.expr), sql_type(cast.field.data_type())), Binding::Primary),
        Expr::TryCast(cast) => {
            (format!("TRY_CAST({} AS {})", text(&cast.expr), sql_type(cast.field.data_type())), Binding::Primary)
        }
        Expr::Case(case) => {
            let mut out = "CASE".to_owned();
            if let Some(operand) = &case.expr {
                out += &format!(" {}", text(operand));
            }
            for (when, then) in &case.when_then_expr {
                out += &format!(" WHEN {} THEN {}", text(when), text(then));
            }
            if let Some(otherwise) = &case.else_expr {
                out += &format!(" ELSE {}", text(otherwise));
            }
            (out + " END", Binding::Primary)
        }
        Expr::ScalarFunction(call) => match (call.name(), call.args.as_slice()) {
            (op @ ("+" | "-"), [left, right]) => infix(left, op, right, Binding::Add),
            (op @ ("*" | "/" | "%" | "div"), [left, right]) => infix(left, &op.to_uppercase(), right, Binding::Multiply),
            ("negative", [value]) => (format!("-{}", within(value, Binding::Unary)), Binding::Unary),
            (name, args) => (format!("{name}({})", list(args)), Binding::Primary),
        },
        Expr::ScalarSubquery(_) => ("(scalar subquery)".to_owned(), Binding::Primary),
        other => (other.schema_name().to_string(), Binding::Primary),
    }
}

fn operator(op: &Operator) -> (String, Binding) {
    let binding = match op {
        Operator::Or => Binding::Or,
        Operator::And => Binding::And,
        Operator::Plus | Operator::Minus | Operator::StringConcat => Binding::Add,
        Operator::Multiply | Operator::Divide | Operator::Modulo | Operator::IntegerDivide => Binding::Multiply,
        Operator::BitwiseAnd | Operator::BitwiseOr | Operator::BitwiseXor => Binding::Add,
        Operator::BitwiseShiftLeft | Operator::BitwiseShiftRight => Binding::Add,
        _ => Binding::Compare,
    };
    let name = match op {
        Operator::NotEq => "<>".to_owned(),
        Operator::IsNotDistinctFrom => "<=>".to_owned(),
        Operator::RegexMatch => "RLIKE".to_owned(),
        other => other.to_string(),
    };
    (name, binding)
}
