//! The command as a user meets it: formats, exit codes, what goes to which stream.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const REGION: &str = "region=testdata/tpch/region.parquet";

fn skep(args: &[&str], input: Option<&str>) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_skep"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that fails early does not read what it is sent.
    let _ = stdin.write_all(input.unwrap_or_default().as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Standard output of a run that must succeed and say nothing on standard error.
#[track_caller]
fn answer(args: &[&str]) -> String {
    let output = skep(args, None);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{args:?}: {out}");
    out
}

/// Standard error of a run that must fail with `code` and print `out` before.
#[track_caller]
fn failure(args: &[&str], code: i32, out: &str) -> String {
    let output = skep(args, None);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), out), "{args:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file name in a folder of this test's own.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn formats() {
    let sql = "SELECT r_regionkey AS k, r_name AS n, CAST(1.50 AS DECIMAL(4, 2)) AS d, NULL AS x FROM region WHERE r_regionkey < 2 ORDER BY k";
    let run = |format: &str| answer(&["--table", REGION, "--format", format, "-e", sql]);
    assert_eq!(run("csv"), "k,n,d,x\n0,AFRICA,1.50,\n1,AMERICA,1.50,\n");
    assert_eq!(run("tsv"), "k\tn\td\tx\n0\tAFRICA\t1.50\tNULL\n1\tAMERICA\t1.50\tNULL\n");
    assert_eq!(
        run("json"),
        "[{\"k\":0,\"n\":\"AFRICA\",\"d\":1.50,\"x\":null},\n {\"k\":1,\"n\":\"AMERICA\",\"d\":1.50,\"x\":null}]\n"
    );
    assert_eq!(
        run("ndjson"),
        "{\"k\":0,\"n\":\"AFRICA\",\"d\":1.50,\"x\":null}\n{\"k\":1,\"n\":\"AMERICA\",\"d\":1.50,\"x\":null}\n"
    );
    assert_eq!(
        run("markdown"),
        "| k | n | d | x |\n| ---: | :--- | ---: | :--- |\n| 0 | AFRICA | 1.50 | NULL |\n| 1 | AMERICA | 1.50 | NULL |\n"
    );
    assert_eq!(
        run("vertical"),
        "-[ RECORD 1 ]-\nk | 0\nn | AFRICA\nd | 1.50\nx | NULL\n-[ RECORD 2 ]-\nk | 1\nn | AMERICA\nd | 1.50\nx | NULL\n"
    );
    let table = "\
┌───┬─────────┬──────┬──────┐
│ k │ n       │    d │ x    │
├───┼─────────┼──────┼──────┤
│ 0 │ AFRICA  │ 1.50 │ NULL │
│ 1 │ AMERICA │ 1.50 │ NULL │
└───┴─────────┴──────┴──────┘
";
    assert_eq!(run("table"), table);
}

#[test]
fn values_of_every_type() {
    let sql = "SELECT * FROM 'testdata/odd/types.parquet' WHERE id < 3 ORDER BY id";
    let expected = "\
id,flag,tiny,small,whole,big,real,double,dec9,dec18,dec38,day,moment,instant,text,bytes
1,true,-128,-32768,-2147483648,-9223372036854775808,1.5,0.1,1.25,12345678901234.5678,1234567890123456789012345678.0123456789,\
1970-01-01,2024-02-29 12:34:56.789012,2024-02-29 12:34:56.789012,plain,00FF
2,false,127,32767,2147483647,9223372036854775807,Infinity,NaN,-9999999.99,-0.0001,-0.5000000000,\
1600-02-29,1969-12-31 23:59:59,1969-12-31 23:59:59,\"comma, \"\"quote\"\"\nline\",\"\"
";
    assert_eq!(answer(&["--format", "csv", "-e", sql]), expected);
}

