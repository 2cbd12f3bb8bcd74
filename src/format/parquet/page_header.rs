//! Page headers: just enough of Thrift's compact protocol.
//!
//! The crate reads page headers only together with their pages, decompressed and with statistics
//! copied. We want to pass over pages, check sizes before anything is allocated, and see how many
//! values a dictionary has without reading it.
//!
//! ```text
//!   PageHeader { 1: type, 2: uncompressed bytes, 3: compressed bytes, 4: crc,
//!                5: DataPageHeader, 7: DictionaryPageHeader, 8: DataPageHeaderV2 }
//! ```

use ::parquet::basic::Encoding;

/// What stands before a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PageHeader {
    pub(super) kind: PageKind,
    /// Bytes of the page as it is stored.
    pub(super) stored: usize,
    /// Bytes of it when decompressed.
    pub(super) plain: usize,
    /// The CRC32 of the stored bytes.
    pub(super) crc: Option<u32>,
}

/// Which page it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PageKind {
    Dictionary {
        values: usize,
        encoding: Encoding,
    },
    /// Levels and values are compressed together.
    Data {
        values: usize,
        encoding: Encoding,
        levels: Encoding,
    },
    /// Levels lie uncompressed before the values.
    DataV2 {
        values: usize,
        rows: usize,
        encoding: Encoding,
        definition_bytes: usize,
        repetition_bytes: usize,
        compressed: bool,
    },
    /// Something that is not needed, such as an index.
    Other,
}

impl PageHeader {
    /// The header that `bytes` start with, and its length; none when damaged or cut off.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut reader = Compact { bytes };
        let (mut plain, mut stored, mut crc, mut kind, mut page) = (None, None, None, None, PageKind::Other);
        let mut field = 0;
        while let Some(is) = reader.field(&mut field)? {
            match (field, is) {
                (1, I32) => kind = Some(reader.zigzag()?),
                (2, I32) => plain = Some(reader.size()?),
                (3, I32) => stored = Some(reader.size()?),
                (4, I32) => crc = Some(reader.zigzag()? as u32),
                (5, STRUCT) => page = reader.data()?,
                (7, STRUCT) => page = reader.dictionary()?,
                (8, STRUCT) => page = reader.data_v2()?,
                _ => reader.skip(is, 0)?,
            }
        }
        let fits = match (kind?, &page) {
            (0, PageKind::Data { .. }) | (2, PageKind::Dictionary { .. }) | (3, PageKind::DataV2 { .. }) => true,
            (kind, _) => !matches!(kind, 0 | 2 | 3),
        };
        let kind = if matches!(kind?, 0 | 2 | 3) { page } else { PageKind::Other };
        let header = Self { kind, stored: stored?, plain: plain?, crc };
        fits.then_some((header, bytes.len() - reader.bytes.len()))
    }
}

/// The number of values of the dictionary page whose header `bytes` starts with.
pub(super) fn dictionary_values(bytes: &[u8]) -> Option<u64> {
    match PageHeader::read(bytes)?.0.kind {
        PageKind::Dictionary { values, .. } => Some(values as u64),
        _ => None,
    }
}

fn encoding(number: i64) -> Option<Encoding> {
    Some(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        #[allow(deprecated)]
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return None,
    })
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
pub(super) const STRUCT: u8 = 12;

/// Structs within structs that are passed over; statistics need two levels.
const DEPTH_MAX: usize = 8;

