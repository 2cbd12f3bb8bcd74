//! Functions of strings. Positions and lengths count characters, from 1.

use super::super::arithmetic::Concat;
use super::super::kernel::{Arg, Kernel, union_nulls};
use super::super::like::{RegexMatch, regex};
use super::builtin::{Builtin, mismatch};
use super::signature;
use crate::error::Result;
use arrow::array::{ArrayRef, AsArray, Int32Array, StringViewArray, StringViewBuilder, new_null_array};
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::ScalarValue;
use datafusion_expr::ScalarUDF;
use regex::Regex;
use std::fmt;
use std::sync::Arc;

/// A kernel made of a closure.
struct Closure<F>(F);

impl<F> fmt::Debug for Closure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closure")
    }
}

impl<F: Fn(&[Arg], usize) -> Result<ArrayRef> + Send + Sync> Kernel for Closure<F> {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        (self.0)(args, rows)
    }
}

/// A kernel made of a closure.
pub(super) fn kernel(f: impl Fn(&[Arg], usize) -> Result<ArrayRef> + Send + Sync + 'static) -> Box<dyn Kernel> {
    Box::new(Closure(f))
}

/// The argument types that functions here take: S string, I integer, and in lower case optional.
fn coerce_as(name: &str, types: &[DataType], pattern: &str) -> Result<Vec<DataType>> {
    let least = pattern.chars().filter(|c| c.is_uppercase()).count();
    if types.len() < least || types.len() > pattern.len() {
        return Err(mismatch(name, types));
    }
    let pairs = types.iter().zip(pattern.chars());
    pairs
        .map(|(data_type, kind)| match (kind.to_ascii_uppercase(), data_type) {
            ('S', DataType::Struct(_) | DataType::List(_) | DataType::Map(..)) => Err(mismatch(name, types)),
            ('S', _) => Ok(DataType::Utf8View),
            (_, other) if other.is_numeric() || *other == DataType::Null => Ok(DataType::Int32),
            _ => Err(mismatch(name, types)),
        })
        .collect()
}

macro_rules! string_function {
    ($name:literal, $aliases:expr, $pattern:literal, $make:expr) => {
        Builtin::new($name, |name, types| coerce_as(name, types, $pattern), |_, _| Ok(DataType::Utf8View), $make, |_| false)
            .with_aliases($aliases)
            .into_udf()
    };
}

type Constants<'a> = &'a [Option<ScalarValue>];

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        string_function!("substring", &["substr"], "SIi", |_, _, _, _| Ok(kernel(substring))),
        string_function!("left", &[], "SI", |_, _, _, _| Ok(kernel(left))),
        string_function!("right", &[], "SI", |_, _, _, _| Ok(kernel(right))),
        string_function!("replace", &[], "SSs", |_, _, _, _| Ok(kernel(replace))),
        concat(),
        regexp_like(),
        position("instr", false, &[]),
        position("locate", true, &["position"]),
    ]
}

/// Calls `f` for every row whose arguments are all there.
fn each_row(args: &[Arg], rows: usize, mut f: impl FnMut(usize, &mut StringViewBuilder)) -> Result<ArrayRef> {
    if args.iter().any(Arg::is_null) {
        return Ok(new_null_array(&DataType::Utf8View, rows));
    }
    let nulls = union_nulls(args);
    let mut builder = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) { builder.append_null() } else { f(row, &mut builder) }
    }
    Ok(Arc::new(builder.finish()))
}

fn text<'a>(args: &'a [Arg], index: usize, row: usize) -> &'a str {
    let array: &'a StringViewArray = args[index].array.as_string_view();
    array.value(args[index].at(row))
}

fn integer(args: &[Arg], index: usize, row: usize) -> i64 {
    i64::from(args[index].array.as_primitive::<Int32Type>().value(args[index].at(row)))
}

/// Characters `start..start + len` (from 0) of `text`; both may reach beyond it.
fn characters(text: &str, start: i64, len: i64) -> &str {
    let end = start.saturating_add(len);
    let (start, end) = (start.max(0), end.max(0));
    if end <= start {
        return "";
    }
    let (start, end) = (start as usize, end as usize);
    if text.is_ascii() {
        return &text[start.min(text.len())..end.min(text.len())];
    }
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    &text[byte(start)..byte(end)]
}

fn substring(args: &[Arg], rows: usize) -> Result<ArrayRef> {
    if args.iter().any(Arg::is_null) {
        return Ok(new_null_array(&DataType::Utf8View, rows));
    }
    each_row(args, rows, |row, builder| {
        let value = text(args, 0, row);
        let from = integer(args, 1, row);
        let len = if args.len() > 2 { integer(args, 2, row) } else { i64::from(i32::MAX) };
        // Position 0 is taken as 1; a negative one counts from the end.
        let start = match from {
            1.. => from - 1,
            0 => 0,
            _ => value.chars().count() as i64 + from,
        };
        builder.append_value(characters(value, start, len));
    })
}

