//! Functions of numbers and of their bits, the rarer ones.

use super::row::{Call, Gives, Row, Shape, partial, total};
use super::value::Value;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;

macro_rules! double {
    ($name:literal, $f:expr) => {
        total($name, "D", Gives::Double, |_, a| Ok(Value::Double($f(a[0].double()))))
    };
}

pub(super) static ROWS: &[Row] = &[
    double!("acosh", |x: f64| (x + (x * x - 1.0).sqrt()).ln()),
    double!("asinh", |x: f64| if x.is_infinite() { x } else { (x + (x * x + 1.0).sqrt()).ln() }),
    double!("atanh", |x: f64| 0.5 * (x.ln_1p() - (-x).ln_1p())),
    double!("cosh", f64::cosh),
    double!("sinh", f64::sinh),
    double!("tanh", f64::tanh),
    double!("cot", |x: f64| 1.0 / x.tan()),
    double!("csc", |x: f64| 1.0 / x.sin()),
    double!("sec", |x: f64| 1.0 / x.cos()),
    double!("expm1", f64::exp_m1),
    double!("rint", f64::round_ties_even),
    total("log1p", "D", Gives::Double, |_, a| {
        let x = a[0].double();
        Ok(if x <= -1.0 { Value::Null } else { Value::Double(x.ln_1p()) })
    }),
    total("log", "DD?", Gives::Double, |_, a| {
        let positive = |x: f64| x > 0.0 || x.is_nan();
        Ok(match a {
            [x] if positive(x.double()) => Value::Double(x.double().ln()),
            [base, x] if positive(base.double()) && positive(x.double()) => Value::Double(x.double().ln() / base.double().ln()),
            _ => Value::Null,
        })
    }),
    total("atan2", "DD", Gives::Double, |_, a| Ok(Value::Double((a[0].double() + 0.0).atan2(a[1].double() + 0.0)))),
    total("hypot", "DD", Gives::Double, |_, a| Ok(Value::Double(a[0].double().hypot(a[1].double())))),
    total("e", "", Gives::Double, |_, _| Ok(Value::Double(std::f64::consts::E))),
    total("pi", "", Gives::Double, |_, _| Ok(Value::Double(std::f64::consts::PI))),
    total("positive", "N", Gives::Like(0), |_, a| Ok(a[0].clone())),
    total("factorial", "I", Gives::Long, |_, a| {
        let n = a[0].int();
        Ok(if (0..=20).contains(&n) { Value::Int((1..=n).product()) } else { Value::Null })
    }),
    total("bin", "L", Gives::Text, |_, a| Ok(Value::string(format!("{:b}", a[0].int())))),
    partial("conv", "SII", Gives::Text, conv),
    partial("bround", "NI?", ROUNDED, |call, a| round(call, a, half_even)),
    partial("ceil_to", "@decimal", ROUNDED, |call, a| round(call, a, |value, unit| -(-value).div_euclid(unit))),
    partial("floor_to", "@decimal", ROUNDED, |call, a| round(call, a, i128::div_euclid)),
    total("width_bucket", "@bucket", Gives::Long, |_, a| Ok(width_bucket(a))),
    total("greatest", "CCC*", Gives::Like(0), |_, a| Ok(extreme(a, std::cmp::Ordering::Greater))).sees_null(),
    total("least", "CCC*", Gives::Like(0), |_, a| Ok(extreme(a, std::cmp::Ordering::Less))).sees_null(),
    total("isnan", "D", Gives::Bool, |_, a| Ok(Value::Bool(a[0].double().is_nan() && !a[0].is_null()))).sees_null(),
    total("nanvl", "DD", Gives::Double, |_, a| {
        Ok(if !a[0].is_null() && a[0].double().is_nan() { a[1].clone() } else { a[0].clone() })
    })
    .sees_null(),
    total("nullifzero", "N", Gives::Like(0), |_, a| Ok(if a[0].double() == 0.0 { Value::Null } else { a[0].clone() })),
    total("zeroifnull", "@zero", Gives::Like(0), |_, a| Ok(if a[0].is_null() { Value::Int(0) } else { a[0].clone() }))
        .sees_null(),
    // Compiled as CASE; these bodies serve constants.
    total("coalesce", "C*", Gives::Like(0), |_, a| Ok(a.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null)))
        .sees_null(),
    total("nvl", "CC", Gives::Like(0), |_, a| Ok(if a[0].is_null() { a[1].clone() } else { a[0].clone() }))
        .or(&["ifnull"])
        .sees_null(),
    total("nvl2", ".CC", Gives::Like(1), |_, a| Ok(if a[0].is_null() { a[2].clone() } else { a[1].clone() })).sees_null(),
    total("if", "BCC", Gives::Like(1), |_, a| Ok(if a[0].is_true() { a[1].clone() } else { a[2].clone() }))
        .or(&["iff"])
        .sees_null(),
    total("equal_null", "CC", Gives::Bool, |_, a| Ok(Value::Bool(a[0].same(&a[1])))).sees_null(),
    total("isnull", ".", Gives::Bool, |_, a| Ok(Value::Bool(a[0].is_null()))).sees_null(),
    total("isnotnull", ".", Gives::Bool, |_, a| Ok(Value::Bool(!a[0].is_null()))).sees_null(),
    total("bitmap_bucket_number", "L", Gives::Long, |_, a| {
        let value = a[0].int();
        Ok(Value::Int(if value > 0 { 1 + (value - 1) / BITMAP } else { value / BITMAP }))
    }),
    total("bitmap_bit_position", "L", Gives::Long, |_, a| {
        let value = a[0].int();
        Ok(Value::Int(if value > 0 { (value - 1) % BITMAP } else { value.wrapping_neg() % BITMAP }))
    }),
    total("bitmap_count", "X", Gives::Long, |_, a| {
        Ok(Value::Int(a[0].bytes().iter().map(|byte| i64::from(byte.count_ones())).sum()))
    }),
    total("bit_count", ".", Gives::Int, |_, a| Ok(Value::Int(a[0].int().count_ones().into()))),
    partial("bit_get", "@bits", Gives::By(|_| Ok(DataType::Int8)), bit_get).or(&["getbit"]),
    total("bit_not", "@bits", Gives::Like(0), |_, a| Ok(Value::Int(!a[0].int()))),
    total("shiftleft", "@shift", Gives::Like(0), |call, a| {
        Ok(Value::Int(if is_long(call) {
            a[0].int().wrapping_shl(by(a))
        } else {
            (a[0].int() as i32).wrapping_shl(by(a)).into()
        }))
    }),
    total("shiftright", "@shift", Gives::Like(0), |call, a| {
        Ok(Value::Int(if is_long(call) {
            a[0].int().wrapping_shr(by(a))
        } else {
            (a[0].int() as i32).wrapping_shr(by(a)).into()
        }))
    }),
    total("shiftrightunsigned", "@shift", Gives::Like(0), |call, a| {
        let value = a[0].int();
        Ok(Value::Int(match is_long(call) {
            true => (value as u64).wrapping_shr(by(a)) as i64,
            false => ((value as i32 as u32).wrapping_shr(by(a)) as i32).into(),
        }))
    }),
    partial("assert_true", "BS?", Gives::By(|_| Ok(DataType::Null)), |_, a| match &a[0] {
        Value::Bool(true) => Ok(Value::Null),
        other => {
            let shown = if other.is_null() { "NULL" } else { "false" };
            let message = a.get(1).map_or(format!("the condition is {shown}, not true"), |message| message.text().to_owned());
            Err(Error::value(message))
        }
    })
    .sees_null(),
    partial("raise_error", "S", Gives::By(|_| Ok(DataType::Null)), |_, a| Err(Error::value(a[0].text()))).sees_null(),
];

