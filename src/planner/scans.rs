//! Table scans.

use super::filters::Led;
use super::source::SourceTable;
use super::{Planner, schema_of};
use crate::catalog::{FileTable, FormatTable, MemoryTable, RangeTable, TableHandle};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{self, Predicate};
use crate::layout::ScanPredicate;
use crate::operator::scan::{FormatScanNode, MemoryScanNode, ScanNode};
use crate::operator::{FilterNode, LimitNode, ProjectNode, RangeNode};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::logical_plan::TableScan;
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Expr, LogicalPlan, Operator};
use std::any::Any;
use std::sync::Arc;

impl<'a> Planner<'a> {
    pub(super) fn table_scan(&self, scan: &'a TableScan, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        if let Some(rows) = self.work_rows(scan, logical)? {
            return Ok(rows);
        }
        let handle = scan.source.downcast_ref::<TableHandle>();
        let table = &handle.ok_or_else(|| Error::internal(format!("table {} has a foreign source", scan.table_name)))?.0;
        let width = table.schema().fields().len();
        let projection = scan.projection.clone().unwrap_or_else(|| (0..width).collect());
        if let Some(source) = table.as_any().downcast_ref::<SourceTable>() {
            let node = source.scan(scan, &projection, &self.slots, self.rows_of(logical))?;
            return Ok(match scan.fetch {
                Some(fetch) => Arc::new(LimitNode::new(node, 0, Some(fetch))),
                None => node,
            });
        }
        let whole = DFSchema::try_from_qualified_schema(scan.table_name.clone(), table.schema())?;
        let mut predicates: Vec<Arc<dyn ScanPredicate>> = Vec::new();
        for condition in by_column(scan.filters.iter().flat_map(split_conjunction)) {
            predicates.push(expr::scan_predicate(&condition, &whole, &self.slots)?);
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
        } else if let Some(range) = table.as_any().downcast_ref::<RangeTable>() {
            let (start, step, count) = range.numbers();
            let mut node: PlanRef = Arc::new(RangeNode::new(table.schema().clone(), start, step, count));
            let conjuncts: Vec<_> = scan.filters.iter().flat_map(split_conjunction).cloned().collect();
            if !conjuncts.is_empty() {
                node = Arc::new(FilterNode::new(node, Predicate::compile(&conjuncts, &whole, &self.slots)?, rows));
            }
            if projection.len() == width { node } else { Arc::new(ProjectNode::new(node, Vec::new(), schema_of(logical))) }
        } else {
            return Err(Error::internal(format!("no scan for table {}", scan.table_name)));
        };
        Ok(match scan.fetch {
            Some(fetch) => Arc::new(LimitNode::new(node, 0, Some(fetch))),
            None => node,
        })
    }
}

/// The conjuncts, where comparisons of one column with constants are one condition: both ends of a
/// range are looked up at once, and their order among other conditions is that of the whole range. Such
/// comparisons cannot fail, so that one may move to another's place.
fn by_column<'a>(conjuncts: impl Iterator<Item = &'a Expr>) -> Vec<Expr> {
    let mut conditions: Vec<(Option<&Column>, Expr)> = Vec::new();
    for conjunct in conjuncts {
        let compared = compared_column(conjunct);
        match conditions.iter_mut().find(|(known, _)| compared.is_some() && *known == compared) {
            Some((_, condition)) => *condition = condition.clone().and(conjunct.clone()),
            None => conditions.push((compared, conjunct.clone())),
        }
    }
    conditions.into_iter().map(|(_, condition)| condition).collect()
}

/// The column that `conjunct` compares with a constant.
fn compared_column(conjunct: &Expr) -> Option<&Column> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = conjunct else { return None };
    let ranged = matches!(op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq | Operator::NotEq);
    match (&**left, &**right) {
        (Expr::Column(column), Expr::Literal(..)) | (Expr::Literal(..), Expr::Column(column)) if ranged => Some(column),
        _ => None,
    }
}