#[test]
fn nulls_and_headers() {
    let csv = |more: &[&str]| answer(&[&["--format", "csv", "-e", "SELECT NULL AS a, '' AS b"], more].concat());
    assert_eq!(csv(&[]), "a,b\n,\"\"\n");
    assert_eq!(csv(&["--null-value", "\\N", "--no-header"]), "\\N,\n");
    assert_eq!(
        answer(&["--format", "csv", "-e", "SELECT r_name FROM 'testdata/tpch/region.parquet' WHERE r_regionkey > 99"]),
        "r_name\n"
    );
    assert_eq!(answer(&["--format", "json", "-e", "SELECT 1 AS x LIMIT 0"]), "[]\n");
}

#[test]
fn sql_from_everywhere() {
    let expected = "x\n1\ny\n2\n";
    assert_eq!(answer(&["--format", "csv", "-e", "SELECT 1 AS x; SELECT 2 AS y;"]), expected);
    assert_eq!(answer(&["--format", "csv", "-e", "SELECT 1 AS x", "-c", "SELECT 2 AS y"]), expected);
    assert_eq!(answer(&["--format", "csv", "SELECT 1 AS x; SELECT 2 AS y"]), expected);
    let file = scratch("sources").join("q.sql");
    std::fs::write(&file, "-- two; statements\nSELECT 1 AS x;\nSELECT 2 AS y").unwrap();
    assert_eq!(answer(&["--format", "csv", "-f", file.to_str().unwrap()]), expected);
    for args in [&["--format", "csv"][..], &["--format", "csv", "-f", "-"]] {
        let output = skep(args, Some("SELECT 1 AS x; SELECT 2 AS y;"));
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), expected), "{args:?}");
    }
    assert_eq!(answer(&["-e", ""]), "");
}

#[test]
fn a_failing_statement_ends_the_run() {
    let args = ["--format", "csv", "-e", "SELECT 1 AS x; SELECT nme FROM region; SELECT 3 AS z", "--table", REGION];
    let err = failure(&args, 1, "x\n1\n");
    assert!(err.starts_with("error: ") && err.contains("nme"), "{err}");
    assert!(err.contains("--> line 1, column 23"), "{err}");
    let lines: Vec<&str> = err.lines().collect();
    let source = lines.iter().position(|line| line.contains("SELECT nme")).unwrap();
    assert_eq!(lines[source + 1].find('^'), lines[source].find("nme"), "{err}");
}

#[test]
fn errors_while_running_are_failures() {
    let err = failure(&["-e", "SELECT r_regionkey DIV (r_regionkey - r_regionkey) FROM region", "--table", REGION], 1, "");
    assert!(err.to_lowercase().contains("zero"), "{err}");
}

#[test]
fn bad_files_are_named() {
    for file in ["testdata/odd/truncated.parquet", "testdata/odd/not_parquet.parquet", "testdata/no/such.parquet"] {
        let err = failure(&["-e", &format!("SELECT * FROM '{file}'")], 1, "");
        assert!(err.contains(file), "{err}");
        let err = failure(&["--table", &format!("t={file}"), "-e", "SELECT * FROM t"], 1, "");
        assert!(err.contains(file), "{err}");
    }
    let err = failure(&["-f", "no-such-file.sql"], 1, "");
    assert!(err.contains("no-such-file.sql"), "{err}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for args in [
        &["--nonsense"][..],
        &["--format", "nonsense", "-e", "SELECT 1"],
        &["-e", "SELECT 1", "-f", "q.sql"],
        &["--table", "t", "-e", "SELECT 1"],
        &["--memory-limit", "1parsec", "-e", "SELECT 1"],
        &["--threads", "0", "-e", "SELECT 1"],
        &["--set", "skep.nonsense=1", "-e", "SELECT 1"],
    ] {
        let err = failure(args, 2, "");
        assert!(err.starts_with("error: "), "{err}");
    }
    assert!(answer(&["--help"]).contains("--memory-limit"));
    assert!(answer(&["--version"]).starts_with("skep "));
}

