//! The table of a hash join: from a key to its build rows.
//!
//! Whatever the form, a lookup gives a range of [`Lookup::order`], where the rows of one key lie
//! side by side: a key with two thousand rows costs one lookup and no chain to walk, and a join can
//! stop between any two of them and go on later.
//!
//! ```text
//!   key ──> dense array | bitmap + rank | directory ──> (start, length) ──> order[start..][..length]
//! ```
//!
//! Rows whose key is NULL under `=` are not in the table. The work of building is cut into pieces
//! ([`Plan::pieces`]) that run in parallel.

mod direct;
mod unchained;

use super::keys::{KeyBatch, KeyData};
use crate::error::{Error, Result};
use direct::{Dense, Ranked};
use unchained::{Keys, Part};

/// Dense arrays may be this many times as long as there are rows (4 bytes an entry). From the
/// design; the join benchmark is to confirm it.
const DENSE_SPAN_SHARE: u64 = 4;
/// Spans up to this are dense however few the rows: 64 Ki entries are 256 KiB.
const DENSE_SPAN_SMALL: u64 = 1 << 16;
/// Bitmaps may have this many bits a row: 1.5 bits of memory each, ranks included. From the design.
const RANKED_SPAN_SHARE: u64 = 64;
/// Fewer rows than this are not worth cutting into parts. Guessed.
const PART_ROWS: usize = 1 << 16;

/// Rows between two looks at whether the query was ended: a fraction of a millisecond. Guessed.
pub(super) const CHECK_ROWS: usize = 1 << 16;

/// Looks whether the query was ended; an error if so.
pub(super) type Check<'a> = &'a dyn Fn() -> Result<()>;

/// No match.
pub(super) const NO_MATCH: (u32, u32) = (0, 0);

/// How a table is to be built, settled once all keys are known.
pub(super) struct Plan {
    form: Form,
    rows: usize,
    /// Parts are 2 to this power.
    part_bits: u32,
    constant_hash: bool,
}

#[derive(Clone, Copy)]
enum Form {
    Dense { min: i64, span: usize },
    Ranked { min: i64, span: usize },
    Unchained,
}

/// Rows with their hashes, by part of the table.
pub(super) type Scattered = Vec<Vec<(u64, u32)>>;

/// A finished piece of a table.
pub(super) enum Piece {
    Dense(Dense),
    Ranked(Ranked),
    Words(Part<Vec<u64>>),
    Wide(Part<Vec<u128>>),
    Bytes(Part<super::keys::ByteKeys>),
}

/// A finished table.
pub(super) struct Table {
    form: Pieces,
    order: Vec<u32>,
    constant_hash: bool,
}

enum Pieces {
    Empty,
    Dense(Dense),
    Ranked(Ranked),
    Words(u32, Vec<Part<Vec<u64>>>),
    Wide(u32, Vec<Part<Vec<u128>>>),
    Bytes(u32, Vec<Part<super::keys::ByteKeys>>),
}

impl Plan {
    /// Picks the form for `keys`. `integer`: the encodings are values of 64-bit integers.
    pub(super) fn new(keys: &KeyBatch, integer: bool, constant_hash: bool, threads: usize, check: Check) -> Result<Self> {
        let rows = keys.data.len();
        if rows >= u32::MAX as usize {
            return Err(Error::unsupported("a join whose built side has over 4 billion rows"));
        }
        let form = match &keys.data {
            KeyData::Fixed64(words) if integer && !constant_hash => direct_form(words, keys, check)?,
            _ => Form::Unchained,
        };
        let parts = if threads > 1 && rows > PART_ROWS { (threads * 4).next_power_of_two().min(64) } else { 1 };
        Ok(Self { form, rows, part_bits: parts.trailing_zeros(), constant_hash })
    }

