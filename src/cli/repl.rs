//! The shell: reads a statement, runs it, shows the result, goes on.

use super::args::Args;
use super::complete::Assistant;
use super::input::{Completeness, completeness};
use super::interrupt::{self, Running};
use super::render::Options;
use super::run::{EXIT_FAILED, Show, Stop, Timing, statements};
use crate::{Engine, Session};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows of a result that the shell shows: what fits a scroll-back of a few screens. Guessed.
const ROWS_SHOWN: usize = 1000;

/// Entries the history keeps. Guessed.
const HISTORY_ENTRIES: usize = 10_000;

const HELP: &str = "\
Statements end with ; and may span lines. Ctrl-C ends a running query or clears the line.
  .tables      the tables that are known by name
  help         this text
  quit         leave (also exit, \\q, Ctrl-D)
A file, directory or glob is a table: SELECT * FROM 'data/*.parquet';
SET shows the settings, SET name=value changes one, EXPLAIN SELECT ... shows a plan.";

/// What is understood beside SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Quit,
    Help,
    Tables,
    Unknown,
}

/// Whether the text is a command of the shell and so complete without a `;`.
pub fn is_command(text: &str) -> bool {
    command(text).is_some()
}

fn command(text: &str) -> Option<Command> {
    let text = text.trim().trim_end_matches(';').trim_end();
    match text.to_ascii_lowercase().as_str() {
        "quit" | "exit" | "\\q" | ".quit" | ".exit" => Some(Command::Quit),
        "help" | "\\h" | "\\?" | "?" | ".help" => Some(Command::Help),
        ".tables" | "\\d" | "\\dt" => Some(Command::Tables),
        _ if text.starts_with(['.', '\\']) => Some(Command::Unknown),
        _ => None,
    }
}

/// Runs the shell until the user leaves.
pub fn run(engine: &Engine, args: &Args) -> ExitCode {
    match shell(engine, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the terminal failed: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn shell(engine: &Engine, args: &Args) -> rustyline::Result<()> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_ENTRIES)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .build();
    let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config)?;
    let session = engine.session();
    session.watch(interrupt::watch);
    editor.set_helper(Some(Assistant { session: session.clone() }));
    let history = history_file();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    // After the editor, which takes the signal for itself when it is made.
    interrupt::install();
    let show = Show {
        format: args.format,
        options: Options { null: args.null_value.clone(), header: !args.no_header, rows_max: Some(ROWS_SHOWN) },
        messages: true,
        timing: Timing::Output,
    };
    println!("skep {}: statements end with ;  help for help", env!("CARGO_PKG_VERSION"));
    loop {
        match editor.readline("skep> ") {
            Ok(text) if completeness(&text) == Completeness::Empty => {}
            Ok(text) => {
                editor.add_history_entry(text.as_str())?;
                if let Some(file) = &history {
                    // Written each time: a shell that is killed keeps its history.
                    let _ = editor.append_history(file);
                }
                match command(&text) {
                    Some(Command::Quit) => break,
                    Some(Command::Help) => println!("{HELP}"),
                    Some(Command::Tables) => session.table_names().iter().for_each(|name| println!("{name}")),
                    Some(Command::Unknown) => eprintln!("error: unknown command '{}'\nhint: try help", text.trim()),
                    None => execute(&session, &text, &show),
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn execute(session: &Session, sql: &str, show: &Show) {
    let running = Running::start();
    let mut out = BufWriter::new(io::stdout().lock());
    let ended = statements(session, sql, show, &running, &mut out);
    let flushed = out.flush();
    match ended {
        Ok(()) => {}
        Err(Stop::Failed(error)) => eprintln!("{}", error.render(Some(sql))),
        Err(Stop::Output(error)) => eprintln!("error: cannot write the result: {error}"),
    }
    if let Err(error) = flushed {
        eprintln!("error: cannot write the result: {error}");
    }
}

/// `SKEP_HISTORY`, else `skep/history` in the XDG state directory, which is made; an empty
/// `SKEP_HISTORY` means none.
fn history_file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("SKEP_HISTORY") {
        return (!file.is_empty()).then(|| file.into());
    }
    let state = match std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(state) => state,
        None => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    let folder = state.join("skep");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_the_shell() {
        assert_eq!(command("quit;"), Some(Command::Quit));
        assert_eq!(command(" EXIT "), Some(Command::Quit));
        assert_eq!(command("\\q"), Some(Command::Quit));
        assert_eq!(command(".tables"), Some(Command::Tables));
        assert_eq!(command(".nonsense"), Some(Command::Unknown));
        assert_eq!(command("select 1"), None);
        assert_eq!(command("helpful"), None);
        assert_eq!(command(""), None);
    }
}
