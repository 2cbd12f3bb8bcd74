//! Rows of delimited text, with what Spark 4.3 makes of the same files.

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

fn file(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, DataFile) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, DataFile::open(path).unwrap())
}

fn named(columns: &[(&str, DataType)]) -> Vec<FileColumn> {
    columns.iter().map(|(name, data_type)| FileColumn { name: (*name).to_owned(), data_type: data_type.clone() }).collect()
}

/// Columns a, b, c and so on.
fn typed(types: &[DataType]) -> Vec<FileColumn> {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    named(&names.into_iter().zip(types.iter().cloned()).collect::<Vec<_>>())
}

fn abc() -> Vec<FileColumn> {
    typed(&[DataType::Int32, DataType::Utf8View, DataType::Float64])
}

fn abc_corrupt() -> Vec<FileColumn> {
    let mut columns = abc();
    columns.push(FileColumn { name: "_corrupt_record".into(), data_type: DataType::Utf8View });
    columns
}

/// Rows as `a|b|c`, read in pieces of three.
#[track_caller]
fn rows(format: &str, text: impl AsRef<[u8]>, columns: &[FileColumn], pairs: &[(&str, &str)]) -> Vec<String> {
    try_rows(format, text, columns, pairs).unwrap()
}

fn try_rows(format: &str, text: impl AsRef<[u8]>, columns: &[FileColumn], pairs: &[(&str, &str)]) -> Result<Vec<String>> {
    let (_directory, file) = file("a.txt", text);
    let reader = reader(format, options(pairs))?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let read = read_all(&*reader, &file, Some(columns), &names, 3)?;
    let columns: Vec<Vec<String>> = (0..names.len()).map(|column| column_texts(&read, column)).collect();
    let count = read.iter().map(|rows| rows.rows).sum();
    Ok((0..count).map(|row| columns.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join("|")).collect())
}

#[test]
fn values_and_nulls() {
    let text = "1,,2.5\n2,\"\",\n3,\"x\"\n4,\"a\"\"b\",1\n5,a\"b,2\n6, x , 3 \n";
    let spark = ["1|NULL|2.5", "2|NULL|NULL", "3|x|NULL", "4|\"a\"\"b\"|1.0", "5|a\"b|2.0", "6| x |3.0"];
    assert_eq!(rows("csv", text, &abc(), &[]), spark);
    assert_eq!(rows("csv", "1,NULL,NULL\nNULL,\"NULL\",2\n", &abc(), &[("nullValue", "NULL")]), ["1|NULL|NULL", "NULL|NULL|2.0"]);
    assert_eq!(rows("csv", "#c\n1,a,1\n#x,b,2\n 2,#b,3\n", &abc(), &[("comment", "#")]), ["1|a|1.0", "NULL|#b|3.0"]);
    let trimmed = [("ignoreLeadingWhiteSpace", "true"), ("ignoreTrailingWhiteSpace", "true")];
    assert_eq!(rows("csv", " 1 , b , 2 \n", &abc(), &trimmed), ["1|b|2.0"]);
    assert_eq!(rows("csv", " 1 , b , 2 \n", &abc(), &[]), ["NULL| b |2.0"]);
    assert_eq!(rows("csv", "1\ta\t2\r\n2\tb\t3\r\n", &abc(), &[("sep", "\\t")]), ["1|a|2.0", "2|b|3.0"]);
    assert_eq!(rows("csv", "1,a,2\r2,b,3\r", &abc(), &[]), ["1|a|2.0", "2|b|3.0"]);
    assert_eq!(rows("csv", "1,a,2;2,b,3;", &abc(), &[("lineSep", ";")]), ["1|a|2.0", "2|b|3.0"]);
    assert_eq!(rows("csv", "1,\"a,2\n", &abc(), &[("quote", "")]), ["1|\"a|2.0"]);
    assert_eq!(rows("csv", b"1,\xff\xfe,2\n", &abc(), &[]), ["1|\u{fffd}\u{fffd}|2.0"]);
    assert_eq!(rows("csv", "", &abc(), &[]), Vec::<String>::new());
    assert_eq!(rows("csv", "b,a,x\n1,2,3\n", &abc(), &[("header", "true")]), ["1|2|3.0"]);
}

