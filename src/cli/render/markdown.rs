//! A Markdown table (GitHub's), a batch at a time and so without padding.

use super::value::{Values, is_number};
use super::{Options, Renderer, one_line};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use std::io::{self, Write};

/// Rows between bars; a Markdown table cannot be without its header.
pub struct Markdown {
    null: String,
}

impl Markdown {
    /// NULL is `NULL` unless the options say otherwise.
    pub fn new(options: &Options) -> Self {
        Self { null: options.null.clone().unwrap_or_else(|| "NULL".into()) }
    }
}

impl Renderer for Markdown {
    fn begin(&mut self, schema: &Schema, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<String> = schema.fields().iter().map(|field| cell(field.name())).collect();
        let rules = schema.fields().iter().map(|field| if is_number(field.data_type()) { "---:" } else { ":---" });
        writeln!(out, "| {} |", names.join(" | "))?;
        writeln!(out, "| {} |", rules.collect::<Vec<_>>().join(" | "))
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        let columns: Vec<Values> = batch.columns().iter().map(Values::new).collect();
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            for values in &columns {
                value.clear();
                if values.is_null(row) {
                    value.push_str(&self.null)
                } else {
                    values.text(row, &mut value)
                }
                write!(out, "| {} ", cell(&value))?;
            }
            writeln!(out, "|")?;
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
