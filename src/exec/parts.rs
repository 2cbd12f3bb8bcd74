//! Inputs that deliver their rows part by part, so that a join or aggregation of each part needs no
//! exchange with the others.
//!
//! ```text
//!   scan ── filter ── project        PartStream: open(3) is a cursor over the rows of part 3
//!   scan ── filter ────────────┐
//!                              ├──>  Region of part 3: the join of these rows, on one worker
//!   parts 0 1 2 | 3 | 4 ...  ──┘     (PartsSource hands out the parts)
//! ```
//!
//! What a part is tells [`Parting`](crate::layout::Parting). Parts that rest on a claim which turned
//! out false are not used: the whole input is then one part, which is right in any case.

use super::context::TaskContext;
use super::metrics::OperatorMetrics;
use super::pipeline::{Chain, Cursor, Event, Operator, PipelineBuilder, Source, Stream};
use super::plan::{NodeInfo, PlanNode, PlanRef};
use crate::error::Result;
use crate::layout::ScanPredicate;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// One part.
    Part(usize),
    /// All of them.
    Whole,
    /// Rows that were met in a part that they are not of, and put aside: after all parts were read.
    Strays,
    /// All but those.
    Straight,
}

/// Where the rows of parts come from, shared by all tasks.
pub trait PartSource: Send + Sync {
    /// The rows of a share. `wanted` are further predicates on columns of the table below, which may
    /// be ignored.
    fn open(&self, share: Share, wanted: &[Arc<dyn ScanPredicate>], task: &TaskContext) -> Result<Box<dyn Cursor>>;

    /// Why the parts cannot be relied on, once what they rest on was checked.
    fn refuted(&self) -> Option<String> {
        None
    }

    /// Whether rows were put aside while the parts were read.
    fn has_strays(&self) -> bool {
        false
    }

    /// Which file and row group a chunk with this morsel number came from.
    fn place(&self, morsel: u64) -> Option<String> {
        let _ = morsel;
        None
    }
}

/// Rows by parts, with operators on them.
#[derive(Clone)]
pub struct PartStream {
    source: Arc<dyn PartSource>,
    metrics: Arc<OperatorMetrics>,
    operators: Vec<(Arc<dyn Operator>, Arc<OperatorMetrics>)>,
    requires: Vec<Event>,
}

impl PartStream {
    /// The parts of `source`. `metrics` are those of the plan node it belongs to.
    pub fn new(source: Arc<dyn PartSource>, metrics: &Arc<OperatorMetrics>) -> Self {
        Self { source, metrics: metrics.clone(), operators: Vec::new(), requires: Vec::new() }
    }

    /// Puts an operator on the rows.
    #[must_use]
    pub fn then(mut self, operator: Arc<dyn Operator>, metrics: &Arc<OperatorMetrics>) -> Self {
        self.operators.push((operator, metrics.clone()));
        self
    }

    /// Lets nothing be opened before `event`.
    #[must_use]
    pub fn after(mut self, event: Event) -> Self {
        self.requires.push(event);
        self
    }

    /// The events that have to happen before anything is opened.
    pub fn requires(&self) -> &[Event] {
        &self.requires
    }

    /// See [`PartSource::refuted`].
    pub fn refuted(&self) -> Option<String> {
        self.source.refuted()
    }

    /// See [`PartSource::has_strays`].
    pub fn has_strays(&self) -> bool {
        self.source.has_strays()
    }

    /// See [`PartSource::place`].
    pub fn place(&self, morsel: u64) -> Option<String> {
        self.source.place(morsel)
    }

    /// The rows of a share, through the operators.
    pub fn open(&self, share: Share, wanted: &[Arc<dyn ScanPredicate>], task: &TaskContext) -> Result<Box<dyn Cursor>> {
        let cursor = self.source.open(share, wanted, task)?;
        Ok(Box::new(Chain::new(Some(cursor), &self.metrics, &self.operators, task)?))
    }
}

/// Hands out parts one after another, or the whole once where parts cannot be relied on.
pub struct PartsSource {
    parts: Arc<dyn PartSource>,
    count: usize,
    next: AtomicUsize,
}

impl PartsSource {
    /// The stream of all `count` parts, each on one worker. `requires`: events to wait for.
    pub fn stream(parts: Arc<dyn PartSource>, count: usize, requires: &[Event]) -> Stream {
        let source = Arc::new(Self { parts, count, next: AtomicUsize::new(0) });
        // What runs inside of a region counts itself.
        let uncounted = Arc::new(OperatorMetrics::default());
        requires.iter().fold(Stream::new(source, &uncounted), |stream, event| stream.after(*event))
    }
}

impl Source for PartsSource {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        task.check_cancelled()?;
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        if self.parts.refuted().is_some() {
            return if part == 0 { self.parts.open(Share::Whole, &[], task).map(Some) } else { Ok(None) };
        }
        if part < self.count { self.parts.open(Share::Part(part), &[], task).map(Some) } else { Ok(None) }
    }
}

/// A share of an input as a plan node, for the operator that runs inside of a region.
pub struct PartLeaf {
    info: NodeInfo,
    source: Arc<LeafSource>,
}

struct LeafSource {
    stream: PartStream,
    share: Share,
    wanted: Vec<Arc<dyn ScanPredicate>>,
    opened: Mutex<bool>,
}

impl PartLeaf {
    /// The rows that `stream` has of `share`; `like` is the node whose rows these are. The share is
    /// opened when its first row is asked for, so that `wanted` may be filled until then.
    pub fn node(like: &PlanRef, stream: &PartStream, share: Share, wanted: Vec<Arc<dyn ScanPredicate>>) -> PlanRef {
        let info = NodeInfo { metrics: Arc::default(), ..like.info().clone() };
        let source = LeafSource { stream: stream.clone(), share, wanted, opened: Mutex::new(false) };
        Arc::new(Self { info, source: Arc::new(source) })
    }
}

impl Source for LeafSource {
    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        if std::mem::replace(&mut *self.opened.lock(), true) {
            return Ok(None);
        }
        self.stream.open(self.share, &self.wanted, task).map(Some)
    }
}

impl std::fmt::Debug for PartLeaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartLeaf").field("share", &self.source.share).finish_non_exhaustive()
    }
}

impl PlanNode for PartLeaf {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Part"
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        Ok(Stream::new(self.source.clone(), &self.info.metrics))
    }
}
