//! `skep run SCRIPT [--resume] [--dry-run]`: a script statement by statement, with a line each about
//! what became of it on standard error.

use super::args::Args;
use super::interrupt::{self, EXIT_INTERRUPTED, Running};
use super::render::{Options, renderer};
use super::run::{EXIT_FAILED, read};
use crate::{Engine, Error, OutcomeKind, ScriptOptions, ScriptStep, StepState};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// Letters of a statement that a line shows.
const SHOWN_LETTERS: usize = 60;

/// Runs the script of a file.
pub fn run(engine: &Engine, args: &Args, path: &str) -> ExitCode {
    let text = match read(Path::new(path)) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{}", error.render(None));
            return ExitCode::from(EXIT_FAILED);
        }
    };
    interrupt::install();
    let running = Running::start();
    let session = engine.session();
    session.watch(interrupt::watch);
    let options = ScriptOptions { resume: args.resume, dry_run: args.dry_run };
    let mut out = BufWriter::new(io::stdout().lock());
    for step in session.run_script(&text, options) {
        let shown = step.and_then(|step| show(step, args, &running, &mut out));
        let shown = shown.and_then(|()| out.flush().map_err(|error| Error::io("write", Path::new("standard output"), error)));
        if let Err(error) = shown {
            eprintln!("{}", error.render(Some(&text)));
            return ExitCode::from(if running.was_interrupted() { EXIT_INTERRUPTED } else { EXIT_FAILED });
        }
    }
    ExitCode::SUCCESS
}

fn show(step: ScriptStep, args: &Args, running: &Running, out: &mut dyn Write) -> crate::Result<()> {
    let failed = |error| Error::io("write", Path::new("standard output"), error);
    let words: Vec<&str> = step.sql.split_whitespace().collect();
    let mut line: String = words.join(" ").chars().take(SHOWN_LETTERS).collect();
    if words.join(" ").chars().count() > SHOWN_LETTERS {
        line.push_str(" ...");
    }
    match step.state {
        StepState::Skipped => eprintln!("skipped: {line}"),
        StepState::WouldSkip => writeln!(out, "would skip: {line}").map_err(failed)?,
        StepState::WouldRun(plan) => {
            writeln!(out, "would run: {line}").map_err(failed)?;
            plan.lines().try_for_each(|plan| writeln!(out, "    {plan}")).map_err(failed)?;
        }
        StepState::Ran(OutcomeKind::Done(message)) => {
            let gap = if message.is_empty() { "" } else { ": " };
            eprintln!("ran: {line}{gap}{message}");
        }
        StepState::Ran(OutcomeKind::Rows(mut stream)) => {
            running.watch(stream.cancel_handle());
            stream.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
            let options = Options { null: args.null_value.clone(), header: !args.no_header, rows_max: None };
            let mut renderer = renderer(args.format, &options);
            renderer.begin(&stream.schema(), out).map_err(failed)?;
            for batch in &mut stream {
                renderer.batch(&batch?, out).map_err(failed)?;
            }
            renderer.end(out).map_err(failed)?;
        }
    }
    Ok(())
}
