use super::*;
use crate::error::ErrorKind;
use crate::format::parquet::testing;
use arrow::array::{ArrayRef, Decimal128Array, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    testing::write(path, &[batch], 1000);
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn types(table: &FileTable) -> Vec<(String, DataType)> {
    table.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

#[test]
fn partitions_become_typed_columns() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    write(&at("year=2024/month=01/day=2024-01-31/a.parquet"), vec![("V", ints(&[1, 2]))]);
    write(&at("year=2025/month=12/day=__HIVE_DEFAULT_PARTITION__/a.parquet"), vec![("V", ints(&[3]))]);
    write(&at("_x=1/ignored"), vec![("V", ints(&[3]))]);
    std::fs::remove_dir_all(at("_x=1")).unwrap();
    for hidden in ["_SUCCESS", "_metadata", ".part.crc", "a._COPYING_", "a.crc"] {
        std::fs::write(at(hidden), "no data").unwrap();
    }
    std::fs::create_dir(at("_temporary")).unwrap();
    std::fs::write(at("_temporary/b.parquet"), "no data").unwrap();
    for path in [root.path().to_str().unwrap().to_string(), format!("{}/*/*/*/*.parquet", root.path().display())] {
        let table = FileTable::open(&path).unwrap();
        let expected = [("v", DataType::Int32), ("year", DataType::Int32), ("month", DataType::Int32), ("day", DataType::Date32)];
        assert_eq!(types(&table), expected.map(|(name, data_type)| (name.to_string(), data_type)));
        assert_eq!(table.display_names(), ["V", "year", "month", "day"]);
        assert_eq!(table.files().len(), 2);
        assert_eq!(table.files()[0].partition[2], ScalarValue::Date32(Some(19_753)));
        assert!(table.files()[1].partition[2].is_null());
        let statistics = table.statistics();
        assert_eq!(statistics.rows, 3.0);
        assert_eq!(statistics.columns[0].min, Some(ScalarValue::Int32(Some(1))));
        assert_eq!(statistics.columns[0].max, Some(ScalarValue::Int32(Some(3))));
        assert_eq!(statistics.columns[1].distinct, Some(2.0));
        assert_eq!(statistics.columns[3].null_count, Some(1.0));
    }
}

#[test]
fn schemas_merge_by_name_and_widen() {
    let root = tempfile::tempdir().unwrap();
    let decimal = |value, precision| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(precision, 2).unwrap())
    };
    write(
        &root.path().join("a.parquet"),
        vec![("Id", ints(&[1])), ("d", decimal(5, 9)), ("f", Arc::new(Float32Array::from(vec![1.0])))],
    );
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
    write(&root.path().join("b.parquet"), vec![("extra", ints(&[7])), ("id", wide), ("d", decimal(6, 20))]);
    let table = FileTable::open(root.path().to_str().unwrap()).unwrap();
    let expected =
        [("id", DataType::Int64), ("d", DataType::Decimal128(20, 2)), ("f", DataType::Float32), ("extra", DataType::Int32)];
    assert_eq!(types(&table), expected.map(|(name, data_type)| (name.to_string(), data_type)));
    assert_eq!(table.files()[1].columns, [Some(1), Some(2), None, Some(0)]);
    assert_eq!(table.statistics().columns[2].null_count, Some(1.0));

    write(&root.path().join("c.parquet"), vec![("id", Arc::new(StringArray::from(vec!["x"])))]);
    let error = FileTable::open(root.path().to_str().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(error.place().file.as_deref(), Some(root.path().join("c.parquet").as_path()));
    assert_eq!(error.place().column.as_deref(), Some("id"));
}

#[test]
fn other_table_formats_are_refused_by_name() {
    let cases = [
        ("_delta_log/0.json", "Delta"),
        ("metadata/v1.metadata.json", "Iceberg"),
        ("delta_0000001_0000001/bucket_00000", "ACID"),
        ("base_0000005/bucket_00000", "ACID"),
    ];
    for (file, name) in cases {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("a.parquet"), vec![("v", ints(&[1]))]);
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
        let error = FileTable::open(root.path().to_str().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    let open = |path: &Path| FileTable::open(path.to_str().unwrap()).unwrap_err();
    assert_eq!(open(root.path()).kind(), ErrorKind::Data);
    assert_eq!(open(&root.path().join("none.parquet")).kind(), ErrorKind::Io);
    assert_eq!(open(&root.path().join("none*.parquet")).kind(), ErrorKind::Io);
    std::fs::write(root.path().join("text.parquet"), "hello, this is no parquet").unwrap();
    let error = open(root.path());
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.message().contains("not a Parquet file"), "{error}");
}

#[test]
fn a_changed_file_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.parquet");
    write(&path, vec![("v", ints(&[1]))]);
    let table = FileTable::open(path.to_str().unwrap()).unwrap();
    table.files()[0].check_unchanged().unwrap();
    write(&path, vec![("v", ints(&[1, 2, 3]))]);
    assert_eq!(table.files()[0].check_unchanged().unwrap_err().kind(), ErrorKind::Data);
}
