//! Aggregates over joins from numbers of pairs, against the same from the pairs, over generated
//! tables. A failure prints its seed and statement.

use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use skep::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use skep::cli::render::Values;
use skep::{Engine, ErrorKind, Session};
use std::fmt::Write;
use std::sync::Arc;

fn session(multiplicity: &str) -> Session {
    let builder = Engine::builder().threads(2).set("skep.optimizer.multiplicity", multiplicity).unwrap();
    builder.build().unwrap().session()
}

/// `VALUES` of (k, g, i, b, d, f): few keys, NULLs everywhere, values of both signs.
fn table(random: &mut StdRng, name: &str) -> String {
    let rows = random.random_range(1..40);
    let keys = [1, 3, 12][random.random_range(0..3)];
    let mut text = String::new();
    for row in 0..rows {
        let mut null = |text: String| if random.random_bool(0.15) { "NULL".to_owned() } else { text };
        let key = null("k".to_owned());
        let flags: Vec<bool> = (0..5).map(|_| null(String::new()).is_empty()).collect();
        let key = if key == "k" { format!("INT '{}'", random.random_range(0..keys)) } else { "CAST(NULL AS INT)".to_owned() };
        let number = |random: &mut StdRng| random.random_range(-500..500_i64);
        let cells = [
            (format!("'g{}'", random.random_range(0..3)), "STRING"),
            (format!("INT '{}'", number(random)), "INT"),
            (format!("BIGINT '{}'", number(random) * 1_000_000_007), "BIGINT"),
            (format!("CAST('{}.{:02}' AS DECIMAL(9,2))", number(random), number(random).abs() % 100), "DECIMAL(9,2)"),
            (format!("DOUBLE '{}'", number(random) as f64 / 4.0), "DOUBLE"),
        ];
        let cells = cells.into_iter().zip(flags).map(
            |((cell, data_type), given)| {
                if given { cell } else { format!("CAST(NULL AS {data_type})") }
            },
        );
        let _ = write!(text, "{}({key}, {})", if row == 0 { "" } else { ", " }, cells.collect::<Vec<_>>().join(", "));
    }
    format!("(VALUES {text}) AS {name}(k, g, i, b, d, f)")
}

const CALLS: [&str; 20] = [
    "count(coalesce(r.i, 7))",
    "sum(coalesce(r.i, 7))",
    "count(*)",
    "count(1)",
    "count(l.i)",
    "count(r.d)",
    "sum(l.i)",
    "sum(r.b)",
    "sum(l.d)",
    "sum(r.d * 2)",
    "sum(l.f)",
    "avg(l.d)",
    "avg(r.i)",
    "avg(r.f)",
    "min(l.g)",
    "max(r.b)",
    "min(DISTINCT r.d)",
    "sum(l.d + r.d)",
    "sum(l.f + r.f)",
    "max(l.i)",
];

const GROUPS: [&str; 8] = ["", "l.k", "l.g", "r.g", "l.g, r.g", "l.k, r.g", "l.i % 3", "coalesce(r.g, 'none')"];

fn statement(random: &mut StdRng) -> String {
    let (left, right) = (table(random, "l"), table(random, "r"));
    let kind = ["JOIN", "LEFT JOIN", "RIGHT JOIN"][random.random_range(0..3)];
    let on = ["l.k = r.k", "l.k = r.k AND l.g = r.g", "l.k <=> r.k"][random.random_range(0..3)];
    let group = GROUPS[random.random_range(0..GROUPS.len())];
    let mut calls: Vec<&str> = (0..random.random_range(1..6)).map(|_| CALLS[random.random_range(0..CALLS.len())]).collect();
    calls.dedup();
    let outputs = calls.iter().enumerate().map(|(at, call)| format!("{call} AS c{at}")).collect::<Vec<_>>().join(", ");
    match group {
        "" => format!("SELECT {outputs} FROM {left} {kind} {right} ON {on}"),
        group => format!("SELECT {group}, {outputs} FROM {left} {kind} {right} ON {on} GROUP BY {group}"),
    }
}

