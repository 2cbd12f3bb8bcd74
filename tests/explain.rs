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
