//! Special forms of the grammar that are plain calls, and calls that are other expressions.

use super::desugar::build;
use crate::config::Config;
use datafusion_common::ScalarValue;
use sqlparser::ast::*;

/// What a call turns out to be.
pub(super) enum Meaning {
    /// Another expression, whose parts are rewritten already.
    Expr(Box<Expr>),
    /// A constant of the session.
    Constant(ScalarValue),
}

fn expression(expr: Expr) -> Meaning {
    Meaning::Expr(Box::new(expr))
}

/// Types that may be called as casts.
const CASTS: &[(&str, DataType)] = &[
    ("bigint", DataType::BigInt(None)),
    ("binary", DataType::Binary(None)),
    ("boolean", DataType::Boolean),
    ("double", DataType::Double(ExactNumberInfo::None)),
    ("float", DataType::Float(ExactNumberInfo::None)),
    ("int", DataType::Int(None)),
    ("smallint", DataType::SmallInt(None)),
    ("string", DataType::String(None)),
    ("timestamp", DataType::Timestamp(None, TimezoneInfo::None)),
    ("time", DataType::Time(None, TimezoneInfo::None)),
    ("tinyint", DataType::TinyInt(None)),
    ("decimal", DataType::Decimal(ExactNumberInfo::None)),
];

/// Functions that are read off the session.
pub(super) const OF_SESSION: &[&str] = &[
    "current_catalog",
    "current_database",
    "current_schema",
    "current_timezone",
    "current_user",
    "session_user",
    "user",
    "version",
];

/// Names that only this file knows.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let more = ["current_time", "localtime", "struct", "curdate", "localtimestamp", "when", "timestampadd", "timestampdiff"];
    CASTS.iter().map(|(name, _)| *name).chain(OF_SESSION.iter().copied()).chain(more)
}

/// The meaning of an expression of a form that the binder does not have. None: it stays.
pub(super) fn meaning(expr: &mut Expr, config: &Config) -> Option<Meaning> {
    let take = |expr: &mut Box<Expr>| std::mem::replace(expr.as_mut(), Expr::value(Value::Null));
    Some(expression(match expr {
        Expr::Ceil { expr, field: CeilFloorKind::Scale(scale) } => scaled("ceil_to", take(expr), scale),
        Expr::Floor { expr, field: CeilFloorKind::Scale(scale) } => scaled("floor_to", take(expr), scale),
        Expr::Extract { field, expr, .. } => {
            let part = Expr::value(Value::SingleQuotedString(field.to_string().to_lowercase()));
            call("date_part", vec![part, take(expr)])
        }
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr } => call("bit_not", vec![take(expr)]),
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => call("concat", vec![take(left), take(right)]),
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let mut arguments = vec![take(expr), take(overlay_what), take(overlay_from)];
            arguments.extend(overlay_for.iter_mut().map(take));
            call("overlay", arguments)
        }
        Expr::Trim { expr, trim_where, trim_what, trim_characters: None } => {
            let name = match trim_where {
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
                Some(TrimWhereField::Both) | None => "trim",
            };
            let mut arguments: Vec<Expr> = trim_what.iter_mut().map(take).collect();
            arguments.push(take(expr));
            call(name, arguments)
        }
        Expr::Array(array) => call("array", std::mem::take(&mut array.elem)),
        Expr::Struct { values, fields } if fields.is_empty() => structure(std::mem::take(values)),
        Expr::Function(function) => return function_meaning(function, config),
        _ => return None,
    }))
}

fn scaled(name: &str, value: Expr, scale: &ValueWithSpan) -> Expr {
    call(name, vec![value, Expr::Value(scale.clone())])
}

