//! What CREATE EXTERNAL TABLE says of how rows lie: CLUSTERED BY, SORTED BY, table properties.

use super::parse::Parsed;
use super::source::At;
use crate::catalog::parse_sorted_by;
use crate::error::{Error, Result};
use crate::layout::Declaration;
use crate::layout::bucket::BucketDeclaration;
use sqlparser::ast::{ClusteredBy, CreateTable, CreateTableOptions, Expr, OrderByExpr, SqlOption, Value};

/// Properties that say nothing of how to read the files.
const HARMLESS: &[&str] = &["external", "transient_lastddltime", "parquet.compression", "parquet.compress"];

/// The declaration in `create`.
///
/// # Errors
/// Names what is written but means nothing here.
pub(super) fn declaration(create: &CreateTable, parsed: &Parsed) -> Result<Declaration> {
    let mut declaration = Declaration::default();
    if let Some(clustered) = &create.clustered_by {
        declaration.buckets = Some(buckets(clustered, parsed)?);
    }
    match &create.table_options {
        CreateTableOptions::None => {}
        CreateTableOptions::TableProperties(options) => {
            for option in options {
                property(option, &mut declaration, parsed)?;
            }
        }
        _ => return Err(Error::unsupported("an option of CREATE TABLE").at_span(parsed.span)),
    }
    Ok(declaration)
}

fn buckets(clustered: &ClusteredBy, parsed: &Parsed) -> Result<BucketDeclaration> {
    let count = match &clustered.num_buckets {
        Value::Number(number, _) => number.parse().ok().filter(|count| (1..=1 << 20).contains(count)),
        _ => None,
    };
    let count = count.ok_or_else(|| Error::sql("INTO takes a whole number of buckets from 1 on").at_span(parsed.span))?;
    let columns: Vec<String> = clustered.columns.iter().map(|column| column.value.clone()).collect();
    let sorted_by = clustered.sorted_by.iter().flatten().map(|sorted| sorted_column(sorted, parsed)).collect::<Result<_>>()?;
    Ok(BucketDeclaration { columns, count, sorted_by })
}

fn sorted_column(sorted: &OrderByExpr, parsed: &Parsed) -> Result<(String, bool)> {
    match &sorted.expr {
        Expr::Identifier(name) if sorted.options.nulls_first.is_none() && sorted.with_fill.is_none() => {
            Ok((name.value.clone(), sorted.options.asc == Some(false)))
        }
        _ => Err(Error::unsupported("SORTED BY anything but columns with ASC or DESC").at_span(parsed.span)),
    }
}

fn property(option: &SqlOption, declaration: &mut Declaration, parsed: &Parsed) -> Result<()> {
    let refuse = |what: String| Err(Error::unsupported(what).at_span(parsed.span));
    let SqlOption::KeyValue { key, value: Expr::Value(value) } = option else {
        return refuse(format!("the table property {option}"));
    };
    let value = match &value.value {
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) | Value::Number(text, _) => text.trim(),
        _ => return refuse(format!("the table property {option}")),
    };
    match key.value.to_lowercase().as_str() {
        "bucketing_version" => match value.parse() {
            Ok(version @ 1..=2) => declaration.bucketing_version = Some(version),
            _ => return refuse(format!("bucketing_version {value}")),
        },
        "skep.sorted_by" => {
            declaration.sorted_by = parse_sorted_by(value).map_err(|error| error.at_span(parsed.span))?;
        }
        name if HARMLESS.contains(&name) => {}
        name => return refuse(format!("the table property '{name}'")),
    }
    Ok(())
}
