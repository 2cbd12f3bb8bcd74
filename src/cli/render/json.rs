//! JSON: one array of objects, or one object a line.

use super::Renderer;
use super::value::{Values, json_string};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use std::io::{self, Write};

/// Objects with the columns in their order; NULL is written as `null`.
pub struct Json {
    lines: bool,
    names: Vec<String>,
    rows: u64,
}

impl Json {
    /// `[{...},` newline ` {...}]`.
    pub fn array() -> Self {
        Self { lines: false, names: Vec::new(), rows: 0 }
    }

    /// One object a line, without commas.
    pub fn lines() -> Self {
        Self { lines: true, names: Vec::new(), rows: 0 }
    }
}

impl Renderer for Json {
    fn begin(&mut self, schema: &Schema, out: &mut dyn Write) -> io::Result<()> {
        let name = |name: &str| {
            let mut quoted = String::new();
            json_string(name, &mut quoted);
            quoted + ":"
        };
        self.names = schema.fields().iter().map(|field| name(field.name())).collect();
        if self.lines { Ok(()) } else { out.write_all(b"[") }
    }

    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        let columns: Vec<Values> = batch.columns().iter().map(Values::new).collect();
        let mut object = String::new();
        for row in 0..batch.num_rows() {
            object.clear();
            if !self.lines && self.rows > 0 {
                object.push_str(",\n ");
            }
            object.push('{');
            for (column, (name, values)) in self.names.iter().zip(&columns).enumerate() {
                if column > 0 {
                    object.push(',');
                }
                object.push_str(name);
                values.json(row, &mut object);
            }
            object.push('}');
            if self.lines {
                object.push('\n');
            }
            out.write_all(object.as_bytes())?;
            self.rows += 1;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.lines { Ok(()) } else { out.write_all(b"]\n") }
    }
}
