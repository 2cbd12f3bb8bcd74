//! One output from its first file to its last: stage, commit, publish; and recovery of others'.

use super::journal::{JOURNAL, Journal, Move, StagedFile};
use super::sink::WrittenFile;
use super::staging::{STAGING, Staging, sweep};
use crate::disk::{DirectoryLock, Disk, Filesystem, absolute, parent};
use crate::error::{Error, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What Spark and Hadoop leave in an output that is complete.
const SUCCESS: &str = "_SUCCESS";

/// What becomes of the staged files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// The target must not exist.
    Create,
    /// All that was at the target is replaced; there may be nothing.
    Replace,
    /// Files are added to the target, which may exist.
    Append,
    /// These directories below the target, relative to it, are replaced by what was staged for them,
    /// be it nothing; others stay.
    ReplaceDirectories(Vec<PathBuf>),
    /// These directories below the target go.
    RemoveDirectories(Vec<PathBuf>),
    /// A directory below the target gets another name there, which nothing has.
    RenameDirectory {
        /// Its name, relative to the target.
        from: PathBuf,
        /// Its new name.
        to: PathBuf,
    },
}

/// An output in the making. Dropping it removes what was staged.
#[derive(Debug)]
pub struct Job {
    staging: Staging,
    target: PathBuf,
    /// From before the first file on, so that no error of writing is missed.
    filesystem: Box<dyn Filesystem>,
}

impl Job {
    /// Stages an output for `target`, a directory or file, below `root`, a directory above it on the
    /// same file system; without `root`, in the directory that holds the target. Missing ones are
    /// made. First finishes or removes what dead processes left there.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] when something cannot be made.
    pub fn begin(disk: &Disk, target: &Path, root: Option<&Path>) -> Result<Self> {
        let target = absolute(target)?;
        if target.parent().is_none() {
            return Err(Error::config("an output cannot replace the root directory"));
        }
        let root = match root {
            Some(root) => absolute(root)?,
            None => parent(&target).to_path_buf(),
        };
        if !target.starts_with(&root) || target == root {
            return Err(Error::config(format!("{} does not lie in {}", target.display(), root.display())));
        }
        disk.make_directories(parent(&target))?;
        recover(disk, &root)?;
        let staging = Staging::create(disk, &root)?;
        let filesystem = disk.filesystem(&staging.path())?;
        let job = Self { staging, target, filesystem };
        disk.make_directory(&job.staging.path().join("data"))?;
        Ok(job)
    }

    /// The directory to write into. For a target that is a file: the file goes into it, under the
    /// target's name.
    pub fn directory(&self) -> PathBuf {
        self.staging.path().join("data")
    }

    /// Names this output in names of files: a UUID.
    pub fn id(&self) -> &str {
        &self.staging.id
    }

    /// Where it will be published.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Publishes the files that were written below [`Job::directory`] and closed. With
    /// `marker`, `_SUCCESS` comes with them and lists them. `check` runs under the lock before
    /// anything is visible: an error there leaves all as it was.
    ///
    /// # Errors
    /// When it says that the output is committed, the next access to the target finishes it; else
    /// all is as it was.
    pub fn commit(
        self,
        files: &[WrittenFile],
        publication: Publication,
        marker: bool,
        check: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let (disk, root, data) = (self.staging.disk.clone(), self.staging.root.clone(), self.directory());
        if marker {
            disk.write_new(&data.join(SUCCESS), &success(files)?)?;
        }
        if let Publication::ReplaceDirectories(directories) = &publication {
            directories.iter().try_for_each(|directory| disk.make_path(&data.join(directory)))?;
        }
        if files.iter().all(|file| file.synced) {
            disk.sync_tree(&self.staging.path())?;
            disk.sync_directory(&root.join(STAGING))?;
            disk.sync_directory(&root)?;
        } else {
            self.filesystem.sync().map_err(|error| Error::io("sync the file system of", &data, error))?;
        }
        let lock = DirectoryLock::exclusive(parent(&self.target))?;
        check()?;
        let moves = self.moves(files, &publication, marker)?;
        let staged = files.iter().map(|file| StagedFile {
            path: self.relative(&data.join(&file.path)),
            bytes: file.bytes,
            crc32: file.crc32,
            rows: file.rows,
        });
        let staged = staged.collect();
        self.carry_out(moves, staged, lock)
    }

