//! Footers: read once a file identity, checked, kept for the whole process.

use super::file_schema::{FileColumn, FileSchema};
use super::footer_cache::cache;
use super::page_index::{PageIndex, PageZones};
use super::pages::chunk_range;
use super::zones::{ColumnSummary, Zones};
use super::{calendar, damaged};
use crate::error::{Error, Result};
use crate::format::retry::with_retries;
use crate::format::source::{ByteSource, LocalFile};
use ::bytes::Bytes;
use ::parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions, ParquetMetaDataReader, RowGroupMetaData,
};
use arrow::datatypes::{DataType, Field};
use std::fs::{File, Metadata};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes at the end of a file that are read at first: the footers of most files lie in them. Guessed.
const TAIL_BYTES: u64 = 64 << 10;
/// See [`FileId::is_settled`].
const SETTLED_AFTER_NS: i128 = 3_000_000_000;
/// The length of the footer and the magic number after it.
const END_BYTES: u64 = 8;

/// Tells whether a file is still the one that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_ns: i128,
}

/// One of the columns that a footer says a row group is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sorting {
    /// The column of the file.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
    /// NULLs before everything else.
    pub nulls_first: bool,
}

/// The footer of a Parquet file.
#[derive(Debug)]
pub struct Footer {
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) file_bytes: u64,
    /// Shared by files of the same schema.
    pub(super) schema: Arc<FileSchema>,
    /// Whether early days may be counted in the Julian calendar.
    pub(super) hybrid: bool,
    zones: Vec<OnceLock<Zones>>,
    summaries: Vec<OnceLock<ColumnSummary>>,
    distinct: Vec<OnceLock<Option<f64>>>,
    indexes: Vec<OnceLock<Option<Arc<PageIndex>>>>,
}

impl FileId {
    /// The identity of the file at `path` now.
    pub fn of(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| Error::io("open", path, error))?;
        Ok(Self::from_metadata(&metadata))
    }

    /// Bytes of an identity on disk.
    pub(super) const BYTES: usize = 40;

    /// The identity in bytes.
    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.device.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.inode.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[24..].copy_from_slice(&self.modified_ns.to_le_bytes());
        bytes
    }

    /// What [`FileId::to_bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let modified = u128::from(number(24)) | u128::from(number(32)) << 64;
        Self { device: number(0), inode: number(8), bytes: number(16), modified_ns: modified as i128 }
    }

    /// Whether the file was not changed a moment ago: then a further change would change its time, which
    /// some file systems keep to two seconds.
    pub(super) fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as i128);
        now - self.modified_ns > SETTLED_AFTER_NS
    }

    #[cfg(test)]
    pub(super) fn for_tests(number: u64) -> Self {
        Self { device: 7, inode: number, bytes: 1000 + number, modified_ns: -i128::from(number) }
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        let modified_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { device: metadata.dev(), inode: metadata.ino(), bytes: metadata.size(), modified_ns }
    }
}

impl Footer {
    /// The footer of the file at `path`, from the cache when the file is the same as then.
    pub fn open(path: &Path) -> Result<(FileId, Arc<Footer>)> {
        let id = FileId::of(path)?;
        if let Some(footer) = Self::cached(&id) {
            return Ok((id, footer));
        }
        let (id, footer, _) = Self::read_file(path)?;
        Ok((id, footer))
    }

    /// The footer of a file that this process has read before.
    pub(super) fn cached(id: &FileId) -> Option<Arc<Footer>> {
        cache().get(id)
    }

    /// Reads the footer of the file at `path`, whatever is known of it; also returns its bytes.
    pub(super) fn read_file(path: &Path) -> Result<(FileId, Arc<Footer>, Bytes)> {
        let file = with_retries(|| File::open(path)).map_err(|error| Error::io("open", path, error))?;
        let metadata = file.metadata().map_err(|error| Error::io("open", path, error))?;
        let id = FileId::from_metadata(&metadata);
        let source = LocalFile::new(path, file, id.bytes);
        let read = || {
            let bytes = footer_bytes(&source)?;
            Ok((Self::from_bytes(id, &bytes)?, bytes))
        };
        let (footer, bytes) = read().map_err(|error: Error| error.in_file(path))?;
        Ok((id, footer, bytes))
    }

