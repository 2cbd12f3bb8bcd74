//! JSON lines, and files of one JSON value (`multiLine`).
//!
//! - `scan`: values of JSON, where they end.
//! - `records`: lines to the places of the values that are wanted; `shape`: objects alike.
//! - `infer`: the columns of a file that nobody described.
//!
//! ```text
//!   block of lines ─ Records ─> places of values, a list a column ─ a loop a column ─> arrays
//! ```
//!
//! A line is walked once, members that are not wanted are passed over; nested values are walked again
//! when their items are built. Lines are read in parallel over byte ranges.

mod infer;
mod records;
mod scan;
mod shape;

#[cfg(test)]
mod tests;

use super::delimited::dialect::style;
use super::options::{FormatOptions, unescape};
use super::reader::{DataFile, FileColumn, FileColumns, Format, FormatReader, ReadRequest, Rows, Split, SplitReader};
use super::style::{JsonStyle, OutputStyle};
use super::text::convert::{Faults, ValueStyle, array, check_type, shown};
use super::text::lines::{self, LineReader};
use super::text::mode::Mode;
use crate::column::{Column, Selection};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, StringViewBuilder};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use infer::Guess;
use records::{JsonCells, Names, Records, Wants};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Bytes looked at from the start of a file whose columns nobody described, in its middle, and at its
/// end. Guessed: some tens of milliseconds.
const HEAD_BYTES: u64 = 2 << 20;
const OTHER_BYTES: u64 = 512 << 10;

/// JSON.
#[derive(Debug)]
pub struct Json;

/// How JSON is read.
#[derive(Debug, Clone)]
struct JsonReader {
    style: ValueStyle,
    mode: Mode,
    corrupt_column: String,
    terminator: u8,
    multi_line: bool,
    guess: bool,
    all_strings: bool,
}

impl Format for Json {
    fn names(&self) -> &'static [&'static str] {
        &["json", "jsonfile", "ndjson", "jsonl"]
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["json", "ndjson", "jsonl"]
    }

    fn reader(&self, options: &mut FormatOptions) -> Result<Arc<dyn FormatReader>> {
        Ok(Arc::new(JsonReader::new(options)?))
    }

    fn style(&self, options: &mut FormatOptions) -> Result<OutputStyle> {
        JsonReader::new(options)?.written().map(OutputStyle::Json)
    }
}

impl JsonReader {
    fn new(options: &mut FormatOptions) -> Result<Self> {
        let style = ValueStyle { base64: true, epoch_seconds: true, ..style(options)? };
        let terminator = match options.take(&["linesep"]).map(|text| unescape(&text)).as_deref() {
            None | Some("\n" | "\r\n") => b'\n',
            Some(other) if other.len() == 1 && other.is_ascii() => other.as_bytes()[0],
            Some(other) => return Err(Error::unsupported(format!("lineSep '{}'", other.escape_default()))),
        };
        // What Spark allows by default, or what only tunes its samples.
        let _ = options.take(&["samplingratio", "locale", "ignorenullfields", "preferdate"]);
        for (name, honoured) in [
            ("allowcomments", false),
            ("allowunquotedfieldnames", false),
            ("allowsinglequotes", true),
            ("allownumericleadingzeros", false),
            ("allownonnumericnumbers", true),
            ("allowbackslashescapinganycharacter", false),
            ("allowunquotedcontrolchars", true),
            ("dropfieldifallnull", false),
            ("prefersdecimal", false),
        ] {
            if options.flag(&[name], honoured)? != honoured {
                return Err(Error::unsupported(format!("{} as the JSON option {name}", !honoured)));
            }
        }
        if let Some(charset) = options.take(&["encoding", "charset"])
            && !["utf-8", "utf8"].contains(&charset.to_lowercase().as_str())
        {
            return Err(Error::unsupported(format!("'{charset}' as the option encoding")));
        }
        Ok(JsonReader {
            style,
            mode: Mode::take(options)?,
            corrupt_column: options.take(&["columnnameofcorruptrecord"]).unwrap_or_else(|| "_corrupt_record".into()),
            terminator,
            multi_line: options.flag(&["multiline"], false)?,
            guess: options.guess,
            all_strings: options.flag(&["primitivesasstring"], false)?,
        })
    }

