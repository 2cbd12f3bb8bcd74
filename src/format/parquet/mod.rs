//! Parquet: footers, zones and columns.
//!
//! Footers and the page index are read by the `parquet` crate. Pages of flat columns are found,
//! decompressed and decoded here; nested columns and intervals go through the crate's Arrow
//! reader behind the same [`ColumnCursor`].
//!
//! ```text
//!   Footer (cached) ──> RowGroup::open_columns ──bytes──> ColumnCursor ──read(rows)──> Column
//!      │ zones                                             pages ─ levels ─ values
//! ```

mod arrow_cursor;
mod bloom;
mod bytes;
mod calendar;
mod codec;
mod column;
mod decimals;
mod delta;
mod delta_bytes;
mod dictionary;
mod file_schema;
mod fixed;
mod fixed_dictionary;
mod footer;
mod footer_cache;
mod footer_store;
mod footers;
mod generic;
mod growing;
mod hybrid;
mod kind;
mod levels;
mod page_data;
mod page_header;
mod page_index;
mod pages;
mod row_group;
mod snappy;
mod split;
mod spread;
mod string_pages;
mod strings;
mod unpack;
mod values;
mod write;
mod writer;
mod zones;

#[cfg(test)]
mod encoding_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use column::{ColumnCursor, PageFigures};
pub use file_schema::FileColumn;
pub use footer::{FileId, Footer, Sorting};
pub use footer_store::FooterStore;
pub use footers::open_footers;
pub use generic::ParquetFormat;
pub use page_index::PageZones;
pub use row_group::RowGroup;
pub use write::{
    Compression, EncodedRowGroup, Encoding, FileWriter, ROW_GROUP_BYTES, ROW_GROUP_ROWS, RowGroupEncoder, WriteOptions,
};
pub use zones::{ColumnSummary, Zones};
pub(crate) use zones::{draws as random_draws, merge as merge_bound};

use crate::error::Error;
use ::parquet::errors::ParquetError;

/// What the crate says of a damaged file.
fn damaged(error: ParquetError) -> Error {
    match error {
        ParquetError::NYI(what) => Error::unsupported(what),
        other => Error::data(format!("the file is damaged: {other}")),
    }
}
