//! How many rows a plan node yields, and what its columns look like.
//!
//! The problem: join order, build sides and table sizes need row counts before anything runs. The
//! idea: footers give rows, bounds and NULL counts exactly and distinct counts roughly; every node
//! maps its inputs' figures to its own by the textbook formulas. A column keeps two distinct
//! counts: `distinct`, how many values are left in these rows, and `domain`, how many there were
//! before other columns' filters thinned the rows out. Joins divide by the domain, so that two
//! filtered inputs are not taken to contain each other's keys; of both they take the range that the
//! other has, since whoever filters a calendar by a year asks for one that there are rows of.
//!
//! ```text
//!   scan  rows, bounds, distinct        filter  rows x selectivity, ranges narrowed
//!   join  |L| |R| / max(domain)         group   product of distincts, at most the rows
//! ```
//!
//! Cost: one visit a node, O(columns + conjuncts) each. NULLs: a comparison drops the column's NULL
//! fraction, a join key likewise. Formulas: Selinger et al., SIGMOD 1979, section 4; the domain
//! against containment: Leis et al., "How Good Are Query Optimizers, Really?", VLDB 2015, section 3.

mod join;
mod selectivity;
mod value;

pub use join::{composite_domain, semi_selectivity};
pub use selectivity::{expression, selectivity};

use crate::catalog::TableHandle;
use crate::layout::ColumnStatistics;
use datafusion_common::DFSchema;
use datafusion_expr::logical_plan::{Aggregate, Distinct, FetchType, Limit, LogicalPlan, SkipType, TableScan};
use datafusion_expr::{Expr, utils::split_conjunction};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

/// Rows of a table nothing is known of. Guessed: large enough not to be built on carelessly.
const UNKNOWN_TABLE_ROWS: f64 = 100_000.0;
/// Share of distinct values in a column without any statistics. Guessed.
const UNKNOWN_DISTINCT_SHARE: f64 = 0.1;

/// Share of a range from which on it counts as the whole: bounds of keys that match differ by chance. Guessed.
const MOSTLY_COMMON: f64 = 0.5;

/// What is expected of one output column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnEstimate {
    /// Distinct values among the rows, at least 1 unless there are no rows.
    pub distinct: f64,
    /// Distinct values the column had before filters on other columns; at least `distinct`.
    pub domain: f64,
    /// Smallest value on the line of its type (numbers themselves, days for dates).
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Share of NULLs, 0 to 1.
    pub null_fraction: f64,
    /// Whether values lie one apart (integers, dates).
    pub discrete: bool,
}

impl ColumnEstimate {
    /// A column of which only the distinct count is guessed.
    pub fn unknown(distinct: f64) -> Self {
        let distinct = distinct.max(1.0);
        Self { distinct, domain: distinct, min: None, max: None, null_fraction: 0.0, discrete: false }
    }

    fn of_statistics(statistics: &ColumnStatistics, rows: f64) -> Self {
        let min = statistics.min.as_ref().and_then(value::point);
        let max = statistics.max.as_ref().and_then(value::point);
        let discrete = statistics.min.as_ref().is_some_and(value::is_discrete);
        let span = match (min, max) {
            (Some(min), Some(max)) if discrete => Some(max - min + 1.0),
            _ => None,
        };
        let null_fraction = statistics.null_count.map_or(0.0, |nulls| (nulls / rows.max(1.0)).clamp(0.0, 1.0));
        let guess = span.map_or(rows * UNKNOWN_DISTINCT_SHARE, |span| span);
        let distinct = statistics.distinct.unwrap_or(guess).min(span.unwrap_or(f64::INFINITY));
        let distinct = distinct.min(rows * (1.0 - null_fraction)).max(1.0);
        Self { distinct, domain: distinct, min, max, null_fraction, discrete }
    }

    /// Shares of two key columns' values that lie where both have values: of this one, and of the other.
    ///
    /// A calendar of two centuries beside five years of sales: one in forty days can match at all. Unless it is
    /// known otherwise, 1.
    pub fn overlap(&self, other: &Self) -> (f64, f64) {
        let (Some(min), Some(max), Some(other_min), Some(other_max)) = (self.min, self.max, other.min, other.max) else {
            return (1.0, 1.0);
        };
        if !self.discrete || !other.discrete {
            return (1.0, 1.0);
        }
        let both = max.min(other_max) - min.max(other_min) + 1.0;
        // One value of each at least, however far apart values lie.
        let share = |span: f64, domain: f64| match (both.max(1.0) / span.max(1.0)).max(1.0 / domain.max(1.0)) {
            mostly if mostly >= MOSTLY_COMMON => 1.0,
            share => share,
        };
        (share(max - min + 1.0, self.domain), share(other_max - other_min + 1.0, other.domain))
    }

