//! What the author of a query asks of its joins: `/*+ BROADCAST(t) */` and its kin.

use super::Strategy;
use datafusion_common::ScalarValue;

/// One wish about one relation of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// How the relation is to be joined.
    pub strategy: Strategy,
    /// The table or alias, in any case.
    pub relation: String,
    /// `SKEW` only: columns, and values of theirs that are hot; both may be empty.
    pub skew: Option<SkewedColumns>,
    /// As EXPLAIN and warnings name it.
    pub text: String,
}

/// What a `SKEW` hint says of a relation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SkewedColumns {
    /// Names, in any case.
    pub columns: Vec<String>,
    /// Hot combinations, one value a column.
    pub values: Vec<Vec<ScalarValue>>,
}

impl Hint {
    /// The strategy that a hint of this name asks for, in any case. Spark's names, and `SKEW`.
    pub fn strategy_of(name: &str) -> Option<Strategy> {
        Some(match name.to_ascii_uppercase().as_str() {
            "BROADCAST" | "BROADCASTJOIN" | "MAPJOIN" => Strategy::BroadcastHash,
            "MERGE" | "SHUFFLE_MERGE" | "MERGEJOIN" => Strategy::SortMerge,
            "SHUFFLE_HASH" => Strategy::PartitionedHash,
            "SHUFFLE_REPLICATE_NL" => Strategy::NestedLoop,
            "SKEW" => Strategy::SkewAware,
            _ => return None,
        })
    }

    /// Where several hints meet in one join, the lowest goes first: Spark's order, `SKEW` last.
    pub fn rank(&self) -> usize {
        match self.strategy {
            Strategy::BroadcastHash => 0,
            Strategy::SortMerge => 1,
            Strategy::PartitionedHash => 2,
            Strategy::NestedLoop => 3,
            Strategy::SkewAware => 4,
        }
    }
}

/// The hint that one join is asked to follow.
#[derive(Debug, Clone)]
pub struct Asked {
    /// How to join.
    pub strategy: Strategy,
    /// Whether the left side is to be collected; none: the smaller.
    pub build_left: Option<bool>,
    /// The hint as written.
    pub text: String,
}