    /// How lines are written that this reads.
    fn written(&self) -> Result<JsonStyle> {
        let refuse = |what: &str| Err(Error::unsupported(format!("writing json with {what}")));
        let style = &self.style;
        if style.date.is_some() || style.timestamp.is_some() {
            return refuse("the options dateFormat or timestampFormat");
        }
        if style.nan.is_some() || style.infinity.is_some() || style.negative_infinity.is_some() {
            return refuse("other names for NaN and the infinities");
        }
        if self.multi_line || self.terminator != b'\n' {
            return refuse("the options multiLine or lineSep");
        }
        Ok(JsonStyle { corrupt_column: self.corrupt_column.clone() })
    }

    fn infer(&self, file: &DataFile) -> Result<FileColumns> {
        let mut reader = self.clone();
        let mut guess = Guess::default();
        let Some(head) = self.sample(file, Split { start: 0, end: HEAD_BYTES })? else { return Ok(FileColumns::default()) };
        if self.guess {
            // A first line that is no whole value begins one of more lines.
            let first = head.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
            let start = scan::blanks(first.as_bytes(), 0);
            reader.multi_line |= first.len() > start && scan::value(first.as_bytes(), start, 0).is_none();
        }
        let mut samples = vec![head];
        if reader.multi_line {
            samples = vec![whole(file, self.terminator)?.0];
        } else if file.bytes() > HEAD_BYTES + 2 * OTHER_BYTES
            && matches!(lines::splits(file, 0, HEAD_BYTES).as_slice(), [_, _, ..])
        {
            let last = file.bytes() - OTHER_BYTES;
            for start in [(HEAD_BYTES + last) / 2, last] {
                samples.extend(self.sample(file, Split { start, end: start + OTHER_BYTES })?);
            }
        }
        let (mut seen, mut bytes) = (0usize, 0usize);
        for text in &samples {
            // The value of no name stands for the whole record.
            let mut at = 0;
            while at < text.len() {
                let end = match reader.multi_line {
                    true => text.len(),
                    false => memchr::memchr(self.terminator, &text.as_bytes()[at..]).map_or(text.len(), |end| at + end),
                };
                seen += add_line(&mut guess, &text[..end], at);
                at = end + 1;
            }
            bytes += text.len();
        }
        let columns = match guess.data_type(self.all_strings) {
            Some(DataType::Struct(fields)) => {
                let column =
                    |name: &String, data_type: &DataType| FileColumn { name: name.clone(), data_type: data_type.clone() };
                fields.iter().map(|field| column(field.name(), field.data_type())).collect()
            }
            _ => Vec::new(),
        };
        if columns.is_empty() {
            let error = Error::data("no JSON objects with members were found in it").in_file(&*file.path);
            return Err(error.with_hint("each line is one object; a table with the option multiLine reads others"));
        }
        let rows = seen as f64 * (file.bytes() as f64 / bytes.max(1) as f64).max(1.0);
        Ok(FileColumns { columns, rows: Some(rows), inferred: true, detail: Some(Arc::new(reader)) })
    }

    /// Whole lines from the start of a piece.
    fn sample(&self, file: &DataFile, split: Split) -> Result<Option<String>> {
        let mut lines = LineReader::open(file, split, self.terminator, self.terminator == b'\n')?;
        let mut text = String::new();
        while (text.len() as u64) < split.end - split.start {
            let Some(more) = lines.next_text(String::new())? else { break };
            text.push_str(&more);
        }
        Ok((!text.is_empty()).then_some(text))
    }

    fn of(&self, columns: &FileColumns) -> Arc<JsonReader> {
        let found = columns.detail.clone().and_then(|detail| detail.downcast::<JsonReader>().ok());
        found.unwrap_or_else(|| Arc::new(self.clone()))
    }
}

/// Takes the records of a line into a guess; how many there are.
fn add_line(guess: &mut Guess, text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = scan::blanks(bytes, from);
    let mut seen = 0;
    while at < bytes.len() {
        let Some((piece, end)) = scan::value(bytes, at, 0) else { break };
        let mut add = |piece: scan::Piece| {
            if piece.kind == scan::Kind::Object {
                guess.add(text, piece);
                seen += 1;
            }
        };
        match piece.kind {
            scan::Kind::Array => {
                scan::items(bytes, at, 0, &mut add);
            }
            _ => add(piece),
        }
        at = scan::blanks(bytes, end);
    }
    seen
}

