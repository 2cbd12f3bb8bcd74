//! SHOW and DESCRIBE, shaped like Spark's.

use super::ddl::directory;
use super::target::{Target, no_database, no_table};
use super::{OutcomeKind, Session, matches_pattern};
use crate::catalog::{ColumnMeta, DEFAULT_DATABASE, Found, Table, Warehouse, parse_type, partitions, type_name};
use crate::config::Config;
use crate::disk::absolute;
use crate::error::{Error, Result};
use crate::sql::{Ddl, Parameters, TableName, ast};
use crate::stream::rows_stream;
use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use std::fmt::Write;

type Row = Vec<Option<String>>;

impl Session {
    pub(super) fn show(&self, show: Ddl, config: &Config) -> Result<OutcomeKind> {
        let warehouse = self.warehouse(config);
        match show {
            Ddl::ShowDatabases { pattern } => {
                let names = warehouse.databases()?.into_iter().filter(|name| fits(pattern.as_deref(), name));
                self.rows(&["namespace"], names.map(|name| vec![Some(name)]).collect())
            }
            Ddl::ShowTables { database, pattern, views } => self.show_tables(database, pattern.as_deref(), views, config),
            Ddl::ShowColumns { table } => {
                let columns = self.columns(&table, config)?;
                self.rows(&["col_name"], columns.into_iter().map(|column| vec![Some(column.name)]).collect())
            }
            Ddl::ShowPartitions { table, partition } => {
                let target = self.table_target(&table, config)?;
                if target.meta.partition_columns.is_empty() {
                    return Err(Error::sql(format!("the table {} has no partitions", target.name())));
                }
                let within = directory(&target, &partition)?;
                let found = if target.location.is_dir() { partitions(&target.location, &target.meta)? } else { Vec::new() };
                let found = found.into_iter().filter(|path| path.starts_with(&within));
                self.rows(&["partition"], found.map(|path| vec![Some(path.display().to_string())]).collect())
            }
            Ddl::ShowCreateTable { table } => {
                let Some(target) = self.target(&table, config)? else { return Err(no_table(&table)) };
                self.rows(&["createtab_stmt"], vec![vec![Some(create_statement(&target))]])
            }
            Ddl::ShowProperties { table, key } => {
                let Some(target) = self.target(&table, config)? else { return Err(no_table(&table)) };
                let properties = target.meta.properties.clone();
                let rows = match key {
                    Some(key) => {
                        let missing = || format!("Table {} does not have property: {key}", target.name());
                        vec![vec![Some(key.clone()), Some(properties.get(&key).cloned().unwrap_or_else(missing))]]
                    }
                    None => properties.into_iter().map(|(key, value)| vec![Some(key), Some(value)]).collect(),
                };
                self.rows(&["key", "value"], rows)
            }
            Ddl::Describe { table, extended } => self.describe(&table, extended, config),
            Ddl::DescribeColumn { table, column, extended } => self.describe_column(&table, &column, extended, config),
            Ddl::DescribeDatabase { name, extended } => {
                if !warehouse.has_database(&name) {
                    return Err(no_database(&name));
                }
                let meta = warehouse.database(&name)?;
                let location = absolute(&warehouse.database_path(&name)?)?.display().to_string();
                let mut rows = vec![
                    pair("Catalog Name", "spark_catalog"),
                    pair("Namespace Name", &name),
                    pair("Comment", meta.comment.as_deref().unwrap_or_default()),
                    pair("Location", &location),
                ];
                if extended {
                    let properties: Vec<String> = meta.properties.iter().map(|(key, value)| format!("({key},{value})")).collect();
                    let properties = if properties.is_empty() { String::new() } else { format!("({})", properties.join(", ")) };
                    rows.push(pair("Properties", &properties));
                }
                self.rows(&["info_name", "info_value"], rows)
            }
            other => Err(Error::internal(format!("no SHOW: {other:?}"))),
        }
    }

