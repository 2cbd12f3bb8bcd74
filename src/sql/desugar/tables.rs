//! PIVOT, UNPIVOT and TABLESAMPLE as subqueries in FROM; SORT BY and its kin as ORDER BY.
//!
//! ```text
//!   t PIVOT (sum(v) FOR q IN (1, 2))      SELECT k, sum(v) FILTER (WHERE q <=> 1) AS `1`, .. GROUP BY k
//!   t UNPIVOT (v FOR q IN (a, b))         SELECT k, q, v FROM t, LATERAL stack(2, 'a', a, 'b', b) AS u(q, v)
//!   t TABLESAMPLE (10 PERCENT)            SELECT * FROM t WHERE rand() * 100 < 10
//! ```
//!
//! A pivoted aggregate is NULL where a group has no row of the value, a count, too. One consumer sees
//! all rows, so the order within a task's output is the order of the output, and which task a row
//! goes to (DISTRIBUTE BY) shows nowhere.

use super::scope::Scope;
use super::{Desugar, build};
use crate::error::{Error, Result};
use crate::sql::source::At;
use crate::sql::walk::walk_expr_mut;
use sqlparser::ast::*;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Makes ORDER BY of a SELECT's SORT BY and CLUSTER BY.
pub(super) fn order_of_tasks(select: &mut Select, order_by: &mut Option<OrderBy>) -> Result<()> {
    let cluster = std::mem::take(&mut select.cluster_by);
    let (distribute, sort) = (std::mem::take(&mut select.distribute_by), std::mem::take(&mut select.sort_by));
    let given = [order_by.is_some(), !cluster.is_empty(), !sort.is_empty() || !distribute.is_empty()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        let span = select.span();
        return Err(Error::sql("ORDER BY, CLUSTER BY, and SORT BY or DISTRIBUTE BY exclude one another").at_span(span));
    }
    let ascending = |expr: Expr| OrderByExpr { expr, options: OrderByOptions { asc: None, nulls_first: None }, with_fill: None };
    let keys: Vec<OrderByExpr> = sort.into_iter().chain(cluster.into_iter().map(ascending)).collect();
    if !keys.is_empty() {
        *order_by = Some(OrderBy { kind: OrderByKind::Expressions(keys), interpolate: None });
    }
    Ok(())
}

/// The same for the SELECTs of a set operation, whose rows have no order in the result.
pub(super) fn order_of_parts(body: &mut SetExpr) -> Result<()> {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            order_of_parts(left)?;
            order_of_parts(right)
        }
        SetExpr::Select(select) => order_of_tasks(select, &mut None),
        _ => Ok(()),
    }
}

/// A name that is no column.
struct Stranger<'a> {
    scope: &'a Scope,
    aliases: Vec<&'a str>,
}

impl VisitorMut for Stranger<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let parts = match expr {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(parts) => parts.as_slice(),
            _ => return ControlFlow::Continue(()),
        };
        let is_known = |part: &Ident| self.scope.has(&part.value) || self.aliases.contains(&part.value.as_str());
        if parts.iter().take(2).any(is_known) {
            return ControlFlow::Continue(());
        }
        let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        ControlFlow::Break(Error::sql(format!("unknown column '{name}'")).at_span(expr.span()))
    }
}

