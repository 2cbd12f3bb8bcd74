//! Which way to aggregate, and why not the others.
//!
//! Where the input can be taken apart so that no group lies in two parts ([`Parting`]), each part is
//! aggregated alone, in a table that fits the cache, and nothing has to be merged. Where the parts come
//! in key order, too, there is no table at all: a group ends where the next begins. Order is a claim
//! that the aggregation checks key by key; a part that breaks it goes on with a table.

use crate::exec::PlanRef;
use crate::expr::ExprRef;
use crate::layout::{Evidence, NullRows, Parting, zones};
use datafusion_common::ScalarValue;

/// A way to aggregate. Ties go by this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Ranges of the input in key order: each group ends where the next begins.
    Streaming,
    /// Ranges, buckets or partitions of the input that share no group are aggregated alone.
    PartitionWise,
    /// A hash table a task, then one a partition.
    Hash,
}

impl Strategy {
    /// The name EXPLAIN prints and settings take.
    pub fn name(self) -> &'static str {
        match self {
            Self::Streaming => "streaming",
            Self::PartitionWise => "partition_wise",
            Self::Hash => "hash",
        }
    }

    /// The strategy of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Streaming, Self::PartitionWise, Self::Hash].into_iter().find(|strategy| strategy.name() == name)
    }
}

/// Whether a strategy can do it.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It can.
    Fits {
        /// Estimated seconds of one worker.
        cost: f64,
        /// The facts it rests on, each with its evidence.
        uses: Vec<(String, Evidence)>,
    },
    /// It cannot.
    Rejected {
        /// Why, in words a user can act on.
        reason: String,
    },
}

/// What the choice is made from.
#[derive(Debug)]
pub struct AggregateRequest<'a> {
    /// The input with its layout and estimate.
    pub input: &'a PlanRef,
    /// The group keys.
    pub groups: &'a [ExprRef],
    /// Rows expected to come out.
    pub estimated_rows: f64,
    /// The strategy to use if it fits.
    pub preferred: Option<Strategy>,
    /// Workers.
    pub threads: usize,
}

/// The chosen strategy and every strategy's verdict.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is going to run.
    pub strategy: Strategy,
    /// One verdict a strategy, in the table's order.
    pub verdicts: Vec<(Strategy, Verdict)>,
    /// The parts, unless the input is aggregated as a whole: columns are the input's.
    pub parting: Option<Parting>,
}

/// Nanoseconds of a row's way through a table that fits the cache, and of one that does not and is met in
/// random order. Measured by `benches/layout/constants.py`, as all here that is; see `join/cost`.
const ROW_NS: (f64, f64) = (15.0, 190.0);
/// The same for a large table whose groups come range by range: near ones in memory. Measured on two threads.
const NEAR_ROW_NS: f64 = 57.0;
/// Nanoseconds of a row that continues a group or begins the next. Measured.
const ORDERED_ROW_NS: f64 = 16.0;
/// Nanoseconds of a row's way through the table of one part, new groups included. Measured.
const PART_ROW_NS: f64 = 20.0;
/// Setting up one part, ns: a table and its accumulators. Measured with parts of 20 rows.
const PART_NS: f64 = 13_000.0;
/// Checking the bucket of a row that was not checked before, ns. As in `join/parts`.
const CHECK_NS: f64 = 7.0;
/// Reading a row once more where a row group straddles a cut, ns. Measured: 3 to 5 ns a value.
const READ_ROW_NS: f64 = 8.0;
/// Groups whose table fits L2.
const GROUPS_CACHED: f64 = 32_768.0;
/// Rows may be read this many times on average. From the design.
const AMPLIFICATION_MAX: f64 = 1.2;

/// A way to take the input apart.
struct Apart {
    parting: Parting,
    facts: Vec<(String, Evidence)>,
    /// Each part comes in key order, as this source says.
    ordered: Option<(String, Evidence)>,
    largest: f64,
    extra_ns: f64,
}

/// Asks every strategy for its verdict and takes the cheapest that fits, or the preferred one.
pub fn choose(request: &AggregateRequest) -> Choice {
    let rows = request.input.info().estimated_rows;
    let apart = apart(request);
    let row_ns = match &apart {
        _ if request.estimated_rows <= GROUPS_CACHED => ROW_NS.0,
        Ok(Apart { parting: Parting::Ranges { .. }, .. }) => NEAR_ROW_NS,
        _ => ROW_NS.1,
    };
    let reject = |reason: &str| Verdict::Rejected { reason: reason.to_owned() };
    let part_cost = |apart: &Apart, row_ns: f64| {
        let uneven = (apart.largest * request.threads.max(1) as f64).max(1.0);
        (rows * row_ns * uneven + apart.parting.count() as f64 * PART_NS + apart.extra_ns) * 1e-9
    };
    let streaming = match &apart {
        Err(reason) => reject(reason),
        Ok(Apart { ordered: None, .. }) => reject("the input is not known to be in the order of the group keys"),
        Ok(_) if request.groups.len() > 1 => reject("there are several group keys"),
        Ok(apart) => {
            let uses = apart.facts.iter().chain(&apart.ordered).cloned().collect();
            Verdict::Fits { cost: part_cost(apart, ORDERED_ROW_NS), uses }
        }
    };
    let partition_wise = match &apart {
        Err(reason) => reject(reason),
        Ok(apart) => Verdict::Fits { cost: part_cost(apart, PART_ROW_NS), uses: apart.facts.clone() },
    };
    let hash = Verdict::Fits { cost: rows * row_ns * 1e-9, uses: Vec::new() };
    let verdicts = vec![(Strategy::Streaming, streaming), (Strategy::PartitionWise, partition_wise), (Strategy::Hash, hash)];
    let fitting = || {
        verdicts.iter().filter_map(|(strategy, verdict)| match verdict {
            Verdict::Fits { cost, .. } => Some((*strategy, *cost)),
            Verdict::Rejected { .. } => None,
        })
    };
    let preferred = fitting().map(|(strategy, _)| strategy).find(|strategy| Some(*strategy) == request.preferred);
    let cheapest = || fitting().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(Strategy::Hash, |(strategy, _)| strategy);
    let strategy = preferred.unwrap_or_else(cheapest);
    let parting = apart.ok().map(|apart| apart.parting).filter(|_| strategy != Strategy::Hash);
    Choice { strategy, verdicts, parting }
}

