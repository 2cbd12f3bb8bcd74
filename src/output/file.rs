//! One task's way from rows to files: encode, append, go on to the next file, sync.

use super::arrangement::{Arrangement, OutputBuckets};
use super::grouping::Place;
use super::options::{FileFormat, OutputOptions};
use super::sink::WrittenFile;
use super::text::TextEncoding;
use crate::column::Chunk;
use crate::disk::{Disk, NewFile, SYNCS_FILESYSTEMS};
use crate::error::{Error, Result};
use crate::format::parquet::{EncodedRowGroup, Encoding, FileWriter, RowGroupEncoder, WriteOptions};
use crate::layout::bucket::Names;
use arrow::datatypes::{Schema, SchemaRef};
use parking_lot::Mutex;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of text gathered before they go to the file. Guessed: blocks this large compress as well
/// as whole files do.
const TEXT_BLOCK_BYTES: usize = 1 << 20;

/// Files of an output that are synced one by one; with more, the file system is synced once, which
/// also writes what others have on it. Guessed: 5,000 files and directories took 28 s one by one.
const SYNCED_MAX: usize = 64;

/// What all files of one output share.
#[derive(Debug)]
pub(super) struct Files {
    disk: Disk,
    directory: PathBuf,
    id: String,
    extension: String,
    file_bytes: u64,
    form: Form,
    buckets: Option<OutputBuckets>,
    parts: AtomicUsize,
    closed: AtomicUsize,
    /// The one file that all tasks append to, for outputs of one file.
    shared: Option<(PathBuf, Mutex<Option<OpenFile>>)>,
    written: Mutex<Vec<WrittenFile>>,
}

#[derive(Debug)]
enum Form {
    Parquet { encoding: Arc<Encoding>, schema: SchemaRef },
    Text(TextEncoding),
}

impl Files {
    /// Files for rows of `schema` in `directory`; with `single`, one of that name. The order that
    /// `arrangement` asks for, its columns being those of `schema`, is said in the files.
    pub(super) fn new(
        disk: &Disk,
        directory: PathBuf,
        id: &str,
        schema: &Schema,
        arrangement: &Arrangement,
        options: &OutputOptions,
        single: Option<PathBuf>,
    ) -> Result<Self> {
        let form = match options.format {
            FileFormat::Parquet => {
                let sorted_by = arrangement.sorted_by.iter().map(|order| (order.column, order.descending, !order.descending));
                let own =
                    WriteOptions { compression: options.compression, sorted_by: sorted_by.collect(), ..options.parquet.clone() };
                Form::Parquet { encoding: Encoding::new(schema, own)?, schema: Arc::new(schema.clone()) }
            }
            FileFormat::Csv | FileFormat::Json => Form::Text(TextEncoding::new(schema, options)?),
        };
        Ok(Self {
            disk: disk.clone(),
            directory,
            id: id.to_owned(),
            extension: options.extension()?,
            file_bytes: options.file_bytes.unwrap_or(u64::MAX),
            form,
            buckets: arrangement.buckets.clone(),
            parts: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            shared: single.map(|name| (name, Mutex::default())),
            written: Mutex::default(),
        })
    }

    /// A number that no other writer's files have.
    pub(super) fn part(&self) -> usize {
        self.parts.fetch_add(1, Ordering::Relaxed)
    }

    /// The files that are complete, by name.
    pub(super) fn written(&self) -> Vec<WrittenFile> {
        let mut written = self.written.lock().clone();
        written.sort_by(|a, b| a.path.cmp(&b.path));
        written
    }

    /// Ends the shared file. With `needed`, a file is made if there is none.
    pub(super) fn end(&self, needed: bool) -> Result<()> {
        if let Some((name, open)) = &self.shared {
            let mut open = open.lock();
            let file = match open.take() {
                Some(file) => file,
                None => self.open(name.clone())?,
            };
            return self.close(file);
        }
        if needed && self.written.lock().is_empty() {
            let place = Place { directory: PathBuf::new(), bucket: self.buckets.as_ref().map(|_| 0) };
            let name = self.name(&place, self.part(), 0);
            return self.close(self.open(name)?);
        }
        Ok(())
    }

