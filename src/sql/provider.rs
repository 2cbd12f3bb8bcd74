//! What the borrowed binder asks for: tables, functions, types, options.

use super::bind::{Parameters, bind_view};
use super::casts::CastNames;
use super::literal::{Literal, LiteralPlanner};
use super::narrow::{Named, NarrowTables};
use crate::catalog::{Catalog, FileSpec, Found, Table, TableHandle, WorkTable};
use crate::config::Config;
use crate::error::Error;
use crate::expr::functions::in_zone;
use crate::format::registry::format_named;
use crate::optimizer::{ASOF_MATCH, asof_match};
use arrow::datatypes::{DataType, FieldRef, SchemaRef, TimeUnit};
use datafusion_common::config::ConfigOptions;
use datafusion_common::datatype::DataTypeExt;
use datafusion_common::{DataFusionError, Result, TableReference, not_impl_err, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use parking_lot::Mutex;
use sqlparser::ast::{self, ExactNumberInfo, TimezoneInfo};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Stands where the name of a format stands before a path, for files that tell theirs.
pub(super) const ANY_FORMAT: &str = "*";

/// The functions that SQL may call, and the planners of special forms.
#[derive(Debug, Clone, Default)]
pub struct FunctionRegistry {
    /// Functions of one row.
    pub scalar: Vec<Arc<ScalarUDF>>,
    /// Functions of a group of rows.
    pub aggregate: Vec<Arc<AggregateUDF>>,
    /// Functions of a window of rows.
    pub window: Vec<Arc<WindowUDF>>,
    /// Functions that the user wrote in SQL.
    pub macros: super::macros::Macros,
    /// Functions that take functions.
    pub higher_order: Vec<Arc<HigherOrderUDF>>,
    /// Asked in this order how to plan operators, `EXTRACT`, `SUBSTRING`, `count(*)` and so on.
    pub planners: Vec<Arc<dyn ExprPlanner>>,
}

impl FunctionRegistry {
    /// Adds the borrowed planners of special forms behind those that are there.
    #[must_use]
    pub fn with_borrowed_planners(mut self) -> Self {
        self.planners.push(Arc::new(datafusion_functions_nested::planner::NestedFunctionPlanner));
        self.planners.push(Arc::new(datafusion_functions_nested::planner::FieldAccessPlanner));
        self.planners.push(Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner));
        self.planners.push(Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner));
        self.planners.push(Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()));
        self.planners.push(Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner));
        self
    }

    /// Every name that can be called.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let scalar = self.scalar.iter().flat_map(|f| std::iter::once(f.name()).chain(f.aliases().iter().map(String::as_str)));
        let aggregate =
            self.aggregate.iter().flat_map(|f| std::iter::once(f.name()).chain(f.aliases().iter().map(String::as_str)));
        let window = self.window.iter().flat_map(|f| std::iter::once(f.name()).chain(f.aliases().iter().map(String::as_str)));
        let higher =
            self.higher_order.iter().flat_map(|f| std::iter::once(f.name()).chain(f.aliases().iter().map(String::as_str)));
        scalar.chain(aggregate).chain(window).chain(higher).chain(super::calls::names().map(|name| -> &str { name }))
    }
}

/// Functions by their names in lower case.
type ByName<'a, T> = HashMap<Cow<'a, str>, &'a T, foldhash::fast::FixedState>;

/// A table of functions, of which the first of a name wins.
fn by_name<'a, T>(functions: &'a [T], names: impl Fn(&'a T) -> (&'a str, &'a [String])) -> ByName<'a, T> {
    let mut found = ByName::with_capacity_and_hasher(functions.len() * 2, Default::default());
    for function in functions {
        let (name, aliases) = names(function);
        for name in std::iter::once(name).chain(aliases.iter().map(String::as_str)) {
            let upper = name.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase());
            found.entry(if upper { Cow::Owned(name.to_lowercase()) } else { Cow::Borrowed(name) }).or_insert(function);
        }
    }
    found
}

