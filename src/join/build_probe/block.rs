//! The collected side of a join in memory: columns, table, and what is known of each row.

use super::super::assemble::{Kept, kept};
use super::super::hash_table::Table;
use super::super::keys::KeyBatch;
use super::hot::HotRuns;
use super::{Joint, Method, Side};
use crate::column::{Chunk, Dictionary};
use crate::error::Result;
use crate::exec::{QueryContext, Reservation};
use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;
use arrow::compute;
use arrow::datatypes::DataType;
use std::sync::atomic::{AtomicU64, Ordering};

/// Build rows that are joined together: all of them, a spilled partition, or a piece of one.
pub(in crate::join) struct Block {
    /// One array a column; none when nobody looks at them.
    pub(in crate::join) columns: Vec<ArrayRef>,
    pub(in crate::join) rows: usize,
    pub(in crate::join) table: Table,
    /// No key of the table has two rows.
    pub(in crate::join) unique: bool,
    /// Rows of hot keys, once more, side by side.
    pub(in crate::join) hot: HotRuns,
    /// Under which a dictionary remembers what its values matched here.
    pub(in crate::join) memo: u64,
    /// Rows whose key is not NULL; none when that is all.
    pub(in crate::join) valid: Option<BooleanBuffer>,
    /// For a nested loop with keys.
    pub(in crate::join) cross: CrossKeys,
    /// Rows that found a match, if anybody asks.
    pub(in crate::join) matched: Option<Bits>,
    /// Rows for which some comparison of NOT IN was with NULL.
    pub(in crate::join) unknown: Option<Bits>,
    pub(in crate::join) _memory: Option<Reservation>,
}

/// Keys that pairs are compared by one by one.
#[derive(Default)]
pub(in crate::join) struct CrossKeys {
    pub(in crate::join) strict: Option<KeyBatch>,
    pub(in crate::join) aware: Option<KeyBatch>,
}

impl CrossKeys {
    /// The keys of one side's chunk.
    pub(in crate::join) fn of(side: &Side, chunk: &Chunk) -> Result<Self> {
        let keys = |keys: &Option<super::KeySide>| keys.as_ref().map(|keys| keys.keys(chunk)).transpose();
        Ok(Self { strict: keys(&side.strict)?, aware: keys(&side.aware)? })
    }
}

/// One bit a row, set by many workers.
pub(in crate::join) struct Bits(Vec<AtomicU64>);

impl Bits {
    pub(in crate::join) fn new(rows: usize) -> Self {
        Self((0..rows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    pub(in crate::join) fn set(&self, row: u32) {
        let (word, bit) = (&self.0[row as usize / 64], 1 << (row % 64));
        // Looking first keeps the cache line shared: a row that matches often is set once.
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    pub(in crate::join) fn get(&self, row: usize) -> bool {
        self.0[row / 64].load(Ordering::Relaxed) >> (row % 64) & 1 == 1
    }
}

/// One array of several, with its own buffers when it holds views into many.
pub(in crate::join) fn concat(arrays: &[ArrayRef], data_type: &DataType) -> Result<ArrayRef> {
    let parts: Vec<&dyn arrow::array::Array> = arrays.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        [] => Ok(arrow::array::new_empty_array(data_type)),
        [_] => Ok(arrays[0].clone()),
        parts => Ok(own_views(&compute::concat(parts)?)),
    }
}

/// Copies the bytes that views point to into buffers of the array's own: taking rows of an array
/// costs time for every buffer it refers to, and a spill file would contain them whole.
pub(in crate::join) fn own_views(array: &ArrayRef) -> ArrayRef {
    use arrow::array::AsArray;
    match array.data_type() {
        DataType::Utf8View if !array.as_string_view().data_buffers().is_empty() => {
            std::sync::Arc::new(array.as_string_view().gc())
        }
        DataType::BinaryView if !array.as_binary_view().data_buffers().is_empty() => {
            std::sync::Arc::new(array.as_binary_view().gc())
        }
        _ => array.clone(),
    }
}

impl Joint {
    /// A block of rows that lie in memory already, built on the calling thread.
    pub(super) fn block(
        &self,
        chunks: &[Vec<ArrayRef>],
        rows: usize,
        query: &QueryContext,
        memory: Option<Reservation>,
    ) -> Result<Block> {
        let types = crate::column::storage_schema(&self.build.schema);
        let mut columns = Vec::with_capacity(types.fields().len());
        for (at, field) in types.fields().iter().enumerate() {
            let parts: Vec<ArrayRef> = chunks.iter().map(|chunk| chunk[at].clone()).collect();
            columns.push(concat(&parts, field.data_type())?);
        }
        let chunk = Chunk::from_arrays(columns.clone(), rows);
        let keys = self.build.keys.keys(&chunk)?;
        let table = match self.method {
            Method::Hash => Table::build(&keys, self.build.keys.is_integer(), query.constant_hash, &|| query.cancel.check())?,
            Method::Cross => Table::empty(),
        };
        let cross = CrossKeys::of(&self.build, &chunk)?;
        let mut block = self.finish_block(columns, rows, table, keys.valid, cross, memory);
        self.find_hot_runs(&mut block, query)?;
        Ok(block)
    }

    pub(in crate::join) fn finish_block(
        &self,
        columns: Vec<ArrayRef>,
        rows: usize,
        table: Table,
        valid: Option<BooleanBuffer>,
        cross: CrossKeys,
        memory: Option<Reservation>,
    ) -> Block {
        self.counters.table_bytes.add(table.bytes() as u64);
        let aware = cross.aware.is_some();
        let bits = |wanted: bool| wanted.then(|| Bits::new(rows));
        let tracks = self.tracks_build();
        Block {
            columns,
            rows,
            unique: table.unique(),
            table,
            hot: HotRuns::default(),
            memo: Dictionary::key(),
            valid,
            cross,
            matched: bits(tracks),
            unknown: bits(tracks && aware),
            _memory: memory,
        }
    }

    /// The build rows that come out by themselves, once every probe row has met the block.
    pub(super) fn kept_build(&self, block: &Block, from: usize, to: usize) -> Kept {
        let Some(matched) = &block.matched else { return Kept::default() };
        let shape = self.assembler.shape;
        let unknown = |row: usize| match &block.unknown {
            Some(unknown) => unknown.get(row),
            None => shape.null_aware && self.build_unknown(block.valid.as_ref().is_some_and(|valid| !valid.value(row))),
        };
        let mut kept = kept(shape.build, to - from, |row| matched.get(from + row), |row| unknown(from + row));
        kept.rows.iter_mut().for_each(|row| *row += from as u32);
        kept
    }
}
