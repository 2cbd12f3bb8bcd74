//! LOAD DATA and ANALYZE TABLE.

use super::{Ddl, PartitionSpec, Reader, TableName};
use crate::error::{Error, Result};
use crate::sql::source::At;

/// Files that become files of a table.
#[derive(Debug, Clone)]
pub struct LoadData {
    /// A file, or a directory of files.
    pub path: String,
    /// Copied, and not moved.
    pub local: bool,
    /// Rows that are there go.
    pub overwrite: bool,
    /// The table.
    pub table: TableName,
    /// The partition, with values of all columns.
    pub partition: PartitionSpec,
}

/// What to count of a table.
#[derive(Debug, Clone)]
pub struct Analyze {
    /// The table.
    pub table: TableName,
    /// Values of the first partition columns; empty: the whole table.
    pub partition: PartitionSpec,
    /// Bytes only.
    pub no_scan: bool,
    /// The columns whose values are counted.
    pub columns: AnalyzeColumns,
}

/// Columns that ANALYZE counts values of.
#[derive(Debug, Clone)]
pub enum AnalyzeColumns {
    /// None: rows only.
    None,
    /// All that can be counted.
    All,
    /// These, in lower case.
    Named(Vec<String>),
}

impl Reader<'_> {
    pub(super) fn load(mut self) -> Result<Ddl> {
        if !self.cursor.word("data") {
            return Err(self.cursor.expected("DATA"));
        }
        let local = self.cursor.word("local");
        if !self.cursor.word("inpath") {
            return Err(self.cursor.expected("INPATH"));
        }
        let path = self.cursor.string()?;
        let overwrite = self.cursor.word("overwrite");
        if !self.cursor.words(&["into", "table"]) {
            return Err(self.cursor.expected("INTO TABLE"));
        }
        let table = self.table_name()?;
        let partition = if self.cursor.word("partition") { self.partition_spec()? } else { Vec::new() };
        if self.cursor.peek_word("inputformat") || self.cursor.peek_word("serde") {
            return Err(Error::unsupported("INPUTFORMAT in LOAD DATA").at_span(self.cursor.span()));
        }
        self.cursor.end()?;
        Ok(Ddl::Load(LoadData { path, local, overwrite, table, partition }))
    }

    pub(super) fn analyze(mut self) -> Result<Ddl> {
        if self.cursor.peek_word("tables") {
            return Err(Error::unsupported("ANALYZE TABLES").at_span(self.cursor.span()).with_hint("ANALYZE TABLE takes one"));
        }
        if !self.cursor.word("table") {
            return Err(self.cursor.expected("TABLE"));
        }
        let table = self.table_name()?;
        let partition = if self.cursor.word("partition") { self.partition_spec()? } else { Vec::new() };
        if !self.cursor.words(&["compute", "statistics"]) {
            return Err(self.cursor.expected("COMPUTE STATISTICS"));
        }
        let no_scan = self.cursor.word("noscan");
        let mut columns = AnalyzeColumns::None;
        if self.cursor.words(&["for", "all", "columns"]) {
            columns = AnalyzeColumns::All;
        } else if self.cursor.words(&["for", "columns"]) {
            // Hive's without a list is all of them.
            columns = if self.cursor.peek().is_none() { AnalyzeColumns::All } else { AnalyzeColumns::Named(self.names()?) };
        }
        self.cursor.end()?;
        Ok(Ddl::Analyze(Analyze { table, partition, no_scan, columns }))
    }

    /// `a, b` with or without parentheses.
    fn names(&mut self) -> Result<Vec<String>> {
        if self.cursor.peek() == Some(&sqlparser::tokenizer::Token::LParen) {
            return self.cursor.list(|cursor| cursor.name("a column"));
        }
        let mut names = vec![self.cursor.name("a column")?];
        while self.cursor.punctuation(&sqlparser::tokenizer::Token::Comma) {
            names.push(self.cursor.name("a column")?);
        }
        Ok(names)
    }
}
