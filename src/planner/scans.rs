//! Table scans.

use super::Planner;
use super::filters::Led;
use crate::catalog::{FileTable, FormatTable, MemoryTable, TableHandle};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr;
use crate::layout::ScanPredicate;
use crate::operator::LimitNode;
use crate::operator::scan::{FormatScanNode, MemoryScanNode, ScanNode};
use datafusion_common::DFSchema;
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::TableScan;
use datafusion_expr::utils::split_conjunction;
use std::any::Any;
use std::sync::Arc;

impl<'a> Planner<'a> {
    pub(super) fn table_scan(&self, scan: &'a TableScan, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let handle = scan.source.downcast_ref::<TableHandle>();
        let table = &handle.ok_or_else(|| Error::internal(format!("table {} has a foreign source", scan.table_name)))?.0;
        let width = table.schema().fields().len();
        let projection = scan.projection.clone().unwrap_or_else(|| (0..width).collect());
        let whole = DFSchema::try_from_qualified_schema(scan.table_name.clone(), table.schema())?;
        let mut predicates: Vec<Arc<dyn ScanPredicate>> = Vec::new();
        for conjunct in scan.filters.iter().flat_map(split_conjunction) {
            predicates.push(expr::scan_predicate(conjunct, &whole, &self.slots)?);
        }
        let runtime = led.into_iter().map(|Led { filter, .. }| filter).collect();
        let rows = self.rows_of(logical);
        let any: Arc<dyn Any + Send + Sync> = table.clone();
        let node: PlanRef = if let Ok(files) = Arc::downcast::<FileTable>(any.clone()) {
            Arc::new(ScanNode::new(files, projection, predicates, runtime, rows))
        } else if let Ok(files) = Arc::downcast::<FormatTable>(any) {
            Arc::new(FormatScanNode::new(files, projection, predicates, runtime, rows))
        } else if let Some(memory) = table.as_any().downcast_ref::<MemoryTable>() {
            Arc::new(MemoryScanNode::new(table.schema().clone(), memory.chunks().to_vec(), projection, predicates, rows))
        } else {
            return Err(Error::internal(format!("no scan for table {}", scan.table_name)));
        };
        Ok(match scan.fetch {
            Some(fetch) => Arc::new(LimitNode::new(node, 0, Some(fetch))),
            None => node,
        })
    }
}
