//! The general table: no chains, no empty slots, distinct keys in one array.
//!
//! Rows are sorted by the upper bits of their hash; a directory holds, for every value of those
//! bits, where its keys begin. Equal keys are brought together while building, so the array that is
//! probed has one entry a distinct key and a start in the order of rows. Each directory entry also
//! carries a 16-bit Bloom filter of its keys' hashes in the bits that an offset does not need, which
//! answers most lookups without a match from the directory alone.
//!
//! ```text
//!   hash:  part (0-6 bits) | slot (about log2 of the rows) | ... | tag bits | ... | spill bits
//!
//!   directory[slot]  = first key of the slot << 16 | tags
//!   keys[first..next slot's first]: compare ──> starts[k], starts[k + 1] ──> order
//! ```
//!
//! Cost: 8 bytes of directory and a key and 4 bytes of start a distinct key, 4 bytes a row; a probe
//! touches one directory entry, mostly one key and its start. Parts are built on different threads
//! without meeting. Rows with NULL keys are left out by the caller.
//!
//! After Birler, Schmidt, Fent, Neumann: Simple, Efficient, and Robust Hash Tables for Join
//! Processing, DaMoN 2024, section 3.

use super::super::keys::{ByteKeys, KeyBatch};
use super::{CHECK_ROWS, Check, NO_MATCH};
use crate::error::Result;
use std::cmp::Ordering;

/// Slots with more keys than this are searched by halving: with a constant hash all keys share one.
const SCAN_KEYS: usize = 8;

/// Encoded keys by row number.
pub(in crate::join) trait Keys: Sized {
    /// One key.
    type Key<'a>: Ord + Copy
    where
        Self: 'a;

    /// The key of a row.
    fn key(&self, row: usize) -> Self::Key<'_>;

    /// How the key of a row compares with that of another set's row.
    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering;

    /// The keys of some rows.
    fn gather(&self, rows: &[u32]) -> Self;

    /// Bytes held.
    fn held(&self) -> usize;
}

impl<T: Ord + Copy + 'static> Keys for Vec<T> {
    type Key<'a> = T;

    fn key(&self, row: usize) -> T {
        self[row]
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self[row].cmp(&other[other_row])
    }

    fn gather(&self, rows: &[u32]) -> Self {
        rows.iter().map(|row| self[*row as usize]).collect()
    }

    fn held(&self) -> usize {
        self.len() * size_of::<T>()
    }
}

impl Keys for ByteKeys {
    type Key<'a> = &'a [u8];

    fn key(&self, row: usize) -> &[u8] {
        self.row(row)
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        self.row(row).cmp(other.row(other_row))
    }

    fn gather(&self, rows: &[u32]) -> Self {
        self.pick(rows)
    }

    fn held(&self) -> usize {
        self.bytes()
    }
}

/// The keys of one range of hashes.
pub(in crate::join) struct Part<K> {
    /// Bits of the hash that name a slot.
    slot_bits: u32,
    /// One more than slots: first key << 16 | tags.
    directory: Vec<u64>,
    /// Distinct keys, by slot and within a slot by value.
    keys: K,
    /// One more than keys: ranges of the table's order.
    starts: Vec<u32>,
    order: Vec<u32>,
    rows: usize,
}

/// The part that a hash belongs to.
pub(super) fn part_of(hash: u64, part_bits: u32) -> usize {
    if part_bits == 0 { 0 } else { (hash >> (64 - part_bits)) as usize }
}

fn slot_of(hash: u64, part_bits: u32, slot_bits: u32) -> usize {
    if slot_bits == 0 { 0 } else { ((hash << part_bits) >> (64 - slot_bits)) as usize }
}

/// Two bits of 16, from the middle of the hash.
fn tag_of(hash: u64) -> u64 {
    1 << (hash >> 28 & 15) | 1 << (hash >> 24 & 15)
}