#[test]
fn settings_reach_the_engine() {
    let args = ["--threads", "1", "--memory-limit", "512MiB", "--set", "skep.execution.chunk_rows=3", "--format", "csv"];
    let sql = "SELECT count(*) AS n FROM 'testdata/tpch/lineitem.parquet'";
    assert_eq!(answer(&[&args[..], &["-e", sql]].concat()), "n\n60175\n");
}

#[test]
fn timing_goes_to_standard_error() {
    let output = skep(&["--timing", "--format", "csv", "-e", "SELECT 1 AS x; SELECT 2 AS y"], None);
    assert_eq!(text(&output.stdout), "x\n1\ny\n2\n");
    let err = text(&output.stderr);
    assert_eq!(err.matches("1 row (").count(), 2, "{err}");
}

#[test]
fn an_output_file_is_whole_or_not_there() {
    let folder = scratch("output");
    let file = folder.join("r.csv");
    let path = file.to_str().unwrap();
    assert_eq!(answer(&["--format", "csv", "-o", path, "-e", "SELECT 1 AS x"]), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n1\n");
    // A run that fails leaves what was there.
    failure(&["--format", "csv", "-o", path, "-e", "SELECT 2 AS x; SELECT nope"], 1, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n1\n");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing temporary is left");
    answer(&["--format", "csv", "-o", path, "-e", "SELECT 3 AS x"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n3\n");
    let nowhere = folder.join("no/such/r.csv");
    let err = failure(&["-o", nowhere.to_str().unwrap(), "-e", "SELECT 1"], 1, "");
    assert!(err.contains("no/such"), "{err}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_skep"))
        .args(["--format", "csv", "-e", "SELECT * FROM 'testdata/tpch/lineitem.parquet'"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn text_files_are_tables() {
    let folder = scratch("text-files");
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("a.csv"), "id,name\n1,Ann\n2,\"Bob, B\"\n").unwrap();
    std::fs::write(path("b.ndjson"), "{\"id\":2,\"n\":7}\n{\"id\":3,\"n\":8}\n").unwrap();
    let (a, b) = (format!("a={}", path("a.csv")), format!("b={}", path("b.ndjson")));
    let sql = "SELECT name, n FROM a JOIN b ON a.id = b.id";
    assert_eq!(answer(&["--table", &a, "--table", &b, "--format", "csv", "-e", sql]), "name,n\n\"Bob, B\",7\n");
    // Beyond what is looked at to find the types a value does not fit: where it stands is told.
    let mut text = "n\n".to_owned() + &"1234567\n".repeat(500_000);
    text += "oops\n";
    text += &"1234567\n".repeat(100_000);
    std::fs::write(path("c.csv"), text).unwrap();
    let error = failure(&["-e", &format!("SELECT sum(n) FROM '{}'", path("c.csv"))], 1, "");
    assert!(error.contains("line 500002: 'oops' is no INT") && error.contains("c.csv, column n"), "{error}");
    assert!(error.contains("hint: the columns were guessed"), "{error}");
}

/// A table of more files than the process may have open: they are planned and scanned one after the
/// other.
#[test]
fn more_files_than_may_be_open() {
    let folder = scratch("many");
    let files = 1500;
    for number in 0..files {
        std::fs::copy("testdata/tpch/region.parquet", folder.join(format!("{number}.parquet"))).unwrap();
    }
    let table = format!("t={}", folder.display());
    let sql = "SELECT count(*), sum(r_regionkey), min(r_name), max(r_name) FROM t WHERE r_regionkey <> 2";
    for _ in 0..2 {
        let output = Command::new("sh")
            .args(["-c", "ulimit -n 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_skep")])
            .args(["--table", &table, "--format", "csv", "-e", sql])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let rows = out.lines().nth(1);
        assert_eq!(rows, Some(format!("{},{},AFRICA,MIDDLE EAST", files * 4, files * 8).as_str()), "{out}{err}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
