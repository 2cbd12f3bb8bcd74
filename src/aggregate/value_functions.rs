//! Aggregates that give one of a group's values, or something made of all of them: names and types,
//! and what their constant arguments say.

use super::accumulators::{Choice, Function, Gathered, bits_for};
use super::{AggregateCall, CallOrder};
use crate::column::{Chunk, Column, storage_type};
use crate::error::{Error, Result};
use crate::expr::{ExprRef, VectorExpr};
use arrow::array::{ArrayRef, AsArray, BinaryViewArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Float64Type};
use arrow::row::{RowConverter, SortField};
use datafusion_common::{Result as PlanResult, ScalarValue, not_impl_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Spark's relative standard deviation of `approx_count_distinct`.
const RSD: f64 = 0.05;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    First,
    Last,
    Any,
    MaxBy,
    MinBy,
    Percentile,
    PercentileCont,
    PercentileDisc,
    PercentileApprox,
    Mode,
    ListAgg,
    ApproxCountDistinct,
    Skewness,
    Kurtosis,
    RegrCount,
}

const TABLE: &[(&str, Kind, &[&str])] = &[
    ("first_value", Kind::First, &["first"]),
    ("last_value", Kind::Last, &["last"]),
    ("any_value", Kind::Any, &[]),
    ("max_by", Kind::MaxBy, &[]),
    ("min_by", Kind::MinBy, &[]),
    ("percentile", Kind::Percentile, &[]),
    ("percentile_cont", Kind::PercentileCont, &[]),
    ("percentile_disc", Kind::PercentileDisc, &[]),
    ("percentile_approx", Kind::PercentileApprox, &["approx_percentile"]),
    ("mode", Kind::Mode, &[]),
    ("listagg", Kind::ListAgg, &["string_agg"]),
    ("approx_count_distinct", Kind::ApproxCountDistinct, &[]),
    ("skewness", Kind::Skewness, &[]),
    ("kurtosis", Kind::Kurtosis, &[]),
    ("regr_count", Kind::RegrCount, &[]),
];

/// The functions of this file.
pub(super) fn functions() -> impl Iterator<Item = Arc<AggregateUDF>> {
    TABLE.iter().map(|(name, kind, aliases)| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::from(Typed { name, kind: *kind, aliases, signature }))
    })
}

/// A function that exists for its name and types only.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Typed {
    name: &'static str,
    kind: Kind,
    aliases: Vec<String>,
    signature: Signature,
}

fn list_of(item: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item.clone(), true)))
}

fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

impl AggregateUDFImpl for Typed {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_nullable(&self) -> bool {
        !matches!(self.kind, Kind::ApproxCountDistinct | Kind::RegrCount)
    }

    fn return_type(&self, arguments: &[DataType]) -> PlanResult<DataType> {
        let Some(value) = arguments.first() else { return plan_err!("{} needs an argument", self.name) };
        let many = arguments.get(1).is_some_and(is_list);
        Ok(match self.kind {
            Kind::First | Kind::Last | Kind::Any | Kind::MaxBy | Kind::MinBy | Kind::Mode => value.clone(),
            Kind::PercentileApprox if many => list_of(value),
            Kind::PercentileApprox => value.clone(),
            Kind::Percentile if many => list_of(&DataType::Float64),
            Kind::Percentile | Kind::PercentileCont | Kind::PercentileDisc | Kind::Skewness | Kind::Kurtosis => DataType::Float64,
            Kind::ListAgg => DataType::Utf8View,
            Kind::ApproxCountDistinct | Kind::RegrCount => DataType::Int64,
        })
    }

    fn coerce_types(&self, arguments: &[DataType]) -> PlanResult<Vec<DataType>> {
        let (fewest, most) = match self.kind {
            Kind::First | Kind::Last | Kind::Any | Kind::ApproxCountDistinct => (1, 2),
            Kind::MaxBy | Kind::MinBy | Kind::PercentileCont | Kind::PercentileDisc | Kind::RegrCount => (2, 2),
            Kind::Percentile | Kind::PercentileApprox => (2, 3),
            Kind::Mode | Kind::Skewness | Kind::Kurtosis => (1, 1),
            Kind::ListAgg => (1, 3),
        };
        let count = arguments.len();
        let Some(value) = arguments.first().filter(|_| (fewest..=most).contains(&count)) else {
            return plan_err!("{} does not take {count} arguments", self.name);
        };
        let number = || {
            let fits = value.is_numeric() || value.is_null() || value.is_string();
            if fits { Ok(DataType::Float64) } else { plan_err!("{} needs a number, not {value}", self.name) }
        };
        let fractions = |given: &DataType| if is_list(given) { list_of(&DataType::Float64) } else { DataType::Float64 };
        let coerced = match self.kind {
            Kind::First | Kind::Last | Kind::Any => vec![value.clone(), DataType::Boolean],
            Kind::Percentile => vec![number()?, fractions(&arguments[1]), DataType::Int64],
            Kind::PercentileCont | Kind::PercentileDisc => vec![number()?, DataType::Float64],
            Kind::PercentileApprox => vec![value.clone(), fractions(&arguments[1]), DataType::Int64],
            Kind::ApproxCountDistinct => vec![value.clone(), DataType::Float64],
            Kind::Skewness | Kind::Kurtosis => vec![number()?],
            // WITHIN GROUP puts its key before the text.
            Kind::ListAgg if count == 1 => vec![DataType::Utf8View],
            Kind::ListAgg => vec![value.clone(), DataType::Utf8View, DataType::Utf8View],
            Kind::MaxBy | Kind::MinBy | Kind::Mode | Kind::RegrCount => arguments.to_vec(),
        };
        Ok(coerced.into_iter().take(count).collect())
    }

