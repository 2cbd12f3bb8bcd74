//! One probe chunk against one block of build rows, as a value that can stop after any pair.
//!
//! The table has given every probe row a range of matches. The state is where we are: the probe row
//! and the offset into its range; so the output is as many chunks as it takes, each of at most
//! `chunk_rows` pairs, and half of what is left can be given to another worker.
//!
//! ```text
//!   probe row   matches                          first .. row,offset .. end
//!   0           ─                                 done  │  to do
//!   1           [a b c]  <- offset 1: b is next         split: rows from the middle on,
//!   2           [d]                                            or half of the last row's range
//! ```
//!
//! With a condition beyond the keys, candidate pairs are made in batches, the condition is evaluated
//! over the batch, and only then it is known which rows matched; rows that come out once (semi, anti,
//! mark, unmatched) are put out when all their candidates were tested.

use super::super::assemble::{Kept, kept};
use super::super::keys::KeyBatch;
use super::super::shape::Keep;
use super::{Block, CrossKeys, Joint};
use crate::column::{Chunk, Selection};
use crate::error::Result;
use crate::exec::{Step, TaskContext};
use std::sync::Arc;

/// Rows without columns may come out in chunks this large, and steps of marking are this long.
const STEPS_MAX: usize = 1 << 16;

/// See the module.
pub(in crate::join) struct Matching {
    joint: Arc<Joint>,
    block: Arc<Block>,
    probe: Chunk,
    /// Per probe row; none: every build row is a candidate.
    ranges: Option<Arc<Vec<(u32, u32)>>>,
    /// Build rows by position in a range; positions are row numbers when `direct`.
    direct: bool,
    /// No probe row has two matches.
    unique: bool,
    cross: Arc<CrossKeys>,
    /// The row that `matched[0]` speaks of.
    first: usize,
    row: usize,
    end: usize,
    offset: u32,
    /// Where the last row's range ends, when it was split.
    stop: u32,
    /// Per row from `first` on; empty when nobody asks.
    matched: Vec<bool>,
    unknown: Vec<bool>,
    /// Whether rows by themselves are somebody else's business.
    deferred: bool,
    kept: Option<Kept>,
    kept_at: usize,
}

/// What a probe chunk brings to [`Matching`].
pub(in crate::join) struct Input {
    pub(in crate::join) probe: Chunk,
    /// None: every build row is a candidate of every probe row.
    pub(in crate::join) ranges: Option<Vec<(u32, u32)>>,
    /// Whether ranges are of row numbers and not of positions in the table's order.
    pub(in crate::join) direct: bool,
    pub(in crate::join) keys: Option<KeyBatch>,
    pub(in crate::join) cross: CrossKeys,
    /// What earlier blocks found (matched, unknown); rows by themselves are then left alone.
    pub(in crate::join) earlier: Option<(Vec<bool>, Vec<bool>)>,
}

impl Matching {
    pub(in crate::join) fn new(joint: Arc<Joint>, block: Arc<Block>, input: Input) -> Self {
        let Input { probe, ranges, direct, keys, cross, earlier } = input;
        let rows = probe.rows();
        let shape = joint.assembler.shape;
        let deferred = earlier.is_some();
        let (mut matched, mut unknown) = earlier.unwrap_or_default();
        if shape.probe != Keep::None {
            matched.resize(rows, false);
            if !joint.tests_pairs() {
                match &ranges {
                    Some(ranges) => matched.iter_mut().zip(ranges).for_each(|(matched, (_, len))| *matched |= *len > 0),
                    None if block.rows > 0 => matched.iter_mut().for_each(|matched| *matched = true),
                    None => {}
                }
            }
            if shape.null_aware {
                unknown.resize(rows, false);
                if let Some(keys) = keys.filter(|_| cross.aware.is_none()) {
                    let null = |row: usize| !keys.is_valid(row);
                    unknown.iter_mut().enumerate().for_each(|(row, unknown)| *unknown |= joint.probe_unknown(null(row)));
                }
            }
        }
        // Without pairs to put out or test and no build rows to mark, the ranges have said it all.
        let idle = !shape.pairs && !joint.tests_pairs() && !joint.tracks_build();
        Self {
            row: if idle || block.rows == 0 { rows } else { 0 },
            end: rows,
            unique: match &ranges {
                Some(ranges) if direct => ranges.iter().all(|(_, len)| *len <= 1),
                ranges => ranges.is_some() && block.unique,
            },
            ranges: ranges.map(Arc::new),
            cross: Arc::new(cross),
            first: 0,
            offset: 0,
            stop: u32::MAX,
            kept: None,
            kept_at: 0,
            joint,
            block,
            probe,
            direct,
            matched,
            unknown,
            deferred,
        }
    }

