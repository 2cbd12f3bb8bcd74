//! Merges sorted runs, or ranges of them, into blocks of rows.

use super::keys::Keys;
use super::loser_tree::LoserTree;
use super::run::{Run, SpilledRows, gather};
use crate::error::Result;
use crate::exec::{Reservation, TaskContext};
use std::ops::Range;
use std::sync::Arc;

/// A sorted input of a merge.
pub(super) enum Input {
    /// Rows of a run in memory.
    Memory(Arc<Run>, Range<usize>),
    /// A run in a file.
    File(SpilledRows),
}

/// A merge that stops after every block and goes on later.
pub(super) struct Merge {
    heads: Vec<Head>,
    tree: LoserTree,
    /// Blocks that rows of the next output stand in, and which heads point into.
    blocks: Vec<Arc<Run>>,
    reservation: Reservation,
}

/// Where one input stands.
struct Head {
    /// Position among the blocks; `at == end` when the input is exhausted.
    block: usize,
    at: usize,
    end: usize,
    file: Option<SpilledRows>,
}

impl Merge {
    /// A merge of `inputs`. Blocks read from files are counted in `reservation`.
    pub(super) fn new(inputs: Vec<Input>, reservation: Reservation) -> Result<Self> {
        let mut heads = Vec::with_capacity(inputs.len());
        let mut blocks = Vec::with_capacity(inputs.len());
        for input in inputs {
            let (block, range, file) = match input {
                Input::Memory(run, range) => (run, range, None),
                Input::File(mut file) => {
                    let Some(block) = file.next()? else { continue };
                    let range = 0..block.rows();
                    (block, range, Some(file))
                }
            };
            if !range.is_empty() {
                heads.push(Head { block: blocks.len(), at: range.start, end: range.end, file });
                blocks.push(block);
            }
        }
        let tree = LoserTree::new(heads.len(), |a, b| beats(&heads, &blocks, a, b));
        Ok(Self { heads, tree, blocks, reservation })
    }

    /// The next rows, at most `rows_max`; none at the end.
    pub(super) fn next(&mut self, rows_max: usize, task: &TaskContext) -> Result<Option<Run>> {
        task.check_cancelled()?;
        let mut places = Vec::with_capacity(rows_max.min(1 << 16));
        while places.len() < rows_max && !self.heads.is_empty() {
            let head = &mut self.heads[self.tree.winner()];
            if head.at == head.end {
                break;
            }
            places.push((head.block, head.at));
            head.at += 1;
            let used_up = head.at == head.end;
            let file = head.file.as_mut().filter(|_| used_up);
            if let Some(next) = file.map(SpilledRows::next).transpose()?.flatten() {
                // The old block stays until the rows picked from it are copied.
                (head.block, head.at, head.end) = (self.blocks.len(), 0, next.rows());
                self.blocks.push(next);
            }
            let Self { heads, blocks, tree, .. } = &mut *self;
            tree.replay(|a, b| beats(heads, blocks, a, b));
        }
        if places.is_empty() {
            return Ok(None);
        }
        let sources: Vec<_> = self.blocks.iter().map(|block| block.columns.as_slice()).collect();
        let columns = gather(&sources, &places)?;
        let exact = self.blocks.iter().all(|block| block.keys.is_exact());
        let mut keys = Keys::with_capacity(places.len(), exact);
        places.iter().for_each(|&(block, row)| keys.push_from(&self.blocks[block].keys, row));
        self.drop_used_blocks();
        Ok(Some(Run { keys, columns }))
    }

    fn drop_used_blocks(&mut self) {
        if self.heads.iter().all(|head| head.file.is_none()) {
            return;
        }
        let mut kept = Vec::with_capacity(self.heads.len());
        let mut bytes = 0;
        for head in &mut self.heads {
            let block = self.blocks[head.block].clone();
            if head.file.is_some() {
                bytes += block.bytes();
            }
            head.block = kept.len();
            kept.push(block);
        }
        self.blocks = kept;
        if bytes > self.reservation.bytes() {
            self.reservation.grow_anyway(bytes - self.reservation.bytes());
        }
    }
}

fn beats(heads: &[Head], blocks: &[Arc<Run>], a: usize, b: usize) -> bool {
    let (a, b) = (&heads[a], &heads[b]);
    if a.at == a.end || b.at == b.end {
        return a.at < a.end;
    }
    blocks[a.block].keys.compare(a.at, &blocks[b.block].keys, b.at).is_lt()
}

/// Cuts runs into `parts` key ranges of about equal size: for each part, the range of each run.
/// Rows with equal keys are in the same part.
pub(super) fn ranges(runs: &[Arc<Run>], parts: usize) -> Vec<Vec<Range<usize>>> {
    // Samples a run and part; more make parts more even. Guessed.
    let samples_per_part = 8;
    let total: usize = runs.iter().map(|run| run.rows()).sum();
    let every = (total / (parts * samples_per_part)).max(1);
    let mut samples: Vec<(usize, usize)> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        samples.extend((every / 2..run.rows()).step_by(every).map(|row| (index, row)));
    }
    samples.sort_unstable_by(|a, b| runs[a.0].keys.compare(a.1, &runs[b.0].keys, b.1));
    let mut starts = vec![0; runs.len()];
    let mut cut = Vec::with_capacity(parts);
    for part in 1..=parts {
        let splitter = samples.get(samples.len() * part / parts).filter(|_| part < parts);
        let ends: Vec<usize> = match splitter {
            Some(&(index, row)) => runs.iter().map(|run| first_at_least(run, &runs[index], row)).collect(),
            None => runs.iter().map(|run| run.rows()).collect(),
        };
        cut.push(starts.iter().zip(&ends).map(|(&start, &end)| start..end.max(start)).collect());
        starts = ends;
    }
    cut
}

/// The first row of `run` whose key is not before that of row `row` of `other`.
fn first_at_least(run: &Run, other: &Run, row: usize) -> usize {
    let (mut low, mut high) = (0, run.rows());
    while low < high {
        let middle = low + (high - low) / 2;
        match run.keys.compare(middle, &other.keys, row).is_lt() {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}
