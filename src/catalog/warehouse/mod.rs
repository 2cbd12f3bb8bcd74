//! A warehouse: databases and tables that are directories, with what is known of them beside the
//! data, so that several processes can share it and other engines can read the files.
//!
//! ```text
//!   <warehouse>/t/.skep.json, part-...parquet       table t of the database default
//!   <warehouse>/t/day=2024-01-31/part-...           its partitions, if it has any
//!   <warehouse>/d.db/.skep.json                     database d
//!   <warehouse>/d.db/u/.skep.json, ...              its table u
//!   <warehouse>/.skep-staging, .skep-journal                  outputs in the making
//! ```
//!
//! A table is where its directory is and is called as that is called: making, renaming and
//! dropping one are single renames. Partitions are the directories there are; no list of them can
//! grow old. Nothing is made before something is put into it.

mod meta;
mod statistics;
mod types;

pub(crate) use meta::READ_PROPERTIES;
pub use meta::{
    BUCKETING_VERSION, BucketMeta, ColumnMeta, DatabaseMeta, META, MadeFrom, SORTED_BY, SortedMeta, TableMeta, ViewMeta,
    parse_sorted_by,
};
pub use statistics::{
    ColumnStatisticsMeta, FrequentValueMeta, PartitionStatisticsMeta, TableStatisticsMeta, fingerprint, fingerprint_of,
};
pub(crate) use types::same_type;
pub use types::{parse_type, type_name};

use crate::disk::{DirectoryLock, Disk, parent};
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The database that is always there.
pub const DEFAULT_DATABASE: &str = "default";

/// Names that databases cannot have: they stand for formats before a path.
const OTHER_FORMATS: [&str; 3] = ["delta", "iceberg", "hudi"];

/// A warehouse directory, which need not exist.
#[derive(Debug, Clone)]
pub struct Warehouse {
    root: PathBuf,
}

impl Warehouse {
    /// The warehouse in a directory.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a database, which need not exist; `name` in lower case.
    ///
    /// # Errors
    /// The name has other characters than letters, digits and `_`.
    pub fn database_path(&self, name: &str) -> Result<PathBuf> {
        check_name(name, "database")?;
        Ok(if name == DEFAULT_DATABASE { self.root.clone() } else { self.root.join(format!("{name}.db")) })
    }

    /// The directory of a table, which need not exist; names in lower case.
    pub fn table_path(&self, database: &str, table: &str) -> Result<PathBuf> {
        check_name(table, "table")?;
        Ok(self.database_path(database)?.join(table))
    }

    /// Where a table's files are.
    pub fn location(&self, database: &str, table: &str, meta: &TableMeta) -> Result<PathBuf> {
        match &meta.location {
            Some(location) => Ok(PathBuf::from(location)),
            None => self.table_path(database, table),
        }
    }

    /// Whether there is a database of the name.
    pub fn has_database(&self, name: &str) -> bool {
        name == DEFAULT_DATABASE || self.database_path(name).is_ok_and(|path| path.is_dir())
    }

    /// Names of the databases, in order.
    pub fn databases(&self) -> Result<Vec<String>> {
        let mut names = vec![DEFAULT_DATABASE.to_owned()];
        let own = directories(&self.root)?;
        names.extend(own.iter().filter_map(|name| name.strip_suffix(".db")).map(str::to_owned));
        names.retain(|name| check_name(name, "database").is_ok());
        names.sort();
        Ok(names)
    }

    /// What is written down of a database.
    pub fn database(&self, name: &str) -> Result<DatabaseMeta> {
        Ok(meta::read(&self.database_path(name)?)?.unwrap_or_default())
    }

    /// Makes a database; an error when there is one.
    pub fn create_database(&self, disk: &Disk, name: &str, meta: &DatabaseMeta) -> Result<()> {
        if OTHER_FORMATS.contains(&name) || crate::format::registry::format_named(name).is_some() {
            return Err(Error::sql(format!("a database cannot be called '{name}': {name}.`path` reads files")));
        }
        let path = self.database_path(name)?;
        disk.make_directories(&self.root)?;
        // The directory is the database; without the file it has no comment.
        if !disk.make_directory(&path)? {
            return Err(Error::sql(format!("there is a database '{name}' already")).with_hint("IF NOT EXISTS lets it be"));
        }
        disk.write_new(&path.join(META), &meta.to_json()?)?;
        disk.sync_directory(&path)?;
        disk.sync_parent(&path)
    }

    /// Names of the tables and views of a database, in order.
    pub fn tables(&self, database: &str) -> Result<Vec<String>> {
        let path = self.database_path(database)?;
        let mut names = directories(&path)?;
        names.retain(|name| check_name(name, "table").is_ok() && path.join(name).join(META).is_file());
        names.sort();
        Ok(names)
    }

    /// What is written down of a table or view; none when there is none.
    pub fn table(&self, database: &str, table: &str) -> Result<Option<TableMeta>> {
        // No table has a name that none can have.
        match self.table_path(database, table) {
            Ok(path) => meta::read(&path),
            Err(_) => Ok(None),
        }
    }

    /// Writes down a change of a table, unless somebody else has changed it meanwhile.
    pub fn replace_table(&self, disk: &Disk, database: &str, table: &str, changed: &TableMeta) -> Result<()> {
        let path = self.table_path(database, table)?;
        let _lock = DirectoryLock::exclusive(parent(&path))?;
        self.check_version(database, table, changed.version)?;
        let next = TableMeta { version: changed.version + 1, ..changed.clone() };
        let temporary = path.join(format!("{META}.new"));
        // Left by a process that died here; the lock says that none is writing it.
        disk.remove_file(&temporary)?;
        disk.replace(&path.join(META), &temporary, &next.to_json()?)
    }

    /// An error when a table is no longer the one that was read. To be asked under its lock.
    pub fn check_version(&self, database: &str, table: &str, version: u64) -> Result<()> {
        match self.table(database, table)? {
            Some(meta) if meta.version == version => Ok(()),
            Some(_) => Err(Error::data(format!("the table {database}.{table} was changed by somebody else meanwhile"))
                .with_hint("run the statement again")),
            None => Err(Error::data(format!("the table {database}.{table} was dropped by somebody else meanwhile"))),
        }
    }
}

fn check_name(name: &str, what: &str) -> Result<()> {
    if !name.is_empty() && name.len() <= 128 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let shown = name.escape_default();
    Err(Error::sql(format!("'{shown}' cannot be the name of a {what}: letters, digits and _ can")))
}

fn directories(path: &Path) -> Result<Vec<String>> {
    let failed = |error| Error::io("list", path, error);
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
