//! Bucketed and sorted files: what is written is where it should be, and is made use of.

use crate::Engine;
use crate::catalog::FileTable;
use crate::format::parquet::testing::read_in_order;
use crate::layout::bucket::{BucketHash, Names};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn engine(warehouse: &Path, settings: &[(&str, &str)]) -> Engine {
    let mut builder = Engine::builder().threads(2).warehouse(warehouse);
    for (name, value) in settings {
        builder = builder.set(name, value).unwrap();
    }
    let engine = builder.build().unwrap();
    engine.register_path("lineitem", "testdata/tpch/lineitem.parquet").unwrap();
    engine.register_path("orders", "testdata/tpch/orders.parquet").unwrap();
    engine
}

#[track_caller]
fn run(engine: &Engine, sql: &str) {
    for outcome in engine.session().execute(sql) {
        if let crate::OutcomeKind::Rows(rows) = outcome.unwrap_or_else(|error| panic!("{sql}: {error}")).kind {
            rows.collect_batches().unwrap();
        }
    }
}

/// The rows, and the plan with what happened.
#[track_caller]
fn query(engine: &Engine, sql: &str) -> (RecordBatch, String) {
    let mut stream = engine.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches: Vec<RecordBatch> = stream.by_ref().map(|batch| batch.unwrap()).collect();
    (concat_batches(&stream.schema(), &batches).unwrap(), stream.explain())
}

#[track_caller]
fn count(engine: &Engine, sql: &str) -> i64 {
    query(engine, sql).0.column(0).as_primitive::<Int64Type>().value(0)
}

/// The data files below a directory, relative to it.
fn files(root: &Path) -> Vec<PathBuf> {
    let table = FileTable::open(root.to_str().unwrap()).unwrap();
    table.files().iter().map(|file| file.path.strip_prefix(root).unwrap().to_path_buf()).collect()
}

/// Every row of every file is of the bucket in the file's name, and the file is sorted by `v`,
/// descending.
fn check_files(root: &Path, hash: BucketHash, names: Names, buckets: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for file in files(root) {
        let id = names.id(file.file_name().unwrap().to_str().unwrap()).unwrap();
        let rows = read_in_order(&root.join(&file), &["k", "v"]);
        let hashes = hash.hashes(&rows.columns()[..1], rows.num_rows()).unwrap();
        assert!(hashes.iter().all(|one| hash.bucket(*one, buckets) == id), "{}", file.display());
        let values = rows.column(1).as_primitive::<Int32Type>();
        assert_eq!(values.null_count(), 0);
        assert!(values.values().is_sorted_by(|a, b| a >= b), "{} is not sorted", file.display());
        found.insert(id);
    }
    found
}

const LINES: &str = "SELECT l_orderkey AS k, CAST(l_linenumber AS INT) AS v, l_comment AS c FROM lineitem";

#[test]
fn buckets_are_written_in_every_dialect_and_joined() {
    let cases = [
        ("", BucketHash::Spark, Names::Spark, "Spark's hash"),
        ("TBLPROPERTIES ('bucketing_version' = '1')", BucketHash::Hive1, Names::Hive, "Hive's hash, version 1"),
        ("TBLPROPERTIES ('bucketing_version' = '2')", BucketHash::Hive2, Names::Hive, "Hive's hash, version 2"),
    ];
    for spill in ["false", "true"] {
        for (properties, hash, names, words) in cases {
            let folder = tempfile::tempdir().unwrap();
            let own = [("skep.test.always_spill", spill), ("skep.join.strategy", "partitioned_hash")];
            let engine = engine(folder.path(), &own);
            let clauses = |sorted: &str, count: u32| format!("CLUSTERED BY (k) {sorted} INTO {count} BUCKETS {properties}");
            run(&engine, &format!("CREATE TABLE l {} AS {LINES}", clauses("SORTED BY (v DESC)", 8)));
            run(&engine, &format!("CREATE TABLE o (k BIGINT, s STRING) {}", clauses("", 4)));
            run(&engine, "INSERT INTO o SELECT o_orderkey, o_orderstatus FROM orders WHERE o_orderkey < 5000");
            run(&engine, "INSERT INTO o SELECT o_orderkey, o_orderstatus FROM orders WHERE o_orderkey >= 5000");
            assert_eq!(check_files(&folder.path().join("l"), hash, names, 8), (0..8).collect());
            assert_eq!(count(&engine, &format!("SELECT count(*) FROM (SELECT * FROM l EXCEPT {LINES})")), 0);
            let (rows, plan) = query(&engine, "SELECT count(*) FROM l JOIN o ON l.k = o.k");
            assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), count(&engine, "SELECT count(*) FROM lineitem"));
            for said in ["by 4 buckets", "parts 4", words] {
                assert!(plan.contains(said), "no '{said}' in\n{plan}");
            }
            // Memory that is never granted makes partitions spill, which is a switch too.
            assert!((spill == "true" || !plan.contains("switch")) && !plan.contains("warning"), "{plan}");
        }
    }
}

