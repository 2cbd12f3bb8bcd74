//! Numbers as text by a pattern of digits (`to_char`, `to_number`, `format_number`).
//!
//! ```text
//!   '$99G999D00S'   S or MI  sign, first or last      $  currency     9 0  digits
//!                   , or G   group                    . or D  point    PR  <negative>
//! ```

use super::row::{Call, Gives, Row, Shape, partial};
use super::signature::{is_binary, is_moment};
use super::value::Value;
use super::{encodings, patterns};
use crate::error::{Error, Result};
use arrow::datatypes::DataType;

pub(super) static ROWS: &[Row] = &[
    partial("to_char", "@char", Gives::Text, to_char).or(&["to_varchar"]),
    partial("to_number", "SS", NUMBER, to_number),
    partial("try_to_number", "SS", NUMBER, to_number).attempt(),
    partial("format_number", "N.", Gives::Text, format_number),
];

const NUMBER: Gives = Gives::By(|shape: &Shape| {
    let Some(text) = shape.text(1) else { return Err(Error::unsupported("a format of numbers that is not a constant")) };
    let pattern = Pattern::parse(text)?;
    Ok(DataType::Decimal128((pattern.whole() + pattern.fraction.len()).max(1) as u8, pattern.fraction.len() as i8))
});

/// A pattern taken apart.
#[derive(Debug, Default, Clone)]
struct Pattern {
    /// Digits and groups in front of the point.
    integral: Vec<char>,
    /// Digits behind it.
    fraction: Vec<char>,
    point: bool,
    dollar: bool,
    /// `S` or `M` (for MI), and whether it stands first.
    sign: Option<(char, bool)>,
    angle: bool,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::value(format!("'{text}' is no format of numbers: {why}"));
        let upper = text.to_ascii_uppercase();
        let mut rest = upper.as_str();
        let mut pattern = Self::default();
        for (mark, name) in [("S", 'S'), ("MI", 'M')] {
            if let Some(after) = rest.strip_prefix(mark) {
                (pattern.sign, rest) = (Some((name, true)), after);
                break;
            }
        }
        if let Some(after) = rest.strip_prefix('$') {
            (pattern.dollar, rest) = (true, after);
        }
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.peek().copied() {
            match c {
                '0' | '9' if pattern.point => pattern.fraction.push(c),
                '0' | '9' => pattern.integral.push(c),
                ',' | 'G' if !pattern.point => pattern.integral.push(','),
                '.' | 'D' if !pattern.point => pattern.point = true,
                _ => {
                    rest = &rest[at..];
                    break;
                }
            }
            chars.next();
        }
        if chars.peek().is_none() {
            rest = "";
        }
        if let Some(after) = rest.strip_prefix('$').filter(|_| !pattern.dollar) {
            (pattern.dollar, rest) = (true, after);
        }
        match rest {
            "" => {}
            "S" | "MI" if pattern.sign.is_none() => pattern.sign = Some((if rest == "S" { 'S' } else { 'M' }, false)),
            "PR" if pattern.sign.is_none() => pattern.angle = true,
            "SPR" | "PRS" => return Err(wrong("it has two signs")),
            _ => return Err(wrong("it has a character out of place")),
        }
        let digit = |c: Option<&char>| c.is_some_and(|c| *c != ',');
        let groups = pattern.integral.iter().enumerate().filter(|(_, c)| **c == ',');
        for (at, _) in groups {
            if !digit(pattern.integral.get(at + 1)) || at == 0 || !digit(pattern.integral.get(at - 1)) {
                return Err(wrong("a group needs digits on both sides"));
            }
        }
        if pattern.whole() + pattern.fraction.len() == 0 {
            return Err(wrong("it has no digits"));
        }
        if pattern.whole() + pattern.fraction.len() > 38 {
            return Err(wrong("it has more than 38 digits"));
        }
        Ok(pattern)
    }

    /// Digits in front of the point.
    fn whole(&self) -> usize {
        self.integral.iter().filter(|c| **c != ',').count()
    }
}

