//! Names of types as Hive and Spark write them in DDL, and the types of columns they stand for.
//!
//! `TIMESTAMP` is a point in time, stored in UTC; `TIMESTAMP_NTZ` a reading of a clock.

use crate::error::{Error, Result};
use arrow::datatypes::{DataType, Field, TimeUnit};
use std::sync::Arc;

/// Types inside each other, at most.
const DEPTH_MAX: usize = 64;

/// The type of a name such as `decimal(10,2)` or `array<struct<a:int>>`, in any case.
///
/// # Errors
/// [`crate::ErrorKind::Sql`] for what is no type, [`crate::ErrorKind::Unsupported`] for types there
/// are no columns of.
pub fn parse_type(text: &str) -> Result<DataType> {
    let mut parser = TypeParser { rest: text.trim(), whole: text };
    let data_type = parser.parse(0)?;
    if parser.rest.trim().is_empty() { Ok(data_type) } else { Err(parser.wrong()) }
}

/// The name of a type, in lower case, as DESCRIBE shows it.
///
/// # Errors
/// [`crate::ErrorKind::Unsupported`] for types that tables have no columns of.
pub fn type_name(data_type: &DataType) -> Result<String> {
    Ok(match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::UInt64 => "decimal(20,0)".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(p, s) | DataType::Decimal64(p, s) | DataType::Decimal32(p, s) => format!("decimal({p},{s})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(_, Some(_)) => "timestamp".into(),
        DataType::Timestamp(_, None) => "timestamp_ntz".into(),
        DataType::List(item) | DataType::LargeList(item) => format!("array<{}>", type_name(item.data_type())?),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| Ok(format!("{}:{}", field.name(), type_name(field.data_type())?)));
            format!("struct<{}>", fields.collect::<Result<Vec<_>>>()?.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("map<{},{}>", type_name(fields[0].data_type())?, type_name(fields[1].data_type())?)
            }
            _ => return Err(Error::internal("a map without keys and values")),
        },
        DataType::Null => {
            return Err(Error::unsupported("a column of type VOID").with_hint("CAST(NULL AS a type) says which it is"));
        }
        other => return Err(Error::unsupported(format!("a table's column of type {other}"))),
    })
}

/// Whether two types are the same but for the names of list items and map entries.
pub(crate) fn same_type(a: &DataType, b: &DataType) -> bool {
    match (type_name(a), type_name(b)) {
        (Ok(a), Ok(b)) => a.eq_ignore_ascii_case(&b),
        _ => false,
    }
}

