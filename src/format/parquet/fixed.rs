//! Numbers, dates, decimals: values of a fixed width.
//!
//! Problem: bring plain or dictionary-coded values of a page to one Arrow buffer. Plain values are
//! converted in one pass; codes gather from the dictionary after one check that the largest is in
//! range. A window that is one run of a code becomes a constant.
//!
//! ```text
//!   dictionary page             [v0 v1 v2 ..]
//!   codes            2 0 1 2 ──gather──────> v2 v0 v1 v2
//! ```
//!
//! Cost: a load and a store a value, plus unpacking the code. NULL rows are spread afterwards.

use super::delta::DeltaReader;
use super::delta_bytes::PrefixReader;
use super::hybrid::Hybrid;
use super::kind::Kind;
use super::split::SplitReader;
use super::spread::{Plain, spread};
use super::values::{Values, too_short};
use crate::column::Column;
use crate::error::{Error, Result};
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use arrow::array::{ArrayData, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{ArrowNativeType, ArrowPrimitiveType, DataType, Float16Type};

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;
/// Julian day number of 1970-01-01.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;

/// How stored bytes become an Arrow value.
trait Fixed: Copy + Send + 'static {
    type Native: ArrowNativeType + Plain;
    const STORED: Stored;

    /// Bytes a value takes in the file.
    fn width(self) -> usize;

    /// The value of `width()` bytes.
    fn read(self, bytes: &[u8]) -> Self::Native;
}

/// What the file's type is, which decides the encodings it may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
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

/// A decoder of `kind` into arrays of `data_type`, or none for kinds of other widths.
pub(super) fn fixed_values(kind: Kind, data_type: DataType) -> Option<Box<dyn Values>> {
    Some(match kind {
        Kind::Int32 => FixedValues::boxed(Int32, data_type),
        Kind::Int32To8 => FixedValues::boxed(Int32To8, data_type),
        Kind::Int32To16 => FixedValues::boxed(Int32To16, data_type),
        Kind::Int32To64 => FixedValues::boxed(Int32To64, data_type),
        Kind::Int32To128 => FixedValues::boxed(Int32To128, data_type),
        Kind::Unsigned8To16 => FixedValues::boxed(Unsigned8To16, data_type),
        Kind::Unsigned16To32 => FixedValues::boxed(Unsigned16To32, data_type),
        Kind::Unsigned32To64 => FixedValues::boxed(Unsigned32To64, data_type),
        Kind::Int64 => FixedValues::boxed(Int64, data_type),
        Kind::Int64To128 => FixedValues::boxed(Int64To128, data_type),
        Kind::Unsigned64To128 => FixedValues::boxed(Unsigned64To128, data_type),
        Kind::MillisToMicros => FixedValues::boxed(MillisToMicros, data_type),
        Kind::NanosToMicros => FixedValues::boxed(NanosToMicros, data_type),
        Kind::Int96ToMicros => FixedValues::boxed(Int96, data_type),
        Kind::Float32 => FixedValues::boxed(Float32, data_type),
        Kind::Float64 => FixedValues::boxed(Float64, data_type),
        Kind::Float16To32 => FixedValues::boxed(Float16, data_type),
        Kind::FixedTo64(width) => FixedValues::boxed(BigEndian64(width), data_type),
        Kind::FixedTo128(width) => FixedValues::boxed(BigEndian128(width), data_type),
        Kind::Boolean | Kind::Bytes(_) | Kind::DecimalBytes(_) => return None,
    })
}

struct FixedValues<F: Fixed> {
    fixed: F,
    data_type: DataType,
    dictionary: Option<FixedDictionary<F>>,
    page: FixedPage,
    /// The window so far is one value, repeated: its code and the rows.
    constant: Option<(u32, usize)>,
    out: Vec<F::Native>,
    codes: Vec<u32>,
    numbers: Vec<i64>,
    raw: Vec<u8>,
}

/// The values of a dictionary.
enum FixedDictionary<F: Fixed> {
    /// As they are in the page, and their number: numbers are converted as they are gathered.
    Stored(Bytes, usize),
    Converted(Vec<F::Native>),
}

impl<F: Fixed> FixedDictionary<F> {
    fn new(fixed: F, data: &Bytes, count: usize) -> Result<Self> {
        let width = fixed.width();
        let bytes = count.checked_mul(width).filter(|bytes| *bytes <= data.len()).ok_or_else(too_short)?;
        Ok(match F::STORED {
            Stored::Integer | Stored::Float => Self::Stored(data.slice(..bytes), count),
            Stored::Bytes => Self::Converted(data[..bytes].chunks_exact(width).map(|value| fixed.read(value)).collect()),
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Stored(_, count) => *count,
            Self::Converted(values) => values.len(),
        }
    }

    /// Appends the values of `codes`, the largest of which is `largest`.
    fn gather(&self, fixed: F, codes: &[u32], largest: u32, out: &mut Vec<F::Native>) -> Result<()> {
        check_code(codes, largest, self.len())?;
        match self {
            Self::Stored(data, _) => {
                let (data, width) = (&data[..], fixed.width());
                // SAFETY: every code is below the number of values, each of `width` bytes.
                let value = |code: &u32| unsafe { data.get_unchecked(*code as usize * width..(*code as usize + 1) * width) };
                out.extend(codes.iter().map(|code| fixed.read(value(code))));
            }
            // SAFETY: every code is below the number of values.
            Self::Converted(values) => out.extend(codes.iter().map(|code| unsafe { *values.get_unchecked(*code as usize) })),
        }
        Ok(())
    }
}

enum FixedPage {
    Plain { data: Bytes, at: usize },
    Codes(Hybrid),
    Deltas(DeltaReader),
    Prefixes(Box<PrefixReader>),
    Split(SplitReader),
}

impl<F: Fixed> FixedValues<F> {
    fn boxed(fixed: F, data_type: DataType) -> Box<dyn Values> {
        let page = FixedPage::Plain { data: Bytes::new(), at: 0 };
        Box::new(Self {
            fixed,
            data_type,
            dictionary: None,
            page,
            constant: None,
            out: Vec::new(),
            codes: Vec::new(),
            numbers: Vec::new(),
            raw: Vec::new(),
        })
    }
}

impl<F: Fixed> Values for FixedValues<F> {
    fn dictionary(&mut self, data: Bytes, count: usize) -> Result<()> {
        self.dictionary = Some(FixedDictionary::new(self.fixed, &data, count)?);
        Ok(())
    }

