//! One task's aggregation: a table that grows, is scattered into partitions, or goes to disk.
//!
//! Problem: few groups should stay in one small table; many should be aggregated where they fit
//! the cache; more than memory holds must go to disk. Idea: every task fills a table of its own.
//! When it is large and new groups keep coming, its groups are *drained* as rows of keys and
//! accumulator states and scattered by hash into [`FANOUT`] partitions, and it starts again small.
//! A partition's rows, from all tasks, from memory and from disk, are merged by the same type one
//! level deeper, which may scatter them again by the next bits of the hash.
//!
//! ```text
//!   chunk ─ keys ─> group ids ─> accumulators            partition 0: [keys|states] [keys|states]
//!                       │ large, or out of memory             1: ...            -> spill runs
//!                       └────────── drain, scatter ────>      .
//! ```
//!
//! Cost: a row costs a look-up; a row of a drained table is copied once and looked up once more.
//! NULL keys are groups like others. The scheme is the two-phase aggregation of Leis et al.
//! (Morsel-Driven Parallelism, SIGMOD 2014, section 4.4) with pre-aggregation given up adaptively.

use super::accumulators::{Accumulate, Groups};
use super::codes::CodeMap;
use super::spec::Spec;
use super::table::GroupTable;
use crate::column::{Chunk, Column, Selection, array_bytes, storage_type};
use crate::error::Result;
use crate::exec::spill::SpillRun;
use crate::exec::{QueryContext, Reservation, TaskContext};
use crate::expr::keys::{EncodedKeys, KeyData};
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_empty_array};
use arrow::compute;
use std::sync::Arc;

/// Partitions a table is scattered into.
pub(super) const FANOUT: usize = 1 << FANOUT_BITS;
const FANOUT_BITS: u32 = 6;
/// After this many levels the hash has no bits left to tell keys apart.
const LEVELS_MAX: u32 = 8;
/// Unit tests meet every path with few rows.
const SCALE: usize = if cfg!(test) { 64 } else { 1 };
/// Groups from which on a table is given up when new groups keep coming: beyond L2. Guessed.
const GROUPS_BEFORE_SCATTER: usize = (1 << 17) / SCALE;
/// Groups of a table once scattering has begun: fits L2 with its states. Guessed.
const GROUPS_SCATTERING: usize = (1 << 16) / SCALE;
/// Rows after which the share of new groups is looked at.
const WINDOW_ROWS: usize = (1 << 15) / SCALE;
/// A table with fewer new groups per row than this in its last window is worth keeping.
const NEW_SHARE: f64 = 0.125;
/// Drained rows of a task that are worth merging among themselves.
const COMPACT_ROWS: usize = (1 << 21) / SCALE;
/// State below this is not worth a spill; the budget is overdrawn instead.
const SPILL_BYTES_MIN: usize = 256 << 10;
/// Reservations grow in steps of this.
const RESERVE_STEP: usize = 64 << 10;
/// Rows of a block in a spill file.
const SPILL_ROWS: usize = 1 << 14;

/// Groups as columns: keys, then states.
pub(super) struct Partial {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) rows: usize,
}

/// The groups of one range of hashes.
#[derive(Default)]
pub(super) struct Partition {
    pub(super) partials: Vec<Partial>,
    pub(super) runs: Vec<SpillRun>,
    bytes: usize,
    rows: usize,
}

impl Partition {
    /// Moves everything of `other` over.
    pub(super) fn append(&mut self, other: Partition) {
        self.partials.extend(other.partials);
        self.runs.extend(other.runs);
        self.bytes += other.bytes;
        self.rows += other.rows;
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.partials.is_empty() && self.runs.is_empty()
    }

