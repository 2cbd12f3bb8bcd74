//! Arithmetic of aggregates over rows that stand for several: the optimizer's, not SQL's.
//!
//! | call | value | result |
//! | --- | --- | --- |
//! | `times_count(value, n)` | DECIMAL(p, s) | DECIMAL(38, s), narrow where 64 bits do |
//! | | BIGINT | DECIMAL(38, 0) |
//! | | DOUBLE | DOUBLE |
//! | `mean_of(sum, n)` | DECIMAL(p, s) | DECIMAL(38, s + 4), HALF_UP; NULL where n is 0 |
//! | | DOUBLE | DOUBLE; NULL where n is 0 |
//!
//! Unlike SQL's `*` and `/` these never give up scale for precision. NULL gives NULL; what does not
//! fit 38 digits raises.

use super::super::decimal::{decimal_array, decimal_values, divide_half_up, shape_of};
use super::super::kernel::{Arg, union_nulls};
use super::builtin::{Builtin, mismatch};
use super::strings::kernel;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, AsArray, Decimal64Array, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal64Type, Float64Type, Int64Type};
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

const DIGITS_MAX: u8 = 38;
/// The precision under which a wider decimal is held in 64 bits.
const NARROW_DIGITS: u8 = 18;
/// Digits that AVG adds to a decimal's scale, as in Spark.
const MEAN_DIGITS: i8 = 4;

/// `value` added up `n` times.
pub fn times_count() -> Arc<ScalarUDF> {
    Builtin::new(
        "times_count",
        same,
        |types, _| weighted_type("times_count", types, 0),
        |types, _, _, text| {
            let (scale, text) = (shape_of(&types[0]).map_or(0, |shape| shape.1), text.to_owned());
            match types[0] {
                DataType::Float64 => Ok(kernel(|args, rows| doubles(args, rows, |value, count| Some(value * count)))),
                _ => Ok(kernel(move |args, rows| {
                    if let Some(narrow) = narrow_product(args, rows, scale)? {
                        return Ok(narrow);
                    }
                    let (values, counts, nulls) = operands(args, rows, scale)?;
                    let product = |(value, count): (&i128, &i64)| value.checked_mul(i128::from(*count));
                    decimals(values.iter().zip(&counts).map(product), scale, nulls, &text)
                })),
            }
        },
        |types| types.first() != Some(&DataType::Float64),
    )
    .into_udf()
}

/// `sum` divided by `n`.
pub fn mean_of() -> Arc<ScalarUDF> {
    Builtin::new(
        "mean_of",
        same,
        |types, _| weighted_type("mean_of", types, MEAN_DIGITS),
        |types, _, result, text| {
            let (from, text) = (shape_of(&types[0]).map_or(0, |shape| shape.1), text.to_owned());
            let to = shape_of(result).map_or(from, |shape| shape.1);
            match types[0] {
                DataType::Float64 => {
                    Ok(kernel(|args, rows| doubles(args, rows, |sum, count| (count != 0.0).then(|| sum / count))))
                }
                _ => Ok(kernel(move |args, rows| {
                    let (sums, counts, nulls) = operands(args, rows, from)?;
                    let counted = NullBuffer::from_iter(counts.iter().map(|count| *count != 0));
                    let nulls = NullBuffer::union(nulls.as_ref(), Some(&counted));
                    let factor = 10_i128.pow(u32::try_from(to - from).unwrap_or(0));
                    let mean = |(sum, count): (&i128, &i64)| {
                        let count = i128::from((*count).max(1));
                        let part = divide_half_up((sum % count).checked_mul(factor)?, count);
                        (sum / count).checked_mul(factor)?.checked_add(part)
                    };
                    decimals(sums.iter().zip(&counts).map(mean), to, nulls, &text)
                })),
            }
        },
        |types| types.first() != Some(&DataType::Float64),
    )
    .into_udf()
}

fn same(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [DataType::Decimal128(..) | DataType::Int64 | DataType::Float64, DataType::Int64] => Ok(types.to_vec()),
        _ => Err(mismatch(name, types)),
    }
}

fn weighted_type(name: &str, types: &[DataType], more: i8) -> Result<DataType> {
    Ok(match types.first() {
        Some(DataType::Float64) => DataType::Float64,
        Some(DataType::Int64) => DataType::Decimal128(DIGITS_MAX, more),
        Some(DataType::Decimal128(_, scale)) => DataType::Decimal128(DIGITS_MAX, (scale + more).min(DIGITS_MAX as i8)),
        _ => return Err(mismatch(name, types)),
    })
}

/// Values, counts and which rows are NULL.
type Operands = (Vec<i128>, Vec<i64>, Option<NullBuffer>);

fn operands(args: &[Arg], rows: usize, scale: i8) -> Result<Operands> {
    let [value, count] = args else { return Err(Error::internal("a weighted value has two parts")) };
    let flat = [value.flat(rows)?, count.flat(rows)?].map(|array| Arg { array, is_const: false });
    let values = match flat[0].data_type() {
        DataType::Int64 => flat[0].array.as_primitive::<Int64Type>().values().iter().map(|v| i128::from(*v)).collect(),
        _ => decimal_values(&flat[0], scale)?,
    };
    Ok((values, flat[1].array.as_primitive::<Int64Type>().values().to_vec(), union_nulls(&flat)))
}