    /// The footer that `bytes` are of the file `id`; keeps it in memory.
    pub(super) fn from_bytes(id: FileId, bytes: &[u8]) -> Result<Arc<Footer>> {
        let footer = Arc::new(Self::decode(id.bytes, bytes)?);
        cache().insert(id, footer.clone());
        Ok(footer)
    }

    /// Bytes it takes in memory now, roughly: page indexes are read when first asked for.
    pub(super) fn memory_size(&self) -> usize {
        let indexes = self.indexes.iter().filter_map(|cell| cell.get()?.as_ref());
        self.metadata.memory_size() + indexes.map(|index| index.memory_size()).sum::<usize>()
    }

    fn decode(file_bytes: u64, bytes: &[u8]) -> Result<Self> {
        let (metadata, schema) = match FileSchema::known(bytes) {
            Some(schema) => {
                let options = ParquetMetaDataOptions::new().with_schema(schema.descriptor.clone());
                let metadata = ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options));
                (metadata.map_err(damaged)?, schema)
            }
            None => {
                let metadata = ParquetMetaDataReader::decode_metadata(bytes).map_err(damaged)?;
                let schema = FileSchema::new(bytes, metadata.file_metadata().schema_descr_ptr())?;
                (metadata, schema)
            }
        };
        for row_group in metadata.row_groups() {
            check_row_group(row_group, file_bytes)?;
        }
        let hybrid = calendar::is_hybrid(metadata.file_metadata());
        let columns = &schema.columns;
        if hybrid {
            columns
                .iter()
                .filter(|column| calendar::is_dated(column))
                .try_for_each(|column| calendar::check_statistics(&metadata, column))?;
        }
        let groups = metadata.num_row_groups();
        Ok(Self {
            file_bytes,
            zones: columns.iter().map(|_| OnceLock::new()).collect(),
            summaries: columns.iter().map(|_| OnceLock::new()).collect(),
            distinct: columns.iter().map(|_| OnceLock::new()).collect(),
            indexes: (0..groups).map(|_| OnceLock::new()).collect(),
            schema,
            hybrid,
            metadata: Arc::new(without_notes(metadata)),
        })
    }

    /// The columns, in the file's order.
    pub fn columns(&self) -> &[FileColumn] {
        &self.schema.columns
    }

    /// Length of the file.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Number of row groups.
    pub fn row_groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// Rows of a row group.
    pub fn rows(&self, row_group: usize) -> usize {
        usize::try_from(self.metadata.row_group(row_group).num_rows()).unwrap_or(0)
    }

    /// Rows of the file.
    pub fn total_rows(&self) -> usize {
        (0..self.row_groups()).map(|row_group| self.rows(row_group)).sum()
    }

    /// Bytes of a column in a row group, compressed and uncompressed: what reading and decoding cost.
    pub fn column_bytes(&self, row_group: usize, column: usize) -> (u64, u64) {
        let Some(column) = self.columns().get(column) else { return (0, 0) };
        let descriptor = self.metadata.file_metadata().schema_descr();
        let row_group = self.metadata.row_group(row_group);
        let leaves = (0..row_group.num_columns()).filter(|leaf| descriptor.get_column_root_idx(*leaf) == column.root);
        leaves.fold((0, 0), |(compressed, plain), leaf| {
            let chunk = row_group.column(leaf);
            let size = u64::try_from(chunk.uncompressed_size()).unwrap_or(0);
            (compressed + chunk.compressed_size().max(0) as u64, plain + size)
        })
    }

    /// What the footer says a row group is sorted by, major first; nobody checked it. Columns inside
    /// of nested ones end the list.
    pub fn sorting(&self, row_group: usize) -> Vec<Sorting> {
        let claimed = self.metadata.row_group(row_group).sorting_columns().map(Vec::as_slice).unwrap_or_default();
        let known = claimed.iter().map_while(|sorted| {
            let leaf = usize::try_from(sorted.column_idx).ok()?;
            let column = self.columns().iter().position(|column| column.leaf == Some(leaf))?;
            Some(Sorting { column, descending: sorted.descending, nulls_first: sorted.nulls_first })
        });
        known.collect()
    }

    /// Whether the row group has places and bounds of its pages.
    pub fn has_page_index(&self, row_group: usize) -> bool {
        let chunks = self.metadata.row_group(row_group).columns();
        chunks.iter().any(|chunk| chunk.offset_index_offset().is_some() && chunk.column_index_offset().is_some())
    }

    /// Whether some column of the row group has a Bloom filter.
    pub fn has_bloom_filter(&self, row_group: usize) -> bool {
        self.metadata.row_group(row_group).columns().iter().any(|chunk| chunk.bloom_filter_offset().is_some())
    }

    /// Bounds of a column in every row group.
    pub fn zones(&self, column: usize) -> &Zones {
        self.zones[column].get_or_init(|| Zones::of_row_groups(self, &self.columns()[column]))
    }

    /// What the footer tells of a column's values.
    pub fn summary(&self, column: usize) -> &ColumnSummary {
        self.summaries[column].get_or_init(|| ColumnSummary::new(self, column))
    }

    /// Distinct values of a column, estimated from the dictionaries of some row groups; none where
    /// they do not tell. Reads a few bytes of the file the first time.
    pub fn distinct(&self, path: &Path, column: usize) -> Option<f64> {
        *self.distinct[column].get_or_init(|| super::zones::distinct(self, path, column))
    }

    /// Bounds of a flat column in every page of a row group, where the file has them.
    pub fn page_zones(&self, path: &Path, row_group: usize, column: usize) -> Result<Option<PageZones>> {
        let Some(index) = self.page_index(path, row_group)? else { return Ok(None) };
        Ok(index.zones(&self.columns()[column], self.metadata.file_metadata(), self.rows(row_group)))
    }

    pub(super) fn row_group(&self, row_group: usize) -> &RowGroupMetaData {
        self.metadata.row_group(row_group)
    }

    /// The page index of a row group; none when the file has none or a damaged one.
    pub(super) fn page_index(&self, path: &Path, row_group: usize) -> Result<Option<Arc<PageIndex>>> {
        let Some(cell) = self.indexes.get(row_group) else { return Ok(None) };
        if let Some(index) = cell.get() {
            return Ok(index.clone());
        }
        let index = PageIndex::read(self, path, row_group)?.map(Arc::new);
        Ok(cell.get_or_init(|| index).clone())
    }

    /// The first row of every page of the column with the fewest rows a page, where known: where a
    /// row group may be split without reading pages twice.
    pub fn page_starts(&self, path: &Path, row_group: usize, columns: &[usize]) -> Result<Vec<usize>> {
        let Some(index) = self.page_index(path, row_group)? else { return Ok(Vec::new()) };
        let leaves = columns.iter().filter_map(|column| self.columns()[*column].leaf);
        let largest = leaves.filter_map(|leaf| index.locations(leaf)).max_by_key(|locations| locations.len());
        Ok(largest.map(|pages| pages.iter().map(|page| page.first_row_index as usize).collect()).unwrap_or_default())
    }
}

