//! Rows of a split of delimited text.
//!
//! ```text
//!   block of lines ─ Records ─> up to chunk_rows of them ─ a loop a column ─> arrays
//!                                     │ faults: NULL, left out, or an error, as the mode says
//! ```
//!
//! Only the columns that are wanted are converted; where it matters whether a record fits as a whole
//! (its text is wanted, or misfits are dropped) the others are, too.

use super::cells::ColumnCells;
use super::dialect::{Header, Settings};
use super::records::{Record, Records};
use crate::column::{Column, Selection};
use crate::error::{Error, Result};
use crate::format::reader::{ReadRequest, Rows, SplitReader};
use crate::format::text::convert::{Faults, array, shown};
use crate::format::text::lines::LineReader;
use crate::format::text::mode::Mode;
use arrow::array::{ArrayRef, StringViewBuilder};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use std::ops::Range;
use std::sync::Arc;

/// A place in a split.
pub(super) struct DelimitedSplit {
    settings: Arc<Settings>,
    request: ReadRequest,
    /// For every column of the file the place of its value in a record; none for the column of
    /// records that do not fit.
    places: Vec<Option<usize>>,
    /// Columns that are not wanted but whose values decide whether a record fits.
    checked: Vec<usize>,
    mode: Mode,
    lines: LineReader,
    text: String,
    records: Records,
    at: usize,
}

/// For every column the place of its value in a record; none for the column `corrupt`.
pub(super) fn places(names: impl Iterator<Item = (String, DataType)>, corrupt: &str) -> Vec<Option<usize>> {
    let mut next = 0;
    let place = |(name, data_type): (String, DataType)| {
        if name.eq_ignore_ascii_case(corrupt) && data_type == DataType::Utf8View {
            return None;
        }
        next += 1;
        Some(next - 1)
    };
    names.map(place).collect()
}

impl DelimitedSplit {
    pub(super) fn open(settings: Arc<Settings>, request: ReadRequest) -> Result<Self> {
        let dialect = &settings.dialect;
        let mut lines = LineReader::open(&request.file, request.split, dialect.terminator, dialect.universal_lines)?;
        if request.split.start == 0 {
            for _ in 0..settings.skipped_lines {
                lines.skip_line()?;
            }
        }
        let columns = &request.columns.columns;
        let places =
            places(columns.iter().map(|column| (column.name.clone(), column.data_type.clone())), &settings.corrupt_column);
        let mode = settings.mode.settle(request.columns.inferred);
        let wanted = |at: usize| request.wanted.iter().any(|wanted| wanted.at == at);
        let whole = mode == Mode::DropMalformed || request.wanted.iter().any(|wanted| places[wanted.at].is_none());
        let checked = (0..places.len()).filter(|at| whole && places[*at].is_some() && !wanted(*at)).collect();
        let mut split =
            Self { settings, request, places, checked, mode, lines, text: String::new(), records: Records::default(), at: 0 };
        if split.request.split.start == 0 && split.settings.header == Header::Yes && split.next_block()? {
            // A header may have more lines than one, as any record.
            split.at = 1;
        }
        Ok(split)
    }

    /// Goes to the next block with a record; whether there is one.
    fn next_block(&mut self) -> Result<bool> {
        loop {
            let spare = std::mem::take(&mut self.text);
            self.at = 0;
            let Some(text) = self.lines.next_text(spare)? else {
                self.records = Records::default();
                return Ok(false);
            };
            self.text = text;
            let goes_on = self.records.read(&self.text, &self.settings.dialect, self.lines.at_end());
            if let Some(at) = goes_on {
                self.lines.take_back(&self.text, at)?;
            }
            if !self.records.records.is_empty() {
                return Ok(true);
            }
        }
    }

    fn array(&self, at: usize, data_type: &DataType, window: &[Record], faults: &mut Faults) -> Result<ArrayRef> {
        let Some(column) = self.places.get(at).copied().flatten() else {
            return Err(Error::internal("a column of text without a place"));
        };
        let is_string = matches!(data_type, DataType::Utf8View);
        let cells = ColumnCells { records: &self.records, text: &self.text, window, column, settings: &self.settings, is_string };
        array(&cells, data_type, window.len(), false, &self.settings.style, faults)
    }

