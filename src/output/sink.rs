//! The sink that writes rows to files, and the plan node that ends a query in it.

use super::arrangement::{Arrangement, OutputOrder};
use super::dynamic::{DynamicTask, Overflow, drain};
use super::file::{Files, PartWriter};
use super::grouping::{Grouping, Place};
use super::job::Job;
use super::options::OutputOptions;
use super::ordered::OrderedTask;
use crate::column::Chunk;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::exec::{
    Cursor, Flow, Job as ExecJob, NodeInfo, OperatorMetrics, PipelineBuilder, PlanNode, PlanRef, QueryContext, Reservation, Sink,
    SinkTask, Source, Stream, TaskContext,
};
use arrow::datatypes::{Schema, SchemaRef};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Relative to the output's directory.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The CRC-32 of its bytes.
    pub crc32: u32,
    /// Its rows.
    pub rows: u64,
    /// Whether it is durable: of many files only the first are synced one by one.
    pub synced: bool,
}

/// The sink of one output. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Writer(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) files: Arc<Files>,
    /// The columns that go into files.
    pub(super) data: Vec<usize>,
    /// SQL types of all columns.
    pub(super) schema: SchemaRef,
    pub(super) grouping: Option<Grouping>,
    pub(super) overflow: Overflow,
    arrangement: Arrangement,
    single: bool,
}

impl Writer {
    /// Writes rows of `schema` (SQL types, names as they are to be written) into the directory of
    /// `job`, laid out as `arrangement` says. Where that asks for an order the rows must come in it,
    /// equal [`Arrangement::groups`] together. With `single`, all rows go into one file of the
    /// target's name.
    ///
    /// # Errors
    /// Columns of one name, none but partition columns, and types that the format, directories or
    /// buckets cannot have.
    pub fn new(
        disk: &Disk,
        job: &Job,
        schema: &SchemaRef,
        arrangement: &Arrangement,
        options: &OutputOptions,
        single: bool,
    ) -> Result<Self> {
        for (position, field) in schema.fields().iter().enumerate() {
            let name = field.name().to_lowercase();
            if name.is_empty() {
                return Err(Error::sql("an output column without a name").with_hint("name it with AS"));
            }
            if schema.fields()[..position].iter().any(|other| other.name().to_lowercase() == name) {
                return Err(Error::sql(format!("two output columns are called '{name}'")).with_hint("name them with AS"));
            }
        }
        let data: Vec<usize> = (0..schema.fields().len()).filter(|column| !arrangement.partitions.contains(column)).collect();
        if data.is_empty() {
            return Err(Error::sql("every column is a partition column: files would have none"));
        }
        let fields: Vec<_> = data.iter().map(|column| schema.field(*column).clone()).collect();
        let name = single.then(|| job.target().file_name().map(PathBuf::from)).flatten();
        arrangement.check(schema)?;
        let in_files =
            |order: &OutputOrder| Some(OutputOrder { column: data.iter().position(|at| *at == order.column)?, ..*order });
        let own = Arrangement {
            buckets: arrangement.buckets.clone(),
            sorted_by: arrangement.sorted_by.iter().filter_map(in_files).collect(),
            ..Arrangement::default()
        };
        let files = Files::new(disk, job.directory(), job.id(), &Schema::new(fields), &own, options, name)?;
        let grouped = !arrangement.partitions.is_empty() || arrangement.buckets.is_some();
        let grouping = if grouped { Some(Grouping::new(schema, arrangement)?) } else { None };
        Ok(Self(Arc::new(Shared {
            files: Arc::new(files),
            data,
            schema: schema.clone(),
            grouping,
            overflow: Overflow::default(),
            arrangement: arrangement.clone(),
            single,
        })))
    }

    /// The files written, once the query has ended; by path.
    pub fn files(&self) -> Vec<WrittenFile> {
        self.0.files.written()
    }
}

impl Sink for Writer {
    fn start(&self, task: &TaskContext) -> Result<Box<dyn SinkTask>> {
        let memory = task.query.memory.reserve(None);
        Ok(match &self.0.grouping {
            Some(_) if !self.0.arrangement.sorted_by.is_empty() => Box::new(OrderedTask::new(&self.0, memory)),
            Some(_) => Box::new(DynamicTask::new(&self.0, task, memory)),
            None => {
                let part = if self.0.single { 0 } else { usize::MAX };
                Box::new(PlainTask { shared: self.0.clone(), part, writer: None, memory })
            }
        })
    }

