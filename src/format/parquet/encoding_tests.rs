//! Every encoding that we decode against the crate: types, shapes of values, NULLs, pages, codecs,
//! page versions, selections. Seeds are in the messages.

use super::tests::{check, nulls, write};
use super::*;
use crate::error::Result;
use ::parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type};
use ::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnPath;
use arrow::array::*;
use arrow::compute;
use arrow::datatypes::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

fn codecs() -> [Compression; 7] {
    [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::LZ4,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
    ]
}

/// Numbers of a shape that packs and delta-codes in its own way.
fn numbers(shape: usize, rows: usize, random: &mut StdRng) -> Vec<i64> {
    let mut sum = -5000i64;
    (0..rows)
        .map(|row| match shape {
            0 => 77,
            1 => row as i64 * 3 - 100,
            2 => {
                sum += random.random_range(0..9);
                sum
            }
            3 => random.random_range(-1000..1000),
            4 => [i64::MIN, i64::MAX, 0, -1][row % 4],
            5 => (row / 900) as i64,
            _ => random.random(),
        })
        .collect()
}

/// Columns of all the types that can have encodings of their own; the name starts with the physical
/// type.
fn batch(numbers: &[i64], null: &dyn Fn(usize) -> bool) -> RecordBatch {
    let ints: Int64Array = numbers.iter().enumerate().map(|(row, number)| (!null(row)).then_some(*number)).collect();
    let array = |values: Int64Array, to: &DataType| compute::cast(&values, to).unwrap();
    let folded = |bound: i64| ints.unary::<_, Int64Type>(|value| value % bound);
    let i32s: Int32Array = ints.unary(|value| value as i32);
    let i32s: ArrayRef = Arc::new(i32s);
    let f64s: Float64Array = ints.unary(|value| f64::from_bits(value as u64 & !(0x7ff << 52)));
    let decimal = |digits: u8, bound: i64| -> ArrayRef {
        let scaled: Decimal128Array = folded(bound).unary(i128::from);
        Arc::new(scaled.with_precision_and_scale(digits, 2).unwrap())
    };
    let word = |number: i64| match number.rem_euclid(5) {
        0 => String::new(),
        1 => format!("a common beginning and then {number}"),
        2 => format!("a common beginning, ähnlich {number}"),
        3 => format!("{:x}", number),
        _ => "same".repeat((number.rem_euclid(7)) as usize),
    };
    let text: StringArray = ints.iter().map(|number| number.map(word)).collect();
    let bytes: BinaryArray = ints.iter().map(|number| number.map(|n| n.to_be_bytes()[..(n & 7) as usize].to_vec())).collect();
    let mut fixed = FixedSizeBinaryBuilder::new(11);
    for number in &ints {
        match number {
            Some(n) => fixed.append_value(format!("{:011x}", n & 0xfff_ffff_ffff)).unwrap(),
            None => fixed.append_null(),
        }
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bool", Arc::new(BooleanArray::from_iter(ints.iter().map(|n| n.map(|n| n & 4 == 0))))),
        ("i32", i32s.clone()),
        ("i32_8", array(folded(100), &DataType::Int8)),
        ("i32_u16", compute::cast(&folded(30_000).unary::<_, Int64Type>(i64::abs), &DataType::UInt16).unwrap()),
        ("i32_u32", Arc::new(ints.unary::<_, UInt32Type>(|value| value as u32))),
        (
            "i32_date",
            array(folded(100_000), &DataType::Int32).as_primitive::<Int32Type>().reinterpret_cast::<Date32Type>().into_array(),
        ),
        ("i32_decimal", decimal(9, 1_000_000_000)),
        ("i64", Arc::new(ints.clone())),
        ("i64_u64", Arc::new(ints.unary::<_, UInt64Type>(|value| value as u64))),
        ("i64_us", ints.reinterpret_cast::<TimestampMicrosecondType>().into_array()),
        ("i64_ms", folded(1 << 50).reinterpret_cast::<TimestampMillisecondType>().into_array()),
        ("i64_decimal", decimal(18, 1_000_000_000_000_000_000)),
        ("f32", Arc::new(ints.unary::<_, Float32Type>(|value| value as f32))),
        ("f64", Arc::new(f64s)),
        ("fixed_decimal", decimal(30, i64::MAX)),
        ("fixed_f16", compute::cast(&folded(2000), &DataType::Float16).unwrap()),
        ("fixed", Arc::new(fixed.finish())),
        ("text", Arc::new(text)),
        ("bytes", Arc::new(bytes)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Makes an array of a primitive one.
trait IntoArray {
    fn into_array(self) -> ArrayRef;
}

impl<T: ArrowPrimitiveType> IntoArray for PrimitiveArray<T> {
    fn into_array(self) -> ArrayRef {
        Arc::new(self)
    }
}

/// The encodings that a column of this name may have.
fn encodings(column: &str) -> &'static [Encoding] {
    match column.split('_').next().unwrap_or_default() {
        "bool" => &[Encoding::PLAIN, Encoding::RLE],
        "i32" | "i64" => &[Encoding::PLAIN, Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT],
        "f32" | "f64" => &[Encoding::PLAIN, Encoding::BYTE_STREAM_SPLIT],
        "fixed" => &[Encoding::PLAIN, Encoding::DELTA_BYTE_ARRAY, Encoding::BYTE_STREAM_SPLIT],
        _ => &[Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY],
    }
}

fn properties(batch: &RecordBatch, round: usize) -> WriterPropertiesBuilder {
    let version = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0][round / 3 % 2];
    let mut properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(codecs()[round % 7])
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit([1, 90, 700, 20_000][round % 4].max(if round.is_multiple_of(8) { 1 } else { 30 }))
        .set_write_batch_size(64);
    for field in batch.schema().fields() {
        let encodings = encodings(field.name());
        let path = ColumnPath::from(field.name().as_str());
        properties = properties.set_column_encoding(path, encodings[round % encodings.len()]);
    }
    properties
}

#[test]
fn every_encoding_is_read_as_the_crate_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("encodings.parquet");
    let mut seen = HashSet::new();
    // 3 encodings, 4 patterns, 7 shapes and 7 codecs: each pair meets in 84 rounds.
    for round in 0..84usize {
        let seed = 1000 + round as u64;
        println!("round {round}, seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let rows = if round.is_multiple_of(8) { 40 } else { random.random_range(1..1500) };
        let batch = batch(&numbers(round % 7, rows, &mut random), &nulls(round / 2 % 4));
        let _ = std::fs::remove_file(&path);
        write(&path, std::slice::from_ref(&batch), properties(&batch, round));
        check(&path, seed);
        let (_, footer) = Footer::open(&path).unwrap();
        assert!(footer.columns().iter().all(|column| column.kind.is_some()), "all are decoded here");
        let chunks = footer.row_group(0).columns().iter();
        seen.extend(chunks.flat_map(|chunk| chunk.encodings().map(|encoding| encoding.to_string()).collect::<Vec<_>>()));
    }
    let wanted = [Encoding::DELTA_BINARY_PACKED, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
    for encoding in wanted.into_iter().chain([Encoding::PLAIN, Encoding::RLE, Encoding::BYTE_STREAM_SPLIT]) {
        assert!(seen.contains(&encoding.to_string()), "{encoding} was tried");
    }
}

/// Types that the crate's Arrow writer does not write.
fn write_rare(path: &Path, dictionary: bool, encoding: Option<Encoding>) {
    let schema = "message rare {
        optional int96 when;
        required int96 then;
        optional fixed_len_byte_array(16) wide (DECIMAL(10, 2));
        required fixed_len_byte_array(3) narrow (DECIMAL(6, 1));
        required fixed_len_byte_array(9) middle (DECIMAL(20, 3));
        optional fixed_len_byte_array(16) id (UUID);
        optional fixed_len_byte_array(20) long (DECIMAL(25, 4));
        optional binary money (DECIMAL(12, 2));
    }";
    let mut properties = WriterProperties::builder().set_dictionary_enabled(dictionary).set_data_page_row_count_limit(300);
    properties = properties.set_write_batch_size(50).set_compression(Compression::SNAPPY);
    if let Some(encoding) = encoding {
        for column in ["wide", "narrow", "middle", "id", "long"] {
            properties = properties.set_column_encoding(ColumnPath::from(column), encoding);
        }
    }
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let rows = 1000i64;
    let present: Vec<i16> = (0..rows).map(|row| i16::from(row % 7 != 3)).collect();
    let mut number = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        let optional = [true, false, true, false, false, true, true, true][number];
        let kept = || (0..rows).filter(|row| !optional || row % 7 != 3);
        let levels = optional.then_some(&present[..]);
        let width = [0, 0, 16, 3, 9, 16, 20, 4][number];
        if width == 0 {
            let day = |row: i64| (2_440_588 + (row % 40) * 500 - 10_000) as u32;
            let values: Vec<Int96> = kept()
                .map(|row| {
                    let nanos = (row % 90) as u64 * 1_000_000_001_000 / 1000 * 1000;
                    let mut value = Int96::new();
                    value.set_data(nanos as u32, (nanos >> 32) as u32, day(row));
                    value
                })
                .collect();
            column.typed::<Int96Type>().write_batch(&values, levels, None).unwrap();
        } else {
            let values = kept().map(|row| {
                let value = i128::from(row % 300 - 150) * 1234;
                let mut bytes = vec![if value < 0 { 0xff } else { 0 }; 16];
                bytes.extend(value.to_be_bytes());
                ByteArray::from(bytes[32 - width..].to_vec())
            });
            if number == 7 {
                let values: Vec<ByteArray> = values.collect();
                column.typed::<ByteArrayType>().write_batch(&values, levels, None).unwrap();
            } else {
                let values: Vec<FixedLenByteArray> = values.map(FixedLenByteArray::from).collect();
                column.typed::<FixedLenByteArrayType>().write_batch(&values, levels, None).unwrap();
            }
        }
        column.close().unwrap();
        number += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn int96_and_fixed_lengths_are_read_as_the_crate_reads_them() {
    let directory = tempfile::tempdir().unwrap();
    let other = [Encoding::DELTA_BYTE_ARRAY, Encoding::BYTE_STREAM_SPLIT];
    let cases = [(true, None), (false, None), (false, Some(other[0])), (false, Some(other[1]))];
    for (number, (dictionary, encoding)) in cases.into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.parquet"));
        write_rare(&path, dictionary, encoding);
        let (_, footer) = Footer::open(&path).unwrap();
        assert!(footer.columns().iter().all(|column| column.kind.is_some()), "all are decoded here");
        check(&path, number as u64);
    }
}

/// Rows chosen by a mask, as a scan chooses them: runs read, gaps left out.
#[test]
fn selections_read_what_a_filter_leaves() -> Result<()> {
    let directory = tempfile::tempdir().unwrap();
    for (seed, share) in [(1u64, 0.01), (2, 0.1), (3, 0.5), (4, 0.95)] {
        let mut random = StdRng::seed_from_u64(seed);
        let rows = 2000;
        let batch = batch(&numbers(3, rows, &mut random), &nulls(1));
        let path = directory.path().join(format!("{seed}.parquet"));
        let properties = properties(&batch, seed as usize).set_dictionary_enabled(seed % 2 == 0);
        write(&path, &[batch], properties);
        let (_, footer) = Footer::open(&path)?;
        let path: Arc<Path> = path.into();
        let mask: BooleanArray = (0..rows).map(|_| Some(random.random_bool(share))).collect();
        for column in 0..footer.columns().len() {
            let open = || Ok::<_, Error>(RowGroup::open(&path, &footer, 0, 0..rows, true)?.open_columns(&[column])?.0.remove(0));
            let all = open()?.read(rows)?.flat()?;
            let expected = compute::filter(&all, &mask).unwrap();
            let mut cursor = open()?;
            let mut parts = vec![all.slice(0, 0)];
            for (start, end) in mask.values().set_slices() {
                cursor.skip(start - cursor.row());
                parts.push(cursor.read(end - start)?.flat()?);
            }
            let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
            let name = &footer.columns()[column].name;
            assert_eq!(&compute::concat(&parts).unwrap(), &expected, "column {name}, seed {seed}");
        }
    }
    Ok(())
}

/// Runs longer than a window are passed on as one value.
#[test]
fn long_runs_are_constants() -> Result<()> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runs.parquet");
    let number = |row: usize| (row / 1000) as i64;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..5000).map(number)));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values((0..5000).map(|row| format!("the value is {}", number(row)))));
    let columns = [("i64", numbers, false), ("text", text, false)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    write(&path, &[batch], WriterProperties::builder().set_data_page_row_count_limit(300).set_write_batch_size(100));
    check(&path, 1);
    let (_, footer) = Footer::open(&path)?;
    let path: Arc<Path> = path.into();
    for column in [0, 1] {
        let mut cursor = RowGroup::open(&path, &footer, 0, 0..5000, false)?.open_columns(&[column])?.0.remove(0);
        cursor.skip(100);
        let forms: Vec<bool> = (0..10)
            .map(|_| cursor.read(450).map(|column| matches!(column, crate::column::Column::Const(_, 450))))
            .collect::<Result<_>>()?;
        // 100..550 and 550..1000 lie in one run, 1000..1450 and 1450..1900 too, 1900..2350 does not, ..
        assert_eq!(forms, [true, true, true, true, false, true, false, true, false, true], "column {column}");
    }
    Ok(())
}
