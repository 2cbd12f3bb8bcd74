//! Vectorised accumulators: the state of one aggregate for all groups, updated a batch at a time.
//!
//! State travels between tasks, to disk and back as columns ([`Accumulate::drain`],
//! [`Accumulate::merge`]), so merging and spilling need nothing else.

mod chosen;
mod count;
mod gather;
mod generic;
mod min_max;
mod moments;
mod pairs;
mod seen;
mod sketch;
mod sketched;
mod sum;
mod union;

pub(super) use chosen::Choice;
pub(super) use gather::Gathered;
pub(super) use sketch::bits_for;
pub(crate) use sketched::SketchKind;

use chosen::Chosen;
use gather::Gather;
use generic::Generic;
use moments::Moments;
use pairs::{Collect, Distinct};
use sketch::ApproxDistinct;
use sketched::Sketched;
use union::Union;

use super::AggregateCall;
use crate::column::{Column, storage_type};
use crate::error::{Error, Result};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use std::sync::{Arc, OnceLock};

/// With at most this many groups, sums and counts of a batch go to a small array first. Guessed:
/// 32 groups x 4 lanes x 8 bytes is 1 KiB.
pub(super) const FEW_GROUPS: usize = 32;
/// Copies of each group's partial sum, so that neighbouring rows of one group do not wait.
pub(super) const LANES: usize = 4;

/// Which group each row of a batch belongs to.
pub(super) struct Groups<'a> {
    ids: Option<&'a [u32]>,
    rows: usize,
    count: usize,
    before: usize,
    histogram: OnceLock<Vec<u32>>,
}

impl<'a> Groups<'a> {
    /// `ids[row]` is below `count`; there were `before` groups before this batch.
    pub(super) fn new(ids: &'a [u32], count: usize, before: usize) -> Self {
        Self { ids: Some(ids), rows: ids.len(), count, before, histogram: OnceLock::new() }
    }

    /// All rows belong to the one group there is.
    pub(super) fn one(rows: usize) -> Self {
        Self { ids: None, rows, count: 1, before: 1, histogram: OnceLock::new() }
    }

    /// Number of groups, this batch's new ones included.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// One group a row; none when all belong to group 0.
    pub(super) fn ids(&self) -> Option<&'a [u32]> {
        self.ids
    }

    /// Whether small per-batch arrays pay.
    pub(super) fn is_few(&self) -> bool {
        self.count <= FEW_GROUPS
    }

    /// Rows of each group, counted once a batch. For few groups.
    pub(super) fn histogram(&self) -> &[u32] {
        self.histogram.get_or_init(|| {
            let Some(ids) = self.ids else { return vec![self.rows as u32] };
            if !self.is_few() {
                let mut counts = vec![0; self.count];
                ids.iter().for_each(|&id| counts[id as usize] += 1);
                return counts;
            }
            let mut lanes = [0_u32; FEW_GROUPS * LANES];
            for (row, &id) in ids.iter().enumerate() {
                lanes[(id as usize * LANES + row % LANES) % (FEW_GROUPS * LANES)] += 1;
            }
            lanes.chunks_exact(LANES).take(self.count).map(|lane| lane.iter().sum()).collect()
        })
    }

    /// Calls `each(group, row)` for every row, or those that `valid` has.
    #[inline]
    pub(super) fn for_each(&self, valid: Option<&arrow::buffer::NullBuffer>, mut each: impl FnMut(usize, usize)) {
        match (self.ids, valid) {
            (None, None) => (0..self.rows).for_each(|row| each(0, row)),
            (None, Some(valid)) => valid.valid_indices().for_each(|row| each(0, row)),
            (Some(ids), None) => ids.iter().enumerate().for_each(|(row, &id)| each(id as usize, row)),
            (Some(ids), Some(valid)) => valid.valid_indices().for_each(|row| each(ids[row] as usize, row)),
        }
    }
}

/// One aggregate's state for all groups.
pub(super) trait Accumulate: Send {
    /// Takes a batch: one column an argument.
    fn update(&mut self, groups: &Groups, columns: &[Column]) -> Result<()>;

    /// Takes state columns that [`Accumulate::drain`] gave elsewhere.
    fn merge(&mut self, groups: &Groups, state: &[ArrayRef]) -> Result<()>;

    /// The state of all `count` groups as columns; the accumulator is empty afterwards. A column
    /// may be held narrower than its type in [`SlotSpec::state_types`] says.
    fn drain(&mut self, count: usize) -> Result<Vec<ArrayRef>>;

    /// The result of all `count` groups, in the form of the output; empty afterwards.
    fn finish(&mut self, count: usize) -> Result<ArrayRef>;

    /// Bytes held, roughly; cheap.
    fn bytes(&self) -> usize;
}