/// Bits of one of Spark's bitmaps.
const BITMAP: i64 = 8 * 4096;

fn is_long(call: &Call) -> bool {
    call.result == DataType::Int64
}

fn by(a: &[Value]) -> u32 {
    a[1].int() as u32
}

fn extreme<'a>(a: &[Value<'a>], wanted: std::cmp::Ordering) -> Value<'a> {
    let mut best: Option<&Value> = None;
    for value in a.iter().filter(|value| !value.is_null()) {
        if best.is_none_or(|best| value.order(best) == wanted) {
            best = Some(value);
        }
    }
    best.cloned().unwrap_or(Value::Null)
}

/// `conv(digits, from, to)`: 64 bits without sign; a negative base to shows a sign.
fn conv<'a>(_: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let (text, from, to) = (a[0].text().trim_matches(' '), a[1].int(), a[2].int());
    if !(2..=36).contains(&from) || !(2..=36).contains(&to.abs()) {
        return Ok(Value::Null);
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.is_empty() {
        return Ok(if text.is_empty() { Value::Null } else { Value::string("0") });
    }
    let mut value: u64 = 0;
    for digit in digits.chars().map_while(|c| c.to_digit(from as u32)) {
        let next = value.checked_mul(from as u64).and_then(|value| value.checked_add(digit.into()));
        value = next.ok_or_else(|| Error::value(format!("'{text}' does not fit 64 bits")))?;
    }
    if negative && to > 0 {
        value = if (value as i64) < 0 { u64::MAX } else { (value as i64).wrapping_neg() as u64 };
    }
    let shows_sign = to < 0 && (negative || (value as i64) < 0);
    if to < 0 && !negative && (value as i64) < 0 {
        value = (value as i64).wrapping_neg() as u64;
    }
    let mut out = Vec::new();
    let base = to.unsigned_abs();
    loop {
        out.push(char::from_digit((value % base) as u32, base as u32).unwrap_or('0').to_ascii_uppercase());
        value /= base;
        if value == 0 {
            break;
        }
    }
    if shows_sign {
        out.push('-');
    }
    Ok(Value::string(out.into_iter().rev().collect::<String>()))
}

