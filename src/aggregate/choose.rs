//! Which way to aggregate, and why not the others.

use crate::exec::PlanRef;
use crate::expr::ExprRef;

/// A way to aggregate. Ties go by this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Each group ends where the next begins: needs the input in the groups' order.
    Streaming,
    /// Ranges or partitions of the input that share no group are aggregated alone.
    PartitionWise,
    /// A hash table a task, then one a partition.
    Hash,
}

impl Strategy {
    /// The name EXPLAIN prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Streaming => "streaming",
            Self::PartitionWise => "partition_wise",
            Self::Hash => "hash",
        }
    }
}

/// Whether a strategy can do it.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It can; estimated seconds of one worker.
    Fits { cost: f64 },
    /// It cannot, in words a user can act on.
    Rejected { reason: String },
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
}

/// The chosen strategy and every strategy's verdict.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is going to run.
    pub strategy: Strategy,
    /// One verdict a strategy, in the table's order.
    pub verdicts: Vec<(Strategy, Verdict)>,
}

/// Nanoseconds of a row's way through a table that fits the cache, and of one that does not.
/// Guessed.
const ROW_NS: (f64, f64) = (5.0, 20.0);
/// Groups whose table fits L2.
const GROUPS_CACHED: f64 = 32_768.0;

/// Asks every strategy for its verdict and takes the cheapest that fits.
pub fn choose(request: &AggregateRequest) -> Choice {
    let layout = &request.input.info().layout;
    let columns: Vec<Option<usize>> = request.groups.iter().map(|group| group.as_column()).collect();
    let sorted = !columns.is_empty()
        && layout.order.len() >= columns.len()
        && layout.order[..columns.len()].iter().all(|sort| columns.contains(&Some(sort.column)));
    let streaming = if request.groups.is_empty() {
        "there is no group key".to_owned()
    } else if layout.order.is_empty() {
        "the input's order is not known".to_owned()
    } else if sorted {
        "the input's order lies in several morsels that are read at the same time".to_owned()
    } else {
        "the input is not sorted by the group keys".to_owned()
    };
    let partitioned = layout.partition_columns.iter().any(|column| columns.contains(&Some(*column)));
    let partition_wise = if request.groups.is_empty() {
        "there is no group key"
    } else if partitioned {
        "morsels of one partition are not kept together"
    } else {
        "the input is not known to be partitioned by a group key"
    };
    let row_ns = if request.estimated_rows <= GROUPS_CACHED { ROW_NS.0 } else { ROW_NS.1 };
    let cost = request.input.info().estimated_rows * row_ns * 1e-9;
    Choice {
        strategy: Strategy::Hash,
        verdicts: vec![
            (Strategy::Streaming, Verdict::Rejected { reason: streaming }),
            (Strategy::PartitionWise, Verdict::Rejected { reason: partition_wise.to_owned() }),
            (Strategy::Hash, Verdict::Fits { cost }),
        ],
    }
}

impl Choice {
    /// One line a strategy, for EXPLAIN.
    pub fn lines(&self) -> Vec<String> {
        let line = |(strategy, verdict): &(Strategy, Verdict)| match verdict {
            Verdict::Fits { cost } => format!("{}: fits, cost {:.3} ms", strategy.name(), cost * 1e3),
            Verdict::Rejected { reason } => format!("{}: rejected, {reason}", strategy.name()),
        };
        self.verdicts.iter().map(line).collect()
    }
}
