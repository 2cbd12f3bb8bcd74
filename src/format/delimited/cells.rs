//! Columns of delimited text as cells: what is NULL, and Hive's nested values.
//!
//! In Hive's text the items of an array, the entries of a map and the fields of a struct are
//! separated by characters of their own, another one at every depth: `1|2`, `a:1|b:2`.

use super::dialect::Settings;
use super::records::{Record, Records, Value, unescape_into};
use crate::error::{Error, Result};
use crate::format::text::convert::{Cell, Cells, Faults, Nested};
use arrow::datatypes::DataType;
use std::borrow::Cow;

/// A column of records.
pub(super) struct ColumnCells<'a> {
    pub(super) records: &'a Records,
    pub(super) text: &'a str,
    /// The rows.
    pub(super) window: &'a [Record],
    pub(super) column: usize,
    pub(super) settings: &'a Settings,
    /// The column's type is STRING.
    pub(super) is_string: bool,
}

/// Items of Hive's nested values; none is NULL.
struct ItemCells<'a> {
    items: Vec<Option<Cow<'a, str>>>,
    settings: &'a Settings,
    /// How many separators belong to values that these lie in.
    level: usize,
}

impl Cells for ColumnCells<'_> {
    #[inline]
    fn cell(&self, row: usize) -> Cell<'_> {
        match self.records.value(self.text, &self.window[row], self.column) {
            Some(value) => meaning(value, self.settings, self.is_string),
            None => Cell::Null,
        }
    }

    fn nested<'s>(&'s self, data_type: &DataType, rows: usize, _faults: &mut Faults<'_>) -> Result<Nested<'s>> {
        let value = |row: usize| {
            let value = self.records.value(self.text, &self.window[row], self.column)?;
            (self.settings.null.as_deref() != Some(value.text)).then_some(value.text)
        };
        split((0..rows).map(value), data_type, self.settings, 0)
    }
}

impl Cells for ItemCells<'_> {
    fn cell(&self, row: usize) -> Cell<'_> {
        self.items[row].as_deref().map_or(Cell::Null, Cell::Text)
    }

    fn nested<'s>(&'s self, data_type: &DataType, rows: usize, _faults: &mut Faults<'_>) -> Result<Nested<'s>> {
        split((0..rows).map(|row| self.items[row].as_deref()), data_type, self.settings, self.level)
    }
}

/// What a value says.
#[inline]
fn meaning<'a>(value: Value<'a>, settings: &'a Settings, is_string: bool) -> Cell<'a> {
    let Value { mut text, quoted } = value;
    if quoted {
        if text.is_empty() {
            text = &settings.empty;
        }
        // What has escapes in Hive's text is not what stands for NULL.
        if (settings.quoted_is_text && (is_string || !text.is_empty())) || settings.dialect.hive {
            return Cell::Text(text);
        }
    } else {
        if settings.dialect.trim_start {
            text = text.trim_start_matches([' ', '\t']);
        }
        if settings.dialect.trim_end {
            text = text.trim_end_matches([' ', '\t']);
        }
        if text.is_empty() && settings.empty_is_null {
            return Cell::Null;
        }
    }
    let is_null = settings.null.as_deref().is_some_and(|null| null == text) || (text.is_empty() && !is_string);
    if is_null { Cell::Null } else { Cell::Text(text) }
}

/// Splits nested values of one column into their items.
fn split<'a>(
    values: impl Iterator<Item = Option<&'a str>>,
    data_type: &DataType,
    settings: &'a Settings,
    level: usize,
) -> Result<Nested<'a>> {
    let separator = |level: usize| settings.dialect.separators.get(level).copied();
    let too_deep = || Error::unsupported("a type nested so deep in delimited text");
    let own = separator(level).ok_or_else(too_deep)?;
    let escape = settings.dialect.escape;
    let mut counts = Vec::new();
    let children: Vec<(Vec<Option<Cow<'a, str>>>, usize)> = match data_type {
        DataType::List(field) => {
            let mut items = Vec::new();
            for value in values {
                let before = items.len();
                let pieces = value.filter(|value| !value.is_empty()).map(|value| pieces(value, own, escape));
                items.extend(pieces.into_iter().flatten().map(|piece| item(piece, field.data_type(), settings)));
                counts.push(value.map(|_| (items.len() - before) as u32));
            }
            vec![(items, level + 1)]
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else { return Err(Error::internal("a map without entries")) };
            let [key_field, value_field] = fields.as_ref() else { return Err(Error::internal("a map without entries")) };
            let between = separator(level + 1).ok_or_else(too_deep)?;
            let (mut keys, mut held) = (Vec::new(), Vec::new());
            for value in values {
                let before = keys.len();
                for piece in value.filter(|value| !value.is_empty()).map(|value| pieces(value, own, escape)).into_iter().flatten()
                {
                    let mut parts = pieces(piece, between, escape).into_iter();
                    keys.push(parts.next().and_then(|key| item(key, key_field.data_type(), settings)));
                    held.push(parts.next().and_then(|value| item(value, value_field.data_type(), settings)));
                }
                counts.push(value.map(|_| (keys.len() - before) as u32));
            }
            vec![(keys, level + 2), (held, level + 2)]
        }
        DataType::Struct(fields) => {
            let mut columns: Vec<Vec<Option<Cow<'a, str>>>> = fields.iter().map(|_| Vec::new()).collect();
            for value in values {
                let mut parts = value.map(|value| pieces(value, own, escape)).into_iter().flatten();
                for (field, column) in fields.iter().zip(&mut columns) {
                    column.push(parts.next().and_then(|piece| item(piece, field.data_type(), settings)));
                }
                counts.push(value.map(|_| 1));
            }
            columns.into_iter().map(|items| (items, level + 1)).collect()
        }
        other => return Err(Error::internal(format!("{other} is not nested"))),
    };
    let cells = children.into_iter().map(|(items, level)| Box::new(ItemCells { items, settings, level }) as Box<dyn Cells + 'a>);
    Ok(Nested { children: cells.collect(), counts })
}

/// The parts of a value between separators that are not escaped.
fn pieces(value: &str, separator: u8, escape: Option<u8>) -> Vec<&str> {
    let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
    let bytes = value.as_bytes();
    while at < bytes.len() {
        if Some(bytes[at]) == escape {
            at += 2;
        } else {
            if bytes[at] == separator {
                pieces.push(&value[from..at]);
                from = at + 1;
            }
            at += 1;
        }
    }
    pieces.push(&value[from..]);
    pieces
}

/// An item of a type; what is nested again keeps its escapes.
fn item<'a>(piece: &'a str, data_type: &DataType, settings: &Settings) -> Option<Cow<'a, str>> {
    if settings.null.as_deref() == Some(piece) {
        return None;
    }
    let is_string = matches!(data_type, DataType::Utf8View);
    if piece.is_empty() && !is_string && !data_type.is_nested() {
        return None;
    }
    match settings.dialect.escape {
        Some(escape) if !data_type.is_nested() && piece.as_bytes().contains(&escape) => {
            let mut plain = String::new();
            unescape_into(&mut plain, piece, escape);
            Some(Cow::Owned(plain))
        }
        _ => Some(Cow::Borrowed(piece)),
    }
}
