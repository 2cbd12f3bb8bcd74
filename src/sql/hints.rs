//! Hints behind SELECT: `/*+ BROADCAST(a), SKEW('t', 'c', (1, 2)) */`.
//!
//! A hint changes no answer, so what is wrong with one is a warning and not an error, as in Spark: a
//! name that nobody knows, a table that the SELECT does not read, an argument of another kind.

use super::dialect::SkepDialect;
use super::walk::walk;
use crate::join::{Hint, SkewedColumns};
use datafusion_common::ScalarValue;
use sqlparser::ast::*;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;
use std::ops::ControlFlow;

/// Spark's hints about partitions between stages, which there are none of here.
const WITHOUT_EFFECT: [&str; 4] = ["COALESCE", "REPARTITION", "REPARTITION_BY_RANGE", "REBALANCE"];

/// Hints of a statement, and what is wrong with others.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) hints: Vec<Hint>,
    pub(super) warnings: Vec<String>,
}

/// The hints of all SELECTs of `query`.
pub(super) fn collect(query: &Query) -> Found {
    let mut found = Found::default();
    let _ = walk(query, &mut found);
    found
}

impl Visitor for Found {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for hint in &select.optimizer_hints {
            // Other marks are other systems' hints, and comments to us.
            if matches!(hint.style, OptimizerHintStyle::MultiLine) && hint.prefix.is_empty() {
                self.read(&hint.text, &relations(&select.from));
            }
        }
        ControlFlow::Continue(())
    }
}

impl Found {
    fn read(&mut self, text: &str, relations: &[String]) {
        let dialect = SkepDialect::default();
        let mut parser = match Parser::new(&dialect).try_with_sql(text) {
            Ok(parser) => parser,
            Err(_) => return self.warnings.push(format!("hint '{}' cannot be read", text.trim())),
        };
        while parser.peek_token().token != Token::EOF {
            match parser.parse_expr() {
                Ok(expr) => self.one(&expr, relations),
                Err(_) => return self.warnings.push(format!("hint '{}' cannot be read", text.trim())),
            }
            // Blanks separate as well as commas do.
            let _ = parser.consume_token(&Token::Comma);
        }
    }

    fn one(&mut self, expr: &Expr, relations: &[String]) {
        let text = expr.to_string();
        let (name, arguments) = match expr {
            Expr::Identifier(name) => (name.value.clone(), Vec::new()),
            Expr::Function(function) => (function.name.to_string(), arguments(function)),
            _ => return self.warnings.push(format!("hint '{text}' cannot be read")),
        };
        if WITHOUT_EFFECT.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return self.warnings.push(format!("hint {text} has no effect: nothing is exchanged between machines"));
        }
        let Some(strategy) = Hint::strategy_of(&name) else {
            return self.warnings.push(format!("there is no hint '{name}'"));
        };
        if name.eq_ignore_ascii_case("SKEW") {
            match skew(&arguments) {
                Some((relation, skew)) => self.add(Hint { strategy, relation, skew: Some(skew), text }, relations),
                None => self.warnings.push(format!("hint {text} is not of the form SKEW('table', 'column', (values))")),
            }
            return;
        }
        if arguments.is_empty() {
            self.warnings.push(format!("hint {text} names no table"));
        }
        for argument in &arguments {
            match name_of(argument) {
                Some(relation) => self.add(Hint { strategy, relation, skew: None, text: text.clone() }, relations),
                None => self.warnings.push(format!("hint {text}: {argument} is no table")),
            }
        }
    }

    fn add(&mut self, hint: Hint, relations: &[String]) {
        if relations.iter().any(|known| known.eq_ignore_ascii_case(&hint.relation)) {
            self.hints.push(hint);
        } else {
            self.warnings.push(format!("hint {}: there is no '{}' in its FROM", hint.text, hint.relation));
        }
    }
}

fn arguments(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().filter_map(plain).collect()
}

/// Tables go by their alias, or else by the last part of their name.
fn relations(from: &[TableWithJoins]) -> Vec<String> {
    let mut names = Vec::new();
    let mut factors: Vec<&TableFactor> = Vec::new();
    from.iter().for_each(|table| push(table, &mut factors));
    while let Some(factor) = factors.pop() {
        match factor {
            TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
                names.push(alias.name.value.clone());
            }
            TableFactor::Table { name, .. } => {
                names.extend(name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.clone()));
            }
            TableFactor::NestedJoin { table_with_joins, .. } => push(table_with_joins, &mut factors),
            _ => {}
        }
    }
    names
}

