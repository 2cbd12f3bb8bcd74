//! Compiled expressions against literal expectations, over all forms of columns.

use super::functions::{divide, int_divide, minus, multiply, plus, remainder, scalar};
use super::*;
use crate::column::{Chunk, Column, DictColumn, Dictionary, Selection};
use crate::error::Result;
use crate::layout::{Bounds, ColumnBounds, Truth};
use arrow::array::*;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Field, Float64Type, Int32Type, Int64Type};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::{Expr, ScalarUDF, cast, col, lit, try_cast, when};
use std::sync::Arc;

/// Columns: i Int64, j Int32, s Utf8View, d Decimal128(15,2), w Decimal128(32,4), f Float64, t Date32.
fn schema() -> DFSchema {
    let fields = [
        ("i", DataType::Int64),
        ("j", DataType::Int32),
        ("s", DataType::Utf8View),
        ("d", DataType::Decimal128(15, 2)),
        ("w", DataType::Decimal128(32, 4)),
        ("f", DataType::Float64),
        ("t", DataType::Date32),
    ];
    let fields = fields.into_iter().map(|(name, data_type)| (None, Arc::new(Field::new(name, data_type, true))));
    DFSchema::new_with_metadata(fields.collect(), Default::default()).unwrap()
}

fn arrays() -> Vec<ArrayRef> {
    vec![
        Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(-4)])),
        Arc::new(Int32Array::from(vec![Some(10), Some(20), None, Some(0)])),
        Arc::new(StringViewArray::from(vec![Some("apple"), Some("a rather long banana"), None, Some("")])),
        Arc::new(Decimal64Array::from(vec![Some(100), Some(-250), None, Some(333)]).with_data_type(DataType::Decimal64(15, 2))),
        Arc::new(Decimal64Array::from(vec![Some(10_000), Some(5), Some(-7), None]).with_data_type(DataType::Decimal64(18, 4))),
        Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), Some(-0.0), None])),
        Arc::new(Date32Array::from(vec![Some(0), Some(19_782), None, Some(-1)])),
    ]
}

fn chunk() -> Chunk {
    Chunk::from_arrays(arrays(), 4)
}

fn run_on(expr: &Expr, chunk: &Chunk) -> Result<ArrayRef> {
    compile(expr, &schema(), &Slots::default())?.evaluate(chunk)?.flat()
}

fn run(expr: Expr) -> ArrayRef {
    run_on(&expr, &chunk()).unwrap_or_else(|error| panic!("{expr}: {error}"))
}

fn fails(expr: Expr) -> String {
    run_on(&expr, &chunk()).map(|array| format!("{array:?}")).unwrap_err().to_string()
}

fn bools(expr: Expr) -> Vec<Option<bool>> {
    run(expr).as_boolean().iter().collect()
}

fn longs(expr: Expr) -> Vec<Option<i64>> {
    run(expr).as_primitive::<Int64Type>().iter().collect()
}

fn ints(expr: Expr) -> Vec<Option<i32>> {
    run(expr).as_primitive::<Int32Type>().iter().collect()
}

fn doubles(expr: Expr) -> Vec<Option<f64>> {
    run(expr).as_primitive::<Float64Type>().iter().collect()
}

/// The column as text: what a user would see.
fn texts(expr: Expr) -> Vec<Option<String>> {
    let array = run(expr);
    (0..array.len()).map(|row| array.is_valid(row).then(|| super::cast::text_of(&array, row).unwrap())).collect()
}

fn strs(values: [Option<&str>; 4]) -> Vec<Option<String>> {
    values.into_iter().map(|value| value.map(str::to_owned)).collect()
}

fn udf(name: &str) -> Arc<ScalarUDF> {
    let found = scalar().into_iter().find(|udf| udf.name() == name || udf.aliases().iter().any(|alias| alias == name));
    found.unwrap_or_else(|| panic!("no function {name}"))
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    udf(name).call(args)
}

const T: Option<bool> = Some(true);
const F: Option<bool> = Some(false);
const N: Option<bool> = None;

