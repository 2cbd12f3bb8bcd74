//! A query to its logical plan: rewrite a copy of the tree, let `datafusion-sql` bind it, name the
//! output.

use super::narrow::Named;
use super::provider::{FunctionRegistry, Provider};
use super::source::Source;
use super::walk::walk;
use super::{desugar, hints, names, problem, rewrite};
use crate::catalog::{Catalog, View};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::join::Hint;
use datafusion_common::{ScalarValue, TableReference};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion_sql::planner::SqlToRel;
use sqlparser::ast::{self, ObjectName, Query, SelectItem, Statement, TableAlias, Visitor};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// Views in views. Guessed: more are a cycle.
const VIEW_DEPTH: usize = 32;

/// Values for the parameters of a query.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    /// For `?`, in the order of the text.
    pub positional: Vec<ScalarValue>,
    /// For `:name`, in any case.
    pub named: BTreeMap<String, ScalarValue>,
}

/// A query whose names and types are known.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The plan, neither analysed nor optimised. Its own column names are made unique.
    pub plan: LogicalPlan,
    /// What the output columns are called, in the spelling of the user.
    pub names: Vec<String>,
    /// Hints about its joins, those of views included.
    pub hints: Vec<Hint>,
    /// What is wrong with other hints.
    pub warnings: Vec<String>,
}

/// Binds `query`, which [`super::guard::check`] let pass; `text` is the text it was parsed from.
pub fn bind(
    query: &Query,
    catalog: &Catalog,
    config: &Config,
    functions: &FunctionRegistry,
    parameters: &Parameters,
    text: &str,
) -> Result<Bound> {
    super::on_large_stack(|| bind_at(query, catalog, config, functions, parameters, text, 0))
}

/// The plan of a view, for the provider of the query that uses it.
pub(super) fn bind_view(view: &View, user: &Provider, parameters: &Parameters) -> Result<LogicalPlan> {
    if user.depth >= VIEW_DEPTH {
        return Err(Error::sql(format!("views use one another more than {VIEW_DEPTH} deep")));
    }
    let mut parsed = super::parse(&view.query, user.config)?;
    let Some(super::Command::Statement(statement)) = parsed.pop().map(|parsed| parsed.command) else {
        return Err(Error::internal("a view that is no query"));
    };
    let Statement::Query(query) = *statement else { return Err(Error::internal("a view that is no query")) };
    let depth = user.depth + 1;
    let own = view.database.as_ref().map(|database| Config { database: database.clone(), ..user.config.clone() });
    let config = own.as_ref().unwrap_or(user.config);
    let bound = bind_at(&query, user.catalog, config, user.functions, parameters, &view.query, depth)?;
    {
        let mut hinted = user.hinted.lock();
        hinted.hints.extend(bound.hints);
        hinted.warnings.extend(bound.warnings);
    }
    if view.columns.is_empty() {
        return Ok(bound.plan);
    }
    let columns = bound.plan.schema().columns();
    if columns.len() != view.columns.len() {
        return Err(Error::sql(format!("a view with {} names for {} columns", view.columns.len(), columns.len())));
    }
    let renamed = columns.into_iter().zip(&view.columns).map(|(column, name)| Expr::Column(column).alias(name.to_lowercase()));
    Ok(LogicalPlanBuilder::from(bound.plan).project(renamed)?.build()?)
}

fn bind_at(
    query: &Query,
    catalog: &Catalog,
    config: &Config,
    functions: &FunctionRegistry,
    parameters: &Parameters,
    text: &str,
    depth: usize,
) -> Result<Bound> {
    let source = Source::new(text);
    let provider = Provider::new(catalog, config, functions, depth);
    let mut plain = query.clone();
    desugar::desugar(&mut plain, &provider, &source)?;
    let mut rewritten = plain.clone();
    let literals = rewrite::rewrite(&mut rewritten, catalog, config, functions, parameters, &source)?;
    let provider = provider.with_literals(literals);
    // Tables first, so that what is wrong with one is said with the place of its name.
    open_tables(&rewritten, &provider)?;
    let statement = Statement::Query(Box::new(rewritten.clone()));
    let (plan, provider) = match Named::of(&rewritten) {
        None => (SqlToRel::new(&provider).sql_statement_to_plan(statement), provider),
        Some(named) => {
            let narrow = provider.narrowed(named);
            match SqlToRel::new(&narrow).sql_statement_to_plan(statement.clone()) {
                Ok(plan) => (Ok(plan), narrow),
                Err(_) => {
                    let whole = narrow.whole();
                    (SqlToRel::new(&whole).sql_statement_to_plan(statement), whole)
                }
            }
        }
    };
    let plan = plan.map_err(|error| problem::explain(error, query))?;
    let names = output_names(&plain, &rewritten, &plan, &provider, &source);
    let mut found = hints::collect(query);
    let viewed = std::mem::take(&mut *provider.hinted.lock());
    found.hints.extend(viewed.hints);
    found.warnings.extend(viewed.warnings);
    Ok(Bound { plan, names, hints: found.hints, warnings: found.warnings })
}