    /// Removes the target, whole: it goes into the staging folder by one rename, and then away.
    pub fn remove_target(self, check: impl FnOnce() -> Result<()>) -> Result<()> {
        let lock = DirectoryLock::exclusive(parent(&self.target))?;
        check()?;
        let moves = vec![Move::Remove { from: self.relative(&self.target), to: self.relative(&self.aside(0)) }];
        self.carry_out(moves, Vec::new(), lock)
    }

    /// Gives the target another name below the root, which nothing has.
    pub fn rename_target(self, to: &Path, check: impl FnOnce() -> Result<()>) -> Result<()> {
        let to = absolute(to)?;
        let lock = DirectoryLock::exclusive(parent(&self.target))?;
        check()?;
        refuse_existing(&to)?;
        let moves = vec![self.create(&self.target, &to)];
        self.carry_out(moves, Vec::new(), lock)
    }

    /// Commits to moves, and makes them.
    fn carry_out(self, moves: Vec<Move>, files: Vec<StagedFile>, lock: DirectoryLock) -> Result<()> {
        let (disk, root) = (self.staging.disk.clone(), self.staging.root.clone());
        let journal = Journal::new(self.id(), self.relative(parent(&self.target)), moves, files);
        if let Err(uncommitted) = journal.write(&disk, &root) {
            if !uncommitted.certain {
                self.staging.abandon();
            }
            return Err(uncommitted.error);
        }
        // From here on it is done: what fails now is finished by whoever comes next.
        let applied = journal.apply(&disk, &root).and_then(|()| journal.remove(&disk, &root));
        drop(lock);
        if let Err(error) = applied {
            self.staging.abandon();
            return Err(error.with_hint("the change is committed; the next access finishes what is left of it"));
        }
        Ok(())
    }

    fn moves(&self, files: &[WrittenFile], publication: &Publication, marker: bool) -> Result<Vec<Move>> {
        let data = self.directory();
        let is_file = files.iter().any(|file| file.path.as_os_str() == self.target.file_name().unwrap_or_default());
        let whole = if is_file { data.join(self.target.file_name().unwrap_or_default()) } else { data.clone() };
        let mut moves = match publication {
            Publication::Create => {
                refuse_existing(&self.target)?;
                return Ok(vec![self.create(&whole, &self.target)]);
            }
            Publication::Replace => return Ok(vec![self.over(&whole, &self.target, 0)?]),
            Publication::Append => {
                files.iter().try_for_each(|file| self.refuse_links(parent(&file.path)))?;
                // Names may be those of files that were copied, and so be taken meanwhile.
                files.iter().try_for_each(|file| refuse_existing(&self.target.join(&file.path)))?;
                files.iter().map(|file| self.create(&data.join(&file.path), &self.target.join(&file.path))).collect()
            }
            Publication::ReplaceDirectories(directories) => {
                directories.iter().try_for_each(|directory| self.refuse_links(directory))?;
                let over = |(number, directory): (usize, &PathBuf)| {
                    self.over(&data.join(directory), &self.target.join(directory), number)
                };
                directories.iter().enumerate().map(over).collect::<Result<_>>()?
            }
            Publication::RemoveDirectories(directories) => {
                directories.iter().try_for_each(|directory| self.refuse_links(directory))?;
                let remove = |(number, directory): (usize, &PathBuf)| Move::Remove {
                    from: self.relative(&self.target.join(directory)),
                    to: self.relative(&self.aside(number)),
                };
                directories.iter().enumerate().map(remove).collect()
            }
            Publication::RenameDirectory { from, to } => {
                self.refuse_links(from)?;
                self.refuse_links(parent(to))?;
                refuse_existing(&self.target.join(to))?;
                vec![self.create(&self.target.join(from), &self.target.join(to))]
            }
        };
        if marker {
            moves.push(Move::Replace { from: self.relative(&data.join(SUCCESS)), to: self.relative(&self.target.join(SUCCESS)) });
        }
        Ok(moves)
    }

