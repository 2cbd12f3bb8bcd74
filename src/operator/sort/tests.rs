//! Sorting against a comparison of values that knows nothing of keys.

use super::{SortKey, SortNode};
use crate::column::{Chunk, Column, DictColumn, Dictionary, Selection};
use crate::error::ErrorKind;
use crate::exec::fixtures::{Setting, column, numbers, values};
use crate::exec::run::collect;
use crate::exec::scheduler::Scheduler;
use crate::exec::{PlanNode, PlanRef, QueryContext};
use crate::operator::ValuesNode;
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringViewArray, UInt32Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type, Int64Type, Schema, SchemaRef};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Ordering;
use std::sync::Arc;

/// Columns: id (unique), few integers, floats, strings, decimals of 30 digits.
fn schema() -> SchemaRef {
    let types = [DataType::Int64, DataType::Int64, DataType::Float64, DataType::Utf8View, DataType::Decimal128(30, 2)];
    let fields = types.into_iter().zip(["id", "few", "float", "text", "wide"]);
    Arc::new(Schema::new(fields.map(|(data_type, name)| Field::new(name, data_type, true)).collect::<Vec<_>>()))
}

fn table(rows: usize, seed: u64) -> Vec<ArrayRef> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut few = Vec::new();
    let mut floats = Vec::new();
    let mut texts = Vec::new();
    let mut wide = Vec::new();
    for _ in 0..rows {
        few.push((random.random_range(0..8) > 0).then(|| random.random_range(-3..3_i64)));
        floats.push(match random.random_range(0..8) {
            0 => None,
            1 => Some(f64::NAN),
            2 => Some(-f64::NAN),
            3 => Some(-0.0),
            4 => Some(0.0),
            _ => Some(random.random_range(-2..3) as f64),
        });
        let text = "a long beginning that many rows share ".repeat(random.random_range(0..2));
        texts.push((random.random_range(0..8) > 0).then(|| format!("{text}{}", random.random_range(0..50))));
        wide.push(
            (random.random_range(0..8) > 0).then(|| i128::from(random.random_range(-5..5_i64)) << random.random_range(0..70)),
        );
    }
    vec![
        Arc::new(Int64Array::from_iter_values(0..rows as i64)),
        Arc::new(Int64Array::from(few)),
        Arc::new(Float64Array::from(floats)),
        Arc::new(StringViewArray::from_iter(texts)),
        Arc::new(Decimal128Array::from(wide).with_precision_and_scale(30, 2).unwrap()),
    ]
}

/// The rows as chunks of different forms: flat, codes, selected, constant.
fn chunks(table: &[ArrayRef], chunk_rows: usize) -> Vec<Chunk> {
    let rows = table[0].len();
    let dictionary = Arc::new(Dictionary::new(table[3].clone()));
    let mut chunks = Vec::new();
    for start in (0..rows).step_by(chunk_rows) {
        let count = chunk_rows.min(rows - start);
        let chunk = match chunks.len() % 3 {
            0 => Chunk::from_arrays(table.iter().map(|array| array.slice(start, count)).collect(), count),
            1 => {
                let mut columns: Vec<Column> = table.iter().map(|array| Column::Flat(array.slice(start, count))).collect();
                let codes = UInt32Array::from_iter_values(start as u32..(start + count) as u32);
                columns[3] = Column::Dict(DictColumn::new(codes, dictionary.clone()));
                Chunk::new(columns, count)
            }
            _ => {
                let picked = Arc::new(Selection::from_indices((start as u32..(start + count) as u32).rev().collect()));
                Chunk::from_arrays(table.to_vec(), rows).select(&picked).unwrap()
            }
        };
        chunks.push(chunk);
    }
    chunks
}

fn input(table: &[ArrayRef], chunk_rows: usize) -> PlanRef {
    Arc::new(ValuesNode::new(schema(), chunks(table, chunk_rows)))
}

fn key(index: usize, descending: bool, nulls_first: bool) -> SortKey {
    SortKey { expr: column(index, schema().field(index).data_type().clone()), descending, nulls_first }
}

