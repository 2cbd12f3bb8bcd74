//! Rows a join yields.

use super::{ColumnEstimate, Estimate, expression, selectivity};
use datafusion_common::JoinType;
use datafusion_expr::logical_plan::Join;

/// Share of left rows that find a match though nothing says how many. Guessed.
const UNKNOWN_SEMI_SHARE: f64 = 0.5;
/// Share of rows an anti join keeps at least. Guessed: the query was written to find some.
const ANTI_SHARE_MIN: f64 = 0.05;

/// Distinct combinations of several keys in one input with `base_rows` rows before filters.
pub fn composite_domain(domains: impl Iterator<Item = f64>, base_rows: f64) -> f64 {
    domains.product::<f64>().min(base_rows.max(1.0)).max(1.0)
}

/// Share of left rows with a match on the right: how much of the left key's domain is left in the
/// right keys. `residual` is the selectivity of what must hold besides, for one pair of rows.
pub fn semi_selectivity(keys: &[(ColumnEstimate, ColumnEstimate)], left: &Estimate, right: &Estimate, residual: f64) -> f64 {
    if keys.is_empty() {
        let expected = right.rows * residual;
        return if expected >= 1.0 { UNKNOWN_SEMI_SHARE.max(1.0 - 1.0 / (1.0 + expected)) } else { UNKNOWN_SEMI_SHARE };
    }
    let left_domain = composite_domain(keys.iter().map(|(left, _)| left.domain), left.base_rows);
    let right_domain = composite_domain(keys.iter().map(|(_, right)| right.domain), right.base_rows);
    let right_distinct = composite_domain(keys.iter().map(|(_, right)| right.distinct), right.rows);
    // A right side wider than the left contains it; a filtered one contains the share left of it.
    let share = right_distinct
        / if keys.len() == 1 { left_domain.max(right_domain) } else { left_domain.min(right_domain).max(right_distinct) };
    let per_key = (right.rows / right_distinct.max(1.0)).max(1.0);
    let survives = if residual >= 1.0 { 1.0 } else { 1.0 - (1.0 - residual).powf(per_key) };
    let not_null: f64 = keys.iter().map(|(left, _)| 1.0 - left.null_fraction).product();
    (share * survives * not_null).clamp(0.0, 1.0)
}

/// The output of a join of `left` and `right`.
pub(super) fn joined(node: &Join, left: &Estimate, right: &Estimate) -> Estimate {
    let keys: Vec<(ColumnEstimate, ColumnEstimate)> = node
        .on
        .iter()
        .map(|(l, r)| (expression(l, node.left.schema(), left), expression(r, node.right.schema(), right)))
        .collect();
    let both = Estimate {
        rows: left.rows * right.rows,
        base_rows: left.base_rows.max(right.base_rows),
        columns: left.columns.iter().chain(&right.columns).cloned().collect(),
    };
    let residual = match &node.filter {
        Some(filter) => match node.left.schema().join(node.right.schema()) {
            Ok(schema) => selectivity(filter, &schema, &both),
            Err(_) => 0.3,
        },
        None => 1.0,
    };
    let inner = inner_rows(&keys, left, right) * residual;
    let semi = |keys: &[_], left: &Estimate, right: &Estimate| {
        (left.rows * semi_selectivity(keys, left, right, residual)).max(left.rows.min(1.0))
    };
    let flipped: Vec<_> = keys.iter().map(|(l, r)| (r.clone(), l.clone())).collect();
    let thin = |side: &Estimate, rows: f64| side.limited(rows.min(side.rows));
    match node.join_type {
        JoinType::LeftSemi => thin(left, semi(&keys, left, right)),
        JoinType::RightSemi => thin(right, semi(&flipped, right, left)),
        JoinType::LeftAnti => thin(left, (left.rows - semi(&keys, left, right)).max(left.rows * ANTI_SHARE_MIN)),
        JoinType::RightAnti => thin(right, (right.rows - semi(&flipped, right, left)).max(right.rows * ANTI_SHARE_MIN)),
        JoinType::LeftMark => marked(left),
        JoinType::RightMark => marked(right),
        JoinType::Inner => combined(both, inner),
        JoinType::Left | JoinType::Right | JoinType::Full => {
            let (keeps_left, keeps_right) = (node.join_type != JoinType::Right, node.join_type != JoinType::Left);
            // Whoever asks for the rows without a match expects some.
            let unmatched =
                |side: &Estimate, kept: bool, share: f64| if kept { side.rows * (1.0 - share).max(ANTI_SHARE_MIN) } else { 0.0 };
            let lefts = unmatched(left, keeps_left, semi_selectivity(&keys, left, right, residual));
            let rights = unmatched(right, keeps_right, semi_selectivity(&flipped, right, left, residual));
            let kept = |side: &Estimate, kept: bool| if kept { side.rows } else { 0.0 };
            let rows = inner.max(kept(left, keeps_left)).max(kept(right, keeps_right));
            let mut all = combined(both, rows);
            let (of_left, of_right) = all.columns.split_at_mut(left.columns.len());
            missing(of_left, rights / rows.max(1.0));
            missing(of_right, lefts / rows.max(1.0));
            all
        }
    }
}

