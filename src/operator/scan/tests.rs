mod files;

use super::*;
use crate::column::Column;
use crate::error::Error;
use crate::exec::memory::MemoryBudget;
use crate::exec::result::ResultQueue;
use crate::exec::scheduler::Scheduler;
use crate::exec::spill::SpillDirectory;
use crate::exec::{CancelFlag, QueryContext};
use crate::format::parquet::testing;
use crate::layout::{Bounds, Truth};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int64Type;
use datafusion_common::ScalarValue;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// `column` lies in `range`.
#[derive(Debug, Default)]
struct Within {
    column: [usize; 1],
    range: Range<i64>,
    fallible: bool,
    late: bool,
    ready: AtomicBool,
    seen: AtomicU64,
    /// Has no bounds to be asked about.
    opaque: bool,
    listed: Option<Vec<ScalarValue>>,
}

fn within(column: usize, range: Range<i64>) -> Within {
    Within { column: [column], range, ..Within::default() }
}

impl ScanPredicate for Within {
    fn columns(&self) -> &[usize] {
        &self.column
    }

    fn describe(&self) -> String {
        format!("#{} in {:?}", self.column[0], self.range)
    }

    fn is_ready(&self) -> bool {
        !self.late || self.ready.load(Ordering::Relaxed)
    }

    fn is_fallible(&self) -> bool {
        self.fallible
    }

    fn check_bounds(&self, zone: &dyn Bounds) -> Truth {
        if self.opaque {
            return Truth::Unknown;
        }
        let bounds = zone.column(self.column[0]);
        let number = |value: Option<ScalarValue>| match value?.cast_to(&arrow::datatypes::DataType::Int64).ok()? {
            ScalarValue::Int64(value) => value,
            _ => None,
        };
        let (Some(min), Some(max)) = (number(bounds.min), number(bounds.max)) else { return Truth::Unknown };
        if max < self.range.start || min >= self.range.end {
            Truth::Never
        } else if min >= self.range.start && max < self.range.end && bounds.null_count == Some(0) {
            Truth::Always
        } else {
            Truth::Unknown
        }
    }

    fn equal_to_any(&self) -> Option<Vec<ScalarValue>> {
        self.listed.clone()
    }

    fn evaluate(&self, columns: &[Column], rows: usize) -> Result<BooleanBuffer> {
        let values = arrow::compute::cast(&columns[0].flat()?, &arrow::datatypes::DataType::Int64)?;
        assert_eq!(values.len(), rows);
        self.seen.fetch_add(rows as u64, Ordering::Relaxed);
        let values = values.as_primitive::<Int64Type>();
        if self.fallible && values.iter().any(|value| value == Some(13)) {
            return Err(Error::value("13 is not allowed"));
        }
        Ok((0..rows).map(|row| values.is_valid(row) && self.range.contains(&values.value(row))).collect())
    }
}

fn run(node: &dyn PlanNode, threads: usize, chunk_rows: usize) -> Result<Vec<RecordBatch>> {
    let root = tempfile::tempdir().unwrap();
    let query = Arc::new(QueryContext {
        threads,
        chunk_rows,
        memory: MemoryBudget::new(1 << 30),
        cancel: CancelFlag::default(),
        spill: SpillDirectory::new(root.path(), 1 << 30),
        constant_hash: false,
        always_spill: false,
    });
    let mut builder = PipelineBuilder::new();
    let stream = node.build(&mut builder)?;
    let queue = ResultQueue::default();
    builder.end(stream, Arc::new(queue.clone()), &node.info().metrics);
    Scheduler::new(threads)?.start(builder, query, queue.clone());
    let mut batches = Vec::new();
    while let Some(chunk) = queue.next()? {
        assert!(chunk.rows() <= chunk_rows);
        batches.push(chunk.to_batch(&node.info().schema)?);
    }
    queue.wait_ended();
    Ok(batches)
}

fn numbers(batches: &[RecordBatch], column: usize) -> Vec<i64> {
    let mut all: Vec<i64> =
        batches.iter().flat_map(|batch| batch.column(column).as_primitive::<Int64Type>().values().to_vec()).collect();
    all.sort_unstable();
    all
}

