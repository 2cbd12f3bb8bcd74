//! Finds out what buckets a table's files are.
//!
//! Spark does not write its bucket specification into the files; the number of the bucket is in the
//! name only. For directories without a declaration the specification is inferred: a column whose
//! sampled hashes differ from the numbers in the names by multiples of one count is the bucket column.
//!
//! ```text
//!   hash of a sampled row − number in its file's name = a multiple of the count
//!   count = greatest common divisor over all sampled rows, accepted when above every number
//! ```
//!
//! Cost: a few hundred rows of each column that can be hashed, of at most six files, once a table.

use super::name_of;
use crate::catalog::{FileTable, Table};
use crate::error::Result;
use crate::layout::Evidence;
use crate::layout::bucket::{self, BucketHash, Names};

/// Files that are sampled. Guessed: wrong columns are found out by the first few.
const FILES_SAMPLED: usize = 6;
/// Rows sampled of each. Guessed: the divisor settles after some ten rows.
const ROWS_SAMPLED: usize = 256;
/// Fewer rows than this say nothing.
const ROWS_MIN: u64 = 16;
/// Nobody writes more buckets.
const COUNT_MAX: u64 = 1 << 20;
/// Columns that are tried, from the first on.
const COLUMNS_TRIED: usize = 32;

/// The buckets of a table.
#[derive(Debug, Clone)]
pub struct TableBuckets {
    /// Columns of the table, in the order of hashing.
    pub columns: Vec<usize>,
    /// Number of buckets.
    pub count: u32,
    /// The hash.
    pub hash: BucketHash,
    /// The bucket of every file.
    pub files: Vec<u32>,
    /// How surely.
    pub evidence: Evidence,
}

/// What is known of a table's buckets.
#[derive(Debug, Clone)]
pub enum BucketState {
    /// Nothing speaks for buckets.
    None,
    /// These.
    Known(TableBuckets),
    /// Declared, but not so, for this reason.
    Refuted(String),
}

impl FileTable {
    /// What is known of the table's buckets; found out when first asked for.
    pub fn bucket_state(&self) -> &BucketState {
        // A sample that cannot be read is no reason to fail here: reading the rows will tell.
        self.found.buckets.get_or_init(|| self.find_buckets().unwrap_or(BucketState::None))
    }

    /// The table's buckets, if it has any that may be relied on.
    pub fn buckets(&self) -> Option<&TableBuckets> {
        match self.bucket_state() {
            BucketState::Known(buckets) => Some(buckets),
            BucketState::None | BucketState::Refuted(_) => None,
        }
    }

    fn find_buckets(&self) -> Result<BucketState> {
        let names = bucket::dialect(self.files().iter().map(name_of));
        let Some(declared) = &self.declaration().buckets else {
            return match names {
                Some(names) => self.infer(names),
                None => Ok(BucketState::None),
            };
        };
        if self.files().is_empty() {
            return Ok(BucketState::None);
        }
        let Some(names) = names else {
            return Ok(BucketState::Refuted("not all file names tell a bucket, in one way".to_owned()));
        };
        let mut files = Vec::with_capacity(self.files().len());
        for file in self.files() {
            let id = names.id(name_of(file)).unwrap_or(u32::MAX);
            if id >= declared.count {
                let reason = format!("file {} is of bucket {id}, but there are {} buckets", name_of(file), declared.count);
                return Ok(BucketState::Refuted(reason));
            }
            files.push(id);
        }
        let hash = names.hash(self.declaration().bucketing_version);
        let mut columns = Vec::with_capacity(declared.columns.len());
        for name in &declared.columns {
            let Ok(column) = self.schema().index_of(name) else { continue };
            let data_type = self.schema().field(column).data_type();
            if !hash.supports(data_type) {
                return Ok(BucketState::Refuted(format!("{} of {data_type} is not computed", hash.name())));
            }
            columns.push(column);
        }
        Ok(BucketState::Known(TableBuckets { columns, count: declared.count, hash, files, evidence: Evidence::Declared }))
    }

    fn infer(&self, names: Names) -> Result<BucketState> {
        let files: Vec<u32> = self.files().iter().filter_map(|file| names.id(name_of(file))).collect();
        let highest = files.iter().copied().max().unwrap_or(0);
        if highest == 0 || files.len() != self.files().len() {
            return Ok(BucketState::None);
        }
        let hashes = match names {
            Names::Spark => &[BucketHash::Spark][..],
            Names::Hive => &[BucketHash::Hive1, BucketHash::Hive2][..],
        };
        for column in 0..self.file_columns().min(COLUMNS_TRIED) {
            for &hash in hashes {
                if let Some(count) = self.count_of(column, hash, &files, highest)? {
                    let evidence = Evidence::Inferred;
                    return Ok(BucketState::Known(TableBuckets { columns: vec![column], count, hash, files, evidence }));
                }
            }
        }
        Ok(BucketState::None)
    }

    /// The number of buckets if a sample agrees that `column` is the bucket column.
    fn count_of(&self, column: usize, hash: BucketHash, ids: &[u32], highest: u32) -> Result<Option<u32>> {
        if !hash.supports(self.schema().field(column).data_type()) {
            return Ok(None);
        }
        let step = self.files().len().div_ceil(FILES_SAMPLED).max(1);
        let (mut divisor, mut rows) = (0, 0);
        for (file, &id) in self.files().iter().zip(ids).step_by(step) {
            let Some(row_group) = (0..file.footer.row_groups()).find(|group| file.footer.rows(*group) > 0) else { continue };
            let Some(values) = self.sample(file, row_group, column, ROWS_SAMPLED)? else { return Ok(None) };
            for value in hash.hashes(std::slice::from_ref(&values), values.len())? {
                let value = match hash {
                    BucketHash::Spark => i64::from(value as i32),
                    BucketHash::Hive1 | BucketHash::Hive2 => i64::from(value & 0x7fff_ffff),
                };
                divisor = common_divisor(divisor, (value - i64::from(id)).unsigned_abs());
                rows += 1;
            }
            if divisor > 0 && divisor <= u64::from(highest) {
                return Ok(None);
            }
        }
        let plausible = rows >= ROWS_MIN && divisor > u64::from(highest) && divisor <= COUNT_MAX;
        Ok(plausible.then_some(divisor as u32))
    }
}

fn common_divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
