//! Which columns the tables of a query have, by name.
//!
//! Types are the binder's business; here it is only asked which names there are, which of them `*`
//! shows, and which stand for columns of both sides of a join. None is always an answer: then the
//! query is left as it is.

use super::{Desugar, build};
use crate::catalog::Found;
use crate::sql::relation::usual_columns;
use crate::sql::{Command, names, parse};
use datafusion_common::TableReference;
use sqlparser::ast::*;
use std::collections::HashMap;

/// A table in FROM.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<String>,
}

/// A column that `*` shows.
#[derive(Debug, Clone)]
pub(super) struct Visible {
    pub(super) name: String,
    pub(super) value: Expr,
    /// It stands for a column of both sides of a join.
    pub(super) merged: bool,
}

/// What a FROM clause brings.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) relations: Vec<Relation>,
    pub(super) visible: Vec<Visible>,
}

impl Scope {
    fn of(name: Option<String>, columns: Vec<String>) -> Self {
        let visible = columns.iter().map(|column| Visible {
            name: column.clone(),
            value: build::column(name.as_deref(), column),
            merged: false,
        });
        let visible = visible.collect();
        Self { relations: vec![Relation { name, columns }], visible }
    }

    /// Whether some table has the column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.relations.iter().any(|relation| relation.columns.iter().any(|known| known == column))
    }

    /// What an unqualified name stands for.
    pub(super) fn visible(&self, column: &str) -> Option<&Visible> {
        self.visible.iter().find(|visible| visible.name == column)
    }

    /// Both, side by side.
    pub(super) fn beside(mut self, other: Self) -> Self {
        self.relations.extend(other.relations);
        self.visible.extend(other.visible);
        self
    }
}

/// The common table expressions of a query, by name.
pub(super) fn ctes(query: &Query) -> HashMap<String, Cte> {
    let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
    ctes.map(|cte| (cte.alias.name.value.clone(), cte.clone())).collect()
}