/// A whole file, and the reader that can say where in it something is.
fn whole(file: &DataFile, terminator: u8) -> Result<(String, LineReader)> {
    let mut lines = LineReader::open(file, Split { start: 0, end: u64::MAX }, terminator, false)?;
    let Some(mut text) = lines.next_text(String::new())? else { return Ok((String::new(), lines)) };
    while !lines.at_end() {
        lines.take_back(&text, 0)?;
        match lines.next_text(String::new())? {
            Some(more) => text = more,
            None => break,
        }
    }
    Ok((text, lines))
}

impl FormatReader for JsonReader {
    fn name(&self) -> &'static str {
        "json"
    }

    fn columns(&self, file: &DataFile, declared: Option<&[FileColumn]>) -> Result<FileColumns> {
        let Some(declared) = declared else { return self.infer(file) };
        for column in declared {
            check_type(&column.data_type, true).map_err(|error| error.in_column(&column.name))?;
        }
        // Guessed: what a member takes in text.
        let rows = file.bytes() as f64 / (declared.len() as f64 * 20.0).max(1.0);
        Ok(FileColumns { columns: declared.to_vec(), rows: Some(rows), ..FileColumns::default() })
    }

    fn splits(&self, file: &DataFile, columns: &FileColumns, bytes_wanted: u64) -> Result<Vec<Split>> {
        Ok(lines::splits(file, 0, if self.of(columns).multi_line { u64::MAX } else { bytes_wanted }))
    }

    fn open(&self, request: ReadRequest) -> Result<Box<dyn SplitReader>> {
        let reader = self.of(&request.columns);
        let corrupt = |column: &FileColumn| {
            column.name.eq_ignore_ascii_case(&reader.corrupt_column)
                && column.data_type == DataType::Utf8View
                && !request.columns.inferred
        };
        let mode = reader.mode.settle(request.columns.inferred);
        let columns = &request.columns.columns;
        let whole = mode == Mode::DropMalformed || request.wanted.iter().any(|wanted| corrupt(&columns[wanted.at]));
        // The columns that are converted, those that are wanted first.
        let mut read: Vec<(FileColumn, bool)> = Vec::new();
        for wanted in &request.wanted {
            let column = &columns[wanted.at];
            let is_corrupt = corrupt(column);
            read.push((FileColumn { name: column.name.clone(), data_type: wanted.data_type.clone() }, is_corrupt));
        }
        if whole {
            let others = (0..columns.len()).filter(|at| !request.wanted.iter().any(|wanted| wanted.at == *at));
            read.extend(others.map(|at| (columns[at].clone(), corrupt(&columns[at]))));
        }
        // No member has the name of the column for what does not fit.
        let name = |(column, is_corrupt): &(FileColumn, bool)| if *is_corrupt { "\0".to_owned() } else { column.name.clone() };
        let names = Names::new(read.iter().map(name));
        let terminator = reader.terminator;
        let lines = LineReader::open(&request.file, request.split, terminator, terminator == b'\n')?;
        let wanted = request.wanted.len();
        let (text, records) = (String::new(), Records::default());
        let done = false;
        Ok(Box::new(JsonSplit { reader, request, read, wanted, names, mode, lines, text, records, at: 0, done }))
    }
}

/// A place in a split.
struct JsonSplit {
    reader: Arc<JsonReader>,
    request: ReadRequest,
    /// Columns, and whether they are those for records that do not fit.
    read: Vec<(FileColumn, bool)>,
    /// How many of them are wanted.
    wanted: usize,
    names: Names,
    mode: Mode,
    lines: LineReader,
    text: String,
    records: Records,
    at: usize,
    done: bool,
}

impl JsonSplit {
    fn next_block(&mut self) -> Result<bool> {
        loop {
            self.at = 0;
            if self.done {
                self.records = Records::default();
                return Ok(false);
            }
            if self.reader.multi_line {
                let (text, lines) = whole(&self.request.file, self.reader.terminator)?;
                (self.text, self.lines, self.done) = (text, lines, true);
            } else {
                match self.lines.next_text(std::mem::take(&mut self.text))? {
                    Some(text) => self.text = text,
                    None => {
                        self.done = true;
                        continue;
                    }
                }
            }
            self.records.read(&self.text, &self.names, self.reader.terminator, self.reader.multi_line);
            for (at, (column, _)) in self.read.iter().enumerate() {
                if !column.data_type.is_nested() {
                    self.records.unescape(&self.text, at);
                }
            }
            if !self.records.lines.is_empty() {
                return Ok(true);
            }
        }
    }

