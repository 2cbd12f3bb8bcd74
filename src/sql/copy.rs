//! Statements that write a query's rows to files: `COPY ... TO` and `INSERT OVERWRITE DIRECTORY`.
//!
//! ```text
//!   COPY (query) | table TO 'path' [(FORMAT parquet, COMPRESSION zstd, PARTITION BY (a, b),
//!                                    CLUSTER BY (c) INTO 8 BUCKETS, SORT BY (d DESC), ...)]
//!   INSERT OVERWRITE [LOCAL] DIRECTORY ['path'] [ROW FORMAT DELIMITED ...] [USING f | STORED AS f]
//!                                      [OPTIONS (key 'value', ...)] query
//! ```
//!
//! Read here from the tokens, as the borrowed parser knows other options.

use super::cursor::Cursor;
use super::ddl::ParseQuery;
use super::source::At;
use crate::config;
use crate::error::{Error, Result};
use crate::format::FormatOptions;
use crate::format::parquet::Compression;
use crate::format::registry::{format_named, format_of_name};
use crate::format::style::{DelimitedStyle, OutputStyle};
use crate::layout::bucket::{BucketDeclaration, BucketHash};
use crate::output::OutputOptions;
use sqlparser::ast::Query;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};
use std::collections::BTreeMap;
use std::path::Path;

/// A statement that writes files, as it is written.
#[derive(Debug, Clone)]
pub struct CopyStatement {
    /// What to write.
    pub query: Box<Query>,
    path: String,
    format: Option<(String, Span)>,
    options: Vec<CopyOption>,
    partition_by: Vec<(String, Span)>,
    buckets: Option<BucketDeclaration>,
    sort_by: Vec<(String, bool)>,
    /// What `ROW FORMAT DELIMITED` says.
    row_format: Option<BTreeMap<String, String>>,
    /// `INSERT OVERWRITE DIRECTORY`: replaces, always writes a directory, has Spark's defaults.
    directory: bool,
    span: Span,
}

#[derive(Debug, Clone)]
struct CopyOption {
    name: String,
    /// None: the name alone.
    value: Option<String>,
    span: Span,
}

/// Where and how to write.
#[derive(Debug, Clone)]
pub struct CopyTarget {
    /// A file or directory.
    pub path: String,
    /// How.
    pub options: OutputOptions,
    /// Columns that become directories, in lower case, the outermost first.
    pub partition_by: Vec<String>,
    /// `CLUSTER BY (...) INTO n BUCKETS` and `SORT BY (...)`.
    pub buckets: Option<BucketDeclaration>,
    /// The order within files: names in lower case, and whether descending.
    pub sort_by: Vec<(String, bool)>,
    /// The hash of buckets.
    pub bucket_hash: BucketHash,
    /// Whether what is there is replaced; else it is an error.
    pub overwrite: bool,
    /// Whether one file is written instead of a directory of them.
    pub single: bool,
}

/// Whether the tokens are of such a statement.
pub(super) fn is_copy(tokens: &[TokenWithSpan]) -> bool {
    let words: Vec<&str> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .take(4)
        .map(|token| if let Token::Word(word) = &token.token { word.value.as_str() } else { "" })
        .collect();
    matches!(
        words.as_slice(),
        ["copy", ..] | ["insert", "overwrite", "directory", ..] | ["insert", "overwrite", "local", "directory"]
    )
}

/// Reads the statement; `query` parses the tokens of a query.
pub(super) fn parse(tokens: &[TokenWithSpan], query: ParseQuery) -> Result<CopyStatement> {
    let mut cursor = Cursor::new(tokens);
    if cursor.word("copy") { cursor.copy(query) } else { cursor.directory(query) }
}

