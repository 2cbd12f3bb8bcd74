//! Statements that write, from their plan to their commit.
//!
//! ```text
//!   COPY, INSERT, CREATE TABLE AS ─ plan ─> Write ─┬─ EXPLAIN: its plan, nothing is touched
//!                                                  └─ begin (stage) ─ run ─ commit ─> a line for the user
//! ```
//!
//! Several writes of one statement (`FROM t INSERT ... INSERT ...`) run as one query and are then
//! committed one after the other: each is all or nothing, together they are not.

use super::arrange::arranged;
use super::target::Target;
use super::{OutcomeKind, Session};
use crate::catalog::{META, MadeFrom, TableMeta, fingerprint_of};
use crate::config::Config;
use crate::disk::parent;
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::operator::UnionNode;
use crate::output::{Arrangement, Job, OutputOptions, Publication, WriteNode, Writer, WrittenFile};
use arrow::datatypes::{Schema, SchemaRef};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A statement that writes, planned. Nothing is touched yet.
pub(super) struct Write {
    /// The rows, as they are to be written.
    pub(super) plan: PlanRef,
    /// Names and SQL types of the rows.
    pub(super) schema: SchemaRef,
    pub(super) arrangement: Arrangement,
    pub(super) options: OutputOptions,
    pub(super) to: Destination,
    pub(super) warnings: Vec<String>,
    /// The files that the rows come from; none where they do not depend on files alone.
    pub(super) inputs: Option<BTreeMap<String, String>>,
    /// What is written down of how a whole table was made.
    pub(super) made_from: Option<MadeFrom>,
}

/// What the files become.
pub(super) enum Destination {
    /// A directory or file of its own.
    Path { path: PathBuf, shown: String, overwrite: bool, single: bool },
    /// Rows of a table.
    Table { target: Box<Target>, mode: InsertMode },
    /// A new table of the warehouse; with a location the files lie there.
    NewTable { database: String, table: String, meta: Box<TableMeta> },
}

/// What becomes of the rows that a table has.
pub(super) enum InsertMode {
    /// They stay.
    Append,
    /// All go.
    Whole,
    /// Those below this directory go.
    Below(PathBuf),
    /// Those of the partitions that are written go.
    Written,
}

impl Write {
    /// Where it goes, for EXPLAIN.
    fn place(&self) -> PathBuf {
        match &self.to {
            Destination::Path { path, .. } => path.clone(),
            Destination::Table { target, .. } => target.location.clone(),
            Destination::NewTable { database, table, meta } => {
                meta.location.as_deref().map_or_else(|| PathBuf::from(format!("{database}.{table}")), PathBuf::from)
            }
        }
    }

    fn is_single(&self) -> bool {
        matches!(self.to, Destination::Path { single: true, .. })
    }

    /// The plan with its rows in the order that they are written in.
    fn rows(&self) -> Result<PlanRef> {
        arranged(self.plan.clone(), &self.schema, &self.arrangement)
    }
}

impl Session {
    /// The plan of some writes, which cannot be run.
    pub(super) fn explain_writes(&self, writes: &[Write]) -> Result<PlanRef> {
        let nodes = writes.iter().map(|write| {
            let node = WriteNode::described(write.rows()?, &write.schema, &write.arrangement, &write.place());
            Ok(Arc::new(node) as PlanRef)
        });
        side_by_side(nodes.collect::<Result<_>>()?)
    }

    /// Runs and commits some writes as one query; lines for the user, and the plan that ran.
    pub(super) fn run_writes(&self, writes: Vec<Write>, config: &Config) -> Result<(Vec<String>, PlanRef)> {
        let disk = self.engine.disk();
        let mut jobs = Vec::with_capacity(writes.len());
        let mut nodes: Vec<PlanRef> = Vec::with_capacity(writes.len());
        for write in &writes {
            let job = self.begin(write, config)?;
            let writer = Writer::new(disk, &job, &write.schema, &write.arrangement, &write.options, write.is_single())?;
            nodes.push(Arc::new(WriteNode::new(write.rows()?, writer.clone(), job.target())));
            jobs.push((job, writer));
        }
        let plan = side_by_side(nodes)?;
        let stream = self.run(plan.clone(), Arc::new(Schema::empty()), config)?;
        if let Some(watch) = &*self.watch.lock() {
            watch(stream.cancel_handle());
        }
        for batch in stream {
            batch?;
        }
        let done = jobs.into_iter().zip(&writes).map(|((job, writer), write)| self.commit(write, job, &writer.files(), config));
        Ok((done.collect::<Result<_>>()?, plan))
    }

