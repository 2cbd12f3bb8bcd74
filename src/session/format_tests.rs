//! Tables of other formats than Parquet: what is written into them comes back, or is refused.

use crate::{Engine, ErrorKind};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::sync::Arc;

fn engine(warehouse: &Path, settings: &[(&str, &str)]) -> Engine {
    let mut builder = Engine::builder().threads(2).warehouse(warehouse);
    for (name, value) in settings {
        builder = builder.set(name, value).unwrap();
    }
    builder.build().unwrap()
}

fn run(engine: &Engine, sql: &str) -> crate::Result<()> {
    for outcome in engine.session().execute(sql) {
        outcome?;
    }
    Ok(())
}

#[track_caller]
fn count(engine: &Engine, sql: &str) -> i64 {
    let batch = engine.query(sql).unwrap().next().unwrap().unwrap();
    batch.column(0).as_primitive::<Int64Type>().value(0)
}

/// Formats whose tables hold every string, as CREATE TABLE says them.
const ALL_STRINGS: [&str; 9] = [
    "USING csv OPTIONS (multiLine true, lineSep '\\n')",
    "USING csv OPTIONS (multiLine true, lineSep '\\n', sep '|', quote '''', escape '''', nullValue 'nil', comment '#', header true)",
    "USING csv OPTIONS (multiLine true, lineSep '\\n', escape '\"', ignoreLeadingWhiteSpace true, ignoreTrailingWhiteSpace true)",
    "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' NULL DEFINED AS 'n\\\\l' STORED AS TEXTFILE",
    "USING json",
    "STORED AS AVRO",
    "USING avro OPTIONS (compression 'deflate')",
    "USING arrow OPTIONS (compression 'zstd')",
    "USING json OPTIONS (compression 'gzip')",
];

/// Strings of what is special anywhere; the empty one is NULL where NULL is nothing.
fn odd_strings(seed: u64, rows: usize) -> Vec<Option<String>> {
    let mut random = StdRng::seed_from_u64(seed);
    let odd: Vec<char> = "\n\r\t\\,|\"'#; anrN\u{e9}\u{10FFFF}{}[]:.%".chars().collect();
    let text = |random: &mut StdRng| -> String {
        let length = random.random_range(1..8);
        (0..length).map(|_| odd[random.random_range(0..odd.len())]).collect()
    };
    (0..rows).map(|_| (random.random_range(0..9) > 0).then(|| text(&mut random))).collect()
}

#[test]
fn odd_strings_come_back_from_every_format() {
    let (seed, rows) = (5, 3000);
    for (number, format) in ALL_STRINGS.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path(), &[]);
        let (a, b) = (odd_strings(seed, rows), odd_strings(seed + 1, rows));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
        let columns: [(&str, ArrayRef); 3] =
            [("a", Arc::new(StringArray::from(a))), ("n", numbers), ("b", Arc::new(StringArray::from(b)))];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
        engine.register_batches("odd", vec![batch]).unwrap();
        run(&engine, &format!("CREATE TABLE t (a STRING, n BIGINT, b STRING) {format}")).unwrap();
        run(&engine, "INSERT INTO t SELECT * FROM odd").unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(count(&engine, "SELECT count(*) FROM t"), rows as i64, "{format}, seed {seed}");
        let other = "SELECT count(*) FROM odd o JOIN t ON o.n = t.n WHERE NOT (o.a <=> t.a AND o.b <=> t.b)";
        assert_eq!(count(&engine, other), 0, "{format} (number {number}), seed {seed}");
    }
}

#[test]
fn what_would_come_back_as_another_value_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &[]);
    for (number, (format, value, told)) in [
        ("USING csv", "'a\\nb'", "an end of line in csv"),
        ("USING csv OPTIONS (multiLine true)", "'a\\rb'", "a lone carriage return"),
        ("USING csv OPTIONS (nullValue 'nil')", "'nil'", "which stands for NULL"),
        ("USING csv OPTIONS (quote '')", "'a,b'", "needs quotes"),
        ("STORED AS TEXTFILE", "'a\\u0001b'", "a delimiter or an end of line"),
        ("STORED AS TEXTFILE", "'a\\nb'", "a delimiter or an end of line"),
        ("STORED AS TEXTFILE", "'\\\\N'", "which stands for NULL"),
        ("USING text", "'a\\nb'", "a delimiter or an end of line in text"),
    ]
    .into_iter()
    .enumerate()
    {
        let table = format!("t{number}");
        run(&engine, &format!("CREATE TABLE {table} (a STRING) {format}")).unwrap();
        run(&engine, &format!("INSERT INTO {table} VALUES ('before')")).unwrap();
        let error = run(&engine, &format!("INSERT INTO {table} VALUES ('x'), ({value})")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{format}: {error}");
        assert!(error.to_string().contains(told), "{format}: {error}");
        assert_eq!(error.place().column.as_deref(), Some("a"));
        assert_eq!(count(&engine, &format!("SELECT count(*) FROM {table}")), 1, "{format}");
    }
    for (nested, value) in [("array<string>", "array('')"), ("array<int>", "array(CAST(NULL AS INT))")] {
        run(&engine, &format!("DROP TABLE IF EXISTS n; CREATE TABLE n (a {nested}) STORED AS TEXTFILE")).unwrap();
        let error = run(&engine, &format!("INSERT INTO n SELECT {value}")).unwrap_err();
        assert!(error.message().contains("reads like another"), "{error}");
    }
}

