//! Our decoding against the crate's, over types, NULLs, pages, encodings, codecs, selections.

use super::kind::Kind;
use super::*;
use crate::column::{Column, to_storage_type};
use crate::error::{ErrorKind, Result};
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use arrow::array::*;
use arrow::compute;
use arrow::datatypes::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ROWS: usize = 3000;

/// One column of every type, with `values` distinct numbers and NULLs where `null` says.
fn batch(values: i64, null: &dyn Fn(usize) -> bool, seed: u64) -> RecordBatch {
    let mut random = StdRng::seed_from_u64(seed);
    let numbers: Vec<Option<i64>> =
        (0..ROWS).map(|row| (!null(row)).then(|| random.random_range(0..values) - values / 3)).collect();
    let ints: ArrayRef = Arc::new(Int64Array::from(numbers.clone()));
    let cast = |to: DataType| compute::cast(&ints, &to).unwrap();
    let unsigned = |to: DataType| {
        let positive: Int64Array = ints.as_primitive::<Int64Type>().unary(|value| value.abs());
        compute::cast(&positive, &to).unwrap()
    };
    let text = |long: bool| -> StringArray {
        let word = |n: i64| if long && n % 3 == 0 { format!("a longer string, number {n}") } else { format!("é{n}") };
        numbers.iter().map(|number| number.map(word)).collect()
    };
    let bytes: BinaryArray =
        numbers.iter().map(|number| number.map(|n| vec![n as u8; (n.unsigned_abs() % 20) as usize])).collect();
    let mut fixed = FixedSizeBinaryBuilder::new(5);
    for number in &numbers {
        match number {
            Some(n) => fixed.append_value([*n as u8; 5]).unwrap(),
            None => fixed.append_null(),
        }
    }
    let decimal = |precision: u8| {
        let scaled: Decimal128Array = ints.as_primitive::<Int64Type>().unary(|value| i128::from(value) * 7);
        Arc::new(scaled.with_precision_and_scale(precision, 2).unwrap()) as ArrayRef
    };
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        numbers.iter().map(|number| number.map(|n| (0..n.rem_euclid(4)).map(|i| Some(i as i32)).collect::<Vec<_>>())),
    );
    let pair = StructArray::from(vec![(Arc::new(Field::new("x", DataType::Int64, true)), ints.clone())]);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let small: ArrayRef = Arc::new(ints.as_primitive::<Int64Type>().unary::<_, Int64Type>(|value| value % 100));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bool", compute::cast(&Int64Array::from_iter(numbers.iter().map(|n| n.map(|n| n & 1))), &DataType::Boolean).unwrap()),
        ("i8", compute::cast(&small, &DataType::Int8).unwrap()),
        ("i16", compute::cast(&small, &DataType::Int16).unwrap()),
        ("i32", cast(DataType::Int32)),
        ("i64", ints.clone()),
        (
            "u8",
            compute::cast(
                &compute::cast(&small, &DataType::Int64).unwrap().as_primitive::<Int64Type>().unary::<_, Int64Type>(i64::abs),
                &DataType::UInt8,
            )
            .unwrap(),
        ),
        ("u16", unsigned(DataType::UInt16)),
        ("u32", unsigned(DataType::UInt32)),
        ("u64", unsigned(DataType::UInt64)),
        ("f16", compute::cast(&small, &DataType::Float16).unwrap()),
        ("f32", cast(DataType::Float32)),
        ("f64", cast(DataType::Float64)),
        ("date", compute::cast(&cast(DataType::Int32), &DataType::Date32).unwrap()),
        ("ms", cast(DataType::Timestamp(TimeUnit::Millisecond, None))),
        ("us", cast(micros)),
        ("ns", unsigned_nanos(&ints)),
        ("time", compute::cast(&unsigned(DataType::Int64), &DataType::Time64(TimeUnit::Microsecond)).unwrap()),
        ("d9", decimal(9)),
        ("d15", decimal(15)),
        ("d30", decimal(30)),
        ("short", Arc::new(text(false))),
        ("long", Arc::new(text(true))),
        ("bytes", Arc::new(bytes)),
        ("fixed", Arc::new(fixed.finish())),
        ("list", Arc::new(lists)),
        ("pair", Arc::new(pair)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Nanoseconds from 1970 on: before it the crate's cast rounds to zero and ours down.
fn unsigned_nanos(ints: &ArrayRef) -> ArrayRef {
    let nanos: Int64Array = ints.as_primitive::<Int64Type>().unary(|value| value.abs() * 1_234_567);
    compute::cast(&nanos, &DataType::Timestamp(TimeUnit::Nanosecond, None)).unwrap()
}

pub(super) fn write(path: &Path, batches: &[RecordBatch], properties: WriterPropertiesBuilder) {
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties.build())).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

