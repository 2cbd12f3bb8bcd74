//! Spill files: rows that did not fit the memory budget, as checked LZ4 blocks.
//!
//! ```text
//!   file:  block block ...        block:  length u32 | crc32 u32 | Arrow IPC stream (LZ4), one batch
//! ```
//!
//! The directory is private to the query, made when first needed and removed with its last file. Runs
//! of a few KiB are no file at all: making one costs more than writing and reading such a run, and
//! their number is bounded by that of the partitions.

use crate::error::{Error, Result};
use arrow::array::{ArrayRef, AsArray, GenericByteViewArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{ByteViewType, DataType, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::ipc::{CompressionType, MetadataVersion};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes gathered before a write. Small because a partitioned operator has many files open and
/// blocks larger than this bypass it. Guessed.
const WRITE_BUFFER_BYTES: usize = 64 << 10;

/// Runs of at most this many bytes stay in memory: less than the buffer of a file being read. Measured:
/// making, opening and removing a file takes as long as compressing about 100 KiB.
const MEMORY_BYTES_MAX: usize = 8 << 10;

/// Where a query's spill files go.
#[derive(Debug)]
pub struct SpillDirectory {
    parent: PathBuf,
    made: Mutex<Option<Arc<tempfile::TempDir>>>,
    written: AtomicU64,
    limit: u64,
}

impl SpillDirectory {
    /// Files go below `parent`, at most `limit` bytes of them.
    pub fn new(parent: impl Into<PathBuf>, limit: u64) -> Arc<Self> {
        Arc::new(Self { parent: parent.into(), made: Mutex::default(), written: AtomicU64::new(0), limit })
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// A new empty file for rows whose columns have the types of `schema` (storage types).
    pub fn create(self: &Arc<Self>, schema: &Schema) -> Result<SpillWriter> {
        let schema = Arc::new(schema.clone());
        Ok(SpillWriter { out: None, small: Vec::new(), schema, rows: 0, bytes: 0, owner: self.clone() })
    }

    /// A file on disk.
    fn open(&self) -> Result<(File, Stored)> {
        let directory = {
            let mut made = self.made.lock();
            match &*made {
                Some(directory) => directory.clone(),
                None => {
                    let fresh = tempfile::Builder::new().prefix("skep-spill-").tempdir_in(&self.parent);
                    let fresh = Arc::new(fresh.map_err(|e| Error::io("make a spill directory in", &self.parent, e))?);
                    made.insert(fresh).clone()
                }
            }
        };
        let named = tempfile::Builder::new().prefix("run-").tempfile_in(directory.path());
        let (file, path) = named.map_err(|e| Error::io("create a spill file in", directory.path(), e))?.into_parts();
        Ok((file, Stored::File { path, _directory: directory }))
    }
}

/// A spill file being written.
pub struct SpillWriter {
    /// None while all fits `small`.
    out: Option<(BufWriter<File>, Stored)>,
    small: Vec<u8>,
    schema: SchemaRef,
    rows: u64,
    bytes: u64,
    owner: Arc<SpillDirectory>,
}

/// Where a run's bytes are.
#[derive(Debug)]
enum Stored {
    Memory(Arc<[u8]>),
    File { path: tempfile::TempPath, _directory: Arc<tempfile::TempDir> },
}

impl Stored {
    /// For errors.
    fn path(&self) -> &Path {
        match self {
            Self::Memory(_) => Path::new("(memory)"),
            Self::File { path, .. } => path,
        }
    }
}

impl SpillWriter {
    /// Appends `rows` rows as one block. Returns the bytes written.
    pub fn write(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<usize> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = columns.into_iter().map(compact_views).collect();
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let mut block = vec![0; 8];
        let lz4 =
            IpcWriteOptions::try_new(8, false, MetadataVersion::V5)?.try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let mut writer = StreamWriter::try_new_with_options(&mut block, &self.schema, lz4)?;
        writer.write(&batch)?;
        writer.finish()?;
        drop(writer);
        let body = &block[8..];
        let length = u32::try_from(body.len()).map_err(|_| Error::internal("a spill block of over 4 GiB"))?;
        let crc = crc32fast::hash(body);
        block[..4].copy_from_slice(&length.to_le_bytes());
        block[4..8].copy_from_slice(&crc.to_le_bytes());
        let total = self.owner.written.fetch_add(block.len() as u64, Ordering::Relaxed) + block.len() as u64;
        if total > self.owner.limit {
            return Err(Error::memory(format!("the query's spill files would exceed {} MiB", self.owner.limit >> 20))
                .with_hint("raise skep.spill.limit or skep.memory.limit"));
        }
        self.append(&block)?;
        self.rows += rows as u64;
        self.bytes += block.len() as u64;
        Ok(block.len())
    }

    fn append(&mut self, block: &[u8]) -> Result<()> {
        if self.out.is_none() {
            if self.small.len() + block.len() <= MEMORY_BYTES_MAX {
                self.small.extend_from_slice(block);
                return Ok(());
            }
            let (file, stored) = self.owner.open()?;
            self.out = Some((BufWriter::with_capacity(WRITE_BUFFER_BYTES, file), stored));
        }
        let Some((out, stored)) = &mut self.out else { return Ok(()) };
        let before = std::mem::take(&mut self.small);
        let written = out.write_all(&before).and_then(|()| out.write_all(block));
        written.map_err(|e| Error::io("write to spill file", stored.path(), e))
    }

    /// Ends the file.
    pub fn finish(self) -> Result<SpillRun> {
        let Self { out, small, rows, bytes, .. } = self;
        let stored = match out {
            None => Stored::Memory(small.into()),
            Some((mut out, stored)) => {
                out.flush().map_err(|e| Error::io("write to spill file", stored.path(), e))?;
                stored
            }
        };
        Ok(SpillRun { stored, rows, bytes })
    }
}

/// A complete spill file; removed on drop.
#[derive(Debug)]
pub struct SpillRun {
    stored: Stored,
    rows: u64,
    bytes: u64,
}

impl SpillRun {
    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the file from its start. The run must outlive the reader's use or the reader keeps
    /// the open file itself; several readers may exist.
    pub fn read(&self) -> Result<SpillReader> {
        let path = self.stored.path();
        let input = match &self.stored {
            Stored::Memory(bytes) => Input::Memory(Cursor::new(bytes.clone())),
            Stored::File { path, .. } => {
                let path: &Path = path;
                let file = File::open(path).map_err(|e| Error::io("open spill file", path, e))?;
                Input::File(BufReader::with_capacity(1 << 18, file))
            }
        };
        Ok(SpillReader { input, path: path.to_owned(), block: Vec::new(), rows_left: self.rows })
    }
}

/// What a run is read from.
enum Input {
    Memory(Cursor<Arc<[u8]>>),
    File(BufReader<File>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Memory(bytes) => bytes.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

/// Reads a spill file block by block.
pub struct SpillReader {
    input: Input,
    path: PathBuf,
    block: Vec<u8>,
    rows_left: u64,
}

impl SpillReader {
    /// The next block, or none at the end.
    #[expect(clippy::should_implement_trait, reason = "an error can be the answer, and the reader is of no use after it")]
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut head = [0; 8];
        match self.input.read_exact(&mut head[..1]) {
            Ok(()) => {}
            // The file may end between two blocks only after the last of the rows written.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && self.rows_left == 0 => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        }
        self.input.read_exact(&mut head[1..]).map_err(|e| self.failed(e))?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let crc = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        self.block.clear();
        let read = (&mut self.input).take(length as u64).read_to_end(&mut self.block);
        read.map_err(|e| Error::io("read spill file", &self.path, e))?;
        if self.block.len() != length || crc32fast::hash(&self.block) != crc {
            return Err(self.damaged());
        }
        let mut reader = StreamReader::try_new(self.block.as_slice(), None)?;
        let batch = reader.next().ok_or_else(|| self.damaged())??;
        self.rows_left = self.rows_left.checked_sub(batch.num_rows() as u64).ok_or_else(|| self.damaged())?;
        Ok(Some(batch))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.damaged(),
            _ => Error::io("read spill file", &self.path, error),
        }
    }

    fn damaged(&self) -> Error {
        Error::data("a spill file was damaged after it was written").in_file(&self.path)
    }
}

/// Copies a view array whose buffers hold much that it does not use: a few rows taken from a large
/// chunk keep the whole of it in memory, and Arrow IPC would write all of it, each time.
pub fn compact_views(array: ArrayRef) -> ArrayRef {
    fn compact<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Option<ArrayRef> {
        let held: usize = array.data_buffers().iter().map(|buffer| buffer.len()).sum();
        (held > array.total_buffer_bytes_used() * 5 / 4).then(|| Arc::new(array.gc()) as ArrayRef)
    }
    let compacted = match array.data_type() {
        DataType::Utf8View => compact(array.as_string_view()),
        DataType::BinaryView => compact(array.as_binary_view()),
        _ => None,
    };
    compacted.unwrap_or(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, Int64Array, StringViewArray};
    use arrow::datatypes::Field;

    fn schema() -> Schema {
        Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("s", DataType::Utf8View, true)])
    }

    fn columns(from: i64, rows: i64) -> Vec<ArrayRef> {
        let text = (from..from + rows).map(|n| (n % 5 != 0).then(|| format!("a string that is not inlined {n}")));
        vec![Arc::new(Int64Array::from_iter_values(from..from + rows)), Arc::new(StringViewArray::from_iter(text))]
    }

    fn written(directory: &Arc<SpillDirectory>) -> SpillRun {
        let mut writer = directory.create(&schema()).unwrap();
        for block in 0..3 {
            writer.write(columns(block * 1000, 1000), 1000).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(run: &SpillRun) -> Result<Vec<RecordBatch>> {
        let mut reader = run.read()?;
        std::iter::from_fn(|| reader.next().transpose()).collect()
    }

    #[test]
    fn rows_come_back_and_the_directory_goes() {
        let parent = tempfile::tempdir().unwrap();
        let directory = SpillDirectory::new(parent.path(), u64::MAX);
        let run = written(&directory);
        assert_eq!((run.rows(), run.bytes()), (3000, directory.written()));
        for _ in 0..2 {
            let batches = read(&run).unwrap();
            assert_eq!(batches.len(), 3);
            assert_eq!(batches[1].columns(), columns(1000, 1000));
        }
        drop(directory);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
        drop(run);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_run_of_few_bytes_is_no_file() {
        let parent = tempfile::tempdir().unwrap();
        let directory = SpillDirectory::new(parent.path(), u64::MAX);
        let mut writer = directory.create(&schema()).unwrap();
        let mut rows = 0;
        while (writer.bytes as usize) < MEMORY_BYTES_MAX / 2 {
            assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
            writer.write(columns(rows, 10), 10).unwrap();
            rows += 10;
        }
        let small = writer.finish().unwrap();
        assert_eq!(read(&small).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), rows as usize);
        // One that grows moves to disk with all it had.
        let mut writer = directory.create(&schema()).unwrap();
        for block in 0..40 {
            writer.write(columns(block * 50, 50), 50).unwrap();
        }
        let large = writer.finish().unwrap();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
        let batches = read(&large).unwrap();
        assert!(
            batches.len() == 40 && batches.iter().enumerate().all(|(at, batch)| batch.columns() == columns(at as i64 * 50, 50))
        );
    }

    #[test]
    fn any_damage_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let directory = SpillDirectory::new(parent.path(), u64::MAX);
        let run = written(&directory);
        let path = run.stored.path().to_owned();
        let good = std::fs::read(&path).unwrap();
        let first = u32::from_le_bytes([good[0], good[1], good[2], good[3]]) as usize + 8;
        let check = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            let error = read(&run).map(|_| ()).expect_err(what);
            assert_eq!(error.kind(), crate::ErrorKind::Data, "{what}: {error}");
        };
        for at in (0..good.len()).step_by(397) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            check(&bad, &format!("a bit flipped in byte {at}"));
        }
        for length in [0, 1, 5, 8, 100, first, first + 3, good.len() - 1] {
            check(&good[..length], &format!("cut to {length} bytes"));
        }
        check(&[good.as_slice(), &good[..first]].concat(), "a block too many");
        std::fs::write(&path, &good).unwrap();
        assert_eq!(read(&run).unwrap().len(), 3);
    }

    #[test]
    fn the_limit_holds() {
        let parent = tempfile::tempdir().unwrap();
        let directory = SpillDirectory::new(parent.path(), 2000);
        let mut writer = directory.create(&schema()).unwrap();
        let error = (0..100).find_map(|_| writer.write(columns(0, 100), 100).err()).unwrap();
        assert_eq!(error.kind(), crate::ErrorKind::Memory);
    }

    #[test]
    fn strings_that_no_row_uses_are_not_written() {
        let parent = tempfile::tempdir().unwrap();
        let directory = SpillDirectory::new(parent.path(), u64::MAX);
        let mut writer = directory.create(&schema()).unwrap();
        let few = columns(0, 100_000).iter().map(|column| column.slice(50_000, 10)).collect::<Vec<_>>();
        let bytes = writer.write(few.clone(), 10).unwrap();
        assert!(bytes < 4000, "{bytes} bytes");
        assert_eq!(read(&writer.finish().unwrap()).unwrap()[0].columns(), few);
    }
}
