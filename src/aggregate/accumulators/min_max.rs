//! MIN and MAX over numbers, times, booleans and strings.
//!
//! Every type of at most 64 bits is compared as an `i64` that orders the same way (floats by their
//! bits, NaN largest and -0.0 equal to 0.0), wide decimals as `i128`, strings by their bytes.
//! NULLs are skipped; a group without a value gives NULL.

use super::seen::Seen;
use super::{Accumulate, Groups, only, only_state};
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use arrow::array::*;
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::*;
use std::borrow::Cow;
use std::sync::Arc;

/// Whether values of this SQL type are compared here.
pub(super) fn supports(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::Float16 | T::Decimal256(..) | T::Interval(_) => false,
        T::Boolean | T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView => true,
        other => other.is_primitive(),
    }
}

/// The accumulator for values of this SQL type.
pub(super) fn start(output: &DataType, largest: bool, tracked: bool) -> Result<Box<dyn Accumulate>> {
    let stored = storage_type(output);
    let seen = Seen::new(tracked);
    Ok(match stored {
        DataType::Utf8View | DataType::BinaryView => Box::new(BytesExtreme { values: Vec::new(), heap: 0, largest, stored }),
        DataType::Decimal128(..) => {
            let worst = if largest { i128::MIN } else { i128::MAX };
            Box::new(Extreme { values: Vec::new(), worst, seen, largest, stored })
        }
        _ => {
            let worst = if largest { i64::MIN } else { i64::MAX };
            Box::new(Extreme::<i64> { values: Vec::new(), worst, seen, largest, stored })
        }
    })
}

/// A number that orders as the values it stands for.
trait Key: Ord + Copy + Send + Default + 'static {
    fn of(array: &ArrayRef) -> Result<Cow<'_, [Self]>>;
    fn array(keys: Vec<Self>, nulls: Option<NullBuffer>, stored: &DataType) -> Result<ArrayRef>;
}

struct Extreme<K> {
    values: Vec<K>,
    worst: K,
    seen: Seen,
    largest: bool,
    stored: DataType,
}

impl<K: Key> Extreme<K> {
    fn add(&mut self, groups: &Groups, array: &ArrayRef) -> Result<()> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        self.seen.note(groups, nulls);
        if self.values.len() < groups.count() {
            self.values.resize(groups.count(), self.worst);
        }
        let keys = K::of(array)?;
        let values = &mut self.values;
        match (self.largest, groups.ids(), nulls) {
            (true, None, None) => values[0] = keys.iter().fold(values[0], |a, &b| a.max(b)),
            (false, None, None) => values[0] = keys.iter().fold(values[0], |a, &b| a.min(b)),
            (true, ..) => groups.for_each(nulls, |group, row| values[group] = values[group].max(keys[row])),
            (false, ..) => groups.for_each(nulls, |group, row| values[group] = values[group].min(keys[row])),
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<ArrayRef> {
        let mut values = std::mem::take(&mut self.values);
        values.resize(count, self.worst);
        let nulls = self.seen.take(count);
        if let Some(nulls) = &nulls {
            values.iter_mut().enumerate().filter(|(row, _)| nulls.is_null(*row)).for_each(|(_, value)| *value = K::default());
        }
        K::array(values, nulls, &self.stored)
    }
}

impl<K: Key> Accumulate for Extreme<K> {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.add(groups, &only(columns)?.flat()?)
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.add(groups, only_state(state)?)
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(count)?])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        self.take(count)
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<K>() + self.seen.bytes()
    }
}

impl Key for i128 {
    fn of(array: &ArrayRef) -> Result<Cow<'_, [Self]>> {
        match array.data_type() {
            DataType::Decimal128(..) => Ok(Cow::Borrowed(array.as_primitive::<Decimal128Type>().values())),
            DataType::Decimal64(..) => {
                Ok(Cow::Owned(array.as_primitive::<Decimal64Type>().values().iter().map(|&v| i128::from(v)).collect()))
            }
            other => Err(Error::internal(format!("{other} is no wide decimal"))),
        }
    }

    fn array(keys: Vec<Self>, nulls: Option<NullBuffer>, stored: &DataType) -> Result<ArrayRef> {
        Ok(Arc::new(Decimal128Array::new(keys.into(), nulls).with_data_type(stored.clone())))
    }
}