    fn begin(&mut self, encoding: Encoding, data: Bytes) -> Result<()> {
        self.page = match encoding {
            Encoding::PLAIN => FixedPage::Plain { data, at: 0 },
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => FixedPage::Codes(Hybrid::with_width_byte(data)?),
            Encoding::DELTA_BINARY_PACKED if F::STORED == Stored::Integer => FixedPage::Deltas(DeltaReader::new(data)?),
            Encoding::DELTA_BYTE_ARRAY if F::STORED == Stored::Bytes => FixedPage::Prefixes(Box::new(PrefixReader::new(data)?)),
            Encoding::BYTE_STREAM_SPLIT => FixedPage::Split(SplitReader::new(data, self.fixed.width())),
            other => return Err(Error::unsupported(format!("a column in {other} encoding"))),
        };
        Ok(())
    }

    fn read(&mut self, rows: usize, valid: Option<&BooleanBuffer>) -> Result<()> {
        let count = valid.map_or(rows, BooleanBuffer::count_set_bits);
        if self.extend_constant(rows, valid.is_some())? {
            return Ok(());
        }
        let start = self.out.len();
        self.out.reserve(rows);
        match &mut self.page {
            FixedPage::Plain { data, at } => {
                let width = self.fixed.width();
                let bytes = count.checked_mul(width).and_then(|bytes| data.get(*at..)?.get(..bytes)).ok_or_else(too_short)?;
                let fixed = self.fixed;
                self.out.extend(bytes.chunks_exact(width).map(|value| fixed.read(value)));
                *at += count * width;
            }
            FixedPage::Codes(codes) if count > 0 => {
                let dictionary = self.dictionary.as_ref().ok_or_else(no_dictionary)?;
                self.codes.resize(count, 0);
                let largest = codes.read(&mut self.codes)?;
                dictionary.gather(self.fixed, &self.codes, largest, &mut self.out)?;
            }
            FixedPage::Codes(_) => {}
            FixedPage::Deltas(deltas) => {
                if count > deltas.left() {
                    return Err(too_short());
                }
                self.numbers.resize(count, 0);
                deltas.read(&mut self.numbers)?;
                let (fixed, width) = (self.fixed, self.fixed.width());
                self.out.extend(self.numbers.iter().map(|number| fixed.read(&number.to_le_bytes()[..width])));
            }
            FixedPage::Prefixes(values) => {
                let (fixed, out) = (self.fixed, &mut self.out);
                values.read(count, |value| {
                    if value.len() != fixed.width() {
                        return Err(Error::data("a value of another length than its type"));
                    }
                    out.push(fixed.read(value));
                    Ok(())
                })?;
            }
            FixedPage::Split(values) => {
                let fixed = self.fixed;
                self.raw.clear();
                values.read(count, &mut self.raw)?;
                self.out.extend(self.raw.chunks_exact(fixed.width()).map(|value| fixed.read(value)));
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
        let constant = self.constant.take();
        if let Some((code, _)) = constant {
            self.gather(&[code])?;
        }
        let values = std::mem::take(&mut self.out);
        let data = ArrayData::builder(self.data_type.clone())
            .len(values.len())
            .add_buffer(Buffer::from_vec(values))
            .nulls(nulls)
            .build()?;
        let array = make_array(data);
        Ok(match constant {
            Some((_, rows)) => Column::Const(array, rows),
            None => Column::Flat(array),
        })
    }
}

impl<F: Fixed> FixedValues<F> {
    /// Whether the next `rows` rows repeat the one value of the window so far, and are now part of it.
    /// Otherwise the window is turned into single values.
    fn extend_constant(&mut self, rows: usize, nulls: bool) -> Result<bool> {
        if let FixedPage::Codes(codes) = &mut self.page
            && !nulls
            && rows > 0
            && self.out.is_empty()
            && let Some(code) = codes.repeated(rows)
        {
            match &mut self.constant {
                Some((known, before)) if *known == code => *before += rows,
                None => self.constant = Some((code, rows)),
                Some(_) => {
                    self.spell_out()?;
                    self.gather(&vec![code; rows])?;
                }
            }
            return Ok(true);
        }
        self.spell_out()?;
        Ok(false)
    }

    fn spell_out(&mut self) -> Result<()> {
        match self.constant.take() {
            Some((code, rows)) => self.gather(&vec![code; rows]),
            None => Ok(()),
        }
    }

    fn gather(&mut self, codes: &[u32]) -> Result<()> {
        let dictionary = self.dictionary.as_ref().ok_or_else(no_dictionary)?;
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
