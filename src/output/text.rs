//! Rows as lines of CSV or JSON.
//!
//! Values are what a cast to STRING gives, timestamps in ISO 8601 as Spark writes them to these
//! formats (with more digits where milliseconds do not hold the value). CSV quotes by RFC 4180:
//! what holds a delimiter, a quote or a line end, and the empty string, so that NULL, which is
//! nothing, is not mixed up with it. JSON leaves NULLs out and quotes what is no JSON number.

use super::grouping::casts_to_text;
use super::options::{FileFormat, OutputOptions};
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::expr::ExprRef;
use crate::format::parquet::Compression;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema};
use std::io::Write;
use std::path::Path;

/// How to write rows of one schema.
#[derive(Debug)]
pub(super) struct TextEncoding {
    columns: Vec<TextColumn>,
    options: OutputOptions,
}

#[derive(Debug)]
struct TextColumn {
    /// The cast to STRING.
    text: ExprRef,
    /// The name, as it is written.
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// A number, or a word for none in floats.
    Number,
    Boolean,
    Timestamp {
        zone: bool,
    },
}

impl TextEncoding {
    pub(super) fn new(schema: &Schema, options: &OutputOptions) -> Result<Self> {
        let positions: Vec<usize> = (0..schema.fields().len()).collect();
        let texts = casts_to_text(schema, &positions)?;
        let columns = schema.fields().iter().zip(texts).map(|(field, text)| {
            let kind = match field.data_type() {
                DataType::Boolean => Kind::Boolean,
                DataType::Timestamp(_, zone) => Kind::Timestamp { zone: zone.is_some() },
                DataType::Date32 | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
                number if number.is_numeric() => Kind::Number,
                other => {
                    let format = options.format.name().to_uppercase();
                    return Err(Error::unsupported(format!("writing the type {other} to {format}")).in_column(field.name()));
                }
            };
            Ok(TextColumn { text, name: field.name().clone(), kind })
        });
        Ok(Self { columns: columns.collect::<Result<_>>()?, options: options.clone() })
    }

    /// What a file begins with.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut line = Vec::new();
        if self.options.format == FileFormat::Csv && self.options.header {
            for (position, column) in self.columns.iter().enumerate() {
                self.delimit(position, &mut line);
                self.quoted(&column.name, &mut line);
            }
            line.push(b'\n');
        }
        line
    }

    /// Appends the rows of `chunk`, whose columns are those of the schema.
    pub(super) fn rows(&self, chunk: &Chunk, out: &mut Vec<u8>) -> Result<()> {
        let texts = self.columns.iter().map(|column| column.text.evaluate(chunk)?.flat());
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let texts: Vec<_> = texts.iter().map(|text| text.as_string_view()).collect();
        for row in 0..chunk.rows() {
            match self.options.format {
                FileFormat::Json => {
                    out.push(b'{');
                    let mut first = true;
                    for (column, text) in self.columns.iter().zip(&texts).filter(|(_, text)| text.is_valid(row)) {
                        if !std::mem::take(&mut first) {
                            out.push(b',');
                        }
                        json_string(&column.name, out);
                        out.push(b':');
                        column.json(text.value(row), out);
                    }
                    out.push(b'}');
                }
                FileFormat::Csv | FileFormat::Parquet => {
                    for (position, (column, text)) in self.columns.iter().zip(&texts).enumerate() {
                        self.delimit(position, out);
                        match (text.is_null(row), column.kind) {
                            (true, _) => out.extend_from_slice(self.options.null.as_bytes()),
                            (false, Kind::Timestamp { zone }) => iso(text.value(row), zone, out),
                            (false, _) => self.quoted(text.value(row), out),
                        }
                    }
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }

    /// A block of rows as the codec has it; blocks behind each other are a file.
    pub(super) fn compress(&self, block: &[u8]) -> Result<Vec<u8>> {
        let failed = |error| Error::io("compress rows for", Path::new(self.options.format.name()), error);
        match self.options.compression {
            Compression::Gzip(level) => {
                let level = flate2::Compression::new(u32::from(level.unwrap_or(6)));
                let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(block.len() / 3), level);
                encoder.write_all(block).and_then(|()| encoder.finish()).map_err(failed)
            }
            Compression::Zstd(level) => zstd::bulk::compress(block, i32::from(level.unwrap_or(3))).map_err(failed),
            Compression::None | Compression::Snappy | Compression::Lz4 => Ok(block.to_vec()),
        }
    }

    fn delimit(&self, position: usize, out: &mut Vec<u8>) {
        if position > 0 {
            out.extend_from_slice(self.options.delimiter.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn quoted(&self, text: &str, out: &mut Vec<u8>) {
        let plain = !text.is_empty() && !text.contains(['"', '\n', '\r', self.options.delimiter]) && text != self.options.null;
        if plain {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(b'"');
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    }
}

impl TextColumn {
    fn json(&self, text: &str, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Boolean => out.extend_from_slice(text.as_bytes()),
            Kind::Number if !text.ends_with(['y', 'N']) => out.extend_from_slice(text.as_bytes()),
            Kind::Text | Kind::Number => json_string(text, out),
            Kind::Timestamp { zone } => {
                out.push(b'"');
                iso(text, zone, out);
                out.push(b'"');
            }
        }
    }
}

/// `2024-01-31 12:00:00.5` as `2024-01-31T12:00:00.500Z`: milliseconds, or all digits.
fn iso(text: &str, zone: bool, out: &mut Vec<u8>) {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    out.extend_from_slice(seconds.replacen(' ', "T", 1).as_bytes());
    out.push(b'.');
    out.extend_from_slice(format!("{fraction:0<3}").as_bytes());
    if zone {
        out.push(b'Z');
    }
}

fn json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if c < ' ' => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