#[test]
fn comparisons() {
    assert_eq!(bools(col("i").gt(lit(1_i64))), [F, N, T, F]);
    assert_eq!(bools(lit(1_i64).gt(col("i"))), [F, N, F, T]);
    assert_eq!(bools(col("s").eq(lit("apple"))), [T, F, N, F]);
    assert_eq!(bools(col("s").eq(lit("a rather long banana"))), [F, T, N, F]);
    assert_eq!(bools(col("s").not_eq(lit("a rather long bananb"))), [T, T, N, T]);
    assert_eq!(bools(col("s").lt(lit("b"))), [T, T, N, T]);
    assert_eq!(bools(col("d").gt_eq(lit(ScalarValue::Decimal128(Some(100), 15, 2)))), [T, F, N, T]);
    // Different scales and widths.
    assert_eq!(bools(col("d").eq(col("w"))), [T, F, N, N]);
    // NaN equals itself and is largest; -0.0 equals 0.0.
    assert_eq!(bools(col("f").gt(lit(1.0))), [T, T, F, N]);
    assert_eq!(bools(col("f").eq(lit(0.0))), [F, F, T, N]);
    assert_eq!(bools(col("f").eq(col("f"))), [T, T, T, N]);
    assert_eq!(bools(col("f").lt_eq(lit(f64::NAN))), [T, T, T, N]);
    assert_eq!(bools(col("i").between(lit(1_i64), lit(3_i64))), [T, N, T, F]);
    assert_eq!(bools(col("i").not_between(lit(1_i64), lit(3_i64))), [F, N, F, T]);
    assert_eq!(bools(col("j").is_null()), [F, F, T, F]);
}

#[test]
fn in_lists() {
    let few = vec![lit(1_i64), lit(3_i64)];
    assert_eq!(bools(col("i").in_list(few.clone(), false)), [T, N, T, F]);
    let with_null = vec![lit(1_i64), lit(ScalarValue::Int64(None))];
    assert_eq!(bools(col("i").in_list(with_null.clone(), false)), [T, N, N, N]);
    assert_eq!(bools(col("i").in_list(with_null, true)), [F, N, N, N]);
    let many = (1..20_i64).map(lit).collect();
    assert_eq!(bools(col("i").in_list(many, true)), [F, N, F, T]);
    let names = ["x", "y", "z", "apple", "u", "a rather long banana"].map(lit).to_vec();
    assert_eq!(bools(col("s").in_list(names, false)), [T, T, N, F]);
    let wide = (0..10).map(|v| lit(ScalarValue::Decimal128(Some(v * 5), 32, 4))).collect();
    assert_eq!(bools(col("w").in_list(wide, false)), [F, T, F, N]);
}

#[test]
fn logic_is_three_valued_and_short() {
    let null = lit(ScalarValue::Boolean(None));
    assert_eq!(bools(col("i").gt(lit(0_i64)).and(null.clone())), [N, N, N, F]);
    assert_eq!(bools(col("i").gt(lit(0_i64)).or(null.clone())), [T, N, T, N]);
    assert_eq!(bools(null.is_not_true()), [T, T, T, T]);
    // j = 0 in the last row: the right side is evaluated where the left does not decide.
    let divided = int_divide().call(vec![lit(100_i64), datafusion_expr::cast(col("j"), DataType::Int64)]);
    assert_eq!(bools(col("j").not_eq(lit(0)).and(divided.clone().gt(lit(5_i64)))), [T, F, N, F]);
    assert!(fails(divided).contains("division by zero"));
}

#[test]
fn case_is_lazy() {
    let divided = int_divide().call(vec![lit(100_i64), cast(col("j"), DataType::Int64)]);
    let lazy = when(col("j").eq(lit(0)), lit(-1_i64)).otherwise(divided).unwrap();
    assert_eq!(longs(lazy), [Some(10), Some(5), None, Some(-1)]);
    let three = when(col("i").eq(lit(1_i64)), lit("one")).when(col("i").eq(lit(3_i64)), col("s")).otherwise(lit("else")).unwrap();
    assert_eq!(texts(three), strs([Some("one"), Some("else"), None, Some("else")]));
    let zero = when(col("i").gt(lit(0_i64)), col("d")).otherwise(lit(ScalarValue::Decimal128(Some(0), 15, 2))).unwrap();
    assert_eq!(texts(zero), strs([Some("1.00"), Some("0.00"), None, Some("0.00")]));
    assert_eq!(longs(call("coalesce", vec![col("i"), lit(7_i64)])), [Some(1), Some(7), Some(3), Some(-4)]);
    assert_eq!(longs(call("nullif", vec![col("i"), lit(3_i64)])), [Some(1), None, None, Some(-4)]);
    assert_eq!(longs(call("if", vec![col("i").gt(lit(0_i64)), lit(1_i64), lit(2_i64)])), [Some(1), Some(2), Some(1), Some(2)]);
}

