//! Decimals held as bytes of any length, as some Hive and Impala versions write them.
//!
//! They are read as bytes, in whichever encoding, and converted a window at a time. They are rare, so
//! a dictionary is converted row by row like everything else.

use super::page_data::PageData;
use super::strings::StringValues;
use super::values::{Take, Values};
use crate::column::Column;
use crate::error::{Error, Result};
use ::parquet::basic::Encoding;
use arrow::array::{Array, ArrayRef, AsArray, Decimal64Array, Decimal128Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// Decodes big-endian two's complement numbers into decimals.
pub(super) struct DecimalValues {
    bytes: StringValues,
    data_type: DataType,
}

impl DecimalValues {
    /// For numbers of `length` bytes, or with the length before each, of a chunk of `rows` rows, into
    /// arrays of `data_type`.
    pub(super) fn new(length: Option<usize>, rows: usize, data_type: DataType) -> Self {
        Self { bytes: StringValues::new(false, length, rows), data_type }
    }
}

impl Values for DecimalValues {
    fn dictionary(&mut self, data: PageData, count: usize) -> Result<()> {
        self.bytes.dictionary(data, count)
    }

    fn begin(&mut self, encoding: Encoding, data: PageData) -> Result<()> {
        self.bytes.begin(encoding, data)
    }

    fn read(&mut self, rows: usize, take: Take<'_>, valid: Option<&BooleanBuffer>) -> Result<()> {
        self.bytes.read(rows, take, valid)
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.bytes.skip(count)
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<Column> {
        let values = self.bytes.finish(nulls)?.flat()?;
        let values = values.as_binary_view();
        let array: ArrayRef = if matches!(self.data_type, DataType::Decimal64(..)) {
            let narrow = |value| i64::try_from(number(value)?).map_err(|_| too_large());
            let numbers = values.iter().map(|value| value.map(narrow).transpose()).collect::<Result<Decimal64Array>>()?;
            Arc::new(numbers.with_data_type(self.data_type.clone()))
        } else {
            let numbers = values.iter().map(|value| value.map(number).transpose()).collect::<Result<Decimal128Array>>()?;
            Arc::new(numbers.with_data_type(self.data_type.clone()))
        };
        debug_assert_eq!(array.len(), values.len());
        Ok(Column::Flat(array))
    }
}

fn too_large() -> Error {
    Error::data("a decimal is larger than its type allows")
}

/// The number that big-endian bytes stand for.
fn number(bytes: &[u8]) -> Result<i128> {
    let sign = match bytes.first() {
        Some(first) if first & 0x80 != 0 => -1,
        Some(_) => 0,
        None => return Err(Error::data("a decimal without bytes")),
    };
    let (head, tail) = bytes.split_at(bytes.len().saturating_sub(16));
    let value = tail.iter().fold(sign, |value: i128, byte| value << 8 | i128::from(*byte));
    // What lies before the last 16 bytes must say nothing but the sign.
    if head.iter().any(|byte| *byte != sign as u8) || (value < 0) != (sign < 0) {
        return Err(too_large());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_length_are_numbers() {
        for value in [0i128, 1, -1, 127, 128, -128, -129, 1 << 70, -(1 << 100), i128::MAX, i128::MIN] {
            let bytes = value.to_be_bytes();
            let shortest = (1..=16).find(|length| {
                let head = if value < 0 { 0xff } else { 0 };
                let (head_bytes, tail) = bytes.split_at(16 - length);
                head_bytes.iter().all(|byte| *byte == head) && (tail[0] & 0x80 != 0) == (value < 0)
            });
            assert_eq!(number(&bytes[16 - shortest.unwrap()..]).unwrap(), value);
            let mut long = vec![if value < 0 { 0xff } else { 0 }; 5];
            long.extend(bytes);
            assert_eq!(number(&long).unwrap(), value);
            long[0] = 1;
            assert!(number(&long).is_err());
        }
        assert!(number(&[]).is_err());
        let mut wrong = vec![0];
        wrong.extend(i128::MIN.to_be_bytes());
        assert!(number(&wrong).is_err());
    }
}
