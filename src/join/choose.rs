//! Which strategy a join gets, and why the others do not.

use super::cost::{self, Size};
use super::{HotKey, JoinRequest, keys};
use crate::error::{Error, Result};
use crate::layout::Evidence;
use std::fmt;

/// The ways to run a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// One side in a shared table, the other streams past.
    BroadcastHash,
    /// Both sides cut by key hash, partitions spill one by one.
    PartitionedHash,
    /// Both sides sorted, then merged.
    SortMerge,
    /// Hot keys apart from the rest.
    SkewAware,
    /// Every pair.
    NestedLoop,
}

impl Strategy {
    /// All strategies in the order that ties go by: the plainest first, the one that serves
    /// everything last. Broadcast stands before partitioned because it turns into it when the build
    /// side does not fit.
    pub const ALL: [Strategy; 5] =
        [Self::BroadcastHash, Self::PartitionedHash, Self::SortMerge, Self::SkewAware, Self::NestedLoop];

    /// The name in settings and EXPLAIN.
    pub fn name(self) -> &'static str {
        match self {
            Self::BroadcastHash => "broadcast_hash",
            Self::PartitionedHash => "partitioned_hash",
            Self::SortMerge => "sort_merge",
            Self::SkewAware => "skew_aware",
            Self::NestedLoop => "nested_loop",
        }
    }

    /// The strategy of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name().eq_ignore_ascii_case(name))
    }
}

/// A fact that a verdict rests on, and how surely it is known.
#[derive(Debug, Clone)]
pub struct Fact {
    /// In words.
    pub text: String,
    /// How surely.
    pub evidence: Evidence,
}

/// What a strategy says to a join.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It can do it.
    Fits {
        /// Expected time, nanoseconds of one core.
        cost: f64,
        /// What the cost rests on.
        uses: Vec<Fact>,
    },
    /// It cannot.
    Rejected {
        /// Why, in words a user can act on.
        reason: String,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits { cost, uses } => {
                write!(f, "cost {:.3} ms", cost / 1e6)?;
                for fact in uses {
                    write!(f, "; {} ({:?})", fact.text, fact.evidence)?;
                }
                Ok(())
            }
            Self::Rejected { reason } => write!(f, "rejected: {reason}"),
        }
    }
}

/// The strategy taken and what all of them said.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The one taken.
    pub strategy: Strategy,
    /// Whether the left side is collected (hash and nested loop).
    pub build_left: bool,
    /// Every strategy's verdict, in the table's order.
    pub verdicts: Vec<(Strategy, Verdict)>,
    /// Who asked for the strategy: a hint or a setting.
    pub asked_by: Option<String>,
    /// Why a hint could not be followed.
    pub warning: Option<String>,
}

impl Choice {
    /// One line a strategy for EXPLAIN.
    pub fn lines(&self) -> Vec<String> {
        let line = |(strategy, verdict): &(Strategy, Verdict)| {
            let mark = if *strategy == self.strategy { "chosen " } else { "" };
            format!("{mark}{}: {verdict}", strategy.name())
        };
        let asked = self.asked_by.iter().map(|by| format!("asked for by {by}"));
        let warning = self.warning.iter().map(|warning| format!("warning: {warning}"));
        asked.chain(warning).chain(self.verdicts.iter().map(line)).collect()
    }
}

/// Asks every strategy and takes the one that a hint asks for, or the forced one, or the cheapest.
///
/// # Errors
/// When the forced strategy rejects the join, or none fits.
pub fn choose(request: &JoinRequest) -> Result<Choice> {
    let smaller_left = builds_left(request);
    let verdicts = |wanted: Option<Strategy>, build_left: bool| -> Vec<(Strategy, Verdict)> {
        Strategy::ALL.into_iter().map(|strategy| (strategy, verdict(strategy, request, build_left, wanted))).collect()
    };
    let refusal = |verdicts: &[(Strategy, Verdict)], wanted: Strategy| match verdicts.iter().find(|(known, _)| *known == wanted) {
        Some((_, Verdict::Rejected { reason })) => Some(reason.clone()),
        _ => None,
    };
    let mut warning = None;
    if let Some(asked) = &request.asked {
        let build_left = asked.build_left.unwrap_or(smaller_left);
        let verdicts = verdicts(Some(asked.strategy), build_left);
        match refusal(&verdicts, asked.strategy) {
            Some(reason) => warning = Some(format!("hint {} cannot be followed: {reason}", asked.text)),
            None => {
                let asked_by = Some(format!("hint {}", asked.text));
                return Ok(Choice { strategy: asked.strategy, build_left, verdicts, asked_by, warning });
            }
        }
    }
    let build_left = smaller_left;
    let verdicts = verdicts(request.forced, build_left);
    if let Some(forced) = request.forced {
        if let Some(reason) = refusal(&verdicts, forced) {
            return Err(Error::config(format!("the join strategy {} was asked for but cannot be used: {reason}", forced.name()))
                .with_hint("SET skep.join.strategy = auto"));
        }
        let asked_by = Some("skep.join.strategy".to_owned());
        return Ok(Choice { strategy: forced, build_left, verdicts, asked_by, warning });
    }
    let mut best: Option<(Strategy, f64)> = None;
    for (strategy, verdict) in &verdicts {
        if let Verdict::Fits { cost, .. } = verdict
            && best.is_none_or(|(_, least)| *cost < least)
        {
            best = Some((*strategy, *cost));
        }
    }
    match best {
        Some((strategy, _)) => Ok(Choice { strategy, build_left, verdicts, asked_by: None, warning }),
        None => Err(Error::internal("no join strategy fits")),
    }
}

