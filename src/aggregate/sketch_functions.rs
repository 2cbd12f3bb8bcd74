//! Aggregates over sketches, bitmaps and arrays: names, types, and what their constant arguments say.

use super::AggregateCall;
use super::accumulators::{Function, SketchKind};
use super::value_functions::constant;
use crate::error::{Error, Result};
use crate::expr::sketch::{KllKind, frequent, hll, kll, theta};
use crate::expr::{top_list, top_state};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::{Result as PlanResult, ScalarValue, not_impl_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::ops::RangeInclusive;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Histogram,
    CountMin,
    Hll,
    HllUnion,
    Theta,
    ThetaUnion,
    ThetaIntersection,
    KllBigint,
    KllFloat,
    KllDouble,
    KllMergeBigint,
    KllMergeFloat,
    KllMergeDouble,
    Top,
    TopState,
    TopMerge,
    Bitmap,
    BitmapOr,
    BitmapAnd,
    Union,
}

/// Name, kind, fewest and most arguments.
const TABLE: &[(&str, Kind, usize, usize)] = &[
    ("histogram_numeric", Kind::Histogram, 2, 2),
    ("count_min_sketch", Kind::CountMin, 3, 4),
    ("hll_sketch_agg", Kind::Hll, 1, 2),
    ("hll_union_agg", Kind::HllUnion, 1, 2),
    ("theta_sketch_agg", Kind::Theta, 1, 2),
    ("theta_union_agg", Kind::ThetaUnion, 1, 2),
    ("theta_intersection_agg", Kind::ThetaIntersection, 1, 1),
    ("kll_sketch_agg_bigint", Kind::KllBigint, 1, 2),
    ("kll_sketch_agg_float", Kind::KllFloat, 1, 2),
    ("kll_sketch_agg_double", Kind::KllDouble, 1, 2),
    ("kll_merge_agg_bigint", Kind::KllMergeBigint, 1, 2),
    ("kll_merge_agg_float", Kind::KllMergeFloat, 1, 2),
    ("kll_merge_agg_double", Kind::KllMergeDouble, 1, 2),
    ("approx_top_k", Kind::Top, 1, 3),
    ("approx_top_k_accumulate", Kind::TopState, 1, 2),
    ("approx_top_k_combine", Kind::TopMerge, 1, 2),
    ("bitmap_construct_agg", Kind::Bitmap, 1, 1),
    ("bitmap_or_agg", Kind::BitmapOr, 1, 1),
    ("bitmap_and_agg", Kind::BitmapAnd, 1, 1),
    ("collect_union", Kind::Union, 1, 1),
];

/// Spark's default of how many values `approx_top_k` gives.
const TOP: i64 = 5;
/// Counters of a count-min sketch's row, at most: the width that an error of 1e-7 needs. Guessed.
const WIDTH_MAX: f64 = 2e7;

/// The functions of this file.
pub(super) fn functions() -> impl Iterator<Item = Arc<AggregateUDF>> {
    TABLE.iter().map(|(name, kind, fewest, most)| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::from(Typed { name, kind: *kind, fewest: *fewest, most: *most, signature }))
    })
}

/// A function that exists for its name and types only.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Typed {
    name: &'static str,
    kind: Kind,
    fewest: usize,
    most: usize,
    signature: Signature,
}

