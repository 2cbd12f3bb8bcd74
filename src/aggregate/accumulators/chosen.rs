//! Aggregates that keep one value a group: `first`, `last`, `any_value`, `max_by`, `min_by`.
//!
//! Of each group the key that decides is kept as bytes that compare as the value does (empty where
//! only the order of coming counts), and where its value is among the pieces copied out of batches.
//! A batch copies at most one value a group; pieces are put together when most of them is out of use.

use super::{Accumulate, Groups};
use crate::column::{Column, array_bytes, storage_type};
use crate::error::{Error, Result};
use crate::exec::spill::compact_views;
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, UInt32Array, new_empty_array, new_null_array};
use arrow::compute;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use std::sync::Arc;

/// Which value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The one that came first; `true`: of those that are not NULL.
    First(bool),
    /// The one that came last; `true`: of those that are not NULL.
    Last(bool),
    /// The one beside the largest second argument.
    MaxBy,
    /// The one beside the smallest second argument.
    MinBy,
}

/// Values out of use that are worth a copy of the others. Guessed.
const GARBAGE_ROWS: usize = 1 << 14;
const NOWHERE: u32 = u32::MAX;

pub(super) struct Chosen {
    choice: Choice,
    value_type: DataType,
    /// Makes keys of this type comparable.
    keys_of: Option<(RowConverter, DataType)>,
    keys: Vec<Option<Box<[u8]>>>,
    key_bytes: usize,
    places: Vec<u32>,
    pieces: Vec<ArrayRef>,
    piece_rows: usize,
    piece_bytes: usize,
    /// The row of the batch at hand that each group takes, and the groups that take one.
    taken: Vec<u32>,
    touched: Vec<u32>,
}

impl Chosen {
    pub(super) fn new(choice: Choice, types: &[DataType]) -> Result<Self> {
        let value_type = types.first().map(storage_type).ok_or_else(|| Error::internal("a choice without a value"))?;
        let keys_of = match types.get(1) {
            Some(key) => Some((RowConverter::new(vec![SortField::new(storage_type(key))])?, storage_type(key))),
            None => None,
        };
        Ok(Self {
            choice,
            value_type,
            keys_of,
            keys: Vec::new(),
            key_bytes: 0,
            places: Vec::new(),
            pieces: Vec::new(),
            piece_rows: 0,
            piece_bytes: 0,
            taken: Vec::new(),
            touched: Vec::new(),
        })
    }

    /// Whether a value with this key takes the place of one with that key.
    fn replaces(&self, new: &[u8], old: Option<&[u8]>) -> bool {
        match (self.choice, old) {
            (_, None) => true,
            (Choice::First(_), Some(_)) => false,
            (Choice::Last(_), Some(_)) => true,
            (Choice::MaxBy, Some(old)) => new >= old,
            (Choice::MinBy, Some(old)) => new <= old,
        }
    }

    /// Offers rows: those with a key may be taken.
    fn offer<'a>(&mut self, groups: &Groups, values: &ArrayRef, key: impl Fn(usize) -> Option<&'a [u8]>) -> Result<()> {
        let count = groups.count();
        self.keys.resize(count.max(self.keys.len()), None);
        self.places.resize(count.max(self.places.len()), NOWHERE);
        self.taken.resize(self.places.len(), NOWHERE);
        groups.for_each(None, |group, row| {
            let Some(new) = key(row) else { return };
            let old = self.keys[group].as_deref();
            if !self.replaces(new, old) {
                return;
            }
            self.key_bytes += new.len();
            self.key_bytes -= old.map_or(0, <[u8]>::len);
            self.keys[group] = Some(new.into());
            if self.taken[group] == NOWHERE {
                self.touched.push(group as u32);
            }
            self.taken[group] = row as u32;
        });
        if self.touched.is_empty() {
            return Ok(());
        }
        let rows: UInt32Array = self.touched.iter().map(|&group| self.taken[group as usize]).collect::<Vec<_>>().into();
        let piece = compact_views(compute::take(values, &rows, None)?);
        for (index, group) in self.touched.drain(..).enumerate() {
            self.places[group as usize] = (self.piece_rows + index) as u32;
            self.taken[group as usize] = NOWHERE;
        }
        self.piece_rows += piece.len();
        self.piece_bytes += array_bytes(&piece);
        self.pieces.push(piece);
        if self.piece_rows > 2 * self.places.len() + GARBAGE_ROWS {
            self.compact()?;
        }
        Ok(())
    }

    /// The groups' values in their order; NULL where there is none.
    fn values(&self, count: usize) -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        if arrays.is_empty() {
            return Ok(new_null_array(&self.value_type, count));
        }
        let all = compute::concat(&arrays)?;
        let place = |group: usize| self.places.get(group).copied().filter(|&place| place != NOWHERE);
        Ok(compute::take(&all, &UInt32Array::from_iter((0..count).map(place)), None)?)
    }

    fn compact(&mut self) -> Result<()> {
        let values = compact_views(self.values(self.places.len())?);
        for (group, place) in self.places.iter_mut().enumerate().filter(|(_, place)| **place != NOWHERE) {
            *place = group as u32;
        }
        (self.piece_rows, self.piece_bytes) = (values.len(), array_bytes(&values));
        self.pieces = vec![values];
        Ok(())
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.places.clear();
        self.taken.clear();
        self.pieces.clear();
        (self.key_bytes, self.piece_rows, self.piece_bytes) = (0, 0, 0);
    }
}

impl Accumulate for Chosen {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        let flat = |index: usize| match columns.get(index) {
            Some(column) => column.flat(),
            None => Err(Error::internal("a choice without its argument")),
        };
        let mut values = flat(0)?;
        if *values.data_type() != self.value_type {
            values = Column::Flat(values).stored(&self.value_type)?;
        }
        if let Some((converter, key_type)) = &self.keys_of {
            let mut keys = flat(1)?;
            if keys.data_type() != key_type {
                keys = Column::Flat(keys).stored(key_type)?;
            }
            let nulls = keys.logical_nulls();
            let rows = converter.convert_columns(&[keys])?;
            let rows = rows.try_into_binary()?;
            return self
                .offer(groups, &values, |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then(|| rows.value(row)));
        }
        let skip = match self.choice {
            Choice::First(true) | Choice::Last(true) => values.logical_nulls(),
            _ => None,
        };
        self.offer(groups, &values, |row| skip.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then_some(&[][..]))
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        let [values, keys] = state else { return Err(Error::internal("a choice's state has two columns")) };
        let keys = keys.as_binary_view();
        self.offer(groups, values, |row| keys.is_valid(row).then(|| keys.value(row)))
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        let values = self.values(count)?;
        let keys: BinaryViewArray = (0..count).map(|group| self.keys.get(group).and_then(Option::as_deref)).collect();
        self.clear();
        Ok(vec![values, Arc::new(keys)])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let values = if count == 0 { new_empty_array(&self.value_type) } else { self.values(count)? };
        self.clear();
        Ok(values)
    }

    fn bytes(&self) -> usize {
        self.key_bytes + self.keys.capacity() * 16 + self.places.capacity() * 8 + self.piece_bytes
    }
}
