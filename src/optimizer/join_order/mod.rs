//! Which inputs of a cluster of inner joins meet first, and which side is built.
//!
//! The problem: SQL names tables in any order, and joined as written a query can take a hundred
//! times as long as it must. The idea: take maximal clusters of inner joins (with the filters,
//! renamings, semi and anti joins between them) apart into relations, equivalence classes of join
//! keys and other predicates; search join trees for the cheapest by estimated time; put the best
//! together again. The search is exact (dynamic programming over subsets) up to
//! [`EXACT_RELATIONS_MAX`] relations and greedy beyond.
//!
//! ```text
//!   Filter             cluster                        Join            right = build side
//!     Join             relations  l  p  s  n    ->      Join
//!       Join           classes    {l.pk, p.pk}            l   p  (filtered: first, its runtime
//!         ...                     {l.sk, s.sk}          Join      filter thins l's scan)
//!                      rest       n.name = ...            s   n
//! ```
//!
//! Convention: the **right** input of every inner join is the build side. Semi and anti joins keep
//! their left input; the join operator picks the side to build. The result is a function of the
//! cluster alone: relations are ordered by what they are, never by their place in FROM.
//!
//! Cost: O(3^n) subset pairs for n relations, a few ns each, so 2 ms at 12. NULLs: a key class holds
//! `=` only, and `=` never matches NULL whichever members of the class are compared; joins on `<=>`
//! stay as they are, as relations of their own. Literature: Moerkotte & Neumann, VLDB 2006 (DPccp)
//! and SIGMOD 2008 (DPhyp: predicates over several relations); Fegaras, DEXA 1998 (greedy operator
//! ordering).

mod assemble;
mod cardinality;
mod cluster;
mod enumerate;
mod graph;

use crate::error::Result;
use cluster::Pieces;
use datafusion_common::DataFusionError;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::LogicalPlan;
use std::sync::Arc;

/// Clusters up to this size are searched exhaustively; cited: `executor.md`, item 1.
pub const EXACT_RELATIONS_MAX: usize = 12;
/// Larger clusters stay as written: sets of relations are 64-bit masks.
const RELATIONS_MAX: usize = 60;

/// Reorders every cluster of inner joins in `plan`, subqueries included. The schema stays.
pub fn join_order(plan: LogicalPlan) -> Result<LogicalPlan> {
    visit(plan, Columns::Fixed)
}

/// Whether the order of a node's output columns matters to its parent. Where it does not, it is
/// left to the join tree, so that it cannot depend on FROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    /// The parent goes by position or by a schema of its own made from the node's.
    Fixed,
    /// The parent goes by name.
    Free,
}

fn visit(plan: LogicalPlan, columns: Columns) -> Result<LogicalPlan> {
    stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || match plan {
        // It only drops columns, in an order that came from FROM; pruning brings it back.
        LogicalPlan::Projection(node) if columns == Columns::Free && cluster::only_drops(&node) => {
            visit(Arc::unwrap_or_clone(node.input), columns)
        }
        plan if cluster::is_root(&plan) => reorder(plan, columns),
        plan => inside(plan, columns),
    })
}

/// `plan`'s inputs and subqueries reordered, the node itself kept.
fn inside(plan: LogicalPlan, columns: Columns) -> Result<LogicalPlan> {
    let below = match &plan {
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => Columns::Free,
        // Their schema is their input's, whatever it is.
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => columns,
        _ => Columns::Fixed,
    };
    let plan = subqueries(plan)?;
    let mapped = plan.map_children(|input| Ok(Transformed::yes(visit(input, below).map_err(carried)?)))?;
    Ok(mapped.data)
}

/// Plans inside `plan`'s own expressions reordered.
fn subqueries(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.map_subqueries(|subquery| Ok(Transformed::yes(join_order(subquery).map_err(carried)?)))?.data)
}

fn reorder(plan: LogicalPlan, columns: Columns) -> Result<LogicalPlan> {
    let original = plan.schema().clone();
    let pieces = cluster::flatten(plan.clone())?;
    if pieces.relations.len() < 2 || pieces.relations.len() > RELATIONS_MAX {
        return match plan {
            LogicalPlan::Join(_) => inside(plan, columns),
            // A filter above the join that made the cluster too large.
            other => {
                let input = |input| Ok(Transformed::yes(inside(input, columns).map_err(carried)?));
                Ok(subqueries(other)?.map_children(input)?.data)
            }
        };
    }
    let Pieces { relations, conjuncts, outputs, .. } = pieces;
    let graph = graph::Graph::new(relations, conjuncts)?;
    let tree = enumerate::cheapest(&graph);
    assemble::assemble(&graph, &tree, &original, outputs, columns)
}

/// An error of ours on its way through DataFusion's tree walk.
fn carried(error: crate::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
