//! Group keys: [`crate::expr::keys`] with NULLs equal.
//!
//! A single key of 64 bits would need a 65th for NULL, and twice the bytes for it: it is encoded as
//! if NULLs were not equal, and the table gives the NULL rows that the encoding marks a group of
//! their own.

use crate::column::Column;
use crate::error::Result;
use crate::expr::keys::{EncodedKeys, KeyColumns, KeyLayout};
use arrow::datatypes::DataType;

/// Encodes the keys of one grouping.
#[derive(Debug, Clone)]
pub(super) struct GroupKeys(KeyColumns);

/// Keys that a table holds, in the order of its groups.
#[derive(Debug)]
pub(super) enum StoredKeys {
    Fixed64(Vec<u64>),
    Fixed128(Vec<u128>),
    /// Key `i` is the bytes from `offsets[i]` to `offsets[i + 1]`.
    Bytes {
        offsets: Vec<usize>,
        data: Vec<u8>,
    },
}

impl GroupKeys {
    /// Keys of these SQL types.
    pub(super) fn new(types: Vec<DataType>) -> Self {
        if types.len() == 1 {
            let single = KeyColumns::new(types.clone(), vec![false]);
            if single.layout() == KeyLayout::Fixed64 {
                return Self(single);
            }
        }
        let null_equals = vec![true; types.len()];
        Self(KeyColumns::new(types, null_equals))
    }

    /// No keys yet.
    pub(super) fn empty(&self) -> StoredKeys {
        match self.0.layout() {
            KeyLayout::Fixed64 => StoredKeys::Fixed64(Vec::new()),
            KeyLayout::Fixed128 => StoredKeys::Fixed128(Vec::new()),
            KeyLayout::Bytes => StoredKeys::Bytes { offsets: vec![0], data: Vec::new() },
        }
    }

    /// The keys of `rows` rows. Rows marked invalid have the key NULL.
    pub(super) fn encode(&self, columns: &[Column], rows: usize) -> Result<EncodedKeys> {
        self.0.encode(columns, rows)
    }
}
