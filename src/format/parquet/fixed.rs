//! Numbers, dates, decimals: values of a fixed width.
//!
//! Problem: bring plain or dictionary-coded values of a page to one Arrow buffer. Plain values are
//! converted in one pass; codes gather from the dictionary after one check that the largest is in
//! range. A window that is one run of a code becomes a constant, and one that is wanted for tests only
//! stays codes.
//!
//! ```text
//!   dictionary page             [v0 v1 v2 ..]
//!   codes            2 0 1 2 ──gather──────> v2 v0 v1 v2
//! ```
//!
//! Cost: a load and a store a value, plus unpacking the code. NULL rows are spread afterwards.

use super::delta::DeltaReader;
use super::delta_bytes::PrefixReader;
use super::fixed_dictionary::FixedDictionary;
use super::hybrid::Hybrid;
use super::kind::Kind;
use super::page_data::PageData;
use super::split::SplitReader;
use super::spread::{Plain, spread};
use super::values::{Take, Values, Wanted, too_short};
use crate::column::{Column, DictColumn, Dictionary};
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use arrow::array::{ArrayData, ArrayRef, UInt32Array, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{ArrowNativeType, ArrowPrimitiveType, DataType, Float16Type};
use std::sync::Arc;

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;
/// Julian day number of 1970-01-01.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;

/// How stored bytes become an Arrow value.
pub(super) trait Fixed: Copy + Send + 'static {
    type Native: ArrowNativeType + Plain;
    const STORED: Stored;

    /// Bytes a value takes in the file.
    fn width(self) -> usize;

    /// The value of `width()` bytes.
    fn read(self, bytes: &[u8]) -> Self::Native;
}

/// What the file's type is, which decides the encodings it may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Integer,
    Float,
    Bytes,
}

macro_rules! fixed {
    ($name:ident: $stored:ident $raw:ty => $native:ty, |$value:ident| $convert:expr) => {
        #[derive(Clone, Copy)]
        struct $name;
        impl Fixed for $name {
            type Native = $native;
            const STORED: Stored = Stored::$stored;
            #[inline(always)]
            fn width(self) -> usize {
                size_of::<$raw>()
            }
            #[inline(always)]
            fn read(self, bytes: &[u8]) -> $native {
                let mut raw = [0u8; size_of::<$raw>()];
                raw.copy_from_slice(bytes);
                let $value = <$raw>::from_le_bytes(raw);
                $convert
            }
        }
    };
}

fixed!(Int32: Integer i32 => i32, |value| value);
fixed!(Int32To8: Integer i32 => i8, |value| value as i8);
fixed!(Int32To16: Integer i32 => i16, |value| value as i16);
fixed!(Int32To64: Integer i32 => i64, |value| i64::from(value));
fixed!(Int32To128: Integer i32 => i128, |value| i128::from(value));
fixed!(Unsigned8To16: Integer i32 => i16, |value| i16::from(value as u8));
fixed!(Unsigned16To32: Integer i32 => i32, |value| i32::from(value as u16));
fixed!(Unsigned32To64: Integer u32 => i64, |value| i64::from(value));
fixed!(Int64: Integer i64 => i64, |value| value);
fixed!(Int64To128: Integer i64 => i128, |value| i128::from(value));
fixed!(Unsigned64To128: Integer u64 => i128, |value| i128::from(value));
fixed!(MillisToMicros: Integer i64 => i64, |value| value.saturating_mul(1000));
fixed!(NanosToMicros: Integer i64 => i64, |value| value.div_euclid(1000));
fixed!(Float32: Float f32 => f32, |value| value);
fixed!(Float64: Float f64 => f64, |value| value);

#[derive(Clone, Copy)]
struct Float16;

impl Fixed for Float16 {
    type Native = f32;
    const STORED: Stored = Stored::Bytes;

    fn width(self) -> usize {
        2
    }

    fn read(self, bytes: &[u8]) -> f32 {
        <Float16Type as ArrowPrimitiveType>::Native::from_le_bytes([bytes[0], bytes[1]]).to_f32()
    }
}

/// Nanoseconds of the day and the Julian day, as Impala and old Spark write timestamps.
#[derive(Clone, Copy)]
struct Int96;

impl Fixed for Int96 {
    type Native = i64;
    const STORED: Stored = Stored::Bytes;

    fn width(self) -> usize {
        12
    }

    fn read(self, bytes: &[u8]) -> i64 {
        let (mut nanos, mut day) = ([0; 8], [0; 4]);
        nanos.copy_from_slice(&bytes[..8]);
        day.copy_from_slice(&bytes[8..12]);
        let day = i64::from(i32::from_le_bytes(day)) - EPOCH_JULIAN_DAY;
        day.wrapping_mul(DAY_MICROS).wrapping_add(i64::from_le_bytes(nanos).div_euclid(1000))
    }
}

