//! Locks on directories: advisory, for processes on one machine, gone with the process.
//!
//! A table is locked by locking the directory that holds its directory: that one stays when the
//! table's is exchanged, needs no file of its own and can be opened by readers without the right to
//! write.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for a lock: its holders keep it while they move files, milliseconds. Guessed.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often to look. Guessed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// The only lock on `path`; waits for others to end.
    ///
    /// # Errors
    /// The directory cannot be opened, or others hold it for a minute.
    pub fn exclusive(path: &Path) -> Result<Self> {
        wait(path, File::try_lock)
    }

    /// A lock that other shared ones do not mind; waits for an exclusive one to end.
    pub fn shared(path: &Path) -> Result<Self> {
        wait(path, File::try_lock_shared)
    }

    /// The only lock on `path`, or none when somebody holds one, or when it is not there.
    pub fn if_free(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        file.try_lock().ok()?;
        Some(Self { _file: file })
    }
}

fn wait(path: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<DirectoryLock> {
    let failed = |error| Error::io("lock", path, error);
    let file = File::open(path).map_err(failed)?;
    let since = Instant::now();
    loop {
        match lock(&file) {
            Ok(()) => return Ok(DirectoryLock { _file: file }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if since.elapsed() > WAIT_MAX => {
                let busy = std::io::Error::new(std::io::ErrorKind::WouldBlock, "another process is writing there");
                return Err(failed(busy));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_EVERY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_locks_keep_the_exclusive_one_out() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::shared(directory.path()).unwrap();
        let second = DirectoryLock::shared(directory.path()).unwrap();
        assert!(DirectoryLock::if_free(directory.path()).is_none());
        drop((first, second));
        let only = DirectoryLock::if_free(directory.path()).unwrap();
        assert!(DirectoryLock::if_free(directory.path()).is_none());
        drop(only);
        DirectoryLock::exclusive(directory.path()).unwrap();
        assert!(DirectoryLock::if_free(&directory.path().join("none")).is_none());
    }
}