#[test]
fn types_are_read_as_spark_reads_them() {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let cases = [
        (DataType::Boolean, "true,TRUE,T,1,yes,False", "true|true|NULL|NULL|NULL|false"),
        (DataType::Int32, "1,+2,-3, 4,5.0,2147483648,1e2", "1|2|-3|NULL|NULL|NULL|NULL"),
        (DataType::Int8, "127,128", "127|NULL"),
        (DataType::Float64, "1,1e5,NaN,-Infinity,inf,1.5d,.5,5.", "1.0|100000.0|NaN|-inf|NULL|1.5|0.5|5.0"),
        (DataType::Decimal128(5, 2), "1.005,1e2,12345.6,-0.5,\" 1.5\",abc", "1.01|100.00|NULL|-0.50|NULL|NULL"),
        (DataType::Decimal128(25, 2), "1.005,12345678901234567890.5", "1.01|12345678901234567890.50"),
        (DataType::Date32, "2024-02-29,2024-2-9,2024-02-30,2024-02-29 10:00:00", "2024-02-29|2024-02-09|NULL|2024-02-29"),
        (
            instant,
            "2024-02-29 01:02:03,2024-02-29T01:02:03.123456,2024-02-29,2024-02-29T01:02:03+02:00,x",
            "2024-02-29T01:02:03Z|2024-02-29T01:02:03.123456Z|2024-02-29T00:00:00Z|2024-02-28T23:02:03Z|NULL",
        ),
        (
            DataType::Timestamp(TimeUnit::Microsecond, None),
            "2024-02-29 01:02:03,2024-02-29T01:02:03Z",
            "2024-02-29T01:02:03|NULL",
        ),
        (DataType::BinaryView, "abc,d", "616263|64"),
    ];
    for (data_type, text, wanted) in cases {
        let columns = typed(&vec![data_type.clone(); text.split(',').count()]);
        assert_eq!(rows("csv", format!("{text}\n"), &columns, &[]), [wanted], "{data_type}");
    }
    let columns = typed(&[DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, None)]);
    let formats = [("dateFormat", "dd/MM/yyyy"), ("timestampFormat", "dd.MM.yyyy HH:mm")];
    assert_eq!(rows("csv", "29/02/2024,29.02.2024 05:06\n", &columns, &formats), ["2024-02-29|2024-02-29T05:06:00"]);
    let zone = [("timeZone", "+02:00")];
    let columns = typed(&[DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))]);
    assert_eq!(rows("csv", "2024-01-01 01:00:00\n", &columns, &zone), ["2023-12-31T23:00:00Z"]);
}

#[test]
fn modes() {
    let text = "1,a,1\nx,b,2\n3,c\n4,d,5,6\n\n  \n7,\"e,1\n";
    let wanted = ["1|a|1.0|NULL", "NULL|b|2.0|x,b,2", "3|c|NULL|3,c", "4|d|5.0|4,d,5,6", "7|e,1|NULL|7,\"e,1"];
    assert_eq!(rows("csv", text, &abc_corrupt(), &[]), wanted);
    let text = "1,a,1\nx,b,2\n3,c\n4,d,5,6\n7,e,8\n";
    assert_eq!(rows("csv", text, &abc(), &[("mode", "DROPMALFORMED")]), ["1|a|1.0", "7|e|8.0"]);
    let error = try_rows("csv", text, &abc(), &[("mode", "failfast")]).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Data, "line 2: 'x' is no INT"));
    assert_eq!(error.place().column.as_deref(), Some("a"));
    assert!(error.place().file.is_some());
    let error = try_rows("csv", "1,a,1\n3,c\n", &abc(), &[("mode", "FAILFAST")]).unwrap_err();
    assert_eq!(error.message(), "line 2: 2 values where 3 are wanted");
    // Whether a record fits does not depend on what is asked of it.
    let (_directory, file) = file("a.csv", text);
    let reader = reader("csv", options(&[("mode", "DROPMALFORMED")])).unwrap();
    let read = read_all(&*reader, &file, Some(&abc()), &["b"], 3).unwrap();
    assert_eq!(column_texts(&read, 0), ["a", "e"]);
    let corrupt = read_all(
        &*super::super::registry::reader("csv", options(&[])).unwrap(),
        &file,
        Some(&abc_corrupt()),
        &["_corrupt_record"],
        2,
    );
    assert_eq!(column_texts(&corrupt.unwrap(), 0), ["NULL", "x,b,2", "3,c", "4,d,5,6", "NULL"]);
}

