//! Equal encodings mean equal keys, whatever form the columns have.

use super::*;
use crate::column::DictColumn;
use arrow::array::*;
use std::sync::Arc;

fn same(keys: &EncodedKeys, a: usize, b: usize) -> bool {
    match &keys.data {
        KeyData::Fixed64(keys) => keys[a] == keys[b],
        KeyData::Fixed128(keys) => keys[a] == keys[b],
        KeyData::Bytes(keys) => keys.row(a) == keys.row(b),
    }
}

fn flat(array: impl Array + 'static) -> Column {
    Column::Flat(Arc::new(array))
}

#[test]
fn layouts_depend_on_types_alone() {
    use DataType as T;
    let layout = |types: Vec<T>, grouping: bool| KeyColumns::new(types.clone(), vec![grouping; types.len()]).layout();
    assert_eq!(layout(vec![T::Int64], false), KeyLayout::Fixed64);
    assert_eq!(layout(vec![T::Int64], true), KeyLayout::Fixed128);
    assert_eq!(layout(vec![T::Int32], true), KeyLayout::Fixed64);
    assert_eq!(layout(vec![T::Int64, T::Int64], false), KeyLayout::Fixed128);
    assert_eq!(layout(vec![T::Decimal128(15, 2)], false), KeyLayout::Fixed64);
    assert_eq!(layout(vec![T::Decimal128(30, 2)], false), KeyLayout::Fixed128);
    assert_eq!(layout(vec![T::Utf8View], false), KeyLayout::Bytes);
    assert_eq!(layout(vec![], true), KeyLayout::Fixed64);
}

#[test]
fn floats_have_one_zero_and_one_nan() {
    let column = flat(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0]));
    let keys = KeyColumns::new(vec![DataType::Float64], vec![false]).encode(&[column], 5).unwrap();
    assert!(same(&keys, 0, 1) && same(&keys, 2, 3) && !same(&keys, 0, 4));
}

#[test]
fn nulls_are_equal_or_invalid() {
    let columns = [flat(Int32Array::from(vec![None, Some(0), None])), flat(Int32Array::from(vec![Some(1), Some(1), Some(1)]))];
    let types = vec![DataType::Int32, DataType::Int32];
    let groups = KeyColumns::new(types.clone(), vec![true, true]).encode(&columns, 3).unwrap();
    assert!(same(&groups, 0, 2) && !same(&groups, 0, 1) && groups.valid.is_none());
    let joins = KeyColumns::new(types, vec![false, false]).encode(&columns, 3).unwrap();
    assert!(!joins.is_valid(0) && joins.is_valid(1));
    assert_eq!(joins.hash(true), [0, 0, 0]);
}

#[test]
fn strings_do_not_run_into_each_other() {
    let columns = [flat(StringViewArray::from(vec!["ab", "a", "ab"])), flat(StringViewArray::from(vec!["c", "bc", "c"]))];
    let keys = KeyColumns::new(vec![DataType::Utf8View; 2], vec![true, true]).encode(&columns, 3).unwrap();
    assert!(same(&keys, 0, 2) && !same(&keys, 0, 1));
    let hashes = keys.hash(false);
    assert!(hashes[0] == hashes[2] && hashes[0] != hashes[1]);
    let one = flat(StringViewArray::from(vec![None, Some("")]));
    let keys = KeyColumns::new(vec![DataType::Utf8View], vec![true]).encode(&[one], 2).unwrap();
    assert!(!same(&keys, 0, 1));
}

#[test]
fn forms_agree() {
    let values: [(DataType, ArrayRef); 3] = [
        (DataType::Utf8View, Arc::new(StringViewArray::from(vec!["x", "a string beyond the inline length", "z"]))),
        (DataType::Int64, Arc::new(Int64Array::from(vec![5, -6, 7]))),
        (DataType::Float64, Arc::new(Float64Array::from(vec![0.5, -0.0, 7.0]))),
    ];
    for (data_type, values) in values {
        for null_equals in [false, true] {
            let keys = KeyColumns::new(vec![data_type.clone()], vec![null_equals]);
            let codes = UInt32Array::from(vec![Some(2), None, Some(0), Some(1)]);
            let dict = DictColumn::new(codes, Arc::new(Dictionary::new(values.clone())));
            let plain = keys.encode(&[Column::Flat(dict.flat().unwrap())], 4).unwrap();
            for _ in 0..2 {
                let coded = keys.encode(&[Column::Dict(dict.clone())], 4).unwrap();
                assert_eq!(coded.valid, plain.valid);
                let (a, b) = (coded.hash(false), plain.hash(false));
                assert!((0..4).all(|row| !plain.is_valid(row) || a[row] == b[row]));
            }
            let first = Column::Const(values.slice(0, 1), 2);
            let constant = keys.encode(&[first], 2).unwrap();
            assert_eq!(constant.hash(false)[1], plain.hash(false)[2]);
        }
    }
}

