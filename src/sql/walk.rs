//! One walk over syntax trees for every visitor.
//!
//! `Visit::visit` is compiled anew, with the whole grammar below it, for each type of visitor: seven
//! of them were two fifths of this crate's code. So the grammar is walked with one visitor each for
//! reading and for writing, which calls the real one through a pointer.

use sqlparser::ast::{Expr, ObjectName, Query, Select, Statement, TableFactor, ValueWithSpan};
use sqlparser::ast::{Visit, VisitMut, Visitor, VisitorMut};
use std::ops::ControlFlow;

/// Walks a query; what `visitor` breaks with.
pub fn walk<V: Visitor>(query: &Query, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, broke: None };
    let _ = query.visit(&mut Reader(&mut kept));
    kept.broke.map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// Walks a query that `visitor` may change; what it breaks with.
pub fn walk_mut<V: VisitorMut>(query: &mut Query, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = KeptMut { visitor, broke: None };
    let _ = query.visit(&mut Writer(&mut kept));
    kept.broke.map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// [`walk_mut`] over a whole statement.
pub fn walk_statement_mut<V: VisitorMut>(statement: &mut Statement, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = KeptMut { visitor, broke: None };
    let _ = statement.visit(&mut Writer(&mut kept));
    kept.broke.map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// [`walk_mut`] over one expression.
pub fn walk_expr_mut<V: VisitorMut>(expr: &mut Expr, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = KeptMut { visitor, broke: None };
    let _ = expr.visit(&mut Writer(&mut kept));
    kept.broke.map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// A visitor and what it broke with, so that all break with the same type.
struct Kept<'a, V: Visitor> {
    visitor: &'a mut V,
    broke: Option<V::Break>,
}

struct KeptMut<'a, V: VisitorMut> {
    visitor: &'a mut V,
    broke: Option<V::Break>,
}

struct Reader<'a>(&'a mut dyn Visitor<Break = ()>);

struct Writer<'a>(&'a mut dyn VisitorMut<Break = ()>);

macro_rules! forward {
    ($($method:ident($node:ty);)*) => {
        $(fn $method(&mut self, node: $node) -> ControlFlow<()> {
            self.0.$method(node)
        })*
    };
}

macro_rules! keep {
    ($($method:ident($node:ty);)*) => {
        $(fn $method(&mut self, node: $node) -> ControlFlow<()> {
            match self.visitor.$method(node) {
                ControlFlow::Continue(()) => ControlFlow::Continue(()),
                ControlFlow::Break(value) => {
                    self.broke = Some(value);
                    ControlFlow::Break(())
                }
            }
        })*
    };
}

macro_rules! methods {
    ($make:ident $($mutable:tt)?) => {
        $make! {
            pre_visit_query(&$($mutable)? Query);
            post_visit_query(&$($mutable)? Query);
            pre_visit_select(&$($mutable)? Select);
            post_visit_select(&$($mutable)? Select);
            pre_visit_relation(&$($mutable)? ObjectName);
            post_visit_relation(&$($mutable)? ObjectName);
            pre_visit_table_factor(&$($mutable)? TableFactor);
            post_visit_table_factor(&$($mutable)? TableFactor);
            pre_visit_expr(&$($mutable)? Expr);
            post_visit_expr(&$($mutable)? Expr);
            pre_visit_statement(&$($mutable)? Statement);
            post_visit_statement(&$($mutable)? Statement);
            pre_visit_value(&$($mutable)? ValueWithSpan);
            post_visit_value(&$($mutable)? ValueWithSpan);
        }
    };
}

impl Visitor for Reader<'_> {
    type Break = ();
    methods!(forward);
}

impl VisitorMut for Writer<'_> {
    type Break = ();
    methods!(forward mut);
}

impl<V: Visitor> Visitor for Kept<'_, V> {
    type Break = ();
    methods!(keep);
}

impl<V: VisitorMut> VisitorMut for KeptMut<'_, V> {
    type Break = ();
    methods!(keep mut);
}
