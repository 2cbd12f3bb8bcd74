//! Groups by dictionary codes: no hashing where every key is a code into a small dictionary.
//!
//! ```text
//!   codes (a, b) ─> a * stride + b ─> map ─> group        map: NONE until the combination is met
//! ```
//!
//! The map lives as long as the chunks' dictionaries stay the same (about a row group).

use crate::column::Column;
use arrow::array::Array;

/// Combinations of codes that a map is kept for: 256 KiB.
const COMBINATIONS_MAX: usize = 1 << 16;
const NONE: u32 = u32::MAX;

/// The groups of the combinations of codes met so far.
#[derive(Debug, Default)]
pub(super) struct CodeMap {
    dictionaries: Vec<u64>,
    map: Vec<u32>,
    /// The combination in every row of the current chunk.
    combined: Vec<u32>,
}

impl CodeMap {
    /// Combines the codes of every row; false where some key has none or there are too many.
    pub(super) fn combine(&mut self, keys: &[Column], rows: usize) -> bool {
        let mut size = 1_usize;
        let mut coded = false;
        for key in keys {
            match key {
                Column::Dict(dict) => {
                    coded = true;
                    size = size.saturating_mul(dict.dictionary().values().len() + 1);
                }
                Column::Const(..) => {}
                _ => return false,
            }
            if size > COMBINATIONS_MAX {
                return false;
            }
        }
        // One row's worth of map for many keys would not pay.
        if !coded && rows < 2 {
            return false;
        }
        let dictionary = |key: &Column| if let Column::Dict(dict) = key { dict.dictionary().id() } else { 0 };
        let same =
            self.dictionaries.len() == keys.len() && keys.iter().zip(&self.dictionaries).all(|(key, id)| dictionary(key) == *id);
        // Constants differ from chunk to chunk.
        if !same || self.dictionaries.contains(&0) {
            self.dictionaries = keys.iter().map(dictionary).collect();
            self.map.clear();
            self.map.resize(size, NONE);
        }
        self.combined.clear();
        self.combined.resize(rows, 0);
        let mut stride = 1_u32;
        for key in keys {
            let Column::Dict(dict) = key else { continue };
            let null = dict.dictionary().values().len() as u32;
            let codes = dict.codes();
            match codes.nulls() {
                None => self.combined.iter_mut().zip(codes.values()).for_each(|(sum, &code)| *sum += code * stride),
                Some(nulls) => {
                    for (row, sum) in self.combined.iter_mut().enumerate() {
                        *sum += stride * if nulls.is_null(row) { null } else { codes.value(row) };
                    }
                }
            }
            stride *= null + 1;
        }
        true
    }

    /// A row of each combination whose group is not known.
    pub(super) fn unknown(&mut self) -> Vec<u32> {
        let mut rows = Vec::new();
        if !self.combined.iter().any(|&code| self.map[code as usize] == NONE) {
            return rows;
        }
        for (row, &code) in self.combined.iter().enumerate() {
            let group = &mut self.map[code as usize];
            if *group == NONE {
                *group = 0;
                rows.push(row as u32);
            }
        }
        rows
    }

    /// Remembers the groups of those rows.
    pub(super) fn learn(&mut self, rows: &[u32], groups: &[u32]) {
        for (&row, &group) in rows.iter().zip(groups) {
            self.map[self.combined[row as usize] as usize] = group;
        }
    }

    /// The group of every row.
    pub(super) fn groups(&self, ids: &mut Vec<u32>) {
        ids.clear();
        ids.extend(self.combined.iter().map(|&code| self.map[code as usize]));
    }
}
