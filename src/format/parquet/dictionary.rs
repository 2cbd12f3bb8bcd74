//! The values of a chunk's dictionary, read without its data pages.
//!
//! Where every data page of a chunk is dictionary-coded, the dictionary holds all values that occur:
//! a predicate that none of them passes rules out the row group, after reading and decoding one
//! page. Whether it is so is told by the footer's encoding statistics, or by the name of an old
//! encoding that dictionary pages and data pages share; otherwise it is not known.

use super::bytes::FileParts;
use super::pages::{Next, Pages, chunk_range};
use super::values::{Take, Values};
use crate::column::Column;
use crate::error::Result;
use crate::format::source::ByteSource;
use ::bytes::Bytes;
use ::parquet::basic::Encoding;
use ::parquet::file::metadata::ColumnChunkMetaData;
use std::ops::Range;
use std::sync::Arc;

/// Where the dictionary page lies, if all data pages surely use it.
pub(super) fn whole_dictionary(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = u64::try_from(chunk.dictionary_page_offset()?).ok()?;
    let end = u64::try_from(chunk.data_page_offset()).ok()?;
    let inside = start < end && chunk_range(chunk).start == start && end <= chunk_range(chunk).end;
    (inside && dictionary_only(chunk)).then_some(start..end)
}

fn dictionary_only(chunk: &ColumnChunkMetaData) -> bool {
    if let Some(mask) = chunk.page_encoding_stats_mask() {
        return mask.is_only(Encoding::PLAIN_DICTIONARY) || mask.is_only(Encoding::RLE_DICTIONARY);
    }
    // Before these statistics existed, dictionary pages and data pages were both called
    // PLAIN_DICTIONARY, and PLAIN meant a data page. Levels are RLE or BIT_PACKED.
    let mut old = false;
    let only = chunk.encodings().all(|encoding| match encoding {
        Encoding::PLAIN_DICTIONARY => {
            old = true;
            true
        }
        Encoding::RLE => true,
        #[allow(deprecated)]
        Encoding::BIT_PACKED => true,
        _ => false,
    });
    only && old
}

/// A dictionary page that was read and decompressed before its column is.
#[derive(Clone)]
pub(super) struct DictionaryPage {
    /// Values in plain encoding.
    pub(super) data: Bytes,
    /// How many.
    pub(super) count: usize,
    /// Where the page ends in the file.
    pub(super) end: u64,
}

/// The dictionary page in `range` and the bytes read; none when there is no such page.
pub(super) fn read_page(
    source: &dyn ByteSource,
    chunk: &ColumnChunkMetaData,
    range: Range<u64>,
) -> Result<Option<(DictionaryPage, u64)>> {
    let (parts, bytes) = FileParts::read(source, vec![range])?;
    let rows = usize::try_from(chunk.num_values()).unwrap_or(0);
    let mut pages = Pages::new(Arc::new(parts), chunk, rows, None)?;
    let Next::Dictionary(data, count) = pages.next()? else { return Ok(None) };
    Ok(Some((DictionaryPage { data: data.all()?, count, end: pages.place() }, bytes)))
}

/// The values of a dictionary page, which is a page of plain values.
pub(super) fn decode(page: &DictionaryPage, mut values: Box<dyn Values>) -> Result<Column> {
    values.begin(Encoding::PLAIN, page.data.clone().into())?;
    values.read(page.count, Take::Next(page.count), None)?;
    values.finish(None)
}
