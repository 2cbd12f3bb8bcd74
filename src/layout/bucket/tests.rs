//! The published vectors, of Spark and of Hive.

use super::*;
use arrow::array::{
    Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray,
    StringViewArray,
};
use arrow::datatypes::Int32Type;
use std::sync::Arc;

fn hash(hash: BucketHash, columns: &[ArrayRef]) -> i32 {
    hash.hashes(columns, 1).unwrap()[0] as i32
}

fn int(value: i32) -> ArrayRef {
    Arc::new(Int32Array::from(vec![value]))
}

fn long(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringViewArray::from(vec![value]))
}

#[test]
fn spark_hashes() {
    let spark = |columns: &[ArrayRef]| hash(BucketHash::Spark, columns);
    assert_eq!(spark(&[int(1)]), -559_580_957);
    assert_eq!(spark(&[int(0)]), 933_211_791);
    assert_eq!(spark(&[int(-1)]), -1_604_776_387);
    assert_eq!(spark(&[long(1)]), -1_712_319_331);
    assert_eq!(spark(&[text("Spark")]), 228_093_765);
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(123)])]));
    assert_eq!(spark(&[text("Spark"), list, int(2)]), -1_321_691_492);
    let nothing: ArrayRef = Arc::new(Int32Array::from(vec![None]));
    assert_eq!(spark(std::slice::from_ref(&nothing)), 42);
    assert_eq!(spark(&[nothing, int(1)]), -559_580_957);
    let zeros: [ArrayRef; 2] = [Arc::new(Float64Array::from(vec![-0.0])), Arc::new(Float64Array::from(vec![0.0]))];
    assert_eq!(spark(&zeros[..1]), spark(&zeros[1..]));
    // A decimal of few digits hashes as its unscaled long, a wide one as its bytes.
    let decimal =
        |precision| -> ArrayRef { Arc::new(Decimal128Array::from(vec![1]).with_precision_and_scale(precision, 0).unwrap()) };
    assert_eq!(spark(&[decimal(18)]), -1_712_319_331);
    assert_ne!(spark(&[decimal(19)]), -1_712_319_331);
}

#[test]
fn hive_hashes() {
    let check = |column: ArrayRef, first: i32, second: i32| {
        assert_eq!(hash(BucketHash::Hive1, std::slice::from_ref(&column)), first, "{column:?}");
        assert_eq!(hash(BucketHash::Hive2, std::slice::from_ref(&column)), second, "{column:?}");
    };
    check(text("Trino rocks"), 1_132_136_730, -399_107_423);
    check(Arc::new(Int8Array::from(vec![i8::MIN])), -128, -128);
    check(Arc::new(Int16Array::from(vec![300])), 300, 2_107_031_704);
    check(Arc::new(Int16Array::from(vec![i16::MIN])), -32_768, 1_342_976_838);
    check(int(300_000), 300_000, -678_663_480);
    check(int(i32::MIN), i32::MIN, 1_194_881_028);
    check(long(300_000_000_000), -647_710_651, -888_935_297);
    check(long(i64::MAX), i32::MIN, -536_577_852);
    check(Arc::new(Float32Array::from(vec![12.34])), 1_095_069_860, -381_747_602);
    check(Arc::new(Float32Array::from(vec![f32::from_bits(0xffc0_1234)])), 2_143_289_344, -480_354_314);
    check(Arc::new(Float64Array::from(vec![12.34])), 986_311_098, -2_070_733_568);
    check(Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])), -1_048_576, 141_388_605);
    check(text(""), 0, -965_378_730);
    check(text("test string"), -318_923_937, -138_301_454);
    check(text("\u{5f3a}\u{5927}\u{7684}Trino\u{5f15}\u{64ce}"), 1_688_501_507, 1_784_416_344);
    check(Arc::new(Date32Array::from(vec![16_758])), 16_758, 8_542_395);
    check(Arc::new(Date32Array::from(vec![-6983])), -6983, -431_619_185);
    check(Arc::new(Int32Array::from(vec![None])), 0, 0);
    assert_eq!(BucketHash::Hive1.bucket(1_132_136_730, 4), 2);
    assert_eq!(BucketHash::Hive2.bucket(-399_107_423_i32 as u32, 4), 1);
    assert_eq!(hash(BucketHash::Hive1, &[int(2), int(3)]), 65);
}

#[test]
fn buckets_of_negative_hashes_differ_by_dialect() {
    assert_eq!(BucketHash::Spark.bucket(-7_i32 as u32, 4), 1);
    assert_eq!(BucketHash::Hive1.bucket(-7_i32 as u32, 4), 1);
    assert_eq!(BucketHash::Spark.bucket(-7_i32 as u32, 5), 3);
    assert_eq!(BucketHash::Hive1.bucket(-7_i32 as u32, 5), 1);
}

#[test]
fn names_tell_buckets() {
    let spark = "part-00000-5f1b0a7e-1e0c-4f3e-8d0e-0a5f_00003.c000.snappy.parquet";
    assert_eq!((spark_id(spark), hive_id(spark)), (Some(3), None));
    assert_eq!((spark_id("000003_0"), hive_id("000003_0")), (Some(0), Some(3)));
    assert_eq!(hive_id("000011_0_copy_1"), Some(11));
    assert_eq!(hive_id("00004_0_part-00004-abc.parquet"), Some(4));
    for plain in ["part-00000.parquet", "data.parquet", "lineitem_a.parquet", "_00003"] {
        assert_eq!(hive_id(plain), None, "{plain}");
    }
    assert_eq!(dialect([spark, "part-1_00000.parquet"].into_iter()), Some(Names::Spark));
    assert_eq!(dialect(["000000_0", "000001_0"].into_iter()), Some(Names::Hive));
    assert_eq!(dialect(["000000_0", spark].into_iter()), None);
    assert_eq!(dialect(["lineitem_1.parquet"].into_iter()), None);
    assert_eq!(dialect(std::iter::empty()), None);
}
