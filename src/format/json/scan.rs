//! JSON, value by value: where each ends and what kind it is. Nothing is built.
//!
//! As Spark reads it: strings may be in single quotes, `NaN` and `Infinity` are numbers; names need
//! quotes, numbers have no leading zeros, and nothing may follow the last comma.

/// Values inside each other, at most: what reads them calls itself.
const DEPTH_MAX: usize = 500;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is none.
    Missing,
    Null,
    Boolean,
    Number,
    /// Without escapes, between its quotes.
    Plain,
    /// With escapes, between its quotes.
    Escaped,
    Object,
    Array,
}

/// A value's place in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
    /// It lies in the text beside, where escapes were taken out.
    pub(super) aside: bool,
}

/// No value.
pub(super) const MISSING: Piece = Piece { start: 0, end: 0, kind: Kind::Missing, aside: false };

/// The place of the first byte from `at` on that is no blank.
#[inline]
pub(super) fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && matches!(bytes[at], b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

/// The value that begins at `at`, and the place behind it. None: there is no value.
#[inline]
pub(super) fn value(bytes: &[u8], at: usize, depth: usize) -> Option<(Piece, usize)> {
    let piece = |end: usize, kind: Kind| Some((Piece { start: at as u32, end: end as u32, kind, aside: false }, end));
    match *bytes.get(at)? {
        b'"' | b'\'' => string(bytes, at),
        b'{' => {
            let end = members(bytes, at, depth, &mut |_, _| {})?;
            piece(end, Kind::Object)
        }
        b'[' => {
            let end = items(bytes, at, depth, &mut |_| {})?;
            piece(end, Kind::Array)
        }
        b't' if bytes[at..].starts_with(b"true") => piece(word_end(bytes, at + 4)?, Kind::Boolean),
        b'f' if bytes[at..].starts_with(b"false") => piece(word_end(bytes, at + 5)?, Kind::Boolean),
        b'n' if bytes[at..].starts_with(b"null") => piece(word_end(bytes, at + 4)?, Kind::Null),
        _ => piece(number(bytes, at)?, Kind::Number),
    }
}

/// `end`, unless letters or digits go on there.
fn word_end(bytes: &[u8], end: usize) -> Option<usize> {
    bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric()).then_some(end)
}

/// The string that begins at `at`, without its quotes.
#[inline]
fn string(bytes: &[u8], at: usize) -> Option<(Piece, usize)> {
    let quote = bytes[at];
    let mut end = at + 1;
    let mut kind = Kind::Plain;
    loop {
        end = special(bytes, end, quote)?;
        if bytes[end] == quote {
            return Some((Piece { start: at as u32 + 1, end: end as u32, kind, aside: false }, end + 1));
        }
        kind = Kind::Escaped;
        end += 2;
    }
}

/// The first quote or backslash from `at` on: most strings are short, so that eight bytes at a time are
/// faster than a search that sets out for long ones.
#[inline]
fn special(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let (quotes, escapes) = (LOW * u64::from(quote), LOW * u64::from(b'\\'));
    // The lowest bit that is set stands for the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & (LOW << 7);
    for _ in 0..8 {
        let Some(next) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let word = u64::from_le_bytes(*next);
        let found = zeros(word ^ quotes) | zeros(word ^ escapes);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr::memchr2(quote, b'\\', bytes.get(at..)?).map(|found| at + found)
}

#[inline]
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |mut from: usize| {
        while bytes.get(from).is_some_and(u8::is_ascii_digit) {
            from += 1;
        }
        from
    };
    let sign = usize::from(bytes[at] == b'-');
    let start = at + sign;
    if matches!(bytes.get(start), Some(b'N' | b'I')) {
        let name = [&b"NaN"[..], b"Infinity", b"INF"].into_iter().find(|name| bytes[start..].starts_with(name))?;
        return word_end(bytes, start + name.len());
    }
    let mut end = digits(start);
    let leading_zero = bytes.get(start) == Some(&b'0') && end > start + 1;
    if end == start || leading_zero {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == end + 1 {
            return None;
        }
        end = fraction;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = end + 1 + sign;
        if exponent > bytes.len() {
            return None;
        }
        end = digits(exponent);
        if end == exponent {
            return None;
        }
    }
    word_end(bytes, end)
}