#[test]
fn integer_arithmetic_is_checked() {
    assert_eq!(longs(plus().call(vec![col("i"), lit(1_i64)])), [Some(2), None, Some(4), Some(-3)]);
    assert_eq!(longs(remainder().call(vec![col("i"), lit(3_i64)])), [Some(1), None, Some(0), Some(-1)]);
    let message = fails(multiply().call(vec![col("i"), lit(i64::MAX)]));
    assert_eq!(message, "integer overflow in i * 9223372036854775807");
    assert_eq!(
        doubles(divide().call(vec![cast(col("i"), DataType::Float64), lit(2.0)])),
        [Some(0.5), None, Some(1.5), Some(-2.0)]
    );
    assert!(fails(divide().call(vec![lit(1.0), cast(col("j"), DataType::Float64)])).contains("division by zero"));
    // NULL rows do not raise, whatever they hold.
    let values = Int64Array::new(vec![1, i64::MAX].into(), Some(vec![true, false].into()));
    let mut columns = arrays().iter().map(|array| array.slice(0, 2)).collect::<Vec<_>>();
    columns[0] = Arc::new(values);
    let sum = run_on(&plus().call(vec![col("i"), lit(1_i64)]), &Chunk::from_arrays(columns, 2)).unwrap();
    assert_eq!(sum.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(2), None]);
}

#[test]
fn decimal_arithmetic_has_sparks_types() {
    let dec = |value: i128, p, s| lit(ScalarValue::Decimal128(Some(value), p, s));
    let shape = |expr: &Expr| compile(expr, &schema(), &Slots::default()).unwrap().data_type().clone();
    let discount = minus().call(vec![dec(1, 1, 0), col("d")]);
    assert_eq!(shape(&discount), DataType::Decimal128(16, 2));
    assert_eq!(texts(discount.clone()), strs([Some("0.00"), Some("3.50"), None, Some("-2.33")]));
    let product = multiply().call(vec![col("d"), discount]);
    assert_eq!(shape(&product), DataType::Decimal128(32, 4));
    assert_eq!(*run(product.clone()).data_type(), DataType::Decimal64(18, 4));
    assert_eq!(texts(product), strs([Some("0.0000"), Some("-8.7500"), None, Some("-7.7589")]));
    // Spark: (15,2) / (15,2) is decimal(33,18), rounded HALF_UP.
    let quotient = divide().call(vec![dec(100, 15, 2), col("d")]);
    assert_eq!(shape(&quotient), DataType::Decimal128(33, 18));
    let expected = [Some("1.000000000000000000"), Some("-0.400000000000000000"), None, Some("0.300300300300300300")];
    assert_eq!(texts(quotient), strs(expected));
    // 76 digits are cut to 38 with at least 6 of the fraction.
    let wide = multiply().call(vec![col("w"), col("w")]);
    assert_eq!(shape(&wide), DataType::Decimal128(38, 6));
    assert_eq!(texts(wide), strs([Some("1.000000"), Some("0.000000"), Some("0.000000"), None]));
    assert_eq!(longs(int_divide().call(vec![col("d"), dec(30, 2, 1)])), [Some(0), Some(0), None, Some(1)]);
    assert_eq!(texts(remainder().call(vec![col("d"), dec(30, 2, 1)])), strs([Some("1.00"), Some("-2.50"), None, Some("0.33")]));
    assert!(fails(divide().call(vec![col("d"), dec(0, 2, 1)])).contains("division by zero in d / 0.0"));
    let huge = dec(99_999_999_999_999_999_999_999_999_999_999_999_999, 38, 0);
    assert!(fails(plus().call(vec![huge, col("d")])).contains("decimal overflow"));
}

#[test]
fn both_widths_of_decimals_agree() {
    let dec = |value: i128, p, s| lit(ScalarValue::Decimal128(Some(value), p, s));
    let mut wide = arrays();
    wide[4] = crate::column::to_plan_type(&wide[4], &DataType::Decimal128(32, 4)).unwrap();
    let wide = Chunk::from_arrays(wide, 4);
    for function in [plus(), minus(), multiply(), divide(), remainder(), int_divide()] {
        let expr = function.call(vec![col("w"), dec(-125, 5, 2)]);
        let plan = compile(&expr, &schema(), &Slots::default()).unwrap().data_type().clone();
        let both = [chunk(), wide.clone()].map(|chunk| Column::Flat(run_on(&expr, &chunk).unwrap()).stored(&plan).unwrap());
        assert_eq!(&both[0], &both[1], "{expr}");
    }
}

