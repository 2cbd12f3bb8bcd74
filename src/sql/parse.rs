//! Text to statements: tokens, limits, then the borrowed parser, a statement at a time.
//!
//! Between tokenizer and parser the tokens are put right: strings lose their escapes by Spark's
//! rules, `1S` and `1.5BD` become one number, and identifiers become lower case (each keeps its
//! position, by which output headers find the spelling of the user again). `SET`, `RESET` and the
//! head of `EXPLAIN` are read here from the tokens, as their values are no SQL expressions.

use super::asof;
use super::copy::{self, CopyStatement};
use super::ddl::{self, Ddl};
use super::dialect::SkepDialect;
use super::limits;
use super::prepared::{self, Prepared};
use super::respell;
use super::source::{At, Source};
use super::walk::walk_statement_mut;
use crate::config::{Config, DoubleQuotes};
use crate::error::{Error, Result};
use crate::format::registry::format_named;
use sqlparser::ast::{BinaryOperator, Expr, ObjectName, Query, Statement, VisitorMut};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};
use std::ops::ControlFlow;

/// One statement of a text.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What it is.
    pub command: Command,
    /// Its text, without the semicolon.
    pub text: String,
    /// The byte at which it starts in the whole text.
    pub offset: usize,
    /// Where it starts; all positions of its tree are positions in the whole text, too.
    pub span: Span,
}

/// A statement as far as the text tells.
#[derive(Debug, Clone)]
pub enum Command {
    /// Anything the borrowed parser reads.
    Statement(Box<Statement>),
    /// `EXPLAIN` of a statement.
    Explain(ExplainMode, Box<Statement>),
    /// `EXPLAIN` of a statement that writes.
    ExplainWrite(ExplainMode, Box<Command>),
    /// `COPY ... TO` or `INSERT OVERWRITE DIRECTORY`.
    Copy(Box<CopyStatement>),
    /// A statement about databases and tables.
    Ddl(Box<Ddl>),
    /// `EXECUTE IMMEDIATE`, `PREPARE`, `EXECUTE`, `DEALLOCATE`.
    Prepared(Prepared),
    /// `SET name = value`, `SET name`, or `SET`.
    Set {
        /// The setting; None lists all.
        name: Option<String>,
        /// Its new value; None shows it.
        value: Option<String>,
    },
    /// `SHOW LAYOUT table`.
    ShowLayout(ObjectName),
    /// `RESET name`, or `RESET` for all.
    Reset {
        /// The setting; None is all.
        name: Option<String>,
    },
}

/// What EXPLAIN shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainMode {
    /// The physical plan.
    Plan,
    /// The logical plans, too.
    Extended,
    /// The physical plan with its details apart.
    Formatted,
    /// The query is run; its plan is shown with what happened.
    Analyze,
}

/// Reads the statements of `text`. Positions in errors and trees are relative to `text`.
pub fn parse(text: &str, config: &Config) -> Result<Vec<Parsed>> {
    if text.len() > limits::TEXT_BYTES {
        let most = limits::TEXT_BYTES >> 20;
        return Err(Error::unsupported(format!("SQL text of more than {most} MiB ({} bytes)", text.len())));
    }
    let double_quoted_identifiers = config.double_quotes == DoubleQuotes::Identifier;
    let dialect = SkepDialect { double_quoted_identifiers, hive_clauses: false };
    let tokens = tokens(text, &dialect)?;
    limits::check_tokens(&tokens)?;
    let source = Source::new(text);
    let mut parsed = Vec::new();
    for statement in tokens.split(|token| token.token == Token::SemiColon) {
        let is_blank = |token: &&TokenWithSpan| matches!(token.token, Token::Whitespace(_) | Token::EOF);
        let Some(start) = statement.iter().position(|token| !is_blank(&token)) else { continue };
        let end = statement.iter().rposition(|token| !is_blank(&token)).unwrap_or(start);
        let statement = &statement[start..=end];
        let span = Span::new(statement[0].span.start, statement[statement.len() - 1].span.end);
        let command = super::on_large_stack(|| command(statement, &source, &dialect))?;
        let text = source.slice(span).unwrap_or_default().to_owned();
        parsed.push(Parsed { command, text, offset: source.offset(span.start), span });
    }
    Ok(parsed)
}

