//! Which rows of an array a column consists of.
//!
//! A selection is made once by a filter or a join and shared by all columns of the chunk. It is
//! held as it was made, as a mask (dense: copying runs of rows is cheapest) or as row numbers
//! (sparse, repeated, out of order, or with NULL for "no row"), and turned into the other form
//! when first needed.

use super::set_bits::set_bits;
use crate::error::Result;
use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{self, FilterBuilder, FilterPredicate};
use std::sync::OnceLock;

/// A mask with more than this share of its rows set copies runs; below, row numbers are cheaper.
/// Guessed; the filter micro-benchmark measures it.
const DENSE_SHARE: f64 = 0.8;

/// Row numbers into a base array; a NULL number stands for a row of NULLs.
#[derive(Debug)]
pub struct Selection {
    rows: usize,
    indices: OnceLock<UInt32Array>,
    mask: Option<(BooleanBuffer, FilterPredicate)>,
}

impl Selection {
    /// The rows whose bit is set.
    pub fn from_mask(mask: BooleanBuffer) -> Self {
        let rows = mask.count_set_bits();
        if (rows as f64) < DENSE_SHARE * mask.len() as f64 {
            return Self::from_indices(set_bits(&mask));
        }
        let predicate = FilterBuilder::new(&BooleanArray::new(mask.clone(), None)).optimize().build();
        Self { rows, indices: OnceLock::new(), mask: Some((mask, predicate)) }
    }

    /// The rows of the given numbers, in this order.
    pub fn from_indices(indices: Vec<u32>) -> Self {
        Self::from_array(indices.into())
    }

    /// The rows of the given numbers; NULL gives a row of NULLs.
    pub fn from_array(indices: UInt32Array) -> Self {
        Self { rows: indices.len(), indices: OnceLock::from(indices), mask: None }
    }

    /// Number of rows selected.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether no row is selected.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether some selected row is a row of NULLs.
    pub fn has_nulls(&self) -> bool {
        self.indices.get().is_some_and(|indices| indices.null_count() > 0)
    }

    /// The row numbers.
    pub fn indices(&self) -> &UInt32Array {
        self.indices.get_or_init(|| {
            let mask = &self.mask.as_ref().expect("a selection has a mask or indices").0;
            set_bits(mask).into()
        })
    }

    /// Copies the selected rows of `base`.
    pub fn pick(&self, base: &ArrayRef) -> Result<ArrayRef> {
        match &self.mask {
            Some((_, predicate)) => Ok(predicate.filter(base)?),
            None => Ok(compute::take(base, self.indices(), None)?),
        }
    }

    /// The selection that first applies `self` and then `next` to what that leaves.
    pub fn compose(&self, next: &Selection) -> Selection {
        let composed = compute::take(self.indices(), next.indices(), None).expect("u32 indices compose");
        Self::from_array(arrow::array::AsArray::as_primitive(&composed).clone())
    }

    /// `len` of the selected rows from `offset`.
    pub fn slice(&self, offset: usize, len: usize) -> Selection {
        Self::from_array(self.indices().slice(offset, len))
    }
}