#[test]
fn decimals_of_both_widths_agree() {
    let narrow: ArrayRef = Arc::new(Decimal64Array::from(vec![-5, 7]).with_data_type(DataType::Decimal64(18, 2)));
    let wide: ArrayRef = Arc::new(Decimal128Array::from(vec![-5, 7]).with_data_type(DataType::Decimal128(30, 2)));
    for types in [vec![DataType::Decimal128(30, 2)], vec![DataType::Decimal128(30, 2), DataType::Decimal128(30, 2)]] {
        let keys = KeyColumns::new(types.clone(), vec![false; types.len()]);
        let encode = |array: &ArrayRef| keys.encode(&vec![Column::Flat(array.clone()); types.len()], 2).unwrap().hash(false);
        assert_eq!(encode(&narrow), encode(&wide));
    }
}

#[test]
fn an_only_integer_is_its_own_encoding() {
    let signed: [(DataType, ArrayRef); 4] = [
        (DataType::Int8, Arc::new(Int8Array::from(vec![-1, 5]))),
        (DataType::Int32, Arc::new(Int32Array::from(vec![-1, 5]))),
        (DataType::Date32, Arc::new(Date32Array::from(vec![-1, 5]))),
        (DataType::Decimal128(9, 2), Arc::new(Decimal64Array::from(vec![-1, 5]).with_data_type(DataType::Decimal64(9, 2)))),
    ];
    for (data_type, array) in signed {
        let keys = KeyColumns::new(vec![data_type], vec![false]);
        assert!(keys.is_integer());
        let KeyData::Fixed64(words) = keys.encode(&[Column::Flat(array)], 2).unwrap().data else { panic!("not words") };
        assert_eq!(words, [-1_i64 as u64, 5]);
    }
    // In company a value takes its own bits only, or neighbours would be overwritten.
    let pair = KeyColumns::new(vec![DataType::Int32, DataType::Int16], vec![false; 2]);
    assert!(!pair.is_integer());
    let columns = [flat(Int32Array::from(vec![-1, -1])), flat(Int16Array::from(vec![7, 8]))];
    assert!(!same(&pair.encode(&columns, 2).unwrap(), 0, 1));
    assert!(!KeyColumns::new(vec![DataType::Float64], vec![false]).is_integer());
    assert!(!KeyColumns::new(vec![DataType::Int32], vec![true]).is_integer());
}

#[test]
fn ordered_keys_compare_as_their_values() {
    let values = flat(Float64Array::from(vec![Some(-1.5), Some(-0.0), Some(0.0), Some(2.0), Some(f64::NAN), None]));
    let keys = KeyColumns::ordered(vec![DataType::Float64], vec![false]).unwrap();
    let encoded = keys.encode(&[values], 6).unwrap();
    let KeyData::Bytes(bytes) = &encoded.data else { panic!("not bytes") };
    assert!(bytes.row(0) < bytes.row(1) && bytes.row(1) == bytes.row(2) && bytes.row(2) < bytes.row(3));
    assert!(bytes.row(3) < bytes.row(4) && bytes.row(5) < bytes.row(0) && !encoded.is_valid(5));
    let map = DataType::Map(Arc::new(arrow::datatypes::Field::new("entries", DataType::Int32, false)), false);
    assert!(KeyColumns::ordered(vec![map], vec![false]).is_err());
}

#[test]
fn ordered_integers_are_words() {
    for null_equals in [false, true] {
        let values = flat(arrow::array::Int32Array::from(vec![Some(-3), Some(0), None, Some(i32::MIN), Some(7)]));
        let keys = KeyColumns::ordered(vec![DataType::Int32], vec![null_equals]).unwrap();
        let encoded = keys.encode(&[values], 5).unwrap();
        let KeyData::Fixed128(words) = &encoded.data else { panic!("not words") };
        let mut order = [0, 1, 2, 3, 4];
        order.sort_by_key(|row| words[*row]);
        assert_eq!(order, [2, 3, 0, 1, 4]);
        assert_eq!(encoded.is_valid(2), null_equals);
    }
}

#[test]
fn keys_are_put_together_and_picked() {
    let encode = |texts: Vec<Option<&str>>| {
        let rows = texts.len();
        let column = flat(StringViewArray::from(texts));
        KeyColumns::new(vec![DataType::Utf8View], vec![false]).encode(&[column], rows).unwrap()
    };
    let all = EncodedKeys::concat(&[encode(vec![Some("a"), Some("b")]), encode(vec![None, Some("a")])]);
    assert!(all.len() == 4 && same(&all, 0, 3) && !same(&all, 0, 1) && all.has_null() && !all.is_valid(2));
    let picked = all.pick(&[3, 2]);
    assert!(picked.data.equal(0, &all.data, 0) && !picked.is_valid(1));
    assert_eq!(all.data.hash(3, 4, false), all.data.hash(0, 1, false));
}
