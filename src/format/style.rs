//! How rows are written in a format: what its options say, for those who write files of it.
//!
//! A table's options serve both sides: what is written under them is what is read back under them.

/// The form of an output's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputStyle {
    /// Parquet.
    Parquet,
    /// Delimited text: CSV, Hive's text, plain lines.
    Delimited(DelimitedStyle),
    /// A line an object.
    Json(JsonStyle),
    /// Avro's object files.
    Avro,
    /// Arrow IPC files.
    Arrow,
}

/// How delimited text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelimitedStyle {
    /// The format's name.
    pub name: &'static str,
    /// Between values.
    pub delimiter: char,
    /// Around values that need it; none: there are no quotes.
    pub quote: Option<char>,
    /// Within quotes before a quote, and before itself unless it is the quote; in Hive's text before
    /// whatever else would end a value.
    pub escape: Option<char>,
    /// What begins a comment when it begins a line.
    pub comment: Option<char>,
    /// Ends a line.
    pub terminator: char,
    /// What NULL is.
    pub null: String,
    /// Readers take a quoted value for a value, even if it is what NULL is.
    pub quoted_is_text: bool,
    /// Files begin with the names of columns.
    pub header: bool,
    /// Quoted values may hold ends of lines.
    pub lines_in_quotes: bool,
    /// Readers take a lone carriage return for the end of a line.
    pub universal_lines: bool,
    /// Hive's text: no quotes, nested types.
    pub hive: bool,
    /// Of nested values in Hive's text, the outermost first.
    pub separators: Vec<char>,
    /// Timestamps name no zone, and readers take them for UTC.
    pub is_utc: bool,
    /// A column of STRING of this name is for records that do not fit: readers do not look for it.
    pub corrupt_column: String,
}

/// How JSON is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonStyle {
    /// As in [`DelimitedStyle`].
    pub corrupt_column: String,
}

impl OutputStyle {
    /// The name of the format, as Spark spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delimited(style) => style.name,
            Self::Json(_) => "json",
            Self::Avro => "avro",
            Self::Arrow => "arrow",
        }
    }

    /// What names of files end in, without that of a codec.
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Delimited(style) if style.name != "csv" => "txt",
            other => other.name(),
        }
    }

    /// Whether it is CSV.
    pub fn is_csv(&self) -> bool {
        matches!(self, Self::Delimited(style) if style.name == "csv")
    }
}