/// Big-endian two's complement of any width: decimals.
#[derive(Clone, Copy)]
struct BigEndian64(usize);

impl Fixed for BigEndian64 {
    type Native = i64;
    const STORED: Stored = Stored::Bytes;

    fn width(self) -> usize {
        self.0
    }

    #[inline(always)]
    fn read(self, bytes: &[u8]) -> i64 {
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        // Of more than 8 bytes, which up to 18 digits do not need, the first fall out.
        bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte))
    }
}

#[derive(Clone, Copy)]
struct BigEndian128(usize);

impl Fixed for BigEndian128 {
    type Native = i128;
    const STORED: Stored = Stored::Bytes;

    fn width(self) -> usize {
        self.0
    }

    #[inline(always)]
    fn read(self, bytes: &[u8]) -> i128 {
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        bytes.iter().fold(sign, |value, byte| value << 8 | i128::from(*byte))
    }
}

/// A decoder of `kind` into arrays of `data_type`, of a chunk of `rows` rows, or none for kinds of other
/// widths.
pub(super) fn fixed_values(kind: Kind, data_type: DataType, rows: usize) -> Option<Box<dyn Values>> {
    Some(match kind {
        Kind::Int32 => FixedValues::boxed(Int32, data_type, rows),
        Kind::Int32To8 => FixedValues::boxed(Int32To8, data_type, rows),
        Kind::Int32To16 => FixedValues::boxed(Int32To16, data_type, rows),
        Kind::Int32To64 => FixedValues::boxed(Int32To64, data_type, rows),
        Kind::Int32To128 => FixedValues::boxed(Int32To128, data_type, rows),
        Kind::Unsigned8To16 => FixedValues::boxed(Unsigned8To16, data_type, rows),
        Kind::Unsigned16To32 => FixedValues::boxed(Unsigned16To32, data_type, rows),
        Kind::Unsigned32To64 => FixedValues::boxed(Unsigned32To64, data_type, rows),
        Kind::Int64 => FixedValues::boxed(Int64, data_type, rows),
        Kind::Int64To128 => FixedValues::boxed(Int64To128, data_type, rows),
        Kind::Unsigned64To128 => FixedValues::boxed(Unsigned64To128, data_type, rows),
        Kind::MillisToMicros => FixedValues::boxed(MillisToMicros, data_type, rows),
        Kind::NanosToMicros => FixedValues::boxed(NanosToMicros, data_type, rows),
        Kind::Int96ToMicros => FixedValues::boxed(Int96, data_type, rows),
        Kind::Float32 => FixedValues::boxed(Float32, data_type, rows),
        Kind::Float64 => FixedValues::boxed(Float64, data_type, rows),
        Kind::Float16To32 => FixedValues::boxed(Float16, data_type, rows),
        Kind::FixedTo64(width) => FixedValues::boxed(BigEndian64(width), data_type, rows),
        Kind::FixedTo128(width) => FixedValues::boxed(BigEndian128(width), data_type, rows),
        Kind::Boolean | Kind::Bytes(_) | Kind::DecimalBytes(_) => return None,
    })
}

struct FixedValues<F: Fixed> {
    fixed: F,
    data_type: DataType,
    dictionary: Option<FixedDictionary<F>>,
    /// The dictionary for windows of codes, once there is one.
    shared: Option<Arc<Dictionary>>,
    /// Windows stay codes where the dictionary has at most so many values.
    keep_max: usize,
    /// Rows of the chunk.
    rows: usize,
    page: FixedPage,
    /// The window so far is one value, repeated: its code and the rows.
    constant: Option<(u32, usize)>,
    /// Or it is codes; or values.
    kept: Vec<u32>,
    out: Vec<F::Native>,
    codes: Vec<u32>,
    scratch: Vec<u32>,
    numbers: Vec<i64>,
    raw: Vec<u8>,
}

enum FixedPage {
    Plain { data: PageData, at: usize },
    Codes(Hybrid),
    Deltas(DeltaReader),
    Prefixes(Box<PrefixReader>),
    Split(SplitReader),
}

impl<F: Fixed> FixedValues<F> {
    fn boxed(fixed: F, data_type: DataType, rows: usize) -> Box<dyn Values> {
        let page = FixedPage::Plain { data: Bytes::new().into(), at: 0 };
        Box::new(Self {
            fixed,
            data_type,
            dictionary: None,
            shared: None,
            keep_max: 0,
            rows,
            page,
            constant: None,
            kept: Vec::new(),
            out: Vec::new(),
            codes: Vec::new(),
            scratch: Vec::new(),
            numbers: Vec::new(),
            raw: Vec::new(),
        })
    }
}