    fn show_tables(&self, database: Option<String>, pattern: Option<&str>, views: bool, config: &Config) -> Result<OutcomeKind> {
        let warehouse = self.warehouse(config);
        let database = database.unwrap_or_else(|| config.database.clone());
        if !warehouse.has_database(&database) {
            return Err(no_database(&database));
        }
        let mut rows = Vec::new();
        for table in warehouse.tables(&database)? {
            if fits(pattern, &table) && (!views || is_view(&warehouse, &database, &table)?) {
                rows.push(vec![Some(database.clone()), Some(table), Some("false".to_owned())]);
            }
        }
        let catalog = self.engine.catalog();
        for name in catalog.names().into_iter().filter(|name| fits(pattern, name) && (!views || catalog.view(name).is_some())) {
            rows.push(vec![Some(String::new()), Some(name), Some("true".to_owned())]);
        }
        self.rows(&["namespace", if views { "viewName" } else { "tableName" }, "isTemporary"], rows)
    }

    /// The columns of a table or view, of the session or of the warehouse.
    fn columns(&self, name: &TableName, config: &Config) -> Result<Vec<ColumnMeta>> {
        let own = name.database.as_deref().is_none_or(|database| database == DEFAULT_DATABASE)
            && self.engine.catalog().contains(&name.table);
        if !own {
            let Some(target) = self.target(name, config)? else { return Err(no_table(name)) };
            return Ok(target.meta.columns);
        }
        match self.engine.catalog().lookup(config, name.database.as_deref(), &name.table)? {
            Some(Found::Table(table)) => table_columns(&*table),
            Some(Found::View(view)) => {
                let query = format!("SELECT * FROM ({}) LIMIT 0", view.query);
                let stream = self.query(&query, &Parameters::default())?;
                let schema = stream.schema();
                let names = schema.fields().iter().map(|field| field.name().clone());
                let names: Vec<String> = if view.columns.is_empty() { names.collect() } else { view.columns.clone() };
                let fields = schema.fields().iter().zip(&names);
                fields.map(|(field, name)| Ok(column(name, type_name(field.data_type())?))).collect()
            }
            None => Err(no_table(name)),
        }
    }

