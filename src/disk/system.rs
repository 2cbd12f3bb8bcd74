//! The operations as the system does them.

use super::{Filesystem, NewFile, Operations, Rename};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The system's files.
#[derive(Debug)]
pub(super) struct System;

impl Operations for System {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(SystemFile(OpenOptions::new().write(true).create_new(true).open(path)?)))
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path, mode: Rename) -> io::Result<()> {
        match mode {
            Rename::Replace => fs::rename(from, to),
            Rename::NoReplace => match renameat2(from, to, mode) {
                // Checked and then renamed: whoever renames here holds the lock on the directory.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    if to.symlink_metadata().is_ok() {
                        return Err(ErrorKind::AlreadyExists.into());
                    }
                    fs::rename(from, to)
                }
                other => other,
            },
            Rename::Exchange => renameat2(from, to, mode),
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn filesystem(&self, path: &Path) -> io::Result<Box<dyn Filesystem>> {
        Ok(Box::new(OpenFilesystem(File::open(path)?)))
    }
}

/// A directory of it. The system remembers which errors it has told to this descriptor.
#[derive(Debug)]
struct OpenFilesystem(File);

impl Filesystem for OpenFilesystem {
    #[cfg(target_os = "linux")]
    fn sync(&self) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open for as long as the file lives, and the call takes nothing else.
        let result = unsafe { libc::syncfs(self.0.as_raw_fd()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[cfg(not(target_os = "linux"))]
    fn sync(&self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

struct SystemFile(File);

impl Write for SystemFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl NewFile for SystemFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// rename(2) that leaves what has the new name, or exchanges the two.
#[cfg(target_os = "linux")]
fn renameat2(from: &Path, to: &Path, mode: Rename) -> io::Result<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from(ErrorKind::InvalidInput));
    let (from, to) = (path(from)?, path(to)?);
    let flags = if mode == Rename::Exchange { libc::RENAME_EXCHANGE } else { libc::RENAME_NOREPLACE };
    // SAFETY: both pointers are to strings that end in NUL and live until the call returns.
    let result = unsafe { libc::renameat2(libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP) => Err(ErrorKind::Unsupported.into()),
        _ => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn renameat2(_from: &Path, _to: &Path, _mode: Rename) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
