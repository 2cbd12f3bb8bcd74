//! Generators in plans: `explode`, `inline`, `stack`, each an input's rows times what is made of them.
//!
//! The borrowed plans know arrays only and lose rows' names on the way; so it is a node of ours. A
//! generator in FROM stands on one row without columns and refers to the tables before it by outer
//! references; [`super::unnest`] puts it on top of them.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Column, DFSchema, DFSchemaRef, Result, TableReference, plan_err};
use datafusion_expr::logical_plan::Extension;
use datafusion_expr::type_coercion::binary::type_union_resolution;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, UserDefinedLogicalNodeCore, cast};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// What is made of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GeneratorKind {
    /// The elements of an array or map, behind their place, counted from a number, if wanted.
    Explode {
        /// What places are counted from.
        position: Option<i32>,
    },
    /// The fields of an array's structs.
    Inline,
    /// The arguments in so many rows.
    Stack {
        /// At least 1.
        rows: usize,
    },
}

/// The node: the input's columns, then the generated ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Generate {
    /// What is made of a row.
    pub kind: GeneratorKind,
    /// Of what.
    pub arguments: Vec<Expr>,
    /// Rows that nothing is made of stay, with NULLs.
    pub outer: bool,
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// Names of the generated columns; as many as there are.
    names: Vec<(Option<TableReference>, String)>,
    schema: DFSchemaRef,
}

impl Generate {
    /// A generator with its usual column names.
    ///
    /// # Errors
    /// Where the arguments have types that nothing can be generated from.
    pub fn new(kind: GeneratorKind, arguments: Vec<Expr>, outer: bool, input: Arc<LogicalPlan>) -> Result<Self> {
        let outputs = outputs(kind, &arguments, input.schema())?;
        let names = outputs.into_iter().map(|(name, _)| (None, name)).collect();
        Self::named(kind, arguments, outer, input, names)
    }

    /// The same over another input, with `arguments` in its terms and other names for its columns.
    ///
    /// # Errors
    /// Where the arguments' types do not fit, or a name is there twice.
    pub fn over(
        &self,
        arguments: Vec<Expr>,
        input: Arc<LogicalPlan>,
        names: Vec<(Option<TableReference>, String)>,
    ) -> Result<Self> {
        Self::named(self.kind, arguments, self.outer, input, names)
    }

    fn named(
        kind: GeneratorKind,
        mut arguments: Vec<Expr>,
        outer: bool,
        input: Arc<LogicalPlan>,
        names: Vec<(Option<TableReference>, String)>,
    ) -> Result<Self> {
        let outputs = outputs(kind, &arguments, input.schema())?;
        if let GeneratorKind::Stack { rows } = kind {
            let width = arguments.len().div_ceil(rows);
            for (at, argument) in arguments.iter_mut().enumerate() {
                let wanted = outputs[at % width].1.data_type();
                if argument.get_type(input.schema())? != *wanted {
                    *argument = cast(std::mem::take(argument), wanted.clone());
                }
            }
        }
        if outputs.len() != names.len() {
            return plan_err!("a generator of {} columns has {} names", outputs.len(), names.len());
        }
        let mut fields: Vec<(Option<TableReference>, FieldRef)> =
            input.schema().iter().map(|(qualifier, field)| (qualifier.cloned(), field.clone())).collect();
        for ((qualifier, name), (_, field)) in names.iter().zip(outputs) {
            fields.push((qualifier.clone(), Arc::new(field.as_ref().clone().with_name(name))));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?);
        Ok(Self { kind, arguments, outer, input, names, schema })
    }

    /// Columns of the input.
    pub fn width(&self) -> usize {
        self.schema.fields().len() - self.names.len()
    }

    /// The generated columns.
    pub fn generated(&self) -> Vec<Column> {
        self.schema.columns().split_off(self.width())
    }

    /// The node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The generator that a plan node is.
    pub fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }
}

/// Usual names and fields of the generated columns.
fn outputs(kind: GeneratorKind, arguments: &[Expr], schema: &DFSchema) -> Result<Vec<(String, FieldRef)>> {
    let field = |name: &str, data_type: &DataType| (name.to_owned(), Arc::new(Field::new(name, data_type.clone(), true)));
    if let GeneratorKind::Stack { rows } = kind {
        let width = arguments.len().div_ceil(rows.max(1));
        let types = arguments.iter().map(|argument| argument.get_type(schema)).collect::<Result<Vec<_>>>()?;
        let mut fields = Vec::with_capacity(width);
        for column in 0..width {
            let mut of_column: Vec<DataType> = types.iter().skip(column).step_by(width).cloned().collect();
            of_column.retain(|data_type| *data_type != DataType::Null);
            let Some(first) = of_column.first().cloned() else {
                fields.push(field(&format!("col{column}"), &DataType::Null));
                continue;
            };
            let alike = of_column.iter().all(|data_type| *data_type == first);
            let Some(common) = (if alike { Some(first) } else { type_union_resolution(&of_column) }) else {
                return plan_err!("column {column} of stack has values of types that do not go together");
            };
            fields.push(field(&format!("col{column}"), &common));
        }
        return Ok(fields);
    }
    let [argument] = arguments else { return plan_err!("a generator takes one argument, not {}", arguments.len()) };
    let data_type = argument.get_type(schema)?;
    let element = match &data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => Some(element),
        _ => None,
    };
    Ok(match (kind, element, &data_type) {
        (GeneratorKind::Explode { position }, ..) => {
            let mut fields: Vec<_> = position.map(|_| field("pos", &DataType::Int32)).into_iter().collect();
            match (element, &data_type) {
                (Some(element), _) => fields.push(field("col", element.data_type())),
                (None, DataType::Map(entries, _)) => match entries.data_type() {
                    DataType::Struct(pair) if pair.len() == 2 => {
                        fields.push(field("key", pair[0].data_type()));
                        fields.push(field("value", pair[1].data_type()));
                    }
                    _ => return plan_err!("a map without keys and values"),
                },
                (None, DataType::Null) => fields.push(field("col", &DataType::Null)),
                (None, other) => return plan_err!("explode takes an array or a map, not {other}"),
            }
            fields
        }
        (_, Some(element), _) => match element.data_type() {
            DataType::Struct(inner) => inner.iter().map(|inner| field(inner.name(), inner.data_type())).collect(),
            other => return plan_err!("inline takes an array of structs, not of {other}"),
        },
        (_, None, other) => return plan_err!("inline takes an array of structs, not {other}"),
    })
}

impl PartialOrd for Generate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Generate {
    fn name(&self) -> &str {
        "Generate"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.arguments.clone()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.names.iter().map(|(_, name)| name.clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        write!(f, "Generate: {:?}({}){}", self.kind, arguments.join(", "), if self.outer { ", outer" } else { "" })
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Some(input) = inputs.pop() else { return plan_err!("a generator without an input") };
        Self::named(self.kind, exprs, self.outer, Arc::new(input), self.names.clone())
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        // The generated columns come always; the arguments' columns are asked for by themselves.
        Some(vec![output_columns.iter().copied().filter(|column| *column < self.width()).collect()])
    }
}
