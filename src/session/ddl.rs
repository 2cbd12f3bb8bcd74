//! Databases and tables: made, changed, dropped.

use super::arrange::{check as check_layout, declare};
use super::target::{Target, location, no_database, no_table};
use super::{OutcomeKind, Session};
use crate::catalog::{
    BUCKETING_VERSION, ColumnMeta, DEFAULT_DATABASE, DatabaseMeta, NULL_PARTITION, SORTED_BY, TableMeta, View, ViewMeta,
    escape_partition, parse_type, partitions, type_name,
};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::output::{Job, Publication};
use crate::sql::{Alteration, ColumnDefinition, CreateTable, CreateView, Ddl, Parameters, PartitionSpec, TableName};
use std::path::PathBuf;

/// What a statement without rows gives.
pub(super) fn done() -> Result<OutcomeKind> {
    Ok(OutcomeKind::Done(String::new()))
}

impl Session {
    pub(super) fn ddl(&self, ddl: Ddl, parameters: &Parameters, text: &str, config: &Config) -> Result<OutcomeKind> {
        let disk = self.engine.disk();
        let warehouse = self.warehouse(config);
        match ddl {
            Ddl::CreateDatabase { name, if_not_exists, comment, properties } => {
                if !(if_not_exists && warehouse.has_database(&name)) {
                    warehouse.create_database(disk, &name, &DatabaseMeta::new(comment, properties))?;
                }
                done()
            }
            Ddl::DropDatabase { name, if_exists, cascade } => {
                if name == DEFAULT_DATABASE {
                    return Err(Error::sql("the database default cannot be dropped"));
                }
                if !warehouse.has_database(&name) {
                    return if if_exists { done() } else { Err(no_database(&name)) };
                }
                if !cascade && !warehouse.tables(&name)?.is_empty() {
                    let error = Error::sql(format!("the database {name} has tables"));
                    return Err(error.with_hint("DROP DATABASE ... CASCADE drops them, too"));
                }
                Job::begin(disk, &warehouse.database_path(&name)?, Some(warehouse.root()))?.remove_target(|| Ok(()))?;
                done()
            }
            Ddl::Use { name } => {
                if !warehouse.has_database(&name) {
                    return Err(no_database(&name));
                }
                self.set("skep.database", &name)?;
                done()
            }
            Ddl::CreateTable(create) => match &create.query {
                Some(_) => match self.create_table_as(&create, parameters, text, config)? {
                    Some(write) => self.run_write(write, config),
                    None => done(),
                },
                None => self.create_table(&create, config),
            },
            Ddl::CreateFunction(create) => self.create_function(*create, config),
            Ddl::DropFunction { name, if_exists } => self.drop_function(&name, if_exists),
            Ddl::ShowFunctions { user, system, pattern } => self.show_functions(user, system, pattern.as_deref()),
            Ddl::DescribeFunction { name, extended } => self.describe_function(&name, extended),
            Ddl::CreateView(create) => self.create_view(*create, text, config),
            Ddl::Drop { name, view, if_exists } => self.drop_entry(&name, view, if_exists, config),
            Ddl::Alter { table, alteration } => self.alter(&table, alteration, config),
            Ddl::Truncate { table, partition } => {
                let target = self.table_target(&table, config)?;
                let directories = if partition.is_empty() { Vec::new() } else { vec![directory(&target, &partition)?] };
                self.empty(&target, directories)?;
                done()
            }
            Ddl::Repair { table } => {
                let target = self.table_target(&table, config)?;
                self.repair(&target)
            }
            Ddl::Insert(insert) => match self.insert(&insert, parameters, text, config)? {
                Some(write) => self.run_write(write, config),
                None => done(),
            },
            Ddl::MultiInsert(multi) => {
                let writes = self.multi_insert(&multi, parameters, text, config)?;
                if writes.is_empty() {
                    return done();
                }
                let (lines, _) = self.run_writes(writes, config)?;
                Ok(OutcomeKind::Done(lines.join("\n")))
            }
            Ddl::Load(load) => self.load(&load, config),
            Ddl::Analyze(analyze) => self.analyze(&analyze, config),
            show => self.show(show, config),
        }
    }

