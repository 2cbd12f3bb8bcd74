//! Rows as lines of JSON, as Spark writes them: an object a row, NULLs of columns and fields left out,
//! those of arrays and maps written. Numbers are exact; NaN and the infinities are strings; timestamps
//! are in ISO 8601 with milliseconds, or with more digits where these do not hold the value.

use super::values::{Kind, Shape, TextColumn, Texts, items_of};
use crate::error::{Error, Result};

/// Appends rows.
pub(super) fn rows(columns: &[TextColumn], texts: &[Texts], rows: usize, out: &mut Vec<u8>) -> Result<()> {
    for row in 0..rows {
        object(columns, texts, row, out)?;
        out.push(b'\n');
    }
    Ok(())
}

fn object(columns: &[TextColumn], texts: &[Texts], row: usize, out: &mut Vec<u8>) -> Result<()> {
    out.push(b'{');
    let mut first = true;
    for (column, texts) in columns.iter().zip(texts).filter(|(_, texts)| !texts.is_null(row)) {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        string(&column.name, out);
        out.push(b':');
        value(column, texts, row, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn value(column: &TextColumn, texts: &Texts, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if texts.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match (&column.shape, texts) {
        (Shape::Value(kind, _), Texts::Value(texts)) => scalar(*kind, texts.value(row), out),
        (Shape::List(item), Texts::List(offsets, _, items)) => {
            out.push(b'[');
            for (number, at) in items_of(offsets, row).enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                value(item, items, at, out)?;
            }
            out.push(b']');
        }
        (Shape::Map(_, of_value), Texts::Map(offsets, _, keys, values)) => {
            let Texts::Value(keys) = keys.as_ref() else {
                return Err(Error::unsupported("writing a map with nested keys to JSON"));
            };
            out.push(b'{');
            for (number, at) in items_of(offsets, row).enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                string(keys.value(at), out);
                out.push(b':');
                value(of_value, values, at, out)?;
            }
            out.push(b'}');
        }
        (Shape::Struct(fields), Texts::Struct(_, texts)) => object(fields, texts, row, out)?,
        _ => return Err(Error::internal("texts of another column")),
    }
    Ok(())
}

fn scalar(kind: Kind, text: &str, out: &mut Vec<u8>) {
    match kind {
        Kind::Boolean => out.extend_from_slice(text.as_bytes()),
        Kind::Number if !text.ends_with(['y', 'N']) => out.extend_from_slice(text.as_bytes()),
        Kind::Text | Kind::Number | Kind::Bytes => string(text, out),
        Kind::Timestamp { zone } => {
            out.push(b'"');
            iso(text, zone, out);
            out.push(b'"');
        }
    }
}

/// `2024-01-31 12:00:00.5` as `2024-01-31T12:00:00.500Z`: milliseconds, or all digits.
pub(super) fn iso(text: &str, zone: bool, out: &mut Vec<u8>) {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (day, time) = seconds.split_once(' ').unwrap_or((seconds, ""));
    out.extend_from_slice(day.as_bytes());
    out.push(b'T');
    out.extend_from_slice(time.as_bytes());
    out.push(b'.');
    out.extend_from_slice(fraction.as_bytes());
    out.extend_from_slice(&b"000"[fraction.len().min(3)..]);
    if zone {
        out.push(b'Z');
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => out.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