impl Typed {
    /// The type that the first argument is taken as.
    fn value_type(&self, given: &DataType) -> PlanResult<DataType> {
        use DataType as T;
        let text = given.is_string();
        let binary = matches!(given, T::Binary | T::LargeBinary | T::BinaryView);
        let whole = matches!(given, T::Int8 | T::Int16 | T::Int32 | T::Int64);
        let number = whole || given.is_floating() || matches!(given, T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..));
        let null = given.is_null();
        let moment = matches!(given, T::Date32 | T::Timestamp(..));
        Ok(match self.kind {
            Kind::Histogram if null => T::Float64,
            Kind::Histogram if number || moment => given.clone(),
            Kind::CountMin | Kind::Hll if null => T::Int64,
            Kind::CountMin | Kind::Hll if whole => T::Int64,
            Kind::Theta if null => T::Int64,
            Kind::Theta if whole || given.is_floating() => given.clone(),
            Kind::Theta if matches!(given, T::List(_)) => given.clone(),
            Kind::CountMin | Kind::Hll | Kind::Theta if text => T::Utf8View,
            Kind::CountMin | Kind::Hll | Kind::Theta if binary => T::BinaryView,
            Kind::HllUnion
            | Kind::ThetaUnion
            | Kind::ThetaIntersection
            | Kind::KllMergeBigint
            | Kind::KllMergeFloat
            | Kind::KllMergeDouble
            | Kind::BitmapOr
            | Kind::BitmapAnd
                if binary || null =>
            {
                T::BinaryView
            }
            Kind::KllBigint if whole || null => T::Int64,
            Kind::KllFloat if given == &T::Float32 || whole || null => T::Float32,
            Kind::KllDouble if number || null => T::Float64,
            Kind::Bitmap if number || null => T::Int64,
            Kind::Top | Kind::TopState if !null && !matches!(given, T::Map(..) | T::Interval(_)) => given.clone(),
            Kind::TopMerge if matches!(given, T::Struct(fields) if fields.len() == 4) => given.clone(),
            Kind::Union if matches!(given, T::List(_)) => given.clone(),
            _ => return plan_err!("{} does not take {}", self.name, crate::expr::sql_type(given)),
        })
    }
}

impl AggregateUDFImpl for Typed {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_nullable(&self) -> bool {
        self.kind == Kind::Histogram
    }

    fn return_type(&self, arguments: &[DataType]) -> PlanResult<DataType> {
        let Some(value) = arguments.first() else { return plan_err!("{} needs an argument", self.name) };
        Ok(match self.kind {
            Kind::Histogram => {
                let bin = Fields::from(vec![Field::new("x", value.clone(), true), Field::new("y", DataType::Float64, true)]);
                DataType::List(Arc::new(Field::new_list_field(DataType::Struct(bin), true)))
            }
            Kind::Top => top_list(value.clone()),
            Kind::TopState => top_state(value.clone()),
            Kind::TopMerge | Kind::Union => value.clone(),
            _ => DataType::BinaryView,
        })
    }

