//! The aggregate functions SQL may name: Spark's types for `sum`, `avg` and the collecting ones,
//! DataFusion's typing for the others. Evaluation is by [`super::accumulators`], chosen by name.

use super::{sketch_functions, value_functions};
use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion_common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature, TypeSignature, Volatility,
};
use datafusion_functions_aggregate as theirs;
use std::sync::Arc;

/// Digits Spark adds to a decimal's precision for SUM.
const SUM_DIGITS: u8 = 10;
/// Digits Spark adds to a decimal's precision and scale for AVG.
const AVG_DIGITS: u8 = 4;
const DIGITS_MAX: u8 = 38;

/// Every aggregate function, with Spark's result types.
pub fn functions() -> Vec<Arc<AggregateUDF>> {
    let ours = [
        Kind::Sum,
        Kind::Avg,
        Kind::TrySum,
        Kind::TryAvg,
        Kind::CollectList,
        Kind::CollectSet,
        Kind::CountIf,
        Kind::Median,
        Kind::Grouping,
        Kind::GroupingId,
    ];
    let renamed = |function: Arc<AggregateUDF>, aliases: &'static [&'static str]| {
        Arc::new(function.as_ref().clone().with_aliases(aliases.iter().copied()))
    };
    let mut functions: Vec<_> = ours.into_iter().map(|kind| Arc::new(AggregateUDF::from(Typed::new(kind)))).collect();
    functions.extend([
        theirs::count::count_udaf(),
        theirs::min_max::min_udaf(),
        theirs::min_max::max_udaf(),
        renamed(theirs::bool_and_or::bool_and_udaf(), &["every"]),
        renamed(theirs::bool_and_or::bool_or_udaf(), &["any", "some"]),
        renamed(theirs::stddev::stddev_udaf(), &["std"]),
        theirs::stddev::stddev_pop_udaf(),
        renamed(theirs::variance::var_samp_udaf(), &["variance"]),
        theirs::variance::var_pop_udaf(),
        theirs::correlation::corr_udaf(),
        theirs::covariance::covar_samp_udaf(),
        theirs::covariance::covar_pop_udaf(),
        theirs::bit_and_or_xor::bit_and_udaf(),
        theirs::bit_and_or_xor::bit_or_udaf(),
        theirs::bit_and_or_xor::bit_xor_udaf(),
        theirs::regr::regr_slope_udaf(),
        theirs::regr::regr_intercept_udaf(),
        theirs::regr::regr_r2_udaf(),
        theirs::regr::regr_avgx_udaf(),
        theirs::regr::regr_avgy_udaf(),
        theirs::regr::regr_sxx_udaf(),
        theirs::regr::regr_syy_udaf(),
        theirs::regr::regr_sxy_udaf(),
    ]);
    functions.extend(value_functions::functions());
    functions.extend(sketch_functions::functions());
    functions
}

/// What ORDER BY inside an aggregate's parentheses does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// It decides the result.
    Decides,
    /// The result is the same in any order.
    Indifferent,
}

/// What ORDER BY does inside a function; None where it is not supported.
pub fn ordering(function: &str) -> Option<Ordering> {
    match function {
        "collect_list" | "first_value" | "last_value" | "any_value" => Some(Ordering::Decides),
        "sum"
        | "count"
        | "avg"
        | "min"
        | "max"
        | "count_if"
        | "bool_and"
        | "bool_or"
        | "median"
        | "bit_and"
        | "bit_or"
        | "bit_xor"
        | "approx_count_distinct" => Some(Ordering::Indifferent),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Avg,
    /// NULL instead of an overflow.
    TrySum,
    TryAvg,
    CollectList,
    CollectSet,
    /// Rows for which a condition holds.
    CountIf,
    /// Of doubles: DataFusion's, after a cast as in Spark.
    Median,
    /// Whether a key is left out of the row's grouping set; the optimizer resolves it.
    Grouping,
    /// The same of all keys as one number.
    GroupingId,
}

/// A function that exists for its name and types only.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Typed {
    kind: Kind,
    signature: Signature,
    aliases: Vec<String>,
}

impl Typed {
    fn new(kind: Kind) -> Self {
        let aliases: &[&str] = match kind {
            Kind::Avg => &["mean"],
            Kind::CollectList => &["array_agg"],
            _ => &[],
        };
        let signature = match kind {
            Kind::Sum | Kind::Avg | Kind::TrySum | Kind::TryAvg | Kind::Median => Signature::user_defined(Volatility::Immutable),
            Kind::CountIf => Signature::exact(vec![DataType::Boolean], Volatility::Immutable),
            Kind::CollectList | Kind::CollectSet | Kind::Grouping => Signature::any(1, Volatility::Immutable),
            Kind::GroupingId => {
                Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Immutable)
            }
        };
        Self { kind, signature, aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect() }
    }
}