    /// Runs one write.
    pub(super) fn run_write(&self, write: Write, config: &Config) -> Result<OutcomeKind> {
        let (mut lines, _) = self.run_writes(vec![write], config)?;
        Ok(OutcomeKind::Done(lines.pop().unwrap_or_default()))
    }

    /// The place for a write's files.
    fn begin(&self, write: &Write, config: &Config) -> Result<Job> {
        match &write.to {
            Destination::Path { path, .. } => Job::begin(self.engine.disk(), path, None),
            Destination::Table { target, .. } => target.job(self),
            Destination::NewTable { meta, .. } if meta.location.is_some() => {
                Job::begin(self.engine.disk(), Path::new(meta.location.as_deref().unwrap_or_default()), None)
            }
            Destination::NewTable { database, table, .. } => self.new_entry(database, table, config),
        }
    }

    fn commit(&self, write: &Write, job: Job, files: &[WrittenFile], config: &Config) -> Result<String> {
        match &write.to {
            Destination::Path { shown, overwrite, single, .. } => {
                let publication = if *overwrite { Publication::Replace } else { Publication::Create };
                job.commit(files, publication, !single, || Ok(()))?;
                Ok(format!("{} written to {shown}", rows(files)))
            }
            Destination::Table { target, mode } => {
                let line = format!("{} inserted into {}", rows(files), target.name());
                let publication = match mode {
                    InsertMode::Append if files.iter().all(|file| file.rows == 0) => return Ok(line),
                    InsertMode::Append => Publication::Append,
                    InsertMode::Whole => {
                        target.stage_meta(self, &job, made(write, &job, files))?;
                        Publication::Replace
                    }
                    InsertMode::Below(directory) => Publication::ReplaceDirectories(vec![directory.clone()]),
                    InsertMode::Written => {
                        let mut directories: Vec<PathBuf> = files.iter().map(|file| parent(&file.path).to_path_buf()).collect();
                        directories.sort();
                        directories.dedup();
                        Publication::ReplaceDirectories(directories)
                    }
                };
                job.commit(files, publication, true, || target.check())?;
                Ok(line)
            }
            Destination::NewTable { database, table, meta } => {
                let location = meta.location.as_deref().map(Path::new);
                if location.is_none() {
                    let meta = TableMeta { made_from: made(write, &job, files), ..TableMeta::clone(meta) };
                    self.engine.disk().write_new(&job.directory().join(META), &meta.to_json()?)?;
                }
                // An empty directory may be there: it is replaced.
                let publication = if location.is_some() { Publication::Replace } else { Publication::Create };
                job.commit(files, publication, true, || location.map_or(Ok(()), refuse_content))?;
                if let Some(location) = location {
                    let made = self.create_entry(database, table, meta, config);
                    if made.is_err() {
                        // Without the table the files are nobody's. What cannot be removed is left to the user.
                        let _ = Job::begin(self.engine.disk(), location, None).and_then(|job| job.remove_target(|| Ok(())));
                    }
                    made?;
                }
                Ok(format!("{} inserted into {database}.{table}", rows(files)))
            }
        }
    }
}

/// What is written down of how a table was made, with the files that it then has.
fn made(write: &Write, job: &Job, files: &[WrittenFile]) -> Option<MadeFrom> {
    let made = write.made_from.clone()?;
    let paths = files.iter().map(|file| job.directory().join(&file.path));
    Some(MadeFrom { files: fingerprint_of(&job.directory(), paths), ..made })
}

/// An error when a directory has anything in it: a new table's files take its place.
pub(super) fn refuse_content(location: &Path) -> Result<()> {
    let Ok(mut entries) = std::fs::read_dir(location) else {
        return match location.symlink_metadata() {
            Ok(_) => Err(Error::sql(format!("the LOCATION {} is no directory", location.display()))),
            Err(_) => Ok(()),
        };
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::sql(format!("the LOCATION {} is not empty", location.display()))
            .with_hint("CREATE TABLE ... LOCATION without a query makes a table of the files there")),
    }
}

fn side_by_side(mut nodes: Vec<PlanRef>) -> Result<PlanRef> {
    match (nodes.pop(), nodes.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            nodes.push(last);
            Ok(Arc::new(UnionNode::new(nodes, Arc::new(Schema::empty()))?))
        }
        (None, _) => Err(Error::internal("a statement that writes nothing")),
    }
}

/// Rows of all files, in words.
fn rows(files: &[WrittenFile]) -> String {
    match files.iter().map(|file| file.rows).sum() {
        1u64 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    }
}
