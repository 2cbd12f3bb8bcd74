//! Dates in a calendar of the past: files whose writers counted days before 1582-10-15 in the
//! Julian calendar, as Spark before 3 and Hive before 4 did, say so in their footers. Their later
//! dates mean the same today. An earlier one would be read some days off, so it is refused: by the
//! footer's statistics when the file is opened, and by value where there are none.
//!
//! Cost: nothing for other files; for these a minimum over every block of dates. NULLs pass.

use super::column::Place;
use super::file_schema::FileColumn;
use crate::column::Column;
use crate::error::{Error, Result};
use ::parquet::basic::{LogicalType, TimeUnit as Unit, Type as Physical};
use ::parquet::file::metadata::{FileMetaData, ParquetMetaData};
use ::parquet::file::statistics::Statistics;
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::min;
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};

/// 1582-10-15, the first day of the Gregorian calendar, in days since 1970.
const GREGORIAN_DAY: i32 = -141_427;

/// The same in microseconds.
const GREGORIAN_MICROS: i64 = GREGORIAN_DAY as i64 * 86_400_000_000;

/// Whether the file's writer may have counted early days in the Julian calendar.
pub(super) fn is_hybrid(metadata: &FileMetaData) -> bool {
    let value = |wanted: &str| {
        let pair = metadata.key_value_metadata()?.iter().find(|pair| pair.key == wanted)?;
        Some(pair.value.clone().unwrap_or_default())
    };
    if let Some(proleptic) = value("writer.date.proleptic") {
        return !proleptic.eq_ignore_ascii_case("true");
    }
    if metadata.schema_descr().root_schema().name() == "hive_schema" {
        return true;
    }
    match value("org.apache.spark.version") {
        Some(version) => {
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            let legacy = ["org.apache.spark.legacyDateTime", "org.apache.spark.legacyINT96"];
            major.is_none_or(|major| major < 3) || legacy.iter().any(|key| value(key).is_some())
        }
        // Spark named its version from 2.4.6 on, and its schema always.
        None => value("org.apache.spark.sql.parquet.row.metadata").is_some(),
    }
}

/// Whether a column holds days that the calendar decides.
pub(super) fn is_dated(column: &FileColumn) -> bool {
    matches!(column.data_type, DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _))
}

/// Refuses a column of a hybrid file that has an early day by its statistics.
pub(super) fn check_statistics(metadata: &ParquetMetaData, column: &FileColumn) -> Result<()> {
    let Some(leaf) = column.leaf else { return Ok(()) };
    for (number, row_group) in metadata.row_groups().iter().enumerate() {
        let chunk = row_group.column(leaf);
        let least = match (chunk.column_descr().physical_type(), chunk.statistics()) {
            (Physical::INT32, Some(Statistics::Int32(bounds))) => bounds.min_opt().map(|days| *days >= GREGORIAN_DAY),
            (Physical::INT64, Some(Statistics::Int64(bounds))) => {
                let per_micro = |value: i64| match chunk.column_descr().logical_type_ref() {
                    Some(LogicalType::Timestamp(time)) if time.unit == Unit::NANOS => value / 1000,
                    Some(LogicalType::Timestamp(time)) if time.unit == Unit::MICROS => value,
                    _ => value.saturating_mul(1000),
                };
                bounds.min_opt().map(|value| per_micro(*value) >= GREGORIAN_MICROS)
            }
            // Statistics of INT96 mean nothing.
            _ => None,
        };
        if least == Some(false) {
            return Err(refused().in_row_group(number).in_column(&column.name));
        }
    }
    Ok(())
}

/// Refuses values of a hybrid file before the Gregorian calendar.
pub(super) fn check_values(values: &Column, place: &Place) -> Result<()> {
    let early = |array: &ArrayRef| match array.data_type() {
        DataType::Date32 => min(array.as_primitive::<Date32Type>()).is_some_and(|days| days < GREGORIAN_DAY),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            min(array.as_primitive::<TimestampMicrosecondType>()).is_some_and(|micros| micros < GREGORIAN_MICROS)
        }
        _ => false,
    };
    let early = match values {
        // A value of the dictionary that no row has must not refuse the file.
        Column::Dict(dict) if early(dict.dictionary().values()) => early(&values.flat()?),
        Column::Dict(_) => false,
        other => early(&other.flat()?),
    };
    if early { Err(place.locate(refused())) } else { Ok(()) }
}

fn refused() -> Error {
    Error::unsupported("a date before 1582-10-15 in the Julian calendar of Spark before 3 or Hive before 4")
        .with_hint("rewrite the file with Spark 3 or later, which converts such dates")
}

#[cfg(test)]
mod tests {
    use crate::format::parquet::Footer;
    use ::parquet::arrow::ArrowWriter;
    use ::parquet::file::metadata::KeyValue;
    use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
    use arrow::array::{ArrayRef, Date32Array, RecordBatch};
    use std::sync::Arc;

    /// Opens and reads a file of one date with the given pairs in its footer.
    fn read(days: i32, pairs: &[(&str, &str)], statistics: EnabledStatistics) -> crate::Result<()> {
        let directory = tempfile::tempdir().unwrap();
        let path: Arc<std::path::Path> = directory.path().join("a.parquet").into();
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(days), None]));
        let batch = RecordBatch::try_from_iter([("d", dates)]).unwrap();
        let pairs = pairs.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect();
        let properties =
            WriterProperties::builder().set_key_value_metadata(Some(pairs)).set_statistics_enabled(statistics).build();
        let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let (_, footer) = Footer::open(&path)?;
        let mut group = crate::format::parquet::RowGroup::open(&path, &footer, 0, 0..2, false)?;
        group.open_columns(&[0])?.0[0].read(2).map(drop)
    }

    #[test]
    fn early_dates_of_old_writers_are_refused() {
        let schema = ("org.apache.spark.sql.parquet.row.metadata", "{}");
        let old: [&[(&str, &str)]; 5] = [
            &[schema],
            &[("org.apache.spark.version", "2.4.8"), schema],
            &[("org.apache.spark.version", "3.5.1"), ("org.apache.spark.legacyDateTime", "")],
            &[("org.apache.spark.version", "3.0.0"), ("org.apache.spark.legacyINT96", "")],
            &[("writer.date.proleptic", "false")],
        ];
        let new: [&[(&str, &str)]; 3] =
            [&[], &[("org.apache.spark.version", "4.3.0"), schema], &[("writer.date.proleptic", "true")]];
        for statistics in [EnabledStatistics::Page, EnabledStatistics::None] {
            for pairs in old {
                let error = read(-141_428, pairs, statistics).unwrap_err();
                assert!(error.message().contains("1582-10-15"), "{pairs:?}: {error}");
                assert_eq!(error.place().column.as_deref(), Some("d"));
                read(-141_427, pairs, statistics).unwrap();
            }
            for pairs in new {
                read(-141_428, pairs, statistics).unwrap();
            }
        }
    }
}
