//! Argument types as one letter each, and the type that several values have in common.
//!
//! | letter | argument |
//! | --- | --- |
//! | `S` `B` `I` `L` `D` `X` | STRING, BOOLEAN, INT, BIGINT, DOUBLE, BINARY; others are cast |
//! | `E` | STRING or BINARY, kept; others become STRING |
//! | `N` | a number, kept; STRING becomes DOUBLE |
//! | `Y` `T` `U` `H` | DATE, TIMESTAMP, TIMESTAMP_NTZ, TIME |
//! | `M` | DATE or a timestamp, kept; STRING becomes TIMESTAMP |
//! | `A` `K` `R` | ARRAY, MAP, STRUCT, kept |
//! | `.` | anything, kept |
//! | `C` `a` | values of one common type, arrays of it |
//! | `?` `*` | behind a letter: may be left out; any number of them, none included |

use super::builtin::mismatch;
use crate::error::Result;
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use std::sync::Arc;

/// The types that a function takes instead of those given.
pub(super) fn coerce(name: &str, types: &[DataType], takes: &str, zone: &Arc<str>) -> Result<Vec<DataType>> {
    let wrong = || mismatch(name, types);
    if let Some(special) = takes.strip_prefix('@') {
        return special_types(special, types, zone).ok_or_else(wrong);
    }
    let mut letters = Vec::new();
    let mut least = 0;
    let mut repeated = None;
    let mut chars = takes.chars().peekable();
    while let Some(letter) = chars.next() {
        match chars.next_if(|c| matches!(c, '?' | '*')) {
            Some('*') => repeated = Some(letter),
            Some(_) => letters.push(letter),
            None => {
                letters.push(letter);
                least += 1;
            }
        }
    }
    if types.len() < least || (repeated.is_none() && types.len() > letters.len()) {
        return Err(wrong());
    }
    letters.extend(repeated.into_iter().cycle().take(types.len().saturating_sub(letters.len())));
    let mut common = None;
    for (letter, data_type) in letters.iter().zip(types) {
        let item = match (letter, data_type) {
            ('C', other) => other.clone(),
            ('a', DataType::Null) => DataType::Null,
            ('a', other) => item_of(other).ok_or_else(wrong)?,
            _ => continue,
        };
        common = Some(match common {
            None => item,
            Some(known) => common_type(&known, &item).ok_or_else(wrong)?,
        });
    }
    let common = common.map(|common| match () {
        () if is_text(&common) => DataType::Utf8View,
        () if is_binary(&common) => DataType::BinaryView,
        () => common,
    });
    let pairs = types.iter().zip(&letters);
    pairs.map(|(data_type, letter)| one(*letter, data_type, common.as_ref(), zone).ok_or_else(wrong)).collect()
}

/// A pattern of letters for people: `(STRING, INT [, INT])`.
pub(super) fn shown(takes: &str) -> String {
    if takes.starts_with('@') {
        return "(..)".to_owned();
    }
    let mut parts: Vec<String> = Vec::new();
    let mut chars = takes.chars().peekable();
    while let Some(letter) = chars.next() {
        let name = match letter {
            'S' => "STRING",
            'B' => "BOOLEAN",
            'I' => "INT",
            'L' => "BIGINT",
            'D' => "DOUBLE",
            'X' => "BINARY",
            'E' => "STRING or BINARY",
            'N' => "number",
            'Y' => "DATE",
            'T' => "TIMESTAMP",
            'U' => "TIMESTAMP_NTZ",
            'H' => "TIME",
            'M' => "DATE or TIMESTAMP",
            'A' | 'a' => "ARRAY",
            'K' => "MAP",
            'R' => "STRUCT",
            _ => "value",
        };
        parts.push(match chars.next_if(|c| matches!(c, '?' | '*')) {
            Some('?') => format!("[{name}]"),
            Some(_) => format!("[{name} ..]"),
            None => name.to_owned(),
        });
    }
    format!("({})", parts.join(", "))
}

