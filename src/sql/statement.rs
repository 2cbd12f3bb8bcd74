//! Which kind of request a statement is. What is none of ours is refused by its first words.

use super::copy::CopyTarget;
use super::ddl::Ddl;
use super::declaration::declaration;
use super::guard;
use super::parse::{Command, ExplainMode, Parsed};
use super::prepared::Prepared;
use super::source::At;
use crate::error::{Error, Result};
use crate::format::registry::format_named;
use crate::layout::Declaration;
use sqlparser::ast::*;

/// What a statement asks of the session.
#[derive(Debug, Clone)]
pub enum Request {
    /// Rows.
    Query(Box<Query>),
    /// The plan of a query.
    Explain {
        /// What to show of it.
        mode: ExplainMode,
        /// The query.
        query: Box<Query>,
    },
    /// The plan of a statement that writes: a COPY, an INSERT or a CREATE TABLE AS.
    ExplainWrite {
        /// What to show of it.
        mode: ExplainMode,
        /// The statement.
        write: Box<Request>,
    },
    /// Writes rows to files.
    Copy {
        /// The rows.
        query: Box<Query>,
        /// Where and how.
        target: Box<CopyTarget>,
    },
    /// Something about databases and tables of the warehouse.
    Ddl(Box<Ddl>),
    /// A statement that runs, keeps or forgets another.
    Prepared(Prepared),
    /// A name for files that exist.
    CreateExternalTable {
        /// Its name, in lower case.
        name: String,
        /// The directory, file or glob.
        location: String,
        /// What it says of how the rows lie.
        declaration: Declaration,
        /// Keep the table that has the name.
        if_not_exists: bool,
        /// Replace the table that has the name.
        or_replace: bool,
    },
    /// Changes a setting.
    Set {
        /// Its name as written.
        name: String,
        /// Its value.
        value: String,
    },
    /// Gives one setting, or all, the default again.
    Reset {
        /// Its name as written; None is all.
        name: Option<String>,
    },
    /// Lists one setting, or all, with values.
    ShowSettings {
        /// Its name as written; None is all.
        name: Option<String>,
    },
    /// Lists what is known of how a table's rows lie.
    ShowLayout {
        /// Its name in lower case, or the path of files.
        table: String,
        /// Whether `table` is a path.
        is_path: bool,
    },
    /// Lists the columns of files.
    DescribeFiles {
        /// Their path.
        path: String,
        /// Their format; none: as they tell.
        format: Option<String>,
    },
}

