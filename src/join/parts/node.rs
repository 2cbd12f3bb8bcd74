//! The plan node of joins part by part, and the region that joins one part.

use super::super::build_probe::{BuildProbeNode, Method, summary};
use super::super::choose::{Choice, Strategy};
use super::super::sort_merge::{Order, SortMergeNode};
use super::super::{JoinKind, JoinRequest, RuntimeFilter, keys};
use super::PartPlan;
use crate::error::{Error, Result};
use crate::exec::{
    Counter, Cursor, NodeInfo, OperatorMetrics, PartLeaf, PartSource, PartStream, PartsSource, PipelineBuilder, PlanNode,
    PlanRef, Region, Share, Source, Stream, TaskContext, Unit,
};
use crate::layout::{Layout, NullRows, Parting, Parts, ScanPredicate};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Spill partitions of one part: few, as a part is small.
const PARTITIONS: usize = 16;

/// See the module.
#[derive(Debug)]
pub(in crate::join) struct PartJoinNode {
    info: NodeInfo,
    request: JoinRequest,
    /// Without its verdicts: those are in the lines.
    choice: Choice,
    plan: PartPlan,
    lines: Vec<String>,
}

impl PartJoinNode {
    pub(in crate::join) fn new(request: JoinRequest, choice: &Choice, plan: PartPlan) -> Result<Self> {
        keys::sorted_key_sides(&request.keys)?;
        let keeps_order = choice.strategy == Strategy::SortMerge;
        let layout = Layout { parts: delivered(&request, &plan, keeps_order), ..Layout::default() };
        let info = NodeInfo::new(request.schema.clone(), request.estimated_rows).with_layout(layout);
        let (choice, lines) = (Choice { verdicts: Vec::new(), ..choice.clone() }, choice.lines());
        Ok(Self { info, request, choice, plan, lines })
    }

    /// Both inputs by parts.
    fn inputs(&self, builder: &mut PipelineBuilder, left: &Parting, right: &Parting) -> Result<Option<Arc<JoinParts>>> {
        let (left, right) = (self.request.left.build_parts(builder, left)?, self.request.right.build_parts(builder, right)?);
        let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
        let metrics = self.info.metrics.clone();
        Ok(Some(Arc::new(JoinParts {
            left,
            right,
            request: self.request.clone(),
            choice: self.choice.clone(),
            claimed: self.plan.sorted,
            parts: metrics.counter("parts", Unit::Count),
            metrics,
        })))
    }
}

/// The parts that the join's own output can be delivered in: those of a key whose every output row
/// comes from the part that the key's value belongs to.
fn delivered(request: &JoinRequest, plan: &PartPlan, keeps_order: bool) -> Parts {
    let left_width = request.left.schema().fields().len();
    let right_width = request.right.schema().fields().len();
    let (Parting::Ranges { column: left, .. }, Parting::Ranges { column: right, .. }) = (&plan.left, &plan.right) else {
        return Parts::default();
    };
    let only = |count: usize, at: usize| (0..count).map(|column| (column == at).then_some(column)).collect::<Vec<_>>();
    let (left_parts, right_parts) = (&request.left.info().layout.parts, &request.right.info().layout.parts);
    use JoinKind::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    let zones = match request.kind {
        // The other side's key equals it, or is NULL: only one of them is told of.
        Inner | Left => {
            let columns: Vec<Option<usize>> = only(left_width, *left).into_iter().chain(vec![None; right_width]).collect();
            left_parts.zones.as_ref().map(|zones| zones.projected(&columns))
        }
        LeftSemi | LeftAnti => left_parts.zones.as_ref().map(|zones| zones.projected(&only(left_width, *left))),
        LeftMark => {
            let columns: Vec<Option<usize>> = only(left_width, *left).into_iter().chain([None]).collect();
            left_parts.zones.as_ref().map(|zones| zones.projected(&columns))
        }
        Right => {
            let columns: Vec<Option<usize>> = vec![None; left_width].into_iter().chain(only(right_width, *right)).collect();
            right_parts.zones.as_ref().map(|zones| zones.projected(&columns))
        }
        RightSemi | RightAnti => right_parts.zones.as_ref().map(|zones| zones.projected(&only(right_width, *right))),
        RightMark => {
            let columns: Vec<Option<usize>> = only(right_width, *right).into_iter().chain([None]).collect();
            right_parts.zones.as_ref().map(|zones| zones.projected(&columns))
        }
        Full => None,
    };
    let zones = zones.map(|zones| if keeps_order { zones } else { zones.unordered() });
    Parts { zones, ..Parts::default() }
}

