//! ANALYZE TABLE: counts rows, bytes and values, and writes them down.
//!
//! Rows and bytes come from footers; columns from one query over the table, with
//! `approx_count_distinct` for different values, and one a column that may have frequent ones.

use super::ddl::{directory, done, no_partition};
use super::target::Target;
use super::{OutcomeKind, Session};
use crate::catalog::{
    ColumnStatisticsMeta, FileTable, Found, FrequentValueMeta, PartitionStatisticsMeta, TableStatisticsMeta, fingerprint,
    parse_type,
};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::sql::{Analyze, AnalyzeColumns, Parameters};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Values a column is asked for by one query: with more the query would have very many columns.
/// Guessed.
const COLUMNS_MAX: usize = 50;
/// A value is frequent with one row in so many, as in samples of files.
const FREQUENT_SHARE: u64 = 512;
/// Frequent values of a column, at most.
const FREQUENT_MAX: usize = 16;
/// Longer values are not written down, bytes.
const FREQUENT_BYTES_MAX: usize = 256;

impl Session {
    pub(super) fn analyze(&self, analyze: &Analyze, config: &Config) -> Result<OutcomeKind> {
        let target = self.table_target(&analyze.table, config)?;
        let table = self.files_of(&target, config)?;
        let mut statistics = target.meta.statistics.clone().unwrap_or_default();
        if !analyze.partition.is_empty() {
            if !matches!(analyze.columns, AnalyzeColumns::None) {
                return Err(Error::unsupported("ANALYZE of a partition's columns"));
            }
            let within = directory(&target, &analyze.partition)?;
            self.analyze_partitions(&target, &table, &within, analyze.no_scan, &mut statistics)?;
            return self.write_statistics(&target, statistics);
        }
        let now = fingerprint(&table);
        if statistics.files != now {
            // What was counted in other files is no longer so.
            statistics.columns.clear();
            statistics.rows = None;
        }
        statistics.files = now;
        statistics.bytes = bytes_below(&table, Path::new(""));
        if !analyze.no_scan {
            statistics.rows = Some(rows_below(&table, Path::new("")));
        }
        let wanted: Vec<usize> = match &analyze.columns {
            AnalyzeColumns::None => Vec::new(),
            AnalyzeColumns::All => (0..target.meta.columns.len()).filter(|at| is_countable(&target, *at)).collect(),
            AnalyzeColumns::Named(names) => names.iter().map(|name| column(&target, name)).collect::<Result<_>>()?,
        };
        for columns in wanted.chunks(COLUMNS_MAX) {
            self.analyze_columns(&target, columns, &mut statistics)?;
        }
        self.write_statistics(&target, statistics)
    }

    fn files_of(&self, target: &Target, config: &Config) -> Result<Arc<FileTable>> {
        let found = self.engine.catalog().lookup(config, Some(&target.database), &target.table)?;
        let Some(Found::Table(table)) = found else { return Err(Error::internal("a table that is none")) };
        let any: Arc<dyn std::any::Any + Send + Sync> = table;
        Arc::downcast(any).map_err(|_| Error::unsupported("ANALYZE of a table of another format than PARQUET"))
    }

    /// The files of a table in a few characters; empty where they cannot be told.
    pub(super) fn files_fingerprint(&self, target: &Target, config: &Config) -> Result<String> {
        Ok(fingerprint(&*self.files_of(target, config)?))
    }

    fn write_statistics(&self, target: &Target, statistics: TableStatisticsMeta) -> Result<OutcomeKind> {
        let mut meta = target.meta.clone();
        meta.statistics = Some(statistics);
        target.warehouse.replace_table(self.engine.disk(), &target.database, &target.table, &meta)?;
        done()
    }

    fn analyze_partitions(
        &self,
        target: &Target,
        table: &FileTable,
        within: &Path,
        no_scan: bool,
        statistics: &mut TableStatisticsMeta,
    ) -> Result<()> {
        let all = crate::catalog::partitions(&target.location, &target.meta)?;
        let found: Vec<PathBuf> = all.into_iter().filter(|path| path.starts_with(within)).collect();
        if found.is_empty() {
            return Err(no_partition(target, within));
        }
        for partition in found {
            let rows = (!no_scan).then(|| rows_below(table, &partition));
            let counted = PartitionStatisticsMeta { bytes: bytes_below(table, &partition), rows };
            statistics.partitions.insert(partition.display().to_string(), counted);
        }
        Ok(())
    }

