//! `FROM t INSERT ... INSERT ...`: the source is planned once, for what all INSERTs want of it.

use super::Session;
use super::insert::fixed;
use super::write::Write;
use crate::config::Config;
use crate::error::Result;
use crate::optimizer::estimate;
use crate::planner::SourceTable;
use crate::sql::{self, Bound, MultiInsert, Parameters};
use datafusion_expr::{Expr, LogicalPlanBuilder};
use std::collections::BTreeSet;

impl Session {
    /// The writes of the INSERTs that have something to do.
    pub(super) fn multi_insert(
        &self,
        multi: &MultiInsert,
        parameters: &Parameters,
        text: &str,
        config: &Config,
    ) -> Result<Vec<Write>> {
        let (catalog, functions) = (self.engine.catalog(), self.functions());
        let source = sql::bind(&multi.source, catalog, config, &functions, parameters, text)?;
        let table = SourceTable::new(&source.plan, &source.names, estimate::rows(&source.plan));
        catalog.register(&multi.name, table.clone());
        let mut bound = Vec::with_capacity(multi.inserts.len());
        let mut bind = || -> Result<()> {
            for insert in &multi.inserts {
                let target = self.table_target(&insert.table, config)?;
                if !self.is_there(insert, &target, &fixed(insert))? {
                    let query = sql::bind(&insert.query, catalog, config, &functions, parameters, text)?;
                    bound.push((insert, target, self.logical(query, config)?));
                }
            }
            Ok(())
        };
        let done = bind();
        catalog.drop(&multi.name);
        done?;
        let mut columns = BTreeSet::new();
        bound.iter().try_for_each(|(.., query)| table.collect_columns(&query.plan, &mut columns))?;
        if columns.is_empty() {
            // Rows are counted only.
            columns.insert(0);
        }
        let Bound { plan, names, hints, warnings } = source;
        let all = plan.schema().columns();
        let wanted: Vec<Expr> = columns.iter().map(|at| Expr::Column(all[*at].clone())).collect();
        let names = columns.iter().map(|at| names[*at].clone()).collect();
        let plan = LogicalPlanBuilder::from(plan).project(wanted)?.build()?;
        let rows = self.physical(self.logical(Bound { plan, names, hints, warnings }, config)?, config)?;
        table.set_rows(columns.into_iter().collect(), rows.physical);
        let mut warnings = rows.warnings;
        let mut writes = Vec::with_capacity(bound.len());
        for (insert, target, query) in bound {
            let mut write = self.insert_planned(insert, target, self.physical(query, config)?, config)?;
            write.warnings.append(&mut warnings);
            writes.push(write);
        }
        Ok(writes)
    }
}