#[test]
fn casts_are_ansi() {
    assert_eq!(ints(cast(col("i"), DataType::Int32)), [Some(1), None, Some(3), Some(-4)]);
    assert!(fails(cast(lit(300), DataType::Int8)).contains("cannot cast 300 to TINYINT"));
    assert!(fails(cast(col("s"), DataType::Int32)).contains("cannot cast 'apple' to INT"));
    assert_eq!(ints(try_cast(col("s"), DataType::Int32)), [None; 4]);
    assert_eq!(ints(cast(lit(" 42 "), DataType::Int32)), [Some(42); 4]);
    assert_eq!(texts(cast(col("d"), DataType::Decimal128(10, 1))), strs([Some("1.0"), Some("-2.5"), None, Some("3.3")]));
    assert_eq!(texts(cast(lit("2.345"), DataType::Decimal128(10, 2)))[0].as_deref(), Some("2.35"));
    assert_eq!(texts(cast(lit(-2.345), DataType::Decimal128(10, 2)))[0].as_deref(), Some("-2.35"));
    assert!(fails(cast(lit("123456"), DataType::Decimal128(5, 2))).contains("DECIMAL(5, 2)"));
    assert_eq!(texts(cast(col("t"), DataType::Utf8)), strs([Some("1970-01-01"), Some("2024-02-29"), None, Some("1969-12-31")]));
    assert_eq!(ints(cast(cast(lit("2024-2-29"), DataType::Date32), DataType::Int32))[0], Some(19_782));
    assert!(fails(cast(lit("2023-02-29"), DataType::Date32)).contains("'2023-02-29' to DATE"));
    assert_eq!(texts(cast(col("f"), DataType::Utf8)), strs([Some("1.5"), Some("NaN"), Some("-0.0"), None]));
    assert_eq!(texts(cast(lit(1e10), DataType::Utf8))[0].as_deref(), Some("1.0E10"));
    assert_eq!(texts(cast(lit(0.00012), DataType::Utf8))[0].as_deref(), Some("1.2E-4"));
    assert_eq!(doubles(cast(col("d"), DataType::Float64)), [Some(1.0), Some(-2.5), None, Some(3.33)]);
}

#[test]
fn like_patterns() {
    let like = |pattern: &str| bools(col("s").like(lit(pattern)));
    assert_eq!(like("a%"), [T, T, N, F]);
    assert_eq!(like("%banana"), [F, T, N, F]);
    assert_eq!(like("%r%l%b%"), [F, T, N, F]);
    assert_eq!(like("_pp_e"), [T, F, N, F]);
    assert_eq!(like("%a_a%a"), [F, T, N, F]);
    assert_eq!(like(""), [F, F, N, T]);
    assert_eq!(bools(col("s").not_like(lit("%"))), [F, F, N, F]);
    assert_eq!(bools(col("s").ilike(lit("APP%"))), [T, F, N, F]);
    assert_eq!(bools(col("s").like(col("s"))), [T, T, N, T]);
    let matches = |pattern: &str, text: &str| super::like::Matcher::new(pattern, None).unwrap().matches(text);
    assert!(matches("100\\%", "100%") && !matches("100\\%", "1000"));
    assert!(matches("ab%ba", "abba") && !matches("ab%ba", "aba"));
    assert!(matches("é_", "éü") && matches("%_x%y", "éxzy") && !matches("_", ""));
    assert!(super::like::Matcher::new("a\\", None).is_err());
}

