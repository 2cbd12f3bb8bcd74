//! Bytes as text and text as bytes: hexadecimal, base 32 and 64, character sets, URLs.

use super::row::{Call, Gives, Row, partial, total};
use super::signature::is_binary;
use super::value::Value;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use std::borrow::Cow;

pub(super) static ROWS: &[Row] = &[
    total("hex", ".", Gives::Text, |_, a| {
        Ok(Value::string(match &a[0] {
            value @ (Value::Text(_) | Value::Bytes(_)) => hex(value.bytes()),
            other => format!("{:X}", other.int()),
        }))
    }),
    total("unhex", "S", Gives::Bytes, |_, a| Ok(Value::or_null(unhex(a[0].text()), bytes))),
    total("base64", "X", Gives::Text, |_, a| Ok(Value::string(to_base64(a[0].bytes())))),
    partial("unbase64", "S", Gives::Bytes, |_, a| base64(a[0].text())),
    total("to_base32", "X", Gives::Text, |_, a| Ok(Value::string(encode_bits(a[0].bytes(), BASE32, 5, 8)))),
    partial("from_base32", "S", Gives::Bytes, |_, a| base32(a[0].text())),
    partial("encode", "ES", Gives::Bytes, |_, a| encode(a[0].text(), a[1].text()).map(bytes)),
    partial(
        "decode",
        "@decode",
        Gives::By(|shape| Ok(if shape.types.len() == 2 { DataType::Utf8View } else { shape.of(2) })),
        |_, a| match a {
            [bytes, set] if bytes.is_null() || set.is_null() => Ok(Value::Null),
            [bytes, set] => decode(bytes.bytes(), set.text()).map(Value::string),
            [value, pairs @ ..] => {
                let found = pairs.chunks_exact(2).find(|pair| pair[0].same(value)).map(|pair| pair[1].clone());
                Ok(found.or_else(|| pairs.chunks_exact(2).remainder().first().cloned()).unwrap_or(Value::Null))
            }
            [] => Ok(Value::Null),
        },
    )
    .sees_null(),
    partial("to_binary", "ES?", Gives::Bytes, to_binary),
    partial("try_to_binary", "ES?", Gives::Bytes, to_binary).attempt(),
    total("url_encode", "S", Gives::Text, |_, a| Ok(Value::string(url_encode(a[0].text())))),
    partial("url_decode", "S", Gives::Text, |_, a| url_decode(a[0].text())),
    partial("try_url_decode", "S", Gives::Text, |_, a| url_decode(a[0].text())).attempt(),
    partial("parse_url", "SSS?", Gives::Text, |_, a| parse_url(a)),
    partial("try_parse_url", "SSS?", Gives::Text, |_, a| parse_url(a)).attempt(),
];

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn bytes<'a>(bytes: Vec<u8>) -> Value<'a> {
    Value::Bytes(Cow::Owned(bytes))
}

/// Upper-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Base 64 with padding.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    encode_bits(bytes, BASE64, 6, 4)
}

/// An odd number of digits gets a zero in front.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len() + 1);
    if text.len() % 2 == 1 {
        digits.push(0);
    }
    for c in text.chars() {
        digits.push(c.to_digit(16)? as u8);
    }
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// RFC 4648 with padding: `bits` a character, characters in groups of `group`.
fn encode_bits(bytes: &[u8], alphabet: &[u8], bits: u32, group: usize) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / bits as usize + group);
    let (mut held, mut count) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        count += 8;
        while count >= bits {
            count -= bits;
            out.push(char::from(alphabet[(held >> count) as usize & (alphabet.len() - 1)]));
        }
        held &= (1 << count) - 1;
    }
    if count > 0 {
        out.push(char::from(alphabet[(held << (bits - count)) as usize & (alphabet.len() - 1)]));
    }
    while !out.len().is_multiple_of(group) {
        out.push('=');
    }
    out
}

fn decode_bits(digits: impl Iterator<Item = u32>, bits: u32) -> Vec<u8> {
    let (mut out, mut held, mut count) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        held = held << bits | digit;
        count += bits;
        if count >= 8 {
            count -= 8;
            out.push((held >> count) as u8);
        }
        held &= (1 << count) - 1;
    }
    out
}

