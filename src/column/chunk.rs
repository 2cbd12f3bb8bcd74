//! A batch of rows between operators.

use super::{Column, Selection, storage_type, to_plan_type, to_storage_type};
use crate::error::Result;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use std::sync::Arc;

/// Where a chunk stands in an ordered stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Order {
    /// The unit of work it comes from, numbered in the source's order.
    pub morsel: u64,
    /// Its place among the chunks of that morsel.
    pub sequence: u64,
}

/// Rows as columns of equal length. Cloning shares the data.
#[derive(Debug, Clone)]
pub struct Chunk {
    columns: Vec<Column>,
    rows: usize,
    /// Where it stands in an ordered stream; kept by row-wise operators, meaningless elsewhere.
    pub order: Order,
}

impl Chunk {
    /// A chunk of `rows` rows; every column must have that length. There may be no column.
    pub fn new(columns: Vec<Column>, rows: usize) -> Self {
        debug_assert!(columns.iter().all(|column| column.len() == rows), "columns of {rows} rows");
        Self { columns, rows, order: Order::default() }
    }

    /// A chunk of flat arrays, which must be in their storage types.
    pub fn from_arrays(arrays: Vec<ArrayRef>, rows: usize) -> Self {
        Self::new(arrays.into_iter().map(Column::Flat).collect(), rows)
    }

    /// A chunk of a batch that comes from outside: values are brought to their storage types.
    pub fn from_batch(batch: &RecordBatch) -> Result<Self> {
        let arrays = batch.columns().iter().map(to_storage_type).collect::<Result<_>>()?;
        Ok(Self::from_arrays(arrays, batch.num_rows()))
    }

    /// The batch as the outside sees it: exactly the types of `schema`.
    pub fn to_batch(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = self.columns.iter().zip(schema.fields());
        let arrays = columns.map(|(column, field)| to_plan_type(&column.flat()?, field.data_type())).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
    }

    /// All columns flat and in the storage types of the SQL types in `schema`: what breakers keep.
    pub fn stored(&self, schema: &SchemaRef) -> Result<Vec<ArrayRef>> {
        self.columns.iter().zip(schema.fields()).map(|(column, field)| column.stored(field.data_type())).collect()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One column.
    pub fn column(&self, index: usize) -> &Column {
        &self.columns[index]
    }

    /// Takes the columns out.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }

    /// The chunk with other columns of the same length, keeping its place in the order.
    #[must_use]
    pub fn with_columns(&self, columns: Vec<Column>) -> Self {
        Self { order: self.order, ..Self::new(columns, self.rows) }
    }

    /// The columns at `indices`, in that order.
    #[must_use]
    pub fn project(&self, indices: &[usize]) -> Self {
        self.with_columns(indices.iter().map(|&index| self.columns[index].clone()).collect())
    }

    /// The rows that `selection` picks. Columns that share a selection are composed once.
    pub fn select(&self, selection: &Arc<Selection>) -> Result<Self> {
        let mut composed: Vec<(Arc<Selection>, Arc<Selection>)> = Vec::new();
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            columns.push(match column {
                Column::Selected(selected) if selected.flat.get().is_none() => {
                    let known = composed.iter().find(|(from, _)| Arc::ptr_eq(from, selected.selection()));
                    let both = match known {
                        Some((_, both)) => both.clone(),
                        None => {
                            let both = Arc::new(selected.selection().compose(selection));
                            composed.push((selected.selection().clone(), both.clone()));
                            both
                        }
                    };
                    Column::selected(selected.base().clone(), both)
                }
                other => other.select(selection)?,
            });
        }
        Ok(Self { columns, rows: selection.len(), order: self.order })
    }

    /// `len` rows from `offset`, without copying values.
    pub fn slice(&self, offset: usize, len: usize) -> Result<Self> {
        let columns = self.columns.iter().map(|column| column.slice(offset, len)).collect::<Result<_>>()?;
        Ok(Self { columns, rows: len, order: self.order })
    }

    /// Bytes the rows take, roughly: what a reservation for keeping them should ask for.
    pub fn memory_size(&self) -> usize {
        self.columns.iter().map(Column::memory_size).sum()
    }

    /// An empty chunk for the SQL types of `schema`.
    pub fn empty(schema: &SchemaRef) -> Self {
        let empty = |data_type: &DataType| Column::Flat(arrow::array::new_empty_array(&storage_type(data_type)));
        Self::new(schema.fields().iter().map(|field| empty(field.data_type())).collect(), 0)
    }
}