    /// Row ranges to scatter in parallel; empty when the form needs no scattering.
    pub(super) fn slices(&self, threads: usize) -> Vec<(usize, usize)> {
        match self.form {
            Form::Unchained => {
                let step = self.rows.div_ceil(threads.max(1)).max(PART_ROWS);
                (0..self.rows).step_by(step).map(|from| (from, (from + step).min(self.rows))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Hashes the rows of a slice and sorts them into parts.
    pub(super) fn scatter(&self, keys: &KeyBatch, from: usize, to: usize, check: Check) -> Result<Scattered> {
        let mut parts: Scattered = vec![Vec::with_capacity((to - from) >> self.part_bits); 1 << self.part_bits];
        for start in (from..to).step_by(CHECK_ROWS) {
            check()?;
            let end = (start + CHECK_ROWS).min(to);
            for (row, hash) in (start..end).zip(keys.data.hash(start, end, self.constant_hash)) {
                if keys.is_valid(row) {
                    parts[unchained::part_of(hash, self.part_bits)].push((hash, row as u32));
                }
            }
        }
        Ok(parts)
    }

    /// How many pieces the table consists of.
    pub(super) fn pieces(&self) -> usize {
        match self.form {
            Form::Unchained => 1 << self.part_bits,
            _ => 1,
        }
    }

    /// Builds one piece. `tuples` are its rows from every slice, in the order of the slices.
    pub(super) fn piece(&self, keys: &KeyBatch, tuples: Vec<Vec<(u64, u32)>>, check: Check) -> Result<Piece> {
        let bits = self.part_bits;
        match (self.form, &keys.data) {
            (Form::Dense { min, span }, KeyData::Fixed64(words)) => {
                Ok(Piece::Dense(Dense::build(words, keys, min, span, check)?))
            }
            (Form::Ranked { min, span }, KeyData::Fixed64(words)) => {
                Ok(Piece::Ranked(Ranked::build(words, keys, min, span, check)?))
            }
            (Form::Unchained, KeyData::Fixed64(words)) => Ok(Piece::Words(Part::build(words, tuples, bits, check)?)),
            (Form::Unchained, KeyData::Fixed128(words)) => Ok(Piece::Wide(Part::build(words, tuples, bits, check)?)),
            (Form::Unchained, KeyData::Bytes(bytes)) => Ok(Piece::Bytes(Part::build(bytes, tuples, bits, check)?)),
            _ => Err(Error::internal("a direct table over keys that are not integers")),
        }
    }

    /// Puts the pieces together, in their order.
    pub(super) fn finish(&self, pieces: Vec<Piece>) -> Table {
        let mut order = Vec::new();
        let mut form = Pieces::Empty;
        let bits = self.part_bits;
        for piece in pieces {
            match (piece, &mut form) {
                (Piece::Dense(mut dense), form) => {
                    order = std::mem::take(&mut dense.order);
                    *form = Pieces::Dense(dense);
                }
                (Piece::Ranked(mut ranked), form) => {
                    order = std::mem::take(&mut ranked.order);
                    *form = Pieces::Ranked(ranked);
                }
                (Piece::Words(mut part), form) => {
                    part.append_order(&mut order);
                    match form {
                        Pieces::Words(_, parts) => parts.push(part),
                        other => *other = Pieces::Words(bits, vec![part]),
                    }
                }
                (Piece::Wide(mut part), form) => {
                    part.append_order(&mut order);
                    match form {
                        Pieces::Wide(_, parts) => parts.push(part),
                        other => *other = Pieces::Wide(bits, vec![part]),
                    }
                }
                (Piece::Bytes(mut part), form) => {
                    part.append_order(&mut order);
                    match form {
                        Pieces::Bytes(_, parts) => parts.push(part),
                        other => *other = Pieces::Bytes(bits, vec![part]),
                    }
                }
            }
        }
        Table { form, order, constant_hash: self.constant_hash }
    }
}

fn direct_form(words: &[u64], keys: &KeyBatch, check: Check) -> Result<Form> {
    let mut bounds: Option<(i64, i64)> = None;
    let mut count = 0u64;
    for (block, words) in words.chunks(CHECK_ROWS).enumerate() {
        check()?;
        for (at, word) in words.iter().enumerate() {
            if keys.is_valid(block * CHECK_ROWS + at) {
                let value = *word as i64;
                count += 1;
                bounds = Some(bounds.map_or((value, value), |(min, max)| (min.min(value), max.max(value))));
            }
        }
    }
    let Some((min, max)) = bounds else { return Ok(Form::Dense { min: 0, span: 0 }) };
    let span = max.abs_diff(min).saturating_add(1);
    Ok(if span <= DENSE_SPAN_SMALL || span <= count.saturating_mul(DENSE_SPAN_SHARE) {
        Form::Dense { min, span: span as usize }
    } else if span <= count.saturating_mul(RANKED_SPAN_SHARE) {
        Form::Ranked { min, span: span as usize }
    } else {
        Form::Unchained
    })
}

impl Table {
    /// A table without rows.
    pub(super) fn empty() -> Self {
        Self { form: Pieces::Empty, order: Vec::new(), constant_hash: false }
    }

    /// Builds a whole table on the calling thread.
    pub(super) fn build(keys: &KeyBatch, integer: bool, constant_hash: bool, check: Check) -> Result<Self> {
        let plan = Plan::new(keys, integer, constant_hash, 1, check)?;
        let mut tuples = Vec::new();
        for (from, to) in plan.slices(1) {
            tuples.extend(plan.scatter(keys, from, to, check)?);
        }
        Ok(plan.finish(vec![plan.piece(keys, tuples, check)?]))
    }

    /// Build rows, the rows of a key side by side.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    /// Whether no key has two rows.
    pub(super) fn unique(&self) -> bool {
        match &self.form {
            Pieces::Empty => true,
            Pieces::Dense(dense) => dense.unique,
            Pieces::Ranked(ranked) => ranked.unique(),
            Pieces::Words(_, parts) => parts.iter().all(Part::unique),
            Pieces::Wide(_, parts) => parts.iter().all(Part::unique),
            Pieces::Bytes(_, parts) => parts.iter().all(Part::unique),
        }
    }

    /// The `most` longest ranges of [`Table::order`] that hold at least `rows_min` rows of one key,
    /// by start: (start, length). Looks at every key.
    pub(super) fn longest(&self, rows_min: usize, most: usize) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        if rows_min > 1 && self.unique() {
            return found;
        }
        let mut look = |starts: &[u32]| {
            let runs = starts.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
            found.extend(runs.filter(|(_, len)| *len as usize >= rows_min));
        };
        match &self.form {
            Pieces::Empty => {}
            Pieces::Dense(dense) => look(dense.starts()),
            Pieces::Ranked(ranked) => look(ranked.starts()),
            Pieces::Words(_, parts) => parts.iter().for_each(|part| look(part.starts())),
            Pieces::Wide(_, parts) => parts.iter().for_each(|part| look(part.starts())),
            Pieces::Bytes(_, parts) => parts.iter().for_each(|part| look(part.starts())),
        }
        found.sort_unstable_by_key(|(_, len)| std::cmp::Reverse(*len));
        found.truncate(most);
        found.sort_unstable();
        found
    }

    /// Per probe row the range of [`Table::order`] that holds its matches.
    pub(super) fn lookup(&self, keys: &KeyBatch) -> Vec<(u32, u32)> {
        let rows = keys.data.len();
        match (&self.form, &keys.data) {
            (Pieces::Dense(dense), KeyData::Fixed64(words)) => dense.lookup(words, keys),
            (Pieces::Ranked(ranked), KeyData::Fixed64(words)) => ranked.lookup(words, keys),
            (Pieces::Words(bits, parts), KeyData::Fixed64(words)) => self.probe(parts, *bits, words, keys),
            (Pieces::Wide(bits, parts), KeyData::Fixed128(words)) => self.probe(parts, *bits, words, keys),
            (Pieces::Bytes(bits, parts), KeyData::Bytes(bytes)) => self.probe(parts, *bits, bytes, keys),
            _ => vec![NO_MATCH; rows],
        }
    }

    fn probe<K: Keys>(&self, parts: &[Part<K>], bits: u32, probe: &K, keys: &KeyBatch) -> Vec<(u32, u32)> {
        let hashes = keys.data.hash(0, keys.data.len(), self.constant_hash);
        unchained::lookup(parts, bits, probe, &hashes, keys)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let form = match &self.form {
            Pieces::Empty => 0,
            Pieces::Dense(dense) => dense.bytes(),
            Pieces::Ranked(ranked) => ranked.bytes(),
            Pieces::Words(_, parts) => parts.iter().map(Part::bytes).sum(),
            Pieces::Wide(_, parts) => parts.iter().map(Part::bytes).sum(),
            Pieces::Bytes(_, parts) => parts.iter().map(Part::bytes).sum(),
        };
        form + self.order.len() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::keys::ByteKeys;

    fn check(data: KeyData, integer: bool, probe: &KeyData, constant: bool, threads: usize) {
        let rows = data.len();
        let valid = (0..rows).map(|row| row % 7 != 3).collect();
        let keys = KeyBatch { data, valid: Some(valid) };
        let plan = Plan::new(&keys, integer, constant, threads, &|| Ok(())).unwrap();
        let mut parts: Vec<Vec<Vec<(u64, u32)>>> = vec![Vec::new(); plan.pieces()];
        for (from, to) in plan.slices(threads) {
            plan.scatter(&keys, from, to, &|| Ok(()))
                .unwrap()
                .into_iter()
                .enumerate()
                .for_each(|(part, rows)| parts[part].push(rows));
        }
        let pieces = parts.into_iter().map(|tuples| plan.piece(&keys, tuples, &|| Ok(())).unwrap()).collect();
        let table = plan.finish(pieces);
        let probe = KeyBatch { data: probe.clone(), valid: None };
        for (row, (start, len)) in table.lookup(&probe).into_iter().enumerate() {
            let mut found = table.order()[start as usize..][..len as usize].to_vec();
            found.sort_unstable();
            let longest = table.longest(1, usize::MAX);
            assert!(len == 0 || longest.binary_search(&(start, len)).is_ok() || longest.is_empty());
            let expected: Vec<u32> =
                (0..rows).filter(|b| keys.is_valid(*b) && keys.data.equal(*b, &probe.data, row)).map(|b| b as u32).collect();
            assert_eq!(found, expected, "row {row}");
        }
    }

    #[test]
    fn every_form_finds_all_rows_of_a_key() {
        let probe = KeyData::Fixed64((0..300u64).map(|v| v.wrapping_sub(20)).chain([u64::MAX, 1 << 63]).collect());
        let dense: Vec<u64> = (0..500u64).map(|v| v * 7 % 100).collect();
        check(KeyData::Fixed64(dense.clone()), true, &probe, false, 1);
        check(KeyData::Fixed64(dense.clone()), false, &probe, false, 1);
        check(KeyData::Fixed64(dense), true, &probe, true, 1);
        let sparse: Vec<u64> = (0..2000u64).map(|v| v * 40).chain([80_000]).collect();
        check(KeyData::Fixed64(sparse), true, &probe, false, 1);
        let extremes = vec![i64::MIN as u64, i64::MAX as u64, 5, 5, 0];
        check(KeyData::Fixed64(extremes), true, &probe, false, 1);
        check(KeyData::Fixed64(Vec::new()), true, &probe, false, 1);
        check(
            KeyData::Fixed128((0..400u128).map(|v| (v % 50) << 70).collect()),
            false,
            &KeyData::Fixed128(vec![0, 1 << 70, 3]),
            false,
            1,
        );
        let mut bytes = ByteKeys::default();
        (0..300).for_each(|v| bytes.push(format!("key {}", v % 40).as_bytes()));
        check(KeyData::Bytes(bytes.clone()), false, &KeyData::Bytes(bytes), false, 1);
    }

    #[test]
    fn parts_built_apart_make_one_table() {
        let keys: Vec<u64> = (0..70_000u64).map(|v| (v % 30_000).wrapping_mul(1 << 40)).collect();
        let data = KeyData::Fixed64(keys);
        let batch = KeyBatch { data, valid: None };
        let plan = Plan::new(&batch, true, false, 2, &|| Ok(())).unwrap();
        assert_eq!(plan.pieces(), 8);
        let mut parts: Vec<Vec<Vec<(u64, u32)>>> = vec![Vec::new(); 8];
        for (from, to) in plan.slices(2) {
            plan.scatter(&batch, from, to, &|| Ok(()))
                .unwrap()
                .into_iter()
                .enumerate()
                .for_each(|(part, rows)| parts[part].push(rows));
        }
        let table = plan.finish(parts.into_iter().map(|tuples| plan.piece(&batch, tuples, &|| Ok(())).unwrap()).collect());
        let probe = KeyBatch { data: KeyData::Fixed64(vec![0, 1 << 40, 29_999 << 40, 3]), valid: None };
        let lengths: Vec<u32> = table.lookup(&probe).into_iter().map(|(_, len)| len).collect();
        assert_eq!(lengths, [3, 3, 2, 0]);
    }

    #[test]
    fn building_looks_whether_the_query_was_ended() {
        use std::cell::Cell;
        let rows = 5 * CHECK_ROWS;
        let words = |step: u64| KeyData::Fixed64((0..rows as u64).map(|row| row.wrapping_mul(step)).collect());
        let mut bytes = ByteKeys::default();
        (0..rows).for_each(|row| bytes.push(&row.to_le_bytes()));
        for (data, passes) in [(words(1), 3), (words(40), 4), (words(1 << 40), 4), (KeyData::Bytes(bytes), 3)] {
            let batch = KeyBatch { data, valid: None };
            let looks = Cell::new(0);
            let count = || {
                looks.set(looks.get() + 1);
                Ok(())
            };
            Table::build(&batch, true, false, &count).unwrap();
            // Every pass over the rows looks once in CHECK_ROWS rows.
            assert!(looks.get() >= passes * rows / CHECK_ROWS, "{} looks in {passes} passes", looks.get());
            let left = Cell::new(looks.get() - 1);
            let end = || {
                left.set(left.get() - 1);
                if left.get() == 0 { Err(Error::cancelled()) } else { Ok(()) }
            };
            assert!(Table::build(&batch, true, false, &end).is_err());
        }
    }
}
