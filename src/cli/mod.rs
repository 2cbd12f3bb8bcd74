//! The command: arguments, one-shot runs, the shell.
//!
//! - `args`: the command line; `run`: statements to a writer; `repl`: the shell around it.
//! - `script`: `skep run`, which can be resumed.
//! - `render`: results as text; `input`: where a typed statement ends; `interrupt`: Ctrl-C.

mod args;
mod complete;
mod input;
mod interrupt;
pub mod render;
mod repl;
mod run;
mod script;

use args::Args;
use clap::Parser;
use std::process::ExitCode;

/// The whole command: reads the arguments of the process and runs.
pub fn run() -> ExitCode {
    let args = Args::parse();
    let engine = match run::engine(&args) {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("{}", error.render(None));
            let usage = matches!(error.kind(), crate::ErrorKind::Config);
            return ExitCode::from(if usage { run::EXIT_USAGE } else { run::EXIT_FAILED });
        }
    };
    if let Some(script) = args.script() {
        return script::run(&engine, &args, script);
    }
    if args.resume || args.dry_run {
        eprintln!("error: --resume and --dry-run are for skep run SCRIPT");
        return ExitCode::from(run::EXIT_USAGE);
    }
    match run::sources(&args) {
        Ok(Some(sources)) => run::one_shot(&engine, &args, &sources),
        Ok(None) if args.output.is_some() => {
            eprintln!("error: --output needs SQL to run: -e, -f or standard input");
            ExitCode::from(run::EXIT_USAGE)
        }
        Ok(None) => repl::run(&engine, &args),
        Err(error) => {
            eprintln!("{}", error.render(None));
            ExitCode::from(run::EXIT_FAILED)
        }
    }
}
