//! Tables of files in other formats than Parquet, or in several.
//!
//! Files are found, partitioned and put under one schema as Parquet's are; what is in them their format
//! says. A file of another format than the table's, as its name or its first bytes tell, is read as
//! what it is: Hive lets partitions have formats of their own.

use super::files::listing::{self, Listed};
use super::files::schema::{FileFields, Merged, declared, merge, merge_guesses};
use super::files::{ColumnOrigin, FileTable, partition};
use super::{Table, TableStatistics};
use crate::disk::{DirectoryLock, parent};
use crate::error::{Error, ErrorKind, Result};
use crate::format::FormatOptions;
use crate::format::parquet::FooterStore;
use crate::format::reader::{DataFile, FileColumn, FileColumns, Format, FormatReader};
use crate::format::registry::{format_named, format_of_bytes, format_of_name, reader};
use crate::layout::{Bounds, ColumnBounds, ColumnStatistics, Declaration};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::ScalarValue;
use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files are looked into by several threads from this many on. Guessed.
const PARALLEL_FILES_MIN: usize = 8;
/// Bytes of a row in a file that does not tell its rows. Guessed.
const ROW_BYTES: f64 = 100.0;

/// What is said of files beside their path.
#[derive(Debug, Clone, Default)]
pub struct FileSpec {
    /// Their format's name; none: as the files tell.
    pub format: Option<String>,
    /// The format's options as they are written.
    pub options: BTreeMap<String, String>,
    /// The zone of timestamps that name none.
    pub time_zone: Option<String>,
    /// What no option says may be guessed from the files.
    pub guess: bool,
}

/// The columns of a table that says what they are, and its partition columns.
#[derive(Debug, Clone)]
pub struct DeclaredColumns<'a> {
    /// Names and types of columns in files.
    pub columns: &'a [(String, DataType)],
    /// Of those in directories' names.
    pub partitions: &'a [(String, DataType)],
    /// Buckets and order, which only Parquet's files can have.
    pub declaration: Declaration,
}

/// See the module.
#[derive(Debug)]
pub struct FormatTable {
    path: String,
    schema: SchemaRef,
    display_names: Vec<String>,
    file_columns: usize,
    files: Vec<FormatFile>,
    statistics: TableStatistics,
}

/// A file of a [`FormatTable`].
#[derive(Debug)]
pub struct FormatFile {
    /// The file.
    pub file: DataFile,
    /// What reads it.
    pub reader: Arc<dyn FormatReader>,
    /// Its columns.
    pub found: Arc<FileColumns>,
    /// Values of the partition columns.
    pub partition: Vec<ScalarValue>,
    /// For every column of the table that comes from files: its place in this one.
    columns: Vec<Option<usize>>,
}

/// Opens a path or glob as `spec` says, or as its files tell; with `declared` columns a directory.
///
/// # Errors
/// A format or option that is not known, files that cannot be read or do not fit the columns.
pub fn open_files(
    path: &str,
    spec: &FileSpec,
    wanted: Option<DeclaredColumns>,
    footers: Option<&FooterStore>,
) -> Result<Arc<dyn Table>> {
    let named = match &spec.format {
        Some(name) => Some(format_named(name).ok_or_else(|| Error::unsupported(format!("the file format {name}")))?),
        None => None,
    };
    let is_parquet = |format: &'static dyn Format| format.names().contains(&"parquet");
    // The name of one file, or of all that a glob means, may tell.
    let named = named.or_else(|| if Path::new(path).is_dir() { None } else { format_of_name(Path::new(path)) });
    let format = match named {
        Some(format) => format,
        None => guess_format(path)?,
    };
    if is_parquet(format) {
        let opened = match &wanted {
            Some(wanted) => {
                let declaration = wanted.declaration.clone();
                FileTable::open_with_schema(Path::new(path), wanted.columns, wanted.partitions, declaration, footers)
            }
            None => FileTable::open_declared(path, Declaration::default(), footers),
        };
        return match opened {
            Ok(table) => Ok(table as Arc<dyn Table>),
            // Partitions may have other formats.
            Err(error) if error.kind() == ErrorKind::Data && error.message().contains("not a Parquet file") => {
                let table = FormatTable::open(path, format, spec, wanted)?;
                let mixed = table.files.iter().any(|file| file.reader.name() != "parquet");
                if mixed { Ok(Arc::new(table)) } else { Err(error) }
            }
            Err(error) => Err(error),
        };
    }
    Ok(Arc::new(FormatTable::open(path, format, spec, wanted)?))
}

