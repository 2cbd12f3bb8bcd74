//! `skep run script.sql --resume`: finished steps of a script are not done twice.
//!
//! A statement that makes a whole table of the warehouse (CREATE TABLE AS, INSERT OVERWRITE without
//! PARTITION) writes into the table's description what it was made from: the statement, the settings
//! that answers depend on, and the files that were read. It is committed with the rows, by the same
//! rename, so it is there exactly when they are.
//!
//! ```text
//!   statement ─ same text, settings, input files, and the output's files as they were? ─ yes ─> skipped
//!                                                     │ no
//!                                                     └─> run; whoever reads the output runs again, too,
//!                                                         as its files are others now
//! ```
//!
//! Everything else is run each time: settings, views, DDL, queries, outputs to directories and single
//! partitions, and statements that call functions such as `rand()` or `current_date()`. INSERT INTO is
//! refused, as running it again would add its rows again.

use super::write::{Destination, InsertMode, Write};
use super::{OutcomeKind, Planned, Session};
use crate::catalog::{FileTable, MadeFrom, Table, TableHandle, fingerprint};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::explain;
use crate::output::Job;
use crate::sql::{self, CreateTable, Ddl, Parameters, Parsed, Request};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, LogicalPlan, Volatility};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings that change how a query runs and not what it answers.
const MACHINERY: [&str; 5] = ["skep.threads", "skep.memory", "skep.spill", "skep.execution", "skep.join"];

/// How a script is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScriptOptions {
    /// Finished steps are skipped.
    pub resume: bool,
    /// Nothing is run; what would be is told.
    pub dry_run: bool,
}

/// One statement of a script.
pub struct ScriptStep {
    /// Its text.
    pub sql: String,
    /// What became of it.
    pub state: StepState,
}

/// What became of a statement.
pub enum StepState {
    /// It ran.
    Ran(OutcomeKind),
    /// Its output is there, made by it from the same files.
    Skipped,
    /// It would run, by this plan; empty for what has none.
    WouldRun(String),
    /// It would be skipped.
    WouldSkip,
}

/// What there is of a CREATE TABLE AS.
enum Made {
    /// Nothing, or a table that something else made.
    Not,
    /// The table, from the same files.
    Same,
    /// The table, from files that were others then; the plan of its query.
    Again(PlanRef),
}

