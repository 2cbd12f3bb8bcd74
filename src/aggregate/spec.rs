//! What an aggregation computes: calls broken down into accumulators, shared where they can be.

use super::AggregateCall;
use super::accumulators::{Choice, Function, SlotSpec};
use super::keys::GroupKeys;
use super::{sketch_functions, value_functions};
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use crate::exec::{Counter, OperatorMetrics, Unit};
use crate::expr::{ExprRef, true_or_null};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Field, Float64Type, Int64Type, Schema, SchemaRef};
use datafusion_functions_aggregate::regr::{regr_sxx_udaf, regr_syy_udaf};
use std::sync::Arc;

/// Shared by all tasks of one aggregation.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) groups: Vec<ExprRef>,
    pub(super) group_types: Vec<DataType>,
    pub(super) keys: GroupKeys,
    /// Every argument once.
    pub(super) arguments: Vec<ExprRef>,
    pub(super) slots: Vec<SlotSpec>,
    results: Vec<Outcome>,
    /// Columns of a partial state as spill files hold them: keys, then the slots' states.
    pub(super) partial: Schema,
    /// How many of them each slot has.
    pub(super) state_columns: Vec<usize>,
    pub(super) metrics: Arc<OperatorMetrics>,
    pub(super) spilled: Counter,
    pub(super) coded: Counter,
}

/// How a call's result comes from the slots' results.
#[derive(Debug)]
enum Outcome {
    Slot(usize),
    /// A coefficient of determination from that and the sums of squares of x and y.
    Determination {
        r2: usize,
        sxx: usize,
        syy: usize,
    },
    Average {
        sum: usize,
        count: usize,
        output: DataType,
        name: String,
        lenient: bool,
    },
}

impl Spec {
    /// Breaks the calls down. `schema`: group columns, then calls.
    pub(super) fn new(
        groups: Vec<ExprRef>,
        calls: &[AggregateCall],
        schema: &SchemaRef,
        metrics: &Arc<OperatorMetrics>,
    ) -> Result<Self> {
        if schema.fields().len() != groups.len() + calls.len() {
            return Err(Error::internal("an aggregate's schema is its groups and its calls"));
        }
        let group_types: Vec<DataType> = groups.iter().map(|group| group.data_type().clone()).collect();
        let mut spec = Self {
            keys: GroupKeys::new(group_types.clone()),
            groups,
            group_types,
            arguments: Vec::new(),
            slots: Vec::new(),
            results: Vec::new(),
            partial: Schema::empty(),
            state_columns: Vec::new(),
            metrics: metrics.clone(),
            spilled: metrics.counter("spilled partitions", Unit::Count),
            coded: metrics.counter("keys as codes", Unit::Count),
        };
        for call in calls {
            let outcome = spec.break_down(call)?;
            spec.results.push(outcome);
        }
        let mut fields = Vec::new();
        for data_type in &spec.group_types {
            fields.push(Field::new(format!("k{}", fields.len()), storage_type(data_type), true));
        }
        for slot in &spec.slots {
            let types = slot.state_types()?;
            spec.state_columns.push(types.len());
            fields.extend(types.into_iter().map(|data_type| Field::new("s", data_type, true)));
            // Refuses now what could not run.
            slot.start(true)?;
        }
        spec.partial = Schema::new(fields);
        Ok(spec)
    }

