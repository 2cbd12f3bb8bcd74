//! One input of the join: what is needed of it, as it is or grouped by its keys.

use super::{call, weighted};
use crate::error::Result;
use crate::expr::{Slots, compile};
use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::logical_plan::{Aggregate, Join};
use datafusion_expr::{Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};

/// Digits of a decimal up to which a group's sum of ten billion rows has at most 38.
const SUMMED_DIGITS_MAX: u8 = 28;

/// An aggregation with all it says put in terms of the join below it.
pub(super) struct Inlined {
    pub(super) join: Join,
    pub(super) groups: Vec<Expr>,
    pub(super) calls: Vec<Expr>,
}

/// Looks through projections and renamings between the aggregation and a join.
pub(super) fn inlined(aggregate: &Aggregate) -> Option<Inlined> {
    let mut groups = aggregate.group_expr.clone();
    let mut calls: Vec<Expr> = aggregate.aggr_expr.iter().map(|call| call.clone().unalias()).collect();
    let mut node = aggregate.input.as_ref();
    loop {
        let (schema, values) = match node {
            LogicalPlan::Join(join) => return Some(Inlined { join: join.clone(), groups, calls }),
            LogicalPlan::Projection(projection) => {
                (&projection.schema, projection.expr.iter().map(|expr| expr.clone().unalias()).collect::<Vec<_>>())
            }
            LogicalPlan::SubqueryAlias(alias) => {
                (&alias.schema, alias.input.schema().columns().into_iter().map(Expr::Column).collect())
            }
            _ => return None,
        };
        for expr in groups.iter_mut().chain(&mut calls) {
            *expr = replaced(expr, schema, &values)?;
        }
        node = *node.inputs().first()?;
    }
}

fn replaced(expr: &Expr, schema: &DFSchema, values: &[Expr]) -> Option<Expr> {
    let replace = |part: Expr| match &part {
        Expr::Column(column) => match schema.maybe_index_of_column(column).and_then(|at| values.get(at)) {
            Some(value) => Ok(Transformed::yes(value.clone())),
            None => Ok(Transformed::no(part)),
        },
        _ => Ok(Transformed::no(part)),
    };
    expr.clone().transform_up(replace).ok().map(|done| done.data)
}

/// Whether `expr` reads columns of that side only.
pub(super) fn reads(expr: &Expr, join: &Join, left: bool) -> bool {
    let schema = if left { join.left.schema() } else { join.right.schema() };
    let mut plain = true;
    let _ = expr.apply(|part| {
        plain &=
            !matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::OuterReferenceColumn(..));
        Ok(TreeNodeRecursion::Continue)
    });
    plain && !expr.is_volatile() && expr.column_refs().iter().all(|column| schema.maybe_index_of_column(column).is_some())
}

/// The side that `expr` reads; the left one if it reads none.
pub(super) fn side_of(expr: &Expr, join: &Join) -> Option<bool> {
    [true, false].into_iter().find(|left| reads(expr, join, *left))
}

pub(super) fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    expr.get_type(schema).ok()
}

/// Whether a sum of `value` by group and then times a count stays within what is exact.
pub(super) fn is_summed(value: &Expr, join: &Join, left: bool) -> bool {
    let schema = if left { join.left.schema() } else { join.right.schema() };
    match type_of(value, schema) {
        Some(DataType::Int64 | DataType::Float64) => true,
        Some(DataType::Decimal128(precision, _)) => precision <= SUMMED_DIGITS_MAX,
        _ => false,
    }
}