/// Tells what `parsed` asks for; `text` is the whole text that was given to [`super::parse()`].
/// Queries come back checked by [`guard::check`].
pub fn route(parsed: Parsed, text: &str) -> Result<Request> {
    super::on_large_stack(|| {
        let statement = match &parsed.command {
            Command::Set { name: None, .. } => return Ok(Request::ShowSettings { name: None }),
            Command::Set { name: Some(name), value: None } => return Ok(Request::ShowSettings { name: Some(name.clone()) }),
            Command::Set { name: Some(name), value: Some(value) } => {
                return Ok(Request::Set { name: name.clone(), value: value.clone() });
            }
            Command::Copy(_) | Command::Ddl(_) => return written(&parsed.command, text),
            Command::ExplainWrite(mode, command) => {
                if *mode == ExplainMode::Extended {
                    return Err(Error::unsupported("EXPLAIN EXTENDED of a statement that writes").at_span(parsed.span));
                }
                let write = written(command, text)?;
                let writes = match &write {
                    Request::Copy { .. } => true,
                    Request::Ddl(ddl) => match ddl.as_ref() {
                        Ddl::Insert(_) | Ddl::MultiInsert(_) => true,
                        Ddl::CreateTable(create) => create.query.is_some(),
                        _ => false,
                    },
                    _ => false,
                };
                if !writes {
                    return Err(Error::unsupported("EXPLAIN of what neither reads nor writes rows").at_span(parsed.span));
                }
                return Ok(Request::ExplainWrite { mode: *mode, write: Box::new(write) });
            }
            Command::Prepared(prepared) => return Ok(Request::Prepared(prepared.clone())),
            Command::Reset { name } => return Ok(Request::Reset { name: name.clone() }),
            Command::ShowLayout(name) => {
                let (table, is_path) = table_or_path(name)?;
                return Ok(Request::ShowLayout { table, is_path });
            }
            Command::Explain(mode, statement) => match statement.as_ref() {
                Statement::Query(query) => {
                    guard::check(query, text)?;
                    return Ok(Request::Explain { mode: *mode, query: query.clone() });
                }
                _ => return Err(Error::unsupported("EXPLAIN of anything but a query").at_span(parsed.span)),
            },
            Command::Statement(statement) => statement.as_ref(),
        };
        match statement {
            Statement::Query(query) => {
                guard::check(query, text)?;
                Ok(Request::Query(query.clone()))
            }
            Statement::CreateTable(create) => create_table(create, &parsed),
            Statement::ShowVariable { variable } => {
                let name: Vec<&str> = variable.iter().map(|ident| ident.value.as_str()).collect();
                let name = name.join(".");
                let all = name.is_empty() || name == "all" || name == "settings";
                Ok(Request::ShowSettings { name: (!all).then_some(name) })
            }
            Statement::ShowVariables { .. } => Ok(Request::ShowSettings { name: None }),
            Statement::ShowColumns { extended: _, full: _, show_options } => {
                let Some(ShowStatementIn { parent_name: Some(table), .. }) = &show_options.show_in else {
                    return Err(Error::sql("SHOW COLUMNS of which table?").at_span(parsed.span));
                };
                describe(table)
            }
            Statement::ExplainTable { describe_alias: _, hive_format: _, has_table_keyword: _, table_name } => {
                describe(table_name)
            }
            _ => Err(Error::unsupported(first_words(&parsed)).at_span(parsed.span)),
        }
    })
}

/// A statement that is read here, its queries checked.
fn written(command: &Command, text: &str) -> Result<Request> {
    match command {
        Command::Copy(copy) => {
            guard::check(&copy.query, text)?;
            Ok(Request::Copy { query: copy.query.clone(), target: Box::new(copy.target()?) })
        }
        Command::Ddl(ddl) => {
            let queries: Vec<&Query> = match ddl.as_ref() {
                Ddl::CreateTable(create) => create.query.as_deref().into_iter().collect(),
                Ddl::CreateView(create) => vec![create.query.as_ref()],
                Ddl::Insert(insert) => vec![insert.query.as_ref()],
                Ddl::CreateFunction(create) => vec![create.function.body.as_ref()],
                Ddl::MultiInsert(multi) => {
                    let own = multi.inserts.iter().map(|insert| insert.query.as_ref());
                    std::iter::once(multi.source.as_ref()).chain(own).collect()
                }
                _ => Vec::new(),
            };
            queries.into_iter().try_for_each(|query| guard::check(query, text))?;
            Ok(Request::Ddl(ddl.clone()))
        }
        _ => Err(Error::internal("a statement of another kind")),
    }
}

