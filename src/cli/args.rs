//! The command line.

use super::render::Format;
use std::path::PathBuf;

/// Hive/Spark SQL over directories of Parquet files.
#[derive(Debug, clap::Parser)]
#[command(name = "skep", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    /// SQL to run; may hold several statements. Without SQL: the shell on a terminal, else standard input
    #[arg(value_name = "SQL", conflicts_with_all = ["execute", "file"])]
    pub sql: Vec<String>,

    /// SQL to run; may be given several times
    #[arg(short = 'e', short_alias = 'c', long, value_name = "SQL", allow_hyphen_values = true, conflicts_with = "file")]
    pub execute: Vec<String>,

    /// File of SQL to run; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<PathBuf>,

    /// Make a file, directory or glob known as a table; may be given several times
    #[arg(short, long, value_name = "NAME=PATH", value_parser = pair)]
    pub table: Vec<(String, String)>,

    /// Directory of databases and tables [default: $SKEP_WAREHOUSE, or warehouse]
    #[arg(long, value_name = "DIR")]
    pub warehouse: Option<PathBuf>,

    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Write results to FILE, which appears when every statement has succeeded
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Threads that run queries [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,

    /// Memory that queries may use before they spill, as 512MiB or 4g
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory_limit: Option<usize>,

    /// Change a setting; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,

    /// Print rows and seconds of each query on standard error
    #[arg(long)]
    pub timing: bool,

    /// What NULL looks like
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub null_value: Option<String>,

    /// Leave out column names (csv, tsv, table)
    #[arg(long)]
    pub no_header: bool,

    /// With `run SCRIPT`: skip statements whose tables are made already, from the same files
    #[arg(long)]
    pub resume: bool,

    /// With `run SCRIPT`: say what would run and by which plan
    #[arg(long)]
    pub dry_run: bool,
}

impl Args {
    /// The script of `skep run SCRIPT`.
    pub fn script(&self) -> Option<&str> {
        match self.sql.as_slice() {
            [run, script] if run == "run" => Some(script),
            _ => None,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  skep -e \"SELECT count(*) FROM 'data/*.parquet'\"
  skep --table sales=warehouse/sales --format csv -f report.sql --output report.csv
  echo 'SELECT 1' | skep --format json
  skep run nightly.sql --resume
Exit codes: 0 fine, 1 a query failed, 2 the command line is wrong, 130 interrupted";

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.is_empty() => Ok((name.trim().into(), value.into())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

/// A number of bytes with an optional unit; all units are powers of 1024.
fn bytes(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(format!("unknown unit '{}': use KiB, MiB, GiB or TiB", unit.trim())),
    };
    let number: f64 = number.parse().map_err(|_| "expected a size like 512MiB or 4g".to_string())?;
    let bytes = number * (1u64 << shift) as f64;
    if bytes >= 1.0 && bytes < usize::MAX as f64 { Ok(bytes as usize) } else { Err("the size is out of range".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1g", Some(1 << 30)),
            ("512MiB", Some(512 << 20)),
            ("512 mb", Some(512 << 20)),
            ("1.5k", Some(1536)),
            ("4096", Some(4096)),
            ("10B", Some(10)),
            ("", None),
            ("g", None),
            ("0", None),
            ("1x", None),
            ("-1g", None),
            ("99999999999999t", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_goes_together() {
        let args = |text: &str| Args::try_parse_from(text.split(' '));
        let parsed = args("skep -e a -c b --table t=x=y --set k=v --threads 2").unwrap();
        assert_eq!(parsed.execute, ["a", "b"]);
        assert_eq!(parsed.table, [("t".to_string(), "x=y".to_string())]);
        assert!(args("skep -e a -f b").is_err());
        assert!(args("skep a -f b").is_err());
        assert!(args("skep --table t").is_err());
        assert!(args("skep --threads 0").is_err());
        assert!(args("skep --format nonsense").is_err());
    }
}
