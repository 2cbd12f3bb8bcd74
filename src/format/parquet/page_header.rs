//! Just enough of Thrift's compact protocol to see how many values a dictionary page holds.
//!
//! The crate reads page headers, but only together with their pages; estimates of distinct values
//! want this one number of some pages without decompressing them.

/// The number of values of the dictionary page whose header `bytes` starts with.
pub(super) fn dictionary_values(bytes: &[u8]) -> Option<u64> {
    // PageHeader { .., 7: DictionaryPageHeader { 1: num_values, .. } }
    let mut reader = Compact::new(bytes);
    let mut field = 0;
    loop {
        let kind = reader.field(&mut field)?;
        if field == 7 && kind == STRUCT {
            let mut inner = 0;
            let kind = reader.field(&mut inner)?;
            return if inner == 1 && kind == I32 { u64::try_from(reader.zigzag()?).ok() } else { None };
        }
        reader.skip(kind)?;
    }
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
pub(super) const STRUCT: u8 = 12;

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

    /// Advances `field` to the next field's number; gives its type. None at the end of the struct.
    pub(super) fn field(&mut self, field: &mut i64) -> Option<u8> {
        let byte = self.byte()?;
        if byte == 0 {
            return None;
        }
        *field = match byte >> 4 {
            0 => self.zigzag()?,
            delta => *field + i64::from(delta),
        };
        Some(byte & 0x0f)
    }

    /// Passes over a value of a type that page headers have before the dictionary's.
    fn skip(&mut self, kind: u8) -> Option<()> {
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.byte().map(|_| ()),
            I16 | I32 | I64 => self.varint().map(|_| ()),
            BINARY => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.bytes = self.bytes.get(length..)?;
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_count() {
        // type = 2, uncompressed = 10, compressed = 10, crc = 1, dictionary header { 300, PLAIN }
        let header = [0x15, 4, 0x15, 20, 0x15, 20, 0x15, 2, 0x3c, 0x15, 0xd8, 0x04, 0x15, 0, 0, 0];
        assert_eq!(dictionary_values(&header), Some(300));
        assert_eq!(dictionary_values(&header[..10]), None);
        assert_eq!(dictionary_values(&[]), None);
    }
}
