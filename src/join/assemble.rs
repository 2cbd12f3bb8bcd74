//! Puts output rows together: pairs, rows of one side by themselves, marks.
//!
//! Nothing is copied here: a pair is a row number on either side, and the chunk's columns are
//! selections of the input chunk and of the build columns, copied when somebody first looks.

use super::shape::{Keep, Shape};
use crate::column::{Chunk, Column, Selection, storage_type};
use crate::error::Result;
use crate::expr::ExprRef;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use std::sync::Arc;

/// What one join's output rows consist of.
#[derive(Debug)]
pub(super) struct Assembler {
    pub(super) shape: Shape,
    pub(super) residual: Option<ExprRef>,
    build_types: Vec<DataType>,
    probe_types: Vec<DataType>,
}

impl Assembler {
    pub(super) fn new(shape: Shape, residual: Option<ExprRef>, left: &SchemaRef, right: &SchemaRef) -> Self {
        let types = |schema: &SchemaRef| schema.fields().iter().map(|field| storage_type(field.data_type())).collect();
        let (build, probe) = if shape.build_left { (left, right) } else { (right, left) };
        Self { shape, residual, build_types: types(build), probe_types: types(probe) }
    }

    /// The same join with build and probe in each other's place.
    pub(super) fn reversed(&self) -> Self {
        let Shape { pairs, probe, build, build_left, null_aware } = self.shape;
        Self {
            shape: Shape { pairs, probe: build, build: probe, build_left: !build_left, null_aware },
            residual: self.residual.clone(),
            build_types: self.probe_types.clone(),
            probe_types: self.build_types.clone(),
        }
    }

    /// Whether the build side's columns are ever looked at.
    pub(super) fn needs_build_columns(&self) -> bool {
        self.shape.pairs || self.shape.build != Keep::None || self.residual.is_some()
    }

    /// Whether pairs have no columns: only their number matters.
    pub(super) fn is_narrow(&self) -> bool {
        self.build_types.is_empty() && self.probe_types.is_empty()
    }

    /// Pairs of a probe row and a build row, left columns first.
    pub(super) fn pairs(&self, probe: &Chunk, probe_rows: Vec<u32>, build: &[ArrayRef], build_rows: Vec<u32>) -> Result<Chunk> {
        let rows = probe_rows.len();
        let every_row_once = rows == probe.rows() && probe_rows.iter().enumerate().all(|(at, row)| at == *row as usize);
        let ours = match every_row_once {
            true => probe.columns().to_vec(),
            false => probe.select(&Arc::new(Selection::from_indices(probe_rows)))?.into_columns(),
        };
        let selection = Arc::new(Selection::from_indices(build_rows));
        let built = build.iter().map(|column| Column::selected(column.clone(), selection.clone())).collect();
        Ok(Chunk::new(self.ordered(ours, built), rows))
    }

    /// Pairs of one probe row and `len` build rows that lie side by side from `from` on: nothing is
    /// copied.
    pub(super) fn slice(&self, probe: &Chunk, row: usize, build: &[ArrayRef], from: usize, len: usize) -> Result<Chunk> {
        let repeated = |column: &Column| Ok(Column::Const(column.row(row)?, len));
        let ours = probe.columns().iter().map(repeated).collect::<Result<Vec<_>>>()?;
        let built = build.iter().map(|column| Column::Flat(column.slice(from, len))).collect();
        Ok(Chunk::new(self.ordered(ours, built), len))
    }

    /// The rows of `pairs` for which the residual is true; none: there is no residual.
    pub(super) fn residual(&self, pairs: &Chunk) -> Result<Option<BooleanBuffer>> {
        let Some(residual) = &self.residual else { return Ok(None) };
        let value = residual.evaluate(pairs)?.flat()?;
        let value = value.as_boolean();
        Ok(Some(match value.nulls() {
            Some(nulls) => value.values() & nulls.inner(),
            None => value.values().clone(),
        }))
    }

    /// Probe rows by themselves. `marks` for [`Keep::Mark`].
    pub(super) fn probe_rows(&self, probe: &Chunk, rows: Vec<u32>, marks: Option<BooleanArray>) -> Result<Chunk> {
        let count = rows.len();
        let columns = probe.select(&Arc::new(Selection::from_indices(rows)))?.into_columns();
        Ok(self.alone(columns, marks, self.shape.probe, &self.build_types, self.shape.build_left, count))
    }

    /// Build rows by themselves.
    pub(super) fn build_rows(&self, build: &[ArrayRef], rows: Vec<u32>, marks: Option<BooleanArray>) -> Result<Chunk> {
        let count = rows.len();
        let selection = Arc::new(Selection::from_array(UInt32Array::from(rows)));
        let columns = build.iter().map(|column| Column::selected(column.clone(), selection.clone())).collect();
        Ok(self.alone(columns, marks, self.shape.build, &self.probe_types, !self.shape.build_left, count))
    }

    fn alone(
        &self,
        mut columns: Vec<Column>,
        marks: Option<BooleanArray>,
        keep: Keep,
        others: &[DataType],
        others_first: bool,
        rows: usize,
    ) -> Chunk {
        if keep == Keep::Outer {
            let mut nulls: Vec<Column> = others.iter().map(|data_type| Column::nulls(data_type, rows)).collect();
            if others_first {
                nulls.append(&mut columns);
                columns = nulls;
            } else {
                columns.append(&mut nulls);
            }
        }
        columns.extend(marks.map(|marks| Column::Flat(Arc::new(marks))));
        Chunk::new(columns, rows)
    }

    fn ordered(&self, mut probe: Vec<Column>, mut build: Vec<Column>) -> Vec<Column> {
        if self.shape.build_left {
            build.append(&mut probe);
            build
        } else {
            probe.append(&mut build);
            probe
        }
    }
}

/// The rows that [`Keep`] wants of rows with these outcomes, and their marks.
///
/// `matched`: a match was found. `unknown`: none was, but a NULL might have been one (NOT IN).
pub(super) fn kept(keep: Keep, rows: usize, matched: impl Fn(usize) -> bool, unknown: impl Fn(usize) -> bool) -> Kept {
    let all = 0..rows;
    let list = |wanted: &dyn Fn(usize) -> bool| all.clone().filter(|row| wanted(*row)).map(|row| row as u32).collect();
    match keep {
        Keep::None => Kept::default(),
        Keep::Outer => Kept { rows: list(&|row| !matched(row)), marks: None },
        Keep::Semi => Kept { rows: list(&matched), marks: None },
        Keep::Anti => Kept { rows: list(&|row| !matched(row) && !unknown(row)), marks: None },
        Keep::Mark => {
            let mark = |row: usize| if matched(row) { Some(true) } else { (!unknown(row)).then_some(false) };
            Kept { rows: list(&|_| true), marks: Some(all.clone().map(mark).collect()) }
        }
    }
}

/// Rows of one side to put out by themselves.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) rows: Vec<u32>,
    pub(super) marks: Option<BooleanArray>,
}

impl Kept {
    /// At most `len` of them from `from`.
    pub(super) fn piece(&self, from: usize, len: usize) -> (Vec<u32>, Option<BooleanArray>) {
        let to = (from + len).min(self.rows.len());
        (self.rows[from..to].to_vec(), self.marks.as_ref().map(|marks| marks.slice(from, to - from)))
    }
}