#[test]
fn sorted_files_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &[]);
    run(&engine, &format!("CREATE TABLE l CLUSTERED BY (k) SORTED BY (k, v DESC) INTO 4 BUCKETS AS {LINES}"));
    let table = FileTable::open(folder.path().join("l").to_str().unwrap()).unwrap();
    for file in table.files() {
        for group in 0..file.footer.row_groups() {
            let sorting = file.footer.sorting(group);
            let found: Vec<_> = sorting.iter().map(|by| (by.column, by.descending, by.nulls_first)).collect();
            assert_eq!(found, [(0, false, true), (1, true, false)]);
        }
    }
    assert_eq!(table.files().len(), 4, "one file a bucket");
    assert!(table.claimed_order(0).is_some());
}

#[test]
fn partitions_with_buckets_and_an_order_come_back() {
    for (spill, threads) in [("false", "2"), ("true", "2"), ("true", "1")] {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path(), &[("skep.test.always_spill", spill), ("skep.threads", threads)]);
        // NULL, the empty string and the name of NULL's directory are one partition.
        let rows = "SELECT l_orderkey AS k, CAST(l_linenumber AS INT) AS v, CASE l_linenumber WHEN 1 THEN NULL \
                    WHEN 2 THEN '' WHEN 3 THEN '__HIVE_DEFAULT_PARTITION__' ELSE l_shipmode END AS p FROM lineitem";
        run(&engine, &format!("CREATE TABLE t PARTITIONED BY (p) CLUSTERED BY (k) SORTED BY (v DESC) INTO 3 BUCKETS AS {rows}"));
        let partitions = files(&folder.path().join("t"));
        assert_eq!(partitions.len(), 8 * 3, "{partitions:?}");
        for partition in partitions.iter().map(|file| file.parent().unwrap()).collect::<BTreeSet<_>>() {
            let root = folder.path().join("t").join(partition);
            assert_eq!(check_files(&root, BucketHash::Spark, Names::Spark, 3).len(), 3);
        }
        let null =
            format!("SELECT k, v, CASE WHEN p IN ('', '__HIVE_DEFAULT_PARTITION__') THEN NULL ELSE p END AS p FROM ({rows})");
        assert_eq!(count(&engine, &format!("SELECT count(*) FROM (SELECT k, v, p FROM t EXCEPT {null})")), 0);
        assert_eq!(count(&engine, "SELECT count(*) FROM t"), count(&engine, "SELECT count(*) FROM lineitem"));
    }
}