/// The tokens of `text`, put right as the head of this file says.
fn tokens(text: &str, dialect: &SkepDialect) -> Result<Vec<TokenWithSpan>> {
    let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(text.len() / 4);
    let tokenized = Tokenizer::new(dialect, text).with_unescape(false).tokenize_with_location();
    for mut token in tokenized.map_err(|error| Error::sql(error.message).at(error.location.line, error.location.column))? {
        let path = is_path(&tokens, &token.token);
        match &mut token.token {
            Token::SingleQuotedString(raw) => *raw = unescape(raw, '\''),
            Token::DoubleQuotedString(raw) => *raw = unescape(raw, '"'),
            Token::Word(word) => {
                if let Some(quote) = word.quote_style {
                    word.value = word.value.replace(&format!("{quote}{quote}"), &quote.to_string());
                } else if let Some(TokenWithSpan { token: Token::Number(number, false), span }) = tokens.last_mut()
                    && matches!(word.value.to_ascii_uppercase().as_str(), "S" | "Y" | "D" | "F" | "BD")
                {
                    number.push_str(&word.value);
                    span.end = token.span.end;
                    continue;
                }
                if !path {
                    word.value = word.value.to_lowercase();
                }
            }
            _ => {}
        }
        tokens.push(token);
    }
    Ok(respell::respell(tokens))
}

/// Whether a token is the path of ``parquet.`path` ``, or of another format's. These are also good
/// names of tables: what has no letter that names seldom have is a column of such a table.
fn is_path(tokens: &[TokenWithSpan], next: &Token) -> bool {
    let [.., format, dot] = tokens else { return false };
    let (Token::Word(format), Token::Word(path)) = (&format.token, next) else { return false };
    let like_path = path.quote_style.is_some() && path.value.contains(['/', '.', '*']);
    dot.token == Token::Period && (format.value == "parquet" || (like_path && format_named(&format.value).is_some()))
}

/// What a string means: `''` is a quote, `\n` a line feed and so on, `\%` and `\_` stay for LIKE.
fn unescape(raw: &str, quote: char) -> String {
    if !raw.contains(['\\', quote]) {
        return raw.to_owned();
    }
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c == quote {
            chars.next_if_eq(&quote);
            text.push(quote);
        } else if c != '\\' {
            text.push(c);
        } else {
            match chars.next() {
                Some('0') if !chars.peek().is_some_and(char::is_ascii_digit) => text.push('\0'),
                Some('b') => text.push('\u{8}'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('Z') => text.push('\u{1a}'),
                Some(like @ ('%' | '_')) => text.extend(['\\', like]),
                Some('u') => match code_point(&chars.clone().take(4).collect::<String>(), 4, 16) {
                    Some(point) => {
                        chars.nth(3);
                        text.push(point);
                    }
                    None => text.push('u'),
                },
                Some(first @ '0'..='3') => {
                    let digits: String = std::iter::once(first).chain(chars.clone().take(2)).collect();
                    match code_point(&digits, 3, 8) {
                        Some(point) => {
                            chars.nth(1);
                            text.push(point);
                        }
                        None => text.push(first),
                    }
                }
                Some(other) => text.push(other),
                None => text.push('\\'),
            }
        }
    }
    text
}