    /// The column where only `share` of its range is left.
    pub fn within(&self, share: f64) -> Self {
        let domain = (self.domain * share).max(1.0);
        Self { distinct: self.distinct.min(domain), domain, ..self.clone() }
    }

    /// After other columns' filters left `share` of `rows` rows: the expected distinct values of a
    /// sample (Cardenas' formula), the domain kept.
    fn thinned(&self, rows: f64, share: f64) -> Self {
        let per_value = (rows / self.distinct.max(1.0)).max(1.0);
        let kept = if share >= 1.0 { 1.0 } else { 1.0 - (1.0 - share).powf(per_value) };
        Self { distinct: (self.distinct * kept).min(rows * share).max(1.0), ..self.clone() }
    }
}

/// What is expected of a node's output.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Rows; never negative, not rounded.
    pub rows: f64,
    /// Rows before filters: how many rows there are for each combination in the domains.
    pub base_rows: f64,
    /// One a column of the node's schema, in its order.
    pub columns: Vec<ColumnEstimate>,
}

impl Estimate {
    /// `rows` rows of `columns` columns of which nothing is known.
    pub fn unknown(rows: f64, columns: usize) -> Self {
        let column = ColumnEstimate::unknown(rows * UNKNOWN_DISTINCT_SHARE);
        Self { rows, base_rows: rows, columns: vec![column; columns] }
    }

    /// The same rows, at most `rows` of them, picked without regard to values.
    fn limited(&self, rows: f64) -> Self {
        if rows >= self.rows {
            return self.clone();
        }
        let share = rows / self.rows.max(1.0);
        let columns = self.columns.iter().map(|column| column.thinned(self.rows, share)).collect();
        Self { rows, base_rows: self.base_rows, columns }
    }
}

/// Rows `plan` yields. For one node; use [`Estimator`] for a whole tree.
pub fn rows(plan: &LogicalPlan) -> f64 {
    estimate(plan).rows
}

/// What is expected of `plan`'s output. Visits the tree once.
pub fn estimate(plan: &LogicalPlan) -> Estimate {
    stacker::maybe_grow(128 * 1024, 4 * 1024 * 1024, || {
        let inputs: Vec<Estimate> = plan.inputs().into_iter().map(estimate).collect();
        of_node(plan, &inputs.iter().collect::<Vec<_>>())
    })
}

/// Estimates the nodes of one plan, each once, however often it is asked.
#[derive(Debug, Default)]
pub struct Estimator<'a> {
    /// By address: the plan outlives the estimator, so an address stands for one node.
    known: HashMap<*const LogicalPlan, Arc<Estimate>>,
    plan: PhantomData<&'a LogicalPlan>,
}

impl<'a> Estimator<'a> {
    /// What is expected of `plan`'s output.
    pub fn estimate(&mut self, plan: &'a LogicalPlan) -> Arc<Estimate> {
        if let Some(known) = self.known.get(&std::ptr::from_ref(plan)) {
            return known.clone();
        }
        let inputs: Vec<Arc<Estimate>> = stacker::maybe_grow(128 * 1024, 4 * 1024 * 1024, || {
            plan.inputs().into_iter().map(|input| self.estimate(input)).collect()
        });
        let estimate = Arc::new(of_node(plan, &inputs.iter().map(|input| &**input).collect::<Vec<_>>()));
        self.known.insert(std::ptr::from_ref(plan), estimate.clone());
        estimate
    }

    /// Rows `plan` yields.
    pub fn rows(&mut self, plan: &'a LogicalPlan) -> f64 {
        self.estimate(plan).rows
    }
}