/// Names, types, and rows as text, in order of the text.
fn answer(session: &Session, sql: &str) -> Result<(String, Vec<String>), ErrorKind> {
    let stream = session.query(sql, &Default::default()).map_err(|error| error.kind())?;
    let schema = stream.schema();
    let names = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect::<Vec<_>>();
    let mut rows = Vec::new();
    for batch in stream {
        let batch = batch.map_err(|error| error.kind())?;
        let columns: Vec<Values> = batch.columns().iter().map(Values::new).collect();
        for row in 0..batch.num_rows() {
            let cell = |values: &Values| {
                let mut text = String::new();
                if values.is_null(row) {
                    text.push_str("NULL")
                } else {
                    values.text(row, &mut text)
                }
                text
            };
            rows.push(columns.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
    }
    rows.sort_unstable();
    Ok((names.join(", "), rows))
}

fn is_rewritten(session: &Session, sql: &str) -> bool {
    let grouped = ["rows", "count", "sum", "min", "max"].map(|what| [format!("left {what}"), format!("right {what}")]);
    let lines = answer(session, &format!("EXPLAIN {sql}")).unwrap().1;
    lines.iter().any(|line| grouped.iter().flatten().any(|name| line.contains(name.as_str())))
}

#[test]
fn numbers_of_pairs_give_what_the_pairs_give() {
    let (pairs, numbers) = (session("never"), session("always"));
    let mut rewritten = 0;
    for seed in 0..150 {
        let sql = statement(&mut StdRng::seed_from_u64(seed));
        // Quarters add up exactly, so that doubles agree to the last bit, whatever the order.
        assert_eq!(answer(&pairs, &sql), answer(&numbers, &sql), "seed {seed}: {sql}");
        rewritten += usize::from(is_rewritten(&numbers, &sql));
        assert!(!is_rewritten(&pairs, &sql));
    }
    println!("{rewritten} of 150 statements rewritten");
    assert!(rewritten > 75, "only {rewritten} statements were rewritten");
}

#[test]
fn overflow_is_an_error_either_way() {
    let table = |name: &str, value: &str| format!("(VALUES (1, {value}), (1, {value})) AS {name}(k, v)");
    for (value, call, fails) in [
        ("BIGINT '4611686018427387904'", "sum(l.v)", true),
        ("BIGINT '2305843009213693951'", "sum(l.v)", false),
        ("CAST('9' AS DECIMAL(28,0))", "sum(l.v)", false),
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))", "sum(l.v)", true),
    ] {
        let sql = format!("SELECT {call} FROM {} JOIN {} ON l.k = r.k", table("l", value), table("r", value));
        for setting in ["never", "always"] {
            let answer = answer(&session(setting), &sql);
            assert_eq!(answer.as_ref().err(), fails.then_some(&ErrorKind::Value), "{setting} {sql}: {answer:?}");
        }
    }
}

#[test]
fn what_multiplicities_do_not_serve_is_left_alone() {
    let session = session("always");
    let tables = "(VALUES (1, 2), (1, 3)) AS l(k, v) JOIN (VALUES (1, 5), (1, 7)) AS r(k, v) ON l.k = r.k";
    for (calls, expected, rewritten) in [
        ("count(*), sum(l.v)", "4 | 10", true),
        ("sum(l.v * r.v)", "60", false),
        ("count(DISTINCT l.v)", "2", false),
        ("sum(l.v + r.v)", "34", false),
        ("count(*) FILTER (WHERE l.v > 2)", "2", false),
    ] {
        let sql = format!("SELECT {calls} FROM {tables}");
        assert_eq!(answer(&session, &sql).unwrap().1, [expected], "{sql}");
        assert_eq!(is_rewritten(&session, &sql), rewritten, "{sql}");
    }
    let residual = format!("SELECT count(*) FROM {tables} AND l.v < r.v");
    assert!(!is_rewritten(&session, &residual));
    // One that fails for a row that the join drops must not be computed for it.
    let dropped = "SELECT sum(1 / l.v) FROM (VALUES (1, 1), (2, 0)) AS l(k, v) JOIN (VALUES (1), (1)) AS r(k) ON l.k = r.k";
    assert_eq!(answer(&session, dropped).unwrap().1, ["2.0"]);
}

/// A file of (k, v) in row groups of 50 000 rows.
fn write_keys(path: &std::path::Path, keys: impl Iterator<Item = i64>) {
    let keys: Vec<i64> = keys.collect();
    let values: ArrayRef = Arc::new((0..keys.len() as i64).map(|row| Some(row % 10)).collect::<Int64Array>());
    let batch = RecordBatch::try_from_iter([("k", Arc::new(Int64Array::from(keys)) as ArrayRef), ("v", values)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(50_000)).build();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn keys_that_are_hot_on_both_sides_are_found_in_a_sample() {
    const ROWS: i64 = 600_000;
    let folder = tempfile::tempdir().unwrap();
    let spread = |row: i64| row * 7919 % 20_000;
    write_keys(&folder.path().join("hot.parquet"), (0..ROWS).map(|row| if row % 2 == 0 { 7 } else { spread(row) }));
    write_keys(&folder.path().join("even.parquet"), (0..ROWS).map(spread));
    write_keys(&folder.path().join("dims.parquet"), (0..20_000).chain(std::iter::repeat_n(7, 1000)));
    write_keys(&folder.path().join("unique.parquet"), 0..20_000);
    let session = session("auto");
    let sql = |left: &str, right: &str| {
        let path = |name: &str| folder.path().join(format!("{name}.parquet")).display().to_string();
        format!("SELECT count(*), sum(l.v), max(r.v) FROM '{}' l JOIN '{}' r ON l.k = r.k", path(left), path(right))
    };
    // No average tells of it: 300 000 rows of one key meet 1001.
    let both = sql("hot", "dims");
    assert!(is_rewritten(&session, &both), "{:?}", answer(&session, &format!("EXPLAIN {both}")));
    let hot: Vec<i64> = (0..ROWS).filter(|row| row % 2 == 0 || spread(*row) == 7).map(|row| row % 10).collect();
    let others: Vec<i64> = (0..ROWS).filter(|row| row % 2 == 1 && spread(*row) != 7).map(|row| row % 10).collect();
    let (count, sum) = (hot.len() * 1001 + others.len(), hot.iter().sum::<i64>() * 1001 + others.iter().sum::<i64>());
    assert_eq!(answer(&session, &both).unwrap().1, [format!("{count} | {sum} | 9")]);
    // Hot on one side alone makes no more pairs than rows.
    for (left, right) in [("hot", "unique"), ("even", "dims"), ("even", "unique")] {
        assert!(!is_rewritten(&session, &sql(left, right)), "{left} {right}");
    }
}
