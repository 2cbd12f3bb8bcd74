//! Names of a session: tables and views of its own, those of the warehouse, tables that are files.

use super::files::partition_directories;
use super::information::{self, INFORMATION_SCHEMA};
use super::warehouse::{DEFAULT_DATABASE, TableMeta, Warehouse, parse_type};
use super::{DeclaredColumns, FileSpec, FileTable, Table, open_files};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::parquet::FooterStore;
use arrow::datatypes::DataType;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a path or glob as a table of files.
pub type OpenFile = dyn Fn(&Config, &str, &FileSpec) -> Result<Arc<dyn Table>> + Send + Sync;

/// Called with a path before what is there is read.
pub type Settle = dyn Fn(&Path) -> Result<()> + Send + Sync;

/// A named query.
#[derive(Debug, Clone)]
pub struct View {
    /// The text of its query.
    pub query: String,
    /// Names of its columns where the view gives its own.
    pub columns: Vec<String>,
    /// The database that its query's names are of; none for the session's.
    pub database: Option<String>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Found {
    /// Rows.
    Table(Arc<dyn Table>),
    /// A query.
    View(Arc<View>),
}

#[derive(Debug, Clone)]
enum Entry {
    Table(Arc<dyn Table>),
    View(Arc<View>),
}

/// Tables and views by name, in any case. Threads share it.
pub struct Catalog {
    entries: RwLock<BTreeMap<String, Entry>>,
    open: Arc<OpenFile>,
    settle: Arc<Settle>,
}

impl Catalog {
    /// An empty catalog that opens files by `open`.
    pub fn new(open: Arc<OpenFile>) -> Self {
        Self { entries: RwLock::default(), open, settle: Arc::new(|_| Ok(())) }
    }

    /// The same, with something to do before tables of a warehouse are looked at.
    #[must_use]
    pub fn with_settle(mut self, settle: Arc<Settle>) -> Self {
        self.settle = settle;
        self
    }

    /// Gives `table` a name; the table or view that had it is forgotten.
    pub fn register(&self, name: &str, table: Arc<dyn Table>) {
        self.entries.write().insert(name.to_lowercase(), Entry::Table(table));
    }

    /// Gives a query a name; the table or view that had it is forgotten.
    pub fn register_view(&self, name: &str, view: View) {
        self.entries.write().insert(name.to_lowercase(), Entry::View(Arc::new(view)));
    }

    /// Forgets a name; files stay. Whether there was one.
    pub fn drop(&self, name: &str) -> bool {
        self.entries.write().remove(&name.to_lowercase()).is_some()
    }

    /// Whether a table or view of the session has the name.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.read().contains_key(&name.to_lowercase())
    }

