//! How constants of possibly different types compare.

use crate::expr::decimal::rescale;
use datafusion_common::ScalarValue as S;
use std::cmp::Ordering;

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// How two constants compare, where their types allow it. NaN is the largest value and equals
/// itself, -0.0 equals 0.0.
pub(crate) fn order(left: &S, right: &S) -> Option<Ordering> {
    if left.is_null() || right.is_null() {
        return None;
    }
    if let (Some(l), Some(r)) = (left.try_as_str().flatten(), right.try_as_str().flatten()) {
        return Some(l.cmp(r));
    }
    if let (Some(l), Some(r)) = (bytes(left), bytes(right)) {
        return Some(l.cmp(r));
    }
    if let (Some((l, left_scale)), Some((r, right_scale))) = (exact(left), exact(right)) {
        let scale = i32::from(left_scale.max(right_scale));
        let at = |value, own: i8| rescale(value, i32::from(own), scale);
        return Some(at(l, left_scale)?.cmp(&at(r, right_scale)?));
    }
    if let (Some(l), Some(r)) = (float(left), float(right)) {
        return Some(l.partial_cmp(&r).unwrap_or_else(|| l.is_nan().cmp(&r.is_nan())));
    }
    match (left, right) {
        (S::TimestampMicrosecond(Some(l), a), S::TimestampMicrosecond(Some(r), b)) if a.is_some() == b.is_some() => {
            Some(l.cmp(r))
        }
        (S::Date32(Some(l)), S::TimestampMicrosecond(Some(r), None)) => Some((i64::from(*l) * DAY_MICROS).cmp(r)),
        (S::TimestampMicrosecond(Some(l), None), S::Date32(Some(r))) => Some(l.cmp(&(i64::from(*r) * DAY_MICROS))),
        (S::Date32(Some(l)), S::Date32(Some(r))) => Some(l.cmp(r)),
        (S::Boolean(Some(l)), S::Boolean(Some(r))) => Some(l.cmp(r)),
        _ => None,
    }
}

/// Whether the constant is a floating-point number.
pub(super) fn is_float(value: &S) -> bool {
    matches!(value, S::Float32(Some(_)) | S::Float64(Some(_)))
}

fn float(value: &S) -> Option<f64> {
    match value {
        S::Float32(value) => value.map(f64::from),
        S::Float64(value) => *value,
        _ => None,
    }
}

fn bytes(value: &S) -> Option<&[u8]> {
    match value {
        S::Binary(value) | S::BinaryView(value) | S::LargeBinary(value) | S::FixedSizeBinary(_, value) => value.as_deref(),
        _ => None,
    }
}

/// Integers and decimals: digits and scale.
fn exact(value: &S) -> Option<(i128, i8)> {
    Some(match value {
        S::Int8(Some(v)) => (i128::from(*v), 0),
        S::Int16(Some(v)) => (i128::from(*v), 0),
        S::Int32(Some(v)) => (i128::from(*v), 0),
        S::Int64(Some(v)) => (i128::from(*v), 0),
        S::Decimal32(Some(v), _, scale) => (i128::from(*v), *scale),
        S::Decimal64(Some(v), _, scale) => (i128::from(*v), *scale),
        S::Decimal128(Some(v), _, scale) => (*v, *scale),
        _ => return None,
    })
}