    fn finalize(&self, stage: usize, query: &Arc<QueryContext>) -> Result<Vec<ExecJob>> {
        if stage == 0 {
            let runs = self.0.overflow.take(query, &self.0.schema)?;
            let jobs = runs.into_iter().map(|run| {
                let shared = self.0.clone();
                Box::new(move |task: &TaskContext| drain(&shared, run, task)) as ExecJob
            });
            let jobs: Vec<ExecJob> = jobs.collect();
            if !jobs.is_empty() {
                return Ok(jobs);
            }
            return Ok(vec![Box::new(|_: &TaskContext| Ok(()))]);
        }
        if stage == 1 {
            let shared = self.0.clone();
            // A reader learns the columns from a file without rows; Spark writes one, too.
            return Ok(vec![Box::new(move |_: &TaskContext| shared.files.end(shared.arrangement.partitions.is_empty()))]);
        }
        Ok(Vec::new())
    }
}

/// Writes all rows of a task to its own file, or to the one of all.
struct PlainTask {
    shared: Arc<Shared>,
    part: usize,
    writer: Option<PartWriter>,
    memory: Reservation,
}

impl SinkTask for PlainTask {
    fn push(&mut self, chunk: Chunk, task: &TaskContext) -> Result<Flow> {
        if self.writer.is_none() {
            if self.part == usize::MAX {
                self.part = self.shared.files.part();
            }
            self.writer = Some(PartWriter::new(&self.shared.files, Place::default(), self.part)?);
        }
        let Some(writer) = &mut self.writer else { return Ok(Flow::Continue) };
        writer.push(&chunk.project(&self.shared.data))?;
        if !hold(&mut self.memory, writer.memory_bytes())? || task.query.always_spill {
            writer.flush()?;
            settle(&mut self.memory, writer.memory_bytes());
        }
        Ok(Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> Result<()> {
        self.writer.map_or(Ok(()), PartWriter::close)
    }
}

/// Makes a reservation `bytes` large; false when the budget does not allow it.
pub(super) fn hold(memory: &mut Reservation, bytes: usize) -> Result<bool> {
    let more = bytes.saturating_sub(memory.bytes());
    if more == 0 {
        settle(memory, bytes);
        return Ok(true);
    }
    if memory.try_grow(more) {
        return Ok(true);
    }
    let budget = memory.budget().clone();
    Ok(budget.reclaim(more)? > 0 && memory.try_grow(more))
}

/// Makes a reservation `bytes` large, whatever the limit says.
pub(super) fn settle(memory: &mut Reservation, bytes: usize) {
    let held = memory.bytes();
    if bytes < held {
        memory.shrink(held - bytes);
    } else {
        memory.grow_anyway(bytes - held);
    }
}

/// Runs its input into a [`Writer`] and gives no rows.
#[derive(Debug)]
pub struct WriteNode {
    info: NodeInfo,
    input: PlanRef,
    /// None for a plan that is only shown.
    writer: Option<Writer>,
    target: String,
    lines: Vec<String>,
}

impl WriteNode {
    /// Writes the rows of `input` by `writer`; `target` is for EXPLAIN.
    pub fn new(input: PlanRef, writer: Writer, target: &Path) -> Self {
        let info = NodeInfo::new(Arc::new(Schema::empty()), 0.0);
        let lines = writer.0.arrangement.lines(&writer.0.schema);
        Self { info, input, writer: Some(writer), target: target.display().to_string(), lines }
    }

    /// A node that only says what it would do.
    pub fn described(input: PlanRef, schema: &SchemaRef, arrangement: &Arrangement, target: &Path) -> Self {
        let info = NodeInfo::new(Arc::new(Schema::empty()), 0.0);
        Self { info, input, writer: None, target: target.display().to_string(), lines: arrangement.lines(schema) }
    }
}

impl PlanNode for WriteNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Write"
    }

    fn summary(&self) -> String {
        self.target.clone()
    }

    fn details(&self) -> Vec<String> {
        self.lines.clone()
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn build(&self, builder: &mut PipelineBuilder) -> Result<Stream> {
        let Some(writer) = self.writer.clone() else { return Err(Error::internal("a write that is only shown")) };
        let input = self.input.build(builder)?;
        let metrics: &Arc<OperatorMetrics> = &self.info.metrics;
        let done = builder.end(input, Arc::new(writer), metrics);
        Ok(Stream::new(Arc::new(Nothing), metrics).after(done))
    }
}

/// A source without rows.
struct Nothing;

impl Source for Nothing {
    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        Ok(None)
    }
}
