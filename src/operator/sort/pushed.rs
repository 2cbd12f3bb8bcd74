//! The bound of a top-k as a filter of the scan that its first key comes from.
//!
//! Problem: `ORDER BY x LIMIT 10` reads everything although after some rows most others cannot be
//! among the first ten any more. When a task of the sort knows k rows, the worst of their first keys
//! is published here; the scan asks for it as for any runtime filter: zones of row groups and pages
//! that lie beyond it are not read, and rows beyond it fall out before other columns are decoded. The
//! scan visits the zones that promise most first, so that the bound is soon tight.
//!
//! ```text
//!   scan  x: [ 4..9 ] [ 0..3 ] [ 7..9 ]        TopK 2 by x
//!             3rd:skip  1st ──rows 0 1 2──────> bound 1 ─┐
//!                                      2nd: [4..9] > 1 <─┘ skip
//! ```
//!
//! Rows with the bound's own key are kept unless it is the only key: then k rows that are as good are
//! known. Cost: a comparison a row of the key column. NULL stands where the key says; NaN is the
//! largest float, and bounds of zones do not tell of it.

use super::keys::canonical;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::expr::order_of_constants;
use crate::layout::{Bounds, ScanPredicate, Truth};
use arrow::array::{Array, ArrayRef, Scalar};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use parking_lot::RwLock;
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Memory};

/// What a sort with a small LIMIT tells the scan below it.
#[derive(Debug)]
pub struct TopKFilter {
    columns: [usize; 1],
    description: String,
    data_type: DataType,
    descending: bool,
    nulls_first: bool,
    /// Rows as good as the bound are not needed.
    strict: bool,
    bound: RwLock<Option<Arc<Worst>>>,
    version: AtomicU64,
}

/// The worst first key of k known rows.
#[derive(Debug)]
struct Worst {
    value: ScalarValue,
    /// The same as an array of one row, in the storage type.
    array: ArrayRef,
}

impl TopKFilter {
    /// A filter of `table_column` (a position in the table's schema, of SQL type `data_type`), which
    /// is the first key of a sort; `only`: there is no other key. Lets everything pass until the
    /// sort publishes a bound.
    pub fn new(
        table_column: usize,
        description: String,
        data_type: DataType,
        descending: bool,
        nulls_first: bool,
        only: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            columns: [table_column],
            description,
            data_type,
            descending,
            nulls_first,
            strict: only,
            bound: RwLock::new(None),
            version: AtomicU64::new(0),
        })
    }

    /// k rows are known of which none has a worse first key than `row` of `keys` (in the storage
    /// type).
    pub(super) fn publish(&self, keys: &ArrayRef, row: usize) -> Result<()> {
        let array = canonical(keys.slice(row, 1));
        let value = ScalarValue::try_from_array(&array, 0)?;
        let mut bound = self.bound.write();
        let better = bound.as_ref().is_none_or(|known| self.compare(&value, &known.value) == Some(Ordering::Less));
        if better {
            *bound = Some(Arc::new(Worst { value, array }));
            self.version.fetch_add(1, Memory::Release);
        }
        Ok(())
    }

    /// How two keys stand in the sort's order.
    fn compare(&self, left: &ScalarValue, right: &ScalarValue) -> Option<Ordering> {
        let null = if self.nulls_first { Ordering::Less } else { Ordering::Greater };
        match (left.is_null(), right.is_null()) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(null),
            (false, true) => Some(null.reverse()),
            (false, false) => {
                let ascending = order_of_constants(left, right)?;
                Some(if self.descending { ascending.reverse() } else { ascending })
            }
        }
    }

    /// Whether a key that stands so to the bound is still wanted.
    fn wanted(&self, to_bound: Ordering) -> bool {
        to_bound == Ordering::Less || (to_bound == Ordering::Equal && !self.strict)
    }

    fn null_wanted(&self, bound: &ScalarValue) -> bool {
        let to_bound = match bound.is_null() {
            true => Ordering::Equal,
            false if self.nulls_first => Ordering::Less,
            false => Ordering::Greater,
        };
        self.wanted(to_bound)
    }
}

impl ScanPredicate for TopKFilter {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn describe(&self) -> String {
        self.description.clone()
    }

    fn is_ready(&self) -> bool {
        self.version() > 0
    }

    fn version(&self) -> u64 {
        self.version.load(Memory::Acquire)
    }

    fn best_first(&self) -> Option<bool> {
        Some(self.descending)
    }

    fn check_bounds(&self, zone: &dyn Bounds) -> Truth {
        let Some(bound) = self.bound.read().clone() else { return Truth::Unknown };
        let bounds = zone.column(self.columns[0]);
        if bounds.null_count != Some(0) && self.null_wanted(&bound.value) {
            return Truth::Unknown;
        }
        if bounds.null_count.is_some_and(|nulls| nulls >= zone.rows()) {
            return Truth::Never;
        }
        let best = if self.descending { bounds.max } else { bounds.min };
        let Some(best) = best else { return Truth::Unknown };
        // NaN, the largest, may stand beyond an upper bound.
        if self.descending && best.data_type().is_floating() {
            return Truth::Unknown;
        }
        match self.compare(&best, &bound.value) {
            Some(to_bound) if !self.wanted(to_bound) => Truth::Never,
            // Not "always": the bound may come to reject what it lets pass now.
            _ => Truth::Unknown,
        }
    }