impl PlanNode for PartJoinNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        match self.choice.strategy {
            Strategy::SortMerge => "SortMergeJoin",
            _ => "PartitionedHashJoin",
        }
    }

    fn summary(&self) -> String {
        let how = match (self.choice.strategy, self.choice.build_left) {
            (Strategy::SortMerge, _) => String::new(),
            (_, true) => ", build left".to_owned(),
            (_, false) => ", build right".to_owned(),
        };
        format!("{}{how}, by {}", summary(&self.request), self.plan.summary)
    }

    fn details(&self) -> Vec<String> {
        self.lines.clone()
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.request.left, &self.request.right]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let inputs = self.inputs(builder, &self.plan.left, &self.plan.right)?;
        let inputs = inputs.ok_or_else(|| Error::internal("an input does not deliver the parts that it offers"))?;
        let requires: Vec<_> = inputs.left.requires().iter().chain(inputs.right.requires()).copied().collect();
        let parts = PartsSource::stream(inputs.clone(), self.plan.left.count(), &requires);
        if !matches!(self.plan.left, Parting::Buckets { inline: true, .. }) {
            return Ok(parts);
        }
        let strays = Arc::new(StraySource { parts: inputs, next: AtomicUsize::new(0) });
        // What runs inside of a region counts itself.
        let uncounted = Arc::new(OperatorMetrics::default());
        Ok(parts.followed_by(builder, Stream::new(strays, &uncounted)))
    }

    fn build_parts(&self, builder: &mut PipelineBuilder, parting: &Parting) -> Result<Option<PartStream>> {
        let (Parting::Ranges { column: left, nulls: own, .. }, Parting::Ranges { column: right, .. }) =
            (&self.plan.left, &self.plan.right)
        else {
            return Ok(None);
        };
        let Parting::Ranges { cuts, nulls, .. } = parting else { return Ok(None) };
        // Where NULLs are equal they must meet, whatever the parent does with them.
        let nulls = if *own == NullRows::First { NullRows::First } else { *nulls };
        let on = |column: usize| Parting::Ranges { column, cuts: cuts.clone(), nulls };
        let (left, right) = (on(*left), on(*right));
        let Some(inputs) = self.inputs(builder, &left, &right)? else { return Ok(None) };
        let requires: Vec<_> = inputs.left.requires().iter().chain(inputs.right.requires()).copied().collect();
        let stream = PartStream::new(inputs, &Arc::new(OperatorMetrics::default()));
        Ok(Some(requires.into_iter().fold(stream, PartStream::after)))
    }
}

/// The join of any one part.
struct JoinParts {
    left: PartStream,
    right: PartStream,
    request: JoinRequest,
    choice: Choice,
    /// Both inputs are said to be in key order.
    claimed: bool,
    parts: Counter,
    metrics: Arc<OperatorMetrics>,
}

/// What comes after the parts when rows were put aside: those of either side against the other side's
/// rows, each pair once.
///
/// ```text
///                 right straight   right strays
///   left straight     parts             2
///   left strays         1               1
/// ```
struct StraySource {
    parts: Arc<JoinParts>,
    next: AtomicUsize,
}

impl Source for StraySource {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        task.check_cancelled()?;
        let parts = &self.parts;
        loop {
            let (there, left, right) = match self.next.fetch_add(1, Ordering::Relaxed) {
                0 => (parts.left.has_strays(), Share::Strays, Share::Whole),
                1 => (parts.right.has_strays(), Share::Straight, Share::Strays),
                _ => return Ok(None),
            };
            if there {
                parts.metrics.note("switch: rows of other buckets were put aside and joined after the parts".to_owned());
                return parts.join(left, right).map(Some);
            }
        }
    }
}

impl PartSource for JoinParts {
    fn open(&self, share: Share, _wanted: &[Arc<dyn ScanPredicate>], _task: &TaskContext) -> Result<Box<dyn Cursor>> {
        if share == Share::Whole
            && let Some(reason) = self.refuted()
        {
            self.metrics.note(format!("switch: the parts are not used: {reason}"));
        }
        self.join(share, share)
    }

    fn refuted(&self) -> Option<String> {
        self.left.refuted().or_else(|| self.right.refuted())
    }
}

impl JoinParts {
    /// The join of a share of either side.
    fn join(&self, left: Share, right: Share) -> Result<Box<dyn Cursor>> {
        self.parts.add(1);
        // Filters of this part alone: those in the plan would have to know the keys of all parts.
        let fresh = |filters: &[(usize, Arc<RuntimeFilter>)]| -> Vec<(usize, Arc<RuntimeFilter>)> {
            filters.iter().map(|(key, filter)| (*key, filter.another())).collect()
        };
        let wanted = |filters: &[(usize, Arc<RuntimeFilter>)]| -> Vec<Arc<dyn ScanPredicate>> {
            filters.iter().map(|(_, filter)| filter.clone() as Arc<dyn ScanPredicate>).collect()
        };
        let (left_filters, right_filters) = (fresh(&self.request.left_filters), fresh(&self.request.right_filters));
        let request = JoinRequest {
            left: PartLeaf::node(&self.request.left, &self.left, left, wanted(&left_filters)),
            right: PartLeaf::node(&self.request.right, &self.right, right, wanted(&right_filters)),
            left_filters,
            right_filters,
            ..self.request.clone()
        };
        let mut builder = PipelineBuilder::new();
        let stream = match self.choice.strategy {
            Strategy::SortMerge => {
                let place = |stream: &PartStream| {
                    let stream = stream.clone();
                    Order { claimed: self.claimed, place: Arc::new(move |morsel| stream.place(morsel)) }
                };
                let node =
                    SortMergeNode::new(request, &self.choice)?.of_part(&self.metrics, place(&self.left), place(&self.right));
                node.build(&mut builder)?
            }
            _ => {
                // Rows that were put aside are few, wherever the rest is built.
                let build_left = match (left, right) {
                    (Share::Strays, _) => true,
                    (_, Share::Strays) => false,
                    _ => self.choice.build_left,
                };
                let choice = Choice { build_left, ..self.choice.clone() };
                let node = BuildProbeNode::new("Part", Method::Hash, request, &choice, PARTITIONS)?.of_part(&self.metrics);
                node.build(&mut builder)?
            }
        };
        Ok(Box::new(Region::new(builder, stream)))
    }
}