    /// What was found about the probe rows, for [`Input::earlier`] of the next block, and the row that
    /// it starts with.
    pub(in crate::join) fn into_found(self) -> (usize, Vec<bool>, Vec<bool>) {
        (self.first, self.matched, self.unknown)
    }

    fn range(&self, row: usize) -> (u32, u32) {
        let (start, len) = match &self.ranges {
            Some(ranges) => ranges[row],
            None => (0, self.block.rows as u32),
        };
        if row + 1 == self.end { (start, len.min(self.stop)) } else { (start, len) }
    }

    /// The next chunk, [`Step::Yield`] when a stretch of work gave none, [`Step::Done`] at the end.
    pub(in crate::join) fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let chunk_rows = task.query.chunk_rows.max(1);
        if self.row < self.end {
            let shape = self.joint.assembler.shape;
            let tests = self.joint.tests_pairs();
            if !tests && !self.joint.tracks_build() && self.joint.assembler.is_narrow() {
                return Ok(self.count());
            }
            let made = match (tests, shape.pairs) {
                (false, false) => {
                    self.mark();
                    None
                }
                _ => self.pairs(chunk_rows)?,
            };
            return Ok(made.map_or(Step::Yield, Step::Chunk));
        }
        if self.deferred {
            return Ok(Step::Done);
        }
        let kept = match self.kept.take() {
            Some(kept) => kept,
            None => self.keep(),
        };
        if self.kept_at >= kept.rows.len() {
            return Ok(Step::Done);
        }
        let (rows, marks) = kept.piece(self.kept_at, chunk_rows);
        self.kept_at += rows.len();
        self.kept = Some(kept);
        Ok(Step::Chunk(self.joint.assembler.probe_rows(&self.probe, rows, marks)?))
    }

    fn keep(&self) -> Kept {
        if self.joint.assembler.shape.probe == Keep::None {
            return Kept::default();
        }
        let unknown = |row: usize| self.unknown.get(row).copied().unwrap_or(false);
        let rows = self.end - self.first;
        let mut kept = kept(self.joint.assembler.shape.probe, rows, |row| self.matched[row], unknown);
        kept.rows.iter_mut().for_each(|row| *row += self.first as u32);
        kept
    }

    /// Pairs without columns: only their number comes out.
    fn count(&mut self) -> Step {
        let mut rows = 0;
        let mut steps = 0;
        while self.row < self.end && rows < STEPS_MAX && steps < STEPS_MAX {
            let (_, len) = self.range(self.row);
            let taken = ((len - self.offset) as usize).min(STEPS_MAX - rows);
            rows += taken;
            steps += 1;
            self.advance(taken, len);
        }
        if rows == 0 { Step::Yield } else { Step::Chunk(Chunk::new(Vec::new(), rows)) }
    }

    fn advance(&mut self, taken: usize, len: u32) {
        self.offset += taken as u32;
        if self.offset >= len {
            self.row += 1;
            self.offset = 0;
        }
    }

    /// Marks the build rows of a stretch of ranges. All rows of a key are marked together, so one
    /// look tells whether it was done before.
    fn mark(&mut self) {
        let Some(matched) = &self.block.matched else {
            self.row = self.end;
            return;
        };
        let mut steps = 0;
        let mut row = self.row;
        while row < self.end && steps < STEPS_MAX {
            let (start, len) = self.range(row);
            steps += 1;
            let at = |position: u32| self.build_row(position);
            if len > 0 && !(matched.get(at(start) as usize) && matched.get(at(start + len - 1) as usize)) {
                // A hot key's rows in several steps: the last of them is set last.
                let from = start + self.offset;
                let to = (start + len).min(from + STEPS_MAX as u32);
                (from..to).for_each(|position| matched.set(at(position)));
                steps += (to - from) as usize;
                self.offset = to - start;
                if self.offset < len {
                    break;
                }
            }
            self.offset = 0;
            row += 1;
        }
        self.row = row;
    }

    fn build_row(&self, position: u32) -> u32 {
        if self.direct || self.ranges.is_none() { position } else { self.block.table.order()[position as usize] }
    }

    /// The next batch of candidates, tested: a chunk of those that matched, if pairs come out.
    fn pairs(&mut self, chunk_rows: usize) -> Result<Option<Chunk>> {
        let shape = self.joint.assembler.shape;
        let tests = self.joint.tests_pairs();
        // A probe row that comes out by itself needs one match only.
        let one_is_enough = tests && !shape.pairs && shape.build == Keep::None;
        let mut probe_rows: Vec<u32> = Vec::with_capacity(chunk_rows);
        let mut build_rows: Vec<u32> = Vec::with_capacity(chunk_rows);
        if !tests && self.offset == 0 && self.stop == u32::MAX && self.unique {
            self.single(chunk_rows, &mut probe_rows, &mut build_rows);
        }
        while probe_rows.len() < chunk_rows && self.row < self.end {
            let (start, len) = self.range(self.row);
            if one_is_enough && self.matched[self.row - self.first] {
                self.row += 1;
                self.offset = 0;
                continue;
            }
            if len == 0 {
                self.row += 1;
                continue;
            }
            if len == 1 {
                probe_rows.push(self.row as u32);
                build_rows.push(self.build_row(start));
                self.row += 1;
                continue;
            }
            if let Some(at) = self.block.hot.find(start).filter(|_| !self.direct) {
                if !probe_rows.is_empty() {
                    break;
                }
                return self.slice((start, len), at, chunk_rows);
            }
            let taken = ((len - self.offset) as usize).min(chunk_rows - probe_rows.len());
            let from = start + self.offset;
            let positions = from..from + taken as u32;
            if self.direct || self.ranges.is_none() {
                build_rows.extend(positions);
            } else {
                build_rows.extend_from_slice(&self.block.table.order()[from as usize..][..taken]);
            }
            probe_rows.extend(std::iter::repeat_n(self.row as u32, taken));
            self.advance(taken, len);
        }
        if probe_rows.is_empty() {
            return Ok(None);
        }
        if !tests {
            if let Some(matched) = &self.block.matched {
                build_rows.iter().for_each(|row| matched.set(*row));
            }
            return Ok(Some(self.joint.assembler.pairs(&self.probe, probe_rows, &self.block.columns, build_rows)?));
        }
        self.test(probe_rows, build_rows, None)
    }

    /// The pairs of the next probe rows where none has more than one match: no branch a row.
    fn single(&mut self, chunk_rows: usize, probe_rows: &mut Vec<u32>, build_rows: &mut Vec<u32>) {
        let order = self.block.table.order();
        let Some(ranges) = self.ranges.as_ref().filter(|_| self.direct || !order.is_empty()) else { return };
        let rows = self.row..self.end.min(self.row + chunk_rows);
        probe_rows.resize(rows.len(), 0);
        build_rows.resize(rows.len(), 0);
        let mut found = 0;
        for (row, (start, len)) in rows.clone().zip(&ranges[rows.clone()]) {
            probe_rows[found] = row as u32;
            // A row without a match has start 0; what it wrote is written over.
            build_rows[found] = if self.direct { *start } else { order[*start as usize] };
            found += *len as usize;
        }
        probe_rows.truncate(found);
        build_rows.truncate(found);
        self.row = rows.end;
    }

    /// The next pairs of a probe row whose key is hot: its build rows lie side by side from `at` on.
    fn slice(&mut self, (start, len): (u32, u32), at: usize, chunk_rows: usize) -> Result<Option<Chunk>> {
        let row = self.row;
        let from = self.offset as usize;
        let taken = (len as usize - from).min(chunk_rows);
        let pairs = self.joint.assembler.slice(&self.probe, row, &self.block.hot.columns, at + from, taken)?;
        let tests = self.joint.tests_pairs();
        let build_rows = match tests || self.block.matched.is_some() {
            true => self.block.table.order()[start as usize + from..][..taken].to_vec(),
            false => Vec::new(),
        };
        self.joint.counters.slices.add(1);
        self.advance(taken, len);
        if tests {
            return self.test(vec![row as u32; taken], build_rows, Some(pairs));
        }
        if let Some(matched) = &self.block.matched {
            build_rows.iter().for_each(|row| matched.set(*row));
        }
        Ok(Some(pairs))
    }

    /// Candidates tested; `made`: their pairs, if they are put together already.
    fn test(&mut self, mut probe_rows: Vec<u32>, mut build_rows: Vec<u32>, made: Option<Chunk>) -> Result<Option<Chunk>> {
        self.compare_strict(&mut probe_rows, &mut build_rows);
        let mut sure = self.compare_aware(&mut probe_rows, &mut build_rows);
        if probe_rows.is_empty() {
            return Ok(None);
        }
        let assembler = &self.joint.assembler;
        let mut pairs = match made {
            Some(pairs) => pairs,
            None => assembler.pairs(&self.probe, probe_rows.clone(), &self.block.columns, build_rows.clone())?,
        };
        if let Some(mask) = assembler.residual(&pairs)? {
            let mut passed = mask.iter();
            probe_rows.retain(|_| passed.next().unwrap_or(false));
            let mut passed = mask.iter();
            build_rows.retain(|_| passed.next().unwrap_or(false));
            let mut passed = mask.iter();
            sure.retain(|_| passed.next().unwrap_or(false));
            if assembler.shape.pairs && probe_rows.len() < pairs.rows() {
                pairs = pairs.select(&Arc::new(Selection::from_mask(mask)))?;
            }
        }
        for (at, (probe_row, build_row)) in probe_rows.iter().zip(&build_rows).enumerate() {
            let is_sure = sure.get(at).copied().unwrap_or(true);
            let (found, bits) =
                if is_sure { (&mut self.matched, &self.block.matched) } else { (&mut self.unknown, &self.block.unknown) };
            if let Some(found) = found.get_mut(*probe_row as usize - self.first) {
                *found = true;
            }
            if let Some(bits) = bits {
                bits.set(*build_row);
            }
        }
        Ok((assembler.shape.pairs && !probe_rows.is_empty()).then_some(pairs))
    }

    /// Leaves the pairs whose compared keys are equal.
    fn compare_strict(&self, probe_rows: &mut Vec<u32>, build_rows: &mut Vec<u32>) {
        let (Some(ours), Some(theirs)) = (&self.cross.strict, &self.block.cross.strict) else { return };
        let equal: Vec<bool> = probe_rows.iter().zip(&*build_rows).map(|(p, b)| equal(ours, *p, theirs, *b)).collect();
        let mut passed = equal.iter();
        probe_rows.retain(|_| *passed.next().unwrap_or(&false));
        let mut passed = equal.iter();
        build_rows.retain(|_| *passed.next().unwrap_or(&false));
    }

    /// Leaves the pairs that NOT IN's comparison does not say false to: whether each is true (or
    /// unknown). Empty when there is no such comparison.
    fn compare_aware(&self, probe_rows: &mut Vec<u32>, build_rows: &mut Vec<u32>) -> Vec<bool> {
        let (Some(ours), Some(theirs)) = (&self.cross.aware, &self.block.cross.aware) else { return Vec::new() };
        let mut sure = Vec::new();
        let mut left = (Vec::new(), Vec::new());
        for (p, b) in probe_rows.iter().zip(&*build_rows) {
            let known = ours.is_valid(*p as usize) && theirs.is_valid(*b as usize);
            if !known || equal(ours, *p, theirs, *b) {
                sure.push(known);
                left.0.push(*p);
                left.1.push(*b);
            }
        }
        (*probe_rows, *build_rows) = left;
        sure
    }

    /// Gives away about half of the pairs still to come.
    pub(in crate::join) fn split(&mut self, chunk_rows: usize) -> Option<Self> {
        if self.row >= self.end {
            return None;
        }
        let mut pairs = 0usize;
        for row in self.row..self.end {
            pairs += self.range(row).1 as usize;
            if pairs > 4 * chunk_rows {
                break;
            }
        }
        if pairs.saturating_sub(self.offset as usize) <= 2 * chunk_rows {
            return None;
        }
        let mut half = Self {
            joint: self.joint.clone(),
            block: self.block.clone(),
            probe: self.probe.clone(),
            ranges: self.ranges.clone(),
            cross: self.cross.clone(),
            matched: Vec::new(),
            unknown: Vec::new(),
            kept: None,
            ..*self
        };
        if self.end - self.row > 1 {
            let middle = self.row + 1 + (self.end - self.row - 1) / 2;
            (half.row, half.offset, half.first) = (middle, 0, middle);
            let kept = middle - self.first;
            if self.matched.len() > kept {
                half.matched = self.matched.split_off(kept);
            }
            if self.unknown.len() > kept {
                half.unknown = self.unknown.split_off(kept);
            }
            (self.end, self.stop) = (middle, u32::MAX);
            return Some(half);
        }
        // One row is left: its range is cut. Who finds the match must be who puts the row out.
        if self.joint.assembler.shape.probe != Keep::None && self.joint.tests_pairs() {
            return None;
        }
        let (_, len) = self.range(self.row);
        let middle = self.offset + (len - self.offset) / 2;
        (half.offset, half.stop, half.deferred) = (middle, len, true);
        self.stop = middle;
        Some(half)
    }
}

fn equal(ours: &KeyBatch, row: u32, theirs: &KeyBatch, other: u32) -> bool {
    let (row, other) = (row as usize, other as usize);
    ours.is_valid(row) && theirs.is_valid(other) && ours.data.equal(row, &theirs.data, other)
}