/// A table of the catalog or of files, for one statement.
pub(super) struct Provider<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) config: &'a Config,
    pub(super) functions: &'a FunctionRegistry,
    pub(super) depth: usize,
    options: ConfigOptions,
    planners: Vec<Arc<dyn ExprPlanner>>,
    relations: Vec<Arc<dyn RelationPlanner>>,
    types: Arc<SparkTypes>,
    scalar: ByName<'a, Arc<ScalarUDF>>,
    aggregate: ByName<'a, Arc<AggregateUDF>>,
    tables: Mutex<HashMap<(Option<String>, String), Found>>,
    /// Hints in the views that the statement uses.
    pub(super) hinted: Mutex<super::hints::Found>,
}

impl<'a> Provider<'a> {
    pub(super) fn new(catalog: &'a Catalog, config: &'a Config, functions: &'a FunctionRegistry, depth: usize) -> Self {
        let mut options = ConfigOptions::new();
        options.sql_parser.parse_float_as_decimal = true;
        options.sql_parser.enable_ident_normalization = false;
        options.sql_parser.map_string_types_to_utf8view = true;
        options.sql_parser.collect_spans = true;
        options.sql_parser.default_null_ordering = "nulls_min".into();
        options.execution.enable_ansi_mode = true;
        options.execution.time_zone = Some(config.time_zone.clone());
        let planners = functions.planners.clone();
        // The first of a name wins: the registry lists ours before borrowed ones.
        let scalar = by_name(&functions.scalar, |function| (function.name(), function.aliases()));
        let aggregate = by_name(&functions.aggregate, |function| (function.name(), function.aliases()));
        let types = Arc::new(SparkTypes { time_zone: config.time_zone.as_str().into() });
        Self {
            catalog,
            config,
            functions,
            depth,
            options,
            planners,
            relations: vec![Arc::new(super::relation::TableFunctions)],
            types,
            scalar,
            aggregate,
            tables: Mutex::default(),
            hinted: Mutex::default(),
        }
    }

    /// Tells the values of the literals in the query that is bound next.
    pub(super) fn with_literals(mut self, literals: Vec<Literal>) -> Self {
        self.planners.push(Arc::new(LiteralPlanner(literals)));
        self.planners.push(Arc::new(CastNames));
        self
    }

    /// Binds tables with the columns of these names only.
    pub(super) fn narrowed(mut self, named: Named) -> Self {
        self.relations.push(Arc::new(NarrowTables(named)));
        self
    }

    /// Binds tables with all their columns again.
    pub(super) fn whole(mut self) -> Self {
        self.relations.truncate(1);
        *self.hinted.lock() = super::hints::Found::default();
        self
    }

    /// The options under which plans are made; the optimizer wants the same.
    pub(super) fn config_options(&self) -> &ConfigOptions {
        &self.options
    }

    /// The table behind a name or, with a format for its schema, behind a path. None for views.
    pub(super) fn table(&self, name: &TableReference) -> crate::Result<Option<Arc<dyn Table>>> {
        match self.found(name)? {
            Some(Found::Table(table)) => Ok(Some(table)),
            _ => Ok(None),
        }
    }

