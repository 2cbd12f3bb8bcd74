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

fn explain(engine: &Engine, sql: &str) -> Result<String, Error> {
    let mut lines = Vec::new();
    for batch in engine.query(&format!("EXPLAIN {sql}"))? {
        let batch = batch?;
        lines.extend(batch.column(0).as_string_view().iter().flatten().map(str::to_owned));
    }
    Ok(lines.join("\n"))
}
