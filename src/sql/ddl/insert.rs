//! INSERT INTO and INSERT OVERWRITE a table.

use super::{Ddl, Reader, TableName};
use crate::error::{Error, Result};
use crate::sql::source::At;
use sqlparser::ast::Query;
use sqlparser::tokenizer::Token;

/// Rows for a table.
#[derive(Debug, Clone)]
pub struct Insert {
    /// The table.
    pub table: TableName,
    /// Whether rows that are there are replaced.
    pub overwrite: bool,
    /// The PARTITION clause: columns with a value (None: NULL), or without: from the query.
    pub partition: Vec<(String, Option<Option<String>>)>,
    /// Names of the query's columns; empty: by place.
    pub columns: Vec<String>,
    /// Write nothing where the partition is there.
    pub if_not_exists: bool,
    /// The rows.
    pub query: Box<Query>,
}

impl Reader<'_> {
    pub(super) fn insert(mut self) -> Result<Ddl> {
        let overwrite = self.cursor.word("overwrite");
        if !overwrite && !self.cursor.word("into") {
            return Err(self.cursor.expected("INTO or OVERWRITE"));
        }
        self.cursor.word("table");
        let table = self.table_name()?;
        let mut columns = self.columns()?;
        let partition = if self.cursor.word("partition") { self.partition_columns()? } else { Vec::new() };
        let if_not_exists = self.cursor.words(&["if", "not", "exists"]);
        if columns.is_empty() {
            columns = self.columns()?;
        }
        let refused = [("by", "INSERT ... BY NAME"), ("replace", "INSERT ... REPLACE WHERE"), ("set", "INSERT ... SET")];
        for (word, what) in refused.into_iter().chain([("default", "INSERT ... DEFAULT VALUES")]) {
            if self.cursor.peek_word(word) {
                return Err(Error::unsupported(what).at_span(self.cursor.span()));
            }
        }
        let query = (self.query)(self.cursor.rest())?;
        Ok(Ddl::Insert(Box::new(Insert { table, overwrite, partition, columns, if_not_exists, query })))
    }

    /// A list of names in parentheses, unless what stands there is a query.
    fn columns(&mut self) -> Result<Vec<String>> {
        let mut ahead = self.cursor.clone();
        if !ahead.punctuation(&Token::LParen) || ahead.peek_word("select") || ahead.peek_word("with") || ahead.peek_word("values")
        {
            return Ok(Vec::new());
        }
        self.cursor.list(|cursor| cursor.name("a column"))
    }
}
