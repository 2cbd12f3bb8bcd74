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
//! Cost: at least 2 slots a group: 16 to 32 bytes a group and its key. NULL is a key like others.

use super::keys::EncodedKeys;

const SLOTS_MIN: usize = 64;
/// The hash of the NULL key that has no encoding: the same in every task.
const NULL_HASH: u64 = 0;

/// Keys numbered in the order of their first appearance.
#[derive(Debug)]
pub(super) struct GroupTable {
    slots: Vec<u64>,
    keys: EncodedKeys,
    hashes: Vec<u64>,
    /// The group of the NULL key where the encoding has no room for NULL.
    null_group: Option<u32>,
}

impl GroupTable {
    /// A table for keys in the form of `empty`.
    pub(super) fn new(empty: EncodedKeys) -> Self {
        Self { slots: vec![0; SLOTS_MIN], keys: empty, hashes: Vec::new(), null_group: None }
    }

    /// Number of groups.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The hash of every group.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let keys = match &self.keys {
            EncodedKeys::Fixed64(keys, _) => keys.capacity() * 8,
            EncodedKeys::Fixed128(keys) => keys.capacity() * 16,
            EncodedKeys::Bytes { offsets, data } => offsets.capacity() * 8 + data.capacity(),
        };
        (self.slots.capacity() + self.hashes.capacity()) * 8 + keys
    }

    /// The group of every row; `new_rows` are the rows that made a group, in the groups' order.
    pub(super) fn assign(&mut self, encoded: &EncodedKeys, hashes: &[u64], ids: &mut Vec<u32>, new_rows: &mut Vec<u32>) {
        ids.clear();
        new_rows.clear();
        ids.reserve(hashes.len());
        let Self { slots, keys, hashes: known, null_group } = self;
        match (keys, encoded) {
            (EncodedKeys::Fixed64(keys, _), EncodedKeys::Fixed64(rows, nulls)) => {
                let mut last: Option<(u64, u32)> = None;
                for (row, (&key, &hash)) in rows.iter().zip(hashes).enumerate() {
                    if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
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
            (EncodedKeys::Fixed128(keys), EncodedKeys::Fixed128(rows)) => {
                for (row, (&key, &hash)) in rows.iter().zip(hashes).enumerate() {
                    let found = find(slots, known, hash, None, |group| keys[group] == key);
                    ids.push(found.unwrap_or_else(|group| {
                        keys.push(key);
                        new_rows.push(row as u32);
                        group
                    }));
                }
            }
            (EncodedKeys::Bytes { offsets, data }, EncodedKeys::Bytes { offsets: from, data: bytes }) => {
                for (row, &hash) in hashes.iter().enumerate() {
                    let key = &bytes[from[row]..from[row + 1]];
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
