//! Lateral column aliases: a SELECT item that uses the name of an item before it.
//!
//! A column of the tables goes before an alias of its name, as in Spark. Otherwise the alias's
//! expression stands in; what gives another value at each call is refused.

use super::scope::Scope;
use super::{Desugar, build};
use crate::error::{Error, Result};
use crate::sql::source::At;
use crate::sql::walk::walk_expr_mut;
use sqlparser::ast::*;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Functions that give another value at each call.
const VOLATILE: &[&str] = &["rand", "random", "randn", "uuid", "shuffle", "monotonically_increasing_id"];

impl Desugar<'_> {
    /// Puts aliases' expressions where later items of the SELECT list use them.
    pub(super) fn lateral_aliases(&mut self, select: &mut Select) -> Result<()> {
        let aliases = select.projection.iter().filter(|item| matches!(item, SelectItem::ExprWithAlias { .. })).count();
        if aliases == 0 || select.projection.len() < 2 {
            return Ok(());
        }
        let mut known: HashMap<String, Expr> = HashMap::new();
        let mut scope: Option<Option<Scope>> = None;
        let mut projection = std::mem::take(&mut select.projection);
        for item in &mut projection {
            let expr = match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
                _ => continue,
            };
            let mut used = Used { names: &known, found: false };
            let _ = walk_expr_mut(&mut expr.clone(), &mut used);
            if used.found {
                let scope = scope.get_or_insert_with(|| self.scope_of_from(select));
                if let Some(scope) = scope {
                    let mut replace = Replace { known: &known, scope, inside: 0 };
                    if let ControlFlow::Break(error) = walk_expr_mut(expr, &mut replace) {
                        return Err(error);
                    }
                }
            }
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                known.entry(alias.value.clone()).or_insert_with(|| expr.clone());
            }
        }
        select.projection = projection;
        Ok(())
    }
}

/// Looks for names.
struct Used<'a> {
    names: &'a HashMap<String, Expr>,
    found: bool,
}

impl VisitorMut for Used<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.found |= matches!(expr, Expr::Identifier(ident) if self.names.contains_key(&ident.value));
        if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

struct Replace<'a> {
    known: &'a HashMap<String, Expr>,
    scope: &'a Scope,
    /// Subqueries around, which see no alias.
    inside: usize,
}

impl VisitorMut for Replace<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    // Afterwards, so that what is put in is not looked at again: its names mean columns.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Identifier(ident) = expr else { return ControlFlow::Continue(()) };
        let Some(value) = self.known.get(&ident.value).filter(|_| self.inside == 0) else { return ControlFlow::Continue(()) };
        if self.scope.has(&ident.value) || self.scope.visible(&ident.value).is_some() {
            return ControlFlow::Continue(());
        }
        if is_volatile(value) {
            let what = format!("an alias ('{}') of what differs from call to call, used in the same SELECT,", ident.value);
            return ControlFlow::Break(Error::unsupported(what).at_span(ident.span).with_hint("use a subquery"));
        }
        *expr = build::nested(value.clone());
        ControlFlow::Continue(())
    }
}

fn is_volatile(expr: &Expr) -> bool {
    struct Find;
    impl VisitorMut for Find {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if VOLATILE.contains(&function.name.to_string().as_str()) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    walk_expr_mut(&mut expr.clone(), &mut Find).is_break()
}
