//! Rows of a sorted stream, gathered until whole partitions are there.
//!
//! ```text
//!   rows:        | c c | a a a a | b b b b b b ...
//!                 └ look-back of a partition that goes on; given out before
//!   starts:              ^         ^
//!   peers:         ^     ^   ^     ^ ^     ^        (where the order key changes, too)
//!   evaluated up to the last border; what is behind it stays for the next batch
//! ```
//!
//! Of each row the columns (to be given out again) and the functions' inputs are kept. When memory
//! is short and no border is in sight the columns go to a file and come back as they are given out.
//! When all functions look back only, a border between peers will do, and what a function has to
//! know of the partition so far is carried over.

use super::folds;
use super::frame::{Frames, frames};
use super::navigate::{pick, shift};
use super::rank::{Carry, rank};
use super::spec::{Planned, Spec};
use super::{Bound, WindowFunction};
use crate::column::{Chunk, Column, array_bytes, storage_schema};
use crate::error::{Error, Result};
use crate::exec::spill::{SpillReader, SpillRun, SpillWriter};
use crate::exec::{Reservation, TaskContext};
use crate::operator::sort::canonical;
use arrow::array::{Array, ArrayRef, new_empty_array};
use arrow::compute;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Columns of less than this are not worth a file. Guessed.
const SPOOL_BYTES_MIN: usize = 256 << 10;

/// Rows whose results are computed together, as functions see them.
pub(super) struct View<'a> {
    /// The first row that wants results; those before it are there to look back to.
    pub(super) first: usize,
    /// Number of rows, those to look back to included.
    pub(super) rows: usize,
    /// Where partitions begin, but for the first.
    pub(super) starts: &'a [u32],
    /// For each level, where peers begin.
    pub(super) peers: Vec<&'a [u32]>,
    /// The first partition began in an earlier batch.
    pub(super) continued: bool,
}

impl View<'_> {
    /// The rows of each partition.
    pub(super) fn partitions(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.starts.iter().map(|&start| start as usize));
        let ends = self.starts.iter().map(|&start| start as usize).chain(std::iter::once(self.rows));
        starts.zip(ends).map(|(start, end)| start..end)
    }
}

/// See the module.
pub(super) struct Batch {
    spec: Arc<Spec>,
    /// For each input its values, piece by piece.
    inputs: Vec<Vec<ArrayRef>>,
    columns: Vec<Chunk>,
    spool: Option<SpillWriter>,
    rows: usize,
    first: usize,
    continued: bool,
    starts: Vec<u32>,
    peers: Vec<Vec<u32>>,
    /// The keys of the last row: PARTITION BY, then ORDER BY.
    last: Option<Vec<ArrayRef>>,
    carries: Vec<Carry>,
    held: Reservation,
}

impl Batch {
    /// No rows.
    pub(super) fn new(spec: &Arc<Spec>, task: &TaskContext) -> Self {
        Self {
            inputs: vec![Vec::new(); spec.inputs.len()],
            columns: Vec::new(),
            spool: None,
            rows: 0,
            first: 0,
            continued: false,
            starts: Vec::new(),
            peers: vec![Vec::new(); spec.levels.len()],
            last: None,
            carries: spec.calls.iter().map(|_| Carry::default()).collect(),
            held: task.query.memory.reserve(Some(spec.metrics.clone())),
            spec: spec.clone(),
        }
    }

    /// Rows that want results.
    pub(super) fn waiting(&self) -> usize {
        self.rows - self.first
    }

    /// Takes a chunk that follows in the order. Says whether there was room for it.
    pub(super) fn add(&mut self, chunk: Chunk) -> Result<bool> {
        let spec = self.spec.clone();
        let keys = spec.groups.iter().chain(spec.order.iter().map(|key| &key.expr));
        let keys = keys.map(|key| Ok(canonical(key.evaluate(&chunk)?.stored(key.data_type())?))).collect::<Result<Vec<_>>>()?;
        let groups = spec.groups.len();
        let at = u32::try_from(self.rows + chunk.rows()).map_err(|_| Error::memory("a window of over 2^32 rows"))?;
        let base = at - chunk.rows() as u32;
        let last = self.last.as_deref();
        let starts = changes(last.map(|last| &last[..groups]), &keys[..groups], chunk.rows())?;
        for (level, peers) in spec.levels.iter().zip(&mut self.peers) {
            let width = groups + level;
            let changed = changes(last.map(|last| &last[..width]), &keys[..width], chunk.rows())?;
            peers.extend(changed.iter().map(|row| base + row));
        }
        self.starts.extend(starts.iter().map(|row| base + row).filter(|&row| row > 0));
        self.last = Some(keys.iter().map(|key| key.slice(chunk.rows() - 1, 1)).collect());
        let mut bytes = chunk.memory_size();
        for (input, kept) in spec.inputs.iter().zip(&mut self.inputs) {
            let values = input.evaluate(&chunk)?;
            bytes += array_bytes(&values);
            kept.push(values);
        }
        self.rows += chunk.rows();
        self.columns.push(chunk);
        let fits = self.held.try_grow(bytes);
        if !fits {
            self.held.grow_anyway(bytes);
        }
        Ok(fits)
    }

