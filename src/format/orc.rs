//! ORC, by the crate `orc-rust`: stripes are read in parallel, columns that nobody wants are not read.
//!
//! `TIMESTAMP` is a point in time, as Spark has it; a table that declares `TIMESTAMP_NTZ` gets the
//! reading of the clock. Old files of Hive call their columns `_col0`, `_col1`: they are taken by place.

use super::batches::{BatchSplit, columns, damaged, guarded, projection};
use super::options::FormatOptions;
use super::reader::{DataFile, FileColumn, FileColumns, Format, FormatReader, ReadRequest, Split, SplitReader};
use super::retry::with_retries;
use crate::error::{Error, Result};
use ::bytes::Bytes;
use arrow::datatypes::DataType;
use orc_rust::ArrowReaderBuilder;
use orc_rust::projection::ProjectionMask;
use orc_rust::reader::ChunkReader;
use orc_rust::schema::TimestampPrecision;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Rows of a batch. Guessed: as many as a chunk has.
const BATCH_ROWS: usize = 8192;

/// ORC.
#[derive(Debug)]
pub struct Orc;

#[derive(Debug)]
struct OrcReader;

/// A file whose length bounds what is asked of it.
struct OrcFile {
    file: Arc<File>,
    bytes: u64,
}

/// A place in it.
struct OrcBytes {
    file: Arc<File>,
    at: u64,
}

impl Read for OrcBytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let more = self.file.read_at(out, self.at)?;
        self.at += more as u64;
        Ok(more)
    }
}

impl ChunkReader for OrcFile {
    type T = OrcBytes;

    fn len(&self) -> u64 {
        self.bytes
    }

    fn get_read(&self, offset_from_start: u64) -> io::Result<Self::T> {
        Ok(OrcBytes { file: self.file.clone(), at: offset_from_start })
    }

    fn get_bytes(&self, offset_from_start: u64, length: u64) -> io::Result<Bytes> {
        let end = offset_from_start.checked_add(length).filter(|end| *end <= self.bytes);
        let length = end.and_then(|_| usize::try_from(length).ok());
        let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "a range beyond the file"))?;
        let mut bytes = vec![0; length];
        with_retries(|| self.file.read_exact_at(&mut bytes, offset_from_start))?;
        Ok(bytes.into())
    }
}

impl Format for Orc {
    fn names(&self) -> &'static [&'static str] {
        &["orc", "orcfile"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["orc"]
    }

    fn magic(&self) -> &'static [u8] {
        b"ORC"
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        // How files are written.
        let _ = options.take(&[
            "orc.compress",
            "orc.compress.size",
            "orc.stripe.size",
            "orc.create.index",
            "orc.bloom.filter.columns",
        ]);
        Ok(Arc::new(OrcReader))
    }
}

fn open(file: &DataFile) -> Result<ArrowReaderBuilder<OrcFile>> {
    if file.bytes() < 4 {
        return Err(Error::data("not an ORC file: it is too short"));
    }
    let opened = OrcFile { file: Arc::new(file.file()?), bytes: file.bytes() };
    let builder = ArrowReaderBuilder::try_new(opened).map_err(|error| Error::data(format!("the file is damaged: {error}")))?;
    Ok(builder.with_batch_size(BATCH_ROWS).with_timestamp_precision(TimestampPrecision::Microsecond))
}

