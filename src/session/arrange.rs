//! How the files of a table or of COPY are to lie, from what was declared.

use super::Session;
use crate::catalog::{BucketMeta, FileTable, SortedMeta, TableMeta, parse_type};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::column;
use crate::layout::bucket::{BucketDeclaration, BucketHash, Names, dialect};
use crate::operator::{SortKey, in_order};
use crate::output::{Arrangement, OutputBuckets, OutputOrder, check_bucket_column};
use crate::sql::CopyTarget;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// Brings rows into the order that `arrangement` wants them written in.
pub(super) fn arranged(plan: PlanRef, schema: &SchemaRef, arrangement: &Arrangement) -> Result<PlanRef> {
    if arrangement.sorted_by.is_empty() {
        return Ok(plan);
    }
    let key = |order: &OutputOrder| {
        let field = schema.field(order.column);
        let expr = column(order.column, field.data_type().clone(), true, field.name().clone());
        SortKey { expr, descending: order.descending, nulls_first: !order.descending }
    };
    in_order(plan, arrangement.groups(schema), arrangement.sorted_by.iter().map(key).collect())
}

/// What COPY's clauses ask for.
pub(super) fn of_copy(target: &CopyTarget, schema: &SchemaRef) -> Result<Arrangement> {
    let place = |name: &str, clause: &str| {
        let found = schema.fields().iter().position(|field| field.name().to_lowercase() == name);
        found.ok_or_else(|| Error::sql(format!("{clause} names no column of the query: '{name}'")))
    };
    let mut arrangement = Arrangement::default();
    for name in &target.partition_by {
        let position = place(name, "PARTITION BY")?;
        if arrangement.partitions.contains(&position) {
            return Err(Error::sql(format!("PARTITION BY names '{name}' twice")));
        }
        arrangement.partitions.push(position);
    }
    if let Some(BucketDeclaration { columns, count, .. }) = &target.buckets {
        let columns = columns.iter().map(|name| place(name, "CLUSTER BY")).collect::<Result<_>>()?;
        arrangement.buckets = Some(OutputBuckets { columns, count: *count, hash: target.bucket_hash });
    }
    for (name, descending) in &target.sort_by {
        arrangement.sorted_by.push(OutputOrder { column: place(name, "SORT BY")?, descending: *descending });
    }
    Ok(arrangement)
}

/// Puts a declaration into a table's metadata, in the spelling of its columns.
pub(super) fn declare(meta: &mut TableMeta, declared: Option<&BucketDeclaration>) -> Result<()> {
    let Some(declared) = declared else { return Ok(()) };
    let spelled = |name: &String, clause: &str| {
        let found = meta.columns.iter().find(|column| column.name.to_lowercase() == *name);
        found.map(|column| column.name.clone()).ok_or_else(|| Error::sql(format!("{clause} names no column: '{name}'")))
    };
    let columns = declared.columns.iter().map(|name| spelled(name, "CLUSTERED BY")).collect::<Result<_>>()?;
    let sorted_by = declared
        .sorted_by
        .iter()
        .map(|(name, descending)| Ok(SortedMeta { column: spelled(name, "SORTED BY")?, descending: *descending }));
    meta.buckets = Some(BucketMeta { columns, count: declared.count, sorted_by: sorted_by.collect::<Result<_>>()? });
    Ok(())
}

/// An error unless a table's declared layout can be written.
pub(super) fn check(meta: &TableMeta) -> Result<()> {
    let arrangement = of_table(meta, None)?;
    let inside = |position: usize, what: &str| {
        let column = &meta.columns[position];
        if position >= meta.data_columns().len() {
            return Err(Error::sql(format!("{what} names the partition column '{}'", column.name)));
        }
        Ok((column, parse_type(&column.type_name)?))
    };
    if let Some(buckets) = &arrangement.buckets {
        for (at, position) in buckets.columns.iter().enumerate() {
            let (column, data_type) = inside(*position, "CLUSTERED BY")?;
            if buckets.columns[..at].contains(position) {
                return Err(Error::sql(format!("CLUSTERED BY names '{}' twice", column.name)));
            }
            check_bucket_column(buckets.hash, &column.name, &data_type)?;
        }
    }
    for order in &arrangement.sorted_by {
        let (column, data_type) = inside(order.column, "SORTED BY")?;
        if data_type.is_nested() {
            return Err(Error::unsupported(format!("sorting files by {}", column.type_name)).in_column(&column.name));
        }
    }
    Ok(())
}

/// How a table's files lie; `files` are those it has already, whose way of naming buckets is kept
/// where the table says nothing of it.
pub(super) fn of_table(meta: &TableMeta, files: Option<&FileTable>) -> Result<Arrangement> {
    let declaration = meta.declaration()?;
    let place = |name: &str| {
        let found = meta.columns.iter().position(|column| column.name.to_lowercase() == name);
        found.ok_or_else(|| Error::sql(format!("the declared layout names no column: '{name}'")))
    };
    let mut sorted_by = declaration.sorted_by;
    let mut buckets = None;
    if let Some(declared) = declaration.buckets {
        let names = files.and_then(|files| dialect(files.files().iter().filter_map(|file| file.path.file_name()?.to_str())));
        let hash = match (declaration.bucketing_version, names) {
            (Some(2), _) => BucketHash::Hive2,
            (Some(_), _) | (None, Some(Names::Hive)) => BucketHash::Hive1,
            (None, _) => BucketHash::Spark,
        };
        let columns = declared.columns.iter().map(|name| place(name)).collect::<Result<_>>()?;
        buckets = Some(OutputBuckets { columns, count: declared.count, hash });
        if !declared.sorted_by.is_empty() {
            sorted_by = declared.sorted_by;
        }
    }
    let order = |(name, descending): &(String, bool)| Ok(OutputOrder { column: place(name)?, descending: *descending });
    Ok(Arrangement {
        partitions: (meta.data_columns().len()..meta.columns.len()).collect(),
        buckets,
        sorted_by: sorted_by.iter().map(order).collect::<Result<_>>()?,
    })
}

impl Session {
    /// How rows inserted into a table are to lie.
    pub(super) fn arrangement_of(&self, target: &super::target::Target) -> Result<Arrangement> {
        // Only names of files decide between dialects.
        if target.meta.buckets.is_none() || target.is_managed() || !target.location.is_dir() {
            return of_table(&target.meta, None);
        }
        let config = self.config();
        let found = self.engine.catalog().lookup(&config, Some(&target.database), &target.table)?;
        let Some(crate::catalog::Found::Table(table)) = found else { return of_table(&target.meta, None) };
        let any: Arc<dyn std::any::Any + Send + Sync> = table;
        of_table(&target.meta, Arc::downcast::<FileTable>(any).ok().as_deref())
    }
}
