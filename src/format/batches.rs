//! Formats whose readers give Arrow batches: their types as SQL types, their arrays as columns.

use super::reader::{FileColumn, ReadRequest, Rows, SplitReader};
use crate::column::{Column, array_bytes, to_storage_type};
use crate::error::{Error, ErrorKind, Result};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use std::sync::Arc;

/// The batches of a split.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The SQL type for values of an Arrow type.
///
/// # Errors
/// Types that SQL has none for.
pub(super) fn sql_type(data_type: &DataType) -> Result<DataType> {
    let field = |field: &Field| Ok::<_, Error>(Arc::new(field.clone().with_data_type(sql_type(field.data_type())?)));
    Ok(match data_type {
        DataType::Boolean | DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => data_type.clone(),
        DataType::Float32 | DataType::Float64 | DataType::Date32 => data_type.clone(),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if *precision <= 38 && *scale >= 0 =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Dictionary(_, values) => sql_type(values)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => DataType::List(field(item)?),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|inner| field(inner)).collect::<Result<Vec<_>>>()?.into()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries)?, *sorted),
        other => return Err(Error::unsupported(format!("a column of the Arrow type {other}"))),
    })
}

/// The columns of a schema.
pub(super) fn columns(schema: &Schema) -> Result<Vec<FileColumn>> {
    let column = |field: &Arc<Field>| {
        let data_type = sql_type(field.data_type()).map_err(|error| error.in_column(field.name()))?;
        Ok(FileColumn { name: field.name().clone(), data_type })
    };
    schema.fields().iter().map(column).collect()
}

/// What a borrowed reader of a damaged file says.
pub(super) fn damaged(error: ArrowError) -> Error {
    match Error::from(error) {
        error if matches!(error.kind(), ErrorKind::Memory | ErrorKind::Unsupported | ErrorKind::Io) => error,
        error => Error::data(format!("the file is damaged: {}", error.message())),
    }
}

/// What `work` gives; a panic in a borrowed reader is damage of the file that it read.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    caught.unwrap_or_else(|_| Err(Error::data("the file is damaged: its reader gave up")))
}

/// Rows of batches.
pub(super) struct BatchSplit {
    request: ReadRequest,
    batches: Batches,
    /// Columns of the batch at hand, and where it goes on.
    columns: Vec<ArrayRef>,
    rows: usize,
    at: usize,
    /// Number of the batch, for errors.
    number: usize,
}

impl BatchSplit {
    /// Rows of `batches`, each of which has the columns of `request` in their order or others as well.
    pub(super) fn new(request: ReadRequest, batches: Batches) -> Self {
        Self { request, batches, columns: Vec::new(), rows: 0, at: 0, number: 0 }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        self.columns.clear();
        for wanted in &self.request.wanted {
            let name = &self.request.columns.columns[wanted.at].name;
            let array = batch.column_by_name(name).ok_or_else(|| Error::internal(format!("no column {name} in the batch")))?;
            self.columns.push(bring(array, &wanted.data_type).map_err(|error| error.in_column(name))?);
        }
        self.rows = batch.num_rows();
        self.at = 0;
        Ok(())
    }
}

/// An array of a SQL type in its storage type.
fn bring(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return to_storage_type(array);
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    to_storage_type(&cast_with_options(array, data_type, &strict)?)
}

impl SplitReader for BatchSplit {
    fn next(&mut self, rows_max: usize) -> Result<Option<Rows>> {
        while self.at == self.rows {
            let Some(batch) = guarded(|| self.batches.next().transpose()).map_err(|error| self.locate(error))? else {
                return Ok(None);
            };
            self.take(&batch).map_err(|error| self.locate(error))?;
            self.number += 1;
        }
        let rows = rows_max.max(1).min(self.rows - self.at);
        let columns = self.columns.iter().map(|column| Column::Flat(column.slice(self.at, rows))).collect();
        self.at += rows;
        Ok(Some(Rows { columns, rows }))
    }

    fn memory_bytes(&self) -> usize {
        // The reader of batches has about as much of its own.
        2 * self.columns.iter().map(array_bytes).sum::<usize>()
    }
}

impl BatchSplit {
    fn locate(&self, error: Error) -> Error {
        let split = self.request.split;
        let place = format!("{} (batch {} from {} on)", error.message(), self.number, split.start);
        let located = Error::new(error.kind(), place).in_file(&*self.request.file.path);
        error.place().column.iter().fold(located, |located, column| located.in_column(column.clone()))
    }
}

/// The positions in the file of the columns that are wanted, in the file's order, each once.
pub(super) fn projection(request: &ReadRequest) -> Vec<usize> {
    let mut places: Vec<usize> = request.wanted.iter().map(|wanted| wanted.at).collect();
    places.sort_unstable();
    places.dedup();
    places
}