fn bit_get<'a>(call: &Call, a: &[Value<'a>]) -> Result<Value<'a>> {
    let bits = match call.types[0] {
        DataType::Int8 => 8,
        DataType::Int16 => 16,
        DataType::Int32 => 32,
        _ => 64,
    };
    let at = a[1].int();
    if !(0..bits).contains(&at) {
        return Err(Error::value(format!("the bit {at} is outside of 0 to {}", bits - 1)));
    }
    Ok(Value::Int(a[0].int() >> at & 1))
}

fn width_bucket<'a>(a: &[Value<'a>]) -> Value<'a> {
    let (value, low, high, count) = (a[0].double(), a[1].double(), a[2].double(), a[3].int());
    let bad = count <= 0 || count == i64::MAX || value.is_nan() || low == high || !low.is_finite() || !high.is_finite();
    if bad {
        return Value::Null;
    }
    let (lowest, highest) = (low.min(high), low.max(high));
    let descends = low > high;
    Value::Int(match () {
        () if value < lowest => {
            if descends {
                count + 1
            } else {
                0
            }
        }
        () if value > highest || (value == highest && !descends) => {
            if descends {
                0
            } else {
                count + 1
            }
        }
        () if descends && value == lowest => count + 1,
        () if descends => (count as f64 * (highest - value) / (highest - lowest)) as i64 + 1,
        () => (count as f64 * (value - lowest) / (highest - lowest)) as i64 + 1,
    })
}

/// The type of a rounded number: of a decimal one with as many decimals as asked for.
const ROUNDED: Gives = Gives::By(|shape: &Shape| {
    let from = shape.of(0);
    let DataType::Decimal128(p, s) = from else { return Ok(from) };
    let places = places_of(shape.constants.get(1))?;
    let (p, s) = (i32::from(p), i32::from(s));
    let whole = p - s + 1;
    Ok(if places < 0 {
        DataType::Decimal128(whole.max(1 - places).min(38) as u8, 0)
    } else {
        DataType::Decimal128((whole + s.min(places)).min(38) as u8, s.min(places) as i8)
    })
});

fn places_of(constant: Option<&Option<datafusion_common::ScalarValue>>) -> Result<i32> {
    match constant {
        None => Ok(0),
        Some(Some(value)) => match value.cast_to(&DataType::Int32)? {
            datafusion_common::ScalarValue::Int32(Some(places)) => Ok(places),
            _ => Err(Error::unsupported("rounding to a NULL number of places")),
        },
        Some(None) => Err(Error::unsupported("rounding to a number of places that is not a constant")),
    }
}

fn half_even(value: i128, unit: i128) -> i128 {
    let (whole, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    match (rest * 2).cmp(&unit) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + (whole & 1),
    }
}

/// Rounds to a number of places by `divide(digits, unit)`.
fn round<'a>(call: &Call, a: &[Value<'a>], divide: fn(i128, i128) -> i128) -> Result<Value<'a>> {
    let places = a.get(1).map_or(0, Value::int).clamp(-400, 400) as i32;
    let unit = |digits: i32| 10_i128.checked_pow(digits.unsigned_abs());
    Ok(match &a[0] {
        Value::Decimal(value, scale) => {
            let cut = i32::from(*scale) - places;
            if cut <= 0 {
                return Ok(a[0].clone());
            }
            let rounded = unit(cut).map_or(0, |unit| divide(*value, unit));
            match places {
                0.. => Value::Decimal(rounded, places as i8),
                _ => match unit(places).and_then(|unit| rounded.checked_mul(unit)) {
                    Some(value) => Value::Decimal(value, 0),
                    None => return Err(Error::value("overflow")),
                },
            }
        }
        Value::Int(value) if places < 0 => match unit(places) {
            Some(unit) => {
                let rounded = divide(i128::from(*value), unit) * unit;
                Value::Int(i64::try_from(rounded).map_err(|_| Error::value("overflow"))?)
            }
            None => Value::Int(0),
        },
        Value::Double(value) if value.is_finite() && places < 300 => {
            let text = if call.result == DataType::Float32 { format!("{:e}", *value as f32) } else { format!("{value:e}") };
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let scale = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
            let digits: i128 = digits.replace('.', "").parse().unwrap_or(0);
            let cut = scale - exponent.parse::<i32>().unwrap_or(0) - places;
            if cut <= 0 {
                return Ok(a[0].clone());
            }
            let rounded = unit(cut).map_or(0, |unit| divide(digits, unit));
            Value::Double(format!("{rounded}e{}", -places).parse().unwrap_or(*value))
        }
        other => other.clone(),
    })
}
