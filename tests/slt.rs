//! SQL first: every `tests/slt/**/*.slt` under several settings that must not change an answer.
//!
//! Expected rows are what Spark SQL 4 answers (ANSI mode), as the shell prints values; the empty
//! string is written `(empty)`. Paths are relative to the repository.

use skep::cli::render::Values;
use skep::{Engine, OutcomeKind, Session};
use sqllogictest::{DB, DBOutput, DefaultColumnType, Record, Runner};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[test]
fn defaults() {
    run(&[]);
}

#[test]
fn one_thread() {
    run(&[("skep.threads", "1")]);
}

#[test]
fn one_row_chunks() {
    run(&[("skep.execution.chunk_rows", "1")]);
}

#[test]
fn seven_row_chunks() {
    run(&[("skep.execution.chunk_rows", "7")]);
}

#[test]
fn constant_hash() {
    run(&[("skep.test.constant_hash", "true")]);
}

#[test]
fn always_spill() {
    run(&[("skep.test.always_spill", "true")]);
}

#[test]
fn joins_as_written() {
    run(&[("skep.optimizer.join_order", "false")]);
}

#[test]
fn partitioned_hash() {
    run(&[("skep.join.strategy", "partitioned_hash")]);
}

#[test]
fn sort_merge() {
    run(&[("skep.join.strategy", "sort_merge")]);
}

#[test]
fn skew_aware() {
    run(&[("skep.join.strategy", "skew_aware")]);
}

#[test]
fn multiplicities() {
    run(&[("skep.optimizer.multiplicity", "always")]);
}

#[test]
fn nested_loop() {
    run(&[("skep.join.strategy", "nested_loop")]);
}

#[track_caller]
fn run(settings: &'static [(&'static str, &'static str)]) {
    let mut files = scripts(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/slt"));
    files.sort();
    assert!(!files.is_empty());
    // SKEP_SLT=joins,dates runs the files with one of these words in their path.
    if let Ok(only) = std::env::var("SKEP_SLT") {
        files.retain(|file| only.split(',').any(|word| file.to_string_lossy().contains(word)));
    }
    // Functions of single rows are the same under settings about joins and memory.
    if !matches!(settings, [] | [("skep.execution.chunk_rows", "1")]) {
        files.retain(|file| file.parent().is_none_or(|folder| !folder.ends_with("functions")));
    }
    // A setting about joins says nothing to a script without one.
    if settings.iter().any(|(name, _)| name.starts_with("skep.join.") || name.starts_with("skep.optimizer.")) {
        let words = ["JOIN", "EXISTS", "IN (SELECT", "INTERSECT", "EXCEPT", "(SELECT"];
        let joins = |file: &PathBuf| {
            let script = std::fs::read_to_string(file).unwrap().to_uppercase();
            words.iter().any(|word| script.contains(word))
        };
        files.retain(joins);
    }
    // A script that sets a strategy itself says the same whatever the session begins with.
    if settings.iter().any(|(name, _)| *name == "skep.join.strategy") {
        let own = |file: &PathBuf| std::fs::read_to_string(file).unwrap().contains("\nSET skep.join.strategy = ");
        files.retain(|file| !own(file));
    }
    // SKEP_SLT_SLOW=200 names the records that take 200 ms and more.
    let slow: Option<u128> = std::env::var("SKEP_SLT_SLOW").ok().and_then(|limit| limit.parse().ok());
    let mut failures = Vec::new();
    for file in &files {
        // Every record is run, so that one failure does not hide the next.
        let mut runner = Runner::new(move || async move { Ok(Database::new(settings)) });
        for record in sqllogictest::parse_file(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())) {
            let start = Instant::now();
            let place = slow.and_then(|_| place(&record));
            if let Err(error) = runner.run(record) {
                failures.push(error.to_string());
            }
            if let (Some(limit), Some(place), took) = (slow, place, start.elapsed().as_millis())
                && took >= limit
            {
                println!("{took} ms: {place} with {settings:?}");
            }
        }
    }
    assert!(failures.is_empty(), "{} failures with {settings:?}\n{}", failures.len(), failures.join("\n\n"));
}

fn place<T: sqllogictest::ColumnType>(record: &Record<T>) -> Option<String> {
    match record {
        Record::Statement { loc, .. } | Record::Query { loc, .. } => Some(loc.to_string()),
        _ => None,
    }
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(scripts(&path));
        } else if path.extension().is_some_and(|end| end == "slt") {
            found.push(path);
        }
    }
    found
}

struct Database {
    session: Session,
    /// Removed with it.
    _warehouse: tempfile::TempDir,
}

impl Database {
    fn new(settings: &[(&str, &str)]) -> Self {
        let warehouse = tempfile::tempdir().unwrap();
        let mut builder = Engine::builder().threads(2).warehouse(warehouse.path().join("warehouse"));
        for (name, value) in settings {
            builder = builder.set(name, value).unwrap();
        }
        let engine = builder.build().unwrap();
        for table in ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"] {
            engine.register_path(table, &format!("testdata/tpch/{table}.parquet")).unwrap();
        }
        Self { session: engine.session(), _warehouse: warehouse }
    }
}

/// The rendered error, so that a script can match its hint, too.
#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl DB for Database {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let outcome = self.rows(sql);
        match &outcome {
            // A strategy that is asked for and cannot do the join is an error: the script is
            // about the rows, so that join is left to the planner.
            Err(Failure(text)) if text.contains("was asked for but cannot be used") => {
                let asked = self.session.setting("skep.join.strategy").map_err(|error| Failure(error.to_string()))?;
                self.session.set("skep.join.strategy", "auto").map_err(|error| Failure(error.to_string()))?;
                let outcome = self.rows(sql);
                self.session.set("skep.join.strategy", &asked).map_err(|error| Failure(error.to_string()))?;
                outcome
            }
            _ => outcome,
        }
    }

    fn engine_name(&self) -> &str {
        "skep"
    }
}

impl Database {
    fn rows(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let failure = |error: skep::Error| Failure(error.render(Some(sql)));
        let mut output = DBOutput::StatementComplete(0);
        for outcome in self.session.execute(sql) {
            let OutcomeKind::Rows(stream) = outcome.map_err(failure)?.kind else { continue };
            let types = vec![DefaultColumnType::Any; stream.schema().fields().len()];
            let mut rows = Vec::new();
            for batch in stream {
                let batch = batch.map_err(failure)?;
                let columns: Vec<Values> = batch.columns().iter().map(Values::new).collect();
                rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|values| text(values, row)).collect::<Vec<_>>()));
            }
            output = DBOutput::Rows { types, rows: in_lines(rows) };
        }
        Ok(output)
    }
}

/// Rows of one column with the lines of a value as rows: scripts have no other way to write them.
fn in_lines(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let lines = |row: Vec<String>| match row.as_slice() {
        [only] if only.contains('\n') => only.lines().map(|line| vec![line.to_owned()]).collect(),
        _ => vec![row],
    };
    rows.into_iter().flat_map(lines).collect()
}

fn text(values: &Values, row: usize) -> String {
    let mut text = String::new();
    if values.is_null(row) {
        text.push_str("NULL")
    } else {
        values.text(row, &mut text)
    }
    if text.is_empty() { "(empty)".into() } else { text }
}
