//! The machinery of joins that collect one side and stream the other past it.
//!
//! ```text
//!   build input ──> BuildSink ── fits ──> Block: columns + table ─────┐
//!                      └─ too large: some partitions ──> files        │
//!                                                          ┊          v
//!   probe input ───────────────────────> ProbeTask: rows of those ──> Matching ──> chunks
//!                                        partitions ──> files         (row, match offset)
//!                                                          ┊
//!   when the probe input is drained:   Leftovers: unmatched build rows; each spilled partition:
//!                                      build and probe file -> Block, Matching, once more
//! ```
//!
//! - [`Joint`]: what all parts of one running join share.
//! - `block`: the collected side in memory. `hot`: keys with many rows. `partition`: a spilled one.
//!   `matching`: one probe chunk against it, resumable.
//! - `build`: the sink. `probe`: the operator. `leftovers`: what comes after. `spill`: files.

mod block;
mod build;
mod cut;
mod hot;
mod leftovers;
mod matching;
mod partition;
mod probe;
mod spill;

pub(super) use block::{Block, CrossKeys, concat, own_views};
pub(super) use leftovers::Unmatched;
pub(super) use matching::{Input, Matching};

use super::assemble::Assembler;
use super::cost::Size;
use super::keys::{self, KeySide};
use super::shape::{Keep, Shape};
use super::{Choice, JoinRequest, RuntimeFilter, Strategy};
use crate::column::storage_schema;
use crate::error::Result;
use crate::exec::{Counter, NodeInfo, OperatorMetrics, PipelineBuilder, PlanNode, PlanRef, Stream, Unit};
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use spill::PartitionFiles;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// How build rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// By the hash of the keys.
    Hash,
    /// All of them, for every probe row.
    Cross,
}

/// One input of a running join.
#[derive(Clone)]
pub(super) struct Side {
    /// What the table is made of and looked up by; no keys for [`Method::Cross`].
    pub(super) keys: KeySide,
    /// For [`Method::Cross`]: keys that a pair must have equal.
    pub(super) strict: Option<KeySide>,
    /// For [`Method::Cross`]: the key of NOT IN.
    pub(super) aware: Option<KeySide>,
    /// SQL types.
    pub(super) schema: SchemaRef,
}

/// What all parts of one running join share.
pub(super) struct Joint {
    pub(super) assembler: Assembler,
    pub(super) method: Method,
    pub(super) build: Side,
    pub(super) probe: Side,
    filters: Vec<(usize, Arc<RuntimeFilter>)>,
    pub(super) metrics: Arc<OperatorMetrics>,
    pub(super) counters: Counters,
    /// Partitions that a side is cut into by hash when it spills: a power of two, at most 32. After
    /// them in all that counts partitions come the hot keys', then that of the NULL keys.
    partitions: usize,
    hot: hot::Hot,
    /// One bit for every partition that went to disk.
    spilled: AtomicU64,
    build_files: PartitionFiles,
    probe_files: PartitionFiles,
    /// What is in memory: none before it is built, and after nobody needs it any more.
    block: Mutex<Option<Arc<Block>>>,
    collected: Mutex<build::Collected>,
    /// What the planner expected of the build side.
    expected: Size,
    /// Whether that was more than memory holds.
    expected_to_spill: bool,
    /// Bytes collected so far, while more can go to disk.
    collecting: AtomicUsize,
    leftovers: Mutex<Option<leftovers::Todo>>,
    /// The same join with build and probe in each other's place, for partitions that want it.
    reversed: OnceLock<Arc<Joint>>,
    /// NOT IN: what either side was seen to have.
    pub(super) seen: Seen,
}

#[derive(Clone)]
pub(super) struct Counters {
    pub(super) build_rows: Counter,
    pub(super) probe_rows: Counter,
    partitions_spilled: Counter,
    table_bytes: Counter,
    hot_keys: Counter,
    hot_rows: Counter,
    slices: Counter,
    cut_again: Counter,
    handed_over: Counter,
}

/// Facts of whole inputs that NOT IN depends on.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) build_rows: AtomicBool,
    pub(super) build_null: AtomicBool,
    pub(super) probe_rows: AtomicBool,
    pub(super) probe_null: AtomicBool,
}

