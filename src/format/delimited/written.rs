//! How files of delimited text are written, from the options by which they are read.

use super::dialect::{Header, Settings};
use crate::error::{Error, Result};
use crate::format::style::DelimitedStyle;
use crate::format::text::time::Zone;

impl Settings {
    /// The style that these settings read.
    ///
    /// # Errors
    /// Options that say how to read and for which nothing is written.
    pub(super) fn written(&self) -> Result<DelimitedStyle> {
        let refuse = |what: &str| Err(Error::unsupported(format!("writing {} with {what}", self.name)));
        let style = &self.style;
        if style.date.is_some() || style.timestamp.is_some() {
            return refuse("the options dateFormat or timestampFormat");
        }
        if style.nan.is_some() || style.infinity.is_some() || style.negative_infinity.is_some() {
            return refuse("other names for NaN and the infinities");
        }
        if self.skipped_lines > 0 {
            return refuse("skip.header.line.count");
        }
        if !self.empty.is_empty() {
            return refuse("the option emptyValue");
        }
        let dialect = &self.dialect;
        let character = |byte: Option<u8>| byte.map(char::from);
        Ok(DelimitedStyle {
            name: self.name,
            delimiter: char::from(dialect.delimiter),
            quote: character(dialect.quote),
            escape: character(dialect.escape),
            comment: character(dialect.comment),
            terminator: char::from(dialect.terminator),
            null: self.null.clone().unwrap_or_default(),
            quoted_is_text: self.quoted_is_text,
            // Of files without a description the reader finds a header.
            header: matches!(self.header, Header::Yes | Header::Guess),
            lines_in_quotes: dialect.multi_line || self.guess_delimiter,
            universal_lines: dialect.universal_lines && !self.guess_delimiter,
            hive: dialect.hive,
            separators: dialect.separators.iter().map(|byte| char::from(*byte)).collect(),
            is_utc: matches!(style.zone, Zone::Utc),
            corrupt_column: self.corrupt_column.clone(),
        })
    }
}
