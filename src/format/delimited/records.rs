//! Records of a block of delimited text.
//!
//! Problem: nearly all lines have no quote, and their values lie between the bytes that [`Ends`]
//! found; the others want a walk byte by byte. Lines with a quote (in Hive's text: an escape) are
//! told apart by looking for that byte, and only they are walked; their values are pieces of the
//! block, or of a text beside it where escapes were taken out.
//!
//! ```text
//!   1,Ann,x        no quote:  ends 1 5 7
//!   2,"a,b","c\"d" walked:    pieces "2" "a,b" of the block, "c"d" of the side text
//! ```
//!
//! Quotes are read as Spark reads them: where something other than a delimiter follows the closing
//! quote, the value is what stands there up to the next delimiter, quotes and all; a quoted value
//! that does not end in its line ends there (without `multiLine`).

use super::dialect::Dialect;
use super::index::Ends;

/// Set in [`Record::fields`] where values are pieces.
const WALKED: u32 = 1 << 31;

/// A record: where it stands in the block, and where its values are found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    first: u32,
    fields: u32,
    /// Its bytes in the block, without the terminator.
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    start: u32,
    end: u32,
    /// Of the side text.
    aside: bool,
    quoted: bool,
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) text: &'a str,
    pub(super) quoted: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Records {
    found: Ends,
    pub(super) records: Vec<Record>,
    pieces: Vec<Piece>,
    side: String,
    /// Records in which a quoted value does not end.
    pub(super) unclosed: Vec<u32>,
}

impl Record {
    /// Number of its values.
    pub(super) fn values(&self) -> usize {
        (self.fields & !WALKED) as usize
    }
}

impl Records {
    /// Reads a block of whole lines. Returns where the first record begins that goes on behind the
    /// block, which can be where lines may be quoted; `last`: nothing comes behind the block.
    pub(super) fn read(&mut self, text: &str, dialect: &Dialect, last: bool) -> Option<usize> {
        self.records.clear();
        self.pieces.clear();
        self.side.clear();
        self.unclosed.clear();
        let bytes = text.as_bytes();
        self.found.find(bytes, dialect.delimiter, dialect.terminator);
        if bytes.last().is_some_and(|byte| *byte != dialect.terminator) {
            self.found.lines.push(self.found.ends.len() as u32);
            self.found.ends.push(bytes.len() as u32);
        }
        // A byte that nothing is equal to where there is none to look for.
        let special = if dialect.hive { dialect.escape } else { dialect.quote };
        let mut specials = special.map(|byte| memchr::memchr_iter(byte, bytes));
        let mut special = specials.as_mut().and_then(Iterator::next).unwrap_or(usize::MAX);
        let mut line = 0;
        let mut first = 0;
        while line < self.found.lines.len() {
            let mut last_end = self.found.lines[line];
            let start = self.found.ends[first as usize].wrapping_add(1) as usize;
            let mut end = self.found.ends[last_end as usize] as usize;
            while special < start {
                special = specials.as_mut().and_then(Iterator::next).unwrap_or(usize::MAX);
            }
            let fields = last_end - first;
            let skipped = (dialect.comment.is_some() && start < end && dialect.comment == Some(bytes[start]))
                || (fields == 1 && !dialect.hive && bytes[start..end].trim_ascii().is_empty());
            if !skipped && special < end {
                let known = self.pieces.len();
                let Some((stop, unclosed)) = self.walk(text, start, end, dialect, last) else { return Some(start) };
                if stop > end {
                    // Lines were within quotes.
                    let lines = &self.found.lines;
                    while line + 1 < lines.len() && (self.found.ends[lines[line] as usize] as usize) < stop {
                        line += 1;
                    }
                    last_end = self.found.lines[line];
                    end = stop;
                }
                if unclosed {
                    self.unclosed.push(self.records.len() as u32);
                }
                let fields = (self.pieces.len() - known) as u32 | WALKED;
                let end = end as u32;
                self.records.push(Record { first: known as u32, fields, start: start as u32, end });
            } else if !skipped {
                self.records.push(Record { first, fields, start: start as u32, end: end as u32 });
            }
            first = last_end;
            line += 1;
        }
        None
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        let ends = (self.found.ends.capacity() + self.found.lines.capacity()) * size_of::<u32>();
        let walked = self.pieces.capacity() * size_of::<Piece>() + self.side.capacity();
        ends + walked + self.records.capacity() * size_of::<Record>()
    }