/// How two values stand in SQL, NULLs apart.
fn compare_values(array: &ArrayRef, a: usize, b: usize) -> Ordering {
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(a).cmp(&array.as_primitive::<Int64Type>().value(b)),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            let (a, b) = (values.value(a), values.value(b));
            a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
        DataType::Utf8View => array.as_string_view().value(a).as_bytes().cmp(array.as_string_view().value(b).as_bytes()),
        _ => array.as_primitive::<Decimal128Type>().value(a).cmp(&array.as_primitive::<Decimal128Type>().value(b)),
    }
}

fn compare(batch: &[ArrayRef], keys: &[SortKey], a: usize, b: usize) -> Ordering {
    for key in keys {
        let array = &batch[key.expr.as_column().unwrap()];
        let order = match (array.is_null(a), array.is_null(b)) {
            (true, true) => Ordering::Equal,
            (a_null, b_null) if a_null != b_null => {
                if a_null == key.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            _ if key.descending => compare_values(array, b, a),
            _ => compare_values(array, a, b),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn sorted(plan: &PlanRef, threads: usize, query: Arc<QueryContext>) -> RecordBatch {
    let chunks = collect(plan, &Scheduler::new(threads).unwrap(), query.clone()).unwrap();
    assert!(chunks.iter().all(|chunk| chunk.rows() <= query.chunk_rows));
    let batches: Vec<RecordBatch> = chunks.iter().map(|chunk| chunk.to_batch(&schema()).unwrap()).collect();
    concat_batches(&schema(), &batches).unwrap()
}

/// Sorts `table` and checks order and rows; with `fetch`, that the keys are the smallest ones.
fn check(table: &[ArrayRef], keys: &[SortKey], fetch: Option<usize>, setting: Setting) -> PlanRef {
    let rows = table[0].len();
    let node = SortNode::new(input(table, setting.chunk_rows), keys.to_vec(), fetch).unwrap();
    let plan: PlanRef = Arc::new(node);
    let query = setting.context();
    let batch = sorted(&plan, setting.threads, query.clone());
    let wanted = fetch.unwrap_or(rows).min(rows);
    assert_eq!(batch.num_rows(), wanted, "{setting:?}");
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|&a, &b| compare(table, keys, a, b));
    let ids = batch.column(0).as_primitive::<Int64Type>();
    for (place, &expected) in order[..wanted].iter().enumerate() {
        let found = ids.value(place) as usize;
        assert!(compare(table, keys, found, expected).is_eq(), "place {place}: row {found}, not {expected} ({setting:?})");
        for (column, original) in batch.columns().iter().zip(table) {
            assert!(column.slice(place, 1) == original.slice(found, 1) || column.data_type() == &DataType::Float64);
        }
    }
    let mut distinct: Vec<i64> = ids.values().to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), wanted, "a row came twice ({setting:?})");
    drop(batch);
    plan
}

fn count(plan: &PlanRef, name: &'static str) -> u64 {
    plan.info().metrics.counter(name, crate::exec::Unit::Count).get()
}

#[test]
fn every_key_in_every_direction() {
    let table = table(3000, 1);
    for index in 0..5 {
        for (descending, nulls_first) in [(false, true), (false, false), (true, true), (true, false)] {
            check(&table, &[key(index, descending, nulls_first)], None, Setting { chunk_rows: 100, ..Setting::default() });
        }
    }
}

#[test]
fn several_keys_over_all_settings() {
    let table = table(1200, 2);
    for keys in [[key(1, true, false), key(2, false, true)], [key(3, false, false), key(4, true, true)]] {
        for chunk_rows in [1, 7, 8192] {
            for threads in [1, 2] {
                for always_spill in [false, true] {
                    let setting = Setting { threads, chunk_rows, always_spill, ..Setting::default() };
                    for fetch in [None, Some(0), Some(1), Some(100), Some(1199), Some(5000)] {
                        // A file a row is slow: once is enough.
                        if chunk_rows > 1 || !always_spill || fetch.is_none() {
                            let plan = check(&table, &keys, fetch, setting);
                            assert_eq!(count(&plan, "spilled runs") > 0, always_spill && fetch != Some(0));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_small_limit_of_memory_spills() {
    let table = table(60_000, 3);
    for memory in [1 << 20, 3 << 20, 8 << 20] {
        let setting = Setting { memory, chunk_rows: 1000, ..Setting::default() };
        let plan = check(&table, &[key(3, false, true)], None, setting);
        assert!(memory > 3 << 20 || count(&plan, "spilled runs") > 0, "limit {memory}");
        assert!(count(&plan, "runs") > 0);
    }
}

#[test]
fn memory_is_given_back() {
    let table = table(20_000, 4);
    for always_spill in [false, true] {
        let setting = Setting { always_spill, chunk_rows: 1000, ..Setting::default() };
        let plan: PlanRef = Arc::new(SortNode::new(input(&table, 1000), vec![key(3, false, true)], None).unwrap());
        let query = setting.context();
        sorted(&plan, 2, query.clone());
        drop(plan);
        assert_eq!(query.memory.used(), 0, "always_spill {always_spill}");
        assert!(query.memory.peak() > 0);
    }
}

#[test]
fn a_top_k_of_many_rows() {
    for (tasks, fetch) in [(1, 10), (2, 10), (2, 3000), (2, 40_000)] {
        let (numbers, _) = numbers(300_000, 1000, tasks);
        let keys = vec![SortKey { expr: column(0, DataType::Int64), descending: true, nulls_first: false }];
        let node = SortNode::new(numbers, keys, Some(fetch)).unwrap();
        assert_eq!(node.name(), if fetch > 32 << 10 { "Sort" } else { "TopK" });
        assert_eq!(node.summary(), format!("by #0 desc: {fetch} rows"));
        let plan: PlanRef = Arc::new(node);
        let found = values(&collect(&plan, &Scheduler::new(2).unwrap(), Setting::default().context()).unwrap());
        assert!(found.into_iter().eq((300_000 - fetch as i64..300_000).rev()));
    }
}

#[test]
fn many_rows_are_merged_in_parts() {
    let (numbers, _) = numbers(700_000, 8192, usize::MAX);
    let keys = vec![SortKey { expr: column(0, DataType::Int64), descending: true, nulls_first: true }];
    let plan: PlanRef = Arc::new(SortNode::new(numbers, keys, None).unwrap());
    let found = values(&collect(&plan, &Scheduler::new(2).unwrap(), Setting::default().context()).unwrap());
    assert!(found.into_iter().eq((0..700_000).rev()));
    assert!(count(&plan, "runs") >= 2);
}

#[test]
fn no_rows_and_no_columns() {
    let plan: PlanRef = Arc::new(SortNode::new(input(&table(0, 5), 10), vec![key(0, false, true)], None).unwrap());
    assert!(collect(&plan, &Scheduler::new(2).unwrap(), Setting::default().context()).unwrap().is_empty());
}

#[test]
fn spilled_rows_that_were_damaged_are_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let mut query = Arc::try_unwrap(Setting { always_spill: true, chunk_rows: 10_000, ..Setting::default() }.context()).unwrap();
    query.spill = crate::exec::spill::SpillDirectory::new(parent.path(), u64::MAX);
    let root = parent.path().to_owned();
    // Runs of a few KiB would stay in memory. The last chunk is let through only after the files of the others are damaged.
    let damaging = crate::exec::fixtures::apply(numbers(100_000, 10_000, 1).0, move |chunk, _| {
        if values(std::slice::from_ref(&chunk))[0] == 90_000 {
            for directory in std::fs::read_dir(&root).unwrap().flatten() {
                for file in std::fs::read_dir(directory.path()).unwrap().flatten() {
                    let mut bytes = std::fs::read(file.path()).unwrap();
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    std::fs::write(file.path(), bytes).unwrap();
                }
            }
        }
        Ok(Some(chunk))
    });
    let keys = vec![SortKey { expr: column(0, DataType::Int64), descending: true, nulls_first: true }];
    let plan: PlanRef = Arc::new(SortNode::new(damaging, keys, None).unwrap());
    let error = collect(&plan, &Scheduler::new(2).unwrap(), Arc::new(query)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
}
