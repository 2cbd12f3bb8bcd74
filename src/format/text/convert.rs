//! Texts of one column to an array of its type.
//!
//! Problem: delimited text and JSON lines find out where each row's value of a column stands, then
//! want an array of a type. A [`Cells`] is such a column of texts; conversion is a loop a type over
//! it, so that the type is looked at once a column. Nested types become cells of their items first,
//! and those are converted the same way.
//!
//! ```text
//!   cells  "1" "22" -  "x"      array  1 22 NULL NULL      faults  row 3: 'x' is no INT
//! ```
//!
//! Cost: one pass over the texts; strings are copied once, so that a chunk does not keep its text
//! alive. NULL: what the format says is NULL; what does not fit is NULL and a fault.

use super::date_pattern::DatePattern;
use super::scalar;
use super::time::{self, Zone};
use crate::column::is_narrow_decimal;
use crate::error::{Error, Result};
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, BooleanBuilder, ListArray, MapArray, NullBufferBuilder, PrimitiveArray,
    StringViewBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use std::sync::Arc;

/// Bytes of a text that an error shows.
const SHOWN_BYTES: usize = 60;
/// Bytes of strings that lie in one buffer. Guessed: a chunk's column of short strings fills a few.
const STRING_BLOCK_BYTES: u32 = 128 << 10;

/// What stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Cell<'a> {
    Null,
    Text(&'a str),
    /// A value of another kind than the type wants.
    Wrong(&'a str),
}

/// The texts of one column.
pub(in crate::format) trait Cells {
    /// What stands in a row, for a type that is not nested.
    fn cell(&self, row: usize) -> Cell<'_>;

    /// The items of nested values: cells of all rows' items, and how many each row has; none where
    /// the row is NULL, or wrong (which is added to `faults`).
    fn nested<'s>(&'s self, data_type: &DataType, rows: usize, faults: &mut Faults<'_>) -> Result<Nested<'s>> {
        let _ = (data_type, rows, faults);
        Err(Error::unsupported("a nested type in this format"))
    }
}

/// Items of nested values.
pub(in crate::format) struct Nested<'a> {
    /// For lists the items; for maps keys, then values; for structs one a field.
    pub(in crate::format) children: Vec<Box<dyn Cells + 'a>>,
    /// Items of each row, which structs do not have; none is NULL.
    pub(in crate::format) counts: Vec<Option<u32>>,
}

/// How values are written.
#[derive(Debug, Clone)]
pub(in crate::format) struct ValueStyle {
    pub(in crate::format) date: Option<DatePattern>,
    pub(in crate::format) timestamp: Option<DatePattern>,
    pub(in crate::format) zone: Zone,
    pub(in crate::format) nan: Option<String>,
    pub(in crate::format) infinity: Option<String>,
    pub(in crate::format) negative_infinity: Option<String>,
    /// Bytes are in base 64, else they are the text.
    pub(in crate::format) base64: bool,
    /// As Hive's LazySimpleSerDe: whole numbers may have digits after a point, timestamps no `T`.
    pub(in crate::format) hive: bool,
    /// Whole numbers are points in time in seconds.
    pub(in crate::format) epoch_seconds: bool,
}

/// Rows with values that did not fit.
#[derive(Debug)]
pub(in crate::format) struct Faults<'a> {
    /// Per row of the chunk.
    pub(in crate::format) rows: Vec<bool>,
    /// The earliest: its row, column and what is wrong.
    pub(in crate::format) first: Option<(usize, String, String)>,
    column: &'a str,
    /// The chunk's rows of nested items.
    owners: Option<Vec<u32>>,
}

impl<'a> Faults<'a> {
    /// None yet, in so many rows.
    pub(in crate::format) fn new(rows: usize) -> Self {
        Self { rows: vec![false; rows], first: None, column: "", owners: None }
    }

    /// What is added from now on is of this column.
    pub(in crate::format) fn in_column(&mut self, column: &'a str) {
        self.column = column;
    }

