//! `* EXCEPT (t.a)` and `t.* EXCEPT (t.a)`: columns left out by their table's name.
//!
//! ```text
//!   SELECT t.* EXCEPT (t.a) FROM t, s    SELECT t.* EXCEPT (a) FROM t, s
//!   SELECT * EXCEPT (t.a) FROM t, s      SELECT t.b, s.a, s.c FROM t, s
//! ```
//!
//! The binder takes names of one part, which for `*` would be columns of every table.

use super::scope::{Scope, is_left_out};
use super::{Desugar, build};
use crate::error::{Error, Result};
use crate::sql::source::At;
use sqlparser::ast::*;

impl Desugar<'_> {
    /// Resolves wildcards that leave out columns by names of several parts.
    pub(super) fn wildcards_with_exceptions(&mut self, select: &mut Select) -> Result<()> {
        if !select.projection.iter().any(has_exclusions) {
            return Ok(());
        }
        let mut scope = None;
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), mut options)
                    if options.opt_exclude.is_some() =>
                {
                    let own = table.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.clone());
                    let mut idents = Vec::new();
                    for name in names(&options) {
                        let (of, column) = parts(&name)?;
                        if of.is_some() && of != own {
                            return Err(Error::sql(format!("{name} is not a column of {table}")).at_span(name.span()));
                        }
                        idents.push(Ident { value: column, quote_style: None, span: name.span() });
                    }
                    let mut idents = idents.into_iter();
                    options.opt_exclude = None;
                    options.opt_except = idents
                        .next()
                        .map(|first_element| ExceptSelectItem { first_element, additional_elements: idents.collect() });
                    let kind = SelectItemQualifiedWildcardKind::ObjectName(table);
                    items.push(SelectItem::QualifiedWildcard(kind, options));
                }
                SelectItem::Wildcard(options) if options.opt_exclude.is_some() => {
                    if scope.is_none() {
                        scope = self.scope_of_from(select);
                    }
                    let Some(scope) = &scope else {
                        return Err(Error::unsupported("* EXCEPT with names of tables whose columns are not known")
                            .at_span(options.wildcard_token.0.span));
                    };
                    items.extend(left_over(scope, &options)?);
                }
                other => items.push(other),
            }
        }
        select.projection = items;
        Ok(())
    }
}

fn has_exclusions(item: &SelectItem) -> bool {
    match item {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => options.opt_exclude.is_some(),
        _ => false,
    }
}

/// The columns of `*` without those named.
fn left_over(scope: &Scope, options: &WildcardAdditionalOptions) -> Result<Vec<SelectItem>> {
    let mut left_out = vec![false; scope.visible.len()];
    for name in names(options) {
        let (table, column) = parts(&name)?;
        let value = build::column(table.as_deref(), &column);
        let is_meant = |at: &usize| match &table {
            Some(_) => scope.visible[*at].value == value,
            None => scope.visible[*at].name == column,
        };
        let found: Vec<usize> = (0..scope.visible.len()).filter(is_meant).collect();
        match found.as_slice() {
            [at] if !left_out[*at] => left_out[*at] = true,
            [] => return Err(Error::sql(format!("unknown column '{name}'")).at_span(name.span())),
            _ => return Err(Error::sql(format!("column '{name}' is left out twice, or is ambiguous")).at_span(name.span())),
        }
    }
    let other = WildcardAdditionalOptions { opt_exclude: None, ..options.clone() };
    let kept = scope.visible.iter().zip(left_out).filter(|(visible, out)| !out && !is_left_out(&other, &visible.name));
    Ok(kept.map(|(visible, _)| build::item(visible.value.clone(), &visible.name)).collect())
}

fn names(options: &WildcardAdditionalOptions) -> Vec<ObjectName> {
    match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => vec![name.clone()],
        Some(ExcludeSelectItem::Multiple(names)) => names.clone(),
        None => Vec::new(),
    }
}

/// Table and column of a name; names of databases before them are passed over.
fn parts(name: &ObjectName) -> Result<(Option<String>, String)> {
    let mut idents = Vec::with_capacity(name.0.len());
    for part in &name.0 {
        match part.as_ident() {
            Some(ident) => idents.push(ident.value.clone()),
            None => return Err(Error::sql(format!("{name} is not a column's name")).at_span(name.span())),
        }
    }
    match idents.pop() {
        Some(column) => Ok((idents.pop(), column)),
        None => Err(Error::sql("a column's name is missing").at_span(name.span())),
    }
}