    fn supports_null_handling_clause(&self) -> bool {
        matches!(self.kind, Kind::First | Kind::Last | Kind::Any)
    }

    fn supports_within_group_clause(&self) -> bool {
        matches!(self.kind, Kind::PercentileCont | Kind::PercentileDisc | Kind::ListAgg | Kind::Mode)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> PlanResult<Box<dyn Accumulator>> {
        not_impl_err!("{} outside of an aggregation", self.name)
    }

    fn state_fields(&self, _: StateFieldsArgs) -> PlanResult<Vec<Arc<Field>>> {
        not_impl_err!("{} outside of an aggregation", self.name)
    }

    /// The value of a scalar subquery that finds no row at all.
    fn default_value(&self, data_type: &DataType) -> PlanResult<ScalarValue> {
        match self.kind {
            Kind::ApproxCountDistinct | Kind::RegrCount => Ok(ScalarValue::Int64(Some(0))),
            _ => ScalarValue::try_from(data_type),
        }
    }
}

/// What computes a call of one of these functions: the accumulator, how values are put together, and
/// the call with the arguments that differ from row to row. None for other functions.
pub(super) fn break_down(call: &AggregateCall) -> Result<Option<(Function, Option<Gathered>, AggregateCall)>> {
    let Some((_, kind, _)) = TABLE.iter().find(|(name, ..)| *name == call.function.name()) else { return Ok(None) };
    let mut reduced = call.clone();
    let arguments = &call.arguments;
    let constant = |index: usize| arguments.get(index).map(|argument| constant(argument, call)).transpose();
    let ordered = call.order.first();
    if ordered.is_none() && matches!(kind, Kind::PercentileCont | Kind::PercentileDisc) {
        return Err(Error::sql(format!("{} needs WITHIN GROUP (ORDER BY ..)", call.function.name())));
    }
    let function = match kind {
        Kind::First | Kind::Last | Kind::Any => {
            let flag = matches!(constant(1)?, Some(ScalarValue::Boolean(Some(true))));
            reduced.arguments.truncate(1);
            let ignore_nulls = flag || call.ignore_nulls;
            if !call.order.is_empty() {
                if ignore_nulls {
                    return Err(Error::unsupported(format!("ORDER BY with IGNORE NULLS in {}", call.function.name())));
                }
                reduced.arguments.push(Arc::new(OrderKey(call.order.clone())));
                let choice = if *kind == Kind::Last { Choice::MaxBy } else { Choice::MinBy };
                return Ok(Some((Function::Chosen(choice), None, reduced)));
            }
            Function::Chosen(if *kind == Kind::Last { Choice::Last(ignore_nulls) } else { Choice::First(ignore_nulls) })
        }
        Kind::MaxBy => Function::Chosen(Choice::MaxBy),
        Kind::MinBy => Function::Chosen(Choice::MinBy),
        Kind::Skewness => Function::Moments { kurtosis: false },
        Kind::Kurtosis => Function::Moments { kurtosis: true },
        Kind::RegrCount => Function::Count,
        Kind::ApproxCountDistinct => {
            let rsd = match constant(1)? {
                None => RSD,
                Some(ScalarValue::Float64(Some(rsd))) => rsd,
                Some(other) => return Err(Error::sql(format!("{other} is no error of approx_count_distinct"))),
            };
            reduced.arguments.truncate(1);
            let bits = bits_for(rsd).ok_or_else(|| Error::sql(format!("an error of {rsd} is too small")))?;
            Function::ApproxDistinct { bits }
        }
        Kind::Mode => {
            let descending = ordered.is_some_and(|order| order.descending);
            return Ok(Some((Function::Gather, Some(Gathered::Mode { descending }), reduced)));
        }
        Kind::Percentile | Kind::PercentileCont => {
            let (fractions, list) = fractions(constant(1)?, call)?;
            reduced.arguments.remove(1);
            let descending = ordered.is_some_and(|order| order.descending);
            let fractions = fractions.into_iter().map(|fraction| if descending { 1.0 - fraction } else { fraction }).collect();
            return Ok(Some((Function::Gather, Some(Gathered::Percentile { fractions, list }), reduced)));
        }
        Kind::PercentileDisc | Kind::PercentileApprox => {
            let (fractions, list) = fractions(constant(1)?, call)?;
            if let Some(accuracy) = constant(2)?
                && !matches!(accuracy, ScalarValue::Int64(Some(1..)))
            {
                return Err(Error::sql(format!("the accuracy of {} is a positive number", call.function.name())));
            }
            reduced.arguments.truncate(1);
            let descending = ordered.is_some_and(|order| order.descending);
            return Ok(Some((Function::Gather, Some(Gathered::Discrete { fractions, list, descending }), reduced)));
        }
        Kind::ListAgg => {
            // With WITHIN GROUP the key stands before the text.
            let text = usize::from(ordered.is_some());
            let delimiter = match constant(text + 1)? {
                None | Some(ScalarValue::Utf8View(None) | ScalarValue::Utf8(None)) => String::new(),
                Some(ScalarValue::Utf8View(Some(text)) | ScalarValue::Utf8(Some(text))) => text,
                Some(other) => return Err(Error::sql(format!("{other} is no delimiter of listagg"))),
            };
            let Some(value) = arguments.get(text) else { return Err(Error::sql("listagg needs a text")) };
            if !value.data_type().is_string() {
                return Err(Error::unsupported(format!("listagg of {}", value.data_type())).with_hint("cast it to STRING"));
            }
            reduced.arguments = vec![value.clone()];
            if let Some(order) = ordered {
                reduced.arguments.push(Arc::new(OrderKey(vec![order.clone()])));
            }
            return Ok(Some((Function::Gather, Some(Gathered::Text { delimiter }), reduced)));
        }
    };
    Ok(Some((function, None, reduced)))
}

/// A `collect_list` in an order: its values are gathered with their keys.
pub(super) fn ordered_list(call: &AggregateCall) -> Result<(Function, Gathered, AggregateCall)> {
    let mut reduced = call.clone();
    reduced.arguments.push(Arc::new(OrderKey(call.order.clone())));
    Ok((Function::Gather, Gathered::List, reduced))
}

/// The value of an argument that must not depend on rows.
pub(super) fn constant(argument: &ExprRef, call: &AggregateCall) -> Result<ScalarValue> {
    let mut columns = Vec::new();
    argument.collect_columns(&mut columns);
    if !columns.is_empty() {
        let text = argument.describe();
        return Err(Error::sql(format!("{} needs a constant where {text} stands", call.function.name())));
    }
    argument.evaluate(&Chunk::new(Vec::new(), 1))?.value(0)
}

/// Fractions from 0 to 1, and whether they were given as a list.
fn fractions(value: Option<ScalarValue>, call: &AggregateCall) -> Result<(Vec<f64>, bool)> {
    let wrong = || Error::sql(format!("a percentage of {} lies between 0 and 1", call.function.name()));
    let (fractions, list) = match value {
        Some(ScalarValue::Float64(Some(fraction))) => (vec![fraction], false),
        Some(ScalarValue::List(list)) => {
            let values = list.value(0);
            let values = values.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            (values.iter().map(|value| value.ok_or_else(wrong)).collect::<Result<_>>()?, true)
        }
        _ => return Err(wrong()),
    };
    if fractions.is_empty() || fractions.iter().any(|fraction| !(0.0..=1.0).contains(fraction)) {
        return Err(wrong());
    }
    Ok((fractions, list))
}

/// A key as bytes that compare as it does; never NULL.
#[derive(Debug)]
struct OrderKey(Vec<CallOrder>);

impl VectorExpr for OrderKey {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let (mut fields, mut keys) = (Vec::with_capacity(self.0.len()), Vec::with_capacity(self.0.len()));
        for CallOrder { expr, descending, nulls_first } in &self.0 {
            let options = SortOptions { descending: *descending, nulls_first: *nulls_first };
            fields.push(SortField::new_with_options(storage_type(expr.data_type()), options));
            keys.push(expr.evaluate(chunk)?.stored(expr.data_type())?);
        }
        let rows = RowConverter::new(fields)?.convert_columns(&keys)?;
        let bytes: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(rows.iter()));
        Ok(Column::Flat(bytes))
    }

    fn data_type(&self) -> &DataType {
        &DataType::BinaryView
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn is_fallible(&self) -> bool {
        self.0.iter().any(|key| key.expr.is_fallible())
    }

    fn collect_columns(&self, columns: &mut Vec<usize>) {
        self.0.iter().for_each(|key| key.expr.collect_columns(columns));
    }

    fn describe(&self) -> String {
        self.0.iter().map(|key| key.expr.describe()).collect::<Vec<_>>().join(", ")
    }
}
