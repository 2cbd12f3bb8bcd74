//! Plans as EXPLAIN prints them, kept as snapshots: a change of plan is seen and has to be meant.
//!
//! `INSTA_UPDATE=always cargo test --test explain` writes them again; read what changed.

use skep::arrow::array::AsArray;
use skep::{Engine, Error, OutcomeKind, Session};
use std::fs;

#[test]
fn plans_of_tpch() {
    // Costs depend on workers and memory: both are fixed here.
    let engine = Engine::builder().threads(2).memory_limit(1 << 30).build().unwrap();
    for table in ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"] {
        engine.register_path(table, &format!("testdata/tpch/{table}.parquet")).unwrap();
    }
    for query in ["q03", "q09", "q15", "q17", "q18", "q22"] {
        let sql = fs::read_to_string(format!("testdata/tpch/queries/{query}.sql")).unwrap();
        insta::assert_snapshot!(query, explain(&engine, &sql).unwrap());
    }
}

/// What scans did, with bytes and times masked.
#[test]
fn scans_say_what_they_skipped() {
    let engine = Engine::builder().threads(1).memory_limit(1 << 30).build().unwrap();
    for table in ["bloom", "pages"] {
        engine.register_path(table, &format!("testdata/pruning/{table}.parquet")).unwrap();
    }
    let queries = [
        // Bounds leave one row group, its Bloom filter none.
        "SELECT count(*) FROM bloom WHERE few = 2003",
        "SELECT sum(id) FROM bloom WHERE word LIKE 'c-1%' AND gaps IS NULL",
        // Pages by bounds; one row group is met by all of its rows.
        "SELECT count(word) FROM pages WHERE id BETWEEN 5000 AND 9000 AND price >= 0",
        // Only the dictionary of `few` tells that there is no such value.
        "SELECT max(price) FROM pages WHERE few = 2003",
        "SELECT id, word FROM pages ORDER BY id DESC LIMIT 3",
        "SELECT a.word FROM pages a JOIN bloom b ON a.id = b.spread WHERE b.id IN (5, 700) ORDER BY a.word",
    ];
    let mut shown = String::new();
    for sql in queries {
        let plan = text(&engine, &format!("EXPLAIN ANALYZE {sql}")).unwrap();
        let scans = masked(&plan).lines().skip_while(|line| !line.contains("Scan ")).map(bare).collect::<Vec<_>>().join("\n  ");
        shown.push_str(&format!("{sql}\n  {scans}\n\n"));
    }
    insta::assert_snapshot!("scans", shown);
}

/// Without what differs from run to run: times and bytes.
fn masked(plan: &str) -> String {
    let quantity = regex::Regex::new(r"[0-9.]+ (?:(µs|ms|s)|(B|KiB|MiB))\b").unwrap();
    let unit = |found: &regex::Captures| if found.get(1).is_some() { "* t" } else { "* B" };
    quantity.replace_all(plan, unit).into_owned()
}

/// A line without the branches of the tree before it.
fn bare(line: &str) -> String {
    line.trim_start_matches([' ', '│', '├', '└', '─']).to_owned()
}