impl<K: Keys> Part<K> {
    /// Sorts the tuples (hash, row) of one part; `keys` are those of all rows.
    pub(super) fn build(keys: &K, tuples: Vec<Vec<(u64, u32)>>, part_bits: u32, check: Check) -> Result<Self> {
        let count: usize = tuples.iter().map(Vec::len).sum();
        let slot_bits = count.next_power_of_two().trailing_zeros().min(30);
        let slots = 1usize << slot_bits;
        // Sort by slot, by counting.
        let mut ends = vec![0u32; slots + 1];
        let mut tags = vec![0u16; slots];
        for (at, (hash, _)) in tuples.iter().flatten().enumerate() {
            if at % CHECK_ROWS == 0 {
                check()?;
            }
            let slot = slot_of(*hash, part_bits, slot_bits);
            ends[slot] += 1;
            tags[slot] |= tag_of(*hash) as u16;
        }
        let mut end = 0;
        for slot in &mut ends {
            end += *slot;
            *slot = end;
        }
        let mut order = vec![0u32; count];
        for (done, (hash, row)) in tuples.iter().rev().flat_map(|tuples| tuples.iter().rev()).enumerate() {
            if done % CHECK_ROWS == 0 {
                check()?;
            }
            let at = &mut ends[slot_of(*hash, part_bits, slot_bits)];
            *at -= 1;
            order[*at as usize] = *row;
        }
        drop(tuples);
        // Bring equal keys of a slot together and note each distinct one.
        let mut directory = Vec::with_capacity(slots + 1);
        let (mut distinct, mut starts) = (Vec::with_capacity(count), Vec::with_capacity(count + 1));
        for slot in 0..slots {
            if slot % CHECK_ROWS == 0 {
                check()?;
            }
            let (from, to) = (ends[slot] as usize, ends[slot + 1] as usize);
            directory.push((distinct.len() as u64) << 16 | u64::from(tags[slot]));
            let rows = &mut order[from..to];
            let differs = |rows: &[u32]| rows.windows(2).any(|pair| keys.key(pair[0] as usize) != keys.key(pair[1] as usize));
            if rows.len() > 1 && differs(rows) {
                rows.sort_by(|a, b| keys.key(*a as usize).cmp(&keys.key(*b as usize)));
            }
            for at in from..to {
                let fresh = at == from || keys.key(order[at] as usize) != keys.key(order[at - 1] as usize);
                if fresh {
                    distinct.push(order[at]);
                    starts.push(at as u32);
                }
            }
        }
        directory.push((distinct.len() as u64) << 16);
        starts.push(count as u32);
        Ok(Self { slot_bits, directory, keys: keys.gather(&distinct), starts, order, rows: count })
    }

    /// Moves this part's rows to the end of the table's order.
    pub(super) fn append_order(&mut self, order: &mut Vec<u32>) {
        let base = order.len() as u32;
        if base == 0 {
            *order = std::mem::take(&mut self.order);
        } else {
            order.append(&mut std::mem::take(&mut self.order));
            self.starts.iter_mut().for_each(|start| *start += base);
        }
    }

    fn find(&self, entry: (u64, u64), probe: &K, row: usize) -> (u32, u32) {
        let (mut from, mut to) = ((entry.0 >> 16) as usize, (entry.1 >> 16) as usize);
        while to - from > SCAN_KEYS {
            let middle = from + (to - from) / 2;
            if self.keys.compare(middle, probe, row).is_le() { from = middle } else { to = middle }
        }
        for at in from..to {
            if self.keys.compare(at, probe, row).is_eq() {
                let start = self.starts[at];
                return (start, self.starts[at + 1] - start);
            }
        }
        NO_MATCH
    }

    /// Where each key's rows start in the table's order, and where the last one's end.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Whether no key has two rows.
    pub(super) fn unique(&self) -> bool {
        self.starts.len() == self.rows + 1
    }

    pub(super) fn bytes(&self) -> usize {
        self.directory.len() * 8 + self.keys.held() + self.starts.len() * 4
    }
}

/// Looks up all rows of a chunk: first every directory entry, whose cache misses overlap, then the
/// keys of those that the tags let through.
pub(super) fn lookup<K: Keys>(parts: &[Part<K>], part_bits: u32, probe: &K, hashes: &[u64], keys: &KeyBatch) -> Vec<(u32, u32)> {
    let mut found = vec![NO_MATCH; hashes.len()];
    let mut hits = Vec::with_capacity(hashes.len());
    for (row, hash) in hashes.iter().enumerate() {
        let part = &parts[part_of(*hash, part_bits)];
        let slot = slot_of(*hash, part_bits, part.slot_bits);
        let entry = part.directory[slot];
        let tag = tag_of(*hash);
        if entry & tag == tag {
            hits.push((row as u32, entry, part.directory[slot + 1]));
        }
    }
    for (row, entry, next) in hits {
        let row = row as usize;
        if keys.is_valid(row) {
            let part = &parts[part_of(hashes[row], part_bits)];
            found[row] = part.find((entry, next), probe, row);
        }
    }
    found
}
