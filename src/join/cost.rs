//! What a join is expected to cost: nanoseconds of one core, on one screen.
//!
//! The constants are guesses of the right magnitude for a machine with 2 MiB of L2 a core and
//! 32 MiB of L3; the join benchmark is to calibrate them. Only their ratios matter for the choice.

use super::JoinRequest;
use crate::exec::PlanRef;
use arrow::datatypes::DataType;

/// Tables below this many bytes are probed from L2. Guessed.
const L2_BYTES: f64 = 1.5e6;
/// Tables below this many bytes are probed from L3. Guessed.
const L3_BYTES: f64 = 24e6;
/// Bytes of hash table a build row takes besides its columns: key, row number, directory. Computed.
const TABLE_BYTES_ROW: f64 = 24.0;
/// Writing and reading back one byte of a spill file, ns. Guessed from LZ4 at 1 GB/s each way.
const SPILL_NS_BYTE: f64 = 2.0;
/// One comparison and move of a sort, ns. Guessed.
pub(super) const SORT_NS: f64 = 6.0;
/// Share of the rows that a key known as hot is taken to have. Guessed.
const HOT_SHARE: f64 = 0.1;
/// Looking at a sample of the build rows' keys, ns a build row: a twentieth of an insertion, measured
/// beside one.
const SKETCH_NS: f64 = 0.4;
/// Merging one sorted row, ns. Guessed.
const MERGE_NS: f64 = 15.0;
/// One pair of a nested loop with its condition, ns. Guessed.
const PAIR_NS: f64 = 2.5;

/// Rows and bytes expected of an input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: f64,
    pub(super) bytes: f64,
}

impl Size {
    /// What the planner expects of `input`. Widths are those of the types; strings count 24 bytes.
    pub(super) fn of(input: &PlanRef) -> Self {
        let rows = input.info().estimated_rows;
        let rows = if rows.is_finite() { rows.max(1.0) } else { 1e12 };
        let width = |data_type: &DataType| match data_type {
            DataType::Boolean => 1.0,
            DataType::Decimal128(precision, _) if *precision <= 18 => 8.0,
            other => other.primitive_width().map_or(24.0, |width| width as f64),
        };
        let bytes: f64 = input.schema().fields().iter().map(|field| width(field.data_type())).sum();
        Self { rows, bytes: rows * bytes.max(1.0) }
    }

    /// Bytes in memory once it is a hash table.
    pub(super) fn table_bytes(&self) -> f64 {
        self.bytes + self.rows * TABLE_BYTES_ROW
    }
}

/// A hash join that builds `build` and streams `probe`.
pub(super) fn hash(build: Size, probe: Size, request: &JoinRequest) -> f64 {
    let touched = build.rows * TABLE_BYTES_ROW;
    let (insert, lookup) = if touched < L2_BYTES {
        (8.0, 3.0)
    } else if touched < L3_BYTES {
        (15.0, 8.0)
    } else {
        (35.0, 25.0)
    };
    // The share of both sides that does not fit goes to disk and comes back.
    let over = (1.0 - request.memory_limit as f64 / build.table_bytes()).clamp(0.0, 1.0);
    // A partition with a hot key is cut in vain before it is joined block by block.
    let in_vain = if request.hot_keys.is_empty() { 0.0 } else { HOT_SHARE };
    build.rows * insert + probe.rows * lookup + over * (1.0 + in_vain) * (build.bytes + probe.bytes) * SPILL_NS_BYTE
}

/// A hash join with hot keys apart. `build` is sampled; a hot key that is known does not keep one
/// worker busy with a partition while the others wait.
pub(super) fn skew_aware(build: Size, probe: Size, request: &JoinRequest) -> f64 {
    hash(build, probe, &JoinRequest { hot_keys: Vec::new(), ..request.clone() }) + build.rows * SKETCH_NS
}

/// A sort of both sides and a merge.
pub(super) fn sort_merge(left: Size, right: Size, request: &JoinRequest) -> f64 {
    let rows = left.rows + right.rows;
    let sort = left.rows * left.rows.log2().max(1.0) + right.rows * right.rows.log2().max(1.0);
    let bytes = left.bytes + right.bytes;
    let over = (1.0 - request.memory_limit as f64 / bytes).clamp(0.0, 1.0);
    // The merge runs on one worker.
    sort * SORT_NS + rows * MERGE_NS * request.threads.max(1) as f64 + over * bytes * SPILL_NS_BYTE
}

/// Every row of one side against every row of the other.
pub(super) fn nested_loop(left: Size, right: Size) -> f64 {
    left.rows * right.rows * PAIR_NS
}