/// The product in 64 bits, or none where the largest magnitudes do not prove that it fits.
fn narrow_product(args: &[Arg], rows: usize, scale: i8) -> Result<Option<ArrayRef>> {
    let [value, count] = args else { return Err(Error::internal("a weighted value has two parts")) };
    let flat = [value.flat(rows)?, count.flat(rows)?].map(|array| Arg { array, is_const: false });
    let values = match flat[0].data_type() {
        DataType::Int64 => flat[0].array.as_primitive::<Int64Type>().values(),
        DataType::Decimal64(..) if scale <= NARROW_DIGITS as i8 => flat[0].array.as_primitive::<Decimal64Type>().values(),
        _ => return Ok(None),
    };
    let counts = flat[1].array.as_primitive::<Int64Type>().values();
    let largest = |values: &[i64]| values.iter().fold(0, |largest: u64, value| largest.max(value.unsigned_abs()));
    if u128::from(largest(values)) * u128::from(largest(counts)) > i64::MAX as u128 {
        return Ok(None);
    }
    let products: Vec<i64> = values.iter().zip(counts).map(|(value, count)| value * count).collect();
    let array = Decimal64Array::new(products.into(), union_nulls(&flat));
    Ok(Some(Arc::new(array.with_data_type(DataType::Decimal64(NARROW_DIGITS, scale)))))
}

/// NULL rows may hold anything, even what does not fit.
fn decimals(results: impl Iterator<Item = Option<i128>>, scale: i8, nulls: Option<NullBuffer>, text: &str) -> Result<ArrayRef> {
    let limit = 10_u128.pow(u32::from(DIGITS_MAX));
    let mut values = Vec::new();
    for (row, result) in results.enumerate() {
        values.push(match result.filter(|value| value.unsigned_abs() < limit) {
            Some(value) => value,
            None if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) => 0,
            None => return Err(Error::value(format!("overflow in {text}: out of range of DECIMAL({DIGITS_MAX},{scale})"))),
        });
    }
    Ok(decimal_array(values, (DIGITS_MAX, scale), nulls))
}

fn doubles(args: &[Arg], rows: usize, f: impl Fn(f64, f64) -> Option<f64>) -> Result<ArrayRef> {
    let [value, count] = args else { return Err(Error::internal("a weighted value has two parts")) };
    let (value, count) = (value.flat(rows)?, count.flat(rows)?);
    let (values, counts) = (value.as_primitive::<Float64Type>(), count.as_primitive::<Int64Type>());
    let pairs = values.iter().zip(counts.iter());
    let results: Float64Array = pairs.map(|(value, count)| f(value?, count? as f64)).collect();
    debug_assert_eq!(results.len(), rows);
    Ok(Arc::new(results))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, Decimal128Array, Int64Array};

    fn call(function: &ScalarUDF, value: (DataType, ArrayRef), counts: Vec<Option<i64>>) -> Result<ArrayRef> {
        let builtin = Builtin::of(function).unwrap();
        let types = [value.0, DataType::Int64];
        let result = (builtin.returns)(&types, &[])?;
        let rows = counts.len();
        let args = [value.1, Arc::new(Int64Array::from(counts)) as ArrayRef].map(|array| Arg { array, is_const: false });
        builtin.kernel(&types, &[None, None], &result, "f(x, n)")?.call(&args, rows)
    }

    fn texts(array: &ArrayRef) -> Vec<String> {
        (0..array.len()).map(|row| arrow::util::display::array_value_to_string(array, row).unwrap()).collect()
    }

    #[test]
    fn values_are_multiplied_without_loss_of_scale() {
        let narrow = Decimal64Array::from(vec![Some(150), Some(-1), None]).with_data_type(DataType::Decimal64(15, 2));
        let value = (DataType::Decimal128(15, 2), Arc::new(narrow) as ArrayRef);
        assert_eq!(texts(&call(&times_count(), value, vec![Some(3), None, Some(1)]).unwrap()), ["4.50", "", ""]);
        let big = (DataType::Int64, Arc::new(Int64Array::from(vec![i64::MAX])) as ArrayRef);
        assert_eq!(texts(&call(&times_count(), big, vec![Some(4)]).unwrap()), ["36893488147419103228"]);
        let wide = Decimal128Array::from(vec![10_i128.pow(37)]).with_data_type(DataType::Decimal128(38, 7));
        let value = (DataType::Decimal128(38, 7), Arc::new(wide) as ArrayRef);
        assert!(call(&times_count(), value, vec![Some(10)]).is_err());
    }

    #[test]
    fn means_are_rounded_half_up() {
        let sums = Decimal128Array::from(vec![1, -1, 2, 5]).with_data_type(DataType::Decimal128(38, 0));
        let sums = (DataType::Decimal128(38, 0), Arc::new(sums) as ArrayRef);
        let means = call(&mean_of(), sums, vec![Some(3), Some(20_000), Some(3), Some(0)]).unwrap();
        assert_eq!(texts(&means), ["0.3333", "-0.0001", "0.6667", ""]);
        let doubles = (DataType::Float64, Arc::new(Float64Array::from(vec![1.0, 2.0])) as ArrayRef);
        assert_eq!(texts(&call(&mean_of(), doubles, vec![Some(4), Some(0)]).unwrap()), ["0.25", ""]);
    }
}
