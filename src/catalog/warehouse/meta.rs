//! What is written down of databases and tables: JSON that people can read, beside the data.

use super::statistics::TableStatisticsMeta;
use crate::catalog::FileSpec;
use crate::error::{Error, Result};
use crate::layout::Declaration;
use crate::layout::bucket::BucketDeclaration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The file in a table's, view's or database's directory; readers of data skip it for its dot.
pub const META: &str = ".skep.json";

/// The newest version of the JSON that this code reads. It writes the oldest that holds what is said:
/// 2 is of tables with buckets, which code of version 1 would write into without minding them.
const FORMAT_VERSION: u32 = 2;

/// Properties of tables that say how files are read.
pub(crate) const READ_PROPERTIES: [&str; 4] =
    ["skip.header.line.count", "skip.footer.line.count", "serialization.null.format", "serialization.encoding"];

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMeta {
    /// The version of this JSON.
    pub format_version: u32,
    /// Counts changes; a writer that read an older one fails.
    pub version: u64,
    /// Columns as declared, those of partitions last.
    pub columns: Vec<ColumnMeta>,
    /// Names of the partition columns, the outermost directory first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_columns: Vec<String>,
    /// Buckets that files are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<BucketMeta>,
    /// The format of the files; none for views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Where the files are, when that is not beside this file: they are not the warehouse's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// What the user says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// TBLPROPERTIES.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// What ANALYZE TABLE found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<TableStatisticsMeta>,
    /// The statement that made all of its rows, and from what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<MadeFrom>,
    /// OPTIONS, and what ROW FORMAT says: how files of the format are read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// The query of a view; none for tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<ViewMeta>,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
}

/// A column as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMeta {
    /// The name in the spelling of the user.
    pub name: String,
    /// The type, as DESCRIBE shows it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What the user says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// `CLUSTERED BY ... SORTED BY ... INTO n BUCKETS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketMeta {
    /// The hashed columns, in the order of hashing.
    pub columns: Vec<String>,
    /// Number of buckets.
    pub count: u32,
    /// The order of the rows of a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sorted_by: Vec<SortedMeta>,
}

/// A column that files are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortedMeta {
    /// Its name.
    pub column: String,
    /// Largest first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// What a table's rows were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFrom {
    /// The statement.
    pub statement: String,
    /// Settings that answers depend on.
    pub settings: BTreeMap<String, String>,
    /// The files that were read, in a few characters a table; see [`super::fingerprint`].
    pub inputs: BTreeMap<String, String>,
    /// The files that were written.
    pub files: String,
}

impl MadeFrom {
    /// Whether the same statement, settings and inputs made both.
    pub fn is_same(&self, other: &Self) -> bool {
        self.statement == other.statement && self.settings == other.settings && self.inputs == other.inputs
    }
}

/// A view's query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewMeta {
    /// Its text.
    pub query: String,
    /// Names of columns where the view gives its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The database that names without one are of.
    pub database: String,
}

/// A database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseMeta {
    /// The version of this JSON.
    pub format_version: u32,
    /// What the user says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// DBPROPERTIES.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

impl TableMeta {
    /// A table or view of this moment, without columns.
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            format_version: 1,
            version: 1,
            columns: Vec::new(),
            partition_columns: Vec::new(),
            buckets: None,
            provider: None,
            location: None,
            comment: None,
            properties: BTreeMap::new(),
            statistics: None,
            made_from: None,
            options: BTreeMap::new(),
            view: None,
            created_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// How its files are read: by its options, and by those properties that Hive has for that.
    pub fn file_spec(&self) -> FileSpec {
        let mut options = self.options.clone();
        let is_parquet = self.provider.as_deref().is_none_or(|provider| provider == "parquet");
        let said =
            self.properties.iter().filter(|(key, _)| !is_parquet && READ_PROPERTIES.contains(&key.to_lowercase().as_str()));
        options.extend(said.map(|(key, value)| (key.clone(), value.clone())));
        if is_parquet {
            // Its files say everything about themselves.
            options.clear();
        }
        let format = self.provider.clone().or_else(|| Some("parquet".to_owned()));
        FileSpec { format, options, ..FileSpec::default() }
    }

    /// The columns that files have.
    pub fn data_columns(&self) -> &[ColumnMeta] {
        &self.columns[..self.columns.len().saturating_sub(self.partition_columns.len())]
    }

    /// The columns that directories name.
    pub fn partitions(&self) -> &[ColumnMeta] {
        &self.columns[self.columns.len().saturating_sub(self.partition_columns.len())..]
    }

    /// What it says of how rows lie in files.
    ///
    /// # Errors
    /// The property `skep.sorted_by` is no list of columns, or `bucketing_version` neither 1 nor 2.
    pub fn declaration(&self) -> Result<Declaration> {
        let buckets = self.buckets.as_ref().map(|buckets| BucketDeclaration {
            columns: buckets.columns.iter().map(|name| name.to_lowercase()).collect(),
            count: buckets.count,
            sorted_by: buckets.sorted_by.iter().map(|sorted| (sorted.column.to_lowercase(), sorted.descending)).collect(),
        });
        let version = self.properties.get(BUCKETING_VERSION).map(String::as_str);
        let bucketing_version = match version {
            None => None,
            Some("1") => Some(1),
            Some("2") => Some(2),
            Some(other) => return Err(Error::unsupported(format!("{BUCKETING_VERSION} '{other}'"))),
        };
        let sorted_by = self.properties.get(SORTED_BY).map_or(Ok(Vec::new()), |text| parse_sorted_by(text))?;
        Ok(Declaration { buckets, bucketing_version, sorted_by })
    }

    /// The JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let least = if self.buckets.is_some() { 2 } else { 1 };
        json(&Self { format_version: self.format_version.max(least), ..self.clone() })
    }
}

/// The table property of Hive that says which of its hashes buckets are by.
pub const BUCKETING_VERSION: &str = "bucketing_version";

/// The table property that says what files are sorted by.
pub const SORTED_BY: &str = "skep.sorted_by";

/// Names in lower case, and whether descending, of `a, b desc`.
///
/// # Errors
/// [`crate::ErrorKind::Sql`] for what is no such list.
pub fn parse_sorted_by(text: &str) -> Result<Vec<(String, bool)>> {
    let column = |column: &str| {
        let words: Vec<String> = column.split_whitespace().map(str::to_lowercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [name] | [name, "asc"] => Ok(((*name).to_owned(), false)),
            [name, "desc"] => Ok(((*name).to_owned(), true)),
            _ => Err(Error::sql(format!("'{text}' is no list of columns"))),
        }
    };
    text.split(',').map(column).collect()
}

impl Default for TableMeta {
    fn default() -> Self {
        Self::new()
    }
}

impl DatabaseMeta {
    /// A database with what the user says of it.
    pub fn new(comment: Option<String>, properties: BTreeMap<String, String>) -> Self {
        Self { format_version: 1, comment, properties }
    }

    /// The JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        json(self)
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::internal(format!("metadata: {error}")))?;
    text.push(b'\n');
    Ok(text)
}

/// Reads the JSON in a directory; none where there is no such file.
pub(super) fn read<T: DeserializeOwned>(directory: &Path) -> Result<Option<T>> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let path = directory.join(META);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(Error::io("read", &path, error)),
    };
    let damaged = |error: serde_json::Error| Error::data(format!("the metadata is damaged: {error}")).in_file(&path);
    let version: Version = serde_json::from_slice(&text).map_err(damaged)?;
    if version.format_version > FORMAT_VERSION {
        return Err(Error::unsupported(format!("metadata of version {}", version.format_version)).in_file(&path));
    }
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}
