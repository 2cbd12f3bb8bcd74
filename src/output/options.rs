//! What an output looks like: format, codec, sizes.

use crate::error::{Error, Result};
use crate::format::parquet::{Compression, WriteOptions};

/// Formats that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileFormat {
    /// Parquet.
    #[default]
    Parquet,
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Json,
}

/// How an output is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputOptions {
    /// The format of the files.
    pub format: FileFormat,
    /// The codec: of pages in Parquet, of whole files in the others.
    pub compression: Compression,
    /// For Parquet; its `compression` is not looked at.
    pub parquet: WriteOptions,
    /// Whether CSV files begin with the names of columns.
    pub header: bool,
    /// What separates values in CSV files.
    pub delimiter: char,
    /// What NULL is in CSV files.
    pub null: String,
    /// Bytes after which a task begins its next file; none: one file a task.
    pub file_bytes: Option<u64>,
}

impl FileFormat {
    /// The format of a name in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "parquet" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "json" | "jsonfile" => Some(Self::Json),
            _ => None,
        }
    }

    /// The name of the format, as Spark spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

impl OutputOptions {
    /// The defaults of a format: Snappy for Parquet, nothing else compressed, a header in CSV.
    pub fn new(format: FileFormat) -> Self {
        let compression = if format == FileFormat::Parquet { Compression::Snappy } else { Compression::None };
        Self {
            format,
            compression,
            parquet: WriteOptions::default(),
            header: true,
            delimiter: ',',
            null: String::new(),
            file_bytes: None,
        }
    }

    /// What names of files end in: `.snappy.parquet`, `.csv.gz`.
    ///
    /// # Errors
    /// The codec is none of the format's.
    pub fn extension(&self) -> Result<String> {
        let name = self.format.name();
        Ok(match (self.format, self.compression) {
            (FileFormat::Parquet, codec) => format!("{}.{name}", codec.extension()),
            (_, Compression::None) => format!(".{name}"),
            (_, Compression::Gzip(_)) => format!(".{name}.gz"),
            (_, Compression::Zstd(_)) => format!(".{name}.zst"),
            (_, Compression::Snappy | Compression::Lz4) => {
                let error = Error::unsupported(format!("Snappy or LZ4 for {}", name.to_uppercase()));
                return Err(error.with_hint("it takes none, gzip or zstd"));
            }
        })
    }
}
