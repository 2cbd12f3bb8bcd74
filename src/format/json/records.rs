//! Records of a block of JSON lines: for every column that is wanted, where its values stand.
//!
//! A line is an object, or an array of objects, which are records of their own. Names are compared
//! with the columns' as they are, and where none is the same in any case; of two members of one name
//! the last counts. Objects that look like the one before are read by its [`Shape`].

use super::scan::{Kind, MISSING, Piece, blanks, items, members, unescape, value};
use super::shape::{Found, Shape};
use crate::error::{Error, Result};
use crate::format::text::convert::{Cell, Cells, Faults, Nested};
use arrow::datatypes::DataType;
use std::borrow::Cow;

/// The names of members that are wanted, by column or field.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: Vec<String>,
    lower: Vec<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// For every name, the values of all records.
    pub(super) columns: Vec<Vec<Piece>>,
    /// Texts without their escapes.
    pub(super) side: String,
    /// Lines of the records in the block, without terminators.
    pub(super) lines: Vec<(u32, u32)>,
    /// Records that are no JSON, or no objects.
    pub(super) broken: Vec<bool>,
    /// Records behind which something stands in their line.
    pub(super) trailing: Vec<u32>,
    /// What the last object looked like.
    shape: Shape,
}

/// Values of one column.
pub(super) struct JsonCells<'a> {
    pub(super) text: &'a str,
    pub(super) side: Cow<'a, str>,
    pub(super) pieces: Cow<'a, [Piece]>,
    pub(super) wants: Wants,
}

/// Kinds of JSON's values that are values of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Anything,
    Integer,
    Float,
    Decimal,
    Boolean,
    Text,
    Instant,
}

impl Names {
    pub(super) fn new(names: impl Iterator<Item = String>) -> Self {
        let names: Vec<String> = names.collect();
        let lower = names.iter().map(|name| name.to_lowercase()).collect();
        Self { names, lower }
    }

    /// Puts the values of an object's members where `row` has room for them; the place behind it. `found`
    /// gets all values with their places.
    fn read(
        &self,
        text: &str,
        at: usize,
        depth: usize,
        row: &mut [Piece],
        expected: &mut usize,
        mut found: Option<&mut Found>,
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        // Names that fit but for their case, and whether one fits wholly.
        let mut exact = 0u128;
        let mut place = |name: Piece, value: Piece| {
            if let Some(found) = &mut found {
                found.push((value, None));
            }
            let spelled = &bytes[name.start as usize..name.end as usize];
            // Members mostly have one order.
            let count = self.names.len();
            let mut at = None;
            for step in 0..count {
                let next = (*expected + step) % count;
                if self.names[next].as_bytes() == spelled {
                    at = Some((next, true));
                    *expected = next + 1;
                    break;
                }
            }
            if at.is_none() && (spelled.iter().any(u8::is_ascii_uppercase) || name.kind == Kind::Escaped || !spelled.is_ascii()) {
                let mut plain = String::new();
                let spelled = text.get(name.start as usize..name.end as usize).unwrap_or("");
                if unescape(spelled, &mut plain).is_some() {
                    let exact = self.names.iter().position(|name| *name == plain);
                    let lower = plain.to_lowercase();
                    let loose = || self.lower.iter().position(|name| *name == lower).map(|at| (at, false));
                    at = exact.map(|at| (at, true)).or_else(loose);
                }
            } else if at.is_none() {
                // The columns may have capitals.
                let loose = |name: &String| name.as_bytes() == spelled;
                at = self.lower.iter().position(loose).map(|at| (at, false));
            }
            let Some((at, is_exact)) = at else { return };
            let bit = if at < 128 { 1u128 << at } else { 0 };
            if is_exact || exact & bit == 0 {
                row[at] = value;
                if let Some((_, place)) = found.as_mut().and_then(|found| found.last_mut()) {
                    *place = Some(at);
                }
                exact |= if is_exact { bit } else { 0 };
            }
        };
        members(bytes, at, depth, &mut place)
    }
}

