//! `format_string(format, values..)`: the conversions of Java's `Formatter`.

use super::row::{Call, Gives, Row, partial};
use super::show;
use super::value::Value;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;

pub(super) static ROWS: &[Row] = &[partial("format_string", "@format", Gives::Text, printf).or(&["printf"]).sees_null()];

/// `%[index$][flags][width][.precision]conversion`.
#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    group: bool,
    parens: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// Longest result of one conversion; a format that asks for more is a mistake. Guessed.
const WIDTH_MAX: usize = 1 << 20;

fn printf<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    if a[0].is_null() {
        return Ok(Value::Null);
    }
    let format = a[0].text();
    let wrong = |what: &str| Error::value(format!("'{format}' is no format: {what}"));
    let mut out = String::with_capacity(format.len());
    let mut chars = format.chars().peekable();
    let (mut next, mut last) = (1, 1);
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut number = String::new();
        let mut index = None;
        // A number is an index when a $ follows, else a width.
        while let Some(digit) = chars.next_if(|c| c.is_ascii_digit() && (!number.is_empty() || *c != '0')) {
            number.push(digit);
        }
        if !number.is_empty() && chars.next_if_eq(&'$').is_some() {
            index = number.parse::<usize>().ok();
            number.clear();
        }
        if chars.next_if_eq(&'<').is_some() {
            index = Some(last);
        }
        if number.is_empty() {
            while let Some(flag) = chars.next_if(|c| "-+ 0,(#".contains(*c)) {
                match flag {
                    '-' => spec.left = true,
                    '+' => spec.plus = true,
                    ' ' => spec.space = true,
                    '0' => spec.zero = true,
                    ',' => spec.group = true,
                    '(' => spec.parens = true,
                    _ => spec.alternate = true,
                }
            }
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                number.push(digit);
            }
        }
        let bounded = |text: &str| text.parse::<usize>().ok().filter(|n| *n <= WIDTH_MAX).ok_or_else(|| wrong("it is too wide"));
        if !number.is_empty() {
            spec.width = bounded(&number)?;
        }
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            spec.precision = Some(bounded(&digits)?);
        }
        let Some(conversion) = chars.next() else { return Err(wrong("it ends within a conversion")) };
        match conversion {
            '%' => {
                out.push_str(&spec.pad("%".into()));
                continue;
            }
            'n' => {
                out.push('\n');
                continue;
            }
            _ => {}
        }
        let at = index.unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        last = at;
        let (Some(value), Some(data_type)) = (a.get(at).filter(|_| at > 0), call.types.get(at)) else {
            return Err(wrong("it asks for more values than there are"));
        };
        let text = spec
            .convert(conversion, value, data_type)
            .ok_or_else(|| wrong(&format!("%{conversion} does not take {}", super::super::cast::sql_type(data_type))))?;
        out.push_str(&text);
    }
    Ok(Value::string(out))
}