    /// Adds one.
    #[cold]
    pub(in crate::format) fn add(&mut self, row: usize, what: impl FnOnce() -> String) {
        let row = self.owners.as_ref().and_then(|owners| owners.get(row)).map_or(row, |row| *row as usize);
        if let Some(seen) = self.rows.get_mut(row) {
            *seen = true;
        }
        if self.first.as_ref().is_none_or(|(first, ..)| row < *first) {
            self.first = Some((row, self.column.to_owned(), what()));
        }
    }

    /// Adds a value that is not of the type.
    #[cold]
    pub(in crate::format) fn misfit(&mut self, row: usize, text: &str, data_type: &DataType) {
        self.add(row, || format!("'{}' is no {}", shown(text), spoken(data_type)));
    }

    /// The rows that items belong to are those of the chunk while `within` runs.
    fn nested<T>(&mut self, counts: &[Option<u32>], within: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.owners.take();
        let mut owners = Vec::new();
        for (row, count) in counts.iter().enumerate() {
            let row = outer.as_ref().map_or(row as u32, |outer| outer[row]);
            owners.extend(std::iter::repeat_n(row, count.unwrap_or(0) as usize));
        }
        self.owners = Some(owners);
        let result = within(self);
        self.owners = outer;
        result
    }
}

/// A text as errors show it.
pub(in crate::format) fn shown(text: &str) -> String {
    let mut end = text.len().min(SHOWN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let more = if end < text.len() { "..." } else { "" };
    format!("{}{more}", text[..end].escape_debug())
}

/// The name of a type in SQL.
fn spoken(data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP_NTZ".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::BinaryView | DataType::Binary => "BINARY".into(),
        DataType::List(_) => "ARRAY".into(),
        DataType::Map(..) => "MAP".into(),
        DataType::Struct(_) => "STRUCT".into(),
        _ => "STRING".into(),
    }
}

/// Whether columns of a type can be read from text.
pub(in crate::format) fn check_type(data_type: &DataType, nested: bool) -> Result<()> {
    match data_type {
        DataType::Boolean | DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Ok(()),
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) | DataType::Date32 => Ok(()),
        DataType::Timestamp(TimeUnit::Microsecond, _) | DataType::Utf8View | DataType::BinaryView => Ok(()),
        DataType::List(item) if nested => check_type(item.data_type(), nested),
        DataType::Struct(fields) if nested => fields.iter().try_for_each(|field| check_type(field.data_type(), nested)),
        DataType::Map(entries, _) if nested => match entries.data_type() {
            DataType::Struct(fields) => fields.iter().try_for_each(|field| check_type(field.data_type(), nested)),
            _ => Err(Error::internal("a map without entries")),
        },
        other => Err(Error::unsupported(format!("a column of type {} in this format", spoken(other)))),
    }
}

