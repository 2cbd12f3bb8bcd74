//! USING and NATURAL: columns of both sides that are one.
//!
//! ```text
//!   l LEFT JOIN r USING (k)     ON l.k = r.k     k and * mean l.k
//!   l RIGHT JOIN r USING (k)    ON l.k = r.k     k and * mean r.k
//!   l FULL JOIN r USING (k)     ON l.k = r.k     k and * mean coalesce(l.k, r.k)
//! ```
//!
//! The borrowed binder takes one side's column whichever kind the join is. So where an outer join
//! merges columns, joins are spelled out with ON, and the merged names and `*` with what they mean;
//! `*` shows merged columns first, then the left side's others, then the right side's. Inner joins
//! alone are left to the binder.

use super::scope::{Relation, Scope, Visible, is_left_out};
use super::{Desugar, build};
use crate::error::{Error, Result};
use crate::sql::source::At;
use sqlparser::ast::*;

impl Desugar<'_> {
    /// The scope of a SELECT, if it is of interest: names of it or of one around it are merged. Joins
    /// that merge are spelled out, and `*` over them.
    pub(super) fn scope_of(&mut self, select: &mut Select) -> Result<Option<Scope>> {
        let merges = select.from.iter().any(|table| merges_outer(table) || is_refused_wildcard(table, &select.projection));
        if !merges {
            let around = self.scopes.iter().any(Option::is_some);
            return Ok(if around { Some(self.scope_of_from(select).unwrap_or_default()) } else { None });
        }
        let mut scope = Scope::default();
        for table in &mut select.from {
            let joined = self.spelled_out(table, true);
            let Some(joined) = joined else {
                return Err(Error::unsupported("USING or NATURAL with an outer join over tables whose columns are not known")
                    .at_span(table.relation.span())
                    .with_hint("write ON, and coalesce(l.x, r.x) for a shared column"));
            };
            scope = scope.beside(joined);
        }
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) => items.extend(expanded(&scope, &options)?),
                // What is merged keeps its name.
                SelectItem::UnnamedExpr(Expr::Identifier(ident)) if scope.visible(&ident.value).is_some_and(|it| it.merged) => {
                    let alias = ident.clone();
                    items.push(SelectItem::ExprWithAlias { expr: Expr::Identifier(ident), alias });
                }
                other => items.push(other),
            }
        }
        select.projection = items;
        Ok(Some(scope))
    }

    /// Puts the columns that `*` means in its place, where the tables are known.
    pub(super) fn expand_wildcards(&mut self, select: &mut Select) -> Result<()> {
        if !select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_))) {
            return Ok(());
        }
        let Some(scope) = self.scope_of_from(select) else { return Ok(()) };
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) => items.extend(expanded(&scope, &options)?),
                other => items.push(other),
            }
        }
        select.projection = items;
        Ok(())
    }

    /// ORDER BY keys of a SELECT that are merged columns and no output columns.
    pub(super) fn order_by_merged(&mut self, select: &Select, keys: &mut [OrderByExpr]) -> Result<()> {
        if !select.from.iter().any(merges_outer) {
            return Ok(());
        }
        let Some(scope) = self.scope_of_from(select) else { return Ok(()) };
        let given = self.body_columns(&SetExpr::Select(Box::new(select.clone()))).unwrap_or_default();
        for key in keys {
            if let Expr::Identifier(ident) = &key.expr
                && !given.contains(&ident.value)
                && let Some(visible) = scope.visible(&ident.value).filter(|visible| visible.merged)
            {
                key.expr = visible.value.clone();
            }
        }
        Ok(())
    }

    /// What an unqualified name means, if it is merged in the innermost SELECT that knows it.
    pub(super) fn merged(&self, name: &str) -> Option<Expr> {
        for scope in self.scopes.iter().rev() {
            let Some(scope) = scope else { continue };
            match scope.visible(name) {
                Some(visible) if visible.merged => return Some(visible.value.clone()),
                _ if scope.has(name) => return None,
                _ => {}
            }
        }
        None
    }

    /// What a table with its joins brings.
    pub(super) fn joined(&mut self, table: &mut TableWithJoins) -> Option<Scope> {
        self.spelled_out(table, false)
    }

    /// The same; with `rewrite` the joins that merge columns get an ON.
    fn spelled_out(&mut self, table: &mut TableWithJoins, rewrite: bool) -> Option<Scope> {
        let mut scope = self.side(&mut table.relation, rewrite)?;
        for join in &mut table.joins {
            let right = self.side(&mut join.relation, rewrite)?;
            scope = merge(scope, right, &mut join.join_operator, rewrite)?;
        }
        Some(scope)
    }

    fn side(&mut self, factor: &mut TableFactor, rewrite: bool) -> Option<Scope> {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.spelled_out(table_with_joins, rewrite),
            other => self.factor_scope(other),
        }
    }
}

