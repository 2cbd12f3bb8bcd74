//! Buckets: rows spread over files by a hash of some columns, as Spark and Hive write them.
//!
//! ```text
//!   row ─ columns ─> hash ─> bucket = hash mod count ─> the files of that number
//! ```
//!
//! The hash is part of the format of the table: whoever joins two tables bucket by bucket must know
//! that both used the same one. Which rows lie in a bucket's files is a claim of who wrote them; it
//! is checked before anything relies on it.

mod hive;
mod murmur;
mod names;
mod spark;
#[cfg(test)]
mod tests;

pub use murmur::{spark_bytes, spark_int, spark_long};
pub use names::{Names, dialect, hive_id, spark_id};

use crate::column::storage_type;
use crate::error::Result;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

/// How a table's writer computed buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketHash {
    /// Spark's Murmur3, positive modulo.
    Spark,
    /// Hive's first version, sign bit dropped; also Spark writing for Hive.
    Hive1,
    /// Hive's second version (`bucketing_version` 2), sign bit dropped.
    Hive2,
}

impl BucketHash {
    /// The name for EXPLAIN.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spark => "Spark's hash",
            Self::Hive1 => "Hive's hash, version 1",
            Self::Hive2 => "Hive's hash, version 2",
        }
    }

    /// Whether columns of this SQL type can be hashed.
    pub fn supports(self, data_type: &DataType) -> bool {
        match self {
            Self::Spark => spark::supports(&storage_type(data_type)),
            Self::Hive1 | Self::Hive2 => hive::supports(&storage_type(data_type)),
        }
    }

    /// The hash of each of `rows` rows over `columns`, which are in storage types.
    ///
    /// # Errors
    /// When a column's type is not supported.
    pub fn hashes(self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let mut hashes = vec![if self == Self::Spark { spark::SEED } else { 0 }; rows];
        for column in columns {
            match self {
                Self::Spark => spark::update(column, &mut hashes)?,
                Self::Hive1 => hive::update(column, false, &mut hashes)?,
                Self::Hive2 => hive::update(column, true, &mut hashes)?,
            }
        }
        Ok(hashes)
    }

    /// The bucket, of `count`, of a hash.
    pub fn bucket(self, hash: u32, count: u32) -> u32 {
        match self {
            Self::Spark => i64::from(hash as i32).rem_euclid(i64::from(count.max(1))) as u32,
            Self::Hive1 | Self::Hive2 => (hash & 0x7fff_ffff) % count.max(1),
        }
    }
}

/// What a table's declaration says of its buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketDeclaration {
    /// Names of the columns, in lower case, in the order they are hashed.
    pub columns: Vec<String>,
    /// Number of buckets, at least 1.
    pub count: u32,
    /// Columns each file is sorted by: names, and whether descending.
    pub sorted_by: Vec<(String, bool)>,
}
