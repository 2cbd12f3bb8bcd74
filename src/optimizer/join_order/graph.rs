//! A cluster as the search sees it: relations with estimates, key classes, other predicates.

use super::cluster::{Reducer, Relation};
use crate::error::Result;
use crate::optimizer::estimate::{self, ColumnEstimate, Estimate};
use datafusion_common::DFSchema;
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, Operator, utils::conjunction};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of relations, one bit each.
pub(super) type Set = u64;

/// The relations of `set`, lowest first.
pub(super) fn members(mut set: Set) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(at)
    })
}

/// A relation ready to be joined: predicates on it alone are part of its plan.
#[derive(Debug)]
pub(super) struct Node {
    pub plan: Arc<LogicalPlan>,
    pub estimate: Estimate,
    pub reducer: Option<Reduction>,
}

/// A semi or anti join as the search sees it.
#[derive(Debug)]
pub(super) struct Reduction {
    pub join: Reducer,
    /// The relations its left expressions read; it can be applied once they are joined.
    pub needs: Set,
    /// Share of rows it keeps.
    pub share: f64,
    /// Share of the right side's rows that can match anything on the left.
    pub right_share: f64,
}

/// Expressions that are equal to each other in every row of the cluster's result.
#[derive(Debug)]
pub(super) struct Class {
    /// By relation: an expression over it alone, and what is known of its values.
    pub members: BTreeMap<usize, (Expr, ColumnEstimate)>,
    /// The relations with a member.
    pub set: Set,
}

/// A predicate over several relations that is no key.
#[derive(Debug)]
pub(super) struct Residual {
    pub expr: Expr,
    pub set: Set,
    pub share: f64,
}

/// The whole cluster.
#[derive(Debug)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub classes: Vec<Class>,
    pub residuals: Vec<Residual>,
}

impl Graph {
    /// Puts the relations into their canonical order and sorts the predicates by what they read.
    pub fn new(relations: Vec<Relation>, conjuncts: Vec<Expr>) -> Result<Self> {
        let mut relations: Vec<(String, Relation)> = relations.into_iter().map(|relation| (name(&relation), relation)).collect();
        relations.sort_by(|a, b| a.0.cmp(&b.0));
        let relations: Vec<Relation> = relations.into_iter().map(|(_, relation)| relation).collect();
        let reads = |expr: &Expr| -> Set { read_by(expr, &relations) };

        let mut conjuncts: Vec<(String, Expr)> = conjuncts.into_iter().map(|expr| (expr.to_string(), expr)).collect();
        conjuncts.sort_by(|a, b| a.0.cmp(&b.0));
        conjuncts.dedup_by(|a, b| a.1 == b.1);

        let mut alone: Vec<Vec<Expr>> = relations.iter().map(|_| vec![]).collect();
        let mut equal = Vec::new();
        let mut rest = Vec::new();
        for (_, expr) in conjuncts {
            let set = reads(&expr);
            if set.count_ones() == 1 {
                alone[set.trailing_zeros() as usize].push(expr);
            } else if let Some(pair) = key_pair(&expr, &relations, &reads) {
                equal.push(pair);
            } else {
                rest.push((expr, set));
            }
        }
        let groups = merge(equal);
        for group in &groups {
            // Two members of one relation: the class says that they are equal in it.
            for pair in group.windows(2) {
                if pair[0].0 == pair[1].0 {
                    alone[pair[0].0].push(pair[0].1.clone().eq(pair[1].1.clone()));
                }
            }
        }
        let mut nodes = Vec::with_capacity(relations.len());
        let mut needs = Vec::with_capacity(relations.len());
        for relation in &relations {
            needs.push(relation.reducer.as_ref().map_or(0, |reducer| {
                let lefts = reducer.on.iter().map(|(left, _)| left).chain(&reducer.filter);
                lefts.map(&reads).fold(0, |a, b| a | b)
            }));
        }
        for (at, (relation, alone)) in relations.into_iter().zip(alone).enumerate() {
            let plan = match conjunction(alone) {
                Some(filter) => LogicalPlan::Filter(datafusion_expr::Filter::try_new(filter, Arc::new(relation.plan))?),
                None => relation.plan,
            };
            let estimate = estimate::estimate(&plan);
            let reducer = relation.reducer.map(|join| Reduction { join, needs: needs[at], share: 1.0, right_share: 1.0 });
            nodes.push(Node { plan: Arc::new(plan), estimate, reducer });
        }
        let mut classes: Vec<Class> = groups.into_iter().map(|group| class(group, &nodes)).collect();
        classes.iter_mut().for_each(|class| within_common_range(class, &mut nodes));
        let mut graph = Self { nodes, classes, residuals: vec![] };
        for (expr, set) in rest {
            let share = graph.share(&expr, set);
            graph.residuals.push(Residual { expr, set, share });
        }
        graph.estimate_reducers();
        Ok(graph)
    }

    /// All relations.
    pub fn all(&self) -> Set {
        (1 << self.nodes.len()) - 1
    }

    /// The relations whose columns are part of the rows.
    pub fn bases(&self) -> Set {
        members(self.all()).filter(|at| self.nodes[*at].reducer.is_none()).fold(0, |set, at| set | 1 << at)
    }