/// All values by the crate, in our storage types; or why it does not read them.
fn oracle(path: &Path, footer: &Footer) -> Result<Vec<Vec<ArrayRef>>> {
    let mut groups = Vec::new();
    // Nanoseconds, which the crate takes INT96 for, end in the year 2262.
    let fields = footer.columns().iter().map(|column| match column.kind {
        Some(Kind::Int96ToMicros) => column.field.clone().with_data_type(column.data_type.clone()),
        _ => column.field.clone(),
    });
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    for group in 0..footer.row_groups() {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema.clone());
        let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(damaged)?;
        let reader = reader.with_row_groups(vec![group]).with_batch_size(1 << 20).build().map_err(damaged)?;
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>()?;
        let Some(batch) = batches.first() else { continue };
        let columns = batch.columns().iter().zip(footer.columns());
        let columns = columns.map(|(array, column)| to_storage_type(&compute::cast(array, &column.data_type)?));
        groups.push(columns.collect::<Result<_>>()?);
    }
    Ok(groups)
}

/// Reads and skips at random places and compares what is read.
pub(super) fn check(path: &Path, seed: u64) {
    let (_, footer) = Footer::open(path).unwrap();
    compare(path, &footer, &oracle(path, &footer).unwrap(), seed);
}

fn compare(path: &Path, footer: &Arc<Footer>, expected: &[Vec<ArrayRef>], seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let path: Arc<Path> = path.into();
    let columns: Vec<usize> = (0..footer.columns().len()).collect();
    for (group, expected) in expected.iter().enumerate() {
        let rows = footer.rows(group);
        for use_index in [false, true] {
            let start = if use_index { random.random_range(0..rows) } else { 0 };
            let mut open = RowGroup::open(&path, footer, group, start..rows, use_index).unwrap();
            let (cursors, _) = open.open_columns(&columns).unwrap();
            for ((mut cursor, expected), column) in cursors.into_iter().zip(expected).zip(footer.columns()) {
                cursor.keep_codes([0, 100, 1000][random.random_range(0..3)]);
                while cursor.row() < rows {
                    let at = cursor.row();
                    let count = random.random_range(1..=(rows - at).min(1200));
                    if random.random_bool(0.4) {
                        cursor.skip(count);
                        continue;
                    }
                    if random.random_bool(0.3) {
                        // Some rows of the window.
                        let share = [0.01, 0.1, 0.4, 1.0][random.random_range(0..4)];
                        let mask: BooleanArray = (0..count).map(|_| Some(random.random_bool(share))).collect();
                        let wanted: Vec<u32> = mask.values().set_indices_u32().collect();
                        let read = cursor.read_some(&wanted, count).unwrap().flat().unwrap();
                        read.to_data().validate_full().unwrap();
                        let expected = compute::filter(&expected.slice(at, count), &mask).unwrap();
                        assert_eq!(cursor.row(), at + count);
                        assert_eq!(&read, &expected, "column {}, some of {count} from {at}", column.name);
                        continue;
                    }
                    let read = cursor.read(count).unwrap().flat().unwrap();
                    read.to_data().validate_full().unwrap();
                    assert_eq!(&read, &expected.slice(at, count), "column {}, {count} rows from {at}", column.name);
                }
            }
        }
    }
}

pub(super) fn nulls(pattern: usize) -> Box<dyn Fn(usize) -> bool> {
    match pattern {
        0 => Box::new(|_| false),
        1 => Box::new(|row| row.wrapping_mul(0x9e37_79b9) % 7 < 2),
        2 => Box::new(|row| row / 700 % 2 == 1),
        _ => Box::new(|_| true),
    }
}