#[test]
fn lines_within_quotes() {
    let text = "1,\"a\nb\",2\n2,\"c\r\nd\",3\n";
    assert_eq!(rows("csv", text, &abc(), &[("multiLine", "true")]), ["1|a\nb|2.0", "2|c\r\nd|3.0"]);
    let without = ["1|a|NULL|1,\"a", "NULL|2|NULL|b\",2", "2|c|3.0|NULL"];
    assert_eq!(rows("csv", "1,\"a\nb\",2\n2,c,3\n", &abc_corrupt(), &[]), without);
    // A value that goes on beyond a block.
    let long = "x\n".repeat(700_000);
    let text = format!("1,a,1\n2,\"{long}\",2\n3,c,3\n");
    let read = rows("csv", &text, &abc(), &[("multiLine", "true")]);
    assert_eq!(read.len(), 3);
    assert_eq!(read[1].len(), long.len() + 6);
    // In files that nobody described, a quote that does not end is an error.
    let (_directory, file) = file("a.csv", "a,b\n1,\"x\ny\"\n2,z\n");
    let reader = reader("csv", FormatOptions::guessing(None)).unwrap();
    let error = read_all(&*reader, &file, None, &["a", "b"], 10).unwrap_err();
    assert!(error.message().starts_with("line 2: "), "{error}");
    assert!(error.hint().unwrap().contains("multiLine"), "{error:?}");
}

fn inferred(name: &str, text: &str) -> Vec<String> {
    let (_directory, file) = file(name, text);
    let found = reader("csv", FormatOptions::guessing(None)).unwrap().columns(&file, None).unwrap();
    found.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect()
}

#[test]
fn files_that_nobody_described() {
    let text = "a,b,c,d,e,f,g\n1,2.5,true,2024-01-02,2024-01-02 03:04:05,x,\n22222222222,3,false,2024-12-31,2024-01-02T03:04:05.123,y,\n";
    let instant = "Timestamp(µs, \"UTC\")";
    let wanted =
        ["a Int64", "b Float64", "c Boolean", "d Date32", &format!("e {instant}"), "f Utf8View", "g Utf8View"].map(str::to_owned);
    assert_eq!(inferred("a.csv", text), wanted);
    assert_eq!(inferred("a.csv", "1;x\n2;y\n"), ["_c0 Int32", "_c1 Utf8View"]);
    assert_eq!(inferred("a.csv", "id|name\n1|x,y\n2|z,z\n"), ["id Int32", "name Utf8View"]);
    assert_eq!(inferred("a.csv", "first,last\nAnn,Lee\nBob,Ray\n"), ["first Utf8View", "last Utf8View"]);
    assert_eq!(inferred("a.csv", "Ann,x y\nBob,z\n"), ["_c0 Utf8View", "_c1 Utf8View"]);
    assert_eq!(inferred("a.csv", "a,A,,b\n1,2,3,4\n"), ["_c0 Utf8View", "_c1 Utf8View", "_c2 Int32", "_c3 Utf8View"]);
    assert_eq!(inferred("a.csv", "99999999999999999999\n1\n"), ["_c0 Decimal128(20, 0)"]);
    // In them quotes are doubled, and what is quoted is not NULL.
    let (_directory, file) = file("a.csv", "a,b\n1,\"x\"\"y\"\n2,\"\"\n3,\n");
    let guess = reader("csv", FormatOptions::guessing(None)).unwrap();
    let read = read_all(&*guess, &file, None, &["b"], 10).unwrap();
    assert_eq!(column_texts(&read, 0), ["x\"y", "", "NULL"]);
}