/// The format of files that nobody named: that of the first whose name tells it, or whose first bytes
/// do; Parquet where none tells any.
fn guess_format(path: &str) -> Result<&'static dyn Format> {
    let listing = listing::list(path)?;
    if let Some(format) = listing.iter().find_map(|file| format_of_name(&file.path)) {
        return Ok(format);
    }
    for file in listing.iter().take(1) {
        if let Some(format) = format_of_bytes(&DataFile::open(file.path.clone())?)? {
            return Ok(format);
        }
    }
    format_named("parquet").ok_or_else(|| Error::internal("no format parquet"))
}

impl FormatTable {
    fn open(path: &str, format: &'static dyn Format, spec: &FileSpec, wanted: Option<DeclaredColumns>) -> Result<Self> {
        let place = Path::new(path);
        let _lock = if place.is_dir() { DirectoryLock::shared(parent(place)).ok() } else { None };
        let listing = match wanted {
            Some(_) => listing::list_directory(place)?,
            None => listing::list(path)?,
        };
        let options = |name: &str| {
            let mut options = spec.options.clone();
            if let Some(zone) = &spec.time_zone {
                options.entry("timezone".to_owned()).or_insert_with(|| zone.clone());
            }
            // Of files that were found to be of another format nobody said anything.
            let own = format.names().contains(&name);
            if own && !spec.guess { FormatOptions::new(&options) } else { FormatOptions::guessing(spec.time_zone.as_deref()) }
        };
        let main = format.names().first().copied().unwrap_or("");
        let mut readers: BTreeMap<&str, Arc<dyn FormatReader>> = BTreeMap::new();
        readers.insert(main, reader(main, options(main))?);
        let mut opened: Vec<(DataFile, Arc<dyn FormatReader>)> = Vec::with_capacity(listing.len());
        for listed in &listing {
            let file = DataFile::open(listed.path.clone())?;
            let name = own_format(&file, format)?.names().first().copied().unwrap_or("");
            let known = match readers.get(name) {
                Some(known) => known.clone(),
                None => {
                    let made = reader(name, options(name))?;
                    readers.insert(name, made.clone());
                    made
                }
            };
            opened.push((file, known));
        }
        let columns: Option<Vec<FileColumn>> = wanted.as_ref().map(|wanted| {
            let column = |(name, data_type): &(String, DataType)| FileColumn { name: name.clone(), data_type: data_type.clone() };
            wanted.columns.iter().map(column).collect()
        });
        let found = find_columns(&opened, columns.as_deref())?;
        Self::assemble(path, &listing, opened, found, wanted)
    }

    fn assemble(
        path: &str,
        listing: &[Listed],
        opened: Vec<(DataFile, Arc<dyn FormatReader>)>,
        found: Vec<FileColumns>,
        wanted: Option<DeclaredColumns>,
    ) -> Result<Self> {
        let paths: Vec<PathBuf> = listing.iter().map(|file| file.path.clone()).collect();
        let inferred = found.iter().any(|columns| columns.inferred);
        let fields: Vec<FileFields> = opened
            .iter()
            .zip(&found)
            .map(|((_, reader), columns)| match &wanted {
                Some(wanted) if reader.by_place(columns) => {
                    let names = wanted.columns.iter().map(|(name, _)| name.as_str());
                    names.zip(columns.columns.iter().map(|column| &column.data_type)).collect()
                }
                _ => columns.columns.iter().map(|column| (column.name.as_str(), &column.data_type)).collect(),
            })
            .collect();
        let (merged, values, partitions) = match wanted {
            Some(wanted) => {
                let values = partition::declared(listing, wanted.partitions)?;
                (declared(&paths, &fields, wanted.columns, wanted.partitions)?, values, wanted.partitions.len())
            }
            None => {
                let partitions = partition::infer(listing)?;
                let merge = if inferred { merge_guesses } else { merge };
                let merged = merge(&paths, &fields, &partitions.columns)?;
                (merged, partitions.values, partitions.columns.len())
            }
        };
        let Merged { schema, display_names, file_columns } = merged;
        if schema.fields().len() == partitions {
            let error = Error::data(format!("the files in {path} have no columns"));
            return Err(error.with_hint("a table without files that hold anything needs columns: CREATE TABLE"));
        }
        let parts = opened.into_iter().zip(found).zip(values).zip(file_columns);
        let files = parts.map(|((((file, reader), found), partition), columns)| FormatFile {
            file,
            reader,
            found: Arc::new(found),
            partition,
            columns,
        });
        let files: Vec<FormatFile> = files.collect();
        let statistics = statistics(&files, schema.fields().len(), partitions);
        Ok(Self {
            path: path.to_owned(),
            file_columns: schema.fields().len() - partitions,
            schema,
            display_names,
            files,
            statistics,
        })
    }

