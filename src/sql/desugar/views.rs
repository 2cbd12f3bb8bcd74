//! Generators: LATERAL VIEW, and in the SELECT list, as functions in FROM.
//!
//! ```text
//!   SELECT k, explode(a) AS x FROM t WHERE ..      SELECT k, x FROM t, LATERAL explode(a) AS g(x) WHERE ..
//!   SELECT explode(collect_list(a)) FROM t         the same over (SELECT collect_list(a) AS argument FROM t)
//! ```

use super::{Desugar, build};
use crate::error::{Error, Result};
use crate::sql::relation::{GENERATORS, usual_columns};
use crate::sql::source::At;
use crate::sql::walk::walk_expr_mut;
use sqlparser::ast::*;
use std::ops::ControlFlow;

/// Whether a call makes several rows of one.
pub(in crate::sql) fn is_generator(function: &Function) -> bool {
    function.over.is_none() && GENERATORS.contains(&name_of(function).as_str())
}

fn name_of(function: &Function) -> String {
    function.name.to_string().replace('`', "")
}

/// The names of what a call generates, if nobody gives others; None where its argument's type tells.
pub(super) fn generated(function: &Function) -> Option<Vec<String>> {
    match &function.args {
        FunctionArguments::List(list) => usual_columns(&name_of(function), &list.args),
        _ => None,
    }
}

/// Makes tables of the LATERAL VIEWs of a SELECT.
pub(super) fn lateral_views(select: &mut Select) -> Result<()> {
    for LateralView { lateral_view, lateral_view_name, lateral_col_alias, outer } in std::mem::take(&mut select.lateral_views) {
        let span = lateral_view.span();
        let function = match lateral_view {
            Expr::Function(function) if is_generator(&function) => function,
            other => return Err(Error::sql(format!("LATERAL VIEW of {other}, which makes no rows")).at_span(span)),
        };
        let columns: Vec<String> = lateral_col_alias.iter().map(|column| column.value.clone()).collect();
        let name = lateral_view_name.0.last().and_then(ObjectNamePart::as_ident).map_or("", |ident| ident.value.as_str());
        let mut alias = build::alias(name, &columns);
        for (definition, written) in alias.columns.iter_mut().zip(lateral_col_alias) {
            definition.name = written;
        }
        beside(select, table(function, alias)?, outer);
    }
    Ok(())
}

fn table(function: Function, alias: TableAlias) -> Result<TableFactor> {
    let span = function.name.span();
    let FunctionArguments::List(FunctionArgumentList { args, duplicate_treatment: None, clauses }) = function.args else {
        return Err(Error::unsupported("a generator with DISTINCT or a subquery").at_span(span));
    };
    if !clauses.is_empty() || function.filter.is_some() || function.null_treatment.is_some() {
        return Err(Error::unsupported("a generator with a clause").at_span(span));
    }
    Ok(TableFactor::Function { lateral: true, name: function.name, args, with_ordinality: false, alias: Some(alias) })
}

/// Puts a table beside all others of a SELECT, or behind a left join.
fn beside(select: &mut Select, table: TableFactor, outer: bool) {
    if select.from.is_empty() {
        // One row, for a LATERAL VIEW without a table before it.
        let row = build::select(vec![build::item(build::number(1), "skep_one")], vec![]);
        select.from.push(build::from(build::derived(build::subquery(row), Some(build::alias("skep_row", &[])))));
    }
    // All tables so far as one, so that the new one sees all of them.
    let mut tables = std::mem::take(&mut select.from).into_iter();
    let Some(mut all) = tables.next() else { return };
    for other in tables {
        let relation = match other.joins.is_empty() {
            true => other.relation,
            false => TableFactor::NestedJoin { table_with_joins: Box::new(other), alias: None },
        };
        all.joins.push(Join { relation, global: false, join_operator: JoinOperator::CrossJoin(JoinConstraint::None) });
    }
    let join_operator = match outer {
        true => JoinOperator::LeftOuter(JoinConstraint::On(Expr::value(Value::Boolean(true)))),
        false => JoinOperator::CrossJoin(JoinConstraint::None),
    };
    all.joins.push(Join { relation: table, global: false, join_operator });
    select.from.push(all);
}