/// Whether the side that is likely collected is expected to exceed the memory: hot keys then matter, as
/// a partition of one cannot be made smaller by cutting it.
pub fn may_spill(request: &JoinRequest) -> bool {
    let build = if builds_left(request) { &request.left } else { &request.right };
    !request.keys.is_empty() && Size::of(build).table_bytes() > request.memory_limit as f64
}

/// The smaller side is collected. For NOT IN the subquery's side is, unless it is far larger:
/// with it known first, rows come out as they are read.
fn builds_left(request: &JoinRequest) -> bool {
    let (left, right) = (Size::of(&request.left).table_bytes(), Size::of(&request.right).table_bytes());
    let (_, keep_left, keep_right) = request.kind.parts();
    match (request.null_aware, keep_left, keep_right) {
        (true, _, super::shape::Keep::None) => left * 8.0 < right,
        (true, super::shape::Keep::None, _) => left < right * 8.0,
        _ => left < right,
    }
}

/// `wanted`: a strategy that is taken even if it is unwise.
fn verdict(strategy: Strategy, request: &JoinRequest, build_left: bool, wanted: Option<Strategy>) -> Verdict {
    let (left, right) = (Size::of(&request.left), Size::of(&request.right));
    let (build, probe) = if build_left { (left, right) } else { (right, left) };
    let side = if build_left { "left" } else { "right" };
    let estimate = |text: String| Fact { text, evidence: Evidence::Inferred };
    let table = build.table_bytes();
    let equality = || {
        if request.keys.is_empty() {
            return Some("there is no equality between the two sides".to_owned());
        }
        if request.null_aware && (request.keys.len() > 1 || request.residual.is_some()) {
            return Some("NOT IN with a further condition needs every pair that meets it".to_owned());
        }
        keys::sorted_key_sides(&request.keys).err().map(|error| error.message().to_owned())
    };
    match strategy {
        // However few rows are expected: when the estimate is wrong it costs rows times rows.
        Strategy::NestedLoop if wanted != Some(strategy) && equality().is_none() => {
            Verdict::Rejected { reason: "there is an equality, which the other strategies use".to_owned() }
        }
        Strategy::NestedLoop => match keys::sorted_key_sides(&request.keys) {
            Ok(_) => {
                let pairs = estimate(format!("{:.0} pairs", left.rows * right.rows));
                Verdict::Fits { cost: cost::nested_loop(left, right), uses: vec![pairs] }
            }
            Err(error) => Verdict::Rejected { reason: error.message().to_owned() },
        },
        _ => match equality() {
            Some(reason) => Verdict::Rejected { reason },
            None => match strategy {
                _ if let Some(verdict) = super::parts::verdict(strategy, request, build, probe) => verdict,
                Strategy::SortMerge => {
                    let unsorted = estimate("both sides are sorted first".to_owned());
                    Verdict::Fits { cost: cost::sort_merge(left, right, request), uses: vec![unsorted] }
                }
                Strategy::SkewAware => {
                    let known = |key: &HotKey| Fact { text: format!("hot key {}", key.describe()), evidence: key.evidence };
                    let mut uses: Vec<Fact> = request.hot_keys.iter().map(known).collect();
                    if uses.is_empty() {
                        uses.push(estimate("no hot key is known: they are looked for in the build side".to_owned()));
                    }
                    Verdict::Fits { cost: cost::skew_aware(build, probe, request), uses }
                }
                Strategy::BroadcastHash if table > request.memory_limit as f64 && wanted != Some(strategy) => {
                    let (needs, has) = (table / f64::from(1 << 20), request.memory_limit >> 20);
                    Verdict::Rejected { reason: format!("the {side} side needs about {needs:.0} of {has} MiB") }
                }
                _ => {
                    let size = estimate(format!("build {side}: {:.0} rows, {:.1} MiB", build.rows, table / f64::from(1 << 20)));
                    let mut uses = vec![size];
                    if strategy == Strategy::PartitionedHash
                        && let Err(reason) = super::parts::find(request)
                    {
                        uses.push(estimate(format!("not part by part: {reason}")));
                    }
                    // Nothing is partitioned before it has to be.
                    Verdict::Fits { cost: cost::hash(build, probe, request), uses }
                }
            },
        },
    }
}