#[test]
fn copy_clusters_and_sorts() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &[]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    run(&engine, &format!("COPY ({LINES}) TO '{}' (CLUSTER BY (k) INTO 5 BUCKETS, SORT BY (v DESC))", path("spark")));
    check_files(&folder.path().join("spark"), BucketHash::Spark, Names::Spark, 5);
    let hive = "(BUCKETING_VERSION 2, CLUSTER BY (k) INTO 5 BUCKETS, SORT BY (v DESC))";
    run(&engine, &format!("COPY ({LINES}) TO '{}' {hive}", path("hive")));
    check_files(&folder.path().join("hive"), BucketHash::Hive2, Names::Hive, 5);
    run(&engine, &format!("COPY ({LINES}) TO '{}' (SORT BY (k))", path("sorted")));
    let (_, plan) =
        query(&engine, &format!("SELECT count(*) FROM '{0}' a JOIN '{1}' b ON a.k = b.k", path("spark"), path("sorted")));
    assert!(plan.contains("Scan"), "{plan}");
    assert_eq!(files(&folder.path().join("sorted")).len(), 1);
    let sorted = FileTable::open(&path("sorted")).unwrap();
    assert!(sorted.claimed_order(0).is_some());
    assert_eq!(
        query(&engine, &format!("SELECT k FROM '{}'", path("sorted"))).0.num_rows() as i64,
        count(&engine, "SELECT count(*) FROM lineitem")
    );
}

#[test]
fn sorting_and_bucketing_stay_within_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &[("skep.memory.limit", "16MiB")]);
    let wide = "SELECT a.*, b.l_comment AS more FROM lineitem a JOIN lineitem b ON a.l_orderkey = b.l_orderkey \
                AND b.l_linenumber < 4";
    run(&engine, &format!("CREATE TABLE w CLUSTERED BY (l_partkey) SORTED BY (l_comment) INTO 7 BUCKETS AS {wide}"));
    assert_eq!(count(&engine, "SELECT count(*) FROM w"), count(&engine, &format!("SELECT count(*) FROM ({wide})")));
    assert_eq!(files(&folder.path().join("w")).len(), 7);
}

#[test]
fn odd_partition_values_come_back_and_stay_below_the_table() {
    use arrow::array::{Int64Array, StringArray};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    // SKEP_LONG_TESTS=1: 100,000 values.
    let values = if std::env::var_os("SKEP_LONG_TESTS").is_some() { 100_000 } else { 1500 };
    let mut random = StdRng::seed_from_u64(42);
    let odd: Vec<char> = "\0\u{1}\n\r/\\.%=:'\"{}[]^#*? aZ09\u{e9}\u{10FFFF}\u{202E}".chars().collect();
    let mut texts: BTreeSet<String> = BTreeSet::new();
    while texts.len() < values {
        let length = random.random_range(1..12);
        texts.insert((0..length).map(|_| odd[random.random_range(0..odd.len())]).collect());
    }
    let texts: Vec<String> = texts.into_iter().collect();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("warehouse");
    let engine = engine(&root, &[]);
    let batch = RecordBatch::try_from_iter([
        ("n", std::sync::Arc::new(Int64Array::from_iter_values(0..texts.len() as i64)) as arrow::array::ArrayRef),
        ("p", std::sync::Arc::new(StringArray::from(texts.clone()))),
    ]);
    engine.register_batches("odd", vec![batch.unwrap()]).unwrap();
    run(&engine, "CREATE TABLE t PARTITIONED BY (p) AS SELECT n, p FROM odd");
    let (rows, _) = query(&engine, "SELECT n, p FROM t ORDER BY n");
    assert_eq!(rows.num_rows(), texts.len());
    let (numbers, found) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_string_view());
    for (row, text) in texts.iter().enumerate() {
        assert_eq!((numbers.value(row), found.value(row)), (row as i64, text.as_str()));
    }
    let names = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(folder.path()), ["warehouse"]);
    assert_eq!(names(&root), ["t"]);
    assert_eq!(names(&root.join("t")).len(), texts.len() + 2, "a directory a value, _SUCCESS and .skep.json");
}

