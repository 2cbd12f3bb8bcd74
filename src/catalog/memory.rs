//! Batches in memory as a table.

use super::{Table, TableStatistics};
use crate::column::{Chunk, Column, array_bytes, to_storage_type};
use crate::error::{Error, Result};
use crate::layout::ColumnStatistics;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{SortOptions, cast, sort_to_indices};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::row::{RowConverter, SortField};
use datafusion_common::ScalarValue;
use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

/// Rows looked at to estimate how many values of a column are distinct. Guessed: exact for small
/// tables, a few milliseconds for large ones.
const DISTINCT_SAMPLE_ROWS: usize = 65_536;

/// A table whose rows are in memory. Its values never change.
#[derive(Debug)]
pub struct MemoryTable {
    schema: SchemaRef,
    display_names: Vec<String>,
    chunks: Vec<Chunk>,
    statistics: TableStatistics,
}

impl MemoryTable {
    /// A table of `batches`, which must have the types of `schema`. Strings, binaries, timestamps
    /// and unsigned integers become the types that SQL knows; names are matched in any case.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Self> {
        let display_names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .map(|field| Field::new(field.name().to_lowercase(), sql_type(field.data_type()), field.is_nullable()))
            .collect();
        let mut names: HashSet<&str> = HashSet::new();
        if let Some(twice) = fields.iter().find(|field| !names.insert(field.name())) {
            return Err(Error::config(format!("two columns are called '{}'", twice.name())));
        }
        let plan_schema = Arc::new(Schema::new(fields));
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let mut columns = Vec::with_capacity(plan_schema.fields().len());
        for (index, field) in plan_schema.fields().iter().enumerate() {
            let mut arrays = Vec::with_capacity(batches.len());
            for batch in &batches {
                if batch.num_columns() != plan_schema.fields().len() {
                    return Err(Error::config("a batch has another number of columns than the schema"));
                }
                arrays.push(
                    cast(batch.column(index), field.data_type()).map_err(Error::from).map_err(|e| e.in_column(field.name()))?,
                );
            }
            columns.push(arrays);
        }
        let statistics = columns.iter().map(|arrays| column_statistics(arrays, rows)).collect::<Result<Vec<_>>>()?;
        let mut chunks = Vec::with_capacity(batches.len());
        for (position, batch) in batches.iter().enumerate() {
            let flat = columns.iter().map(|arrays| Ok(Column::Flat(to_storage_type(&arrays[position])?)));
            chunks.push(Chunk::new(flat.collect::<Result<Vec<_>>>()?, batch.num_rows()));
        }
        let statistics = TableStatistics { rows: rows as f64, columns: statistics };
        Ok(Self { schema: plan_schema, display_names, chunks, statistics })
    }

    /// The rows, in storage types; one chunk a batch, of any size.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }
}

impl Table for MemoryTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn display_names(&self) -> &[String] {
        &self.display_names
    }

    fn statistics(&self) -> &TableStatistics {
        &self.statistics
    }

    fn describe(&self) -> String {
        format!("{} rows in memory", self.statistics.rows)
    }
}

/// The SQL type that stands for an Arrow type.
fn sql_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Date64 => DataType::Date32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Dictionary(_, values) => sql_type(values),
        other => other.clone(),
    }
}

fn column_statistics(arrays: &[ArrayRef], rows: usize) -> Result<ColumnStatistics> {
    let nulls: usize = arrays.iter().map(|array| array.null_count()).sum();
    let bytes: usize = arrays.iter().map(array_bytes).sum();
    Ok(ColumnStatistics {
        min: extreme(arrays, false)?,
        max: extreme(arrays, true)?,
        null_count: Some(nulls as f64),
        distinct: distinct(arrays, rows)?,
        width: (rows > 0).then(|| bytes as f64 / rows as f64),
    })
}

