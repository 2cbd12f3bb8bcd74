//! Avro's object files, by the crate `arrow-avro`: blocks between sync markers are read in parallel.
//!
//! ```text
//!   header ─ block ─ sync ─ block ─ sync ─ block ─ sync        a split: from one marker's end to another's
//! ```
//!
//! A marker is 16 random bytes that the header tells; the first one behind the place where a split is cut
//! is the split's edge, so that every block belongs to one split.

use super::batches::{BatchSplit, columns, damaged, guarded, projection};
use super::options::FormatOptions;
use super::reader::{DataFile, FileColumn, FileColumns, Format, FormatReader, ReadRequest, Split, SplitReader};
use super::retry::with_retries;
use super::style::OutputStyle;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use arrow_avro::reader::{ReaderBuilder, read_header_info};
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Rows of a batch. Guessed: as many as a chunk has.
const BATCH_ROWS: usize = 8192;
/// Splits have at least so many bytes. Guessed: decoding them takes some milliseconds.
const SPLIT_BYTES_MIN: u64 = 1 << 20;
/// Bytes looked through for a marker at a time.
const SEARCH_BYTES: usize = 256 << 10;

/// Avro.
#[derive(Debug)]
pub struct Avro;

#[derive(Debug)]
struct AvroReader;

impl Format for Avro {
    fn names(&self) -> &'static [&'static str] {
        &["avro", "avrofile"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["avro"]
    }

    fn magic(&self) -> &'static [u8] {
        b"Obj\x01"
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        for name in ["avroschema", "avro.schema.literal", "avro.schema.url"] {
            if options.take(&[name]).is_some() {
                let error = Error::unsupported(format!("the option {name} of the format avro"));
                return Err(error.with_hint("columns of the table are found in files by name"));
            }
        }
        Ok(Arc::new(AvroReader))
    }

    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        self.reader(options).map(|_| OutputStyle::Avro)
    }
}

/// The bytes of the header, and the marker between blocks.
fn header(file: &DataFile) -> Result<(Vec<u8>, [u8; 16])> {
    let wrong = |error: &dyn std::fmt::Display| Error::data(format!("not an Avro file: {error}"));
    let opened = file.file()?;
    let info = read_header_info(BufReader::new(&opened)).map_err(|error| wrong(&error))?;
    let length = usize::try_from(info.header_len()).ok().filter(|length| *length as u64 <= file.bytes());
    let length = length.ok_or_else(|| wrong(&"its header is too long"))?;
    let mut bytes = vec![0; length];
    opened.read_exact_at(&mut bytes, 0).map_err(|error| Error::io("read", &file.path, error))?;
    Ok((bytes, info.sync()))
}

/// The end of the first marker that ends at `from` or behind it; the end of the file without one.
fn edge(file: &DataFile, opened: &File, marker: &[u8; 16], header_bytes: u64, from: u64) -> Result<u64> {
    if from <= header_bytes {
        return Ok(header_bytes);
    }
    let finder = memchr::memmem::Finder::new(marker);
    let mut buffer = vec![0; SEARCH_BYTES];
    let mut at = from - 16;
    while at < file.bytes() {
        let more = with_retries(|| opened.read_at(&mut buffer, at)).map_err(|error| Error::io("read", &file.path, error))?;
        if let Some(found) = finder.find(&buffer[..more]) {
            return Ok(at + found as u64 + 16);
        }
        if more <= 16 {
            break;
        }
        at += more as u64 - 15;
    }
    Ok(file.bytes())
}

/// The header, then the blocks of a split.
struct Blocks {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let room = out.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let more = with_retries(|| self.file.read_at(&mut out[..room], self.at))?;
        self.at += more as u64;
        Ok(more)
    }
}

