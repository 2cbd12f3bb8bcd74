//! The journal: a list of moves, written before the first of them is made.
//!
//! A commit is one file that appears by a rename. Its moves can be made again after any part of
//! them was made: each finds out from what is there whether it is done. So whoever comes next, in
//! this process or another, finishes what a dead one began.
//!
//! ```text
//!   write <id>.json.new, sync ─ rename to <id>.json, sync directory ─ moves ─ sync ─ remove <id>.json
//!                                        = the commit
//! ```

use crate::disk::{Disk, Rename, parent};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The folder of journals.
pub(super) const JOURNAL: &str = ".skep-journal";

/// Tries to put a file into the folder before it is removed again. Guessed.
const ATTEMPTS_MAX: usize = 100;

/// The version this code writes and reads.
const VERSION: u32 = 1;

/// One commit. All paths are below the root and relative to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Journal {
    version: u32,
    /// The place in the staging folder.
    pub(super) id: String,
    /// The directory that holds the target's: the one to lock.
    pub(super) locked: PathBuf,
    pub(super) moves: Vec<Move>,
    /// The files that the moves carry, as they were staged.
    pub(super) files: Vec<StagedFile>,
}

/// One move out of the staging folder.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", tag = "move")]
pub(super) enum Move {
    /// A directory or file to a name that nothing has.
    Create { from: PathBuf, to: PathBuf },
    /// A directory or file changes places with what is there, which `aside` may hold meanwhile.
    Exchange { from: PathBuf, to: PathBuf, aside: PathBuf, inode: u64 },
    /// A file to a name that a file may have.
    Replace { from: PathBuf, to: PathBuf },
    /// What is there goes into the staging folder, and with it.
    Remove { from: PathBuf, to: PathBuf },
}

/// A file as it was staged.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct StagedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) crc32: u32,
    pub(super) rows: u64,
}

impl Journal {
    pub(super) fn new(id: &str, locked: PathBuf, moves: Vec<Move>, files: Vec<StagedFile>) -> Self {
        Self { version: VERSION, id: id.to_owned(), locked, moves, files }
    }

    fn path(root: &Path, id: &str) -> PathBuf {
        root.join(JOURNAL).join(format!("{id}.json"))
    }

    /// Makes the commit. After an error nothing is committed, unless it says so.
    pub(super) fn write(&self, disk: &Disk, root: &Path) -> Result<(), Uncommitted> {
        let before = |error| Uncommitted { error, certain: true };
        let text = serde_json::to_vec_pretty(self).map_err(|error| before(Error::internal(format!("a journal: {error}"))))?;
        let folder = root.join(JOURNAL);
        let (path, fresh) = (Self::path(root, &self.id), folder.join(format!("{}.json.new", self.id)));
        for attempt in 1.. {
            disk.make_directories(&folder).map_err(before)?;
            match disk.write_new(&fresh, &text) {
                Ok(()) => break,
                // Whoever finished the last journal in it has removed the folder.
                Err(_) if !folder.exists() && attempt < ATTEMPTS_MAX => {}
                Err(error) => {
                    let _ = disk.remove_file(&fresh);
                    disk.remove_if_empty(&folder);
                    return Err(before(error));
                }
            }
        }
        if let Err(error) = disk.rename(&fresh, &path, Rename::NoReplace) {
            let _ = disk.remove_file(&fresh);
            disk.remove_if_empty(&folder);
            return Err(before(error));
        }
        if let Err(error) = disk.sync_directory(&folder) {
            // It is there but might not be after a power loss. Taken back, it certainly is not.
            let certain = disk.remove_file(&path).is_ok();
            disk.remove_if_empty(&folder);
            return Err(Uncommitted { error, certain });
        }
        Ok(())
    }