fn to_number<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let pattern = Pattern::parse(a[1].text())?;
    let wrong = || Error::value(format!("'{}' does not match the format '{}'", a[0].text(), a[1].text()));
    let mut rest = a[0].text().trim();
    let mut negative = false;
    if pattern.angle
        && let Some(inner) = rest.strip_prefix('<')
    {
        (negative, rest) = (true, inner.strip_suffix('>').ok_or_else(wrong)?);
    }
    if let Some((sign, first)) = pattern.sign {
        let take = |rest: &mut &str, c: char| {
            let cut = if first { rest.strip_prefix(c) } else { rest.strip_suffix(c) };
            cut.is_some_and(|cut| {
                *rest = cut;
                true
            })
        };
        if take(&mut rest, '-') {
            negative = true;
        } else if sign == 'S' {
            take(&mut rest, '+');
        }
    }
    if pattern.dollar {
        rest = rest.strip_prefix('$').or_else(|| rest.strip_suffix('$')).ok_or_else(wrong)?;
    }
    let (integral, fraction) = rest.split_once('.').map_or((rest, None), |(integral, fraction)| (integral, Some(fraction)));
    if fraction.is_some() && !pattern.point {
        return Err(wrong());
    }
    // From the point outwards both must have the same groups.
    let mut wanted = pattern.integral.iter().rev().peekable();
    let mut digits = Vec::new();
    for c in integral.chars().rev() {
        match (wanted.next(), c) {
            (Some(','), ',') => {}
            (Some('0' | '9'), '0'..='9') => digits.push(c),
            _ => return Err(wrong()),
        }
    }
    // Digits that a leading zero of the format asks for.
    let left: Vec<&char> = wanted.collect();
    if pattern.integral.first() == Some(&'0') && left.iter().any(|c| **c != ',') {
        return Err(wrong());
    }
    digits.reverse();
    let fraction = fraction.unwrap_or_default();
    if fraction.len() > pattern.fraction.len()
        || !fraction.bytes().all(|b| b.is_ascii_digit())
        || (digits.is_empty() && fraction.is_empty())
    {
        return Err(wrong());
    }
    digits.extend(fraction.chars());
    digits.extend(std::iter::repeat_n('0', pattern.fraction.len() - fraction.len()));
    let value: i128 = digits.into_iter().collect::<String>().parse().map_err(|_| wrong())?;
    Ok(Value::Decimal(if negative { -value } else { value }, pattern.fraction.len() as i8))
}

fn to_char<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    if is_moment(&call.types[0]) {
        return patterns::format(call, a);
    }
    if is_binary(&call.types[0]) {
        return match a[1].text().to_lowercase().as_str() {
            "hex" => Ok(Value::string(encodings::hex(a[0].bytes()))),
            "base64" => Ok(Value::string(encodings::to_base64(a[0].bytes()))),
            "utf-8" | "utf8" => Ok(Value::string(String::from_utf8_lossy(a[0].bytes()))),
            other => Err(Error::value(format!("'{other}' is no format of bytes")).with_hint("hex, utf-8 or base64")),
        };
    }
    let pattern = Pattern::parse(a[1].text())?;
    let (value, scale) = match &a[0] {
        Value::Decimal(value, scale) => (*value, *scale),
        other => (i128::from(other.int()), 0),
    };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale.max(0) as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale.max(0) as usize);
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let fits = whole.len() <= pattern.whole() && fraction.len() <= pattern.fraction.len();
    let mut pending = whole.chars().rev();
    let mut integral = Vec::new();
    for (at, slot) in pattern.integral.iter().enumerate().rev() {
        // A zero in front of a slot makes it shown.
        let shown = pattern.integral[..=at].first() == Some(&'0');
        integral.push(match slot {
            _ if !fits => {
                if *slot == ',' {
                    ','
                } else {
                    '#'
                }
            }
            ',' => {
                if pending.clone().next().is_some() || shown {
                    ','
                } else {
                    ' '
                }
            }
            _ => pending.next().unwrap_or(if shown { '0' } else { ' ' }),
        });
    }
    let mut body: String = integral.into_iter().rev().collect();
    if pattern.point {
        body.push('.');
        for at in 0..pattern.fraction.len() {
            body.push(if fits { fraction.chars().nth(at).unwrap_or('0') } else { '#' });
        }
    }
    let blank = body.len() - body.trim_start_matches(' ').len();
    let (lead, mut core) = (" ".repeat(blank), body[blank..].to_owned());
    if pattern.dollar {
        core.insert(0, '$');
    }
    let negative = value < 0;
    if let Some((sign, first)) = pattern.sign {
        let mark = match (negative, sign) {
            (true, _) => '-',
            (false, 'S') => '+',
            _ => ' ',
        };
        if first { core.insert(0, mark) } else { core.push(mark) }
    }
    let text = match (pattern.angle, negative) {
        (true, true) => format!("{lead}<{core}>"),
        (true, false) => format!("{lead} {core} "),
        _ => lead + &core,
    };
    Ok(Value::string(text))
}

