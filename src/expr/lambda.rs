//! Functions applied to the items of arrays and the entries of maps.
//!
//! The items of all arrays of a chunk become the rows of one chunk, beside the columns of the row
//! each item came from; the function's body is an ordinary expression over those rows. So a body
//! costs what it costs in a projection, whatever the arrays' lengths.
//!
//! ```text
//!   rows        items             chunk of the body            result
//!   a [1,2]     1 2 | 5    ->     a 1 / a 2 / c 5    -> f ->   [f,f] NULL [f]
//!   b NULL
//!   c [5]
//! ```
//!
//! `aggregate` takes the first items of all arrays, then the second ones, and so on: as many chunks
//! as the longest array has items. `array_sort` compares all pairs of an array at once while they are
//! few. NULL arrays give NULL; NULL items are given to the function.

use super::functions::lambdas::Kind;
use super::functions::maps;
use super::functions::value::{Value, build, read};
use super::vector::{ExprRef, VectorExpr};
use crate::column::{Chunk, Column, Selection, to_plan_type, to_storage_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, UInt32Array, new_empty_array};
use arrow::compute;
use arrow::datatypes::DataType;
use std::cmp::Ordering;
use std::sync::Arc;

/// Longest array whose pairs are all compared at once; longer ones are compared pair by pair.
const PAIRS_MAX: usize = 256;

/// A call of a function that takes functions.
#[derive(Debug)]
pub(super) struct Higher {
    pub kind: Kind,
    pub args: Vec<ExprRef>,
    /// Compiled over the columns of the row, then the function's parameters.
    pub bodies: Vec<ExprRef>,
    /// How many columns a row has, variables of functions around included.
    pub width: usize,
    pub data_type: DataType,
    pub text: String,
}

/// Items of nested values with the rows they come from.
struct Items<'a> {
    rows: Vec<u32>,
    /// One list a parameter.
    parameters: Vec<Vec<Value<'a>>>,
}

impl Higher {
    /// The rows of the chunk that `rows` names, with the parameters behind their columns.
    fn apply(&self, body: &ExprRef, chunk: &Chunk, rows: &[u32], parameters: Vec<(ArrayRef, &DataType)>) -> Result<ArrayRef> {
        if rows.is_empty() {
            return Ok(new_empty_array(body.data_type()));
        }
        let mut used = Vec::new();
        body.collect_columns(&mut used);
        let selection = Arc::new(Selection::from_indices(rows.to_vec()));
        let mut columns = Vec::with_capacity(self.width + parameters.len());
        for at in 0..self.width {
            columns.push(match chunk.columns().get(at).filter(|_| used.contains(&at)) {
                Some(column) => column.select(&selection)?,
                None => Column::nulls(&DataType::Null, rows.len()),
            });
        }
        for (array, _) in parameters {
            columns.push(Column::Flat(to_storage_type(&array)?));
        }
        let result = body.evaluate(&Chunk::new(columns, rows.len()))?.flat()?;
        to_plan_type(&result, body.data_type())
    }

    fn over(&self, body: &ExprRef, chunk: &Chunk, items: Items, types: &[DataType]) -> Result<ArrayRef> {
        let arrays =
            items.parameters.into_iter().zip(types).map(|(values, data_type)| Ok((build(values, data_type)?, data_type)));
        self.apply(body, chunk, &items.rows, arrays.collect::<Result<_>>()?)
    }

    fn item_type(&self, arg: usize) -> DataType {
        match self.args.get(arg).map(|arg| arg.data_type()) {
            Some(DataType::List(item)) => item.data_type().clone(),
            _ => DataType::Null,
        }
    }

    fn pair_types(&self, arg: usize) -> (DataType, DataType) {
        match self.args.get(arg).map(|arg| arg.data_type()) {
            Some(DataType::Map(entries, _)) => match entries.data_type() {
                DataType::Struct(pair) if pair.len() == 2 => (pair[0].data_type().clone(), pair[1].data_type().clone()),
                _ => (DataType::Null, DataType::Null),
            },
            _ => (DataType::Null, DataType::Null),
        }
    }