    /// Bytes of the rows in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A table with its accumulators and partitions.
pub(super) struct Local {
    spec: Arc<Spec>,
    level: u32,
    constant_hash: bool,
    table: GroupTable,
    /// Per key column, the new groups' values batch by batch.
    keys: Vec<Vec<ArrayRef>>,
    key_bytes: usize,
    slots: Vec<Box<dyn Accumulate>>,
    ids: Vec<u32>,
    new_rows: Vec<u32>,
    codes: CodeMap,
    /// Rows and new groups of the current window, and the last window's share of new groups.
    window: (usize, usize),
    new_share: f64,
    groups_max: usize,
    compact_rows: usize,
    partitions: Vec<Partition>,
    scattered_bytes: usize,
    scattered_rows: usize,
    reservation: Reservation,
}

impl Local {
    /// An empty table. Level 0 takes input rows, level `n` what level `n - 1` scattered.
    pub(super) fn new(spec: &Arc<Spec>, level: u32, query: &QueryContext) -> Result<Self> {
        let mut local = Self {
            spec: spec.clone(),
            level,
            constant_hash: query.constant_hash,
            table: GroupTable::new(spec.keys.empty()),
            keys: vec![Vec::new(); spec.groups.len()],
            key_bytes: 0,
            slots: spec
                .slots
                .iter()
                .map(|slot| slot.start(spec.is_total() || slot.call.filter.is_some()))
                .collect::<Result<_>>()?,
            ids: Vec::new(),
            new_rows: Vec::new(),
            codes: CodeMap::default(),
            window: (0, 0),
            new_share: 1.0,
            groups_max: GROUPS_BEFORE_SCATTER,
            compact_rows: COMPACT_ROWS,
            partitions: Vec::new(),
            scattered_bytes: 0,
            scattered_rows: 0,
            reservation: query.memory.reserve(Some(spec.metrics.clone())),
        };
        local.clear_table();
        Ok(local)
    }

    /// Number of groups in the table.
    pub(super) fn groups(&self) -> usize {
        self.table.len()
    }

    /// Whether groups have left the table for partitions.
    pub(super) fn is_scattered(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let slots: usize = self.slots.iter().map(|slot| slot.bytes()).sum();
        self.table.bytes() + self.key_bytes + slots + self.scattered_bytes
    }

    fn clear_table(&mut self) {
        // A table that is scattered again and again keeps its size, a larger one goes.
        if self.groups_max == GROUPS_SCATTERING && self.table.len() < 2 * GROUPS_SCATTERING {
            self.table.clear();
        } else {
            self.table = GroupTable::new(self.spec.keys.empty());
        }
        self.keys.iter_mut().for_each(Vec::clear);
        self.key_bytes = 0;
        self.codes = CodeMap::default();
        if self.spec.is_total() {
            // The one group exists without any row.
            let only = EncodedKeys { data: KeyData::Fixed64(vec![0]), valid: None };
            self.table.assign(&only, &[0], &mut self.ids, &mut self.new_rows);
        }
    }

    /// Takes a chunk of the input.
    pub(super) fn update(&mut self, chunk: &Chunk, task: &TaskContext) -> Result<()> {
        let spec = self.spec.clone();
        let before = self.table.len();
        if !spec.is_total() {
            let keys = spec.groups.iter().map(|group| group.evaluate(chunk)).collect::<Result<Vec<_>>>()?;
            if !self.assign_codes(&keys, chunk.rows())? {
                self.assign(&keys, chunk.rows())?;
            }
        }
        let count = self.table.len();
        let total = spec.is_total();
        let groups = if total { Groups::one(chunk.rows()) } else { Groups::new(&self.ids, count, before) };
        let mut arguments: Vec<Option<Column>> = vec![None; spec.arguments.len()];
        for (slot, state) in spec.slots.iter().zip(&mut self.slots) {
            let Some(filter) = &slot.call.filter else {
                let mut columns = Vec::with_capacity(slot.arguments.len());
                for &argument in &slot.arguments {
                    let column = match &arguments[argument] {
                        Some(column) => column.clone(),
                        None => arguments[argument].insert(spec.arguments[argument].evaluate(chunk)?).clone(),
                    };
                    columns.push(column);
                }
                state.update(&groups, &columns)?;
                continue;
            };
            // The arguments see the rows that pass only: they may fail on others.
            let passes = filter.evaluate(chunk)?.flat()?;
            let passes = passes.as_boolean();
            let mask = match passes.nulls() {
                Some(nulls) => passes.values() & nulls.inner(),
                None => passes.values().clone(),
            };
            let selection = Arc::new(Selection::from_mask(mask));
            let chosen = chunk.select(&selection)?;
            let columns = slot.arguments.iter().map(|&argument| spec.arguments[argument].evaluate(&chosen));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            if total {
                state.update(&Groups::one(chosen.rows()), &columns)?;
            } else {
                let ids: Vec<u32> = selection.indices().values().iter().map(|&row| self.ids[row as usize]).collect();
                state.update(&Groups::new(&ids, count, before), &columns)?;
            }
        }
        self.watch(chunk.rows(), count - before, task)
    }