impl<F: Fixed> Values for FixedValues<F> {
    fn dictionary(&mut self, data: PageData, count: usize) -> Result<()> {
        self.dictionary = Some(FixedDictionary::new(self.fixed, data, count)?);
        self.shared = None;
        Ok(())
    }

    fn begin(&mut self, encoding: Encoding, data: PageData) -> Result<()> {
        if encoding == Encoding::PLAIN {
            self.page = FixedPage::Plain { data, at: 0 };
            return Ok(());
        }
        let data = data.all()?;
        self.page = match encoding {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => FixedPage::Codes(Hybrid::with_width_byte(data)?),
            Encoding::DELTA_BINARY_PACKED if F::STORED == Stored::Integer => FixedPage::Deltas(DeltaReader::new(data)?),
            Encoding::DELTA_BYTE_ARRAY if F::STORED == Stored::Bytes => FixedPage::Prefixes(Box::new(PrefixReader::new(data)?)),
            Encoding::BYTE_STREAM_SPLIT => FixedPage::Split(SplitReader::new(data, self.fixed.width())),
            other => return Err(Error::unsupported(format!("a column in {other} encoding"))),
        };
        Ok(())
    }

    fn keep_codes(&mut self, dictionary_max: usize) {
        self.keep_max = dictionary_max;
    }

