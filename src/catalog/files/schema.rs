//! One schema for files that may differ: columns by name, types widened where nothing is lost.

use crate::catalog::warehouse::same_type;
use crate::error::{Error, Result};
use crate::format::common_guess;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Digits of a decimal, at most.
const DIGITS_MAX: u8 = 38;

/// The schema of a table.
pub(in crate::catalog) struct Merged {
    /// Columns of the files, then partition columns; names in lower case.
    pub(in crate::catalog) schema: SchemaRef,
    pub(in crate::catalog) display_names: Vec<String>,
    /// Per file and column of the files: its position there.
    pub(in crate::catalog) file_columns: Vec<Vec<Option<usize>>>,
}

/// Names and types of the columns of one file, in its order.
pub(in crate::catalog) type FileFields<'a> = Vec<(&'a str, &'a DataType)>;

/// Merges the schemas of `files` and adds the partition columns, which win over columns of the
/// same name in files.
pub(in crate::catalog) fn merge(paths: &[PathBuf], files: &[FileFields], partitions: &[(String, DataType)]) -> Result<Merged> {
    merge_by(paths, files, partitions, common_type)
}

/// The same of types that were guessed from samples: what has no type in common is text.
pub(in crate::catalog) fn merge_guesses(
    paths: &[PathBuf],
    files: &[FileFields],
    partitions: &[(String, DataType)],
) -> Result<Merged> {
    let common = |a: &DataType, b: &DataType| common_type(a, b).or(Some(common_guess(a, b)));
    merge_by(paths, files, partitions, common)
}

fn merge_by(
    paths: &[PathBuf],
    files: &[FileFields],
    partitions: &[(String, DataType)],
    common: impl Fn(&DataType, &DataType) -> Option<DataType>,
) -> Result<Merged> {
    let mut columns: Vec<(String, String, DataType)> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut file_columns = Vec::with_capacity(files.len());
    for (path, fields) in paths.iter().zip(files) {
        let mut own = vec![None; columns.len()];
        for (index, &(spelled, data_type)) in fields.iter().enumerate() {
            let name = spelled.to_lowercase();
            if partitions.iter().any(|(partition, _)| partition.to_lowercase() == name) {
                continue;
            }
            let position = match positions.get(&name) {
                Some(&position) => {
                    let known = &mut columns[position].2;
                    *known = common(known, data_type).ok_or_else(|| {
                        let message = format!("its type {data_type} does not fit the type {known} in other files");
                        Error::data(message).in_file(path).in_column(spelled)
                    })?;
                    position
                }
                None => {
                    positions.insert(name.clone(), columns.len());
                    columns.push((name, spelled.to_owned(), data_type.clone()));
                    columns.len() - 1
                }
            };
            own.resize(columns.len(), None);
            if own[position].replace(index).is_some() {
                return Err(Error::data("two columns of the file differ only in upper and lower case")
                    .in_file(path)
                    .in_column(spelled));
            }
        }
        file_columns.push(own);
    }
    for own in &mut file_columns {
        own.resize(columns.len(), None);
    }
    columns.extend(partitions.iter().map(|(name, data_type)| (name.to_lowercase(), name.clone(), data_type.clone())));
    let fields: Vec<Field> = columns.iter().map(|(name, _, data_type)| Field::new(name, data_type.clone(), true)).collect();
    let display_names = columns.into_iter().map(|(_, spelled, _)| spelled).collect();
    Ok(Merged { schema: Arc::new(Schema::new(fields)), display_names, file_columns })
}