fn code_point(digits: &str, len: usize, radix: u32) -> Option<char> {
    if digits.len() != len || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

fn command(tokens: &[TokenWithSpan], source: &Source, dialect: &SkepDialect) -> Result<Command> {
    let words: Vec<&TokenWithSpan> = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).take(4).collect();
    let keyword = |at: usize| match words.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.as_str(),
        _ => "",
    };
    // The source after the given number of words.
    let after = |count: usize| match (words.get(count), tokens.last()) {
        (Some(first), Some(last)) => source.slice(Span::new(first.span.start, last.span.end)).unwrap_or_default().trim(),
        _ => "",
    };
    match keyword(0) {
        "set" if keyword(1) == "time" && keyword(2) == "zone" => {
            let rest = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).nth(3);
            let value = match rest.map(|token| &token.token) {
                Some(Token::SingleQuotedString(zone) | Token::DoubleQuotedString(zone)) => zone.clone(),
                Some(Token::Word(word)) if word.value == "local" => "UTC".into(),
                _ => return Err(Error::sql("SET TIME ZONE takes a zone in quotes").at_span(tokens[0].span)),
            };
            Ok(Command::Set { name: Some("skep.sql.time_zone".into()), value: Some(value) })
        }
        "execute" | "prepare" | "deallocate" => prepared::parse(tokens, source).map(Command::Prepared),
        "set" => Ok(set(after(1))),
        "reset" => Ok(Command::Reset { name: Some(after(1)).filter(|name| !name.is_empty()).map(str::to_owned) }),
        "explain" => {
            let (mode, skip) = match keyword(1) {
                "analyze" => (ExplainMode::Analyze, 2),
                "extended" | "verbose" => (ExplainMode::Extended, 2),
                "formatted" => (ExplainMode::Formatted, 2),
                _ => (ExplainMode::Plan, 1),
            };
            let Some(first) = words.get(skip) else {
                return Err(Error::sql("EXPLAIN of what?").at_span(tokens[0].span));
            };
            let start = tokens.iter().position(|token| token.span == first.span).unwrap_or(0);
            if ["copy", "insert", "create", "from"].contains(&keyword(skip)) {
                let command = command(&tokens[start..], source, dialect)?;
                if !matches!(&command, Command::Statement(_)) {
                    return Ok(Command::ExplainWrite(mode, Box::new(command)));
                }
            }
            statement(&tokens[start..], dialect).map(|statement| Command::Explain(mode, Box::new(statement)))
        }
        "show" if keyword(1) == "layout" => {
            let Some(first) = words.get(2) else {
                return Err(Error::sql("SHOW LAYOUT of which table?").at_span(tokens[0].span));
            };
            let start = tokens.iter().position(|token| token.span == first.span).unwrap_or(0);
            let mut parser = parser(&tokens[start..], dialect);
            let name = parser.parse_object_name(false).map_err(|error| locate(error, tokens))?;
            at_end(&parser)?;
            Ok(Command::ShowLayout(name))
        }
        "copy" | "insert" if copy::is_copy(tokens) => {
            copy::parse(tokens, &|tokens| query(tokens, dialect)).map(|copy| Command::Copy(Box::new(copy)))
        }
        "create" | "drop" | "use" | "alter" | "truncate" | "msck" | "show" | "describe" | "desc" | "insert" | "from" | "load"
        | "analyze" => {
            if let Some(ddl) = ddl::parse(tokens, source, &|tokens| query(tokens, dialect))? {
                return Ok(Command::Ddl(Box::new(ddl)));
            }
            if !tokens.iter().any(|token| is_word(token, "clustered")) {
                return statement(tokens, dialect).map(|statement| Command::Statement(Box::new(statement)));
            }
            // The parser knows CLUSTERED BY in Hive's CREATE TABLE only, and not after EXTERNAL; a
            // table with a LOCATION is external in any case.
            let dialect = SkepDialect { hive_clauses: true, ..*dialect };
            let external = words.iter().find(|token| is_word(token, "external")).map(|token| token.span);
            let plain: Vec<TokenWithSpan> = tokens.iter().filter(|token| Some(token.span) != external).cloned().collect();
            statement(&plain, &dialect).map(|statement| Command::Statement(Box::new(statement)))
        }
        _ => statement(tokens, dialect).map(|statement| Command::Statement(Box::new(statement))),
    }
}

/// A query inside of a statement.
fn query(tokens: &[TokenWithSpan], dialect: &SkepDialect) -> Result<Box<Query>> {
    let span = tokens.first().map_or(Span::empty(), |token| token.span);
    if tokens.is_empty() {
        return Err(Error::sql("a query is missing at the end of the statement"));
    }
    match statement(tokens, dialect)? {
        Statement::Query(query) => Ok(query),
        _ => Err(Error::sql("expected a query").at_span(span)),
    }
}

fn is_word(token: &TokenWithSpan, wanted: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value == wanted)
}

/// `name = value`, `name value-less`, or nothing.
fn set(rest: &str) -> Command {
    let unquote = |text: &str| {
        let text = text.trim();
        let quoted = text.len() >= 2 && ['\'', '"'].iter().any(|quote| text.starts_with(*quote) && text.ends_with(*quote));
        if quoted { text[1..text.len() - 1].to_owned() } else { text.to_owned() }
    };
    match rest.split_once('=') {
        Some((name, value)) => Command::Set { name: Some(name.trim().trim_matches('`').to_owned()), value: Some(unquote(value)) },
        None if rest.is_empty() || rest == "-v" => Command::Set { name: None, value: None },
        None => Command::Set { name: Some(rest.trim_matches('`').to_owned()), value: None },
    }
}

