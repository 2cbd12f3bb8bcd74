//! Aggregates as operators beside aggregation see them: states of many groups at a time, that take
//! rows, other states, and give results.

use super::vector::ExprRef;
use crate::column::Column;
use crate::error::Result;
use arrow::array::ArrayRef;
use std::fmt::Debug;

/// An aggregate call that somebody folds rows with.
pub trait FoldFunction: Debug + Send + Sync {
    /// States without any row.
    fn start(&self) -> Result<Box<dyn Fold>>;

    /// What [`Fold::update`] wants to see of each row, one expression a column.
    fn inputs(&self) -> &[ExprRef];

    /// SQL-like text.
    fn describe(&self) -> String;
}

/// States of one aggregate for groups `0..groups`. The order in which a group's rows and states
/// come is the order that an aggregate which knows one sees.
pub trait Fold: Send {
    /// Takes rows: row `i` of `columns` belongs to group `ids[i]`.
    fn update(&mut self, ids: &[u32], groups: usize, columns: &[Column]) -> Result<()>;

    /// Takes states that [`Fold::drain`] gave: row `i` of them belongs to group `ids[i]`.
    fn merge(&mut self, ids: &[u32], groups: usize, states: &[ArrayRef]) -> Result<()>;

    /// The states of all groups as columns, one row a group; afterwards there are none.
    fn drain(&mut self, groups: usize) -> Result<Vec<ArrayRef>>;

    /// The results of all groups in their storage type; afterwards there are no states.
    fn finish(&mut self, groups: usize) -> Result<ArrayRef>;
}
