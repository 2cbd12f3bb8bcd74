//! Functions that read and combine the sketches which aggregates make ([`crate::expr::sketch`]).

use super::super::sketch::{Frequent, Hll, Kll, KllKind, Theta, decode, kll, theta};
use super::row::{Call, Gives, Row, Shape, partial};
use super::show;
use super::signature::{item_of, list_of, struct_of};
use super::value::Value;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use std::borrow::Cow;

/// How many values `approx_top_k_estimate` gives by default: Spark's.
const TOP: i64 = 5;

macro_rules! kll_rows {
    ($kind:expr, $n:literal, $quantile:literal, $rank:literal, $merge:literal, $text:literal) => {
        [
            partial($n, "X", Gives::Long, |_, a| Ok(Value::Int(kll_of(&a[0], $kind)?.count() as i64))),
            partial($quantile, "X.", Gives::By(|shape| Ok(as_given(shape, kll_type($kind)))), |_, a| quantile($kind, a)),
            partial($rank, "X.", Gives::By(|shape| Ok(as_given(shape, DataType::Float64))), |_, a| rank($kind, a)),
            partial($merge, "XX", Gives::Bytes, |_, a| {
                let mut merged = kll_of(&a[0], $kind)?;
                merged.merge(&kll_of(&a[1], $kind)?);
                Ok(bytes(merged.to_bytes()))
            }),
            partial($text, "X", Gives::Text, |_, a| {
                let sketch = kll_of(&a[0], $kind)?;
                let mut text = format!("k: {}, n: {}, kept: {}", sketch.size(), sketch.count(), sketch.kept());
                if let Some((lowest, highest)) = sketch.range() {
                    let shown = [lowest, highest].map(|word| show::text(&value_of($kind, word), &kll_type($kind)));
                    text.push_str(&format!(", min: {}, max: {}", shown[0], shown[1]));
                }
                Ok(Value::string(text))
            }),
        ]
    };
}

pub(super) static KLL_BIGINT: &[Row] = &kll_rows!(
    KllKind::Bigint,
    "kll_sketch_get_n_bigint",
    "kll_sketch_get_quantile_bigint",
    "kll_sketch_get_rank_bigint",
    "kll_sketch_merge_bigint",
    "kll_sketch_to_string_bigint"
);
pub(super) static KLL_FLOAT: &[Row] = &kll_rows!(
    KllKind::Float,
    "kll_sketch_get_n_float",
    "kll_sketch_get_quantile_float",
    "kll_sketch_get_rank_float",
    "kll_sketch_merge_float",
    "kll_sketch_to_string_float"
);
pub(super) static KLL_DOUBLE: &[Row] = &kll_rows!(
    KllKind::Double,
    "kll_sketch_get_n_double",
    "kll_sketch_get_quantile_double",
    "kll_sketch_get_rank_double",
    "kll_sketch_merge_double",
    "kll_sketch_to_string_double"
);

pub(super) static ROWS: &[Row] = &[
    partial("hll_sketch_estimate", "X", Gives::Long, |_, a| {
        Ok(Value::Int(Hll::from_bytes(a[0].bytes())?.estimate().round() as i64))
    }),
    partial("hll_union", "XXB?", Gives::Bytes, |_, a| {
        let (mut left, right) = (Hll::from_bytes(a[0].bytes())?, Hll::from_bytes(a[1].bytes())?);
        if left.bits() != right.bits() && !a.get(2).is_some_and(Value::is_true) {
            return Err(Error::value(format!("sketches of lgConfigK {} and {} differ", left.bits(), right.bits()))
                .with_hint("pass true as the third argument"));
        }
        left.merge(&right);
        Ok(bytes(left.to_bytes()))
    }),
    partial("theta_sketch_estimate", "X", Gives::Long, |_, a| {
        Ok(Value::Int(Theta::from_bytes(a[0].bytes())?.estimate().round() as i64))
    }),
    partial("theta_union", "XXI?", Gives::Bytes, |_, a| {
        let bits = match a.get(2) {
            Some(bits) => u8::try_from(bits.int()).ok().filter(|bits| theta::BITS.contains(bits)),
            None => Some(theta::DEFAULT_BITS),
        };
        let Some(bits) = bits else { return Err(Error::value("lgNomEntries lies between 4 and 26")) };
        let mut union = Theta::new(bits);
        union.union(&Theta::from_bytes(a[0].bytes())?);
        union.union(&Theta::from_bytes(a[1].bytes())?);
        Ok(bytes(union.to_bytes()))
    }),
    partial("theta_intersection", "XX", Gives::Bytes, |_, a| {
        let mut both = Theta::from_bytes(a[0].bytes())?;
        both.intersect(&Theta::from_bytes(a[1].bytes())?);
        Ok(bytes(both.to_bytes()))
    }),
    partial("theta_difference", "XX", Gives::Bytes, |_, a| {
        let mut rest = Theta::from_bytes(a[0].bytes())?;
        rest.subtract(&Theta::from_bytes(a[1].bytes())?);
        Ok(bytes(rest.to_bytes()))
    }),
    partial("approx_top_k_estimate", "RI?", Gives::By(top_type), top),
];

