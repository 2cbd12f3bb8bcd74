//! The plan node, its sink (every task fills a [`Local`]) and its source (partitions are merged
//! when somebody wants their rows).
//!
//! ```text
//!   sink:    task 0: Local ─┐ finalize: are there many groups?   no: one unit, all tables merged
//!            task 1: Local ─┘           yes: scatter all ──────> 64 units
//!   source:  unit ─> merge (or scatter one level deeper) ─> chunks
//! ```
//!
//! Merging in the source keeps only as many partitions' results in memory as there are tasks.

use super::AggregateCall;
use super::choose::{AggregateRequest, Choice, Strategy, choose};
use super::local::{FANOUT, Local, Partial, Partition};
use super::parts::AggregateParts;
use super::spec::Spec;
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::exec::pipeline::Event;
use crate::exec::{
    Counter, Cursor, Flow, Job, NodeInfo, OperatorMetrics, PartStream, PartsSource, PipelineBuilder, PlanNode, PlanRef,
    QueryContext, Reservation, Sink, SinkTask, Source, Spillable, Step, Stream, TaskContext, Unit,
};
use crate::expr::ExprRef;
use crate::layout::{Layout, NullRows, Parting, Parts};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Groups of all tasks together that one task merges alone. Guessed: some milliseconds of work.
const GROUPS_MERGED_ALONE: usize = if cfg!(test) { 1 << 10 } else { 1 << 16 };

/// Hash aggregation in two stages.
#[derive(Debug)]
pub struct AggregateNode {
    input: PlanRef,
    calls: Vec<AggregateCall>,
    spec: Arc<Spec>,
    info: NodeInfo,
    choice: Choice,
    phase: Phase,
}

/// What goes in and comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Rows in, results out.
    Whole,
    /// Rows in, keys and states out.
    Partial,
    /// States in, results out.
    Final {
        /// Columns of the partial phase that stand before its states.
        keys_before: usize,
        /// Where the keys begin, behind the states.
        keys_from: usize,
    },
}

impl AggregateNode {
    /// Groups `input` by `groups` and computes `calls`; `schema` has the group columns, then the
    /// calls. Without `groups` there is exactly one output row. Order is lost.
    ///
    /// # Errors
    /// A call that cannot be evaluated is refused by name.
    pub fn new(
        input: PlanRef,
        groups: Vec<ExprRef>,
        calls: Vec<AggregateCall>,
        schema: SchemaRef,
        estimated_rows: f64,
    ) -> Result<Self> {
        Self::planned(input, groups, calls, schema, estimated_rows, Some(Strategy::Hash), 1)
    }

    /// The same for `threads` workers, with the strategy that is preferred if it fits.
    ///
    /// # Errors
    /// As [`AggregateNode::new`].
    pub fn planned(
        input: PlanRef,
        groups: Vec<ExprRef>,
        calls: Vec<AggregateCall>,
        schema: SchemaRef,
        estimated_rows: f64,
        preferred: Option<Strategy>,
        threads: usize,
    ) -> Result<Self> {
        let choice = choose(&AggregateRequest { input: &input, groups: &groups, estimated_rows, preferred, threads });
        let parts = delivered(&input, &groups, &choice, schema.fields().len());
        let info = NodeInfo::new(schema, estimated_rows).with_layout(Layout { parts, ..Layout::default() });
        let spec = Arc::new(Spec::new(groups, &calls, &info.schema, &info.metrics)?);
        Ok(Self { input, calls, spec, info, choice, phase: Phase::Whole })
    }

    /// The first half of an aggregation: its output has the group columns, then what the calls'
    /// states are made of, for [`AggregateNode::last_half`].
    pub fn first_half(input: PlanRef, groups: Vec<ExprRef>, calls: Vec<AggregateCall>, estimated_rows: f64) -> Result<Self> {
        let mut fields: Vec<FieldRef> = Vec::with_capacity(groups.len() + calls.len());
        fields.extend(groups.iter().map(|group| Arc::new(Field::new(group.describe(), group.data_type().clone(), true))));
        fields.extend(calls.iter().map(|call| call.field.clone()));
        let mut node = Self::new(input, groups, calls, Arc::new(Schema::new(fields)), estimated_rows)?;
        let width = node.spec.groups.len();
        let states = node.spec.partial.fields()[width..].iter().cloned();
        let fields: Vec<FieldRef> = node.info.schema.fields()[..width].iter().cloned().chain(states).collect();
        node.info.schema = Arc::new(Schema::new(fields));
        node.phase = Phase::Partial;
        Ok(node)
    }

