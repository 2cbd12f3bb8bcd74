//! The front end as a whole: text in; plans, names and errors out.

use super::*;
use crate::catalog::{Catalog, FileSpec, MemoryTable, Table, View};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::format::style::OutputStyle;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_expr::{ColumnarValue, LogicalPlan, ScalarUDF, Signature, SimpleScalarUDF, Volatility};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn table(columns: &[(&str, DataType)]) -> Arc<dyn Table> {
    let fields: Vec<Field> = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect();
    Arc::new(MemoryTable::new(Arc::new(Schema::new(fields)), vec![]).unwrap())
}

fn catalog() -> Catalog {
    let open = |_: &crate::config::Config, path: &str, _: &FileSpec| -> Result<Arc<dyn Table>> {
        match path {
            "dir/Lineitem/*.parquet" => Ok(table(&[("L_OrderKey", DataType::Int64), ("l_tax", DataType::Float64)])),
            _ => Err(Error::data(format!("no files match {path}"))),
        }
    };
    let catalog = Catalog::new(Arc::new(open));
    catalog.register(
        "t",
        table(&[
            ("a", DataType::Int32),
            ("B", DataType::Int64),
            ("price", DataType::Decimal128(15, 2)),
            ("s", DataType::Utf8),
            ("d", DataType::Date32),
        ]),
    );
    catalog.register("u", table(&[("a", DataType::Int32), ("Name", DataType::Utf8)]));
    for (name, columns) in TPCH {
        let columns: Vec<(&str, DataType)> = columns.iter().map(|(name, kind)| (*name, tpch_type(*kind))).collect();
        catalog.register(name, table(&columns));
    }
    catalog
}

/// Arithmetic that knows its name and nothing else.
fn arithmetic() -> SparkArithmetic {
    let function = |name: &str, count: usize| {
        let body = Arc::new(|_: &[ColumnarValue]| datafusion_common::internal_err!("not to be run"));
        let signature = Signature::any(count, Volatility::Immutable);
        Arc::new(ScalarUDF::from(SimpleScalarUDF::new_with_signature(name, signature, DataType::Float64, body)))
    };
    SparkArithmetic::new(ArithmeticFunctions {
        plus: function("plus", 2),
        minus: function("minus", 2),
        multiply: function("multiply", 2),
        divide: function("divide", 2),
        remainder: function("remainder", 2),
        int_divide: function("int_divide", 2),
        negate: function("negate", 1),
        between: function("between", 2),
        times: function("times", 2),
        divided: function("divided", 2),
    })
}

fn functions(own_arithmetic: bool) -> FunctionRegistry {
    let registry = FunctionRegistry {
        scalar: datafusion_functions::all_default_functions(),
        aggregate: datafusion_functions_aggregate::all_default_aggregate_functions(),
        window: vec![],
        higher_order: vec![],
        macros: Default::default(),
        planners: if own_arithmetic { vec![Arc::new(arithmetic())] } else { vec![] },
    };
    registry.with_borrowed_planners()
}

fn bind_with(text: &str, catalog: &Catalog, parameters: &Parameters) -> Result<Bound> {
    let config = Config::default();
    let parsed = parse(text, &config)?.pop().ok_or_else(|| Error::internal("no statement"))?;
    match route(parsed, text)? {
        Request::Query(query) => bind(&query, catalog, &config, &functions(true), parameters, text),
        other => Err(Error::internal(format!("{other:?}"))),
    }
}

fn bound(text: &str) -> Bound {
    bind_with(text, &catalog(), &Parameters::default()).unwrap_or_else(|error| panic!("{text}\n{}", error.render(Some(text))))
}

fn failure(text: &str) -> Error {
    match bind_with(text, &catalog(), &Parameters::default()) {
        Ok(bound) => panic!("{text} was bound:\n{}", bound.plan),
        Err(error) => error,
    }
}

/// The types of a query's output.
fn types(text: &str) -> Vec<DataType> {
    bound(text).plan.schema().fields().iter().map(|field| field.data_type().clone()).collect()
}

fn names(text: &str) -> Vec<String> {
    bound(text).names
}

fn shown(text: &str) -> String {
    bound(text).plan.display_indent().to_string()
}

