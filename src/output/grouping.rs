//! Which `key=value` directory and which bucket a row belongs to.

use super::arrangement::{Arrangement, OutputBuckets};
use crate::catalog::{NULL_PARTITION, escape_partition};
use crate::column::{Chunk, Column};
use crate::error::{Error, Result};
use crate::expr::keys::{EncodedKeys, KeyColumns, KeyData};
use crate::expr::{ExprRef, Slots, compile};
use arrow::array::{Array, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{Column as ColumnName, DFSchema};
use datafusion_expr::{Expr, expr::Cast};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The partition columns and buckets of an output.
#[derive(Debug)]
pub(super) struct Grouping {
    columns: Vec<usize>,
    buckets: Option<OutputBuckets>,
    /// SQL types of the rows.
    schema: SchemaRef,
    /// Names, escaped.
    names: Vec<String>,
    keys: KeyColumns,
    texts: Vec<ExprRef>,
}

/// Where the files of some rows lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative to the output's directory.
    pub(super) directory: PathBuf,
    /// The bucket, if the output has any.
    pub(super) bucket: Option<u32>,
}

/// Places by key. Several keys may have one place (NULL and the empty string).
#[derive(Debug, Default)]
pub(super) struct Known {
    fixed: HashMap<u128, u32>,
    bytes: HashMap<Box<[u8]>, u32>,
    places: Vec<Place>,
    /// Places of directories without a value, which several keys may have.
    shared: Vec<u32>,
}

/// The keys of a chunk's rows.
pub(super) struct RowKeys {
    keys: EncodedKeys,
    buckets: Option<Vec<u32>>,
}

impl RowKeys {
    /// A hash of every row's key.
    pub(super) fn hash(&self, constant: bool) -> Vec<u64> {
        self.keys.hash(constant)
    }
}

/// What a row has that belongs to no known place.
pub(super) const UNKNOWN: u32 = u32::MAX;

impl Grouping {
    /// For rows with these SQL types.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for types that directories cannot name.
    pub(super) fn new(schema: &SchemaRef, arrangement: &Arrangement) -> Result<Self> {
        let columns = &arrangement.partitions;
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
        let types = columns.iter().map(|column| schema.field(*column).data_type().clone());
        let types: Vec<DataType> = types.chain(arrangement.buckets.iter().map(|_| DataType::Int32)).collect();
        Ok(Self {
            names: columns.iter().map(|column| escape_partition(schema.field(*column).name())).collect(),
            keys: KeyColumns::new(types.clone(), vec![true; types.len()]),
            texts: casts_to_text(schema, columns)?,
            columns: columns.clone(),
            buckets: arrangement.buckets.clone(),
            schema: schema.clone(),
        })
    }

    /// The keys of all rows.
    pub(super) fn encode(&self, chunk: &Chunk) -> Result<RowKeys> {
        let mut columns = chunk.project(&self.columns).into_columns();
        let buckets = self.buckets.as_ref().map(|buckets| buckets.numbers(chunk, &self.schema)).transpose()?;
        if let Some(buckets) = &buckets {
            let numbers: Int32Array = buckets.iter().map(|bucket| *bucket as i32).collect::<Vec<_>>().into();
            columns.push(Column::Flat(Arc::new(numbers)));
        }
        Ok(RowKeys { keys: self.keys.encode(&columns, chunk.rows())?, buckets })
    }

    /// The place of every row, or [`UNKNOWN`]. New ones are taken in until there are `most`.
    pub(super) fn assign(&self, chunk: &Chunk, keys: &RowKeys, known: &mut Known, most: usize) -> Result<Vec<u32>> {
        let mut places = Vec::with_capacity(chunk.rows());
        for row in 0..chunk.rows() {
            let place = match known.get(&keys.keys, row) {
                Some(place) => place,
                None if known.places.len() >= most => UNKNOWN,
                None => {
                    let bucket = keys.buckets.as_ref().map(|buckets| buckets[row]);
                    let place = Place { directory: self.directory(chunk, row)?, bucket };
                    known.insert(&keys.keys, row, place)
                }
            };
            places.push(place);
        }
        Ok(places)
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
    /// A place that [`Grouping::assign`] gave.
    pub(super) fn place(&self, place: u32) -> &Place {
        &self.places[place as usize]
    }

    fn get(&self, keys: &EncodedKeys, row: usize) -> Option<u32> {
        match &keys.data {
            KeyData::Fixed64(keys) => self.fixed.get(&u128::from(keys[row])).copied(),
            KeyData::Fixed128(keys) => self.fixed.get(&keys[row]).copied(),
            KeyData::Bytes(keys) => self.bytes.get(keys.row(row)).copied(),
        }
    }

    fn insert(&mut self, keys: &EncodedKeys, row: usize, place: Place) -> u32 {
        let next = u32::try_from(self.places.len()).unwrap_or(UNKNOWN);
        let several = place.directory.components().any(|part| part.as_os_str().to_string_lossy().ends_with(NULL_PARTITION));
        let same = self.shared.iter().copied().find(|known| several && self.places[*known as usize] == place);
        let number = same.unwrap_or_else(|| {
            if several {
                self.shared.push(next);
            }
            self.places.push(place);
            next
        });
        match &keys.data {
            KeyData::Fixed64(keys) => self.fixed.insert(u128::from(keys[row]), number),
            KeyData::Fixed128(keys) => self.fixed.insert(keys[row], number),
            KeyData::Bytes(keys) => self.bytes.insert(keys.row(row).into(), number),
        };
        number
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