/// One statement by the borrowed parser. Chains of AND and OR come back as balanced trees, so that
/// no later step and no destructor recurses as deep as they are long.
fn statement(tokens: &[TokenWithSpan], dialect: &SkepDialect) -> Result<Statement> {
    let mut parser = parser(tokens, dialect);
    let mut statement = parser.parse_statement().map_err(|error| locate(error, tokens))?;
    at_end(&parser)?;
    let _ = walk_statement_mut(&mut statement, &mut Balance);
    Ok(statement)
}

fn parser<'a>(tokens: &[TokenWithSpan], dialect: &'a SkepDialect) -> Parser<'a> {
    Parser::new(dialect).with_recursion_limit(limits::NESTING * 8).with_tokens_with_locations(asof::mark(tokens))
}

fn at_end(parser: &Parser) -> Result<()> {
    let next = parser.peek_token();
    if next.token != Token::EOF {
        return Err(Error::sql(format!("unexpected '{}' after the end of the statement", next.token)).at_span(next.span));
    }
    Ok(())
}

fn locate(error: ParserError, tokens: &[TokenWithSpan]) -> Error {
    let first = tokens.first().map_or(Location::empty(), |token| token.span.start);
    let last = tokens.last().map_or(Location::empty(), |token| token.span.end);
    match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => located(&message, last),
        ParserError::RecursionLimitExceeded => Error::unsupported("a statement nested this deep").at(first.line, first.column),
    }
}

/// Balances from the top, so that what it descends into is shallow already.
struct Balance;

impl VisitorMut for Balance {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        balance(expr);
        ControlFlow::Continue(())
    }
}

/// The parser's message with its trailing ` at Line: 1, Column: 2` made a position.
fn located(message: &str, end: Location) -> Error {
    if let Some((what, place)) = message.rsplit_once(" at Line: ")
        && let Some((line, column)) = place.split_once(", Column: ")
        && let (Ok(line), Ok(column)) = (line.trim().parse(), column.trim().parse())
    {
        return Error::sql(syntax(what)).at(line, column);
    }
    // What the parser expected after the last token.
    Error::sql(syntax(message)).at(end.line, end.column)
}

fn syntax(message: &str) -> String {
    let message = message.trim_end_matches(|c: char| c.is_whitespace() || c == '.');
    match message.strip_prefix("Expected: ") {
        Some(rest) => {
            format!("syntax error: expected {}", rest.replace(", found: ", ", found ").replace("found EOF", "found the end"))
        }
        None => format!("syntax error: {message}"),
    }
}

/// Rebuilds a long left-deep chain of one of AND and OR as a balanced tree; both are associative.
fn balance(expr: &mut Expr) {
    // Guessed: shorter chains cost nothing as they are, and plans of them read as written.
    const LONG: usize = 64;
    let Expr::BinaryOp { op: chain_op @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else { return };
    let chain_op = chain_op.clone();
    let mut depth = 0;
    let mut node = &*expr;
    while let Expr::BinaryOp { left, op, .. } = node
        && *op == chain_op
    {
        (depth, node) = (depth + 1, left);
    }
    if depth < LONG {
        return;
    }
    let mut terms = Vec::with_capacity(depth + 1);
    let placeholder = || Expr::Identifier(sqlparser::ast::Ident::new(""));
    let mut rest = std::mem::replace(expr, placeholder());
    loop {
        match rest {
            Expr::BinaryOp { left, op, right } if op == chain_op => {
                terms.push(*right);
                rest = *left;
            }
            last => {
                terms.push(last);
                break;
            }
        }
    }
    terms.reverse();
    while terms.len() > 1 {
        let mut halved = Vec::with_capacity(terms.len().div_ceil(2));
        let mut pending = terms.into_iter();
        while let Some(left) = pending.next() {
            halved.push(match pending.next() {
                Some(right) => Expr::BinaryOp { left: Box::new(left), op: chain_op.clone(), right: Box::new(right) },
                None => left,
            });
        }
        terms = halved;
    }
    if let Some(balanced) = terms.pop() {
        *expr = balanced;
    }
}