/// Which accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    Sum,
    /// NULL where [`Function::Sum`] fails.
    TrySum,
    Min,
    Max,
    CollectList,
    CollectSet,
    /// One value a group.
    Chosen(Choice),
    /// All values, for [`SlotSpec::gathered`].
    Gather,
    /// Different values, estimated in 2^bits registers.
    ApproxDistinct {
        bits: u8,
    },
    /// Skewness or kurtosis.
    Moments {
        kurtosis: bool,
    },
    /// A sketch of the values.
    Sketched(SketchKind),
    /// The different items of arrays.
    Union,
    Other,
}

/// One accumulator of a plan; several calls may share it.
#[derive(Debug, Clone)]
pub(super) struct SlotSpec {
    pub(super) function: Function,
    /// The call as it stands in the plan, for DataFusion's functions and for messages.
    pub(super) call: AggregateCall,
    /// Positions among the plan's distinct arguments.
    pub(super) arguments: Vec<usize>,
    /// SQL types of the arguments.
    pub(super) types: Vec<DataType>,
    pub(super) distinct: bool,
    /// SQL type of the result.
    pub(super) output: DataType,
    /// What is made of all values.
    pub(super) gathered: Option<Arc<Gathered>>,
}

impl SlotSpec {
    /// The SQL-like text for messages.
    pub(super) fn describe(&self) -> String {
        self.call.describe()
    }

    /// The types of the state's columns, as spill files hold them.
    pub(super) fn state_types(&self) -> Result<Vec<DataType>> {
        if self.function == Function::Union {
            return union::state_types(&self.output);
        }
        if self.distinct || matches!(self.function, Function::CollectList | Function::CollectSet | Function::Gather) {
            return Ok(self.types.iter().map(pairs::list_type).collect());
        }
        Ok(match self.function {
            Function::Count => vec![DataType::Int64],
            Function::Chosen(_) => vec![self.types.first().map_or(DataType::Null, storage_type), DataType::BinaryView],
            Function::ApproxDistinct { .. } => vec![DataType::BinaryView],
            Function::Moments { .. } => vec![DataType::Float64; moments::WIDTH],
            Function::Sketched(_) => vec![DataType::BinaryView],
            Function::Sum | Function::TrySum => sum::state_types(&self.output),
            Function::Min | Function::Max if min_max::supports(&self.output) => vec![storage_type(&self.output)],
            _ => Generic::state_types(self)?,
        })
    }

    /// An empty accumulator. `tracked`: a group may stay without rows (no GROUP BY, FILTER).
    pub(super) fn start(&self, tracked: bool) -> Result<Box<dyn Accumulate>> {
        if matches!(self.function, Function::CollectList | Function::CollectSet) {
            return Ok(Box::new(Collect::new(self, self.distinct || self.function == Function::CollectSet)));
        }
        if let (Function::Gather, Some(gathered)) = (self.function, &self.gathered) {
            return Ok(Box::new(Gather::new(gathered, self)));
        }
        if self.function == Function::Union {
            return Ok(Box::new(Union::new(self)?));
        }
        if self.distinct {
            return Ok(Box::new(Distinct::new(self, self.plain(true)?)));
        }
        self.plain(tracked)
    }

    fn plain(&self, tracked: bool) -> Result<Box<dyn Accumulate>> {
        Ok(match self.function {
            Function::Count => Box::new(count::Count::default()),
            Function::Chosen(choice) => Box::new(Chosen::new(choice, &self.types)?),
            Function::ApproxDistinct { bits } => Box::new(ApproxDistinct::new(bits, &self.types)),
            Function::Moments { kurtosis } => Box::new(Moments::new(kurtosis)),
            Function::Sketched(kind) => Box::new(Sketched::new(kind, &self.output)),
            Function::Sum | Function::TrySum if self.output == DataType::Float64 => Box::new(sum::FloatSum::new(tracked)),
            Function::Sum => Box::new(sum::IntegerSum::new(&self.output, tracked, self.describe())),
            Function::TrySum => Box::new(sum::IntegerSum::new(&self.output, tracked, self.describe()).lenient()),
            Function::Min | Function::Max if min_max::supports(&self.output) => {
                min_max::start(&self.output, self.function == Function::Max, tracked)?
            }
            _ => Box::new(Generic::new(self, tracked)?),
        })
    }
}

/// The single argument of a call.
fn only(columns: &[Column]) -> Result<&Column> {
    columns.first().ok_or_else(|| Error::internal("an aggregate without its argument"))
}

/// The single state column.
fn only_state(state: &[ArrayRef]) -> Result<&ArrayRef> {
    state.first().ok_or_else(|| Error::internal("an aggregate without its state"))
}