impl Joint {
    /// The state of one run. `ordered`: keys whose encodings compare as the values do.
    pub(super) fn new(
        request: &JoinRequest,
        method: Method,
        build_left: bool,
        partitions: usize,
        ordered: bool,
        metrics: Arc<OperatorMetrics>,
    ) -> Result<Self> {
        let shape = Shape::new(request.kind, build_left, request.null_aware);
        let order = |(left, right)| if build_left { (left, right) } else { (right, left) };
        let cross = method == Method::Cross;
        let aware_keys = usize::from(cross && request.null_aware && !request.keys.is_empty());
        let hashed = if cross { &[] } else { request.keys.as_slice() };
        let sides = if ordered { keys::sorted_key_sides(hashed)? } else { keys::key_sides(hashed)? };
        let (build_keys, probe_keys) = order(sides);
        let pair = |keys: &[super::JoinKey]| -> Result<(Option<KeySide>, Option<KeySide>)> {
            if !cross || keys.is_empty() {
                return Ok((None, None));
            }
            let (build, probe) = order(keys::key_sides(keys)?);
            Ok((Some(build), Some(probe)))
        };
        let (build_aware, probe_aware) = pair(&request.keys[..aware_keys])?;
        let (build_strict, probe_strict) = pair(&request.keys[aware_keys..])?;
        let (left, right) = (request.left.schema(), request.right.schema());
        let assembler = Assembler::new(shape, request.residual.clone(), left, right);
        let (build_schema, probe_schema) = if build_left { (left, right) } else { (right, left) };
        let filters = if build_left { &request.right_filters } else { &request.left_filters };
        let usable = |key: usize| !cross && shape.drops_probe() && request.keys.get(key).is_some_and(|key| !key.null_equals);
        let partitions = if cross { 1 } else { partitions };
        let expected = Size::of(if build_left { &request.left } else { &request.right });
        let hot = hot::Hot::new(if cross { &[] } else { &request.hot_keys }, &build_keys)?;
        Ok(Self {
            assembler,
            method,
            build: Side { keys: build_keys, strict: build_strict, aware: build_aware, schema: build_schema.clone() },
            probe: Side { keys: probe_keys, strict: probe_strict, aware: probe_aware, schema: probe_schema.clone() },
            filters: filters.iter().filter(|(key, _)| usable(*key)).cloned().collect(),
            counters: Counters {
                build_rows: metrics.counter("build rows", Unit::Count),
                probe_rows: metrics.counter("probe rows", Unit::Count),
                partitions_spilled: metrics.counter("partitions spilled", Unit::Count),
                table_bytes: metrics.counter("table bytes", Unit::Bytes),
                hot_keys: metrics.counter("hot keys", Unit::Count),
                hot_rows: metrics.counter("hot build rows", Unit::Count),
                slices: metrics.counter("slices", Unit::Count),
                cut_again: metrics.counter("partitions cut again", Unit::Count),
                handed_over: metrics.counter("remainders handed over", Unit::Count),
            },
            metrics,
            hot,
            partitions,
            spilled: AtomicU64::new(0),
            build_files: PartitionFiles::new(storage_schema(build_schema), partitions + hot::APART),
            probe_files: PartitionFiles::new(storage_schema(probe_schema), partitions + hot::APART),
            block: Mutex::default(),
            collected: Mutex::default(),
            expected,
            expected_to_spill: expected.table_bytes() > request.memory_limit as f64,
            collecting: AtomicUsize::new(0),
            leftovers: Mutex::default(),
            reversed: OnceLock::new(),
            seen: Seen::default(),
        })
    }

    /// The same join with build and probe in each other's place. To be asked when both inputs are
    /// drained: what NOT IN depends on is copied.
    fn reversed(&self) -> Arc<Self> {
        let copy = || {
            let flag = |seen: &AtomicBool| AtomicBool::new(seen.load(Ordering::Relaxed));
            let seen = Seen {
                build_rows: flag(&self.seen.probe_rows),
                build_null: flag(&self.seen.probe_null),
                probe_rows: flag(&self.seen.build_rows),
                probe_null: flag(&self.seen.build_null),
            };
            Arc::new(Self {
                assembler: self.assembler.reversed(),
                method: self.method,
                build: self.probe.clone(),
                probe: self.build.clone(),
                filters: Vec::new(),
                metrics: self.metrics.clone(),
                counters: self.counters.clone(),
                hot: hot::Hot::default(),
                partitions: self.partitions,
                spilled: AtomicU64::new(0),
                build_files: PartitionFiles::new(storage_schema(&self.probe.schema), 0),
                probe_files: PartitionFiles::new(storage_schema(&self.build.schema), 0),
                block: Mutex::default(),
                collected: Mutex::default(),
                expected: self.expected,
                expected_to_spill: true,
                collecting: AtomicUsize::new(0),
                leftovers: Mutex::default(),
                reversed: OnceLock::new(),
                seen,
            })
        };
        self.reversed.get_or_init(copy).clone()
    }

