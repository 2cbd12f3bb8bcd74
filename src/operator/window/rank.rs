//! Functions of a row's place in its partition: ranks, shares, tiles.
//!
//! ```text
//!   key         a  a  b  c       4 rows
//!   row_number  1  2  3  4       percent_rank  0    0    2/3  1
//!   rank        1  1  3  4       cume_dist     2/4  2/4  3/4  1
//!   dense_rank  1  1  2  3       ntile(3)      1    1    2    3
//! ```
//!
//! One pass over the borders of partitions and peers. The first three go on from [`Carry`] when a
//! partition is given out in pieces.

use super::batch::View;
use super::{WindowCall, WindowFunction};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, Float64Array, Int32Array};
use std::sync::Arc;

/// What a function knows of the part of a partition that has been given out.
#[derive(Default)]
pub(super) struct Carry {
    /// Rows.
    rows: i64,
    /// Groups of peers.
    groups: i64,
    /// The state of an aggregate over them.
    pub(super) state: Option<Vec<ArrayRef>>,
}

/// The values of a ranking function for rows `view.first..`.
pub(super) fn rank(call: &WindowCall, view: &View, level: usize, carry: &mut Carry) -> Result<ArrayRef> {
    let rows = view.rows - view.first;
    let peers = &view.peers[level];
    let (mut numbers, mut shares): (Vec<i32>, Vec<f64>) = match call.function {
        WindowFunction::PercentRank | WindowFunction::CumeDist => (Vec::new(), Vec::with_capacity(rows)),
        _ => (Vec::with_capacity(rows), Vec::new()),
    };
    for (index, partition) in view.partitions().enumerate() {
        if !(index == 0 && view.continued) {
            (carry.rows, carry.groups) = (0, 0);
        }
        let (from, end) = (partition.start.max(view.first), partition.end);
        let size = (end - from) as i64;
        let mut group = peers.partition_point(|&at| (at as usize) < from);
        let mut start = from;
        while start < end {
            let next = peers.get(group + 1).map_or(end, |&at| at as usize).min(end);
            carry.groups += 1;
            for row in start..next {
                let number = carry.rows + (row - start) as i64 + 1;
                match call.function {
                    WindowFunction::RowNumber => numbers.push(int(number, call)?),
                    WindowFunction::Rank => numbers.push(int(carry.rows + 1, call)?),
                    WindowFunction::DenseRank => numbers.push(int(carry.groups, call)?),
                    WindowFunction::PercentRank => {
                        shares.push(if size > 1 { carry.rows as f64 / (size - 1) as f64 } else { 0.0 });
                    }
                    WindowFunction::CumeDist => shares.push((carry.rows + (next - start) as i64) as f64 / size as f64),
                    WindowFunction::Ntile(tiles) => numbers.push(int(tile(number - 1, size, tiles), call)?),
                    _ => return Err(Error::internal("not a ranking function")),
                }
            }
            carry.rows += (next - start) as i64;
            group += 1;
            start = next;
        }
    }
    Ok(match shares.is_empty() {
        true => Arc::new(Int32Array::from(numbers)),
        false => Arc::new(Float64Array::from(shares)),
    })
}

/// The tile, from 1, of row `row` of `size`: the first ones get one row more.
fn tile(row: i64, size: i64, tiles: i64) -> i64 {
    let (each, larger) = (size / tiles, size % tiles);
    let in_larger = larger * (each + 1);
    if row < in_larger { row / (each + 1) + 1 } else { larger + (row - in_larger) / each.max(1) + 1 }
}

fn int(number: i64, call: &WindowCall) -> Result<i32> {
    i32::try_from(number).map_err(|_| Error::value(format!("overflow in {}: {number} is out of range of INT", call.field.name())))
}
