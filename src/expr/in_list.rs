//! `a [NOT] IN (constants)`.
//!
//! Short lists are compared one after the other; longer ones become a hash set. NULL: a NULL value
//! gives NULL, and so does a value that is not found in a list that holds a NULL.

use super::compare::{Cmp, compare};
use super::kernel::{Arg, Kernel};
use super::keys::{KeyColumns, KeyData};
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::sync::Arc;

/// Lists of at most this many values are compared value by value. Guessed.
const LINEAR_MAX: usize = 4;

/// The kernel; the list's values are known when the plan is compiled.
#[derive(Debug)]
pub(super) struct InList {
    values: Vec<ArrayRef>,
    set: Option<Set>,
    keys: KeyColumns,
    has_null: bool,
    negated: bool,
}

#[derive(Debug)]
enum Set {
    Fixed64(HashSet<u64, FixedState>),
    Fixed128(HashSet<u128, FixedState>),
    Bytes(HashSet<Vec<u8>, FixedState>),
}

impl InList {
    /// `values` are arrays of one row in the storage type of `data_type`, the SQL type of the value.
    pub fn new(data_type: &DataType, values: Vec<ArrayRef>, negated: bool) -> Result<Self> {
        let (nulls, values): (Vec<_>, Vec<_>) = values.into_iter().partition(|value| value.logical_null_count() > 0);
        let keys = KeyColumns::new(vec![storage_type(data_type)], vec![false]);
        let mut set = None;
        if values.len() > LINEAR_MAX {
            let all: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
            let all = arrow::compute::concat(&all)?;
            let rows = all.len();
            let encoded = keys.encode(&[Column::Flat(all)], rows)?;
            set = Some(match encoded.data {
                KeyData::Fixed64(keys) => Set::Fixed64(keys.into_iter().collect()),
                KeyData::Fixed128(keys) => Set::Fixed128(keys.into_iter().collect()),
                KeyData::Bytes(keys) => Set::Bytes((0..keys.len()).map(|row| keys.row(row).to_vec()).collect()),
            });
        }
        Ok(Self { values, set, keys, has_null: !nulls.is_empty(), negated })
    }

    fn found(&self, arg: &Arg, rows: usize) -> Result<BooleanBuffer> {
        let Some(set) = &self.set else {
            let mut found = BooleanBuffer::new_unset(rows);
            for value in &self.values {
                let value = Arg { array: value.clone(), is_const: true };
                found = &found | compare(Cmp::Eq, arg, &value, rows)?.values();
            }
            return Ok(found);
        };
        let encoded = self.keys.encode(&[Column::Flat(arg.array.clone())], rows)?;
        Ok(match (set, &encoded.data) {
            (Set::Fixed64(set), KeyData::Fixed64(keys)) => BooleanBuffer::collect_bool(rows, |row| set.contains(&keys[row])),
            (Set::Fixed128(set), KeyData::Fixed128(keys)) => BooleanBuffer::collect_bool(rows, |row| set.contains(&keys[row])),
            (Set::Bytes(set), KeyData::Bytes(keys)) => BooleanBuffer::collect_bool(rows, |row| set.contains(keys.row(row))),
            _ => return Err(Error::internal("an IN list was encoded unlike its value")),
        })
    }
}

impl Kernel for InList {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let arg = &args[0];
        if arg.is_null() {
            return Ok(new_null_array(&DataType::Boolean, rows));
        }
        let found = self.found(arg, rows)?;
        let nulls = match (arg.nulls(), self.has_null) {
            (Some(nulls), true) => Some(NullBuffer::new(nulls.inner() & &found)),
            (None, true) => Some(NullBuffer::new(found.clone())),
            (nulls, false) => nulls,
        };
        Ok(Arc::new(BooleanArray::new(if self.negated { !&found } else { found }, nulls)))
    }
}
