//! What the parts of one window node know: which values of a row each function needs, where the
//! borders of peers matter, and whether a partition can be given out before it has ended.

use super::frame::{Bound, Frame, Units};
use super::input::Input;
use super::{WindowCall, WindowFunction};
use crate::error::{Error, Result};
use crate::exec::OperatorMetrics;
use crate::expr::ExprRef;
use crate::operator::sort::SortKey;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// Rows that functions may look back over while a partition is given out as it goes: more are not
/// worth keeping beside every batch. Guessed.
const LOOK_BACK_MAX: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(super) struct Spec {
    /// The input's SQL types.
    pub(super) schema: SchemaRef,
    pub(super) groups: Vec<ExprRef>,
    pub(super) order: Vec<SortKey>,
    pub(super) calls: Vec<Planned>,
    /// What is kept of each row.
    pub(super) inputs: Vec<Input>,
    /// How many order keys make peers, ascending: every number that some function asks for.
    pub(super) levels: Vec<usize>,
    /// All functions look back only: a partition may be given out in pieces.
    pub(super) streaming: bool,
    /// So many rows back.
    pub(super) look_back: usize,
    pub(super) metrics: Arc<OperatorMetrics>,
}

/// A call with what it reads, by position among [`Spec::inputs`].
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) call: WindowCall,
    /// The arguments; of a shift the value and the default.
    pub(super) arguments: Vec<usize>,
    pub(super) filter: Option<usize>,
    /// The order key that distances of a RANGE frame are from.
    pub(super) range_key: Option<usize>,
    /// Position among [`Spec::levels`].
    pub(super) level: usize,
}

impl Spec {
    pub(super) fn new(
        schema: SchemaRef,
        groups: Vec<ExprRef>,
        order: Vec<SortKey>,
        calls: Vec<WindowCall>,
        metrics: &Arc<OperatorMetrics>,
    ) -> Result<Self> {
        if calls.iter().any(|call| call.order_keys > order.len()) {
            return Err(Error::internal("a window function has more order keys than its window"));
        }
        let mut levels: Vec<usize> = calls.iter().filter(|call| sees_peers(call)).map(|call| call.order_keys).collect();
        if levels.is_empty() {
            levels.push(order.len());
        }
        levels.sort_unstable();
        levels.dedup();
        let look_backs: Vec<Option<usize>> = calls.iter().map(look_back).collect();
        let mut spec = Self {
            schema,
            groups,
            order,
            calls: Vec::with_capacity(calls.len()),
            inputs: Vec::new(),
            streaming: look_backs.iter().all(Option::is_some),
            look_back: look_backs.into_iter().flatten().max().unwrap_or(0),
            levels,
            metrics: metrics.clone(),
        };
        for call in calls {
            let planned = spec.plan(call)?;
            spec.calls.push(planned);
        }
        Ok(spec)
    }

    fn plan(&mut self, call: WindowCall) -> Result<Planned> {
        let values: Vec<ExprRef> = match &call.function {
            WindowFunction::Shift { value, default, .. } => std::iter::once(value.clone()).chain(default.clone()).collect(),
            WindowFunction::Pick { value, .. } => vec![value.clone()],
            WindowFunction::Fold(function) => {
                function.start()?;
                function.inputs().to_vec()
            }
            _ => Vec::new(),
        };
        let filter = match (&call.filter, &call.function) {
            (Some(filter), WindowFunction::Fold(_)) => Some(filter.clone()),
            (Some(_), _) => return Err(Error::unsupported(format!("FILTER on {}", call.field.name()))),
            (None, _) => None,
        };
        let mut arguments = Vec::with_capacity(values.len());
        for value in values {
            arguments.push(self.input(match &filter {
                Some(filter) => Input::Guarded(value, filter.clone()),
                None => Input::Value(value),
            }));
        }
        let filter = filter.map(|filter| self.input(Input::Mask(filter)));
        let range_key = match call.frame.has_distance() {
            true => {
                let [key, ..] = &self.order[..call.order_keys] else {
                    return Err(Error::sql("a RANGE frame with a distance needs one ORDER BY key"));
                };
                let key = key.expr.clone();
                Some(self.input(Input::Value(key)))
            }
            false => None,
        };
        let level = self.levels.iter().position(|&keys| keys == call.order_keys).unwrap_or(0);
        Ok(Planned { call, arguments, filter, range_key, level })
    }

    fn input(&mut self, input: Input) -> usize {
        self.inputs.iter().position(|known| known.is(&input)).unwrap_or_else(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        })
    }
}

/// Whether a function depends on which rows have equal order keys.
fn sees_peers(call: &WindowCall) -> bool {
    let framed = call.frame.units != Units::Rows
        && [&call.frame.start, &call.frame.end]
            .into_iter()
            .any(|bound| !matches!(bound, Bound::UnboundedPreceding | Bound::UnboundedFollowing));
    match &call.function {
        WindowFunction::Rank | WindowFunction::DenseRank | WindowFunction::PercentRank | WindowFunction::CumeDist => true,
        WindowFunction::RowNumber | WindowFunction::Ntile(_) | WindowFunction::Shift { .. } => false,
        WindowFunction::Pick { .. } | WindowFunction::Fold(_) => framed,
    }
}

/// How many rows back a function must see when its partition is given out in pieces; none if it
/// looks ahead.
fn look_back(call: &WindowCall) -> Option<usize> {
    let within = |rows: i64| usize::try_from(rows).ok().filter(|&rows| rows <= LOOK_BACK_MAX);
    match &call.function {
        WindowFunction::RowNumber | WindowFunction::Rank | WindowFunction::DenseRank => Some(0),
        WindowFunction::Shift { rows, ignore_nulls: false, .. } => within(rows.checked_neg()?),
        WindowFunction::Fold(_) => match &call.frame {
            Frame { start: Bound::UnboundedPreceding, end: Bound::CurrentRow, .. } => Some(0),
            Frame { units: Units::Rows, start: Bound::Rows(from), end: Bound::CurrentRow | Bound::Rows(..=0) } => {
                within(from.checked_neg()?)
            }
            Frame { units: Units::Rows, start: Bound::CurrentRow, end: Bound::CurrentRow } => Some(0),
            _ => None,
        },
        _ => None,
    }
}
