//! The search for the cheapest join tree.
//!
//! Cost is estimated time in units of one row probed in a table that fits the cache. A tree is one
//! pipeline (scan of the *driver*, the leftmost relation, then probe after probe) plus everything
//! built for it. A selective build side whose key lives in the driver publishes a runtime filter:
//! what the pipeline did before that probe is then done for fewer rows.
//!
//! ```text
//!   total = fixed (builds, and the pipelines below them) + pipe (driver's scan, probes, outputs)
//!   join:   fixed' = fixed_probe + total_build + rows_build * BUILD
//!           pipe'  = pipe_probe * credit + rows_probed * PROBE + rows_out * OUTPUT
//! ```

use super::EXACT_RELATIONS_MAX;
use super::cardinality::Cardinalities;
use super::graph::{Graph, Set, members};
use datafusion_common::JoinType;

/// Inserting a row against probing one. Guessed: partition, write and link against one look-up.
const BUILD: f64 = 4.0;
/// Emitting a joined row: gathering the build side's columns. Guessed.
const OUTPUT: f64 = 0.5;
/// Decoding one row of a scan. Guessed.
const SCAN: f64 = 0.5;
/// Testing a runtime filter in the scan. Guessed.
const FILTER: f64 = 0.1;
/// How much of the work on dropped rows a runtime filter saves. Guessed: below 1, for filters may
/// come late or be inexact.
const CREDIT: f64 = 0.7;
/// A filter that keeps more than this is dropped while running (`executor.md`, item 2).
const FILTER_SHARE_MAX: f64 = 0.5;
/// Rows of a table that fits L2 (2 MiB of 16-byte entries), and of one that fits L3 (32 MiB).
const CACHED_ROWS: (f64, f64) = (131_072.0, 2_097_152.0);

/// A join tree.
#[derive(Debug, Clone)]
pub(super) enum Tree {
    /// One relation.
    Leaf(usize),
    /// A join of two sets.
    Join {
        /// Left: probes; of a reducer the rows that are kept or dropped.
        probe: Box<Tree>,
        /// Right: is built; or the reducer.
        build: Box<Tree>,
    },
}

impl Tree {
    /// The relations in the tree.
    pub fn set(&self) -> Set {
        match self {
            Self::Leaf(at) => 1 << at,
            Self::Join { probe, build } => probe.set() | build.set(),
        }
    }

    /// The leftmost relation, whose scan starts the pipeline.
    pub fn driver(&self) -> usize {
        match self {
            Self::Leaf(at) => *at,
            Self::Join { probe, .. } => probe.driver(),
        }
    }
}

/// What the best tree of a set costs, and its last join.
#[derive(Debug, Clone, Copy)]
struct Best {
    fixed: f64,
    pipe: f64,
    driver: usize,
    /// Probe and build sets; both 0 for a leaf.
    split: (Set, Set),
}

impl Best {
    fn total(&self) -> f64 {
        self.fixed + self.pipe
    }
}

/// The cheapest tree found.
pub(super) fn cheapest(graph: &Graph) -> Tree {
    let mut search = Search::new(graph);
    if graph.nodes.len() <= EXACT_RELATIONS_MAX
        && let Some(tree) = search.exact()
    {
        return tree;
    }
    search.greedy()
}

