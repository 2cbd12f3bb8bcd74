//! Damaged files: an error that names file, row group and column, or the values of an undamaged one;
//! never a panic, never an allocation that the file does not justify.

use super::tests::write;
use super::*;
use crate::error::{ErrorKind, Result};
use ::bytes::Bytes;
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use ::parquet::schema::types::ColumnPath;
use arrow::array::*;
use arrow::datatypes::Int32Type;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::sync::Arc;

const ROWS: i64 = 600;

/// Numbers, strings and booleans with some NULLs.
fn batch() -> RecordBatch {
    let rows = || (0..ROWS).map(|row| (row % 11 != 4).then_some(row * 7 % 130));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(Int64Array::from_iter(rows()))),
        ("date", Arc::new(Date32Array::from_iter(rows().map(|number| number.map(|n| n as i32))))),
        ("double", Arc::new(Float64Array::from_iter(rows().map(|number| number.map(|n| n as f64))))),
        ("text", Arc::new(StringArray::from_iter(rows().map(|number| number.map(|n| format!("the text é {n}")))))),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
                rows().map(|number| number.map(|n| (0..n % 4).map(|i| Some(i as i32)).collect::<Vec<_>>())),
            )),
        ),
        ("flag", Arc::new(BooleanArray::from_iter(rows().map(|number| number.map(|n| n < 50))))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Small files that differ in codec, page version, dictionary and encodings; without checksums, which
/// would see all damage.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let codecs = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default()), Compression::LZ4_RAW];
    let mut paths = Vec::new();
    for number in 0..8 {
        let path = directory.join(format!("whole{number}.parquet"));
        let mut properties = WriterProperties::builder()
            .set_compression(codecs[number % 4])
            .set_writer_version([WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0][number / 4])
            .set_dictionary_enabled(number % 3 == 0)
            .set_data_page_row_count_limit(200)
            .set_write_batch_size(50);
        if number % 3 == 1 {
            properties = properties
                .set_column_encoding(ColumnPath::from("number"), Encoding::DELTA_BINARY_PACKED)
                .set_column_encoding(ColumnPath::from("double"), Encoding::BYTE_STREAM_SPLIT)
                .set_column_encoding(ColumnPath::from("flag"), Encoding::RLE)
                .set_column_encoding(ColumnPath::from("text"), Encoding::DELTA_BYTE_ARRAY);
        }
        if number % 2 == 1 {
            properties = properties.set_offset_index_disabled(true).set_statistics_enabled(EnabledStatistics::None);
        }
        write(&path, &[batch()], properties);
        paths.push(path);
    }
    paths
}

/// Reads and skips everything; errors must say where.
fn read_all(path: &Path) -> Result<()> {
    let (_, footer) = Footer::open(path)?;
    let shared: Arc<Path> = path.into();
    for group in 0..footer.row_groups() {
        // A damaged footer may promise any number of rows; they are read in windows.
        let rows = footer.rows(group);
        for column in 0..footer.columns().len() {
            let (mut cursors, _) = RowGroup::open(&shared, &footer, group, 0..rows, column % 2 == 0)?.open_columns(&[column])?;
            let Some(mut cursor) = cursors.pop() else { continue };
            cursor.skip(rows / 4);
            while cursor.row() < rows {
                let read = cursor.read((rows - cursor.row()).min(170)).and_then(|column| column.flat());
                match read {
                    Ok(array) => array.to_data().validate_full().unwrap(),
                    Err(error) => {
                        let place = error.place();
                        assert_eq!(place.file.as_deref(), Some(path), "{error}");
                        assert_eq!(place.row_group, Some(group), "{error}");
                        assert_eq!(place.column.as_deref(), Some(footer.columns()[column].name.as_str()), "{error}");
                        return Err(error);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Writes `bytes` as a new file, since footers are cached by identity, and reads it.
fn read_bytes(directory: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = directory.join(name);
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, bytes).unwrap();
    let result = read_all(&path);
    if let Err(error) = &result {
        assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Unsupported), "{error}");
        assert_eq!(error.place().file.as_deref(), Some(path.as_path()), "{error}");
    }
    result
}

#[test]
fn flipped_bits_are_errors_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let mut failed = 0;
    for (number, path) in files(directory.path()).iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        read_bytes(directory.path(), "whole.parquet", &bytes).unwrap();
        let mut random = StdRng::seed_from_u64(number as u64);
        for round in 0..120 {
            let mut damaged = bytes.clone();
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(4..damaged.len() - 8);
                if random.random() {
                    damaged[at] ^= 1 << random.random_range(0..8);
                } else {
                    damaged[at] = random.random();
                }
            }
            println!("file {number}, round {round}");
            failed += usize::from(read_bytes(directory.path(), &format!("{number}-{round}.parquet"), &damaged).is_err());
        }
    }
    assert!(failed > 100, "damage is noticed often: {failed} of 960");
}

