//! SUM over integers, decimals, doubles and intervals, which are whole numbers of microseconds or months.
//!
//! Problem: sums of decimals need 128 bits in general, but 64 nearly always, and checking every
//! addition is dear. Idea: each batch's largest magnitude (one pass of ORs, vectorised) times its
//! rows bounds how far any sum can move; as long as these bounds add up to less than 2^63 the sums
//! are `i64` without checks, from then on `i128`. With few groups a batch is first summed into
//! [`LANES`] copies of each group, so that rows of one group do not wait for one another's store.
//!
//! Cost: 8 bytes a group, then 16. NULLs are skipped; a group without a value gives NULL. The
//! declared range of the result is checked at the end, as in Spark's ANSI mode.
//!
//! Doubles carry the rounding error of every addition along (Knuth's TwoSum; Ogita, Rump, Oishi
//! 2005), which makes the result independent of the order of rows but for the last bit, rarely.

use super::seen::Seen;
use super::{Accumulate, FEW_GROUPS, Groups, LANES, only, only_state};
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal64Array, Decimal128Array, DurationMicrosecondArray, Float64Array, Int64Array,
    IntervalYearMonthArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Float64Type, Int64Type, IntervalUnit, IntervalYearMonthType};
use std::sync::Arc;

/// The state's columns for a sum of this SQL type.
pub(super) fn state_types(output: &DataType) -> Vec<DataType> {
    match output {
        DataType::Float64 => vec![DataType::Float64, DataType::Float64],
        other => vec![DataType::Decimal128(38, scale(other))],
    }
}

fn scale(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(_, scale) | DataType::Decimal64(_, scale) => *scale,
        _ => 0,
    }
}

enum Sums {
    /// No sum can have left 64 bits so far.
    Narrow(Vec<i64>),
    Wide(Vec<i128>),
}

/// Sums of BIGINT or of a decimal type.
pub(super) struct IntegerSum {
    sums: Sums,
    /// No sum is larger than this, while narrow.
    bound: u128,
    seen: Seen,
    output: DataType,
    name: String,
    lenient: bool,
}

/// A sum that has left 128 bits, where that is NULL.
const LOST: i128 = i128::MIN;

impl IntegerSum {
    pub(super) fn new(output: &DataType, tracked: bool, name: String) -> Self {
        Self { sums: Sums::Narrow(Vec::new()), bound: 0, seen: Seen::new(tracked), output: output.clone(), name, lenient: false }
    }

    /// The same, which gives NULL for what is out of range.
    pub(super) fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    fn overflow(&self) -> Error {
        let to = match &self.output {
            DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
            DataType::Duration(_) => "INTERVAL DAY TO SECOND".to_owned(),
            DataType::Interval(_) => "INTERVAL YEAR TO MONTH".to_owned(),
            _ => "BIGINT".to_owned(),
        };
        Error::value(format!("overflow in {}: out of range of {to}", self.name)).with_hint("cast the argument to a wider type")
    }

    /// The validity of sums: those out of range are NULL, or an error.
    fn in_range(
        &self,
        sums: impl Iterator<Item = i128> + Clone,
        range: std::ops::RangeInclusive<i128>,
        nulls: Option<NullBuffer>,
    ) -> Result<Option<NullBuffer>> {
        if sums.clone().all(|sum| range.contains(&sum)) {
            return Ok(nulls);
        }
        if !self.lenient {
            return Err(self.overflow());
        }
        let valid: NullBuffer = sums.map(|sum| range.contains(&sum)).collect();
        Ok(NullBuffer::union(Some(&valid), nulls.as_ref()))
    }

    fn widen(&mut self) {
        if let Sums::Narrow(sums) = &self.sums {
            self.sums = Sums::Wide(sums.iter().map(|&sum| i128::from(sum)).collect());
        }
    }

