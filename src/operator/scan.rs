//! Scans: of Parquet files, skipping what bounds rule out and decoding late, of files of other formats
//! ([`FormatScanNode`]), and of batches in memory.
//!
//! Problem: deliver the rows of a table that pass its predicates while reading and decoding as
//! little as possible. Row groups and pages that bounds, Bloom filters or dictionaries rule out are
//! never decoded ([`prune`]); in the others each window of rows first gets its predicates' columns
//! only, and the other columns where rows survive.
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

mod check;
mod condition;
mod cursor;
mod figures;
mod filter;
mod formatted;
mod inline;
mod memory;
mod parts;
mod prune;
mod source;

#[cfg(test)]
mod tests;

pub use formatted::FormatScanNode;
pub use memory::MemoryScanNode;

use crate::catalog::{FileTable, Table, TableZones};
use crate::error::Result;
use crate::exec::{NodeInfo, OperatorMetrics, PartStream, PipelineBuilder, PlanNode, PlanRef, Stream};
use crate::layout::{Buckets, Layout, Parting, Partitions, Parts, ScanPredicate, ZoneMap};
use arrow::datatypes::{Schema, SchemaRef};
use check::{BucketCheck, CheckSink, CheckSource};
use condition::Condition;
use datafusion_common::ScalarValue;
use inline::Inline;
use parts::ScanParts;
use prune::Unit;
use source::{Counters, Scan, ScanSource};
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
        let predicates = predicates.into_iter().map(|predicate| Condition::new(predicate, false));
        let conditions = predicates.chain(runtime.into_iter().map(|filter| Condition::new(filter, true))).collect::<Vec<_>>();
        let (units, skipped) = prune::units(&table, &conditions);
        let parts = delivered(&table, &projection, &units);
        let layout = Layout { columns, partition_columns, parts, ..Layout::default() };
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
        let mut lines = figures::lines(&self.table, &self.conditions, &self.projection, &Counters::new(&self.info.metrics));
        let named = self.info.metrics.named();
        let checked = named.iter().filter(|(name, _, rows)| [check::ROWS_CHECKED, inline::STRAYS].contains(name) && *rows > 0);
        lines.extend(checked.map(|(name, unit, rows)| format!("{name} {}", unit.show(*rows))));
        Some(lines)
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

    fn build_parts(&self, builder: &mut PipelineBuilder, parting: &Parting) -> Result<Option<PartStream>> {
        let metrics = &self.info.metrics;
        let check = match parting {
            Parting::Buckets { .. } => BucketCheck::new(&self.table, &self.units, metrics).map(Arc::new),
            Parting::Ranges { .. } | Parting::Values { .. } => None,
        };
        let scan = Scan {
            table: self.table.clone(),
            projection: self.projection.clone(),
            conditions: self.conditions.clone(),
            counters: Counters::new(metrics),
        };
        let inline = match (&check, parting, self.table.buckets()) {
            (Some(check), Parting::Buckets { columns, inline: true, .. }, Some(buckets))
                if !check.is_done() && !check.is_refuted() =>
            {
                Some(Inline::new(&self.table, buckets, columns, &self.info.schema, &check.unknown(), metrics))
            }
            _ => None,
        };
        let check = if inline.is_some() { None } else { check };
        let parts = ScanParts::new(Arc::new(scan), metrics, &self.units, parting, check.clone(), inline);
        let Some(parts) = parts else { return Ok(None) };
        Counters::new(metrics).row_groups_skipped.add(self.skipped as u64);
        let mut stream = PartStream::new(Arc::new(parts), metrics);
        if let Some(check) = check.filter(|check| !check.is_done()) {
            let uncounted = Arc::new(OperatorMetrics::default());
            let source = Stream::new(Arc::new(CheckSource(check.clone())), &uncounted);
            stream = stream.after(builder.end(source, Arc::new(CheckSink(check)), &uncounted));
        }
        Ok(Some(stream))
    }
}

/// The parts that a scan can deliver its rows in.
fn delivered(table: &Arc<FileTable>, projection: &[usize], units: &[Unit]) -> Parts {
    let position = |column: usize| projection.iter().position(|known| *known == column);
    let places = units.iter().map(|unit| (unit.file, unit.row_group)).collect();
    let source = Arc::new(TableZones::new(table.clone(), places));
    let zones = ZoneMap::new(source, projection.iter().map(|column| Some(*column)).collect());
    let buckets = table.buckets().and_then(|buckets| {
        let columns = buckets.columns.iter().map(|column| position(*column)).collect::<Option<Vec<_>>>()?;
        Some(Buckets { columns, count: buckets.count, hash: buckets.hash, evidence: buckets.evidence })
    });
    let keys: Vec<usize> = (table.file_columns()..table.schema().fields().len()).filter(|key| position(*key).is_some()).collect();
    let partitions = (!keys.is_empty()).then(|| {
        let mut values: Vec<(Vec<ScalarValue>, u64)> = Vec::new();
        for unit in units {
            let own = &table.files()[unit.file].partition;
            let tuple: Vec<ScalarValue> = keys.iter().map(|key| own[*key - table.file_columns()].clone()).collect();
            match values.iter_mut().rev().find(|(known, _)| *known == tuple) {
                Some((_, rows)) => *rows += unit.rows.len() as u64,
                None => values.push((tuple, unit.rows.len() as u64)),
            }
        }
        Partitions { columns: keys.iter().filter_map(|key| position(*key)).collect(), values: Arc::new(values) }
    });
    Parts { zones: Some(zones), buckets, partitions }
}

fn project(schema: &SchemaRef, projection: &[usize]) -> SchemaRef {
    Arc::new(Schema::new(projection.iter().map(|column| schema.fields()[*column].clone()).collect::<Vec<_>>()))
}
