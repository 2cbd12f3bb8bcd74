//! Tables of many files, and files of different types.

use super::*;
use arrow::array::{Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, TimeUnit, TimestampMicrosecondType};

/// Files that are open in this process; none where that cannot be known.
fn open_files() -> Option<usize> {
    std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count)
}

/// Passes everything and notes how many files are open.
#[derive(Debug, Default)]
struct Watching(AtomicU64);

impl ScanPredicate for Watching {
    fn columns(&self) -> &[usize] {
        &[0]
    }

    fn describe(&self) -> String {
        "watching".into()
    }

    fn evaluate(&self, _columns: &[Column], rows: usize) -> Result<BooleanBuffer> {
        self.0.fetch_max(open_files().unwrap_or(0) as u64, Ordering::Relaxed);
        Ok(BooleanBuffer::new_set(rows))
    }
}

#[test]
fn many_files_are_not_open_at_once_and_large_ones_come_first() {
    let root = tempfile::tempdir().unwrap();
    let mut next = 0;
    for file in 0..300 {
        let count = if file == 200 { 2000 } else { 3 };
        let batch = rows(next..next + count);
        next += count;
        testing::write(&root.path().join(format!("{file:04}.parquet")), &[batch], 1000);
    }
    let before = open_files().unwrap_or(0) as u64;
    let table = FileTable::open(root.path().to_str().unwrap()).unwrap();
    for threads in [1, 3] {
        let watching = Arc::new(Watching::default());
        let node = ScanNode::new(table.clone(), vec![0], vec![watching.clone()], Vec::new(), 0.0);
        let batches = run(&node, threads, 8192).unwrap();
        assert_eq!(numbers(&batches, 0), (0..next).collect::<Vec<_>>());
        // Other tests of this process have files open as well.
        assert!(watching.0.load(Ordering::Relaxed) < before + 100, "{watching:?} files, {before} before");
        assert_eq!(counters(&node)["files"], 300);
        if threads == 1 {
            assert_eq!(batches[0].num_rows(), 2000, "the largest file is read first");
        }
    }
}

#[test]
fn thousands_of_small_files_are_read_one_after_the_other() {
    const FILES: usize = 2000;
    let root = tempfile::tempdir().unwrap();
    let first = root.path().join("0000.parquet");
    testing::write(&first, &[rows(0..11)], 1000);
    let bytes = std::fs::read(&first).unwrap();
    for file in 1..FILES {
        std::fs::write(root.path().join(format!("{file:04}.parquet")), &bytes).unwrap();
    }
    let before = open_files().unwrap_or(0) as u64;
    let table = FileTable::open(root.path().to_str().unwrap()).unwrap();
    assert_eq!(table.files().len(), FILES);
    let watching = Arc::new(Watching::default());
    let node = ScanNode::new(table.clone(), vec![0], vec![watching.clone()], Vec::new(), 0.0);
    let read = numbers(&run(&node, 3, 8192).unwrap(), 0);
    assert_eq!(read.len(), 11 * FILES);
    assert_eq!(read.iter().sum::<i64>(), 55 * FILES as i64);
    // Other tests of this process have files open as well.
    assert!(watching.0.load(Ordering::Relaxed) < before + 100, "{watching:?} files, {before} before");
    assert_eq!(counters(&node)["files"], FILES as u64);
    // One that is cut off is named, whichever thread meets it.
    let last = root.path().join("1999.parquet");
    std::fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    let error = FileTable::open(root.path().to_str().unwrap()).unwrap_err();
    assert_eq!(error.place().file.as_deref(), Some(last.as_path()));
}

/// Two files with the same columns in other types, orders and spellings.
fn evolved(root: &Path) -> Arc<FileTable> {
    let decimal = |values: Vec<i128>, precision, scale| {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
    };
    let old: Vec<(&str, ArrayRef)> = vec![
        ("Id", Arc::new(Int32Array::from(vec![1, 2]))),
        ("ratio", Arc::new(Float32Array::from(vec![0.5, 1.5]))),
        ("Amount", decimal(vec![125, 250], 9, 2)),
        ("day", Arc::new(Date32Array::from(vec![0, 1]))),
    ];
    let new: Vec<(&str, ArrayRef)> = vec![
        ("day", Arc::new(TimestampMicrosecondArray::from(vec![3, 86_400_000_000 * 2]))),
        ("amount", decimal(vec![12_345, 1_000_000_000_000_000_000_000], 25, 4)),
        ("ratio", Arc::new(Float64Array::from(vec![2.5, 3.5]))),
        ("extra", Arc::new(Int64Array::from(vec![7, 8]))),
        ("id", Arc::new(Int64Array::from(vec![3, 1 << 40]))),
    ];
    testing::write(&root.join("a.parquet"), &[RecordBatch::try_from_iter(old).unwrap()], 10);
    testing::write(&root.join("b.parquet"), &[RecordBatch::try_from_iter(new).unwrap()], 10);
    FileTable::open(root.to_str().unwrap()).unwrap()
}