    /// Whether a pair found by the table must pass a further test.
    pub(super) fn tests_pairs(&self) -> bool {
        self.assembler.residual.is_some() || self.build.strict.is_some() || self.build.aware.is_some()
    }

    /// Whether build rows must know if they matched.
    pub(super) fn tracks_build(&self) -> bool {
        self.assembler.shape.build != Keep::None
    }

    /// The partition, among those of `level`, of a hash. Levels take six bits each from below; the
    /// table takes its bits from above.
    fn partition(hash: u64, level: u32, partitions: usize) -> usize {
        (hash >> (6 * level)) as usize & (partitions - 1)
    }

    fn spilled_mask(&self) -> u64 {
        self.spilled.load(Ordering::Acquire)
    }

    /// For a probe row whose key is NULL (`null_key`) and that has no match: whether the outcome is
    /// unknown.
    fn probe_unknown(&self, null_key: bool) -> bool {
        let built = self.seen.build_rows.load(Ordering::Relaxed);
        built && (null_key || self.seen.build_null.load(Ordering::Relaxed))
    }

    /// The same for a build row, once all probe rows are known.
    fn build_unknown(&self, null_key: bool) -> bool {
        let probed = self.seen.probe_rows.load(Ordering::Relaxed);
        probed && (null_key || self.seen.probe_null.load(Ordering::Relaxed))
    }
}

/// The plan node of every such join.
#[derive(Debug)]
pub(super) struct BuildProbeNode {
    info: NodeInfo,
    name: &'static str,
    method: Method,
    strategy: Strategy,
    request: JoinRequest,
    build_left: bool,
    partitions: usize,
    lines: Vec<String>,
}

impl BuildProbeNode {
    pub(super) fn new(
        name: &'static str,
        method: Method,
        request: JoinRequest,
        choice: &Choice,
        partitions: usize,
    ) -> Result<Self> {
        // Types are checked while planning, not while running.
        keys::sorted_key_sides(&request.keys)?;
        let info = NodeInfo::new(request.schema.clone(), request.estimated_rows);
        let (build_left, lines) = (choice.build_left, choice.lines());
        let partitions = partitions.next_power_of_two().clamp(1, 32);
        let strategy = choice.strategy;
        Ok(Self { info, name, method, strategy, request, build_left, partitions, lines })
    }
}

impl BuildProbeNode {
    /// The same as one part of a join, which counts for the join's own node.
    pub(super) fn of_part(mut self, metrics: &Arc<OperatorMetrics>) -> Self {
        self.info.metrics = metrics.clone();
        self
    }
}

/// The line that EXPLAIN prints after the name of a join.
pub(super) fn summary(request: &JoinRequest) -> String {
    let mut text = request.kind.name().to_owned();
    if request.null_aware {
        text += " (null-aware)";
    }
    for (at, key) in request.keys.iter().enumerate() {
        let operator = if key.null_equals { "<=>" } else { "=" };
        text += if at == 0 { " on " } else { " and " };
        text += &format!("{} {operator} {}", key.left.describe(), key.right.describe());
    }
    if let Some(residual) = &request.residual {
        text += if request.keys.is_empty() { " on " } else { " and " };
        text += &residual.describe();
    }
    text
}

impl PlanNode for BuildProbeNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> String {
        format!("{}, build {}", summary(&self.request), if self.build_left { "left" } else { "right" })
    }

    fn details(&self) -> Vec<String> {
        self.lines.clone()
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.request.left, &self.request.right]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let metrics = &self.info.metrics;
        let partitions = self.partitions;
        let mut joint = Joint::new(&self.request, self.method, self.build_left, partitions, false, metrics.clone())?;
        joint.hot.expect(self.strategy == Strategy::SkewAware);
        let joint = Arc::new(joint);
        let (left, right) = (&self.request.left, &self.request.right);
        let (build, probe) = if self.build_left { (left, right) } else { (right, left) };
        let built = build.build(builder)?;
        let done = builder.end(built, Arc::new(build::BuildSink::new(joint.clone())), metrics);
        // With runtime filters nothing of the probe side starts before they are there, not even the
        // pipelines below its breakers: an aggregation under the probe reads filtered rows, too.
        let probed = match joint.filters.is_empty() {
            true => probe.build(builder)?.after(done),
            false => builder.with_gate(&[done], |builder| probe.build(builder))?,
        };
        let stream = probed.then(Arc::new(probe::Probe::new(joint.clone())), metrics);
        Ok(stream.followed_by(builder, Stream::new(Arc::new(leftovers::Leftovers::new(joint)), metrics).after(done)))
    }
}
