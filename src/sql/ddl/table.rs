//! CREATE TABLE and ALTER TABLE.

use super::{Ddl, PartitionSpec, Reader, TableName};
use crate::error::{Error, Result};
use crate::layout::bucket::BucketDeclaration;
use crate::sql::source::At;
use sqlparser::ast::Query;
use sqlparser::tokenizer::{Span, Token};
use std::collections::BTreeMap;

/// A table to be made.
#[derive(Debug, Clone)]
pub struct CreateTable {
    /// Its name.
    pub name: TableName,
    /// The table that has the name is let be.
    pub if_not_exists: bool,
    /// `EXTERNAL`: needs a location.
    pub external: bool,
    /// Columns, those of partitions last.
    pub columns: Vec<ColumnDefinition>,
    /// Names of the partition columns.
    pub partitioned_by: Vec<String>,
    /// `CLUSTERED BY ... SORTED BY ... INTO n BUCKETS`.
    pub buckets: Option<BucketDeclaration>,
    /// The format, in lower case.
    pub format: Option<String>,
    /// Where its files are.
    pub location: Option<String>,
    /// What the user says of it.
    pub comment: Option<String>,
    /// TBLPROPERTIES.
    pub properties: BTreeMap<String, String>,
    /// OPTIONS, and what ROW FORMAT says: how files of the format are read.
    pub options: BTreeMap<String, String>,
    /// The format that ROW FORMAT is for.
    pub row_format: Option<&'static str>,
    /// The table whose columns it has.
    pub like: Option<TableName>,
    /// Its rows.
    pub query: Option<Box<Query>>,
}

/// A column to be made.
#[derive(Debug, Clone)]
pub struct ColumnDefinition {
    /// Its name, as spelled.
    pub name: String,
    /// Its type, as written.
    pub type_text: String,
    /// What the user says of it.
    pub comment: Option<String>,
    /// Where the type stands: line and column.
    pub position: (u64, u64),
}

/// What ALTER TABLE changes.
#[derive(Debug, Clone)]
pub enum Alteration {
    /// `SET TBLPROPERTIES`.
    SetProperties(BTreeMap<String, String>),
    /// `UNSET TBLPROPERTIES`.
    UnsetProperties { keys: Vec<String>, if_exists: bool },
    /// `RENAME TO`.
    Rename(TableName),
    /// `ADD COLUMNS`.
    AddColumns(Vec<ColumnDefinition>),
    /// `ADD PARTITION`.
    AddPartitions { partitions: Vec<PartitionSpec>, if_not_exists: bool },
    /// `DROP PARTITION`.
    DropPartitions { partitions: Vec<PartitionSpec>, if_exists: bool },
    /// `ALTER COLUMN c COMMENT '...'`: the comment of a column, or what is said of the type again.
    CommentColumn { column: String, comment: String },
    /// `SET LOCATION`.
    SetLocation(String),
    /// `RECOVER PARTITIONS`.
    Recover,
    /// `PARTITION (...) RENAME TO PARTITION (...)`.
    RenamePartition { from: PartitionSpec, to: PartitionSpec },
}