fn one(letter: char, given: &DataType, common: Option<&DataType>, zone: &Arc<str>) -> Option<DataType> {
    use DataType as T;
    let null = *given == T::Null;
    let number = is_number(given);
    let atomic = !is_nested(given);
    let binary = is_binary(given);
    let timestamp = || T::Timestamp(TimeUnit::Microsecond, Some(zone.clone()));
    let when = |fits: bool, wanted: DataType| fits.then_some(wanted);
    match letter {
        '.' => Some(given.clone()),
        // A text stays what it is: a cast around a constant would hide it.
        'S' if is_text(given) => Some(given.clone()),
        'S' => when(atomic, T::Utf8View),
        'B' => when(null || *given == T::Boolean || is_text(given), T::Boolean),
        'I' => when(null || number || is_text(given), T::Int32),
        'L' => when(null || number || is_text(given), T::Int64),
        'D' => when(null || number || is_text(given), T::Float64),
        'X' => when(null || binary || is_text(given), T::BinaryView),
        'E' if is_text(given) => Some(given.clone()),
        'E' if binary => Some(T::BinaryView),
        'E' => when(atomic, T::Utf8View),
        'N' if number => Some(given.clone()),
        'N' => when(null || is_text(given), T::Float64),
        'Y' => when(null || is_moment(given) || is_text(given), T::Date32),
        'T' => when(null || is_moment(given) || is_text(given), timestamp()),
        'U' => when(null || is_moment(given) || is_text(given), T::Timestamp(TimeUnit::Microsecond, None)),
        'H' => when(null || matches!(given, T::Time64(_)) || is_text(given), super::times::TIME),
        'M' if is_moment(given) => Some(given.clone()),
        'M' => when(null || is_text(given), timestamp()),
        'A' => when(null || matches!(given, T::List(_)), given.clone()),
        'K' => when(null || matches!(given, T::Map(..)), given.clone()),
        'R' => when(null || matches!(given, T::Struct(_)), given.clone()),
        'C' => common.cloned(),
        'a' => common.map(|item| list_of(item.clone())),
        _ => None,
    }
}

/// Arguments whose types depend on one another in their own way.
fn special_types(special: &str, types: &[DataType], zone: &Arc<str>) -> Option<Vec<DataType>> {
    use DataType as T;
    let letter = |letter: char, given: &T| one(letter, given, None, zone);
    let bits = |given: &T| match given {
        T::Null => Some(T::Int32),
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Boolean => Some(given.clone()),
        _ => None,
    };
    match (special, types) {
        ("decode", types) => super::encodings::decode_types(types),
        // Numbers, times and bytes, and what they are to look like.
        ("char", [value, format]) => {
            let value = match value {
                T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Decimal128(..) | T::Date32 | T::Timestamp(..) => value.clone(),
                binary if is_binary(binary) => T::BinaryView,
                T::Null => T::Int32,
                text if is_text(text) => T::Decimal128(38, 18),
                float if float.is_floating() => {
                    T::Decimal128(if *float == T::Float32 { 14 } else { 30 }, if *float == T::Float32 { 7 } else { 15 })
                }
                _ => return None,
            };
            Some(vec![value, letter('S', format)?])
        }
        // A decimal and a number of places.
        ("decimal", [value, places]) => {
            let value = match value {
                T::Int8 => T::Decimal128(3, 0),
                T::Int16 => T::Decimal128(5, 0),
                T::Int32 | T::Null => T::Decimal128(10, 0),
                T::Int64 => T::Decimal128(20, 0),
                T::Float32 => T::Decimal128(14, 7),
                T::Decimal128(..) => value.clone(),
                other if *other == T::Float64 || is_text(other) => T::Decimal128(30, 15),
                _ => return None,
            };
            Some(vec![value, letter('I', places)?])
        }
        ("bucket", [value, low, high, count]) => {
            let of = |given: &T| match given {
                T::Interval(_) | T::Duration(_) => Some(given.clone()),
                other => letter('D', other),
            };
            Some(vec![of(value)?, of(low)?, of(high)?, letter('L', count)?])
        }
        ("zero", [value]) => Some(vec![if *value == T::Null { T::Int32 } else { letter('N', value)? }]),
        ("bits", [value]) => Some(vec![bits(value)?]),
        ("bits", [value, at]) => Some(vec![bits(value)?, letter('I', at)?]),
        ("shift", [value, count]) => {
            let value = match value {
                T::Int64 => T::Int64,
                T::Int8 | T::Int16 | T::Int32 | T::Null => T::Int32,
                _ => return None,
            };
            Some(vec![value, letter('I', count)?])
        }
        ("map", types) if types.len() % 2 == 0 => {
            let every = |from: usize| {
                let those = types.iter().skip(from).step_by(2);
                those.into_iter().try_fold(T::Null, |all, each| common_type(&all, each))
            };
            let (key, value) = (every(0)?, every(1)?);
            Some((0..types.len()).map(|at| if at % 2 == 0 { key.clone() } else { value.clone() }).collect())
        }
        ("format", [format, rest @ ..]) => Some(std::iter::once(letter('S', format)?).chain(rest.iter().cloned()).collect()),
        _ => super::moments::types(special, types, zone).or_else(|| super::arrays::types(special, types)),
    }
}