fn counters(node: &dyn PlanNode) -> HashMap<&'static str, u64> {
    node.info().metrics.named().into_iter().map(|(name, _, value)| (name, value)).collect()
}

/// Rows `range`: their number, its remainder by 10, a word for that.
fn rows(range: Range<i64>) -> RecordBatch {
    let numbers: Vec<i64> = range.collect();
    let words: StringArray = numbers.iter().map(|n| Some(format!("word {}", n % 10))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(numbers.clone()))),
        ("m", Arc::new(numbers.iter().map(|n| (n % 11 != 0).then_some(n % 10)).collect::<Int64Array>())),
        ("word", Arc::new(words)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn table(root: &Path) -> Arc<FileTable> {
    for part in 0..2i64 {
        let directory = root.join(format!("part={part}"));
        std::fs::create_dir_all(&directory).unwrap();
        let start = part * 20_000;
        testing::write(&directory.join("a.parquet"), &[rows(start..start + 10_000), rows(start + 10_000..start + 20_000)], 1000);
    }
    FileTable::open(root.to_str().unwrap()).unwrap()
}

fn scan(table: &Arc<FileTable>, projection: &[usize], predicates: Vec<Within>) -> ScanNode {
    let predicates = predicates.into_iter().map(|predicate| Arc::new(predicate) as Arc<dyn ScanPredicate>).collect();
    ScanNode::new(table.clone(), projection.to_vec(), predicates, Vec::new(), 0.0)
}

#[test]
fn delivers_every_row_once() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    for (threads, chunk_rows) in [(1, 8192), (3, 7), (2, 1000)] {
        let node = scan(&table, &[0, 3, 2], Vec::new());
        let batches = run(&node, threads, chunk_rows).unwrap();
        assert_eq!(numbers(&batches, 0), (0..40_000).collect::<Vec<_>>());
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let n = batch.column(0).as_primitive::<Int64Type>().value(row);
                assert_eq!(i64::from(batch.column(1).as_primitive::<arrow::datatypes::Int32Type>().value(row)), n / 20_000);
                assert_eq!(batch.column(2).as_string_view().value(row), format!("word {}", n % 10));
            }
        }
        assert_eq!(counters(&node)["row groups"], 4);
        assert_eq!(counters(&node)["files"], 2);
    }
}

#[test]
fn filters_and_prunes() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    let expected: Vec<i64> = (12_345..23_456).filter(|n| n % 11 != 0 && (3..5).contains(&(n % 10))).collect();
    for (threads, chunk_rows) in [(1, 8192), (3, 7), (2, 1000)] {
        let node = scan(&table, &[2, 0], vec![within(1, 3..5), within(0, 12_345..23_456)]);
        assert!(node.details().iter().any(|line| line.ends_with("row groups: 4, of which skipped: 2")), "{:?}", node.details());
        let batches = run(&node, threads, chunk_rows).unwrap();
        assert_eq!(numbers(&batches, 1), expected);
        assert!(batches.iter().all(|batch| batch.column(0).as_string_view().iter().flatten().all(|word| word > "word 2")));
        assert_eq!(counters(&node)["row groups skipped"], 2);
        assert!(counters(&node)["pages skipped"] > 0);
    }
}

#[test]
fn pages_that_bounds_rule_out_are_not_decoded() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    let node = scan(&table, &[0], vec![within(0, 5000..5010)]);
    assert_eq!(numbers(&run(&node, 1, 8192).unwrap(), 0), (5000..5010).collect::<Vec<_>>());
    assert_eq!(counters(&node)["values decoded"], 1000);
}

#[test]
fn partitions_prune_and_always_true_predicates_are_dropped() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    let predicate = Arc::new(within(3, 1..2));
    let node = ScanNode::new(table, Vec::new(), vec![predicate.clone()], Vec::new(), 0.0);
    let batches = run(&node, 2, 8192).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 20_000);
    assert_eq!(predicate.seen.load(Ordering::Relaxed), 0);
    assert_eq!(counters(&node)["bytes read"], 0);
}

