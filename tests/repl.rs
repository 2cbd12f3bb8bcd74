//! The shell on a pseudo-terminal.
#![cfg(unix)]

use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for anything expected; generous for loaded machines.
const WAIT_MS: u64 = 60_000;

/// A query that would run for hours.
const ENDLESS: &str = "SELECT count(*) FROM 'testdata/tpch/lineitem.parquet' a, 'testdata/tpch/lineitem.parquet' b, \
                       'testdata/tpch/lineitem.parquet' c WHERE a.l_comment < b.l_comment AND b.l_comment < c.l_comment;";

fn history(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("repl-{name}.history"))
}

fn shell(name: &str) -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
    command.args(["--table", "region=testdata/tpch/region.parquet", "--threads", "2"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("TERM", "xterm").env("SKEP_HISTORY", history(name));
    let options = Options::new().timeout_ms(Some(WAIT_MS)).strip_ansi_escape_codes(true);
    let mut session = spawn_with_options(command, options).unwrap();
    session.exp_string("skep> ").unwrap();
    session
}

fn fresh_shell(name: &str) -> PtySession {
    let _ = std::fs::remove_file(history(name));
    shell(name)
}

#[test]
fn statements_over_several_lines_and_errors() {
    let mut session = fresh_shell("lines");
    session.send_line("SELECT 'a;b' AS s,").unwrap();
    session.send_line("  40 + 2 AS n -- not yet ;").unwrap();
    session.send_line(";").unwrap();
    session.exp_regex(r"a;b[^0-9]+42[^0-9]").unwrap();
    session.exp_regex(r"1 row \([0-9.]+ s\)").unwrap();
    session.send_line("SELECT nope FROM region;").unwrap();
    session.exp_string("error: ").unwrap();
    session.exp_string("^").unwrap();
    session.send_line("SELECT count(*) AS after FROM region;").unwrap();
    session.exp_regex(r"[^0-9]5[^0-9]").unwrap();
    session.send_line(".tables").unwrap();
    session.exp_string("region").unwrap();
    session.send_line("help").unwrap();
    session.exp_string("Ctrl-C").unwrap();
    session.send_line("quit").unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn ctrl_c_ends_the_query_and_not_the_shell() {
    let mut session = fresh_shell("ctrl-c");
    // At the prompt it clears the line.
    session.send("SELECT gone").unwrap();
    session.flush().unwrap();
    session.send_control('c').unwrap();
    session.exp_string("skep> ").unwrap();
    session.send_line(ENDLESS).unwrap();
    session.exp_string(";").unwrap();
    // Time to plan and start.
    std::thread::sleep(Duration::from_secs(2));
    session.send_control('c').unwrap();
    let asked = Instant::now();
    session.exp_string("cancelled").unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "took {:?}", asked.elapsed());
    session.send_line("SELECT 6 * 7 AS n;").unwrap();
    session.exp_regex(r"[^0-9]42[^0-9]").unwrap();
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn history_is_kept() {
    let mut session = fresh_shell("history");
    session.send_line("SELECT 1234567 + 1 AS n;").unwrap();
    session.exp_string("1234568").unwrap();
    session.exp_string("skep> ").unwrap();
    session.send_line("exit").unwrap();
    session.exp_eof().unwrap();
    let kept = std::fs::read_to_string(history("history")).unwrap();
    assert!(kept.contains("SELECT 1234567 + 1 AS n;"), "{kept}");
    let mut session = shell("history");
    // Up twice: the last entry is exit.
    session.send("\x1b[A\x1b[A\r").unwrap();
    session.flush().unwrap();
    session.exp_string("1234568").unwrap();
    session.send_line("\\q").unwrap();
    session.exp_eof().unwrap();
}
