//! Aligned columns in a box.
//!
//! The first [`MEASURED_ROWS`] rows are held back to learn the widths; a later value that is wider
//! pushes its line out rather than being cut, so a result of any size prints in bounded memory.

use super::value::{Values, is_number};
use super::{Options, Renderer, one_line};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Rows whose widths are looked at before the first line is written. Guessed: more than a person
/// looks at, and less than a MiB of text.
const MEASURED_ROWS: usize = 1000;

/// Rows of a result as lines of a box.
pub struct Table {
    null: String,
    header: bool,
    rows_max: u64,
    names: Vec<String>,
    right: Vec<bool>,
    widths: Vec<usize>,
    held: Vec<Vec<String>>,
    started: bool,
    rows: u64,
}

impl Table {
    /// NULL is `NULL` unless the options say otherwise.
    pub fn new(options: &Options) -> Self {
        Self {
            null: options.null.clone().unwrap_or_else(|| "NULL".into()),
            header: options.header,
            rows_max: options.rows_max.map_or(u64::MAX, |rows| rows as u64),
            names: Vec::new(),
            right: Vec::new(),
            widths: Vec::new(),
            held: Vec::new(),
            started: false,
            rows: 0,
        }
    }

    /// Fixes the widths and writes everything held back.
    fn start(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.started = true;
        let header = self.header.then_some(&self.names);
        for line in self.held.iter().chain(header) {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = (*width).max(cell.width());
            }
        }
        self.rule(["┌", "┬", "┐"], out)?;
        if self.header {
            self.line(&self.names, out)?;
            self.rule(["├", "┼", "┤"], out)?;
        }
        for line in std::mem::take(&mut self.held) {
            self.line(&line, out)?;
        }
        Ok(())
    }

    fn rule(&self, [left, middle, right]: [&str; 3], out: &mut dyn Write) -> io::Result<()> {
        let rules: Vec<String> = self.widths.iter().map(|width| "─".repeat(width + 2)).collect();
        writeln!(out, "{left}{}{right}", rules.join(middle))
    }

    fn line(&self, cells: &[String], out: &mut dyn Write) -> io::Result<()> {
        for ((cell, width), right) in cells.iter().zip(&self.widths).zip(&self.right) {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            if *right { write!(out, "│ {padding}{cell} ")? } else { write!(out, "│ {cell}{padding} ")? }
        }
        writeln!(out, "│")
    }
}

impl Renderer for Table {
    fn begin(&mut self, schema: &Schema, _out: &mut dyn Write) -> io::Result<()> {
        self.names = schema.fields().iter().map(|field| one_line(field.name()).into_owned()).collect();
        self.right = schema.fields().iter().map(|field| is_number(field.data_type())).collect();
        self.widths = vec![0; self.names.len()];
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
            let mut line = Vec::with_capacity(columns.len());
            for values in &columns {
                value.clear();
                if values.is_null(row) {
                    value.push_str(&self.null)
                } else {
                    values.text(row, &mut value)
                }
                line.push(one_line(&value).into_owned());
            }
            if self.started {
                self.line(&line, out)?;
            } else {
                self.held.push(line);
                if self.held.len() >= MEASURED_ROWS {
                    self.start(out)?;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.started {
            self.start(out)?;
        }
        self.rule(["└", "┴", "┘"], out)?;
        more_rows(self.rows.saturating_sub(self.rows_max), out)
    }
}

/// Says how many rows were not shown.
pub fn more_rows(rows: u64, out: &mut dyn Write) -> io::Result<()> {
    match rows {
        0 => Ok(()),
        1 => writeln!(out, "… 1 more row"),
        rows => writeln!(out, "… {rows} more rows"),
    }
}