/// The best way to take the input apart so that each group lies in one part, or why there is none.
fn apart(request: &AggregateRequest) -> Result<Apart, String> {
    let columns: Vec<usize> = request.groups.iter().filter_map(|group| group.as_column()).collect();
    if request.groups.is_empty() {
        return Err("there is no group key".to_owned());
    }
    if columns.is_empty() {
        return Err("no group key is a plain column".to_owned());
    }
    let parts = &request.input.info().layout.parts;
    let mut reason = "the input is not read from files part by part".to_owned();
    if let Some(known) = &parts.partitions {
        let kept: Vec<usize> = (0..known.columns.len()).filter(|at| columns.contains(&known.columns[*at])).collect();
        let mut tuples: Vec<(Vec<ScalarValue>, u64)> = Vec::new();
        let mut found = std::collections::HashMap::new();
        for (values, rows) in known.values.iter() {
            let tuple: Vec<ScalarValue> = kept.iter().map(|at| values[*at].clone()).collect();
            let slot = *found.entry(tuple.clone()).or_insert_with(|| {
                tuples.push((tuple, 0));
                tuples.len() - 1
            });
            tuples[slot].1 += rows;
        }
        if !kept.is_empty() && tuples.len() > 1 {
            let total: u64 = tuples.iter().map(|(_, rows)| rows).sum();
            let largest = tuples.iter().map(|(_, rows)| *rows).max().unwrap_or(0) as f64 / total.max(1) as f64;
            let facts = vec![(format!("{} Hive partitions", tuples.len()), Evidence::FooterChecked)];
            let tuples = tuples.into_iter().map(|(tuple, _)| tuple).collect();
            let parting = Parting::Values { columns: kept.iter().map(|at| known.columns[*at]).collect(), tuples };
            return Ok(Apart { parting, facts, ordered: None, largest, extra_ns: 0.0 });
        }
    }
    if let Some(map) = &parts.zones {
        reason = "the group keys' types are not cut into ranges".to_owned();
        for &column in &columns {
            let Some(found) = map.zones(column) else { continue };
            let cutting = match zones::cut(&[&found], request.threads) {
                Ok(cutting) if cutting.amplification <= AMPLIFICATION_MAX => cutting,
                Ok(cutting) => {
                    reason = format!("cut into ranges, rows would be read {:.1} times", cutting.amplification);
                    continue;
                }
                Err(words) => {
                    reason = words;
                    continue;
                }
            };
            let count = cutting.cuts.len() + 1;
            let facts = vec![(format!("{count} ranges of {} row groups", found.zones.len()), Evidence::FooterChecked)];
            let extra_ns = (cutting.amplification - 1.0) * request.input.info().estimated_rows * READ_ROW_NS;
            let parting = Parting::Ranges { column, cuts: cutting.cuts.into(), nulls: NullRows::First };
            let ordered = map.sorted(column).map(|(evidence, source)| (format!("in key order: {source}"), evidence));
            return Ok(Apart { parting, facts, ordered, largest: cutting.largest, extra_ns });
        }
    }
    if let Some(buckets) = &parts.buckets
        && buckets.count > 1
    {
        if !buckets.columns.iter().all(|column| columns.contains(column)) {
            return Err("not all bucket columns are group keys".to_owned());
        }
        let fact = format!("{} buckets by {}, checked before", buckets.count, buckets.hash.name());
        let parting =
            Parting::Buckets { columns: buckets.columns.clone(), count: buckets.count, hash: buckets.hash, inline: false };
        let extra_ns = request.input.info().estimated_rows * CHECK_NS;
        let largest = 1.0 / f64::from(buckets.count);
        return Ok(Apart { parting, facts: vec![(fact, buckets.evidence)], ordered: None, largest, extra_ns });
    }
    Err(reason)
}

impl Choice {
    /// One line a strategy, for EXPLAIN.
    pub fn lines(&self) -> Vec<String> {
        let line = |(strategy, verdict): &(Strategy, Verdict)| match verdict {
            Verdict::Fits { cost, uses } => {
                let facts: Vec<String> = uses.iter().map(|(fact, evidence)| format!("; {fact} ({evidence:?})")).collect();
                let mark = if *strategy == self.strategy { "chosen " } else { "" };
                format!("{mark}{}: fits, cost {:.3} ms{}", strategy.name(), cost * 1e3, facts.concat())
            }
            Verdict::Rejected { reason } => format!("{}: rejected, {reason}", strategy.name()),
        };
        self.verdicts.iter().map(line).collect()
    }
}
