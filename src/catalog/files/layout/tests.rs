use super::*;
use crate::format::parquet::testing;
use crate::layout::bucket::{BucketDeclaration, BucketHash};
use crate::layout::{Evidence, Trust, ZoneSource};
use arrow::array::{Int64Array, RecordBatch, StringArray};
use std::path::Path;
use std::sync::Arc;

fn batch(keys: &[i64]) -> RecordBatch {
    let text: StringArray = keys.iter().map(|key| Some(format!("v{}", key * 7919 % 101))).collect();
    let keys: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    RecordBatch::try_from_iter([("v", Arc::new(text) as ArrayRef), ("K", keys)]).unwrap()
}

/// Files of the buckets of the numbers below `rows`, by Spark's names.
fn bucketed(folder: &Path, hash: BucketHash, count: u32, rows: i64) {
    let mut buckets: Vec<Vec<i64>> = vec![Vec::new(); count as usize];
    for key in 0..rows {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![key]));
        let value = hash.hashes(&[column], 1).unwrap()[0];
        buckets[hash.bucket(value, count) as usize].push(key);
    }
    for (id, keys) in buckets.iter().enumerate() {
        let name = match hash {
            BucketHash::Spark => format!("part-0-aa_{id:05}.c000.parquet"),
            _ => format!("{id:06}_0"),
        };
        testing::write(&folder.join(name), &[batch(keys)], 100);
    }
}

fn open(folder: &Path, declaration: Declaration) -> Arc<FileTable> {
    FileTable::open_declared(folder.to_str().unwrap(), declaration, None).unwrap()
}

fn declared(columns: &[&str], count: u32) -> Declaration {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Declaration { buckets: Some(BucketDeclaration { columns, count, sorted_by: Vec::new() }), ..Declaration::default() }
}

#[test]
fn buckets_are_inferred_from_names_and_a_sample() {
    for hash in [BucketHash::Spark, BucketHash::Hive1, BucketHash::Hive2] {
        let folder = tempfile::tempdir().unwrap();
        bucketed(folder.path(), hash, 6, 3000);
        let table = open(folder.path(), Declaration::default());
        let buckets = table.buckets().unwrap();
        // Version 1 of a small number is the number itself in both halves' hash.
        assert_eq!((buckets.columns.as_slice(), buckets.count, buckets.hash), (&[1][..], 6, hash));
        assert_eq!((buckets.files.as_slice(), buckets.evidence), (&[0, 1, 2, 3, 4, 5][..], Evidence::Inferred));
    }
}

#[test]
fn numbers_in_names_alone_are_no_buckets() {
    let folder = tempfile::tempdir().unwrap();
    for id in 0..4_i64 {
        let keys: Vec<i64> = (id * 100..id * 100 + 100).collect();
        testing::write(&folder.path().join(format!("part-0-aa_{id:05}.c000.parquet")), &[batch(&keys)], 100);
    }
    let table = open(folder.path(), Declaration::default());
    assert!(matches!(table.bucket_state(), BucketState::None));
}

#[test]
fn declared_buckets_must_fit_the_files() {
    let folder = tempfile::tempdir().unwrap();
    bucketed(folder.path(), BucketHash::Spark, 4, 400);
    let table = open(folder.path(), declared(&["k"], 4));
    let buckets = table.buckets().unwrap();
    assert_eq!((buckets.hash, buckets.evidence), (BucketHash::Spark, Evidence::Declared));
    let table = open(folder.path(), declared(&["k"], 3));
    assert!(matches!(table.bucket_state(), BucketState::Refuted(reason) if reason.contains("bucket 3, but there are 3")));
    std::fs::copy(folder.path().join("part-0-aa_00000.c000.parquet"), folder.path().join("more.parquet")).unwrap();
    let table = open(folder.path(), declared(&["k"], 4));
    assert!(matches!(table.bucket_state(), BucketState::Refuted(reason) if reason.contains("not all file names")));
    let error = FileTable::open_declared(folder.path().to_str().unwrap(), declared(&["x"], 4), None).unwrap_err();
    assert!(error.message().contains("no column 'x'"), "{error}");
}

#[test]
fn zones_and_orders_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let groups: Vec<RecordBatch> = (0..3).map(|at| batch(&(at * 50..at * 50 + 50).collect::<Vec<_>>())).collect();
    testing::write(&path, &groups, 20);
    let table = open(folder.path(), Declaration::default());
    let zones = TableZones::all(&table);
    let keys = zones.zones(1).unwrap();
    assert!(keys.is_ascending() && keys.is_bounded());
    assert_eq!(zones.sorted(1).map(|(evidence, _)| evidence), Some(Evidence::Inferred));
    assert_eq!(zones.sorted(0), None);
    assert!(!zones.zones(0).unwrap().is_disjoint());
    let sorted = Declaration { sorted_by: vec![("k".into(), false)], ..Declaration::default() };
    let table = open(folder.path(), sorted);
    assert_eq!(table.claimed_order(1).map(|(evidence, _)| evidence), Some(Evidence::Declared));
    let facts = table.layout_facts();
    let fact = |words: &str| facts.iter().find(|fact| fact.fact.contains(words)).unwrap_or_else(|| panic!("{facts:#?}"));
    assert_eq!(fact("150 rows in 1 file, 3 row groups").evidence, Trust::Trusted);
    assert_eq!(fact("zones from 0 to 149: row groups ascend without overlap").columns, "k");
    assert_eq!(fact("each file is sorted").evidence, Trust::Declared);
    assert_eq!(fact("sort order").evidence, Trust::Missing);
}

#[test]
fn row_groups_of_one_value_tell_hot_keys() {
    let folder = tempfile::tempdir().unwrap();
    let groups = [batch(&[7; 40]), batch(&[7; 40]), batch(&(0..20).collect::<Vec<_>>())];
    testing::write(&folder.path().join("a.parquet"), &groups, 20);
    let facts = open(folder.path(), Declaration::default()).layout_facts();
    assert!(facts.iter().any(|fact| fact.fact == "hot value 7: at least 80% of the rows"), "{facts:#?}");
}
