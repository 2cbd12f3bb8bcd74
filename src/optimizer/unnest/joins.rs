//! A domain pushed into the inputs of a join.
//!
//! An input needs the domain if it refers to it. The side whose rows are kept unmatched needs it,
//! too, as soon as the other side or the condition does: a row may match for one value of the domain
//! and not for another. Where both sides have it, they are matched on it as well.

use super::Unnester;
use super::domain::{Domain, Keyed, columns};
use datafusion_common::{Column, NullEquality, Result, not_impl_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::logical_plan::{Join, Projection};
use datafusion_expr::{Expr, JoinType, LogicalPlan};
use std::sync::Arc;

impl Unnester {
    pub(super) fn push_join(&self, join: &Join, domain: &Domain) -> Result<Keyed> {
        if join.null_aware || join.null_equality == NullEquality::NullEqualsNull && !join.on.is_empty() && join.filter.is_some() {
            return not_impl_err!("a correlated subquery over a join of this kind");
        }
        let in_condition = join.filter.iter().any(|filter| domain.is_used_by(filter))
            || join.on.iter().any(|(left, right)| domain.is_used_by(left) || domain.is_used_by(right));
        let (mut left, mut right) = (domain.is_used_in(&join.left)?, domain.is_used_in(&join.right)?);
        match join.join_type {
            JoinType::Inner => left |= !right,
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left = true,
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right = true,
            JoinType::Full => (left, right) = (true, true),
        }
        let one = |side: &Arc<LogicalPlan>, wanted: bool| -> Result<(Arc<LogicalPlan>, Option<Vec<Column>>)> {
            if !wanted {
                return Ok((side.clone(), None));
            }
            let Keyed { plan, keys } = self.push(side, domain)?;
            Ok((Arc::new(plan), Some(keys)))
        };
        let (left, left_keys) = one(&join.left, left)?;
        let (right, right_keys) = one(&join.right, right)?;
        // A condition that refers to the domain has it on one side at least: see above.
        let Some(keys) = left_keys.as_ref().or(right_keys.as_ref()) else {
            return not_impl_err!("a correlated subquery over a join of this kind");
        };
        debug_assert!(!in_condition || left_keys.is_some() || right_keys.is_some());
        let mut on = Vec::with_capacity(join.on.len());
        for (l, r) in &join.on {
            on.push((domain.resolve(l.clone(), keys)?, domain.resolve(r.clone(), keys)?));
        }
        let written = join.filter.clone().map(|filter| domain.resolve(filter, keys)).transpose()?;
        let equal = match (&left_keys, &right_keys) {
            (Some(left), Some(right)) => domain.equal(left, right),
            _ => None,
        };
        let mut null_equality = join.null_equality;
        let filter = match (null_equality, equal, written) {
            // The set operations' joins match NULLs; the domain's are matched as well, in the same way.
            (NullEquality::NullEqualsNull, Some(_), None) if !on.is_empty() => {
                if let (Some(left), Some(right)) = (&left_keys, &right_keys) {
                    on.extend(columns(left).zip(columns(right)));
                }
                None
            }
            (_, equal, written) => {
                if on.is_empty() {
                    null_equality = NullEquality::NullEqualsNothing;
                }
                datafusion_expr::utils::conjunction(equal.into_iter().chain(written))
            }
        };
        let constraint = join.join_constraint;
        let joined = Join::try_new(left, right, on, filter, join.join_type, constraint, null_equality, false)?;
        let joined = LogicalPlan::Join(joined);
        let keys = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark | JoinType::Left => left_keys,
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark | JoinType::Right => right_keys,
            JoinType::Inner => left_keys.or(right_keys),
            JoinType::Full => return self.either(joined, join, &left_keys.unwrap_or_default(), &right_keys.unwrap_or_default()),
        };
        match keys {
            Some(keys) => Ok(Keyed { plan: joined, keys }),
            None => not_impl_err!("a correlated subquery over a join of this kind"),
        }
    }

    /// The keys of a full join's rows are those of whichever side has a row.
    fn either(&self, joined: LogicalPlan, join: &Join, left: &[Column], right: &[Column]) -> Result<Keyed> {
        let mut exprs: Vec<Expr> = columns(&join.schema.columns()).collect();
        let mut keys = Vec::with_capacity(left.len());
        for (left, right) in columns(left).zip(columns(right)) {
            let name = self.name("key");
            let coalesce = ScalarFunction::new_udf(datafusion_functions::core::coalesce(), vec![left, right]);
            exprs.push(Expr::ScalarFunction(coalesce).alias(name.clone()));
            keys.push(Column::from_name(name));
        }
        Ok(Keyed { plan: LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(joined))?), keys })
    }
}
