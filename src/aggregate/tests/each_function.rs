//! One small case a function.

use super::*;
use crate::column::{DictColumn, Dictionary, Selection};
use crate::error::ErrorKind;
use arrow::array::*;

fn check(types: &[DataType], arrays: &[ArrayRef], groups: &[usize], calls: &[Brief], expected: &[&str]) {
    for threads in [1, 2] {
        for chunk_rows in [1, 2, 8192] {
            for always_spill in [false, true] {
                let setting = Setting { threads, chunk_rows, always_spill, ..Setting::default() };
                let node = node(&schema(types), chunks(arrays, chunk_rows), groups, calls).unwrap();
                assert_eq!(run(&node, setting).unwrap(), expected, "{setting:?}");
            }
        }
    }
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn decimals(values: &[Option<i64>], precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal64Array::from(values.to_vec()).with_data_type(DataType::Decimal64(precision, scale)))
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(values.to_vec()))
}

#[test]
fn sums_counts_and_extremes_of_integers() {
    let keys = ints(&[Some(1), None, Some(1), Some(2), None, Some(2)]);
    let values = ints(&[Some(5), Some(7), None, None, Some(-9), None]);
    let calls = [plain("sum", 1), plain("count", 1), plain("min", 1), plain("max", 1), ("count", vec![], false, None)];
    let types = [DataType::Int64, DataType::Int64];
    check(&types, &[keys.clone(), values.clone()], &[0], &calls, &["1,5,1,5,5,2", "2,NULL,0,NULL,NULL,2", "NULL,-2,2,-9,7,2"]);
    check(&types, &[keys, values], &[], &calls, &["3,3,-9,7,6"]);
}

#[test]
fn no_rows_give_one_row_without_keys_and_none_with() {
    let calls = [
        plain("sum", 0),
        plain("count", 0),
        plain("max", 0),
        plain("bool_and", 1),
        ("sum", vec![0], true, None),
        plain("collect_list", 0),
    ];
    let types = [DataType::Int64, DataType::Boolean];
    let empty: [ArrayRef; 2] = [ints(&[]), Arc::new(BooleanArray::from(Vec::<bool>::new()))];
    check(&types, &empty, &[], &calls, &["NULL,0,NULL,NULL,NULL,[]"]);
    check(&types, &empty, &[0], &calls, &[]);
}

#[test]
fn decimals_narrow_and_wide() {
    let values = decimals(&[Some(100), Some(101), None, Some(-50)], 15, 2);
    let wide: ArrayRef = Arc::new(
        Decimal128Array::from(vec![Some(10_i128.pow(24)), Some(5), None, Some(-10_i128.pow(24))])
            .with_data_type(DataType::Decimal128(25, 4)),
    );
    let types = [DataType::Decimal128(15, 2), DataType::Decimal128(25, 4)];
    let calls = [plain("sum", 0), plain("avg", 0), plain("min", 0), plain("sum", 1), plain("avg", 1), plain("max", 1)];
    let expected = ["1.51,0.503333,-0.50,0.0005,0.00016667,100000000000000000000.0000"];
    check(&types, &[values, wide], &[], &calls, &expected);
}

#[test]
fn averages_round_half_up() {
    let values = decimals(&[Some(1), Some(0), Some(0), Some(0), Some(0), Some(0), Some(0), Some(0)], 5, 0);
    let negative = decimals(&[Some(-1), Some(0), Some(0), Some(0), Some(0), Some(0), Some(0), Some(0)], 5, 0);
    let calls = [plain("avg", 0), plain("avg", 1)];
    check(&[DataType::Decimal128(5, 0), DataType::Decimal128(5, 0)], &[values, negative], &[], &calls, &["0.1250,-0.1250"]);
    let thirds = decimals(&[Some(2), Some(0), Some(0)], 5, 0);
    check(&[DataType::Decimal128(5, 0)], &[thirds], &[], &[plain("avg", 0)], &["0.6667"]);
}

#[test]
fn overflows_are_errors_that_name_the_call() {
    let error = |data_type: DataType, array: ArrayRef| {
        let node = node(&schema(std::slice::from_ref(&data_type)), chunks(&[array], 1), &[], &[plain("sum", 0)]).unwrap();
        let error = run(&node, Setting::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value);
        error.message().to_owned()
    };
    assert_eq!(error(DataType::Int64, ints(&[Some(i64::MAX), Some(1)])), "overflow in sum(#0): out of range of BIGINT");
    let wide = Decimal128Array::from(vec![10_i128.pow(38) - 1, 1]).with_data_type(DataType::Decimal128(38, 0));
    assert_eq!(error(DataType::Decimal128(38, 0), Arc::new(wide)), "overflow in sum(#0): out of range of DECIMAL(38,0)");
    // What only passes beyond the range on the way is fine.
    check(&[DataType::Int64], &[ints(&[Some(i64::MAX), Some(1), Some(-2)])], &[], &[plain("sum", 0)], &["9223372036854775806"]);
    check(&[DataType::Int64], &[ints(&[Some(i64::MIN), Some(i64::MAX)])], &[], &[plain("sum", 0)], &["-1"]);
}

