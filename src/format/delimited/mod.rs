//! Delimited text: CSV, Hive's `ROW FORMAT DELIMITED`, OpenCSVSerde, and plain lines.
//!
//! - `dialect`: the options of all four.
//! - `index`, `records`: where values stand in a block of lines.
//! - `cells`: what values mean; Hive's nested ones.
//! - `infer`: delimiter, header and types of a file that nobody described.
//! - `reader`: rows of a split.
//! - `written`: how such files are written.
//!
//! Files are read in parallel over byte ranges unless they are compressed or quoted values may have
//! several lines (`multiLine`).

mod cells;
pub(super) mod dialect;
mod index;
mod infer;
mod reader;
mod records;
mod written;

#[cfg(test)]
mod tests;

use super::options::FormatOptions;
use super::reader::{DataFile, FileColumn, FileColumns, Format, FormatReader, ReadRequest, Split, SplitReader};
use super::style::OutputStyle;
use super::text::convert::check_type;
use super::text::lines;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use dialect::{Header, Settings};
use reader::{DelimitedSplit, places};
use std::sync::Arc;

/// CSV, as Spark and DuckDB read it.
#[derive(Debug)]
pub struct Csv;

/// Hive's text files.
#[derive(Debug)]
pub struct TextFile;

/// CSV as Hive's OpenCSVSerde reads it.
#[derive(Debug)]
pub struct OpenCsv;

/// Lines as values of one column.
#[derive(Debug)]
pub struct Text;

impl Format for Csv {
    fn names(&self) -> &'static [&'static str] {
        &["csv", "tsv"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv", "tsv", "tbl", "psv"]
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        Ok(Arc::new(Delimited(Arc::new(Settings::csv(options)?))))
    }

    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        Settings::csv(options)?.written().map(OutputStyle::Delimited)
    }
}

impl Format for TextFile {
    fn names(&self) -> &'static [&'static str] {
        &["textfile", "hive"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &[]
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        Ok(Arc::new(Delimited(Arc::new(Settings::hive(options)?))))
    }

    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        Settings::hive(options)?.written().map(OutputStyle::Delimited)
    }
}

impl Format for OpenCsv {
    fn names(&self) -> &'static [&'static str] {
        &["opencsv"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &[]
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        Ok(Arc::new(Delimited(Arc::new(Settings::open_csv(options)?))))
    }
}

impl Format for Text {
    fn names(&self) -> &'static [&'static str] {
        &["text"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["txt", "log"]
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        Ok(Arc::new(Delimited(Arc::new(Settings::text(options)?))))
    }

    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        Settings::text(options)?.written().map(OutputStyle::Delimited)
    }
}

/// A reader of any of them.
#[derive(Debug)]
struct Delimited(Arc<Settings>);

impl Delimited {
    fn declared(&self, file: &DataFile, declared: &[FileColumn]) -> Result<FileColumns> {
        let settings = &*self.0;
        for column in declared {
            let nested = settings.dialect.hive && settings.name == "textfile";
            check_type(&column.data_type, nested).map_err(|error| error.in_column(&column.name))?;
        }
        if settings.name == "text" && !matches!(declared, [FileColumn { data_type: DataType::Utf8View, .. }]) {
            return Err(Error::sql("a table of the format text has one column, of type STRING"));
        }
        let mut settings = settings.clone();
        if settings.header == Header::Guess {
            settings.header = Header::No;
        }
        if settings.header == Header::Yes && !settings.enforce_schema {
            let pairs = declared.iter().map(|column| (column.name.clone(), column.data_type.clone()));
            let places = places(pairs, &settings.corrupt_column);
            let names = declared.iter().zip(places).filter(|(_, place)| place.is_some());
            let names: Vec<String> = names.map(|(column, _)| column.name.clone()).collect();
            infer::check_header(&settings, file, &names)?;
        }
        // Guessed: what a value takes in text, with its delimiter.
        let rows = file.bytes() as f64 / (declared.len() as f64 * 8.0).max(1.0);
        let columns = FileColumns { columns: declared.to_vec(), rows: Some(rows), ..FileColumns::default() };
        Ok(infer::with_settings(columns, settings))
    }

    fn settings(&self, columns: &FileColumns) -> Arc<Settings> {
        let found = columns.detail.clone().and_then(|detail| detail.downcast::<Settings>().ok());
        found.unwrap_or_else(|| self.0.clone())
    }
}

impl FormatReader for Delimited {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn columns(&self, file: &DataFile, declared: Option<&[FileColumn]>) -> Result<FileColumns> {
        match declared {
            Some(declared) => self.declared(file, declared),
            None if self.0.name == "text" => {
                self.declared(file, &[FileColumn { name: "value".into(), data_type: DataType::Utf8View }])
            }
            None if self.0.name == "csv" => {
                let (settings, columns) = infer::infer(&self.0, file)?;
                Ok(infer::with_settings(columns, settings))
            }
            None => Err(Error::sql(format!("a table of the format {} needs columns", self.0.name))),
        }
    }

    fn splits(&self, file: &DataFile, columns: &FileColumns, bytes_wanted: u64) -> Result<Vec<Split>> {
        let settings = self.settings(columns);
        if settings.dialect.multi_line {
            return Ok(lines::splits(file, 0, u64::MAX));
        }
        let start = match (settings.skipped_lines, settings.header) {
            (0, _) | (_, Header::Yes | Header::Guess) => 0,
            (skipped, Header::No) => lines::start_behind(file, settings.dialect.terminator, skipped)?,
        };
        let whole = start == 0 && settings.skipped_lines > 0;
        Ok(lines::splits(file, start, if whole { u64::MAX } else { bytes_wanted }))
    }

    fn open(&self, request: ReadRequest) -> Result<Box<dyn SplitReader>> {
        let settings = self.settings(&request.columns);
        Ok(Box::new(DelimitedSplit::open(settings, request)?))
    }
}