impl Desugar<'_> {
    /// Refuses DISTRIBUTE BY of what there is not; it says nothing else of the answer.
    pub(super) fn distributed(&mut self, select: &Select) -> Result<()> {
        if select.distribute_by.is_empty() {
            return Ok(());
        }
        let Some(scope) = self.scope_of_from(select) else { return Ok(()) };
        let alias = |item: &'_ SelectItem| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
            _ => None,
        };
        let aliases: Vec<String> = select.projection.iter().filter_map(alias).collect();
        let mut stranger = Stranger { scope: &scope, aliases: aliases.iter().map(String::as_str).collect() };
        for expr in &select.distribute_by {
            if let ControlFlow::Break(error) = walk_expr_mut(&mut expr.clone(), &mut stranger) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes a subquery of a table that is sampled or pivoted.
    pub(super) fn factor(&mut self, factor: &mut TableFactor) -> Result<()> {
        match factor {
            TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. } => {
                let Some(sample) = sample.take() else { return Ok(()) };
                let sample = match sample {
                    TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample) => sample,
                };
                let alias = match factor {
                    TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
                        Some(alias.clone())
                    }
                    TableFactor::Table { name, .. } => {
                        let name = name.0.last().and_then(ObjectNamePart::as_ident);
                        name.map(|name| build::alias(&name.value, &[]))
                    }
                    _ => None,
                };
                let nothing = build::derived(build::subquery(build::select(vec![], vec![])), None);
                *factor = sampled(std::mem::replace(factor, nothing), &sample, alias)?;
                Ok(())
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.table(table_with_joins),
            TableFactor::Pivot { table, .. } | TableFactor::Unpivot { table, .. } => {
                self.factor(table)?;
                let nothing = build::derived(build::subquery(build::select(vec![], vec![])), None);
                *factor = match std::mem::replace(factor, nothing) {
                    TableFactor::Pivot { table, aggregate_functions, value_column, value_source, default_on_null, alias } => {
                        if let Some(default) = default_on_null {
                            return Err(Error::unsupported("DEFAULT ON NULL in PIVOT").at_span(default.span()));
                        }
                        let PivotValueSource::List(values) = value_source else {
                            return Err(Error::unsupported("PIVOT over values that are not listed").at_span(table.span()));
                        };
                        self.pivoted(*table, aggregate_functions, value_column, values, alias)?
                    }
                    TableFactor::Unpivot { table, value, name, columns, null_inclusion, alias } => {
                        let nulls = null_inclusion == Some(NullInclusion::IncludeNulls);
                        self.unpivoted(*table, value, &name, columns, nulls, alias)?
                    }
                    other => other,
                };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The columns of a table, or an error that names what wants them.
    fn columns_of(&mut self, table: &TableFactor, what: &str) -> Result<Vec<String>> {
        match self.factor_scope(table) {
            Some(scope) => Ok(scope.visible.into_iter().map(|visible| visible.name).collect()),
            None => Err(Error::unsupported(format!("{what} of a table whose columns are not known")).at_span(table.span())),
        }
    }

    fn pivoted(
        &mut self,
        table: TableFactor,
        aggregates: Vec<ExprWithAlias>,
        columns: Vec<Expr>,
        values: Vec<ExprWithAlias>,
        alias: Option<TableAlias>,
    ) -> Result<TableFactor> {
        let mut used = HashSet::new();
        for expr in aggregates.iter().map(|aggregate| &aggregate.expr).chain(&columns) {
            used.extend(names_in(expr));
        }
        let mut groups = self.columns_of(&table, "PIVOT")?;
        groups.retain(|column| !used.contains(column));
        let mut items: Vec<SelectItem> = groups.iter().map(|column| build::item(build::name(column), column)).collect();
        for ExprWithAlias { expr: value, alias } in values {
            let parts = match value {
                Expr::Tuple(parts) => parts,
                single => vec![single],
            };
            if parts.len() != columns.len() {
                let span = parts.first().map_or_else(sqlparser::tokenizer::Span::empty, Spanned::span);
                return Err(Error::sql("a value of PIVOT has another number of parts than FOR has columns").at_span(span));
            }
            let shown = parts.iter().map(|part| crate::sql::names::expr_name(part, self.source));
            let name = alias.map_or_else(|| shown.collect::<Vec<_>>().join("_"), |alias| alias.value);
            let equal =
                columns.iter().zip(parts).map(|(column, part)| build::binary(column.clone(), BinaryOperator::Spaceship, part));
            let Some(chosen) = build::all(equal) else { continue };
            for aggregate in &aggregates {
                let name = match (&aggregate.alias, aggregates.len()) {
                    (_, 1) => name.clone(),
                    (Some(alias), _) => format!("{name}_{}", alias.value),
                    (None, _) => format!("{name}_{}", crate::sql::names::expr_name(&aggregate.expr, self.source).to_lowercase()),
                };
                items.push(build::item(of_value(&aggregate.expr, &chosen)?, &name.to_lowercase()));
            }
        }
        let mut select = build::select(items, vec![table]);
        select.group_by = GroupByExpr::Expressions(groups.iter().map(|column| build::name(column)).collect(), vec![]);
        Ok(build::derived(build::subquery(select), alias))
    }

    fn unpivoted(
        &mut self,
        table: TableFactor,
        value: Expr,
        name: &Ident,
        columns: Vec<ExprWithAlias>,
        nulls: bool,
        alias: Option<TableAlias>,
    ) -> Result<TableFactor> {
        let parts = |expr: &Expr| match expr {
            Expr::Tuple(parts) => parts.clone(),
            Expr::Nested(inner) => vec![inner.as_ref().clone()],
            single => vec![single.clone()],
        };
        let value_names: Vec<String> = parts(&value).iter().flat_map(names_in).collect();
        let mut used = HashSet::new();
        let mut arguments = vec![build::number(columns.len())];
        for ExprWithAlias { expr, alias } in &columns {
            let parts = parts(expr);
            if parts.len() != value_names.len() {
                return Err(Error::sql("UNPIVOT puts as many columns as there are values into a row").at_span(expr.span()));
            }
            let names: Vec<String> = parts.iter().flat_map(names_in).collect();
            let label = alias.as_ref().map_or_else(|| names.join("_"), |alias| alias.value.clone());
            used.extend(names);
            arguments.push(build::text(label));
            arguments.extend(parts);
        }
        let mut others = self.columns_of(&table, "UNPIVOT")?;
        others.retain(|column| !used.contains(column));
        let generated: Vec<String> = std::iter::once(name.value.clone()).chain(value_names.iter().cloned()).collect();
        let stack = TableFactor::Function {
            lateral: true,
            name: ObjectName::from(vec![build::ident("stack")]),
            args: arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect(),
            with_ordinality: false,
            alias: Some(build::alias("skep_unpivot", &generated)),
        };
        let mut items: Vec<SelectItem> = others.iter().map(|column| build::item(build::name(column), column)).collect();
        items.extend(generated.iter().map(|column| build::item(build::column(Some("skep_unpivot"), column), column)));
        let mut select = build::select(items, vec![table]);
        let joined = Join { relation: stack, global: false, join_operator: JoinOperator::CrossJoin(JoinConstraint::None) };
        select.from[0].joins.push(joined);
        if !nulls {
            let present = |column: &String| Expr::IsNotNull(Box::new(build::column(Some("skep_unpivot"), column)));
            let any = value_names.iter().map(present).reduce(|left, right| build::binary(left, BinaryOperator::Or, right));
            select.selection = any;
        }
        Ok(build::derived(build::subquery(select), alias))
    }
}

/// An aggregate over the rows that are chosen; NULL where there is none.
fn of_value(aggregate: &Expr, chosen: &Expr) -> Result<Expr> {
    let Expr::Function(function) = aggregate else {
        return Err(Error::unsupported("PIVOT with anything but one aggregate function").at_span(aggregate.span()));
    };
    let mut function = function.clone();
    let filter = match function.filter.take() {
        Some(filter) => build::binary(build::nested(*filter), BinaryOperator::And, chosen.clone()),
        None => chosen.clone(),
    };
    function.filter = Some(Box::new(filter));
    let mut rows = build::call("count", vec![build::number(1)]);
    rows.filter = Some(Box::new(chosen.clone()));
    let some = build::binary(Expr::Function(rows), BinaryOperator::Gt, build::number(0));
    Ok(Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: some, result: Expr::Function(function) }],
        else_result: None,
    })
}