/// A place in bytes of the protocol.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A number that counts something.
    fn size(&mut self) -> Option<usize> {
        usize::try_from(i32::try_from(self.zigzag()?).ok()?).ok()
    }

    /// Advances `field` to the next field's number and gives its type; `Some(None)` at the end of the
    /// struct.
    pub(super) fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *field = match byte >> 4 {
            0 => self.zigzag()?,
            delta => field.checked_add(i64::from(delta))?,
        };
        Some(Some(byte & 0x0f))
    }

    fn data(&mut self) -> Option<PageKind> {
        let (mut values, mut data, mut levels) = (None, None, None);
        let mut field = 0;
        while let Some(is) = self.field(&mut field)? {
            match (field, is) {
                (1, I32) => values = Some(self.size()?),
                (2, I32) => data = Some(encoding(self.zigzag()?)?),
                (3, I32) => levels = Some(encoding(self.zigzag()?)?),
                _ => self.skip(is, 0)?,
            }
        }
        Some(PageKind::Data { values: values?, encoding: data?, levels: levels? })
    }

    fn dictionary(&mut self) -> Option<PageKind> {
        let (mut values, mut data) = (None, None);
        let mut field = 0;
        while let Some(is) = self.field(&mut field)? {
            match (field, is) {
                (1, I32) => values = Some(self.size()?),
                (2, I32) => data = Some(encoding(self.zigzag()?)?),
                _ => self.skip(is, 0)?,
            }
        }
        Some(PageKind::Dictionary { values: values?, encoding: data? })
    }

    fn data_v2(&mut self) -> Option<PageKind> {
        let (mut values, mut rows, mut data) = (None, None, None);
        let (mut definitions, mut repetitions, mut compressed) = (None, None, true);
        let mut field = 0;
        while let Some(is) = self.field(&mut field)? {
            match (field, is) {
                (1, I32) => values = Some(self.size()?),
                (3, I32) => rows = Some(self.size()?),
                (4, I32) => data = Some(encoding(self.zigzag()?)?),
                (5, I32) => definitions = Some(self.size()?),
                (6, I32) => repetitions = Some(self.size()?),
                (7, TRUE | FALSE) => compressed = is == TRUE,
                _ => self.skip(is, 0)?,
            }
        }
        Some(PageKind::DataV2 {
            values: values?,
            rows: rows?,
            encoding: data?,
            definition_bytes: definitions?,
            repetition_bytes: repetitions?,
            compressed,
        })
    }

    /// Passes over a value of this type, `depth` structs or lists deep.
    pub(super) fn skip(&mut self, is: u8, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match is {
            TRUE | FALSE => {}
            BYTE => drop(self.byte()?),
            I16 | I32 | I64 => drop(self.varint()?),
            DOUBLE => self.bytes = self.bytes.get(8..)?,
            BINARY => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.bytes = self.bytes.get(length..)?;
            }
            LIST | SET => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // Every element takes a byte, booleans in lists too.
                for _ in 0..count {
                    match head & 0x0f {
                        TRUE | FALSE => drop(self.byte()?),
                        other => self.skip(other, depth + 1)?,
                    }
                }
            }
            STRUCT => {
                let mut field = 0;
                while let Some(is) = self.field(&mut field)? {
                    self.skip(is, depth + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // type = 2, uncompressed = 10, compressed = 12, crc = 1, dictionary header { 300, PLAIN }
    const DICTIONARY: [u8; 16] = [0x15, 4, 0x15, 20, 0x15, 24, 0x15, 2, 0x3c, 0x15, 0xd8, 0x04, 0x15, 0, 0, 0];
    // type = 0, sizes, data header { 5, PLAIN, RLE, RLE, statistics { null_count, min_value = "ab" } }
    const DATA: [u8; 26] =
        [0x15, 0, 0x15, 20, 0x15, 20, 0x2c, 0x15, 10, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x36, 4, 0x38, 2, b'a', b'b', 0, 0, 0, 9];

    #[test]
    fn headers_are_read() {
        let (header, length) = PageHeader::read(&DICTIONARY).unwrap();
        assert_eq!(length, DICTIONARY.len());
        assert_eq!((header.plain, header.stored, header.crc), (10, 12, Some(1)));
        assert_eq!(header.kind, PageKind::Dictionary { values: 300, encoding: Encoding::PLAIN });
        assert_eq!(dictionary_values(&DICTIONARY), Some(300));
        let (header, length) = PageHeader::read(&DATA).unwrap();
        assert_eq!(length, DATA.len() - 1);
        assert_eq!(header.kind, PageKind::Data { values: 5, encoding: Encoding::PLAIN, levels: Encoding::RLE });
        assert_eq!(dictionary_values(&DATA), None);
    }

    #[test]
    fn damaged_headers_are_none() {
        for cut in 0..DICTIONARY.len() {
            assert_eq!(PageHeader::read(&DICTIONARY[..cut]), None);
        }
        let mut negative = DICTIONARY;
        negative[3] = 21;
        assert_eq!(PageHeader::read(&negative), None);
        let mut mismatched = DICTIONARY;
        mismatched[1] = 0;
        assert_eq!(PageHeader::read(&mismatched), None);
        // Structs within structs without end.
        assert_eq!(PageHeader::read(&[0x9c; 5000]), None);
    }
}
