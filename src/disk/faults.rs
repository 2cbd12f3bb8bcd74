//! For tests: the system's files with a fault at the n-th operation.

use super::{Filesystem, NewFile, Operations, Rename, system::System};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What happens at the n-th operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It and all later ones fail: the process is gone.
    Kill,
    /// It fails with this error of the system; a write after half of its bytes.
    Once(i32),
}

/// Counts operations and lets one fail. Cloning shares the count.
#[derive(Debug, Clone)]
pub(crate) struct Faults(Arc<State>);

#[derive(Debug)]
struct State {
    fault: Fault,
    at: u64,
    count: AtomicU64,
}

impl Faults {
    /// The operation numbered `at`, from 0, fails.
    pub(crate) fn at(at: u64, fault: Fault) -> Self {
        Self(Arc::new(State { fault, at, count: AtomicU64::new(0) }))
    }

    /// Operations asked for so far.
    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Whether the fault has happened.
    pub(crate) fn happened(&self) -> bool {
        self.count() > self.0.at
    }

    fn step(&self) -> io::Result<()> {
        let count = self.0.count.fetch_add(1, Ordering::Relaxed);
        match self.0.fault {
            Fault::Kill if count >= self.0.at => Err(io::Error::other("the process is dead")),
            Fault::Once(code) if count == self.0.at => Err(io::Error::from_raw_os_error(code)),
            _ => Ok(()),
        }
    }
}

impl Operations for Faults {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        self.step()?;
        Ok(Box::new(FaultyFile { file: System.create(path)?, faults: self.clone() }))
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        System.make_directory(path)
    }

    fn rename(&self, from: &Path, to: &Path, mode: Rename) -> io::Result<()> {
        self.step()?;
        System.rename(from, to, mode)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        System.remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        System.remove_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        System.sync_directory(path)
    }

    fn filesystem(&self, path: &Path) -> io::Result<Box<dyn Filesystem>> {
        self.step()?;
        Ok(Box::new(FaultyFilesystem { filesystem: System.filesystem(path)?, faults: self.clone() }))
    }
}

#[derive(Debug)]
struct FaultyFilesystem {
    filesystem: Box<dyn Filesystem>,
    faults: Faults,
}

impl Filesystem for FaultyFilesystem {
    fn sync(&self) -> io::Result<()> {
        self.faults.step()?;
        self.filesystem.sync()
    }
}

struct FaultyFile {
    file: Box<dyn NewFile>,
    faults: Faults,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let step = self.faults.step();
        if step.is_err() {
            let _ = self.file.write(&bytes[..bytes.len() / 2]);
        }
        step?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewFile for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        self.faults.step()?;
        self.file.sync()
    }
}
