//! Aggregates that keep values: DISTINCT ones and `collect_list`, `collect_set`.
//!
//! Problem: `count(DISTINCT x)` cannot be merged from counts. Idea: the state is the values
//! themselves, without repetition where that is asked for: a hash table over (group, value) tells
//! which rows bring something new, and only those are kept. As a state column a group's values are
//! a list, so they go through partitioning, spilling and merging as any other state. The plain
//! accumulator sees them once, at the end.
//!
//! Cost: a slot of the table and one value per distinct pair. NULL values are left out, as SQL's
//! DISTINCT aggregates and Spark's collecting ones do.

use super::super::keys::GroupKeys;
use super::super::table::GroupTable;
use super::count::all_valid;
use super::{Accumulate, Groups, SlotSpec};
use crate::column::{Column, array_bytes, storage_type, to_plan_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute;
use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

/// The state column that holds values of this SQL type.
pub(super) fn list_type(data_type: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(storage_type(data_type), true)))
}

/// (group, value) pairs, each once or as often as it came.
pub(super) struct Pairs {
    types: Vec<DataType>,
    known: Option<(GroupKeys, GroupTable)>,
    ids: Vec<u32>,
    /// Per argument, the kept values batch by batch.
    values: Vec<Vec<ArrayRef>>,
    held: usize,
}

impl Pairs {
    /// No pairs; `once`: equal ones are kept once.
    pub(super) fn new(types: &[DataType], once: bool) -> Self {
        let known = once.then(|| {
            let mut key_types = vec![DataType::UInt32];
            key_types.extend(types.iter().cloned());
            let keys = GroupKeys::new(key_types);
            let table = GroupTable::new(keys.empty());
            (keys, table)
        });
        Self { types: types.to_vec(), known, ids: Vec::new(), values: vec![Vec::new(); types.len()], held: 0 }
    }

    /// Keeps the rows of a batch that bring something new.
    fn add(&mut self, ids: UInt32Array, columns: &[Column]) -> Result<()> {
        let stored = |(column, data_type): (&Column, &DataType)| column.stored(data_type);
        let mut arrays = columns.iter().zip(&self.types).map(stored).collect::<Result<Vec<_>>>()?;
        let mut ids = ids;
        if let Some(valid) = all_valid(columns)? {
            let rows: UInt32Array = valid.valid_indices().map(|row| row as u32).collect::<Vec<_>>().into();
            arrays = arrays.iter().map(|array| compute::take(array, &rows, None)).collect::<Result<_, _>>()?;
            ids = compute::take(&ids, &rows, None)?.as_primitive().clone();
        }
        if let Some((keys, table)) = &mut self.known {
            let mut key_columns = vec![Column::Flat(Arc::new(ids.clone()))];
            key_columns.extend(arrays.iter().cloned().map(Column::Flat));
            let encoded = keys.encode(&key_columns, ids.len())?;
            let (mut pairs, mut fresh) = (Vec::new(), Vec::new());
            table.assign(&encoded, &encoded.hash(false), &mut pairs, &mut fresh);
            if fresh.len() < ids.len() {
                let rows = UInt32Array::from(fresh);
                arrays = arrays.iter().map(|array| compute::take(array, &rows, None)).collect::<Result<_, _>>()?;
                ids = compute::take(&ids, &rows, None)?.as_primitive().clone();
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        self.ids.extend_from_slice(ids.values());
        for (kept, array) in self.values.iter_mut().zip(arrays) {
            self.held += array_bytes(&array);
            kept.push(array);
        }
        Ok(())
    }

    /// Takes a batch: one column an argument.
    pub(super) fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        let ids = match groups.ids() {
            Some(ids) => ids.to_vec(),
            None => vec![0; groups.rows()],
        };
        self.add(ids.into(), columns)
    }

    pub(super) fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        let Some(first) = state.first() else { return Ok(()) };
        let mut ids = Vec::new();
        let offsets = first.as_list::<i32>().value_offsets();
        groups.for_each(None, |group, row| {
            ids.extend(std::iter::repeat_n(group as u32, (offsets[row + 1] - offsets[row]) as usize));
        });
        let values = |array: &ArrayRef| {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            let (from, to) = (offsets[0] as usize, offsets[list.len()] as usize);
            Column::Flat(list.values().slice(from, to - from))
        };
        self.add(ids.into(), &state.iter().map(values).collect::<Vec<_>>())
    }

