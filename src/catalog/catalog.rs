//! Names of a session: tables, views, and the way to tables that are files.

use super::Table;
use crate::error::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Opens a path or glob as a table.
pub type OpenFile = dyn Fn(&str) -> Result<Arc<dyn Table>> + Send + Sync;

/// A named query.
#[derive(Debug, Clone)]
pub struct View {
    /// The text of its query.
    pub query: String,
    /// Names of its columns where the view gives its own.
    pub columns: Vec<String>,
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
}

impl Catalog {
    /// An empty catalog that opens files by `open`.
    pub fn new(open: Arc<OpenFile>) -> Self {
        Self { entries: RwLock::default(), open }
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

    /// Whether a table or view has the name.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.read().contains_key(&name.to_lowercase())
    }

    /// The table of a name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Table>> {
        match self.entries.read().get(&name.to_lowercase()) {
            Some(Entry::Table(table)) => Some(table.clone()),
            _ => None,
        }
    }

    /// The view of a name.
    pub fn view(&self, name: &str) -> Option<Arc<View>> {
        match self.entries.read().get(&name.to_lowercase()) {
            Some(Entry::View(view)) => Some(view.clone()),
            _ => None,
        }
    }

    /// All names, in order, in lower case.
    pub fn names(&self) -> Vec<String> {
        self.entries.read().keys().cloned().collect()
    }

    /// Opens a path or glob as a table.
    pub fn open(&self, path: &str) -> Result<Arc<dyn Table>> {
        if path.is_empty() || path.contains('\0') {
            return Err(Error::sql(format!("'{}' is not a path", path.escape_default())));
        }
        (self.open)(path)
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("names", &self.names()).finish_non_exhaustive()
    }
}