#[test]
fn doubles_nan_and_zeros() {
    let keys: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0, 1.0]));
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1e16, 1.0, f64::NAN, 2.0, -1.5, f64::NEG_INFINITY]));
    let calls = [plain("sum", 1), plain("min", 1), plain("max", 1), plain("avg", 1), plain("count", 1)];
    let node = node(&schema(&[DataType::Float64, DataType::Float64]), chunks(&[keys, values], 2), &[0], &calls).unwrap();
    let rows = run(&node, Setting::default()).unwrap();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[1].ends_with(",-inf,-inf,-1.5,-inf,2"), "{rows:?}");
    assert!(rows[2].ends_with("NaN,NaN,2.0,NaN,NaN,2"), "{rows:?}");
    // 1e16 + 1 keeps its 1.
    let tenths: ArrayRef = Arc::new(Float64Array::from(vec![1e16, 1.0, -1e16, 1.0]));
    check(&[DataType::Float64], &[tenths], &[], &[plain("sum", 0)], &["2.0"]);
}

#[test]
fn strings_booleans_and_dates() {
    let long = "a string of more than twelve bytes";
    let keys = strings(&[Some("x"), Some(long), None, Some("x"), Some(long)]);
    let values = strings(&[Some("pear"), Some("fig"), Some("é"), Some(long), None]);
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true), Some(true)]));
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(3), Some(2), Some(1), None, Some(9)]));
    let types = [DataType::Utf8View, DataType::Utf8View, DataType::Boolean, DataType::Date32];
    let calls = [plain("min", 1), plain("max", 1), plain("min", 2), plain("every", 2), plain("some", 2), plain("max", 3)];
    let expected = [
        "NULL,é,é,NULL,NULL,NULL,1970-01-02".to_owned(),
        format!("{long},fig,fig,false,false,true,1970-01-10"),
        format!("x,{long},pear,true,true,true,1970-01-04"),
    ];
    check(&types, &[keys, values, flags, dates], &[0], &calls, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn distinct_and_filter() {
    let keys = ints(&[Some(1), Some(1), Some(1), Some(2), Some(2), Some(3)]);
    let values = ints(&[Some(4), Some(4), None, Some(4), Some(6), None]);
    let texts = strings(&[Some("a"), Some("b"), Some("b"), None, Some("a"), None]);
    let passes: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None, Some(true), Some(true)]));
    let types = [DataType::Int64, DataType::Int64, DataType::Utf8View, DataType::Boolean];
    let calls: Vec<Brief> = vec![
        ("count", vec![1], true, None),
        ("sum", vec![1], true, None),
        ("count", vec![2], true, None),
        ("count", vec![1, 2], true, None),
        ("sum", vec![1], false, Some(3)),
        ("count", vec![1], true, Some(3)),
        ("bool_or", vec![3], false, Some(3)),
        ("max", vec![1], true, None),
    ];
    let arrays = [keys, values, texts, passes];
    let expected = ["1,1,4,2,2,4,1,true,4", "2,2,10,1,1,6,1,true,6", "3,0,NULL,0,0,NULL,0,true,NULL"];
    check(&types, &arrays, &[0], &calls, &expected);
    check(&types, &arrays, &[], &calls[..6], &["2,10,2,3,10,2"]);
}

#[test]
fn statistics_and_any_value() {
    let keys = ints(&[Some(1), Some(1), Some(1), Some(2)]);
    let x: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]));
    let calls = [
        plain("var_pop", 1),
        plain("variance", 1),
        plain("stddev_samp", 1),
        ("corr", vec![1, 1], false, None),
        ("covar_pop", vec![1, 1], false, None),
    ];
    let types = [DataType::Int64, DataType::Float64];
    check(
        &types,
        &[keys.clone(), x.clone()],
        &[0],
        &calls,
        &["1,0.6666666666666666,1.0,1.0,1.0,0.6666666666666666", "2,0.0,NULL,NULL,NULL,0.0"],
    );
    check(
        &[DataType::Int64, DataType::Int64],
        &[keys.clone(), keys],
        &[0],
        &[plain("any_value", 1), plain("first", 1), plain("last_value", 1)],
        &["1,1,1,1", "2,2,2,2"],
    );
}