/// Orders the bits of a float as an integer.
fn float_key(value: f64) -> i64 {
    let value = if value == 0.0 {
        0.0
    } else if value.is_nan() {
        f64::NAN
    } else {
        value
    };
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn float_value(key: i64) -> f64 {
    f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
}

impl Key for i64 {
    fn of(array: &ArrayRef) -> Result<Cow<'_, [Self]>> {
        use DataType as T;
        fn small<P: ArrowPrimitiveType>(array: &ArrayRef) -> Cow<'_, [i64]>
        where
            P::Native: Into<i64>,
        {
            Cow::Owned(array.as_primitive::<P>().values().iter().map(|&value| value.into()).collect())
        }
        Ok(match array.data_type() {
            T::Int64 => Cow::Borrowed(array.as_primitive::<Int64Type>().values()),
            T::Decimal64(..) => Cow::Borrowed(array.as_primitive::<Decimal64Type>().values()),
            T::Timestamp(TimeUnit::Microsecond, _) => Cow::Borrowed(array.as_primitive::<TimestampMicrosecondType>().values()),
            T::Date32 => small::<Date32Type>(array),
            T::Int8 => small::<Int8Type>(array),
            T::Int16 => small::<Int16Type>(array),
            T::Int32 => small::<Int32Type>(array),
            T::UInt8 => small::<UInt8Type>(array),
            T::UInt16 => small::<UInt16Type>(array),
            T::UInt32 => small::<UInt32Type>(array),
            T::UInt64 => {
                Cow::Owned(array.as_primitive::<UInt64Type>().values().iter().map(|&v| (v ^ (1 << 63)) as i64).collect())
            }
            T::Float32 => Cow::Owned(array.as_primitive::<Float32Type>().values().iter().map(|&v| float_key(v.into())).collect()),
            T::Float64 => Cow::Owned(array.as_primitive::<Float64Type>().values().iter().map(|&v| float_key(v)).collect()),
            T::Boolean => Cow::Owned(array.as_boolean().values().iter().map(i64::from).collect()),
            T::Decimal128(..) => Cow::Owned(array.as_primitive::<Decimal128Type>().values().iter().map(|&v| v as i64).collect()),
            T::Decimal32(..) | T::Time32(_) => {
                let cast = compute::cast(&compute::cast(array, &T::Int32)?, &T::Int64)?;
                Cow::Owned(cast.as_primitive::<Int64Type>().values().to_vec())
            }
            _ => Cow::Owned(compute::cast(array, &T::Int64)?.as_primitive::<Int64Type>().values().to_vec()),
        })
    }

    fn array(keys: Vec<Self>, nulls: Option<NullBuffer>, stored: &DataType) -> Result<ArrayRef> {
        use DataType as T;
        Ok(match stored {
            T::Decimal64(..) => Arc::new(Decimal64Array::new(keys.into(), nulls).with_data_type(stored.clone())),
            T::Float64 => Arc::new(Float64Array::new(keys.into_iter().map(float_value).collect(), nulls)),
            T::Float32 => Arc::new(Float32Array::new(keys.into_iter().map(|key| float_value(key) as f32).collect(), nulls)),
            T::UInt64 => Arc::new(UInt64Array::new(keys.into_iter().map(|key| key as u64 ^ (1 << 63)).collect(), nulls)),
            T::Boolean => Arc::new(BooleanArray::new(keys.into_iter().map(|key| key == 1).collect(), nulls)),
            T::Date32 => Arc::new(Date32Array::new(keys.into_iter().map(|key| key as i32).collect(), nulls)),
            T::Time32(_) => {
                let narrow = compute::cast(&Int64Array::new(keys.into(), nulls), &T::Int32)?;
                compute::cast(&narrow, stored)?
            }
            other => compute::cast(&Int64Array::new(keys.into(), nulls), other)?,
        })
    }
}

/// Strings and binaries: each group's value in its own allocation, replaced when beaten.
struct BytesExtreme {
    values: Vec<Option<Box<[u8]>>>,
    heap: usize,
    largest: bool,
    stored: DataType,
}

impl BytesExtreme {
    fn add(&mut self, groups: &Groups, array: &ArrayRef) -> Result<()> {
        if self.values.len() < groups.count() {
            self.values.resize(groups.count(), None);
        }
        let cast;
        let array = if *array.data_type() == self.stored {
            array
        } else {
            cast = compute::cast(array, &self.stored)?;
            &cast
        };
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let Self { values, heap, largest, .. } = self;
        let mut offer = |group: usize, bytes: &[u8]| {
            let slot: &mut Option<Box<[u8]>> = &mut values[group];
            let better = slot.as_ref().is_none_or(|held| if *largest { bytes > &**held } else { bytes < &**held });
            if better {
                *heap += bytes.len();
                *heap -= slot.as_ref().map_or(0, |held| held.len());
                *slot = Some(bytes.into());
            }
        };
        match array.data_type() {
            DataType::Utf8View => {
                let strings = array.as_string_view();
                groups.for_each(nulls, |group, row| offer(group, strings.value(row).as_bytes()));
            }
            _ => {
                let bytes = array.as_binary_view();
                groups.for_each(nulls, |group, row| offer(group, bytes.value(row)));
            }
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<ArrayRef> {
        let mut values = std::mem::take(&mut self.values);
        values.resize(count, None);
        self.heap = 0;
        if self.stored == DataType::BinaryView {
            return Ok(Arc::new(BinaryViewArray::from_iter(values)));
        }
        let mut strings = StringViewBuilder::with_capacity(count);
        for value in &values {
            let text = value.as_deref().map(std::str::from_utf8).transpose();
            strings.append_option(text.map_err(|_| Error::internal("a string that is not UTF-8"))?);
        }
        Ok(Arc::new(strings.finish()))
    }
}

impl Accumulate for BytesExtreme {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.add(groups, &only(columns)?.flat()?)
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.add(groups, only_state(state)?)
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(count)?])
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        self.take(count)
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * 16 + self.heap
    }
}
