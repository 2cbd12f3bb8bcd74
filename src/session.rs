//! START HERE: the life of a query, one call per step.
//!
//! ```text
//!   text ─ parse ─ guard ─ route ─┬─ bind ─ optimize ─ plan ─ run ─> ResultStream
//!                                 ├─ EXPLAIN: the same, shown as text
//!                                 ├─ COPY, INSERT, CREATE TABLE AS: the same, into files that appear whole
//!                                 └─ SET, SHOW, DESCRIBE, CREATE, ALTER, DROP: done at once
//! ```

mod analyze;
mod arrange;
#[cfg(test)]
mod arrange_tests;
mod ddl;
#[cfg(test)]
mod format_tests;
mod formats;
mod functions;
mod insert;
mod load;
mod multi;
mod output;
#[cfg(test)]
mod output_tests;
mod prepared;
mod script;
mod show;
mod target;
mod write;

use crate::catalog::{FileSpec, FileTable, Found};
use crate::config::{Config, JoinStrategy, Multiplicity};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::exec::{CancelFlag, PlanRef, QueryContext, spill::SpillDirectory};
use crate::join::Strategy;
use crate::sql::{self, Bound, ExplainMode, Parameters, Parsed, Request, ast};
use crate::stream::{CancelHandle, ResultStream, table_stream, text_stream};
use crate::{aggregate, explain, optimizer, planner};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_expr::LogicalPlan;
use parking_lot::Mutex;
pub use script::{ScriptOptions, ScriptStep, StepState};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// A conversation with an engine: settings of its own, the engine's tables.
#[derive(Clone)]
pub struct Session {
    engine: Engine,
    config: Arc<Mutex<Config>>,
    watch: Arc<Mutex<Option<Watch>>>,
    /// Functions made by this session.
    macros: Arc<Mutex<sql::Macros>>,
    /// Texts of prepared statements by name.
    statements: Arc<Mutex<BTreeMap<String, String>>>,
}

/// Called with the handle of a query that runs inside of a statement.
type Watch = Box<dyn Fn(CancelHandle) + Send>;

/// What one statement gave.
pub struct Outcome {
    /// Rows or a message.
    pub kind: OutcomeKind,
    /// The statement's own text.
    pub sql: String,
}

/// A query ready to run.
struct Planned {
    /// The optimized logical plan.
    logical: LogicalPlan,
    physical: PlanRef,
    /// Names and types that the caller sees.
    schema: SchemaRef,
    /// What the user should know.
    warnings: Vec<String>,
    /// Whether the same files give the same rows again.
    repeatable: bool,
}

/// See [`Outcome`].
pub enum OutcomeKind {
    /// A query is running; its rows come as they are ready.
    Rows(ResultStream),
    /// The statement is done; a line to show, or an empty one.
    Done(String),
}

impl Session {
    pub(crate) fn new(engine: Engine, config: Config) -> Self {
        let config = Arc::new(Mutex::new(config));
        Self { engine, config, watch: Arc::default(), statements: Arc::default(), macros: Arc::default() }
    }

    /// Runs the statements of `text`, one after another as the iterator is driven. A statement's
    /// rows need not be read to the end before the next one is asked for. After an error the
    /// iterator ends.
    pub fn execute<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Result<Outcome>> + 'a {
        let config = self.config();
        let (statements, failed) = match sql::parse(text, &config) {
            Ok(statements) => (statements, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        let mut ended = false;
        let run = statements.into_iter().map_while(move |statement| {
            if ended {
                return None;
            }
            let sql = statement.text.clone();
            let outcome = self.statement(statement, &Parameters::default(), text).map(|kind| Outcome { kind, sql });
            ended = outcome.is_err();
            Some(outcome)
        });
        failed.into_iter().chain(run)
    }

    /// Runs one query.
    ///
    /// # Errors
    /// Whatever the steps refuse, and [`crate::ErrorKind::Sql`] when `text` is not exactly one statement.
    pub fn query(&self, text: &str, parameters: &Parameters) -> Result<ResultStream> {
        let mut statements = sql::parse(text, &self.config())?;
        if statements.len() != 1 {
            return Err(Error::sql(format!("expected one statement, found {}", statements.len())));
        }
        match self.statement(statements.remove(0), parameters, text)? {
            OutcomeKind::Rows(stream) => Ok(stream),
            OutcomeKind::Done(_) => Ok(text_stream("result", Vec::new(), self.engine.scheduler())?),
        }
    }

    /// Lets `watch` know how to end queries that run inside of a statement, as those of COPY, which
    /// [`Session::execute`] gives no stream of.
    pub fn watch(&self, watch: impl Fn(CancelHandle) + Send + 'static) {
        *self.watch.lock() = Some(Box::new(watch));
    }

    /// Names of tables and views that need no database: the session's and those of the current one.
    pub fn table_names(&self) -> Vec<String> {
        self.engine.catalog().known_names(&self.config())
    }

    /// Changes a setting of this session.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let mut config = self.config.lock();
        config.set(name, value)?;
        self.engine.memory().set_limit(config.memory_limit_bytes);
        Ok(())
    }