impl Records {
    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        let pieces: usize = self.columns.iter().map(Vec::capacity).sum();
        pieces * size_of::<Piece>()
            + self.side.capacity()
            + self.lines.capacity() * size_of::<(u32, u32)>()
            + self.broken.capacity()
    }

    /// Reads a block of lines, or with `whole` a text of values that may have several lines.
    pub(super) fn read(&mut self, text: &str, names: &Names, terminator: u8, whole: bool) {
        self.columns.resize_with(names.names.len(), Vec::new);
        self.columns.iter_mut().for_each(Vec::clear);
        self.side.clear();
        self.lines.clear();
        self.broken.clear();
        self.trailing.clear();
        let bytes = text.as_bytes();
        let mut row = vec![MISSING; names.names.len()];
        let mut expected = 0;
        let mut start = 0;
        while start < bytes.len() {
            let end = match whole {
                true => bytes.len(),
                false => memchr::memchr(terminator, &bytes[start..]).map_or(bytes.len(), |end| start + end),
            };
            // Ends of lines stand for the end of the text.
            self.line(&text[..end], start, names, &mut row, &mut expected, whole);
            start = end + 1;
        }
    }

    fn line(&mut self, text: &str, start: usize, names: &Names, row: &mut [Piece], expected: &mut usize, whole: bool) {
        let bytes = text.as_bytes();
        let mut at = blanks(bytes, start);
        if at == bytes.len() {
            return;
        }
        let line = (start as u32, bytes.len() as u32);
        loop {
            let known = self.lines.len();
            let end = match bytes[at] {
                b'{' => self.object(text, at, names, row, expected, line),
                b'[' => {
                    let mut objects = Vec::new();
                    let end = items(bytes, at, 0, &mut |item| objects.push(item));
                    if end.is_some() {
                        for object in objects {
                            match object.kind {
                                Kind::Object => {
                                    self.object(text, object.start as usize, names, row, expected, line);
                                }
                                _ => self.add(row, true, line),
                            }
                        }
                    }
                    end
                }
                _ => value(bytes, at, 0).map(|(_, end)| {
                    self.add(row, true, line);
                    end
                }),
            };
            let Some(end) = end else {
                if self.lines.len() == known {
                    row.fill(MISSING);
                    self.add(row, true, line);
                }
                return;
            };
            at = blanks(bytes, end);
            if at >= bytes.len() {
                return;
            }
            if !whole {
                // What stands behind the value does not count, unless somebody minds.
                if let Some(last) = self.lines.len().checked_sub(1) {
                    self.trailing.push(last as u32);
                }
                return;
            }
        }
    }

    fn object(
        &mut self,
        text: &str,
        at: usize,
        names: &Names,
        row: &mut [Piece],
        expected: &mut usize,
        line: (u32, u32),
    ) -> Option<usize> {
        row.fill(MISSING);
        let end = self.shape.read(text.as_bytes(), at, row).or_else(|| {
            let mut found = Found::new();
            let wants = self.shape.wants();
            let end = names.read(text, at, 0, row, expected, wants.then_some(&mut found));
            match end {
                Some(end) if wants => self.shape.learn(text.as_bytes(), at, end, &found),
                Some(_) => {}
                None => row.fill(MISSING),
            }
            end
        });
        self.add(row, end.is_none(), line);
        end.or(Some(text.len()))
    }

    fn add(&mut self, row: &mut [Piece], broken: bool, line: (u32, u32)) {
        for (column, piece) in self.columns.iter_mut().zip(row) {
            column.push(std::mem::replace(piece, MISSING));
        }
        self.lines.push(line);
        self.broken.push(broken);
    }

    /// Takes the escapes out of the strings of a column.
    pub(super) fn unescape(&mut self, text: &str, column: usize) {
        let Some(pieces) = self.columns.get_mut(column) else { return };
        for piece in pieces.iter_mut().filter(|piece| piece.kind == Kind::Escaped && !piece.aside) {
            set_aside(piece, text, &mut self.side);
        }
    }
}

/// Moves a string to where it stands without escapes; one with wrong escapes is left as it is written.
fn set_aside(piece: &mut Piece, text: &str, side: &mut String) {
    let from = side.len();
    let written = text.get(piece.start as usize..piece.end as usize).unwrap_or("");
    if unescape(written, side).is_none() {
        side.truncate(from);
        side.push_str(written);
    }
    *piece = Piece { start: from as u32, end: side.len() as u32, kind: Kind::Plain, aside: true };
}

impl Wants {
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Self::Integer,
            DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Decimal128(..) => Self::Decimal,
            DataType::Boolean => Self::Boolean,
            DataType::Date32 | DataType::BinaryView => Self::Text,
            DataType::Timestamp(..) => Self::Instant,
            _ => Self::Anything,
        }
    }
}

impl JsonCells<'_> {
    fn raw(&self, piece: Piece) -> &str {
        let from = if piece.aside { &*self.side } else { self.text };
        from.get(piece.start as usize..piece.end as usize).unwrap_or("")
    }
}