/// The array of `rows` cells: in its storage type, or as an item of a nested type in the type itself.
pub(in crate::format) fn array<C: Cells + ?Sized>(
    cells: &C,
    data_type: &DataType,
    rows: usize,
    item: bool,
    style: &ValueStyle,
    faults: &mut Faults,
) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::Int64 => primitive::<Int64Type, C>(cells, data_type, rows, faults, |text| whole(text, style)),
        DataType::Int32 => small::<Int32Type, C>(cells, data_type, rows, style, faults),
        DataType::Int16 => small::<Int16Type, C>(cells, data_type, rows, style, faults),
        DataType::Int8 => small::<Int8Type, C>(cells, data_type, rows, style, faults),
        DataType::Float64 => primitive::<Float64Type, C>(cells, data_type, rows, faults, |text| {
            named(text, style).or_else(|| scalar::double(text.as_bytes()))
        }),
        DataType::Float32 => primitive::<Float32Type, C>(cells, data_type, rows, faults, |text| {
            named(text, style).map(|value| value as f32).or_else(|| scalar::float(text.as_bytes()))
        }),
        DataType::Decimal128(precision, scale) if !item && is_narrow_decimal(data_type) => {
            let parse = |text: &str| scalar::narrow_decimal(text.as_bytes(), *precision, *scale);
            let values = values::<Decimal64Type, C>(cells, data_type, rows, faults, parse);
            Arc::new(values.with_data_type(DataType::Decimal64(*precision, *scale)))
        }
        DataType::Decimal128(precision, scale) => primitive::<Decimal128Type, C>(cells, data_type, rows, faults, |text| {
            scalar::decimal(text.as_bytes(), *precision, *scale)
        }),
        DataType::Date32 => match &style.date {
            None => primitive::<Date32Type, C>(cells, data_type, rows, faults, |text| time::date(text.as_bytes())),
            Some(pattern) => primitive::<Date32Type, C>(cells, data_type, rows, faults, |text| pattern.date(text.as_bytes())),
        },
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let zone = zone.as_ref().map(|_| style.zone);
            primitive::<TimestampMicrosecondType, C>(cells, data_type, rows, faults, |text| instant(text, zone, style))
        }
        DataType::Boolean => {
            let mut built = BooleanBuilder::with_capacity(rows);
            for row in 0..rows {
                built.append_option(value(cells, row, data_type, faults, |text| scalar::boolean(text.as_bytes())));
            }
            Arc::new(built.finish())
        }
        DataType::Utf8View => {
            let mut built = StringViewBuilder::with_capacity(rows).with_fixed_block_size(STRING_BLOCK_BYTES);
            for row in 0..rows {
                match cells.cell(row) {
                    Cell::Text(text) => built.append_value(text),
                    Cell::Null => built.append_null(),
                    Cell::Wrong(text) => {
                        faults.misfit(row, text, data_type);
                        built.append_null();
                    }
                }
            }
            Arc::new(built.finish())
        }
        DataType::BinaryView => {
            let mut built = BinaryViewBuilder::with_capacity(rows).with_fixed_block_size(STRING_BLOCK_BYTES);
            for row in 0..rows {
                let bytes = |text: &str| match style.base64 {
                    // What is not in base 64 Hive takes as it stands.
                    true => scalar::base64(text.as_bytes()).or_else(|| style.hive.then(|| text.as_bytes().to_vec())),
                    false => Some(text.as_bytes().to_vec()),
                };
                built.append_option(value(cells, row, data_type, faults, bytes));
            }
            Arc::new(built.finish())
        }
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => nested(cells, data_type, rows, style, faults)?,
        other => return Err(Error::unsupported(format!("a column of type {other} in text"))),
    })
}

#[inline]
fn value<T, C: Cells + ?Sized>(
    cells: &C,
    row: usize,
    data_type: &DataType,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    match cells.cell(row) {
        Cell::Text(text) => {
            let value = parse(text);
            if value.is_none() {
                faults.misfit(row, text, data_type);
            }
            value
        }
        Cell::Null => None,
        Cell::Wrong(text) => {
            faults.misfit(row, text, data_type);
            None
        }
    }
}