/// The smallest or largest value; None for types without an order and for no values. Floats give
/// none when a NaN is about, since bounds on them mean nothing.
fn extreme(arrays: &[ArrayRef], largest: bool) -> Result<Option<ScalarValue>> {
    let mut best: Option<ScalarValue> = None;
    for array in arrays {
        if array.is_empty() || array.data_type().is_nested() || *array.data_type() == DataType::Null {
            continue;
        }
        let options = SortOptions { descending: largest, nulls_first: false };
        let first = sort_to_indices(array, Some(options), Some(1))?;
        let value = ScalarValue::try_from_array(array, first.value(0) as usize)?;
        if matches!(value, ScalarValue::Float32(Some(v)) if v.is_nan())
            || matches!(value, ScalarValue::Float64(Some(v)) if v.is_nan())
        {
            return Ok(None);
        }
        if value.is_null() {
            continue;
        }
        let wanted = if largest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
        if best.as_ref().is_none_or(|best| value.partial_cmp(best) == Some(wanted)) {
            best = Some(value);
        }
    }
    Ok(best)
}

/// Distinct values: counted in a sample; scaled up when nearly every sampled row has its own.
fn distinct(arrays: &[ArrayRef], rows: usize) -> Result<Option<f64>> {
    let Some(first) = arrays.first() else { return Ok(Some(0.0)) };
    let field = SortField::new(first.data_type().clone());
    if !RowConverter::supports_fields(std::slice::from_ref(&field)) {
        return Ok(None);
    }
    let converter = RowConverter::new(vec![field])?;
    let (mut seen, mut sampled) = (HashSet::new(), 0);
    for array in arrays {
        let take = array.len().min(DISTINCT_SAMPLE_ROWS - sampled);
        let slice = array.slice(0, take);
        let keys = converter.convert_columns(std::slice::from_ref(&slice))?;
        seen.extend((0..take).filter(|row| slice.is_valid(*row)).map(|row| keys.row(row).owned()));
        sampled += take;
    }
    let seen = seen.len() as f64;
    let unique = sampled < rows && seen > 0.8 * sampled as f64;
    Ok(Some(if unique { seen / sampled as f64 * rows as f64 } else { seen }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array, StringArray};

    #[test]
    fn statistics_are_those_of_the_rows() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("Id", DataType::Int32, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("f", DataType::Float64, true),
        ]));
        let batch = |ids: Vec<Option<i32>>, names: Vec<&str>, floats: Vec<f64>| {
            let columns: Vec<ArrayRef> =
                vec![Arc::new(Int32Array::from(ids)), Arc::new(StringArray::from(names)), Arc::new(Float64Array::from(floats))];
            RecordBatch::try_new(schema.clone(), columns).unwrap()
        };
        let batches = vec![
            batch(vec![Some(3), None], vec!["b", "c"], vec![1.0, f64::NAN]),
            batch(vec![Some(-1), Some(3)], vec!["a", "b"], vec![2.0, 3.0]),
        ];
        let table = MemoryTable::new(schema.clone(), batches).unwrap();
        assert_eq!(table.display_names(), ["Id", "name", "f"]);
        assert_eq!(table.schema().field(0).name(), "id");
        assert_eq!(table.schema().field(1).data_type(), &DataType::Utf8View);
        let statistics = table.statistics();
        assert_eq!(statistics.rows, 4.0);
        let id = &statistics.columns[0];
        assert_eq!((id.min.clone(), id.max.clone()), (Some(ScalarValue::Int32(Some(-1))), Some(ScalarValue::Int32(Some(3)))));
        assert_eq!((id.null_count, id.distinct), (Some(1.0), Some(2.0)));
        assert_eq!(statistics.columns[1].distinct, Some(3.0));
        assert_eq!(statistics.columns[2].max, None);
        assert_eq!(table.chunks().iter().map(Chunk::rows).sum::<usize>(), 4);
    }

    #[test]
    fn an_empty_table_has_no_bounds() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)]));
        let table = MemoryTable::new(schema, vec![]).unwrap();
        assert_eq!(table.statistics().rows, 0.0);
        assert!(table.statistics().columns[0].min.is_none());
    }

    #[test]
    fn two_columns_that_differ_in_case_only_are_refused() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("A", DataType::Int32, true)]));
        assert!(MemoryTable::new(schema, vec![]).is_err());
    }
}
