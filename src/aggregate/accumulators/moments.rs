//! `skewness` and `kurtosis`: central moments, updated value by value and put together from parts.
//!
//! P. Pebay, Formulas for Robust, One-Pass Parallel Computation of Covariances and Arbitrary-Order
//! Statistical Moments, Sandia Report SAND2008-6212 (2008), 2 and 3.

use super::{Accumulate, Groups, only};
use crate::column::Column;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use std::sync::Arc;

/// Columns of a state.
pub(super) const WIDTH: usize = 5;

/// Count, mean, and the sums of the second to fourth powers of distances from the mean.
#[derive(Debug, Clone, Copy, Default)]
struct State([f64; WIDTH]);

impl State {
    fn join(&mut self, other: &Self) {
        let ([na, ma, a2, a3, a4], [nb, mb, b2, b3, b4]) = (self.0, other.0);
        let n = na + nb;
        if nb == 0.0 {
            return;
        }
        if na == 0.0 {
            *self = *other;
            return;
        }
        let d = mb - ma;
        let dn = d / n;
        let m2 = a2 + b2 + d * dn * na * nb;
        let m3 = a3 + b3 + d * dn * dn * na * nb * (na - nb) + 3.0 * dn * (na * b2 - nb * a2);
        let m4 = a4
            + b4
            + d * dn * dn * dn * na * nb * (na * na - na * nb + nb * nb)
            + 6.0 * dn * dn * (na * na * b2 + nb * nb * a2)
            + 4.0 * dn * (na * b3 - nb * a3);
        self.0 = [n, ma + dn * nb, m2, m3, m4];
    }

    fn skewness(&self) -> Option<f64> {
        let [n, _, m2, m3, _] = self.0;
        (n > 0.0 && m2 != 0.0).then(|| n.sqrt() * m3 / (m2 * m2 * m2).sqrt())
    }

    fn kurtosis(&self) -> Option<f64> {
        let [n, _, m2, _, m4] = self.0;
        (n > 0.0 && m2 != 0.0).then(|| n * m4 / (m2 * m2) - 3.0)
    }
}

pub(super) struct Moments {
    kurtosis: bool,
    states: Vec<State>,
}

impl Moments {
    /// `kurtosis`, or else `skewness`.
    pub(super) fn new(kurtosis: bool) -> Self {
        Self { kurtosis, states: Vec::new() }
    }

    fn resize(&mut self, groups: &Groups) {
        self.states.resize(groups.count().max(self.states.len()), State::default());
    }
}

impl Accumulate for Moments {
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()> {
        self.resize(groups);
        let values = only(columns)?.flat()?;
        let values = values.as_primitive::<Float64Type>();
        groups.for_each(values.nulls(), |group, row| {
            self.states[group].join(&State([1.0, values.value(row), 0.0, 0.0, 0.0]));
        });
        Ok(())
    }

    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()> {
        self.resize(groups);
        let columns: Vec<&Float64Array> = state.iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        let columns: [&Float64Array; WIDTH] =
            columns.try_into().map_err(|_| Error::internal("moments have a state of five columns"))?;
        groups.for_each(None, |group, row| self.states[group].join(&State(columns.map(|column| column.value(row)))));
        Ok(())
    }

    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>> {
        let mut states = std::mem::take(&mut self.states);
        states.resize(count, State::default());
        let column = |index: usize| Float64Array::from_iter_values(states.iter().map(|state| state.0[index]));
        Ok((0..WIDTH).map(|index| Arc::new(column(index)) as ArrayRef).collect())
    }

    fn finish(&mut self, count: usize) -> Result<ArrayRef> {
        let mut states = std::mem::take(&mut self.states);
        states.resize(count, State::default());
        let result = |state: &State| if self.kurtosis { state.kurtosis() } else { state.skewness() };
        Ok(Arc::new(states.iter().map(result).collect::<Float64Array>()))
    }

    fn bytes(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
