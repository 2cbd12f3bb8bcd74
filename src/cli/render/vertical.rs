//! One line a value: for rows too wide for a table.

use super::table::more_rows;
use super::value::Values;
use super::{Options, Renderer, one_line};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// `-[ RECORD 1 ]-`, then `name | value` for every column.
pub struct Vertical {
    null: String,
    rows_max: u64,
    names: Vec<String>,
    rows: u64,
}

impl Vertical {
    /// NULL is `NULL` unless the options say otherwise.
    pub fn new(options: &Options) -> Self {
        let null = options.null.clone().unwrap_or_else(|| "NULL".into());
        let rows_max = options.rows_max.map_or(u64::MAX, |rows| rows as u64);
        Self { null, rows_max, names: Vec::new(), rows: 0 }
    }
}

impl Renderer for Vertical {
    fn begin(&mut self, schema: &Schema, _out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<_> = schema.fields().iter().map(|field| one_line(field.name()).into_owned()).collect();
        let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
        self.names = names.into_iter().map(|name| format!("{name}{}", " ".repeat(width - name.width()))).collect();
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        let columns: Vec<Values> = batch.columns().iter().map(Values::new).collect();
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            self.rows += 1;
            if self.rows > self.rows_max {
                continue;
            }
            writeln!(out, "-[ RECORD {} ]-", self.rows)?;
            for (name, values) in self.names.iter().zip(&columns) {
                value.clear();
                if values.is_null(row) {
                    value.push_str(&self.null)
                } else {
                    values.text(row, &mut value)
                }
                writeln!(out, "{name} | {}", one_line(&value))?;
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        more_rows(self.rows.saturating_sub(self.rows_max), out)
    }
}