#[test]
fn dates_and_strings() {
    assert_eq!(ints(call("year", vec![col("t")])), [Some(1970), Some(2024), None, Some(1969)]);
    assert_eq!(ints(call("dayofweek", vec![col("t")])), [Some(5), Some(5), None, Some(4)]);
    assert_eq!(ints(call("weekofyear", vec![col("t")])), [Some(1), Some(9), None, Some(1)]);
    assert_eq!(ints(call("date_part", vec![lit("quarter"), col("t")])), [Some(1), Some(1), None, Some(4)]);
    assert_eq!(texts(call("add_months", vec![col("t"), lit(12)]))[1].as_deref(), Some("2025-02-28"));
    assert_eq!(texts(call("date_add", vec![col("t"), lit(1)]))[1].as_deref(), Some("2024-03-01"));
    let sub = |from: i32, len: i32| texts(call("substring", vec![col("s"), lit(from), lit(len)]));
    assert_eq!(sub(1, 2), strs([Some("ap"), Some("a "), None, Some("")]));
    assert_eq!(sub(-3, 2), strs([Some("pl"), Some("an"), None, Some("")]));
    assert_eq!(sub(0, 2), strs([Some("ap"), Some("a "), None, Some("")]));
    assert_eq!(texts(call("upper", vec![col("s")])), strs([Some("APPLE"), Some("A RATHER LONG BANANA"), None, Some("")]));
    assert_eq!(
        texts(call("concat", vec![col("s"), lit("!")])),
        strs([Some("apple!"), Some("a rather long banana!"), None, Some("!")])
    );
    assert_eq!(ints(call("locate", vec![lit("p"), col("s")])), [Some(2), Some(0), None, Some(0)]);
    assert_eq!(texts(call("right", vec![col("s"), lit(2)])), strs([Some("le"), Some("na"), None, Some("")]));
    assert_eq!(texts(call("regexp_replace", vec![col("s"), lit("(p+)"), lit("<$1>")]))[0].as_deref(), Some("a<pp>le"));
    assert_eq!(texts(call("regexp_extract", vec![col("s"), lit("(b.n)"), lit(1)]))[1].as_deref(), Some("ban"));
}

#[test]
fn rounding() {
    assert_eq!(doubles(call("round", vec![lit(1.005), lit(2)]))[0], Some(1.01));
    assert_eq!(doubles(call("round", vec![lit(-2.5), lit(0)]))[0], Some(-3.0));
    assert_eq!(texts(call("round", vec![col("d"), lit(1)])), strs([Some("1.0"), Some("-2.5"), None, Some("3.3")]));
    assert_eq!(longs(call("round", vec![lit(155_i64), lit(-1)]))[0], Some(160));
    assert_eq!(longs(call("ceil", vec![lit(-1.5)]))[0], Some(-1));
    assert_eq!(texts(call("floor", vec![col("d")])), strs([Some("1"), Some("-3"), None, Some("3")]));
    assert_eq!(doubles(call("ln", vec![lit(0.0)]))[0], None);
}

/// The chunk with one column as a dictionary, and as a selection of a larger one.
fn forms(index: usize) -> [Chunk; 2] {
    let mut dict = chunk().into_columns();
    let values = arrays()[index].clone();
    let codes = UInt32Array::from(vec![Some(0), Some(1), values.is_valid(2).then_some(2), Some(3)]);
    dict[index] = Column::Dict(DictColumn::new(codes, Arc::new(Dictionary::new(values))));
    let rows = Arc::new(Selection::from_indices(vec![0, 1, 2, 3]));
    let selected = chunk().columns().iter().map(|column| column.select(&rows).unwrap()).collect();
    [Chunk::new(dict, 4), Chunk::new(selected, 4)]
}

#[test]
fn forms_of_columns_agree() {
    let exprs = [
        (2, col("s").eq(lit("apple"))),
        (2, col("s").is_null()),
        (2, col("s").like(lit("a%"))),
        (2, call("upper", vec![col("s")])),
        (2, call("coalesce", vec![col("s"), lit("none")])),
        (2, call("substring", vec![col("s"), lit(1), lit(2)])),
        (2, col("s").in_list(vec![lit("apple"), lit("pear")], false)),
        (2, try_cast(col("s"), DataType::Int32)),
        (0, col("i").gt(lit(1_i64)).or(col("i").is_null())),
        (0, plus().call(vec![col("i"), lit(1_i64)])),
        (3, multiply().call(vec![col("d"), col("d")])),
        (6, call("year", vec![col("t")])),
    ];
    for (index, expr) in exprs {
        let flat = run(expr.clone());
        for other in forms(index) {
            for _ in 0..2 {
                assert_eq!(&run_on(&expr, &other).unwrap(), &flat, "{expr}");
            }
        }
    }
}