    /// Results of the body for every item of the first argument, per row.
    fn lists(&self, chunk: &Chunk, first: &[Value<'_>]) -> Result<ArrayRef> {
        let body = self.bodies.first().ok_or_else(|| Error::internal("a function without its body"))?;
        let (mut rows, mut values, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (row, list) in first.iter().enumerate() {
            for (at, item) in list.items().iter().enumerate() {
                rows.push(row as u32);
                values.push(item.clone());
                places.push(Value::Int(at as i64));
            }
        }
        let results =
            self.over(body, chunk, Items { rows, parameters: vec![values, places] }, &[self.item_type(0), DataType::Int32])?;
        let mut at = 0;
        let mut out = Vec::with_capacity(first.len());
        for list in first {
            if list.is_null() {
                out.push(Value::Null);
                continue;
            }
            let items = list.items();
            let of: Vec<Value> = (at..at + items.len()).map(|at| read(results.as_ref(), at)).collect();
            at += items.len();
            out.push(match self.kind {
                Kind::Transform => Value::List(of),
                Kind::Filter => {
                    Value::List(items.iter().zip(&of).filter(|(_, keep)| keep.is_true()).map(|(item, _)| item.clone()).collect())
                }
                Kind::Exists if of.iter().any(Value::is_true) => Value::Bool(true),
                Kind::ForAll if of.iter().any(|result| matches!(result, Value::Bool(false))) => Value::Bool(false),
                _ if of.iter().any(Value::is_null) => Value::Null,
                _ => Value::Bool(self.kind == Kind::ForAll),
            });
        }
        build(out, &self.data_type)
    }

    fn maps(&self, chunk: &Chunk, first: &[Value<'_>]) -> Result<ArrayRef> {
        let body = self.bodies.first().ok_or_else(|| Error::internal("a function without its body"))?;
        let (mut rows, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (row, map) in first.iter().enumerate() {
            for (key, value) in map.entries() {
                rows.push(row as u32);
                keys.push(key.clone());
                values.push(value.clone());
            }
        }
        let (key, value) = self.pair_types(0);
        let results = self.over(body, chunk, Items { rows, parameters: vec![keys, values] }, &[key, value])?;
        let mut at = 0;
        let mut out = Vec::with_capacity(first.len());
        for map in first {
            if map.is_null() {
                out.push(Value::Null);
                continue;
            }
            let entries = map.entries();
            let of = (at..at + entries.len()).map(|at| read(results.as_ref(), at));
            at += entries.len();
            let pairs = entries.iter().zip(of);
            out.push(match self.kind {
                Kind::MapFilter => Value::Map(pairs.filter(|(_, keep)| keep.is_true()).map(|(entry, _)| entry.clone()).collect()),
                Kind::TransformKeys => maps::map(pairs.map(|((_, value), key)| (key, value.clone())))?,
                _ => Value::Map(pairs.map(|((key, _), value)| (key.clone(), value)).collect()),
            });
        }
        build(out, &self.data_type)
    }

    /// Pairs of items by place, or of values by key.
    fn zipped(&self, chunk: &Chunk, left: &[Value<'_>], right: &[Value<'_>]) -> Result<ArrayRef> {
        let body = self.bodies.first().ok_or_else(|| Error::internal("a function without its body"))?;
        let by_key = self.kind == Kind::MapZipWith;
        let (mut rows, mut keys, mut lefts, mut rights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut counts = Vec::new();
        for (row, (left, right)) in left.iter().zip(right).enumerate() {
            if left.is_null() || right.is_null() {
                counts.push(None);
                continue;
            }
            let before = rows.len();
            let mut push = |key: Value<'static>, l: Option<&Value<'_>>, r: Option<&Value<'_>>| {
                rows.push(row as u32);
                keys.push(key);
                lefts.push(l.map_or(Value::Null, own));
                rights.push(r.map_or(Value::Null, own));
            };
            if by_key {
                let find = |map: &Value<'_>, key: &Value<'_>| {
                    map.entries().iter().find(|(known, _)| known.same(key)).map(|(_, v)| own(v))
                };
                for (key, value) in left.entries() {
                    push(own(key), Some(value), find(right, key).as_ref());
                }
                for (key, value) in right.entries().iter().filter(|(key, _)| find(left, key).is_none()) {
                    push(own(key), None, Some(value));
                }
            } else {
                for at in 0..left.items().len().max(right.items().len()) {
                    push(Value::Null, left.items().get(at), right.items().get(at));
                }
            }
            counts.push(Some(rows.len() - before));
        }
        let results = if by_key {
            let ((key, l), (_, r)) = (self.pair_types(0), self.pair_types(1));
            self.over(body, chunk, Items { rows, parameters: vec![keys.clone(), lefts, rights] }, &[key, l, r])?
        } else {
            self.over(body, chunk, Items { rows, parameters: vec![lefts, rights] }, &[self.item_type(0), self.item_type(1)])?
        };
        let mut at = 0;
        let mut out = Vec::with_capacity(counts.len());
        for count in counts {
            let Some(count) = count else {
                out.push(Value::Null);
                continue;
            };
            let of = at..at + count;
            at += count;
            out.push(match by_key {
                true => Value::Map(of.map(|at| (keys[at].clone(), read(results.as_ref(), at))).collect()),
                false => Value::List(of.map(|at| read(results.as_ref(), at)).collect()),
            });
        }
        build(out, &self.data_type)
    }

    fn aggregate(&self, chunk: &Chunk, lists: &[Value<'_>], start: ArrayRef) -> Result<ArrayRef> {
        let body = self.bodies.first().ok_or_else(|| Error::internal("a function without its body"))?;
        let state_type = self.args[1].data_type().clone();
        let mut states = to_plan_type(&start, &state_type)?;
        let longest = lists.iter().map(|list| list.items().len()).max().unwrap_or(0);
        for at in 0..longest {
            let rows: Vec<u32> = (0..lists.len()).filter(|row| lists[*row].items().len() > at).map(|row| row as u32).collect();
            let items = rows.iter().map(|row| lists[*row as usize].items()[at].clone()).collect();
            let items = build(items, &self.item_type(0))?;
            let own = compute::take(&states, &UInt32Array::from(rows.clone()), None)?;
            let next = self.apply(body, chunk, &rows, vec![(own, &state_type), (items, &state_type)])?;
            let next = match *next.data_type() == state_type {
                true => next,
                false => to_plan_type(
                    &super::cast::cast_array(&to_storage_type(&next)?, body.data_type(), &state_type, true)?,
                    &state_type,
                )?,
            };
            // Every row takes its new state, if it has one.
            let mut picks: Vec<(usize, usize)> = (0..lists.len()).map(|row| (0, row)).collect();
            rows.iter().enumerate().for_each(|(place, row)| picks[*row as usize] = (1, place));
            states = compute::interleave(&[states.as_ref(), next.as_ref()], &picks)?;
        }
        let all: Vec<u32> = (0..lists.len() as u32).collect();
        let finished = match self.bodies.get(1) {
            Some(finish) => self.apply(finish, chunk, &all, vec![(states, &state_type)])?,
            None => states,
        };
        let nulls = arrow::array::BooleanArray::from_iter(lists.iter().map(|list| Some(list.is_null())));
        to_storage_type(&compute::nullif(&finished, &nulls)?)
    }

    fn sorted(&self, chunk: &Chunk, lists: Vec<Value<'_>>) -> Result<ArrayRef> {
        let mut out = Vec::with_capacity(lists.len());
        for (row, list) in lists.into_iter().enumerate() {
            let Value::List(items) = list else {
                out.push(Value::Null);
                continue;
            };
            out.push(Value::List(match self.bodies.first() {
                None => natural(items),
                Some(body) => self.sort_by(body, chunk, row as u32, items)?,
            }));
        }
        build(out, &self.data_type)
    }

    fn sort_by<'a>(&self, body: &ExprRef, chunk: &Chunk, row: u32, items: Vec<Value<'a>>) -> Result<Vec<Value<'a>>> {
        let count = items.len();
        if count < 2 {
            return Ok(items);
        }
        let item = self.item_type(0);
        let compare = |pairs: &[(usize, usize)]| -> Result<Int32Array> {
            let left = build(pairs.iter().map(|pair| items[pair.0].clone()).collect(), &item)?;
            let right = build(pairs.iter().map(|pair| items[pair.1].clone()).collect(), &item)?;
            let result = self.apply(body, chunk, &vec![row; pairs.len()], vec![(left, &item), (right, &item)])?;
            let result = compute::cast(&result, &DataType::Int32)?;
            if result.null_count() > 0 {
                return Err(Error::value("the comparison of array_sort gave NULL"));
            }
            Ok(result.as_primitive().clone())
        };
        let mut order: Vec<usize> = (0..count).collect();
        if count <= PAIRS_MAX {
            let pairs: Vec<(usize, usize)> = (0..count * count).map(|at| (at / count, at % count)).collect();
            let table = compare(&pairs)?;
            merge_sort(&mut order, &mut |a, b| Ok(table.value(a * count + b).cmp(&0)))?;
        } else {
            merge_sort(&mut order, &mut |a, b| Ok(compare(&[(a, b)])?.value(0).cmp(&0)))?;
        }
        Ok(order.into_iter().map(|at| items[at].clone()).collect())
    }
}

/// NULLs last.
fn natural(mut items: Vec<Value<'_>>) -> Vec<Value<'_>> {
    items.sort_by(|a, b| a.is_null().cmp(&b.is_null()).then_with(|| a.order(b)));
    items
}

/// Stable, and safe against comparisons that contradict themselves.
fn merge_sort(order: &mut [usize], compare: &mut dyn FnMut(usize, usize) -> Result<Ordering>) -> Result<()> {
    if order.len() < 2 {
        return Ok(());
    }
    let (left, right) = order.split_at_mut(order.len() / 2);
    merge_sort(left, compare)?;
    merge_sort(right, compare)?;
    let (mut l, mut r, mut merged) = (0, 0, Vec::with_capacity(left.len() + right.len()));
    while l < left.len() && r < right.len() {
        if compare(left[l], right[r])?.is_gt() {
            merged.push(right[r]);
            r += 1;
        } else {
            merged.push(left[l]);
            l += 1;
        }
    }
    merged.extend(left[l..].iter().chain(right[r..].iter()));
    order.copy_from_slice(&merged);
    Ok(())
}

fn own(value: &Value<'_>) -> Value<'static> {
    let all = |items: &[Value<'_>]| items.iter().map(own).collect();
    match value {
        Value::Null => Value::Null,
        Value::Bool(value) => Value::Bool(*value),
        Value::Int(value) => Value::Int(*value),
        Value::Double(value) => Value::Double(*value),
        Value::Decimal(value, scale) => Value::Decimal(*value, *scale),
        Value::Interval(months, days, micros) => Value::Interval(*months, *days, *micros),
        Value::Text(text) => Value::string(text.to_string()),
        Value::Bytes(bytes) => Value::Bytes(bytes.to_vec().into()),
        Value::List(items) => Value::List(all(items)),
        Value::Struct(items) => Value::Struct(all(items)),
        Value::Map(entries) => Value::Map(entries.iter().map(|(key, value)| (own(key), own(value))).collect()),
    }
}

impl VectorExpr for Higher {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let arrays = self.args.iter().map(|arg| arg.evaluate(chunk)?.flat()).collect::<Result<Vec<_>>>()?;
        let values = |at: usize| -> Result<Vec<Value<'_>>> {
            let array = arrays.get(at).ok_or_else(|| Error::internal("a function without its argument"))?;
            Ok((0..array.len()).map(|row| read(array.as_ref(), row)).collect())
        };
        let first = values(0)?;
        let result = match self.kind {
            Kind::Transform | Kind::Filter | Kind::Exists | Kind::ForAll => self.lists(chunk, &first)?,
            Kind::MapFilter | Kind::TransformKeys | Kind::TransformValues => self.maps(chunk, &first)?,
            Kind::ZipWith | Kind::MapZipWith => self.zipped(chunk, &first, &values(1)?)?,
            Kind::Aggregate => self.aggregate(chunk, &first, arrays[1].clone())?,
            Kind::Sort => self.sorted(chunk, first)?,
        };
        Ok(Column::Flat(result))
    }

    fn data_type(&self) -> &DataType {
        &self.data_type
    }

    fn is_fallible(&self) -> bool {
        true
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.args.iter().for_each(|arg| arg.collect_columns(columns));
        // Positions behind the row's are parameters of the function.
        let mut inner = Vec::new();
        self.bodies.iter().for_each(|body| body.collect_columns(&mut inner));
        columns.extend(inner.into_iter().filter(|column| *column < self.width));
    }

    fn describe(&self) -> String {
        self.text.clone()
    }
}