    fn coerce_types(&self, arguments: &[DataType]) -> PlanResult<Vec<DataType>> {
        let count = arguments.len();
        let Some(value) = arguments.first().filter(|_| (self.fewest..=self.most).contains(&count)) else {
            return plan_err!("{} does not take {count} arguments", self.name);
        };
        let others: &[DataType] = match self.kind {
            Kind::CountMin => &[DataType::Float64, DataType::Float64, DataType::Int32],
            Kind::HllUnion => &[DataType::Boolean],
            _ => &[DataType::Int64, DataType::Int64],
        };
        Ok(std::iter::once(self.value_type(value)?).chain(others.iter().cloned()).take(count).collect())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> PlanResult<Box<dyn Accumulator>> {
        not_impl_err!("{} outside of an aggregation", self.name)
    }

    fn state_fields(&self, _: StateFieldsArgs) -> PlanResult<Vec<Arc<Field>>> {
        not_impl_err!("{} outside of an aggregation", self.name)
    }
}

/// What computes a call of one of these functions, and the call with the argument that differs from
/// row to row. None for other functions.
pub(super) fn break_down(call: &AggregateCall) -> Result<Option<(Function, AggregateCall)>> {
    let name = call.function.name();
    let Some((_, kind, ..)) = TABLE.iter().find(|(known, ..)| *known == name) else { return Ok(None) };
    let value = |index: usize| call.arguments.get(index).map(|argument| constant(argument, call)).transpose();
    let whole = |index: usize, allowed: RangeInclusive<i64>| match value(index)? {
        None => Ok(None),
        Some(ScalarValue::Int64(Some(number))) if allowed.contains(&number) => Ok(Some(number)),
        Some(other) => {
            let (least, most) = (allowed.start(), allowed.end());
            Err(Error::sql(format!("argument {} of {name} is {other}, not from {least} to {most}", index + 1)))
        }
    };
    let bits = |index: usize, allowed: RangeInclusive<u8>, usual: u8| {
        let allowed = i64::from(*allowed.start())..=i64::from(*allowed.end());
        Ok::<_, Error>(whole(index, allowed)?.map_or(usual, |bits| bits as u8))
    };
    let size = |index: usize| {
        let allowed = i64::from(*kll::SIZES.start())..=i64::from(*kll::SIZES.end());
        Ok::<_, Error>(whole(index, allowed)?.map(|size| size as u16))
    };
    let room = |index: usize| Ok::<_, Error>(whole(index, 1..=frequent::ROOM_MAX)?.map(|room| room as usize));
    let usual_room = frequent::DEFAULT_ROOM as usize;
    let sketch = match kind {
        Kind::Histogram => match whole(1, 2..=1 << 20)? {
            Some(bins) => SketchKind::Histogram { bins: bins as usize },
            None => return Err(Error::sql("histogram_numeric needs a number of bins")),
        },
        Kind::CountMin => count_min(value(1)?, value(2)?, value(3)?)?,
        Kind::Hll => SketchKind::Hll { bits: bits(1, hll::BITS, hll::DEFAULT_BITS)? },
        Kind::HllUnion => SketchKind::HllUnion { mixed: value(1)? == Some(ScalarValue::Boolean(Some(true))) },
        Kind::Theta => SketchKind::Theta { bits: bits(1, theta::BITS, theta::DEFAULT_BITS)? },
        Kind::ThetaUnion => SketchKind::ThetaUnion { bits: bits(1, theta::BITS, theta::DEFAULT_BITS)? },
        Kind::ThetaIntersection => SketchKind::ThetaIntersection,
        Kind::KllBigint => SketchKind::Kll { kind: KllKind::Bigint, size: size(1)?.unwrap_or(kll::DEFAULT_SIZE) },
        Kind::KllFloat => SketchKind::Kll { kind: KllKind::Float, size: size(1)?.unwrap_or(kll::DEFAULT_SIZE) },
        Kind::KllDouble => SketchKind::Kll { kind: KllKind::Double, size: size(1)?.unwrap_or(kll::DEFAULT_SIZE) },
        Kind::KllMergeBigint => SketchKind::KllMerge { kind: KllKind::Bigint, size: size(1)? },
        Kind::KllMergeFloat => SketchKind::KllMerge { kind: KllKind::Float, size: size(1)? },
        Kind::KllMergeDouble => SketchKind::KllMerge { kind: KllKind::Double, size: size(1)? },
        Kind::Top => {
            let count = whole(1, 1..=frequent::ROOM_MAX)?.unwrap_or(TOP) as usize;
            let room = room(2)?.unwrap_or(usual_room);
            if room < count {
                return Err(Error::sql(format!("approx_top_k of {count} values has counters for {room} only")));
            }
            SketchKind::Top { count, room }
        }
        Kind::TopState => SketchKind::TopState { room: room(1)?.unwrap_or(usual_room) },
        Kind::TopMerge => SketchKind::TopMerge { room: room(1)? },
        Kind::Bitmap => SketchKind::Bitmap,
        Kind::BitmapOr => SketchKind::BitmapOr,
        Kind::BitmapAnd => SketchKind::BitmapAnd,
        Kind::Union => return Ok(Some((Function::Union, call.clone()))),
    };
    let mut reduced = call.clone();
    reduced.arguments.truncate(1);
    Ok(Some((Function::Sketched(sketch), reduced)))
}

/// The table of counters for an error and a confidence.
fn count_min(error: Option<ScalarValue>, confidence: Option<ScalarValue>, seed: Option<ScalarValue>) -> Result<SketchKind> {
    let error = match error {
        Some(ScalarValue::Float64(Some(error))) if error > 0.0 => error,
        _ => return Err(Error::sql("the relative error of count_min_sketch is positive")),
    };
    let confidence = match confidence {
        Some(ScalarValue::Float64(Some(confidence))) if confidence > 0.0 && confidence < 1.0 => confidence,
        _ => return Err(Error::sql("the confidence of count_min_sketch lies between 0 and 1")),
    };
    let seed = match seed {
        Some(ScalarValue::Int32(Some(seed))) => seed,
        None => 0,
        Some(other) => return Err(Error::sql(format!("{other} is no seed of count_min_sketch"))),
    };
    let width = (2.0 / error).ceil();
    if width > WIDTH_MAX {
        return Err(Error::unsupported(format!("count_min_sketch with an error of {error}")));
    }
    let depth = (-(1.0 - confidence).ln() / std::f64::consts::LN_2).ceil().max(1.0);
    Ok(SketchKind::CountMin { depth: depth as usize, width: (width as usize).max(1), seed })
}
