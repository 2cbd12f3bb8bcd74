//! Functions of arrays. Items count from 1 except in `get` and `[]`; NULL items equal one another.

use super::moments::add_months;
use super::row::{Call, Gives, Row, Shape, partial, total};
use super::signature::{common_type, is_binary, is_moment, is_text, item_of, list_of, pair_of, struct_of};
use super::value::Value;
use super::{show, zones};
use crate::error::{Error, Result};
use arrow::datatypes::DataType;

pub(super) static ROWS: &[Row] = &[
    total("array", "C*", Gives::By(|shape| Ok(list_of(shape.of(0)))), |_, a| Ok(Value::List(a.to_vec()))).sees_null(),
    total("array_append", "aC", Gives::Like(0), |_, a| {
        Ok(Value::or_null(list(&a[0]), |items| Value::List(items.iter().chain([&a[1]]).cloned().collect())))
    })
    .sees_null(),
    total("array_prepend", "aC", Gives::Like(0), |_, a| {
        Ok(Value::or_null(list(&a[0]), |items| Value::List([&a[1]].into_iter().chain(items).cloned().collect())))
    })
    .sees_null(),
    total("array_compact", "A", Gives::Like(0), |_, a| Ok(keep(&a[0], |item| !item.is_null()))),
    total("array_contains", "aC", Gives::Bool, |_, a| Ok(found(&a[0], a[0].items().iter().any(|item| equal(item, &a[1]))))),
    total("array_distinct", "A", Gives::Like(0), |_, a| Ok(Value::List(distinct(a[0].items().iter())))),
    total("array_except", "aa", Gives::Like(0), |_, a| {
        Ok(Value::List(distinct(a[0].items().iter().filter(|item| !has(a[1].items(), item)))))
    }),
    total("array_intersect", "aa", Gives::Like(0), |_, a| {
        Ok(Value::List(distinct(a[0].items().iter().filter(|item| has(a[1].items(), item)))))
    }),
    total("array_union", "aa", Gives::Like(0), |_, a| Ok(Value::List(distinct(a[0].items().iter().chain(a[1].items()))))),
    partial("array_insert", "@insert", Gives::Like(0), insert).sees_null(),
    total("array_join", "ASS?", Gives::Text, join),
    total("array_max", "A", ITEM, |_, a| Ok(extreme(&a[0], std::cmp::Ordering::Greater))),
    total("array_min", "A", ITEM, |_, a| Ok(extreme(&a[0], std::cmp::Ordering::Less))),
    total("array_position", "aC", Gives::Long, |_, a| {
        Ok(Value::Int(a[0].items().iter().position(|item| equal(item, &a[1])).map_or(0, |at| at as i64 + 1)))
    }),
    total("array_remove", "aC", Gives::Like(0), |_, a| Ok(keep(&a[0], |item| !equal(item, &a[1])))),
    partial("array_repeat", ".I", Gives::By(|shape| Ok(list_of(shape.of(0)))), |_, a| {
        if a[1].is_null() {
            return Ok(Value::Null);
        }
        let count = bounded(a[1].int().max(0))?;
        Ok(Value::List(vec![a[0].clone(); count]))
    })
    .sees_null(),
    total("array_size", "A", Gives::Int, |_, a| Ok(Value::Int(a[0].items().len() as i64))),
    total("size", "@collection", Gives::Int, |_, a| Ok(Value::Int((a[0].items().len() + a[0].entries().len()) as i64)))
        .or(&["cardinality"]),
    total("arrays_overlap", "aa", Gives::Bool, |_, a| {
        let (left, right) = (a[0].items(), a[1].items());
        let overlap = left.iter().any(|item| !item.is_null() && has(right, item));
        let unsure = !left.is_empty() && !right.is_empty() && left.iter().chain(right).any(Value::is_null);
        Ok(if overlap || !unsure { Value::Bool(overlap) } else { Value::Null })
    }),
    total("arrays_zip", "A*", ZIPPED, |_, a| {
        let longest = a.iter().map(|list| list.items().len()).max().unwrap_or(0);
        let row = |i: usize| Value::Struct(a.iter().map(|list| at_or_null(list, i)).collect());
        Ok(Value::List((0..longest).map(row).collect()))
    }),
    total("flatten", "A", ITEM, |_, a| {
        let lists = a[0].items();
        Ok(if lists.iter().any(Value::is_null) {
            Value::Null
        } else {
            Value::List(lists.iter().flat_map(|list| list.items().iter().cloned()).collect())
        })
    }),
    total("get", "AI", ITEM, |_, a| {
        Ok(usize::try_from(a[1].int()).ok().and_then(|at| a[0].items().get(at)).cloned().unwrap_or(Value::Null))
    }),
    partial("item_at", "@element", ITEM_OR_VALUE, |_, a| match &a[0] {
        Value::List(items) => {
            let at = a[1].int();
            usize::try_from(at).ok().and_then(|at| items.get(at)).cloned().ok_or_else(|| {
                Error::value(format!("the index {at} is outside of an array of {} items, which count from 0", items.len()))
                    .with_hint("get(array, index) gives NULL instead of an error")
            })
        }
        map => Ok(lookup(map, &a[1])),
    }),
    partial("element_at", "@element", ITEM_OR_VALUE, |_, a| element_at(a)),
    partial("try_element_at", "@element", ITEM_OR_VALUE, |_, a| match (&a[0], a[1].int()) {
        (Value::List(_), 0) => element_at(a),
        _ => Ok(element_at(a).unwrap_or(Value::Null)),
    }),
    total("reverse", "@reverse", Gives::Like(0), |_, a| {
        Ok(match &a[0] {
            Value::List(items) => Value::List(items.iter().rev().cloned().collect()),
            text => Value::string(text.text().chars().rev().collect::<String>()),
        })
    }),
    partial("sequence", "@sequence", Gives::By(|shape| Ok(list_of(shape.of(0)))), sequence),
    partial("slice", "AII", Gives::Like(0), slice),
    total("sort_array", "AB?", Gives::Like(0), |_, a| {
        let mut items = a[0].items().to_vec();
        items.sort_by(Value::order);
        if a.get(1).is_some_and(|ascending| !ascending.is_true()) {
            items.reverse();
        }
        Ok(Value::List(items))
    }),
];