#[test]
fn reads_what_the_crate_reads() {
    let directory = tempfile::tempdir().unwrap();
    let mut seed = 1;
    for pattern in 0..4 {
        for (values, dictionary, dictionary_bytes) in [(40, true, 1 << 20), (30_000, true, 4000), (30_000, false, 1)] {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let codecs = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())];
                let codec = codecs[seed as usize % 3];
                let path = directory.path().join(format!("{seed}.parquet"));
                let page_rows = [100, 777, 20_000][seed as usize / 2 % 3];
                let mut properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(codec)
                    .set_dictionary_enabled(dictionary)
                    .set_dictionary_page_size_limit(dictionary_bytes)
                    .set_data_page_row_count_limit(page_rows)
                    .set_write_batch_size(64);
                if version == WriterVersion::PARQUET_1_0 {
                    properties = properties.set_offset_index_disabled(true).set_statistics_enabled(EnabledStatistics::Chunk);
                }
                let batches = [batch(values, &nulls(pattern), seed), batch(values, &nulls(pattern), seed + 100)];
                write(&path, &batches, properties);
                check(&path, seed);
                seed += 1;
            }
        }
    }
}

#[test]
fn dictionaries_stay_codes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("codes.parquet");
    write(&path, &[batch(40, &nulls(1), 5)], WriterProperties::builder());
    let (_, footer) = Footer::open(&path).unwrap();
    let column = footer.columns().iter().position(|column| column.name == "long").unwrap();
    let path: Arc<Path> = path.into();
    let mut group = RowGroup::open(&path, &footer, 0, 0..ROWS, true).unwrap();
    let mut cursor = group.open_columns(&[column]).unwrap().0.remove(0);
    let (first, second) = (cursor.read(100).unwrap(), cursor.read(100).unwrap());
    match (first, second) {
        (Column::Dict(first), Column::Dict(second)) => assert_eq!(first.dictionary().id(), second.dictionary().id()),
        other => panic!("not codes: {other:?}"),
    }
    assert_eq!(footer.distinct(&path, column), Some(40.0));
}

#[test]
fn whole_pages_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    for disabled in [false, true] {
        let path = directory.path().join(format!("{disabled}.parquet"));
        let mut properties = WriterProperties::builder().set_data_page_row_count_limit(100).set_write_batch_size(50);
        if disabled {
            properties = properties.set_offset_index_disabled(true).set_statistics_enabled(EnabledStatistics::Chunk);
        }
        write(&path, &[batch(40, &nulls(0), 5)], properties);
        let (_, footer) = Footer::open(&path).unwrap();
        let path: Arc<Path> = path.into();
        let mut group = RowGroup::open(&path, &footer, 0, 0..ROWS, true).unwrap();
        let mut cursor = group.open_columns(&[4]).unwrap().0.remove(0);
        cursor.skip(1050);
        cursor.read(10).unwrap();
        assert!(cursor.figures().skipped >= 9, "{:?}", cursor.figures());
        assert_eq!((cursor.figures().read, cursor.figures().rows), (1, 10));
    }
}

fn plain_file(directory: &Path) -> PathBuf {
    let path = directory.join("whole.parquet");
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_data_page_row_count_limit(500);
    write(&path, &[batch(200, &nulls(1), 9)], properties);
    path
}

fn read_all(path: &Path) -> Result<()> {
    let (_, footer) = Footer::open(path)?;
    let columns: Vec<usize> = (0..footer.columns().len()).collect();
    let path: Arc<Path> = path.into();
    for group in 0..footer.row_groups() {
        let rows = footer.rows(group);
        for use_index in [false, true] {
            let (cursors, _) = RowGroup::open(&path, &footer, group, 0..rows, use_index)?.open_columns(&columns)?;
            for mut cursor in cursors {
                cursor.skip(rows / 3);
                while cursor.row() < rows {
                    cursor.read((rows - cursor.row()).min(700))?.flat()?;
                }
            }
        }
        for column in &columns {
            footer.page_zones(&path, group, *column)?;
            footer.zones(*column).bounds(group);
        }
    }
    Ok(())
}