fn create_table(create: &CreateTable, parsed: &Parsed) -> Result<Request> {
    let refuse = |what: &str| Err(Error::unsupported(what).at_span(parsed.span));
    if create.query.is_some() {
        return refuse("CREATE TABLE AS SELECT");
    }
    if !create.external
        && create.location.is_none()
        && create.hive_formats.as_ref().is_none_or(|formats| formats.location.is_none())
    {
        return refuse("CREATE TABLE without LOCATION");
    }
    let formats = create.hive_formats.as_ref();
    let storage = formats.and_then(|formats| formats.storage.as_ref());
    let is_parquet = match storage {
        Some(HiveIOFormat::FileFormat { format }) => *format == FileFormat::PARQUET,
        Some(HiveIOFormat::Using { format }) => format.value == "parquet",
        Some(HiveIOFormat::IOF { .. }) => false,
        None => create.file_format == Some(FileFormat::PARQUET),
    };
    if !is_parquet {
        let error = Error::unsupported("CREATE TABLE of a format other than PARQUET").at_span(parsed.span);
        return Err(error.with_hint("write STORED AS PARQUET"));
    }
    // What says something about rows or types that the files would have to keep.
    if let Some(column) = create.columns.first() {
        let error = Error::unsupported("a column list in CREATE EXTERNAL TABLE").at_span(column.name.span);
        return Err(error.with_hint("the files know their columns: leave the list out"));
    }
    let partitioned = !matches!(create.hive_distribution, HiveDistributionStyle::NONE);
    let partitioned = partitioned || create.partition_by.is_some();
    for (given, what) in [
        (partitioned, "PARTITIONED BY or SKEWED BY in CREATE EXTERNAL TABLE (partitions are found in the directory)"),
        (create.cluster_by.is_some(), "CLUSTER BY in CREATE EXTERNAL TABLE"),
        (create.order_by.is_some(), "ORDER BY in CREATE TABLE"),
        (!create.constraints.is_empty(), "a constraint in CREATE TABLE"),
        (create.like.is_some() || create.clone.is_some(), "CREATE TABLE LIKE"),
        (create.comment.is_some(), "COMMENT in CREATE TABLE"),
        (create.transient || create.volatile || create.iceberg || create.dynamic || create.snapshot, "this kind of CREATE TABLE"),
        (formats.is_some_and(|formats| formats.row_format.is_some()), "ROW FORMAT"),
        (formats.is_some_and(|formats| formats.serde_properties.is_some()), "SERDEPROPERTIES"),
    ] {
        if given {
            return refuse(what);
        }
    }
    let location = create.location.clone().or_else(|| formats.and_then(|formats| formats.location.clone()));
    let Some(location) = location.filter(|location| !location.is_empty()) else {
        return Err(Error::sql("CREATE EXTERNAL TABLE needs a LOCATION").at_span(parsed.span));
    };
    Ok(Request::CreateExternalTable {
        name: simple_name(&create.name)?,
        location,
        declaration: declaration(create, parsed)?,
        if_not_exists: create.if_not_exists,
        or_replace: create.or_replace,
    })
}

/// A name without database, or with `default`.
fn simple_name(name: &ObjectName) -> Result<String> {
    let parts: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.as_str())).collect();
    match parts.as_slice() {
        [table] | ["default", table] if !table.is_empty() => Ok((*table).to_owned()),
        _ => Err(Error::unsupported(format!("the name {name}: there is one database only, which")).at_span(name.span())),
    }
}

/// Tables are described elsewhere; what comes here is a path.
fn describe(table: &ObjectName) -> Result<Request> {
    let first = table.0.first().and_then(|part| part.as_ident()).filter(|_| table.0.len() == 2);
    let format = first.map(|format| format.value.clone());
    match table_or_path(table)? {
        (path, true) => Ok(Request::DescribeFiles { path, format }),
        _ => Err(Error::sql(format!("'{table}' is neither a table nor a path")).at_span(table.span())),
    }
}

/// A table's name, or the path of files in quotes, and whether it is a path.
fn table_or_path(table: &ObjectName) -> Result<(String, bool)> {
    let parts: Vec<&Ident> = table.0.iter().filter_map(|part| part.as_ident()).collect();
    match parts.as_slice() {
        [path] if path.quote_style == Some('\'') => Ok((path.value.clone(), true)),
        [format, path] if format_named(&format.value).is_some() => Ok((path.value.clone(), true)),
        _ => Ok((simple_name(table)?, false)),
    }
}

/// The statement's first words, which name it.
fn first_words(parsed: &Parsed) -> String {
    let words = parsed.text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).take(2);
    words.map(str::to_ascii_uppercase).collect::<Vec<_>>().join(" ")
}
