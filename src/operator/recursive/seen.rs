//! The rows that a recursion has met so far, so that each comes once.
//!
//! Rows are known by their encoded keys ([`crate::expr::keys`]). As long as they fit the memory
//! budget they are in one table and a chunk is judged at once. When they do not, they go to disk in
//! [`PARTITIONS`] shares by hash, and so do the rows of a level; at the level's end each share's rows
//! are judged against its keys alone:
//!
//! ```text
//!   in memory    chunk ──> table ──> new rows
//!   on disk      chunk ──> candidates 0..31        level's end: keys p + candidates p ──> new rows, keys p
//! ```
//!
//! Cost: a probe a row; on disk, each level reads and writes the keys of the shares that it has rows
//! of. NULL equals NULL here, as in UNION.

use crate::column::{Chunk, Column};
use crate::error::{Error, Result};
use crate::exec::spill::{SpillReader, SpillRun, SpillWriter};
use crate::exec::{Reservation, TaskContext};
use crate::expr::keys::{EncodedKeys, KeyBytes, KeyColumns, KeyData, KeyLayout, hash_bytes};
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, UInt32Array};
use arrow::compute;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use hashbrown::{HashSet, HashTable};
use std::sync::Arc;

/// Shares on disk; a power of two. Guessed: keys of 32 times the memory limit still fit share by share.
const PARTITIONS: usize = 32;
/// Files of keys of one share before they are put together.
const RUNS_MAX: usize = 8;
/// Bytes that an entry of a table takes beside its key, about.
const ENTRY_BYTES: usize = 8;

/// See the module.
pub(super) struct Seen {
    keys: KeyColumns,
    rows: SchemaRef,
    table: Table,
    held: Reservation,
    disk: Option<Vec<Partition>>,
    /// The share being judged at the end of a level.
    draining: Option<Draining>,
}

#[derive(Default)]
struct Partition {
    keys: Vec<SpillRun>,
    /// Keys that are being written.
    open: Option<SpillWriter>,
    candidates: Option<SpillWriter>,
}

struct Draining {
    partition: usize,
    reader: SpillReader,
    _run: SpillRun,
    fresh: SpillWriter,
    rows: usize,
}

impl Seen {
    /// Nothing yet; `rows` are the storage types of the rows, `types` their SQL types.
    pub(super) fn new(types: Vec<DataType>, rows: SchemaRef, held: Reservation) -> Self {
        let nulls = vec![true; types.len()];
        let keys = KeyColumns::new(types, nulls);
        Self { keys, rows, table: Table::Empty, held, disk: None, draining: None }
    }