    fn add(&mut self, groups: &Groups, array: &ArrayRef) -> Result<()> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        self.seen.note(groups, nulls);
        match array.data_type() {
            DataType::Int64 => self.add_narrow(groups, array.as_primitive::<Int64Type>().values(), nulls),
            DataType::Decimal64(..) => self.add_narrow(groups, array.as_primitive::<Decimal64Type>().values(), nulls),
            DataType::Decimal128(..) => return self.add_wide(groups, array.as_primitive::<Decimal128Type>().values(), nulls),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
                let cast = compute::cast(array, &DataType::Int64)?;
                self.add_narrow(groups, cast.as_primitive::<Int64Type>().values(), nulls);
            }
            DataType::Duration(_) => {
                let cast = compute::cast(array, &DataType::Int64)?;
                self.add_narrow(groups, cast.as_primitive::<Int64Type>().values(), nulls);
            }
            DataType::Interval(IntervalUnit::YearMonth) => {
                let months: Vec<i64> =
                    array.as_primitive::<IntervalYearMonthType>().values().iter().copied().map(i64::from).collect();
                self.add_narrow(groups, &months, nulls);
            }
            other => return Err(Error::internal(format!("{} of {other}", self.name))),
        }
        Ok(())
    }

    /// Sums as intervals of the output's type.
    fn intervals(&self, sums: &[i128], nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let months = matches!(self.output, DataType::Interval(_));
        let range = if months { i32::MIN.into()..=i32::MAX.into() } else { i64::MIN.into()..=i64::MAX.into() };
        let nulls = self.in_range(sums.iter().copied(), range, nulls)?;
        Ok(match months {
            true => Arc::new(IntervalYearMonthArray::new(sums.iter().map(|&sum| sum as i32).collect(), nulls)),
            false => Arc::new(DurationMicrosecondArray::new(sums.iter().map(|&sum| sum as i64).collect(), nulls)),
        })
    }

    fn add_narrow(&mut self, groups: &Groups, values: &[i64], nulls: Option<&NullBuffer>) {
        // An upper bound of the magnitudes: a number of the same length in bits.
        let bits = values.iter().fold(0, |bits, &value| bits | (value ^ (value >> 63))) as u64;
        let largest = 1_u128 << (64 - bits.leading_zeros());
        let step = largest * values.len().max(1) as u128;
        self.bound = self.bound.saturating_add(step);
        if self.bound > i64::MAX as u128 {
            self.widen();
        }
        let count = groups.count();
        match &mut self.sums {
            Sums::Narrow(sums) => {
                if sums.len() < count {
                    sums.resize(count, 0);
                }
                if groups.is_few() {
                    batch_sums(groups, values, nulls).iter().zip(sums).for_each(|(&part, sum)| *sum += part);
                } else {
                    groups.for_each(nulls, |group, row| sums[group] += values[row]);
                }
            }
            Sums::Wide(sums) => {
                if sums.len() < count {
                    sums.resize(count, 0);
                }
                if self.lenient {
                    groups.for_each(nulls, |group, row| sums[group] = lost_or_sum(sums[group], values[row].into()));
                } else if groups.is_few() && step <= i64::MAX as u128 {
                    batch_sums(groups, values, nulls)
                        .iter()
                        .zip(sums)
                        .for_each(|(&part, sum)| *sum = sum.wrapping_add(part.into()));
                } else {
                    // What wraps ends outside of every decimal's range and fails at the end.
                    groups.for_each(nulls, |group, row| sums[group] = sums[group].wrapping_add(values[row].into()));
                }
            }
        }
    }

    fn add_wide(&mut self, groups: &Groups, values: &[i128], nulls: Option<&NullBuffer>) -> Result<()> {
        self.widen();
        self.bound = u128::MAX;
        let mut overflow = false;
        if let Sums::Wide(sums) = &mut self.sums {
            if sums.len() < groups.count() {
                sums.resize(groups.count(), 0);
            }
            if self.lenient {
                groups.for_each(nulls, |group, row| sums[group] = lost_or_sum(sums[group], values[row]));
                return Ok(());
            }
            groups.for_each(nulls, |group, row| {
                let (sum, over) = sums[group].overflowing_add(values[row]);
                sums[group] = sum;
                overflow |= over;
            });
        }
        if overflow { Err(self.overflow()) } else { Ok(()) }
    }
}

