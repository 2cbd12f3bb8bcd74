//! `ROW FORMAT` and `STORED AS INPUTFORMAT`: Hive's words for formats and their options.

use super::Reader;
use super::table::CreateTable;
use crate::error::{Error, Result};
use crate::format::registry::serde_format;
use crate::sql::cursor::Cursor;
use crate::sql::source::At;
use sqlparser::tokenizer::Span;
use std::collections::BTreeMap;

/// Classes of Hive that name a format by how its files are cut up.
const INPUT_FORMATS: &[(&str, &str)] = &[
    ("org.apache.hadoop.mapred.TextInputFormat", "textfile"),
    ("org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat", "parquet"),
    ("org.apache.hadoop.hive.ql.io.orc.OrcInputFormat", "orc"),
    ("org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat", "avro"),
];

/// The parts of `ROW FORMAT DELIMITED`, and the options of the format that they are.
const PARTS: &[(&[&str], &str)] = &[
    (&["fields", "terminated", "by"], "field.delim"),
    (&["escaped", "by"], "escape.delim"),
    (&["collection", "items", "terminated", "by"], "collection.delim"),
    (&["map", "keys", "terminated", "by"], "mapkey.delim"),
    (&["lines", "terminated", "by"], "line.delim"),
    (&["null", "defined", "as"], "serialization.null.format"),
];

impl Cursor<'_> {
    /// Behind `ROW FORMAT DELIMITED`.
    fn delimited_parts(&mut self, options: &mut BTreeMap<String, String>) -> Result<()> {
        loop {
            let span = self.span();
            let Some((_, key)) = PARTS.iter().find(|(words, _)| self.words(words)) else { return Ok(()) };
            let value = self.string()?;
            if options.insert((*key).to_owned(), value).is_some() {
                return Err(Error::sql("a part of ROW FORMAT twice").at_span(span));
            }
        }
    }

    /// `ROW FORMAT DELIMITED ...` of files in a directory, if it is there.
    pub(in crate::sql) fn directory_rows(&mut self) -> Result<Option<BTreeMap<String, String>>> {
        let span = self.span();
        if !self.words(&["row", "format"]) {
            return Ok(None);
        }
        if !self.word("delimited") {
            return Err(Error::unsupported("ROW FORMAT SERDE in INSERT OVERWRITE DIRECTORY").at_span(span));
        }
        let mut options = BTreeMap::new();
        self.delimited_parts(&mut options)?;
        Ok(Some(options))
    }
}

impl Reader<'_> {
    /// Behind `ROW FORMAT`. A SerDe names the format; `STORED AS` may name it, too.
    pub(super) fn row_format(&mut self, table: &mut CreateTable, span: Span) -> Result<()> {
        if table.row_format.is_some() {
            return Err(Error::sql("ROW FORMAT twice").at_span(span));
        }
        if self.cursor.word("serde") {
            let class = self.cursor.string()?;
            table.row_format = Some(serde_format(&class).map_err(|error| error.at_span(span))?);
            if self.cursor.words(&["with", "serdeproperties"]) {
                table.options.extend(self.properties()?);
            }
            return Ok(());
        }
        if !self.cursor.word("delimited") {
            return Err(self.cursor.expected("DELIMITED or SERDE"));
        }
        table.row_format = Some("textfile");
        self.cursor.delimited_parts(&mut table.options)
    }

    /// Behind `STORED AS INPUTFORMAT`.
    pub(super) fn input_format(&mut self, table: &mut CreateTable, span: Span) -> Result<()> {
        let class = self.cursor.string()?;
        if !self.cursor.word("outputformat") {
            return Err(self.cursor.expected("OUTPUTFORMAT"));
        }
        // Files are written by format, whatever the class is called.
        self.cursor.string()?;
        let found = INPUT_FORMATS.iter().find(|(known, _)| *known == class);
        let (_, format) = found.ok_or_else(|| Error::unsupported(format!("the input format {class}")).at_span(span))?;
        table.format = Some((*format).to_owned());
        Ok(())
    }

    /// Brings what STORED AS, USING and ROW FORMAT say of the format together.
    pub(super) fn settle_format(&self, table: &mut CreateTable, span: Span) -> Result<()> {
        let Some(row_format) = table.row_format else { return Ok(()) };
        match table.format.as_deref() {
            None => table.format = Some(row_format.to_owned()),
            Some("textfile") => table.format = Some(row_format.to_owned()),
            Some(format) if format == row_format || (format == "jsonfile" && row_format == "json") => {}
            Some(format) => {
                let message = format!("ROW FORMAT for {row_format} files in a table STORED AS {}", format.to_uppercase());
                return Err(Error::unsupported(message).at_span(span));
            }
        }
        Ok(())
    }
}