/// Calls `member` with the name and value of each member of the object that begins at `at`; returns the
/// place behind it.
pub(super) fn members(bytes: &[u8], at: usize, depth: usize, member: &mut dyn FnMut(Piece, Piece)) -> Option<usize> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut at = blanks(bytes, at + 1);
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if !matches!(bytes.get(at), Some(b'"' | b'\'')) {
            return None;
        }
        let (name, next) = string(bytes, at)?;
        at = blanks(bytes, next);
        if bytes.get(at) != Some(&b':') {
            return None;
        }
        let (found, next) = value(bytes, blanks(bytes, at + 1), depth + 1)?;
        member(name, found);
        at = blanks(bytes, next);
        match bytes.get(at) {
            Some(b',') => at = blanks(bytes, at + 1),
            Some(b'}') => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The same with the items of the array that begins at `at`.
pub(super) fn items(bytes: &[u8], at: usize, depth: usize, item: &mut dyn FnMut(Piece)) -> Option<usize> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut at = blanks(bytes, at + 1);
    if bytes.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        let (found, next) = value(bytes, at, depth + 1)?;
        item(found);
        at = blanks(bytes, next);
        match bytes.get(at) {
            Some(b',') => at = blanks(bytes, at + 1),
            Some(b']') => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Takes the escapes out of a string. None: one of them is none of JSON's.
pub(super) fn unescape(text: &str, out: &mut String) -> Option<()> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(rest.get(..at)?);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        out.push(match escape {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\'' | b'\\' | b'/' => char::from(escape),
            b'u' => {
                let unit = u32::from_str_radix(rest.get(..4)?, 16).ok()?;
                rest = rest.get(4..)?;
                if (0xd800..0xdc00).contains(&unit)
                    && let Some(low) = rest.strip_prefix("\\u").and_then(|low| u32::from_str_radix(low.get(..4)?, 16).ok())
                    && (0xdc00..0xe000).contains(&low)
                {
                    rest = rest.get(6..)?;
                    char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?
                } else {
                    // Half of a pair is no character.
                    char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
            }
            _ => return None,
        });
    }
    out.push_str(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<(Kind, usize)> {
        value(text.as_bytes(), 0, 0).map(|(piece, end)| (piece.kind, end))
    }

    #[test]
    fn values_and_their_ends() {
        for (text, wanted) in [
            ("null", Kind::Null),
            ("true", Kind::Boolean),
            ("-1.5e+3", Kind::Number),
            ("0", Kind::Number),
            ("NaN", Kind::Number),
            ("-Infinity", Kind::Number),
            ("\"a\"", Kind::Plain),
            ("'a\"b'", Kind::Plain),
            ("\"a\\\"b\"", Kind::Escaped),
            ("{}", Kind::Object),
            ("{ \"a\" : [1, {\"b\":null}] , \"c\":\"}\"}", Kind::Object),
            ("[ ]", Kind::Array),
            ("[1,[2],\"]\"]", Kind::Array),
        ] {
            assert_eq!(kind(text), Some((wanted, text.len())), "{text}");
            assert_eq!(kind(&format!("{text} x")), Some((wanted, text.len())), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        for text in [
            "",
            "nul",
            "nullx",
            "tru",
            "{",
            "[",
            "\"",
            "\"\\\"",
            "{a:1}",
            "{\"a\":03}",
            "{\"a\":.5}",
            "{\"a\":1,}",
            "[1,]",
            "{\"a\" 1}",
            "1.",
            "1e",
            "-",
            "{\"a\":1",
            "[1 2]",
            "+1",
            "1x",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
        assert_eq!(kind(&"[".repeat(100_000)), None);
    }

    #[test]
    fn escapes() {
        let mut out = String::new();
        unescape("a\\n\\u00e9\\ud83d\\ude00\\/\\\\", &mut out).unwrap();
        assert_eq!(out, "a\né😀/\\");
        out.clear();
        unescape("\\ud800x", &mut out).unwrap();
        assert_eq!(out, "\u{fffd}x");
        for text in ["\\x", "\\u12", "\\u12g4", "\\"] {
            assert_eq!(unescape(text, &mut String::new()), None, "{text}");
        }
    }
}