fn lost_or_sum(sum: i128, value: i128) -> i128 {
    if sum == LOST || value == LOST { LOST } else { sum.checked_add(value).unwrap_or(LOST) }
}

/// The batch's sums of few groups, which fit 64 bits.
fn batch_sums(groups: &Groups, values: &[i64], nulls: Option<&NullBuffer>) -> Vec<i64> {
    let Some(ids) = groups.ids() else {
        return vec![match nulls {
            None => values.iter().sum(),
            Some(nulls) => nulls.valid_indices().map(|row| values[row]).sum(),
        }];
    };
    let mut lanes = [0_i64; FEW_GROUPS * LANES];
    match nulls {
        None => {
            let (id_lanes, id_rest) = ids.as_chunks::<LANES>();
            let (value_lanes, value_rest) = values.as_chunks::<LANES>();
            for (ids, values) in id_lanes.iter().zip(value_lanes) {
                for lane in 0..LANES {
                    lanes[(ids[lane] as usize * LANES + lane) % (FEW_GROUPS * LANES)] += values[lane];
                }
            }
            id_rest.iter().zip(value_rest).for_each(|(&id, &value)| lanes[id as usize * LANES] += value);
        }
        Some(nulls) => {
            nulls.valid_indices().for_each(|row| lanes[ids[row] as usize * LANES + row % LANES] += values[row]);
        }
    }
    lanes.chunks_exact(LANES).take(groups.count()).map(|lane| lane.iter().sum()).collect()
}

impl Accumulate for IntegerSum {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.add(groups, &only(columns)?.flat()?)
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.add(groups, only_state(state)?)
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        let nulls = self.seen.take(count);
        let scale = scale(&self.output);
        self.bound = 0;
        Ok(vec![match std::mem::replace(&mut self.sums, Sums::Narrow(Vec::new())) {
            Sums::Narrow(mut sums) => {
                sums.resize(count, 0);
                Arc::new(Decimal64Array::new(sums.into(), nulls).with_data_type(DataType::Decimal64(18, scale))) as ArrayRef
            }
            Sums::Wide(mut sums) => {
                sums.resize(count, 0);
                Arc::new(Decimal128Array::new(sums.into(), nulls).with_data_type(DataType::Decimal128(38, scale)))
            }
        }])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let state = self.drain(count)?;
        let state = only_state(&state)?;
        let nulls = state.nulls().cloned();
        if matches!(self.output, DataType::Duration(_) | DataType::Interval(_)) {
            let sums: Vec<i128> = match state.data_type() {
                DataType::Decimal64(..) => {
                    state.as_primitive::<Decimal64Type>().values().iter().copied().map(i128::from).collect()
                }
                _ => state.as_primitive::<Decimal128Type>().values().to_vec(),
            };
            return self.intervals(&sums, nulls);
        }
        let limit = match &self.output {
            DataType::Decimal128(precision, _) => 10_i128.pow(u32::from(*precision)) - 1,
            _ => i128::from(i64::MAX),
        };
        let lowest = if self.output == DataType::Int64 { i128::from(i64::MIN) } else { -limit };
        if let DataType::Decimal64(..) = state.data_type() {
            let sums = state.as_primitive::<Decimal64Type>();
            let values = sums.values();
            let nulls = self.in_range(values.iter().map(|&sum| i128::from(sum)), lowest..=limit, nulls)?;
            return Ok(match storage_type(&self.output) {
                DataType::Int64 => Arc::new(Int64Array::new(values.clone(), nulls)),
                DataType::Decimal64(precision, scale) => {
                    let sums = Decimal64Array::new(values.clone(), nulls);
                    Arc::new(sums.with_data_type(DataType::Decimal64(precision, scale)))
                }
                // A wide type may be held narrow.
                _ => Arc::new(Decimal64Array::new(values.clone(), nulls).with_data_type(state.data_type().clone())),
            });
        }
        let sums = state.as_primitive::<Decimal128Type>();
        let nulls = self.in_range(sums.values().iter().copied(), lowest..=limit, nulls)?;
        Ok(match storage_type(&self.output) {
            DataType::Int64 => Arc::new(Int64Array::new(sums.values().iter().map(|&sum| sum as i64).collect(), nulls)),
            DataType::Decimal64(precision, scale) => {
                let narrow = sums.values().iter().map(|&sum| sum as i64).collect();
                Arc::new(Decimal64Array::new(narrow, nulls).with_data_type(DataType::Decimal64(precision, scale)))
            }
            other => {
                // What is NULL may have left the type's range.
                let kept = |(index, &sum): (usize, &i128)| {
                    if nulls.as_ref().is_some_and(|nulls| nulls.is_null(index)) { 0 } else { sum }
                };
                let values = sums.values().iter().enumerate().map(kept).collect();
                Arc::new(Decimal128Array::new(values, nulls).with_data_type(other))
            }
        })
    }

    fn bytes(&self) -> usize {
        self.seen.bytes()
            + match &self.sums {
                Sums::Narrow(sums) => sums.capacity() * 8,
                Sums::Wide(sums) => sums.capacity() * 16,
            }
    }
}

