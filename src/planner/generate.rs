//! Generators.

use super::filters::{Led, lead};
use super::{Planner, schema_of};
use crate::error::{Error, Result};
use crate::exec::PlanRef;
use crate::expr;
use crate::operator::{GenerateNode, Generator};
use crate::optimizer::{Generate, GeneratorKind};
use datafusion_expr::LogicalPlan;
use std::sync::Arc;

impl<'a> Planner<'a> {
    /// A node of ours; there is one kind.
    pub(super) fn generate(&self, logical: &'a LogicalPlan, led: Vec<Led>) -> Result<PlanRef> {
        let Some(generate) = Generate::of(logical) else {
            return Err(Error::unsupported(format!("the plan node {}", logical.display())));
        };
        let generator = match generate.kind {
            GeneratorKind::Explode { position } => Generator::Explode { position },
            GeneratorKind::Inline => Generator::Inline,
            GeneratorKind::Stack { rows } => Generator::Stack { rows },
        };
        let below = generate.input.schema();
        let arguments = generate.arguments.iter().map(|argument| expr::compile(argument, below, &self.slots));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let input = self.node(&generate.input, lead(logical, &led, 0))?;
        Ok(Arc::new(GenerateNode::new(input, generator, arguments, generate.outer, schema_of(logical))))
    }
}
