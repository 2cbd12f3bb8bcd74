//! Comma- and tab-separated values, a batch at a time.

use super::value::Values;
use super::{Options, Renderer};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use std::io::{self, Write};

/// One row a line, values separated by `separator`.
pub struct Delimited {
    separator: char,
    escape: fn(&str, null: &str, out: &mut String),
    null: String,
    header: bool,
    value: String,
    line: String,
}

impl Delimited {
    /// RFC 4180, lines ended by a newline alone.
    pub fn csv(options: &Options) -> Self {
        Self::new(',', quoted, "", options)
    }

    /// As Hive's and Spark's command lines print, with what would break a line escaped.
    pub fn tsv(options: &Options) -> Self {
        Self::new('\t', escaped, "NULL", options)
    }

    fn new(separator: char, escape: fn(&str, &str, &mut String), null: &str, options: &Options) -> Self {
        let null = options.null.clone().unwrap_or_else(|| null.to_string());
        Self { separator, escape, null, header: options.header, value: String::new(), line: String::new() }
    }
}

impl Renderer for Delimited {
    fn begin(&mut self, schema: &Schema, out: &mut dyn Write) -> io::Result<()> {
        if !self.header {
            return Ok(());
        }
        self.line.clear();
        for (column, field) in schema.fields().iter().enumerate() {
            if column > 0 {
                self.line.push(self.separator);
            }
            (self.escape)(field.name(), &self.null, &mut self.line);
        }
        self.line.push('\n');
        out.write_all(self.line.as_bytes())
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        let columns: Vec<Values> = batch.columns().iter().map(Values::new).collect();
        for row in 0..batch.num_rows() {
            self.line.clear();
            for (column, values) in columns.iter().enumerate() {
                if column > 0 {
                    self.line.push(self.separator);
                }
                if values.is_null(row) {
                    self.line.push_str(&self.null);
                } else {
                    self.value.clear();
                    values.text(row, &mut self.value);
                    (self.escape)(&self.value, &self.null, &mut self.line);
                }
            }
            self.line.push('\n');
            out.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Quotes what a reader would split or take for NULL.
fn quoted(text: &str, null: &str, out: &mut String) {
    if text != null && !text.contains([',', '"', '\n', '\r']) {
        return out.push_str(text);
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

fn escaped(text: &str, _null: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
}