#[test]
fn collects_without_null() {
    let keys = ints(&[Some(1), Some(1), Some(1), Some(2)]);
    let values = decimals(&[Some(100), None, Some(100), None], 15, 2);
    let types = [DataType::Int64, DataType::Decimal128(15, 2)];
    check(
        &types,
        &[keys, values],
        &[0],
        &[plain("collect_list", 1), plain("collect_set", 1)],
        &["1,[1.00, 1.00],[1.00]", "2,[],[]"],
    );
}

#[test]
fn codes_constants_and_selections_group_as_values_do() {
    let types = [DataType::Utf8View, DataType::Utf8View, DataType::Int64];
    let mut input = Vec::new();
    for round in 0..4 {
        // Each round has a dictionary of its own; values repeat in it, and NULL stands for itself.
        let dictionary = Arc::new(Dictionary::new(strings(&[Some("a"), Some("b"), None, Some("a")])));
        let codes = UInt32Array::from(vec![Some(0), Some(1), Some(2), Some(3), None, Some(1)]);
        let constant = Column::Const(strings(&[Some(if round % 2 == 0 { "even" } else { "odd" })]), 6);
        let values = Column::Flat(ints(&[Some(1), Some(2), Some(3), Some(4), Some(5), Some(6)]));
        let chunk = Chunk::new(vec![Column::Dict(DictColumn::new(codes, dictionary)), constant, values], 6);
        input.push(chunk.select(&Arc::new(Selection::from_indices(vec![5, 4, 3, 2, 0]))).unwrap());
    }
    let expected = ["NULL,even,16,4", "NULL,odd,16,4", "a,even,10,4", "a,odd,10,4", "b,even,12,2", "b,odd,12,2"];
    for threads in [1, 2] {
        let node = node(&schema(&types), input.clone(), &[0, 1], &[plain("sum", 2), plain("count", 2)]).unwrap();
        assert_eq!(run(&node, Setting { threads, ..Setting::default() }).unwrap(), expected);
        let named = node.info().metrics.named();
        assert!(named.iter().any(|(name, _, value)| *name == "keys as codes" && *value == 20), "{named:?}");
    }
}

#[test]
fn explains_itself() {
    let node = node(&schema(&[DataType::Int64, DataType::Int64]), Vec::new(), &[0], &[("sum", vec![1], true, None)]).unwrap();
    assert_eq!(format!("{}: {}", node.name(), node.summary()), "HashAggregate: group by #0: sum(DISTINCT #1)");
    assert_eq!(node.details()[0], "streaming: rejected, the input is not read from files part by part");
}

#[test]
fn spark_types() {
    let result = |name: &str, argument: DataType| {
        let known = functions();
        let function = known.iter().find(|f| f.name() == name).unwrap();
        let coerced = function.coerce_types(&[argument]).unwrap();
        function.return_type(&coerced).unwrap()
    };
    assert_eq!(result("sum", DataType::Int8), DataType::Int64);
    assert_eq!(result("sum", DataType::Float32), DataType::Float64);
    assert_eq!(result("sum", DataType::Decimal128(15, 2)), DataType::Decimal128(25, 2));
    assert_eq!(result("sum", DataType::Decimal128(35, 2)), DataType::Decimal128(38, 2));
    assert_eq!(result("avg", DataType::Decimal128(15, 2)), DataType::Decimal128(19, 6));
    assert_eq!(result("avg", DataType::Int32), DataType::Float64);
    assert_eq!(result("median", DataType::Int32), DataType::Float64);
}

#[test]
fn medians_and_conditional_counts() {
    let keys = ints(&[Some(1), Some(1), Some(1), Some(2), Some(2), Some(3)]);
    let x: ArrayRef = Arc::new(Float64Array::from(vec![Some(5.0), Some(1.0), Some(2.0), Some(1.0), Some(4.0), None]));
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(true), Some(false), None, Some(true)]));
    let types = [DataType::Int64, DataType::Float64, DataType::Boolean];
    let calls = [plain("median", 1), plain("count_if", 2), plain("bit_or", 0)];
    let arrays = [keys, x, flags];
    check(&types, &arrays, &[0], &calls, &["1,2.0,2,1", "2,2.5,0,2", "3,NULL,1,3"]);
    check(&types, &arrays, &[], &calls, &["2.0,3,3"]);
}