#[test]
fn fallible_predicates_see_only_rows_that_passed() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    let fallible = || Within { fallible: true, ..within(0, 0..15) };
    let node = scan(&table, &[0], vec![within(1, 4..6), fallible()]);
    assert_eq!(numbers(&run(&node, 1, 8192).unwrap(), 0), [4, 5, 14]);
    let node = scan(&table, &[0], vec![fallible()]);
    assert_eq!(run(&node, 1, 8192).unwrap_err().kind(), crate::ErrorKind::Value);
}

#[test]
fn runtime_filters_are_used_when_ready_and_dropped_when_useless() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    let late = Arc::new(Within { late: true, ..within(0, 100..200) });
    let node = |filter: &Arc<Within>| ScanNode::new(table.clone(), vec![0], Vec::new(), vec![filter.clone()], 0.0);
    assert_eq!(numbers(&run(&node(&late), 1, 1000).unwrap(), 0).len(), 40_000);
    late.ready.store(true, Ordering::Relaxed);
    let ready = node(&late);
    assert_eq!(numbers(&run(&ready, 1, 1000).unwrap(), 0), (100..200).collect::<Vec<_>>());
    assert_eq!(counters(&ready)["row groups skipped"], 3);
    let useless = Arc::new(Within { late: true, ready: AtomicBool::new(true), ..within(1, 0..9) });
    run(&node(&useless), 1, 100).unwrap();
    let seen = 4 * (10 + 1 + 4 * 100);
    assert_eq!(useless.seen.load(Ordering::Relaxed), seen, "ten words, NULL and four windows in each of four row groups");
}

/// Four row groups: even numbers below 8000 in the first, odd ones in the second, and so on.
fn gaps(root: &Path, bloom: &[&str]) -> Arc<FileTable> {
    let batch = |group: i64| {
        let numbers: ArrayRef = Arc::new((0..4000).map(|row| Some(row % 1000 * 8 + group)).collect::<Int64Array>());
        let rows: ArrayRef = Arc::new((0..4000).map(|row| Some(group * 4000 + row)).collect::<Int64Array>());
        let thin: ArrayRef = Arc::new((0..4000).map(|row| (row % 3 != 0).then_some(group)).collect::<Int64Array>());
        let columns: Vec<(&str, ArrayRef)> = vec![("n", numbers), ("row", rows), ("thin", thin)];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    };
    let path = root.join("gaps.parquet");
    testing::write_with(&path, &(0..4).map(batch).collect::<Vec<_>>(), 500, bloom, &["thin"]);
    FileTable::open(path.to_str().unwrap()).unwrap()
}

#[test]
fn bloom_filters_rule_out_row_groups() {
    for bloom in [&["n"][..], &[]] {
        let root = tempfile::tempdir().unwrap();
        let table = gaps(root.path(), bloom);
        let equal = |value: i64| Within { listed: Some(vec![value.into()]), ..within(0, value..value + 1) };
        for runtime in [false, true] {
            let predicates = vec![Arc::new(equal(4001)) as Arc<dyn ScanPredicate>];
            let (predicates, filters) = if runtime { (Vec::new(), predicates) } else { (predicates, Vec::new()) };
            let node = ScanNode::new(table.clone(), vec![0], predicates, filters, 0.0);
            assert_eq!(numbers(&run(&node, 1, 8192).unwrap(), 0), [4001; 4]);
            let skipped = node.details().iter().any(|line| line.contains("3 row groups by Bloom filters"));
            assert_eq!(skipped, !bloom.is_empty(), "{:?}", node.details());
        }
        let absent = equal(4005);
        let node = scan(&table, &[0], vec![absent]);
        assert!(run(&node, 1, 8192).unwrap().is_empty());
    }
}

