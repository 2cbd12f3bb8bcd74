//! Statements about databases and tables of the warehouse, in Hive's and Spark's spellings.
//!
//! Read here from the tokens: the borrowed parser knows them in other dialects' forms, and a clause
//! that is read but not honoured would be silent. What these statements do not have is an error
//! that names it.

mod function;
mod insert;
mod maintain;
mod multi;
mod row_format;
mod show;
mod table;
mod view;

pub use function::CreateFunction;
pub use insert::Insert;
pub use maintain::{Analyze, AnalyzeColumns, LoadData};
pub use multi::MultiInsert;
pub use table::{Alteration, ColumnDefinition, CreateTable};
pub use view::CreateView;

use super::cursor::Cursor;
use super::source::{At, Source};
use crate::error::{Error, Result};
use sqlparser::ast::Query;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};
use std::collections::BTreeMap;

/// A table or view by name, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Its database; None is the current one.
    pub database: Option<String>,
    /// Its own name.
    pub table: String,
}

/// Values of partition columns, as text; None is NULL.
pub type PartitionSpec = Vec<(String, Option<String>)>;

/// A statement about databases and tables.
#[derive(Debug, Clone)]
pub enum Ddl {
    /// `CREATE DATABASE`.
    CreateDatabase { name: String, if_not_exists: bool, comment: Option<String>, properties: BTreeMap<String, String> },
    /// `DROP DATABASE`.
    DropDatabase { name: String, if_exists: bool, cascade: bool },
    /// `USE`.
    Use { name: String },
    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `CREATE VIEW`.
    CreateView(Box<CreateView>),
    /// `DROP TABLE`, or `DROP VIEW`.
    Drop { name: TableName, view: bool, if_exists: bool },
    /// `ALTER TABLE`, or `ALTER VIEW`.
    Alter { table: TableName, alteration: Alteration },
    /// `TRUNCATE TABLE`, of one partition or all.
    Truncate { table: TableName, partition: PartitionSpec },
    /// `MSCK REPAIR TABLE`.
    Repair { table: TableName },
    /// `SHOW DATABASES`.
    ShowDatabases { pattern: Option<String> },
    /// `SHOW TABLES`, or with `views` `SHOW VIEWS`.
    ShowTables { database: Option<String>, pattern: Option<String>, views: bool },
    /// `SHOW COLUMNS`.
    ShowColumns { table: TableName },
    /// `SHOW PARTITIONS`.
    ShowPartitions { table: TableName, partition: PartitionSpec },
    /// `SHOW CREATE TABLE`.
    ShowCreateTable { table: TableName },
    /// `SHOW TBLPROPERTIES`.
    ShowProperties { table: TableName, key: Option<String> },
    /// `DESCRIBE`.
    Describe { table: TableName, extended: bool },
    /// `DESCRIBE DATABASE`.
    DescribeDatabase { name: String, extended: bool },
    /// `CREATE TEMPORARY FUNCTION`.
    CreateFunction(Box<CreateFunction>),
    /// `DROP TEMPORARY FUNCTION`.
    DropFunction { name: String, if_exists: bool },
    /// `SHOW FUNCTIONS`.
    ShowFunctions { user: bool, system: bool, pattern: Option<String> },
    /// `DESCRIBE FUNCTION`.
    DescribeFunction { name: String, extended: bool },
    /// `INSERT INTO` and `INSERT OVERWRITE`.
    Insert(Box<Insert>),
    /// `FROM t INSERT ... INSERT ...`.
    MultiInsert(Box<MultiInsert>),
    /// `LOAD DATA`.
    Load(LoadData),
    /// `ANALYZE TABLE`.
    Analyze(Analyze),
    /// `DESCRIBE` of a column.
    DescribeColumn { table: TableName, column: String, extended: bool },
}

/// What reads the tokens of a query.
pub(super) type ParseQuery<'a> = &'a dyn Fn(&[TokenWithSpan]) -> Result<Box<Query>>;

/// Reads a statement, if it is one of these.
pub(super) fn parse(tokens: &[TokenWithSpan], source: &Source, query: ParseQuery) -> Result<Option<Ddl>> {
    let mut cursor = Cursor::new(tokens);
    let Some(first) = cursor.any_word() else { return Ok(None) };
    let reader = Reader { cursor, source, query };
    match first.as_str() {
        "create" => reader.create(),
        "drop" => reader.drop(),
        "use" => reader.use_database(),
        "alter" => reader.alter().map(Some),
        "truncate" => reader.truncate().map(Some),
        "msck" => reader.repair().map(Some),
        "show" => reader.show(),
        "describe" | "desc" => reader.describe(),
        "insert" => reader.insert().map(Some),
        "from" => reader.multi_insert(),
        "load" => reader.load().map(Some),
        "analyze" => reader.analyze().map(Some),
        _ => Ok(None),
    }
}

