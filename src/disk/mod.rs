//! Changes to the file system, through one seam.
//!
//! Everything that must survive a crash is made of few operations: create, write, sync, make a
//! directory, rename, remove. They go through [`Operations`], so that tests can let the n-th of
//! them fail, or let the process "die" there, for every n; [`Disk`] is the handle that others use
//! and that says in its errors what was being done to which path.
//!
//! ```text
//!   output, catalog ──> Disk (paths in errors, trees) ──> Operations ─┬─> the system
//!                                                                     └─> faults (tests)
//! ```

#[cfg(test)]
pub(crate) mod faults;
mod lock;
mod system;

pub use lock::DirectoryLock;

use crate::error::{Error, Result};
use std::fmt::Debug;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a rename treats what has the new name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// Fails with [`ErrorKind::AlreadyExists`].
    NoReplace,
    /// A file takes the place of a file.
    Replace,
    /// The two change places. [`ErrorKind::Unsupported`] where the file system cannot.
    Exchange,
}

/// The operations on files that change something.
pub trait Operations: Debug + Send + Sync {
    /// A new file; [`ErrorKind::AlreadyExists`] when there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;
    /// A new directory below one that exists.
    fn make_directory(&self, path: &Path) -> io::Result<()>;
    /// Gives a file or directory another name on the same file system.
    fn rename(&self, from: &Path, to: &Path, mode: Rename) -> io::Result<()>;
    /// Removes a file, or a link.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// The file system that a directory is on, as it is from now on.
    fn filesystem(&self, path: &Path) -> io::Result<Box<dyn Filesystem>>;
}

/// A file system from some moment on.
pub trait Filesystem: Debug + Send + Sync {
    /// Makes all that is on it durable; an error when writing failed since that moment.
    fn sync(&self) -> io::Result<()>;
}

/// Whether [`Filesystem::sync`] works on this system.
pub const SYNCS_FILESYSTEMS: bool = cfg!(target_os = "linux");

/// A file being written.
pub trait NewFile: Write + Send {
    /// Makes what was written durable. After an error the file's content is unknown: never again.
    fn sync(&mut self) -> io::Result<()>;
}

/// A handle on [`Operations`]. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Disk(Arc<dyn Operations>);

impl Default for Disk {
    fn default() -> Self {
        Self(Arc::new(system::System))
    }
}

impl Disk {
    /// A handle on other operations than the system's.
    pub fn new(operations: Arc<dyn Operations>) -> Self {
        Self(operations)
    }

    /// A new file.
    pub fn create(&self, path: &Path) -> Result<Box<dyn NewFile>> {
        self.0.create(path).map_err(|error| Error::io("create", path, error))
    }

    /// A new file with this content, durable but for its name.
    pub fn write_new(&self, path: &Path, content: &[u8]) -> Result<()> {
        let mut file = self.create(path)?;
        let written = file.write_all(content).and_then(|()| file.sync());
        written.map_err(|error| Error::io("write", path, error))
    }

    /// Gives a file this content, at once and durably: readers see the old file or the new one.
    /// `temporary` is a free name in the same file system, best one that marks it as left over.
    pub fn replace(&self, path: &Path, temporary: &Path, content: &[u8]) -> Result<()> {
        let written = self.write_new(temporary, content).and_then(|()| self.rename(temporary, path, Rename::Replace));
        if written.is_err() {
            let _ = self.0.remove_file(temporary);
        }
        written?;
        self.sync_parent(path)
    }

    /// A new directory; whether there was none.
    pub fn make_directory(&self, path: &Path) -> Result<bool> {
        match self.0.make_directory(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(error) => Err(Error::io("make the directory", path, error)),
        }
    }

    /// The directory and those above it that are missing; the names of new ones are durable.
    pub fn make_directories(&self, path: &Path) -> Result<()> {
        let missing: Vec<&Path> = path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.is_dir()).collect();
        for directory in missing.into_iter().rev() {
            if self.make_directory(directory)? {
                self.sync_parent(directory)?;
            }
        }
        Ok(())
    }

    /// The same without making the names durable: [`Disk::sync_tree`] does that for all.
    pub fn make_path(&self, path: &Path) -> Result<()> {
        let missing: Vec<&Path> = path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.is_dir()).collect();
        missing.into_iter().rev().try_for_each(|directory| self.make_directory(directory).map(drop))
    }

    /// Renames; see [`Rename`].
    pub fn rename(&self, from: &Path, to: &Path, mode: Rename) -> Result<()> {
        self.0.rename(from, to, mode).map_err(|error| Error::io(&format!("rename {} to", from.display()), to, error))
    }

    /// Lets two paths change places. Where the file system cannot, `aside` takes the old one for a
    /// moment, in which there is nothing at `to`.
    pub fn exchange(&self, from: &Path, to: &Path, aside: &Path) -> Result<()> {
        match self.0.rename(from, to, Rename::Exchange) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.rename(to, aside, Rename::NoReplace)?;
                self.rename(from, to, Rename::NoReplace)
            }
            Err(error) => Err(Error::io(&format!("exchange {} with", from.display()), to, error)),
        }
    }

    /// Removes a file; none there is fine.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        gone(self.0.remove_file(path)).map_err(|error| Error::io("remove", path, error))
    }

    /// Removes a directory if it is empty; whether it is gone.
    pub fn remove_if_empty(&self, path: &Path) -> bool {
        gone(self.0.remove_directory(path)).is_ok()
    }

    /// Removes a directory with all that is in it, or a file; nothing there is fine. Links are
    /// removed, not followed.
    pub fn remove_tree(&self, path: &Path) -> Result<()> {
        let failed = |error| Error::io("remove", path, error);
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return self.remove_file(path),
            Err(error) => return gone(Err(error)).map_err(failed),
        }
        for entry in std::fs::read_dir(path).map_err(failed)? {
            self.remove_tree(&entry.map_err(failed)?.path())?;
        }
        gone(self.0.remove_directory(path)).map_err(failed)
    }

    /// Makes the names in a directory durable.
    pub fn sync_directory(&self, path: &Path) -> Result<()> {
        self.0.sync_directory(path).map_err(|error| Error::io("sync", path, error))
    }

    /// The file system that a directory is on, from now on.
    pub fn filesystem(&self, path: &Path) -> Result<Box<dyn Filesystem>> {
        self.0.filesystem(path).map_err(|error| Error::io("open", path, error))
    }

    /// Makes the name of `path` durable.
    pub fn sync_parent(&self, path: &Path) -> Result<()> {
        self.sync_directory(parent(path))
    }

    /// Makes the names in a directory and in all directories below it durable, the lowest first.
    pub fn sync_tree(&self, path: &Path) -> Result<()> {
        let failed = |error| Error::io("list", path, error);
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                self.sync_tree(&entry.path())?;
            }
        }
        self.sync_directory(path)
    }
}

/// Removing what is not there is fine.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The directory that holds `path`.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `path` from the root, links resolved as far as it exists.
///
/// # Errors
/// `path` ends in `..` or in nothing, or a directory above it cannot be read.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    if let Ok(whole) = path.canonicalize() {
        return Ok(whole);
    }
    let Some(name) = path.file_name() else { return Err(Error::config(format!("'{}' names no file", path.display()))) };
    let above = parent(path);
    if above.is_dir() || above == Path::new("/") {
        let above = above.canonicalize().map_err(|error| Error::io("open", above, error))?;
        return Ok(above.join(name));
    }
    Ok(absolute(above)?.join(name))
}
