//! INSERT and CREATE TABLE AS SELECT: a query's rows brought to a table's columns.
//!
//! Values are assigned as Spark does by default (ANSI): among numbers, among dates and timestamps,
//! to strings, and within nested types of one shape; what does not fit a number's type is an error
//! when it is met. A string never becomes a number on the way.

use super::arrange::{check as check_layout, declare, of_table};
use super::ddl::{check_columns, directory, partition_by};
use super::formats::output_options;
use super::target::Target;
use super::write::{Destination, InsertMode, Write, refuse_content};
use super::{Planned, Session};
use crate::catalog::{ColumnMeta, TableMeta, parse_type, type_name};
use crate::config::{Config, PartitionOverwrite};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{Slots, compile};
use crate::operator::ProjectNode;
use crate::sql::{CreateTable, Insert, Parameters, PartitionSpec};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::{Expr, expr::Cast};
use std::path::Path;
use std::sync::Arc;

/// Where the values of a table's column come from.
enum Source {
    /// A column of the query.
    Input(usize),
    /// The PARTITION clause.
    Text(Option<String>),
    /// Nowhere: NULL.
    Missing,
}

impl Session {
    /// The write of an INSERT; none when its partition is there and it says IF NOT EXISTS.
    pub(super) fn insert(&self, insert: &Insert, parameters: &Parameters, text: &str, config: &Config) -> Result<Option<Write>> {
        let target = self.table_target(&insert.table, config)?;
        let fixed = fixed(insert);
        if self.is_there(insert, &target, &fixed)? {
            return Ok(None);
        }
        let planned = self.plan(&insert.query, parameters, text, config)?;
        self.insert_planned(insert, target, planned, config).map(Some)
    }

    /// The same of a query that is planned.
    pub(super) fn insert_planned(&self, insert: &Insert, target: Target, planned: Planned, config: &Config) -> Result<Write> {
        let meta = &target.meta;
        let options = output_options(meta, config)?;
        let inputs = planned.inputs()?;
        let fixed = fixed(insert);
        check_partition(insert, meta)?;
        let covered = directory(&target, &fixed)?;
        let sources = sources(insert, &fixed, meta, planned.schema.fields().len())?;
        let (plan, schema) = assign(planned.physical, &sources, meta, &target.name())?;
        let arrangement = self.arrangement_of(&target)?;
        let partitions = arrangement.partitions.len();
        let is_static = config.partition_overwrite == PartitionOverwrite::Static;
        let mode = match (insert.overwrite, partitions) {
            (false, _) => InsertMode::Append,
            (true, 0) => InsertMode::Whole,
            _ if fixed.is_empty() && is_static => InsertMode::Whole,
            _ if is_static || fixed.len() == partitions => InsertMode::Below(covered),
            _ => InsertMode::Written,
        };
        let to = Destination::Table { target: Box::new(target), mode };
        Ok(Write { plan, schema, arrangement, options, to, warnings: planned.warnings, inputs, made_from: None })
    }

    /// Whether an INSERT with IF NOT EXISTS has nothing to do.
    pub(super) fn is_there(&self, insert: &Insert, target: &Target, fixed: &PartitionSpec) -> Result<bool> {
        check_partition(insert, &target.meta)?;
        let covered = directory(target, fixed)?;
        if !insert.if_not_exists {
            return Ok(false);
        }
        if !insert.overwrite || fixed.len() != target.meta.partition_columns.len() || fixed.is_empty() {
            return Err(Error::sql("IF NOT EXISTS needs INSERT OVERWRITE with values of all partition columns"));
        }
        Ok(target.location.join(&covered).is_dir())
    }

    /// The write of a CREATE TABLE AS; none when the table is there and may be.
    pub(super) fn create_table_as(
        &self,
        create: &CreateTable,
        parameters: &Parameters,
        text: &str,
        config: &Config,
    ) -> Result<Option<Write>> {
        let Some(query) = &create.query else { return Err(Error::internal("a table of no query")) };
        let Some((database, table, mut meta)) = self.new_table(create, config)? else { return Ok(None) };
        let options = output_options(&meta, config)?;
        if !create.columns.is_empty() || create.like.is_some() {
            return Err(Error::sql("CREATE TABLE AS takes its columns from the query: leave the list out"));
        }
        if let Some(location) = &meta.location {
            refuse_content(Path::new(location))?;
        }
        let planned = self.plan(query, parameters, text, config)?;
        let inputs = planned.inputs()?;
        let columns = planned.schema.fields().iter().map(|field| {
            let type_name = type_name(field.data_type()).map_err(|error| error.in_column(field.name()))?;
            Ok(ColumnMeta { name: field.name().clone(), type_name, comment: None })
        });
        meta.columns = columns.collect::<Result<_>>()?;
        check_columns(&meta)?;
        partition_by(&mut meta, &create.partitioned_by)?;
        check_columns(&meta)?;
        declare(&mut meta, create.buckets.as_ref())?;
        check_layout(&meta)?;
        let place = |column: &ColumnMeta| planned.schema.fields().iter().position(|field| *field.name() == column.name);
        let sources: Vec<Source> =
            meta.columns.iter().map(|column| place(column).map_or(Source::Missing, Source::Input)).collect();
        let (plan, schema) = assign(planned.physical, &sources, &meta, &table)?;
        let arrangement = of_table(&meta, None)?;
        let to = Destination::NewTable { database, table, meta: Box::new(meta) };
        Ok(Some(Write { plan, schema, arrangement, options, to, warnings: planned.warnings, inputs, made_from: None }))
    }
}

/// The values that the PARTITION clause gives.
pub(super) fn fixed(insert: &Insert) -> PartitionSpec {
    insert.partition.iter().filter_map(|(name, value)| value.clone().map(|value| (name.clone(), value))).collect()
}