impl AggregateUDFImpl for Typed {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Avg => "avg",
            Kind::TrySum => "try_sum",
            Kind::TryAvg => "try_avg",
            Kind::CollectList => "collect_list",
            Kind::CollectSet => "collect_set",
            Kind::CountIf => "count_if",
            Kind::Median => "median",
            Kind::Grouping => "grouping",
            Kind::GroupingId => "grouping_id",
        }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_nullable(&self) -> bool {
        matches!(self.kind, Kind::Sum | Kind::Avg | Kind::TrySum | Kind::TryAvg | Kind::Median)
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match self.kind {
            Kind::Grouping => return Ok(DataType::Int8),
            Kind::GroupingId => return Ok(DataType::Int64),
            _ => {}
        }
        let [argument] = arguments else { return plan_err!("{} takes one argument", self.name()) };
        Ok(match (self.kind, argument) {
            (Kind::CollectList | Kind::CollectSet, item) => DataType::List(Arc::new(Field::new_list_field(item.clone(), true))),
            (Kind::CountIf, _) => DataType::Int64,
            (Kind::Sum | Kind::TrySum, DataType::Decimal128(p, s)) => DataType::Decimal128(DIGITS_MAX.min(p + SUM_DIGITS), *s),
            (Kind::Avg | Kind::TryAvg, DataType::Decimal128(p, s)) => {
                DataType::Decimal128(DIGITS_MAX.min(p + AVG_DIGITS), (DIGITS_MAX as i8).min(s + AVG_DIGITS as i8))
            }
            (Kind::Sum | Kind::TrySum, DataType::Int64) => DataType::Int64,
            (Kind::Sum | Kind::TrySum, DataType::Duration(_) | DataType::Interval(IntervalUnit::YearMonth)) => argument.clone(),
            (_, DataType::Float64) => DataType::Float64,
            (_, other) => return plan_err!("{} does not take {other}", self.name()),
        })
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        use DataType as T;
        let [argument] = arguments else { return plan_err!("{} takes one argument, not {}", self.name(), arguments.len()) };
        let coerced = match argument {
            other if self.kind == Kind::Median && (other.is_numeric() || other.is_null()) => T::Float64,
            T::Decimal128(..) => argument.clone(),
            T::Decimal32(p, s) | T::Decimal64(p, s) => T::Decimal128(*p, *s),
            T::UInt64 => T::Decimal128(20, 0),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 => match self.kind {
                Kind::Avg | Kind::TryAvg => T::Float64,
                _ => T::Int64,
            },
            T::Float16 | T::Float32 | T::Float64 | T::Null | T::Utf8 | T::LargeUtf8 | T::Utf8View => T::Float64,
            T::Duration(_) if matches!(self.kind, Kind::Sum | Kind::TrySum) => T::Duration(TimeUnit::Microsecond),
            T::Interval(IntervalUnit::YearMonth) if matches!(self.kind, Kind::Sum | Kind::TrySum) => argument.clone(),
            other => return plan_err!("{} needs a number, not {other}", self.name()),
        };
        Ok(vec![coerced])
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.kind {
            Kind::Median => theirs::median::median_udaf().accumulator(arguments),
            _ => not_impl_err!("{} outside of an aggregation", self.name()),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<Arc<Field>>> {
        match self.kind {
            Kind::Median => theirs::median::median_udaf().state_fields(arguments),
            _ => not_impl_err!("{} outside of an aggregation", self.name()),
        }
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        self.kind == Kind::Median && theirs::median::median_udaf().groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match self.kind {
            Kind::Median => theirs::median::median_udaf().create_groups_accumulator(arguments),
            _ => not_impl_err!("{} outside of an aggregation", self.name()),
        }
    }

    /// The value of a scalar subquery that finds no row at all.
    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match self.kind {
            Kind::CountIf => Ok(ScalarValue::Int64(Some(0))),
            Kind::CollectList | Kind::CollectSet => match data_type {
                DataType::List(item) => Ok(ScalarValue::List(ScalarValue::new_list(&[], item.data_type(), true))),
                other => ScalarValue::try_from(other),
            },
            _ => ScalarValue::try_from(data_type),
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}
