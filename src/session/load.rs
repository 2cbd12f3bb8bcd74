//! LOAD DATA: files that exist become files of a table, at once.
//!
//! They are copied into the staging folder, opened as the table would open them, and published like
//! the files of an INSERT; a source is removed (without LOCAL, where the statement moves) when the
//! table has the copy. A kill in between leaves both, never neither.

use super::ddl::{done, full_directory};
use super::target::Target;
use super::{OutcomeKind, Session};
use crate::catalog::{FileTable, types};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::output::{Job, Publication, WrittenFile};
use crate::sql::LoadData;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Bytes copied at one time.
const BLOCK_BYTES: usize = 1 << 20;

impl Session {
    pub(super) fn load(&self, load: &LoadData, config: &Config) -> Result<OutcomeKind> {
        let target = self.table_target(&load.table, config)?;
        if target.meta.buckets.is_some() {
            let error = Error::unsupported("LOAD DATA into a table with buckets");
            return Err(error.with_hint("INSERT puts rows into their buckets"));
        }
        let partitioned = !target.meta.partition_columns.is_empty();
        if partitioned && load.partition.is_empty() {
            return Err(Error::sql("LOAD DATA into a partitioned table needs PARTITION with all columns"));
        }
        let directory = if partitioned { full_directory(&target, &load.partition)? } else { PathBuf::new() };
        if !partitioned && !load.partition.is_empty() {
            return Err(Error::sql(format!("the table {} has no partitions", target.name())));
        }
        let sources = sources(&load.path)?;
        let disk = self.engine.disk();
        let job = target.job(self)?;
        let staged = job.directory().join(&directory);
        disk.make_path(&staged)?;
        let names = names(&sources, &target.location.join(&directory), load.overwrite);
        let mut files = Vec::with_capacity(sources.len());
        for (source, name) in sources.iter().zip(names) {
            files.push(self.copy_file(source, &job, directory.join(name))?);
        }
        count_rows(&target, &job, &mut files)?;
        let publication = match (load.overwrite, partitioned) {
            (false, _) => Publication::Append,
            (true, true) => Publication::ReplaceDirectories(vec![directory]),
            (true, false) => {
                target.stage_meta(self, &job, None)?;
                Publication::Replace
            }
        };
        job.commit(&files, publication, false, || target.check())?;
        if !load.local {
            sources.iter().try_for_each(|source| disk.remove_file(source))?;
        }
        done()
    }

    /// A durable copy below the output's directory.
    fn copy_file(&self, source: &Path, job: &Job, name: PathBuf) -> Result<WrittenFile> {
        let path = job.directory().join(&name);
        let mut input = std::fs::File::open(source).map_err(|error| Error::io("open", source, error))?;
        let mut output = self.engine.disk().create(&path)?;
        let mut block = vec![0; BLOCK_BYTES];
        let (mut crc, mut bytes) = (crc32fast::Hasher::new(), 0);
        loop {
            let read = input.read(&mut block).map_err(|error| Error::io("read", source, error))?;
            if read == 0 {
                break;
            }
            output.write_all(&block[..read]).map_err(|error| Error::io("write", &path, error))?;
            crc.update(&block[..read]);
            bytes += read as u64;
        }
        output.flush().and_then(|()| output.sync()).map_err(|error| Error::io("write", &path, error))?;
        Ok(WrittenFile { path: name, bytes, crc32: crc.finalize(), rows: 0, synced: true })
    }
}

/// The data files that a path names: itself, or those in the directory.
fn sources(path: &str) -> Result<Vec<PathBuf>> {
    let text = path.strip_prefix("file://").or(path.strip_prefix("file:")).unwrap_or(path);
    if text.is_empty() || text.contains('\0') {
        return Err(Error::sql(format!("'{}' is not a path", path.escape_default())));
    }
    let path = PathBuf::from(text);
    let metadata = path.metadata().map_err(|error| Error::io("open", &path, error))?;
    if metadata.is_file() {
        return Ok(vec![path]);
    }
    let failed = |error| Error::io("list", &path, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(['_', '.']) {
            continue;
        }
        if entry.path().is_dir() {
            let error = Error::unsupported("LOAD DATA of directories in a directory").in_file(entry.path());
            return Err(error.with_hint("load them one by one"));
        }
        found.push(entry.path());
    }
    found.sort();
    if found.is_empty() { Err(Error::data(format!("no data files in {}", path.display()))) } else { Ok(found) }
}

/// Names that no file of the table has: `a_copy_1.parquet` where there is an `a.parquet`, as Hive's.
fn names(sources: &[PathBuf], target: &Path, overwrite: bool) -> Vec<PathBuf> {
    let mut taken: BTreeSet<PathBuf> = BTreeSet::new();
    let mut names = Vec::with_capacity(sources.len());
    for source in sources {
        let own = PathBuf::from(source.file_name().unwrap_or_default());
        let (stem, end) = (own.file_stem().unwrap_or_default(), own.extension());
        let copy = |number: u32| match end {
            Some(end) => PathBuf::from(format!("{}_copy_{number}.{}", stem.to_string_lossy(), end.to_string_lossy())),
            None => PathBuf::from(format!("{}_copy_{number}", stem.to_string_lossy())),
        };
        let is_free = |name: &PathBuf, taken: &BTreeSet<PathBuf>| {
            !taken.contains(name) && (overwrite || target.join(name).symlink_metadata().is_err())
        };
        let mut name = own.clone();
        let mut number = 0;
        while !is_free(&name, &taken) {
            number += 1;
            name = copy(number);
        }
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

/// The rows of staged files, which must be such as the table reads.
fn count_rows(target: &Target, job: &Job, files: &mut [WrittenFile]) -> Result<()> {
    if target.meta.provider.as_deref().is_some_and(|provider| provider != "parquet") {
        return Ok(());
    }
    let (columns, partitions) = (types(target.meta.data_columns())?, types(target.meta.partitions())?);
    let table = FileTable::open_own(&job.directory(), &columns, &partitions, target.meta.declaration()?, None)?;
    for file in files {
        let path = job.directory().join(&file.path);
        let found = table.files().iter().find(|found| *found.path == *path);
        file.rows = found.map_or(0, |found| found.footer.total_rows() as u64);
    }
    Ok(())
}
