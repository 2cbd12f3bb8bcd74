//! Aggregates over frames, whatever the aggregate and the frames.
//!
//! Problem: an aggregate can take rows and other states, but not give rows back, so a frame that
//! moves cannot be followed. Idea: frames that do not overlap, or are short, are folded row by row,
//! each as a group of a vectorised aggregation. Where that would take many times the rows there are,
//! states of all runs of 8, 64, 512 ... rows are made first, and a frame is put together from
//! the few largest runs it has, still all frames at once.
//!
//! ```text
//!   level 2:  |               0               |               1               |
//!   level 1:  |   0   |   1   |   2   |   3   |   4   |   5   |   6   |   7   |     (8 wide, really)
//!   rows:     . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . .
//!   frame:          x x|  1   |   2       3   |   4   |x                   left edge, middle, right
//! ```
//!
//! Cost: n rows in frames of w rows take min(n w, n 14 log8 w) steps and n/7 states. Rows that share
//! a frame share its result. The pieces of a frame are taken from left to right, so aggregates that
//! know an order see it. NULLs are the aggregate's business; a FILTER renumbers the rows.
//!
//! The tree is Leis et al. 2015, section 4.3, with wider nodes.

use super::batch::View;
use super::frame::Frames;
use crate::column::Column;
use crate::error::Result;
use crate::exec::TaskContext;
use crate::expr::fold::{Fold, FoldFunction};
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_empty_array};
use arrow::compute;

/// Children of a node: wider nodes make a smaller tree and more pieces a frame. Guessed.
const WIDTH: usize = 8;
/// Up to this many times the rows frames are folded row by row. Guessed: what a tree costs.
const DIRECT_SHARE: usize = 6;
/// Rows or states given to the aggregate at a time.
const STEP_ROWS: usize = 1 << 15;
/// Frames whose states exist at a time.
const STEP_FRAMES: usize = 1 << 12;

/// The rows of a batch as the aggregate sees them.
pub(super) struct Rows<'a> {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) filter: Option<ArrayRef>,
    pub(super) view: &'a View<'a>,
}

/// A frame among the rows that pass the filter; `carried`: the rows of earlier batches belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    from: u32,
    to: u32,
    carried: bool,
}

/// The results for all frames. `carry` is the state of the rows given out before, of frames that
/// begin with the partition, and whether the last partition of the batch ends in it.
pub(super) fn fold(
    function: &dyn FoldFunction,
    rows: Rows,
    frames: Frames,
    carry: Option<(&mut Option<Vec<ArrayRef>>, bool)>,
    task: &TaskContext,
) -> Result<ArrayRef> {
    let Rows { mut columns, filter, view } = rows;
    let mut passing: Option<Vec<u32>> = None;
    if let Some(filter) = &filter {
        let mask = filter.as_boolean().values();
        let kept = UInt32Array::from(mask.set_indices_u32().collect::<Vec<_>>());
        columns = columns.iter().map(|column| compute::take(column, &kept, None)).collect::<Result<_, _>>()?;
        let mut before = Vec::with_capacity(view.rows + 1);
        let mut count = 0;
        for row in 0..view.rows {
            before.push(count);
            count += u32::from(mask.value(row));
        }
        before.push(count);
        passing = Some(before);
    }
    let place = |row: u32| passing.as_ref().map_or(row, |before| before[row as usize]);
    let columns: Vec<Column> = columns.into_iter().map(Column::Flat).collect();
    let count = place(view.rows as u32) as usize;
    let first_end = view.partitions().next().map_or(0, |partition| partition.end);
    let carried_rows = if view.continued && carry.is_some() { first_end - view.first } else { 0 };

    let mut distinct: Vec<Frame> = Vec::new();
    let mut shares: Vec<u32> = Vec::with_capacity(frames.from.len());
    for (row, (&from, &to)) in frames.from.iter().zip(&frames.to).enumerate() {
        let frame = Frame { from: place(from), to: place(to), carried: row < carried_rows };
        if distinct.last() != Some(&frame) {
            distinct.push(frame);
        }
        shares.push(distinct.len() as u32 - 1);
    }
    drop(frames);
    let state = carry.as_ref().and_then(|(state, _)| (*state).clone());
    let work = Work { function, columns: &columns, count, state: state.as_deref(), task };
    let results = work.results(&distinct)?;
    if let Some((kept, complete)) = carry {
        let start = view.starts.last().map_or(view.first, |&start| start as usize).max(view.first);
        let whole =
            Frame { from: place(start as u32), to: place(view.rows as u32), carried: view.continued && view.starts.is_empty() };
        let fresh = if complete { None } else { Some(work.state_of(whole)?) };
        *kept = fresh;
    }
    match distinct.len() == shares.len() {
        true => Ok(results),
        false => Ok(compute::take(&results, &UInt32Array::from(shares), None)?),
    }
}

struct Work<'a> {
    function: &'a dyn FoldFunction,
    columns: &'a [Column],
    /// Rows in the columns.
    count: usize,
    /// Of the rows before the batch.
    state: Option<&'a [ArrayRef]>,
    task: &'a TaskContext,
}