    /// A value of a record; none where the record has fewer.
    #[inline]
    pub(super) fn value<'a>(&'a self, text: &'a str, record: &Record, column: usize) -> Option<Value<'a>> {
        if record.fields & WALKED != 0 {
            return self.walked(text, record, column);
        }
        if column >= record.fields as usize {
            return None;
        }
        let at = record.first as usize + column;
        let start = self.found.ends[at].wrapping_add(1) as usize;
        let mut end = self.found.ends[at + 1] as usize;
        // The carriage return of a line's end.
        if column + 1 == record.fields as usize && end > start && text.as_bytes()[end - 1] == b'\r' {
            end -= 1;
        }
        Some(Value { text: text.get(start..end)?, quoted: false })
    }

    fn walked<'a>(&'a self, text: &'a str, record: &Record, column: usize) -> Option<Value<'a>> {
        if column >= record.values() {
            return None;
        }
        let piece = self.pieces.get(record.first as usize + column)?;
        let from = if piece.aside { self.side.as_str() } else { text };
        Some(Value { text: from.get(piece.start as usize..piece.end as usize)?, quoted: piece.quoted })
    }

    /// Splits the record at `start`, whose line ends at `end`: where it ends, and whether quotes do not.
    /// None: it goes on behind the block.
    fn walk(&mut self, text: &str, start: usize, end: usize, dialect: &Dialect, last: bool) -> Option<(usize, bool)> {
        let bytes = text.as_bytes();
        let strip = |end: usize| if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
        let (mut at, mut stop, mut end, mut unclosed) = (start, end, strip(end), false);
        loop {
            let next = if dialect.hive {
                self.escaped(text, at, end, dialect)
            } else {
                let opening = if dialect.trim_start { skip_blanks(bytes, at, end) } else { at };
                match dialect.quote {
                    Some(quote) if bytes.get(opening) == Some(&quote) && opening < end => {
                        // Within quotes the record may have more lines.
                        let limit = if dialect.multi_line { bytes.len() } else { end };
                        match self.quoted(text, opening, limit, dialect) {
                            Quoted::Closed(next) => {
                                if next > end {
                                    let rest = memchr::memchr(dialect.terminator, &bytes[next..]);
                                    stop = rest.map_or(bytes.len(), |rest| next + rest);
                                    end = strip(stop);
                                }
                                next
                            }
                            Quoted::Open if dialect.multi_line && !last => return None,
                            Quoted::Open => {
                                unclosed = true;
                                if dialect.multi_line {
                                    stop = bytes.len();
                                    end = stop;
                                }
                                self.pieces.push(Piece {
                                    start: opening as u32 + 1,
                                    end: end as u32,
                                    aside: false,
                                    quoted: true,
                                });
                                end
                            }
                        }
                    }
                    _ => {
                        let stop = memchr::memchr(dialect.delimiter, &bytes[at..end]).map_or(end, |found| at + found);
                        self.pieces.push(Piece { start: at as u32, end: stop as u32, aside: false, quoted: false });
                        stop
                    }
                }
            };
            if next >= end {
                return Some((stop, unclosed));
            }
            at = next + 1;
            if at > end {
                return Some((stop, unclosed));
            }
        }
    }

