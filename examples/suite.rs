//! Times the queries of a folder in one process through the public library API.
//!
//! ```text
//! cargo run --release --example suite -- --data testdata/tpch --queries testdata/tpch/queries --runs 3
//! ```
//!
//! Every `*.parquet` file (or directory of them) in the data folder is a table of its name. Prints
//! one JSON object a query: best wall seconds of `--runs`, the CPU seconds of that run, the median of
//! their wall seconds, rows. `--explain` times EXPLAIN of each, which is planning it and nothing else. With
//! `--serve` it reads paths of SQL files from standard input instead and answers each with one
//! line; that is how `benches/compare/run.py` alternates engines. A tab and a path behind it asks for
//! the answer as CSV, a tab and `-` for the rows to be let go as they come.
//!
//! Options: `--data DIR  --queries DIR  --runs N  --only q01,q02  --answers DIR (writes CSV)
//! --threads N  --memory-limit BYTES  --set NAME=VALUE  --explain  --serve`

use skep::arrow::array::RecordBatch;
use skep::arrow::csv::WriterBuilder;
use skep::{Engine, OutcomeKind};
use std::error::Error;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What the `skep` command uses, so that figures of this program are the command's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Default)]
struct Args {
    data: PathBuf,
    queries: PathBuf,
    runs: usize,
    only: Vec<String>,
    answers: Option<PathBuf>,
    threads: Option<usize>,
    memory_limit: Option<usize>,
    settings: Vec<(String, String)>,
    explain: bool,
    serve: bool,
}

/// One run of one query. No batches are kept of rows that were let go.
struct Run {
    wall_s: f64,
    cpu_s: f64,
    rows: usize,
    batches: Vec<RecordBatch>,
}

/// In place of a path: rows are counted and let go as they come.
const DISCARD: &str = "-";

fn main() -> Result<()> {
    let args = parse(std::env::args().skip(1))?;
    let engine = engine(&args)?;
    if args.serve {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let (query, answer) = line.split_once('\t').map_or((line.as_str(), None), |(query, answer)| (query, Some(answer)));
            report(&engine, &args, Path::new(query), answer.map(PathBuf::from));
        }
        return Ok(());
    }
    let (mut wall_s, mut cpu_s, mut failed) = (0.0, 0.0, 0);
    for query in queries(&args)? {
        let name = stem(&query);
        let answer = args.answers.as_ref().map(|folder| folder.join(format!("{name}.csv")));
        match report(&engine, &args, &query, answer) {
            Some((wall, cpu)) => {
                wall_s += wall;
                cpu_s += cpu;
            }
            None => failed += 1,
        }
    }
    println!("{{\"total_wall_s\":{wall_s:.4},\"total_cpu_s\":{cpu_s:.4},\"failed\":{failed},\"peak_mib\":{}}}", usage().1);
    if failed > 0 { Err(format!("{failed} queries failed").into()) } else { Ok(()) }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args> {
    let mut args = Args { runs: 3, ..Args::default() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--serve" => args.serve = true,
            "--explain" => args.explain = true,
            _ => option(&mut args, &word, words.next().ok_or_else(|| format!("{word} needs a value"))?)?,
        }
    }
    if args.data.as_os_str().is_empty() || (args.queries.as_os_str().is_empty() && !args.serve) {
        return Err("--data and --queries are needed".into());
    }
    Ok(args)
}

fn option(args: &mut Args, word: &str, value: String) -> Result<()> {
    match word {
        "--data" => args.data = value.into(),
        "--queries" => args.queries = value.into(),
        "--runs" => args.runs = value.parse::<usize>()?.max(1),
        "--only" => args.only = value.split(',').map(str::to_string).collect(),
        "--answers" => args.answers = Some(value.into()),
        "--threads" => args.threads = Some(value.parse()?),
        "--memory-limit" => args.memory_limit = Some(value.parse()?),
        "--set" => {
            let (name, value) = value.split_once('=').ok_or("--set needs NAME=VALUE")?;
            args.settings.push((name.to_string(), value.to_string()));
        }
        other => return Err(format!("unknown option {other}").into()),
    }
    Ok(())
}

