//! Where bytes come from ([`source`]) and the formats that files have.
//!
//! Every format is one file or folder here and one line in [`registry`]. [`reader`] says what a
//! format is to those above; Parquet, whose files say most about their rows, is read by a scan of its
//! own, and only [`parquet`] names its crate.
//!
//! ```text
//!   registry ─> delimited  json  avro  orc  ipc      behind one face: FormatReader
//!           └─> parquet                              row groups, pages, columns
//! ```

mod avro;
mod batches;
mod counted;
mod delimited;
mod ipc;
mod json;
mod options;
mod orc;
pub mod parquet;
pub mod reader;
pub mod registry;
pub mod retry;
pub mod source;
pub mod style;
mod text;

#[cfg(test)]
pub(crate) mod testing;

pub use options::FormatOptions;
pub(crate) use text::guess::common as common_guess;