    /// The rows of `chunk`, whose columns are stored ones, that are new; None: the answer comes at the end
    /// of the level.
    pub(super) fn judge(&mut self, chunk: &Chunk, task: &TaskContext) -> Result<Option<Chunk>> {
        let encoded = self.keys.encode(chunk.columns(), chunk.rows())?;
        if self.disk.is_none() {
            let fresh = self.table.insert(&encoded);
            let grown = self.table.bytes().saturating_sub(self.held.bytes());
            if task.query.always_spill || !self.held.try_grow(grown) {
                task.query.memory.reclaim(grown)?;
                if task.query.always_spill || !self.held.try_grow(grown) {
                    self.move_to_disk(task)?;
                }
            }
            return picked(chunk, fresh).map(Some);
        }
        let hashes = encoded.hash(task.query.constant_hash);
        let mut shares: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
        hashes.iter().enumerate().for_each(|(row, hash)| shares[share_of(*hash)].push(row as u32));
        for (share, rows) in shares.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let part = picked(chunk, rows)?;
            let columns = part.columns().iter().map(Column::flat).collect::<Result<_>>()?;
            let Some(partition) = self.disk.as_mut().and_then(|disk| disk.get_mut(share)) else { continue };
            let candidates = match &mut partition.candidates {
                Some(candidates) => candidates,
                None => partition.candidates.insert(task.query.spill.create(&self.rows)?),
            };
            candidates.write(columns, part.rows())?;
        }
        Ok(None)
    }

    /// Remembers rows that are known to differ from one another and from all before.
    pub(super) fn know(&mut self, chunk: &Chunk, task: &TaskContext) -> Result<()> {
        let Some(disk) = &mut self.disk else { return self.judge(chunk, task).map(|_| ()) };
        let encoded = self.keys.encode(chunk.columns(), chunk.rows())?;
        let hashes = encoded.hash(task.query.constant_hash);
        let mut shares: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
        hashes.iter().enumerate().for_each(|(row, hash)| shares[share_of(*hash)].push(row as u32));
        for (partition, rows) in disk.iter_mut().zip(shares).filter(|(_, rows)| !rows.is_empty()) {
            let open = match &mut partition.open {
                Some(open) => open,
                None => partition.open.insert(task.query.spill.create(&key_schema())?),
            };
            open.write(vec![as_column(&encoded, &rows)], rows.len())?;
        }
        Ok(())
    }

    /// The next new rows of the level that is over; None when there are no more.
    pub(super) fn next_fresh(&mut self, task: &TaskContext) -> Result<Option<Chunk>> {
        loop {
            task.check_cancelled()?;
            if self.draining.is_none() && !self.open_share(task)? {
                return Ok(None);
            }
            let Some(draining) = &mut self.draining else { return Ok(None) };
            match draining.reader.next()? {
                Some(batch) => {
                    let chunk = Chunk::from_arrays(batch.columns().to_vec(), batch.num_rows());
                    let encoded = self.keys.encode(chunk.columns(), chunk.rows())?;
                    let fresh = self.table.insert(&encoded);
                    if fresh.is_empty() {
                        continue;
                    }
                    draining.rows += fresh.len();
                    draining.fresh.write(vec![as_column(&encoded, &fresh)], fresh.len())?;
                    return picked(&chunk, fresh).map(Some);
                }
                None => self.close_share()?,
            }
        }
    }

    /// Loads the keys of the next share that has candidates.
    fn open_share(&mut self, task: &TaskContext) -> Result<bool> {
        let Some(disk) = &mut self.disk else { return Ok(false) };
        let Some(at) = disk.iter().position(|partition| partition.candidates.is_some()) else { return Ok(false) };
        let Some(candidates) = disk[at].candidates.take() else { return Ok(false) };
        let run = candidates.finish()?;
        if let Some(open) = disk[at].open.take() {
            disk[at].keys.push(open.finish()?);
        }
        self.table = Table::Empty;
        for keys in &disk[at].keys {
            let mut reader = keys.read()?;
            while let Some(batch) = reader.next()? {
                self.table.insert(&from_column(batch.column(0), &self.keys)?);
            }
        }
        let bytes = self.table.bytes();
        self.held.release();
        self.held.grow_anyway(bytes);
        let mut fresh = task.query.spill.create(&key_schema())?;
        if disk[at].keys.len() >= RUNS_MAX {
            // One file of all keys from here on.
            let all = self.table.all();
            let rows: Vec<u32> = (0..all.len() as u32).collect();
            fresh.write(vec![as_column(&all, &rows)], rows.len())?;
            disk[at].keys.clear();
        }
        self.draining = Some(Draining { partition: at, reader: run.read()?, _run: run, fresh, rows: 0 });
        Ok(true)
    }

    fn close_share(&mut self) -> Result<()> {
        let Some(Draining { partition, fresh, .. }) = self.draining.take() else { return Ok(()) };
        let run = fresh.finish()?;
        if let Some(disk) = &mut self.disk
            && run.rows() > 0
        {
            disk[partition].keys.push(run);
        }
        self.table = Table::Empty;
        self.held.release();
        Ok(())
    }

    fn move_to_disk(&mut self, task: &TaskContext) -> Result<()> {
        let all = self.table.all();
        let mut shares: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
        let hashes = all.hash(task.query.constant_hash);
        hashes.iter().enumerate().for_each(|(row, hash)| shares[share_of(*hash)].push(row as u32));
        let mut disk: Vec<Partition> = Vec::with_capacity(PARTITIONS);
        for rows in shares {
            let mut partition = Partition::default();
            if !rows.is_empty() {
                let mut out = task.query.spill.create(&key_schema())?;
                for rows in rows.chunks(1 << 16) {
                    out.write(vec![as_column(&all, rows)], rows.len())?;
                }
                partition.keys.push(out.finish()?);
            }
            disk.push(partition);
        }
        self.disk = Some(disk);
        self.table = Table::Empty;
        self.held.release();
        Ok(())
    }
}

/// The share of a hash: its top bits.
fn share_of(hash: u64) -> usize {
    (hash >> 59) as usize % PARTITIONS
}

fn picked(chunk: &Chunk, rows: Vec<u32>) -> Result<Chunk> {
    if rows.len() == chunk.rows() {
        return Ok(chunk.clone());
    }
    let count = rows.len();
    let rows = UInt32Array::from(rows);
    let pick = |column: &Column| -> Result<ArrayRef> { Ok(compute::take(&column.flat()?, &rows, None)?) };
    Ok(Chunk::from_arrays(chunk.columns().iter().map(pick).collect::<Result<_>>()?, count))
}

