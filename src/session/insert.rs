//! INSERT and CREATE TABLE AS SELECT: a query's rows brought to a table's columns.
//!
//! Values are assigned as Spark does by default (ANSI): among numbers, among dates and timestamps,
//! to strings, and within nested types of one shape; what does not fit a number's type is an error
//! when it is met. A string never becomes a number on the way.

use super::ddl::{check_columns, directory, done, partition_by};
use super::output::rows;
use super::{OutcomeKind, Planned, Session};
use crate::catalog::{ColumnMeta, TableMeta, parse_type, type_name};
use crate::config::{Config, PartitionOverwrite};
use crate::disk::parent;
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{Slots, compile};
use crate::format::parquet::Compression;
use crate::operator::ProjectNode;
use crate::output::{FileFormat, OutputOptions, Publication};
use crate::sql::{Insert, Parameters};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::{Expr, expr::Cast};
use std::path::PathBuf;
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
    pub(super) fn insert(&self, insert: Insert, parameters: &Parameters, text: &str, config: &Config) -> Result<OutcomeKind> {
        let target = self.table_target(&insert.table, config)?;
        let meta = &target.meta;
        super::formats::check_writable(meta)?;
        check_partition(&insert, meta)?;
        let fixed: Vec<(String, Option<String>)> =
            insert.partition.iter().filter_map(|(name, value)| value.clone().map(|value| (name.clone(), value))).collect();
        let covered = directory(&target, &fixed)?;
        if insert.if_not_exists {
            if !insert.overwrite || fixed.len() != meta.partition_columns.len() || fixed.is_empty() {
                return Err(Error::sql("IF NOT EXISTS needs INSERT OVERWRITE with values of all partition columns"));
            }
            if target.location.join(&covered).is_dir() {
                return done();
            }
        }
        let planned = self.plan(&insert.query, parameters, text, config)?;
        let sources = sources(&insert, &fixed, meta, planned.schema.fields().len())?;
        let (plan, schema) = assign(planned.physical, &sources, meta, &target.name())?;
        let first = meta.data_columns().len();
        let partitions: Vec<usize> = (first..meta.columns.len()).collect();
        let job = target.job(self)?;
        let files = self.write(plan, &schema, &partitions, &job, &options(meta)?, false, config)?;
        let message = OutcomeKind::Done(format!("{} inserted into {}", rows(&files), target.name()));
        let publication = if !insert.overwrite {
            if files.iter().all(|file| file.rows == 0) {
                return Ok(message);
            }
            Publication::Append
        } else if partitions.is_empty() || (fixed.is_empty() && config.partition_overwrite == PartitionOverwrite::Static) {
            target.stage_meta(self, &job)?;
            Publication::Replace
        } else if config.partition_overwrite == PartitionOverwrite::Static || fixed.len() == partitions.len() {
            Publication::ReplaceDirectories(vec![covered])
        } else {
            let mut directories: Vec<PathBuf> = files.iter().map(|file| parent(&file.path).to_path_buf()).collect();
            directories.sort();
            directories.dedup();
            Publication::ReplaceDirectories(directories)
        };
        job.commit(&files, publication, true, || target.check())?;
        Ok(message)
    }

    /// Makes a table of a query's rows; `meta` lacks its columns.
    pub(super) fn create_table_as(
        &self,
        database: &str,
        table: &str,
        mut meta: TableMeta,
        partitioned_by: &[String],
        planned: Planned,
        config: &Config,
    ) -> Result<OutcomeKind> {
        let columns = planned.schema.fields().iter().map(|field| {
            let type_name = type_name(field.data_type()).map_err(|error| error.in_column(field.name()))?;
            Ok(ColumnMeta { name: field.name().clone(), type_name, comment: None })
        });
        meta.columns = columns.collect::<Result<_>>()?;
        check_columns(&meta)?;
        partition_by(&mut meta, partitioned_by)?;
        check_columns(&meta)?;
        let place = |column: &ColumnMeta| planned.schema.fields().iter().position(|field| *field.name() == column.name);
        let sources: Vec<Source> =
            meta.columns.iter().map(|column| place(column).map_or(Source::Missing, Source::Input)).collect();
        let (plan, schema) = assign(planned.physical, &sources, &meta, table)?;
        let partitions: Vec<usize> = (meta.data_columns().len()..meta.columns.len()).collect();
        let options = options(&meta)?;
        let job = self.new_entry(database, table, &meta, config)?;
        let files = self.write(plan, &schema, &partitions, &job, &options, false, config)?;
        job.commit(&files, Publication::Create, true, || Ok(()))?;
        Ok(OutcomeKind::Done(format!("{} inserted into {database}.{table}", rows(&files))))
    }
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

/// How a table's files are written: as its properties say.
fn options(meta: &TableMeta) -> Result<OutputOptions> {
    let mut options = OutputOptions::new(FileFormat::Parquet);
    let codec = ["parquet.compression", "compression"].iter().find_map(|key| meta.properties.get(*key));
    if let Some(codec) = codec {
        options.compression = Compression::from_name(codec, None)?;
    }
    Ok(options)
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