impl Cursor<'_> {
    fn copy(mut self, query: ParseQuery) -> Result<CopyStatement> {
        let span = self.span();
        let rows = if self.peek() == Some(&Token::LParen) {
            let (start, end) = self.parentheses()?;
            query(&self.tokens[start..end])?
        } else {
            let select = |text: &str| {
                let word = Token::make_word(text, None);
                TokenWithSpan { token: if text == "*" { Token::Mul } else { word }, span }
            };
            let mut table: Vec<TokenWithSpan> = ["select", "*", "from"].into_iter().map(select).collect();
            while self.peek().is_some() && !self.peek_word("to") {
                self.skip_blanks();
                table.push(self.tokens[self.at].clone());
                self.at += 1;
            }
            query(&table)?
        };
        if !self.word("to") {
            return Err(self.expected("TO"));
        }
        let path = self.string()?;
        let mut statement = CopyStatement {
            query: rows,
            path,
            format: None,
            options: Vec::new(),
            partition_by: Vec::new(),
            buckets: None,
            sort_by: Vec::new(),
            row_format: None,
            directory: false,
            span,
        };
        self.word("with");
        if self.punctuation(&Token::LParen) {
            loop {
                self.copy_option(&mut statement)?;
                if !self.punctuation(&Token::Comma) {
                    break;
                }
            }
            if !self.punctuation(&Token::RParen) {
                return Err(self.expected(", or )"));
            }
        }
        match self.peek() {
            None => Ok(statement),
            Some(_) => Err(self.expected("the end")),
        }
    }

    fn copy_option(&mut self, statement: &mut CopyStatement) -> Result<()> {
        let span = self.span();
        let Some(mut name) = self.any_word() else { return Err(self.expected("an option")) };
        if matches!(name.as_str(), "cluster" | "clustered") && self.word("by") {
            let columns = self.list(|cursor| cursor.name("a column"))?;
            statement.buckets = Some(BucketDeclaration { columns, count: self.bucket_count()?, sorted_by: Vec::new() });
            return Ok(());
        }
        if matches!(name.as_str(), "sort" | "sorted") && self.word("by") {
            statement.sort_by = self.sorted_columns()?;
            return Ok(());
        }
        if name == "partition" && self.word("by") {
            name = "partition_by".to_owned();
        }
        if name == "partition_by" {
            if !self.punctuation(&Token::LParen) {
                let column = self.span();
                let name = self.any_word().ok_or_else(|| self.expected("a column"))?;
                statement.partition_by.push((name, column));
                return Ok(());
            }
            loop {
                let column = self.span();
                let name = self.any_word().ok_or_else(|| self.expected("a column"))?;
                statement.partition_by.push((name, column));
                if !self.punctuation(&Token::Comma) {
                    break;
                }
            }
            return if self.punctuation(&Token::RParen) { Ok(()) } else { Err(self.expected(", or )")) };
        }
        let value = self.value();
        if name == "format" {
            let Some(value) = value else { return Err(self.expected("a format")) };
            statement.format = Some((value, span));
        } else {
            statement.options.push(CopyOption { name, value, span });
        }
        Ok(())
    }

    fn directory(mut self, query: ParseQuery) -> Result<CopyStatement> {
        let span = self.span();
        for word in ["insert", "overwrite", "local", "directory"] {
            self.word(word);
        }
        let mut path = if matches!(self.peek(), Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))) {
            Some(self.string()?)
        } else {
            None
        };
        let row_format = self.directory_rows()?;
        let mut format = None;
        if self.word("using") || (self.word("stored") && self.word("as")) {
            let place = self.span();
            format = Some((self.any_word().ok_or_else(|| self.expected("a format"))?, place));
        }
        let mut options = Vec::new();
        if self.word("options") {
            if !self.punctuation(&Token::LParen) {
                return Err(self.expected("("));
            }
            loop {
                let span = self.span();
                let name = match self.value() {
                    Some(name) => name.to_lowercase(),
                    None => return Err(self.expected("an option")),
                };
                let value = self.value();
                if name == "path" {
                    path = value;
                } else {
                    options.push(CopyOption { name, value, span });
                }
                if !self.punctuation(&Token::Comma) {
                    break;
                }
            }
            if !self.punctuation(&Token::RParen) {
                return Err(self.expected(", or )"));
            }
        }
        let Some(path) = path else { return Err(Error::sql("INSERT OVERWRITE DIRECTORY needs a path").at_span(span)) };
        // Hive's default.
        let (format, place) = format.unwrap_or_else(|| ("textfile".to_owned(), span));
        if row_format.is_some() && format != "textfile" {
            let error = Error::unsupported(format!("ROW FORMAT for files of the format {}", format.to_uppercase()));
            return Err(error.at_span(place));
        }
        self.skip_blanks();
        let query = query(&self.tokens[self.at..])?;
        Ok(CopyStatement {
            query,
            path,
            format: Some((format, place)),
            options,
            partition_by: Vec::new(),
            buckets: None,
            sort_by: Vec::new(),
            row_format,
            directory: true,
            span,
        })
    }
}

