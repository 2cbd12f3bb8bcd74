//! Aggregates that need all values of a group at once: percentiles, `mode`, `listagg`.
//!
//! The values are kept as lists, like those of `collect_list` ([`super::pairs`]), and so go through
//! partitions and files as these do; a group's are sorted when its result is asked for.
//!
//! ```text
//!   percentile(x, p)           between the neighbours of place p (n - 1)         10 20 40: 0.25 -> 15
//!   percentile_disc(p)         the first value with a share of p up to it                  0.25 -> 10
//!   percentile_approx(x, p)    the same, as a value of x's type; no error is made
//! ```
//!
//! Cost: a copy of every value, n log n to sort. NULLs are left out.

use super::pairs::Pairs;
use super::{Accumulate, Groups, SlotSpec};
use crate::column::{Column, storage_type, to_plan_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StringViewArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use std::sync::Arc;

/// What is made of a group's values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Gathered {
    /// Values at fractions of the way through the sorted doubles, interpolated; a second argument
    /// says how often each value counts.
    Percentile {
        /// From 0 to 1.
        fractions: Vec<f64>,
        /// The result is a list.
        list: bool,
    },
    /// The smallest value up to which a fraction of all values lies; from the largest, `descending`.
    Discrete {
        /// From 0 to 1.
        fractions: Vec<f64>,
        /// The result is a list.
        list: bool,
        /// Sorted the other way round.
        descending: bool,
    },
    /// The most frequent value; of several the smallest, or the largest, `descending`.
    Mode {
        /// Sorted the other way round.
        descending: bool,
    },
    /// All values, sorted by the second argument.
    List,
    /// Texts one behind another, sorted by the second argument, if there is one.
    Text {
        /// What stands between two of them.
        delimiter: String,
    },
}

pub(super) struct Gather {
    what: Gathered,
    pairs: Pairs,
    output: DataType,
}

impl Gather {
    pub(super) fn new(what: &Gathered, spec: &SlotSpec) -> Self {
        Self { what: what.clone(), pairs: Pairs::new(&spec.types, spec.distinct), output: spec.output.clone() }
    }
}

impl Accumulate for Gather {
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
        let lists = self.pairs.lists(count)?;
        let mut lists = lists.iter();
        let values = lists.next().ok_or_else(|| Error::internal("values without a list"))?;
        let second = lists.next();
        match &self.what {
            Gathered::Percentile { fractions, list } => percentiles(values, second, fractions, *list),
            Gathered::Discrete { fractions, list, descending } => {
                let picked = pick(values, fractions.len(), |rows, picked| {
                    for fraction in fractions {
                        let place = ((fraction * rows.len() as f64).ceil() as usize).clamp(1, rows.len()) - 1;
                        picked.push(rows[if *descending { rows.len() - 1 - place } else { place }]);
                    }
                })?;
                if *list { as_lists(picked, values, fractions.len(), &self.output) } else { Ok(picked) }
            }
            Gathered::Mode { descending } => mode(values, *descending),
            Gathered::List => sorted_lists(values, second, &self.output),
            Gathered::Text { delimiter } => texts(values, second, delimiter),
        }
    }

    fn bytes(&self) -> usize {
        self.pairs.bytes()
    }
}

/// For each group `width` of its rows, which `choose` gets sorted; NULLs for a group without rows.
fn pick(lists: &ListArray, width: usize, choose: impl Fn(&[u32], &mut Vec<u32>)) -> Result<ArrayRef> {
    let values = lists.values();
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    let keys = converter.convert_columns(std::slice::from_ref(values))?;
    let mut picked: Vec<Option<u32>> = Vec::with_capacity(lists.len() * width);
    let mut chosen = Vec::with_capacity(width);
    for range in lists.value_offsets().windows(2) {
        let mut rows: Vec<u32> = (range[0] as u32..range[1] as u32).collect();
        if rows.is_empty() {
            picked.extend(std::iter::repeat_n(None, width));
            continue;
        }
        rows.sort_unstable_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)));
        chosen.clear();
        choose(&rows, &mut chosen);
        picked.extend(chosen.iter().copied().map(Some));
    }
    Ok(compute::take(values, &UInt32Array::from(picked), None)?)
}

fn mode(lists: &ListArray, descending: bool) -> Result<ArrayRef> {
    let values = lists.values();
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    let keys = converter.convert_columns(std::slice::from_ref(values))?;
    pick(lists, 1, |rows, picked| {
        let runs = rows.chunk_by(|a, b| keys.row(*a as usize) == keys.row(*b as usize));
        let longest = runs.reduce(|best, run| {
            let wins = if descending { run.len() >= best.len() } else { run.len() > best.len() };
            if wins { run } else { best }
        });
        picked.extend(longest.and_then(<[u32]>::first));
    })
}

