//! What can be done with encoded keys: compare, hash, pick, put together.

use super::{EncodedKeys, KeyBytes, KeyData, hash};
use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;

impl EncodedKeys {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the key of `row` can equal another.
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid.value(row))
    }

    /// Whether some key has a NULL under plain `=`.
    pub fn has_null(&self) -> bool {
        self.valid.as_ref().is_some_and(|valid| valid.count_set_bits() < valid.len())
    }

    /// A hash of every key, with all 64 bits mixed. `constant` gives 0 for every key (tests of
    /// collisions).
    pub fn hash(&self, constant: bool) -> Vec<u64> {
        self.data.hash(0, self.len(), constant)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.data.bytes() + self.valid.as_ref().map_or(0, |valid| valid.len() / 8)
    }

    /// The keys of the rows that `rows` names.
    #[must_use]
    pub fn pick(&self, rows: &[u32]) -> Self {
        let valid = self.valid.as_ref();
        let valid = valid.map(|valid| BooleanBuffer::collect_bool(rows.len(), |at| valid.value(rows[at] as usize)));
        Self { data: self.data.pick(rows), valid }
    }

    /// The `rows` keys from `from` on.
    #[must_use]
    pub fn slice(&self, from: usize, rows: usize) -> Self {
        let to = from + rows;
        let data = match &self.data {
            KeyData::Fixed64(keys) => KeyData::Fixed64(keys[from..to].to_vec()),
            KeyData::Fixed128(keys) => KeyData::Fixed128(keys[from..to].to_vec()),
            KeyData::Bytes(keys) => KeyData::Bytes(keys.slice(from, to)),
        };
        Self { data, valid: self.valid.as_ref().map(|valid| valid.slice(from, rows)) }
    }

    /// All batches after one another; they must be of one layout. None: no keys, as words.
    #[must_use]
    pub fn concat(batches: &[Self]) -> Self {
        let rows = batches.iter().map(Self::len).sum();
        let valid = batches.iter().any(|batch| batch.valid.is_some()).then(|| {
            let mut all = BooleanBufferBuilder::new(rows);
            for batch in batches {
                match &batch.valid {
                    Some(valid) => all.append_buffer(valid),
                    None => all.append_n(batch.len(), true),
                }
            }
            all.finish()
        });
        let data = match batches.first().map(|batch| &batch.data) {
            None => KeyData::Fixed64(Vec::new()),
            Some(KeyData::Fixed64(_)) => {
                let mut all = Vec::with_capacity(rows);
                for batch in batches {
                    if let KeyData::Fixed64(keys) = &batch.data {
                        all.extend_from_slice(keys);
                    }
                }
                KeyData::Fixed64(all)
            }
            Some(KeyData::Fixed128(_)) => {
                let mut all = Vec::with_capacity(rows);
                for batch in batches {
                    if let KeyData::Fixed128(keys) = &batch.data {
                        all.extend_from_slice(keys);
                    }
                }
                KeyData::Fixed128(all)
            }
            Some(KeyData::Bytes(_)) => {
                let mut all = KeyBytes::default();
                for batch in batches {
                    if let KeyData::Bytes(keys) = &batch.data {
                        all.append(keys);
                    }
                }
                KeyData::Bytes(all)
            }
        };
        Self { data, valid }
    }
}

impl KeyData {
    /// Number of keys.
    pub fn len(&self) -> usize {
        match self {
            Self::Fixed64(keys) => keys.len(),
            Self::Fixed128(keys) => keys.len(),
            Self::Bytes(keys) => keys.len(),
        }
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Fixed64(keys) => keys.len() * 8,
            Self::Fixed128(keys) => keys.len() * 16,
            Self::Bytes(keys) => keys.bytes(),
        }
    }

    /// Hashes of the rows from `from` to `to`; all 0 when `constant`.
    pub fn hash(&self, from: usize, to: usize, constant: bool) -> Vec<u64> {
        if constant {
            return vec![0; to - from];
        }
        match self {
            Self::Fixed64(keys) => keys[from..to].iter().map(|&key| hash::hash64(key)).collect(),
            Self::Fixed128(keys) => keys[from..to].iter().map(|&key| hash::hash128(key)).collect(),
            Self::Bytes(keys) => (from..to).map(|row| hash::hash_bytes(keys.row(row))).collect(),
        }
    }

    /// The hash of one row's key; 0 when `constant`.
    pub fn hash_row(&self, row: usize, constant: bool) -> u64 {
        match self {
            _ if constant => 0,
            Self::Fixed64(keys) => hash::hash64(keys[row]),
            Self::Fixed128(keys) => hash::hash128(keys[row]),
            Self::Bytes(keys) => hash::hash_bytes(keys.row(row)),
        }
    }

    /// Whether the key of `row` equals that of `other_row` among keys of the same layout.
    pub fn equal(&self, row: usize, other: &Self, other_row: usize) -> bool {
        match (self, other) {
            (Self::Fixed64(a), Self::Fixed64(b)) => a[row] == b[other_row],
            (Self::Fixed128(a), Self::Fixed128(b)) => a[row] == b[other_row],
            (Self::Bytes(a), Self::Bytes(b)) => a.row(row) == b.row(other_row),
            _ => false,
        }
    }

    /// The keys of the rows that `rows` names.
    #[must_use]
    pub fn pick(&self, rows: &[u32]) -> Self {
        match self {
            Self::Fixed64(keys) => Self::Fixed64(rows.iter().map(|row| keys[*row as usize]).collect()),
            Self::Fixed128(keys) => Self::Fixed128(rows.iter().map(|row| keys[*row as usize]).collect()),
            Self::Bytes(keys) => Self::Bytes(keys.pick(rows)),
        }
    }
}
