//! How delimited text is written: options in, one struct out.

use crate::error::{Error, Result};
use crate::format::options::{FormatOptions, unescape};
use crate::format::text::convert::ValueStyle;
use crate::format::text::date_pattern::DatePattern;
use crate::format::text::mode::Mode;
use crate::format::text::time::Zone;

/// The characters of delimited text.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
    pub(super) terminator: u8,
    /// A line may end with a lone carriage return.
    pub(super) universal_lines: bool,
    pub(super) trim_start: bool,
    pub(super) trim_end: bool,
    /// As Hive's LazySimpleSerDe: escapes work without quotes, and blank lines are records.
    pub(super) hive: bool,
    /// Quoted values may hold terminators.
    pub(super) multi_line: bool,
    /// What stands for NULL in Hive's text, before escapes are taken out.
    pub(super) null: Option<String>,
    /// Of items of arrays and maps, and of keys from values, in Hive's text; deeper ones follow.
    pub(super) separators: Vec<u8>,
}

/// How a file's header is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    No,
    Yes,
    /// Looked at together with what follows.
    Guess,
}

/// A dialect with what values mean.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    pub(super) header: Header,
    /// Lines before the first record; a header is one of its own.
    pub(super) skipped_lines: usize,
    pub(super) infer: bool,
    pub(super) enforce_schema: bool,
    /// The delimiter is looked for.
    pub(super) guess_delimiter: bool,
    pub(super) null: Option<String>,
    /// What quotes around nothing mean.
    pub(super) empty: String,
    /// A quoted value is never NULL.
    pub(super) quoted_is_text: bool,
    /// Values of strings that are empty and without quotes are NULL.
    pub(super) empty_is_null: bool,
    pub(super) style: ValueStyle,
    pub(super) mode: Mode,
    pub(super) corrupt_column: String,
    /// A record may have other numbers of values than columns.
    pub(super) ragged: bool,
}

impl Settings {
    /// CSV as Spark reads it; or for files that are queried by their path, as RFC 4180 has it, with
    /// delimiter, header and types guessed.
    pub(super) fn csv(options: &mut FormatOptions) -> Result<Self> {
        let guess = options.guess;
        let style = style(options)?;
        let header = match options.take(&["header"]).map(|text| text.to_lowercase()).as_deref() {
            None if guess => Header::Guess,
            None | Some("false") => Header::No,
            Some("true") => Header::Yes,
            Some(other) => return Err(Error::sql(format!("the option header is true or false, not '{other}'"))),
        };
        let delimiter = options.character(&["sep", "delimiter"], None)?;
        let null = options.take(&["nullvalue", "nullstr", "null"]);
        let dialect = Dialect {
            delimiter: delimiter.unwrap_or(b','),
            quote: options.character(&["quote"], Some(b'"'))?,
            escape: options.character(&["escape"], Some(if guess { b'"' } else { b'\\' }))?,
            comment: options.character(&["comment"], None)?,
            trim_start: options.flag(&["ignoreleadingwhitespace"], false)?,
            trim_end: options.flag(&["ignoretrailingwhitespace"], false)?,
            multi_line: options.flag(&["multiline"], false)?,
            ..line_ends(options)?
        };
        let settings = Self {
            name: "csv",
            header,
            skipped_lines: skipped_lines(options)?,
            infer: options.flag(&["inferschema"], guess)?,
            enforce_schema: options.flag(&["enforceschema"], true)?,
            guess_delimiter: guess && delimiter.is_none(),
            empty: options.take(&["emptyvalue"]).unwrap_or_default(),
            quoted_is_text: guess,
            empty_is_null: true,
            null: null.or_else(|| (!guess).then(String::new)),
            style,
            mode: Mode::take(options)?,
            corrupt_column: options.take(&["columnnameofcorruptrecord"]).unwrap_or_else(|| "_corrupt_record".into()),
            ragged: false,
            dialect,
        };
        // They bound memory elsewhere, tune samples or say what is so in any case.
        let _ = options.take(&["maxcolumns", "maxcharspercolumn", "samplingratio", "preferdate", "locale"]);
        only(options, &["charset", "encoding"], &["utf-8", "utf8", "us-ascii"])?;
        only(options, &["unescapedquotehandling"], &["stop_at_delimiter"])?;
        only(options, &["chartoescapequoteescaping"], &["\\"])?;
        Ok(settings)
    }

