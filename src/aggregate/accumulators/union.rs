//! `collect_union`: the different items of all arrays of a group.
//!
//! The items of a batch's arrays are laid out flat, each with its array's group, and kept once, as
//! those of `collect_set` ([`super::pairs`]). NULL arrays and NULL items are passed over.

use super::pairs::{Pairs, list_type};
use super::{Accumulate, Groups, SlotSpec, only};
use crate::column::{Column, to_plan_type, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use arrow::compute;
use arrow::datatypes::DataType;
use std::sync::Arc;

pub(super) struct Union {
    pairs: Pairs,
    output: DataType,
}

/// The SQL type of the items.
fn item_type(output: &DataType) -> Result<DataType> {
    match output {
        DataType::List(item) => Ok(item.data_type().clone()),
        other => Err(Error::internal(format!("a union of arrays that is {other}"))),
    }
}

/// The state's columns.
pub(super) fn state_types(output: &DataType) -> Result<Vec<DataType>> {
    Ok(vec![list_type(&item_type(output)?)])
}

impl Union {
    pub(super) fn new(spec: &SlotSpec) -> Result<Self> {
        Ok(Self { pairs: Pairs::new(&[item_type(&spec.output)?], true), output: spec.output.clone() })
    }
}

impl Accumulate for Union {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        let lists = only(columns)?.flat()?;
        let lists = lists.as_list::<i32>();
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        let offsets = lists.value_offsets();
        groups.for_each(lists.nulls(), |group, row| {
            for item in offsets[row]..offsets[row + 1] {
                ids.push(group as u32);
                rows.push(item as u32);
            }
        });
        let items = compute::take(lists.values(), &UInt32Array::from(rows), None)?;
        let items = Column::Flat(to_storage_type(&items)?);
        self.pairs.update(&Groups::new(&ids, groups.count(), 0), &[items])
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.pairs.merge(groups, state)
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        self.pairs.drain(count)
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let list = self.pairs.lists(count)?.pop().ok_or_else(|| Error::internal("a union without its argument"))?;
        let DataType::List(item) = &self.output else { return Err(Error::internal("a union is a list")) };
        let values = to_plan_type(list.values(), item.data_type())?;
        Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, None)?))
    }

    fn bytes(&self) -> usize {
        self.pairs.bytes()
    }
}
