//! Joins part by part: co-partitioned inputs are joined with no exchange between the parts.
//!
//! ```text
//!   left   [part 0][part 1][part 2]        both inputs in the same parts: ranges of a key, buckets,
//!             │       │       │            Hive partitions
//!             ⋈       ⋈       ⋈            each part a region of its own, on whichever worker is free
//!             │       │       │
//!   right  [part 0][part 1][part 2]
//! ```
//!
//! [`find`] looks for a way to take both inputs apart so that rows with equal keys meet; [`verdict`]
//! says what it would cost; [`PartJoinNode`] runs a hash join or a merge join in each part. A part's
//! table is small enough for the cache, and its runtime filter is exact for its row groups. Bounds and
//! partition directories are trusted; buckets are checked. An inner join does so while it reads: stray rows
//! are put aside and joined when the parts are done. Joins that put out rows for want of a match need
//! to know before ([`crate::exec::PartSource::refuted`]), and when the buckets are not what they claim
//! the whole join is one part. NULL keys: see
//! [`NullRows`](crate::layout::NullRows).

mod node;

pub(super) use node::PartJoinNode;

use super::choose::{Fact, Strategy, Verdict};
use super::cost::{self, Size};
use super::{JoinKey, JoinKind, JoinRequest};
use crate::layout::{Buckets, Evidence, NullRows, Parting, Partitions, zones};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

/// Rows may be read this many times on average. From the design.
const AMPLIFICATION_MAX: f64 = 1.2;
/// Setting up one part, ns: pipelines and tables of a hash join. Measured with parts of 20 rows.
const PART_NS: f64 = 27_000.0;
/// Reading and checking the bucket columns, ns a row, when it was not done before: decoding a column and
/// hashing it. Guessed: the next, and the 3 ns measured for decoding a value.
const CHECK_NS: f64 = 7.0;
/// Hashing the bucket columns of a row that is read anyway, ns. Guessed: Murmur3 of one integer, and its
/// remainder; `benches/layout/constants.py` cannot tell it from what a process costs to start.
const HASH_NS: f64 = 4.0;
/// Reading a byte of columns once more where a row group straddles a cut, ns. Measured: 3 to 5 ns a value.
const READ_NS_BYTE: f64 = 0.5;

/// A way to take both inputs apart.
#[derive(Debug, Clone)]
pub(super) struct PartPlan {
    pub(super) left: Parting,
    pub(super) right: Parting,
    /// What it rests on, in words.
    pub(super) facts: Vec<Fact>,
    /// In words, for the join's own line.
    pub(super) summary: String,
    amplification: f64,
    /// The largest part's share of the rows.
    largest: f64,
    /// Checking the rows' buckets, ns.
    check_ns: f64,
    /// By ranges: both inputs' row groups are said to be in order of the key.
    pub(super) sorted: bool,
}

/// The best way to take both inputs of the join apart, or why there is none, in words.
pub(super) fn find(request: &JoinRequest) -> Result<PartPlan, String> {
    if request.null_aware {
        return Err("NOT IN must know of NULLs in all parts".to_owned());
    }
    let columns: Vec<(usize, usize, &JoinKey)> = request
        .keys
        .iter()
        .filter_map(|key| Some((key.left.as_column()?, key.right.as_column()?, key)))
        .filter(|(_, _, key)| same_values(key.left.data_type(), key.right.data_type()))
        .collect();
    if columns.is_empty() {
        return Err("no key is a plain column of the same type on both sides".to_owned());
    }
    let ways = [by_partitions(request, &columns), by_ranges(request, &columns), by_buckets(request, &columns)];
    let mut reasons = Vec::new();
    let mut best: Option<PartPlan> = None;
    for way in ways {
        match way {
            // What divides the work most evenly; earlier ways rest on surer facts.
            Ok(plan) if best.as_ref().is_none_or(|best| plan.unevenness(request) < best.unevenness(request)) => best = Some(plan),
            Ok(_) => {}
            Err(reason) => reasons.push(reason),
        }
    }
    reasons.dedup();
    best.ok_or_else(|| reasons.join("; "))
}

impl PartPlan {
    /// How many times longer the largest part keeps the workers than an even share would.
    fn unevenness(&self, request: &JoinRequest) -> f64 {
        (self.largest * request.threads.max(1) as f64).max(1.0)
    }
}

/// Whether equal values of both types are held alike.
fn same_values(left: &DataType, right: &DataType) -> bool {
    match (left, right) {
        (DataType::Decimal128(_, left), DataType::Decimal128(_, right)) => left == right,
        _ => left == right,
    }
}

