//! Options of formats: pairs of names and values, taken out by those who know them.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// Options that say something to engines that run elsewhere, or nothing about how rows are read.
const HARMLESS: &[&str] = &[
    "path",
    "serialization.format",
    "compression",
    "codec",
    "external",
    "transient_lastddltime",
    "comment",
    "created_by",
    "timezone",
];

/// See the module. Names are compared in lower case.
#[derive(Debug, Clone, Default)]
pub struct FormatOptions {
    pairs: BTreeMap<String, String>,
    /// Nobody said anything: formats guess what they can from the file.
    pub(super) guess: bool,
}

impl FormatOptions {
    /// Options as they were written.
    pub fn new(options: &BTreeMap<String, String>) -> Self {
        let pairs = options.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        Self { pairs, guess: false }
    }

    /// For files that are queried by their path: what no option says is guessed from the file.
    pub fn guessing(time_zone: Option<&str>) -> Self {
        let pairs = time_zone.map(|zone| ("timezone".to_owned(), zone.to_owned()));
        Self { pairs: pairs.into_iter().collect(), guess: true }
    }

    /// The value of the first of `names` that there is; all of them are taken out.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<String> {
        let mut found = None;
        for name in names {
            let value = self.pairs.remove(&name.to_lowercase());
            found = found.or(value);
        }
        found
    }

    /// The same of a switch.
    pub(super) fn flag(&mut self, names: &[&str], default: bool) -> Result<bool> {
        let Some(text) = self.take(names) else { return Ok(default) };
        match text.to_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err(Error::sql(format!("the option {} is true or false, not '{text}'", names.first().unwrap_or(&"")))),
        }
    }

    /// The same of one character of ASCII; the empty string is none of them.
    pub(super) fn character(&mut self, names: &[&str], default: Option<u8>) -> Result<Option<u8>> {
        let Some(text) = self.take(names) else { return Ok(default) };
        let name = names.first().unwrap_or(&"");
        match unescape(&text).as_bytes() {
            [] => Ok(None),
            [byte] if byte.is_ascii() => Ok(Some(*byte)),
            _ => {
                Err(Error::unsupported(format!("'{}' as the option {name}: it is one character of ASCII", text.escape_default())))
            }
        }
    }

    /// An error that names what nobody took.
    pub(super) fn finish(self, format: &str) -> Result<()> {
        let left = self.pairs.keys().find(|name| !HARMLESS.contains(&name.as_str()));
        left.map_or(Ok(()), |name| Err(Error::unsupported(format!("the option '{name}' of the format {format}"))))
    }
}

/// What a separator stands for: `\t`, `\u0001`, `\001` and so on; anything else is itself.
pub(super) fn unescape(text: &str) -> String {
    let Some(rest) = text.strip_prefix('\\') else { return text.to_owned() };
    let code = match rest {
        "t" => Some(9),
        "n" => Some(10),
        "r" => Some(13),
        "b" => Some(8),
        "f" => Some(12),
        "0" => Some(0),
        _ => match rest.strip_prefix('u') {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None if rest.len() == 3 => u32::from_str_radix(rest, 8).ok(),
            None => None,
        },
    };
    match (code.and_then(char::from_u32), rest) {
        (Some(character), _) => character.to_string(),
        (None, "\\" | "\"" | "'") => rest.to_owned(),
        (None, _) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_refused() {
        let written = [("Header", "TRUE"), ("sep", "\\t"), ("odd", "1"), ("path", "x")];
        let written = written.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let mut options = FormatOptions::new(&written);
        assert!(options.flag(&["header"], false).unwrap());
        assert!(!options.flag(&["multiLine"], false).unwrap());
        assert_eq!(options.character(&["delimiter", "sep"], Some(b',')).unwrap(), Some(b'\t'));
        assert!(options.clone().finish("csv").unwrap_err().message().contains("'odd' of the format csv"));
        assert_eq!(options.take(&["odd"]).as_deref(), Some("1"));
        options.finish("csv").unwrap();
    }

    #[test]
    fn separators_have_names() {
        for (text, means) in [("\\t", "\t"), ("\\001", "\u{1}"), ("\\u0001", "\u{1}"), ("|", "|"), ("\\\\", "\\"), ("", "")] {
            assert_eq!(unescape(text), means, "{text}");
        }
    }
}
