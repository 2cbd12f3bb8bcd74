//! Results as text. A format is one implementation of [`Renderer`] and one line in [`Format`].
//!
//! Every format but `table` writes a batch as it comes and keeps nothing of it; `table` holds back
//! the first rows to learn how wide its columns are.

mod delimited;
mod json;
mod markdown;
mod table;
mod value;
mod vertical;

pub use value::Values;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use std::io::{self, Write};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Boxes around aligned columns
    Table,
    /// Comma-separated values, RFC 4180; NULL is empty, the empty string is ""
    Csv,
    /// Tab-separated values; tabs, newlines and backslashes escaped by a backslash
    Tsv,
    /// One array of objects
    Json,
    /// One object a line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// One line a value, for wide rows
    Vertical,
}

/// What a user can change of a format.
#[derive(Debug, Clone)]
pub struct Options {
    /// What NULL looks like, where the format has a choice; None: the format's own way.
    pub null: Option<String>,
    /// Whether column names are written.
    pub header: bool,
    /// Rows shown of each result; the others are counted. Only `table` and `vertical` look at it.
    pub rows_max: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { null: None, header: true, rows_max: None }
    }
}

/// Writes one result: `begin`, any number of batches, `end`.
pub trait Renderer {
    /// Before the first batch.
    fn begin(&mut self, schema: &Schema, out: &mut dyn Write) -> io::Result<()>;
    /// Rows of the schema that `begin` got.
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()>;
    /// After the last batch of a query that succeeded.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// A renderer for one result.
pub fn renderer(format: Format, options: &Options) -> Box<dyn Renderer> {
    match format {
        Format::Table => Box::new(table::Table::new(options)),
        Format::Csv => Box::new(delimited::Delimited::csv(options)),
        Format::Tsv => Box::new(delimited::Delimited::tsv(options)),
        Format::Json => Box::new(json::Json::array()),
        Format::Ndjson => Box::new(json::Json::lines()),
        Format::Markdown => Box::new(markdown::Markdown::new(options)),
        Format::Vertical => Box::new(vertical::Vertical::new(options)),
    }
}

/// Control characters as escapes, so that a value stays on its line.
fn one_line(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::*;
    use arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int32, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("price", DataType::Decimal128(6, 2), true),
        ]);
        let price = Decimal128Array::from(vec![Some(1250), None, Some(-5)]).with_precision_and_scale(6, 2).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![1, 2, 30])),
            Arc::new(StringArray::from(vec![Some("a,\"b\"\n|"), Some(""), None])),
            Arc::new(price),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    #[track_caller]
    fn check(format: Format, options: Options, expected: &str) {
        let (batch, mut out) = (batch(), Vec::new());
        let mut renderer = renderer(format, &options);
        renderer.begin(&batch.schema(), &mut out).unwrap();
        for row in 0..batch.num_rows() {
            renderer.batch(&batch.slice(row, 1), &mut out).unwrap();
        }
        renderer.end(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    fn null(text: &str) -> Options {
        Options { null: Some(text.into()), ..Options::default() }
    }

    #[test]
    fn csv() {
        check(Format::Csv, Options::default(), "id,name,price\n1,\"a,\"\"b\"\"\n|\",12.50\n2,\"\",\n30,,-0.05\n");
        check(Format::Csv, Options { header: false, ..null("NULL") }, "1,\"a,\"\"b\"\"\n|\",12.50\n2,,NULL\n30,NULL,-0.05\n");
    }

    #[test]
    fn tsv() {
        check(Format::Tsv, Options::default(), "id\tname\tprice\n1\ta,\"b\"\\n|\t12.50\n2\t\tNULL\n30\tNULL\t-0.05\n");
    }

    #[test]
    fn json() {
        let rows = [
            r#"{"id":1,"name":"a,\"b\"\n|","price":12.50}"#,
            r#"{"id":2,"name":"","price":null}"#,
            r#"{"id":30,"name":null,"price":-0.05}"#,
        ];
        check(Format::Ndjson, Options::default(), &format!("{}\n", rows.join("\n")));
        check(Format::Json, Options::default(), &format!("[{}]\n", rows.join(",\n ")));
    }

    #[test]
    fn markdown() {
        let expected = "| id | name | price |\n| ---: | :--- | ---: |\n| 1 | a,\"b\"\\n\\| | 12.50 |\n| 2 |  | NULL |\n| 30 | NULL | -0.05 |\n";
        check(Format::Markdown, Options::default(), expected);
    }

    #[test]
    fn vertical() {
        let expected =
            "-[ RECORD 1 ]-\nid    | 1\nname  | a,\"b\"\\n|\nprice | 12.50\n-[ RECORD 2 ]-\nid    | 2\nname  | \nprice | ∅\n";
        let more = "… 1 more row\n";
        check(Format::Vertical, Options { rows_max: Some(2), ..null("∅") }, &format!("{expected}{more}"));
    }

    #[test]
    fn table() {
        let expected = "\
┌────┬──────────┬───────┐
│ id │ name     │ price │
├────┼──────────┼───────┤
│  1 │ a,\"b\"\\n| │ 12.50 │
│  2 │          │  NULL │
│ 30 │ NULL     │ -0.05 │
└────┴──────────┴───────┘
";
        check(Format::Table, Options::default(), expected);
        let shown = expected.lines().filter(|line| !line.contains("30")).collect::<Vec<_>>().join("\n");
        check(Format::Table, Options { rows_max: Some(2), ..Options::default() }, &format!("{shown}\n… 1 more row\n"));
    }
}
