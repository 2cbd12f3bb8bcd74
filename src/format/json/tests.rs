//! Rows of JSON, with what Spark 4.3 makes of the same files.

use super::*;
use crate::error::ErrorKind;
use crate::format::registry::reader;
use crate::format::testing::{column_texts, read_all};
use arrow::datatypes::{Field, TimeUnit};
use std::collections::BTreeMap;

fn options(pairs: &[(&str, &str)]) -> FormatOptions {
    let pairs: BTreeMap<String, String> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    FormatOptions::new(&pairs)
}

fn file(text: &str) -> (tempfile::TempDir, DataFile) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.json");
    std::fs::write(&path, text).unwrap();
    (directory, DataFile::open(path).unwrap())
}

fn columns(types: &[DataType]) -> Vec<FileColumn> {
    let column = |(name, data_type): (char, &DataType)| FileColumn { name: name.to_string(), data_type: data_type.clone() };
    ('a'..='z').zip(types).map(column).collect()
}

fn with_corrupt(types: &[DataType]) -> Vec<FileColumn> {
    let mut columns = columns(types);
    columns.push(FileColumn { name: "_corrupt_record".into(), data_type: DataType::Utf8View });
    columns
}

fn try_rows(text: &str, columns: &[FileColumn], pairs: &[(&str, &str)]) -> Result<Vec<String>> {
    let (_directory, file) = file(text);
    let reader = reader("json", options(pairs))?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let read = read_all(&*reader, &file, Some(columns), &names, 3)?;
    let columns: Vec<Vec<String>> = (0..names.len()).map(|column| column_texts(&read, column)).collect();
    let count = read.iter().map(|rows| rows.rows).sum();
    Ok((0..count).map(|row| columns.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join("|")).collect())
}

#[track_caller]
fn rows(text: &str, columns: &[FileColumn], pairs: &[(&str, &str)]) -> Vec<String> {
    try_rows(text, columns, pairs).unwrap()
}

const INT: DataType = DataType::Int32;
const TEXT: DataType = DataType::Utf8View;

#[test]
fn members_and_kinds() {
    let text = "{\"a\":1,\"b\":\"x\"}\n{\"b\":null}\n{\"a\":\"3\",\"b\":4}\n{\"a\":1.5,\"b\":true}\n{\"a\":1,\"b\":{\"x\":1}}\n{\"a\":1,\"b\":[1, 2]}\n";
    let wanted = [
        "1|x|NULL",
        "NULL|NULL|NULL",
        "NULL|4|{\"a\":\"3\",\"b\":4}",
        "NULL|true|{\"a\":1.5,\"b\":true}",
        "1|{\"x\":1}|NULL",
        "1|[1, 2]|NULL",
    ];
    assert_eq!(rows(text, &with_corrupt(&[INT, TEXT]), &[]), wanted);
    let strings = "{\"a\":1.50}\n{\"a\":1e2}\n{\"a\":{\"b\" : 1}}\n{\"a\":\"x\\u00e9\\n\"}\n{\"a\":true}\n";
    assert_eq!(rows(strings, &columns(&[TEXT]), &[]), ["1.50", "1e2", "{\"b\" : 1}", "xé\n", "true"]);
    assert_eq!(
        rows("{\"A\":1,\"a\":2}\n{\"a\":3,\"A\":4}\n{\"A\":5}\n{\"a\":6,\"a\":7}\n", &columns(&[INT]), &[]),
        ["2", "3", "5", "7"]
    );
    let numbers = "{\"a\":NaN,\"b\":\"NaN\",\"c\":\"Infinity\",\"d\":-Infinity,\"e\":\"1.5\"}\n";
    let doubles = columns(&vec![DataType::Float64; 5]);
    assert_eq!(rows(numbers, &doubles, &[]), ["NaN|NaN|inf|-inf|NULL"]);
    let ints = "{\"a\":1.0}\n{\"a\":1e1}\n{\"a\":2147483648}\n{\"a\":true}\n";
    assert_eq!(rows(ints, &columns(&[INT]), &[]), ["NULL", "NULL", "NULL", "NULL"]);
    assert_eq!(
        rows(
            "{\"a\":1.005,\"b\":1e2,\"c\":\"1.5\"}",
            &columns(&[DataType::Decimal128(5, 2), DataType::Decimal128(5, 0), DataType::Decimal128(5, 1)]),
            &[]
        ),
        ["1.01|100|1.5"]
    );
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let dates = "{\"a\":\"2024-02-30\",\"b\":\"2024-01-01\"}\n{\"a\":\"2024-2-3\",\"b\":\"2024-01-01 00:00:00.5+01:00\"}\n{\"a\":19000,\"b\":1700000000}\n";
    let wanted = ["NULL|2024-01-01T00:00:00Z", "2024-02-03|2023-12-31T23:00:00.500Z", "NULL|2023-11-14T22:13:20Z"];
    assert_eq!(rows(dates, &columns(&[DataType::Date32, instant]), &[]), wanted);
    assert_eq!(
        rows("{\"a\":\"YWJj\",\"b\":\"true\"}\n", &columns(&[DataType::BinaryView, DataType::Boolean]), &[]),
        ["616263|NULL"]
    );
}