    /// The session's table of a name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Table>> {
        match self.entries.read().get(&name.to_lowercase()) {
            Some(Entry::Table(table)) => Some(table.clone()),
            _ => None,
        }
    }

    /// The session's view of a name.
    pub fn view(&self, name: &str) -> Option<Arc<View>> {
        match self.entries.read().get(&name.to_lowercase()) {
            Some(Entry::View(view)) => Some(view.clone()),
            _ => None,
        }
    }

    /// The session's names, in order, in lower case.
    pub fn names(&self) -> Vec<String> {
        self.entries.read().keys().cloned().collect()
    }

    /// The names that a query may use without a database: the session's and those of the current
    /// database.
    pub fn known_names(&self, config: &Config) -> Vec<String> {
        let mut names = self.names();
        names.extend(Warehouse::new(&config.warehouse).tables(&config.database).unwrap_or_default());
        names.sort();
        names.dedup();
        names
    }

    /// What is written down of a table of the warehouse, once what dead processes left is settled.
    pub fn meta(&self, config: &Config, database: &str, name: &str) -> Result<Option<TableMeta>> {
        let warehouse = Warehouse::new(&config.warehouse);
        (self.settle)(&warehouse.root().join(name))?;
        warehouse.table(&database.to_lowercase(), &name.to_lowercase())
    }

    /// Whether a name stands for something; without a database the session's names come first.
    pub fn knows(&self, config: &Config, database: Option<&str>, name: &str) -> Result<bool> {
        if self.is_own(database, name) {
            return Ok(true);
        }
        if database == Some(INFORMATION_SCHEMA) {
            return Ok(information::has(name));
        }
        Ok(self.meta(config, database.unwrap_or(&config.database), name)?.is_some())
    }

    /// What a name stands for; without a database the session's names come first.
    ///
    /// # Errors
    /// What opening the table's files fails with.
    pub fn lookup(&self, config: &Config, database: Option<&str>, name: &str) -> Result<Option<Found>> {
        if self.is_own(database, name) {
            let entry = self.entries.read().get(&name.to_lowercase()).cloned();
            return Ok(entry.map(|entry| match entry {
                Entry::Table(table) => Found::Table(table),
                Entry::View(view) => Found::View(view),
            }));
        }
        if database == Some(INFORMATION_SCHEMA) {
            return Ok(information::table(self, config, name)?.map(Found::Table));
        }
        let database = database.unwrap_or(&config.database).to_lowercase();
        let Some(meta) = self.meta(config, &database, name)? else { return Ok(None) };
        if let Some(view) = meta.view {
            let view = View { query: view.query, columns: view.columns, database: Some(view.database) };
            return Ok(Some(Found::View(Arc::new(view))));
        }
        let location = Warehouse::new(&config.warehouse).location(&database, &name.to_lowercase(), &meta)?;
        (self.settle)(&location)?;
        let spec = FileSpec { time_zone: Some(config.time_zone.clone()), ..meta.file_spec() };
        let (columns, partitions) = (types(meta.data_columns())?, types(meta.partitions())?);
        let declared = DeclaredColumns { columns: &columns, partitions: &partitions, declaration: meta.declaration()? };
        let path = location.to_str().ok_or_else(|| Error::unsupported("a location that is not UTF-8"))?;
        let table = open_files(path, &spec, Some(declared), footer_store(config).as_ref())?;
        if let Some(files) = table.as_any().downcast_ref::<FileTable>()
            && let Some(statistics) = meta.statistics.as_ref().filter(|statistics| statistics.is_of(files))
        {
            files.set_counted(statistics.distinct(files), statistics.frequent(files));
        }
        Ok(Some(Found::Table(table)))
    }

    /// Whether a name is one of the session's, which also have the database `default`.
    fn is_own(&self, database: Option<&str>, name: &str) -> bool {
        database.is_none_or(|database| database == DEFAULT_DATABASE) && self.contains(name)
    }

    /// Opens a path or glob as a table; what its files are they tell.
    pub fn open(&self, config: &Config, path: &str) -> Result<Arc<dyn Table>> {
        self.open_as(config, path, &FileSpec { guess: true, ..FileSpec::default() })
    }

    /// The same, of files of which something is said.
    pub fn open_as(&self, config: &Config, path: &str, spec: &FileSpec) -> Result<Arc<dyn Table>> {
        if path.is_empty() || path.contains('\0') {
            return Err(Error::sql(format!("'{}' is not a path", path.escape_default())));
        }
        (self.open)(config, path, spec)
    }
}

/// Where footers are kept on disk, if they are.
pub fn footer_store(config: &Config) -> Option<FooterStore> {
    config.footer_cache.clone().map(FooterStore::new)
}

/// Names and types of declared columns.
pub fn types(columns: &[super::ColumnMeta]) -> Result<Vec<(String, DataType)>> {
    columns.iter().map(|column| Ok((column.name.clone(), parse_type(&column.type_name)?))).collect()
}

/// The partition directories of a table's files, relative to them, in order; with and without files.
pub fn partitions(location: &Path, meta: &TableMeta) -> Result<Vec<PathBuf>> {
    partition_directories(location, meta.partition_columns.len())
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("names", &self.names()).finish_non_exhaustive()
    }
}