impl Work<'_> {
    fn results(&self, frames: &[Frame]) -> Result<ArrayRef> {
        let total: usize = frames.iter().map(|frame| (frame.to - frame.from) as usize).sum();
        let direct = total <= DIRECT_SHARE * self.count + STEP_ROWS;
        let levels = if direct { Vec::new() } else { self.levels()? };
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut fold = self.function.start()?;
        for frames in frames.chunks(STEP_FRAMES) {
            self.begin(fold.as_mut(), frames)?;
            match direct {
                true => self.direct(fold.as_mut(), frames)?,
                false => self.by_tree(fold.as_mut(), frames, &levels)?,
            }
            parts.push(fold.finish(frames.len())?);
        }
        let arrays: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        match arrays.as_slice() {
            [] => Ok(new_empty_array(fold.finish(0)?.data_type())),
            [_] => Ok(parts.remove(0)),
            several => Ok(compute::concat(several)?),
        }
    }

    /// The state of one frame's rows.
    fn state_of(&self, frame: Frame) -> Result<Vec<ArrayRef>> {
        let mut fold = self.function.start()?;
        self.begin(fold.as_mut(), &[frame])?;
        self.direct(fold.as_mut(), &[frame])?;
        fold.drain(1)
    }

    /// What was carried over goes first.
    fn begin(&self, fold: &mut dyn Fold, frames: &[Frame]) -> Result<()> {
        let Some(state) = self.state else { return Ok(()) };
        let ids: Vec<u32> = (0..frames.len() as u32).filter(|&id| frames[id as usize].carried).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let same = UInt32Array::from_value(0, ids.len());
        let states = state.iter().map(|column| compute::take(column, &same, None)).collect::<Result<Vec<_>, _>>()?;
        fold.merge(&ids, frames.len(), &states)
    }

    /// Row by row.
    fn direct(&self, fold: &mut dyn Fold, frames: &[Frame]) -> Result<()> {
        let (mut ids, mut rows) = (Vec::with_capacity(STEP_ROWS), Vec::with_capacity(STEP_ROWS));
        for (id, frame) in frames.iter().enumerate() {
            let mut from = frame.from;
            while from < frame.to {
                let taken = (frame.to - from).min((STEP_ROWS - rows.len()) as u32);
                rows.extend(from..from + taken);
                ids.extend(std::iter::repeat_n(id as u32, taken as usize));
                from += taken;
                if rows.len() == STEP_ROWS {
                    self.update(fold, &ids, frames.len(), &rows)?;
                    ids.clear();
                    rows.clear();
                }
            }
        }
        self.update(fold, &ids, frames.len(), &rows)
    }

    fn update(&self, fold: &mut dyn Fold, ids: &[u32], groups: usize, rows: &[u32]) -> Result<()> {
        let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else { return Ok(()) };
        self.task.check_cancelled()?;
        let in_a_row = last.wrapping_sub(first) as usize + 1 == rows.len() && rows.is_sorted_by(|a, b| a < b);
        let columns = match in_a_row {
            true => self.columns.iter().map(|column| column.slice(first as usize, rows.len())).collect::<Result<Vec<_>>>()?,
            false => {
                let rows = UInt32Array::from(rows.to_vec());
                let take = |column: &Column| Ok(Column::Flat(compute::take(&column.flat()?, &rows, None)?));
                self.columns.iter().map(take).collect::<Result<Vec<_>>>()?
            }
        };
        fold.update(ids, groups, &columns)
    }

    /// The states of runs of `WIDTH`, `WIDTH` squared ... rows.
    fn levels(&self) -> Result<Vec<Vec<ArrayRef>>> {
        let mut fold = self.function.start()?;
        let mut count = self.count.div_ceil(WIDTH);
        let all: Vec<u32> = (0..self.count as u32).collect();
        for rows in all.chunks(STEP_ROWS) {
            let ids: Vec<u32> = rows.iter().map(|row| row / WIDTH as u32).collect();
            self.update(fold.as_mut(), &ids, count, rows)?;
        }
        let mut levels = vec![fold.drain(count)?];
        while count > WIDTH {
            let ids: Vec<u32> = (0..count as u32).map(|node| node / WIDTH as u32).collect();
            count = count.div_ceil(WIDTH);
            let below = &levels[levels.len() - 1];
            fold.merge(&ids, count, below)?;
            let states = fold.drain(count)?;
            levels.push(states);
        }
        Ok(levels)
    }

    /// Each frame from its edges' rows and the nodes between.
    fn by_tree(&self, fold: &mut dyn Fold, frames: &[Frame], levels: &[Vec<ArrayRef>]) -> Result<()> {
        let mut left = vec![Pieces::default(); levels.len() + 1];
        let mut right = left.clone();
        for (id, frame) in frames.iter().enumerate() {
            let (mut from, mut to) = (frame.from, frame.to);
            let width = WIDTH as u32;
            for (level, (left, right)) in left.iter_mut().zip(&mut right).enumerate() {
                if level == levels.len() {
                    left.add(id, from..to);
                    break;
                }
                let aligned = from.next_multiple_of(width).min(to);
                left.add(id, from..aligned);
                from = aligned;
                let inner = (to - to % width).max(from);
                right.add(id, inner..to);
                to = inner;
                if from >= to {
                    break;
                }
                (from, to) = (from / width, to / width);
            }
        }
        let levels_up = left.iter().enumerate();
        for (level, pieces) in levels_up.chain(right.iter().enumerate().rev()) {
            for (ids, items) in pieces.ids.chunks(STEP_ROWS).zip(pieces.items.chunks(STEP_ROWS)) {
                self.task.check_cancelled()?;
                match level.checked_sub(1) {
                    None => self.update(fold, ids, frames.len(), items)?,
                    Some(level) => {
                        let items = UInt32Array::from(items.to_vec());
                        let take = |column: &ArrayRef| compute::take(column, &items, None);
                        let states = levels[level].iter().map(take).collect::<Result<Vec<_>, _>>()?;
                        fold.merge(ids, frames.len(), &states)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Rows or nodes of one level with the frames they belong to.
#[derive(Clone, Default)]
struct Pieces {
    ids: Vec<u32>,
    items: Vec<u32>,
}

impl Pieces {
    fn add(&mut self, id: usize, items: std::ops::Range<u32>) {
        self.ids.extend(std::iter::repeat_n(id as u32, items.len()));
        self.items.extend(items);
    }
}
