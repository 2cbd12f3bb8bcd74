//! Statements one after the other, their results to a writer.

use super::args::Args;
use super::interrupt::{self, EXIT_INTERRUPTED, Running};
use super::render::{Format, Options, renderer};
use crate::{Engine, Error, OutcomeKind, Result, Session};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Exit code when a query failed.
pub const EXIT_FAILED: u8 = 1;
/// Exit code when the command line is wrong; clap's, too.
pub const EXIT_USAGE: u8 = 2;

/// How results of a run are shown.
pub struct Show {
    /// The format of results.
    pub format: Format,
    /// Its options.
    pub options: Options,
    /// Whether messages of statements without rows are written.
    pub messages: bool,
    /// Where rows and seconds of each statement go.
    pub timing: Timing,
}

/// Where rows and seconds of each statement go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    Nowhere,
    /// After the result, as a part of it.
    Output,
    StandardError,
}

/// Why a run ended early.
pub enum Stop {
    /// A statement failed.
    Failed(Error),
    /// The writer failed; a broken pipe is the reader's good right.
    Output(io::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// The engine that the arguments ask for.
pub fn engine(args: &Args) -> Result<Engine> {
    let mut builder = Engine::builder();
    if let Some(threads) = args.threads {
        builder = builder.threads(usize::from(threads));
    }
    if let Some(limit) = args.memory_limit {
        builder = builder.memory_limit(limit);
    }
    if let Some(warehouse) = &args.warehouse {
        builder = builder.warehouse(warehouse);
    }
    for (name, value) in &args.set {
        builder = builder.set(name, value)?;
    }
    let engine = builder.build()?;
    for (name, path) in &args.table {
        engine.register_path(name, path)?;
    }
    Ok(engine)
}

/// The SQL texts to run; None for the shell.
pub fn sources(args: &Args) -> Result<Option<Vec<String>>> {
    let mut texts = [&args.sql[..], &args.execute[..]].concat();
    for file in &args.file {
        texts.push(if file == Path::new("-") { standard_input()? } else { read(file)? });
    }
    if texts.is_empty() {
        if io::stdin().is_terminal() {
            return Ok(None);
        }
        texts.push(standard_input()?);
    }
    Ok(Some(texts))
}

/// Runs `texts` in one session and says how it went.
pub fn one_shot(engine: &Engine, args: &Args, texts: &[String]) -> ExitCode {
    interrupt::install();
    let terminal = args.output.is_none() && io::stdout().is_terminal();
    let show = Show {
        format: args.format,
        options: Options { null: args.null_value.clone(), header: !args.no_header, rows_max: None },
        messages: terminal,
        timing: if args.timing { Timing::StandardError } else { Timing::Nowhere },
    };
    let session = engine.session();
    session.watch(interrupt::watch);
    let running = Running::start();
    let run = |out: &mut dyn Write| {
        texts.iter().try_for_each(|sql| statements(&session, sql, &show, &running, out).map_err(|stop| (stop, sql.as_str())))
    };
    let ended = match &args.output {
        Some(path) => whole_file(path, run),
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            // What was complete before a statement failed is shown.
            let ended = run(&mut out);
            let flushed = out.flush().map_err(|error| (Stop::Output(error), ""));
            ended.and(flushed)
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err((Stop::Output(error), _)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err((Stop::Output(error), _)) => {
            eprintln!("error: cannot write the result: {error}");
            ExitCode::from(EXIT_FAILED)
        }
        Err((Stop::Failed(error), sql)) => {
            eprintln!("{}", error.render(Some(sql)));
            ExitCode::from(if running.was_interrupted() { EXIT_INTERRUPTED } else { EXIT_FAILED })
        }
    }
}

/// Runs the statements of `sql` until one fails.
pub fn statements(session: &Session, sql: &str, show: &Show, running: &Running, out: &mut dyn Write) -> Result<(), Stop> {
    let mut start = Instant::now();
    for outcome in session.execute(sql) {
        match outcome?.kind {
            OutcomeKind::Rows(mut stream) => {
                running.watch(stream.cancel_handle());
                stream.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
                let mut renderer = renderer(show.format, &show.options);
                let schema = stream.schema();
                let mut rows = 0;
                renderer.begin(&schema, out)?;
                for batch in &mut stream {
                    let batch = batch?;
                    rows += batch.num_rows();
                    renderer.batch(&batch, out)?;
                }
                renderer.end(out)?;
                timing(Some(rows), start.elapsed(), show.timing, out)?;
            }
            OutcomeKind::Done(message) => {
                if show.messages && !message.is_empty() {
                    writeln!(out, "{message}")?;
                }
                timing(None, start.elapsed(), show.timing, out)?;
            }
        }
        start = Instant::now();
    }
    Ok(())
}

fn timing(rows: Option<usize>, elapsed: Duration, timing: Timing, out: &mut dyn Write) -> io::Result<()> {
    let seconds = elapsed.as_secs_f64();
    let line = match rows {
        Some(1) => format!("1 row ({seconds:.3} s)"),
        Some(rows) => format!("{rows} rows ({seconds:.3} s)"),
        None => format!("done ({seconds:.3} s)"),
    };
    match timing {
        Timing::Nowhere => Ok(()),
        Timing::Output => writeln!(out, "{line}"),
        Timing::StandardError => {
            out.flush()?;
            writeln!(io::stderr(), "{line}")
        }
    }
}

/// Lets `write` fill a file beside `path` and gives it that name when all went well.
fn whole_file<'a>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), (Stop, &'a str)>) -> Result<(), (Stop, &'a str)> {
    let failed = |doing: &str, path: &Path, error| (Stop::Failed(Error::io(doing, path, error)), "");
    // Through a link the file it names is replaced; what is no file (a pipe, a device) is written to.
    let target: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if target.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let file = std::fs::OpenOptions::new().write(true).open(&target).map_err(|error| failed("write", path, error))?;
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        return out.flush().map_err(|error| failed("write", path, error));
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".skep-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder).map_err(|error| failed("create a file in", folder, error))?;
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner().map_err(|error| failed("write", path, error.into_error()))?;
    file.as_file().sync_all().map_err(|error| failed("write", path, error))?;
    file.persist(&target).map(drop).map_err(|error| failed("write", path, error.error))
}

pub(super) fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    String::from_utf8(bytes).map_err(|_| Error::sql("the text is not UTF-8").in_file(path))
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| Error::io("read", Path::new("standard input"), error))?;
    Ok(text)
}
