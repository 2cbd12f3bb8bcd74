//! TPC-H's 22 queries on `testdata/tpch` (scale 0.01) against DuckDB's answers.
//!
//! Rows are compared as multisets, since some queries leave ties; texts exactly, numbers by value,
//! and by a tolerance where DuckDB answers with a double (AVG and `/` of decimals are decimals here).

use skep::Engine;
use skep::arrow::array::{Array, RecordBatch};
use skep::arrow::datatypes::DataType;
use skep::arrow::util::display::array_value_to_string;
use std::fs;
use std::path::PathBuf;

const TABLES: [&str; 8] = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// Relative difference left by adding doubles in another order.
const DOUBLE_TOLERANCE: f64 = 1e-9;

#[test]
fn two_threads() {
    run(&[("skep.threads", "2")]);
}

#[test]
fn one_thread() {
    run(&[("skep.threads", "1")]);
}

#[test]
fn two_threads_tiny_chunks() {
    run(&[("skep.threads", "2"), ("skep.execution.chunk_rows", "7")]);
}

#[test]
fn one_thread_tiny_chunks() {
    run(&[("skep.threads", "1"), ("skep.execution.chunk_rows", "7")]);
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Number { value: f64, digits: String, inexact: bool, scale: Option<i8> },
}

#[track_caller]
fn run(settings: &[(&str, &str)]) {
    let engine = engine(settings);
    let mut wrong = Vec::new();
    for number in 1..=22 {
        let name = format!("q{number:02}");
        let sql = fs::read_to_string(folder().join(format!("queries/{name}.sql"))).unwrap();
        let answer = fs::read_to_string(folder().join(format!("answers/{name}.csv"))).unwrap();
        let difference = match engine.query(&sql) {
            Err(error) => Err(error.render(Some(&sql))),
            Ok(stream) => {
                let types: Vec<DataType> = stream.schema().fields().iter().map(|field| field.data_type().clone()).collect();
                let batches = stream.collect_batches().map_err(|error| error.render(Some(&sql)));
                batches.and_then(|batches| compare(actual(&batches), expected(&answer, &types)))
            }
        };
        if let Err(difference) = difference {
            wrong.push(format!("{name}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{} of 22 queries are wrong with {settings:?}\n{}", wrong.len(), wrong.join("\n"));
}

fn engine(settings: &[(&str, &str)]) -> Engine {
    let mut builder = Engine::builder();
    for (name, value) in settings {
        builder = builder.set(name, value).unwrap();
    }
    let engine = builder.build().unwrap();
    for table in TABLES {
        engine.register_path(table, folder().join(format!("{table}.parquet")).to_str().unwrap()).unwrap();
    }
    engine
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/tpch")
}

fn compare(mut actual: Vec<Vec<Cell>>, mut expected: Vec<Vec<Cell>>) -> Result<(), String> {
    if actual.len() != expected.len() {
        return Err(format!("{} rows, expected {}", actual.len(), expected.len()));
    }
    actual.sort_by_key(|row| sort_key(row));
    expected.sort_by_key(|row| sort_key(row));
    for (row, (a, e)) in actual.iter().zip(&expected).enumerate() {
        if a.len() != e.len() || !a.iter().zip(e).all(|(a, e)| equal(a, e)) {
            return Err(format!("row {row} of the sorted answers\n  actual   {a:?}\n  expected {e:?}"));
        }
    }
    Ok(())
}

/// Texts first, then numbers by their leading digits: a difference in the last ones moves no row.
fn sort_key(row: &[Cell]) -> (Vec<String>, Vec<String>) {
    let texts = row.iter().filter_map(|cell| if let Cell::Text(text) = cell { Some(text.clone()) } else { None });
    let numbers = row.iter().filter_map(|cell| match cell {
        Cell::Number { value, .. } => Some(format!("{value:.3e}")),
        Cell::Text(_) => None,
    });
    (texts.collect(), numbers.collect())
}

fn equal(actual: &Cell, expected: &Cell) -> bool {
    match (actual, expected) {
        (Cell::Number { value: a, digits: x, scale, inexact }, Cell::Number { value: e, digits: y, inexact: double, .. }) => {
            // Half of the last digit that a decimal keeps of DuckDB's double.
            let rounding = scale.map_or(0.0, |scale| 0.500_001 * 10f64.powi(-i32::from(scale)));
            x == y || ((*double || *inexact) && (a - e).abs() <= rounding + DOUBLE_TOLERANCE * e.abs())
        }
        (actual, expected) => actual == expected,
    }
}

fn actual(batches: &[RecordBatch]) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|column| value(column, row)).collect());
        }
    }
    rows
}

fn value(column: &dyn Array, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Text("NULL".into());
    }
    let text = array_value_to_string(column, row).unwrap();
    match column.data_type() {
        DataType::Decimal128(_, scale) => number(&text, false, Some(*scale)).unwrap(),
        data_type if data_type.is_floating() => number(&text, true, None).unwrap(),
        data_type if data_type.is_numeric() => number(&text, false, None).unwrap(),
        _ => Cell::Text(text),
    }
}

fn number(text: &str, inexact: bool, scale: Option<i8>) -> Option<Cell> {
    let value: f64 = text.parse().ok()?;
    let digits = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    Some(Cell::Number { value, digits: digits.to_string(), inexact, scale })
}

/// An answer file, its fields read as the types that the query answered with. More than 6 digits
/// after the point, or an exponent, are a double's.
fn expected(text: &str, types: &[DataType]) -> Vec<Vec<Cell>> {
    let cell = |(text, data_type): (String, &DataType)| {
        let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let inexact = fraction > 6 || text.contains('e');
        number(&text, inexact, None).filter(|_| data_type.is_numeric()).unwrap_or(Cell::Text(text))
    };
    split_csv(text).into_iter().skip(1).map(|row| row.into_iter().zip(types).map(cell).collect()).collect()
}

/// The fields of every line.
fn split_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut inside) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if inside && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => inside = !inside,
            ',' if !inside => row.push(std::mem::take(&mut field)),
            '\n' if !inside => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    rows
}