/// What is expected of `plan`'s output, given its inputs' estimates in the order of
/// [`LogicalPlan::inputs`].
pub fn of_node(plan: &LogicalPlan, inputs: &[&Estimate]) -> Estimate {
    let width = plan.schema().fields().len();
    let Some(first) = inputs.first() else {
        return of_leaf(plan, width);
    };
    let estimate = match plan {
        LogicalPlan::Filter(node) => filtered(&split_conjunction(&node.predicate), node.input.schema(), first),
        LogicalPlan::Projection(node) => {
            let columns = node.expr.iter().map(|expr| expression(expr, node.input.schema(), first)).collect();
            Estimate { rows: first.rows, base_rows: first.base_rows, columns }
        }
        LogicalPlan::Window(node) => {
            let mut estimate = (*first).clone();
            estimate.columns.resize(width, ColumnEstimate::unknown(first.rows));
            debug_assert_eq!(node.input.schema().fields().len() + node.window_expr.len(), width);
            estimate
        }
        LogicalPlan::Aggregate(node) => aggregated(node, first, width),
        LogicalPlan::Distinct(Distinct::All(_)) => {
            let rows = groups(first.columns.iter(), first.rows);
            let columns = first.columns.iter().map(|column| column.clone().capped(rows)).collect();
            Estimate { rows, base_rows: rows, columns }
        }
        LogicalPlan::Distinct(Distinct::On(node)) => {
            let keys: Vec<_> = node.on_expr.iter().map(|expr| expression(expr, node.input.schema(), first)).collect();
            Estimate::unknown(groups(keys.iter(), first.rows), width)
        }
        LogicalPlan::Join(node) => match inputs.get(1) {
            Some(right) => join::joined(node, first, right),
            None => (*first).clone(),
        },
        LogicalPlan::Limit(node) => limited(node, first),
        LogicalPlan::Sort(node) => match node.fetch {
            Some(fetch) => first.limited(fetch as f64),
            None => (*first).clone(),
        },
        LogicalPlan::Union(_) => union(inputs, width),
        LogicalPlan::Unnest(_) => Estimate::unknown(first.rows * 3.0, width),
        LogicalPlan::RecursiveQuery(_) => Estimate::unknown(inputs.iter().map(|input| input.rows).sum::<f64>() * 5.0, width),
        _ => (*first).clone(),
    };
    fitted(estimate, width)
}

fn of_leaf(plan: &LogicalPlan, width: usize) -> Estimate {
    match plan {
        LogicalPlan::TableScan(scan) => scanned(scan),
        LogicalPlan::Values(node) => {
            let rows = node.values.len() as f64;
            Estimate { rows, base_rows: rows, columns: vec![ColumnEstimate::unknown(rows); width] }
        }
        LogicalPlan::EmptyRelation(node) => Estimate::unknown(f64::from(u8::from(node.produce_one_row)), width),
        _ => Estimate::unknown(UNKNOWN_TABLE_ROWS, width),
    }
}

fn scanned(scan: &TableScan) -> Estimate {
    let schema = scan.source.schema();
    let all = match scan.source.downcast_ref::<TableHandle>() {
        Some(TableHandle(table)) => {
            let statistics = table.statistics();
            let unknown = ColumnStatistics::default();
            let columns = (0..schema.fields().len())
                .map(|at| ColumnEstimate::of_statistics(statistics.columns.get(at).unwrap_or(&unknown), statistics.rows));
            Estimate { rows: statistics.rows, base_rows: statistics.rows, columns: columns.collect() }
        }
        None => Estimate::unknown(UNKNOWN_TABLE_ROWS, schema.fields().len()),
    };
    let all = if scan.filters.is_empty() {
        all
    } else {
        // Filters may name columns outside the projection.
        match DFSchema::try_from_qualified_schema(scan.table_name.clone(), &schema) {
            Ok(schema) => filtered(&scan.filters.iter().flat_map(split_conjunction).collect::<Vec<_>>(), &schema, &all),
            Err(_) => all,
        }
    };
    let projected = match &scan.projection {
        Some(projection) => {
            let columns = projection.iter().filter_map(|&at| all.columns.get(at).cloned()).collect();
            Estimate { columns, ..all }
        }
        None => all,
    };
    match scan.fetch {
        Some(fetch) => projected.limited(fetch as f64),
        None => projected,
    }
}

/// The rows for which every conjunct holds.
pub fn filtered(conjuncts: &[&Expr], schema: &DFSchema, input: &Estimate) -> Estimate {
    let (share, narrowed) = selectivity::narrow(conjuncts, schema, input);
    let rows = input.rows * share;
    let columns = input.columns.iter().zip(narrowed).map(|(column, narrowed)| match narrowed {
        Some(narrowed) => narrowed.capped(rows),
        None => column.thinned(input.rows, share),
    });
    Estimate { rows, base_rows: input.base_rows, columns: columns.collect() }
}