    fn describe(&self, name: &TableName, extended: bool, config: &Config) -> Result<OutcomeKind> {
        let row = |column: &ColumnMeta| vec![Some(column.name.clone()), Some(column.type_name.clone()), column.comment.clone()];
        let line = |name: &str, value: &str| vec![Some(name.to_owned()), Some(value.to_owned()), Some(String::new())];
        let mut rows: Vec<Row> = self.columns(name, config)?.iter().map(row).collect();
        let own = name.database.is_none() && self.engine.catalog().contains(&name.table);
        let target = if own { None } else { self.target(name, config)? };
        if let Some(target) = &target
            && !target.meta.partition_columns.is_empty()
        {
            rows.push(line("# Partition Information", ""));
            rows.push(vec![Some("# col_name".into()), Some("data_type".into()), Some("comment".into())]);
            rows.extend(target.meta.partitions().iter().map(row));
        }
        if let Some(target) = target.filter(|_| extended) {
            let meta = &target.meta;
            rows.push(line("", ""));
            rows.push(line("# Detailed Table Information", ""));
            rows.push(line("Catalog", "spark_catalog"));
            rows.push(line("Database", &target.database));
            rows.push(line("Table", &target.table));
            let created = i64::try_from(meta.created_ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
            let created = created.map(|created| created.format("%a %b %d %H:%M:%S UTC %Y").to_string());
            rows.push(line("Created Time", &created.unwrap_or_default()));
            rows.push(line("Created By", concat!("skep ", env!("CARGO_PKG_VERSION"))));
            let kind = if meta.view.is_some() {
                "VIEW"
            } else if target.is_managed() {
                "MANAGED"
            } else {
                "EXTERNAL"
            };
            rows.push(line("Type", kind));
            if let Some(view) = &meta.view {
                rows.push(line("View Text", &view.query));
            } else {
                rows.push(line("Provider", meta.provider.as_deref().unwrap_or("parquet")));
            }
            if let Some(buckets) = &meta.buckets {
                let list = |names: Vec<String>| format!("[{}]", names.join(", "));
                rows.push(line("Num Buckets", &buckets.count.to_string()));
                rows.push(line("Bucket Columns", &list(buckets.columns.iter().map(|name| format!("`{name}`")).collect())));
                let sorted = buckets
                    .sorted_by
                    .iter()
                    .map(|sorted| format!("`{}`{}", sorted.column, if sorted.descending { " DESC" } else { "" }));
                rows.push(line("Sort Columns", &list(sorted.collect())));
            }
            if let Some(comment) = &meta.comment {
                rows.push(line("Comment", comment));
            }
            let properties: Vec<String> = meta.properties.iter().map(|(key, value)| format!("{key}={value}")).collect();
            if !properties.is_empty() {
                rows.push(line("Table Properties", &format!("[{}]", properties.join(","))));
            }
            let options: Vec<String> = meta.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
            if !options.is_empty() {
                rows.push(line("Storage Properties", &format!("[{}]", options.join(", "))));
            }
            if meta.view.is_none() {
                rows.push(line("Location", &format!("file:{}", absolute(&target.location)?.display())));
            }
            if let Some(statistics) = &meta.statistics {
                let rows_of = statistics.rows.map_or_else(String::new, |rows| format!(", {rows} rows"));
                let now = self.files_fingerprint(&target, config)?;
                let stale = if now == statistics.files { "" } else { " (files have changed since)" };
                rows.push(line("Statistics", &format!("{} bytes{rows_of}{stale}", statistics.bytes)));
            }
            if !meta.partition_columns.is_empty() {
                rows.push(line("Partition Provider", "Filesystem"));
            }
        }
        self.rows(&["col_name", "data_type", "comment"], rows)
    }

    /// What is known of one column, as Spark's DESCRIBE shows it.
    fn describe_column(&self, name: &TableName, wanted: &str, extended: bool, config: &Config) -> Result<OutcomeKind> {
        let columns = self.columns(name, config)?;
        let found = columns.iter().find(|column| column.name.to_lowercase() == wanted);
        let column = found.ok_or_else(|| Error::sql(format!("no column '{wanted}' in {}", name.table)))?;
        let null = || "NULL".to_owned();
        let mut rows = vec![
            pair("col_name", &column.name),
            pair("data_type", &column.type_name),
            pair("comment", &column.comment.clone().unwrap_or_else(null)),
        ];
        if extended {
            let own = name.database.is_none() && self.engine.catalog().contains(&name.table);
            let target = if own { None } else { self.target(name, config)? };
            let statistics = target.as_ref().and_then(|target| target.meta.statistics.as_ref()?.columns.get(wanted));
            let text = |value: Option<String>| value.unwrap_or_else(null);
            let number = |value: Option<u64>| text(value.map(|value| value.to_string()));
            rows.push(pair("min", &text(statistics.and_then(|column| column.min.clone()))));
            rows.push(pair("max", &text(statistics.and_then(|column| column.max.clone()))));
            rows.push(pair("num_nulls", &number(statistics.map(|column| column.nulls))));
            rows.push(pair("distinct_count", &number(statistics.map(|column| column.distinct))));
            let fixed = statistics.and(fixed_width(&column.type_name));
            rows.push(pair("avg_col_len", &number(statistics.and_then(|column| column.width).or(fixed))));
            rows.push(pair("max_col_len", &number(statistics.and_then(|column| column.width_max).or(fixed))));
            rows.push(pair("histogram", "NULL"));
        }
        self.rows(&["info_name", "info_value"], rows)
    }

    /// The columns of a table that has no name.
    pub(super) fn describe_table(&self, table: &dyn Table) -> Result<OutcomeKind> {
        let columns = table_columns(table)?.into_iter();
        let rows = columns.map(|column| vec![Some(column.name), Some(column.type_name), None]);
        self.rows(&["col_name", "data_type", "comment"], rows.collect())
    }

    pub(super) fn rows(&self, titles: &[&str], rows: Vec<Row>) -> Result<OutcomeKind> {
        Ok(OutcomeKind::Rows(rows_stream(titles, rows, self.engine.scheduler())?))
    }

    /// The columns of a view to be made, as its query gives them.
    pub(super) fn view_columns(
        &self,
        query: &ast::Query,
        names: &[String],
        text: &str,
        config: &Config,
    ) -> Result<Vec<ColumnMeta>> {
        let planned = self.plan(query, &Parameters::default(), text, config)?;
        let fields = planned.schema.fields();
        if !names.is_empty() && names.len() != fields.len() {
            return Err(Error::sql(format!("a view with {} names for {} columns", names.len(), fields.len())));
        }
        let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| fields[at].name().clone());
        (0..fields.len()).map(|at| Ok(column(&name(at), type_name(fields[at].data_type())?))).collect()
    }
}