/// A statement being read.
struct Reader<'a> {
    cursor: Cursor<'a>,
    source: &'a Source<'a>,
    query: ParseQuery<'a>,
}

impl Reader<'_> {
    fn create(mut self) -> Result<Option<Ddl>> {
        if self.cursor.word("database") || self.cursor.word("schema") {
            return self.create_database().map(Some);
        }
        let or_replace = self.cursor.words(&["or", "replace"]);
        if self.cursor.words(&["global", "temporary"]) {
            return Err(Error::unsupported("GLOBAL TEMPORARY").at_span(self.cursor.span()).with_hint("CREATE TEMPORARY VIEW"));
        }
        let temporary = self.cursor.word("temporary") || self.cursor.word("temp");
        if self.cursor.word("view") {
            return self.create_view(or_replace, temporary).map(Some);
        }
        if self.cursor.word("function") {
            return self.create_function(or_replace, temporary).map(Some);
        }
        if temporary {
            return Err(Error::unsupported("a temporary table").at_span(self.cursor.span()).with_hint("CREATE TEMPORARY VIEW"));
        }
        let external = self.cursor.word("external");
        // Names of the session can be replaced, tables of the warehouse cannot.
        if or_replace || !self.cursor.word("table") {
            return Ok(None);
        }
        self.create_table(external)
    }

    fn create_database(mut self) -> Result<Ddl> {
        let if_not_exists = self.cursor.words(&["if", "not", "exists"]);
        let name = self.cursor.name("a name")?;
        let (mut comment, mut properties) = (None, BTreeMap::new());
        loop {
            if self.cursor.word("comment") {
                comment = Some(self.cursor.string()?);
            } else if self.cursor.word("with") {
                if !(self.cursor.word("dbproperties") || self.cursor.word("properties")) {
                    return Err(self.cursor.expected("DBPROPERTIES"));
                }
                properties = self.properties()?;
            } else if self.cursor.peek_word("location") || self.cursor.peek_word("managedlocation") {
                return Err(Error::unsupported("a database with a LOCATION").at_span(self.cursor.span()));
            } else {
                break;
            }
        }
        self.cursor.end()?;
        Ok(Ddl::CreateDatabase { name, if_not_exists, comment, properties })
    }

    fn drop(mut self) -> Result<Option<Ddl>> {
        if self.cursor.word("database") || self.cursor.word("schema") {
            let if_exists = self.cursor.words(&["if", "exists"]);
            let name = self.cursor.name("a name")?;
            let cascade = self.cursor.word("cascade");
            if !cascade {
                self.cursor.word("restrict");
            }
            self.cursor.end()?;
            return Ok(Some(Ddl::DropDatabase { name, if_exists, cascade }));
        }
        if self.cursor.word("function") || self.cursor.words(&["temporary", "function"]) {
            return self.drop_function();
        }
        let view = self.cursor.word("view");
        if !view && !self.cursor.word("table") {
            return Ok(None);
        }
        let if_exists = self.cursor.words(&["if", "exists"]);
        let name = self.table_name()?;
        if !view {
            // Files are never put into a trash, so there is nothing to purge.
            self.cursor.word("purge");
        }
        self.cursor.end()?;
        Ok(Some(Ddl::Drop { name, view, if_exists }))
    }

    fn use_database(mut self) -> Result<Option<Ddl>> {
        let _ = self.cursor.word("database") || self.cursor.word("schema");
        let name = self.cursor.name("a database")?;
        self.cursor.end()?;
        Ok(Some(Ddl::Use { name }))
    }

    fn truncate(mut self) -> Result<Ddl> {
        self.cursor.word("table");
        let table = self.table_name()?;
        let partition = if self.cursor.word("partition") { self.partition_spec()? } else { Vec::new() };
        self.cursor.end()?;
        Ok(Ddl::Truncate { table, partition })
    }

    fn repair(mut self) -> Result<Ddl> {
        if !self.cursor.words(&["repair", "table"]) {
            return Err(self.cursor.expected("REPAIR TABLE"));
        }
        let table = self.table_name()?;
        // Partitions are the directories there are: all three find nothing to do.
        let _ = self.cursor.word("add") || self.cursor.word("drop") || self.cursor.word("sync");
        self.cursor.word("partitions");
        self.cursor.end()?;
        Ok(Ddl::Repair { table })
    }

    /// `table` or `database.table`.
    fn table_name(&mut self) -> Result<TableName> {
        let first = self.cursor.name("the name of a table")?;
        if !self.cursor.punctuation(&Token::Period) {
            return Ok(TableName { database: None, table: first });
        }
        let second = self.cursor.name("the name of a table")?;
        if !self.cursor.punctuation(&Token::Period) {
            return Ok(TableName { database: Some(first), table: second });
        }
        if first != "spark_catalog" {
            return Err(Error::sql(format!("unknown catalog '{first}'")).at_span(self.cursor.span()));
        }
        Ok(TableName { database: Some(second), table: self.cursor.name("the name of a table")? })
    }

    /// `('key' = 'value', key value, ...)`.
    fn properties(&mut self) -> Result<BTreeMap<String, String>> {
        let pairs = self.cursor.list(|cursor| {
            let key = cursor.value().ok_or_else(|| cursor.expected("a key"))?;
            let value = cursor.value().ok_or_else(|| cursor.expected("a value"))?;
            Ok((key, value))
        })?;
        Ok(pairs.into_iter().collect())
    }

    /// `(a = 1, b = 'x')`: every column with its value.
    fn partition_spec(&mut self) -> Result<PartitionSpec> {
        let columns = self.partition_columns()?;
        columns
            .into_iter()
            .map(|(name, value)| match value {
                Some(value) => Ok((name, value)),
                None => Err(Error::sql(format!("the partition column '{name}' needs a value")).at_span(self.cursor.span())),
            })
            .collect()
    }

    /// `(a = 1, b = NULL, c)`: columns with a value, with NULL, and without.
    fn partition_columns(&mut self) -> Result<Vec<(String, Option<Option<String>>)>> {
        self.cursor.list(|cursor| {
            let name = cursor.name("a partition column")?;
            if !cursor.punctuation(&Token::Eq) {
                return Ok((name, None));
            }
            if cursor.word("null") {
                return Ok((name, Some(None)));
            }
            // Typed literals say what the column's type says, too.
            let _ = cursor.word("date") || cursor.word("timestamp");
            let sign = if cursor.punctuation(&Token::Minus) { "-" } else { "" };
            match cursor.peek().cloned() {
                Some(Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) if sign.is_empty() => {
                    cursor.at += 1;
                    Ok((name, Some(Some(text))))
                }
                Some(Token::Number(number, _)) => {
                    cursor.at += 1;
                    let digits = number.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                    Ok((name, Some(Some(format!("{sign}{digits}")))))
                }
                Some(Token::Word(word)) if matches!(word.value.as_str(), "true" | "false") && sign.is_empty() => {
                    cursor.at += 1;
                    Ok((name, Some(Some(word.value))))
                }
                _ => Err(cursor.expected("a literal")),
            }
        })
    }

    /// `LIKE 'pattern'` or a pattern alone.
    fn pattern(&mut self) -> Result<Option<String>> {
        if self.cursor.word("like") {
            return self.cursor.string().map(Some);
        }
        match self.cursor.peek() {
            Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)) => self.cursor.string().map(Some),
            _ => Ok(None),
        }
    }

    /// A name with the letters of the text.
    fn spelled(&mut self, what: &str) -> Result<String> {
        let span = self.cursor.span();
        let name = self.cursor.name(what)?;
        let text = self.source.slice(span).unwrap_or(&name).trim().trim_matches('`').to_owned();
        Ok(if text.to_lowercase() == name { text } else { name })
    }

    /// The text of a type, to its last bracket.
    fn type_text(&mut self) -> Result<(String, Span)> {
        let start = self.cursor.span();
        self.cursor.name("a type")?;
        let mut end = start.end;
        if self.cursor.word("collate") {
            end = self.cursor.span().end;
            self.cursor.name("a collation")?;
        }
        let mut depth = 0usize;
        loop {
            let opens = matches!(self.cursor.peek(), Some(Token::LParen | Token::Lt));
            if depth == 0 && !opens {
                break;
            }
            let Some(token) = self.cursor.peek().cloned() else { return Err(self.cursor.expected(">")) };
            match token {
                Token::LParen | Token::Lt => depth += 1,
                Token::RParen | Token::Gt => depth = depth.saturating_sub(1),
                Token::ShiftRight => depth = depth.saturating_sub(2),
                _ => {}
            }
            end = self.cursor.span().end;
            self.cursor.at += 1;
        }
        let text = self.source.slice(Span::new(start.start, end)).unwrap_or_default();
        Ok((text.to_owned(), start))
    }
}
