//! Plans as EXPLAIN prints them, kept as snapshots: a change of plan is seen and has to be meant.
//!
//! `INSTA_UPDATE=always cargo test --test explain` writes them again; read what changed.

use skep::arrow::array::AsArray;
use skep::{Engine, Error};
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
    let numbers = regex::Regex::new(r"[0-9.]+ (µs|ms|s|B|KiB|MiB)\b").unwrap();
    let mut shown = String::new();
    for sql in queries {
        let plan = text(&engine, &format!("EXPLAIN ANALYZE {sql}")).unwrap();
        let scans = plan.lines().skip_while(|line| !line.contains("Scan "));
        let lines: Vec<String> = scans.map(|line| numbers.replace_all(line, "* $1").into_owned()).collect();
        let lines = lines.iter().map(|line| line.trim_start_matches([' ', '│', '├', '└', '─']));
        let lines = lines.map(|line| line.replace("* µs", "* t").replace("* ms", "* t").replace("* s", "* t"));
        let lines = lines.map(|line| line.replace("* KiB", "* B").replace("* MiB", "* B"));
        shown.push_str(&format!("{sql}\n  {}\n\n", lines.collect::<Vec<_>>().join("\n  ")));
    }
    insta::assert_snapshot!("scans", shown);
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