/// Endings of paths that name one file.
const FILE_ENDINGS: [&str; 12] = [
    ".parquet",
    ".csv",
    ".json",
    ".ndjson",
    ".jsonl",
    ".csv.gz",
    ".json.gz",
    ".csv.zst",
    ".json.zst",
    ".avro",
    ".arrow",
    ".feather",
];

impl CopyStatement {
    /// What the words mean.
    ///
    /// # Errors
    /// Options that do not exist, or that the format does not have.
    pub(super) fn target(&self) -> Result<CopyTarget> {
        let lower = self.path.to_lowercase();
        let ending = FILE_ENDINGS.iter().find(|ending| lower.ends_with(*ending));
        let options = match (&self.format, &self.row_format) {
            (Some((_, span)), Some(row_format)) => {
                let style = format_named("textfile").map(|format| format.style(&mut FormatOptions::new(row_format)));
                OutputOptions::new(
                    style.unwrap_or_else(|| Err(Error::internal("no textfile"))).map_err(|error| error.at_span(*span))?,
                )
            }
            (Some((name, span)), None) => OutputOptions::named(name).map_err(|error| error.at_span(*span))?,
            (None, _) => {
                let format = ending.and_then(|_| format_of_name(Path::new(&lower)));
                OutputOptions::named(format.and_then(|format| format.names().first().copied()).unwrap_or("parquet"))?
            }
        };
        if self.path.is_empty() || self.path.contains('\0') {
            return Err(Error::sql(format!("'{}' is not a path", self.path.escape_default())).at_span(self.span));
        }
        let mut target = CopyTarget {
            path: self.path.strip_prefix("file://").unwrap_or(&self.path).to_owned(),
            options,
            partition_by: self.partition_by.iter().map(|(name, _)| name.clone()).collect(),
            buckets: self.buckets.clone(),
            sort_by: self.sort_by.clone(),
            bucket_hash: BucketHash::Spark,
            overwrite: self.directory,
            single: ending.is_some() && self.partition_by.is_empty() && self.buckets.is_none() && !self.directory,
        };
        if let OutputStyle::Delimited(style) = &mut target.options.style
            && self.directory
        {
            style.header = false;
        }
        match ending {
            Some(ending) if ending.ends_with(".gz") => target.options.compression = Compression::Gzip(None),
            Some(ending) if ending.ends_with(".zst") => target.options.compression = Compression::Zstd(None),
            _ => {}
        }
        let (mut codec, mut level) = (None, None);
        for option in &self.options {
            let applied = match option.name.as_str() {
                "compression" | "codec" => option.text().map(|name| codec = Some(name)),
                "compression_level" => option.number(-1 << 20).map(|number| level = Some(number)),
                _ => option.apply(&mut target),
            };
            applied.map_err(|error| error.at_span(option.span))?;
        }
        if let Some(codec) = codec {
            target.options.compress(&codec, level).map_err(|error| error.at_span(self.span))?;
        } else if level.is_some() {
            return Err(Error::config("COMPRESSION_LEVEL needs COMPRESSION").at_span(self.span));
        }
        if target.single && target.options.file_bytes.is_some() {
            return Err(Error::config("FILE_SIZE_BYTES splits a directory's files: the path names one file").at_span(self.span));
        }
        if self.buckets.is_some() && target.options.style != OutputStyle::Parquet {
            return Err(Error::unsupported("CLUSTER BY in a format other than PARQUET").at_span(self.span));
        }
        target.options.extension().map_err(|error| error.at_span(self.span))?;
        Ok(target)
    }
}