impl Desugar<'_> {
    /// Makes a table of the generator in a SELECT list.
    pub(super) fn generators(&mut self, select: &mut Select) -> Result<()> {
        let mut found = select.projection.iter().enumerate().filter(|(_, item)| generator_of(item).is_some());
        let Some((at, _)) = found.next() else { return Ok(()) };
        if let Some((_, second)) = found.next() {
            let span = second.span();
            return Err(Error::sql("only one generator may stand in a SELECT list").at_span(span));
        }
        if self.is_grouped(select) {
            self.group_first(select, at);
        }
        self.views += 1;
        let table_name = format!("skep_generator{}", self.views);
        let placeholder = SelectItem::UnnamedExpr(Expr::value(Value::Null));
        let (function, names) = match std::mem::replace(&mut select.projection[at], placeholder) {
            SelectItem::UnnamedExpr(Expr::Function(function)) => (function, vec![]),
            SelectItem::ExprWithAlias { expr: Expr::Function(function), alias } => (function, vec![alias]),
            SelectItem::ExprWithAliases { expr: Expr::Function(function), aliases } => (function, aliases),
            other => return Err(Error::internal(format!("{other} is no generator"))),
        };
        let columns: Vec<String> = names.iter().map(|name| name.value.clone()).collect();
        let shown = match names.is_empty() {
            true => {
                let name = ObjectName::from(vec![build::ident(&table_name)]);
                let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                vec![SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions::default())]
            }
            false => names
                .iter()
                .map(|name| SelectItem::ExprWithAlias {
                    expr: build::column(Some(&table_name), &name.value),
                    alias: name.clone(),
                })
                .collect(),
        };
        let has_wildcard = select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_)));
        if has_wildcard {
            // What is generated belongs to no wildcard.
            self.expand_wildcards(select)?;
            let Some(place) = select.projection.iter().position(is_placeholder) else { return Ok(()) };
            select.projection.splice(place..=place, shown);
        } else {
            select.projection.splice(at..=at, shown);
        }
        beside(select, table(function, build::alias(&table_name, &columns))?, false);
        Ok(())
    }

    /// Whether a SELECT groups its rows.
    fn is_grouped(&self, select: &Select) -> bool {
        let by = match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(exprs, _) => !exprs.is_empty(),
        };
        let aggregates = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => self.aggregates(expr),
            SelectItem::ExprWithAliases { expr, .. } => self.aggregates(expr),
            _ => false,
        };
        by || select.having.is_some() || select.projection.iter().any(aggregates)
    }

    fn aggregates(&self, expr: &Expr) -> bool {
        struct Find<'a>(&'a crate::sql::FunctionRegistry, bool);
        impl VisitorMut for Find<'_> {
            type Break = ();
            fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
                ControlFlow::Continue(())
            }
            fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
                if let Expr::Function(function) = expr {
                    let name = name_of(function);
                    let is_it =
                        |it: &std::sync::Arc<datafusion_expr::AggregateUDF>| it.name() == name || it.aliases().contains(&name);
                    self.1 |= function.over.is_some() || self.0.aggregate.iter().any(is_it);
                }
                ControlFlow::Continue(())
            }
        }
        let mut find = Find(self.provider.functions, false);
        let _ = walk_expr_mut(&mut expr.clone(), &mut find);
        find.1
    }

    /// Puts the grouping into a subquery, whose columns the items and the generator's arguments are.
    fn group_first(&mut self, select: &mut Select, at: usize) {
        let mut inner = select.clone();
        inner.distinct = None;
        let mut inner_items = Vec::new();
        let mut outer_items = Vec::new();
        for (index, item) in std::mem::take(&mut inner.projection).into_iter().enumerate() {
            if index == at {
                let mut item = item;
                if let Some(function) = generator_mut(&mut item)
                    && let FunctionArguments::List(list) = &mut function.args
                {
                    for (place, argument) in list.args.iter_mut().enumerate() {
                        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else { continue };
                        if matches!(expr, Expr::Value(_)) {
                            continue;
                        }
                        let name = format!("skep_argument{place}");
                        let argument = std::mem::replace(expr, build::name(&name));
                        inner_items.push(build::item(argument, &name));
                    }
                }
                outer_items.push(item);
                continue;
            }
            let (expr, alias) = match item {
                SelectItem::ExprWithAlias { expr, alias } => (expr, alias),
                SelectItem::UnnamedExpr(expr) => {
                    let name = crate::sql::names::expr_name(&expr, self.source).to_lowercase();
                    (expr, build::ident(&name))
                }
                other => {
                    inner_items.push(other);
                    continue;
                }
            };
            outer_items.push(SelectItem::ExprWithAlias { expr: Expr::Identifier(alias.clone()), alias: alias.clone() });
            inner_items.push(SelectItem::ExprWithAlias { expr, alias });
        }
        inner.projection = inner_items;
        let alias = build::alias("skep_grouped", &[]);
        let mut outer = build::select(outer_items, vec![build::derived(build::subquery(inner), Some(alias))]);
        outer.distinct = select.distinct.take();
        *select = outer;
    }
}

fn is_placeholder(item: &SelectItem) -> bool {
    matches!(item, SelectItem::UnnamedExpr(Expr::Value(value)) if value.value == Value::Null && value.span.start.line == 0)
}

fn generator_of(item: &SelectItem) -> Option<&Function> {
    match item {
        SelectItem::UnnamedExpr(Expr::Function(function))
        | SelectItem::ExprWithAlias { expr: Expr::Function(function), .. }
        | SelectItem::ExprWithAliases { expr: Expr::Function(function), .. } => Some(function).filter(|it| is_generator(it)),
        _ => None,
    }
}

fn generator_mut(item: &mut SelectItem) -> Option<&mut Function> {
    match item {
        SelectItem::UnnamedExpr(Expr::Function(function))
        | SelectItem::ExprWithAlias { expr: Expr::Function(function), .. }
        | SelectItem::ExprWithAliases { expr: Expr::Function(function), .. } => Some(function),
        _ => None,
    }
}