/// `concat` of arrays and of bytes; that of texts has a kernel of its own.
pub(super) static CONCAT: Row = total("concat", "C*", Gives::Like(0), |call, a| {
    Ok(match &call.result {
        DataType::List(_) => Value::List(a.iter().flat_map(|list| list.items().iter().cloned()).collect()),
        _ => Value::Bytes(a.iter().flat_map(|bytes| bytes.bytes().iter().copied()).collect::<Vec<u8>>().into()),
    })
});

/// Items that one call may make. Guessed: more is a mistake.
const ITEMS_MAX: i64 = 1 << 26;

const ITEM: Gives = Gives::By(|shape: &Shape| Ok(item_of(&shape.of(0)).unwrap_or(DataType::Null)));
const ITEM_OR_VALUE: Gives = Gives::By(|shape: &Shape| {
    Ok(match shape.of(0) {
        map @ DataType::Map(..) => pair_of(&map).map_or(DataType::Null, |pair| pair.1),
        other => item_of(&other).unwrap_or(DataType::Null),
    })
});
const ZIPPED: Gives = Gives::By(|shape: &Shape| {
    let fields = shape.types.iter().enumerate().map(|(at, list)| (at.to_string(), item_of(list).unwrap_or(DataType::Null)));
    Ok(list_of(struct_of(fields.collect())))
});

fn bounded(count: i64) -> Result<usize> {
    usize::try_from(count).ok().filter(|_| count <= ITEMS_MAX).ok_or_else(|| Error::value(format!("an array of {count} items")))
}

fn list<'v, 'a>(value: &'v Value<'a>) -> Option<&'v [Value<'a>]> {
    if let Value::List(items) = value { Some(items) } else { None }
}

fn at_or_null<'a>(list: &Value<'a>, at: usize) -> Value<'a> {
    list.items().get(at).cloned().unwrap_or(Value::Null)
}

fn keep<'a>(list: &Value<'a>, wanted: impl Fn(&Value<'a>) -> bool) -> Value<'a> {
    Value::List(list.items().iter().filter(|item| wanted(item)).cloned().collect())
}

/// Equal as `=` has it: NULL equals nothing.
fn equal(item: &Value, wanted: &Value) -> bool {
    !item.is_null() && !wanted.is_null() && item.same(wanted)
}

fn has(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| item.same(wanted))
}