#[test]
fn dictionaries_rule_out_and_prove() {
    let root = tempfile::tempdir().unwrap();
    let table = gaps(root.path(), &[]);
    // Values of `thin` are the number of the row group, and it has no bounds.
    let node = scan(&table, &[1], vec![Within { opaque: true, ..within(2, 2..3) }]);
    let expected: Vec<i64> = (8000..12_000).filter(|row| row % 4000 % 3 != 0).collect();
    assert_eq!(numbers(&run(&node, 2, 1000).unwrap(), 0), expected);
    assert!(node.details().iter().any(|line| line.contains("3 row groups by dictionaries")), "{:?}", node.details());
    // All values of the dictionary pass, and no row is NULL: the filter sees the dictionary only.
    let predicate = Arc::new(Within { opaque: true, ..within(0, 0..8000) });
    let all: Vec<usize> = vec![0, 1, 2];
    let root = tempfile::tempdir().unwrap();
    let words = table_of_words(root.path());
    let node = ScanNode::new(words, all, vec![predicate.clone()], Vec::new(), 0.0);
    assert_eq!(numbers(&run(&node, 1, 8192).unwrap(), 1).len(), 20_000);
    assert_eq!(predicate.seen.load(Ordering::Relaxed), 5, "five values and no row");
}

/// A number of five values without NULLs, the row, and a long word a row.
fn table_of_words(root: &Path) -> Arc<FileTable> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("five", Arc::new((0..20_000).map(|row| Some(row % 5)).collect::<Int64Array>())),
        ("row", Arc::new((0..20_000).map(Some).collect::<Int64Array>())),
        ("word", Arc::new((0..20_000).map(|row| Some(format!("a long word for row {row}"))).collect::<StringArray>())),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let path = root.join("words.parquet");
    testing::write(&path, &[batch], 1000);
    FileTable::open(path.to_str().unwrap()).unwrap()
}

/// Becomes ready, and tells more, while the scan runs: after `after` rows were seen.
#[derive(Debug, Default)]
struct Arriving {
    seen: AtomicU64,
    after: u64,
}

impl ScanPredicate for Arriving {
    fn columns(&self) -> &[usize] {
        &[0]
    }

    fn describe(&self) -> String {
        "arriving".into()
    }

    fn version(&self) -> u64 {
        u64::from(self.seen.load(Ordering::Relaxed) >= self.after)
    }

    fn check_bounds(&self, zone: &dyn Bounds) -> Truth {
        match zone.column(0).min {
            Some(ScalarValue::Int64(Some(min))) if self.version() > 0 && min >= 5000 => Truth::Never,
            _ => Truth::Unknown,
        }
    }

    fn evaluate(&self, _columns: &[Column], rows: usize) -> Result<BooleanBuffer> {
        self.seen.fetch_add(rows as u64, Ordering::Relaxed);
        Ok(BooleanBuffer::new_set(rows))
    }
}

#[test]
fn runtime_filters_that_arrive_during_a_row_group_skip_the_rest_of_it() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    let filter: Arc<dyn ScanPredicate> = Arc::new(Arriving { after: 1500, ..Arriving::default() });
    let node = ScanNode::new(table, vec![0], vec![filter], Vec::new(), 0.0);
    let read = numbers(&run(&node, 1, 500).unwrap(), 0);
    // It arrives in the third window of the first row group and is noticed after the fourth; pages of
    // 1000 rows from 5000 on are left out, and with them all other row groups.
    assert_eq!(read, (0..5000).collect::<Vec<_>>());
    assert_eq!(counters(&node)["row groups skipped"], 3);
}

#[test]
fn memory_tables_are_filtered_too() {
    let batches = [rows(0..70_000), rows(70_000..70_010)];
    for chunk_rows in [8192, 7] {
        let predicate: Arc<dyn ScanPredicate> = Arc::new(within(0, 65_000..70_005));
        let node = MemoryScanNode::new(
            batches[0].schema(),
            batches.iter().map(|b| crate::column::Chunk::from_batch(b).unwrap()).collect(),
            vec![2, 0],
            vec![predicate],
            0.0,
        );
        assert_eq!(numbers(&run(&node, 2, chunk_rows).unwrap(), 1), (65_000..70_005).collect::<Vec<_>>());
    }
}

#[test]
fn a_file_that_changes_during_the_scan_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    let node = scan(&table, &[0], Vec::new());
    let path = root.path().join("part=1/a.parquet");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(run(&node, 1, 8192).unwrap_err().kind(), crate::ErrorKind::Data);
}