fn open_tables(query: &Query, provider: &Provider) -> Result<()> {
    struct Open<'a, 'b>(&'a Provider<'b>);
    impl Visitor for Open<'_, '_> {
        type Break = Error;
        fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<Error> {
            let idents: Vec<&ast::Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
            let [format, path] = idents.as_slice() else { return ControlFlow::Continue(()) };
            match self.0.table(&TableReference::partial(format.value.as_str(), path.value.as_str())) {
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error.at(path.span.start.line, path.span.start.column)),
            }
        }
    }
    match walk(query, &mut Open(provider)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// What the plan's columns are called. Items of the SELECT list are matched to columns by place,
/// wildcards take what lies between; their columns are spelled as some table or alias of the query
/// spells them.
fn output_names(query: &Query, rewritten: &Query, plan: &LogicalPlan, provider: &Provider, source: &Source) -> Vec<String> {
    let fields: Vec<&str> = plan.schema().fields().iter().map(|field| field.name().as_str()).collect();
    let spellings = spellings(query, rewritten, provider, source);
    let spelled = |field: &str| {
        let base = field.rsplit_once('#').filter(|(_, number)| number.parse::<u32>().is_ok()).map_or(field, |(base, _)| base);
        spellings.get(field).or_else(|| spellings.get(base)).cloned().unwrap_or_else(|| base.to_owned())
    };
    let selects = names::naming_select(query).zip(names::naming_select(rewritten));
    let Some((select, inner)) = selects else { return fields.into_iter().map(spelled).collect() };
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    let wildcards = select.projection.iter().filter(|item| is_wildcard(item)).count();
    let mut names = Vec::with_capacity(fields.len());
    for (position, item) in select.projection.iter().enumerate() {
        if let Some(name) = names::item_name(item, source) {
            // Names that the user did not write are spelled as the tables do.
            let unwritten = matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.span.start.line == 0);
            names.push(if unwritten { spelled(&name) } else { name });
            continue;
        }
        // A wildcard ends where the next item begins; the last one leaves room for those behind it.
        let behind = &inner.projection[position + 1..];
        let next = behind.first().and_then(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.as_str()),
            _ => None,
        });
        let is_last = !behind.iter().any(&is_wildcard);
        let end = match next {
            _ if is_last || wildcards == 1 => fields.len().saturating_sub(behind.len()),
            Some(next) => {
                fields[names.len()..].iter().position(|field| *field == next).map_or(fields.len(), |at| names.len() + at)
            }
            // Two wildcards in a row: their columns are named alike, whichever they belong to.
            None => names.len(),
        };
        names.extend(fields[names.len().min(end)..end].iter().map(|field| spelled(field)));
    }
    // Nothing that went wrong above may lose or invent a column.
    if names.len() == fields.len() { names } else { fields.into_iter().map(spelled).collect() }
}

/// How the query and its tables spell the names that are in lower case inside.
fn spellings(query: &Query, rewritten: &Query, provider: &Provider, source: &Source) -> HashMap<String, String> {
    struct Spell<'a, 'b> {
        source: &'a Source<'a>,
        provider: &'a Provider<'b>,
        /// Its items name themselves; no wildcard sees them.
        root: Option<&'a ast::Select>,
        names: HashMap<String, String>,
    }
    impl Spell<'_, '_> {
        fn add(&mut self, ident: &ast::Ident) {
            let spelled = names::spelled(ident, self.source);
            self.names.entry(ident.value.clone()).or_insert(spelled);
        }
        fn alias(&mut self, alias: &TableAlias) {
            alias.columns.iter().for_each(|column| self.add(&column.name));
        }
    }
    impl Visitor for Spell<'_, '_> {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            query.with.iter().flat_map(|with| &with.cte_tables).for_each(|cte| self.alias(&cte.alias));
            ControlFlow::Continue(())
        }
        fn pre_visit_select(&mut self, select: &ast::Select) -> ControlFlow<()> {
            let is_root = self.root.is_some_and(|root| std::ptr::eq(root, select));
            for item in select.projection.iter().filter(|_| !is_root) {
                match item {
                    SelectItem::ExprWithAlias { alias, .. } => self.add(alias),
                    SelectItem::UnnamedExpr(expr) => {
                        let name = names::expr_name(expr, self.source);
                        self.names.entry(name.to_lowercase()).or_insert(name);
                    }
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        }
        fn pre_visit_table_factor(&mut self, factor: &ast::TableFactor) -> ControlFlow<()> {
            if let ast::TableFactor::Table { alias: Some(alias), .. } | ast::TableFactor::Derived { alias: Some(alias), .. } =
                factor
            {
                self.alias(alias);
            }
            ControlFlow::Continue(())
        }
    }
    struct Tables<'a, 'b, 'c>(&'c mut Spell<'a, 'b>);
    impl Visitor for Tables<'_, '_, '_> {
        type Break = ();
        fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
            let idents: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.as_str())).collect();
            let reference = match idents.as_slice() {
                [table] => TableReference::bare(*table),
                [format, path] => TableReference::partial(*format, *path),
                _ => return ControlFlow::Continue(()),
            };
            if let Ok(Some(table)) = self.0.provider.table(&reference) {
                for (field, name) in table.schema().fields().iter().zip(table.display_names()) {
                    self.0.names.entry(field.name().clone()).or_insert_with(|| name.clone());
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut spell = Spell { source, provider, root: names::naming_select(query), names: HashMap::new() };
    let _ = walk(query, &mut spell);
    let _ = walk(rewritten, &mut Tables(&mut spell));
    spell.names
}
