//! `information_schema`: what there is, as tables. Made anew when a query names one of them.
//!
//! The session's own tables and views have an empty schema, as in SHOW TABLES. Columns
//! of a session's views are not listed: they are known when a query uses the view.

use super::warehouse::type_name;
use super::{Catalog, MemoryTable, Table, Warehouse};
use crate::config::Config;
use crate::error::Result;
use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use std::sync::Arc;

/// The database that these tables are in.
pub const INFORMATION_SCHEMA: &str = "information_schema";
/// The name of the one catalog, as Spark calls it.
const CATALOG: &str = "spark_catalog";

const SCHEMATA: &[&str] = &["catalog_name", "schema_name"];
const TABLES: &[&str] = &["table_catalog", "table_schema", "table_name", "table_type"];
const VIEWS: &[&str] = &["table_catalog", "table_schema", "table_name", "view_definition"];
const COLUMNS: &[&str] =
    &["table_catalog", "table_schema", "table_name", "column_name", "data_type", "is_nullable", "ordinal_position"];

/// Whether there is a table of this name.
pub(super) fn has(name: &str) -> bool {
    matches!(name.to_lowercase().as_str(), "schemata" | "tables" | "views" | "columns")
}

/// The table of a name, as things are now.
pub(super) fn table(catalog: &Catalog, config: &Config, name: &str) -> Result<Option<Arc<dyn Table>>> {
    let warehouse = Warehouse::new(&config.warehouse);
    let text = |text: &str| text.to_owned();
    let (titles, rows) = match name.to_lowercase().as_str() {
        "schemata" => (SCHEMATA, warehouse.databases()?.into_iter().map(|name| vec![text(CATALOG), name]).collect()),
        "tables" => (TABLES, named(catalog, &warehouse)?.into_iter().map(|entry| entry.table_row()).collect()),
        "views" => {
            let views = named(catalog, &warehouse)?.into_iter();
            (VIEWS, views.filter_map(|entry| entry.view.clone().map(|query| entry.row(query))).collect())
        }
        "columns" => {
            let mut rows = Vec::new();
            for entry in named(catalog, &warehouse)? {
                for (at, (column, data_type, nullable)) in entry.columns.iter().enumerate() {
                    let mut row = entry.row(column.clone());
                    row.extend([data_type.clone(), text(if *nullable { "YES" } else { "NO" }), (at + 1).to_string()]);
                    rows.push(row);
                }
            }
            (COLUMNS, rows)
        }
        _ => return Ok(None),
    };
    Ok(Some(Arc::new(of_rows(titles, rows)?)))
}

/// A table or view.
struct Entry {
    database: String,
    name: String,
    kind: &'static str,
    view: Option<String>,
    columns: Vec<(String, String, bool)>,
}

impl Entry {
    fn row(&self, last: String) -> Vec<String> {
        vec![CATALOG.to_owned(), self.database.clone(), self.name.clone(), last]
    }

    fn table_row(&self) -> Vec<String> {
        self.row(self.kind.to_owned())
    }
}

fn named(catalog: &Catalog, warehouse: &Warehouse) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for database in warehouse.databases()? {
        for name in warehouse.tables(&database)? {
            let Some(meta) = warehouse.table(&database, &name)? else { continue };
            let columns = meta.columns.iter().map(|column| (column.name.clone(), column.type_name.clone(), true)).collect();
            let kind = match (&meta.view, &meta.location) {
                (Some(_), _) => "VIEW",
                (None, Some(_)) => "EXTERNAL",
                (None, None) => "MANAGED",
            };
            let view = meta.view.map(|view| view.query);
            entries.push(Entry { database: database.clone(), name, kind, view, columns });
        }
    }
    for name in catalog.names() {
        let mut columns = Vec::new();
        if let Some(table) = catalog.get(&name) {
            for (field, spelled) in table.schema().fields().iter().zip(table.display_names()) {
                columns.push((spelled.clone(), type_name(field.data_type())?, field.is_nullable()));
            }
        }
        let view = catalog.view(&name).map(|view| view.query.clone());
        let kind = if view.is_some() { "TEMPORARY VIEW" } else { "TEMPORARY TABLE" };
        entries.push(Entry { database: String::new(), name, kind, view, columns });
    }
    Ok(entries)
}

/// Texts in columns; `ordinal_position` is a number.
fn of_rows(titles: &[&str], rows: Vec<Vec<String>>) -> Result<MemoryTable> {
    let is_number = |title: &str| title == "ordinal_position";
    let mut fields = Vec::with_capacity(titles.len());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(titles.len());
    for (at, title) in titles.iter().enumerate() {
        let texts = rows.iter().map(|row| row[at].as_str());
        if is_number(title) {
            fields.push(Field::new(*title, DataType::Int32, false));
            columns.push(Arc::new(Int32Array::from_iter(texts.map(|text| text.parse().ok()))));
        } else {
            fields.push(Field::new(*title, DataType::Utf8, false));
            columns.push(Arc::new(StringArray::from_iter_values(texts)));
        }
    }
    let schema = Arc::new(Schema::new(fields));
    MemoryTable::new(schema.clone(), vec![RecordBatch::try_new(schema, columns)?])
}
