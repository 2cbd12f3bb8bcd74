//! Functions of strings. Positions and lengths count characters, from 1.

use super::super::arithmetic::Concat;
use super::super::kernel::{Arg, Kernel, union_nulls};
use super::super::like::{RegexMatch, regex};
use super::builtin::{Builtin, mismatch};
use crate::column::storage_type;
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
            ('S', DataType::Binary | DataType::BinaryView | DataType::LargeBinary) => Err(mismatch(name, types)),
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
        string_function!("regexp_replace", &[], "SSS", |_, constants, _, _| regexp_replace(constants)),
        string_function!("regexp_extract", &[], "SSi", |_, constants, _, _| regexp_extract(constants)),
        concat(),
        regexp_like(),
        position("instr", false, &[]),
        position("locate", true, &["position"]),
        conditional(),
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

/// `concat(a, b, ...)`, NULL if one is.
fn concat() -> Arc<ScalarUDF> {
    let coerce = |name: &str, types: &[DataType]| {
        types.iter().map(|t| coerce_as(name, std::slice::from_ref(t), "S").map(|mut t| t.remove(0))).collect()
    };
    Builtin::new("concat", coerce, |_, _| Ok(DataType::Utf8View), |_, _, _, _| Ok(Box::new(Concat)), |_| false).into_udf()
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

/// The compiled pattern of a row: the constant one, or that of the second argument, kept while it
/// stays the same.
fn regex_of<'a>(constant: &'a Option<Regex>, last: &'a mut Option<Regex>, pattern: &str) -> Result<&'a Regex> {
    if let Some(regex) = constant {
        return Ok(regex);
    }
    if last.as_ref().is_none_or(|last| last.as_str() != pattern) {
        *last = None;
    }
    Ok(match last {
        Some(known) => known,
        None => last.insert(regex(pattern, false)?),
    })
}

/// Java writes groups as `$1`; the regex crate would read `$1a` as a group named `1a`.
fn java_replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            '$' => {
                out.push_str("${");
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    out.push(digit);
                }
                out.push('}');
            }
            other => out.push(other),
        }
    }
    out
}

/// Replaces all matches.
fn regexp_replace(constants: Constants) -> Result<Box<dyn Kernel>> {
    let constant = pattern(constants)?;
    Ok(kernel(move |args, rows| {
        let (mut last, mut failed) = (None, None);
        let result = each_row(args, rows, |row, builder| match regex_of(&constant, &mut last, text(args, 1, row)) {
            Ok(regex) => {
                let with = java_replacement(text(args, 2, row));
                builder.append_value(regex.replace_all(text(args, 0, row), with.as_str()));
            }
            Err(error) => {
                failed = Some(error);
                builder.append_null();
            }
        });
        failed.map_or(result, Err)
    }))
}

/// The group (1 unless given) of the first match; empty when nothing matches.
fn regexp_extract(constants: Constants) -> Result<Box<dyn Kernel>> {
    let constant = pattern(constants)?;
    Ok(kernel(move |args, rows| {
        let (mut last, mut failed) = (None, None);
        let result = each_row(args, rows, |row, builder| match regex_of(&constant, &mut last, text(args, 1, row)) {
            Ok(regex) => {
                let group = if args.len() > 2 { integer(args, 2, row).max(0) as usize } else { 1 };
                let captures = regex.captures(text(args, 0, row));
                builder.append_value(captures.and_then(|found| found.get(group)).map_or("", |found| found.as_str()));
            }
            Err(error) => {
                failed = Some(error);
                builder.append_null();
            }
        });
        failed.map_or(result, Err)
    }))
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

/// `if(condition, then, otherwise)`. Compiled as CASE; the kernel here serves constant folding.
fn conditional() -> Arc<ScalarUDF> {
    let coerce = |name: &str, types: &[DataType]| match types {
        [condition, then, otherwise] if matches!(condition, DataType::Boolean | DataType::Null) => {
            let both = match (then, otherwise) {
                _ if storage_type(then) == storage_type(otherwise) => then.clone(),
                (DataType::Null, other) | (other, DataType::Null) => other.clone(),
                _ => datafusion_expr::type_coercion::binary::type_union_coercion(then, otherwise)
                    .ok_or_else(|| mismatch(name, types))?,
            };
            Ok(vec![DataType::Boolean, both.clone(), both])
        }
        _ => Err(mismatch(name, types)),
    };
    let returns = |types: &[DataType], _: Constants| types.get(1).cloned().ok_or_else(|| mismatch("if", types));
    let make = |_: &[DataType], _: Constants, _: &DataType, _: &str| {
        Ok(kernel(|args, rows| {
            let condition = args[0].flat(rows)?;
            let mask = super::super::logic::true_rows(condition.as_boolean());
            let (then, otherwise) = (args[1].flat(rows)?, args[2].flat(rows)?);
            let mask = arrow::array::BooleanArray::new(mask, None);
            Ok(arrow::compute::kernels::zip::zip(&mask, &then, &otherwise)?)
        }))
    };
    Builtin::new("if", coerce, returns, make, |_| false).with_aliases(&["iff"]).into_udf()
}
