//! TPC-H's tables at scale factor 1, as statistics without rows.

use crate::catalog::{Table, TableHandle, TableStatistics};
use crate::layout::ColumnStatistics;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, ScalarValue, TableReference};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion_sql::parser::DFParser;
use datafusion_sql::planner::SqlToRel;
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

/// A bound of a column, and with it the column's type.
#[derive(Clone, Copy)]
pub enum Bound {
    Int64(i64),
    Int32(i32),
    /// Days since 1970.
    Date(i32),
    /// Hundredths.
    Decimal(i128),
    Text(&'static str),
}
use Bound::{Date, Decimal, Int32, Int64, Text};

/// Name, rows, and per column: name, distinct values, smallest, largest.
#[rustfmt::skip]
const TABLES: &[(&str, f64, &[(&str, f64, Bound, Bound)])] = &[
    ("customer", 150000.0, &[
        ("c_custkey", 150000.0, Int64(1), Int64(150000)),
        ("c_name", 150000.0, Text("Customer#000"), Text("Customer#000")),
        ("c_address", 150000.0, Text("   2uZwVhQvw"), Text("zzxGktzXTMKS")),
        ("c_nationkey", 25.0, Int64(0), Int64(24)),
        ("c_phone", 150000.0, Text("10-100-106-1"), Text("34-999-618-6")),
        ("c_acctbal", 140187.0, Decimal(-99999), Decimal(999999)),
        ("c_mktsegment", 5.0, Text("AUTOMOBILE"), Text("MACHINERY")),
        ("c_comment", 149968.0, Text(" Tiresias ac"), Text("zzle. blithe")),
    ]),
    ("lineitem", 6001215.0, &[
        ("l_orderkey", 1500000.0, Int64(1), Int64(6000000)),
        ("l_partkey", 200000.0, Int64(1), Int64(200000)),
        ("l_suppkey", 10000.0, Int64(1), Int64(10000)),
        ("l_linenumber", 7.0, Int32(1), Int32(7)),
        ("l_quantity", 50.0, Decimal(100), Decimal(5000)),
        ("l_extendedprice", 933900.0, Decimal(90100), Decimal(10494950)),
        ("l_discount", 11.0, Decimal(0), Decimal(10)),
        ("l_tax", 9.0, Decimal(0), Decimal(8)),
        ("l_returnflag", 3.0, Text("A"), Text("R")),
        ("l_linestatus", 2.0, Text("F"), Text("O")),
        ("l_shipdate", 2526.0, Date(8036), Date(10561)),
        ("l_commitdate", 2466.0, Date(8065), Date(10530)),
        ("l_receiptdate", 2554.0, Date(8038), Date(10591)),
        ("l_shipinstruct", 4.0, Text("COLLECT COD"), Text("TAKE BACK RE")),
        ("l_shipmode", 7.0, Text("AIR"), Text("TRUCK")),
        ("l_comment", 4580667.0, Text(" Tiresias "), Text("zzle? slyly ")),
    ]),
    ("nation", 25.0, &[
        ("n_nationkey", 25.0, Int64(0), Int64(24)),
        ("n_name", 25.0, Text("ALGERIA"), Text("VIETNAM")),
        ("n_regionkey", 5.0, Int64(0), Int64(4)),
        ("n_comment", 25.0, Text(" haggle. car"), Text("y final pack")),
    ]),
    ("orders", 1500000.0, &[
        ("o_orderkey", 1500000.0, Int64(1), Int64(6000000)),
        ("o_custkey", 99996.0, Int64(1), Int64(149999)),
        ("o_orderstatus", 3.0, Text("F"), Text("P")),
        ("o_totalprice", 1464556.0, Decimal(85771), Decimal(55528516)),
        ("o_orderdate", 2406.0, Date(8035), Date(10440)),
        ("o_orderpriority", 5.0, Text("1-URGENT"), Text("5-LOW")),
        ("o_clerk", 1000.0, Text("Clerk#000000"), Text("Clerk#000001")),
        ("o_shippriority", 1.0, Int32(0), Int32(0)),
        ("o_comment", 1482071.0, Text(" Tiresias ab"), Text("zzle? furiou")),
    ]),
    ("part", 200000.0, &[
        ("p_partkey", 200000.0, Int64(1), Int64(200000)),
        ("p_name", 199997.0, Text("almond antiq"), Text("yellow white")),
        ("p_mfgr", 5.0, Text("Manufacturer"), Text("Manufacturer")),
        ("p_brand", 25.0, Text("Brand#11"), Text("Brand#55")),
        ("p_type", 150.0, Text("ECONOMY ANOD"), Text("STANDARD POL")),
        ("p_size", 50.0, Int32(1), Int32(50)),
        ("p_container", 40.0, Text("JUMBO BAG"), Text("WRAP PKG")),
        ("p_retailprice", 20899.0, Decimal(90100), Decimal(209899)),
        ("p_comment", 131753.0, Text(" Tire"), Text("zzle. quickl")),
    ]),
    ("partsupp", 800000.0, &[
        ("ps_partkey", 200000.0, Int64(1), Int64(200000)),
        ("ps_suppkey", 10000.0, Int64(1), Int64(10000)),
        ("ps_availqty", 9999.0, Int32(1), Int32(9999)),
        ("ps_supplycost", 99865.0, Decimal(100), Decimal(100000)),
        ("ps_comment", 799124.0, Text(" Tiresias ac"), Text("zzle. unusua")),
    ]),
    ("region", 5.0, &[
        ("r_regionkey", 5.0, Int64(0), Int64(4)),
        ("r_name", 5.0, Text("AFRICA"), Text("MIDDLE EAST")),
        ("r_comment", 5.0, Text("ges. thinly "), Text("uickly speci")),
    ]),
    ("supplier", 10000.0, &[
        ("s_suppkey", 10000.0, Int64(1), Int64(10000)),
        ("s_name", 10000.0, Text("Supplier#000"), Text("Supplier#000")),
        ("s_address", 10000.0, Text("  9aW1wwnBJJ"), Text("zzfDhdtZcvmV")),
        ("s_nationkey", 25.0, Int64(0), Int64(24)),
        ("s_phone", 10000.0, Text("10-102-116-6"), Text("34-998-900-4")),
        ("s_acctbal", 9955.0, Decimal(-99822), Decimal(999972)),
        ("s_comment", 10000.0, Text(" about the b"), Text("zzle furious")),
    ]),
    // Small tables with NULLs, for the rules about them.
    ("t", 1000.0, &[("a", 1000.0, Int64(1), Int64(1000)), ("b", 10.0, Int64(1), Int64(10)), ("s", 5.0, Text("a"), Text("e"))]),
    ("u", 100.0, &[("x", 50.0, Int64(1), Int64(100)), ("y", 10.0, Int64(1), Int64(10))]),
];

impl Bound {
    fn data_type(self) -> DataType {
        match self {
            Int64(_) => DataType::Int64,
            Int32(_) => DataType::Int32,
            Date(_) => DataType::Date32,
            Decimal(_) => DataType::Decimal128(15, 2),
            Text(_) => DataType::Utf8View,
        }
    }

