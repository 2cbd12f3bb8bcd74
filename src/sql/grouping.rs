//! ROLLUP, CUBE and GROUPING SETS, Hive's `WITH ROLLUP` among them, as one list of grouping sets.
//!
//! ```text
//!   GROUP BY a, ROLLUP(b, (c, d))     a x {(b, c, d), (b), ()}  =  (a, b, c, d), (a, b), (a)
//!   GROUP BY a, b WITH CUBE           (a, b), (a), (b), ()
//! ```
//!
//! A set that is written twice is counted twice, as SQL has it. Ordinals become the SELECT item
//! they count. Sets are put in an order that meets the columns as they are written, mostly the largest
//! first, so that `grouping_id()` numbers them so.

use crate::error::{Error, Result};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, GroupByWithModifier, Select, SelectItem,
    Spanned, Value,
};

/// Sets of one GROUP BY, at most: a CUBE of twelve columns, as in Spark.
const SETS_MAX: usize = 4096;

type Sets = Vec<Vec<Expr>>;

/// Spells out the grouping sets of `select`, if it has any.
pub(super) fn expand(select: &mut Select) -> Result<()> {
    let Select { group_by, projection, .. } = select;
    let GroupByExpr::Expressions(exprs, modifiers) = group_by else { return Ok(()) };
    let is_grouping = |expr: &Expr| matches!(expr, Expr::GroupingSets(_) | Expr::Rollup(_) | Expr::Cube(_) | Expr::Tuple(_));
    if modifiers.is_empty() && !exprs.iter().any(is_grouping) {
        return Ok(());
    }
    let mut exprs = std::mem::take(exprs);
    let modifier = modifiers.pop();
    if modifier.is_some() && exprs.iter().any(is_grouping) {
        return Err(Error::unsupported("WITH ROLLUP or CUBE beside grouping sets"));
    }
    exprs.iter_mut().try_for_each(|expr| resolve(expr, projection))?;
    let written: Vec<Expr> = exprs.iter().flat_map(columns).cloned().collect();
    let sets = match modifier {
        Some(GroupByWithModifier::Rollup) => rollup(&exprs.into_iter().map(|expr| vec![expr]).collect::<Vec<_>>()),
        Some(GroupByWithModifier::Cube) => cube(&exprs.into_iter().map(|expr| vec![expr]).collect::<Vec<_>>())?,
        Some(GroupByWithModifier::GroupingSets(Expr::GroupingSets(mut sets))) => {
            sets.iter_mut().flatten().try_for_each(|expr| resolve(expr, projection))?;
            if let Some(other) = sets.iter().flatten().find(|expr| !written.contains(expr)) {
                return Err(Error::sql(format!("GROUPING SETS name {other}, which GROUP BY does not")));
            }
            sets
        }
        Some(other) => return Err(Error::unsupported(format!("GROUP BY ... {other}"))),
        None => {
            let mut product: Sets = vec![Vec::new()];
            for expr in exprs {
                let choices = match expr {
                    Expr::GroupingSets(sets) => sets,
                    Expr::Rollup(units) => rollup(&units),
                    Expr::Cube(units) => cube(&units)?,
                    Expr::Tuple(columns) => vec![columns],
                    single => vec![vec![single]],
                };
                limit(product.len().saturating_mul(choices.len()))?;
                let with = |set: &Vec<Expr>| choices.iter().map(|more| [set.as_slice(), more].concat()).collect::<Vec<_>>();
                product = product.iter().flat_map(with).collect();
            }
            product
        }
    };
    limit(sets.len())?;
    let Some(sets) = in_order(sets.into_iter().map(once_each).collect(), once_each(written)) else {
        return Err(Error::unsupported("grouping sets that name the columns in another order than GROUP BY"));
    };
    *group_by = GroupByExpr::Expressions(vec![Expr::GroupingSets(sets)], vec![]);
    Ok(())
}

/// Spells out ROLLUP and CUBE inside GROUPING SETS, which the parser takes for functions.
pub(super) fn nested(select: &mut Select) -> Result<()> {
    let GroupByExpr::Expressions(exprs, _) = &mut select.group_by else { return Ok(()) };
    for expr in exprs {
        let Expr::GroupingSets(sets) = expr else { continue };
        let mut spelled = Sets::with_capacity(sets.len());
        for set in std::mem::take(sets) {
            match set.as_slice() {
                [Expr::Function(function)] => match (function.name.to_string().as_str(), units(function)) {
                    ("rollup", Some(units)) => spelled.extend(rollup(&units)),
                    ("cube", Some(units)) => spelled.extend(cube(&units)?),
                    _ => spelled.push(set),
                },
                _ => spelled.push(set),
            }
        }
        *sets = spelled;
    }
    Ok(())
}