    fn break_down(&mut self, call: &AggregateCall) -> Result<Outcome> {
        let output = call.field.data_type().clone();
        let function = match call.function.name() {
            "count" => Function::Count,
            "sum" => Function::Sum,
            "try_sum" => Function::TrySum,
            // Values that are made of values are chosen by themselves, with Spark's order of NULLs inside.
            name @ ("min" | "max") if is_nested(&output) => {
                let mut chosen = call.clone();
                chosen.arguments.extend(call.arguments.clone());
                let choice = if name == "min" { Choice::MinBy } else { Choice::MaxBy };
                return Ok(Outcome::Slot(self.slot(Function::Chosen(choice), &chosen, output)?));
            }
            "min" => Function::Min,
            "max" => Function::Max,
            "collect_list" if !call.order.is_empty() => {
                let (function, gathered, call) = value_functions::ordered_list(call)?;
                let slot = self.slot(function, &call, output)?;
                self.slots[slot].gathered = Some(Arc::new(gathered));
                return Ok(Outcome::Slot(slot));
            }
            "collect_list" => Function::CollectList,
            "collect_set" => Function::CollectSet,
            "count_if" => {
                // Rows for which the condition holds: counted where it is not NULL.
                let mut counted = call.clone();
                counted.arguments = counted.arguments.into_iter().map(true_or_null).collect();
                return Ok(Outcome::Slot(self.slot(Function::Count, &counted, output)?));
            }
            "avg" | "try_avg" => {
                let lenient = call.function.name() == "try_avg";
                let sum_type = match call.arguments.first().map(|argument| argument.data_type()) {
                    Some(DataType::Decimal128(precision, scale)) => DataType::Decimal128((precision + 10).min(38), *scale),
                    _ => DataType::Float64,
                };
                let sum = self.slot(if lenient { Function::TrySum } else { Function::Sum }, call, sum_type)?;
                let count = self.slot(Function::Count, call, DataType::Int64)?;
                return Ok(Outcome::Average { sum, count, output, name: call.describe(), lenient });
            }
            "regr_r2" => {
                let r2 = self.slot(Function::Other, call, output)?;
                let mut beside = |function| {
                    let call = AggregateCall { function, ..call.clone() };
                    self.slot(Function::Other, &call, DataType::Float64)
                };
                let (sxx, syy) = (beside(regr_sxx_udaf())?, beside(regr_syy_udaf())?);
                return Ok(Outcome::Determination { r2, sxx, syy });
            }
            _ => match value_functions::break_down(call)? {
                Some((function, gathered, call)) => {
                    let slot = self.slot(function, &call, output)?;
                    if let Some(gathered) = gathered {
                        self.slots[slot].gathered = Some(Arc::new(gathered));
                    }
                    return Ok(Outcome::Slot(slot));
                }
                None => match sketch_functions::break_down(call)? {
                    Some((function, call)) => return Ok(Outcome::Slot(self.slot(function, &call, output)?)),
                    None => Function::Other,
                },
            },
        };
        Ok(Outcome::Slot(self.slot(function, call, output)?))
    }

    /// The slot of this function over the call's arguments; two calls without FILTER share one.
    fn slot(&mut self, function: Function, call: &AggregateCall, output: DataType) -> Result<usize> {
        if call.arguments.is_empty() && function != Function::Count {
            return Err(Error::sql(format!("{} needs an argument", call.describe())));
        }
        let arguments: Vec<usize> = call.arguments.iter().map(|argument| self.argument(argument)).collect();
        // Repeating a value changes nothing for these.
        let repeatable =
            matches!(function, Function::Min | Function::Max | Function::Chosen(_) | Function::ApproxDistinct { .. });
        let distinct = call.distinct && !repeatable;
        let shared = self.slots.iter().position(|slot| {
            slot.function == function
                && !matches!(function, Function::Other | Function::Gather)
                && slot.arguments == arguments
                && slot.distinct == distinct
                && slot.output == output
                && slot.call.filter.is_none()
                && call.filter.is_none()
        });
        if let Some(slot) = shared {
            return Ok(slot);
        }
        let types = call.arguments.iter().map(|argument| argument.data_type().clone()).collect();
        self.slots.push(SlotSpec { function, call: call.clone(), arguments, types, distinct, output, gathered: None });
        Ok(self.slots.len() - 1)
    }

    fn argument(&mut self, argument: &ExprRef) -> usize {
        let same = |known: &ExprRef| {
            Arc::ptr_eq(known, argument) || (known.as_column().is_some() && known.as_column() == argument.as_column())
        };
        self.arguments.iter().position(same).unwrap_or_else(|| {
            self.arguments.push(argument.clone());
            self.arguments.len() - 1
        })
    }

    /// Whether all rows belong to one group, which exists even without rows.
    pub(super) fn is_total(&self) -> bool {
        self.groups.is_empty()
    }