    /// Adds records that have other numbers of values than there are columns, and quotes that do not
    /// end where nobody said that such are to be taken as they are.
    fn check_shapes(&self, window: &[Record], faults: &mut Faults) {
        let width = self.places.iter().flatten().count();
        for (row, record) in window.iter().enumerate() {
            if record.values() != width {
                faults.add(row, || format!("{} values where {width} are wanted", record.values()));
            }
        }
        if self.mode == Mode::FailFast {
            let own = self.at as u32..(self.at + window.len()) as u32;
            for record in self.records.unclosed.iter().filter(|record| own.contains(*record)) {
                faults.add((record - own.start) as usize, || "a quoted value does not end in its line".into());
            }
        }
    }

    fn convert(&self, rows: Range<usize>) -> Result<Rows> {
        let window = &self.records.records[rows];
        let mut faults = Faults::new(window.len());
        if !self.settings.ragged {
            faults.in_column("");
            self.check_shapes(window, &mut faults);
        }
        let mut arrays: Vec<Option<ArrayRef>> = Vec::with_capacity(self.request.wanted.len());
        for wanted in &self.request.wanted {
            faults.in_column(&self.request.columns.columns[wanted.at].name);
            let there = self.places[wanted.at].is_some();
            arrays.push(if there { Some(self.array(wanted.at, &wanted.data_type, window, &mut faults)?) } else { None });
        }
        for &at in &self.checked {
            let column = &self.request.columns.columns[at];
            faults.in_column(&column.name);
            self.array(at, &column.data_type, window, &mut faults)?;
        }
        if self.mode == Mode::FailFast
            && let Some((row, column, what)) = &faults.first
        {
            return Err(self.refuse(&window[*row], column, what));
        }
        let is_faulty = faults.first.is_some();
        let columns = arrays.into_iter().map(|array| Column::Flat(array.unwrap_or_else(|| self.corrupt(window, &faults.rows))));
        let mut columns: Vec<Column> = columns.collect();
        let mut rows = window.len();
        if is_faulty && self.mode == Mode::DropMalformed {
            let selection = Arc::new(Selection::from_mask(faults.rows.iter().map(|faulty| !faulty).collect::<BooleanBuffer>()));
            rows = selection.len();
            columns = columns.iter().map(|column| column.select(&selection)).collect::<Result<_>>()?;
        }
        Ok(Rows { columns, rows })
    }

    /// The texts of records that do not fit.
    fn corrupt(&self, window: &[Record], faulty: &[bool]) -> ArrayRef {
        let mut texts = StringViewBuilder::with_capacity(window.len());
        for (record, faulty) in window.iter().zip(faulty) {
            let text = self.text.get(record.start as usize..record.end as usize).unwrap_or("");
            texts.append_option(faulty.then(|| text.strip_suffix('\r').unwrap_or(text)));
        }
        Arc::new(texts.finish())
    }

    fn refuse(&self, record: &Record, column: &str, what: &str) -> Error {
        let mut error = Error::data(what);
        if !column.is_empty() {
            error = error.in_column(column);
        }
        if what.contains("does not end") {
            error = error.with_hint("a table with the option multiLine reads values of more than one line");
        } else if self.request.columns.inferred {
            let record = shown(self.text.get(record.start as usize..record.end as usize).unwrap_or(""));
            error = error.with_hint(format!(
                "the columns were guessed from a sample; CREATE TABLE with columns says what they are. The line is: {record}"
            ));
        }
        self.lines.locate(error, &self.text, record.start as usize)
    }
}

impl SplitReader for DelimitedSplit {
    fn next(&mut self, rows_max: usize) -> Result<Option<Rows>> {
        if self.at >= self.records.records.len() && !self.next_block()? {
            return Ok(None);
        }
        let end = self.records.records.len().min(self.at + rows_max.max(1));
        let rows = self.convert(self.at..end)?;
        self.at = end;
        Ok(Some(rows))
    }

    fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.lines.memory_bytes() + self.records.memory_bytes()
    }
}