    /// The value of a setting of this session, as SHOW prints it.
    pub fn setting(&self, name: &str) -> Result<String> {
        self.config().get(name)
    }

    fn config(&self) -> Config {
        self.config.lock().clone()
    }

    fn statement(&self, statement: Parsed, parameters: &Parameters, text: &str) -> Result<OutcomeKind> {
        self.statement_at(statement, parameters, text, 0)
    }

    /// Runs a statement inside of `depth` others.
    fn statement_at(&self, statement: Parsed, parameters: &Parameters, text: &str, depth: usize) -> Result<OutcomeKind> {
        let config = self.config();
        match sql::route(statement, text)? {
            Request::Query(query) => {
                let planned = self.plan(&query, parameters, text, &config)?;
                let stream = self.run(planned.physical, planned.schema, &config)?;
                Ok(OutcomeKind::Rows(stream.with_warnings(planned.warnings)))
            }
            Request::Explain { mode, query } => {
                let planned = self.plan(&query, parameters, text, &config)?;
                if mode == ExplainMode::Analyze {
                    for batch in self.run(planned.physical.clone(), planned.schema, &config)? {
                        batch?;
                    }
                }
                let mut physical = explain::tree(&planned.physical, mode == ExplainMode::Analyze);
                planned.warnings.iter().for_each(|warning| physical += &format!("\nwarning: {warning}"));
                self.lines(
                    "plan",
                    match mode {
                        ExplainMode::Extended => {
                            let logical = planned.logical.display_indent();
                            format!("== Optimized logical plan ==\n{logical}\n\n== Physical plan ==\n{physical}")
                        }
                        ExplainMode::Plan | ExplainMode::Formatted | ExplainMode::Analyze => physical,
                    },
                )
            }
            Request::Copy { query, target } => {
                let planned = self.plan(&query, parameters, text, &config)?;
                self.run_write(self.copy(planned, &target)?, &config)
            }
            Request::ExplainWrite { mode, write } => {
                let writes = self.writes(*write, parameters, text, &config)?;
                if writes.is_empty() {
                    return self.lines("plan", "nothing to do: what would be made is there".to_owned());
                }
                let warnings: Vec<String> = writes.iter().flat_map(|write| write.warnings.clone()).collect();
                let analyze = mode == ExplainMode::Analyze;
                let plan = if analyze { self.run_writes(writes, &config)?.1 } else { self.explain_writes(&writes)? };
                let mut text = explain::tree(&plan, analyze);
                warnings.iter().for_each(|warning| text += &format!("\nwarning: {warning}"));
                self.lines("plan", text)
            }
            Request::CreateExternalTable { name, location, declaration, if_not_exists, or_replace } => {
                if self.may_create("table", &name, if_not_exists, or_replace)? {
                    self.engine.register_declared(&config, &name, &location, declaration)?;
                }
                Ok(OutcomeKind::Done(format!("table {name} created")))
            }
            Request::Prepared(prepared) => self.prepared(prepared, &config, depth),
            Request::Ddl(ddl) => self.ddl(*ddl, parameters, text, &config),
            Request::Set { name, value } => {
                self.set(&name, &value)?;
                Ok(OutcomeKind::Done(String::new()))
            }
            Request::Reset { name } => {
                let defaults = self.engine.config();
                match name {
                    Some(name) => self.set(&name, &defaults.get(&name)?)?,
                    None => *self.config.lock() = defaults.clone(),
                }
                Ok(OutcomeKind::Done(String::new()))
            }
            Request::ShowSettings { name: Some(name) } => self.lines(&name, config.get(&name)?),
            Request::ShowSettings { name: None } => {
                let lines: Vec<String> = config.entries().map(|(setting, value)| format!("{} = {value}", setting.name)).collect();
                self.lines("setting", lines.join("\n"))
            }
            Request::ShowLayout { table, is_path } => {
                let catalog = self.engine.catalog();
                let found = if is_path {
                    Some(Found::Table(catalog.open(&config, &table)?))
                } else {
                    catalog.lookup(&config, None, &table)?
                };
                let Some(Found::Table(table)) = found else { return Err(Error::sql(format!("unknown table '{table}'"))) };
                let any: Arc<dyn Any + Send + Sync> = table.clone();
                let Ok(files) = Arc::downcast::<FileTable>(any) else {
                    return Err(Error::unsupported(format!(
                        "SHOW LAYOUT of {}, which is not made of Parquet files,",
                        table.describe()
                    )));
                };
                let facts = files.layout_facts().into_iter();
                let rows = facts.map(|fact| vec![fact.fact, fact.columns, fact.evidence.to_string(), fact.source]);
                let titles = ["fact", "columns", "evidence", "source"];
                Ok(OutcomeKind::Rows(table_stream(&titles, rows.collect(), self.engine.scheduler())?))
            }
            Request::DescribeFiles { path, format } => {
                let spec = FileSpec { format, guess: true, ..FileSpec::default() };
                let table = self.engine.catalog().open_as(&config, &path, &spec)?;
                self.describe_table(&*table)
            }
        }
    }

