//! Rows of the join of any set of relations, the same whichever way the set is joined.
//!
//! A set's rows are those of the set without its smallest relation, times that relation's rows,
//! over the domain of the keys the two share. Taking the smallest off last means facts are joined
//! first and each dimension divides by its own key. Several keys at once are one foreign key when a
//! single relation holds them all, and independent otherwise.

use super::graph::{Class, Graph, Set, members};
use crate::optimizer::estimate::composite_domain;
use std::collections::HashMap;

/// Rows of sets, remembered.
#[derive(Debug)]
pub(super) struct Cardinalities<'g> {
    graph: &'g Graph,
    known: HashMap<Set, f64>,
    /// Relations from the one taken off first: reducers, then by rows before filters.
    order: Vec<usize>,
}

impl<'g> Cardinalities<'g> {
    pub fn new(graph: &'g Graph) -> Self {
        let mut order: Vec<usize> = (0..graph.nodes.len()).collect();
        order.sort_by(|a, b| {
            let (left, right) = (&graph.nodes[*a], &graph.nodes[*b]);
            let reducers_first = right.reducer.is_some().cmp(&left.reducer.is_some());
            reducers_first.then(left.estimate.base_rows.total_cmp(&right.estimate.base_rows)).then(a.cmp(b))
        });
        Self { graph, known: HashMap::new(), order }
    }

    /// Rows of the join of `set`.
    pub fn rows(&mut self, set: Set) -> f64 {
        if let Some(rows) = self.known.get(&set) {
            return *rows;
        }
        let Some(last) = self.order.iter().copied().find(|at| set & (1 << at) != 0) else {
            return 1.0;
        };
        let rest = set & !(1 << last);
        let node = &self.graph.nodes[last];
        let rows = if rest == 0 {
            node.estimate.rows
        } else if let Some(reducer) = &node.reducer {
            self.rows(rest) * reducer.share
        } else {
            let residuals = self.graph.residuals.iter();
            let new = residuals.filter(|residual| residual.set & !set == 0 && residual.set & !rest != 0);
            let share: f64 = new.map(|residual| residual.share).product();
            let keys: Vec<&Class> =
                self.graph.classes.iter().filter(|class| class.set & (1 << last) != 0 && class.set & rest != 0).collect();
            self.rows(rest) * node.estimate.rows * share / domain(self.graph, &keys, rest, last)
        };
        let rows = rows.clamp(1e-3, 1e30);
        self.known.insert(set, rows);
        rows
    }
}

/// How many combinations of the keys exist that `rest` and `last` share.
fn domain(graph: &Graph, keys: &[&Class], rest: Set, last: usize) -> f64 {
    if keys.is_empty() {
        return 1.0;
    }
    let values = |class: &Class, at: usize| class.members.get(&at).map_or(1.0, |(_, values)| values.domain);
    let own = composite_domain(keys.iter().map(|class| values(class, last)), graph.nodes[last].estimate.base_rows);
    let single = keys.iter().map(|class| values(class, last)).fold(1.0, f64::max);
    let mut left: Vec<&Class> = keys.to_vec();
    let mut others = 1.0;
    let mut groups = 0;
    while !left.is_empty() {
        let covered = |at: usize| left.iter().filter(|class| class.set & (1 << at) != 0).count();
        // The first of the relations that hold the most keys.
        let Some(best) = members(rest).first_max_by(covered) else { break };
        let (now, later): (Vec<&Class>, Vec<&Class>) = left.iter().partition(|class| class.set & (1 << best) != 0);
        if now.is_empty() {
            break;
        }
        others *= composite_domain(now.iter().map(|class| values(class, best)), graph.nodes[best].estimate.base_rows);
        groups += 1;
        left = later;
    }
    if groups == 1 && keys.len() > 1 { others.min(own).max(single) } else { others.max(own) }
}

trait FirstMax: Iterator<Item = usize> + Sized {
    /// The first item with the largest `key`.
    fn first_max_by(self, key: impl Fn(usize) -> usize) -> Option<usize> {
        let mut best: Option<(usize, usize)> = None;
        for at in self {
            let now = key(at);
            if best.is_none_or(|(_, most)| now > most) {
                best = Some((at, now));
            }
        }
        best.map(|(at, _)| at)
    }
}

impl<I: Iterator<Item = usize>> FirstMax for I {}
