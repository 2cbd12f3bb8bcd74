//! Micro-benchmarks through the public library API: `cargo bench --bench micro`.
//!
//! Rows are made in memory from a fixed seed, but for the scans, which read `testdata/tpch`. Each
//! figure is a whole query, planning included (a few ms); `plan` shows how much that is.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use skep::Engine;
use skep::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use std::hint::black_box;
use std::sync::Arc;

/// Rows of the table `facts`; its keys point into `dims`.
const FACTS: usize = 1_000_000;
/// Rows of the table `dims`.
const DIMS: usize = 10_000;
/// Rows of TPC-H's `lineitem` at scale 0.01.
const LINEITEMS: usize = 60_175;

fn engine() -> Engine {
    let engine = Engine::builder().threads(2).build().expect("an engine with two threads");
    let mut random = StdRng::seed_from_u64(7);
    let mut batches = Vec::new();
    for start in (0..FACTS).step_by(8192) {
        let rows = start..(start + 8192).min(FACTS);
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row as i64)));
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.clone().map(|_| random.random_range(0..DIMS as i64))));
        let values: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.clone().map(|_| random.random::<f64>())));
        let words = StringArray::from_iter_values(rows.map(|_| format!("word{}", random.random_range(0..50))));
        let columns = [("id", ids), ("k", keys), ("v", values), ("word", Arc::new(words) as ArrayRef)];
        batches.push(RecordBatch::try_from_iter(columns).expect("columns of one length"));
    }
    engine.register_batches("facts", batches).expect("a new name");
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..DIMS as i64));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..DIMS).map(|row| format!("name {row}"))));
    let dims = RecordBatch::try_from_iter([("k", keys), ("name", names)]).expect("columns of one length");
    engine.register_batches("dims", vec![dims]).expect("a new name");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tpch/lineitem.parquet");
    engine.register_path("lineitem", path).expect("the file is in the repository");
    engine
}

fn queries(c: &mut Criterion) {
    let engine = engine();
    let mut group = c.benchmark_group("query");
    group.sample_size(10);
    for (name, rows, sql) in [
        ("plan", 1, "SELECT k FROM facts WHERE k = 1 LIMIT 0"),
        ("scan", LINEITEMS, "SELECT sum(l_orderkey), max(l_extendedprice), count(l_comment) FROM lineitem"),
        ("scan_filtered", LINEITEMS, "SELECT sum(l_extendedprice) FROM lineitem WHERE l_shipdate >= DATE '1998-01-01'"),
        ("filter", FACTS, "SELECT count(*) FROM facts WHERE v < 0.1 AND k % 3 = 0"),
        ("filter_text", FACTS, "SELECT count(*) FROM facts WHERE word LIKE '%d1%'"),
        ("aggregate_few_groups", FACTS, "SELECT word, count(*), sum(v), min(id) FROM facts GROUP BY word"),
        ("aggregate_many_groups", FACTS, "SELECT count(*) FROM (SELECT id, sum(v) AS s FROM facts GROUP BY id) AS g"),
        ("join_build", FACTS, "SELECT count(*) FROM facts AS a JOIN facts AS b ON a.id = b.id"),
        ("join_probe", FACTS, "SELECT count(*), max(name) FROM facts JOIN dims ON facts.k = dims.k"),
        ("join_semi", FACTS, "SELECT count(*) FROM facts WHERE k IN (SELECT k FROM dims WHERE k < 100)"),
        ("sort", FACTS, "SELECT count(*) FROM (SELECT v, id FROM facts ORDER BY v LIMIT 900000) AS s"),
        ("top_k", FACTS, "SELECT id, v FROM facts ORDER BY v DESC, id LIMIT 10"),
    ] {
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(engine.query(sql).and_then(|rows| rows.collect_batches()).expect("the query runs")));
        });
    }
    group.finish();
}

criterion_group!(benches, queries);
criterion_main!(benches);
