//! Functions in FROM: `explode` and its kin, `stack`, `json_tuple`, `range`.
//!
//! Each stands on one row without columns; what its arguments say of tables before it are outer
//! references, which the optimizer turns into columns when it puts the function on top of them.

use crate::catalog::{RangeTable, TableHandle};
use crate::column::{Chunk, to_plan_type};
use crate::expr::{Slots, compile};
use crate::optimizer::{Generate, GeneratorKind};
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, TableFactor};
use std::sync::Arc;

/// Names of functions that make several rows of one.
pub(super) const GENERATORS: &[&str] =
    &["explode", "explode_outer", "posexplode", "posexplode_outer", "inline", "inline_outer", "stack", "json_tuple"];

/// Whether a name is that of a function in FROM.
pub(super) fn is_table_function(name: &str) -> bool {
    GENERATORS.contains(&name) || matches!(name, "unnest" | "range" | "generate_series")
}

/// Plans functions in FROM.
#[derive(Debug)]
pub(super) struct TableFunctions;

impl RelationPlanner for TableFunctions {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let (name, args, ordinality, alias) = match relation {
            TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => (name, args, with_ordinality, alias),
            TableFactor::Table { name, args: Some(args), with_ordinality, alias, .. } => {
                (name, args.args, with_ordinality, alias)
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let name = name.to_string().replace('`', "");
        let mut arguments = Vec::with_capacity(args.len());
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                return plan_err!("{name} takes plain expressions, not {arg}");
            };
            arguments.push(context.sql_to_expr(expr, &DFSchema::empty())?);
        }
        let plan = match name.as_str() {
            "range" | "generate_series" => range(&name, &arguments)?,
            _ => generator(&name, arguments, ordinality, context)?,
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

fn generator(
    name: &str,
    mut arguments: Vec<Expr>,
    ordinality: bool,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let (base, outer) = match name.strip_suffix("_outer") {
        Some(base) => (base, true),
        None => (name, false),
    };
    let kind = match base {
        "explode" => GeneratorKind::Explode { position: None },
        "unnest" => GeneratorKind::Explode { position: ordinality.then_some(1) },
        "posexplode" => GeneratorKind::Explode { position: Some(0) },
        "inline" => GeneratorKind::Inline,
        "stack" => {
            if arguments.len() < 2 {
                return plan_err!("stack takes a number of rows and values for them");
            }
            let values = arguments.split_off(1);
            let rows = constant("stack", &arguments[0])?;
            arguments = values;
            match rows.and_then(|rows| usize::try_from(rows).ok()).filter(|rows| (1..=1 << 16).contains(rows)) {
                Some(rows) => GeneratorKind::Stack { rows },
                None => return plan_err!("the number of rows of stack is a constant from 1 to 65536"),
            }
        }
        "json_tuple" => {
            // A row of what its keys stand for.
            let Some(get) = context.context_provider().get_function_meta("get_json_object") else {
                return plan_err!("json_tuple is not supported");
            };
            if arguments.len() < 2 {
                return plan_err!("json_tuple takes a text and keys");
            }
            let keys = arguments.split_off(1);
            let json = arguments.swap_remove(0);
            for key in keys {
                let Expr::Literal(ScalarValue::Utf8(Some(key)) | ScalarValue::Utf8View(Some(key)), _) = &key else {
                    return plan_err!("the keys of json_tuple are texts, not {key}");
                };
                let path = lit(format!("$['{key}']"));
                arguments.push(Expr::ScalarFunction(ScalarFunction::new_udf(get.clone(), vec![json.clone(), path])));
            }
            GeneratorKind::Stack { rows: 1 }
        }
        other => return plan_err!("there is no function '{other}' for FROM"),
    };
    if ordinality && base != "unnest" {
        return plan_err!("WITH ORDINALITY belongs to unnest; posexplode counts from 0");
    }
    let one_row = LogicalPlanBuilder::empty(true).build()?;
    let generated = Generate::new(kind, arguments, outer, Arc::new(one_row))?;
    if base == "json_tuple" {
        let names = (0..generated.generated().len()).map(|at| (None, format!("c{at}"))).collect();
        let (arguments, input) = (generated.arguments.clone(), generated.input.clone());
        return Ok(generated.over(arguments, input, names)?.into_plan());
    }
    Ok(generated.into_plan())
}

/// `range(end)`, `range(start, end)`, `range(start, end, step)`; a fourth argument, of how many tasks
/// should make the numbers, is none of the answer's business.
fn range(name: &str, arguments: &[Expr]) -> Result<LogicalPlan> {
    let mut numbers = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match constant(name, argument)? {
            Some(number) => numbers.push(number),
            None => return plan_err!("the arguments of {name} are not NULL"),
        }
    }
    let (start, end, step) = match (name, numbers.as_slice()) {
        ("range", [end]) => (0, *end, 1),
        ("range", [start, end]) => (*start, *end, 1),
        ("range", [start, end, step] | [start, end, step, _]) => (*start, *end, *step),
        // The end belongs to the series.
        (_, [start, end]) => (*start, end.saturating_add(1), 1),
        (_, [start, end, step]) => (*start, end.saturating_add(step.signum()), *step),
        _ => return plan_err!("{name} takes one to three numbers: start, end and step"),
    };
    let table = RangeTable::new(start, end, step).map_err(|error| DataFusionError::External(Box::new(error)))?;
    LogicalPlanBuilder::scan(name, Arc::new(TableHandle(Arc::new(table))), None)?.build()
}

/// The value of an integer argument that needs no row.
fn constant(function: &str, argument: &Expr) -> Result<Option<i64>> {
    if !argument.column_refs().is_empty() || argument.contains_outer() {
        return plan_err!("the argument {argument} of {function} is not a constant");
    }
    let value = || -> crate::Result<ScalarValue> {
        let argument = cast(argument.clone(), DataType::Int64);
        let column = compile(&argument, &DFSchema::empty(), &Slots::default())?.evaluate(&Chunk::new(Vec::new(), 1))?;
        Ok(ScalarValue::try_from_array(&to_plan_type(&column.flat()?, &DataType::Int64)?, 0)?)
    };
    match value() {
        Ok(ScalarValue::Int64(value)) => Ok(value),
        Ok(other) => plan_err!("the argument {other} of {function} is no whole number"),
        Err(error) => Err(DataFusionError::External(Box::new(error))),
    }
}

/// The columns a function gives if nobody names them; None where only its arguments' types tell.
pub(super) fn usual_columns(name: &str, args: &[FunctionArg]) -> Option<Vec<String>> {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    match name {
        "range" | "generate_series" => names(&["id"]),
        "stack" => {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Value(rows))) = args.first()? else { return None };
            let ast::Value::Number(rows, _) = &rows.value else { return None };
            let rows: usize = rows.parse().ok().filter(|rows| *rows > 0)?;
            Some((0..(args.len() - 1).div_ceil(rows)).map(|at| format!("col{at}")).collect())
        }
        "json_tuple" => Some((0..args.len().saturating_sub(1)).map(|at| format!("c{at}")).collect()),
        _ => None,
    }
}