#[test]
fn constants_stay_constant_and_fold() {
    let expr = compile(&plus().call(vec![lit(1_i64), lit(2_i64)]), &schema(), &Slots::default()).unwrap();
    assert!(matches!(expr.evaluate(&chunk()).unwrap(), Column::Const(_, 4)));
    // The front end folds with the same kernels.
    let field = |data_type: &DataType| Arc::new(Field::new("x", data_type.clone(), true));
    let invoke = |udf: Arc<ScalarUDF>, left: ScalarValue, right: ScalarValue| {
        let arg_fields = vec![field(&left.data_type()), field(&right.data_type())];
        let result = udf.return_type(&[left.data_type(), right.data_type()]).unwrap();
        udf.invoke_with_args(datafusion_expr::ScalarFunctionArgs {
            args: vec![left.into(), right.into()],
            arg_fields,
            number_rows: 1,
            return_field: field(&result),
            config_options: Arc::default(),
        })
    };
    let product = invoke(multiply(), ScalarValue::Decimal128(Some(15), 2, 1), ScalarValue::Decimal128(Some(15), 2, 1)).unwrap();
    assert_eq!(product.to_array(1).unwrap().as_primitive::<Decimal128Type>().value(0), 225);
    let overflow = invoke(plus(), ScalarValue::Int32(Some(i32::MAX)), ScalarValue::Int32(Some(1))).unwrap_err();
    assert_eq!(crate::Error::from(overflow).message(), "integer overflow in 2147483647 + 1");
}