    /// What is written down of a new table before its columns are known, with its database and name;
    /// none when the table is there already and may be.
    pub(super) fn new_table(&self, create: &CreateTable, config: &Config) -> Result<Option<(String, String, TableMeta)>> {
        let (database, table) = self.resolve(&create.name, config)?;
        if self.target(&create.name, config)?.is_some() {
            return if create.if_not_exists { Ok(None) } else { Err(exists(&database, &table)) };
        }
        let (format, mut options) = super::formats::format_of(create)?;
        let location_text = create.location.clone().or_else(|| options.remove("path"));
        let is_parquet = format == "parquet";
        if create.external && location_text.is_none() {
            return Err(Error::sql("CREATE EXTERNAL TABLE needs a LOCATION"));
        }
        if !is_parquet && create.buckets.is_some() {
            return Err(Error::unsupported(format!("CLUSTERED BY in a table of the format {}", format.to_uppercase())));
        }
        let mut meta = TableMeta { provider: Some(format.into()), comment: create.comment.clone(), ..TableMeta::new() };
        meta.properties = create.properties.clone();
        if is_parquet {
            // They say how files are written.
            meta.properties.extend(options);
        } else {
            meta.options = options;
        }
        let checked = |key: &&String| *key != BUCKETING_VERSION && (is_parquet || !is_read_property(key));
        for key in meta.properties.keys().filter(checked) {
            check_property(key)?;
        }
        meta.location = location_text.as_deref().map(location).transpose()?;
        super::formats::check(&meta)?;
        Ok(Some((database, table, meta)))
    }

    fn create_table(&self, create: &CreateTable, config: &Config) -> Result<OutcomeKind> {
        if create.external && create.columns.is_empty() && create.like.is_none() && create.query.is_none() {
            let (format, mut options) = super::formats::format_of(create)?;
            let location = create.location.clone().or_else(|| options.remove("path"));
            return self.create_external_files(create, format, options, location, config);
        }
        let Some((database, table, mut meta)) = self.new_table(create, config)? else { return done() };
        if let Some(like) = &create.like {
            let like = self.table_target(like, config)?;
            meta.columns = like.meta.columns;
            meta.partition_columns = like.meta.partition_columns;
            meta.buckets = like.meta.buckets;
            let layout = |(key, _): &(String, String)| [BUCKETING_VERSION, SORTED_BY].contains(&key.as_str());
            meta.properties.extend(like.meta.properties.into_iter().filter(layout));
        } else {
            meta.columns = create.columns.iter().map(column).collect::<Result<_>>()?;
            partition_by(&mut meta, &create.partitioned_by)?;
        }
        if meta.columns.is_empty() {
            let Some(location) = meta.location.clone() else {
                return Err(Error::sql("CREATE TABLE needs columns, a query or the LOCATION of files"));
            };
            self.infer_columns(&location, &create.partitioned_by, &mut meta)?;
        }
        check_columns(&meta)?;
        declare(&mut meta, create.buckets.as_ref())?;
        check_layout(&meta)?;
        if let Some(location) = &meta.location {
            self.engine.disk().make_directories(&PathBuf::from(location))?;
        }
        self.create_entry(&database, &table, &meta, config)?;
        done()
    }

    /// Columns as the files at a location have them.
    fn infer_columns(&self, location: &str, partitioned_by: &[String], meta: &mut TableMeta) -> Result<()> {
        let table = self.engine.catalog().open_as(&self.config(), location, &meta.file_spec())?;
        for (field, name) in table.schema().fields().iter().zip(table.display_names()) {
            meta.columns.push(ColumnMeta { name: name.clone(), type_name: type_name(field.data_type())?, comment: None });
        }
        let found = &meta.columns[meta.columns.len() - table.partition_columns()..];
        meta.partition_columns = found.iter().map(|column| column.name.clone()).collect();
        let same = partitioned_by.is_empty()
            || partitioned_by
                .iter()
                .map(|name| name.to_lowercase())
                .eq(meta.partition_columns.iter().map(|name| name.to_lowercase()));
        if !same {
            let found = meta.partition_columns.join(", ");
            return Err(Error::sql(format!("PARTITIONED BY does not fit the directories, which name ({found})")));
        }
        Ok(())
    }