    /// Makes all moves that are not made yet, and makes them durable. The caller holds the lock.
    pub(super) fn apply(&self, disk: &Disk, root: &Path) -> Result<()> {
        let mut touched = BTreeSet::new();
        for step in &self.moves {
            let (from, to) = step.paths();
            let (from, to) = (root.join(from), root.join(to));
            let staged = from.symlink_metadata().ok();
            if !matches!(step, Move::Remove { .. }) {
                disk.make_directories(parent(&to))?;
            }
            match step {
                Move::Create { .. } if staged.is_some() => disk.rename(&from, &to, Rename::NoReplace)?,
                Move::Replace { .. } if staged.is_some() => disk.rename(&from, &to, Rename::Replace)?,
                Move::Remove { .. } if staged.is_some() => disk.rename(&from, &to, Rename::NoReplace)?,
                Move::Exchange { aside, inode, .. } => match to.symlink_metadata() {
                    Ok(there) if there.ino() == *inode => {}
                    Ok(_) => disk.exchange(&from, &to, &root.join(aside))?,
                    Err(error) if error.kind() == ErrorKind::NotFound => disk.rename(&from, &to, Rename::NoReplace)?,
                    Err(error) => return Err(Error::io("open", &to, error)),
                },
                Move::Create { .. } | Move::Replace { .. } | Move::Remove { .. } => {}
            }
            touched.insert(parent(&to).to_path_buf());
            touched.insert(parent(&from).to_path_buf());
        }
        touched.iter().filter(|directory| directory.is_dir()).try_for_each(|directory| disk.sync_directory(directory))
    }

    /// Forgets the commit, all of whose moves are made.
    pub(super) fn remove(&self, disk: &Disk, root: &Path) -> Result<()> {
        disk.remove_file(&Self::path(root, &self.id))?;
        let folder = root.join(JOURNAL);
        if disk.remove_if_empty(&folder) {
            return Ok(());
        }
        // Others' journals are in it, or were a moment ago.
        disk.sync_directory(&folder).or_else(|error| if folder.exists() { Err(error) } else { Ok(()) })
    }

    /// The journals below `root`. What a dead process left half written is removed.
    pub(super) fn pending(disk: &Disk, root: &Path) -> Result<Vec<String>> {
        let folder = root.join(JOURNAL);
        let failed = |error| Error::io("list", &folder, error);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if let Some(id) = name.strip_suffix(".json") {
                ids.push(id.to_owned());
            } else if let Some(id) = name.strip_suffix(".json.new")
                && super::staging::is_dead(root, id)
            {
                disk.remove_file(&folder.join(&name))?;
            }
        }
        if ids.is_empty() {
            disk.remove_if_empty(&folder);
        }
        ids.sort();
        Ok(ids)
    }

    /// Reads a journal; none when it was finished meanwhile.
    pub(super) fn read(root: &Path, id: &str) -> Result<Option<Self>> {
        let path = Self::path(root, id);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        let damaged = |what: String| Error::data(format!("the journal of an output is damaged: {what}")).in_file(&path);
        let journal: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if journal.version != VERSION {
            return Err(Error::unsupported(format!("a journal of version {}", journal.version)).in_file(&path));
        }
        let paths = journal.moves.iter().flat_map(|step| {
            let (from, to) = step.paths();
            let aside = if let Move::Exchange { aside, .. } = step { aside } else { from };
            [from, to, aside]
        });
        let paths = paths.chain(journal.files.iter().map(|file| &file.path)).chain([&journal.locked]);
        if journal.id != id || !paths.into_iter().all(|path| stays_below(path)) {
            return Err(damaged("it names files that are none of its own".to_owned()));
        }
        Ok(Some(journal))
    }

    /// An error when a file that is still staged is not as long as it was.
    pub(super) fn check_staged(&self, root: &Path) -> Result<()> {
        // What was exchanged already has the old files where the new ones were staged.
        let exchanged = |path: &Path| {
            self.moves.iter().any(|step| match step {
                Move::Exchange { from, to, inode, .. } => {
                    path.starts_with(from) && root.join(to).symlink_metadata().is_ok_and(|there| there.ino() == *inode)
                }
                _ => false,
            })
        };
        for file in self.files.iter().filter(|file| !exchanged(&file.path)) {
            let path = root.join(&file.path);
            if path.metadata().is_ok_and(|metadata| metadata.len() != file.bytes) {
                return Err(Error::data("a file of a committed output is not as long as it was written").in_file(path));
            }
        }
        Ok(())
    }
}

impl Move {
    fn paths(&self) -> (&PathBuf, &PathBuf) {
        match self {
            Self::Create { from, to }
            | Self::Exchange { from, to, .. }
            | Self::Replace { from, to }
            | Self::Remove { from, to } => (from, to),
        }
    }
}

/// Why a commit was not made.
#[derive(Debug)]
pub(super) struct Uncommitted {
    pub(super) error: Error,
    /// Whether it is certain that nobody will carry it out.
    pub(super) certain: bool,
}

fn stays_below(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_)))
}