    /// Hive's `ROW FORMAT DELIMITED`, LazySimpleSerDe.
    pub(super) fn hive(options: &mut FormatOptions) -> Result<Self> {
        let by_number = options.take(&["serialization.format"]).filter(|format| format != "1");
        let delimiter = match options.take(&["field.delim"]).or(by_number) {
            None => 1,
            Some(text) => separator(&text)?,
        };
        let mut separators = Vec::new();
        for (names, default) in [(&["collection.delim", "colelction.delim"][..], 2), (&["mapkey.delim"][..], 3)] {
            separators.push(options.take(names).map_or(Ok(default), |text| separator(&text))?);
        }
        separators.extend(4..=8);
        let escape = options.take(&["escape.delim"]).map(|text| separator(&text)).transpose()?;
        let terminator = options.take(&["line.delim"]).map_or(Ok(b'\n'), |text| separator(&text))?;
        if terminator != b'\n' {
            return Err(Error::unsupported("LINES TERMINATED BY anything but '\\n'").with_hint("Hive has no other either"));
        }
        let mut style = style(options)?;
        style.base64 = true;
        style.hive = true;
        let null = options.take(&["serialization.null.format"]).unwrap_or_else(|| "\\N".into());
        only(options, &["serialization.encoding"], &["utf-8", "utf8"])?;
        Ok(Self {
            name: "textfile",
            dialect: Dialect {
                delimiter,
                quote: None,
                escape,
                comment: None,
                terminator,
                universal_lines: true,
                trim_start: false,
                trim_end: false,
                hive: true,
                multi_line: false,
                null: Some(null.clone()),
                separators,
            },
            header: Header::No,
            skipped_lines: skipped_lines(options)?,
            infer: false,
            enforce_schema: true,
            guess_delimiter: false,
            null: Some(null),
            empty: String::new(),
            quoted_is_text: false,
            empty_is_null: false,
            style,
            mode: Mode::Permissive,
            corrupt_column: String::new(),
            ragged: true,
        })
    }

    /// Hive's OpenCSVSerde.
    pub(super) fn open_csv(options: &mut FormatOptions) -> Result<Self> {
        let mut settings = Self {
            name: "opencsv",
            null: None,
            empty_is_null: false,
            ragged: true,
            mode: Mode::Permissive,
            ..Self::csv(&mut FormatOptions::default())?
        };
        let dialect = &mut settings.dialect;
        dialect.delimiter = options.character(&["separatorchar"], Some(b','))?.unwrap_or(b',');
        dialect.quote = options.character(&["quotechar"], Some(b'"'))?;
        dialect.escape = options.character(&["escapechar"], Some(b'\\'))?;
        settings.skipped_lines = skipped_lines(options)?;
        Ok(settings)
    }

    /// Lines, each the value of one column.
    pub(super) fn text(options: &mut FormatOptions) -> Result<Self> {
        let mut settings = Self { name: "text", null: None, quoted_is_text: false, ..Self::hive(&mut FormatOptions::default())? };
        settings.dialect = Dialect { quote: None, escape: None, hive: true, ..line_ends(options)? };
        // No byte but a terminator ends a value.
        settings.dialect.delimiter = settings.dialect.terminator;
        if options.flag(&["wholetext"], false)? {
            return Err(Error::unsupported("the option wholetext"));
        }
        Ok(settings)
    }
}

/// A dialect whose lines end as the option `lineSep` says.
fn line_ends(options: &mut FormatOptions) -> Result<Dialect> {
    let separator = options.take(&["linesep"]);
    let terminator = match separator.as_deref().map(unescape).as_deref() {
        None | Some("\n" | "\r\n" | "\\r\\n") => b'\n',
        Some(other) => match other.as_bytes() {
            [byte] if byte.is_ascii() => *byte,
            _ => return Err(Error::unsupported(format!("lineSep '{}': it is one character of ASCII", other.escape_default()))),
        },
    };
    Ok(Dialect {
        delimiter: b',',
        quote: None,
        escape: None,
        comment: None,
        terminator,
        universal_lines: separator.is_none(),
        trim_start: false,
        trim_end: false,
        hive: false,
        multi_line: false,
        null: None,
        separators: Vec::new(),
    })
}

/// The options of values that formats of text share.
pub(in crate::format) fn style(options: &mut FormatOptions) -> Result<ValueStyle> {
    let date = options.take(&["dateformat"]).map(|pattern| DatePattern::new(&pattern)).transpose()?;
    let timestamp = options.take(&["timestampformat", "timestampntzformat"]);
    Ok(ValueStyle {
        date,
        timestamp: timestamp.map(|pattern| DatePattern::new(&pattern)).transpose()?,
        zone: options.take(&["timezone"]).map_or(Ok(Zone::Utc), |name| Zone::new(&name))?,
        nan: options.take(&["nanvalue"]),
        infinity: options.take(&["positiveinf"]),
        negative_infinity: options.take(&["negativeinf"]),
        base64: false,
        hive: false,
        epoch_seconds: false,
    })
}

/// Hive's separators: a character, or the number of one.
fn separator(text: &str) -> Result<u8> {
    let plain = unescape(text);
    match plain.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => match text.parse::<i16>() {
            Ok(number @ 0..=127) => Ok(number as u8),
            _ => Err(Error::unsupported(format!("'{}' as a separator: it is one character of ASCII", text.escape_default()))),
        },
    }
}

fn skipped_lines(options: &mut FormatOptions) -> Result<usize> {
    if options.take(&["skip.footer.line.count"]).is_some_and(|count| count.trim() != "0") {
        return Err(Error::unsupported("skip.footer.line.count"));
    }
    let Some(count) = options.take(&["skip.header.line.count"]) else { return Ok(0) };
    count.trim().parse().map_err(|_| Error::sql(format!("skip.header.line.count is a number of lines, not '{count}'")))
}

/// Takes out an option of which only some values are honoured.
fn only(options: &mut FormatOptions, names: &[&str], values: &[&str]) -> Result<()> {
    match options.take(names) {
        Some(value) if !values.contains(&value.to_lowercase().as_str()) => {
            Err(Error::unsupported(format!("'{}' as the option {}", value.escape_default(), names.first().unwrap_or(&""))))
        }
        _ => Ok(()),
    }
}