/// What the PARTITION clause may say.
fn check_partition(insert: &Insert, meta: &TableMeta) -> Result<()> {
    let mut dynamic = None;
    for (position, (name, value)) in insert.partition.iter().enumerate() {
        if insert.partition[..position].iter().any(|(other, _)| other == name) {
            return Err(Error::sql(format!("PARTITION names '{name}' twice")));
        }
        let found = meta.partition_columns.iter().position(|column| column.to_lowercase() == *name);
        let Some(found) = found else {
            return Err(Error::sql(format!("PARTITION names no partition column: '{name}'")));
        };
        if value.is_none() {
            dynamic = dynamic.or(Some(found));
        } else if dynamic.is_some_and(|dynamic| dynamic < found) {
            return Err(Error::sql(format!("the partition column '{name}' has a value, one that it lies below has none")));
        }
    }
    Ok(())
}

fn sources(insert: &Insert, fixed: &[(String, Option<String>)], meta: &TableMeta, given: usize) -> Result<Vec<Source>> {
    let value = |name: &str| fixed.iter().find(|(column, _)| *column == name.to_lowercase()).map(|(_, value)| value.clone());
    if !insert.columns.is_empty() {
        for (position, name) in insert.columns.iter().enumerate() {
            if !meta.columns.iter().any(|column| column.name.to_lowercase() == *name) {
                return Err(Error::sql(format!("the table has no column '{name}'")));
            }
            if insert.columns[..position].contains(name) || value(name).is_some() {
                return Err(Error::sql(format!("the column '{name}' is given twice")));
            }
        }
    }
    let wanted = match insert.columns.len() {
        0 => meta.columns.len() - fixed.len(),
        listed => listed,
    };
    if wanted != given {
        return Err(Error::sql(format!("the query gives {given} columns where {wanted} are wanted")));
    }
    let mut next = 0;
    let source = |column: &ColumnMeta| {
        if let Some(text) = value(&column.name) {
            return Source::Text(text);
        }
        if insert.columns.is_empty() {
            next += 1;
            return Source::Input(next - 1);
        }
        let place = insert.columns.iter().position(|name| *name == column.name.to_lowercase());
        place.map_or(Source::Missing, Source::Input)
    };
    Ok(meta.columns.iter().map(source).collect())
}

/// A projection of `plan` to the columns of the table, in their types.
fn assign(plan: PlanRef, sources: &[Source], meta: &TableMeta, table: &str) -> Result<(PlanRef, SchemaRef)> {
    // By place: a query may give two columns one name.
    let inputs: Vec<Field> =
        plan.schema().fields().iter().enumerate().map(|(at, field)| field.as_ref().clone().with_name(format!("c{at}"))).collect();
    let inputs = DFSchema::try_from(Schema::new(inputs))?;
    let (mut exprs, mut fields) = (Vec::new(), Vec::new());
    for (source, column) in sources.iter().zip(&meta.columns) {
        let mut data_type = parse_type(&column.type_name)?;
        let expr = match source {
            Source::Input(at) => {
                let input = Expr::Column(Column::from_name(format!("c{at}")));
                let given = inputs.field(*at).data_type();
                if *given == data_type {
                    input
                } else if data_type.is_nested() && crate::catalog::same_type(given, &data_type) {
                    data_type = given.clone();
                    input
                } else if is_assignable(given, &data_type) {
                    Expr::Cast(Cast::new(Box::new(input), data_type.clone()))
                } else {
                    let (from, to) = (type_name(given)?.to_uppercase(), column.type_name.to_uppercase());
                    let error =
                        Error::sql(format!("cannot write {from} to the column '{}' of {table}, which is {to}", column.name));
                    return Err(error.with_hint("CAST says how"));
                }
            }
            Source::Text(Some(text)) => {
                let text = Expr::Literal(ScalarValue::Utf8View(Some(text.clone())), None);
                Expr::Cast(Cast::new(Box::new(text), data_type.clone()))
            }
            Source::Text(None) | Source::Missing => Expr::Literal(ScalarValue::try_from(&data_type)?, None),
        };
        exprs.push(compile(&expr, &inputs, &Slots::default())?);
        fields.push(Field::new(&column.name, data_type, true));
    }
    let schema = Arc::new(Schema::new(fields));
    Ok((Arc::new(ProjectNode::new(plan, exprs, schema.clone())), schema))
}

/// Spark's ANSI store assignment.
fn is_assignable(from: &DataType, to: &DataType) -> bool {
    let text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let time = |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
    let bytes = |data_type: &DataType| matches!(data_type, DataType::Binary | DataType::BinaryView | DataType::LargeBinary);
    match (from, to) {
        (DataType::Null, _) => true,
        _ if from.is_nested() || to.is_nested() => false,
        _ if text(to) => !bytes(from),
        _ => (from.is_numeric() && to.is_numeric()) || (time(from) && time(to)) || (bytes(from) && bytes(to)),
    }
}

/// A partition's value as its directory has it: `01` in a column of numbers is 1.
pub(super) fn partition_text(value: &str, type_name: &str) -> Result<String> {
    let data_type = parse_type(type_name)?;
    match data_type {
        DataType::Utf8View | DataType::Timestamp(..) | DataType::Float32 | DataType::Float64 => Ok(value.to_owned()),
        _ => match ScalarValue::try_from_string(value.to_owned(), &data_type) {
            Ok(typed) if !typed.is_null() => match &typed {
                ScalarValue::Decimal128(..) => Ok(value.to_owned()),
                typed => Ok(typed.to_string()),
            },
            _ => Err(Error::sql(format!("'{value}' is no {}", type_name.to_uppercase()))),
        },
    }
}