fn bytes(bytes: Vec<u8>) -> Value<'static> {
    Value::Bytes(Cow::Owned(bytes))
}

/// What `approx_top_k` gives for values of a type.
pub(crate) fn top_list(item: DataType) -> DataType {
    list_of(struct_of(vec![("item".into(), item), ("count".into(), DataType::Int64)]))
}

/// The state that `approx_top_k_accumulate` gives for values of a type.
pub(crate) fn top_state(item: DataType) -> DataType {
    struct_of(vec![
        ("sketch".into(), DataType::BinaryView),
        ("maxItemsTracked".into(), DataType::Int32),
        ("itemDataType".into(), item),
        ("itemDataTypeDDL".into(), DataType::Utf8View),
    ])
}

fn top_type(shape: &Shape) -> Result<DataType> {
    match shape.of(0) {
        DataType::Struct(fields) if fields.len() == 4 => Ok(top_list(fields[2].data_type().clone())),
        _ => Err(Error::sql("approx_top_k_estimate takes what approx_top_k_accumulate gives")),
    }
}

fn top<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let count = a.get(1).map_or(TOP, Value::int);
    let Some(sketch) = a[0].items().first().filter(|_| count > 0) else {
        return Err(Error::value(format!("k of approx_top_k_estimate is {count}, not a positive number")));
    };
    top_values(&Frequent::from_bytes(sketch.bytes())?, count as usize)
}

/// The most frequent values of a sketch, each with its count.
pub(crate) fn top_values(sketch: &Frequent, count: usize) -> Result<Value<'static>> {
    let top = sketch.top(count).into_iter();
    let items = top.map(|(bytes, count)| Ok(Value::Struct(vec![decode(&bytes)?, Value::Int(count)])));
    items.collect::<Result<_>>().map(Value::List)
}

fn kll_type(kind: KllKind) -> DataType {
    match kind {
        KllKind::Bigint => DataType::Int64,
        KllKind::Float => DataType::Float32,
        KllKind::Double => DataType::Float64,
    }
}

/// A list of `item` where the second argument is a list.
fn as_given(shape: &Shape, item: DataType) -> DataType {
    if item_of(&shape.of(1)).is_some() { list_of(item) } else { item }
}

fn kll_of(value: &Value, kind: KllKind) -> Result<Kll> {
    let sketch = Kll::from_bytes(value.bytes())?;
    match sketch.kind() == kind {
        true => Ok(sketch),
        false => Err(Error::value("a KLL sketch of another type of values")),
    }
}

fn word(kind: KllKind, value: &Value) -> u64 {
    match kind {
        KllKind::Bigint => kll::word_of_int(value.int()),
        KllKind::Float | KllKind::Double => kll::word_of_double(value.double()),
    }
}

fn value_of(kind: KllKind, word: u64) -> Value<'static> {
    match kind {
        KllKind::Bigint => Value::Int(kll::int_of_word(word)),
        KllKind::Float | KllKind::Double => Value::Double(kll::double_of_word(word)),
    }
}

fn quantile<'a>(kind: KllKind, a: &[Value<'a>]) -> Result<Value<'a>> {
    let sketch = kll_of(&a[0], kind)?;
    let list = matches!(a[1], Value::List(_));
    let shares: Vec<f64> = if list { a[1].items().iter().map(Value::double).collect() } else { vec![a[1].double()] };
    if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
        return Err(Error::value("a quantile lies between 0 and 1"));
    }
    let Some(found) = sketch.quantiles(&shares) else { return Ok(Value::Null) };
    let mut found = found.into_iter().map(|word| value_of(kind, word));
    Ok(if list { Value::List(found.collect()) } else { found.next().unwrap_or(Value::Null) })
}

fn rank<'a>(kind: KllKind, a: &[Value<'a>]) -> Result<Value<'a>> {
    let sketch = kll_of(&a[0], kind)?;
    let one = |value: &Value| match value {
        Value::Null => Value::Null,
        value => Value::or_null(sketch.rank(word(kind, value)), Value::Double),
    };
    Ok(match &a[1] {
        Value::List(items) => Value::List(items.iter().map(one).collect()),
        value => one(value),
    })
}