#[test]
fn headers_as_spark_takes_them() {
    let (_directory, file) = file("a.csv", "a,a,,b c\n1,2,3,4\n");
    let reader = reader("csv", options(&[("header", "true")])).unwrap();
    let found = reader.columns(&file, None).unwrap();
    let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a0", "a1", "_c2", "b c"]);
    assert!(found.columns.iter().all(|column| column.data_type == DataType::Utf8View));
    let strict = [("header", "true"), ("enforceSchema", "false")];
    let error = try_rows("csv", "b,a\n1,2\n", &typed(&[DataType::Int32, DataType::Int32]), &strict).unwrap_err();
    assert!(error.message().contains("the header (b, a) has other columns than the table (a, b)"), "{error}");
    assert_eq!(rows("csv", "A,b\n1,2\n", &typed(&[DataType::Int32, DataType::Int32]), &strict), ["1|2"]);
}

#[test]
fn values_beyond_the_sample_that_do_not_fit_are_errors() {
    let mut text = "n\n".to_owned() + &"1234567\n".repeat(1_000_000);
    text += "x\n";
    text += &"1234567\n".repeat(100_000);
    let (_directory, file) = file("a.csv", &text);
    let reader = reader("csv", FormatOptions::guessing(None)).unwrap();
    assert_eq!(reader.columns(&file, None).unwrap().columns[0].data_type, DataType::Int32);
    let error = read_all(&*reader, &file, None, &["n"], 1000).unwrap_err();
    assert_eq!(error.message(), "line 1000002: 'x' is no INT");
    assert!(error.hint().unwrap().contains("CREATE TABLE"), "{error:?}");
}

#[test]
fn every_range_gives_its_records() {
    let text: String = (0..200_000).map(|n| format!("{n},text {n},{}.5\n", n % 100)).collect();
    let (_directory, file) = file("a.csv", &text);
    let reader = reader("csv", options(&[])).unwrap();
    let found = reader.columns(&file, Some(&abc())).unwrap();
    assert!(reader.splits(&file, &found, 1).unwrap().len() > 2);
    let read = read_all(&*reader, &file, Some(&abc()), &["c", "a"], 5000).unwrap();
    let numbers = column_texts(&read, 1);
    assert_eq!(numbers.len(), 200_000);
    assert!(numbers.iter().enumerate().all(|(at, n)| *n == at.to_string()));
    assert_eq!(column_texts(&read, 0)[123], "23.5");
}

#[test]
fn hive_text() {
    let text = "1\u{1}x\u{1}2.5\n\\N\u{1}\\N\u{1}\\N\nx\u{1}\u{1}\n3\n4\u{1}y\u{1}1\u{1}extra\n 5 \u{1} z \u{1} 1 \n";
    let wanted = ["1|x|2.5", "NULL|NULL|NULL", "NULL||NULL", "3|NULL|NULL", "4|y|1.0", "NULL| z |1.0"];
    assert_eq!(rows("textfile", text, &abc(), &[]), wanted);
    let two = typed(&[DataType::Int32, DataType::Utf8View]);
    let delimited = [("field.delim", ","), ("escape.delim", "\\"), ("serialization.null.format", "nil")];
    let text = "1,a\\,b\n2,nil\nnil,x\\\\y\n3,\"q,r\"\n4,a\\nb\n";
    assert_eq!(rows("textfile", text, &two, &delimited), ["1|a,b", "2|NULL", "NULL|x\\y", "3|\"q", "4|a\nb"]);
    let escaped = [("field.delim", ","), ("escape.delim", "\\")];
    assert_eq!(rows("textfile", "\\N,\\N\n1,\\\\N\n", &two, &escaped), ["NULL|NULL", "1|\\N"]);
    let types = typed(&[
        DataType::Boolean,
        DataType::Int8,
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal128(5, 2),
        DataType::BinaryView,
    ]);
    let text = "true,1,2024-01-02,2024-01-02 03:04:05.5,1.005,YWJj\nTRUE,200,2024-1-2,2024-01-02T03:04:05,123456,\nyes,1.5,x,,1e2,YWI=\n";
    let wanted = [
        "true|1|2024-01-02|2024-01-02T03:04:05.500|1.01|616263",
        "true|NULL|2024-01-02|NULL|NULL|NULL",
        "NULL|1|NULL|NULL|100.00|6162",
    ];
    assert_eq!(rows("textfile", text, &types, &[("field.delim", ",")]), wanted);
    assert_eq!(rows("textfile", "h,h\n1,x\n", &two, &[("field.delim", ","), ("skip.header.line.count", "1")]), ["1|x"]);
    assert!(reader("textfile", options(&[("line.delim", ";")])).is_err());
}

