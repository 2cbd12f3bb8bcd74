//! What output columns are called: the alias or column as the user spells it, else the expression
//! as Spark prints it.

use super::source::Source;
use sqlparser::ast::{
    BinaryOperator, CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    NullTreatment, OrderByExpr, Query, Select, SelectItem, SetExpr, UnaryOperator, Value, WindowFrameBound, WindowSpec,
    WindowType,
};

/// An identifier with the letters of the text, which the tree has in lower case.
pub(super) fn spelled(ident: &Ident, source: &Source) -> String {
    let Some(text) = source.slice(ident.span) else { return ident.value.clone() };
    let text = text.trim();
    let bare = match text.chars().next() {
        Some(quote @ ('`' | '"' | '\'')) => {
            text.trim_start_matches(quote).trim_end_matches(quote).replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        _ => text.to_owned(),
    };
    if bare.to_lowercase() == ident.value { bare } else { ident.value.clone() }
}

/// The SELECT that names a query's columns.
pub(super) fn naming_select(query: &Query) -> Option<&Select> {
    naming_select_of(&query.body)
}

/// The same of a query's body.
pub(super) fn naming_select_of(mut body: &SetExpr) -> Option<&Select> {
    loop {
        match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::Query(query) => body = query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => body = left,
            _ => return None,
        }
    }
}

/// The name of a SELECT item; None for wildcards.
pub(super) fn item_name(item: &SelectItem, source: &Source) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(spelled(alias, source)),
        SelectItem::UnnamedExpr(expr) => Some(expr_name(expr, source)),
        SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => None,
    }
}

/// The name Spark gives to an expression without alias: a cast column keeps its name.
pub(super) fn expr_name(expr: &Expr, source: &Source) -> String {
    match expr {
        Expr::Cast { expr: inner, .. } if matches!(inner.as_ref(), Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {
            pretty(inner, source)
        }
        Expr::Nested(inner) => expr_name(inner, source),
        other => pretty(other, source),
    }
}

fn pretty(expr: &Expr, source: &Source) -> String {
    let show = |expr: &Expr| pretty(expr, source);
    match expr {
        Expr::Identifier(ident) => spelled(ident, source),
        Expr::CompoundIdentifier(idents) => idents.last().map_or_else(String::new, |ident| spelled(ident, source)),
        Expr::Nested(inner) => show(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            Value::Number(text, _) => text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).to_owned(),
            other => other.to_string(),
        },
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (show(left), show(right));
            match op {
                BinaryOperator::NotEq => format!("(NOT ({left} = {right}))"),
                BinaryOperator::MyIntegerDivide => format!("({left} div {right})"),
                BinaryOperator::StringConcat => format!("concat({left}, {right})"),
                op => format!("({left} {op} {right})"),
            }
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(_) => format!("-{}", show(expr)),
            _ => format!("(- {})", show(expr)),
        },
        Expr::UnaryOp { op: UnaryOperator::Not | UnaryOperator::BangNot, expr } => format!("(NOT {})", show(expr)),
        Expr::IsNull(expr) => format!("({} IS NULL)", show(expr)),
        Expr::IsNotNull(expr) => format!("({} IS NOT NULL)", show(expr)),
        Expr::Between { expr, negated, low, high } => {
            let between = format!("(({0} >= {1}) AND ({0} <= {2}))", show(expr), show(low), show(high));
            if *negated { format!("(NOT {between})") } else { between }
        }
        Expr::InList { expr, list, negated } => {
            let list: Vec<String> = list.iter().map(show).collect();
            let within = format!("({} IN ({}))", show(expr), list.join(", "));
            if *negated { format!("(NOT {within})") } else { within }
        }
        Expr::Like { negated, expr, pattern, .. } => {
            let like = format!("{} LIKE {}", show(expr), show(pattern));
            if *negated { format!("(NOT {like})") } else { like }
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            let mut text = String::from("CASE");
            for when in conditions {
                let condition = match operand {
                    Some(operand) => format!("({} = {})", show(operand), show(&when.condition)),
                    None => show(&when.condition),
                };
                text += &format!(" WHEN {condition} THEN {}", show(&when.result));
            }
            if let Some(other) = else_result {
                text += &format!(" ELSE {}", show(other));
            }
            text + " END"
        }
        Expr::Cast { kind, expr, data_type, .. } => {
            let name = if *kind == CastKind::TryCast { "TRY_CAST" } else { "CAST" };
            format!("{name}({} AS {})", show(expr), data_type.to_string().to_uppercase())
        }
        Expr::Extract { field, expr, .. } => format!("extract({} FROM {})", field.to_string().to_uppercase(), show(expr)),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let from = substring_from.as_ref().map_or_else(|| "1".into(), |from| show(from));
            let length = substring_for.as_ref().map_or_else(|| "2147483647".into(), |length| show(length));
            format!("substring({}, {from}, {length})", show(expr))
        }
        Expr::Subquery(_) => "scalarsubquery()".into(),
        Expr::Exists { .. } => "exists()".into(),
        Expr::Function(function) => call(function, source),
        other => other.to_string(),
    }
}