    /// The calls' columns out of the slots' results.
    pub(super) fn results(&self, slots: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let result = |outcome: &Outcome| match outcome {
            Outcome::Slot(slot) => Ok(slots[*slot].clone()),
            Outcome::Determination { r2, sxx, syy } => Ok(determination(&slots[*r2], &slots[*sxx], &slots[*syy])),
            Outcome::Average { sum, count, output, name, lenient } => {
                average(&slots[*sum], &slots[*count], output, name, *lenient)
            }
        };
        self.results.iter().map(result).collect()
    }

    /// A partial state with its columns exactly in the types of [`Spec::partial`].
    pub(super) fn normalised(&self, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let exact = |(column, field): (&ArrayRef, &Arc<Field>)| match column.data_type() == field.data_type() {
            true => Ok(column.clone()),
            false => Column::Flat(column.clone()).stored(field.data_type()),
        };
        columns.iter().zip(self.partial.fields()).map(exact).collect()
    }
}

/// A y that is the same everywhere is determined by any x that is not.
fn determination(r2: &ArrayRef, sxx: &ArrayRef, syy: &ArrayRef) -> ArrayRef {
    let [r2, sxx, syy] = [r2, sxx, syy].map(|array| array.as_primitive::<Float64Type>());
    let value = |((r2, sxx), syy): ((Option<f64>, Option<f64>), Option<f64>)| match (sxx, syy) {
        (Some(sxx), Some(0.0)) if sxx > 0.0 => Some(1.0),
        _ => r2,
    };
    Arc::new(r2.iter().zip(sxx).zip(syy).map(value).collect::<Float64Array>())
}

/// Sum over count: decimals rounded half up to the output's scale; NULL where nothing was counted.
fn average(sum: &ArrayRef, count: &ArrayRef, output: &DataType, name: &str, lenient: bool) -> Result<ArrayRef> {
    let counts = count.as_primitive::<Int64Type>().values();
    let DataType::Decimal128(precision, scale) = output else {
        let sums = sum.as_primitive::<Float64Type>();
        let values = sums.values().iter().zip(counts).map(|(sum, &count)| sum / count.max(1) as f64).collect();
        return Ok(Arc::new(Float64Array::new(values, sums.nulls().cloned())));
    };
    let from = match sum.data_type() {
        DataType::Decimal128(_, scale) | DataType::Decimal64(_, scale) => *scale,
        other => return Err(Error::internal(format!("the sum of {name} is {other}"))),
    };
    let factor = 10_i128.pow(u32::try_from(scale - from).unwrap_or(0));
    let limit = 10_i128.pow(u32::from(*precision));
    let overflow = || Error::value(format!("overflow in {name}: out of range of DECIMAL({precision},{scale})"));
    let divide = |sum: i128, count: i64| -> Result<i128> {
        let count = i128::from(count.max(1));
        let (whole, rest) = (sum / count, sum % count * factor);
        let (part, left) = (rest / count, rest % count);
        let up = if left.abs() * 2 >= count { left.signum() } else { 0 };
        let value = whole.checked_mul(factor).and_then(|whole| whole.checked_add(part + up)).ok_or_else(overflow)?;
        if value.abs() < limit { Ok(value) } else { Err(overflow()) }
    };
    let quotients: Vec<Result<i128>> = match sum.data_type() {
        DataType::Decimal64(..) => {
            let sums = sum.as_primitive::<Decimal64Type>().values();
            sums.iter().zip(counts).map(|(&sum, &count)| divide(sum.into(), count)).collect()
        }
        _ => {
            let sums = sum.as_primitive::<Decimal128Type>().values();
            sums.iter().zip(counts).map(|(&sum, &count)| divide(sum, count)).collect()
        }
    };
    let mut nulls = sum.nulls().cloned();
    if lenient {
        let fits: NullBuffer = quotients.iter().map(Result::is_ok).collect();
        nulls = NullBuffer::union(Some(&fits).filter(|fits| fits.null_count() > 0), nulls.as_ref());
    }
    let value = |quotient: Result<i128>| if lenient { Ok(quotient.unwrap_or(0)) } else { quotient };
    let values: Vec<i128> = quotients.into_iter().map(value).collect::<Result<_>>()?;
    let wide: ArrayRef = Arc::new(Decimal128Array::new(values.into(), nulls).with_data_type(output.clone()));
    Column::Flat(wide).stored(output)
}

fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Struct(_))
}
