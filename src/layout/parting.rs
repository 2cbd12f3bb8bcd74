//! How an input's rows are to be taken apart so that rows with equal keys come together.
//!
//! A join or aggregation that works part by part tells its inputs the [`Parting`]; an input that can
//! (see [`Parts`]) then delivers any one part as a cursor of its own, with no exchange between them.

use super::Evidence;
use super::bucket::BucketHash;
use super::zones::{KeyPoint, ZoneMap};
use datafusion_common::ScalarValue;
use std::sync::Arc;

/// Where rows whose key is NULL belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullRows {
    /// All to the first part: for those who take NULLs as equal.
    First,
    /// Each to any one part: for those who only must not lose them.
    Anywhere,
}

/// A way to take rows apart. Columns are positions in the output of the node that is asked.
#[derive(Debug, Clone)]
pub enum Parting {
    /// By ranges of a column: part `i` has the keys from `cuts[i - 1]` to below `cuts[i]`.
    Ranges {
        /// The column.
        column: usize,
        /// Ascending.
        cuts: Arc<[KeyPoint]>,
        /// Where NULL belongs.
        nulls: NullRows,
    },
    /// By bucket: part `i` has the buckets whose number modulo `count` is `i`.
    Buckets {
        /// The hashed columns, in the order of hashing.
        columns: Vec<usize>,
        /// Parts; divides the number of buckets of every input.
        count: u32,
        /// The hash.
        hash: BucketHash,
        /// Rows that are not of the bucket that their file claims are put aside while the parts are
        /// read, for whoever asks to take them afterwards, instead of being looked for before.
        inline: bool,
    },
    /// By values of Hive partition columns: part `i` has the partitions with `tuples[i]`.
    Values {
        /// The partition columns.
        columns: Vec<usize>,
        /// Their values; each tuple once.
        tuples: Arc<[Vec<ScalarValue>]>,
    },
}

impl Parting {
    /// Number of parts.
    pub fn count(&self) -> usize {
        match self {
            Self::Ranges { cuts, .. } => cuts.len() + 1,
            Self::Buckets { count, .. } => *count as usize,
            Self::Values { tuples, .. } => tuples.len(),
        }
    }

    /// The same for a node whose column `column(i)` is column `i` here; none where it has no such.
    pub fn renamed(&self, column: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let all = |columns: &[usize]| columns.iter().map(|at| column(*at)).collect::<Option<Vec<_>>>();
        Some(match self {
            Self::Ranges { column: at, cuts, nulls } => Self::Ranges { column: column(*at)?, cuts: cuts.clone(), nulls: *nulls },
            Self::Buckets { columns, count, hash, inline } => {
                Self::Buckets { columns: all(columns)?, count: *count, hash: *hash, inline: *inline }
            }
            Self::Values { columns, tuples } => Self::Values { columns: all(columns)?, tuples: tuples.clone() },
        })
    }
}

/// Buckets that a node's rows lie in.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// The hashed columns, as the node's columns, in the order of hashing.
    pub columns: Vec<usize>,
    /// Number of buckets.
    pub count: u32,
    /// The hash.
    pub hash: BucketHash,
    /// How surely.
    pub evidence: Evidence,
}

/// Hive partitions that a node's rows lie in.
#[derive(Debug, Clone)]
pub struct Partitions {
    /// The partition columns, as the node's columns.
    pub columns: Vec<usize>,
    /// Per partition its values and its rows.
    pub values: Arc<Vec<(Vec<ScalarValue>, u64)>>,
}

/// The partings that a node can deliver its rows in; nothing where it delivers them as one stream only.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// By ranges of the columns that have zones.
    pub zones: Option<ZoneMap>,
    /// By bucket.
    pub buckets: Option<Buckets>,
    /// By Hive partition.
    pub partitions: Option<Partitions>,
}

impl Parts {
    /// What is left for a node whose column `i` is this one's column `columns[i]`.
    #[must_use]
    pub fn projected(&self, columns: &[Option<usize>]) -> Self {
        let position = |column: &usize| columns.iter().position(|from| *from == Some(*column));
        let positions = |columns: &[usize]| columns.iter().map(position).collect::<Option<Vec<_>>>();
        let buckets = self.buckets.as_ref().and_then(|buckets| {
            let columns = positions(&buckets.columns)?;
            Some(Buckets { columns, ..buckets.clone() })
        });
        // Partitions can be merged: the columns that are left still tell some of them apart.
        let partitions = self.partitions.as_ref().and_then(|known| {
            let kept: Vec<usize> = (0..known.columns.len()).filter(|at| position(&known.columns[*at]).is_some()).collect();
            if kept.is_empty() {
                return None;
            }
            let columns = kept.iter().filter_map(|at| position(&known.columns[*at])).collect();
            let values = known.values.iter().map(|(tuple, rows)| (kept.iter().map(|at| tuple[*at].clone()).collect(), *rows));
            Some(Partitions { columns, values: Arc::new(values.collect()) })
        });
        Self { zones: self.zones.as_ref().map(|zones| zones.projected(columns)), buckets, partitions }
    }
}
