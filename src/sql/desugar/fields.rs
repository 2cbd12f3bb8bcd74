//! `t.a[0]`: a column with its table's name in front of an item of it.
//!
//! The parser sees the name `t`, a field `a` of it, and an item of that; the binder would look for a column `t`.
//! Names before the first item are put together to one name of several parts, which the binder resolves as a
//! table's column or as fields of one.

use sqlparser::ast::*;

/// Puts the names at the beginning of an access together.
pub(super) fn qualified(expr: &mut Expr) {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else { return };
    let Expr::Identifier(first) = root.as_ref() else { return };
    let mut idents = vec![first.clone()];
    for access in access_chain.iter() {
        match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => idents.push(ident.clone()),
            _ => break,
        }
    }
    // What has names only is left as it is.
    let names = idents.len() - 1;
    if names == 0 || names == access_chain.len() {
        return;
    }
    access_chain.drain(..names);
    **root = Expr::CompoundIdentifier(idents);
}