    fn evaluate(&self, columns: &[Column], rows: usize) -> Result<BooleanBuffer> {
        let (Some(bound), Some(column)) = (self.bound.read().clone(), columns.first()) else {
            return Ok(BooleanBuffer::new_set(rows));
        };
        let values = canonical(column.stored(&self.data_type)?);
        let nulls_pass = self.null_wanted(&bound.value);
        let mask = if bound.value.is_null() {
            // Every other value is on one side of NULL.
            let others = self.wanted(if self.nulls_first { Ordering::Greater } else { Ordering::Less });
            if others { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) }
        } else {
            let constant = Scalar::new(bound.array.clone());
            let compared = match (self.descending, self.strict) {
                (false, false) => cmp::lt_eq(&values, &constant),
                (false, true) => cmp::lt(&values, &constant),
                (true, false) => cmp::gt_eq(&values, &constant),
                (true, true) => cmp::gt(&values, &constant),
            };
            compared.map_err(Error::from)?.values().clone()
        };
        let valid = match values.as_ref().logical_nulls() {
            Some(nulls) => nulls.into_inner(),
            None => return Ok(mask),
        };
        Ok(if nulls_pass { &(&mask & &valid) | &!&valid } else { &mask & &valid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ColumnBounds;
    use arrow::array::{Float64Array, Int64Array};

    struct Zone(ColumnBounds);

    impl Bounds for Zone {
        fn rows(&self) -> u64 {
            10
        }
        fn column(&self, _: usize) -> ColumnBounds {
            self.0.clone()
        }
    }

    fn filter(data_type: DataType, descending: bool, nulls_first: bool, only: bool) -> Arc<TopKFilter> {
        TopKFilter::new(0, "bound".into(), data_type, descending, nulls_first, only)
    }

    fn mask(filter: &TopKFilter, values: ArrayRef) -> Vec<bool> {
        let rows = values.len();
        filter.evaluate(&[Column::Flat(values)], rows).unwrap().iter().collect()
    }

    #[test]
    fn rows_and_zones_beyond_the_bound_fall_out() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(5), None, Some(7)]));
        let zone = |min: i64, max: i64, nulls| {
            Zone(ColumnBounds { min: Some(min.into()), max: Some(max.into()), null_count: Some(nulls) })
        };
        for (descending, nulls_first, only, expected) in [
            (false, true, false, [true, true, true, false]),
            (false, false, false, [true, true, false, false]),
            (false, true, true, [true, false, true, false]),
            (true, false, false, [false, true, false, true]),
            (true, true, true, [false, false, true, true]),
        ] {
            let filter = filter(DataType::Int64, descending, nulls_first, only);
            assert_eq!(mask(&filter, numbers.clone()), [true; 4], "no bound yet");
            assert!(!filter.is_ready());
            filter.publish(&numbers, 1).unwrap();
            assert_eq!(mask(&filter, numbers.clone()), expected);
            let (worse, equal, better) = if descending { ((1, 4), (1, 5), (1, 6)) } else { ((6, 9), (5, 9), (4, 9)) };
            assert_eq!(filter.check_bounds(&zone(worse.0, worse.1, 0)), Truth::Never);
            assert_eq!(filter.check_bounds(&zone(better.0, better.1, 0)), Truth::Unknown);
            assert_eq!(filter.check_bounds(&zone(equal.0, equal.1, 0)) == Truth::Never, only);
            assert_eq!(filter.check_bounds(&zone(worse.0, worse.1, 1)) == Truth::Never, !nulls_first);
            // A worse bound changes nothing, a better one does.
            let version = filter.version();
            filter.publish(&numbers, if descending { 0 } else { 3 }).unwrap();
            assert_eq!(filter.version(), version);
            filter.publish(&numbers, if descending { 3 } else { 0 }).unwrap();
            assert_eq!(filter.version(), version + 1);
        }
    }

    #[test]
    fn a_bound_of_null() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None]));
        for (nulls_first, only, expected) in [
            (true, false, [false, true]),
            (true, true, [false, false]),
            (false, false, [true, true]),
            (false, true, [true, false]),
        ] {
            let filter = filter(DataType::Int64, false, nulls_first, only);
            filter.publish(&numbers, 1).unwrap();
            assert_eq!(mask(&filter, numbers.clone()), expected);
        }
    }

    #[test]
    fn nan_is_the_largest_float_and_zeros_are_equal() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 0.0, 1.0, -f64::NAN]));
        let descending = filter(DataType::Float64, true, false, false);
        descending.publish(&floats, 1).unwrap();
        assert_eq!(mask(&descending, floats.clone()), [true; 5]);
        descending.publish(&floats, 0).unwrap();
        assert_eq!(mask(&descending, floats.clone()), [true, false, false, false, true]);
        let bounds = ColumnBounds { min: Some(0.0.into()), max: Some(1.0.into()), null_count: Some(0) };
        assert_eq!(descending.check_bounds(&Zone(bounds)), Truth::Unknown);
        let ascending = filter(DataType::Float64, false, false, true);
        ascending.publish(&floats, 2).unwrap();
        assert_eq!(mask(&ascending, floats), [false; 5]);
    }
}