    fn drop_entry(&self, name: &TableName, view: bool, if_exists: bool, config: &Config) -> Result<OutcomeKind> {
        let is_own = name.database.as_deref().is_none_or(|database| database == DEFAULT_DATABASE);
        if is_own && self.engine.catalog().drop(&name.table) {
            return done();
        }
        let unknown = || if if_exists { done() } else { Err(no_table(name)) };
        if !self.warehouse(config).has_database(name.database.as_deref().unwrap_or(&config.database)) {
            return unknown();
        }
        let Some(target) = self.target(name, config)? else { return unknown() };
        if target.meta.view.is_some() != view {
            let (is, use_) = if view { ("a table", "DROP TABLE") } else { ("a view", "DROP VIEW") };
            return Err(Error::sql(format!("{} is {is}", target.name())).with_hint(format!("use {use_}")));
        }
        // With the directory goes what is in it: the files of a managed table, and no others.
        let job = Job::begin(self.engine.disk(), &target.path()?, Some(target.warehouse.root()))?;
        job.remove_target(|| target.check())?;
        done()
    }

    /// Partitions are the directories there are: nothing is to be done but to tell files in wrong
    /// places now.
    fn repair(&self, target: &Target) -> Result<OutcomeKind> {
        if target.meta.partition_columns.is_empty() {
            return Err(Error::sql(format!("the table {} has no partitions", target.name())));
        }
        self.engine.catalog().lookup(&self.config(), Some(&target.database), &target.table)?;
        done()
    }

    /// Removes all rows, or those below some directories; partitions stay.
    fn empty(&self, target: &Target, directories: Vec<PathBuf>) -> Result<()> {
        let disk = self.engine.disk();
        let job = target.job(self)?;
        let staged = job.directory();
        let kept = if target.location.is_dir() { partitions(&target.location, &target.meta)? } else { Vec::new() };
        let below = |path: &PathBuf| directories.is_empty() || directories.iter().any(|directory| path.starts_with(directory));
        if !target.meta.partition_columns.is_empty() {
            for partition in kept.iter().filter(|path| below(path)) {
                disk.make_path(&staged.join(partition))?;
            }
        }
        if directories.is_empty() {
            target.stage_meta(self, &job, None)?;
            return job.commit(&[], Publication::Replace, false, || target.check());
        }
        if let Some(missing) = directories.iter().find(|directory| !target.location.join(directory).is_dir()) {
            return Err(no_partition(target, missing));
        }
        job.commit(&[], Publication::ReplaceDirectories(directories), false, || target.check())
    }

