//! The schema of a file, shared by all files whose footers spell it with the same bytes.
//!
//! The files of a table differ in their row groups and seldom in their schema, which is half of what
//! reading a small footer costs and of what it keeps in memory. Where the bytes of the schema within a
//! footer are known already, they are passed over and what was made of them is shared.
//!
//! ```text
//!   footer  | version | schema ....... | rows | row groups ....... | writer ..|
//!                      known? -> FileSchema
//! ```

use super::damaged;
use super::footer::reader_field;
use super::kind::{Kind, kind, plan_type};
use super::page_header::{Compact, LIST};
use crate::error::Result;
use ::parquet::arrow::parquet_to_arrow_schema;
use ::parquet::basic::Type as Physical;
use ::parquet::schema::types::SchemaDescPtr;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Schemas remembered before the memory starts anew. Guessed: tables that are queried at a time.
const KNOWN_MAX: usize = 256;
/// Longer spellings are not remembered. Guessed: some thousand columns.
const BYTES_MAX: usize = 256 << 10;

/// By the bytes that spell them.
static KNOWN: LazyLock<Mutex<HashMap<Box<[u8]>, Arc<FileSchema>>>> = LazyLock::new(Mutex::default);

/// A column of a file: a child of the schema's root.
#[derive(Debug, Clone)]
pub struct FileColumn {
    /// The name as the file spells it.
    pub name: String,
    /// Its SQL type.
    pub data_type: DataType,
    pub(super) root: usize,
    /// The leaf, when the column is one.
    pub(super) leaf: Option<usize>,
    pub(super) kind: Option<Kind>,
    /// The crate's Arrow field.
    pub(super) field: Field,
}

/// What is made of a schema.
#[derive(Debug)]
pub(super) struct FileSchema {
    pub(super) descriptor: SchemaDescPtr,
    pub(super) columns: Vec<FileColumn>,
    /// What the crate's Arrow reader is asked for.
    pub(super) reader: SchemaRef,
}

impl FileSchema {
    /// The schema that `footer` spells, if it is known.
    pub(super) fn known(footer: &[u8]) -> Option<Arc<Self>> {
        KNOWN.lock().get(spelling(footer)?).cloned()
    }

    /// What the schema of this footer is made of.
    pub(super) fn new(footer: &[u8], descriptor: SchemaDescPtr) -> Result<Arc<Self>> {
        let arrow = parquet_to_arrow_schema(&descriptor, None).map_err(damaged)?;
        let mut leaves = descriptor.columns().iter().map(|leaf| leaf.physical_type());
        let fields: Vec<Field> = arrow.fields().iter().map(|field| with_instants(field, &mut leaves)).collect();
        let mut columns = Vec::with_capacity(fields.len());
        for (root, field) in fields.iter().enumerate() {
            let leaf = (0..descriptor.num_columns()).find(|leaf| descriptor.get_column_root_idx(*leaf) == root);
            let leaf = leaf.filter(|leaf| descriptor.column(*leaf).path().parts().len() == 1);
            let data_type = plan_type(field.data_type()).map_err(|error| error.in_column(field.name()))?;
            let kind = leaf.and_then(|leaf| kind(&descriptor.column(leaf), field.data_type()));
            let name = field.name().clone();
            columns.push(FileColumn { name, data_type, root, leaf, kind, field: field.clone() });
        }
        let fields: Vec<Field> = columns.iter().map(|column| reader_field(&column.field)).collect();
        let schema = Arc::new(Self { descriptor, columns, reader: Arc::new(Schema::new(fields)) });
        if let Some(bytes) = spelling(footer).filter(|bytes| bytes.len() <= BYTES_MAX) {
            let mut known = KNOWN.lock();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(bytes.into(), schema.clone());
        }
        Ok(schema)
    }
}

/// The field with points in time where the file has INT96. Parquet says nothing of what these 12 bytes
/// mean; Spark, Hive and Impala keep instants in them, in UTC, and Spark reads them as TIMESTAMP
/// only. `leaves` are the physical types of the leaves from this field on, in the order of the file.
fn with_instants(field: &Field, leaves: &mut impl Iterator<Item = Physical>) -> Field {
    let mut inner = |field: &Arc<Field>| Arc::new(with_instants(field, leaves));
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(inner(item), *length),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        leaf => match (leaves.next(), leaf) {
            (Some(Physical::INT96), DataType::Timestamp(..)) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            _ => return field.clone(),
        },
    };
    field.clone().with_data_type(data_type)
}

/// The bytes of the schema in a footer: the second field of the outermost struct.
fn spelling(footer: &[u8]) -> Option<&[u8]> {
    let mut reader = Compact::new(footer);
    let mut field = 0;
    while let Some(is) = reader.field(&mut field)? {
        let before = reader.rest();
        reader.skip(is, 0)?;
        if (field, is) == (2, LIST) {
            return before.get(..before.len() - reader.rest().len());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{Footer, testing};
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    #[test]
    fn equal_schemas_are_shared_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let open = |name: &str, columns: Vec<(&str, ArrayRef)>| {
            let path = directory.path().join(name);
            testing::write(&path, &[RecordBatch::try_from_iter(columns).unwrap()], 10);
            Footer::open(&path).unwrap().1
        };
        let first = open("a.parquet", vec![("file_schema_n", number.clone())]);
        let second = open("b.parquet", vec![("file_schema_n", number.slice(0, 2))]);
        let renamed = open("c.parquet", vec![("file_schema_m", number.clone())]);
        let retyped = open("d.parquet", vec![("file_schema_n", text)]);
        assert!(Arc::ptr_eq(&first.schema, &second.schema));
        assert_eq!((first.total_rows(), second.total_rows()), (3, 2));
        assert_eq!(renamed.columns()[0].name, "file_schema_m");
        assert_eq!(retyped.columns()[0].data_type, DataType::Utf8View);
        assert_eq!(first.columns()[0].data_type, DataType::Int64);
    }

    #[test]
    fn int96_is_a_point_in_time_wherever_it_stands() {
        let text = "message m {
            optional int64 clock (timestamp(micros, false));
            optional int96 at;
            optional group s { optional int32 a; optional int96 b; }
            optional group l (list) { repeated group list { optional int96 element; } }
            optional group m (map) { repeated group key_value { required binary key (string); optional int96 value; } }
            optional int64 last (timestamp(micros, false));
        }";
        let schema = ::parquet::schema::parser::parse_message_type(text).unwrap();
        let descriptor = Arc::new(::parquet::schema::types::SchemaDescriptor::new(Arc::new(schema)));
        let schema = FileSchema::new(b"", descriptor).unwrap();
        let types: Vec<String> = schema.columns.iter().map(|column| column.data_type.to_string()).collect();
        for (at, data_type) in types.iter().enumerate() {
            let instants = data_type.matches("Timestamp(µs, \"UTC\")").count();
            assert_eq!(instants, usize::from((1..5).contains(&at)), "{data_type}");
            assert!(!data_type.contains("(ns"), "{data_type}");
        }
        assert_eq!(schema.columns[1].kind, Some(Kind::Int96ToMicros));
    }

    #[test]
    fn damaged_footers_spell_nothing() {
        // { 1: version 1, 2: list of one struct { 4: "x" } }
        let footer = [0x15, 2, 0x19, 0x1c, 0x48, 1, b'x', 0, 0];
        assert_eq!(spelling(&footer), Some(&footer[3..8]));
        for cut in 0..8 {
            assert_eq!(spelling(&footer[..cut]), None);
        }
        assert_eq!(spelling(&[0x15, 2, 0]), None);
    }
}