    /// The second half: `input` has the columns of `first` and behind them the keys to group by,
    /// whose compiled form is `groups`; `schema` has those keys, then the calls.
    pub fn last_half(first: &Self, input: PlanRef, groups: Vec<ExprRef>, schema: SchemaRef, estimated_rows: f64) -> Result<Self> {
        let (keys_before, keys_from) = (first.spec.groups.len(), first.info.schema.fields().len());
        if input.schema().fields().len() != keys_from + groups.len() {
            return Err(Error::internal("the second half of an aggregation has other keys than its input"));
        }
        let mut node = Self::new(input, groups, first.calls.clone(), schema, estimated_rows)?;
        node.phase = Phase::Final { keys_before, keys_from };
        Ok(node)
    }

    /// The same over another input with the same columns, as a whole.
    pub(super) fn on(&self, input: PlanRef) -> Self {
        let choice = Choice { parting: None, ..self.choice.clone() };
        Self { input, calls: self.calls.clone(), spec: self.spec.clone(), info: self.info.clone(), choice, phase: self.phase }
    }

    /// Each part by itself.
    fn parts(&self, builder: &mut PipelineBuilder, parting: &Parting) -> Result<Option<(Arc<AggregateParts>, Vec<Event>)>> {
        let Some(input) = self.input.build_parts(builder, parting)? else { return Ok(None) };
        let requires = input.requires().to_vec();
        let parts = self.info.metrics.counter("parts", Unit::Count);
        Ok(Some((
            Arc::new(AggregateParts { input, like: self.input.clone(), node: self.on(self.input.clone()), parts }),
            requires,
        )))
    }
}

/// The parts that the groups can be delivered in: those of the key that the input is cut by.
fn delivered(input: &PlanRef, groups: &[ExprRef], choice: &Choice, width: usize) -> Parts {
    let Some(Parting::Ranges { column, .. }) = &choice.parting else { return Parts::default() };
    let key = groups.iter().position(|group| group.as_column() == Some(*column));
    let columns: Vec<Option<usize>> = (0..width).map(|at| (Some(at) == key).then_some(*column)).collect();
    let zones = input.info().layout.parts.zones.as_ref().map(|zones| zones.projected(&columns));
    let zones = zones.map(|zones| if choice.strategy == Strategy::Streaming { zones } else { zones.unordered() });
    Parts { zones, ..Parts::default() }
}

impl PlanNode for AggregateNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        match (self.phase, &self.choice.parting, self.choice.strategy) {
            (Phase::Partial, ..) => "PartialAggregate",
            (Phase::Final { .. }, ..) => "FinalAggregate",
            (_, None, _) | (_, Some(_), Strategy::Hash) => "HashAggregate",
            (_, Some(_), Strategy::Streaming) => "StreamingAggregate",
            (_, Some(_), Strategy::PartitionWise) => "PartitionWiseAggregate",
        }
    }

    fn summary(&self) -> String {
        let groups: Vec<String> = self.spec.groups.iter().map(|group| group.describe()).collect();
        let calls: Vec<String> = self.calls.iter().map(AggregateCall::describe).collect();
        match (groups.is_empty(), calls.is_empty()) {
            (true, _) => calls.join(", "),
            (false, true) => format!("group by {}", groups.join(", ")),
            (false, false) => format!("group by {}: {}", groups.join(", "), calls.join(", ")),
        }
    }

    fn details(&self) -> Vec<String> {
        self.choice.lines()
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build_parts(&self, builder: &mut PipelineBuilder, parting: &Parting) -> Result<Option<PartStream>> {
        let Parting::Ranges { column, cuts, .. } = parting else { return Ok(None) };
        let Some(column) = self.spec.groups.get(*column).and_then(|group| group.as_column()) else { return Ok(None) };
        // Whatever the parent does with NULL: here it is one group.
        let below = Parting::Ranges { column, cuts: cuts.clone(), nulls: NullRows::First };
        let Some((parts, requires)) = self.parts(builder, &below)? else { return Ok(None) };
        let stream = PartStream::new(parts, &Arc::new(OperatorMetrics::default()));
        Ok(Some(requires.into_iter().fold(stream, PartStream::after)))
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        if let Some(parting) = &self.choice.parting {
            let parts = self.parts(builder, parting)?;
            let (parts, requires) = parts.ok_or_else(|| Error::internal("an input does not deliver the parts that it offers"))?;
            return Ok(PartsSource::stream(parts, parting.count(), &requires));
        }
        let input = self.input.build(builder)?;
        let metrics = &self.info.metrics;
        let shared = Arc::new(Shared {
            spec: self.spec.clone(),
            phase: self.phase,
            cells: Mutex::default(),
            units: Mutex::default(),
            complete: AtomicBool::new(false),
            groups: metrics.counter("groups", Unit::Count),
            partitions: metrics.counter("partitions", Unit::Count),
        });
        let done = builder.end(input, Arc::new(AggregateSink(shared.clone())), metrics);
        Ok(Stream::new(Arc::new(AggregateSource(shared)), metrics).after(done))
    }
}

