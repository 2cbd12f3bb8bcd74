//! Partition columns: their types, as Spark would infer them, and their values.

use super::escape::NULL_PARTITION;
use super::listing::Listed;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use datafusion_common::ScalarValue;

/// The partition columns of a table.
pub(in crate::catalog) struct Partitions {
    /// Names as spelled, and types.
    pub(in crate::catalog) columns: Vec<(String, DataType)>,
    /// Per file, the values.
    pub(in crate::catalog) values: Vec<Vec<ScalarValue>>,
}

/// Finds columns and values. All files must lie below the same keys.
pub(in crate::catalog) fn infer(files: &[Listed]) -> Result<Partitions> {
    let Some(first) = files.first() else { return Ok(Partitions { columns: Vec::new(), values: Vec::new() }) };
    let keys: Vec<&str> = first.partition.iter().map(|(key, _)| key.as_str()).collect();
    for file in files {
        if !file.partition.iter().map(|(key, _)| key.as_str()).eq(keys.iter().copied()) {
            let expected = if keys.is_empty() { "none".to_string() } else { keys.join(", ") };
            return Err(
                Error::data(format!("its partition columns differ from those of other files ({expected})")).in_file(&file.path)
            );
        }
    }
    let mut columns = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let values = || files.iter().map(|file| file.partition[index].1.as_str()).filter(|value| *value != NULL_PARTITION);
        columns.push(((*key).to_string(), infer_type(values)));
    }
    let value = |raw: &str, data_type: &DataType| {
        if raw == NULL_PARTITION { ScalarValue::try_from(data_type).unwrap_or(ScalarValue::Null) } else { parse(raw, data_type) }
    };
    let values = files
        .iter()
        .map(|file| file.partition.iter().zip(&columns).map(|((_, raw), (_, data_type))| value(raw, data_type)).collect());
    let values = values.collect();
    Ok(Partitions { columns, values })
}

/// The values of partition columns whose names and types are declared, per file.
pub(in crate::catalog) fn declared(files: &[Listed], columns: &[(String, DataType)]) -> Result<Vec<Vec<ScalarValue>>> {
    let values = files.iter().map(|file| {
        let same = file.partition.len() == columns.len()
            && file.partition.iter().zip(columns).all(|((key, _), (name, _))| key.to_lowercase() == name.to_lowercase());
        if !same {
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let expected = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let error = Error::data(format!("its directories are not those of the table's partition columns ({expected})"));
            return Err(error.in_file(&file.path));
        }
        let value = |((_, raw), (name, data_type)): (&(String, String), &(String, DataType))| {
            declared_value(raw, data_type).map_err(|error| error.in_file(&file.path).in_column(name))
        };
        file.partition.iter().zip(columns).map(value).collect()
    });
    values.collect()
}

/// The value of a directory's text in a column of a declared type.
pub(in crate::catalog) fn declared_value(raw: &str, data_type: &DataType) -> Result<ScalarValue> {
    if raw == NULL_PARTITION {
        return Ok(ScalarValue::try_from(data_type)?);
    }
    if matches!(data_type, DataType::Utf8View) {
        return Ok(ScalarValue::Utf8View(Some(raw.to_owned())));
    }
    let value = ScalarValue::try_from_string(raw.to_owned(), data_type).ok().filter(|value| !value.is_null());
    value.ok_or_else(|| Error::data(format!("the partition value '{}' is no {data_type}", raw.escape_default())))
}

fn infer_type<'a, I: Iterator<Item = &'a str>>(values: impl Fn() -> I) -> DataType {
    if values().next().is_none() {
        DataType::Utf8View
    } else if values().all(|value| value.parse::<i32>().is_ok()) {
        DataType::Int32
    } else if values().all(|value| value.parse::<i64>().is_ok()) {
        DataType::Int64
    } else if values().all(|value| date(value).is_some()) {
        DataType::Date32
    } else {
        DataType::Utf8View
    }
}

fn parse(raw: &str, data_type: &DataType) -> ScalarValue {
    match data_type {
        DataType::Int32 => ScalarValue::Int32(raw.parse().ok()),
        DataType::Int64 => ScalarValue::Int64(raw.parse().ok()),
        DataType::Date32 => ScalarValue::Date32(date(raw)),
        _ => ScalarValue::Utf8View(Some(raw.to_string())),
    }
}

/// Days since 1970-01-01 of `yyyy-mm-dd`.
fn date(value: &str) -> Option<i32> {
    if value.len() != 10 {
        return None;
    }
    let date = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}