    /// What a statement would write; nothing when there is nothing to do.
    fn writes(&self, request: Request, parameters: &Parameters, text: &str, config: &Config) -> Result<Vec<write::Write>> {
        match request {
            Request::Copy { query, target } => {
                let planned = self.plan(&query, parameters, text, config)?;
                Ok(vec![self.copy(planned, &target)?])
            }
            Request::Ddl(ddl) => match *ddl {
                sql::Ddl::Insert(insert) => Ok(self.insert(&insert, parameters, text, config)?.into_iter().collect()),
                sql::Ddl::MultiInsert(multi) => self.multi_insert(&multi, parameters, text, config),
                sql::Ddl::CreateTable(create) => {
                    Ok(self.create_table_as(&create, parameters, text, config)?.into_iter().collect())
                }
                _ => Err(Error::internal("a statement that writes nothing")),
            },
            _ => Err(Error::internal("a statement that writes nothing")),
        }
    }

    /// Whether a table or view of this name is to be made; an error where the name is taken.
    fn may_create(&self, what: &str, name: &str, if_not_exists: bool, or_replace: bool) -> Result<bool> {
        if or_replace || !self.engine.catalog().contains(name) {
            return Ok(true);
        }
        if if_not_exists {
            return Ok(false);
        }
        Err(Error::sql(format!("there is a table or view '{name}' already"))
            .with_hint(format!("use CREATE OR REPLACE or IF NOT EXISTS, or drop the {what} first")))
    }

    /// Binds, optimizes and plans. The schema has the names and types that the caller sees.
    fn plan(&self, query: &ast::Query, parameters: &Parameters, text: &str, config: &Config) -> Result<Planned> {
        // One stack for all steps: a fresh one costs its pages again.
        sql::on_large_stack(|| {
            let bound = sql::bind(query, self.engine.catalog(), config, &self.functions(), parameters, text)?;
            let repeatable = script::is_repeatable(&bound.plan)?;
            let planned = self.physical(self.logical(bound, config)?, config)?;
            Ok(Planned { repeatable, ..planned })
        })
    }

    /// Optimizes.
    fn logical(&self, mut bound: Bound, config: &Config) -> Result<Bound> {
        // Statistics do not show a hot key; a hint does.
        let skewed = bound.hints.iter().any(|hint| hint.strategy == Strategy::SkewAware);
        let multiplicity = match config.multiplicity {
            Multiplicity::Auto if skewed => Multiplicity::Always,
            other => other,
        };
        let options = optimizer::OptimizeOptions { join_order: config.join_order, multiplicity, ..Default::default() };
        bound.plan = optimizer::optimize(bound.plan, &options)?;
        Ok(bound)
    }

    /// Plans what is optimized.
    fn physical(&self, bound: Bound, config: &Config) -> Result<Planned> {
        let logical = bound.plan;
        let options = planner::PlanOptions {
            strategy: match config.join_strategy {
                JoinStrategy::Auto => None,
                forced => Strategy::from_name(forced.name()),
            },
            aggregate: aggregate::Strategy::from_name(config.aggregate_strategy.name()),
            hints: planner::Hints::new(bound.hints, bound.warnings),
            memory_limit: config.memory_limit_bytes,
            threads: config.threads.min(self.engine.scheduler().threads()),
            recursion_levels_max: config.recursion_levels_max,
            work: Vec::new(),
        };
        let physical = sql::on_large_stack(|| planner::plan(&logical, &options))?;
        let fields = physical.schema().fields().iter().zip(&bound.names);
        // What the analysis believes about NULLs need not hold for what an outer query sees.
        let fields: Vec<_> = fields.map(|(field, name)| field.as_ref().clone().with_name(name).with_nullable(true)).collect();
        let warnings = options.hints.warnings();
        Ok(Planned { logical, physical, schema: Arc::new(Schema::new(fields)), warnings, repeatable: false })
    }

    fn run(&self, plan: PlanRef, schema: SchemaRef, config: &Config) -> Result<ResultStream> {
        let timeout = config.query_timeout.map(|timeout| Instant::now() + timeout);
        let query = Arc::new(QueryContext {
            threads: config.threads.min(self.engine.scheduler().threads()),
            chunk_rows: config.chunk_rows,
            memory: self.engine.memory().clone(),
            cancel: CancelFlag::with_deadline(timeout),
            spill: SpillDirectory::new(config.spill_directory.clone(), config.spill_limit_bytes),
            constant_hash: config.constant_hash,
            always_spill: config.always_spill,
        });
        ResultStream::start(&plan, schema, self.engine.scheduler(), query)
    }

    fn lines(&self, title: &str, text: String) -> Result<OutcomeKind> {
        let lines = text.lines().map(str::to_owned).collect();
        Ok(OutcomeKind::Rows(text_stream(title, lines, self.engine.scheduler())?))
    }
}

/// Whether `name` matches a LIKE pattern of `*` or `%` for any text.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pieces: Vec<&str> = pattern.split(['*', '%']).collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}