    fn analyze_columns(&self, target: &Target, columns: &[usize], statistics: &mut TableStatisticsMeta) -> Result<()> {
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        let mut items = vec!["count(*)".to_owned()];
        for at in columns {
            let name = quoted(&target.meta.columns[*at].name);
            items.push(format!("approx_count_distinct({name})"));
            items.push(format!("count({name})"));
            match parse_type(&target.meta.columns[*at].type_name)? {
                DataType::Utf8View => {
                    items.push(format!("CAST(ceil(avg(octet_length({name}))) AS BIGINT)"));
                    items.push(format!("CAST(max(octet_length({name})) AS BIGINT)"));
                }
                // Bounds of strings may be long and tell nothing; numbers, days and times have them.
                _ => {
                    items.push(format!("CAST(min({name}) AS STRING)"));
                    items.push(format!("CAST(max({name}) AS STRING)"));
                }
            }
        }
        let items: Vec<String> = items.iter().enumerate().map(|(at, item)| format!("{item} AS c{at}")).collect();
        let sql = format!("SELECT {} FROM {}.{}", items.join(", "), quoted(&target.database), quoted(&target.table));
        let batches = self.query(&sql, &Parameters::default())?.collect_batches()?;
        let Some(row) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(()) };
        let rows = number(row, 0).unwrap_or(0);
        for (place, at) in columns.iter().enumerate() {
            let first = 1 + place * 4;
            let column = &target.meta.columns[*at];
            let is_text = parse_type(&column.type_name)? == DataType::Utf8View;
            let mut counted = ColumnStatisticsMeta {
                frequent: None,
                distinct: number(row, first).unwrap_or(0),
                nulls: rows - number(row, first + 1).unwrap_or(0).min(rows),
                min: if is_text { None } else { text(row, first + 2)? },
                max: if is_text { None } else { text(row, first + 3)? },
                width: if is_text { number(row, first + 2) } else { None },
                width_max: if is_text { number(row, first + 3) } else { None },
            };
            counted.frequent = Some(self.frequent(target, &column.name, rows, &counted)?);
            statistics.columns.insert(column.name.to_lowercase(), counted);
        }
        statistics.rows = Some(rows);
        Ok(())
    }
}

impl Session {
    /// Values of a column that many of its rows have.
    fn frequent(&self, target: &Target, name: &str, rows: u64, counted: &ColumnStatisticsMeta) -> Result<Vec<FrequentValueMeta>> {
        let least = (rows / FREQUENT_SHARE).max(2);
        // Whose rows nearly all have values of their own has none; counts of these are off by some percent.
        if rows.saturating_sub(counted.nulls).saturating_sub(counted.distinct / 10 * 9) < least {
            return Ok(Vec::new());
        }
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        let (column, table) = (quoted(name), format!("{}.{}", quoted(&target.database), quoted(&target.table)));
        let sql = format!(
            "SELECT CAST({column} AS STRING) AS v, count(*) AS n FROM {table} WHERE {column} IS NOT NULL \
             GROUP BY {column} HAVING count(*) >= {least} ORDER BY n DESC, v LIMIT {FREQUENT_MAX}"
        );
        let mut found = Vec::new();
        for batch in self.query(&sql, &Parameters::default())?.collect_batches()? {
            let values = arrow::compute::cast(batch.column(0), &DataType::Utf8View)?;
            let (values, counts) = (values.as_string_view(), batch.column(1).as_primitive::<Int64Type>());
            for (value, rows) in values.iter().zip(counts.values()) {
                let value = value.unwrap_or_default();
                if value.len() <= FREQUENT_BYTES_MAX {
                    found.push(FrequentValueMeta { value: value.to_owned(), rows: u64::try_from(*rows).unwrap_or(0) });
                }
            }
        }
        Ok(found)
    }
}

fn number(row: &RecordBatch, column: usize) -> Option<u64> {
    let values = row.column(column).as_primitive_opt::<Int64Type>()?;
    values.is_valid(0).then(|| u64::try_from(values.value(0)).unwrap_or(0))
}

fn text(row: &RecordBatch, column: usize) -> Result<Option<String>> {
    let values = arrow::compute::cast(row.column(column), &DataType::Utf8View)?;
    let values = values.as_string_view();
    Ok(values.is_valid(0).then(|| values.value(0).to_owned()))
}

fn column(target: &Target, name: &str) -> Result<usize> {
    let found = target.meta.columns.iter().position(|column| column.name.to_lowercase() == *name);
    let at = found.ok_or_else(|| Error::sql(format!("{} has no column '{name}'", target.name())))?;
    if !is_countable(target, at) {
        let type_name = target.meta.columns[at].type_name.to_uppercase();
        return Err(Error::unsupported(format!("statistics of a column of type {type_name}")).in_column(name));
    }
    Ok(at)
}

/// Whether a column has a type whose values are counted: no nested ones, as Spark's ANALYZE.
fn is_countable(target: &Target, at: usize) -> bool {
    let data_type = parse_type(&target.meta.columns[at].type_name);
    data_type.is_ok_and(|data_type| !data_type.is_nested() && data_type != DataType::BinaryView)
}

fn below<'a>(table: &'a FileTable, directory: &'a Path) -> impl Iterator<Item = &'a crate::catalog::TableFile> {
    let root = Path::new(table.path());
    table.files().iter().filter(move |file| file.path.strip_prefix(root).is_ok_and(|path| path.starts_with(directory)))
}

fn rows_below(table: &FileTable, directory: &Path) -> u64 {
    below(table, directory).map(|file| file.footer.total_rows() as u64).sum()
}

fn bytes_below(table: &FileTable, directory: &Path) -> u64 {
    below(table, directory).map(|file| file.path.metadata().map_or(0, |metadata| metadata.len())).sum()
}
