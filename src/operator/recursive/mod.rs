//! Recursive queries, semi-naive: each level is computed from the rows of the level before alone.
//!
//! ```text
//!   first term ──> rows of level 0 ──┐
//!                                    ├──> work rows ──> recursive term, planned anew ──┐
//!                     new rows <─────┴────────── rows that were there are dropped <────┘
//! ```
//!
//! The first term runs as any plan does. Then one task goes from level to level: it plans the
//! recursive term over the work rows (their number is known then, so small ones are built on), runs
//! it as a region, drops with UNION what was there before ([`seen`]), hands new rows on at once and
//! keeps them as the next work rows, in segments that go to disk under memory pressure. It ends with
//! a level without new rows; more levels than allowed are an error.
//!
//! Cost: what the recursive term costs over each level's rows. Inputs that do not depend on the work
//! rows are read once a level. NULL equals NULL where rows are compared.

mod seen;

use super::shared::Kept;
use crate::column::{Chunk, storage_schema};
use crate::error::{Error, Result};
use crate::exec::region::Region;
use crate::exec::{
    Cursor, Flow, NodeInfo, OperatorMetrics, PipelineBuilder, PlanNode, PlanRef, SinkTask, Source, Step, Stream, TaskContext,
};
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use seen::Seen;
use std::fmt;
use std::sync::Arc;

/// How many times as many rows as its first term's a recursive query gives. Guessed.
const GROWTH: f64 = 5.0;

/// The rows that one level of a recursion reads.
#[derive(Debug, Clone)]
pub struct WorkRows(Arc<Kept>);

impl WorkRows {
    /// No rows of `schema`: for a plan that is only shown.
    pub fn none(schema: SchemaRef) -> Self {
        Self(Kept::new(schema, 1, &Arc::default()))
    }
}

/// Reads the work rows.
#[derive(Debug)]
pub struct WorkNode {
    info: NodeInfo,
    rows: WorkRows,
}

impl WorkNode {
    /// All work rows, as the recursion has them.
    pub fn new(rows: WorkRows, schema: SchemaRef) -> Self {
        let info = NodeInfo::new(schema, rows.0.rows() as f64);
        Self { info, rows }
    }
}

impl PlanNode for WorkNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "WorkRows"
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        Ok(Stream::new(self.rows.0.source(), &self.info.metrics))
    }
}

/// What a recursive query is made of.
pub struct Recursion {
    /// Gives level 0, without repetition if that is asked for.
    pub first: PlanRef,
    /// The recursive term over other work rows.
    pub term: Box<dyn Fn(&WorkRows) -> Result<PlanRef> + Send + Sync>,
    /// The recursive term as EXPLAIN shows it.
    pub shown: PlanRef,
    /// How often the term reads the work rows.
    pub references: usize,
    /// UNION: each row comes once.
    pub distinct: bool,
    /// Levels after the first, at most.
    pub levels_max: usize,
}

/// See the module.
pub struct RecursiveNode {
    info: NodeInfo,
    recursion: Arc<Recursion>,
}

impl RecursiveNode {
    /// A recursive query with rows of `schema`.
    pub fn new(recursion: Recursion, schema: SchemaRef) -> Self {
        let info = NodeInfo::new(schema, recursion.first.info().estimated_rows * GROWTH);
        Self { info, recursion: Arc::new(recursion) }
    }
}

impl fmt::Debug for RecursiveNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecursiveNode").field("first", &self.recursion.first).finish_non_exhaustive()
    }
}

impl PlanNode for RecursiveNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Recursive"
    }

    fn summary(&self) -> String {
        let Recursion { distinct, levels_max, .. } = &*self.recursion;
        format!("{}at most {levels_max} levels", if *distinct { "each row once, " } else { "" })
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.recursion.first, &self.recursion.shown]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let first = self.recursion.first.build(builder)?;
        // Read to be handed on, and by the recursive term.
        let kept = Kept::new(self.info.schema.clone(), self.recursion.references + 1, &self.info.metrics);
        let complete = builder.end(first, kept.sink(), &self.info.metrics);
        let source = Levels {
            recursion: self.recursion.clone(),
            schema: self.info.schema.clone(),
            metrics: self.info.metrics.clone(),
            first: Mutex::new(Some(kept)),
        };
        Ok(Stream::new(Arc::new(source), &self.info.metrics).after(complete))
    }
}

/// One unit of work: the whole recursion.
struct Levels {
    recursion: Arc<Recursion>,
    schema: SchemaRef,
    metrics: Arc<OperatorMetrics>,
    first: Mutex<Option<Arc<Kept>>>,
}

impl Source for Levels {
    fn tasks_max(&self) -> usize {
        1
    }

