//! Blocks of whole lines of a byte range.
//!
//! Problem: several workers read one file of lines without knowing where lines begin. A line
//! belongs to the range that its first byte lies in: a reader begins one byte before its range and
//! drops what it finds up to the first terminator, and reads beyond its range to the end of its
//! last line.
//!
//! ```text
//!   aaaaa\nbbb|bbb\ncc\nddd|dd\nee         |: ends of ranges
//!   [   first range ] [  second ] [third]
//! ```
//!
//! Cost: every byte is read once, but for about a line at each cut; a block is copied only where
//! its last line is carried over. Compressed files are one range.

use super::codec::Codec;
use crate::error::{Error, Result};
use crate::format::reader::{DataFile, Split};
use crate::format::retry::with_retries;
use memchr::{memchr, memrchr};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

/// Bytes of a block, about: rows of a chunk or more, and they stay in the second cache. Guessed.
const BLOCK_BYTES: usize = 1 << 20;
/// A record of more bytes is refused.
const RECORD_BYTES_MAX: usize = 1 << 30;
/// Ranges of fewer bytes are not worth a task of their own. Guessed: some milliseconds of work.
const SPLIT_BYTES_MIN: u64 = 1 << 20;

/// Where the bytes of a range come from.
enum Input {
    File { file: File, at: u64 },
    Stream(Box<dyn Read + Send>),
}

/// Reads a range block by block.
pub(in crate::format) struct LineReader {
    file: DataFile,
    input: Input,
    terminator: u8,
    /// The block and what was read behind it; only the first `filled` bytes count.
    buffer: Vec<u8>,
    filled: usize,
    /// The end of the block given out last: what lies behind is carried over.
    cut: usize,
    /// The place in the file of the buffer's first byte.
    offset: u64,
    /// The same of the text given out last.
    text_offset: u64,
    /// A lone carriage return ends a line, too.
    universal: bool,
    /// Lines that start from here on are others'.
    end: u64,
    /// More than the usual is to be read before the next block.
    wanted: usize,
    eof: bool,
    done: bool,
}

/// Pieces of a file of lines from the line on that begins at `start`: one when it is compressed.
pub(in crate::format) fn splits(file: &DataFile, start: u64, bytes_wanted: u64) -> Vec<Split> {
    let end = file.bytes();
    if end <= start {
        return Vec::new();
    }
    if Codec::of(&file.path) != Codec::None {
        return vec![Split { start: 0, end: u64::MAX }];
    }
    let bytes = end - start;
    let parts = (bytes / bytes_wanted.max(SPLIT_BYTES_MIN)).max(1);
    let cut = |part: u64| if part == parts { end } else { start + bytes / parts * part };
    (0..parts).map(|part| Split { start: cut(part), end: cut(part + 1) }).collect()
}

/// Where the line behind the first `lines` begins; the start for compressed files, whose one reader
/// passes over them.
pub(in crate::format) fn start_behind(file: &DataFile, terminator: u8, lines: usize) -> Result<u64> {
    if Codec::of(&file.path) != Codec::None || file.bytes() == 0 {
        return Ok(0);
    }
    let mut reader = LineReader::open(file, Split { start: 0, end: u64::MAX }, terminator, false)?;
    for _ in 0..lines {
        reader.skip_line()?;
    }
    Ok(reader.offset + reader.cut as u64)
}