#[test]
fn columns_go_by_name_and_types_widen() {
    let root = tempfile::tempdir().unwrap();
    let table = evolved(root.path());
    let types: Vec<DataType> = table.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(types, [DataType::Int64, DataType::Float64, DataType::Decimal128(25, 4), moment, DataType::Int64]);
    let node = scan(&table, &[0, 1, 2, 3, 4], Vec::new());
    let batches = run(&node, 1, 100).unwrap();
    let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let order = arrow::compute::sort_to_indices(batch.column(0), None, None).unwrap();
    let column = |at: usize| arrow::compute::take(batch.column(at), &order, None).unwrap();
    assert_eq!(column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3, 1 << 40]);
    assert_eq!(column(1).as_primitive::<Float64Type>().values(), &[0.5, 1.5, 2.5, 3.5]);
    assert_eq!(column(2).as_primitive::<Decimal128Type>().values(), &[12_500, 25_000, 12_345, 1_000_000_000_000_000_000_000]);
    assert_eq!(column(3).as_primitive::<TimestampMicrosecondType>().values(), &[0, 86_400_000_000, 3, 86_400_000_000 * 2]);
    let extra: Vec<Option<i64>> = column(4).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(extra, [None, None, Some(7), Some(8)]);
    // Bounds of the narrower file are compared in the wider type.
    let node = scan(&table, &[0], vec![within(0, 3..1 << 50)]);
    assert_eq!(numbers(&run(&node, 1, 100).unwrap(), 0), [3, 1 << 40]);
    assert_eq!(counters(&node)["row groups skipped"], 1);
    // A column that a file lacks is NULL there: nothing of it is decoded.
    let node = scan(&table, &[0], vec![within(4, 0..100)]);
    assert_eq!(numbers(&run(&node, 1, 100).unwrap(), 0), [3, 1 << 40]);
    assert_eq!(counters(&node)["values decoded"], 2);
}

#[test]
fn few_rows_in_few_slices_are_decoded_alone() {
    let root = tempfile::tempdir().unwrap();
    let table = table(root.path());
    // Three words a thousand rows: the word column is decoded for them only.
    let predicate = |row: i64| row % 1000 < 3 && row < 20_000;
    let some = Arc::new(Picking(predicate));
    let node = ScanNode::new(table.clone(), vec![2, 0, 3, 2], vec![some], Vec::new(), 0.0);
    let batches = run(&node, 1, 8000).unwrap();
    let expected: Vec<i64> = (0..40_000).filter(|row| predicate(*row)).collect();
    assert_eq!(numbers(&batches, 1), expected);
    for batch in &batches {
        let (words, again) = (batch.column(0).as_string_view(), batch.column(3).as_string_view());
        for (row, n) in batch.column(1).as_primitive::<Int64Type>().values().iter().enumerate() {
            assert_eq!((words.value(row), again.value(row)), (format!("word {}", n % 10).as_str(), words.value(row)));
        }
    }
    assert_eq!(counters(&node)["values decoded"], 40_000 + expected.len() as u64);
}

/// A condition on the first column that bounds cannot decide.
#[derive(Debug)]
struct Picking(fn(i64) -> bool);

impl ScanPredicate for Picking {
    fn columns(&self) -> &[usize] {
        &[0]
    }

    fn describe(&self) -> String {
        "picking".into()
    }

    fn evaluate(&self, columns: &[Column], rows: usize) -> Result<BooleanBuffer> {
        let values = columns[0].flat()?;
        let values = values.as_primitive::<Int64Type>();
        Ok((0..rows).map(|row| self.0(values.value(row))).collect())
    }
}
