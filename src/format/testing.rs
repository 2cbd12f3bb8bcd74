//! Reads whole files in unit tests.

use super::reader::{DataFile, FileColumn, FormatReader, ReadRequest, Rows, WantedColumn};
use crate::error::Result;
use arrow::util::display::array_value_to_string;
use std::sync::Arc;

/// All rows of the columns of these names, in small pieces.
pub(crate) fn read_all(
    reader: &dyn FormatReader,
    file: &DataFile,
    declared: Option<&[FileColumn]>,
    names: &[&str],
    rows_max: usize,
) -> Result<Vec<Rows>> {
    let columns = Arc::new(reader.columns(file, declared)?);
    let wanted: Vec<WantedColumn> = names
        .iter()
        .map(|name| {
            let at = columns.columns.iter().position(|column| column.name == *name).expect("the file has the column");
            WantedColumn { at, data_type: columns.columns[at].data_type.clone() }
        })
        .collect();
    let mut rows = Vec::new();
    for split in reader.splits(file, &columns, 1)? {
        let request = ReadRequest { file: file.clone(), columns: columns.clone(), split, wanted: wanted.clone() };
        let mut reader = reader.open(request)?;
        while let Some(more) = reader.next(rows_max)? {
            assert!(more.rows <= rows_max);
            rows.push(more);
        }
    }
    Ok(rows)
}

/// The values of one of their columns.
pub(crate) fn column_texts(rows: &[Rows], column: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for piece in rows {
        let array = piece.columns[column].flat().expect("a column can be flat");
        assert_eq!(array.len(), piece.rows);
        let text = |row| {
            if array.is_null(row) { "NULL".to_owned() } else { array_value_to_string(&array, row).expect("a value can be shown") }
        };
        texts.extend((0..piece.rows).map(text));
    }
    texts
}