/// The declared columns, with the place of each in every file, and the partition columns.
pub(in crate::catalog) fn declared(
    paths: &[PathBuf],
    files: &[FileFields],
    columns: &[(String, DataType)],
    partitions: &[(String, DataType)],
) -> Result<Merged> {
    let mut types: Vec<DataType> = columns.iter().map(|(_, data_type)| data_type.clone()).collect();
    let mut seen = vec![false; columns.len()];
    let mut file_columns = Vec::with_capacity(files.len());
    for (path, fields) in paths.iter().zip(files) {
        let mut own = vec![None; columns.len()];
        for (index, &(spelled, data_type)) in fields.iter().enumerate() {
            let name = spelled.to_lowercase();
            let Some(position) = columns.iter().position(|(declared, _)| declared.to_lowercase() == name) else { continue };
            let fits = common_type(&types[position], data_type).as_ref() == Some(&types[position]);
            // Names inside of nested types are the files'; all files must agree on them.
            let nested = !seen[position] && types[position].is_nested() && same_type(&types[position], data_type);
            if nested {
                types[position] = data_type.clone();
            } else if !fits {
                let message = format!("its type {data_type} does not fit the declared type {}", types[position]);
                return Err(Error::data(message).in_file(path).in_column(spelled));
            }
            seen[position] = true;
            if own[position].replace(index).is_some() {
                return Err(Error::data("two columns of the file differ only in upper and lower case")
                    .in_file(path)
                    .in_column(spelled));
            }
        }
        file_columns.push(own);
    }
    let names = columns.iter().chain(partitions).map(|(name, _)| name);
    let types = types.into_iter().chain(partitions.iter().map(|(_, data_type)| data_type.clone()));
    let fields: Vec<Field> =
        names.clone().zip(types).map(|(name, data_type)| Field::new(name.to_lowercase(), data_type, true)).collect();
    Ok(Merged { schema: Arc::new(Schema::new(fields)), display_names: names.cloned().collect(), file_columns })
}

/// The type that holds the values of both without loss, as Spark widens: integers, FLOAT to DOUBLE,
/// integers of up to 32 bits to DOUBLE, integers and decimals to decimals, DATE to TIMESTAMP_NTZ.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Timestamp};
    if a == b {
        return Some(a.clone());
    }
    // (digits before the point, digits after it)
    let exact = |data_type: &DataType| match data_type {
        Int8 => Some((3, 0)),
        Int16 => Some((5, 0)),
        Int32 => Some((10, 0)),
        Int64 => Some((19, 0)),
        Decimal128(precision, scale) => Some((i16::from(*precision) - i16::from(*scale), i16::from(*scale))),
        _ => None,
    };
    let float = |data_type: &DataType| matches!(data_type, Float32 | Float64);
    let small = |data_type: &DataType| matches!(data_type, Int8 | Int16 | Int32);
    match (a, b) {
        _ if float(a) && (float(b) || small(b)) || float(b) && small(a) => Some(Float64),
        (Date32, Timestamp(TimeUnit::Microsecond, None)) => Some(b.clone()),
        (Timestamp(TimeUnit::Microsecond, None), Date32) => Some(a.clone()),
        _ => {
            let ((left, left_scale), (right, right_scale)) = (exact(a)?, exact(b)?);
            if !matches!(a, Decimal128(..)) && !matches!(b, Decimal128(..)) {
                return Some(if left >= right { a.clone() } else { b.clone() });
            }
            let scale = left_scale.max(right_scale);
            let precision = u8::try_from(left.max(right) + scale).ok().filter(|precision| *precision <= DIGITS_MAX)?;
            Some(Decimal128(precision, i8::try_from(scale).ok()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_widen_where_nothing_is_lost() {
        use DataType::{Boolean, Date32, Decimal128, Float32, Float64, Int32, Int64, Timestamp, Utf8View};
        let moment = |zone: Option<&str>| Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        for (a, b, wide) in [
            (Int32, Int64, Some(Int64)),
            (Float32, Float64, Some(Float64)),
            (Int32, Float32, Some(Float64)),
            (Int64, Float64, None),
            (Decimal128(9, 2), Decimal128(12, 4), Some(Decimal128(12, 4))),
            (Decimal128(20, 2), Decimal128(12, 6), Some(Decimal128(24, 6))),
            (Decimal128(38, 0), Decimal128(10, 5), None),
            (Int64, Decimal128(5, 2), Some(Decimal128(21, 2))),
            (Date32, moment(None), Some(moment(None))),
            (Date32, moment(Some("UTC")), None),
            (Utf8View, Int32, None),
            (Boolean, Int32, None),
        ] {
            assert_eq!(common_type(&a, &b), wide, "{a} and {b}");
            assert_eq!(common_type(&b, &a), wide, "{b} and {a}");
        }
    }
}