    /// A value with quotes from `opening` on.
    fn quoted(&mut self, text: &str, opening: usize, limit: usize, dialect: &Dialect) -> Quoted {
        let bytes = text.as_bytes();
        let quote = bytes[opening];
        let escape = dialect.escape.unwrap_or(quote);
        let aside = self.side.len();
        // What of the value is not copied yet.
        let mut from = opening + 1;
        let mut at = from;
        loop {
            let Some(found) = memchr::memchr2(quote, escape, &bytes[at..limit]) else {
                self.side.truncate(aside);
                return Quoted::Open;
            };
            at += found;
            let next = bytes.get(at + 1).copied().filter(|_| at + 1 < limit);
            if bytes[at] == escape && (next == Some(quote) || (escape != quote && next == Some(escape))) {
                self.side.push_str(text.get(from..at).unwrap_or(""));
                from = at + 1;
                at += 2;
                continue;
            }
            if bytes[at] != quote {
                at += 1;
                continue;
            }
            let end = at;
            let blanks = skip_blanks(bytes, at + 1, limit);
            let closes = blanks >= limit
                || bytes[blanks] == dialect.delimiter
                || bytes[blanks] == dialect.terminator
                || (bytes[blanks] == b'\r' && bytes.get(blanks + 1).is_none_or(|byte| *byte == dialect.terminator));
            if !closes {
                // Not the end of a quoted value: it had no quotes, then, but these are part of it.
                self.side.truncate(aside);
                let rest = &bytes[blanks..limit];
                let stop = memchr::memchr2(dialect.delimiter, dialect.terminator, rest).map_or(limit, |found| blanks + found);
                self.pieces.push(Piece { start: opening as u32, end: stop as u32, aside: false, quoted: false });
                return Quoted::Closed(stop);
            }
            let piece = if self.side.len() == aside {
                Piece { start: from as u32, end: end as u32, aside: false, quoted: true }
            } else {
                self.side.push_str(text.get(from..end).unwrap_or(""));
                Piece { start: aside as u32, end: self.side.len() as u32, aside: true, quoted: true }
            };
            self.pieces.push(piece);
            return Quoted::Closed(blanks);
        }
    }

    /// A value of Hive's text, in which any byte may be escaped.
    fn escaped(&mut self, text: &str, start: usize, end: usize, dialect: &Dialect) -> usize {
        let bytes = text.as_bytes();
        let escape = dialect.escape.unwrap_or(dialect.delimiter);
        let mut stop = start;
        let mut plain = true;
        while stop < end && bytes[stop] != dialect.delimiter {
            let escapes = bytes[stop] == escape && stop + 1 < end;
            plain &= !escapes;
            stop += 1 + usize::from(escapes);
        }
        let stop = stop.min(end);
        // NULL is looked for in what is written.
        plain |= dialect.null.as_deref() == text.get(start..stop);
        let nested = dialect.separators.iter().any(|separator| memchr::memchr(*separator, &bytes[start..stop]).is_some());
        // Items of nested values are separated first; escapes within them stay until then.
        if plain || nested {
            self.pieces.push(Piece { start: start as u32, end: stop as u32, aside: false, quoted: false });
            return stop;
        }
        let aside = self.side.len();
        unescape_into(&mut self.side, &text[start..stop], escape);
        self.pieces.push(Piece { start: aside as u32, end: self.side.len() as u32, aside: true, quoted: true });
        stop
    }
}

enum Quoted {
    /// The value is read; what follows it begins there.
    Closed(usize),
    /// There is no closing quote.
    Open,
}

/// Takes the escapes out of a value of Hive's text.
pub(super) fn unescape_into(side: &mut String, text: &str, escape: u8) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(escape, rest.as_bytes()) {
        side.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        match chars.next() {
            Some('n') => side.push('\n'),
            Some('r') => side.push('\r'),
            Some(other) => side.push(other),
            None => side.push(char::from(escape)),
        }
        rest = chars.as_str();
    }
    side.push_str(rest);
}