/// A table's sample, under the table's name.
fn sampled(mut table: TableFactor, sample: &TableSample, alias: Option<TableAlias>) -> Result<TableFactor> {
    if let TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } = &mut table {
        *alias = None;
    }
    let TableSample { modifier: _, name, quantity, seed, bucket, offset } = sample;
    let refuse = |what: &str| Err(Error::unsupported(format!("TABLESAMPLE {what}")).at_span(table.span()));
    if matches!(name, Some(TableSampleMethod::System | TableSampleMethod::Block | TableSampleMethod::Row)) {
        return refuse("by blocks");
    }
    if offset.is_some() {
        return refuse("with OFFSET");
    }
    let random = Expr::Function(match seed {
        Some(seed) => build::call("rand", vec![Expr::Value(seed.value.clone())]),
        None => build::call("rand", vec![]),
    });
    let percent = |share: Expr| {
        build::binary(build::binary(random.clone(), BinaryOperator::Multiply, build::number("100.0")), BinaryOperator::Lt, share)
    };
    let mut select = build::select(vec![build::wildcard()], vec![]);
    let mut limit = None;
    match (quantity, bucket) {
        (Some(TableSampleQuantity { value, unit: Some(TableSampleUnit::Rows), parenthesized: _ }), None) => {
            limit = Some(value.clone())
        }
        (Some(TableSampleQuantity { value, unit: Some(TableSampleUnit::Percent), parenthesized: _ }), None) => {
            let share = match value {
                Expr::Value(value) => match &value.value {
                    Value::Number(share, _) => share.parse::<f64>().ok(),
                    _ => None,
                },
                _ => None,
            };
            if !share.is_some_and(|share| (0.0..=100.0).contains(&share)) {
                return refuse("of anything but 0 to 100 PERCENT");
            }
            select.selection = Some(percent(value.clone()));
        }
        (None, Some(TableSampleBucket { bucket, total, on })) => {
            let whole = |value: &Value| match value {
                Value::Number(number, _) => number.parse::<u32>().ok(),
                _ => None,
            };
            let (Some(chosen), Some(of)) = (whole(&bucket.value), whole(&total.value)) else { return refuse("of this bucket") };
            if chosen == 0 || chosen > of {
                return refuse("of a bucket that there is not");
            }
            select.selection = Some(match on {
                // Hive's buckets, by the hash that tables are bucketed with.
                Some(Expr::Function(random)) if random.name.to_string() == "rand" => {
                    percent(build::number(100.0 / f64::from(of)))
                }
                Some(on) => {
                    let hash = Expr::Function(build::call("hash", vec![on.clone()]));
                    let place = Expr::Function(build::call("pmod", vec![hash, build::number(of)]));
                    build::binary(place, BinaryOperator::Eq, build::number(chosen - 1))
                }
                // As in Spark: a share of the rows, whichever.
                None => percent(build::number(f64::from(chosen) * 100.0 / f64::from(of))),
            });
        }
        _ => return refuse("of a size in bytes, or without a unit"),
    }
    select.from.push(build::from(table));
    let mut query = build::subquery(select);
    query.limit_clause = limit.map(|limit| LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by: vec![] });
    Ok(build::derived(query, alias))
}

/// The names of the columns in an expression.
fn names_in(expr: &Expr) -> Vec<String> {
    struct Names(Vec<String>);
    impl VisitorMut for Names {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(ident) => self.0.push(ident.value.clone()),
                Expr::CompoundIdentifier(parts) => self.0.extend(parts.last().map(|ident| ident.value.clone())),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(Vec::new());
    let _ = walk_expr_mut(&mut expr.clone(), &mut names);
    names.0
}