#[test]
fn numbers_have_the_types_of_spark() {
    use DataType::*;
    for (literal, expected) in [
        ("1", Int32),
        ("2147483647", Int32),
        ("2147483648", Int64),
        ("-2147483648", Int32),
        ("-9223372036854775808", Int64),
        ("9223372036854775808", Decimal128(19, 0)),
        ("1.5", Decimal128(2, 1)),
        ("0.05", Decimal128(2, 2)),
        ("-0.050", Decimal128(3, 3)),
        ("1.", Decimal128(1, 0)),
        ("1e3", Float64),
        ("1.5E-2", Float64),
        ("1L", Int64),
        ("-1L", Int64),
        ("1S", Int16),
        ("1Y", Int8),
        ("1D", Float64),
        ("1.5F", Float32),
        ("1.50BD", Decimal128(3, 2)),
        ("1e2BD", Decimal128(3, 0)),
        ("'x'", Utf8),
        ("\"x\"", Utf8),
        ("NULL", Null),
        ("true", Boolean),
        ("DATE '2020-01-01'", Date32),
        ("TIMESTAMP '2020-01-01 00:00:00'", Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("CAST('1' AS DECIMAL)", Decimal128(10, 0)),
        ("CAST(1 AS STRING)", Utf8View),
        ("CAST(1 AS LONG)", Int64),
        ("CAST(1 AS SHORT)", Int16),
        ("CAST(NULL AS TIMESTAMP_NTZ)", Timestamp(TimeUnit::Microsecond, None)),
    ] {
        assert_eq!(types(&format!("SELECT {literal}")), [expected], "{literal}");
    }
    for (literal, column) in [("300Y", 8), ("40000S", 8), ("99999999999999999999L", 8), ("1e999", 8), (&"9".repeat(39), 8)] {
        let error = failure(&format!("SELECT {literal}"));
        assert_eq!(error.position(), Some(Position { line: 1, column }), "{literal}: {error:?}");
    }
}

#[test]
fn strings_lose_their_escapes_as_in_spark() {
    for (written, meant) in [
        (r"'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        (r"'a\nb\tc\\d'", "a\nb\tc\\d"),
        (r"'100\%\_'", "100\\%\\_"),
        (r"'\u0041\101\q'", "AAq"),
        (r#""say ""hi"" 'x'""#, "say \"hi\" 'x'"),
        (r"'a' 'b'", "ab"),
    ] {
        let plan = shown(&format!("SELECT {written} AS x"));
        assert!(plan.contains(&format!("Utf8({meant:?})")) || plan.contains(&format!("Utf8(\"{meant}\")")), "{written}: {plan}");
    }
}

#[test]
fn operators_bind_as_in_spark() {
    for (text, expected) in [
        ("7 DIV 2 + 1", "plus(int_divide(Int32(7), Int32(2)), Int32(1))"),
        ("1 + 7 DIV 2", "plus(Int32(1), int_divide(Int32(7), Int32(2)))"),
        ("a - 1 - 2", "minus(minus(t.a, Int32(1)), Int32(2))"),
        ("-a * 2 % 3", "remainder(multiply(negate(t.a), Int32(2)), Int32(3))"),
        ("s || 'x' = 'y'", "concat(t.s, Utf8(\"x\")) = Utf8(\"y\")"),
        ("NOT a = 1 OR a <=> 2", "NOT t.a = Int32(1) OR t.a IS NOT DISTINCT FROM Int32(2)"),
        ("s RLIKE 'x'", "regexp_like(t.s, Utf8(\"x\"))"),
        ("d - d", "between(t.d, t.d)"),
        ("d + 3", "t.d + IntervalMonthDayNano"),
        ("d - INTERVAL '90' DAY", "t.d - IntervalMonthDayNano"),
        ("a == 1", "t.a = Int32(1)"),
    ] {
        let plan = shown(&format!("SELECT {text} AS x FROM t"));
        assert!(plan.contains(expected), "{text}: {plan}");
    }
    assert_eq!(types("SELECT d + 3, d - INTERVAL '1' MONTH FROM t"), [DataType::Date32, DataType::Date32]);
    assert!(failure("SELECT d + a FROM t").message().contains("date_add"));
}

#[test]
fn ordinals_and_limits_stay_numbers() {
    let plan = shown("SELECT a, count(*) FROM t GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10 OFFSET 5");
    assert!(plan.contains("Limit: skip=5, fetch=10"), "{plan}");
    assert!(plan.contains("groupBy=[[t.a]]"), "{plan}");
    assert!(plan.contains("Sort: count(1) DESC NULLS LAST, t.a ASC NULLS FIRST"), "{plan}");
    let plan = shown("SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY");
    assert!(plan.contains("fetch=3"), "{plan}");
}

#[test]
fn output_names_are_those_of_the_user_or_of_spark() {
    for (text, expected) in [
        ("SELECT A, b AS Foo, T.s FROM t", vec!["A", "Foo", "s"]),
        ("SELECT * FROM T", vec!["a", "B", "price", "s", "d"]),
        ("SELECT *, A FROM t", vec!["a", "B", "price", "s", "d", "A"]),
        ("SELECT u.*, 1 AS One, t.* FROM t JOIN u ON t.a = u.a", vec!["a", "Name", "One", "a", "B", "price", "s", "d"]),
        ("SELECT t.a, u.a, t.a FROM t, u", vec!["a", "a", "a"]),
        ("SELECT a AS x, b AS x FROM t", vec!["x", "x"]),
        ("SELECT 1, 1, 'x', -1", vec!["1", "1", "x", "-1"]),
        (
            "SELECT count(*), COUNT(*), sum(a * 2), a + 1 FROM t GROUP BY a",
            vec!["count(1)", "count(1)", "sum((a * 2))", "(a + 1)"],
        ),
        ("SELECT CAST(a AS BIGINT), a, count(DISTINCT b) FROM t GROUP BY a", vec!["a", "a", "count(DISTINCT b)"]),
        ("SELECT * FROM (SELECT a AS Foo, count(*) FROM t GROUP BY a) x", vec!["Foo", "count(1)"]),
        ("WITH C(Xx) AS (SELECT a FROM t) SELECT * FROM c", vec!["Xx"]),
        ("SELECT a AS Left FROM t UNION ALL SELECT a FROM u", vec!["Left"]),
        ("SELECT * FROM (SELECT t.a, u.a FROM t, u) x", vec!["a", "a"]),
        ("SELECT `l_orderkey` FROM 'dir/Lineitem/*.parquet'", vec!["l_orderkey"]),
        ("SELECT * FROM parquet.`dir/Lineitem/*.parquet`", vec!["L_OrderKey", "l_tax"]),
    ] {
        assert_eq!(names(text), expected, "{text}");
    }
}

#[test]
fn columns_of_one_name_can_be_ordered_by() {
    for text in [
        "SELECT a, a FROM t ORDER BY a",
        "SELECT t.a, u.a FROM t, u ORDER BY u.a, t.a",
        "SELECT DISTINCT a + 1 FROM t ORDER BY a + 1",
        "SELECT a AS x, count(*) FROM t GROUP BY a ORDER BY count(*), x",
        "SELECT a AS x, sum(b) FROM t GROUP BY x HAVING sum(b) > 1 ORDER BY sum(b) LIMIT 1",
    ] {
        bound(text);
    }
}

#[test]
fn what_is_parsed_and_not_honoured_is_refused_by_name_and_position() {
    for (text, what, line, column) in [
        ("SELECT a, count(*) FROM t\nGROUP BY a WITH TOTALS", "WITH TOTALS", 2, 12),
        ("SELECT a, count(*) FROM t\nGROUP BY ALL WITH CUBE", "WITH CUBE", 2, 14),
        ("SELECT * FROM t FOR UPDATE", "FOR UPDATE", 1, 17),
        ("SELECT TOP 3 a FROM t", "TOP", 1, 8),
        ("SELECT a FROM t UNION BY NAME SELECT a FROM u", "BY NAME", 1, 23),
        ("SELECT DISTINCT ON (a) a FROM t", "DISTINCT ON", 1, 8),
        ("SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES", "WITH TIES", 1, 47),
        ("INSERT INTO t DEFAULT VALUES", "DEFAULT VALUES", 1, 15),
        ("UPDATE t SET a = 1", "UPDATE", 1, 1),
        ("DELETE FROM t", "DELETE FROM", 1, 1),
        ("CREATE OR REPLACE TABLE x AS SELECT 1", "CREATE TABLE AS SELECT", 1, 1),
        ("CREATE TABLE x (a INT)\n SKEWED BY (a)", "SKEWED BY", 2, 2),
        ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "MERGE INTO", 1, 1),
        ("SELECT a COLLATE x FROM t", "COLLATE", 1, 10),
        ("SELECT * FROM delta.`x`", "delta", 1, 15),
    ] {
        let error = failure(text);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}: {error:?}");
        assert!(error.message().contains(what), "{text}: {error:?}");
        assert_eq!(error.position(), Some(Position { line, column }), "{text}: {error:?}");
    }
}

#[test]
fn unknown_names_have_a_position_and_the_nearest_name() {
    for (text, message, line, column, hint) in [
        ("SELECT a,\n  prise FROM t", "unknown column 'prise'", 2, 3, "did you mean 'price'?"),
        ("SELECT t.prise + 1 FROM t", "unknown column 't.prise'", 1, 8, "did you mean 'price'?"),
        ("SELECT a FROM t WHERE prce > 1", "unknown column 'prce'", 1, 23, "did you mean 'price'?"),
        ("SELECT a FROM t ORDER BY prce", "unknown column 'prce'", 1, 26, "did you mean 'price'?"),
        ("SELECT a FROM t GROUP BY prce", "unknown column 'prce'", 1, 26, "did you mean 'price'?"),
        ("SELECT a FROM linitem", "unknown table 'linitem'", 1, 15, "did you mean 'lineitem'?"),
        ("SELECT summ(a) FROM t", "unknown function 'summ'", 1, 8, "did you mean 'sum'?"),
    ] {
        let error = failure(text);
        assert_eq!(error.message(), message, "{text}: {error:?}");
        assert_eq!(error.position(), Some(Position { line, column }), "{text}: {error:?}");
        assert_eq!(error.hint(), Some(hint), "{text}: {error:?}");
    }
    let error = failure("SELECT a FROM t, u");
    assert!(error.message().contains("ambiguous") && error.position().is_some(), "{error:?}");
    let error = failure("SELECT * FROM nowhere.t");
    assert_eq!(error.message(), "unknown database 'nowhere'");
    let error = failure("SELECT * FROM 'no/such'");
    assert!(error.message().contains("no files match no/such"), "{error:?}");
}

#[test]
fn syntax_errors_have_positions() {
    for (text, line, column) in [
        ("SELEC 1", 1, 1),
        ("SELECT 1 FROM", 1, 14),
        ("SELECT (1", 1, 10),
        ("SELECT\n  1 +", 2, 6),
        ("SELECT 'x", 1, 8),
        ("SELECT 1 2 3", 1, 10),
        ("SELECT 1;\nSELECT FROM FROM", 2, 13),
    ] {
        let error = failure(text);
        assert_eq!(error.kind(), ErrorKind::Sql, "{text}: {error:?}");
        assert_eq!(error.position().map(|p| p.line), Some(line), "{text}: {error:?}");
        assert!(error.position().is_some_and(|p| p.column.abs_diff(column) <= 1), "{text}: {error:?}");
    }
}

#[test]
fn statements_are_split_with_their_text() {
    let text = "-- first\nSELECT ';' ;\n\n;SET skep.memory.limit = 512MiB; /* x */ SELECT 2";
    let parsed = parse(text, &Config::default()).unwrap();
    let texts: Vec<&str> = parsed.iter().map(|parsed| parsed.text.as_str()).collect();
    assert_eq!(texts, ["SELECT ';'", "SET skep.memory.limit = 512MiB", "SELECT 2"]);
    for parsed in &parsed {
        assert!(text[parsed.offset..].starts_with(&parsed.text));
    }
    assert!(matches!(&parsed[1].command, Command::Set { name: Some(name), value: Some(value) }
        if name == "skep.memory.limit" && value == "512MiB"));
    assert!(parse("  -- nothing\n ;;", &Config::default()).unwrap().is_empty());
}

fn routed(text: &str) -> Request {
    let parsed = parse(text, &Config::default()).unwrap().pop().unwrap();
    route(parsed, text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

#[test]
fn statements_find_their_way() {
    assert!(matches!(routed("EXPLAIN SELECT 1"), Request::Explain { mode: ExplainMode::Plan, .. }));
    assert!(matches!(routed("explain analyze SELECT 1"), Request::Explain { mode: ExplainMode::Analyze, .. }));
    assert!(matches!(routed("EXPLAIN EXTENDED SELECT 1"), Request::Explain { mode: ExplainMode::Extended, .. }));
    assert!(matches!(routed("EXPLAIN FORMATTED SELECT 1"), Request::Explain { mode: ExplainMode::Formatted, .. }));
    assert!(matches!(routed("SET"), Request::ShowSettings { name: None }));
    assert!(matches!(routed("SET skep.threads"), Request::ShowSettings { name: Some(name) } if name == "skep.threads"));
    assert!(matches!(routed("set time zone 'Europe/Paris'"), Request::Set { name, value }
        if name == "skep.sql.time_zone" && value == "Europe/Paris"));
    assert!(matches!(routed("RESET skep.threads"), Request::Reset { name: Some(_) }));
    let ddl = |text: &str| match routed(text) {
        Request::Ddl(ddl) => *ddl,
        other => panic!("{text}: {other:?}"),
    };
    assert!(matches!(ddl("SHOW TABLES"), Ddl::ShowTables { database: None, pattern: None, views: false }));
    assert!(matches!(ddl("SHOW TABLES IN d LIKE 'l*'"), Ddl::ShowTables { database: Some(database), pattern: Some(pattern), .. }
        if database == "d" && pattern == "l*"));
    assert!(matches!(ddl("DESCRIBE FORMATTED d.T"), Ddl::Describe { table, extended: true }
        if table == TableName { database: Some("d".into()), table: "t".into() }));
    assert!(matches!(routed("DESCRIBE 'a/B'"), Request::DescribeFiles { path, format: None } if path == "a/B"));
    assert!(matches!(ddl("DROP TABLE IF EXISTS T"), Ddl::Drop { name, view: false, if_exists: true } if name.table == "t"));
    let Ddl::CreateTable(create) =
        ddl("CREATE TABLE t (`A b` array<struct<X:int>>, c DECIMAL(3, 1)) PARTITIONED BY (d DATE COMMENT 'x')")
    else {
        panic!()
    };
    let columns: Vec<(&str, &str)> =
        create.columns.iter().map(|column| (column.name.as_str(), column.type_text.as_str())).collect();
    assert_eq!(columns, [("A b", "array<struct<X:int>>"), ("c", "DECIMAL(3, 1)"), ("d", "DATE")]);
    assert_eq!(create.partitioned_by, ["d"]);
    let Ddl::Insert(insert) = ddl("INSERT OVERWRITE TABLE d.t PARTITION (a = -1, b = null, c) (x, y) SELECT 1, 2, 3") else {
        panic!()
    };
    assert_eq!(insert.partition, [("a".into(), Some(Some("-1".into()))), ("b".into(), Some(None)), ("c".into(), None)]);
    assert_eq!((insert.columns, insert.overwrite), (vec!["x".to_owned(), "y".to_owned()], true));
    assert!(matches!(ddl("INSERT INTO t (SELECT 1)"), Ddl::Insert(insert) if insert.columns.is_empty()));
    let Request::Copy { target, .. } = routed("COPY (SELECT (1) AS a) TO 'x.csv.gz' (DELIMITER ';', HEADER false)") else {
        panic!()
    };
    let OutputStyle::Delimited(style) = &target.options.style else { panic!() };
    assert!(target.single && !target.overwrite && !style.header && style.delimiter == ';');
    let Request::Copy { target, .. } = routed(
        "INSERT OVERWRITE DIRECTORY '/d' ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' NULL DEFINED AS 'nil' SELECT 1 AS a",
    ) else {
        panic!()
    };
    let OutputStyle::Delimited(style) = &target.options.style else { panic!() };
    assert!(style.hive && !style.header && style.delimiter == '|' && style.null == "nil" && target.overwrite);
    let Request::Copy { target, .. } = routed("INSERT OVERWRITE LOCAL DIRECTORY '/d' STORED AS PARQUET SELECT 1 AS a") else {
        panic!()
    };
    assert!(!target.single && target.overwrite && target.path == "/d");
    for text in [
        "CREATE EXTERNAL TABLE IF NOT EXISTS Orders STORED AS PARQUET LOCATION '/data/Orders'",
        "CREATE EXTERNAL TABLE if not exists orders STORED AS PARQUET LOCATION \"/data/Orders\"",
    ] {
        let Request::CreateExternalTable { name, location, if_not_exists, or_replace, .. } = routed(text) else {
            panic!("{text}")
        };
        assert_eq!((name.as_str(), location.as_str(), if_not_exists, or_replace), ("orders", "/data/Orders", true, false));
    }
    let text = "CREATE EXTERNAL TABLE t CLUSTERED BY (A, b) SORTED BY (a, C DESC) INTO 8 BUCKETS STORED AS PARQUET \
                LOCATION '/t' TBLPROPERTIES ('bucketing_version' = '2', 'skep.sorted_by' = 'x, Y desc')";
    let Request::CreateExternalTable { declaration, .. } = routed(text) else { panic!("{text}") };
    let sorted = |columns: &[(&str, bool)]| -> Vec<(String, bool)> {
        columns.iter().map(|(name, descending)| ((*name).to_owned(), *descending)).collect()
    };
    let buckets = declaration.buckets.unwrap();
    assert_eq!((buckets.columns, buckets.count), (vec!["a".to_owned(), "b".to_owned()], 8));
    assert_eq!(buckets.sorted_by, sorted(&[("a", false), ("c", true)]));
    assert_eq!(declaration.sorted_by, sorted(&[("x", false), ("y", true)]));
    assert_eq!(declaration.bucketing_version, Some(2));
    assert!(matches!(routed("SHOW LAYOUT T"), Request::ShowLayout { table, is_path: false } if table == "t"));
    assert!(matches!(routed("show layout '/Data/t'"), Request::ShowLayout { table, is_path: true } if table == "/Data/t"));
    let Ddl::CreateView(create) =
        ddl("CREATE OR REPLACE TEMPORARY VIEW V (X COMMENT 'c') COMMENT 'v' AS\n  SELECT a FROM t WHERE s = 'it\\'s'")
    else {
        panic!()
    };
    let CreateView { name, columns, text, or_replace, temporary, .. } = *create;
    assert_eq!((name.table.as_str(), or_replace, temporary), ("v", true, true));
    assert_eq!(columns, [("X".to_owned(), Some("c".to_owned()))]);
    assert_eq!(text, "SELECT a FROM t WHERE s = 'it\\'s'");
}

#[test]
fn create_table_says_what_it_does_not_do() {
    for (text, what) in [
        ("CREATE EXTERNAL TABLE t CLUSTERED BY (a) INTO 0 BUCKETS STORED AS PARQUET LOCATION 'x'", "number of buckets"),
        ("CREATE EXTERNAL TABLE t CLUSTERED BY (a) SORTED BY (a + 1) INTO 2 BUCKETS STORED AS PARQUET LOCATION 'x'", "SORTED BY"),
        (
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'x' TBLPROPERTIES ('bucketing_version' = '3')",
            "bucketing_version 3",
        ),
        ("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'x' TBLPROPERTIES ('a.b' = 'c')", "property 'a.b'"),
        ("CREATE EXTERNAL TABLE t STORED AS PARQUET", "LOCATION"),
        ("DROP INDEX x", "DROP INDEX"),
    ] {
        let parsed = parse(text, &Config::default()).unwrap().pop().unwrap();
        let error = route(parsed, text).unwrap_err();
        assert!(error.message().contains(what) && error.position().is_some(), "{text}: {error:?}");
    }
}

#[test]
fn views_are_queries_with_a_name() {
    let catalog = catalog();
    catalog.register_view(
        "v",
        View { query: "SELECT a AS Foo, count(*) AS n FROM t GROUP BY a".into(), columns: vec![], database: None },
    );
    catalog.register_view("w", View { query: "SELECT * FROM v".into(), columns: vec!["x".into(), "y".into()], database: None });
    catalog.register_view("loop", View { query: "SELECT * FROM loop".into(), columns: vec![], database: None });
    let none = Parameters::default();
    assert_eq!(bind_with("SELECT foo FROM v WHERE n > 1", &catalog, &none).unwrap().names, ["foo"]);
    assert_eq!(bind_with("SELECT w.x, y FROM w", &catalog, &none).unwrap().names, ["x", "y"]);
    assert!(bind_with("SELECT * FROM loop", &catalog, &none).unwrap_err().message().contains("views use one another"));
}

#[test]
fn parameters_take_their_places() {
    let int = |value| ScalarValue::Int32(Some(value));
    let parameters = Parameters { positional: vec![int(7), int(8), int(9)], named: Default::default() };
    let text = "SELECT ? AS x FROM t WHERE a > ? LIMIT ?";
    let plan = bind_with(text, &catalog(), &parameters).unwrap().plan.display_indent().to_string();
    assert!(plan.contains("Int32(7) AS x") && plan.contains("t.a > Int32(8)") && plan.contains("fetch=9"), "{plan}");
    let few = Parameters { positional: vec![int(7)], named: Default::default() };
    let error = bind_with(text, &catalog(), &few).unwrap_err();
    assert_eq!(error.position(), Some(Position { line: 1, column: 32 }), "{error:?}");
    assert!(bind_with("SELECT 1", &catalog(), &few).is_err());
    let named = Parameters { positional: vec![], named: [("Key".to_owned(), int(3))].into() };
    let plan =
        bind_with("SELECT a FROM t WHERE a = :key OR b = :KEY", &catalog(), &named).unwrap().plan.display_indent().to_string();
    assert!(plan.contains("t.a = Int32(3) OR t.b = Int32(3)"), "{plan}");
    assert!(bind_with("SELECT 1", &catalog(), &named).unwrap_err().message().contains(":Key"));
    assert!(failure("SELECT :missing").message().contains(":missing"));
}

#[test]
fn double_quotes_can_be_identifiers() {
    let mut config = Config::default();
    config.set("skep.sql.double_quotes", "identifier").unwrap();
    let text = "SELECT \"A\" AS \"Two Words\" FROM t";
    let parsed = parse(text, &config).unwrap().pop().unwrap();
    let Request::Query(query) = route(parsed, text).unwrap() else { panic!() };
    let bound = bind(&query, &catalog(), &config, &functions(true), &Parameters::default(), text).unwrap();
    assert_eq!(bound.names, ["Two Words"]);
}

#[test]
fn hostile_sizes_give_errors_or_answers_soon() {
    let join = |term: &str, operator: &str, count: usize| vec![term; count].join(operator);
    let refused = [
        format!("SELECT {}", join("1", "+", 100_000)),
        format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("SELECT {}1{}", "(SELECT ".repeat(1_000), ")".repeat(1_000)),
        format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(1_000), " END".repeat(1_000)),
        format!("SELECT {}1", "- ".repeat(10_000)),
        format!("SELECT {} true", "NOT ".repeat(10_000)),
        format!("SELECT 1{}", "::int".repeat(10_000)),
        join("SELECT 1", " UNION ALL ", 10_000),
        format!("SELECT a{} FROM t", "[1]".repeat(10_000)),
        format!("SELECT '{}'", "x".repeat(64 << 20)),
        "EXPLAIN ".repeat(10_000),
    ];
    for text in refused {
        let start = Instant::now();
        let error = failure(&text);
        assert!(start.elapsed() < Duration::from_secs(20), "{} took {:?}", &text[..40], start.elapsed());
        assert!(error.kind() == ErrorKind::Unsupported || error.kind() == ErrorKind::Sql, "{}: {error:?}", &text[..40]);
    }
    for text in [
        format!("SELECT a FROM t WHERE {}", join("a = 1", " OR ", 5_000)),
        format!("SELECT a FROM t WHERE a IN ({})", join("1", ",", 100_000)),
        format!("SELECT {}", (0..2_000).map(|n| format!("{n} AS c{n}")).collect::<Vec<_>>().join(",")),
        format!("SELECT {}1{}", "(".repeat(100), ")".repeat(100)),
    ] {
        let start = Instant::now();
        drop(bound(&text));
        assert!(start.elapsed() < Duration::from_secs(60), "{} took {:?}", &text[..40], start.elapsed());
    }
}

#[test]
fn chains_at_the_limit_are_planned_and_dropped() {
    for text in [
        format!("SELECT {} FROM t", vec!["a"; 190].join(" + ")),
        format!("SELECT {} AS x FROM t", vec!["s"; 190].join(" || ")),
        format!("SELECT a FROM t WHERE {}", (0..9_990).map(|n| format!("a <> {n}")).collect::<Vec<_>>().join(" AND ")),
        vec!["SELECT a FROM t"; 200].join(" UNION ALL "),
    ] {
        let start = Instant::now();
        on_large_stack(|| drop(bound(&text)));
        assert!(start.elapsed() < Duration::from_secs(60), "{} took {:?}", &text[..40], start.elapsed());
    }
}

#[test]
fn forms_of_queries_bind() {
    for text in [
        "SELECT /*+ BROADCAST(u) */ a FROM t -- comment",
        "SELECT a FROM t WHERE a IN (SELECT a FROM u) AND NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
        "SELECT t.a FROM t LEFT SEMI JOIN u ON t.a = u.a",
        "SELECT t.a FROM t ANTI JOIN u ON t.a = u.a",
        "SELECT a FROM t MINUS SELECT a FROM u",
        "SELECT * FROM t JOIN u USING (a)",
        "SELECT * FROM t NATURAL JOIN u",
        "SELECT * FROM t CROSS JOIN u LEFT JOIN region ON true",
        "SELECT * FROM t, LATERAL (SELECT max(u.a) AS m FROM u WHERE u.a < t.a) x",
        "SELECT (SELECT max(a) FROM u WHERE u.a = t.a) FROM t",
        "SELECT a, sum(b) FILTER (WHERE a > 1), avg(price) FROM t GROUP BY ALL",
        "SELECT * EXCEPT (a) FROM t",
        "SELECT * FROM VALUES (1, 'a'), (2, 'b') AS v(x, y)",
        "VALUES (1), (2)",
        "SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, coalesce(s, 'z'), EXTRACT(YEAR FROM d), SUBSTRING(s FROM 1 FOR 2) FROM t",
        "SELECT trim(s), substr(s, 2), year FROM (SELECT s, date_part('year', d) AS year FROM t)",
        "SELECT count(DISTINCT a) FROM t HAVING count(*) > 0",
        "SELECT a % 2 AS k, count(*) FROM t GROUP BY k ORDER BY k DESC NULLS LAST",
        "(SELECT a FROM t) UNION (SELECT a FROM u) ORDER BY 1",
        "SELECT t.a FROM default.t WHERE s IS NOT NULL AND a BETWEEN -1 AND +1 AND !(b = 2)",
    ] {
        bound(text);
    }
}

#[test]
fn brackets_around_tables_take_no_exponential_time() {
    for depth in [5, 20, 100] {
        let text = format!("SELECT * FROM {}t{}", "(".repeat(depth), ")".repeat(depth));
        let start = Instant::now();
        let _ = bind_with(&text, &catalog(), &Parameters::default());
        assert!(start.elapsed() < Duration::from_secs(10), "{depth} took {:?}", start.elapsed());
    }
}

#[test]
fn nothing_panics_on_pieces_of_queries() {
    let text = "WITH c AS (SELECT a, sum(price * (1 - 0.5)) x FROM t GROUP BY a HAVING count(*) > 1L) SELECT * FROM c JOIN u \
                USING (a) WHERE s LIKE '%\\'x' AND d >= DATE '2020-01-01' + INTERVAL '1' DAY ORDER BY 1 LIMIT 3";
    for end in 0..text.len() {
        let _ = bind_with(&text[..end], &catalog(), &Parameters::default());
        let _ = bind_with(&format!("SELECT {}", &text[end..]), &catalog(), &Parameters::default());
    }
}

#[test]
fn all_tpch_queries_bind() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tpch/queries");
    for number in 1..=22 {
        let text = std::fs::read_to_string(directory.join(format!("q{number:02}.sql"))).unwrap();
        let bound = bound(&text);
        assert_eq!(bound.names.len(), bound.plan.schema().fields().len(), "q{number}");
        assert!(bound.names.iter().all(|name| !name.contains('#')), "q{number}: {:?}", bound.names);
    }
}

#[test]
fn a_plan_has_handles_of_our_tables() {
    let mut plan = &bound("SELECT a FROM t").plan;
    while let Some(input) = plan.inputs().first().copied() {
        plan = input;
    }
    let LogicalPlan::TableScan(scan) = plan else { panic!("{plan}") };
    let source: &dyn std::any::Any = scan.source.as_ref();
    assert!(source.downcast_ref::<crate::catalog::TableHandle>().is_some());
}

#[derive(Clone, Copy)]
enum Kind {
    Key,
    Int,
    Money,
    Text,
    Date,
}

fn tpch_type(kind: Kind) -> DataType {
    match kind {
        Kind::Key => DataType::Int64,
        Kind::Int => DataType::Int32,
        Kind::Money => DataType::Decimal128(15, 2),
        Kind::Text => DataType::Utf8View,
        Kind::Date => DataType::Date32,
    }
}

const TPCH: &[(&str, &[(&str, Kind)])] = {
    use Kind::*;
    &[
        (
            "part",
            &[
                ("p_partkey", Key),
                ("p_name", Text),
                ("p_mfgr", Text),
                ("p_brand", Text),
                ("p_type", Text),
                ("p_size", Int),
                ("p_container", Text),
                ("p_retailprice", Money),
                ("p_comment", Text),
            ],
        ),
        (
            "supplier",
            &[
                ("s_suppkey", Key),
                ("s_name", Text),
                ("s_address", Text),
                ("s_nationkey", Int),
                ("s_phone", Text),
                ("s_acctbal", Money),
                ("s_comment", Text),
            ],
        ),
        (
            "partsupp",
            &[("ps_partkey", Key), ("ps_suppkey", Key), ("ps_availqty", Int), ("ps_supplycost", Money), ("ps_comment", Text)],
        ),
        (
            "customer",
            &[
                ("c_custkey", Key),
                ("c_name", Text),
                ("c_address", Text),
                ("c_nationkey", Int),
                ("c_phone", Text),
                ("c_acctbal", Money),
                ("c_mktsegment", Text),
                ("c_comment", Text),
            ],
        ),
        (
            "orders",
            &[
                ("o_orderkey", Key),
                ("o_custkey", Key),
                ("o_orderstatus", Text),
                ("o_totalprice", Money),
                ("o_orderdate", Date),
                ("o_orderpriority", Text),
                ("o_clerk", Text),
                ("o_shippriority", Int),
                ("o_comment", Text),
            ],
        ),
        (
            "lineitem",
            &[
                ("l_orderkey", Key),
                ("l_partkey", Key),
                ("l_suppkey", Key),
                ("l_linenumber", Int),
                ("l_quantity", Money),
                ("l_extendedprice", Money),
                ("l_discount", Money),
                ("l_tax", Money),
                ("l_returnflag", Text),
                ("l_linestatus", Text),
                ("l_shipdate", Date),
                ("l_commitdate", Date),
                ("l_receiptdate", Date),
                ("l_shipinstruct", Text),
                ("l_shipmode", Text),
                ("l_comment", Text),
            ],
        ),
        ("nation", &[("n_nationkey", Int), ("n_name", Text), ("n_regionkey", Int), ("n_comment", Text)]),
        ("region", &[("r_regionkey", Int), ("r_name", Text), ("r_comment", Text)]),
    ]
};
