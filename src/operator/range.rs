//! `range(start, end, step)`: numbers that are made, not read.

use crate::column::Chunk;
use crate::error::Result;
use crate::exec::{Cursor, NodeInfo, PipelineBuilder, PlanNode, PlanRef, Source, Step, Stream, TaskContext};
use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of one unit of work. Guessed: a millisecond's work.
const MORSEL_ROWS: u64 = 1 << 18;

/// The numbers `start + i * step` for `i` below a count.
#[derive(Debug)]
pub struct RangeNode {
    info: NodeInfo,
    start: i64,
    step: i64,
    count: u64,
}

impl RangeNode {
    /// `schema` has one BIGINT column. No number overflows 64 bits.
    pub fn new(schema: SchemaRef, start: i64, step: i64, count: u64) -> Self {
        Self { info: NodeInfo::new(schema, count as f64), start, step, count }
    }
}

impl PlanNode for RangeNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Range"
    }

    fn summary(&self) -> String {
        format!("{} numbers from {} by {}", self.count, self.start, self.step)
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        let source = Numbers { start: self.start, step: self.step, count: self.count, next: AtomicU64::new(0) };
        Ok(Stream::new(Arc::new(source), &self.info.metrics))
    }
}

struct Numbers {
    start: i64,
    step: i64,
    count: u64,
    next: AtomicU64,
}

impl Source for Numbers {
    fn tasks_max(&self) -> usize {
        // A short range comes out in order, which is what its writer expects to see.
        if self.count <= MORSEL_ROWS { 1 } else { usize::MAX }
    }

    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let morsel = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(at) = morsel.checked_mul(MORSEL_ROWS).filter(|at| *at < self.count) else { return Ok(None) };
        let end = (at + MORSEL_ROWS).min(self.count);
        Ok(Some(Box::new(Stretch { start: self.start, step: self.step, at, end, morsel })))
    }
}

/// The numbers `at` to `end` of a range.
struct Stretch {
    start: i64,
    step: i64,
    at: u64,
    end: u64,
    morsel: u64,
}

impl Cursor for Stretch {
    fn next(&mut self, task: &TaskContext) -> Result<Step> {
        let end = self.end.min(self.at + task.query.chunk_rows.max(1) as u64);
        if end <= self.at {
            return Ok(Step::Done);
        }
        // Exact modulo 2^64, and no number of the range overflows.
        let number = |at: u64| self.start.wrapping_add(self.step.wrapping_mul(at as i64));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((self.at..end).map(number)));
        let mut chunk = Chunk::from_arrays(vec![numbers], (end - self.at) as usize);
        chunk.order.morsel = self.morsel;
        chunk.order.sequence = self.at;
        self.at = end;
        Ok(Step::Chunk(chunk))
    }
}
