//! Hive's `FROM t INSERT ... SELECT ... INSERT ... SELECT ...`: one source, several targets.
//!
//! ```text
//!   FROM src s                      rows of src, once
//!   INSERT INTO a SELECT s.x        ├─ SELECT s.x FROM <rows> s            ─> a
//!   INSERT OVERWRITE TABLE b ...    └─ SELECT ... FROM <rows> s WHERE ...  ─> b
//! ```
//!
//! The part behind FROM is read as a query of its own; each INSERT's query gets a relation of a name
//! made for the statement, with the source's alias, put into its FROM.

use super::{Ddl, Insert, Reader};
use crate::error::{Error, Result};
use crate::sql::source::At;
use sqlparser::ast::{Ident, ObjectName, Query, SetExpr, TableAlias, TableFactor, TableWithJoins};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers sources, whose rows need a name that no other statement of the engine uses meanwhile.
static SOURCES: AtomicU64 = AtomicU64::new(0);

/// One source, several targets.
#[derive(Debug, Clone)]
pub struct MultiInsert {
    /// What the queries of the inserts call the source's rows; the caller gives that name a meaning.
    pub name: String,
    /// All rows of the source.
    pub source: Box<Query>,
    /// The inserts, in the order of the text.
    pub inserts: Vec<Insert>,
}

impl Reader<'_> {
    /// Behind FROM. None for what has no INSERT: queries may begin with FROM elsewhere.
    pub(super) fn multi_insert(mut self) -> Result<Option<Ddl>> {
        let tokens = self.cursor.rest();
        let starts = inserts(tokens);
        let Some(first) = starts.first().copied() else { return Ok(None) };
        let span = tokens[0].span;
        let mut select: Vec<TokenWithSpan> = [Token::make_word("select", None), Token::Mul, Token::make_word("from", None)]
            .into_iter()
            .map(|token| TokenWithSpan { token, span })
            .collect();
        select.extend_from_slice(&tokens[..first]);
        let source = (self.query)(&select)?;
        let alias = alias(&source, span)?;
        let name = format!("rows of statement {}", SOURCES.fetch_add(1, Ordering::Relaxed));
        let mut found = Vec::with_capacity(starts.len());
        for (at, start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).copied().unwrap_or(tokens.len());
            let own = &tokens[*start..end];
            let mut cursor = super::Cursor::new(own);
            cursor.word("insert");
            if cursor.words(&["overwrite", "directory"]) || cursor.words(&["overwrite", "local", "directory"]) {
                return Err(Error::unsupported("INSERT OVERWRITE DIRECTORY behind FROM").at_span(own[0].span));
            }
            let reader = Reader { cursor, source: self.source, query: self.query };
            let Ddl::Insert(mut insert) = reader.insert()? else { return Err(Error::internal("an INSERT that is none")) };
            put_source(&mut insert.query, &name, &alias, own[0].span)?;
            found.push(*insert);
        }
        Ok(Some(Ddl::MultiInsert(Box::new(MultiInsert { name, source, inserts: found }))))
    }
}

/// Where INSERTs begin, outside of parentheses.
fn inserts(tokens: &[TokenWithSpan]) -> Vec<usize> {
    let mut depth = 0usize;
    let mut starts = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.quote_style.is_none() && word.value == "insert" => starts.push(at),
            _ => {}
        }
    }
    starts
}

/// What the queries call the source.
fn alias(source: &Query, span: Span) -> Result<TableAlias> {
    let refused = |what: &str| {
        let error = Error::unsupported(format!("{what} between FROM and INSERT")).at_span(span);
        Err(error.with_hint("put it into a subquery with a name: FROM (SELECT ...) s INSERT ..."))
    };
    let SetExpr::Select(select) = source.body.as_ref() else { return refused("this") };
    let plain = source.order_by.is_none() && source.limit_clause.is_none() && select.selection.is_none();
    let ([relation], true, true) = (select.from.as_slice(), plain, select.lateral_views.is_empty()) else {
        return refused("more than one relation");
    };
    if !relation.joins.is_empty() {
        return refused("a join");
    }
    let (given, name) = match &relation.relation {
        TableFactor::Table { name, alias, .. } => (alias, name.0.last().and_then(|part| part.as_ident()).cloned()),
        TableFactor::Derived { alias, .. } => (alias, None),
        _ => return refused("this relation"),
    };
    match (given, name) {
        (Some(alias), _) if alias.columns.is_empty() => Ok(alias.clone()),
        (Some(_), _) => refused("names of columns"),
        (None, name) => {
            let name = name.unwrap_or_else(|| Ident::new("source"));
            Ok(TableAlias { explicit: true, name, columns: Vec::new(), at: None })
        }
    }
}

/// Gives a query without FROM the source.
fn put_source(query: &mut Query, name: &str, alias: &TableAlias, span: Span) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(Error::unsupported("anything but SELECT in an INSERT behind FROM").at_span(span));
    };
    if !select.from.is_empty() {
        return Err(Error::unsupported("FROM in an INSERT behind FROM").at_span(span));
    }
    let relation = TableFactor::Table {
        name: ObjectName::from(vec![Ident::with_quote('`', name)]),
        alias: Some(alias.clone()),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    };
    select.from = vec![TableWithJoins { relation, joins: Vec::new() }];
    Ok(())
}
