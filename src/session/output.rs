//! COPY and INSERT OVERWRITE DIRECTORY: files of their own, beside no table.

use super::arrange::of_copy;
use super::write::{Destination, Write};
use super::{Planned, Session};
use crate::error::{Error, Result};
use crate::sql::CopyTarget;
use std::path::Path;

impl Session {
    /// The write of a COPY or an INSERT OVERWRITE DIRECTORY.
    pub(super) fn copy(&self, planned: Planned, target: &CopyTarget) -> Result<Write> {
        let path = Path::new(&target.path);
        check_target(path, target)?;
        let arrangement = of_copy(target, &planned.schema)?;
        let to = Destination::Path {
            path: path.to_path_buf(),
            shown: target.path.clone(),
            overwrite: target.overwrite,
            single: target.single,
        };
        Ok(Write {
            plan: planned.physical,
            schema: planned.schema,
            arrangement,
            options: target.options.clone(),
            to,
            warnings: planned.warnings,
            inputs: None,
            made_from: None,
        })
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