impl FormatReader for OrcReader {
    fn name(&self) -> &'static str {
        "orc"
    }

    fn columns(&self, file: &DataFile, declared: Option<&[FileColumn]>) -> Result<FileColumns> {
        if file.bytes() == 0 {
            // Hive leaves such.
            return Ok(FileColumns::default());
        }
        let read = || {
            let builder = open(file)?;
            let rows = Some(builder.file_metadata().number_of_rows() as f64);
            let mut columns = columns(&builder.schema())?;
            for column in &mut columns {
                if let DataType::Timestamp(unit, None) = &column.data_type {
                    column.data_type = DataType::Timestamp(*unit, Some("UTC".into()));
                }
            }
            Ok(FileColumns { columns, rows, ..FileColumns::default() })
        };
        let mut found = guarded(read).map_err(|error| error.in_file(&*file.path))?;
        if let Some(declared) = declared {
            for column in &mut found.columns {
                let same = declared.iter().find(|declared| declared.name.eq_ignore_ascii_case(&column.name));
                if let (Some(declared), DataType::Timestamp(..)) = (same, &column.data_type)
                    && matches!(declared.data_type, DataType::Timestamp(..))
                {
                    column.data_type = declared.data_type.clone();
                }
            }
        }
        Ok(found)
    }

    fn splits(&self, file: &DataFile, _columns: &FileColumns, bytes_wanted: u64) -> Result<Vec<Split>> {
        if file.bytes() == 0 {
            return Ok(Vec::new());
        }
        let read = || {
            let builder = open(file)?;
            let mut splits: Vec<Split> = Vec::new();
            for stripe in builder.file_metadata().stripe_metadatas() {
                let start = stripe.offset();
                let end = start + stripe.index_length() + stripe.data_length() + stripe.footer_length();
                match splits.last_mut() {
                    // Small ones together.
                    Some(last) if last.end <= start && end - last.start <= bytes_wanted => last.end = end,
                    _ => splits.push(Split { start, end }),
                }
            }
            Ok(splits)
        };
        guarded(read).map_err(|error| error.in_file(&*file.path))
    }

    fn by_place(&self, columns: &FileColumns) -> bool {
        let numbered = |name: &str| name.strip_prefix("_col").is_some_and(|number| number.parse::<u32>().is_ok());
        !columns.columns.is_empty() && columns.columns.iter().all(|column| numbered(&column.name))
    }

    fn open(&self, request: ReadRequest) -> Result<Box<dyn SplitReader>> {
        let path = request.file.path.clone();
        let read = || {
            let builder = open(&request.file)?;
            let roots = builder.file_metadata().root_data_type();
            let names: Vec<&str> = projection(&request).into_iter().map(|at| request.columns.columns[at].name.as_str()).collect();
            let mask = ProjectionMask::named_roots(roots, &names);
            let range = |place: u64| usize::try_from(place).map_err(|_| Error::unsupported("an ORC file of this size"));
            let range = range(request.split.start)?..range(request.split.end)?;
            if request.wanted.is_empty() {
                // Rows are counted without reading them.
                let stripes = builder.file_metadata().stripe_metadatas().iter();
                let own = stripes.filter(|stripe| range.contains(&(stripe.offset() as usize)));
                let rows: Vec<u64> = own.map(|stripe| stripe.number_of_rows()).collect();
                return Ok(Box::new(super::counted::Counted::new(rows.into_iter().sum())) as Box<dyn SplitReader>);
            }
            let reader = builder.with_projection(mask).with_file_byte_range(range).build();
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
    use orc_rust::ArrowWriterBuilder;

    fn write(path: &std::path::Path, rows: i64) {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..rows).map(|n| (n % 7 != 0).then_some(n))));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|n| format!("t{n}"))));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("Text", texts)]).unwrap();
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriterBuilder::new(file, batch.schema()).with_stripe_byte_size(20_000).try_build().unwrap();
        for start in (0..rows as usize).step_by(1000) {
            writer.write(&batch.slice(start, 1000.min(rows as usize - start))).unwrap();
        }
        writer.close().unwrap();
    }

    #[test]
    fn stripes_are_read_apart_and_columns_by_need() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.orc");
        write(&path, 10_000);
        let file = DataFile::open(path).unwrap();
        let found = OrcReader.columns(&file, None).unwrap();
        assert_eq!(found.rows, Some(10_000.0));
        assert!(OrcReader.splits(&file, &found, 1).unwrap().len() > 2);
        let rows = read_all(&OrcReader, &file, None, &["Text", "n"], 333).unwrap();
        let (texts, numbers) = (column_texts(&rows, 0), column_texts(&rows, 1));
        assert_eq!(texts.len(), 10_000);
        assert!((0..10_000).all(|n| texts[n] == format!("t{n}")));
        assert!((0..10_000).all(|n| numbers[n] == if n % 7 == 0 { "NULL".to_owned() } else { n.to_string() }));
        let counted = read_all(&OrcReader, &file, None, &[], 333).unwrap();
        assert_eq!(counted.iter().map(|rows| rows.rows).sum::<usize>(), 10_000);
    }

    #[test]
    fn damage_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.orc");
        write(&path, 100);
        let bytes = std::fs::read(&path).unwrap();
        for end in [3, 10, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let file = DataFile::open(path.clone()).unwrap();
            let error = read_all(&OrcReader, &file, None, &["n"], 100).unwrap_err();
            assert!(error.place().file.is_some(), "{error}");
        }
    }
}