impl Spec {
    fn pad(&self, text: String) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left { text + &" ".repeat(missing) } else { " ".repeat(missing) + &text }
    }

    fn convert(&self, conversion: char, value: &Value, data_type: &DataType) -> Option<String> {
        let cut = |text: String| match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        };
        let upper = conversion.is_ascii_uppercase();
        let text = match conversion.to_ascii_lowercase() {
            'b' => cut(match value {
                Value::Null => "false".to_owned(),
                Value::Bool(value) => value.to_string(),
                _ => "true".to_owned(),
            }),
            's' => cut(if value.is_null() { "null".to_owned() } else { show::text(value, data_type) }),
            _ if value.is_null() => cut("null".to_owned()),
            'c' => match value {
                Value::Int(code) => char::from_u32(u32::try_from(*code).ok()?)?.to_string(),
                _ => return None,
            },
            'd' => match value {
                Value::Int(value) if data_type.is_integer() => {
                    self.signed(*value < 0, value.unsigned_abs().to_string(), String::new())
                }
                _ => return None,
            },
            'x' | 'o' => match value {
                Value::Int(value) => {
                    let mask = match data_type {
                        DataType::Int8 => 0xff,
                        DataType::Int16 => 0xffff,
                        DataType::Int32 => 0xffff_ffff,
                        _ => u64::MAX,
                    };
                    let bits = *value as u64 & mask;
                    let (digits, mark) = if conversion.eq_ignore_ascii_case(&'x') {
                        (format!("{bits:x}"), "0x")
                    } else {
                        (format!("{bits:o}"), "0")
                    };
                    let text = if self.alternate { format!("{mark}{digits}") } else { digits };
                    if self.zero { format!("{text:0>width$}", width = self.width) } else { text }
                }
                _ => return None,
            },
            'h' => match value {
                Value::Int(value) => format!("{:x}", (*value ^ *value >> 32) as u32),
                _ => return None,
            },
            letter @ ('f' | 'e' | 'g') => match value {
                Value::Double(_) | Value::Decimal(..) => self.real(letter, value)?,
                _ => return None,
            },
            't' => return None,
            _ => return None,
        };
        let text = self.pad(text);
        Some(if upper { text.to_uppercase() } else { text })
    }

    fn real(&self, letter: char, value: &Value) -> Option<String> {
        let number = value.double();
        if !number.is_finite() {
            let text = if number.is_nan() { "NaN" } else { "Infinity" };
            return Some(match () {
                () if number < 0.0 && self.parens => format!("({text})"),
                () if number < 0.0 => format!("-{text}"),
                () if self.plus && !number.is_nan() => format!("+{text}"),
                () => text.to_owned(),
            });
        }
        let precision = self.precision.unwrap_or(6);
        let (negative, text) = match (letter, value) {
            ('f', Value::Decimal(digits, scale)) => {
                (*digits < 0, super::super::parse::decimal_text(rounded(*digits, i32::from(*scale), precision)?, precision as i8))
            }
            ('f', _) => (number.is_sign_negative(), fixed(number, precision)),
            ('e', _) => (number.is_sign_negative(), scientific(number, precision)),
            _ => {
                let precision = precision.max(1);
                let size = number.abs();
                let text = if size != 0.0 && !(1e-4..10_f64.powi(precision as i32)).contains(&size) {
                    scientific(number, precision - 1)
                } else {
                    let whole = if size == 0.0 { 1 } else { size.log10().floor() as i32 + 1 };
                    fixed(number, (precision as i32 - whole).max(0) as usize)
                };
                (number.is_sign_negative(), text)
            }
        };
        let text = text.trim_start_matches('-');
        let (whole, rest) = text.find(['.', 'e']).map_or((text, ""), |at| text.split_at(at));
        Some(self.signed(negative, whole.to_owned(), rest.to_owned()))
    }

    /// Groups, signs and zeros around digits.
    fn signed(&self, negative: bool, digits: String, rest: String) -> String {
        let digits = match self.group {
            true => {
                let mut out = String::new();
                for (at, c) in digits.chars().enumerate() {
                    if at > 0 && (digits.len() - at).is_multiple_of(3) {
                        out.push(',');
                    }
                    out.push(c);
                }
                out
            }
            false => digits,
        };
        let (before, after) = match negative {
            true if self.parens => ("(", ")"),
            true => ("-", ""),
            false if self.plus => ("+", ""),
            false if self.space => (" ", ""),
            false => ("", ""),
        };
        let used = before.len() + after.len() + digits.len() + rest.len();
        let zeros = if self.zero { "0".repeat(self.width.saturating_sub(used)) } else { String::new() };
        format!("{before}{zeros}{digits}{rest}{after}")
    }
}

/// Java rounds the shortest decimal text HALF_UP.
fn fixed(value: f64, precision: usize) -> String {
    match super::super::parse::decimal(&format!("{:e}", value.abs()), precision as i32) {
        Some(scaled) => super::super::parse::decimal_text(scaled, precision.min(127) as i8),
        None => format!("{:.precision$}", value.abs()),
    }
}

fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mut exponent: i32 = exponent.parse().unwrap_or(0);
    let mut scaled = fixed(mantissa.parse().unwrap_or(0.0), precision);
    if scaled.starts_with("10") {
        scaled = fixed(1.0, precision);
        exponent += 1;
    }
    format!("{scaled}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn rounded(digits: i128, scale: i32, precision: usize) -> Option<i128> {
    super::super::decimal::rescale(digits, scale, precision as i32)
}
