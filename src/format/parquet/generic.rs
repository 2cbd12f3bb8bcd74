//! Parquet behind the face that all formats have, for tables whose partitions have several formats.
//! Tables of Parquet alone are read by a scan that knows more of it.

use super::{ColumnCursor, Footer, RowGroup};
use crate::column::{Column, to_storage_type};
use crate::error::{Error, Result};
use crate::format::FormatOptions;
use crate::format::reader::{
    DataFile, FileColumn, FileColumns, Format, FormatReader, ReadRequest, Rows, Split, SplitReader, WantedColumn,
};
use crate::format::style::OutputStyle;
use arrow::array::ArrayRef;
use arrow::compute::{CastOptions, cast_with_options};
use std::path::Path;
use std::sync::Arc;

/// What a column has in memory while it is read, about: a page of the usual size.
const PAGE_BYTES: usize = 1 << 20;

/// Parquet.
#[derive(Debug)]
pub struct ParquetFormat;

#[derive(Debug)]
struct ParquetReader;

impl Format for ParquetFormat {
    fn names(&self) -> &'static [&'static str] {
        &["parquet", "parquetfile"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["parquet", "parq", "pq"]
    }

    fn magic(&self) -> &'static [u8] {
        b"PAR1"
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        // How files are written, and what is so in any case.
        let _ = options.take(&["parquet.compression", "parquet.compress", "mergeschema"]);
        Ok(Arc::new(ParquetReader))
    }

    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        self.reader(options).map(|_| OutputStyle::Parquet)
    }
}

impl FormatReader for ParquetReader {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn columns(&self, file: &DataFile, _declared: Option<&[FileColumn]>) -> Result<FileColumns> {
        let (_, footer) = Footer::open(&file.path)?;
        let column = |column: &super::FileColumn| FileColumn { name: column.name.clone(), data_type: column.data_type.clone() };
        let columns = footer.columns().iter().map(column).collect();
        Ok(FileColumns { columns, rows: Some(footer.total_rows() as f64), ..FileColumns::default() })
    }

    fn splits(&self, file: &DataFile, _columns: &FileColumns, _bytes_wanted: u64) -> Result<Vec<Split>> {
        let (_, footer) = Footer::open(&file.path)?;
        Ok((0..footer.row_groups() as u64).map(|group| Split { start: group, end: group + 1 }).collect())
    }

    fn open(&self, request: ReadRequest) -> Result<Box<dyn SplitReader>> {
        let (id, footer) = Footer::open(&request.file.path)?;
        if id != request.file.id {
            request.file.check_unchanged()?;
        }
        let group = usize::try_from(request.split.start).map_err(|_| Error::internal("a row group of this number"))?;
        let rows = footer.rows(group);
        let mut opened = RowGroup::open(&request.file.path, &footer, group, 0..rows, false)?;
        let places: Vec<usize> = request.wanted.iter().map(|wanted| wanted.at).collect();
        let (cursors, _) = opened.open_columns(&places)?;
        Ok(Box::new(GroupSplit { path: request.file.path, wanted: request.wanted, cursors, left: rows }))
    }
}

/// A place in a row group.
struct GroupSplit {
    path: Arc<Path>,
    wanted: Vec<WantedColumn>,
    cursors: Vec<ColumnCursor>,
    left: usize,
}

impl SplitReader for GroupSplit {
    fn next(&mut self, rows_max: usize) -> Result<Option<Rows>> {
        let rows = self.left.min(rows_max.max(1));
        if rows == 0 {
            return Ok(None);
        }
        self.left -= rows;
        let mut columns = Vec::with_capacity(self.cursors.len());
        for (cursor, wanted) in self.cursors.iter_mut().zip(&self.wanted) {
            let column = cursor.read(rows)?;
            columns.push(bring(column, wanted).map_err(|error| error.in_file(&*self.path))?);
        }
        Ok(Some(Rows { columns, rows }))
    }

    fn memory_bytes(&self) -> usize {
        self.cursors.len() * PAGE_BYTES
    }
}

/// A column in the table's type.
fn bring(column: Column, wanted: &WantedColumn) -> Result<Column> {
    let stored = crate::column::storage_type(&wanted.data_type);
    if *column.data_type() == stored {
        return Ok(column);
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let wide: ArrayRef = cast_with_options(&column.flat()?, &wanted.data_type, &strict)?;
    Ok(Column::Flat(to_storage_type(&wide)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::parquet::testing;
    use crate::format::testing::{column_texts, read_all};
    use arrow::array::{Int32Array, RecordBatch, StringArray};

    #[test]
    fn row_groups_are_splits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.parquet");
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter((0..100).map(|n| (n % 3 > 0).then_some(n))));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..100).map(|n| format!("t{}", n % 5))));
        let batch = RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, true)]).unwrap();
        testing::write(&path, &[batch.slice(0, 40), batch.slice(40, 40), batch.slice(80, 20)], 40);
        let file = DataFile::open(path).unwrap();
        let rows = read_all(&ParquetReader, &file, None, &["t", "n"], 7).unwrap();
        let (texts, numbers) = (column_texts(&rows, 0), column_texts(&rows, 1));
        assert!((0..100).all(|n| texts[n] == format!("t{}", n % 5)));
        assert!((0..100).all(|n| numbers[n] == if n % 3 == 0 { "NULL".to_owned() } else { n.to_string() }));
        assert_eq!(ParquetReader.splits(&file, &FileColumns::default(), 1).unwrap().len(), 3);
    }
}
