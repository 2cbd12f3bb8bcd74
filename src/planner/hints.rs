//! Which hint speaks of which join.
//!
//! A hint names a relation; it goes to the join that has the relation itself as an input, not a join
//! of it with others. Between the relation and the join there may be filters, projections and sorts:
//!
//! ```text
//!   /*+ BROADCAST(b) */          join         <── here: its right input is b
//!                                ├── join     <── not here: neither input is b
//!                                │   ├── a
//!                                │   └── c
//!                                └── filter
//!                                    └── b
//! ```
//!
//! A name stands for the same relation in the whole statement; two relations of one name, in
//! different subqueries, share their hints, which at worst makes a join slower.

use crate::join::{Asked, Hint, HotKey};
use crate::layout::Evidence;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::logical_plan::{Distinct, Join};
use datafusion_expr::{Expr, LogicalPlan};
use parking_lot::Mutex;
use std::sync::Arc;

/// The hints of a statement and what became of them. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Hints(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    hints: Vec<(Hint, bool)>,
    warnings: Vec<String>,
}

impl Hints {
    /// Hints that nobody has followed yet, and warnings given before.
    pub fn new(hints: Vec<Hint>, warnings: Vec<String>) -> Self {
        let hints = hints.into_iter().map(|hint| (hint, false)).collect();
        Self(Arc::new(Mutex::new(State { hints, warnings })))
    }

    /// What the user should know: of hints that could not be followed, and of those that no join
    /// was there for.
    pub fn warnings(&self) -> Vec<String> {
        let state = self.0.lock();
        let idle = state.hints.iter().filter(|(_, used)| !used);
        let idle = idle.map(|(hint, _)| format!("hint {}: '{}' is not an input of a join", hint.text, hint.relation));
        state.warnings.iter().cloned().chain(idle).collect()
    }

    /// Adds a warning, once.
    pub(super) fn warn(&self, warning: String) {
        let mut state = self.0.lock();
        if !state.warnings.contains(&warning) {
            state.warnings.push(warning);
        }
    }

    /// What is asked of a join, and the keys said to be hot in it.
    pub(super) fn of(&self, join: &Join) -> (Option<Asked>, Vec<HotKey>) {
        let (left, right) = (relations(&join.left), relations(&join.right));
        let named = |names: &[String], hint: &Hint| names.iter().any(|name| name.eq_ignore_ascii_case(&hint.relation));
        let mut found: Vec<(Hint, bool)> = Vec::new();
        for (hint, used) in &mut self.0.lock().hints {
            for (names, on_left) in [(&left, true), (&right, false)] {
                if named(names, hint) {
                    *used = true;
                    found.push((hint.clone(), on_left));
                }
            }
        }
        let hot = found.iter().flat_map(|(hint, on_left)| self.hot_keys(hint, *on_left, join)).collect();
        found.sort_by_key(|(hint, _)| hint.rank());
        let asked = found.first().map(|(first, on_left)| {
            let both = found.iter().any(|(hint, other)| hint.strategy == first.strategy && other != on_left);
            let one_sided = first.rank() == 0 || first.rank() == 2;
            let build_left = (one_sided && !both).then_some(*on_left);
            Asked { strategy: first.strategy, build_left, text: first.text.clone() }
        });
        for (hint, _) in found.iter().skip(1) {
            if asked.as_ref().is_some_and(|asked| asked.strategy != hint.strategy) {
                self.warn(format!("hint {} gives way to {}", hint.text, found[0].0.text));
            }
        }
        (asked, hot)
    }

    /// The hot keys that a `SKEW` hint on one input names, in the order of the join's keys.
    fn hot_keys(&self, hint: &Hint, on_left: bool, join: &Join) -> Vec<HotKey> {
        let Some(skew) = hint.skew.as_ref().filter(|skew| !skew.values.is_empty()) else { return Vec::new() };
        let side = if on_left { &join.left } else { &join.right };
        let mut places = Vec::new();
        let mut types: Vec<DataType> = Vec::new();
        for (left, right) in &join.on {
            let key = if on_left { left } else { right };
            let Expr::Column(column) = key else { break };
            let place = skew.columns.iter().position(|name| name.eq_ignore_ascii_case(&column.name));
            let data_type = side.schema().maybe_index_of_column(column).map(|at| side.schema().field(at).data_type().clone());
            places.extend(place);
            types.extend(data_type);
        }
        // With several keys only their combination counts.
        if places.len() != join.on.len() || places.len() != skew.columns.len() || types.len() != places.len() {
            let keys: Vec<String> = join.on.iter().map(|(left, right)| if on_left { left } else { right }.to_string()).collect();
            self.warn(format!("hint {}: the join's keys are {}", hint.text, keys.join(", ")));
            return Vec::new();
        }
        let key = |values: &Vec<ScalarValue>| {
            let cast = places.iter().zip(&types).map(|(place, data_type)| values.get(*place)?.cast_to(data_type).ok());
            match cast.collect::<Option<Vec<_>>>() {
                Some(values) => Some(HotKey { values, evidence: Evidence::Declared }),
                None => {
                    self.warn(format!("hint {}: the values are not of the columns' types", hint.text));
                    None
                }
            }
        };
        skew.values.iter().filter_map(key).collect()
    }
}

/// The names that an input of a join goes by: alias and table, none for an input of several.
fn relations(input: &LogicalPlan) -> Vec<String> {
    let mut names = Vec::new();
    let mut node = input;
    loop {
        node = match node {
            LogicalPlan::TableScan(scan) => {
                names.push(scan.table_name.table().to_owned());
                return names;
            }
            LogicalPlan::SubqueryAlias(alias) => {
                names.push(alias.alias.table().to_owned());
                &alias.input
            }
            LogicalPlan::Projection(projection) => &projection.input,
            LogicalPlan::Filter(filter) => &filter.input,
            LogicalPlan::Sort(sort) => &sort.input,
            LogicalPlan::Limit(limit) => &limit.input,
            LogicalPlan::Distinct(Distinct::All(input)) => input,
            LogicalPlan::Aggregate(aggregate) => &aggregate.input,
            _ => return names,
        };
    }
}