impl Desugar<'_> {
    /// The names of a query's columns.
    pub(super) fn columns(&mut self, query: &Query) -> Option<Vec<String>> {
        self.ctes.push(ctes(query));
        let columns = self.body_columns(&query.body);
        self.ctes.pop();
        columns
    }

    /// The names of a body's columns.
    pub(super) fn body_columns(&mut self, body: &SetExpr) -> Option<Vec<String>> {
        match body {
            SetExpr::Select(select) => self.select_columns(select),
            SetExpr::Query(query) => self.columns(query),
            SetExpr::SetOperation { left, .. } => self.body_columns(left),
            SetExpr::Values(values) => Some((1..=values.rows.first()?.content.len()).map(|at| format!("col{at}")).collect()),
            _ => None,
        }
    }

    fn select_columns(&mut self, select: &Select) -> Option<Vec<String>> {
        let mut columns = Vec::with_capacity(select.projection.len());
        let mut scope = None;
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => columns.push(alias.value.clone()),
                SelectItem::ExprWithAliases { aliases, .. } => columns.extend(aliases.iter().map(|alias| alias.value.clone())),
                SelectItem::UnnamedExpr(Expr::Function(function)) if super::views::is_generator(function) => {
                    columns.extend(super::views::generated(function)?);
                }
                SelectItem::UnnamedExpr(expr) => columns.push(names::expr_name(expr, self.source).to_lowercase()),
                SelectItem::Wildcard(options) => {
                    if scope.is_none() {
                        scope = Some(self.scope_of_from(select)?);
                    }
                    let shown = scope.iter().flat_map(|scope| &scope.visible).map(|visible| visible.name.clone());
                    columns.extend(shown.filter(|name| !is_left_out(options, name)));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), options) => {
                    if scope.is_none() {
                        scope = Some(self.scope_of_from(select)?);
                    }
                    let table = table.0.last()?.as_ident()?.value.clone();
                    let relation = scope.iter().flat_map(|scope| &scope.relations);
                    let relation = relation.into_iter().find(|relation| relation.name.as_ref() == Some(&table))?;
                    columns.extend(relation.columns.iter().filter(|name| !is_left_out(options, name)).cloned());
                }
                SelectItem::QualifiedWildcard(..) => return None,
            }
        }
        Some(columns)
    }

    /// What the tables of a SELECT bring, which is not changed.
    pub(super) fn scope_of_from(&mut self, select: &Select) -> Option<Scope> {
        let mut select = build::select(vec![], vec![]).with_tables_of(select);
        super::views::lateral_views(&mut select).ok()?;
        let mut scope = Scope::default();
        for table in &mut select.from {
            self.table(table).ok()?;
            scope = scope.beside(self.joined(table)?);
        }
        Some(scope)
    }

    /// What one table brings.
    pub(super) fn factor_scope(&mut self, factor: &TableFactor) -> Option<Scope> {
        let (own, columns, alias) = match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let own = name.0.last()?.as_ident()?.value.clone();
                (Some(own), self.table_columns(name), alias)
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                let function = name.0.last()?.as_ident()?.value.clone();
                let columns = usual_columns(&function, &args.args);
                (Some(function), columns, alias)
            }
            TableFactor::Function { name, args, alias, .. } => {
                let function = name.0.last()?.as_ident()?.value.clone();
                let columns = usual_columns(&function, args);
                (Some(function), columns, alias)
            }
            TableFactor::Derived { subquery, alias, .. } => (None, self.columns(subquery), alias),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let scope = self.joined(&mut table_with_joins.as_ref().clone())?;
                if alias.is_none() {
                    return Some(scope);
                }
                (None, Some(scope.visible.into_iter().map(|visible| visible.name).collect()), alias)
            }
            _ => return None,
        };
        let Some(alias) = alias else { return Some(Scope::of(own, columns?)) };
        let columns = match alias.columns.as_slice() {
            [] => columns?,
            named => named.iter().map(|column| column.name.value.clone()).collect(),
        };
        Some(Scope::of(Some(alias.name.value.clone()), columns))
    }

    fn table_columns(&mut self, name: &ObjectName) -> Option<Vec<String>> {
        let idents: Option<Vec<&Ident>> = name.0.iter().map(ObjectNamePart::as_ident).collect();
        let reference = match idents?.as_slice() {
            [path] if path.quote_style == Some('\'') => TableReference::partial("parquet", path.value.as_str()),
            [table] => {
                if let Some(columns) = self.cte_columns(&table.value) {
                    return columns;
                }
                TableReference::bare(table.value.as_str())
            }
            [database, table] => TableReference::partial(database.value.as_str(), table.value.as_str()),
            _ => return None,
        };
        match self.provider.found(&reference).ok()?? {
            Found::Table(table) => Some(table.schema().fields().iter().map(|field| field.name().clone()).collect()),
            Found::View(view) if !view.columns.is_empty() => {
                Some(view.columns.iter().map(|column| column.to_lowercase()).collect())
            }
            Found::View(view) => {
                let Command::Statement(statement) = parse(&view.query, self.provider.config).ok()?.pop()?.command else {
                    return None;
                };
                let Statement::Query(query) = *statement else { return None };
                // What is named around the view is not what the view means.
                let around = std::mem::take(&mut self.ctes);
                let columns = self.columns(&query);
                self.ctes = around;
                columns
            }
        }
    }

    /// The columns of a common table expression; None where there is none of the name.
    fn cte_columns(&mut self, name: &str) -> Option<Option<Vec<String>>> {
        let level = self.ctes.iter().rposition(|ctes| ctes.contains_key(name))?;
        let cte = self.ctes[level].get(name)?.clone();
        if !cte.alias.columns.is_empty() {
            return Some(Some(cte.alias.columns.into_iter().map(|column| column.name.value).collect()));
        }
        // Its own name means another thing inside, unless it is recursive, and then its first part tells.
        let mut hidden = self.ctes.split_off(level);
        let mut own = hidden[0].clone();
        own.remove(name);
        self.ctes.push(own);
        let columns = self.columns(&cte.query);
        self.ctes.truncate(level);
        self.ctes.append(&mut hidden);
        Some(columns)
    }
}

/// Whether EXCEPT or EXCLUDE behind a wildcard names the column.
pub(super) fn is_left_out(options: &WildcardAdditionalOptions, column: &str) -> bool {
    let excepted = options.opt_except.iter().flat_map(|except| {
        std::iter::once(&except.first_element).chain(&except.additional_elements).map(|ident| ident.value.as_str())
    });
    let excluded: Vec<&str> = match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => names_of(std::slice::from_ref(name)),
        Some(ExcludeSelectItem::Multiple(names)) => names_of(names),
        None => Vec::new(),
    };
    excepted.chain(excluded).any(|name| name == column)
}

fn names_of(names: &[ObjectName]) -> Vec<&str> {
    names.iter().filter_map(|name| name.0.last()?.as_ident().map(|ident| ident.value.as_str())).collect()
}

/// A SELECT of nothing from the tables of another.
trait WithTables {
    fn with_tables_of(self, other: &Select) -> Self;
}

impl WithTables for Select {
    fn with_tables_of(mut self, other: &Select) -> Self {
        self.from.clone_from(&other.from);
        self.lateral_views.clone_from(&other.lateral_views);
        self
    }
}
