//! Values of arrays as [`KeyPoint`]s: the ends of a column's values, and which rows lie in a range.
//! NULL is in no range.

use super::zones::KeyPoint;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use arrow::datatypes::{
    ArrowNativeTypeOp, DataType, Date32Type, Decimal64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

macro_rules! integers {
    ($array:expr, $function:ident($($argument:expr),*)) => {
        match $array.data_type() {
            DataType::Int8 => $function($array.as_primitive::<Int8Type>() $(, $argument)*),
            DataType::Int16 => $function($array.as_primitive::<Int16Type>() $(, $argument)*),
            DataType::Int32 => $function($array.as_primitive::<Int32Type>() $(, $argument)*),
            DataType::Int64 => $function($array.as_primitive::<Int64Type>() $(, $argument)*),
            DataType::Date32 => $function($array.as_primitive::<Date32Type>() $(, $argument)*),
            DataType::Decimal64(..) => $function($array.as_primitive::<Decimal64Type>() $(, $argument)*),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                $function($array.as_primitive::<TimestampMicrosecondType>() $(, $argument)*)
            }
            _ => None,
        }
    };
}

/// The least and the greatest value; none where all are NULL or the type has no points.
pub fn ends(array: &ArrayRef) -> Option<(KeyPoint, KeyPoint)> {
    if *array.data_type() == DataType::Utf8View {
        let mut values = array.as_string_view().iter().flatten();
        let first = values.next()?;
        let (min, max) = values.fold((first, first), |(min, max), value| (min.min(value), max.max(value)));
        return Some((KeyPoint::Text(min.as_bytes().into()), KeyPoint::Text(max.as_bytes().into())));
    }
    integers!(array, int_ends())
}

fn int_ends<T>(array: &PrimitiveArray<T>) -> Option<(KeyPoint, KeyPoint)>
where
    T: ArrowPrimitiveType,
    T::Native: ArrowNativeTypeOp + Into<i64>,
{
    let (min, max) = compute::min(array).zip(compute::max(array))?;
    Some((KeyPoint::Int(min.into()), KeyPoint::Int(max.into())))
}

/// The rows that are not below `low` and below `high`; NULL where `nulls`. None for other types.
pub fn within(array: &ArrayRef, low: Option<&KeyPoint>, high: Option<&KeyPoint>, nulls: bool) -> Option<BooleanBuffer> {
    let inside = match (array.data_type(), low, high) {
        (DataType::Utf8View, None | Some(KeyPoint::Text(_)), None | Some(KeyPoint::Text(_))) => {
            let values = array.as_string_view();
            let text = |point: Option<&KeyPoint>| match point {
                Some(KeyPoint::Text(text)) => Some(text.clone()),
                _ => None,
            };
            let (low, high) = (text(low), text(high));
            BooleanBuffer::collect_bool(values.len(), |row| {
                let value = values.value(row).as_bytes();
                low.as_ref().is_none_or(|low| value >= &**low) && high.as_ref().is_none_or(|high| value < &**high)
            })
        }
        (_, None | Some(KeyPoint::Int(_)), None | Some(KeyPoint::Int(_))) => {
            let int = |point: Option<&KeyPoint>| match point {
                Some(KeyPoint::Int(value)) => Some(*value),
                _ => None,
            };
            let (low, high) = (int(low).unwrap_or(i64::MIN), int(high));
            integers!(array, int_within(low, high))?
        }
        _ => return None,
    };
    Some(match array.logical_nulls() {
        None => inside,
        Some(valid) if nulls => &inside | &!valid.inner(),
        Some(valid) => &inside & valid.inner(),
    })
}

fn int_within<T>(array: &PrimitiveArray<T>, low: i64, high: Option<i64>) -> Option<BooleanBuffer>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    let values = array.values();
    Some(match high {
        Some(high) => BooleanBuffer::collect_bool(values.len(), |row| {
            let value: i64 = values[row].into();
            value >= low && value < high
        }),
        None => BooleanBuffer::collect_bool(values.len(), |row| values[row].into() >= low),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Float64Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn ranges_are_half_open_and_nulls_apart() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(3), None, Some(-2), Some(7)]));
        assert_eq!(ends(&days), Some((KeyPoint::Int(-2), KeyPoint::Int(7))));
        let (low, high) = (KeyPoint::Int(-2), KeyPoint::Int(7));
        let bits = |nulls, low, high| within(&days, low, high, nulls).unwrap().iter().collect::<Vec<_>>();
        assert_eq!(bits(false, Some(&low), Some(&high)), [true, false, true, false]);
        assert_eq!(bits(true, Some(&high), None), [false, true, false, true]);
        assert_eq!(bits(false, None, Some(&low)), [false; 4]);
    }

    #[test]
    fn strings_compare_as_bytes() {
        let words: ArrayRef = Arc::new(StringViewArray::from(vec!["b", "ab", "ć"]));
        assert_eq!(ends(&words).map(|(min, _)| min), Some(KeyPoint::Text("ab".as_bytes().into())));
        let b = KeyPoint::Text("b".as_bytes().into());
        assert_eq!(within(&words, Some(&b), None, false).unwrap().iter().collect::<Vec<_>>(), [true, false, true]);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        assert_eq!((ends(&floats), within(&floats, None, None, false)), (None, None));
    }
}