/// The columns in brackets behind ROLLUP or CUBE, those in brackets of their own together.
fn units(function: &Function) -> Option<Sets> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let unit = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Tuple(columns))) => Some(columns.clone()),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Nested(column))) => Some(vec![column.as_ref().clone()]),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(column)) => Some(vec![column.clone()]),
        _ => None,
    };
    list.args.iter().map(unit).collect()
}

/// The sets in an order in which their columns are first met as they are `written`, if there is one: the
/// order of sets, and of columns in a set, means nothing, but columns are numbered as they are met.
fn in_order(sets: Sets, written: Vec<Expr>) -> Option<Sets> {
    let used = |expr: &Expr| sets.iter().any(|set| set.contains(expr));
    let written: Vec<Expr> = written.into_iter().filter(used).collect();
    let place = |expr: &Expr| written.iter().position(|known| known == expr);
    let largest_first = |mut sets: Sets| {
        sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
        sets
    };
    let mut sorted = sets.clone();
    sorted.iter_mut().for_each(|set| set.sort_by_key(place));
    let mut by_column = sorted.clone();
    by_column.sort_by_cached_key(|set| set.iter().map(place).collect::<Vec<_>>());
    let ways = [largest_first(sets.clone()), sets, largest_first(sorted), by_column];
    ways.into_iter().find(|sets| once_each(sets.concat()) == written)
}

/// The columns of one element of GROUP BY, in the order in which they are written.
fn columns(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::GroupingSets(sets) | Expr::Rollup(sets) | Expr::Cube(sets) => sets.iter().flatten().collect(),
        Expr::Tuple(columns) => columns.iter().collect(),
        single => vec![single],
    }
}

/// Puts SELECT items for the ordinals inside `expr`.
fn resolve(expr: &mut Expr, projection: &[SelectItem]) -> Result<()> {
    match expr {
        Expr::GroupingSets(sets) | Expr::Rollup(sets) | Expr::Cube(sets) => {
            return sets.iter_mut().flatten().try_for_each(|column| resolve(column, projection));
        }
        Expr::Tuple(columns) => return columns.iter_mut().try_for_each(|column| resolve(column, projection)),
        _ => {}
    }
    let Expr::Value(value) = &*expr else { return Ok(()) };
    let Value::Number(number, _) = &value.value else { return Ok(()) };
    let place = number.parse::<usize>().unwrap_or(0);
    let before = projection.get(..place).unwrap_or_default();
    let item = match before.last() {
        Some(SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }) => Some(item),
        _ => None,
    };
    let plain = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    match item.filter(|_| before.iter().all(plain)) {
        Some(item) => *expr = item.clone(),
        None => {
            let span = expr.span();
            return Err(Error::sql(format!("GROUP BY position {number} is not in the SELECT list"))
                .at(span.start.line, span.start.column));
        }
    }
    Ok(())
}

fn once_each(exprs: Vec<Expr>) -> Vec<Expr> {
    let mut kept: Vec<Expr> = Vec::with_capacity(exprs.len());
    for expr in exprs {
        if !kept.contains(&expr) {
            kept.push(expr);
        }
    }
    kept
}

fn rollup(units: &[Vec<Expr>]) -> Sets {
    (0..=units.len()).rev().map(|end| units[..end].concat()).collect()
}

fn cube(units: &[Vec<Expr>]) -> Result<Sets> {
    let count = u32::try_from(units.len()).ok().and_then(|units| 1_usize.checked_shl(units)).unwrap_or(usize::MAX);
    limit(count)?;
    // The bits of a set say what it leaves out: nothing first, as in Spark.
    let set = |left_out: usize| {
        let kept = units.iter().enumerate().filter(|(at, _)| left_out >> (units.len() - 1 - at) & 1 == 0);
        kept.flat_map(|(_, unit)| unit.iter().cloned()).collect()
    };
    Ok((0..count).map(set).collect())
}

fn limit(sets: usize) -> Result<()> {
    if sets <= SETS_MAX {
        return Ok(());
    }
    Err(Error::sql(format!("GROUP BY makes more than {SETS_MAX} grouping sets")))
}