/// `format_number(x, places)` or by a pattern such as `#,###.00`; halves go to the even digit.
fn format_number<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let (least, most, grouped, whole) = match &a[1] {
        Value::Text(pattern) if pattern.is_empty() => (0, 0, true, 1),
        Value::Text(pattern) => {
            let (integral, fraction) = pattern.split_once('.').unwrap_or((pattern, ""));
            if !pattern.chars().all(|c| matches!(c, '#' | '0' | ',' | '.')) {
                return Err(Error::value(format!("'{pattern}' is no format of numbers")));
            }
            let zeros = |text: &str| text.chars().filter(|c| *c == '0').count();
            (zeros(fraction), fraction.len(), integral.contains(','), zeros(integral))
        }
        places => match usize::try_from(places.int()) {
            Ok(places) => (places, places, true, 1),
            Err(_) => return Ok(Value::Null),
        },
    };
    let text = match &a[0] {
        Value::Double(value) if value.is_nan() => return Ok(Value::string("NaN")),
        Value::Double(value) if value.is_infinite() => {
            return Ok(Value::string(if *value > 0.0 { "∞" } else { "-∞" }));
        }
        Value::Double(value) => format!("{value:.most$}"),
        other => {
            let (value, scale) = match other {
                Value::Decimal(value, scale) => (*value, i32::from(*scale)),
                other => (i128::from(other.int()), 0),
            };
            let cut = scale - most as i32;
            let unit = 10_i128.checked_pow(cut.max(0) as u32).unwrap_or(i128::MAX);
            let (quotient, rest) = (value.unsigned_abs() / unit.unsigned_abs(), value.unsigned_abs() % unit.unsigned_abs());
            let up = match (rest * 2).cmp(&unit.unsigned_abs()) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => quotient % 2 == 1,
                std::cmp::Ordering::Less => false,
            };
            let digits = (quotient + u128::from(up)).to_string() + &"0".repeat((-cut).max(0) as usize);
            let digits = format!("{digits:0>width$}", width = most + 1);
            let (integral, fraction) = digits.split_at(digits.len() - most);
            format!("{}{integral}{}{fraction}", if value < 0 { "-" } else { "" }, if most > 0 { "." } else { "" })
        }
    };
    let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |text| (true, text));
    let (integral, fraction) = text.split_once('.').unwrap_or((text, ""));
    let integral = integral.trim_start_matches('0');
    let integral = format!("{integral:0>whole$}");
    let mut out = String::new();
    for (at, c) in integral.chars().enumerate() {
        if grouped && at > 0 && (integral.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    let mut fraction = fraction.to_owned();
    while fraction.len() > least && fraction.ends_with('0') {
        fraction.pop();
    }
    if !fraction.is_empty() {
        out = format!("{out}.{fraction}");
    }
    Ok(Value::string(if negative { format!("-{out}") } else { out }))
}