/// Joins and groupings whose estimates or claims turn out wrong, and those that go as planned: what
/// they did, with bytes and times masked.
#[test]
fn joins_say_what_they_did() {
    // Every run is the same one: one worker, and nothing of a layout is known from before.
    let engine = Engine::builder().threads(1).memory_limit(1 << 20).build().unwrap();
    for table in ["sorted", "straddling", "false_order", "heap"] {
        engine.register_path(table, &format!("testdata/layout/{table}.parquet")).unwrap();
    }
    for table in ["spark_orders", "spark_lines"] {
        engine.register_path(table, &format!("testdata/layout/{table}")).unwrap();
    }
    engine.register_path("lineitem", "testdata/tpch/lineitem.parquet").unwrap();
    let session = engine.session();
    // Sides stay where they are written, and pairs are made.
    session.set("skep.optimizer.join_order", "false").unwrap();
    session.set("skep.optimizer.multiplicity", "never").unwrap();
    let declared = "CREATE EXTERNAL TABLE false_buckets CLUSTERED BY (k) INTO 4 BUCKETS STORED AS PARQUET LOCATION";
    for outcome in session.execute(&format!("{declared} 'testdata/layout/false_buckets'")) {
        outcome.unwrap();
    }
    session.set("skep.aggregate.strategy", "partition_wise").unwrap();
    let (one, few) = ("(SELECT k % 1 AS k, v FROM heap)", "(SELECT k % 4 AS k, v FROM heap)");
    let cases = [
        ("auto", false, "SELECT count(*) FROM sorted a JOIN straddling b ON a.k = b.k".to_owned()),
        // Part by part.
        ("partitioned_hash", false, "SELECT count(*) FROM sorted a JOIN straddling b ON a.k = b.k".to_owned()),
        ("partitioned_hash", false, "SELECT count(*) FROM spark_orders a JOIN spark_lines b ON a.k = b.k".to_owned()),
        ("sort_merge", false, "SELECT count(*) FROM sorted a LEFT JOIN straddling b ON a.k = b.k".to_owned()),
        // False claims: found while reading, known from then on, or found before anything comes out.
        ("partitioned_hash", false, "SELECT count(*) FROM false_buckets a JOIN spark_lines b ON a.k = b.k".to_owned()),
        ("partitioned_hash", false, "SELECT count(*) FROM false_buckets a FULL JOIN spark_lines b ON a.k = b.k".to_owned()),
        ("auto", false, "SELECT k, count(*) FROM false_buckets GROUP BY k".to_owned()),
        ("sort_merge", false, "SELECT count(*) FROM false_order a FULL JOIN straddling b ON a.k = b.k".to_owned()),
        // Wrong estimates.
        (
            "auto",
            false,
            "SELECT count(*) FROM lineitem a JOIN (SELECT l_partkey, l_comment FROM lineitem WHERE \
          length(l_comment) + l_linenumber < 12) b ON a.l_partkey = b.l_partkey AND a.l_comment <= b.l_comment"
                .to_owned(),
        ),
        ("broadcast_hash", true, "SELECT count(*) FROM sorted a LEFT JOIN straddling b ON a.k = b.k".to_owned()),
        ("sort_merge", true, "SELECT count(*) FROM heap a JOIN heap b ON a.v = b.v AND a.k <= b.k".to_owned()),
        // Hot keys: expected, met, and met on disk.
        (
            "skew_aware",
            false,
            format!("SELECT /*+ BROADCAST(b) */ min(a.v), max(b.v) FROM straddling a LEFT JOIN {one} b ON a.k = b.k"),
        ),
        ("auto", false, format!("SELECT /*+ MAPJOIN(b) */ min(a.v), max(b.v) FROM straddling a JOIN {one} b ON a.k = b.k")),
        ("partitioned_hash", true, format!("SELECT count(b.v) FROM {few} a FULL JOIN {few} b ON a.k = b.k")),
        ("nested_loop", false, "SELECT count(*) FROM straddling a LEFT JOIN straddling b ON a.k + 1000 < b.k".to_owned()),
    ];
    let mut shown = String::new();
    for (strategy, spill, sql) in &cases {
        session.set("skep.join.strategy", strategy).unwrap();
        session.set("skep.test.always_spill", if *spill { "true" } else { "false" }).unwrap();
        let plan = masked(&answer(&session, &format!("EXPLAIN ANALYZE {sql}")));
        let scan = ["files: ", "read: ", "bytes: ", "time: "];
        let lines = plan.lines().filter(|line| !scan.iter().any(|begin| bare(line).starts_with(begin)));
        let spilled = if *spill { ", everything spills" } else { "" };
        shown.push_str(&format!("{strategy}{spilled}: {sql}\n  {}\n\n", lines.collect::<Vec<_>>().join("\n  ")));
    }
    insta::assert_snapshot!("joins", shown);
}

/// The text that the only statement answers with.
fn answer(session: &Session, sql: &str) -> String {
    let mut lines = Vec::new();
    for outcome in session.execute(sql) {
        let OutcomeKind::Rows(stream) = outcome.unwrap_or_else(|error| panic!("{sql}: {error}")).kind else { continue };
        for batch in stream {
            let batch = batch.unwrap_or_else(|error| panic!("{sql}: {error}"));
            lines.extend(batch.column(0).as_string_view().iter().flatten().map(str::to_owned));
        }
    }
    lines.join("\n")
}

