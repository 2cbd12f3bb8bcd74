//! COUNT: rows in which no argument is NULL.

use super::{Accumulate, Groups, only_state};
use crate::column::Column;
use crate::error::Result;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Count {
    fn resize(&mut self, groups: &Groups) {
        if self.counts.len() < groups.count() {
            self.counts.resize(groups.count(), 0);
        }
    }

    fn take(&mut self, count: usize) -> ArrayRef {
        let mut counts = std::mem::take(&mut self.counts);
        counts.resize(count, 0);
        Arc::new(Int64Array::from(counts))
    }
}

/// Where every column has a value; none when that is everywhere.
pub(super) fn all_valid(columns: &[Column]) -> Result<Option<NullBuffer>> {
    let mut valid: Option<NullBuffer> = None;
    for column in columns {
        let nulls = match column {
            Column::Const(value, rows) if value.is_null(0) => Some(NullBuffer::new_null(*rows)),
            Column::Const(..) => None,
            Column::Dict(dict) if dict.dictionary().values().null_count() == 0 => dict.codes().nulls().cloned(),
            other => other.flat()?.logical_nulls(),
        };
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        valid = NullBuffer::union(valid.as_ref(), nulls.as_ref());
    }
    Ok(valid)
}

impl Accumulate for Count {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.resize(groups);
        let counts = &mut self.counts;
        match all_valid(columns)? {
            None if groups.is_few() => {
                counts.iter_mut().zip(groups.histogram()).for_each(|(count, &rows)| *count += i64::from(rows));
            }
            Some(valid) if groups.ids().is_none() => counts[0] += (valid.len() - valid.null_count()) as i64,
            valid => groups.for_each(valid.as_ref(), |group, _| counts[group] += 1),
        }
        Ok(())
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.resize(groups);
        let values = only_state(state)?.as_primitive::<Int64Type>().values();
        groups.for_each(None, |group, row| self.counts[group] += values[row]);
        Ok(())
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(count)])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        Ok(self.take(count))
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}
