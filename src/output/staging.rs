//! Places for outputs in the making.
//!
//! ```text
//!   <root>/.skep-staging/<id>/data/...   what will be published; <id> is locked while its writer lives
//!   <root>/.skep-journal/<id>.json       commits whose moves may not all be done (see journal)
//! ```
//!
//! Both folders are made when needed and removed when empty; they lie beside the target, on its
//! file system, under names that no reader takes for data. A place whose lock is free and that no
//! journal speaks of was left by a dead process: anybody may remove it.

use crate::disk::{DirectoryLock, Disk};
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder of outputs in the making.
pub(super) const STAGING: &str = ".skep-staging";

/// Other processes may remove the empty folder between its making and its lock; so often, and it
/// is no coincidence. Guessed.
const ATTEMPTS_MAX: usize = 100;

/// A place for one output, locked as long as this lives.
#[derive(Debug)]
pub(super) struct Staging {
    pub(super) disk: Disk,
    pub(super) root: PathBuf,
    pub(super) id: String,
    lock: Option<DirectoryLock>,
}

impl Staging {
    /// A new place below `root`, which exists.
    pub(super) fn create(disk: &Disk, root: &Path) -> Result<Self> {
        let id = new_id()?;
        let folder = root.join(STAGING);
        for _ in 0..ATTEMPTS_MAX {
            disk.make_directory(&folder)?;
            // Held while the place is made and locked, so that nobody takes it for a dead one.
            let guard = match DirectoryLock::exclusive(&folder) {
                Ok(guard) => guard,
                Err(_) if !folder.exists() => continue,
                Err(error) => return Err(error),
            };
            let path = folder.join(&id);
            match disk.make_directory(&path) {
                Ok(_) => {
                    let lock = DirectoryLock::exclusive(&path);
                    drop(guard);
                    match lock {
                        // A sweep may have come first if the folder was made anew meanwhile.
                        Ok(lock) if path.is_dir() => {
                            return Ok(Self { disk: disk.clone(), root: root.to_path_buf(), id, lock: Some(lock) });
                        }
                        Err(error) if path.is_dir() => return Err(error),
                        Ok(_) | Err(_) => {}
                    }
                }
                Err(_) if !folder.exists() => {}
                Err(error) => return Err(error),
            }
        }
        let error = std::io::Error::from(ErrorKind::NotFound);
        Err(Error::io("make the directory", &folder, error))
    }

    /// The place.
    pub(super) fn path(&self) -> PathBuf {
        self.root.join(STAGING).join(&self.id)
    }

    /// Leaves the place as it is, for recovery.
    pub(super) fn abandon(mut self) {
        self.lock = None;
    }

    fn remove(&mut self) -> Result<()> {
        if self.lock.is_none() {
            return Ok(());
        }
        self.disk.remove_tree(&self.path())?;
        self.lock = None;
        self.disk.remove_if_empty(&self.root.join(STAGING));
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now, recovery removes later.
        let _ = self.remove();
    }
}

/// Whether the writer of a place is gone.
pub(super) fn is_dead(root: &Path, id: &str) -> bool {
    let place = root.join(STAGING).join(id);
    !place.exists() || DirectoryLock::if_free(&place).is_some()
}

/// Removes the places below `root` whose writers are dead and that `keep` does not name.
pub(super) fn sweep(disk: &Disk, root: &Path, keep: impl Fn(&str) -> bool) -> Result<()> {
    let folder = root.join(STAGING);
    // Somebody is starting right now: the next one sweeps.
    let Some(_guard) = DirectoryLock::if_free(&folder) else { return Ok(()) };
    let failed = |error| Error::io("list", &folder, error);
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_id(&name) || keep(&name) {
            continue;
        }
        let Some(_lock) = DirectoryLock::if_free(&entry.path()) else { continue };
        disk.remove_tree(&entry.path())?;
    }
    disk.remove_if_empty(&folder);
    Ok(())
}

/// Whether a name is one of [`new_id`]'s: nothing else is ever removed.
fn is_id(name: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    name.len() == 36
        && name.bytes().enumerate().all(|(at, c)| if dashes.contains(&at) { c == b'-' } else { c.is_ascii_hexdigit() })
}

/// A random (version 4) UUID: what Spark puts into names of files.
fn new_id() -> Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(format!("no random numbers: {error}")))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
