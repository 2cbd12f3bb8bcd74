//! One schema for files that may differ: columns by name, types widened where nothing is lost.

use crate::catalog::warehouse::same_type;
use crate::error::{Error, Result};
use crate::format::parquet::{FileId, Footer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The schema of a table.
pub(super) struct Merged {
    /// Columns of the files, then partition columns; names in lower case.
    pub(super) schema: SchemaRef,
    pub(super) display_names: Vec<String>,
    /// Per file and column of the files: its position there.
    pub(super) file_columns: Vec<Vec<Option<usize>>>,
}

/// Merges the schemas of `footers` and adds the partition columns, which win over columns of the
/// same name in files.
pub(super) fn merge(paths: &[PathBuf], footers: &[(FileId, Arc<Footer>)], partitions: &[(String, DataType)]) -> Result<Merged> {
    let mut columns: Vec<(String, String, DataType)> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut file_columns = Vec::with_capacity(footers.len());
    for (path, (_, footer)) in paths.iter().zip(footers) {
        let mut own = vec![None; columns.len()];
        for (index, column) in footer.columns().iter().enumerate() {
            let name = column.name.to_lowercase();
            if partitions.iter().any(|(partition, _)| partition.to_lowercase() == name) {
                continue;
            }
            let position = match positions.get(&name) {
                Some(&position) => {
                    let known = &mut columns[position].2;
                    *known = common_type(known, &column.data_type).ok_or_else(|| {
                        let message = format!("its type {} does not fit the type {known} in other files", column.data_type);
                        Error::data(message).in_file(path).in_column(&column.name)
                    })?;
                    position
                }
                None => {
                    positions.insert(name.clone(), columns.len());
                    columns.push((name, column.name.clone(), column.data_type.clone()));
                    columns.len() - 1
                }
            };
            own.resize(columns.len(), None);
            if own[position].replace(index).is_some() {
                return Err(Error::data("two columns of the file differ only in upper and lower case")
                    .in_file(path)
                    .in_column(&column.name));
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
pub(super) fn declared(
    paths: &[PathBuf],
    footers: &[(FileId, Arc<Footer>)],
    columns: &[(String, DataType)],
    partitions: &[(String, DataType)],
) -> Result<Merged> {
    let mut types: Vec<DataType> = columns.iter().map(|(_, data_type)| data_type.clone()).collect();
    let mut seen = vec![false; columns.len()];
    let mut file_columns = Vec::with_capacity(footers.len());
    for (path, (_, footer)) in paths.iter().zip(footers) {
        let mut own = vec![None; columns.len()];
        for (index, column) in footer.columns().iter().enumerate() {
            let name = column.name.to_lowercase();
            let Some(position) = columns.iter().position(|(declared, _)| declared.to_lowercase() == name) else { continue };
            let fits = common_type(&types[position], &column.data_type).as_ref() == Some(&types[position]);
            // Names inside of nested types are the files'; all files must agree on them.
            let nested = !seen[position] && types[position].is_nested() && same_type(&types[position], &column.data_type);
            if nested {
                types[position] = column.data_type.clone();
            } else if !fits {
                let message = format!("its type {} does not fit the declared type {}", column.data_type, types[position]);
                return Err(Error::data(message).in_file(path).in_column(&column.name));
            }
            seen[position] = true;
            if own[position].replace(index).is_some() {
                return Err(Error::data("two columns of the file differ only in upper and lower case")
                    .in_file(path)
                    .in_column(&column.name));
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

/// The type that holds the values of both without loss.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Decimal128, Float32, Float64, Int8, Int16, Int32, Int64};
    let rank = |data_type: &DataType| [Int8, Int16, Int32, Int64].iter().position(|known| known == data_type);
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Float32 | Float64, Float32 | Float64) => Some(Float64),
        (Decimal128(p, s), Decimal128(q, t)) if s == t => Some(Decimal128(*p.max(q), *s)),
        _ => {
            let (wide, narrow) = (rank(a)?, rank(b)?);
            Some(if wide >= narrow { a.clone() } else { b.clone() })
        }
    }
}
