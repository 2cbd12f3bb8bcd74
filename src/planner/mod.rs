//! Logical plan to physical plan: one exhaustive match, one file per group of nodes.
//!
//! The planner compiles expressions, asks [`crate::join`] and [`crate::aggregate`] which strategy
//! fits, gives hints to the joins they are about ([`hints`]), plans scalar subqueries as pipelines
//! that fill slots and equal parts once ([`shared`]), and leads runtime filters from joins down to the
//! scans whose rows they can drop ([`filters`]).

mod aggregates;
mod filters;
mod generate;
mod hints;
mod joins;
mod recursive;
mod rows;
mod scans;
mod shared;
mod source;
mod subqueries;
mod windows;

pub use hints::Hints;
pub use source::SourceTable;

use crate::aggregate;
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::Slots;
use crate::join::Strategy;
use crate::operator::{LimitNode, SubqueryNode, WorkRows};
use crate::optimizer::estimate::Estimator;
use arrow::datatypes::SchemaRef;
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::{Distinct, FetchType, SkipType};
use filters::Led;
use shared::SharedPlans;
use std::cell::RefCell;
use std::sync::Arc;

/// What the planner needs to know beside the plan.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// A join strategy that every join must use.
    pub strategy: Option<Strategy>,
    /// The strategy that aggregations use if they can.
    pub aggregate: Option<aggregate::Strategy>,
    /// Hints about joins.
    pub hints: Hints,
    /// The session's memory limit, bytes.
    pub memory_limit: usize,
    /// Workers the query gets.
    pub threads: usize,
    /// Levels of a recursive query after the first, at most.
    pub recursion_levels_max: usize,
    /// What recursive queries around read of themselves, by name, innermost last.
    pub work: Vec<(String, WorkRows)>,
}

/// Turns an optimized logical plan into a physical one.
///
/// # Errors
/// [`crate::ErrorKind::Unsupported`] for nodes and expressions that no operator runs.
pub fn plan(logical: &LogicalPlan, options: &PlanOptions) -> Result<PlanRef> {
    plan_part(logical, options, &SharedPlans::find(logical)?)
}

/// Plans the query or one of its scalar subqueries.
fn plan_part(logical: &LogicalPlan, options: &PlanOptions, shared: &SharedPlans) -> Result<PlanRef> {
    let (subqueries, slots) = subqueries::plan_all(logical, options, shared)?;
    let planner = Planner { options, slots, shared, estimator: RefCell::default() };
    let root = planner.node(logical, Vec::new())?;
    if subqueries.is_empty() { Ok(root) } else { Ok(Arc::new(SubqueryNode::new(root, subqueries))) }
}

struct Planner<'a> {
    options: &'a PlanOptions,
    slots: Slots,
    shared: &'a SharedPlans,
    estimator: RefCell<Estimator<'a>>,
}

impl<'a> Planner<'a> {
    /// Plans one node and everything below it. `led` are runtime filters of joins above, by the
    /// output column they test.
    fn node(&self, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        // Its readers may want different rows of it, so no reader's filters go into it.
        self.shared.once(logical, |shared| self.fresh_node(logical, if shared { Vec::new() } else { led }))
    }

    fn fresh_node(&self, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        match logical {
            LogicalPlan::TableScan(scan) => self.table_scan(scan, logical, led),
            LogicalPlan::Projection(projection) => self.projection(projection, logical, led),
            LogicalPlan::Filter(filter) => self.filter(filter, logical, led),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, logical, led),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input, logical, led),
            LogicalPlan::Join(join) => self.join(join, logical, led),
            LogicalPlan::Sort(sort) => self.sort(sort, logical, led),
            LogicalPlan::Limit(limit) => {
                let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (limit.get_skip_type()?, limit.get_fetch_type()?)
                else {
                    return Err(Error::unsupported("LIMIT or OFFSET that is not a constant"));
                };
                Ok(Arc::new(LimitNode::new(self.node(&limit.input, Vec::new())?, skip, fetch)))
            }
            LogicalPlan::Union(union) => self.union(union, logical),
            LogicalPlan::SubqueryAlias(alias) => self.node(&alias.input, led),
            LogicalPlan::Subquery(subquery) => self.node(&subquery.subquery, led),
            LogicalPlan::EmptyRelation(empty) => self.empty(empty, logical),
            LogicalPlan::Values(values) => self.values(values, logical),
            LogicalPlan::Repartition(repartition) => self.node(&repartition.input, led),
            LogicalPlan::Window(window) => self.window(window, logical, led),
            LogicalPlan::Distinct(Distinct::On(_)) => Err(Error::unsupported("DISTINCT ON")),
            LogicalPlan::Unnest(_) => Err(Error::unsupported("unnesting of arrays")),
            LogicalPlan::RecursiveQuery(query) => self.recursive(query, logical),
            LogicalPlan::Extension(_) => self.generate(logical, led),
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => Err(Error::unsupported(format!("the plan node {}", logical.display()))),
        }
    }

    /// Rows a node is expected to give.
    fn rows_of(&self, logical: &'a LogicalPlan) -> f64 {
        self.estimator.borrow_mut().rows(logical)
    }
}

/// The SQL types of a node's output.
fn schema_of(logical: &LogicalPlan) -> SchemaRef {
    logical.schema().inner().clone()
}
