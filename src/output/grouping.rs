//! Which `key=value` directory a row belongs to.

use crate::catalog::{NULL_PARTITION, escape_partition};
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::expr::keys::{EncodedKeys, KeyColumns, KeyData};
use crate::expr::{ExprRef, Slots, compile};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::{Column as ColumnName, DFSchema};
use datafusion_expr::{Expr, expr::Cast};
use std::collections::HashMap;
use std::path::PathBuf;

/// The partition columns of an output.
#[derive(Debug)]
pub(super) struct Grouping {
    columns: Vec<usize>,
    /// Names, escaped.
    names: Vec<String>,
    keys: KeyColumns,
    texts: Vec<ExprRef>,
}

/// Partitions by key. Several keys may have one directory (NULL and the empty string).
#[derive(Debug, Default)]
pub(super) struct Known {
    fixed: HashMap<u128, u32>,
    bytes: HashMap<Box<[u8]>, u32>,
    directories: Vec<PathBuf>,
}

/// What a row has that belongs to no known partition.
pub(super) const UNKNOWN: u32 = u32::MAX;

impl Grouping {
    /// By the columns at `columns` of rows with these SQL types, the outermost directory first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for types that directories cannot name.
    pub(super) fn new(schema: &Schema, columns: &[usize]) -> Result<Self> {
        for field in columns.iter().map(|column| schema.field(*column)) {
            let data_type = field.data_type();
            let named = data_type.is_numeric()
                || matches!(
                    data_type,
                    DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) | DataType::Utf8 | DataType::Utf8View
                );
            if !named {
                return Err(Error::unsupported(format!("partitions of type {data_type}")).in_column(field.name()));
            }
        }
        let types = columns.iter().map(|column| schema.field(*column).data_type().clone()).collect();
        Ok(Self {
            names: columns.iter().map(|column| escape_partition(schema.field(*column).name())).collect(),
            keys: KeyColumns::new(types, vec![true; columns.len()]),
            texts: casts_to_text(schema, columns)?,
            columns: columns.to_vec(),
        })
    }

    /// The keys of all rows.
    pub(super) fn encode(&self, chunk: &Chunk) -> Result<EncodedKeys> {
        self.keys.encode(chunk.project(&self.columns).columns(), chunk.rows())
    }

    /// The partition of every row, or [`UNKNOWN`]. New ones are taken in until there are `most`.
    pub(super) fn assign(&self, chunk: &Chunk, keys: &EncodedKeys, known: &mut Known, most: usize) -> Result<Vec<u32>> {
        let mut partitions = Vec::with_capacity(chunk.rows());
        for row in 0..chunk.rows() {
            let partition = match known.get(keys, row) {
                Some(partition) => partition,
                None if known.directories.len() >= most => UNKNOWN,
                None => {
                    let directory = self.directory(chunk, row)?;
                    known.insert(keys, row, directory)
                }
            };
            partitions.push(partition);
        }
        Ok(partitions)
    }

    /// The directory of a row, relative to the output's.
    fn directory(&self, chunk: &Chunk, row: usize) -> Result<PathBuf> {
        let chunk = chunk.slice(row, 1)?;
        let mut directory = PathBuf::new();
        for (name, text) in self.names.iter().zip(&self.texts) {
            let text = text.evaluate(&chunk)?.flat()?;
            let text = text.as_string_view();
            let value = match text.is_valid(0) && !text.value(0).is_empty() {
                true => escape_partition(text.value(0)),
                false => NULL_PARTITION.to_owned(),
            };
            directory.push(format!("{name}={value}"));
        }
        Ok(directory)
    }
}

impl Known {
    /// The directory of a partition, relative to the output's.
    pub(super) fn directory(&self, partition: u32) -> &PathBuf {
        &self.directories[partition as usize]
    }

    fn get(&self, keys: &EncodedKeys, row: usize) -> Option<u32> {
        match &keys.data {
            KeyData::Fixed64(keys) => self.fixed.get(&u128::from(keys[row])).copied(),
            KeyData::Fixed128(keys) => self.fixed.get(&keys[row]).copied(),
            KeyData::Bytes(keys) => self.bytes.get(keys.row(row)).copied(),
        }
    }

    fn insert(&mut self, keys: &EncodedKeys, row: usize, directory: PathBuf) -> u32 {
        let same = self.directories.iter().position(|known| *known == directory);
        let partition = same.unwrap_or_else(|| {
            self.directories.push(directory);
            self.directories.len() - 1
        });
        let partition = u32::try_from(partition).unwrap_or(UNKNOWN);
        match &keys.data {
            KeyData::Fixed64(keys) => self.fixed.insert(u128::from(keys[row]), partition),
            KeyData::Fixed128(keys) => self.fixed.insert(keys[row], partition),
            KeyData::Bytes(keys) => self.bytes.insert(keys.row(row).into(), partition),
        };
        partition
    }
}

/// The rows of every number among `numbers`, in the order of the first of each.
pub(super) fn groups(numbers: impl Iterator<Item = u32>) -> Vec<(u32, Vec<u32>)> {
    let mut groups: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    let mut last = 0;
    for (row, number) in (0u32..).zip(numbers) {
        if groups.get(last).is_none_or(|group| group.0 != number) {
            last = *places.entry(number).or_insert_with(|| {
                groups.push((number, Vec::new()));
                groups.len() - 1
            });
        }
        groups[last].1.push(row);
    }
    groups
}

/// Casts of columns to STRING, as SQL's CAST writes values.
pub(super) fn casts_to_text(schema: &Schema, columns: &[usize]) -> Result<Vec<ExprRef>> {
    // By place: a query may give two columns one name.
    let fields: Vec<Field> =
        schema.fields().iter().enumerate().map(|(at, field)| field.as_ref().clone().with_name(format!("c{at}"))).collect();
    let schema = DFSchema::try_from(Schema::new(fields))?;
    let cast = |column: &usize| {
        let column = Expr::Column(ColumnName::from_name(format!("c{column}")));
        compile(&Expr::Cast(Cast::new(Box::new(column), DataType::Utf8View)), &schema, &Slots::default())
    };
    columns.iter().map(cast).collect()
}