/// Both sides of a join as one scope.
fn merge(left: Scope, right: Scope, operator: &mut JoinOperator, rewrite: bool) -> Option<Scope> {
    let (is_semi, kept) = match operator {
        JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::Anti(_) | JoinOperator::LeftAnti(_) => {
            (true, Kept::Left)
        }
        JoinOperator::RightSemi(_) | JoinOperator::RightAnti(_) => (true, Kept::Right),
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => (false, Kept::Left),
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (false, Kept::Right),
        JoinOperator::FullOuter(_) => (false, Kept::Both),
        _ => (false, Kept::Left),
    };
    let Some(constraint) = constraint_of(operator) else { return Some(left.beside(right)) };
    let shared: Option<Vec<String>> = match &*constraint {
        JoinConstraint::Using(columns) => columns.iter().map(|column| Some(column.0.last()?.as_ident()?.value.clone())).collect(),
        JoinConstraint::Natural => {
            let names = left.visible.iter().map(|visible| visible.name.clone());
            Some(names.filter(|name| right.visible(name).is_some()).collect())
        }
        _ => Some(Vec::new()),
    };
    let shared = shared?;
    let mut conditions = Vec::with_capacity(shared.len());
    let mut visible: Vec<Visible> = Vec::new();
    for name in &shared {
        let (l, r) = (left.visible(name)?.value.clone(), right.visible(name)?.value.clone());
        conditions.push(build::binary(l.clone(), BinaryOperator::Eq, r.clone()));
        let value = match kept {
            Kept::Left => l,
            Kept::Right => r,
            Kept::Both => Expr::Function(build::call("coalesce", vec![l, r])),
        };
        visible.push(Visible { name: name.clone(), value, merged: true });
    }
    if rewrite && matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural) {
        *constraint = match build::all(conditions) {
            Some(condition) => JoinConstraint::On(condition),
            None => JoinConstraint::On(Expr::value(Value::Boolean(true))),
        };
    }
    if is_semi {
        return Some(if matches!(kept, Kept::Left) { left } else { right });
    }
    let rest = |side: &Scope| side.visible.iter().filter(|it| !shared.contains(&it.name)).cloned().collect::<Vec<_>>();
    visible.extend(rest(&left));
    visible.extend(rest(&right));
    let relations: Vec<Relation> = left.relations.into_iter().chain(right.relations).collect();
    Some(Scope { relations, visible })
}

/// Whose column stands for both.
#[derive(Clone, Copy)]
enum Kept {
    Left,
    Right,
    Both,
}

fn constraint_of(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}

/// Whether an outer join among a table's joins merges columns.
fn merges_outer(table: &TableWithJoins) -> bool {
    let outer = table.joins.iter().any(|join| match &join.join_operator {
        JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => {
            matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
        }
        _ => false,
    });
    let inside = std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation));
    outer
        || inside.into_iter().any(|factor| match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => merges_outer(table_with_joins),
            _ => false,
        })
}

/// Whether `*` would show the columns of joins that merge in an order of the binder's.
fn is_refused_wildcard(table: &TableWithJoins, items: &[SelectItem]) -> bool {
    let merges = table.joins.iter().any(|join| match &join.join_operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
            matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
        }
        _ => false,
    });
    merges && items.iter().any(|item| matches!(item, SelectItem::Wildcard(_)))
}

/// The items that a wildcard stands for.
fn expanded(scope: &Scope, options: &WildcardAdditionalOptions) -> Result<Vec<SelectItem>> {
    if options.opt_replace.is_some() || options.opt_rename.is_some() || options.opt_ilike.is_some() {
        return Err(Error::unsupported("this form of * over merged columns").at_span(options.wildcard_token.0.span));
    }
    let shown = scope.visible.iter().filter(|visible| !is_left_out(options, &visible.name));
    Ok(shown.map(|visible| build::item(visible.value.clone(), &visible.name)).collect())
}