    fn alter(&self, name: &TableName, alteration: Alteration, config: &Config) -> Result<OutcomeKind> {
        let disk = self.engine.disk();
        let target = match self.target(name, config)? {
            Some(view) if view.meta.view.is_some() => match alteration {
                Alteration::SetProperties(_) | Alteration::UnsetProperties { .. } | Alteration::Rename(_) => view,
                _ => return Err(Error::sql(format!("{} is a view, not a table", view.name()))),
            },
            _ => self.table_target(name, config)?,
        };
        let mut meta = target.meta.clone();
        match alteration {
            Alteration::SetProperties(properties) => {
                for key in properties.keys() {
                    check_property(key)?;
                }
                meta.properties.extend(properties);
                check_layout(&meta)?;
            }
            Alteration::UnsetProperties { keys, if_exists } => {
                for key in keys {
                    if meta.properties.remove(&key).is_none() && !if_exists {
                        return Err(Error::sql(format!("{} has no property '{key}'", target.name())));
                    }
                }
            }
            Alteration::AddColumns(columns) => {
                let columns = columns.iter().map(column).collect::<Result<Vec<_>>>()?;
                let at = meta.data_columns().len();
                meta.columns.splice(at..at, columns);
                check_columns(&meta)?;
            }
            Alteration::Rename(to) => {
                let to = TableName { database: to.database.or(Some(target.database.clone())), ..to };
                let (database, table) = self.resolve(&to, config)?;
                if self.target(&to, config)?.is_some() {
                    return Err(exists(&database, &table));
                }
                let path = target.warehouse.table_path(&database, &table)?;
                let job = Job::begin(disk, &target.path()?, Some(target.warehouse.root()))?;
                job.rename_target(&path, || target.check())?;
                return done();
            }
            Alteration::CommentColumn { column, comment } => {
                let found = meta.columns.iter_mut().find(|known| known.name.to_lowercase() == column);
                let Some(found) = found else { return Err(Error::sql(format!("{} has no column '{column}'", target.name()))) };
                found.comment = Some(comment);
            }
            Alteration::SetLocation(text) => {
                if target.is_managed() {
                    let error = Error::unsupported("ALTER TABLE SET LOCATION of a table whose files the warehouse keeps");
                    return Err(error.with_hint("CREATE EXTERNAL TABLE names files elsewhere"));
                }
                meta.location = Some(location(&text)?);
            }
            Alteration::Recover => return self.repair(&target),
            Alteration::AddPartitions { partitions, if_not_exists } => {
                for spec in &partitions {
                    let path = target.location.join(full_directory(&target, spec)?);
                    if path.is_dir() && !if_not_exists {
                        return Err(Error::sql(format!("{} has this partition already: {}", target.name(), path.display())));
                    }
                    disk.make_directories(&path)?;
                }
                return done();
            }
            Alteration::DropPartitions { partitions: specs, if_exists } => {
                if !target.is_managed() {
                    let error = Error::unsupported("ALTER TABLE DROP PARTITION of a table with a LOCATION");
                    return Err(error.with_hint("partitions are the directories there are, and these are not the warehouse's"));
                }
                let mut directories = specs.iter().map(|spec| directory(&target, spec)).collect::<Result<Vec<_>>>()?;
                let there = |directory: &PathBuf| target.location.join(directory).is_dir();
                if let Some(missing) = directories.iter().find(|directory| !there(directory) && !if_exists) {
                    return Err(no_partition(&target, missing));
                }
                directories.retain(there);
                let job = target.job(self)?;
                job.commit(&[], Publication::RemoveDirectories(directories), false, || target.check())?;
                return done();
            }
            Alteration::RenamePartition { from, to } => {
                let (from, to) = (full_directory(&target, &from)?, full_directory(&target, &to)?);
                if !target.location.join(&from).is_dir() {
                    return Err(no_partition(&target, &from));
                }
                let renamed = Publication::RenameDirectory { from, to };
                target.job(self)?.commit(&[], renamed, false, || target.check())?;
                return done();
            }
        }
        target.warehouse.replace_table(disk, &target.database, &target.table, &meta)?;
        done()
    }

    /// A view of the session, or one that stays in the warehouse.
    fn create_view(&self, create: CreateView, text: &str, config: &Config) -> Result<OutcomeKind> {
        let CreateView { name, temporary, columns, comment, query, text: own, if_not_exists, or_replace } = create;
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        // A view that cannot be planned is refused now, not when it is used.
        let mut described = self.view_columns(&query, &names, text, config)?;
        for (column, (_, comment)) in described.iter_mut().zip(columns) {
            column.comment = comment;
        }
        if temporary {
            if name.database.is_some() {
                return Err(Error::sql("a temporary view has no database"));
            }
            if self.may_create("view", &name.table, if_not_exists, or_replace)? {
                self.engine.catalog().register_view(&name.table, View { query: own, columns: names, database: None });
            }
            return done();
        }
        let (database, table) = self.resolve(&name, config)?;
        let view = ViewMeta { query: own, columns: names, database: config.database.clone() };
        let meta = TableMeta { columns: described, comment, view: Some(view), ..TableMeta::new() };
        match self.target(&name, config)? {
            None => self.create_entry(&database, &table, &meta, config)?,
            Some(known) if or_replace && known.meta.view.is_some() => {
                let meta = TableMeta { version: known.meta.version, created_ms: known.meta.created_ms, ..meta };
                known.warehouse.replace_table(self.engine.disk(), &database, &table, &meta)?;
            }
            Some(_) if if_not_exists => {}
            Some(_) => return Err(exists(&database, &table)),
        }
        done()
    }
}

