//! CREATE TABLE of files in other formats than Parquet: the format with its options, checked when the
//! table is made and not when it is read.

use super::ddl::done;
use super::{OutcomeKind, Session};
use crate::catalog::{FileSpec, READ_PROPERTIES, TableMeta};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::FormatOptions;
use crate::format::registry::{format_named, reader};
use crate::sql::CreateTable;
use std::collections::BTreeMap;

/// The name of a table's format, and the options of its files.
///
/// # Errors
/// A format that there is not.
pub(super) fn format_of(create: &CreateTable) -> Result<(&'static str, BTreeMap<String, String>)> {
    let name = create.format.as_deref().unwrap_or("parquet");
    let Some(format) = format_named(name) else {
        let error = Error::unsupported(format!("a table of the format {}", name.to_uppercase()));
        return Err(error.with_hint("there are parquet, csv, textfile, text, json, avro, orc and arrow"));
    };
    Ok((format.names().first().copied().unwrap_or("parquet"), create.options.clone()))
}

/// An error when the options of a table's files mean nothing.
pub(super) fn check(meta: &TableMeta) -> Result<()> {
    let spec = meta.file_spec();
    let Some(name) = spec.format.filter(|name| name != "parquet") else { return Ok(()) };
    reader(&name, FormatOptions::new(&spec.options)).map(drop)
}

/// An error when a table's files are not of the format that can be written into tables.
pub(super) fn check_writable(meta: &TableMeta) -> Result<()> {
    match meta.provider.as_deref() {
        None | Some("parquet") => Ok(()),
        Some(other) => {
            let error = Error::unsupported(format!("writing into a table of the format {}", other.to_uppercase()));
            Err(error.with_hint("a table USING parquet can be written; COPY writes CSV and JSON files"))
        }
    }
}

impl Session {
    /// CREATE EXTERNAL TABLE without columns: a name of the session for files that exist.
    pub(super) fn create_external_files(
        &self,
        create: &CreateTable,
        format: &str,
        mut options: BTreeMap<String, String>,
        location: Option<String>,
        config: &Config,
    ) -> Result<OutcomeKind> {
        if create.name.database.as_deref().is_some_and(|database| database != crate::catalog::DEFAULT_DATABASE) {
            return Err(Error::unsupported("a database for a name of the session")
                .with_hint("with columns it is a table of the warehouse"));
        }
        if !create.partitioned_by.is_empty() {
            let what = "PARTITIONED BY in CREATE EXTERNAL TABLE without columns (partitions are found in the directory)";
            return Err(Error::unsupported(what));
        }
        if create.comment.is_some() {
            return Err(Error::unsupported("COMMENT on a name of the session"));
        }
        let Some(location) = location else { return Err(Error::sql("CREATE EXTERNAL TABLE needs a LOCATION")) };
        options.remove("path");
        for (key, value) in &create.properties {
            if READ_PROPERTIES.contains(&key.to_lowercase().as_str()) {
                options.insert(key.clone(), value.clone());
            } else if !["external", "transient_lastddltime"].contains(&key.to_lowercase().as_str()) {
                return Err(Error::unsupported(format!("the table property '{key}'")));
            }
        }
        if self.may_create("table", &create.name.table, create.if_not_exists, false)? {
            let format = Some(format.to_owned());
            let spec = FileSpec { format, options, time_zone: Some(config.time_zone.clone()), guess: false };
            self.engine.register_files(&create.name.table, &location, &spec)?;
        }
        done()
    }
}
