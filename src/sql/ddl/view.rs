//! CREATE VIEW.

use super::{Ddl, Reader, TableName};
use crate::error::{Error, Result};
use crate::sql::source::At;
use sqlparser::ast::Query;
use sqlparser::tokenizer::{Span, Token};

/// A view to be made.
#[derive(Debug, Clone)]
pub struct CreateView {
    /// Its name.
    pub name: TableName,
    /// Whether it ends with the session instead of staying in the warehouse.
    pub temporary: bool,
    /// Names of its columns with comments; empty: those of the query.
    pub columns: Vec<(String, Option<String>)>,
    /// What the user says of it.
    pub comment: Option<String>,
    /// The query, to check it before it gets its name.
    pub query: Box<Query>,
    /// The text of the query, to be parsed again at each use.
    pub text: String,
    /// Keep the view that has the name.
    pub if_not_exists: bool,
    /// Replace the view that has the name.
    pub or_replace: bool,
}

impl Reader<'_> {
    /// Behind `CREATE [OR REPLACE] [TEMPORARY] VIEW`.
    pub(super) fn create_view(mut self, or_replace: bool, temporary: bool) -> Result<Ddl> {
        let if_not_exists = self.cursor.words(&["if", "not", "exists"]);
        let name = self.table_name()?;
        let mut columns = Vec::new();
        if self.cursor.punctuation(&Token::LParen) {
            loop {
                let name = self.spelled("a column")?;
                let comment = if self.cursor.word("comment") { Some(self.cursor.string()?) } else { None };
                columns.push((name, comment));
                if !self.cursor.punctuation(&Token::Comma) {
                    break;
                }
            }
            self.cursor.expect(&Token::RParen)?;
        }
        let comment = if self.cursor.word("comment") { Some(self.cursor.string()?) } else { None };
        if self.cursor.peek_word("tblproperties") || self.cursor.peek_word("with") {
            return Err(Error::unsupported("a property or option of CREATE VIEW").at_span(self.cursor.span()));
        }
        if !self.cursor.word("as") {
            return Err(self.cursor.expected("AS"));
        }
        let tokens = self.cursor.rest();
        let query = (self.query)(tokens)?;
        let ends = tokens.first().zip(tokens.last());
        let text = ends.and_then(|(first, last)| self.source.slice(Span::new(first.span.start, last.span.end)));
        let Some(text) = text.map(str::to_owned) else { return Err(Error::internal("the query of a view has no position")) };
        Ok(Ddl::CreateView(Box::new(CreateView { name, temporary, columns, comment, query, text, if_not_exists, or_replace })))
    }
}
