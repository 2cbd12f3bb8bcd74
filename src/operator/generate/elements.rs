//! What a chunk's rows have to give to a generator.

use super::Generator;
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::expr::ExprRef;
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// The elements of one chunk's rows.
pub(super) enum Elements {
    /// Ranges of shared arrays.
    Ranges {
        /// The first element and the number of them, for each row.
        ranges: Vec<(u32, u32)>,
        /// One generated column each.
        columns: Vec<ArrayRef>,
        /// Elements that are no struct.
        missing: Option<NullBuffer>,
        /// Where places are counted from, if they are wanted.
        position: Option<i32>,
    },
    /// The same number of elements for all rows: for each column one array an element.
    Stacked { rows: usize, columns: Vec<Vec<ArrayRef>> },
}

impl Elements {
    pub(super) fn new(generator: Generator, arguments: &[ExprRef], chunk: &Chunk) -> Result<Self> {
        if let Generator::Stack { rows } = generator {
            let width = arguments.len().div_ceil(rows);
            let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::with_capacity(rows); width];
            for (at, argument) in arguments.iter().enumerate() {
                columns[at % width].push(argument.evaluate(chunk)?.stored(argument.data_type())?);
            }
            // What the last row lacks is NULL.
            for column in &mut columns {
                if column.len() < rows
                    && let Some(first) = column.first()
                {
                    column.push(arrow::array::new_null_array(first.data_type(), chunk.rows()));
                }
            }
            return Ok(Self::Stacked { rows, columns });
        }
        let [argument] = arguments else { return Err(Error::internal("a generator takes one argument")) };
        let array = argument.evaluate(chunk)?.flat()?;
        let position = match generator {
            Generator::Explode { position } => position,
            _ => None,
        };
        let is_inline = generator == Generator::Inline;
        match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let ranges = list.value_offsets().windows(2).map(|pair| (pair[0] as u32, (pair[1] - pair[0]) as u32));
                Self::ranges(ranges.collect(), array.nulls(), list.values(), is_inline, position)
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let mut ranges = Vec::with_capacity(list.len());
                for pair in list.value_offsets().windows(2) {
                    let start = u32::try_from(pair[0]).map_err(|_| Error::unsupported("arrays of more than 4 G elements"))?;
                    ranges.push((start, (pair[1] - pair[0]) as u32));
                }
                Self::ranges(ranges, array.nulls(), list.values(), is_inline, position)
            }
            DataType::FixedSizeList(_, size) => {
                let size = *size as u32;
                let ranges = (0..array.len() as u32).map(|row| (row * size, size)).collect();
                Self::ranges(ranges, array.nulls(), array.as_fixed_size_list().values(), is_inline, position)
            }
            DataType::Map(..) if !is_inline => {
                let map = array.as_map();
                let mut ranges: Vec<_> =
                    map.value_offsets().windows(2).map(|pair| (pair[0] as u32, (pair[1] - pair[0]) as u32)).collect();
                clear_nulls(&mut ranges, array.nulls());
                let columns = vec![map.keys().clone(), map.values().clone()];
                Ok(Self::Ranges { ranges, columns, missing: None, position })
            }
            DataType::Null => {
                Ok(Self::Ranges { ranges: vec![(0, 0); array.len()], columns: vec![array.slice(0, 0)], missing: None, position })
            }
            other => Err(Error::unsupported(format!("a generator over {other}"))),
        }
    }

    fn ranges(
        mut ranges: Vec<(u32, u32)>,
        nulls: Option<&NullBuffer>,
        values: &ArrayRef,
        is_inline: bool,
        position: Option<i32>,
    ) -> Result<Self> {
        clear_nulls(&mut ranges, nulls);
        if !is_inline {
            return Ok(Self::Ranges { ranges, columns: vec![values.clone()], missing: None, position });
        }
        let Some(structs) = values.as_struct_opt() else { return Err(Error::unsupported("inline of anything but structs")) };
        Ok(Self::Ranges { ranges, columns: structs.columns().to_vec(), missing: values.nulls().cloned(), position })
    }

    /// Elements of a row.
    pub(super) fn count(&self, row: usize) -> usize {
        match self {
            Self::Ranges { ranges, .. } => ranges[row].1 as usize,
            Self::Stacked { rows, .. } => *rows,
        }
    }

    /// The generated columns for the given rows' elements; None gives NULLs.
    pub(super) fn gather(&self, rows: &[u32], elements: &[Option<u32>]) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Ranges { ranges, columns, missing, position } => {
                let mut gathered: Vec<ArrayRef> = Vec::with_capacity(columns.len() + 1);
                if let Some(first) = position {
                    let places = elements.iter().map(|element| element.map(|element| element as i32 + first));
                    gathered.push(Arc::new(Int32Array::from_iter(places)));
                }
                let place = |(row, element): (&u32, &Option<u32>)| {
                    let place = element.map(|element| ranges[*row as usize].0 + element)?;
                    missing.as_ref().is_none_or(|valid| valid.is_valid(place as usize)).then_some(place)
                };
                let places: UInt32Array = rows.iter().zip(elements).map(place).collect();
                for column in columns {
                    gathered.push(compute::take(column, &places, None)?);
                }
                Ok(gathered)
            }
            Self::Stacked { columns, .. } => {
                let picks: Vec<(usize, usize)> = rows
                    .iter()
                    .zip(elements)
                    .map(|(row, element)| (element.unwrap_or_default() as usize, *row as usize))
                    .collect();
                let column = |arrays: &Vec<ArrayRef>| -> Result<ArrayRef> {
                    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
                    Ok(compute::interleave(&arrays, &picks)?)
                };
                columns.iter().map(column).collect()
            }
        }
    }
}

/// NULL arrays have no elements, whatever their offsets say.
fn clear_nulls(ranges: &mut [(u32, u32)], nulls: Option<&NullBuffer>) {
    let Some(nulls) = nulls else { return };
    ranges.iter_mut().enumerate().filter(|(row, _)| nulls.is_null(*row)).for_each(|(_, range)| range.1 = 0);
}