fn push<'a>(table: &'a TableWithJoins, factors: &mut Vec<&'a TableFactor>) {
    factors.push(&table.relation);
    factors.extend(table.joins.iter().map(|join| &join.relation));
}

/// A table or column: a name, a name with its schema, or a string.
fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.clone()),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Nested(inner) => name_of(inner),
        _ => None,
    }
}

fn listed(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Tuple(items) => items.iter().collect(),
        Expr::Nested(inner) => vec![inner],
        other => vec![other],
    }
}

/// Table, columns and hot values of `SKEW('t', 'c', (1, 2))`, `SKEW('t', ('a', 'b'), ((1, 2), (3, 4)))`
/// or either with fewer arguments.
fn skew(arguments: &[Expr]) -> Option<(String, SkewedColumns)> {
    let (table, rest) = arguments.split_first()?;
    let columns = match rest.first() {
        Some(columns) => listed(columns).into_iter().map(name_of).collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    let mut values = Vec::new();
    for row in rest.get(1).into_iter().flat_map(listed) {
        let row = if columns.len() == 1 { vec![row] } else { listed(row) };
        let row = row.into_iter().map(literal).collect::<Option<Vec<_>>>()?;
        if row.len() != columns.len() {
            return None;
        }
        values.push(row);
    }
    (rest.len() <= 2).then_some(())?;
    Some((name_of(table)?, SkewedColumns { columns, values }))
}

fn literal(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => match digits.parse::<i64>() {
                Ok(value) => Some(ScalarValue::Int64(Some(value))),
                // The column says how many digits a fraction has.
                Err(_) => Some(ScalarValue::Utf8(Some(digits.clone()))),
            },
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(ScalarValue::Utf8(Some(text.clone()))),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match literal(expr)? {
            ScalarValue::Int64(Some(value)) => Some(ScalarValue::Int64(value.checked_neg())),
            ScalarValue::Utf8(Some(digits)) => Some(ScalarValue::Utf8(Some(format!("-{digits}")))),
            _ => None,
        },
        Expr::Nested(inner) => literal(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (Vec<String>, Vec<String>) {
        let mut found = Found::default();
        found.read(text, &["a".to_owned(), "b".to_owned()]);
        (found.hints.iter().map(|hint| format!("{} {}", hint.strategy.name(), hint.relation)).collect(), found.warnings)
    }

    #[test]
    fn spark_names_are_known() {
        let (hints, warnings) = check("MAPJOIN(a), broadcastjoin(b) MERGE(a, s.b), SHUFFLE_HASH(a) shuffle_merge(A)");
        assert_eq!(
            hints,
            ["broadcast_hash a", "broadcast_hash b", "sort_merge a", "sort_merge b", "partitioned_hash a", "sort_merge A"]
        );
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_a_warning() {
        let (hints, warnings) = check("BROADCAST(c), FAST(a), REPARTITION(3), BROADCAST, MERGE(1)");
        assert!(hints.is_empty());
        assert_eq!(warnings.len(), 5, "{warnings:#?}");
        assert!(warnings[0].contains("no 'c'") && warnings[1].contains("no hint 'FAST'"));
        assert_eq!(check("((").1.len(), 1);
        assert_eq!(check("SKEW('a', 'c', (1), 4)").1.len(), 1);
    }

    #[test]
    fn skewed_values_are_read() {
        let parse = |text: &str| {
            let mut found = Found::default();
            found.read(text, &["t".to_owned()]);
            assert!(found.warnings.is_empty(), "{:?}", found.warnings);
            found.hints[0].skew.clone().unwrap()
        };
        let one = parse("SKEW('t', 'c', (1, -2, 'x'))");
        assert_eq!(one.columns, ["c"]);
        let (number, text) = (|v| ScalarValue::Int64(Some(v)), |v: &str| ScalarValue::Utf8(Some(v.to_owned())));
        assert_eq!(one.values, [vec![number(1)], vec![number(-2)], vec![text("x")]]);
        let two = parse("SKEW('t', ('a', 'b'), ((1, 2.5), (3, 4)))");
        assert_eq!(two.values, [vec![number(1), text("2.5")], vec![number(3), number(4)]]);
        assert_eq!(parse("SKEW('t')"), SkewedColumns::default());
    }
}