fn left(args: &[Arg], rows: usize) -> Result<ArrayRef> {
    each_row(args, rows, |row, builder| builder.append_value(characters(text(args, 0, row), 0, integer(args, 1, row))))
}

fn right(args: &[Arg], rows: usize) -> Result<ArrayRef> {
    each_row(args, rows, |row, builder| {
        let (value, len) = (text(args, 0, row), integer(args, 1, row));
        let count = value.chars().count() as i64;
        builder.append_value(if len <= 0 { "" } else { characters(value, (count - len).max(0), count) });
    })
}

fn replace(args: &[Arg], rows: usize) -> Result<ArrayRef> {
    each_row(args, rows, |row, builder| {
        let (value, search) = (text(args, 0, row), text(args, 1, row));
        let with = if args.len() > 2 { text(args, 2, row) } else { "" };
        if search.is_empty() {
            builder.append_value(value);
        } else {
            builder.append_value(value.replace(search, with));
        }
    })
}

/// `concat(a, b, ...)` of texts, of bytes or of arrays; NULL if one is.
fn concat() -> Arc<ScalarUDF> {
    let coerce = |name: &str, types: &[DataType]| {
        let all_binary = !types.is_empty() && types.iter().all(|t| signature::is_binary(t) || *t == DataType::Null);
        if all_binary || types.iter().any(|t| matches!(t, DataType::List(_))) {
            return signature::coerce(name, types, "C*", &"UTC".into());
        }
        signature::coerce(name, types, "S*", &"UTC".into())
    };
    let returns = |types: &[DataType], _: Constants| {
        Ok(match types.first() {
            Some(other) if !signature::is_text(other) && *other != DataType::Null => other.clone(),
            _ => DataType::Utf8View,
        })
    };
    let make = |types: &[DataType], _: Constants, result: &DataType, text: &str| {
        Ok(match signature::is_text(result) {
            true => Box::new(Concat) as Box<dyn Kernel>,
            false => super::arrays::CONCAT.kernel(types, result, text, "UTC".into()),
        })
    };
    Builtin::new("concat", coerce, returns, make, |_| false).into_udf()
}

fn pattern(constants: Constants) -> Result<Option<Regex>> {
    let pattern = constants.get(1).and_then(Option::as_ref).and_then(|value| value.try_as_str().flatten());
    pattern.map(|pattern| regex(pattern, false)).transpose()
}

/// `regexp_like(text, pattern)`, also `rlike`.
fn regexp_like() -> Arc<ScalarUDF> {
    Builtin::new(
        "regexp_like",
        |name, types| coerce_as(name, types, "SS"),
        |_, _| Ok(DataType::Boolean),
        |_, constants, _, _| Ok(Box::new(RegexMatch { negated: false, ignore_case: false, regex: pattern(constants)? })),
        |_| true,
    )
    .with_aliases(&["rlike", "regexp"])
    .into_udf()
}

/// `instr(text, part)` and, with `part_first`, `locate(part, text[, from])`: 0 when not found.
fn position(name: &'static str, part_first: bool, aliases: &[&str]) -> Arc<ScalarUDF> {
    fn find(args: &[Arg], rows: usize, text_at: usize, part_at: usize) -> Result<ArrayRef> {
        if args.iter().any(Arg::is_null) {
            return Ok(new_null_array(&DataType::Int32, rows));
        }
        let nulls = union_nulls(args);
        let values = (0..rows).map(|row| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                return 0;
            }
            let (value, part) = (text(args, text_at, row), text(args, part_at, row));
            let from = if args.len() > 2 { integer(args, 2, row) } else { 1 };
            if from < 1 {
                return 0;
            }
            // Nothing is found at the beginning, wherever the search begins.
            if part.is_empty() {
                return 1;
            }
            let skipped = characters(value, 0, from - 1).len();
            match value[skipped..].find(part) {
                Some(at) => value[..skipped + at].chars().count() as i32 + 1,
                None => 0,
            }
        });
        let values: Vec<i32> = values.collect();
        Ok(Arc::new(Int32Array::new(values.into(), nulls)))
    }
    if part_first {
        let make = |_: &[DataType], _: Constants, _: &DataType, _: &str| Ok(kernel(|args, rows| find(args, rows, 1, 0)));
        let coerce = |name: &str, types: &[DataType]| coerce_as(name, types, "SSi");
        Builtin::new(name, coerce, |_, _| Ok(DataType::Int32), make, |_| false).with_aliases(aliases).into_udf()
    } else {
        let make = |_: &[DataType], _: Constants, _: &DataType, _: &str| Ok(kernel(|args, rows| find(args, rows, 0, 1)));
        let coerce = |name: &str, types: &[DataType]| coerce_as(name, types, "SS");
        Builtin::new(name, coerce, |_, _| Ok(DataType::Int32), make, |_| false).with_aliases(aliases).into_udf()
    }
}
