//! Comparisons.
//!
//! Values are compared in loops over slices that pack 64 results into a word; NULLs are combined
//! afterwards from the validity bitmaps. Floats: NaN equals itself and is the largest value, -0.0
//! equals 0.0. Decimals compare across widths and scales. Strings against a constant compare their
//! 16-byte views first: equality with a constant of at most 12 bytes looks at nothing else.

use super::decimal::decimal_values;
use super::kernel::{Arg, Kernel, union_nulls};
use crate::error::Result;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, StringViewArray, make_comparator, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::SortOptions;
use arrow::compute::kernels::cmp;
use arrow::datatypes::*;
use std::cmp::Ordering;
use std::sync::Arc;

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Cmp {
    /// The operator with its operands exchanged.
    pub fn flipped(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    /// Whether it holds for operands that compare as `ordering`.
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}

/// The kernel of a comparison.
#[derive(Debug)]
pub(super) struct Compare(pub Cmp);

impl Kernel for Compare {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        Ok(Arc::new(compare(self.0, &args[0], &args[1], rows)?))
    }
}

/// The kernel of `IS [NOT] DISTINCT FROM`.
#[derive(Debug)]
pub(super) struct Distinct {
    pub negated: bool,
}

impl Kernel for Distinct {
    fn call(&self, args: &[Arg], rows: usize) -> Result<ArrayRef> {
        let bits = |arg: &Arg| match () {
            () if arg.is_null() => BooleanBuffer::new_unset(rows),
            () => arg.nulls().map_or_else(|| BooleanBuffer::new_set(rows), NullBuffer::into_inner),
        };
        let (left, right) = (bits(&args[0]), bits(&args[1]));
        let equal = super::logic::true_rows(&compare(Cmp::Eq, &args[0], &args[1], rows)?);
        let same = &equal | &!&(&left | &right);
        Ok(Arc::new(BooleanArray::new(if self.negated { same } else { !&same }, None)))
    }
}

/// One operand of a loop.
#[derive(Clone, Copy)]
pub(super) enum Side<'a, T> {
    Many(&'a [T]),
    One(T),
}

/// `left op right` for every row.
pub(super) fn compare(op: Cmp, left: &Arg, right: &Arg, rows: usize) -> Result<BooleanArray> {
    if left.is_null() || right.is_null() {
        return Ok(new_null_array(&DataType::Boolean, rows).as_boolean().clone());
    }
    if left.is_const && !right.is_const {
        return compare(op.flipped(), right, left, rows);
    }
    let nulls = union_nulls(&[left.clone(), right.clone()]);
    macro_rules! ints {
        ($t:ty) => {
            compare_slices(op, side::<$t>(left), side::<$t>(right), rows)
        };
    }
    let values = match (left.data_type(), right.data_type()) {
        (DataType::Int8, DataType::Int8) => ints!(Int8Type),
        (DataType::Int16, DataType::Int16) => ints!(Int16Type),
        (DataType::Int32, DataType::Int32) => ints!(Int32Type),
        (DataType::Int64, DataType::Int64) => ints!(Int64Type),
        (DataType::UInt64, DataType::UInt64) => ints!(UInt64Type),
        (DataType::Date32, DataType::Date32) => ints!(Date32Type),
        (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Timestamp(TimeUnit::Microsecond, _)) => {
            ints!(TimestampMicrosecondType)
        }
        (DataType::Float64, DataType::Float64) => compare_floats(op, side::<Float64Type>(left), side::<Float64Type>(right), rows),
        (DataType::Float32, DataType::Float32) => compare_floats(op, side::<Float32Type>(left), side::<Float32Type>(right), rows),
        (DataType::Decimal64(_, a), DataType::Decimal64(_, b)) if a == b => ints!(Decimal64Type),
        (DataType::Decimal128(_, a), DataType::Decimal128(_, b)) if a == b => ints!(Decimal128Type),
        (DataType::Decimal64(_, a) | DataType::Decimal128(_, a), DataType::Decimal64(_, b) | DataType::Decimal128(_, b)) => {
            let scale = *a.max(b);
            let (left_wide, right_wide) = (decimal_values(left, scale)?, decimal_values(right, scale)?);
            compare_slices(op, wide_side(left, &left_wide), wide_side(right, &right_wide), rows)
        }
        (DataType::Utf8View, DataType::Utf8View) if right.is_const && matches!(op, Cmp::Eq | Cmp::Ne) => {
            equal_string(left.array.as_string_view(), right.array.as_string_view(), op == Cmp::Eq)
        }
        (a, b) if a == b && !a.is_nested() && !matches!(a, DataType::Interval(_)) => {
            let (l, r) = (left.datum(), right.datum());
            let result = match op {
                Cmp::Eq => cmp::eq(&*l, &*r),
                Cmp::Ne => cmp::neq(&*l, &*r),
                Cmp::Lt => cmp::lt(&*l, &*r),
                Cmp::Le => cmp::lt_eq(&*l, &*r),
                Cmp::Gt => cmp::gt(&*l, &*r),
                Cmp::Ge => cmp::gt_eq(&*l, &*r),
            }?;
            result.values().clone()
        }
        _ => {
            let comparator = make_comparator(&left.array, &right.array, SortOptions::default())?;
            BooleanBuffer::collect_bool(rows, |row| op.holds(comparator(left.at(row), right.at(row))))
        }
    };
    // Constants on both sides come back as one row.
    let nulls = nulls.filter(|nulls| nulls.len() == values.len());
    Ok(BooleanArray::new(values, nulls))
}

