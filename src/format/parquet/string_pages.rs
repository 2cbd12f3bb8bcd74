//! Pages of strings or bytes that are not codes: plain, with all lengths first, with shared prefixes,
//! or of one length and cut into their bytes.
//!
//! The first two hold strings whole, and views point into the page; the others are put together in a
//! buffer of the window. A plain page is decompressed as far as the strings that are wanted, some
//! thousand bytes at a time. UTF-8 is checked by one pass over each such part that sees whether it is
//! all ASCII, or string by string where not.

use super::delta::DeltaReader;
use super::delta_bytes::PrefixReader;
use super::page_data::PageData;
use super::split::SplitReader;
use super::values::{Take, Wanted, too_short};
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use arrow::buffer::Buffer;

/// Strings of at most this many bytes lie in their view.
pub(super) const INLINE_BYTES_MAX: usize = 12;

/// Strings of a window that a page puts together: views place them with 32 bits.
const BUILT_BYTES_MAX: usize = i32::MAX as usize;

/// The values of a page, in order.
pub(super) struct ValuePage {
    layout: Layout,
    length: Option<usize>,
    /// Whether strings have to be checked one by one.
    check: bool,
}

enum Layout {
    Plain(Whole),
    Lengths(Whole, DeltaReader),
    Prefixes(Box<PrefixReader>),
    Split(SplitReader),
}

/// Strings that lie whole in the page.
struct Whole {
    /// What is there of the page, and what gives more of it.
    data: Bytes,
    page: PageData,
    at: usize,
    /// Strings must be UTF-8; and something in `data` is not ASCII.
    utf8: bool,
    check: bool,
    /// The number of this page among the window's buffers, and how much of it that one has.
    buffer: Option<(u32, usize)>,
}

impl ValuePage {
    /// Over the values of a page, all of `length` if that is known.
    pub(super) fn new(encoding: Encoding, data: PageData, length: Option<usize>, utf8: bool) -> Result<Self> {
        let layout = match (encoding, length) {
            (Encoding::PLAIN, _) => Layout::Plain(Whole::new(data, utf8)),
            (Encoding::DELTA_LENGTH_BYTE_ARRAY, None) => {
                let lengths = DeltaReader::new(data.all()?)?;
                Layout::Lengths(Whole::new(lengths.rest()?.into(), utf8), lengths)
            }
            (Encoding::DELTA_BYTE_ARRAY, _) => Layout::Prefixes(Box::new(PrefixReader::new(data.all()?)?)),
            (Encoding::BYTE_STREAM_SPLIT, Some(length)) => Layout::Split(SplitReader::new(data.all()?, length)),
            (other, _) => return Err(Error::unsupported(format!("strings in {other} encoding"))),
        };
        Ok(Self { layout, length, check: utf8 })
    }

    /// Appends the views of the wanted ones of the next strings, and the buffers they need.
    pub(super) fn read(&mut self, take: Take<'_>, buffers: &mut Vec<Buffer>, views: &mut Vec<u128>) -> Result<()> {
        let (check, length, count) = (self.check, self.length, take.consumed());
        match &mut self.layout {
            Layout::Plain(page) => {
                let buffer = page.enter_window(buffers);
                views.reserve(take.wanted().min(page.page.len() + 1));
                match take {
                    Take::Next(count) => {
                        for _ in 0..count {
                            page.push_next(length, buffer, views)?;
                        }
                    }
                    Take::Some { of, at } => {
                        let mut next = 0;
                        for place in at {
                            page.pass(*place as usize - next, length)?;
                            page.push_next(length, buffer, views)?;
                            next = *place as usize + 1;
                        }
                        page.pass(of - next, length)?;
                    }
                }
                page.lengthen(buffers);
            }
            Layout::Lengths(page, lengths) => {
                let buffer = page.enter_window(buffers);
                if count > lengths.left() {
                    return Err(too_short());
                }
                let mut sizes = vec![0; count];
                lengths.read(&mut sizes)?;
                let mut wanted = Wanted::new(take);
                views.reserve(take.wanted());
                let check = page.check;
                for size in sizes {
                    let end = usize::try_from(size).ok().and_then(|size| page.at.checked_add(size)).ok_or_else(too_short)?;
                    let value = page.data.get(page.at..end).ok_or_else(too_short)?;
                    if wanted.next() {
                        check_utf8(check, value)?;
                        views.push(view(head(value, &page.data[page.at..]), page.at, value.len(), buffer));
                    }
                    page.at = end;
                }
            }
            Layout::Prefixes(page) => {
                let (mut built, buffer) = (Vec::new(), buffers.len() as u32);
                let mut wanted = Wanted::new(take);
                page.read(count, |value| {
                    if !wanted.next() {
                        return Ok(());
                    }
                    if length.is_some_and(|length| length != value.len()) {
                        return Err(Error::data("a value of another length than its type"));
                    }
                    check_utf8(check, value)?;
                    views.push(view(head(value, value), built.len(), value.len(), buffer));
                    if value.len() > INLINE_BYTES_MAX {
                        if built.len() + value.len() > BUILT_BYTES_MAX {
                            return Err(Error::unsupported("strings of more than 2 GiB in a few thousand rows"));
                        }
                        built.extend_from_slice(value);
                    }
                    Ok(())
                })?;
                buffers.push(Buffer::from_vec(built));
            }
            Layout::Split(page) => {
                let (mut built, buffer) = (Vec::new(), buffers.len() as u32);
                page.read(count, &mut built)?;
                let length = length.unwrap_or(1);
                let mut wanted = Wanted::new(take);
                for (index, value) in built.chunks_exact(length).enumerate() {
                    if wanted.next() {
                        check_utf8(check, value)?;
                        views.push(view(head(value, value), index * length, length, buffer));
                    }
                }
                buffers.push(Buffer::from_vec(built));
            }
        }
        Ok(())
    }