fn percentiles(lists: &ListArray, counts: Option<&ListArray>, fractions: &[f64], list: bool) -> Result<ArrayRef> {
    let values = lists.values().as_primitive::<Float64Type>().values();
    let counts = counts.map(|counts| counts.values().as_primitive::<Int64Type>().values().clone());
    if counts.as_ref().is_some_and(|counts| counts.iter().any(|count| *count < 0)) {
        return Err(Error::value("a value cannot count less than 0 times in percentile"));
    }
    let mut found: Vec<Option<f64>> = Vec::with_capacity(lists.len() * fractions.len());
    for range in lists.value_offsets().windows(2) {
        let rows = range[0] as usize..range[1] as usize;
        let count = |row: usize| counts.as_ref().map_or(1, |counts| counts[row] as u64);
        let mut sorted: Vec<(f64, u64)> = rows.map(|row| (values[row], count(row))).filter(|(_, count)| *count > 0).collect();
        sorted.sort_unstable_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or_else(|| a.0.is_nan().cmp(&b.0.is_nan())));
        // How many values there are up to and with each.
        let mut total = 0;
        for (_, count) in &mut sorted {
            total += *count;
            *count = total;
        }
        let at = |place: u64| sorted[sorted.partition_point(|(_, up_to)| *up_to <= place).min(sorted.len() - 1)].0;
        found.extend(fractions.iter().map(|fraction| {
            (total > 0).then(|| {
                let place = fraction * (total - 1) as f64;
                let (low, high) = (at(place.floor() as u64), at(place.ceil() as u64));
                let share = place - place.floor();
                if share == 0.0 || low == high { low } else { (1.0 - share) * low + share * high }
            })
        }));
    }
    let found: ArrayRef = Arc::new(Float64Array::from(found));
    if !list {
        return Ok(found);
    }
    let item = DataType::List(Arc::new(arrow::datatypes::Field::new_list_field(DataType::Float64, true)));
    as_lists(found, lists, fractions.len(), &item)
}

/// Groups of `width` values as lists; NULL for a group that had no value.
fn as_lists(values: ArrayRef, groups: &ListArray, width: usize, output: &DataType) -> Result<ArrayRef> {
    let DataType::List(item) = output else { return Err(Error::internal("several percentiles are a list")) };
    let values = to_plan_type(&values, item.data_type())?;
    let offsets = OffsetBuffer::from_repeated_length(width, groups.len());
    let valid: NullBuffer = groups.value_offsets().windows(2).map(|range| range[1] > range[0]).collect();
    Ok(Arc::new(ListArray::try_new(item.clone(), offsets, values, Some(valid))?))
}

/// The values in the order of their keys; a group without values has an empty list.
fn sorted_lists(lists: &ListArray, order: Option<&ListArray>, output: &DataType) -> Result<ArrayRef> {
    let (DataType::List(item), Some(order)) = (output, order) else {
        return Err(Error::internal("a list in an order without keys"));
    };
    let keys = order.values().as_binary_view();
    let mut rows: Vec<u32> = (0..lists.values().len() as u32).collect();
    for range in lists.value_offsets().windows(2) {
        rows[range[0] as usize..range[1] as usize].sort_by(|a, b| keys.value(*a as usize).cmp(keys.value(*b as usize)));
    }
    let values = compute::take(lists.values(), &UInt32Array::from(rows), None)?;
    let values = to_plan_type(&values, item.data_type())?;
    Ok(Arc::new(ListArray::try_new(item.clone(), lists.offsets().clone(), values, None)?))
}

fn texts(lists: &ListArray, order: Option<&ListArray>, delimiter: &str) -> Result<ArrayRef> {
    let wanted = storage_type(&DataType::Utf8);
    let values = Column::Flat(lists.values().clone()).stored(&wanted)?;
    let values = values.as_string_view();
    let keys = order.map(|order| order.values().as_binary_view().clone());
    let mut found: Vec<Option<String>> = Vec::with_capacity(lists.len());
    for range in lists.value_offsets().windows(2) {
        let mut rows: Vec<usize> = (range[0] as usize..range[1] as usize).collect();
        if let Some(keys) = &keys {
            rows.sort_by(|a, b| keys.value(*a).cmp(keys.value(*b)));
        }
        let texts: Vec<&str> = rows.iter().map(|row| values.value(*row)).collect();
        found.push((!texts.is_empty()).then(|| texts.join(delimiter)));
    }
    Ok(Arc::new(StringViewArray::from_iter(found)))
}