impl FormatReader for AvroReader {
    fn name(&self) -> &'static str {
        "avro"
    }

    fn columns(&self, file: &DataFile, declared: Option<&[FileColumn]>) -> Result<FileColumns> {
        let read = || {
            let (header, _) = header(file)?;
            let reader = ReaderBuilder::new().build(Cursor::new(header)).map_err(damaged)?;
            // Guessed: what a value takes.
            let mut columns = columns(&reader.schema())?;
            for column in &mut columns {
                let wanted =
                    declared.and_then(|declared| declared.iter().find(|own| own.name.eq_ignore_ascii_case(&column.name)));
                // Avro has no smaller integers; what does not fit is an error when it is read.
                if let Some(wanted) = wanted.filter(|wanted| matches!(wanted.data_type, DataType::Int8 | DataType::Int16))
                    && column.data_type == DataType::Int32
                {
                    column.data_type = wanted.data_type.clone();
                }
            }
            let rows = Some(file.bytes() as f64 / (columns.len() as f64 * 6.0).max(1.0));
            Ok(FileColumns { columns, rows, ..FileColumns::default() })
        };
        guarded(read).map_err(|error| error.in_file(&*file.path))
    }

    fn splits(&self, file: &DataFile, _columns: &FileColumns, bytes_wanted: u64) -> Result<Vec<Split>> {
        let parts = (file.bytes() / bytes_wanted.max(SPLIT_BYTES_MIN)).max(1);
        let cut = |part: u64| if part == parts { file.bytes() } else { file.bytes() / parts * part };
        Ok((0..parts).map(|part| Split { start: cut(part), end: cut(part + 1) }).collect())
    }

    fn open(&self, request: ReadRequest) -> Result<Box<dyn SplitReader>> {
        let path = request.file.path.clone();
        let read = || {
            let file = &request.file;
            let (header, marker) = header(file)?;
            let opened = file.file()?;
            let start = edge(file, &opened, &marker, header.len() as u64, request.split.start)?;
            let end = edge(file, &opened, &marker, header.len() as u64, request.split.end)?;
            if end == file.bytes() && end > header.len() as u64 {
                let mut last = [0; 16];
                opened.read_exact_at(&mut last, end - 16).map_err(|error| Error::io("read", &file.path, error))?;
                if last != marker {
                    return Err(Error::data("the file is cut off: its last block has no end"));
                }
            }
            let places = projection(&request);
            // Not asked for views of strings: the crate (59.3) makes empty strings of NULLs then.
            let mut builder = ReaderBuilder::new().with_batch_size(BATCH_ROWS);
            // Without any column the rows are still to be counted.
            builder = builder.with_projection(if places.is_empty() { vec![0] } else { places });
            let bytes = BufReader::new(Cursor::new(header).chain(Blocks { file: opened, at: start, end: end.max(start) }));
            let reader = builder.build(bytes).map_err(damaged)?;
            let batches = Box::new(reader.map(|batch| batch.map_err(damaged)));
            Ok(Box::new(BatchSplit::new(request, batches)) as Box<dyn SplitReader>)
        };
        guarded(read).map_err(|error| error.in_file(&*path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::{column_texts, read_all};
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use arrow_avro::writer::AvroWriter;

    fn write(path: &std::path::Path, rows: i64) {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..rows).map(|n| (n % 7 != 0).then_some(n))));
        let texts: ArrayRef =
            Arc::new(StringArray::from_iter((0..rows).map(|n| (n % 5 != 3).then(|| format!("text number {n}")))));
        let batch = RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("text", texts, true)]).unwrap();
        let schema = batch.schema().as_ref().clone();
        let mut writer = AvroWriter::new(File::create(path).unwrap(), schema).unwrap();
        for start in (0..rows as usize).step_by(1000) {
            writer.write(&batch.slice(start, 1000.min(rows as usize - start))).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn blocks_are_read_once_wherever_the_file_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.avro");
        write(&path, 5_500);
        let file = DataFile::open(path).unwrap();
        let columns = Arc::new(AvroReader.columns(&file, None).unwrap());
        let whole = read_all(&AvroReader, &file, None, &["text", "n"], 400).unwrap();
        assert_eq!(column_texts(&whole, 0).last().unwrap(), "text number 5499");
        assert_eq!(column_texts(&whole, 1)[7..9], ["NULL", "8"]);
        assert_eq!(column_texts(&whole, 0)[7..9], ["text number 7", "NULL"]);
        for cut in (0..file.bytes()).step_by(6_007) {
            let mut rows = 0;
            for split in [Split { start: 0, end: cut }, Split { start: cut, end: file.bytes() }] {
                let request = ReadRequest { file: file.clone(), columns: columns.clone(), split, wanted: Vec::new() };
                let mut reader = AvroReader.open(request).unwrap();
                while let Some(more) = reader.next(1_000).unwrap() {
                    rows += more.rows;
                }
            }
            assert_eq!(rows, 5_500, "{cut}");
        }
    }

    #[test]
    fn damage_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.avro");
        write(&path, 2_000);
        let bytes = std::fs::read(&path).unwrap();
        for end in [0, 3, 20, bytes.len() / 2] {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let file = DataFile::open(path.clone()).unwrap();
            let error = read_all(&AvroReader, &file, None, &["n"], 100).unwrap_err();
            assert!(error.place().file.is_some(), "{error}");
        }
    }
}