pub(super) fn side<T: ArrowPrimitiveType>(arg: &Arg) -> Side<'_, T::Native> {
    let values = arg.array.as_primitive::<T>().values();
    if arg.is_const { Side::One(values[0]) } else { Side::Many(values) }
}

fn wide_side<'a>(arg: &Arg, values: &'a [i128]) -> Side<'a, i128> {
    if arg.is_const { Side::One(values[0]) } else { Side::Many(values) }
}

/// Packs `test` of every value into bits.
pub(super) fn pack<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> BooleanBuffer {
    let mut words = Vec::with_capacity(values.len().div_ceil(64));
    for chunk in values.chunks(64) {
        words.push(chunk.iter().enumerate().fold(0_u64, |word, (bit, &value)| word | (u64::from(test(value)) << bit)));
    }
    BooleanBuffer::new(arrow::buffer::Buffer::from_vec(words), 0, values.len())
}

fn pack_two<T: Copy>(left: &[T], right: &[T], test: impl Fn(T, T) -> bool) -> BooleanBuffer {
    let mut words = Vec::with_capacity(left.len().div_ceil(64));
    for (left, right) in left.chunks(64).zip(right.chunks(64)) {
        let pairs = left.iter().zip(right).enumerate();
        words.push(pairs.fold(0_u64, |word, (bit, (&l, &r))| word | (u64::from(test(l, r)) << bit)));
    }
    BooleanBuffer::new(arrow::buffer::Buffer::from_vec(words), 0, left.len())
}

fn pack_sides<T: Copy>(left: Side<T>, right: Side<T>, rows: usize, test: impl Fn(T, T) -> bool) -> BooleanBuffer {
    match (left, right) {
        (Side::Many(left), Side::Many(right)) => pack_two(left, right, test),
        (Side::Many(left), Side::One(right)) => pack(left, |left| test(left, right)),
        (Side::One(left), Side::Many(right)) => pack(right, |right| test(left, right)),
        (Side::One(left), Side::One(right)) => BooleanBuffer::collect_bool(rows, |_| test(left, right)),
    }
}

fn compare_slices<T: Copy + PartialOrd>(op: Cmp, left: Side<T>, right: Side<T>, rows: usize) -> BooleanBuffer {
    match op {
        Cmp::Eq => pack_sides(left, right, rows, |l, r| l == r),
        Cmp::Ne => pack_sides(left, right, rows, |l, r| l != r),
        Cmp::Lt => pack_sides(left, right, rows, |l, r| l < r),
        Cmp::Le => pack_sides(left, right, rows, |l, r| l <= r),
        Cmp::Gt => pack_sides(left, right, rows, |l, r| l > r),
        Cmp::Ge => pack_sides(left, right, rows, |l, r| l >= r),
    }
}

/// NaN is told by `v != v`; it equals itself and is larger than everything else.
#[allow(clippy::eq_op)]
fn compare_floats<T: Copy + PartialOrd>(op: Cmp, left: Side<T>, right: Side<T>, rows: usize) -> BooleanBuffer {
    let equal = |l: T, r: T| (l == r) | ((l != l) & (r != r));
    let less = |l: T, r: T| (l < r) | ((l == l) & (r != r));
    match op {
        Cmp::Eq => pack_sides(left, right, rows, equal),
        Cmp::Ne => pack_sides(left, right, rows, |l, r| !equal(l, r)),
        Cmp::Lt => pack_sides(left, right, rows, less),
        Cmp::Ge => pack_sides(left, right, rows, |l, r| !less(l, r)),
        Cmp::Gt => pack_sides(left, right, rows, |l, r| less(r, l)),
        Cmp::Le => pack_sides(left, right, rows, |l, r| !less(r, l)),
    }
}

/// Whether each string is (or is not) `wanted`.
pub(super) fn equal_string(strings: &StringViewArray, wanted: &StringViewArray, equal: bool) -> BooleanBuffer {
    let view = wanted.views()[0];
    let value = wanted.value(0);
    if value.len() <= 12 {
        return pack(strings.views(), |other| (other == view) == equal);
    }
    // Length and the first four bytes, then all bytes.
    BooleanBuffer::collect_bool(strings.len(), |row| {
        let same = strings.views()[row] as u64 == view as u64 && strings.is_valid(row) && strings.value(row) == value;
        same == equal
    })
}