    /// The schema and the estimate of all columns of `set`'s relations side by side.
    fn side_by_side(&self, set: Set) -> Option<(DFSchema, Estimate)> {
        let mut all: Option<(DFSchema, Estimate)> = None;
        for at in members(set) {
            let Node { plan, estimate, .. } = &self.nodes[at];
            all = Some(match all {
                None => (plan.schema().as_ref().clone(), estimate.clone()),
                Some((schema, mut sum)) => {
                    sum.columns.extend(estimate.columns.iter().cloned());
                    sum.rows = (sum.rows * estimate.rows).max(1.0);
                    sum.base_rows = sum.base_rows.max(estimate.base_rows);
                    (schema.join(plan.schema()).ok()?, sum)
                }
            });
        }
        all
    }

    fn share(&self, expr: &Expr, set: Set) -> f64 {
        self.side_by_side(set).map_or(1.0, |(schema, estimate)| estimate::selectivity(expr, &schema, &estimate).max(1e-9))
    }

    fn estimate_reducers(&mut self) {
        for at in 0..self.nodes.len() {
            let Some(Reduction { join, needs, .. }) = &self.nodes[at].reducer else { continue };
            let Some((schema, left)) = self.side_by_side(*needs) else { continue };
            let Node { plan, estimate: right, .. } = &self.nodes[at];
            let pair =
                |(l, r): &(Expr, Expr)| (estimate::expression(l, &schema, &left), estimate::expression(r, plan.schema(), right));
            let keys: Vec<_> = join.on.iter().map(pair).collect();
            let residual = join.filter.as_ref().map_or(1.0, |filter| self.share(filter, *needs | 1 << at));
            let share = estimate::semi_selectivity(&keys, &left, right, residual);
            let flipped: Vec<_> = keys.into_iter().map(|(l, r)| (r, l)).collect();
            let right_share = estimate::semi_selectivity(&flipped, right, &left, 1.0);
            let anti = join.join_type == datafusion_common::JoinType::LeftAnti;
            let share = if anti { (1.0 - share).max(0.05) } else { share.max(1e-9) };
            if let Some(reducer) = &mut self.nodes[at].reducer {
                (reducer.share, reducer.right_share) = (share, right_share);
            }
        }
    }
}

/// What a relation is, in words that do not depend on where it stood.
fn name(relation: &Relation) -> String {
    let plan = relation.plan.display_indent();
    match &relation.reducer {
        None => format!("{plan}"),
        Some(reducer) => format!("~{} {:?} {:?} {plan}", reducer.join_type, reducer.on, reducer.filter),
    }
}

/// The base relations whose columns `expr` reads.
fn read_by(expr: &Expr, relations: &[Relation]) -> Set {
    let mut set = 0;
    for column in expr.column_refs() {
        let owner = relations.iter().position(|relation| relation.reducer.is_none() && relation.plan.schema().has_column(column));
        set |= owner.map_or(0, |at| 1 << at);
    }
    set
}

type Member = (usize, Expr);

/// `expr` as a join key: an equality of one type between expressions over one relation each.
fn key_pair(expr: &Expr, relations: &[Relation], reads: &impl Fn(&Expr) -> Set) -> Option<(Member, Member)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return None };
    let side = |expr: &Expr| {
        let set = reads(expr);
        (set.count_ones() == 1).then(|| (set.trailing_zeros() as usize, expr.clone()))
    };
    let (left, right) = (side(left)?, side(right)?);
    let of = |member: &Member| member.1.get_type(relations[member.0].plan.schema()).ok();
    (left.0 != right.0 && of(&left)? == of(&right)?).then_some((left, right))
}

/// The equivalence classes that the pairs span, each sorted by relation and expression.
fn merge(pairs: Vec<(Member, Member)>) -> Vec<Vec<Member>> {
    let mut classes: Vec<Vec<Member>> = Vec::new();
    for (left, right) in pairs {
        let find = |classes: &[Vec<Member>], member: &Member| classes.iter().position(|class| class.contains(member));
        match (find(&classes, &left), find(&classes, &right)) {
            (None, None) => classes.push(vec![left, right]),
            (Some(at), None) => classes[at].push(right),
            (None, Some(at)) => classes[at].push(left),
            (Some(a), Some(b)) if a != b => {
                let moved = classes.swap_remove(a.max(b));
                classes[a.min(b)].extend(moved);
            }
            _ => {}
        }
    }
    let key = |member: &Member| (member.0, member.1.to_string());
    for class in &mut classes {
        class.sort_by_key(key);
    }
    classes.sort_by_key(|class| class.first().map(key));
    classes
}

/// Rows whose key lies where not all of the class have values match nothing: neither they nor their keys count.
fn within_common_range(class: &mut Class, nodes: &mut [Node]) {
    let shares: Vec<(usize, f64)> = class
        .members
        .iter()
        .map(|(at, (_, values))| {
            let others = class.members.values().map(|(_, other)| values.overlap(other).0);
            (*at, others.fold(1.0, f64::min))
        })
        .collect();
    for (at, share) in shares {
        let estimate = &mut nodes[at].estimate;
        estimate.rows = estimate.rows.min((estimate.base_rows * share).max(1.0));
        if let Some((_, values)) = class.members.get_mut(&at) {
            *values = values.within(share);
        }
    }
}

fn class(group: Vec<Member>, nodes: &[Node]) -> Class {
    let mut class = Class { members: BTreeMap::new(), set: 0 };
    for (at, expr) in group {
        class.set |= 1 << at;
        let values = estimate::expression(&expr, nodes[at].plan.schema(), &nodes[at].estimate);
        class.members.entry(at).or_insert((expr, values));
    }
    class
}