fn exists(database: &str, table: &str) -> Error {
    Error::sql(format!("there is a table or view {database}.{table} already")).with_hint("use IF NOT EXISTS, or drop it first")
}

pub(super) fn no_partition(target: &Target, directory: &std::path::Path) -> Error {
    Error::sql(format!("{} has no partition {}", target.name(), directory.display()))
}

fn column(definition: &ColumnDefinition) -> Result<ColumnMeta> {
    let (line, position) = definition.position;
    let data_type = parse_type(&definition.type_text).map_err(|error| error.at(line, position))?;
    Ok(ColumnMeta { name: definition.name.clone(), type_name: type_name(&data_type)?, comment: definition.comment.clone() })
}

/// Puts the partition columns last, in the order of their names.
pub(super) fn partition_by(meta: &mut TableMeta, names: &[String]) -> Result<()> {
    for name in names {
        let found = meta.columns.iter().position(|column| column.name.to_lowercase() == name.to_lowercase());
        let column = found.ok_or_else(|| Error::sql(format!("PARTITIONED BY names no column: '{name}'")))?;
        let column = meta.columns.remove(column);
        meta.partition_columns.push(column.name.clone());
        meta.columns.push(column);
    }
    Ok(())
}

pub(super) fn check_columns(meta: &TableMeta) -> Result<()> {
    for (position, column) in meta.columns.iter().enumerate() {
        let name = column.name.to_lowercase();
        if meta.columns[..position].iter().any(|other| other.name.to_lowercase() == name) {
            return Err(Error::sql(format!("two columns are called '{name}'")));
        }
    }
    if meta.data_columns().is_empty() {
        return Err(Error::sql("a table needs a column that is no partition column"));
    }
    Ok(())
}

fn is_read_property(key: &str) -> bool {
    crate::catalog::READ_PROPERTIES.contains(&key.to_lowercase().as_str())
}

/// Properties that change how files are written, and that nobody here would honour.
fn check_property(key: &str) -> Result<()> {
    let lower = key.to_lowercase();
    if lower == "transactional" || lower.starts_with("bucketing") || lower.starts_with("skip.header") {
        return Err(Error::unsupported(format!("the table property '{key}'")));
    }
    Ok(())
}

/// The directory of a partition, or of several whose first columns have the values given.
pub(super) fn directory(target: &Target, spec: &PartitionSpec) -> Result<PathBuf> {
    let mut directory = PathBuf::new();
    for (given, name) in target.meta.partition_columns.iter().enumerate() {
        let Some((_, value)) = spec.iter().find(|(column, _)| *column == name.to_lowercase()) else {
            if given < spec.len() {
                return Err(Error::unsupported(format!("a partition without a value of '{name}', which others lie below")));
            }
            break;
        };
        let value = value.as_deref().filter(|value| !value.is_empty());
        let column = &target.meta.partitions()[given];
        let text = value.map(|value| super::insert::partition_text(value, &column.type_name)).transpose()?;
        let text = text.map_or_else(|| NULL_PARTITION.to_owned(), |text| escape_partition(&text));
        directory.push(format!("{}={text}", escape_partition(name)));
    }
    let unknown =
        spec.iter().find(|(column, _)| !target.meta.partition_columns.iter().any(|name| name.to_lowercase() == *column));
    match unknown {
        Some((column, _)) => Err(Error::sql(format!("{} has no partition column '{column}'", target.name()))),
        None => Ok(directory),
    }
}

pub(super) fn full_directory(target: &Target, spec: &PartitionSpec) -> Result<PathBuf> {
    if spec.len() != target.meta.partition_columns.len() {
        let names = target.meta.partition_columns.join(", ");
        return Err(Error::sql(format!("a partition of {} has values of all of ({names})", target.name())));
    }
    directory(target, spec)
}