    fn convert(&self, rows: Range<usize>) -> Result<Rows> {
        let count = rows.len();
        let mut faults = Faults::new(count);
        for row in rows.clone().filter(|row| self.records.broken[*row]) {
            faults.add(row - rows.start, || "the line is no JSON object".into());
        }
        if self.mode == Mode::FailFast {
            for row in self.records.trailing.iter().filter(|row| rows.contains(&(**row as usize))) {
                faults.add(*row as usize - rows.start, || "something follows the JSON object in its line".into());
            }
        }
        let mut arrays: Vec<Option<ArrayRef>> = Vec::with_capacity(self.read.len());
        for (at, (column, is_corrupt)) in self.read.iter().enumerate() {
            faults.in_column(&column.name);
            arrays.push(if *is_corrupt {
                None
            } else {
                let pieces = Cow::Borrowed(&self.records.columns[at][rows.clone()]);
                let wants = Wants::of(&column.data_type);
                let cells = JsonCells { text: &self.text, side: Cow::Borrowed(&self.records.side), pieces, wants };
                Some(array(&cells, &column.data_type, count, false, &self.reader.style, &mut faults)?)
            });
        }
        if self.mode == Mode::FailFast
            && let Some((row, column, what)) = &faults.first
        {
            return Err(self.refuse(rows.start + row, column, what));
        }
        arrays.truncate(self.wanted);
        let columns = arrays.into_iter();
        let columns = columns.map(|array| Column::Flat(array.unwrap_or_else(|| self.corrupt(&rows, &faults.rows))));
        let mut columns: Vec<Column> = columns.collect();
        let mut left = count;
        if faults.first.is_some() && self.mode == Mode::DropMalformed {
            let kept: BooleanBuffer = faults.rows.iter().map(|faulty| !faulty).collect();
            let selection = Arc::new(Selection::from_mask(kept));
            left = selection.len();
            columns = columns.iter().map(|column| column.select(&selection)).collect::<Result<_>>()?;
        }
        Ok(Rows { columns, rows: left })
    }

    /// The lines of records that do not fit.
    fn corrupt(&self, rows: &Range<usize>, faulty: &[bool]) -> ArrayRef {
        let mut texts = StringViewBuilder::with_capacity(faulty.len());
        for (row, faulty) in rows.clone().zip(faulty) {
            let (start, end) = self.records.lines[row];
            let text = self.text.get(start as usize..end as usize).unwrap_or("");
            texts.append_option(faulty.then(|| text.strip_suffix('\r').unwrap_or(text)));
        }
        Arc::new(texts.finish())
    }

    fn refuse(&self, row: usize, column: &str, what: &str) -> Error {
        let (start, end) = self.records.lines[row];
        let mut error = Error::data(what);
        if !self.records.broken[row] && !column.is_empty() {
            error = error.in_column(column);
        }
        if self.request.columns.inferred {
            let line = shown(self.text.get(start as usize..end as usize).unwrap_or(""));
            error = error.with_hint(format!(
                "the columns were guessed from a sample; CREATE TABLE with columns says what they are. The line is: {line}"
            ));
        }
        self.lines.locate(error, &self.text, start as usize)
    }
}

impl SplitReader for JsonSplit {
    fn next(&mut self, rows_max: usize) -> Result<Option<Rows>> {
        if self.at >= self.records.lines.len() && !self.next_block()? {
            return Ok(None);
        }
        let end = self.records.lines.len().min(self.at + rows_max.max(1));
        let rows = self.convert(self.at..end)?;
        self.at = end;
        Ok(Some(rows))
    }

    fn memory_bytes(&self) -> usize {
        // A file of one value is read as a whole.
        let to_come = if self.reader.multi_line && !self.done { self.request.file.bytes() } else { 0 };
        let held = self.text.capacity() + self.lines.memory_bytes() + self.records.memory_bytes();
        held.saturating_add(usize::try_from(to_come).unwrap_or(usize::MAX))
    }
}