impl LineReader {
    /// Reads the lines that begin within `split`, each of which ends with `terminator`, with
    /// `universal` a lone carriage return, or the file.
    pub(in crate::format) fn open(file: &DataFile, split: Split, terminator: u8, universal: bool) -> Result<Self> {
        let codec = Codec::of(&file.path);
        let offset = split.start.saturating_sub(1);
        let input = match codec {
            Codec::None => Input::File { file: file.file()?, at: offset },
            codec => Input::Stream(codec.open(file)?),
        };
        let mut reader = Self {
            file: file.clone(),
            input,
            terminator,
            buffer: Vec::new(),
            filled: 0,
            cut: 0,
            offset,
            text_offset: offset,
            universal,
            end: split.end,
            wanted: BLOCK_BYTES,
            eof: false,
            done: false,
        };
        if split.start > 0 {
            reader.skip_line()?;
        } else {
            reader.fill(BLOCK_BYTES)?;
            if reader.buffer[..reader.filled].starts_with(b"\xef\xbb\xbf") {
                reader.cut = 3;
            }
            let start = &reader.buffer[..reader.filled];
            if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
                return Err(Error::unsupported("a text file in UTF-16").in_file(&*file.path));
            }
        }
        Ok(reader)
    }

    /// Passes over the rest of the line that the buffer begins in, or over a whole one.
    pub(in crate::format) fn skip_line(&mut self) -> Result<()> {
        loop {
            if let Some(at) = memchr(self.terminator, &self.buffer[self.cut..self.filled]) {
                self.cut += at + 1;
                break;
            }
            if self.eof {
                self.cut = self.filled;
                break;
            }
            // Nothing of it is kept.
            self.offset += self.filled as u64;
            self.filled = 0;
            self.cut = 0;
            self.fill(BLOCK_BYTES)?;
        }
        self.done |= self.offset + self.cut as u64 >= self.end;
        Ok(())
    }

    /// The next block of whole lines, if there is one. The last line of the file may lack its
    /// terminator. What is not UTF-8 is replaced. `spare` is a text that is done with.
    pub(in crate::format) fn next_text(&mut self, spare: String) -> Result<Option<String>> {
        if !self.next_block()? {
            return Ok(None);
        }
        let mut block = std::mem::replace(&mut self.buffer, spare.into_bytes());
        self.buffer.clear();
        self.buffer.extend_from_slice(&block[self.cut..self.filled]);
        self.filled -= self.cut;
        self.text_offset = self.offset;
        self.offset += self.cut as u64;
        block.truncate(std::mem::take(&mut self.cut));
        if self.universal {
            let mut from = 0;
            while let Some(at) = memchr(b'\r', &block[from..]).map(|at| from + at) {
                from = at + 1;
                if block.get(from) != Some(&b'\n') {
                    block[at] = b'\n';
                }
            }
        }
        let replaced = |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        Ok(Some(String::from_utf8(block).unwrap_or_else(replaced)))
    }

    /// Bytes of memory held, without the text given out.
    pub(in crate::format) fn memory_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether nothing of the file comes behind the text given out last.
    pub(in crate::format) fn at_end(&self) -> bool {
        self.eof && self.filled == 0
    }

    /// Takes back what lies from `at` of the text on: a record that goes on behind it. It comes again
    /// with more behind it.
    pub(in crate::format) fn take_back(&mut self, text: &str, at: usize) -> Result<()> {
        let mut kept = text.as_bytes()[at..].to_vec();
        if kept.len() > RECORD_BYTES_MAX {
            let error = Error::unsupported(format!("a record of more than {RECORD_BYTES_MAX} bytes"));
            return Err(self.locate(error.with_hint("a quoted value may not end"), text, at));
        }
        self.wanted = kept.len() * 2 + BLOCK_BYTES;
        kept.extend_from_slice(&self.buffer[..self.filled]);
        self.filled = kept.len();
        self.buffer = kept;
        self.offset = self.text_offset + at as u64;
        self.done = false;
        Ok(())
    }

    /// Goes to the next block of whole lines: whether there is one.
    fn next_block(&mut self) -> Result<bool> {
        // Carry over what is not given out yet.
        self.buffer.copy_within(self.cut..self.filled, 0);
        self.filled -= self.cut;
        self.offset += self.cut as u64;
        self.cut = 0;
        if self.done || self.offset >= self.end {
            self.done = true;
            return Ok(false);
        }
        let mut wanted = std::mem::replace(&mut self.wanted, BLOCK_BYTES);
        loop {
            if self.filled < wanted && !self.eof {
                self.fill(wanted)?;
            }
            let have = &self.buffer[..self.filled];
            // The line with the last byte of the range is the last one that is ours.
            let last = usize::try_from(self.end - 1 - self.offset).ok().filter(|last| *last < self.filled);
            let cut = match last {
                Some(last) => memchr(self.terminator, &have[last..]).map(|at| last + at + 1),
                // The end of the file ends its last line.
                None if self.eof => Some(self.filled),
                None => memrchr(self.terminator, have).map(|at| at + 1),
            };
            if let Some(cut) = cut.or_else(|| self.eof.then_some(self.filled)) {
                self.cut = cut;
                self.done |= last.is_some() || (self.eof && cut == self.filled);
                return Ok(cut > 0);
            }
            if self.filled >= RECORD_BYTES_MAX {
                let error = Error::unsupported(format!("a line of more than {RECORD_BYTES_MAX} bytes"));
                return Err(error.in_file(&*self.file.path));
            }
            // Beyond the range only the rest of one line is wanted.
            wanted = self.filled + if last.is_some() { BLOCK_BYTES / 16 } else { self.filled.max(BLOCK_BYTES) };
        }
    }

    /// Puts the file and the line that the byte `at` of the text given out last lies in on an error.
    pub(in crate::format) fn locate(&self, error: Error, text: &str, at: usize) -> Error {
        // Replaced bytes have other lengths, lines do not.
        let before = memchr::memchr_iter(self.terminator, &text.as_bytes()[..at.min(text.len())]).count() as u64;
        let place = match self.line_of(self.text_offset) {
            Ok(line) => format!("line {}", line + before),
            Err(_) => format!("byte {}", self.text_offset + at as u64),
        };
        let located = Error::new(error.kind(), format!("{place}: {}", error.message()));
        let located = error.place().column.iter().fold(located, |located, column| located.in_column(column.clone()));
        let located = error.hint().into_iter().fold(located, |located, hint| located.with_hint(hint));
        located.in_file(&*self.file.path)
    }

    /// The number of the line, from 1, that a byte of the file lies in: the file is read again, for
    /// an error only.
    fn line_of(&self, wanted: u64) -> Result<u64> {
        let mut bytes = Codec::of(&self.file.path).open(&self.file)?;
        let mut buffer = vec![0; BLOCK_BYTES];
        let (mut at, mut line) = (0u64, 1u64);
        while at < wanted {
            let more = bytes.read(&mut buffer).map_err(|error| Error::io("read", &self.file.path, error))?;
            let counted = more.min(usize::try_from(wanted - at).unwrap_or(usize::MAX));
            line += memchr::memchr_iter(self.terminator, &buffer[..counted]).count() as u64;
            at += counted as u64;
            if more == 0 {
                break;
            }
        }
        Ok(line)
    }

    /// Reads until there are `wanted` bytes, or the end of the file.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.filled < wanted {
            let room = &mut self.buffer[self.filled..wanted];
            let more = match &mut self.input {
                Input::File { file, at } => with_retries(|| file.read_at(room, *at)).inspect(|more| *at += *more as u64),
                Input::Stream(bytes) => bytes.read(room),
            };
            match more {
                Ok(0) => {
                    self.eof = true;
                    return Ok(());
                }
                Ok(more) => self.filled += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if matches!(self.input, Input::Stream(_)) => {
                    let place = self.offset + self.filled as u64;
                    let error = format!("the compressed bytes are damaged after {place} bytes of text: {error}");
                    return Err(Error::data(error).in_file(&*self.file.path));
                }
                Err(error) => return Err(Error::io("read", &self.file.path, error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &DataFile, split: Split) -> Vec<String> {
        let mut reader = LineReader::open(file, split, b'\n', true).unwrap();
        let mut lines = Vec::new();
        let mut text = String::new();
        while let Some(next) = reader.next_text(std::mem::take(&mut text)).unwrap() {
            lines.extend(next.split_terminator('\n').map(str::to_owned));
            text = next;
        }
        lines
    }

    #[test]
    fn every_line_belongs_to_one_range() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        for text in ["a\nbb\n\nccc\ndddddddd\ne", "a\n", "\n\n", "abc", "abcdef\nghi\n"] {
            std::fs::write(&path, text).unwrap();
            let file = DataFile::open(path.clone()).unwrap();
            let all: Vec<String> = text.split_terminator('\n').map(str::to_owned).collect();
            let end = text.len() as u64;
            for first in 0..=end {
                for second in first..=end {
                    let ranges = [(0, first), (first, second), (second, end)];
                    let ranges = ranges.into_iter().filter(|(start, end)| start < end);
                    let read: Vec<String> = ranges.flat_map(|(start, end)| lines(&file, Split { start, end })).collect();
                    assert_eq!(read, all, "{text:?} at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn long_lines_make_the_block_grow_and_errors_know_their_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let long = "x".repeat(BLOCK_BYTES * 2 + 17);
        std::fs::write(&path, format!("a\n{long}\nb\n{long}")).unwrap();
        let file = DataFile::open(path).unwrap();
        let read = lines(&file, Split { start: 0, end: file.bytes() });
        assert!(read == ["a", &long, "b", &long], "{}", read.len());
        let mut reader = LineReader::open(&file, Split { start: 3, end: file.bytes() }, b'\n', true).unwrap();
        let text = reader.next_text(String::new()).unwrap().unwrap();
        assert!(text.starts_with("b\n"));
        let error = reader.locate(Error::data("odd").in_column("c"), &text, 2);
        assert_eq!(error.message(), "line 4: odd");
        assert_eq!(error.place().column.as_deref(), Some("c"));
        assert!(error.place().file.is_some());
    }

    #[test]
    fn lines_end_in_three_ways_and_odd_bytes_are_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        std::fs::write(&path, b"\xef\xbb\xbfa\rb\r\nc\n\xff\xfe\nd").unwrap();
        let file = DataFile::open(path.clone()).unwrap();
        assert_eq!(lines(&file, Split { start: 0, end: 99 }), ["a", "b\r", "c", "\u{fffd}\u{fffd}", "d"]);
        std::fs::write(&path, b"\xff\xfea\0").unwrap();
        assert!(LineReader::open(&DataFile::open(path).unwrap(), Split { start: 0, end: 4 }, b'\n', true).is_err());
    }

    #[test]
    fn records_that_go_on_are_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let long = "y\n".repeat(BLOCK_BYTES);
        std::fs::write(&path, format!("a\nb{long}c")).unwrap();
        let file = DataFile::open(path).unwrap();
        let mut reader = LineReader::open(&file, Split { start: 0, end: file.bytes() }, b'\n', true).unwrap();
        let mut text = reader.next_text(String::new()).unwrap().unwrap();
        while !reader.at_end() {
            assert!(text.starts_with("a\nb") || text.starts_with("by"));
            let at = text.find('b').unwrap();
            reader.take_back(&text, at).unwrap();
            text = reader.next_text(String::new()).unwrap().unwrap();
        }
        assert!(text.starts_with("by\ny") && text.ends_with("y\nc") && text.len() == long.len() + 2);
    }

    #[test]
    fn ranges_cover_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        std::fs::write(&path, vec![b'\n'; (SPLIT_BYTES_MIN * 5 + 3) as usize]).unwrap();
        let file = DataFile::open(path).unwrap();
        let splits = splits(&file, 0, 1);
        assert_eq!(splits.len(), 5);
        assert_eq!((splits[0].start, splits[4].end), (0, file.bytes()));
        assert!(splits.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
}