fn table_columns(table: &dyn Table) -> Result<Vec<ColumnMeta>> {
    let fields = table.schema().fields().iter().zip(table.display_names());
    fields.map(|(field, name)| Ok(column(name, type_name(field.data_type())?))).collect()
}

fn column(name: &str, type_name: String) -> ColumnMeta {
    ColumnMeta { name: name.to_owned(), type_name, comment: None }
}

/// Bytes of values that all have the same, as Spark counts them.
fn fixed_width(type_name: &str) -> Option<u64> {
    Some(match parse_type(type_name).ok()? {
        DataType::Boolean | DataType::Int8 => 1,
        DataType::Int16 => 2,
        DataType::Int32 | DataType::Float32 | DataType::Date32 => 4,
        DataType::Int64 | DataType::Float64 | DataType::Timestamp(..) => 8,
        DataType::Decimal128(digits, _) => 8 * (1 + u64::from(digits > 18)),
        _ => return None,
    })
}

fn pair(name: &str, value: &str) -> Row {
    vec![Some(name.to_owned()), Some(value.to_owned())]
}

fn fits(pattern: Option<&str>, name: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.to_lowercase().split('|').any(|pattern| matches_pattern(pattern.trim(), name)))
}

fn is_view(warehouse: &Warehouse, database: &str, table: &str) -> Result<bool> {
    Ok(warehouse.table(database, table)?.is_some_and(|meta| meta.view.is_some()))
}

/// The statement that would make a table or view.
fn create_statement(target: &Target) -> String {
    let meta = &target.meta;
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let name = |name: &str| {
        let plain =
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
        if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
    };
    let mut text = String::new();
    let columns = meta.columns.iter().map(|column| {
        let comment = column.comment.as_deref().map_or_else(String::new, |comment| format!(" COMMENT {}", quoted(comment)));
        if meta.view.is_some() {
            return format!("  {}{comment}", name(&column.name));
        }
        format!("  {} {}{comment}", name(&column.name), column.type_name.to_uppercase())
    });
    let kind = if meta.view.is_some() { "VIEW" } else { "TABLE" };
    let columns = columns.collect::<Vec<_>>().join(",\n");
    // Writing to a String does not fail.
    let _ = write!(text, "CREATE {kind} spark_catalog.{}.{} (\n{columns})\n", target.database, target.table);
    if let Some(provider) = &meta.provider {
        let _ = writeln!(text, "USING {provider}");
    }
    if !meta.options.is_empty() {
        let options: Vec<String> =
            meta.options.iter().map(|(key, value)| format!("  {} = {}", quoted(key), quoted(value))).collect();
        let _ = writeln!(text, "OPTIONS (\n{})", options.join(",\n"));
    }
    if !meta.partition_columns.is_empty() {
        let names: Vec<String> = meta.partition_columns.iter().map(|column| name(column)).collect();
        let _ = writeln!(text, "PARTITIONED BY ({})", names.join(", "));
    }
    if let Some(buckets) = &meta.buckets {
        let names: Vec<String> = buckets.columns.iter().map(|column| name(column)).collect();
        let _ = writeln!(text, "CLUSTERED BY ({})", names.join(", "));
        if !buckets.sorted_by.is_empty() {
            let sorted = buckets.sorted_by.iter();
            let sorted = sorted.map(|sorted| format!("{}{}", name(&sorted.column), if sorted.descending { " DESC" } else { "" }));
            let _ = writeln!(text, "SORTED BY ({})", sorted.collect::<Vec<_>>().join(", "));
        }
        let _ = writeln!(text, "INTO {} BUCKETS", buckets.count);
    }
    if let Some(comment) = &meta.comment {
        let _ = writeln!(text, "COMMENT {}", quoted(comment));
    }
    if let Some(location) = &meta.location {
        let _ = writeln!(text, "LOCATION {}", quoted(location));
    }
    if !meta.properties.is_empty() {
        let properties: Vec<String> =
            meta.properties.iter().map(|(key, value)| format!("  {} = {}", quoted(key), quoted(value))).collect();
        let _ = writeln!(text, "TBLPROPERTIES (\n{})", properties.join(",\n"));
    }
    if let Some(view) = &meta.view {
        let _ = writeln!(text, "AS {}", view.query);
    }
    text
}