#[test]
fn truncated_files_are_errors_that_name_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(plain_file(directory.path())).unwrap();
    for part in [0, 3, 4, 11, 100, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
        let path = directory.path().join(format!("cut{part}.parquet"));
        std::fs::write(&path, &bytes[..part]).unwrap();
        let error = read_all(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert_eq!(error.place().file.as_deref(), Some(path.as_path()), "{error}");
    }
    let missing = Footer::open(Path::new("/nowhere/x.parquet")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Io);
    assert!(missing.message().contains("/nowhere/x.parquet"));
}

#[test]
fn damaged_bytes_never_panic() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(plain_file(directory.path())).unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let path = directory.path().join("damaged.parquet");
    let mut failed = 0;
    for _ in 0..150 {
        let mut damaged = bytes.clone();
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(4..damaged.len() - 8);
            damaged[at] ^= 1 << random.random_range(0..8);
        }
        // A new inode each time: identities must differ for the footer cache.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, &damaged).unwrap();
        failed += usize::from(read_all(&path).is_err());
    }
    assert!(failed > 0, "damage is noticed at least sometimes");
}

/// Compares every file of apache/parquet-testing that the crate reads, where `PARQUET_TEST_DATA` names
/// its folder `data`, as it does for the crate's own tests.
#[test]
fn files_of_parquet_testing_are_read_as_the_crate_reads_them() {
    use std::io::Write;
    let Some(directory) = std::env::var_os("PARQUET_TEST_DATA") else {
        // Not by a macro, whose output nobody sees when a test passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: files of apache/parquet-testing: PARQUET_TEST_DATA is not set");
        return;
    };
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut compared = 0;
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")) {
        let Ok((_, footer)) = Footer::open(&path) else { continue };
        let Ok(expected) = oracle(&path, &footer) else { continue };
        compare(&path, &footer, &expected, 3);
        compared += 1;
    }
    assert!(compared > 40, "{compared} files were compared");
}

/// Compares real files with the crate: `SKEP_FILES=dir cargo test real_files -- --ignored --nocapture`.
#[test]
#[ignore = "wants a directory of Parquet files in SKEP_FILES"]
fn real_files() {
    for path in real_paths() {
        let read = Footer::open(&path).and_then(|(_, footer)| Ok((oracle(&path, &footer)?, footer)));
        match read {
            Ok((expected, footer)) => {
                compare(&path, &footer, &expected, 3);
                println!("{}: as the crate reads it", path.display());
            }
            Err(error) => println!("{}: the crate does not read it: {error}", path.display()),
        }
    }
}

/// Rows a second per column, ours and the crate's, on one core.
#[test]
#[ignore = "wants a directory of Parquet files in SKEP_FILES"]
fn real_speed() {
    for path in real_paths() {
        let (_, footer) = Footer::open(&path).unwrap();
        let shared: Arc<Path> = path.as_path().into();
        let rows = footer.total_rows() as f64 / 1e6;
        for (at, column) in footer.columns().iter().enumerate() {
            let ours = best_of_3(|| {
                for group in 0..footer.row_groups() {
                    let all = footer.rows(group);
                    let mut open = RowGroup::open(&shared, &footer, group, 0..all, false).unwrap();
                    let mut cursor = open.open_columns(&[at]).unwrap().0.remove(0);
                    while cursor.row() < all {
                        cursor.read((all - cursor.row()).min(8192)).unwrap();
                    }
                }
            });
            let crates = best_of_3(|| {
                let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(footer.schema.reader.clone());
                let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(&path).unwrap(), options).unwrap();
                let mask = ::parquet::arrow::ProjectionMask::roots(reader.parquet_schema(), [at]);
                for batch in reader.with_projection(mask).with_batch_size(8192).build().unwrap() {
                    batch.unwrap();
                }
            });
            println!("{:>16}: {:7.1} M rows/s, the crate {:7.1}", column.name, rows / ours, rows / crates);
        }
    }
}

fn real_paths() -> Vec<PathBuf> {
    let directory = std::env::var("SKEP_FILES").expect("SKEP_FILES names a directory");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

fn best_of_3(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = std::time::Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}
