//! SHOW and DESCRIBE.

use super::{Ddl, Reader};
use crate::error::{Error, Result};
use crate::format::registry::format_named;
use crate::sql::source::At;
use sqlparser::tokenizer::Token;

impl Reader<'_> {
    /// None for settings, which are shown elsewhere.
    pub(super) fn show(mut self) -> Result<Option<Ddl>> {
        if let Some(functions) = self.functions()? {
            self.cursor.end()?;
            return Ok(Some(functions));
        }
        let cursor = &mut self.cursor;
        let ddl = if cursor.word("databases") || cursor.word("schemas") || cursor.word("namespaces") {
            Ddl::ShowDatabases { pattern: self.pattern()? }
        } else if cursor.word("tables") {
            self.tables(false)?
        } else if cursor.word("views") {
            self.tables(true)?
        } else if cursor.word("columns") || cursor.word("fields") {
            self.of()?;
            if matches!(self.cursor.peek(), Some(Token::SingleQuotedString(_))) {
                return Ok(None);
            }
            let mut table = self.table_name()?;
            if self.cursor.word("in") || self.cursor.word("from") {
                table.database = Some(self.cursor.name("a database")?);
            }
            if table.database.as_deref().is_some_and(|name| format_named(name).is_some()) {
                return Ok(None);
            }
            Ddl::ShowColumns { table }
        } else if cursor.word("partitions") {
            let table = self.table_name()?;
            let partition = if self.cursor.word("partition") { self.partition_spec()? } else { Vec::new() };
            Ddl::ShowPartitions { table, partition }
        } else if cursor.words(&["create", "table"]) || cursor.words(&["create", "view"]) {
            let table = self.table_name()?;
            if self.cursor.words(&["as", "serde"]) {
                return Err(Error::unsupported("SHOW CREATE TABLE AS SERDE").at_span(self.cursor.span()));
            }
            Ddl::ShowCreateTable { table }
        } else if cursor.word("tblproperties") {
            let table = self.table_name()?;
            let parentheses = self.cursor.punctuation(&Token::LParen);
            let key = if parentheses { self.cursor.value() } else { None };
            if parentheses {
                self.cursor.expect(&Token::RParen)?;
            }
            Ddl::ShowProperties { table, key }
        } else if cursor.peek_word("table") {
            return Err(Error::unsupported("SHOW TABLE EXTENDED").at_span(cursor.span()));
        } else {
            return Ok(None);
        };
        self.cursor.end()?;
        Ok(Some(ddl))
    }

    fn tables(&mut self, views: bool) -> Result<Ddl> {
        let within = self.cursor.word("in") || self.cursor.word("from");
        let database = if within { Some(self.cursor.name("a database")?) } else { None };
        Ok(Ddl::ShowTables { database, pattern: self.pattern()?, views })
    }

    fn of(&mut self) -> Result<()> {
        if self.cursor.word("in") || self.cursor.word("from") { Ok(()) } else { Err(self.cursor.expected("IN or FROM")) }
    }

    /// None for paths of files, which are described elsewhere.
    pub(super) fn describe(mut self) -> Result<Option<Ddl>> {
        if self.cursor.word("database") || self.cursor.word("schema") {
            let extended = self.cursor.word("extended");
            let name = self.cursor.name("a database")?;
            self.cursor.end()?;
            return Ok(Some(Ddl::DescribeDatabase { name, extended }));
        }
        if self.cursor.word("function") {
            return self.describe_function();
        }
        if self.cursor.peek_word("query") {
            return Err(Error::unsupported("DESCRIBE QUERY").at_span(self.cursor.span()));
        }
        self.cursor.word("table");
        let extended = self.cursor.word("extended") || self.cursor.word("formatted");
        if !matches!(self.cursor.peek(), Some(Token::Word(_))) {
            return Ok(None);
        }
        let table = self.table_name()?;
        if table.database.as_deref().is_some_and(|name| format_named(name).is_some()) {
            return Ok(None);
        }
        if self.cursor.peek_word("partition") {
            return Err(Error::unsupported("DESCRIBE of a partition").at_span(self.cursor.span()));
        }
        if self.cursor.peek().is_some() {
            let column = self.cursor.name("a column")?;
            self.cursor.end()?;
            return Ok(Some(Ddl::DescribeColumn { table, column, extended }));
        }
        Ok(Some(Ddl::Describe { table, extended }))
    }
}