    /// The files, by path.
    pub fn files(&self) -> &[FormatFile] {
        &self.files
    }

    /// Number of columns that come from files; partition columns come after them.
    pub fn file_columns(&self) -> usize {
        self.file_columns
    }

    /// The path or glob it was opened with.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Names of the formats that there are, each once.
    pub fn formats(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.files.iter().map(|file| file.reader.name()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Where the values of `column` come from in `file`.
    pub fn origin<'a>(&self, file: &'a FormatFile, column: usize) -> ColumnOrigin<'a> {
        match column.checked_sub(self.file_columns) {
            Some(partition) => file.partition.get(partition).map_or(ColumnOrigin::Missing, ColumnOrigin::Partition),
            None => file.columns.get(column).copied().flatten().map_or(ColumnOrigin::Missing, ColumnOrigin::File),
        }
    }
}

/// The format that a file is of, in a table of `format`. Text may begin with anything, so that what is
/// in a table of text is text, unless its name says otherwise.
fn own_format(file: &DataFile, format: &'static dyn Format) -> Result<&'static dyn Format> {
    let named = format_of_name(&file.path);
    match named {
        Some(named) if !named.magic().is_empty() => Ok(named),
        _ if format.magic().is_empty() => Ok(format),
        _ => Ok(format_of_bytes(file)?.or(named).unwrap_or(format)),
    }
}

/// The columns of all files, in their order. The first error in that order wins.
fn find_columns(files: &[(DataFile, Arc<dyn FormatReader>)], declared: Option<&[FileColumn]>) -> Result<Vec<FileColumns>> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get()).min(8);
    let find = |files: &[(DataFile, Arc<dyn FormatReader>)]| {
        files.iter().map(|(file, reader)| reader.columns(file, declared)).collect::<Result<Vec<_>>>()
    };
    if files.len() < PARALLEL_FILES_MIN || threads == 1 {
        return find(files);
    }
    let parts = std::thread::scope(|scope| {
        let workers: Vec<_> = files.chunks(files.len().div_ceil(threads)).map(|files| scope.spawn(move || find(files))).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.map(|part| part.unwrap_or_else(|_| Err(Error::internal("looking into a file panicked")))).collect::<Vec<_>>()
    });
    let mut found = Vec::with_capacity(files.len());
    for part in parts {
        found.extend(part?);
    }
    Ok(found)
}

fn statistics(files: &[FormatFile], columns: usize, partitions: usize) -> TableStatistics {
    let rows_of = |file: &FormatFile| file.found.rows.unwrap_or(file.file.bytes() as f64 / ROW_BYTES);
    let rows = files.iter().map(rows_of).sum::<f64>().ceil();
    let mut all = vec![ColumnStatistics::default(); columns];
    for (partition, statistics) in all[columns - partitions..].iter_mut().enumerate() {
        let values: HashSet<&ScalarValue> = files.iter().map(|file| &file.partition[partition]).collect();
        let values: Vec<&ScalarValue> = values.into_iter().filter(|value| !value.is_null()).collect();
        let smaller = |a: &&ScalarValue, b: &&ScalarValue| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
        statistics.min = values.iter().copied().min_by(smaller).cloned();
        statistics.max = values.iter().copied().max_by(smaller).cloned();
        statistics.distinct = Some(values.len() as f64);
        statistics.null_count = Some(files.iter().filter(|file| file.partition[partition].is_null()).map(rows_of).sum());
        statistics.width = Some(8.0);
    }
    TableStatistics { rows, columns: all }
}

impl Table for FormatTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn display_names(&self) -> &[String] {
        &self.display_names
    }

    fn statistics(&self) -> &TableStatistics {
        &self.statistics
    }

    fn describe(&self) -> String {
        self.path.clone()
    }

    fn partition_columns(&self) -> usize {
        self.schema.fields().len() - self.file_columns
    }
}

/// What a file's directories say of its rows: any one of them stands for all.
pub struct PartitionBounds<'a> {
    /// The table.
    pub table: &'a FormatTable,
    /// The file.
    pub file: &'a FormatFile,
}