    /// As Spark calls files: a dash or, in directories and with buckets, a dot before the number.
    fn name(&self, place: &Place, part: usize, number: usize) -> PathBuf {
        let (id, extension) = (&self.id, &self.extension);
        let name = match (place.bucket.zip(self.buckets.as_ref()), place.directory.as_os_str().is_empty()) {
            (Some((bucket, buckets)), _) => match buckets.names() {
                Names::Spark => format!("part-{part:05}-{id}_{bucket:05}.c{number:03}{extension}"),
                // As Spark does for Hive, which reads the number before the first underscore.
                Names::Hive => format!("{bucket:05}_0_part-{part:05}-{id}.c{number:03}{extension}"),
            },
            (None, true) => format!("part-{part:05}-{id}-c{number:03}{extension}"),
            (None, false) => format!("part-{part:05}-{id}.c{number:03}{extension}"),
        };
        place.directory.join(name)
    }

    fn open(&self, name: PathBuf) -> Result<OpenFile> {
        let path = self.directory.join(&name);
        let file = CheckedFile(Arc::new(Mutex::new(Checked {
            file: self.disk.create(&path)?,
            crc: crc32fast::Hasher::new(),
            bytes: 0,
        })));
        let parquet = match &self.form {
            Form::Parquet { encoding, .. } => Some(FileWriter::new(encoding, file.clone()).map_err(|e| e.in_file(&path))?),
            Form::Text(_) => None,
        };
        let mut open = OpenFile { name, path, file, parquet, rows: 0 };
        if let Form::Text(text) = &self.form {
            let head = text.head();
            if !head.is_empty() {
                open.append(Block::Text(text.compress(&head)?, 0))?;
            }
        }
        Ok(open)
    }

    fn close(&self, file: OpenFile) -> Result<()> {
        let OpenFile { name, path, file, parquet, rows } = file;
        if let Some(parquet) = parquet {
            parquet.finish().map_err(|error| error.in_file(&path))?;
        }
        let mut checked = file.0.lock();
        // A sync a file would be most of the time of an output of thousands of files.
        let synced = !SYNCS_FILESYSTEMS || self.closed.fetch_add(1, Ordering::Relaxed) < SYNCED_MAX;
        let flushed = checked.file.flush();
        let done = if synced { flushed.and_then(|()| checked.file.sync()) } else { flushed };
        done.map_err(|error| Error::io("write", &path, error))?;
        let written = WrittenFile { path: name, bytes: checked.bytes, crc32: checked.crc.clone().finalize(), rows, synced };
        self.written.lock().push(written);
        Ok(())
    }

    fn encoder(&self) -> Result<Encoder> {
        Ok(match &self.form {
            Form::Parquet { encoding, .. } => Encoder::Parquet(RowGroupEncoder::new(encoding)?),
            Form::Text(_) => Encoder::Text { block: Vec::new(), rows: 0 },
        })
    }
}

/// A file being written.
#[derive(Debug)]
struct OpenFile {
    name: PathBuf,
    path: PathBuf,
    file: CheckedFile,
    parquet: Option<FileWriter<CheckedFile>>,
    rows: u64,
}

/// Encoded rows.
enum Block {
    RowGroup(EncodedRowGroup),
    Text(Vec<u8>, usize),
}

impl OpenFile {
    fn append(&mut self, block: Block) -> Result<()> {
        match (block, &mut self.parquet) {
            (Block::RowGroup(group), Some(parquet)) => {
                self.rows += group.rows() as u64;
                parquet.append(group).map_err(|error| error.in_file(&self.path))
            }
            (Block::Text(bytes, rows), None) => {
                self.rows += rows as u64;
                self.file.0.lock().write_all(&bytes).map_err(|error| Error::io("write", &self.path, error))
            }
            _ => Err(Error::internal("a block of another format than its file")),
        }
    }

    fn bytes(&self) -> u64 {
        self.parquet.as_ref().map_or_else(|| self.file.0.lock().bytes, |parquet| parquet.bytes() as u64)
    }
}

/// A file that counts and sums up what is written. Cloning shares it.
#[derive(Clone)]
struct CheckedFile(Arc<Mutex<Checked>>);

struct Checked {
    file: Box<dyn NewFile>,
    crc: crc32fast::Hasher,
    bytes: u64,
}

