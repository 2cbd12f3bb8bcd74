//! INTERSECT ALL and EXCEPT ALL: sets of rows that are numbered.
//!
//! A row that is there twice is there as number 1 and number 2; with the numbers no row is there
//! twice, and the sets' rules are those of the bags:
//!
//! ```text
//!   a a b  EXCEPT ALL  a      (a,1) (a,2) (b,1)  EXCEPT  (a,1)   =   (a,2) (b,1)   ->   a b
//! ```
//!
//! Cost: a window over each side, partitioned by all columns. Sides with equal rows, NULLs among
//! them, number them alike.

use super::build;
use crate::error::{Error, Result};
use sqlparser::ast::*;

/// Rewrites the operations of `body` in which each row counts; `columns` knows the names of a body's columns.
pub(super) fn each_row_counts(body: &mut SetExpr, columns: &mut dyn FnMut(&SetExpr) -> Option<Vec<String>>) -> Result<()> {
    let SetExpr::SetOperation { left, op, set_quantifier, right } = body else { return Ok(()) };
    each_row_counts(left, columns)?;
    each_row_counts(right, columns)?;
    if *set_quantifier != SetQuantifier::All || *op == SetOperator::Union {
        return Ok(());
    }
    let Some(called) = columns(left) else {
        return Err(Error::unsupported(format!("{op} ALL of tables whose columns are not known")));
    };
    let op = if *op == SetOperator::Minus { SetOperator::Except } else { *op };
    let names: Vec<String> = (1..=called.len()).map(|at| format!("skep_column{at}")).collect();
    let nothing = || SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: vec![] });
    let (left, right) = (std::mem::replace(left.as_mut(), nothing()), std::mem::replace(right.as_mut(), nothing()));
    let rows = SetExpr::SetOperation {
        left: Box::new(numbered(left, &names)),
        op,
        set_quantifier: SetQuantifier::Distinct,
        right: Box::new(numbered(right, &names)),
    };
    let items = names.iter().zip(called).map(|(name, called)| build::item(build::name(name), &called));
    let alias = build::alias("skep_numbered", &[]);
    let select = build::select(items.collect(), vec![build::derived(build::query(rows), Some(alias))]);
    *body = SetExpr::Select(Box::new(select));
    Ok(())
}

/// The rows of `body` with a number for each of those that are alike.
fn numbered(body: SetExpr, names: &[String]) -> SetExpr {
    let mut number = build::call("row_number", vec![]);
    let key =
        OrderByExpr { expr: build::name(&names[0]), options: OrderByOptions { asc: None, nulls_first: None }, with_fill: None };
    number.over = Some(WindowType::WindowSpec(WindowSpec {
        window_name: None,
        partition_by: names.iter().map(|name| build::name(name)).collect(),
        order_by: vec![key],
        window_frame: None,
    }));
    let mut items: Vec<SelectItem> = names.iter().map(|name| SelectItem::UnnamedExpr(build::name(name))).collect();
    items.push(build::item(Expr::Function(number), "skep_number"));
    let rows = build::derived(build::query(body), Some(build::alias("skep_rows", names)));
    SetExpr::Select(Box::new(build::select(items, vec![rows])))
}