fn engine(args: &Args) -> Result<Engine> {
    let mut builder = Engine::builder();
    if let Some(threads) = args.threads {
        builder = builder.threads(threads);
    }
    if let Some(limit) = args.memory_limit {
        builder = builder.memory_limit(limit);
    }
    for (name, value) in &args.settings {
        builder = builder.set(name, value)?;
    }
    let engine = builder.build()?;
    for entry in std::fs::read_dir(&args.data)? {
        let path = entry?.path();
        // A folder is a table when Parquet files lie in it; others (query texts) are passed over.
        if holds_parquet(&path) {
            engine.register_path(&stem(&path), &path.to_string_lossy())?;
        }
    }
    Ok(engine)
}

fn holds_parquet(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().any(|entry| holds_parquet(&entry.path())),
        Err(_) => path.extension().is_some_and(|end| end == "parquet"),
    }
}

fn queries(args: &Args) -> Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(&args.queries)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let wanted = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "sql") && (args.only.is_empty() || args.only.contains(&stem(path)))
    };
    let mut paths: Vec<PathBuf> = paths.into_iter().filter(wanted).collect();
    paths.sort();
    Ok(paths)
}

/// Runs one query `--runs` times (once when serving) and prints the best; its wall and CPU seconds.
fn report(engine: &Engine, args: &Args, path: &Path, answer: Option<PathBuf>) -> Option<(f64, f64)> {
    let discard = answer.as_deref() == Some(Path::new(DISCARD));
    let answer = answer.filter(|_| !discard);
    let mut walls = Vec::new();
    let best = (0..if args.serve { 1 } else { args.runs }).try_fold(None::<Run>, |best, _| {
        let run = once(engine, path, args.explain, discard)?;
        walls.push(run.wall_s);
        Ok::<_, Box<dyn Error>>(Some(best.filter(|best| best.wall_s <= run.wall_s).unwrap_or(run)))
    });
    let written = best.and_then(|best| {
        if let (Some(run), Some(answer)) = (&best, &answer) {
            write_answer(run, answer)?;
        }
        Ok(best)
    });
    let name = stem(path);
    let result = match written {
        Ok(Some(Run { wall_s, cpu_s, rows, .. })) => {
            let peak = usage().1;
            walls.sort_by(f64::total_cmp);
            let median_s = walls[walls.len() / 2];
            println!(
                "{{\"query\":\"{name}\",\"wall_s\":{wall_s:.4},\"cpu_s\":{cpu_s:.4},\"median_s\":{median_s:.4},\"rows\":{rows},\"peak_mib\":{peak}}}"
            );
            Some((wall_s, cpu_s))
        }
        Ok(None) => None,
        Err(error) => {
            let message: String =
                error.to_string().chars().map(|c| if c == '"' || c == '\\' || c < ' ' { '\'' } else { c }).collect();
            println!("{{\"query\":\"{name}\",\"error\":\"{message}\"}}");
            None
        }
    };
    let _ = std::io::stdout().flush();
    result
}

fn once(engine: &Engine, path: &Path, explain: bool, discard: bool) -> Result<Run> {
    let sql = if explain { "EXPLAIN " } else { "" }.to_string() + &std::fs::read_to_string(path)?;
    let (cpu, start) = (usage().0, Instant::now());
    let (mut rows, mut batches) = (0, Vec::new());
    for outcome in engine.session().execute(&sql) {
        let OutcomeKind::Rows(stream) = outcome?.kind else { continue };
        (rows, batches) = (0, Vec::new());
        for batch in stream {
            let batch = batch?;
            rows += batch.num_rows();
            if !discard {
                batches.push(batch);
            }
        }
    }
    Ok(Run { wall_s: start.elapsed().as_secs_f64(), cpu_s: usage().0 - cpu, rows, batches })
}

fn write_answer(run: &Run, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut writer = WriterBuilder::new().with_null("NULL".into()).build(std::fs::File::create(path)?);
    for batch in &run.batches {
        writer.write(batch)?;
    }
    Ok(())
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// CPU seconds of the process so far and its peak resident size in MiB.
fn usage() -> (f64, i64) {
    // SAFETY: getrusage fills the struct it is given, for which all zeros is a value.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss / 1024)
}