fn aggregated(node: &Aggregate, input: &Estimate, width: usize) -> Estimate {
    let schema = node.input.schema();
    let sets = node.group_expr.len() == 1 && matches!(node.group_expr.first(), Some(Expr::GroupingSet(_)));
    if sets {
        let lists = datafusion_expr::utils::enumerate_grouping_sets(node.group_expr.clone()).unwrap_or_default();
        let total: f64 = lists
            .iter()
            .map(|list| match list {
                Expr::GroupingSet(datafusion_expr::GroupingSet::GroupingSets(sets)) => sets
                    .iter()
                    .map(|set| {
                        let keys: Vec<_> = set.iter().map(|expr| expression(expr, schema, input)).collect();
                        groups(keys.iter(), input.rows)
                    })
                    .sum(),
                _ => input.rows * UNKNOWN_DISTINCT_SHARE,
            })
            .sum();
        return Estimate::unknown(total.max(1.0), width);
    }
    let keys: Vec<_> = node.group_expr.iter().map(|expr| expression(expr, schema, input)).collect();
    let rows = if keys.is_empty() { 1.0 } else { groups(keys.iter(), input.rows) };
    // Key domains stay as they were, so that later joins still see how much was filtered away.
    let base_rows = keys.iter().map(|key| key.domain).product::<f64>().min(input.base_rows).max(rows);
    let mut columns: Vec<_> = keys.into_iter().map(|key| key.capped(rows)).collect();
    columns.resize(width, ColumnEstimate::unknown(rows));
    Estimate { rows, base_rows, columns }
}

/// Groups that `rows` rows fall into: the product of the keys' distinct counts, each further key
/// counted a little less because keys of one table go together.
fn groups<'a>(keys: impl Iterator<Item = &'a ColumnEstimate>, rows: f64) -> f64 {
    let mut distinct: Vec<f64> = keys.map(|key| key.distinct + f64::from(u8::from(key.null_fraction > 0.0))).collect();
    distinct.sort_by(|a, b| b.total_cmp(a));
    let product = distinct.iter().enumerate().map(|(at, count)| if at < 2 { *count } else { count.powf(0.7) }).product::<f64>();
    product.min(rows).max(if rows > 0.0 { 1.0 } else { 0.0 })
}

fn limited(node: &Limit, input: &Estimate) -> Estimate {
    let skip = match node.get_skip_type() {
        Ok(SkipType::Literal(skip)) => skip as f64,
        _ => 0.0,
    };
    let left = (input.rows - skip).max(0.0);
    match node.get_fetch_type() {
        Ok(FetchType::Literal(Some(fetch))) => input.limited(left.min(fetch as f64)),
        _ => input.limited(left),
    }
}

fn union(inputs: &[&Estimate], width: usize) -> Estimate {
    let rows: f64 = inputs.iter().map(|input| input.rows).sum();
    let base_rows = inputs.iter().map(|input| input.base_rows).sum();
    let columns = (0..width).map(|at| {
        let all: Vec<_> = inputs.iter().filter_map(|input| input.columns.get(at).map(|column| (input.rows, column))).collect();
        let min = all.iter().map(|(_, c)| c.min).reduce(|a, b| Some(a?.min(b?))).flatten();
        let max = all.iter().map(|(_, c)| c.max).reduce(|a, b| Some(a?.max(b?))).flatten();
        let discrete = all.iter().all(|(_, c)| c.discrete);
        let span = match (min, max) {
            (Some(min), Some(max)) if discrete => max - min + 1.0,
            _ => f64::INFINITY,
        };
        let distinct = all.iter().map(|(_, c)| c.distinct).sum::<f64>().min(span).max(1.0);
        let domain = all.iter().map(|(_, c)| c.domain).sum::<f64>().min(span).max(distinct);
        let nulls: f64 = all.iter().map(|(rows, c)| rows * c.null_fraction).sum();
        ColumnEstimate { distinct, domain, min, max, null_fraction: nulls / rows.max(1.0), discrete }
    });
    Estimate { rows, base_rows, columns: columns.collect() }
}

impl ColumnEstimate {
    fn capped(mut self, rows: f64) -> Self {
        self.distinct = self.distinct.min(rows).max(1.0);
        self.domain = self.domain.max(self.distinct);
        self
    }
}

/// Keeps the promise of one estimate a column and of finite figures whatever a formula did.
fn fitted(mut estimate: Estimate, width: usize) -> Estimate {
    if !estimate.rows.is_finite() || estimate.rows < 0.0 {
        estimate.rows = 1e30;
    }
    estimate.rows = estimate.rows.min(1e30);
    let unknown = ColumnEstimate::unknown(estimate.rows * UNKNOWN_DISTINCT_SHARE);
    estimate.columns.resize(width, unknown);
    estimate
}
