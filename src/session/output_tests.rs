//! Outputs through SQL, and what is left when writing fails at any operation.

use crate::Engine;
use crate::disk::Disk;
use crate::disk::faults::{Fault, Faults};
use crate::output::recover;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn engine(disk: Disk) -> Engine {
    Engine::builder().threads(1).disk(disk).build().unwrap()
}

fn run(engine: &Engine, sql: &str) -> crate::Result<()> {
    for outcome in engine.session().execute(sql) {
        outcome?;
    }
    Ok(())
}

/// Number of rows and the sum of `n` in `path`; none when there is nothing.
fn content(engine: &Engine, path: &Path) -> Option<(i64, i64)> {
    if !path.exists() {
        return None;
    }
    let sql = format!("SELECT count(*), coalesce(sum(n), 0L) FROM '{}'", path.display());
    let batch = engine.query(&sql).unwrap().next().unwrap().unwrap();
    let value = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(0);
    Some((value(0), value(1)))
}

/// All files and directories below `root`, relative to it.
fn tree(root: &Path) -> BTreeSet<PathBuf> {
    fn walk(directory: &Path, root: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            }
            found.insert(path.strip_prefix(root).unwrap().to_path_buf());
        }
    }
    let mut found = BTreeSet::new();
    walk(root, root, &mut found);
    found
}

/// Runs `sql` with every fault at every operation. `{}` in it is the target below a fresh directory
/// in which `before` was run. Afterwards the target must hold what it held, or what it would hold
/// without faults, and nothing else may lie about.
fn survives(name: &str, before: &str, sql: &str) {
    let healthy = engine(Disk::default());
    let run_in =
        |root: &Path, engine: &Engine, sql: &str| run(engine, &sql.replace("{}", &root.join(name).display().to_string()));
    let reference = tempfile::tempdir().unwrap();
    run_in(reference.path(), &healthy, before).unwrap();
    let target = reference.path().join(name);
    let (old, old_files) = (content(&healthy, &target), tree(reference.path()).len());
    run_in(reference.path(), &healthy, sql).unwrap();
    let (new, new_files) = (content(&healthy, &target), tree(reference.path()).len());
    assert_ne!(old, new);
    let mut outcomes = BTreeSet::new();
    for fault in [Fault::Kill, Fault::Once(libc::EIO), Fault::Once(libc::ENOSPC)] {
        for at in 0.. {
            let root = tempfile::tempdir().unwrap();
            run_in(root.path(), &healthy, before).unwrap();
            let faults = Faults::at(at, fault);
            let result = run_in(root.path(), &engine(Disk::new(Arc::new(faults.clone()))), sql);
            let place = format!("{fault:?} at operation {at}: {result:?}");
            recover(&Disk::default(), root.path()).unwrap();
            let found = content(&healthy, &root.path().join(name));
            let left = tree(root.path());
            if result.is_ok() {
                assert_eq!(found, new, "{place}");
            }
            assert!(found == old || found == new, "{place}: {found:?} is neither {old:?} nor {new:?}");
            let files = if found == new { new_files } else { old_files };
            assert_eq!(left.len(), files, "{place}: {left:?}");
            outcomes.insert(found == new);
            if !faults.happened() {
                assert!(result.is_ok(), "{place}");
                break;
            }
        }
    }
    assert_eq!(outcomes.len(), 2, "some faults come before the commit, some after");
}

const OLD: &str = "COPY (SELECT * FROM VALUES (1L, 'x'), (2L, 'y') AS v(n, k)) TO '{}'";
const NEW: &str = "(SELECT * FROM VALUES (10L, 'x'), (20L, 'z'), (30L, 'z') AS v(n, k))";

#[test]
fn a_new_directory_survives_every_fault() {
    survives("t", "SELECT 1", &format!("COPY {NEW} TO '{{}}'"));
}

#[test]
fn a_replaced_directory_survives_every_fault() {
    survives("t", OLD, &format!("COPY {NEW} TO '{{}}' (PARTITION BY (k), OVERWRITE)"));
}

#[test]
fn a_replaced_file_survives_every_fault() {
    survives("t.parquet", OLD, &format!("COPY {NEW} TO '{{}}' (OVERWRITE)"));
}

