//! What is put right in the syntax tree before the borrowed binder sees it.
//!
//! Numbers and parameters become references to typed values ([`super::literal`]), tables are
//! looked up with their positions, `'path'` becomes ``parquet.`path` ``, columns that nobody named
//! get Spark's name, a second column of one name gets a number behind it, and a few forms that the
//! binder lacks become others that it has (MINUS, RLIKE, SEMI JOIN, FETCH).

use super::bind::Parameters;
use super::calls::{self, call as function};
use super::grouping;
use super::literal::{self, Literal};
use super::macros;
use super::names;
use super::provider::{ANY_FORMAT, FunctionRegistry};
use super::relation::is_table_function;
use super::source::{At, Source, nearest};
use super::walk::{walk, walk_mut};
use super::windows::{Windows, plain_bounds};
use crate::catalog::{Catalog, Warehouse};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::registry::format_named;
use crate::optimizer::ASOF_MATCH;
use datafusion_common::ScalarValue;
use sqlparser::ast::*;
use sqlparser::tokenizer::{Location, Span};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

/// Rewrites a query in place and gives back its literals.
pub(super) fn rewrite(
    query: &mut Query,
    catalog: &Catalog,
    config: &Config,
    functions: &FunctionRegistry,
    parameters: &Parameters,
    source: &Source,
) -> Result<Vec<Literal>> {
    let positional = positional(query, parameters)?;
    let mut rewriter = Rewriter {
        catalog,
        config,
        functions,
        parameters,
        source,
        positional,
        used: BTreeSet::new(),
        ctes: Vec::new(),
        windows: Vec::new(),
        literals: Vec::new(),
        lambdas: calls::Lambdas::default(),
        raw: 0,
    };
    if let ControlFlow::Break(error) = walk_mut(query, &mut rewriter) {
        return Err(error);
    }
    let used = std::mem::take(&mut rewriter.used);
    if let Some(name) = parameters.named.keys().find(|name| !used.contains(&name.to_lowercase())) {
        return Err(Error::sql(format!("the query has no parameter ':{name}'")));
    }
    Ok(rewriter.literals)
}

struct Rewriter<'a> {
    catalog: &'a Catalog,
    config: &'a Config,
    functions: &'a FunctionRegistry,
    parameters: &'a Parameters,
    source: &'a Source<'a>,
    /// Which `?` stands where, counted from 0.
    positional: BTreeMap<Location, usize>,
    used: BTreeSet<String>,
    /// Names of common table expressions in scope, innermost last.
    ctes: Vec<HashSet<String>>,
    /// Named windows in scope, innermost last.
    windows: Vec<Windows>,
    literals: Vec<Literal>,
    /// Parameters of lambdas in scope.
    lambdas: calls::Lambdas,
    /// How many nodes around want numbers as they are.
    raw: usize,
}

