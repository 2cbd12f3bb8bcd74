//! Aggregations and DISTINCT.

use super::filters::{Led, lead};
use super::{Planner, schema_of};
use crate::aggregate::{AggregateCall, AggregateNode, CallOrder, Ordering, ordering};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{self, ExprRef};
use crate::operator::{ExpandNode, GroupingSet, ProjectNode};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion_expr as logical;
use datafusion_expr::expr::{AggregateFunction, AggregateFunctionParams, NullTreatment};
use datafusion_expr::logical_plan::Aggregate;
use datafusion_expr::utils::grouping_set_to_exprlist;
use datafusion_expr::{Expr, LogicalPlan};
use std::sync::Arc;

impl<'a> Planner<'a> {
    pub(super) fn aggregate(&self, aggregate: &'a Aggregate, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let input = self.node(&aggregate.input, lead(logical, &led, 0))?;
        let below = aggregate.input.schema();
        let schema = schema_of(logical);
        let sets = grouping_sets(aggregate)?;
        let keys = grouping_set_to_exprlist(&aggregate.group_expr)?;
        let groups = keys.iter().map(|key| expr::compile(key, below, &self.slots)).collect::<Result<Vec<_>>>()?;
        let calls_from = groups.len() + usize::from(sets.is_some());
        let mut calls = Vec::with_capacity(aggregate.aggr_expr.len());
        for (index, call) in aggregate.aggr_expr.iter().enumerate() {
            let call = match call {
                Expr::Alias(alias) => &*alias.expr,
                other => other,
            };
            let Expr::AggregateFunction(AggregateFunction { func, params }) = call else {
                return Err(Error::unsupported(format!("the aggregate expression {call}")));
            };
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
            let ordering = match order_by.is_empty() || func.supports_within_group_clause() {
                true => Some(Ordering::Decides),
                false => ordering(func.name()),
            };
            let Some(ordering) = ordering else {
                return Err(Error::unsupported(format!("ORDER BY inside {}", func.name())));
            };
            if null_treatment.is_some() && !func.supports_null_handling_clause() {
                return Err(Error::unsupported(format!("IGNORE or RESPECT NULLS in {}", func.name())));
            }
            let order = |key: &logical::SortExpr| -> Result<CallOrder> {
                let expr = expr::compile(&key.expr, below, &self.slots)?;
                Ok(CallOrder { expr, descending: !key.asc, nulls_first: key.nulls_first })
            };
            let order = match ordering {
                Ordering::Decides => order_by.iter().map(order).collect::<Result<_>>()?,
                Ordering::Indifferent => Vec::new(),
            };
            let ignore_nulls = *null_treatment == Some(NullTreatment::IgnoreNulls);
            let arguments = args.iter().map(|argument| expr::compile(argument, below, &self.slots)).collect::<Result<_>>()?;
            let filter = filter.as_ref().map(|filter| expr::compile(filter, below, &self.slots)).transpose()?;
            let field = schema.fields()[calls_from + index].clone();
            let (function, distinct) = (func.clone(), *distinct);
            calls.push(AggregateCall { function, arguments, distinct, filter, order, ignore_nulls, field });
        }
        let rows = self.rows_of(logical);
        match sets {
            None => self.aggregated(input, groups, calls, schema, rows),
            Some(sets) => by_sets(input, groups, sets, calls, schema, rows),
        }
    }

    /// DISTINCT is a GROUP BY of all columns.
    pub(super) fn distinct(&self, input: &'a Arc<LogicalPlan>, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let below = self.node(input, lead(logical, &led, 0))?;
        let groups =
            input.schema().columns().into_iter().map(|column| expr::compile(&Expr::Column(column), input.schema(), &self.slots));
        let groups = groups.collect::<Result<Vec<_>>>()?;
        self.aggregated(below, groups, Vec::new(), schema_of(logical), self.rows_of(logical))
    }

    pub(super) fn aggregated(
        &self,
        input: PlanRef,
        groups: Vec<expr::ExprRef>,
        calls: Vec<AggregateCall>,
        schema: SchemaRef,
        rows: f64,
    ) -> Result<PlanRef> {
        let (preferred, threads) = (self.options.aggregate, self.options.threads);
        Ok(Arc::new(AggregateNode::planned(input, groups, calls, schema, rows, preferred, threads)?))
    }
}

/// The sets of a grouping: which of the keys each has, and its number as in the column
/// `__grouping_id`. None for a plain GROUP BY.
fn grouping_sets(aggregate: &Aggregate) -> Result<Option<Vec<GroupingSet>>> {
    let sets = match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(logical::GroupingSet::GroupingSets(sets))] => sets,
        exprs if exprs.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) => {
            return Err(Error::unsupported("a grouping that is not a list of sets"));
        }
        _ => return Ok(None),
    };
    let keys = grouping_set_to_exprlist(&aggregate.group_expr)?;
    let mut numbered: Vec<GroupingSet> = Vec::with_capacity(sets.len());
    for set in sets {
        let kept: Vec<bool> = keys.iter().map(|key| set.contains(key)).collect();
        let left_out = kept.iter().fold(0_u64, |bits, kept| bits << 1 | u64::from(!kept));
        let again = numbered.iter().filter(|known| known.kept == kept).count() as u64;
        if keys.len() >= 48 {
            return Err(Error::unsupported("grouping sets over more than 47 columns"));
        }
        numbered.push(GroupingSet { kept, id: left_out | again << keys.len() });
    }
    Ok(Some(numbered))
}

/// Groups once by all keys, then the groups' states by each set: rows are read, and their keys
/// looked up, once however many sets there are.
fn by_sets(
    input: PlanRef,
    keys: Vec<ExprRef>,
    sets: Vec<GroupingSet>,
    calls: Vec<AggregateCall>,
    schema: SchemaRef,
    rows: f64,
) -> Result<PlanRef> {
    let id_type = schema.field(keys.len()).data_type().clone();
    if keys.is_empty() {
        // Only the set of nothing, perhaps several times: its row is there without any input.
        let fields: Vec<FieldRef> = schema.fields()[1..].to_vec();
        let total: PlanRef = Arc::new(AggregateNode::new(input, keys, calls, Arc::new(Schema::new(fields)), 1.0)?);
        let calls = total.schema().fields().len();
        let expanded: PlanRef = Arc::new(ExpandNode::new(total, Vec::new(), sets, id_type));
        let order = std::iter::once(calls).chain(0..calls);
        let columns = order.map(|index| column(index, &expanded)).collect();
        return Ok(Arc::new(ProjectNode::new(expanded, columns, schema)));
    }
    let width = keys.len();
    let first = AggregateNode::first_half(input, keys, calls, rows)?;
    let first = Arc::new(first);
    let states: PlanRef = first.clone();
    let keys = (0..width).map(|index| column(index, &states)).collect();
    let behind = states.schema().fields().len();
    let expanded: PlanRef = Arc::new(ExpandNode::new(states, keys, sets, id_type));
    let groups = (behind..=behind + width).map(|index| column(index, &expanded)).collect();
    Ok(Arc::new(AggregateNode::last_half(&first, expanded, groups, schema, rows)?))
}

/// A column of a plan's output as an expression.
fn column(index: usize, plan: &PlanRef) -> ExprRef {
    let field = plan.schema().field(index);
    expr::column(index, field.data_type().clone(), field.is_nullable(), field.name().clone())
}
