//! Reads that fail for a moment are tried again.
//!
//! A disk behind a network, or one that is just coming back, answers some reads with an error and the
//! next with the bytes. Such errors are tried again after a pause that doubles; all others (no such
//! file, no right, a file cut off) are what they are. Writes and syncs never come here: what a failed
//! sync has lost, a second one does not know of.

use std::io::{self, ErrorKind};
use std::time::Duration;

/// Tries in all. Guessed: with the pauses, 70 ms of patience.
const TRIES: u32 = 4;
/// The first pause.
const PAUSE: Duration = Duration::from_millis(10);

/// What `read` gives, tried again while its errors are such as pass.
pub fn with_retries<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut tried = 1;
    loop {
        match read() {
            Err(error) if is_transient(&error) && tried < TRIES => {
                std::thread::sleep(PAUSE * (1 << (tried - 1)));
                tried += 1;
            }
            other => return other,
        }
    }
}

/// A file whose reads are tried again.
pub(super) struct Patient(pub(super) std::fs::File);

impl io::Read for Patient {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        with_retries(|| self.0.read(out))
    }
}

impl io::Seek for Patient {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

fn is_transient(error: &io::Error) -> bool {
    let passes =
        matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ResourceBusy);
    passes || matches!(error.raw_os_error(), Some(libc::EIO | libc::ESTALE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_what_stays_is_told() {
        let after = |failures: u32, code: i32| {
            let mut tries = 0;
            let result = with_retries(|| {
                tries += 1;
                if tries <= failures { Err(io::Error::from_raw_os_error(code)) } else { Ok(()) }
            });
            (result.is_ok(), tries)
        };
        for code in [libc::EIO, libc::EAGAIN, libc::EINTR, libc::ETIMEDOUT, libc::ESTALE] {
            assert_eq!(after(3, code), (true, 4));
            assert_eq!(after(9, code), (false, 4));
        }
        for code in [libc::ENOENT, libc::EACCES, libc::ENOSPC, libc::EISDIR] {
            assert_eq!(after(1, code), (false, 1));
        }
        let mut cut = 0;
        let read = with_retries(|| {
            cut += 1;
            Err::<(), _>(ErrorKind::UnexpectedEof.into())
        });
        assert_eq!((read.is_err(), cut), (true, 1));
    }
}