/// True, false, or NULL where a NULL item might have been it.
fn found<'a>(list: &Value, found: bool) -> Value<'a> {
    if !found && list.items().iter().any(Value::is_null) { Value::Null } else { Value::Bool(found) }
}

fn distinct<'v, 'a: 'v>(items: impl Iterator<Item = &'v Value<'a>>) -> Vec<Value<'a>> {
    let mut kept: Vec<Value<'a>> = Vec::new();
    let mut sorted: Vec<Value<'a>> = Vec::new();
    for item in items {
        if let Err(at) = sorted.binary_search_by(|known| known.order(item)) {
            sorted.insert(at, item.clone());
            kept.push(item.clone());
        }
    }
    kept
}

fn extreme<'a>(list: &Value<'a>, wanted: std::cmp::Ordering) -> Value<'a> {
    let mut best: Option<&Value> = None;
    for item in list.items().iter().filter(|item| !item.is_null()) {
        if best.is_none_or(|best| item.order(best) == wanted) {
            best = Some(item);
        }
    }
    best.cloned().unwrap_or(Value::Null)
}

/// Inserts before the item that is there, counted from either end, with NULLs in between.
fn insert<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let Some(items) = list(&a[0]).filter(|_| !a[1].is_null()) else { return Ok(Value::Null) };
    let at = a[1].int();
    if at == 0 {
        return Err(Error::value("the index 0 in an array; items count from 1, or from -1 at the end"));
    }
    let mut out = items.to_vec();
    let len = out.len() as i64;
    bounded(at.abs())?;
    if at > 0 {
        while (out.len() as i64) < at - 1 {
            out.push(Value::Null);
        }
        out.insert(at as usize - 1, a[2].clone());
    } else {
        // -1 is behind the last item.
        let place = len + at + 1;
        for _ in place..0 {
            out.insert(0, Value::Null);
        }
        out.insert(place.max(0) as usize, a[2].clone());
    }
    Ok(Value::List(out))
}

fn join<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let item = item_of(&call.types[0]).unwrap_or(DataType::Null);
    let texts = a[0].items().iter().filter_map(|value| match (value.is_null(), a.get(2)) {
        (true, None) => None,
        (true, Some(instead)) => Some(instead.text().to_owned()),
        (false, _) => Some(show::text(value, &item)),
    });
    Ok(Value::string(texts.collect::<Vec<_>>().join(a[1].text())))
}

fn lookup<'a>(map: &Value<'a>, key: &Value<'a>) -> Value<'a> {
    map.entries().iter().find(|(known, _)| known.same(key)).map_or(Value::Null, |(_, value)| value.clone())
}

fn element_at<'a>(a: &[Value<'a>]) -> Result<Value<'a>> {
    let Value::List(items) = &a[0] else { return Ok(lookup(&a[0], &a[1])) };
    let at = a[1].int();
    let index = match at {
        0 => return Err(Error::value("the index 0 in an array; items count from 1, or from -1 at the end")),
        1.. => usize::try_from(at - 1).ok(),
        _ => items.len().checked_sub(at.unsigned_abs() as usize),
    };
    index.and_then(|index| items.get(index)).cloned().ok_or_else(|| {
        Error::value(format!("the index {at} is outside of an array of {} items", items.len()))
            .with_hint("try_element_at gives NULL instead of an error")
    })
}

fn slice<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let (items, start, len) = (a[0].items(), a[1].int(), a[2].int());
    if start == 0 {
        return Err(Error::value("a slice from 0; items count from 1, or from -1 at the end"));
    }
    if len < 0 {
        return Err(Error::value(format!("a slice of {len} items")));
    }
    let from = if start > 0 { start - 1 } else { items.len() as i64 + start };
    if from < 0 || from >= items.len() as i64 {
        return Ok(Value::List(Vec::new()));
    }
    Ok(Value::List(items[from as usize..].iter().take(len as usize).cloned().collect()))
}

