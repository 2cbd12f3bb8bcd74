//! Merges sorted runs, and the two sides with one another.

use super::super::build_probe::{Block, Input, Joint, Matching, Unmatched, concat};
use super::super::hash_table::{NO_MATCH, Table};
use super::super::keys::KeyBatch;
use super::sort::{Key, Rows, Run, Sorted};
use crate::column::{Chunk, array_bytes, storage_schema};
use crate::error::{Error, Result};
use crate::exec::spill::SpillReader;
use crate::exec::{Cursor, Reservation, Source, Step, TaskContext};
use arrow::array::ArrayRef;
use arrow::compute;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A window this large is matched with the left rows it covers so far rather than filled up to the
/// chunk's last key. Guessed: some MiB.
const WINDOW_ROWS: usize = 1 << 16;

/// Hands out the one merge.
pub(super) struct MergeSource {
    joint: Arc<Joint>,
    left: Arc<Sorted>,
    right: Arc<Sorted>,
    opened: AtomicBool,
}

impl MergeSource {
    pub(super) fn new(joint: Arc<Joint>, left: Arc<Sorted>, right: Arc<Sorted>) -> Self {
        Self { joint, left, right, opened: AtomicBool::new(false) }
    }
}

impl Source for MergeSource {
    fn tasks_max(&self) -> usize {
        1
    }

    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        if self.opened.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        let window = self.right.nothing()?;
        Ok(Some(Box::new(Merge {
            left: RunMerge::new(self.left.clone())?,
            right: RunMerge::new(self.right.clone())?,
            block: window_block(&self.joint, &window),
            joint: self.joint.clone(),
            window,
            memory: task.query.memory.reserve(Some(self.joint.metrics.clone())),
            pending: None,
            phase: Phase::NextLeft,
        })))
    }
}

/// One run being read.
struct Reading {
    rows: Rows,
    at: usize,
    file: Option<SpillReader>,
    /// Keeps what the run holds.
    _run: Option<Run>,
}

/// The k-way merge of one side's runs.
struct RunMerge {
    sorted: Arc<Sorted>,
    runs: Vec<Reading>,
}

impl RunMerge {
    fn new(sorted: Arc<Sorted>) -> Result<Self> {
        let mut runs = Vec::new();
        for run in sorted.take() {
            let reading = match &run {
                Run::Memory { rows, .. } => Reading { rows: rows.clone(), at: 0, file: None, _run: Some(run) },
                Run::File(file) => {
                    let rows = sorted.nothing()?;
                    Reading { rows, at: 0, file: Some(file.read()?), _run: Some(run) }
                }
            };
            runs.push(reading);
        }
        Ok(Self { sorted, runs })
    }

    /// At most `rows_max` of the next rows, whose keys are at most `bound`. Fewer may come; none at
    /// the end or when the next key is larger.
    fn next(&mut self, rows_max: usize, bound: Option<Key>) -> Result<Option<Rows>> {
        self.refill()?;
        let mut picks: Vec<(usize, usize)> = Vec::new();
        // One run alone is not compared with others.
        if let [reading] = self.runs.as_mut_slice() {
            let end = bound.map_or(reading.rows.rows, |bound| reading.rows.end_of(reading.at, |key| key <= bound));
            let rows = rows_max.min(end - reading.at);
            let first = reading.at;
            reading.at += rows;
            return Ok((rows > 0).then(|| reading.rows.slice(first, rows)));
        }
        while picks.len() < rows_max {
            // The run with the least key gives rows until another one's key is less.
            let mut least: Option<(usize, Key)> = None;
            let mut second: Option<Key> = None;
            for (at, run) in self.runs.iter().enumerate() {
                let key = run.rows.key(run.at);
                match least {
                    Some((_, other)) if key >= other => second = Some(second.map_or(key, |second| second.min(key))),
                    _ => {
                        second = least.map(|(_, other)| other);
                        least = Some((at, key));
                    }
                }
            }
            let Some((run, key)) = least else { break };
            if bound.is_some_and(|bound| key > bound) {
                break;
            }
            let until = second.into_iter().chain(bound).min();
            let rows = &self.runs[run].rows;
            let from = self.runs[run].at;
            let most = rows.rows.min(from + rows_max - picks.len());
            let mut to = from + 1;
            while to < most && until.is_none_or(|until| rows.key(to) <= until) {
                to += 1;
            }
            picks.extend((from..to).map(|row| (run, row)));
            self.runs[run].at = to;
            if to == self.runs[run].rows.rows {
                break;
            }
        }
        if picks.is_empty() {
            return Ok(None);
        }
        let rows = picks.len();
        match picks.as_slice() {
            // Rows of one run follow one another.
            [(run, first), rest @ ..] if rest.iter().all(|(other, _)| other == run) => {
                Ok(Some(self.runs[*run].rows.slice(*first, rows)))
            }
            _ => self.sorted.rows(self.interleave(&picks)?, rows).map(Some),
        }
    }