impl Reader<'_> {
    /// Behind `CREATE [EXTERNAL] TABLE`. None for EXTERNAL tables and such that say first how rows
    /// lie, without columns: the session's names of files.
    pub(super) fn create_table(mut self, external: bool) -> Result<Option<Ddl>> {
        let if_not_exists = self.cursor.words(&["if", "not", "exists"]);
        let name = self.table_name()?;
        let mut table = CreateTable {
            name,
            if_not_exists,
            external,
            columns: Vec::new(),
            partitioned_by: Vec::new(),
            buckets: None,
            format: None,
            location: None,
            comment: None,
            properties: BTreeMap::new(),
            options: BTreeMap::new(),
            row_format: None,
            like: None,
            query: None,
        };
        if self.cursor.word("like") {
            table.like = Some(self.table_name()?);
        } else if self.cursor.peek() == Some(&Token::LParen) {
            table.columns = self.column_definitions()?;
        } else if external && !self.names_other_format() {
            return Ok(None);
        }
        // Without columns and query it names files for the session.
        let of_session = table.columns.is_empty() && self.cursor.peek_word("clustered");
        self.clauses(&mut table)?;
        if of_session && self.cursor.peek().is_none() {
            return Ok(None);
        }
        let as_query = self.cursor.word("as");
        if as_query || self.cursor.peek_word("select") || self.cursor.peek_word("with") {
            table.query = Some((self.query)(self.cursor.rest())?);
        } else {
            self.cursor.end()?;
        }
        Ok(Some(Ddl::CreateTable(Box::new(table))))
    }

    fn clauses(&mut self, table: &mut CreateTable) -> Result<()> {
        loop {
            let span = self.cursor.span();
            let refuse = |what: &str, span: Span| Err(Error::unsupported(what).at_span(span));
            if self.cursor.word("using") {
                table.format = Some(self.cursor.name("a format")?);
            } else if self.cursor.words(&["stored", "as"]) {
                if self.cursor.word("inputformat") {
                    self.input_format(table, span)?;
                    continue;
                }
                table.format = Some(self.cursor.name("a format")?);
            } else if self.cursor.words(&["partitioned", "by"]) {
                if !table.partitioned_by.is_empty() {
                    return Err(Error::sql("PARTITIONED BY twice").at_span(span));
                }
                self.partitioned_by(table)?;
            } else if self.cursor.word("location") {
                table.location = Some(self.cursor.string()?);
            } else if self.cursor.word("comment") {
                table.comment = Some(self.cursor.string()?);
            } else if self.cursor.word("tblproperties") {
                table.properties.extend(self.properties()?);
            } else if self.cursor.word("options") {
                table.options.extend(self.properties()?);
            } else if self.cursor.words(&["clustered", "by"]) {
                if table.buckets.is_some() {
                    return Err(Error::sql("CLUSTERED BY twice").at_span(span));
                }
                let columns = self.cursor.list(|cursor| cursor.name("a column"))?;
                let sorted_by = if self.cursor.words(&["sorted", "by"]) { self.cursor.sorted_columns()? } else { Vec::new() };
                table.buckets = Some(BucketDeclaration { columns, sorted_by, count: self.cursor.bucket_count()? });
            } else if self.cursor.peek_word("cluster") || self.cursor.peek_word("sorted") {
                return refuse("CLUSTER BY, or SORTED BY without CLUSTERED BY,", span);
            } else if self.cursor.peek_word("skewed") {
                return refuse("SKEWED BY", span);
            } else if self.cursor.words(&["row", "format"]) {
                self.row_format(table, span)?;
            } else if self.cursor.peek_word("stored") {
                return refuse("STORED BY", span);
            } else {
                return self.settle_format(table, span);
            }
        }
    }

    /// Whether a format other than Parquet is named in the rest of the statement.
    fn names_other_format(&self) -> bool {
        let mut ahead = self.cursor.clone();
        while ahead.peek().is_some() {
            if ahead.words(&["stored", "as"]) || ahead.word("using") {
                return !ahead.peek_word("parquet");
            }
            if ahead.words(&["row", "format"]) {
                return true;
            }
            ahead.at += 1;
        }
        false
    }

    /// `(a INT COMMENT 'x', b ...)`.
    fn column_definitions(&mut self) -> Result<Vec<ColumnDefinition>> {
        self.cursor.expect(&Token::LParen)?;
        let mut columns = Vec::new();
        loop {
            columns.push(self.column_definition()?);
            if !self.cursor.punctuation(&Token::Comma) {
                break;
            }
        }
        self.cursor.expect(&Token::RParen)?;
        Ok(columns)
    }

    fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let name = self.spelled("a column")?;
        self.cursor.punctuation(&Token::Colon);
        let (type_text, span) = self.type_text()?;
        let comment = if self.cursor.word("comment") { Some(self.cursor.string()?) } else { None };
        for (word, what) in [
            ("not", "NOT NULL"),
            ("default", "a column's DEFAULT"),
            ("generated", "a generated column"),
            ("primary", "PRIMARY KEY"),
            ("references", "REFERENCES"),
            ("constraint", "a constraint"),
            ("unique", "UNIQUE"),
            ("check", "CHECK"),
        ] {
            if self.cursor.peek_word(word) {
                return Err(Error::unsupported(what).at_span(self.cursor.span()));
            }
        }
        Ok(ColumnDefinition { name, type_text, comment, position: (span.start.line, span.start.column) })
    }

    /// Hive's columns with types, or Spark's names of columns that are declared, or the query's.
    fn partitioned_by(&mut self, table: &mut CreateTable) -> Result<()> {
        let mut ahead = self.cursor.clone();
        ahead.punctuation(&Token::LParen);
        let first = ahead.any_word();
        if first.is_some() && ahead.peek() == Some(&Token::LParen) {
            return Err(Error::unsupported("a partition transform").at_span(ahead.span()));
        }
        if matches!(ahead.peek(), Some(Token::Comma | Token::RParen)) {
            self.cursor.expect(&Token::LParen)?;
            loop {
                table.partitioned_by.push(self.spelled("a column")?);
                if !self.cursor.punctuation(&Token::Comma) {
                    break;
                }
            }
            return self.cursor.expect(&Token::RParen);
        }
        let columns = self.column_definitions()?;
        table.partitioned_by = columns.iter().map(|column| column.name.clone()).collect();
        table.columns.extend(columns);
        Ok(())
    }

    pub(super) fn alter(mut self) -> Result<Ddl> {
        if !(self.cursor.word("table") || self.cursor.word("view")) {
            let words = self.cursor.any_word().unwrap_or_default().to_uppercase();
            return Err(Error::unsupported(format!("ALTER {words}")).at_span(self.cursor.span()));
        }
        let table = self.table_name()?;
        let span = self.cursor.span();
        let alteration = if self.cursor.words(&["set", "tblproperties"]) {
            Alteration::SetProperties(self.properties()?)
        } else if self.cursor.words(&["unset", "tblproperties"]) {
            let if_exists = self.cursor.words(&["if", "exists"]);
            let keys = self.cursor.list(|cursor| cursor.value().ok_or_else(|| cursor.expected("a key")))?;
            Alteration::UnsetProperties { keys, if_exists }
        } else if self.cursor.words(&["recover", "partitions"]) {
            Alteration::Recover
        } else if self.cursor.words(&["set", "location"]) {
            Alteration::SetLocation(self.cursor.string()?)
        } else if self.cursor.words(&["alter", "column"]) || self.cursor.words(&["change", "column"]) {
            let column = self.cursor.name("a column")?;
            if !self.cursor.word("comment") {
                return Err(Error::unsupported("a change of a column but its COMMENT").at_span(self.cursor.span()));
            }
            Alteration::CommentColumn { column, comment: self.cursor.string()? }
        } else if self.cursor.words(&["rename", "to"]) {
            Alteration::Rename(self.table_name()?)
        } else if self.cursor.words(&["add", "columns"]) || self.cursor.words(&["add", "column"]) {
            Alteration::AddColumns(self.column_definitions()?)
        } else if self.cursor.word("add") {
            let if_not_exists = self.cursor.words(&["if", "not", "exists"]);
            Alteration::AddPartitions { partitions: self.partition_specs()?, if_not_exists }
        } else if self.cursor.word("drop") {
            let if_exists = self.cursor.words(&["if", "exists"]);
            let partitions = self.partition_specs()?;
            self.cursor.word("purge");
            Alteration::DropPartitions { partitions, if_exists }
        } else if self.cursor.word("partition") {
            let from = self.partition_spec()?;
            if !self.cursor.words(&["rename", "to", "partition"]) {
                return Err(Error::unsupported("this change of a partition").at_span(self.cursor.span()));
            }
            Alteration::RenamePartition { from, to: self.partition_spec()? }
        } else {
            let words = [self.cursor.any_word(), self.cursor.any_word()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            return Err(Error::unsupported(format!("ALTER TABLE ... {}", words.to_uppercase())).at_span(span));
        };
        self.cursor.end()?;
        Ok(Ddl::Alter { table, alteration })
    }

    fn partition_specs(&mut self) -> Result<Vec<PartitionSpec>> {
        let mut specs = Vec::new();
        while self.cursor.word("partition") {
            specs.push(self.partition_spec()?);
            if self.cursor.peek_word("location") {
                return Err(Error::unsupported("a partition with a LOCATION").at_span(self.cursor.span()));
            }
            self.cursor.punctuation(&Token::Comma);
        }
        if specs.is_empty() { Err(self.cursor.expected("PARTITION")) } else { Ok(specs) }
    }
}
