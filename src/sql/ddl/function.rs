//! Functions of the user, and what is known of functions.

use super::{Ddl, Reader};
use crate::error::{Error, Result};
use crate::sql::macros::{Macro, expression};
use crate::sql::source::At;
use sqlparser::ast::{DataType, Expr, Query};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// A function to be made.
#[derive(Debug, Clone)]
pub struct CreateFunction {
    /// In lower case.
    pub name: String,
    /// What it does.
    pub function: Macro,
    /// Keep the function that has the name.
    pub if_not_exists: bool,
    /// Replace the function that has the name.
    pub or_replace: bool,
}

impl Reader<'_> {
    /// Behind `CREATE [OR REPLACE] [TEMPORARY] FUNCTION`.
    pub(super) fn create_function(mut self, or_replace: bool, temporary: bool) -> Result<Ddl> {
        if !temporary {
            let error = Error::unsupported("a function that outlives the session").at_span(self.cursor.span());
            return Err(error.with_hint("CREATE TEMPORARY FUNCTION"));
        }
        let if_not_exists = self.cursor.words(&["if", "not", "exists"]);
        let name = self.cursor.name("the name of a function")?;
        if self.cursor.peek_word("as") {
            return Err(Error::unsupported("a function that is a Java class").at_span(self.cursor.span()));
        }
        self.cursor.expect(&Token::LParen)?;
        let mut parameters: Vec<(String, DataType)> = Vec::new();
        if !self.cursor.punctuation(&Token::RParen) {
            loop {
                let span = self.cursor.span();
                let parameter = self.cursor.name("a parameter")?;
                if parameters.iter().any(|(known, _)| *known == parameter) {
                    return Err(Error::sql(format!("two parameters '{parameter}'")).at_span(span));
                }
                let data_type = self.sql_type()?;
                if self.cursor.peek_word("default") {
                    return Err(Error::unsupported("a DEFAULT of a parameter").at_span(self.cursor.span()));
                }
                if self.cursor.word("comment") {
                    self.cursor.string()?;
                }
                parameters.push((parameter, data_type));
                if !self.cursor.punctuation(&Token::Comma) {
                    break;
                }
            }
            self.cursor.expect(&Token::RParen)?;
        }
        let (mut returns, mut comment) = (None, None);
        loop {
            if self.cursor.word("returns") {
                if self.cursor.peek_word("table") {
                    return Err(Error::unsupported("a function that gives a table").at_span(self.cursor.span()));
                }
                returns = Some(self.sql_type()?);
            } else if self.cursor.word("comment") {
                comment = Some(self.cursor.string()?);
            } else if self.cursor.word("deterministic")
                || self.cursor.words(&["not", "deterministic"])
                || self.cursor.words(&["contains", "sql"])
                || self.cursor.words(&["reads", "sql", "data"])
                || self.cursor.words(&["sql", "security", "definer"])
                || self.cursor.words(&["sql", "security", "invoker"])
            {
                // The body says it all; nobody else is asked for rights.
            } else if self.cursor.word("language") {
                if !self.cursor.word("sql") {
                    return Err(Error::unsupported("a function in another LANGUAGE than SQL").at_span(self.cursor.span()));
                }
            } else {
                break;
            }
        }
        if !self.cursor.word("return") {
            return Err(self.cursor.expected("RETURN"));
        }
        let tokens = self.cursor.rest();
        let body = self.expression(tokens)?;
        let ends = tokens.first().zip(tokens.last());
        let text =
            ends.and_then(|(first, last)| self.source.slice(Span::new(first.span.start, last.span.end)).map(str::to_owned));
        let function = Macro { parameters, returns, body, comment, text: text.unwrap_or_default() };
        Ok(Ddl::CreateFunction(Box::new(CreateFunction { name, function, if_not_exists, or_replace })))
    }

    /// Behind `DROP [TEMPORARY] FUNCTION`.
    pub(super) fn drop_function(mut self) -> Result<Option<Ddl>> {
        let if_exists = self.cursor.words(&["if", "exists"]);
        let name = self.cursor.name("the name of a function")?;
        self.cursor.end()?;
        Ok(Some(Ddl::DropFunction { name, if_exists }))
    }

    /// `SHOW [USER | SYSTEM | ALL] FUNCTIONS [[LIKE] pattern]`, if it is that.
    pub(super) fn functions(&mut self) -> Result<Option<Ddl>> {
        let start = self.cursor.at;
        let (mut user, mut system) = (true, true);
        if self.cursor.word("user") {
            system = false;
        } else if self.cursor.word("system") {
            user = false;
        } else {
            self.cursor.word("all");
        }
        if !self.cursor.word("functions") {
            self.cursor.at = start;
            return Ok(None);
        }
        if self.cursor.word("from") || self.cursor.word("in") {
            self.cursor.name("a database")?;
        }
        let pattern = match self.pattern()? {
            Some(pattern) => Some(pattern),
            None => self.cursor.any_word(),
        };
        Ok(Some(Ddl::ShowFunctions { user, system, pattern }))
    }

    /// Behind `DESCRIBE FUNCTION`.
    pub(super) fn describe_function(mut self) -> Result<Option<Ddl>> {
        let extended = self.cursor.word("extended");
        let name = match self.cursor.any_word() {
            Some(name) => name,
            // Operators are functions, too.
            None => {
                let text: String = self.cursor.rest().iter().map(|token| token.to_string()).collect();
                self.cursor.at = self.cursor.tokens.len();
                text.trim().trim_matches(['\'', '"']).to_owned()
            }
        };
        self.cursor.end()?;
        Ok(Some(Ddl::DescribeFunction { name: name.to_lowercase(), extended }))
    }

    /// A type, by the borrowed parser.
    fn sql_type(&mut self) -> Result<DataType> {
        let start = self.cursor.at;
        let (_, span) = self.type_text()?;
        let of = &self.cursor.tokens[start..self.cursor.at];
        let word = |text: &str, keyword| token(Token::Word(Word { value: text.into(), quote_style: None, keyword }));
        let mut tokens = vec![word("cast", Keyword::CAST), token(Token::LParen), word("null", Keyword::NULL)];
        tokens.push(word("as", Keyword::AS));
        tokens.extend(of.iter().cloned());
        tokens.push(token(Token::RParen));
        match expression(*self.expression(&tokens)?) {
            Some(Expr::Cast { data_type, .. }) => Ok(data_type),
            _ => Err(Error::sql("expected a type").at_span(span)),
        }
    }

    /// `SELECT` and an expression, by the borrowed parser.
    fn expression(&mut self, tokens: &[TokenWithSpan]) -> Result<Box<Query>> {
        let select = Token::Word(Word { value: "select".into(), quote_style: None, keyword: Keyword::SELECT });
        let all: Vec<TokenWithSpan> = std::iter::once(token(select)).chain(tokens.iter().cloned()).collect();
        let query = (self.query)(&all)?;
        if expression(query.as_ref().clone()).is_none() {
            let span = tokens.first().map_or_else(Span::empty, |token| token.span);
            return Err(Error::sql("expected an expression").at_span(span));
        }
        Ok(query)
    }
}

fn token(token: Token) -> TokenWithSpan {
    TokenWithSpan { token, span: Span::empty() }
}
