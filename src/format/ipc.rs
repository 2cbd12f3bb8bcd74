//! Arrow IPC: files, whose batches are read in parallel, and streams.

use super::batches::{BatchSplit, Batches, columns, damaged, guarded, projection};
use super::options::FormatOptions;
use super::reader::{DataFile, FileColumn, FileColumns, Format, FormatReader, ReadRequest, Split, SplitReader};
use super::retry::Patient;
use super::style::OutputStyle;
use crate::error::Result;
use arrow::ipc::reader::{FileReader, StreamReader};
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

const MAGIC: &[u8] = b"ARROW1";

/// Arrow's files.
#[derive(Debug)]
pub struct ArrowIpc;

#[derive(Debug)]
struct IpcReader;

impl Format for ArrowIpc {
    fn names(&self) -> &'static [&'static str] {
        &["arrow", "ipc", "feather"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["arrow", "arrows", "feather", "ipc"]
    }

    fn magic(&self) -> &'static [u8] {
        MAGIC
    }

    fn reader(&self, _options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        Ok(Arc::new(IpcReader))
    }

    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        self.reader(options).map(|_| OutputStyle::Arrow)
    }
}

/// The file, and whether it is a stream.
fn open(file: &DataFile) -> Result<(BufReader<Patient>, bool)> {
    let mut bytes = BufReader::new(Patient(file.file()?));
    let mut start = [0; MAGIC.len()];
    let is_file = bytes.read_exact(&mut start).is_ok() && start == MAGIC;
    bytes.rewind().map_err(|error| crate::error::Error::io("read", &file.path, error))?;
    Ok((bytes, !is_file))
}

impl FormatReader for IpcReader {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn columns(&self, file: &DataFile, _declared: Option<&[FileColumn]>) -> Result<FileColumns> {
        let read = || {
            let (bytes, is_stream) = open(file)?;
            let schema = match is_stream {
                true => StreamReader::try_new(bytes, None).map_err(damaged)?.schema(),
                false => FileReader::try_new(bytes, None).map_err(damaged)?.schema(),
            };
            Ok(FileColumns { columns: columns(&schema)?, ..FileColumns::default() })
        };
        guarded(read).map_err(|error| error.in_file(&*file.path))
    }

    fn splits(&self, file: &DataFile, _columns: &FileColumns, _bytes_wanted: u64) -> Result<Vec<Split>> {
        let read = || {
            let (bytes, is_stream) = open(file)?;
            if is_stream {
                return Ok(vec![Split { start: 0, end: 1 }]);
            }
            let batches = FileReader::try_new(bytes, None).map_err(damaged)?.num_batches() as u64;
            Ok((0..batches).map(|batch| Split { start: batch, end: batch + 1 }).collect())
        };
        guarded(read).map_err(|error| error.in_file(&*file.path))
    }

    fn open(&self, request: ReadRequest) -> Result<Box<dyn SplitReader>> {
        let places = projection(&request);
        let path = request.file.path.clone();
        let read = || {
            let (bytes, is_stream) = open(&request.file)?;
            let batches: Batches = if is_stream {
                let reader = StreamReader::try_new(bytes, Some(places)).map_err(damaged)?;
                Box::new(reader.map(|batch| batch.map_err(damaged)))
            } else {
                let mut reader = FileReader::try_new(bytes, Some(places)).map_err(damaged)?;
                let first = usize::try_from(request.split.start).unwrap_or(usize::MAX);
                reader.set_index(first).map_err(damaged)?;
                let count = usize::try_from(request.split.end - request.split.start).unwrap_or(usize::MAX);
                Box::new(reader.take(count).map(|batch| batch.map_err(damaged)))
            };
            Ok(Box::new(BatchSplit::new(request, batches)) as Box<dyn SplitReader>)
        };
        guarded(read).map_err(|error| error.in_file(&*path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::{column_texts, read_all};
    use arrow::array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array};
    use arrow::datatypes::{DataType, Int32Type};
    use arrow::ipc::writer::{FileWriter, StreamWriter};

    fn batch(from: i32) -> RecordBatch {
        let words: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
        RecordBatch::try_from_iter([
            ("n", Arc::new(Int32Array::from(vec![Some(from), None, Some(from + 2)])) as ArrayRef),
            ("s", Arc::new(StringArray::from(vec!["x", "y", "z"]))),
            ("d", Arc::new(words)),
            ("u", Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1]))),
            ("t", Arc::new(TimestampNanosecondArray::from(vec![1_500, 0, 2_000_000_000]))),
        ])
        .unwrap()
    }

    #[test]
    fn files_and_streams() {
        let directory = tempfile::tempdir().unwrap();
        for is_stream in [false, true] {
            let path = directory.path().join(format!("{is_stream}.arrow"));
            let file = std::fs::File::create(&path).unwrap();
            if is_stream {
                let mut writer = StreamWriter::try_new(file, &batch(0).schema()).unwrap();
                [0, 10].iter().for_each(|from| writer.write(&batch(*from)).unwrap());
                writer.finish().unwrap();
            } else {
                let mut writer = FileWriter::try_new(file, &batch(0).schema()).unwrap();
                [0, 10].iter().for_each(|from| writer.write(&batch(*from)).unwrap());
                writer.finish().unwrap();
            }
            let file = DataFile::open(path).unwrap();
            let found = IpcReader.columns(&file, None).unwrap();
            assert_eq!(found.columns[3].data_type, DataType::Decimal128(20, 0));
            assert_eq!(IpcReader.splits(&file, &found, 1).unwrap().len(), if is_stream { 1 } else { 2 });
            let rows = read_all(&IpcReader, &file, None, &["u", "n", "d"], 2).unwrap();
            assert_eq!(column_texts(&rows, 1), ["0", "NULL", "2", "10", "NULL", "12"]);
            assert_eq!(column_texts(&rows, 2)[..3], ["a", "NULL", "a"]);
            assert_eq!(column_texts(&rows, 0)[0], "18446744073709551615");
        }
    }

    #[test]
    fn damage_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.arrow");
        let mut bytes = Vec::new();
        let mut writer = FileWriter::try_new(&mut bytes, &batch(0).schema()).unwrap();
        writer.write(&batch(0)).unwrap();
        writer.finish().unwrap();
        drop(writer);
        for end in [0, 3, 20, bytes.len() / 2, bytes.len() - 3] {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let error = IpcReader.columns(&DataFile::open(path.clone()).unwrap(), None).unwrap_err();
            assert!(error.place().file.is_some(), "{error}");
        }
    }
}
