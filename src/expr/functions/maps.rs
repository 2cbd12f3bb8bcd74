//! Functions of maps and structs. A key stands in a map once and is never NULL.

use super::regexps::compiled;
use super::row::{Gives, Row, Shape, partial, total};
use super::signature::{item_of, list_of, map_of, pair_of, struct_of};
use super::value::Value;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;

pub(super) static ROWS: &[Row] = &[
    partial("map", "@map", Gives::By(|shape| Ok(map_of(shape.of(0), shape.of(1)))), |_, a| {
        map(a.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())))
    })
    .sees_null(),
    partial(
        "map_concat",
        "C*",
        Gives::By(|shape| Ok(if shape.types.is_empty() { map_of(DataType::Utf8View, DataType::Utf8View) } else { shape.of(0) })),
        |_, a| map(a.iter().flat_map(|map| map.entries().iter().cloned())),
    ),
    total("map_contains_key", "@key", Gives::Bool, |_, a| Ok(Value::Bool(a[0].entries().iter().any(|(key, _)| key.same(&a[1]))))),
    total("map_entries", "K", ENTRIES, |_, a| {
        Ok(Value::List(a[0].entries().iter().map(|(key, value)| Value::Struct(vec![key.clone(), value.clone()])).collect()))
    }),
    partial("map_from_arrays", "@pairs", FROM_ARRAYS, |_, a| {
        let (keys, values) = (a[0].items(), a[1].items());
        if keys.len() != values.len() {
            return Err(Error::value(format!("{} keys for {} values", keys.len(), values.len())));
        }
        map(keys.iter().cloned().zip(values.iter().cloned()))
    }),
    partial("map_from_entries", "A", FROM_ENTRIES, |_, a| {
        let entries = a[0].items();
        if entries.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        map(entries.iter().filter_map(|entry| match entry.items() {
            [key, value] => Some((key.clone(), value.clone())),
            _ => None,
        }))
    }),
    total("map_keys", "K", Gives::By(|shape| Ok(list_of(pair(shape).0))), |_, a| {
        Ok(Value::List(a[0].entries().iter().map(|(key, _)| key.clone()).collect()))
    }),
    total("map_values", "K", Gives::By(|shape| Ok(list_of(pair(shape).1))), |_, a| {
        Ok(Value::List(a[0].entries().iter().map(|(_, value)| value.clone()).collect()))
    }),
    partial("str_to_map", "SS?S?", Gives::By(|_| Ok(map_of(DataType::Utf8View, DataType::Utf8View))), |_, a| {
        let (entries, values) = (a.get(1).map_or(",", |d| d.text()), a.get(2).map_or(":", |d| d.text()));
        let (entries, values) = (compiled(entries)?, compiled(values)?);
        map(entries.split(a[0].text()).map(|entry| {
            let mut parts = values.splitn(entry, 2);
            let key = Value::string(parts.next().unwrap_or_default());
            (key, Value::or_null(parts.next(), Value::string))
        }))
    }),
    total("named_struct", ".*", NAMED, |_, a| Ok(Value::Struct(a.iter().skip(1).step_by(2).cloned().collect()))).sees_null(),
];

const ENTRIES: Gives = Gives::By(|shape: &Shape| {
    let (key, value) = pair(shape);
    Ok(list_of(struct_of(vec![("key".to_owned(), key), ("value".to_owned(), value)])))
});
const FROM_ARRAYS: Gives = Gives::By(|shape: &Shape| {
    let of = |at: usize| item_of(&shape.of(at)).unwrap_or(DataType::Null);
    Ok(map_of(of(0), of(1)))
});
const FROM_ENTRIES: Gives = Gives::By(|shape: &Shape| match item_of(&shape.of(0)) {
    Some(DataType::Struct(fields)) if fields.len() == 2 => {
        Ok(map_of(fields[0].data_type().clone(), fields[1].data_type().clone()))
    }
    _ => Err(Error::sql("map_from_entries takes an array of structs of two fields")),
});
const NAMED: Gives = Gives::By(|shape: &Shape| {
    if shape.types.is_empty() || !shape.types.len().is_multiple_of(2) {
        return Err(Error::sql("named_struct takes names and values by turns"));
    }
    let field = |at: usize| match shape.text(at) {
        Some(name) => Ok((name.to_owned(), shape.of(at + 1))),
        None => Err(Error::sql("the names of named_struct must be texts that are constant")),
    };
    Ok(struct_of((0..shape.types.len()).step_by(2).map(field).collect::<Result<_>>()?))
});

fn pair(shape: &Shape) -> (DataType, DataType) {
    pair_of(&shape.of(0)).unwrap_or((DataType::Null, DataType::Null))
}

/// A map of the entries, which must have keys that differ.
pub(in super::super) fn map<'a>(entries: impl Iterator<Item = (Value<'a>, Value<'a>)>) -> Result<Value<'a>> {
    let mut kept: Vec<(Value, Value)> = Vec::new();
    let mut sorted: Vec<usize> = Vec::new();
    for (key, value) in entries {
        if key.is_null() {
            return Err(Error::value("NULL as the key of a map"));
        }
        match sorted.binary_search_by(|at| kept[*at].0.order(&key)) {
            Ok(_) => return Err(Error::value("a key stands twice in a map")),
            Err(at) => {
                sorted.insert(at, kept.len());
                kept.push((key, value));
            }
        }
    }
    Ok(Value::Map(kept))
}
