//! Scans: of Parquet files, skipping what bounds rule out and decoding late, and of batches in memory.
//!
//! Problem: deliver the rows of a table that pass its predicates while reading and decoding as
//! little as possible. Row groups and pages that bounds, Bloom filters or dictionaries rule out are
//! never decoded ([`prune`]); in the others each window of rows first gets its predicates' columns only, and the other columns
//! where rows survive.
//!
//! ```text
//!   files ─> row groups ──bounds──> morsels ─> pages ──bounds──> windows of chunk_rows rows
//!                                                                  │ predicate columns ─> mask
//!                                                                  │ empty mask: next window
//!                                                                  └ other columns, selection
//! ```
//!
//! Cost: a window that loses all its rows costs its predicates' columns; skipped pages cost nothing.
//! NULL: a row passes only where every predicate is true. Idea: Abadi et al., "Materialization
//! Strategies in a Column-Oriented DBMS", ICDE 2007.

mod condition;
mod cursor;
mod figures;
mod filter;
mod memory;
mod prune;
mod source;

#[cfg(test)]
mod tests;

pub use memory::MemoryScanNode;

use crate::catalog::{FileTable, Table};
use crate::error::Result;
use crate::exec::{NodeInfo, PipelineBuilder, PlanNode, PlanRef, Stream};
use crate::layout::{Layout, ScanPredicate};
use arrow::datatypes::{Schema, SchemaRef};
use condition::Condition;
use prune::Unit;
use source::{Counters, ScanSource};
use std::sync::Arc;

/// Reads a table of files.
#[derive(Debug)]
pub struct ScanNode {
    info: NodeInfo,
    table: Arc<FileTable>,
    projection: Vec<usize>,
    conditions: Vec<Arc<Condition>>,
    units: Arc<Vec<Unit>>,
    skipped: usize,
}

impl ScanNode {
    /// A scan that delivers the columns of `projection` (positions in the table's schema), of the
    /// rows for which all `predicates` are true. `runtime` are filters that joins fill while the
    /// query runs; they may be ignored. Row groups that bounds rule out are dropped here already.
    pub fn new(
        table: Arc<FileTable>,
        projection: Vec<usize>,
        predicates: Vec<Arc<dyn ScanPredicate>>,
        runtime: Vec<Arc<dyn ScanPredicate>>,
        estimated_rows: f64,
    ) -> ScanNode {
        let schema = project(table.schema(), &projection);
        let statistics = table.statistics();
        let columns = projection.iter().map(|column| statistics.columns.get(*column).cloned().unwrap_or_default()).collect();
        let partition = |position: &usize| projection[*position] >= table.file_columns();
        let partition_columns = (0..projection.len()).filter(partition).collect();
        let layout = Layout { columns, partition_columns, ..Layout::default() };
        let predicates = predicates.into_iter().map(|predicate| Condition::new(predicate, false));
        let conditions = predicates.chain(runtime.into_iter().map(|filter| Condition::new(filter, true))).collect::<Vec<_>>();
        let (units, skipped) = prune::units(&table, &conditions);
        let info = NodeInfo::new(schema, estimated_rows).with_layout(layout);
        ScanNode { info, table, projection, conditions, units: Arc::new(units), skipped }
    }
}

impl PlanNode for ScanNode {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn name(&self) -> &'static str {
        "Scan"
    }

    fn summary(&self) -> String {
        self.table.path().to_string()
    }

    fn details(&self) -> Vec<String> {
        let files = self.table.files().len();
        let total = self.units.len() + self.skipped;
        let mut lines = vec![format!("files: {files}, row groups: {total}, of which skipped: {}", self.skipped)];
        lines.extend(self.conditions.iter().map(|condition| condition.describe()));
        lines
    }

    fn figures(&self) -> Option<Vec<String>> {
        Some(figures::lines(&self.table, &self.conditions, &self.projection, &Counters::new(&self.info.metrics)))
    }

    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }

    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        let source = ScanSource::new(
            self.table.clone(),
            self.projection.clone(),
            self.conditions.clone(),
            self.units.clone(),
            &self.info.metrics,
        );
        source.counters.row_groups_skipped.add(self.skipped as u64);
        Ok(Stream::new(Arc::new(source), &self.info.metrics))
    }
}

fn project(schema: &SchemaRef, projection: &[usize]) -> SchemaRef {
    Arc::new(Schema::new(projection.iter().map(|column| schema.fields()[*column].clone()).collect::<Vec<_>>()))
}
