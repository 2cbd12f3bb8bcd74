//! Values of every ordered type as points on a line, so that ranges can be interpolated.

use datafusion_common::ScalarValue;

/// Where `value` lies: numbers are themselves, dates are days, timestamps days with a fraction,
/// strings the number their first six bytes spell. Monotone within one type. None: NULL or a type
/// without a line.
pub(super) fn point(value: &ScalarValue) -> Option<f64> {
    use ScalarValue as S;
    Some(match value {
        S::Boolean(v) => f64::from(u8::from((*v)?)),
        S::Int8(v) => f64::from((*v)?),
        S::Int16(v) => f64::from((*v)?),
        S::Int32(v) => f64::from((*v)?),
        S::Int64(v) => (*v)? as f64,
        S::UInt8(v) => f64::from((*v)?),
        S::UInt16(v) => f64::from((*v)?),
        S::UInt32(v) => f64::from((*v)?),
        S::UInt64(v) => (*v)? as f64,
        S::Float32(v) => f64::from((*v)?),
        S::Float64(v) => (*v)?,
        S::Decimal32(v, _, scale) => scaled(f64::from((*v)?), *scale),
        S::Decimal64(v, _, scale) => scaled((*v)? as f64, *scale),
        S::Decimal128(v, _, scale) => scaled((*v)? as f64, *scale),
        S::Date32(v) => f64::from((*v)?),
        S::Date64(v) => (*v)? as f64 / 86_400e3,
        S::TimestampSecond(v, _) => (*v)? as f64 / 86_400.0,
        S::TimestampMillisecond(v, _) => (*v)? as f64 / 86_400e3,
        S::TimestampMicrosecond(v, _) => (*v)? as f64 / 86_400e6,
        S::TimestampNanosecond(v, _) => (*v)? as f64 / 86_400e9,
        S::Utf8(v) | S::Utf8View(v) | S::LargeUtf8(v) => spelled(v.as_ref()?.as_bytes()),
        S::Binary(v) | S::BinaryView(v) | S::LargeBinary(v) => spelled(v.as_ref()?),
        S::Dictionary(_, v) => return point(v),
        _ => return None,
    })
    .filter(|point| point.is_finite())
}

/// Whether consecutive values lie one apart, so that a span counts values.
pub(super) fn is_discrete(value: &ScalarValue) -> bool {
    use ScalarValue as S;
    matches!(
        value,
        S::Boolean(_)
            | S::Int8(_)
            | S::Int16(_)
            | S::Int32(_)
            | S::Int64(_)
            | S::UInt8(_)
            | S::UInt16(_)
            | S::UInt32(_)
            | S::UInt64(_)
            | S::Date32(_)
    )
}

fn scaled(value: f64, scale: i8) -> f64 {
    value / 10f64.powi(i32::from(scale))
}

fn spelled(bytes: &[u8]) -> f64 {
    (0..6).fold(0.0, |sum, at| sum * 256.0 + f64::from(bytes.get(at).copied().unwrap_or(0)))
}
