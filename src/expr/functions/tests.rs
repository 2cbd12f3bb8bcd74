//! Types of arithmetic.

use super::*;
use arrow::datatypes::DataType as T;

fn types(function: &ScalarUDF, left: T, right: T) -> (Vec<T>, T) {
    let coerced = function.coerce_types(&[left, right]).unwrap();
    let result = function.return_type(&coerced).unwrap();
    (coerced, result)
}

#[test]
fn operands_are_coerced_as_spark_does() {
    let dec = |p, s| T::Decimal128(p, s);
    assert_eq!(types(&plus(), T::Int32, T::Int64), (vec![T::Int64, T::Int64], T::Int64));
    assert_eq!(types(&plus(), T::Float32, T::Int32), (vec![T::Float64, T::Float64], T::Float64));
    assert_eq!(types(&plus(), dec(15, 2), T::Int32), (vec![dec(15, 2), dec(10, 0)], dec(16, 2)));
    assert_eq!(types(&multiply(), dec(15, 2), T::Int64).1, dec(36, 2));
    assert_eq!(types(&multiply(), dec(15, 2), T::Float64).1, T::Float64);
    assert_eq!(types(&divide(), T::Int32, T::Int32).1, T::Float64);
    assert_eq!(types(&divide(), dec(38, 10), dec(38, 10)).1, dec(38, 6));
    assert_eq!(types(&int_divide(), T::Int32, T::Int32), (vec![T::Int64, T::Int64], T::Int64));
    assert_eq!(types(&plus(), T::Utf8, T::Int32).0, vec![T::Int64, T::Int64]);
    assert_eq!(types(&plus(), T::Null, dec(5, 1)).0, vec![dec(5, 1), dec(5, 1)]);
    assert!(plus().coerce_types(&[T::Date32, T::Int32]).is_err());
    // Spark's documentation: decimal(10,5) % decimal(5,2) is decimal(8,5).
    assert_eq!(types(&remainder(), dec(10, 5), dec(5, 2)).1, dec(8, 5));
}

#[test]
fn names_are_unique() {
    let mut names: Vec<String> = Vec::new();
    for function in scalar() {
        names.push(function.name().to_owned());
        names.extend(function.aliases().iter().cloned());
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(all, names.len());
}

#[test]
fn integer_literals_count_their_digits() {
    use datafusion_common::ScalarValue as S;
    assert_eq!(decimal_literal(&S::Int32(Some(1))), Some(S::Decimal128(Some(1), 1, 0)));
    assert_eq!(decimal_literal(&S::Int64(Some(-100))), Some(S::Decimal128(Some(-100), 3, 0)));
    assert_eq!(decimal_literal(&S::Int64(Some(0))), Some(S::Decimal128(Some(0), 1, 0)));
    assert_eq!(decimal_literal(&S::Float64(Some(1.0))), None);
}
