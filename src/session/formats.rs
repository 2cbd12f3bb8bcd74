//! CREATE TABLE of files in other formats than Parquet: the format with its options, checked when the
//! table is made and not when it is read.

use super::ddl::done;
use super::{OutcomeKind, Session};
use crate::catalog::{FileSpec, READ_PROPERTIES, TableMeta};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::FormatOptions;
use crate::format::registry::{format_named, reader};
use crate::output::OutputOptions;
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

/// Options and properties that name a codec, as Spark and Hive call them; the first that is there counts.
const CODECS: [&str; 5] = ["compression", "codec", "parquet.compression", "avro.output.codec", "orc.compress"];

/// How a table's files are written: in its format, under the options by which they are read.
///
/// # Errors
/// A format that is only read, or options under which nothing is written.
pub(super) fn output_options(meta: &TableMeta, config: &Config) -> Result<OutputOptions> {
    let spec = meta.file_spec();
    let name = spec.format.as_deref().unwrap_or("parquet");
    let Some(format) = format_named(name) else {
        return Err(Error::unsupported(format!("writing into a table of the format {}", name.to_uppercase())));
    };
    let mut given = spec.options;
    given.entry("timezone".to_owned()).or_insert_with(|| config.time_zone.clone());
    let style = format.style(&mut FormatOptions::new(&given)).map_err(|error| {
        let told = Error::new(error.kind(), format!("writing into a table: {}", error.message()));
        error.hint().into_iter().fold(told, |told, hint| told.with_hint(hint))
    });
    let mut options = OutputOptions::new(style?);
    let said = |key: &&str| {
        let of = |pairs: &BTreeMap<String, String>| {
            pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|pair| pair.1.clone())
        };
        of(&meta.options).or_else(|| of(&meta.properties))
    };
    if let Some(codec) = CODECS.iter().find_map(said) {
        options.compress(&codec, None)?;
    }
    options.extension()?;
    Ok(options)
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