    fn read(&mut self, rows: usize, take: Take<'_>, valid: Option<&BooleanBuffer>) -> Result<()> {
        if self.extend_constant(rows, take, valid.is_some())? || self.extend_codes(rows, take, valid)? {
            return Ok(());
        }
        self.decode_kept()?;
        let start = self.out.len();
        self.out.reserve(rows);
        let (fixed, width, out) = (self.fixed, self.fixed.width(), &mut self.out);
        match &mut self.page {
            FixedPage::Plain { data, at } => {
                let end = take.consumed().checked_mul(width).and_then(|bytes| at.checked_add(bytes)).ok_or_else(too_short)?;
                let bytes = data.reach(end)?.get(*at..end).ok_or_else(too_short)?;
                *at += bytes.len();
                convert(fixed, bytes, take, out);
            }
            FixedPage::Codes(codes) if take.consumed() > 0 => {
                let dictionary = self.dictionary.as_mut().ok_or_else(no_dictionary)?;
                self.codes.clear();
                let largest = codes.take(take, &mut self.codes, &mut self.scratch)?;
                dictionary.gather(fixed, &self.codes, largest, out)?;
            }
            FixedPage::Codes(_) => {}
            FixedPage::Deltas(deltas) => {
                if take.consumed() > deltas.left() {
                    return Err(too_short());
                }
                let numbers = &mut self.numbers;
                numbers.resize(take.consumed(), 0);
                deltas.read(numbers)?;
                take.each(|at| out.push(fixed.read(&numbers[at].to_le_bytes()[..width])));
            }
            FixedPage::Prefixes(values) => {
                let mut wanted = Wanted::new(take);
                values.read(take.consumed(), |value| {
                    if wanted.next() {
                        if value.len() != width {
                            return Err(Error::data("a value of another length than its type"));
                        }
                        out.push(fixed.read(value));
                    }
                    Ok(())
                })?;
            }
            FixedPage::Split(values) => {
                self.raw.clear();
                values.read(take.consumed(), &mut self.raw)?;
                convert(fixed, &self.raw, take, out);
            }
        }
        if let Some(valid) = valid {
            spread(&mut self.out, start, rows, valid);
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        match &mut self.page {
            FixedPage::Plain { at, .. } => *at = count.saturating_mul(self.fixed.width()).saturating_add(*at),
            FixedPage::Codes(codes) => codes.skip(count)?,
            FixedPage::Deltas(deltas) => deltas.skip(count)?,
            FixedPage::Prefixes(values) => values.skip(count)?,
            FixedPage::Split(values) => values.skip(count),
        }
        Ok(())
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<Column> {
        if let Some((code, rows)) = self.constant.take() {
            self.gather(&[code])?;
            let value = std::mem::take(&mut self.out);
            return Ok(Column::Const(self.array(value, None)?, rows));
        }
        if !self.kept.is_empty() {
            let dictionary = match &self.shared {
                Some(shared) => shared.clone(),
                None => {
                    let codes: Vec<u32> = (0..self.dictionary_len() as u32).collect();
                    self.gather(&codes)?;
                    let values = std::mem::take(&mut self.out);
                    self.shared.insert(Arc::new(Dictionary::new(self.array(values, None)?))).clone()
                }
            };
            let codes = UInt32Array::new(std::mem::take(&mut self.kept).into(), nulls);
            return Ok(Column::Dict(DictColumn::new(codes, dictionary)));
        }
        let values = std::mem::take(&mut self.out);
        Ok(Column::Flat(self.array(values, nulls)?))
    }
}

/// Appends the wanted ones of the values in `bytes`.
fn convert<F: Fixed>(fixed: F, bytes: &[u8], take: Take<'_>, out: &mut Vec<F::Native>) {
    let width = fixed.width();
    match take {
        Take::Next(_) => out.extend(bytes.chunks_exact(width).map(|value| fixed.read(value))),
        Take::Some { at, .. } => out.extend(at.iter().map(|at| fixed.read(&bytes[*at as usize * width..][..width]))),
    }
}

impl<F: Fixed> FixedValues<F> {
    fn array(&self, values: Vec<F::Native>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let data = ArrayData::builder(self.data_type.clone()).len(values.len()).add_buffer(Buffer::from_vec(values));
        Ok(make_array(data.nulls(nulls).build()?))
    }

    fn dictionary_len(&self) -> usize {
        self.dictionary.as_ref().map_or(0, FixedDictionary::len)
    }

    /// Whether the values that are read repeat the one value of the window so far, and are now part of
    /// it. Otherwise the window is turned into single values or codes.
    fn extend_constant(&mut self, rows: usize, take: Take<'_>, nulls: bool) -> Result<bool> {
        if let FixedPage::Codes(codes) = &mut self.page
            && !nulls
            && rows > 0
            && self.out.is_empty()
            && self.kept.is_empty()
            && let Some(code) = codes.repeated(take.consumed())
        {
            match &mut self.constant {
                Some((known, before)) if *known == code => *before += rows,
                None => self.constant = Some((code, rows)),
                Some(_) => {
                    self.spell_out()?;
                    self.append_run(code, rows)?;
                }
            }
            return Ok(true);
        }
        self.spell_out()?;
        Ok(false)
    }

    /// Whether the window stays one of codes, and the wanted ones are now part of it.
    fn extend_codes(&mut self, rows: usize, take: Take<'_>, valid: Option<&BooleanBuffer>) -> Result<bool> {
        let len = self.dictionary_len();
        let FixedPage::Codes(codes) = &mut self.page else { return Ok(false) };
        if len == 0 || len > self.keep_max || !self.out.is_empty() {
            return Ok(false);
        }
        // Fewer rows are wanted than there are values to be tested once a dictionary.
        if let Take::Some { of, at } = take
            && self.kept.is_empty()
            && self.shared.is_none()
            && at.len().saturating_mul(self.rows) < of.saturating_mul(len)
        {
            return Ok(false);
        }
        let start = self.kept.len();
        let largest = codes.take(take, &mut self.kept, &mut self.scratch)?;
        check_code(&self.kept[start..], largest, len)?;
        if let Some(valid) = valid {
            spread(&mut self.kept, start, rows, valid);
        }
        Ok(true)
    }

    fn spell_out(&mut self) -> Result<()> {
        match self.constant.take() {
            Some((code, rows)) => self.append_run(code, rows),
            None => Ok(()),
        }
    }

    fn append_run(&mut self, code: u32, rows: usize) -> Result<()> {
        if self.dictionary_len() <= self.keep_max && self.out.is_empty() {
            check_code(&[code], code, self.dictionary_len())?;
            self.kept.extend(std::iter::repeat_n(code, rows));
            return Ok(());
        }
        self.gather(&vec![code; rows])
    }

    /// Turns a window of codes into values: a page of another encoding is part of it.
    fn decode_kept(&mut self) -> Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        // Codes of NULL rows were moved there from other rows or are 0, and the dictionary is not empty.
        let codes = std::mem::take(&mut self.kept);
        self.gather(&codes)
    }

    fn gather(&mut self, codes: &[u32]) -> Result<()> {
        let dictionary = self.dictionary.as_mut().ok_or_else(no_dictionary)?;
        let largest = codes.iter().fold(0, |largest: u32, code| largest.max(*code));
        dictionary.gather(self.fixed, codes, largest, &mut self.out)
    }
}

/// The error of codes without a dictionary page.
pub(super) fn no_dictionary() -> Error {
    Error::data("the dictionary page is missing")
}

/// An error unless the `largest` of `codes` is below `len`.
pub(super) fn check_code(codes: &[u32], largest: u32, len: usize) -> Result<()> {
    if largest as usize >= len && !codes.is_empty() {
        return Err(Error::data(format!("code {largest} lies outside of a dictionary of {len} values")));
    }
    Ok(())
}
