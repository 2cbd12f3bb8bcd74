//! Tables without the columns that a query does not name.
//!
//! Binding, and most rules that follow, make a join's schema of all columns of its tables again and
//! again, although the last of those rules leaves out what nobody wants. A column whose name stands
//! nowhere in the query cannot be wanted, unless something means columns without naming them: a
//! wildcard, NATURAL, a pivot. So names are collected first and tables are bound with those columns.
//!
//! ```text
//!   SELECT sum(v) FROM facts f JOIN dims d ON f.k = d.id     names: v f k d id
//!          facts(k, v, a, b, c)  ─>  Scan facts [k, v]       dims(id, x, y)  ─>  Scan dims [id]
//! ```
//!
//! A name counts wherever it stands, also as an alias or as that of another table's column. What
//! fails is bound again with all columns, so that errors speak of whole tables.

use super::walk::walk;
use datafusion_common::Result;
use datafusion_expr::LogicalPlanBuilder;
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SetExpr, TableFactor, TableWithJoins, Visitor,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// The names in a query that may be columns', in lower case.
#[derive(Debug, Default)]
pub(super) struct Named {
    names: HashSet<String>,
    /// Names that stand for queries.
    ctes: HashSet<String>,
}

impl Named {
    /// The names in `query`; None if it means columns that it does not name.
    pub(super) fn of(query: &Query) -> Option<Self> {
        let mut named = Self::default();
        match walk(query, &mut named) {
            ControlFlow::Continue(()) => Some(named),
            ControlFlow::Break(()) => None,
        }
    }

    fn add(&mut self, name: &str) {
        let lower = name.chars().any(char::is_uppercase).then(|| name.to_lowercase());
        if !self.names.contains(lower.as_deref().unwrap_or(name)) {
            self.names.insert(lower.unwrap_or_else(|| name.to_owned()));
        }
    }

    fn object(&mut self, name: &ObjectName) {
        name.0.iter().filter_map(|part| part.as_ident()).for_each(|ident| self.add(&ident.value));
    }

    fn joins(&mut self, from: &TableWithJoins) -> ControlFlow<()> {
        for join in &from.joins {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::Using(columns)) => columns.iter().for_each(|name| self.object(name)),
                Some(JoinConstraint::On(_) | JoinConstraint::None) => {}
                Some(JoinConstraint::Natural) | None => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }
}

/// What a join of a usual kind is made on.
fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(on)
        | JoinOperator::Inner(on)
        | JoinOperator::Left(on)
        | JoinOperator::LeftOuter(on)
        | JoinOperator::Right(on)
        | JoinOperator::RightOuter(on)
        | JoinOperator::FullOuter(on)
        | JoinOperator::CrossJoin(on)
        | JoinOperator::Semi(on)
        | JoinOperator::LeftSemi(on)
        | JoinOperator::RightSemi(on)
        | JoinOperator::Anti(on)
        | JoinOperator::LeftAnti(on)
        | JoinOperator::RightAnti(on) => Some(on),
        _ => None,
    }
}

impl Visitor for Named {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.ctes.insert(cte.alias.name.value.to_lowercase());
        }
        match query.body.as_ref() {
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOperation { .. } | SetExpr::Values(_) => {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        if select.projection.iter().any(wildcard) {
            return ControlFlow::Break(());
        }
        select.from.iter().try_for_each(|from| self.joins(from))
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => self.joins(table_with_joins),
            TableFactor::Table { .. }
            | TableFactor::Derived { .. }
            | TableFactor::Function { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::UNNEST { .. } => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.add(&ident.value),
            Expr::CompoundIdentifier(parts) => parts.iter().for_each(|part| self.add(&part.value)),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => return ControlFlow::Break(()),
            Expr::Function(call) => {
                if let FunctionArguments::List(list) = &call.args {
                    let whole_rows = |arg: &FunctionArg| {
                        let (FunctionArg::Unnamed(arg) | FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. }) =
                            arg;
                        !matches!(arg, FunctionArgExpr::Expr(_))
                    };
                    // Only count(*) needs no column for its star.
                    let count = list.duplicate_treatment.is_none()
                        && list.args.len() == 1
                        && matches!(list.args[0], FunctionArg::Unnamed(FunctionArgExpr::Wildcard))
                        && call.name.to_string().eq_ignore_ascii_case("count");
                    if !count && list.args.iter().any(whole_rows) {
                        return ControlFlow::Break(());
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Plans tables with the columns that are named.
#[derive(Debug)]
pub(super) struct NarrowTables(pub(super) Named);

impl RelationPlanner for NarrowTables {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let plain = |alias: &Option<sqlparser::ast::TableAlias>| alias.as_ref().is_none_or(|alias| alias.columns.is_empty());
        let (name, alias) = match &relation {
            TableFactor::Table { name, alias, args: None, .. } if plain(alias) => (name, alias),
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        if let [part] = name.0.as_slice()
            && part.as_ident().is_none_or(|ident| self.0.ctes.contains(&ident.value.to_lowercase()))
        {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let reference = context.object_name_to_table_reference(name.clone())?;
        // Whoever plans it whole says what is wrong with it.
        let Ok(source) = context.context_provider().get_table_source(reference.clone()) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let schema = source.schema();
        let wanted: Vec<usize> = (0..schema.fields().len())
            .filter(|at| self.0.names.contains(schema.field(*at).name().to_lowercase().as_str()))
            .collect();
        if wanted.len() == schema.fields().len() || source.get_logical_plan().is_some() {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let plan = LogicalPlanBuilder::scan(reference, source, Some(wanted))?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}