    /// The last row before which the rows can be given out, and whether a partition begins there.
    pub(super) fn border(&self) -> Option<(usize, bool)> {
        let start = self.starts.last().map_or(0, |&start| start as usize);
        let peer = match self.peers.first().and_then(|peers| peers.last()) {
            Some(&peer) if self.spec.streaming => peer as usize,
            _ => 0,
        };
        let border = start.max(peer);
        (border > self.first).then_some((border, border == start))
    }

    /// Puts the columns into a file, as far as that is worth it.
    pub(super) fn spool(&mut self, task: &TaskContext) -> Result<()> {
        let bytes: usize = self.columns.iter().map(Chunk::memory_size).sum();
        if bytes < SPOOL_BYTES_MIN && !task.query.always_spill {
            return Ok(());
        }
        let mut out = match self.spool.take() {
            Some(out) => out,
            None => task.query.spill.create(&storage_schema(&self.spec.schema))?,
        };
        for chunk in std::mem::take(&mut self.columns) {
            let written = out.write(chunk.stored(&self.spec.schema)?, chunk.rows())?;
            self.spec.metrics.spilled_bytes.add(written as u64);
        }
        self.spool = Some(out);
        self.held.shrink(bytes);
        Ok(())
    }

    /// Computes the functions for the rows before `border`; `complete`: the last partition ends there.
    pub(super) fn evaluate(&mut self, border: usize, complete: bool, task: &TaskContext) -> Result<Output> {
        let spec = self.spec.clone();
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (pieces, input) in self.inputs.iter_mut().zip(&spec.inputs) {
            let arrays: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
            inputs.push(match arrays.len() {
                0 => new_empty_array(&input.stored_type()),
                1 => pieces[0].clone(),
                _ => compute::concat(&arrays)?,
            });
        }
        let before = |rows: &[u32]| rows.partition_point(|&row| (row as usize) < border);
        let starts = &self.starts[..before(&self.starts)];
        let view = View {
            first: self.first,
            rows: border,
            starts,
            peers: self.peers.iter().map(|peers| &peers[..before(peers)]).collect(),
            continued: self.continued,
        };
        let seen: Vec<ArrayRef> = inputs.iter().map(|input| input.slice(0, border)).collect();
        let mut results = Vec::with_capacity(spec.calls.len());
        for (planned, carry) in spec.calls.iter().zip(&mut self.carries) {
            task.check_cancelled()?;
            let result = compute_call(&spec, planned, &view, &seen, carry, complete, task)?;
            results.push(Column::Flat(result).stored(planned.call.field.data_type())?);
        }
        // What the next batch begins with.
        let last_start = starts.last().map_or(0, |&start| start as usize);
        let look_back = if complete { 0 } else { spec.look_back.min(border - last_start) };
        let kept = border - look_back;
        for (pieces, input) in self.inputs.iter_mut().zip(&inputs) {
            *pieces = if kept < self.rows { vec![input.slice(kept, self.rows - kept)] } else { Vec::new() };
        }
        let behind = |rows: &[u32], from: usize| -> Vec<u32> {
            rows.iter().filter(|&&row| row as usize >= from).map(|&row| row - kept as u32).collect()
        };
        self.starts = behind(&self.starts, border).into_iter().filter(|&row| row > 0).collect();
        self.peers = self.peers.iter().map(|peers| behind(peers, kept)).collect();
        let mut chunks = VecDeque::new();
        let spooled = self.spool.take().map(SpillWriter::finish).transpose()?;
        let mut left = border - self.first - spooled.as_ref().map_or(0, |run| run.rows() as usize);
        for chunk in std::mem::take(&mut self.columns) {
            let taken = chunk.rows().min(left);
            left -= taken;
            if taken == chunk.rows() {
                chunks.push_back(chunk);
                continue;
            }
            if taken > 0 {
                chunks.push_back(chunk.slice(0, taken)?);
            }
            self.columns.push(chunk.slice(taken, chunk.rows() - taken)?);
        }
        (self.rows, self.first, self.continued) = (self.rows - kept, look_back, !complete);
        if complete {
            self.carries.iter_mut().for_each(|carry| *carry = Carry::default());
        }
        let mut held = task.query.memory.reserve(Some(spec.metrics.clone()));
        let bytes = self.columns.iter().map(Chunk::memory_size).sum::<usize>()
            + self.inputs.iter().flatten().map(array_bytes).sum::<usize>();
        held.grow_anyway(bytes);
        let held = std::mem::replace(&mut self.held, held);
        let spool = spooled.map(|run| Ok::<_, Error>((run.read()?, run))).transpose()?;
        Ok(Output { spool, chunks, results, at: 0, _held: held })
    }