/// The same for statements on a table `t` of a warehouse that is the fresh directory.
fn table_survives(before: &str, sql: &str) {
    let warehouse = |root: &Path, disk: Disk| Engine::builder().threads(1).disk(disk).warehouse(root).build().unwrap();
    let state = |root: &Path| {
        let engine = warehouse(root, Disk::default());
        let rows = engine.query("SELECT n, k FROM t ORDER BY n").and_then(|rows| rows.collect_batches());
        let rows = rows.map(|batches| format!("{batches:?}")).map_err(|error| error.message().to_owned());
        let partitions = engine.query("SHOW PARTITIONS t").and_then(|rows| rows.collect_batches()).ok();
        (rows, format!("{partitions:?}"))
    };
    let made = |sql: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        let engine = warehouse(root.path(), Disk::default());
        sql.iter().for_each(|sql| run(&engine, sql).unwrap());
        let state = state(root.path());
        (state, tree(root.path()).len(), root)
    };
    let ((old, old_files, _), (new, new_files, _)) = (made(&[before]), made(&[before, sql]));
    assert_ne!(old, new);
    let mut outcomes = BTreeSet::new();
    for fault in [Fault::Kill, Fault::Once(libc::EIO), Fault::Once(libc::ENOSPC)] {
        for at in 0.. {
            let (_, _, root) = made(&[before]);
            let faults = Faults::at(at, fault);
            let result = run(&warehouse(root.path(), Disk::new(Arc::new(faults.clone()))), sql);
            let place = format!("{fault:?} at operation {at} of {sql}: {result:?}");
            // The next access finishes what was committed; a sweep removes what was not.
            let found = state(root.path());
            recover(&Disk::default(), root.path()).unwrap();
            if result.is_ok() {
                assert_eq!(found, new, "{place}");
            }
            assert!(found == old || found == new, "{place}: {found:?} is neither {old:?} nor {new:?}");
            let left = tree(root.path());
            let files = if found == new { new_files } else { old_files };
            assert_eq!(left.len(), files, "{place}: {left:?}");
            outcomes.insert(found == new);
            if !faults.happened() {
                assert!(result.is_ok(), "{place}");
                break;
            }
        }
    }
    assert_eq!(outcomes.len(), 2, "some faults come before the commit, some after");
}

const TABLE: &str = "CREATE TABLE t PARTITIONED BY (k) AS SELECT * FROM VALUES (1L, 'x'), (2L, 'y') AS v(n, k)";

#[test]
fn a_table_made_survives_every_fault() {
    table_survives("SELECT 1", TABLE);
}

#[test]
fn inserting_survives_every_fault() {
    table_survives(TABLE, &format!("INSERT INTO t {NEW}"));
}

#[test]
fn overwriting_survives_every_fault() {
    table_survives(TABLE, &format!("INSERT OVERWRITE t {NEW}"));
}

#[test]
fn overwriting_a_partition_survives_every_fault() {
    table_survives(TABLE, "INSERT OVERWRITE t PARTITION (k = 'x') SELECT 7L");
}

#[test]
fn overwriting_some_partitions_survives_every_fault() {
    table_survives(TABLE, &format!("SET skep.output.partition_overwrite = dynamic; INSERT OVERWRITE t {NEW}"));
}

#[test]
fn tables_of_other_formats_survive_every_fault() {
    let made = TABLE.replace("PARTITIONED", "USING csv OPTIONS (header true) PARTITIONED");
    table_survives("SELECT 1", &made);
    table_survives(&made, &format!("INSERT OVERWRITE t {NEW}"));
    table_survives(&TABLE.replace("PARTITIONED", "STORED AS AVRO PARTITIONED"), &format!("INSERT INTO t {NEW}"));
}

#[test]
fn buckets_survive_every_fault() {
    let clustered =
        "CREATE TABLE t CLUSTERED BY (n) SORTED BY (k) INTO 2 BUCKETS AS SELECT * FROM VALUES (1L, 'x'), (2L, 'y') AS v(n, k)";
    table_survives("SELECT 1", clustered);
    table_survives(clustered, &format!("INSERT OVERWRITE t {NEW}"));
}

#[test]
fn loading_survives_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet").display().to_string();
    run(&engine(Disk::default()), &format!("COPY (SELECT 7L AS n) TO '{path}'")).unwrap();
    table_survives(TABLE, &format!("LOAD DATA LOCAL INPATH '{path}' INTO TABLE t PARTITION (k = 'x')"));
    table_survives(TABLE, &format!("LOAD DATA LOCAL INPATH '{path}' OVERWRITE INTO TABLE t PARTITION (k = 'z')"));
}

#[test]
fn dropping_and_renaming_survive_every_fault() {
    table_survives(TABLE, "DROP TABLE t");
    table_survives(TABLE, "ALTER TABLE t DROP PARTITION (k = 'x')");
    table_survives(TABLE, "ALTER TABLE t PARTITION (k = 'x') RENAME TO PARTITION (k = 'z')");
    table_survives(TABLE, "TRUNCATE TABLE t");
}