    fn interleave(&self, picks: &[(usize, usize)]) -> Result<Vec<ArrayRef>> {
        let count = self.sorted.side().schema.fields().len();
        let mut columns = Vec::with_capacity(count);
        for at in 0..count {
            let parts: Vec<&dyn arrow::array::Array> = self.runs.iter().map(|run| run.rows.columns[at].as_ref()).collect();
            columns.push(compute::interleave(&parts, picks)?);
        }
        Ok(columns)
    }

    /// Reads the next block of runs that are at the end of one; drops those at the end.
    fn refill(&mut self) -> Result<()> {
        for run in &mut self.runs {
            while run.at == run.rows.rows {
                let Some(file) = &mut run.file else { break };
                match file.next()? {
                    Some(batch) => {
                        run.rows = self.sorted.rows(batch.columns().to_vec(), batch.num_rows())?;
                        run.at = 0;
                    }
                    None => run.file = None,
                }
            }
        }
        self.runs.retain(|run| run.at < run.rows.rows);
        Ok(())
    }
}

/// The merge of both sides.
struct Merge {
    joint: Arc<Joint>,
    left: RunMerge,
    right: RunMerge,
    /// Right rows that the next left rows may match.
    window: Rows,
    /// The same as a block, with what matched.
    block: Arc<Block>,
    memory: Reservation,
    /// Left rows that were read and not yet met by a window.
    pending: Option<Rows>,
    phase: Phase,
}

enum Phase {
    NextLeft,
    /// Window rows that fell out, before the chunk of left rows is met.
    Retire(Unmatched, Option<Rows>),
    /// Right rows up to the chunk's last key are read.
    Fill(Rows),
    Match(Box<Matching>),
    /// No left rows any more.
    Drain,
    DrainRows(Unmatched),
    Done,
}

fn window_block(joint: &Joint, window: &Rows) -> Arc<Block> {
    let valid = window.valid();
    Arc::new(joint.finish_block(window.columns.clone(), window.rows, Table::empty(), valid, Default::default(), None))
}

impl Cursor for Merge {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let chunk_rows = task.query.chunk_rows.max(1);
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::NextLeft => {
                let chunk = match self.pending.take() {
                    Some(chunk) => Some(chunk),
                    None => self.left.next(chunk_rows, None)?,
                };
                let out = match &chunk {
                    None => self.window.rows,
                    Some(chunk) => {
                        let first = chunk.key(0);
                        self.window.end_of(0, |key| key < first)
                    }
                };
                self.phase = Phase::Retire(Unmatched::new(self.joint.clone(), self.block.clone(), 0, out), chunk);
                if out > 0 {
                    self.cut(out);
                }
                Ok(Step::Yield)
            }
            Phase::Retire(mut rows, chunk) => {
                let step = rows.next(task)?;
                self.phase = match (&step, chunk) {
                    (Step::Done, Some(chunk)) => Phase::Fill(chunk),
                    (Step::Done, None) if self.joint.tracks_build() => Phase::Drain,
                    (Step::Done, None) => return Ok(Step::Done),
                    (_, chunk) => {
                        self.phase = Phase::Retire(rows, chunk);
                        return Ok(step);
                    }
                };
                Ok(Step::Yield)
            }
            Phase::Fill(chunk) => {
                let Some(chunk) = self.fill(chunk, task)? else {
                    self.phase = Phase::NextLeft;
                    return Ok(Step::Yield);
                };
                let ranges = self.ranges(&chunk);
                let keys = self.joint.assembler.shape.null_aware.then(|| chunk.keys());
                let probe = Chunk::from_arrays(chunk.columns, chunk.rows);
                let input = Input { probe, ranges: Some(ranges), direct: true, keys, cross: Default::default(), earlier: None };
                self.phase = Phase::Match(Box::new(Matching::new(self.joint.clone(), self.block.clone(), input)));
                Ok(Step::Yield)
            }
            Phase::Match(mut matching) => {
                let step = matching.next(task)?;
                if matches!(step, Step::Done) {
                    self.phase = Phase::NextLeft;
                    return Ok(Step::Yield);
                }
                self.phase = Phase::Match(matching);
                Ok(step)
            }
            Phase::Drain => {
                let Some(rows) = self.right.next(chunk_rows, None)? else { return Ok(Step::Done) };
                let block = window_block(&self.joint, &rows);
                self.phase = Phase::DrainRows(Unmatched::new(self.joint.clone(), block, 0, rows.rows));
                Ok(Step::Yield)
            }
            Phase::DrainRows(mut rows) => {
                let step = rows.next(task)?;
                if matches!(step, Step::Done) {
                    self.phase = Phase::Drain;
                    return Ok(Step::Yield);
                }
                self.phase = Phase::DrainRows(rows);
                Ok(step)
            }
            Phase::Done => Ok(Step::Done),
        }
    }
}

