//! What the borrowed binder complains about, in our words: position and nearest name.

use super::source::{At, nearest};
use super::walk::walk;
use crate::error::Error;
use datafusion_common::{Column, DataFusionError, SchemaError};
use sqlparser::ast::{Expr, Query, Spanned, Visitor};
use sqlparser::tokenizer::Span;
use std::ops::ControlFlow;

/// The error of ours for one of the binder's about `query`.
pub(super) fn explain(error: DataFusionError, query: &Query) -> Error {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let error = explain(*inner, query);
            match diagnostic.span {
                Some(span) => error.at(span.start.line, span.start.column),
                None => error,
            }
        }
        DataFusionError::Context(_, inner) => explain(*inner, query),
        DataFusionError::Collection(mut errors) if !errors.is_empty() => explain(errors.swap_remove(0), query),
        DataFusionError::SchemaError(inner, _) => schema(*inner, query),
        other => {
            let error = Error::from(other);
            match error.message().split_once("\n") {
                Some((first, _)) if !first.is_empty() => Error::new(error.kind(), first.to_owned()),
                _ => error,
            }
        }
    }
}

fn schema(error: SchemaError, query: &Query) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let error = Error::sql(format!("unknown column '{}'", field.flat_name().replace('"', "")));
            let span = field.spans.first().map(|span| (span.start.line, span.start.column));
            let error = match span {
                Some((line, column)) => error.at(line, column),
                None => error.at_span(position(query, &field)),
            };
            match nearest(&field.name, valid_fields.iter().map(Column::name)) {
                Some(name) => error.with_hint(format!("did you mean '{name}'?")),
                None => {
                    // The right name behind a wrong table, or no likeness at all: list what there is.
                    let same = valid_fields.iter().find(|valid| valid.name == field.name);
                    let list: Vec<&str> = valid_fields.iter().take(12).map(Column::name).collect();
                    match same {
                        Some(same) => error.with_hint(format!("did you mean '{}'?", same.flat_name().replace('"', ""))),
                        None if list.is_empty() => error,
                        None => error.with_hint(format!("there are {}", list.join(", "))),
                    }
                }
            }
        }
        SchemaError::AmbiguousReference { field } => {
            let error = Error::sql(format!("column '{}' is ambiguous", field.flat_name().replace('"', "")));
            error.at_span(position(query, &field)).with_hint("put the table's name or alias in front")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::sql(format!("two columns are called '{name}'")).with_hint("give one of them an alias")
        }
    }
}

/// Where a column is first named in the query.
fn position(query: &Query, column: &Column) -> Span {
    struct Find<'a>(&'a Column);
    impl Visitor for Find<'_> {
        type Break = Span;
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Span> {
            let column = self.0;
            let found = match expr {
                Expr::Identifier(ident) => column.relation.is_none() && ident.value == column.name,
                Expr::CompoundIdentifier(parts) => {
                    let table = column.relation.as_ref().map(|relation| relation.table());
                    let [.., qualifier, name] = parts.as_slice() else { return ControlFlow::Continue(()) };
                    name.value == column.name && table.is_none_or(|table| table == qualifier.value)
                }
                _ => false,
            };
            if found { ControlFlow::Break(expr.span()) } else { ControlFlow::Continue(()) }
        }
    }
    match walk(query, &mut Find(column)) {
        ControlFlow::Break(span) => span,
        ControlFlow::Continue(()) => Span::empty(),
    }
}
