//! Ctrl-C: the first ends the running query, the second (or one while nothing runs) the process.
//!
//! A signal handler may do next to nothing, so it writes one byte to a socket pair; a thread of its
//! own reads it and cancels.

use crate::CancelHandle;
use parking_lot::Mutex;

/// What the thread finds when the signal comes.
static STATE: Mutex<State> = Mutex::new(State { busy: false, asked: false, handle: None });

struct State {
    busy: bool,
    asked: bool,
    handle: Option<CancelHandle>,
}

/// Statements run while this lives. Made before they are planned.
pub struct Running(());

impl Running {
    /// From now on Ctrl-C asks statements to end instead of ending the process.
    pub fn start() -> Self {
        *STATE.lock() = State { busy: true, asked: false, handle: None };
        Self(())
    }

    /// The query to cancel from now on; at once, if Ctrl-C came before it could be.
    pub fn watch(&self, handle: CancelHandle) {
        watch(handle);
    }

    /// Whether Ctrl-C came.
    pub fn was_interrupted(&self) -> bool {
        STATE.lock().asked
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *STATE.lock() = State { busy: false, asked: false, handle: None };
    }
}

/// See [`Running::watch`]; does nothing while nothing runs.
pub fn watch(handle: CancelHandle) {
    let mut state = STATE.lock();
    if state.asked {
        handle.cancel();
    }
    if state.busy {
        state.handle = Some(handle);
    }
}

/// Exit code of a process that Ctrl-C ended: 128 + SIGINT.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Called by the thread for every signal.
#[cfg(unix)]
fn interrupted() {
    let mut state = STATE.lock();
    if !state.busy || state.asked {
        std::process::exit(i32::from(EXIT_INTERRUPTED));
    }
    state.asked = true;
    if let Some(handle) = &state.handle {
        handle.cancel();
    }
}

/// Takes Ctrl-C over. Without it (no file descriptors left, another system) Ctrl-C ends the process.
#[cfg(unix)]
pub fn install() {
    use std::io::Read;
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicI32, Ordering};

    static WAKE: AtomicI32 = AtomicI32::new(-1);

    extern "C" fn on_signal(_signal: libc::c_int) {
        // SAFETY: write(2) is async-signal-safe, the descriptor stays open for the life of the
        // process, and the byte lives on this stack.
        unsafe { libc::write(WAKE.load(Ordering::Relaxed), [1u8].as_ptr().cast(), 1) };
    }

    if WAKE.load(Ordering::Relaxed) < 0 {
        let Ok((mut reader, writer)) = UnixStream::pair() else { return };
        let thread = std::thread::Builder::new().name("ctrl-c".into()).spawn(move || {
            let mut byte = [0];
            while reader.read_exact(&mut byte).is_ok() {
                interrupted();
            }
        });
        if thread.is_err() {
            return;
        }
        WAKE.store(writer.into_raw_fd(), Ordering::Relaxed);
    }
    let handler: extern "C" fn(libc::c_int) = on_signal;
    // SAFETY: the handler only calls write(2).
    unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
}

/// Takes Ctrl-C over: not on this system.
#[cfg(not(unix))]
pub fn install() {}
