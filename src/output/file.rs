//! One task's way from rows to files: encode, append, go on to the next file, sync.

use super::arrangement::{Arrangement, OutputBuckets};
use super::encode::{Block, Encoder, Encoding, FormatFile, encoding};
use super::grouping::Place;
use super::options::OutputOptions;
use super::sink::WrittenFile;
use crate::column::Chunk;
use crate::disk::{Disk, NewFile, SYNCS_FILESYSTEMS};
use crate::error::{Error, Result};
use crate::layout::bucket::Names;
use arrow::datatypes::Schema;
use parking_lot::Mutex;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    encoding: Arc<dyn Encoding>,
    buckets: Option<OutputBuckets>,
    parts: AtomicUsize,
    closed: AtomicUsize,
    /// The one file that all tasks append to, for outputs of one file.
    shared: Option<(PathBuf, Mutex<Option<OpenFile>>)>,
    written: Mutex<Vec<WrittenFile>>,
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
        Ok(Self {
            disk: disk.clone(),
            directory,
            id: id.to_owned(),
            extension: options.extension()?,
            file_bytes: options.file_bytes.unwrap_or(u64::MAX),
            encoding: encoding(schema, arrangement, options)?,
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
        let content = self.encoding.begin(Box::new(file.clone())).map_err(|error| error.in_file(&path))?;
        Ok(OpenFile { name, path, file, content, rows: 0 })
    }

    fn close(&self, file: OpenFile) -> Result<()> {
        let OpenFile { name, path, file, content, rows } = file;
        content.finish().map_err(|error| error.in_file(&path))?;
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
}

/// A file being written.
struct OpenFile {
    name: PathBuf,
    path: PathBuf,
    file: CheckedFile,
    content: Box<dyn FormatFile>,
    rows: u64,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenFile {{ name: {:?}, rows: {} }}", self.name, self.rows)
    }
}

impl OpenFile {
    fn append(&mut self, block: Block) -> Result<()> {
        self.rows += block.rows() as u64;
        self.content.append(block).map_err(|error| error.in_file(&self.path))
    }

    /// Bytes so far, but for what the format's writer still holds.
    fn bytes(&self) -> u64 {
        self.file.0.lock().bytes
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

/// Writes the rows of one task for one place.
pub(super) struct PartWriter {
    files: Arc<Files>,
    place: Place,
    part: usize,
    number: usize,
    encoder: Box<dyn Encoder>,
    open: Option<OpenFile>,
}

impl PartWriter {
    /// Writes to `place`, whose directory is made with its first file; `part` numbers the writer, see
    /// [`Files::part`].
    pub(super) fn new(files: &Arc<Files>, place: Place, part: usize) -> Result<Self> {
        Ok(Self { encoder: files.encoding.encoder()?, files: files.clone(), place, part, number: 0, open: None })
    }

    /// Adds rows of the files' schema.
    pub(super) fn push(&mut self, chunk: &Chunk) -> Result<()> {
        let Self { files, place, part, number, encoder, open } = self;
        encoder.push(chunk, &mut |block| append(files, open, place, *part, number, block))
    }

    /// Bytes of memory held, about.
    pub(super) fn memory_bytes(&self) -> usize {
        self.encoder.memory_bytes()
    }

    /// Brings what is held to the file: in Parquet, ends the row group.
    pub(super) fn flush(&mut self) -> Result<()> {
        match self.encoder.finish()? {
            Some(block) => append(&self.files, &mut self.open, &self.place, self.part, &mut self.number, block),
            None => Ok(()),
        }
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