    /// What a name stands for; looked up once a statement, so that all its parts see one state.
    pub(super) fn found(&self, name: &TableReference) -> crate::Result<Option<Found>> {
        let key = (name.schema().map(str::to_owned), name.table().to_owned());
        if let Some(found) = self.tables.lock().get(&key) {
            return Ok(Some(found.clone()));
        }
        let found = match name.schema() {
            Some(format) if format == ANY_FORMAT || format_named(format).is_some() => {
                let spec = FileSpec {
                    format: (format != ANY_FORMAT).then(|| format.to_owned()),
                    time_zone: Some(self.config.time_zone.clone()),
                    guess: true,
                    ..FileSpec::default()
                };
                Some(Found::Table(self.catalog.open_as(self.config, name.table(), &spec)?))
            }
            database => self.catalog.lookup(self.config, database, name.table())?,
        };
        if let Some(found) = &found {
            self.tables.lock().insert(key, found.clone());
        }
        Ok(found)
    }
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let external = |error: Error| DataFusionError::External(Box::new(error));
        match self.found(&name).map_err(external)? {
            Some(Found::Table(table)) => Ok(Arc::new(TableHandle(table))),
            Some(Found::View(view)) => {
                let plan = bind_view(&view, self, &Parameters::default()).map_err(external)?;
                Ok(Arc::new(ViewSource { schema: Arc::new(plan.schema().as_arrow().clone()), plan }))
            }
            None => Err(external(Error::sql(format!("unknown table '{name}'")))),
        }
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(Arc::new(WorkTable { name: name.to_owned(), schema }))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(self.types.clone())
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == ASOF_MATCH {
            return Some(asof_match());
        }
        self.scalar.get(name).map(|function| in_zone(function, &self.config.time_zone))
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        let named =
            |function: &&Arc<HigherOrderUDF>| function.name() == name || function.aliases().iter().any(|alias| alias == name);
        self.functions.higher_order.iter().find(named).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregate.get(name).map(|function| Arc::clone(function))
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        let named = |function: &&Arc<WindowUDF>| function.name() == name || function.aliases().iter().any(|alias| alias == name);
        self.functions.window.iter().find(named).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalar.keys().map(|name| name.to_string()).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.functions.higher_order.iter().map(|function| function.name().to_owned()).collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregate.keys().map(|name| name.to_string()).collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A view: the binder puts its plan where the name stands.
#[derive(Debug)]
struct ViewSource {
    schema: SchemaRef,
    plan: LogicalPlan,
}

impl TableSource for ViewSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

/// Types as Spark names and means them.
#[derive(Debug)]
struct SparkTypes {
    time_zone: Arc<str>,
}

impl TypePlanner for SparkTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        use ast::DataType as Sql;
        let data_type = match sql_type {
            // Microseconds, whatever precision is written: Spark has no other.
            Sql::Timestamp(_, TimezoneInfo::WithoutTimeZone) | Sql::TimestampNtz { .. } => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            Sql::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some(self.time_zone.clone())),
            Sql::Decimal(info) | Sql::Numeric(info) | Sql::Dec(info) => {
                let (precision, scale) = match *info {
                    ExactNumberInfo::None => (10, 0),
                    ExactNumberInfo::Precision(precision) => (precision, 0),
                    ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
                };
                match (u8::try_from(precision), i8::try_from(scale)) {
                    (Ok(p @ 1..=38), Ok(s)) if s >= 0 && i16::from(s) <= i16::from(p) => DataType::Decimal128(p, s),
                    _ => return plan_err!("DECIMAL({precision}, {scale}) is out of range: at most 38 digits"),
                }
            }
            Sql::Character(_) | Sql::CharacterVarying(_) | Sql::CharVarying(_) => DataType::Utf8View,
            Sql::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => DataType::Time64(TimeUnit::Microsecond),
            Sql::Binary(None) => DataType::BinaryView,
            Sql::Float(ExactNumberInfo::None) => DataType::Float32,
            Sql::Custom(name, modifiers) if modifiers.is_empty() => match name.to_string().to_lowercase().as_str() {
                "byte" => DataType::Int8,
                "short" => DataType::Int16,
                "long" => DataType::Int64,
                "timestamp_ltz" => DataType::Timestamp(TimeUnit::Microsecond, Some(self.time_zone.clone())),
                "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
                _ => return not_impl_err!("type {sql_type} is not supported"),
            },
            Sql::TinyIntUnsigned(_)
            | Sql::SmallIntUnsigned(_)
            | Sql::IntUnsigned(_)
            | Sql::IntegerUnsigned(_)
            | Sql::BigIntUnsigned(_) => return not_impl_err!("type {sql_type} is not supported"),
            _ => return Ok(None),
        };
        Ok(Some(data_type.into_nullable_field_ref()))
    }
}
