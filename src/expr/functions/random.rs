//! Functions that give something else at every call. With a seed a query gives the same numbers
//! again as long as its rows come in the same order; they are not Spark's numbers.

use super::row::{Call, Gives, Row, Shape, partial, total};
use super::signature::common_type;
use super::value::Value;
use crate::error::Error;
use arrow::datatypes::DataType;
use std::sync::atomic::Ordering;

pub(super) static ROWS: &[Row] = &[
    total("rand", "L?", Gives::Double, |call, a| Ok(Value::Double(unit(next(call, a.first()))))).or(&["random"]).volatile(),
    total("randn", "L?", Gives::Double, |call, a| {
        // Box and Muller (1958).
        let (u, v) = (unit(next(call, a.first())), unit(next(call, a.first())));
        Ok(Value::Double((-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()))
    })
    .volatile(),
    total("uniform", "NNL?", UNIFORM, |call, a| {
        let share = unit(next(call, a.get(2)));
        let (low, high) = (a[0].double(), a[1].double());
        let value = low + (high - low) * share;
        Ok(if call.result.is_integer() { Value::Int(value as i64) } else { Value::Double(value) })
    })
    .volatile(),
    partial("randstr", "IL?", Gives::Text, |call, a| {
        const POOL: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let len = a[0].int();
        if !(0..=1 << 24).contains(&len) {
            return Err(Error::value(format!("a random string of {len} characters")));
        }
        let letter = || char::from(POOL[(next(call, a.get(1)) % POOL.len() as u64) as usize]);
        Ok(Value::string((0..len).map(|_| letter()).collect::<String>()))
    })
    .volatile(),
    total("shuffle", "AL?", Gives::Like(0), |call, a| {
        let mut items = a[0].items().to_vec();
        // Fisher and Yates (1938).
        for at in (1..items.len()).rev() {
            items.swap(at, (next(call, a.get(1)) % (at as u64 + 1)) as usize);
        }
        Ok(Value::List(items))
    })
    .volatile(),
    total("uuid", "", Gives::Text, |call, _| {
        let bits = u128::from(next(call, None)) << 64 | u128::from(next(call, None));
        // Version 4, variant 1 (RFC 9562).
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62;
        let hex = format!("{bits:032x}");
        Ok(Value::string(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])))
    })
    .volatile(),
];

const UNIFORM: Gives = Gives::By(|shape: &Shape| {
    let (low, high) = (shape.of(0), shape.of(1));
    Ok(match common_type(&low, &high) {
        Some(integer) if integer.is_integer() => integer,
        _ => DataType::Float64,
    })
});

/// The next 64 random bits of a call (Steele, Lea and Flood 2014: SplitMix64).
fn next(call: &Call, seed: Option<&Value>) -> u64 {
    let step = call.calls.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let start = seed.map_or(call.random, |seed| seed.int() as u64);
    let mut z = start.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// From 0 up to but without 1: 53 bits.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