#[test]
fn cut_files_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    for (number, path) in files(directory.path()).iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        for part in 1..20 {
            let cut = &bytes[..bytes.len() * part / 20];
            let error = read_bytes(directory.path(), &format!("{number}-{part}.parquet"), cut).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        }
        // Half of the pages missing, the footer in place: it points behind the file.
        let footer = u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize + 8;
        let mut moved = bytes[..(bytes.len() - footer) / 2].to_vec();
        moved.extend(&bytes[bytes.len() - footer..]);
        assert!(read_bytes(directory.path(), &format!("{number}-moved.parquet"), &moved).is_err());
    }
}

/// Replaces the only place where `from` stands in an uncompressed file.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert_eq!(places.len(), 1, "one place has these bytes");
    let mut bytes = bytes.to_vec();
    bytes[places[0]..places[0] + to.len()].copy_from_slice(to);
    bytes
}

/// A file of one required column in uncompressed pages.
fn simple(directory: &Path, name: &str, column: ArrayRef, dictionary: bool) -> Vec<u8> {
    let path = directory.join(name);
    let properties = WriterProperties::builder().set_dictionary_enabled(dictionary);
    let properties = properties.set_statistics_enabled(EnabledStatistics::None).set_offset_index_disabled(true);
    write(&path, &[RecordBatch::try_from_iter([("column", column)]).unwrap()], properties);
    std::fs::read(&path).unwrap()
}

#[test]
fn what_does_not_fit_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["hello wörld", "second value"]));
    let utf8 = replaced(&simple(directory, "a", text.clone(), false), "wörld".as_bytes(), b"w\xff\xffrld");
    let error = read_bytes(directory, "utf8.parquet", &utf8).unwrap_err();
    assert!(error.message().contains("UTF-8"), "{error}");
    let long = replaced(&simple(directory, "b", text, false), b"\x0c\0\0\0second", b"\xff\xff\xff\x7fsecond");
    let error = read_bytes(directory, "long.parquet", &long).unwrap_err();
    assert!(error.message().contains("cut off"), "{error}");

    // Codes of 3 bits; a run of 8 packed ones: 0 1 2 3 4 0 0 0.
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![10, 20, 30, 40, 50]));
    let codes = simple(directory, "c", numbers.clone(), true);
    let code = replaced(&codes, &[3, 3, 0x88, 0x46], &[3, 3, 0x88, 0x4e]);
    let error = read_bytes(directory, "code.parquet", &code).unwrap_err();
    assert!(error.message().contains("lies outside of a dictionary of 5 values"), "{error}");

    // The data page's header: type 0, 40 bytes twice, then 5 values in plain encoding.
    let plain = simple(directory, "d", numbers, false);
    let header = [0x15, 0, 0x15, 80, 0x15, 80, 0x2c, 0x15, 10, 0x15, 0];
    for (values, what) in [(14, "7 rows"), (8, "fewer values"), (9, "header is damaged")] {
        let mut lying = header;
        lying[8] = values;
        let error = read_bytes(directory, &format!("{values}.parquet"), &replaced(&plain, &header, &lying)).unwrap_err();
        assert!(error.message().contains(what), "{what}: {error}");
    }
}

#[test]
fn sizes_that_lie_allocate_nothing() {
    let parts = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    for compression in [Compression::SNAPPY, Compression::LZ4_RAW, Compression::ZSTD(ZstdLevel::default())] {
        let mut codec = super::codec::Codec::new(compression).unwrap();
        // A Snappy header that promises 2 GiB in its varint, and nothing behind it.
        let error = codec.decompress(parts(&[0xff, 0xff, 0xff, 0xff, 7, 0]), i32::MAX as usize).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    }
}
