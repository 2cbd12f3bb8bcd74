//! Columns held as codes into a dictionary that many chunks share.

use super::Selection;
use crate::error::Result;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute;
use parking_lot::Mutex;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Distinct values with an identity, so that work done once per dictionary is found again.
pub struct Dictionary {
    values: ArrayRef,
    id: u64,
    memo: Mutex<Vec<(u64, Arc<dyn Any + Send + Sync>)>>,
}

/// One code a row into a shared [`Dictionary`]; a NULL code is a NULL row.
#[derive(Debug, Clone)]
pub struct DictColumn {
    codes: UInt32Array,
    dictionary: Arc<Dictionary>,
}

/// A number no other caller gets: for dictionaries and for what is remembered in them.
pub fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Dictionary {
    /// A dictionary of `values` in their storage type. Values may repeat and may be NULL.
    pub fn new(values: ArrayRef) -> Self {
        Self { values, id: next_id(), memo: Mutex::default() }
    }

    /// The values; a code is a row number here.
    pub fn values(&self) -> &ArrayRef {
        &self.values
    }

    /// The identity: equal ids mean the same values under the same codes.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What `compute` gave for `key` (a number from [`Dictionary::key`]) when first asked.
    pub fn remember<T: Any + Send + Sync>(&self, key: u64, compute: impl FnOnce(&ArrayRef) -> Result<T>) -> Result<Arc<T>> {
        let found = self.memo.lock().iter().find(|(k, _)| *k == key).map(|(_, value)| value.clone());
        if let Some(value) = found.and_then(|value| value.downcast::<T>().ok()) {
            return Ok(value);
        }
        let value = Arc::new(compute(&self.values)?);
        self.memo.lock().push((key, value.clone()));
        Ok(value)
    }

    /// Whether something is remembered for `key`.
    pub fn remembers(&self, key: u64) -> bool {
        self.memo.lock().iter().any(|(k, _)| *k == key)
    }

    /// A fresh key for [`Dictionary::remember`]: take one per compiled expression, not per chunk.
    pub fn key() -> u64 {
        next_id()
    }
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dictionary {{ id: {}, values: {} x {} }}", self.id, self.values.len(), self.values.data_type())
    }
}

impl DictColumn {
    /// Codes into `dictionary`. Every code that is not NULL must be below its length.
    pub fn new(codes: UInt32Array, dictionary: Arc<Dictionary>) -> Self {
        Self { codes, dictionary }
    }

    /// One code a row.
    pub fn codes(&self) -> &UInt32Array {
        &self.codes
    }

    /// The code of `row`, or none where the row is NULL.
    pub fn code(&self, row: usize) -> Option<u32> {
        (!self.codes.is_null(row)).then(|| self.codes.value(row))
    }

    /// The dictionary.
    pub fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }

    /// One value a row.
    pub fn flat(&self) -> Result<ArrayRef> {
        Ok(compute::take(self.dictionary.values(), &self.codes, None)?)
    }

    /// The rows that `selection` picks.
    pub fn select(&self, selection: &Selection) -> Result<Self> {
        let codes: ArrayRef = Arc::new(self.codes.clone());
        let picked = selection.pick(&codes)?;
        Ok(Self { codes: arrow::array::AsArray::as_primitive(&picked).clone(), dictionary: self.dictionary.clone() })
    }

    /// `len` rows from `offset`.
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        Self { codes: self.codes.slice(offset, len), dictionary: self.dictionary.clone() }
    }
}