impl CopyOption {
    fn apply(&self, target: &mut CopyTarget) -> Result<()> {
        let options = &mut target.options;
        let is_parquet = options.style == OutputStyle::Parquet;
        let parquet = || if is_parquet { Ok(()) } else { Err(self.is_of("PARQUET")) };
        match self.name.as_str() {
            "row_group_size" | "row_group_rows" => {
                parquet()?;
                options.parquet.row_group_rows = usize::try_from(self.number(1)?).unwrap_or(usize::MAX);
            }
            "row_group_size_bytes" => {
                parquet()?;
                options.parquet.row_group_bytes = usize::try_from(config::bytes(&self.text()?)?.max(1)).unwrap_or(usize::MAX);
            }
            "dictionary" => {
                parquet()?;
                options.parquet.dictionary = self.boolean()?;
            }
            "statistics" => {
                parquet()?;
                options.parquet.statistics = self.boolean()?;
            }
            "file_size_bytes" | "file_size" => options.file_bytes = Some(config::bytes(&self.text()?)?.max(1)),
            "header" => self.csv(options)?.header = self.boolean()?,
            "delimiter" | "delim" | "sep" => {
                let text = self.text()?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) if !['"', '\n', '\r'].contains(&c) => self.csv(options)?.delimiter = c,
                    _ => return Err(Error::config(format!("'{text}' is not a delimiter: it takes one character"))),
                }
            }
            "null" | "nullstr" | "nullvalue" => self.csv(options)?.null = self.text()?,
            "bucketing_version" => {
                target.bucket_hash = match self.text()?.as_str() {
                    "1" => BucketHash::Hive1,
                    "2" => BucketHash::Hive2,
                    other => return Err(Error::config(format!("BUCKETING_VERSION takes 1 or 2, not '{other}'"))),
                };
            }
            "overwrite" => target.overwrite = self.boolean()?,
            name => return Err(Error::unsupported(format!("the option {}", name.to_uppercase()))),
        }
        Ok(())
    }

    fn csv<'a>(&self, options: &'a mut OutputOptions) -> Result<&'a mut DelimitedStyle> {
        match &mut options.style {
            OutputStyle::Delimited(style) if style.name == "csv" => Ok(style),
            _ => Err(self.is_of("CSV")),
        }
    }

    fn is_of(&self, format: &str) -> Error {
        Error::config(format!("{} is an option of {format}", self.name.to_uppercase()))
    }

    fn text(&self) -> Result<String> {
        self.value.clone().ok_or_else(|| Error::config(format!("{} needs a value", self.name.to_uppercase())))
    }

    fn number(&self, least: i64) -> Result<i64> {
        let text = self.text()?;
        let number = text.parse::<i64>().ok().filter(|number| *number >= least);
        number.ok_or_else(|| Error::config(format!("{} takes no '{text}'", self.name.to_uppercase())))
    }

    fn boolean(&self) -> Result<bool> {
        match self.value.as_deref().unwrap_or("true").to_lowercase().as_str() {
            "true" | "1" | "on" => Ok(true),
            "false" | "0" | "off" => Ok(false),
            other => Err(Error::config(format!("{}: '{other}' is neither true nor false", self.name.to_uppercase()))),
        }
    }
}