impl VisitorMut for Rewriter<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.clone());
        self.ctes.push(names.collect());
        // ORDER BY sees the windows of the SELECT it belongs to.
        self.windows.push(match query.body.as_ref() {
            SetExpr::Select(select) => Windows::of(select),
            _ => Windows::default(),
        });
        if let Some(Fetch { with_ties: false, percent: false, quantity }) = query.fetch.take() {
            let limit = Some(quantity.unwrap_or_else(|| Expr::value(Value::Number("1".into(), false))));
            let offset = match query.limit_clause.take() {
                Some(LimitClause::LimitOffset { offset, .. }) => offset,
                _ => None,
            };
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: vec![] });
        }
        if let Some(OrderBy { kind, .. }) = &mut query.order_by
            && let OrderByKind::All(options) = *kind
            && !has_wildcard(&query.body)
        {
            let columns = names::naming_select_of(&query.body).map_or(0, |select| select.projection.len());
            let ordinal = |column: usize| OrderByExpr {
                expr: Expr::value(Value::Number(column.to_string(), false)),
                options,
                with_fill: None,
            };
            *kind = OrderByKind::Expressions((1..=columns).map(ordinal).collect());
        }
        let order_by = match query.order_by.as_mut().map(|order_by| &mut order_by.kind) {
            Some(OrderByKind::Expressions(exprs)) => exprs.as_mut_slice(),
            _ => &mut [],
        };
        self.name_columns(&mut query.body, order_by);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.ctes.pop();
        self.windows.pop();
        if let Some(OrderBy { kind: OrderByKind::Expressions(exprs), .. }) = &mut query.order_by {
            exprs.iter_mut().for_each(|expr| self.restore(&mut expr.expr));
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            let exprs = limit.iter_mut().chain(offset.iter_mut().map(|offset| &mut offset.value));
            exprs.for_each(|expr| self.restore(expr));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.windows.push(Windows::of(select));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.windows.pop();
        select.named_window.clear();
        if let GroupByExpr::Expressions(exprs, _) = &mut select.group_by {
            exprs.iter_mut().for_each(|expr| self.restore_all(expr));
        }
        if let Err(error) = grouping::expand(select) {
            return ControlFlow::Break(error);
        }
        for table in &mut select.from {
            semi_joins(table);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let result = match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => self.table_function(name),
            TableFactor::Table { name, .. } => self.table(name),
            TableFactor::NestedJoin { table_with_joins, .. } => {
                semi_joins(table_with_joins);
                Ok(())
            }
            _ => Ok(()),
        };
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        self.lambdas.enter(expr);
        self.signed(expr);
        if matches!(expr, Expr::Interval(_)) {
            self.raw += 1;
        }
        if let Expr::Function(function) = expr
            && !self.functions.macros.is_empty()
        {
            let name = function.name.clone();
            if let Some((found, arguments)) = macros::call_of(function, &self.functions.macros) {
                match found.inlined(&name.to_string(), arguments) {
                    Ok(inlined) => *expr = inlined,
                    Err(error) => return ControlFlow::Break(error.at_span(name.span())),
                }
            }
        }
        if let Expr::Function(function) = expr {
            let resolved = match (&mut function.over, self.windows.last()) {
                (Some(over), Some(windows)) => windows.resolve(over),
                _ => Ok(()),
            };
            if let Err(error) = resolved.and_then(|()| self.function(function)) {
                return ControlFlow::Break(error);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        self.lambdas.leave(expr);
        if matches!(expr, Expr::Interval(_)) {
            self.raw -= 1;
            return ControlFlow::Continue(());
        }
        match self.expr(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Rewriter<'_> {
    fn expr(&mut self, expr: &mut Expr) -> Result<()> {
        match calls::meaning(expr, self.config) {
            Some(calls::Meaning::Expr(mut meant)) => {
                // Numbers that the form brought along.
                if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = meant.as_mut() {
                    for argument in &mut list.args {
                        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument @ Expr::Value(_))) = argument {
                            self.expr(argument)?;
                        }
                    }
                }
                *expr = *meant;
                return Ok(());
            }
            Some(calls::Meaning::Constant(value)) => {
                *expr = self.literal(String::new(), value);
                return Ok(());
            }
            None => {}
        }
        match expr {
            Expr::Value(ValueWithSpan { value: Value::Number(text, long), span }) if self.raw == 0 => {
                let text = if *long { format!("{text}L") } else { text.clone() };
                let value = literal::number(&text).map_err(|message| Error::sql(message).at_span(*span))?;
                *expr = self.literal(text, value);
            }
            Expr::Value(ValueWithSpan { value: Value::Placeholder(name), span }) => {
                let value = self.parameter(name, *span)?;
                *expr = self.literal(String::new(), value);
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand } if self.raw == 0 => {
                // -2147483648 is an INT though 2147483648 is not; a parameter is no part of a number.
                let literal = literal::referenced(operand).map(|index| &self.literals[index].text);
                if let Some(text) = literal.filter(|text| text.starts_with(|c: char| c.is_ascii_digit() || c == '.')) {
                    let text = format!("-{text}");
                    let value = literal::number(&text).map_err(|message| Error::sql(message).at_span(operand.span()))?;
                    *expr = self.literal(text, value);
                } else if !matches!(operand.as_ref(), Expr::Interval(_)) {
                    let operand = std::mem::replace(operand.as_mut(), Expr::value(Value::Null));
                    *expr = literal::negation(operand);
                }
            }
            Expr::RLike { negated, expr: operand, pattern, regexp: _ } => {
                let take = |expr: &mut Expr| std::mem::replace(expr, Expr::value(Value::Null));
                let call = function("regexp_like", vec![take(operand), take(pattern)]);
                *expr = if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(call) } } else { call };
            }
            Expr::Substring { expr: operand, substring_from, substring_for, .. } => {
                // The borrowed planner would call its own function, which knows no negative start.
                let take = |expr: &mut Expr| std::mem::replace(expr, Expr::value(Value::Null));
                let mut arguments = vec![take(operand)];
                arguments.push(match substring_from {
                    Some(from) => take(from),
                    None => self.literal("1".into(), ScalarValue::Int32(Some(1))),
                });
                arguments.extend(substring_for.iter_mut().map(|count| take(count)));
                *expr = function("substring", arguments);
            }
            Expr::Function(Function { over: Some(over), name, args, .. }) => {
                let text = |index: usize| self.literals.get(index).map(|literal| literal.text.clone());
                plain_bounds(over, text).map_err(|error| error.at_span(name.span()))?;
                // The borrowed planner spells count(*) out in aggregations only.
                if let FunctionArguments::List(FunctionArgumentList { args, .. }) = args
                    && name.to_string() == "count"
                    && matches!(args.as_slice(), [] | [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)])
                {
                    let one = self.literal("1".into(), ScalarValue::Int32(Some(1)));
                    *args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(one))];
                }
            }
            Expr::UnaryOp { op: op @ UnaryOperator::BangNot, .. } => *op = UnaryOperator::Not,
            _ => {}
        }
        Ok(())
    }

    fn literal(&mut self, text: String, value: ScalarValue) -> Expr {
        self.literals.push(Literal { text, value });
        literal::reference(self.literals.len() - 1)
    }

    /// Makes an ordinal or a limit a plain number again.
    fn restore(&self, expr: &mut Expr) {
        let Some(literal) = literal::referenced(expr).and_then(|index| self.literals.get(index)) else { return };
        if literal.value.data_type().is_integer() && !literal.value.is_null() {
            *expr = Expr::value(Value::Number(literal.value.to_string(), false));
        }
    }

    /// The same inside grouping sets.
    fn restore_all(&self, expr: &mut Expr) {
        match expr {
            Expr::GroupingSets(sets) | Expr::Rollup(sets) | Expr::Cube(sets) => {
                sets.iter_mut().flatten().for_each(|expr| self.restore(expr));
            }
            single => self.restore(single),
        }
    }

    fn parameter(&mut self, name: &str, span: Span) -> Result<ScalarValue> {
        if name == "?" {
            let index = self.positional.get(&span.start).copied();
            let value = index.and_then(|index| self.parameters.positional.get(index));
            return value.cloned().ok_or_else(|| Error::sql("no value for the parameter '?'").at_span(span));
        }
        let Some(name) = name.strip_prefix(':') else {
            return Err(Error::unsupported(format!("the parameter '{name}'")).at_span(span).with_hint("write ? or :name"));
        };
        let wanted = name.to_lowercase();
        let found = self.parameters.named.iter().find(|(name, _)| name.to_lowercase() == wanted);
        let Some((_, value)) = found else {
            return Err(Error::sql(format!("no value for the parameter ':{name}'")).at_span(span));
        };
        self.used.insert(wanted);
        Ok(value.clone())
    }

    fn function(&self, function: &mut Function) -> Result<()> {
        let [.., ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return Ok(()) };
        if function.name.0.len() == 1 && ident.value == ASOF_MATCH {
            return Ok(());
        }
        if function.name.0.len() == 1 && self.functions.names().any(|name| name.eq_ignore_ascii_case(&ident.value)) {
            return Ok(());
        }
        let name = function.name.to_string().replace('`', "");
        let error = Error::sql(format!("unknown function '{name}'")).at_span(function.name.span());
        let mut names: Vec<&str> = self.functions.names().collect();
        names.sort_unstable();
        Err(match nearest(&ident.value, names) {
            Some(name) => error.with_hint(format!("did you mean '{name}'?")),
            None => error,
        })
    }

    fn table_function(&self, name: &ObjectName) -> Result<()> {
        let shown = name.to_string().replace('`', "");
        if is_table_function(&shown) {
            return Ok(());
        }
        Err(Error::sql(format!("'{shown}' is no function for FROM")).at_span(name.span()))
    }

    /// Looks a table up and gives it the name by which the provider knows it.
    fn table(&self, name: &mut ObjectName) -> Result<()> {
        let idents: Option<Vec<&Ident>> = name.0.iter().map(ObjectNamePart::as_ident).collect();
        let Some(idents) = idents else {
            return Err(Error::unsupported("a function as the name of a table").at_span(name.span()));
        };
        let position = name.span();
        match idents.as_slice() {
            [path] if path.quote_style == Some('\'') || path.quote_style == Some('"') && path.span.start.line == 0 => {
                *name = file(ANY_FORMAT, path.value.clone(), path.span);
                Ok(())
            }
            [format, path] if format_named(&format.value).is_some() && format.quote_style.is_none() => {
                *name = file(&format.value, path.value.clone(), path.span);
                Ok(())
            }
            [format, _] if matches!(format.value.as_str(), "delta" | "iceberg" | "hudi" | "xml" | "binaryfile" | "lance") => {
                Err(Error::unsupported(format!("the file format {}", format.value)).at_span(position))
            }
            [table] => self.known(None, table, position),
            [database, table] => self.known(Some(&database.value), table, position),
            [database, ..] => Err(Error::sql(format!("unknown catalog '{}'", database.value)).at_span(position)),
            [] => Err(Error::sql("a table without a name").at_span(position)),
        }
    }

    fn known(&self, database: Option<&str>, table: &Ident, position: Span) -> Result<()> {
        let name = table.value.as_str();
        let is_cte = database.is_none() && self.ctes.iter().any(|ctes| ctes.contains(name));
        if is_cte || self.catalog.knows(self.config, database, name).map_err(|error| error.at_span(position))? {
            return Ok(());
        }
        if let Some(database) = database
            && !Warehouse::new(&self.config.warehouse).has_database(database)
        {
            return Err(Error::sql(format!("unknown database '{database}'")).at_span(position));
        }
        let error = Error::sql(format!("unknown table '{}'", names::spelled(table, self.source))).at_span(position);
        let known = self.catalog.known_names(self.config);
        let ctes = self.ctes.iter().flatten().map(String::as_str);
        Err(match nearest(name, known.iter().map(String::as_str).chain(ctes)) {
            Some(name) => error.with_hint(format!("did you mean '{name}'?")),
            None if name.contains(['/', '*', '.']) => error.with_hint(format!("a path stands in single quotes: '{name}'")),
            None => error.with_hint("CREATE EXTERNAL TABLE gives files a name; FROM 'path' reads them without"),
        })
    }

    /// Gives columns of a query body names that differ, and lets ORDER BY use them.
    fn name_columns(&self, body: &mut SetExpr, order_by: &mut [OrderByExpr]) {
        match body {
            SetExpr::Select(select) => self.name_items(&mut select.projection, order_by),
            SetExpr::SetOperation { left, op, right, .. } => {
                if *op == SetOperator::Minus {
                    *op = SetOperator::Except;
                }
                self.name_columns(left, &mut []);
                self.name_columns(right, &mut []);
            }
            _ => {}
        }
    }

    /// A number with its minus is one number: `128Y` alone is too large.
    fn signed(&self, expr: &mut Expr) {
        if self.raw == 0
            && let Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand } = expr
            && let Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) = operand.as_mut()
            && text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        {
            text.insert(0, '-');
            *expr = std::mem::replace(operand.as_mut(), Expr::value(Value::Null));
        }
    }

    fn name_items(&self, items: &mut [SelectItem], order_by: &mut [OrderByExpr]) {
        let wildcard = items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
        let mut used: HashSet<String> = HashSet::new();
        for item in items {
            let (expr, alias) = match &*item {
                SelectItem::UnnamedExpr(expr) => (expr, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
                _ => continue,
            };
            let bare_column = alias.is_none() && matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            let unnamed = alias.is_none() && !bare_column;
            let key = alias.unwrap_or_else(|| names::expr_name(expr, self.source).to_lowercase());
            // A column beside a wildcard is there twice.
            let twice = !used.insert(key.clone()) || (bare_column && wildcard);
            if !unnamed && !twice {
                continue;
            }
            let numbered = (2..).map(|number| format!("{key}#{number}"));
            let name = if twice { numbered.into_iter().find(|name| used.insert(name.clone())).unwrap_or(key) } else { key };
            let alias = Ident::new(name);
            if !order_by.is_empty() {
                let text = expr.to_string();
                for order in order_by.iter_mut().filter(|order| order.expr.to_string() == text) {
                    order.expr = Expr::Identifier(alias.clone());
                }
            }
            let expr = expr.clone();
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
}

/// Whether a body's columns are more than its items.
fn has_wildcard(body: &SetExpr) -> bool {
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    names::naming_select_of(body).is_none_or(|select| select.projection.iter().any(is_wildcard))
}

/// The name by which the provider knows a path to files of a format.
fn file(format: &str, path: String, span: Span) -> ObjectName {
    let ident = |value: String| Ident { value, quote_style: Some('`'), span };
    ObjectName::from(vec![ident(format.to_owned()), ident(path)])
}

/// SEMI and ANTI without a side mean the left one.
fn semi_joins(table: &mut TableWithJoins) {
    for join in &mut table.joins {
        let operator = &mut join.join_operator;
        if let JoinOperator::Semi(constraint) = operator {
            *operator = JoinOperator::LeftSemi(std::mem::replace(constraint, JoinConstraint::None));
        } else if let JoinOperator::Anti(constraint) = operator {
            *operator = JoinOperator::LeftAnti(std::mem::replace(constraint, JoinConstraint::None));
        }
    }
}

/// The `?` of a query in the order of the text, which is not the order of the tree.
fn positional(query: &Query, parameters: &Parameters) -> Result<BTreeMap<Location, usize>> {
    struct Find(Vec<Location>);
    impl Visitor for Find {
        type Break = ();
        fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
            if matches!(&value.value, Value::Placeholder(name) if name == "?") {
                self.0.push(value.span.start);
            }
            ControlFlow::Continue(())
        }
    }
    let mut find = Find(Vec::new());
    let _ = walk(query, &mut find);
    let mut places = find.0;
    places.sort_unstable();
    let given = parameters.positional.len();
    if places.len() != given {
        let error = Error::sql(format!("the query has {} parameters '?', but {given} values are given", places.len()));
        return Err(match places.get(given) {
            Some(place) => error.at(place.line, place.column),
            None => error,
        });
    }
    Ok(places.into_iter().enumerate().map(|(index, place)| (place, index)).collect())
}
