//! The table of formats, and which one a file is of.

use super::options::FormatOptions;
use super::reader::{DataFile, Format, FormatReader};
use super::{avro, delimited, ipc, json, orc, parquet};
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Every format; the first that knows a file's name or first bytes has it.
pub static FORMATS: &[&dyn Format] = &[
    &parquet::ParquetFormat,
    &delimited::Csv,
    &delimited::TextFile,
    &delimited::OpenCsv,
    &delimited::Text,
    &json::Json,
    &avro::Avro,
    &orc::Orc,
    &ipc::ArrowIpc,
];

/// The SerDes that Hive names in `ROW FORMAT SERDE`, and the formats they read.
const SERDES: &[(&str, &str)] = &[
    ("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", "textfile"),
    ("org.apache.hadoop.hive.serde2.OpenCSVSerde", "opencsv"),
    ("org.apache.hive.hcatalog.data.JsonSerDe", "json"),
    ("org.apache.hadoop.hive.serde2.JsonSerDe", "json"),
    ("org.openx.data.jsonserde.JsonSerDe", "json"),
    ("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe", "parquet"),
    ("org.apache.hadoop.hive.ql.io.orc.OrcSerde", "orc"),
    ("org.apache.hadoop.hive.serde2.avro.AvroSerDe", "avro"),
];

/// The format of a name in SQL, in any case.
pub fn format_named(name: &str) -> Option<&'static dyn Format> {
    let name = name.to_lowercase();
    FORMATS.iter().copied().find(|format| format.names().contains(&name.as_str()))
}

/// The name of the format that a SerDe of Hive reads.
///
/// # Errors
/// One that nothing here reads for.
pub fn serde_format(class: &str) -> Result<&'static str> {
    let found = SERDES.iter().find(|(known, _)| known.eq_ignore_ascii_case(class.trim()));
    found.map(|(_, format)| *format).ok_or_else(|| Error::unsupported(format!("the SerDe {class}")))
}

/// A reader of the format of a name under options.
///
/// # Errors
/// No such format; an option that it does not know.
pub fn reader(name: &str, mut options: FormatOptions) -> Result<Arc<dyn FormatReader>> {
    let format = format_named(name).ok_or_else(|| Error::unsupported(format!("the file format {}", name.to_lowercase())))?;
    let reader = format.reader(&mut options)?;
    options.finish(reader.name())?;
    Ok(reader)
}

/// The format that a file's name tells, if it does.
pub fn format_of_name(path: &Path) -> Option<&'static dyn Format> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let plain = super::text::codec::strip_extension(&name);
    let extension = plain.rsplit_once('.')?.1;
    FORMATS.iter().copied().find(|format| format.extensions().contains(&extension))
}

/// The format that a file's first bytes tell, if they do.
pub fn format_of_bytes(file: &DataFile) -> Result<Option<&'static dyn Format>> {
    let mut start = [0; 8];
    let mut have = 0;
    let mut opened = file.file()?;
    while have < start.len() {
        match opened.read(&mut start[have..]).map_err(|error| Error::io("read", &file.path, error))? {
            0 => break,
            more => have += more,
        }
    }
    let known = |format: &&dyn Format| !format.magic().is_empty() && start[..have].starts_with(format.magic());
    Ok(FORMATS.iter().copied().find(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_extensions_and_serdes_lead_to_one_format() {
        for (at, format) in FORMATS.iter().enumerate() {
            for other in &FORMATS[at + 1..] {
                assert!(format.names().iter().all(|name| !other.names().contains(name)), "{other:?}");
                assert!(format.extensions().iter().all(|end| !other.extensions().contains(end)), "{other:?}");
            }
        }
        assert_eq!(format_named("JSONFILE").unwrap().names()[0], "json");
        assert!(format_named("delta").is_none());
        for (_, format) in SERDES {
            assert!(format_named(format).is_some(), "{format}");
        }
        let error = serde_format("org.apache.hadoop.hive.serde2.RegexSerDe").unwrap_err();
        assert!(error.message().contains("RegexSerDe is not supported"), "{error}");
        let of = |name: &str| format_of_name(Path::new(name)).map(|format| format.names()[0]);
        assert_eq!(of("a/b.CSV.gz"), Some("csv"));
        assert_eq!(of("a/part-0.snappy.orc"), Some("orc"));
        assert_eq!(of("a.ndjson.zst"), Some("json"));
        assert_eq!(of("000000_0"), None);
    }
}