#[test]
fn an_output_replaces_what_its_query_reads() {
    let root = tempfile::tempdir().unwrap();
    let engine = engine(Disk::default());
    let target = root.path().join("t");
    let path = target.display();
    run(&engine, &format!("COPY (SELECT 1L AS n) TO '{path}'")).unwrap();
    for round in 1..=3 {
        run(&engine, &format!("INSERT OVERWRITE DIRECTORY '{path}' USING parquet SELECT n * 2L AS n FROM '{path}'")).unwrap();
        assert_eq!(content(&engine, &target), Some((1, 1 << round)));
    }
    run(&engine, &format!("COPY (SELECT n FROM '{path}' WHERE false) TO '{path}' (OVERWRITE true)")).unwrap();
    assert_eq!(content(&engine, &target), Some((0, 0)));
}

#[test]
fn names_of_files_are_those_of_spark() {
    let root = tempfile::tempdir().unwrap();
    let engine = engine(Disk::default());
    let path = root.path().join("t").display().to_string();
    run(&engine, &format!("COPY {NEW} TO '{path}' (COMPRESSION zstd, COMPRESSION_LEVEL 5)")).unwrap();
    run(&engine, &format!("COPY {NEW} TO '{path}/../p' (PARTITION BY (k))")).unwrap();
    let names: Vec<String> = tree(root.path()).iter().map(|path| path.display().to_string()).collect();
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
    let expected = [
        "p".to_owned(),
        "p/_SUCCESS".to_owned(),
        "p/k=x".to_owned(),
        format!("p/k=x/part-00000-{uuid}.c000.snappy.parquet"),
        "p/k=z".to_owned(),
        format!("p/k=z/part-00000-{uuid}.c000.snappy.parquet"),
        "t".to_owned(),
        "t/_SUCCESS".to_owned(),
        format!("t/part-00000-{uuid}-c000.zstd.parquet"),
    ];
    assert_eq!(names.len(), expected.len(), "{names:?}");
    for (name, expected) in names.iter().zip(&expected) {
        assert!(regex::Regex::new(&format!("^{expected}$")).unwrap().is_match(name), "{name} is not {expected}");
    }
    let success = std::fs::read_to_string(root.path().join("t/_SUCCESS")).unwrap();
    let success: serde_json::Value = serde_json::from_str(&success).unwrap();
    assert_eq!(success["files"][0]["rows"], 3);
}

#[test]
fn many_partitions_stay_within_the_memory_limit() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("t").display().to_string();
    // SKEP_LONG_TESTS=1: 15,000 partitions instead of some hundreds.
    let key = if std::env::var_os("SKEP_LONG_TESTS").is_some() { "l_orderkey" } else { "l_suppkey * 7 + l_linenumber" };
    for (always_spill, limit) in [("false", "64MiB"), ("true", "1GiB")] {
        let engine = Engine::builder().threads(2);
        let engine = engine.set("skep.test.always_spill", always_spill).unwrap().set("skep.memory.limit", limit).unwrap();
        let engine = engine.build().unwrap();
        engine.register_path("lineitem", "testdata/tpch/lineitem.parquet").unwrap();
        let rows = format!("SELECT {key} AS k, l_orderkey AS n, l_comment FROM lineitem");
        run(&engine, &format!("COPY ({rows}) TO '{path}' (PARTITION BY (k), OVERWRITE)")).unwrap();
        let count = |sql: String| {
            let batch = engine.query(&sql).unwrap().next().unwrap().unwrap();
            batch.column(0).as_primitive::<Int64Type>().value(0)
        };
        let other = format!("SELECT CAST(k AS BIGINT) AS k, n, l_comment FROM '{path}' EXCEPT SELECT * FROM ({rows})");
        assert_eq!(count(format!("SELECT count(*) FROM ({other})")), 0, "rows that were not there");
        assert_eq!(count(format!("SELECT count(*) FROM '{path}'")), count("SELECT count(*) FROM lineitem".into()));
        assert!(tree(root.path()).len() > 500, "partitions are many");
    }
}

#[test]
fn what_is_more_than_an_output_is_not_replaced() {
    let root = tempfile::tempdir().unwrap();
    let engine = engine(Disk::default());
    let path = root.path().join("t");
    std::fs::create_dir_all(path.join(".git")).unwrap();
    for (sql, message) in [
        (format!("COPY {NEW} TO '{}'", path.display()), "exists"),
        (format!("COPY {NEW} TO '{}' (OVERWRITE)", path.display()), "more than an output"),
        (format!("COPY {NEW} TO '{}/none/of/.parquet' (FILE_SIZE_BYTES 5)", path.display()), "names one file"),
        (format!("COPY {NEW} TO '/' (OVERWRITE)"), "current directory"),
        (format!("COPY {NEW} TO '{}' (OVERWRITE)", std::env::current_dir().unwrap().display()), "current directory"),
    ] {
        let error = run(&engine, &sql).unwrap_err().to_string();
        assert!(error.contains(message), "{sql}: {error}");
    }
    assert!(path.join(".git").is_dir());
    assert_eq!(tree(root.path()).len(), 2);
}