#[test]
fn lines_that_are_no_objects() {
    let text =
        "{\"a\":1,\"b\":\"x\"\n{\"a\":2}\nnull\n[]\n5\n\n[{\"a\":7},{\"a\":8}]\n{\"a\":9} trailing\n{\"a\":10}{\"a\":11}\n";
    let wanted = ["NULL|{\"a\":1,\"b\":\"x\"", "2|NULL", "NULL|null", "NULL|5", "7|NULL", "8|NULL", "9|NULL", "10|NULL"];
    assert_eq!(rows(text, &with_corrupt(&[INT]), &[]), wanted);
    let odd = "{'a':1}\n{a:2}\n{\"a\":03}\n{\"a\":.5}\n{\"a\":1,}\n";
    assert_eq!(
        rows(odd, &with_corrupt(&[INT]), &[]),
        ["1|NULL", "NULL|{a:2}", "NULL|{\"a\":03}", "NULL|{\"a\":.5}", "NULL|{\"a\":1,}"]
    );
    let drop = [("mode", "DROPMALFORMED")];
    assert_eq!(rows("{\"a\":1}\n{\"a\":\"q\"}\n{bad\n{\"a\":3}\n", &columns(&[INT, TEXT]), &drop), ["1|NULL", "3|NULL"]);
    for (text, message) in [
        ("{\"a\":1}\n{bad\n", "line 2: the line is no JSON object"),
        ("{\"a\":1}\n\n{\"a\":\"x\"}\n", "line 3: 'x' is no INT"),
        ("{\"a\":1} {\"a\":2}\n", "line 1: something follows the JSON object in its line"),
    ] {
        let error = try_rows(text, &columns(&[INT]), &[("mode", "FAILFAST")]).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Data, message));
        assert!(error.place().file.is_some());
    }
}

#[test]
fn nested_values() {
    let list = DataType::List(Arc::new(Field::new("element", INT, true)));
    let inner = vec![Field::new("x", INT, true), Field::new("y", list, true)];
    let entries = vec![Field::new("key", TEXT, false), Field::new("value", INT, true)];
    let map = DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries.into()), false)), false);
    let columns = with_corrupt(&[DataType::Struct(inner.into()), map]);
    let text = concat!(
        "{\"a\":{\"x\":1,\"y\":[1,null,2]},\"b\":{\"k1\":1,\"k\\\"2\":null}}\n",
        "{\"a\":{\"x\":\"bad\"},\"b\":{}}\n",
        "{\"a\":[1],\"b\":5}\n",
        "{\"a\":null,\"b\":{\"k\":1,\"k\":2}}\n",
    );
    let read = rows(text, &columns, &[]);
    assert_eq!(read[0], "{x: 1, y: [1, , 2]}|{k1: 1, k\"2: }|NULL");
    assert_eq!(read[1], "{x: , y: }|{}|{\"a\":{\"x\":\"bad\"},\"b\":{}}");
    assert_eq!(read[2], "NULL|NULL|{\"a\":[1],\"b\":5}");
    assert_eq!(read[3], "NULL|{k: 2}|NULL");
}

#[test]
fn files_that_nobody_described() {
    let names = |text: &str| {
        let (_directory, file) = file(text);
        let reader = reader("json", FormatOptions::guessing(None)).unwrap();
        let found = reader.columns(&file, None)?;
        let names: Vec<String> = found.columns.iter().map(|column| column.name.clone()).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let read = read_all(&*reader, &file, None, &all, 10)?;
        let last = column_texts(&read, names.len() - 1);
        Ok::<_, Error>((names.join(","), last.join(",")))
    };
    assert_eq!(names("{\"b\":1,\"a\":2}\n{\"c\":3}\n").unwrap(), ("a,b,c".into(), "NULL,3".into()));
    assert_eq!(names("[{\"a\":1},\n{\"a\":2}]").unwrap(), ("a".into(), "1,2".into()));
    assert_eq!(names("{\"a\":\n1}\n{\"a\":\n2}").unwrap(), ("a".into(), "1,2".into()));
    assert!(names("5\n").unwrap_err().message().contains("no JSON objects"));
    assert!(names("{\"a\":1}\n{bad\n").unwrap_err().message().starts_with("line 2: "));
}

#[test]
fn whole_files() {
    let columns = columns(&[INT]);
    let whole = [("multiLine", "true")];
    assert_eq!(rows("[{\"a\":1},\n{\"a\":2}]", &columns, &whole), ["1", "2"]);
    assert_eq!(rows("{\"a\":\n1}", &columns, &whole), ["1"]);
    let long = format!("[{}{{\"a\":7}}]", "{\"a\":\n1},\n".repeat(200_000));
    let read = rows(&long, &columns, &whole);
    assert_eq!((read.len(), read[200_000].as_str()), (200_001, "7"));
}

#[test]
fn every_range_gives_its_lines() {
    let text: String = (0..100_000).map(|n| format!("{{\"a\":{n},\"b\":\"text {n}\"}}\n")).collect();
    let (_directory, file) = file(&text);
    let reader = reader("json", options(&[])).unwrap();
    let declared = columns(&[INT, TEXT]);
    let found = reader.columns(&file, Some(&declared)).unwrap();
    assert!(reader.splits(&file, &found, 1).unwrap().len() > 1);
    let read = read_all(&*reader, &file, Some(&declared), &["b"], 5000).unwrap();
    assert!(column_texts(&read, 0).iter().enumerate().all(|(at, text)| *text == format!("text {at}")));
    assert_eq!(read.iter().map(|rows| rows.rows).sum::<usize>(), 100_000);
}