fn key_schema() -> Schema {
    Schema::new(vec![Field::new("key", DataType::BinaryView, false)])
}

fn as_column(keys: &EncodedKeys, rows: &[u32]) -> ArrayRef {
    let rows = rows.iter().map(|row| *row as usize);
    Arc::new(match &keys.data {
        KeyData::Fixed64(words) => BinaryViewArray::from_iter_values(rows.map(|row| words[row].to_le_bytes())),
        KeyData::Fixed128(words) => BinaryViewArray::from_iter_values(rows.map(|row| words[row].to_le_bytes())),
        KeyData::Bytes(bytes) => BinaryViewArray::from_iter_values(rows.map(|row| bytes.row(row))),
    })
}

fn from_column(column: &ArrayRef, keys: &KeyColumns) -> Result<EncodedKeys> {
    let damaged = || Error::internal("a key changed its length on disk");
    let column = column.as_binary_view();
    let values = (0..column.len()).map(|row| column.value(row));
    let data = match keys.layout() {
        KeyLayout::Fixed64 => {
            let words = values.map(|value| value.try_into().map(u64::from_le_bytes).map_err(|_| damaged()));
            KeyData::Fixed64(words.collect::<Result<_>>()?)
        }
        KeyLayout::Fixed128 => {
            let words = values.map(|value| value.try_into().map(u128::from_le_bytes).map_err(|_| damaged()));
            KeyData::Fixed128(words.collect::<Result<_>>()?)
        }
        KeyLayout::Bytes => {
            let mut bytes = KeyBytes::default();
            values.for_each(|value| bytes.push(value));
            KeyData::Bytes(bytes)
        }
    };
    Ok(EncodedKeys { data, valid: None })
}

/// A set of keys of one layout.
enum Table {
    Empty,
    Fixed64(HashSet<u64, foldhash::fast::FixedState>),
    Fixed128(HashSet<u128, foldhash::fast::FixedState>),
    Bytes(KeyBytes, HashTable<u32>),
}

impl Table {
    /// Adds keys; the rows of those that were not there, each key's first one.
    fn insert(&mut self, keys: &EncodedKeys) -> Vec<u32> {
        if matches!(self, Self::Empty) {
            *self = match &keys.data {
                KeyData::Fixed64(_) => Self::Fixed64(HashSet::default()),
                KeyData::Fixed128(_) => Self::Fixed128(HashSet::default()),
                KeyData::Bytes(_) => Self::Bytes(KeyBytes::default(), HashTable::new()),
            };
        }
        let mut fresh = Vec::new();
        match (self, &keys.data) {
            (Self::Fixed64(set), KeyData::Fixed64(words)) => {
                fresh.extend((0_u32..).zip(words).filter(|(_, word)| set.insert(**word)).map(|(row, _)| row));
            }
            (Self::Fixed128(set), KeyData::Fixed128(words)) => {
                fresh.extend((0_u32..).zip(words).filter(|(_, word)| set.insert(**word)).map(|(row, _)| row));
            }
            (Self::Bytes(known, table), KeyData::Bytes(bytes)) => {
                let hashes = keys.hash(false);
                for (row, hash) in (0_u32..).zip(hashes) {
                    let key = bytes.row(row as usize);
                    if table.find(hash, |at| known.row(*at as usize) == key).is_some() {
                        continue;
                    }
                    let at = known.len() as u32;
                    known.push(key);
                    table.insert_unique(hash, at, |at| hash_bytes(known.row(*at as usize)));
                    fresh.push(row);
                }
            }
            // All keys of one recursion are of one layout.
            _ => {}
        }
        fresh
    }

    /// All keys.
    fn all(&self) -> EncodedKeys {
        let data = match self {
            Self::Empty => KeyData::Fixed64(Vec::new()),
            Self::Fixed64(set) => KeyData::Fixed64(set.iter().copied().collect()),
            Self::Fixed128(set) => KeyData::Fixed128(set.iter().copied().collect()),
            Self::Bytes(keys, _) => KeyData::Bytes(keys.clone()),
        };
        EncodedKeys { data, valid: None }
    }

    /// Bytes held, about.
    fn bytes(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Fixed64(set) => set.capacity() * (8 + ENTRY_BYTES),
            Self::Fixed128(set) => set.capacity() * (16 + ENTRY_BYTES),
            Self::Bytes(keys, table) => keys.bytes() + table.capacity() * (4 + ENTRY_BYTES),
        }
    }
}