    fn value(self) -> ScalarValue {
        match self {
            Int64(v) => ScalarValue::Int64(Some(v)),
            Int32(v) => ScalarValue::Int32(Some(v)),
            Date(v) => ScalarValue::Date32(Some(v)),
            Decimal(v) => ScalarValue::Decimal128(Some(v), 15, 2),
            Text(v) => ScalarValue::Utf8View(Some(v.into())),
        }
    }
}

#[derive(Debug)]
struct Fake {
    name: &'static str,
    schema: SchemaRef,
    names: Vec<String>,
    statistics: TableStatistics,
}

impl Table for Fake {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn display_names(&self) -> &[String] {
        &self.names
    }
    fn statistics(&self) -> &TableStatistics {
        &self.statistics
    }
    fn describe(&self) -> String {
        self.name.into()
    }
}

/// Binds SQL over the tables, with DataFusion's own functions.
pub struct Provider {
    tables: HashMap<&'static str, Arc<dyn TableSource>>,
    scalar: Vec<Arc<ScalarUDF>>,
    aggregate: Vec<Arc<AggregateUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl Provider {
    pub fn new() -> Self {
        let table = |&(name, rows, columns): &(&'static str, f64, &[(&str, f64, Bound, Bound)])| {
            let fields = columns.iter().map(|(name, _, min, _)| Field::new(*name, min.data_type(), true));
            let statistics = columns.iter().map(|(_, distinct, min, max)| ColumnStatistics {
                min: Some(min.value()),
                max: Some(max.value()),
                null_count: Some(0.0),
                distinct: Some(*distinct),
                width: None,
            });
            let statistics = TableStatistics { rows, columns: statistics.collect() };
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let fake = Fake { name, schema, names: columns.iter().map(|column| column.0.into()).collect(), statistics };
            (name, Arc::new(TableHandle(Arc::new(fake))) as Arc<dyn TableSource>)
        };
        let mut options = ConfigOptions::default();
        options.sql_parser.parse_float_as_decimal = true;
        Self {
            tables: TABLES.iter().map(table).collect(),
            scalar: datafusion_functions::all_default_functions(),
            aggregate: datafusion_functions_aggregate::all_default_aggregate_functions(),
            planners: vec![
                Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()),
                Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
                Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
                Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner),
            ],
            options,
        }
    }

    /// The plan of `sql` before any optimisation.
    pub fn bind(&self, sql: &str) -> LogicalPlan {
        let mut statements = DFParser::parse_sql(sql).unwrap();
        SqlToRel::new(self).statement_to_plan(statements.pop_front().unwrap()).unwrap()
    }
}

impl ContextProvider for Provider {
    fn get_table_source(&self, name: TableReference) -> datafusion_common::Result<Arc<dyn TableSource>> {
        let table = self.tables.get(name.table()).cloned();
        table.ok_or_else(|| DataFusionError::Plan(format!("no table {name}")))
    }
    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }
    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar
            .iter()
            .find(|function| function.name() == name || function.aliases().iter().any(|alias| alias == name))
            .cloned()
    }
    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregate.iter().find(|function| function.name() == name).cloned()
    }
    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }
    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }
    fn options(&self) -> &ConfigOptions {
        &self.options
    }
    fn udf_names(&self) -> Vec<String> {
        vec![]
    }
    fn higher_order_function_names(&self) -> Vec<String> {
        vec![]
    }
    fn udaf_names(&self) -> Vec<String> {
        vec![]
    }
    fn udwf_names(&self) -> Vec<String> {
        vec![]
    }
}
