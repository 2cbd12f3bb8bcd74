//! Bucket numbers in file names.
//!
//! ```text
//!   part-00000-<uuid>_00003.c000.snappy.parquet   Spark: after the last underscore
//!   000003_0, 000003_0_copy_1                     Hive: before the first one
//!   00003_0_part-<uuid>.parquet                   Spark for a Hive table: before the first one
//! ```

use super::BucketHash;

/// The bucket that Spark's name tells.
pub fn spark_id(name: &str) -> Option<u32> {
    // Up to the first dot after the last underscore that a number follows.
    let mut end = name.len();
    loop {
        let at = name[..end].rfind('_')?;
        let rest = &name[at + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && (digits == rest.len() || rest.as_bytes()[digits] == b'.') {
            return rest[..digits].parse().ok();
        }
        end = at;
    }
}

/// The bucket that Hive's name tells.
pub fn hive_id(name: &str) -> Option<u32> {
    let (id, rest) = name.split_once('_')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let attempt = rest.split(['_', '.', '-']).next()?;
    (digits(id) && digits(attempt)).then(|| id.parse().ok()).flatten()
}

/// Which dialect's names these are, if all of them are of one: Hive's is tried first, because Spark's
/// pattern would read `000003_0` as bucket 0.
pub fn dialect<'a>(mut names: impl Iterator<Item = &'a str> + Clone) -> Option<Names> {
    names.clone().next()?;
    if names.clone().all(|name| hive_id(name).is_some()) {
        return Some(Names::Hive);
    }
    names.all(|name| name.starts_with("part-") && spark_id(name).is_some()).then_some(Names::Spark)
}

/// A way of writing bucket numbers into names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Spark's.
    Spark,
    /// Hive's.
    Hive,
}

impl Names {
    /// The bucket number in a file's name.
    pub fn id(self, name: &str) -> Option<u32> {
        match self {
            Self::Spark => spark_id(name),
            Self::Hive => hive_id(name),
        }
    }

    /// The hash that goes with the names; `version` is the table property `bucketing_version`.
    pub fn hash(self, version: Option<u32>) -> BucketHash {
        match (self, version) {
            (Self::Spark, _) => BucketHash::Spark,
            (Self::Hive, Some(2)) => BucketHash::Hive2,
            (Self::Hive, _) => BucketHash::Hive1,
        }
    }
}
