//! What a file of delimited text looks like: delimiter, header, names and types of columns.
//!
//! Problem: the file does not say. The first records, and of a large file some from its middle and
//! its end, are split and every value's narrowest type is taken; the types of a column are widened
//! to one that holds them all. A first record of names that could not be values of their columns, or
//! that look like names where all columns are text, is a header.
//!
//! Cost: some megabytes a file, once, whatever its size.

use super::dialect::{Dialect, Header, Settings};
use super::records::{Record, Records};
use crate::error::{Error, Result};
use crate::format::reader::{DataFile, FileColumn, FileColumns, Split};
use crate::format::text::codec::Codec;
use crate::format::text::guess;
use crate::format::text::lines::LineReader;
use arrow::datatypes::DataType;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes looked at from the start of a file. Guessed: some tens of milliseconds.
const HEAD_BYTES: u64 = 2 << 20;
/// Bytes looked at in the middle and at the end. Guessed.
const OTHER_BYTES: u64 = 512 << 10;
/// Delimiters that are tried, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b'|', b';'];
/// Lines that are tried with each.
const DELIMITER_LINES: usize = 50;

/// A sample of records.
struct Sample {
    text: String,
    records: Records,
}

/// The settings as this file has them, and its columns.
pub(super) fn infer(settings: &Settings, file: &DataFile) -> Result<(Settings, FileColumns)> {
    let mut settings = settings.clone();
    let Some(head_text) = text(&settings, file, Split { start: 0, end: HEAD_BYTES })? else {
        return Ok((settings, FileColumns::default()));
    };
    if settings.guess_delimiter {
        settings.dialect.delimiter = delimiter(&settings.dialect, &head_text);
    }
    let head = Sample::new(head_text, &settings.dialect);
    let mut samples = vec![head];
    if settings.infer
        && Codec::of(&file.path) == Codec::None
        && !settings.dialect.multi_line
        && file.bytes() > HEAD_BYTES + 2 * OTHER_BYTES
    {
        let last = file.bytes() - OTHER_BYTES;
        for start in [(HEAD_BYTES + last) / 2, last] {
            let more = text(&settings, file, Split { start, end: start + OTHER_BYTES })?;
            samples.extend(more.map(|text| Sample::new(text, &settings.dialect)));
        }
    }
    let Some(first) = samples[0].records.records.first().copied() else { return Ok((settings, FileColumns::default())) };
    let first_values = samples[0].values(&first);
    let rest = types(&samples, &settings, true);
    if settings.header == Header::Guess {
        let header = is_header(&first_values, &rest, &samples[0]);
        settings.header = if header { Header::Yes } else { Header::No };
    }
    let is_header = settings.header == Header::Yes;
    let types = if is_header { rest } else { types(&samples, &settings, false) };
    let names =
        if is_header { header_names(&first_values) } else { (0..first_values.len()).map(|at| format!("_c{at}")).collect() };
    let columns = names.into_iter().enumerate().map(|(at, name)| {
        // A column without a value is text, as in Spark.
        let guessed = types.get(at).filter(|data_type| settings.infer && **data_type != DataType::Null);
        FileColumn { name, data_type: guessed.cloned().unwrap_or(DataType::Utf8View) }
    });
    let columns = columns.collect();
    let seen: usize = samples.iter().map(|sample| sample.records.records.len()).sum();
    let bytes: usize = samples.iter().map(|sample| sample.text.len()).sum();
    let rows = seen as f64 * (file.bytes() as f64 / bytes.max(1) as f64).max(1.0);
    let inferred = settings.infer;
    Ok((settings, FileColumns { columns, rows: Some(rows), inferred, detail: None }))
}

/// Names of columns as Spark makes them of a header: those that are there twice get their number, those
/// that are empty are numbers.
fn header_names(values: &[String]) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for value in values {
        *seen.entry(value.to_lowercase()).or_default() += 1;
    }
    let name = |(at, value): (usize, &String)| {
        if value.is_empty() {
            format!("_c{at}")
        } else if seen.get(&value.to_lowercase()).is_some_and(|count| *count > 1) {
            format!("{value}{at}")
        } else {
            value.clone()
        }
    };
    values.iter().enumerate().map(name).collect()
}

/// An error when a header's names are not those of the declared columns, in their order.
pub(super) fn check_header(settings: &Settings, file: &DataFile, names: &[String]) -> Result<()> {
    let Some(text) = text(settings, file, Split { start: 0, end: 1 })? else { return Ok(()) };
    let sample = Sample::new(text, &settings.dialect);
    let Some(first) = sample.records.records.first() else { return Ok(()) };
    let header = sample.values(first);
    let same = header.len() == names.len() && header.iter().zip(names).all(|(a, b)| a.trim().eq_ignore_ascii_case(b));
    if same {
        return Ok(());
    }
    let message = format!("the header ({}) has other columns than the table ({})", header.join(", "), names.join(", "));
    Err(Error::data(message).in_file(&*file.path).with_hint("enforceSchema = true goes by the columns' order alone"))
}