impl Bounds for PartitionBounds<'_> {
    fn rows(&self) -> u64 {
        1
    }

    fn column(&self, column: usize) -> ColumnBounds {
        match self.table.origin(self.file, column) {
            ColumnOrigin::File(_) => ColumnBounds::default(),
            ColumnOrigin::Partition(value) if !value.is_null() => {
                ColumnBounds { min: Some(value.clone()), max: Some(value.clone()), null_count: Some(0) }
            }
            ColumnOrigin::Missing | ColumnOrigin::Partition(_) => ColumnBounds { null_count: Some(1), ..ColumnBounds::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::parquet::testing;
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};

    fn put(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn guessed() -> FileSpec {
        FileSpec { guess: true, ..FileSpec::default() }
    }

    fn types(table: &dyn Table) -> Vec<String> {
        table.schema().fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect()
    }

    #[test]
    fn files_are_partitioned_and_put_under_one_schema() {
        let root = tempfile::tempdir().unwrap();
        put(root.path().join("y=1/a.csv"), "Id,name\n1,x\n");
        put(root.path().join("y=2/b.csv"), "name,id,more\ny,22222222222,1.5\n");
        put(root.path().join("y=2/_hidden.csv"), "no\n");
        put(root.path().join("y=2/.b.csv.crc"), "no\n");
        let table = open_files(root.path().to_str().unwrap(), &guessed(), None, None).unwrap();
        assert_eq!(types(&*table), ["id Int64", "name Utf8View", "more Float64", "y Int32"]);
        assert_eq!((table.partition_columns(), table.display_names()[0].as_str()), (1, "Id"));
        let table = table.as_any().downcast_ref::<FormatTable>().unwrap();
        assert!(matches!(table.origin(&table.files()[1], 0), ColumnOrigin::File(1)));
        assert!(matches!(table.origin(&table.files()[0], 2), ColumnOrigin::Missing));
        assert_eq!(table.statistics().columns[3].distinct, Some(2.0));
        assert_eq!(table.formats(), ["csv"]);
        // What is a number here and text there is text.
        put(root.path().join("y=3/c.csv"), "id,name\nx1,z\n");
        let table = open_files(root.path().to_str().unwrap(), &guessed(), None, None).unwrap();
        assert_eq!(types(&*table)[0], "id Utf8View");
    }

    #[test]
    fn partitions_may_have_other_formats() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("y=1")).unwrap();
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter_with_nullable([("id", numbers, true)]).unwrap();
        testing::write(&at("y=1/000000_0"), std::slice::from_ref(&batch), 10);
        put(at("y=2/part.json"), "{\"id\": 3}\n");
        let columns = [("id".to_owned(), DataType::Int64)];
        let partitions = [("y".to_owned(), DataType::Int32)];
        let wanted = DeclaredColumns { columns: &columns, partitions: &partitions, declaration: Declaration::default() };
        let spec = FileSpec { format: Some("json".into()), ..FileSpec::default() };
        let table = open_files(root.path().to_str().unwrap(), &spec, Some(wanted.clone()), None).unwrap();
        // What looks like text in a table of text is text.
        assert_eq!(table.as_any().downcast_ref::<FormatTable>().unwrap().formats(), ["json"]);
        std::fs::rename(at("y=1/000000_0"), at("y=1/a.parquet")).unwrap();
        let table = open_files(root.path().to_str().unwrap(), &spec, Some(wanted.clone()), None).unwrap();
        assert_eq!(table.as_any().downcast_ref::<FormatTable>().unwrap().formats(), ["json", "parquet"]);
        assert_eq!(types(&*table), ["id Int64", "y Int32"]);
    }

    #[test]
    fn odd_formats_and_empty_files_are_refused() {
        let root = tempfile::tempdir().unwrap();
        put(root.path().join("a.csv"), "");
        let path = root.path().join("a.csv").to_str().unwrap().to_owned();
        let open = |format: Option<&str>| {
            let spec = FileSpec { format: format.map(str::to_owned), ..FileSpec::default() };
            open_files(&path, &spec, None, None).unwrap_err()
        };
        assert!(open(None).message().contains("have no columns"));
        assert_eq!(open(Some("lance")).kind(), ErrorKind::Unsupported);
        assert_eq!(open(Some("parquet")).kind(), ErrorKind::Data);
        put(root.path().join("t/_delta_log/0.json"), "{}");
        put(root.path().join("t/a.csv"), "a\n1\n");
        let error = open_files(root.path().join("t").to_str().unwrap(), &FileSpec::default(), None, None).unwrap_err();
        assert!(error.message().contains("Delta"), "{error}");
    }
}
