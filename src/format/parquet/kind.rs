//! Which SQL type a Parquet column has, and how its flat values are decoded.

use crate::error::{Error, Result};
use ::parquet::basic::Type as Physical;
use ::parquet::schema::types::ColumnDescriptor;
use arrow::datatypes::{DataType, TimeUnit};

/// Decimals of at most this many digits are held in 64 bits (see [`crate::column`]).
const NARROW_DIGITS: u8 = 18;
/// Decimals of at most this many digits are held in 128 bits.
const WIDE_DIGITS: u8 = 38;

/// How the values of a flat column are turned into Arrow values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Int32,
    Int32To8,
    Int32To16,
    Int32To64,
    Int32To128,
    Unsigned8To16,
    Unsigned16To32,
    Unsigned32To64,
    Int64,
    Int64To128,
    Unsigned64To128,
    MillisToMicros,
    NanosToMicros,
    Int96ToMicros,
    Float32,
    Float64,
    Float16To32,
    FixedTo64(usize),
    FixedTo128(usize),
    /// Strings or bytes, of a fixed length or with the length before each.
    Bytes(Option<usize>),
    /// Decimals held like `Bytes`, of lengths that vary or are too long for `FixedTo128`.
    DecimalBytes(Option<usize>),
}

/// The SQL type of a column that the crate reads as `arrow`.
pub(super) fn plan_type(arrow: &DataType) -> Result<DataType> {
    Ok(match arrow {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into())),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => DataType::Decimal128(*precision, *scale),
        // The crate goes by the bytes a value takes, we by its digits.
        DataType::Decimal256(precision, scale) if *precision <= WIDE_DIGITS => DataType::Decimal128(*precision, *scale),
        DataType::Decimal256(precision, _) => {
            return Err(Error::unsupported(format!("a decimal of {precision} digits")));
        }
        other => other.clone(),
    })
}

/// How we decode a flat column of this description, or none where the crate has to.
pub(super) fn kind(descriptor: &ColumnDescriptor, arrow: &DataType) -> Option<Kind> {
    if descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
        return None;
    }
    let length = usize::try_from(descriptor.type_length()).ok().filter(|length| *length > 0);
    Some(match (descriptor.physical_type(), arrow) {
        (Physical::BOOLEAN, DataType::Boolean) => Kind::Boolean,
        (Physical::INT32, DataType::Int8) => Kind::Int32To8,
        (Physical::INT32, DataType::Int16) => Kind::Int32To16,
        (Physical::INT32, DataType::Int32 | DataType::Date32 | DataType::Time32(_)) => Kind::Int32,
        (Physical::INT32, DataType::UInt8) => Kind::Unsigned8To16,
        (Physical::INT32, DataType::UInt16) => Kind::Unsigned16To32,
        (Physical::INT32, DataType::UInt32) => Kind::Unsigned32To64,
        (Physical::INT32, DataType::Decimal128(precision, _)) if *precision <= NARROW_DIGITS => Kind::Int32To64,
        (Physical::INT32, DataType::Decimal128(..)) => Kind::Int32To128,
        (Physical::INT64, DataType::Int64 | DataType::Time64(_)) => Kind::Int64,
        (Physical::INT64, DataType::UInt64) => Kind::Unsigned64To128,
        (Physical::INT64, DataType::Timestamp(TimeUnit::Millisecond, _)) => Kind::MillisToMicros,
        (Physical::INT64, DataType::Timestamp(TimeUnit::Microsecond, _)) => Kind::Int64,
        (Physical::INT64, DataType::Timestamp(TimeUnit::Nanosecond, _)) => Kind::NanosToMicros,
        (Physical::INT64, DataType::Decimal128(precision, _)) if *precision <= NARROW_DIGITS => Kind::Int64,
        (Physical::INT64, DataType::Decimal128(..)) => Kind::Int64To128,
        (Physical::INT96, DataType::Timestamp(..)) => Kind::Int96ToMicros,
        (Physical::FLOAT, DataType::Float32) => Kind::Float32,
        (Physical::DOUBLE, DataType::Float64) => Kind::Float64,
        (Physical::BYTE_ARRAY, DataType::Utf8 | DataType::Binary) => Kind::Bytes(None),
        (Physical::FIXED_LEN_BYTE_ARRAY, DataType::FixedSizeBinary(_)) => Kind::Bytes(Some(length?)),
        (Physical::FIXED_LEN_BYTE_ARRAY, DataType::Float16) if length == Some(2) => Kind::Float16To32,
        (Physical::FIXED_LEN_BYTE_ARRAY, DataType::Decimal128(precision, _)) => match length? {
            1..=16 if *precision <= NARROW_DIGITS => Kind::FixedTo64(length?),
            1..=16 => Kind::FixedTo128(length?),
            _ => Kind::DecimalBytes(length),
        },
        (Physical::FIXED_LEN_BYTE_ARRAY, DataType::Decimal256(precision, _)) if *precision <= WIDE_DIGITS => {
            Kind::DecimalBytes(Some(length?))
        }
        (Physical::BYTE_ARRAY, DataType::Decimal128(..)) => Kind::DecimalBytes(None),
        _ => return None,
    })
}
