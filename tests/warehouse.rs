//! Warehouses between processes: what one leaves the next finds, also after a kill.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
    let whole = {
        let start = Instant::now();
        answer(&warehouse, &format!("INSERT OVERWRITE t {rows}"));
        start.elapsed()
    };
    for kill in 0..20u32 {
        let sign = if kill % 2 == 0 { "-" } else { "" };
        let overwrite = format!("INSERT OVERWRITE t SELECT {sign}k, p FROM ({rows})");
        let mut writer = skep(&warehouse, &overwrite).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From before the first file to after the last move, in steps that no run repeats.
        std::thread::sleep(whole.mul_f64(0.3 + 0.04 * f64::from(kill)) + Duration::from_millis(u64::from(kill % 3)));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let found = sum(&warehouse);
        assert!(both.contains(&found), "kill {kill}: {found:?} is neither of {both:?}");
    }
    answer(&warehouse, &format!("INSERT OVERWRITE t {rows}"));
    let names: Vec<_> = std::fs::read_dir(&warehouse).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["t"], "nothing is left over");
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
