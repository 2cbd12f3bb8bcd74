//! Values of SQL types in text, as Spark reads them from CSV and JSON. None: the text is no such value.

/// 10 to the n, up to what 128 bits hold.
const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// 10 to the n where a double holds it exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
    1e22,
];

/// A whole number with an optional sign, without blanks.
#[inline]
pub(in crate::format) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    // Up to 18 digits always fit.
    if digits.len() <= 18 {
        let mut value = 0i64;
        for &digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        return Some(if negative { -value } else { value });
    }
    let mut value = 0i128;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 || value > i128::from(u64::MAX) {
            return None;
        }
        value = value * 10 + i128::from(digit);
    }
    i64::try_from(if negative { -value } else { value }).ok()
}

/// `true` or `false` in any case.
#[inline]
pub(in crate::format) fn boolean(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// A double as Java writes and reads it: blanks around it, a `d` or `f` at its end, `NaN`, `Infinity`.
#[inline]
pub(in crate::format) fn double(text: &[u8]) -> Option<f64> {
    if let Some(value) = simple_double(text) {
        return Some(value);
    }
    let text = std::str::from_utf8(trim(text)).ok()?;
    special(text).or_else(|| java_number(text)?.parse().ok())
}

/// The same of a float.
#[inline]
pub(in crate::format) fn float(text: &[u8]) -> Option<f32> {
    let text = std::str::from_utf8(trim(text)).ok()?;
    special(text).map(|value| value as f32).or_else(|| java_number(text)?.parse().ok())
}

/// Digits with a point: exact when digits and power of ten are exact doubles (Clinger, PLDI 1990).
#[inline]
fn simple_double(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let (mut value, mut point) = (0u64, None);
    for (at, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    if value > 1 << 53 || (point.is_some() && digits.len() == 1) {
        return None;
    }
    let scale = point.map_or(0, |at| digits.len() - at - 1);
    let value = value as f64 / EXACT_POWERS[scale];
    Some(if negative { -value } else { value })
}

fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" | "+Infinity" | "Inf" | "+Inf" => Some(f64::INFINITY),
        "-Infinity" | "-Inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The number without Java's suffix, unless it is one of Rust's words for what is no number.
fn java_number(text: &str) -> Option<&str> {
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    plain.then_some(number)
}

/// The unscaled value of a decimal of at most 18 digits.
#[inline]
pub(in crate::format) fn narrow_decimal(text: &[u8], precision: u8, scale: i8) -> Option<i64> {
    // Few digits, none of them beyond the scale: 64 bits do.
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let wanted = usize::try_from(scale).unwrap_or(0);
    let (mut value, mut after, mut point) = (0i64, 0, false);
    let mut plain = rest.len() + wanted <= 18 && rest.len() > 1;
    for &byte in rest.iter().take(18) {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + i64::from(digit);
            after += usize::from(point);
        } else {
            plain &= byte == b'.' && !point;
            point = true;
        }
    }
    if plain && after <= wanted {
        let value = value * POWERS[wanted - after] as i64;
        return (value < POWERS[usize::from(precision)] as i64).then_some(if negative { -value } else { value });
    }
    decimal(text, precision, scale).map(|value| value as i64)
}

/// The unscaled value of a decimal of `precision` and `scale`; digits beyond the scale are rounded
/// half up, an exponent may follow.
#[inline]
pub(in crate::format) fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mut value, mut digits, mut after, mut point) = (0i128, 0usize, 0i32, false);
    let mut exponent = 0i32;
    for (at, &byte) in rest.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            // More digits than a decimal can have: those that cannot matter are dropped below.
            if value >= POWERS[37] {
                return long_decimal(text, precision, scale);
            }
            value = value * 10 + i128::from(digit);
            digits += 1;
            after += i32::from(point);
        } else if byte == b'.' && !point {
            point = true;
        } else if (byte == b'e' || byte == b'E') && digits > 0 {
            exponent = i32::try_from(integer(&rest[at + 1..])?).ok()?;
            break;
        } else {
            return None;
        }
    }
    if digits == 0 {
        return None;
    }
    // Digits after the point that the value has, against those that it should have.
    let shift = i32::from(scale).checked_sub(after)?.checked_add(exponent)?;
    let value = rescale(value, shift)?;
    (value < POWERS[usize::from(precision)]).then_some(if negative { -value } else { value })
}

fn rescale(value: i128, shift: i32) -> Option<i128> {
    match usize::try_from(shift) {
        Ok(_) if value == 0 => Some(0),
        Ok(up) => value.checked_mul(*POWERS.get(up)?),
        Err(_) => match POWERS.get(shift.unsigned_abs() as usize) {
            Some(power) => Some((value + power / 2) / power),
            None => Some(0),
        },
    }
}

