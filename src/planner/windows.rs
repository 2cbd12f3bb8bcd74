//! Window functions: nodes that lie on one another and agree on PARTITION BY and, up to the longer
//! one, on ORDER BY become one physical window with one sort.

use super::filters::Led;
use super::{Planner, schema_of};
use crate::aggregate::{self, AggregateCall};
use crate::column::Chunk;
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr::{self, ExprRef};
use crate::operator::{
    Bound, Distance, Frame, Place, ProjectNode, SortKey, Units, WindowCall, WindowFunction as Function, WindowNode,
};
use arrow::datatypes::{FieldRef, IntervalMonthDayNano};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{NullTreatment, WindowFunction, WindowFunctionParams};
use datafusion_expr::logical_plan::Window;
use datafusion_expr::{Expr, LogicalPlan, SortExpr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition};
use std::sync::Arc;

/// Calls that share a sort.
struct Shared<'a> {
    groups: &'a [Expr],
    /// The longest ORDER BY of them.
    order: Vec<&'a SortExpr>,
    /// Each with its place in the logical output behind the input's columns.
    calls: Vec<(usize, WindowCall)>,
}

impl<'a> Planner<'a> {
    pub(super) fn window(&self, window: &'a Window, logical: &'a LogicalPlan, _led: Vec<Led>) -> Result<PlanRef> {
        let mut nodes = vec![window];
        while let LogicalPlan::Window(inner) = nodes[nodes.len() - 1].input.as_ref() {
            // Functions of what an inner window gives stay above it.
            let exprs = nodes.iter().flat_map(|node| &node.window_expr);
            let below = inner.input.schema();
            if !exprs.flat_map(Expr::column_refs).all(|column| below.has_column(column)) {
                break;
            }
            nodes.push(inner);
        }
        let bottom = &nodes[nodes.len() - 1].input;
        let (below, width) = (bottom.schema(), bottom.schema().fields().len());
        let schema = schema_of(logical);
        let mut shared: Vec<Shared> = Vec::new();
        let exprs = nodes.iter().rev().flat_map(|node| &node.window_expr);
        for (at, expr) in exprs.enumerate() {
            let Expr::WindowFunction(function) = expr.clone().unalias_nested().data else {
                return Err(Error::unsupported(format!("the window expression {expr}")));
            };
            let call = self.window_call(&function, below, schema.fields()[width + at].clone())?;
            let params = &window_function(expr)?.params;
            let order: Vec<&SortExpr> = sort_keys(params).collect();
            let fits = |known: &&mut Shared| {
                same_groups(known.groups, &params.partition_by) && known.order.iter().zip(&order).all(|(a, b)| a == b)
            };
            match shared.iter_mut().find(fits) {
                Some(known) => {
                    known.calls.push((at, call));
                    if order.len() > known.order.len() {
                        known.order = order;
                    }
                }
                None => shared.push(Shared { groups: &params.partition_by, order, calls: vec![(at, call)] }),
            }
        }
        let mut plan = self.node(bottom, Vec::new())?;
        let mut places = Vec::new();
        for Shared { groups, order, calls } in shared {
            let groups = groups.iter().map(|group| expr::compile(group, below, &self.slots)).collect::<Result<_>>()?;
            let order = order.into_iter().map(|key| self.window_key(key, below)).collect::<Result<_>>()?;
            let (at, calls): (Vec<usize>, Vec<WindowCall>) = calls.into_iter().unzip();
            places.extend(at);
            plan = Arc::new(WindowNode::new(plan, groups, order, calls)?);
        }
        if places.is_sorted() {
            return Ok(plan);
        }
        let column = |index: usize| {
            let field = plan.schema().field(index);
            expr::column(index, field.data_type().clone(), field.is_nullable(), field.name().clone())
        };
        let mut columns: Vec<ExprRef> = (0..width).map(column).collect();
        for at in 0..places.len() {
            let found = places.iter().position(|&place| place == at);
            columns.push(column(width + found.ok_or_else(|| Error::internal("a window function went missing"))?));
        }
        Ok(Arc::new(ProjectNode::new(plan, columns, schema)))
    }

