//! The source of `FROM t INSERT ... INSERT ...`: rows that several queries of a statement read.
//!
//! Each query sees a table ([`SourceTable`]); when all are optimized it is known which columns they
//! want of it, and the source is planned for those. Its rows are computed once and kept for all
//! readers ([`crate::operator::SharedPlan`]).
//!
//! Cost: one run of the source; its rows, as far as they are wanted, are kept until the last query
//! has read them, in files where memory is used up.

use crate::catalog::{Table, TableHandle, TableStatistics};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{Predicate, Slots, column};
use crate::operator::{FilterNode, ProjectNode, SharedNode, SharedPlan};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::DFSchema;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::TableScan;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A source's rows as a table.
#[derive(Debug)]
pub struct SourceTable {
    schema: SchemaRef,
    display_names: Vec<String>,
    statistics: TableStatistics,
    /// The columns that are computed, and their rows.
    rows: OnceLock<(Vec<usize>, Arc<SharedPlan>)>,
    read: AtomicBool,
}

impl SourceTable {
    /// The rows of `plan`, `rows` of them about, whose columns the user spells `names`.
    pub fn new(plan: &LogicalPlan, names: &[String], rows: f64) -> Arc<Self> {
        let fields = plan.schema().fields().iter();
        let fields: Vec<Field> = fields.map(|field| field.as_ref().clone().with_name(field.name().to_lowercase())).collect();
        Arc::new(Self {
            display_names: names.to_vec(),
            statistics: TableStatistics { rows, columns: vec![Default::default(); fields.len()] },
            schema: Arc::new(Schema::new(fields)),
            rows: OnceLock::new(),
            read: AtomicBool::new(false),
        })
    }

    /// Adds the columns that an optimized plan wants of this table to `columns`.
    pub fn collect_columns(&self, plan: &LogicalPlan, columns: &mut BTreeSet<usize>) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(handle) = scan.source.downcast_ref::<TableHandle>()
                && handle.0.as_any().downcast_ref::<Self>().is_some_and(|table| std::ptr::eq(table, self))
            {
                match &scan.projection {
                    Some(projection) => columns.extend(projection),
                    None => columns.extend(0..self.schema.fields().len()),
                }
                let named = scan.filters.iter().flat_map(|filter| filter.column_refs());
                columns.extend(named.filter_map(|column| self.schema.index_of(&column.name).ok()));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    /// Says what its rows are: `plan` has the columns at `columns` of the table.
    pub fn set_rows(&self, columns: Vec<usize>, plan: PlanRef) {
        let _ = self.rows.set((columns, SharedPlan::new(plan, 1)));
    }

    /// The rows that one scan wants.
    pub(super) fn scan(&self, scan: &TableScan, projection: &[usize], slots: &Slots, rows: f64) -> Result<PlanRef> {
        let Some((columns, shared)) = self.rows.get() else { return Err(Error::internal("a source without rows")) };
        let first = !self.read.swap(true, Ordering::Relaxed);
        let mut node: PlanRef = Arc::new(SharedNode::new(shared, first));
        let kept = Schema::new(columns.iter().map(|at| self.schema.field(*at).clone()).collect::<Vec<_>>());
        if !scan.filters.is_empty() {
            let names = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &kept)?;
            node = Arc::new(FilterNode::new(node, Predicate::compile(&scan.filters, &names, slots)?, rows));
        }
        let place = |at: &usize| {
            let place = columns.iter().position(|kept| kept == at);
            place.ok_or_else(|| Error::internal("a column that the source does not compute"))
        };
        let places = projection.iter().map(place).collect::<Result<Vec<_>>>()?;
        let expr = |place: &usize| {
            let field = kept.field(*place);
            column(*place, field.data_type().clone(), true, field.name().clone())
        };
        let schema = Schema::new(projection.iter().map(|at| self.schema.field(*at).clone()).collect::<Vec<_>>());
        Ok(Arc::new(ProjectNode::new(node, places.iter().map(expr).collect(), Arc::new(schema))))
    }
}

impl Table for SourceTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn display_names(&self) -> &[String] {
        &self.display_names
    }

    fn statistics(&self) -> &TableStatistics {
        &self.statistics
    }

    fn describe(&self) -> String {
        "the rows between FROM and INSERT".to_owned()
    }
}