    /// The pairs' groups and values, in the order they came; empty afterwards.
    fn take(&mut self) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let mut columns = Vec::with_capacity(self.types.len());
        for (kept, data_type) in self.values.iter_mut().zip(&self.types) {
            let kept = std::mem::take(kept);
            let arrays: Vec<&dyn Array> = kept.iter().map(AsRef::as_ref).collect();
            columns.push(match arrays.is_empty() {
                true => new_empty_array(&storage_type(data_type)),
                false => compute::concat(&arrays)?,
            });
        }
        let ids = std::mem::take(&mut self.ids);
        if let Some((keys, table)) = &mut self.known {
            *table = GroupTable::new(keys.empty());
        }
        self.held = 0;
        Ok((ids, columns))
    }

    /// One list a group and argument; empty afterwards.
    pub(super) fn lists(&mut self, count: usize) -> Result<Vec<ListArray>> {
        let (ids, columns) = self.take()?;
        if i32::try_from(ids.len()).is_err() {
            return Err(Error::memory("over 2^31 values to keep in one task of an aggregate"));
        }
        let mut ends = vec![0_i32; count + 1];
        ids.iter().for_each(|&id| ends[id as usize + 1] += 1);
        for group in 0..count {
            ends[group + 1] += ends[group];
        }
        let mut next = ends.clone();
        let mut rows = vec![0_u32; ids.len()];
        for (row, &id) in ids.iter().enumerate() {
            let at = &mut next[id as usize];
            rows[*at as usize] = row as u32;
            *at += 1;
        }
        let rows = UInt32Array::from(rows);
        let offsets = OffsetBuffer::new(ends.into());
        let list = |values: &ArrayRef| {
            let values = compute::take(values, &rows, None)?;
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Ok(ListArray::try_new(field, offsets.clone(), values, None)?)
        };
        columns.iter().map(list).collect()
    }

    pub(super) fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        Ok(self.lists(count)?.into_iter().map(|list| Arc::new(list) as ArrayRef).collect())
    }

    pub(super) fn bytes(&self) -> usize {
        self.held + self.ids.capacity() * 4 + self.known.as_ref().map_or(0, |(_, table)| table.bytes())
    }
}

/// An aggregate over distinct values.
pub(super) struct Distinct {
    pairs: Pairs,
    inner: Box<dyn Accumulate>,
}

impl Distinct {
    /// `inner` gets every distinct value once; groups without any must give its empty result.
    pub(super) fn new(spec: &SlotSpec, inner: Box<dyn Accumulate>) -> Self {
        Self { pairs: Pairs::new(&spec.types, true), inner }
    }
}

impl Accumulate for Distinct {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.pairs.update(groups, columns)
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.pairs.merge(groups, state)
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        self.pairs.drain(count)
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let (ids, columns) = self.pairs.take()?;
        let columns: Vec<Column> = columns.into_iter().map(Column::Flat).collect();
        self.inner.update(&Groups::new(&ids, count, 0), &columns)?;
        self.inner.finish(count)
    }

    fn bytes(&self) -> usize {
        self.pairs.bytes()
    }
}

/// `collect_list` and `collect_set`: an array of a group's values, empty where there is none.
pub(super) struct Collect {
    pairs: Pairs,
    output: DataType,
}

impl Collect {
    pub(super) fn new(spec: &SlotSpec, once: bool) -> Self {
        Self { pairs: Pairs::new(&spec.types, once), output: spec.output.clone() }
    }
}

impl Accumulate for Collect {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.pairs.update(groups, columns)
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.pairs.merge(groups, state)
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        self.pairs.drain(count)
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let list = self.pairs.lists(count)?.pop().ok_or_else(|| Error::internal("a collection without its argument"))?;
        // Inside lists values have their SQL types.
        let DataType::List(item) = &self.output else { return Err(Error::internal("a collection is a list")) };
        let values = to_plan_type(list.values(), item.data_type())?;
        Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, None)?))
    }

    fn bytes(&self) -> usize {
        self.pairs.bytes()
    }
}