#[test]
fn several_inserts_read_their_source_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &[]);
    run(&engine, "CREATE TABLE a (k BIGINT); CREATE TABLE b (s STRING, n BIGINT)");
    let inserts = "FROM lineitem l INSERT INTO a SELECT l.l_orderkey WHERE l_linenumber = 1 \
                   INSERT INTO b SELECT l_shipmode, count(*) GROUP BY l_shipmode";
    let (plan, _) = query(&engine, &format!("EXPLAIN {inserts}"));
    let lines: Vec<&str> = plan.column(0).as_string_view().iter().flatten().collect();
    let plan = lines.join("\n");
    assert_eq!(
        (plan.matches("Scan ").count(), plan.matches("Shared 1").count(), plan.matches("Write ").count()),
        (1, 2, 2),
        "{plan}"
    );
    // Of sixteen columns three are wanted.
    assert!(!plan.contains("l_comment"), "{plan}");
    run(&engine, inserts);
    assert_eq!(count(&engine, "SELECT count(*) FROM a"), 15000);
    assert_eq!(count(&engine, "SELECT sum(n) FROM b"), 60175);
}

#[test]
fn counted_values_are_believed_while_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &[]);
    // Many row groups of the same values: footers alone cannot tell how many there are.
    run(&engine, "CREATE TABLE t (k STRING)");
    (0..4).for_each(|_| run(&engine, "INSERT INTO t SELECT l_comment FROM lineitem WHERE l_orderkey < 2000"));
    let groups = |engine: &Engine| {
        let (plan, _) = query(engine, "EXPLAIN SELECT k, count(*) FROM t GROUP BY k");
        let line = plan.column(0).as_string_view().iter().flatten().find(|line| line.contains("group by")).unwrap().to_owned();
        let rows = line.split("estimated ").nth(1).unwrap().split(" rows").next().unwrap().replace([' ', '\u{202f}', ','], "");
        rows.parse::<f64>().unwrap()
    };
    run(&engine, "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS k");
    let exact = count(&engine, "SELECT count(DISTINCT k) FROM t") as f64;
    let counted = groups(&engine);
    assert!((counted / exact - 1.0).abs() < 0.1, "{counted} groups are expected of {exact}");
    let described = |engine: &Engine| {
        let (rows, _) = query(engine, "DESCRIBE EXTENDED t");
        let names = rows.column(0).as_string_view();
        let at = (0..rows.num_rows()).find(|row| names.value(*row) == "Statistics").unwrap();
        rows.column(1).as_string_view().value(at).to_owned()
    };
    assert!(described(&engine).ends_with("rows"), "{}", described(&engine));
    run(&engine, "INSERT INTO t SELECT l_comment FROM lineitem");
    assert!(described(&engine).ends_with("(files have changed since)"), "{}", described(&engine));
}

#[test]
fn values_that_many_rows_have_are_counted() {
    use crate::catalog::Found;
    use crate::layout::KeyPoint;
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &[]);
    run(
        &engine,
        "CREATE TABLE t AS SELECT CASE WHEN id % 40 = 3 THEN 7 ELSE id + 1000000 END AS k, CAST(id % 3 AS STRING) AS s, \
                  CAST(id AS DECIMAL(12, 2)) AS d FROM range(400000) AS r(id)",
    );
    run(&engine, "ANALYZE TABLE t COMPUTE STATISTICS FOR ALL COLUMNS");
    let frequent = |engine: &Engine, column: usize| {
        let session = engine.session();
        let Some(Found::Table(table)) = engine.catalog().lookup(&session.config(), None, "t").unwrap() else { panic!() };
        let any: std::sync::Arc<dyn std::any::Any + Send + Sync> = table;
        std::sync::Arc::downcast::<FileTable>(any).unwrap().frequent(column)
    };
    assert_eq!(frequent(&engine, 0), [(KeyPoint::Int(7), 10_000.0)]);
    let texts: Vec<(KeyPoint, f64)> = [("0", 133_334.0), ("1", 133_333.0), ("2", 133_333.0)]
        .map(|(text, rows)| (KeyPoint::Text(text.as_bytes().into()), rows))
        .into();
    assert_eq!(frequent(&engine, 1), texts);
    assert_eq!(frequent(&engine, 2), []);
    // Other files: a sample is looked at.
    run(&engine, "INSERT INTO t SELECT 8, 'x', 0 FROM range(300000)");
    assert!(frequent(&engine, 0).iter().any(|(value, _)| *value == KeyPoint::Int(8)));
}
