//! The columns of a file of JSON from a sample, as Spark infers them: whole numbers are BIGINT (or a
//! decimal where they are longer), numbers with a point DOUBLE, what differs from record to record
//! STRING; members become columns in the order of their names.

use super::scan::{Kind, Piece, items, members, unescape};
use crate::format::text::scalar::{decimal_shape, integer};
use arrow::datatypes::{DataType, Field};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Digits of a decimal, at most.
const DIGITS_MAX: usize = 38;

/// What values of a member have in common so far.
#[derive(Debug, Clone, Default)]
pub(super) enum Guess {
    #[default]
    Null,
    Boolean,
    Long,
    /// A whole number of so many digits.
    Decimal(u8),
    Double,
    String,
    Array(Box<Guess>),
    Object(BTreeMap<String, Guess>),
}

impl Guess {
    /// Takes in one more value.
    pub(super) fn add(&mut self, text: &str, piece: Piece) {
        let bytes = text.as_bytes();
        let at = piece.start as usize;
        match piece.kind {
            Kind::Missing | Kind::Null => {}
            Kind::Boolean => self.scalar(Self::Boolean),
            Kind::Plain | Kind::Escaped => self.scalar(Self::String),
            Kind::Number => {
                let number = &bytes[at..piece.end as usize];
                let scalar = match (integer(number), decimal_shape(number)) {
                    (Some(_), _) => Self::Long,
                    (None, Some((digits, 0))) if digits <= DIGITS_MAX && !number.contains(&b'e') && !number.contains(&b'.') => {
                        Self::Decimal(digits as u8)
                    }
                    _ => Self::Double,
                };
                self.scalar(scalar);
            }
            Kind::Array => {
                if matches!(self, Self::Null) {
                    *self = Self::Array(Box::default());
                }
                match self {
                    Self::Array(inner) => {
                        items(bytes, at, 0, &mut |item| inner.add(text, item));
                    }
                    other => *other = Self::String,
                }
            }
            Kind::Object => {
                if matches!(self, Self::Null) {
                    *self = Self::Object(BTreeMap::new());
                }
                match self {
                    Self::Object(fields) => {
                        members(bytes, at, 0, &mut |name, value| {
                            let written = text.get(name.start as usize..name.end as usize).unwrap_or("");
                            let mut plain = String::new();
                            if unescape(written, &mut plain).is_none() {
                                plain = written.to_owned();
                            }
                            fields.entry(plain).or_default().add(text, value);
                        });
                    }
                    other => *other = Self::String,
                }
            }
        }
    }

    fn scalar(&mut self, other: Self) {
        let known = std::mem::take(self);
        *self = match (known, other) {
            (Self::Null, other) => other,
            (Self::Boolean, Self::Boolean) => Self::Boolean,
            (Self::Long, Self::Long) => Self::Long,
            (Self::Decimal(a), Self::Decimal(b)) => Self::Decimal(a.max(b)),
            (Self::Decimal(a), Self::Long) | (Self::Long, Self::Decimal(a)) => Self::Decimal(a.max(20)),
            (Self::Double, Self::Long | Self::Decimal(_) | Self::Double) | (Self::Long | Self::Decimal(_), Self::Double) => {
                Self::Double
            }
            _ => Self::String,
        };
    }

    /// The type; none for objects without members.
    pub(super) fn data_type(&self, strings: bool) -> Option<DataType> {
        Some(match self {
            Self::Array(item) => DataType::List(Arc::new(Field::new("element", item.data_type(strings)?, true))),
            Self::Object(fields) => {
                let fields: Vec<Field> =
                    fields.iter().filter_map(|(name, guess)| Some(Field::new(name, guess.data_type(strings)?, true))).collect();
                if fields.is_empty() {
                    return None;
                }
                DataType::Struct(fields.into())
            }
            _ if strings => DataType::Utf8View,
            Self::Null | Self::String => DataType::Utf8View,
            Self::Boolean => DataType::Boolean,
            Self::Long => DataType::Int64,
            Self::Decimal(digits) => DataType::Decimal128(*digits, 0),
            Self::Double => DataType::Float64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::value;
    use super::*;

    /// The type as Spark writes it.
    fn type_name(data_type: &DataType) -> String {
        match data_type {
            DataType::Boolean => "boolean".into(),
            DataType::Int64 => "bigint".into(),
            DataType::Float64 => "double".into(),
            DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
            DataType::List(item) => format!("array<{}>", type_name(item.data_type())),
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|field| format!("{}:{}", field.name(), type_name(field.data_type())));
                format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
            }
            _ => "string".into(),
        }
    }

    fn guess(texts: &[&str]) -> String {
        let mut guess = Guess::default();
        for text in texts {
            guess.add(text, value(text.as_bytes(), 0, 0).unwrap().0);
        }
        guess.data_type(false).map_or_else(|| "none".into(), |data_type| type_name(&data_type))
    }

    #[test]
    fn types_are_those_of_spark() {
        let rows = [
            r#"{"a":1,"b":"x","c":1.5,"d":true,"e":null,"f":[1,2],"g":{"h":1},"i":99999999999999999999,"j":1e3}"#,
            r#"{"a":2.5,"b":3,"c":2,"f":[null,"x"],"g":{"k":"z"},"l":[],"m":{}}"#,
        ];
        let wanted = "struct<a:double,b:string,c:double,d:boolean,e:string,f:array<string>,g:struct<h:bigint,k:string>,\
                      i:decimal(20,0),j:double,l:array<string>>";
        assert_eq!(guess(&rows), wanted);
        assert_eq!(guess(&[r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#]), "struct<a:string>");
        assert_eq!(guess(&["{}"]), "none");
    }
}