fn by_ranges(request: &JoinRequest, columns: &[(usize, usize, &JoinKey)]) -> Result<PartPlan, String> {
    let (left, right) = (&request.left.info().layout.parts, &request.right.info().layout.parts);
    let (Some(left_map), Some(right_map)) = (&left.zones, &right.zones) else {
        let side = if left.zones.is_none() { "left" } else { "right" };
        return Err(format!("the {side} side is not read from files part by part"));
    };
    let mut best: Option<PartPlan> = None;
    let mut reason = "the keys' types are not cut into ranges".to_owned();
    for &(left_column, right_column, key) in columns {
        let (Some(left_zones), Some(right_zones)) = (left_map.zones(left_column), right_map.zones(right_column)) else {
            continue;
        };
        let cutting = match zones::cut(&[&left_zones, &right_zones], request.threads) {
            Ok(cutting) => cutting,
            Err(words) => {
                reason = words;
                continue;
            }
        };
        if cutting.amplification > AMPLIFICATION_MAX {
            reason = format!("cut by {}, rows would be read {:.1} times", key.left.describe(), cutting.amplification);
            continue;
        }
        if best.as_ref().is_some_and(|best| best.left.count() > cutting.cuts.len()) {
            continue;
        }
        let cuts: std::sync::Arc<[_]> = cutting.cuts.into();
        let nulls = if key.null_equals { NullRows::First } else { NullRows::Anywhere };
        let zone_fact = |side: &str, zones: &zones::ColumnZones, name: String| Fact {
            text: format!("{side} has bounds of {name} in {} row groups", zones.zones.len()),
            evidence: Evidence::FooterChecked,
        };
        let mut facts =
            vec![zone_fact("left", &left_zones, key.left.describe()), zone_fact("right", &right_zones, key.right.describe())];
        if cutting.straddling > 0 {
            let text =
                format!("{} row groups straddle cuts: rows are read {:.2} times", cutting.straddling, cutting.amplification);
            facts.push(Fact { text, evidence: Evidence::FooterChecked });
        }
        let orders = [("left", left_map.sorted(left_column)), ("right", right_map.sorted(right_column))];
        let sorted = orders.iter().all(|(_, order)| order.is_some());
        for (side, order) in orders {
            if let Some((evidence, source)) = order {
                facts.push(Fact { text: format!("{side} is in key order: {source}"), evidence });
            }
        }
        best = Some(PartPlan {
            summary: format!("{} ranges of {}", cuts.len() + 1, key.left.describe()),
            left: Parting::Ranges { column: left_column, cuts: cuts.clone(), nulls },
            right: Parting::Ranges { column: right_column, cuts, nulls },
            facts,
            amplification: cutting.amplification,
            largest: cutting.largest,
            check_ns: 0.0,
            sorted,
        });
    }
    best.ok_or(reason)
}

fn by_buckets(request: &JoinRequest, columns: &[(usize, usize, &JoinKey)]) -> Result<PartPlan, String> {
    let (left, right) = (&request.left.info().layout.parts, &request.right.info().layout.parts);
    let (Some(left), Some(right)) = (&left.buckets, &right.buckets) else {
        let side = if left.buckets.is_none() { "left" } else { "right" };
        return Err(format!("the {side} side is not known to be bucketed"));
    };
    if left.hash != right.hash {
        return Err(format!("left is bucketed by {}, right by {}", left.hash.name(), right.hash.name()));
    }
    let (fewer, more) = (left.count.min(right.count), left.count.max(right.count));
    if !more.is_multiple_of(fewer) {
        return Err(format!("bucket counts {} and {} do not divide one another", left.count, right.count));
    }
    let paired = left.columns.len() == right.columns.len()
        && left.columns.iter().zip(&right.columns).all(|(l, r)| columns.iter().any(|(left, right, _)| left == l && right == r));
    if !paired {
        return Err("the bucket columns of both sides are not joined with one another".to_owned());
    }
    if fewer < 2 {
        return Err("there is one bucket only".to_owned());
    }
    // A join that puts out nothing for want of a match can take stray rows later.
    let inline = request.kind == JoinKind::Inner;
    let checked = if inline { "while they are read" } else { "before" };
    let fact = |side: &str, buckets: &Buckets| Fact {
        text: format!("{side} has {} buckets by {}, checked {checked}", buckets.count, buckets.hash.name()),
        evidence: buckets.evidence,
    };
    let side =
        |buckets: &Buckets| Parting::Buckets { columns: buckets.columns.clone(), count: fewer, hash: buckets.hash, inline };
    let rows = request.left.info().estimated_rows + request.right.info().estimated_rows;
    Ok(PartPlan {
        summary: format!("{fewer} buckets"),
        left: side(left),
        right: side(right),
        facts: vec![fact("left", left), fact("right", right)],
        amplification: 1.0,
        largest: 1.0 / f64::from(fewer),
        check_ns: rows * if inline { HASH_NS } else { CHECK_NS },
        sorted: false,
    })
}