    /// Gives the table up when it is large and new groups keep coming.
    fn watch(&mut self, rows: usize, new: usize, task: &TaskContext) -> Result<()> {
        self.window.0 += rows;
        self.window.1 += new;
        if self.window.0 >= WINDOW_ROWS {
            self.new_share = self.window.1 as f64 / self.window.0 as f64;
            self.window = (0, 0);
        }
        // Ascending keys have no table that could outgrow the cache.
        let ascending = self.table.is_ascending();
        if self.table.len() > self.groups_max && self.new_share >= NEW_SHARE && !self.spec.is_total() && !ascending {
            self.scatter()?;
            self.groups_max = GROUPS_SCATTERING;
            self.compact(task)?;
        }
        self.settle(task)
    }

    /// Takes rows of keys and states as an input.
    pub(super) fn absorb_input(&mut self, chunk: &Chunk, keys: &[Column], states: &[Column], task: &TaskContext) -> Result<()> {
        let before = self.table.len();
        if !self.assign_codes(keys, chunk.rows())? {
            self.assign(keys, chunk.rows())?;
        }
        let types = self.spec.partial.fields()[keys.len()..].iter().map(|field| field.data_type());
        let states = states.iter().zip(types).map(|(state, data_type)| state.stored(data_type)).collect::<Result<Vec<_>>>()?;
        self.merge_states(before, &states)?;
        self.watch(chunk.rows(), self.table.len() - before, task)
    }

    /// Merges state columns into the groups that `self.ids` names.
    fn merge_states(&mut self, before: usize, states: &[ArrayRef]) -> Result<()> {
        let groups = Groups::new(&self.ids, self.table.len(), before);
        let mut at = 0;
        for (state, &columns) in self.slots.iter_mut().zip(&self.spec.state_columns) {
            state.merge(&groups, &states[at..at + columns])?;
            at += columns;
        }
        Ok(())
    }

    /// Takes groups that another table has drained.
    pub(super) fn absorb(&mut self, partial: &Partial, task: &TaskContext) -> Result<()> {
        let width = self.spec.groups.len();
        let before = self.table.len();
        let keys: Vec<Column> = partial.columns[..width].iter().cloned().map(Column::Flat).collect();
        self.assign(&keys, partial.rows)?;
        self.merge_states(before, &partial.columns[width..])?;
        self.settle(task)
    }

    /// Finds or makes the group of every row.
    fn assign(&mut self, keys: &[Column], rows: usize) -> Result<()> {
        let encoded = self.spec.keys.encode(keys, rows)?;
        let hashes = encoded.hash(self.constant_hash || self.spec.is_total());
        self.table.assign(&encoded, &hashes, &mut self.ids, &mut self.new_rows);
        if self.new_rows.is_empty() {
            return Ok(());
        }
        let rows = UInt32Array::from(self.new_rows.clone());
        for ((column, data_type), kept) in keys.iter().zip(&self.spec.group_types).zip(&mut self.keys) {
            let mut fresh = compute::take(&column.flat()?, &rows, None)?;
            if *fresh.data_type() != storage_type(data_type) {
                fresh = Column::Flat(fresh).stored(data_type)?;
            }
            // Views would keep whole pages of the file alive.
            if let Some(strings) = fresh.as_string_view_opt() {
                fresh = Arc::new(strings.gc());
            }
            self.key_bytes += array_bytes(&fresh) + 64;
            kept.push(fresh);
        }
        Ok(())
    }

    /// Finds groups by dictionary codes, where every key has a small dictionary.
    fn assign_codes(&mut self, keys: &[Column], rows: usize) -> Result<bool> {
        let mut codes = std::mem::take(&mut self.codes);
        let fits = codes.combine(keys, rows);
        if fits {
            let unknown = codes.unknown();
            if !unknown.is_empty() {
                let selection = Arc::new(Selection::from_indices(unknown.clone()));
                let first = keys.iter().map(|key| key.select(&selection)).collect::<Result<Vec<_>>>()?;
                self.assign(&first, unknown.len())?;
                codes.learn(&unknown, &self.ids);
            }
            codes.groups(&mut self.ids);
            self.spec.coded.add(rows as u64);
        }
        self.codes = codes;
        Ok(fits)
    }