/// Columns of a side that has no row for a `share` of the others: NULL there.
fn missing(columns: &mut [ColumnEstimate], share: f64) {
    for column in columns {
        let share = share.clamp(0.0, 1.0);
        column.null_fraction = share + (1.0 - share) * column.null_fraction;
    }
}

fn inner_rows(keys: &[(ColumnEstimate, ColumnEstimate)], left: &Estimate, right: &Estimate) -> f64 {
    if keys.is_empty() {
        return left.rows * right.rows;
    }
    // Rows whose keys lie outside the other side's range match nothing.
    let (mut left_rows, mut right_rows) = (left.rows, right.rows);
    let keys: Vec<(ColumnEstimate, ColumnEstimate)> = keys
        .iter()
        .map(|(l, r)| {
            let (of_left, of_right) = l.overlap(r);
            left_rows = left_rows.min((left.base_rows * of_left).max(1.0));
            right_rows = right_rows.min((right.base_rows * of_right).max(1.0));
            (l.within(of_left), r.within(of_right))
        })
        .collect();
    let pairs = left_rows * right_rows;
    let not_null: f64 = keys.iter().map(|(l, r)| (1.0 - l.null_fraction) * (1.0 - r.null_fraction)).product();
    let left_domain = composite_domain(keys.iter().map(|(l, _)| l.domain), left.base_rows);
    let right_domain = composite_domain(keys.iter().map(|(_, r)| r.domain), right.base_rows);
    let domain = if keys.len() == 1 {
        left_domain.max(right_domain)
    } else {
        // Several keys between two inputs are nearly always one foreign key: the smaller input
        // bounds how many combinations exist.
        let single = keys.iter().map(|(l, r)| l.domain.max(r.domain)).fold(1.0, f64::max);
        left_domain.min(right_domain).max(single)
    };
    pairs * not_null / domain.max(1.0)
}

fn combined(mut both: Estimate, rows: f64) -> Estimate {
    for column in &mut both.columns {
        column.distinct = column.distinct.min(rows).max(1.0);
    }
    both.rows = rows;
    both
}

fn marked(side: &Estimate) -> Estimate {
    let mut side = side.clone();
    side.columns.push(ColumnEstimate {
        distinct: 2.0,
        domain: 2.0,
        min: Some(0.0),
        max: Some(1.0),
        null_fraction: 0.0,
        discrete: true,
    });
    side
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(domain: f64, min: f64, max: f64) -> ColumnEstimate {
        ColumnEstimate { distinct: domain, domain, min: Some(min), max: Some(max), null_fraction: 0.0, discrete: true }
    }

    fn side(rows: f64, base_rows: f64, key: ColumnEstimate) -> Estimate {
        Estimate { rows, base_rows, columns: vec![key] }
    }

    #[test]
    fn a_calendar_is_cut_to_the_days_that_the_facts_have() {
        let (sold, day) = (key(1_800.0, 2_450_815.0, 2_452_654.0), key(73_049.0, 2_415_022.0, 2_488_070.0));
        let facts = side(1_440_000.0, 1_440_000.0, sold.clone());
        let rows = |days: f64| inner_rows(&[(sold.clone(), day.clone())], &facts, &side(days, 73_049.0, day.clone()));
        // A year of the five that there are.
        assert!((250_000.0..320_000.0).contains(&rows(365.0)), "{}", rows(365.0));
        // No more rows than facts, however many days there are.
        assert!((1_300_000.0..=1_450_000.0).contains(&rows(73_049.0)), "{}", rows(73_049.0));
        assert!((1_300_000.0..=1_450_000.0).contains(&rows(40_000.0)), "{}", rows(40_000.0));
    }

    #[test]
    fn one_value_far_from_others_has_its_rows() {
        let (one, many) = (key(1.0, 5.0, 5.0), key(1_000.0, 0.0, 1e9));
        let facts = side(1_000_000.0, 1_000_000.0, many.clone());
        let rows = inner_rows(&[(many, one.clone())], &facts, &side(1.0, 1.0, one));
        assert!((900.0..1_100.0).contains(&rows), "{rows}");
    }

    #[test]
    fn keys_of_one_range_are_taken_to_match_by_their_share() {
        let person = key(1_920_800.0, 1.0, 1_920_800.0);
        let facts = side(1_000_000.0, 1_000_000.0, key(600_000.0, 3.0, 1_920_790.0));
        let some = side(384_160.0, 1_920_800.0, person.clone());
        let rows = inner_rows(&[(facts.columns[0].clone(), person)], &facts, &some);
        assert!((190_000.0..210_000.0).contains(&rows), "{rows}");
    }
}