fn skip_blanks(bytes: &[u8], mut at: usize, end: usize) -> usize {
    while at < end && matches!(bytes[at], b' ' | b'\t') {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Settings;
    use super::*;
    use crate::format::options::FormatOptions;

    fn split(text: &str, dialect: &Dialect) -> Vec<Vec<String>> {
        let mut records = Records::default();
        assert_eq!(records.read(text, dialect, true), None);
        let values = |record: &Record| {
            (0..record.values()).map(|at| records.value(text, record, at).unwrap().text.to_owned()).collect::<Vec<_>>()
        };
        records.records.iter().map(values).collect()
    }

    fn spark() -> Dialect {
        Settings::csv(&mut FormatOptions::default()).unwrap().dialect
    }

    #[test]
    fn quotes_are_read_as_spark_reads_them() {
        // Rows of Spark 4.3.
        let rows = |text: &str| split(text, &spark());
        assert_eq!(rows("4,\"a\"\"b\",1\n"), [["4", "\"a\"\"b\"", "1"]]);
        assert_eq!(rows("5,a\"b,2\n6, x , 3 \n"), [["5", "a\"b", "2"], ["6", " x ", " 3 "]]);
        assert_eq!(rows("1,\"ab,2\n"), [["1", "ab,2"]]);
        assert_eq!(rows("2,\"x\"y,3\n3,\"p,q\",4"), [["2", "\"x\"y", "3"], ["3", "p,q", "4"]]);
        assert_eq!(rows("1,\"a\\\"b\",1\n"), [["1", "a\"b", "1"]]);
        assert_eq!(rows("3,\"a\\\\\",4\n4,\"x\\ny\",5\n"), [["3", "a\\", "4"], ["4", "x\\ny", "5"]]);
        assert_eq!(rows("5,a\\\\b,6\n"), [["5", "a\\\\b", "6"]]);
        assert_eq!(rows("1, \"a,b\" ,2\n"), [["1", " \"a", "b\" ", "2"]]);
        assert_eq!(rows("\n1,\"\",2\r\n  \n\"a\" ,\"b\"\r\n,\n"), [vec!["1", "", "2"], vec!["a", "b"], vec!["", ""]]);
        assert_eq!(rows("\"é,\\\"ü\",\"ö\"\n"), [["é,\"ü", "ö"]]);
    }

    #[test]
    fn doubled_quotes_and_lines_within_quotes() {
        let dialect = Dialect { escape: Some(b'"'), multi_line: true, comment: Some(b'#'), ..spark() };
        let text = "#c\n1,\"a\"\"b\"\n2,\"c\n\nd\",x\n#\"\n3,\"\"\"\"\n\"e\nf\"\n";
        assert_eq!(split(text, &dialect), [vec!["1", "a\"b"], vec!["2", "c\n\nd", "x"], vec!["3", "\""], vec!["e\nf"]]);
        let mut records = Records::default();
        assert_eq!(records.read("1,2\n3,\"x\n", &dialect, false), Some(4));
        assert_eq!(records.records.len(), 1);
        assert_eq!(records.read("1,2\n3,\"x\n", &dialect, true), None);
        assert_eq!((records.records.len(), records.unclosed.as_slice()), (2, &[1][..]));
    }

    #[test]
    fn hive_escapes_work_without_quotes() {
        let mut options =
            FormatOptions::new(&[("field.delim", ","), ("escape.delim", "\\")].map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        let dialect = Settings::hive(&mut options).unwrap().dialect;
        assert_eq!(
            split("1,a\\,b\nnil,x\\\\y\n3,\"q,r\"\n4,a\\nb\n\n", &dialect),
            [vec!["1", "a,b"], vec!["nil", "x\\y"], vec!["3", "\"q", "r\""], vec!["4", "a\nb"], vec![""]]
        );
    }

    #[test]
    fn walking_a_line_gives_what_its_ends_give() {
        let plain = "a,bb,,c\n1,2\n,\nlast,one";
        let dialect = spark();
        let walked: Vec<Vec<String>> = plain.lines().map(|line| split(&format!("{line},\"\"\n"), &dialect).remove(0)).collect();
        let found = split(plain, &dialect);
        for (walked, found) in walked.iter().zip(&found) {
            assert_eq!(walked[..walked.len() - 1], found[..]);
        }
        assert_eq!(walked.len(), found.len());
    }
}