    /// Everything in the table as columns with the groups' hashes; the table is empty afterwards.
    fn drain(&mut self) -> Result<(Partial, Vec<u64>)> {
        let rows = self.table.len();
        let mut columns = self.key_columns()?;
        for state in &mut self.slots {
            columns.extend(state.drain(rows)?);
        }
        let hashes = self.table.hashes().to_vec();
        self.clear_table();
        Ok((Partial { columns, rows }, hashes))
    }

    fn key_columns(&self) -> Result<Vec<ArrayRef>> {
        let concat = |(kept, data_type): (&Vec<ArrayRef>, &arrow::datatypes::DataType)| {
            if kept.is_empty() {
                return Ok(new_empty_array(&storage_type(data_type)));
            }
            let arrays: Vec<&dyn Array> = kept.iter().map(AsRef::as_ref).collect();
            Ok(compute::concat(&arrays)?)
        };
        self.keys.iter().zip(&self.spec.group_types).map(concat).collect()
    }

    /// Moves the table's groups into partitions.
    pub(super) fn scatter(&mut self) -> Result<()> {
        if self.partitions.is_empty() {
            self.partitions.resize_with(FANOUT, Partition::default);
        }
        let (partial, hashes) = self.drain()?;
        if partial.rows == 0 {
            return Ok(());
        }
        let shift = 64 - FANOUT_BITS * (self.level.min(LEVELS_MAX) + 1);
        let target = |hash: u64| (hash >> shift) as usize % FANOUT;
        let mut starts = [0_usize; FANOUT + 1];
        hashes.iter().for_each(|&hash| starts[target(hash) + 1] += 1);
        for partition in 0..FANOUT {
            starts[partition + 1] += starts[partition];
        }
        let mut next = starts;
        let mut order = vec![0_u32; partial.rows];
        for (row, &hash) in hashes.iter().enumerate() {
            let at = &mut next[target(hash)];
            order[*at] = row as u32;
            *at += 1;
        }
        let order = UInt32Array::from(order);
        let columns: Vec<ArrayRef> =
            partial.columns.iter().map(|column| compute::take(column, &order, None)).collect::<Result<_, _>>()?;
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            let (from, rows) = (starts[index], starts[index + 1] - starts[index]);
            if rows > 0 {
                let columns: Vec<ArrayRef> = columns.iter().map(|column| column.slice(from, rows)).collect();
                let bytes = columns.iter().map(array_bytes).sum::<usize>() + 64 * columns.len();
                partition.partials.push(Partial { columns, rows });
                partition.bytes += bytes;
                partition.rows += rows;
                self.scattered_bytes += bytes;
                self.scattered_rows += rows;
            }
        }
        Ok(())
    }

    /// Merges the groups within each partition when many have gathered.
    fn compact(&mut self, task: &TaskContext) -> Result<()> {
        if self.scattered_rows < self.compact_rows {
            return Ok(());
        }
        let before = self.scattered_rows;
        (self.scattered_rows, self.scattered_bytes) = (0, 0);
        for index in 0..self.partitions.len() {
            task.check_cancelled()?;
            let partials = std::mem::take(&mut self.partitions[index].partials);
            let mut merged = Self::new(&self.spec, LEVELS_MAX + 1, &task.query)?;
            for partial in &partials {
                merged.absorb(partial, task)?;
            }
            drop(partials);
            let (partial, _) = merged.drain()?;
            let bytes = partial.columns.iter().map(array_bytes).sum();
            self.scattered_rows += partial.rows;
            self.scattered_bytes += bytes;
            let partition = &mut self.partitions[index];
            (partition.bytes, partition.rows) = (bytes, partial.rows);
            if partial.rows > 0 {
                partition.partials.push(partial);
            }
        }
        // Where merging brings little, the next attempt waits longer.
        let factor = if self.scattered_rows * 2 > before { 4 } else { 2 };
        self.compact_rows = (self.scattered_rows * factor).max(COMPACT_ROWS);
        Ok(())
    }

