//! The type of a column from texts in it, in Spark's order: integers, decimals too long for them,
//! doubles, dates, timestamps, booleans, strings.

use super::scalar::{decimal_shape, double, integer};
use super::time::{Zone, date, timestamp};
use arrow::datatypes::{DataType, TimeUnit};

/// Digits of a decimal, at most.
const DIGITS_MAX: usize = 38;

/// The type of points in time.
pub(in crate::format) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The narrowest type that `text` is a value of.
pub(in crate::format) fn type_of(text: &[u8]) -> DataType {
    if let Some(value) = integer(text) {
        return if i32::try_from(value).is_ok() { DataType::Int32 } else { DataType::Int64 };
    }
    if let Some((digits, after)) = decimal_shape(text)
        && after == 0
        && digits <= DIGITS_MAX
        && text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-'))
    {
        return DataType::Decimal128(digits.max(1) as u8, 0);
    }
    if double(text).is_some() {
        DataType::Float64
    } else if text.len() == 10 && text[4] == b'-' && text[7] == b'-' && date(text).is_some() {
        DataType::Date32
    } else if text.len() >= 8 && timestamp(text, Some(Zone::Utc)).is_some() {
        instant()
    } else if super::scalar::boolean(text).is_some() {
        DataType::Boolean
    } else {
        DataType::Utf8View
    }
}

/// The type that holds values of both.
pub(crate) fn common(a: &DataType, b: &DataType) -> DataType {
    use DataType::{Date32, Decimal128, Float64, Int32, Int64, Null, Timestamp, Utf8View};
    match (a, b) {
        _ if a == b => a.clone(),
        (Null, other) | (other, Null) => other.clone(),
        (Int32, Int64) | (Int64, Int32) => Int64,
        (Decimal128(a, 0), Decimal128(b, 0)) => Decimal128(*a.max(b), 0),
        (Decimal128(digits, 0), Int32 | Int64) | (Int32 | Int64, Decimal128(digits, 0)) => Decimal128(*digits.max(&20), 0),
        (Float64, Int32 | Int64 | Decimal128(..)) | (Int32 | Int64 | Decimal128(..), Float64) => Float64,
        (Date32, Timestamp(..)) => b.clone(),
        (Timestamp(..), Date32) => a.clone(),
        _ => Utf8View,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_types_that_spark_gives_them() {
        for (text, data_type) in [
            ("1", DataType::Int32),
            ("22222222222", DataType::Int64),
            ("99999999999999999999", DataType::Decimal128(20, 0)),
            ("2.5", DataType::Float64),
            ("1e5", DataType::Float64),
            (" 1 ", DataType::Float64),
            ("NaN", DataType::Float64),
            ("inf", DataType::Utf8View),
            ("2024-01-02", DataType::Date32),
            ("2024-01-02 03:04", instant()),
            ("2024-01-02T03:04:05Z", instant()),
            ("TRUE", DataType::Boolean),
            ("2024", DataType::Int32),
            ("x", DataType::Utf8View),
        ] {
            assert_eq!(type_of(text.as_bytes()), data_type, "{text}");
        }
        assert_eq!(common(&DataType::Date32, &instant()), instant());
        assert_eq!(common(&DataType::Int32, &DataType::Boolean), DataType::Utf8View);
        assert_eq!(common(&DataType::Null, &DataType::Boolean), DataType::Boolean);
        assert_eq!(common(&DataType::Int32, &DataType::Decimal128(20, 0)), DataType::Decimal128(20, 0));
    }
}