    /// An error when a directory below the target is a link: files would be moved out of it.
    fn refuse_links(&self, directory: &Path) -> Result<()> {
        for below in directory.ancestors() {
            let path = self.target.join(below);
            if path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
                return Err(Error::unsupported("writing through a symbolic link in a table").in_file(path));
            }
        }
        Ok(())
    }

    fn create(&self, from: &Path, to: &Path) -> Move {
        Move::Create { from: self.relative(from), to: self.relative(to) }
    }

    /// A move that replaces what is there, if anything is.
    fn over(&self, from: &Path, to: &Path, number: usize) -> Result<Move> {
        if to.symlink_metadata().is_err() {
            return Ok(self.create(from, to));
        }
        let inode = from.symlink_metadata().map_err(|error| Error::io("open", from, error))?.ino();
        Ok(Move::Exchange { from: self.relative(from), to: self.relative(to), aside: self.relative(&self.aside(number)), inode })
    }

    fn aside(&self, number: usize) -> PathBuf {
        self.staging.path().join(format!("old-{number}"))
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.staging.root).unwrap_or(path).to_path_buf()
    }
}

fn refuse_existing(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::io("create", path, std::io::ErrorKind::AlreadyExists.into()));
    }
    Ok(())
}

/// Finishes the commits that dead processes left below `root` and removes what they had staged.
/// Does nothing, and asks for no rights, when there is nothing.
///
/// # Errors
/// [`crate::ErrorKind::Data`] for a damaged journal, [`crate::ErrorKind::Io`] when moves fail.
pub fn recover(disk: &Disk, root: &Path) -> Result<()> {
    let (journals, staging) = (root.join(JOURNAL), root.join(STAGING));
    if !journals.is_dir() && !staging.is_dir() {
        return Ok(());
    }
    for id in Journal::pending(disk, root)? {
        let Some(journal) = Journal::read(root, &id)? else { continue };
        let _lock = DirectoryLock::exclusive(&root.join(&journal.locked))?;
        // Its writer was alive, perhaps, and has finished.
        if Journal::read(root, &id)?.is_none() {
            continue;
        }
        journal.check_staged(root)?;
        journal.apply(disk, root)?;
        journal.remove(disk, root)?;
    }
    sweep(disk, root, |id| root.join(JOURNAL).join(format!("{id}.json")).exists())
}

/// Finishes commits that a reader of `path`, a file or directory, would see half of. For one whose
/// directory nobody has written into this is two looks at the file system.
///
/// # Errors
/// As [`recover`].
pub fn settle(disk: &Disk, path: &Path) -> Result<()> {
    // Tables of a warehouse lie in it or one below it.
    let above = path.ancestors().skip(1).take(2).map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    above.filter(|root| root.join(JOURNAL).is_dir()).try_for_each(|root| recover(disk, root))
}

/// What `_SUCCESS` says: the files, for those who want to check them.
fn success(files: &[WrittenFile]) -> Result<Vec<u8>> {
    let file = |file: &WrittenFile| {
        serde_json::json!({
            "path": file.path.to_string_lossy(),
            "bytes": file.bytes,
            "crc32": format!("{:08x}", file.crc32),
            "rows": file.rows,
        })
    };
    let content = serde_json::json!({ "version": 1, "files": files.iter().map(file).collect::<Vec<_>>() });
    let mut text = serde_json::to_vec_pretty(&content).map_err(|error| Error::internal(format!("_SUCCESS: {error}")))?;
    text.push(b'\n');
    Ok(text)
}