/// What the sink leaves to the source.
struct Shared {
    spec: Arc<Spec>,
    phase: Phase,
    cells: Mutex<Vec<Arc<Cell>>>,
    units: Mutex<Vec<Work>>,
    complete: AtomicBool,
    groups: Counter,
    partitions: Counter,
}

/// Groups that no other unit has.
enum Work {
    /// Tables that were never scattered.
    Tables(Vec<Local>),
    /// One partition of the tables of level `level - 1`, and what its rows take.
    Partition { partition: Partition, level: u32, reservation: Option<Reservation> },
}

/// A task's table where others can have it spilled.
struct Cell {
    local: Mutex<Option<Local>>,
    query: Arc<QueryContext>,
    /// Somebody is short of memory.
    wanted: AtomicBool,
    total: bool,
}

impl Spillable for Cell {
    fn reclaimable(&self) -> usize {
        if self.total {
            return 0;
        }
        self.local.try_lock().and_then(|local| local.as_ref().map(Local::spillable)).unwrap_or(0)
    }

    fn reclaim(&self) -> Result<usize> {
        match self.local.try_lock() {
            Some(mut local) => local.as_mut().map_or(Ok(0), |local| local.spill(&self.query)),
            None => {
                self.wanted.store(true, Ordering::Relaxed);
                Ok(0)
            }
        }
    }
}

struct AggregateSink(Arc<Shared>);

impl Sink for AggregateSink {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        let local = Local::new(&self.0.spec, 0, &task.query)?;
        let cell = Arc::new(Cell {
            local: Mutex::new(Some(local)),
            query: task.query.clone(),
            wanted: AtomicBool::new(false),
            total: self.0.spec.is_total(),
        });
        task.query.memory.register(&cell);
        Ok(Box::new(AggregateTask { shared: self.0.clone(), cell }))
    }

    fn finalize(&self, stage: usize, query: &Arc<QueryContext>) -> Result<Vec<Job>> {
        let shared = &self.0;
        if shared.complete.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let mut cells = shared.cells.lock();
        if stage == 0 {
            // Out of the cells, so that nobody spills them while it is decided.
            let tables: Vec<Local> = cells.iter().filter_map(|cell| cell.local.lock().take()).collect();
            let groups: usize = tables.iter().map(Local::groups).sum();
            let scattered = tables.iter().any(Local::is_scattered);
            // One table alone has nothing to be merged with.
            let parallel = cells.len() > 1;
            if scattered || (groups > GROUPS_MERGED_ALONE && parallel) {
                cells.iter().zip(tables).for_each(|(cell, table)| *cell.local.lock() = Some(table));
                let scatter = |cell: &Arc<Cell>| {
                    let cell = cell.clone();
                    Box::new(move |_: &TaskContext| cell.local.lock().as_mut().map_or(Ok(()), Local::scatter)) as Job
                };
                return Ok(cells.iter().map(scatter).collect());
            }
            cells.clear();
            shared.units.lock().push(Work::Tables(tables));
        } else {
            let mut partitions: Vec<Partition> = Vec::new();
            partitions.resize_with(FANOUT, Partition::default);
            for cell in cells.drain(..) {
                let Some(mut local) = cell.local.lock().take() else { continue };
                partitions.iter_mut().zip(local.take_partitions()).for_each(|(all, one)| all.append(one));
            }
            *shared.units.lock() = units(partitions, 1, query, &shared.spec);
        }
        shared.complete.store(true, Ordering::Relaxed);
        Ok(Vec::new())
    }
}