    /// Writes everything to disk, partition by partition. Returns the bytes freed.
    pub(super) fn spill(&mut self, query: &QueryContext) -> Result<usize> {
        let held = self.bytes();
        self.scatter()?;
        self.table = GroupTable::new(self.spec.keys.empty());
        self.clear_table();
        for partition in &mut self.partitions {
            let partials = std::mem::take(&mut partition.partials);
            (partition.bytes, partition.rows) = (0, 0);
            if partials.is_empty() {
                continue;
            }
            let mut writer = query.spill.create(&self.spec.partial)?;
            let mut waiting: Vec<Vec<ArrayRef>> = Vec::new();
            let mut rows = 0;
            for partial in &partials {
                waiting.push(self.spec.normalised(&partial.columns)?);
                rows += partial.rows;
                if rows >= SPILL_ROWS {
                    self.spec.metrics.spilled_bytes.add(write_block(&mut writer, &mut waiting, rows)? as u64);
                    rows = 0;
                }
            }
            if rows > 0 {
                self.spec.metrics.spilled_bytes.add(write_block(&mut writer, &mut waiting, rows)? as u64);
            }
            partition.runs.push(writer.finish()?);
            self.spec.spilled.add(1);
        }
        (self.scattered_bytes, self.scattered_rows) = (0, 0);
        let now = self.bytes();
        self.reservation.shrink(self.reservation.bytes().saturating_sub(now));
        Ok(held.saturating_sub(now))
    }

    /// Brings the reservation in line with what is held; spills when that fails.
    fn settle(&mut self, task: &TaskContext) -> Result<()> {
        let query = &task.query;
        // A single group cannot be divided any further.
        let can_spill = self.level <= LEVELS_MAX && !(self.spec.is_total() && self.level > 0);
        if query.always_spill && self.level <= 1 {
            self.spill(query)?;
        }
        let bytes = self.bytes();
        let reserved = self.reservation.bytes();
        if bytes <= reserved {
            if bytes + 4 * RESERVE_STEP < reserved {
                self.reservation.shrink(reserved - bytes - RESERVE_STEP);
            }
            return Ok(());
        }
        let more = (bytes - reserved).next_multiple_of(RESERVE_STEP);
        if self.reservation.try_grow(more) {
            return Ok(());
        }
        if can_spill && bytes >= SPILL_BYTES_MIN {
            self.spill(query)?;
            return Ok(());
        }
        self.reservation.budget().clone().reclaim(more)?;
        if !self.reservation.try_grow(more) {
            self.reservation.grow_anyway(more);
        }
        Ok(())
    }

    /// The partitions, with the memory their rows take reserved by the caller from now on.
    pub(super) fn take_partitions(&mut self) -> Vec<Partition> {
        (self.scattered_bytes, self.scattered_rows) = (0, 0);
        self.reservation.release();
        std::mem::take(&mut self.partitions)
    }

    /// Takes over another table's groups.
    pub(super) fn absorb_table(&mut self, mut other: Local, task: &TaskContext) -> Result<()> {
        let (partial, _) = other.drain()?;
        self.absorb(&partial, task)
    }

    /// Keys and states, for another aggregation to go on with.
    pub(super) fn finish_partial(&mut self) -> Result<Partial> {
        let (partial, _) = self.drain()?;
        Ok(Partial { columns: self.spec.normalised(&partial.columns)?, rows: partial.rows })
    }

    /// The result columns: keys, then calls.
    pub(super) fn finish(&mut self) -> Result<Partial> {
        let rows = self.table.len();
        let mut columns = self.key_columns()?;
        let results = self.slots.iter_mut().map(|slot| slot.finish(rows)).collect::<Result<Vec<_>>>()?;
        columns.extend(self.spec.results(&results)?);
        self.clear_table();
        Ok(Partial { columns, rows })
    }

    /// Bytes that spilling would free: nothing worth it below some size.
    pub(super) fn spillable(&self) -> usize {
        Some(self.bytes()).filter(|&bytes| bytes >= SPILL_BYTES_MIN).unwrap_or(0)
    }

    /// Which level's partitions this table scatters into.
    pub(super) fn level(&self) -> u32 {
        self.level
    }
}

fn write_block(writer: &mut crate::exec::spill::SpillWriter, waiting: &mut Vec<Vec<ArrayRef>>, rows: usize) -> Result<usize> {
    let blocks = std::mem::take(waiting);
    let width = blocks.first().map_or(0, Vec::len);
    let mut columns = Vec::with_capacity(width);
    for index in 0..width {
        let arrays: Vec<&dyn Array> = blocks.iter().map(|block| block[index].as_ref()).collect();
        columns.push(compute::concat(&arrays)?);
    }
    writer.write(columns, rows)
}
