//! The `skep` command; everything is in [`skep::cli`].

use std::process::ExitCode;

/// Chunks are allocated on one thread and freed on another all the time, which mimalloc is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    skep::cli::run()
}
