//! How an output's rows are to lie: directories, buckets, order within files.
//!
//! ```text
//!   rows ─ partition columns ─> k=v/ ─ bucket columns ─> file of the bucket ─ order ─> rows of a file
//! ```
//!
//! Who writes in an order gives the sink rows that come group by group, each group from one task and
//! in order; [`Arrangement::groups`] are the keys by which they must be brought together.

use crate::catalog::NULL_PARTITION;
use crate::column::{Chunk, Column};
use crate::error::{Error, Result};
use crate::expr::{ExprRef, VectorExpr, column};
use crate::layout::bucket::{BucketHash, Names};
use arrow::array::{ArrayRef, AsArray, Int32Array, StringViewArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use std::sync::Arc;

/// How rows are to lie. Columns are positions in the rows' schema.
#[derive(Debug, Clone, Default)]
pub struct Arrangement {
    /// Columns that become `key=value` directories, the outermost first.
    pub partitions: Vec<usize>,
    /// Files hold rows of one bucket each.
    pub buckets: Option<OutputBuckets>,
    /// The order of the rows of a file, the major column first.
    pub sorted_by: Vec<OutputOrder>,
}

/// The buckets of an output.
#[derive(Debug, Clone)]
pub struct OutputBuckets {
    /// The hashed columns, in the order of hashing.
    pub columns: Vec<usize>,
    /// Number of buckets, at least 1.
    pub count: u32,
    /// The hash, which also says how files are called.
    pub hash: BucketHash,
}

/// A column of the order within files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputOrder {
    /// Its position.
    pub column: usize,
    /// Largest first, NULLs last; else the smallest first, NULLs before it: Spark's defaults.
    pub descending: bool,
}

impl Arrangement {
    /// Directories only.
    pub fn partitioned(partitions: &[usize]) -> Self {
        Self { partitions: partitions.to_vec(), ..Self::default() }
    }

    /// An error unless files can be laid out so.
    pub(super) fn check(&self, schema: &Schema) -> Result<()> {
        let inside = |column: usize, what: &str| {
            let field = schema.field(column);
            if self.partitions.contains(&column) {
                let error = Error::sql(format!("{what} names the partition column '{}'", field.name()));
                return Err(error.with_hint("files of a partition have one value of it"));
            }
            Ok(field)
        };
        if let Some(buckets) = &self.buckets {
            for column in &buckets.columns {
                let field = inside(*column, "CLUSTERED BY")?;
                check_bucket_column(buckets.hash, field.name(), field.data_type())?;
            }
        }
        for order in &self.sorted_by {
            let field = inside(order.column, "SORTED BY")?;
            if field.data_type().is_nested() {
                return Err(Error::unsupported(format!("sorting by {}", field.data_type())).in_column(field.name()));
            }
        }
        Ok(())
    }

    /// The keys whose equal rows go into one file: the partition columns and the bucket.
    pub fn groups(&self, schema: &SchemaRef) -> Vec<ExprRef> {
        let by_column = |at: &usize| -> ExprRef {
            let field = schema.field(*at);
            match field.data_type() {
                DataType::Utf8 | DataType::Utf8View => Arc::new(PartitionText { column: *at, name: field.name().clone() }),
                other => column(*at, other.clone(), true, field.name().clone()),
            }
        };
        let mut groups: Vec<ExprRef> = self.partitions.iter().map(by_column).collect();
        if let Some(buckets) = &self.buckets {
            groups.push(Arc::new(BucketNumber { buckets: buckets.clone(), schema: schema.clone() }));
        }
        groups
    }

    /// What it asks for, in lines of EXPLAIN.
    pub(super) fn lines(&self, schema: &Schema) -> Vec<String> {
        let names = |columns: &[usize]| columns.iter().map(|at| schema.field(*at).name().as_str()).collect::<Vec<_>>().join(", ");
        let mut lines = Vec::new();
        if !self.partitions.is_empty() {
            lines.push(format!("partitions: {}", names(&self.partitions)));
        }
        if let Some(buckets) = &self.buckets {
            lines.push(format!("buckets: {} by {} of {}", buckets.count, buckets.hash.name(), names(&buckets.columns)));
        }
        if !self.sorted_by.is_empty() {
            let word = |order: &OutputOrder| {
                let name = schema.field(order.column).name();
                if order.descending { format!("{name} desc") } else { name.clone() }
            };
            lines.push(format!("files sorted by: {}", self.sorted_by.iter().map(word).collect::<Vec<_>>().join(", ")));
        }
        lines
    }
}

/// An error for a type whose buckets the hash does not know.
pub fn check_bucket_column(hash: BucketHash, name: &str, data_type: &DataType) -> Result<()> {
    if hash.supports(data_type) {
        return Ok(());
    }
    Err(Error::unsupported(format!("{} of the type {data_type}", hash.name())).in_column(name))
}

impl OutputBuckets {
    /// The bucket of every row of `chunk`, whose SQL types `schema` has.
    pub(super) fn numbers(&self, chunk: &Chunk, schema: &Schema) -> Result<Vec<u32>> {
        let columns = self.columns.iter().map(|at| chunk.column(*at).stored(schema.field(*at).data_type()));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let hashes = self.hash.hashes(&columns, chunk.rows())?;
        Ok(hashes.into_iter().map(|hash| self.hash.bucket(hash, self.count)).collect())
    }

    /// Whose way of writing a bucket's number into a file's name goes with the hash.
    pub(super) fn names(&self) -> Names {
        match self.hash {
            BucketHash::Spark => Names::Spark,
            BucketHash::Hive1 | BucketHash::Hive2 => Names::Hive,
        }
    }
}

/// A partition column of strings, with NULL for all strings whose directory is NULL's.
#[derive(Debug)]
struct PartitionText {
    column: usize,
    name: String,
}

impl VectorExpr for PartitionText {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let values = chunk.column(self.column).flat()?;
        let values = values.as_string_view();
        let named = |text: &&str| !text.is_empty() && *text != NULL_PARTITION;
        if values.iter().flatten().all(|text| named(&text)) {
            return Ok(chunk.column(self.column).clone());
        }
        Ok(Column::Flat(Arc::new(values.iter().map(|text| text.filter(named)).collect::<StringViewArray>())))
    }

    fn data_type(&self) -> &DataType {
        &DataType::Utf8View
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        columns.push(self.column);
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

/// The bucket of a row, as an expression: a key to bring rows together by.
#[derive(Debug)]
struct BucketNumber {
    buckets: OutputBuckets,
    schema: SchemaRef,
}

impl VectorExpr for BucketNumber {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let numbers = self.buckets.numbers(chunk, &self.schema)?;
        let numbers: Int32Array = numbers.into_iter().map(|number| number as i32).collect::<Vec<_>>().into();
        Ok(Column::Flat(Arc::new(numbers)))
    }

    fn data_type(&self) -> &DataType {
        &DataType::Int32
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn is_fallible(&self) -> bool {
        false
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        columns.extend(&self.buckets.columns);
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.buckets.columns.iter().map(|at| self.schema.field(*at).name().as_str()).collect();
        format!("bucket({}, {})", self.buckets.count, names.join(", "))
    }
}
