//! What a join is expected to cost: nanoseconds of one core, on one screen.
//!
//! "Measured" is by `benches/layout/constants.py`, CPU time on a virtual Xeon of 2023 with 2 MiB of L2 a core
//! and an L3 that neighbours share; figures of one kind of table differed by a quarter from run to run. Only
//! their ratios matter for the choice.

use super::JoinRequest;
use crate::exec::PlanRef;
use arrow::datatypes::DataType;

/// Tables below this many bytes are probed from L2. From the machine's size, less what streams past.
const L2_BYTES: f64 = 1.5e6;
/// Tables below this many bytes are probed from L3. Guessed: a share of one that others use, too.
const L3_BYTES: f64 = 24e6;
/// Bytes of hash table a build row takes besides its columns: key, row number, directory. Computed.
const TABLE_BYTES_ROW: f64 = 24.0;
/// Collecting and inserting a build row, and looking a probe row up and putting its pair together, ns, in
/// L2, L3 and memory, where the key is one integer: tables are then arrays as a rule. Measured.
const INTEGER_NS: [(f64, f64); 3] = [(60.0, 10.0), (60.0, 50.0), (110.0, 70.0)];
/// The same where keys are hashed. Measured.
const HASHED_NS: [(f64, f64); 3] = [(110.0, 40.0), (110.0, 130.0), (190.0, 150.0)];
/// Writing and reading back one byte of what does not fit, ns. Measured: 0.9 and 1.8 at two limits.
const SPILL_NS_BYTE: f64 = 1.4;
/// One level of a sort, ns a row: what rows cost beyond a merge, over the logarithm of their number. Measured.
pub(super) const SORT_NS: f64 = 4.7;
/// Share of the rows that a key known as hot is taken to have. Guessed.
const HOT_SHARE: f64 = 0.1;
/// Looking at a sample of the build rows' keys, ns a build row: a 64th of them is hashed and counted. Guessed,
/// as it is below what a measurement tells apart.
const SKETCH_NS: f64 = 1.0;
/// Merging one sorted row, ns: keys are encoded, compared, and pairs put together. Measured.
pub(super) const MERGE_NS: f64 = 46.0;
/// One pair of a nested loop with a condition on two numbers, ns. Measured.
const PAIR_NS: f64 = 10.0;

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

/// A hash join that builds `build` and streams `probe`: what the build side costs, and the probe side.
///
/// Where both sides come in key order (`ordered`), a lookup finds what the one before it brought into
/// the nearest cache, however large the table: a merge of such parts takes 46 ns a row, this 30.
pub(super) fn hash_sides(build: Size, probe: Size, request: &JoinRequest, ordered: bool) -> (f64, f64) {
    let touched = if ordered { 0.0 } else { build.rows * TABLE_BYTES_ROW };
    let level = [L2_BYTES, L3_BYTES].iter().filter(|bytes| touched >= **bytes).count();
    let (insert, lookup) = if has_integer_key(request) { INTEGER_NS[level] } else { HASHED_NS[level] };
    // The share of both sides that does not fit goes to disk and comes back.
    let over = (1.0 - request.memory_limit as f64 / build.table_bytes()).clamp(0.0, 1.0);
    // A partition with a hot key is cut in vain before it is joined block by block.
    let in_vain = if request.hot_keys.is_empty() { 0.0 } else { HOT_SHARE };
    let spilled = |side: Size| over * (1.0 + in_vain) * side.bytes * SPILL_NS_BYTE;
    (build.rows * insert + spilled(build), probe.rows * lookup + spilled(probe))
}

/// The same, both sides together.
pub(super) fn hash(build: Size, probe: Size, request: &JoinRequest) -> f64 {
    let (build, probe) = hash_sides(build, probe, request, false);
    build + probe
}

fn has_integer_key(request: &JoinRequest) -> bool {
    let integer = |data_type: &DataType| data_type.is_integer() || data_type.is_temporal();
    request.keys.len() == 1 && request.keys.iter().all(|key| integer(key.left.data_type()))
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