struct TypeParser<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl TypeParser<'_> {
    fn parse(&mut self, depth: usize) -> Result<DataType> {
        if depth > DEPTH_MAX {
            return Err(Error::unsupported(format!("types nested more than {DEPTH_MAX} deep")));
        }
        let name = self.word()?.to_lowercase();
        Ok(match name.as_str() {
            "boolean" => DataType::Boolean,
            "tinyint" | "byte" => DataType::Int8,
            "smallint" | "short" => DataType::Int16,
            "int" | "integer" => DataType::Int32,
            "bigint" | "long" => DataType::Int64,
            "float" | "real" => DataType::Float32,
            "double" => DataType::Float64,
            "string" => {
                self.collation()?;
                DataType::Utf8View
            }
            "binary" => DataType::BinaryView,
            "date" => DataType::Date32,
            "timestamp" | "timestamp_ltz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
            "decimal" | "dec" | "numeric" => self.decimal()?,
            "array" => {
                self.expect('<')?;
                let item = self.parse(depth + 1)?;
                self.expect('>')?;
                DataType::List(Arc::new(Field::new("element", item, true)))
            }
            "map" => {
                self.expect('<')?;
                let key = self.parse(depth + 1)?;
                self.expect(',')?;
                let value = self.parse(depth + 1)?;
                self.expect('>')?;
                let entries = vec![Field::new("key", key, false), Field::new("value", value, true)];
                DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries.into()), false)), false)
            }
            "struct" => {
                self.expect('<')?;
                let mut fields = Vec::new();
                while !self.take('>') {
                    if !fields.is_empty() {
                        self.expect(',')?;
                    }
                    let name = self.word()?;
                    self.take(':');
                    fields.push(Field::new(name, self.parse(depth + 1)?, true));
                }
                DataType::Struct(fields.into())
            }
            "char" | "character" | "varchar" => {
                return Err(Error::unsupported(format!("the type {}", name.to_uppercase())).with_hint("use STRING"));
            }
            "interval" | "void" | "variant" | "uniontype" | "time" | "geometry" | "geography" => {
                return Err(Error::unsupported(format!("a column of type {}", name.to_uppercase())));
            }
            _ => return Err(self.wrong()),
        })
    }

    /// `COLLATE UTF8_BINARY`, which Spark's SHOW CREATE TABLE says of strings, and which all here are.
    fn collation(&mut self) -> Result<()> {
        let rest = self.rest.trim_start();
        match rest.split_at_checked("collate ".len()) {
            Some((word, rest)) if word.eq_ignore_ascii_case("collate ") => self.rest = rest,
            _ => return Ok(()),
        }
        let name = self.word()?;
        if name.eq_ignore_ascii_case("utf8_binary") {
            return Ok(());
        }
        Err(Error::unsupported(format!("the collation {}", name.to_uppercase())).with_hint("UTF8_BINARY is the one there is"))
    }

    fn decimal(&mut self) -> Result<DataType> {
        if !self.take('(') {
            return Ok(DataType::Decimal128(10, 0));
        }
        let precision = self.number()?;
        let scale = if self.take(',') { self.number()? } else { 0 };
        self.expect(')')?;
        match (precision, i8::try_from(scale)) {
            (1..=38, Ok(signed)) if scale <= precision => Ok(DataType::Decimal128(precision, signed)),
            _ => Err(Error::sql(format!("DECIMAL({precision}, {scale}) is out of range: at most 38 digits"))),
        }
    }

    fn word(&mut self) -> Result<String> {
        self.rest = self.rest.trim_start();
        if let Some(quoted) = self.rest.strip_prefix('`') {
            let end = quoted.find('`').ok_or_else(|| self.wrong())?;
            self.rest = &quoted[end + 1..];
            return Ok(quoted[..end].to_owned());
        }
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { Err(self.wrong()) } else { Ok(word.to_owned()) }
    }

    fn number(&mut self) -> Result<u8> {
        self.word()?.parse().map_err(|_| self.wrong())
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(wanted);
        if let Some(rest) = rest {
            self.rest = rest;
        }
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        if self.take(wanted) { Ok(()) } else { Err(self.wrong()) }
    }

    fn wrong(&self) -> Error {
        Error::sql(format!("'{}' is not a type", self.whole.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in [
            "boolean",
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "float",
            "double",
            "decimal(38,18)",
            "string",
            "binary",
            "date",
            "timestamp",
            "timestamp_ntz",
            "array<array<int>>",
            "map<string,decimal(3,1)>",
            "struct<a:int,b:struct<c:date>>",
        ] {
            assert_eq!(type_name(&parse_type(name).unwrap()).unwrap(), name);
        }
        assert_eq!(
            type_name(&parse_type(" STRUCT < `a b` : INTEGER , c dec > ").unwrap()).unwrap(),
            "struct<a b:int,c:decimal(10,0)>"
        );
        assert_eq!(parse_type("LONG").unwrap(), DataType::Int64);
        assert_eq!(parse_type("array<STRING  collate Utf8_Binary>").unwrap(), parse_type("array<string>").unwrap());
        assert!(parse_type("string collate unicode_ci").unwrap_err().message().contains("UNICODE_CI"));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for name in
            ["", "in", "int int", "decimal(39,1)", "decimal(3,4)", "array<", "array<int", "map<int>", "varchar(3)", "struct<a>"]
        {
            assert!(parse_type(name).is_err(), "{name}");
        }
        assert!(parse_type(&"array<".repeat(10_000)).is_err());
    }
}