/// As RFC 2045 has it: what is no digit is passed over.
fn base64<'a>(text: &str) -> Result<Value<'a>> {
    let wrong = || Error::value(format!("'{text}' is not base 64"));
    let mut digits = Vec::new();
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        if let Some(at) = BASE64.iter().position(|known| *known == byte) {
            digits.push(at as u32);
        }
    }
    if digits.len() % 4 == 1 {
        return Err(wrong());
    }
    Ok(bytes(decode_bits(digits.into_iter(), 6)))
}

/// The bytes of base 64.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    match strict_base64(text) {
        Ok(Value::Bytes(bytes)) => Some(bytes.into_owned()),
        _ => None,
    }
}

/// Base 64 without anything that does not belong to it.
fn strict_base64<'a>(text: &str) -> Result<Value<'a>> {
    let wrong = || Error::value(format!("'{text}' is not base 64"));
    let plain: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = plain.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &plain[..plain.len() - padding];
    let padded = padding == 0 || (padding <= 2 && plain.len().is_multiple_of(4));
    if !padded || body.len() % 4 == 1 || body.iter().any(|byte| !BASE64.contains(byte)) {
        return Err(wrong());
    }
    base64(text)
}

fn base32<'a>(text: &str) -> Result<Value<'a>> {
    let wrong = || Error::value(format!("'{text}' is not base 32"));
    let body = text.trim_end_matches('=');
    let digits: Option<Vec<u32>> = body
        .bytes()
        .map(|byte| BASE32.iter().position(|known| *known == byte.to_ascii_uppercase()).map(|at| at as u32))
        .collect();
    let digits = digits.ok_or_else(wrong)?;
    if matches!(digits.len() % 8, 1 | 3 | 6) || (text.len() != body.len() && !text.len().is_multiple_of(8)) {
        return Err(wrong());
    }
    Ok(bytes(decode_bits(digits.into_iter(), 5)))
}

fn encode(text: &str, set: &str) -> Result<Vec<u8>> {
    let lost = || Error::value(format!("'{text}' has characters that {set} lacks"));
    let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    match set.to_ascii_uppercase().as_str() {
        "UTF-8" => Ok(text.as_bytes().to_vec()),
        "US-ASCII" => text.is_ascii().then(|| text.as_bytes().to_vec()).ok_or_else(lost),
        "ISO-8859-1" => text.chars().map(|c| u8::try_from(u32::from(c)).map_err(|_| lost())).collect(),
        "UTF-16BE" => Ok(wide(u16::to_be_bytes)),
        "UTF-16LE" => Ok(wide(u16::to_le_bytes)),
        "UTF-16" if text.is_empty() => Ok(Vec::new()),
        "UTF-16" => Ok([vec![0xfe, 0xff], wide(u16::to_be_bytes)].concat()),
        "UTF-32" => Ok(text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
        _ => Err(charset(set)),
    }
}

fn charset(set: &str) -> Error {
    let known = "US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE, UTF-16, UTF-32";
    Error::value(format!("unknown character set '{set}'")).with_hint(format!("one of {known}"))
}

fn decode(bytes: &[u8], set: &str) -> Result<String> {
    let broken = || Error::value(format!("the bytes are not {set}"));
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        if !bytes.len().is_multiple_of(2) {
            return Err(broken());
        }
        String::from_utf16(&bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect::<Vec<_>>()).map_err(|_| broken())
    };
    match set.to_ascii_uppercase().as_str() {
        "UTF-8" => std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| broken()),
        "US-ASCII" if bytes.is_ascii() => std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| broken()),
        "US-ASCII" => Err(broken()),
        "ISO-8859-1" => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        "UTF-16BE" => wide(bytes, u16::from_be_bytes),
        "UTF-16LE" => wide(bytes, u16::from_le_bytes),
        "UTF-16" => match bytes {
            [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
            rest => wide(rest, u16::from_be_bytes),
        },
        "UTF-32" if bytes.len().is_multiple_of(4) => {
            let units = bytes.chunks_exact(4).map(|unit| u32::from_be_bytes([unit[0], unit[1], unit[2], unit[3]]));
            units.map(|unit| char::from_u32(unit).ok_or_else(broken)).collect()
        }
        "UTF-32" => Err(broken()),
        _ => Err(charset(set)),
    }
}

