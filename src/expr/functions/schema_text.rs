//! Types written as text: `a INT, b ARRAY<STRING>`, `struct<a:int>`, `map<string,double>`.

use super::signature::{list_of, map_of, struct_of};
use crate::error::{Error, Result};
use arrow::datatypes::{DataType, TimeUnit};
use std::sync::Arc;

/// Deeper types are refused.
const DEPTH_MAX: usize = 128;

/// A type, or a list of columns as a struct.
pub(super) fn parse(text: &str, zone: &Arc<str>) -> Result<DataType> {
    let wrong = || Error::value(format!("'{text}' is no type or list of columns"));
    let mut reader = Reader { rest: text, zone, depth: 0 };
    if let Some(data_type) = reader.data_type().filter(|_| reader.rest.trim().is_empty()) {
        return Ok(data_type);
    }
    let mut reader = Reader { rest: text, zone, depth: 0 };
    let fields = reader.fields("").ok_or_else(wrong)?;
    if reader.rest.trim().is_empty() { Ok(struct_of(fields)) } else { Err(wrong()) }
}

struct Reader<'t> {
    rest: &'t str,
    zone: &'t Arc<str>,
    depth: usize,
}

impl Reader<'_> {
    fn eat(&mut self, wanted: &str) -> bool {
        match self.rest.trim_start().strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A name, as it is written or in backticks.
    fn word(&mut self) -> Option<String> {
        let text = self.rest.trim_start();
        if let Some(quoted) = text.strip_prefix('`') {
            let end = quoted.find('`')?;
            self.rest = &quoted[end + 1..];
            return Some(quoted[..end].to_owned());
        }
        let len = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        self.rest = &text[len..];
        Some(text[..len].to_owned()).filter(|word| !word.is_empty())
    }

    /// `name type, ...` up to `end`.
    fn fields(&mut self, end: &str) -> Option<Vec<(String, DataType)>> {
        let mut fields = Vec::new();
        if !end.is_empty() && self.eat(end) {
            return Some(fields);
        }
        loop {
            let name = self.word()?;
            self.eat(":");
            fields.push((name, self.data_type()?));
            let rest = self.rest;
            if self.word().is_some_and(|word| word.eq_ignore_ascii_case("not")) {
                self.word().filter(|word| word.eq_ignore_ascii_case("null"))?;
            } else {
                self.rest = rest;
            }
            if !end.is_empty() && self.eat(end) {
                return Some(fields);
            }
            if !self.eat(",") {
                return end.is_empty().then_some(fields);
            }
        }
    }

    fn data_type(&mut self) -> Option<DataType> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let name = self.word()?.to_lowercase();
        let parameters = |reader: &mut Self| -> Option<Vec<i64>> {
            let mut found = Vec::new();
            if reader.eat("(") {
                loop {
                    found.push(reader.word()?.parse().ok()?);
                    if reader.eat(")") {
                        break;
                    }
                    if !reader.eat(",") {
                        return None;
                    }
                }
            }
            Some(found)
        };
        let data_type = match name.as_str() {
            "boolean" => DataType::Boolean,
            "tinyint" | "byte" => DataType::Int8,
            "smallint" | "short" => DataType::Int16,
            "int" | "integer" => DataType::Int32,
            "bigint" | "long" => DataType::Int64,
            "float" | "real" => DataType::Float32,
            "double" => DataType::Float64,
            "string" => DataType::Utf8View,
            "char" | "character" | "varchar" => parameters(self).map(|_| DataType::Utf8View)?,
            "binary" => DataType::BinaryView,
            "date" => DataType::Date32,
            "timestamp" | "timestamp_ltz" => DataType::Timestamp(TimeUnit::Microsecond, Some(self.zone.clone())),
            "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
            "void" => DataType::Null,
            "decimal" | "dec" | "numeric" => match parameters(self)?.as_slice() {
                [] => DataType::Decimal128(10, 0),
                [p @ 1..=38] => DataType::Decimal128(*p as u8, 0),
                [p @ 1..=38, s] if (0..=*p).contains(s) => DataType::Decimal128(*p as u8, *s as i8),
                _ => return None,
            },
            "array" if self.eat("<") => {
                let item = self.data_type()?;
                self.eat(">").then(|| list_of(item))?
            }
            "map" if self.eat("<") => {
                let key = self.data_type()?;
                let value = if self.eat(",") { self.data_type()? } else { return None };
                self.eat(">").then(|| map_of(key, value))?
            }
            "struct" if self.eat("<") => struct_of(self.fields(">")?),
            _ => return None,
        };
        self.depth -= 1;
        Some(data_type)
    }
}