/// The metadata without what writers note for their own readers, such as an Arrow schema: it is not
/// looked at again, and in small files it is the largest part.
fn without_notes(metadata: ParquetMetaData) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_string),
        None,
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let row_groups = metadata.into_builder().take_row_groups();
    ParquetMetaDataBuilder::new(file).set_row_groups(row_groups).build()
}

/// What the crate is asked to read a column as: views where it would copy.
pub(super) fn reader_field(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        other => other.clone(),
    };
    field.clone().with_data_type(data_type)
}

/// The bytes of the footer, whose length is checked against the file's before it is used. Tells a
/// file that is no Parquet from one that was cut off.
fn footer_bytes(source: &dyn ByteSource) -> Result<Bytes> {
    let one = |range: Range<u64>| {
        let read = source.read_ranges(&[range])?.into_iter().next();
        read.ok_or_else(|| Error::internal("a source without an answer"))
    };
    let file_bytes = source.len();
    let not_parquet = || Error::data("not a Parquet file");
    if file_bytes < 4 {
        return Err(not_parquet());
    }
    let tail = one(file_bytes.saturating_sub(TAIL_BYTES)..file_bytes)?;
    let (before, magic) = tail.split_at(tail.len() - 4);
    if magic == b"PARE" {
        return Err(Error::unsupported("an encrypted Parquet file"));
    }
    if magic != b"PAR1" || file_bytes < 4 + END_BYTES {
        return Err(match &one(0..4)?[..] {
            b"PAR1" => Error::data("the Parquet file is truncated: its footer is missing"),
            b"PARE" => Error::unsupported("an encrypted Parquet file"),
            _ => not_parquet(),
        });
    }
    let length = before.last_chunk::<4>().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
    if length > file_bytes - END_BYTES - 4 {
        return Err(Error::data(format!("the footer is damaged: {length} bytes long in a file of {file_bytes}")));
    }
    let range = file_bytes - END_BYTES - length..file_bytes - END_BYTES;
    match usize::try_from(length + END_BYTES).ok().and_then(|length| tail.len().checked_sub(length)) {
        Some(start) => Ok(tail.slice(start..tail.len() - END_BYTES as usize)),
        None => one(range),
    }
}

