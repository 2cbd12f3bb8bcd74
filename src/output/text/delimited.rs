//! Rows as lines of delimited text.
//!
//! - CSV: a value is quoted where a reader would take it apart, trim it or take it for NULL. Within
//!   quotes the escape stands before a quote and before itself (RFC 4180: the quote is its own escape).
//!   Timestamps are in ISO 8601.
//! - Hive's text (LazySimpleSerDe): no quotes; whatever would end a value is escaped if the table has an
//!   escape, `\n` and `\r` by letters. Items of nested values have separators of their own at every depth.
//! - Lines of one column: what stands in them.
//!
//! A value that would be read back as another one is refused; but the empty string comes back as NULL
//! where NULL is nothing, and NULL as the empty string where nothing stands for it, as in Spark and Hive.

use super::json::iso;
use super::values::{Kind, Shape, TextColumn, Texts, items_of};
use crate::error::{Error, Result};
use crate::format::style::DelimitedStyle;
use arrow::array::Array;
use arrow::datatypes::{DataType, Schema};

/// The lines of one schema.
#[derive(Debug)]
pub(super) struct Delimited {
    style: DelimitedStyle,
    /// Nothing that a number or a boolean is made of is special.
    plain_numbers: bool,
    /// A line of nothing would be no record.
    single: bool,
}

impl Delimited {
    pub(super) fn new(style: DelimitedStyle, schema: &Schema) -> Result<Self> {
        for field in schema.fields() {
            let refuse =
                |what: &str| Err(Error::unsupported(format!("writing {what} to {}", style.name)).in_column(field.name()));
            match field.data_type() {
                data_type if data_type.is_nested() && !style.hive => return refuse(&data_type.to_string()),
                DataType::Binary | DataType::BinaryView | DataType::LargeBinary if !style.hive => return refuse("BINARY"),
                DataType::Timestamp(_, Some(_)) if style.hive && !style.is_utc => {
                    return refuse("TIMESTAMP, in another time zone than UTC,");
                }
                _ => {}
            }
        }
        if style.name == "text" && !matches!(schema.fields().as_ref(), [field] if *field.data_type() == DataType::Utf8View) {
            return Err(Error::sql("the format text has one column, of type STRING"));
        }
        let in_numbers = |c: char| c.is_ascii_alphanumeric() || "+-.:".contains(c);
        let special = [Some(style.delimiter), style.quote, style.escape, style.comment, Some(style.terminator)];
        if special
            .into_iter()
            .flatten()
            .any(|c| style.null.contains(c) && (style.hive.then_some(c) != style.escape || c == style.delimiter))
        {
            return Err(Error::unsupported(format!("'{}' for NULL in {}", style.null.escape_default(), style.name)));
        }
        let null_is_number = !style.null.is_empty() && style.null.chars().all(in_numbers);
        let plain_numbers = !special.into_iter().flatten().any(in_numbers) && !null_is_number;
        Ok(Self { plain_numbers, single: schema.fields().len() == 1 && !style.hive, style })
    }

    /// What a file begins with.
    pub(super) fn head(&self, columns: &[TextColumn], out: &mut Vec<u8>) -> Result<()> {
        if !self.style.header {
            return Ok(());
        }
        for (position, column) in columns.iter().enumerate() {
            self.delimit(position, out);
            self.quoted(&column.name, out).map_err(|error| error.in_column(&column.name))?;
        }
        self.end_line(out);
        Ok(())
    }

    /// Appends rows.
    pub(super) fn rows(&self, columns: &[TextColumn], texts: &[Texts], rows: usize, out: &mut Vec<u8>) -> Result<()> {
        for row in 0..rows {
            for (position, (column, texts)) in columns.iter().zip(texts).enumerate() {
                self.delimit(position, out);
                let written =
                    if self.style.hive { self.hive(column, texts, row, 0, out) } else { self.csv(column, texts, row, out) };
                written.map_err(|error| error.in_column(&column.name))?;
            }
            self.end_line(out);
        }
        Ok(())
    }

    fn delimit(&self, position: usize, out: &mut Vec<u8>) {
        if position > 0 {
            push(self.style.delimiter, out);
        }
    }

    fn end_line(&self, out: &mut Vec<u8>) {
        push(self.style.terminator, out);
    }

    fn refuse<T>(&self, what: &str, hint: &str) -> Result<T> {
        let error = Error::unsupported(format!("{what} in {}", self.style.name));
        Err(if hint.is_empty() { error } else { error.with_hint(hint) })
    }

    fn csv(&self, column: &TextColumn, texts: &Texts, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let (Shape::Value(kind, _), Texts::Value(texts)) = (&column.shape, texts) else {
            return Err(Error::internal("a nested value in CSV"));
        };
        if texts.is_null(row) {
            // A line of nothing is passed over; in quotes it is NULL, too, unless quotes say that it is text.
            if self.single && self.style.null.is_empty() && !self.style.quoted_is_text {
                return self.in_quotes("", out);
            }
            out.extend_from_slice(self.style.null.as_bytes());
            return Ok(());
        }
        let text = texts.value(row);
        match kind {
            Kind::Timestamp { zone } if self.plain_numbers => iso(text, *zone, out),
            Kind::Timestamp { zone } => {
                let mut moment = Vec::new();
                iso(text, *zone, &mut moment);
                self.quoted(&String::from_utf8_lossy(&moment), out)?;
            }
            Kind::Number | Kind::Boolean if self.plain_numbers => out.extend_from_slice(text.as_bytes()),
            _ => self.quoted(text, out)?,
        }
        Ok(())
    }