/// A row of every type, and one of NULLs, in every format that has the type.
#[test]
fn every_type_comes_back() {
    let flat = "CAST(n AS TINYINT) AS i8, CAST(n * 100 AS SMALLINT) AS i16, CAST(n AS INT) AS i32, n * 10000000000 AS i64, \
        n > 1 AS b, CAST(n / 3 AS FLOAT) AS f32, CASE n WHEN 3 THEN CAST('NaN' AS DOUBLE) WHEN 4 THEN CAST('-Infinity' AS DOUBLE) ELSE n / 3 END AS f64, \
        CAST(n * 1.23 AS DECIMAL(5, 2)) AS d5, CAST(n * -1234567.891 AS DECIMAL(18, 3)) AS d18, \
        CAST(n AS DECIMAL(38, 10)) / 7 AS d38, date_add(DATE '1999-12-31', CAST(n AS INT)) AS day, \
        timestamp_micros(n * 86399999999) AS ts, CAST(timestamp_micros(n * 1234567) AS TIMESTAMP_NTZ) AS ntz, concat('s', CAST(n AS STRING)) AS s";
    let nested = "array(n, NULL, -n) AS xs, map(concat('k', CAST(n AS STRING)), n * 1.5, 'other', NULL) AS m, \
        named_struct('x', CAST(n AS INT), 'y', array(named_struct('z', concat('z', CAST(n AS STRING))))) AS st";
    let bytes = "CAST(concat('b', CAST(n AS STRING)) AS BINARY) AS bin";
    for (format, columns) in [
        ("USING csv", flat.to_owned()),
        ("USING csv OPTIONS (sep '.', header true)", flat.to_owned()),
        ("STORED AS TEXTFILE", format!("{flat}, {nested}, {bytes}")),
        (
            "ROW FORMAT DELIMITED FIELDS TERMINATED BY '-' ESCAPED BY '\\\\' COLLECTION ITEMS TERMINATED BY ';' MAP KEYS TERMINATED BY '='",
            format!("{flat}, {bytes}"),
        ),
        ("USING json", format!("{flat}, {nested}, {bytes}")),
        ("STORED AS AVRO", format!("{flat}, {nested}, {bytes}")),
        ("USING arrow", format!("{flat}, {nested}, {bytes}")),
        ("USING arrow OPTIONS (compression 'lz4')", format!("{flat}, {nested}, {bytes}")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path(), &[]);
        let source = format!("CREATE TABLE source AS SELECT {columns} FROM range(5) AS r(n)");
        run(&engine, &source).unwrap_or_else(|error| panic!("{source}: {error}"));
        run(&engine, &format!("CREATE TABLE t {format} AS SELECT * FROM source"))
            .unwrap_or_else(|error| panic!("{format}: {error}"));
        run(&engine, "INSERT INTO t SELECT b.* FROM range(1) a LEFT JOIN source b ON b.i32 = a.id + 100").unwrap();
        let shown = |table: &str, filter: &str| {
            let rows = engine.query(&format!("SELECT * FROM {table} WHERE {filter} ORDER BY i8")).unwrap();
            format!("{}", arrow::util::pretty::pretty_format_batches(&rows.collect_batches().unwrap()).unwrap())
        };
        assert_eq!(shown("t", "i8 IS NOT NULL"), shown("source", "true"), "{format}");
        let nulls = engine.query("SELECT * FROM t WHERE i8 IS NULL").unwrap().collect_batches().unwrap();
        assert_eq!(nulls.iter().map(RecordBatch::num_rows).sum::<usize>(), 1, "{format}");
        assert!(nulls[0].columns().iter().all(|column| column.is_null(0)), "{format}: {nulls:?}");
    }
}

#[test]
fn large_records_stay_within_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.json");
    let long = "x".repeat(40 << 20);
    std::fs::write(&path, format!("{{\"a\": 1, \"b\": \"{long}\"}}\n{{\"a\": 2, \"b\": \"y\"}}\n")).unwrap();
    let sql = format!("SELECT count(*) FROM json.`{}` WHERE b = 'y'", path.display());
    assert_eq!(count(&engine(folder.path(), &[]), &sql), 1);
    let small = engine(folder.path(), &[("skep.memory.limit", "16MiB")]);
    let result = small.query(&sql).and_then(|rows| rows.collect_batches());
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Memory, "{error}");
    assert!(error.to_string().contains("big.json"), "{error}");
    assert!(error.hint().is_some());
}
