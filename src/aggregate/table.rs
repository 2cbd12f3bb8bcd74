//! Which group a row belongs to.
//!
//! Problem: give every distinct key a number from 0 and find a row's number fast. Idea: open
//! addressing with linear probing over 8-byte slots; a slot holds 32 bits of the hash beside the
//! group's number, so that nearly every comparison of keys succeeds; keys and hashes lie in the
//! order of the groups.
//!
//! ```text
//!   hash ─ low bits ─> slots:  [ tag | group + 1 ] [ 0 ] [ tag | group + 1 ] ...
//!                                         └────> keys[group], hashes[group]
//! ```
//!
//! As long as single keys of 64 bits come in ascending order, as from files in key order, there are no
//! slots at all: a key is that of the last group or makes a new one. The first key that is out of order
//! (or NULL) puts all groups so far into slots; no answer was given by then that could be wrong.
//!
//! Cost: at least 2 slots a group: 16 to 32 bytes a group and its key. NULL is a key like others.

use super::keys::StoredKeys;
use crate::expr::keys::{EncodedKeys, KeyData};
use arrow::buffer::BooleanBuffer;

const SLOTS_MIN: usize = 64;
/// The hash of the NULL key that has no encoding: the same in every task.
const NULL_HASH: u64 = 0;

/// Keys numbered in the order of their first appearance.
#[derive(Debug)]
pub(super) struct GroupTable {
    slots: Vec<u64>,
    keys: StoredKeys,
    hashes: Vec<u64>,
    /// The group of the NULL key where the encoding has no room for NULL.
    null_group: Option<u32>,
    /// Keys have been ascending so far: nothing is in the slots.
    ascending: bool,
}

impl GroupTable {
    /// A table for keys in the form of `empty`.
    pub(super) fn new(empty: StoredKeys) -> Self {
        let ascending = matches!(empty, StoredKeys::Fixed64(_));
        Self { slots: vec![0; SLOTS_MIN], keys: empty, hashes: Vec::new(), null_group: None, ascending }
    }

    /// Forgets all groups but keeps the memory, for as many groups again.
    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
        self.ascending = matches!(self.keys, StoredKeys::Fixed64(_));
        self.hashes.clear();
        self.null_group = None;
        match &mut self.keys {
            StoredKeys::Fixed64(keys) => keys.clear(),
            StoredKeys::Fixed128(keys) => keys.clear(),
            StoredKeys::Bytes { offsets, data } => {
                offsets.truncate(1);
                data.clear();
            }
        }
    }

    /// Number of groups.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether keys have been ascending so far: nothing is looked up.
    pub(super) fn is_ascending(&self) -> bool {
        self.ascending
    }

    /// The hash of every group.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let keys = match &self.keys {
            StoredKeys::Fixed64(keys) => keys.capacity() * 8,
            StoredKeys::Fixed128(keys) => keys.capacity() * 16,
            StoredKeys::Bytes { offsets, data } => offsets.capacity() * 8 + data.capacity(),
        };
        (self.slots.capacity() + self.hashes.capacity()) * 8 + keys
    }

    /// The group of every row; `new_rows` are the rows that made a group, in the groups' order.
    pub(super) fn assign(&mut self, encoded: &EncodedKeys, hashes: &[u64], ids: &mut Vec<u32>, new_rows: &mut Vec<u32>) {
        ids.clear();
        new_rows.clear();
        ids.reserve(hashes.len());
        let Self { slots, keys, hashes: known, null_group, ascending } = self;
        match (keys, &encoded.data) {
            (StoredKeys::Fixed64(keys), KeyData::Fixed64(rows)) => {
                let valid = encoded.valid.as_ref();
                let mut last: Option<(u64, u32)> = None;
                let mut start = 0;
                if *ascending {
                    start = assign_ascending(rows, hashes, valid, keys, known, ids, new_rows);
                    if start < rows.len() {
                        *ascending = false;
                        index(slots, known);
                    }
                }
                for (row, (&key, &hash)) in rows.iter().zip(hashes).enumerate().skip(start) {
                    if valid.is_some_and(|valid| !valid.value(row)) {
                        let group = *null_group.get_or_insert_with(|| {
                            new_rows.push(row as u32);
                            keys.push(0);
                            // No slot: the key 0 itself must not find it.
                            known.push(NULL_HASH);
                            (known.len() - 1) as u32
                        });
                        ids.push(group);
                        continue;
                    }
                    // Files in key order repeat a key in neighbouring rows.
                    if let Some((key_before, group)) = last
                        && key_before == key
                    {
                        ids.push(group);
                        continue;
                    }
                    let found = find(slots, known, hash, *null_group, |group| keys[group] == key);
                    let group = found.unwrap_or_else(|group| {
                        keys.push(key);
                        new_rows.push(row as u32);
                        group
                    });
                    last = Some((key, group));
                    ids.push(group);
                }
            }
            (StoredKeys::Fixed128(keys), KeyData::Fixed128(rows)) => {
                for (row, (&key, &hash)) in rows.iter().zip(hashes).enumerate() {
                    let found = find(slots, known, hash, None, |group| keys[group] == key);
                    ids.push(found.unwrap_or_else(|group| {
                        keys.push(key);
                        new_rows.push(row as u32);
                        group
                    }));
                }
            }
            (StoredKeys::Bytes { offsets, data }, KeyData::Bytes(bytes)) => {
                for (row, &hash) in hashes.iter().enumerate() {
                    let key = bytes.row(row);
                    let found = find(slots, known, hash, None, |group| &data[offsets[group]..offsets[group + 1]] == key);
                    ids.push(found.unwrap_or_else(|group| {
                        data.extend_from_slice(key);
                        offsets.push(data.len());
                        new_rows.push(row as u32);
                        group
                    }));
                }
            }
            // The form depends on the types alone.
            _ => debug_assert!(false, "keys change their form"),
        }
    }
}