fn by_partitions(request: &JoinRequest, columns: &[(usize, usize, &JoinKey)]) -> Result<PartPlan, String> {
    let (left, right) = (&request.left.info().layout.parts, &request.right.info().layout.parts);
    let (Some(left), Some(right)) = (&left.partitions, &right.partitions) else {
        let side = if left.partitions.is_none() { "left" } else { "right" };
        return Err(format!("the {side} side is not partitioned by Hive directories"));
    };
    let pairs: Vec<(usize, usize)> = columns
        .iter()
        .filter_map(|(l, r, _)| {
            let at = |known: &Partitions, column: &usize| known.columns.iter().position(|known| known == column);
            at(left, l).zip(at(right, r))
        })
        .collect();
    if pairs.is_empty() {
        return Err("no partition columns are joined with one another".to_owned());
    }
    let mut tuples: Vec<(Vec<ScalarValue>, u64)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    let left_at: Vec<usize> = pairs.iter().map(|(left, _)| *left).collect();
    let right_at: Vec<usize> = pairs.iter().map(|(_, right)| *right).collect();
    for (side, at) in [(left, &left_at), (right, &right_at)] {
        for (values, rows) in side.values.iter() {
            let tuple: Vec<ScalarValue> = at.iter().map(|at| values[*at].clone()).collect();
            let slot = *known.entry(tuple.clone()).or_insert_with(|| {
                tuples.push((tuple, 0));
                tuples.len() - 1
            });
            tuples[slot].1 += rows;
        }
    }
    if tuples.len() < 2 {
        return Err("there is one Hive partition only".to_owned());
    }
    let total: u64 = tuples.iter().map(|(_, rows)| rows).sum();
    let largest = tuples.iter().map(|(_, rows)| *rows).max().unwrap_or(0) as f64 / total.max(1) as f64;
    let tuples: std::sync::Arc<[Vec<ScalarValue>]> = tuples.into_iter().map(|(tuple, _)| tuple).collect();
    let text = |side: &str, known: &Partitions| format!("{side} has {} Hive partitions", known.values.len());
    let fact = |side: &str, known: &Partitions| Fact { text: text(side, known), evidence: Evidence::FooterChecked };
    let parting = |known: &Partitions, at: &[usize]| Parting::Values {
        columns: at.iter().map(|at| known.columns[*at]).collect(),
        tuples: tuples.clone(),
    };
    Ok(PartPlan {
        summary: format!("{} Hive partitions", tuples.len()),
        left: parting(left, &left_at),
        right: parting(right, &right_at),
        facts: vec![fact("left", left), fact("right", right)],
        amplification: 1.0,
        largest,
        check_ns: 0.0,
        sorted: false,
    })
}

/// What the strategy says to the join part by part; none where it has to be run as a whole.
pub(super) fn verdict(strategy: Strategy, request: &JoinRequest, build: Size, probe: Size) -> Option<Verdict> {
    let plan = plan_for(strategy, request)?;
    let parts = plan.left.count() as f64;
    let share = |size: Size| Size { rows: size.rows / parts, bytes: size.bytes / parts };
    let rows = build.rows + probe.rows;
    // A part is built or sorted by one worker: the largest one may keep the others waiting. Its probe rows
    // are shared.
    let uneven = plan.unevenness(request);
    let work = match strategy {
        Strategy::SortMerge => {
            let sorted = |rows: f64| rows * (rows / parts).log2().max(1.0) * cost::SORT_NS;
            let sort = if plan.sorted { 0.0 } else { sorted(build.rows) + sorted(probe.rows) };
            (rows * cost::MERGE_NS + sort) * uneven
        }
        _ => {
            let (build, probe) = cost::hash_sides(share(build), share(probe), request, plan.sorted);
            (build * uneven + probe) * parts
        }
    };
    let again = (plan.amplification - 1.0) * (build.bytes + probe.bytes) * READ_NS_BYTE;
    let cost = work + again + parts * PART_NS + plan.check_ns;
    let by = Fact { text: format!("part by part: {}", plan.summary), evidence: plan.facts.iter().map(|f| f.evidence).min()? };
    let uses = std::iter::once(by).chain(plan.facts).collect();
    Some(Verdict::Fits { cost, uses })
}

/// The parts that a strategy would run the join in.
pub(super) fn plan_for(strategy: Strategy, request: &JoinRequest) -> Option<PartPlan> {
    match strategy {
        Strategy::PartitionedHash => find(request).ok(),
        // A merge by ranges needs little memory even where the row groups have to be sorted.
        Strategy::SortMerge => find(request).ok().filter(|plan| matches!(plan.left, Parting::Ranges { .. })),
        Strategy::BroadcastHash | Strategy::SkewAware | Strategy::NestedLoop => None,
    }
}