/// Checks what later steps rely on: counts and places are not negative and lie inside of the file.
fn check_row_group(row_group: &RowGroupMetaData, file_bytes: u64) -> Result<()> {
    if row_group.num_rows() < 0 {
        return Err(Error::data("the footer is damaged: a negative number of rows"));
    }
    for chunk in row_group.columns() {
        let located = |message: &str| Error::data(message.to_string()).in_column(chunk.column_path().string());
        if chunk.file_path().is_some_and(|path| !path.is_empty()) {
            return Err(Error::unsupported("a column chunk in another file").in_column(chunk.column_path().string()));
        }
        let offsets = [chunk.data_page_offset(), chunk.dictionary_page_offset().unwrap_or(0), chunk.compressed_size()];
        if offsets.iter().any(|offset| *offset < 0) {
            return Err(located("the footer is damaged: a negative place or size"));
        }
        if chunk_range(chunk).end > file_bytes {
            return Err(located("the Parquet file is truncated: a column chunk ends beyond it"));
        }
        if chunk.column_descr().max_rep_level() == 0 && chunk.num_values() != row_group.num_rows() {
            return Err(located("the footer is damaged: a column's values are not as many as the rows"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::parquet::testing;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};

    #[test]
    fn the_length_of_a_footer_is_checked_before_it_is_believed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("n.parquet");
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        testing::write(&path, &[RecordBatch::try_from_iter(vec![("n", column)]).unwrap()], 10);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(Footer::open(&path).unwrap().1.total_rows(), 3);
        let place = bytes.len() - END_BYTES as usize;
        for length in [u32::MAX, bytes.len() as u32, 0, 1] {
            let mut damaged = bytes.clone();
            damaged[place..place + 4].copy_from_slice(&length.to_le_bytes());
            // A file of its own: the cache knows files by their identity.
            let path = directory.path().join(format!("{length}.parquet"));
            std::fs::write(&path, damaged).unwrap();
            let error = Footer::open(&path).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Data, "{error}");
            assert_eq!(error.place().file.as_deref(), Some(path.as_path()));
        }
        // A footer that is longer than what is read at first.
        let names: Vec<String> = (0..1500).map(|number| format!("a column with a rather long name {number}")).collect();
        let columns = names.iter().map(|name| (name, Arc::new(Int64Array::from(vec![1])) as ArrayRef));
        let path = directory.path().join("wide.parquet");
        testing::write(&path, &[RecordBatch::try_from_iter(columns).unwrap()], 10);
        assert!(std::fs::metadata(&path).unwrap().size() > 2 * TAIL_BYTES);
        assert_eq!(Footer::open(&path).unwrap().1.columns().len(), 1500);
    }
}