/// See the module.
pub(super) struct Side {
    /// The input, or its grouping once it is built.
    pub(super) plan: LogicalPlan,
    /// Join keys and grouping expressions of this side, each once.
    keys: Vec<Expr>,
    /// What aggregates ask of this side's values: the values, and which functions of them.
    terms: Vec<(Expr, Vec<&'static str>)>,
    prefix: &'static str,
    is_grouped: bool,
}

impl Side {
    /// None when some group reads both sides.
    pub(super) fn new(join: &Join, left: bool, groups: &[Expr]) -> Option<Self> {
        let mut keys: Vec<Expr> = Vec::new();
        let own = join.on.iter().map(|(l, r)| if left { l } else { r });
        for key in own.chain(groups.iter().filter(|group| side_of(group, join) == Some(left))) {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        let known = groups.iter().all(|group| !matches!(group, Expr::GroupingSet(_)) && side_of(group, join).is_some());
        let plan = if left { join.left.as_ref() } else { join.right.as_ref() };
        let prefix = if left { "left" } else { "right" };
        known.then(|| Self { plan: plan.clone(), keys, terms: Vec::new(), prefix, is_grouped: false })
    }

    /// Notes that these functions of `term` are asked for.
    pub(super) fn needs(&mut self, term: &Expr, functions: &[&'static str]) {
        let at = self.terms.iter().position(|(known, _)| known == term).unwrap_or_else(|| {
            self.terms.push((term.clone(), Vec::new()));
            self.terms.len() - 1
        });
        for function in functions {
            if !self.terms[at].1.contains(function) {
                self.terms[at].1.push(function);
            }
        }
    }

    /// Whether terms may be evaluated for rows that the join might drop: none can fail.
    pub(super) fn may_group(&self) -> Result<bool> {
        for expr in self.terms.iter().map(|(term, _)| term).chain(&self.keys) {
            match compile(expr, self.plan.schema(), &Slots::default()) {
                Ok(compiled) if !compiled.is_fallible() => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether all that is read of this side is NULL where its columns are.
    pub(super) fn is_strict(&self) -> bool {
        self.terms.iter().map(|(term, _)| term).chain(&self.keys).all(is_strict)
    }

    /// The input grouped by the keys.
    pub(super) fn grouped(&self) -> Result<LogicalPlan> {
        let mut calls = vec![call("count", lit(1_i64))?.alias(self.name("rows", None))];
        for (term, functions) in &self.terms {
            for function in functions {
                // A sum of 38 digits, whatever the type: the number of pairs is still to come.
                let value = if *function == "sum" { weighted(term.clone(), lit(1_i64)) } else { term.clone() };
                calls.push(call(function, value)?.alias(self.name(function, Some(term))));
            }
        }
        Ok(LogicalPlanBuilder::from(self.plan.clone()).aggregate(self.keys.clone(), calls)?.build()?)
    }

    /// Whether its grouping would be by no more than the join's keys.
    pub(super) fn is_grouped_by(&self, join_keys: usize) -> bool {
        self.keys.len() <= join_keys
    }

    /// Settles which form it has.
    pub(super) fn build(&mut self, group: bool) -> Result<()> {
        if group {
            self.plan = self.grouped()?;
            self.is_grouped = true;
        }
        Ok(())
    }

    fn name(&self, what: &str, term: Option<&Expr>) -> String {
        let at = term.and_then(|term| self.terms.iter().position(|(known, _)| known == term));
        format!("{} {what}{}", self.prefix, at.map_or(String::new(), |at| format!(" {at}")))
    }

    fn column(&self, what: &str, term: Option<&Expr>) -> Expr {
        Expr::Column(Column::from_name(self.name(what, term)))
    }

    /// A key or group of this side above it.
    pub(super) fn output(&self, expr: &Expr) -> Expr {
        match expr {
            Expr::Column(_) => expr.clone(),
            other if self.is_grouped => Expr::Column(Column::from_name(other.schema_name().to_string())),
            other => other.clone(),
        }
    }

    /// The rows that one row of it stands for; none: one.
    pub(super) fn rows(&self) -> Option<Expr> {
        self.is_grouped.then(|| self.column("rows", None))
    }

    /// How many of them have a value of `term`; NULL or 0 if none.
    pub(super) fn count(&self, term: &Expr) -> Expr {
        if self.is_grouped {
            return self.column("count", Some(term));
        }
        let counted = (Box::new(term.clone().is_not_null()), Box::new(lit(1_i64)));
        Expr::Case(Case { expr: None, when_then_expr: vec![counted], else_expr: None })
    }

    /// The sum of `term` over them.
    pub(super) fn sum(&self, term: &Expr) -> Expr {
        if self.is_grouped { self.column("sum", Some(term)) } else { term.clone() }
    }

    pub(super) fn min(&self, term: &Expr) -> Expr {
        if self.is_grouped { self.column("min", Some(term)) } else { term.clone() }
    }

    pub(super) fn max(&self, term: &Expr) -> Expr {
        if self.is_grouped { self.column("max", Some(term)) } else { term.clone() }
    }
}

/// Whether NULL columns make `expr` NULL, as far as is known.
fn is_strict(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) => is_strict(&cast.expr),
        Expr::ScalarFunction(function) => matches!(function.func.name(), "+" | "-" | "*") && function.args.iter().any(is_strict),
        _ => false,
    }
}