#[test]
fn predicates() {
    let predicate = |conjuncts: &[Expr]| Predicate::compile(conjuncts, &schema(), &Slots::default()).unwrap();
    let safe = int_divide().call(vec![lit(100_i64), cast(col("j"), DataType::Int64)]).gt(lit(5_i64));
    let both = predicate(&[col("j").not_eq(lit(0)), safe]);
    assert_eq!(both.mask(&chunk()).unwrap().iter().collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!(both.select(&chunk()).unwrap().unwrap().rows(), 1);
    assert!(predicate(&[col("i").gt(lit(100_i64))]).select(&chunk()).unwrap().is_none());
    assert_eq!(predicate(&[col("i").gt(lit(1_i64)).and(col("s").like(lit("a%")))]).describe(), "i > 1 AND s LIKE 'a%'");
    assert_eq!(predicate(&[col("f").is_null(), col("i").gt(lit(1_i64))]).columns(), [0, 5]);
}

struct Zone(i64, i64, u64);

impl Bounds for Zone {
    fn rows(&self) -> u64 {
        10
    }

    fn column(&self, column: usize) -> ColumnBounds {
        let value = |v: i64| match column {
            0 => ScalarValue::Int64(Some(v)),
            2 => ScalarValue::Utf8View(Some(format!("a{v}"))),
            _ => ScalarValue::Float64(Some(v as f64)),
        };
        ColumnBounds { min: Some(value(self.0)), max: Some(value(self.1)), null_count: Some(self.2) }
    }
}

#[test]
fn bounds_decide() {
    let check = |expr: Expr, nulls| scan_predicate(&expr, &schema(), &Slots::default()).unwrap().check_bounds(&Zone(3, 7, nulls));
    assert_eq!(check(col("i").lt(lit(3_i64)), 0), Truth::Never);
    assert_eq!(check(col("i").lt_eq(lit(3_i64)), 0), Truth::Unknown);
    assert_eq!(check(col("i").lt_eq(lit(7_i64)), 0), Truth::Always);
    assert_eq!(check(col("i").lt_eq(lit(7_i64)), 1), Truth::Unknown);
    assert_eq!(check(col("i").eq(lit(8_i64)), 1), Truth::Never);
    assert_eq!(check(col("i").not_eq(lit(8_i64)), 0), Truth::Always);
    assert_eq!(check(col("i").gt(lit(0_i64)), 10), Truth::Never);
    assert_eq!(check(col("i").in_list(vec![lit(1_i64), lit(9_i64)], false), 0), Truth::Never);
    assert_eq!(check(col("i").in_list(vec![lit(1_i64), lit(9_i64)], true), 0), Truth::Always);
    assert_eq!(check(col("i").between(lit(8_i64), lit(9_i64)), 0), Truth::Never);
    assert_eq!(check(col("i").is_null(), 0), Truth::Never);
    assert_eq!(check(col("i").is_not_null(), 0), Truth::Always);
    assert_eq!(check(datafusion_expr::not(col("i").gt(lit(2_i64))), 3), Truth::Never);
    assert_eq!(check(col("s").like(lit("b%")), 0), Truth::Never);
    assert_eq!(check(col("s").like(lit("a%")), 0), Truth::Always);
    assert_eq!(check(col("s").like(lit("a%x")), 0), Truth::Unknown);
    // NaN may be there and is larger than all.
    assert_eq!(check(col("f").gt(lit(9.0)), 0), Truth::Unknown);
    assert_eq!(check(col("f").lt(lit(9.0)), 0), Truth::Unknown);
    assert_eq!(check(col("f").lt(lit(2.0)), 0), Truth::Never);
    assert_eq!(check(col("f").gt(lit(2.0)), 0), Truth::Always);
    assert_eq!(check(col("f").eq(lit(9.0)), 0), Truth::Never);
    assert_eq!(check(col("f").eq(lit(f64::NAN)), 0), Truth::Unknown);
    assert_eq!(check(col("f").between(lit(8.0), lit(9.0)), 0), Truth::Never);
    assert_eq!(check(col("f").in_list(vec![lit(1.0), lit(9.0)], false), 0), Truth::Never);
    assert_eq!(check(col("f").gt(lit(8.0)).and(col("f").lt(lit(10.0))), 2), Truth::Never);
}

#[test]
fn bounds_decide_lists_casts_and_truths() {
    let check = |expr: Expr, nulls| scan_predicate(&expr, &schema(), &Slots::default()).unwrap().check_bounds(&Zone(3, 7, nulls));
    let list = |values: &[i64]| values.iter().map(|value| lit(*value)).collect::<Vec<_>>();
    let null = lit(ScalarValue::Int64(None));
    assert_eq!(check(col("i").in_list(list(&[9, 1, 5]), false), 0), Truth::Unknown);
    assert_eq!(check(col("i").in_list([list(&[1]), vec![null.clone()]].concat(), false), 0), Truth::Never);
    assert_eq!(check(col("i").in_list([list(&[1]), vec![null.clone()]].concat(), true), 0), Truth::Never);
    assert_eq!(check(cast(col("i"), DataType::Float64).gt(lit(7.5)), 0), Truth::Never);
    assert_eq!(
        check(cast(col("i"), DataType::Decimal128(20, 1)).lt(lit(ScalarValue::Decimal128(Some(75), 20, 1))), 0),
        Truth::Always
    );
    // Narrowing does not keep the order.
    assert_eq!(check(cast(col("i"), DataType::Int8).gt(lit(100_i8)), 0), Truth::Unknown);
    assert_eq!(check(Expr::IsTrue(Box::new(col("i").lt(lit(3_i64)))), 1), Truth::Never);
    assert_eq!(check(Expr::IsNotTrue(Box::new(col("i").lt(lit(3_i64)))), 1), Truth::Always);
    assert_eq!(check(Expr::IsFalse(Box::new(col("i").lt(lit(3_i64)))), 0), Truth::Always);
    let same = |value: Expr| datafusion_expr::binary_expr(col("i"), datafusion_expr::Operator::IsNotDistinctFrom, value);
    assert_eq!(check(same(null.clone()), 0), Truth::Never);
    assert_eq!(check(same(null), 10), Truth::Always);
    assert_eq!(check(same(lit(8_i64)), 1), Truth::Never);
    assert_eq!(check(datafusion_expr::not(same(lit(8_i64))), 1), Truth::Always);
    assert_eq!(check(col("s").like(lit("b")), 0), Truth::Never);
    assert_eq!(check(col("s").not_like(lit("a%")), 0), Truth::Never);
}

#[test]
fn lists_of_constants_for_bloom_filters() {
    let values = |expr: Expr| scan_predicate(&expr, &schema(), &Slots::default()).unwrap().equal_to_any();
    let int = |value| ScalarValue::Int64(Some(value));
    assert_eq!(values(col("i").eq(lit(1_i64)).or(col("i").eq(lit(2_i64)))).unwrap(), [int(1), int(2)]);
    assert_eq!(values(col("i").eq(lit(1_i64)).and(col("i").gt(lit(0_i64)))).unwrap(), [int(1)]);
    assert_eq!(values(col("i").in_list(vec![lit(2_i64), lit(ScalarValue::Int64(None))], false)).unwrap(), [int(2)]);
    assert_eq!(values(col("i").not_eq(lit(1_i64))), None);
    assert_eq!(values(col("i").gt(lit(1_i64))), None);
    assert_eq!(values(col("i").eq(lit(1_i64)).or(col("j").eq(lit(2)))), None);
}

#[test]
fn scan_predicates_read_their_columns_only() {
    let expr = col("s").eq(lit("apple")).or(col("i").eq(lit(3_i64)));
    let scan = scan_predicate(&expr, &schema(), &Slots::default()).unwrap();
    assert_eq!(scan.columns(), [0, 2]);
    let columns: Vec<Column> = [0, 2].map(|at| Column::Flat(arrays()[at].clone())).to_vec();
    assert_eq!(scan.evaluate(&columns, 4).unwrap().iter().collect::<Vec<_>>(), [true, false, true, false]);
    let list = scan_predicate(&col("i").in_list(vec![lit(1_i64), lit(5_i64)], false), &schema(), &Slots::default()).unwrap();
    assert_eq!(list.equal_to_any().unwrap(), [ScalarValue::Int64(Some(1)), ScalarValue::Int64(Some(5))]);
}

#[test]
fn narrow_forms_of_decimals() {
    let sum = run(plus().call(vec![col("w"), col("w")]));
    assert_eq!(*sum.data_type(), DataType::Decimal64(18, 4));
    assert_eq!(sum.as_primitive::<Decimal64Type>().value(0), 20_000);
}

#[test]
fn subqueries_give_constants() {
    let plan = datafusion_expr::LogicalPlanBuilder::empty(true).build().unwrap();
    let subquery = datafusion_expr::Subquery { subquery: Arc::new(plan), outer_ref_columns: vec![], spans: Default::default() };
    let mut slots = Slots::default();
    let slot = Arc::new(ScalarSlot::new(DataType::Int64));
    slots.insert(&subquery, slot.clone());
    let value: ExprRef = Arc::new(super::leaf::SlotExpr::new(slots.get(&subquery).unwrap().clone()));
    assert!(value.evaluate(&chunk()).is_err());
    slot.set(ScalarValue::Int64(Some(3))).unwrap();
    assert!(matches!(value.evaluate(&chunk()).unwrap(), Column::Const(_, 4)));
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let refused = |expr: Expr| compile(&expr, &schema(), &Slots::default()).unwrap_err().to_string();
    let like = datafusion_expr::Like::new(false, Box::new(col("s")), Box::new(lit("a")), None, false);
    assert_eq!(refused(Expr::SimilarTo(like)), "SIMILAR TO is not supported");
    assert_eq!(refused(col("nope")), "unknown column 'nope'");
}

#[test]
fn empty_chunks_do_not_fail() {
    let empty = chunk().slice(0, 0).unwrap();
    let expr = divide().call(vec![lit(1.0), lit(0.0)]);
    assert_eq!(run_on(&expr, &empty).unwrap().len(), 0);
}

#[test]
fn dates_take_intervals() {
    let month = lit(ScalarValue::new_interval_mdn(1, 0, 0));
    assert_eq!(texts(col("t") + month)[1].as_deref(), Some("2024-03-29"));
}

#[test]
fn attempts_give_null_for_the_rows_at_fault() {
    let max = lit(i64::MAX);
    assert_eq!(longs(call("try_add", vec![col("i"), max.clone()])), [None, None, None, Some(i64::MAX - 4)]);
    assert_eq!(longs(call("try_multiply", vec![col("i"), max])), [Some(i64::MAX), None, None, None]);
    assert_eq!(doubles(call("try_divide", vec![cast(col("i"), DataType::Float64), lit(0.0)])), [None; 4]);
    let ten = lit(10_i64);
    assert_eq!(longs(call("try_subtract", vec![col("i"), ten])), [Some(-9), None, Some(-7), Some(-14)]);
}

#[test]
fn pmod_is_positive_for_positive_divisors() {
    assert_eq!(longs(call("pmod", vec![col("i"), lit(3_i64)])), [Some(1), None, Some(0), Some(2)]);
    assert_eq!(longs(call("pmod", vec![col("i"), lit(-3_i64)])), [Some(1), None, Some(0), Some(-1)]);
    assert!(fails(call("pmod", vec![col("i"), lit(0_i64)])).contains("division by zero"));
}
