//! What an output looks like: format, codec, sizes.

use crate::error::{Error, Result};
use crate::format::FormatOptions;
use crate::format::parquet::{Compression, WriteOptions};
use crate::format::registry::format_named;
use crate::format::style::OutputStyle;

/// How an output is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format of the files.
    pub style: OutputStyle,
    /// The codec: of pages in Parquet, of blocks in Avro and Arrow, of whole files in text.
    pub compression: Compression,
    /// For Parquet; its `compression` is not looked at.
    pub parquet: WriteOptions,
    /// Bytes after which a task begins its next file; none: one file a task.
    pub file_bytes: Option<u64>,
}

impl OutputOptions {
    /// The defaults of a format, as Spark's: Snappy for Parquet and Avro, nothing else compressed.
    pub fn new(style: OutputStyle) -> Self {
        let compression = match style {
            OutputStyle::Parquet | OutputStyle::Avro => Compression::Snappy,
            _ => Compression::None,
        };
        Self { style, compression, parquet: WriteOptions::default(), file_bytes: None }
    }

    /// The same for the name of a format, for files that are read by their path.
    ///
    /// # Errors
    /// No such format, or one that is only read.
    pub fn named(name: &str) -> Result<Self> {
        let unknown = || Error::unsupported(format!("writing the format {}", name.to_uppercase()));
        let format = format_named(name).ok_or_else(unknown)?;
        format.style(&mut FormatOptions::guessing(None)).map(Self::new)
    }

    /// Sets the codec by its name, as the format calls it.
    ///
    /// # Errors
    /// A codec that there is not.
    pub fn compress(&mut self, codec: &str, level: Option<i64>) -> Result<()> {
        // Avro's name for gzip's method.
        let own = if self.style == OutputStyle::Avro && codec.eq_ignore_ascii_case("deflate") { "gzip" } else { codec };
        self.compression = Compression::from_name(own, level)?;
        Ok(())
    }

    /// What names of files end in: `.snappy.parquet`, `.csv.gz`.
    ///
    /// # Errors
    /// The codec is none of the format's.
    pub fn extension(&self) -> Result<String> {
        let (name, extension) = (self.style.name().to_uppercase(), self.style.extension());
        Ok(match (&self.style, self.compression) {
            (OutputStyle::Parquet, codec) => format!("{}.{extension}", codec.extension()),
            // They are within the file.
            (OutputStyle::Avro | OutputStyle::Arrow, _) => format!(".{extension}"),
            (_, Compression::None) => format!(".{extension}"),
            (_, Compression::Gzip(_)) => format!(".{extension}.gz"),
            (_, Compression::Zstd(_)) => format!(".{extension}.zst"),
            (_, Compression::Snappy | Compression::Lz4) => {
                let error = Error::unsupported(format!("Snappy or LZ4 for {name}"));
                return Err(error.with_hint("it takes none, gzip or zstd"));
            }
        })
    }
}
