//! Tables of the warehouse as targets: where they are, what they are called, how they are published.

use super::Session;
use crate::catalog::{DEFAULT_DATABASE, META, MadeFrom, TableMeta, Warehouse};
use crate::config::Config;
use crate::disk::absolute;
use crate::error::{Error, Result};
use crate::output::Job;
use crate::sql::TableName;
use std::path::{Path, PathBuf};

/// A table of the warehouse that a statement names.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) warehouse: Warehouse,
    pub(super) database: String,
    pub(super) table: String,
    pub(super) meta: TableMeta,
    /// Where its files are.
    pub(super) location: PathBuf,
}

impl Target {
    /// `database.table`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.database, self.table)
    }

    /// The directory that holds what is written down of it.
    pub(super) fn path(&self) -> Result<PathBuf> {
        self.warehouse.table_path(&self.database, &self.table)
    }

    /// Whether its files lie in its own directory of the warehouse.
    pub(super) fn is_managed(&self) -> bool {
        self.meta.location.is_none()
    }

    /// An error unless it is still as it was read; to be asked under its lock.
    pub(super) fn check(&self) -> Result<()> {
        self.warehouse.check_version(&self.database, &self.table, self.meta.version)
    }

    /// An output for the table's files, staged in the warehouse or beside the location.
    pub(super) fn job(&self, session: &Session) -> Result<Job> {
        let root = if self.is_managed() { Some(self.warehouse.root()) } else { None };
        Job::begin(session.engine.disk(), &self.location, root)
    }

    /// Puts what is written down of a managed table beside files that will replace its directory;
    /// `made` says what those are made from.
    pub(super) fn stage_meta(&self, session: &Session, job: &Job, made: Option<MadeFrom>) -> Result<()> {
        if !self.is_managed() {
            return Ok(());
        }
        let next = TableMeta { version: self.meta.version + 1, made_from: made, ..self.meta.clone() };
        session.engine.disk().write_new(&job.directory().join(META), &next.to_json()?)
    }
}

impl Session {
    pub(super) fn warehouse(&self, config: &Config) -> Warehouse {
        Warehouse::new(&config.warehouse)
    }

    /// The database and name of a table, the current database where none is given.
    pub(super) fn resolve(&self, name: &TableName, config: &Config) -> Result<(String, String)> {
        let database = name.database.clone().unwrap_or_else(|| config.database.clone());
        if !self.warehouse(config).has_database(&database) {
            return Err(no_database(&database));
        }
        Ok((database, name.table.clone()))
    }

    /// A table or view of the warehouse; none when there is none.
    pub(super) fn target(&self, name: &TableName, config: &Config) -> Result<Option<Target>> {
        let (database, table) = self.resolve(name, config)?;
        let Some(meta) = self.engine.catalog().meta(config, &database, &table)? else { return Ok(None) };
        let warehouse = self.warehouse(config);
        let location = warehouse.location(&database, &table, &meta)?;
        Ok(Some(Target { warehouse, database, table, meta, location }))
    }

    /// A table, not a view, of the warehouse.
    pub(super) fn table_target(&self, name: &TableName, config: &Config) -> Result<Target> {
        let Some(target) = self.target(name, config)? else {
            let is_own = name.database.is_none() && self.engine.catalog().contains(&name.table);
            if is_own {
                let error = Error::unsupported(format!("this statement on '{}', a name of the session,", name.table));
                return Err(error.with_hint("it works on tables of the warehouse"));
            }
            return Err(no_table(name));
        };
        if target.meta.view.is_some() {
            return Err(Error::sql(format!("{} is a view, not a table", target.name())));
        }
        Ok(target)
    }

    /// Makes the directory of a new table or view with what is written down of it.
    pub(super) fn create_entry(&self, database: &str, table: &str, meta: &TableMeta, config: &Config) -> Result<()> {
        let job = self.new_entry(database, table, config)?;
        self.engine.disk().write_new(&job.directory().join(META), &meta.to_json()?)?;
        job.commit(&[], crate::output::Publication::Create, false, || Ok(()))
    }

    /// A place for a new table's files, and for what will be written down of it.
    pub(super) fn new_entry(&self, database: &str, table: &str, config: &Config) -> Result<Job> {
        let warehouse = self.warehouse(config);
        let path = warehouse.table_path(database, table)?;
        let disk = self.engine.disk();
        disk.make_directories(warehouse.root())?;
        let job = Job::begin(disk, &path, Some(warehouse.root()))?;
        if path.exists() {
            return Err(Error::sql(format!("there is a directory {} already, which is no table", path.display()))
                .with_hint("drop or move it, or make the table EXTERNAL with its LOCATION"));
        }
        Ok(job)
    }
}

/// A location as it is written down: from the root.
pub(super) fn location(text: &str) -> Result<String> {
    let path = text.strip_prefix("file://").or(text.strip_prefix("file:")).unwrap_or(text);
    if path.is_empty() || path.contains('\0') || text.contains("://") && !text.starts_with("file://") {
        return Err(Error::unsupported(format!("the location '{}'", text.escape_default())));
    }
    let whole = absolute(Path::new(path))?;
    whole.to_str().map(str::to_owned).ok_or_else(|| Error::unsupported("a location that is not UTF-8"))
}

pub(super) fn no_database(name: &str) -> Error {
    Error::sql(format!("unknown database '{}'", name.escape_default())).with_hint("SHOW DATABASES lists them")
}

pub(super) fn no_table(name: &TableName) -> Error {
    let database = name.database.as_deref().filter(|database| *database != DEFAULT_DATABASE);
    let shown = database.map_or_else(|| name.table.clone(), |database| format!("{database}.{}", name.table));
    Error::sql(format!("unknown table '{shown}'")).with_hint("SHOW TABLES lists them")
}