#[test]
fn hive_nested_values() {
    let list = DataType::List(Arc::new(Field::new("element", DataType::Int32, true)));
    let entries = vec![Field::new("key", DataType::Utf8View, false), Field::new("value", DataType::Int32, true)];
    let map = DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries.into()), false)), false);
    let fields = vec![Field::new("x", DataType::Int32, true), Field::new("y", DataType::Utf8View, true)];
    let columns = typed(&[DataType::Int32, list, map, DataType::Struct(fields.into())]);
    let text = "1,1|2|3,a:1|b:2,7|z\n2,,,\n3,\\N,\\N,\\N\n";
    let pairs = [("field.delim", ","), ("collection.delim", "|"), ("mapkey.delim", ":")];
    let wanted = ["1|[1, 2, 3]|{a: 1, b: 2}|{x: 7, y: z}", "2|[]|{}|{x: , y: }", "3|NULL|NULL|NULL"];
    assert_eq!(rows("textfile", text, &columns, &pairs), wanted);
}

#[test]
fn open_csv_and_lines() {
    let two = typed(&[DataType::Utf8View, DataType::Utf8View]);
    let quoted = [("separatorChar", ";"), ("quoteChar", "'")];
    assert_eq!(rows("opencsv", "1;'a;b'\n2;''\n3\n", &two, &quoted), ["1|a;b", "2|", "3|NULL"]);
    let line = typed(&[DataType::Utf8View]);
    assert_eq!(rows("text", "a,\"b\n\n \\N\n", &line, &[]), ["a,\"b", "", " \\N"]);
    assert_eq!(rows("text", "a;b", &line, &[("lineSep", ";")]), ["a", "b"]);
    assert!(try_rows("text", "a", &abc(), &[]).is_err());
}

#[test]
fn what_means_nothing_is_refused_by_name() {
    for (pairs, what) in [
        ([("sep", "||")], "'||' as the option sep"),
        ([("encoding", "UTF-16")], "UTF-16"),
        ([("oops", "1")], "the option 'oops'"),
        ([("mode", "LAX")], "PERMISSIVE"),
        ([("dateFormat", "QQ")], "the letter Q"),
        ([("header", "maybe")], "header"),
        ([("unescapedQuoteHandling", "RAISE_ERROR")], "RAISE_ERROR"),
        ([("timeZone", "Mars")], "Mars"),
    ] {
        let error = reader("csv", options(&pairs)).unwrap_err();
        assert!(error.message().contains(what), "{error}");
    }
    let nested = typed(&[DataType::List(Arc::new(Field::new("element", DataType::Int32, true)))]);
    let error = try_rows("csv", "1\n", &nested, &[]).unwrap_err();
    assert!(error.message().contains("ARRAY in this format"), "{error}");
}

#[test]
fn a_quote_that_never_ends_ends_with_the_file() {
    let whole = [("multiLine", "true")];
    assert_eq!(rows("csv", "1,\"a\nb", &abc(), &whole), ["1|a\nb|NULL"]);
    let error = try_rows("csv", "1,\"a\nb,2\n", &abc(), &[("multiLine", "true"), ("mode", "FAILFAST")]).unwrap_err();
    assert!(error.message().starts_with("line 1: "), "{error}");
}
