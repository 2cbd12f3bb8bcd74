//! Statements that write: a query's plan is run into files, which are then published.

use super::arrange::{arranged, of_copy};
use super::{OutcomeKind, Planned, Session};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::output::{Arrangement, Job, OutputOptions, Publication, WriteNode, Writer, WrittenFile};
use crate::sql::CopyTarget;
use arrow::datatypes::{Schema, SchemaRef};
use std::path::Path;
use std::sync::Arc;

impl Session {
    /// COPY and INSERT OVERWRITE DIRECTORY.
    pub(super) fn copy(&self, planned: Planned, target: &CopyTarget, config: &Config) -> Result<OutcomeKind> {
        let path = Path::new(&target.path);
        check_target(path, target)?;
        let arrangement = of_copy(target, &planned.schema)?;
        let disk = self.engine.disk();
        let job = Job::begin(disk, path, None)?;
        let files = self.write(planned.physical, &planned.schema, &arrangement, &job, &target.options, target.single, config)?;
        let publication = if target.overwrite { Publication::Replace } else { Publication::Create };
        job.commit(&files, publication, !target.single, || Ok(()))?;
        Ok(OutcomeKind::Done(format!("{} written to {}", rows(&files), target.path)))
    }

    /// Runs `plan` into files of `job`, named and typed by `schema`, laid out as `arrangement` says.
    pub(super) fn write(
        &self,
        plan: PlanRef,
        schema: &SchemaRef,
        arrangement: &Arrangement,
        job: &Job,
        options: &OutputOptions,
        single: bool,
        config: &Config,
    ) -> Result<Vec<WrittenFile>> {
        let writer = Writer::new(self.engine.disk(), job, schema, arrangement, options, single)?;
        let plan = arranged(plan, schema, arrangement)?;
        let plan: PlanRef = Arc::new(WriteNode::new(plan, writer.clone(), job.target()));
        let stream = self.run(plan, Arc::new(Schema::empty()), config)?;
        if let Some(watch) = &*self.watch.lock() {
            watch(stream.cancel_handle());
        }
        for batch in stream {
            batch?;
        }
        Ok(writer.files())
    }
}

/// Rows of all files, in words.
pub(super) fn rows(files: &[WrittenFile]) -> String {
    match files.iter().map(|file| file.rows).sum() {
        1u64 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    }
}

/// Refuses to replace what is more than an output.
fn check_target(path: &Path, target: &CopyTarget) -> Result<()> {
    let Ok(metadata) = path.metadata() else { return Ok(()) };
    if !target.overwrite {
        let error = Error::io("create", path, std::io::ErrorKind::AlreadyExists.into());
        return Err(error.with_hint("the option OVERWRITE replaces it"));
    }
    if metadata.is_dir() == target.single {
        let (there, wanted) = if metadata.is_dir() { ("a directory", "a file") } else { ("a file", "a directory") };
        return Err(Error::config(format!("{} is {there}, the output would be {wanted}", path.display())));
    }
    let whole = path.canonicalize().map_err(|error| Error::io("open", path, error))?;
    if std::env::current_dir().is_ok_and(|current| current.starts_with(&whole)) && metadata.is_dir() {
        return Err(Error::config(format!("{} holds the current directory: it is not replaced", path.display())));
    }
    let marks = [".skep.json", ".skep-staging", ".skep-journal", ".git"];
    if let Some(mark) = marks.iter().find(|mark| whole.join(mark).exists()) {
        return Err(Error::config(format!("{} holds {mark}: it is more than an output and not replaced", path.display())));
    }
    Ok(())
}