    fn open(&self, task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let Some(work) = self.first.lock().take() else { return Ok(None) };
        let types = self.schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let held = task.query.memory.reserve(Some(self.metrics.clone()));
        let seen = self.recursion.distinct.then(|| Seen::new(types, storage_schema(&self.schema), held));
        Ok(Some(Box::new(Level {
            recursion: self.recursion.clone(),
            schema: self.schema.clone(),
            metrics: self.metrics.clone(),
            seen,
            number: 0,
            reading: Reading::First { source: work.source(), cursor: None },
            work,
            next: None,
        })))
    }
}

/// A place in a recursion.
struct Level {
    recursion: Arc<Recursion>,
    schema: SchemaRef,
    metrics: Arc<OperatorMetrics>,
    seen: Option<Seen>,
    /// The level whose rows are coming out.
    number: usize,
    reading: Reading,
    /// The rows of the level before, or of level 0 while those are handed on.
    work: Arc<Kept>,
    /// The rows of this level, for the next.
    next: Option<(Arc<Kept>, Box<dyn SinkTask>)>,
}

enum Reading {
    /// Level 0 is handed on.
    First {
        source: Arc<dyn Source>,
        cursor: Option<Box<dyn Cursor>>,
    },
    /// The recursive term runs.
    Term(Box<Region>),
    /// The term is over; rows that went to disk are judged.
    Judging,
    Over,
}

impl Level {
    /// New rows of this level: kept for the next one and handed on.
    fn give(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Step> {
        if chunk.rows() == 0 {
            return Ok(Step::Yield);
        }
        if self.number > self.recursion.levels_max {
            return Err(Error::value(format!("a recursive query goes on after {} levels", self.recursion.levels_max))
                .with_hint("SET skep.sql.recursion_levels_max, or give the recursive term a condition that ends it"));
        }
        if let Some((_, keeping)) = &mut self.next
            && keeping.push(chunk.clone(), task)? != Flow::Continue
        {
            return Err(Error::internal("the work rows of a recursion are not wanted"));
        }
        Ok(Step::Chunk(chunk))
    }

    /// Plans the recursive term over the rows of the level that is over.
    fn descend(&mut self, task: &TaskContext) -> Result<()> {
        if let Some((kept, keeping)) = self.next.take() {
            keeping.finish(task)?;
            self.work = kept;
        }
        if self.work.rows() == 0 {
            self.reading = Reading::Over;
            return Ok(());
        }
        self.number += 1;
        let kept = Kept::new(self.schema.clone(), self.recursion.references, &self.metrics);
        let keeping = kept.sink().start(task)?;
        self.next = Some((kept, keeping));
        let plan = (self.recursion.term)(&WorkRows(self.work.clone()))?;
        let mut builder = PipelineBuilder::new();
        let stream = plan.build(&mut builder)?;
        self.reading = Reading::Term(Box::new(Region::new(builder, stream)));
        Ok(())
    }
}

impl Cursor for Level {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        match &mut self.reading {
            Reading::First { source, cursor } => {
                if cursor.is_none() {
                    *cursor = source.open(task)?;
                }
                let Some(rows) = cursor else {
                    self.descend(task)?;
                    return Ok(Step::Yield);
                };
                match rows.next(task)? {
                    Step::Chunk(chunk) => {
                        if let Some(seen) = &mut self.seen {
                            // They differ from one another; those that go to disk have come out here.
                            seen.know(&chunk, task)?;
                        }
                        Ok(Step::Chunk(chunk))
                    }
                    Step::Done => {
                        *cursor = None;
                        Ok(Step::Yield)
                    }
                    other => Ok(other),
                }
            }
            Reading::Term(region) => match region.next(task)? {
                Step::Chunk(chunk) => {
                    let rows = chunk.rows();
                    let stored = Chunk::from_arrays(chunk.stored(&self.schema)?, rows);
                    let fresh = match &mut self.seen {
                        Some(seen) => seen.judge(&stored, task)?,
                        None => Some(stored),
                    };
                    match fresh {
                        Some(fresh) => self.give(fresh, task),
                        None => Ok(Step::Yield),
                    }
                }
                Step::Done => {
                    self.reading = Reading::Judging;
                    Ok(Step::Yield)
                }
                other => Ok(other),
            },
            Reading::Judging => {
                let fresh = match &mut self.seen {
                    Some(seen) => seen.next_fresh(task)?,
                    None => None,
                };
                match fresh {
                    Some(chunk) => self.give(chunk, task),
                    None => {
                        self.descend(task)?;
                        Ok(Step::Yield)
                    }
                }
            }
            Reading::Over => Ok(Step::Done),
        }
    }
}