fn function_meaning(function: &mut Function, config: &Config) -> Option<Meaning> {
    let [ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return None };
    let name = ident.value.to_lowercase();
    let FunctionArguments::List(list) = &mut function.args else {
        if function.args != FunctionArguments::None {
            return None;
        }
        return match name.as_str() {
            "current_time" | "localtime" => Some(expression(call("time_of", vec![now()]))),
            "localtimestamp" => Some(expression(local_now())),
            "now" | "current_timestamp" => Some(expression(now())),
            name => of_session(name, config),
        };
    };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() || function.over.is_some() || function.filter.is_some() {
        return None;
    }
    let plain = |arguments: &mut Vec<FunctionArg>| -> Option<Vec<Expr>> {
        let all = arguments.iter().all(|argument| matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(_))));
        all.then(|| {
            let each = std::mem::take(arguments).into_iter().filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            });
            each.collect()
        })
    };
    match (name.as_str(), list.args.len()) {
        (_, 0) if OF_SESSION.contains(&name.as_str()) => of_session(&name, config),
        ("current_time" | "localtime", 0) => Some(expression(call("time_of", vec![now()]))),
        ("curdate", 0) => Some(expression(call("current_date", vec![]))),
        ("localtimestamp", 0) => Some(expression(local_now())),
        ("now" | "current_timestamp", 0) => Some(expression(now())),
        ("map", 0) => Some(expression(call("map_concat", vec![]))),
        ("ceil" | "ceiling" | "floor", 2) => {
            let name = if name == "floor" { "floor_to" } else { "ceil_to" };
            plain(&mut list.args).map(|arguments| expression(call(name, arguments)))
        }
        ("unix_timestamp", 0) => Some(expression(call("unix_timestamp", vec![now()]))),
        ("when", 2..) => {
            let mut arguments = plain(&mut list.args)?;
            let else_result = if arguments.len() % 2 == 1 { arguments.pop().map(Box::new) } else { None };
            let mut pairs = arguments.into_iter();
            let mut conditions = Vec::new();
            while let (Some(condition), Some(result)) = (pairs.next(), pairs.next()) {
                conditions.push(CaseWhen { condition, result });
            }
            let empty = || helpers::attached_token::AttachedToken::empty();
            let (case_token, end_token) = (empty(), empty());
            Some(expression(Expr::Case { case_token, end_token, operand: None, conditions, else_result }))
        }
        ("struct", _) => plain(&mut list.args).map(|arguments| expression(structure(arguments))),
        ("dateadd" | "date_add" | "timestampadd" | "datediff" | "date_diff" | "timestampdiff", 3) => {
            let mut arguments = plain(&mut list.args)?;
            if let Expr::Identifier(unit) = &arguments[0] {
                arguments[0] = Expr::value(Value::SingleQuotedString(unit.value.clone()));
            }
            let name = if name.ends_with("add") { "timestampadd" } else { "timestampdiff" };
            Some(expression(call(name, arguments)))
        }
        (name, 1) => {
            let (_, data_type) = CASTS.iter().find(|(known, _)| *known == name)?;
            let mut arguments = plain(&mut list.args)?;
            Some(expression(cast(arguments.remove(0), data_type.clone())))
        }
        _ => None,
    }
}

/// The moment at which the query began.
fn now() -> Expr {
    cast(call("now", vec![]), DataType::Timestamp(None, TimezoneInfo::None))
}

/// What clocks of the session's zone showed then.
fn local_now() -> Expr {
    cast(now(), DataType::Timestamp(None, TimezoneInfo::WithoutTimeZone))
}

fn of_session(name: &str, config: &Config) -> Option<Meaning> {
    let user = || std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "anonymous".into());
    let text = match name {
        "current_catalog" => "spark_catalog".to_owned(),
        "current_database" | "current_schema" => config.database.clone(),
        "current_timezone" => config.time_zone.clone(),
        "current_user" | "session_user" | "user" => user(),
        "version" => format!("skep {}", env!("CARGO_PKG_VERSION")),
        _ => return None,
    };
    Some(Meaning::Constant(ScalarValue::Utf8View(Some(text))))
}

/// `struct(a, t.b, c + 1 AS d, 5)`: columns and aliases name fields, others are `col4` by place.
fn structure(values: Vec<Expr>) -> Expr {
    let mut arguments = Vec::with_capacity(values.len() * 2);
    for (at, value) in values.into_iter().enumerate() {
        let (name, value) = match value {
            Expr::Named { expr, name } => (name.value, *expr),
            Expr::Identifier(ident) => (ident.value.clone(), Expr::Identifier(ident)),
            Expr::CompoundIdentifier(parts) => {
                (parts.last().map(|part| part.value.clone()).unwrap_or_default(), Expr::CompoundIdentifier(parts))
            }
            other => (format!("col{}", at + 1), other),
        };
        arguments.push(Expr::value(Value::SingleQuotedString(name)));
        arguments.push(value);
    }
    call("named_struct", arguments)
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// A call of a function.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(build::call(name, arguments))
}

/// Parameters of lambdas in scope: the binder takes `state.field` for a column of a table.
#[derive(Debug, Default)]
pub(super) struct Lambdas(Vec<Vec<String>>);

impl Lambdas {
    /// Goes into an expression; a field of a parameter becomes an access to it.
    pub(super) fn enter(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Lambda(lambda) => self.0.push(lambda.params.iter().map(|parameter| parameter.name.value.clone()).collect()),
            Expr::CompoundIdentifier(parts) if parts.len() > 1 && self.0.iter().flatten().any(|name| *name == parts[0].value) => {
                let mut parts = std::mem::take(parts).into_iter().map(Expr::Identifier);
                let root = parts.next().unwrap_or_else(|| Expr::value(Value::Null));
                *expr = Expr::CompoundFieldAccess { root: Box::new(root), access_chain: parts.map(AccessExpr::Dot).collect() };
            }
            _ => {}
        }
    }

    /// Leaves it again.
    pub(super) fn leave(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Lambda(_) => {
                self.0.pop();
            }
            // The binder takes a field of anything but a column between brackets only.
            Expr::CompoundFieldAccess { access_chain, .. } => {
                for access in access_chain {
                    if let AccessExpr::Dot(Expr::Identifier(name)) = access {
                        let index = Expr::value(Value::SingleQuotedString(name.value.clone()));
                        *access = AccessExpr::Subscript(Subscript::Index { index });
                    }
                }
            }
            // `(x, y) -> (y, x)` gives structs.
            Expr::Tuple(values) if !self.0.is_empty() => *expr = structure(std::mem::take(values)),
            _ => {}
        }
    }
}
