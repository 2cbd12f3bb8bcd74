//! Pushes a domain down a subquery: one match over the nodes that a subquery can have.
//!
//! Each case answers the same question: given the node's input with the domain's columns beside its
//! own, what gives the node's rows for each domain value?

use super::Unnester;
use super::domain::{Domain, Keyed, columns};
use crate::optimizer::generate::Generate;
use datafusion_common::{Column, DFSchema, Result, TableReference, not_impl_err};
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::logical_plan::{Aggregate, Distinct, FetchType, Filter, Limit, Projection, SkipType, Union, Values, Window};
use datafusion_expr::{Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, SortExpr, WindowFrame, lit};
use std::sync::Arc;

impl Unnester {
    /// `plan`'s rows for every value of `domain`: the plan's columns, under their names, and the
    /// domain's.
    pub(super) fn push(&self, plan: &LogicalPlan, domain: &Domain) -> Result<Keyed> {
        if !domain.is_used_in(plan)? {
            return self.beside(plan, domain);
        }
        match plan {
            LogicalPlan::Filter(filter) => {
                let Keyed { plan, keys } = self.push(&filter.input, domain)?;
                let predicate = domain.resolve(filter.predicate.clone(), &keys)?;
                Ok(Keyed { plan: LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(plan))?), keys })
            }
            LogicalPlan::Projection(projection) => {
                let Keyed { plan, keys } = self.push(&projection.input, domain)?;
                let mut exprs = Vec::with_capacity(projection.expr.len() + keys.len());
                for (expr, (relation, field)) in projection.expr.iter().zip(projection.schema.iter()) {
                    let resolved = domain.resolve(expr.clone(), &keys)?;
                    exprs.push(match resolved == *expr {
                        true => resolved,
                        false => resolved.unalias().alias_qualified(relation.cloned(), field.name()),
                    });
                }
                exprs.extend(columns(&keys));
                Ok(Keyed { plan: LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?), keys })
            }
            LogicalPlan::Aggregate(aggregate) => self.push_aggregate(aggregate, domain),
            LogicalPlan::Join(join) => self.push_join(join, domain),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Keyed { plan, keys } = self.push(input, domain)?;
                Ok(Keyed { plan: LogicalPlan::Distinct(Distinct::All(Arc::new(plan))), keys })
            }
            LogicalPlan::Sort(sort) => match sort.fetch {
                Some(fetch) => self.push_limit(&sort.input, &sort.expr, 0, Some(fetch), domain),
                // Nothing above a subquery's own LIMIT sees its order.
                None => self.push(&sort.input, domain),
            },
            LogicalPlan::Limit(limit) => self.limit(limit, domain),
            LogicalPlan::Window(window) => self.push_window(window, domain),
            LogicalPlan::Union(union) => self.push_union(union, domain),
            LogicalPlan::SubqueryAlias(alias) => {
                let Keyed { plan, keys } = self.push(&alias.input, domain)?;
                let names = alias.input.schema().columns().into_iter().zip(alias.schema.iter());
                let mut exprs: Vec<Expr> = names
                    .map(|(column, (relation, field))| Expr::Column(column).alias_qualified(relation.cloned(), field.name()))
                    .collect();
                exprs.extend(columns(&keys));
                Ok(Keyed { plan: LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?), keys })
            }
            LogicalPlan::Subquery(subquery) => self.push(&subquery.subquery, domain),
            LogicalPlan::Values(values) => self.push_values(values, domain),
            LogicalPlan::Extension(_) => match Generate::of(plan) {
                Some(generate) => {
                    let Keyed { plan, keys } = self.push(&generate.input, domain)?;
                    let arguments = generate.arguments.iter().map(|argument| domain.resolve(argument.clone(), &keys));
                    let arguments = arguments.collect::<Result<Vec<_>>>()?;
                    let generated = generate.generated().into_iter().map(|column| (column.relation, column.name)).collect();
                    Ok(Keyed { plan: generate.over(arguments, Arc::new(plan), generated)?.into_plan(), keys })
                }
                None => not_impl_err!("a correlated subquery over {}", plan.display()),
            },
            other => not_impl_err!("a correlated subquery over {}", other.display()),
        }
    }

    /// All rows of a plan that does not refer to the domain, for each of its values.
    fn beside(&self, plan: &LogicalPlan, domain: &Domain) -> Result<Keyed> {
        let rows = domain.rows(self)?;
        if matches!(plan, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row && plan.schema().fields().is_empty()) {
            return Ok(rows);
        }
        let plan = LogicalPlanBuilder::from(rows.plan).cross_join(plan.clone())?.build()?;
        Ok(Keyed { plan, keys: rows.keys })
    }

    fn push_aggregate(&self, aggregate: &Aggregate, domain: &Domain) -> Result<Keyed> {
        let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
        let Keyed { plan, keys } = self.push(input, domain)?;
        let resolve = |expr: &Expr| domain.resolve(expr.clone(), &keys);
        let with_keys = |exprs: &[Expr]| -> Result<Vec<Expr>> {
            let own = exprs.iter().map(resolve).collect::<Result<Vec<_>>>()?;
            Ok(columns(&keys).chain(own).collect())
        };
        let groups = match group_expr.as_slice() {
            [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] if sets.iter().all(Vec::is_empty) => {
                return not_impl_err!("GROUPING SETS (()) in a correlated subquery");
            }
            // The keys are in every set: they have the highest places and change no number of a set.
            [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => {
                let sets = sets.iter().map(|set| with_keys(set)).collect::<Result<Vec<_>>>()?;
                vec![Expr::GroupingSet(GroupingSet::GroupingSets(sets))]
            }
            exprs if exprs.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) => {
                return not_impl_err!("grouping sets of this kind in a correlated subquery");
            }
            exprs => with_keys(exprs)?,
        };
        let calls = aggr_expr.iter().map(resolve).collect::<Result<Vec<_>>>()?;
        let grouped = Aggregate::try_new(Arc::new(plan), groups, calls)?;
        let own = grouped.schema.columns().split_off(keys.len());
        let grouped = LogicalPlan::Aggregate(grouped);
        let named = |column: Column, (relation, name): (Option<TableReference>, String)| {
            Expr::Column(column).alias_qualified(relation, name)
        };
        let names: Vec<_> = schema.columns().into_iter().map(|column| (column.relation, column.name)).collect();
        if !group_expr.is_empty() {
            let mut exprs: Vec<Expr> = own.into_iter().zip(names).map(|(column, name)| named(column, name)).collect();
            exprs.extend(columns(&keys));
            return Ok(Keyed { plan: LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(grouped))?), keys });
        }
        // Without groups there is a row even where nothing is aggregated.
        let all = domain.rows(self)?;
        let on = domain.equal(&all.keys, &keys);
        let joined = LogicalPlanBuilder::from(all.plan).join_on(grouped, datafusion_expr::JoinType::Left, on)?.build()?;
        let mut exprs = Vec::with_capacity(own.len() + keys.len());
        for ((column, name), call) in own.into_iter().zip(names).zip(aggr_expr) {
            let value = super::empty::or_empty_value(Expr::Column(column), call, joined.schema())?;
            exprs.push(value.alias_qualified(name.0, name.1));
        }
        exprs.extend(columns(&all.keys));
        Ok(Keyed { plan: LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(joined))?), keys: all.keys })
    }

    fn limit(&self, limit: &Limit, domain: &Domain) -> Result<Keyed> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (limit.get_skip_type()?, limit.get_fetch_type()?) else {
            return not_impl_err!("a correlated subquery with a LIMIT that is not a constant");
        };
        match limit.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.push_limit(&sort.input, &sort.expr, skip, fetch, domain),
            _ => self.push_limit(&limit.input, &[], skip, fetch, domain),
        }
    }

    /// Numbers the rows of each domain value in the given order and keeps those in question.
    fn push_limit(
        &self,
        input: &LogicalPlan,
        order: &[SortExpr],
        skip: usize,
        fetch: Option<usize>,
        domain: &Domain,
    ) -> Result<Keyed> {
        let Keyed { plan, keys } = self.push(input, domain)?;
        let functions = crate::operator::window_functions();
        let Some(row_number) = functions.into_iter().find(|function| function.name() == "row_number") else {
            return not_impl_err!("LIMIT in a correlated subquery");
        };
        let mut call = WindowFunction::new(row_number, Vec::new());
        call.params.partition_by = columns(&keys).collect();
        for key in order {
            let expr = domain.resolve(key.expr.clone(), &keys)?;
            call.params.order_by.push(SortExpr::new(expr, key.asc, key.nulls_first));
        }
        if order.is_empty() {
            // Any order will do: one that does not tell the partition's rows apart.
            call.params.order_by = columns(&keys).map(|key| key.sort(true, true)).collect();
        }
        call.params.window_frame = WindowFrame::new(Some(true));
        let kept: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let numbered = Window::try_new(vec![Expr::WindowFunction(Box::new(call))], Arc::new(plan))?;
        let Some(number) = numbered.schema.columns().pop().map(Expr::Column) else {
            return not_impl_err!("LIMIT in a correlated subquery");
        };
        let bound = |rows: usize| lit(i32::try_from(rows).unwrap_or(i32::MAX));
        let mut predicate = number.clone().gt(bound(skip));
        if let Some(fetch) = fetch {
            predicate = predicate.and(number.lt_eq(bound(skip.saturating_add(fetch))));
        }
        let filtered = Filter::try_new(predicate, Arc::new(LogicalPlan::Window(numbered)))?;
        let plan = LogicalPlan::Projection(Projection::try_new(kept, Arc::new(LogicalPlan::Filter(filtered)))?);
        Ok(Keyed { plan, keys })
    }

    fn push_window(&self, window: &Window, domain: &Domain) -> Result<Keyed> {
        let Keyed { plan, keys } = self.push(&window.input, domain)?;
        let mut calls = Vec::with_capacity(window.window_expr.len());
        for call in &window.window_expr {
            let mut call = domain.resolve(call.clone().unalias(), &keys)?;
            let Expr::WindowFunction(function) = &mut call else {
                return not_impl_err!("{call} in a correlated subquery");
            };
            function.params.partition_by.extend(columns(&keys));
            calls.push(call);
        }
        let width = plan.schema().fields().len();
        let computed = Window::try_new(calls, Arc::new(plan))?;
        let new = computed.schema.columns().split_off(width);
        let own = window.input.schema().fields().len();
        let names = window.schema.columns();
        let mut exprs: Vec<Expr> = columns(&names[..own]).collect();
        exprs.extend(
            new.into_iter()
                .zip(&names[own..])
                .map(|(column, name)| Expr::Column(column).alias_qualified(name.relation.clone(), name.name.clone())),
        );
        exprs.extend(columns(&keys));
        let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(LogicalPlan::Window(computed)))?);
        Ok(Keyed { plan, keys })
    }

    fn push_union(&self, union: &Union, domain: &Domain) -> Result<Keyed> {
        let names = union.schema.columns();
        let mut inputs = Vec::with_capacity(union.inputs.len());
        let keys: Vec<Column> = domain.outer.iter().map(|_| Column::from_name(self.name("key"))).collect();
        for input in &union.inputs {
            let Keyed { plan, keys: own } = self.push(input, domain)?;
            let mut exprs = Vec::with_capacity(names.len() + keys.len());
            for (column, name) in input.schema().columns().into_iter().zip(&names) {
                exprs.push(Expr::Column(column).alias_qualified(name.relation.clone(), name.name.clone()));
            }
            exprs.extend(own.into_iter().zip(&keys).map(|(own, key)| Expr::Column(own).alias(key.name.clone())));
            inputs.push(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?)));
        }
        let union = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        // Its columns may have lost their tables' names.
        let mut exprs: Vec<Expr> = Vec::with_capacity(names.len() + keys.len());
        for (column, name) in union.schema().columns().into_iter().zip(names.iter().chain(&keys)) {
            exprs.push(Expr::Column(column).alias_qualified(name.relation.clone(), name.name.clone()));
        }
        Ok(Keyed { plan: LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(union))?), keys })
    }

    /// One projection of the domain for each row.
    fn push_values(&self, values: &Values, domain: &Domain) -> Result<Keyed> {
        let names = values.schema.columns();
        let nothing = DFSchema::empty();
        let keys: Vec<Column> = domain.outer.iter().map(|_| Column::from_name(self.name("key"))).collect();
        let mut inputs = Vec::with_capacity(values.values.len());
        for row in &values.values {
            let rows = domain.rows(self)?;
            let mut exprs = Vec::with_capacity(names.len() + keys.len());
            for ((expr, name), field) in row.iter().zip(&names).zip(values.schema.fields()) {
                let expr = domain.resolve(expr.clone(), &rows.keys)?;
                let same = datafusion_expr::ExprSchemable::get_type(&expr, &nothing).is_ok_and(|it| it == *field.data_type());
                let expr = if same { expr } else { datafusion_expr::cast(expr, field.data_type().clone()) };
                exprs.push(expr.alias_qualified(name.relation.clone(), name.name.clone()));
            }
            exprs.extend(rows.keys.into_iter().zip(&keys).map(|(own, key)| Expr::Column(own).alias(key.name.clone())));
            inputs.push(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(rows.plan))?)));
        }
        let plan = match inputs.len() {
            1 => Arc::unwrap_or_clone(inputs.swap_remove(0)),
            _ => LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?),
        };
        Ok(Keyed { plan, keys })
    }
}