    fn window_key(&self, key: &SortExpr, below: &DFSchema) -> Result<SortKey> {
        let expr = expr::compile(&key.expr, below, &self.slots)?;
        Ok(SortKey { expr, descending: !key.asc, nulls_first: key.nulls_first })
    }

    fn window_call(&self, function: &WindowFunction, below: &DFSchema, field: FieldRef) -> Result<WindowCall> {
        let WindowFunction { fun, params } = function;
        let WindowFunctionParams { args, partition_by: _, order_by, window_frame, filter, null_treatment, distinct } = params;
        let name = fun.name();
        if *distinct {
            return Err(Error::unsupported(format!("DISTINCT in a window function: {}", field.name())));
        }
        let compile = |index: usize| -> Result<ExprRef> {
            match args.get(index) {
                Some(argument) => expr::compile(argument, below, &self.slots),
                None => Err(Error::sql(format!("{name} needs an argument"))),
            }
        };
        let mut ignore_nulls = *null_treatment == Some(NullTreatment::IgnoreNulls);
        let frame = frame_of(window_frame)?;
        let function = match (fun, name) {
            (WindowFunctionDefinition::AggregateUDF(function), name) if name != "any_value" => {
                if null_treatment.is_some() {
                    return Err(Error::unsupported(format!("IGNORE or RESPECT NULLS in {name}")));
                }
                let arguments = (0..args.len()).map(compile).collect::<Result<_>>()?;
                let call = AggregateCall {
                    function: function.clone(),
                    arguments,
                    distinct: false,
                    filter: None,
                    order: Vec::new(),
                    ignore_nulls: false,
                    field: field.clone(),
                };
                Function::Fold(aggregate::fold(&call)?)
            }
            (_, "any_value" | "first_value" | "last_value") => {
                if let Some(flag) = args.get(1) {
                    ignore_nulls |= matches!(self.constant(flag, name)?, ScalarValue::Boolean(Some(true)));
                }
                let row = if name == "last_value" { Place::Last } else { Place::First };
                Function::Pick { value: compile(0)?, row, ignore_nulls }
            }
            (_, "nth_value") => match args.get(1).map(|place| self.constant(place, name)).transpose()? {
                Some(ScalarValue::Int64(Some(place @ 1..))) => {
                    Function::Pick { value: compile(0)?, row: Place::Nth(place as u64), ignore_nulls }
                }
                _ => return Err(Error::sql("nth_value needs a place of at least 1")),
            },
            (_, "lag" | "lead") => {
                let rows = match args.get(1).map(|rows| self.constant(rows, name)).transpose()? {
                    None => 1,
                    Some(ScalarValue::Int64(Some(rows))) => rows,
                    Some(_) => return Err(Error::sql(format!("the distance of {name} is a constant number"))),
                };
                let rows = if name == "lag" { rows.saturating_neg() } else { rows };
                let default = (args.len() > 2).then(|| compile(2)).transpose()?;
                Function::Shift { value: compile(0)?, rows, default, ignore_nulls }
            }
            (_, "ntile") => match args.first().map(|tiles| self.constant(tiles, name)).transpose()? {
                None => Function::Ntile(1),
                Some(ScalarValue::Int64(Some(tiles @ 1..))) => Function::Ntile(tiles),
                Some(_) => return Err(Error::sql("ntile needs a number of at least 1")),
            },
            (_, "row_number") => Function::RowNumber,
            (_, "rank") => Function::Rank,
            (_, "dense_rank") => Function::DenseRank,
            (_, "percent_rank") => Function::PercentRank,
            (_, "cume_dist") => Function::CumeDist,
            (_, other) => return Err(Error::unsupported(format!("the window function {other}"))),
        };
        let by_place = !matches!(function, Function::Fold(_) | Function::Pick { .. });
        if by_place && order_by.is_empty() {
            return Err(Error::sql(format!("{name} needs ORDER BY in its window")));
        }
        if by_place && (frame.end != Bound::CurrentRow || frame.start != Bound::UnboundedPreceding) {
            return Err(Error::sql(format!("{name} takes no frame")));
        }
        let filter = filter.as_ref().map(|filter| expr::compile(filter, below, &self.slots)).transpose()?;
        Ok(WindowCall { function, filter, order_keys: sort_keys(params).count(), frame, field })
    }