/// The partitions that hold anything, as units of work.
fn units(partitions: Vec<Partition>, level: u32, query: &QueryContext, spec: &Spec) -> Vec<Work> {
    let filled = partitions.into_iter().filter(|partition| !partition.is_empty());
    filled
        .map(|partition| {
            let mut reservation = query.memory.reserve(Some(spec.metrics.clone()));
            reservation.grow_anyway(partition.bytes());
            Work::Partition { partition, level, reservation: Some(reservation) }
        })
        .collect()
}

struct AggregateTask {
    shared: Arc<Shared>,
    cell: Arc<Cell>,
}

impl SinkTask for AggregateTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        let mut local = self.cell.local.lock();
        if let Some(local) = local.as_mut() {
            match self.shared.phase {
                Phase::Whole | Phase::Partial => local.update(&chunk, task)?,
                Phase::Final { keys_before, keys_from } => {
                    let (states, keys) = chunk.columns()[keys_before..].split_at(keys_from - keys_before);
                    local.absorb_input(&chunk, keys, states, task)?;
                }
            }
            if self.cell.wanted.swap(false, Ordering::Relaxed) && local.spillable() > 0 {
                local.spill(&task.query)?;
            }
        }
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        self.shared.cells.lock().push(self.cell);
        Ok(())
    }
}

struct AggregateSource(Arc<Shared>);

impl Source for AggregateSource {
    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let Some(unit) = self.0.units.lock().pop() else { return Ok(None) };
        Ok(Some(Box::new(MergeCursor { shared: self.0.clone(), work: vec![unit], ready: None })))
    }
}

/// Merges units and gives their rows chunk by chunk.
struct MergeCursor {
    shared: Arc<Shared>,
    work: Vec<Work>,
    /// The merged rows, how many of them are out, and the table whose reservation they are under.
    ready: Option<(Partial, usize, Local)>,
}

impl MergeCursor {
    fn merge(&mut self, work: Work, task: &TaskContext) -> Result<()> {
        let spec = self.shared.spec.clone();
        let mut local = match work {
            Work::Tables(mut tables) => {
                // The largest takes over the others.
                tables.sort_by_key(Local::groups);
                let mut local = match tables.pop() {
                    Some(local) => local,
                    None => Local::new(&spec, 0, &task.query)?,
                };
                for other in tables {
                    local.absorb_table(other, task)?;
                }
                local
            }
            Work::Partition { partition, level, reservation } => {
                let mut local = Local::new(&spec, level, &task.query)?;
                for partial in partition.partials {
                    task.check_cancelled()?;
                    local.absorb(&partial, task)?;
                }
                drop(reservation);
                for run in partition.runs {
                    let mut reader = run.read()?;
                    while let Some(batch) = reader.next()? {
                        task.check_cancelled()?;
                        local.absorb(&Partial { columns: batch.columns().to_vec(), rows: batch.num_rows() }, task)?;
                    }
                }
                local
            }
        };
        if local.is_scattered() {
            local.scatter()?;
            let level = local.level() + 1;
            self.work.extend(units(local.take_partitions(), level, &task.query, &spec));
            return Ok(());
        }
        let partial = match self.shared.phase {
            Phase::Partial => local.finish_partial()?,
            Phase::Whole | Phase::Final { .. } => local.finish()?,
        };
        self.shared.groups.add(partial.rows as u64);
        self.shared.partitions.add(1);
        self.ready = Some((partial, 0, local));
        Ok(())
    }
}

impl Cursor for MergeCursor {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        if let Some((partial, out, _)) = &mut self.ready {
            let rows = (partial.rows - *out).min(task.query.chunk_rows.max(1));
            if rows > 0 {
                let columns = partial.columns.iter().map(|column| column.slice(*out, rows)).collect();
                *out += rows;
                return Ok(Step::Chunk(Chunk::from_arrays(columns, rows)));
            }
            self.ready = None;
        }
        let Some(work) = self.work.pop() else { return Ok(Step::Done) };
        self.merge(work, task)?;
        Ok(Step::Yield)
    }
}