fn primitive<T: ArrowPrimitiveType, C: Cells + ?Sized>(
    cells: &C,
    data_type: &DataType,
    rows: usize,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> ArrayRef {
    Arc::new(values::<T, C>(cells, data_type, rows, faults, parse).with_data_type(data_type.clone()))
}

fn values<T: ArrowPrimitiveType, C: Cells + ?Sized>(
    cells: &C,
    data_type: &DataType,
    rows: usize,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let mut values = Vec::with_capacity(rows);
    let mut nulls = NullBufferBuilder::new(rows);
    for row in 0..rows {
        match value(cells, row, data_type, faults, &parse) {
            Some(value) => {
                values.push(value);
                nulls.append_non_null();
            }
            None => {
                values.push(T::Native::default());
                nulls.append_null();
            }
        }
    }
    PrimitiveArray::new(ScalarBuffer::from(values), nulls.finish())
}

fn small<T: ArrowPrimitiveType, C: Cells + ?Sized>(
    cells: &C,
    data_type: &DataType,
    rows: usize,
    style: &ValueStyle,
    faults: &mut Faults,
) -> ArrayRef
where
    T::Native: TryFrom<i64>,
{
    primitive::<T, C>(cells, data_type, rows, faults, |text| T::Native::try_from(whole(text, style)?).ok())
}

#[inline]
fn whole(text: &str, style: &ValueStyle) -> Option<i64> {
    let found = scalar::integer(text.as_bytes());
    if found.is_some() || !style.hive {
        return found;
    }
    let (whole, fraction) = text.split_once('.')?;
    fraction.bytes().all(|byte| byte.is_ascii_digit()).then(|| scalar::integer(whole.as_bytes()))?
}

/// The texts that options give to what is no number.
#[inline]
fn named(text: &str, style: &ValueStyle) -> Option<f64> {
    let is = |name: &Option<String>| name.as_deref() == Some(text);
    if is(&style.nan) {
        Some(f64::NAN)
    } else if is(&style.infinity) {
        Some(f64::INFINITY)
    } else if is(&style.negative_infinity) {
        Some(f64::NEG_INFINITY)
    } else {
        None
    }
}

#[inline]
fn instant(text: &str, zone: Option<Zone>, style: &ValueStyle) -> Option<i64> {
    if style.epoch_seconds
        && let Some(seconds) = scalar::integer(text.as_bytes())
    {
        return seconds.checked_mul(1_000_000).filter(|_| zone.is_some());
    }
    match &style.timestamp {
        Some(pattern) => pattern.timestamp(text.as_bytes(), zone),
        None if style.hive && text.contains('T') => None,
        None => time::timestamp(text.as_bytes(), zone),
    }
}

fn nested<C: Cells + ?Sized>(
    cells: &C,
    data_type: &DataType,
    rows: usize,
    style: &ValueStyle,
    faults: &mut Faults,
) -> Result<ArrayRef> {
    let offsets = |counts: &[Option<u32>]| OffsetBuffer::from_lengths(counts.iter().map(|count| count.unwrap_or(0) as usize));
    let nulls = |counts: &[Option<u32>]| {
        let valid: NullBuffer = counts.iter().map(|count| count.is_some()).collect();
        (valid.null_count() > 0).then_some(valid)
    };
    let missing = || Error::internal("a nested column without items");
    match data_type {
        DataType::List(field) => {
            let Nested { children, counts } = cells.nested(data_type, rows, faults)?;
            let total = counts.iter().flatten().map(|count| *count as usize).sum();
            let child = children.first().ok_or_else(missing)?;
            let items = faults.nested(&counts, |faults| array(&**child, field.data_type(), total, true, style, faults))?;
            Ok(Arc::new(ListArray::try_new(field.clone(), offsets(&counts), items, nulls(&counts))?))
        }
        DataType::Map(field, sorted) => {
            let Nested { children, counts } = cells.nested(data_type, rows, faults)?;
            let total = counts.iter().flatten().map(|count| *count as usize).sum();
            let (DataType::Struct(fields), [keys, values]) = (field.data_type(), children.as_slice()) else {
                return Err(missing());
            };
            let [key, value] = fields.as_ref() else { return Err(missing()) };
            let (keys, values) = faults.nested(&counts, |faults| {
                let keys = array(&**keys, key.data_type(), total, true, style, faults)?;
                Ok::<_, Error>((keys, array(&**values, value.data_type(), total, true, style, faults)?))
            })?;
            if keys.null_count() > 0 {
                return Err(Error::unsupported("a map with a key that is NULL"));
            }
            let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
            Ok(Arc::new(MapArray::try_new(field.clone(), offsets(&counts), entries, nulls(&counts), *sorted)?))
        }
        DataType::Struct(fields) => {
            let Nested { children, counts } = cells.nested(data_type, rows, faults)?;
            let arrays =
                fields.iter().zip(&children).map(|(field, child)| array(&**child, field.data_type(), rows, true, style, faults));
            let arrays = arrays.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), arrays, nulls(&counts), rows)?))
        }
        other => Err(Error::internal(format!("{other} is not nested"))),
    }
}