/// A sum and the rounding errors it has lost so far.
#[derive(Debug, Clone, Copy, Default)]
struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    #[inline]
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let back = sum - self.sum;
        self.lost += (self.sum - (sum - back)) + (value - back);
        self.sum = sum;
    }

    fn value(self) -> f64 {
        // Infinities and NaN leave no meaningful error behind.
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

/// Sums of DOUBLE.
pub(super) struct FloatSum {
    sums: Vec<Compensated>,
    seen: Seen,
}

impl FloatSum {
    pub(super) fn new(tracked: bool) -> Self {
        Self { sums: Vec::new(), seen: Seen::new(tracked) }
    }

    fn resize(&mut self, groups: &Groups) {
        if self.sums.len() < groups.count() {
            self.sums.resize(groups.count(), Compensated::default());
        }
    }
}

impl Accumulate for FloatSum {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        let mut array = only(columns)?.flat()?;
        if *array.data_type() != DataType::Float64 {
            array = compute::cast(&array, &DataType::Float64)?;
        }
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        self.resize(groups);
        self.seen.note(groups, nulls);
        let values = array.as_primitive::<Float64Type>().values();
        let sums = &mut self.sums;
        if groups.ids().is_none() && nulls.is_none() {
            // Independent lanes, which the compiler turns into vectors.
            let mut lanes = [Compensated::default(); 8];
            let (eights, rest) = values.as_chunks::<8>();
            for eight in eights {
                lanes.iter_mut().zip(eight).for_each(|(lane, &value)| lane.add(value));
            }
            rest.iter().for_each(|&value| lanes[0].add(value));
            for lane in lanes {
                sums[0].add(lane.sum);
                sums[0].lost += lane.lost;
            }
        } else {
            groups.for_each(nulls, |group, row| sums[group].add(values[row]));
        }
        Ok(())
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        let [sum, lost] = state else { return Err(Error::internal("a double sum has two state columns")) };
        let nulls = sum.nulls().filter(|nulls| nulls.null_count() > 0);
        self.resize(groups);
        self.seen.note(groups, nulls);
        let (values, lost) = (sum.as_primitive::<Float64Type>().values(), lost.as_primitive::<Float64Type>().values());
        groups.for_each(nulls, |group, row| {
            self.sums[group].add(values[row]);
            self.sums[group].lost += lost[row];
        });
        Ok(())
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        let mut sums = std::mem::take(&mut self.sums);
        sums.resize(count, Compensated::default());
        let lost = Float64Array::from_iter_values(sums.iter().map(|sum| sum.lost));
        let values = sums.iter().map(|sum| sum.sum).collect();
        Ok(vec![Arc::new(Float64Array::new(values, self.seen.take(count))), Arc::new(lost)])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let mut sums = std::mem::take(&mut self.sums);
        sums.resize(count, Compensated::default());
        let values = sums.iter().map(|sum| sum.value()).collect();
        Ok(Arc::new(Float64Array::new(values, self.seen.take(count))))
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * 16 + self.seen.bytes()
    }
}
