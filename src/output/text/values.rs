//! Columns as texts, nested ones taken apart down to values that have a text.

use crate::column::{Chunk, Column, to_storage_type};
use crate::error::{Error, Result};
use crate::expr::ExprRef;
use crate::output::grouping::casts_to_text;
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema};

/// A column, or the items of one.
#[derive(Debug)]
pub(super) struct TextColumn {
    /// As it is written.
    pub(super) name: String,
    data_type: DataType,
    pub(super) shape: Shape,
}

/// What a column's values are.
#[derive(Debug)]
pub(super) enum Shape {
    /// A text: its cast to STRING, or none for bytes.
    Value(Kind, Option<ExprRef>),
    List(Box<TextColumn>),
    /// Keys and values.
    Map(Box<TextColumn>, Box<TextColumn>),
    Struct(Vec<TextColumn>),
}

/// How a value stands in lines that tell types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A number, or a word for none in floats.
    Number,
    Boolean,
    Timestamp {
        zone: bool,
    },
    /// In base 64.
    Bytes,
}

/// The texts of a column of some rows.
pub(super) enum Texts {
    Value(StringViewArray),
    List(OffsetBuffer<i32>, Option<NullBuffer>, Box<Texts>),
    Map(OffsetBuffer<i32>, Option<NullBuffer>, Box<Texts>, Box<Texts>),
    Struct(Option<NullBuffer>, Vec<Texts>),
}

impl TextColumn {
    pub(super) fn new(field: &Field) -> Result<Self> {
        let (name, data_type) = (field.name().clone(), field.data_type().clone());
        let value = |kind| {
            let own = Schema::new(vec![Field::new("c", data_type.clone(), true)]);
            Ok::<_, Error>(Shape::Value(kind, casts_to_text(&own, &[0])?.pop()))
        };
        let shape = match &data_type {
            DataType::Boolean => value(Kind::Boolean)?,
            DataType::Timestamp(_, zone) => value(Kind::Timestamp { zone: zone.is_some() })?,
            DataType::Date32 | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => value(Kind::Text)?,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Shape::Value(Kind::Bytes, None),
            number if number.is_numeric() => value(Kind::Number)?,
            DataType::List(item) => Shape::List(Box::new(Self::new(item)?)),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => {
                    Shape::Map(Box::new(Self::new(&fields[0])?), Box::new(Self::new(&fields[1])?))
                }
                _ => return Err(Error::internal("a map without entries")),
            },
            DataType::Struct(fields) => Shape::Struct(fields.iter().map(|field| Self::new(field)).collect::<Result<_>>()?),
            other => return Err(Error::unsupported(format!("writing the type {other} as text")).in_column(&name)),
        };
        Ok(Self { name, data_type, shape })
    }

    /// The texts of `rows` rows.
    pub(super) fn texts(&self, column: &Column, rows: usize) -> Result<Texts> {
        match &self.shape {
            Shape::Value(_, Some(cast)) => {
                let text = cast.evaluate(&Chunk::new(vec![column.clone()], rows))?.flat()?;
                Ok(Texts::Value(text.as_string_view().clone()))
            }
            _ => self.nested(&column.flat()?),
        }
    }

    /// The same of an array.
    fn items(&self, array: &ArrayRef) -> Result<Texts> {
        match &self.shape {
            Shape::Value(_, Some(_)) => self.texts(&Column::Flat(to_storage_type(array)?), array.len()),
            _ => self.nested(array),
        }
    }

    fn nested(&self, array: &ArrayRef) -> Result<Texts> {
        let wrong = || Error::internal(format!("{} where {} is written", array.data_type(), self.data_type));
        match &self.shape {
            Shape::Value(..) => Ok(Texts::Value(in_base64(array)?)),
            Shape::List(item) => {
                let lists = array.as_list_opt::<i32>().ok_or_else(wrong)?;
                let items = item.items(lists.values())?;
                Ok(Texts::List(lists.offsets().clone(), lists.nulls().cloned(), Box::new(items)))
            }
            Shape::Map(key, value) => {
                let maps = array.as_map_opt().ok_or_else(wrong)?;
                let (keys, values) = (key.items(maps.keys())?, value.items(maps.values())?);
                Ok(Texts::Map(maps.offsets().clone(), maps.nulls().cloned(), Box::new(keys), Box::new(values)))
            }
            Shape::Struct(fields) => {
                let structs = array.as_struct_opt().ok_or_else(wrong)?;
                let columns = fields.iter().zip(structs.columns()).map(|(field, column)| field.items(column));
                Ok(Texts::Struct(structs.nulls().cloned(), columns.collect::<Result<_>>()?))
            }
        }
    }
}

impl Texts {
    /// Whether a row's value is NULL.
    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Value(texts) => texts.is_null(row),
            Self::List(_, nulls, _) | Self::Map(_, nulls, ..) | Self::Struct(nulls, _) => {
                nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
            }
        }
    }
}

/// The items of a row.
pub(super) fn items_of(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}

/// Bytes in base 64 (RFC 4648, with padding), as Spark and Hive write them in text.
fn in_base64(array: &ArrayRef) -> Result<StringViewArray> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let array = to_storage_type(array)?;
    let bytes = array.as_binary_view_opt().ok_or_else(|| Error::internal(format!("{} as bytes", array.data_type())))?;
    let mut texts = StringViewBuilder::with_capacity(bytes.len());
    let mut text = String::new();
    for value in bytes {
        let Some(value) = value else {
            texts.append_null();
            continue;
        };
        text.clear();
        for group in value.chunks(3) {
            let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
            let bits = at(0) << 16 | at(1) << 8 | at(2);
            for digit in 0..4 {
                let is_there = digit <= group.len();
                text.push(if is_there { char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]) } else { '=' });
            }
        }
        texts.append_value(&text);
    }
    Ok(texts.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::BinaryViewArray;
    use std::sync::Arc;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let bytes: ArrayRef = Arc::new(BinaryViewArray::from_iter(["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(Some)));
        let texts: Vec<Option<String>> = in_base64(&bytes).unwrap().iter().map(|text| text.map(str::to_owned)).collect();
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"].map(|text| Some(text.to_owned()));
        assert_eq!(texts, expected);
    }
}