    /// Leaves out the next `count` strings.
    pub(super) fn skip(&mut self, count: usize) -> Result<()> {
        match (&mut self.layout, self.length) {
            (Layout::Plain(page), length) => page.pass(count, length)?,
            (Layout::Lengths(page, lengths), _) => {
                let mut sizes = [0; 512];
                let mut left = count;
                while left > 0 {
                    let batch = left.min(sizes.len());
                    lengths.read(&mut sizes[..batch])?;
                    for size in &sizes[..batch] {
                        page.at = page.at.saturating_add(usize::try_from(*size).map_err(|_| too_short())?);
                    }
                    left -= batch;
                }
            }
            (Layout::Prefixes(page), _) => page.skip(count)?,
            (Layout::Split(page), _) => page.skip(count),
        }
        Ok(())
    }

    /// The next window has other buffers.
    pub(super) fn leave_window(&mut self) {
        if let Layout::Plain(page) | Layout::Lengths(page, _) = &mut self.layout {
            page.buffer = None;
        }
    }
}

impl Whole {
    fn new(page: PageData, utf8: bool) -> Self {
        let data = page.ready().clone();
        let check = utf8 && !data.is_ascii();
        Self { data, page, at: 0, utf8, check, buffer: None }
    }

    /// This page's number among the window's buffers.
    fn enter_window(&mut self, buffers: &mut Vec<Buffer>) -> u32 {
        let (number, _) = *self.buffer.get_or_insert_with(|| {
            buffers.push(Buffer::from(self.data.clone()));
            (buffers.len() as u32 - 1, self.data.len())
        });
        number
    }

    /// Gives the window the part of the page that came since.
    fn lengthen(&mut self, buffers: &mut [Buffer]) {
        if let Some((number, known)) = &mut self.buffer
            && *known < self.data.len()
            && let Some(buffer) = buffers.get_mut(*number as usize)
        {
            *buffer = Buffer::from(self.data.clone());
            *known = self.data.len();
        }
    }

    /// Whether there is more of the page than before.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> Result<bool> {
        let before = self.data.len();
        // The next string may start further on.
        self.data = self.page.reach(self.at.max(before).saturating_add(1))?.clone();
        self.check = self.check || self.utf8 && !self.data[before..].is_ascii();
        Ok(self.data.len() > before)
    }

    /// Appends the view of the next string.
    #[inline(always)]
    fn push_next(&mut self, length: Option<usize>, buffer: u32, views: &mut Vec<u128>) -> Result<()> {
        let (start, end, head) = loop {
            match self.next(length) {
                Some(found) => break found,
                None if self.grow()? => {}
                None => return Err(too_short()),
            }
        };
        check_utf8(self.check, &self.data[start..end])?;
        views.push(view(head, start, end - start, buffer));
        self.at = end;
        Ok(())
    }

    /// Passes over the next `count` strings.
    #[inline(always)]
    fn pass(&mut self, count: usize, length: Option<usize>) -> Result<()> {
        match length {
            Some(length) => self.at = count.saturating_mul(length).saturating_add(self.at),
            None => {
                for _ in 0..count {
                    let length = loop {
                        match self.data.get(self.at..).and_then(<[u8]>::first_chunk::<4>).copied() {
                            Some(length) => break length,
                            None if self.grow()? => {}
                            None => return Err(too_short()),
                        }
                    };
                    self.at = self.at.saturating_add(4 + u32::from_le_bytes(length) as usize);
                }
            }
        }
        Ok(())
    }

    /// Start and end of the next string, and the first 16 bytes at its length; none when it is not
    /// there.
    #[inline(always)]
    fn next(&self, length: Option<usize>) -> Option<(usize, usize, u128)> {
        let rest = self.data.get(self.at..)?;
        let (start, len, head) = match length {
            Some(len) => (self.at, len, head(rest.get(..len)?, rest)),
            None => {
                let head = match rest.first_chunk::<16>() {
                    Some(head) => u128::from_le_bytes(*head),
                    None if rest.len() >= 4 => {
                        let mut head = [0u8; 16];
                        head[..rest.len()].copy_from_slice(rest);
                        u128::from_le_bytes(head)
                    }
                    None => return None,
                };
                (self.at + 4, head as u32 as usize, head)
            }
        };
        let end = start.checked_add(len).filter(|end| *end <= self.data.len())?;
        Some((start, end, head))
    }
}

/// The length of `value` and its first 12 bytes, or what follows it in `rest`, which starts with it.
#[inline(always)]
fn head(value: &[u8], rest: &[u8]) -> u128 {
    let mut head = [0u8; 16];
    head[..4].copy_from_slice(&(value.len() as u32).to_le_bytes());
    match rest.first_chunk::<INLINE_BYTES_MAX>() {
        Some(known) => head[4..].copy_from_slice(known),
        None => head[4..4 + rest.len()].copy_from_slice(rest),
    }
    u128::from_le_bytes(head)
}

/// The view of a string of `len` bytes at `start` of a buffer. Pages are at most 2 GiB, so `start` fits.
#[inline(always)]
fn view(head: u128, start: usize, len: usize, buffer: u32) -> u128 {
    if len <= INLINE_BYTES_MAX {
        head & (u128::MAX >> (8 * (INLINE_BYTES_MAX - len)))
    } else {
        (head & u128::from(u64::MAX)) | u128::from(buffer) << 64 | (start as u128) << 96
    }
}

#[inline(always)]
fn check_utf8(check: bool, value: &[u8]) -> Result<()> {
    if check && std::str::from_utf8(value).is_err() {
        return Err(Error::data("a string is not valid UTF-8"));
    }
    Ok(())
}