    /// All rows there are: nothing follows them.
    pub(super) fn finish(&mut self, task: &TaskContext) -> Result<Output> {
        self.evaluate(self.rows, true, task)
    }
}

fn compute_call(
    spec: &Spec,
    planned: &Planned,
    view: &View,
    inputs: &[ArrayRef],
    carry: &mut Carry,
    complete: bool,
    task: &TaskContext,
) -> Result<ArrayRef> {
    let call = &planned.call;
    let argument = |index: usize| planned.arguments.get(index).map(|&input| &inputs[input]);
    let value = || argument(0).ok_or_else(|| Error::internal("a window function without its argument"));
    let framed = || -> Result<Frames> {
        let key = planned.range_key.map(|input| (canonical(inputs[input].clone()), spec.order[0].descending));
        frames(&call.frame, view, planned.level, key.as_ref().map(|(key, descending)| (key, *descending)))
    };
    match &call.function {
        WindowFunction::Shift { rows, ignore_nulls, .. } => shift(value()?, argument(1), *rows, *ignore_nulls, view),
        WindowFunction::Pick { row, ignore_nulls, .. } => pick(value()?, *row, *ignore_nulls, &framed()?, view),
        WindowFunction::Fold(function) => {
            let columns: Vec<ArrayRef> = planned.arguments.iter().map(|&input| inputs[input].clone()).collect();
            let rows = folds::Rows { columns, filter: planned.filter.map(|input| inputs[input].clone()), view };
            let carried = call.frame.start == Bound::UnboundedPreceding && (view.continued || !complete);
            let state = carried.then_some((&mut carry.state, complete));
            folds::fold(function.as_ref(), rows, framed()?, state, task)
        }
        _ => rank(call, view, planned.level, carry),
    }
}

/// The rows of a chunk whose keys differ from the row's before; `last` is the row before the chunk.
fn changes(last: Option<&[ArrayRef]>, keys: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
    let Some(last) = last else {
        let mut all = vec![0];
        if !keys.is_empty() && rows > 1 {
            all.extend(compute::partition(keys)?.ranges().iter().skip(1).map(|range| range.start as u32));
        }
        return Ok(all);
    };
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let pair = |(last, key): (&ArrayRef, &ArrayRef)| Ok(compute::concat(&[last.as_ref(), key.slice(0, 1).as_ref()])?);
    let pairs = last.iter().zip(keys).map(pair).collect::<Result<Vec<_>>>()?;
    let changed = compute::partition(&pairs)?.len() > 1;
    let ranges = compute::partition(keys)?.ranges();
    Ok(ranges.iter().skip(usize::from(!changed)).map(|range| range.start as u32).collect())
}

/// Rows with their results, to be given out.
pub(super) struct Output {
    spool: Option<(SpillReader, SpillRun)>,
    chunks: VecDeque<Chunk>,
    results: Vec<ArrayRef>,
    at: usize,
    _held: Reservation,
}

impl Output {
    /// The next rows; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        let spooled = match &mut self.spool {
            Some((reader, _)) => reader.next()?,
            None => None,
        };
        let chunk = match spooled {
            Some(batch) => Chunk::from_arrays(batch.columns().to_vec(), batch.num_rows()),
            None => {
                self.spool = None;
                let Some(chunk) = self.chunks.pop_front() else { return Ok(None) };
                chunk
            }
        };
        let rows = chunk.rows();
        let mut columns = chunk.columns().to_vec();
        columns.extend(self.results.iter().map(|result| Column::Flat(result.slice(self.at, rows))));
        self.at += rows;
        Ok(Some(chunk.with_columns(columns)))
    }
}
