//! Forms of Hive and Spark that the borrowed binder lacks become forms that it has, one file each.
//!
//! ```text
//!   FROM t LATERAL VIEW explode(a) v AS x    FROM t, LATERAL explode(a) AS v(x)     views
//!   SELECT explode(a) FROM t                 SELECT g.* FROM t, LATERAL ..          views
//!   l FULL JOIN r USING (k)                  .. ON l.k = r.k, k is coalesce(..)     joins
//!   SELECT a + 1 AS b, b * 2                 SELECT a + 1 AS b, (a + 1) * 2         aliases
//!   t PIVOT .., UNPIVOT .., TABLESAMPLE ..   a subquery in FROM                     tables
//!   a EXCEPT ALL b                           EXCEPT over numbered rows              sets
//!   SELECT * EXCEPT (t.a)                    SELECT t.b, ..                         excepts
//!   t.a[0].x                                 (t.a)[0].x                             fields
//! ```
//!
//! Some of these need to know which columns a table or subquery has: [`scope`] finds the names, and
//! only for the queries that need it. This runs before literals, names and functions are looked at
//! ([`super::rewrite`]), so what it writes is plain SQL.

mod aliases;
pub(super) mod build;
mod excepts;
mod fields;
mod joins;
mod likes;
mod scope;
mod sets;
mod tables;
mod tuples;
mod views;

pub(super) use build::call;
pub(super) use likes::is_list;
pub(super) use views::is_generator;

use super::asof;
use super::grouping;
use super::provider::Provider;
use super::source::Source;
use super::walk::walk_mut;
use crate::error::{Error, Result};
use scope::Scope;
use sqlparser::ast::*;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Rewrites a query in place.
pub(super) fn desugar(query: &mut Query, provider: &Provider, source: &Source) -> Result<()> {
    let mut desugar = Desugar { provider, source, ctes: Vec::new(), scopes: Vec::new(), wrapped: 0, views: 0 };
    match walk_mut(query, &mut desugar) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Desugar<'a> {
    provider: &'a Provider<'a>,
    source: &'a Source<'a>,
    /// Common table expressions in scope, innermost last.
    ctes: Vec<HashMap<String, Cte>>,
    /// The tables of the SELECTs around, innermost last; None where nobody wants to know.
    scopes: Vec<Option<Scope>>,
    /// VALUES that are to be left as they are when the walk comes to them.
    wrapped: usize,
    /// Generators that have been given a name.
    views: usize,
}

impl VisitorMut for Desugar<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        flow(self.query(query))
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        flow(self.select(select))
    }

    fn post_visit_select(&mut self, _select: &mut Select) -> ControlFlow<Error> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match likes::several(expr) {
            Err(error) => return ControlFlow::Break(error),
            Ok(Some(several)) => *expr = several,
            Ok(None) => {
                if let Some(found) = likes::tuple_in(expr).or_else(|| self.tuple_in_subquery(expr)) {
                    *expr = found;
                }
            }
        }
        tuples::compared(expr);
        fields::qualified(expr);
        if let Expr::Identifier(ident) = expr
            && self.scopes.iter().any(Option::is_some)
            && let Some(value) = self.merged(&ident.value)
        {
            *expr = value;
        }
        ControlFlow::Continue(())
    }
}

fn flow(result: Result<()>) -> ControlFlow<Error> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl Desugar<'_> {
    fn query(&mut self, query: &mut Query) -> Result<()> {
        self.ctes.push(scope::ctes(query));
        self.values(query);
        sets::each_row_counts(&mut query.body, &mut |body| self.body_columns(body))?;
        let Query { body, order_by, .. } = query;
        if let SetExpr::Select(select) = body.as_mut() {
            self.distributed(select)?;
            tables::order_of_tasks(select, order_by)?;
            if let Some(OrderBy { kind: OrderByKind::All(_), .. }) = order_by {
                self.expand_wildcards(select)?;
            }
            if let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = order_by {
                self.order_by_merged(select, keys)?;
            }
        } else {
            tables::order_of_parts(body)?;
        }
        Ok(())
    }

    /// Columns of VALUES are called col1, col2 and so on.
    fn values(&mut self, query: &mut Query) {
        let SetExpr::Values(values) = query.body.as_ref() else { return };
        if self.wrapped > 0 {
            self.wrapped -= 1;
            return;
        }
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let body = std::mem::replace(
            query.body.as_mut(),
            SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: vec![] }),
        );
        let items = (1..=width).map(|at| build::item(build::name(&format!("column{at}")), &format!("col{at}"))).collect();
        *query.body = SetExpr::Select(Box::new(build::select(items, vec![build::derived(build::query(body), None)])));
        self.wrapped += 1;
    }

    fn select(&mut self, select: &mut Select) -> Result<()> {
        views::lateral_views(select)?;
        grouping::nested(select)?;
        for table in &mut select.from {
            self.table(table)?;
        }
        self.wildcards_with_exceptions(select)?;
        self.generators(select)?;
        for condition in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten() {
            self.tuples_of_condition(condition, false);
        }
        let scope = self.scope_of(select)?;
        self.scopes.push(scope);
        self.lateral_aliases(select)
    }

    fn table(&mut self, table: &mut TableWithJoins) -> Result<()> {
        self.factor(&mut table.relation)?;
        for join in &mut table.joins {
            self.factor(&mut join.relation)?;
            asof::resolve(join)?;
        }
        Ok(())
    }
}