impl Merge {
    /// Drops the window's first `out` rows.
    fn cut(&mut self, out: usize) {
        self.window = self.window.slice(out, self.window.rows - out);
        self.renew(out);
    }

    /// A new block for the changed window; what matched is kept. `out`: rows dropped in front.
    fn renew(&mut self, out: usize) {
        let fresh = window_block(&self.joint, &self.window);
        if let (Some(old), Some(new)) = (&self.block.matched, &fresh.matched) {
            (out..self.block.rows).filter(|row| old.get(*row)).for_each(|row| new.set((row - out) as u32));
        }
        self.block = fresh;
    }

    /// Reads right rows up to the last key of `chunk`, or as many as a window may have: then the
    /// left rows that need no more are returned and the others wait. None: the window lies below all
    /// left rows and is to be dropped first.
    fn fill(&mut self, chunk: Rows, task: &TaskContext) -> Result<Option<Rows>> {
        let window_rows = if task.query.always_spill { 32 } else { WINDOW_ROWS };
        let mut pieces = vec![self.window.clone()];
        let mut rows = self.window.rows;
        let mut covered = chunk.rows;
        while let Some(piece) = self.right.next(task.query.chunk_rows.max(1024), Some(chunk.key(chunk.rows - 1)))? {
            task.check_cancelled()?;
            let last = piece.key(piece.rows - 1);
            rows += piece.rows;
            let full = rows >= window_rows;
            let needs_no_more = if full { chunk.end_of(0, |key| key < last) } else { 0 };
            let below = full && last < chunk.key(0);
            pieces.push(piece);
            if needs_no_more > 0 || below {
                covered = needs_no_more;
                break;
            }
        }
        if pieces.len() > 1 {
            self.widen(pieces)?;
        }
        if covered == chunk.rows {
            return Ok(Some(chunk));
        }
        let ready = chunk.slice(0, covered);
        self.pending = Some(chunk.slice(covered, chunk.rows - covered));
        Ok((covered > 0).then_some(ready))
    }

    /// Makes the pieces the window.
    fn widen(&mut self, pieces: Vec<Rows>) -> Result<()> {
        let schema = storage_schema(&self.joint.build.schema);
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (at, field) in schema.fields().iter().enumerate() {
            let parts: Vec<ArrayRef> = pieces.iter().map(|piece| piece.columns[at].clone()).collect();
            columns.push(concat(&parts, field.data_type())?);
        }
        let rows = pieces.iter().map(|piece| piece.rows).sum();
        if rows > u32::MAX as usize {
            return Err(Error::unsupported("a key with over 4 billion rows"));
        }
        let keys: Vec<KeyBatch> = pieces.iter().map(Rows::keys).collect();
        self.window = Rows::new(columns, KeyBatch::concat(&keys), rows);
        // The rows of one key are the least that a merge must hold.
        self.memory.release();
        self.memory.grow_anyway(self.window.columns.iter().map(array_bytes).sum());
        self.renew(0);
        Ok(())
    }

    /// Per left row its matches in the window: both are walked once.
    fn ranges(&self, chunk: &Rows) -> Vec<(u32, u32)> {
        let window = &self.window;
        match (chunk.words(), window.words()) {
            (Some(left), Some(right)) => matches(chunk, window.rows, |row| left[row], |row| right[row]),
            _ => matches(chunk, window.rows, |row| chunk.key(row), |row| window.key(row)),
        }
    }
}

/// See [`Merge::ranges`].
fn matches<K: Ord>(chunk: &Rows, window: usize, left: impl Fn(usize) -> K, right: impl Fn(usize) -> K) -> Vec<(u32, u32)> {
    let (mut from, mut to) = (0, 0);
    let mut ranges = Vec::with_capacity(chunk.rows);
    for row in 0..chunk.rows {
        let key = left(row);
        if row == 0 || key != left(row - 1) {
            from = to;
            while from < window && right(from) < key {
                from += 1;
            }
            to = from;
            while to < window && right(to) == key {
                to += 1;
            }
        }
        ranges.push(if to > from && chunk.is_valid(row) { (from as u32, (to - from) as u32) } else { NO_MATCH });
    }
    ranges
}
