//! Warehouses between processes: what one leaves the next finds, also after a kill.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

fn skep(warehouse: &PathBuf, sql: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
    command.args(["--format", "csv", "--no-header", "--warehouse"]).arg(warehouse).args(["-e", sql]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

#[track_caller]
fn answer(warehouse: &PathBuf, sql: &str) -> String {
    let output = skep(warehouse, sql).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{sql}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tables_outlive_their_process() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("wh");
    assert_eq!(answer(&warehouse, "SHOW TABLES; SELECT 1"), "1\n");
    assert!(!warehouse.exists(), "nothing is made before it is needed");
    answer(&warehouse, "CREATE TABLE t (a INT, p STRING) PARTITIONED BY (p); INSERT INTO t VALUES (1, 'x'), (2, 'y/z')");
    assert_eq!(answer(&warehouse, "SELECT a, p FROM t ORDER BY a"), "1,x\n2,y/z\n");
    assert!(warehouse.join("t/p=y%2Fz").is_dir());
    let statement = "\"CREATE TABLE spark_catalog.default.t (\n  a INT,\n  p STRING)\nUSING parquet\nPARTITIONED BY (p)\n\"\n";
    assert_eq!(answer(&warehouse, "SHOW CREATE TABLE t"), statement);
    let text = std::fs::read_to_string(warehouse.join("t/.skep.json")).unwrap();
    assert!(text.contains("\"partition_columns\""), "{text}");
    assert_eq!(answer(&warehouse, "DROP TABLE t; SHOW TABLES"), "");
    assert_eq!(std::fs::read_dir(&warehouse).unwrap().count(), 0);
}

/// Kills in the test of kills; SKEP_LONG_TESTS=1 makes them 500.
fn kills() -> u32 {
    if std::env::var_os("SKEP_LONG_TESTS").is_some() { 500 } else { 20 }
}

#[test]
fn kills_leave_the_old_rows_or_the_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("wh");
    let rows = "SELECT l_orderkey AS k, l_linenumber AS p FROM 'testdata/tpch/lineitem.parquet'";
    answer(&warehouse, &format!("CREATE TABLE t PARTITIONED BY (p) AS {rows}"));
    let sum = |warehouse| answer(warehouse, "SELECT count(*), sum(k) FROM t");
    let both = [sum(&warehouse), {
        answer(&warehouse, &format!("INSERT OVERWRITE t SELECT -k, p FROM ({rows})"));
        sum(&warehouse)
    }];
    assert_ne!(both[0], both[1]);
    let seed = 7;
    let mut random = StdRng::seed_from_u64(seed);
    let done = AtomicBool::new(false);
    let reads = AtomicU32::new(0);
    std::thread::scope(|scope| {
        // Readers beside the writers: each answer is one version, whole. A table that is replaced
        // between planning and reading is an error that says so, never half an answer.
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let output = skep(&warehouse, "SELECT count(*), sum(k) FROM t").output().unwrap();
                    let (found, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                    if output.status.success() {
                        assert!(both.iter().any(|one| *one == found), "a reader saw {found:?}, neither of {both:?}; seed {seed}");
                        reads.fetch_add(1, Ordering::Relaxed);
                    } else {
                        assert!(error.contains("run the query again") || error.contains("No such file"), "{error}");
                    }
                }
            });
        }
        let start = Instant::now();
        answer(&warehouse, &format!("INSERT OVERWRITE t {rows}"));
        let whole = start.elapsed();
        for kill in 0..kills() {
            let sign = if kill % 2 == 0 { "-" } else { "" };
            let overwrite = format!("INSERT OVERWRITE t SELECT {sign}k, p FROM ({rows})");
            let mut writer = skep(&warehouse, &overwrite).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // From before the first file to after the last move.
            std::thread::sleep(whole.mul_f64(random.random_range(0.1..1.2)));
            writer.kill().unwrap();
            writer.wait().unwrap();
            let found = sum(&warehouse);
            assert!(both.contains(&found), "kill {kill}: {found:?} is neither of {both:?}; seed {seed}");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 0);
    answer(&warehouse, &format!("INSERT OVERWRITE t {rows}"));
    let names: Vec<_> = std::fs::read_dir(&warehouse).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["t"], "nothing is left over");
}

#[test]
fn scripts_are_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("wh");
    let input = folder.path().join("in.parquet");
    let script = folder.path().join("nightly.sql");
    let make = |rows: &str| {
        answer(&warehouse, &format!("COPY (SELECT * FROM VALUES {rows} AS v(a)) TO '{}' (OVERWRITE)", input.display()))
    };
    let run = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
        command.arg("--warehouse").arg(&warehouse).arg("run").arg(&script).args(options).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let steps = |last: &str| {
        let text = format!(
            "CREATE TABLE one AS SELECT a FROM '{}';\nCREATE TABLE IF NOT EXISTS two (s BIGINT);\n\
             INSERT OVERWRITE two SELECT sum(a) FROM one;\nCREATE TABLE three AS SELECT {last} AS s FROM two;\n",
            input.display()
        );
        std::fs::write(&script, text).unwrap();
    };
    make("(1), (2)");
    // The last step fails: what came before is done.
    steps("raise_error('no')");
    let (good, _, told) = run(&["--resume"]);
    assert!(!good && told.matches("ran: ").count() == 3, "{told}");
    steps("s + 1");
    let (_, plans, _) = run(&["--resume", "--dry-run"]);
    assert_eq!((plans.matches("would skip: ").count(), plans.matches("would run: ").count()), (2, 2), "{plans}");
    assert!(plans.contains("Scan"), "{plans}");
    let (good, _, told) = run(&["--resume"]);
    assert!(good, "{told}");
    assert_eq!(told.matches("skipped: ").count(), 2, "{told}");
    assert_eq!(answer(&warehouse, "SELECT s FROM three"), "4\n");
    let (_, _, told) = run(&["--resume"]);
    assert_eq!(told.matches("skipped: ").count(), 3, "{told}");
    // Another input, other settings, an output that was changed: run again.
    make("(1), (2), (3)");
    let (good, _, told) = run(&["--resume"]);
    assert!(good && told.matches("skipped: ").count() == 0, "{told}");
    assert_eq!(answer(&warehouse, "SELECT s FROM three"), "7\n");
    answer(&warehouse, "INSERT INTO two VALUES (100)");
    let (_, _, told) = run(&["--resume"]);
    assert_eq!(told.matches("skipped: ").count(), 1, "{told}");
    assert_eq!(answer(&warehouse, "SELECT s FROM three"), "7\n");
    std::fs::write(&script, "INSERT INTO two SELECT 1").unwrap();
    let (good, _, told) = run(&["--resume"]);
    assert!(!good && told.contains("INSERT INTO in a script to be resumed"), "{told}");
}

#[test]
fn two_processes_do_not_lose_each_others_rows() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("wh");
    answer(&warehouse, "CREATE TABLE t (a INT)");
    let inserts: String = (0..5).map(|n| format!("INSERT INTO t VALUES ({n});")).collect();
    let writers: Vec<_> = (0..3).map(|_| skep(&warehouse, &inserts).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(answer(&warehouse, "SELECT count(*), sum(a) FROM t"), "15,30\n");
}