impl Session {
    /// Runs the statements of a script, one after another as the iterator is driven. After an error
    /// the iterator ends.
    pub fn run_script<'a>(&'a self, text: &'a str, options: ScriptOptions) -> impl Iterator<Item = Result<ScriptStep>> + 'a {
        let (statements, failed) = match sql::parse(text, &self.config()) {
            Ok(statements) => (statements, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        let mut ended = false;
        let steps = statements.into_iter().map_while(move |statement| {
            if ended {
                return None;
            }
            let sql = statement.text.clone();
            let step = self.step(statement, text, options).map(|state| ScriptStep { sql, state });
            ended = step.is_err();
            Some(step)
        });
        failed.into_iter().chain(steps)
    }

    fn step(&self, statement: Parsed, text: &str, options: ScriptOptions) -> Result<StepState> {
        let config = self.config();
        let (sql, span) = (statement.text.clone(), statement.span);
        let request = sql::route(statement.clone(), text)?;
        let is_write = match &request {
            Request::Copy { .. } => true,
            Request::Ddl(ddl) => match ddl.as_ref() {
                Ddl::Insert(insert) if options.resume && !insert.overwrite => {
                    let error =
                        Error::unsupported("INSERT INTO in a script to be resumed").at(span.start.line, span.start.column);
                    return Err(error.with_hint("INSERT OVERWRITE and CREATE TABLE AS can be run again"));
                }
                Ddl::Insert(_) | Ddl::MultiInsert(_) => true,
                Ddl::CreateTable(create) => create.query.is_some(),
                _ => false,
            },
            _ => false,
        };
        if !is_write {
            return self.plain_step(statement, text, request, options);
        }
        let parameters = Parameters::default();
        if let Request::Ddl(ddl) = &request
            && let Ddl::CreateTable(create) = ddl.as_ref()
            && options.resume
        {
            match self.made(create, &sql, text, &config)? {
                Made::Again(plan) if options.dry_run => return Ok(StepState::WouldRun(explain::tree(&plan, false))),
                Made::Again(_) => self.remove_made(create, &config)?,
                Made::Same if options.dry_run => return Ok(StepState::WouldSkip),
                Made::Same => return Ok(StepState::Skipped),
                Made::Not => {}
            }
        }
        let mut writes = self.writes(request, &parameters, text, &config)?;
        for write in &mut writes {
            write.made_from = write.inputs.take().map(|inputs| made_from(&sql, &config, inputs));
        }
        if writes.is_empty() {
            let nothing = || StepState::Ran(OutcomeKind::Done(String::new()));
            return Ok(if options.dry_run { StepState::WouldSkip } else { nothing() });
        }
        let finished = writes.iter().map(|write| self.is_finished(write, &config)).collect::<Result<Vec<_>>>()?;
        if options.resume && finished.iter().all(|finished| *finished) {
            return Ok(if options.dry_run { StepState::WouldSkip } else { StepState::Skipped });
        }
        if options.dry_run {
            return Ok(StepState::WouldRun(explain::tree(&self.explain_writes(&writes)?, false)));
        }
        let (lines, _) = self.run_writes(writes, &config)?;
        Ok(StepState::Ran(OutcomeKind::Done(lines.join("\n"))))
    }

    /// A statement that is no checkpoint. In a dry run only what ends with the session is done.
    fn plain_step(&self, statement: Parsed, text: &str, request: Request, options: ScriptOptions) -> Result<StepState> {
        if !options.dry_run {
            return self.statement(statement, &Parameters::default(), text).map(StepState::Ran);
        }
        let of_session = match &request {
            Request::Set { .. } | Request::Reset { .. } => true,
            Request::Ddl(ddl) => match ddl.as_ref() {
                Ddl::Use { .. } => true,
                Ddl::CreateView(view) => view.temporary,
                _ => false,
            },
            _ => false,
        };
        if of_session {
            self.statement(statement, &Parameters::default(), text)?;
        }
        let plan = match &request {
            Request::Query(query) => {
                let planned = self.plan(query, &Parameters::default(), text, &self.config())?;
                explain::tree(&planned.physical, false)
            }
            _ => String::new(),
        };
        Ok(StepState::WouldRun(plan))
    }

    /// What there is of a CREATE TABLE AS.
    fn made(&self, create: &CreateTable, sql: &str, text: &str, config: &Config) -> Result<Made> {
        let Some(target) = self.target(&create.name, config)? else { return Ok(Made::Not) };
        // What is not ours is not touched: CREATE TABLE says what is to be said.
        let (Some(made), Some(query)) = (&target.meta.made_from, &create.query) else { return Ok(Made::Not) };
        if made.statement != sql || self.files_fingerprint(&target, config)? != made.files {
            return Ok(Made::Not);
        }
        let planned = self.plan(query, &Parameters::default(), text, config)?;
        let now = planned.inputs()?.map(|inputs| made_from(sql, config, inputs));
        Ok(if now.is_some_and(|now| now.is_same(made)) { Made::Same } else { Made::Again(planned.physical) })
    }

    /// Removes a table that a step made from other files, to be made again.
    fn remove_made(&self, create: &CreateTable, config: &Config) -> Result<()> {
        let Some(target) = self.target(&create.name, config)? else { return Ok(()) };
        let job = Job::begin(self.engine.disk(), &target.path()?, Some(target.warehouse.root()))?;
        job.remove_target(|| target.check())
    }

    /// Whether a whole table is what the write would make of it.
    fn is_finished(&self, write: &Write, config: &Config) -> Result<bool> {
        let Destination::Table { target, mode: InsertMode::Whole } = &write.to else { return Ok(false) };
        let (Some(made), Some(now)) = (&target.meta.made_from, &write.made_from) else { return Ok(false) };
        Ok(now.is_same(made) && self.files_fingerprint(target, config)? == made.files)
    }
}

fn made_from(statement: &str, config: &Config, inputs: BTreeMap<String, String>) -> MadeFrom {
    let settings = config.entries().filter(|(setting, _)| !MACHINERY.iter().any(|prefix| setting.name.starts_with(prefix)));
    let settings = settings.map(|(setting, value)| (setting.name.to_owned(), value)).collect();
    MadeFrom { statement: statement.to_owned(), settings, inputs, files: String::new() }
}

impl Planned {
    /// The files it reads, in a few characters a table; none when its answer does not depend on files
    /// alone.
    pub(super) fn inputs(&self) -> Result<Option<BTreeMap<String, String>>> {
        if !self.repeatable {
            return Ok(None);
        }
        let mut inputs = BTreeMap::new();
        let mut known = true;
        self.logical.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let files = scan.source.downcast_ref::<TableHandle>().and_then(|handle| {
                    let any: Arc<dyn Any + Send + Sync> = handle.0.clone();
                    Arc::downcast::<FileTable>(any).ok()
                });
                match files {
                    Some(files) => drop(inputs.insert(files.describe(), fingerprint(&files))),
                    None => known = false,
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(known.then_some(inputs))
    }
}

/// Whether a plan gives the same rows of the same files every time. To be asked before optimizing,
/// which puts values for functions.
pub(super) fn is_repeatable(plan: &LogicalPlan) -> Result<bool> {
    let mut repeatable = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr {
                    repeatable &= call.func.signature().volatility == Volatility::Immutable;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(repeatable)
}