/// Numbers rows whose keys ascend; returns the first row that it did not take.
fn assign_ascending(
    rows: &[u64],
    hashes: &[u64],
    valid: Option<&BooleanBuffer>,
    keys: &mut Vec<u64>,
    known: &mut Vec<u64>,
    ids: &mut Vec<u32>,
    new_rows: &mut Vec<u32>,
) -> usize {
    let mut last = keys.last().copied();
    for (row, (&key, &hash)) in rows.iter().zip(hashes).enumerate() {
        if valid.is_some_and(|valid| !valid.value(row)) {
            return row;
        }
        match last {
            Some(before) if before == key => {}
            // As signed numbers, which integers are; of other keys any order will do.
            Some(before) if before as i64 > key as i64 => return row,
            _ => {
                keys.push(key);
                known.push(hash);
                new_rows.push(row as u32);
                last = Some(key);
            }
        }
        ids.push((known.len() - 1) as u32);
    }
    rows.len()
}

/// Puts all groups into slots.
#[cold]
fn index(slots: &mut Vec<u64>, known: &[u64]) {
    *slots = vec![0; (known.len() + 1).next_power_of_two().max(SLOTS_MIN / 2)];
    rebuild(slots, known, None);
}

/// The group whose hash is `hash` and for which `same` holds, or the number of a new group, whose
/// slot and hash are in place.
#[inline]
fn find(
    slots: &mut Vec<u64>,
    known: &mut Vec<u64>,
    hash: u64,
    slotless: Option<u32>,
    same: impl Fn(usize) -> bool,
) -> Result<u32, u32> {
    let tag = (hash >> 24) << 32;
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    loop {
        let slot = slots[at];
        if slot == 0 {
            break;
        }
        if slot & !0xffff_ffff == tag {
            let group = (slot as u32 - 1) as usize;
            if same(group) {
                return Ok(group as u32);
            }
        }
        at = (at + 1) & mask;
    }
    let group = known.len() as u32;
    known.push(hash);
    slots[at] = tag | u64::from(group + 1);
    if known.len() * 2 > slots.len() {
        rebuild(slots, known, slotless);
    }
    Err(group)
}

#[cold]
fn rebuild(slots: &mut Vec<u64>, known: &[u64], slotless: Option<u32>) {
    let mut grown = vec![0; slots.len() * 2];
    let mask = grown.len() - 1;
    for (group, &hash) in known.iter().enumerate() {
        if slotless == Some(group as u32) {
            continue;
        }
        let mut at = hash as usize & mask;
        while grown[at] != 0 {
            at = (at + 1) & mask;
        }
        grown[at] = (hash >> 24) << 32 | (group as u64 + 1);
    }
    *slots = grown;
}