    /// A value, in quotes if it needs them.
    fn quoted(&self, text: &str, out: &mut Vec<u8>) -> Result<()> {
        let style = &self.style;
        if text == style.null && !style.quoted_is_text && !text.is_empty() {
            return self.refuse(&format!("'{text}', which stands for NULL,"), "the option nullValue says what does");
        }
        let special =
            |c: char| c == style.delimiter || Some(c) == style.quote || c == style.terminator || matches!(c, '\n' | '\r');
        let at_edge = |text: &str| text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
        let is_comment = style.comment.is_some_and(|comment| text.starts_with(comment));
        let plain = !text.is_empty() && text != style.null && !text.contains(special) && !at_edge(text) && !is_comment;
        if plain {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        self.in_quotes(text, out)
    }

    fn in_quotes(&self, text: &str, out: &mut Vec<u8>) -> Result<()> {
        let style = &self.style;
        if !style.lines_in_quotes && text.contains([style.terminator, '\n']) {
            return self.refuse("a value with an end of line", "a table with the option multiLine takes such");
        }
        let lone_return = |text: &str| text.match_indices('\r').any(|(at, _)| text.as_bytes().get(at + 1) != Some(&b'\n'));
        if style.universal_lines && lone_return(text) {
            return self.refuse("a value with a lone carriage return", "a table with the option lineSep '\\n' takes such");
        }
        let Some(quote) = style.quote else {
            if text.is_empty() && style.null.is_empty() {
                return Ok(());
            }
            return self.refuse("a value that needs quotes", "the option quote is empty");
        };
        let escape = style.escape.unwrap_or(quote);
        push(quote, out);
        let mut rest = text;
        while let Some(at) = rest.find([quote, escape]) {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            push(escape, out);
            let special = if rest[at..].starts_with(quote) { quote } else { escape };
            push(special, out);
            rest = &rest[at + special.len_utf8()..];
        }
        out.extend_from_slice(rest.as_bytes());
        push(quote, out);
        Ok(())
    }

    /// A value of Hive's text, within so many others.
    fn hive(&self, column: &TextColumn, texts: &Texts, row: usize, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        if texts.is_null(row) {
            out.extend_from_slice(self.style.null.as_bytes());
            return Ok(());
        }
        let separator = |depth: usize| match self.style.separators.get(depth) {
            Some(separator) => Ok(*separator),
            None => self.refuse("a type nested so deep", ""),
        };
        let start = out.len();
        let mut has_items = false;
        match (&column.shape, texts) {
            (Shape::Value(_, _), Texts::Value(texts)) => return self.escaped(texts.value(row), depth, out),
            (Shape::List(item), Texts::List(offsets, _, items)) => {
                for (number, at) in items_of(offsets, row).enumerate() {
                    if number > 0 {
                        push(separator(depth)?, out);
                    }
                    self.hive(item, items, at, depth + 1, out)?;
                    has_items = true;
                }
            }
            (Shape::Map(of_key, of_value), Texts::Map(offsets, _, keys, values)) => {
                for (number, at) in items_of(offsets, row).enumerate() {
                    if number > 0 {
                        push(separator(depth)?, out);
                    }
                    self.hive(of_key, keys, at, depth + 2, out)?;
                    push(separator(depth + 1)?, out);
                    self.hive(of_value, values, at, depth + 2, out)?;
                    has_items = true;
                }
            }
            (Shape::Struct(fields), Texts::Struct(_, texts)) => {
                for (number, (field, texts)) in fields.iter().zip(texts).enumerate() {
                    if number > 0 {
                        push(separator(depth)?, out);
                    }
                    self.hive(field, texts, row, depth + 1, out)?;
                }
            }
            _ => return Err(Error::internal("texts of another column")),
        }
        let text = &out[start..];
        if text == self.style.null.as_bytes() || (has_items && text.is_empty()) {
            return self.refuse("a nested value that reads like another (NULL, or without items)", "");
        }
        Ok(())
    }

    /// A text in Hive's text: below the top, separators of all depths end it.
    fn escaped(&self, text: &str, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        let style = &self.style;
        let start = out.len();
        let separates = |c: char| style.separators.contains(&c);
        let line_end = |c: char| matches!(c, '\n' | '\r') || c == style.terminator;
        // In lines of one column the delimiter is the end of the line.
        let ends = |c: char| c == style.delimiter || line_end(c) || Some(c) == style.escape || (depth > 0 && separates(c));
        if !text.contains(ends) {
            out.extend_from_slice(text.as_bytes());
        } else {
            let Some(escape) = style.escape else {
                let hint =
                    if style.name == "text" { "" } else { "ESCAPED BY '\\\\' in the table's ROW FORMAT lets it take such" };
                return self.refuse("a value with a delimiter or an end of line", hint);
            };
            if depth == 0 && text.contains(separates) {
                return self.refuse("a value with a separator of nested values and something to escape", "");
            }
            for c in text.chars() {
                match c {
                    '\n' => out.extend_from_slice(&[escape as u8, b'n']),
                    '\r' => out.extend_from_slice(&[escape as u8, b'r']),
                    c => {
                        if ends(c) {
                            push(escape, out);
                        }
                        push(c, out);
                    }
                }
            }
        }
        if !style.null.is_empty() && out[start..] == *style.null.as_bytes() {
            return self
                .refuse(&format!("'{}', which stands for NULL,", text.escape_default()), "NULL DEFINED AS says what does");
        }
        Ok(())
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}
