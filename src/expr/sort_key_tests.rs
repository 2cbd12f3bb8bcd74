//! The order of encoded keys is the order Arrow sorts in, after floats are normalised.

use super::*;
use arrow::array::{Decimal64Array, Int64Array, StringViewArray};

fn columns() -> Vec<(DataType, ArrayRef)> {
    let decimals = Decimal64Array::from(vec![Some(5), None, Some(-500), Some(5), Some(999_999_999_999_999_999)]);
    let wide = arrow::array::Decimal128Array::from(vec![Some(1), None, Some(i128::MAX / 4), Some(-7), Some(i128::MAX / 5)]);
    vec![
        (DataType::Decimal128(38, 2), Arc::new(wide.with_data_type(DataType::Decimal128(38, 2)))),
        (DataType::Int64, Arc::new(Int64Array::from(vec![Some(3), None, Some(i64::MIN), Some(i64::MAX), Some(3)]))),
        (
            DataType::Utf8View,
            Arc::new(StringViewArray::from(vec![Some("b"), None, Some(""), Some("abcdefghij"), Some("abcdefghii")])),
        ),
        (DataType::Float64, Arc::new(Float64Array::from(vec![Some(1.5), None, Some(f64::NAN), Some(-2.0), Some(f64::INFINITY)]))),
        (DataType::Decimal128(18, 2), Arc::new(decimals.with_data_type(DataType::Decimal64(18, 2)))),
    ]
}

#[test]
fn rows_and_prefixes_order_as_arrow_does() {
    for (data_type, array) in columns() {
        for (descending, nulls_first) in [(false, true), (false, false), (true, true), (true, false)] {
            let encoder = SortKeyEncoder::new(vec![(data_type.clone(), descending, nulls_first)]).unwrap();
            let column = Column::Flat(array.clone());
            let rows = encoder.rows(std::slice::from_ref(&column)).unwrap();
            let prefixes = encoder.prefixes(&column).unwrap();
            let options = SortOptions { descending, nulls_first };
            let comparator = arrow::array::make_comparator(&array, &array, options).unwrap();
            for a in 0..array.len() {
                for b in 0..array.len() {
                    let expected = comparator(a, b);
                    assert_eq!(rows.row(a).cmp(&rows.row(b)), expected, "{data_type} {a} {b}");
                    let by_prefix = prefixes[a].cmp(&prefixes[b]);
                    assert!(by_prefix == expected || (by_prefix.is_eq() && !encoder.is_prefix_exact()), "{data_type} {a} {b}");
                }
            }
        }
    }
}

#[test]
fn zeros_are_equal() {
    let encoder = SortKeyEncoder::new(vec![(DataType::Float64, false, true)]).unwrap();
    let column = Column::Flat(Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN])));
    let rows = encoder.rows(std::slice::from_ref(&column)).unwrap();
    let prefixes = encoder.prefixes(&column).unwrap();
    assert!(rows.row(0) == rows.row(1) && rows.row(2) == rows.row(3) && rows.row(1) < rows.row(2));
    assert!(prefixes[0] == prefixes[1] && prefixes[2] == prefixes[3]);
}