impl std::fmt::Debug for CheckedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CheckedFile {{ bytes: {} }}", self.0.lock().bytes)
    }
}

impl Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.crc.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Write for CheckedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().flush()
    }
}

enum Encoder {
    Parquet(RowGroupEncoder),
    Text { block: Vec<u8>, rows: usize },
}

/// Writes the rows of one task for one place.
pub(super) struct PartWriter {
    files: Arc<Files>,
    place: Place,
    part: usize,
    number: usize,
    encoder: Encoder,
    open: Option<OpenFile>,
}

impl PartWriter {
    /// Writes to `place`, whose directory is made with its first file; `part` numbers the writer, see
    /// [`Files::part`].
    pub(super) fn new(files: &Arc<Files>, place: Place, part: usize) -> Result<Self> {
        Ok(Self { encoder: files.encoder()?, files: files.clone(), place, part, number: 0, open: None })
    }

    /// Adds rows of the files' schema.
    pub(super) fn push(&mut self, chunk: &Chunk) -> Result<()> {
        let files = self.files.clone();
        match (&mut self.encoder, &files.form) {
            (Encoder::Parquet(encoder), Form::Parquet { schema, .. }) => {
                let columns = chunk.stored(schema)?;
                let mut at = 0;
                while at < chunk.rows() {
                    if encoder.room() == 0 {
                        let group = encoder.finish()?;
                        append(&files, &mut self.open, &self.place, self.part, &mut self.number, Block::RowGroup(group))?;
                        continue;
                    }
                    let rows = encoder.room().min(chunk.rows() - at);
                    if rows == chunk.rows() {
                        encoder.push(&columns, rows)?;
                    } else {
                        let slices: Vec<_> = columns.iter().map(|column| column.slice(at, rows)).collect();
                        encoder.push(&slices, rows)?;
                    }
                    at += rows;
                }
                Ok(())
            }
            (Encoder::Text { block, rows }, Form::Text(text)) => {
                text.rows(chunk, block)?;
                *rows += chunk.rows();
                if block.len() >= TEXT_BLOCK_BYTES { self.flush() } else { Ok(()) }
            }
            _ => Err(Error::internal("an encoder of another format than its output")),
        }
    }

    /// Bytes of memory held, about.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.encoder {
            Encoder::Parquet(encoder) => encoder.memory_bytes(),
            Encoder::Text { block, .. } => block.capacity(),
        }
    }

    /// Brings what is held to the file: in Parquet, ends the row group.
    pub(super) fn flush(&mut self) -> Result<()> {
        let files = self.files.clone();
        let block = match (&mut self.encoder, &files.form) {
            (Encoder::Parquet(encoder), _) if encoder.rows() > 0 => Block::RowGroup(encoder.finish()?),
            (Encoder::Text { block, rows }, Form::Text(text)) if *rows > 0 => {
                let bytes = text.compress(block)?;
                *block = Vec::new();
                Block::Text(bytes, std::mem::take(rows))
            }
            _ => return Ok(()),
        };
        append(&files, &mut self.open, &self.place, self.part, &mut self.number, block)
    }

    /// Ends the writer's last file.
    pub(super) fn close(mut self) -> Result<()> {
        self.flush()?;
        self.open.take().map_or(Ok(()), |file| self.files.close(file))
    }
}

/// Appends to the shared file or to the writer's own, which is opened when there is none and closed
/// when it is long enough.
fn append(
    files: &Files,
    open: &mut Option<OpenFile>,
    place: &Place,
    part: usize,
    number: &mut usize,
    block: Block,
) -> Result<()> {
    if let Some((name, shared)) = &files.shared {
        let mut shared = shared.lock();
        if shared.is_none() {
            *shared = Some(files.open(name.clone())?);
        }
        return shared.as_mut().map_or(Ok(()), |file| file.append(block));
    }
    if open.is_none() {
        files.disk.make_path(&files.directory.join(&place.directory))?;
        *open = Some(files.open(files.name(place, part, *number))?);
        *number += 1;
    }
    let Some(file) = open else { return Ok(()) };
    file.append(block)?;
    if file.bytes() >= files.file_bytes
        && let Some(file) = open.take()
    {
        files.close(file)?;
    }
    Ok(())
}