/// ARRAY of `item`.
pub(super) fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// MAP of `key` to `value`.
pub(super) fn map_of(key: DataType, value: DataType) -> DataType {
    let pair = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair), false)), false)
}

/// STRUCT of the fields.
pub(super) fn struct_of(fields: Vec<(String, DataType)>) -> DataType {
    DataType::Struct(fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect())
}

/// The type of an array's items.
pub(super) fn item_of(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) => Some(item.data_type().clone()),
        _ => None,
    }
}

/// The types of a map's keys and values.
pub(super) fn pair_of(data_type: &DataType) -> Option<(DataType, DataType)> {
    match data_type {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => Some((pair[0].data_type().clone(), pair[1].data_type().clone())),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(super) fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

pub(super) fn is_moment(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Timestamp(..))
}

pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::Map(..) | DataType::Struct(_))
}

/// The narrowest type that both are cast to where values meet, as Spark's ANSI rules have it: a string
/// gives way to whatever it meets.
pub(crate) fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as T;
    let digits = |data_type: &T| match data_type {
        T::Int8 => Some((3, 0)),
        T::Int16 => Some((5, 0)),
        T::Int32 => Some((10, 0)),
        T::Int64 => Some((20, 0)),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) => Some((i32::from(*p), i32::from(*s))),
        _ => None,
    };
    let rank = |data_type: &T| match data_type {
        T::Int8 => Some(0),
        T::Int16 => Some(1),
        T::Int32 => Some(2),
        T::Int64 => Some(3),
        _ => None,
    };
    Some(match (left, right) {
        (l, r) if l == r => l.clone(),
        (T::Null, other) | (other, T::Null) => other.clone(),
        (l, r) if is_text(l) && is_text(r) => T::Utf8View,
        (l, r) if is_binary(l) && is_binary(r) => T::BinaryView,
        (text, other) | (other, text) if is_text(text) && !is_nested(other) => match other {
            T::Int8 | T::Int16 | T::Int32 | T::Int64 => T::Int64,
            other if other.is_numeric() => T::Float64,
            other => other.clone(),
        },
        (l, r) if rank(l).is_some() && rank(r).is_some() => {
            if rank(l) > rank(r) {
                l.clone()
            } else {
                r.clone()
            }
        }
        (T::Float32, T::Float32) => T::Float32,
        (l, r) if l.is_numeric() && r.is_numeric() && (l.is_floating() || r.is_floating()) => T::Float64,
        (l, r) if digits(l).is_some() && digits(r).is_some() => {
            let ((p, s), (q, t)) = (digits(l)?, digits(r)?);
            let scale = s.max(t);
            let whole = (p - s).max(q - t);
            // What does not fit 38 digits loses decimals first.
            let precision = (whole + scale).min(38);
            T::Decimal128(precision as u8, scale.min((38 - whole).max(0)) as i8)
        }
        (T::Date32, T::Timestamp(..)) => right.clone(),
        (T::Timestamp(..), T::Date32) => left.clone(),
        (T::Timestamp(_, Some(_)), T::Timestamp(..)) => left.clone(),
        (T::Timestamp(..), T::Timestamp(..)) => right.clone(),
        (T::List(l), T::List(r)) => list_of(common_type(l.data_type(), r.data_type())?),
        (T::Map(..), T::Map(..)) => {
            let ((k, v), (l, w)) = (pair_of(left)?, pair_of(right)?);
            map_of(common_type(&k, &l)?, common_type(&v, &w)?)
        }
        (T::Struct(l), T::Struct(r)) if l.len() == r.len() => {
            let pairs = l.iter().zip(r);
            let fields = pairs.map(|(l, r)| Some((l.name().clone(), common_type(l.data_type(), r.data_type())?)));
            struct_of(fields.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
