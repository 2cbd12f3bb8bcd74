//! Strings and bytes: views into decompressed pages, or codes into a dictionary.
//!
//! Problem: deliver strings without copying them. A page keeps `length, bytes, length, bytes ..`,
//! and the first 16 bytes at a length are, but for what follows a short string, exactly its Arrow
//! view; a long one's view is its length, its first four bytes, and where it lies in the page.
//! A window that lies in dictionary-coded pages only stays codes, or a constant if it is one run.
//!
//! ```text
//!   page:  | 5 | h e l l o | 17 | a longer string.. |
//!           └─ view: 5 hello0000000   └─ view: 17 "a lo" page offset
//! ```
//!
//! A dictionary is read when a window of codes needs it. Where fewer rows are wanted than it has values,
//! it is read up to the largest code, and windows hold its views instead of codes.
//!
//! Cost: a load, a mask and a store a string. NULL rows get any view. Pages that are not in dictionary
//! coding are [`ValuePage`]s.

use super::fixed::{check_code, no_dictionary};
use super::hybrid::Hybrid;
use super::page_data::PageData;
use super::spread::spread;
use super::string_pages::{INLINE_BYTES_MAX, ValuePage};
use super::values::{Take, Values};
use crate::column::{Column, DictColumn, Dictionary};
use crate::error::{Error, Result};
use ::parquet::basic::Encoding;
use arrow::array::{ArrayRef, BinaryViewArray, StringViewArray, UInt32Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use std::sync::Arc;

/// Smaller dictionaries are always read whole. Guessed: that takes some microseconds.
const LAZY_VALUES_MIN: usize = 256;

/// Decodes strings (`utf8`) or bytes, of a fixed `length` or with the length before each.
pub(super) struct StringValues {
    utf8: bool,
    length: Option<usize>,
    /// Rows of the chunk.
    rows: usize,
    dictionary: Option<StringDictionary>,
    page: StringPage,
    window: Window,
    codes: Vec<u32>,
    scratch: Vec<u32>,
}

/// A dictionary that is read as far as its values are wanted.
struct StringDictionary {
    page: ValuePage,
    count: usize,
    /// Of the values that were read, the one buffer they need.
    views: ScalarBuffer<u128>,
    buffers: Vec<Buffer>,
    /// All values, once a window of codes has asked for them.
    whole: Option<Arc<Dictionary>>,
}

enum StringPage {
    None,
    Codes(Hybrid),
    Values(ValuePage),
}

/// The rows gathered so far: codes until the first plain page, views from then on.
#[derive(Default)]
struct Window {
    /// The rows are all of this code, and so many; `codes` and `views` are empty then.
    constant: Option<(u32, usize)>,
    codes: Vec<u32>,
    views: Option<Vec<u128>>,
    buffers: Vec<Buffer>,
    dictionary_buffer: Option<u32>,
}

impl StringValues {
    /// For a chunk of `rows` rows.
    pub(super) fn new(utf8: bool, length: Option<usize>, rows: usize) -> Self {
        let (page, window) = (StringPage::None, Window::default());
        Self { utf8, length, rows, dictionary: None, page, window, codes: Vec::new(), scratch: Vec::new() }
    }

    /// Whether a window that starts with `take` of a page of codes is better made of strings.
    fn is_sparse(&self, take: Take<'_>) -> bool {
        let (Take::Some { of, at }, Some(dictionary)) = (take, &self.dictionary) else { return false };
        dictionary.whole.is_none()
            && dictionary.count >= LAZY_VALUES_MIN
            && at.len().saturating_mul(self.rows) < of.saturating_mul(dictionary.count)
    }
}

fn array(utf8: bool, views: ScalarBuffer<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> ArrayRef {
    if utf8 {
        // SAFETY: every view was made by `ValuePage::read`, which has checked that it lies in its
        // buffer and is valid UTF-8, or is zero (an empty string), or sits under a NULL.
        Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers, nulls) })
    } else {
        // SAFETY: as above; bytes need not be UTF-8.
        Arc::new(unsafe { BinaryViewArray::new_unchecked(views, buffers, nulls) })
    }
}

impl StringDictionary {
    /// Reads the first `count` values.
    fn reach(&mut self, count: usize) -> Result<()> {
        let (known, count) = (self.views.len(), count.min(self.count));
        if count > known {
            let mut views: Vec<u128> = std::mem::take(&mut self.views).into();
            let read = self.page.read(Take::Next(count - known), &mut self.buffers, &mut views);
            self.views = views.into();
            read?;
        }
        Ok(())
    }

    /// All values.
    fn whole(&mut self, utf8: bool) -> Result<&Arc<Dictionary>> {
        self.reach(self.count)?;
        let (views, buffers) = (&self.views, &self.buffers);
        Ok(self.whole.get_or_insert_with(|| Arc::new(Dictionary::new(array(utf8, views.clone(), buffers.clone(), None)))))
    }
}

impl Values for StringValues {
    fn dictionary(&mut self, data: PageData, count: usize) -> Result<()> {
        let page = ValuePage::new(Encoding::PLAIN, data, self.length, self.utf8)?;
        let (views, buffers) = (Vec::new().into(), Vec::new());
        self.dictionary = Some(StringDictionary { page, count, views, buffers, whole: None });
        Ok(())
    }

    fn begin(&mut self, encoding: Encoding, data: PageData) -> Result<()> {
        self.page = match encoding {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => StringPage::Codes(Hybrid::with_width_byte(data.all()?)?),
            other => StringPage::Values(ValuePage::new(other, data, self.length, self.utf8)?),
        };
        Ok(())
    }