/// From the first to the last value by a step, which is 1 (a day) towards the last unless given.
fn sequence<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let (first, last) = (a[0].int(), a[1].int());
    let dated = call.types[0] == DataType::Date32;
    let temporal = is_moment(&call.types[0]);
    let default = if temporal && !dated { 86_400_000_000 } else { 1 };
    let (months, step) = match a.get(2) {
        None => (0, if last >= first { default } else { -default }),
        Some(Value::Interval(months, days, micros)) => (i64::from(*months), i64::from(*days) * 86_400_000_000 + micros),
        Some(months) if matches!(call.types.get(2), Some(DataType::Interval(_))) => (months.int(), 0),
        Some(step) => (0, step.int()),
    };
    let given = a.get(2).is_some();
    // Dates step by whole days of their intervals.
    let step = if dated && given && months == 0 { step / 86_400_000_000 } else { step };
    let wrong = || Error::value(format!("no sequence from {first} to {last} by this step"));
    let sign = if months != 0 { months.signum() } else { step.signum() };
    if (sign == 0 && first != last) || (sign > 0 && first > last) || (sign < 0 && first < last) {
        return Err(wrong());
    }
    if months == 0 {
        if sign == 0 {
            return Ok(Value::List(vec![Value::Int(first)]));
        }
        let count = (i128::from(last) - i128::from(first)) / i128::from(step) + 1;
        bounded(i64::try_from(count).unwrap_or(i64::MAX))?;
        return Ok(Value::List((0..count as i64).map(|at| Value::Int(first + at * step)).collect()));
    }
    let zone = match &call.types[0] {
        DataType::Timestamp(_, Some(zone)) => zones::zone(zone)?,
        _ => zones::zone("UTC")?,
    };
    let unit = if dated { 86_400_000_000 } else { 1 };
    let origin = zones::to_local(first * unit, &zone);
    let mut items = Vec::new();
    for at in 0.. {
        bounded(at)?;
        let local = add_months(origin, at * months).and_then(|local| local.checked_add(at * step)).ok_or_else(wrong)?;
        let value = if dated { local.div_euclid(unit) } else { zones::to_utc(local, &zone) };
        if (sign > 0 && value > last) || (sign < 0 && value < last) {
            break;
        }
        items.push(Value::Int(value));
    }
    Ok(Value::List(items))
}

/// The argument types of the functions here and of maps that depend on one another in their own way.
pub(super) fn types(special: &str, types: &[DataType]) -> Option<Vec<DataType>> {
    use DataType as T;
    let index = |given: &T| (given.is_integer() || given.is_null() || is_text(given)).then_some(T::Int32);
    match (special, types) {
        ("collection", [T::List(_) | T::Map(..) | T::Null]) => Some(types.to_vec()),
        ("reverse", [T::List(_)]) => Some(types.to_vec()),
        ("reverse", [text]) if !matches!(text, T::Map(..) | T::Struct(_)) && !is_binary(text) => Some(vec![T::Utf8View]),
        ("insert", [list, at, item]) => {
            let common = common_type(&item_of(list)?, item)?;
            Some(vec![list_of(common.clone()), index(at)?, common])
        }
        ("element", [list @ T::List(_), at]) => Some(vec![list.clone(), index(at)?]),
        ("element", [map @ T::Map(..), key]) => {
            let (own, value) = pair_of(map)?;
            let common = common_type(&own, key)?;
            Some(vec![super::signature::map_of(common.clone(), value), common])
        }
        ("sequence", [first, last]) => {
            let common = common_type(first, last)?;
            (common.is_integer() || is_moment(&common)).then(|| vec![common.clone(), common])
        }
        ("sequence", [first, last, step]) => {
            let common = common_type(first, last)?;
            match step {
                T::Interval(_) | T::Duration(_) if is_moment(&common) => Some(vec![common.clone(), common, step.clone()]),
                _ => {
                    let common = common_type(&common, step)?;
                    common.is_integer().then(|| vec![common; 3])
                }
            }
        }
        ("pairs", [keys @ T::List(_), values @ T::List(_)]) => Some(vec![keys.clone(), values.clone()]),
        ("key", [map @ T::Map(..), key]) => {
            let (own, value) = pair_of(map)?;
            let common = common_type(&own, key)?;
            Some(vec![super::signature::map_of(common.clone(), value), common])
        }
        _ => None,
    }
}