fn explain(engine: &Engine, sql: &str) -> Result<String, Error> {
    text(engine, &format!("EXPLAIN {sql}"))
}

fn text(engine: &Engine, sql: &str) -> Result<String, Error> {
    let mut lines = Vec::new();
    for batch in engine.query(sql)? {
        let batch = batch?;
        lines.extend(batch.column(0).as_string_view().iter().flatten().map(str::to_owned));
    }
    Ok(lines.join("\n"))
}

/// The strategy line of the only join, and the warnings.
fn hinted(engine: &Engine, hint: &str, condition: &str) -> (String, Vec<String>) {
    let sql = format!("SELECT /*+ {hint} */ n.n_name, r.r_name FROM nation n JOIN region r ON {condition}");
    let text = explain(engine, &sql).unwrap();
    let chosen = text.lines().find_map(|line| line.split_once("chosen ")).map(|(_, rest)| rest);
    let chosen = chosen.and_then(|rest| rest.split(':').next()).unwrap_or_default().to_owned();
    let side = text.lines().find_map(|line| line.split_once("build ")).map(|(_, rest)| rest);
    let side = side.and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let warnings = text.lines().filter_map(|line| line.strip_prefix("warning: ").map(str::to_owned)).collect();
    (format!("{chosen} {side}").trim().to_owned(), warnings)
}

#[test]
fn hints_are_followed_or_warned_of() {
    let engine = Engine::builder().threads(2).build().unwrap();
    for table in ["nation", "region"] {
        engine.register_path(table, &format!("testdata/tpch/{table}.parquet")).unwrap();
    }
    let key = "n.n_regionkey = r.r_regionkey";
    let quiet = |hint: &str| {
        let (chosen, warnings) = hinted(&engine, hint, key);
        assert!(warnings.is_empty(), "{hint}: {warnings:?}");
        chosen
    };
    assert!(quiet("MERGE(n)").starts_with("sort_merge"));
    assert!(quiet("SHUFFLE_HASH(r)").starts_with("partitioned_hash"));
    assert!(quiet("SKEW('n', 'n_regionkey', (1, 2))").starts_with("skew_aware"));
    assert!(quiet("SHUFFLE_REPLICATE_NL(r)").starts_with("nested_loop"));
    let (r, n) = (quiet("MAPJOIN(r)"), quiet("BROADCAST(n)"));
    assert!(r.starts_with("broadcast_hash") && n.starts_with("broadcast_hash") && r != n, "{r} {n}");
    let text = explain(&engine, &format!("SELECT /*+ SKEW('n', 'n_regionkey', (1)) */ 1 FROM nation n JOIN region r ON {key}"));
    assert!(text.unwrap().contains("hot key 1 (Declared)"));
    // Spark's order: the broadcast goes first.
    let (chosen, warnings) = hinted(&engine, "MERGE(n), BROADCAST(r)", key);
    assert!(chosen.starts_with("broadcast_hash") && warnings[0].contains("gives way"), "{chosen} {warnings:?}");
    for (hint, condition, warning) in [
        ("MERGE(n)", "n.n_regionkey < r.r_regionkey", "cannot be followed: there is no equality"),
        ("BROADCAST(x)", key, "there is no 'x' in its FROM"),
        ("FASTER(n)", key, "there is no hint 'FASTER'"),
        ("COALESCE(3)", key, "has no effect"),
        ("SKEW('n', 'n_name', ('a'))", key, "the join's keys are"),
    ] {
        let (_, warnings) = hinted(&engine, hint, condition);
        assert!(warnings.len() == 1 && warnings[0].contains(warning), "{hint}: {warnings:?}");
    }
    let stream = engine.query("SELECT /*+ BROADCAST(nation) */ count(*) FROM nation").unwrap();
    assert_eq!(stream.warnings(), ["hint BROADCAST(nation): 'nation' is not an input of a join"]);
}