    /// The value of an argument that must not depend on rows.
    fn constant(&self, expr: &Expr, function: &str) -> Result<ScalarValue> {
        let wrong = || Error::sql(format!("{function} needs a constant where {expr} stands"));
        if !expr.column_refs().is_empty() {
            return Err(wrong());
        }
        let compiled = expr::compile(expr, &DFSchema::empty(), &self.slots)?;
        compiled.evaluate(&Chunk::new(Vec::new(), 1))?.value(0)
    }
}

fn window_function(expr: &Expr) -> Result<&WindowFunction> {
    match expr {
        Expr::Alias(alias) => window_function(&alias.expr),
        Expr::WindowFunction(function) => Ok(function),
        other => Err(Error::unsupported(format!("the window expression {other}"))),
    }
}

/// The keys that order anything.
fn sort_keys(params: &WindowFunctionParams) -> impl Iterator<Item = &SortExpr> {
    params.order_by.iter().filter(|key| !matches!(key.expr, Expr::Literal(..)))
}

fn same_groups(a: &[Expr], b: &[Expr]) -> bool {
    a.iter().all(|expr| b.contains(expr)) && b.iter().all(|expr| a.contains(expr))
}

fn frame_of(frame: &WindowFrame) -> Result<Frame> {
    let units = match frame.units {
        WindowFrameUnits::Rows => Units::Rows,
        WindowFrameUnits::Range => Units::Range,
        WindowFrameUnits::Groups => Units::Groups,
    };
    let bound = |bound: &WindowFrameBound| -> Result<Bound> {
        let (value, forward) = match bound {
            WindowFrameBound::CurrentRow => return Ok(Bound::CurrentRow),
            WindowFrameBound::Preceding(value) => (value, false),
            WindowFrameBound::Following(value) => (value, true),
        };
        if value.is_null() {
            return Ok(if forward { Bound::UnboundedFollowing } else { Bound::UnboundedPreceding });
        }
        if units != Units::Range {
            let ScalarValue::UInt64(Some(rows)) = value else {
                return Err(Error::sql(format!("a frame is so many rows long, not {value}")));
            };
            let rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            return Ok(Bound::Rows(if forward { rows } else { -rows }));
        }
        let distance = distance(value)?;
        Ok(if forward { Bound::Behind(distance) } else { Bound::Before(distance) })
    };
    let (start, end) = (bound(&frame.start_bound)?, bound(&frame.end_bound)?);
    let backwards = match (&start, &end) {
        (Bound::Rows(from), Bound::Rows(to)) => from > to,
        (Bound::Rows(1..), Bound::CurrentRow) | (Bound::CurrentRow, Bound::Rows(..0)) => true,
        (Bound::Behind(_), Bound::CurrentRow | Bound::Before(_)) | (Bound::CurrentRow, Bound::Before(_)) => true,
        _ => false,
    };
    if backwards {
        return Err(Error::sql(format!("the frame {frame} ends before it begins")));
    }
    Ok(Frame { units, start, end })
}

fn distance(value: &ScalarValue) -> Result<Distance> {
    let distance = match value {
        ScalarValue::Int8(Some(value)) => Distance::Integer((*value).into()),
        ScalarValue::Int16(Some(value)) => Distance::Integer((*value).into()),
        ScalarValue::Int32(Some(value)) => Distance::Integer((*value).into()),
        ScalarValue::Int64(Some(value)) => Distance::Integer((*value).into()),
        ScalarValue::Decimal128(Some(value), ..) => Distance::Integer(*value),
        ScalarValue::Float32(Some(value)) => Distance::Float((*value).into()),
        ScalarValue::Float64(Some(value)) => Distance::Float(*value),
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months, days, nanoseconds })) => {
            Distance::Interval { months: *months, days: *days, micros: nanoseconds / 1000 }
        }
        other => return Err(Error::unsupported(format!("the distance {other} in a RANGE frame"))),
    };
    let negative = match &distance {
        Distance::Integer(value) => *value < 0,
        Distance::Float(value) => *value < 0.0 || value.is_nan(),
        Distance::Interval { months, days, micros } => *months < 0 || *days < 0 || *micros < 0,
    };
    if negative {
        return Err(Error::sql(format!("the distance {value} of a frame is negative")));
    }
    Ok(distance)
}