fn text(settings: &Settings, file: &DataFile, split: Split) -> Result<Option<String>> {
    let dialect = &settings.dialect;
    let end = if dialect.multi_line { u64::MAX } else { split.end };
    let mut lines = LineReader::open(file, Split { end, ..split }, dialect.terminator, dialect.universal_lines)?;
    if split.start == 0 {
        for _ in 0..settings.skipped_lines {
            lines.skip_line()?;
        }
    }
    let mut text = String::new();
    while (text.len() as u64) < split.end - split.start {
        let Some(more) = lines.next_text(String::new())? else { break };
        text.push_str(&more);
    }
    Ok((!text.is_empty()).then_some(text))
}

impl Sample {
    fn new(text: String, dialect: &Dialect) -> Self {
        let mut records = Records::default();
        // A record that is cut off at the end of the sample is left out.
        records.read(&text, dialect, false);
        if records.records.is_empty() {
            records.read(&text, dialect, true);
        }
        Self { text, records }
    }

    fn values(&self, record: &Record) -> Vec<String> {
        let value = |at| self.records.value(&self.text, record, at).map(|value| value.text.to_owned()).unwrap_or_default();
        (0..record.values()).map(value).collect()
    }
}

/// The delimiter that splits most of the first lines into one and the same number of values, more
/// than one of them.
fn delimiter(dialect: &Dialect, text: &str) -> u8 {
    let mut best = (0, 0, b',');
    for delimiter in DELIMITERS {
        let tried = Dialect { delimiter, ..dialect.clone() };
        let start = memchr::memchr_iter(b'\n', text.as_bytes()).nth(DELIMITER_LINES).map_or(text.len(), |end| end + 1);
        let sample = Sample::new(text[..start].to_owned(), &tried);
        let Some(first) = sample.records.records.first().map(Record::values) else { continue };
        let same = sample.records.records.iter().filter(|record| record.values() == first).count();
        if first > 1 && (same, first) > (best.0, best.1) {
            best = (same, first, delimiter);
        }
    }
    best.2
}

/// The type of every column, of the values behind the first record or of all.
fn types(samples: &[Sample], settings: &Settings, skip_first: bool) -> Vec<DataType> {
    let mut types: Vec<DataType> = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let skipped = usize::from(skip_first && number == 0);
        for record in sample.records.records.iter().skip(skipped) {
            if types.len() < record.values() {
                types.resize(record.values(), DataType::Null);
            }
            for (at, data_type) in types.iter_mut().enumerate() {
                let Some(value) = sample.records.value(&sample.text, record, at) else { continue };
                let is_null = value.text.is_empty() || settings.null.as_deref() == Some(value.text);
                if is_null || *data_type == DataType::Utf8View {
                    continue;
                }
                *data_type = guess::common(data_type, &guess::type_of(value.text.as_bytes()));
            }
        }
    }
    types
}

/// Whether the first record names the columns.
fn is_header(first: &[String], rest: &[DataType], sample: &Sample) -> bool {
    let mut lower: Vec<String> = first.iter().map(|name| name.to_lowercase()).collect();
    lower.sort_unstable();
    let distinct = lower.windows(2).all(|pair| pair[0] != pair[1]);
    let text = |value: &String| guess::type_of(value.as_bytes()) == DataType::Utf8View;
    if first.iter().any(String::is_empty) || !distinct || !first.iter().all(text) {
        return false;
    }
    if sample.records.records.len() == 1 {
        // Names alone, or one row of texts: names have no blanks.
        return first.iter().all(|name| is_name(name)) && first.len() > 1;
    }
    let typed = |data_type: &DataType| !matches!(data_type, DataType::Utf8View | DataType::Null);
    if rest.iter().take(first.len()).any(typed) {
        return true;
    }
    // All is text: names are names, and are not values of their columns as well.
    let repeats = sample.records.records.iter().skip(1).any(|record| {
        first
            .iter()
            .enumerate()
            .any(|(at, name)| sample.records.value(&sample.text, record, at).is_some_and(|value| value.text == name))
    });
    !repeats && first.iter().all(|name| is_name(name))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// The columns with the settings they were found with.
pub(super) fn with_settings(columns: FileColumns, settings: Settings) -> FileColumns {
    FileColumns { detail: Some(Arc::new(settings)), ..columns }
}
