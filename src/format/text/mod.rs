//! What formats of text share: codecs of whole files, lines of byte ranges, values of types.
//!
//! ```text
//!   file ─ codec ─> bytes ─ lines ─> blocks of whole lines ─ (delimited, json) ─ scalar ─> columns
//! ```

pub(super) mod codec;
pub(super) mod convert;
pub(super) mod date_pattern;
pub(super) mod guess;
pub(super) mod lines;
pub(super) mod mode;
pub(super) mod scalar;
pub(super) mod time;