struct Search<'g> {
    graph: &'g Graph,
    rows: Cardinalities<'g>,
    /// By relation: the base relations it shares a key or a predicate with.
    neighbours: Vec<Set>,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph) -> Self {
        let sets = graph
            .classes
            .iter()
            .map(|class| class.set)
            .chain(graph.residuals.iter().map(|r| r.set).filter(|set| set.count_ones() == 2));
        let sets: Vec<Set> = sets.collect();
        let neighbours = (0..graph.nodes.len())
            .map(|at| sets.iter().filter(|set| *set & (1 << at) != 0).fold(0, |all, set| all | set) & !(1 << at));
        Self { graph, rows: Cardinalities::new(graph), neighbours: neighbours.collect() }
    }

    fn leaf(&self, at: usize) -> Best {
        let estimate = &self.graph.nodes[at].estimate;
        Best { fixed: 0.0, pipe: estimate.rows * SCAN, driver: at, split: (0, 0) }
    }

    /// All subsets by size of their number: every proper part of a set has a smaller number.
    fn exact(&mut self) -> Option<Tree> {
        let count = self.graph.nodes.len();
        let all = self.graph.all();
        let bases = self.graph.bases();
        let mut best: Vec<Option<Best>> = vec![None; 1 << count];
        let mut around: Vec<Set> = vec![0; 1 << count];
        for set in 1..=all {
            let lowest = set.trailing_zeros() as usize;
            around[set as usize] = around[(set & (set - 1)) as usize] | self.neighbours[lowest];
            if set.count_ones() == 1 {
                best[set as usize] = Some(self.leaf(lowest));
                continue;
            }
            let mut found: Option<Best> = None;
            let mut probe = (set - 1) & set;
            while probe != 0 {
                let build = set & !probe;
                if let (Some(left), Some(right)) = (best[probe as usize], best[build as usize])
                    && self.may_join(probe, build, around[probe as usize], around[build as usize], bases)
                {
                    let now = self.join(set, (probe, left), (build, right));
                    if found.is_none_or(|found| now.total() < found.total()) {
                        found = Some(now);
                    }
                }
                probe = (probe - 1) & set;
            }
            best[set as usize] = found;
        }
        tree(all, &|set| best.get(set as usize).copied().flatten())
    }

    fn may_join(&self, probe: Set, build: Set, around_probe: Set, around_build: Set, bases: Set) -> bool {
        if build.count_ones() == 1
            && let Some(reducer) = &self.graph.nodes[build.trailing_zeros() as usize].reducer
        {
            return reducer.needs != 0 && reducer.needs & !probe == 0;
        }
        if probe & bases == 0 || build & bases == 0 {
            return false;
        }
        // A lone reducer is no input of an inner join.
        let lone = |set: Set| set.count_ones() == 1 && set & bases == 0;
        if lone(probe) || lone(build) {
            return false;
        }
        // Unconnected sets only when nothing else is left to join either with.
        around_probe & build != 0 || around_probe & !probe == 0 && around_build & !build == 0
    }

    fn join(&mut self, set: Set, (probe, left): (Set, Best), (build, right): (Set, Best)) -> Best {
        let (rows_probe, rows_build, rows_out) = (self.rows.rows(probe), self.rows.rows(build), self.rows.rows(set));
        let at = build.trailing_zeros() as usize;
        let reducer = if build.count_ones() == 1 { self.graph.nodes[at].reducer.as_ref() } else { None };
        let kept = match reducer {
            None => self.filter_share(left.driver, build, rows_build),
            Some(reducer) if reducer.join.join_type == JoinType::LeftSemi && reducer.needs & (1 << left.driver) != 0 => {
                reducer.share
            }
            Some(_) => 1.0,
        };
        let (credit, probed) = if kept < FILTER_SHARE_MAX {
            (1.0 - (1.0 - kept) * CREDIT, rows_probe * (FILTER + kept * probe_cost(rows_build)))
        } else {
            (1.0, rows_probe * probe_cost(rows_build))
        };
        let cross = reducer.is_none() && !self.graph.classes.iter().any(|class| class.set & build != 0 && class.set & probe != 0);
        // Without a key every pair is looked at.
        let probed = if cross { rows_probe * rows_build } else { probed };
        let usual = Best {
            fixed: left.fixed + right.total() + rows_build * BUILD,
            pipe: left.pipe * credit + probed + rows_out * OUTPUT,
            driver: left.driver,
            split: (probe, build),
        };
        let Some(reducer) = reducer else { return usual };
        // A semi or anti join may build its left side and let the other probe.
        let probed = if reducer.right_share < FILTER_SHARE_MAX {
            rows_build * (FILTER + reducer.right_share * probe_cost(rows_probe))
        } else {
            rows_build * probe_cost(rows_probe)
        };
        let turned = Best {
            fixed: left.total() + right.fixed + right.pipe + rows_probe * BUILD + probed,
            pipe: rows_out * OUTPUT,
            ..usual
        };
        if turned.total() < usual.total() { turned } else { usual }
    }

    /// The share of the driver's rows that a runtime filter on the build side's keys lets through.
    fn filter_share(&self, driver: usize, build: Set, rows_build: f64) -> f64 {
        let shares = self.graph.classes.iter().filter_map(|class| {
            let (_, probed) = class.members.get(&driver)?;
            let built = || members(class.set & build).filter_map(|at| class.members.get(&at));
            let distinct = built().map(|(_, values)| values.distinct).reduce(f64::min)?;
            let domain = built().map(|(_, values)| values.domain).fold(probed.domain, f64::max);
            Some(distinct.min(rows_build) / domain.max(1.0))
        });
        shares.fold(1.0, f64::min)
    }

    /// Joins the pair with the fewest rows until one set is left (greedy operator ordering).
    fn greedy(&mut self) -> Tree {
        let bases = self.graph.bases();
        let mut parts: Vec<(Set, Best, Tree)> = members(bases).map(|at| (1 << at, self.leaf(at), Tree::Leaf(at))).collect();
        let mut reducers: Vec<usize> = members(self.graph.all() & !bases).collect();
        while parts.len() > 1 || !reducers.is_empty() {
            let mut found: Option<(f64, f64, usize, Result<usize, usize>, Best)> = None;
            let mut consider = |rows: f64, probe: usize, build: Result<usize, usize>, best: Best| {
                let better = found.as_ref().is_none_or(|(most, cost, ..)| (rows, best.total()) < (*most, *cost));
                if better {
                    found = Some((rows, best.total(), probe, build, best));
                }
            };
            for (probe, (left, left_best, _)) in parts.iter().enumerate() {
                let around = members(*left).fold(0, |all, at| all | self.neighbours[at]);
                for (build, (right, right_best, _)) in parts.iter().enumerate() {
                    if probe != build && around & right != 0 {
                        let best = self.join(left | right, (*left, *left_best), (*right, *right_best));
                        consider(self.rows.rows(left | right), probe, Ok(build), best);
                    }
                }
                for (at, reducer) in reducers.iter().enumerate() {
                    let needs = self.graph.nodes[*reducer].reducer.as_ref().map_or(0, |reduction| reduction.needs);
                    if needs & !left == 0 {
                        let right = 1 << reducer;
                        let best = self.join(left | right, (*left, *left_best), (right, self.leaf(*reducer)));
                        consider(self.rows.rows(left | right), probe, Err(at), best);
                    }
                }
            }
            if found.is_none() {
                // Nothing connects: the two smallest as a cross product.
                let mut by_rows: Vec<usize> = (0..parts.len()).collect();
                by_rows.sort_by(|a, b| self.rows.rows(parts[*b].0).total_cmp(&self.rows.rows(parts[*a].0)));
                let [.., probe, build] = by_rows[..] else { break };
                let ((left, left_best, _), (right, right_best, _)) = (&parts[probe], &parts[build]);
                let best = self.join(left | right, (*left, *left_best), (*right, *right_best));
                found = Some((0.0, 0.0, probe, Ok(build), best));
            }
            let Some((_, _, probe, build, best)) = found else { break };
            let right = match build {
                Ok(build) => parts[build].2.clone(),
                Err(at) => Tree::Leaf(reducers.remove(at)),
            };
            let joined = Tree::Join { probe: Box::new(parts[probe].2.clone()), build: Box::new(right) };
            parts[probe] = (joined.set(), best, joined);
            if let Ok(build) = build {
                parts.remove(build);
            }
        }
        parts.swap_remove(0).2
    }
}

/// Probing one row in a table of `rows` rows: dearer when the table leaves the caches.
fn probe_cost(rows: f64) -> f64 {
    let (l2, l3) = CACHED_ROWS;
    if rows <= l2 {
        1.0
    } else if rows <= l3 {
        1.0 + (rows / l2).log2() / 4.0
    } else {
        2.0 + (rows / l3).log2().min(4.0) / 2.0
    }
}

fn tree(set: Set, best: &impl Fn(Set) -> Option<Best>) -> Option<Tree> {
    let Best { split: (probe, build), .. } = best(set)?;
    if probe == 0 {
        return Some(Tree::Leaf(set.trailing_zeros() as usize));
    }
    Some(Tree::Join { probe: Box::new(tree(probe, best)?), build: Box::new(tree(build, best)?) })
}