    fn read(&mut self, rows: usize, take: Take<'_>, valid: Option<&BooleanBuffer>) -> Result<()> {
        let count = take.consumed();
        if matches!(self.page, StringPage::Codes(_)) && self.window.is_empty() && self.is_sparse(take) {
            self.window.views = Some(Vec::with_capacity(rows));
        }
        match &mut self.page {
            StringPage::None => Err(Error::internal("values are read before their page")),
            StringPage::Codes(codes) => {
                let len = match &self.dictionary {
                    Some(dictionary) => dictionary.count,
                    None if count == 0 => 0,
                    None => return Err(no_dictionary()),
                };
                if valid.is_none()
                    && count > 0
                    && self.window.codes.is_empty()
                    && self.window.views.is_none()
                    && let Some(code) = codes.repeated(count)
                {
                    check_code(&[code], code, len)?;
                    self.window.repeat(code, rows);
                    return Ok(());
                }
                self.window.spell_out();
                let out = if self.window.views.is_some() { &mut self.codes } else { &mut self.window.codes };
                if self.window.views.is_some() {
                    out.clear();
                }
                let start = out.len();
                let largest = codes.take(take, out, &mut self.scratch)?;
                check_code(&out[start..], largest, len)?;
                if self.window.views.is_some() {
                    let codes = std::mem::take(&mut self.codes);
                    let from = self.window.append_codes(&codes, self.dictionary.as_mut())?;
                    self.codes = codes;
                    if let (Some(valid), Some(views)) = (valid, &mut self.window.views) {
                        spread(views, from, rows, valid);
                    }
                } else if let Some(valid) = valid {
                    spread(&mut self.window.codes, start, rows, valid);
                }
                Ok(())
            }
            StringPage::Values(page) => {
                self.window.spell_out();
                if self.window.views.is_none() {
                    self.window.codes_to_views(self.dictionary.as_mut())?;
                }
                let Window { views, buffers, .. } = &mut self.window;
                let views = views.get_or_insert_default();
                let start = views.len();
                page.read(take, buffers, views)?;
                if let Some(valid) = valid {
                    spread(views, start, rows, valid);
                }
                Ok(())
            }
        }
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        match &mut self.page {
            StringPage::None => Ok(()),
            StringPage::Values(page) => page.skip(count),
            StringPage::Codes(codes) => codes.skip(count),
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<Column> {
        if let StringPage::Values(page) = &mut self.page {
            page.leave_window();
        }
        let mut window = std::mem::take(&mut self.window);
        let utf8 = self.utf8;
        match (window.views.take(), &mut self.dictionary) {
            (None, Some(dictionary)) => {
                let dictionary = dictionary.whole(utf8)?;
                if let Some((code, rows)) = window.constant {
                    return Ok(Column::Const(dictionary.values().slice(code as usize, 1), rows));
                }
                let codes = UInt32Array::new(window.codes.into(), nulls);
                Ok(Column::Dict(DictColumn::new(codes, dictionary.clone())))
            }
            (Some(views), _) => Ok(Column::Flat(array(utf8, views.into(), window.buffers, nulls))),
            // Only NULLs, in a chunk that has no dictionary.
            (None, None) => Ok(Column::Flat(array(utf8, vec![0; window.codes.len()].into(), Vec::new(), nulls))),
        }
    }
}

impl Window {
    fn is_empty(&self) -> bool {
        self.constant.is_none() && self.codes.is_empty() && self.views.is_none()
    }

    /// Appends `rows` rows of one code to a window that holds no others, or only such runs.
    fn repeat(&mut self, code: u32, rows: usize) {
        match &mut self.constant {
            Some((known, before)) if *known == code => *before += rows,
            None => self.constant = Some((code, rows)),
            Some(_) => {
                self.spell_out();
                self.codes.extend(std::iter::repeat_n(code, rows));
            }
        }
    }

    /// Turns a run into codes.
    fn spell_out(&mut self) {
        if let Some((code, rows)) = self.constant.take() {
            self.codes.extend(std::iter::repeat_n(code, rows));
        }
    }

    fn codes_to_views(&mut self, dictionary: Option<&mut StringDictionary>) -> Result<()> {
        self.views = Some(Vec::with_capacity(self.codes.len()));
        let codes = std::mem::take(&mut self.codes);
        self.append_codes(&codes, dictionary).map(|_| ())
    }

    /// Appends the views of `codes`; returns where they start. Codes under NULLs may be anything.
    fn append_codes(&mut self, codes: &[u32], dictionary: Option<&mut StringDictionary>) -> Result<usize> {
        let views = self.views.get_or_insert_default();
        let start = views.len();
        let Some(dictionary) = dictionary else {
            views.resize(start + codes.len(), 0);
            return Ok(start);
        };
        let largest = codes.iter().fold(0, |largest: u32, code| largest.max(*code));
        dictionary.reach(if codes.is_empty() { 0 } else { largest as usize + 1 })?;
        let values = &dictionary.views;
        let Some(buffer) = dictionary.buffers.first() else {
            views.resize(start + codes.len(), 0);
            return Ok(start);
        };
        let number = *self.dictionary_buffer.get_or_insert_with(|| {
            self.buffers.push(buffer.clone());
            self.buffers.len() as u32 - 1
        });
        // More of the dictionary may have been read since: its first part is the same memory.
        self.buffers[number as usize] = buffer.clone();
        let place = u128::from(number) << 64;
        views.extend(codes.iter().map(|code| {
            let view = values.get(*code as usize).copied().unwrap_or(0);
            if view as u32 as usize <= INLINE_BYTES_MAX { view } else { view | place }
        }));
        Ok(start)
    }
}