fn call(function: &Function, source: &Source) -> String {
    let name = function.name.to_string().replace('`', "");
    let mut distinct = "";
    let mut arguments = Vec::new();
    if let FunctionArguments::List(list) = &function.args {
        distinct = if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) { "DISTINCT " } else { "" };
        arguments.extend(list.args.iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => pretty(expr, source),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if name == "count" => "1".into(),
            other => other.to_string(),
        }));
    }
    let shown = match (name.to_lowercase().as_str(), &function.over) {
        ("rank" | "dense_rank" | "percent_rank", Some(_)) => name.to_uppercase(),
        _ => name.clone(),
    };
    let mut text = format!("{shown}({distinct}{})", arguments.join(", "));
    if let Some(filter) = &function.filter {
        text += &format!(" FILTER (WHERE {})", pretty(filter, source));
    }
    if function.null_treatment == Some(NullTreatment::IgnoreNulls) {
        text += " ignore nulls";
    }
    match &function.over {
        Some(WindowType::WindowSpec(spec)) => text + &format!(" OVER ({})", window(spec, &name, source)),
        Some(WindowType::NamedWindow(name)) => text + &format!(" OVER {}", spelled(name, source)),
        None => text,
    }
}

/// A window with the order of NULLs and the frame spelled out.
fn window(spec: &WindowSpec, function: &str, source: &Source) -> String {
    let mut parts: Vec<String> = spec.window_name.iter().map(|name| spelled(name, source)).collect();
    if !spec.partition_by.is_empty() {
        let keys: Vec<String> = spec.partition_by.iter().map(|key| pretty(key, source)).collect();
        parts.push(format!("PARTITION BY {}", keys.join(", ")));
    }
    if !spec.order_by.is_empty() {
        let key = |key: &OrderByExpr| {
            let ascending = key.options.asc != Some(false);
            let first = key.options.nulls_first.unwrap_or(ascending);
            let (direction, nulls) = (if ascending { "ASC" } else { "DESC" }, if first { "FIRST" } else { "LAST" });
            format!("{} {direction} NULLS {nulls}", pretty(&key.expr, source))
        };
        parts.push(format!("ORDER BY {}", spec.order_by.iter().map(key).collect::<Vec<_>>().join(", ")));
    }
    parts.push(match &spec.window_frame {
        Some(frame) => {
            let end = frame.end_bound.as_ref().map_or_else(|| "CURRENT ROW".to_owned(), |bound| bound_text(bound, source));
            format!("{} BETWEEN {} AND {end}", frame.units, bound_text(&frame.start_bound, source))
        }
        None if spec.order_by.is_empty() => "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING".into(),
        None => {
            let by_rows =
                matches!(function.to_lowercase().as_str(), "row_number" | "rank" | "dense_rank" | "percent_rank" | "ntile");
            format!("{} BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", if by_rows { "ROWS" } else { "RANGE" })
        }
    });
    parts.join(" ")
}

fn bound_text(bound: &WindowFrameBound, source: &Source) -> String {
    match bound {
        WindowFrameBound::Preceding(Some(value)) => format!("{} PRECEDING", pretty(value, source)),
        WindowFrameBound::Following(Some(value)) => format!("{} FOLLOWING", pretty(value, source)),
        unbounded => unbounded.to_string(),
    }
}