impl Cells for JsonCells<'_> {
    #[inline]
    fn cell(&self, row: usize) -> Cell<'_> {
        let piece = self.pieces[row];
        if matches!(piece.kind, Kind::Missing | Kind::Null) {
            return Cell::Null;
        }
        let raw = self.raw(piece);
        let fits = match (self.wants, piece.kind) {
            (Wants::Anything, _) => true,
            (Wants::Integer, kind) => kind == Kind::Number,
            (Wants::Float, Kind::Plain) => {
                matches!(raw, "NaN" | "Infinity" | "-Infinity" | "+Infinity" | "INF" | "-INF" | "+INF")
            }
            (Wants::Float, kind) => kind == Kind::Number,
            (Wants::Boolean, kind) => kind == Kind::Boolean,
            (Wants::Decimal | Wants::Instant, Kind::Number) => true,
            (Wants::Decimal | Wants::Instant | Wants::Text, kind) => kind == Kind::Plain,
        };
        if fits { Cell::Text(raw) } else { Cell::Wrong(raw) }
    }

    fn nested<'s>(&'s self, data_type: &DataType, rows: usize, faults: &mut Faults<'_>) -> Result<Nested<'s>> {
        let bytes = self.text.as_bytes();
        let mut counts = Vec::with_capacity(rows);
        let (kind, mut children) = match data_type {
            DataType::List(item) => (Kind::Array, vec![Child::new(item.data_type())]),
            DataType::Struct(fields) => (Kind::Object, fields.iter().map(|field| Child::new(field.data_type())).collect()),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => (Kind::Object, fields.iter().map(|field| Child::new(field.data_type())).collect()),
                _ => return Err(Error::internal("a map without entries")),
            },
            other => return Err(Error::internal(format!("{other} is not nested"))),
        };
        let names = match data_type {
            DataType::Struct(fields) => Some(Names::new(fields.iter().map(|field| field.name().clone()))),
            _ => None,
        };
        let mut fields = vec![MISSING; children.len()];
        let mut expected = 0;
        for (row, piece) in self.pieces.iter().enumerate().take(rows) {
            let at = piece.start as usize;
            if piece.kind != kind {
                if !matches!(piece.kind, Kind::Missing | Kind::Null) {
                    faults.misfit(row, self.raw(*piece), data_type);
                }
                counts.push(None);
                if names.is_some() {
                    children.iter_mut().for_each(|child| child.pieces.push(MISSING));
                }
                continue;
            }
            let mut count = 1;
            match (&names, children.as_mut_slice()) {
                (Some(names), children) => {
                    fields.fill(MISSING);
                    names.read(self.text, at, 0, &mut fields, &mut expected, None);
                    for (child, piece) in children.iter_mut().zip(&fields) {
                        child.push(*piece, self.text);
                    }
                }
                (None, [items_of]) => {
                    count = 0;
                    items(bytes, at, 0, &mut |item| {
                        items_of.push(item, self.text);
                        count += 1;
                    });
                }
                (None, [keys, values]) => {
                    // Of two entries of one key the last counts.
                    let from = keys.pieces.len();
                    members(bytes, at, 0, &mut |key, value| {
                        keys.push(key, self.text);
                        let twice = keys.place_of_last(from, self.text);
                        match twice {
                            Some(place) => {
                                keys.pieces.pop();
                                values.replace(place, value, self.text);
                            }
                            None => values.push(value, self.text),
                        }
                    });
                    count = (keys.pieces.len() - from) as u32;
                }
                (None, _) => return Err(Error::internal("a nested type without items")),
            }
            counts.push(Some(count));
        }
        let cells = children.into_iter().map(|child| {
            let cells =
                JsonCells { text: self.text, side: Cow::Owned(child.side), pieces: Cow::Owned(child.pieces), wants: child.wants };
            Box::new(cells) as Box<dyn Cells + 's>
        });
        Ok(Nested { children: cells.collect(), counts })
    }
}

/// Items in the making.
struct Child {
    pieces: Vec<Piece>,
    side: String,
    wants: Wants,
}

impl Child {
    fn new(data_type: &DataType) -> Self {
        Self { pieces: Vec::new(), side: String::new(), wants: Wants::of(data_type) }
    }

    fn push(&mut self, mut piece: Piece, text: &str) {
        if piece.kind == Kind::Escaped {
            set_aside(&mut piece, text, &mut self.side);
        }
        self.pieces.push(piece);
    }

    fn replace(&mut self, at: usize, mut piece: Piece, text: &str) {
        if piece.kind == Kind::Escaped {
            set_aside(&mut piece, text, &mut self.side);
        }
        if let Some(known) = self.pieces.get_mut(at) {
            *known = piece;
        }
    }

    /// Where, from `from` on, the last text stands a first time.
    fn place_of_last(&self, from: usize, text: &str) -> Option<usize> {
        let of = |piece: &Piece| {
            let source = if piece.aside { self.side.as_str() } else { text };
            source.get(piece.start as usize..piece.end as usize)
        };
        let (last, before) = self.pieces.split_last()?;
        let wanted = of(last);
        (from..before.len()).find(|at| of(&before[*at]) == wanted)
    }
}