/// A decimal with more digits than 38, many of which stand behind its scale.
fn long_decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    if text.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return None;
    }
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let fraction = text.get(point + 1..).unwrap_or_default();
    let keep = usize::try_from(scale).ok()? + 1;
    if fraction.len() <= keep || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // The first digit that is dropped decides how to round.
    decimal(&text[..point + 1 + keep], precision, scale)
}

/// Digits before the point and after it of a plain decimal number; an exponent moves the point.
pub(in crate::format) fn decimal_shape(text: &[u8]) -> Option<(usize, i32)> {
    let rest = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let (mut digits, mut after, mut point) = (0usize, 0i32, false);
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            b'0' if digits == 0 && !point => {}
            b'0'..=b'9' => {
                digits += 1;
                after += i32::from(point);
            }
            b'.' if !point => point = true,
            b'e' | b'E' if at > 0 => {
                return Some((digits, after.checked_sub(i32::try_from(integer(&rest[at + 1..])?).ok()?)?));
            }
            _ => return None,
        }
    }
    rest.iter().any(u8::is_ascii_digit).then_some((digits, after))
}

/// Bytes in base 64, padded or not.
pub(in crate::format) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for &byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    (text.len() % 4 != 1).then_some(bytes)
}

/// Without blanks at both ends.
#[inline]
pub(in crate::format) fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, value) in
            [("1", 1), ("+2", 2), ("-3", -3), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(integer(text.as_bytes()), Some(value));
        }
        for text in
            ["", "-", " 1", "1 ", "1.0", "1e2", "9223372036854775808", "99999999999999999999999999999999999999999999", "x"]
        {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_are_those_of_the_library() {
        for text in
            ["0", "-0", "1.5", ".5", "5.", "123456789.125", "0.1", "901234.56789", "1e5", "9007199254740993", "1e-320", "-17.25"]
        {
            assert_eq!(double(text.as_bytes()).map(f64::to_bits), text.parse::<f64>().ok().map(f64::to_bits), "{text}");
        }
        assert_eq!(double(b" 1.5d "), Some(1.5));
        assert_eq!(float(b"1f"), Some(1.0));
        assert!(double(b"NaN").unwrap().is_nan());
        assert_eq!(double(b"-Infinity"), Some(f64::NEG_INFINITY));
        for text in ["", ".", "-", "inf", "nan", "infinity", "1,5", "1_0", "--1", "1.2.3"] {
            assert_eq!(double(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimals_round_half_up_and_know_their_limits() {
        for (text, value) in [
            ("1.005", 101),
            ("1.004", 100),
            ("-1.005", -101),
            ("1e2", 10000),
            ("-0.5", -50),
            ("999.99", 99999),
            ("7", 700),
            ("0e99", 0),
        ] {
            assert_eq!(decimal(text.as_bytes(), 5, 2), Some(value), "{text}");
        }
        for text in [
            "1",
            "12",
            "1.5",
            "-1.50",
            "999.99",
            "1000",
            "1.",
            ".5",
            ".",
            "",
            "-",
            "1..2",
            "1e1",
            "1.234",
            "x1",
            "000000000000000001.5",
        ] {
            assert_eq!(narrow_decimal(text.as_bytes(), 5, 2).map(i128::from), decimal(text.as_bytes(), 5, 2), "{text}");
        }
        for text in ["12345.6", "999.995", "", ".", " 1", "abc", "1e", "1e99", "1.2.3"] {
            assert_eq!(decimal(text.as_bytes(), 5, 2), None, "{text}");
        }
        assert_eq!(decimal(b"99999999999999999999999999999999999999", 38, 0), Some(POWERS[37] * 10 - 1));
        assert_eq!(decimal(b"999999999999999999999999999999999999999", 38, 0), None);
        assert_eq!(decimal(b"0.33333333333333333333333333333333333333333333333333", 10, 3), Some(333));
        assert_eq!(decimal_shape(b"-00123.450"), Some((6, 3)));
        assert_eq!(decimal_shape(b"1e3"), Some((1, -3)));
        assert_eq!(decimal_shape(b"x"), None);
    }

    #[test]
    fn bytes_in_base_64() {
        assert_eq!(base64(b"YWJj").as_deref(), Some(&b"abc"[..]));
        assert_eq!(base64(b"YWI=").as_deref(), Some(&b"ab"[..]));
        assert_eq!(base64(b"").as_deref(), Some(&b""[..]));
        assert_eq!(base64(b"a b"), None);
        assert_eq!(base64(b"a"), None);
    }
}