fn to_binary<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let format = a.get(1).map_or("hex".to_owned(), |format| format.text().to_lowercase());
    match format.as_str() {
        "hex" => unhex(a[0].text()).map(bytes).ok_or_else(|| Error::value(format!("'{}' is not hexadecimal", a[0].text()))),
        "utf-8" | "utf8" => Ok(bytes(a[0].bytes().to_vec())),
        "base64" => strict_base64(a[0].text()),
        _ => Err(Error::value(format!("'{format}' is no format of to_binary")).with_hint("hex, utf-8 or base64")),
    }
}

fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn url_decode<'a>(text: &str) -> Result<Value<'a>> {
    let wrong = || Error::value(format!("'{text}' cannot be decoded as part of a URL"));
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [bytes.next().ok_or_else(wrong)?, bytes.next().ok_or_else(wrong)?];
                let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(wrong);
                (digit(pair[0])? << 4 | digit(pair[1])?) as u8
            }
            other => other,
        });
    }
    Ok(Value::string(String::from_utf8_lossy(&out)))
}

/// `parse_url(url, part[, key])`: the parts of RFC 2396.
fn parse_url<'a>(a: &[Value<'a>]) -> Result<Value<'a>> {
    let (url, part) = (a[0].text(), a[1].text());
    let bad = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`' | '[' | ']');
    let digits = |at: usize| url.as_bytes().get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if url.contains(bad) || !url.match_indices('%').all(|(at, _)| digits(at)) {
        return Err(Error::value(format!("'{url}' is not a URL")).with_hint("try_parse_url gives NULL instead of an error"));
    }
    let (rest, fragment) = url.split_once('#').map_or((url, None), |(rest, fragment)| (rest, Some(fragment)));
    let scheme = rest.split_once(':').filter(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    let (scheme, rest) = scheme.map_or((None, rest), |(scheme, rest)| (Some(scheme), rest));
    if scheme.is_some() && !rest.starts_with('/') {
        // An opaque one: nothing but a scheme and a fragment.
        let found = match part {
            "PROTOCOL" => scheme,
            "REF" => fragment,
            _ => None,
        };
        return Ok(Value::or_null(found, Value::string));
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            (Some(&rest[..end]).filter(|authority| !authority.is_empty()), &rest[end..])
        }
        None => (None, rest),
    };
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let host = authority.map(|authority| authority.rsplit_once('@').map_or(authority, |(_, host)| host));
    let host = host
        .map(|host| host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(h, _)| h));
    if a.len() == 3 && part != "QUERY" {
        return Ok(Value::Null);
    }
    let found = match part {
        "PROTOCOL" => scheme.map(str::to_owned),
        "HOST" => host.map(str::to_owned),
        "PATH" => Some(path.to_owned()),
        "QUERY" => match a.get(2) {
            None => query.map(str::to_owned),
            Some(key) => query.and_then(|query| {
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.into_iter().find(|(name, _)| *name == key.text()).map(|(_, value)| value.to_owned())
            }),
        },
        "REF" => fragment.map(str::to_owned),
        "AUTHORITY" => authority.map(str::to_owned),
        "USERINFO" => user.map(str::to_owned),
        "FILE" => Some(query.map_or(path.to_owned(), |query| format!("{path}?{query}"))),
        _ => None,
    };
    Ok(Value::or_null(found, Value::string))
}

/// The types that `decode` takes: bytes and a character set, or a value, pairs and what is left.
pub(super) fn decode_types(types: &[DataType]) -> Option<Vec<DataType>> {
    use super::signature::{common_type, is_text};
    match types {
        [bytes, set] if is_binary(bytes) || is_text(bytes) || *bytes == DataType::Null => Some(vec![
            DataType::BinaryView,
            if is_text(set) || *set == DataType::Null { DataType::Utf8View } else { return None },
        ]),
        [_, _, _, ..] => {
            let is_result =
                |at: usize| at > 0 && (at.is_multiple_of(2) || at == types.len() - 1 && types.len().is_multiple_of(2));
            let of = |wanted: bool| {
                let those = types.iter().enumerate().filter(|(at, _)| is_result(*at) == wanted).map(|(_, t)| t);
                those.into_iter().try_fold(DataType::Null, |all, t| common_type(&all, t))
            };
            let (values, results) = (of(false)?, of(true)?);
            Some((0..types.len()).map(|at| if is_result(at) { results.clone() } else { values.clone() }).collect())
        }
        _ => None,
    }
}
